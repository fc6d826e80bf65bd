/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How long calls wait and run, without three readings of the clock for each of them.
 *
 * Reading the clock costs as much as four locked instructions, a third of an empty call. So while
 * calls follow one another faster than workers fall asleep, only one in eight is timed, and all
 * whose kind took long when it was last timed. Of the others the run is watched by the coarse
 * clock, which costs a fifth: if two of its ticks passed, the time has certainly passed, and is
 * counted as it is. What is left is counted as the last call of its kind was that was timed: a
 * queue makes its neighbours wait alike. So every call is counted once, and a slow one as slow.
 *
 * Calls with a deadline are timed, since the deadline follows from the same reading.
 */
#include "async/engine.h"
#include "base/clock.h"

#define ONE_IN      8u
#define LONG_BUCKET 7u /* from 64 us on */

/* By kind: the bucket of the last call that was timed, + 1; 0: none was yet. Written seldom. */
static _Alignas(64) struct {
    _Atomic uint8_t wait;
    _Atomic uint8_t run;
} last[OsspiCallKindCount]; /* atomic */

/* Bucket 0: below 1 us; n: from 2^(n-1) us to below 2^n us. */
static unsigned bucket_of(uint64_t ns)
{
    uint64_t us = ns / 1000;
    unsigned bucket = us == 0 ? 0 : 64 - (unsigned)__builtin_clzll(us);

    return bucket < OSSPI_HISTOGRAM_BUCKETS ? bucket : OSSPI_HISTOGRAM_BUCKETS - 1;
}

static unsigned timed_bucket(_Atomic uint8_t *sample, uint64_t ns)
{
    unsigned bucket = bucket_of(ns);

    if (atomic_load_explicit(sample, memory_order_relaxed) != bucket + 1)
        atomic_store_explicit(sample, (uint8_t)(bucket + 1), memory_order_relaxed);
    return bucket;
}

static unsigned sampled_bucket(_Atomic uint8_t *sample)
{
    unsigned bucket = atomic_load_explicit(sample, memory_order_relaxed);

    return bucket > 0 ? bucket - 1 : 0;
}

static inline void count(struct osspi_worker *self, OsspiCallKind kind, bool waited,
                         unsigned bucket)
{
    if (self)
        osspi_bump(waited ? &self->calls[kind].wait[bucket] : &self->calls[kind].run[bucket]);
    else
        osspi_count_duration(kind, waited, bucket);
}

uint64_t osspi_time_queued(const struct osspi_engine *engine, OsspiCallKind kind, uint32_t number)
{
    unsigned run = atomic_load_explicit(&last[kind].run, memory_order_relaxed);

    if (number % ONE_IN == 0 || run == 0 || run > LONG_BUCKET || !engine)
        return osspi_now_ns();
    /* A worker sleeps, and nobody is waking it: there is time. */
    if (atomic_load_explicit(&engine->sleepers, memory_order_relaxed) != 0 &&
        atomic_load_explicit(&engine->waking, memory_order_relaxed) == 0)
        return osspi_now_ns();
    return 0;
}

uint64_t osspi_time_started(struct osspi_worker *self, OsspiCallKind kind, uint64_t queued_ns)
{
    uint64_t now_ns;

    if (queued_ns == 0) {
        count(self, kind, true, sampled_bucket(&last[kind].wait));
        return osspi_coarse_ns();
    }
    now_ns = osspi_now_ns();
    count(self, kind, true, timed_bucket(&last[kind].wait, now_ns - queued_ns));
    return now_ns;
}

void osspi_time_ended(struct osspi_worker *self, OsspiCallKind kind, uint64_t started_ns,
                      bool timed)
{
    uint64_t ns = (timed ? osspi_now_ns() : osspi_coarse_ns()) - started_ns;
    unsigned bucket;

    if (timed)
        bucket = timed_bucket(&last[kind].run, ns);
    else if (__builtin_expect(ns == 0, 1) || ns < 2 * osspi_coarse_tick_ns())
        bucket = sampled_bucket(&last[kind].run);
    else
        bucket = bucket_of(ns);
    count(self, kind, false, bucket);
}
