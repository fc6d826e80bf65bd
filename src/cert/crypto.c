/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The private library contexts, hashes, and the TLS library's error queue; see crypto.h.
 *
 * A context is published once per process with release order; readers take no lock. All algorithms
 * it is for are loaded before that: the TLS library loads them on first use otherwise, and what
 * there is no memory for at that moment is missing for ever after.
 */
#include "cert/crypto.h"

#include <limits.h>
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <stdatomic.h>

#include "base/foreign.h"
#include "base/lock.h"

static struct osspi_lock making; /* guards the making of a context */

/* Set under `making`, read by anybody: for hashes, for keys, and `full` once it has the legacy
 * provider. */
static _Atomic(const struct osspi_crypto *) plain;
static _Atomic(const struct osspi_crypto *) full;
static _Atomic(const struct osspi_crypto *) with_legacy;

static void crypto_free(struct osspi_crypto *crypto)
{
    EVP_MD_free(crypto->sha1);
    EVP_MD_free(crypto->sha256);
    OSSL_LIB_CTX_free(crypto->library);
    osspi_free(crypto);
}

/* By name, because asking for another provider later would end the implicit default. */
static struct osspi_crypto *crypto_new(OSSL_PROVIDER **ret_provider)
{
    struct osspi_crypto *crypto = osspi_alloc(sizeof(*crypto));

    if (!crypto)
        return NULL;
    crypto->epoch = osspi_fork_epoch();
    crypto->library = OSSL_LIB_CTX_new();
    *ret_provider = crypto->library ? OSSL_PROVIDER_load(crypto->library, "default") : NULL;
    if (*ret_provider) {
        crypto->sha1 = EVP_MD_fetch(crypto->library, "SHA1", NULL);
        crypto->sha256 = EVP_MD_fetch(crypto->library, "SHA256", NULL);
    }
    if (!crypto->sha1 || !crypto->sha256) {
        crypto_free(crypto);
        return NULL;
    }
    return crypto;
}

static struct osspi_crypto *plain_new(void)
{
    OSSL_PROVIDER *ignored;

    return crypto_new(&ignored);
}

/* ---- loading all algorithms, by counting them ---- */

static void count_digest(EVP_MD *algorithm, void *count)
{
    (void)algorithm;
    ++*(unsigned *)count;
}

static void count_cipher(EVP_CIPHER *algorithm, void *count)
{
    (void)algorithm;
    ++*(unsigned *)count;
}

static void count_kdf(EVP_KDF *algorithm, void *count)
{
    (void)algorithm;
    ++*(unsigned *)count;
}

static void count_mac(EVP_MAC *algorithm, void *count)
{
    (void)algorithm;
    ++*(unsigned *)count;
}

static void count_key(EVP_KEYMGMT *algorithm, void *count)
{
    (void)algorithm;
    ++*(unsigned *)count;
}

static void count_decoder(OSSL_DECODER *algorithm, void *count)
{
    (void)algorithm;
    ++*(unsigned *)count;
}

static void count_encoder(OSSL_ENCODER *algorithm, void *count)
{
    (void)algorithm;
    ++*(unsigned *)count;
}

static unsigned load_all(OSSL_LIB_CTX *library)
{
    unsigned count = 0;

    EVP_MD_do_all_provided(library, count_digest, &count);
    EVP_CIPHER_do_all_provided(library, count_cipher, &count);
    EVP_KDF_do_all_provided(library, count_kdf, &count);
    EVP_MAC_do_all_provided(library, count_mac, &count);
    EVP_KEYMGMT_do_all_provided(library, count_key, &count);
    OSSL_DECODER_do_all_provided(library, count_decoder, &count);
    OSSL_ENCODER_do_all_provided(library, count_encoder, &count);
    return count;
}

static unsigned listed_by(OSSL_PROVIDER *provider)
{
    static const int operations[] = {OSSL_OP_DIGEST,  OSSL_OP_CIPHER,  OSSL_OP_KDF,    OSSL_OP_MAC,
                                     OSSL_OP_KEYMGMT, OSSL_OP_DECODER, OSSL_OP_ENCODER};
    unsigned count = 0;

    for (size_t i = 0; i < OSSPI_COUNT_OF(operations); i++) {
        int no_store = 0;
        const OSSL_ALGORITHM *list =
            OSSL_PROVIDER_query_operation(provider, operations[i], &no_store);

        for (const OSSL_ALGORITHM *entry = list; entry && entry->algorithm_names; entry++)
            count++;
        OSSL_PROVIDER_unquery_operation(provider, operations[i], list);
    }
    return count;
}

