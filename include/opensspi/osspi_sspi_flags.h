/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The numbers of sspi.h: flags, buffer types, attribute ids, package names.
 *
 * Included by sspi.h, not meant to be included alone. Every value is Windows' own, in Windows'
 * spelling. Those with a bit above 31 are 64-bit and can only travel in a SECBUFFER_FLAGS buffer.
 */
#ifndef OPENSSPI_OSSPI_SSPI_FLAGS_H
#define OPENSSPI_OSSPI_SSPI_FLAGS_H

#include "osspi_types.h"

/* clang-format off */

/* --- fCredentialUse of AcquireCredentialsHandle --- */
#define SECPKG_CRED_INBOUND                0x00000001 /* for AcceptSecurityContext */
#define SECPKG_CRED_OUTBOUND               0x00000002 /* for InitializeSecurityContext */
#define SECPKG_CRED_BOTH                   0x00000003 /* Schannel refuses it */
#define SECPKG_CRED_DEFAULT                0x00000004
#define SECPKG_CRED_RESERVED               0xF0000000
#define SECPKG_CRED_AUTOLOGON_RESTRICTED   0x00000010 /* no default or stored credentials */
#define SECPKG_CRED_PROCESS_POLICY_ONLY    0x00000020 /* evaluate policy, acquire nothing */
#define SECPKG_CRED_KERB_ANCHOR_DS_VERSION 0x00000040

/*
 * Context attributes. The client's (ISC_) and the server's (ASC_) bits differ: EXTENDED_ERROR is
 * 0x4000 for the client and 0x8000 for the server, and so on up from there.
 */

/* --- fContextReq of InitializeSecurityContext --- */
/* Kerberos, together with MUTUAL_AUTH */
#define ISC_REQ_DELEGATE                 0x00000001
#define ISC_REQ_MUTUAL_AUTH              0x00000002            /* a wish: look at the RET flag */
#define ISC_REQ_REPLAY_DETECT            0x00000004
#define ISC_REQ_SEQUENCE_DETECT          0x00000008
#define ISC_REQ_CONFIDENTIALITY          0x00000010
#define ISC_REQ_USE_SESSION_KEY          0x00000020
#define ISC_REQ_PROMPT_FOR_CREDS         0x00000040
/* Schannel: choose no client certificate by itself */
#define ISC_REQ_USE_SUPPLIED_CREDS       0x00000080
/* output is allocated, FreeContextBuffer frees it */
#define ISC_REQ_ALLOCATE_MEMORY          0x00000100
#define ISC_REQ_USE_DCE_STYLE            0x00000200            /* three legs */
#define ISC_REQ_DATAGRAM                 0x00000400            /* DTLS, or datagram semantics */
#define ISC_REQ_CONNECTION               0x00000800
#define ISC_REQ_CALL_LEVEL               0x00001000
#define ISC_REQ_FRAGMENT_SUPPLIED        0x00002000
/* on failure make a message for the peer */
#define ISC_REQ_EXTENDED_ERROR           0x00004000
#define ISC_REQ_STREAM                   0x00008000            /* TLS records in a byte stream */
#define ISC_REQ_INTEGRITY                0x00010000
#define ISC_REQ_IDENTIFY                 0x00020000
#define ISC_REQ_NULL_SESSION             0x00040000
/* the caller checks the server certificate */
#define ISC_REQ_MANUAL_CRED_VALIDATION   0x00080000
#define ISC_REQ_RESERVED1                0x00100000
#define ISC_REQ_FRAGMENT_TO_FIT          0x00200000
#define ISC_REQ_FORWARD_CREDENTIALS      0x00400000
#define ISC_REQ_NO_INTEGRITY             0x00800000            /* takes INTEGRITY back */
#define ISC_REQ_USE_HTTP_STYLE           0x01000000
#define ISC_REQ_UNVERIFIED_TARGET_NAME   0x20000000
#define ISC_REQ_CONFIDENTIALITY_ONLY     0x40000000
/* TLS without records (QUIC); SECBUFFER_FLAGS only */
#define ISC_REQ_MESSAGES                 0x0000000100000000ULL
#define ISC_REQ_DEFERRED_CRED_VALIDATION 0x0000000200000000ULL /* verdict in CERT_CHECK_RESULT */
#define ISC_REQ_NO_POST_HANDSHAKE_AUTH   0x0000000400000000ULL
#define ISC_REQ_REUSE_SESSION_TICKETS    0x0000000800000000ULL
#define ISC_REQ_EXPLICIT_SESSION         0x0000001000000000ULL

