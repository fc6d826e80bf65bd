/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * HTTP/1.1 for `sspi serve`: requests in (http-parser reads them), heads of answers out.
 *
 * Knows neither sockets nor TLS nor files: plaintext is fed in, and an answer's head comes out as
 * bytes. One request at a time; what follows a complete request is left to the caller. The limits
 * are those of HTTP/2 as well.
 */
#ifndef SSPI_TOOL_HTTP_H
#define SSPI_TOOL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <http_parser.h>

#include "answer.h"
#include "bytes.h"

#define HTTP_TARGET_SIZE 4096
#define HTTP_HEAD_LIMIT  16384 /* bytes of one request's line and headers */
#define HTTP_AUTH_HEAD   98304 /* the same where clients authenticate: tokens are long */
#define HTTP_BODY_LIMIT  65536 /* bytes of a request's body, which is thrown away */

struct http_request {
    http_parser parser;
    char target[HTTP_TARGET_SIZE];
    size_t target_len;
    size_t body_len;
    char field[16]; /* the start of the header's name in hand, as sent */
    size_t field_len;
    bool in_value;
    unsigned host_count;
    bool wants_authorization; /* clients authenticate: keep the field of that name */
    unsigned authorization_count;
    struct bytes authorization; /* its value */
    bool forwarded; /* a proxy has passed it on, and may pass on others' over this connection */
    bool headers_done, complete;
    int refusal; /* HTTP status to answer at once, or 0 */
};

/** Makes the object ready for a connection's first request; all of a process authenticate or none.
 */
void http_request_init(struct http_request *request, bool authenticates);

/** Frees what it holds. */
void http_request_clear(struct http_request *request);

/** Makes it ready for the next one. */
void http_request_next(struct http_request *request);

/**
 * Reads plaintext.
 *
 * @param ret_used [out] bytes taken; fewer than len only once the request is complete or refused
 * @return true once there is something to answer (request->complete or request->refusal)
 */
bool http_request_feed(struct http_request *request, const void *data, size_t len,
                       size_t *ret_used);

/** May the connection serve another request after this one? */
bool http_keeps_alive(const struct http_request *request);

/** Writes the head of an answer; false if there is no memory. */
bool http_write_head(const struct answer *answer, bool keep_alive, struct bytes *head);

#endif
