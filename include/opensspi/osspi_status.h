/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Status codes: SECURITY_STATUS, and those Win32, NTSTATUS and HRESULT codes that this library
 * returns or that callers of SSPI compare with. Numbers are Windows' own.
 *
 * Every code is cast to a signed 32-bit type, so that a comparison with a status never widens and
 * a code can be a case label in C and C++. Negative is failure. SEC_E_INCOMPLETE_MESSAGE is
 * negative and yet leaves the context usable.
 */
#ifndef OPENSSPI_OSSPI_STATUS_H
#define OPENSSPI_OSSPI_STATUS_H

#include "osspi_types.h"

/* clang-format off */

#ifndef SUCCEEDED
#define SUCCEEDED(status) ((HRESULT)(status) >= 0)
#endif
#ifndef FAILED
#define FAILED(status) ((HRESULT)(status) < 0)
#endif
#ifndef NT_SUCCESS
#define NT_SUCCESS(status) ((NTSTATUS)(status) >= 0)
#endif

/** A code as the signed number it is. */
#define OSSPI_STATUS(code) ((SECURITY_STATUS)(code))

#define FACILITY_WIN32    7
#define FACILITY_SECURITY 9

/* The parts of an HRESULT. */
#define HRESULT_CODE(hr)     ((hr) & 0xFFFF)
#define HRESULT_FACILITY(hr) (((hr) >> 16) & 0x1FFF)

/** Wraps a Win32 error; 0 and what is an HRESULT stay as they are. A constant expression. */
#define HRESULT_FROM_WIN32(error) \
    ((HRESULT)(error) <= 0 ? (HRESULT)(error) \
                           : (HRESULT)(((DWORD)(error) & 0xFFFFu) | 0x80070000u))

