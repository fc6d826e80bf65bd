/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What credentials are made of besides passwords and files: keys that a program brings (pGetKeyFn),
 * caches of tickets of other kinds, identities that are nobody's.
 */
#include <krb5.h>
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gssapi/fake_kdc.h"
#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define SERVICE   "HTTP/server.test"
#define TIMED_OUT HRESULT_FROM_WIN32(ERROR_TIMEOUT)

/* Guarded: all by the one thread of the test, but for struct keys. */
static struct realm realm;
static struct pair pair;

/* ---- keys that a program brings ---- */

/* What the function gives, and what it was given; guarded: one call at a time. */
static struct keys {
    OsspiServerKey key, second;
    unsigned char bytes[64];
    SECURITY_STATUS status;
    bool none;
    unsigned calls;
    char name[64];
    WCHAR wide_name[64];
    bool wide;
} keys;

static void get_key(void *data, void *principal, uint32_t version, void **key,
                    SECURITY_STATUS *status)
{
    TEST_REQUIRE(data == &keys && version == 0);
    keys.calls++;
    if (keys.wide)
        memcpy(keys.wide_name, principal, 2 * sizeof(SERVICE));
    else
        snprintf(keys.name, sizeof(keys.name), "%s", (const char *)principal);
    if (!keys.none)
        *key = &keys.key;
    *status = keys.status;
}

/* As the server's keytab has it. */
static void read_key(const char *service)
{
    krb5_context k5;
    krb5_keytab keytab;
    krb5_principal principal;
    krb5_keytab_entry entry;

    keys = (struct keys){.status = SEC_E_OK};
    TEST_REQUIRE(krb5_init_context(&k5) == 0);
    TEST_REQUIRE(krb5_kt_resolve(k5, realm_file(&realm, "server.keytab"), &keytab) == 0);
    TEST_REQUIRE(krb5_parse_name(k5, service, &principal) == 0);
    TEST_REQUIRE(krb5_kt_get_entry(k5, keytab, principal, 0, 0, &entry) == 0);
    TEST_REQUIRE(entry.key.length <= sizeof(keys.bytes));
    memcpy(keys.bytes, entry.key.contents, entry.key.length);
    keys.key = (OsspiServerKey){.cbSize = sizeof(keys.key),
                                .encryption_type = entry.key.enctype,
                                .version = entry.vno,
                                .cbKey = entry.key.length,
                                .pvKey = keys.bytes};
    krb5_free_keytab_entry_contents(k5, &entry);
    krb5_free_principal(k5, principal);
    krb5_kt_close(k5, keytab);
    krb5_free_context(k5);
}

static SECURITY_STATUS acquire_server(const char *package, const char *principal, ULONG use)
{
    const SECURITY_STATUS status =
        AcquireCredentialsHandleA((char *)principal, (char *)package, use, NULL, NULL, get_key,
                                  &keys, &pair.server.credential, &pair.server.expiry);

    pair.server.has_credential = status == SEC_E_OK;
    return status;
}

static void acquire_client(const char *package)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    pair.target = SERVICE;
    pair_identity("alice", REALM_NAME, "secret of alice", &identity);
    TEST_REQUIRE_EQUAL(pair_client(&pair, package, &identity), SEC_E_OK);
}

static void without_keytab(const char *service)
{
    setenv("KRB5_KTNAME", realm_file(&realm, "no.keytab"), 1);
    read_key(service);
}

static void with_keytab(void)
{
    setenv("KRB5_KTNAME", realm_file(&realm, "server.keytab"), 1);
}

static void s4_6_a_program_brings_the_servers_key(void **state)
{
    static const char *const packages[] = {"Kerberos", "Negotiate"};

    (void)state;
    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
        without_keytab(SERVICE);
        assert_int_equal(acquire_server(packages[i], SERVICE, SECPKG_CRED_INBOUND), SEC_E_OK);
        assert_int_equal(keys.calls, 1);
        assert_string_equal(keys.name, SERVICE);
        memset(&keys.key, 0, sizeof(keys.key)); /* it was copied */
        memset(keys.bytes, 0, sizeof(keys.bytes));
        acquire_client(packages[i]);
        pair.client_flags = ISC_REQ_MUTUAL_AUTH | ISC_REQ_CONFIDENTIALITY;
        assert_int_equal(pair_talk(&pair), SEC_E_OK);
        pair_exchange(&pair.client, &pair.server, "under the key that was brought");
        pair_end(&pair);
    }
    with_keytab();
}

