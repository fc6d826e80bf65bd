/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Acquiring a Schannel credential: from the copy of the auth data (capture.h) to a configuration
 * that nothing changes any more.
 *
 * Requests that cannot be honoured are refused, with the statuses that AcquireCredentialsHandle
 * has. Certificates named by hash: there is no store of them yet, so none is found
 * (SEC_E_NO_CREDENTIALS). Deferred validation is taken as immediate validation, which is stricter.
 * Revocation checks look at the lists that lie in the trust store, never at the network; where a
 * list is missing, the connection fails unless the IGNORE flags say otherwise.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "packages/schannel/capture.h"
#include "packages/schannel/context.h"

#define DEFAULT_LIFESPAN_S 36000u
#define FILETIME_PER_S     INT64_C(10000000)
#define FILETIME_TO_UNIX_S INT64_C(11644473600)

#define REVOCATION_CHECKS \
    (SCH_CRED_REVOCATION_CHECK_END_CERT | SCH_CRED_REVOCATION_CHECK_CHAIN | \
     SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT)

static _Atomic uint64_t last_id;

static void config_free(struct osspi_schannel_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->identity_count; i++) {
        if (config->identities[i].context)
            CertFreeCertificateContext(config->identities[i].context);
    }
    osspi_free(config->identities);
    osspi_der_array_free(config->roots, config->root_count);
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
    if (flags & SCH_USE_PRESHAREDKEY_ONLY)
        return SEC_E_UNKNOWN_CREDENTIALS;
    return SEC_E_OK;
}

/* ---- identities ---- */

static int64_t unix_from_filetime(const FILETIME *time)
{
    uint64_t ticks = (uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime;

    return (int64_t)(ticks / (uint64_t)FILETIME_PER_S) - FILETIME_TO_UNIX_S;
}

/* Takes the reference over. */
static SECURITY_STATUS set_identity(struct osspi_identity *identity, PCCERT_CONTEXT context)
{
    identity->context = context;
    identity->leaf = osspi_certificate_der(context);
    identity->key = osspi_certificate_key(context);
    if (identity->key.len == 0)
        return SEC_E_NO_CREDENTIALS;
    identity->chain_count = osspi_certificate_chain(context, identity->chain, OSSPI_MAX_CHAIN);
    if (identity->chain_count > OSSPI_MAX_CHAIN)
        return SEC_E_UNKNOWN_CREDENTIALS;
    return SEC_E_OK;
}

static SECURITY_STATUS take_identities(struct osspi_schannel_auth *auth,
                                       struct osspi_schannel_config *config)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (auth->by_hash)
        return SEC_E_NO_CREDENTIALS;
    config->identities = osspi_alloc_array(auth->certificate_count, sizeof(*config->identities));
    if (!config->identities)
        return SEC_E_INSUFFICIENT_MEMORY;
    config->identity_count = auth->certificate_count;
    for (size_t i = 0; status == SEC_E_OK && i < config->identity_count; i++)
        status = set_identity(&config->identities[i], OSSPI_TAKE(auth->certificates[i]));
    if (status == SEC_E_OK && config->identity_count > 0)
        config->not_after = unix_from_filetime(&config->identities[0].context->pCertInfo->NotAfter);
    return status;
}

/* ---- the configuration ---- */

static SECURITY_STATUS make_config(struct osspi_schannel_auth *auth, bool server,
                                   struct osspi_schannel_config **ret_config)
{
    struct osspi_schannel_config *config osspi_auto(config_freep) = osspi_alloc(sizeof(*config));
    SECURITY_STATUS status;

    if (!config)
        return SEC_E_INSUFFICIENT_MEMORY;
    config->server = server;
    config->not_after = INT64_MAX;
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
        status = take_identities(auth, config);
    }
    if (status == SEC_E_OK)
        *ret_config = OSSPI_TAKE(config);
    return status;
}

/*
 * What a session may be resumed under: every process that holds the same identities, roots and
 * policy gets the same value, so that ticket keys can be shared. The numbers stand in a fixed
 * order behind each other; each part has a fixed size, so no two lists look alike.
 */
static SECURITY_STATUS make_session_context(struct osspi_schannel_credential *credential)
{
    const struct osspi_schannel_config *config = credential->config;
    uint64_t numbers[] = {config->server,         config->min_version, config->max_version,
                          config->flags,          config->suites,      config->disabled_groups,
                          config->identity_count, config->root_count,  config->has_roots};
    size_t len = sizeof(numbers) + 32 * (config->identity_count + config->root_count);
    uint8_t *bytes osspi_auto(osspi_freep) = osspi_alloc(len);
    uint8_t *at = bytes;
    SECURITY_STATUS status = SEC_E_OK;

    if (!bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(at, numbers, sizeof(numbers));
    at += sizeof(numbers);
    for (size_t i = 0; i < config->identity_count; i++, at += 32)
        osspi_certificate_fingerprint(config->identities[i].context, at);
    for (size_t i = 0; status == SEC_E_OK && i < config->root_count; i++, at += 32)
        status = osspi_tls_sha256(config->roots[i].bytes, config->roots[i].len, at);
    if (status == SEC_E_OK)
        status = osspi_tls_sha256(bytes, len, credential->session_context);
    return status;
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
    status = make_config(auth, server, &own->config);
    if (status != SEC_E_OK)
        return status;
    own->id = atomic_fetch_add(&last_id, 1) + 1;
    status = make_session_context(own);
    if (status == SEC_E_OK)
        status = osspi_tls_credential_check(own);
    if (status == SEC_E_OK && own->config->not_after < INT64_MAX)
        args->expiry.QuadPart = (LONGLONG)osspi_local_filetime_from_unix(own->config->not_after);
    return status;
}

void osspi_schannel_clear_credential(struct osspi_credential *credential)
{
    struct osspi_schannel_credential *own = credential->data;

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

        for (size_t j = 0; config->suites >> i & 1 && j < OSSPI_COUNT_OF(ids); j++) {
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

        if (!(config->suites >> i & 1))
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
    DWORD bits = 0;

    for (uint16_t version = config->min_version; version <= config->max_version; version++)
        bits |= (DWORD)SP_PROT_TLS1_0_SERVER << (version - 0x0301) * 2;
    return config->server ? bits : bits << 1;
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
    case SECPKG_CRED_ATTR_NAMES:
        if (config->identity_count == 0)
            return SEC_E_NO_CREDENTIALS;
        return SEC_E_UNSUPPORTED_FUNCTION;
    default:
        return SEC_E_UNSUPPORTED_FUNCTION;
    }
}
