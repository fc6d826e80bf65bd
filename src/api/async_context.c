/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The six functions on async contexts (sspi.h). What they do is in src/async/call.c; a handle is
 * checked there, because it is the slot's word that tells whether it is good.
 */
#include <sspi.h>

#include "async/engine.h"

SspiAsyncContext *SspiCreateAsyncContext(void)
{
    return osspi_call_create();
}

void SspiFreeAsyncContext(SspiAsyncContext *Handle)
{
    osspi_call_free(Handle);
}

NTSTATUS SspiReinitAsyncContext(SspiAsyncContext *Handle)
{
    return osspi_call_reinit(Handle);
}

SECURITY_STATUS SspiSetAsyncNotifyCallback(SspiAsyncContext *Context,
                                           SspiAsyncNotifyCallback Callback, void *CallbackData)
{
    return osspi_call_set_notify(Context, Callback, CallbackData);
}

BOOLEAN SspiAsyncContextRequiresNotify(SspiAsyncContext *AsyncContext)
{
    return osspi_call_requires_notify(AsyncContext);
}

SECURITY_STATUS SspiGetAsyncCallStatus(SspiAsyncContext *Handle)
{
    return osspi_call_status(Handle);
}
