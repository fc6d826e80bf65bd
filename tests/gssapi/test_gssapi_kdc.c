/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * KDCs that answer late, wrongly or never, and name servers that do: what a call says then, that it
 * ends with its deadline or when it is cancelled, and that nothing of it is left.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/fake_kdc.h"
#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "packages/gssapi/dns.h"
#include "support/test_util.h"

#define TARGET    "HTTP/server.test"
#define TIMED_OUT HRESULT_FROM_WIN32(ERROR_TIMEOUT)
#define CANCELLED HRESULT_FROM_WIN32(ERROR_CANCELLED)
#define SHORT_MS  150u
#define MANY      24u

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;
static struct fake_kdc fake;

/* ---- one call ---- */

/* A first leg, asynchronous, with all that belongs to it. */
struct call {
    SspiAsyncContext *async;
    CtxtHandle context;
    SecBuffer buffer;
    SecBufferDesc out;
    ULONG attributes;
    unsigned char token[PAIR_TOKEN];
    struct test_counter callbacks;
};

static void on_done(SspiAsyncContext *async, void *data)
{
    struct call *call = data;

    (void)async;
    test_counter_add(&call->callbacks, 1);
}

static void call_start(struct call *call, ULONG timeout_ms)
{
    SecInvalidateHandle(&call->context);
    call->async = SspiCreateAsyncContext();
    test_counter_init(&call->callbacks);
    call->buffer = (SecBuffer){PAIR_TOKEN, SECBUFFER_TOKEN, call->token};
    call->out = (SecBufferDesc){SECBUFFER_VERSION, 1, &call->buffer};
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(call->async, on_done, call), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call->async, timeout_ms), SEC_E_OK);
    TEST_REQUIRE_EQUAL(
        SspiInitializeSecurityContextAsyncA(call->async, &pair.client.credential, NULL,
                                            (char *)TARGET, ISC_REQ_MUTUAL_AUTH, 0, 0, NULL, 0,
                                            &call->context, &call->out, &call->attributes, NULL),
        SEC_E_OK);
}

/* The status, of which exactly one callback tells. */
static SECURITY_STATUS call_end(struct call *call)
{
    SECURITY_STATUS status;

    test_counter_await(&call->callbacks, 1);
    status = SspiGetAsyncCallStatus(call->async);
    if (status >= 0)
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&call->context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(test_counter_get(&call->callbacks), 1);
    SspiFreeAsyncContext(call->async);
    return status;
}

/* A call that computes at this moment cannot be cancelled; it soon waits again. */
static bool cancelled(void *data)
{
    const struct call *call = data;

    return OsspiCancelAsyncCall(call->async) == SEC_E_OK;
}

/* ---- what is left ---- */

static bool none_given_up(void *data)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    return statistics.calls_abandoned_running == 0;
}

/* Calls that were given up come back by themselves, and close what they had open. */
static void require_baseline(unsigned sockets)
{
    test_poll(none_given_up, NULL);
    TEST_REQUIRE_EQUAL(open_sockets(), sockets);
}

/* ---- the realm as it is to be ---- */

static void use_kdcs(const char *kdcs, const char *more)
{
    realm_configure(&realm, kdcs, more);
}

static void acquire(const char *user, const char *password)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    pair.target = TARGET;
    pair_identity(user, REALM_NAME, password, &identity);
    TEST_REQUIRE_EQUAL(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
}

static SECURITY_STATUS first_leg(const char *user, const char *password, const char *target)
{
    SECURITY_STATUS status;

    acquire(user, password);
    pair.target = target;
    status = pair_initialize(&pair, NULL, 0);
    pair_end(&pair);
    return status;
}

static SECURITY_STATUS alice(void)
{
    return first_leg("alice", "secret of alice", TARGET);
}

static void with_fake(enum fake_kind kind, bool and_true, const char *more)
{
    char kdcs[128];
    int len;

    fake.upstream = realm.port;
    fake_kdc_start(&fake, kind);
    len = snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n", fake.port);
    if (and_true)
        snprintf(kdcs + len, sizeof(kdcs) - (size_t)len, "kdc = 127.0.0.1:%u\n", realm.port);
    use_kdcs(kdcs, more);
}

static void without_fake(void)
{
    fake_kdc_stop(&fake);
    use_kdcs(NULL, NULL);
}

#define ONLY_STREAMS "udp_preference_limit = 1\n"

/* ---- what it says ---- */

