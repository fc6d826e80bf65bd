/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CryptBinaryToStringA and W; see wincrypt.h. Thread-safe: no state of its own.
 *
 * Everything is written by one writer that is run twice: first it only counts, then it writes what
 * it has counted. The text is ASCII in both forms. The layouts of the hexadecimal forms are those
 * that `certutil -encodehex` prints: 16 bytes a line, a wider gap after the eighth.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cert/encode.h"
#include "cert/last_error.h"

#define LINE_CHARACTERS 64u /* of base64 */
#define LINE_BYTES      16u /* of hexadecimal digits */

/* Where the text goes; both NULL: nowhere, it is counted. */
struct writer {
    char *narrow;
    WCHAR *wide;
    uint64_t len;
    const char *line_end;
};

static void put(struct writer *writer, char character)
{
    if (writer->narrow)
        writer->narrow[writer->len] = character;
    if (writer->wide)
        writer->wide[writer->len] = (WCHAR)(unsigned char)character;
    writer->len++;
}

static void put_string(struct writer *writer, const char *string)
{
    for (; *string; string++)
        put(writer, *string);
}

/* ---- base64 (RFC 4648, 4) ---- */

static char digit64(unsigned value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return digits[value & 63];
}

/* Three bytes, or what is left of them, as four characters. */
static void put_quantum(struct writer *writer, const BYTE *bytes, DWORD left)
{
    unsigned value = (unsigned)bytes[0] << 16;

    if (left > 1)
        value |= (unsigned)bytes[1] << 8;
    if (left > 2)
        value |= bytes[2];
    put(writer, digit64(value >> 18));
    put(writer, digit64(value >> 12));
    put(writer, left > 1 ? digit64(value >> 6) : '=');
    put(writer, left > 2 ? digit64(value) : '=');
}

static void put_base64(struct writer *writer, const BYTE *bytes, DWORD len)
{
    unsigned column = 0;

    for (DWORD i = 0; i < len; i += len - i < 3 ? len - i : 3) {
        if (column == LINE_CHARACTERS) {
            put_string(writer, writer->line_end);
            column = 0;
        }
        put_quantum(writer, bytes + i, len - i);
        column += 4;
    }
    put_string(writer, writer->line_end);
}

static void put_armoured(struct writer *writer, const BYTE *bytes, DWORD len, const char *label)
{
    put_string(writer, "-----BEGIN ");
    put_string(writer, label);
    put_string(writer, "-----");
    put_string(writer, writer->line_end);
    put_base64(writer, bytes, len);
    put_string(writer, "-----END ");
    put_string(writer, label);
    put_string(writer, "-----");
    put_string(writer, writer->line_end);
}

/* ---- hexadecimal ---- */

static void put_byte(struct writer *writer, BYTE byte)
{
    static const char digits[] = "0123456789abcdef";

    put(writer, digits[byte >> 4]);
    put(writer, digits[byte & 15]);
}

static void put_raw(struct writer *writer, const BYTE *bytes, DWORD len)
{
    for (DWORD i = 0; i < len; i++)
        put_byte(writer, bytes[i]);
    put_string(writer, writer->line_end);
}

/* At least four digits, as many as the address needs. */
static void put_address(struct writer *writer, DWORD address)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (shift <= 8 || address >> shift)
            put_byte(writer, (BYTE)(address >> shift));
    }
    put(writer, '\t');
}

static void put_characters(struct writer *writer, const BYTE *bytes, DWORD len)
{
    for (DWORD column = len; column < LINE_BYTES; column++)
        put_string(writer, column == 8 ? "    " : "   ");
    put_string(writer, "   ");
    for (DWORD i = 0; i < len; i++)
        put(writer, bytes[i] >= 0x20 && bytes[i] < 0x7F ? (char)bytes[i] : '.');
}

static void put_dump(struct writer *writer, const BYTE *bytes, DWORD len, bool address, bool ascii)
{
    for (DWORD line = 0; line < len; line += len - line < LINE_BYTES ? len - line : LINE_BYTES) {
        DWORD count = len - line < LINE_BYTES ? len - line : LINE_BYTES;

        if (address)
            put_address(writer, line);
        for (DWORD i = 0; i < count; i++) {
            if (i > 0)
                put_string(writer, i == 8 ? "  " : " ");
            put_byte(writer, bytes[line + i]);
        }
        if (ascii)
            put_characters(writer, bytes + line, count);
        put_string(writer, *writer->line_end || line + count == len ? writer->line_end : " ");
    }
}

