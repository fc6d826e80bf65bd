/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The asynchronous calls of a form (tls_peer.h). How a call is prepared and awaited is up to who
 * uses this; the five calls in between are the same for all.
 *
 * A form cannot take an argument of its own, hence functions made by a macro: each way of waiting
 * gets its five, and threads may use them at once as far as its two functions allow it.
 */
#ifndef OSSPI_TESTS_SUPPORT_TLS_ASYNC_H
#define OSSPI_TESTS_SUPPORT_TLS_ASYNC_H

#include "support/tls_peer.h"

/**
 * Defines <way>_acquire() to <way>_free(), for which there have to be
 *   struct <way>_waiter                  with a member SspiAsyncContext *async
 *   void <way>_prepare(waiter)           makes the async context, which has to be idle
 *   SECURITY_STATUS <way>_finish(waiter, queued)
 *                                        waits if the call was queued, frees what prepare made, and
 *                                        gives the status of the call
 */
#define PEER_ASYNC_CALLS(way) \
    static SECURITY_STATUS way##_acquire(LPSTR package, ULONG use, void *auth, \
                                         PCredHandle credential, PTimeStamp expiry) \
    { \
        struct way##_waiter waiter; \
\
        way##_prepare(&waiter); \
        return way##_finish( \
            &waiter, SspiAcquireCredentialsHandleAsyncA(waiter.async, NULL, package, use, NULL, \
                                                        auth, NULL, NULL, credential, expiry)); \
    } \
    static SECURITY_STATUS way##_initialize( \
        PCredHandle credential, PCtxtHandle context, LPSTR target, ULONG flags, PSecBufferDesc in, \
        PCtxtHandle new_context, PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry) \
    { \
        struct way##_waiter waiter; \
\
        way##_prepare(&waiter); \
        return way##_finish(&waiter, SspiInitializeSecurityContextAsyncA( \
                                         waiter.async, credential, context, target, flags, 0, \
                                         SECURITY_NATIVE_DREP, in, 0, new_context, out, \
                                         attributes, expiry)); \
    } \
    static SECURITY_STATUS way##_accept(PCredHandle credential, PCtxtHandle context, ULONG flags, \
                                        PSecBufferDesc in, PCtxtHandle new_context, \
                                        PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry) \
    { \
        struct way##_waiter waiter; \
\
        way##_prepare(&waiter); \
        return way##_finish( \
            &waiter, SspiAcceptSecurityContextAsync(waiter.async, credential, context, in, flags, \
                                                    0, new_context, out, attributes, expiry)); \
    } \
    static SECURITY_STATUS way##_delete(PCtxtHandle context) \
    { \
        struct way##_waiter waiter; \
\
        way##_prepare(&waiter); \
        return way##_finish(&waiter, SspiDeleteSecurityContextAsync(waiter.async, context)); \
    } \
    static SECURITY_STATUS way##_free(PCredHandle credential) \
    { \
        struct way##_waiter waiter; \
\
        way##_prepare(&waiter); \
        return way##_finish(&waiter, SspiFreeCredentialsHandleAsync(waiter.async, credential)); \
    }

/** The five calls and their name, to initialise a struct peer_form. */
#define PEER_ASYNC_FORM(way) \
    { \
#way, way##_acquire, way##_initialize, way##_accept, way##_delete, way##_free \
    }

#endif
