/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The order of legs on one security context: first made, first run, one at a time, whether they
 * were made by a synchronous or an asynchronous call.
 *
 * A waiter stands in line until its turn has come and then holds the turn until it leaves. How it
 * learns of its turn is its own affair: a synchronous call sleeps, an asynchronous one is pushed to
 * its lane. The line is intrusive, so joining cannot fail.
 */
#ifndef OSSPI_CORE_TURN_H
#define OSSPI_CORE_TURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"

struct osspi_turn_waiter {
    struct osspi_turn_waiter *next; /* guarded by the turn's lock, with the line */
    struct osspi_turn_waiter *previous;
    bool in_line;   /* guarded by the turn's lock: standing in line or holding the turn */
    uint32_t epoch; /* fork epoch in which it joined; guarded by the turn's lock */
    /* Called when the turn has come, on the thread that left and under the turn's lock, so it may
     * only push or wake; not called by join. Set before joining. */
    void (*ready)(struct osspi_turn_waiter *waiter);
    _Atomic uint32_t granted; /* osspi_turn_wait's own */
};

struct osspi_turn {
    struct osspi_lock lock;
    uint32_t epoch;                  /* fork epoch of the line; guarded by lock */
    struct osspi_turn_waiter *first; /* holds the turn; guarded by lock */
    struct osspi_turn_waiter *last;
    _Atomic uint32_t home; /* osspi_turn_here of the thread that ran the last leg; 0: none yet */
};

/** The calling thread's place among threads that run legs, given by those who make such threads; 0:
 * it has none. A leg is best run where the one before was: its context is in that CPU's caches. */
extern _Thread_local uint32_t osspi_turn_here;

/** For who runs a leg: the next one is to come here too. */
static inline void osspi_turn_note_home(struct osspi_turn *turn)
{
    uint32_t here = osspi_turn_here;

    if (here != 0 && atomic_load_explicit(&turn->home, memory_order_relaxed) != here)
        atomic_store_explicit(&turn->home, here, memory_order_relaxed);
}

enum osspi_turn_place {
    OSSPI_TURN_NONE,    /* not in line */
    OSSPI_TURN_WAITING, /* in line; ready will be called */
    OSSPI_TURN_HELD     /* holds the turn */
};

/**
 * Stands in line. HELD: the turn is the waiter's at once, and ready will not be called.
 *
 * @param[in] still  asked under the turn's lock; NONE is returned if it says no. NULL: always.
 * @param[in] data   for still
 */
enum osspi_turn_place osspi_turn_join(struct osspi_turn *turn, struct osspi_turn_waiter *waiter,
                                      bool (*still)(void *data), void *data);

/** Leaves the line or gives the turn up, and tells the next in line. Returns what the waiter had;
 * leaving twice is harmless. */
enum osspi_turn_place osspi_turn_leave(struct osspi_turn *turn, struct osspi_turn_waiter *waiter);

/** Joins and sleeps until the turn has come. */
void osspi_turn_wait(struct osspi_turn *turn, struct osspi_turn_waiter *waiter);

#endif
