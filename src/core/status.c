/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The words for status codes; see status.h. One table, searched from its start: nobody asks for a
 * name on a hot path. The texts are ours; each says what happened and, where there is something to
 * do about it, what. First match wins, so SSPI's own names stand before those of other families.
 */
#include "core/status.h"

#include <string.h>

#include "base/memory.h"

/* clang-format off */
#define WORDS(status, text) {status, #status, text}

static const struct osspi_status_words all_words[] = {
    /* SSPI */
    WORDS(SEC_E_OK, "The call succeeded"),
    WORDS(SEC_I_CONTINUE_NEEDED,
          "The handshake goes on: send the output token to the peer, read its answer, call "
          "again"),
    WORDS(SEC_I_COMPLETE_NEEDED,
          "Call CompleteAuthToken, then send the token; no answer is expected"),
    WORDS(SEC_I_COMPLETE_AND_CONTINUE,
          "Call CompleteAuthToken, send the token, read the peer's answer, call again"),
    WORDS(SEC_I_LOCAL_LOGON, "The logon needed no network"),
    WORDS(SEC_I_GENERIC_EXTENSION_RECEIVED,
          "A TLS extension you subscribed to is in the output: read it, then call again with "
          "the same input"),
    WORDS(SEC_I_CONTEXT_EXPIRED,
          "The peer has closed the session in order; answer with a shutdown and delete the "
          "context"),
    WORDS(SEC_I_INCOMPLETE_CREDENTIALS,
          "The server asks for a client certificate: call again with a credential that has one, "
          "or with ISC_REQ_USE_SUPPLIED_CREDS to go on without"),
    WORDS(SEC_I_RENEGOTIATE,
          "A handshake message arrived: give the EXTRA bytes to InitializeSecurityContext or "
          "AcceptSecurityContext, then go on"),
    WORDS(SEC_I_NO_LSA_CONTEXT, "No context exists on the side of the security authority"),
    WORDS(SEC_I_SIGNATURE_NEEDED, "The client has to sign what follows"),
    WORDS(SEC_I_NO_RENEGOTIATION,
          "The peer does not want to renegotiate; go on with the session as it is"),
    WORDS(SEC_I_MESSAGE_FRAGMENT,
          "Send this fragment, then call again without input for the next one"),
    WORDS(SEC_I_CONTINUE_NEEDED_MESSAGE_OK,
          "The message was good; go on as with SEC_I_CONTINUE_NEEDED"),
    WORDS(SEC_I_ASYNC_CALL_PENDING, "The asynchronous call is not complete: wait for its callback"),
    WORDS(SEC_E_INCOMPLETE_MESSAGE,
          "More bytes are needed and none were consumed: read more and call again with all of "
          "them"),
    WORDS(SEC_E_INSUFFICIENT_MEMORY,
          "There is no memory, a buffer you supplied is too small for the token, or the queue "
          "of calls is full; nothing was consumed, so make room and call again"),
    WORDS(SEC_E_INVALID_HANDLE,
          "A handle is NULL, was freed, or was never one of this kind: check which handle you "
          "passed"),
    WORDS(SEC_E_UNSUPPORTED_FUNCTION,
          "The package cannot do this, or refuses one of the flags you asked for"),
    WORDS(SEC_E_TARGET_UNKNOWN,
          "The target name is malformed or names no known service: check its spelling"),
    WORDS(SEC_E_INTERNAL_ERROR,
          "Something failed that has no status of its own; OsspiGetErrorDetail may say what"),
    WORDS(SEC_E_SECPKG_NOT_FOUND,
          "No security package has this name; EnumerateSecurityPackages lists those there are"),
    WORDS(SEC_E_NOT_OWNER,
          "The credentials belong to another user, or the calling thread has another user id "
          "than the process"),
    WORDS(SEC_E_CANNOT_INSTALL, "The security package could not be started"),
    WORDS(SEC_E_INVALID_TOKEN,
          "The input is not what the protocol expects here, or a buffer is missing or malformed"),
    WORDS(SEC_E_CANNOT_PACK, "The context cannot be exported"),
    WORDS(SEC_E_QOP_NOT_SUPPORTED,
          "The package does not know this quality of protection; pass 0 for its default"),
    WORDS(SEC_E_NO_IMPERSONATION, "The client did not allow the server to act in its name"),
    WORDS(SEC_E_LOGON_DENIED, "User name or password were refused"),
    WORDS(SEC_E_UNKNOWN_CREDENTIALS,
          "The authentication data is not understood: check the version, the format and every "
          "certificate in it"),
    WORDS(SEC_E_NO_CREDENTIALS,
          "There is nothing to authenticate with: a certificate, its private key or a ticket is "
          "missing, or the credential is for the other direction"),
    WORDS(SEC_E_MESSAGE_ALTERED,
          "The message or its signature was changed on the way; close the connection"),
    WORDS(SEC_E_OUT_OF_SEQUENCE, "The message arrived out of order or twice"),
    WORDS(SEC_E_NO_AUTHENTICATING_AUTHORITY,
          "No authority (KDC or domain controller) could be reached to authenticate with"),
    WORDS(SEC_E_BAD_PKGID, "The package id is unknown"),
    WORDS(SEC_E_CONTEXT_EXPIRED,
          "The context can no longer be used: it was closed, given up, has failed, or is "
          "another process's; delete it and make a new one"),
    WORDS(SEC_E_INCOMPLETE_CREDENTIALS, "The credentials lack a part that the package needs"),
    WORDS(SEC_E_BUFFER_TOO_SMALL,
          "A buffer is too small and nothing was consumed: give a larger one and call again"),
    WORDS(SEC_E_WRONG_PRINCIPAL,
          "The peer is not the one you named, or you named nobody: check the target name "
          "against the names in its certificate"),
    WORDS(SEC_E_TIME_SKEW, "The clocks of the two machines differ too much: set them"),
    WORDS(SEC_E_UNTRUSTED_ROOT,
          "The peer's certificate chain ends in no root that this machine trusts: install the "
          "root or fix the chain"),
    WORDS(SEC_E_ILLEGAL_MESSAGE, "The peer sent an alert or a message that does not belong here"),
    WORDS(SEC_E_CERT_UNKNOWN, "The peer's certificate could not be processed"),
    WORDS(SEC_E_CERT_EXPIRED,
          "The peer's certificate has expired or is not valid yet: renew it or check the clock"),
    WORDS(SEC_E_ENCRYPT_FAILURE, "The message could not be encrypted"),
    WORDS(SEC_E_DECRYPT_FAILURE, "The message could not be decrypted; close the connection"),
    WORDS(SEC_E_ALGORITHM_MISMATCH,
          "Client and server have no protocol version or cipher suite in common"),
    WORDS(SEC_E_SECURITY_QOS_FAILED,
          "The quality of service that was asked for could not be reached"),
    WORDS(SEC_E_UNFINISHED_CONTEXT_DELETED, "The context was deleted before it was established"),
    WORDS(SEC_E_NO_TGT_REPLY, "The peer was asked for a ticket-granting ticket and sent none"),
    WORDS(SEC_E_NO_IP_ADDRESSES,
          "No address of a KDC is known: check DNS or the Kerberos configuration"),
    WORDS(SEC_E_WRONG_CREDENTIAL_HANDLE, "The credential does not belong to this context"),
    WORDS(SEC_E_CRYPTO_SYSTEM_INVALID, "The cipher of this context is missing or broken"),
    WORDS(SEC_E_MAX_REFERRALS_EXCEEDED, "Too many referrals between realms"),
    WORDS(SEC_E_MUST_BE_KDC, "Only a KDC may do this"),
    WORDS(SEC_E_STRONG_CRYPTO_NOT_SUPPORTED, "A key of this size is not allowed here"),
    WORDS(SEC_E_TOO_MANY_PRINCIPALS, "There is more than one principal where one is expected"),
    WORDS(SEC_E_NO_PA_DATA, "The KDC expected pre-authentication data and got none"),
    WORDS(SEC_E_PKINIT_NAME_MISMATCH, "The certificate names another user than the logon does"),
    WORDS(SEC_E_SMARTCARD_LOGON_REQUIRED, "This account may log on with a smart card only"),
    WORDS(SEC_E_SHUTDOWN_IN_PROGRESS, "The system is shutting down"),
    WORDS(SEC_E_KDC_INVALID_REQUEST, "The KDC got a request it cannot use"),
    WORDS(SEC_E_KDC_UNABLE_TO_REFER, "The KDC knows no realm to refer this request to"),
    WORDS(SEC_E_KDC_UNKNOWN_ETYPE, "The KDC does not know the encryption type that was asked for"),
    WORDS(SEC_E_UNSUPPORTED_PREAUTH,
          "The KDC wants a kind of pre-authentication that is not known here"),
    WORDS(SEC_E_DELEGATION_REQUIRED, "The request works only with delegation"),
    WORDS(SEC_E_BAD_BINDINGS,
          "The channel bindings are missing or belong to another connection: somebody may stand "
          "between client and server"),
    WORDS(SEC_E_MULTIPLE_ACCOUNTS, "The certificate maps to several accounts"),
    WORDS(SEC_E_NO_KERB_KEY, "There is no Kerberos key for this account"),
    WORDS(SEC_E_CERT_WRONG_USAGE,
          "The peer's certificate is not made for this purpose: look at its extended key usage"),
    WORDS(SEC_E_DOWNGRADE_DETECTED, "Somebody tried to lower the protocol that was agreed on"),
    WORDS(SEC_E_SMARTCARD_CERT_REVOKED, "The smart card's certificate was revoked"),
    WORDS(SEC_E_ISSUING_CA_UNTRUSTED, "The issuer of the certificate is not trusted"),
    WORDS(SEC_E_REVOCATION_OFFLINE_C,
          "Whether the client's certificate was revoked could not be found out"),
    WORDS(SEC_E_PKINIT_CLIENT_FAILURE, "The logon with a certificate failed on the client"),
    WORDS(SEC_E_SMARTCARD_CERT_EXPIRED, "The smart card's certificate has expired"),
    WORDS(SEC_E_NO_S4U_PROT_SUPPORT, "The KDC does not support services acting for users"),
    WORDS(SEC_E_CROSSREALM_DELEGATION_FAILURE, "Delegation across realms failed"),
    WORDS(SEC_E_REVOCATION_OFFLINE_KDC,
          "Whether the KDC's certificate was revoked could not be found out"),
    WORDS(SEC_E_ISSUING_CA_UNTRUSTED_KDC, "The issuer of the KDC's certificate is not trusted"),
    WORDS(SEC_E_KDC_CERT_EXPIRED, "The KDC's certificate has expired"),
    WORDS(SEC_E_KDC_CERT_REVOKED, "The KDC's certificate was revoked"),
    WORDS(SEC_E_INVALID_PARAMETER,
          "An argument is wrong or a required pointer is NULL; for an asynchronous call: its "
          "context has a call pending"),
    WORDS(SEC_E_DELEGATION_POLICY, "Policy forbids delegation to this server"),
    WORDS(SEC_E_POLICY_NLTM_ONLY, "Policy allows NTLM only"),
    WORDS(SEC_E_NO_CONTEXT, "The package has no context for this"),
    WORDS(SEC_E_PKU2U_CERT_FAILURE, "The peer-to-peer certificate was refused"),
    WORDS(SEC_E_MUTUAL_AUTH_FAILED, "The peer did not prove who it is"),
    WORDS(SEC_E_ONLY_HTTPS_ALLOWED, "Plain HTTP is refused: use HTTPS"),
    WORDS(SEC_E_APPLICATION_PROTOCOL_MISMATCH,
          "Client and server have no application protocol (ALPN) in common"),
    WORDS(SEC_E_INVALID_UPN_NAME, "The user principal name is malformed"),
    WORDS(SEC_E_EXT_BUFFER_TOO_SMALL,
          "The buffer for a TLS extension is too small: cbBuffer tells the size it needs; call "
          "again with the same input"),
    WORDS(SEC_E_INSUFFICIENT_BUFFERS, "There are too few buffers for the output"),

    /* certificates */
    WORDS(CRYPT_E_NOT_FOUND, "No such object or property"),
    WORDS(CRYPT_E_REVOKED, "The certificate was revoked by its issuer"),
    WORDS(CRYPT_E_NO_REVOCATION_DLL, "Nothing here can check whether the certificate was revoked"),
    WORDS(CRYPT_E_NO_REVOCATION_CHECK,
          "The certificate names no place where revocation could be checked"),
    WORDS(CRYPT_E_REVOCATION_OFFLINE,
          "The revocation server did not answer: check the network, or allow "
          "SCH_CRED_IGNORE_REVOCATION_OFFLINE"),
    WORDS(CRYPT_E_NOT_IN_REVOCATION_DATABASE,
          "The revocation server does not know the certificate"),
    WORDS(TRUST_E_CERT_SIGNATURE, "A certificate of the chain has a bad signature"),
    WORDS(TRUST_E_BASIC_CONSTRAINTS, "A certificate of the chain breaks its basic constraints"),
    WORDS(TRUST_E_FAIL, "The certificate is not trusted"),
    WORDS(TRUST_E_EXPLICIT_DISTRUST, "The certificate was blocked on this machine"),
    WORDS(CERT_E_EXPIRED, "A certificate of the chain has expired or is not valid yet"),
    WORDS(CERT_E_VALIDITYPERIODNESTING, "A certificate is valid longer than its issuer"),
    WORDS(CERT_E_ROLE, "An end entity's certificate was used as an authority's, or the reverse"),
    WORDS(CERT_E_PATHLENCONST, "The chain is longer than an authority in it allows"),
    WORDS(CERT_E_CRITICAL, "A certificate has a critical extension that is not understood"),
    WORDS(CERT_E_PURPOSE, "The issuer did not allow the certificate to be used for this"),
    WORDS(CERT_E_UNTRUSTEDROOT, "The chain ends in a root that this machine does not trust"),
    WORDS(CERT_E_CHAINING, "An issuer is missing, so no chain to a root could be built"),
    WORDS(CERT_E_REVOKED, "A certificate of the chain was revoked by its issuer"),
    WORDS(CERT_E_REVOCATION_FAILURE, "Whether a certificate was revoked could not be found out"),
    WORDS(CERT_E_CN_NO_MATCH, "The certificate is for another name than the one asked for"),
    WORDS(CERT_E_WRONG_USAGE, "The certificate is not made for this purpose"),
    WORDS(CERT_E_UNTRUSTEDCA, "An authority in the chain is not trusted"),
    WORDS(CERT_E_INVALID_NAME,
          "A name in the chain is malformed or not allowed by an authority above it"),
    WORDS(CRYPT_E_MSG_ERROR, "The cryptographic message could not be processed"),
    WORDS(CRYPT_E_UNKNOWN_ALGO, "The algorithm is not known"),
    WORDS(CRYPT_E_BAD_ENCODE, "Encoding or decoding failed"),
    WORDS(CRYPT_E_FILE_ERROR, "A file could not be read or written"),
    WORDS(CRYPT_E_EXISTS, "The object is there already"),
    WORDS(CRYPT_E_NO_PROVIDER, "No provider of this kind is known"),
    WORDS(CRYPT_E_SELF_SIGNED, "The certificate is signed with its own key"),
    WORDS(CRYPT_E_NO_MATCH, "Nothing matches"),
    WORDS(CRYPT_E_NO_KEY_PROPERTY, "The certificate has no private key"),
    WORDS(CRYPT_E_BAD_MSG, "This is not a cryptographic message"),
    WORDS(CRYPT_E_ASN1_ERROR, "The encoding is malformed"),
    WORDS(CRYPT_E_ASN1_EOD, "The encoding ends too early"),
    WORDS(CRYPT_E_ASN1_CORRUPT, "The encoding is damaged"),
    WORDS(CRYPT_E_ASN1_BADTAG, "The encoding holds another kind of object than expected"),
    WORDS(NTE_BAD_KEY, "The key cannot be used"),
    WORDS(NTE_BAD_DATA, "The data is not in the expected form"),
    WORDS(NTE_BAD_ALGID, "The algorithm id is not known"),
    WORDS(NTE_BAD_FLAGS, "The flags are wrong"),
    WORDS(NTE_NO_KEY, "There is no such key"),
    WORDS(NTE_NO_MEMORY, "There is no memory"),
    WORDS(NTE_NOT_FOUND, "No such object"),
    WORDS(NTE_FAIL, "The key operation failed"),
    WORDS(NTE_INVALID_PARAMETER, "An argument of the key operation is wrong"),
    WORDS(NTE_NOT_SUPPORTED, "The key cannot do this"),

    /* general */
    {HRESULT_FROM_WIN32(ERROR_CANCELLED),
     "HRESULT_FROM_WIN32(ERROR_CANCELLED)", "The call was cancelled"},
    {HRESULT_FROM_WIN32(ERROR_TIMEOUT),
     "HRESULT_FROM_WIN32(ERROR_TIMEOUT)",
     "The call did not end before its deadline; a security context it worked on can only be "
     "deleted"},
    {HRESULT_FROM_WIN32(ERROR_INVALID_PASSWORD),
     "HRESULT_FROM_WIN32(ERROR_INVALID_PASSWORD)", "The password is wrong"},
    {HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND),
     "HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND)", "There is no such file"},
    {HRESULT_FROM_WIN32(ERROR_PATH_NOT_FOUND),
     "HRESULT_FROM_WIN32(ERROR_PATH_NOT_FOUND)", "A folder of the path does not exist"},
    {HRESULT_FROM_WIN32(ERROR_NOT_ENOUGH_MEMORY),
     "HRESULT_FROM_WIN32(ERROR_NOT_ENOUGH_MEMORY)", "There is no memory"},
    {HRESULT_FROM_WIN32(ERROR_INVALID_DATA),
     "HRESULT_FROM_WIN32(ERROR_INVALID_DATA)", "The data is not in the expected form"},
    {HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED),
     "HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED)", "This is not supported"},
    {HRESULT_FROM_WIN32(ERROR_INSUFFICIENT_BUFFER),
     "HRESULT_FROM_WIN32(ERROR_INSUFFICIENT_BUFFER)", "The buffer is too small"},
    {HRESULT_FROM_WIN32(ERROR_BUSY),
     "HRESULT_FROM_WIN32(ERROR_BUSY)", "It is in use"},
    {HRESULT_FROM_WIN32(ERROR_MORE_DATA),
     "HRESULT_FROM_WIN32(ERROR_MORE_DATA)", "The buffer is too small for all of the data"},
    {HRESULT_FROM_WIN32(ERROR_NOT_FOUND),
     "HRESULT_FROM_WIN32(ERROR_NOT_FOUND)", "There is no such element"},
    WORDS(S_FALSE, "The call succeeded and answers no"),
    WORDS(E_NOTIMPL, "This is not implemented"),
    WORDS(E_POINTER, "A pointer is NULL"),
    WORDS(E_ABORT, "The operation was aborted"),
    WORDS(E_FAIL, "The operation failed for a reason that is not told"),
    WORDS(E_UNEXPECTED, "The operation failed in an unexpected state"),
    WORDS(E_ACCESSDENIED, "Access is denied"),
    WORDS(E_HANDLE, "The handle is not valid"),
    WORDS(E_OUTOFMEMORY, "There is no memory"),
    WORDS(E_INVALIDARG, "An argument is wrong"),
    WORDS(STATUS_PENDING, "The operation is not complete"),
    WORDS(STATUS_DEVICE_BUSY, "The asynchronous context has a call pending: wait for its callback"),
    WORDS(STATUS_UNSUCCESSFUL, "The operation failed for a reason that is not told"),
    WORDS(STATUS_INVALID_HANDLE, "The handle is not valid"),
    WORDS(STATUS_INVALID_PARAMETER,
          "An argument is wrong, or the asynchronous context is NULL or was freed"),
    WORDS(STATUS_NO_MEMORY, "There is no memory"),
    WORDS(STATUS_ACCESS_DENIED, "Access is denied"),
    WORDS(STATUS_BUFFER_TOO_SMALL, "The buffer is too small"),
    WORDS(STATUS_PASSWORD_RESTRICTION, "The new password breaks a rule of the domain"),
    WORDS(STATUS_LOGON_FAILURE, "User name or password were refused"),
    WORDS(STATUS_INSUFFICIENT_RESOURCES, "There are not enough resources"),
    WORDS(STATUS_NOT_SUPPORTED, "This is not supported"),
    WORDS(STATUS_INTERNAL_ERROR, "Something failed that has no status of its own"),
    WORDS(STATUS_CANCELLED, "The operation was cancelled"),
};
/* clang-format on */

const struct osspi_status_words *osspi_status_at(size_t index)
{
    return index < OSSPI_COUNT_OF(all_words) ? &all_words[index] : NULL;
}

const struct osspi_status_words *osspi_status_find(SECURITY_STATUS status)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(all_words); i++) {
        if (all_words[i].status == status)
            return &all_words[i];
    }
    return NULL;
}

bool osspi_status_by_name(const char *name, SECURITY_STATUS *ret_status)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(all_words); i++) {
        if (strcmp(all_words[i].name, name) == 0) {
            *ret_status = all_words[i].status;
            return true;
        }
    }
    return false;
}
