/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What Schannel's own attributes read and write. Included by schannel.h, not meant to be included
 * alone.
 *
 * The caller owns the outer structure; a pointer that a query puts into it is freed with
 * FreeContextBuffer. Some attributes have no structure: REMOTE_CERT_CONTEXT and LOCAL_CERT_CONTEXT
 * write a PCCERT_CONTEXT, for CertFreeCertificateContext; REMOTE_CERT_CHAIN a PCCERT_CHAIN_CONTEXT,
 * for CertFreeCertificateChain; SERIALIZED_REMOTE_CERT_CONTEXT and its _INPROC a CERT_BLOB.
 */
#ifndef OPENSSPI_OSSPI_SCHANNEL_ATTRIBUTES_H
#define OPENSSPI_OSSPI_SCHANNEL_ATTRIBUTES_H

#include "osspi_types.h"

OSSPI_EXTERN_C_BEGIN

/* --- The connection --- */

/** SECPKG_ATTR_CONNECTION_INFO. Strengths are bits; an AEAD suite has hash strength 0. */
typedef struct _SecPkgContext_ConnectionInfo {
    DWORD dwProtocol; /* one SP_PROT_ bit */
    ALG_ID aiCipher;
    DWORD dwCipherStrength;
    ALG_ID aiHash;
    DWORD dwHashStrength;
    ALG_ID aiExch;
    DWORD dwExchStrength;
} SecPkgContext_ConnectionInfo, *PSecPkgContext_ConnectionInfo;

/** SECPKG_ATTR_CONNECTION_INFO_EX. */
typedef struct _SecPkgContext_ConnectionInfoEx {
    DWORD dwVersion; /* SECPKGCONTEXT_CONNECTION_INFO_EX_V1 */
    DWORD dwProtocol;
    WCHAR szCipher[SZ_ALG_MAX_SIZE];
    DWORD dwCipherStrength;
    WCHAR szHash[SZ_ALG_MAX_SIZE];
    DWORD dwHashStrength;
    WCHAR szExchange[SZ_ALG_MAX_SIZE];
    DWORD dwExchStrength;
} SecPkgContext_ConnectionInfoEx, *PSecPkgContext_ConnectionInfoEx;

/** SECPKG_ATTR_CIPHER_INFO. The caller sets dwVersion before it asks. */
typedef struct _SecPkgContext_CipherInfo {
    DWORD dwVersion;     /* [in] SECPKGCONTEXT_CIPHERINFO_V1 */
    DWORD dwProtocol;    /* as on the wire: 0x0303, 0x0304 */
    DWORD dwCipherSuite; /* IANA number */
    DWORD dwBaseCipherSuite;
    WCHAR szCipherSuite[SZ_ALG_MAX_SIZE];
    WCHAR szCipher[SZ_ALG_MAX_SIZE];
    DWORD dwCipherLen;      /* bits */
    DWORD dwCipherBlockLen; /* bytes */
    WCHAR szHash[SZ_ALG_MAX_SIZE];
    DWORD dwHashLen; /* bits */
    WCHAR szExchange[SZ_ALG_MAX_SIZE];
    DWORD dwMinExchangeLen; /* bits */
    DWORD dwMaxExchangeLen; /* bits */
    WCHAR szCertificate[SZ_ALG_MAX_SIZE];
    DWORD dwKeyType; /* named group */
} SecPkgContext_CipherInfo, *PSecPkgContext_CipherInfo;

/** SECPKG_ATTR_SESSION_INFO. */
typedef struct _SecPkgContext_SessionInfo {
    DWORD dwFlags; /* SSL_SESSION_RECONNECT: resumed */
    DWORD cbSessionId;
    BYTE rgbSessionId[32];
} SecPkgContext_SessionInfo, *PSecPkgContext_SessionInfo;

/** SECPKG_ATTR_APP_DATA, get and set. */
typedef struct _SecPkgContext_SessionAppData {
    DWORD dwFlags;
    DWORD cbAppData;
    PBYTE pbAppData;
} SecPkgContext_SessionAppData, *PSecPkgContext_SessionAppData;

typedef enum _eTlsSignatureAlgorithm {
    TlsSignatureAlgorithm_Anonymous = 0,
    TlsSignatureAlgorithm_Rsa = 1,
    TlsSignatureAlgorithm_Dsa = 2,
    TlsSignatureAlgorithm_Ecdsa = 3
} eTlsSignatureAlgorithm;

typedef enum _eTlsHashAlgorithm {
    TlsHashAlgorithm_None = 0,
    TlsHashAlgorithm_Md5 = 1,
    TlsHashAlgorithm_Sha1 = 2,
    TlsHashAlgorithm_Sha224 = 3,
    TlsHashAlgorithm_Sha256 = 4,
    TlsHashAlgorithm_Sha384 = 5,
    TlsHashAlgorithm_Sha512 = 6
} eTlsHashAlgorithm;

/** SECPKG_ATTR_SUPPORTED_SIGNATURES: high byte eTlsSignatureAlgorithm, low byte eTlsHashAlgorithm.
 */
