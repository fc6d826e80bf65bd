/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The synchronous functions of sspi.h. Included by sspi.h, not meant to be included alone.
 *
 * True of all of them, and not repeated below:
 *   SEC_E_INVALID_HANDLE       a handle is NULL, stale, freed, or of another kind
 *   SEC_E_INVALID_PARAMETER    a required pointer is NULL
 *   SEC_E_INSUFFICIENT_MEMORY  no memory
 *   SEC_E_UNSUPPORTED_FUNCTION the package has no such operation
 *   SEC_E_INTERNAL_ERROR       something failed that has no code of its own
 * Statuses above zero are success of a kind. Names of A functions are UTF-8.
 */
#ifndef OPENSSPI_OSSPI_SSPI_FUNCTIONS_H
#define OPENSSPI_OSSPI_SSPI_FUNCTIONS_H

#include "osspi_types.h"

OSSPI_EXTERN_C_BEGIN

/* --- Credentials --- */

/**
 * Gets a credential.
 *
 * @param pszPrincipal     [in] whose, NULL = the caller's; Schannel with SNI_CREDENTIAL: the host
 *                         name
 * @param pszPackage       [in] package name
 * @param fCredentialUse   SECPKG_CRED_INBOUND or SECPKG_CRED_OUTBOUND
 * @param pvLogonId        [in] LUID of another logon session, or NULL
 * @param pAuthData        [in] SCHANNEL_CRED, SCH_CREDENTIALS, a SEC_WINNT_AUTH_IDENTITY or
 *                         CREDSSP_CRED, as the package wants; NULL = the package's default. Copied
 *                         by the call
 * @param pGetKeyFn        [in] asks for a server key, or NULL
 * @param pvGetKeyArgument [in] handed to pGetKeyFn
 * @param phCredential     [out] free with FreeCredentialsHandle; unchanged on failure
 * @param ptsExpiry        [out] when the credential ends, or NULL
 * @retval SEC_E_OK                  done
 * @retval SEC_E_SECPKG_NOT_FOUND    no such package
 * @retval SEC_E_UNKNOWN_CREDENTIALS pAuthData or what it points to is not understood
 * @retval SEC_E_NO_CREDENTIALS      nothing to use: no certificate or key, no ticket, wrong
 *                                   fCredentialUse
 * @retval SEC_E_ALGORITHM_MISMATCH  the protocol mask leaves nothing for this side
 * @retval SEC_E_NOT_OWNER           the credentials are another user's
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY AcquireCredentialsHandleW(
    PSSPI_SEC_STRING pszPrincipal, PSSPI_SEC_STRING pszPackage, ULONG fCredentialUse,
    void *pvLogonId, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument,
    PCredHandle phCredential, PTimeStamp ptsExpiry) OSSPI_MODE_SYMBOL(AcquireCredentialsHandleW);
OSSPI_API SECURITY_STATUS SEC_ENTRY
AcquireCredentialsHandleA(LPSTR pszPrincipal, LPSTR pszPackage, ULONG fCredentialUse,
                          void *pvLogonId, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn,
                          void *pvGetKeyArgument, PCredHandle phCredential, PTimeStamp ptsExpiry);

/**
 * Makes a credential handle invalid; contexts that use the credential go on.
 *
 * @param phCredential [in] the handle
 * @return SEC_E_OK or SEC_E_INVALID_HANDLE; never fails for load or memory
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY FreeCredentialsHandle(PCredHandle phCredential);

/** The old name. It stands above the tables, so their member answers to both names too. */
#define FreeCredentialHandle FreeCredentialsHandle

