/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * HTTP/2 (RFC 9113) on a peer of `sspi serve`: libnghttp2 reads and writes the frames, checks what
 * the protocol forbids, and keeps the windows. What is here turns streams into exchanges and frames
 * into records.
 *
 * Limits: STREAMS_MAX streams at a time, HTTP_HEAD_LIMIT bytes of header, one chunk of a file in
 * memory per stream, one record on its way, BACKLOG_MAX frames behind it: a client that makes us
 * answer and does not take the answers is read no further. Floods of acknowledged frames, of
 * CONTINUATION and of RST_STREAM end the connection; that is nghttp2's doing, with the bounds set
 * here. Streams that were given up while the file system works for them end it too (HOLDS_MAX).
 */
#include "peer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "exchange.h"
#include "http.h"

#define STREAMS_MAX      100
#define ACKS_MAX         200 /* acknowledgements that the peer makes us owe it */
#define RESETS_BURST     200 /* streams that the peer may cancel at once, ... */
#define RESETS_PER_S     20  /* ... and from then on */
#define CONTINUATION_MAX 8
#define FIELDS_MAX       24  /* of an answer, :status included */
#define BACKLOG_MAX      400 /* frames that wait for a record before nothing more is read */
#define HOLDS_MAX        400 /* a full set of streams, a burst of cancelled ones, and some */

struct h2 {
    nghttp2_session *session;
    struct exchange *exchanges; /* one per open stream */
    struct bytes out;           /* frames that wait for a record */
    bool sending;               /* a record is on its way */
    bool inside;                /* nghttp2 is at work: no second call into it */
    bool progress;              /* a stream got some of its body since the last record */
};

static struct h2 *h2_of(struct peer *peer)
{
    return peer->protocol_state;
}

static void h2_flush(struct peer *peer);

/* --- Records out ---------------------------------------------------------------------------------
 */

/* nghttp2 bounds acknowledgements only, not the resets and answers that a peer may provoke. */
static void update_blocked(struct peer *peer)
{
    const struct h2 *h2 = h2_of(peer);
    peer->blocked =
        h2->sending && nghttp2_session_get_outbound_queue_size(h2->session) > BACKLOG_MAX;
}

/* Sends on; a peer that was blocked may have bytes at hand that nobody has fed. */
static void go_on(struct peer *peer)
{
    bool was_blocked = peer->blocked;
    h2_flush(peer);
    update_blocked(peer);
    if (was_blocked && !peer->blocked)
        peer_advance(peer);
}

static void on_record_sent(uv_write_t *write, int status)
{
    struct peer *peer = write->handle->data;
    h2_of(peer)->sending = false;
    if (status < 0)
        peer_drop(peer, status == UV_ECANCELED ? NULL : uv_strerror(status));
    else
        go_on(peer);
    peer_release(peer);
}

static void send_record(struct peer *peer)
{
    struct h2 *h2 = h2_of(peer);
    unsigned char *data = peer_tls_data(peer);
    if (!data) {
        peer_drop(peer, "out of memory");
        return;
    }
    size_t room = peer_tls_room(peer);
    size_t len = h2->out.len < room ? h2->out.len : room;
    memcpy(data, h2->out.data, len);
    bytes_consume(&h2->out, len);
    if (h2->progress)
        peer_set_deadline(peer, peer->server->options.idle_ms);
    h2->progress = false;
    if (peer_tls_send(peer, len, on_record_sent))
        h2->sending = true;
    else
        peer_drop(peer, "cannot send");
}

/* Asks nghttp2 for frames until a record is full. False: the peer was dropped. */
static bool fill_record(struct peer *peer)
{
    struct h2 *h2 = h2_of(peer);
    size_t room = peer_tls_room(peer);
    ssize_t len = 1;
    while (len > 0 && h2->out.len < room) {
        const uint8_t *data;
        h2->inside = true;
        len = nghttp2_session_mem_send(h2->session, &data);
        h2->inside = false;
        if (len < 0 || (len > 0 && !bytes_append(&h2->out, data, (size_t)len))) {
            peer_drop(peer, len < 0 ? nghttp2_strerror((int)len) : "out of memory");
            return false;
        }
    }
    return true;
}

/* Sealing takes the write side of the context, which a pending leg has: then wait for its end. */
static void h2_flush(struct peer *peer)
{
    struct h2 *h2 = h2_of(peer);
    if (peer->state != PEER_OPEN || peer->leg != PEER_LEG_NONE || h2->sending || h2->inside)
        return;
    if (!fill_record(peer))
        return;
    if (h2->out.len > 0)
        send_record(peer);
    else if (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session))
        peer_finish(peer);
}

/* --- Answers -------------------------------------------------------------------------------------
 */