/* Whatever its version is called; and one that fits behind one that does not. */
static void s4_6_of_several_keys_the_fitting_one_counts(void **state)
{
    static const unsigned char other[16] = "another key here";

    (void)state;
    without_keytab(SERVICE);
    keys.second = keys.key;
    keys.second.version = 0;
    keys.key = (OsspiServerKey){.cbSize = sizeof(keys.key),
                                .encryption_type = ENCTYPE_AES128_CTS_HMAC_SHA1_96,
                                .version = 77,
                                .cbKey = sizeof(other),
                                .pvKey = other,
                                .next = &keys.second};
    assert_int_equal(acquire_server("Kerberos", SERVICE, SECPKG_CRED_INBOUND), SEC_E_OK);
    acquire_client("Kerberos");
    assert_int_equal(pair_talk(&pair), SEC_E_OK);
    pair_end(&pair);
    with_keytab();
}

static void s4_6_another_services_key_opens_nothing(void **state)
{
    (void)state;
    without_keytab("host/server.test");
    assert_int_equal(acquire_server("Kerberos", SERVICE, SECPKG_CRED_INBOUND), SEC_E_OK);
    acquire_client("Kerberos");
    assert_true(pair_talk(&pair) == SEC_E_WRONG_PRINCIPAL ||
                pair.server.status == SEC_E_LOGON_DENIED);
    pair_end(&pair);
    with_keytab();
}

static void s4_6_wide_callers_get_wide_names(void **state)
{
    static const WCHAR expected[] = u"HTTP/server.test";

    (void)state;
    without_keytab(SERVICE);
    keys.wide = true;
    assert_int_equal(AcquireCredentialsHandleW((WCHAR *)expected, (WCHAR *)u"Kerberos",
                                               SECPKG_CRED_INBOUND, NULL, NULL, get_key, &keys,
                                               &pair.server.credential, NULL),
                     SEC_E_OK);
    assert_memory_equal(keys.wide_name, expected, sizeof(expected));
    FreeCredentialsHandle(&pair.server.credential);
    with_keytab();
}

static void s4_6_the_function_is_asked_only_where_it_is_needed(void **state)
{
    (void)state;
    read_key(SERVICE); /* and there is a keytab */
    assert_int_equal(acquire_server("Kerberos", SERVICE, SECPKG_CRED_INBOUND), SEC_E_OK);
    pair_end(&pair);
    without_keytab(SERVICE);
    assert_int_equal(acquire_server("Kerberos", NULL, SECPKG_CRED_INBOUND), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire_server("Kerberos", NULL, SECPKG_CRED_OUTBOUND), SEC_E_NO_CREDENTIALS);
    if (acquire_server("NTLM", SERVICE, SECPKG_CRED_INBOUND) == SEC_E_OK)
        pair_end(&pair);
    assert_int_equal(keys.calls, 0);
    with_keytab();
}

