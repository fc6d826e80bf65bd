/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * HTTP/1.1 on a peer of `sspi serve`: one request, its answer, the next request.
 *
 * While an answer is being made or sent the peer is blocked. An answer goes out one record at a
 * time; the next chunk of the file is read, straight into the record, when the one before has left.
 */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "http.h"
#include "peer_auth.h"

struct h1 {
    struct http_request request;
    struct exchange *exchange; /* the answer under way, or NULL */
    bool keep_alive;
    struct bytes head; /* what is left of the answer's head */
    size_t record_len; /* bytes in the record that is being filled */
};

static bool h1_start(struct peer *peer)
{
    struct h1 *h1 = calloc(1, sizeof(*h1));
    if (!h1)
        return false;
    http_request_init(&h1->request, peer->server->authenticates);
    peer->protocol_state = h1;
    return true;
}

static void h1_clear(struct peer *peer)
{
    struct h1 *h1 = peer->protocol_state;
    if (!h1)
        return; /* no memory at its start */
    exchange_free(h1->exchange);
    http_request_clear(&h1->request);
    bytes_clear(&h1->head);
    free(h1);
}

static void h1_timeout(struct peer *peer)
{
    const struct h1 *h1 = peer->protocol_state;
    if (h1->exchange)
        peer_drop(peer, "the answer was not taken in time");
    else
        peer_finish(peer);
}

static void h1_stop(struct peer *peer)
{
    const struct h1 *h1 = peer->protocol_state;
    if (!h1->exchange)
        peer_finish(peer);
}

static void h1_drop(struct peer *peer)
{
    const struct h1 *h1 = peer->protocol_state;
    if (h1)
        exchange_cancel(h1->exchange);
}

static void h1_flush(struct peer *peer)
{
    (void)peer; /* sends by itself, from the end of one step to the next */
}

static void send_chunk(struct peer *peer);

static void answer_done(struct peer *peer)
{
    struct h1 *h1 = peer->protocol_state;
    exchange_log(h1->exchange);
    exchange_free(h1->exchange);
    h1->exchange = NULL;
    peer->blocked = false;
    if (!h1->keep_alive || peer->server->stopping) {
        peer_finish(peer);
        return;
    }
    http_request_next(&h1->request);
    peer_set_deadline(peer, peer->server->options.idle_ms);
    peer_advance(peer);
}

static void on_record_sent(uv_write_t *write, int status)
{
    struct peer *peer = write->handle->data;
    const struct h1 *h1 = peer->protocol_state;
    if (peer->state != PEER_DROPPED && status < 0) {
        peer_drop(peer, uv_strerror(status));
    } else if (peer->state == PEER_OPEN) {
        if (h1->head.len > 0 || h1->exchange->read < h1->exchange->answer.length)
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

static void on_file_read(struct exchange *exchange, ssize_t count)
{
    struct peer *peer = exchange->peer;
    const struct h1 *h1 = peer->protocol_state;
    if (count <= 0) /* the length is promised already, so all we can do is not keep it */
        peer_drop(peer, count < 0 ? uv_strerror((int)count) : "the file became shorter");
    else
        send_record(peer, h1->record_len + (size_t)count);
}

/* Sends the next record of the answer: what is left of the head, then of the body. */
static void send_chunk(struct peer *peer)
{
    struct h1 *h1 = peer->protocol_state;
    struct exchange *exchange = h1->exchange;
    unsigned char *data = peer_tls_data(peer);
    if (!data) {
        peer_drop(peer, "out of memory");
        return;
    }
    size_t room = peer_tls_room(peer);
    size_t head = h1->head.len < room ? h1->head.len : room;
    if (head > 0)
        memcpy(data, h1->head.data, head);
    bytes_consume(&h1->head, head);
    h1->record_len = head;

    uint64_t body = exchange->answer.length - exchange->read;
    if (body > room - head)
        body = room - head;
    if (body == 0 || exchange->answer.fd < 0) {
        send_record(peer, head + exchange_copy(exchange, data + head, (size_t)body));
        return;
    }
    int error = exchange_read(exchange, data + head, (size_t)body, on_file_read);
    if (error < 0)
        peer_drop(peer, uv_strerror(error));
}

static void on_answer(struct exchange *exchange, ssize_t error)
{
    struct peer *peer = exchange->peer;
    struct h1 *h1 = peer->protocol_state;
    if (error < 0)
        peer_drop(peer, uv_strerror((int)error));
    else if ((peer->auth && !peer_auth_add(peer, &exchange->answer)) ||
             !http_write_head(&exchange->answer, h1->keep_alive, &h1->head))
        peer_drop(peer, "out of memory");
    else
        send_chunk(peer);
}

static void on_judged(struct peer *peer, int refusal)
{
    struct h1 *h1 = peer->protocol_state;
    struct exchange *exchange = h1->exchange;
    const char *user = peer_auth_user(peer);
    exchange->refusal = refusal;
    if (user && !refusal && !(exchange->user = strdup(user)))
        peer_drop(peer, "out of memory");
    else
        exchange_begin(exchange, on_answer);
}

static void answer(struct peer *peer)
{
    struct h1 *h1 = peer->protocol_state;
    const struct http_request *request = &h1->request;
    struct exchange *exchange = exchange_new(peer);
    if (!exchange || !bytes_append(&exchange->target, request->target, request->target_len)) {
        exchange_free(exchange);
        peer_drop(peer, "out of memory");
        return;
    }
    if (request->headers_done) {
        enum http_method method = (enum http_method)request->parser.method;
        snprintf(exchange->method, sizeof(exchange->method), "%s", http_method_str(method));
        exchange->head = method == HTTP_HEAD;
    }
    exchange->refusal = request->refusal;
    h1->keep_alive = http_keeps_alive(request);
    h1->exchange = exchange;
    peer->blocked = true;
    if (peer->auth && !exchange->refusal)
        peer_auth_check(peer, request->authorization_count > 0 ? &request->authorization : NULL,
                        h1->keep_alive, request->forwarded, on_judged);
    else
        exchange_begin(exchange, on_answer);
}

static void h1_feed(struct peer *peer)
{
    struct h1 *h1 = peer->protocol_state;
    size_t used;
    bool ready = http_request_feed(&h1->request, peer->plain.data, peer->plain.len, &used);
    bytes_consume(&peer->plain, used);
    if (ready)
        answer(peer);
}

const struct peer_protocol peer_h1 = {
    .start = h1_start,
    .feed = h1_feed,
    .flush = h1_flush,
    .timeout = h1_timeout,
    .stop = h1_stop,
    .drop = h1_drop,
    .clear = h1_clear,
};
