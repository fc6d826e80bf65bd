/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keying material for other protocols, from the secrets that a connection keeps: RFC 5705 for
 * TLS 1.2, RFC 8446, 7.5 for TLS 1.3. What it reads is constant: no side of the context is needed.
 */
#include "base/memory.h"
#include "packages/schannel/record_aead.h"

#define MAX_CONTEXT12 65535u /* its length stands in two bytes */

/* Labels of TLS itself (RFC 5246; RFC 7627): whatever begins so could give away its secrets. */
static bool is_reserved(struct osspi_hmac_bytes label)
{
    static const char *const reserved[] = {"client finished", "server finished", "master secret",
                                           "extended master secret", "key expansion"};

    for (size_t i = 0; i < OSSPI_COUNT_OF(reserved); i++) {
        const size_t len = strlen(reserved[i]);

        if (label.len >= len && memcmp(label.at, reserved[i], len) == 0)
            return true;
    }
    return false;
}

SECURITY_STATUS osspi_record_export12(enum osspi_hmac_hash hash, const uint8_t master[48],
                                      const uint8_t randoms[64], struct osspi_hmac_bytes label,
                                      struct osspi_hmac_bytes context, uint8_t *out, size_t out_len)
{
    const uint8_t context_len[] = {(uint8_t)(context.len >> 8), (uint8_t)context.len};
    const struct osspi_hmac_bytes seeds[] = {
        label, {randoms, 64}, {context_len, sizeof(context_len)}, context};

    if (is_reserved(label) || context.len > MAX_CONTEXT12)
        return SEC_E_INVALID_PARAMETER;
    osspi_derive_prf(hash, (struct osspi_hmac_bytes){master, 48}, seeds,
                     context.at ? OSSPI_COUNT_OF(seeds) : 2, out, out_len);
    return SEC_E_OK;
}

static SECURITY_STATUS export13(const struct osspi_record_aead *record,
                                struct osspi_hmac_bytes label, struct osspi_hmac_bytes context,
                                uint8_t *out, size_t out_len)
{
    const size_t hash_len = osspi_hmac_len(record->hash);
    const struct osspi_hmac_bytes exporter = {"exporter", 8};
    uint8_t hash[OSSPI_MAX_HASH], secret[OSSPI_MAX_HASH];
    SECURITY_STATUS status;

    osspi_derive_hash(record->hash, (struct osspi_hmac_bytes){0}, hash);
    status = osspi_derive_label(record->hash, record->master, label,
                                (struct osspi_hmac_bytes){hash, hash_len}, secret, hash_len);
    osspi_derive_hash(record->hash, context, hash);
    if (status == SEC_E_OK)
        status = osspi_derive_label(record->hash, secret, exporter,
                                    (struct osspi_hmac_bytes){hash, hash_len}, out, out_len);
    osspi_secure_zero(secret, sizeof(secret));
    return status;
}

/* Of TLS 1.2; a renegotiation brings others. */
static void secrets12(const struct osspi_record_aead *record, const uint8_t **ret_master,
                      const uint8_t **ret_randoms)
{
    const struct osspi_export_secret *renewed =
        atomic_load_explicit(&record->renewed, memory_order_acquire);

    *ret_master = renewed ? renewed->master : record->master;
    *ret_randoms = renewed ? renewed->randoms : record->randoms;
}

SECURITY_STATUS osspi_record_export_keying(struct osspi_record *base, struct osspi_hmac_bytes label,
                                           struct osspi_hmac_bytes context, uint8_t *out,
                                           size_t out_len)
{
    const struct osspi_record_aead *record = osspi_record_own(base);
    const uint8_t *master, *randoms;

    if (record->version == OSSPI_TLS13)
        return export13(record, label, context, out, out_len);
    secrets12(record, &master, &randoms);
    return osspi_record_export12(record->hash, master, randoms, label, context, out, out_len);
}

void osspi_record_randoms(struct osspi_record *base, uint8_t ret_randoms[64])
{
    const struct osspi_record_aead *record = osspi_record_own(base);
    const uint8_t *master, *randoms;

    if (record->version == OSSPI_TLS13) /* it keeps none */
        return;
    secrets12(record, &master, &randoms);
    memcpy(ret_randoms, randoms, 64);
}
