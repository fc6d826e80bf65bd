/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What QueryContextAttributes, QueryCredentialsAttributes and their Set twins read and write, and
 * the structures that travel inside a SecBuffer of a special type.
 *
 * Included by sspi.h, not meant to be included alone. The caller owns the outer structure; a
 * pointer that a query puts into it is freed with FreeContextBuffer unless its comment says
 * otherwise.
 */
#ifndef OPENSSPI_OSSPI_SSPI_ATTRIBUTES_H
#define OPENSSPI_OSSPI_SSPI_ATTRIBUTES_H

#include "osspi_types.h"

OSSPI_EXTERN_C_BEGIN

/* --- Inside SecBuffers --- */

/** SECBUFFER_CHANNEL_BINDINGS: this header, then the data that the offsets (from its start) name.
 */
typedef struct _SEC_CHANNEL_BINDINGS {
    ULONG dwInitiatorAddrType;
    ULONG cbInitiatorLength;
    ULONG dwInitiatorOffset;
    ULONG dwAcceptorAddrType;
    ULONG cbAcceptorLength;
    ULONG dwAcceptorOffset;
    ULONG cbApplicationDataLength;
    ULONG dwApplicationDataOffset;
} SEC_CHANNEL_BINDINGS, *PSEC_CHANNEL_BINDINGS;

typedef enum _SEC_APPLICATION_PROTOCOL_NEGOTIATION_EXT {
    SecApplicationProtocolNegotiationExt_None,
    SecApplicationProtocolNegotiationExt_NPN,
    SecApplicationProtocolNegotiationExt_ALPN
} SEC_APPLICATION_PROTOCOL_NEGOTIATION_EXT,
    *PSEC_APPLICATION_PROTOCOL_NEGOTIATION_EXT;

/** One list of protocol ids, each id preceded by its length in one byte. */
typedef struct _SEC_APPLICATION_PROTOCOL_LIST {
    SEC_APPLICATION_PROTOCOL_NEGOTIATION_EXT ProtoNegoExt;
    USHORT ProtocolListSize; /* bytes in ProtocolList */
    UCHAR ProtocolList[ANYSIZE_ARRAY];
} SEC_APPLICATION_PROTOCOL_LIST, *PSEC_APPLICATION_PROTOCOL_LIST;

/** SECBUFFER_APPLICATION_PROTOCOLS. The lists stand one behind the other without padding. */
typedef struct _SEC_APPLICATION_PROTOCOLS {
    ULONG ProtocolListsSize; /* bytes in ProtocolLists */
    SEC_APPLICATION_PROTOCOL_LIST ProtocolLists[ANYSIZE_ARRAY];
} SEC_APPLICATION_PROTOCOLS, *PSEC_APPLICATION_PROTOCOLS;

/** SECBUFFER_SRTP_PROTECTION_PROFILES. */
typedef struct _SEC_SRTP_PROTECTION_PROFILES {
    USHORT ProfilesSize; /* bytes in ProfilesList */
    USHORT ProfilesList[ANYSIZE_ARRAY];
} SEC_SRTP_PROTECTION_PROFILES, *PSEC_SRTP_PROTECTION_PROFILES;

/** SECBUFFER_SRTP_MASTER_KEY_IDENTIFIER. */
typedef struct _SEC_SRTP_MASTER_KEY_IDENTIFIER {
    UCHAR MasterKeyIdentifierSize;
    UCHAR MasterKeyIdentifier[ANYSIZE_ARRAY];
} SEC_SRTP_MASTER_KEY_IDENTIFIER, *PSEC_SRTP_MASTER_KEY_IDENTIFIER;

/** SECBUFFER_TOKEN_BINDING. */
typedef struct _SEC_TOKEN_BINDING {
    UCHAR MajorVersion;
    UCHAR MinorVersion;
    USHORT KeyParametersSize;
    UCHAR KeyParameters[ANYSIZE_ARRAY];
} SEC_TOKEN_BINDING, *PSEC_TOKEN_BINDING;

/** SECBUFFER_PRESHARED_KEY. */
typedef struct _SEC_PRESHAREDKEY {
    USHORT KeySize;
    UCHAR Key[ANYSIZE_ARRAY];
} SEC_PRESHAREDKEY, *PSEC_PRESHAREDKEY;

