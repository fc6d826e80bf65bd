/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Changes to a credential in use; see credential_change.h.
 *
 * A change is prepared from a copy of the credential's state under change_lock, tried by building
 * a configuration with it, and then exchanged in one step. Who made a connection before, goes on
 * with the old objects; the last one lets go of them.
 */
#include "packages/schannel/credential_change.h"

#include <opensspi.h>
#include <string.h>

#include "base/cancel.h"
#include "base/memory.h"
#include "packages/schannel/context.h"
#include "packages/schannel/ticket.h"

/* ---- certificates ---- */

/* What a change of certificates is made of. */
struct replacement {
    struct osspi_identity_set *set;
    const char *principal;            /* of the new ones, or NULL */
    bool added;                       /* they come by AddCredentials */
    struct osspi_schannel_auth *auth; /* where they are, or in the two below */
    const PCCERT_CONTEXT *certificates;
    size_t count;
    bool placed;
};

static SECURITY_STATUS place(struct replacement *new)
{
    SECURITY_STATUS status = SEC_E_OK;

    new->placed = true;
    for (size_t i = 0; status == SEC_E_OK && i < new->count; i++) {
        PCCERT_CONTEXT context;

        if (new->auth)
            status = osspi_schannel_certificate(new->auth, i, &context);
        else
            context = CertDuplicateCertificateContext(new->certificates[i]);
        if (status == SEC_E_OK)
            status = osspi_identity_set_add(new->set, context, new->principal,
                                            new->added &&new->principal);
    }
    return status;
}

/* By AddCredentials: those of the same name. By a renewal: those that nobody has named. */
static bool is_replaced(const struct replacement *new, const struct osspi_identity *old)
{
    if (!new->added)
        return !old->added;
    return new->principal && old->principal &&strcmp(new->principal, old->principal) == 0;
}

/* The new ones stand where the first of those stood that they replace, else at the end. */
static SECURITY_STATUS fill(struct replacement *new, const struct osspi_identity_set *old)
{
    SECURITY_STATUS status = SEC_E_OK;

    for (size_t i = 0; status == SEC_E_OK && i < old->count; i++) {
        if (!is_replaced(new, old->items[i]))
            status = osspi_identity_set_keep(new->set, old->items[i]);
        else if (!new->placed)
            status = place(new);
    }
    return status == SEC_E_OK && !new->placed ? place(new) : status;
}

static SECURITY_STATUS replace(struct osspi_schannel_credential *own, struct replacement *new,
                               TimeStamp *ret_expiry)
{
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};
    SECURITY_STATUS status;

    OSSPI_UNCANCELLED; /* files may be read under the lock */
    OSSPI_LOCKED(&own->change_lock);
    osspi_credential_state_get(own, &state);
    new->set = osspi_identity_set_new(state.identities->count + new->count, own->config->server,
                                      state.identities->send_root);
    if (!new->set)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = fill(new, state.identities);
    osspi_identity_set_unref(state.identities);
    state.identities = new->set;
    if (status == SEC_E_OK)
        status = osspi_tls_credential_change(own, &state);
    if (status != SEC_E_OK)
        return status;
    /* The new set is the credential's now: nothing but a change, which waits, could end it. */
    own->blocking_class = new->set->blocking_class;
    if (ret_expiry)
        osspi_credential_expiry(new->set, ret_expiry);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_schannel_add(struct osspi_credential *credential, struct osspi_acquire *args)
{
    struct osspi_schannel_credential *own = credential->data;
    struct osspi_schannel_auth *auth = args->auth;
    struct replacement new = {.added = true, .auth = auth};
    char *principal osspi_auto(osspi_freep) = NULL;
    SECURITY_STATUS status;

    if (args->use != credential->use)
        return SEC_E_NO_CREDENTIALS;
    if (args->has_auth && !auth)
        return SEC_E_UNKNOWN_CREDENTIALS;
    new.count = auth ? osspi_schannel_certificate_count(auth) : 0;
    if (new.count == 0)
        return SEC_E_NO_CREDENTIALS;
    if (auth->hash.given && args->lane != OSSPI_LANE_BLOCKING)
        return OSSPI_WANT_BLOCKING;
    if (own->config->server) {
        status = osspi_principal_normalise(args->principal, &principal);
        if (status != SEC_E_OK)
            return status;
        new.principal = principal;
    }
    return replace(own, &new, &args->expiry);
}

SECURITY_STATUS osspi_schannel_renew(struct osspi_credential *credential,
                                     const PCCERT_CONTEXT *certificates, size_t count,
                                     TimeStamp *ret_expiry)
{
    struct osspi_schannel_credential *own = credential->data;
    struct replacement new = {
        .principal = own->config->principal, .certificates = certificates, .count = count};

    return replace(own, &new, ret_expiry);
}

/* ---- attributes ---- */

