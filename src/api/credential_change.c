/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Calls that change a credential which may be in use: AddCredentials and OsspiRenewCredential. Both
 * are synchronous; changes of one credential wait for each other. Setting attributes is in query.c.
 */
#include <opensspi.h>
#include <string.h>

#include "api/credential.h"
#include "base/clock.h"
#include "base/memory.h"
#include "packages/registry.h"

/* ---- AddCredentials ---- */

/* The arguments of one call, captured. */
struct add {
    struct osspi_credential *credential;
    struct osspi_acquire acquire;
    struct osspi_name principal;
};

static SECURITY_STATUS check_package(const struct add *add, struct osspi_text text)
{
    char name[OSSPI_NAME_INLINE];

    if (!text.data)
        return SEC_E_OK; /* the handle says it */
    if (osspi_text_copy(text, name, sizeof(name)) == SIZE_MAX ||
        osspi_package_find(name) != add->credential->package)
        return SEC_E_SECPKG_NOT_FOUND;
    return SEC_E_OK;
}

static SECURITY_STATUS capture(struct add *add, const struct osspi_acquire_request *request)
{
    const struct osspi_package *package = add->credential->package;
    SECURITY_STATUS status = check_package(add, request->package);

    if (status != SEC_E_OK)
        return status;
    if (!package->add)
        return SEC_E_UNSUPPORTED_FUNCTION;
    add->acquire = (struct osspi_acquire){
        .lane = OSSPI_LANE_CPU,
        .use = request->use,
        .logon_id = request->logon_id,
        .has_auth = request->auth != NULL,
        .wide = request->wide,
        .get_key = request->get_key,
        .get_key_argument = request->get_key_argument,
        .expiry.QuadPart = (LONGLONG)OSSPI_FILETIME_NEVER,
    };
    status = osspi_name_capture(&add->principal, request->principal, SEC_E_UNKNOWN_CREDENTIALS);
    if (status == SEC_E_OK && request->auth && package->capture_auth)
        status = package->capture_auth(request->auth, request->wide, &add->acquire.auth);
    return status;
}

static SECURITY_STATUS run(struct add *add)
{
    SECURITY_STATUS status;

    add->acquire.principal = osspi_name_get(&add->principal);
    status = add->credential->package->add(add->credential, &add->acquire);
    if (status == OSSPI_WANT_BLOCKING) {
        add->acquire.lane = OSSPI_LANE_BLOCKING; /* this thread is the caller's own */
        status = add->credential->package->add(add->credential, &add->acquire);
    }
    return status;
}

SECURITY_STATUS osspi_add_credentials(const struct osspi_acquire_request *request)
{
    struct add add = {.credential = osspi_credential_lookup(request->credential)};
    SECURITY_STATUS status;

    if (!add.credential)
        return SEC_E_INVALID_HANDLE;
    status = capture(&add, request);
    if (status == SEC_E_OK)
        status = run(&add);
    if (status == SEC_E_OK && request->expiry)
        *request->expiry = add.acquire.expiry;
    if (add.acquire.auth && add.credential->package->release_auth)
        add.credential->package->release_auth(add.acquire.auth);
    osspi_name_clear(&add.principal);
    osspi_credential_unref(add.credential);
    return status;
}

SECURITY_STATUS AddCredentialsA(PCredHandle hCredentials, LPSTR pszPrincipal, LPSTR pszPackage,
                                ULONG fCredentialUse, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn,
                                void *pvGetKeyArgument, PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = {
        .principal = osspi_text_utf8(pszPrincipal),
        .package = osspi_text_utf8(pszPackage),
        .use = fCredentialUse,
        .auth = pAuthData,
        .get_key = pGetKeyFn,
        .get_key_argument = pvGetKeyArgument,
        .credential = hCredentials,
        .expiry = ptsExpiry,
    };

    return osspi_add_credentials(&request);
}

SECURITY_STATUS AddCredentialsW(PCredHandle hCredentials, SEC_WCHAR *pszPrincipal,
                                SEC_WCHAR *pszPackage, ULONG fCredentialUse, void *pAuthData,
                                SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument,
                                PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = {
        .wide = true,
        .principal = osspi_text_utf16(pszPrincipal),
        .package = osspi_text_utf16(pszPackage),
        .use = fCredentialUse,
        .auth = pAuthData,
        .get_key = pGetKeyFn,
        .get_key_argument = pvGetKeyArgument,
        .credential = hCredentials,
        .expiry = ptsExpiry,
    };

    return osspi_add_credentials(&request);
}

/* ---- OsspiRenewCredential ---- */

static SECURITY_STATUS renew(struct osspi_credential *credential, PCCERT_CONTEXT *certificates,
                             ULONG count, PTimeStamp ret_expiry)
{
    TimeStamp expiry = {.QuadPart = (LONGLONG)OSSPI_FILETIME_NEVER};
    SECURITY_STATUS status;

    if (!credential->package->renew)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (!certificates || count == 0)
        return SEC_E_INVALID_PARAMETER;
    for (ULONG i = 0; i < count; i++) {
        if (!certificates[i])
            return SEC_E_INVALID_PARAMETER;
    }
    status = credential->package->renew(credential, certificates, count, &expiry);
    if (status == SEC_E_OK && ret_expiry)
        *ret_expiry = expiry;
    return status;
}

SECURITY_STATUS OsspiRenewCredential(PCredHandle credential, PCCERT_CONTEXT *certificates,
                                     ULONG count, PTimeStamp ret_expiry)
{
    struct osspi_credential *found = osspi_credential_lookup(credential);
    SECURITY_STATUS status;

    if (!found)
        return SEC_E_INVALID_HANDLE;
    status = renew(found, certificates, count, ret_expiry);
    osspi_credential_unref(found);
    return status;
}
