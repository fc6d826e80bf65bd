/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * HMAC (RFC 2104) straight on libcrypto's hash functions: no object is looked up or allocated, and
 * a key's pads are hashed once however often the key is used. For derive.h, and through it for the
 * provider (provider.h), which is called for each secret of a handshake. Nothing here can fail. Not
 * thread-safe.
 */
#ifndef OSSPI_SCHANNEL_HMAC_H
#define OSSPI_SCHANNEL_HMAC_H

/* OpenSSL 3 would rather have its hashes looked up by name for each use; to be spared that is what
 * these are wanted for. */
#ifndef OPENSSL_SUPPRESS_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED
#endif
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>

/** The hashes that TLS derives with: the first two together up to TLS 1.1. */
enum osspi_hmac_hash {
    OSSPI_HMAC_MD5,
    OSSPI_HMAC_SHA1,
    OSSPI_HMAC_SHA256,
    OSSPI_HMAC_SHA384,
    OSSPI_HMAC_HASHES
};

#define OSSPI_HMAC_MAX SHA384_DIGEST_LENGTH

/** Borrowed bytes. */
struct osspi_hmac_bytes {
    const void *at;
    size_t len;
};

/** A hash that is under way. */
struct osspi_hash_state {
    enum osspi_hmac_hash hash;
    union {
        MD5_CTX md5;
        SHA_CTX sha1;
        SHA256_CTX sha256;
        SHA512_CTX sha384; /* OpenSSL's name for the state of both */
    } as;
};

/** A key: the states behind its two pads. To be cleared. */
struct osspi_hmac_key {
    struct osspi_hash_state inner, outer;
};

size_t osspi_hmac_len(enum osspi_hmac_hash hash);

void osspi_hash_start(struct osspi_hash_state *state, enum osspi_hmac_hash hash);
void osspi_hash_add(struct osspi_hash_state *state, const void *bytes, size_t len);
void osspi_hash_end(struct osspi_hash_state *state, uint8_t *ret_hash);

/** bytes: any length, none too. */
void osspi_hmac_key_set(struct osspi_hmac_key *key, enum osspi_hmac_hash hash,
                        struct osspi_hmac_bytes bytes);
void osspi_hmac_key_clear(struct osspi_hmac_key *key);

/** HMAC of these one after the other; ret_mac may be one of them. */
void osspi_hmac(const struct osspi_hmac_key *key, const struct osspi_hmac_bytes *parts,
                size_t count, uint8_t *ret_mac);

#endif