/** SECBUFFER_PRESHARED_KEY_IDENTITY. */
typedef struct _SEC_PRESHAREDKEY_IDENTITY {
    USHORT KeyIdentitySize;
    UCHAR KeyIdentity[ANYSIZE_ARRAY];
} SEC_PRESHAREDKEY_IDENTITY, *PSEC_PRESHAREDKEY_IDENTITY;

/** SECBUFFER_DTLS_MTU, and the attribute of that name. */
typedef struct _SEC_DTLS_MTU {
    USHORT PathMTU;
} SEC_DTLS_MTU, *PSEC_DTLS_MTU;

/** SECBUFFER_FLAGS: the only way for ISC_REQ_ and ASC_REQ_ bits above 31; the low 32 bits are zero.
 */
typedef struct _SEC_FLAGS {
    unsigned long long Flags;
} SEC_FLAGS, *PSEC_FLAGS;

/** SECBUFFER_CERTIFICATE_REQUEST_CONTEXT. */
typedef struct _SEC_CERTIFICATE_REQUEST_CONTEXT {
    UCHAR cbCertificateRequestContext;
    UCHAR rgCertificateRequestContext[ANYSIZE_ARRAY];
} SEC_CERTIFICATE_REQUEST_CONTEXT, *PSEC_CERTIFICATE_REQUEST_CONTEXT;

/** Whose direction a traffic secret protects. */
typedef enum _SEC_TRAFFIC_SECRET_TYPE {
    SecTrafficSecret_None,
    SecTrafficSecret_Client,
    SecTrafficSecret_Server
} SEC_TRAFFIC_SECRET_TYPE,
    *PSEC_TRAFFIC_SECRET_TYPE;

/** SECBUFFER_TRAFFIC_SECRETS: one secret of one direction and level, in message mode. */
typedef struct _SEC_TRAFFIC_SECRETS {
    WCHAR SymmetricAlgId[SZ_ALG_MAX_SIZE];
    WCHAR ChainingMode[SZ_ALG_MAX_SIZE];
    WCHAR HashAlgId[SZ_ALG_MAX_SIZE];
    USHORT KeySize;          /* bytes */
    USHORT IvSize;           /* bytes */
    USHORT MsgSequenceStart; /* offset in the output token from which this secret applies */
    USHORT MsgSequenceEnd;   /* offset at which it stops, 0 = it does not */
    SEC_TRAFFIC_SECRET_TYPE TrafficSecretType;
    USHORT TrafficSecretSize;
    UCHAR TrafficSecret[ANYSIZE_ARRAY];
} SEC_TRAFFIC_SECRETS, *PSEC_TRAFFIC_SECRETS;

/* --- Attributes of a security context --- */

/** SECPKG_ATTR_SIZES. All in bytes. */
typedef struct _SecPkgContext_Sizes {
    ULONG cbMaxToken;
    ULONG cbMaxSignature;
    ULONG cbBlockSize;
    ULONG cbSecurityTrailer;
} SecPkgContext_Sizes, *PSecPkgContext_Sizes;

/** SECPKG_ATTR_STREAM_SIZES. Bytes, except cBuffers: the buffers EncryptMessage wants. */
typedef struct _SecPkgContext_StreamSizes {
    ULONG cbHeader;
    ULONG cbTrailer;
    ULONG cbMaximumMessage;
    ULONG cBuffers;
    ULONG cbBlockSize;
} SecPkgContext_StreamSizes, *PSecPkgContext_StreamSizes;

/** SECPKG_ATTR_DATAGRAM_SIZES. */
typedef SecPkgContext_StreamSizes SecPkgContext_DatagramSizes;
typedef PSecPkgContext_StreamSizes PSecPkgContext_DatagramSizes;

/** SECPKG_ATTR_NAMES: who the peer (server side) or the caller (client side) is. */
typedef struct _SecPkgContext_NamesA {
    SEC_CHAR *sUserName;
} SecPkgContext_NamesA, *PSecPkgContext_NamesA;
typedef struct _SecPkgContext_NamesW {
    SEC_WCHAR *sUserName;
} SecPkgContext_NamesW, *PSecPkgContext_NamesW;

