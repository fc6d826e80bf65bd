/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys and certificates of a credential as objects of one shard.
 */
#ifndef OSSPI_SCHANNEL_MATERIAL_H
#define OSSPI_SCHANNEL_MATERIAL_H

#include <openssl/types.h>
#include <openssl/x509.h>
#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/credential.h"
#include "packages/schannel/tls.h"

struct osspi_shard;

/** A certificate with its key and the issuers to send with it; owned. */
struct osspi_material {
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;  /* never NULL */
    struct osspi_ders *sent; /* a reference: leaf and chain as they are sent */
};

/** Parses DER into an object of the library context; NULL: malformed, trailing bytes, no memory. */
X509 *osspi_material_certificate(OSSL_LIB_CTX *libctx, const uint8_t *der, size_t len);

/**
 * Loads one identity.
 *
 * @param[in]  send_root  keep self-signed issuers in the chain
 * @param[out] ret        written on success only; for osspi_material_clear()
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS: there is no key, or it belongs to another certificate;
 *         SEC_E_UNKNOWN_CREDENTIALS: something cannot be parsed; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_material_load(const struct osspi_shard *shard,
                                    const struct osspi_identity *identity, bool send_root,
                                    struct osspi_material *ret) __attribute__((warn_unused_result));

void osspi_material_clear(struct osspi_material *material);

#endif
