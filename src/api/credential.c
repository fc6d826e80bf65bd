/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Credentials: acquire and free, synchronous and asynchronous.
 *
 * Everything that the arguments point to is copied while the call is made, in both forms alike. The
 * handle is written in publish, when nothing can fail any more.
 */
#include "api/credential.h"

#include <string.h>

#include "api/job.h"
#include "base/clock.h"
#include "base/memory.h"
#include "packages/registry.h"

struct acquire_args {
    struct osspi_acquire acquire;
    SECURITY_STATUS refused; /* asynchronous: what was wrong with the arguments, else SEC_E_OK */
    const struct osspi_package *package;
    struct osspi_credential *credential; /* the owner's reference until it is published */
    bool has_logon_id;
    LUID logon_id;
    struct osspi_name principal;
    PCredHandle handle; /* the caller's, with the one below; written by publish */
    PTimeStamp expiry;
};

struct free_args {
    SECURITY_STATUS status;
    struct osspi_credential *credential; /* the owner's reference */
};

_Static_assert(sizeof(struct acquire_args) <= OSSPI_JOB_STORAGE, "fits into a job");

static struct acquire_args *acquire_args(struct osspi_job *job)
{
    return (struct acquire_args *)(void *)job->storage;
}

/* ---- acquire ---- */

static SECURITY_STATUS find_package(struct acquire_args *args, struct osspi_text text)
{
    char name[OSSPI_NAME_INLINE];

    if (osspi_text_copy(text, name, sizeof(name)) == SIZE_MAX)
        return SEC_E_SECPKG_NOT_FOUND;
    args->package = osspi_package_find(name);
    return args->package ? SEC_E_OK : SEC_E_SECPKG_NOT_FOUND;
}

static SECURITY_STATUS check(struct acquire_args *args, const struct osspi_acquire_request *request)
{
    SECURITY_STATUS status = find_package(args, request->package);

    if (status != SEC_E_OK)
        return status;
    if (!args->package->acquire)
        return SEC_E_UNSUPPORTED_FUNCTION;
    status = osspi_name_capture(&args->principal, request->principal, SEC_E_UNKNOWN_CREDENTIALS);
    if (status == SEC_E_OK && request->auth && args->package->capture_auth)
        status = args->package->capture_auth(request->auth, request->wide, &args->acquire.auth);
    return status;
}

static SECURITY_STATUS capture(struct osspi_job *job, const struct osspi_acquire_request *request)
{
    struct acquire_args *args = acquire_args(job);
    SECURITY_STATUS status;

    args->acquire.use = request->use;
    args->acquire.has_auth = request->auth != NULL;
    args->acquire.wide = request->wide;
    args->acquire.get_key = request->get_key;
    args->acquire.get_key_argument = request->get_key_argument;
    args->acquire.expiry.QuadPart = (LONGLONG)OSSPI_FILETIME_NEVER;
    args->acquire.caller = osspi_caller_token(); /* the run may be another thread's */
    if (request->logon_id) {
        args->has_logon_id = true;
        memcpy(&args->logon_id, request->logon_id, sizeof(args->logon_id));
    }
    args->handle = request->credential;
    args->expiry = request->expiry;
    status = check(args, request);
    if (status == SEC_E_OK)
        osspi_job_choose_lane(job, args->package, OSSPI_OP_ACQUIRE, NULL, NULL);
    return status;
}

static SECURITY_STATUS acquire_run(struct osspi_job *job)
{
    struct acquire_args *args = acquire_args(job);
    SECURITY_STATUS status;

    if (args->refused != SEC_E_OK)
        return args->refused;
    if (!args->credential)
        args->credential = osspi_credential_new(osspi_package_class(args->package),
                                                args->acquire.use & SECPKG_CRED_BOTH);
    if (!args->credential)
        return SEC_E_INSUFFICIENT_MEMORY;
    args->acquire.lane = job->lane;
    args->acquire.principal = osspi_name_get(&args->principal);
    args->acquire.logon_id = args->has_logon_id ? &args->logon_id : NULL;
    status = args->package->acquire(args->credential, &args->acquire);
    if (status == OSSPI_WANT_BLOCKING) {
        osspi_job_choose_lane(job, args->package, OSSPI_OP_ACQUIRE, args->credential, NULL);
        job->lane = OSSPI_LANE_BLOCKING;
    } else if (status >= 0 && !args->handle) {
        /* Asked last: what is wrong with the auth data is told first. */
        status = SEC_E_INVALID_PARAMETER;
    }
    return status;
}

