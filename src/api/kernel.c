/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The kernel flavour: functions with counted strings, and those that only kernel mode declares.
 *
 * This file is built with SECURITY_KERNEL, so the names below are bound to osspi_kernel_... symbols
 * and every definition is checked against the declaration that kernel-mode callers see.
 */
#define SECURITY_KERNEL

#include <sspi.h>

#include "api/credential.h"
#include "api/leg.h"
#include "api/package.h"
#include "api/reserved.h"
#include "api/text.h"
#include "api/token.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

/* ---- credentials ---- */

SECURITY_STATUS AcquireCredentialsHandleW(PSECURITY_STRING pszPrincipal,
                                          PSECURITY_STRING pszPackage, ULONG fCredentialUse,
                                          void *pvLogonId, void *pAuthData,
                                          SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument,
                                          PCredHandle phCredential, PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = {
        .wide = true,
        .principal = osspi_text_counted(pszPrincipal),
        .package = osspi_text_counted(pszPackage),
        .use = fCredentialUse,
        .logon_id = pvLogonId,
        .auth = pAuthData,
        .get_key = pGetKeyFn,
        .get_key_argument = pvGetKeyArgument,
        .credential = phCredential,
        .expiry = ptsExpiry,
    };

    return osspi_acquire_sync(&request);
}

SECURITY_STATUS SspiAcquireCredentialsHandleAsyncW(
    SspiAsyncContext *AsyncContext, PSECURITY_STRING pszPrincipal, PSECURITY_STRING pszPackage,
    ULONG fCredentialUse, void *pvLogonId, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn,
    void *pvGetKeyArgument, PCredHandle phCredential, PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = {
        .wide = true,
        .principal = osspi_text_counted(pszPrincipal),
        .package = osspi_text_counted(pszPackage),
        .use = fCredentialUse,
        .logon_id = pvLogonId,
        .auth = pAuthData,
        .get_key = pGetKeyFn,
        .get_key_argument = pvGetKeyArgument,
        .credential = phCredential,
        .expiry = ptsExpiry,
    };

    return osspi_acquire_async(AsyncContext, &request);
}

SECURITY_STATUS AddCredentialsW(PCredHandle hCredentials, PSECURITY_STRING pszPrincipal,
                                PSECURITY_STRING pszPackage, ULONG fCredentialUse, void *pAuthData,
                                SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument,
                                PTimeStamp ptsExpiry)
{
    struct osspi_acquire_request request = {
        .wide = true,
        .principal = osspi_text_counted(pszPrincipal),
        .package = osspi_text_counted(pszPackage),
        .use = fCredentialUse,
        .auth = pAuthData,
        .get_key = pGetKeyFn,
        .get_key_argument = pvGetKeyArgument,
        .credential = hCredentials,
        .expiry = ptsExpiry,
    };

    return osspi_add_credentials(&request);
}

/* ---- contexts ---- */

