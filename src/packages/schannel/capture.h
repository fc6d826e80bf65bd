/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a caller gave as auth data, copied with everything reachable from it, and the policy made
 * from the copy when the credential is acquired.
 *
 * The copy is made while a call is queued and does not know yet for which side it is; so it only
 * checks shapes. All meaning is given in credential.c and config_crypto.c.
 */
#ifndef OSSPI_SCHANNEL_CAPTURE_H
#define OSSPI_SCHANNEL_CAPTURE_H

#include <schannel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/credential.h"

#define OSSPI_ALGORITHM_NAME 32u /* bytes; every name that means anything to us is shorter */

/** One CRYPTO_SETTINGS. A name that is no ASCII or too long is unknown and left empty. */
struct osspi_crypto_rule {
    uint32_t usage; /* eTlsAlgorithmUsage */
    char name[OSSPI_ALGORITHM_NAME];
    char modes[SCH_CRED_MAX_SUPPORTED_CHAINING_MODES][OSSPI_ALGORITHM_NAME];
    size_t mode_count;
    uint32_t min_bits, max_bits; /* what stays allowed; 0: no limit on that side */
};

/** One TLS_PARAMETERS. */
struct osspi_tls_restriction {
    bool by_protocol;   /* has ALPN ids: governs only connections that agree on one of them */
    uint8_t *protocols; /* these in wire form; an id that can be nobody's is left out */
    size_t protocols_len;
    bool optional; /* TLS_PARAMS_OPTIONAL */
    uint32_t disabled_protocols;
    struct osspi_crypto_rule *rules;
    size_t rule_count;
};

/** SCH_CRED_FORMAT_CERT_HASH and _CERT_HASH_STORE: a certificate of a "MY" store. */
struct osspi_cert_hash {
    bool given;
    bool machine;
    uint8_t sha1[20];
    char *store; /* its name in UTF-8; NULL: "MY" */
};

/** The copy. Owns everything in it. */
struct osspi_schannel_auth {
    bool expresses_disabled; /* SCH_CREDENTIALS, else SCHANNEL_CRED */
    struct osspi_cert_hash hash;
    uint32_t enabled_protocols; /* SCHANNEL_CRED; 0: default */
    uint32_t min_strength, max_strength;
    uint32_t lifespan_ms;
    uint32_t flags;
    ALG_ID *algorithms;
    size_t algorithm_count;
    PCCERT_CONTEXT *certificates; /* references */
    size_t certificate_count;
    struct osspi_der *roots;
    size_t root_count;
    bool has_roots;
    struct osspi_tls_restriction *restrictions;
    size_t restriction_count;
};

/**
 * Copies SCHANNEL_CRED or SCH_CREDENTIALS, told apart by the first DWORD.
 *
 * @return SEC_E_OK; SEC_E_UNKNOWN_CREDENTIALS: another version, a count above its limit, NULL with
 *         a count, an unknown format, a malformed SCHANNEL_CERT_HASH_STORE;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_schannel_capture(const void *auth, bool encoding_wide, void **ret_captured);
void osspi_schannel_capture_free(void *captured); /* NULL is a no-op */

/** Frees the DER of each entry, then the array; NULL is a no-op. */
void osspi_der_array_free(struct osspi_der *array, size_t count);

/**
 * Fills version range and suites of *config from the copy (NULL: the defaults), for the side that
 * config->server says.
 *
 * @return SEC_E_OK; SEC_E_ALGORITHM_MISMATCH: nothing is left, TLS and DTLS are mixed, or only
 *         DTLS is asked for; SEC_E_UNKNOWN_CREDENTIALS: restrictions that contradict each other.
 */
SECURITY_STATUS osspi_schannel_apply_crypto(const struct osspi_schannel_auth *auth,
                                            struct osspi_schannel_config *config);

/** ASCII comparison without case: algorithm names. */
bool osspi_algorithm_equal(const char *a, const char *b);

#endif
