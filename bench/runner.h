/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The ways to make many handshakes that the benches compare: libssl inline, on threads of our own
 * and on libuv's pool; SSPI inline and asynchronously. All of them keep the same number of
 * handshakes under way.
 */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include "tls_raw.h"
#include "tls_sspi.h"

enum runner_how {
    RUNNER_RAW,         /* one thread */
    RUNNER_RAW_THREADS, /* each with its share of the handshakes */
    RUNNER_RAW_POOL,    /* libuv's: a flight is a piece of work */
    RUNNER_SSPI
};

struct runner_setup {
    struct bench_tls tls;
    enum runner_how how;
    enum sspi_way way;
    unsigned threads; /* workers, threads of the pool, or our own */
    bool own_library; /* a library context for each thread of our own */
    unsigned live;    /* handshakes under way at a time */
    unsigned count;   /* handshakes of a run */
    unsigned hold;    /* so many established ends are kept, the oldest goes first; works with
                         RUNNER_RAW and RUNNER_SSPI */
    bool hold_client; /* client ends are kept, else server ends */
    bool exchange;    /* each connection carries a record each way before it is ended or kept */
};

struct runner;

/** Ends the program on failure. */
struct runner *runner_open(const struct runner_setup *setup);

/** Makes `count` handshakes; returns when all are done and freed, but for those that are held. */
void runner_run(struct runner *runner, unsigned count);

/** Makes a handshake (a full one before it, if it is to be resumed) and says what it was. */
void runner_describe(struct runner *runner, char *ret_text, size_t size);

/** RUNNER_SSPI: the nth end that is held. Invalid if there is none. */
CtxtHandle *runner_held(struct runner *runner, unsigned nth);

#endif
