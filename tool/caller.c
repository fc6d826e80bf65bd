/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Asynchronous calls for a program that has one thing to do.
 */
#include "caller.h"

#include <poll.h>
#include <stddef.h>

#include "net.h"

static void on_done(SspiAsyncContext *call, void *data)
{
    (void)call;
    ((struct caller *)data)->done = true;
}

SECURITY_STATUS caller_init(struct caller *caller)
{
    if (caller->sync)
        return SEC_E_OK;
    SECURITY_STATUS status = OsspiCreateCompletionQueue(&caller->queue);
    if (status != SEC_E_OK)
        return status;
    caller->call = SspiCreateAsyncContext();
    if (!caller->call)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = SspiSetAsyncNotifyCallback(caller->call, on_done, caller);
    if (status == SEC_E_OK)
        status = OsspiSetCompletionQueue(caller->call, caller->queue);
    return status;
}

void caller_begin(struct caller *caller, int64_t deadline_ms)
{
    int left = net_left_ms(deadline_ms);
    caller->done = false;
    SspiReinitAsyncContext(caller->call);
    OsspiSetAsyncTimeout(caller->call, left > 0 ? (ULONG)left : 1);
}

/* Nothing else may happen to what the call works on meanwhile: it may be reading its input. */
SECURITY_STATUS caller_await(struct caller *caller, SECURITY_STATUS queued)
{
    if (queued != SEC_E_OK)
        return queued;
    struct pollfd item = {.fd = OsspiCompletionQueueFd(caller->queue), .events = POLLIN};
    while (!caller->done) {
        if (poll(&item, 1, -1) > 0)
            OsspiDrainCompletions(caller->queue, 0);
    }
    return SspiGetAsyncCallStatus(caller->call);
}

void caller_clear(struct caller *caller)
{
    SspiFreeAsyncContext(caller->call);
    if (caller->queue)
        OsspiCloseCompletionQueue(caller->queue);
    caller->call = NULL;
    caller->queue = NULL;
}
