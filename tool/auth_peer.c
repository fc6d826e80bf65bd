/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One connection of `sspi auth serve`: legs until the context stands, then lines under seal.
 *
 * A peer is freed when nothing refers to it any more: `holds` counts its two libuv handles, a leg
 * that runs on a worker, and writes under way. While a leg is pending nothing is read; a peer that
 * does not take its answers is read no further either.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_server.h"
#include "secured.h"
#include "text.h"
#include "tls.h"

#define BACKLOG_MAX 1048576 /* bytes of answers that wait before nothing more is read */
#define SERVER_FLAGS \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_INTEGRITY | ASC_REQ_REPLAY_DETECT | \
     ASC_REQ_SEQUENCE_DETECT | ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_EXTENDED_ERROR)

struct auth_peer {
    struct auth_server *server;
    struct auth_peer *previous, *next;
    uv_tcp_t tcp;
    uv_timer_t timer;
    unsigned holds;
    char name[64]; /* address:port */
    bool dropped, reading;
    struct bytes wire; /* received */

    SspiAsyncContext *call;
    CtxtHandle context; /* all-ones: none yet */
    bool pending;       /* a leg; then the rest up to `attributes` is the library's */
    struct bytes token;
    SecBuffer in[1], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    bool established;
    struct secured secured;
};

static void advance(struct auth_peer *peer);

/* --- Life ----------------------------------------------------------------------------------------
 */

struct auth_peer *auth_peer_next(struct auth_peer *peer)
{
    return peer->next;
}

void auth_peer_link(struct auth_server *server, struct auth_peer *peer)
{
    peer->next = server->peers;
    if (peer->next)
        peer->next->previous = peer;
    server->peers = peer;
}

void auth_peer_unlink(struct auth_server *server, struct auth_peer *peer)
{
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        server->peers = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
}

