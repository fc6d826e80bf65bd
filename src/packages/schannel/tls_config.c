/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The TLS library's configuration of one credential in one shard: SSL_CTX with protocol range,
 * suites, groups, certificates, trust and callbacks. Made on first use.
 *
 * The build runs without the credential's lock, so that nobody waits for it who does not need it;
 * of two threads that build the same one, the slower throws its own away. Thread-safe.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/ticket.h"
#include "packages/schannel/verify.h"

static void set_modes(SSL_CTX *ctx)
{
    /* DONT_INSERT_EMPTY_FRAGMENTS concerns TLS 1.0: one record has to be one record, and splitting
     * is not the default of SSPI either (SCH_SEND_AUX_RECORD). */
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS);
    /* NO_AUTO_CHAIN: the chain sent is the one we were given, not one looked up in each handshake
     * among trusted certificates. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_AUTO_RETRY);
    SSL_CTX_clear_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_read_ahead(ctx, 0);
    SSL_CTX_set_quiet_shutdown(ctx, 0);
    SSL_CTX_set_dh_auto(ctx, 1);
}

/* ---- trust ---- */

/* Only the application's own roots count; a server names them to clients. */
static SECURITY_STATUS trust_roots(struct osspi_tls_config *config,
                                   const struct osspi_schannel_config *from)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    SECURITY_STATUS status = SEC_E_INSUFFICIENT_MEMORY;

    if (store == NULL || names == NULL)
        goto out;
    for (size_t i = 0; i < from->root_count; i++) {
        const struct osspi_der *der = &from->roots[i];
        X509 *root = osspi_material_certificate(config->shard->libctx, der->bytes, der->len);
        if (root == NULL) {
            status = osspi_tls_queue_status(SEC_E_UNKNOWN_CREDENTIALS);
            goto out;
        }
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(root));
        (void)X509_check_purpose(root, -1, 0); /* see know_roots() in shard.c */
        const bool added = X509_STORE_add_cert(store, root) == 1;
        const bool named = name != NULL && sk_X509_NAME_push(names, name) > 0;
        X509_free(root);
        if (!named)
            X509_NAME_free(name);
        if (!added || !named)
            goto out;
    }
    SSL_CTX_set_cert_store(config->ctx, store);
    store = NULL;
    if (config->server) {
        SSL_CTX_set0_CA_list(config->ctx, names);
        names = NULL;
    }
    status = SEC_E_OK;
out:
    X509_STORE_free(store);
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return status;
}

static SECURITY_STATUS set_trust(struct osspi_tls_config *config,
                                 const struct osspi_schannel_config *from)
{
    if ((config->server && from->has_roots) ||
        (!config->server && (from->flags & SCH_CRED_RESTRICTED_ROOTS) != 0))
        return trust_roots(config, from);

    X509_STORE *store = osspi_shard_trust(config->shard);
    if (store == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    SSL_CTX_set1_cert_store(config->ctx, store);
    return SEC_E_OK;
}

static void set_verification(struct osspi_tls_config *config)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(config->ctx);
    const uint32_t whole_chain =
        SCH_CRED_REVOCATION_CHECK_CHAIN | SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT;

    X509_VERIFY_PARAM_set_depth(param, (int)OSSPI_MAX_CHAIN);
    if ((config->flags & whole_chain) != 0)
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    else if ((config->flags & SCH_CRED_REVOCATION_CHECK_END_CERT) != 0)
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK);
    SSL_CTX_set_cert_verify_callback(config->ctx, osspi_verify_peer, NULL);
    /* A server asks for a certificate per connection; see tls_connection.c. */
    SSL_CTX_set_verify(config->ctx, config->server ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
}

/* ---- identities ---- */

static bool same_key_type(const EVP_PKEY *a, const EVP_PKEY *b)
{
    return EVP_PKEY_get_base_id(a) == EVP_PKEY_get_base_id(b);
}

/* OpenSSL holds one certificate per type of key; the first of a type is the one presented. */
static SECURITY_STATUS use_identity(struct osspi_tls_config *config, size_t index)
{
    struct osspi_material *material = &config->identities[index];

    for (size_t i = 0; i < index; i++) {
        if (same_key_type(config->identities[i].key, material->key))
            return SEC_E_OK;
    }
    if (SSL_CTX_use_cert_and_key(config->ctx, material->leaf, material->key, material->chain, 0) ==
        1)
        return SEC_E_OK;
    return osspi_tls_queue_status(SEC_E_UNKNOWN_CREDENTIALS);
}

