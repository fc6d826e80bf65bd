/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A device that hangs, or answers late: calls that need it are given up at their deadline, exactly
 * one callback each, and nobody else notices. The process forks and exits meanwhile as if nothing
 * were.
 *
 * What hangs goes on hanging until the module is told otherwise, so nothing here depends on how
 * long anything takes; deadlines are short, and passing late does no harm.
 */
#include <opensspi.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/tls_later.h"
#include "token/token_util.h"

TEST_FORKS_WITH_THREADS;

#define TIMED_OUT HRESULT_FROM_WIN32(ERROR_TIMEOUT)

/* The blocking lane has AT_ONCE places for one class. */
enum { SHORT_MS = 200, MANY = 20, AT_ONCE = 16 };

static const char *program; /* set once, by main() */

/* ---- one asynchronous first leg of a server ---- */

struct call {
    SspiAsyncContext *async;
    struct test_counter called;
    CtxtHandle context;
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    TimeStamp expiry;
    uint8_t room[16384];
};

static void on_done(SspiAsyncContext *async, void *data)
{
    (void)async;
    test_counter_add(&((struct call *)data)->called, 1);
}

static void call_prepare(struct call *call, ULONG timeout_ms)
{
    memset(call, 0, sizeof(*call));
    test_counter_init(&call->called);
    call->async = SspiCreateAsyncContext();
    TEST_REQUIRE(call->async != NULL);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(call->async, on_done, call), SEC_E_OK);
    if (timeout_ms > 0)
        TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call->async, timeout_ms), SEC_E_OK);
}

static void call_accept(struct call *call, PCredHandle credential, const struct peer_stream *hello)
{
    call->in[0] = (SecBuffer){(ULONG)hello->len, SECBUFFER_TOKEN, hello->bytes};
    call->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    call->out[0] = (SecBuffer){sizeof(call->room), SECBUFFER_TOKEN, call->room};
    call->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, call->in};
    call->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, call->out};
    TEST_REQUIRE_EQUAL(SspiAcceptSecurityContextAsync(
                           call->async, credential, NULL, &call->in_desc, 0, SECURITY_NATIVE_DREP,
                           &call->context, &call->out_desc, &call->attributes, &call->expiry),
                       SEC_E_OK);
}

static SECURITY_STATUS call_finish(struct call *call)
{
    SECURITY_STATUS status;

    test_counter_await(&call->called, 1);
    status = SspiGetAsyncCallStatus(call->async);
    SspiFreeAsyncContext(call->async);
    TEST_REQUIRE_EQUAL(test_counter_get(&call->called), 1);
    return status;
}

static bool nothing_runs(void *data)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    return statistics.calls_abandoned_running == 0;
}

/* The device answers again, and everybody who was stuck in it comes back. */
static void release_device(void)
{
    token_mode(NULL);
    test_poll(nothing_runs, NULL);
}

/* A handshake of others: keys in files. */
static void connect_others(const struct peer_form *form)
{
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    peer_exchange(&pair);
    peer_close(&pair);
}

/* ---- legs ---- */

static void hanging_leg_ends_at_deadline(void **state)
{
    const size_t before = token_inside();
    struct peer_pair pair;
    struct call call;

    (void)state;
    token_open(&pair, PEER_ASYNC, 0, "server");
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    token_mode("hang sign");
    call_prepare(&call, SHORT_MS);
    call_accept(&call, &pair.server.credential, &pair.server.in);
    token_await_inside(before + 1);
    connect_others(PEER_ASYNC);
    connect_others(PEER_SYNC);
    assert_int_equal(call_finish(&call), TIMED_OUT);
    assert_false(SecIsValidHandle(&call.context) && call.context.dwLower != 0);
    release_device();
    peer_close(&pair);
}

