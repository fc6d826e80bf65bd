/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Schannel, the TLS package: what its credentials are made of, and what its contexts tell.
 *
 * Names, layouts and values are Windows'. The caller owns the outer structure of a query; what a
 * query allocates is freed with FreeContextBuffer, certificate contexts with
 * CertFreeCertificateContext. Unlike on Windows, SCH_CREDENTIALS needs no SCHANNEL_USE_BLACKLISTS.
 */
#ifndef OPENSSPI_SCHANNEL_H
#define OPENSSPI_SCHANNEL_H

#include "sspi.h"
#include "wincrypt.h"

#include "osspi_schannel_const.h"

OSSPI_EXTERN_C_BEGIN

/* --- Credentials (pAuthData of AcquireCredentialsHandle) --- */

struct _HMAPPER; /* never defined: mappers are reserved */

/** Version 4. It does not offer TLS 1.3 on Windows; SCH_CREDENTIALS does. */
typedef struct _SCHANNEL_CRED {
    DWORD dwVersion; /* SCHANNEL_CRED_VERSION */
    DWORD cCreds;
    PCCERT_CONTEXT *paCred;
    HCERTSTORE hRootStore; /* server: roots for client certificates */
    DWORD cMappers;
    struct _HMAPPER **aphMappers;
    DWORD cSupportedAlgs;
    ALG_ID *palgSupportedAlgs;
    DWORD grbitEnabledProtocols;   /* SP_PROT_..., 0 = the default */
    DWORD dwMinimumCipherStrength; /* bits, 0 = the default */
    DWORD dwMaximumCipherStrength; /* bits, 0 = the default */
    DWORD dwSessionLifespan;       /* ms, 0 = 10 hours */
    DWORD dwFlags;                 /* SCH_CRED_... */
    DWORD dwCredFormat;            /* SCH_CRED_FORMAT_... */
} SCHANNEL_CRED, *PSCHANNEL_CRED;

/** What a CRYPTO_SETTINGS entry speaks about. */
typedef enum _eTlsAlgorithmUsage {
    TlsParametersCngAlgUsageKeyExchange,
    TlsParametersCngAlgUsageSignature,
    TlsParametersCngAlgUsageCipher,
    TlsParametersCngAlgUsageDigest,
    TlsParametersCngAlgUsageCertSig
} eTlsAlgorithmUsage;

/** An algorithm to switch off, or to leave only between two key sizes. */
typedef struct _CRYPTO_SETTINGS {
    eTlsAlgorithmUsage eAlgorithmUsage;
    UNICODE_STRING strCngAlgId; /* "AES", "SHA256", ... */
    DWORD cChainingModes;
    PUNICODE_STRING rgstrChainingModes; /* if any, only these modes are off */
    DWORD dwMinBitLength;               /* what stays allowed; 0 = no limit */
    DWORD dwMaxBitLength;
} CRYPTO_SETTINGS, *PCRYPTO_SETTINGS;

/** What is switched off, for some ALPN results or for all. */
typedef struct _TLS_PARAMETERS {
    DWORD cAlpnIds;
    PUNICODE_STRING rgstrAlpnIds; /* server: results that this entry governs, none = all */
    DWORD grbitDisabledProtocols; /* SP_PROT_... */
    DWORD cDisabledCrypto;
    PCRYPTO_SETTINGS pDisabledCrypto;
    DWORD dwFlags; /* TLS_PARAMS_OPTIONAL */
} TLS_PARAMETERS, *PTLS_PARAMETERS;

/** Version 5: says what is not wanted, so that new protocols come by themselves. */
typedef struct _SCH_CREDENTIALS {
    DWORD dwVersion;    /* SCH_CREDENTIALS_VERSION */
    DWORD dwCredFormat; /* SCH_CRED_FORMAT_... */
    DWORD cCreds;
    PCCERT_CONTEXT *paCred;
    HCERTSTORE hRootStore; /* server: roots for client certificates */
    DWORD cMappers;
    struct _HMAPPER **aphMappers;
    DWORD dwSessionLifespan; /* ms, 0 = 10 hours */
    DWORD dwFlags;           /* SCH_CRED_... */
    DWORD cTlsParameters;
    PTLS_PARAMETERS pTlsParameters;
} SCH_CREDENTIALS, *PSCH_CREDENTIALS;

/** A certificate named by its SHA-1 thumbprint. */
typedef struct _SCHANNEL_CERT_HASH {
    DWORD dwLength; /* bytes of this structure */
    DWORD dwFlags;  /* SCH_MACHINE_CERT_HASH */
    HCRYPTPROV hProv;
    BYTE ShaHash[20];
} SCHANNEL_CERT_HASH, *PSCHANNEL_CERT_HASH;

