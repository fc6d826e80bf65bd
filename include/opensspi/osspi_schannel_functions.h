/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The functions of schannel.h. Included by schannel.h, not meant to be included alone. All may be
 * called from any thread; none blocks on a network.
 */
#ifndef OPENSSPI_OSSPI_SCHANNEL_FUNCTIONS_H
#define OPENSSPI_OSSPI_SCHANNEL_FUNCTIONS_H

#include "osspi_types.h"

OSSPI_EXTERN_C_BEGIN

typedef struct _SSL_CREDENTIAL_CERTIFICATE {
    DWORD cbPrivateKey;
    PBYTE pPrivateKey;
    DWORD cbCertificate;
    PBYTE pCertificate;
    PSTR pszPassword;
} SSL_CREDENTIAL_CERTIFICATE, *PSSL_CREDENTIAL_CERTIFICATE;

typedef struct _PctPublicKey {
    DWORD Type;
    DWORD cbKey;
    UCHAR pKey[ANYSIZE_ARRAY];
} PctPublicKey;

/** What SslCrackCertificate makes of DER. */
typedef struct _X509Certificate {
    DWORD Version;
    DWORD SerialNumber[4];
    ALG_ID SignatureAlgorithm;
    FILETIME ValidFrom;
    FILETIME ValidUntil;
    PSTR pszIssuer;
    PSTR pszSubject;
    PctPublicKey *pPublicKey;
} X509Certificate, *PX509Certificate;

/** One extension of a ClientHello; pExtData points into the message. */
typedef struct _SCH_EXTENSION_DATA {
    WORD ExtensionType;
    const BYTE *pExtData;
    DWORD cbExtData;
} SCH_EXTENSION_DATA;

typedef enum _SchGetExtensionsOptions {
    SCH_EXTENSIONS_OPTIONS_NONE = 0x0,
    SCH_NO_RECORD_HEADER = 0x1 /* the message comes without its record header */
} SchGetExtensionsOptions;

/**
 * Drops sessions from the client's cache.
 *
 * @param pszTargetName [in] of this server, NULL = all
 * @param dwFlags       0
 * @return TRUE if the cache was looked through
 */
OSSPI_API BOOL SslEmptyCacheA(LPSTR pszTargetName, DWORD dwFlags);
OSSPI_API BOOL SslEmptyCacheW(LPWSTR pszTargetName, DWORD dwFlags);

/**
 * Finds the server name in a raw ClientHello.
 *
 * @param ClientHello        [in] the record as it came, or the records
 * @param ClientHelloSize    bytes of it; what comes behind the message is not looked at
 * @param ServerIdentity     [out] the name inside ClientHello, not NUL-terminated and as the client
 *                           wrote it; NULL = it names none
 * @param ServerIdentitySize [out] its bytes
 * @param Flags              0
 * @retval SEC_E_OK                   it is a whole ClientHello
 * @retval SEC_E_INVALID_PARAMETER    a pointer is NULL, or Flags is not 0
 * @retval SEC_E_INCOMPLETE_MESSAGE   more bytes are needed
 * @retval SEC_E_ILLEGAL_MESSAGE      it is not a ClientHello
 * @retval SEC_E_UNSUPPORTED_FUNCTION the name is not in one piece: a record ends inside it
 */
OSSPI_API SECURITY_STATUS SslGetServerIdentity(PBYTE ClientHello, DWORD ClientHelloSize,
                                               PBYTE *ServerIdentity, PDWORD ServerIdentitySize,
                                               DWORD Flags);

/**
 * Finds extensions in a raw ClientHello.
 *
 * @param genericExtensions [in,out] ExtensionType says which are wanted; the rest is filled in:
 *                          pExtData points into clientHello, NULL = the client did not send it
 * @param bytesToRead       [out] bytes of the message and what frames it; with
 *                          SEC_E_INCOMPLETE_MESSAGE as many as there have to be at least
 * @param flags             SCH_NO_RECORD_HEADER: it begins with the handshake message's header
 * @return as SslGetServerIdentity; nothing is told then
 */
OSSPI_API SECURITY_STATUS SslGetExtensions(const BYTE *clientHello, DWORD clientHelloByteSize,
                                           SCH_EXTENSION_DATA *genericExtensions,
                                           BYTE genericExtensionsCount, DWORD *bytesToRead,
                                           SchGetExtensionsOptions flags);

/** Takes a certificate apart; FALSE if it is none. Free the result with SslFreeCertificate. */
OSSPI_API BOOL SslCrackCertificate(PUCHAR pbCertificate, DWORD cbCertificate, DWORD dwFlags,
                                   PX509Certificate *ppCertificate);
/** Frees what SslCrackCertificate made; NULL is allowed. */
OSSPI_API VOID SslFreeCertificate(PX509Certificate pCertificate);
/** Makes a key pair and a certificate request. */
OSSPI_API BOOL SslGenerateKeyPair(PSSL_CREDENTIAL_CERTIFICATE pCerts, PSTR pszDN, PSTR pszPassword,
                                  DWORD Bits);
/** Fills a buffer from the system's random generator. */
OSSPI_API VOID SslGenerateRandomBits(PUCHAR pRandomData, LONG cRandomData);
/** Largest key for an exchange, in bits. */
OSSPI_API DWORD SslGetMaximumKeySize(DWORD Reserved);
/** Lists the issuers a server names by default; with pbIssuers NULL only their size. */
OSSPI_API BOOL SslGetDefaultIssuers(PBYTE pbIssuers, DWORD *pcbIssuers);

typedef BOOL (*SSL_EMPTY_CACHE_FN_A)(LPSTR pszTargetName, DWORD dwFlags);
typedef BOOL (*SSL_EMPTY_CACHE_FN_W)(LPWSTR pszTargetName, DWORD dwFlags);
typedef BOOL (*SSL_CRACK_CERTIFICATE_FN)(PUCHAR pbCertificate, DWORD cbCertificate,
                                         BOOL VerifySignature, PX509Certificate *ppCertificate);
typedef VOID (*SSL_FREE_CERTIFICATE_FN)(PX509Certificate pCertificate);
typedef SECURITY_STATUS (*SslGetServerIdentityFn)(PBYTE ClientHello, DWORD ClientHelloSize,
                                                  PBYTE *ServerIdentity, PDWORD ServerIdentitySize,
                                                  DWORD Flags);
typedef SECURITY_STATUS (*SslGetExtensionsFn)(const BYTE *clientHello, DWORD clientHelloByteSize,
                                              SCH_EXTENSION_DATA *genericExtensions,
                                              BYTE genericExtensionsCount, DWORD *bytesToRead,
                                              SchGetExtensionsOptions flags);

OSSPI_EXTERN_C_END

#ifdef UNICODE
#define SslEmptyCache      SslEmptyCacheW
#define SSL_EMPTY_CACHE_FN SSL_EMPTY_CACHE_FN_W
#else
#define SslEmptyCache      SslEmptyCacheA
#define SSL_EMPTY_CACHE_FN SSL_EMPTY_CACHE_FN_A
#endif

#endif /* OPENSSPI_OSSPI_SCHANNEL_FUNCTIONS_H */
