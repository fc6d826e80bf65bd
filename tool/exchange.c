/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One request and its answer. The look-up runs on one of libuv's threads, which touches only the
 * request and the answer inside the exchange; nobody else does until it is done.
 */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include "monitor.h"
#include "peer.h"
#include "server.h"

struct exchange *exchange_new(struct peer *peer)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange) {
        exchange->peer = peer;
        exchange->answer = ANSWER_NONE;
    }
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    exchange->freed = true;
    if (exchange->busy) {
        exchange_cancel(exchange);
        return;
    }
    if (exchange->counted)
        exchange->peer->server->files--;
    answer_clear(&exchange->answer);
    bytes_clear(&exchange->target);
    free(exchange->user);
    free(exchange->chunk);
    free(exchange);
}

void exchange_cancel(struct exchange *exchange)
{
    /* Both kinds of request begin alike. The callback comes in any case, from the loop. */
    if (exchange && exchange->busy)
        uv_cancel((uv_req_t *)&exchange->work);
}

static void set_busy(struct exchange *exchange, exchange_done *done)
{
    exchange->busy = true;
    exchange->done = done;
    peer_hold(exchange->peer);
}

/* An operation is over. The peer may be gone after this, and the exchange. */
static void finish(struct exchange *exchange, ssize_t count)
{
    struct peer *peer = exchange->peer;
    exchange->busy = false;
    if (exchange->freed)
        exchange_free(exchange);
    else if (peer->state == PEER_OPEN)
        exchange->done(exchange, count);
    peer_release(peer);
}

static void look_up(uv_work_t *work)
{
    struct exchange *exchange = work->data;
    answer_make(exchange->peer->server->root, (const char *)exchange->target.data,
                exchange->target.len, exchange->refusal, exchange->head, exchange->user,
                &exchange->answer);
}

static void on_looked_up(uv_work_t *work, int status)
{
    struct exchange *exchange = work->data;
    if (status == 0 && exchange->answer.status == 0)
        status = UV_ENOMEM;
    finish(exchange, status);
}

void exchange_begin(struct exchange *exchange, exchange_done *done)
{
    struct server *server = exchange->peer->server;
    exchange->begun = true;
    if (!exchange->refusal && server->monitor && monitor_answer(server->monitor, exchange)) {
        done(exchange, exchange->answer.status == 0 ? UV_ENOMEM : 0);
        return;
    }
    server->requests++; /* who watches the status page is not what it counts */
    if (!exchange->refusal && server->files >= server->files_limit)
        exchange->refusal = 503;
    if (!exchange->refusal) {
        server->files++;
        exchange->counted = true;
    }
    exchange->work.data = exchange;
    int error = uv_queue_work(&server->loop, &exchange->work, look_up, on_looked_up);
    if (error == 0)
        set_busy(exchange, done);
    else
        done(exchange, error);
}

static void on_read(uv_fs_t *file)
{
    struct exchange *exchange = file->data;
    ssize_t count = file->result;
    uv_fs_req_cleanup(file);
    if (count > 0)
        exchange->read += (uint64_t)count;
    finish(exchange, count);
}

int exchange_read(struct exchange *exchange, void *to, size_t len, exchange_done *done)
{
    uv_buf_t buffer = uv_buf_init(to, (unsigned)len);
    exchange->file.data = exchange;
    int error = uv_fs_read(&exchange->peer->server->loop, &exchange->file, exchange->answer.fd,
                           &buffer, 1, (int64_t)exchange->read, on_read);
    if (error == 0)
        set_busy(exchange, done);
    return error;
}

size_t exchange_copy(struct exchange *exchange, void *to, size_t len)
{
    const struct bytes *body = &exchange->answer.body;
    uint64_t left = exchange->answer.length - exchange->read;
    if (len > left)
        len = (size_t)left;
    if (len > 0)
        memcpy(to, body->data + exchange->read, len);
    exchange->read += len;
    return len;
}

void exchange_log(const struct exchange *exchange)
{
    const struct peer *peer = exchange->peer;
    server_log(peer->server, peer->name, "%s %.*s %d %llu%s%s",
               exchange->method[0] ? exchange->method : "-", (int)exchange->target.len,
               exchange->target.len > 0 ? (const char *)exchange->target.data : "",
               exchange->answer.status, (unsigned long long)exchange->answer.length,
               exchange->user ? " " : "", exchange->user ? exchange->user : "");
}
