/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CryptStringToBinary and CryptBinaryToString: every form there and back, sizes, line ends, headers
 * with text around them, padding as Windows takes it, and text that is no such form.
 */
#include <stdlib.h>
#include <string.h>

#include "test_cert_util.h"

static const BYTE sample[] = "0123456789abcdefghijklmnopqrstuvwxyz\x01\xFF end";

/* The text of bytes; freed by the caller. Checks sizes on the way. */
static char *encode(const BYTE *bytes, DWORD len, DWORD form)
{
    DWORD size = 0, room;
    char *text;

    assert_true(CryptBinaryToStringA(bytes, len, form, NULL, &size));
    text = malloc(size + 1);
    assert_non_null(text);
    room = size - 1;
    text[0] = 0x12;
    assert_false(CryptBinaryToStringA(bytes, len, form, text, &room));
    TEST_LAST_ERROR(ERROR_MORE_DATA);
    assert_int_equal(room, size);
    assert_int_equal(text[0], 0x12);
    text[size] = 0x34;
    room = size;
    assert_true(CryptBinaryToStringA(bytes, len, form, text, &room));
    assert_int_equal(room, size - 1);
    assert_int_equal(strlen(text), room);
    assert_int_equal(text[size], 0x34);
    return text;
}

static void require_text(const BYTE *bytes, DWORD len, DWORD form, const char *expected)
{
    char *text = encode(bytes, len, form);

    assert_string_equal(text, expected);
    free(text);
}

static void base64_lines_and_padding(void **state)
{
    BYTE zeros[48 * 2 + 1] = {0};
    char *text;

    (void)state;
    require_text((const BYTE *)"f", 1, CRYPT_STRING_BASE64, "Zg==\r\n");
    require_text((const BYTE *)"fo", 2, CRYPT_STRING_BASE64 | CRYPT_STRING_NOCR, "Zm8=\n");
    require_text((const BYTE *)"foobar", 6, CRYPT_STRING_BASE64 | CRYPT_STRING_NOCRLF, "Zm9vYmFy");
    require_text((const BYTE *)"\xFB\xFF", 2, CRYPT_STRING_BASE64 | CRYPT_STRING_NOCRLF, "+/8=");
    text = encode(zeros, 48 * 2, CRYPT_STRING_BASE64);
    assert_int_equal(strlen(text), 2 * (64 + 2));
    assert_memory_equal(text + 64, "\r\n", 2);
    free(text);
    text = encode(zeros, 48 * 2 + 1, CRYPT_STRING_BASE64 | CRYPT_STRING_NOCR);
    assert_int_equal(strlen(text), 2 * (64 + 1) + 4 + 1);
    free(text);
}

static void headers(void **state)
{
    (void)state;
    require_text((const BYTE *)"f", 1, CRYPT_STRING_BASE64HEADER,
                 "-----BEGIN CERTIFICATE-----\r\nZg==\r\n-----END CERTIFICATE-----\r\n");
    require_text((const BYTE *)"f", 1, CRYPT_STRING_BASE64REQUESTHEADER | CRYPT_STRING_NOCR,
                 "-----BEGIN NEW CERTIFICATE REQUEST-----\nZg==\n"
                 "-----END NEW CERTIFICATE REQUEST-----\n");
    require_text((const BYTE *)"f", 1, CRYPT_STRING_BASE64X509CRLHEADER,
                 "-----BEGIN X509 CRL-----\r\nZg==\r\n-----END X509 CRL-----\r\n");
}

static void hexadecimal_layouts(void **state)
{
    (void)state;
    require_text(sample, 3, CRYPT_STRING_HEXRAW, "303132\r\n");
    require_text(sample, 3, CRYPT_STRING_HEXRAW | CRYPT_STRING_NOCRLF, "303132");
    require_text(sample, 18, CRYPT_STRING_HEX | CRYPT_STRING_NOCR,
                 "30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66\n67 68\n");
    require_text(sample, 18, CRYPT_STRING_HEX | CRYPT_STRING_NOCRLF,
                 "30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66 67 68");
    require_text(sample, 2, CRYPT_STRING_HEXADDR, "0000\t30 31\r\n");
    require_text(sample, 18, CRYPT_STRING_HEXASCIIADDR | CRYPT_STRING_NOCR,
                 "0000\t30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66   0123456789abcdef\n"
                 "0010\t67 68                                              gh\n");
    require_text((const BYTE *)"\n\xFF", 2, CRYPT_STRING_HEXASCII | CRYPT_STRING_NOCR,
                 "0a ff                                              ..\n");
}

