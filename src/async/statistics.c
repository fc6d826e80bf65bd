/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Counters and histograms of the process. All are relaxed atomics: each is exact, together they are
 * of nearly the same moment. A forked child starts from zero.
 */
#include "async/engine.h"

static struct {
    _Atomic uint32_t epoch; /* of the numbers */
    _Atomic uint64_t counters[OSSPI_COUNTERS];
    struct {
        _Atomic uint64_t wait[OSSPI_HISTOGRAM_BUCKETS];
        _Atomic uint64_t run[OSSPI_HISTOGRAM_BUCKETS];
    } calls[OsspiCallKindCount];
} numbers; /* all fields are atomic */

/* The first to count in a forked child clears the parent's numbers. There may be other threads by
 * then, so a number or two may be lost; they are statistics. */
static void mend_after_fork(void)
{
    uint32_t epoch = osspi_fork_epoch();

    if (__builtin_expect(atomic_load_explicit(&numbers.epoch, memory_order_relaxed) == epoch, 1))
        return;
    if (atomic_exchange(&numbers.epoch, epoch) == epoch)
        return;
    for (int i = 0; i < OSSPI_COUNTERS; i++)
        atomic_store(&numbers.counters[i], 0);
    for (int kind = 0; kind < OsspiCallKindCount; kind++) {
        for (int i = 0; i < OSSPI_HISTOGRAM_BUCKETS; i++) {
            atomic_store(&numbers.calls[kind].wait[i], 0);
            atomic_store(&numbers.calls[kind].run[i], 0);
        }
    }
}

void osspi_count(enum osspi_counter counter)
{
    mend_after_fork();
    atomic_fetch_add_explicit(&numbers.counters[counter], 1, memory_order_relaxed);
}

void osspi_count_down(enum osspi_counter counter)
{
    atomic_fetch_sub_explicit(&numbers.counters[counter], 1, memory_order_relaxed);
}

uint64_t osspi_counter_value(enum osspi_counter counter)
{
    mend_after_fork();
    return atomic_load_explicit(&numbers.counters[counter], memory_order_relaxed);
}

/* Bucket 0: below 1 us; n: from 2^(n-1) us to below 2^n us. */
static unsigned bucket_of(uint64_t ns)
{
    uint64_t us = ns / 1000;
    unsigned bucket = us == 0 ? 0 : 64 - (unsigned)__builtin_clzll(us);

    return bucket < OSSPI_HISTOGRAM_BUCKETS ? bucket : OSSPI_HISTOGRAM_BUCKETS - 1;
}

void osspi_count_wait(OsspiCallKind kind, uint64_t ns)
{
    atomic_fetch_add_explicit(&numbers.calls[kind].wait[bucket_of(ns)], 1, memory_order_relaxed);
}

void osspi_count_run(OsspiCallKind kind, uint64_t ns)
{
    atomic_fetch_add_explicit(&numbers.calls[kind].run[bucket_of(ns)], 1, memory_order_relaxed);
}

static void read_histogram(_Atomic uint64_t *buckets, OsspiHistogram *ret_histogram)
{
    ret_histogram->count = 0;
    for (int i = 0; i < OSSPI_HISTOGRAM_BUCKETS; i++) {
        ret_histogram->bucket[i] = atomic_load_explicit(&buckets[i], memory_order_relaxed);
        ret_histogram->count += ret_histogram->bucket[i];
    }
}

void osspi_histograms(OsspiCallStatistics ret_calls[OsspiCallKindCount])
{
    mend_after_fork();
    for (int kind = 0; kind < OsspiCallKindCount; kind++) {
        read_histogram(numbers.calls[kind].wait, &ret_calls[kind].queue_wait);
        read_histogram(numbers.calls[kind].run, &ret_calls[kind].run_time);
    }
}