SECURITY_STATUS InitializeSecurityContextW(PCredHandle phCredential, PCtxtHandle phContext,
                                           PSECURITY_STRING pszTargetName, ULONG fContextReq,
                                           ULONG Reserved1, ULONG TargetDataRep,
                                           PSecBufferDesc pInput, ULONG Reserved2,
                                           PCtxtHandle phNewContext, PSecBufferDesc pOutput,
                                           ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    struct osspi_leg_request request = {
        .credential = phCredential,
        .context = phContext,
        .target = osspi_text_counted(pszTargetName),
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

SECURITY_STATUS SspiInitializeSecurityContextAsyncW(
    SspiAsyncContext *AsyncContext, PCredHandle phCredential, PCtxtHandle phContext,
    PSECURITY_STRING pszTargetName, ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep,
    PSecBufferDesc pInput, ULONG Reserved2, PCtxtHandle phNewContext, PSecBufferDesc pOutput,
    ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    struct osspi_leg_request request = {
        .credential = phCredential,
        .context = phContext,
        .target = osspi_text_counted(pszTargetName),
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

SECURITY_STATUS ImportSecurityContextW(PSECURITY_STRING pszPackage, PSecBuffer pPackedContext,
                                       void *Token, PCtxtHandle phContext)
{
    return osspi_context_import(osspi_text_counted(pszPackage), pPackedContext, Token, phContext);
}

SECURITY_STATUS DelegateSecurityContext(PCtxtHandle phContext, PSECURITY_STRING pszTarget,
                                        SecDelegationType DelegationType, PTimeStamp pExpiry,
                                        PSecBuffer pPackageParameters, PSecBufferDesc pOutput)
{
    return osspi_context_delegate(phContext);
}

/* ---- packages ---- */

SECURITY_STATUS QuerySecurityPackageInfoW(PSECURITY_STRING pszPackageName,
                                          PSecPkgInfoW *ppPackageInfo)
{
    return osspi_package_query(osspi_text_counted(pszPackageName), true, ppPackageInfo);
}

static const SecurityFunctionTableW table = {
    .dwVersion = SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION_5,
    .EnumerateSecurityPackagesW = EnumerateSecurityPackagesW,
    .QueryCredentialsAttributesW = QueryCredentialsAttributesW,
    .AcquireCredentialsHandleW = AcquireCredentialsHandleW,
    .FreeCredentialsHandle = FreeCredentialsHandle,
    .Reserved2 = OSSPI_RESERVED_SLOT,
    .InitializeSecurityContextW = InitializeSecurityContextW,
    .AcceptSecurityContext = AcceptSecurityContext,
    .CompleteAuthToken = CompleteAuthToken,
    .DeleteSecurityContext = DeleteSecurityContext,
    .ApplyControlToken = ApplyControlToken,
    .QueryContextAttributesW = QueryContextAttributesW,
    .ImpersonateSecurityContext = ImpersonateSecurityContext,
    .RevertSecurityContext = RevertSecurityContext,
    .MakeSignature = MakeSignature,
    .VerifySignature = VerifySignature,
    .FreeContextBuffer = FreeContextBuffer,
    .QuerySecurityPackageInfoW = QuerySecurityPackageInfoW,
    .Reserved3 = OSSPI_RESERVED_SLOT,
    .Reserved4 = OSSPI_RESERVED_SLOT,
    .ExportSecurityContext = ExportSecurityContext,
    .ImportSecurityContextW = ImportSecurityContextW,
    .AddCredentialsW = AddCredentialsW,
    .Reserved8 = OSSPI_RESERVED_SLOT,
    .QuerySecurityContextToken = QuerySecurityContextToken,
    .EncryptMessage = EncryptMessage,
    .DecryptMessage = DecryptMessage,
    .SetContextAttributesW = SetContextAttributesW,
    .SetCredentialsAttributesW = SetCredentialsAttributesW,
    .Reserved9 = OSSPI_RESERVED_SLOT,
    .QueryContextAttributesExW = QueryContextAttributesExW,
    .QueryCredentialsAttributesExW = QueryCredentialsAttributesExW,
};

PSecurityFunctionTableW InitSecurityInterfaceW(void)
{
    return (PSecurityFunctionTableW)&table;
}

/* ---- declared in kernel mode only; no package has them ---- */

NTSTATUS SecMakeSPN(PUNICODE_STRING ServiceClass, PUNICODE_STRING ServiceName,
                    PUNICODE_STRING InstanceName, USHORT InstancePort, PUNICODE_STRING Referrer,
                    PUNICODE_STRING Spn, PULONG Length, BOOLEAN Allocate)
{
    return SecMakeSPNEx2(ServiceClass, ServiceName, InstanceName, InstancePort, Referrer, NULL, Spn,
                         Length, Allocate, FALSE);
}

NTSTATUS SecMakeSPNEx(PUNICODE_STRING ServiceClass, PUNICODE_STRING ServiceName,
                      PUNICODE_STRING InstanceName, USHORT InstancePort, PUNICODE_STRING Referrer,
                      PUNICODE_STRING TargetInfo, PUNICODE_STRING Spn, PULONG Length,
                      BOOLEAN Allocate)
{
    return SecMakeSPNEx2(ServiceClass, ServiceName, InstanceName, InstancePort, Referrer,
                         TargetInfo, Spn, Length, Allocate, FALSE);
}

NTSTATUS SecMakeSPNEx2(PUNICODE_STRING ServiceClass, PUNICODE_STRING ServiceName,
                       PUNICODE_STRING InstanceName, USHORT InstancePort, PUNICODE_STRING Referrer,
                       PUNICODE_STRING InTargetInfo, PUNICODE_STRING Spn, PULONG TotalSize,
                       BOOLEAN Allocate, BOOLEAN IsTargetInfoMarshaled)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

NTSTATUS SecLookupAccountSid(PSID Sid, PULONG NameSize, PUNICODE_STRING NameBuffer,
                             PULONG DomainSize, PUNICODE_STRING DomainBuffer,
                             OSSPI_PSID_NAME_USE NameUse)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

NTSTATUS SecLookupAccountName(PUNICODE_STRING Name, PULONG SidSize, PSID Sid,
                              OSSPI_PSID_NAME_USE NameUse, PULONG DomainSize,
                              PUNICODE_STRING ReferencedDomain)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

NTSTATUS SecLookupWellKnownSid(OSSPI_WELL_KNOWN_SID_TYPE SidType, PSID Sid, ULONG SidBufferSize,
                               PULONG SidSize)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}