/**
 * Appends another credential to a handle, for the contexts that are made from then on.
 *
 * Schannel: takes the certificates of pAuthData and nothing else of it. On a server a principal is
 * the host name they are for; they replace those that the handle has for it. All or nothing.
 *
 * @param hCredentials   [in] the handle
 * @param pszPrincipal   [in] or NULL
 * @param pszPackage     [in] the handle's package, or NULL
 * @param fCredentialUse the handle's use
 * @param ptsExpiry      [out] when the handle's first certificate expires; NULL = do not tell
 * @retval SEC_E_OK                   done
 * @retval SEC_E_INVALID_HANDLE       no credential
 * @retval SEC_E_SECPKG_NOT_FOUND     another package than the handle's
 * @retval SEC_E_NO_CREDENTIALS       no certificate or key in pAuthData, or another use
 * @retval SEC_E_UNKNOWN_CREDENTIALS  pAuthData not understood, no host name, too many certificates
 * @retval SEC_E_INSUFFICIENT_MEMORY  no memory
 * @retval SEC_E_UNSUPPORTED_FUNCTION the package has no such function
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY AddCredentialsW(
    PCredHandle hCredentials, PSSPI_SEC_STRING pszPrincipal, PSSPI_SEC_STRING pszPackage,
    ULONG fCredentialUse, void *pAuthData, SEC_GET_KEY_FN pGetKeyFn, void *pvGetKeyArgument,
    PTimeStamp ptsExpiry) OSSPI_MODE_SYMBOL(AddCredentialsW);
OSSPI_API SECURITY_STATUS SEC_ENTRY AddCredentialsA(PCredHandle hCredentials, LPSTR pszPrincipal,
                                                    LPSTR pszPackage, ULONG fCredentialUse,
                                                    void *pAuthData, SEC_GET_KEY_FN pGetKeyFn,
                                                    void *pvGetKeyArgument, PTimeStamp ptsExpiry);

/**
 * Reads (Query) or writes (Set) an attribute of a credential. The Ex forms check cbBuffer, in
 * bytes, and answer SEC_E_BUFFER_TOO_SMALL if the structure does not fit.
 *
 * @param ulAttribute SECPKG_CRED_ATTR_... or one of Schannel's SECPKG_ATTR_...
 * @param pBuffer     [out or in] the attribute's structure
 * @retval SEC_E_OK             done
 * @retval SEC_E_NO_CREDENTIALS the credential has no such fact
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY QueryCredentialsAttributesW(PCredHandle phCredential,
                                                                ULONG ulAttribute, void *pBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY QueryCredentialsAttributesA(PCredHandle phCredential,
                                                                ULONG ulAttribute, void *pBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY QueryCredentialsAttributesExW(PCredHandle phCredential,
                                                                  ULONG ulAttribute, void *pBuffer,
                                                                  ULONG cbBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY QueryCredentialsAttributesExA(PCredHandle phCredential,
                                                                  ULONG ulAttribute, void *pBuffer,
                                                                  ULONG cbBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY SetCredentialsAttributesW(PCredHandle phCredential,
                                                              ULONG ulAttribute, void *pBuffer,
                                                              ULONG cbBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY SetCredentialsAttributesA(PCredHandle phCredential,
                                                              ULONG ulAttribute, void *pBuffer,
                                                              ULONG cbBuffer);

#if ISSP_MODE != 0
/**
 * Changes the password of an account, which its old one proves to be the caller's. Blocks, at most
 * for OsspiOptions.default_timeout_ms; without that at most for 30 seconds with each server.
 *
 * @param pszPackageName "Kerberos" or "Negotiate"; both do it by Kerberos (RFC 3244)
 * @param pszDomainName  [in] realm; NULL: what stands behind "@" in the name, else the default one
 * @param pszAccountName [in] user
 * @param pszOldPassword [in] it may have expired
 * @param pszNewPassword [in]
 * @param bImpersonating has no meaning here
 * @param dwReserved     0
 * @param pOutput        [in,out] NULL, or one SECBUFFER_CHANGE_PASS_RESPONSE: if a Windows domain
 *                       refuses the new password, the buffer is a DOMAIN_PASSWORD_INFORMATION
 *                       (FreeContextBuffer), else it is empty
 * @retval SEC_E_OK                           changed
 * @retval STATUS_PASSWORD_RESTRICTION        a rule of the domain forbids the new password
 * @retval SEC_E_LOGON_DENIED                 the KDC refuses the user or the old password, or the
 *                                            server his right to change it
 * @retval SEC_E_NO_AUTHENTICATING_AUTHORITY  no KDC, or no server of passwords, has answered as
 *                                            one does; the latter may have changed it
 * @retval SEC_E_UNKNOWN_CREDENTIALS          pszAccountName is no name
 * @retval SEC_E_UNSUPPORTED_FUNCTION         a package that cannot
 * @retval SEC_E_SECPKG_NOT_FOUND             no such package
 * @retval SEC_E_INVALID_TOKEN                pOutput has other buffers
 * @retval HRESULT_FROM_WIN32(ERROR_TIMEOUT)  the default deadline has passed
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY ChangeAccountPasswordW(
    SEC_WCHAR *pszPackageName, SEC_WCHAR *pszDomainName, SEC_WCHAR *pszAccountName,
    SEC_WCHAR *pszOldPassword, SEC_WCHAR *pszNewPassword, BOOLEAN bImpersonating, ULONG dwReserved,
    PSecBufferDesc pOutput);
OSSPI_API SECURITY_STATUS SEC_ENTRY
ChangeAccountPasswordA(SEC_CHAR *pszPackageName, SEC_CHAR *pszDomainName, SEC_CHAR *pszAccountName,
                       SEC_CHAR *pszOldPassword, SEC_CHAR *pszNewPassword, BOOLEAN bImpersonating,
                       ULONG dwReserved, PSecBufferDesc pOutput);
#endif

/* --- Contexts --- */

