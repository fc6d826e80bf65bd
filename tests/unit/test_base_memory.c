/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Memory and secrets: zeroed memory, sizes that overflow, no memory at all, wiping before freeing,
 * comparison of secrets, the ownership idiom. Links with OSSPI_WRAP_ALLOC.
 */
#include "support/failing_alloc.h"
#include "support/test_util.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void memory_alloc_gives_zeroed_bytes(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 4096; size *= 2) {
        unsigned char *dirty = malloc(size);
        unsigned char *bytes;

        assert_non_null(dirty);
        memset(dirty, 0xA5, size);
        free(dirty);
        bytes = osspi_alloc(size);
        assert_non_null(bytes);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(bytes[i], 0);
        osspi_free(bytes);
    }
}

static void memory_alloc_of_nothing_gives_a_byte(void **state)
{
    unsigned char *byte = osspi_alloc(0);

    (void)state;
    assert_non_null(byte);
    *byte = 1;
    osspi_free(byte);
    byte = osspi_alloc_array(0, 16);
    assert_non_null(byte);
    osspi_free(byte);
}

static void memory_array_that_overflows_is_refused(void **state)
{
    (void)state;
    failing_alloc_nth(0);
    assert_null(osspi_alloc_array(SIZE_MAX / 2, 3));
    assert_null(osspi_alloc_array(3, SIZE_MAX / 2));
    assert_null(osspi_alloc_array(SIZE_MAX, SIZE_MAX));
    /* 2^32 * 2^32 wraps to zero: it must not even be tried. */
    assert_null(osspi_alloc_array((size_t)1 << 32, (size_t)1 << 32));
    assert_int_equal(failing_alloc_count(), 0);
}

static void memory_without_memory_gives_null(void **state)
{
    void *array;
    void *single;
    void *copy;
    char *text;

    (void)state;
    failing_alloc_all();
    single = osspi_alloc(1);
    array = osspi_alloc_array(2, 2);
    copy = osspi_memdup("ab", 2);
    text = osspi_strdup("ab");
    failing_alloc_nth(0);
    assert_null(single);
    assert_null(array);
    assert_null(copy);
    assert_null(text);
}

static void memory_memdup_copies_and_takes_nothing(void **state)
{
    static const char bytes[] = {1, 0, 2};
    char *copy = osspi_memdup(bytes, sizeof(bytes));

    (void)state;
    assert_memory_equal(copy, bytes, sizeof(bytes));
    osspi_free(copy);
    copy = osspi_memdup(NULL, 0);
    assert_non_null(copy);
    osspi_free(copy);
}

static void memory_strdup_copies_and_passes_null(void **state)
{
    char *copy = osspi_strdup("name");

    (void)state;
    assert_string_equal(copy, "name");
    osspi_free(copy);
    assert_null(osspi_strdup(NULL));
    osspi_free(NULL);
}

static void memory_secure_zero_wipes_all_and_no_more(void **state)
{
    unsigned char bytes[34];

    (void)state;
    memset(bytes, 0xA5, sizeof(bytes));
    osspi_secure_zero(bytes + 1, sizeof(bytes) - 2);
    assert_int_equal(bytes[0], 0xA5);
    assert_int_equal(bytes[33], 0xA5);
    for (size_t i = 1; i < 33; i++)
        assert_int_equal(bytes[i], 0);
    osspi_secure_zero(NULL, 0);
    osspi_secure_zero(bytes, 0);
    assert_int_equal(bytes[0], 0xA5);
}

#define SECRET_SIZE 48u

static bool freed_wiped; /* one thread only */

static void look_at_freed(void *memory)
{
    const unsigned char *bytes = memory;

    freed_wiped = true;
    for (size_t i = 0; i < SECRET_SIZE; i++)
        freed_wiped = freed_wiped && bytes[i] == 0;
}

static void memory_secret_free_wipes_before_freeing(void **state)
{
    unsigned char *secret = osspi_alloc(SECRET_SIZE);

    (void)state;
    assert_non_null(secret);
    memset(secret, 0x5C, SECRET_SIZE);
    freed_wiped = false;
    failing_alloc_watch_free(look_at_freed);
    osspi_secret_free(secret, SECRET_SIZE);
    failing_alloc_watch_free(NULL);
    assert_true(freed_wiped);
    osspi_secret_free(NULL, 0);
    osspi_secret_free(NULL, 16);
}

static void memory_secret_equal_sees_every_bit(void **state)
{
    unsigned char a[32];
    unsigned char b[32];

    (void)state;
    memset(a, 0x3C, sizeof(a));
    memcpy(b, a, sizeof(a));
    assert_true(osspi_secret_equal(a, b, sizeof(a)));
    assert_true(osspi_secret_equal(a, b, 0));
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        b[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_false(osspi_secret_equal(a, b, sizeof(a)));
        b[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static uint32_t frees; /* one thread only */

static void count_free(void *memory)
{
    (void)memory;
    frees++;
}

static char *make_owned(bool keep)
{
    char *owned osspi_auto(osspi_freep) = osspi_strdup("owned");

    return keep ? OSSPI_TAKE(owned) : NULL;
}

static void memory_auto_frees_what_is_not_taken(void **state)
{
    char *kept;

    (void)state;
    frees = 0;
    failing_alloc_watch_free(count_free);
    assert_null(make_owned(false));
    assert_int_equal(frees, 1);
    kept = make_owned(true);
    assert_int_equal(frees, 1);
    failing_alloc_watch_free(NULL);
    assert_string_equal(kept, "owned");
    osspi_free(kept);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_alloc_gives_zeroed_bytes),
        cmocka_unit_test(memory_alloc_of_nothing_gives_a_byte),
        cmocka_unit_test(memory_array_that_overflows_is_refused),
        cmocka_unit_test(memory_without_memory_gives_null),
        cmocka_unit_test(memory_memdup_copies_and_takes_nothing),
        cmocka_unit_test(memory_strdup_copies_and_passes_null),
        cmocka_unit_test(memory_secure_zero_wipes_all_and_no_more),
        cmocka_unit_test(memory_secret_free_wipes_before_freeing),
        cmocka_unit_test(memory_secret_equal_sees_every_bit),
        cmocka_unit_test(memory_auto_frees_what_is_not_taken),
    };

    test_watchdog(30);
    return cmocka_run_group_tests_name("base.memory", tests, NULL, NULL);
}
