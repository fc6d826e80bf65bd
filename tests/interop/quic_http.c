/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * HTTP/3 on a server's QUIC end; see quic_http.h. Only what a client that asks for a page needs.
 */
#include "quic_http.h"

#include <string.h>

#define OWN_STREAMS 3 /* control, and QPACK's two (RFC 9114, 6.2) */

static struct quic_http *http_of(struct quic_end *end)
{
    return end->streams_data;
}

/* ---- what nghttp3 asks ---- */

/* All of it at once; it is sent as the peer lets us. */
static nghttp3_ssize give_page(nghttp3_conn *conn, int64_t stream, nghttp3_vec *pieces,
                               size_t count, uint32_t *flags, void *data, void *stream_data)
{
    const struct quic_http *http = data;

    (void)conn;
    (void)stream;
    (void)stream_data;
    TEST_REQUIRE(count > 0);
    *flags |= NGHTTP3_DATA_FLAG_EOF;
    pieces[0] = (nghttp3_vec){(uint8_t *)(uintptr_t)http->page, http->page_len};
    return 1;
}

static int on_request(nghttp3_conn *conn, int64_t stream, void *data, void *stream_data)
{
    static const char name[] = ":status", value[] = "200";
    const nghttp3_nv head = {(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
                             sizeof(name) - 1, sizeof(value) - 1, NGHTTP3_NV_FLAG_NONE};
    const nghttp3_data_reader page = {.read_data = give_page};
    struct quic_http *http = data;

    (void)stream_data;
    http->requests++;
    return nghttp3_conn_submit_response(conn, stream, &head, 1, &page);
}

/* ---- what the end asks ---- */

static bool start(struct quic_end *end)
{
    static const nghttp3_callbacks callbacks = {.end_stream = on_request};
    struct quic_http *http = http_of(end);
    nghttp3_settings settings;
    int64_t own[OWN_STREAMS];

    nghttp3_settings_default(&settings);
    for (int i = 0; i < OWN_STREAMS; i++)
        if (ngtcp2_conn_open_uni_stream(end->conn, &own[i], NULL) != 0)
            return false;
    return nghttp3_conn_server_new(&http->conn, &callbacks, &settings, NULL, http) == 0 &&
           nghttp3_conn_bind_control_stream(http->conn, own[0]) == 0 &&
           nghttp3_conn_bind_qpack_streams(http->conn, own[1], own[2]) == 0;
}

static bool receive(struct quic_end *end, int64_t stream, bool last, const uint8_t *bytes,
                    size_t len)
{
    return http_of(end)->conn &&
           nghttp3_conn_read_stream(http_of(end)->conn, stream, bytes, len, last) >= 0;
}

static size_t next(struct quic_end *end, int64_t *ret_stream, bool *ret_last, ngtcp2_vec *pieces,
                   size_t count)
{
    nghttp3_vec given[16];
    int last = 0;
    nghttp3_ssize found;

    if (!http_of(end)->conn)
        return 0;
    found = nghttp3_conn_writev_stream(http_of(end)->conn, ret_stream, &last, given,
                                       count < 16 ? count : 16);
    TEST_REQUIRE(found >= 0);
    for (nghttp3_ssize i = 0; i < found; i++)
        pieces[i] = (ngtcp2_vec){given[i].base, given[i].len};
    *ret_last = last != 0;
    return (size_t)found;
}

static void sent(struct quic_end *end, int64_t stream, size_t len)
{
    TEST_REQUIRE_EQUAL(nghttp3_conn_add_write_offset(http_of(end)->conn, stream, len), 0);
    /* The page stays anyway, so it counts as received at once. */
    TEST_REQUIRE_EQUAL(nghttp3_conn_add_ack_offset(http_of(end)->conn, stream, len), 0);
}

static const struct quic_streams http_streams = {
    .start = start, .receive = receive, .next = next, .sent = sent};

void quic_http_open(struct quic_http *http, struct quic_end *end, const void *page, size_t len)
{
    *http = (struct quic_http){.page = page, .page_len = len};
    end->streams = &http_streams;
    end->streams_data = http;
}

void quic_http_close(struct quic_http *http)
{
    nghttp3_conn_del(http->conn);
    http->conn = NULL;
}
