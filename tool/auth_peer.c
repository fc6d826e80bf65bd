/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One connection of `sspi auth serve`: its socket, its timer, its end.
 *
 * A peer is freed when nothing refers to it any more: `holds` counts its two libuv handles, a leg
 * that runs on a worker, and writes under way. While a leg is pending nothing is read; a peer that
 * does not take its answers is read no further either.
 */
#include "auth_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "tls.h"

#define BACKLOG_MAX 1048576 /* bytes of answers that wait before nothing more is read */
#define REFUSAL_MS  2000    /* for a client to take what it is told in the end */

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

void auth_peer_release(struct auth_peer *peer)
{
    if (--peer->holds > 0)
        return;
    struct auth_server *server = peer->server;
    tls_delete(&peer->context);
    SspiFreeAsyncContext(peer->call);
    bytes_clear(&peer->wire);
    bytes_clear(&peer->plain);
    bytes_clear(&peer->token);
    auth_server_forget(server, peer);
    free(peer);
    auth_server_admit(server);
}

static void on_closed(uv_handle_t *handle)
{
    auth_peer_release(handle->data);
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
    if (peer->closing)
        auth_peer_drop(peer, NULL);
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
        auth_peer_advance(peer);
    auth_peer_release(peer);
}

void auth_peer_send(struct auth_peer *peer, struct bytes *bytes)
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

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    auth_peer_release(request->data);
}

/* A socket that is closed with something unread in it resets the connection, and the other side may
 * lose what it was told last. So this one waits for the other's end. */
void auth_peer_close(struct auth_peer *peer)
{
    if (peer->dropped || peer->closing)
        return;
    peer->closing = true;
    peer->shutdown.data = peer;
    if (uv_shutdown(&peer->shutdown, (uv_stream_t *)&peer->tcp, on_shutdown) < 0) {
        auth_peer_drop(peer, NULL);
        return;
    }
    peer->holds++;
    uv_timer_start(&peer->timer, on_timer, REFUSAL_MS, 0);
}

/* --- Reading -------------------------------------------------------------------------------------
 */

void auth_peer_wait_for_line(struct auth_peer *peer)
{
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
    if (count == 0 || (peer->closing && count > 0))
        return;
    peer->starved = false;
    if (peer->closing) {
        auth_peer_drop(peer, NULL);
    } else if (count == UV_EOF && peer->established) {
        auth_server_say(peer->name, "has gone");
        auth_peer_drop(peer, NULL);
    } else if (count < 0)
        auth_peer_drop(peer, uv_strerror((int)count));
    else if (!bytes_append(&peer->wire, buffer->base, (size_t)count))
        auth_peer_drop(peer, "out of memory");
    else
        auth_peer_advance(peer);
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

/* The frame at the front of what has come. False: more has to come. */
static bool take_frame(struct auth_peer *peer)
{
    size_t len = 0;
    enum auth_frame found = auth_frame_find(&peer->wire, &len);
    if (found == AUTH_FRAME_BAD)
        auth_peer_drop(peer, "this is no frame of sspi auth");
    if (found != AUTH_FRAME_WHOLE)
        return false;
    if (peer->established)
        auth_peer_take_frame(peer, peer->wire.data + AUTH_FRAME_HEAD, len);
    else
        auth_peer_leg(peer, peer->wire.data + AUTH_FRAME_HEAD, len);
    bytes_consume(&peer->wire, AUTH_FRAME_HEAD + len);
    return true;
}

static bool take_some(struct auth_peer *peer)
{
    if (!auth_peer_streams(peer))
        return take_frame(peer);
    if (peer->established)
        return auth_peer_take_record(peer);
    if (peer->wire.len == 0 || peer->starved)
        return false;
    auth_peer_leg(peer, peer->wire.data, peer->wire.len);
    return true;
}

void auth_peer_advance(struct auth_peer *peer)
{
    bool going = true;
    while (going && !peer->dropped && !peer->closing && !peer->pending && !is_full(peer))
        going = take_some(peer);
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
    if (!auth_peer_leg_init(peer)) {
        auth_peer_drop(peer, "out of memory");
        return;
    }
    uv_timer_start(&peer->timer, on_timer, server->options->deadline_ms, 0);
    update_reading(peer);
}
