/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificates: the part of CryptoAPI that callers of Schannel need.
 *
 * Declared are exactly the functions that the library has. Types and constants go a little further
 * (chains, policies), so that structures and tables of callers compile. Functions that return BOOL
 * or a pointer answer FALSE or NULL on failure and leave the reason in GetLastError, which is kept
 * per thread.
 *
 * Certificate contexts and stores are counted: duplicating adds a reference, freeing drops one. All
 * functions may be called from any thread.
 */
#ifndef OPENSSPI_WINCRYPT_H
#define OPENSSPI_WINCRYPT_H

#include "osspi_status.h"
#include "osspi_types.h"
#include "osspi_wincrypt_const.h"

OSSPI_EXTERN_C_BEGIN

/* --- Handles and blobs --- */

typedef unsigned int ALG_ID;
typedef ULONG_PTR HCRYPTPROV;
typedef ULONG_PTR HCRYPTKEY;
typedef ULONG_PTR HCRYPTHASH;
typedef ULONG_PTR HCRYPTPROV_LEGACY;
typedef ULONG_PTR HCRYPTPROV_OR_NCRYPT_KEY_HANDLE;
typedef ULONG_PTR NCRYPT_KEY_HANDLE;
typedef void *HCERTSTORE;
typedef void *HCERTSTOREPROV;
typedef void *HCRYPTMSG;
typedef HANDLE HCERTCHAINENGINE;

/** Counted bytes. Its other names say what the bytes are. */
typedef struct _CRYPTOAPI_BLOB {
    DWORD cbData;
    BYTE *pbData;
} CRYPT_INTEGER_BLOB, *PCRYPT_INTEGER_BLOB, CRYPT_UINT_BLOB, *PCRYPT_UINT_BLOB, CRYPT_OBJID_BLOB,
    *PCRYPT_OBJID_BLOB, CERT_NAME_BLOB, *PCERT_NAME_BLOB, CERT_RDN_VALUE_BLOB,
    *PCERT_RDN_VALUE_BLOB, CERT_BLOB, *PCERT_BLOB, CRL_BLOB, *PCRL_BLOB, DATA_BLOB, *PDATA_BLOB,
    CRYPT_DATA_BLOB, *PCRYPT_DATA_BLOB, CRYPT_HASH_BLOB, *PCRYPT_HASH_BLOB, CRYPT_DIGEST_BLOB,
    *PCRYPT_DIGEST_BLOB, CRYPT_DER_BLOB, *PCRYPT_DER_BLOB, CRYPT_ATTR_BLOB, *PCRYPT_ATTR_BLOB;

typedef struct _CRYPT_BIT_BLOB {
    DWORD cbData;
    BYTE *pbData;
    DWORD cUnusedBits;
} CRYPT_BIT_BLOB, *PCRYPT_BIT_BLOB;

typedef struct _CRYPT_ALGORITHM_IDENTIFIER {
    LPSTR pszObjId; /* "1.2.840...." */
    CRYPT_OBJID_BLOB Parameters;
} CRYPT_ALGORITHM_IDENTIFIER, *PCRYPT_ALGORITHM_IDENTIFIER;

typedef struct _CRYPT_ATTRIBUTE {
    LPSTR pszObjId;
    DWORD cValue;
    PCRYPT_ATTR_BLOB rgValue;
} CRYPT_ATTRIBUTE, *PCRYPT_ATTRIBUTE;

/* --- Certificates --- */

typedef struct _CERT_EXTENSION {
    LPSTR pszObjId;
    BOOL fCritical;
    CRYPT_OBJID_BLOB Value;
} CERT_EXTENSION, *PCERT_EXTENSION;
typedef const CERT_EXTENSION *PCCERT_EXTENSION;

typedef struct _CERT_EXTENSIONS {
    DWORD cExtension;
    PCERT_EXTENSION rgExtension;
} CERT_EXTENSIONS, *PCERT_EXTENSIONS;

typedef struct _CERT_PUBLIC_KEY_INFO {
    CRYPT_ALGORITHM_IDENTIFIER Algorithm;
    CRYPT_BIT_BLOB PublicKey;
} CERT_PUBLIC_KEY_INFO, *PCERT_PUBLIC_KEY_INFO;

/** A parsed certificate. Names are DER; SerialNumber is little-endian, as on Windows. */
typedef struct _CERT_INFO {
    DWORD dwVersion; /* CERT_V1, CERT_V2, CERT_V3 */
    CRYPT_INTEGER_BLOB SerialNumber;
    CRYPT_ALGORITHM_IDENTIFIER SignatureAlgorithm;
    CERT_NAME_BLOB Issuer;
    FILETIME NotBefore;
    FILETIME NotAfter;
    CERT_NAME_BLOB Subject;
    CERT_PUBLIC_KEY_INFO SubjectPublicKeyInfo;
    CRYPT_BIT_BLOB IssuerUniqueId;
    CRYPT_BIT_BLOB SubjectUniqueId;
    DWORD cExtension;
    PCERT_EXTENSION rgExtension;
} CERT_INFO, *PCERT_INFO;

/** A certificate. Everything in it is read-only and lives as long as a reference does. */
typedef struct _CERT_CONTEXT {
    DWORD dwCertEncodingType; /* X509_ASN_ENCODING */
    BYTE *pbCertEncoded;      /* DER */
    DWORD cbCertEncoded;
    PCERT_INFO pCertInfo;
    HCERTSTORE hCertStore; /* the store it is in, or NULL; not a reference of the caller's */
} CERT_CONTEXT, *PCERT_CONTEXT;
typedef const CERT_CONTEXT *PCCERT_CONTEXT;

typedef struct _CRL_ENTRY {
    CRYPT_INTEGER_BLOB SerialNumber;
    FILETIME RevocationDate;
    DWORD cExtension;
    PCERT_EXTENSION rgExtension;
} CRL_ENTRY, *PCRL_ENTRY;

typedef struct _CRL_INFO {
    DWORD dwVersion;
    CRYPT_ALGORITHM_IDENTIFIER SignatureAlgorithm;
    CERT_NAME_BLOB Issuer;
    FILETIME ThisUpdate;
    FILETIME NextUpdate;
    DWORD cCRLEntry;
    PCRL_ENTRY rgCRLEntry;
    DWORD cExtension;
    PCERT_EXTENSION rgExtension;
} CRL_INFO, *PCRL_INFO;

typedef struct _CRL_CONTEXT {
    DWORD dwCertEncodingType;
    BYTE *pbCrlEncoded;
    DWORD cbCrlEncoded;
    PCRL_INFO pCrlInfo;
    HCERTSTORE hCertStore;
} CRL_CONTEXT, *PCRL_CONTEXT;
typedef const CRL_CONTEXT *PCCRL_CONTEXT;

typedef struct _CTL_USAGE {
    DWORD cUsageIdentifier;
    LPSTR *rgpszUsageIdentifier;
} CTL_USAGE, *PCTL_USAGE, CERT_ENHKEY_USAGE, *PCERT_ENHKEY_USAGE;

typedef struct _CERT_OTHER_NAME {
    LPSTR pszObjId;
    CRYPT_OBJID_BLOB Value;
} CERT_OTHER_NAME, *PCERT_OTHER_NAME;

typedef struct _CERT_ALT_NAME_ENTRY {
    DWORD dwAltNameChoice; /* CERT_ALT_NAME_... */
    __extension__ union {
        PCERT_OTHER_NAME pOtherName;
        LPWSTR pwszRfc822Name;
        LPWSTR pwszDNSName;
        CERT_NAME_BLOB DirectoryName;
        LPWSTR pwszURL;
        CRYPT_DATA_BLOB IPAddress;
        LPSTR pszRegisteredID;
    };
} CERT_ALT_NAME_ENTRY, *PCERT_ALT_NAME_ENTRY;

typedef struct _CERT_ALT_NAME_INFO {
    DWORD cAltEntry;
    PCERT_ALT_NAME_ENTRY rgAltEntry;
} CERT_ALT_NAME_INFO, *PCERT_ALT_NAME_INFO;

/** Value of CERT_KEY_PROV_INFO_PROP_ID. */
typedef struct _CRYPT_KEY_PROV_PARAM {
    DWORD dwParam;
    BYTE *pbData;
    DWORD cbData;
    DWORD dwFlags;
} CRYPT_KEY_PROV_PARAM, *PCRYPT_KEY_PROV_PARAM;

typedef struct _CRYPT_KEY_PROV_INFO {
    LPWSTR pwszContainerName;
    LPWSTR pwszProvName;
    DWORD dwProvType;
    DWORD dwFlags;
    DWORD cProvParam;
    PCRYPT_KEY_PROV_PARAM rgProvParam;
    DWORD dwKeySpec;
} CRYPT_KEY_PROV_INFO, *PCRYPT_KEY_PROV_INFO;

/** Value of CERT_KEY_CONTEXT_PROP_ID. */
typedef struct _CERT_KEY_CONTEXT {
    DWORD cbSize;
    __extension__ union {
        HCRYPTPROV hCryptProv;
        NCRYPT_KEY_HANDLE hNCryptKey;
    };
    DWORD dwKeySpec;
} CERT_KEY_CONTEXT, *PCERT_KEY_CONTEXT;

/* --- Chains and policies --- */

typedef struct _CERT_TRUST_STATUS {
    DWORD dwErrorStatus; /* CERT_TRUST_... errors */
    DWORD dwInfoStatus;  /* CERT_TRUST_... facts */
} CERT_TRUST_STATUS, *PCERT_TRUST_STATUS;

typedef struct _CERT_REVOCATION_INFO {
    DWORD cbSize;
    DWORD dwRevocationResult;
    LPCSTR pszRevocationOid;
    LPVOID pvOidSpecificInfo;
    BOOL fHasFreshnessTime;
    DWORD dwFreshnessTime; /* seconds */
    void *pCrlInfo;
} CERT_REVOCATION_INFO, *PCERT_REVOCATION_INFO;

typedef struct _CERT_CHAIN_ELEMENT {
    DWORD cbSize;
    PCCERT_CONTEXT pCertContext;
    CERT_TRUST_STATUS TrustStatus;
    PCERT_REVOCATION_INFO pRevocationInfo;
    PCERT_ENHKEY_USAGE pIssuanceUsage;
    PCERT_ENHKEY_USAGE pApplicationUsage;
    LPCWSTR pwszExtendedErrorInfo;
} CERT_CHAIN_ELEMENT, *PCERT_CHAIN_ELEMENT;
typedef const CERT_CHAIN_ELEMENT *PCCERT_CHAIN_ELEMENT;

typedef struct _CERT_SIMPLE_CHAIN {
    DWORD cbSize;
    CERT_TRUST_STATUS TrustStatus;
    DWORD cElement;
    PCERT_CHAIN_ELEMENT *rgpElement; /* [0] is the end entity */
    void *pTrustListInfo;
    BOOL fHasRevocationFreshnessTime;
    DWORD dwRevocationFreshnessTime; /* seconds */
} CERT_SIMPLE_CHAIN, *PCERT_SIMPLE_CHAIN;
typedef const CERT_SIMPLE_CHAIN *PCCERT_SIMPLE_CHAIN;

typedef struct _CERT_CHAIN_CONTEXT CERT_CHAIN_CONTEXT, *PCERT_CHAIN_CONTEXT;
typedef const CERT_CHAIN_CONTEXT *PCCERT_CHAIN_CONTEXT;
struct _CERT_CHAIN_CONTEXT {
    DWORD cbSize;
    CERT_TRUST_STATUS TrustStatus;
    DWORD cChain;
    PCERT_SIMPLE_CHAIN *rgpChain;
    DWORD cLowerQualityChainContext;
    PCCERT_CHAIN_CONTEXT *rgpLowerQualityChainContext;
    BOOL fHasRevocationFreshnessTime;
    DWORD dwRevocationFreshnessTime; /* seconds */
    DWORD dwCreateFlags;
    GUID ChainId;
};

typedef struct _CERT_USAGE_MATCH {
    DWORD dwType; /* USAGE_MATCH_TYPE_... */
    CERT_ENHKEY_USAGE Usage;
} CERT_USAGE_MATCH, *PCERT_USAGE_MATCH;

/** The short form, as long as callers do not ask for more with CERT_CHAIN_PARA_HAS_EXTRA_FIELDS. */
typedef struct _CERT_CHAIN_PARA {
    DWORD cbSize;
    CERT_USAGE_MATCH RequestedUsage;
#ifdef CERT_CHAIN_PARA_HAS_EXTRA_FIELDS
    CERT_USAGE_MATCH RequestedIssuancePolicy;
    DWORD dwUrlRetrievalTimeout; /* ms */
    BOOL fCheckRevocationFreshnessTime;
    DWORD dwRevocationFreshnessTime; /* seconds */
    LPFILETIME pftCacheResync;
    void *pStrongSignPara;
    DWORD dwStrongSignFlags;
#endif
} CERT_CHAIN_PARA, *PCERT_CHAIN_PARA;

typedef struct _CERT_CHAIN_ENGINE_CONFIG {
    DWORD cbSize;
    HCERTSTORE hRestrictedRoot;
    HCERTSTORE hRestrictedTrust;
    HCERTSTORE hRestrictedOther;
    DWORD cAdditionalStore;
    HCERTSTORE *rghAdditionalStore;
    DWORD dwFlags;
    DWORD dwUrlRetrievalTimeout; /* ms */
    DWORD MaximumCachedCertificates;
    DWORD CycleDetectionModulus;
    HCERTSTORE hExclusiveRoot;
    HCERTSTORE hExclusiveTrustedPeople;
    DWORD dwExclusiveFlags;
} CERT_CHAIN_ENGINE_CONFIG, *PCERT_CHAIN_ENGINE_CONFIG;

typedef struct _CERT_CHAIN_POLICY_PARA {
    DWORD cbSize;
    DWORD dwFlags;
    void *pvExtraPolicyPara; /* of CERT_CHAIN_POLICY_SSL: HTTPSPolicyCallbackData */
} CERT_CHAIN_POLICY_PARA, *PCERT_CHAIN_POLICY_PARA;

typedef struct _CERT_CHAIN_POLICY_STATUS {
    DWORD cbSize;
    DWORD dwError; /* 0 = the chain passes */
    LONG lChainIndex;
    LONG lElementIndex;
    void *pvExtraPolicyStatus;
} CERT_CHAIN_POLICY_STATUS, *PCERT_CHAIN_POLICY_STATUS;

typedef struct _HTTPSPolicyCallbackData {
    __extension__ union {
        DWORD cbStruct;
        DWORD cbSize;
    };
    DWORD dwAuthType; /* AUTHTYPE_CLIENT or AUTHTYPE_SERVER */
    DWORD fdwChecks;  /* SECURITY_FLAG_IGNORE_... */
    WCHAR *pwszServerName;
} HTTPSPolicyCallbackData, *PHTTPSPolicyCallbackData, SSL_EXTRA_CERT_CHAIN_POLICY_PARA,
    *PSSL_EXTRA_CERT_CHAIN_POLICY_PARA;

/* --- Stores --- */

/**
 * Opens a certificate store.
 *
 * @param lpszStoreProvider CERT_STORE_PROV_MEMORY: an empty store in memory
 * @param dwEncodingType    ignored for a memory store
 * @param hCryptProv        0
 * @param dwFlags           CERT_STORE_... flags; for a memory store 0 or CERT_STORE_CREATE_NEW_FLAG
 * @param pvPara            [in] NULL for a memory store
 * @return the store, to be closed with CertCloseStore; NULL on failure: ERROR_FILE_NOT_FOUND = no
 *         such provider, E_INVALIDARG = bad flags, E_OUTOFMEMORY
 */
OSSPI_API HCERTSTORE WINAPI CertOpenStore(LPCSTR lpszStoreProvider, DWORD dwEncodingType,
                                          HCRYPTPROV_LEGACY hCryptProv, DWORD dwFlags,
                                          const void *pvPara);

/**
 * Closes a store. Certificates that are still referenced stay usable.
 *
 * @param hCertStore [in] store, or NULL, which does nothing
 * @param dwFlags    0, CERT_CLOSE_STORE_CHECK_FLAG (tell whether references are left) or
 *                   CERT_CLOSE_STORE_FORCE_FLAG
 * @return TRUE; FALSE with CRYPT_E_PENDING_CLOSE if references are left and CHECK was given
 */
OSSPI_API BOOL WINAPI CertCloseStore(HCERTSTORE hCertStore, DWORD dwFlags);

/**
 * Puts a copy of a certificate, with its properties, into a store.
 *
 * @param hCertStore       [in] store; NULL = only make the copy
 * @param pCertContext     [in] certificate
 * @param dwAddDisposition CERT_STORE_ADD_...
 * @param ppStoreContext   [out] the certificate in the store, or NULL; free it with
 *                         CertFreeCertificateContext
 * @return TRUE; FALSE: CRYPT_E_EXISTS (CERT_STORE_ADD_NEW and it is there), E_INVALIDARG,
 *         E_OUTOFMEMORY
 */
OSSPI_API BOOL WINAPI CertAddCertificateContextToStore(HCERTSTORE hCertStore,
                                                       PCCERT_CONTEXT pCertContext,
                                                       DWORD dwAddDisposition,
                                                       PCCERT_CONTEXT *ppStoreContext);

/** The same from DER; FALSE with CRYPT_E_ASN1_BADTAG or CRYPT_E_ASN1_EOD if it is not a
 * certificate. */
OSSPI_API BOOL WINAPI CertAddEncodedCertificateToStore(HCERTSTORE hCertStore,
                                                       DWORD dwCertEncodingType,
                                                       const BYTE *pbCertEncoded,
                                                       DWORD cbCertEncoded, DWORD dwAddDisposition,
                                                       PCCERT_CONTEXT *ppCertContext);

/**
 * Walks through a store.
 *
 * @param hCertStore       [in] store
 * @param pPrevCertContext [in] what the previous call returned, NULL to begin; its reference is
 *                         taken over and dropped, on failure too
 * @return the next certificate; NULL at the end (CRYPT_E_NOT_FOUND) or on failure (E_INVALIDARG)
 */
OSSPI_API PCCERT_CONTEXT WINAPI CertEnumCertificatesInStore(HCERTSTORE hCertStore,
                                                            PCCERT_CONTEXT pPrevCertContext);

/**
 * Finds the next certificate that matches.
 *
 * @param dwFindType       CERT_FIND_...: ANY, SHA1_HASH, SUBJECT_STR, HAS_PRIVATE_KEY,
 *                         SUBJECT_CERT, EXISTING and their like
 * @param pvFindPara       [in] what dwFindType wants: CRYPT_HASH_BLOB, string, CERT_INFO,
 *                         CERT_CONTEXT
 * @param pPrevCertContext [in] as in CertEnumCertificatesInStore
 * @return the certificate; NULL: CRYPT_E_NOT_FOUND, or E_INVALIDARG for an unknown dwFindType
 */
OSSPI_API PCCERT_CONTEXT WINAPI CertFindCertificateInStore(HCERTSTORE hCertStore,
                                                           DWORD dwCertEncodingType,
                                                           DWORD dwFindFlags, DWORD dwFindType,
                                                           const void *pvFindPara,
                                                           PCCERT_CONTEXT pPrevCertContext);

/**
 * Reads a PFX (PKCS #12) blob into a new memory store; certificates with keys keep them as a
 * property.
 *
 * @param pPFX       [in] the blob
 * @param szPassword [in] UTF-16, "" or NULL for none
 * @param dwFlags    PKCS12_... and CRYPT_... flags; keys are kept in memory whatever they say
 * @return the store; NULL: ERROR_INVALID_PASSWORD, CRYPT_E_BAD_ENCODE (not a PFX), E_OUTOFMEMORY
 */
OSSPI_API HCERTSTORE WINAPI PFXImportCertStore(CRYPT_DATA_BLOB *pPFX, LPCWSTR szPassword,
                                               DWORD dwFlags);

/* --- Certificate contexts --- */

/** Makes a context of DER bytes, which are copied. NULL: CRYPT_E_ASN1_..., E_INVALIDARG,
 * E_OUTOFMEMORY. */
OSSPI_API PCCERT_CONTEXT WINAPI CertCreateCertificateContext(DWORD dwCertEncodingType,
                                                             const BYTE *pbCertEncoded,
                                                             DWORD cbCertEncoded);
/** Adds a reference and returns its argument, which may be NULL. */
OSSPI_API PCCERT_CONTEXT WINAPI CertDuplicateCertificateContext(PCCERT_CONTEXT pCertContext);
/** Drops a reference; NULL is allowed. Always TRUE. */
OSSPI_API BOOL WINAPI CertFreeCertificateContext(PCCERT_CONTEXT pCertContext);

/**
 * Reads a property of a certificate.
 *
 * @param dwPropId CERT_..._PROP_ID
 * @param pvData   [out] the value; NULL asks for its size only
 * @param pcbData  [in,out] bytes at pvData; bytes needed or used
 * @return TRUE; FALSE: CRYPT_E_NOT_FOUND, or ERROR_MORE_DATA if pvData is too small
 */
OSSPI_API BOOL WINAPI CertGetCertificateContextProperty(PCCERT_CONTEXT pCertContext, DWORD dwPropId,
                                                        void *pvData, DWORD *pcbData);
/** Writes a property; pvData NULL removes it. FALSE: E_INVALIDARG, E_OUTOFMEMORY. */
OSSPI_API BOOL WINAPI CertSetCertificateContextProperty(PCCERT_CONTEXT pCertContext, DWORD dwPropId,
                                                        DWORD dwFlags, const void *pvData);

/**
 * Gives a name of a certificate's subject or (CERT_NAME_ISSUER_FLAG) issuer.
 *
 * @param dwType        CERT_NAME_...
 * @param pvTypePara    [in] of CERT_NAME_ATTR_TYPE: object id; of CERT_NAME_RDN_TYPE: DWORD *; else
 *                      NULL
 * @param pszNameString [out] the name, NUL-terminated and cut to fit; NULL asks for the size only
 * @param cchNameString characters at pszNameString
 * @return characters written or needed, the NUL included; 1 = there is no such name
 */
OSSPI_API DWORD WINAPI CertGetNameStringW(PCCERT_CONTEXT pCertContext, DWORD dwType, DWORD dwFlags,
                                          void *pvTypePara, LPWSTR pszNameString,
                                          DWORD cchNameString);
OSSPI_API DWORD WINAPI CertGetNameStringA(PCCERT_CONTEXT pCertContext, DWORD dwType, DWORD dwFlags,
                                          void *pvTypePara, LPSTR pszNameString,
                                          DWORD cchNameString);

/** Finds an extension by its object id in an array; NULL if it is not there. */
OSSPI_API PCERT_EXTENSION WINAPI CertFindExtension(LPCSTR pszObjId, DWORD cExtensions,
                                                   CERT_EXTENSION rgExtensions[]);

/* --- Last error --- */

/** The reason of the last failure on this thread: a Win32 error, or an HRESULT. */
OSSPI_API DWORD WINAPI GetLastError(void) __asm__("osspi_GetLastError");
/** Sets that reason. */
OSSPI_API VOID WINAPI SetLastError(DWORD dwErrCode) __asm__("osspi_SetLastError");

OSSPI_EXTERN_C_END

#ifdef UNICODE
#define CertGetNameString CertGetNameStringW
#else
#define CertGetNameString CertGetNameStringA
#endif

#endif /* OPENSSPI_WINCRYPT_H */
