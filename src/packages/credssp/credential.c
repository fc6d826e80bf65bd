/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Acquiring a CredSSP credential; see credential.h.
 *
 * The two halves of a CREDSSP_CRED are copied and judged by the packages that they are for. Which
 * halves a Type may have is told by the table below. Acquire may be entered twice (package.h): what
 * was ready the first time stays.
 */
#include "packages/credssp/credential.h"

#include <credssp.h>
#include <opensspi.h>

#include "base/memory.h"
#include "core/auth_identity.h"
#include "packages/registry.h"

/* The copy of a CREDSSP_CRED. */
struct auth {
    int type;
    void *tls, *nego; /* the packages' own copies; NULL: that half is not given */
    bool has_tls, has_nego;
    SEC_WINNT_AUTH_IDENTITY_EX2 *identity;
};

enum half { NEVER, MAYBE, ALWAYS };

/* What MS' page of CREDSSP_SUBMIT_TYPE says, as halves. */
static const struct {
    int type;
    enum half tls, nego;
    bool server; /* may a server give it? */
} types[] = {
    {CredsspPasswordCreds, NEVER, MAYBE, true},
    {CredsspSchannelCreds, ALWAYS, NEVER, true},
    {CredsspCertificateCreds, NEVER, ALWAYS, false},
    {CredsspSubmitBufferBoth, ALWAYS, MAYBE, true},
    {CredsspSubmitBufferBothOld, ALWAYS, MAYBE, false},
};

extern const struct osspi_package osspi_schannel_package;  /* packages/schannel */
extern const struct osspi_package osspi_negotiate_package; /* packages/gssapi */

const struct osspi_package *osspi_credssp_tls(void)
{
    return &osspi_schannel_package;
}

const struct osspi_package *osspi_credssp_nego(void)
{
    return &osspi_negotiate_package;
}

/* ---- the copy ---- */

static bool allows(enum half half, bool given)
{
    return half == MAYBE || (half == ALWAYS) == given;
}

static bool is_known(const CREDSSP_CRED *cred)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(types); i++) {
        if (types[i].type == (int)cred->Type)
            return allows(types[i].tls, cred->pSchannelCred != NULL) &&
                   allows(types[i].nego, cred->pSpnegoCred != NULL);
    }
    return false;
}

static bool is_for_server(int type)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(types); i++) {
        if (types[i].type == type)
            return types[i].server;
    }
    return false;
}

void osspi_credssp_capture_free(void *captured)
{
    struct auth *auth = captured;

    if (!auth)
        return;
    osspi_credssp_tls()->release_auth(auth->tls);
    osspi_credssp_nego()->release_auth(auth->nego);
    (void)osspi_context_buffer_free(auth->identity);
    osspi_free(auth);
}

static SECURITY_STATUS copy_halves(const CREDSSP_CRED *cred, bool wide, struct auth *auth)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (auth->has_tls)
        status = osspi_credssp_tls()->capture_auth(cred->pSchannelCred, wide, &auth->tls);
    if (status == SEC_E_OK && auth->has_nego)
        status = osspi_credssp_nego()->capture_auth(cred->pSpnegoCred, wide, &auth->nego);
    if (status == SEC_E_OK && auth->has_nego)
        status = osspi_auth_copy(cred->pSpnegoCred, SIZE_MAX, &auth->identity);
    return status == SEC_E_INVALID_PARAMETER ? SEC_E_UNKNOWN_CREDENTIALS : status;
}

SECURITY_STATUS osspi_credssp_capture(const void *given, bool encoding_wide, void **ret_captured)
{
    const CREDSSP_CRED *cred = given;
    struct auth *auth;
    SECURITY_STATUS status;

    if (!is_known(cred))
        return SEC_E_UNKNOWN_CREDENTIALS;
    auth = osspi_alloc(sizeof(*auth));
    if (!auth)
        return SEC_E_INSUFFICIENT_MEMORY;
    auth->type = (int)cred->Type;
    auth->has_tls = cred->pSchannelCred != NULL;
    auth->has_nego = cred->pSpnegoCred != NULL;
    status = copy_halves(cred, encoding_wide, auth);
    if (status != SEC_E_OK) {
        osspi_credssp_capture_free(auth);
        return status;
    }
    *ret_captured = auth;
    return SEC_E_OK;
}

/* ---- acquiring ---- */

/* One half: the package's own acquire, on a credential that only we know. */
static SECURITY_STATUS acquire_half(const struct osspi_package *package,
                                    struct osspi_credential **credential, bool *ready,
                                    struct osspi_acquire *args)
{
    SECURITY_STATUS status;

    if (*ready)
        return SEC_E_OK;
    if (!*credential)
        *credential =
            osspi_credential_new(osspi_package_class(package), args->use & SECPKG_CRED_BOTH);
    if (!*credential)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = package->acquire(*credential, args);
    *ready = status == SEC_E_OK;
    return status;
}

static SECURITY_STATUS acquire_tls(struct osspi_credssp_credential *data, struct auth *auth,
                                   struct osspi_acquire *args)
{
    struct osspi_acquire own = *args;
    SECURITY_STATUS status;

