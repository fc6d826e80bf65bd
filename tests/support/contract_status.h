/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Which statuses a function may answer at all: the tables of the public headers and of
 * docs/schannel.md, in a form that programs with random arguments can check against. Whether a
 * status is the right one for its arguments is for the contract tests to say.
 *
 * SEC_E_INTERNAL_ERROR is in hardly any of the lists on purpose: what a caller or a peer does has a
 * status of its own, but for the few NULLs that Windows answers with it.
 *
 * Constant data; any thread.
 */
#ifndef OSSPI_TESTS_SUPPORT_CONTRACT_STATUS_H
#define OSSPI_TESTS_SUPPORT_CONTRACT_STATUS_H

#include <sspi.h>
#include <stdbool.h>

/** Ends the test, with words, unless the function documents the status. */
void contract_require(const char *function, SECURITY_STATUS status);

/** The same for what SspiGetAsyncCallStatus tells of a complete call of that function. */
void contract_require_call(const char *function, SECURITY_STATUS status);

bool contract_allows(const char *function, SECURITY_STATUS status);

#endif
