/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The one spelling of a target name that is sent as SNI, compared with certificates and used as key
 * of the session cache. Pure functions, thread-safe.
 */
#ifndef OSSPI_SCHANNEL_NAME_H
#define OSSPI_SCHANNEL_NAME_H

#include <sspi.h>
#include <stdbool.h>

#define OSSPI_NAME_SIZE 256u /* longest host name (253) or IP literal, with its NUL */

/**
 * Brings a host name or IP literal into its one spelling: lower case, no trailing dot, addresses as
 * inet_ntop writes them and IPv6 without brackets.
 *
 * Names are A-labels: one with letters outside ASCII is refused, because mapping it needs tables
 * that the library does not carry, and a wrong mapping would name somebody else.
 *
 * @param[in]  text       NUL-terminated; never NULL
 * @param[out] ret_name   written on success only
 * @param[out] ret_is_ip  written on success only
 * @return SEC_E_OK; SEC_E_TARGET_UNKNOWN: neither a host name (labels of 1 to 63 letters, digits,
 *         hyphens, underscores; the last one not a number) nor an IP literal without zone.
 */
SECURITY_STATUS osspi_name_normalise(const char *text, char ret_name[OSSPI_NAME_SIZE],
                                     bool *ret_is_ip) __attribute__((warn_unused_result));

#endif