    own.principal = NULL; /* names a service, not a certificate */
    own.use = args->use & SECPKG_CRED_BOTH;
    own.logon_id = NULL;
    own.auth = auth ? auth->tls : NULL;
    own.has_auth = auth && auth->has_tls;
    own.get_key = NULL;
    status = acquire_half(osspi_credssp_tls(), &data->tls, &data->tls_ready, &own);
    if (auth)
        auth->tls = own.auth;
    if (own.expiry.QuadPart < args->expiry.QuadPart)
        args->expiry = own.expiry;
    return status;
}

static SECURITY_STATUS acquire_nego(struct osspi_credssp_credential *data, struct auth *auth,
                                    struct osspi_acquire *args)
{
    struct osspi_acquire own = *args;
    SECURITY_STATUS status;

    own.auth = auth ? auth->nego : NULL;
    own.has_auth = auth && auth->has_nego;
    status = acquire_half(osspi_credssp_nego(), &data->nego, &data->nego_ready, &own);
    if (auth)
        auth->nego = own.auth;
    if (own.expiry.QuadPart < args->expiry.QuadPart)
        args->expiry = own.expiry;
    return status;
}

SECURITY_STATUS osspi_credssp_acquire(struct osspi_credential *credential,
                                      struct osspi_acquire *args)
{
    struct osspi_credssp_credential *data = osspi_credssp_credential(credential);
    struct auth *auth = args->auth;
    SECURITY_STATUS status;

    if (auth && args->use & SECPKG_CRED_INBOUND && !is_for_server(auth->type))
        return SEC_E_UNKNOWN_CREDENTIALS;
    atomic_store_explicit(&data->min_version, OSSPI_CREDSSP_STRICT, memory_order_relaxed);
    atomic_store_explicit(&data->max_version, OSSPI_CREDSSP_NEWEST, memory_order_relaxed);
    status = acquire_tls(data, auth, args);
    if (status == SEC_E_OK)
        status = acquire_nego(data, auth, args);
    if (status == SEC_E_OK && auth && args->use & SECPKG_CRED_OUTBOUND)
        data->identity = OSSPI_TAKE(auth->identity);
    return status;
}

void osspi_credssp_clear_credential(struct osspi_credential *credential)
{
    struct osspi_credssp_credential *data = osspi_credssp_credential(credential);

    if (data->tls)
        osspi_credential_discard(data->tls);
    if (data->nego)
        osspi_credential_discard(data->nego);
    (void)osspi_context_buffer_free(data->identity);
}

/* ---- attributes ---- */

static SECURITY_STATUS get_options(const struct osspi_credssp_credential *data, void *buffer,
                                   size_t size)
{
    OsspiCredSspOptions *options = buffer;

    if (size < sizeof(*options))
        return SEC_E_BUFFER_TOO_SMALL;
    *options = (OsspiCredSspOptions){
        .cbSize = sizeof(*options),
        .flags = atomic_load_explicit(&data->options, memory_order_relaxed),
        .min_version = atomic_load_explicit(&data->min_version, memory_order_relaxed),
        .max_version = atomic_load_explicit(&data->max_version, memory_order_relaxed),
    };
    return SEC_E_OK;
}

/* Names are the user's; the rest is TLS's. */
SECURITY_STATUS osspi_credssp_query_credential(struct osspi_credential *credential,
                                               uint32_t attribute, void *buffer, size_t size)
{
    const struct osspi_credssp_credential *data = osspi_credssp_credential(credential);

    if (attribute == OSSPI_CRED_ATTR_CREDSSP_OPTIONS)
        return get_options(data, buffer, size);
    if (attribute == SECPKG_CRED_ATTR_NAMES)
        return osspi_credssp_nego()->query_credential(data->nego, attribute, buffer, size);
    return osspi_credssp_tls()->query_credential(data->tls, attribute, buffer, size);
}

SECURITY_STATUS osspi_credssp_set_credential(struct osspi_credential *credential,
                                             uint32_t attribute, const void *buffer, size_t size)
{
    struct osspi_credssp_credential *data = osspi_credssp_credential(credential);
    const OsspiCredSspOptions *options = buffer;
    uint32_t min, max;

    if (attribute != OSSPI_CRED_ATTR_CREDSSP_OPTIONS)
        return osspi_credssp_tls()->set_credential(data->tls, attribute, buffer, size);
    if (size < sizeof(*options))
        return SEC_E_BUFFER_TOO_SMALL;
    min = options->min_version ? options->min_version : OSSPI_CREDSSP_STRICT;
    max = options->max_version ? options->max_version : OSSPI_CREDSSP_NEWEST;
    if (options->cbSize != sizeof(*options) || options->flags & ~OSSPI_CREDSSP_NO_NTLM ||
        min < OSSPI_CREDSSP_OLDEST || max > OSSPI_CREDSSP_NEWEST || min > max)
        return SEC_E_INVALID_PARAMETER;
    atomic_store_explicit(&data->options, options->flags, memory_order_relaxed);
    atomic_store_explicit(&data->min_version, min, memory_order_relaxed);
    atomic_store_explicit(&data->max_version, max, memory_order_relaxed);
    return SEC_E_OK;
}