/**
 * Makes one leg of the client's side of a handshake.
 *
 * @param phCredential  [in] outbound credential; may be NULL on later legs
 * @param phContext     [in] NULL on the first leg, then the context
 * @param pszTargetName [in] server name (Schannel) or service principal name; may be NULL on later
 *                      legs
 * @param fContextReq   ISC_REQ_...
 * @param Reserved1     0
 * @param TargetDataRep SECURITY_NATIVE_DREP or SECURITY_NETWORK_DREP
 * @param pInput        [in,out] TOKEN with what the peer sent, EMPTY to receive EXTRA or MISSING,
 *                      and options such as APPLICATION_PROTOCOLS; may be NULL on the first leg
 * @param Reserved2     0
 * @param phNewContext  [out] the context after the first leg; later NULL, the same or other storage
 * @param pOutput       [in,out] TOKEN for the peer (allocated if ISC_REQ_ALLOCATE_MEMORY, or if
 *                      pvBuffer is NULL), ALERT
 * @param pfContextAttr [out] ISC_RET_..., final with SEC_E_OK only; may be NULL
 * @param ptsExpiry     [out] when the context ends, or NULL
 * @retval SEC_E_OK                            established; an output token must still be sent
 * @retval SEC_I_CONTINUE_NEEDED               send the token, read, call again
 * @retval SEC_E_INCOMPLETE_MESSAGE            read more, call again with all of it; nothing was
 *                                             consumed
 * @retval SEC_I_INCOMPLETE_CREDENTIALS        the server wants a client certificate; call again
 *                                             with one, or with ISC_REQ_USE_SUPPLIED_CREDS to go on
 *                                             without
 * @retval SEC_I_MESSAGE_FRAGMENT              send the token, call again without input
 * @retval SEC_I_GENERIC_EXTENSION_RECEIVED    read it from the output, call again with the same
 *                                             input
 * @retval SEC_I_COMPLETE_NEEDED, SEC_I_COMPLETE_AND_CONTINUE  call CompleteAuthToken first
 * @retval SEC_E_INSUFFICIENT_MEMORY           the caller's TOKEN or ALERT buffer is too small;
 *                                             nothing was consumed (message mode:
 *                                             SEC_E_BUFFER_TOO_SMALL)
 * @retval SEC_E_EXT_BUFFER_TOO_SMALL          an extension does not fit; cbBuffer says what it
 *                                             takes, call again with the same input
 * @retval SEC_E_INSUFFICIENT_BUFFERS          too few buffers for what there is to say (secrets,
 *                                             extensions); call again with more
 * @retval SEC_E_INVALID_TOKEN                 malformed input or no usable buffer
 * @retval SEC_E_UNSUPPORTED_FUNCTION          a flag the package refuses
 * @retval SEC_E_WRONG_PRINCIPAL               the peer is not pszTargetName, or none was given
 * @retval SEC_E_UNTRUSTED_ROOT, SEC_E_CERT_EXPIRED, SEC_E_CERT_UNKNOWN, SEC_E_CERT_WRONG_USAGE,
 *         CRYPT_E_REVOKED, CRYPT_E_REVOCATION_OFFLINE, CRYPT_E_NO_REVOCATION_CHECK  peer's chain
 * @retval SEC_E_ALGORITHM_MISMATCH            no protocol or suite in common
 * @retval SEC_E_APPLICATION_PROTOCOL_MISMATCH no ALPN protocol in common
 * @retval SEC_E_ILLEGAL_MESSAGE               unexpected message, or an alert came
 * @retval SEC_E_MESSAGE_ALTERED, SEC_E_DECRYPT_FAILURE  the input was tampered with
 * @retval SEC_E_LOGON_DENIED, SEC_E_TARGET_UNKNOWN, SEC_E_NO_CREDENTIALS, SEC_E_TIME_SKEW,
 *         SEC_E_NO_AUTHENTICATING_AUTHORITY, SEC_E_BAD_BINDINGS  authentication failed
 * @retval SEC_E_CONTEXT_EXPIRED               the context is closed or was given up
 *
 * If the first leg fails there is no context. If a later one fails there is, and it must be
 * deleted. May block where the package needs a network.
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY InitializeSecurityContextW(
    PCredHandle phCredential, PCtxtHandle phContext, PSSPI_SEC_STRING pszTargetName,
    ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep, PSecBufferDesc pInput, ULONG Reserved2,
    PCtxtHandle phNewContext, PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry)
    OSSPI_MODE_SYMBOL(InitializeSecurityContextW);
OSSPI_API SECURITY_STATUS SEC_ENTRY InitializeSecurityContextA(
    PCredHandle phCredential, PCtxtHandle phContext, SEC_CHAR *pszTargetName, ULONG fContextReq,
    ULONG Reserved1, ULONG TargetDataRep, PSecBufferDesc pInput, ULONG Reserved2,
    PCtxtHandle phNewContext, PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);

/**
 * Makes one leg of the server's side of a handshake.
 *
 * Parameters and statuses are those of InitializeSecurityContext, with an inbound credential and
 * the ASC_ flags; a client certificate is asked for with ASC_REQ_MUTUAL_AUTH.
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY
AcceptSecurityContext(PCredHandle phCredential, PCtxtHandle phContext, PSecBufferDesc pInput,
                      ULONG fContextReq, ULONG TargetDataRep, PCtxtHandle phNewContext,
                      PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);

/** Completes a token after SEC_I_COMPLETE_NEEDED or SEC_I_COMPLETE_AND_CONTINUE. */
OSSPI_API SECURITY_STATUS SEC_ENTRY CompleteAuthToken(PCtxtHandle phContext, PSecBufferDesc pToken);

