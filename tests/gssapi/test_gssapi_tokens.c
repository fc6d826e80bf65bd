/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ImpersonateSecurityContext and RevertSecurityContext: whose default credentials a thread has,
 * with tickets that a client has handed over, and without.
 */
#include <opensspi.h>
#include <pthread.h>
#include <schannel.h>
#include <sspi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"
#define HANDS  (ISC_REQ_MUTUAL_AUTH | ISC_REQ_DELEGATE)
#define ALICE  "alice@" REALM_NAME
#define BOB    "bob@" REALM_NAME /* whose tickets the process has */

TEST_FORKS_WITH_THREADS;

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;

static void establish(struct pair *with, const char *package, const char *user, ULONG flags)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    char password[64];

    snprintf(password, sizeof(password), "secret of %s", user);
    pair_identity(user, REALM_NAME, password, &identity);
    with->client_flags = flags;
    pair_establish(with, package, &identity, TARGET);
}

static SECURITY_STATUS acquire_default(const char *package, CredHandle *ret_credential)
{
    return AcquireCredentialsHandleA(NULL, (char *)package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                     NULL, ret_credential, NULL);
}

/* Whose the default credentials of this thread are; "": there are none. */
static void require_default(const char *package, const char *name)
{
    SecPkgCredentials_NamesA names;
    CredHandle credential;
    const SECURITY_STATUS status = acquire_default(package, &credential);

    if (name[0] == '\0') {
        TEST_REQUIRE_EQUAL(status, SEC_E_NO_CREDENTIALS);
        return;
    }
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    TEST_REQUIRE_EQUAL(QueryCredentialsAttributesA(&credential, SECPKG_CRED_ATTR_NAMES, &names),
                       SEC_E_OK);
    TEST_REQUIRE(strcmp(names.sUserName, name) == 0);
    FreeContextBuffer(names.sUserName);
    FreeCredentialsHandle(&credential);
}

