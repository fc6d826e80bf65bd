/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Allocations and thread starts that fail on demand.
 *
 * A program that uses this links the static library with OSSPI_WRAP_ALLOC (tests/support): the
 * linker then sends malloc, calloc, realloc, free and pthread_create of the library and of the
 * test through here. Shared libraries (the C library, the TLS library) are not affected.
 *
 * Counting is per process and atomic, so "fail number n" is exact only when one thread allocates
 * at a time; the tests drive one call at a time.
 */
#ifndef OSSPI_TESTS_SUPPORT_FAILING_ALLOC_H
#define OSSPI_TESTS_SUPPORT_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** From now on the nth allocation fails (1 = the next one) and all others succeed. 0: none. */
void failing_alloc_nth(uint64_t nth);

/** From now on every allocation fails, until failing_alloc_nth() is called. */
void failing_alloc_all(void);

/** Allocations asked for since the last call to failing_alloc_nth() or _all(). */
uint64_t failing_alloc_count(void);

/** Did an allocation fail since then? */
bool failing_alloc_hit(void);

/** Calls function before memory is freed, on the thread that frees; NULL: no longer. */
void failing_alloc_watch_free(void (*function)(void *memory));

/** The next so many pthread_create calls fail with EAGAIN; UINT32_MAX: all. */
void failing_threads(uint32_t count);

/** Thread starts asked for, and refused, since the program began. */
uint32_t failing_threads_asked(void);
uint32_t failing_threads_refused(void);

#endif
