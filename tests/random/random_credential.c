/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: credentials, packages and the function tables; see random.h.
 */
#include <opensspi.h>
#include <string.h>

#include "random/random.h"
#include "random/random_auth.h"
#include "support/contract_status.h"

void random_credential_made(struct random_thread *thread, SecHandle made)
{
    SecHandle left;

    if (random_put(thread, RANDOM_CREDENTIALS, made, &left))
        random_free_credential(left);
}

static const char *const packages[] = {UNISP_NAME_A, "Schannel", "Default TLS SSP",
                                       "Kerberos",   "",         "no such package"};
static const WCHAR *const wide_packages[] = {u"Microsoft Unified Security Protocol Provider",
                                             u"Schannel", u"SCHANNEL", u"nothing", u"\xD800"};

const char *random_package(struct random_thread *thread)
{
    return random_chance(thread, 90) ? UNISP_NAME_A : RANDOM_OF(thread, packages);
}

const WCHAR *random_wide_package(struct random_thread *thread)
{
    return random_chance(thread, 90) ? wide_packages[0] : RANDOM_OF(thread, wide_packages);
}

ULONG random_use(struct random_thread *thread)
{
    return random_chance(thread, 90) ? 1 + random_below(thread, 2) : random_below(thread, 40);
}

void *random_auth(struct random_thread *thread, struct random_auth *auth)
{
    static const DWORD masks[] = {0, SP_PROT_TLS1_2, SP_PROT_TLS1_3, SP_PROT_TLS1_3_CLIENT,
                                  1, 0xFFFFFFFF};
    static const DWORD flags[] = {0, SCH_CRED_MANUAL_CRED_VALIDATION, SCH_CRED_DISABLE_RECONNECTS,
                                  SCH_CRED_NO_SERVERNAME_CHECK, 0xFFFFFFFF};
    struct random_handle store = random_pick(thread, RANDOM_STORES);

    auth->certificate = RANDOM_OF(thread, random_world.certificates);
    auth->cred = (SCHANNEL_CRED){
        .dwVersion = random_chance(thread, 95) ? SCHANNEL_CRED_VERSION : random_below(thread, 4),
        .cCreds = random_below(thread, 2),
        .paCred = &auth->certificate,
        .hRootStore = random_chance(thread, 30) ? (HCERTSTORE)store.value.dwLower : NULL,
        .grbitEnabledProtocols = RANDOM_OF(thread, masks),
        .dwFlags = RANDOM_OF(thread, flags),
    };
    return random_chance(thread, 90) ? &auth->cred : NULL;
}

static void acquired(struct random_thread *thread, SECURITY_STATUS status, SecHandle made)
{
    contract_require("AcquireCredentialsHandleA", status);
    if (status == SEC_E_OK)
        random_credential_made(thread, made);
}

static void call_acquire_a(struct random_thread *thread)
{
    struct random_auth auth;
    CredHandle made;

    acquired(thread,
             AcquireCredentialsHandleA(NULL, (LPSTR)random_package(thread), random_use(thread),
                                       NULL, random_auth(thread, &auth), NULL, NULL, &made, NULL),
             made);
}

static void call_acquire_w(struct random_thread *thread)
{
    struct random_auth auth;
    CredHandle made;
    TimeStamp expiry;

    acquired(thread,
             AcquireCredentialsHandleW(NULL, (LPWSTR)random_wide_package(thread),
                                       random_use(thread), NULL, random_auth(thread, &auth), NULL,
                                       NULL, &made, &expiry),
             made);
}

static void call_free(struct random_thread *thread)
{
    struct random_handle credential = random_take(thread, RANDOM_CREDENTIALS);

    contract_require("FreeCredentialsHandle", FreeCredentialsHandle(random_arg(&credential)));
}

static void call_add_a(struct random_thread *thread)
{
    struct random_handle credential = random_pick(thread, RANDOM_CREDENTIALS);
    const char *names[] = {NULL, "", "a.example", "b.example", "no name", "server.test"};
    struct random_auth auth;

    contract_require("AddCredentialsA",
                     AddCredentialsA(random_arg(&credential), (LPSTR)RANDOM_OF(thread, names),
                                     (LPSTR)random_package(thread), random_use(thread), NULL,
                                     random_auth(thread, &auth), NULL, NULL));
}

static void call_add_w(struct random_thread *thread)
{
    struct random_handle credential = random_pick(thread, RANDOM_CREDENTIALS);
    struct random_auth auth;
    TimeStamp expiry;

    contract_require("AddCredentialsW",
                     AddCredentialsW(random_arg(&credential), NULL, NULL, random_use(thread),
                                     random_auth(thread, &auth), NULL, NULL, &expiry));
}