static void reset_stream(struct exchange *exchange, uint32_t code)
{
    nghttp2_submit_rst_stream(h2_of(exchange->peer)->session, NGHTTP2_FLAG_NONE, exchange->stream,
                              code);
}

static void on_chunk(struct exchange *exchange, ssize_t count)
{
    struct peer *peer = exchange->peer;
    exchange->chunk_len = count > 0 ? (size_t)count : 0;
    exchange->chunk_used = 0;
    if (count > 0)
        nghttp2_session_resume_data(h2_of(peer)->session, exchange->stream);
    else /* the length is promised already */
        reset_stream(exchange, NGHTTP2_INTERNAL_ERROR);
    h2_flush(peer);
}

/* Starts to read the next chunk of the file; the stream waits for it. */
static ssize_t read_chunk(struct exchange *exchange)
{
    if (exchange->busy)
        return NGHTTP2_ERR_DEFERRED;
    if (!exchange->chunk)
        exchange->chunk = malloc(EXCHANGE_CHUNK);
    uint64_t left = exchange->answer.length - exchange->read;
    size_t len = left < EXCHANGE_CHUNK ? (size_t)left : EXCHANGE_CHUNK;
    if (!exchange->chunk || exchange_read(exchange, exchange->chunk, len, on_chunk) < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return NGHTTP2_ERR_DEFERRED;
}

static ssize_t on_data_source(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t size,
                              uint32_t *flags, nghttp2_data_source *source, void *data)
{
    (void)session;
    (void)id;
    struct exchange *exchange = source->ptr;
    size_t len;
    if (exchange->answer.fd < 0) {
        len = exchange_copy(exchange, buffer, size);
    } else if (exchange->chunk_used == exchange->chunk_len) {
        return read_chunk(exchange);
    } else {
        len = exchange->chunk_len - exchange->chunk_used;
        if (len > size)
            len = size;
        memcpy(buffer, exchange->chunk + exchange->chunk_used, len);
        exchange->chunk_used += len;
    }
    if (exchange->read == exchange->answer.length && exchange->chunk_used == exchange->chunk_len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    h2_of(data)->progress = true;
    return (ssize_t)len;
}

/* Lower case is what HTTP/2 asks of names (RFC 9113 8.2). The names are our own and short. */
static nghttp2_nv field(char *lower, size_t size, const char *name, const char *value)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len && i < size; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    return (nghttp2_nv){(uint8_t *)lower, (uint8_t *)value, len, strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static int submit(struct exchange *exchange)
{
    char status[8], names[FIELDS_MAX][40];
    nghttp2_nv fields[FIELDS_MAX];
    size_t count = 0;
    snprintf(status, sizeof(status), "%d", exchange->answer.status);
    fields[count] = field(names[count], sizeof(names[count]), ":status", status);
    count++;
    const char *place = NULL, *name, *value;
    while (count < FIELDS_MAX && answer_next(&exchange->answer, &place, &name, &value)) {
        fields[count] = field(names[count], sizeof(names[count]), name, value);
        count++;
    }
    nghttp2_data_provider body = {.source = {.ptr = exchange}, .read_callback = on_data_source};
    return nghttp2_submit_response(h2_of(exchange->peer)->session, exchange->stream, fields, count,
                                   exchange->answer.length > 0 ? &body : NULL);
}

static void on_answer(struct exchange *exchange, ssize_t error)
{
    struct peer *peer = exchange->peer;
    if (error < 0 || submit(exchange) != 0)
        reset_stream(exchange, NGHTTP2_INTERNAL_ERROR);
    h2_flush(peer);
}

/* --- Frames in -----------------------------------------------------------------------------------
 */

static struct exchange *exchange_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    struct peer *peer = data;
    struct h2 *h2 = h2_of(peer);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (peer->holds > HOLDS_MAX)
        return NGHTTP2_ERR_CALLBACK_FAILURE; /* ends the connection */
    struct exchange *exchange = exchange_new(peer);
    if (!exchange)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    exchange->stream = frame->hd.stream_id;
    exchange->next = h2->exchanges;
    if (exchange->next)
        exchange->next->previous = exchange;
    else
        peer_set_deadline(peer, peer->server->options.idle_ms);
    h2->exchanges = exchange;
    nghttp2_session_set_stream_user_data(session, exchange->stream, exchange);
    return 0;
}

static void take_method(struct exchange *exchange, const uint8_t *value, size_t len)
{
    exchange->head = len == 4 && memcmp(value, "HEAD", 4) == 0;
    if (!exchange->head && (len != 3 || memcmp(value, "GET", 3) != 0))
        exchange->refusal = 405;
    if (len >= sizeof(exchange->method))
        len = sizeof(exchange->method) - 1;
    memcpy(exchange->method, value, len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *data)
{
    (void)flags;
    (void)data;
    struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
    if (!exchange || exchange->begun)
        return 0;
    exchange->header_len += name_len + len + 32; /* RFC 9113 6.5.2 */
    if (exchange->header_len > HTTP_HEAD_LIMIT) {
        exchange->refusal = 431;
    } else if (name_len == 5 && memcmp(name, ":path", 5) == 0) {
        if (len > HTTP_TARGET_SIZE)
            exchange->refusal = 414;
        else if (!bytes_append(&exchange->target, value, len))
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    } else if (name_len == 7 && memcmp(name, ":method", 7) == 0) {
        take_method(exchange, value, len);
    }
    return 0;
}

/* A refusal does not wait for a body that nobody reads. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    (void)data;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
    if (!exchange)
        return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        exchange->complete = true;
    if (!exchange->begun && (exchange->complete || exchange->refusal))
        exchange_begin(exchange, on_answer);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *data)
{
    (void)flags;
    (void)bytes;
    (void)data;
    struct exchange *exchange = exchange_of(session, id);
    if (!exchange || exchange->begun)
        return 0;
    exchange->body_len += len;
    if (exchange->body_len > HTTP_BODY_LIMIT) {
        exchange->refusal = 413;
        exchange_begin(exchange, on_answer);
    }
    return 0;
}

/* Answered before the request was complete: the rest need not come (RFC 9113 8.1). */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    (void)data;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
    if (!exchange)
        return 0;
    exchange_log(exchange);
    if (!exchange->complete)
        reset_stream(exchange, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
    (void)code;
    struct peer *peer = data;
    struct h2 *h2 = h2_of(peer);
    struct exchange *exchange = exchange_of(session, id);
    if (!exchange)
        return 0;
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        h2->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    exchange_free(exchange);
    if (!h2->exchanges)
        peer_set_deadline(peer, peer->server->options.idle_ms);
    return 0;
}

static void h2_feed(struct peer *peer)
{
    struct h2 *h2 = h2_of(peer);
    h2->inside = true;
    ssize_t used = nghttp2_session_mem_recv(h2->session, peer->plain.data, peer->plain.len);
    h2->inside = false;
    if (used < 0)
        peer_drop(peer, nghttp2_strerror((int)used));
    else
        bytes_consume(&peer->plain, (size_t)used);
    update_blocked(peer);
}

/* --- Life ----------------------------------------------------------------------------------------
 */

static int make_session(struct peer *peer, nghttp2_session **ret_session)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int error = nghttp2_session_callbacks_new(&callbacks);
    if (error == 0)
        error = nghttp2_option_new(&option);
    if (error == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
        nghttp2_option_set_max_continuations(option, CONTINUATION_MAX);
        nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_PER_S);
        error = nghttp2_session_server_new2(ret_session, callbacks, peer, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return error;
}

static bool h2_start(struct peer *peer)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_LIMIT},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}, /* RFC 9218's instead */
    };
    struct h2 *h2 = calloc(1, sizeof(*h2));
    if (!h2)
        return false;
    peer->protocol_state = h2;
    return make_session(peer, &h2->session) == 0 &&
           nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof(settings) / sizeof(settings[0])) == 0;
}

