/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The numbers of schannel.h: package names, attribute ids, credential flags, protocols, alerts.
 *
 * Included by schannel.h, not meant to be included alone. Every value is Windows' own.
 */
#ifndef OPENSSPI_OSSPI_SCHANNEL_CONST_H
#define OPENSSPI_OSSPI_SCHANNEL_CONST_H

#include "osspi_types.h"

/* clang-format off */

/* --- Package names --- */
#define UNISP_NAME_A           "Microsoft Unified Security Protocol Provider"
#define UNISP_NAME_W           OSSPI_WTEXT("Microsoft Unified Security Protocol Provider")
#define SSL2SP_NAME_A          "Microsoft SSL 2.0"
#define SSL2SP_NAME_W          OSSPI_WTEXT("Microsoft SSL 2.0")
#define SSL3SP_NAME_A          "Microsoft SSL 3.0"
#define SSL3SP_NAME_W          OSSPI_WTEXT("Microsoft SSL 3.0")
#define TLS1SP_NAME_A          "Microsoft TLS 1.0"
#define TLS1SP_NAME_W          OSSPI_WTEXT("Microsoft TLS 1.0")
#define PCT1SP_NAME_A          "Microsoft PCT 1.0"
#define PCT1SP_NAME_W          OSSPI_WTEXT("Microsoft PCT 1.0")
#define SCHANNEL_NAME_A        "Schannel"
#define SCHANNEL_NAME_W        OSSPI_WTEXT("Schannel")
#define DEFAULT_TLS_SSP_NAME_A "Default TLS SSP"
#define DEFAULT_TLS_SSP_NAME_W OSSPI_WTEXT("Default TLS SSP")
#ifdef UNICODE
#define UNISP_NAME           UNISP_NAME_W
#define SSL2SP_NAME          SSL2SP_NAME_W
#define SSL3SP_NAME          SSL3SP_NAME_W
#define TLS1SP_NAME          TLS1SP_NAME_W
#define PCT1SP_NAME          PCT1SP_NAME_W
#define SCHANNEL_NAME        SCHANNEL_NAME_W
#define DEFAULT_TLS_SSP_NAME DEFAULT_TLS_SSP_NAME_W
#else
#define UNISP_NAME           UNISP_NAME_A
#define SSL2SP_NAME          SSL2SP_NAME_A
#define SSL3SP_NAME          SSL3SP_NAME_A
#define TLS1SP_NAME          TLS1SP_NAME_A
#define PCT1SP_NAME          PCT1SP_NAME_A
#define SCHANNEL_NAME        SCHANNEL_NAME_A
#define DEFAULT_TLS_SSP_NAME DEFAULT_TLS_SSP_NAME_A
#endif

