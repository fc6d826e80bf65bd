/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The life of an async context up to the moment its call is queued; see call.h. How calls end is
 * in finish.c.
 *
 * Every change of state is a compare-and-swap on the word, so any number of threads may use one
 * context at once; who loses is told that the context is busy.
 */
#include "async/call.h"

#include <stddef.h>
#include <string.h>

#include "async/engine.h"
#include "base/clock.h"
#include "base/memory.h"

#define FREED_CONTEXTS_THAT_WAIT 1024u
#define CANCELLED                HRESULT_FROM_WIN32(ERROR_CANCELLED)

static void call_destroy(struct osspi_slot *slot)
{
    struct osspi_call *call = osspi_call_of_slot(slot);

    /* The word stays: a freed context answers its last status until its slot serves again. */
    call->callback = NULL;
    call->callback_data = NULL;
    call->queue_id = 0;
    call->timeout_ms = 0;
    atomic_store_explicit(&call->notifies, false, memory_order_relaxed);
}

/* Guarded by its own lock and the slots' words. */
struct osspi_table osspi_calls = {
    .object_size = (sizeof(struct osspi_call) + 63) / 64 * 64,
    .min_line = FREED_CONTEXTS_THAT_WAIT,
    .line_share = 4,
    .destroy = call_destroy,
};

SspiAsyncContext *osspi_call_handle(const struct osspi_call *call)
{
    return (SspiAsyncContext *)(uintptr_t)osspi_slot_id(&call->slot);
}

static uint64_t id_of(SspiAsyncContext *handle)
{
    return (uint64_t)(uintptr_t)handle;
}

static bool is_pending(enum osspi_call_state state)
{
    return state != OSSPI_CALL_IDLE && state != OSSPI_CALL_COMPLETE;
}

/* A call that was under way in the parent of a fork will never end here: it is cancelled. */
static struct osspi_word mend_word(struct osspi_call *call, uint64_t raw)
{
    struct osspi_word word = osspi_word_unpack(raw);

    if (word.status == SEC_I_ASYNC_CALL_PENDING)
        word.status = CANCELLED;
    word.state = OSSPI_CALL_COMPLETE;
    atomic_compare_exchange_strong(&call->word, &raw,
                                   osspi_word_pack(word.status, word.attempt, word.state));
    return osspi_call_word(call);
}

static inline struct osspi_word word_in_this_process(struct osspi_call *call)
{
    uint64_t raw = atomic_load_explicit(&call->word, memory_order_acquire);
    struct osspi_word word = osspi_word_unpack(raw);

    if (!is_pending(word.state) ||
        __builtin_expect(
            atomic_load_explicit(&call->epoch, memory_order_relaxed) == osspi_fork_epoch(), 1))
        return word;
    return mend_word(call, raw);
}

struct osspi_call *osspi_call_lookup(SspiAsyncContext *handle)
{
    struct osspi_slot *slot = osspi_table_lookup(&osspi_calls, id_of(handle));

    return slot ? osspi_call_of_slot(slot) : NULL;
}

void osspi_call_unref(struct osspi_call *call)
{
    osspi_slot_unref(&osspi_calls, &call->slot);
}

bool osspi_call_claim(struct osspi_call *call, uint64_t *ret_before)
{
    struct osspi_word word = word_in_this_process(call);

    *ret_before = osspi_word_pack(word.status, word.attempt, word.state);
    if (is_pending(word.state))
        return false;
    /* The epoch goes first, or a reader could take this claim for one of the parent's. */
    atomic_store_explicit(&call->epoch, osspi_fork_epoch(), memory_order_relaxed);
    return atomic_compare_exchange_strong_explicit(
        &call->word, ret_before, osspi_word_pack(word.status, word.attempt, OSSPI_CALL_PREPARING),
        memory_order_acq_rel, memory_order_relaxed);
}

/* ---- the context functions ---- */

SspiAsyncContext *osspi_call_create(void)
{
    struct osspi_slot *slot = osspi_table_acquire(&osspi_calls);
    struct osspi_call *call;
    struct osspi_word word;

    if (!slot)
        return NULL;
    call = osspi_call_of_slot(slot);
    word = osspi_call_word(call);
    osspi_call_restore(
        call, osspi_word_pack(SEC_I_ASYNC_CALL_PENDING, word.attempt + 1, OSSPI_CALL_IDLE));
    return osspi_call_handle(call);
}

