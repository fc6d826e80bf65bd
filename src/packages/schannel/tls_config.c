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
#include <opensspi.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/server_session.h"
#include "packages/schannel/staple.h"
#include "packages/schannel/ticket.h"
#include "packages/schannel/tls_early.h"
#include "packages/schannel/tls_hello.h"
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
    osspi_verify_configure(config);
    if (config->server && config->policy.omit_usage)
        X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(config->ctx), X509_PURPOSE_ANY);
    /* A server asks for a certificate per connection; see tls_connection.c. */
    SSL_CTX_set_verify(config->ctx, config->server ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
}

/* ---- identities ---- */

/* OpenSSL holds one certificate per type of key; the first of a type is the one presented. */
static SECURITY_STATUS load_identities(struct osspi_tls_config *config)
{
    SECURITY_STATUS status = osspi_materials_get(config->set, config->shard, &config->materials);

    for (size_t i = 0; status == SEC_E_OK && i < config->materials->count; i++) {
        const struct osspi_material *material = config->materials->items[i];

        if ((config->flags & SCH_USE_PRESHAREDKEY_ONLY) == 0 &&
            osspi_hello_is_first(config->set, config->materials, i, NULL, OSSPI_MATCH_NONE) &&
            SSL_CTX_use_cert_and_key(config->ctx, material->leaf, material->key, material->chain,
                                     0) != 1)
            status = osspi_tls_queue_status(SEC_E_UNKNOWN_CREDENTIALS);
    }
    if (status == SEC_E_OK)
        status = osspi_hello_session_context(config, NULL, NULL, NULL, config->session_context);
    return status;
}