/* --- *pfContextAttr of InitializeSecurityContext --- */
#define ISC_RET_DELEGATE                 0x00000001
#define ISC_RET_MUTUAL_AUTH              0x00000002
#define ISC_RET_REPLAY_DETECT            0x00000004
#define ISC_RET_SEQUENCE_DETECT          0x00000008
#define ISC_RET_CONFIDENTIALITY          0x00000010
#define ISC_RET_USE_SESSION_KEY          0x00000020
#define ISC_RET_USED_COLLECTED_CREDS     0x00000040
#define ISC_RET_USED_SUPPLIED_CREDS      0x00000080
#define ISC_RET_ALLOCATED_MEMORY         0x00000100
#define ISC_RET_USED_DCE_STYLE           0x00000200
#define ISC_RET_DATAGRAM                 0x00000400
#define ISC_RET_CONNECTION               0x00000800
#define ISC_RET_INTERMEDIATE_RETURN      0x00001000
#define ISC_RET_CALL_LEVEL               0x00002000
#define ISC_RET_EXTENDED_ERROR           0x00004000
#define ISC_RET_STREAM                   0x00008000
#define ISC_RET_INTEGRITY                0x00010000
#define ISC_RET_IDENTIFY                 0x00020000
#define ISC_RET_NULL_SESSION             0x00040000
#define ISC_RET_MANUAL_CRED_VALIDATION   0x00080000
#define ISC_RET_RESERVED1                0x00100000
#define ISC_RET_FRAGMENT_ONLY            0x00200000
#define ISC_RET_FORWARD_CREDENTIALS      0x00400000
#define ISC_RET_USED_HTTP_STYLE          0x01000000
#define ISC_RET_NO_ADDITIONAL_TOKEN      0x02000000
#define ISC_RET_REAUTHENTICATION         0x08000000
#define ISC_RET_CONFIDENTIALITY_ONLY     0x40000000
#define ISC_RET_MESSAGES                 0x0000000100000000ULL
#define ISC_RET_DEFERRED_CRED_VALIDATION 0x0000000200000000ULL
#define ISC_RET_NO_POST_HANDSHAKE_AUTH   0x0000000400000000ULL
#define ISC_RET_REUSE_SESSION_TICKETS    0x0000000800000000ULL
#define ISC_RET_EXPLICIT_SESSION         0x0000001000000000ULL

/* --- fContextReq of AcceptSecurityContext --- */
#define ASC_REQ_DELEGATE               0x00000001
/* Schannel: ask for a client certificate */
#define ASC_REQ_MUTUAL_AUTH            0x00000002
#define ASC_REQ_REPLAY_DETECT          0x00000004
#define ASC_REQ_SEQUENCE_DETECT        0x00000008
#define ASC_REQ_CONFIDENTIALITY        0x00000010
#define ASC_REQ_USE_SESSION_KEY        0x00000020
#define ASC_REQ_SESSION_TICKET         0x00000040            /* issue tickets for resumption */
/* output is allocated, FreeContextBuffer frees it */
#define ASC_REQ_ALLOCATE_MEMORY        0x00000100
#define ASC_REQ_USE_DCE_STYLE          0x00000200
#define ASC_REQ_DATAGRAM               0x00000400
#define ASC_REQ_CONNECTION             0x00000800
#define ASC_REQ_CALL_LEVEL             0x00001000
#define ASC_REQ_FRAGMENT_SUPPLIED      0x00002000
/* on failure make a message for the peer */
#define ASC_REQ_EXTENDED_ERROR         0x00008000
#define ASC_REQ_STREAM                 0x00010000            /* TLS records in a byte stream */
#define ASC_REQ_INTEGRITY              0x00020000
#define ASC_REQ_LICENSING              0x00040000
#define ASC_REQ_IDENTIFY               0x00080000
#define ASC_REQ_ALLOW_NULL_SESSION     0x00100000
#define ASC_REQ_ALLOW_NON_USER_LOGONS  0x00200000
#define ASC_REQ_ALLOW_CONTEXT_REPLAY   0x00400000
#define ASC_REQ_FRAGMENT_TO_FIT        0x00800000
#define ASC_REQ_NO_TOKEN               0x01000000
#define ASC_REQ_PROXY_BINDINGS         0x04000000
/* accept a client without channel bindings */
#define ASC_REQ_ALLOW_MISSING_BINDINGS 0x10000000
/* TLS without records (QUIC); SECBUFFER_FLAGS only */
#define ASC_REQ_MESSAGES               0x0000000100000000ULL
#define ASC_REQ_EXPLICIT_SESSION       0x0000001000000000ULL

