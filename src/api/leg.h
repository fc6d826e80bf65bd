/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One leg of a handshake as the caller asked for it, the same for InitializeSecurityContext and
 * AcceptSecurityContext, their A, W and counted forms, synchronous and asynchronous.
 */
#ifndef OSSPI_API_LEG_H
#define OSSPI_API_LEG_H

#include <sspi.h>
#include <stdbool.h>

#include "api/text.h"

/** The arguments, as they came in. */
struct osspi_leg_request {
    bool accept;
    PCredHandle credential;
    PCtxtHandle context;
    struct osspi_text target; /* initiator only */
    ULONG flags;
    ULONG data_rep;
    PSecBufferDesc in;
    PCtxtHandle new_context;
    PSecBufferDesc out;
    ULONG *attributes;
    PTimeStamp expiry;
};

/** Makes the leg on the calling thread. */
SECURITY_STATUS osspi_leg_sync(const struct osspi_leg_request *request);

/** Queues the leg; the queue status. What is wrong with the arguments is a call status. */
SECURITY_STATUS osspi_leg_async(SspiAsyncContext *async, const struct osspi_leg_request *request);

#endif
