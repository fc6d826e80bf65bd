/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * UTF-8 and UTF-16: what is well-formed goes through both ways, every class of malformed text is
 * refused (Unicode 15, table 3-7), and nothing is written behind the room given.
 */
#include "support/test_util.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf.h"

struct pair {
    const char *utf8;
    uint16_t utf16[8];
    size_t units;
};

static const struct pair pairs[] = {
    {"", {0}, 0},
    {"a", {'a'}, 1},
    {"\x7F", {0x7F}, 1},
    {"\xC2\x80", {0x80}, 1},
    {"\xDF\xBF", {0x7FF}, 1},
    {"\xE0\xA0\x80", {0x800}, 1},
    {"\xED\x9F\xBF", {0xD7FF}, 1},
    {"\xEE\x80\x80", {0xE000}, 1},
    {"\xEF\xBF\xBF", {0xFFFF}, 1},
    {"\xF0\x90\x80\x80", {0xD800, 0xDC00}, 2},
    {"\xF4\x8F\xBF\xBF", {0xDBFF, 0xDFFF}, 2},
    {"x\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80y", {'x', 0xE9, 0x20AC, 0xD83D, 0xDE00, 'y'}, 6},
};

static void utf_well_formed_text_converts_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(pairs); i++) {
        const struct pair *pair = &pairs[i];
        size_t bytes = strlen(pair->utf8);
        char utf8[32];
        uint16_t utf16[16];

        assert_true(osspi_utf8_valid(pair->utf8, bytes));
        assert_int_equal(osspi_utf16_to_utf8(pair->utf16, pair->units, utf8, sizeof(utf8)), bytes);
        assert_string_equal(utf8, pair->utf8);
        assert_int_equal(osspi_utf8_to_utf16(pair->utf8, bytes, utf16, OSSPI_COUNT_OF(utf16)),
                         pair->units);
        assert_memory_equal(utf16, pair->utf16, pair->units * sizeof(uint16_t));
        assert_int_equal(utf16[pair->units], 0);
        assert_int_equal(osspi_utf16_len(utf16), pair->units);
    }
}

static void utf_every_scalar_value_converts_back_to_itself(void **state)
{
    (void)state;
    for (uint32_t code = 1; code <= 0x10FFFF; code++) {
        uint16_t units[2] = {(uint16_t)code};
        uint16_t back[3];
        size_t count = 1;
        char utf8[5];
        size_t bytes;

        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        if (code >= 0x10000) {
            units[0] = (uint16_t)(0xD800 + ((code - 0x10000) >> 10));
            units[1] = (uint16_t)(0xDC00 + ((code - 0x10000) & 0x3FF));
            count = 2;
        }
        bytes = osspi_utf16_to_utf8(units, count, utf8, sizeof(utf8));
        TEST_REQUIRE(bytes == (code < 0x80 ? 1u : code < 0x800 ? 2u : code < 0x10000 ? 3u : 4u));
        TEST_REQUIRE(osspi_utf8_to_utf16(utf8, bytes, back, 3) == count);
        TEST_REQUIRE(back[0] == units[0] && (count == 1 || back[1] == units[1]));
    }
}

struct bytes {
    const char *text;
    size_t len;
};

#define BYTES(literal) \
    { \
        literal, sizeof(literal) - 1 \
    }

static const struct bytes malformed_utf8[] = {
    BYTES("\0"),
    BYTES("a\0b"), /* embedded NUL */
    BYTES("\x80"),
    BYTES("\xBF"),
    BYTES("a\x80"), /* continuation alone */
    BYTES("\xC0\x80"),
    BYTES("\xC0\xAF"),
    BYTES("\xC1\xBF"), /* overlong, two bytes */
    BYTES("\xE0\x80\x80"),
    BYTES("\xE0\x9F\xBF"), /* overlong, three bytes */
    BYTES("\xF0\x80\x80\x80"),
    BYTES("\xF0\x8F\xBF\xBF"), /* overlong, four bytes */
    BYTES("\xED\xA0\x80"),
    BYTES("\xED\xBF\xBF"),             /* surrogates */
    BYTES("\xED\xA0\x80\xED\xB0\x80"), /* a pair of them (CESU-8) */
    BYTES("\xF4\x90\x80\x80"),
    BYTES("\xF7\xBF\xBF\xBF"), /* behind U+10FFFF */
    BYTES("\xF8\x88\x80\x80\x80"),
    BYTES("\xFC\x84\x80\x80\x80\x80"), /* five and six bytes */
    BYTES("\xFE"),
    BYTES("\xFF"), /* never in UTF-8 */
    BYTES("\xC2"),
    BYTES("\xE2\x82"),
    BYTES("\xE2"), /* cut off */
    BYTES("\xF0\x9F\x98"),
    BYTES("\xF0\x9F"),
    BYTES("\xF0"),
    BYTES("\xC2\x41"),
    BYTES("\xE2\x41\xAC"),
    BYTES("\xE2\x82\x41"), /* interrupted */
    BYTES("\xF0\x41\x98\x80"),
    BYTES("\xF0\x9F\x41\x80"),
    BYTES("\xF0\x9F\x98\x41"),
    BYTES("\xC2\xC2\x80"),
    BYTES("ok\xE2\x82\xAC\xC0\x80"),
};

