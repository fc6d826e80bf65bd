/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Authentication in header fields of HTTP, for both sides: "Negotiate" (RFC 4559) and "NTLM", each
 * with a token in base64. The scheme's name is that of the security package too.
 */
#ifndef SSPI_TOOL_HTTP_AUTH_H
#define SSPI_TOOL_HTTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

/** Bytes of a token in base64: what others allow for a whole field (tickets of Active Directory
 * name each group of the user). */
#define HTTP_AUTH_LIMIT 65536

enum http_scheme { HTTP_NEGOTIATE, HTTP_NTLM, HTTP_SCHEMES };

/** The scheme's name, as a package is named. */
const char *http_scheme_name(enum http_scheme scheme);

enum http_auth_result {
    HTTP_AUTH_OTHER, /* another scheme, or none */
    HTTP_AUTH_TOKEN, /* *ret_scheme and *ret_token are set; the token may be empty */
    HTTP_AUTH_BAD    /* no base64, too long, or out of memory */
};

/** Reads the value of Authorization, or one challenge of WWW-Authenticate. ret_token is replaced.
 */
enum http_auth_result http_auth_read(const char *value, size_t len, enum http_scheme *ret_scheme,
                                     struct bytes *ret_token);

/** Appends the scheme and the token, if there is one; false if there is no memory. */
bool http_auth_write(struct bytes *text, enum http_scheme scheme, const void *token, size_t len);

#endif
