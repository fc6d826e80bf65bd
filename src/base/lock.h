/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A small futex mutex that a fork cannot leave locked, and the futex calls themselves.
 *
 * A lock word carries the fork epoch in which it was taken. In a forked child the epoch has moved
 * on, so a lock that some thread of the parent held counts as free: for locks of this kind no
 * atfork handler has to stop the world, and none can deadlock. (Those of the TLS library are not of
 * this kind; fork waits for them, see foreign.h.) What such a lock guarded may be half written; its
 * owner compares osspi_fork_epoch() with the epoch stored beside the data and starts it afresh.
 *
 * Zero-initialised memory is a free lock.
 */
#ifndef OSSPI_BASE_LOCK_H
#define OSSPI_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

struct osspi_lock {
    _Atomic uint32_t word; /* epoch << 2 | 0 free, 1 held, 2 held and somebody waits */
};

/* Written by the atfork child handler alone, before any other code of the child runs. */
extern _Atomic uint32_t osspi_fork_epoch_word;

/** The number of forks between the first process that loaded the library and this one. */
static inline uint32_t osspi_fork_epoch(void)
{
    return atomic_load_explicit(&osspi_fork_epoch_word, memory_order_relaxed);
}

void osspi_lock_acquire(struct osspi_lock *lock);
void osspi_lock_release(struct osspi_lock *lock);

/** For osspi_auto(): releases the lock a variable points to, unless that is NULL. */
void osspi_lock_releasep(struct osspi_lock **lock);

/** Holds a lock to the end of the enclosing block. */
#define OSSPI_LOCKED(lock) \
    __attribute__((unused)) struct osspi_lock *osspi_held_ osspi_auto(osspi_lock_releasep) = \
        osspi_lock_take(lock)

static inline struct osspi_lock *osspi_lock_take(struct osspi_lock *lock)
{
    osspi_lock_acquire(lock);
    return lock;
}

#define OSSPI_FOREVER UINT64_MAX

/**
 * Sleeps while *word is expected, at most until deadline_ns (CLOCK_MONOTONIC; OSSPI_FOREVER for no
 * limit). Returns false when the deadline has passed; may return true without cause.
 */
bool osspi_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);

/** Wakes at most count sleepers on word. */
void osspi_futex_wake(_Atomic uint32_t *word, int count);

#endif
