/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: what programs of the kernel's mode are bound to, whose strings are counted; and the
 * functions that only they see. See random.h, which the other mode's types keep out of here but for
 * the table.
 */
#define SECURITY_KERNEL

#include <sspi.h>

#include "random/random_kernel.h"
#include "support/contract_status.h"

static UNICODE_STRING counted(const WCHAR *string)
{
    USHORT units = 0;

    while (string[units])
        units++;
    return (UNICODE_STRING){.Length = (USHORT)(units * sizeof(WCHAR)),
                            .MaximumLength = (USHORT)(units * sizeof(WCHAR)),
                            .Buffer = (PWSTR)(uintptr_t)string};
}

static UNICODE_STRING package(struct random_thread *thread)
{
    return counted(random_kernel_below(thread, 10) ? u"Schannel" : u"other");
}

static void call_acquire(struct random_thread *thread)
{
    UNICODE_STRING name = package(thread);
    CredHandle made;
    SECURITY_STATUS status = AcquireCredentialsHandleW(
        NULL, (PSECURITY_STRING)&name, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL, &made, NULL);

    contract_require("AcquireCredentialsHandleW", status);
    if (status == SEC_E_OK)
        random_kernel_credential_made(thread, made);
}

static void call_initialize(struct random_thread *thread)
{
    UNICODE_STRING target = counted(u"server.test");
    CredHandle credential;
    PCredHandle given = random_kernel_credential(thread, &credential);
    SecBuffer buffer = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};
    CtxtHandle made;
    ULONG attributes;
    SECURITY_STATUS status =
        InitializeSecurityContextW(given, NULL, (PSECURITY_STRING)&target, ISC_REQ_ALLOCATE_MEMORY,
                                   0, 0, NULL, 0, &made, &out, &attributes, NULL);

    contract_require("InitializeSecurityContextW", status);
    if (status >= 0) {
        TEST_REQUIRE_EQUAL(FreeContextBuffer(buffer.pvBuffer), SEC_E_OK);
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&made), SEC_E_OK);
    }
}

/* Without a context of its own: nothing may be written once it has refused. */
static void call_acquire_async(struct random_thread *thread)
{
    UNICODE_STRING name = package(thread);
    CredHandle made;

    TEST_REQUIRE_EQUAL(SspiAcquireCredentialsHandleAsyncW(NULL, NULL, (PSECURITY_STRING)&name,
                                                          SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                                          NULL, &made, NULL),
                       SEC_E_INVALID_HANDLE);
}

/* With one, and awaited here. */
static void call_initialize_async(struct random_thread *thread)
{
    SspiAsyncContext *async = SspiCreateAsyncContext();
    UNICODE_STRING target = counted(u"server.test");
    CredHandle credential;
    PCredHandle given = random_kernel_credential(thread, &credential);
    SecBuffer buffer = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};
    CtxtHandle made;
    ULONG attributes;
    SECURITY_STATUS status;

    TEST_REQUIRE(async);
    status = SspiInitializeSecurityContextAsyncW(async, given, NULL, (PSECURITY_STRING)&target,
                                                 ISC_REQ_ALLOCATE_MEMORY, 0, 0, NULL, 0, &made,
                                                 &out, &attributes, NULL);
    contract_require("Sspi...Async", status);
    if (status == SEC_E_OK) {
        status = random_kernel_wait(async);
        contract_require_call("InitializeSecurityContextW", status);
        if (status >= 0) {
            TEST_REQUIRE_EQUAL(FreeContextBuffer(buffer.pvBuffer), SEC_E_OK);
            TEST_REQUIRE_EQUAL(DeleteSecurityContext(&made), SEC_E_OK);
        }
    }
    SspiFreeAsyncContext(async);
}

static void call_add(struct random_thread *thread)
{
    CredHandle credential;

    contract_require("AddCredentialsW",
                     AddCredentialsW(random_kernel_credential(thread, &credential), NULL, NULL, 0,
                                     NULL, NULL, NULL, NULL));
}

static void call_package(struct random_thread *thread)
{
    UNICODE_STRING name = package(thread);
    PSecPkgInfoW info = NULL;

    contract_require("QuerySecurityPackageInfoW",
                     QuerySecurityPackageInfoW((PSECURITY_STRING)&name, &info));
    TEST_REQUIRE_EQUAL(FreeContextBuffer(info), SEC_E_OK);
}

static void call_import(struct random_thread *thread)
{
    UNICODE_STRING name = package(thread);
    SecBuffer packed = {0, SECBUFFER_EMPTY, NULL};
    CtxtHandle made;

    contract_require("ImportSecurityContextW",
                     ImportSecurityContextW((PSECURITY_STRING)&name, &packed, NULL, &made));
}

static void call_delegate(struct random_thread *thread)
{
    CtxtHandle none = {0};

    (void)thread;
    TEST_REQUIRE_EQUAL(DelegateSecurityContext(&none, NULL, SecFull, NULL, NULL, NULL),
                       SEC_E_INVALID_HANDLE);
}

static void call_interface(struct random_thread *thread)
{
    PSecurityFunctionTableW table = InitSecurityInterfaceW();

    (void)thread;
    TEST_REQUIRE(table && table->AcquireCredentialsHandleW == AcquireCredentialsHandleW);
}

static void call_spn(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE_EQUAL(SecMakeSPN(NULL, NULL, NULL, 0, NULL, NULL, NULL, FALSE),
                       SEC_E_UNSUPPORTED_FUNCTION);
}

static void call_spn_ex(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE_EQUAL(SecMakeSPNEx(NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, FALSE),
                       SEC_E_UNSUPPORTED_FUNCTION);
}

static void call_spn_ex2(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE_EQUAL(SecMakeSPNEx2(NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, FALSE, FALSE),
                       SEC_E_UNSUPPORTED_FUNCTION);
}

static void call_account_sid(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE_EQUAL(SecLookupAccountSid(NULL, NULL, NULL, NULL, NULL, NULL),
                       SEC_E_UNSUPPORTED_FUNCTION);
}

static void call_account_name(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE_EQUAL(SecLookupAccountName(NULL, NULL, NULL, NULL, NULL, NULL),
                       SEC_E_UNSUPPORTED_FUNCTION);
}

static void call_known_sid(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE_EQUAL(SecLookupWellKnownSid(0, NULL, 0, NULL), SEC_E_UNSUPPORTED_FUNCTION);
}

static const struct random_row rows[] = {
    {"osspi_kernel_AcquireCredentialsHandleW", call_acquire, 2},
    {"osspi_kernel_InitializeSecurityContextW", call_initialize, 4},
    {"osspi_kernel_SspiAcquireCredentialsHandleAsyncW", call_acquire_async, 1},
    {"osspi_kernel_SspiInitializeSecurityContextAsyncW", call_initialize_async, 4},
    {"osspi_kernel_AddCredentialsW", call_add, 1},
    {"osspi_kernel_QuerySecurityPackageInfoW", call_package, 1},
    {"osspi_kernel_ImportSecurityContextW", call_import, 1},
    {"osspi_kernel_DelegateSecurityContext", call_delegate, 1},
    {"osspi_kernel_InitSecurityInterfaceW", call_interface, 1},
    {"SecMakeSPN", call_spn, 1},
    {"SecMakeSPNEx", call_spn_ex, 1},
    {"SecMakeSPNEx2", call_spn_ex2, 1},
    {"SecLookupAccountSid", call_account_sid, 1},
    {"SecLookupAccountName", call_account_name, 1},
    {"SecLookupWellKnownSid", call_known_sid, 1},
};
RANDOM_ROWS(random_kernel_rows, rows);
