/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The CPU lane: workers that take tickets from the ring, and the urgent list, which holds what must
 * not fail for want of a place (Delete, Free, callbacks).
 *
 * Sleeping is an eventcount: a worker announces itself in `sleepers`, looks again, then sleeps on
 * `wake_word`. Who pushes looks at `sleepers` after the push. At most one wake-up is under way at a
 * time (`waking`); whoever receives it passes it on if there is more to do, so that a burst does
 * not become a storm. Every way out of the sleep clears `waking`.
 *
 * Callbacks: `census` counts workers outside and inside callbacks. The last one outside enters a
 * callback only if a spare will step in should it stay there: most callbacks are over in no time,
 * and waking a thread for each would cost more than the call. So one of the parked spares watches:
 * it looks every millisecond, and when it finds nobody outside and no callback back since its last
 * look, it becomes a worker. Where no spare is parked, one is started before the callback; when
 * there is none to be had, the callback is held back, and the next thread that comes back from one
 * hands it on. A spare does not end while it is needed: who enters a callback counts itself out and
 * then looks for a spare; a spare that ends counts itself out and then looks at the census.
 */
#include "async/engine.h"

#include <unistd.h>

#include "base/clock.h"
#include "core/exit.h"

#define SPARE_IDLE_MS 10000u
#define WATCH_MS      1u  /* between two looks of the watching spare */
#define WATCH_QUIET   16u /* looks without use for it after which it sleeps on */

/* ---- the census ---- */

#define OUTSIDE_ONE UINT64_C(1)
#define INSIDE_ONE  (UINT64_C(1) << 16)
#define BACK_ONE    (UINT64_C(1) << 32)

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

static uint64_t ticket_of(const struct osspi_call *call, uint32_t attempt)
{
    return (uint64_t)call->slot.index << 32 | attempt;
}

static struct osspi_call *call_of_ticket(uint64_t ticket)
{
    uint32_t index = (uint32_t)(ticket >> 32);
    char *chunk =
        atomic_load_explicit(&osspi_calls.chunks[index / OSSPI_TABLE_CHUNK], memory_order_acquire);

    return (struct osspi_call *)(void *)(chunk + (size_t)(index % OSSPI_TABLE_CHUNK) *
                                                     osspi_calls.object_size);
}

/* ---- the urgent list ---- */

static void append_locked(struct osspi_call **first, struct osspi_call **last,
                          struct osspi_call *call)
{
    call->next = NULL;
    if (*last)
        (*last)->next = call;
    else
        *first = call;
    *last = call;
}

void osspi_executor_push_urgent(struct osspi_engine *engine, struct osspi_call *call)
{
    {
        OSSPI_LOCKED(&engine->urgent_lock);
        append_locked(&engine->urgent_first, &engine->urgent_last, call);
        atomic_fetch_add(&engine->urgent_count, 1);
    }
    osspi_executor_wake(engine);
}

static struct osspi_call *pop_urgent(struct osspi_engine *engine)
{
    struct osspi_call *call;

    if (atomic_load_explicit(&engine->urgent_count, memory_order_relaxed) == 0)
        return NULL;
    OSSPI_LOCKED(&engine->urgent_lock);
    call = engine->urgent_first;
    if (!call)
        return NULL;
    engine->urgent_first = call->next;
    if (!engine->urgent_first)
        engine->urgent_last = NULL;
    atomic_fetch_sub(&engine->urgent_count, 1);
    return call;
}

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
            append_locked(&engine->urgent_first, &engine->urgent_last, call);
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
        append_locked(&engine->held_first, &engine->held_last, call);
        atomic_fetch_add(&engine->held_count, 1);
    }
    /* Somebody may have come back from a callback, or become a spare, and found nothing held, just
     * before; even if he is gone again by now, another could be started. */
    uint64_t census = atomic_load(&engine->census);

    if (outside(census) > 1 || inside(census) == 0 || atomic_load(&engine->spare_news) != news)
        hand_on_held(engine);
}

/* ---- sleep and wake ---- */

static bool should_end(struct osspi_engine *engine)
{
    return atomic_load(&engine->phase) == OSSPI_ENGINE_CLOSING && osspi_engine_pending(engine) == 0;
}

/* Everything that a wake-up may be about, or it could be slept through. */
static bool has_work(struct osspi_engine *engine)
{
    return atomic_load(&engine->urgent_count) > 0 || osspi_ring_has_any(&engine->ring) ||
           atomic_load(&engine->phase) == OSSPI_ENGINE_EXITING || should_end(engine) ||
           atomic_load(&engine->blocking.wanted) != 0;
}

