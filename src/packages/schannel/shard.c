/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Crypto shards; see shard.h. Thread-safe.
 *
 * OpenSSL's configuration file is read into every shard as OpenSSL reads it into its own context,
 * except for the modules whose effect is not limited to a library context (ssl_conf, oid_section,
 * engines): loading those again would replace them under the feet of other threads. OpenSSL's
 * automatic initialisation has loaded them once, and SSL_CTX objects of all contexts obey them.
 */
#include "packages/schannel/shard.h"

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/cpu.h"
#include "base/foreign.h"
#include "base/memory.h"
#include "cert/roots.h"
#include "core/exit.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/provider.h"
#include "packages/schannel/tls_internal.h"

#define TRUST_MAX_LEN (64 << 20) /* bytes of a file of roots; all that there are make one */

/* One place per shard, so that making one shard delays only those who want the same one. */
struct place {
    struct osspi_lock lock;
    uint32_t epoch;            /* guarded by lock */
    struct osspi_shard *shard; /* guarded by lock */
};

static struct place places[OSSPI_MAX_SHARDS]; /* guarded by each one's lock */

static _Atomic uint32_t turn;        /* the next thread's shard, modulo the count */
static _Thread_local uint32_t mine;  /* this thread's shard + 1, 0: none */
static _Atomic uint32_t shard_count; /* 0: not counted yet */

static struct {
    struct osspi_lock lock;
    struct osspi_abandoned *first;
} abandoned; /* guarded by its lock */

/* Reading configuration touches lists that OpenSSL 3.0 does not lock. */
static struct osspi_lock configuration_lock;

void osspi_shard_abandon(struct osspi_abandoned *memory)
{
    OSSPI_LOCKED(&abandoned.lock);
    memory->next = abandoned.first;
    abandoned.first = memory;
}

uint32_t osspi_shard_count(void)
{
    uint32_t count = atomic_load_explicit(&shard_count, memory_order_relaxed);

    if (count == 0) {
        count = osspi_usable_cpus();
        if (count > OSSPI_MAX_SHARDS)
            count = OSSPI_MAX_SHARDS;
        /* Several threads may count; the first one's number stays, whatever affinity is later. */
        uint32_t expected = 0;
        if (!atomic_compare_exchange_strong(&shard_count, &expected, count))
            count = expected;
    }
    return count;
}

uint32_t osspi_shard_mine(void)
{
    if (mine == 0)
        mine = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % osspi_shard_count() + 1;
    return mine - 1;
}

uint32_t osspi_shard_first(void)
{
    if (mine != 0)
        return mine - 1;
    return atomic_load_explicit(&turn, memory_order_relaxed) % osspi_shard_count();
}

/* ---- configuration ---- */

static bool is_per_context(const CONF_VALUE *module)
{
    static const char *const names[] = {"providers", "alg_section", "random"};
    const size_t len = strcspn(module->name, "."); /* "providers.2" is a second such module */

    for (size_t i = 0; i < OSSPI_COUNT_OF(names); i++) {
        if (strlen(names[i]) == len && memcmp(module->name, names[i], len) == 0)
            return true;
    }
    return false;
}

/* The providers can be counted afterwards; of the other two nothing is to be seen. */
static bool is_seen(const CONF_VALUE *module)
{
    return is_per_context(module) && strncmp(module->name, "providers", 9) == 0;
}

/* Runs the modules of a configuration that stay inside the library context. The others are out of
 * the section meanwhile; they go back because the configuration owns them. *ret_plain: false if
 * some change what algorithms do. */
static void run_modules(CONF *conf, bool *ret_plain)
{
    const char *section = NCONF_get_string(conf, NULL, "openssl_conf");
    STACK_OF(CONF_VALUE) *modules = section == NULL ? NULL : NCONF_get_section(conf, section);
    STACK_OF(CONF_VALUE) *others = sk_CONF_VALUE_new_null();

    if (modules == NULL || others == NULL ||
        !sk_CONF_VALUE_reserve(others, sk_CONF_VALUE_num(modules))) {
        sk_CONF_VALUE_free(others);
        return;
    }
    for (int i = sk_CONF_VALUE_num(modules) - 1; i >= 0; i--) {
        if (!is_per_context(sk_CONF_VALUE_value(modules, i)))
            sk_CONF_VALUE_push(others, sk_CONF_VALUE_delete(modules, i));
        else if (!is_seen(sk_CONF_VALUE_value(modules, i)))
            *ret_plain = false;
    }
    (void)CONF_modules_load(conf, NULL,
                            CONF_MFLAGS_DEFAULT_SECTION | CONF_MFLAGS_IGNORE_RETURN_CODES |
                                CONF_MFLAGS_IGNORE_ERRORS);
    /* As many as were taken out: the stack has room for them. */
    while (sk_CONF_VALUE_num(others) > 0)
        sk_CONF_VALUE_push(modules, sk_CONF_VALUE_pop(others));
    sk_CONF_VALUE_free(others);
}