static void every_form_there_and_back(void **state)
{
    static const DWORD forms[] = {CRYPT_STRING_BASE64HEADER,
                                  CRYPT_STRING_BASE64,
                                  CRYPT_STRING_BASE64REQUESTHEADER,
                                  CRYPT_STRING_BASE64X509CRLHEADER,
                                  CRYPT_STRING_HEX,
                                  CRYPT_STRING_HEXASCII,
                                  CRYPT_STRING_HEXADDR,
                                  CRYPT_STRING_HEXASCIIADDR,
                                  CRYPT_STRING_HEXRAW};
    static const DWORD ends[] = {0, CRYPT_STRING_NOCR};

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (DWORD len = 1; len <= sizeof(sample); len++) {
            char *text = encode(sample, len, forms[i] | ends[len % 2]);
            BYTE back[sizeof(sample)];
            DWORD size = sizeof(back), used = 99, skipped = 99;

            assert_true(CryptStringToBinaryA(text, 0, forms[i], back, &size, &skipped, &used));
            assert_int_equal(size, len);
            assert_memory_equal(back, sample, len);
            assert_int_equal(used, forms[i]);
            assert_int_equal(skipped, 0);
            free(text);
        }
    }
}

static void wide_is_the_same_as_narrow(void **state)
{
    WCHAR wide[64];
    BYTE back[8];
    DWORD size = 64, narrow = 0, used, skipped;

    (void)state;
    assert_true(
        CryptBinaryToStringW((const BYTE *)"foobar", 6, CRYPT_STRING_BASE64, NULL, &narrow));
    assert_int_equal(narrow, 11);
    size = narrow - 1;
    assert_false(CryptBinaryToStringW((const BYTE *)"foobar", 6, CRYPT_STRING_BASE64, wide, &size));
    TEST_LAST_ERROR(ERROR_MORE_DATA);
    size = 64;
    assert_true(CryptBinaryToStringW((const BYTE *)"foobar", 6, CRYPT_STRING_BASE64, wide, &size));
    assert_int_equal(size, 10);
    assert_memory_equal(wide, u"Zm9vYmFy\r\n", 11 * sizeof(WCHAR));
    size = sizeof(back);
    assert_true(CryptStringToBinaryW(u"x-----BEGIN a-----Zm9vYmFy-----END b-----", 0,
                                     CRYPT_STRING_BASE64_ANY, back, &size, &skipped, &used));
    assert_int_equal(size, 6);
    assert_memory_equal(back, "foobar", 6);
    assert_int_equal(skipped, 1);
    assert_int_equal(used, CRYPT_STRING_BASE64HEADER);
    assert_false(
        CryptStringToBinaryW(u"Zm9\u0141", 0, CRYPT_STRING_BASE64, back, &size, NULL, NULL));
    TEST_LAST_ERROR(ERROR_INVALID_DATA);
}

static void require_decoded(const char *text, DWORD form, const char *expected)
{
    BYTE bytes[64] = {0};
    DWORD size = sizeof(bytes) - 1, needed = 0;
    BOOL done = CryptStringToBinaryA(text, 0, form, bytes, &size, NULL, NULL);

    if (!expected) {
        assert_false(done);
        TEST_LAST_ERROR(ERROR_INVALID_DATA);
        assert_false(CryptStringToBinaryA(text, 0, form, NULL, &needed, NULL, NULL));
        return;
    }
    assert_true(done);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(bytes, expected, size);
    assert_true(CryptStringToBinaryA(text, 0, form, NULL, &needed, NULL, NULL));
    assert_int_equal(needed, size);
}

/* What Windows answers to each of these. */
static void base64_padding_as_windows_takes_it(void **state)
{
    (void)state;
    require_decoded("V=", CRYPT_STRING_BASE64, NULL);
    require_decoded("VV=", CRYPT_STRING_BASE64, NULL);
    require_decoded("V==", CRYPT_STRING_BASE64, NULL);
    require_decoded("V", CRYPT_STRING_BASE64, "T");
    require_decoded("VV", CRYPT_STRING_BASE64, "U");
    require_decoded("VVV", CRYPT_STRING_BASE64, "UU");
    require_decoded("V===", CRYPT_STRING_BASE64, "T");
    require_decoded("V========", CRYPT_STRING_BASE64, "T");
    require_decoded("V\nVVV", CRYPT_STRING_BASE64, "UUU");
    require_decoded("VV    VV", CRYPT_STRING_BASE64, "UUU");
    require_decoded("V===VVVV", CRYPT_STRING_BASE64, "T");
    require_decoded("VVVV=VVVV", CRYPT_STRING_BASE64, "UUU");
    require_decoded("VV==VVVV", CRYPT_STRING_BASE64 | CRYPT_STRING_STRICT, NULL);
    require_decoded("VV==\r\n", CRYPT_STRING_BASE64 | CRYPT_STRING_STRICT, "U");
    require_decoded("V====", CRYPT_STRING_BASE64 | CRYPT_STRING_STRICT, NULL);
    require_decoded("VV-VV", CRYPT_STRING_BASE64, NULL);
    require_decoded("", CRYPT_STRING_BASE64, "");
}

