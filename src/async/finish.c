/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How calls run and end: by a worker, by a waiter that helps, by a thread of the blocking lane, by
 * cancel and by deadline. All of them meet in one compare-and-swap to PUBLISHING; who wins it does
 * everything that follows, in one order:
 *
 *     outputs written, deadline disarmed, turn left, job released, status visible, notification
 *
 * so that a caller who sees the status may use the context for another call at once.
 *
 * A call holds a place of the queue exactly while it is QUEUED or LANED. Its ticket may stay in the
 * ring for longer, stale.
 */
#include <limits.h>
#include <stddef.h>

#include "async/engine.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/fence.h"
#include "base/memory.h"
#include "base/wait.h"

#define CANCELLED HRESULT_FROM_WIN32(ERROR_CANCELLED)
#define TIMED_OUT HRESULT_FROM_WIN32(ERROR_TIMEOUT)

/* ---- the end ---- */

void osspi_call_wake_waiters(struct osspi_call *call)
{
    osspi_fence_after_rmw();
    if (__builtin_expect(atomic_load(&call->waiters) == 0, 1))
        return;
    atomic_fetch_add(&call->done, 1);
    osspi_futex_wake(&call->done, INT_MAX);
}

/*
 * The caller has won PUBLISHING and let go of job and turn; worker: the callback may run here.
 *
 * The final status is a plain store, because each way on from there begins with a read-modify-write
 * that is a barrier between it and the look for waiters: either we see a waiter, or he has not
 * looked at the word yet and will see that it is final. By then the call may be gone, but its
 * memory never is, and whoever waits for another call in the same place looks again and sleeps on.
 */
static void complete(struct osspi_engine *engine, struct osspi_worker *self,
                     struct osspi_call *call, uint32_t attempt, OsspiCallKind kind,
                     SECURITY_STATUS status, bool worker)
{
    struct osspi_completion *queue = call->completion;
    bool notifies = call->callback != NULL;

    osspi_count_for(self, OSSPI_COUNT_COMPLETED, 1);
    osspi_trace(OsspiTraceCompleted, call, kind, status);
    /* One that runs right here does not wait; those of a queue are counted there. */
    if (notifies && engine && !queue && !worker)
        atomic_fetch_add_explicit(&engine->notifying, 1, memory_order_relaxed);
    osspi_call_restore(
        call,
        osspi_word_pack(status, attempt, notifies ? OSSPI_CALL_NOTIFYING : OSSPI_CALL_COMPLETE));
    if (notifies && !queue && worker) {
        osspi_executor_callback(engine, self, call, false);
        return;
    }
    if (!notifies)
        osspi_call_unref(call);
    else if (queue)
        osspi_completion_post(queue, call);
    else
        osspi_executor_push_urgent(engine, call);
    osspi_call_wake_waiters(call);
    if (!notifies)
        osspi_engine_finished(engine, self, 1);
}

void osspi_call_notify(struct osspi_engine *engine, struct osspi_call *call, bool counted)
{
    SspiAsyncContext *handle = osspi_call_handle(call);
    SspiAsyncNotifyCallback callback = call->callback;
    void *data = call->callback_data;
    struct osspi_word word = osspi_call_word(call);
    OsspiCallKind kind = call->kind;

    if (call->completion)
        osspi_completion_unbind(OSSPI_TAKE(call->completion));
    if (engine && counted)
        atomic_fetch_sub_explicit(&engine->notifying, 1, memory_order_relaxed);
    osspi_trace(OsspiTraceCallbackStarted, call, kind, SEC_I_ASYNC_CALL_PENDING);
    osspi_call_restore(call, osspi_word_pack(word.status, word.attempt, OSSPI_CALL_COMPLETE));
    /* The reference keeps a context that was freed while pending readable until the callback
     * returns; of a context that is used anew meanwhile nothing is touched. */
    osspi_callback_depth++;
    callback(handle, data);
    osspi_callback_depth--;
    osspi_trace(OsspiTraceCallbackReturned, call, kind, SEC_I_ASYNC_CALL_PENDING);
    osspi_call_unref(call);
}

/* ---- running ---- */

static void leave_turn(struct osspi_call *call)
{
    if (call->turn)
        (void)osspi_turn_leave(call->turn, &call->waiter);
    call->turn = NULL;
}