static void sleep_until_woken(struct osspi_engine *engine)
{
    uint32_t seen = atomic_load(&engine->wake_word);

    atomic_fetch_add(&engine->sleepers, 1);
    /* Who woke a sleeper that had just left may set `waking` with nobody to receive it. `seen` is
     * older than this, so a wake-up that begins from now on cannot be missed. */
    atomic_exchange(&engine->waking, 0);
    if (!has_work(engine))
        osspi_futex_wait(&engine->wake_word, seen, OSSPI_FOREVER);
    atomic_fetch_sub(&engine->sleepers, 1);
    atomic_exchange(&engine->waking, 0);
}

static bool start_worker(struct osspi_engine *engine);

void osspi_executor_wake(struct osspi_engine *engine)
{
    /* A read-modify-write, so that it is ordered after the push as a fence would be. */
    if (atomic_fetch_add(&engine->sleepers, 0) == 0) {
        /* The sleeper that was seen when the call was made may have been woken for another one. */
        if (atomic_load_explicit(&engine->started, memory_order_relaxed) < engine->worker_target)
            (void)start_worker(engine);
        return;
    }
    if (atomic_exchange(&engine->waking, 1) == 1)
        return;
    atomic_fetch_add(&engine->wake_word, 1);
    osspi_futex_wake(&engine->wake_word, 1);
}

void osspi_executor_wake_all(struct osspi_engine *engine)
{
    atomic_fetch_add(&engine->wake_word, 1);
    osspi_futex_wake(&engine->wake_word, INT32_MAX);
    atomic_fetch_add(&engine->park_word, 1);
    osspi_futex_wake(&engine->park_word, INT32_MAX);
}

static bool is_stale(uint64_t ticket)
{
    struct osspi_word word = osspi_call_word(call_of_ticket(ticket));

    return word.state != OSSPI_CALL_QUEUED ||
           word.attempt != ((uint32_t)ticket & OSSPI_ATTEMPT_MASK);
}

/* Calls that wait are at most half as many as cells, so a full ring holds stale tickets. They are
 * dropped here: the thread that pushes may be the only worker there is. */
static void push_ticket(struct osspi_ring *ring, uint64_t ticket)
{
    uint64_t other;

    while (!osspi_ring_push(ring, ticket)) {
        if (osspi_ring_pop(ring, &other) && !is_stale(other))
            push_ticket(ring, other);
    }
}

void osspi_executor_push(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt)
{
    atomic_store_explicit(&call->reachable, attempt | OSSPI_REACHABLE, memory_order_release);
    push_ticket(&engine->ring, ticket_of(call, attempt));
    osspi_executor_wake(engine);
}

/* ---- threads ---- */

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
        atomic_fetch_add(&engine->census, OUTSIDE_ONE);
        end_watch_locked(engine, watch);
        osspi_count(OSSPI_COUNT_SPARES);
        return RELEASED;
    }
    if (!idle && !should_end(engine))
        return PARKED_ON;
    atomic_fetch_sub(&engine->parked, 1);
    if (outside(atomic_load(&engine->census)) == 0 && !should_end(engine)) {
        atomic_fetch_add(&engine->parked, 1); /* somebody relies on us */
        return PARKED_ON;
    }
    end_watch_locked(engine, watch);
    return ENDED;
}

/* True: released, go on. False: idle for long, or the end; the thread may go. */
static bool park(struct osspi_engine *engine)
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
static bool step_back_if_surplus(struct osspi_engine *engine)
{
    uint64_t census = atomic_load(&engine->census);

    while (outside(census) > engine->worker_target) {
        if (atomic_compare_exchange_weak(&engine->census, &census, census - OUTSIDE_ONE))
            return true;
    }
    return false;
}

/* One wake-up is under way at a time; it is passed on while there is more to do. */
static void pass_on(struct osspi_engine *engine)
{
    bool somebody =
        atomic_load(&engine->sleepers) > 0 ||
        atomic_load_explicit(&engine->started, memory_order_relaxed) < engine->worker_target;

    if (somebody && has_work(engine))
        osspi_executor_wake(engine);
}

static void run_ticket(struct osspi_engine *engine, uint64_t ticket)
{
    struct osspi_call *call = call_of_ticket(ticket);

    pass_on(engine);
    (void)osspi_call_run(engine, call, (uint32_t)ticket & OSSPI_ATTEMPT_MASK, true);
}