/* Later legs of a context that was given up. */
static void hanging_client_leg_spoils_context(void **state)
{
    const size_t before = token_inside();
    struct peer_pair pair;
    struct call call;
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 2, in};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, out};
    uint8_t *room = malloc(PEER_OUT_SIZE);

    (void)state;
    peer_end_init(&pair.client, PEER_ASYNC, false);
    peer_end_init(&pair.server, PEER_ASYNC, true);
    assert_int_equal(token_acquire(&pair.client, 0, token_chain("client")), SEC_E_OK);
    assert_int_equal(peer_end_acquire(&pair.server, 0, 0, "server", false), SEC_E_OK);
    pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    peer_half_connect(&pair);
    token_mode("hang sign");
    in[0] = (SecBuffer){(ULONG)pair.client.in.len, SECBUFFER_TOKEN, pair.client.in.bytes};
    in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    out[0] = (SecBuffer){PEER_OUT_SIZE, SECBUFFER_TOKEN, room};
    call_prepare(&call, SHORT_MS);
    assert_int_equal(SspiInitializeSecurityContextAsyncA(
                         call.async, &pair.client.credential, &pair.client.context, NULL, 0, 0,
                         SECURITY_NATIVE_DREP, &in_desc, 0, &pair.client.context, &out_desc,
                         &call.attributes, &call.expiry),
                     SEC_E_OK);
    token_await_inside(before + 1);
    assert_int_equal(call_finish(&call), TIMED_OUT);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_CONTEXT_EXPIRED);
    peer_end_disconnect(&pair.client); /* while it is stuck */
    release_device();
    free(room);
    peer_close(&pair);
}

/* A leg of an established server may be the first to see the ClientHello that renegotiates, and
 * signs in it. It leaves the CPU lane for that, so that the deadline ends it. */
static void hanging_renegotiation_ends_at_deadline(void **state)
{
    const size_t before = token_inside();
    struct peer_pair pair;
    struct call call;

    (void)state;
    token_open(&pair, PEER_ASYNC, SP_PROT_TLS1_2_CLIENT, "server");
    assert_int_equal(later_allow(&pair.client, OSSPI_TLS_RENEGOTIATION, 0), SEC_E_OK);
    assert_int_equal(later_allow(&pair.server, OSSPI_TLS_RENEGOTIATION, 0), SEC_E_OK);
    peer_connect(&pair);
    assert_int_equal(later_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    token_mode("hang sign");
    call_prepare(&call, SHORT_MS);
    call.in[0] = (SecBuffer){(ULONG)pair.server.in.len, SECBUFFER_TOKEN, pair.server.in.bytes};
    call.in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    call.out[0] = (SecBuffer){sizeof(call.room), SECBUFFER_TOKEN, call.room};
    call.in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, call.in};
    call.out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, call.out};
    assert_int_equal(SspiAcceptSecurityContextAsync(call.async, &pair.server.credential,
                                                    &pair.server.context, &call.in_desc, 0,
                                                    SECURITY_NATIVE_DREP, &pair.server.context,
                                                    &call.out_desc, &call.attributes, &call.expiry),
                     SEC_E_OK);
    token_await_inside(before + 1);
    assert_int_equal(call_finish(&call), TIMED_OUT);
    release_device();
    peer_close(&pair);
}

static void many_hanging_legs_stall_nobody(void **state)
{
    const size_t before = token_inside();
    struct call *calls = calloc(MANY, sizeof(*calls));
    struct peer_pair pair;

    (void)state;
    assert_non_null(calls);
    token_open(&pair, PEER_ASYNC, 0, "server-rsa");
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    token_mode("hang sign");
    for (int i = 0; i < MANY; i++) {
        call_prepare(&calls[i], 5 * SHORT_MS);
        call_accept(&calls[i], &pair.server.credential, &pair.server.in);
    }
    token_await_inside(before + 1);
    for (int i = 0; i < 5; i++)
        connect_others(PEER_ASYNC);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(call_finish(&calls[i]), TIMED_OUT);
    connect_others(PEER_ASYNC);
    release_device();
    free(calls);
    peer_close(&pair);
}

static void late_answer_is_good(void **state)
{
    const size_t before = token_inside();
    struct peer_pair pair;
    struct call call;

    (void)state;
    token_open(&pair, PEER_ASYNC, 0, "server");
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    token_mode("hang sign");
    call_prepare(&call, 0);
    call_accept(&call, &pair.server.credential, &pair.server.in);
    token_await_inside(before + 1);
    token_mode(NULL);
    assert_int_equal(call_finish(&call), SEC_I_CONTINUE_NEEDED);
    assert_true(call.out[0].cbBuffer > 0);
    assert_int_equal(DeleteSecurityContext(&call.context), SEC_E_OK);
    peer_close(&pair);
}