/* A leg found out that it has to wait: it goes on on the blocking lane and keeps its turn. */
static bool move_to_blocking_lane(struct osspi_engine *engine, struct osspi_call *call,
                                  uint32_t attempt)
{
    struct osspi_private_job *private_job;
    uint64_t deadline_ns = call->deadline_ns;

    if (osspi_blocking_detach(engine, call, attempt, &call->private_job) != SEC_E_OK)
        return false;
    private_job = call->private_job;
    osspi_private_job_ref(private_job);
    if (deadline_ns != 0)
        private_job->deadline_ns = deadline_ns;
    osspi_engine_back(engine);
    osspi_call_restore(call, osspi_word_pack(SEC_I_ASYNC_CALL_PENDING, attempt, OSSPI_CALL_LANED));
    /* A deadline that passed while the call computed was without effect: it counts from here on. */
    if (deadline_ns != 0)
        osspi_timer_arm(engine, call, attempt, deadline_ns);
    osspi_call_dispatch(engine, call, attempt, NULL, private_job);
    osspi_private_job_unref(private_job);
    return true;
}

static void finish_run(struct osspi_engine *engine, struct osspi_worker *self,
                       struct osspi_call *call, uint32_t attempt, SECURITY_STATUS status,
                       bool worker)
{
    OsspiCallKind kind = call->job.ops->kind;

    /* Nobody but us moves a call on from RUNNING. */
    osspi_call_restore(call,
                       osspi_word_pack(SEC_I_ASYNC_CALL_PENDING, attempt, OSSPI_CALL_PUBLISHING));
    osspi_time_ended(self, kind, call->started_ns, call->queued_ns != 0);
    if (call->job.ops->publish)
        call->job.ops->publish(&call->job, status);
    if (engine && call->deadline_ns != 0)
        osspi_timer_disarm(engine, call);
    leave_turn(call);
    call->job.ops->release(&call->job);
    complete(engine, self, call, attempt, kind, status, worker);
}

/* A thread of the caller's is never parked: it may be the one that ends the process. */
static void end_work(struct osspi_engine *engine, struct osspi_worker *self, bool worker)
{
    osspi_engine_work(engine, self, false);
    if (engine && worker)
        osspi_engine_park_if_exiting(engine);
}

/* Either the exit sees that this thread is at work and waits for it, or this thread sees the exit
 * and does not begin: the thread said that it works before it moved the call to RUNNING, which is
 * the barrier between that and this look. */
static void begin_work(struct osspi_engine *engine, struct osspi_worker *self, bool worker)
{
    osspi_fence_after_rmw();
    if (engine && worker && atomic_load(&engine->phase) == OSSPI_ENGINE_EXITING) {
        end_work(engine, self, worker);
        /* a forked child's thread of the parent's: goes on */
        osspi_engine_work(engine, self, true);
    }
}

/* Moves a call to RUNNING, with this thread at work; false: the ticket was stale. */
static bool take(struct osspi_engine *engine, struct osspi_worker *self, struct osspi_call *call,
                 uint32_t attempt)
{
    osspi_engine_work(engine, self, true);
    if (osspi_call_move(call, attempt, OSSPI_CALL_QUEUED, OSSPI_CALL_RUNNING)) {
        osspi_engine_left(engine, self);
        return true;
    }
    if (osspi_call_move(call, attempt, OSSPI_CALL_DUE, OSSPI_CALL_RUNNING))
        return true;
    osspi_engine_work(engine, self, false);
    return false;
}

bool osspi_call_run(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                    bool worker)
{
    struct osspi_worker *self = osspi_worker_self(engine);
    SECURITY_STATUS status;

    if (!take(engine, self, call, attempt))
        return false;
    call->kind = call->job.ops->kind;
    call->started_ns = osspi_time_started(self, call->kind, call->queued_ns);
    osspi_trace(OsspiTraceStarted, call, call->kind, SEC_I_ASYNC_CALL_PENDING);
    begin_work(engine, self, worker);
    status = call->job.ops->run(&call->job);
    end_work(engine, self, worker);
    if (status == OSSPI_WANT_BLOCKING) {
        if (move_to_blocking_lane(engine, call, attempt))
            return true;
        status = SEC_E_INSUFFICIENT_MEMORY;
    }
    finish_run(engine, self, call, attempt, status, worker);
    return true;
}