/* --- *pfContextAttr of AcceptSecurityContext --- */
#define ASC_RET_DELEGATE              0x00000001
#define ASC_RET_MUTUAL_AUTH           0x00000002
#define ASC_RET_REPLAY_DETECT         0x00000004
#define ASC_RET_SEQUENCE_DETECT       0x00000008
#define ASC_RET_CONFIDENTIALITY       0x00000010
#define ASC_RET_USE_SESSION_KEY       0x00000020
#define ASC_RET_SESSION_TICKET        0x00000040
#define ASC_RET_ALLOCATED_MEMORY      0x00000100
#define ASC_RET_USED_DCE_STYLE        0x00000200
#define ASC_RET_DATAGRAM              0x00000400
#define ASC_RET_CONNECTION            0x00000800
#define ASC_RET_CALL_LEVEL            0x00002000
#define ASC_RET_THIRD_LEG_FAILED      0x00004000 /* DCE style: the last leg was refused */
#define ASC_RET_EXTENDED_ERROR        0x00008000
#define ASC_RET_STREAM                0x00010000
#define ASC_RET_INTEGRITY             0x00020000
#define ASC_RET_LICENSING             0x00040000
#define ASC_RET_IDENTIFY              0x00080000
#define ASC_RET_NULL_SESSION          0x00100000
#define ASC_RET_ALLOW_NON_USER_LOGONS 0x00200000
#define ASC_RET_ALLOW_CONTEXT_REPLAY  0x00400000
#define ASC_RET_FRAGMENT_ONLY         0x00800000
#define ASC_RET_NO_TOKEN              0x01000000
#define ASC_RET_NO_ADDITIONAL_TOKEN   0x02000000
#define ASC_RET_MESSAGES              0x0000000100000000ULL
#define ASC_RET_REUSE_SESSION_TICKETS 0x0000000800000000ULL
#define ASC_RET_EXPLICIT_SESSION      0x0000001000000000ULL