/**
 * Makes a context handle invalid; needed for every context, also a failed one.
 *
 * @return SEC_E_OK or SEC_E_INVALID_HANDLE; never fails for load or memory
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY DeleteSecurityContext(PCtxtHandle phContext);

/**
 * Gives a context an order: shut down, send an alert, allow or forbid resumption (Schannel). It
 * takes effect in the next InitializeSecurityContext or AcceptSecurityContext without input.
 *
 * @param pInput [in] one TOKEN buffer that begins with SCHANNEL_SHUTDOWN, SCHANNEL_ALERT or
 *               SCHANNEL_SESSION
 * @retval SEC_E_OK                   noted
 * @retval SEC_E_INVALID_TOKEN        not exactly one buffer, or not a TOKEN
 * @retval SEC_E_UNSUPPORTED_FUNCTION fewer than 4 bytes, or an order that is not known
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY ApplyControlToken(PCtxtHandle phContext, PSecBufferDesc pInput);

/**
 * Reads (Query) or writes (Set) an attribute of a context. The Ex forms check cbBuffer, in bytes,
 * and answer SEC_E_BUFFER_TOO_SMALL if the structure does not fit.
 *
 * @param ulAttribute SECPKG_ATTR_...
 * @param pBuffer     [out or in] the attribute's structure; free what it points to with
 *                    FreeContextBuffer, certificates with CertFreeCertificateContext
 * @retval SEC_E_OK             done
 * @retval SEC_E_NO_CREDENTIALS the peer sent no certificate
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY QueryContextAttributesW(PCtxtHandle phContext,
                                                            ULONG ulAttribute, void *pBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY QueryContextAttributesA(PCtxtHandle phContext,
                                                            ULONG ulAttribute, void *pBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY QueryContextAttributesExW(PCtxtHandle phContext,
                                                              ULONG ulAttribute, void *pBuffer,
                                                              ULONG cbBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY QueryContextAttributesExA(PCtxtHandle phContext,
                                                              ULONG ulAttribute, void *pBuffer,
                                                              ULONG cbBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY SetContextAttributesW(PCtxtHandle phContext, ULONG ulAttribute,
                                                          void *pBuffer, ULONG cbBuffer);
OSSPI_API SECURITY_STATUS SEC_ENTRY SetContextAttributesA(PCtxtHandle phContext, ULONG ulAttribute,
                                                          void *pBuffer, ULONG cbBuffer);

/**
 * From here on this thread's default credentials of Negotiate, Kerberos and NTLM are the client's:
 * the tickets that he has handed over, or none (SEC_E_NO_CREDENTIALS). Nothing else changes: files
 * are opened and programs are started as ever.
 *
 * @retval SEC_E_OK                   done; it takes the place of a client impersonated before
 * @retval SEC_E_INVALID_HANDLE       no context, or it is not established
 * @retval SEC_E_NO_IMPERSONATION     a client's context
 * @retval SEC_E_UNSUPPORTED_FUNCTION a context of another package
 * @retval SEC_E_CONTEXT_EXPIRED      a leg was given up, or the parent process made it
 * @retval SEC_E_INSUFFICIENT_MEMORY  no memory; the thread is as it was
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY ImpersonateSecurityContext(PCtxtHandle phContext);
/** The thread asks as the process again. Also with the handle of a deleted context, if it is the
 * one that the thread impersonates. */
