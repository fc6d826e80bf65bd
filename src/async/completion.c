/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Completion queues: callbacks run on the thread that drains. The queue is a list of complete
 * calls, linked through the calls themselves, and an eventfd that is readable while the list holds
 * an entry. Who posts the first one promises a write under the lock and writes without it, because
 * the write wakes a thread that wants the lock. Who takes the last one reads as much as was
 * promised, so that the descriptor is never readable for nothing once the list is empty.
 *
 * A call that will be posted is bound to its queue: a queue with calls bound to it is not closed,
 * so these need no reference on it. Binding is one compare-and-swap on a word that holds the
 * queue's generation too, so an old name cannot bind to the next queue in the same place.
 *
 * Like everything that callers name, a queue is named by slot and generation. In a forked child the
 * parent's queues are closed: the descriptor is shared with the parent and not ours to read.
 */
#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "async/engine.h"
#include "base/cancel.h"
#include "base/fence.h"

#define CLOSED (UINT64_C(1) << 31)

struct osspi_completion {
    struct osspi_slot slot;
    struct osspi_lock lock;
    uint32_t epoch;           /* fork epoch in which it was made; constant */
    int fd;                   /* constant while the queue is open */
    _Atomic uint64_t bound;   /* generation << 32 | CLOSED | calls that will be posted, or are */
    _Atomic uint32_t entries; /* written under lock, with the two below */
    uint64_t promised;        /* to be written to fd, or there to be read; guarded by lock */
    struct osspi_call *first; /* guarded by lock */
    struct osspi_call *last;
    _Atomic uint32_t written; /* futex; counts writes */
    _Atomic uint32_t awaited; /* somebody waits for the next of them */
    uint32_t made;            /* promises, as `written` will count them; guarded by lock */
};

/* Guarded by its own lock and the slots' words. */
static struct osspi_table queues = {
    .object_size = (sizeof(struct osspi_completion) + 63) / 64 * 64,
    .line_share = 4,
};

static struct osspi_completion *queue_lookup(uint64_t id)
{
    struct osspi_slot *slot = osspi_table_lookup(&queues, id);
    struct osspi_completion *queue = (struct osspi_completion *)(void *)slot;

    if (queue && queue->epoch != osspi_fork_epoch()) {
        osspi_slot_unref(&queues, slot);
        return NULL;
    }
    return queue;
}

static void queue_unref(struct osspi_completion *queue)
{
    osspi_slot_unref(&queues, &queue->slot);
}

/* The word of a queue that nothing is bound to. */
static uint64_t name_of(uint64_t id)
{
    return id >> 32 << 32;
}

/* Writes what promise_locked() promised, without the lock. */
static void keep_promise(struct osspi_completion *queue)
{
    uint64_t one = 1;
    OSSPI_UNCANCELLED;

    /* Fails only for a descriptor that is not ours any more, or in a sandbox. */
    (void)!write(queue->fd, &one, sizeof(one));
    /* From here on the queue may be closed; its memory stays. */
    atomic_fetch_add(&queue->written, 1);
    osspi_fence_after_rmw();
    if (__builtin_expect(atomic_load(&queue->awaited) != 0, 0))
        osspi_futex_wake(&queue->written, INT_MAX);
}

/* The caller goes on to keep_promise() when it has let go of the lock. */
static void promise_locked(struct osspi_completion *queue)
{
    queue->promised++;
    queue->made++;
}

/* Takes back all that was written. Whoever promised and has not written yet is waited for: behind
 * this the descriptor is not readable, and nobody will write to it. */
static void set_unreadable_locked(struct osspi_completion *queue)
{
    OSSPI_UNCANCELLED;

    for (;;) {
        uint32_t seen = atomic_load(&queue->written);
        uint64_t count = 0;

        ssize_t got = read(queue->fd, &count, sizeof(count));
        /* Somebody has closed the descriptor, or put another in its place. */
        if (got >= 0 ? got != (ssize_t)sizeof(count) || count > queue->promised : errno != EAGAIN)
            count = queue->promised;
        /* All was written: what is not there could not be, or the application has read it. */
        if ((int32_t)(seen - queue->made) >= 0)
            count = queue->promised;
        queue->promised -= count;
        if (queue->promised == 0)
            break;
        /* Said, and then looked at once more, before anybody sleeps. */
        if (atomic_exchange(&queue->awaited, 1) != 0)
            osspi_futex_wait(&queue->written, seen, OSSPI_FOREVER);
    }
    if (atomic_load_explicit(&queue->awaited, memory_order_relaxed) != 0)
        atomic_store_explicit(&queue->awaited, 0, memory_order_relaxed);
}

