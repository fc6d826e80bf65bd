/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Acquiring a Schannel credential: from the copy of the auth data (capture.h) to a configuration
 * that nothing changes any more, and a set of certificates that later calls may replace
 * (credential_change.c).
 *
 * Requests that cannot be honoured are refused, with the statuses that AcquireCredentialsHandle
 * has. Looking for a certificate by its hash reads files, so that goes on on the blocking lane.
 */
#include <opensspi.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cert/system_store.h"
#include "packages/schannel/capture.h"
#include "packages/schannel/context.h"
#include "packages/schannel/credential_change.h"
#include "packages/schannel/name.h"
#include "packages/schannel/sni.h"

#define DEFAULT_LIFESPAN_S 36000u

#define REVOCATION_CHECKS \
    (SCH_CRED_REVOCATION_CHECK_END_CERT | SCH_CRED_REVOCATION_CHECK_CHAIN | \
     SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT)

static _Atomic uint64_t last_id;

static void config_free(struct osspi_schannel_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->entry_count; i++)
        osspi_free(config->entries[i].protocols);
    osspi_free(config->entries);
    osspi_der_array_free(config->roots, config->root_count);
    osspi_free(config->principal);
    osspi_free(config);
}

static void config_freep(struct osspi_schannel_config **config)
{
    config_free(*config);
}

/* ---- flags ---- */

static SECURITY_STATUS check_flags(uint32_t flags)
{
    uint32_t checks = flags & REVOCATION_CHECKS;

    if ((flags & SCH_CRED_MANUAL_CRED_VALIDATION) && (flags & SCH_CRED_AUTO_CRED_VALIDATION))
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (checks & (checks - 1)) /* they exclude each other */
        return SEC_E_UNKNOWN_CREDENTIALS;
    return SEC_E_OK;
}

/* ---- certificates ---- */

