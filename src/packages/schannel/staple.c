/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Stapled answers; see staple.h.
 *
 * Answers are kept as bytes, under the hash of the certificate, for all credentials that show it. A
 * forked child has those that the parent had, and fetches the next ones by itself. What is fetched
 * is verified before it is kept, with the certificate's issuer as the only root: an answer that a
 * client would not believe is worth nothing.
 */
#include "packages/schannel/staple.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/memory.h"
#include "cert/crypto.h"
#include "cert/fetch.h"
#include "cert/ocsp.h"
#include "cert/source.h"
#include "core/background.h"
#include "core/lane.h"

#define KEPT_MAX      64u
#define AGE_MAX_S     86400
#define RETRY_S       30  /* behind a failure */
#define SILENCE_S     120 /* after which a fetch counts as lost, whoever lost it */
#define FETCH_WAIT_MS 10000u

struct kept {
    uint8_t certificate[32]; /* SHA-256; constant */
    uint8_t *der;            /* NULL: none yet */
    size_t len;
    int64_t until;    /* unix seconds, of the answer */
    int64_t renew_at; /* when the next one is to be sent for */
    bool taken;       /* the entry is in use */
};

static struct {
    struct osspi_lock lock;
    struct kept entries[KEPT_MAX];
} staples; /* guarded by its lock */

/* What a fetch needs; everything in it is its own. */
struct order {
    uint8_t certificate[32];
    struct osspi_sources sources;
    X509 *leaf, *issuer; /* references */
};

/* ---- what is kept ---- */

static struct kept *find_locked(const uint8_t hash[32])
{
    for (uint32_t i = 0; i < KEPT_MAX; i++) {
        if (staples.entries[i].taken && memcmp(staples.entries[i].certificate, hash, 32) == 0)
            return &staples.entries[i];
    }
    return NULL;
}

/* The entry of a certificate, a new one in the place of what ends first. *ret_dropped: to be freed
 * by osspi_free(). */
static struct kept *entry_locked(const uint8_t hash[32], uint8_t **ret_dropped)
{
    struct kept *entry = find_locked(hash);

    if (entry != NULL)
        return entry;
    entry = &staples.entries[0];
    for (uint32_t i = 0; i < KEPT_MAX && entry->taken; i++) {
        if (!staples.entries[i].taken || staples.entries[i].until < entry->until)
            entry = &staples.entries[i];
    }
    *ret_dropped = entry->der;
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->certificate, hash, 32);
    entry->taken = true;
    return entry;
}

/* A copy of the answer, if there is one that is good; and is it this thread's to send for another?
 * Whoever is told so has to, or nobody does for a while. */
static uint8_t *take(const uint8_t hash[32], size_t *ret_len, bool *ret_send)
{
    const int64_t now = (int64_t)time(NULL);
    uint8_t *dropped osspi_auto(osspi_freep) = NULL;
    uint8_t *copy = NULL;

    OSSPI_LOCKED(&staples.lock);
    struct kept *entry = entry_locked(hash, &dropped);
    if (entry->der != NULL && entry->until > now) {
        copy = OPENSSL_memdup(entry->der, entry->len); /* OpenSSL is going to free it */
        *ret_len = entry->len;
    }
    *ret_send = now >= entry->renew_at;
    if (*ret_send)
        entry->renew_at = now + SILENCE_S;
    return copy;
}

/* der NULL: there was no answer. */
static void keep(const uint8_t hash[32], uint8_t *der, size_t len, int64_t until)
{
    const int64_t now = (int64_t)time(NULL);
    uint8_t *dropped osspi_auto(osspi_freep) = NULL;
    uint8_t *replaced osspi_auto(osspi_freep) = NULL;

    if (until == 0 || until > now + AGE_MAX_S)
        until = now + AGE_MAX_S;
    OSSPI_LOCKED(&staples.lock);
    struct kept *entry = entry_locked(hash, &dropped);
    if (der == NULL) {
        entry->renew_at = now + RETRY_S;
        return;
    }
    replaced = entry->der;
    entry->der = NULL; /* in between, for a fork */
    entry->len = len;
    entry->until = until;
    entry->renew_at = now + (until - now) / 2 + 1;
    entry->der = der;
}

void osspi_staple_forget(void)
{
    OSSPI_LOCKED(&staples.lock);
    for (uint32_t i = 0; i < KEPT_MAX; i++) {
        uint8_t *der = OSSPI_TAKE(staples.entries[i].der);
        staples.entries[i].renew_at = 0;
        osspi_free(der);
    }
}

/* ---- fetching ---- */

static void order_release(void *data)
{
    struct order *order = data;
    OSSPI_CRYPTO_CALL;

    X509_free(order->leaf);
    X509_free(order->issuer);
    osspi_sources_clear(&order->sources);
    osspi_free(order);
}

static X509_STORE *store_of(X509 *issuer)
{
    X509_STORE *store = X509_STORE_new();

    if (store != NULL && X509_STORE_add_cert(store, issuer) == 1 &&
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1)
        return store;
    X509_STORE_free(store);
    return NULL;
}

