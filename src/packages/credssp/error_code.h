/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * errorCode of TSRequest (MS-CSSP 2.2.1): what a server tells a client that it refuses. Pure
 * functions.
 */
#ifndef OSSPI_CREDSSP_ERROR_CODE_H
#define OSSPI_CREDSSP_ERROR_CODE_H

#include <sspi.h>
#include <stdbool.h>
#include <stdint.h>

/** Do peers of this version know the member? 3, 4 and 6 do; 5 does not. */
bool osspi_ts_has_error(uint32_t version);

/** The NTSTATUS for what a leg has answered. */
uint32_t osspi_ts_error_of(SECURITY_STATUS status);

/** What a leg answers for a peer's number: always a failure. */
SECURITY_STATUS osspi_ts_error_status(uint32_t error);

/** A few words for people. */
const char *osspi_ts_error_text(uint32_t error);

#endif
