/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Walks through what the library does besides a plain connection, for tests in which something may
 * fail while it is entered: fault_hooks are called around each of its calls. One walk at a time.
 */
#ifndef OSSPI_TESTS_FAULT_FAULT_FLOWS_H
#define OSSPI_TESTS_FAULT_FAULT_FLOWS_H

#include "api/memory_walk.h"

/** The test's own: what to do before and behind each call of the library. */
extern const struct memory_hooks fault_hooks;

struct fault_flow {
    const char *name;
    /** Stops at the first failure and gives it; frees everything in any case. */
    SECURITY_STATUS (*run)(const struct peer_form *form);
};

extern const struct fault_flow fault_flows[];
extern const size_t fault_flow_count;

/** What the flows share; group setup and teardown of cmocka. */
int fault_flows_prepare(void **state);
int fault_flows_finish(void **state);

#endif