/* What waits inside looks at the limit, so that a thread whose call is over comes back soon. */
static SECURITY_STATUS run_within_limit(struct osspi_private_job *job)
{
    struct osspi_wait_limit limit = {job->deadline_ns, &job->ended, false};
    struct osspi_wait_limit *before = osspi_wait_limit_set(&limit);
    const SECURITY_STATUS status = job->job.ops->run(&job->job);

    (void)osspi_wait_limit_set(before);
    /* It has come back because of the deadline, and may be quicker than the timer. */
    if (limit.cut && atomic_load(&job->ended) == 0)
        (void)osspi_call_stop(job->engine, job->call, job->attempt, TIMED_OUT);
    return status;
}

void osspi_call_run_private(struct osspi_private_job *job)
{
    struct osspi_engine *engine = job->engine;
    struct osspi_call *call = job->call;
    uint32_t attempt = job->attempt;
    OsspiCallKind kind = job->job.ops->kind;
    SECURITY_STATUS status;
    uint64_t started_ns;

    if (!osspi_call_move(call, attempt, OSSPI_CALL_LANED, OSSPI_CALL_BLOCKED)) {
        osspi_private_job_unref(job);
        return;
    }
    osspi_engine_left(engine, NULL);
    started_ns = osspi_time_started(NULL, kind, job->queued_ns);
    osspi_trace(OsspiTraceStarted, call, kind, SEC_I_ASYNC_CALL_PENDING);
    status = run_within_limit(job);
    if (status == OSSPI_WANT_BLOCKING) /* it is there already */
        status = SEC_E_INTERNAL_ERROR;
    osspi_engine_park_if_exiting(engine);
    osspi_time_ended(NULL, kind, started_ns, true);
    if (!osspi_call_move(call, attempt, OSSPI_CALL_BLOCKED, OSSPI_CALL_PUBLISHING)) {
        /* Given up meanwhile: the context belongs to somebody else by now. */
        osspi_count_down(OSSPI_COUNT_GIVEN_UP_RUNNING);
        osspi_private_job_unref(job);
        return;
    }
    if (job->job.ops->publish)
        job->job.ops->publish(&job->job, status);
    osspi_timer_disarm(engine, call);
    leave_turn(call);
    call->kind = kind;
    osspi_private_job_unref(OSSPI_TAKE(call->private_job));
    osspi_private_job_unref(job);
    complete(engine, NULL, call, attempt, kind, status, false);
}

void osspi_call_dispatch(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                         struct osspi_turn *turn, struct osspi_private_job *private_job)
{
    if (!private_job) {
        osspi_executor_push(engine, call, attempt,
                            turn ? atomic_load_explicit(&turn->home, memory_order_relaxed) : 0);
        return;
    }
    osspi_private_job_ref(private_job); /* the lane's */
    osspi_blocking_push(engine, private_job);
}

/* ---- stopping ---- */

static void note_stop(struct osspi_call *call, OsspiCallKind kind, SECURITY_STATUS status)
{
    bool timed_out = status == TIMED_OUT;

    call->kind = kind;
    osspi_count(timed_out ? OSSPI_COUNT_TIMED_OUT : OSSPI_COUNT_CANCELLED);
    osspi_trace(timed_out ? OsspiTraceTimedOut : OsspiTraceCancelled, call, kind, status);
}

/* The call waits for its turn, for a worker or for a thread of the blocking lane. */
static void stop_waiting(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                         SECURITY_STATUS status)
{
    struct osspi_private_job *private_job = call->private_job;
    OsspiCallKind kind = private_job ? private_job->job.ops->kind : call->job.ops->kind;

    note_stop(call, kind, status);
    osspi_timer_disarm(engine, call);
    leave_turn(call);
    call->private_job = NULL;
    if (!private_job)
        call->job.ops->release(&call->job);
    else
        osspi_blocking_withdraw(private_job);
    osspi_private_job_unref(private_job);
    complete(engine, osspi_worker_self(engine), call, attempt, kind, status, false);
}

/* The call runs on the blocking lane and is given up: its thread will find that it has lost. */
static void give_up(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                    SECURITY_STATUS status)
{
    struct osspi_private_job *private_job = OSSPI_TAKE(call->private_job);
    OsspiCallKind kind = private_job->job.ops->kind;

    note_stop(call, kind, status);
    atomic_store(&private_job->ended, 1);
    if (private_job->job.ops->given_up)
        private_job->job.ops->given_up(&private_job->job);
    osspi_timer_disarm(engine, call);
    leave_turn(call);
    osspi_private_job_unref(private_job);
    complete(engine, osspi_worker_self(engine), call, attempt, kind, status, false);
}

