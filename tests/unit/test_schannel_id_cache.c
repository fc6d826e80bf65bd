/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The cache of a server's sessions by id: what it finds, what it refuses, how it ends, threads and
 * forks. Times are given, none is waited for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/id_cache.h"
#include "support/test_util.h"

#define NOW  1000
#define LATE 2000

/* An id that no other number makes, of 32 bytes. */
static void make_id(uint32_t number, uint8_t id[32])
{
    memset(id, 0x5A, 32);
    memcpy(id, &number, sizeof(number));
    memcpy(id + 28, &number, sizeof(number));
}

static bool keep(uint32_t number, const void *bytes, size_t len, bool enabled)
{
    uint8_t id[32];
    const struct osspi_id_session session = {.id = id,
                                             .id_len = sizeof(id),
                                             .bytes = bytes,
                                             .len = len,
                                             .owner = number % 3,
                                             .until = LATE,
                                             .enabled = enabled};

    make_id(number, id);
    return osspi_id_cache_keep(&session, NOW);
}

/* Is it there with these bytes? */
static bool finds(uint32_t number, const void *bytes, size_t len, int64_t now)
{
    uint8_t id[32];
    size_t found_len = 0;
    uint8_t *found;

    make_id(number, id);
    found = osspi_id_cache_find(id, sizeof(id), now, &found_len);
    const bool same = found != NULL && found_len == len && memcmp(found, bytes, len) == 0;
    TEST_REQUIRE(found == NULL || same);
    osspi_secret_free(found, found_len);
    return same;
}

static int empty(void **state)
{
    (void)state;
    osspi_id_cache_empty();
    return osspi_id_cache_count() == 0 ? 0 : -1;
}

static void what_is_kept_is_found(void **state)
{
    uint8_t id[32];
    size_t len;

    (void)state;
    assert_true(keep(1, "one", 3, true));
    assert_true(keep(2, "second", 6, true));
    assert_true(finds(1, "one", 3, NOW));
    assert_true(finds(2, "second", 6, NOW));
    assert_false(finds(3, "", 0, NOW));
    make_id(1, id);
    assert_null(osspi_id_cache_find(id, 31, NOW, &len)); /* a part of it is another id */
    assert_null(osspi_id_cache_find(id, 0, NOW, &len));
    assert_null(osspi_id_cache_find(id, 33, NOW, &len));
    assert_true(keep(1, "again", 5, true)); /* in the place of the first */
    assert_true(finds(1, "again", 5, NOW));
    assert_int_equal(osspi_id_cache_count(), 2);
}

static void what_does_not_fit_is_refused(void **state)
{
    static const uint8_t bytes[OSSPI_ID_CACHE_MAX_BYTES + 1];
    uint8_t id[33] = {1};
    struct osspi_id_session session = {.id = id,
                                       .id_len = 32,
                                       .bytes = bytes,
                                       .len = OSSPI_ID_CACHE_MAX_BYTES,
                                       .until = LATE,
                                       .enabled = true};

    (void)state;
    assert_true(osspi_id_cache_keep(&session, NOW));
    session.len++;
    assert_false(osspi_id_cache_keep(&session, NOW));
    session.len = 0;
    assert_false(osspi_id_cache_keep(&session, NOW));
    session.len = 1;
    session.id_len = 0;
    assert_false(osspi_id_cache_keep(&session, NOW));
    session.id_len = 33;
    assert_false(osspi_id_cache_keep(&session, NOW));
    session.id_len = 1; /* short ids are ids too */
    assert_true(osspi_id_cache_keep(&session, NOW));
    assert_false(osspi_id_cache_keep(&session, LATE));
    assert_int_equal(osspi_id_cache_count(), 2);
}

static void time_ends_it(void **state)
{
    (void)state;
    assert_true(keep(1, "one", 3, true));
    assert_true(finds(1, "one", 3, LATE - 1));
    assert_false(finds(1, "one", 3, LATE));
    assert_int_equal(osspi_id_cache_count(), 0); /* for good */
}

