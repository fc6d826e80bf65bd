/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The certificate that a client shows when it is asked (RFC 8446, 4.4.2.3; RFC 5246, 7.4.6). In
 * this order:
 *
 *   1. one of the credential: the first whose key the server can check and whose issuer it names;
 *      if there is none, the first whose key it can check. The application has chosen it, so the
 *      server's list is advice.
 *   2. a default one, if the credential has none and nobody forbids it: of the certificates in "MY"
 *      that are valid now, are for clients, have a key that the server can check and an issuer that
 *      it names, the one that is valid the longest. Looking costs file accesses, in a home
 * directory that may lie on a network: that is for the blocking lane.
 *   3. none: the caller is told once (SEC_I_INCOMPLETE_CREDENTIALS), may bring another credential,
 *      and then the handshake goes on, without a certificate if it must.
 *
 * Runs inside the handshake, on the thread that works on the connection, when OpenSSL has read the
 * CertificateRequest. In TLS 1.3 that is before it has seen the server's certificate; but nothing
 * of the choice leaves before that one has been verified.
 */
#include "packages/schannel/client_cert.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/fsuid.h>

#include "base/memory.h"
#include "cert/system_store.h"
#include "packages/schannel/tls_callbacks.h"

#define STORE_CLASS "store"

enum { FAILED = 0, GO_ON = 1, SUSPEND = -1 };

/* ---- the server's wishes ---- */

bool osspi_client_cert_note_issuers(struct osspi_tls *tls, const STACK_OF(X509_NAME) * names)
{
    const int count = names == NULL ? 0 : sk_X509_NAME_num(names);
    struct osspi_der_view *views osspi_auto(osspi_freep) = NULL;

    if (tls->issuers_known)
        return true;
    views = osspi_alloc_array((size_t)count, sizeof(*views));
    if (views == NULL)
        return false;
    for (int i = 0; i < count; i++) {
        if (X509_NAME_get0_der(sk_X509_NAME_value(names, i), &views[i].bytes, &views[i].len) != 1)
            return false;
    }
    tls->issuers = osspi_ders_share(views, (size_t)count);
    tls->issuers_known = tls->issuers != NULL;
    return tls->issuers_known;
}

/* ---- what fits ---- */

/* Can the server check a signature of this key; does it name an issuer of the chain (or nobody)? */
static bool is_usable(SSL *ssl, const struct osspi_material *material, bool *ret_named)
{
    const int found = SSL_check_chain(ssl, material->leaf, material->key, material->chain);
    const int needed = CERT_PKEY_SIGN | (SSL_version(ssl) == TLS1_3_VERSION ? CERT_PKEY_EE_SIGNATURE
                                                                            : CERT_PKEY_CERT_TYPE);

    ERR_clear_error();
    *ret_named = (found & CERT_PKEY_ISSUER_NAME) != 0;
    return (found & needed) == needed;
}

static int present(struct osspi_tls *tls, const struct osspi_material *material)
{
    SSL_certs_clear(tls->ssl);
    if (SSL_use_cert_and_key(tls->ssl, material->leaf, material->key, material->chain, 1) != 1)
        return FAILED;
    tls->presented = material;
    return GO_ON;
}

/* ---- of the credential ---- */

static const struct osspi_material *pick_supplied(struct osspi_tls *tls)
{
    const struct osspi_tls_config *from = tls->supplied != NULL ? tls->supplied : tls->config;
    const struct osspi_material *usable = NULL;

    for (size_t i = 0; i < from->materials->count; i++) {
        bool named;
        if (!is_usable(tls->ssl, from->materials->items[i], &named))
            continue;
        if (named)
            return from->materials->items[i];
        if (usable == NULL)
            usable = from->materials->items[i];
    }
    return usable;
}

static size_t supplied_count(const struct osspi_tls *tls)
{
    return (tls->supplied != NULL ? tls->supplied : tls->config)->materials->count;
}

/* ---- by default ---- */

uint32_t osspi_tls_user(void)
{
    return (uint32_t)setfsuid((uid_t)-1);
}

/* A default certificate is the user's. It is given to a leg only that runs as the user for whom the
 * credential was acquired (where the kernel does not tell: to none). */
static bool may_use_default(const struct osspi_tls *tls)
{
    return tls->default_credentials && supplied_count(tls) == 0 && tls->user != UINT32_MAX &&
           osspi_tls_user() == tls->user;
}

static bool is_for_clients_now(const X509 *certificate)
{
    /* X509_check_purpose() caches what it reads in the certificate, which is ours alone. */
    return X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
           X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 &&
           X509_check_purpose((X509 *)certificate, X509_PURPOSE_SSL_CLIENT, 0) == 1;
}

/* SEC_E_OK: parsed, and it fits. */
static SECURITY_STATUS load_candidate(struct osspi_tls *tls, PCCERT_CONTEXT context,
                                      struct osspi_material *ret_material)
{
    struct osspi_identity identity = {
        .context = context,
        .leaf = osspi_certificate_der(context),
        .key = osspi_certificate_key(context),
    };
    struct osspi_material material osspi_auto(osspi_material_clear) = {0};
    bool named;