/* --- BufferType of a SecBuffer (version is SecBufferDesc.ulVersion) --- */
#define SECBUFFER_VERSION                         0
#define SECBUFFER_EMPTY                           0  /* free slot; the library may fill it */
#define SECBUFFER_DATA                            1  /* the caller's data */
#define SECBUFFER_TOKEN                           2  /* what goes over the wire */
#define SECBUFFER_PKG_PARAMS                      3
/* cbBuffer: bytes still to be read, an estimate */
#define SECBUFFER_MISSING                         4
#define SECBUFFER_EXTRA                           5  /* cbBuffer: input bytes left at the end */
#define SECBUFFER_STREAM_TRAILER                  6
#define SECBUFFER_STREAM_HEADER                   7
#define SECBUFFER_NEGOTIATION_INFO                8
#define SECBUFFER_PADDING                         9
#define SECBUFFER_STREAM                          10 /* a whole token, to be unwrapped */
#define SECBUFFER_MECHLIST                        11
#define SECBUFFER_MECHLIST_SIGNATURE              12
#define SECBUFFER_TARGET                          13
#define SECBUFFER_CHANNEL_BINDINGS                14 /* SEC_CHANNEL_BINDINGS */
#define SECBUFFER_CHANGE_PASS_RESPONSE            15
#define SECBUFFER_TARGET_HOST                     16
#define SECBUFFER_ALERT                           17 /* TLS alert made by the call */
#define SECBUFFER_APPLICATION_PROTOCOLS           18 /* SEC_APPLICATION_PROTOCOLS */
#define SECBUFFER_SRTP_PROTECTION_PROFILES        19
#define SECBUFFER_SRTP_MASTER_KEY_IDENTIFIER      20
#define SECBUFFER_TOKEN_BINDING                   21
#define SECBUFFER_PRESHARED_KEY                   22
#define SECBUFFER_PRESHARED_KEY_IDENTITY          23
#define SECBUFFER_DTLS_MTU                        24 /* SEC_DTLS_MTU */
#define SECBUFFER_SEND_GENERIC_TLS_EXTENSION      25 /* SEND_GENERIC_TLS_EXTENSION */
#define SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION 26 /* SUBSCRIBE_GENERIC_TLS_EXTENSION */
#define SECBUFFER_FLAGS                           27 /* SEC_FLAGS */
#define SECBUFFER_TRAFFIC_SECRETS                 28 /* SEC_TRAFFIC_SECRETS, output */
#define SECBUFFER_CERTIFICATE_REQUEST_CONTEXT     29
#define SECBUFFER_CHANNEL_BINDINGS_RESULT         30
#define SECBUFFER_APP_SESSION_STATE               31
#define SECBUFFER_SESSION_TICKET                  32

/* --- Attribute bits in the top of BufferType; mask them off before comparing types --- */
#define SECBUFFER_ATTRMASK               0xF0000000
/* neither written nor covered by the checksum */
#define SECBUFFER_READONLY               0x80000000
#define SECBUFFER_READONLY_WITH_CHECKSUM 0x10000000 /* not written, but covered */
#define SECBUFFER_RESERVED               0x60000000

/* --- Attributes of a security context; Schannel's own are in schannel.h --- */
#define SECPKG_ATTR_SIZES                       0   /* SecPkgContext_Sizes */
#define SECPKG_ATTR_NAMES                       1   /* SecPkgContext_Names */
#define SECPKG_ATTR_LIFESPAN                    2   /* SecPkgContext_Lifespan */
#define SECPKG_ATTR_DCE_INFO                    3   /* SecPkgContext_DceInfo */
#define SECPKG_ATTR_STREAM_SIZES                4   /* SecPkgContext_StreamSizes */
#define SECPKG_ATTR_KEY_INFO                    5   /* SecPkgContext_KeyInfo */
#define SECPKG_ATTR_AUTHORITY                   6   /* SecPkgContext_Authority */
#define SECPKG_ATTR_PROTO_INFO                  7   /* SecPkgContext_ProtoInfo */
#define SECPKG_ATTR_PASSWORD_EXPIRY             8   /* SecPkgContext_PasswordExpiry */
#define SECPKG_ATTR_SESSION_KEY                 9   /* SecPkgContext_SessionKey */
#define SECPKG_ATTR_PACKAGE_INFO                10  /* SecPkgContext_PackageInfo */
#define SECPKG_ATTR_USER_FLAGS                  11  /* SecPkgContext_UserFlags */
#define SECPKG_ATTR_NEGOTIATION_INFO            12  /* SecPkgContext_NegotiationInfo */
#define SECPKG_ATTR_NATIVE_NAMES                13  /* SecPkgContext_NativeNames */
#define SECPKG_ATTR_FLAGS                       14  /* SecPkgContext_Flags */
#define SECPKG_ATTR_USE_VALIDATED               15
#define SECPKG_ATTR_CREDENTIAL_NAME             16  /* SecPkgContext_CredentialName */
#define SECPKG_ATTR_TARGET_INFORMATION          17  /* SecPkgContext_TargetInformation */
#define SECPKG_ATTR_ACCESS_TOKEN                18  /* SecPkgContext_AccessToken */
#define SECPKG_ATTR_TARGET                      19  /* SecPkgContext_Target */
#define SECPKG_ATTR_AUTHENTICATION_ID           20  /* SecPkgContext_AuthzID */
#define SECPKG_ATTR_LOGOFF_TIME                 21  /* SecPkgContext_LogoffTime */
#define SECPKG_ATTR_NEGO_KEYS                   22  /* SecPkgContext_NegoKeys */
#define SECPKG_ATTR_PROMPTING_NEEDED            24  /* SecPkgContext_CredInfo */
#define SECPKG_ATTR_UNIQUE_BINDINGS             25  /* SecPkgContext_Bindings, tls-unique */
/* SecPkgContext_Bindings, tls-server-end-point */
#define SECPKG_ATTR_ENDPOINT_BINDINGS           26
#define SECPKG_ATTR_CLIENT_SPECIFIED_TARGET     27  /* SecPkgContext_ClientSpecifiedTarget */
#define SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS    30  /* SecPkgContext_LastClientTokenStatus */
#define SECPKG_ATTR_NEGO_PKG_INFO               31  /* SecPkgContext_NegoPackageInfo */
#define SECPKG_ATTR_NEGO_STATUS                 32  /* SecPkgContext_NegoStatus */
#define SECPKG_ATTR_CONTEXT_DELETED             33
#define SECPKG_ATTR_DTLS_MTU                    34  /* SEC_DTLS_MTU, get and set */
#define SECPKG_ATTR_DATAGRAM_SIZES              SECPKG_ATTR_STREAM_SIZES
#define SECPKG_ATTR_SUBJECT_SECURITY_ATTRIBUTES 128 /* SecPkgContext_SubjectAttributes */
#define SECPKG_ATTR_APPLICATION_PROTOCOL        35  /* SecPkgContext_ApplicationProtocol */
#define SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS   36  /* SecPkgContext_NegotiatedTlsExtensions */
#define SECPKG_ATTR_IS_LOOPBACK                 37
#define SECPKG_ATTR_NEGO_INFO_FLAG_NO_KERBEROS  0x1
#define SECPKG_ATTR_NEGO_INFO_FLAG_NO_NTLM      0x2