static void s4_3_each_refusal_has_its_status(void **state)
{
    (void)state;
    assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(first_leg("alice", "wrong", TARGET), SEC_E_LOGON_DENIED);
    assert_int_equal(first_leg("alice", NULL, TARGET), SEC_E_LOGON_DENIED);
    assert_int_equal(first_leg("nobody", "x", TARGET), SEC_E_LOGON_DENIED);
    assert_int_equal(first_leg("locked", "secret of locked", TARGET), SEC_E_LOGON_DENIED);
    assert_int_equal(first_leg("expired", "secret of expired", TARGET), SEC_E_LOGON_DENIED);
    assert_int_equal(first_leg("alice", "secret of alice", "HTTP/unknown.test"),
                     SEC_E_TARGET_UNKNOWN);
    assert_int_equal(first_leg("alice", "secret of alice", "a\\"), SEC_E_TARGET_UNKNOWN);
    assert_int_equal(first_leg("alice", "secret of alice", NULL), SEC_E_TARGET_UNKNOWN);
}

static void s4_3_errors_of_a_kdc_have_their_status(void **state)
{
    static const struct {
        int error;
        SECURITY_STATUS status;
    } rows[] = {
        {37, SEC_E_TIME_SKEW},
        {6, SEC_E_LOGON_DENIED},
        {7, SEC_E_TARGET_UNKNOWN},
        {18, SEC_E_LOGON_DENIED},
        {23, SEC_E_LOGON_DENIED},
        {24, SEC_E_LOGON_DENIED},
        {60, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fake.error = rows[i].error;
        with_fake(FAKE_ERROR, false, NULL);
        assert_int_equal(alice(), rows[i].status);
        without_fake();
    }
}

static void nobody_there_is_no_authority(void **state)
{
    char kdcs[64];

    (void)state;
    /* A port that nobody has. */
    fake_kdc_start(&fake, FAKE_SILENT);
    fake_kdc_stop(&fake);
    snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n", fake.port);
    use_kdcs(kdcs, NULL);
    assert_int_equal(alice(), SEC_E_NO_AUTHENTICATING_AUTHORITY);
    /* And a realm that has no KDC. */
    use_kdcs("", NULL);
    assert_int_equal(alice(), SEC_E_NO_AUTHENTICATING_AUTHORITY);
    use_kdcs(NULL, NULL);
}

/* ---- who comes second ---- */

static void a_dead_first_leaves_the_second(void **state)
{
    (void)state;
    with_fake(FAKE_SILENT, true, NULL);
    assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
    assert_true(test_counter_get(&fake.requests) > 0);
    without_fake();
    with_fake(FAKE_SILENT, true, ONLY_STREAMS);
    assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
    assert_true(test_counter_get(&fake.requests) > 0);
    without_fake();
}

static void garbage_leaves_the_second(void **state)
{
    (void)state;
    with_fake(FAKE_GARBAGE, true, NULL);
    assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
    assert_true(test_counter_get(&fake.answers) > 0);
    without_fake();
    with_fake(FAKE_GARBAGE, true, ONLY_STREAMS);
    assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
    assert_true(test_counter_get(&fake.answers) > 0);
    without_fake();
}

static void who_is_unavailable_leaves_the_second(void **state)
{
    (void)state;
    fake.error = 29; /* KDC_ERR_SVC_UNAVAILABLE */
    with_fake(FAKE_ERROR, true, NULL);
    assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
    assert_true(test_counter_get(&fake.answers) > 0);
    without_fake();
}

static void garbage_alone_is_no_authority(void **state)
{
    (void)state;
    with_fake(FAKE_GARBAGE, false, ONLY_STREAMS);
    /* The stream is given up at once; datagrams may still bring a true answer, so they are waited
     * for until the deadline. */
    acquire("alice", "secret of alice");
    {
        static struct call call; /* guarded: one thread */

        call_start(&call, SHORT_MS);
        assert_int_equal(call_end(&call), TIMED_OUT);
    }
    pair_end(&pair);
    assert_true(test_counter_get(&fake.answers) > 0);
    without_fake();
    with_fake(FAKE_BROKEN, false, NULL);
    assert_int_equal(alice(), SEC_E_NO_AUTHENTICATING_AUTHORITY);
    without_fake();
}

static void too_big_goes_over_a_stream(void **state)
{
    (void)state;
    with_fake(FAKE_TOO_BIG, false, NULL);
    assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
    assert_true(test_counter_get(&fake.answers) >= 4);
    without_fake();
}

/* ---- deadlines and cancels ---- */

static void silence_ends_with_the_deadline(void **state)
{
    static struct call calls[MANY]; /* guarded: one thread */
    const unsigned sockets = open_sockets();

    (void)state;
    for (unsigned streams = 0; streams < 2; streams++) {
        with_fake(FAKE_SILENT, false, streams ? ONLY_STREAMS : NULL);
        acquire("alice", "secret of alice");
        for (unsigned i = 0; i < MANY; i++)
            call_start(&calls[i], SHORT_MS);
        for (unsigned i = 0; i < MANY; i++)
            assert_int_equal(call_end(&calls[i]), TIMED_OUT);
        pair_end(&pair);
        without_fake();
        require_baseline(sockets);
    }
}

static void silence_can_be_cancelled(void **state)
{
    static struct call calls[MANY]; /* guarded: one thread */
    const unsigned sockets = open_sockets();

    (void)state;
    for (unsigned streams = 0; streams < 2; streams++) {
        with_fake(FAKE_SILENT, false, streams ? ONLY_STREAMS : NULL);
        acquire("alice", "secret of alice");
        for (unsigned i = 0; i < MANY; i++)
            call_start(&calls[i], 0);
        test_counter_await(&fake.requests, 1);
        for (unsigned i = 0; i < MANY; i++)
            test_poll(cancelled, &calls[i]);
        for (unsigned i = 0; i < MANY; i++)
            assert_int_equal(call_end(&calls[i]), CANCELLED);
        pair_end(&pair);
        without_fake();
        require_baseline(sockets);
    }
}

/* As many as one class may have at once have sent their request. */
static bool all_wait(void *data)
{
    const unsigned *before = data;

    return open_sockets() >= *before + 16;
}

/* Users of a silent realm on their way to a server of another fill their own class, and not that of
 * the server's realm. */
static void a_silent_realm_of_users_holds_up_no_other(void **state)
{
    static struct call calls[MANY], other; /* guarded: one thread */
    const unsigned sockets = open_sockets();
    SEC_WINNT_AUTH_IDENTITY_A identity;
    CredHandle silent;
    char more[128];

    (void)state;
    fake_kdc_start(&fake, FAKE_SILENT);
    snprintf(more, sizeof(more),
             "[realms]\nSILENT.TEST = {\nkdc = 127.0.0.1:%u\n}\n[libdefaults]\n", fake.port);
    use_kdcs(NULL, more);
    pair_identity("somebody", "SILENT.TEST", "x", &identity);
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    silent = pair.client.credential;
    for (unsigned i = 0; i < MANY; i++)
        call_start(&calls[i], 0);
    test_poll(all_wait, (void *)(uintptr_t)&sockets);
    acquire("alice", "secret of alice");
    call_start(&other, 0);
    assert_int_equal(call_end(&other), SEC_I_CONTINUE_NEEDED);
    for (unsigned i = 0; i < MANY; i++)
        test_poll(cancelled, &calls[i]);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(call_end(&calls[i]), CANCELLED);
    assert_int_equal(FreeCredentialsHandle(&silent), SEC_E_OK);
    pair_end(&pair);
    without_fake();
    require_baseline(sockets);
}

static void a_late_answer_harms_nothing(void **state)
{
    static struct call call; /* guarded: one thread */
    const unsigned sockets = open_sockets();

    (void)state;
    for (unsigned streams = 0; streams < 2; streams++) {
        with_fake(FAKE_LATE, false, streams ? ONLY_STREAMS : NULL);
        acquire("alice", "secret of alice");
        call_start(&call, SHORT_MS);
        assert_int_equal(call_end(&call), TIMED_OUT);
        test_gate_open(&fake.gate); /* the answer to the first request comes now */
        test_counter_await(&fake.requests, 1);
        /* The credential is as good as before. */
        call_start(&call, 0);
        assert_int_equal(call_end(&call), SEC_I_CONTINUE_NEEDED);
        pair_end(&pair);
        without_fake();
        require_baseline(sockets);
    }
}

/* ---- the primary one ---- */

/* Which knows of a change before the others do; asked once more, and only if it was not. */
static void the_primary_kdc_has_the_last_word(void **state)
{
    static const char *const keys[] = {"primary_kdc", "master_kdc"};
    char kdcs[128];
    uint64_t asked;

    (void)state;
    fake.error = 24; /* KDC_ERR_PREAUTH_FAILED */
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        with_fake(FAKE_OLD, false, NULL);
        snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n%s = 127.0.0.1:%u\n", fake.port, keys[i],
                 realm.port);
        use_kdcs(kdcs, NULL);
        assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
        without_fake();
    }
    with_fake(FAKE_OLD, false, NULL);
    snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\nprimary_kdc = 127.0.0.1:%u\n", fake.port,
             fake.port);
    use_kdcs(kdcs, NULL);
    assert_int_equal(alice(), SEC_E_LOGON_DENIED);
    asked = test_counter_get(&fake.requests);
    snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n", fake.port);
    use_kdcs(kdcs, NULL);
    assert_int_equal(alice(), SEC_E_LOGON_DENIED);
    assert_int_equal(test_counter_get(&fake.requests), 2 * asked); /* as often as without */
    use_kdcs(NULL, NULL);
    without_fake();
}