typedef struct _SecPkgContext_SupportedSignatures {
    WORD cSignatureAndHashAlgorithms;
    WORD *pSignatureAndHashAlgorithms;
} SecPkgContext_SupportedSignatures, *PSecPkgContext_SupportedSignatures;

/** SECPKG_ATTR_SRTP_PARAMETERS. */
typedef struct _SecPkgContext_SrtpParameters {
    WORD ProtectionProfile; /* network order, 0 = none */
    BYTE MasterKeyIdentifierSize;
    PBYTE MasterKeyIdentifier;
} SecPkgContext_SrtpParameters, *PSecPkgContext_SrtpParameters;

/** SECPKG_ATTR_TOKEN_BINDING. */
typedef struct _SecPkgContext_TokenBinding {
    BYTE MajorVersion;
    BYTE MinorVersion;
    WORD KeyParametersSize;
    PBYTE KeyParameters;
} SecPkgContext_TokenBinding, *PSecPkgContext_TokenBinding;

/** SECPKG_ATTR_EARLY_START, set. */
typedef struct _SecPkgContext_EarlyStart {
    DWORD dwEarlyStartFlags;
} SecPkgContext_EarlyStart, *PSecPkgContext_EarlyStart;

/** SECPKG_ATTR_UI_INFO, set. */
typedef struct _SecPkgContext_UiInfo {
    HWND hParentWindow;
} SecPkgContext_UiInfo, *PSecPkgContext_UiInfo;

/* --- Certificates --- */

/** SECPKG_ATTR_REMOTE_CERTIFICATES: the peer's chain, each certificate as a 32-bit length and DER.
 */
typedef struct _SecPkgContext_Certificates {
    DWORD cCertificates;
    DWORD cbCertificateChain;
    PBYTE pbCertificateChain;
} SecPkgContext_Certificates, *PSecPkgContext_Certificates;

/** SECPKG_ATTR_LOCAL_CERT_INFO. */
typedef struct _SecPkgContext_CertInfo {
    DWORD dwVersion; /* KERN_CONTEXT_CERT_INFO_V1 */
    DWORD cbSubjectName;
    LPWSTR pwszSubjectName;
    DWORD cbIssuerName;
    LPWSTR pwszIssuerName;
    DWORD dwKeySize;
} SecPkgContext_CertInfo, *PSecPkgContext_CertInfo;

/** SECPKG_ATTR_CERT_CHECK_RESULT: the verdict on the peer's chain. */
typedef struct _SecPkgContext_CertificateValidationResult {
    DWORD dwChainErrorStatus; /* CERT_TRUST_... */
    HRESULT hrVerifyChainStatus;
} SecPkgContext_CertificateValidationResult, *PSecPkgContext_CertificateValidationResult;

/** SECPKG_ATTR_ISSUER_LIST_EX: what the server accepts, as DER names. */
typedef struct _SecPkgContext_IssuerListInfoEx {
    PCERT_NAME_BLOB aIssuers;
    DWORD cIssuers;
} SecPkgContext_IssuerListInfoEx, *PSecPkgContext_IssuerListInfoEx;

/** SECPKG_ATTR_ISSUER_LIST, obsolete. */
typedef struct _SecPkgContext_IssuerListInfo {
    DWORD cbIssuerList;
    PBYTE pIssuerList;
} SecPkgContext_IssuerListInfo, *PSecPkgContext_IssuerListInfo;

/** SECPKG_ATTR_REMOTE_CRED, obsolete. */
typedef struct _SecPkgContext_RemoteCredentialInfo {
    DWORD cbCertificateChain;
    PBYTE pbCertificateChain;
    DWORD cCertificates;
    DWORD fFlags; /* RCRED_... */
    DWORD dwBits;
} SecPkgContext_RemoteCredentialInfo, *PSecPkgContext_RemoteCredentialInfo;
/* Windows has both spellings. */
typedef SecPkgContext_RemoteCredentialInfo SecPkgContext_RemoteCredenitalInfo,
    *PSecPkgContext_RemoteCredenitalInfo;

/** SECPKG_ATTR_LOCAL_CRED, obsolete. */
typedef struct _SecPkgContext_LocalCredentialInfo {
    DWORD cbCertificateChain;
    PBYTE pbCertificateChain;
    DWORD cCertificates;
    DWORD fFlags; /* LCRED_... */
    DWORD dwBits;
} SecPkgContext_LocalCredentialInfo, *PSecPkgContext_LocalCredentialInfo;
typedef SecPkgContext_LocalCredentialInfo SecPkgContext_LocalCredenitalInfo,
    *PSecPkgContext_LocalCredenitalInfo;

/** SECPKG_ATTR_MAPPED_CRED_ATTR. */
typedef struct _SecPkgContext_MappedCredAttr {
    DWORD dwAttribute;
    PVOID pvBuffer;
} SecPkgContext_MappedCredAttr, *PSecPkgContext_MappedCredAttr;

/** SECPKG_ATTR_CC_POLICY_RESULT. */
typedef struct _SecPkgContext_ClientCertPolicyResult {
    HRESULT dwPolicyResult;
    GUID guidPolicyId;
} SecPkgContext_ClientCertPolicyResult, *PSecPkgContext_ClientCertPolicyResult;