static void h2_clear(struct peer *peer)
{
    struct h2 *h2 = h2_of(peer);
    if (!h2)
        return;
    nghttp2_session_del(h2->session); /* closes streams without a word */
    while (h2->exchanges) {
        struct exchange *exchange = h2->exchanges;
        h2->exchanges = exchange->next;
        exchange_free(exchange);
    }
    bytes_clear(&h2->out);
    free(h2);
}

/* Takes no new stream; when those under way are done there is nothing left to want. */
static void h2_stop(struct peer *peer)
{
    nghttp2_session *session = h2_of(peer)->session;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session);
    nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    h2_flush(peer);
}

static void h2_drop(struct peer *peer)
{
    const struct h2 *h2 = h2_of(peer);
    for (struct exchange *exchange = h2 ? h2->exchanges : NULL; exchange; exchange = exchange->next)
        exchange_cancel(exchange);
}

static void h2_timeout(struct peer *peer)
{
    struct h2 *h2 = h2_of(peer);
    if (h2->exchanges || h2->sending || !nghttp2_session_want_read(h2->session)) {
        peer_drop(peer, "the answer was not taken in time");
        return;
    }
    nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
    peer_set_deadline(peer, peer->server->options.idle_ms);
    h2_flush(peer);
}

const struct peer_protocol peer_h2 = {
    .start = h2_start,
    .feed = h2_feed,
    .flush = h2_flush,
    .timeout = h2_timeout,
    .stop = h2_stop,
    .drop = h2_drop,
    .clear = h2_clear,
};