OSSPI_API SECURITY_STATUS SEC_ENTRY RevertSecurityContext(PCtxtHandle phContext);
/** SEC_E_UNSUPPORTED_FUNCTION: there are no access tokens on Linux. */
OSSPI_API SECURITY_STATUS SEC_ENTRY QuerySecurityContextToken(PCtxtHandle phContext, void **Token);

/** Frees anything a package allocated. NULL is allowed and answers SEC_E_OK. */
OSSPI_API SECURITY_STATUS SEC_ENTRY FreeContextBuffer(PVOID pvContextBuffer);

/**
 * Packs an established context of Negotiate, Kerberos or NTLM, to be unpacked on the same machine.
 * The bytes hold its keys: wipe them, and unpack none that a program you do not trust has made.
 *
 * @param fFlags         SECPKG_CONTEXT_EXPORT_DELETE_OLD; without it the old one goes on as well,
 *                       which NTLM refuses (SEC_E_UNSUPPORTED_FUNCTION, as are all other flags)
 * @param pPackedContext [out] an EMPTY buffer; free its pvBuffer with FreeContextBuffer
 * @param pToken         [out] NULL is put there: there are no tokens; may be NULL itself
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY ExportSecurityContext(PCtxtHandle phContext, ULONG fFlags,
                                                          PSecBuffer pPackedContext, void **pToken);
OSSPI_API SECURITY_STATUS SEC_ENTRY ImportSecurityContextW(PSSPI_SEC_STRING pszPackage,
                                                           PSecBuffer pPackedContext, void *Token,
                                                           PCtxtHandle phContext)
    OSSPI_MODE_SYMBOL(ImportSecurityContextW);
OSSPI_API SECURITY_STATUS SEC_ENTRY ImportSecurityContextA(SEC_CHAR *pszPackage,
                                                           PSecBuffer pPackedContext, void *Token,
                                                           PCtxtHandle phContext);

/** Hands the client's identity on to another server. */
#if ISSP_MODE == 0
OSSPI_API SECURITY_STATUS SEC_ENTRY DelegateSecurityContext(
    PCtxtHandle phContext, PSECURITY_STRING pszTarget, SecDelegationType DelegationType,
    PTimeStamp pExpiry, PSecBuffer pPackageParameters, PSecBufferDesc pOutput)
    OSSPI_MODE_SYMBOL(DelegateSecurityContext);
#else
OSSPI_API SECURITY_STATUS SEC_ENTRY DelegateSecurityContext(
    PCtxtHandle phContext, SEC_CHAR *pszTarget, SecDelegationType DelegationType,
    PTimeStamp pExpiry, PSecBuffer pPackageParameters, PSecBufferDesc pOutput)
    OSSPI_MODE_SYMBOL(DelegateSecurityContext);
#endif

/* --- Messages --- */

