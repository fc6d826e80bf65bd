/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How long the work that a thread does now may wait for a network, and how it waits.
 *
 * Who runs a call on the blocking lane sets a limit around it: the call's deadline, and a word that
 * tells when nobody wants the result any more. What waits asks here, so that a thread whose call
 * was given up comes back soon. Without a limit (a synchronous call on its caller's thread) only
 * the deadlines of the waits themselves count.
 */
#ifndef OSSPI_BASE_WAIT_H
#define OSSPI_BASE_WAIT_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct osspi_wait_limit {
    uint64_t deadline_ns;          /* CLOCK_MONOTONIC; OSSPI_FOREVER: none */
    const _Atomic uint32_t *ended; /* not 0: nobody waits for the result; or NULL */
    bool cut;                      /* out: a wait was ended, or not begun, because of this limit */
};

/** Sets this thread's limit, NULL: none. Returns the one before, to be set again. The limit stays
 * the caller's and has to live until then. */
struct osspi_wait_limit *osspi_wait_limit_set(struct osspi_wait_limit *limit);

/** Is the time of this thread's work over? */
bool osspi_wait_over(void);

/** The earlier of a deadline and that of this thread's work. */
uint64_t osspi_wait_until(uint64_t deadline_ns);

/**
 * Waits until a descriptor is ready (POLLIN, POLLOUT). Forks do not wait for this thread meanwhile,
 * though it may be inside foreign code (base/foreign.h).
 *
 * @return false: the deadline has passed, or the time of this thread's work is over.
 */
bool osspi_wait_ready(int fd, short events, uint64_t deadline_ns);

enum osspi_wait_result {
    OSSPI_WAIT_READY, /* revents tell which */
    OSSPI_WAIT_TIMED, /* the deadline that was given has passed */
    OSSPI_WAIT_OVER   /* the time of this thread's work is over, or poll() failed */
};

/** The same for several descriptors at once, as poll() takes them; none at all: sleeps. */
enum osspi_wait_result osspi_wait_poll(struct pollfd *entries, size_t count, uint64_t deadline_ns);

#endif
