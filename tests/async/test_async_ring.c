/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The engine's ticket queue: order, bounds, wrapping of its counters, and no ticket lost or given
 * twice between any number of producers and consumers.
 */
#include "support/test_util.h"

#include <sched.h>
#include <stdlib.h>

#include "async/ring.h"

static void ring_gives_tickets_in_order_and_keeps_its_bound(void **state)
{
    struct osspi_ring ring;
    uint32_t capacity = 0;
    uint64_t ticket;

    (void)state;
    assert_true(osspi_ring_init(&ring, 100));
    assert_false(osspi_ring_has_any(&ring));
    assert_false(osspi_ring_pop(&ring, &ticket));
    while (osspi_ring_push(&ring, UINT64_C(1) << 40 | capacity))
        capacity++;
    assert_in_range(capacity, 100, 256);
    assert_true(osspi_ring_has_any(&ring));
    for (uint32_t i = 0; i < capacity; i++) {
        assert_true(osspi_ring_pop(&ring, &ticket));
        assert_true(ticket == (UINT64_C(1) << 40 | i));
    }
    assert_false(osspi_ring_pop(&ring, &ticket));
    assert_false(osspi_ring_has_any(&ring));
    osspi_ring_clear(&ring);
}

/* Positions count on for ever in 32 bits: they are set just before their end. */
static void ring_works_across_the_wrap_of_its_counters(void **state)
{
    struct osspi_ring ring;
    uint64_t next_in = 0;
    uint64_t next_out = 0;
    uint64_t ticket;
    uint32_t start;

    (void)state;
    assert_true(osspi_ring_init(&ring, 8));
    start = (UINT32_MAX - 20) & ~ring.mask;
    atomic_store(&ring.head, start);
    atomic_store(&ring.tail, start);
    for (uint32_t i = 0; i <= ring.mask; i++)
        atomic_store(&ring.cells[i].sequence, start + i);
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < 1 + round % 8; i++)
            assert_true(osspi_ring_push(&ring, next_in++));
        assert_true(osspi_ring_has_any(&ring));
        while (osspi_ring_pop(&ring, &ticket))
            assert_true(ticket == next_out++);
        assert_true(next_out == next_in);
    }
    osspi_ring_clear(&ring);
}

enum { PRODUCERS = 3, CONSUMERS = 3 };

static struct {
    struct osspi_ring ring;
    uint32_t per_producer;
    _Atomic uint8_t *seen;
    _Atomic uint32_t popped;
} stress;

static void *produce(void *data)
{
    uint64_t base = (uintptr_t)data * stress.per_producer;

    for (uint32_t i = 0; i < stress.per_producer; i++) {
        while (!osspi_ring_push(&stress.ring, base + i))
            sched_yield();
    }
    return NULL;
}

static void *consume(void *data)
{
    uint32_t last[PRODUCERS] = {0};
    uint64_t ticket;

    while (atomic_load(&stress.popped) < PRODUCERS * stress.per_producer) {
        uint32_t producer;
        uint32_t number;

        if (!osspi_ring_pop(&stress.ring, &ticket)) {
            sched_yield();
            continue;
        }
        producer = (uint32_t)(ticket / stress.per_producer);
        number = (uint32_t)(ticket % stress.per_producer) + 1;
        TEST_REQUIRE(producer < PRODUCERS);
        TEST_REQUIRE(number > last[producer]); /* those of one producer come in its order */
        last[producer] = number;
        TEST_REQUIRE_EQUAL(atomic_fetch_add(&stress.seen[ticket], 1), 0);
        atomic_fetch_add(&stress.popped, 1);
    }
    return data;
}

static void ring_between_many_threads_loses_and_doubles_nothing(void **state)
{
    pthread_t threads[PRODUCERS + CONSUMERS];

    (void)state;
    stress.per_producer = TEST_ROUNDS(300000);
    stress.seen = calloc(PRODUCERS * (size_t)stress.per_producer, 1);
    assert_non_null(stress.seen);
    assert_true(osspi_ring_init(&stress.ring, 64));
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        threads[i] = test_thread_start(produce, (void *)i);
    for (uintptr_t i = 0; i < CONSUMERS; i++)
        threads[PRODUCERS + i] = test_thread_start(consume, NULL);
    for (uint32_t i = 0; i < PRODUCERS + CONSUMERS; i++)
        test_thread_join(threads[i]);
    for (uint32_t i = 0; i < PRODUCERS * stress.per_producer; i++)
        assert_int_equal(atomic_load(&stress.seen[i]), 1);
    free((void *)stress.seen);
    osspi_ring_clear(&stress.ring);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_gives_tickets_in_order_and_keeps_its_bound),
        cmocka_unit_test(ring_works_across_the_wrap_of_its_counters),
        cmocka_unit_test(ring_between_many_threads_loses_and_doubles_nothing),
    };

    test_watchdog(60);
    return cmocka_run_group_tests_name("async.ring", tests, NULL, NULL);
}
