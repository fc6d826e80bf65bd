/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Waiting within limits; see wait.h. The limit is the thread's own.
 *
 * A wait is cut into slices, because what ends a call from outside sets a word and wakes nobody:
 * the call is over for its caller by then, and only its thread is to come back soon.
 */
#include "base/wait.h"

#include <errno.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/foreign.h"
#include "base/lock.h"

#define SLICE_MS 50u
#define MS_NS    UINT64_C(1000000)

static _Thread_local struct osspi_wait_limit *current; /* thread-local: needs no guard */

struct osspi_wait_limit *osspi_wait_limit_set(struct osspi_wait_limit *limit)
{
    struct osspi_wait_limit *before = current;

    current = limit;
    return before;
}

bool osspi_wait_over(void)
{
    if (current == NULL)
        return false;
    if ((current->ended != NULL && atomic_load(current->ended) != 0) ||
        (current->deadline_ns != OSSPI_FOREVER && osspi_now_ns() >= current->deadline_ns))
        current->cut = true;
    return current->cut;
}

uint64_t osspi_wait_until(uint64_t deadline_ns)
{
    return current != NULL && current->deadline_ns < deadline_ns ? current->deadline_ns
                                                                 : deadline_ns;
}

static int slice_ms(uint64_t now_ns, uint64_t deadline_ns)
{
    const uint64_t left_ms = (deadline_ns - now_ns + MS_NS - 1) / MS_NS;

    return (int)(left_ms < SLICE_MS ? left_ms : SLICE_MS);
}

static enum osspi_wait_result wait_in_slices(struct pollfd *entries, size_t count,
                                             uint64_t deadline_ns)
{
    for (;;) {
        const uint64_t now_ns = osspi_now_ns();

        if (osspi_wait_over())
            return OSSPI_WAIT_OVER;
        if (now_ns >= deadline_ns)
            return OSSPI_WAIT_TIMED;
        const int ready = poll(entries, (nfds_t)count, slice_ms(now_ns, deadline_ns));
        if (ready > 0)
            return OSSPI_WAIT_READY; /* an error shows in the operation that follows */
        if (ready < 0 && errno != EINTR)
            return OSSPI_WAIT_OVER;
    }
}

enum osspi_wait_result osspi_wait_poll(struct pollfd *entries, size_t count, uint64_t deadline_ns)
{
    const unsigned depth = osspi_foreign_pause();
    const enum osspi_wait_result result =
        wait_in_slices(entries, count, osspi_wait_until(deadline_ns));
    /* Noted too where the given deadline and the thread's are the same. */
    const bool over = result != OSSPI_WAIT_READY && osspi_wait_over();

    osspi_foreign_resume(depth);
    return over ? OSSPI_WAIT_OVER : result;
}

bool osspi_wait_ready(int fd, short events, uint64_t deadline_ns)
{
    struct pollfd entry = {.fd = fd, .events = events};

    return osspi_wait_poll(&entry, 1, deadline_ns) == OSSPI_WAIT_READY;
}