static SECURITY_STATUS set_tickets(struct osspi_schannel_credential *own,
                                   const SecPkgCred_SessionTicketKeys *keys)
{
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};
    struct osspi_ticket_ring *ring;
    SECURITY_STATUS status = osspi_ticket_ring_new(keys, &ring);

    if (status != SEC_E_OK)
        return status;
    OSSPI_UNCANCELLED;
    OSSPI_LOCKED(&own->change_lock);
    osspi_credential_state_get(own, &state);
    osspi_ticket_ring_unref(state.tickets);
    state.tickets = ring;
    return osspi_tls_credential_change(own, &state);
}

#define ALL_REVOCATION_FLAGS \
    (SCH_CRED_REVOCATION_CHECK_END_CERT | SCH_CRED_REVOCATION_CHECK_CHAIN | \
     SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT | SCH_CRED_REVOCATION_CHECK_CACHE_ONLY | \
     SCH_CRED_CACHE_ONLY_URL_RETRIEVAL)
#define REQUEST_FLAGS (OSSPI_CLIENT_CERT_REQUEST | OSSPI_CLIENT_CERT_REQUIRE)

static const struct {
    DWORD chain, credential;
} revocation[] = {
    {CERT_CHAIN_REVOCATION_CHECK_END_CERT, SCH_CRED_REVOCATION_CHECK_END_CERT},
    {CERT_CHAIN_REVOCATION_CHECK_CHAIN, SCH_CRED_REVOCATION_CHECK_CHAIN},
    {CERT_CHAIN_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT, SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT},
    {CERT_CHAIN_REVOCATION_CHECK_CACHE_ONLY, SCH_CRED_REVOCATION_CHECK_CACHE_ONLY},
    {CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL, SCH_CRED_CACHE_ONLY_URL_RETRIEVAL},
};

/* What cannot be put into effect is refused, so that nobody relies on it. */
static SECURITY_STATUS read_policy(const SecPkgCred_ClientCertPolicy *from,
                                   struct osspi_client_policy *to)
{
    if (from->fCheckRevocationFreshnessTime || from->pwszSslCtlStoreName ||
        from->pwszSslCtlIdentifier || (from->dwFlags & ~REQUEST_FLAGS))
        return SEC_E_UNSUPPORTED_FUNCTION;
    *to = (struct osspi_client_policy){
        .request = (from->dwFlags & REQUEST_FLAGS) != 0,
        .require = (from->dwFlags & OSSPI_CLIENT_CERT_REQUIRE) != 0,
        .omit_usage = from->fOmitUsageCheck != 0,
        .flags_off = ALL_REVOCATION_FLAGS,
    };
    for (size_t i = 0; i < OSSPI_COUNT_OF(revocation); i++) {
        if (from->dwCertFlags & revocation[i].chain)
            to->flags_on |= revocation[i].credential;
    }
    return SEC_E_OK;
}

static SECURITY_STATUS set_policy(struct osspi_schannel_credential *own,
                                  const SecPkgCred_ClientCertPolicy *policy)
{
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};
    struct osspi_client_policy read;
    SECURITY_STATUS status = read_policy(policy, &read);

    if (status != SEC_E_OK)
        return status;
    OSSPI_UNCANCELLED;
    OSSPI_LOCKED(&own->change_lock);
    osspi_credential_state_get(own, &state);
    state.policy = read;
    return osspi_tls_credential_change(own, &state);
}

#define TLS_OPTIONS            (OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH | OSSPI_TLS_EARLY_DATA)
#define EARLY_DATA_MAX         16384u
#define RENEGOTIATIONS_DEFAULT 8u

static SECURITY_STATUS set_options(struct osspi_schannel_credential *own,
                                   const OsspiTlsOptions *options)
{
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};

    if (options->cbSize != sizeof(*options) || (options->flags & ~TLS_OPTIONS) ||
        options->max_early_data > EARLY_DATA_MAX)
        return SEC_E_INVALID_PARAMETER;
    OSSPI_UNCANCELLED;
    OSSPI_LOCKED(&own->change_lock);
    osspi_credential_state_get(own, &state);
    state.options = (struct osspi_tls_options){
        .flags = options->flags,
        .max_early_data = options->max_early_data > 0 ? options->max_early_data : EARLY_DATA_MAX,
        .max_renegotiations =
            options->max_renegotiations > 0 ? options->max_renegotiations : RENEGOTIATIONS_DEFAULT,
    };
    return osspi_tls_credential_change(own, &state);
}

SECURITY_STATUS osspi_schannel_set_credential(struct osspi_credential *credential,
                                              uint32_t attribute, const void *buffer, size_t size)
{
    struct osspi_schannel_credential *own = credential->data;

    (void)size; /* checked by src/api: each structure has one size */
    if (attribute == OSSPI_CRED_ATTR_TLS_OPTIONS)
        return set_options(own, buffer);
    if (!own->config->server)
        return SEC_E_UNSUPPORTED_FUNCTION;
    switch (attribute) {
    case SECPKG_ATTR_SESSION_TICKET_KEYS:
        return set_tickets(own, buffer);
    case SECPKG_ATTR_CLIENT_CERT_POLICY:
        return set_policy(own, buffer);
    default:
        return SEC_E_UNSUPPORTED_FUNCTION;
    }
}