SECURITY_STATUS osspi_principal_normalise(const char *principal, char **ret_name)
{
    char name[OSSPI_NAME_SIZE];
    bool is_ip;

    *ret_name = NULL;
    if (!principal || principal[0] == '\0')
        return SEC_E_OK;
    if (osspi_name_normalise(principal, name, &is_ip) != SEC_E_OK || is_ip)
        return SEC_E_UNKNOWN_CREDENTIALS; /* no client can ask for it by server name */
    *ret_name = osspi_strdup(name);
    return *ret_name ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

SECURITY_STATUS osspi_schannel_certificate(struct osspi_schannel_auth *auth, size_t index,
                                           PCCERT_CONTEXT *ret_context)
{
    const struct osspi_cert_hash *hash = &auth->hash;

    if (!hash->given) {
        *ret_context = OSSPI_TAKE(auth->certificates[index]);
        return SEC_E_OK;
    }
    return osspi_system_store_find(hash->machine, hash->store, hash->sha1, ret_context);
}

size_t osspi_schannel_certificate_count(const struct osspi_schannel_auth *auth)
{
    return auth->hash.given ? 1 : auth->certificate_count;
}

static SECURITY_STATUS make_set(struct osspi_schannel_auth *auth,
                                const struct osspi_schannel_config *config,
                                struct osspi_identity_set **ret_set)
{
    const size_t count = auth ? osspi_schannel_certificate_count(auth) : 0;
    struct osspi_identity_set *set osspi_auto(osspi_identity_set_unrefp) =
        osspi_identity_set_new(count, config->server, config->flags & SCH_SEND_ROOT_CERT);
    SECURITY_STATUS status = set ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;

    for (size_t i = 0; status == SEC_E_OK && i < count; i++) {
        PCCERT_CONTEXT context;

        status = osspi_schannel_certificate(auth, i, &context);
        if (status == SEC_E_OK)
            status = osspi_identity_set_add(set, context, config->principal, false);
    }
    if (status == SEC_E_OK)
        *ret_set = OSSPI_TAKE(set);
    return status;
}

/* ---- the configuration ---- */

static SECURITY_STATUS make_config(struct osspi_schannel_auth *auth, bool server,
                                   const char *principal, struct osspi_schannel_config **ret_config)
{
    struct osspi_schannel_config *config osspi_auto(config_freep) = osspi_alloc(sizeof(*config));
    SECURITY_STATUS status;

    if (!config)
        return SEC_E_INSUFFICIENT_MEMORY;
    config->server = server;
    config->session_lifespan_s = DEFAULT_LIFESPAN_S;
    status = auth ? check_flags(auth->flags) : SEC_E_OK;
    if (status == SEC_E_OK)
        status = osspi_schannel_apply_crypto(auth, config);
    if (status == SEC_E_OK && auth) {
        config->flags = auth->flags;
        /* Below a second would be none at all. */
        if (auth->lifespan_ms > 0)
            config->session_lifespan_s = auth->lifespan_ms < 1000 ? 1 : auth->lifespan_ms / 1000;
        config->roots = OSSPI_TAKE(auth->roots);
        config->root_count = auth->root_count;
        config->has_roots = auth->has_roots;
        /* Without the flag a principal means nothing to Schannel. */
        if (server && (auth->flags & SCH_CRED_SNI_CREDENTIAL))
            status = osspi_principal_normalise(principal, &config->principal);
    }
    if (status == SEC_E_OK)
        *ret_config = OSSPI_TAKE(config);
    return status;
}

/*
 * What a session may be resumed under, but for the certificates: every process that has the same
 * roots and policy gets the same value, so that ticket keys can be shared. The numbers stand in a
 * fixed order behind each other; each part has a fixed size, so no two lists look alike. That other
 * names are known (SNI) is no part of it.
 */
static SECURITY_STATUS make_session_context(struct osspi_schannel_credential *credential)
{
    const struct osspi_schannel_config *config = credential->config;
    uint64_t numbers[] = {config->server,         config->min_version, config->max_version,
                          config->flags,          config->suites,      config->disabled_groups,
                          config->root_count,     config->has_roots,   config->disabled_schemes,
                          config->datagram_suites};
    size_t len = sizeof(numbers) + 32 * config->root_count;
    uint8_t *bytes osspi_auto(osspi_freep) = osspi_alloc(len);
    uint8_t *at = bytes;
    SECURITY_STATUS status = SEC_E_OK;

    if (!bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(at, numbers, sizeof(numbers));
    at += sizeof(numbers);
    for (size_t i = 0; status == SEC_E_OK && i < config->root_count; i++, at += 32)
        status = osspi_tls_sha256(config->roots[i].bytes, config->roots[i].len, at);
    if (status == SEC_E_OK)
        status = osspi_tls_sha256(bytes, len, credential->session_context);
    return status;
}

void osspi_credential_expiry(const struct osspi_identity_set *set, TimeStamp *ret_expiry)
{
    if (set->not_after < INT64_MAX)
        ret_expiry->QuadPart = (LONGLONG)osspi_local_filetime_from_unix(set->not_after);
}

/* Opening a key in a device may take its time, and so may reading files: not on the CPU lane. Asked
 * before anything is taken out of the auth data. */
static bool has_to_wait(const struct osspi_schannel_auth *auth)
{
    if (auth && auth->hash.given)
        return true;
    for (size_t i = 0; auth && i < auth->certificate_count; i++) {
        if (auth->certificates[i] && osspi_certificate_token(auth->certificates[i]))
            return true;
    }
    return false;
}

/* Of streams and datagrams. */
static osspi_suite_set all_suites(const struct osspi_schannel_config *config)
{
    return config->suites | config->datagram_suites;
}

static SECURITY_STATUS leave_to_device(struct osspi_schannel_credential *own)
{
    own->blocking_class = own->state.identities->blocking_class;
    if (own->blocking_class && own->config->server) {
        own->config->suites = osspi_suites_for_device(own->config->suites);
        own->config->datagram_suites = osspi_suites_for_device(own->config->datagram_suites);
    }
    return all_suites(own->config) ? SEC_E_OK : SEC_E_ALGORITHM_MISMATCH;
}

SECURITY_STATUS osspi_schannel_acquire(struct osspi_credential *credential,
                                       struct osspi_acquire *args)
{
    struct osspi_schannel_credential *own = credential->data;
    struct osspi_schannel_auth *auth = args->auth;
    bool server = args->use == SECPKG_CRED_INBOUND;
    SECURITY_STATUS status;

    /* One credential is for one side; and who serves must say with what. */
    if (!server && args->use != SECPKG_CRED_OUTBOUND)
        return SEC_E_NO_CREDENTIALS;
    if (args->has_auth && !auth)
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (server && !auth)
        return SEC_E_NO_CREDENTIALS;
    if (args->lane == OSSPI_LANE_CPU && has_to_wait(auth)) {
        own->acquire_class = auth->hash.given ? "store" : OSSPI_TOKEN_CLASS;
        return OSSPI_WANT_BLOCKING;
    }
    status = make_config(auth, server, args->principal, &own->config);
    if (status == SEC_E_OK)
        status = make_set(auth, own->config, &own->state.identities);
    if (status == SEC_E_OK)
        status = leave_to_device(own);
    if (status != SEC_E_OK)
        return status;
    own->id = atomic_fetch_add(&last_id, 1) + 1;
    own->user = osspi_tls_user();
    status = make_session_context(own);
    if (status == SEC_E_OK)
        status = osspi_tls_credential_check(own);
    if (status != SEC_E_OK)
        return status;
    osspi_credential_expiry(own->state.identities, &args->expiry);
    if (server && (own->config->flags & SCH_CRED_SNI_CREDENTIAL))
        osspi_sni_add(own);
    return SEC_E_OK;
}

void osspi_schannel_clear_credential(struct osspi_credential *credential)
{
    struct osspi_schannel_credential *own = credential->data;

    osspi_sni_remove(own);
    if (own->config)
        osspi_tls_credential_clear(own);
    config_free(own->config);
    own->config = NULL;
}

/* ---- attributes ---- */

static SECURITY_STATUS supported_algorithms(const struct osspi_schannel_config *config,
                                            SecPkgCred_SupportedAlgs *algorithms)
{
    ALG_ID found[64 * 3];
    DWORD count = 0;

    for (size_t i = 0; i < osspi_suite_count(); i++) {
        const struct osspi_suite *suite = osspi_suite_at(i);
        const uint32_t ids[] = {suite->cipher_alg, suite->hash_alg, suite->exchange_alg};

        for (size_t j = 0; all_suites(config) >> i & 1 && j < OSSPI_COUNT_OF(ids); j++) {
            DWORD known = 0;

            while (known < count && found[known] != ids[j])
                known++;
            if (known == count && ids[j] != 0)
                found[count++] = ids[j];
        }
    }
    algorithms->palgSupportedAlgs = osspi_context_buffer_new(count * sizeof(found[0]));
    if (!algorithms->palgSupportedAlgs)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(algorithms->palgSupportedAlgs, found, count * sizeof(found[0]));
    algorithms->cSupportedAlgs = count;
    return SEC_E_OK;
}

static void cipher_strengths(const struct osspi_schannel_config *config,
                             SecPkgCred_CipherStrengths *strengths)
{
    *strengths = (SecPkgCred_CipherStrengths){.dwMinimumCipherStrength = UINT32_MAX};
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        DWORD bits = osspi_suite_at(i)->cipher_bits;

        if (!(all_suites(config) >> i & 1))
            continue;
        if (bits < strengths->dwMinimumCipherStrength)
            strengths->dwMinimumCipherStrength = bits;
        if (bits > strengths->dwMaximumCipherStrength)
            strengths->dwMaximumCipherStrength = bits;
    }
}

static DWORD protocol_bits(const struct osspi_schannel_config *config)
{
    /* The bits of the versions follow each other, a server's and a client's for each. */
    DWORD bits = config->datagram_suites ? SP_PROT_DTLS1_2_SERVER : 0;

    for (uint16_t version = config->min_version; config->suites && version <= config->max_version;
         version++)
        bits |= (DWORD)SP_PROT_TLS1_0_SERVER << (version - 0x0301) * 2;
    return config->server ? bits : bits << 1;
}

/* Of the first certificate, which is the one that is presented by default. */
static SECURITY_STATUS subject(struct osspi_schannel_credential *own,
                               SecPkgCredentials_NamesA *names)
{
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};

    osspi_credential_state_get(own, &state);
    if (state.identities->count == 0)
        return SEC_E_NO_CREDENTIALS;
    return osspi_attribute_name_of(&state.identities->items[0]->leaf, &names->sUserName);
}

