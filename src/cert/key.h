/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Private keys: reading, opening with a password, and writing as PKCS#8 (RFC 5958). Thread-safe.
 */
#ifndef OSSPI_CERT_KEY_H
#define OSSPI_CERT_KEY_H

#include "cert/crypto.h"

/** Bytes that are wiped when they are freed. */
struct osspi_secret {
    uint8_t *bytes;
    size_t len;
};

/** Wipes and frees; for osspi_auto(). */
void osspi_secret_clear(struct osspi_secret *secret);

/** Reads an unencrypted key: PKCS#8 or one of the older structures. SEC_E_OK;
 * SEC_E_UNKNOWN_CREDENTIALS: not a key, or bytes behind it; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_key_read(struct osspi_der_view der, EVP_PKEY **ret_key);

/**
 * Opens an encrypted PKCS#8 key.
 *
 * @param[in]     password  UTF-8, len bytes, not necessarily terminated
 * @param[in,out] budget    iterations that may still be spent on passwords
 * @return SEC_E_OK; SEC_E_LOGON_DENIED: wrong password (or damage that looks the same);
 *         SEC_E_UNKNOWN_CREDENTIALS: cipher unknown, too many iterations, or no key inside;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_key_open(const X509_SIG *sealed, const char *password, size_t len,
                               uint64_t *budget, EVP_PKEY **ret_key);

/** What the TLS library meant when it did not open something with a password; statuses as above.
 * Called inside OSSPI_CRYPTO_CALL. */
SECURITY_STATUS osspi_key_open_failure(void);

/** May the password-based algorithm be run? Takes its iterations from *budget. False when they are
 * too many, or its parameters do not parse. Sees to it that old algorithms are there. */
bool osspi_key_kdf_affordable(const X509_ALGOR *algorithm, uint64_t *budget);

/** Writes a key as PKCS#8 DER. SEC_E_OK; SEC_E_UNKNOWN_CREDENTIALS: cannot be written (a key that
 * stays in hardware); SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_key_write(EVP_PKEY *key, struct osspi_secret *ret_secret);

/** Does the key belong to the SubjectPublicKeyInfo? SEC_E_OK; SEC_E_NO_CREDENTIALS: it does not, or
 * the public key cannot be read; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_key_match(EVP_PKEY *key, struct osspi_der_view public_key);

#endif