static void hanging_leg_can_be_cancelled(void **state)
{
    const size_t before = token_inside();
    struct peer_pair pair;
    struct call call;

    (void)state;
    token_open(&pair, PEER_ASYNC, 0, "server");
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    token_mode("hang sign");
    call_prepare(&call, 0);
    call_accept(&call, &pair.server.credential, &pair.server.in);
    token_await_inside(before + 1);
    assert_int_equal(OsspiCancelAsyncCall(call.async), SEC_E_OK);
    assert_int_equal(call_finish(&call), HRESULT_FROM_WIN32(ERROR_CANCELLED));
    release_device();
    peer_close(&pair);
}

/* ---- acquire ---- */

/* A key that is open already is tried, and that hangs. */
static void hanging_acquire_ends_at_deadline(void **state)
{
    const size_t before = token_inside();
    PCCERT_CONTEXT certificate = token_chain("server");
    SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION, .cCreds = 1, .paCred = &certificate};
    char package[] = UNISP_NAME_A;
    CredHandle credential;
    struct call call;

    (void)state;
    token_mode("hang sign");
    call_prepare(&call, SHORT_MS);
    SecInvalidateHandle(&credential);
    assert_int_equal(SspiAcquireCredentialsHandleAsyncA(call.async, NULL, package,
                                                        SECPKG_CRED_INBOUND, NULL, &auth, NULL,
                                                        NULL, &credential, &call.expiry),
                     SEC_E_OK);
    token_await_inside(before + 1);
    connect_others(PEER_ASYNC);
    assert_int_equal(call_finish(&call), TIMED_OUT);
    assert_false(SecIsValidHandle(&credential));
    release_device();
    CertFreeCertificateContext(certificate);
}

/* ---- fork ---- */

struct inherited {
    struct peer_pair *pair;
    PCCERT_CONTEXT certificate;
};

static int use_in_child(void *data)
{
    struct inherited *inherited = data;
    struct peer_pair own;

    for (size_t i = 0; i < PEER_FORMS; i++) {
        inherited->pair->client.form = inherited->pair->server.form = &peer_forms[i];
        peer_connect(inherited->pair);
        peer_exchange(inherited->pair);
        peer_disconnect(inherited->pair);

        peer_end_init(&own.client, &peer_forms[i], false);
        peer_end_init(&own.server, &peer_forms[i], true);
        TEST_REQUIRE_EQUAL(peer_end_acquire(&own.client, 0, 0, NULL, false), SEC_E_OK);
        TEST_REQUIRE_EQUAL(
            token_acquire(&own.server, 0, CertDuplicateCertificateContext(inherited->certificate)),
            SEC_E_OK);
        peer_connect(&own);
        peer_exchange(&own);
        peer_close(&own);
    }
    return 0;
}

static void child_uses_credential_at_once(void **state)
{
    struct peer_pair pair;
    struct inherited inherited = {.pair = &pair, .certificate = token_chain("server-rsa")};

    (void)state;
    token_open(&pair, PEER_ASYNC, 0, "server-rsa");
    peer_connect(&pair);
    peer_disconnect(&pair);
    for (int i = 0; i < 3; i++) {
        if (TEST_SANITIZED)
            test_await_quiet();
        assert_int_equal(test_child_join(test_child_fork(use_in_child, &inherited)), 0);
    }
    peer_connect(&pair);
    peer_exchange(&pair);
    CertFreeCertificateContext(inherited.certificate);
    peer_close(&pair);
}

static int connect_others_in_child(void *data)
{
    (void)data;
    connect_others(PEER_SYNC);
    connect_others(PEER_ASYNC);
    return 0;
}

