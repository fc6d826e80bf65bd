/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What `sspi serve` answers to a request (RFC 9110): the part that HTTP/1.1 and HTTP/2 share. No
 * state, so it may run on any thread.
 */
#include "answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <http_parser.h>

#include "files.h"

bool answer_add(struct answer *answer, const char *name, const char *format, ...)
{
    char value[512];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof(value))
        return false;
    return answer_add_long(answer, name, value);
}

bool answer_add_long(struct answer *answer, const char *name, const char *value)
{
    if (!bytes_append(&answer->fields, name, strlen(name) + 1) ||
        !bytes_append(&answer->fields, value, strlen(value) + 1))
        return false;
    answer->field_count++;
    return true;
}

bool answer_next(const struct answer *answer, const char **place, const char **ret_name,
                 const char **ret_value)
{
    const char *begin = (const char *)answer->fields.data;
    const char *next = *place ? *place : begin;
    if (!begin || next >= begin + answer->fields.len)
        return false;
    *ret_name = next;
    *ret_value = next + strlen(next) + 1;
    *place = *ret_value + strlen(*ret_value) + 1;
    return true;
}

static bool add_date(struct answer *answer, const char *name, time_t time)
{
    struct tm parts;
    char text[40];
    if (!gmtime_r(&time, &parts) ||
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts) == 0)
        return true; /* a year that has no name; the field is optional */
    return answer_add(answer, name, "%s", text);
}

static bool add_common(struct answer *answer, const char *type)
{
    return add_date(answer, "Date", time(NULL)) && answer_add(answer, "Server", "sspi") &&
           answer_add(answer, "Content-Type", "%s", type) &&
           answer_add(answer, "Content-Length", "%llu", (unsigned long long)answer->length) &&
           answer_add(answer, "X-Content-Type-Options", "nosniff");
}

/* The page that goes with a status other than 200. */
static bool write_page(struct answer *answer)
{
    const char *words = http_status_str((enum http_status)answer->status);
    return bytes_printf(&answer->body, "<!doctype html>\n<title>%d %s</title>\n<h1>%d %s</h1>\n",
                        answer->status, words, answer->status, words);
}

/*
 * The target of a 301: the path with its slash. A leading "//" would name another host, and so
 * would "/\" where a browser takes a backslash for a slash.
 */
static bool add_location(struct answer *answer, const char *path, size_t len)
{
    while (len > 1 && path[1] == '/') {
        path++;
        len--;
    }
    static const char name[] = "Location";
    struct bytes *fields = &answer->fields;
    answer->field_count++;
    bool done = bytes_append(fields, name, sizeof(name));
    for (size_t i = 0; i < len && path[i] != '?' && path[i] != '#' && done; i++) {
        bool plain = path[i] > ' ' && path[i] < 0x7F && path[i] != '\\';
        done = plain ? bytes_append(fields, path + i, 1)
                     : bytes_printf(fields, "%%%02X", (unsigned char)path[i]);
    }
    return done && bytes_append(fields, "/", 2);
}

/* A page that is made here tells its reader who he is. */
static bool write_user(struct answer *answer, const char *user)
{
    return bytes_printf(&answer->body, "<p>You are <b>") && files_write_html(&answer->body, user) &&
           bytes_printf(&answer->body, "</b>.</p>\n");
}

static bool fill(struct answer *answer, const struct files_found *found, const char *target,
                 size_t len, const char *user)
{
    const char *type = found->type;
    if (answer->status != 200) {
        bytes_clear(&answer->body);
        type = "text/html; charset=utf-8";
        if (!write_page(answer))
            return false;
    }
    if (user && answer->fd < 0 && !write_user(answer, user))
        return false;
    answer->length = answer->fd >= 0 ? found->size : answer->body.len;
    bool done = add_common(answer, type);
    if (answer->fd >= 0)
        done = done && add_date(answer, "Last-Modified", found->modified);
    if (user) /* what is for one user is for no cache between us */
        done = done && answer_add(answer, "Cache-Control", "private");
    if (answer->status == 405)
        done = done && answer_add(answer, "Allow", "GET, HEAD");
    if (answer->status == 301)
        done = done && add_location(answer, target, len);
    return done;
}

/* HEAD gets the fields of the answer to GET, and nothing else. */
static void forget_body(struct answer *answer)
{
    if (answer->fd >= 0)
        close(answer->fd);
    answer->fd = -1;
    answer->length = 0;
    bytes_clear(&answer->body);
}

bool answer_make(int root, const char *target, size_t len, int refusal, bool head, const char *user,
                 struct answer *ret)
{
    struct files_found found = {.fd = -1};
    *ret = ANSWER_NONE;
    ret->status = refusal ? refusal : files_open(root, target, len, &found);
    ret->fd = found.fd;
    ret->body = found.body;
    if (!fill(ret, &found, target, len, user)) {
        answer_clear(ret);
        return false;
    }
    if (head)
        forget_body(ret);
    return true;
}

bool answer_make_body(struct bytes *body, const char *type, bool head, struct answer *ret)
{
    *ret = ANSWER_NONE;
    ret->status = 200;
    ret->body = *body;
    *body = (struct bytes){0};
    ret->length = ret->body.len;
    if (!add_common(ret, type)) {
        answer_clear(ret);
        return false;
    }
    if (head)
        forget_body(ret);
    return true;
}

void answer_clear(struct answer *answer)
{
    if (answer->fd >= 0)
        close(answer->fd);
    bytes_clear(&answer->fields);
    bytes_clear(&answer->body);
    *answer = ANSWER_NONE;
}