/* --- SSPI: SEC_E_ is failure (but see SEC_E_INCOMPLETE_MESSAGE), SEC_I_ tells something --- */
#define SEC_E_OK                            OSSPI_STATUS(0x00000000) /* done */
#define SEC_E_INSUFFICIENT_MEMORY           OSSPI_STATUS(0x80090300) /* no memory, or at a limit */
#define SEC_E_INVALID_HANDLE                OSSPI_STATUS(0x80090301) /* not a live handle */
#define SEC_E_UNSUPPORTED_FUNCTION          OSSPI_STATUS(0x80090302) /* package cannot do that */
#define SEC_E_TARGET_UNKNOWN                OSSPI_STATUS(0x80090303) /* target name unknown */
/* none of the other codes fits */
#define SEC_E_INTERNAL_ERROR                OSSPI_STATUS(0x80090304)
#define SEC_E_SECPKG_NOT_FOUND              OSSPI_STATUS(0x80090305) /* no package of that name */
#define SEC_E_NOT_OWNER                     OSSPI_STATUS(0x80090306) /* not your credentials */
#define SEC_E_CANNOT_INSTALL                OSSPI_STATUS(0x80090307) /* package failed to start */
#define SEC_E_INVALID_TOKEN                 OSSPI_STATUS(0x80090308) /* bad token or buffers */
/* context cannot be exported */
#define SEC_E_CANNOT_PACK                   OSSPI_STATUS(0x80090309)
/* quality of protection unknown */
#define SEC_E_QOP_NOT_SUPPORTED             OSSPI_STATUS(0x8009030A)
#define SEC_E_NO_IMPERSONATION              OSSPI_STATUS(0x8009030B) /* client did not allow it */
#define SEC_E_LOGON_DENIED                  OSSPI_STATUS(0x8009030C) /* credentials refused */
#define SEC_E_UNKNOWN_CREDENTIALS           OSSPI_STATUS(0x8009030D) /* auth data not recognised */
#define SEC_E_NO_CREDENTIALS                OSSPI_STATUS(0x8009030E) /* there are none to use */
#define SEC_E_MESSAGE_ALTERED               OSSPI_STATUS(0x8009030F) /* integrity check failed */
#define SEC_E_OUT_OF_SEQUENCE               OSSPI_STATUS(0x80090310) /* message out of order */
/* KDC or domain not reachable */
#define SEC_E_NO_AUTHENTICATING_AUTHORITY   OSSPI_STATUS(0x80090311)
/* send the output, then call again */
#define SEC_I_CONTINUE_NEEDED               OSSPI_STATUS(0x00090312)
/* call CompleteAuthToken, then send */
#define SEC_I_COMPLETE_NEEDED               OSSPI_STATUS(0x00090313)
#define SEC_I_COMPLETE_AND_CONTINUE         OSSPI_STATUS(0x00090314) /* both of the two above */
/* no network logon was needed */
#define SEC_I_LOCAL_LOGON                   OSSPI_STATUS(0x00090315)
/* subscribed TLS extension is in the output */
#define SEC_I_GENERIC_EXTENSION_RECEIVED    OSSPI_STATUS(0x00090316)
#define SEC_E_BAD_PKGID                     OSSPI_STATUS(0x80090316) /* package id unknown */
/* context can no longer be used */
#define SEC_E_CONTEXT_EXPIRED               OSSPI_STATUS(0x80090317)
#define SEC_I_CONTEXT_EXPIRED               OSSPI_STATUS(0x00090317) /* peer closed the session */
/* more input needed; nothing was consumed */
#define SEC_E_INCOMPLETE_MESSAGE            OSSPI_STATUS(0x80090318)
#define SEC_E_INCOMPLETE_CREDENTIALS        OSSPI_STATUS(0x80090320) /* credentials lack a part */
#define SEC_E_BUFFER_TOO_SMALL              OSSPI_STATUS(0x80090321) /* a buffer is too small */
/* server asks for a client certificate */
#define SEC_I_INCOMPLETE_CREDENTIALS        OSSPI_STATUS(0x00090320)
/* feed the EXTRA bytes to ISC or ASC */
#define SEC_I_RENEGOTIATE                   OSSPI_STATUS(0x00090321)
#define SEC_E_WRONG_PRINCIPAL               OSSPI_STATUS(0x80090322) /* peer is not the one named */
/* no context on the authority's side */
#define SEC_I_NO_LSA_CONTEXT                OSSPI_STATUS(0x00090323)
#define SEC_E_TIME_SKEW                     OSSPI_STATUS(0x80090324) /* clocks differ too much */
/* chain ends in no trusted root */
#define SEC_E_UNTRUSTED_ROOT                OSSPI_STATUS(0x80090325)
/* unexpected message or alert */
#define SEC_E_ILLEGAL_MESSAGE               OSSPI_STATUS(0x80090326)
/* certificate cannot be processed */
#define SEC_E_CERT_UNKNOWN                  OSSPI_STATUS(0x80090327)
/* certificate outside its validity */
#define SEC_E_CERT_EXPIRED                  OSSPI_STATUS(0x80090328)
#define SEC_E_ENCRYPT_FAILURE               OSSPI_STATUS(0x80090329) /* cannot seal */
#define SEC_E_DECRYPT_FAILURE               OSSPI_STATUS(0x80090330) /* cannot open */
/* no protocol or suite in common */
#define SEC_E_ALGORITHM_MISMATCH            OSSPI_STATUS(0x80090331)
/* quality of service not met */
#define SEC_E_SECURITY_QOS_FAILED           OSSPI_STATUS(0x80090332)
/* deleted before it was established */
#define SEC_E_UNFINISHED_CONTEXT_DELETED    OSSPI_STATUS(0x80090333)
#define SEC_E_NO_TGT_REPLY                  OSSPI_STATUS(0x80090334) /* peer sent no ticket */
#define SEC_E_NO_IP_ADDRESSES               OSSPI_STATUS(0x80090335) /* no address for the KDC */
/* credential does not belong to the context */
#define SEC_E_WRONG_CREDENTIAL_HANDLE       OSSPI_STATUS(0x80090336)
#define SEC_E_CRYPTO_SYSTEM_INVALID         OSSPI_STATUS(0x80090337) /* cipher missing or broken */
#define SEC_E_MAX_REFERRALS_EXCEEDED        OSSPI_STATUS(0x80090338) /* too many referrals */
#define SEC_E_MUST_BE_KDC                   OSSPI_STATUS(0x80090339) /* only a KDC may do this */
#define SEC_E_STRONG_CRYPTO_NOT_SUPPORTED   OSSPI_STATUS(0x8009033A) /* key size not allowed */
#define SEC_E_TOO_MANY_PRINCIPALS           OSSPI_STATUS(0x8009033B) /* more than one principal */
/* no pre-authentication data */
#define SEC_E_NO_PA_DATA                    OSSPI_STATUS(0x8009033C)
/* certificate and logon name differ */
#define SEC_E_PKINIT_NAME_MISMATCH          OSSPI_STATUS(0x8009033D)
#define SEC_E_SMARTCARD_LOGON_REQUIRED      OSSPI_STATUS(0x8009033E) /* smart card needed */
#define SEC_E_SHUTDOWN_IN_PROGRESS          OSSPI_STATUS(0x8009033F) /* system shuts down */
#define SEC_E_KDC_INVALID_REQUEST           OSSPI_STATUS(0x80090340) /* KDC got a bad request */
#define SEC_E_KDC_UNABLE_TO_REFER           OSSPI_STATUS(0x80090341) /* KDC cannot refer */
/* KDC lacks the encryption type */
#define SEC_E_KDC_UNKNOWN_ETYPE             OSSPI_STATUS(0x80090342)
/* pre-authentication unknown */
#define SEC_E_UNSUPPORTED_PREAUTH           OSSPI_STATUS(0x80090343)
#define SEC_E_DELEGATION_REQUIRED           OSSPI_STATUS(0x80090345) /* needs delegation */
/* channel bindings missing or different */
#define SEC_E_BAD_BINDINGS                  OSSPI_STATUS(0x80090346)
/* certificate maps to several accounts */
#define SEC_E_MULTIPLE_ACCOUNTS             OSSPI_STATUS(0x80090347)
#define SEC_E_NO_KERB_KEY                   OSSPI_STATUS(0x80090348) /* no Kerberos key */
/* certificate not for this purpose */
#define SEC_E_CERT_WRONG_USAGE              OSSPI_STATUS(0x80090349)
/* someone lowered the choice */
#define SEC_E_DOWNGRADE_DETECTED            OSSPI_STATUS(0x80090350)
/* smart card certificate revoked */
#define SEC_E_SMARTCARD_CERT_REVOKED        OSSPI_STATUS(0x80090351)
#define SEC_E_ISSUING_CA_UNTRUSTED          OSSPI_STATUS(0x80090352) /* issuer not trusted */
/* client certificate: revocation unknown */
#define SEC_E_REVOCATION_OFFLINE_C          OSSPI_STATUS(0x80090353)
#define SEC_E_PKINIT_CLIENT_FAILURE         OSSPI_STATUS(0x80090354) /* smart card logon failed */
/* smart card certificate expired */
#define SEC_E_SMARTCARD_CERT_EXPIRED        OSSPI_STATUS(0x80090355)
#define SEC_E_NO_S4U_PROT_SUPPORT           OSSPI_STATUS(0x80090356) /* no S4U */
/* delegation across realms failed */
#define SEC_E_CROSSREALM_DELEGATION_FAILURE OSSPI_STATUS(0x80090357)
/* KDC certificate: revocation unknown */
#define SEC_E_REVOCATION_OFFLINE_KDC        OSSPI_STATUS(0x80090358)
/* KDC certificate: issuer not trusted */
#define SEC_E_ISSUING_CA_UNTRUSTED_KDC      OSSPI_STATUS(0x80090359)
#define SEC_E_KDC_CERT_EXPIRED              OSSPI_STATUS(0x8009035A) /* KDC certificate expired */
#define SEC_E_KDC_CERT_REVOKED              OSSPI_STATUS(0x8009035B) /* KDC certificate revoked */
#define SEC_I_SIGNATURE_NEEDED              OSSPI_STATUS(0x0009035C) /* client must sign */
#define SEC_E_INVALID_PARAMETER             OSSPI_STATUS(0x8009035D) /* an argument is wrong */
#define SEC_E_DELEGATION_POLICY             OSSPI_STATUS(0x8009035E) /* policy forbids delegation */
#define SEC_E_POLICY_NLTM_ONLY              OSSPI_STATUS(0x8009035F) /* policy allows NTLM only */
/* peer refused to renegotiate */
#define SEC_I_NO_RENEGOTIATION              OSSPI_STATUS(0x00090360)
#define SEC_E_NO_CONTEXT                    OSSPI_STATUS(0x80090361) /* package has no context */
#define SEC_E_PKU2U_CERT_FAILURE            OSSPI_STATUS(0x80090362) /* PKU2U certificate failed */
#define SEC_E_MUTUAL_AUTH_FAILED            OSSPI_STATUS(0x80090363) /* peer did not prove itself */
/* send, call again without input */
#define SEC_I_MESSAGE_FRAGMENT              OSSPI_STATUS(0x00090364)
#define SEC_E_ONLY_HTTPS_ALLOWED            OSSPI_STATUS(0x80090365) /* plain HTTP refused */
/* continue; message was good */
#define SEC_I_CONTINUE_NEEDED_MESSAGE_OK    OSSPI_STATUS(0x00090366)
/* no ALPN protocol in common */
#define SEC_E_APPLICATION_PROTOCOL_MISMATCH OSSPI_STATUS(0x80090367)
/* asynchronous call not done yet */
#define SEC_I_ASYNC_CALL_PENDING            OSSPI_STATUS(0x00090368)
/* malformed user principal name */
#define SEC_E_INVALID_UPN_NAME              OSSPI_STATUS(0x80090369)
/* TLS extension needs cbBuffer bytes */
#define SEC_E_EXT_BUFFER_TOO_SMALL          OSSPI_STATUS(0x8009036A)
#define SEC_E_INSUFFICIENT_BUFFERS          OSSPI_STATUS(0x8009036B) /* too few buffers */
#define SEC_E_NO_SPM                        SEC_E_INTERNAL_ERROR
#define SEC_E_NOT_SUPPORTED                 SEC_E_UNSUPPORTED_FUNCTION

