/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: bad arguments other than handles. Every exported function with NULL wherever it may
 * stand, wrong versions, absurd counts and lengths without a buffer: the status of the table, and
 * never a crash. What no package implements says SEC_E_UNSUPPORTED_FUNCTION.
 */
#define SECURITY_WIN32 /* for SASL */

#include <opensspi.h>
#include <string.h>

#include "support/tls_peer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct peer_pair pair; /* connected */
#define CONTEXT    (&pair.client.context)
#define CREDENTIAL (&pair.client.credential)

static LPSTR name_a = (LPSTR) "Schannel", unknown_a = (LPSTR) "no such package";
static WCHAR name_w[] = {'S', 'c', 'h', 'a', 'n', 'n', 'e', 'l', 0};
static WCHAR unknown_w[] = {'n', 'o', 0};
static PSecPkgInfoA info_a;
static PSecPkgInfoW info_w;
static ULONG count;
static CredHandle handle;
static char text[64];

struct row {
    const char *what;
    SECURITY_STATUS (*call)(void);
    SECURITY_STATUS expected;
};

#define CALL(name, call) \
    static SECURITY_STATUS name(void) \
    { \
        return call; \
    }
#define ROW(name, status) \
    { \
#name, name, status \
    }

/* ---- packages ---- */

CALL(enumerate_a_no_count, EnumerateSecurityPackagesA(NULL, &info_a))
CALL(enumerate_a_no_info, EnumerateSecurityPackagesA(&count, NULL))
CALL(enumerate_w_nothing, EnumerateSecurityPackagesW(NULL, NULL))
CALL(package_a_no_name, QuerySecurityPackageInfoA(NULL, &info_a))
CALL(package_a_no_info, QuerySecurityPackageInfoA(name_a, NULL))
CALL(package_a_unknown, QuerySecurityPackageInfoA(unknown_a, &info_a))
CALL(package_w_no_name, QuerySecurityPackageInfoW(NULL, &info_w))
CALL(package_w_no_info, QuerySecurityPackageInfoW(name_w, NULL))
CALL(package_w_unknown, QuerySecurityPackageInfoW(unknown_w, &info_w))
CALL(add_package_a, AddSecurityPackageA(NULL, NULL))
CALL(add_package_w, AddSecurityPackageW(NULL, NULL))
CALL(delete_package_a, DeleteSecurityPackageA(NULL))
CALL(delete_package_w, DeleteSecurityPackageW(NULL))
CALL(import_a_nothing, ImportSecurityContextA(NULL, NULL, NULL, NULL))
CALL(import_w_nothing, ImportSecurityContextW(NULL, NULL, NULL, NULL))
CALL(import_a_known, ImportSecurityContextA(name_a, NULL, NULL, NULL))

/* ---- credentials ---- */

CALL(acquire_a_nothing,
     AcquireCredentialsHandleA(NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL))
CALL(acquire_w_nothing,
     AcquireCredentialsHandleW(NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL))
CALL(acquire_a_unknown, AcquireCredentialsHandleA(NULL, unknown_a, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                                  NULL, NULL, &handle, NULL))
CALL(acquire_a_no_handle, AcquireCredentialsHandleA(NULL, name_a, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                                    NULL, NULL, NULL, NULL))
CALL(cred_query_no_buffer,
     QueryCredentialsAttributesA(CREDENTIAL, SECPKG_ATTR_SUPPORTED_PROTOCOLS, NULL))
CALL(cred_query_w_no_buffer,
     QueryCredentialsAttributesW(CREDENTIAL, SECPKG_ATTR_SUPPORTED_PROTOCOLS, NULL))
CALL(cred_query_ex_no_buffer,
     QueryCredentialsAttributesExA(CREDENTIAL, SECPKG_ATTR_SUPPORTED_PROTOCOLS, NULL, 4))
CALL(cred_query_ex_small,
     QueryCredentialsAttributesExA(CREDENTIAL, SECPKG_ATTR_SUPPORTED_PROTOCOLS, text, 3))
CALL(cred_query_ex_zero,
     QueryCredentialsAttributesExW(CREDENTIAL, SECPKG_ATTR_SUPPORTED_PROTOCOLS, text, 0))
