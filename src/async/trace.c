/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The trace: one record per event, handed to the caller's function on the thread where it happens.
 * When no function is set an event costs one relaxed load.
 */
#include <unistd.h>

#include "async/engine.h"
#include "base/clock.h"
#include "base/memory.h"

/* A setting is never freed, because a thread may be about to use it; settings are few. */
struct setting {
    OsspiTraceCallback callback;
    void *data;
    struct setting *former; /* keeps it reachable */
};

_Atomic uint32_t osspi_trace_on;           /* atomic */
static _Atomic(struct setting *) settings; /* atomic; the newest */

SECURITY_STATUS osspi_trace_set(OsspiTraceCallback callback, void *data)
{
    struct setting *setting = osspi_alloc(sizeof(*setting));

    if (!setting)
        return SEC_E_INSUFFICIENT_MEMORY;
    setting->callback = callback;
    setting->data = data;
    setting->former = atomic_load(&settings);
    while (!atomic_compare_exchange_weak(&settings, &setting->former, setting))
        ;
    atomic_store(&osspi_trace_on, callback != NULL);
    return SEC_E_OK;
}

void osspi_trace_emit(OsspiTraceEvent event, const struct osspi_call *call, OsspiCallKind kind,
                      SECURITY_STATUS status)
{
    const struct setting *setting = atomic_load_explicit(&settings, memory_order_acquire);
    OsspiTraceRecord record = {
        .cbSize = sizeof(record),
        .event = event,
        .kind = kind,
        .thread_id = (uint32_t)gettid(),
        .call_id = (uint64_t)(uintptr_t)osspi_call_handle(call),
        .time_ns = osspi_now_ns(),
        .status = status,
    };

    if (setting && setting->callback)
        setting->callback(&record, setting->data);
}
