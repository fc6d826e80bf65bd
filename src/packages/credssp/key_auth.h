/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What pubKeyAuth holds before it is sealed (MS-CSSP 3.1.5): each side proves, under the keys of
 * the inner authentication, that it has seen the server's public key of this very TLS connection.
 * Pure functions.
 */
#ifndef OSSPI_CREDSSP_KEY_AUTH_H
#define OSSPI_CREDSSP_KEY_AUTH_H

#include <sspi.h>
#include <stdbool.h>
#include <stdint.h>
#include <wincrypt.h>

#include "packages/credssp/bytes.h"

/** From this version on both sides send hashes over the client's nonce. */
#define OSSPI_TS_HASHED 5u

/** The key in a certificate: the content of SubjectPublicKeyInfo's BIT STRING, in new memory.
 * SEC_E_INTERNAL_ERROR: the certificate cannot be read; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_key_of_certificate(PCCERT_CONTEXT certificate, struct osspi_bytes *ret_key);

/**
 * Makes what one side sends.
 *
 * @param[in] nonce   OSSPI_TS_NONCE bytes; NULL: the older form, the key itself
 * @param[in] server  what the server sends
 */
SECURITY_STATUS osspi_key_auth_make(const struct osspi_bytes *key, const uint8_t *nonce,
                                    bool server, struct osspi_bytes *ret_proof);

/** Is it what that side has to send? Takes the same time whatever differs. */
SECURITY_STATUS osspi_key_auth_check(const struct osspi_bytes *key, const uint8_t *nonce,
                                     bool server, const uint8_t *proof, size_t len);

#endif