/* --- Attributes of a credential --- */
#define SECPKG_CRED_ATTR_NAMES              1          /* SecPkgCredentials_Names */
#define SECPKG_CRED_ATTR_SSI_PROVIDER       2          /* SecPkgCredentials_SSIProvider */
#define SECPKG_CRED_ATTR_KDC_PROXY_SETTINGS 3          /* SecPkgCredentials_KdcProxySettings */
#define SECPKG_CRED_ATTR_CERT               4          /* SecPkgCredentials_Cert */
#define SECPKG_CRED_ATTR_PAC_BYPASS         5
#define KDC_PROXY_SETTINGS_V1               1
#define KDC_PROXY_SETTINGS_FLAGS_FORCEPROXY 0x1
/* CredSSP server: SecPkgContext_ClientCreds */
#define SECPKG_ATTR_CREDS_2                 0x80000086
#define KDC_NETWORK_SETTINGS_V2             2

/* --- SecPkgInfo.fCapabilities, SecPkgInfo.wRPCID and call flags --- */
#define SECPKG_FLAG_INTEGRITY                     0x00000001
#define SECPKG_FLAG_PRIVACY                       0x00000002
#define SECPKG_FLAG_TOKEN_ONLY                    0x00000004
#define SECPKG_FLAG_DATAGRAM                      0x00000008
#define SECPKG_FLAG_CONNECTION                    0x00000010
#define SECPKG_FLAG_MULTI_REQUIRED                0x00000020
#define SECPKG_FLAG_CLIENT_ONLY                   0x00000040
#define SECPKG_FLAG_EXTENDED_ERROR                0x00000080
#define SECPKG_FLAG_IMPERSONATION                 0x00000100
#define SECPKG_FLAG_ACCEPT_WIN32_NAME             0x00000200
#define SECPKG_FLAG_STREAM                        0x00000400 /* stream semantics, as TLS */
#define SECPKG_FLAG_NEGOTIABLE                    0x00000800 /* Negotiate may choose it */
#define SECPKG_FLAG_GSS_COMPATIBLE                0x00001000 /* tokens interoperate with GSSAPI */
#define SECPKG_FLAG_LOGON                         0x00002000
#define SECPKG_FLAG_ASCII_BUFFERS                 0x00004000
#define SECPKG_FLAG_FRAGMENT                      0x00008000
#define SECPKG_FLAG_MUTUAL_AUTH                   0x00010000
#define SECPKG_FLAG_DELEGATION                    0x00020000
#define SECPKG_FLAG_READONLY_WITH_CHECKSUM        0x00040000
#define SECPKG_FLAG_RESTRICTED_TOKENS             0x00080000
#define SECPKG_FLAG_NEGO_EXTENDER                 0x00100000
#define SECPKG_FLAG_NEGOTIABLE2                   0x00200000
#define SECPKG_FLAG_APPCONTAINER_PASSTHROUGH      0x00400000
#define SECPKG_FLAG_APPCONTAINER_CHECKS           0x00800000
#define SECPKG_FLAG_CREDENTIAL_ISOLATION_ENABLED  0x01000000
#define SECPKG_FLAG_APPLY_LOOPBACK                0x02000000
#define SECPKG_ID_NONE                            0xFFFF     /* the package has no RPC id */
#define SECPKG_CALLFLAGS_APPCONTAINER             0x00000001
#define SECPKG_CALLFLAGS_APPCONTAINER_AUTHCAPABLE 0x00000002
#define SECPKG_CALLFLAGS_FORCE_SUPPLIED           0x00000004
#define SECPKG_CALLFLAGS_APPCONTAINER_UPNCAPABLE  0x00000008