static void call_renew(struct random_thread *thread)
{
    struct random_handle credential = random_pick(thread, RANDOM_CREDENTIALS);
    PCCERT_CONTEXT certificates[] = {RANDOM_OF(thread, random_world.certificates),
                                     RANDOM_OF(thread, random_world.certificates)};

    contract_require(
        "OsspiRenewCredential",
        OsspiRenewCredential(random_arg(&credential), certificates, random_below(thread, 3), NULL));
}

/* ---- attributes ---- */

/* Of every attribute that there is, and many that are not; a union of all is 600 bytes. */
static ULONG attribute(struct random_thread *thread)
{
    static const ULONG known[] = {
        SECPKG_CRED_ATTR_NAMES,          SECPKG_CRED_ATTR_CERT,
        SECPKG_ATTR_SUPPORTED_ALGS,      SECPKG_ATTR_CIPHER_STRENGTHS,
        SECPKG_ATTR_SUPPORTED_PROTOCOLS, SECPKG_ATTR_SESSION_TICKET_KEYS,
        SECPKG_ATTR_CLIENT_CERT_POLICY,  OSSPI_CRED_ATTR_TLS_OPTIONS,
        OSSPI_CRED_ATTR_CREDSSP_OPTIONS,
    };

    return random_chance(thread, 70) ? RANDOM_OF(thread, known) : random_below(thread, 0x90);
}

static void query(struct random_thread *thread, bool wide, bool sized)
{
    struct random_handle credential = random_pick(thread, RANDOM_CREDENTIALS);
    union {
        SecPkgCred_SupportedAlgs algorithms;
        SecPkgCredentials_NamesA names;
        SecPkgCredentials_Cert certificate;
        uint64_t room[75];
    } answer = {.room = {0}};
    ULONG which = attribute(thread), size = 8u << random_below(thread, 4);
    void *room = random_chance(thread, 95) ? &answer : NULL;
    SECURITY_STATUS status;

    if (sized)
        status = wide ? QueryCredentialsAttributesExW(random_arg(&credential), which, room, size)
                      : QueryCredentialsAttributesExA(random_arg(&credential), which, room, size);
    else
        status = wide ? QueryCredentialsAttributesW(random_arg(&credential), which, room)
                      : QueryCredentialsAttributesA(random_arg(&credential), which, room);
    contract_require("QueryCredentialsAttributesA", status);
    if (status == SEC_E_OK && which == SECPKG_ATTR_SUPPORTED_ALGS)
        FreeContextBuffer(answer.algorithms.palgSupportedAlgs);
    if (status == SEC_E_OK && which == SECPKG_CRED_ATTR_NAMES)
        FreeContextBuffer(answer.names.sUserName);
    if (status == SEC_E_OK && which == SECPKG_CRED_ATTR_CERT)
        FreeContextBuffer(answer.certificate.EncodedCert);
}

static void call_query_a(struct random_thread *thread)
{
    query(thread, false, false);
}

static void call_query_w(struct random_thread *thread)
{
    query(thread, true, false);
}

static void call_query_ex_a(struct random_thread *thread)
{
    query(thread, false, true);
}

static void call_query_ex_w(struct random_thread *thread)
{
    query(thread, true, true);
}

static void set(struct random_thread *thread, bool wide)
{
    struct random_handle credential = random_pick(thread, RANDOM_CREDENTIALS);
    uint64_t value[75] = {0}; /* pointers in it are NULL */
    ULONG size = random_below(thread, sizeof(value));

    if (wide)
        contract_require(
            "SetCredentialsAttributesW",
            SetCredentialsAttributesW(random_arg(&credential), attribute(thread), value, size));
    else
        contract_require(
            "SetCredentialsAttributesA",
            SetCredentialsAttributesA(random_arg(&credential), attribute(thread), value, size));
}

static void call_set_a(struct random_thread *thread)
{
    set(thread, false);
}

static void call_set_w(struct random_thread *thread)
{
    set(thread, true);
}

/* ---- packages and tables ---- */

static void call_enumerate_a(struct random_thread *thread)
{
    PSecPkgInfoA info = NULL;
    ULONG count = 0;

    (void)thread;
    TEST_REQUIRE_EQUAL(EnumerateSecurityPackagesA(&count, &info), SEC_E_OK);
    TEST_REQUIRE(count > 0 && info[0].Name[0] != '\0');
    TEST_REQUIRE_EQUAL(FreeContextBuffer(info), SEC_E_OK);
}

