/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The fork-proof futex mutex; see lock.h.
 *
 * The word's low two bits are 0 free, 1 held, 2 held with sleepers; the rest is the fork epoch in
 * which it was taken. A word of another epoch counts as free, whatever its low bits say.
 */
#include "base/lock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HELD       1u
#define CONTENDED  2u
#define STATE_MASK 3u

_Atomic uint32_t osspi_fork_epoch_word; /* atomic; see lock.h */

/* The child of a fork has one thread and runs this before anything else: a plain count suffices. */
static void child_of_fork(void)
{
    atomic_fetch_add_explicit(&osspi_fork_epoch_word, 1, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void)
{
    /* Fails only without memory at load time; then forked children keep the parent's epoch. */
    (void)pthread_atfork(NULL, NULL, child_of_fork);
}

static uint32_t word_in_epoch(uint32_t state)
{
    return osspi_fork_epoch() << 2 | state;
}

static bool is_free(uint32_t word)
{
    return (word & STATE_MASK) == 0 || (word & ~STATE_MASK) != word_in_epoch(0);
}

static void acquire_contended(struct osspi_lock *lock)
{
    const uint32_t contended = word_in_epoch(CONTENDED);
    uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);

    for (;;) {
        if (is_free(seen)) {
            /* Taken as contended: we cannot know whether others still sleep. */
            if (atomic_compare_exchange_weak_explicit(&lock->word, &seen, contended,
                                                      memory_order_acquire, memory_order_relaxed))
                return;
            continue;
        }
        if (seen != contended &&
            !atomic_compare_exchange_weak_explicit(&lock->word, &seen, contended,
                                                   memory_order_relaxed, memory_order_relaxed))
            continue;
        osspi_futex_wait(&lock->word, contended, OSSPI_FOREVER);
        seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
    }
}

void osspi_lock_acquire(struct osspi_lock *lock)
{
    uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);

    if (is_free(seen) &&
        atomic_compare_exchange_strong_explicit(&lock->word, &seen, word_in_epoch(HELD),
                                                memory_order_acquire, memory_order_relaxed))
        return;
    acquire_contended(lock);
}

void osspi_lock_release(struct osspi_lock *lock)
{
    uint32_t before = atomic_exchange_explicit(&lock->word, word_in_epoch(0), memory_order_release);

    if ((before & STATE_MASK) == CONTENDED)
        osspi_futex_wake(&lock->word, 1);
}

void osspi_lock_releasep(struct osspi_lock **lock)
{
    if (*lock)
        osspi_lock_release(*lock);
}

bool osspi_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
    struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(deadline_ns % UINT64_C(1000000000)),
    };
    /* The BITSET form takes an absolute CLOCK_MONOTONIC deadline. */
    long result =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                deadline_ns == OSSPI_FOREVER ? NULL : &deadline, NULL, FUTEX_BITSET_MATCH_ANY);

    return !(result == -1 && errno == ETIMEDOUT);
}

void osspi_futex_wake(_Atomic uint32_t *word, int count)
{
    /* EFAULT is possible and harmless: the word's object may have gone after the store that woke.
     */
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}
