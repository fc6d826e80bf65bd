/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * UTF-8 and UTF-16; see utf.h. Unicode 15, chapter 3, table 3-7 (well-formed UTF-8). Thread-safe.
 */
#include "base/utf.h"

#include "base/memory.h"

#define MALFORMED UINT32_MAX

size_t osspi_utf16_len(const uint16_t *text)
{
    size_t len = 0;

    while (text[len] != 0)
        len++;
    return len;
}

static bool is_surrogate(uint32_t code)
{
    return code >= 0xD800 && code <= 0xDFFF;
}

/* Decodes one character of at most `left` bytes; its length goes to *ret_len. */
static uint32_t decode_utf8(const unsigned char *text, size_t left, size_t *ret_len)
{
    static const uint32_t smallest[] = {0, 0x1, 0x80, 0x800, 0x10000};
    uint32_t code = text[0];
    size_t len;

    if (code < 0x80)
        len = 1;
    else if ((code & 0xE0) == 0xC0)
        len = 2, code &= 0x1F;
    else if ((code & 0xF0) == 0xE0)
        len = 3, code &= 0x0F;
    else if ((code & 0xF8) == 0xF0)
        len = 4, code &= 0x07;
    else
        return MALFORMED;
    if (len > left)
        return MALFORMED;
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return MALFORMED;
        code = code << 6 | (text[i] & 0x3F);
    }
    /* Overlong forms (NUL included), surrogates, and what lies behind Unicode's end. */
    if (code < smallest[len] || is_surrogate(code) || code > 0x10FFFF)
        return MALFORMED;
    *ret_len = len;
    return code;
}

static uint32_t decode_utf16(const uint16_t *text, size_t left, size_t *ret_len)
{
    uint32_t high = text[0];

    *ret_len = 1;
    if (high == 0)
        return MALFORMED;
    if (!is_surrogate(high))
        return high;
    if (high > 0xDBFF || left < 2 || text[1] < 0xDC00 || text[1] > 0xDFFF)
        return MALFORMED;
    *ret_len = 2;
    return 0x10000 + ((high - 0xD800) << 10 | (uint32_t)(text[1] - 0xDC00));
}

static size_t encode_utf8(uint32_t code, unsigned char out[4])
{
    if (code < 0x80) {
        out[0] = (unsigned char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (unsigned char)(0xC0 | code >> 6);
        out[1] = (unsigned char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (unsigned char)(0xE0 | code >> 12);
        out[1] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (unsigned char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 | code >> 18);
    out[1] = (unsigned char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (unsigned char)(0x80 | (code & 0x3F));
    return 4;
}

bool osspi_utf8_valid(const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t at = 0; at < len;) {
        size_t step;

        if (decode_utf8(bytes + at, len - at, &step) == MALFORMED)
            return false;
        at += step;
    }
    return true;
}

size_t osspi_utf16_to_utf8(const uint16_t *text, size_t len, char *out, size_t size)
{
    size_t used = 0;

    for (size_t at = 0; at < len;) {
        unsigned char bytes[4];
        size_t step;
        uint32_t code = decode_utf16(text + at, len - at, &step);
        size_t count;

        if (code == MALFORMED)
            return SIZE_MAX;
        count = encode_utf8(code, bytes);
        if (count >= size - used || size <= used)
            return SIZE_MAX;
        for (size_t i = 0; i < count; i++)
            out[used + i] = (char)bytes[i];
        used += count;
        at += step;
    }
    if (used >= size)
        return SIZE_MAX;
    out[used] = '\0';
    return used;
}

char *osspi_utf16_dup_utf8(const uint16_t *text, size_t len, bool *ret_malformed)
{
    /* One unit becomes at most three bytes; a pair becomes four. */
    size_t size = len < SIZE_MAX / 3 - 1 ? 3 * len + 1 : 0;
    char *out = size > 0 ? osspi_alloc(size) : NULL;
    bool malformed = out && osspi_utf16_to_utf8(text, len, out, size) == SIZE_MAX;

    if (ret_malformed)
        *ret_malformed = malformed;
    if (malformed) {
        osspi_secret_free(out, size);
        return NULL;
    }
    return out;
}

size_t osspi_utf8_to_utf16(const char *text, size_t len, uint16_t *out, size_t size_units)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t used = 0;

    for (size_t at = 0; at < len;) {
        size_t step;
        uint32_t code = decode_utf8(bytes + at, len - at, &step);
        size_t units = code >= 0x10000 ? 2 : 1;

        if (code == MALFORMED || size_units <= used || units >= size_units - used)
            return SIZE_MAX;
        if (units == 2) {
            out[used] = (uint16_t)(0xD800 + ((code - 0x10000) >> 10));
            out[used + 1] = (uint16_t)(0xDC00 + ((code - 0x10000) & 0x3FF));
        } else {
            out[used] = (uint16_t)code;
        }
        used += units;
        at += step;
    }
    if (used >= size_units)
        return SIZE_MAX;
    out[used] = 0;
    return used;
}