/* Only where a ClientHello has something to decide. */
static SECURITY_STATUS set_choice(struct osspi_tls_config *config,
                                  const struct osspi_schannel_config *from)
{
    config->entries = osspi_hello_copy_entries(from->entries, from->entry_count);
    if (config->entries == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    config->entry_count = from->entry_count;
    config->offer = config->datagram ? osspi_tls_offer_datagram(from) : osspi_tls_offer_of(from);
    if (config->datagram)
        osspi_tls_entries_datagram(config->entries, config->entry_count);
    if (config->server && (config->set->count > 1 || config->entry_count > 0 ||
                           (config->flags & SCH_CRED_SNI_CREDENTIAL) != 0)) {
        SSL_CTX_set_client_hello_cb(config->ctx, osspi_hello_on_client, NULL);
        SSL_CTX_set_tlsext_servername_callback(config->ctx, osspi_hello_on_name);
    } else if (config->server && (config->options.flags & OSSPI_TLS_RENEGOTIATION) != 0) {
        SSL_CTX_set_tlsext_servername_callback(config->ctx, osspi_hello_on_any_name);
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
    osspi_server_session_configure(config->ctx);
    SSL_CTX_set_alpn_select_cb(config->ctx, osspi_tls_on_alpn, NULL);
    if (!osspi_tls_early_configure(config))
        return SEC_E_INSUFFICIENT_MEMORY;
    /* Whether a connection issues tickets is its own affair; see tls_connection.c. */
    if (!osspi_ticket_enable(config->ctx, config->tickets) ||
        SSL_CTX_set_num_tickets(config->ctx, OSSPI_TLS_TICKETS) != 1)
        return SEC_E_INSUFFICIENT_MEMORY;
    return SEC_E_OK;
}

/* ---- building ---- */

static void free_config(struct osspi_tls_config *config)
{
    OSSPI_IN_SHARD(config->shard);
    SSL_CTX_free(config->ctx);
    osspi_tls_errors_clear(); /* for want of memory it leaves one */
    for (size_t i = 0; i < OSSPI_MAX_VARIANTS; i++)
        osspi_tls_config_unref(config->variants[i]);
    osspi_hello_free_entries(config->entries, config->entry_count);
    osspi_identity_set_unref(config->set);
    osspi_ticket_ring_unref(config->tickets);
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

static const SSL_METHOD *method_of(const struct osspi_tls_config *config)
{
    if (config->datagram)
        return config->server ? DTLS_server_method() : DTLS_client_method();
    return config->server ? TLS_server_method() : TLS_client_method();
}

static SECURITY_STATUS fill_config(struct osspi_tls_config *config,
                                   const struct osspi_schannel_config *from)
{
    OSSPI_IN_SHARD(config->shard);
    config->ctx = SSL_CTX_new_ex(config->shard->libctx, NULL, method_of(config));
    if (config->ctx == NULL)
        return osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    set_modes(config->ctx);
    if (!osspi_shard_tells_secrets(config->shard))
        SSL_CTX_set_keylog_callback(config->ctx, osspi_tls_on_secret);
    set_verification(config);
    SECURITY_STATUS status = config->datagram ? osspi_tls_set_datagram(config->ctx, from)
                                              : osspi_tls_set_protocol(config->ctx, from);
    if (status == SEC_E_OK)
        status = osspi_tls_set_groups(config->ctx, from->disabled_groups);
    if (status == SEC_E_OK)
        status = osspi_tls_set_schemes(config->ctx, from->disabled_schemes);
    if (status == SEC_E_OK)
        status = set_trust(config, from);
    if (status == SEC_E_OK)
        status = load_identities(config);
    if (status == SEC_E_OK)
        status = set_choice(config, from);
    if (status == SEC_E_OK)
        status = set_sessions(config);
    if (status == SEC_E_OK && !osspi_extension_register(config->ctx, &config->extensions))
        status = osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    if (status == SEC_E_OK && config->server && (config->flags & SCH_CRED_SNI_ENABLE_OCSP) != 0)
        osspi_staple_enable(config->ctx);
    return status;
}

static void narrow_to_device(struct osspi_schannel_config *config)
{
    config->suites = osspi_suites_for_device(config->suites);
    config->datagram_suites = osspi_suites_for_device(config->datagram_suites);
}

/* Takes references on what it needs of the state. extensions NULL: none. */
static SECURITY_STATUS build_with(const struct osspi_schannel_credential *credential,
                                  const struct osspi_credential_state *state, uint32_t shard,
                                  bool datagram, const struct osspi_extension_set *extensions,
                                  struct osspi_tls_config **ret_config)
{
    const struct osspi_schannel_config *from = credential->config;
    struct osspi_schannel_config narrowed = *from; /* borrows all that it points to */
    struct osspi_tls_config *config osspi_auto(unref_configp) = osspi_alloc(sizeof(*config));

    if (config == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    config->references = 1;
    config->epoch = osspi_fork_epoch();
    config->server = from->server;
    config->datagram = datagram;
    if (extensions != NULL)
        config->extensions = *extensions;
    config->flags = (from->flags & ~state->policy.flags_off) | state->policy.flags_on;
    config->lifespan_s = lifespan(from->session_lifespan_s);
    config->generation = state->generation;
    config->credential_id = state->identities->id | (datagram ? OSSPI_DATAGRAM_SESSIONS : 0);
    config->set = osspi_identity_set_ref(state->identities);
    config->tickets = osspi_ticket_ring_ref(state->tickets);
    config->policy = state->policy;
    config->options = state->options;
    memcpy(config->policy_context, credential->session_context, sizeof(config->policy_context));
    config->policy_context[0] ^= datagram; /* sessions of one kind are none of the other's */
    config->shard = osspi_shard_get(shard);
    if (config->shard == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    ERR_clear_error();
    /* A certificate that was added or renewed may have its key in a device. */
    if (from->server && state->identities->blocking_class != NULL)
        narrow_to_device(&narrowed);
    if (datagram ? narrowed.datagram_suites == 0 : narrowed.suites == 0)
        return SEC_E_ALGORITHM_MISMATCH;
    const SECURITY_STATUS status = fill_config(config, &narrowed);
    ERR_clear_error();
    if (status == SEC_E_OK)
        *ret_config = OSSPI_TAKE(config);
    return status;
}

static SECURITY_STATUS build(const struct osspi_schannel_credential *credential,
                             const struct osspi_credential_state *state, uint32_t shard,
                             bool datagram, struct osspi_tls_config **ret_config)
{
    return build_with(credential, state, shard, datagram, NULL, ret_config);
}

/* ---- the credential's state ---- */

void osspi_credential_state_get(struct osspi_schannel_credential *credential,
                                struct osspi_credential_state *ret_state)
{
    OSSPI_LOCKED(&credential->lock);
    *ret_state = credential->state;
    (void)osspi_identity_set_ref(ret_state->identities);
    (void)osspi_ticket_ring_ref(ret_state->tickets);
}

uint64_t osspi_credential_sessions(struct osspi_schannel_credential *credential)
{
    OSSPI_LOCKED(&credential->lock);
    return credential->state.identities->id;
}

void osspi_credential_state_clear(struct osspi_credential_state *state)
{
    osspi_identity_set_unref(state->identities);
    osspi_ticket_ring_unref(state->tickets);
    *state = (struct osspi_credential_state){0};
}

/* ---- the credential's configurations ---- */

static void abandon_parents_locked(struct osspi_schannel_credential *credential)
{
    if (credential->epoch == osspi_fork_epoch())
        return;
    for (uint32_t i = 0; i < OSSPI_MAX_SHARDS; i++) {
        if (credential->shards[i] != NULL)
            osspi_shard_abandon(&credential->shards[i]->abandoned);
        if (credential->datagrams[i] != NULL)
            osspi_shard_abandon(&credential->datagrams[i]->abandoned);
        credential->shards[i] = credential->datagrams[i] = NULL;
    }
    credential->epoch = osspi_fork_epoch();
}

struct osspi_tls_config *osspi_tls_config_ref(struct osspi_tls_config *config)
{
    if (config != NULL)
        atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

/* The configuration of a shard with a reference for the caller; if there is none yet, *made becomes
 * it, unless the credential has changed meanwhile: then it serves the one connection that began
 * before the change. NULL: none there, none given. */
static struct osspi_tls_config *publish(struct osspi_schannel_credential *credential,
                                        uint32_t shard, bool datagram,
                                        struct osspi_tls_config **made)
{
    struct osspi_tls_config **place =
        datagram ? &credential->datagrams[shard] : &credential->shards[shard];

    OSSPI_LOCKED(&credential->lock);
    abandon_parents_locked(credential);
    if (made != NULL && (*made)->generation != credential->state.generation)
        return osspi_tls_config_ref(*made);
    if (*place == NULL && made != NULL)
        *place = OSSPI_TAKE(*made);
    return osspi_tls_config_ref(*place);
}

SECURITY_STATUS osspi_tls_config_get(struct osspi_schannel_credential *credential, uint32_t shard,
                                     bool datagram, struct osspi_tls_config **ret_config)
{
    struct osspi_tls_config *made osspi_auto(unref_configp) = NULL;
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};

    *ret_config = publish(credential, shard, datagram, NULL);
    if (*ret_config != NULL)
        return SEC_E_OK;
    osspi_credential_state_get(credential, &state);
    const SECURITY_STATUS status = build(credential, &state, shard, datagram, &made);
    if (status == SEC_E_OK)
        *ret_config = publish(credential, shard, datagram, &made);
    return status;
}

SECURITY_STATUS osspi_tls_config_make(struct osspi_schannel_credential *credential, uint32_t shard,
                                      bool datagram, const struct osspi_extension_set *extensions,
                                      struct osspi_tls_config **ret_config)
{
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};

    osspi_credential_state_get(credential, &state);
    return build_with(credential, &state, shard, datagram, extensions, ret_config);
}

/* With which kind are keys and trust tried? Streams, where they are allowed. */
static bool is_tried_with_datagrams(const struct osspi_schannel_credential *credential)
{
    return credential->config->suites == 0;
}

SECURITY_STATUS osspi_tls_credential_check(struct osspi_schannel_credential *credential)
{
    struct osspi_tls_config *config osspi_auto(unref_configp) = NULL;

    return osspi_tls_config_get(credential, osspi_shard_first(),
                                is_tried_with_datagrams(credential), &config);
}

/* Moves all configurations out. */
static void take_shards_locked(struct osspi_schannel_credential *credential,
                               struct osspi_tls_config *ret_taken[2 * OSSPI_MAX_SHARDS])
{
    abandon_parents_locked(credential);
    memcpy(ret_taken, credential->shards, sizeof(credential->shards));
    memcpy(ret_taken + OSSPI_MAX_SHARDS, credential->datagrams, sizeof(credential->datagrams));
    memset(credential->shards, 0, sizeof(credential->shards));
    memset(credential->datagrams, 0, sizeof(credential->datagrams));
}

static void unref_all(struct osspi_tls_config *configs[2 * OSSPI_MAX_SHARDS])
{
    for (uint32_t i = 0; i < 2 * OSSPI_MAX_SHARDS; i++)
        osspi_tls_config_unref(configs[i]);
}

static void forget_sessions(uint64_t id)
{
    osspi_session_forget_credential(id);
    osspi_session_forget_credential(id | OSSPI_DATAGRAM_SESSIONS);
    osspi_session_forget_credential(id | OSSPI_MESSAGE_SESSIONS);
}

SECURITY_STATUS osspi_tls_credential_change(struct osspi_schannel_credential *credential,
                                            struct osspi_credential_state *state)
{
    struct osspi_tls_config *made osspi_auto(unref_configp) = NULL;
    struct osspi_tls_config *dropped[2 * OSSPI_MAX_SHARDS];
    const uint32_t shard = osspi_shard_first();
    struct osspi_credential_state old;

    state->generation++;
    const bool datagram = is_tried_with_datagrams(credential);
    const SECURITY_STATUS status = build(credential, state, shard, datagram, &made);
    if (status != SEC_E_OK) {
        state->generation--;
        return status;
    }
    osspi_lock_acquire(&credential->lock);
    take_shards_locked(credential, dropped);
    old = credential->state;
    credential->state = *state;
    (datagram ? credential->datagrams : credential->shards)[shard] = OSSPI_TAKE(made);
    osspi_lock_release(&credential->lock);
    if (old.identities != state->identities)
        forget_sessions(old.identities->id);
    *state = old;
    unref_all(dropped);
    return SEC_E_OK;
}

void osspi_tls_credential_clear(struct osspi_schannel_credential *credential)
{
    struct osspi_tls_config *dropped[2 * OSSPI_MAX_SHARDS];
    struct osspi_credential_state old;

    osspi_lock_acquire(&credential->lock);
    take_shards_locked(credential, dropped);
    old = credential->state;
    credential->state = (struct osspi_credential_state){0};
    osspi_lock_release(&credential->lock);
    unref_all(dropped);
    if (old.identities != NULL)
        forget_sessions(old.identities->id);
    osspi_credential_state_clear(&old);
}
