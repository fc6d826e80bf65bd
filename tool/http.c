/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * HTTP/1.1 (RFC 9110, 9112) for `sspi serve`.
 *
 * http-parser does the reading; what is here sets limits, pauses it after each request, and writes
 * the heads of answers. A request that breaks a rule is answered and its connection closed, so that
 * nothing that follows can be taken for a request of its own.
 */
#include "http.h"

#include <string.h>
#include <strings.h>

static struct http_request *request_of(http_parser *parser)
{
    return parser->data;
}

/* The first reason counts. A value other than 0 stops the parser. */
static int refuse(struct http_request *request, int status)
{
    if (request->refusal == 0)
        request->refusal = status;
    return -1;
}

static int on_url(http_parser *parser, const char *data, size_t len)
{
    struct http_request *request = request_of(parser);
    if (len > sizeof(request->target) - request->target_len)
        return refuse(request, 414);
    memcpy(request->target + request->target_len, data, len);
    request->target_len += len;
    return 0;
}

static int on_header_field(http_parser *parser, const char *data, size_t len)
{
    struct http_request *request = request_of(parser);
    if (request->in_value) {
        request->in_value = false;
        request->field_len = 0;
    }
    /* Longer names than "authorization" are of no interest, so they need not fit. The parser would
     * take a space, as in "Content-Length : 4", which another server in front of us may read
     * otherwise. */
    for (size_t i = 0; i < len; i++, request->field_len++) {
        if (data[i] == ' ')
            return refuse(request, 400);
        if (request->field_len < sizeof(request->field))
            request->field[request->field_len] = data[i];
    }
    return 0;
}

static bool is_field(const struct http_request *request, const char *name)
{
    return request->field_len == strlen(name) &&
           strncasecmp(request->field, name, request->field_len) == 0;
}

/* What proxies add (RFC 9110 7.6.3, RFC 7239), and what they added before that was written. */
static bool is_proxy_field(const struct http_request *request)
{
    return is_field(request, "via") || is_field(request, "forwarded") ||
           is_field(request, "x-forwarded-for");
}

static int on_header_value(http_parser *parser, const char *data, size_t len)
{
    struct http_request *request = request_of(parser);
    bool begins = !request->in_value;
    if (begins && is_field(request, "host"))
        request->host_count++;
    if (begins && is_proxy_field(request))
        request->forwarded = true;
    request->in_value = true;
    /* What comes behind a body is no header any more. */
    if (!request->wants_authorization || request->headers_done ||
        !is_field(request, "authorization"))
        return 0;
    if (begins)
        request->authorization_count++;
    return bytes_append(&request->authorization, data, len) ? 0 : refuse(request, 503);
}

static int on_headers_complete(http_parser *parser)
{
    struct http_request *request = request_of(parser);
    request->headers_done = true;
    bool needs_host = parser->http_major > 1 || (parser->http_major == 1 && parser->http_minor > 0);
    if (parser->http_major != 1)
        return refuse(request, 505);
    if (request->host_count > 1 || (needs_host && request->host_count == 0) ||
        request->authorization_count > 1)
        return refuse(request, 400);
    if (parser->method != HTTP_GET && parser->method != HTTP_HEAD)
        return refuse(request, 405);
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t len)
{
    (void)data;
    struct http_request *request = request_of(parser);
    request->body_len += len;
    return request->body_len > HTTP_BODY_LIMIT ? refuse(request, 413) : 0;
}

static int on_message_complete(http_parser *parser)
{
    request_of(parser)->complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_request_init(struct http_request *request, bool authenticates)
{
    memset(request, 0, sizeof(*request));
    request->wants_authorization = authenticates;
    /* Of the process; always the same value. */
    http_parser_set_max_header_size(authenticates ? HTTP_AUTH_HEAD : HTTP_HEAD_LIMIT);
    http_parser_init(&request->parser, HTTP_REQUEST);
    request->parser.data = request;
}

void http_request_clear(struct http_request *request)
{
    bytes_clear(&request->authorization);
}

void http_request_next(struct http_request *request)
{
    http_parser parser = request->parser;
    bool authenticates = request->wants_authorization;
    http_parser_pause(&parser, 0);
    http_request_clear(request);
    memset(request, 0, sizeof(*request));
    request->parser = parser;
    request->wants_authorization = authenticates;
}

bool http_request_feed(struct http_request *request, const void *data, size_t len, size_t *ret_used)
{
    *ret_used = http_parser_execute(&request->parser, &settings, data, len);
    enum http_errno error = HTTP_PARSER_ERRNO(&request->parser);
    if (error == HPE_HEADER_OVERFLOW)
        refuse(request, 431);
    else if (error != HPE_OK && error != HPE_PAUSED)
        refuse(request, 400);
    /* An offer to switch protocols stops the parser too; we stay with HTTP/1.1 and close. */
    if (request->parser.upgrade)
        request->complete = true;
    return request->complete || request->refusal;
}

bool http_keeps_alive(const struct http_request *request)
{
    return !request->refusal && http_should_keep_alive(&request->parser) &&
           !request->parser.upgrade;
}

bool http_write_head(const struct answer *answer, bool keep_alive, struct bytes *head)
{
    bool done = bytes_printf(head, "HTTP/1.1 %d %s\r\n", answer->status,
                             http_status_str((enum http_status)answer->status));
    const char *place = NULL, *name, *value;
    while (done && answer_next(answer, &place, &name, &value))
        done = bytes_printf(head, "%s: %s\r\n", name, value);
    return done &&
           bytes_printf(head, "Connection: %s\r\n\r\n", keep_alive ? "keep-alive" : "close");
}