/* --- Keys. Secrets: wipe before freeing --- */

/** SECPKG_ATTR_EAP_KEY_BLOCK. */
typedef struct _SecPkgContext_EapKeyBlock {
    BYTE rgbKeys[128];
    BYTE rgbIVs[64];
} SecPkgContext_EapKeyBlock, *PSecPkgContext_EapKeyBlock;

/** SECPKG_ATTR_EAP_PRF_INFO, set. */
typedef struct _SecPkgContext_EapPrfInfo {
    DWORD dwVersion;
    DWORD cbPrfData;
    PBYTE pbPrfData;
} SecPkgContext_EapPrfInfo, *PSecPkgContext_EapPrfInfo;

/** SECPKG_ATTR_KEYING_MATERIAL_INFO, set: what to export (RFC 5705). cbLabel counts the NUL. */
typedef struct _SecPkgContext_KeyingMaterialInfo {
    WORD cbLabel;
    LPSTR pszLabel;
    WORD cbContextValue;
    PBYTE pbContextValue; /* may be NULL */
    DWORD cbKeyingMaterial;
} SecPkgContext_KeyingMaterialInfo, *PSecPkgContext_KeyingMaterialInfo;

/** SECPKG_ATTR_KEYING_MATERIAL. */
typedef struct _SecPkgContext_KeyingMaterial {
    DWORD cbKeyingMaterial;
    PBYTE pbKeyingMaterial;
} SecPkgContext_KeyingMaterial, *PSecPkgContext_KeyingMaterial;

/** SECPKG_ATTR_KEYING_MATERIAL_INPROC: question and answer in one. */
typedef struct _SecPkgContext_KeyingMaterial_Inproc {
    WORD cbLabel;
    LPSTR pszLabel;
    WORD cbContextValue;
    PBYTE pbContextValue; /* may be NULL */
    DWORD cbKeyingMaterial;
    PBYTE pbKeyingMaterial; /* [out] */
} SecPkgContext_KeyingMaterial_Inproc, *PSecPkgContext_KeyingMaterial_Inproc;

/* --- Attributes of a credential --- */

/** SECPKG_ATTR_SUPPORTED_ALGS. */
typedef struct _SecPkgCred_SupportedAlgs {
    DWORD cSupportedAlgs;
    ALG_ID *palgSupportedAlgs;
} SecPkgCred_SupportedAlgs, *PSecPkgCred_SupportedAlgs;

/** SECPKG_ATTR_CIPHER_STRENGTHS, in bits. */
typedef struct _SecPkgCred_CipherStrengths {
    DWORD dwMinimumCipherStrength;
    DWORD dwMaximumCipherStrength;
} SecPkgCred_CipherStrengths, *PSecPkgCred_CipherStrengths;

/** SECPKG_ATTR_SUPPORTED_PROTOCOLS. */
typedef struct _SecPkgCred_SupportedProtocols {
    DWORD grbitProtocol;
} SecPkgCred_SupportedProtocols, *PSecPkgCred_SupportedProtocols;

/** SECPKG_ATTR_CLIENT_CERT_POLICY, set: how a server checks client certificates. What is not
 * supported is refused: docs/schannel.md, "Attributes". */
typedef struct _SecPkgCred_ClientCertPolicy {
    DWORD dwFlags; /* OSSPI_CLIENT_CERT_... of opensspi.h, or 0 */
    GUID guidPolicyId;
    DWORD dwCertFlags;           /* CERT_CHAIN_REVOCATION_CHECK_... */
    DWORD dwUrlRetrievalTimeout; /* ms */
    BOOL fCheckRevocationFreshnessTime;
    DWORD dwRevocationFreshnessTime; /* seconds */
    BOOL fOmitUsageCheck;
    LPWSTR pwszSslCtlStoreName;
    LPWSTR pwszSslCtlIdentifier;
} SecPkgCred_ClientCertPolicy, *PSecPkgCred_ClientCertPolicy;

/** One key that seals session tickets. */
typedef struct _SecPkgCred_SessionTicketKey {
    DWORD TicketInfoVersion; /* SESSION_TICKET_INFO_VERSION */
    BYTE KeyId[16];
    BYTE KeyingMaterial[64];
    BYTE KeyingMaterialSize; /* 32 to 64 */
} SecPkgCred_SessionTicketKey, *PSecPkgCred_SessionTicketKey;

/** SECPKG_ATTR_SESSION_TICKET_KEYS, set: up to 16; the first one seals, all open. 0: back to the
 * keys that the process makes by itself. */
typedef struct _SecPkgCred_SessionTicketKeys {
    DWORD cSessionTicketKeys;
    PSecPkgCred_SessionTicketKey pSessionTicketKeys;
} SecPkgCred_SessionTicketKeys, *PSecPkgCred_SessionTicketKeys;

OSSPI_EXTERN_C_END

#endif /* OPENSSPI_OSSPI_SCHANNEL_ATTRIBUTES_H */