static void run_urgent(struct osspi_engine *engine, struct osspi_call *call)
{
    struct osspi_word word = osspi_call_word(call);

    pass_on(engine);
    if (word.state == OSSPI_CALL_NOTIFYING)
        osspi_executor_callback(engine, call, true);
    else
        (void)osspi_call_run(engine, call, word.attempt, true);
}

static void *worker_main(void *data)
{
    struct osspi_engine *engine = data;

    osspi_engine_thread_begins("osspi-cpu");
    osspi_worker_begin(engine);
    /* No call, but inside the TLS library like one: the exit waits for it, or it does not begin. */
    atomic_fetch_add(&engine->in_work, 1);
    if (atomic_load(&engine->phase) != OSSPI_ENGINE_EXITING)
        osspi_thread_begin();
    atomic_fetch_sub(&engine->in_work, 1);
    /* After a fork inside a callback this thread belongs to a process with another engine. */
    while (engine->epoch == osspi_fork_epoch()) {
        struct osspi_call *call;
        uint64_t ticket;

        osspi_engine_park_if_exiting(engine);
        if (step_back_if_surplus(engine)) {
            if (!park(engine))
                break;
            continue;
        }
        if (atomic_load_explicit(&engine->blocking.wanted, memory_order_relaxed) != 0)
            osspi_blocking_grow(engine);
        call = pop_urgent(engine);
        if (call)
            run_urgent(engine, call);
        else if (osspi_ring_pop(&engine->ring, &ticket))
            run_ticket(engine, ticket);
        else if (should_end(engine)) {
            atomic_fetch_sub(&engine->census, OUTSIDE_ONE);
            break;
        } else
            sleep_until_woken(engine);
    }
    if (engine->epoch == osspi_fork_epoch()) {
        {
            OSSPI_LOCKED(&engine->thread_lock);
            engine->threads--;
        }
        osspi_thread_end();
        osspi_worker_end();
        osspi_engine_thread_ends(engine);
    }
    return NULL;
}

static bool spawn_locked(struct osspi_engine *engine)
{
    atomic_fetch_add(&engine->census, OUTSIDE_ONE);
    engine->threads++;
    if (osspi_engine_thread(engine, worker_main))
        return true;
    engine->threads--;
    atomic_fetch_sub(&engine->census, OUTSIDE_ONE);
    return false;
}

static bool start_worker(struct osspi_engine *engine)
{
    OSSPI_LOCKED(&engine->thread_lock);
    if (atomic_load(&engine->started) >= engine->worker_target)
        return true;
    if (!spawn_locked(engine))
        return false;
    atomic_fetch_add(&engine->started, 1);
    return true;
}

bool osspi_executor_start(struct osspi_engine *engine)
{
    uint32_t started = atomic_load_explicit(&engine->started, memory_order_relaxed);

    if (started == engine->worker_target ||
        (started > 0 && atomic_load_explicit(&engine->sleepers, memory_order_relaxed) > 0))
        return true;
    return start_worker(engine) || started > 0;
}

bool osspi_executor_alive(struct osspi_engine *engine)
{
    return atomic_load(&engine->started) > 0;
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
        atomic_fetch_add(&engine->census, OUTSIDE_ONE);
        wake_spares(engine, INT32_MAX);
    } else if (engine->threads >= engine->worker_target + OSSPI_MAX_SPARES ||
               !spawn_locked(engine)) {
        return false;
    }
    osspi_count(OSSPI_COUNT_SPARES);
    return true;
}

/* May this worker enter a callback? Only if another is left to work or will be, or if all there are
 * work: then nobody would ever come back from a callback to take this one. */
static bool may_enter_callback(struct osspi_engine *engine, uint32_t *ret_news)
{
    uint64_t before = atomic_fetch_add(&engine->census, INSIDE_ONE - OUTSIDE_ONE);

    if (outside(before) > 1 || spare_watches(engine) || release_spare(engine, ret_news) ||
        inside(atomic_load(&engine->census)) == 1)
        return true;
    atomic_fetch_add(&engine->census, OUTSIDE_ONE - INSIDE_ONE);
    return false;
}

void osspi_executor_callback(struct osspi_engine *engine, struct osspi_call *call, bool counted)
{
    uint32_t news = 0;

    if (!may_enter_callback(engine, &news)) {
        if (!counted)
            atomic_fetch_add_explicit(&engine->notifying, 1, memory_order_relaxed);
        hold_back(engine, call, news);
        return;
    }
    osspi_call_notify(engine, call, counted);
    if (engine->epoch != osspi_fork_epoch())
        return;
    atomic_fetch_add(&engine->census, BACK_ONE + OUTSIDE_ONE - INSIDE_ONE);
    hand_on_held(engine);
}
