/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The functions of <opensspi.h> that speak to the engine: completion queues, one call, the process.
 * Those on certificates are in src/cert, those on words in words.c.
 */
#include <opensspi.h>
#include <stddef.h>
#include <string.h>

#include "async/engine.h"
#include "core/object.h"

static uint64_t queue_id(OsspiCompletionQueue *queue)
{
    return (uint64_t)(uintptr_t)queue;
}

/* ---- completion queues ---- */

SECURITY_STATUS OsspiCreateCompletionQueue(OsspiCompletionQueue **ret_queue)
{
    SECURITY_STATUS status;
    uint64_t id;

    if (!ret_queue)
        return SEC_E_INVALID_PARAMETER;
    *ret_queue = NULL;
    status = osspi_completion_create(&id);
    if (status == SEC_E_OK)
        *ret_queue = (OsspiCompletionQueue *)(uintptr_t)id;
    return status;
}

int OsspiCompletionQueueFd(OsspiCompletionQueue *queue)
{
    return osspi_completion_fd(queue_id(queue));
}

ULONG OsspiDrainCompletions(OsspiCompletionQueue *queue, ULONG max)
{
    return osspi_completion_drain(queue_id(queue), max);
}

SECURITY_STATUS OsspiCloseCompletionQueue(OsspiCompletionQueue *queue)
{
    return osspi_completion_close(queue_id(queue));
}

SECURITY_STATUS OsspiSetCompletionQueue(SspiAsyncContext *context, OsspiCompletionQueue *queue)
{
    if (queue && !osspi_completion_is_open(queue_id(queue)))
        return SEC_E_INVALID_HANDLE;
    return osspi_call_set_queue(context, queue_id(queue));
}

/* ---- one call ---- */

SECURITY_STATUS OsspiWaitAsyncCall(SspiAsyncContext *context, ULONG timeout_ms)
{
    return osspi_call_wait(context, timeout_ms);
}

SECURITY_STATUS OsspiCancelAsyncCall(SspiAsyncContext *context)
{
    return osspi_call_cancel(context);
}

SECURITY_STATUS OsspiSetAsyncTimeout(SspiAsyncContext *context, ULONG timeout_ms)
{
    return osspi_call_set_timeout(context, timeout_ms);
}

/* ---- the process ---- */

SECURITY_STATUS OsspiConfigure(const OsspiOptions *options)
{
    return osspi_settings_set(options);
}

static void read_engine(struct osspi_engine *engine, OsspiStatistics *statistics)
{
    if (!engine)
        return;
    statistics->calls_queued = atomic_load(&engine->accepted);
    statistics->callbacks_pending = atomic_load(&engine->notifying) + osspi_completion_entries();
    statistics->queue_depth = osspi_engine_waiting(engine);
    {
        OSSPI_LOCKED(&engine->thread_lock);
        statistics->workers = engine->threads;
    }
    {
        OSSPI_LOCKED(&engine->blocking.lock);
        statistics->blocking_threads = engine->blocking.threads;
    }
}

SECURITY_STATUS OsspiGetStatistics(OsspiStatistics *ret_statistics)
{
    OsspiStatistics now = {0};
    ULONG size;

    if (!ret_statistics ||
        ret_statistics->cbSize < offsetof(OsspiStatistics, calls_queued) + sizeof(uint64_t))
        return SEC_E_INVALID_PARAMETER;
    size = ret_statistics->cbSize < sizeof(now) ? ret_statistics->cbSize : (ULONG)sizeof(now);
    now.cbSize = size;
    now.calls_completed = osspi_counter_value(OSSPI_COUNT_COMPLETED);
    now.calls_refused = osspi_counter_value(OSSPI_COUNT_REFUSED);
    now.calls_cancelled = osspi_counter_value(OSSPI_COUNT_CANCELLED);
    now.calls_timed_out = osspi_counter_value(OSSPI_COUNT_TIMED_OUT);
    now.callbacks_run = osspi_counter_value(OSSPI_COUNT_CALLBACKS);
    now.callbacks_waited = osspi_counter_value(OSSPI_COUNT_CALLBACKS_HELD);
    now.spare_workers_released = osspi_counter_value(OSSPI_COUNT_SPARES);
    now.calls_abandoned_running = osspi_counter_value(OSSPI_COUNT_GIVEN_UP_RUNNING);
    read_engine(osspi_engine_peek(), &now);
    now.live_credentials = osspi_credential_live();
    now.live_contexts = osspi_context_live();
    now.live_async_contexts = osspi_table_live(&osspi_calls);
    now.live_completion_queues = osspi_completion_live();
    osspi_histograms(now.calls);
    memcpy(ret_statistics, &now, size);
    return SEC_E_OK;
}

SECURITY_STATUS OsspiSetTrace(OsspiTraceCallback callback, void *data)
{
    return osspi_trace_set(callback, data);
}

SECURITY_STATUS OsspiShutdown(ULONG timeout_ms)
{
    return osspi_engine_shutdown(timeout_ms);
}
