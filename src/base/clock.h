/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Clocks: monotonic nanoseconds for deadlines and histograms, FILETIME ticks (100 ns since
 * 1601-01-01) for what SSPI calls TimeStamp.
 */
#ifndef OSSPI_BASE_CLOCK_H
#define OSSPI_BASE_CLOCK_H

#include <stdint.h>

/** SSPI's "does not expire". */
#define OSSPI_FILETIME_NEVER UINT64_C(0x7FFFFFFFFFFFFFFF)

/** CLOCK_MONOTONIC in nanoseconds. */
uint64_t osspi_now_ns(void);

/** The same as of the last tick of the kernel, at a fifth of the cost; never ahead of
 * osspi_now_ns(). */
uint64_t osspi_coarse_ns(void);

/** The length of such a tick. */
uint64_t osspi_coarse_tick_ns(void);

/** now + timeout_ms, or OSSPI_FOREVER for UINT32_MAX (INFINITE). */
uint64_t osspi_deadline_ns(uint32_t timeout_ms);

/** Turns seconds since 1970 (UTC) into FILETIME ticks (UTC); saturates at 0 and at NEVER. */
uint64_t osspi_filetime_from_unix(int64_t seconds);

/**
 * Turns seconds since 1970 (UTC) into FILETIME ticks in local time, which is what SSPI's
 * ptsExpiry holds.
 */
uint64_t osspi_local_filetime_from_unix(int64_t seconds);

#endif