static void acquire_publish(struct osspi_job *job, SECURITY_STATUS status)
{
    struct acquire_args *args = acquire_args(job);

    if (status < 0)
        return;
    if (args->expiry)
        *args->expiry = args->acquire.expiry;
    osspi_credential_handle(args->credential, args->handle);
    args->credential = NULL; /* the owner's reference is the handle's from here on */
}

static void acquire_release(struct osspi_job *job)
{
    struct acquire_args *args = acquire_args(job);

    if (args->credential)
        osspi_credential_discard(args->credential);
    if (args->acquire.auth && args->package->release_auth)
        args->package->release_auth(args->acquire.auth);
    osspi_name_clear(&args->principal);
    osspi_token_unref(OSSPI_TAKE(args->acquire.caller));
    args->credential = NULL;
    args->acquire.auth = NULL;
}

/* All was copied when the call was made; only who holds it changes. */
static SECURITY_STATUS acquire_detach(struct osspi_job *job, struct osspi_job *private_job)
{
    *private_job = *job;
    private_job->lane = OSSPI_LANE_BLOCKING;
    memset(job->storage, 0, sizeof(struct acquire_args));
    return SEC_E_OK;
}

static const struct osspi_job_ops acquire_ops = {
    .kind = OsspiCallAcquireCredentials,
    .run = acquire_run,
    .publish = acquire_publish,
    .release = acquire_release,
    .detach = acquire_detach,
};

SECURITY_STATUS osspi_acquire_sync(const struct osspi_acquire_request *request)
{
    struct osspi_job job = {.ops = &acquire_ops};
    SECURITY_STATUS status = capture(&job, request);

    if (status != SEC_E_OK) {
        acquire_release(&job);
        return status;
    }
    return osspi_job_run_sync(&job, NULL);
}

SECURITY_STATUS osspi_acquire_async(SspiAsyncContext *async,
                                    const struct osspi_acquire_request *request)
{
    struct osspi_call *call;
    struct osspi_job *job;
    SECURITY_STATUS status = osspi_call_begin(async, sizeof(struct acquire_args), &call);

    if (status != SEC_E_OK)
        return status;
    if (!request->package.data || !request->credential) {
        osspi_call_refuse(call, SEC_E_INVALID_PARAMETER);
        return SEC_E_INVALID_PARAMETER;
    }
    job = osspi_call_job(call);
    job->ops = &acquire_ops;
    status = capture(job, request);
    if (status == SEC_E_INSUFFICIENT_MEMORY) {
        acquire_release(job);
        osspi_call_refuse(call, status);
        return status;
    }
    acquire_args(job)->refused = status;
    return osspi_call_submit(call, NULL, false);
}

/* ---- free ---- */

static SECURITY_STATUS free_run(struct osspi_job *job)
{
    struct free_args *args = (struct free_args *)(void *)job->storage;

    osspi_credential_unref(OSSPI_TAKE(args->credential));
    return args->status;
}

static void free_release(struct osspi_job *job)
{
    struct free_args *args = (struct free_args *)(void *)job->storage;

    osspi_credential_unref(OSSPI_TAKE(args->credential));
}

static const struct osspi_job_ops free_ops = {
    .kind = OsspiCallFreeCredentials,
    .run = free_run,
    .release = free_release,
};

SECURITY_STATUS FreeCredentialsHandle(PCredHandle phCredential)
{
    struct osspi_credential *credential = osspi_credential_retire(phCredential);

    osspi_credential_unref(credential);
    return credential ? SEC_E_OK : SEC_E_INVALID_HANDLE;
}

