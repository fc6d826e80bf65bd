/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Completion queues: callbacks run on the thread that drains. The queue is a list of complete
 * calls, linked through the calls themselves, and an eventfd that is readable exactly while the
 * list holds an entry: both change under one lock.
 *
 * Like everything that callers name, a queue is named by slot and generation. In a forked child the
 * parent's queues are closed: the descriptor is shared with the parent and not ours to read.
 */
#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "async/engine.h"
#include "base/cancel.h"

struct osspi_completion {
    struct osspi_slot slot;
    struct osspi_lock lock;
    uint32_t epoch; /* fork epoch in which it was made; constant */
    int fd;         /* constant while the queue is open */
    uint32_t bound; /* calls that will be posted, or are; guarded by lock, with the four below */
    uint32_t entries;
    bool closed;
    struct osspi_call *first;
    struct osspi_call *last;
};

/* Guarded by its own lock and the slots' words. */
static struct osspi_table queues = {
    .object_size = (sizeof(struct osspi_completion) + 63) / 64 * 64,
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

static void set_readable(const struct osspi_completion *queue)
{
    uint64_t one = 1;
    OSSPI_UNCANCELLED;

    /* Cannot fail: the counter is read before it could overflow. */
    if (write(queue->fd, &one, sizeof(one)) < 0)
        return;
}

static void set_unreadable(const struct osspi_completion *queue)
{
    uint64_t count;
    OSSPI_UNCANCELLED;

    if (read(queue->fd, &count, sizeof(count)) < 0)
        return;
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
    queue->bound = queue->entries = 0;
    queue->closed = false;
    queue->first = queue->last = NULL;
    *ret_id = osspi_slot_id(slot);
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
    struct osspi_completion *queue = queue_lookup(queue_id);
    bool closed;

    if (!queue)
        return NULL;
    {
        OSSPI_LOCKED(&queue->lock);
        closed = queue->closed;
        queue->bound += !closed;
    }
    if (!closed)
        return queue;
    queue_unref(queue);
    return NULL;
}

void osspi_completion_unbind(struct osspi_completion *queue)
{
    if (!queue)
        return;
    {
        OSSPI_LOCKED(&queue->lock);
        queue->bound--;
    }
    queue_unref(queue);
}

void osspi_completion_post(struct osspi_completion *queue, struct osspi_call *call)
{
    OSSPI_LOCKED(&queue->lock);
    call->next = NULL;
    if (queue->last)
        queue->last->next = call;
    else
        queue->first = call;
    queue->last = call;
    if (queue->entries++ == 0)
        set_readable(queue);
}

static struct osspi_call *take_entry(struct osspi_completion *queue)
{
    struct osspi_call *call;

    OSSPI_LOCKED(&queue->lock);
    call = queue->first;
    if (!call)
        return NULL;
    queue->first = call->next;
    if (!queue->first)
        queue->last = NULL;
    if (--queue->entries == 0)
        set_unreadable(queue);
    return call;
}

ULONG osspi_completion_drain(uint64_t id, ULONG max)
{
    struct osspi_completion *queue = queue_lookup(id);
    ULONG limit = max;
    ULONG ran = 0;

    if (!queue)
        return 0;
    if (limit == 0) {
        OSSPI_LOCKED(&queue->lock);
        limit = queue->entries;
    }
    /* After a fork inside a callback the rest is the parent's, and so is the descriptor. */
    while (ran < limit && queue->epoch == osspi_fork_epoch()) {
        struct osspi_call *call = take_entry(queue);

        if (!call)
            break;
        ran++;
        osspi_call_notify(osspi_engine_peek(), call, true);
    }
    /* Who waits for edges learns of what is left. */
    if (queue->epoch == osspi_fork_epoch()) {
        OSSPI_LOCKED(&queue->lock);
        if (queue->entries > 0 && !queue->closed)
            set_readable(queue);
    }
    queue_unref(queue);
    return ran;
}

SECURITY_STATUS osspi_completion_close(uint64_t id)
{
    struct osspi_completion *queue = queue_lookup(id);
    bool closed_here;

    if (!queue)
        return SEC_E_INVALID_HANDLE;
    {
        OSSPI_LOCKED(&queue->lock);
        closed_here = queue->bound == 0 && !queue->closed;
        queue->closed |= closed_here;
    }
    if (closed_here && osspi_table_retire(&queues, &queue->slot, id)) {
        close(queue->fd);
        queue_unref(queue);
    }
    queue_unref(queue);
    return closed_here ? SEC_E_OK : SEC_E_INVALID_PARAMETER;
}

uint32_t osspi_completion_live(void)
{
    return osspi_table_live(&queues);
}