static void release(struct auth_peer *peer)
{
    if (--peer->holds > 0)
        return;
    struct auth_server *server = peer->server;
    tls_delete(&peer->context);
    SspiFreeAsyncContext(peer->call);
    bytes_clear(&peer->wire);
    bytes_clear(&peer->token);
    auth_server_forget(server, peer);
    free(peer);
    auth_server_admit(server);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void auth_peer_drop(struct auth_peer *peer, const char *why)
{
    if (peer->dropped)
        return;
    if (why)
        auth_server_say(peer->name, "dropped: %s", why);
    peer->dropped = true;
    uv_close((uv_handle_t *)&peer->tcp, on_closed);
    uv_close((uv_handle_t *)&peer->timer, on_closed);
    if (peer->pending)
        OsspiCancelAsyncCall(peer->call);
}

static void on_timer(uv_timer_t *timer)
{
    struct auth_peer *peer = timer->data;
    auth_peer_drop(peer,
                   peer->established ? "silent for too long" : "the authentication took too long");
}

/* --- Writing -------------------------------------------------------------------------------------
 */

struct frame_write {
    uv_write_t request;
    struct auth_peer *peer;
    struct bytes bytes;
};

static void on_sent(uv_write_t *request, int status)
{
    struct frame_write *write = (struct frame_write *)request;
    struct auth_peer *peer = write->peer;
    bytes_clear(&write->bytes);
    free(write);
    if (status < 0)
        auth_peer_drop(peer, status == UV_ECANCELED ? NULL : uv_strerror(status));
    else if (!peer->dropped)
        advance(peer);
    release(peer);
}

/* Takes the bytes over. */
static void send_bytes(struct auth_peer *peer, struct bytes *bytes)
{
    struct frame_write *write = calloc(1, sizeof(*write));
    uv_buf_t buffer = uv_buf_init((char *)bytes->data, (unsigned)bytes->len);
    if (write) {
        write->peer = peer;
        write->bytes = *bytes;
    }
    if (!write || uv_write(&write->request, (uv_stream_t *)&peer->tcp, &buffer, 1, on_sent) < 0) {
        bytes_clear(bytes);
        free(write);
        auth_peer_drop(peer, "cannot send");
        return;
    }
    peer->holds++;
}

static void send_line(struct auth_peer *peer, const char *text, size_t len)
{
    struct bytes bytes = {0};
    SECURITY_STATUS status = auth_seal(&peer->context, text, len, &bytes);
    if (status == SEC_E_OK) {
        send_bytes(peer, &bytes);
        return;
    }
    bytes_clear(&bytes);
    auth_peer_drop(peer, text_status(status));
}

/* --- Legs ----------------------------------------------------------------------------------------
 */

static void established(struct auth_peer *peer)
{
    char line[sizeof(peer->secured.client) + sizeof(peer->secured.package) + 32];
    struct secured *secured = &peer->secured;
    secured_read(&peer->context, true, secured);
    peer->established = true;
    auth_server_say(peer->name, "authenticated: %s, by %s", secured->client, secured->package);
    printf("%s:\n", peer->name);
    secured_print(stdout, secured);
    fflush(stdout);
    if (!(secured->flags & ASC_RET_CONFIDENTIALITY)) {
        auth_peer_drop(peer, "the client does not want to seal");
        return;
    }
    int len = snprintf(line, sizeof(line), "you are %s, by %s", secured->client, secured->package);
    send_line(peer, line, (size_t)len);
    uv_timer_start(&peer->timer, on_timer, peer->server->options->idle_ms, 0);
}

static void fail(struct auth_peer *peer, SECURITY_STATUS status)
{
    char detail[256], why[512];
    const char *advice = login_advice(status, true);
    text_detail(SecIsValidHandle(&peer->context) ? &peer->context : NULL, detail, sizeof(detail));
    snprintf(why, sizeof(why), "authentication failed: %s%s%s%s%s", text_status(status),
             detail[0] ? ": " : "", detail, advice ? "; " : "", advice ? advice : "");
    auth_server_say(peer->name, "%s", why);
    auth_peer_drop(peer, NULL);
}

static void leg_done(struct auth_peer *peer, SECURITY_STATUS status)
{
    struct bytes bytes = {0};
    if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED) {
        fail(peer, status);
        return;
    }
    if (peer->out[0].cbBuffer > 0) {
        if (!auth_frame_put(&bytes, peer->out[0].pvBuffer, peer->out[0].cbBuffer)) {
            bytes_clear(&bytes);
            auth_peer_drop(peer, "the token is too long to be sent");
            return;
        }
        send_bytes(peer, &bytes);
    }
    if (status == SEC_E_OK && !peer->dropped)
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
        advance(peer);
    release(peer);
}

static void begin_leg(struct auth_peer *peer, size_t len)
{
    bytes_clear(&peer->token);
    if (!bytes_append(&peer->token, peer->wire.data + AUTH_FRAME_HEAD, len)) {
        auth_peer_drop(peer, "out of memory");
        return;
    }
    bool first = !SecIsValidHandle(&peer->context);
    peer->in[0] = (SecBuffer){(ULONG)peer->token.len, SECBUFFER_TOKEN, peer->token.data};
    peer->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, peer->in};
    peer->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    peer->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, peer->out};
    SspiReinitAsyncContext(peer->call);
    OsspiSetAsyncTimeout(peer->call, peer->server->options->deadline_ms);
    SECURITY_STATUS status = SspiAcceptSecurityContextAsync(
        peer->call, &peer->server->credential, first ? NULL : &peer->context, &peer->in_desc,
        SERVER_FLAGS, SECURITY_NATIVE_DREP, &peer->context, &peer->out_desc, &peer->attributes,
        NULL);
    if (status != SEC_E_OK) {
        auth_peer_drop(peer, text_status(status));
        return;
    }
    peer->pending = true;
    peer->holds++;
}

/* --- Lines ---------------------------------------------------------------------------------------
 */

static void take_line(struct auth_peer *peer, size_t len)
{
    const char *text;
    size_t text_len;
    SECURITY_STATUS status =
        auth_open(&peer->context, peer->wire.data + AUTH_FRAME_HEAD, len, &text, &text_len);
    if (status != SEC_E_OK || text_len == 0) {
        auth_peer_drop(peer, status != SEC_E_OK ? text_status(status) : "an empty line");
        return;
    }
    auth_server_say(peer->name, "%s says: %.*s", peer->secured.client, (int)text_len, text);
    send_line(peer, text, text_len);
    if (!peer->dropped)
        uv_timer_start(&peer->timer, on_timer, peer->server->options->idle_ms, 0);
}

