/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Ticket keys that a credential was given; see ticket.h. What seals is derived from what was given
 * by HKDF-SHA-256 (RFC 5869): salt is the key's id, the label names this form of ticket. So any
 * material of 32 to 64 bytes will do, and a key that other software uses too seals nothing twice.
 *
 * Thread-safe: constant but for the reference count.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/shard.h"
#include "packages/schannel/ticket.h"
#include "packages/schannel/tls_internal.h"

#define KEY_MIN 32u
#define KEY_MAX 64u

struct osspi_ticket_ring {
    _Atomic uint32_t references;
    size_t count;
    struct osspi_ticket_key keys[OSSPI_TICKET_KEYS];
};

struct osspi_ticket_ring *osspi_ticket_ring_ref(struct osspi_ticket_ring *ring)
{
    if (ring != NULL)
        atomic_fetch_add_explicit(&ring->references, 1, memory_order_relaxed);
    return ring;
}

void osspi_ticket_ring_unref(struct osspi_ticket_ring *ring)
{
    if (ring != NULL && atomic_fetch_sub_explicit(&ring->references, 1, memory_order_acq_rel) == 1)
        osspi_secret_free(ring, sizeof(*ring));
}

static void unref_ringp(struct osspi_ticket_ring **ring)
{
    osspi_ticket_ring_unref(*ring);
}

/* ---- making ---- */

static bool derive(EVP_KDF_CTX *kdf, const SecPkgCred_SessionTicketKey *from,
                   struct osspi_ticket_key *to)
{
    static const char label[] = "OpenSSPI session ticket 1";
    uint8_t out[sizeof(to->cipher) + sizeof(to->mac)];
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)from->KeyingMaterial,
                                          from->KeyingMaterialSize),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)from->KeyId,
                                          sizeof(from->KeyId)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)label, sizeof(label) - 1),
        OSSL_PARAM_construct_end(),
    };

    const bool ok = EVP_KDF_derive(kdf, out, sizeof(out), params) == 1;
    memcpy(to->name, from->KeyId, sizeof(to->name));
    memcpy(to->cipher, out, sizeof(to->cipher));
    memcpy(to->mac, out + sizeof(to->cipher), sizeof(to->mac));
    osspi_secure_zero(out, sizeof(out));
    return ok;
}

static SECURITY_STATUS derive_all(const SecPkgCred_SessionTicketKeys *from,
                                  struct osspi_ticket_ring *ring)
{
    struct osspi_shard *shard = osspi_shard_get(osspi_shard_first());

    if (shard == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    OSSPI_IN_SHARD(shard);
    ERR_clear_error();
    EVP_KDF *algorithm = EVP_KDF_fetch(shard->libctx, "HKDF", NULL);
    EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(algorithm);
    bool ok = kdf != NULL;

    for (size_t i = 0; ok && i < ring->count; i++)
        ok = derive(kdf, &from->pSessionTicketKeys[i], &ring->keys[i]);
    EVP_KDF_CTX_free(kdf);
    EVP_KDF_free(algorithm);
    return ok ? SEC_E_OK : osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
}

static bool is_good(const SecPkgCred_SessionTicketKeys *keys)
{
    if (keys->cSessionTicketKeys > OSSPI_TICKET_KEYS || keys->pSessionTicketKeys == NULL)
        return false;
    for (DWORD i = 0; i < keys->cSessionTicketKeys; i++) {
        const SecPkgCred_SessionTicketKey *key = &keys->pSessionTicketKeys[i];

        if (key->TicketInfoVersion != SESSION_TICKET_INFO_VERSION ||
            key->KeyingMaterialSize < KEY_MIN || key->KeyingMaterialSize > KEY_MAX)
            return false;
        for (DWORD j = 0; j < i; j++) {
            if (memcmp(keys->pSessionTicketKeys[j].KeyId, key->KeyId, sizeof(key->KeyId)) == 0)
                return false;
        }
    }
    return true;
}

SECURITY_STATUS osspi_ticket_ring_new(const SecPkgCred_SessionTicketKeys *keys,
                                      struct osspi_ticket_ring **ret_ring)
{
    const SecPkgCred_SessionTicketKeys given = *keys; /* looked at once */
    struct osspi_ticket_ring *ring osspi_auto(unref_ringp) = NULL;

    *ret_ring = NULL;
    if (given.cSessionTicketKeys == 0)
        return SEC_E_OK;
    if (!is_good(&given))
        return SEC_E_INVALID_PARAMETER;
    ring = osspi_alloc(sizeof(*ring));
    if (ring == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    atomic_init(&ring->references, 1);
    ring->count = given.cSessionTicketKeys;
    const SECURITY_STATUS status = derive_all(&given, ring);
    if (status == SEC_E_OK)
        *ret_ring = OSSPI_TAKE(ring);
    return status;
}

/* ---- using ---- */

void osspi_ticket_ring_seal(const struct osspi_ticket_ring *ring, struct osspi_ticket_key *ret_key)
{
    *ret_key = ring->keys[0];
}

bool osspi_ticket_ring_open(const struct osspi_ticket_ring *ring,
                            const uint8_t name[OSSPI_TICKET_NAME], struct osspi_ticket_key *ret_key,
                            bool *ret_old)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (memcmp(ring->keys[i].name, name, OSSPI_TICKET_NAME) != 0)
            continue;
        *ret_key = ring->keys[i];
        *ret_old = i > 0;
        return true;
    }
    return false;
}
