/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Shared lists of DER objects: equal ones are one, others are not, the last reference frees, and
 * neither a fork, nor threads, nor collisions, nor the lack of memory change that. And the sizes of
 * what each connection has for itself, which are to stay small.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/context.h"
#include "packages/schannel/ders.h"
#include "support/failing_alloc.h"
#include "support/test_util.h"

TEST_FORKS_WITH_THREADS;

#define VIEW(text) ((struct osspi_der_view){(const uint8_t *)(text), sizeof(text) - 1})

static const struct osspi_der_view two[] = {VIEW("a first certificate"), VIEW("a second one")};

static struct osspi_ders *share(const struct osspi_der_view *views, size_t count)
{
    struct osspi_ders *ders = osspi_ders_share(views, count);

    TEST_REQUIRE(ders != NULL);
    return ders;
}

static uint32_t references(const struct osspi_ders *ders)
{
    return atomic_load(&ders->references);
}

/* ---- what is shared ---- */

static void equal_lists_are_one(void **state)
{
    struct osspi_ders *first = share(two, 2);
    char copy[sizeof("a first certificate")] = "a first certificate";
    const struct osspi_der_view same[] = {{(const uint8_t *)copy, sizeof(copy) - 1}, two[1]};
    struct osspi_ders *second = share(same, 2);

    (void)state;
    assert_ptr_equal(first, second);
    assert_int_equal(references(first), 2);
    assert_int_equal(osspi_ders_count(first), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(first->items[i].len, two[i].len);
        assert_memory_equal(first->items[i].bytes, two[i].bytes, two[i].len);
        assert_ptr_not_equal(first->items[i].bytes, two[i].bytes);
    }
    assert_ptr_equal(osspi_ders_ref(first), first);
    assert_int_equal(references(first), 3);
    for (uint32_t i = 0; i < 3; i++)
        osspi_ders_unref(first);
    osspi_ders_unref(NULL);
    assert_null(osspi_ders_ref(NULL));
    assert_int_equal(osspi_ders_count(NULL), 0);
}

static void others_are_not(void **state)
{
    static const struct osspi_der_view rows[][2] = {
        {VIEW("a first certificate"), VIEW("a second one")},
        {VIEW("a second one"), VIEW("a first certificate")},
        {VIEW("a first certificate"), VIEW("a second onf")},
        {VIEW("a first certificat"), VIEW("ea second one")},
        {VIEW("a first certificate"), VIEW("")},
        {VIEW("a first certificate\0"), VIEW("")},
        {VIEW(""), VIEW("")},
    };
    struct osspi_ders *made[OSSPI_COUNT_OF(rows) + 2];

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(rows); i++)
        made[i] = share(rows[i], 2);
    made[OSSPI_COUNT_OF(rows)] = share(rows[0], 1);
    made[OSSPI_COUNT_OF(rows) + 1] = share(NULL, 0);
    for (size_t i = 0; i < OSSPI_COUNT_OF(made); i++) {
        assert_int_equal(references(made[i]), 1);
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(made[i], made[k]);
    }
    for (size_t i = 0; i < OSSPI_COUNT_OF(made); i++)
        osspi_ders_unref(made[i]);
}

static const void *watched;
static uint32_t freed;

static void count_free(void *memory)
{
    freed += memory == watched;
}

static void last_reference_frees(void **state)
{
    struct osspi_ders *ders = share(two, 2);

    (void)state;
    watched = ders;
    freed = 0;
    failing_alloc_watch_free(count_free);
    osspi_ders_unref(share(two, 2));
    assert_int_equal(freed, 0);
    osspi_ders_unref(ders);
    assert_int_equal(freed, 1);
    failing_alloc_watch_free(NULL);
    /* The board has forgotten it. */
    ders = share(two, 2);
    assert_int_equal(references(ders), 1);
    osspi_ders_unref(ders);
}

static void without_memory_there_is_none(void **state)
{
    struct osspi_ders *ders;

    (void)state;
    failing_alloc_nth(1);
    ders = osspi_ders_share(two, 2);
    assert_true(failing_alloc_hit());
    failing_alloc_nth(0);
    assert_null(ders);
    ders = share(two, 2);
    /* What there is needs none. */
    failing_alloc_all();
    assert_ptr_equal(osspi_ders_share(two, 2), ders);
    failing_alloc_nth(0);
    osspi_ders_unref(ders);
    osspi_ders_unref(ders);
}

