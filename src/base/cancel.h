/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Stretches of code in which a thread of the application cannot be cancelled.
 *
 * pthread_cancel() takes effect inside read, write, open and the like, and C code is not unwound
 * with its cleanups: a thread that ends there leaves every lock held. So where a lock is held, or
 * a call of somebody else's is run, around such a function, cancellation waits until afterwards.
 */
#ifndef OSSPI_BASE_CANCEL_H
#define OSSPI_BASE_CANCEL_H

#include <pthread.h>

#include "base/memory.h"

/** Puts cancellation off; the state to be given back. No system call. */
static inline int osspi_cancel_off(void)
{
    int before;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

/** For osspi_auto(): gives the state back. */
static inline void osspi_cancel_restore(const int *before)
{
    (void)pthread_setcancelstate(*before, NULL);
}

/** No cancellation to the end of the enclosing block. */
#define OSSPI_UNCANCELLED \
    __attribute__((unused)) const int osspi_cancel_before_ osspi_auto(osspi_cancel_restore) = \
        osspi_cancel_off()

#endif
