/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * String arguments; see text.h. Thread-safe: no state.
 *
 * No scan runs further than the room for the result, since each unit gives at least one byte; a
 * string that the caller forgot to terminate is therefore "too long" and not a crash in most cases.
 */
#include "api/text.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf.h"
#include "core/buffers.h"

static size_t copy_utf8(const char *text, char *out, size_t size)
{
    size_t len = strnlen(text, size);

    if (len >= size || !osspi_utf8_valid(text, len))
        return SIZE_MAX;
    memcpy(out, text, len);
    out[len] = '\0';
    return len;
}

static size_t copy_utf16(const WCHAR *text, char *out, size_t size)
{
    size_t len = 0;

    while (len < size && text[len] != 0)
        len++;
    return osspi_utf16_to_utf8((const uint16_t *)text, len, out, size);
}

static size_t copy_counted(const UNICODE_STRING *text, char *out, size_t size)
{
    size_t len = text->Length / sizeof(WCHAR);

    if (text->Length % sizeof(WCHAR) != 0 || (len > 0 && !text->Buffer))
        return SIZE_MAX;
    while (len > 0 && text->Buffer[len - 1] == 0)
        len--;
    return osspi_utf16_to_utf8((const uint16_t *)text->Buffer, len, out, size);
}

size_t osspi_text_copy(struct osspi_text text, char *out, size_t size)
{
    if (!text.data || size == 0)
        return SIZE_MAX;
    switch (text.form) {
    case OSSPI_TEXT_UTF8:
        return copy_utf8(text.data, out, size);
    case OSSPI_TEXT_UTF16:
        return copy_utf16(text.data, out, size);
    case OSSPI_TEXT_COUNTED:
        return copy_counted(text.data, out, size);
    }
    return SIZE_MAX;
}

SECURITY_STATUS osspi_name_capture(struct osspi_name *name, struct osspi_text text,
                                   SECURITY_STATUS malformed)
{
    char *heap osspi_auto(osspi_freep) = NULL;
    size_t len;

    name->given = false;
    name->heap = NULL;
    if (!text.data)
        return SEC_E_OK;
    len = osspi_text_copy(text, name->short_name, sizeof(name->short_name));
    if (len == SIZE_MAX) {
        /* Malformed or long; only the second can succeed with more room. */
        heap = osspi_alloc(OSSPI_NAME_MAX + 1);
        if (!heap)
            return SEC_E_INSUFFICIENT_MEMORY;
        len = osspi_text_copy(text, heap, OSSPI_NAME_MAX + 1);
        if (len == SIZE_MAX)
            return malformed;
    }
    name->given = len > 0;
    name->heap = OSSPI_TAKE(heap);
    return SEC_E_OK;
}

const char *osspi_name_get(const struct osspi_name *name)
{
    if (!name->given)
        return NULL;
    return name->heap ? name->heap : name->short_name;
}

void osspi_name_clear(struct osspi_name *name)
{
    osspi_free(name->heap);
    name->heap = NULL;
    name->given = false;
}

WCHAR *osspi_context_buffer_wide(const char *text)
{
    /* A byte of UTF-8 gives at most one unit. */
    size_t len = strlen(text);
    WCHAR *wide = osspi_context_buffer_new((len + 1) * sizeof(WCHAR));

    if (wide && osspi_utf8_to_utf16(text, len, (uint16_t *)wide, len + 1) == SIZE_MAX) {
        (void)osspi_context_buffer_free(wide);
        return NULL;
    }
    return wide;
}

char *osspi_context_buffer_utf8(const WCHAR *text)
{
    /* A unit gives at most three bytes; a pair gives four. */
    size_t len = osspi_utf16_len((const uint16_t *)text);
    char *narrow = osspi_context_buffer_new(3 * len + 1);

    if (narrow &&
        osspi_utf16_to_utf8((const uint16_t *)text, len, narrow, 3 * len + 1) == SIZE_MAX) {
        (void)osspi_context_buffer_free(narrow);
        return NULL;
    }
    return narrow;
}
