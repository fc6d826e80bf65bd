/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The CPU lane: workers that take tickets from the rings, and the urgent list, which holds what
 * must not fail for want of a place (Delete, Free, callbacks).
 *
 * Sleeping is an eventcount: a worker announces itself in `sleepers`, looks again, then sleeps on
 * `wake_word`. Who pushes looks at `sleepers` after the push. At most one wake-up is under way at a
 * time (`waking`); whoever receives it passes it on if there is more to do, so that a burst does
 * not become a storm. Every way out of the sleep clears `waking`.
 */
#include "async/engine.h"
#include "async/spare.h"

#include "base/fence.h"
#include "core/exit.h"

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

void osspi_executor_push_urgent(struct osspi_engine *engine, struct osspi_call *call)
{
    {
        OSSPI_LOCKED(&engine->urgent_lock);
        osspi_list_append_locked(&engine->urgent_first, &engine->urgent_last, call);
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

/* ---- sleep and wake ---- */

bool osspi_executor_should_end(struct osspi_engine *engine)
{
    return atomic_load(&engine->phase) == OSSPI_ENGINE_CLOSING && osspi_engine_pending(engine) == 0;
}

/* Everything that a wake-up may be about, or it could be slept through. */
static bool has_work(struct osspi_engine *engine)
{
    return atomic_load(&engine->urgent_count) > 0 || osspi_rings_have_any(&engine->rings) ||
           atomic_load(&engine->phase) == OSSPI_ENGINE_EXITING ||
           osspi_executor_should_end(engine) || atomic_load(&engine->blocking.wanted) != 0;
}

static void sleep_until_woken(struct osspi_engine *engine)
{
    uint32_t seen = atomic_load(&engine->wake_word);

    atomic_fetch_add(&engine->sleepers, 1);
    /* Who woke a sleeper that had just left may set `waking` with nobody to receive it. `seen` is
     * older than this, so a wake-up that begins from now on cannot be missed. */
    atomic_exchange(&engine->waking, 0);
    osspi_fence_after_rmw();
    if (!has_work(engine))
        osspi_futex_wait(&engine->wake_word, seen, OSSPI_FOREVER);
    atomic_fetch_sub(&engine->sleepers, 1);
    atomic_exchange(&engine->waking, 0);
}

static bool start_worker(struct osspi_engine *engine);

void osspi_executor_wake(struct osspi_engine *engine)
{
    /* Between the push and this look, as sleep_until_woken() has one between its two. */
    osspi_fence(&engine->sleepers);
    if (atomic_load(&engine->sleepers) == 0) {
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

/* Calls that wait are at most half as many as cells, so where all rings are full there are stale
 * tickets in one of them. They are dropped here: the thread that pushes may be the only worker
 * there is. */
static void push_into_full(struct osspi_rings *rings, uint32_t home, uint64_t ticket)
{
    uint32_t from = home;

    do {
        uint64_t other;

        if (osspi_ring_pop(&rings->rings[from % rings->count].ring, &other) && !is_stale(other) &&
            !osspi_rings_push(rings, from, other))
            push_into_full(rings, from, other);
        from++;
    } while (!osspi_rings_push(rings, home, ticket));
}

/* A call that nothing draws anywhere is put where it was made, which may be in the callback of the
 * call before it, or else where its context's number says, so that all workers get some. */
static uint32_t choose_ring(const struct osspi_call *call, uint32_t home)
{
    if (home == 0)
        home = osspi_turn_here;
    return home == 0 ? call->slot.index : home - 1;
}

void osspi_executor_push(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                         uint32_t home)
{
    uint32_t ring = engine->rings.count == 1 ? 0 : choose_ring(call, home);

    atomic_store_explicit(&call->reachable, attempt | OSSPI_REACHABLE, memory_order_release);
    if (!osspi_rings_push(&engine->rings, ring, ticket_of(call, attempt)))
        push_into_full(&engine->rings, ring, ticket_of(call, attempt));
    osspi_executor_wake(engine);
}

/* ---- threads ---- */

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
        osspi_executor_callback(engine, osspi_worker_self(engine), call, true);
    else
        (void)osspi_call_run(engine, call, word.attempt, true);
}

static void *worker_main(void *data)
{
    struct osspi_engine *engine = data;
    struct osspi_seat seat;

    osspi_engine_thread_begins("osspi-cpu");
    osspi_worker_begin(engine);
    osspi_rings_sit(&engine->rings, &seat);
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
        if (osspi_spare_step_back(engine)) {
            osspi_rings_rise(&engine->rings, &seat);
            pass_on(engine); /* it may have been woken for something */
            if (!osspi_spare_park(engine))
                break;
            osspi_rings_sit(&engine->rings, &seat);
            continue;
        }
        if (atomic_load_explicit(&engine->blocking.wanted, memory_order_relaxed) != 0)
            osspi_blocking_grow(engine);
        call = pop_urgent(engine);
        if (call)
            run_urgent(engine, call);
        else if (osspi_rings_pop(&engine->rings, &seat, &ticket))
            run_ticket(engine, ticket);
        else if (osspi_executor_should_end(engine)) {
            atomic_fetch_sub(&engine->census, OSSPI_OUTSIDE_ONE);
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

bool osspi_executor_spawn_locked(struct osspi_engine *engine)
{
    atomic_fetch_add(&engine->census, OSSPI_OUTSIDE_ONE);
    engine->threads++;
    if (osspi_engine_thread(engine, worker_main))
        return true;
    engine->threads--;
    atomic_fetch_sub(&engine->census, OSSPI_OUTSIDE_ONE);
    return false;
}

static bool start_worker(struct osspi_engine *engine)
{
    OSSPI_LOCKED(&engine->thread_lock);
    if (atomic_load(&engine->started) >= engine->worker_target)
        return true;
    if (!osspi_executor_spawn_locked(engine))
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
