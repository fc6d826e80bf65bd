/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Private keys that stay in a device, and certificates that lie there, by PKCS #11 URI.
 *
 * A struct osspi_token_key is the second form of a private key, beside PKCS#8: where the key is,
 * and the PIN. It is a description, constant and cheap; osspi_token_open() makes a key object of it
 * that works in any library context, from the TLS library's pkcs11 provider or its pkcs11 engine,
 * whichever is installed.
 *
 * What talks to the device may take its time, or hang for ever: osspi_token_open(),
 * osspi_token_certificate(), and every use of a key for signing or decrypting. Such calls belong on
 * the blocking lane, under class OSSPI_TOKEN_CLASS, and a thread inside them holds up no fork
 * (OSSPI_FOREIGN_SLOW). Freeing never talks to a device.
 *
 * All functions are thread-safe.
 */
#ifndef OSSPI_CERT_PKCS11_H
#define OSSPI_CERT_PKCS11_H

#include "cert/crypto.h"
#include "cert/key.h"
#include "cert/pkcs11_uri.h"

struct osspi_token_key;

/** Describes the private key of a URI; takes path, module and PIN out of *uri. NULL: no memory. */
struct osspi_token_key *osspi_token_key_new(struct osspi_token_uri *uri);
struct osspi_token_key *osspi_token_key_ref(struct osspi_token_key *key);
void osspi_token_key_unref(struct osspi_token_key *key); /* NULL: no-op; the last one wipes */
void osspi_token_key_unrefp(struct osspi_token_key **key);

/**
 * A key object; freed like any other. It is known to sign if it was opened before. In a forked
 * child PKCS #11 is initialised anew.
 *
 * @return SEC_E_OK; SEC_E_UNSUPPORTED_FUNCTION: neither provider nor engine is installed;
 *         SEC_E_NO_CREDENTIALS: no such module, token or key, or it does not work;
 *         SEC_E_LOGON_DENIED: the PIN is wrong, locked, or one is needed;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_token_open(struct osspi_token_key *key, EVP_PKEY **ret_key);

/** How often a module was loaded and started in this process so far. What it has to do at the exit
 * of the process comes before what was registered up to then: see core/exit.h. */
uint32_t osspi_token_starts(void);

/** Reads the certificate of the same URI as DER. Statuses as above. */
SECURITY_STATUS osspi_token_certificate(const struct osspi_token_key *key,
                                        struct osspi_secret *ret_der);

/** OsspiLoadCertificate() where cert, key or both are PKCS #11 URIs; its statuses. */
SECURITY_STATUS osspi_token_load(const char *cert, const char *key, const char *password,
                                 PCCERT_CONTEXT *ret_cert);

/** Does an entry of the TLS library's error queue come from a device? False for entries that are
 * nobody's. *ret_status: what it means, see osspi_token_open(). */
bool osspi_token_error(unsigned long error, SECURITY_STATUS *ret_status);

/** What a device said through the error queue just now; SEC_E_NO_CREDENTIALS if nothing more is
 * known. Leaves the queue. Called inside OSSPI_CRYPTO_CALL. */
SECURITY_STATUS osspi_token_failure(void);

#endif
