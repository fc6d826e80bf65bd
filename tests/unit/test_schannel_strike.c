/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The strike register: each ClientHello once, for as long as it could be good; full, with a clock
 * that was put back and right after its start it takes nothing. Time is given, none is waited for.
 */
#include <string.h>

#include "packages/schannel/strike.h"
#include "support/test_util.h"

#define START ((struct osspi_strike_time){.wall = 1000000, .steady = 500})

static void make_id(uint64_t number, uint8_t id[OSSPI_STRIKE_ID])
{
    memset(id, 0xA5, OSSPI_STRIKE_ID);
    memcpy(id + 8, &number, sizeof(number));
}

static struct osspi_strike_time after(int64_t seconds)
{
    struct osspi_strike_time time = START;

    time.wall += seconds;
    time.steady += seconds;
    return time;
}

/* A ticket that was issued since the register began. */
static bool strike(uint64_t number, int64_t seconds)
{
    const struct osspi_strike_time now = after(seconds);
    uint8_t id[OSSPI_STRIKE_ID];

    make_id(number, id);
    return osspi_strike(id, START.wall, &now);
}

static int start(void **state)
{
    const struct osspi_strike_time now = START;

    (void)state;
    osspi_strike_reset();
    return osspi_strike_start(&now) ? 0 : -1;
}

static void each_hello_counts_once(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(strike(i, 0));
        assert_false(strike(i, 0));
    }
    assert_int_equal(osspi_strike_count(), 1000);
    for (uint64_t i = 0; i < 1000; i++)
        assert_false(strike(i, OSSPI_STRIKE_WINDOW_S - 1));
}

static void after_the_window_it_is_forgotten(void **state)
{
    (void)state;
    assert_true(strike(1, 0));
    assert_true(strike(2, 1));
    assert_true(strike(3, OSSPI_STRIKE_WINDOW_S)); /* the first one's time is over */
    assert_int_equal(osspi_strike_count(), 2);
    assert_false(strike(2, OSSPI_STRIKE_WINDOW_S));
    assert_true(strike(2, OSSPI_STRIKE_WINDOW_S + 1));
    assert_false(strike(2, OSSPI_STRIKE_WINDOW_S + 1));
}

/* Refuse, rather than forget. */
static void a_full_register_takes_nothing(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OSSPI_STRIKE_SIZE; i++)
        assert_true(strike(i, i < 100 ? 0 : 1));
    assert_false(strike(OSSPI_STRIKE_SIZE, 1));
    assert_int_equal(osspi_strike_count(), OSSPI_STRIKE_SIZE);
    for (uint64_t i = 0; i < 100; i++) /* as many as have ended */
        assert_true(strike(OSSPI_STRIKE_SIZE + i, OSSPI_STRIKE_WINDOW_S));
    assert_false(strike(2 * OSSPI_STRIKE_SIZE, OSSPI_STRIKE_WINDOW_S));
    for (uint64_t i = 100; i < OSSPI_STRIKE_SIZE; i++)
        assert_false(strike(i, OSSPI_STRIKE_WINDOW_S));
    assert_true(strike(2 * OSSPI_STRIKE_SIZE, 2 * OSSPI_STRIKE_WINDOW_S));
}

/* What is good by the clock may be older than what is remembered. */
static void a_clock_that_was_put_back_closes_it(void **state)
{
    struct osspi_strike_time now = after(100);
    uint8_t id[OSSPI_STRIKE_ID];

    (void)state;
    make_id(1, id);
    assert_true(osspi_strike(id, START.wall, &now));
    now.steady += 2 * OSSPI_STRIKE_WINDOW_S;
    now.wall -= 10;
    assert_false(osspi_strike(id, START.wall, &now));
    make_id(2, id);
    assert_false(osspi_strike(id, START.wall, &now));
    now.steady += 8;
    now.wall += 8; /* two seconds are still missing */
    assert_false(osspi_strike(id, START.wall, &now));
    now.steady += 2;
    now.wall += 2;
    assert_true(osspi_strike(id, START.wall, &now));
}

static void tickets_from_before_its_start_wait(void **state)
{
    struct osspi_strike_time now = START;
    uint8_t id[OSSPI_STRIKE_ID];

    (void)state;
    make_id(1, id);
    assert_false(osspi_strike(id, now.wall - 1, &now));
    now = after(OSSPI_STRIKE_WINDOW_S - 1);
    assert_false(osspi_strike(id, START.wall - 1, &now));
    now = after(OSSPI_STRIKE_WINDOW_S);
    assert_true(osspi_strike(id, START.wall - 1, &now));
}

/* ---- threads and forks ---- */

#define THREADS 4
#define HELLOS  4000

struct racer {
    uint32_t taken;
    struct test_gate *gate;
};

static void *race(void *data)
{
    struct racer *racer = data;

    test_gate_pass(racer->gate);
    for (uint64_t i = 0; i < HELLOS; i++)
        racer->taken += strike(i, 0) ? 1 : 0;
    return NULL;
}

/* The same hellos come to all threads at once; each is taken by one of them. */
static void one_of_many_threads_takes_it(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    uint32_t taken = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){0, &gate};
        threads[i] = test_thread_start(race, &racers[i]);
    }
    test_gate_await(&gate, THREADS);
    test_gate_open(&gate);
    for (int i = 0; i < THREADS; i++) {
        test_thread_join(threads[i]);
        taken += racers[i].taken;
    }
    assert_int_equal(taken, HELLOS);
}

static int in_child(void *data)
{
    struct osspi_strike_time now = after(5);
    uint8_t id[OSSPI_STRIKE_ID];
    (void)data;

    if (osspi_strike_count() != 0)
        return 1;
    make_id(1, id); /* the parent's ticket, and one of its own */
    if (osspi_strike(id, START.wall, &now))
        return 2;
    return osspi_strike(id, now.wall, &now) && !osspi_strike(id, now.wall, &now) ? 0 : 3;
}

static void a_child_begins_anew(void **state)
{
    (void)state;
    assert_true(strike(1, 0));
    assert_int_equal(test_child_join(test_child_fork(in_child, NULL)), 0);
    assert_false(strike(1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_hello_counts_once, start),
        cmocka_unit_test_setup(after_the_window_it_is_forgotten, start),
        cmocka_unit_test_setup(a_full_register_takes_nothing, start),
        cmocka_unit_test_setup(a_clock_that_was_put_back_closes_it, start),
        cmocka_unit_test_setup(tickets_from_before_its_start_wait, start),
        cmocka_unit_test_setup(a_child_begins_anew, start),
        cmocka_unit_test_setup(one_of_many_threads_takes_it, start),
    };

    test_watchdog(60);
    return cmocka_run_group_tests_name("schannel.strike", tests, NULL, NULL);
}