/* ---- name servers ---- */

static void with_dns(struct fake_dns *dns, uint16_t kdc_port, const char *uri)
{
    static char servers[32]; /* guarded: one thread; the library keeps the address */

    dns->uri = uri;
    fake_dns_start(dns, kdc_port);
    snprintf(servers, sizeof(servers), "127.0.0.1:%u", dns->port);
    osspi_dns_use_servers(servers);
    use_kdcs("", "dns_lookup_kdc = true\n");
}

static void dns_tells_where_the_kdc_is(void **state)
{
    struct fake_dns dns;

    (void)state;
    with_dns(&dns, realm.port, NULL);
    assert_int_equal(alice(), SEC_I_CONTINUE_NEEDED);
    assert_true(test_counter_get(&dns.requests) >= 2);
    fake_dns_stop(&dns);
    use_kdcs(NULL, NULL);
}

/* They come before what SRV records say, unless they are not understood, or not wanted. */
static void dns_tells_it_in_uris_too(void **state)
{
    static const struct {
        const char *way, *more;
        SECURITY_STATUS status;
    } rows[] = {
        {"krb5srv:m:udp:127.0.0.1", "", SEC_I_CONTINUE_NEEDED},
        {"KRB5SRV::TCP:kdc.opensspi.test", "", SEC_I_CONTINUE_NEEDED},
        {"krb5srv:m:kkdcp:https://127.0.0.1/KdcProxy", "", SEC_E_NO_AUTHENTICATING_AUTHORITY},
        {"krb5srv::udp:127.0.0.1", "dns_uri_lookup = false\n", SEC_E_NO_AUTHENTICATING_AUTHORITY},
    };
    struct fake_dns dns;
    char uri[80], more[80];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(uri, sizeof(uri), "%s:%u", rows[i].way, realm.port);
        snprintf(more, sizeof(more), "dns_lookup_kdc = true\n%s", rows[i].more);
        with_dns(&dns, 1, uri); /* where SRV points nobody is */
        use_kdcs("", more);
        assert_int_equal(alice(), rows[i].status);
        fake_dns_stop(&dns);
    }
    use_kdcs(NULL, NULL);
}