/** SECPKG_ATTR_LIFESPAN. */
typedef struct _SecPkgContext_Lifespan {
    TimeStamp tsStart;
    TimeStamp tsExpiry;
} SecPkgContext_Lifespan, *PSecPkgContext_Lifespan;

/** SECPKG_ATTR_DCE_INFO. */
typedef struct _SecPkgContext_DceInfo {
    ULONG AuthzSvc;
    void *pPac;
} SecPkgContext_DceInfo, *PSecPkgContext_DceInfo;

/** SECPKG_ATTR_KEY_INFO. KeySize is in bits; the algorithms are ALG_IDs. Both names are allocated.
 */
typedef struct _SecPkgContext_KeyInfoA {
    SEC_CHAR *sSignatureAlgorithmName;
    SEC_CHAR *sEncryptAlgorithmName;
    ULONG KeySize;
    ULONG SignatureAlgorithm;
    ULONG EncryptAlgorithm;
} SecPkgContext_KeyInfoA, *PSecPkgContext_KeyInfoA;
typedef struct _SecPkgContext_KeyInfoW {
    SEC_WCHAR *sSignatureAlgorithmName;
    SEC_WCHAR *sEncryptAlgorithmName;
    ULONG KeySize;
    ULONG SignatureAlgorithm;
    ULONG EncryptAlgorithm;
} SecPkgContext_KeyInfoW, *PSecPkgContext_KeyInfoW;

/** SECPKG_ATTR_AUTHORITY: who vouched for the peer. */
typedef struct _SecPkgContext_AuthorityA {
    SEC_CHAR *sAuthorityName;
} SecPkgContext_AuthorityA, *PSecPkgContext_AuthorityA;
typedef struct _SecPkgContext_AuthorityW {
    SEC_WCHAR *sAuthorityName;
} SecPkgContext_AuthorityW, *PSecPkgContext_AuthorityW;

/** SECPKG_ATTR_PROTO_INFO. */
typedef struct _SecPkgContext_ProtoInfoA {
    SEC_CHAR *sProtocolName;
    ULONG majorVersion;
    ULONG minorVersion;
} SecPkgContext_ProtoInfoA, *PSecPkgContext_ProtoInfoA;
typedef struct _SecPkgContext_ProtoInfoW {
    SEC_WCHAR *sProtocolName;
    ULONG majorVersion;
    ULONG minorVersion;
} SecPkgContext_ProtoInfoW, *PSecPkgContext_ProtoInfoW;

/** SECPKG_ATTR_PASSWORD_EXPIRY. */
typedef struct _SecPkgContext_PasswordExpiry {
    TimeStamp tsPasswordExpires;
} SecPkgContext_PasswordExpiry, *PSecPkgContext_PasswordExpiry;

/** SECPKG_ATTR_LOGOFF_TIME. */
typedef struct _SecPkgContext_LogoffTime {
    TimeStamp tsLogoffTime;
} SecPkgContext_LogoffTime, *PSecPkgContext_LogoffTime;

/** SECPKG_ATTR_SESSION_KEY. A secret: wipe it before it is freed. */
typedef struct _SecPkgContext_SessionKey {
    ULONG SessionKeyLength;
    UCHAR *SessionKey;
} SecPkgContext_SessionKey, *PSecPkgContext_SessionKey;

/** SECPKG_ATTR_NEGO_KEYS. Secrets: wipe them before they are freed. */
typedef struct _SecPkgContext_NegoKeys {
    ULONG KeyType;
    USHORT KeyLength;
    UCHAR *KeyValue;
    ULONG VerifyKeyType;
    USHORT VerifyKeyLength;
    UCHAR *VerifyKeyValue;
} SecPkgContext_NegoKeys, *PSecPkgContext_NegoKeys;

/** SECPKG_ATTR_PACKAGE_INFO. One allocation holds the structure and its strings. */
typedef struct _SecPkgContext_PackageInfoA {
    PSecPkgInfoA PackageInfo;
} SecPkgContext_PackageInfoA, *PSecPkgContext_PackageInfoA;
typedef struct _SecPkgContext_PackageInfoW {
    PSecPkgInfoW PackageInfo;
} SecPkgContext_PackageInfoW, *PSecPkgContext_PackageInfoW;

/** SECPKG_ATTR_NEGOTIATION_INFO: which package Negotiate chose, and how far it is
 * (SECPKG_NEGOTIATION_). */
