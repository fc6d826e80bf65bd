/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The private library context, hashes, and the TLS library's error queue; see crypto.h.
 *
 * The context is published once per process with release order; readers take no lock. A second
 * pointer says that the legacy provider has been asked for, so that only PKCS#12 files pay for it.
 */
#include "cert/crypto.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdatomic.h>

#include "base/lock.h"

static struct osspi_lock making;                      /* guards the making of a new context */
static _Atomic(const struct osspi_crypto *) current;  /* set under `making`, read by anybody */
static _Atomic(const struct osspi_crypto *) extended; /* the one that has the legacy provider */

static void crypto_free(struct osspi_crypto *crypto)
{
    EVP_MD_free(crypto->sha1);
    EVP_MD_free(crypto->sha256);
    OSSL_LIB_CTX_free(crypto->library);
    osspi_free(crypto);
}

static struct osspi_crypto *crypto_new(void)
{
    struct osspi_crypto *crypto = osspi_alloc(sizeof(*crypto));

    if (!crypto)
        return NULL;
    crypto->epoch = osspi_fork_epoch();
    crypto->library = OSSL_LIB_CTX_new();
    /* By name, because asking for the legacy provider later would end the implicit default. */
    if (crypto->library && OSSL_PROVIDER_load(crypto->library, "default")) {
        crypto->sha1 = EVP_MD_fetch(crypto->library, "SHA1", NULL);
        crypto->sha256 = EVP_MD_fetch(crypto->library, "SHA256", NULL);
    }
    if (!crypto->sha1 || !crypto->sha256) {
        crypto_free(crypto);
        return NULL;
    }
    return crypto;
}

static const struct osspi_crypto *usable(const struct osspi_crypto *crypto)
{
    return crypto && crypto->epoch == osspi_fork_epoch() ? crypto : NULL;
}

static const struct osspi_crypto *get_locked(void)
{
    const struct osspi_crypto *old = atomic_load_explicit(&current, memory_order_acquire);
    struct osspi_crypto *made;

    if (usable(old))
        return old;
    ERR_set_mark();
    made = crypto_new();
    ERR_pop_to_mark();
    if (!made)
        return NULL;
    made->abandoned = old;
    atomic_store_explicit(&current, made, memory_order_release);
    return made;
}

const struct osspi_crypto *osspi_crypto_get(void)
{
    const struct osspi_crypto *crypto = atomic_load_explicit(&current, memory_order_acquire);

    if (usable(crypto))
        return crypto;
    OSSPI_LOCKED(&making);
    return get_locked();
}

const struct osspi_crypto *osspi_crypto_get_legacy(void)
{
    const struct osspi_crypto *crypto = atomic_load_explicit(&extended, memory_order_acquire);

    if (usable(crypto))
        return crypto;
    OSSPI_LOCKED(&making);
    crypto = get_locked();
    if (crypto && atomic_load_explicit(&extended, memory_order_relaxed) != crypto) {
        /* A system may well come without it; then files that need it cannot be read. */
        ERR_set_mark();
        OSSL_PROVIDER_load(crypto->library, "legacy");
        ERR_pop_to_mark();
        atomic_store_explicit(&extended, crypto, memory_order_release);
    }
    return crypto;
}

struct osspi_crypto_scope osspi_crypto_enter(void)
{
    const struct osspi_crypto *crypto = osspi_crypto_get();
    struct osspi_crypto_scope scope = {NULL};

    ERR_set_mark();
    if (crypto)
        scope.previous = OSSL_LIB_CTX_set0_default(crypto->library);
    return scope;
}

void osspi_crypto_leave(struct osspi_crypto_scope *scope)
{
    if (scope->previous)
        OSSL_LIB_CTX_set0_default(scope->previous);
    ERR_pop_to_mark();
}

/* Starting a digest and copying its state fail for no other reason, but do not say so by name. */
static bool means_no_memory(unsigned long error)
{
    return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ||
           (ERR_GET_LIB(error) == ERR_LIB_EVP &&
            (ERR_GET_REASON(error) == EVP_R_NOT_ABLE_TO_COPY_CTX ||
             ERR_GET_REASON(error) == EVP_R_INITIALIZATION_ERROR));
}

SECURITY_STATUS osspi_crypto_failure(SECURITY_STATUS otherwise)
{
    /* The cause is the first entry, which outer layers have covered with their own; unless the
     * application had left entries before it. */
    if (means_no_memory(ERR_peek_error()) || means_no_memory(ERR_peek_last_error()))
        return SEC_E_INSUFFICIENT_MEMORY;
    return otherwise;
}

/* With a fetched digest the only thing that can be missing is memory. */
static SECURITY_STATUS hash(const EVP_MD *digest, struct osspi_der_view bytes, uint8_t *ret_hash)
{
    OSSPI_CRYPTO_CALL;
    if (!EVP_Digest(bytes.bytes, bytes.len, ret_hash, NULL, digest, NULL))
        return SEC_E_INSUFFICIENT_MEMORY;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_crypto_sha1(struct osspi_der_view bytes, uint8_t ret_hash[20])
{
    const struct osspi_crypto *crypto = osspi_crypto_get();

    return crypto ? hash(crypto->sha1, bytes, ret_hash) : SEC_E_INSUFFICIENT_MEMORY;
}

SECURITY_STATUS osspi_crypto_sha256(struct osspi_der_view bytes, uint8_t ret_hash[32])
{
    const struct osspi_crypto *crypto = osspi_crypto_get();

    return crypto ? hash(crypto->sha256, bytes, ret_hash) : SEC_E_INSUFFICIENT_MEMORY;
}

void osspi_pkey_freep(EVP_PKEY **key)
{
    OSSPI_CRYPTO_CALL;
    EVP_PKEY_free(*key);
}
