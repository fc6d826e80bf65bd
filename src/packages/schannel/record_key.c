/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys of record protection: from traffic secrets (RFC 8446, 7.3) or the key block (RFC 5246, 6.3;
 * made by whoever starts the record), and the next ones at a KeyUpdate. A key is made for the first
 * record under it: many connections never see one in each direction, and most keys a KeyUpdate
 * announces come when there is data anyway.
 */
#include <endian.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/record_aead.h"

#define LABEL(text) ((struct osspi_hmac_bytes){(text), sizeof(text) - 1})

SECURITY_STATUS osspi_record_traffic_key(enum osspi_aead_kind kind, enum osspi_hmac_hash hash,
                                         const struct osspi_shard *shard,
                                         const uint8_t secret[OSSPI_MAX_HASH],
                                         struct osspi_aead *aead, uint8_t ret_iv[OSSPI_AEAD_NONCE])
{
    const struct osspi_hmac_bytes none = {0};
    uint8_t key[OSSPI_AEAD_MAX_KEY];
    SECURITY_STATUS status;

    status = osspi_derive_label(hash, secret, LABEL("key"), none, key, osspi_aead_key_len(kind));
    if (status == SEC_E_OK)
        status = osspi_derive_label(hash, secret, LABEL("iv"), none, ret_iv, OSSPI_AEAD_NONCE);
    if (status == SEC_E_OK)
        status = osspi_aead_set_key(aead, kind, key, shard);
    osspi_secure_zero(key, sizeof(key));
    return status;
}

SECURITY_STATUS osspi_record_key_ready(struct osspi_record_aead *record,
                                       struct osspi_record_key *key)
{
    SECURITY_STATUS status;

    if (key->ready)
        return SEC_E_OK;
    if (!key->aead)
        key->aead = osspi_alloc(osspi_aead_size(record->kind));
    if (!key->aead)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (record->version == OSSPI_TLS13) {
        status = osspi_record_traffic_key(record->kind, record->hash, record->shard, key->secret,
                                          key->aead, key->iv);
    } else {
        status = osspi_aead_set_key(key->aead, record->kind, key->secret, record->shard);
        if (status == SEC_E_OK)
            osspi_secure_zero(key->secret, sizeof(key->secret));
    }
    key->ready = status == SEC_E_OK;
    return status;
}

SECURITY_STATUS osspi_record_key_next(const struct osspi_record_aead *record,
                                      const struct osspi_record_key *key,
                                      uint8_t ret_secret[OSSPI_MAX_HASH])
{
    return osspi_record_next_secret(record->hash, key->secret, ret_secret);
}

SECURITY_STATUS osspi_record_next_secret(enum osspi_hmac_hash hash,
                                         const uint8_t secret[OSSPI_MAX_HASH],
                                         uint8_t ret_secret[OSSPI_MAX_HASH])
{
    return osspi_derive_label(hash, secret, LABEL("traffic upd"), (struct osspi_hmac_bytes){0},
                              ret_secret, osspi_hmac_len(hash));
}

void osspi_record_key_replace(struct osspi_record_key *key, uint8_t secret[OSSPI_MAX_HASH])
{
    memcpy(key->secret, secret, OSSPI_MAX_HASH);
    osspi_secure_zero(secret, OSSPI_MAX_HASH);
    osspi_secure_zero(key->iv, sizeof(key->iv));
    if (key->aead)
        osspi_aead_clear(key->aead);
    key->ready = false;
    key->sequence = 0;
    key->blocks = 0;
}

void osspi_record_key_change(struct osspi_record_key *key, const struct osspi_key_block_side *side)
{
    uint8_t secret[OSSPI_MAX_HASH] = {0};

    memcpy(secret, side->key, sizeof(side->key));
    osspi_record_key_replace(key, secret);
    memcpy(key->iv, side->iv, sizeof(key->iv));
}

void osspi_record_key_clear(struct osspi_record_aead *record, struct osspi_record_key *key)
{
    /* In a forked child the memory alone is wiped: the TLS library's part belongs to the parent. */
    if (key->aead && record->epoch == osspi_fork_epoch())
        osspi_aead_clear(key->aead);
    osspi_secret_free(key->aead, osspi_aead_size(record->kind));
    osspi_secure_zero(key, sizeof(*key));
}

void osspi_record_nonce(const uint8_t iv[OSSPI_AEAD_NONCE], uint64_t sequence,
                        uint8_t ret_nonce[OSSPI_AEAD_NONCE])
{
    uint64_t low;

    memcpy(ret_nonce, iv, OSSPI_AEAD_NONCE);
    memcpy(&low, ret_nonce + 4, sizeof(low));
    low ^= htobe64(sequence);
    memcpy(ret_nonce + 4, &low, sizeof(low));
}
