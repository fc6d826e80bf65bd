/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Callbacks on workers, and the spare workers that stand by while they run.
 *
 * `census` counts workers outside and inside callbacks. The last one outside enters a
 * callback only if a spare will step in should it stay there: most callbacks are over in no time,
 * and waking a thread for each would cost more than the call. So one of the parked spares watches:
 * it looks every millisecond, and when it finds nobody outside and no callback back since its last
 * look, it becomes a worker. Where no spare is parked, one is started before the callback; when
 * there is none to be had, the callback is held back, and the next thread that comes back from one
 * hands it on. A spare does not end while it is needed: who enters a callback counts itself out and
 * then looks for a spare; a spare that ends counts itself out and then looks at the census.
 */
#include "async/spare.h"

#include "async/engine.h"
#include "base/clock.h"
#include "core/caller.h"

#define SPARE_IDLE_MS 10000u
#define WATCH_MS      1u  /* between two looks of the watching spare */
#define WATCH_QUIET   16u /* looks without use for it after which it sleeps on */

/* ---- the census ---- */

#define INSIDE_ONE (UINT64_C(1) << 16)
#define BACK_ONE   (UINT64_C(1) << 32)

static uint32_t outside(uint64_t census)
{
    return census & 0xFFFF;
}

static uint32_t inside(uint64_t census)
{
    return census >> 16 & 0xFFFF;
}

static uint32_t back(uint64_t census)
{
    return (uint32_t)(census >> 32);
}

/* ---- callbacks that are held back ---- */

/* Puts the callbacks that were held back in front of everybody again. */
static void hand_on_held(struct osspi_engine *engine)
{
    if (atomic_load(&engine->held_count) == 0)
        return;
    {
        OSSPI_LOCKED(&engine->urgent_lock);
        while (engine->held_first) {
            struct osspi_call *call = engine->held_first;

            engine->held_first = call->next;
            osspi_list_append_locked(&engine->urgent_first, &engine->urgent_last, call);
            atomic_fetch_add(&engine->urgent_count, 1);
            atomic_fetch_sub(&engine->held_count, 1);
        }
        engine->held_last = NULL;
    }
    osspi_executor_wake(engine);
}

/* news: spare_news at the moment when no spare could be had. */
static void hold_back(struct osspi_engine *engine, struct osspi_call *call, uint32_t news)
{
    osspi_count(OSSPI_COUNT_CALLBACKS_HELD);
    {
        OSSPI_LOCKED(&engine->urgent_lock);
        osspi_list_append_locked(&engine->held_first, &engine->held_last, call);
        atomic_fetch_add(&engine->held_count, 1);
    }
    /* Somebody may have come back from a callback, or become a spare, and found nothing held, just
     * before; even if he is gone again by now, another could be started. */
    uint64_t census = atomic_load(&engine->census);

    if (outside(census) > 1 || inside(census) == 0 || atomic_load(&engine->spare_news) != news)
        hand_on_held(engine);
}

/* ---- spares ---- */

/* What the watching spare remembers from one look to the next. */
struct watch {
    bool mine;     /* this thread is the one that watches */
    bool alone;    /* nobody was outside callbacks at the last look */
    uint32_t back; /* callbacks that had returned by then */
    uint32_t quiet;
};

static void wake_spares(struct osspi_engine *engine, int count)
{
    atomic_fetch_add(&engine->park_word, 1);
    osspi_futex_wake(&engine->park_word, count);
}

/* The watcher goes; another spare has to take over while there is something to watch. */
static void end_watch_locked(struct osspi_engine *engine, struct watch *watch)
{
    if (!watch->mine)
        return;
    watch->mine = engine->has_watcher = false;
    if (atomic_load(&engine->watch) != 0 && atomic_load(&engine->parked) > 0)
        wake_spares(engine, INT32_MAX);
}

/* Is everybody inside callbacks, and were they at the last look? */
static bool is_needed_locked(struct osspi_engine *engine, struct watch *watch)
{
    uint64_t census = atomic_load(&engine->census);
    bool moved = back(census) != watch->back;
    bool needed = outside(census) == 0 && watch->alone && !moved;

    watch->alone = outside(census) == 0;
    watch->back = back(census);
    /* One who stays in a callback for hours is no reason to look on while others are outside. */
    watch->quiet = moved || watch->alone ? 0 : watch->quiet + 1;
    if (watch->quiet < WATCH_QUIET)
        return needed;
    watch->quiet = 0;
    /* Who enters a callback counts itself out and then looks at `watch`: one of us sees the other.
     */
    atomic_exchange(&engine->watch, 0);
    if (outside(atomic_load(&engine->census)) == 0)
        atomic_store(&engine->watch, 1);
    return needed;
}

/* Has the time of this parked spare come? */
static bool stands_in_locked(struct osspi_engine *engine, struct watch *watch)
{
    if (atomic_load(&engine->watch) == 0) {
        end_watch_locked(engine, watch);
        return false;
    }
    if (!watch->mine && !engine->has_watcher) {
        *watch = (struct watch){.mine = true};
        engine->has_watcher = true;
    }
    return watch->mine && is_needed_locked(engine, watch);
}

enum fate { PARKED_ON, RELEASED, ENDED };

