/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes of contexts and credentials, read and written.
 *
 * Queries take no lock and are answered in every state, also of a failed or given-up context; the
 * package guards what they look at. SECPKG_ATTR_PACKAGE_INFO is answered here for all packages.
 * Without a buffer a context answers SEC_E_INVALID_PARAMETER, and a credential, as on Windows,
 * SEC_E_INTERNAL_ERROR.
 */
#include <sspi.h>
#include <string.h>

#include "api/attribute.h"
#include "api/package.h"
#include "base/memory.h"
#include "core/object.h"
#include "packages/package.h"

#define ANY_SIZE SIZE_MAX /* the form without cbBuffer */

/* What is asked for, of whichever object. */
struct query {
    const struct osspi_shape *shape;
    uint32_t attribute;
    void *buffer;
    size_t size;
    bool wide;
};

/* Before the object is asked. */
static SECURITY_STATUS check_size(const struct query *query)
{
    return query->size == ANY_SIZE ? SEC_E_OK : osspi_shape_check(query->shape, query->size);
}

/* After it has answered. */
static SECURITY_STATUS finish(const struct query *query, SECURITY_STATUS status)
{
    if (status < 0 || !query->shape || !(query->wide || query->shape->always_wide))
        return status;
    return osspi_shape_widen(query->shape, query->buffer);
}

/* ---- query, context ---- */

static SECURITY_STATUS ask_context(struct osspi_context *context, const struct query *query)
{
    const struct osspi_package *package = context->package;
    SECURITY_STATUS status = check_size(query);

    if (status != SEC_E_OK)
        return status;
    if (query->attribute == SECPKG_ATTR_PACKAGE_INFO)
        return osspi_package_info_new(package, query->wide, query->buffer);
    if (!package->query_context)
        return SEC_E_UNSUPPORTED_FUNCTION;
    return finish(query,
                  package->query_context(context, query->attribute, query->buffer, query->size));
}

static SECURITY_STATUS query_context(PCtxtHandle handle, ULONG attribute, void *buffer, size_t size,
                                     bool wide)
{
    struct osspi_context *context = osspi_context_lookup(handle);
    struct query query = {osspi_shape_of_context(attribute), attribute, buffer, size, wide};
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    status = buffer ? ask_context(context, &query) : SEC_E_INVALID_PARAMETER;
    osspi_context_unref(context);
    return status;
}

SECURITY_STATUS QueryContextAttributesA(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer)
{
    return query_context(phContext, ulAttribute, pBuffer, ANY_SIZE, false);
}

SECURITY_STATUS QueryContextAttributesW(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer)
{
    return query_context(phContext, ulAttribute, pBuffer, ANY_SIZE, true);
}

SECURITY_STATUS QueryContextAttributesExA(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer,
                                          ULONG cbBuffer)
{
    return query_context(phContext, ulAttribute, pBuffer, cbBuffer, false);
}

SECURITY_STATUS QueryContextAttributesExW(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer,
                                          ULONG cbBuffer)
{
    return query_context(phContext, ulAttribute, pBuffer, cbBuffer, true);
}

/* ---- query, credential ---- */

static SECURITY_STATUS ask_credential(struct osspi_credential *credential,
                                      const struct query *query)
{
    const struct osspi_package *package = credential->package;
    SECURITY_STATUS status = check_size(query);

    if (status != SEC_E_OK)
        return status;
    if (!package->query_credential)
        return SEC_E_UNSUPPORTED_FUNCTION;
    return finish(
        query, package->query_credential(credential, query->attribute, query->buffer, query->size));
}

static SECURITY_STATUS query_credential(PCredHandle handle, ULONG attribute, void *buffer,
                                        size_t size, bool wide)
{
    struct osspi_credential *credential = osspi_credential_lookup(handle);
    struct query query = {osspi_shape_of_credential(attribute), attribute, buffer, size, wide};
    SECURITY_STATUS status;

    if (!credential)
        return SEC_E_INVALID_HANDLE;
    status = buffer ? ask_credential(credential, &query) : SEC_E_INTERNAL_ERROR;
    osspi_credential_unref(credential);
    return status;
}

SECURITY_STATUS QueryCredentialsAttributesA(PCredHandle phCredential, ULONG ulAttribute,
                                            void *pBuffer)
{
    return query_credential(phCredential, ulAttribute, pBuffer, ANY_SIZE, false);
}