/* What there was no memory for is left out in silence, hence the counting. Should another version
 * of the TLS library count differently, two attempts that agree are as good. */
static struct osspi_crypto *full_new(void)
{
    unsigned before = UINT_MAX;

    for (int attempt = 0; attempt < 2; attempt++) {
        OSSL_PROVIDER *provider;
        struct osspi_crypto *crypto = crypto_new(&provider);
        unsigned loaded = crypto ? load_all(crypto->library) : 0;

        if (!crypto || loaded == before || loaded == listed_by(provider))
            return crypto;
        before = loaded;
        crypto_free(crypto);
    }
    return NULL;
}

/* ---- publishing ---- */

static const struct osspi_crypto *usable(const struct osspi_crypto *crypto)
{
    return crypto && crypto->epoch == osspi_fork_epoch() ? crypto : NULL;
}

static const struct osspi_crypto *make_inside(_Atomic(const struct osspi_crypto *) *place,
                                              struct osspi_crypto *(*make_new)(void))
{
    const struct osspi_crypto *old = atomic_load_explicit(place, memory_order_acquire);
    struct osspi_crypto *made;

    OSSPI_LOCKED(&making);
    if (usable(atomic_load_explicit(place, memory_order_acquire)))
        return atomic_load_explicit(place, memory_order_acquire);
    /* The first call of all decides: were the TLS library cleaned up at exit, a thread of ours that
     * is still inside it would find its locks gone. */
    if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL))
        return NULL;
    ERR_set_mark();
    made = make_new();
    ERR_pop_to_mark();
    if (!made)
        return NULL;
    made->abandoned = old;
    atomic_store_explicit(place, made, memory_order_release);
    return made;
}

/* The gate of fork comes before the lock: who waits for the lock is inside already. */
static const struct osspi_crypto *make(_Atomic(const struct osspi_crypto *) *place,
                                       struct osspi_crypto *(*make_new)(void))
{
    const struct osspi_crypto *crypto;

    osspi_foreign_enter();
    crypto = make_inside(place, make_new);
    osspi_foreign_leave();
    return crypto;
}

const struct osspi_crypto *osspi_crypto_get(void)
{
    const struct osspi_crypto *crypto = atomic_load_explicit(&plain, memory_order_acquire);

    return usable(crypto) ? crypto : make(&plain, plain_new);
}

const struct osspi_crypto *osspi_crypto_get_full(void)
{
    const struct osspi_crypto *crypto = atomic_load_explicit(&full, memory_order_acquire);

    return usable(crypto) ? crypto : make(&full, full_new);
}

void osspi_crypto_want_legacy(void)
{
    const struct osspi_crypto *crypto = osspi_crypto_get_full();

    if (!crypto || atomic_load_explicit(&with_legacy, memory_order_acquire) == crypto)
        return;
    OSSPI_CRYPTO_CALL;
    OSSPI_LOCKED(&making);
    if (atomic_load_explicit(&with_legacy, memory_order_relaxed) != crypto &&
        OSSL_PROVIDER_load(crypto->library, "legacy"))
        atomic_store_explicit(&with_legacy, crypto, memory_order_release);
}

/* What the thread's error queue held when it came to us: nothing of that is about our work. */
static _Thread_local struct {
    unsigned depth;
    bool any;
    unsigned long last;
} found;

struct osspi_crypto_scope osspi_crypto_enter(void)
{
    const struct osspi_crypto *crypto;
    struct osspi_crypto_scope scope = {NULL};

    osspi_foreign_enter();
    crypto = osspi_crypto_get();
    if (found.depth++ == 0) {
        found.last = ERR_peek_last_error();
        found.any = found.last != 0;
    }
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
    found.depth--;
    osspi_foreign_leave();
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
    const unsigned long last = ERR_peek_last_error();

    /* The cause is the first entry, which outer layers have covered with their own; unless the
     * thread brought entries along. */
    if ((!found.any && means_no_memory(ERR_peek_error())) ||
        (last != found.last && means_no_memory(last)))
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