static void a_silent_name_server_ends_with_the_deadline(void **state)
{
    static struct call calls[MANY]; /* guarded: one thread */
    const unsigned sockets = open_sockets();
    struct fake_dns dns;

    (void)state;
    with_dns(&dns, 0, NULL);
    acquire("alice", "secret of alice");
    for (unsigned i = 0; i < MANY; i++)
        call_start(&calls[i], i % 2 ? SHORT_MS : 0);
    test_counter_await(&dns.requests, 1);
    for (unsigned i = 0; i < MANY; i += 2)
        test_poll(cancelled, &calls[i]);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(call_end(&calls[i]), i % 2 ? TIMED_OUT : CANCELLED);
    pair_end(&pair);
    fake_dns_stop(&dns);
    require_baseline(sockets);
    use_kdcs(NULL, NULL);
}

static int group_setup(void **state)
{
    (void)state;
    realm_start(&realm);
    pair.client_flags = ISC_REQ_MUTUAL_AUTH;
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
        cmocka_unit_test(s4_3_each_refusal_has_its_status),
        cmocka_unit_test(s4_3_errors_of_a_kdc_have_their_status),
        cmocka_unit_test(nobody_there_is_no_authority),
        cmocka_unit_test(a_dead_first_leaves_the_second),
        cmocka_unit_test(garbage_leaves_the_second),
        cmocka_unit_test(who_is_unavailable_leaves_the_second),
        cmocka_unit_test(garbage_alone_is_no_authority),
        cmocka_unit_test(too_big_goes_over_a_stream),
        cmocka_unit_test(silence_ends_with_the_deadline),
        cmocka_unit_test(silence_can_be_cancelled),
        cmocka_unit_test(a_silent_realm_of_users_holds_up_no_other),
        cmocka_unit_test(a_late_answer_harms_nothing),
        cmocka_unit_test(dns_tells_where_the_kdc_is),
        cmocka_unit_test(dns_tells_it_in_uris_too),
        cmocka_unit_test(the_primary_kdc_has_the_last_word),
        cmocka_unit_test(a_silent_name_server_ends_with_the_deadline),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
