/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * An answer in HTTP/1.1 (RFC 9110, 9112).
 */
#include "http_reply.h"

#include <string.h>
#include <strings.h>

#include "http.h"

#define REFUSED_BODY_LIMIT 1048576 /* of a page that nobody reads */

static struct http_reply *reply_of(http_parser *parser)
{
    return parser->data;
}

static bool is_challenge(const struct http_reply *reply)
{
    static const char name[] = "www-authenticate";
    return reply->field_len == sizeof(name) - 1 &&
           strncasecmp(reply->field, name, sizeof(name) - 1) == 0;
}

/* A value has come to its end when the next name begins, or the head ends. */
static int end_value(struct http_reply *reply)
{
    bool ends = reply->in_value && is_challenge(reply);
    reply->in_value = false;
    return ends && !bytes_append(&reply->challenges, "", 1) ? -1 : 0;
}

static int on_header_field(http_parser *parser, const char *data, size_t len)
{
    struct http_reply *reply = reply_of(parser);
    if (reply->in_value) {
        if (end_value(reply) != 0)
            return -1;
        reply->field_len = 0;
    }
    for (size_t i = 0; i < len; i++, reply->field_len++) {
        if (reply->field_len < sizeof(reply->field))
            reply->field[reply->field_len] = data[i];
    }
    return 0;
}

static int on_header_value(http_parser *parser, const char *data, size_t len)
{
    struct http_reply *reply = reply_of(parser);
    reply->in_value = true;
    if (reply->head_done || !is_challenge(reply))
        return 0;
    return bytes_append(&reply->challenges, data, len) ? 0 : -1;
}

static int on_headers_complete(http_parser *parser)
{
    struct http_reply *reply = reply_of(parser);
    if (end_value(reply) != 0)
        return -1;
    reply->head_done = true;
    http_parser_pause(parser, 1);
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t len)
{
    struct http_reply *reply = reply_of(parser);
    reply->body_len += len;
    if (!reply->sink)
        return reply->body_len > REFUSED_BODY_LIMIT ? -1 : 0;
    if (fwrite(data, 1, len, reply->sink) == len)
        return 0;
    reply->sink_failed = true;
    return -1;
}

static int on_message_complete(http_parser *parser)
{
    reply_of(parser)->complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_reply_init(struct http_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    http_parser_set_max_header_size(HTTP_AUTH_HEAD);
    http_parser_init(&reply->parser, HTTP_RESPONSE);
    reply->parser.data = reply;
}

void http_reply_clear(struct http_reply *reply)
{
    bytes_clear(&reply->challenges);
}

bool http_reply_feed(struct http_reply *reply, const void *data, size_t len, size_t *ret_used)
{
    if (HTTP_PARSER_ERRNO(&reply->parser) == HPE_PAUSED && !reply->complete)
        http_parser_pause(&reply->parser, 0);
    *ret_used = http_parser_execute(&reply->parser, &settings, data, len);
    enum http_errno error = HTTP_PARSER_ERRNO(&reply->parser);
    return (error == HPE_OK || error == HPE_PAUSED) && (len > 0 || reply->complete);
}

/* One field may hold several challenges with commas between them. A token of these schemes has no
 * comma, so a challenge ends at the next one; what parameters other schemes have is not understood,
 * and matches nothing. */
bool http_reply_token(const struct http_reply *reply, enum http_scheme scheme,
                      struct bytes *ret_token)
{
    const char *at = (const char *)reply->challenges.data;
    const char *end = at + reply->challenges.len;
    while (at && at < end) {
        enum http_scheme found;
        size_t len = strcspn(at, ",");
        size_t skip = strspn(at, " \t");
        if (skip < len &&
            http_auth_read(at + skip, len - skip, &found, ret_token) == HTTP_AUTH_TOKEN &&
            found == scheme)
            return true;
        at += len + 1;
    }
    bytes_clear(ret_token);
    return false;
}

bool http_reply_keeps_alive(const struct http_reply *reply)
{
    return http_should_keep_alive(&reply->parser) != 0;
}