/* A missing or broken file leaves OpenSSL's defaults, as it does in OpenSSL's own context. False:
 * it could not be read for want of memory or descriptors, and the next attempt may succeed. */
static bool configure(OSSL_LIB_CTX *libctx, bool *ret_plain)
{
    OSSPI_LOCKED(&configuration_lock);
    ERR_clear_error();
    char *file = CONF_get1_default_config_file();
    CONF *conf = NCONF_new_ex(libctx, NULL);
    *ret_plain = true;

    if (file != NULL && conf != NULL && NCONF_load(conf, file, NULL) > 0)
        run_modules(conf, ret_plain);
    NCONF_free(conf);
    OPENSSL_free(file);
    return osspi_tls_queue_status(SEC_E_OK) == SEC_E_OK;
}

/* ---- shards ---- */

static void free_shard(struct osspi_shard *shard)
{
    if (shard == NULL)
        return;
    EVP_CIPHER_free(shard->ticket_cipher);
    for (size_t i = 0; i < OSSPI_AEAD_KINDS; i++)
        EVP_CIPHER_free(shard->aead_ciphers[i]);
    BIO_meth_free(shard->bio_method);
    if (shard->libctx != shard->base)
        OSSL_LIB_CTX_free(shard->libctx);
    OSSL_LIB_CTX_free(shard->base);
    osspi_free(shard);
}

static void free_shardp(struct osspi_shard **shard)
{
    free_shard(*shard);
}

struct osspi_shard_scope osspi_shard_enter(const struct osspi_shard *shard)
{
    osspi_foreign_enter();
    return (struct osspi_shard_scope){
        shard == NULL ? NULL : OSSL_LIB_CTX_set0_default(shard->libctx),
    };
}

void osspi_shard_leave(struct osspi_shard_scope *scope)
{
    if (scope->previous != NULL)
        (void)OSSL_LIB_CTX_set0_default(scope->previous);
    osspi_foreign_leave();
}

/* libssl takes one index in X509_STORE_CTX's ex_data, once in the process, where the thread's
 * default context happens to be: that has to be the global one, or the application would be given
 * the same index there. */
static void take_indices(void)
{
    OSSL_LIB_CTX *previous = OSSL_LIB_CTX_set0_default(OSSL_LIB_CTX_get0_global_default());

    (void)SSL_get_ex_data_X509_STORE_CTX_idx();
    (void)OSSL_LIB_CTX_set0_default(previous);
}

/* OpenSSL passes over what it had no memory for, an algorithm or a key type, and remembers that it
 * is not there: such a shard would refuse certificates for ever. */
static bool has_all_memory(void)
{
    return osspi_tls_queue_status(SEC_E_OK) != SEC_E_INSUFFICIENT_MEMORY;
}

static bool has_cipher(OSSL_LIB_CTX *library, const char *name)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(library, name, NULL);

    EVP_CIPHER_free(cipher);
    return cipher != NULL;
}

