/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs of a connection of `sspi auth serve`: every one is SspiAcceptSecurityContextAsync, whose
 * callback comes through the server's completion queue, on the loop's thread. While a leg is
 * pending nothing is read.
 *
 * Over frames a leg takes one token. Over TLS it takes what has come, and says how much of that it
 * has left; messages of TLS that come later (new keys) are legs too.
 */
#include <stdio.h>
#include <string.h>

#include "auth_peer.h"
#include "facts.h"
#include "text.h"

#define FRAME_FLAGS \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_INTEGRITY | ASC_REQ_REPLAY_DETECT | \
     ASC_REQ_SEQUENCE_DETECT | ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_EXTENDED_ERROR)
#define STREAM_FLAGS \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_REPLAY_DETECT | ASC_REQ_SEQUENCE_DETECT | ASC_REQ_STREAM | \
     ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_EXTENDED_ERROR)

/* --- What came of it -----------------------------------------------------------------------------
 */

/* Whose credentials the server has got now; false: the connection is no more. */
static bool tell_delegated(struct auth_peer *peer)
{
    struct delegated delegated;
    SECURITY_STATUS status = delegated_read(&peer->context, &delegated);
    if (status != SEC_E_OK) {
        auth_peer_drop(peer, text_status(status));
        return false;
    }
    if (delegated.any)
        auth_server_say(peer->name, "delegated: user %s, domain %s, and the password",
                        delegated.user, delegated.domain[0] ? delegated.domain : "unknown");
    else
        auth_server_say(peer->name, "delegated: nothing");
    return true;
}

static bool tell_stream(struct auth_peer *peer)
{
    struct facts facts;
    SECURITY_STATUS status =
        QueryContextAttributesA(&peer->context, SECPKG_ATTR_STREAM_SIZES, &peer->sizes);
    if (status != SEC_E_OK) {
        auth_peer_drop(peer, text_status(status));
        return false;
    }
    facts_read(&peer->context, &facts);
    facts_print(stdout, &facts);
    return tell_delegated(peer);
}

static void established(struct auth_peer *peer)
{
    struct secured *secured = &peer->secured;
    secured_read(&peer->context, true, secured);
    peer->established = true;
    auth_server_say(peer->name, "authenticated: %s, by %s", secured->client, secured->package);
    printf("%s:\n", peer->name);
    secured_print(stdout, secured);
    bool going = !auth_peer_streams(peer) || tell_stream(peer);
    fflush(stdout);
    if (going && !(secured->flags & ASC_RET_CONFIDENTIALITY))
        auth_peer_drop(peer, "the client does not want to seal");
    else if (going)
        auth_peer_greet(peer);
}

/* Sends the leg's output, if there is one. */
static void send_token(struct auth_peer *peer)
{
    const SecBuffer *out = &peer->out[0];
    struct bytes bytes = {0};
    if (!out->pvBuffer || out->cbBuffer == 0)
        return;
    bool whole = auth_peer_streams(peer) ? bytes_append(&bytes, out->pvBuffer, out->cbBuffer)
                                         : auth_frame_put(&bytes, out->pvBuffer, out->cbBuffer);
    if (whole) {
        auth_peer_send(peer, &bytes);
        return;
    }
    bytes_clear(&bytes);
    auth_peer_drop(peer, "the token is too long to be sent");
}

/* A stream's peer is told why (CredSSP's errorCode, TLS's alert); over frames he is just left. */
static void fail(struct auth_peer *peer, SECURITY_STATUS status)
{
    char detail[256], why[512];
    const char *advice = login_advice(status, true);
    text_detail(SecIsValidHandle(&peer->context) ? &peer->context : NULL, detail, sizeof(detail));
    snprintf(why, sizeof(why), "authentication failed: %s%s%s%s%s", text_status(status),
             detail[0] ? ": " : "", detail, advice ? "; " : "", advice ? advice : "");
    auth_server_say(peer->name, "%s", why);
    if (auth_peer_streams(peer))
        send_token(peer);
    auth_peer_close(peer);
}

/* --- Legs ----------------------------------------------------------------------------------------
 */

/* Drops what a leg over TLS has used. False: that was nothing, and it would go round for ever. */
static bool consume(struct auth_peer *peer)
{
    size_t given = peer->token.len;
    size_t left = peer->in[1].BufferType == SECBUFFER_EXTRA ? peer->in[1].cbBuffer : 0;
    if (left >= given)
        return false;
    bytes_consume(&peer->wire, given - left);
    return true;
}

static void leg_done(struct auth_peer *peer, SECURITY_STATUS status)
{
    if (auth_peer_streams(peer) && status == SEC_E_INCOMPLETE_MESSAGE) {
        peer->starved = true; /* nothing was consumed; the leg is made again when more has come */
        return;
    }
    if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED) {
        fail(peer, status);
        return;
    }
    if (auth_peer_streams(peer) && !consume(peer)) {
        auth_peer_drop(peer, "a token leads nowhere");
        return;
    }
    send_token(peer);
    if (status == SEC_E_OK && !peer->dropped && !peer->established)
        established(peer);
}

static void on_leg_done(SspiAsyncContext *call, void *data)
{
    struct auth_peer *peer = data;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    peer->pending = false;
    if (!peer->dropped)
        leg_done(peer, status);
    FreeContextBuffer(peer->out[0].pvBuffer);
    peer->out[0].pvBuffer = NULL;
    if (!peer->dropped)
        auth_peer_advance(peer);
    auth_peer_release(peer);
}

bool auth_peer_leg_init(struct auth_peer *peer)
{
    peer->call = SspiCreateAsyncContext();
    return peer->call && SspiSetAsyncNotifyCallback(peer->call, on_leg_done, peer) == SEC_E_OK &&
           OsspiSetCompletionQueue(peer->call, peer->server->queue) == SEC_E_OK;
}

void auth_peer_leg(struct auth_peer *peer, const void *token, size_t len)
{
    bytes_clear(&peer->token);
    if (!bytes_append(&peer->token, token, len)) {
        auth_peer_drop(peer, "out of memory");
        return;
    }
    bool first = !SecIsValidHandle(&peer->context), stream = auth_peer_streams(peer);
    peer->in[0] = (SecBuffer){(ULONG)peer->token.len, SECBUFFER_TOKEN, peer->token.data};
    peer->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    peer->in_desc = (SecBufferDesc){SECBUFFER_VERSION, stream ? 2 : 1, peer->in};
    peer->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    peer->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, peer->out};
    SspiReinitAsyncContext(peer->call);
    OsspiSetAsyncTimeout(peer->call, peer->server->options->deadline_ms);
    SECURITY_STATUS status = SspiAcceptSecurityContextAsync(
        peer->call, &peer->server->credential, first ? NULL : &peer->context, &peer->in_desc,
        stream ? STREAM_FLAGS : FRAME_FLAGS, SECURITY_NATIVE_DREP, &peer->context, &peer->out_desc,
        &peer->attributes, NULL);
    if (status != SEC_E_OK) {
        auth_peer_drop(peer, text_status(status));
        return;
    }
    peer->pending = true;
    peer->holds++;
}
