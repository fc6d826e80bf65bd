/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What stands behind a PCCERT_CONTEXT: the public struct, a reference count, the properties, the
 * private key as PKCS#8, or where in a device it is, and the chain that belongs to it.
 *
 * CERT_CONTEXT is a plain pointer by Windows' ABI, so a wrong pointer cannot be caught here.
 * Everything is constant after creation but for the reference count and the properties, which have
 * a lock. Keys are wiped when the last reference goes.
 */
#ifndef OSSPI_CERT_CERTIFICATE_H
#define OSSPI_CERT_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>
#include <wincrypt.h>

/** The class of the blocking lane for calls that use a key in a device. */
#define OSSPI_TOKEN_CLASS "pkcs11"

struct osspi_token_key;

struct osspi_der_view {
    const uint8_t *bytes;
    size_t len;
};

/** Makes a context from DER; key (PKCS#8 DER, copied) and chain (issuers, leaf excluded) optional.
 * SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; SEC_E_UNKNOWN_CREDENTIALS: not a certificate (or trailing
 * bytes); SEC_E_NO_CREDENTIALS: the key does not belong to it. */
SECURITY_STATUS osspi_certificate_new(struct osspi_der_view der, struct osspi_der_view key,
                                      const struct osspi_der_view *chain, size_t chain_count,
                                      PCCERT_CONTEXT *ret_context);

/** The certificate as given. */
struct osspi_der_view osspi_certificate_der(PCCERT_CONTEXT context);

/** Its private key as PKCS#8 DER, borrowed while the context is held; len 0: none, or it is in a
 * device. */
struct osspi_der_view osspi_certificate_key(PCCERT_CONTEXT context);

/** Where in a device its private key is (pkcs11.h), borrowed while the context is held; NULL: it is
 * in none. */
struct osspi_token_key *osspi_certificate_token(PCCERT_CONTEXT context);

/** Issuer certificates to send with it; borrowed while the context is held. From the file it was
 * loaded from, or found in its store. Returns the count, at most max are written. */
size_t osspi_certificate_chain(PCCERT_CONTEXT context, struct osspi_der_view *ret_chain,
                               size_t max);

/** SHA-256 of the DER. */
void osspi_certificate_fingerprint(PCCERT_CONTEXT context, uint8_t ret_sha256[32]);

/** Makes a memory store with these certificates (leaf first) and returns the leaf's context, whose
 * hCertStore holds all of them; for REMOTE_CERT_CONTEXT. */
SECURITY_STATUS osspi_certificate_from_chain(const struct osspi_der_view *chain, size_t count,
                                             PCCERT_CONTEXT *ret_context);

#endif
