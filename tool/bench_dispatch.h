/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a trivial asynchronous call costs, against uv_queue_work with an empty function.
 */
#ifndef SSPI_TOOL_BENCH_DISPATCH_H
#define SSPI_TOOL_BENCH_DISPATCH_H

#include <stdbool.h>

struct bench_dispatch_options {
    unsigned in_flight; /* calls at a time */
    unsigned count;     /* calls of a round */
    unsigned rounds, seconds;
    unsigned workers; /* 0: the default; libuv's pool gets as many threads */
    bool json;
};

/** Measures and prints; returns an exit code. */
int bench_dispatch(const struct bench_dispatch_options *options);

#endif
