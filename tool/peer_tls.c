/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The TLS side of a peer: every leg is SspiAcceptSecurityContextAsync, whose callback arrives
 * through the server's completion queue, on the loop's thread. Sealing and opening a record takes
 * microseconds and is done in place.
 */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

#include <opensspi.h>

#include "peer_auth.h"
#include "text.h"

#define PEER_FLAGS \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_REPLAY_DETECT | ASC_REQ_SEQUENCE_DETECT | ASC_REQ_STREAM | \
     ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_EXTENDED_ERROR)

#define ALERT_MS 2000 /* for the other side to take the alert */

/* A token on its way out; the library allocated its bytes. */
struct token_write {
    uv_write_t request;
    struct peer *peer;
    void *token;
    bool last; /* linger afterwards */
};

static void on_leg_done(SspiAsyncContext *call, void *data);

bool peer_tls_init(struct peer *peer)
{
    SecInvalidateHandle(&peer->context);
    peer->call = SspiCreateAsyncContext();
    return peer->call && SspiSetAsyncNotifyCallback(peer->call, on_leg_done, peer) == SEC_E_OK &&
           OsspiSetCompletionQueue(peer->call, peer->server->queue) == SEC_E_OK;
}

static void on_token_sent(uv_write_t *request, int status)
{
    struct token_write *write = (struct token_write *)request;
    struct peer *peer = write->peer;
    bool last = write->last;
    FreeContextBuffer(write->token);
    free(write);
    if (status < 0)
        peer_drop(peer, status == UV_ECANCELED ? NULL : uv_strerror(status));
    else if (last)
        peer_linger(peer);
    peer_release(peer);
}

/* Sends the output token of a leg, if there is one; takes it over. True if it is on its way. */
static bool send_token(struct peer *peer, bool last)
{
    void *token = peer->out[0].pvBuffer;
    ULONG len = peer->out[0].cbBuffer;
    peer->out[0].pvBuffer = NULL;
    struct token_write *write = token && len > 0 ? calloc(1, sizeof(*write)) : NULL;
    if (!write || peer->state == PEER_DROPPED) {
        free(write);
        FreeContextBuffer(token);
        return false;
    }
    write->peer = peer;
    write->token = token;
    write->last = last;
    uv_buf_t buffer = uv_buf_init(token, len);
    if (uv_write(&write->request, (uv_stream_t *)&peer->tcp, &buffer, 1, on_token_sent) < 0) {
        free(write);
        FreeContextBuffer(token);
        return false;
    }
    peer_hold(peer);
    return true;
}

/* Reports a leg that failed and sends its alert, then waits for the other side's end. */
static void fail(struct peer *peer, SECURITY_STATUS status)
{
    char detail[256];
    text_detail(SecIsValidHandle(&peer->context) ? &peer->context : NULL, detail, sizeof(detail));
    bool alert = peer->out[0].cbBuffer > 0;
    peer->server->failures++;
    server_log(peer->server, peer->name, "%s failed: %s%s%s%s",
               peer->leg == PEER_LEG_HANDSHAKE ? "handshake" : "TLS", text_status(status),
               detail[0] ? ": " : "", detail, alert ? " (alert sent)" : "");
    peer->state = PEER_CLOSING;
    peer_set_deadline(peer, ALERT_MS);
    if (!send_token(peer, true))
        peer_drop(peer, NULL);
}

/* Drops the input that the leg has used. */
static void consume(struct peer *peer)
{
    ULONG left = peer->in[1].BufferType == SECBUFFER_EXTRA ? peer->in[1].cbBuffer : 0;
    if (left <= peer->wire.len)
        bytes_consume(&peer->wire, peer->wire.len - left);
}

static const struct peer_protocol *choose_protocol(struct peer *peer)
{
    SecPkgContext_ApplicationProtocol protocol;
    if (QueryContextAttributesA(&peer->context, SECPKG_ATTR_APPLICATION_PROTOCOL, &protocol) ==
            SEC_E_OK &&
        protocol.ProtoNegoStatus == SecApplicationProtocolNegotiationStatus_Success &&
        protocol.ProtocolIdSize == 2 && memcmp(protocol.ProtocolId, "h2", 2) == 0)
        return &peer_h2;
    return &peer_h1;
}

static void handshake_done(struct peer *peer)
{
    SECURITY_STATUS status =
        QueryContextAttributesA(&peer->context, SECPKG_ATTR_STREAM_SIZES, &peer->sizes);
    if (status != SEC_E_OK) {
        peer_drop(peer, text_status(status));
        return;
    }
    peer->server->handshakes++;
    peer->protocol = choose_protocol(peer);
    const char *why = peer->protocol->start(peer) ? NULL : "out of memory";
    if (!why && peer->server->authenticates)
        why = peer_auth_start(peer);
    if (why) {
        peer_drop(peer, why);
        return;
    }
    peer->state = PEER_OPEN;
    peer_set_deadline(peer, peer->server->options.idle_ms);
}

static void leg_done(struct peer *peer, SECURITY_STATUS status)
{
    enum peer_leg leg = peer->leg;
    size_t before = peer->wire.len;

    if (leg == PEER_LEG_SHUTDOWN) {
        if (!send_token(peer, true))
            peer_linger(peer);
        return;
    }
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        peer->starved = true; /* nothing was consumed; the leg is made again when more has come */
        return;
    }
    if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED) {
        fail(peer, status);
        return;
    }
    consume(peer);
    send_token(peer, false);
    if (leg == PEER_LEG_POST && peer->wire.len == before)
        peer_drop(peer, "a message after the handshake leads nowhere");
    else if (leg == PEER_LEG_HANDSHAKE && status == SEC_E_OK)
        handshake_done(peer);
}