static void headers_that_are_none(void **state)
{
    (void)state;
    require_decoded("-----BEGIN-----VVVV-----END-----", CRYPT_STRING_BASE64HEADER, NULL);
    require_decoded("-----BEGIN -----VVVV-----END-----", CRYPT_STRING_BASE64HEADER, NULL);
    require_decoded("-----BEGIN x-----VVVV-----END ----", CRYPT_STRING_BASE64HEADER, NULL);
    require_decoded("-----BEGIN x----", CRYPT_STRING_BASE64HEADER, NULL);
    require_decoded("-----BEGIN ", CRYPT_STRING_BASE64HEADER, NULL);
    require_decoded("VVVV", CRYPT_STRING_BASE64HEADER, NULL);
    require_decoded("-----BEGIN -----VVVV-----END -----", CRYPT_STRING_BASE64HEADER, "UUU");
    require_decoded("-----BEGIN a-----V-----END b-----", CRYPT_STRING_BASE64X509CRLHEADER, "T");
    require_decoded("-----BEGIN a-----V!-----END b-----", CRYPT_STRING_BASE64_ANY, NULL);
}

static void hexadecimal_text(void **state)
{
    (void)state;
    require_decoded("6A6b", CRYPT_STRING_HEX, "jk");
    require_decoded("6a 6b\t6c\r\n", CRYPT_STRING_HEX, "jkl");
    require_decoded("6a6", CRYPT_STRING_HEX, NULL);
    require_decoded("6 a", CRYPT_STRING_HEX, NULL);
    require_decoded("6g", CRYPT_STRING_HEX, NULL);
    require_decoded("", CRYPT_STRING_HEX, NULL);
    require_decoded("6a 6b", CRYPT_STRING_HEXRAW, NULL);
    require_decoded("6a6b\r\n", CRYPT_STRING_HEXRAW, "jk");
    require_decoded("00 6a", CRYPT_STRING_HEXADDR, NULL);
    require_decoded("0000 6a 6b   jk", CRYPT_STRING_HEXADDR, NULL);
    require_decoded("0000 6a 6b   jk\r\n\r\n", CRYPT_STRING_HEXASCIIADDR, "jk");
    require_decoded("6a 6b   6c 6d", CRYPT_STRING_HEXASCII, "jk");
    require_decoded("6a6b", CRYPT_STRING_HEX_ANY, "jk");
}

