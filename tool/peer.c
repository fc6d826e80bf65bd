/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One connection of `sspi serve`: lifetime, reading, time limits, requests and answers.
 *
 * Back pressure: while a leg is pending or an answer is being sent nothing is read, so a peer that
 * sends more than it takes fills its own socket and not our memory. An answer goes out one record
 * at a time; the next chunk of the file is read when the record before it has left.
 */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

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
    http_response_clear(&peer->response);
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
    peer_tls_clear(peer);
}

void peer_set_deadline(struct peer *peer, unsigned ms)
{
    uv_timer_start(&peer->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    static const char *const reasons[] = {
        [PEER_HANDSHAKE] = "the handshake took too long",
        [PEER_OPEN] = "no request in time",
        [PEER_CLOSING] = "would not take our last words",
    };
    struct peer *peer = timer->data;
    if (peer->state == PEER_LINGER)
        peer_drop(peer, NULL);
    else if (peer->state == PEER_OPEN && !peer->responding)
        peer_finish(peer);
    else
        peer_drop(peer,
                  peer->responding ? "the answer was not taken in time" : reasons[peer->state]);
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
         peer->leg == PEER_LEG_NONE && !peer->responding && peer->wire.len < PEER_WIRE_LIMIT);
    if (peer->state == PEER_DROPPED || wanted == peer->reading)
        return;
    peer->reading = wanted;
    if (!wanted)
        uv_read_stop((uv_stream_t *)&peer->tcp);
    else if (uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read) < 0)
        peer_drop(peer, "cannot read");
}

/* --- Answers -------------------------------------------------------------------------------------
 */

static void send_chunk(struct peer *peer);

static void answer_done(struct peer *peer)
{
    const struct http_request *request = &peer->request;
    server_log(peer->server, peer->name, "%s %.*s %d %llu",
               request->headers_done ? http_method_str((enum http_method)request->parser.method)
                                     : "-",
               (int)request->target_len, request->target, peer->response.status,
               (unsigned long long)peer->response.length);
    bool keep = peer->response.keep_alive && !peer->server->stopping;
    http_response_clear(&peer->response);
    peer->responding = false;
    if (!keep) {
        peer_finish(peer);
        return;
    }
    http_request_next(&peer->request);
    peer_set_deadline(peer, peer->server->options.idle_ms);
    peer_advance(peer);
}

static void on_record_sent(uv_write_t *write, int status)
{
    struct peer *peer = write->handle->data;
    if (peer->state != PEER_DROPPED && status < 0) {
        peer_drop(peer, uv_strerror(status));
    } else if (peer->state == PEER_OPEN) {
        if (peer->head_sent < peer->response.head.len || peer->body_sent < peer->response.length)
            send_chunk(peer);
        else
            answer_done(peer);
    }
    peer_release(peer);
}

static void send_record(struct peer *peer, size_t len)
{
    peer_set_deadline(peer, peer->server->options.idle_ms);
    if (!peer_tls_send(peer, len, on_record_sent))
        peer_drop(peer, "cannot send");
}

static void on_file_read(uv_fs_t *request)
{
    struct peer *peer = request->data;
    ssize_t count = request->result;
    uv_fs_req_cleanup(request);
    if (peer->state == PEER_OPEN) {
        if (count <= 0) { /* the length is promised already, so all we can do is not keep it */
            peer_drop(peer, count < 0 ? uv_strerror((int)count) : "the file became shorter");
        } else {
            peer->body_sent += (uint64_t)count;
            send_record(peer, peer->record_len + (size_t)count);
        }
    }
    peer_release(peer);
}

static void read_file(struct peer *peer, unsigned char *to, size_t len)
{
    uv_buf_t buffer = uv_buf_init((char *)to, (unsigned)len);
    peer->file_read.data = peer;
    int error = uv_fs_read(&peer->server->loop, &peer->file_read, peer->response.fd, &buffer, 1,
                           (int64_t)peer->body_sent, on_file_read);
    if (error < 0)
        peer_drop(peer, uv_strerror(error));
    else
        peer_hold(peer);
}

/* Sends the next record of the answer: what is left of the head, then of the body. */
static void send_chunk(struct peer *peer)
{
    struct http_response *response = &peer->response;
    unsigned char *data = peer_tls_data(peer);
    if (!data) {
        peer_drop(peer, "out of memory");
        return;
    }
    size_t room = peer_tls_room(peer);
    size_t head = response->head.len - peer->head_sent;
    if (head > room)
        head = room;
    memcpy(data, response->head.data + peer->head_sent, head);
    peer->head_sent += head;
    peer->record_len = head;

    uint64_t body = response->length - peer->body_sent;
    if (body > room - head)
        body = room - head;
    if (body > 0 && response->fd >= 0) {
        read_file(peer, data + head, (size_t)body);
        return;
    }
    if (body > 0)
        memcpy(data + head, response->body.data + peer->body_sent, (size_t)body);
    peer->body_sent += body;
    send_record(peer, head + (size_t)body);
}

static void answer(struct peer *peer)
{
    if (!http_respond(&peer->request, peer->server->root, &peer->response)) {
        peer_drop(peer, "out of memory");
        return;
    }
    peer->server->requests++;
    peer->responding = true;
    peer->head_sent = 0;
    peer->body_sent = 0;
    send_chunk(peer);
}

/* --- Going on ------------------------------------------------------------------------------------
 */

/* Feeds plaintext to the request; starts the answer when there is one to give. */
static void read_request(struct peer *peer)
{
    size_t used;
    bool ready = http_request_feed(&peer->request, peer->plain.data, peer->plain.len, &used);
    bytes_consume(&peer->plain, used);
    if (ready)
        answer(peer);
}

void peer_advance(struct peer *peer)
{
    while (peer->leg == PEER_LEG_NONE && !peer->responding) {
        if (peer->state == PEER_OPEN && peer->plain.len > 0)
            read_request(peer);
        else if (peer->wire.len == 0 || peer->starved)
            break;
        else if (peer->state == PEER_OPEN)
            peer_tls_open(peer);
        else if (peer->state == PEER_HANDSHAKE)
            peer_tls_leg(peer, PEER_LEG_HANDSHAKE);
        else
            break;
    }
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
    if (peer->state != PEER_OPEN || peer->responding || peer->leg != PEER_LEG_NONE) {
        if (peer->state == PEER_HANDSHAKE || peer->state == PEER_OPEN)
            peer_drop(peer, "closed");
        return;
    }
    peer->state = PEER_CLOSING;
    peer_set_deadline(peer, LINGER_MS);
    if (!peer_tls_shutdown(peer))
        peer_linger(peer);
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
    }
    snprintf(peer->name, sizeof(peer->name), "%s:%u", text, port);
}

void peer_accept(struct server *server)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        return; /* the listener waits; the next peer that leaves tries again */
    peer->server = server;
    peer->response.fd = -1;
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
    http_request_init(&peer->request);
    if (!peer_tls_init(peer)) {
        peer_drop(peer, "out of memory");
        return;
    }
    peer_set_deadline(peer, server->options.handshake_ms);
    update_reading(peer);
}
