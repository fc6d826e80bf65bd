/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* HMAC over libcrypto's hash functions; see hmac.h. */
#include "packages/schannel/hmac.h"

#include <string.h>

#include "base/memory.h"

#define MAX_BLOCK 128u

static const struct {
    size_t len, block;
} sizes[OSSPI_HMAC_HASHES] = {
    [OSSPI_HMAC_MD5] = {MD5_DIGEST_LENGTH, MD5_CBLOCK},
    [OSSPI_HMAC_SHA1] = {SHA_DIGEST_LENGTH, SHA_CBLOCK},
    [OSSPI_HMAC_SHA256] = {SHA256_DIGEST_LENGTH, SHA256_CBLOCK},
    [OSSPI_HMAC_SHA384] = {SHA384_DIGEST_LENGTH, SHA512_CBLOCK},
};

size_t osspi_hmac_len(enum osspi_hmac_hash hash)
{
    return sizes[hash].len;
}

void osspi_hash_start(struct osspi_hash_state *state, enum osspi_hmac_hash hash)
{
    state->hash = hash;
    switch (hash) {
    case OSSPI_HMAC_MD5:
        (void)MD5_Init(&state->as.md5);
        break;
    case OSSPI_HMAC_SHA1:
        (void)SHA1_Init(&state->as.sha1);
        break;
    case OSSPI_HMAC_SHA256:
        (void)SHA256_Init(&state->as.sha256);
        break;
    default:
        (void)SHA384_Init(&state->as.sha384);
        break;
    }
}

void osspi_hash_add(struct osspi_hash_state *state, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    switch (state->hash) {
    case OSSPI_HMAC_MD5:
        (void)MD5_Update(&state->as.md5, bytes, len);
        break;
    case OSSPI_HMAC_SHA1:
        (void)SHA1_Update(&state->as.sha1, bytes, len);
        break;
    case OSSPI_HMAC_SHA256:
        (void)SHA256_Update(&state->as.sha256, bytes, len);
        break;
    default:
        (void)SHA384_Update(&state->as.sha384, bytes, len);
        break;
    }
}

void osspi_hash_end(struct osspi_hash_state *state, uint8_t *ret_hash)
{
    switch (state->hash) {
    case OSSPI_HMAC_MD5:
        (void)MD5_Final(ret_hash, &state->as.md5);
        break;
    case OSSPI_HMAC_SHA1:
        (void)SHA1_Final(ret_hash, &state->as.sha1);
        break;
    case OSSPI_HMAC_SHA256:
        (void)SHA256_Final(ret_hash, &state->as.sha256);
        break;
    default:
        (void)SHA384_Final(ret_hash, &state->as.sha384);
        break;
    }
}

void osspi_hmac_key_set(struct osspi_hmac_key *key, enum osspi_hmac_hash hash,
                        struct osspi_hmac_bytes bytes)
{
    const size_t block = sizes[hash].block;
    uint8_t pad[MAX_BLOCK] = {0};

    osspi_hash_start(&key->inner, hash);
    key->outer = key->inner;
    if (bytes.len > block) {
        struct osspi_hash_state longer = key->inner;

        osspi_hash_add(&longer, bytes.at, bytes.len);
        osspi_hash_end(&longer, pad);
        osspi_secure_zero(&longer, sizeof(longer));
    } else if (bytes.len > 0) {
        memcpy(pad, bytes.at, bytes.len);
    }
    for (size_t i = 0; i < block; i++)
        pad[i] ^= 0x36;
    osspi_hash_add(&key->inner, pad, block);
    for (size_t i = 0; i < block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    osspi_hash_add(&key->outer, pad, block);
    osspi_secure_zero(pad, sizeof(pad));
}

void osspi_hmac_key_clear(struct osspi_hmac_key *key)
{
    osspi_secure_zero(key, sizeof(*key));
}

void osspi_hmac(const struct osspi_hmac_key *key, const struct osspi_hmac_bytes *parts,
                size_t count, uint8_t *ret_mac)
{
    struct osspi_hash_state state = key->inner;
    uint8_t hash[OSSPI_HMAC_MAX];

    for (size_t i = 0; i < count; i++)
        osspi_hash_add(&state, parts[i].at, parts[i].len);
    osspi_hash_end(&state, hash);
    state = key->outer;
    osspi_hash_add(&state, hash, osspi_hmac_len(state.hash));
    osspi_hash_end(&state, ret_mac);
    osspi_secure_zero(&state, sizeof(state));
    osspi_secure_zero(hash, sizeof(hash));
}
