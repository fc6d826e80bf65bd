/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Authenticated encryption in the caller's memory, for record protection: AES-GCM (NIST SP 800-38D)
 * and ChaCha20-Poly1305 (RFC 8439), with nonces of 12 and tags of 16 bytes.
 *
 * A key lives in memory that its owner gives, so that both directions of a connection and all else
 * that it keeps are one allocation. Which code works on it, ours or the TLS library's, is decided
 * once for the process. One key may be used by one thread at a time.
 */
#ifndef OSSPI_SCHANNEL_AEAD_H
#define OSSPI_SCHANNEL_AEAD_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSSPI_AEAD_NONCE   12u
#define OSSPI_AEAD_TAG     16u
#define OSSPI_AEAD_MAX_KEY 32u
#define OSSPI_AEAD_ALIGN   16u /* of the memory of a key; osspi_alloc() gives it */
#define OSSPI_AEAD_KINDS   3u

enum osspi_aead_kind {
    OSSPI_AEAD_AES_128_GCM,
    OSSPI_AEAD_AES_256_GCM,
    OSSPI_AEAD_CHACHA20_POLY1305
};

struct osspi_shard;
struct osspi_aead; /* osspi_aead_size() bytes at an address that OSSPI_AEAD_ALIGN divides */

/** Key bytes of a kind. */
size_t osspi_aead_key_len(enum osspi_aead_kind kind);

/** Bytes of a key's state; constant for the process, a multiple of OSSPI_AEAD_ALIGN. */
size_t osspi_aead_size(enum osspi_aead_kind kind);

/**
 * Sets a key, in zeroed memory or in place of the key before. The key's bytes are not needed
 * afterwards.
 *
 * @param[in] shard  where the TLS library's ciphers come from; lives as long as the process
 * @return SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY, SEC_E_INTERNAL_ERROR: there is no key then.
 */
SECURITY_STATUS osspi_aead_set_key(struct osspi_aead *aead, enum osspi_aead_kind kind,
                                   const uint8_t *key, const struct osspi_shard *shard)
    __attribute__((warn_unused_result));

/** Wipes; zeroed memory is a no-op. Not in a forked child, which just wipes its memory. */
void osspi_aead_clear(struct osspi_aead *aead);

/** What is sealed: data, and behind it, maybe elsewhere in memory, a few bytes more. */
struct osspi_aead_pieces {
    uint8_t *data;
    size_t data_len;
    uint8_t *behind; /* behind_len bytes that follow data in the message; in place too */
    size_t behind_len;
    const uint8_t *aad;
    size_t aad_len; /* 13 at most */
    uint8_t *tag;   /* out, OSSPI_AEAD_TAG bytes; it may follow `behind` */
};

/** Encrypts in place. False: it failed, the pieces are wiped, and the nonce is spent. */
bool osspi_aead_seal(struct osspi_aead *aead, const uint8_t nonce[OSSPI_AEAD_NONCE],
                     const struct osspi_aead_pieces *pieces) __attribute__((warn_unused_result));

/** Decrypts len bytes in place; the tag follows them and stays as it is. False: not authentic (or
 * it failed), and the bytes are wiped, the tag as well. The tag is compared in constant time. */
bool osspi_aead_open(struct osspi_aead *aead, const uint8_t nonce[OSSPI_AEAD_NONCE],
                     const uint8_t *aad, size_t aad_len, uint8_t *bytes, size_t len)
    __attribute__((warn_unused_result));

/** "VAES and AVX-512", "AES-NI", "the TLS library's": what works on a kind here; static text. If
 * the machine's OpenSSL configuration has another provider do it, that does it all the same. */
const char *osspi_aead_code(enum osspi_aead_kind kind);

/** Switches our own code off (or on again) for keys that are set afterwards; for tests and benches
 * alone, before other threads use keys. True: there was something to switch. */
bool osspi_aead_use_own_code(bool on);

#endif
