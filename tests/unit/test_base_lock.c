/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The futex mutex: exclusion under contention, sleepers are woken, a fork leaves no lock behind in
 * the child whoever held it, and the two futex calls.
 */
#include "support/test_util.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/memory.h"

TEST_FORKS_WITH_THREADS;

#define THREADS 4u

struct shared {
    struct osspi_lock lock;
    uint64_t count; /* guarded by lock; plain on purpose */
    uint32_t rounds;
};

static void *count_under_lock(void *data)
{
    struct shared *shared = data;

    for (uint32_t i = 0; i < shared->rounds; i++) {
        OSSPI_LOCKED(&shared->lock);
        shared->count++;
    }
    return NULL;
}

static void lock_under_contention_loses_no_count(void **state)
{
    struct shared shared = {.rounds = TEST_ROUNDS(500000)};
    pthread_t threads[THREADS];

    (void)state;
    for (uint32_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(count_under_lock, &shared);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    assert_int_equal(shared.count, (uint64_t)THREADS * shared.rounds);
}

static bool somebody_waits(void *data)
{
    struct osspi_lock *lock = data;

    return (atomic_load(&lock->word) & 3u) == 2;
}

static void lock_held_makes_others_sleep_until_released(void **state)
{
    struct shared shared = {.rounds = 1};
    pthread_t threads[THREADS];

    (void)state;
    osspi_lock_acquire(&shared.lock);
    for (uint32_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(count_under_lock, &shared);
    test_poll(somebody_waits, &shared.lock);
    assert_int_equal(shared.count, 0);
    osspi_lock_release(&shared.lock);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    assert_int_equal(shared.count, THREADS);
}

static void lock_scope_releases_on_every_way_out(void **state)
{
    struct osspi_lock lock = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        OSSPI_LOCKED(&lock);
        if (i == 1)
            continue;
        assert_int_equal(atomic_load(&lock.word) & 3u, 1);
    }
    assert_int_equal(atomic_load(&lock.word) & 3u, 0);
}

struct holder {
    struct osspi_lock lock;
    struct test_gate gate;
};

static void *hold_lock(void *data)
{
    struct holder *holder = data;

    osspi_lock_acquire(&holder->lock);
    test_gate_pass(&holder->gate);
    osspi_lock_release(&holder->lock);
    return NULL;
}

static int use_lock(void *data)
{
    struct holder *holder = data;

    for (int i = 0; i < 3; i++) {
        osspi_lock_acquire(&holder->lock);
        osspi_lock_release(&holder->lock);
    }
    return 0;
}

static int use_lock_in_grandchild(void *data)
{
    struct holder *holder = data;
    pid_t child;

    /* Held by this process, not by the one that forks off below: free there all the same. */
    osspi_lock_acquire(&holder->lock);
    child = fork();
    if (child == 0) {
        osspi_lock_acquire(&holder->lock);
        osspi_lock_release(&holder->lock);
        _exit(0);
    }
    osspi_lock_release(&holder->lock);
    return test_child_join(child);
}

static void lock_held_by_a_parents_thread_is_free_in_the_child(void **state)
{
    struct holder holder = {.gate = TEST_GATE_INIT};
    pthread_t thread = test_thread_start(hold_lock, &holder);

    (void)state;
    test_gate_await(&holder.gate, 1);
    assert_int_equal(test_child_join(test_child_fork(use_lock, &holder)), 0);
    assert_int_equal(test_child_join(test_child_fork(use_lock_in_grandchild, &holder)), 0);
    test_gate_open(&holder.gate);
    test_thread_join(thread);
    /* And the parent's own lock was not touched. */
    assert_int_equal(use_lock(&holder), 0);
}

static int release_and_use_lock(void *data)
{
    struct holder *holder = data;

    osspi_lock_release(&holder->lock);
    return use_lock(data);
}

static void lock_held_by_the_forking_thread_can_be_released_in_the_child(void **state)
{
    struct holder holder = {.gate = TEST_GATE_INIT};
    pid_t child;

    (void)state;
    osspi_lock_acquire(&holder.lock);
    child = test_child_fork(release_and_use_lock, &holder);
    osspi_lock_release(&holder.lock);
    assert_int_equal(test_child_join(child), 0);
}

static int epoch_moved_on(void *data)
{
    return osspi_fork_epoch() == *(uint32_t *)data + 1 ? 0 : 1;
}

static void lock_fork_moves_the_epoch_on_in_the_child_alone(void **state)
{
    uint32_t epoch = osspi_fork_epoch();

    (void)state;
    assert_int_equal(test_child_join(test_child_fork(epoch_moved_on, &epoch)), 0);
    assert_int_equal(osspi_fork_epoch(), epoch);
}

static void futex_wait_for_another_value_returns_at_once(void **state)
{
    _Atomic uint32_t word = 1;

    (void)state;
    assert_true(osspi_futex_wait(&word, 0, OSSPI_FOREVER));
}

static void futex_wait_ends_at_its_deadline_and_not_before(void **state)
{
    _Atomic uint32_t word = 0;
    uint64_t deadline = osspi_deadline_ns(30);

    (void)state;
    /* It may wake without cause; the answer false is what ends the wait. */
    while (osspi_futex_wait(&word, 0, deadline))
        ;
    assert_true(osspi_now_ns() >= deadline);
    assert_false(osspi_futex_wait(&word, 0, 1));
}

static void *sleep_on_word(void *data)
{
    _Atomic uint32_t *word = data;

    while (atomic_load(word) == 0)
        osspi_futex_wait(word, 0, OSSPI_FOREVER);
    return NULL;
}

static void futex_wake_wakes_all_sleepers(void **state)
{
    _Atomic uint32_t word = 0;
    pthread_t threads[THREADS];

    (void)state;
    for (uint32_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(sleep_on_word, &word);
    atomic_store(&word, 1);
    osspi_futex_wake(&word, INT32_MAX);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lock_under_contention_loses_no_count),
        cmocka_unit_test(lock_held_makes_others_sleep_until_released),
        cmocka_unit_test(lock_scope_releases_on_every_way_out),
        cmocka_unit_test(lock_held_by_a_parents_thread_is_free_in_the_child),
        cmocka_unit_test(lock_held_by_the_forking_thread_can_be_released_in_the_child),
        cmocka_unit_test(lock_fork_moves_the_epoch_on_in_the_child_alone),
        cmocka_unit_test(futex_wait_for_another_value_returns_at_once),
        cmocka_unit_test(futex_wait_ends_at_its_deadline_and_not_before),
        cmocka_unit_test(futex_wake_wakes_all_sleepers),
    };

    test_watchdog(30);
    return cmocka_run_group_tests_name("base.lock", tests, NULL, NULL);
}