SECURITY_STATUS SspiFreeCredentialsHandleAsync(SspiAsyncContext *AsyncContext,
                                               PCredHandle phCredential)
{
    struct osspi_call *call;
    struct osspi_job *job;
    struct free_args *args;
    SECURITY_STATUS status = osspi_call_begin(AsyncContext, sizeof(struct free_args), &call);

    if (status != SEC_E_OK)
        return status;
    job = osspi_call_job(call);
    job->ops = &free_ops;
    args = (struct free_args *)(void *)job->storage;
    args->credential = osspi_credential_retire(phCredential);
    args->status = args->credential ? SEC_E_OK : SEC_E_INVALID_HANDLE;
    return osspi_call_submit(call, NULL, true);
}

/* ---- entry points ---- */

/* All but the strings. */
static struct osspi_acquire_request request_of(ULONG use, void *logon_id, void *auth,
                                               SEC_GET_KEY_FN get_key, void *get_key_argument,
                                               PCredHandle credential, PTimeStamp expiry)
{
    return (struct osspi_acquire_request){
        .use = use,
        .logon_id = logon_id,
        .auth = auth,
        .get_key = get_key,
        .get_key_argument = get_key_argument,
        .credential = credential,
        .expiry = expiry,
    };
}

static void set_utf8(struct osspi_acquire_request *request, LPSTR principal, LPSTR package)
{
    request->principal = osspi_text_utf8(principal);
    request->package = osspi_text_utf8(package);
}

static void set_utf16(struct osspi_acquire_request *request, LPWSTR principal, LPWSTR package)
{
    request->wide = true;
    request->principal = osspi_text_utf16(principal);
    request->package = osspi_text_utf16(package);
}

SECURITY_STATUS AcquireCredentialsHandleA(LPSTR pszPrincipal, LPSTR pszPackage,
                                          ULONG fCredentialUse, void *pvLogonId, void *pAuthData,
                                          SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument,
                                          PCredHandle phCredential, PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = request_of(
        fCredentialUse, pvLogonId, pAuthData, pGetKeyFn, pvGetKeyArgument, phCredential, ptsExpiry);

    set_utf8(&request, pszPrincipal, pszPackage);
    return osspi_acquire_sync(&request);
}

SECURITY_STATUS AcquireCredentialsHandleW(SEC_WCHAR *pszPrincipal, SEC_WCHAR *pszPackage,
                                          ULONG fCredentialUse, void *pvLogonId, void *pAuthData,
                                          SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument,
                                          PCredHandle phCredential, PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = request_of(
        fCredentialUse, pvLogonId, pAuthData, pGetKeyFn, pvGetKeyArgument, phCredential, ptsExpiry);

    set_utf16(&request, pszPrincipal, pszPackage);
    return osspi_acquire_sync(&request);
}

SECURITY_STATUS SspiAcquireCredentialsHandleAsyncA(SspiAsyncContext *AsyncContext,
                                                   LPSTR pszPrincipal, LPSTR pszPackage,
                                                   ULONG fCredentialUse, void *pvLogonId,
                                                   void *pAuthData, SEC_GET_KEY_FN pGetKeyFn,
                                                   void *pvGetKeyArgument, PCredHandle phCredential,
                                                   PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = request_of(
        fCredentialUse, pvLogonId, pAuthData, pGetKeyFn, pvGetKeyArgument, phCredential, ptsExpiry);

    set_utf8(&request, pszPrincipal, pszPackage);
    return osspi_acquire_async(AsyncContext, &request);
}

SECURITY_STATUS SspiAcquireCredentialsHandleAsyncW(SspiAsyncContext *AsyncContext,
                                                   SEC_WCHAR *pszPrincipal, SEC_WCHAR *pszPackage,
                                                   ULONG fCredentialUse, void *pvLogonId,
                                                   void *pAuthData, SEC_GET_KEY_FN pGetKeyFn,
                                                   void *pvGetKeyArgument, PCredHandle phCredential,
                                                   PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = request_of(
        fCredentialUse, pvLogonId, pAuthData, pGetKeyFn, pvGetKeyArgument, phCredential, ptsExpiry);

    set_utf16(&request, pszPrincipal, pszPackage);
    return osspi_acquire_async(AsyncContext, &request);
}