static bool is_full(const struct auth_peer *peer)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&peer->tcp) > BACKLOG_MAX;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)suggested;
    const struct auth_peer *peer = handle->data;
    *ret_buffer = uv_buf_init(peer->server->scratch, sizeof(peer->server->scratch));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct auth_peer *peer = stream->data;
    if (count == 0)
        return;
    if (count == UV_EOF && peer->established) {
        auth_server_say(peer->name, "has gone");
        auth_peer_drop(peer, NULL);
    } else if (count < 0)
        auth_peer_drop(peer, uv_strerror((int)count));
    else if (!bytes_append(&peer->wire, buffer->base, (size_t)count))
        auth_peer_drop(peer, "out of memory");
    else
        advance(peer);
}

static void update_reading(struct auth_peer *peer)
{
    bool wanted = !peer->pending && !is_full(peer);
    if (peer->dropped || wanted == peer->reading)
        return;
    peer->reading = wanted;
    if (!wanted)
        uv_read_stop((uv_stream_t *)&peer->tcp);
    else if (uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read) < 0)
        auth_peer_drop(peer, "cannot read");
}

/* Goes on with whatever can be done now; called after every event. */
static void advance(struct auth_peer *peer)
{
    size_t len = 0;
    enum auth_frame found = AUTH_FRAME_WHOLE;
    while (!peer->dropped && !peer->pending && !is_full(peer) &&
           (found = auth_frame_find(&peer->wire, &len)) == AUTH_FRAME_WHOLE) {
        if (peer->established)
            take_line(peer, len);
        else
            begin_leg(peer, len);
        bytes_consume(&peer->wire, AUTH_FRAME_HEAD + len);
    }
    if (found == AUTH_FRAME_BAD)
        auth_peer_drop(peer, "this is no frame of sspi auth");
    update_reading(peer);
}

static void name_peer(struct auth_peer *peer)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    char text[48] = "?";
    unsigned port = 0;
    if (uv_tcp_getpeername(&peer->tcp, (struct sockaddr *)&address, &len) == 0) {
        if (address.ss_family == AF_INET6) {
            uv_ip6_name((struct sockaddr_in6 *)&address, text, sizeof(text));
            port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
        } else {
            uv_ip4_name((struct sockaddr_in *)&address, text, sizeof(text));
            port = ntohs(((struct sockaddr_in *)&address)->sin_port);
        }
    }
    snprintf(peer->name, sizeof(peer->name), "%s:%u", text, port);
}

static bool make_call(struct auth_peer *peer)
{
    peer->call = SspiCreateAsyncContext();
    return peer->call && SspiSetAsyncNotifyCallback(peer->call, on_leg_done, peer) == SEC_E_OK &&
           OsspiSetCompletionQueue(peer->call, peer->server->queue) == SEC_E_OK;
}

void auth_peer_accept(struct auth_server *server)
{
    struct auth_peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        return; /* the listener waits; the next peer that leaves tries again */
    peer->server = server;
    SecInvalidateHandle(&peer->context);
    uv_tcp_init(&server->loop, &peer->tcp);
    uv_timer_init(&server->loop, &peer->timer);
    peer->tcp.data = peer->timer.data = peer;
    peer->holds = 2;
    auth_peer_link(server, peer);
    server->peer_count++;
    server->connection_waits = false;
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&peer->tcp) < 0) {
        auth_peer_drop(peer, "cannot accept");
        return;
    }
    name_peer(peer);
    uv_tcp_nodelay(&peer->tcp, 1);
    if (!make_call(peer)) {
        auth_peer_drop(peer, "out of memory");
        return;
    }
    uv_timer_start(&peer->timer, on_timer, server->options->deadline_ms, 0);
    update_reading(peer);
}