static void any_form_tells_which_it_was(void **state)
{
    static const struct {
        const char *text;
        DWORD asked, found;
    } cases[] = {
        {"Zm9v", CRYPT_STRING_BASE64_ANY, CRYPT_STRING_BASE64},
        {"Zm9v", CRYPT_STRING_ANY, CRYPT_STRING_BASE64},
        {"Zm!v", CRYPT_STRING_ANY, CRYPT_STRING_BINARY},
        {"0000\t6a", CRYPT_STRING_HEX_ANY, CRYPT_STRING_HEXADDR},
        {"0000\t6a   j", CRYPT_STRING_HEX_ANY, CRYPT_STRING_HEXASCIIADDR},
        {"6a 6b", CRYPT_STRING_HEX_ANY, CRYPT_STRING_HEX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        BYTE bytes[16];
        DWORD size = sizeof(bytes), found = 99;

        assert_true(
            CryptStringToBinaryA(cases[i].text, 0, cases[i].asked, bytes, &size, NULL, &found));
        assert_int_equal(found, cases[i].found);
    }
}

/* A form that fails half-way has seen more bytes than the one that fits gives. */
static void any_form_writes_no_more_than_it_says(void **state)
{
    static const char text[] = "A===-----BEGIN x-----AAAAAAAAAAAAAAAAAAAAAAAAAAAA!-----END x-----";
    BYTE *byte = malloc(1);
    DWORD size = 1;

    (void)state;
    assert_true(CryptStringToBinaryA(text, 0, CRYPT_STRING_BASE64_ANY, byte, &size, NULL, NULL));
    assert_int_equal(size, 1);
    free(byte);
}

static void decoding_into_too_little_room(void **state)
{
    BYTE bytes[8] = {0x55};
    DWORD size = 2;

    (void)state;
    assert_false(CryptStringToBinaryA("Zm9v", 0, CRYPT_STRING_BASE64, bytes, &size, NULL, NULL));
    TEST_LAST_ERROR(ERROR_MORE_DATA);
    assert_int_equal(bytes[0], 0x55);
    assert_true(CryptStringToBinaryA("Zm9vXXXX", 4, CRYPT_STRING_BASE64, NULL, &size, NULL, NULL));
    assert_int_equal(size, 3);
}

static void bad_arguments_are_refused(void **state)
{
    BYTE bytes[8];
    char text[8];
    DWORD size = 8;

    (void)state;
    assert_false(CryptBinaryToStringA(NULL, 0, 0, NULL, &size));
    TEST_LAST_ERROR(ERROR_INVALID_PARAMETER);
    assert_false(CryptBinaryToStringA(sample, 1, 0, NULL, NULL));
    assert_false(CryptBinaryToStringW(sample, 0, 0, NULL, &size));
    assert_false(CryptBinaryToStringA(sample, 1, 0x77, text, &size));
    TEST_LAST_ERROR(ERROR_INVALID_PARAMETER);
    assert_false(CryptBinaryToStringA(sample, 1, CRYPT_STRING_ANY, text, &size));
    assert_int_equal(size, 8);
    assert_false(CryptStringToBinaryA(NULL, 0, 1, bytes, &size, NULL, NULL));
    TEST_LAST_ERROR(ERROR_INVALID_PARAMETER);
    assert_false(CryptStringToBinaryW(u"AAAA", 0, 1, bytes, NULL, NULL, NULL));
    TEST_LAST_ERROR(ERROR_INVALID_PARAMETER);
    assert_false(CryptStringToBinaryA("AAAA", 0, 0x77, bytes, &size, NULL, NULL));
    TEST_LAST_ERROR(ERROR_INVALID_DATA);
    assert_false(CryptStringToBinaryA("AAAA", 0, CRYPT_STRING_BASE64 | CRYPT_STRING_NOCR, bytes,
                                      &size, NULL, NULL));
    TEST_LAST_ERROR(ERROR_INVALID_DATA);
}

static void binary_form_copies(void **state)
{
    char text[4];
    BYTE bytes[4];
    DWORD size = 0;

    (void)state;
    assert_true(CryptBinaryToStringA((const BYTE *)"a\0b", 3, CRYPT_STRING_BINARY, NULL, &size));
    assert_int_equal(size, 3);
    size = 2;
    assert_false(CryptBinaryToStringA((const BYTE *)"a\0b", 3, CRYPT_STRING_BINARY, text, &size));
    size = 4;
    assert_true(CryptBinaryToStringA((const BYTE *)"a\0b", 3, CRYPT_STRING_BINARY, text, &size));
    assert_memory_equal(text, "a\0b", 3);
    size = 4;
    assert_true(CryptStringToBinaryA("a\0b", 3, CRYPT_STRING_BINARY, bytes, &size, NULL, NULL));
    assert_int_equal(size, 3);
}

/* Ten megabytes there and back, and the same with one bad character at the end. */
static void large_text(void **state)
{
    DWORD len = 10u << 20, size = 0, back = 0;
    BYTE *bytes = calloc(1, len);
    char *text;

    (void)state;
    assert_non_null(bytes);
    assert_true(CryptBinaryToStringA(bytes, len, CRYPT_STRING_BASE64, NULL, &size));
    text = malloc(size);
    assert_non_null(text);
    assert_true(CryptBinaryToStringA(bytes, len, CRYPT_STRING_BASE64, text, &size));
    back = len;
    assert_true(CryptStringToBinaryA(text, 0, CRYPT_STRING_BASE64, bytes, &back, NULL, NULL));
    assert_int_equal(back, len);
    text[size - 3] = '!';
    assert_false(CryptStringToBinaryA(text, 0, CRYPT_STRING_BASE64, bytes, &back, NULL, NULL));
    free(text);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_lines_and_padding),
        cmocka_unit_test(headers),
        cmocka_unit_test(hexadecimal_layouts),
        cmocka_unit_test(every_form_there_and_back),
        cmocka_unit_test(wide_is_the_same_as_narrow),
        cmocka_unit_test(base64_padding_as_windows_takes_it),
        cmocka_unit_test(headers_that_are_none),
        cmocka_unit_test(hexadecimal_text),
        cmocka_unit_test(any_form_tells_which_it_was),
        cmocka_unit_test(any_form_writes_no_more_than_it_says),
        cmocka_unit_test(decoding_into_too_little_room),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(binary_form_copies),
        cmocka_unit_test(large_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
