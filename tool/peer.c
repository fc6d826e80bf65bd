/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One connection of `sspi serve`: lifetime, reading, time limits. What is said on it is the affair
 * of the protocol that the handshake agreed on.
 *
 * Back pressure: while a leg is pending or the protocol is blocked nothing is read, so a peer that
 * sends more than it takes fills its own socket and not our memory.
 */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer_auth.h"
#include "text.h"

#define LINGER_MS 2000

static void on_timer(uv_timer_t *timer);

void peer_hold(struct peer *peer)
{
    peer->holds++;
}

void peer_release(struct peer *peer)
{
    if (--peer->holds > 0)
        return;
    struct server *server = peer->server;
    bytes_clear(&peer->wire);
    bytes_clear(&peer->plain);
    if (peer->protocol)
        peer->protocol->clear(peer);
    peer_auth_clear(peer);
    free(peer->record);
    server_forget(server, peer);
    free(peer);
    server_admit(server);
}

static void on_closed(uv_handle_t *handle)
{
    peer_release(handle->data);
}

void peer_drop(struct peer *peer, const char *why)
{
    if (peer->state == PEER_DROPPED)
        return;
    if (why)
        server_log(peer->server, peer->name, "dropped: %s", why);
    peer->state = PEER_DROPPED;
    uv_close((uv_handle_t *)&peer->tcp, on_closed);
    uv_close((uv_handle_t *)&peer->timer, on_closed);
    if (peer->protocol)
        peer->protocol->drop(peer);
    peer_auth_drop(peer);
    peer_tls_clear(peer);
}

void peer_set_deadline(struct peer *peer, unsigned ms)
{
    uv_timer_start(&peer->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct peer *peer = timer->data;
    switch (peer->state) {
    case PEER_HANDSHAKE:
        peer_drop(peer, "the handshake took too long");
        break;
    case PEER_OPEN:
        peer->protocol->timeout(peer);
        break;
    case PEER_CLOSING:
        peer_drop(peer, "would not take our last words");
        break;
    default:
        peer_drop(peer, NULL);
    }
}

/* --- Reading -------------------------------------------------------------------------------------
 */

/* One scratch area for all peers: what is read is copied out before anyone else reads. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)suggested;
    const struct peer *peer = handle->data;
    *ret_buffer = uv_buf_init(peer->server->scratch, sizeof(peer->server->scratch));
}

static void on_end(struct peer *peer, ssize_t error)
{
    if (peer->state == PEER_HANDSHAKE) {
        peer->server->failures++;
        peer_drop(peer, "gone during the handshake");
    } else if (peer->state == PEER_OPEN) {
        peer_drop(peer, error == UV_EOF ? "gone without close_notify" : uv_strerror((int)error));
    } else {
        peer_drop(peer, NULL);
    }
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;
    if (count < 0) {
        on_end(peer, count);
        return;
    }
    if (count == 0 || (peer->state != PEER_HANDSHAKE && peer->state != PEER_OPEN))
        return; /* after our last words whatever comes is thrown away */
    if (!bytes_append(&peer->wire, buffer->base, (size_t)count)) {
        peer_drop(peer, "out of memory");
        return;
    }
    peer->starved = false;
    peer_advance(peer);
}

static void update_reading(struct peer *peer)
{
    bool wanted =
        peer->state == PEER_LINGER ||
        ((peer->state == PEER_HANDSHAKE || peer->state == PEER_OPEN) &&
         peer->leg == PEER_LEG_NONE && !peer->blocked && peer->wire.len < PEER_WIRE_LIMIT);
    if (peer->state == PEER_DROPPED || wanted == peer->reading)
        return;
    peer->reading = wanted;
    if (!wanted)
        uv_read_stop((uv_stream_t *)&peer->tcp);
    else if (uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read) < 0)
        peer_drop(peer, "cannot read");
}

/* --- Going on ------------------------------------------------------------------------------------
 */

