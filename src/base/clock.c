/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Clocks; see clock.h. Thread-safe.
 */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/lock.h"

#define NS_PER_S             UINT64_C(1000000000)
#define NS_PER_MS            UINT64_C(1000000)
#define TICKS_PER_S          10000000
#define SECONDS_1601_TO_1970 INT64_C(11644473600)

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t osspi_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t osspi_coarse_ns(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

uint64_t osspi_coarse_tick_ns(void)
{
    static _Atomic uint64_t known; /* atomic; 0: not asked yet */
    uint64_t tick_ns = atomic_load_explicit(&known, memory_order_relaxed);
    struct timespec tick;

    if (tick_ns != 0)
        return tick_ns;
    clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    tick_ns = (uint64_t)tick.tv_sec * NS_PER_S + (uint64_t)tick.tv_nsec;
    atomic_store_explicit(&known, tick_ns, memory_order_relaxed);
    return tick_ns;
}

uint64_t osspi_deadline_ns(uint32_t timeout_ms)
{
    if (timeout_ms == UINT32_MAX)
        return OSSPI_FOREVER;
    return osspi_now_ns() + timeout_ms * NS_PER_MS;
}

uint64_t osspi_filetime_from_unix(int64_t seconds)
{
    int64_t since_1601;
    int64_t ticks;

    if (seconds < -SECONDS_1601_TO_1970)
        return 0;
    if (__builtin_add_overflow(seconds, SECONDS_1601_TO_1970, &since_1601) ||
        __builtin_mul_overflow(since_1601, TICKS_PER_S, &ticks))
        return OSSPI_FILETIME_NEVER;
    return (uint64_t)ticks;
}

uint64_t osspi_local_filetime_from_unix(int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm local;
    int64_t shifted;

    if (!localtime_r(&when, &local) ||
        __builtin_add_overflow(seconds, (int64_t)local.tm_gmtoff, &shifted))
        return osspi_filetime_from_unix(seconds);
    return osspi_filetime_from_unix(shifted);
}