bool osspi_call_stop(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                     SECURITY_STATUS status)
{
    /* What the parent of a fork left pending is not in this engine's lists and counts. */
    if (atomic_load_explicit(&call->epoch, memory_order_relaxed) != engine->epoch)
        return false;
    if (osspi_call_move(call, attempt, OSSPI_CALL_QUEUED, OSSPI_CALL_PUBLISHING) ||
        osspi_call_move(call, attempt, OSSPI_CALL_LANED, OSSPI_CALL_PUBLISHING)) {
        osspi_engine_left(engine, osspi_worker_self(engine));
        stop_waiting(engine, call, attempt, status);
        return true;
    }
    /* Counted before the move: the thread that loses counts down at once. */
    osspi_count(OSSPI_COUNT_GIVEN_UP_RUNNING);
    if (osspi_call_move(call, attempt, OSSPI_CALL_BLOCKED, OSSPI_CALL_PUBLISHING)) {
        give_up(engine, call, attempt, status);
        return true;
    }
    osspi_count_down(OSSPI_COUNT_GIVEN_UP_RUNNING);
    return false;
}

SECURITY_STATUS osspi_call_cancel(SspiAsyncContext *handle)
{
    struct osspi_engine *engine = osspi_engine_peek();
    struct osspi_call *call = osspi_call_lookup(handle);
    bool stopped;

    if (!call)
        return SEC_E_INVALID_HANDLE;
    stopped = engine && osspi_call_stop(engine, call, osspi_call_word(call).attempt, CANCELLED);
    osspi_call_unref(call);
    return stopped ? SEC_E_OK : SEC_E_INVALID_PARAMETER;
}

/* ---- waiting ---- */

static bool is_final(struct osspi_word word)
{
    return word.state == OSSPI_CALL_NOTIFYING || word.state == OSSPI_CALL_COMPLETE ||
           (word.state == OSSPI_CALL_IDLE && word.status != SEC_I_ASYNC_CALL_PENDING);
}

/* A call that only waits for a worker is run here: nothing wakes a thread faster than not to. But
 * not under another identity than a worker's, where that makes a difference. (If any_identity is
 * already that of the context's next call, this one is over and run refuses.) */
static bool help(struct osspi_engine *engine, struct osspi_call *call, struct osspi_word word)
{
    if (!engine || word.state != OSSPI_CALL_QUEUED ||
        atomic_load(&call->reachable) != (word.attempt | OSSPI_REACHABLE))
        return false;
    OSSPI_UNCANCELLED; /* waiting is no cancellation point, and a leg must not be left halfway */
    return (atomic_load_explicit(&call->any_identity, memory_order_relaxed) ||
            osspi_engine_thread_is_process(engine)) &&
           osspi_call_run(engine, call, word.attempt, false);
}

static SECURITY_STATUS wait_for_end(struct osspi_call *call, uint32_t timeout_ms)
{
    uint64_t deadline_ns = osspi_deadline_ns(timeout_ms);
    bool may_help = timeout_ms > 0; /* without time it only looks */
    struct osspi_engine *engine = osspi_engine_peek();
    struct osspi_word first = osspi_call_word(call);

    for (;;) {
        uint32_t done = atomic_load(&call->done);
        /* After `waiters` was counted up, in the order of complete(). */
        struct osspi_word word = osspi_word_unpack(atomic_load(&call->word));

        if (is_final(word) || word.attempt != first.attempt || word.state == OSSPI_CALL_IDLE ||
            word.state == OSSPI_CALL_PREPARING)
            return word.status;
        if (may_help && help(engine, call, word))
            continue;
        if (!osspi_futex_wait(&call->done, done, deadline_ns))
            return osspi_call_word(call).status;
    }
}

SECURITY_STATUS osspi_call_wait(SspiAsyncContext *handle, ULONG timeout_ms)
{
    struct osspi_call *call = osspi_call_lookup(handle);
    SECURITY_STATUS status;

    if (!call)
        return SEC_E_INVALID_HANDLE;
    (void)osspi_call_status(handle); /* ends what the parent of a fork left pending */
    atomic_fetch_add(&call->waiters, 1);
    status = wait_for_end(call, timeout_ms);
    atomic_fetch_sub(&call->waiters, 1);
    osspi_call_unref(call);
    return status;
}