/* The default credentials of this thread, in use: whom a server takes the client for. */
static void require_arrives_as(const char *package, const char *name)
{
    static struct pair second; /* guarded: one thread */
    SecPkgContext_NamesA names;

    second.client_flags = ISC_REQ_MUTUAL_AUTH;
    pair_establish(&second, package, NULL, "ldap/server.test");
    assert_int_equal(QueryContextAttributesA(&second.server.context, SECPKG_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, name);
    FreeContextBuffer(names.sUserName);
    pair_end(&second);
}

/* ---- whose credentials ---- */

static void delegated(const char *package)
{
    establish(&pair, package, "alice", HANDS);
    assert_int_equal(pair.server.attributes & ASC_RET_DELEGATE, ASC_RET_DELEGATE);
    require_default(package, BOB);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    require_default(package, ALICE);
    require_arrives_as(package, ALICE);
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    require_arrives_as(package, BOB);
    pair_end(&pair);
}

static void s4_3_what_a_client_hands_over_can_be_used(void **state)
{
    (void)state;
    delegated("Kerberos");
    delegated("Negotiate");
}

static void s4_3_what_is_handed_over_goes_a_second_time(void **state)
{
    static struct pair second; /* guarded: one thread */

    (void)state;
    establish(&pair, "Kerberos", "alice", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    second.client_flags = HANDS;
    pair_establish(&second, "Kerberos", NULL, "ldap/server.test");
    assert_int_equal(ImpersonateSecurityContext(&second.server.context), SEC_E_OK);
    require_default("Kerberos", ALICE);
    assert_int_equal(RevertSecurityContext(&second.server.context), SEC_E_OK);
    pair_end(&second);
    pair_end(&pair);
}

static void without(const char *package, ULONG flags)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    CredHandle credential;

    establish(&pair, package, "alice", flags);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    require_default(package, "");
    require_default("Negotiate", "");
    pair_identity("bob", REALM_NAME, "secret of bob", &identity);
    assert_int_equal(AcquireCredentialsHandleA(NULL, (char *)package, SECPKG_CRED_OUTBOUND, NULL,
                                               &identity, NULL, NULL, &credential, NULL),
                     SEC_E_OK);
    FreeCredentialsHandle(&credential);
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    require_default("Kerberos", BOB);
    pair_end(&pair);
}

/* Never the process's own: that is what impersonation is to keep clients from. */
static void a_client_who_hands_nothing_over_has_nothing(void **state)
{
    (void)state;
    without("Kerberos", ISC_REQ_MUTUAL_AUTH);
    without("Negotiate", ISC_REQ_MUTUAL_AUTH);
    without("NTLM", ISC_REQ_CONFIDENTIALITY);
    without("Kerberos", HANDS | ISC_REQ_IDENTIFY); /* he may be identified only */
}

static SECURITY_STATUS acquire_as(const char *principal)
{
    CredHandle credential;
    TimeStamp expiry;
    const SECURITY_STATUS status =
        AcquireCredentialsHandleA((char *)principal, (char *)"Kerberos", SECPKG_CRED_OUTBOUND, NULL,
                                  NULL, NULL, NULL, &credential, &expiry);

    if (status != SEC_E_OK)
        return status;
    assert_true(expiry.QuadPart < INT64_MAX); /* his ticket ends */
    return FreeCredentialsHandle(&credential);
}

static void a_principal_has_to_be_the_client(void **state)
{
    (void)state;
    establish(&pair, "Kerberos", "alice", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    assert_int_equal(acquire_as("alice"), SEC_E_OK);
    assert_int_equal(acquire_as(ALICE), SEC_E_OK);
    assert_int_equal(acquire_as(BOB), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire_as("alice@a@b"), SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    pair_end(&pair);
}

static void s4_5_a_client_has_no_say_over_sessions(void **state)
{
    LUID own = {.LowPart = geteuid()};
    CredHandle credential;

    (void)state;
    establish(&pair, "Kerberos", "alice", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    assert_int_equal(AcquireCredentialsHandleA(NULL, (char *)"Kerberos", SECPKG_CRED_OUTBOUND, &own,
                                               NULL, NULL, NULL, &credential, NULL),
                     SEC_E_NOT_OWNER);
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    pair_end(&pair);
}

/* ---- statuses ---- */

static void s2_14_only_servers_have_clients(void **state)
{
    CtxtHandle none = {1, 2};
    void *token = &none;

    (void)state;
    establish(&pair, "Kerberos", "alice", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.client.context), SEC_E_NO_IMPERSONATION);
    assert_int_equal(ImpersonateSecurityContext(&none), SEC_E_INVALID_HANDLE);
    assert_int_equal(RevertSecurityContext(&none), SEC_E_INVALID_HANDLE);
    /* Nothing to undo, and nothing undone. */
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    require_default("Kerberos", BOB);
    assert_int_equal(QuerySecurityContextToken(&pair.server.context, &token),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(QuerySecurityContextToken(&none, &token), SEC_E_INVALID_HANDLE);
    assert_int_equal(CompleteAuthToken(&pair.server.context, NULL), SEC_E_UNSUPPORTED_FUNCTION);
    pair_reset(&pair);

    /* Half-way. */
    pair.client_flags = ISC_REQ_MUTUAL_AUTH | ISC_REQ_USE_DCE_STYLE;
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                     SEC_I_CONTINUE_NEEDED);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_INVALID_HANDLE);
    require_default("Kerberos", BOB);
    pair_end(&pair);
}

/* ---- one after the other, threads, ends ---- */

static void the_last_one_is_in_force_and_any_revert_ends_it(void **state)
{
    static struct pair second; /* guarded: one thread */
    const char *cache = strdup(getenv("KRB5CCNAME"));

    (void)state;
    TEST_REQUIRE(cache != NULL);
    setenv("KRB5CCNAME", "MEMORY:none", 1); /* the process is nobody, here */
    require_default("Kerberos", "");
    establish(&pair, "Kerberos", "alice", HANDS);
    establish(&second, "Kerberos", "bob", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    assert_int_equal(ImpersonateSecurityContext(&second.server.context), SEC_E_OK);
    require_default("Kerberos", BOB);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    require_default("Kerberos", ALICE);
    assert_int_equal(RevertSecurityContext(&second.server.context), SEC_E_OK);
    require_default("Kerberos", "");
    setenv("KRB5CCNAME", cache, 1);
    free((void *)cache);
    pair_end(&second);
    pair_end(&pair);
}

static void it_outlives_the_context_and_can_still_be_undone(void **state)
{
    const CtxtHandle *context = &pair.server.context;

    (void)state;
    establish(&pair, "Kerberos", "alice", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    pair_end(&pair);
    require_default("Kerberos", ALICE);
    require_arrives_as("Kerberos", ALICE);
    assert_int_equal(ImpersonateSecurityContext((PCtxtHandle)context), SEC_E_INVALID_HANDLE);
    require_default("Kerberos", ALICE);
    assert_int_equal(RevertSecurityContext((PCtxtHandle)context), SEC_E_OK);
    assert_int_equal(RevertSecurityContext((PCtxtHandle)context), SEC_E_INVALID_HANDLE);
    require_default("Kerberos", BOB);
}

static void *other_thread(void *data)
{
    struct pair *from = data;

    require_default("Kerberos", BOB);
    TEST_REQUIRE_EQUAL(ImpersonateSecurityContext(&from->server.context), SEC_E_OK);
    require_default("Kerberos", ALICE);
    return NULL; /* and ends as he is */
}

static void it_is_the_threads_own(void **state)
{
    pthread_t threads[4];

    (void)state;
    establish(&pair, "Kerberos", "alice", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    for (size_t i = 0; i < 4; i++)
        TEST_REQUIRE(pthread_create(&threads[i], NULL, other_thread, &pair) == 0);
    require_default("Kerberos", ALICE);
    for (size_t i = 0; i < 4; i++)
        TEST_REQUIRE(pthread_join(threads[i], NULL) == 0);
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    pair_end(&pair);
}

static int child(void *data)
{
    struct pair *from = data;

    require_default("Kerberos", ALICE);
    TEST_REQUIRE_EQUAL(RevertSecurityContext(&from->server.context), SEC_E_OK);
    require_default("Kerberos", BOB);
    return 0;
}

static void a_forked_process_goes_on_as_its_thread_was(void **state)
{
    (void)state;
    establish(&pair, "Kerberos", "alice", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    assert_int_equal(test_child_join(test_child_fork(child, &pair)), 0);
    require_default("Kerberos", ALICE);
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    pair_end(&pair);
}

/* ---- asynchronous calls ---- */

static void a_call_takes_along_who_made_it(void **state)
{
    SspiAsyncContext *async = SspiCreateAsyncContext();
    SecPkgCredentials_NamesA names;
    CredHandle credential;

    (void)state;
    establish(&pair, "Kerberos", "alice", HANDS);
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    assert_int_equal(SspiAcquireCredentialsHandleAsyncA(async, NULL, (char *)"Kerberos",
                                                        SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                                        NULL, &credential, NULL),
                     SEC_E_OK);
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    assert_int_equal(OsspiWaitAsyncCall(async, 30000), SEC_E_OK);
    assert_int_equal(QueryCredentialsAttributesA(&credential, SECPKG_CRED_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, ALICE);
    FreeContextBuffer(names.sUserName);
    FreeCredentialsHandle(&credential);
    SspiFreeAsyncContext(async);
    pair_end(&pair);
}

static _Atomic unsigned come; /* callbacks that are over */

/* Runs on a worker: who comes is the process, and who goes is a client without tickets. */
static void forgetful(SspiAsyncContext *async, void *data)
{
    (void)async;
    (void)data;
    require_default("Kerberos", BOB);
    TEST_REQUIRE_EQUAL(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    require_default("Kerberos", "");
    atomic_fetch_add(&come, 1);
}

static bool has_come(void *data)
{
    return atomic_load(&come) > *(const unsigned *)data;
}

static void a_callback_leaves_no_identity_behind(void **state)
{
    CredHandle none = {1, 2};

    (void)state;
    establish(&pair, "Kerberos", "alice", 0); /* hands nothing over */
    for (unsigned i = 0; i < 40; i++) {
        SspiAsyncContext *async = SspiCreateAsyncContext();

        assert_int_equal(SspiSetAsyncNotifyCallback(async, forgetful, NULL), SEC_E_OK);
        assert_int_equal(SspiFreeCredentialsHandleAsync(async, &none), SEC_E_OK);
        assert_int_equal(OsspiWaitAsyncCall(async, OSSPI_INFINITE), SEC_E_INVALID_HANDLE);
        test_poll(has_come, &i);
        SspiFreeAsyncContext(async);
    }
    pair_end(&pair);
}

/* The program's part of a call runs on the worker too, which goes on to the call's callback. */
static void get_no_key(void *data, void *principal, uint32_t version, void **key,
                       SECURITY_STATUS *status)
{
    (void)data;
    (void)principal;
    (void)version;
    TEST_REQUIRE_EQUAL(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    *key = NULL;
    *status = SEC_E_NO_CREDENTIALS;
}

static void a_callback_starts_as_the_process(void **state)
{
    (void)state;
    establish(&pair, "Kerberos", "alice", 0); /* hands nothing over */
    setenv("KRB5_KTNAME", realm_file(&realm, "no.keytab"), 1);
    for (unsigned i = 0; i < 10; i++) { /* not always does the same worker go on */
        SspiAsyncContext *async = SspiCreateAsyncContext();
        const unsigned before = atomic_load(&come);
        CredHandle credential;

        assert_int_equal(SspiSetAsyncNotifyCallback(async, forgetful, NULL), SEC_E_OK);
        assert_int_equal(SspiAcquireCredentialsHandleAsyncA(
                             async, (char *)"HTTP/server.test", (char *)"Kerberos",
                             SECPKG_CRED_INBOUND, NULL, NULL, get_no_key, NULL, &credential, NULL),
                         SEC_E_OK);
        assert_int_equal(OsspiWaitAsyncCall(async, OSSPI_INFINITE), SEC_E_NO_CREDENTIALS);
        test_poll(has_come, (void *)&before);
        SspiFreeAsyncContext(async);
    }
    setenv("KRB5_KTNAME", realm_file(&realm, "server.keytab"), 1);
    pair_end(&pair);
}

/* ---- packages ---- */

static void s4_7_packages_say_what_is_true(void **state)
{
    static const struct {
        const char *name;
        ULONG has, has_not;
    } rows[] = {
        {"Kerberos",
         SECPKG_FLAG_IMPERSONATION | SECPKG_FLAG_DELEGATION | SECPKG_FLAG_MUTUAL_AUTH |
             SECPKG_FLAG_NEGOTIABLE | SECPKG_FLAG_GSS_COMPATIBLE,
         SECPKG_FLAG_LOGON | SECPKG_FLAG_CLIENT_ONLY | SECPKG_FLAG_RESTRICTED_TOKENS},
        {"Negotiate",
         SECPKG_FLAG_IMPERSONATION | SECPKG_FLAG_DELEGATION | SECPKG_FLAG_MUTUAL_AUTH |
             SECPKG_FLAG_GSS_COMPATIBLE,
         SECPKG_FLAG_LOGON | SECPKG_FLAG_CLIENT_ONLY | SECPKG_FLAG_NEGOTIABLE},
        {"NTLM", SECPKG_FLAG_IMPERSONATION | SECPKG_FLAG_NEGOTIABLE,
         SECPKG_FLAG_LOGON | SECPKG_FLAG_DELEGATION | SECPKG_FLAG_MUTUAL_AUTH |
             SECPKG_FLAG_GSS_COMPATIBLE},
        {UNISP_NAME_A, 0, SECPKG_FLAG_IMPERSONATION | SECPKG_FLAG_DELEGATION},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        PSecPkgInfoA info;

        assert_int_equal(QuerySecurityPackageInfoA((char *)rows[i].name, &info), SEC_E_OK);
        assert_int_equal(info->fCapabilities & rows[i].has, rows[i].has);
        assert_int_equal(info->fCapabilities & rows[i].has_not, 0);
        assert_int_equal(info->wVersion, 1);
        FreeContextBuffer(info);
    }
}

static int group_setup(void **state)
{
    FILE *users;

    (void)state;
    realm_start(&realm);
    users = fopen(realm_file(&realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":alice:secret of alice\n", users);
    fclose(users);
    setenv("NTLM_USER_FILE", realm_file(&realm, "ntlm.users"), 1);
    realm_log_in(&realm, "bob", "ccache");
    test_watchdog(100);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    realm_stop(&realm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s4_3_what_a_client_hands_over_can_be_used),
        cmocka_unit_test(s4_3_what_is_handed_over_goes_a_second_time),
        cmocka_unit_test(a_client_who_hands_nothing_over_has_nothing),
        cmocka_unit_test(a_principal_has_to_be_the_client),
        cmocka_unit_test(s4_5_a_client_has_no_say_over_sessions),
        cmocka_unit_test(s2_14_only_servers_have_clients),
        cmocka_unit_test(the_last_one_is_in_force_and_any_revert_ends_it),
        cmocka_unit_test(it_outlives_the_context_and_can_still_be_undone),
        cmocka_unit_test(it_is_the_threads_own),
        cmocka_unit_test(a_forked_process_goes_on_as_its_thread_was),
        cmocka_unit_test(a_call_takes_along_who_made_it),
        cmocka_unit_test(a_callback_leaves_no_identity_behind),
        cmocka_unit_test(a_callback_starts_as_the_process),
        cmocka_unit_test(s4_7_packages_say_what_is_true),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