/**
 * Signs a message without sealing it.
 *
 * @param fQOP         quality of protection, 0 = the package's default
 * @param pMessage     [in,out] DATA = the message, TOKEN receives the signature
 * @param MessageSeqNo sequence number of the transport, or 0
 * @retval SEC_E_OK                signed
 * @retval SEC_E_INVALID_TOKEN     no TOKEN or no DATA buffer
 * @retval SEC_E_QOP_NOT_SUPPORTED fQOP is unknown
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY MakeSignature(PCtxtHandle phContext, ULONG fQOP,
                                                  PSecBufferDesc pMessage, ULONG MessageSeqNo);
/**
 * Checks a signature of MakeSignature.
 *
 * @param pfQOP [out] quality of protection, or NULL
 * @retval SEC_E_OK              it is good
 * @retval SEC_E_MESSAGE_ALTERED it is not
 * @retval SEC_E_OUT_OF_SEQUENCE it is good but out of order
 * @retval SEC_E_INVALID_TOKEN   no TOKEN or no DATA buffer
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY VerifySignature(PCtxtHandle phContext, PSecBufferDesc pMessage,
                                                    ULONG MessageSeqNo, ULONG *pfQOP);
/**
 * Seals one message, in place.
 *
 * @param fQOP         0, SECQOP_WRAP_NO_ENCRYPT or SECQOP_WRAP_OOB_DATA
 * @param pMessage     [in,out] Schannel: STREAM_HEADER, DATA, STREAM_TRAILER, EMPTY, in this order;
 *                     the others: TOKEN, DATA, PADDING. cbBuffer of each is set to what was used
 * @param MessageSeqNo 0 for Schannel
 * @retval SEC_E_OK                sealed; send the buffers one behind the other
 * @retval SEC_E_INVALID_TOKEN     a buffer is missing
 * @retval SEC_E_BUFFER_TOO_SMALL  header, trailer or padding has no room
 * @retval SEC_E_CONTEXT_EXPIRED   the context is closed
 * @retval SEC_E_QOP_NOT_SUPPORTED fQOP is unknown
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY EncryptMessage(PCtxtHandle phContext, ULONG fQOP,
                                                   PSecBufferDesc pMessage, ULONG MessageSeqNo);
/**
 * Opens one message, in place.
 *
 * @param pMessage [in,out] Schannel: one DATA and three EMPTY; they become STREAM_HEADER, DATA,
 *                 STREAM_TRAILER, and EXTRA if bytes are left
 * @param pfQOP    [out] quality of protection, or NULL
 * @retval SEC_E_OK                 opened; the plaintext may be empty
 * @retval SEC_E_INCOMPLETE_MESSAGE read more (buffer 0 is MISSING with the count), call again
 * @retval SEC_I_CONTEXT_EXPIRED    the peer closed
 * @retval SEC_I_RENEGOTIATE        a handshake message came: give EXTRA to
 *                                  InitializeSecurityContext or AcceptSecurityContext, then go on
 * @retval SEC_E_MESSAGE_ALTERED, SEC_E_DECRYPT_FAILURE, SEC_E_OUT_OF_SEQUENCE  the context is over
 * @retval SEC_E_INVALID_TOKEN      wrong set of buffers, or not a message at all
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY DecryptMessage(PCtxtHandle phContext, PSecBufferDesc pMessage,
                                                   ULONG MessageSeqNo, ULONG *pfQOP);

/* --- Packages --- */

/**
 * Lists the packages.
 *
 * @param pcPackages    [out] how many
 * @param ppPackageInfo [out] array of them, one allocation, for FreeContextBuffer
 */
OSSPI_API SECURITY_STATUS SEC_ENTRY EnumerateSecurityPackagesW(ULONG *pcPackages,
                                                               PSecPkgInfoW *ppPackageInfo);
OSSPI_API SECURITY_STATUS SEC_ENTRY EnumerateSecurityPackagesA(ULONG *pcPackages,
                                                               PSecPkgInfoA *ppPackageInfo);
/** Describes one package; SEC_E_SECPKG_NOT_FOUND if there is none of that name. */
OSSPI_API SECURITY_STATUS SEC_ENTRY QuerySecurityPackageInfoW(PSSPI_SEC_STRING pszPackageName,
                                                              PSecPkgInfoW *ppPackageInfo)
    OSSPI_MODE_SYMBOL(QuerySecurityPackageInfoW);
OSSPI_API SECURITY_STATUS SEC_ENTRY QuerySecurityPackageInfoA(SEC_CHAR *pszPackageName,
                                                              PSecPkgInfoA *ppPackageInfo);

