/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CredSSP: TLS outside, Negotiate inside, and the user's credentials handed to the server in
 * between. Names, layouts and values are Windows'.
 */
#ifndef OPENSSPI_CREDSSP_H
#define OPENSSPI_CREDSSP_H

#include "sspi.h"

OSSPI_EXTERN_C_BEGIN

/** Package name. */
#define CREDSSP_NAME_A "CREDSSP"
#define CREDSSP_NAME_W OSSPI_WTEXT("CREDSSP")
#ifdef UNICODE
#define CREDSSP_NAME CREDSSP_NAME_W
#else
#define CREDSSP_NAME CREDSSP_NAME_A
#endif

/** What the credentials in a CREDSSP_CRED are. */
typedef enum _CREDSSP_SUBMIT_TYPE {
    CredsspPasswordCreds = 2,
    CredsspSchannelCreds = 4,
    CredsspCertificateCreds = 13,
    CredsspSubmitBufferBoth = 50, /* both pointers are set */
    CredsspSubmitBufferBothOld = 51
} CREDSPP_SUBMIT_TYPE; /* the slip in the name is Windows' own */

/** pAuthData of AcquireCredentialsHandle for CredSSP; copied by the call. */
typedef struct _CREDSSP_CRED {
    CREDSPP_SUBMIT_TYPE Type;
    PVOID pSchannelCred; /* SCHANNEL_CRED or SCH_CREDENTIALS, or NULL */
    PVOID pSpnegoCred;   /* a SEC_WINNT_AUTH_IDENTITY form, or NULL */
} CREDSSP_CRED, *PCREDSSP_CRED;

/** SECPKG_ATTR_CREDS_2 on a server: what the client delegated. A secret: wipe before freeing. */
typedef struct _SecPkgContext_ClientCreds {
    ULONG AuthBufferLen;
    PUCHAR AuthBuffer;
} SecPkgContext_ClientCreds, *PSecPkgContext_ClientCreds;

OSSPI_EXTERN_C_END

#endif /* OPENSSPI_CREDSSP_H */
