/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The records that our side of a datagram connection sends: numbers, headers, keys (RFC 6347, 4.1;
 * RFC 5288; RFC 7905). The explicit nonce of AES-GCM is epoch and number of the record, as RFC 5288
 * has it, and a number is claimed before sealing and spent even if that fails: no nonce is used
 * twice. All that is sent under the key comes through here, also the Finished that the TLS library
 * has made under a nonce of its own: that one never leaves.
 */
#include "packages/schannel/datagram.h"

#include <endian.h>
#include <string.h>

#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/derive.h"

/* Cipher blocks under one key, as in streams (RFC 8446, 5.5). There is no next key in DTLS 1.2. */
#define MAX_BLOCKS UINT64_C(24296004000)

/* ---- keys ---- */

void osspi_datagram_key_block(const struct osspi_datagram_keys *keys,
                              struct osspi_datagram_key *ret_client,
                              struct osspi_datagram_key *ret_server)
{
    const size_t key_len = osspi_aead_key_len(keys->kind);
    const size_t iv_len = osspi_datagram_explicit(keys->kind) ? 4 : OSSPI_AEAD_NONCE;
    const struct osspi_hmac_bytes seeds[] = {
        {"key expansion", 13}, {keys->randoms + 32, 32}, {keys->randoms, 32}};
    uint8_t block[2 * (OSSPI_AEAD_MAX_KEY + OSSPI_AEAD_NONCE)];

    osspi_derive_prf(keys->hash, (struct osspi_hmac_bytes){keys->master, sizeof(keys->master)},
                     seeds, OSSPI_COUNT_OF(seeds), block, 2 * (key_len + iv_len));
    *ret_client = *ret_server = (struct osspi_datagram_key){{0}, {0}};
    memcpy(ret_client->key, block, key_len);
    memcpy(ret_server->key, block + key_len, key_len);
    memcpy(ret_client->iv, block + 2 * key_len, iv_len);
    memcpy(ret_server->iv, block + 2 * key_len + iv_len, iv_len);
    osspi_secure_zero(block, sizeof(block));
}

void osspi_datagram_nonce(enum osspi_aead_kind kind, const uint8_t iv[OSSPI_AEAD_NONCE],
                          const uint8_t *record, uint8_t ret_nonce[OSSPI_AEAD_NONCE])
{
    memcpy(ret_nonce, iv, OSSPI_AEAD_NONCE);
    if (osspi_datagram_explicit(kind)) {
        memcpy(ret_nonce + 4, record + OSSPI_DTLS_HEADER, OSSPI_DTLS_EXPLICIT);
        return;
    }
    for (size_t i = 0; i < 8; i++) /* epoch and number stand together in the header */
        ret_nonce[4 + i] ^= record[3 + i];
}

void osspi_datagram_aad(const uint8_t *record, size_t len, uint8_t ret_aad[13])
{
    memcpy(ret_aad, record + 3, 8);
    memcpy(ret_aad + 8, record, 3);
    ret_aad[11] = (uint8_t)(len >> 8);
    ret_aad[12] = (uint8_t)len;
}

SECURITY_STATUS osspi_line_set_key(struct osspi_line *line, const struct osspi_datagram_keys *keys,
                                   const struct osspi_datagram_key *key)
{
    SECURITY_STATUS status;

    line->kind = keys->kind;
    line->epoch = osspi_fork_epoch();
    line->aead = osspi_alloc(osspi_aead_size(keys->kind));
    if (!line->aead)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = osspi_aead_set_key(line->aead, keys->kind, key->key, keys->shard);
    if (status != SEC_E_OK) {
        osspi_free(OSSPI_TAKE(line->aead));
        return status;
    }
    memcpy(line->iv, key->iv, sizeof(line->iv));
    return SEC_E_OK;
}

void osspi_line_clear(struct osspi_line *line)
{
    /* In a forked child the memory alone is wiped: the TLS library's part belongs to the parent. */
    if (line->aead && line->epoch == osspi_fork_epoch())
        osspi_aead_clear(line->aead);
    if (line->aead)
        osspi_secret_free(line->aead, osspi_aead_size(line->kind));
    osspi_secure_zero(line, sizeof(*line));
}

/* ---- records ---- */

size_t osspi_line_above(const struct osspi_line *line, bool sealed)
{
    return OSSPI_DTLS_HEADER +
           (sealed && osspi_datagram_explicit(line->kind) ? OSSPI_DTLS_EXPLICIT : 0u);
}

size_t osspi_line_below(bool sealed)
{
    return sealed ? OSSPI_AEAD_TAG : 0;
}

static void write_header(uint8_t *header, uint8_t type, bool sealed, uint64_t number, size_t body)
{
    const uint64_t place = htobe64((sealed ? UINT64_C(1) << 48 : 0) | number);

    header[0] = type;
    header[1] = 0xFE;
    header[2] = 0xFD;
    memcpy(header + 3, &place, sizeof(place));
    header[11] = (uint8_t)(body >> 8);
    header[12] = (uint8_t)body;
}

SECURITY_STATUS osspi_line_seal(struct osspi_line *line, uint8_t type, bool sealed, uint8_t *header,
                                uint8_t *data, size_t len, uint8_t *trailer)
{
    const size_t above = osspi_line_above(line, sealed) - OSSPI_DTLS_HEADER;
    uint64_t *number = sealed ? &line->sealed : &line->open;
    uint8_t nonce[OSSPI_AEAD_NONCE], aad[13];
    const struct osspi_aead_pieces pieces = {
        .data = data, .data_len = len, .aad = aad, .aad_len = sizeof(aad), .tag = trailer};

    if (*number > OSSPI_DTLS_MAX_NUMBER)
        return SEC_E_ENCRYPT_FAILURE;
    write_header(header, type, sealed, (*number)++, above + len + osspi_line_below(sealed));
    if (!sealed)
        return SEC_E_OK;
    if (!line->aead ||
        (osspi_datagram_explicit(line->kind) && line->blocks + len / 16 + 2 > MAX_BLOCKS))
        return SEC_E_ENCRYPT_FAILURE;
    line->blocks += len / 16 + 2;
    if (above > 0)
        memcpy(header + OSSPI_DTLS_HEADER, header + 3, OSSPI_DTLS_EXPLICIT);
    osspi_datagram_nonce(line->kind, line->iv, header, nonce);
    osspi_datagram_aad(header, len, aad);
    return osspi_aead_seal(line->aead, nonce, &pieces) ? SEC_E_OK : SEC_E_ENCRYPT_FAILURE;
}
