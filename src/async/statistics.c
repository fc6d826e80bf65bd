/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Counters and histograms of the process: each counts every call, together they are of nearly the
 * same moment. Which calls are timed for the histograms: duration.c. A worker has a record that
 * only it writes; all other threads share one. A forked child starts from zero.
 */
#include "async/engine.h"

#include <unistd.h>

#include "base/memory.h"

static struct {
    _Atomic uint32_t epoch; /* of the numbers */
    _Atomic uint64_t counters[OSSPI_COUNTERS];
    struct osspi_durations calls[OsspiCallKindCount];
} numbers; /* of threads without a record; all fields are atomic */

static _Thread_local struct osspi_worker *mine; /* each thread its own */
static _Thread_local uint32_t mine_epoch;       /* fork epoch in which it was taken */

/* ---- records ---- */

static struct osspi_worker *own(void)
{
    return mine && mine_epoch == osspi_fork_epoch() ? mine : NULL;
}

struct osspi_worker *osspi_worker_self(const struct osspi_engine *engine)
{
    return engine && engine->epoch == osspi_fork_epoch() ? own() : NULL;
}

static struct osspi_worker *take_vacant(struct osspi_engine *engine)
{
    struct osspi_worker *worker = atomic_load_explicit(&engine->workers, memory_order_acquire);

    /* What the one before wrote is there before its record is vacant. */
    while (worker && atomic_exchange_explicit(&worker->taken, 1, memory_order_acquire) != 0)
        worker = worker->next;
    return worker;
}

void osspi_worker_begin(struct osspi_engine *engine)
{
    struct osspi_worker *worker = take_vacant(engine);

    if (!worker) {
        worker = osspi_alloc(sizeof(*worker));
        if (!worker)
            return;
        atomic_init(&worker->taken, 1);
        worker->next = atomic_load_explicit(&engine->workers, memory_order_relaxed);
        while (!atomic_compare_exchange_weak_explicit(&engine->workers, &worker->next, worker,
                                                      memory_order_acq_rel, memory_order_relaxed))
            ;
    }
    atomic_store(&worker->thread, (int32_t)gettid());
    mine = worker;
    mine_epoch = engine->epoch;
}

void osspi_worker_end(void)
{
    struct osspi_worker *worker = own();

    mine = NULL;
    if (!worker)
        return;
    atomic_store(&worker->thread, 0);
    atomic_store_explicit(&worker->taken, 0, memory_order_release);
}

static struct osspi_worker *first_record(void)
{
    struct osspi_engine *engine = osspi_engine_peek();

    return engine ? atomic_load_explicit(&engine->workers, memory_order_acquire) : NULL;
}

/* ---- counting ---- */

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

void osspi_count_for(struct osspi_worker *self, enum osspi_counter counter, uint64_t more)
{
    if (self) {
        osspi_add(&self->counters[counter], more);
        return;
    }
    mend_after_fork();
    atomic_fetch_add_explicit(&numbers.counters[counter], more, memory_order_relaxed);
}

void osspi_count(enum osspi_counter counter)
{
    osspi_count_for(own(), counter, 1);
}

/* The sum counts, so it does not matter where one is taken off. */
void osspi_count_down(enum osspi_counter counter)
{
    mend_after_fork();
    /* Who reads this reads what was counted up before, too, or the sum would be below zero. */
    atomic_fetch_sub_explicit(&numbers.counters[counter], 1, memory_order_release);
}

uint64_t osspi_counter_value(enum osspi_counter counter)
{
    uint64_t sum;

    mend_after_fork();
    sum = atomic_load_explicit(&numbers.counters[counter], memory_order_acquire);
    for (struct osspi_worker *worker = first_record(); worker; worker = worker->next)
        sum += atomic_load_explicit(&worker->counters[counter], memory_order_relaxed);
    return sum;
}

void osspi_count_duration(OsspiCallKind kind, bool waited, unsigned bucket)
{
    struct osspi_durations *durations = &numbers.calls[kind];

    atomic_fetch_add_explicit(waited ? &durations->wait[bucket] : &durations->run[bucket], 1,
                              memory_order_relaxed);
}

/* ---- reading ---- */

static void add_histogram(const _Atomic uint64_t *buckets, OsspiHistogram *histogram)
{
    for (int i = 0; i < OSSPI_HISTOGRAM_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&buckets[i], memory_order_relaxed);

        histogram->bucket[i] += count;
        histogram->count += count;
    }
}

static void add_durations(const struct osspi_durations *durations, OsspiCallStatistics *calls)
{
    add_histogram(durations->wait, &calls->queue_wait);
    add_histogram(durations->run, &calls->run_time);
}

void osspi_histograms(OsspiCallStatistics ret_calls[OsspiCallKindCount])
{
    mend_after_fork();
    for (int kind = 0; kind < OsspiCallKindCount; kind++) {
        ret_calls[kind] = (OsspiCallStatistics){0};
        add_durations(&numbers.calls[kind], &ret_calls[kind]);
        for (struct osspi_worker *worker = first_record(); worker; worker = worker->next)
            add_durations(&worker->calls[kind], &ret_calls[kind]);
    }
}
