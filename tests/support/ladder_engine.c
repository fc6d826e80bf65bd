/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The engines of the ladder; see ladder_engine.h and bench/ladder.c. Every function is compiled
 * once for each rung and knows its promises then, so that a rung pays for nothing but its own.
 */
#include "support/ladder_engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fence.h"
#include "base/lock.h"

_Noreturn static void die(const char *why)
{
    fprintf(stderr, "ladder: %s\n", why);
    exit(1);
}

enum {
    PROMISE_STATE = 1,     /* anybody may read the status, wait and cancel at any time */
    PROMISE_HANDLE = 2,    /* a handle may be stale, and an object freed while it is used */
    PROMISE_COUNTS = 4,    /* the queue is bounded; the end waits for calls; calls are counted */
    PROMISE_CALLBACKS = 8, /* a callback may block without holding others up */
    PROMISE_REINIT = 16,   /* the caller may reset the context, and does so before each call */
    PROMISE_SAMPLES = 32,  /* histograms; one call in eight is timed, slow ones are seen */
    PROMISE_TIMES = 64,    /* every call is timed instead, by three readings of the clock */
};

enum { IDLE, PREPARING, QUEUED, RUNNING, PUBLISHING, NOTIFYING, COMPLETE };

#define STATE_BITS 4u
#define STATE_MASK 15u
#define ONE_IN     8u
#define BOUND      65536u

static void item_destroy(struct osspi_slot *slot)
{
    (void)slot;
}

static struct osspi_table table = {
    .object_size = (sizeof(struct item) + 63) / 64 * 64,
    .line_share = 4,
    .destroy = item_destroy,
};

static void bump(_Atomic uint64_t *number)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + 1,
                          memory_order_release);
}