/* One that is not there is no suite's either; false is a want of memory. */
static bool fetch_aead_ciphers(struct osspi_shard *shard)
{
    static const char *const names[OSSPI_AEAD_KINDS] = {
        [OSSPI_AEAD_AES_128_GCM] = "AES-128-GCM",
        [OSSPI_AEAD_AES_256_GCM] = "AES-256-GCM",
        [OSSPI_AEAD_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
    };

    for (size_t i = 0; i < OSSPI_AEAD_KINDS; i++) {
        shard->aead_ciphers[i] = EVP_CIPHER_fetch(shard->libctx, names[i], NULL);
        if (shard->aead_ciphers[i] == NULL &&
            (!has_all_memory() || has_cipher(shard->base, names[i])))
            return false;
    }
    return true;
}

static bool make_library(struct osspi_shard *shard)
{
    bool plain;

    shard->base = shard->libctx = OSSL_LIB_CTX_new();
    if (shard->base == NULL)
        return false;
    OSSPI_IN_SHARD(shard);
    if (!configure(shard->base, &plain))
        return false;
    /* What the machine's owner has configured stays exactly so. */
    OSSL_LIB_CTX *library = plain ? osspi_provider_wrap(shard->base) : NULL;
    if (library != NULL)
        shard->libctx = library;
    return has_all_memory();
}

static bool fill_shard(struct osspi_shard *shard)
{
    OSSPI_IN_SHARD(shard);
    shard->bio_method = osspi_tls_bio_method();
    if (shard->bio_method == NULL)
        return false;
    /* Also the proof that the providers are there: a shard without would be kept for ever. */
    shard->ticket_cipher = EVP_CIPHER_fetch(shard->libctx, "AES-256-CBC", NULL);
    return shard->ticket_cipher != NULL && fetch_aead_ciphers(shard) && has_all_memory();
}

/* A worker that starts makes its shard and reads the trust store, ten milliseconds and more, while
 * the others go on; no call waits for it. What fails here is tried again by who needs it. */
static void make_ready(void)
{
    struct osspi_shard *shard = osspi_shard_get(osspi_shard_mine());

    if (shard != NULL)
        (void)osspi_shard_trust(shard);
}

static struct osspi_shard *make_shard(uint32_t index)
{
    OSSPI_IN_SHARD(NULL);
    /* No exit handler: worker threads may be inside OpenSSL when the process ends, and there is
     * nothing that the system does not take back. In force only if nobody came before us. */
    if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL))
        return NULL;
    /* If somebody did, ours has to run before OpenSSL's handler. */
    osspi_exit_arm();
    osspi_thread_begin_set_hook(make_ready);
    osspi_thread_end_set_hook(OPENSSL_thread_stop);
    take_indices();

    struct osspi_shard *shard osspi_auto(free_shardp) = osspi_alloc(sizeof(*shard));
    if (shard == NULL)
        return NULL;
    shard->index = index;
    if (!make_library(shard) || !fill_shard(shard))
        return NULL;
    return OSSPI_TAKE(shard);
}

struct osspi_shard *osspi_shard_get(uint32_t index)
{
    struct place *place = &places[index % OSSPI_MAX_SHARDS];
    OSSPI_UNCANCELLED; /* files are read under the lock */
    OSSPI_LOCKED(&place->lock);

    if (place->epoch != osspi_fork_epoch()) {
        if (place->shard != NULL)
            osspi_shard_abandon(&place->shard->abandoned);
        place->shard = NULL;
        place->epoch = osspi_fork_epoch();
    }
    if (place->shard == NULL) {
        place->shard = make_shard(index);
        ERR_clear_error();
    }
    return place->shard;
}

/* ---- trust ---- */

/* OpenSSL would wait for the writer of a pipe, and read a device that has no end for ever. */
static bool is_readable(const char *file)
{
    struct stat facts;

    return stat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= TRUST_MAX_LEN;
}

/* OpenSSL looks into the extensions of a root when it first meets it, for all threads at once: here
 * rather than in somebody's handshake. What it does not like about one shows there; only a
 * want of memory counts, because it would be taken for a fault of the root for good. */
static bool know_roots(X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *root = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

        if (root != NULL)
            (void)X509_check_purpose(root, -1, 0);
    }
    return osspi_tls_queue_status(SEC_E_OK) == SEC_E_OK;
}

/* What cannot be read is not trusted: a bad path shows as SEC_E_UNTRUSTED_ROOT, never as trust in
 * something else. False: no memory, and the store is good for nothing. */
static bool load_trust(struct osspi_shard *shard, X509_STORE *store)
{
    const char *file, *dir;

    osspi_roots_paths(&file, &dir);
    if (file != NULL && is_readable(file) &&
        X509_STORE_load_file_ex(store, file, shard->libctx, NULL) != 1 &&
        osspi_tls_queue_status(SEC_E_OK) != SEC_E_OK)
        return false;
    if (!know_roots(store))
        return false;
    /* A folder is only noted here; certificates are read from it when they are asked for. */
    if (dir != NULL && X509_STORE_load_path(store, dir) != 1 &&
        osspi_tls_queue_status(SEC_E_OK) != SEC_E_OK)
        return false;
    return true;
}

X509_STORE *osspi_shard_trust(struct osspi_shard *shard)
{
    OSSPI_UNCANCELLED;
    /* Before the lock: who holds it must not wait for a fork that waits for who wants it. */
    OSSPI_IN_SHARD(shard);
    OSSPI_LOCKED(&shard->trust_lock);
    if (shard->trust == NULL) {
        ERR_clear_error();
        X509_STORE *store = X509_STORE_new();
        if (store != NULL && !load_trust(shard, store)) {
            X509_STORE_free(store);
            store = NULL;
        }
        shard->trust = store;
        ERR_clear_error();
    }
    return shard->trust;
}

void osspi_tls_forked(void)
{
    /* Nothing to do at once: each shard, configuration and connection carries the fork epoch in
     * which it was made, and is compared with the current one before it is touched. */
}