static void ask_all(const struct order *order, const struct osspi_subject *subject)
{
    struct osspi_answer answer = {OSSPI_STANDING_UNKNOWN, 0};
    uint8_t *der = NULL;
    size_t len = 0;

    for (size_t i = 0; i < order->sources.ocsp_count && der == NULL; i++)
        (void)osspi_ocsp_ask(subject, order->sources.ocsp[i], osspi_deadline_ns(FETCH_WAIT_MS),
                             &answer, &der, &len);
    keep(order->certificate, der, len, answer.until);
}

static void order_run(void *data)
{
    const struct order *order = data;
    OSSPI_CRYPTO_CALL;
    X509_STORE *store = store_of(order->issuer);
    STACK_OF(X509) *chain = sk_X509_new_null();

    if (store != NULL && chain != NULL && sk_X509_push(chain, order->leaf) > 0 &&
        sk_X509_push(chain, order->issuer) > 0) {
        const struct osspi_subject subject = {order->leaf, order->issuer, chain, store};
        ask_all(order, &subject);
    }
    sk_X509_free(chain);
    X509_STORE_free(store);
}

/* ---- sending for an answer ---- */

/* A certificate as an object of this folder's own library context: the order outlives the shard's
 * configuration, and runs in no shard. */
static X509 *copy_of(X509 *certificate)
{
    unsigned char *der = NULL;
    const int len = i2d_X509(certificate, &der);
    const unsigned char *at = der;
    X509 *copy = len > 0 ? d2i_X509(NULL, &at, len) : NULL;

    OPENSSL_free(der);
    return copy;
}

/* The one that issued it among those that are sent, else among those that are trusted. */
static X509 *find_issuer(X509 *leaf, STACK_OF(X509) * chain, X509_STORE *trust)
{
    X509 *issuer = NULL;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (X509_check_issued(sk_X509_value(chain, i), leaf) == X509_V_OK)
            return copy_of(sk_X509_value(chain, i));
    }
    X509_STORE_CTX *search = X509_STORE_CTX_new();
    if (search != NULL && X509_STORE_CTX_init(search, trust, leaf, NULL) == 1)
        (void)X509_STORE_CTX_get1_issuer(&issuer, search, leaf);
    X509_STORE_CTX_free(search);
    X509 *copy = issuer == NULL ? NULL : copy_of(issuer);
    X509_free(issuer);
    return copy;
}

static void send_for(const uint8_t hash[32], X509 *leaf, STACK_OF(X509) * chain, X509_STORE *trust)
{
    char class_name[OSSPI_CLASS_NAME_SIZE];
    struct order *order = osspi_alloc(sizeof(*order));
    OSSPI_CRYPTO_CALL;

    if (order == NULL)
        return;
    memcpy(order->certificate, hash, 32);
    order->leaf = copy_of(leaf);
    order->issuer = order->leaf == NULL ? NULL : find_issuer(order->leaf, chain, trust);
    if (order->issuer == NULL || !osspi_sources_read(order->leaf, &order->sources) ||
        order->sources.ocsp_count == 0) {
        order_release(order);
        return;
    }
    osspi_fetch_class("ocsp", order->sources.ocsp[0], class_name, sizeof(class_name));
    const struct osspi_background work = {class_name, order_run, order_release, order};
    (void)osspi_background_start(&work);
}

static bool hash_of(const X509 *certificate, uint8_t ret_hash[32])
{
    const struct osspi_crypto *crypto = osspi_crypto_get();
    unsigned len = 32;

    return certificate != NULL && crypto != NULL &&
           X509_digest(certificate, crypto->sha256, ret_hash, &len) == 1;
}

/* ---- OpenSSL's side ---- */

/* The client has asked, and the certificate has been chosen. */
static int on_request(SSL *ssl, void *argument)
{
    X509 *leaf = SSL_get_certificate(ssl);
    STACK_OF(X509) *chain = NULL;
    uint8_t hash[32];
    size_t len = 0;
    bool send;
    (void)argument;

    if (!hash_of(leaf, hash))
        return SSL_TLSEXT_ERR_NOACK;
    uint8_t *copy = take(hash, &len, &send);
    if (send && SSL_get0_chain_certs(ssl, &chain) == 1)
        send_for(hash, leaf, chain, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)));
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)len);
    return SSL_TLSEXT_ERR_OK;
}

static void send_early(SSL_CTX *ctx)
{
    X509 *leaf = SSL_CTX_get0_certificate(ctx);
    STACK_OF(X509) *chain = NULL;
    uint8_t hash[32];
    size_t len;
    bool send;

    if (!hash_of(leaf, hash))
        return;
    OPENSSL_free(take(hash, &len, &send));
    if (send && SSL_CTX_get0_chain_certs(ctx, &chain) == 1)
        send_for(hash, leaf, chain, SSL_CTX_get_cert_store(ctx));
}

void osspi_staple_enable(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_status_cb(ctx, on_request);
    for (long at = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST); at == 1;
         at = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
        send_early(ctx);
    (void)SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
}
