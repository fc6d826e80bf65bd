/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Records between us and the TLS library (RFC 8446, 5.2; RFC 5246, 6.2.3.3; RFC 5288; RFC 7905);
 * see bridge.h. A key is set for each record and forgotten: few records go this way, and between
 * them lie minutes.
 */
#include "packages/schannel/bridge.h"

#include <string.h>

#include "base/memory.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/record_aead.h"

enum osspi_aead_kind osspi_bridge_kind(const struct osspi_suite *suite)
{
    if (strcmp(suite->cipher, "CHACHA20_POLY1305") == 0)
        return OSSPI_AEAD_CHACHA20_POLY1305;
    return suite->cipher_bits == 256 ? OSSPI_AEAD_AES_256_GCM : OSSPI_AEAD_AES_128_GCM;
}

void osspi_bridge_init(struct osspi_bridge *bridge, const struct osspi_suite *suite, bool tls13,
                       const struct osspi_shard *shard)
{
    const enum osspi_aead_kind kind = osspi_bridge_kind(suite);

    *bridge = (struct osspi_bridge){
        .kind = kind,
        .hash = strcmp(suite->prf_hash, "SHA384") == 0 ? OSSPI_HMAC_SHA384 : OSSPI_HMAC_SHA256,
        .tls13 = tls13,
        .explicit_nonce = !tls13 && kind != OSSPI_AEAD_CHACHA20_POLY1305,
        .shard = shard,
    };
}

void osspi_bridge_clear(struct osspi_bridge *bridge)
{
    osspi_secure_zero(bridge, sizeof(*bridge));
}

/* ---- keys ---- */

void osspi_bridge_use(struct osspi_bridge_key *key, const uint8_t secret[OSSPI_MAX_HASH],
                      uint64_t sequence)
{
    memcpy(key->secret, secret, OSSPI_MAX_HASH);
    key->sequence = sequence;
}

void osspi_bridge_use12(struct osspi_bridge_key *key, const struct osspi_key_block_side *side,
                        uint64_t sequence)
{
    memcpy(key->secret, side->key, sizeof(side->key));
    memcpy(key->iv, side->iv, sizeof(key->iv));
    key->sequence = sequence;
}

/* The client's key, the server's, the client's iv, the server's. */
void osspi_bridge_key_block(const struct osspi_bridge *bridge, const uint8_t *master,
                            const uint8_t *client_random, const uint8_t *server_random,
                            struct osspi_key_block *ret_block)
{
    const size_t key_len = osspi_aead_key_len(bridge->kind);
    const size_t iv_len = bridge->explicit_nonce ? 4 : OSSPI_AEAD_NONCE;
    const struct osspi_hmac_bytes seeds[] = {
        {"key expansion", 13}, {server_random, 32}, {client_random, 32}};
    uint8_t block[sizeof(*ret_block)];

    *ret_block = (struct osspi_key_block){0};
    osspi_derive_prf(bridge->hash, (struct osspi_hmac_bytes){master, 48}, seeds,
                     OSSPI_COUNT_OF(seeds), block, 2 * (key_len + iv_len));
    memcpy(ret_block->client.key, block, key_len);
    memcpy(ret_block->server.key, block + key_len, key_len);
    memcpy(ret_block->client.iv, block + 2 * key_len, iv_len);
    memcpy(ret_block->server.iv, block + 2 * key_len + iv_len, iv_len);
    osspi_secure_zero(block, sizeof(block));
}

/* A key at work. */
struct working {
    struct osspi_aead *aead;
    size_t size;
    uint8_t iv[OSSPI_AEAD_NONCE];
};

static void stop(struct working *working)
{
    if (working->aead)
        osspi_aead_clear(working->aead);
    osspi_secret_free(working->aead, working->size);
    osspi_secure_zero(working->iv, sizeof(working->iv));
}

static SECURITY_STATUS start(const struct osspi_bridge *bridge, const struct osspi_bridge_key *key,
                             struct working *working)
{
    working->size = osspi_aead_size(bridge->kind);
    working->aead = osspi_alloc(working->size);
    if (!working->aead)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (bridge->tls13)
        return osspi_record_traffic_key(bridge->kind, bridge->hash, bridge->shard, key->secret,
                                        working->aead, working->iv);
    memcpy(working->iv, key->iv, sizeof(working->iv));
    return osspi_aead_set_key(working->aead, bridge->kind, key->secret, bridge->shard);
}

/* ---- records ---- */

static size_t above_of(const struct osspi_bridge *bridge)
{
    return OSSPI_TLS_HEADER + (bridge->explicit_nonce ? OSSPI_EXPLICIT_NONCE : 0);
}

