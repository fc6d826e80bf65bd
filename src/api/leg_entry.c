/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The exported forms of a leg; all of them fill one struct and go to leg.c. Reserved1 and Reserved2
 * are not looked at: callers pass all sorts of things, and nothing depends on them.
 */
#include "api/leg.h"

SECURITY_STATUS InitializeSecurityContextA(PCredHandle phCredential, PCtxtHandle phContext,
                                           SEC_CHAR *pszTargetName, ULONG fContextReq,
                                           ULONG Reserved1, ULONG TargetDataRep,
                                           PSecBufferDesc pInput, ULONG Reserved2,
                                           PCtxtHandle phNewContext, PSecBufferDesc pOutput,
                                           ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    struct osspi_leg_request request = {
        .credential = phCredential,
        .context = phContext,
        .target = osspi_text_utf8(pszTargetName),
        .flags = fContextReq,
        .data_rep = TargetDataRep,
        .in = pInput,
        .new_context = phNewContext,
        .out = pOutput,
        .attributes = pfContextAttr,
        .expiry = ptsExpiry,
    };

    (void)Reserved1;
    (void)Reserved2;
    return osspi_leg_sync(&request);
}

SECURITY_STATUS InitializeSecurityContextW(PCredHandle phCredential, PCtxtHandle phContext,
                                           SEC_WCHAR *pszTargetName, ULONG fContextReq,
                                           ULONG Reserved1, ULONG TargetDataRep,
                                           PSecBufferDesc pInput, ULONG Reserved2,
                                           PCtxtHandle phNewContext, PSecBufferDesc pOutput,
                                           ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    struct osspi_leg_request request = {
        .credential = phCredential,
        .context = phContext,
        .target = osspi_text_utf16(pszTargetName),
        .flags = fContextReq,
        .data_rep = TargetDataRep,
        .in = pInput,
        .new_context = phNewContext,
        .out = pOutput,
        .attributes = pfContextAttr,
        .expiry = ptsExpiry,
    };

    (void)Reserved1;
    (void)Reserved2;
    return osspi_leg_sync(&request);
}

SECURITY_STATUS SspiInitializeSecurityContextAsyncA(
    SspiAsyncContext *AsyncContext, PCredHandle phCredential, PCtxtHandle phContext,
    LPSTR pszTargetName, ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep,
    PSecBufferDesc pInput, ULONG Reserved2, PCtxtHandle phNewContext, PSecBufferDesc pOutput,
    ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    struct osspi_leg_request request = {
        .credential = phCredential,
        .context = phContext,
        .target = osspi_text_utf8(pszTargetName),
        .flags = fContextReq,
        .data_rep = TargetDataRep,
        .in = pInput,
        .new_context = phNewContext,
        .out = pOutput,
        .attributes = pfContextAttr,
        .expiry = ptsExpiry,
    };

    (void)Reserved1;
    (void)Reserved2;
    return osspi_leg_async(AsyncContext, &request);
}

SECURITY_STATUS SspiInitializeSecurityContextAsyncW(
    SspiAsyncContext *AsyncContext, PCredHandle phCredential, PCtxtHandle phContext,
    SEC_WCHAR *pszTargetName, ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep,
    PSecBufferDesc pInput, ULONG Reserved2, PCtxtHandle phNewContext, PSecBufferDesc pOutput,
    ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    struct osspi_leg_request request = {
        .credential = phCredential,
        .context = phContext,
        .target = osspi_text_utf16(pszTargetName),
        .flags = fContextReq,
        .data_rep = TargetDataRep,
        .in = pInput,
        .new_context = phNewContext,
        .out = pOutput,
        .attributes = pfContextAttr,
        .expiry = ptsExpiry,
    };

    (void)Reserved1;
    (void)Reserved2;
    return osspi_leg_async(AsyncContext, &request);
}

SECURITY_STATUS AcceptSecurityContext(PCredHandle phCredential, PCtxtHandle phContext,
                                      PSecBufferDesc pInput, ULONG fContextReq, ULONG TargetDataRep,
                                      PCtxtHandle phNewContext, PSecBufferDesc pOutput,
                                      ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    struct osspi_leg_request request = {
        .accept = true,
        .credential = phCredential,
        .context = phContext,
        .flags = fContextReq,
        .data_rep = TargetDataRep,
        .in = pInput,
        .new_context = phNewContext,
        .out = pOutput,
        .attributes = pfContextAttr,
        .expiry = ptsExpiry,
    };

    return osspi_leg_sync(&request);
}

SECURITY_STATUS SspiAcceptSecurityContextAsync(SspiAsyncContext *AsyncContext,
                                               PCredHandle phCredential, PCtxtHandle phContext,
                                               PSecBufferDesc pInput, ULONG fContextReq,
                                               ULONG TargetDataRep, PCtxtHandle phNewContext,
                                               PSecBufferDesc pOutput, ULONG *pfContextAttr,
                                               PTimeStamp ptsExpiry)
{
    struct osspi_leg_request request = {
        .accept = true,
        .credential = phCredential,
        .context = phContext,
        .flags = fContextReq,
        .data_rep = TargetDataRep,
        .in = pInput,
        .new_context = phNewContext,
        .out = pOutput,
        .attributes = pfContextAttr,
        .expiry = ptsExpiry,
    };

    return osspi_leg_async(AsyncContext, &request);
}
