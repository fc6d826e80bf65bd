/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CryptStringToBinaryA and W; see wincrypt.h and encode.h. Thread-safe: no state of its own.
 *
 * Base64 is read as Windows reads it: white space anywhere, padding that may be left out; but once
 * there is an "=", its quantum has to be filled up with them, and what comes behind is ignored
 * unless CRYPT_STRING_STRICT is given. Hexadecimal digits come in pairs; a dump's address is at the
 * beginning of a line and its characters are behind the sixteenth byte or three blanks.
 */
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "cert/encode.h"
#include "cert/last_error.h"

#define LINE_BYTES 16u

struct output {
    uint8_t *bytes; /* NULL: count only */
    size_t len;
};

static void put(struct output *output, unsigned byte)
{
    if (output->bytes)
        output->bytes[output->len] = (uint8_t)byte;
    output->len++;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

static bool is_space(char character)
{
    return is_blank(character) || character == '\r' || character == '\n' || character == '\v' ||
           character == '\f';
}

/* ---- base64 ---- */

static int value64(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '+')
        return 62;
    return character == '/' ? 63 : -1;
}

/* The last characters when there are fewer than four; one alone stands for a byte too. */
static void put_rest(struct output *output, unsigned value, unsigned count)
{
    if (count == 1)
        put(output, value << 2);
    if (count == 2)
        put(output, value >> 4);
    if (count == 3) {
        put(output, value >> 10);
        put(output, value >> 2);
    }
}

/* What begins with an "=": as many as the quantum lacks, blanks between them allowed. */
static bool read_padding(const char *text, size_t len, unsigned missing, bool strict)
{
    unsigned seen = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '=')
            seen++;
        else if (!is_space(text[i]) && (strict || seen < missing))
            return false;
    }
    return seen >= missing && (!strict || seen <= 3);
}

static bool read_base64(const char *text, size_t len, bool strict, struct output *output)
{
    unsigned value = 0;
    unsigned count = 0;

    for (size_t i = 0; i < len; i++) {
        int digit = value64(text[i]);

        if (text[i] == '=') {
            put_rest(output, value, count);
            return read_padding(text + i, len - i, count > 0 ? 4 - count : 0, strict);
        }
        if (digit < 0 && !is_space(text[i]))
            return false;
        if (digit < 0)
            continue;
        value = value << 6 | (unsigned)digit;
        if (++count < 4)
            continue;
        put(output, value >> 16 & 0xFF);
        put(output, value >> 8 & 0xFF);
        put(output, value & 0xFF);
        value = count = 0;
    }
    put_rest(output, value, count);
    return true;
}

/* ---- headers ---- */

static const char *find(const char *text, size_t len, const char *wanted)
{
    return memmem(text, len, wanted, strlen(wanted));
}

/* The text between the first pair of lines; what they say counts for nothing. */
static bool read_armoured(const char *text, size_t len, bool strict, struct output *output,
                          size_t *ret_skip)
{
    const char *end = text + len;
    const char *begin = find(text, len, "-----BEGIN ");
    const char *body;
    const char *last;

    if (!begin)
        return false;
    body = find(begin + 11, (size_t)(end - begin) - 11, "-----");
    if (!body)
        return false;
    body += 5;
    last = find(body, (size_t)(end - body), "-----END ");
    if (!last || !find(last + 9, (size_t)(end - last) - 9, "-----"))
        return false;
    *ret_skip = (size_t)(begin - text);
    return read_base64(body, (size_t)(last - body), strict, output);
}

/* ---- hexadecimal ---- */

