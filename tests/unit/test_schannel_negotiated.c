/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Which extensions the server has answered with, read from its messages: what genuine connections
 * do not show.
 */
#include <stdlib.h>
#include <string.h>

#include "packages/schannel/negotiated.h"
#include "support/test_util.h"

/* Version, random, session id, suite, compression; then extensions. */
static size_t server_hello(uint8_t *bytes, const void *extensions, size_t len)
{
    memset(bytes, 3, 34);
    bytes[34] = 2;
    memset(bytes + 35, 0, 5);
    bytes[40] = (uint8_t)(len >> 8);
    bytes[41] = (uint8_t)len;
    memcpy(bytes + 42, extensions, len);
    return 42 + len;
}

static void numbers_without_a_bit_are_kept(void **state)
{
    struct osspi_negotiated seen = {0};
    uint16_t types[OSSPI_NEGOTIATED_KNOWN];
    static const uint8_t message[] = {0, 29,                  /* EncryptedExtensions */
                                      0, 16,   0, 3, 1, 2, 3, /* known */
                                      0, 57,   0, 0,          /* known */
                                      3, 0xE8, 0, 1, 9,       /* 1000 */
                                      3, 0xE8, 0, 0,          /* again */
                                      7, 0xD0, 0, 0,          /* 2000 */
                                      0, 0,    0, 1, 0};

    (void)state;
    osspi_negotiated_see(&seen, 8, message, sizeof(message), true);
    assert_int_equal(osspi_negotiated_list(seen.known, types), 3);
    assert_int_equal(types[0], 0);
    assert_int_equal(types[1], 16);
    assert_int_equal(types[2], 57);
    assert_int_equal(seen.other_count, 2);
    assert_int_equal(seen.others[0], 1000);
    assert_int_equal(seen.others[1], 2000);
    seen = (struct osspi_negotiated){0};
    osspi_negotiated_see(&seen, 8, message, sizeof(message), false); /* TLS 1.2 has none */
    assert_int_equal(seen.known | seen.other_count, 0);
}

static void there_are_never_too_many(void **state)
{
    struct osspi_negotiated seen = {0};
    uint8_t message[2 + 100 * 4] = {1, 0x90};

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        message[2 + i * 4] = 0x40;
        message[3 + i * 4] = (uint8_t)i;
    }
    osspi_negotiated_see(&seen, 8, message, sizeof(message), true);
    assert_int_equal(seen.other_count, OSSPI_NEGOTIATED_OTHERS);
}

/* A HelloRetryRequest is a ServerHello: the second one counts. */
static void later_hello_takes_the_place(void **state)
{
    struct osspi_negotiated seen = {0};
    uint16_t types[OSSPI_NEGOTIATED_KNOWN];
    uint8_t message[128];
    size_t len = server_hello(message, "\0\54\0\0\0\63\0\0\x40\1\0\0", 12); /* cookie, key_share */

    (void)state;
    osspi_negotiated_see(&seen, 2, message, len, true);
    assert_int_equal(osspi_negotiated_list(seen.known, types), 2);
    assert_int_equal(seen.other_count, 1);
    len = server_hello(message, "\0\63\0\0\0\53\0\0", 8);
    osspi_negotiated_see(&seen, 2, message, len, true);
    assert_int_equal(osspi_negotiated_list(seen.known, types), 2);
    assert_int_equal(types[0], 43);
    assert_int_equal(types[1], 51);
    assert_int_equal(seen.other_count, 0);
    osspi_negotiated_see(&seen, 2, message, 40, true); /* one without extensions */
    assert_int_equal(seen.known, 0);
}

static void leaf_of_a_certificate_counts(void **state)
{
    struct osspi_negotiated seen = {0};
    uint16_t types[OSSPI_NEGOTIATED_KNOWN];
    static const uint8_t message[] = {0, 0, 0, 20, 0, 0,   2, 'a', 'b', 0,  4, 0, 5,
                                      0, 0, 0, 0,  1, 'c', 0, 4,   0,   18, 0, 0};

    (void)state;
    osspi_negotiated_see(&seen, 11, message, sizeof(message), false);
    assert_int_equal(seen.known, 0);
    osspi_negotiated_see(&seen, 11, message, sizeof(message), true);
    assert_int_equal(osspi_negotiated_list(seen.known, types), 1);
    assert_int_equal(types[0], 5); /* not the issuer's 18 */
}

static void size_of_the_prime_is_counted(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        uint16_t bits;
    } rows[] = {{"\0\2\x80\1", 4, 16}, {"\0\3\0\x01\1", 5, 9}, {"\0\2\0\0", 4, 0},
                {"\0\3\x80\1", 4, 0},  {"\0", 1, 0},           {"\0\0", 2, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct osspi_negotiated seen = {0};

        osspi_negotiated_see(&seen, 12, (const uint8_t *)rows[i].bytes, rows[i].len, false);
        assert_int_equal(seen.first_bits, rows[i].bits);
        assert_int_equal(seen.second_bits, 0);
    }
    {
        struct osspi_negotiated seen = {0};

        osspi_negotiated_see(&seen, 12, (const uint8_t *)"\0\1h\0\2\x80\1", 7, false);
        assert_int_equal(seen.first_bits, 7);
        assert_int_equal(seen.second_bits, 16);
    }
}

/* In a block of its size: a sanitizer sees the first byte too many. */
static void damage_does_no_harm(void **state)
{
    static const uint8_t types[] = {2, 8, 11, 12, 1, 0};
    uint64_t seed = 7;

    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(20000); i++) {
        const size_t len = test_random(&seed) % 80;
        uint8_t *block = malloc(len > 0 ? len : 1);
        struct osspi_negotiated seen = {0};

        for (size_t at = 0; at < len; at++)
            block[at] = (uint8_t)(test_random(&seed) % (at % 3 ? 8 : 256));
        osspi_negotiated_see(&seen, types[i % sizeof(types)], block, len, i & 8);
        assert_true(seen.other_count <= OSSPI_NEGOTIATED_OTHERS);
        free(block);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_without_a_bit_are_kept),
        cmocka_unit_test(there_are_never_too_many),
        cmocka_unit_test(later_hello_takes_the_place),
        cmocka_unit_test(leaf_of_a_certificate_counts),
        cmocka_unit_test(size_of_the_prime_is_counted),
        cmocka_unit_test(damage_does_no_harm),
    };

    return cmocka_run_group_tests_name("schannel.negotiated", tests, NULL, NULL);
}
