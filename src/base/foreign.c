/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fork waits for calls into foreign code; see foreign.h. Thread-safe.
 *
 * Who enters counts itself in and then looks whether the gate is closed; who forks closes the gate
 * and then looks at the counts. Both do it in this order with sequential consistency, so that at
 * least one of the two sees the other. Counts are spread over several cache lines, because threads
 * that share nothing else should not meet here.
 */
#include "base/foreign.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/lock.h"

#define STRIPES      16u
#define LIMIT_MS     2000u    /* longest wait of a fork */
#define SLOW_MS      50u      /* the same for threads that may wait for a device */
#define LOOK_EACH_NS 1000000u /* in case a wake-up is missed */

struct stripe {
    _Alignas(64) _Atomic uint32_t inside; /* threads of this stripe inside foreign code */
    _Atomic uint32_t slow;                /* others that are, and may wait for a device there */
};

static struct stripe stripes[STRIPES]; /* atomic */
static _Atomic uint32_t closed;        /* forks that go on; a futex for those who want in */
static _Atomic uint32_t left;          /* threads that left meanwhile; a futex for who forks */
static _Atomic uint32_t next_stripe;
static _Atomic bool ending; /* the process ends; closed stays above 0 from then on */

static _Thread_local uint32_t depth;
static _Thread_local struct stripe *mine;
static _Thread_local bool slow;
static _Thread_local bool own_thread;

static struct stripe *my_stripe(void)
{
    if (mine == NULL)
        mine = &stripes[atomic_fetch_add_explicit(&next_stripe, 1, memory_order_relaxed) % STRIPES];
    return mine;
}

/* Where this thread counts. */
static _Atomic uint32_t *my_count(void)
{
    return slow ? &my_stripe()->slow : &my_stripe()->inside;
}

static void count_out(void)
{
    atomic_fetch_sub(my_count(), 1);
    if (atomic_load(&closed) != 0) {
        atomic_fetch_add(&left, 1);
        osspi_futex_wake(&left, 1);
    }
}

void osspi_foreign_enter(void)
{
    if (depth++ > 0)
        return; /* who is inside must not wait for a fork that waits for it */
    for (;;) {
        atomic_fetch_add(my_count(), 1);
        const uint32_t seen = atomic_load(&closed);
        /* When the process ends only our own threads are kept out: others may be in its way. */
        if (seen == 0 || (atomic_load(&ending) && !own_thread))
            return;
        count_out();
        (void)osspi_futex_wait(&closed, seen, OSSPI_FOREVER);
    }
}

void osspi_foreign_leave(void)
{
    if (--depth == 0)
        count_out();
}

unsigned osspi_foreign_pause(void)
{
    const unsigned entered = depth;

    depth = 0;
    if (entered > 0)
        count_out();
    return entered;
}

void osspi_foreign_resume(unsigned entered)
{
    if (entered == 0)
        return;
    osspi_foreign_enter();
    depth = entered;
}

bool osspi_foreign_set_slow(bool now_slow)
{
    const bool before = slow;

    if (before == now_slow)
        return before;
    if (depth == 0) {
        slow = now_slow;
        return before;
    }
    /* Into the one count before out of the other: a fork never sees it nowhere. */
    atomic_fetch_add(now_slow ? &my_stripe()->slow : &my_stripe()->inside, 1);
    count_out();
    slow = now_slow;
    return before;
}

void osspi_foreign_restore(bool *before)
{
    (void)osspi_foreign_set_slow(*before);
}

/* ---- fork ---- */

static uint32_t count_inside(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < STRIPES; i++)
        count += atomic_load(&stripes[i].inside);
    return count;
}

static uint32_t count_slow(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < STRIPES; i++)
        count += atomic_load(&stripes[i].slow);
    return count;
}

/* ---- the end of the process ---- */

void osspi_foreign_own_thread(void)
{
    own_thread = true;
}

bool osspi_foreign_end(uint64_t deadline_ns)
{
    const uint32_t own = depth > 0;

    own_thread = false; /* whoever ends the process gets in, be it in a callback on a worker */
    if (!atomic_exchange(&ending, true))
        atomic_fetch_add(&closed, 1);
    for (;;) {
        const uint32_t seen = atomic_load(&left);
        const uint64_t now = osspi_now_ns();
        if (count_inside() + count_slow() <= own)
            return true;
        if (now >= deadline_ns)
            return false;
        (void)osspi_futex_wait(&left, seen, now + LOOK_EACH_NS);
    }
}

/* ---- before and after ---- */

static void before_fork(void)
{
    /* One who forks inside foreign code (in a signal handler) does not wait for itself. */
    const uint32_t own = depth > 0 && !slow;
    const uint32_t own_slow = depth > 0 && slow;
    const uint64_t deadline = osspi_deadline_ns(LIMIT_MS);
    const uint64_t slow_deadline = osspi_deadline_ns(SLOW_MS);

    atomic_fetch_add(&closed, 1);
    for (;;) {
        const uint32_t seen = atomic_load(&left);
        const uint64_t now = osspi_now_ns();
        if (now >= deadline)
            return;
        /* Looked at again, because somebody may go from the slow to the others meanwhile. */
        if (count_inside() <= own && (count_slow() <= own_slow || now >= slow_deadline) &&
            count_inside() <= own)
            return;
        (void)osspi_futex_wait(&left, seen, now + LOOK_EACH_NS);
    }
}

static void after_fork_in_parent(void)
{
    atomic_fetch_sub(&closed, 1);
    osspi_futex_wake(&closed, INT32_MAX);
}

static void after_fork_in_child(void)
{
    /* Nobody is here but this thread. */
    for (uint32_t i = 0; i < STRIPES; i++) {
        atomic_store(&stripes[i].inside, 0);
        atomic_store(&stripes[i].slow, 0);
    }
    if (depth > 0)
        atomic_store(my_count(), 1);
    atomic_store(&closed, 0);
    atomic_store(&ending, false);
    own_thread = false; /* it is the child's only thread, and nobody's worker */
}

__attribute__((constructor)) static void watch_forks(void)
{
    /* Fails only without memory at load time; then forks do not wait. */
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