/* --- Attributes of a context or a credential (the general ones are in sspi.h) --- */
#define SECPKG_ATTR_ISSUER_LIST                           0x50
#define SECPKG_ATTR_REMOTE_CRED                           0x51
#define SECPKG_ATTR_LOCAL_CRED                            0x52
#define SECPKG_ATTR_REMOTE_CERT_CONTEXT                   0x53 /* PCCERT_CONTEXT */
#define SECPKG_ATTR_LOCAL_CERT_CONTEXT                    0x54 /* PCCERT_CONTEXT */
#define SECPKG_ATTR_ROOT_STORE                            0x55
/* credential: SecPkgCred_SupportedAlgs */
#define SECPKG_ATTR_SUPPORTED_ALGS                        0x56
/* credential: SecPkgCred_CipherStrengths */
#define SECPKG_ATTR_CIPHER_STRENGTHS                      0x57
/* credential: SecPkgCred_SupportedProtocols */
#define SECPKG_ATTR_SUPPORTED_PROTOCOLS                   0x58
#define SECPKG_ATTR_ISSUER_LIST_EX                        0x59 /* SecPkgContext_IssuerListInfoEx */
#define SECPKG_ATTR_CONNECTION_INFO                       0x5a /* SecPkgContext_ConnectionInfo */
#define SECPKG_ATTR_EAP_KEY_BLOCK                         0x5b
#define SECPKG_ATTR_MAPPED_CRED_ATTR                      0x5c
#define SECPKG_ATTR_SESSION_INFO                          0x5d /* SecPkgContext_SessionInfo */
#define SECPKG_ATTR_APP_DATA                              0x5e /* SecPkgContext_SessionAppData */
#define SECPKG_ATTR_REMOTE_CERTIFICATES                   0x5F /* SecPkgContext_Certificates */
/* credential: SecPkgCred_ClientCertPolicy */
#define SECPKG_ATTR_CLIENT_CERT_POLICY                    0x60
#define SECPKG_ATTR_CC_POLICY_RESULT                      0x61
#define SECPKG_ATTR_USE_NCRYPT                            0x62
#define SECPKG_ATTR_LOCAL_CERT_INFO                       0x63
#define SECPKG_ATTR_CIPHER_INFO                           0x64 /* SecPkgContext_CipherInfo */
#define SECPKG_ATTR_EAP_PRF_INFO                          0x65
#define SECPKG_ATTR_SUPPORTED_SIGNATURES                  0x66
#define SECPKG_ATTR_REMOTE_CERT_CHAIN                     0x67 /* PCCERT_CHAIN_CONTEXT */
#define SECPKG_ATTR_UI_INFO                               0x68
#define SECPKG_ATTR_EARLY_START                           0x69
/* set: SecPkgContext_KeyingMaterialInfo */
#define SECPKG_ATTR_KEYING_MATERIAL_INFO                  0x6a
#define SECPKG_ATTR_KEYING_MATERIAL                       0x6b /* SecPkgContext_KeyingMaterial */
#define SECPKG_ATTR_SRTP_PARAMETERS                       0x6c /* SecPkgContext_SrtpParameters */
#define SECPKG_ATTR_TOKEN_BINDING                         0x6d
#define SECPKG_ATTR_CONNECTION_INFO_EX                    0x6e /* SecPkgContext_ConnectionInfoEx */
#define SECPKG_ATTR_KEYING_MATERIAL_TOKEN_BINDING         0x6f
#define SECPKG_ATTR_KEYING_MATERIAL_INPROC                0x70
/* SecPkgContext_CertificateValidationResult */
#define SECPKG_ATTR_CERT_CHECK_RESULT                     0x71
#define SECPKG_ATTR_CERT_CHECK_RESULT_INPROC              0x72
/* credential: SecPkgCred_SessionTicketKeys */
#define SECPKG_ATTR_SESSION_TICKET_KEYS                   0x73
#define SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT_INPROC 0x74 /* CERT_BLOB */
#define SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT        0x75 /* CERT_BLOB */

