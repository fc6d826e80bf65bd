/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Asynchronous calls for a program that has one thing to do: queue a call, poll, go on. The
 * completion queue's descriptor is what is polled; a program with more to do would have it in its
 * own loop. With `sync` the caller makes the synchronous calls itself, and nothing here is needed.
 */
#ifndef SSPI_TOOL_CALLER_H
#define SSPI_TOOL_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include <opensspi.h>
#include <sspi.h>

struct caller {
    bool sync;
    SspiAsyncContext *call; /* NULL with sync */
    OsspiCompletionQueue *queue;
    bool done;
};

/** Makes what the calls need; SEC_E_OK or why not. caller->sync is set. */
SECURITY_STATUS caller_init(struct caller *caller);

/** Makes the call object ready for another call, which has until the deadline (net_now_ms). */
void caller_begin(struct caller *caller, int64_t deadline_ms);

/** Waits for the call that was queued with this result; the final status. */
SECURITY_STATUS caller_await(struct caller *caller, SECURITY_STATUS queued);

/** Frees all. */
void caller_clear(struct caller *caller);

#endif
