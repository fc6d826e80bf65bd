/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The blocking lane: an elastic set of threads for calls that may wait on a network or a device.
 *
 * A call is admitted when its class (a realm, a host, a token) and the lane as a whole have room;
 * until then it waits in its class's list, so that a class whose server is dead holds up nobody but
 * itself. A call that was given up still holds its thread and its admission until it returns.
 *
 * Jobs are private copies and are counted by reference: the lane's, and the call's own. The last
 * one to let go releases what the job holds.
 */
#include <string.h>

#include "async/engine.h"
#include "base/clock.h"
#include "core/exit.h"
#include "base/memory.h"

#define THREAD_IDLE_MS 5000u
#define RETRY_NS       UINT64_C(10000000)

/* ---- classes ---- */

static struct osspi_lane_class *find_class_locked(struct osspi_blocking_lane *lane,
                                                  const char *name)
{
    struct osspi_lane_class *class = lane->classes;

    while (class && strcmp(class->name, name) != 0)
        class = class->next;
    return class;
}

/* The class of a new job; it lives as long as one of its jobs. NULL: no memory. */
static struct osspi_lane_class *join_class(struct osspi_blocking_lane *lane, const char *name)
{
    struct osspi_lane_class *class;

    OSSPI_LOCKED(&lane->lock);
    class = find_class_locked(lane, name);
    if (!class) {
        class = osspi_alloc(sizeof(*class));
        if (!class)
            return NULL;
        memcpy(class->name, name, sizeof(class->name));
        class->next = lane->classes;
        lane->classes = class;
    }
    class->jobs++;
    return class;
}

static void leave_class(struct osspi_blocking_lane *lane, struct osspi_lane_class *class)
{
    struct osspi_lane_class **link = &lane->classes;

    OSSPI_LOCKED(&lane->lock);
    if (--class->jobs > 0)
        return;
    while (*link != class)
        link = &(*link)->next;
    *link = class->next;
    osspi_free(class);
}

/* ---- jobs ---- */

SECURITY_STATUS osspi_blocking_detach(struct osspi_engine *engine, struct osspi_call *call,
                                      uint32_t attempt, struct osspi_private_job **ret_job)
{
    struct osspi_private_job *job = osspi_alloc(sizeof(*job));
    SECURITY_STATUS status = SEC_E_INSUFFICIENT_MEMORY;

    if (!job)
        return status;
    job->job.ops = call->job.ops;
    job->job.lane = OSSPI_LANE_BLOCKING;
    memcpy(job->job.class_name, call->job.class_name, sizeof(job->job.class_name));
    job->job.class_name[sizeof(job->job.class_name) - 1] = '\0';
    job->lane_class = join_class(&engine->blocking, job->job.class_name);
    if (job->lane_class)
        status = call->job.ops->detach(&call->job, &job->job);
    if (status != SEC_E_OK) {
        if (job->lane_class)
            leave_class(&engine->blocking, job->lane_class);
        osspi_free(job);
        return status;
    }
    atomic_init(&job->references, 1);
    job->engine = engine;
    job->call = call;
    job->attempt = attempt;
    job->queued_ns = osspi_now_ns();
    job->deadline_ns = OSSPI_FOREVER;
    *ret_job = job;
    return SEC_E_OK;
}

void osspi_private_job_ref(struct osspi_private_job *job)
{
    atomic_fetch_add_explicit(&job->references, 1, memory_order_relaxed);
}

void osspi_private_job_unref(struct osspi_private_job *job)
{
    if (!job || atomic_fetch_sub_explicit(&job->references, 1, memory_order_acq_rel) != 1)
        return;
    job->job.ops->release(&job->job);
    leave_class(&job->engine->blocking, job->lane_class);
    osspi_free(job);
}

/* ---- lists, all under the lane's lock ---- */

struct job_list {
    struct osspi_private_job **first;
    struct osspi_private_job **last;
};

static struct job_list waiting_list(struct osspi_lane_class *class)
{
    return (struct job_list){&class->first, &class->last};
}

static struct job_list ready_list(struct osspi_blocking_lane *lane)
{
    return (struct job_list){&lane->ready_first, &lane->ready_last};
}

static void append_locked(struct job_list list, struct osspi_private_job *job)
{
    job->next = NULL;
    job->previous = *list.last;
    if (*list.last)
        (*list.last)->next = job;
    else
        *list.first = job;
    *list.last = job;
}

static void remove_locked(struct job_list list, struct osspi_private_job *job)
{
    if (job->previous)
        job->previous->next = job->next;
    else
        *list.first = job->next;
    if (job->next)
        job->next->previous = job->previous;
    else
        *list.last = job->previous;
    job->next = job->previous = NULL;
}

/* ---- admission ---- */

static bool has_room_locked(const struct osspi_blocking_lane *lane,
                            const struct osspi_lane_class *class)
{
    return lane->running < osspi_settings()->max_blocking &&
           class->running < osspi_settings()->max_blocking_per_class;
}

static void admit_locked(struct osspi_blocking_lane *lane, struct osspi_private_job *job)
{
    lane->running++;
    lane->ready++;
    job->lane_class->running++;
    job->place = OSSPI_JOB_READY;
    append_locked(ready_list(lane), job);
}

static void *blocking_main(void *data);

/* A thread for each job that no idle thread will take. A thread that cannot be started here, for
 * want of memory or because the caller has an identity of its own, is a worker's to start. */
