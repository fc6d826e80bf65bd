/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * HKDF-Expand-Label and the PRF of TLS 1.2; see derive.h.
 */
#include "packages/schannel/derive.h"

#include <string.h>

#include "base/memory.h"

#define PREFIX     "tls13 "
#define MAX_LABEL  255u /* with its prefix: it has a length byte */
#define MAX_HASHES 255u /* of output (RFC 5869, 2.3) */

void osspi_derive_hash(enum osspi_hmac_hash hash, struct osspi_hmac_bytes bytes,
                       uint8_t ret_hash[OSSPI_MAX_HASH])
{
    struct osspi_hash_state state;

    osspi_hash_start(&state, hash);
    osspi_hash_add(&state, bytes.at, bytes.len);
    osspi_hash_end(&state, ret_hash);
    osspi_secure_zero(&state, sizeof(state));
}

bool osspi_derive_expand(const struct osspi_hmac_key *key, struct osspi_hmac_bytes prefix,
                         struct osspi_hmac_bytes label, struct osspi_hmac_bytes context,
                         uint8_t *out, size_t len)
{
    const size_t hash_len = osspi_hmac_len(key->inner.hash);

    if (prefix.len > MAX_LABEL || label.len > MAX_LABEL - prefix.len || context.len > UINT8_MAX ||
        len > MAX_HASHES * hash_len)
        return false;
    const uint8_t head[] = {(uint8_t)(len >> 8), (uint8_t)len, (uint8_t)(prefix.len + label.len)};
    const uint8_t context_len = (uint8_t)context.len;
    uint8_t counter = 0, block[OSSPI_HMAC_MAX];
    struct osspi_hmac_bytes parts[] = {
        {block, 0}, {head, sizeof(head)}, prefix, label, {&context_len, 1}, context, {&counter, 1},
    };

    while (len > 0) {
        const size_t part = len < hash_len ? len : hash_len;

        counter++;
        osspi_hmac(key, parts, OSSPI_COUNT_OF(parts), block);
        memcpy(out, block, part);
        parts[0].len = hash_len; /* all but the first begin with the one before */
        out += part;
        len -= part;
    }
    osspi_secure_zero(block, sizeof(block));
    return true;
}

SECURITY_STATUS osspi_derive_label(enum osspi_hmac_hash hash, const uint8_t *secret,
                                   struct osspi_hmac_bytes label, struct osspi_hmac_bytes context,
                                   uint8_t *out, size_t out_len)
{
    const struct osspi_hmac_bytes bytes = {secret, osspi_hmac_len(hash)};
    const struct osspi_hmac_bytes prefix = {PREFIX, sizeof(PREFIX) - 1};
    struct osspi_hmac_key key;

    osspi_hmac_key_set(&key, hash, bytes);
    const bool made = osspi_derive_expand(&key, prefix, label, context, out, out_len);
    osspi_hmac_key_clear(&key);
    return made ? SEC_E_OK : SEC_E_INVALID_PARAMETER;
}

void osspi_derive_p_hash(const struct osspi_hmac_key *key, const struct osspi_hmac_bytes *seeds,
                         size_t seed_count, bool mix, uint8_t *out, size_t len)
{
    const size_t hash_len = osspi_hmac_len(key->inner.hash);
    struct osspi_hmac_bytes parts[1 + OSSPI_DERIVE_SEEDS];
    uint8_t chain[OSSPI_HMAC_MAX], block[OSSPI_HMAC_MAX];

    parts[0] = (struct osspi_hmac_bytes){chain, hash_len};
    memcpy(parts + 1, seeds, seed_count * sizeof(*seeds));
    osspi_hmac(key, seeds, seed_count, chain);
    while (len > 0) {
        const size_t part = len < hash_len ? len : hash_len;

        osspi_hmac(key, parts, 1 + seed_count, block);
        for (size_t i = 0; i < part; i++)
            out[i] = (uint8_t)((mix ? out[i] : 0) ^ block[i]);
        out += part;
        len -= part;
        if (len > 0)
            osspi_hmac(key, parts, 1, chain);
    }
    osspi_secure_zero(chain, sizeof(chain));
    osspi_secure_zero(block, sizeof(block));
}

void osspi_derive_prf(enum osspi_hmac_hash hash, struct osspi_hmac_bytes secret,
                      const struct osspi_hmac_bytes *seeds, size_t seed_count, uint8_t *out,
                      size_t out_len)
{
    struct osspi_hmac_key key;

    osspi_hmac_key_set(&key, hash, secret);
    osspi_derive_p_hash(&key, seeds, seed_count, false, out, out_len);
    osspi_hmac_key_clear(&key);
}