static SECURITY_STATUS load_identities(struct osspi_tls_config *config,
                                       const struct osspi_schannel_config *from)
{
    const bool send_root = (from->flags & SCH_SEND_ROOT_CERT) != 0;

    if (from->identity_count == 0)
        return SEC_E_OK;
    config->identities = osspi_alloc_array(from->identity_count, sizeof(*config->identities));
    if (config->identities == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (size_t i = 0; i < from->identity_count; i++) {
        SECURITY_STATUS status = osspi_material_load(config->shard->libctx, &from->identities[i],
                                                     send_root, &config->identities[i]);
        if (status == SEC_E_OK) {
            config->identity_count++;
            status = use_identity(config, i);
        }
        if (status != SEC_E_OK)
            return status;
    }
    return SEC_E_OK;
}

/* ---- sessions ---- */

static SECURITY_STATUS set_sessions(struct osspi_tls_config *config)
{
    SSL_CTX_set_timeout(config->ctx, (long)config->lifespan_s);
    if (!config->server) {
        SSL_CTX_set_session_cache_mode(config->ctx,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(config->ctx, osspi_tls_on_session);
        return SEC_E_OK;
    }
    SSL_CTX_set_session_cache_mode(config->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(config->ctx, osspi_tls_on_alpn, NULL);
    /* Whether a connection issues tickets is its own affair; see tls_connection.c. */
    if (!osspi_ticket_enable(config->ctx) ||
        SSL_CTX_set_num_tickets(config->ctx, OSSPI_TLS_TICKETS) != 1)
        return SEC_E_INSUFFICIENT_MEMORY;
    return SEC_E_OK;
}

/* ---- building ---- */

static void free_config(struct osspi_tls_config *config)
{
    OSSPI_IN_SHARD(config->shard);
    SSL_CTX_free(config->ctx);
    for (size_t i = 0; i < config->identity_count; i++)
        osspi_material_clear(&config->identities[i]);
    osspi_free(config->identities);
    osspi_free(config);
}

void osspi_tls_config_unref(struct osspi_tls_config *config)
{
    /* The parent's stays as it is: its credential or connection has been abandoned with it. */
    if (config == NULL || config->epoch != osspi_fork_epoch())
        return;
    if (atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) == 1)
        free_config(config);
}

static void unref_configp(struct osspi_tls_config **config)
{
    osspi_tls_config_unref(*config);
}

static uint32_t lifespan(uint32_t asked_s)
{
    return asked_s < OSSPI_TLS_MAX_LIFESPAN_S ? asked_s : OSSPI_TLS_MAX_LIFESPAN_S;
}

static SECURITY_STATUS fill_config(struct osspi_tls_config *config,
                                   const struct osspi_schannel_config *from)
{
    OSSPI_IN_SHARD(config->shard);
    config->ctx = SSL_CTX_new_ex(config->shard->libctx, NULL,
                                 config->server ? TLS_server_method() : TLS_client_method());
    if (config->ctx == NULL)
        return osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    set_modes(config->ctx);
    set_verification(config);
    SECURITY_STATUS status = osspi_tls_set_protocol(config->ctx, from);
    if (status == SEC_E_OK)
        status = osspi_tls_set_groups(config->ctx, from->disabled_groups);
    if (status == SEC_E_OK)
        status = set_trust(config, from);
    if (status == SEC_E_OK)
        status = load_identities(config, from);
    if (status == SEC_E_OK)
        status = set_sessions(config);
    return status;
}

static SECURITY_STATUS build(struct osspi_schannel_credential *credential, uint32_t shard,
                             struct osspi_tls_config **ret_config)
{
    const struct osspi_schannel_config *from = credential->config;
    struct osspi_tls_config *config osspi_auto(unref_configp) = osspi_alloc(sizeof(*config));

    if (config == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    config->references = 1;
    config->epoch = osspi_fork_epoch();
    config->server = from->server;
    config->flags = from->flags;
    config->lifespan_s = lifespan(from->session_lifespan_s);
    config->credential_id = credential->id;
    memcpy(config->session_context, credential->session_context, sizeof(config->session_context));
    config->shard = osspi_shard_get(shard);
    if (config->shard == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    ERR_clear_error();
    const SECURITY_STATUS status = fill_config(config, from);
    ERR_clear_error();
    if (status == SEC_E_OK)
        *ret_config = OSSPI_TAKE(config);
    return status;
}

/* ---- the credential's configurations ---- */

static void abandon_parents_locked(struct osspi_schannel_credential *credential)
{
    if (credential->epoch == osspi_fork_epoch())
        return;
    for (uint32_t i = 0; i < OSSPI_MAX_SHARDS; i++) {
        if (credential->shards[i] != NULL)
            osspi_shard_abandon(&credential->shards[i]->abandoned);
        credential->shards[i] = NULL;
    }
    credential->epoch = osspi_fork_epoch();
}

/* The configuration of a shard with a reference for the caller; if there is none yet, *made becomes
 * it and is moved out. NULL: none there, none given. */
static struct osspi_tls_config *publish(struct osspi_schannel_credential *credential,
                                        uint32_t shard, struct osspi_tls_config **made)
{
    OSSPI_LOCKED(&credential->lock);
    abandon_parents_locked(credential);
    if (credential->shards[shard] == NULL && made != NULL)
        credential->shards[shard] = OSSPI_TAKE(*made);
    struct osspi_tls_config *config = credential->shards[shard];
    if (config != NULL)
        atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

SECURITY_STATUS osspi_tls_config_get(struct osspi_schannel_credential *credential, uint32_t shard,
                                     struct osspi_tls_config **ret_config)
{
    struct osspi_tls_config *made osspi_auto(unref_configp) = NULL;

    *ret_config = publish(credential, shard, NULL);
    if (*ret_config != NULL)
        return SEC_E_OK;
    const SECURITY_STATUS status = build(credential, shard, &made);
    if (status == SEC_E_OK)
        *ret_config = publish(credential, shard, &made);
    return status;
}

SECURITY_STATUS osspi_tls_credential_check(struct osspi_schannel_credential *credential)
{
    struct osspi_tls_config *config osspi_auto(unref_configp) = NULL;

    return osspi_tls_config_get(credential, osspi_shard_first(), &config);
}

void osspi_tls_credential_clear(struct osspi_schannel_credential *credential)
{
    struct osspi_tls_config *dropped[OSSPI_MAX_SHARDS];

    osspi_lock_acquire(&credential->lock);
    abandon_parents_locked(credential);
    memcpy(dropped, credential->shards, sizeof(dropped));
    memset(credential->shards, 0, sizeof(credential->shards));
    osspi_lock_release(&credential->lock);
    for (uint32_t i = 0; i < OSSPI_MAX_SHARDS; i++)
        osspi_tls_config_unref(dropped[i]);
    osspi_session_forget_credential(credential->id);
}
