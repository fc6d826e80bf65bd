/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Counts allocations: linked into a program, it stands in front of the C library's allocator, for
 * the program and for all libraries in it. Thread-safe.
 */
#ifndef BENCH_COUNT_ALLOC_H
#define BENCH_COUNT_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/** Allocations so far: malloc, calloc, realloc and the aligned forms. */
uint64_t bench_allocations(void);

/** False under a sanitizer, which has an allocator of its own: then nothing is counted. */
bool bench_counts_allocations(void);

#endif
