/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How many CPUs this process may use.
 */
#ifndef OSSPI_BASE_CPU_H
#define OSSPI_BASE_CPU_H

#include <stdint.h>

/** CPUs by affinity mask and cgroup quota (rounded up); at least 1. Reads files; thread-safe. */
uint32_t osspi_usable_cpus(void);

#endif