void peer_advance(struct peer *peer)
{
    while (peer->leg == PEER_LEG_NONE && !peer->blocked) {
        if (peer->state == PEER_OPEN && peer->plain.len > 0)
            peer->protocol->feed(peer);
        else if (peer->wire.len == 0 || peer->starved)
            break;
        else if (peer->state == PEER_OPEN)
            peer_tls_open(peer);
        else if (peer->state == PEER_HANDSHAKE)
            peer_tls_leg(peer, PEER_LEG_HANDSHAKE);
        else
            break;
    }
    if (peer->state == PEER_OPEN && peer->leg == PEER_LEG_NONE)
        peer->protocol->flush(peer);
    if (peer->starved && peer->wire.len >= PEER_WIRE_LIMIT)
        peer_drop(peer, "a record that never ends");
    update_reading(peer);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct peer *peer = request->handle->data;
    free(request);
    if (status < 0)
        peer_drop(peer, NULL);
    peer_release(peer);
}

void peer_linger(struct peer *peer)
{
    if (peer->state == PEER_DROPPED || peer->state == PEER_LINGER)
        return;
    uv_shutdown_t *request = malloc(sizeof(*request));
    if (!request || uv_shutdown(request, (uv_stream_t *)&peer->tcp, on_shutdown) < 0) {
        free(request);
        peer_drop(peer, NULL);
        return;
    }
    peer_hold(peer);
    peer->state = PEER_LINGER;
    peer_set_deadline(peer, LINGER_MS);
    update_reading(peer);
}

void peer_finish(struct peer *peer)
{
    if (peer->state != PEER_OPEN || peer->leg != PEER_LEG_NONE) {
        if (peer->state == PEER_HANDSHAKE || peer->state == PEER_OPEN)
            peer_drop(peer, "closed");
        return;
    }
    peer->state = PEER_CLOSING;
    peer_set_deadline(peer, LINGER_MS);
    if (!peer_tls_shutdown(peer))
        peer_linger(peer);
}

void peer_stop(struct peer *peer)
{
    if (peer->state == PEER_OPEN)
        peer->protocol->stop(peer);
    else
        peer_finish(peer);
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (address->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(six))
        return IN6_IS_ADDR_LOOPBACK(six);
    const void *four = address->ss_family == AF_INET6
                           ? (const void *)(six->s6_addr + 12)
                           : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    return *(const unsigned char *)four == 127;
}

static void name_peer(struct peer *peer)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    char text[48] = "?";
    unsigned port = 0;
    if (uv_tcp_getpeername(&peer->tcp, (struct sockaddr *)&address, &len) == 0) {
        if (address.ss_family == AF_INET6) {
            const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
            uv_ip6_name(in6, text, sizeof(text));
            port = ntohs(in6->sin6_port);
        } else {
            const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
            uv_ip4_name(in, text, sizeof(text));
            port = ntohs(in->sin_port);
        }
        peer->local = is_loopback(&address);
    }
    snprintf(peer->name, sizeof(peer->name), "%s:%u", text, port);
}

void peer_accept(struct server *server)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        return; /* the listener waits; the next peer that leaves tries again */
    peer->server = server;
    uv_tcp_init(&server->loop, &peer->tcp);
    uv_timer_init(&server->loop, &peer->timer);
    peer->tcp.data = peer->timer.data = peer;
    peer->holds = 2;
    peer->next = server->peers;
    if (peer->next)
        peer->next->previous = peer;
    server->peers = peer;
    server->peer_count++;
    server->connections++;
    server->connection_waits = false;

    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&peer->tcp) < 0) {
        peer_drop(peer, "cannot accept");
        return;
    }
    name_peer(peer);
    uv_tcp_nodelay(&peer->tcp, 1);
    if (!peer_tls_init(peer)) {
        peer_drop(peer, "out of memory");
        return;
    }
    peer_set_deadline(peer, server->options.handshake_ms);
    update_reading(peer);
}