static void call_enumerate_w(struct random_thread *thread)
{
    PSecPkgInfoW info = NULL;
    ULONG count = 0;

    (void)thread;
    TEST_REQUIRE_EQUAL(EnumerateSecurityPackagesW(&count, &info), SEC_E_OK);
    TEST_REQUIRE(count > 0 && info[0].Name[0] != 0);
    TEST_REQUIRE_EQUAL(FreeContextBuffer(info), SEC_E_OK);
}

static void call_package_a(struct random_thread *thread)
{
    PSecPkgInfoA info = NULL;

    contract_require("QuerySecurityPackageInfoA",
                     QuerySecurityPackageInfoA((LPSTR)random_package(thread), &info));
    TEST_REQUIRE_EQUAL(FreeContextBuffer(info), SEC_E_OK);
}

static void call_package_w(struct random_thread *thread)
{
    PSecPkgInfoW info = NULL;

    contract_require("QuerySecurityPackageInfoW",
                     QuerySecurityPackageInfoW((LPWSTR)random_wide_package(thread), &info));
    TEST_REQUIRE_EQUAL(FreeContextBuffer(info), SEC_E_OK);
}

static void call_free_buffer(struct random_thread *thread)
{
    PSecPkgInfoA info = NULL;

    if (random_chance(thread, 80))
        TEST_REQUIRE_EQUAL(QuerySecurityPackageInfoA((LPSTR)UNISP_NAME_A, &info), SEC_E_OK);
    TEST_REQUIRE_EQUAL(FreeContextBuffer(info), SEC_E_OK);
}

static void call_interface_a(struct random_thread *thread)
{
    PSecurityFunctionTableA table = InitSecurityInterfaceA();

    (void)thread;
    TEST_REQUIRE(table && table->dwVersion > 0 && table->EncryptMessage);
}

static void call_interface_w(struct random_thread *thread)
{
    PSecurityFunctionTableW table = InitSecurityInterfaceW();

    (void)thread;
    TEST_REQUIRE(table && table->dwVersion > 0 && table->DecryptMessage);
}

/* Nobody's: a package that could ask somebody has a name first. */
static void call_password_a(struct random_thread *thread)
{
    contract_require("ChangeAccountPasswordA",
                     ChangeAccountPasswordA((LPSTR)random_package(thread), NULL, (SEC_CHAR *)"",
                                            (SEC_CHAR *)"old", (SEC_CHAR *)"new", FALSE,
                                            random_below(thread, 2), NULL));
}

static void call_password_w(struct random_thread *thread)
{
    SEC_WCHAR nothing[] = {0};

    contract_require("ChangeAccountPasswordW",
                     ChangeAccountPasswordW((LPWSTR)random_wide_package(thread), NULL, nothing,
                                            nothing, nothing, TRUE, random_below(thread, 2), NULL));
}

static const struct random_row rows[] = {
    {"AcquireCredentialsHandleA", call_acquire_a, 2},
    {"AcquireCredentialsHandleW", call_acquire_w, 2},
    {"FreeCredentialsHandle", call_free, 6},
    {"AddCredentialsA", call_add_a, 1},
    {"AddCredentialsW", call_add_w, 1},
    {"OsspiRenewCredential", call_renew, 1},
    {"QueryCredentialsAttributesA", call_query_a, 4},
    {"QueryCredentialsAttributesW", call_query_w, 4},
    {"QueryCredentialsAttributesExA", call_query_ex_a, 4},
    {"QueryCredentialsAttributesExW", call_query_ex_w, 4},
    {"SetCredentialsAttributesA", call_set_a, 2},
    {"SetCredentialsAttributesW", call_set_w, 2},
    {"ChangeAccountPasswordA", call_password_a, 1},
    {"ChangeAccountPasswordW", call_password_w, 1},
    {"EnumerateSecurityPackagesA", call_enumerate_a, 1},
    {"EnumerateSecurityPackagesW", call_enumerate_w, 1},
    {"QuerySecurityPackageInfoA", call_package_a, 1},
    {"QuerySecurityPackageInfoW", call_package_w, 1},
    {"FreeContextBuffer", call_free_buffer, 1},
    {"InitSecurityInterfaceA", call_interface_a, 1},
    {"InitSecurityInterfaceW", call_interface_w, 1},
};
RANDOM_ROWS(random_credential_rows, rows);