static void s4_6_its_answer_is_respected(void **state)
{
    (void)state;
    without_keytab(SERVICE);
    keys.status = SEC_E_NOT_OWNER;
    assert_int_equal(acquire_server("Kerberos", SERVICE, SECPKG_CRED_INBOUND), SEC_E_NOT_OWNER);
    assert_int_equal(acquire_server("Negotiate", SERVICE, SECPKG_CRED_INBOUND), SEC_E_NOT_OWNER);
    keys.status = 5; /* an error of another kind */
    assert_int_equal(acquire_server("Kerberos", SERVICE, SECPKG_CRED_INBOUND),
                     SEC_E_NO_CREDENTIALS);
    keys.status = SEC_E_OK;
    keys.none = true;
    assert_int_equal(acquire_server("Kerberos", SERVICE, SECPKG_CRED_INBOUND),
                     SEC_E_NO_CREDENTIALS);
    keys.none = false;
    assert_int_equal(acquire_server("Kerberos", "HTTP/@@", SECPKG_CRED_INBOUND),
                     SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(acquire_server("Kerberos", SERVICE, SECPKG_CRED_INBOUND), SEC_E_OK);
    pair_end(&pair);
    with_keytab();
}

static void s4_6_what_is_no_key_is_not_recognised(void **state)
{
    static OsspiServerKey endless;
    const OsspiServerKey *good = &keys.key;
    OsspiServerKey before;

    (void)state;
    without_keytab(SERVICE);
    before = *good;
    endless = before;
    endless.next = &endless;
    const OsspiServerKey bad[] = {
        {0},
        {.cbSize = before.cbSize - 1, before.encryption_type, 1, before.cbKey, keys.bytes, NULL},
        {.cbSize = before.cbSize, 12345, 1, before.cbKey, keys.bytes, NULL},
        {.cbSize = before.cbSize, before.encryption_type, 1, before.cbKey - 1, keys.bytes, NULL},
        {.cbSize = before.cbSize, before.encryption_type, 1, 0, keys.bytes, NULL},
        {.cbSize = before.cbSize, before.encryption_type, 1, before.cbKey, NULL, NULL},
        endless,
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        keys.key = bad[i];
        assert_int_equal(acquire_server("Kerberos", SERVICE, SECPKG_CRED_INBOUND),
                         SEC_E_UNKNOWN_CREDENTIALS);
    }
    with_keytab();
}

static void s4_6_asynchronous_calls_ask_too(void **state)
{
    SspiAsyncContext *async = SspiCreateAsyncContext();

    (void)state;
    without_keytab(SERVICE);
    assert_int_equal(SspiAcquireCredentialsHandleAsyncA(async, (char *)SERVICE, (char *)"Kerberos",
                                                        SECPKG_CRED_INBOUND, NULL, NULL, get_key,
                                                        &keys, &pair.server.credential, NULL),
                     SEC_E_OK);
    assert_int_equal(OsspiWaitAsyncCall(async, UINT32_MAX), SEC_E_OK);
    pair.server.has_credential = true;
    SspiFreeAsyncContext(async);
    acquire_client("Kerberos");
    assert_int_equal(pair_talk(&pair), SEC_E_OK);
    pair_end(&pair);
    with_keytab();
}

/* ---- caches of tickets ---- */

static bool log_in(const char *user, const char *cache)
{
    char command[512];

    setenv("KRB5CCNAME", cache, 1);
    snprintf(command, sizeof(command), "echo 'secret of %s' | kinit %s >'%s' 2>&1", user, user,
             realm_file(&realm, "kinit.log"));
    return system(command) == 0;
}

static SECURITY_STATUS acquire_default(const char *principal)
{
    const SECURITY_STATUS status =
        AcquireCredentialsHandleA((char *)principal, (char *)"Kerberos", SECPKG_CRED_OUTBOUND, NULL,
                                  NULL, NULL, NULL, &pair.client.credential, &pair.client.expiry);

    pair.client.has_credential = status == SEC_E_OK;
    return status;
}

static void require_default(const char *principal, const char *expected)
{
    SecPkgContext_NamesA names;

    assert_int_equal(acquire_default(principal), SEC_E_OK);
    assert_true(pair.client.expiry.QuadPart < INT64_MAX); /* the ticket's */
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
    pair.target = SERVICE;
    assert_int_equal(pair_talk(&pair), SEC_E_OK);
    assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, expected);
    FreeContextBuffer(names.sUserName);
    pair_end(&pair);
}

static void with_usual_cache(void)
{
    char name[256];

    snprintf(name, sizeof(name), "FILE:%s", realm_file(&realm, "ccache"));
    setenv("KRB5CCNAME", name, 1);
    realm_configure(&realm, NULL, NULL);
}

static void s4_2_a_folder_of_caches_has_several_users(void **state)
{
    char cache[256];

    (void)state;
    snprintf(cache, sizeof(cache), "DIR:%s", realm_file(&realm, "caches"));
    assert_int_equal(mkdir(realm_file(&realm, "caches"), 0700), 0);
    assert_true(log_in("bob", cache));
    assert_true(log_in("alice", cache));
    require_default(NULL, "alice@" REALM_NAME); /* who came last */
    require_default("bob@" REALM_NAME, "bob@" REALM_NAME);
    assert_int_equal(acquire_default("robot@" REALM_NAME), SEC_E_NO_CREDENTIALS);
    with_usual_cache();
}

/* In the kernel, which may not have it, or not for us. */
static void s4_2_a_keyring_is_a_cache(void **state)
{
    char cache[128];

    (void)state;
    snprintf(cache, sizeof(cache), "KEYRING:session:opensspi-test-%d", (int)getpid());
    if (!log_in("alice", cache)) {
        with_usual_cache();
        skip();
    }
    require_default(NULL, "alice@" REALM_NAME);
    assert_int_equal(system("kdestroy -q"), 0);
    assert_int_equal(acquire_default(NULL), SEC_E_NO_CREDENTIALS);
    with_usual_cache();
}

static void on_done(SspiAsyncContext *async, void *data)
{
    (void)async;
    test_counter_add(data, 1);
}