typedef struct _SecPkgContext_NegotiationInfoA {
    PSecPkgInfoA PackageInfo;
    ULONG NegotiationState;
} SecPkgContext_NegotiationInfoA, *PSecPkgContext_NegotiationInfoA;
typedef struct _SecPkgContext_NegotiationInfoW {
    PSecPkgInfoW PackageInfo;
    ULONG NegotiationState;
} SecPkgContext_NegotiationInfoW, *PSecPkgContext_NegotiationInfoW;

/** SECPKG_ATTR_NEGO_PKG_INFO. */
typedef struct _SecPkgContext_NegoPackageInfo {
    ULONG PackageMask;
} SecPkgContext_NegoPackageInfo, *PSecPkgContext_NegoPackageInfo;

/** SECPKG_ATTR_NEGO_STATUS. */
typedef struct _SecPkgContext_NegoStatus {
    ULONG LastStatus;
} SecPkgContext_NegoStatus, *PSecPkgContext_NegoStatus;

/** SECPKG_ATTR_USER_FLAGS. */
typedef struct _SecPkgContext_UserFlags {
    ULONG UserFlags;
} SecPkgContext_UserFlags, *PSecPkgContext_UserFlags;

/** SECPKG_ATTR_FLAGS: the ISC_RET_ or ASC_RET_ bits of the context. */
typedef struct _SecPkgContext_Flags {
    ULONG Flags;
} SecPkgContext_Flags, *PSecPkgContext_Flags;

/** SECPKG_ATTR_NATIVE_NAMES. Two allocations. */
typedef struct _SecPkgContext_NativeNamesA {
    SEC_CHAR *sClientName;
    SEC_CHAR *sServerName;
} SecPkgContext_NativeNamesA, *PSecPkgContext_NativeNamesA;
typedef struct _SecPkgContext_NativeNamesW {
    SEC_WCHAR *sClientName;
    SEC_WCHAR *sServerName;
} SecPkgContext_NativeNamesW, *PSecPkgContext_NativeNamesW;

/** SECPKG_ATTR_CREDENTIAL_NAME. */
typedef struct _SecPkgContext_CredentialNameA {
    ULONG CredentialType;
    SEC_CHAR *sCredentialName;
} SecPkgContext_CredentialNameA, *PSecPkgContext_CredentialNameA;
typedef struct _SecPkgContext_CredentialNameW {
    ULONG CredentialType;
    SEC_WCHAR *sCredentialName;
} SecPkgContext_CredentialNameW, *PSecPkgContext_CredentialNameW;

/** SECPKG_ATTR_ACCESS_TOKEN. */
typedef struct _SecPkgContext_AccessToken {
    void *AccessToken;
} SecPkgContext_AccessToken, *PSecPkgContext_AccessToken;

/** SECPKG_ATTR_TARGET_INFORMATION. */
typedef struct _SecPkgContext_TargetInformation {
    ULONG MarshalledTargetInfoLength;
    UCHAR *MarshalledTargetInfo;
} SecPkgContext_TargetInformation, *PSecPkgContext_TargetInformation;

/** SECPKG_ATTR_AUTHENTICATION_ID. */
typedef struct _SecPkgContext_AuthzID {
    ULONG AuthzIDLength;
    char *AuthzID;
} SecPkgContext_AuthzID, *PSecPkgContext_AuthzID;

/** SECPKG_ATTR_TARGET. */
typedef struct _SecPkgContext_Target {
    ULONG TargetLength;
    char *Target;
} SecPkgContext_Target, *PSecPkgContext_Target;

/** SECPKG_ATTR_CLIENT_SPECIFIED_TARGET: the service name the client asked for; always UTF-16. */
typedef struct _SecPkgContext_ClientSpecifiedTarget {
    SEC_WCHAR *sTargetName;
} SecPkgContext_ClientSpecifiedTarget, *PSecPkgContext_ClientSpecifiedTarget;

/** SECPKG_ATTR_UNIQUE_BINDINGS and SECPKG_ATTR_ENDPOINT_BINDINGS; BindingsLength counts header and
 * data. */
typedef struct _SecPkgContext_Bindings {
    ULONG BindingsLength;
    SEC_CHANNEL_BINDINGS *Bindings;
} SecPkgContext_Bindings, *PSecPkgContext_Bindings;

