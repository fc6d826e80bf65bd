/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The asynchronous calls of sspi.h. Included by sspi.h, not meant to be included alone.
 *
 * Two statuses, never to be confused:
 *
 * The queue status is what an ...Async function returns. SEC_E_OK means "accepted" and nothing
 * else. With any other value the call was not made, and its callback never runs.
 *
 * The call status is what SspiGetAsyncCallStatus returns: SEC_I_ASYNC_CALL_PENDING, and at the end
 * what the synchronous twin would have returned.
 *
 * The queue status of every call is one of:
 *   SEC_E_OK                   accepted
 *   SEC_E_INVALID_HANDLE       the async context is NULL, freed or foreign, or its completion queue
 *                              is closed
 *   SEC_E_INVALID_PARAMETER    it has a call pending, or one whose callback has not begun, or
 *                              Acquire lacks a required pointer; what else is wrong with arguments
 *                              shows as the call status
 *   SEC_E_INSUFFICIENT_MEMORY  no memory, no thread, or the queue is at its bound
 *   SEC_E_NOT_OWNER            the calling thread has another fsuid than the process
 *   SEC_E_SHUTDOWN_IN_PROGRESS OsspiShutdown was called
 *
 * An accepted call runs its callback exactly once. When the callback runs, the call status is final
 * and every output is written; the library touches neither afterwards.
 *
 * Lifetimes: handle values, names and auth data are captured by the call. Both SecBufferDesc, their
 * arrays, what pvBuffer points to, and all output pointers must stay valid and untouched until the
 * call is complete. SspiDeleteSecurityContextAsync and SspiFreeCredentialsHandleAsync need nothing
 * to stay.
 */
#ifndef OPENSSPI_OSSPI_SSPI_ASYNC_H
#define OPENSSPI_OSSPI_SSPI_ASYNC_H

#include "osspi_types.h"

OSSPI_EXTERN_C_BEGIN

/** One asynchronous call at a time; opaque, and not an address. */
typedef struct _SspiAsyncContext SspiAsyncContext;

/**
 * Tells that a call is complete.
 *
 * Runs on a thread of the library, or on the thread that drains a completion queue; never inside
 * another SSPI call and never under a lock. It may free or reuse Handle and may make any SSPI call,
 * also one that blocks, but not OsspiShutdown.
 *
 * @param Handle       the context whose call is complete
 * @param CallbackData what was registered with the callback, may be NULL
 */
typedef void (*SspiAsyncNotifyCallback)(SspiAsyncContext *Handle, void *CallbackData);

/**
 * Makes a context without a callback.
 *
 * @return the context, to be freed with SspiFreeAsyncContext; NULL if there is no memory
 */
OSSPI_API SspiAsyncContext *SspiCreateAsyncContext(void);

/**
 * Frees a context.
 *
 * A context with a callback should be freed only when its callback has been entered (inside it is
 * fine). Freeing earlier is tolerated: the call goes on and the callback still runs. Freeing twice,
 * or NULL, does nothing.
 *
 * @param Handle [in] context or NULL
 */
OSSPI_API void SspiFreeAsyncContext(SspiAsyncContext *Handle);

/**
 * Makes a context ready for another call; callback and data stay registered.
 *
 * @param Handle [in] a context that is new or whose call is complete; allowed inside its callback
 * @retval STATUS_SUCCESS           ready
 * @retval STATUS_INVALID_PARAMETER NULL, freed or foreign context
 * @retval STATUS_DEVICE_BUSY       a call is pending, or its callback has not begun
 */
OSSPI_API NTSTATUS SspiReinitAsyncContext(SspiAsyncContext *Handle);

/**
 * Registers, replaces or (NULL) removes the callback of a context.
 *
 * @param Context      [in] the context
 * @param Callback     [in] function to call at completion, or NULL: nobody is told
 * @param CallbackData [in] handed to Callback as it is, may be NULL
 * @retval SEC_E_OK                done
 * @retval SEC_E_INVALID_HANDLE    NULL, freed or foreign context
 * @retval SEC_E_INVALID_PARAMETER a call is pending, or its callback has not begun
 */
OSSPI_API SECURITY_STATUS SspiSetAsyncNotifyCallback(SspiAsyncContext *Context,
                                                     SspiAsyncNotifyCallback Callback,
                                                     void *CallbackData);

/**
 * Tells whether a callback is registered.
 *
 * @param AsyncContext [in] context or NULL
 * @return TRUE if one is registered, FALSE if not or if the context is NULL, freed or foreign
 */
OSSPI_API BOOLEAN SspiAsyncContextRequiresNotify(SspiAsyncContext *AsyncContext);

/**
 * Gives the call status.
 *
 * @param Handle [in] the context
 * @retval SEC_I_ASYNC_CALL_PENDING the call is not complete, or none was made yet
 * @retval SEC_E_INVALID_HANDLE     NULL or foreign context, or one freed long ago (one freed lately
 *                                  still answers its last status)
 * @return otherwise what the synchronous function would have returned; on a context that never had
 *         a call, the queue status of the attempt that was refused
 */