static bool none_given_up(void *data)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    return statistics.calls_abandoned_running == 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    TEST_REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                 listen(fd, 8) == 0);
    return fd;
}

/* A daemon that keeps tickets, takes connections and never answers. */
static void s4_2_a_silent_daemon_ends_with_the_deadline(void **state)
{
    struct test_counter callbacks;
    SspiAsyncContext *async = SspiCreateAsyncContext();
    CredHandle credential;
    char line[256];
    const int fd = listen_at(realm_file(&realm, "kcm"));

    (void)state;
    snprintf(line, sizeof(line), "kcm_socket = %s\n", realm_file(&realm, "kcm"));
    realm_configure(&realm, NULL, line);
    setenv("KRB5CCNAME", "KCM:", 1);
    test_counter_init(&callbacks);
    assert_int_equal(SspiSetAsyncNotifyCallback(async, on_done, &callbacks), SEC_E_OK);
    assert_int_equal(OsspiSetAsyncTimeout(async, 200), SEC_E_OK);
    assert_int_equal(SspiAcquireCredentialsHandleAsyncA(async, NULL, (char *)"Kerberos",
                                                        SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                                        NULL, &credential, NULL),
                     SEC_E_OK);
    test_counter_await(&callbacks, 1);
    assert_int_equal(SspiGetAsyncCallStatus(async), TIMED_OUT);
    SspiFreeAsyncContext(async);
    close(fd); /* now what was given up can come back */
    test_poll(none_given_up, NULL);
    assert_int_equal(test_counter_get(&callbacks), 1);
    with_usual_cache();
}

/* ---- identities ---- */

static SECURITY_STATUS acquire_as(const char *package, const char *user, const char *domain,
                                  const char *password)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    SECURITY_STATUS status;

    pair_identity(user, domain, password, &identity);
    status = pair_client(&pair, package, &identity);
    pair_end(&pair);
    return status;
}

/* Who is to be nobody is not taken for the default user. */
static void s4_2_a_null_session_is_not_the_default_user(void **state)
{
    static const char *const packages[] = {"Kerberos", "NTLM", "Negotiate"};

    (void)state;
    realm_log_in(&realm, "alice", "ccache");
    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
        SECURITY_STATUS status = acquire_as(packages[i], "", "", "");

        assert_true(status == SEC_E_NO_CREDENTIALS || status == SEC_E_SECPKG_NOT_FOUND);
    }
    assert_int_equal(acquire_as("Kerberos", "", NULL, ""), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire_as("Kerberos", NULL, NULL, NULL), SEC_E_OK); /* that is he */
    assert_int_equal(unlink(realm_file(&realm, "ccache")), 0);
}

static void s4_2_marshalled_certificates_are_not_recognised(void **state)
{
    (void)state;
    assert_int_equal(acquire_as("Kerberos", "@@BCAAAAAAAAAAAAAAAAAAAAAA", NULL, "1234"),
                     SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(acquire_as("Negotiate", "@@BCAAAAAAAAAAAAAAAAAAAAAA", "", ""),
                     SEC_E_UNKNOWN_CREDENTIALS);
}

static void s4_2_a_password_has_no_expiry(void **state)
{
    (void)state;
    acquire_client("Kerberos");
    assert_true(pair.client.expiry.QuadPart == INT64_MAX);
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
    assert_true(pair.server.expiry.QuadPart == INT64_MAX);
    pair.client_flags = 0;
    assert_int_equal(pair_talk(&pair), SEC_E_OK);
    assert_true(pair.client.expiry.QuadPart < INT64_MAX); /* the context's is the ticket's */
    pair_end(&pair);
}

/* What only Kerberos needs is not asked of NTLM. */
static void s2_2_a_broken_configuration_leaves_ntlm(void **state)
{
    FILE *file = fopen(realm_file(&realm, "broken.conf"), "w");

    (void)state;
    TEST_REQUIRE(file != NULL);
    fputs("[libdefaults\n = }\n", file);
    fclose(file);
    setenv("KRB5_CONFIG", realm_file(&realm, "broken.conf"), 1);
    assert_int_equal(acquire_as("Kerberos", "alice", REALM_NAME, "x"), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire_as("Kerberos", NULL, NULL, NULL), SEC_E_NO_CREDENTIALS);
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire_as("NTLM", "alice", REALM_NAME, "x"), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "NTLM"), SEC_E_OK);
    pair_end(&pair);
    setenv("KRB5_CONFIG", realm_file(&realm, "krb5.conf"), 1);
}