/* More lists than one board takes: they are given all the same. */
static void many_of_one_board_are_not_shared(void **state)
{
    enum { MANY = 40, BOARDS = 1024 };
    struct osspi_ders *made[MANY];
    uint32_t numbers[MANY];
    size_t count = 0, shared = 0;

    (void)state;
    for (uint32_t i = 0; count < MANY; i++) {
        const struct osspi_der_view view = {(const uint8_t *)&i, sizeof(i)};
        struct osspi_ders *ders = share(&view, 1);

        if (ders->hash % BOARDS == 7) {
            numbers[count] = i;
            made[count++] = ders;
            shared += ders->shared;
        } else {
            osspi_ders_unref(ders);
        }
    }
    assert_in_range(shared, 1, MANY - 1);
    for (size_t i = 0; i < MANY; i++) {
        const struct osspi_der_view view = {(const uint8_t *)&numbers[i], sizeof(numbers[i])};
        struct osspi_ders *again = share(&view, 1);

        assert_int_equal(again == made[i], made[i]->shared);
        assert_memory_equal(again->items[0].bytes, &numbers[i], sizeof(numbers[i]));
        osspi_ders_unref(again);
    }
    for (size_t i = 0; i < MANY; i++)
        osspi_ders_unref(made[i]);
}

/* ---- who shares ---- */

#define THREADS 4u
#define ROUNDS  TEST_ROUNDS(20000)

static void *come_and_go(void *data)
{
    uint32_t seed = (uint32_t)(uintptr_t)data;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t number = (seed = seed * 1664525u + 1013904223u) >> 29;
        const struct osspi_der_view views[] = {{(const uint8_t *)&number, sizeof(number)}, two[0]};
        struct osspi_ders *ders = share(views, 2);

        TEST_REQUIRE(memcmp(ders->items[0].bytes, &number, sizeof(number)) == 0);
        TEST_REQUIRE(memcmp(ders->items[1].bytes, two[0].bytes, two[0].len) == 0);
        osspi_ders_unref(osspi_ders_ref(ders));
        osspi_ders_unref(ders);
    }
    return NULL;
}

static void threads_come_and_go(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(come_and_go, (void *)(i + 1));
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    for (uint32_t number = 0; number < 8; number++) {
        const struct osspi_der_view views[] = {{(const uint8_t *)&number, sizeof(number)}, two[0]};
        struct osspi_ders *ders = share(views, 2);

        assert_int_equal(references(ders), 1);
        osspi_ders_unref(ders);
    }
}

static int look_in_child(void *data)
{
    struct osspi_ders *parents = data;
    struct osspi_ders *own = osspi_ders_share(two, 2);

    if (!own || own == parents || references(own) != 1)
        return 1;
    if (memcmp(parents->items[0].bytes, two[0].bytes, two[0].len) != 0)
        return 2;
    osspi_ders_unref(parents);
    if (osspi_ders_share(two, 2) != own)
        return 3;
    osspi_ders_unref(own);
    osspi_ders_unref(own);
    return 0;
}

static void a_child_has_boards_of_its_own(void **state)
{
    struct osspi_ders *ders = share(two, 2);

    (void)state;
    assert_int_equal(test_child_join(test_child_fork(look_in_child, ders)), 0);
    assert_ptr_equal(share(two, 2), ders);
    osspi_ders_unref(ders);
    osspi_ders_unref(ders);
}

/* ---- what is each connection's own ---- */

static void a_connection_has_little_of_its_own(void **state)
{
    static const struct {
        const char *name;
        size_t size, bound;
    } rows[] = {
        {"struct osspi_context", sizeof(struct osspi_context), 128},
        {"struct osspi_schannel_context", sizeof(struct osspi_schannel_context), 256},
        {"struct osspi_tls_facts in it", sizeof(struct osspi_tls_facts), 64},
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(rows); i++) {
        print_message("%-30s %4zu bytes (bound: %zu)\n", rows[i].name, rows[i].size, rows[i].bound);
        assert_in_range(rows[i].size, 1, rows[i].bound);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_lists_are_one),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(last_reference_frees),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(many_of_one_board_are_not_shared),
        cmocka_unit_test(threads_come_and_go),
        cmocka_unit_test(a_child_has_boards_of_its_own),
        cmocka_unit_test(a_connection_has_little_of_its_own),
    };

    test_watchdog(60);
    return cmocka_run_group_tests_name("schannel.ders", tests, NULL, NULL);
}