static enum fate look_locked(struct osspi_engine *engine, struct watch *watch, bool idle)
{
    if (engine->released > 0) {
        engine->released--;
        end_watch_locked(engine, watch);
        return RELEASED;
    }
    if (stands_in_locked(engine, watch)) {
        atomic_fetch_sub(&engine->parked, 1);
        atomic_fetch_add(&engine->census, OSSPI_OUTSIDE_ONE);
        end_watch_locked(engine, watch);
        osspi_count(OSSPI_COUNT_SPARES);
        return RELEASED;
    }
    if (!idle && !osspi_executor_should_end(engine))
        return PARKED_ON;
    atomic_fetch_sub(&engine->parked, 1);
    if (outside(atomic_load(&engine->census)) == 0 && !osspi_executor_should_end(engine)) {
        atomic_fetch_add(&engine->parked, 1); /* somebody relies on us */
        return PARKED_ON;
    }
    end_watch_locked(engine, watch);
    return ENDED;
}

/* True: released, go on. False: idle for long, or the end; the thread may go. */
bool osspi_spare_park(struct osspi_engine *engine)
{
    uint64_t idle_ns = osspi_deadline_ns(SPARE_IDLE_MS);
    struct watch watch = {0};

    {
        OSSPI_LOCKED(&engine->thread_lock);
        atomic_fetch_add(&engine->parked, 1);
        atomic_fetch_add(&engine->spare_news, 1);
    }
    hand_on_held(engine); /* this thread can stand in for the next that enters a callback */
    for (;;) {
        uint32_t seen = atomic_load(&engine->park_word);
        enum fate fate;

        osspi_engine_park_if_exiting(engine);
        {
            OSSPI_LOCKED(&engine->thread_lock);
            fate = look_locked(engine, &watch, osspi_now_ns() >= idle_ns);
        }
        if (watch.mine)
            idle_ns = osspi_deadline_ns(SPARE_IDLE_MS);
        if (fate != PARKED_ON)
            return fate == RELEASED;
        osspi_futex_wait(&engine->park_word, seen,
                         watch.mine ? osspi_deadline_ns(WATCH_MS) : idle_ns);
    }
}

/* More workers outside callbacks than there should be: this one steps back. */
bool osspi_spare_step_back(struct osspi_engine *engine)
{
    uint64_t census = atomic_load(&engine->census);

    while (outside(census) > engine->worker_target) {
        if (atomic_compare_exchange_weak(&engine->census, &census, census - OSSPI_OUTSIDE_ONE))
            return true;
    }
    return false;
}

/* Is a parked spare ready to step in, and looking whether it has to? */
static bool spare_watches(struct osspi_engine *engine)
{
    if (atomic_load(&engine->parked) == 0)
        return false;
    if (atomic_load(&engine->watch) != 0 || atomic_exchange(&engine->watch, 1) != 0)
        return true;
    wake_spares(engine, INT32_MAX);
    return true;
}

/* False: there is none to be had, at the state of things that *ret_news names. */
static bool release_spare(struct osspi_engine *engine, uint32_t *ret_news)
{
    OSSPI_LOCKED(&engine->thread_lock);
    *ret_news = atomic_load(&engine->spare_news);
    if (atomic_load(&engine->parked) > 0) {
        atomic_fetch_sub(&engine->parked, 1);
        engine->released++;
        atomic_fetch_add(&engine->census, OSSPI_OUTSIDE_ONE);
        wake_spares(engine, INT32_MAX);
    } else if (engine->threads >= engine->worker_target + OSSPI_MAX_SPARES ||
               !osspi_executor_spawn_locked(engine)) {
        return false;
    }
    osspi_count(OSSPI_COUNT_SPARES);
    return true;
}

/* May this worker enter a callback? Only if another is left to work or will be, or if all there are
 * work: then nobody would ever come back from a callback to take this one. */
static bool may_enter_callback(struct osspi_engine *engine, uint32_t *ret_news)
{
    uint64_t before = atomic_fetch_add(&engine->census, INSIDE_ONE - OSSPI_OUTSIDE_ONE);

    if (outside(before) > 1 || spare_watches(engine) || release_spare(engine, ret_news) ||
        inside(atomic_load(&engine->census)) == 1)
        return true;
    atomic_fetch_add(&engine->census, OSSPI_OUTSIDE_ONE - INSIDE_ONE);
    return false;
}

void osspi_executor_callback(struct osspi_engine *engine, struct osspi_worker *self,
                             struct osspi_call *call, bool counted)
{
    uint32_t news = 0;

    if (!may_enter_callback(engine, &news)) {
        if (!counted)
            atomic_fetch_add_explicit(&engine->notifying, 1, memory_order_relaxed);
        osspi_call_wake_waiters(call);
        hold_back(engine, call, news);
        return;
    }
    osspi_call_wake_waiters(call); /* behind the change of the census */
    osspi_count_for(self, OSSPI_COUNT_CALLBACKS, 1);
    osspi_caller_revert(); /* should what the program does inside a call have forgotten to */
    osspi_call_notify(engine, call, counted);
    osspi_caller_revert(); /* should the callback */
    osspi_engine_finished(engine, self, 1);
    if (engine->epoch != osspi_fork_epoch())
        return;
    atomic_fetch_add(&engine->census, BACK_ONE + OSSPI_OUTSIDE_ONE - INSIDE_ONE);
    hand_on_held(engine);
}
