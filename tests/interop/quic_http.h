/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * An HTTP/3 server's streams for a QUIC end, on libnghttp3: every request is answered with the same
 * page. One thread.
 */
#ifndef OSSPI_TESTS_INTEROP_QUIC_HTTP_H
#define OSSPI_TESTS_INTEROP_QUIC_HTTP_H

#include <nghttp3/nghttp3.h>

#include "quic_end.h"

#define QUIC_HTTP_ALPN "h3"

struct quic_http {
    nghttp3_conn *conn;
    const uint8_t *page;
    size_t page_len;
    unsigned requests;
};

/** Gives an end its streams. page stays the caller's and must stay. */
void quic_http_open(struct quic_http *http, struct quic_end *end, const void *page, size_t len);
void quic_http_close(struct quic_http *http);

#endif