/* --- Verdicts on certificates that Schannel hands on --- */
/* no such object or property */
#define CRYPT_E_NOT_FOUND                   OSSPI_STATUS(0x80092004)
#define CRYPT_E_REVOKED                     OSSPI_STATUS(0x80092010) /* certificate is revoked */
/* nobody to ask about revocation */
#define CRYPT_E_NO_REVOCATION_DLL           OSSPI_STATUS(0x80092011)
/* revocation could not be checked */
#define CRYPT_E_NO_REVOCATION_CHECK         OSSPI_STATUS(0x80092012)
/* revocation server not reachable */
#define CRYPT_E_REVOCATION_OFFLINE          OSSPI_STATUS(0x80092013)
#define CRYPT_E_NOT_IN_REVOCATION_DATABASE  OSSPI_STATUS(0x80092014) /* certificate unknown to it */
/* bad signature on a certificate */
#define TRUST_E_CERT_SIGNATURE              OSSPI_STATUS(0x80096004)
/* basic constraints violated */
#define TRUST_E_BASIC_CONSTRAINTS           OSSPI_STATUS(0x80096019)
#define CERT_E_EXPIRED                      OSSPI_STATUS(0x800B0101) /* outside its validity */
/* validity not inside its issuer's */
#define CERT_E_VALIDITYPERIODNESTING        OSSPI_STATUS(0x800B0102)
/* end entity used as CA or the reverse */
#define CERT_E_ROLE                         OSSPI_STATUS(0x800B0103)
#define CERT_E_PATHLENCONST                 OSSPI_STATUS(0x800B0104) /* path length violated */
/* unknown critical extension */
#define CERT_E_CRITICAL                     OSSPI_STATUS(0x800B0105)
/* issuer did not allow this purpose */
#define CERT_E_PURPOSE                      OSSPI_STATUS(0x800B0106)
#define CERT_E_UNTRUSTEDROOT                OSSPI_STATUS(0x800B0109) /* root not trusted */
#define CERT_E_CHAINING                     OSSPI_STATUS(0x800B010A) /* issuer missing */
#define TRUST_E_FAIL                        OSSPI_STATUS(0x800B010B) /* not trusted */
#define CERT_E_REVOKED                      OSSPI_STATUS(0x800B010C) /* revoked by its issuer */
#define CERT_E_REVOCATION_FAILURE           OSSPI_STATUS(0x800B010E) /* revocation check failed */
#define CERT_E_CN_NO_MATCH                  OSSPI_STATUS(0x800B010F) /* name does not match */
#define CERT_E_WRONG_USAGE                  OSSPI_STATUS(0x800B0110) /* wrong usage */
/* blocked by the administrator */
#define TRUST_E_EXPLICIT_DISTRUST           OSSPI_STATUS(0x800B0111)
#define CERT_E_UNTRUSTEDCA                  OSSPI_STATUS(0x800B0112) /* CA not trusted */
/* name constraint or form violated */
#define CERT_E_INVALID_NAME                 OSSPI_STATUS(0x800B0114)