/** The same with the name of the store to look in. */
typedef struct _SCHANNEL_CERT_HASH_STORE {
    DWORD dwLength; /* bytes of this structure */
    DWORD dwFlags;  /* SCH_MACHINE_CERT_HASH */
    HCRYPTPROV hProv;
    BYTE ShaHash[20];
    WCHAR pwszStoreName[SCH_CRED_MAX_STORE_NAME_SIZE];
} SCHANNEL_CERT_HASH_STORE, *PSCHANNEL_CERT_HASH_STORE;

/* The credential of versions 1 to 3; Schannel answers it with SEC_E_UNKNOWN_CREDENTIALS. */
typedef struct _SCH_CRED {
    DWORD dwVersion;
    DWORD cCreds;
    PVOID *paSecret;
    PVOID *paPublic;
    DWORD cMappers;
    struct _HMAPPER **aphMappers;
} SCH_CRED, *PSCH_CRED;

typedef struct _SCH_CRED_SECRET_CAPI {
    DWORD dwType;
    HCRYPTPROV hProv;
} SCH_CRED_SECRET_CAPI, *PSCH_CRED_SECRET_CAPI;

typedef struct _SCH_CRED_SECRET_PRIVKEY {
    DWORD dwType;
    PBYTE pPrivateKey;
    DWORD cbPrivateKey;
    PSTR pszPassword;
} SCH_CRED_SECRET_PRIVKEY, *PSCH_CRED_SECRET_PRIVKEY;

typedef struct _SCH_CRED_PUBLIC_CERTCHAIN {
    DWORD dwType;
    DWORD cbCertChain;
    PBYTE pCertChain;
} SCH_CRED_PUBLIC_CERTCHAIN, *PSCH_CRED_PUBLIC_CERTCHAIN;

typedef struct _SCH_CRED_PUBLIC_CAPI {
    DWORD dwType;
    HCRYPTPROV hProv;
} SCH_CRED_PUBLIC_CAPI, *PSCH_CRED_PUBLIC_CAPI;

/* --- Control tokens (ApplyControlToken). SCHANNEL_SHUTDOWN is a lone DWORD --- */

typedef struct _SCHANNEL_ALERT_TOKEN {
    DWORD dwTokenType;   /* SCHANNEL_ALERT */
    DWORD dwAlertType;   /* TLS1_ALERT_WARNING or TLS1_ALERT_FATAL */
    DWORD dwAlertNumber; /* TLS1_ALERT_... */
} SCHANNEL_ALERT_TOKEN;

typedef struct _SCHANNEL_SESSION_TOKEN {
    DWORD dwTokenType; /* SCHANNEL_SESSION */
    DWORD dwFlags;     /* SSL_SESSION_ENABLE_RECONNECTS or SSL_SESSION_DISABLE_RECONNECTS */
} SCHANNEL_SESSION_TOKEN;

typedef struct _SCHANNEL_CLIENT_SIGNATURE {
    DWORD cbLength;
    ALG_ID aiHash;
    DWORD cbHash;
    BYTE HashValue[36];
    BYTE CertThumbprint[20];
} SCHANNEL_CLIENT_SIGNATURE, *PSCHANNEL_CLIENT_SIGNATURE;

/* --- Generic TLS extensions (SecBuffers) --- */

/** SECBUFFER_SEND_GENERIC_TLS_EXTENSION. */
typedef struct _SEND_GENERIC_TLS_EXTENSION {
    WORD ExtensionType;
    WORD HandshakeType; /* message that carries it: 1 ClientHello, 8 EncryptedExtensions */
    DWORD Flags;
    WORD BufferSize;
    UCHAR Buffer[ANYSIZE_ARRAY];
} SEND_GENERIC_TLS_EXTENSION, *PSEND_GENERIC_TLS_EXTENSION;

typedef struct _TLS_EXTENSION_SUBSCRIPTION {
    WORD ExtensionType;
    WORD HandshakeType;
} TLS_EXTENSION_SUBSCRIPTION, *PTLS_EXTENSION_SUBSCRIPTION;

/** SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION: at most SCH_MAX_EXT_SUBSCRIPTIONS. */
typedef struct _SUBSCRIBE_GENERIC_TLS_EXTENSION {
    DWORD Flags;
    DWORD SubscriptionsCount;
    TLS_EXTENSION_SUBSCRIPTION Subscriptions[ANYSIZE_ARRAY];
} SUBSCRIBE_GENERIC_TLS_EXTENSION, *PSUBSCRIBE_GENERIC_TLS_EXTENSION;

OSSPI_EXTERN_C_END

#include "osspi_schannel_attributes.h"
#include "osspi_schannel_functions.h"

#endif /* OPENSSPI_SCHANNEL_H */