static void on_leg_done(SspiAsyncContext *call, void *data)
{
    struct peer *peer = data;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    if (peer->state == PEER_DROPPED)
        FreeContextBuffer(peer->out[0].pvBuffer);
    else
        leg_done(peer, status);
    peer->leg = PEER_LEG_NONE;
    if (peer->state == PEER_DROPPED)
        peer_tls_clear(peer); /* which could only cancel while the leg was pending */
    else
        peer_advance(peer);
    peer_release(peer);
}

void peer_tls_leg(struct peer *peer, enum peer_leg leg)
{
    struct server *server = peer->server;
    bool first = !SecIsValidHandle(&peer->context);
    bool input = leg != PEER_LEG_SHUTDOWN;

    peer->in[0] = (SecBuffer){(ULONG)peer->wire.len, SECBUFFER_TOKEN, peer->wire.data};
    peer->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    peer->in[2] =
        (SecBuffer){server->alpn.len, SECBUFFER_APPLICATION_PROTOCOLS, server->alpn.bytes};
    peer->in_desc =
        (SecBufferDesc){SECBUFFER_VERSION, first && server->alpn.len > 0 ? 3 : 2, peer->in};
    peer->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    peer->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, peer->out};

    SspiReinitAsyncContext(peer->call);
    SECURITY_STATUS status = SspiAcceptSecurityContextAsync(
        peer->call, &server->credential, first ? NULL : &peer->context,
        input ? &peer->in_desc : NULL,
        PEER_FLAGS | (server->options.tickets ? ASC_REQ_SESSION_TICKET : 0), SECURITY_NATIVE_DREP,
        &peer->context, &peer->out_desc, &peer->attributes, NULL);
    if (status != SEC_E_OK) {
        peer_drop(peer, text_status(status));
        return;
    }
    peer->leg = leg;
    peer_hold(peer);
}

/* Takes the plaintext of an opened record over and drops the record. False: no memory. */
static bool take_opened(struct peer *peer, const SecBuffer *buffers, bool data)
{
    size_t left = 0;
    bool done = true;
    for (unsigned i = 0; i < 4; i++) {
        if (buffers[i].BufferType == SECBUFFER_EXTRA)
            left = buffers[i].cbBuffer;
        else if (buffers[i].BufferType == SECBUFFER_DATA && data)
            done = bytes_append(&peer->plain, buffers[i].pvBuffer, buffers[i].cbBuffer);
    }
    bytes_consume(&peer->wire, peer->wire.len - (left < peer->wire.len ? left : peer->wire.len));
    return done;
}

void peer_tls_open(struct peer *peer)
{
    SecBuffer buffers[4] = {{(ULONG)peer->wire.len, SECBUFFER_DATA, peer->wire.data}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status = DecryptMessage(&peer->context, &desc, 0, NULL);

    switch (status) {
    case SEC_E_INCOMPLETE_MESSAGE:
        peer->starved = true;
        break;
    case SEC_E_OK:
        if (!take_opened(peer, buffers, true))
            peer_drop(peer, "out of memory");
        break;
    case SEC_I_RENEGOTIATE: /* the record is left in EXTRA; a leg reads it */
        take_opened(peer, buffers, false);
        peer_tls_leg(peer, PEER_LEG_POST);
        break;
    case SEC_I_CONTEXT_EXPIRED:
        take_opened(peer, buffers, false);
        peer_finish(peer);
        break;
    default:
        peer->server->failures++;
        server_log(peer->server, peer->name, "bad record: %s", text_status(status));
        peer_finish(peer);
    }
}

size_t peer_tls_room(const struct peer *peer)
{
    return peer->sizes.cbMaximumMessage;
}

unsigned char *peer_tls_data(struct peer *peer)
{
    if (!peer->record)
        peer->record = malloc((size_t)peer->sizes.cbHeader + peer->sizes.cbMaximumMessage +
                              peer->sizes.cbTrailer);
    return peer->record ? peer->record + peer->sizes.cbHeader : NULL;
}

bool peer_tls_send(struct peer *peer, size_t len, uv_write_cb done)
{
    unsigned char *data = peer->record + peer->sizes.cbHeader;
    SecBuffer buffers[4] = {{peer->sizes.cbHeader, SECBUFFER_STREAM_HEADER, peer->record},
                            {(ULONG)len, SECBUFFER_DATA, data},
                            {peer->sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, data + len},
                            {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status = EncryptMessage(&peer->context, 0, &desc, 0);
    if (status != SEC_E_OK) {
        server_log(peer->server, peer->name, "cannot seal: %s", text_status(status));
        return false;
    }
    /* The three parts may be shorter than announced, so they need not touch each other. */
    uv_buf_t parts[3];
    for (unsigned i = 0; i < 3; i++)
        parts[i] = uv_buf_init(buffers[i].pvBuffer, buffers[i].cbBuffer);
    if (uv_write(&peer->record_write, (uv_stream_t *)&peer->tcp, parts, 3, done) < 0)
        return false;
    peer_hold(peer);
    return true;
}

bool peer_tls_shutdown(struct peer *peer)
{
    if (!SecIsValidHandle(&peer->context) || peer->leg != PEER_LEG_NONE ||
        !tls_ask_shutdown(&peer->context))
        return false;
    peer_tls_leg(peer, PEER_LEG_SHUTDOWN);
    return peer->leg == PEER_LEG_SHUTDOWN;
}

void peer_tls_clear(struct peer *peer)
{
    if (peer->leg != PEER_LEG_NONE) {
        OsspiCancelAsyncCall(peer->call);
        return;
    }
    tls_delete(&peer->context);
    SspiFreeAsyncContext(peer->call);
    peer->call = NULL;
}