/* --- Other codes of the certificate functions --- */
#define CRYPT_E_MSG_ERROR                   OSSPI_STATUS(0x80091001)
#define CRYPT_E_UNKNOWN_ALGO                OSSPI_STATUS(0x80091002)
#define CRYPT_E_BAD_ENCODE                  OSSPI_STATUS(0x80092002)
#define CRYPT_E_FILE_ERROR                  OSSPI_STATUS(0x80092003)
#define CRYPT_E_EXISTS                      OSSPI_STATUS(0x80092005)
#define CRYPT_E_NO_PROVIDER                 OSSPI_STATUS(0x80092006)
#define CRYPT_E_SELF_SIGNED                 OSSPI_STATUS(0x80092007)
#define CRYPT_E_NO_MATCH                    OSSPI_STATUS(0x80092009)
#define CRYPT_E_NO_KEY_PROPERTY             OSSPI_STATUS(0x8009200B)
#define CRYPT_E_BAD_MSG                     OSSPI_STATUS(0x8009200D)
#define CRYPT_E_ASN1_ERROR                  OSSPI_STATUS(0x80093100)
#define CRYPT_E_ASN1_EOD                    OSSPI_STATUS(0x80093102)
#define CRYPT_E_ASN1_CORRUPT                OSSPI_STATUS(0x80093103)
#define CRYPT_E_ASN1_BADTAG                 OSSPI_STATUS(0x8009310B)
#define NTE_BAD_KEY                         OSSPI_STATUS(0x80090003)
#define NTE_BAD_DATA                        OSSPI_STATUS(0x80090005)
#define NTE_BAD_ALGID                       OSSPI_STATUS(0x80090008)
#define NTE_BAD_FLAGS                       OSSPI_STATUS(0x80090009)
#define NTE_NO_KEY                          OSSPI_STATUS(0x8009000D)
#define NTE_NO_MEMORY                       OSSPI_STATUS(0x8009000E)
#define NTE_NOT_FOUND                       OSSPI_STATUS(0x80090011)
#define NTE_FAIL                            OSSPI_STATUS(0x80090020)
#define NTE_INVALID_PARAMETER               OSSPI_STATUS(0x80090027)
#define NTE_NOT_SUPPORTED                   OSSPI_STATUS(0x80090029)