CALL(cred_query_unknown, QueryCredentialsAttributesA(CREDENTIAL, 0x7777, text))
CALL(cred_names, QueryCredentialsAttributesA(CREDENTIAL, SECPKG_CRED_ATTR_NAMES, text))
CALL(cred_names_w, QueryCredentialsAttributesW(CREDENTIAL, SECPKG_CRED_ATTR_NAMES, text))
CALL(add_credentials_a, AddCredentialsA(CREDENTIAL, NULL, NULL, 0, NULL, NULL, NULL, NULL))
CALL(add_credentials_w, AddCredentialsW(CREDENTIAL, NULL, NULL, 0, NULL, NULL, NULL, NULL))
CALL(renew_nothing, OsspiRenewCredential(CREDENTIAL, NULL, 1, NULL))
CALL(renew_no_handle, OsspiRenewCredential(NULL, NULL, 0, NULL))
CALL(password_a, ChangeAccountPasswordA(NULL, NULL, NULL, NULL, NULL, FALSE, 0, NULL))
CALL(password_w, ChangeAccountPasswordW(NULL, NULL, NULL, NULL, NULL, FALSE, 0, NULL))

/* ---- contexts ---- */

CALL(query_no_buffer, QueryContextAttributesA(CONTEXT, SECPKG_ATTR_SIZES, NULL))
CALL(query_w_no_buffer, QueryContextAttributesW(CONTEXT, SECPKG_ATTR_SIZES, NULL))
CALL(query_ex_no_buffer, QueryContextAttributesExA(CONTEXT, SECPKG_ATTR_SIZES, NULL, 16))
CALL(query_ex_small, QueryContextAttributesExA(CONTEXT, SECPKG_ATTR_SIZES, text, 15))
CALL(query_ex_w_zero, QueryContextAttributesExW(CONTEXT, SECPKG_ATTR_SIZES, text, 0))
CALL(query_ex_large, QueryContextAttributesExA(CONTEXT, SECPKG_ATTR_SIZES, text, 17))
CALL(query_unknown, QueryContextAttributesA(CONTEXT, 0x7777, text))
CALL(set_no_buffer, SetContextAttributesA(CONTEXT, SECPKG_ATTR_APP_DATA, NULL, 16))
CALL(set_unknown, SetContextAttributesW(CONTEXT, 0x7777, text, 16))
CALL(seal_nothing, EncryptMessage(CONTEXT, 0, NULL, 0))
CALL(unseal_nothing, DecryptMessage(CONTEXT, NULL, 0, NULL))
CALL(sign, MakeSignature(CONTEXT, 0, NULL, 0))
CALL(verify, VerifySignature(CONTEXT, NULL, 0, NULL))
CALL(complete, CompleteAuthToken(CONTEXT, NULL))
CALL(control_nothing, ApplyControlToken(CONTEXT, NULL))
CALL(impersonate, ImpersonateSecurityContext(CONTEXT))
CALL(revert, RevertSecurityContext(CONTEXT))
CALL(export_nothing, ExportSecurityContext(CONTEXT, 0, NULL, NULL))
CALL(delegate, DelegateSecurityContext(CONTEXT, NULL, SecFull, NULL, NULL, NULL))
CALL(free_nothing, FreeContextBuffer(NULL))
CALL(isc_nothing,
     InitializeSecurityContextA(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, NULL, NULL))
CALL(isc_w_nothing,
     InitializeSecurityContextW(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, NULL, NULL))
CALL(asc_nothing, AcceptSecurityContext(NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL))

/* ---- identities, and SASL, which is nobody's yet ---- */