static void find_threads_locked(struct osspi_engine *engine)
{
    struct osspi_blocking_lane *lane = &engine->blocking;

    /* With all threads there, one of them is just coming back for what is ready. */
    while (lane->ready > lane->idle + lane->starting &&
           lane->threads < osspi_settings()->max_blocking) {
        lane->threads++;
        lane->starting++;
        if (!osspi_engine_thread(engine, blocking_main)) {
            lane->threads--;
            lane->starting--;
            atomic_store(&lane->wanted, 1);
            break;
        }
    }
    atomic_fetch_add(&lane->wake, 1);
    osspi_futex_wake(&lane->wake, 1);
    if (atomic_load(&lane->wanted) != 0)
        osspi_executor_wake(engine);
}

void osspi_blocking_grow(struct osspi_engine *engine)
{
    struct osspi_blocking_lane *lane = &engine->blocking;

    atomic_store(&lane->wanted, 0);
    {
        OSSPI_LOCKED(&lane->lock);
        find_threads_locked(engine);
    }
    /* Still none to be had: not at once again. */
    if (atomic_load(&lane->wanted) != 0)
        osspi_futex_wait(&lane->wanted, 1, osspi_now_ns() + RETRY_NS);
}

/* The class whose first job waits longest among those that have room, or NULL. */
static struct osspi_lane_class *next_class_locked(struct osspi_blocking_lane *lane)
{
    struct osspi_lane_class *next = NULL;

    for (struct osspi_lane_class *class = lane->classes; class; class = class->next) {
        if (class->first && has_room_locked(lane, class) &&
            (!next || class->first->queued_ns < next->first->queued_ns))
            next = class;
    }
    return next;
}

/* Room has come free: whoever waits in any class and fits is admitted, the longest waiter first, so
 * that no class is passed over for ever. */
static void admit_waiting_locked(struct osspi_blocking_lane *lane)
{
    struct osspi_lane_class *class;

    while ((class = next_class_locked(lane)) != NULL) {
        struct osspi_private_job *job = class->first;

        remove_locked(waiting_list(class), job);
        admit_locked(lane, job);
    }
}

void osspi_blocking_push(struct osspi_engine *engine, struct osspi_private_job *job)
{
    struct osspi_blocking_lane *lane = &engine->blocking;

    OSSPI_LOCKED(&lane->lock);
    if (has_room_locked(lane, job->lane_class)) {
        admit_locked(lane, job);
    } else {
        job->place = OSSPI_JOB_WAITING;
        append_locked(waiting_list(job->lane_class), job);
    }
    find_threads_locked(engine);
}

void osspi_blocking_withdraw(struct osspi_private_job *job)
{
    struct osspi_blocking_lane *lane = &job->engine->blocking;

    {
        OSSPI_LOCKED(&lane->lock);
        if (job->place == OSSPI_JOB_NOWHERE)
            return;
        if (job->place == OSSPI_JOB_WAITING) {
            remove_locked(waiting_list(job->lane_class), job);
        } else {
            remove_locked(ready_list(lane), job);
            lane->ready--;
            lane->running--;
            job->lane_class->running--;
        }
        job->place = OSSPI_JOB_NOWHERE;
        admit_waiting_locked(lane);
    }
    osspi_private_job_unref(job);
}

/* ---- threads ---- */

static struct osspi_private_job *take_locked(struct osspi_blocking_lane *lane)
{
    struct osspi_private_job *job = lane->ready_first;

    if (!job)
        return NULL;
    remove_locked(ready_list(lane), job);
    lane->ready--;
    job->place = OSSPI_JOB_NOWHERE;
    return job;
}

static bool is_closing(struct osspi_engine *engine)
{
    return atomic_load(&engine->phase) != OSSPI_ENGINE_OPEN && osspi_engine_pending(engine) == 0;
}

/* The next job, or NULL when there was none for a while and the thread may end. */
static struct osspi_private_job *next_job(struct osspi_engine *engine)
{
    struct osspi_blocking_lane *lane = &engine->blocking;
    uint64_t deadline_ns = osspi_deadline_ns(THREAD_IDLE_MS);

    for (bool in_time = true;; osspi_engine_park_if_exiting(engine)) {
        uint32_t seen = atomic_load(&lane->wake);
        struct osspi_private_job *job;

        {
            OSSPI_LOCKED(&lane->lock);
            job = take_locked(lane);
            if (!job && (!in_time || is_closing(engine))) {
                lane->threads--;
                return NULL;
            }
            lane->idle += !job;
        }
        if (job)
            return job;
        in_time = osspi_futex_wait(&lane->wake, seen, deadline_ns);
        {
            OSSPI_LOCKED(&lane->lock);
            lane->idle--;
        }
    }
}

static void *blocking_main(void *data)
{
    struct osspi_engine *engine = data;
    struct osspi_blocking_lane *lane = &engine->blocking;
    struct osspi_private_job *job;

    osspi_engine_thread_begins("osspi-block");
    {
        OSSPI_LOCKED(&lane->lock);
        lane->starting--;
    }
    while ((job = next_job(engine)) != NULL) {
        struct osspi_lane_class *class = job->lane_class;

        /* The class must outlive the job: its count is taken back below. */
        {
            OSSPI_LOCKED(&lane->lock);
            class->jobs++;
        }
        osspi_call_run_private(job);
        {
            OSSPI_LOCKED(&lane->lock);
            lane->running--;
            class->running--;
            admit_waiting_locked(lane);
            find_threads_locked(engine);
        }
        leave_class(lane, class);
    }
    osspi_thread_end();
    osspi_engine_thread_ends(engine);
    return NULL;
}