static void enabling_and_dropping(void **state)
{
    uint8_t id[32];

    (void)state;
    make_id(1, id);
    assert_false(osspi_id_cache_enable(id, sizeof(id), true));
    assert_true(keep(1, "one", 3, false));
    assert_false(finds(1, "one", 3, NOW));
    assert_true(osspi_id_cache_enable(id, sizeof(id), true));
    assert_true(finds(1, "one", 3, NOW));
    assert_true(osspi_id_cache_enable(id, sizeof(id), false));
    assert_false(finds(1, "one", 3, NOW));
    assert_int_equal(osspi_id_cache_count(), 1);
    osspi_id_cache_drop(id, sizeof(id));
    osspi_id_cache_drop(id, sizeof(id));
    assert_int_equal(osspi_id_cache_count(), 0);
    assert_false(osspi_id_cache_enable(id, sizeof(id), true));
}

static void they_go_with_their_credential(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 30; i++)
        assert_true(keep(i, &i, sizeof(i), true));
    osspi_id_cache_forget(1);
    osspi_id_cache_forget(7); /* nobody's */
    for (uint32_t i = 0; i < 30; i++)
        assert_int_equal(finds(i, &i, sizeof(i), NOW), i % 3 != 1);
    assert_int_equal(osspi_id_cache_count(), 20);
}

static void the_oldest_goes_first(void **state)
{
    const uint32_t more = 100;

    (void)state;
    for (uint32_t i = 0; i < OSSPI_ID_CACHE_SIZE; i++)
        assert_true(keep(i, &i, sizeof(i), true));
    assert_int_equal(osspi_id_cache_count(), OSSPI_ID_CACHE_SIZE);
    for (uint32_t i = 0; i < more; i++) {
        const uint32_t next = OSSPI_ID_CACHE_SIZE + i;
        assert_true(keep(next, &next, sizeof(next), true));
    }
    assert_int_equal(osspi_id_cache_count(), OSSPI_ID_CACHE_SIZE);
    for (uint32_t i = 0; i < OSSPI_ID_CACHE_SIZE + more; i++)
        assert_int_equal(finds(i, &i, sizeof(i), NOW), i >= more);
}

/* ---- threads and forks ---- */

#define THREADS 4

/* Numbers of its own, and some of everybody's. */
static void *work(void *data)
{
    const uint32_t own = 100000u * *(const uint32_t *)data;
    uint64_t random = own;

    for (uint32_t i = 0; i < TEST_ROUNDS(20000); i++) {
        const uint32_t shared = (uint32_t)test_random(&random) % 16;
        uint8_t id[32];

        make_id(shared, id);
        switch (test_random(&random) % 4) {
        case 0:
            TEST_REQUIRE(keep(shared, &shared, sizeof(shared), true));
            break;
        case 1:
            (void)osspi_id_cache_enable(id, sizeof(id), i % 2 == 0);
            break;
        case 2:
            osspi_id_cache_drop(id, sizeof(id));
            break;
        default:
            (void)finds(shared, &shared, sizeof(shared), NOW);
            break;
        }
        if (i % 64 == 0) {
            const uint32_t mine = own + i;
            TEST_REQUIRE(keep(mine, &mine, sizeof(mine), true));
            TEST_REQUIRE(finds(mine, &mine, sizeof(mine), NOW));
        }
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    static uint32_t numbers[THREADS] = {1, 2, 3, 4};
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(work, &numbers[i]);
    for (int i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
}

static int in_child(void *data)
{
    (void)data;
    if (finds(1, "one", 3, NOW) || osspi_id_cache_count() != 0)
        return 1;
    return keep(2, "child", 5, true) && finds(2, "child", 5, NOW) ? 0 : 2;
}

static void a_child_begins_without_any(void **state)
{
    (void)state;
    assert_true(keep(1, "one", 3, true));
    assert_int_equal(test_child_join(test_child_fork(in_child, NULL)), 0);
    assert_true(finds(1, "one", 3, NOW));
    assert_int_equal(osspi_id_cache_count(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_kept_is_found, empty),
        cmocka_unit_test_setup(what_does_not_fit_is_refused, empty),
        cmocka_unit_test_setup(time_ends_it, empty),
        cmocka_unit_test_setup(enabling_and_dropping, empty),
        cmocka_unit_test_setup(they_go_with_their_credential, empty),
        cmocka_unit_test_setup(the_oldest_goes_first, empty),
        cmocka_unit_test_setup(a_child_begins_without_any, empty),
        cmocka_unit_test_setup_teardown(threads_share_it, empty, empty),
    };

    test_watchdog(60);
    return cmocka_run_group_tests_name("schannel.id_cache", tests, NULL, NULL);
}
