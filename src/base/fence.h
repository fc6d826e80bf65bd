/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A full barrier that costs nothing where the instruction before it is one already.
 *
 * Two threads that each write one word and then read the other's need a full barrier between the
 * two, or both may miss what the other wrote. On x86 every locked instruction is such a barrier;
 * C's read-modify-writes promise it only for themselves, so elsewhere a fence is added.
 */
#ifndef OSSPI_BASE_FENCE_H
#define OSSPI_BASE_FENCE_H

#include <stdatomic.h>
#include <stdint.h>

/** What stands before the last read-modify-write of this thread is visible to all before anything
 * is read behind this. The read-modify-write must be at least memory_order_acq_rel. */
static inline void osspi_fence_after_rmw(void)
{
#if defined(__x86_64__) || defined(__i386__)
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/** A full barrier. word: any that nobody minds being written, for a build whose thread sanitizer
 * does not know fences. Cheaper than a read-modify-write of a word that other threads read. */
static inline void osspi_fence(_Atomic uint32_t *word)
{
#ifdef __SANITIZE_THREAD__
    atomic_fetch_add(word, 0);
#else
    (void)word;
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif
