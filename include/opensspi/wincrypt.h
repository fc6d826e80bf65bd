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

typedef struct _CERT_BASIC_CONSTRAINTS2_INFO {
    BOOL fCA;
    BOOL fPathLenConstraint; /* dwPathLenConstraint says something */
    DWORD dwPathLenConstraint;
} CERT_BASIC_CONSTRAINTS2_INFO, *PCERT_BASIC_CONSTRAINTS2_INFO;

typedef struct _CERT_RDN_ATTR {
    LPSTR pszObjId;
    DWORD dwValueType;         /* CERT_RDN_... */
    CERT_RDN_VALUE_BLOB Value; /* of X509_UNICODE_NAME: UTF-16 with a NUL behind it, not counted */
} CERT_RDN_ATTR, *PCERT_RDN_ATTR;

typedef struct _CERT_RDN {
    DWORD cRDNAttr;
    PCERT_RDN_ATTR rgRDNAttr;
} CERT_RDN, *PCERT_RDN;

typedef struct _CERT_NAME_INFO {
    DWORD cRDN;
    PCERT_RDN rgRDN;
} CERT_NAME_INFO, *PCERT_NAME_INFO;

typedef LPVOID(WINAPI *PFN_CRYPT_ALLOC)(size_t cbSize);
typedef VOID(WINAPI *PFN_CRYPT_FREE)(LPVOID pv);

/** Who makes the memory for CRYPT_DECODE_ALLOC_FLAG; without it, or without pfnAlloc, the caller
 * frees with LocalFree. */