/* --- Credentials: versions, formats, limits, dwFlags; control tokens --- */
#define UNISP_RPC_ID                                 14
#define SCH_CRED_V1                                  0x00000001 /* refused */
#define SCH_CRED_V2                                  0x00000002 /* refused */
#define SCH_CRED_VERSION                             0x00000002
#define SCH_CRED_V3                                  0x00000003
#define SCHANNEL_CRED_VERSION                        0x00000004 /* SCHANNEL_CRED */
#define SCH_CREDENTIALS_VERSION                      0x00000005 /* SCH_CREDENTIALS */
/* server: rather ignore the entry than fail */
#define TLS_PARAMS_OPTIONAL                          0x00000001
#define SCH_CRED_MAX_SUPPORTED_PARAMETERS            16
#define SCH_CRED_MAX_SUPPORTED_ALPN_IDS              16
#define SCH_CRED_MAX_SUPPORTED_CRYPTO_SETTINGS       16
#define SCH_CRED_MAX_SUPPORTED_CHAINING_MODES        16
#define SCH_MAX_EXT_SUBSCRIPTIONS                    2
#define SCH_CRED_FORMAT_CERT_CONTEXT                 0x00000000 /* paCred: certificate contexts */
#define SCH_CRED_FORMAT_CERT_HASH                    0x00000001 /* paCred: SCHANNEL_CERT_HASH */
/* paCred: SCHANNEL_CERT_HASH_STORE */
#define SCH_CRED_FORMAT_CERT_HASH_STORE              0x00000002
#define SCH_CRED_MAX_STORE_NAME_SIZE                 128
#define SCH_CRED_MAX_SUPPORTED_ALGS                  256
#define SCH_CRED_MAX_SUPPORTED_CERTS                 100
#define SCH_MACHINE_CERT_HASH                        0x00000001
#define SCH_CRED_NO_SYSTEM_MAPPER                    0x00000002 /* server: map to no account */
#define SCH_CRED_NO_SERVERNAME_CHECK                 0x00000004 /* client: any name will do */
#define SCH_CRED_MANUAL_CRED_VALIDATION              0x00000008 /* client: the caller verifies */
#define SCH_CRED_NO_DEFAULT_CREDS                    0x00000010 /* client: choose no certificate */
#define SCH_CRED_AUTO_CRED_VALIDATION                0x00000020 /* client: the library verifies */
#define SCH_CRED_USE_DEFAULT_CREDS                   0x00000040 /* client: choose a certificate */
#define SCH_CRED_DISABLE_RECONNECTS                  0x00000080 /* no resumption */
#define SCH_CRED_REVOCATION_CHECK_END_CERT           0x00000100
#define SCH_CRED_REVOCATION_CHECK_CHAIN              0x00000200
#define SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT 0x00000400
#define SCH_CRED_IGNORE_NO_REVOCATION_CHECK          0x00000800
#define SCH_CRED_IGNORE_REVOCATION_OFFLINE           0x00001000
#define SCH_CRED_RESTRICTED_ROOTS                    0x00002000
#define SCH_CRED_REVOCATION_CHECK_CACHE_ONLY         0x00004000
#define SCH_CRED_CACHE_ONLY_URL_RETRIEVAL            0x00008000
#define SCH_CRED_MEMORY_STORE_CERT                   0x00010000
#define SCH_CRED_CACHE_ONLY_URL_RETRIEVAL_ON_CREATE  0x00020000
#define SCH_SEND_ROOT_CERT                           0x00040000
/* server: principal is the host name */
#define SCH_CRED_SNI_CREDENTIAL                      0x00080000
#define SCH_CRED_SNI_ENABLE_OCSP                     0x00100000 /* server: staple */
#define SCH_SEND_AUX_RECORD                          0x00200000 /* 1/n-1 record split */
#define SCH_USE_STRONG_CRYPTO                        0x00400000
#define SCH_USE_PRESHAREDKEY_ONLY                    0x00800000
#define SCH_USE_DTLS_ONLY                            0x01000000
#define SCH_ALLOW_NULL_ENCRYPTION                    0x02000000
#define SCHANNEL_RENEGOTIATE                         0
#define SCHANNEL_SHUTDOWN                            1
#define SCHANNEL_ALERT                               2
#define SCHANNEL_SESSION                             3
#define SCHANNEL_SECRET_TYPE_CAPI                    0x00000001
#define SCHANNEL_SECRET_PRIVKEY                      0x00000002
#define SCH_CRED_X509_CERTCHAIN                      0x00000001
#define SCH_CRED_X509_CAPI                           0x00000002
#define SCH_CRED_CERT_CONTEXT                        0x00000003
#define SCH_CRED_DEFERRED_CRED_VALIDATION            0x04000000 /* client: verify but go on */

/* --- grbitEnabledProtocols, grbitDisabledProtocols and dwProtocol --- */
#define SP_PROT_PCT1_SERVER        0x00000001
#define SP_PROT_PCT1_CLIENT        0x00000002
#define SP_PROT_PCT1               (SP_PROT_PCT1_SERVER | SP_PROT_PCT1_CLIENT)
#define SP_PROT_SSL2_SERVER        0x00000004
#define SP_PROT_SSL2_CLIENT        0x00000008
#define SP_PROT_SSL2               (SP_PROT_SSL2_SERVER | SP_PROT_SSL2_CLIENT)
#define SP_PROT_SSL3_SERVER        0x00000010
#define SP_PROT_SSL3_CLIENT        0x00000020
#define SP_PROT_SSL3               (SP_PROT_SSL3_SERVER | SP_PROT_SSL3_CLIENT)
#define SP_PROT_TLS1_SERVER        0x00000040
#define SP_PROT_TLS1_CLIENT        0x00000080
#define SP_PROT_TLS1               (SP_PROT_TLS1_SERVER | SP_PROT_TLS1_CLIENT)
#define SP_PROT_SSL3TLS1_CLIENTS   (SP_PROT_TLS1_CLIENT | SP_PROT_SSL3_CLIENT)
#define SP_PROT_SSL3TLS1_SERVERS   (SP_PROT_TLS1_SERVER | SP_PROT_SSL3_SERVER)
#define SP_PROT_SSL3TLS1           (SP_PROT_SSL3 | SP_PROT_TLS1)
#define SP_PROT_UNI_SERVER         0x40000000
#define SP_PROT_UNI_CLIENT         0x80000000
#define SP_PROT_UNI                (SP_PROT_UNI_SERVER | SP_PROT_UNI_CLIENT)
#define SP_PROT_ALL                0xffffffff
#define SP_PROT_NONE               0
#define SP_PROT_CLIENTS \
    (SP_PROT_PCT1_CLIENT | SP_PROT_SSL2_CLIENT | SP_PROT_SSL3_CLIENT | \
     SP_PROT_UNI_CLIENT | SP_PROT_TLS1_CLIENT)
