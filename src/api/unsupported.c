/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Functions that sspi.h declares and no package implements: each exists, looks at nothing and says
 * so. A package that brings one of them moves it out of here.
 */
#define SECURITY_WIN32 /* for SASL */

#include <sspi.h>

#include "api/token.h"
#include "core/object.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

/* ---- packages ---- */

SECURITY_STATUS AddSecurityPackageW(LPWSTR pszPackageName, PSECURITY_PACKAGE_OPTIONS pOptions)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS AddSecurityPackageA(LPSTR pszPackageName, PSECURITY_PACKAGE_OPTIONS pOptions)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS DeleteSecurityPackageW(LPWSTR pszPackageName)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS DeleteSecurityPackageA(LPSTR pszPackageName)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

/* ---- contexts: a bad handle is still told apart ---- */

SECURITY_STATUS DelegateSecurityContext(PCtxtHandle phContext, SEC_CHAR *pszTarget,
                                        SecDelegationType DelegationType, PTimeStamp pExpiry,
                                        PSecBuffer pPackageParameters, PSecBufferDesc pOutput)
{
    return osspi_context_delegate(phContext);
}

/* ---- SASL ---- */

SECURITY_STATUS SaslEnumerateProfilesW(LPWSTR *ProfileList, ULONG *ProfileCount)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslEnumerateProfilesA(LPSTR *ProfileList, ULONG *ProfileCount)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslGetProfilePackageW(LPWSTR ProfileName, PSecPkgInfoW *PackageInfo)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslGetProfilePackageA(LPSTR ProfileName, PSecPkgInfoA *PackageInfo)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslIdentifyPackageW(PSecBufferDesc pInput, PSecPkgInfoW *PackageInfo)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslIdentifyPackageA(PSecBufferDesc pInput, PSecPkgInfoA *PackageInfo)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslInitializeSecurityContextW(PCredHandle phCredential, PCtxtHandle phContext,
                                               LPWSTR pszTargetName, ULONG fContextReq,
                                               ULONG Reserved1, ULONG TargetDataRep,
                                               PSecBufferDesc pInput, ULONG Reserved2,
                                               PCtxtHandle phNewContext, PSecBufferDesc pOutput,
                                               ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslInitializeSecurityContextA(PCredHandle phCredential, PCtxtHandle phContext,
                                               LPSTR pszTargetName, ULONG fContextReq,
                                               ULONG Reserved1, ULONG TargetDataRep,
                                               PSecBufferDesc pInput, ULONG Reserved2,
                                               PCtxtHandle phNewContext, PSecBufferDesc pOutput,
                                               ULONG *pfContextAttr, PTimeStamp ptsExpiry)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslAcceptSecurityContext(PCredHandle phCredential, PCtxtHandle phContext,
                                          PSecBufferDesc pInput, ULONG fContextReq,
                                          ULONG TargetDataRep, PCtxtHandle phNewContext,
                                          PSecBufferDesc pOutput, ULONG *pfContextAttr,
                                          PTimeStamp ptsExpiry)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslSetContextOption(PCtxtHandle ContextHandle, ULONG Option, PVOID Value,
                                     ULONG Size)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SaslGetContextOption(PCtxtHandle ContextHandle, ULONG Option, PVOID Value,
                                     ULONG Size, PULONG Needed)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

/* ---- secrets of identities that only their maker can read ---- */

SECURITY_STATUS SspiEncryptAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SspiEncryptAuthIdentityEx(ULONG Options, PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SspiDecryptAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE EncryptedAuthData)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SspiDecryptAuthIdentityEx(ULONG Options,
                                          PSEC_WINNT_AUTH_IDENTITY_OPAQUE EncryptedAuthData)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

/* ---- stored credentials and prompts ---- */

SECURITY_STATUS SspiPrepareForCredRead(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity,
                                       PCWSTR pszTargetName, PULONG pCredmanCredentialType,
                                       PCWSTR *ppszCredmanTargetName)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SspiPrepareForCredWrite(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity,
                                        PCWSTR pszTargetName, PULONG pCredmanCredentialType,
                                        PCWSTR *ppszCredmanTargetName, PCWSTR *ppszCredmanUserName,
                                        PUCHAR *ppCredentialBlob, PULONG pCredentialBlobSize)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

ULONG SspiPromptForCredentialsW(PCWSTR pszTargetName, PVOID pUiInfo, ULONG dwAuthError,
                                PCWSTR pszPackage,
                                PSEC_WINNT_AUTH_IDENTITY_OPAQUE pInputAuthIdentity,
                                PSEC_WINNT_AUTH_IDENTITY_OPAQUE *ppAuthIdentity, int *pfSave,
                                ULONG dwFlags)
{
    return (ULONG)SEC_E_UNSUPPORTED_FUNCTION;
}

ULONG SspiPromptForCredentialsA(PCSTR pszTargetName, PVOID pUiInfo, ULONG dwAuthError,
                                PCSTR pszPackage,
                                PSEC_WINNT_AUTH_IDENTITY_OPAQUE pInputAuthIdentity,
                                PSEC_WINNT_AUTH_IDENTITY_OPAQUE *ppAuthIdentity, int *pfSave,
                                ULONG dwFlags)
{
    return (ULONG)SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SspiGetCredUIContext(HANDLE ContextHandle, GUID *CredType, LUID *LogonId,
                                     PSEC_WINNT_CREDUI_CONTEXT_VECTOR *CredUIContexts,
                                     HANDLE *TokenHandle)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SspiUpdateCredentials(HANDLE ContextHandle, GUID *CredType,
                                      ULONG FlatCredUIContextLength, PUCHAR FlatCredUIContext)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS SspiUnmarshalCredUIContext(PUCHAR MarshaledCredUIContext,
                                           ULONG MarshaledCredUIContextLength,
                                           PSEC_WINNT_CREDUI_CONTEXT *CredUIContext)
{
    return SEC_E_UNSUPPORTED_FUNCTION;
}

/* There is nobody to prompt. */
BOOLEAN SspiIsPromptingNeeded(ULONG ErrorOrNtStatus)
{
    return FALSE;
}