/** SECPKG_ATTR_SUBJECT_SECURITY_ATTRIBUTES. */
typedef struct _SecPkgContext_SubjectAttributes {
    void *AttributeInfo;
} SecPkgContext_SubjectAttributes, *PSecPkgContext_SubjectAttributes;

typedef enum _SECPKG_CRED_CLASS {
    SecPkgCredClass_None = 0,
    SecPkgCredClass_Ephemeral = 10,
    SecPkgCredClass_PersistedGeneric = 20,
    SecPkgCredClass_PersistedSpecific = 30,
    SecPkgCredClass_Explicit = 40
} SECPKG_CRED_CLASS,
    *PSECPKG_CRED_CLASS;

/** SECPKG_ATTR_PROMPTING_NEEDED. */
typedef struct _SecPkgContext_CredInfo {
    SECPKG_CRED_CLASS CredClass;
    ULONG IsPromptingNeeded;
} SecPkgContext_CredInfo, *PSecPkgContext_CredInfo;

typedef enum _SECPKG_ATTR_LCT_STATUS {
    SecPkgAttrLastClientTokenYes,
    SecPkgAttrLastClientTokenNo,
    SecPkgAttrLastClientTokenMaybe
} SECPKG_ATTR_LCT_STATUS,
    *PSECPKG_ATTR_LCT_STATUS;

/** SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS. */
typedef struct _SecPkgContext_LastClientTokenStatus {
    SECPKG_ATTR_LCT_STATUS LastClientTokenStatus;
} SecPkgContext_LastClientTokenStatus, *PSecPkgContext_LastClientTokenStatus;

/** SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS. */
typedef struct _SecPkgContext_NegotiatedTlsExtensions {
    ULONG ExtensionsCount;
    USHORT *Extensions;
} SecPkgContext_NegotiatedTlsExtensions, *PSecPkgContext_NegotiatedTlsExtensions;

/* Kernel-mode callers bring these two themselves: their system's header does not have them. */
#if ISSP_MODE != 0
typedef enum _SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS {
    SecApplicationProtocolNegotiationStatus_None,
    SecApplicationProtocolNegotiationStatus_Success,
    SecApplicationProtocolNegotiationStatus_SelectedClientOnly
} SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS,
    *PSEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS;

/** SECPKG_ATTR_APPLICATION_PROTOCOL: what ALPN settled on. */
typedef struct _SecPkgContext_ApplicationProtocol {
    SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS ProtoNegoStatus;
    SEC_APPLICATION_PROTOCOL_NEGOTIATION_EXT ProtoNegoExt;
    UCHAR ProtocolIdSize;
    UCHAR ProtocolId[MAX_PROTOCOL_ID_SIZE];
} SecPkgContext_ApplicationProtocol, *PSecPkgContext_ApplicationProtocol;
#endif

/* --- Attributes of a credential --- */

/** SECPKG_CRED_ATTR_NAMES. */
typedef struct _SecPkgCredentials_NamesA {
    SEC_CHAR *sUserName;
} SecPkgCredentials_NamesA, *PSecPkgCredentials_NamesA;
typedef struct _SecPkgCredentials_NamesW {
    SEC_WCHAR *sUserName;
} SecPkgCredentials_NamesW, *PSecPkgCredentials_NamesW;

/** SECPKG_CRED_ATTR_SSI_PROVIDER. */
typedef struct _SecPkgCredentials_SSIProviderA {
    SEC_CHAR *sProviderName;
    ULONG ProviderInfoLength;
    char *ProviderInfo;
} SecPkgCredentials_SSIProviderA, *PSecPkgCredentials_SSIProviderA;
typedef struct _SecPkgCredentials_SSIProviderW {
    SEC_WCHAR *sProviderName;
    ULONG ProviderInfoLength;
    char *ProviderInfo;
} SecPkgCredentials_SSIProviderW, *PSecPkgCredentials_SSIProviderW;

/** SECPKG_CRED_ATTR_KDC_PROXY_SETTINGS. Offsets are bytes from the start; strings are UTF-16. */
typedef struct _SecPkgCredentials_KdcProxySettingsW {
    ULONG Version;
    ULONG Flags;
    USHORT ProxyServerOffset;
    USHORT ProxyServerLength;
    USHORT ClientTlsCredOffset;
    USHORT ClientTlsCredLength;
} SecPkgCredentials_KdcProxySettingsW, *PSecPkgCredentials_KdcProxySettingsW;