SECURITY_STATUS osspi_completion_create(uint64_t *ret_id)
{
    struct osspi_engine *engine = osspi_engine_get();
    struct osspi_slot *slot;
    struct osspi_completion *queue;
    int fd;

    if (engine && atomic_load(&engine->phase) != OSSPI_ENGINE_OPEN)
        return SEC_E_SHUTDOWN_IN_PROGRESS;
    fd = engine ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    if (fd < 0)
        return SEC_E_INSUFFICIENT_MEMORY;
    slot = osspi_table_acquire(&queues);
    if (!slot) {
        close(fd);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    queue = (struct osspi_completion *)(void *)slot;
    queue->epoch = osspi_fork_epoch();
    queue->fd = fd;
    atomic_store_explicit(&queue->entries, 0, memory_order_relaxed);
    queue->promised = 0;
    queue->made = atomic_load_explicit(&queue->written, memory_order_relaxed);
    queue->first = queue->last = NULL;
    *ret_id = osspi_slot_id(slot);
    atomic_store_explicit(&queue->bound, name_of(*ret_id), memory_order_release);
    return SEC_E_OK;
}

int osspi_completion_fd(uint64_t id)
{
    struct osspi_completion *queue = queue_lookup(id);
    int fd;

    if (!queue)
        return -1;
    fd = queue->fd;
    queue_unref(queue);
    return fd;
}

bool osspi_completion_is_open(uint64_t id)
{
    struct osspi_completion *queue = queue_lookup(id);

    if (queue)
        queue_unref(queue);
    return queue != NULL;
}

struct osspi_completion *osspi_completion_bind(uint64_t queue_id)
{
    struct osspi_completion *queue =
        (struct osspi_completion *)(void *)osspi_table_peek(&queues, queue_id);
    uint64_t seen;

    if (!queue)
        return NULL;
    seen = atomic_load_explicit(&queue->bound, memory_order_relaxed);
    do {
        if (name_of(seen) != name_of(queue_id) || (seen & CLOSED) != 0)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&queue->bound, &seen, seen + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    if (queue->epoch == osspi_fork_epoch())
        return queue;
    osspi_completion_unbind(queue);
    return NULL;
}

void osspi_completion_unbind(struct osspi_completion *queue)
{
    if (queue)
        atomic_fetch_sub_explicit(&queue->bound, 1, memory_order_release);
}

static uint32_t add_entries_locked(struct osspi_completion *queue, int more)
{
    uint32_t entries = atomic_load_explicit(&queue->entries, memory_order_relaxed) + (uint32_t)more;

    atomic_store_explicit(&queue->entries, entries, memory_order_relaxed);
    return entries;
}

void osspi_completion_post(struct osspi_completion *queue, struct osspi_call *call)
{
    bool first;

    {
        OSSPI_LOCKED(&queue->lock);
        call->next = NULL;
        first = !queue->last;
        if (first) {
            queue->first = call;
            promise_locked(queue);
        } else {
            queue->last->next = call;
        }
        queue->last = call;
        add_entries_locked(queue, 1);
    }
    if (first)
        keep_promise(queue);
}

static struct osspi_call *take_entry(struct osspi_completion *queue, uint32_t *ret_left)
{
    struct osspi_call *call;

    OSSPI_LOCKED(&queue->lock);
    call = queue->first;
    if (!call)
        return NULL;
    queue->first = call->next;
    if (!queue->first)
        queue->last = NULL;
    *ret_left = add_entries_locked(queue, -1);
    if (*ret_left == 0)
        set_unreadable_locked(queue);
    return call;
}

/* Who waits for edges learns of what is left. */
static void tell_of_rest(struct osspi_completion *queue)
{
    bool any;

    {
        OSSPI_LOCKED(&queue->lock);
        any = queue->first != NULL;
        if (any)
            promise_locked(queue);
    }
    if (any)
        keep_promise(queue);
}

/* Until the limit is reached or nothing is left. After a fork inside a callback the rest is the
 * parent's, and so is the descriptor. */
static ULONG run_entries(struct osspi_completion *queue, ULONG limit, uint32_t *ret_left)
{
    struct osspi_engine *engine = osspi_engine_peek();
    ULONG ran = 0;

    while (ran < limit && queue->epoch == osspi_fork_epoch()) {
        struct osspi_call *call = take_entry(queue, ret_left);

        if (!call)
            break;
        ran++;
        osspi_call_notify(engine, call, false);
    }
    return ran;
}

ULONG osspi_completion_drain(uint64_t id, ULONG max)
{
    struct osspi_completion *queue = queue_lookup(id);
    uint32_t left = 0;
    ULONG ran;

    if (!queue)
        return 0;
    ran = run_entries(queue, max ? max : atomic_load(&queue->entries), &left);
    if (queue->epoch == osspi_fork_epoch()) {
        if (ran > 0) {
            osspi_count_for(NULL, OSSPI_COUNT_CALLBACKS, ran);
            osspi_engine_finished(osspi_engine_peek(), NULL, ran);
        }
        if (left > 0)
            tell_of_rest(queue);
    }
    queue_unref(queue);
    return ran;
}

SECURITY_STATUS osspi_completion_close(uint64_t id)
{
    struct osspi_completion *queue = queue_lookup(id);
    uint64_t unbound = name_of(id);
    bool closed_here;

    if (!queue)
        return SEC_E_INVALID_HANDLE;
    closed_here = atomic_compare_exchange_strong_explicit(
        &queue->bound, &unbound, unbound | CLOSED, memory_order_acq_rel, memory_order_relaxed);
    if (closed_here && osspi_table_retire(&queues, &queue->slot, id)) {
        close(queue->fd);
        queue_unref(queue);
    }
    queue_unref(queue);
    return closed_here ? SEC_E_OK : SEC_E_INVALID_PARAMETER;
}

static void add_entries(struct osspi_slot *slot, void *sum)
{
    const struct osspi_completion *queue = (struct osspi_completion *)(void *)slot;

    if (queue->epoch == osspi_fork_epoch())
        *(uint64_t *)sum += atomic_load_explicit(&queue->entries, memory_order_relaxed);
}

uint64_t osspi_completion_entries(void)
{
    uint64_t sum = 0;

    osspi_table_visit(&queues, add_entries, &sum);
    return sum;
}

uint32_t osspi_completion_live(void)
{
    return osspi_table_live(&queues);
}