/* --- Data representation, handles, sizes --- */
#define SECURITY_NATIVE_DREP  0x00000010
#define SECURITY_NETWORK_DREP 0x00000000
#define SEC_DELETED_HANDLE    ((ULONG_PTR)(-2))
#define SZ_ALG_MAX_SIZE       64

/* --- SecPkgContext_NegotiationInfo.NegotiationState --- */
#define SECPKG_NEGOTIATION_COMPLETE      0
#define SECPKG_NEGOTIATION_OPTIMISTIC    1
#define SECPKG_NEGOTIATION_IN_PROGRESS   2
#define SECPKG_NEGOTIATION_DIRECT        3
#define SECPKG_NEGOTIATION_TRY_MULTICRED 4

/* --- ExportSecurityContext --- */
#define SECPKG_CONTEXT_EXPORT_RESET_NEW  0x00000001
#define SECPKG_CONTEXT_EXPORT_DELETE_OLD 0x00000002
#define SECPKG_CONTEXT_EXPORT_TO_KERNEL  0x00000004

/* --- fQOP of EncryptMessage --- */
#define SECQOP_WRAP_NO_ENCRYPT 0x80000001 /* sign only */
#define SECQOP_WRAP_OOB_DATA   0x40000000 /* Schannel: the two bytes of an alert */

/* --- dwVersion of the function tables --- */
#define SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION   1
#define SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION_2 2
#define SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION_3 3
#define SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION_4 4
#define SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION_5 5

/* --- SECURITY_PACKAGE_OPTIONS --- */
#define SECPKG_OPTIONS_TYPE_UNKNOWN 0
#define SECPKG_OPTIONS_TYPE_LSA     1
#define SECPKG_OPTIONS_TYPE_SSPI    2
#define SECPKG_OPTIONS_PERMANENT    0x00000001

/* SASL, as on Windows, is there only for callers that say SECURITY_WIN32. */
#if defined(SECURITY_WIN32) && ISSP_MODE != 0
#define SASL_OPTION_SEND_SIZE        1
#define SASL_OPTION_RECV_SIZE        2
#define SASL_OPTION_AUTHZ_STRING     3
#define SASL_OPTION_AUTHZ_PROCESSING 4
#endif

/*
 * Kernel-mode callers define MAX_PROTOCOL_ID_SIZE and the ALPN result themselves, as their system's
 * header lacks them; so it must not be defined for them here.
 */
#if ISSP_MODE != 0
#define MAX_PROTOCOL_ID_SIZE 0xff
#endif

