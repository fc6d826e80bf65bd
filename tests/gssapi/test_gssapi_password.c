/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ChangeAccountPassword against a server of passwords of MIT's (kadmind), and servers that do not
 * behave: what is changed afterwards, what each refusal is called, that a default deadline ends it.
 */
#include <compat/ntsecapi.h>
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gssapi/fake_kdc.h"
#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET    "HTTP/server.test"
#define TIMED_OUT HRESULT_FROM_WIN32(ERROR_TIMEOUT)
#define REFUSED   ((SECURITY_STATUS)STATUS_PASSWORD_RESTRICTION)

TEST_FORKS_WITH_THREADS;

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;
static struct fake_kdc fake;

/* ---- the call ---- */

static SECURITY_STATUS change(const char *user, const char *before, const char *after)
{
    return ChangeAccountPasswordA((char *)"Kerberos", (char *)REALM_NAME, (char *)user,
                                  (char *)before, (char *)after, FALSE, 0, NULL);
}

static bool logs_in(const char *user, const char *password)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    SECURITY_STATUS status;

    pair.target = TARGET;
    pair_identity(user, REALM_NAME, password, &identity);
    TEST_REQUIRE_EQUAL(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    status = pair_initialize(&pair, NULL, 0);
    pair_end(&pair);
    TEST_REQUIRE(status >= 0 || status == SEC_E_LOGON_DENIED);
    return status >= 0;
}

/* ---- what it does ---- */

static void a_password_is_changed(void **state)
{
    (void)state;
    assert_int_equal(change("alice", "secret of alice", "another secret"), SEC_E_OK);
    assert_true(logs_in("alice", "another secret"));
    assert_false(logs_in("alice", "secret of alice"));
    assert_int_equal(change("alice", "another secret", "secret of alice"), SEC_E_OK);
    assert_true(logs_in("alice", "secret of alice"));
}

static const WCHAR *wide(const char *text, WCHAR *out)
{
    size_t i = 0;

    do
        out[i] = (WCHAR)(unsigned char)text[i];
    while (text[i++] != '\0');
    return out;
}

/* In UTF-16, by Negotiate, with the realm behind the name, and letters that are not ASCII. */
static void wide_names_do_the_same(void **state)
{
    WCHAR package[16], user[64], before[64], after[64] = {0x00DF, 0x20AC, 's', 'e', 'c', 'r', 0};

    (void)state;
    wide("Negotiate", package);
    wide("alice@" REALM_NAME, user);
    wide("secret of alice", before);
    assert_int_equal(ChangeAccountPasswordW(package, NULL, user, before, after, TRUE, 0, NULL),
                     SEC_E_OK);
    assert_true(logs_in("alice", "\xC3\x9F\xE2\x82\xACsecr"));
    assert_int_equal(change("alice", "\xC3\x9F\xE2\x82\xACsecr", "secret of alice"), SEC_E_OK);
}

static void an_expired_password_can_be_changed(void **state)
{
    (void)state;
    assert_false(logs_in("expired", "secret of expired"));
    assert_int_equal(change("expired", "secret of expired", "a new secret"), SEC_E_OK);
    assert_true(logs_in("expired", "a new secret"));
}

/* ---- what it refuses ---- */

static void who_is_not_who_he_says_is_denied(void **state)
{
    (void)state;
    assert_int_equal(change("alice", "no secret of hers", "another secret"), SEC_E_LOGON_DENIED);
    assert_int_equal(change("nobody", "secret of nobody", "another secret"), SEC_E_LOGON_DENIED);
    assert_int_equal(change("locked", "secret of locked", "another secret"), SEC_E_LOGON_DENIED);
    assert_int_equal(change("alice", "", "another secret"), SEC_E_LOGON_DENIED);
    assert_true(logs_in("alice", "secret of alice"));
}

