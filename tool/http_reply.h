/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * An answer in HTTP/1.1, for `sspi connect --negotiate`: http-parser reads it, what is here keeps
 * the challenges and stops behind the head, so that the body is taken only from a server that has
 * proved who it is.
 */
#ifndef SSPI_TOOL_HTTP_REPLY_H
#define SSPI_TOOL_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <http_parser.h>

#include "bytes.h"
#include "http_auth.h"

struct http_reply {
    http_parser parser;
    char field[24]; /* the start of the header's name in hand */
    size_t field_len;
    bool in_value;
    struct bytes challenges; /* values of WWW-Authenticate, each with a NUL behind it */
    bool head_done, complete;
    size_t body_len;
    FILE *sink; /* where the body goes; NULL: nowhere */
    bool sink_failed;
};

void http_reply_init(struct http_reply *reply);
void http_reply_clear(struct http_reply *reply);

/**
 * Reads what has come; stops behind the head, and goes on with the next call.
 *
 * @param len      0: the connection has ended
 * @param ret_used [out] bytes taken
 * @return false: this is no HTTP, or too long
 */
bool http_reply_feed(struct http_reply *reply, const void *data, size_t len, size_t *ret_used);

/** The token of a challenge of this scheme; *ret_token is empty if it has none. False: no such
 * challenge, or a malformed one. */
bool http_reply_token(const struct http_reply *reply, enum http_scheme scheme,
                      struct bytes *ret_token);

/** May the connection be used again? */
bool http_reply_keeps_alive(const struct http_reply *reply);

#endif