CALL(encode, SspiEncodeStringsAsAuthIdentity(NULL, NULL, NULL, NULL))
CALL(decode, SspiEncodeAuthIdentityAsStrings(NULL, NULL, NULL, NULL))
CALL(copy, SspiCopyAuthIdentity(NULL, NULL))
CALL(compare, SspiCompareAuthIdentities(NULL, NULL, NULL, NULL))
CALL(marshal, SspiMarshalAuthIdentity(NULL, NULL, NULL))
CALL(unmarshal, SspiUnmarshalAuthIdentity(UINT32_MAX, NULL, NULL))
CALL(encrypt, SspiEncryptAuthIdentity(NULL))
CALL(decrypt, SspiDecryptAuthIdentity(NULL))
CALL(exclude, SspiExcludePackage(NULL, NULL, NULL))
CALL(host_name, SspiGetTargetHostName(NULL, NULL))
CALL(sasl_profiles, SaslEnumerateProfilesA(NULL, NULL))
CALL(sasl_package, SaslGetProfilePackageW(NULL, NULL))
CALL(sasl_identify, SaslIdentifyPackageA(NULL, NULL))
CALL(sasl_get, SaslGetContextOption(CONTEXT, 0, NULL, 0, NULL))
CALL(sasl_set, SaslSetContextOption(CONTEXT, 0, NULL, 0))

/* ---- extensions ---- */

CALL(detail_no_buffer, OsspiGetErrorDetail(CONTEXT, NULL, 64))
CALL(detail_no_size, OsspiGetErrorDetail(CONTEXT, text, 0))
CALL(detail_one_byte, OsspiGetErrorDetail(CONTEXT, text, 1))
CALL(load_nothing, OsspiLoadCertificate(NULL, NULL, NULL, NULL))
CALL(configure_nothing, OsspiConfigure(NULL))
CALL(statistics_nothing, OsspiGetStatistics(NULL))
CALL(queue_nothing, OsspiCreateCompletionQueue(NULL))
CALL(close_nothing, OsspiCloseCompletionQueue(NULL))
CALL(wait_nothing, OsspiWaitAsyncCall(NULL, 0))
CALL(cancel_nothing, OsspiCancelAsyncCall(NULL))
CALL(timeout_nothing, OsspiSetAsyncTimeout(NULL, 1))
CALL(async_status_nothing, SspiGetAsyncCallStatus(NULL))
CALL(notify_nothing, SspiSetAsyncNotifyCallback(NULL, NULL, NULL))

/* ---- no async context ---- */

CALL(acquire_async, SspiAcquireCredentialsHandleAsyncA(NULL, NULL, name_a, SECPKG_CRED_OUTBOUND,
                                                       NULL, NULL, NULL, NULL, &handle, NULL))
CALL(acquire_async_w, SspiAcquireCredentialsHandleAsyncW(NULL, NULL, name_w, SECPKG_CRED_OUTBOUND,
                                                         NULL, NULL, NULL, NULL, &handle, NULL))
CALL(isc_async, SspiInitializeSecurityContextAsyncA(NULL, NULL, CONTEXT, NULL, 0, 0, 0, NULL, 0,
                                                    NULL, NULL, NULL, NULL))
CALL(isc_async_w, SspiInitializeSecurityContextAsyncW(NULL, NULL, CONTEXT, NULL, 0, 0, 0, NULL, 0,
                                                      NULL, NULL, NULL, NULL))
CALL(asc_async,
     SspiAcceptSecurityContextAsync(NULL, NULL, CONTEXT, NULL, 0, 0, NULL, NULL, NULL, NULL))
CALL(delete_async, SspiDeleteSecurityContextAsync(NULL, CONTEXT))
CALL(free_async, SspiFreeCredentialsHandleAsync(NULL, CREDENTIAL))