    identity.chain_count = osspi_certificate_chain(context, identity.chain, OSSPI_MAX_CHAIN);
    if (identity.chain_count > OSSPI_MAX_CHAIN)
        return SEC_E_UNKNOWN_CREDENTIALS;
    const SECURITY_STATUS status =
        osspi_material_load(tls->config->shard, &identity, false, &material);
    if (status != SEC_E_OK)
        return status;
    if (!is_for_clients_now(material.leaf) || !is_usable(tls->ssl, &material, &named) || !named)
        return SEC_E_NO_CREDENTIALS;
    *ret_material = material;
    material = (struct osspi_material){0};
    return SEC_E_OK;
}

/* Leaves the best of them in tls->own. */
static SECURITY_STATUS search(struct osspi_tls *tls, PCCERT_CONTEXT *contexts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct osspi_material found osspi_auto(osspi_material_clear) = {0};
        const SECURITY_STATUS status = load_candidate(tls, contexts[i], &found);

        if (status == SEC_E_INSUFFICIENT_MEMORY)
            return status;
        if (status != SEC_E_OK || (tls->own.leaf != NULL && osspi_tls_not_after(tls->own.leaf) >=
                                                                osspi_tls_not_after(found.leaf)))
            continue;
        osspi_material_clear(&tls->own);
        tls->own = found;
        found = (struct osspi_material){0};
    }
    return tls->own.leaf != NULL ? SEC_E_OK : SEC_E_NO_CREDENTIALS;
}

static SECURITY_STATUS pick_default(struct osspi_tls *tls)
{
    PCCERT_CONTEXT *contexts = NULL;
    size_t count = 0;
    SECURITY_STATUS status = osspi_system_store_own(&contexts, &count);

    if (status != SEC_E_OK)
        return status;
    status = search(tls, contexts, count);
    osspi_system_store_free(contexts, count);
    return status;
}

/* ---- the choice ---- */

int osspi_client_cert_choose(SSL *ssl, void *argument)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);
    const struct osspi_material *supplied;
    (void)argument;

    if (!osspi_client_cert_note_issuers(tls, SSL_get0_peer_CA_list(ssl))) {
        tls->no_memory = true;
        return FAILED;
    }
    supplied = pick_supplied(tls);
    if (supplied != NULL)
        return present(tls, supplied);
    if (may_use_default(tls)) {
        if (!osspi_tls_may_block(tls)) {
            osspi_tls_want_blocking(tls, STORE_CLASS);
            return SUSPEND;
        }
        const SECURITY_STATUS status = pick_default(tls);
        tls->no_memory = status == SEC_E_INSUFFICIENT_MEMORY;
        if (status == SEC_E_OK || tls->no_memory)
            return tls->no_memory ? FAILED : present(tls, &tls->own);
    }
    if (!tls->told_incomplete) {
        tls->wants_credentials = true;
        return SUSPEND;
    }
    SSL_certs_clear(ssl);
    return GO_ON;
}

SECURITY_STATUS osspi_tls_supply(struct osspi_tls *tls,
                                 struct osspi_schannel_credential *credential,
                                 bool default_credentials)
{
    struct osspi_tls_config *config = NULL;

    if (tls->epoch != osspi_fork_epoch())
        return SEC_E_CONTEXT_EXPIRED;
    tls->told_incomplete = true;
    tls->default_credentials = default_credentials;
    if (credential == NULL)
        return SEC_E_OK;
    if (credential->config == NULL || credential->config->server)
        return SEC_E_NO_CREDENTIALS;
    const uint64_t kind = tls->session_owner & (OSSPI_DATAGRAM_SESSIONS | OSSPI_MESSAGE_SESSIONS);
    if ((osspi_credential_sessions(credential) | kind) == tls->session_owner)
        return SEC_E_OK;
    OSSPI_IN_SHARD(tls->config->shard);
    const SECURITY_STATUS status =
        osspi_tls_config_get(credential, tls->config->shard->index, tls->datagram, &config);
    if (status != SEC_E_OK)
        return status;
    osspi_tls_config_unref(tls->supplied);
    tls->supplied = config;
    if (!tls->later) /* then the session is there already, under the credential that made it */
        tls->session_owner = config->credential_id | kind;
    tls->user = credential->user;
    return SEC_E_OK;
}

bool osspi_tls_take_issuers(struct osspi_tls *tls, struct osspi_ders **ret_names)
{
    /* A server that finds no memory for it tries again after the next step. */
    if (tls->server && tls->asked_for_certificate)
        (void)osspi_client_cert_note_issuers(tls, SSL_get0_CA_list(tls->ssl));
    if (!tls->issuers_known || tls->issuers_taken)
        return false;
    tls->issuers_taken = true;
    *ret_names = OSSPI_TAKE(tls->issuers);
    return true;
}
