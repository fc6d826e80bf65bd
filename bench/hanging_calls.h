/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Many first legs of Kerberos whose KDC never answers: 16 of them have sent their request, the
 * others wait until one of these ends. And what becomes of them: a deadline, a cancel, an exit.
 */
#ifndef BENCH_HANGING_CALLS_H
#define BENCH_HANGING_CALLS_H

#include <stdbool.h>

#define HANGING_CALLS 200

struct hanging;

/** Acquires a credential for the silent realm. One per process. Ends the program on failure. */
struct hanging *hanging_open(void);

/**
 * Queues calls and returns when as many as may have sent their requests.
 *
 * @param count at most HANGING_CALLS
 * @param timeout_ms deadline of each; 0: none, and whichever ends by itself is queued again
 */
void hanging_start(struct hanging *hanging, unsigned count, unsigned timeout_ms);

/** Cancels them all and waits until their threads have come back. */
void hanging_cancel(struct hanging *hanging);

/** Waits until all deadlines have passed; by how much each callback came later than its deadline,
 * in ms, sorted. Ends the program if a call ended otherwise. */
void hanging_await_deadlines(struct hanging *hanging, double ret_delays_ms[HANGING_CALLS]);

/** Milliseconds that exit() of a new process takes with so many calls open; 0: the library has been
 * used. Not in a process that has threads. */
double hanging_exit_ms(unsigned count);

#endif
