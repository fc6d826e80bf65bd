/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * As much HTTP/1.1 as the tests with nginx need: heads up to an empty line, bodies of a length that
 * the head tells. One thread per wire.
 */
#ifndef OSSPI_TESTS_INTEROP_HTTP_H
#define OSSPI_TESTS_INTEROP_HTTP_H

#include "interop_wire.h"

#define HTTP_HEAD_MAX 4096

/** Random bytes for a body, of malloc. */
char *interop_http_body(size_t len);
/** Waits on the wire for a head, with its empty line, takes it and ends it with a NUL. */
void interop_http_head(struct interop_wire *wire, char head[HTTP_HEAD_MAX]);
/** What the head says of the body's length; 0 if it says nothing. */
size_t interop_http_length(const char *head);

/** Sends a request for this path and waits for the answer, which must have this status; its body
 * goes to body (with a NUL behind it) and must fit. */
size_t interop_http_get(struct interop_wire *wire, const char *path, unsigned status, char *body,
                        size_t size);
/** Sends a body to this path; the answer must be 201 or 204. */
void interop_http_put(struct interop_wire *wire, const char *path, const void *body, size_t len);
/** Answers 200 with this body, and keeps the connection. */
void interop_http_answer(struct interop_wire *wire, const void *body, size_t len);

#endif