/** SECPKG_CRED_ATTR_CERT. */
typedef struct _SecPkgCredentials_Cert {
    ULONG EncodedCertSize;
    UCHAR *EncodedCert;
} SecPkgCredentials_Cert, *PSecPkgCredentials_Cert;

OSSPI_EXTERN_C_END

/* clang-format off */
#ifdef UNICODE
#define SecPkgContext_Names             SecPkgContext_NamesW
#define PSecPkgContext_Names            PSecPkgContext_NamesW
#define SecPkgContext_KeyInfo           SecPkgContext_KeyInfoW
#define PSecPkgContext_KeyInfo          PSecPkgContext_KeyInfoW
#define SecPkgContext_Authority         SecPkgContext_AuthorityW
#define PSecPkgContext_Authority        PSecPkgContext_AuthorityW
#define SecPkgContext_ProtoInfo         SecPkgContext_ProtoInfoW
#define PSecPkgContext_ProtoInfo        PSecPkgContext_ProtoInfoW
#define SecPkgContext_PackageInfo       SecPkgContext_PackageInfoW
#define PSecPkgContext_PackageInfo      PSecPkgContext_PackageInfoW
#define SecPkgContext_NegotiationInfo   SecPkgContext_NegotiationInfoW
#define PSecPkgContext_NegotiationInfo  PSecPkgContext_NegotiationInfoW
#define SecPkgContext_NativeNames       SecPkgContext_NativeNamesW
#define PSecPkgContext_NativeNames      PSecPkgContext_NativeNamesW
#define SecPkgContext_CredentialName    SecPkgContext_CredentialNameW
#define PSecPkgContext_CredentialName   PSecPkgContext_CredentialNameW
#define SecPkgCredentials_Names         SecPkgCredentials_NamesW
#define PSecPkgCredentials_Names        PSecPkgCredentials_NamesW
#define SecPkgCredentials_SSIProvider   SecPkgCredentials_SSIProviderW
#define PSecPkgCredentials_SSIProvider  PSecPkgCredentials_SSIProviderW
#else
#define SecPkgContext_Names             SecPkgContext_NamesA
#define PSecPkgContext_Names            PSecPkgContext_NamesA
#define SecPkgContext_KeyInfo           SecPkgContext_KeyInfoA
#define PSecPkgContext_KeyInfo          PSecPkgContext_KeyInfoA
#define SecPkgContext_Authority         SecPkgContext_AuthorityA
#define PSecPkgContext_Authority        PSecPkgContext_AuthorityA
#define SecPkgContext_ProtoInfo         SecPkgContext_ProtoInfoA
#define PSecPkgContext_ProtoInfo        PSecPkgContext_ProtoInfoA
#define SecPkgContext_PackageInfo       SecPkgContext_PackageInfoA
#define PSecPkgContext_PackageInfo      PSecPkgContext_PackageInfoA
#define SecPkgContext_NegotiationInfo   SecPkgContext_NegotiationInfoA
#define PSecPkgContext_NegotiationInfo  PSecPkgContext_NegotiationInfoA
#define SecPkgContext_NativeNames       SecPkgContext_NativeNamesA
#define PSecPkgContext_NativeNames      PSecPkgContext_NativeNamesA
#define SecPkgContext_CredentialName    SecPkgContext_CredentialNameA
#define PSecPkgContext_CredentialName   PSecPkgContext_CredentialNameA
#define SecPkgCredentials_Names         SecPkgCredentials_NamesA
#define PSecPkgCredentials_Names        PSecPkgCredentials_NamesA
#define SecPkgCredentials_SSIProvider   SecPkgCredentials_SSIProviderA
#define PSecPkgCredentials_SSIProvider  PSecPkgCredentials_SSIProviderA
#endif
#define SecPkgCredentials_KdcProxySettings  SecPkgCredentials_KdcProxySettingsW
#define PSecPkgCredentials_KdcProxySettings PSecPkgCredentials_KdcProxySettingsW
/* clang-format on */

#endif /* OPENSSPI_OSSPI_SSPI_ATTRIBUTES_H */