typedef struct _CRYPT_DECODE_PARA {
    DWORD cbSize;
    PFN_CRYPT_ALLOC pfnAlloc;
    PFN_CRYPT_FREE pfnFree;
} CRYPT_DECODE_PARA, *PCRYPT_DECODE_PARA;

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
 * CERT_STORE_PROV_MEMORY: an empty store in memory. Flags: 0 or CERT_STORE_CREATE_NEW_FLAG.
 *
 * CERT_STORE_PROV_SYSTEM_A, _W: a store of the machine (CERT_SYSTEM_STORE_LOCAL_MACHINE) or of the
 * user (CERT_SYSTEM_STORE_CURRENT_USER). "ROOT" and "CA" are the system's trusted roots, for
 * reading. "MY" is a folder with the own certificates and their keys (docs/certificates.md).
 *
 * CERT_STORE_PROV_FILENAME_A, _W: a folder of the same kind as "MY"; or a file with certificates
 * (PEM, DER or PKCS #7), which is only read: what is added stays in memory.
 *
 * "MY" and folders: the store shows what the folder held when it was opened. Adding a certificate
 * writes a file, deleting one deletes its file. A folder that is not there is an empty store, and
 * is made when the first certificate is added. CERT_STORE_OPEN_EXISTING_FLAG: it must be there;
 * CERT_STORE_CREATE_NEW_FLAG: it must not be there, and is made at once; CERT_STORE_READONLY_FLAG:
 * nothing is added or deleted; CERT_STORE_DELETE_FLAG: the folder is deleted instead of opened, if
 * every file in it was written by this library; the answer is then always NULL, and
 * GetLastError() is 0 for success.
 *
 * @param lpszStoreProvider CERT_STORE_PROV_..., or its name (sz_CERT_STORE_PROV_...)
 * @param dwEncodingType    ignored
 * @param hCryptProv        0
 * @param dwFlags           CERT_STORE_... and CERT_SYSTEM_STORE_... flags
 * @param pvPara            [in] NULL for a memory store; else the name or the path: UTF-16 for _W,
 *                          UTF-8 for _A
 * @return the store, to be closed with CertCloseStore; NULL on failure: ERROR_FILE_NOT_FOUND = no
 *         such provider, store, location or file; E_INVALIDARG = bad flags or pvPara;
 *         ERROR_FILE_EXISTS; E_ACCESSDENIED = not allowed, or the folder is somebody else's, or
 *         others may write to it; ERROR_DIR_NOT_EMPTY (CERT_STORE_DELETE_FLAG);
 *         ERROR_NOT_SUPPORTED (CERT_FILE_STORE_COMMIT_ENABLE_FLAG); CRYPT_E_BAD_ENCODE or
 *         CRYPT_E_FILE_ERROR = a file without certificates, or that cannot be read; E_OUTOFMEMORY
 */
OSSPI_API HCERTSTORE WINAPI CertOpenStore(LPCSTR lpszStoreProvider, DWORD dwEncodingType,
                                          HCRYPTPROV_LEGACY hCryptProv, DWORD dwFlags,
                                          const void *pvPara);

/** Opens a store of the current user by name: CertOpenStore with CERT_STORE_PROV_SYSTEM and
 * CERT_SYSTEM_STORE_CURRENT_USER. hProv is 0. */
OSSPI_API HCERTSTORE WINAPI CertOpenSystemStoreW(HCRYPTPROV_LEGACY hProv,
                                                 LPCWSTR szSubsystemProtocol);
/** The same with a name in UTF-8. */
OSSPI_API HCERTSTORE WINAPI CertOpenSystemStoreA(HCRYPTPROV_LEGACY hProv,
                                                 LPCSTR szSubsystemProtocol);

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
 * Into "MY" or another folder the certificate is written with its key and chain, if it has them:
 * whole or not at all. Properties are not written.
 *
 * @param hCertStore       [in] store; NULL = only make the copy
 * @param pCertContext     [in] certificate
 * @param dwAddDisposition CERT_STORE_ADD_...
 * @param ppStoreContext   [out] the certificate in the store, or NULL; free it with
 *                         CertFreeCertificateContext
 * @return TRUE; FALSE: CRYPT_E_EXISTS (CERT_STORE_ADD_NEW and it is there), E_INVALIDARG,
 *         E_OUTOFMEMORY; of folders also E_ACCESSDENIED (read-only, or not allowed),
 *         ERROR_DISK_FULL, ERROR_NOT_SUPPORTED (its key is in a device), CRYPT_E_FILE_ERROR
 *         (other trouble with the file)
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
 * Takes a certificate out of its store. In "MY" and other folders its file is deleted, and the key
 * with it; whoever holds a context of it may go on using that.
 *
 * @param pCertContext [in] from CertEnumCertificatesInStore, CertFindCertificateInStore and the
 *                     like; its reference is taken over and dropped, on failure too
 * @return TRUE, also if it is in no store, or no longer in it; FALSE: E_INVALIDARG (NULL),
 *         E_ACCESSDENIED (a store to be read only, a file that may not be deleted, or that others
 *         share), CRYPT_E_FILE_ERROR, E_OUTOFMEMORY
 */
OSSPI_API BOOL WINAPI CertDeleteCertificateFromStore(PCCERT_CONTEXT pCertContext);

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

/* --- Encodings --- */

/**
 * Decodes DER into a structure.
 *
 * lpszStructType is one of these, or the object id of an extension that has that type:
 *
 * - X509_ALTERNATE_NAME: CERT_ALT_NAME_INFO
 * - X509_BASIC_CONSTRAINTS2: CERT_BASIC_CONSTRAINTS2_INFO
 * - X509_KEY_USAGE: CRYPT_BIT_BLOB
 * - X509_ENHANCED_KEY_USAGE: CERT_ENHKEY_USAGE
 * - X509_NAME, which is (LPCSTR)7, and X509_UNICODE_NAME: CERT_NAME_INFO
 *
 * The structure and all it points to are one piece of memory.
 *
 * @param dwCertEncodingType X509_ASN_ENCODING, others beside it are ignored
 * @param dwFlags            CRYPT_DECODE_ALLOC_FLAG: pvStructInfo is the address of a pointer that
 *                           receives memory of pfnAlloc, or to be freed with LocalFree; the other
 *                           CRYPT_DECODE_... flags change nothing
 * @param pDecodePara        [in] NULL allowed
 * @param pvStructInfo       [out] the structure, aligned as from malloc; NULL: only the size
 * @param pcbStructInfo      [in,out] bytes at pvStructInfo; bytes used or needed
 * @return TRUE; FALSE: ERROR_FILE_NOT_FOUND = no such type, CRYPT_E_ASN1_BADTAG = not of this type,
 *         or bytes behind it, CRYPT_E_INVALID_IA5_STRING = a name with a NUL or a byte above 127
 *         inside, ERROR_MORE_DATA = pvStructInfo is too small, E_INVALIDARG, E_OUTOFMEMORY
 */
OSSPI_API BOOL WINAPI CryptDecodeObjectEx(DWORD dwCertEncodingType, LPCSTR lpszStructType,
                                          const BYTE *pbEncoded, DWORD cbEncoded, DWORD dwFlags,
                                          PCRYPT_DECODE_PARA pDecodePara, void *pvStructInfo,
                                          DWORD *pcbStructInfo);

/**
 * Finds out what a blob or a file holds, and reads it.
 *
 * Known are certificates (CERT_QUERY_CONTENT_CERT; the first one of a PEM text is *ppvContext, all
 * of them are in *phCertStore), certificates in PKCS #7 signed data (PKCS7_SIGNED: they are in
 * *phCertStore, *phMsg is NULL, signatures are not checked) and PKCS #12 (PFX: recognised, not
 * opened; PFX_AND_LOAD, if asked for: opened without a password). Each as DER, as PEM, or as base64
 * without header. Anything else is CRYPT_E_NO_MATCH.
 *
 * All out parameters may be NULL.
 *
 * @param dwObjectType  CERT_QUERY_OBJECT_FILE: pvObject is a path in UTF-16;
 *                      CERT_QUERY_OBJECT_BLOB: it is a CERT_BLOB. At most 10 MiB
 * @param dwExpectedContentTypeFlags CERT_QUERY_CONTENT_FLAG_...: what is looked for
 * @param dwExpectedFormatTypeFlags  CERT_QUERY_FORMAT_FLAG_...
 * @param dwFlags       0
 * @param ppvContext    [out] a PCCERT_CONTEXT to be freed with CertFreeCertificateContext, or NULL
 * @return TRUE; FALSE: CRYPT_E_NO_MATCH, E_INVALIDARG, E_OUTOFMEMORY; of files also
 *         ERROR_FILE_NOT_FOUND, E_ACCESSDENIED, CRYPT_E_FILE_ERROR (not regular, or too long)
 */
OSSPI_API BOOL WINAPI CryptQueryObject(DWORD dwObjectType, const void *pvObject,
                                       DWORD dwExpectedContentTypeFlags,
                                       DWORD dwExpectedFormatTypeFlags, DWORD dwFlags,
                                       DWORD *pdwMsgAndCertEncodingType, DWORD *pdwContentType,
                                       DWORD *pdwFormatType, HCERTSTORE *phCertStore,
                                       HCRYPTMSG *phMsg, const void **ppvContext);

/**
 * Turns base64, PEM or hexadecimal digits into bytes.
 *
 * @param pszString  [in] text
 * @param cchString  characters of it; 0: up to its NUL
 * @param dwFlags    CRYPT_STRING_..., with CRYPT_STRING_STRICT if only white space and up to three
 *                   "=" may come behind base64
 * @param pbBinary   [out] bytes; NULL asks for their count only
 * @param pcbBinary  [in,out] bytes at pbBinary; bytes written or needed
 * @param pdwSkip    [out] characters before the line -----BEGIN...; may be NULL
 * @param pdwFlags   [out] the form it was, for the flags with ANY in their name; may be NULL
 * @return TRUE; FALSE: ERROR_INVALID_DATA = not of this form, or no such form; ERROR_MORE_DATA,
 *         ERROR_INVALID_PARAMETER, E_OUTOFMEMORY
 */
OSSPI_API BOOL WINAPI CryptStringToBinaryA(LPCSTR pszString, DWORD cchString, DWORD dwFlags,
                                           BYTE *pbBinary, DWORD *pcbBinary, DWORD *pdwSkip,
                                           DWORD *pdwFlags);
OSSPI_API BOOL WINAPI CryptStringToBinaryW(LPCWSTR pszString, DWORD cchString, DWORD dwFlags,
                                           BYTE *pbBinary, DWORD *pcbBinary, DWORD *pdwSkip,
                                           DWORD *pdwFlags);

/**
 * The reverse: bytes as base64 (64 characters a line), with header, or as hexadecimal digits.
 *
 * @param dwFlags   CRYPT_STRING_..., with CRYPT_STRING_NOCRLF (no line ends at all) or
 *                  CRYPT_STRING_NOCR (lines end in LF instead of CR LF)
 * @param pszString [out] text with a NUL; NULL asks for the size only
 * @param pcchString [in,out] characters at pszString; characters written without the NUL, or needed
 *                  with it
 * @return TRUE; FALSE: ERROR_MORE_DATA, ERROR_INVALID_PARAMETER (nothing to turn, or no such form)
 */
OSSPI_API BOOL WINAPI CryptBinaryToStringA(const BYTE *pbBinary, DWORD cbBinary, DWORD dwFlags,
                                           LPSTR pszString, DWORD *pcchString);
OSSPI_API BOOL WINAPI CryptBinaryToStringW(const BYTE *pbBinary, DWORD cbBinary, DWORD dwFlags,
                                           LPWSTR pszString, DWORD *pcchString);

/** Frees what CryptDecodeObjectEx allocated; NULL is allowed. Always NULL. */
OSSPI_API HLOCAL WINAPI LocalFree(HLOCAL hMem) __asm__("osspi_LocalFree");

/* --- Chains --- */

/**
 * Makes a chain engine: whom CertGetCertificateChain trusts, and what it may ask.
 *
 * @param pConfig       [in] hExclusiveRoot: only these roots are trusted. hRestrictedRoot: of
 * these, those that the system trusts. rghAdditionalStore, hRestrictedOther: where issuers are
 * looked for too. dwFlags: CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL. dwUrlRetrievalTimeout in ms, 0 = 15
 * s. Stores are read in each call, roots when the engine is made. The rest changes nothing
 * @param phChainEngine [out] free it with CertFreeCertificateChainEngine
 * @return TRUE; FALSE: E_INVALIDARG, E_OUTOFMEMORY
 */
OSSPI_API BOOL WINAPI CertCreateCertificateChainEngine(PCERT_CHAIN_ENGINE_CONFIG pConfig,
                                                       HCERTCHAINENGINE *phChainEngine);
/** Frees an engine; calls that use it end undisturbed. HCCE_..., NULL and what is no engine:
 * nothing is done. */
OSSPI_API VOID WINAPI CertFreeCertificateChainEngine(HCERTCHAINENGINE hChainEngine);

/**
 * Builds the chain of a certificate and tells what is wrong with it.
 *
 * That a chain is not good is no failure: TrustStatus tells it, of the whole and of each element.
 * Revocation is looked for if dwFlags say so: in lists that the trust store holds or that were
 * fetched before, in OCSP answers that were given before, and, unless dwFlags or the engine forbid
 * it and only of a chain that is trusted, over the network. Then the call blocks for up to 15
 * seconds. OsspiGetCertificateChainAsync does not block.
 *
 * @param hChainEngine     NULL (HCCE_CURRENT_USER) or HCCE_LOCAL_MACHINE: the system's roots; or an
 *                         engine
 * @param pCertContext     [in] end certificate; its chain and its store are looked through for
 *                         issuers
 * @param pTime            [in] UTC; NULL = now
 * @param hAdditionalStore [in] where to look for issuers too, or NULL
 * @param pChainPara       [in] RequestedUsage: object ids of extended key usages that every
 *                         certificate of the chain must allow (AND: all of them, OR: one);
 *                         dwUrlRetrievalTimeout, if cbSize says that it is there
 * @param dwFlags          CERT_CHAIN_REVOCATION_CHECK_..., CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL;
 *                         others change nothing
 * @param pvReserved       NULL
 * @param ppChainContext   [out] one simple chain; free it with CertFreeCertificateChain
 * @return TRUE; FALSE: E_INVALIDARG (also an engine or store that is none), E_OUTOFMEMORY,
 *         ERROR_TIMEOUT (OsspiOptions.default_timeout_ms)
 */
OSSPI_API BOOL WINAPI CertGetCertificateChain(HCERTCHAINENGINE hChainEngine,
                                              PCCERT_CONTEXT pCertContext, LPFILETIME pTime,
                                              HCERTSTORE hAdditionalStore,
                                              PCERT_CHAIN_PARA pChainPara, DWORD dwFlags,
                                              LPVOID pvReserved,
                                              PCCERT_CHAIN_CONTEXT *ppChainContext);
/** Adds a reference and returns its argument, which may be NULL. */
OSSPI_API PCCERT_CHAIN_CONTEXT WINAPI
CertDuplicateCertificateChain(PCCERT_CHAIN_CONTEXT pChainContext);
/** Drops a reference; NULL is allowed. */
OSSPI_API VOID WINAPI CertFreeCertificateChain(PCCERT_CHAIN_CONTEXT pChainContext);

/**
 * Judges a chain by a policy.
 *
 * @param pszPolicyOID  CERT_CHAIN_POLICY_BASE, or CERT_CHAIN_POLICY_SSL: usage and name of a server
 *                      or client too
 * @param pChainContext [in] from CertGetCertificateChain
 * @param pPolicyPara   [in] dwFlags CERT_CHAIN_POLICY_IGNORE_...; of SSL pvExtraPolicyPara, an
 *                      HTTPSPolicyCallbackData: without pwszServerName no name is compared. NULL =
 *                      nothing is ignored
 * @param pPolicyStatus [in,out] dwError: 0 = the chain passes, else CERT_E_..., TRUST_E_... or
 *                      CRYPT_E_..., and the places it is about (-1: the chain as a whole)
 * @return TRUE if the policy could be applied, whatever it says; FALSE: ERROR_FILE_NOT_FOUND = no
 *         such policy, E_INVALIDARG, E_OUTOFMEMORY
 */
OSSPI_API BOOL WINAPI CertVerifyCertificateChainPolicy(LPCSTR pszPolicyOID,
                                                       PCCERT_CHAIN_CONTEXT pChainContext,
                                                       PCERT_CHAIN_POLICY_PARA pPolicyPara,
                                                       PCERT_CHAIN_POLICY_STATUS pPolicyStatus);

/* --- Last error --- */

/** The reason of the last failure on this thread: a Win32 error, or an HRESULT. */
OSSPI_API DWORD WINAPI GetLastError(void) __asm__("osspi_GetLastError");
/** Sets that reason. */
OSSPI_API VOID WINAPI SetLastError(DWORD dwErrCode) __asm__("osspi_SetLastError");

OSSPI_EXTERN_C_END

#ifdef UNICODE
#define CertGetNameString   CertGetNameStringW
#define CertOpenSystemStore CertOpenSystemStoreW
#define CryptStringToBinary CryptStringToBinaryW
#define CryptBinaryToString CryptBinaryToStringW
#else
#define CertGetNameString   CertGetNameStringA
#define CertOpenSystemStore CertOpenSystemStoreA
#define CryptStringToBinary CryptStringToBinaryA
#define CryptBinaryToString CryptBinaryToStringA
#endif

#endif /* OPENSSPI_WINCRYPT_H */
