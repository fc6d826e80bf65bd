/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Authentication in header fields of HTTP (RFC 4559, RFC 9110 11).
 */
#include "http_auth.h"

#include <string.h>
#include <strings.h>

#include <wincrypt.h>

static const char *const names[HTTP_SCHEMES] = {"Negotiate", "NTLM"};

const char *http_scheme_name(enum http_scheme scheme)
{
    return names[scheme];
}

static bool find_scheme(const char *value, size_t len, enum http_scheme *ret_scheme)
{
    for (int i = 0; i < HTTP_SCHEMES; i++) {
        if (strlen(names[i]) == len && strncasecmp(value, names[i], len) == 0) {
            *ret_scheme = (enum http_scheme)i;
            return true;
        }
    }
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The alphabet of token68 that base64 has; nothing else may stand in it, so that no two servers
 * read it differently. */
static bool is_base64(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool plain = (text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z') ||
                     (text[i] >= '0' && text[i] <= '9') || text[i] == '+' || text[i] == '/';
        if (!plain && (text[i] != '=' || i + 2 < len))
            return false;
    }
    return len % 4 == 0;
}

static bool decode(const char *text, size_t len, struct bytes *ret_token)
{
    if (len > HTTP_AUTH_LIMIT || !is_base64(text, len))
        return false;
    DWORD count = (DWORD)(len / 4 * 3);
    if (!bytes_reserve(ret_token, count) ||
        !CryptStringToBinaryA(text, (DWORD)len, CRYPT_STRING_BASE64 | CRYPT_STRING_STRICT,
                              ret_token->data, &count, NULL, NULL))
        return false;
    ret_token->len = count;
    return true;
}

enum http_auth_result http_auth_read(const char *value, size_t len, enum http_scheme *ret_scheme,
                                     struct bytes *ret_token)
{
    bytes_clear(ret_token);
    while (len > 0 && is_space(value[len - 1]))
        len--;
    size_t name = 0;
    while (name < len && !is_space(value[name]))
        name++;
    if (!find_scheme(value, name, ret_scheme))
        return HTTP_AUTH_OTHER;
    while (name < len && is_space(value[name]))
        name++;
    if (name == len)
        return HTTP_AUTH_TOKEN;
    return decode(value + name, len - name, ret_token) ? HTTP_AUTH_TOKEN : HTTP_AUTH_BAD;
}

bool http_auth_write(struct bytes *text, enum http_scheme scheme, const void *token, size_t len)
{
    if (!bytes_append(text, names[scheme], strlen(names[scheme])))
        return false;
    if (len == 0)
        return true;
    DWORD count = (DWORD)((len + 2) / 3 * 4 + 1);
    if (len > HTTP_AUTH_LIMIT || !bytes_append(text, " ", 1) || !bytes_reserve(text, count) ||
        !CryptBinaryToStringA(token, (DWORD)len, CRYPT_STRING_BASE64 | CRYPT_STRING_NOCRLF,
                              (char *)text->data + text->len, &count))
        return false;
    text->len += count;
    return true;
}