/* fork() does not wait for a device; the child has no part in what hangs. */
static void fork_beside_hanging_leg(void **state)
{
    const size_t before = token_inside();
    struct peer_pair pair;
    struct call call;

    (void)state;
    token_open(&pair, PEER_ASYNC, 0, "server");
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    token_mode("hang sign");
    call_prepare(&call, 0);
    call_accept(&call, &pair.server.credential, &pair.server.in);
    token_await_inside(before + 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(test_child_join(test_child_fork(connect_others_in_child, NULL)), 0);
    connect_others(PEER_ASYNC);
    token_mode(NULL);
    assert_int_equal(call_finish(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(DeleteSecurityContext(&call.context), SEC_E_OK);
    peer_close(&pair);
}

/* ---- programs of their own ---- */

static int run_self(char *what)
{
    char *arguments[] = {(char *)(uintptr_t)program, what, NULL};
    pid_t child;

    assert_int_equal(posix_spawn(&child, program, NULL, NULL, arguments, environ), 0);
    return test_child_join(child);
}

static void process_exits_beside_hanging_legs(void **state)
{
    char what[] = "exit";

    (void)state;
    if (TEST_TSAN)
        skip(); /* a module that ends beside a thread that hangs in it is a race of its own */
    assert_int_equal(run_self(what), 0);
    token_mode(NULL);
}

static int exit_with_hanging_legs(void)
{
    static struct call calls[MANY];
    const size_t before = token_inside();
    struct peer_pair pair;

    token_open(&pair, PEER_ASYNC, 0, "server");
    TEST_REQUIRE_EQUAL(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    token_mode("hang sign");
    for (int i = 0; i < MANY; i++) {
        call_prepare(&calls[i], 0);
        call_accept(&calls[i], &pair.server.credential, &pair.server.in);
    }
    token_await_inside(before + 1);
    test_await_quiet(); /* all are stuck: in the module, or behind one that is */
    return 0;           /* with all of them stuck */
}

/* Nobody is in the module any more when it ends. */
static void process_exits_beside_busy_legs(void **state)
{
    char what[] = "busy";

    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(run_self(what), 0);
}

static int exit_with_busy_legs(void)
{
    static struct call calls[AT_ONCE / 2];
    struct peer_pair pair;

    connect_others(PEER_ASYNC); /* so that the library is in use before the module is loaded */
    token_open(&pair, PEER_ASYNC, 0, "server-rsa");
    TEST_REQUIRE_EQUAL(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    for (int i = 0; i < AT_ONCE / 2; i++) {
        call_prepare(&calls[i], 0);
        call_accept(&calls[i], &pair.server.credential, &pair.server.in);
    }
    return 0;
}

/* The default deadline bounds synchronous calls too. */
static void synchronous_calls_are_bounded(void **state)
{
    char what[] = "bounded";

    (void)state;
    assert_int_equal(run_self(what), 0);
}

static int run_bounded(void)
{
    const OsspiOptions options = {.cbSize = sizeof(options), .default_timeout_ms = 2000};
    PCCERT_CONTEXT certificate;
    struct peer_pair pair;
    struct peer_end late;

    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    token_open(&pair, PEER_SYNC, 0, "server");
    certificate = token_chain("server");
    token_mode("hang sign");
    TEST_REQUIRE_EQUAL(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(peer_step(&pair.server, &pair.client), TIMED_OUT);
    peer_end_init(&late, PEER_SYNC, true);
    TEST_REQUIRE_EQUAL(token_acquire(&late, 0, certificate), TIMED_OUT);
    release_device();
    peer_close(&pair);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hanging_leg_ends_at_deadline),
        cmocka_unit_test(hanging_client_leg_spoils_context),
        cmocka_unit_test(hanging_renegotiation_ends_at_deadline),
        cmocka_unit_test(many_hanging_legs_stall_nobody),
        cmocka_unit_test(late_answer_is_good),
        cmocka_unit_test(hanging_leg_can_be_cancelled),
        cmocka_unit_test(hanging_acquire_ends_at_deadline),
        cmocka_unit_test(child_uses_credential_at_once),
        cmocka_unit_test(fork_beside_hanging_leg),
        cmocka_unit_test(process_exits_beside_hanging_legs),
        cmocka_unit_test(process_exits_beside_busy_legs),
        cmocka_unit_test(synchronous_calls_are_bounded),
    };

    program = argv[0];
    token_begin();
    if (argc == 2) {
        peer_set_up(NULL);
        if (strcmp(argv[1], "busy") == 0)
            return exit_with_busy_legs();
        return strcmp(argv[1], "exit") == 0 ? exit_with_hanging_legs() : run_bounded();
    }
    return cmocka_run_group_tests_name("token hang", tests, peer_set_up, NULL);
}