OSSPI_API SECURITY_STATUS SspiGetAsyncCallStatus(SspiAsyncContext *Handle);

/**
 * AcquireCredentialsHandle, asynchronously. Parameters and call statuses are its own, but required
 * are pszPackage and phCredential.
 *
 * @param AsyncContext [in] context that tracks the call
 * @return queue status, see the top of this file
 */
OSSPI_API SECURITY_STATUS SspiAcquireCredentialsHandleAsyncW(
    SspiAsyncContext *AsyncContext, PSSPI_SEC_STRING pszPrincipal, PSSPI_SEC_STRING pszPackage,
    ULONG fCredentialUse, void *pvLogonId, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn,
    void *pvGetKeyArgument, PCredHandle phCredential, PTimeStamp ptsExpiry)
    OSSPI_MODE_SYMBOL(SspiAcquireCredentialsHandleAsyncW);
/** The same with UTF-8 strings. */
OSSPI_API SECURITY_STATUS SspiAcquireCredentialsHandleAsyncA(
    SspiAsyncContext *AsyncContext, LPSTR pszPrincipal, LPSTR pszPackage, ULONG fCredentialUse,
    void *pvLogonId, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument,
    PCredHandle phCredential, PTimeStamp ptsExpiry);

/**
 * InitializeSecurityContext, asynchronously. Legs of one security context run in the order in which
 * they were queued.
 *
 * @param AsyncContext [in] context that tracks the call
 * @return queue status, see the top of this file
 */
OSSPI_API SECURITY_STATUS SspiInitializeSecurityContextAsyncW(
    SspiAsyncContext *AsyncContext, PCredHandle phCredential, PCtxtHandle phContext,
    PSSPI_SEC_STRING pszTargetName, ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep,
    PSecBufferDesc pInput, ULONG Reserved2, PCtxtHandle phNewContext, PSecBufferDesc pOutput,
    ULONG *pfContextAttr, PTimeStamp ptsExpiry)
    OSSPI_MODE_SYMBOL(SspiInitializeSecurityContextAsyncW);
/** The same with UTF-8 strings. */
OSSPI_API SECURITY_STATUS SspiInitializeSecurityContextAsyncA(
    SspiAsyncContext *AsyncContext, PCredHandle phCredential, PCtxtHandle phContext,
    LPSTR pszTargetName, ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep,
    PSecBufferDesc pInput, ULONG Reserved2, PCtxtHandle phNewContext, PSecBufferDesc pOutput,
    ULONG *pfContextAttr, PTimeStamp ptsExpiry);

/**
 * AcceptSecurityContext, asynchronously.
 *
 * @param AsyncContext [in] context that tracks the call
 * @return queue status, see the top of this file
 */
OSSPI_API SECURITY_STATUS
SspiAcceptSecurityContextAsync(SspiAsyncContext *AsyncContext, PCredHandle phCredential,
                               PCtxtHandle phContext, PSecBufferDesc pInput, ULONG fContextReq,
                               ULONG TargetDataRep, PCtxtHandle phNewContext,
                               PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);

/**
 * FreeCredentialsHandle, asynchronously: the handle is invalid when this returns, the credential
 * goes when the last context that uses it has gone.
 *
 * @param AsyncContext [in] context that tracks the call
 * @param phCredential [in] read during the call only
 * @return queue status, see the top of this file; never refused for load. If there is a callback
 *         and no thread to run it, SEC_E_INSUFFICIENT_MEMORY or SEC_E_SHUTDOWN_IN_PROGRESS; the
 *         credential is freed all the same. Call status: SEC_E_OK, or SEC_E_INVALID_HANDLE if it
 *         was no credential
 */
OSSPI_API SECURITY_STATUS SspiFreeCredentialsHandleAsync(SspiAsyncContext *AsyncContext,
                                                         PCredHandle phCredential);

/**
 * DeleteSecurityContext, asynchronously: the handle is invalid when this returns. The async context
 * may be freed right after, if it has no callback.
 *
 * @param AsyncContext [in] context that tracks the call
 * @param phContext    [in] read during the call only
 * @return queue status, see the top of this file; never refused for load. If there is a callback
 *         and no thread to run it, SEC_E_INSUFFICIENT_MEMORY or SEC_E_SHUTDOWN_IN_PROGRESS; the
 *         context is deleted all the same. Call status: SEC_E_OK (also if it was deleted before),
 *         or SEC_E_INVALID_HANDLE if it was no security context
 */
OSSPI_API SECURITY_STATUS SspiDeleteSecurityContextAsync(SspiAsyncContext *AsyncContext,
                                                         PCtxtHandle phContext);

OSSPI_EXTERN_C_END

#ifdef UNICODE
#define SspiAcquireCredentialsHandleAsync  SspiAcquireCredentialsHandleAsyncW
#define SspiInitializeSecurityContextAsync SspiInitializeSecurityContextAsyncW
#else
#define SspiAcquireCredentialsHandleAsync  SspiAcquireCredentialsHandleAsyncA
#define SspiInitializeSecurityContextAsync SspiInitializeSecurityContextAsyncA
#endif

#endif /* OPENSSPI_OSSPI_SSPI_ASYNC_H */