/* --- HRESULT --- */
#define S_OK                                ((HRESULT)0x00000000)
#define S_FALSE                             ((HRESULT)0x00000001)
#define E_NOTIMPL                           ((HRESULT)0x80004001)
#define E_POINTER                           ((HRESULT)0x80004003)
#define E_ABORT                             ((HRESULT)0x80004004)
#define E_FAIL                              ((HRESULT)0x80004005)
#define E_UNEXPECTED                        ((HRESULT)0x8000FFFF)
#define E_ACCESSDENIED                      ((HRESULT)0x80070005)
#define E_HANDLE                            ((HRESULT)0x80070006)
#define E_OUTOFMEMORY                       ((HRESULT)0x8007000E)
#define E_INVALIDARG                        ((HRESULT)0x80070057)

/* --- NTSTATUS. #ifndef: callers may bring their own, as Windows keeps them in ntstatus.h --- */
#ifndef STATUS_SUCCESS
#define STATUS_SUCCESS                      ((NTSTATUS)0x00000000)
#endif
#ifndef STATUS_PENDING
#define STATUS_PENDING                      ((NTSTATUS)0x00000103)
#endif
#ifndef STATUS_DEVICE_BUSY
#define STATUS_DEVICE_BUSY                  ((NTSTATUS)0x80000011)
#endif
#ifndef STATUS_UNSUCCESSFUL
#define STATUS_UNSUCCESSFUL                 ((NTSTATUS)0xC0000001)
#endif
#ifndef STATUS_INVALID_HANDLE
#define STATUS_INVALID_HANDLE               ((NTSTATUS)0xC0000008)
#endif
#ifndef STATUS_INVALID_PARAMETER
#define STATUS_INVALID_PARAMETER            ((NTSTATUS)0xC000000D)
#endif
#ifndef STATUS_NO_MEMORY
#define STATUS_NO_MEMORY                    ((NTSTATUS)0xC0000017)
#endif
#ifndef STATUS_ACCESS_DENIED
#define STATUS_ACCESS_DENIED                ((NTSTATUS)0xC0000022)
#endif
#ifndef STATUS_BUFFER_TOO_SMALL
#define STATUS_BUFFER_TOO_SMALL             ((NTSTATUS)0xC0000023)
#endif
#ifndef STATUS_PASSWORD_RESTRICTION
#define STATUS_PASSWORD_RESTRICTION         ((NTSTATUS)0xC000006C)
#endif
#ifndef STATUS_LOGON_FAILURE
#define STATUS_LOGON_FAILURE                ((NTSTATUS)0xC000006D)
#endif
#ifndef STATUS_INSUFFICIENT_RESOURCES
#define STATUS_INSUFFICIENT_RESOURCES       ((NTSTATUS)0xC000009A)
#endif
#ifndef STATUS_NOT_SUPPORTED
#define STATUS_NOT_SUPPORTED                ((NTSTATUS)0xC00000BB)
#endif
#ifndef STATUS_INTERNAL_ERROR
#define STATUS_INTERNAL_ERROR               ((NTSTATUS)0xC00000E5)
#endif
#ifndef STATUS_CANCELLED
#define STATUS_CANCELLED                    ((NTSTATUS)0xC0000120)
#endif