/* --- SEC_WINNT_AUTH_IDENTITY and its family --- */
#define SEC_WINNT_AUTH_IDENTITY_VERSION_2              0x201 /* of SEC_WINNT_AUTH_IDENTITY_EX2 */
#define SEC_WINNT_AUTH_IDENTITY_ANSI                   0x1   /* strings are bytes */
/* strings are UTF-16, in the A functions too */
#define SEC_WINNT_AUTH_IDENTITY_UNICODE                0x2
#define SEC_WINNT_AUTH_IDENTITY_VERSION                0x200 /* of SEC_WINNT_AUTH_IDENTITY_EX */
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED 0x10
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_PROTECTED 0x20
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_USER_PROTECTED   0x40
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_ENCRYPTED 0x80
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_RESERVED         0x10000
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_NULL_USER        0x20000
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_NULL_DOMAIN      0x40000
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_ID_PROVIDER      0x80000
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_SSPIPFC_USE_MASK 0xff000000
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_SSPIPFC_CREDPROV_DO_NOT_SAVE 0x80000000
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_SSPIPFC_SAVE_CRED_BY_CALLER \
    SEC_WINNT_AUTH_IDENTITY_FLAGS_SSPIPFC_CREDPROV_DO_NOT_SAVE
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_SSPIPFC_SAVE_CRED_CHECKED 0x40000000
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_SSPIPFC_NO_CHECKBOX 0x20000000
#define SEC_WINNT_AUTH_IDENTITY_FLAGS_SSPIPFC_CREDPROV_DO_NOT_LOAD 0x10000000
#define SSPIPFC_CREDPROV_DO_NOT_SAVE                   0x00000001
#define SSPIPFC_SAVE_CRED_BY_CALLER                    SSPIPFC_CREDPROV_DO_NOT_SAVE
#define SSPIPFC_NO_CHECKBOX                            0x00000002
#define SSPIPFC_CREDPROV_DO_NOT_LOAD                   0x00000004
#define SSPIPFC_USE_CREDUIBROKER                       0x00000008
#define NGC_DATA_FLAG_KERB_CERTIFICATE_LOGON_FLAG_CHECK_DUPLICATES 1
#define NGC_DATA_FLAG_KERB_CERTIFICATE_LOGON_FLAG_USE_CERTIFICATE_INFO 2
#define NGC_DATA_FLAG_IS_SMARTCARD_DATA                4
#define NGC_DATA_FLAG_IS_CLOUD_TRUST_CRED              8
#define SEC_WINNT_AUTH_IDENTITY_MARSHALLED             0x4   /* all data in one buffer */
#define SEC_WINNT_AUTH_IDENTITY_ONLY                   0x8   /* Kerberos: no authorization data */
#define SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_LOGON     1
#define SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS   2
#define SEC_WINNT_AUTH_IDENTITY_ENCRYPT_FOR_SYSTEM     4

/* --- Package names --- */
#define NTLMSP_NAME_A             "NTLM"
#define NTLMSP_NAME               OSSPI_WTEXT("NTLM")
#define MICROSOFT_KERBEROS_NAME_A "Kerberos"
#define MICROSOFT_KERBEROS_NAME_W OSSPI_WTEXT("Kerberos")
#define MICROSOFT_KERBEROS_NAME   MICROSOFT_KERBEROS_NAME_A
#define NEGOSSP_NAME_W            OSSPI_WTEXT("Negotiate")
#define NEGOSSP_NAME_A            "Negotiate"
#define CLOUDAP_NAME_W            OSSPI_WTEXT("CloudAP")
#define ClOUDAP_NAME_A            "CloudAP"
#define CLOUDAP_NAME_A            ClOUDAP_NAME_A    /* Windows' own spelling has the small L */
#ifdef UNICODE
#define NEGOSSP_NAME NEGOSSP_NAME_W
#define CLOUDAP_NAME CLOUDAP_NAME_W
#else
#define NEGOSSP_NAME NEGOSSP_NAME_A
#define CLOUDAP_NAME CLOUDAP_NAME_A
#endif

/* clang-format on */

#endif /* OPENSSPI_OSSPI_SSPI_FLAGS_H */
