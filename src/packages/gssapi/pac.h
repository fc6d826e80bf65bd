/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a domain says about a client in his ticket: the logon information of the privilege attribute
 * certificate (MS-PAC 2.5), which Active Directory puts there, and other KDCs may. Whether it was
 * signed for this server GSSAPI has checked by then; the form of it nobody has.
 *
 * Pure: bytes in, facts out, no state.
 */
#ifndef OSSPI_GSSAPI_PAC_H
#define OSSPI_GSSAPI_PAC_H

#include <gssapi/gssapi.h>
#include <opensspi.h>
#include <stdbool.h>

/**
 * The logon information of a client's name, verified. Inside OSSPI_GSS_CALL.
 *
 * @param[out] ret_pac     new memory, or NULL: there is none
 * @param[out] ret_pac_len its bytes
 * @return SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY
 */
SECURITY_STATUS osspi_pac_read(gss_name_t client, uint8_t **ret_pac, size_t *ret_pac_len);

/** FILETIMEs in UTC; OSSPI_FILETIME_NEVER: never. */
struct osspi_pac_times {
    uint64_t logoff;      /* of logoff and kick-off the first */
    uint64_t must_change; /* the password */
};

/** false: the bytes are no logon information. */
bool osspi_pac_times(const uint8_t *pac, size_t pac_len, struct osspi_pac_times *ret_times);

/**
 * Who he is, for OSSPI_ATTR_AUTHORIZATION: one block for FreeContextBuffer.
 *
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS: the bytes are no logon information;
 *         SEC_E_INSUFFICIENT_MEMORY
 */
SECURITY_STATUS osspi_pac_describe(const uint8_t *pac, size_t pac_len,
                                   OsspiAuthorization **ret_authorization);

#endif
