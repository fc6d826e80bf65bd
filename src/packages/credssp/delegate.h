/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a client hands to the server: TSCredentials (MS-CSSP 2.2.1.2), made of an identity and read
 * into one. Everything in here is secret. Pure functions; thread-safe.
 */
#ifndef OSSPI_CREDSSP_DELEGATE_H
#define OSSPI_CREDSSP_DELEGATE_H

#include "core/auth_identity.h"
#include "packages/credssp/bytes.h"

/** Has the identity something that can be delegated: a user and a password? NULL: no. */
bool osspi_ts_can_delegate(const SEC_WINNT_AUTH_IDENTITY_EX2 *identity);

/**
 * Appends DER to out.
 *
 * @param[in] identity  NULL: nothing is delegated, and empty names and password say so
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS: the identity has nothing to delegate;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_ts_credentials_encode(const SEC_WINNT_AUTH_IDENTITY_EX2 *identity,
                                            struct osspi_bytes *out);

/**
 * Reads them into an identity, in memory that FreeContextBuffer wipes and frees.
 *
 * @return SEC_E_OK; SEC_E_INVALID_TOKEN: malformed; SEC_E_UNSUPPORTED_FUNCTION: of another kind
 *         than a password or a smart card; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_ts_credentials_decode(const uint8_t *bytes, size_t len,
                                            SEC_WINNT_AUTH_IDENTITY_EX2 **ret_identity);

#endif