static bool move_word(struct item *item, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(&item->word, &from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

static void set_word(struct item *item, uint64_t word)
{
    atomic_store_explicit(&item->word, word, memory_order_release);
}

static void count_ns(_Atomic uint64_t *buckets, uint64_t ns)
{
    bump(&buckets[64 - (unsigned)__builtin_clzll(ns / 1000 | 1)]);
}

/* ---- the engine; every function knows its promises when it is compiled ---- */

#define KEEPS(promise)     ((promises & (promise)) != 0)
#define FOR_EVERY_PROMISES static inline __attribute__((always_inline))

FOR_EVERY_PROMISES uint64_t time_queued(uint64_t number, unsigned promises)
{
    if (KEEPS(PROMISE_TIMES) || (KEEPS(PROMISE_SAMPLES) && number % ONE_IN == 0))
        return osspi_now_ns();
    return 0;
}

FOR_EVERY_PROMISES void time_start(struct ladder *ladder, struct item *item, unsigned promises)
{
    if (!KEEPS(PROMISE_TIMES | PROMISE_SAMPLES))
        return;
    item->started_ns = item->queued_ns ? osspi_now_ns() : osspi_coarse_ns();
    count_ns(ladder->waits, item->queued_ns ? item->started_ns - item->queued_ns : 0);
}

FOR_EVERY_PROMISES void time_end(struct ladder *ladder, struct item *item, unsigned promises)
{
    if (KEEPS(PROMISE_TIMES | PROMISE_SAMPLES))
        count_ns(ladder->runs,
                 (item->queued_ns ? osspi_now_ns() : osspi_coarse_ns()) - item->started_ns);
}

/* The caller's part: what SspiReinitAsyncContext does. */
FOR_EVERY_PROMISES void reinit(uint64_t id)
{
    struct osspi_slot *slot = osspi_table_peek(&table, id);
    struct item *item = (struct item *)(void *)slot;
    uint64_t word = slot ? atomic_load_explicit(&item->word, memory_order_acquire) : 0;

    if (!slot || !osspi_slot_live(slot, id) || !move_word(item, word, (word & ~STATE_MASK) | IDLE))
        die("a context is busy");
}

FOR_EVERY_PROMISES void queue(struct ladder *ladder, struct item *item, unsigned promises)
{
    uint64_t id = item->id;
    uint64_t word;

    if (KEEPS(PROMISE_REINIT))
        reinit(id);
    if (KEEPS(PROMISE_HANDLE) && !osspi_table_lookup(&table, id))
        die("a handle is stale");
    word = atomic_load_explicit(&item->word, memory_order_acquire);
    if (KEEPS(PROMISE_STATE) && !move_word(item, word, (word & ~STATE_MASK) | PREPARING))
        die("a context is busy");
    word = (word & ~STATE_MASK) + (1u << STATE_BITS);
    if (KEEPS(PROMISE_COUNTS)) {
        uint64_t before = atomic_fetch_add(&ladder->accepted, 1);

        if (before >= atomic_load_explicit(&ladder->look_again, memory_order_relaxed))
            atomic_store(&ladder->look_again, atomic_load(&ladder->left) + BOUND);
        if (atomic_load(&ladder->phase) != 0 || before >= atomic_load(&ladder->look_again))
            die("a call was refused");
    }
    item->queued_ns = time_queued((word >> STATE_BITS) + item->slot.index, promises);
    if (KEEPS(PROMISE_STATE))
        set_word(item, word | QUEUED);
    if (!osspi_ring_push(&ladder->ring, (uint64_t)item->slot.index << 32 | (uint32_t)word))
        die("the ring is full");
    osspi_fence(&ladder->sleepers);
    if (atomic_load(&ladder->sleepers) != 0 && atomic_exchange(&ladder->waking, 1) == 0) {
        atomic_fetch_add(&ladder->wake_word, 1);
        osspi_futex_wake(&ladder->wake_word, 1);
    }
}

FOR_EVERY_PROMISES void call_back(struct ladder *ladder, struct item *item, unsigned promises)
{
    if (KEEPS(PROMISE_CALLBACKS)) {
        atomic_fetch_add(&ladder->census, 0xFFFF);
        if (atomic_load(&ladder->parked) != 0) /* nobody stands by here */
            osspi_futex_wake(&ladder->parked, 1);
    }
    osspi_fence_after_rmw();
    if (KEEPS(PROMISE_STATE)) {
        if (atomic_load(&item->waiters) != 0)
            osspi_futex_wake(&item->waiters, 1);
        set_word(item, (atomic_load_explicit(&item->word, memory_order_relaxed) & ~STATE_MASK) |
                           COMPLETE);
    }
    item->done(item);
    if (KEEPS(PROMISE_HANDLE))
        osspi_slot_unref(&table, &item->slot);
    if (KEEPS(PROMISE_COUNTS)) {
        bump(&ladder->finished);
        bump(&ladder->completed);
    }
    if (KEEPS(PROMISE_CALLBACKS))
        atomic_fetch_add(&ladder->census, (UINT64_C(1) << 32) - 0xFFFF);
}

FOR_EVERY_PROMISES void run_ticket(struct ladder *ladder, uint64_t ticket, unsigned promises)
{
    uint32_t index = (uint32_t)(ticket >> 32);
    uint64_t word = (uint32_t)ticket;
    char *chunk =
        atomic_load_explicit(&table.chunks[index / OSSPI_TABLE_CHUNK], memory_order_acquire);
    struct item *item =
        (struct item *)(void *)(chunk + (size_t)(index % OSSPI_TABLE_CHUNK) * table.object_size);

    if (KEEPS(PROMISE_COUNTS))
        atomic_store_explicit(&ladder->busy, 1, memory_order_release);
    if (KEEPS(PROMISE_STATE) && !move_word(item, word | QUEUED, word | RUNNING))
        return;
    if (KEEPS(PROMISE_COUNTS)) {
        bump(&ladder->left);
        if (atomic_load(&ladder->phase) != 0)
            return;
    }
    time_start(ladder, item, promises);
    item->run(item);
    if (KEEPS(PROMISE_COUNTS))
        atomic_store_explicit(&ladder->busy, 0, memory_order_release);
    if (KEEPS(PROMISE_STATE))
        set_word(item, word | PUBLISHING);
    time_end(ladder, item, promises);
    if (KEEPS(PROMISE_STATE)) {
        set_word(item, word | NOTIFYING);
        /* Between this and the look for waiters there must be a barrier. */
        if (!KEEPS(PROMISE_CALLBACKS))
            osspi_fence(&item->waiters);
    }
    call_back(ladder, item, promises);
}

FOR_EVERY_PROMISES void work(struct ladder *ladder, unsigned promises)
{
    for (;;) {
        uint64_t ticket;
        uint32_t seen;

        if (osspi_ring_pop(&ladder->ring, &ticket)) {
            run_ticket(ladder, ticket, promises);
            continue;
        }
        seen = atomic_load(&ladder->wake_word);
        atomic_fetch_add(&ladder->sleepers, 1);
        atomic_exchange(&ladder->waking, 0);
        osspi_fence_after_rmw();
        if (!osspi_ring_has_any(&ladder->ring))
            osspi_futex_wait(&ladder->wake_word, seen, OSSPI_FOREVER);
        atomic_fetch_sub(&ladder->sleepers, 1);
        atomic_exchange(&ladder->waking, 0);
    }
}

/* ---- the rungs ---- */

#define RUNGS(X) \
    X(0, ring, "ring, eventcount, callback", 0) \
    X(1, state, "+ status, wait, cancel", PROMISE_STATE) \
    X(2, handle, "+ handles that may be stale", PROMISE_STATE | PROMISE_HANDLE) \
    X(3, counts, "+ bound, orderly end, counts", PROMISE_STATE | PROMISE_HANDLE | PROMISE_COUNTS) \
    X(4, callbacks, "+ callbacks that may block", \
      PROMISE_STATE | PROMISE_HANDLE | PROMISE_COUNTS | PROMISE_CALLBACKS) \
    X(5, reinit, "+ Reinit before each call", \
      PROMISE_STATE | PROMISE_HANDLE | PROMISE_COUNTS | PROMISE_CALLBACKS | PROMISE_REINIT) \
    X(6, samples, "+ durations, one in eight", \
      PROMISE_STATE | PROMISE_HANDLE | PROMISE_COUNTS | PROMISE_CALLBACKS | PROMISE_REINIT | \
          PROMISE_SAMPLES) \
    X(7, times, "durations of every call instead", \
      PROMISE_STATE | PROMISE_HANDLE | PROMISE_COUNTS | PROMISE_CALLBACKS | PROMISE_REINIT | \
          PROMISE_TIMES)

#define DEFINE_RUNG(number, name, title, promises) \
    static void *work_##name(void *ladder) \
    { \
        work(ladder, promises); \
        return NULL; \
    } \
    static void queue_##name(struct item *item) \
    { \
        queue(item->ladder, item, promises); \
    }
RUNGS(DEFINE_RUNG)

const struct ladder_rung ladder_rungs[] = {
#define LIST_RUNG(number, name, title, promises) {#name, title, work_##name, queue_##name},
    RUNGS(LIST_RUNG)
#undef LIST_RUNG
};

const unsigned ladder_rung_count = sizeof(ladder_rungs) / sizeof(ladder_rungs[0]);

struct item *ladder_item_new(void)
{
    struct item *item = (struct item *)(void *)osspi_table_acquire(&table);

    if (!item)
        die("out of memory");
    item->id = osspi_slot_id(&item->slot);
    return item;
}

bool ladder_init(struct ladder *ladder)
{
    return osspi_ring_init(&ladder->ring, 2 * BOUND);
}

void ladder_count_down(struct ladder *ladder)
{
    if (atomic_fetch_sub(&ladder->in_batch, 1) == 1)
        osspi_futex_wake(&ladder->in_batch, 1);
}

void ladder_await(struct ladder *ladder)
{
    uint32_t left;

    while ((left = atomic_load(&ladder->in_batch)) > 0)
        osspi_futex_wait(&ladder->in_batch, left, OSSPI_FOREVER);
}
