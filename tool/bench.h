/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Many handshakes in one process, client and server speaking through memory.
 *
 * One thread plays the event loop: it makes the calls, takes what they give to the other end, and
 * looks at a 1 ms ticker. Inline, each leg is a synchronous call on that thread; asynchronously the
 * legs run on the library's workers and the thread only drains the completion queue.
 */
#ifndef SSPI_TOOL_BENCH_H
#define SSPI_TOOL_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <opensspi.h>
#include <sspi.h>

#include "facts.h"

struct bench {
    unsigned live; /* handshakes at a time */
    const char *target;
    ULONG client_flags; /* ISC_REQ_..., beside those that are always there */
    CredHandle client, server;
    OsspiCompletionQueue *queue;
    struct facts facts; /* of the first handshake */
};

/** Delays in microseconds, one for each tick. */
struct bench_delays {
    uint32_t *values;
    size_t count, capacity;
};

/** What one round measured. */
struct bench_round {
    double seconds;
    uint64_t cpu_us;          /* of all threads of the process */
    uint64_t longest_call_us; /* the loop's thread was in one call for so long */
    SECURITY_STATUS failure;  /* SEC_E_OK: none */
    char detail[256];
};

/**
 * Runs handshakes, full ones, each followed by the deletion of its contexts.
 *
 * @param async  asynchronously, or inline
 * @param count  how many
 * @param delays [in,out] the ticker's delays are added here; NULL: not wanted
 * @return false if there is no memory
 */
bool bench_run(struct bench *bench, bool async, unsigned count, struct bench_delays *delays,
               struct bench_round *ret_round);

#endif
