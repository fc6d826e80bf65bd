/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What executor.c and spare.c need of one another.
 */
#ifndef OSSPI_ASYNC_SPARE_H
#define OSSPI_ASYNC_SPARE_H

#include "async/engine.h"

/* A worker outside callbacks, in engine->census; all there are when it begins, fewer when it ends.
 */
#define OSSPI_OUTSIDE_ONE UINT64_C(1)

/* ---- spare.c ---- */

/** More workers outside callbacks than there should be: the calling one counts itself out and goes
 * on to osspi_spare_park(). */
bool osspi_spare_step_back(struct osspi_engine *engine);

/** Stands by. True: released, go on. False: idle for long, or the end; the thread may go. */
bool osspi_spare_park(struct osspi_engine *engine);

/* ---- executor.c ---- */

/** Is the engine closed, and nothing left to do? */
bool osspi_executor_should_end(struct osspi_engine *engine);

/** One more worker; thread_lock is held. False: none to be had. */
bool osspi_executor_spawn_locked(struct osspi_engine *engine);

/** Puts a call at the end of a list that its lock guards. */
static inline void osspi_list_append_locked(struct osspi_call **first, struct osspi_call **last,
                                            struct osspi_call *call)
{
    call->next = NULL;
    if (*last)
        (*last)->next = call;
    else
        *first = call;
    *last = call;
}

#endif