static void utf_malformed_utf8_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(malformed_utf8); i++) {
        /* The exact bytes on the heap, so that a sanitizer sees a read behind the end. */
        char *text = osspi_memdup(malformed_utf8[i].text, malformed_utf8[i].len);
        uint16_t out[32];

        if (osspi_utf8_valid(text, malformed_utf8[i].len))
            fail_msg("malformed sample %zu passes as valid", i);
        if (osspi_utf8_to_utf16(text, malformed_utf8[i].len, out, 32) != SIZE_MAX)
            fail_msg("malformed sample %zu is converted", i);
        osspi_free(text);
    }
}

static void utf_malformed_utf16_is_refused(void **state)
{
    static const struct {
        uint16_t text[4];
        size_t len;
    } samples[] = {
        {{0}, 1},              /* NUL */
        {{'a', 0, 'b'}, 3},    /* NUL inside */
        {{0xD800}, 1},         /* high alone, at the end */
        {{0xDBFF, 'a'}, 2},    /* high alone */
        {{0xDC00}, 1},         /* low alone */
        {{0xDFFF, 'a'}, 2},    /* low alone */
        {{0xDC00, 0xD800}, 2}, /* the wrong way round */
        {{0xD800, 0xD800, 0xDC00}, 3},
        {{0xD83D, 0xDE00, 0xDE00}, 3},
        {{0xD800, 0xE000}, 2},
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(samples); i++) {
        uint16_t *text = osspi_memdup(samples[i].text, samples[i].len * sizeof(uint16_t));
        bool malformed = false;
        char out[32];

        if (osspi_utf16_to_utf8(text, samples[i].len, out, sizeof(out)) != SIZE_MAX)
            fail_msg("malformed sample %zu is converted", i);
        assert_null(osspi_utf16_dup_utf8(text, samples[i].len, &malformed));
        assert_true(malformed);
        assert_null(osspi_utf16_dup_utf8(text, samples[i].len, NULL));
        osspi_free(text);
    }
}

static void utf_too_little_room_writes_nothing_behind_it(void **state)
{
    static const char text[] = "x\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80y";
    const struct pair *pair = &pairs[OSSPI_COUNT_OF(pairs) - 1];
    const size_t bytes = sizeof(text) - 1;

    (void)state;
    for (size_t size = 0; size <= bytes + 1; size++) {
        char *out = malloc(size > 0 ? size : 1);

        assert_non_null(out);
        assert_int_equal(osspi_utf16_to_utf8(pair->utf16, pair->units, out, size),
                         size == bytes + 1 ? bytes : SIZE_MAX);
        free(out);
    }
    for (size_t units = 0; units <= pair->units + 1; units++) {
        uint16_t *out = malloc((units > 0 ? units : 1) * sizeof(*out));

        assert_non_null(out);
        assert_int_equal(osspi_utf8_to_utf16(text, bytes, out, units),
                         units == pair->units + 1 ? pair->units : SIZE_MAX);
        free(out);
    }
}

static void utf_empty_text_needs_room_for_its_end(void **state)
{
    char bytes[1] = {'x'};
    uint16_t units[1] = {'x'};

    (void)state;
    assert_int_equal(osspi_utf16_to_utf8(NULL, 0, bytes, 0), SIZE_MAX);
    assert_int_equal(osspi_utf16_to_utf8(NULL, 0, bytes, 1), 0);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(osspi_utf8_to_utf16(NULL, 0, units, 0), SIZE_MAX);
    assert_int_equal(osspi_utf8_to_utf16(NULL, 0, units, 1), 0);
    assert_int_equal(units[0], 0);
    assert_true(osspi_utf8_valid(NULL, 0));
}

static void utf_dup_gives_terminated_memory(void **state)
{
    static const uint16_t euros[] = {0x20AC, 0x20AC, 0x20AC};
    bool malformed = true;
    char *text = osspi_utf16_dup_utf8(euros, 3, &malformed);

    (void)state;
    assert_false(malformed);
    assert_string_equal(text, "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC");
    osspi_free(text);
    text = osspi_utf16_dup_utf8(euros, 0, &malformed);
    assert_string_equal(text, "");
    osspi_free(text);
    assert_null(osspi_utf16_dup_utf8(euros, SIZE_MAX / 2, &malformed));
    assert_false(malformed);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf_well_formed_text_converts_both_ways),
        cmocka_unit_test(utf_every_scalar_value_converts_back_to_itself),
        cmocka_unit_test(utf_malformed_utf8_is_refused),
        cmocka_unit_test(utf_malformed_utf16_is_refused),
        cmocka_unit_test(utf_too_little_room_writes_nothing_behind_it),
        cmocka_unit_test(utf_empty_text_needs_room_for_its_end),
        cmocka_unit_test(utf_dup_gives_terminated_memory),
    };

    test_watchdog(30);
    return cmocka_run_group_tests_name("base.utf", tests, NULL, NULL);
}
