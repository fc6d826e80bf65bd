/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the files aead*.c share. Each kind of code is a table of functions; a key begins with a
 * pointer to the one that works on it, NULL where no key is set. aead.c chooses, checks lengths and
 * wipes what a failure leaves; the others do the work. One thread at a time per key, as in aead.h.
 */
#ifndef OSSPI_SCHANNEL_AEAD_INTERNAL_H
#define OSSPI_SCHANNEL_AEAD_INTERNAL_H

#include <openssl/evp.h>

#include "packages/schannel/aead.h"

/** Bytes of one message, at most. Far more than any record, and far less than would let GCM's block
 * counter of 32 bits wrap (2^36 - 32 bytes, NIST SP 800-38D 5.2.1.1) or fill OpenSSL's int. */
#define OSSPI_AEAD_MAX_LEN (1u << 24)
#define OSSPI_AEAD_MAX_AAD 13u /* TLS 1.2, RFC 5246 6.2.3.3; 5 in TLS 1.3 */

struct osspi_aead_code {
    const char *name;
    /* In zeroed memory, or in place of a key of the same kind and code. A failure is followed by
     * clear. */
    SECURITY_STATUS (*set_key)(struct osspi_aead *aead, enum osspi_aead_kind kind,
                               const uint8_t *key, const struct osspi_shard *shard);
    bool (*seal)(struct osspi_aead *aead, const uint8_t *nonce,
                 const struct osspi_aead_pieces *pieces);
    bool (*open)(struct osspi_aead *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
                 uint8_t *bytes, size_t len);
    void (*clear)(struct osspi_aead *aead);    /* NULL: there is nothing but memory to wipe */
    size_t (*size)(enum osspi_aead_kind kind); /* of a key's state */
};

/** What each kind of code keeps in the memory of a key begins with this. */
struct osspi_aead {
    const struct osspi_aead_code *code;
    enum osspi_aead_kind kind;
};

extern const struct osspi_aead_code osspi_aead_evp;

/** For tests and benches: what can do AES-GCM on this machine, the best first and the TLS library's
 * last, then NULL. */
const struct osspi_aead_code *osspi_aead_code_at(size_t index);

/** For tests and benches: this one of them for keys that are set afterwards; not beside threads
 * that set keys. */
void osspi_aead_choose(const struct osspi_aead_code *code);

#endif
