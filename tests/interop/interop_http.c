/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A little HTTP over a wire; see interop_http.h.
 */
#include "interop_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *interop_http_body(size_t len)
{
    char *body = malloc(len);
    uint64_t seed = len;

    TEST_REQUIRE(body != NULL);
    for (size_t i = 0; i < len; i++)
        body[i] = (char)test_random(&seed);
    return body;
}

static size_t head_len(const struct peer_stream *stream)
{
    const uint8_t *end = stream->len > 0 ? memmem(stream->bytes, stream->len, "\r\n\r\n", 4) : NULL;

    return end ? (size_t)(end - stream->bytes) + 4 : 0;
}

void interop_http_head(struct interop_wire *wire, char head[HTTP_HEAD_MAX])
{
    size_t len;

    INTEROP_UNTIL(wire, head_len(&wire->plain) > 0 || wire->failure != SEC_E_OK || wire->finished ||
                            wire->eof);
    len = head_len(&wire->plain);
    TEST_REQUIRE(len > 0 && len < HTTP_HEAD_MAX);
    memcpy(head, wire->plain.bytes, len);
    head[len] = '\0';
    peer_drop(&wire->plain, len);
}

size_t interop_http_length(const char *head)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");

    return field ? strtoul(strchr(field, ':') + 1, NULL, 10) : 0;
}

static size_t expect_answer(struct interop_wire *wire, unsigned *ret_status, char *body,
                            size_t size)
{
    char head[HTTP_HEAD_MAX];
    size_t len;

    interop_http_head(wire, head);
    TEST_REQUIRE_EQUAL(sscanf(head, "HTTP/1.1 %u ", ret_status), 1);
    len = interop_http_length(head);
    INTEROP_UNTIL(wire, wire->plain.len >= len || wire->failure != SEC_E_OK || wire->eof);
    TEST_REQUIRE(wire->plain.len >= len && len < size);
    memcpy(body, wire->plain.bytes ? wire->plain.bytes : (const uint8_t *)"", len);
    body[len] = '\0';
    peer_drop(&wire->plain, len);
    return len;
}

static void send_text(struct interop_wire *wire, const char *text)
{
    interop_send(wire, text, strlen(text), 16384);
}

size_t interop_http_get(struct interop_wire *wire, const char *path, unsigned status, char *body,
                        size_t size)
{
    char request[512];
    unsigned found = 0;
    size_t len;

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: " PEER_TARGET "\r\n\r\n", path);
    send_text(wire, request);
    len = expect_answer(wire, &found, body, size);
    TEST_REQUIRE_EQUAL(found, status);
    return len;
}

void interop_http_put(struct interop_wire *wire, const char *path, const void *body, size_t len)
{
    char request[512], answer[512];
    unsigned status = 0;

    snprintf(request, sizeof(request),
             "PUT %s HTTP/1.1\r\nHost: " PEER_TARGET "\r\nContent-Length: %zu\r\n\r\n", path, len);
    send_text(wire, request);
    interop_send(wire, body, len, 7919);
    (void)expect_answer(wire, &status, answer, sizeof(answer));
    TEST_REQUIRE(status == 201 || status == 204);
}

void interop_http_answer(struct interop_wire *wire, const void *body, size_t len)
{
    char head[256];

    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", len);
    send_text(wire, head);
    interop_send(wire, body, len, 16384);
}
