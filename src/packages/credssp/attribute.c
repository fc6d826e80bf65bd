/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes of a CredSSP context. Who the peer is Negotiate knows, and tells when the exchange is
 * over: before that nothing binds him to the connection. What the connection is like TLS knows. No
 * lock is held; what is read here is constant once it can be read.
 */
#include <credssp.h>
#include <string.h>

#include "base/memory.h"
#include "packages/credssp/context.h"

static SECURITY_STATUS give_delegated(const struct osspi_credssp_context *cc, void *buffer,
                                      size_t size)
{
    SecPkgContext_ClientCreds *creds = buffer;

    if (!cc->server)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (size < sizeof(*creds))
        return SEC_E_BUFFER_TOO_SMALL;
    creds->AuthBuffer = osspi_context_buffer_new(cc->delegated->cbStructureLength);
    if (!creds->AuthBuffer)
        return SEC_E_INSUFFICIENT_MEMORY;
    creds->AuthBufferLen = cc->delegated->cbStructureLength;
    memcpy(creds->AuthBuffer, cc->delegated, cc->delegated->cbStructureLength);
    return SEC_E_OK;
}

static SECURITY_STATUS give_flags(const struct osspi_credssp_context *cc, void *buffer, size_t size)
{
    if (size < sizeof(SecPkgContext_Flags))
        return SEC_E_BUFFER_TOO_SMALL;
    ((SecPkgContext_Flags *)buffer)->Flags = (ULONG)cc->granted;
    return SEC_E_OK;
}

static SECURITY_STATUS give_sizes(struct osspi_credssp_context *cc, void *buffer, size_t size)
{
    const SECURITY_STATUS status =
        osspi_credssp_tls()->query_context(cc->tls, SECPKG_ATTR_SIZES, buffer, size);

    if (status == SEC_E_OK)
        ((SecPkgContext_Sizes *)buffer)->cbMaxToken = OSSPI_CREDSSP_MAX_TOKEN;
    return status;
}

/* What is asked about the peer, or the user. */
static bool is_of_nego(uint32_t attribute)
{
    switch (attribute) {
    case SECPKG_ATTR_NAMES:
    case SECPKG_ATTR_NATIVE_NAMES:
    case SECPKG_ATTR_LIFESPAN:
    case SECPKG_ATTR_PASSWORD_EXPIRY:
    case SECPKG_ATTR_LOGOFF_TIME:
    case SECPKG_ATTR_USER_FLAGS:
    case SECPKG_ATTR_SESSION_KEY:
    case SECPKG_ATTR_NEGOTIATION_INFO:
    case SECPKG_ATTR_ACCESS_TOKEN:
    case SECPKG_ATTR_AUTHENTICATION_ID:
    case SECPKG_ATTR_CLIENT_SPECIFIED_TARGET:
    case SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS:
    case SECPKG_ATTR_NEGO_KEYS:
    case SECPKG_ATTR_NEGO_PKG_INFO:
    case SECPKG_ATTR_NEGO_STATUS:
    case SECPKG_ATTR_SUBJECT_SECURITY_ATTRIBUTES:
        return true;
    default:
        return false;
    }
}

SECURITY_STATUS osspi_credssp_query(struct osspi_context *context, uint32_t attribute, void *buffer,
                                    size_t size)
{
    struct osspi_credssp_context *cc = osspi_credssp(context);
    struct osspi_context *tls = atomic_load_explicit(&cc->tls, memory_order_acquire);
    const bool done = osspi_credssp_is_done(cc);

    if (!tls)
        return SEC_E_INVALID_HANDLE;
    if (is_of_nego(attribute))
        return done ? osspi_credssp_nego()->query_context(cc->nego, attribute, buffer, size)
                    : SEC_E_INVALID_HANDLE;
    switch (attribute) {
    case SECPKG_ATTR_CREDS_2:
        return done ? give_delegated(cc, buffer, size) : SEC_E_INVALID_HANDLE;
    case SECPKG_ATTR_FLAGS:
        return done ? give_flags(cc, buffer, size) : SEC_E_INVALID_HANDLE;
    case SECPKG_ATTR_SIZES:
        return give_sizes(cc, buffer, size);
    default:
        return osspi_credssp_tls()->query_context(tls, attribute, buffer, size);
    }
}

SECURITY_STATUS osspi_credssp_set(struct osspi_context *context, uint32_t attribute,
                                  const void *buffer, size_t size)
{
    struct osspi_context *tls =
        atomic_load_explicit(&osspi_credssp(context)->tls, memory_order_acquire);

    return tls ? osspi_credssp_tls()->set_context(tls, attribute, buffer, size)
               : SEC_E_INVALID_HANDLE;
}

SECURITY_STATUS osspi_credssp_client_token(struct osspi_context *context,
                                           struct osspi_token **ret_token)
{
    struct osspi_credssp_context *cc = osspi_credssp(context);

    if (!osspi_credssp_is_done(cc))
        return SEC_E_INVALID_HANDLE;
    if (!osspi_credssp_nego()->client_token)
        return SEC_E_UNSUPPORTED_FUNCTION;
    return osspi_credssp_nego()->client_token(cc->nego, ret_token);
}