SECURITY_STATUS QueryCredentialsAttributesW(PCredHandle phCredential, ULONG ulAttribute,
                                            void *pBuffer)
{
    return query_credential(phCredential, ulAttribute, pBuffer, ANY_SIZE, true);
}

SECURITY_STATUS QueryCredentialsAttributesExA(PCredHandle phCredential, ULONG ulAttribute,
                                              void *pBuffer, ULONG cbBuffer)
{
    return query_credential(phCredential, ulAttribute, pBuffer, cbBuffer, false);
}

SECURITY_STATUS QueryCredentialsAttributesExW(PCredHandle phCredential, ULONG ulAttribute,
                                              void *pBuffer, ULONG cbBuffer)
{
    return query_credential(phCredential, ulAttribute, pBuffer, cbBuffer, true);
}

/* ---- set ---- */

static SECURITY_STATUS set_context(PCtxtHandle handle, ULONG attribute, const void *buffer,
                                   ULONG size)
{
    struct osspi_context *context = osspi_context_lookup(handle);
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    status = osspi_context_usable(context);
    if (status == SEC_E_OK && !buffer)
        status = SEC_E_INVALID_PARAMETER;
    if (status == SEC_E_OK && !context->package->set_context)
        status = SEC_E_UNSUPPORTED_FUNCTION;
    if (status == SEC_E_OK)
        status = osspi_shape_check(osspi_shape_of_context(attribute), size);
    if (status == SEC_E_OK)
        status = context->package->set_context(context, attribute, buffer, size);
    osspi_context_unref(context);
    return status;
}

/* No attribute of a context that can be set holds a string of one of two kinds. */
SECURITY_STATUS SetContextAttributesA(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer,
                                      ULONG cbBuffer)
{
    return set_context(phContext, ulAttribute, pBuffer, cbBuffer);
}

SECURITY_STATUS SetContextAttributesW(PCtxtHandle phContext, ULONG ulAttribute, void *pBuffer,
                                      ULONG cbBuffer)
{
    return set_context(phContext, ulAttribute, pBuffer, cbBuffer);
}

/* The structure with strings in UTF-8, which is how packages want it. */
static SECURITY_STATUS set_narrowed(struct osspi_credential *credential,
                                    const struct osspi_shape *shape, const void *buffer)
{
    union {
        SecPkgCredentials_NamesA names;
        SecPkgCredentials_SSIProviderA provider;
    } narrow;
    SECURITY_STATUS status;

    if (shape->size > sizeof(narrow))
        return SEC_E_INTERNAL_ERROR;
    memcpy(&narrow, buffer, shape->size);
    status = osspi_shape_narrow(shape, &narrow);
    if (status != SEC_E_OK)
        return status;
    status =
        credential->package->set_credential(credential, shape->attribute, &narrow, shape->size);
    osspi_shape_free_strings(shape, &narrow);
    return status;
}

static SECURITY_STATUS set_checked(struct osspi_credential *credential, ULONG attribute,
                                   const void *buffer, ULONG size, bool wide)
{
    const struct osspi_shape *shape = osspi_shape_of_credential(attribute);
    SECURITY_STATUS status = osspi_shape_check(shape, size);

    if (status != SEC_E_OK)
        return status;
    if (wide && shape && shape->string_count > 0)
        return set_narrowed(credential, shape, buffer);
    return credential->package->set_credential(credential, attribute, buffer, size);
}

static SECURITY_STATUS set_credential(PCredHandle handle, ULONG attribute, const void *buffer,
                                      ULONG size, bool wide)
{
    struct osspi_credential *credential = osspi_credential_lookup(handle);
    SECURITY_STATUS status;

    if (!credential)
        return SEC_E_INVALID_HANDLE;
    if (!buffer)
        status = SEC_E_INVALID_PARAMETER;
    else if (!credential->package->set_credential)
        status = SEC_E_UNSUPPORTED_FUNCTION;
    else
        status = set_checked(credential, attribute, buffer, size, wide);
    osspi_credential_unref(credential);
    return status;
}

SECURITY_STATUS SetCredentialsAttributesA(PCredHandle phCredential, ULONG ulAttribute,
                                          void *pBuffer, ULONG cbBuffer)
{
    return set_credential(phCredential, ulAttribute, pBuffer, cbBuffer, false);
}

SECURITY_STATUS SetCredentialsAttributesW(PCredHandle phCredential, ULONG ulAttribute,
                                          void *pBuffer, ULONG cbBuffer)
{
    return set_credential(phCredential, ulAttribute, pBuffer, cbBuffer, true);
}
