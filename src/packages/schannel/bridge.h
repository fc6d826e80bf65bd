/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys and numbers of the TLS library's own record layer, where somebody else speaks to the peer.
 *
 * The TLS library knows records only. Once its records are not those of the wire (we protect them,
 * or there are none, as in QUIC), what is meant for it is sealed here, as it expects to read it
 * next
 * (`in`), and what it makes is opened here (`out`). Both are in memory alone: no byte of them may
 * reach the wire, since keys and numbers may be those of records that did.
 *
 * TLS 1.3: a direction has its traffic secret; it is set again when the TLS library goes on to the
 * next one. TLS 1.2: key and iv of the key block, set again with each ChangeCipherSpec.
 *
 * Not thread-safe. Whoever owns a bridge wipes it with osspi_bridge_clear().
 */
#ifndef OSSPI_SCHANNEL_BRIDGE_H
#define OSSPI_SCHANNEL_BRIDGE_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/aead.h"
#include "packages/schannel/derive.h"

struct osspi_suite;
struct osspi_shard;

/** Most bytes that sealing adds: header, explicit nonce, content type, tag. */
#define OSSPI_BRIDGE_OVERHEAD 32u

/** One direction. */
struct osspi_bridge_key {
    uint8_t secret[OSSPI_MAX_HASH]; /* TLS 1.3: the traffic secret; TLS 1.2: the key */
    uint8_t iv[OSSPI_AEAD_NONCE];   /* TLS 1.2; with AES-GCM its first four bytes */
    uint64_t sequence;              /* of the next record */
};

struct osspi_bridge {
    enum osspi_aead_kind kind; /* constant after osspi_bridge_init(), with the four below */
    enum osspi_hmac_hash hash;
    bool tls13;
    bool explicit_nonce; /* TLS 1.2 with AES-GCM: eight bytes of the nonce travel with the record */
    const struct osspi_shard *shard;
    struct osspi_bridge_key in;  /* what the TLS library reads next */
    struct osspi_bridge_key out; /* what it writes next */
};

/** A record that was opened; bytes lie in it. */
struct osspi_bridge_opened {
    uint8_t type; /* content type, in TLS 1.3 the inner one */
    uint8_t *bytes;
    size_t len;
};

/** Cipher and hash of a suite with AEAD. Keys are all zero. */
void osspi_bridge_init(struct osspi_bridge *bridge, const struct osspi_suite *suite, bool tls13,
                       const struct osspi_shard *shard);
void osspi_bridge_clear(struct osspi_bridge *bridge); /* wipes */

/** TLS 1.3: goes on with this traffic secret at this number. */
void osspi_bridge_use(struct osspi_bridge_key *key, const uint8_t secret[OSSPI_MAX_HASH],
                      uint64_t sequence);

/** TLS 1.2: the keys of a key block (RFC 5246, 6.3). */
struct osspi_key_block {
    struct osspi_key_block_side {
        uint8_t key[OSSPI_AEAD_MAX_KEY];
        uint8_t iv[OSSPI_AEAD_NONCE];
    } client, server;
};

/** Derives it; 32 bytes each of random, 48 of master secret. The caller wipes it. */
void osspi_bridge_key_block(const struct osspi_bridge *bridge, const uint8_t *master,
                            const uint8_t *client_random, const uint8_t *server_random,
                            struct osspi_key_block *ret_block);

/** TLS 1.2: goes on with these keys at this number. */
void osspi_bridge_use12(struct osspi_bridge_key *key, const struct osspi_key_block_side *side,
                        uint64_t sequence);

/**
 * Seals len bytes (at most OSSPI_TLS_MAX_FRAGMENT) as the one record that the TLS library reads
 * next.
 *
 * @param[out] ret_record  has room for len + OSSPI_BRIDGE_OVERHEAD bytes
 * @return SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY: nothing has changed; SEC_E_INTERNAL_ERROR.
 */
SECURITY_STATUS osspi_bridge_seal(struct osspi_bridge *bridge, uint8_t type, const uint8_t *bytes,
                                  size_t len, uint8_t *ret_record, size_t *ret_len)
    __attribute__((warn_unused_result));

/**
 * Opens, in place, the one record that the TLS library has written next.
 *
 * @return SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY: nothing has changed; SEC_E_INTERNAL_ERROR: it is
 *         none, or under other keys.
 */
SECURITY_STATUS osspi_bridge_open(struct osspi_bridge *bridge, uint8_t *record, size_t len,
                                  struct osspi_bridge_opened *ret_opened)
    __attribute__((warn_unused_result));

/** The cipher of a suite with AEAD. */
enum osspi_aead_kind osspi_bridge_kind(const struct osspi_suite *suite);

#endif
