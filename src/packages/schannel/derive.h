/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What TLS derives from secrets, in the handshake (provider.h) and after it: HKDF-Expand-Label (RFC
 * 8446, 7.1), and the PRF of TLS 1.2 (RFC 5246, 5). Thread-safe; nothing stays in memory but the
 * results.
 */
#ifndef OSSPI_SCHANNEL_DERIVE_H
#define OSSPI_SCHANNEL_DERIVE_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/hmac.h"

#define OSSPI_MAX_HASH OSSPI_HMAC_MAX

/**
 * HKDF-Expand-Label of TLS 1.3.
 *
 * @param[in] secret   osspi_hmac_len(hash) bytes
 * @param[in] label    without "tls13 ", 249 bytes at most
 * @param[in] context  255 bytes at most
 * @return SEC_E_OK; SEC_E_INVALID_PARAMETER: a length that the construction does not have, more
 *         than 255 hashes of output among them.
 */
SECURITY_STATUS osspi_derive_label(enum osspi_hmac_hash hash, const uint8_t *secret,
                                   struct osspi_hmac_bytes label, struct osspi_hmac_bytes context,
                                   uint8_t *out, size_t out_len)
    __attribute__((warn_unused_result));

/** The same with a key at work, and any prefix. False: a length that there is not; label and prefix
 * have 255 bytes together. */
bool osspi_derive_expand(const struct osspi_hmac_key *key, struct osspi_hmac_bytes prefix,
                         struct osspi_hmac_bytes label, struct osspi_hmac_bytes context,
                         uint8_t *out, size_t len) __attribute__((warn_unused_result));

/** PRF of TLS 1.2 over seeds that follow each other, the label first; OSSPI_DERIVE_SEEDS of them at
 * most. */
#define OSSPI_DERIVE_SEEDS 8u
void osspi_derive_prf(enum osspi_hmac_hash hash, struct osspi_hmac_bytes secret,
                      const struct osspi_hmac_bytes *seeds, size_t seed_count, uint8_t *out,
                      size_t out_len);

/** P_hash (RFC 5246, 5) with a key at work: A(n) = HMAC(secret, A(n-1)), output HMAC(secret, A(n) |
 * seeds). mix: over what is in out, as the PRF of TLS 1.1 has it. */
void osspi_derive_p_hash(const struct osspi_hmac_key *key, const struct osspi_hmac_bytes *seeds,
                         size_t seed_count, bool mix, uint8_t *out, size_t len);

/** The hash of some bytes. */
void osspi_derive_hash(enum osspi_hmac_hash hash, struct osspi_hmac_bytes bytes,
                       uint8_t ret_hash[OSSPI_MAX_HASH]);

#endif