#define SP_PROT_SERVERS \
    (SP_PROT_PCT1_SERVER | SP_PROT_SSL2_SERVER | SP_PROT_SSL3_SERVER | \
     SP_PROT_UNI_SERVER | SP_PROT_TLS1_SERVER)
#define SP_PROT_TLS1_0_SERVER      SP_PROT_TLS1_SERVER
#define SP_PROT_TLS1_0_CLIENT      SP_PROT_TLS1_CLIENT
#define SP_PROT_TLS1_0             (SP_PROT_TLS1_0_SERVER | SP_PROT_TLS1_0_CLIENT)
#define SP_PROT_TLS1_1_SERVER      0x00000100
#define SP_PROT_TLS1_1_CLIENT      0x00000200
#define SP_PROT_TLS1_1             (SP_PROT_TLS1_1_SERVER | SP_PROT_TLS1_1_CLIENT)
#define SP_PROT_TLS1_2_SERVER      0x00000400
#define SP_PROT_TLS1_2_CLIENT      0x00000800
#define SP_PROT_TLS1_2             (SP_PROT_TLS1_2_SERVER | SP_PROT_TLS1_2_CLIENT)
#define SP_PROT_TLS1_3_SERVER      0x00001000
#define SP_PROT_TLS1_3_CLIENT      0x00002000
#define SP_PROT_TLS1_3             (SP_PROT_TLS1_3_SERVER | SP_PROT_TLS1_3_CLIENT)
#define SP_PROT_DTLS_SERVER        0x00010000
#define SP_PROT_DTLS_CLIENT        0x00020000
#define SP_PROT_DTLS               (SP_PROT_DTLS_SERVER | SP_PROT_DTLS_CLIENT )
#define SP_PROT_DTLS1_0_SERVER     SP_PROT_DTLS_SERVER
#define SP_PROT_DTLS1_0_CLIENT     SP_PROT_DTLS_CLIENT
#define SP_PROT_DTLS1_0            (SP_PROT_DTLS1_0_SERVER | SP_PROT_DTLS1_0_CLIENT)
#define SP_PROT_DTLS1_2_SERVER     0x00040000
#define SP_PROT_DTLS1_2_CLIENT     0x00080000
#define SP_PROT_DTLS1_2            (SP_PROT_DTLS1_2_SERVER | SP_PROT_DTLS1_2_CLIENT)
#define SP_PROT_DTLS1_X_SERVER     (SP_PROT_DTLS1_0_SERVER | SP_PROT_DTLS1_2_SERVER)
#define SP_PROT_DTLS1_X_CLIENT     (SP_PROT_DTLS1_0_CLIENT | SP_PROT_DTLS1_2_CLIENT)
#define SP_PROT_DTLS1_X            (SP_PROT_DTLS1_X_SERVER | SP_PROT_DTLS1_X_CLIENT)
#define SP_PROT_TLS1_1PLUS_SERVER \
    (SP_PROT_TLS1_1_SERVER | SP_PROT_TLS1_2_SERVER | SP_PROT_TLS1_3_SERVER)
#define SP_PROT_TLS1_1PLUS_CLIENT \
    (SP_PROT_TLS1_1_CLIENT | SP_PROT_TLS1_2_CLIENT | SP_PROT_TLS1_3_CLIENT)
#define SP_PROT_TLS1_1PLUS         (SP_PROT_TLS1_1PLUS_SERVER | SP_PROT_TLS1_1PLUS_CLIENT)
#define SP_PROT_TLS1_3PLUS_SERVER  SP_PROT_TLS1_3_SERVER
#define SP_PROT_TLS1_3PLUS_CLIENT  SP_PROT_TLS1_3_CLIENT
#define SP_PROT_TLS1_3PLUS         (SP_PROT_TLS1_3PLUS_SERVER | SP_PROT_TLS1_3PLUS_CLIENT)
#define SP_PROT_TLS1_X_SERVER \
    (SP_PROT_TLS1_0_SERVER | SP_PROT_TLS1_1_SERVER | SP_PROT_TLS1_2_SERVER | \
     SP_PROT_TLS1_3_SERVER)
