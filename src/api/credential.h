/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * AcquireCredentialsHandle as the caller asked for it, the same for its A, W and counted forms,
 * synchronous and asynchronous.
 */
#ifndef OSSPI_API_CREDENTIAL_H
#define OSSPI_API_CREDENTIAL_H

#include <sspi.h>
#include <stdbool.h>

#include "api/text.h"

/** The arguments, as they came in. */
struct osspi_acquire_request {
    bool wide; /* a W form */
    struct osspi_text principal;
    struct osspi_text package;
    ULONG use;
    void *logon_id;
    void *auth;
    SEC_GET_KEY_FN get_key;
    void *get_key_argument;
    PCredHandle credential;
    PTimeStamp expiry;
};

/** Acquires on the calling thread. */
SECURITY_STATUS osspi_acquire_sync(const struct osspi_acquire_request *request);

/** Queues the call; the queue status. An unknown package or bad auth data is a call status. */
SECURITY_STATUS osspi_acquire_async(SspiAsyncContext *async,
                                    const struct osspi_acquire_request *request);

/** AddCredentials; request->credential is the handle to add to. */
SECURITY_STATUS osspi_add_credentials(const struct osspi_acquire_request *request);

#endif
