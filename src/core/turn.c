/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The line of legs on one security context; see turn.h. In a forked child the line is empty: the
 * parent's waiters are not here.
 */
#include "core/turn.h"

#include <stddef.h>

#include "base/memory.h"

_Thread_local uint32_t osspi_turn_here; /* each thread its own */

static void mend_after_fork_locked(struct osspi_turn *turn)
{
    if (turn->epoch == osspi_fork_epoch())
        return;
    turn->epoch = osspi_fork_epoch();
    turn->first = turn->last = NULL;
}

enum osspi_turn_place osspi_turn_join(struct osspi_turn *turn, struct osspi_turn_waiter *waiter,
                                      bool (*still)(void *data), void *data)
{
    OSSPI_LOCKED(&turn->lock);
    mend_after_fork_locked(turn);
    if (still && !still(data))
        return OSSPI_TURN_NONE;
    waiter->in_line = true;
    waiter->epoch = osspi_fork_epoch();
    waiter->next = NULL;
    waiter->previous = turn->last;
    if (turn->last)
        turn->last->next = waiter;
    else
        turn->first = waiter;
    turn->last = waiter;
    return turn->first == waiter ? OSSPI_TURN_HELD : OSSPI_TURN_WAITING;
}

/* Takes the waiter out; returns who holds the turn now because of that, or NULL. */
static struct osspi_turn_waiter *unlink_locked(struct osspi_turn *turn,
                                               struct osspi_turn_waiter *waiter)
{
    bool held_turn = turn->first == waiter;

    waiter->in_line = false;
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        turn->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        turn->last = waiter->previous;
    return held_turn ? turn->first : NULL;
}

enum osspi_turn_place osspi_turn_leave(struct osspi_turn *turn, struct osspi_turn_waiter *waiter)
{
    enum osspi_turn_place had;
    struct osspi_turn_waiter *next;

    OSSPI_LOCKED(&turn->lock);
    mend_after_fork_locked(turn);
    /* Who stood in the parent's line before the fork does not stand in this one. */
    if (!waiter->in_line || waiter->epoch != osspi_fork_epoch())
        return OSSPI_TURN_NONE;
    had = turn->first == waiter ? OSSPI_TURN_HELD : OSSPI_TURN_WAITING;
    next = unlink_locked(turn, waiter);
    /* Told under the lock: a waiter that is cancelled at this moment leaves under the lock too, so
     * it cannot be gone while it is told. */
    if (next)
        next->ready(next);
    return had;
}

static void wake_sleeper(struct osspi_turn_waiter *waiter)
{
    atomic_store_explicit(&waiter->granted, 1, memory_order_release);
    osspi_futex_wake(&waiter->granted, 1);
}

void osspi_turn_wait(struct osspi_turn *turn, struct osspi_turn_waiter *waiter)
{
    waiter->ready = wake_sleeper;
    atomic_store_explicit(&waiter->granted, 0, memory_order_relaxed);
    if (osspi_turn_join(turn, waiter, NULL, NULL) == OSSPI_TURN_HELD)
        return;
    while (atomic_load_explicit(&waiter->granted, memory_order_acquire) == 0)
        osspi_futex_wait(&waiter->granted, 0, OSSPI_FOREVER);
}
