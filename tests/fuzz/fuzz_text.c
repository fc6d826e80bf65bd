/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: base64, PEM and hexadecimal digits as CryptStringToBinary reads them, and back.
 *
 * Input: one byte that chooses the form, one of options, then the text. What was read is written
 * again in each form, and read again: that must give the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

static const DWORD forms[] = {CRYPT_STRING_BASE64HEADER,
                              CRYPT_STRING_BASE64,
                              CRYPT_STRING_BASE64REQUESTHEADER,
                              CRYPT_STRING_HEX,
                              CRYPT_STRING_HEXADDR,
                              CRYPT_STRING_BASE64X509CRLHEADER,
                              CRYPT_STRING_HEXASCII,
                              CRYPT_STRING_HEXRAW,
                              CRYPT_STRING_HEXASCIIADDR,
                              CRYPT_STRING_BASE64_ANY,
                              CRYPT_STRING_HEX_ANY,
                              CRYPT_STRING_ANY,
                              CRYPT_STRING_BINARY,
                              0x55};
#define WRITABLE 9u /* the first ones, which are one form each */

/* The library starts the TLS library in its own way, before that starts itself when it ends. */
void fuzz_prepare(void)
{
    CertFreeCertificateContext(peer_certificate("server"));
}

static void back_again(const BYTE *bytes, DWORD len)
{
    for (unsigned i = 0; len > 0 && i < WRITABLE; i++) {
        DWORD size = 0, again = 0;
        BYTE *copy = fuzz_room(len);
        char *text;

        TEST_REQUIRE(CryptBinaryToStringA(bytes, len, forms[i], NULL, &size));
        text = (char *)fuzz_room(size);
        TEST_REQUIRE(CryptBinaryToStringA(bytes, len, forms[i], text, &size));
        again = len;
        TEST_REQUIRE(CryptStringToBinaryA(text, 0, forms[i], copy, &again, NULL, NULL));
        TEST_REQUIRE_EQUAL(again, len);
        TEST_REQUIRE(memcmp(copy, bytes, len) == 0);
        free(text);
        free(copy);
    }
}

/* Into a block of exactly what it is said to need. */
static void read_narrow(const char *text, DWORD len, DWORD form)
{
    DWORD needed = 0, size, skip = 0, found = 0;
    BYTE *bytes;

    if (!CryptStringToBinaryA(text, len, form, NULL, &needed, &skip, &found))
        return;
    TEST_REQUIRE(skip <= len);
    bytes = fuzz_room(needed);
    size = needed;
    TEST_REQUIRE(CryptStringToBinaryA(text, len, form, bytes, &size, NULL, NULL));
    TEST_REQUIRE_EQUAL(size, needed);
    back_again(bytes, size);
    free(bytes);
}

static void read_wide(const uint8_t *text, size_t len, DWORD form)
{
    DWORD units = (DWORD)(len / sizeof(WCHAR)), size = 0;
    WCHAR *wide = (WCHAR *)(void *)fuzz_room((units + 1) * sizeof(WCHAR));

    memcpy(wide, text, units * sizeof(WCHAR));
    wide[units] = 0;
    (void)CryptStringToBinaryW(wide, units, form, NULL, &size, NULL, NULL);
    (void)CryptStringToBinaryW(wide, 0, form, NULL, &size, NULL, NULL);
    free(wide);
}

void fuzz_one(struct fuzz_input *input)
{
    DWORD form = forms[fuzz_pick(input, sizeof(forms) / sizeof(forms[0]))];
    uint8_t options = fuzz_u8(input);
    size_t len;
    uint8_t *text = fuzz_take_rest(input, &len);

    if (options & 1)
        form |= CRYPT_STRING_STRICT;
    if (len > 0)
        read_narrow((const char *)text, (DWORD)len, form);
    if (options & 2)
        read_wide(text, len, form);
    free(text);
}
