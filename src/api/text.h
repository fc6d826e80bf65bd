/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * String arguments: three forms come in (A: UTF-8, W: UTF-16, W in kernel mode: counted UTF-16),
 * one goes on (UTF-8). Every exported function wraps its string in struct osspi_text and calls the
 * code that all forms share.
 */
#ifndef OSSPI_API_TEXT_H
#define OSSPI_API_TEXT_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>

enum osspi_text_form { OSSPI_TEXT_UTF8, OSSPI_TEXT_UTF16, OSSPI_TEXT_COUNTED };

/** A string as the caller gave it; borrowed. */
struct osspi_text {
    enum osspi_text_form form;
    const void *data; /* NULL: not given */
};

static inline struct osspi_text osspi_text_utf8(const char *text)
{
    return (struct osspi_text){OSSPI_TEXT_UTF8, text};
}

static inline struct osspi_text osspi_text_utf16(const WCHAR *text)
{
    return (struct osspi_text){OSSPI_TEXT_UTF16, text};
}

static inline struct osspi_text osspi_text_counted(const UNICODE_STRING *text)
{
    return (struct osspi_text){OSSPI_TEXT_COUNTED, text};
}

/**
 * Copies a string as UTF-8 with a terminating NUL. Trailing NULs of a counted string are dropped:
 * callers count them in.
 *
 * @param[in]  text a string that was given
 * @param[out] out  size bytes
 * @return bytes without the NUL; SIZE_MAX if the string is malformed or does not fit.
 */
size_t osspi_text_copy(struct osspi_text text, char *out, size_t size);

#define OSSPI_NAME_INLINE 256u
#define OSSPI_NAME_MAX    1024u /* bytes of UTF-8; more than any DNS name or principal needs */

/** A captured name. Short ones lie inside, so that a call that is made again and again allocates
 * nothing; zero-initialised memory is "no name". May be moved as bytes. */
struct osspi_name {
    bool given;
    char *heap; /* a name that is too long for short_name, or NULL */
    char short_name[OSSPI_NAME_INLINE];
};

/**
 * Captures a name. An absent and an empty one are the same: no name.
 *
 * @return SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; malformed (chosen by the caller) if it is not
 *         well-formed or longer than OSSPI_NAME_MAX.
 */
SECURITY_STATUS osspi_name_capture(struct osspi_name *name, struct osspi_text text,
                                   SECURITY_STATUS malformed);

/** The name, or NULL. Valid while *name stays where it is. */
const char *osspi_name_get(const struct osspi_name *name);

/** Frees what capture allocated; no name afterwards. */
void osspi_name_clear(struct osspi_name *name);

/** UTF-8 to NUL-terminated UTF-16 in memory for FreeContextBuffer; NULL: no memory or malformed. */
WCHAR *osspi_context_buffer_wide(const char *text);

/** The reverse. */
char *osspi_context_buffer_utf8(const WCHAR *text);

#endif