static SECURITY_STATUS certificate(struct osspi_schannel_credential *own,
                                   SecPkgCredentials_Cert *given)
{
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};
    const struct osspi_der_view *leaf;

    osspi_credential_state_get(own, &state);
    if (state.identities->count == 0)
        return SEC_E_NO_CREDENTIALS;
    leaf = &state.identities->items[0]->leaf;
    given->EncodedCert = osspi_context_buffer_new(leaf->len);
    if (!given->EncodedCert)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(given->EncodedCert, leaf->bytes, leaf->len);
    given->EncodedCertSize = (ULONG)leaf->len;
    return SEC_E_OK;
}

static SECURITY_STATUS tls_options(struct osspi_schannel_credential *own, OsspiTlsOptions *options)
{
    struct osspi_credential_state state osspi_auto(osspi_credential_state_clear) = {0};

    osspi_credential_state_get(own, &state);
    *options = (OsspiTlsOptions){
        .cbSize = sizeof(*options),
        .flags = state.options.flags,
        .max_early_data = state.options.max_early_data,
        .max_renegotiations = state.options.max_renegotiations,
    };
    return SEC_E_OK;
}

SECURITY_STATUS osspi_schannel_query_credential(struct osspi_credential *credential,
                                                uint32_t attribute, void *buffer, size_t size)
{
    const struct osspi_schannel_credential *own = credential->data;
    const struct osspi_schannel_config *config = own->config;

    switch (attribute) {
    case SECPKG_ATTR_SUPPORTED_ALGS:
        if (size < sizeof(SecPkgCred_SupportedAlgs))
            return SEC_E_BUFFER_TOO_SMALL;
        return supported_algorithms(config, buffer);
    case SECPKG_ATTR_CIPHER_STRENGTHS:
        if (size < sizeof(SecPkgCred_CipherStrengths))
            return SEC_E_BUFFER_TOO_SMALL;
        cipher_strengths(config, buffer);
        return SEC_E_OK;
    case SECPKG_ATTR_SUPPORTED_PROTOCOLS:
        if (size < sizeof(SecPkgCred_SupportedProtocols))
            return SEC_E_BUFFER_TOO_SMALL;
        ((SecPkgCred_SupportedProtocols *)buffer)->grbitProtocol = protocol_bits(config);
        return SEC_E_OK;
    case OSSPI_CRED_ATTR_TLS_OPTIONS:
        if (size < sizeof(OsspiTlsOptions))
            return SEC_E_BUFFER_TOO_SMALL;
        return tls_options(credential->data, buffer);
    case SECPKG_CRED_ATTR_NAMES:
        if (size < sizeof(SecPkgCredentials_NamesA))
            return SEC_E_BUFFER_TOO_SMALL;
        return subject(credential->data, buffer);
    case SECPKG_CRED_ATTR_CERT:
        if (size < sizeof(SecPkgCredentials_Cert))
            return SEC_E_BUFFER_TOO_SMALL;
        return certificate(credential->data, buffer);
    default:
        return SEC_E_UNSUPPORTED_FUNCTION;
    }
}
