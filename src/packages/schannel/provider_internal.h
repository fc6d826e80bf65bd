/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* What the files of the provider share; see provider.h. */
#ifndef OSSPI_SCHANNEL_PROVIDER_INTERNAL_H
#define OSSPI_SCHANNEL_PROVIDER_INTERNAL_H

#include <openssl/core.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/hmac.h"

/** TLS13-KDF (RFC 8446 7.1) and TLS1-PRF (RFC 5246 5, RFC 2246 5) as functions of the provider
 * interface (man 7 provider-kdf). */
extern const OSSL_DISPATCH osspi_provider_tls13_kdf[];
extern const OSSL_DISPATCH osspi_provider_tls1_prf[];

/** Is one of the names (colon between) this one? */
bool osspi_provider_is_named(const OSSL_ALGORITHM *algorithm, const char *name);

/* ---- provider_filter.c ---- */

/** Is this algorithm of the default provider handed on? A constant answer. */
bool osspi_provider_passes(int operation, const OSSL_ALGORITHM *algorithm);

/** Does this OpenSSL look at every decoder for each key? */
bool osspi_provider_decodes_slowly(void);

/* ---- provider_decoder.c ---- */

struct osspi_key_cache;

/** New and empty, for one context; NULL: no memory. */
struct osspi_key_cache *osspi_key_cache_new(void);

/** Puts the cache between: decoder and keys are the default provider's entries for "EC", core what
 * libcrypto gave our provider. Leaves them as they are if a function is missing. */
void osspi_key_cache_wrap(const OSSL_DISPATCH *core, OSSL_ALGORITHM *decoder, OSSL_ALGORITHM *keys);

/** The cache of the wrapped context with this provider context; NULL: none. (provider.c) */
struct osspi_key_cache *osspi_provider_key_cache(const void *context);

/* ---- provider_derive.c ---- */

enum osspi_kdf_part {
    OSSPI_KDF_KEY, /* or secret */
    OSSPI_KDF_SALT,
    OSSPI_KDF_PREFIX,
    OSSPI_KDF_LABEL,
    OSSPI_KDF_DATA,
    OSSPI_KDF_SEED, /* the first of OSSPI_KDF_SEEDS */
    OSSPI_KDF_SEEDS = 8,
    OSSPI_KDF_PARTS = OSSPI_KDF_SEED + OSSPI_KDF_SEEDS
};

enum osspi_kdf_hash {
    OSSPI_KDF_NO_HASH,
    OSSPI_KDF_MD5_SHA1,
    OSSPI_KDF_SHA256,
    OSSPI_KDF_SHA384,
};

/** What one derivation is of. A part that was not given lies at NULL. */
struct osspi_kdf_request {
    int mode; /* EVP_KDF_HKDF_MODE_...; -1: not given */
    enum osspi_kdf_hash hash;
    size_t seed_count;
    struct osspi_hmac_bytes parts[OSSPI_KDF_PARTS];
};

/** Computes what is the same in every handshake, once; before the first derivation. Thread-safe. */
void osspi_kdf_prepare(void);

/** False: the request makes no sense. The thread's watch is told of TLS 1.3's secrets. */
bool osspi_kdf_tls13(const struct osspi_kdf_request *request, uint8_t *out, size_t len);
bool osspi_kdf_tls1(const struct osspi_kdf_request *request, uint8_t *out, size_t len);

#endif
