/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Walks in which each allocation of the library fails in turn, counted over all calls of a walk.
 * For programs with the failing allocator (support/failing_alloc.h). One walk at a time.
 */
#ifndef OSSPI_TESTS_API_MEMORY_EACH_H
#define OSSPI_TESTS_API_MEMORY_EACH_H

#include <stdint.h>

#include "api/memory_walk.h"

/** Around each call of the library: memory_form() and memory_walk() take them. */
extern const struct memory_hooks memory_each_hooks;

/** Begins a walk in which allocation `at` fails; 0: none. */
void memory_each_begin(uint64_t at);

/** Allocations of the walk so far. */
uint64_t memory_each_count(void);

/** Makes the walk once for each allocation there is in it, and a few times more. It is either told,
 * or overcome; nothing is left behind; and the next walk is as good as ever. */
void memory_each_allocation(const struct peer_form *form,
                            SECURITY_STATUS (*walk)(const struct peer_form *form, DWORD protocols),
                            DWORD protocols);

#endif