static void rules_of_the_domain_have_a_status(void **state)
{
    char memory[8];
    SecBuffer buffer = {sizeof(memory), SECBUFFER_CHANGE_PASS_RESPONSE, memory};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};

    (void)state;
    assert_int_equal(change("strict", "Secret of strict", "Short"), REFUSED);
    assert_int_equal(change("strict", "Secret of strict", "longenoughofonekind"), REFUSED);
    assert_int_equal(change("strict", "Secret of strict", "Secret of strict"), REFUSED); /* again */
    /* A domain of Windows tells its rules; this one has words, for which there is no place. */
    assert_int_equal(ChangeAccountPasswordA((char *)"Kerberos", NULL, (char *)"strict",
                                            (char *)"Secret of strict", (char *)"Short", FALSE, 0,
                                            &out),
                     REFUSED);
    assert_null(buffer.pvBuffer);
    assert_int_equal(buffer.cbBuffer, 0);
    assert_int_equal(change("strict", "Secret of strict", "Another secret of his"), SEC_E_OK);
    assert_true(logs_in("strict", "Another secret of his"));
}

static SECURITY_STATUS of_package(const char *package)
{
    return ChangeAccountPasswordA((char *)package, NULL, (char *)"alice", (char *)"secret of alice",
                                  (char *)"another secret", FALSE, 0, NULL);
}