/* ---- the forms ---- */

/* False: there is no such form. */
static bool put_form(struct writer *writer, const BYTE *bytes, DWORD len, DWORD form)
{
    switch (form) {
    case CRYPT_STRING_BASE64HEADER:
        put_armoured(writer, bytes, len, "CERTIFICATE");
        return true;
    case CRYPT_STRING_BASE64REQUESTHEADER:
        put_armoured(writer, bytes, len, "NEW CERTIFICATE REQUEST");
        return true;
    case CRYPT_STRING_BASE64X509CRLHEADER:
        put_armoured(writer, bytes, len, "X509 CRL");
        return true;
    case CRYPT_STRING_BASE64:
        put_base64(writer, bytes, len);
        return true;
    case CRYPT_STRING_HEXRAW:
        put_raw(writer, bytes, len);
        return true;
    case CRYPT_STRING_HEX:
    case CRYPT_STRING_HEXASCII:
    case CRYPT_STRING_HEXADDR:
    case CRYPT_STRING_HEXASCIIADDR:
        put_dump(writer, bytes, len,
                 form == CRYPT_STRING_HEXADDR || form == CRYPT_STRING_HEXASCIIADDR,
                 form == CRYPT_STRING_HEXASCII || form == CRYPT_STRING_HEXASCIIADDR);
        return true;
    default:
        return false;
    }
}

static BOOL fail(DWORD error)
{
    SetLastError(error);
    return FALSE;
}

/* No text, hence no NUL: the bytes as they are, and as many as they are. */
static BOOL copy_bytes(const BYTE *bytes, DWORD len, void *ret_bytes, DWORD *size)
{
    DWORD room = *size;

    *size = len;
    if (!ret_bytes)
        return TRUE;
    if (room < len)
        return fail(ERROR_MORE_DATA);
    memcpy(ret_bytes, bytes, len);
    return TRUE;
}

static const char *line_end_of(DWORD flags)
{
    if (flags & CRYPT_STRING_NOCRLF)
        return "";
    return flags & CRYPT_STRING_NOCR ? "\n" : "\r\n";
}

static BOOL encode(const BYTE *bytes, DWORD len, DWORD flags, char *narrow, WCHAR *wide,
                   DWORD *size)
{
    const DWORD modifiers = CRYPT_STRING_NOCRLF | CRYPT_STRING_NOCR;
    struct writer counter = {.line_end = line_end_of(flags)};
    struct writer writer = {.narrow = narrow, .wide = wide, .line_end = line_end_of(flags)};
    DWORD room;

    if (!bytes || len == 0 || !size)
        return fail(ERROR_INVALID_PARAMETER);
    if ((flags & ~modifiers) == CRYPT_STRING_BINARY)
        return copy_bytes(bytes, len, narrow ? (void *)narrow : (void *)wide, size);
    if (!put_form(&counter, bytes, len, flags & ~modifiers) || counter.len >= UINT32_MAX)
        return fail(ERROR_INVALID_PARAMETER);
    room = *size;
    if (!narrow && !wide) {
        *size = (DWORD)counter.len + 1;
        return TRUE;
    }
    if (room <= counter.len) {
        *size = (DWORD)counter.len + 1;
        return fail(ERROR_MORE_DATA);
    }
    (void)put_form(&writer, bytes, len, flags & ~modifiers);
    put(&writer, '\0');
    *size = (DWORD)counter.len;
    return TRUE;
}

OSSPI_API BOOL WINAPI CryptBinaryToStringA(const BYTE *pbBinary, DWORD cbBinary, DWORD dwFlags,
                                           LPSTR pszString, DWORD *pcchString)
{
    return encode(pbBinary, cbBinary, dwFlags, pszString, NULL, pcchString);
}

OSSPI_API BOOL WINAPI CryptBinaryToStringW(const BYTE *pbBinary, DWORD cbBinary, DWORD dwFlags,
                                           LPWSTR pszString, DWORD *pcchString)
{
    return encode(pbBinary, cbBinary, dwFlags, NULL, pszString, pcchString);
}

void osspi_encode_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
    struct writer writer = {.narrow = ret_text, .line_end = ""};

    for (size_t i = 0; i < len; i++)
        put_byte(&writer, bytes[i]);
    put(&writer, '\0');
}