/* --- Win32 error numbers (what GetLastError answers when it is not an HRESULT) --- */
#define ERROR_SUCCESS                       0
#define NO_ERROR                            0
#define ERROR_INVALID_FUNCTION              1
#define ERROR_FILE_NOT_FOUND                2
#define ERROR_PATH_NOT_FOUND                3
#define ERROR_ACCESS_DENIED                 5
#define ERROR_INVALID_HANDLE                6
#define ERROR_NOT_ENOUGH_MEMORY             8
#define ERROR_INVALID_DATA                  13
#define ERROR_OUTOFMEMORY                   14
#define ERROR_NO_MORE_FILES                 18
#define ERROR_NOT_SUPPORTED                 50
#define ERROR_FILE_EXISTS                   80
#define ERROR_INVALID_PASSWORD              86
#define ERROR_INVALID_PARAMETER             87
#define ERROR_CALL_NOT_IMPLEMENTED          120
#define ERROR_DISK_FULL                     112
#define ERROR_INSUFFICIENT_BUFFER           122
#define ERROR_DIR_NOT_EMPTY                 145
#define ERROR_BUSY                          170
#define ERROR_ALREADY_EXISTS                183
#define ERROR_MORE_DATA                     234
#define WAIT_TIMEOUT                        258
#define ERROR_NO_MORE_ITEMS                 259
#define ERROR_IO_PENDING                    997
#define ERROR_INVALID_FLAGS                 1004
#define ERROR_NO_UNICODE_TRANSLATION        1113
#define ERROR_NOT_FOUND                     1168
#define ERROR_CANCELLED                     1223
#define ERROR_NOT_AUTHENTICATED             1244
#define ERROR_NO_SUCH_LOGON_SESSION         1312
#define ERROR_LOGON_FAILURE                 1326
#define ERROR_INTERNAL_ERROR                1359
#define ERROR_NO_SUCH_PACKAGE               1364
#define ERROR_TIMEOUT                       1460

/* clang-format on */

#endif /* OPENSSPI_OSSPI_STATUS_H */