/* ---- logon sessions ---- */

static void require_session(uid_t user, const char *expected)
{
    LUID luid = {.LowPart = user};
    SecPkgCredentials_NamesA names;
    CredHandle credential;

    assert_int_equal(AcquireCredentialsHandleA(NULL, (char *)"Kerberos", SECPKG_CRED_OUTBOUND,
                                               &luid, NULL, NULL, NULL, &credential, NULL),
                     SEC_E_OK);
    assert_int_equal(QueryCredentialsAttributesA(&credential, SECPKG_CRED_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, expected);
    FreeContextBuffer(names.sUserName);
    FreeCredentialsHandle(&credential);
}

static SECURITY_STATUS acquire_session(uid_t user)
{
    LUID luid = {.LowPart = user};
    CredHandle credential;
    const SECURITY_STATUS status = AcquireCredentialsHandleA(
        NULL, (char *)"Kerberos", SECPKG_CRED_OUTBOUND, &luid, NULL, NULL, NULL, &credential, NULL);

    if (status == SEC_E_OK)
        FreeCredentialsHandle(&credential);
    return status;
}

/* One process has both, if it may; who may not has neither. */
static void s4_5_two_users_have_two_caches(void **state)
{
    static const uid_t users[] = {4711, 4712};
    static const char *const files[] = {"cache_4711", "cache_4712"};
    char line[256];

    (void)state;
    if (geteuid() != 0) {
        assert_int_equal(acquire_session(0), SEC_E_NOT_OWNER);
        assert_int_equal(acquire_session(geteuid() + 1), SEC_E_NOT_OWNER);
        return;
    }
    assert_int_equal(chmod(realm.folder, 0755), 0);
    snprintf(line, sizeof(line), "default_ccache_name = FILE:%s",
             realm_file(&realm, "cache_%{uid}"));
    realm_configure(&realm, NULL, line);
    realm_log_in(&realm, "alice", files[0]);
    realm_log_in(&realm, "bob", files[1]);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(chown(realm_file(&realm, files[i]), users[i], (gid_t)-1), 0);
    require_session(users[0], "alice@" REALM_NAME);
    require_session(users[1], "bob@" REALM_NAME);
    assert_int_equal(unlink(realm_file(&realm, files[0])), 0);
    assert_int_equal(acquire_session(users[0]), SEC_E_NO_CREDENTIALS);
    require_session(users[1], "bob@" REALM_NAME);
    with_usual_cache();
}

/* ---- clocks ---- */

/* A client's clock that is behind looks like a token that has been on its way for long; this one
 * was, by the measure of a server that bears no second. */
static void s4_3_a_token_from_another_time_is_a_skew(void **state)
{
    (void)state;
    acquire_client("Kerberos");
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
    pair.client_flags = ISC_REQ_MUTUAL_AUTH;
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    realm_configure(&realm, NULL, "clockskew = 1");
    sleep(3);
    assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len), SEC_E_TIME_SKEW);
    pair_end(&pair);
    realm_configure(&realm, NULL, NULL);
}

static int group_setup(void **state)
{
    (void)state;
    realm_start(&realm);
    test_watchdog(200);
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
        cmocka_unit_test(s4_6_a_program_brings_the_servers_key),
        cmocka_unit_test(s4_6_of_several_keys_the_fitting_one_counts),
        cmocka_unit_test(s4_6_another_services_key_opens_nothing),
        cmocka_unit_test(s4_6_wide_callers_get_wide_names),
        cmocka_unit_test(s4_6_the_function_is_asked_only_where_it_is_needed),
        cmocka_unit_test(s4_6_its_answer_is_respected),
        cmocka_unit_test(s4_6_what_is_no_key_is_not_recognised),
        cmocka_unit_test(s4_6_asynchronous_calls_ask_too),
        cmocka_unit_test(s4_2_a_folder_of_caches_has_several_users),
        cmocka_unit_test(s4_2_a_keyring_is_a_cache),
        cmocka_unit_test(s4_2_a_silent_daemon_ends_with_the_deadline),
        cmocka_unit_test(s4_2_a_null_session_is_not_the_default_user),
        cmocka_unit_test(s4_2_marshalled_certificates_are_not_recognised),
        cmocka_unit_test(s4_2_a_password_has_no_expiry),
        cmocka_unit_test(s2_2_a_broken_configuration_leaves_ntlm),
        cmocka_unit_test(s4_5_two_users_have_two_caches),
        cmocka_unit_test(s4_3_a_token_from_another_time_is_a_skew),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