static const struct row rows[] = {
    ROW(enumerate_a_no_count, SEC_E_INVALID_PARAMETER),
    ROW(enumerate_a_no_info, SEC_E_INVALID_PARAMETER),
    ROW(enumerate_w_nothing, SEC_E_INVALID_PARAMETER),
    ROW(package_a_no_name, SEC_E_SECPKG_NOT_FOUND),
    ROW(package_a_no_info, SEC_E_INVALID_PARAMETER),
    ROW(package_a_unknown, SEC_E_SECPKG_NOT_FOUND),
    ROW(package_w_no_name, SEC_E_SECPKG_NOT_FOUND),
    ROW(package_w_no_info, SEC_E_INVALID_PARAMETER),
    ROW(package_w_unknown, SEC_E_SECPKG_NOT_FOUND),
    ROW(add_package_a, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(add_package_w, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(delete_package_a, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(delete_package_w, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(import_a_nothing, SEC_E_SECPKG_NOT_FOUND),
    ROW(import_w_nothing, SEC_E_SECPKG_NOT_FOUND),
    ROW(import_a_known, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(acquire_a_nothing, SEC_E_SECPKG_NOT_FOUND),
    ROW(acquire_w_nothing, SEC_E_SECPKG_NOT_FOUND),
    ROW(acquire_a_unknown, SEC_E_SECPKG_NOT_FOUND),
    ROW(acquire_a_no_handle, SEC_E_INVALID_PARAMETER),
    ROW(cred_query_no_buffer, SEC_E_INTERNAL_ERROR),
    ROW(cred_query_w_no_buffer, SEC_E_INTERNAL_ERROR),
    ROW(cred_query_ex_no_buffer, SEC_E_INTERNAL_ERROR),
    ROW(cred_query_ex_small, SEC_E_BUFFER_TOO_SMALL),
    ROW(cred_query_ex_zero, SEC_E_BUFFER_TOO_SMALL),
    ROW(cred_query_unknown, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(cred_names, SEC_E_NO_CREDENTIALS),
    ROW(cred_names_w, SEC_E_NO_CREDENTIALS),
    ROW(add_credentials_a, SEC_E_NO_CREDENTIALS),
    ROW(add_credentials_w, SEC_E_NO_CREDENTIALS),
    ROW(renew_nothing, SEC_E_INVALID_PARAMETER),
    ROW(renew_no_handle, SEC_E_INVALID_HANDLE),
    ROW(password_a, SEC_E_SECPKG_NOT_FOUND),
    ROW(password_w, SEC_E_SECPKG_NOT_FOUND),
    ROW(query_no_buffer, SEC_E_INVALID_PARAMETER),
    ROW(query_w_no_buffer, SEC_E_INVALID_PARAMETER),
    ROW(query_ex_no_buffer, SEC_E_INVALID_PARAMETER),
    ROW(query_ex_small, SEC_E_BUFFER_TOO_SMALL),
    ROW(query_ex_w_zero, SEC_E_BUFFER_TOO_SMALL),
    ROW(query_ex_large, SEC_E_INVALID_PARAMETER),
    ROW(query_unknown, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(set_no_buffer, SEC_E_INVALID_PARAMETER),
    ROW(set_unknown, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(seal_nothing, SEC_E_INVALID_TOKEN),
    ROW(unseal_nothing, SEC_E_INVALID_TOKEN),
    ROW(sign, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(verify, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(complete, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(control_nothing, SEC_E_INTERNAL_ERROR),
    ROW(impersonate, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(revert, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(export_nothing, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(delegate, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(free_nothing, SEC_E_OK),
    ROW(isc_nothing, SEC_E_INVALID_HANDLE),
    ROW(isc_w_nothing, SEC_E_INVALID_HANDLE),
    ROW(asc_nothing, SEC_E_INVALID_HANDLE),
    ROW(encode, SEC_E_INVALID_PARAMETER),
    ROW(decode, SEC_E_INVALID_PARAMETER),
    ROW(copy, SEC_E_INVALID_PARAMETER),
    ROW(compare, SEC_E_OK),
    ROW(marshal, SEC_E_INVALID_PARAMETER),
    ROW(unmarshal, SEC_E_INVALID_PARAMETER),
    ROW(encrypt, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(decrypt, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(exclude, SEC_E_INVALID_PARAMETER),
    ROW(host_name, SEC_E_INVALID_PARAMETER),
    ROW(sasl_profiles, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(sasl_package, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(sasl_identify, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(sasl_get, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(sasl_set, SEC_E_UNSUPPORTED_FUNCTION),
    ROW(detail_no_buffer, SEC_E_INVALID_PARAMETER),
    ROW(detail_no_size, SEC_E_INVALID_PARAMETER),
    ROW(detail_one_byte, SEC_E_OK),
    ROW(load_nothing, SEC_E_INVALID_PARAMETER),
    ROW(configure_nothing, SEC_E_INVALID_PARAMETER),
    ROW(statistics_nothing, SEC_E_INVALID_PARAMETER),
    ROW(queue_nothing, SEC_E_INVALID_PARAMETER),
    ROW(close_nothing, SEC_E_INVALID_HANDLE),
    ROW(wait_nothing, SEC_E_INVALID_HANDLE),
    ROW(cancel_nothing, SEC_E_INVALID_HANDLE),
    ROW(timeout_nothing, SEC_E_INVALID_HANDLE),
    ROW(async_status_nothing, SEC_E_INVALID_HANDLE),
    ROW(notify_nothing, SEC_E_INVALID_HANDLE),
    ROW(acquire_async, SEC_E_INVALID_HANDLE),
    ROW(acquire_async_w, SEC_E_INVALID_HANDLE),
    ROW(isc_async, SEC_E_INVALID_HANDLE),
    ROW(isc_async_w, SEC_E_INVALID_HANDLE),
    ROW(asc_async, SEC_E_INVALID_HANDLE),
    ROW(delete_async, SEC_E_INVALID_HANDLE),
    ROW(free_async, SEC_E_INVALID_HANDLE),
};

static void every_call_without_its_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        SECURITY_STATUS status = rows[i].call();

        if (status != rows[i].expected)
            print_error("%s: %s\n", rows[i].what, OsspiStatusName(status));
        assert_int_equal(status, rows[i].expected);
    }
    peer_exchange(&pair);
}

/* ---- functions that return no status ---- */

static void functions_without_a_status(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_A identity = {.PasswordLength = 100, .Flags = 1};
    SEC_WINNT_AUTH_IDENTITY_EXW wide = {.Version = 0x200, .PasswordLength = 100, .Flags = 2};

    (void)state;
    SspiFreeAsyncContext(NULL);
    assert_false(SspiAsyncContextRequiresNotify(NULL));
    assert_int_equal(SspiReinitAsyncContext(NULL), (NTSTATUS)0xC000000D);
    SspiFreeAuthIdentity(NULL);
    SspiZeroAuthIdentity(NULL);
    SspiLocalFree(NULL);
    SspiZeroAuthIdentity(&identity); /* a length without a password */
    SspiZeroAuthIdentity(&wide);
    assert_false(SspiIsAuthIdentityEncrypted(NULL));
    assert_int_equal(OsspiDrainCompletions(NULL, 0), 0);
    assert_int_equal(OsspiCompletionQueueFd(NULL), -1);
    SslFreeCertificate(NULL);
    SslGenerateRandomBits(NULL, 100);
    SslGenerateRandomBits((PUCHAR)text, -1);
    assert_true(SslEmptyCacheA(NULL, 0));
    assert_non_null(OsspiStatusText((SECURITY_STATUS)0x12345678));
    assert_null(OsspiStatusName((SECURITY_STATUS)0x12345678));
    assert_int_not_equal(FreeContextBuffer(text + 1), SEC_E_OK);
}

/* Both tables are complete, and their reserved slots can be called. */
static void tables_have_no_empty_slot(void **state)
{
    void *const *slots_a = (void *const *)InitSecurityInterfaceA();
    void *const *slots_w = (void *const *)InitSecurityInterfaceW();
    size_t slots = sizeof(SecurityFunctionTableA) / sizeof(void *);

    (void)state;
    assert_int_equal(InitSecurityInterfaceA()->dwVersion,
                     SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION_5);
    assert_int_equal(InitSecurityInterfaceW()->dwVersion,
                     SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION_5);
    for (size_t i = 1; i < slots; i++) {
        assert_non_null(slots_a[i]);
        assert_non_null(slots_w[i]);
    }
}

static int set_up(void **state)
{
    (void)state;
    test_watchdog(60);
    peer_trust("ca");
    peer_open(&pair, PEER_SYNC, NULL);
    peer_connect(&pair);
    peer_exchange(&pair);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    peer_close(&pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_without_its_arguments),
        cmocka_unit_test(functions_without_a_status),
        cmocka_unit_test(tables_have_no_empty_slot),
    };

    return cmocka_run_group_tests_name("contract.nulls", tests, set_up, tear_down);
}