/* Nonce and additional data of the record at bytes; len: of its plaintext. */
static size_t describe(const struct osspi_bridge *bridge, const struct working *working,
                       const uint8_t *record, uint64_t sequence, size_t len,
                       uint8_t ret_nonce[OSSPI_AEAD_NONCE], uint8_t ret_aad[OSSPI_MAX_AAD])
{
    if (bridge->explicit_nonce) {
        memcpy(ret_nonce, working->iv, 4);
        memcpy(ret_nonce + 4, record + OSSPI_TLS_HEADER, OSSPI_EXPLICIT_NONCE);
    } else {
        osspi_record_nonce(working->iv, sequence, ret_nonce);
    }
    if (!bridge->tls13) {
        osspi_record_aad12(ret_aad, sequence, record, len);
        return OSSPI_MAX_AAD;
    }
    memcpy(ret_aad, record, OSSPI_TLS_HEADER);
    return OSSPI_TLS_HEADER;
}

static size_t write_record(const struct osspi_bridge *bridge, uint8_t type, const uint8_t *bytes,
                           size_t len, uint8_t *record)
{
    const size_t above = above_of(bridge), below = OSSPI_AEAD_TAG + (bridge->tls13 ? 1 : 0);
    const size_t body = above - OSSPI_TLS_HEADER + len + below;
    const uint64_t number = htobe64(bridge->in.sequence);

    record[0] = bridge->tls13 ? OSSPI_TYPE_DATA : type;
    record[1] = record[2] = 3;
    record[3] = (uint8_t)(body >> 8);
    record[4] = (uint8_t)body;
    if (bridge->explicit_nonce)
        memcpy(record + OSSPI_TLS_HEADER, &number, sizeof(number));
    if (len > 0)
        memcpy(record + above, bytes, len);
    record[above + len] = type; /* TLS 1.2: the tag takes its place */
    return OSSPI_TLS_HEADER + body;
}

SECURITY_STATUS osspi_bridge_seal(struct osspi_bridge *bridge, uint8_t type, const uint8_t *bytes,
                                  size_t len, uint8_t *ret_record, size_t *ret_len)
{
    const size_t above = above_of(bridge), inner = len + (bridge->tls13 ? 1 : 0);
    struct working working osspi_auto(stop) = {0};
    uint8_t nonce[OSSPI_AEAD_NONCE], aad[OSSPI_MAX_AAD];
    struct osspi_aead_pieces pieces = {
        .data = ret_record + above,
        .data_len = inner,
        .aad = aad,
        .tag = ret_record + above + inner,
    };
    SECURITY_STATUS status = start(bridge, &bridge->in, &working);

    if (status != SEC_E_OK)
        return status;
    *ret_len = write_record(bridge, type, bytes, len, ret_record);
    pieces.aad_len = describe(bridge, &working, ret_record, bridge->in.sequence, len, nonce, aad);
    bridge->in.sequence++;
    return osspi_aead_seal(working.aead, nonce, &pieces) ? SEC_E_OK : SEC_E_INTERNAL_ERROR;
}

/* TLSInnerPlaintext (RFC 8446, 5.2): content, type, zeros. */
static bool find_type(struct osspi_bridge_opened *opened)
{
    while (opened->len > 0 && opened->bytes[opened->len - 1] == 0)
        opened->len--;
    if (opened->len == 0)
        return false;
    opened->type = opened->bytes[--opened->len];
    return true;
}

SECURITY_STATUS osspi_bridge_open(struct osspi_bridge *bridge, uint8_t *record, size_t len,
                                  struct osspi_bridge_opened *ret_opened)
{
    const size_t above = above_of(bridge);
    struct working working osspi_auto(stop) = {0};
    uint8_t nonce[OSSPI_AEAD_NONCE], aad[OSSPI_MAX_AAD];
    SECURITY_STATUS status;
    size_t aad_len;

    if (len < above + OSSPI_AEAD_TAG)
        return SEC_E_INTERNAL_ERROR;
    status = start(bridge, &bridge->out, &working);
    if (status != SEC_E_OK)
        return status;
    *ret_opened =
        (struct osspi_bridge_opened){record[0], record + above, len - above - OSSPI_AEAD_TAG};
    aad_len = describe(bridge, &working, record, bridge->out.sequence, ret_opened->len, nonce, aad);
    bridge->out.sequence++;
    if (!osspi_aead_open(working.aead, nonce, aad, aad_len, ret_opened->bytes, ret_opened->len) ||
        (bridge->tls13 && !find_type(ret_opened)))
        return SEC_E_INTERNAL_ERROR;
    return SEC_E_OK;
}