static void packages_without_passwords_say_so(void **state)
{
    (void)state;
    assert_int_equal(of_package(NULL), SEC_E_SECPKG_NOT_FOUND);
    assert_int_equal(of_package("No such package"), SEC_E_SECPKG_NOT_FOUND);
    assert_int_equal(of_package("NTLM"), SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(of_package("Schannel"), SEC_E_UNSUPPORTED_FUNCTION);
}

static SECURITY_STATUS with_output(SecBufferDesc *out)
{
    return ChangeAccountPasswordA((char *)"Kerberos", NULL, (char *)"alice",
                                  (char *)"secret of alice", (char *)"x", FALSE, 0, out);
}

static void arguments_are_looked_at(void **state)
{
    static char longest[2000];
    SecBuffer buffers[2] = {{0, SECBUFFER_TOKEN, NULL}, {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, buffers};

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    assert_int_equal(change(NULL, "a", "b"), SEC_E_INVALID_PARAMETER);
    assert_int_equal(change("alice", NULL, "b"), SEC_E_INVALID_PARAMETER);
    assert_int_equal(change("alice", "a", NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(change("alice", "a", longest), SEC_E_INVALID_PARAMETER);
    assert_int_equal(change("alice", "a", "\xFF"), SEC_E_INVALID_PARAMETER);
    assert_int_equal(change("", "a", "b"), SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(ChangeAccountPasswordA((char *)"Kerberos", NULL, (char *)"alice", (char *)"a",
                                            (char *)"b", FALSE, 1, NULL),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(with_output(&out), SEC_E_INVALID_TOKEN); /* no such buffer */
    buffers[0].BufferType = SECBUFFER_CHANGE_PASS_RESPONSE;
    out.cBuffers = 2;
    assert_int_equal(with_output(&out), SEC_E_INVALID_TOKEN); /* and only that */
    out.ulVersion = 7;
    assert_int_equal(with_output(&out), SEC_E_INVALID_TOKEN);
}

/* ---- servers that do not behave ---- */

static void use_server(uint16_t port)
{
    char lines[128];

    snprintf(lines, sizeof(lines), "kdc = 127.0.0.1:%u\nkpasswd_server = 127.0.0.1:%u\n",
             realm.port, port);
    realm_configure(&realm, lines, NULL);
}

static void with_fake(enum fake_kind kind)
{
    fake.upstream = realm.password_port;
    fake_kdc_start(&fake, kind);
    use_server(fake.port);
}

static void without_fake(void)
{
    fake_kdc_stop(&fake);
    use_server(realm.password_port);
}

static void no_server_is_no_authority(void **state)
{
    (void)state;
    realm_configure(&realm, NULL, NULL); /* a KDC, and nobody for passwords */
    assert_int_equal(change("alice", "secret of alice", "another secret"),
                     SEC_E_NO_AUTHENTICATING_AUTHORITY);
    use_server(1); /* where nobody listens */
    assert_int_equal(change("alice", "secret of alice", "another secret"),
                     SEC_E_NO_AUTHENTICATING_AUTHORITY);
    realm_configure(&realm, "kdc = 127.0.0.1:1\n", NULL);
    assert_int_equal(change("alice", "secret of alice", "another secret"),
                     SEC_E_NO_AUTHENTICATING_AUTHORITY);
    use_server(realm.password_port);
}

static void answers_of_others_are_no_authority(void **state)
{
    static const enum fake_kind kinds[] = {FAKE_GARBAGE, FAKE_BROKEN, FAKE_ERROR};

    (void)state;
    fake.error = 60;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        with_fake(kinds[i]);
        assert_int_equal(change("alice", "secret of alice", "another secret"),
                         SEC_E_NO_AUTHENTICATING_AUTHORITY);
        assert_int_equal(test_counter_get(&fake.requests), 1); /* nobody gets it twice */
        without_fake();
    }
    assert_true(logs_in("alice", "secret of alice"));
}

static void datagrams_do_where_streams_do_not(void **state)
{
    (void)state;
    with_fake(FAKE_DATAGRAMS);
    assert_int_equal(change("alice", "secret of alice", "another secret"), SEC_E_OK);
    assert_int_equal(change("alice", "another secret", "secret of alice"), SEC_E_OK);
    assert_int_equal(test_counter_get(&fake.requests), 2);
    without_fake();
}

/* OSSPI_DAMAGE_ROUNDS: for longer. */
static unsigned rounds(void)
{
    const char *text = getenv("OSSPI_DAMAGE_ROUNDS");

    return text ? (unsigned)strtoul(text, NULL, 10) : TEST_ROUNDS(20);
}

/* The password may be another one then: what the client hears is another matter. */
static void damaged_answers_harm_nothing(void **state)
{
    (void)state;
    fake.seed = 20260607;
    with_fake(FAKE_DAMAGED);
    for (unsigned i = 0; i < rounds(); i++) {
        const SECURITY_STATUS status = change("alice", "secret of alice", "secret of alice");

        assert_true(status == SEC_E_OK || status == SEC_E_NO_AUTHENTICATING_AUTHORITY);
    }
    without_fake();
}

/* ---- a default deadline, which is set once in a process ---- */

static bool none_given_up(void *data)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    return statistics.calls_abandoned_running == 0;
}

static int silent_server(void *data)
{
    const OsspiOptions options = {.cbSize = sizeof(options), .default_timeout_ms = 300};
    SecBuffer buffer = {7, SECBUFFER_CHANGE_PASS_RESPONSE, (void *)"untouched"};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};
    unsigned sockets;

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    sockets = open_sockets();
    with_fake(FAKE_SILENT);
    TEST_REQUIRE_EQUAL(with_output(&out), TIMED_OUT);
    TEST_REQUIRE(buffer.cbBuffer == 7);
    /* What was given up comes back, and closes what it had open. */
    test_poll(none_given_up, NULL);
    fake_kdc_stop(&fake);
    TEST_REQUIRE_EQUAL(open_sockets(), sockets);
    return 0;
}

static int good_server(void *data)
{
    const OsspiOptions options = {.cbSize = sizeof(options), .default_timeout_ms = 100000};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    TEST_REQUIRE_EQUAL(change("bob", "secret of bob", "another secret"), SEC_E_OK);
    TEST_REQUIRE_EQUAL(change("bob", "secret of bob", "a third"), SEC_E_LOGON_DENIED);
    TEST_REQUIRE_EQUAL(change("bob", "another secret", "secret of bob"), SEC_E_OK);
    return 0;
}

static void a_default_deadline_ends_it(void **state)
{
    (void)state;
    assert_int_equal(test_child_join(test_child_fork(silent_server, NULL)), 0);
    use_server(realm.password_port);
    assert_int_equal(test_child_join(test_child_fork(good_server, NULL)), 0);
}

static int group_setup(void **state)
{
    (void)state;
    realm_start(&realm);
    realm_start_passwords(&realm);
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
        cmocka_unit_test(a_default_deadline_ends_it), /* before this process has settings */
        cmocka_unit_test(a_password_is_changed),
        cmocka_unit_test(wide_names_do_the_same),
        cmocka_unit_test(an_expired_password_can_be_changed),
        cmocka_unit_test(who_is_not_who_he_says_is_denied),
        cmocka_unit_test(rules_of_the_domain_have_a_status),
        cmocka_unit_test(packages_without_passwords_say_so),
        cmocka_unit_test(arguments_are_looked_at),
        cmocka_unit_test(no_server_is_no_authority),
        cmocka_unit_test(answers_of_others_are_no_authority),
        cmocka_unit_test(datagrams_do_where_streams_do_not),
        cmocka_unit_test(damaged_answers_harm_nothing),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