void osspi_call_free(SspiAsyncContext *handle)
{
    struct osspi_call *call = osspi_call_lookup(handle);

    if (!call)
        return;
    if (osspi_table_retire(&osspi_calls, &call->slot, id_of(handle)))
        osspi_call_unref(call);
    osspi_call_unref(call);
}

NTSTATUS osspi_call_reinit(SspiAsyncContext *handle)
{
    struct osspi_slot *slot = osspi_table_peek(&osspi_calls, id_of(handle));
    struct osspi_word word;
    uint64_t expected;
    uint64_t fresh;

    if (!slot)
        return STATUS_INVALID_PARAMETER;
    word = word_in_this_process(osspi_call_of_slot(slot));
    expected = osspi_word_pack(word.status, word.attempt, word.state);
    fresh = osspi_word_pack(SEC_I_ASYNC_CALL_PENDING, word.attempt, OSSPI_CALL_IDLE);
    /* The word was this context's if its name is good still. Without a reference: when the context
     * goes from here on, its word stays as it was, or has another attempt, and nothing is moved. */
    if (!osspi_slot_live(slot, id_of(handle)))
        return STATUS_INVALID_PARAMETER;
    if (is_pending(word.state) ||
        !atomic_compare_exchange_strong_explicit(&osspi_call_of_slot(slot)->word, &expected, fresh,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return STATUS_DEVICE_BUSY;
    return STATUS_SUCCESS;
}

/* A claimed context whose settings may be changed, by its handle; end_change() ends that. */
struct change {
    struct osspi_call *call; /* a reference, or NULL */
    uint64_t before;
};

static SECURITY_STATUS begin_change(SspiAsyncContext *handle, struct change *change)
{
    change->call = osspi_call_lookup(handle);
    if (!change->call)
        return SEC_E_INVALID_HANDLE;
    if (osspi_call_claim(change->call, &change->before))
        return SEC_E_OK;
    osspi_call_unref(change->call);
    return SEC_E_INVALID_PARAMETER;
}

static void end_change(const struct change *change)
{
    osspi_call_restore(change->call, change->before);
    osspi_call_unref(change->call);
}

SECURITY_STATUS osspi_call_set_notify(SspiAsyncContext *handle, SspiAsyncNotifyCallback callback,
                                      void *data)
{
    struct change change;
    SECURITY_STATUS status = begin_change(handle, &change);

    if (status != SEC_E_OK)
        return status;
    change.call->callback = callback;
    change.call->callback_data = data;
    atomic_store_explicit(&change.call->notifies, callback != NULL, memory_order_relaxed);
    end_change(&change);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_call_set_queue(SspiAsyncContext *handle, uint64_t queue_id)
{
    struct change change;
    SECURITY_STATUS status = begin_change(handle, &change);

    if (status != SEC_E_OK)
        return status;
    change.call->queue_id = queue_id;
    end_change(&change);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_call_set_timeout(SspiAsyncContext *handle, ULONG timeout_ms)
{
    struct change change;
    SECURITY_STATUS status = begin_change(handle, &change);

    if (status != SEC_E_OK)
        return status;
    change.call->timeout_ms = timeout_ms;
    end_change(&change);
    return SEC_E_OK;
}

BOOLEAN osspi_call_requires_notify(SspiAsyncContext *handle)
{
    struct osspi_call *call = osspi_call_lookup(handle);
    BOOLEAN requires = FALSE;

    if (!call)
        return FALSE;
    requires = atomic_load_explicit(&call->notifies, memory_order_relaxed) ? TRUE : FALSE;
    osspi_call_unref(call);
    return requires;
}

SECURITY_STATUS osspi_call_status(SspiAsyncContext *handle)
{
    struct osspi_slot *slot = osspi_table_peek(&osspi_calls, id_of(handle));
    struct osspi_word word;

    if (!slot)
        return SEC_E_INVALID_HANDLE;
    word = word_in_this_process(osspi_call_of_slot(slot));
    /* The context may be freed, and its slot may have been given to another between two looks. */
    return osspi_slot_named(slot, id_of(handle)) ? word.status : SEC_E_INVALID_HANDLE;
}

/* ---- queueing ---- */

SECURITY_STATUS osspi_call_begin(SspiAsyncContext *handle, size_t args_size,
                                 struct osspi_call **ret_call)
{
    struct osspi_call *call = osspi_call_lookup(handle);
    uint64_t before;

    if (!call)
        return SEC_E_INVALID_HANDLE;
    if (!osspi_call_claim(call, &before)) {
        osspi_count(OSSPI_COUNT_REFUSED);
        osspi_call_unref(call);
        return SEC_E_INVALID_PARAMETER;
    }
    call->before = before;
    memset(&call->job, 0, offsetof(struct osspi_job, storage) + args_size);
    call->job.class_name[0] = '\0';
    *ret_call = call;
    return SEC_E_OK;
}

struct osspi_job *osspi_call_job(struct osspi_call *call)
{
    return &call->job;
}

void osspi_call_refuse(struct osspi_call *call, SECURITY_STATUS status)
{
    struct osspi_word before = osspi_word_unpack(call->before);

    osspi_count(OSSPI_COUNT_REFUSED);
    if (before.state == OSSPI_CALL_IDLE)
        before.status = status;
    osspi_call_restore(call, osspi_word_pack(before.status, before.attempt, before.state));
    osspi_call_unref(call);
}

static SECURITY_STATUS bind_completion(struct osspi_call *call)
{
    if (call->queue_id == 0 || !call->callback)
        return SEC_E_OK;
    call->completion = osspi_completion_bind(call->queue_id);
    return call->completion ? SEC_E_OK : SEC_E_INVALID_HANDLE;
}

/* No thread could be had: for want of memory, or because the caller's has an identity that a thread
 * of ours must not inherit. */
static SECURITY_STATUS no_thread(struct osspi_engine *engine)
{
    return osspi_engine_thread_is_process(engine) ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_NOT_OWNER;
}

/* What a call needs before it is queued; everything that can fail. */
static SECURITY_STATUS secure_means(struct osspi_engine *engine, struct osspi_call *call,
                                    uint32_t attempt, uint32_t timeout_ms, uint64_t before)
{
    SECURITY_STATUS status;

    if (atomic_load(&engine->phase) != OSSPI_ENGINE_OPEN)
        return SEC_E_SHUTDOWN_IN_PROGRESS;
    if (!call->job.any_identity && !osspi_engine_thread_is_process(engine))
        return SEC_E_NOT_OWNER;
    if (!osspi_executor_start(engine) ||
        (timeout_ms != 0 && osspi_timer_reserve(engine) != SEC_E_OK))
        return no_thread(engine);
    if (!osspi_engine_has_room(engine, before))
        return SEC_E_INSUFFICIENT_MEMORY;
    status = bind_completion(call);
    if (status == SEC_E_OK && call->job.lane == OSSPI_LANE_BLOCKING)
        status = osspi_blocking_detach(engine, call, attempt, &call->private_job);
    if (status != SEC_E_OK)
        osspi_completion_unbind(OSSPI_TAKE(call->completion));
    return status;
}

static void turn_has_come(struct osspi_turn_waiter *waiter)
{
    struct osspi_call *call = OSSPI_CONTAINER_OF(waiter, struct osspi_call, waiter);

    /* Under the turn's lock: whoever stops the call leaves the line first and cannot have done so
     * yet, therefore engine and private job are those of this attempt. */
    osspi_call_dispatch(osspi_engine_peek(), call, osspi_call_word(call).attempt, call->turn,
                        call->private_job);
}

struct queued {
    struct osspi_call *call;
    uint32_t attempt;
};

static bool is_still_queued(void *data)
{
    struct queued *queued = data;
    struct osspi_word word = osspi_call_word(queued->call);

    return (word.state == OSSPI_CALL_QUEUED || word.state == OSSPI_CALL_LANED) &&
           word.attempt == queued->attempt;
}

/* From here on the call may end, and its context be used anew, at any moment: only the ticket
 * (call, attempt) and what the turn's lock guards may be touched. */
static void enter_queue(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                        struct osspi_turn *turn, struct osspi_private_job *private_job)
{
    struct queued queued = {call, attempt};
    enum osspi_turn_place place = OSSPI_TURN_HELD;

    if (turn)
        place = osspi_turn_join(turn, &call->waiter, is_still_queued, &queued);
    if (place == OSSPI_TURN_HELD)
        osspi_call_dispatch(engine, call, attempt, turn, private_job);
}

static void note_queued(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                        struct osspi_turn *turn, uint32_t timeout_ms)
{
    call->turn = turn;
    if (turn) {
        call->waiter.ready = turn_has_come;
        call->waiter.in_line = false;
    }
    if (timeout_ms != 0) {
        call->queued_ns = osspi_now_ns();
        call->deadline_ns = call->queued_ns + timeout_ms * UINT64_C(1000000);
    } else {
        call->queued_ns =
            osspi_time_queued(engine, call->job.ops->kind, attempt + call->slot.index);
        call->deadline_ns = 0;
    }
    call->timer_position = 0; /* of the parent's heap, perhaps */
    atomic_store_explicit(&call->any_identity, call->job.any_identity, memory_order_relaxed);
    osspi_trace(OsspiTraceQueued, call, call->job.ops->kind, SEC_I_ASYNC_CALL_PENDING);
}

/*
 * Delete and Free: no place, no turn, no deadline. Their work never fails, so where no thread can
 * do it, it is done here; only a callback that nobody could run makes the attempt fail.
 */
static SECURITY_STATUS submit_urgent(struct osspi_engine *engine, struct osspi_call *call,
                                     uint32_t attempt)
{
    bool closed = engine && atomic_load(&engine->phase) != OSSPI_ENGINE_OPEN;
    /* A thread with an identity of its own may leave the work to a worker, but not start one. */
    bool has_worker = engine && !closed &&
                      (osspi_executor_alive(engine) ||
                       (osspi_engine_thread_is_process(engine) && osspi_executor_start(engine)));

    (void)bind_completion(call); /* a closed queue: the callback runs on a worker instead */
    if (!has_worker && call->callback && !call->completion) {
        SECURITY_STATUS status = closed ? SEC_E_SHUTDOWN_IN_PROGRESS : SEC_E_INSUFFICIENT_MEMORY;

        (void)call->job.ops->run(&call->job);
        call->job.ops->release(&call->job);
        osspi_call_refuse(call, status);
        if (engine)
            osspi_engine_refuse(engine);
        return status;
    }
    note_queued(engine, call, attempt, NULL, 0);
    if (engine)
        osspi_engine_left(engine, osspi_worker_self(engine)); /* it takes no place */
    osspi_call_restore(call, osspi_word_pack(SEC_I_ASYNC_CALL_PENDING, attempt, OSSPI_CALL_DUE));
    if (has_worker)
        osspi_executor_push_urgent(engine, call);
    else
        (void)osspi_call_run(engine, call, attempt, false);
    return SEC_E_OK;
}

static SECURITY_STATUS submit_queued(struct osspi_engine *engine, struct osspi_call *call,
                                     uint32_t attempt, struct osspi_turn *turn, uint32_t timeout_ms)
{
    struct osspi_private_job *private_job = call->private_job;
    uint64_t deadline_ns;

    note_queued(engine, call, attempt, turn, timeout_ms);
    deadline_ns = call->deadline_ns;
    if (private_job)
        osspi_private_job_ref(private_job);
    if (private_job && deadline_ns != 0)
        private_job->deadline_ns = deadline_ns;
    osspi_call_restore(call, osspi_word_pack(SEC_I_ASYNC_CALL_PENDING, attempt,
                                             private_job ? OSSPI_CALL_LANED : OSSPI_CALL_QUEUED));
    if (deadline_ns != 0)
        osspi_timer_arm(engine, call, attempt, deadline_ns);
    enter_queue(engine, call, attempt, turn, private_job);
    if (private_job)
        osspi_private_job_unref(private_job);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_call_submit(struct osspi_call *call, struct osspi_turn *turn,
                                  bool never_fails)
{
    struct osspi_engine *engine = osspi_engine_get();
    uint32_t attempt = (osspi_word_unpack(call->before).attempt + 1) & OSSPI_ATTEMPT_MASK;
    uint32_t timeout_ms = call->timeout_ms;
    SECURITY_STATUS status = SEC_E_INSUFFICIENT_MEMORY;
    uint64_t before = 0;
    bool counted;

    call->private_job = NULL;
    call->completion = NULL;
    /* Counted before secure_means() looks at the phase: a shutdown that finds nothing pending has
     * closed the engine before that, and the call is refused. And looked at before it is counted:
     * calls refused one after another must not keep the threads of a closed engine from ending. */
    counted = engine && (never_fails || atomic_load(&engine->phase) == OSSPI_ENGINE_OPEN);
    if (counted)
        before = osspi_engine_accept(engine);
    if (never_fails)
        return submit_urgent(engine, call, attempt);
    if (timeout_ms == 0)
        timeout_ms = engine ? engine->default_timeout_ms : 0;
    if (engine)
        status = counted ? secure_means(engine, call, attempt, timeout_ms, before)
                         : SEC_E_SHUTDOWN_IN_PROGRESS;
    if (status == SEC_E_OK)
        return submit_queued(engine, call, attempt, turn, timeout_ms);
    osspi_trace(OsspiTraceRefused, call, call->job.ops->kind, status);
    call->job.ops->release(&call->job);
    osspi_call_refuse(call, status);
    if (counted)
        osspi_engine_refuse(engine);
    return status;
}
