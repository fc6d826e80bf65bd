/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The clock of the DTLS test; see datagram.h. OpenSSL and GnuTLS ask the wall clock when to send a
 * flight again. Here it stands still until it is set: this program's functions come before those of
 * the C library. All other clocks go on.
 *
 * The time is written by the one thread that drives the test, and read by any.
 */
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "property/datagram.h"

static _Atomic uint64_t passed_ms;
static _Atomic int64_t began_s; /* 0: not asked yet */

static int64_t second(void)
{
    int64_t known = atomic_load(&began_s);

    if (known == 0) {
        known = time(NULL);
        atomic_store(&began_s, known);
    }
    return known + (int64_t)(atomic_load(&passed_ms) / 1000);
}

uint64_t datagram_now(void)
{
    return atomic_load(&passed_ms);
}

void datagram_set_now(uint64_t now_ms)
{
    atomic_store(&passed_ms, now_ms);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    now->tv_sec = (time_t)second();
    now->tv_usec = (suseconds_t)(atomic_load(&passed_ms) % 1000 * 1000);
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec = (time_t)second();
    now->tv_nsec = (long)(atomic_load(&passed_ms) % 1000 * 1000000);
    return 0;
}
