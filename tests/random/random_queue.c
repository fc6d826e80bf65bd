/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: completion queues; see random.h. One that cannot be closed yet, because calls are
 * bound to it, is kept aside and drained until it can.
 */
#include <stdlib.h>

#include "random/random.h"
#include "support/contract_status.h"

#define MAX_ASIDE 4096u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static OsspiCompletionQueue *aside[MAX_ASIDE];
static unsigned aside_count;

static void put_aside(OsspiCompletionQueue *queue)
{
    pthread_mutex_lock(&lock);
    TEST_REQUIRE(aside_count < MAX_ASIDE);
    aside[aside_count++] = queue;
    pthread_mutex_unlock(&lock);
}

static OsspiCompletionQueue *take_aside(void)
{
    OsspiCompletionQueue *queue = NULL;

    pthread_mutex_lock(&lock);
    if (aside_count > 0)
        queue = aside[--aside_count];
    pthread_mutex_unlock(&lock);
    return queue;
}

/* Nobody must lose a queue that is open: whoever cannot close it sets it aside. */
static void close_or_keep(OsspiCompletionQueue *queue)
{
    SECURITY_STATUS status = OsspiCloseCompletionQueue(queue);

    contract_require("OsspiCloseCompletionQueue", status);
    if (status == SEC_E_INVALID_PARAMETER)
        put_aside(queue);
}

static void call_create(struct random_thread *thread)
{
    OsspiCompletionQueue *queue = NULL;
    SECURITY_STATUS status = OsspiCreateCompletionQueue(&queue);
    SecHandle left;

    contract_require("OsspiCreateCompletionQueue", status);
    if (status != SEC_E_OK)
        return;
    TEST_REQUIRE(OsspiCompletionQueueFd(queue) >= 0);
    if (random_put(thread, RANDOM_QUEUES, (SecHandle){(ULONG_PTR)queue, 0}, &left))
        close_or_keep((OsspiCompletionQueue *)left.dwLower);
}

/* Only one that is taken out of the pool may be closed here: a stale one may be set aside. */
static void call_close(struct random_thread *thread)
{
    SecHandle value;
    OsspiCompletionQueue *queue = take_aside();

    if (queue) {
        (void)OsspiDrainCompletions(queue, 0);
        close_or_keep(queue);
    } else if (random_chance(thread, 30) && random_drain(RANDOM_QUEUES, &value)) {
        close_or_keep((OsspiCompletionQueue *)value.dwLower);
    } else {
        contract_require("OsspiCloseCompletionQueue", OsspiCloseCompletionQueue(NULL));
        TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue((OsspiCompletionQueue *)(uintptr_t)0x99),
                           SEC_E_INVALID_HANDLE);
    }
}

static OsspiCompletionQueue *pick(struct random_thread *thread)
{
    struct random_handle handle = random_pick(thread, RANDOM_QUEUES);

    return handle.null ? NULL : (OsspiCompletionQueue *)handle.value.dwLower;
}

/* A callback may drain, too; but not without end. */
static void call_drain(struct random_thread *thread)
{
    if (thread->depth < 2)
        (void)OsspiDrainCompletions(pick(thread), random_below(thread, 4));
}

static void call_descriptor(struct random_thread *thread)
{
    TEST_REQUIRE(OsspiCompletionQueueFd(pick(thread)) >= -1);
}

/* The pool's own are moved aside, so that each is seen. */
void random_queues_drain(void)
{
    OsspiCompletionQueue *all[MAX_ASIDE];
    unsigned count;
    SecHandle value;

    while (random_drain(RANDOM_QUEUES, &value))
        put_aside((OsspiCompletionQueue *)value.dwLower);
    pthread_mutex_lock(&lock);
    count = aside_count;
    for (unsigned i = 0; i < count; i++)
        all[i] = aside[i];
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < count; i++)
        (void)OsspiDrainCompletions(all[i], 0);
}

void random_queues_close(void)
{
    OsspiCompletionQueue *queue;

    random_queues_drain();
    while ((queue = take_aside()) != NULL)
        TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
}

static const struct random_row rows[] = {
    {"OsspiCreateCompletionQueue", call_create, 2},
    {"OsspiCloseCompletionQueue", call_close, 3},
    {"OsspiDrainCompletions", call_drain, 24},
    {"OsspiCompletionQueueFd", call_descriptor, 2},
};
RANDOM_ROWS(random_queue_rows, rows);
