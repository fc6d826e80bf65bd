/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A security package whose calls do nothing, and a call of the asynchronous engine that does
 * nothing, so that a bench can see what the ways there and back cost. Needs the static library.
 */
#ifndef OSSPI_TESTS_SUPPORT_NOOP_PACKAGE_H
#define OSSPI_TESTS_SUPPORT_NOOP_PACKAGE_H

#include <sspi.h>
#include <stdbool.h>

#define NOOP_NAME "OSSPI Noop"

/** Adds the package to the library; once per process, before the first call. Every leg answers
 * SEC_I_CONTINUE_NEEDED and gives no output. */
bool noop_register(void);

/** Queues an empty job on an async context: the engine alone, without a leg. It answers
 * SEC_I_CONTINUE_NEEDED. */
SECURITY_STATUS noop_submit(SspiAsyncContext *handle);

#endif