static int value16(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

/* Digits in pairs, with any white space between the pairs, or none. */
static bool read_pairs(const char *text, size_t len, bool spaces, struct output *output)
{
    size_t i = 0;

    while (i < len) {
        if (is_space(text[i]) && (spaces || text[i] == '\r' || text[i] == '\n')) {
            i++;
            continue;
        }
        if (len - i < 2 || value16(text[i]) < 0 || value16(text[i + 1]) < 0)
            return false;
        put(output, (unsigned)value16(text[i]) << 4 | (unsigned)value16(text[i + 1]));
        i += 2;
    }
    return output->len > 0;
}

/* Four to eight digits and white space. False: no address. */
static bool skip_address(const char *line, size_t len, size_t *at)
{
    size_t digits = 0;

    while (*at < len && is_blank(line[*at]))
        ++*at;
    while (*at + digits < len && value16(line[*at + digits]) >= 0)
        digits++;
    *at += digits;
    return digits >= 4 && digits <= 8 && *at < len && is_blank(line[*at]);
}

/* One line of a dump. Its characters may look like digits, so they are known by their place. */
static bool read_line(const char *line, size_t len, bool address, bool ascii, struct output *output)
{
    size_t at = 0;
    size_t blanks;

    if (address && !skip_address(line, len, &at))
        return false;
    for (unsigned count = 0; count < LINE_BYTES; count++) {
        for (blanks = 0; at < len && is_blank(line[at]); at++)
            blanks++;
        if (at == len || (ascii && count > 0 && blanks >= 3))
            return at == len || ascii;
        if (len - at < 2 || value16(line[at]) < 0 || value16(line[at + 1]) < 0)
            return false;
        put(output, (unsigned)value16(line[at]) << 4 | (unsigned)value16(line[at + 1]));
        at += 2;
        if (at < len && !is_blank(line[at]))
            return false;
    }
    for (blanks = 0; at < len && is_blank(line[at]); at++)
        blanks++;
    return at == len || (ascii && blanks > 0);
}

static bool read_dump(const char *text, size_t len, bool address, bool ascii, struct output *output)
{
    const char *end = text + len;

    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((line_end ? line_end : end) - text);
        size_t shown = line > 0 && text[line - 1] == '\r' ? line - 1 : line;

        if (shown > 0 && !read_line(text, shown, address, ascii, output))
            return false;
        text += line + (line_end != NULL);
    }
    return output->len > 0;
}

/* ---- the forms ---- */

static bool read_binary(const char *text, size_t len, struct output *output)
{
    for (size_t i = 0; i < len; i++)
        put(output, (unsigned char)text[i]);
    return true;
}

static bool read_form(DWORD form, bool strict, const char *text, size_t len, struct output *output,
                      size_t *ret_skip)
{
    switch (form) {
    case CRYPT_STRING_BASE64HEADER:
    case CRYPT_STRING_BASE64REQUESTHEADER:
    case CRYPT_STRING_BASE64X509CRLHEADER:
        return read_armoured(text, len, strict, output, ret_skip);
    case CRYPT_STRING_BASE64:
        return read_base64(text, len, strict, output);
    case CRYPT_STRING_BINARY:
        return read_binary(text, len, output);
    case CRYPT_STRING_HEX:
        return read_pairs(text, len, true, output);
    case CRYPT_STRING_HEXRAW:
        return read_pairs(text, len, false, output);
    case CRYPT_STRING_HEXASCII:
        return read_dump(text, len, false, true, output);
    case CRYPT_STRING_HEXADDR:
        return read_dump(text, len, true, false, output);
    case CRYPT_STRING_HEXASCIIADDR:
        return read_dump(text, len, true, true, output);
    default:
        return false;
    }
}

/* The forms that one of the ANY forms tries, in this order; ended by CRYPT_STRING_ANY. */
static const DWORD *forms_of(const DWORD *form)
{
    static const DWORD base64_any[] = {CRYPT_STRING_BASE64HEADER, CRYPT_STRING_BASE64,
                                       CRYPT_STRING_ANY};
    static const DWORD any[] = {CRYPT_STRING_BASE64HEADER, CRYPT_STRING_BASE64, CRYPT_STRING_BINARY,
                                CRYPT_STRING_ANY};
    static const DWORD hex_any[] = {CRYPT_STRING_HEXADDR,  CRYPT_STRING_HEXASCIIADDR,
                                    CRYPT_STRING_HEX,      CRYPT_STRING_HEXRAW,
                                    CRYPT_STRING_HEXASCII, CRYPT_STRING_ANY};

    switch (*form) {
    case CRYPT_STRING_BASE64_ANY:
        return base64_any;
    case CRYPT_STRING_ANY:
        return any;
    case CRYPT_STRING_HEX_ANY:
        return hex_any;
    default:
        return form;
    }
}