#define SP_PROT_TLS1_X_CLIENT \
    (SP_PROT_TLS1_0_CLIENT | SP_PROT_TLS1_1_CLIENT | SP_PROT_TLS1_2_CLIENT | \
     SP_PROT_TLS1_3_CLIENT)
#define SP_PROT_TLS1_X             (SP_PROT_TLS1_X_SERVER | SP_PROT_TLS1_X_CLIENT)
#define SP_PROT_SSL3TLS1_X_CLIENTS (SP_PROT_TLS1_X_CLIENT | SP_PROT_SSL3_CLIENT)
#define SP_PROT_SSL3TLS1_X_SERVERS (SP_PROT_TLS1_X_SERVER | SP_PROT_SSL3_SERVER)
#define SP_PROT_SSL3TLS1_X         (SP_PROT_SSL3 | SP_PROT_TLS1_X)
#define SP_PROT_X_CLIENTS \
    (SP_PROT_CLIENTS | SP_PROT_TLS1_X_CLIENT | SP_PROT_DTLS1_X_CLIENT )
#define SP_PROT_X_SERVERS \
    (SP_PROT_SERVERS | SP_PROT_TLS1_X_SERVER | SP_PROT_DTLS1_X_SERVER )

/* --- Alerts --- */
#define TLS1_ALERT_WARNING              1
#define TLS1_ALERT_FATAL                2
#define TLS1_ALERT_CLOSE_NOTIFY         0
#define TLS1_ALERT_UNEXPECTED_MESSAGE   10
#define TLS1_ALERT_BAD_RECORD_MAC       20
#define TLS1_ALERT_DECRYPTION_FAILED    21
#define TLS1_ALERT_RECORD_OVERFLOW      22
#define TLS1_ALERT_DECOMPRESSION_FAIL   30
#define TLS1_ALERT_HANDSHAKE_FAILURE    40
#define TLS1_ALERT_BAD_CERTIFICATE      42
#define TLS1_ALERT_UNSUPPORTED_CERT     43
#define TLS1_ALERT_CERTIFICATE_REVOKED  44
#define TLS1_ALERT_CERTIFICATE_EXPIRED  45
#define TLS1_ALERT_CERTIFICATE_UNKNOWN  46
#define TLS1_ALERT_ILLEGAL_PARAMETER    47
#define TLS1_ALERT_UNKNOWN_CA           48
#define TLS1_ALERT_ACCESS_DENIED        49
#define TLS1_ALERT_DECODE_ERROR         50
#define TLS1_ALERT_DECRYPT_ERROR        51
#define TLS1_ALERT_EXPORT_RESTRICTION   60
#define TLS1_ALERT_PROTOCOL_VERSION     70
#define TLS1_ALERT_INSUFFIENT_SECURITY  71
#define TLS1_ALERT_INTERNAL_ERROR       80
#define TLS1_ALERT_USER_CANCELED        90
#define TLS1_ALERT_NO_RENEGOTIATION     100
#define TLS1_ALERT_UNSUPPORTED_EXT      110
#define TLS1_ALERT_UNKNOWN_PSK_IDENTITY 115
#define TLS1_ALERT_NO_APP_PROTOCOL      120
#define TLS1_ALERT_CERTIFICATE_REQUIRED 116

/* --- Versions and flags of attribute structures --- */
#define RCRED_STATUS_NOCRED                 0x00000000
#define RCRED_CRED_EXISTS                   0x00000001
#define RCRED_STATUS_UNKNOWN_ISSUER         0x00000002
#define LCRED_STATUS_NOCRED                 0x00000000
#define LCRED_CRED_EXISTS                   0x00000001
#define LCRED_STATUS_UNKNOWN_ISSUER         0x00000002
#define SECPKGCONTEXT_CONNECTION_INFO_EX_V1 1
#define SECPKGCONTEXT_CIPHERINFO_V1         1
#define SSL_SESSION_RECONNECT               1 /* the session was resumed */
#define KERN_CONTEXT_CERT_INFO_V1           0x00000000
#define ENABLE_TLS_CLIENT_EARLY_START       0x00000001
#define SSL_SESSION_ENABLE_RECONNECTS       1
#define SSL_SESSION_DISABLE_RECONNECTS      2
#define SESSION_TICKET_INFO_V0              0
#define SESSION_TICKET_INFO_VERSION         SESSION_TICKET_INFO_V0

/* clang-format on */

#endif /* OPENSSPI_OSSPI_SCHANNEL_CONST_H */
