/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Deadlines: a binary heap and one thread that sleeps until the first of them. An entry is taken
 * out when its call ends, so the heap holds pending calls only and no reference on them.
 */
#include "async/engine.h"
#include "base/clock.h"
#include "core/exit.h"
#include "base/memory.h"

#define FIRST_HEAP_SIZE 1024u

static void place_locked(struct osspi_engine *engine, uint32_t index,
                         struct osspi_timer_entry entry)
{
    engine->heap[index] = entry;
    entry.call->timer_position = index + 1;
}

static void sift_up_locked(struct osspi_engine *engine, uint32_t index,
                           struct osspi_timer_entry entry)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;

        if (engine->heap[parent].deadline_ns <= entry.deadline_ns)
            break;
        place_locked(engine, index, engine->heap[parent]);
        index = parent;
    }
    place_locked(engine, index, entry);
}

static void sift_down_locked(struct osspi_engine *engine, uint32_t index,
                             struct osspi_timer_entry entry)
{
    for (;;) {
        uint32_t child = 2 * index + 1;

        if (child >= engine->heap_count)
            break;
        if (child + 1 < engine->heap_count &&
            engine->heap[child + 1].deadline_ns < engine->heap[child].deadline_ns)
            child++;
        if (entry.deadline_ns <= engine->heap[child].deadline_ns)
            break;
        place_locked(engine, index, engine->heap[child]);
        index = child;
    }
    place_locked(engine, index, entry);
}

static void remove_locked(struct osspi_engine *engine, uint32_t index)
{
    struct osspi_timer_entry last = engine->heap[engine->heap_count - 1];

    engine->heap[index].call->timer_position = 0;
    engine->heap_count--;
    if (index == engine->heap_count)
        return;
    if (index > 0 && engine->heap[(index - 1) / 2].deadline_ns > last.deadline_ns)
        sift_up_locked(engine, index, last);
    else
        sift_down_locked(engine, index, last);
}

/* Takes the first entry out if its time has come; it comes with a reference on the call. */
static bool take_due(struct osspi_engine *engine, struct osspi_timer_entry *ret_entry,
                     uint64_t *ret_next_ns)
{
    OSSPI_LOCKED(&engine->timer_lock);
    *ret_next_ns = engine->heap_count > 0 ? engine->heap[0].deadline_ns : OSSPI_FOREVER;
    if (*ret_next_ns > osspi_now_ns())
        return false;
    *ret_entry = engine->heap[0];
    remove_locked(engine, 0);
    /* The call is pending, so its own reference is there to be doubled. */
    osspi_slot_ref(&ret_entry->call->slot);
    return true;
}

static bool is_needed(struct osspi_engine *engine)
{
    return atomic_load(&engine->phase) == OSSPI_ENGINE_OPEN || osspi_engine_pending(engine) > 0;
}

static void *timer_main(void *data)
{
    struct osspi_engine *engine = data;

    osspi_engine_thread_begins("osspi-timer");
    for (;;) {
        /* Read before anything is looked at, or a wake-up could be slept through. */
        uint32_t seen = atomic_load(&engine->timer_wake);
        struct osspi_timer_entry entry;
        uint64_t next_ns;

        osspi_engine_park_if_exiting(engine);
        if (!is_needed(engine))
            break;
        if (!take_due(engine, &entry, &next_ns)) {
            osspi_futex_wait(&engine->timer_wake, seen, next_ns);
            continue;
        }
        (void)osspi_call_stop(engine, entry.call, entry.attempt, HRESULT_FROM_WIN32(ERROR_TIMEOUT));
        osspi_call_unref(entry.call);
    }
    osspi_thread_end();
    osspi_engine_thread_ends(engine);
    return NULL;
}

SECURITY_STATUS osspi_timer_reserve(struct osspi_engine *engine)
{
    OSSPI_LOCKED(&engine->timer_lock);
    /* Grown when half full: the other half is for threads between here and osspi_timer_arm(). */
    if (engine->heap_count + 1 >= engine->heap_size / 2) {
        uint32_t size = engine->heap_size ? 2 * engine->heap_size : FIRST_HEAP_SIZE;
        struct osspi_timer_entry *heap = osspi_alloc_array(size, sizeof(*heap));

        if (!heap)
            return SEC_E_INSUFFICIENT_MEMORY;
        for (uint32_t i = 0; i < engine->heap_count; i++)
            heap[i] = engine->heap[i];
        osspi_free(engine->heap);
        engine->heap = heap;
        engine->heap_size = size;
    }
    if (!engine->timer_running)
        engine->timer_running = osspi_engine_thread(engine, timer_main);
    return engine->timer_running ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static bool may_still_be_stopped(struct osspi_call *call, uint32_t attempt)
{
    struct osspi_word word = osspi_call_word(call);

    return word.attempt == attempt && word.state >= OSSPI_CALL_QUEUED &&
           word.state <= OSSPI_CALL_BLOCKED;
}

void osspi_timer_arm(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                     uint64_t deadline_ns)
{
    struct osspi_timer_entry entry = {deadline_ns, call, attempt};

    {
        OSSPI_LOCKED(&engine->timer_lock);
        /* The call may have ended already; whoever ends it disarms after leaving these states. */
        if (!may_still_be_stopped(call, attempt) || call->timer_position != 0 ||
            engine->heap_count >= engine->heap_size)
            return;
        sift_up_locked(engine, engine->heap_count++, entry);
        if (call->timer_position != 1)
            return;
    }
    atomic_fetch_add(&engine->timer_wake, 1);
    osspi_futex_wake(&engine->timer_wake, 1);
}

void osspi_timer_disarm(struct osspi_engine *engine, struct osspi_call *call)
{
    if (call->deadline_ns == 0)
        return;
    OSSPI_LOCKED(&engine->timer_lock);
    if (call->timer_position != 0)
        remove_locked(engine, call->timer_position - 1);
}
