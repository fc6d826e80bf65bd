/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A Schannel credential: what SCHANNEL_CRED or SCH_CREDENTIALS asked for, in plain terms, and the
 * TLS library's configuration made from it, one per crypto shard, lazily.
 *
 * The plain part (struct osspi_schannel_config) is made by capture_auth in credential.c, is
 * constant afterwards, and holds everything as DER and PKCS#8, so that a forked child can build its
 * own TLS configuration from it. The per-shard part is the TLS side's (shard.c).
 */
#ifndef OSSPI_SCHANNEL_CREDENTIAL_H
#define OSSPI_SCHANNEL_CREDENTIAL_H

#include <schannel.h>
#include <sspi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "cert/certificate.h"
#include "packages/schannel/tls.h"

#define OSSPI_MAX_SHARDS 16u
#define OSSPI_MAX_CHAIN  16u

/* Key exchange groups that a credential can switch off. */
#define OSSPI_GROUP_X25519 0x01u
#define OSSPI_GROUP_P256   0x02u
#define OSSPI_GROUP_P384   0x04u
#define OSSPI_GROUP_P521   0x08u
#define OSSPI_GROUP_X448   0x10u
#define OSSPI_GROUP_FFDHE  0x20u /* all finite field groups of RFC 7919 */
#define OSSPI_GROUP_EC     0x1Fu /* those on elliptic curves */
#define OSSPI_GROUP_ALL    0x3Fu

/* Cipher suites as a set of bits, in the order of cipher.c's table. */
typedef uint64_t osspi_suite_set;

/** One certificate with key that the credential may present. */
struct osspi_identity {
    PCCERT_CONTEXT context;     /* a reference; holds DER, PKCS#8 and chain */
    struct osspi_der_view leaf; /* views into context */
    struct osspi_der_view key;  /* PKCS#8 */
    struct osspi_der_view chain[OSSPI_MAX_CHAIN];
    size_t chain_count;
};

struct osspi_schannel_config {
    bool server;
    uint16_t min_version; /* 0x0303 or 0x0304 (0x0301, 0x0302 when asked for by name) */
    uint16_t max_version;
    uint32_t flags;              /* SCH_CRED_..., SCH_USE_..., as given */
    uint32_t session_lifespan_s; /* 36000 by default */
    osspi_suite_set suites;      /* allowed suites, both versions; never empty */
    uint32_t disabled_groups;    /* OSSPI_GROUP_ bits that may not be negotiated; never all */
    uint32_t min_cipher_bits, max_cipher_bits; /* 0: no limit */
    struct osspi_identity *identities;
    size_t identity_count;
    struct osspi_der *roots; /* hRootStore's certificates */
    size_t root_count;
    bool has_roots;    /* hRootStore was given (even if empty) */
    int64_t not_after; /* of the first identity, unix seconds; INT64_MAX: none */
};

/** TLS configuration of one shard (defined in shard.c). */
struct osspi_tls_config;

struct osspi_schannel_credential {
    struct osspi_schannel_config *config; /* owned; constant after acquire */
    uint64_t id;                          /* unique in the process; names it in the session cache */
    /* Fingerprint of identities, policy and protocol range: the session id context, equal in all
     * processes that hold the same credential. Constant after acquire. */
    uint8_t session_context[32];
    struct osspi_lock lock;
    uint32_t epoch;                                    /* fork epoch of shards[]; guarded by lock */
    struct osspi_tls_config *shards[OSSPI_MAX_SHARDS]; /* guarded by lock; made once per epoch */
};

/* ---- TLS side (shard.c) ---- */

/** Number of crypto shards: min(CPUs the process may use, OSSPI_MAX_SHARDS). */
uint32_t osspi_shard_count(void);

/**
 * Checks that every identity's key loads and belongs to its certificate, by building the
 * configuration of one shard. SEC_E_OK; SEC_E_NO_CREDENTIALS; SEC_E_UNKNOWN_CREDENTIALS;
 * SEC_E_ALGORITHM_MISMATCH; SEC_E_INSUFFICIENT_MEMORY; SEC_E_INTERNAL_ERROR.
 */
SECURITY_STATUS osspi_tls_credential_check(struct osspi_schannel_credential *credential);

/** Frees the per-shard configurations of this process's epoch. */
void osspi_tls_credential_clear(struct osspi_schannel_credential *credential);

/** Child side of fork: shards are abandoned. */
void osspi_tls_forked(void);

/* ---- suites (cipher.c, no TLS library) ---- */

/** What is known of a cipher suite. */
struct osspi_suite {
    uint16_t id;      /* IANA */
    uint16_t version; /* 0x0303 or 0x0304 */
    bool aead;
    const char *iana_name;    /* "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" */
    const char *openssl_name; /* "ECDHE-RSA-AES128-GCM-SHA256" */
    const char *cipher;       /* CNG name: "AES", "CHACHA20_POLY1305" */
    const char *mode;         /* "ChainingModeGCM", "ChainingModeCBC", "" */
    uint16_t cipher_bits;
    uint16_t cipher_block; /* bytes */
    const char *hash;      /* MAC hash, "" for AEAD */
    const char *prf_hash;  /* "SHA256", "SHA384" */
    uint16_t hash_bits;
    const char *exchange;    /* "ECDH", "DH", "RSA", "" for 1.3 */
    const char *certificate; /* "RSA", "ECDSA", "" for 1.3 */
    uint32_t cipher_alg;     /* CALG_ */
    uint32_t hash_alg;
    uint32_t exchange_alg;
    bool by_default; /* on unless disabled */
};

size_t osspi_suite_count(void);
const struct osspi_suite *osspi_suite_at(size_t index);  /* bit `index` of osspi_suite_set */
const struct osspi_suite *osspi_suite_find(uint16_t id); /* NULL: unknown */

#endif