#if ISSP_MODE != 0
/** Registers or removes a package of the caller's. */
OSSPI_API SECURITY_STATUS SEC_ENTRY AddSecurityPackageW(LPWSTR pszPackageName,
                                                        PSECURITY_PACKAGE_OPTIONS pOptions);
OSSPI_API SECURITY_STATUS SEC_ENTRY AddSecurityPackageA(LPSTR pszPackageName,
                                                        PSECURITY_PACKAGE_OPTIONS pOptions);
OSSPI_API SECURITY_STATUS SEC_ENTRY DeleteSecurityPackageW(LPWSTR pszPackageName);
OSSPI_API SECURITY_STATUS SEC_ENTRY DeleteSecurityPackageA(LPSTR pszPackageName);
#endif

/* --- SASL: user mode, and only for callers that say SECURITY_WIN32 --- */

#if defined(SECURITY_WIN32) && ISSP_MODE != 0
typedef enum _SASL_AUTHZID_STATE {
    Sasl_AuthZIDForbidden,
    Sasl_AuthZIDProcessed
} SASL_AUTHZID_STATE;

/** ProfileList: NUL-separated names, the last one followed by two; for FreeContextBuffer. */
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslEnumerateProfilesW(LPWSTR *ProfileList,
                                                           ULONG *ProfileCount);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslEnumerateProfilesA(LPSTR *ProfileList, ULONG *ProfileCount);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslGetProfilePackageW(LPWSTR ProfileName,
                                                           PSecPkgInfoW *PackageInfo);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslGetProfilePackageA(LPSTR ProfileName,
                                                           PSecPkgInfoA *PackageInfo);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslIdentifyPackageW(PSecBufferDesc pInput,
                                                         PSecPkgInfoW *PackageInfo);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslIdentifyPackageA(PSecBufferDesc pInput,
                                                         PSecPkgInfoA *PackageInfo);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslInitializeSecurityContextW(
    PCredHandle phCredential, PCtxtHandle phContext, LPWSTR pszTargetName, ULONG fContextReq,
    ULONG Reserved1, ULONG TargetDataRep, PSecBufferDesc pInput, ULONG Reserved2,
    PCtxtHandle phNewContext, PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslInitializeSecurityContextA(
    PCredHandle phCredential, PCtxtHandle phContext, LPSTR pszTargetName, ULONG fContextReq,
    ULONG Reserved1, ULONG TargetDataRep, PSecBufferDesc pInput, ULONG Reserved2,
    PCtxtHandle phNewContext, PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);
OSSPI_API SECURITY_STATUS SEC_ENTRY
SaslAcceptSecurityContext(PCredHandle phCredential, PCtxtHandle phContext, PSecBufferDesc pInput,
                          ULONG fContextReq, ULONG TargetDataRep, PCtxtHandle phNewContext,
                          PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslSetContextOption(PCtxtHandle ContextHandle, ULONG Option,
                                                         PVOID Value, ULONG Size);
OSSPI_API SECURITY_STATUS SEC_ENTRY SaslGetContextOption(PCtxtHandle ContextHandle, ULONG Option,
                                                         PVOID Value, ULONG Size, PULONG Needed);
#endif

/* --- Kernel mode only --- */

#if ISSP_MODE == 0
/*
 * Types of ntifs.h that the next functions need. An enum of another header has the same layout, so
 * they are pointers to int here.
 */
typedef INT *OSSPI_PSID_NAME_USE;
typedef INT OSSPI_WELL_KNOWN_SID_TYPE;

/** Builds a service principal name from its parts. */
OSSPI_API NTSTATUS SEC_ENTRY SecMakeSPN(PUNICODE_STRING ServiceClass, PUNICODE_STRING ServiceName,
                                        PUNICODE_STRING InstanceName, USHORT InstancePort,
                                        PUNICODE_STRING Referrer, PUNICODE_STRING Spn,
                                        PULONG Length, BOOLEAN Allocate);
OSSPI_API NTSTATUS SEC_ENTRY SecMakeSPNEx(PUNICODE_STRING ServiceClass, PUNICODE_STRING ServiceName,
                                          PUNICODE_STRING InstanceName, USHORT InstancePort,
                                          PUNICODE_STRING Referrer, PUNICODE_STRING TargetInfo,
                                          PUNICODE_STRING Spn, PULONG Length, BOOLEAN Allocate);
OSSPI_API NTSTATUS SEC_ENTRY SecMakeSPNEx2(PUNICODE_STRING ServiceClass,
                                           PUNICODE_STRING ServiceName,
                                           PUNICODE_STRING InstanceName, USHORT InstancePort,
                                           PUNICODE_STRING Referrer, PUNICODE_STRING InTargetInfo,
                                           PUNICODE_STRING Spn, PULONG TotalSize, BOOLEAN Allocate,
                                           BOOLEAN IsTargetInfoMarshaled);
/** Translations between accounts and security identifiers. */
OSSPI_API NTSTATUS SEC_ENTRY SecLookupAccountSid(PSID Sid, PULONG NameSize,
                                                 PUNICODE_STRING NameBuffer, PULONG DomainSize,
                                                 PUNICODE_STRING DomainBuffer,
                                                 OSSPI_PSID_NAME_USE NameUse);
OSSPI_API NTSTATUS SEC_ENTRY SecLookupAccountName(PUNICODE_STRING Name, PULONG SidSize, PSID Sid,
                                                  OSSPI_PSID_NAME_USE NameUse, PULONG DomainSize,
                                                  PUNICODE_STRING ReferencedDomain);
OSSPI_API NTSTATUS SEC_ENTRY SecLookupWellKnownSid(OSSPI_WELL_KNOWN_SID_TYPE SidType, PSID Sid,
                                                   ULONG SidBufferSize, PULONG SidSize);
#endif

OSSPI_EXTERN_C_END

/* clang-format off */
#ifdef UNICODE
#define SecPkgInfo                    SecPkgInfoW
#define PSecPkgInfo                   PSecPkgInfoW
#define AcquireCredentialsHandle      AcquireCredentialsHandleW
#define AddCredentials                AddCredentialsW
#define QueryCredentialsAttributes    QueryCredentialsAttributesW
#define QueryCredentialsAttributesEx  QueryCredentialsAttributesExW
#define SetCredentialsAttributes      SetCredentialsAttributesW
#define ChangeAccountPassword         ChangeAccountPasswordW
#define InitializeSecurityContext     InitializeSecurityContextW
#define QueryContextAttributes        QueryContextAttributesW
#define QueryContextAttributesEx      QueryContextAttributesExW
#define SetContextAttributes          SetContextAttributesW
#define ImportSecurityContext         ImportSecurityContextW
#define EnumerateSecurityPackages     EnumerateSecurityPackagesW
#define QuerySecurityPackageInfo      QuerySecurityPackageInfoW
#define AddSecurityPackage            AddSecurityPackageW
#define DeleteSecurityPackage         DeleteSecurityPackageW
#define SaslEnumerateProfiles         SaslEnumerateProfilesW
#define SaslGetProfilePackage         SaslGetProfilePackageW
#define SaslIdentifyPackage           SaslIdentifyPackageW
#define SaslInitializeSecurityContext SaslInitializeSecurityContextW
#else
#define SecPkgInfo                    SecPkgInfoA
#define PSecPkgInfo                   PSecPkgInfoA
#define AcquireCredentialsHandle      AcquireCredentialsHandleA
#define AddCredentials                AddCredentialsA
#define QueryCredentialsAttributes    QueryCredentialsAttributesA
#define QueryCredentialsAttributesEx  QueryCredentialsAttributesExA
#define SetCredentialsAttributes      SetCredentialsAttributesA
#define ChangeAccountPassword         ChangeAccountPasswordA
#define InitializeSecurityContext     InitializeSecurityContextA
#define QueryContextAttributes        QueryContextAttributesA
#define QueryContextAttributesEx      QueryContextAttributesExA
#define SetContextAttributes          SetContextAttributesA
#define ImportSecurityContext         ImportSecurityContextA
#define EnumerateSecurityPackages     EnumerateSecurityPackagesA
#define QuerySecurityPackageInfo      QuerySecurityPackageInfoA
#define AddSecurityPackage            AddSecurityPackageA
#define DeleteSecurityPackage         DeleteSecurityPackageA
#define SaslEnumerateProfiles         SaslEnumerateProfilesA
#define SaslGetProfilePackage         SaslGetProfilePackageA
#define SaslIdentifyPackage           SaslIdentifyPackageA
#define SaslInitializeSecurityContext SaslInitializeSecurityContextA
#endif
/* clang-format on */

#endif /* OPENSSPI_OSSPI_SSPI_FUNCTIONS_H */
