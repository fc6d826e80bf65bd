/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Statuses that functions document; see contract_status.h.
 */
#include "support/contract_status.h"

#include <opensspi.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "support/test_util.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct list {
    const SECURITY_STATUS *items;
    size_t count;
};

#define LIST(name, ...) \
    static const SECURITY_STATUS name##_items[] = {__VA_ARGS__}; \
    static const struct list name = {name##_items, COUNT_OF(name##_items)}

#define CANCELLED HRESULT_FROM_WIN32(ERROR_CANCELLED)
#define TIMED_OUT HRESULT_FROM_WIN32(ERROR_TIMEOUT)

LIST(freeing, SEC_E_OK, SEC_E_INVALID_HANDLE);
LIST(usual, SEC_E_OK, SEC_E_INVALID_HANDLE, SEC_E_INVALID_PARAMETER, SEC_E_INSUFFICIENT_MEMORY,
     SEC_E_UNSUPPORTED_FUNCTION);
LIST(unsupported, SEC_E_UNSUPPORTED_FUNCTION);
LIST(unsupported_or_handle, SEC_E_UNSUPPORTED_FUNCTION, SEC_E_INVALID_HANDLE);
LIST(acquire, SEC_E_SECPKG_NOT_FOUND, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_NO_CREDENTIALS,
     SEC_E_ALGORITHM_MISMATCH, SEC_E_NOT_OWNER);
LIST(leg, SEC_I_CONTINUE_NEEDED, SEC_E_INCOMPLETE_MESSAGE, SEC_I_INCOMPLETE_CREDENTIALS,
     SEC_E_INVALID_TOKEN, SEC_E_WRONG_PRINCIPAL, SEC_E_UNTRUSTED_ROOT, SEC_E_CERT_EXPIRED,
     SEC_E_CERT_UNKNOWN, SEC_E_CERT_WRONG_USAGE, CRYPT_E_REVOKED, CRYPT_E_REVOCATION_OFFLINE,
     CRYPT_E_NO_REVOCATION_CHECK, SEC_E_ALGORITHM_MISMATCH, SEC_E_APPLICATION_PROTOCOL_MISMATCH,
     SEC_E_ILLEGAL_MESSAGE, SEC_E_MESSAGE_ALTERED, SEC_E_DECRYPT_FAILURE, SEC_E_TARGET_UNKNOWN,
     SEC_E_NO_CREDENTIALS, SEC_E_CONTEXT_EXPIRED, SEC_I_MESSAGE_FRAGMENT,
     /* in later handshakes: the peer declines, or closes */
     SEC_I_NO_RENEGOTIATION, SEC_I_CONTEXT_EXPIRED, SEC_I_GENERIC_EXTENSION_RECEIVED,
     SEC_E_BUFFER_TOO_SMALL, SEC_E_EXT_BUFFER_TOO_SMALL, SEC_E_INSUFFICIENT_BUFFERS, TIMED_OUT,
     /* of packages that log on, and of their policies */
     SEC_E_LOGON_DENIED, SEC_E_NO_AUTHENTICATING_AUTHORITY, SEC_E_TIME_SKEW, SEC_E_BAD_BINDINGS,
     SEC_E_DELEGATION_POLICY, SEC_E_POLICY_NLTM_ONLY);
/* Of a buffer or descriptor that is NULL, as on Windows. */
LIST(control, SEC_E_INVALID_TOKEN, SEC_E_CONTEXT_EXPIRED, SEC_E_INTERNAL_ERROR);
LIST(attribute, SEC_E_NO_CREDENTIALS, SEC_E_BUFFER_TOO_SMALL);
LIST(attribute_of_credential, SEC_E_NO_CREDENTIALS, SEC_E_BUFFER_TOO_SMALL, SEC_E_INTERNAL_ERROR);
LIST(detail, SEC_E_OK, SEC_E_INVALID_HANDLE, SEC_E_INVALID_PARAMETER, SEC_E_BUFFER_TOO_SMALL);
LIST(encrypt, SEC_E_INVALID_TOKEN, SEC_E_BUFFER_TOO_SMALL, SEC_E_CONTEXT_EXPIRED,
     SEC_E_QOP_NOT_SUPPORTED, SEC_E_CRYPTO_SYSTEM_INVALID);
/* A context that an alert or a message of the peer has ended answers with that alert's status. */
LIST(decrypt, SEC_E_INCOMPLETE_MESSAGE, SEC_I_CONTEXT_EXPIRED, SEC_I_RENEGOTIATE,
     SEC_I_NO_RENEGOTIATION, SEC_E_MESSAGE_ALTERED, SEC_E_DECRYPT_FAILURE, SEC_E_OUT_OF_SEQUENCE,
     SEC_E_INVALID_TOKEN, SEC_E_ILLEGAL_MESSAGE, SEC_E_ALGORITHM_MISMATCH, SEC_E_CONTEXT_EXPIRED);
LIST(signature, SEC_E_INVALID_TOKEN, SEC_E_QOP_NOT_SUPPORTED, SEC_E_MESSAGE_ALTERED,
     SEC_E_OUT_OF_SEQUENCE, SEC_E_CONTEXT_EXPIRED);
/* Without a handle. */
LIST(hello, SEC_E_OK, SEC_E_INVALID_PARAMETER, SEC_E_INCOMPLETE_MESSAGE, SEC_E_ILLEGAL_MESSAGE,
     SEC_E_UNSUPPORTED_FUNCTION);
LIST(identity, SEC_E_OK, SEC_E_INVALID_PARAMETER, SEC_E_INSUFFICIENT_MEMORY,
     SEC_E_UNSUPPORTED_FUNCTION);
LIST(setting, SEC_E_BUFFER_TOO_SMALL, SEC_E_CONTEXT_EXPIRED);
LIST(package, SEC_E_SECPKG_NOT_FOUND);
LIST(import, SEC_E_SECPKG_NOT_FOUND, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_NO_CREDENTIALS,
     SEC_E_NOT_OWNER);
LIST(token, SEC_E_NO_IMPERSONATION, SEC_E_CONTEXT_EXPIRED);
/* The last but one is an NTSTATUS: SSPI has no status for a rule of the domain. */
LIST(password, SEC_E_OK, SEC_E_SECPKG_NOT_FOUND, SEC_E_UNSUPPORTED_FUNCTION,
     SEC_E_INVALID_PARAMETER, SEC_E_INVALID_TOKEN, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_LOGON_DENIED,
     SEC_E_NO_AUTHENTICATING_AUTHORITY, SEC_E_TARGET_UNKNOWN, SEC_E_TIME_SKEW, SEC_E_INTERNAL_ERROR,
     SEC_E_INSUFFICIENT_MEMORY, (SECURITY_STATUS)STATUS_PASSWORD_RESTRICTION, TIMED_OUT);
LIST(load, SEC_E_OK, SEC_E_INVALID_PARAMETER, SEC_E_NO_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS,
     SEC_E_LOGON_DENIED, SEC_E_NOT_OWNER, SEC_E_UNSUPPORTED_FUNCTION, SEC_E_INSUFFICIENT_MEMORY);
LIST(chain, SEC_E_OK, SEC_E_INVALID_PARAMETER, SEC_E_INSUFFICIENT_MEMORY);
LIST(queue_new, SEC_E_OK, SEC_E_INVALID_PARAMETER, SEC_E_INSUFFICIENT_MEMORY,
     SEC_E_SHUTDOWN_IN_PROGRESS);
LIST(handle_or_parameter, SEC_E_OK, SEC_E_INVALID_HANDLE, SEC_E_INVALID_PARAMETER);
LIST(configure, SEC_E_OK, SEC_E_INVALID_PARAMETER, HRESULT_FROM_WIN32(ERROR_BUSY),
     SEC_E_INSUFFICIENT_MEMORY);
LIST(statistics, SEC_E_OK, SEC_E_INVALID_PARAMETER);
LIST(trace, SEC_E_OK, SEC_E_INSUFFICIENT_MEMORY);
LIST(shutdown_end, SEC_E_OK, TIMED_OUT, SEC_E_INVALID_PARAMETER);
LIST(reinit, STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_DEVICE_BUSY);
/* What any *Async function may answer when it is called ... */
LIST(queued, SEC_E_OK, SEC_E_INVALID_HANDLE, SEC_E_INVALID_PARAMETER, SEC_E_INSUFFICIENT_MEMORY,
     SEC_E_NOT_OWNER, SEC_E_SHUTDOWN_IN_PROGRESS);
/* ... and what a call may end with besides its own statuses. */
LIST(ended, CANCELLED, TIMED_OUT);

struct row {
    const char *function; /* the A and W forms share the row without the letter */
    const struct list *lists[2];
};

static const struct row rows[] = {
    {"AcceptSecurityContext", {&usual, &leg}},
    {"AcquireCredentialsHandle", {&usual, &acquire}},
    {"AddCredentials", {&usual, &acquire}},
    {"AddSecurityPackage", {&unsupported}},
    {"ApplyControlToken", {&usual, &control}},
    {"ChangeAccountPassword", {&password}},
    {"CompleteAuthToken", {&unsupported_or_handle}},
    {"DecryptMessage", {&usual, &decrypt}},
    {"DelegateSecurityContext", {&unsupported_or_handle}},
    {"DeleteSecurityContext", {&freeing}},
    {"DeleteSecurityPackage", {&unsupported}},
    {"EncryptMessage", {&usual, &encrypt}},
    {"EnumerateSecurityPackages", {&usual}},
    {"ExportSecurityContext", {&usual, &token}},
    {"FreeContextBuffer", {&freeing}},
    {"FreeCredentialsHandle", {&freeing}},
    {"ImpersonateSecurityContext", {&usual, &token}},
    {"ImportSecurityContext", {&usual, &import}},
    {"InitializeSecurityContext", {&usual, &leg}},
    {"MakeSignature", {&usual, &signature}},
    {"OsspiCancelAsyncCall", {&handle_or_parameter}},
    {"OsspiCloseCompletionQueue", {&handle_or_parameter}},
    {"OsspiConfigure", {&configure}},
    {"OsspiCreateCompletionQueue", {&queue_new}},
    {"OsspiGetCertificateChainAsync", {&chain}},
    {"OsspiGetErrorDetail", {&detail}},
    {"OsspiGetStatistics", {&statistics}},
    {"OsspiLoadCertificate", {&load}},
    {"OsspiRenewCredential", {&usual, &acquire}},
    {"OsspiSetAsyncTimeout", {&handle_or_parameter}},
    {"OsspiSetCompletionQueue", {&handle_or_parameter}},
    {"OsspiSetTrace", {&trace}},
    {"OsspiShutdown", {&shutdown_end}},
    {"QueryContextAttributes", {&usual, &attribute}},
    {"QueryContextAttributesEx", {&usual, &attribute}},
    {"QueryCredentialsAttributes", {&usual, &attribute_of_credential}},
    {"QueryCredentialsAttributesEx", {&usual, &attribute_of_credential}},
    {"QuerySecurityContextToken", {&usual, &token}},
    {"QuerySecurityPackageInfo", {&usual, &package}},
    {"RevertSecurityContext", {&usual, &token}},
    {"SecLookupAccount", {&unsupported}},
    {"SetContextAttributes", {&usual, &setting}},
    {"SetCredentialsAttributes", {&usual, &attribute}},
    {"SslGetExtensions", {&hello}},
    {"SslGetServerIdentity", {&hello}},
    {"SspiCompareAuthIdentities", {&identity}},
    {"SspiCopyAuthIdentity", {&identity}},
    {"SspiEncodeAuthIdentityAsStrings", {&identity}},
    {"SspiEncodeStringsAsAuthIdentity", {&identity}},
    {"SspiExcludePackage", {&identity}},
    {"SspiGetTargetHostName", {&identity}},
    {"SspiMarshalAuthIdentity", {&identity}},
    {"SspiReinitAsyncContext", {&reinit}},
    {"SspiSetAsyncNotifyCallback", {&handle_or_parameter}},
    {"SspiUnmarshalAuthIdentity", {&identity}},
    {"SspiValidateAuthIdentity", {&identity}},
    {"Sspi...Async", {&queued}},
    {"VerifySignature", {&usual, &signature}},
};

static bool in_list(const struct list *list, SECURITY_STATUS status)
{
    for (size_t i = 0; list && i < list->count; i++) {
        if (list->items[i] == status)
            return true;
    }
    return false;
}

/* The name up to an A or W at its end, where the table has it without. */
static const struct row *find_row(const char *function)
{
    size_t len = strlen(function);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t row_len = strlen(rows[i].function);
        bool lettered =
            len == row_len + 1 && (function[row_len] == 'A' || function[row_len] == 'W');

        if ((len == row_len || lettered) && memcmp(rows[i].function, function, row_len) == 0)
            return &rows[i];
    }
    return NULL;
}

bool contract_allows(const char *function, SECURITY_STATUS status)
{
    const struct row *row = find_row(function);

    return row && (in_list(row->lists[0], status) || in_list(row->lists[1], status));
}

static void refuse(const char *function, SECURITY_STATUS status)
{
    const char *name = OsspiStatusName(status);

    fprintf(stderr, "%s answered %s (0x%08X), which it does not document\n", function,
            name ? name : "a status without a name", (unsigned)status);
    test_fail(__FILE__, __LINE__, function);
}

void contract_require(const char *function, SECURITY_STATUS status)
{
    if (!contract_allows(function, status))
        refuse(function, status);
}

void contract_require_call(const char *function, SECURITY_STATUS status)
{
    if (!in_list(&ended, status) && !contract_allows(function, status))
        refuse(function, status);
}
