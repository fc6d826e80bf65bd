/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Verdicts on peers that were reached before: a peer that shows the same certificates for the same
 * name to the same credential again need not be verified anew, for five minutes, and never past the
 * end of a certificate or of what was known of its revocation. Only good verdicts are kept, and
 * only those for which nothing was overlooked. Bounded in memory; for the process; thread-safe.
 */
#ifndef OSSPI_SCHANNEL_VERDICT_H
#define OSSPI_SCHANNEL_VERDICT_H

#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdint.h>

#include "packages/schannel/tls_internal.h"

struct osspi_verdict_key {
    uint8_t bytes[32];
};

/** Names what is being verified: certificates as sent, name, purpose, policy, trust store. False:
 * no memory; then there is nothing to look for. */
bool osspi_verdict_key(const struct osspi_tls *tls, X509_STORE_CTX *store,
                       struct osspi_verdict_key *ret_key);

/** A good verdict that holds still; the first notAfter of the chain. */
bool osspi_verdict_known(const struct osspi_verdict_key *key, int64_t *ret_not_after);

/** Keeps one. good_until: of what was known of revocation. */
void osspi_verdict_keep(const struct osspi_verdict_key *key, int64_t not_after, int64_t good_until);

void osspi_verdict_forget(void);

#endif
