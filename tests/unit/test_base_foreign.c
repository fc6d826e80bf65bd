/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fork and calls into foreign code: fork waits for who is inside, and for nobody else.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "base/foreign.h"
#include "support/test_util.h"

TEST_FORKS_WITH_THREADS;

/* Stands for a lock inside foreign code: a fork that meets it held would leave it so. */
static pthread_mutex_t foreign_lock = PTHREAD_MUTEX_INITIALIZER;
static struct test_gate leaving = TEST_GATE_INIT;
static _Atomic bool stop;

static int child_takes_the_lock(void *data)
{
    (void)data;
    osspi_foreign_enter();
    TEST_REQUIRE(pthread_mutex_trylock(&foreign_lock) == 0);
    pthread_mutex_unlock(&foreign_lock);
    osspi_foreign_leave();
    return 0;
}

static void *call_often(void *data)
{
    (void)data;
    while (!stop) {
        osspi_foreign_enter();
        osspi_foreign_enter();
        pthread_mutex_lock(&foreign_lock);
        pthread_mutex_unlock(&foreign_lock);
        osspi_foreign_leave();
        osspi_foreign_leave();
    }
    return NULL;
}

static void fork_never_meets_a_call(void **state)
{
    pthread_t threads[3];

    (void)state;
    stop = false;
    for (int i = 0; i < 3; i++)
        threads[i] = test_thread_start(call_often, NULL);
    for (uint32_t i = 0; i < TEST_ROUNDS(300); i++)
        assert_int_equal(test_child_join(test_child_fork(child_takes_the_lock, NULL)), 0);
    stop = true;
    for (int i = 0; i < 3; i++)
        test_thread_join(threads[i]);
}

static int child_does_nothing(void *data)
{
    return *(const int *)data;
}

static void *fork_once(void *data)
{
    int zero = 0;

    (void)data;
    TEST_REQUIRE(test_child_join(test_child_fork(child_does_nothing, &zero)) == 0);
    return NULL;
}

static void *stay_inside(void *data)
{
    (void)data;
    osspi_foreign_enter();
    test_gate_pass(&leaving);
    osspi_foreign_leave();
    return NULL;
}

/* Somebody is inside while another forks: nested calls go on, and the fork ends when it is left. */
static void call_inside_goes_on_while_a_fork_waits(void **state)
{
    (void)state;
    pthread_t inside = test_thread_start(stay_inside, NULL);
    test_gate_await(&leaving, 1);
    pthread_t forker = test_thread_start(fork_once, NULL);
    test_gate_open(&leaving);
    test_thread_join(forker);
    test_thread_join(inside);
}

static void fork_from_inside_does_not_wait_for_itself(void **state)
{
    (void)state;
    osspi_foreign_enter();
    assert_int_equal(test_child_join(test_child_fork(child_takes_the_lock, NULL)), 0);
    osspi_foreign_leave();
    assert_int_equal(test_child_join(test_child_fork(child_takes_the_lock, NULL)), 0);
}

/* ---- who may wait for a device in there ---- */

static struct test_gate device = TEST_GATE_INIT;

static void *stay_slow(void *data)
{
    (void)data;
    osspi_foreign_enter();
    {
        OSSPI_FOREIGN_SLOW;
        test_gate_pass(&device);
    }
    osspi_foreign_leave();
    return NULL;
}

/* The child finds nobody inside. That the fork does not wait long cannot be asserted. */
static void fork_goes_on_beside_a_slow_call(void **state)
{
    pthread_t slow;

    (void)state;
    slow = test_thread_start(stay_slow, NULL);
    test_gate_await(&device, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(test_child_join(test_child_fork(child_takes_the_lock, NULL)), 0);
    test_gate_open(&device);
    test_thread_join(slow);
}

static void *go_slow_and_back(void *data)
{
    (void)data;
    while (!stop) {
        osspi_foreign_enter();
        {
            OSSPI_FOREIGN_SLOW;
            osspi_foreign_enter();
            osspi_foreign_leave();
        }
        pthread_mutex_lock(&foreign_lock);
        pthread_mutex_unlock(&foreign_lock);
        osspi_foreign_leave();
    }
    return NULL;
}

/* On the way back from slow nobody slips through: the lock is taken by those who count. */
static void fork_waits_for_who_is_slow_no_more(void **state)
{
    pthread_t threads[3];

    (void)state;
    stop = false;
    for (int i = 0; i < 3; i++)
        threads[i] = test_thread_start(go_slow_and_back, NULL);
    for (uint32_t i = 0; i < TEST_ROUNDS(300); i++)
        assert_int_equal(test_child_join(test_child_fork(child_takes_the_lock, NULL)), 0);
    stop = true;
    for (int i = 0; i < 3; i++)
        test_thread_join(threads[i]);
}

static int prepare(void **state)
{
    (void)state;
    test_watchdog(60);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_never_meets_a_call),
        cmocka_unit_test(call_inside_goes_on_while_a_fork_waits),
        cmocka_unit_test(fork_from_inside_does_not_wait_for_itself),
        cmocka_unit_test(fork_goes_on_beside_a_slow_call),
        cmocka_unit_test(fork_waits_for_who_is_slow_no_more),
    };

    return cmocka_run_group_tests_name("base.foreign", tests, prepare, NULL);
}