SECURITY_STATUS osspi_decode_text(DWORD form, const char *text, size_t len, uint8_t *ret_bytes,
                                  size_t *ret_len, size_t *ret_skip, DWORD *ret_form)
{
    const DWORD wanted[] = {form & ~(DWORD)CRYPT_STRING_STRICT, CRYPT_STRING_ANY};
    bool strict = form & CRYPT_STRING_STRICT;

    for (const DWORD *one = forms_of(wanted); *one != CRYPT_STRING_ANY; one++) {
        struct output output = {ret_bytes, 0};
        size_t skip = 0;

        if (!read_form(*one, strict, text, len, &output, &skip))
            continue;
        *ret_len = output.len;
        *ret_skip = skip;
        *ret_form = *one;
        return SEC_E_OK;
    }
    return CRYPT_E_NO_MATCH;
}

static BOOL fail(DWORD error)
{
    SetLastError(error);
    return FALSE;
}

static BOOL decode(const char *text, size_t len, DWORD flags, BYTE *ret_bytes, DWORD *size,
                   DWORD *ret_skip, DWORD *ret_flags)
{
    size_t needed = 0;
    size_t skip = 0;
    DWORD form = 0;

    /* Whether it fits shows first: nothing is written otherwise. */
    if (osspi_decode_text(flags, text, len, NULL, &needed, &skip, &form) != SEC_E_OK)
        return fail(ERROR_INVALID_DATA);
    if (ret_bytes && *size < needed)
        return fail(ERROR_MORE_DATA);
    /* In the form that was found: another one that fails half-way may write more than fits. */
    if (ret_bytes)
        (void)osspi_decode_text(form | (flags & CRYPT_STRING_STRICT), text, len, ret_bytes, &needed,
                                &skip, &form);
    *size = (DWORD)needed;
    if (ret_skip)
        *ret_skip = (DWORD)skip;
    if (ret_flags)
        *ret_flags = form | (flags & CRYPT_STRING_STRICT);
    return TRUE;
}

OSSPI_API BOOL WINAPI CryptStringToBinaryA(LPCSTR pszString, DWORD cchString, DWORD dwFlags,
                                           BYTE *pbBinary, DWORD *pcbBinary, DWORD *pdwSkip,
                                           DWORD *pdwFlags)
{
    if (!pszString || !pcbBinary)
        return fail(ERROR_INVALID_PARAMETER);
    return decode(pszString, cchString ? cchString : strlen(pszString), dwFlags, pbBinary,
                  pcbBinary, pdwSkip, pdwFlags);
}

/* What is no ASCII becomes a character that no form but the binary one has. */
OSSPI_API BOOL WINAPI CryptStringToBinaryW(LPCWSTR pszString, DWORD cchString, DWORD dwFlags,
                                           BYTE *pbBinary, DWORD *pcbBinary, DWORD *pdwSkip,
                                           DWORD *pdwFlags)
{
    size_t len = cchString;
    char *narrow;
    BOOL done;

    if (!pszString || !pcbBinary)
        return fail(ERROR_INVALID_PARAMETER);
    while (cchString == 0 && pszString[len])
        len++;
    narrow = osspi_alloc(len + 1);
    if (!narrow)
        return osspi_fail(SEC_E_INSUFFICIENT_MEMORY);
    for (size_t i = 0; i < len; i++)
        narrow[i] = pszString[i] < 0x80 ? (char)pszString[i] : (char)0xFF;
    done = decode(narrow, len, dwFlags, pbBinary, pcbBinary, pdwSkip, pdwFlags);
    osspi_secret_free(narrow, len + 1); /* it may have been a key */
    return done;
}
