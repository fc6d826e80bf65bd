/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CredSSP with a KDC that never answers: the leg in which the handshake of TLS ends and the first
 * token is made waits, but nobody waits for it. Deadline and cancel end it, with one callback, and
 * other exchanges go on meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>

#include "credssp/duet.h"
#include "gssapi/fake_kdc.h"

#define MANY      24
#define SHORT_MS  300
#define CANCELLED HRESULT_FROM_WIN32(ERROR_CANCELLED)
#define TIMED_OUT HRESULT_FROM_WIN32(ERROR_TIMEOUT)

/* The client's leg that needs a ticket. */
struct call {
    struct duet duet;
    SspiAsyncContext *async;
    SecBuffer in[2], out;
    SecBufferDesc in_desc, out_desc;
    uint8_t token[PEER_OUT_SIZE];
    ULONG attributes;
    struct test_counter callbacks;
};

static struct call calls[MANY]; /* guarded: one thread; one call each */
static struct fake_kdc fake;

static void on_done(SspiAsyncContext *async, void *data)
{
    (void)async;
    test_counter_add(&((struct call *)data)->callbacks, 1);
}

/* TLS up to the client's last leg of it, and that leg asynchronously. */
static void start(struct call *call, ULONG timeout_ms)
{
    const struct duet_setup setup = {.packages = "kerberos"};
    struct peer_end *client = &call->duet.pair.client;

    duet_open(&call->duet, PEER_SYNC, &setup);
    peer_half_connect(&call->duet.pair);
    call->in[0] = (SecBuffer){(ULONG)client->in.len, SECBUFFER_TOKEN, client->in.bytes};
    call->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    call->out = (SecBuffer){sizeof(call->token), SECBUFFER_TOKEN, call->token};
    call->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, call->in};
    call->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &call->out};
    call->async = SspiCreateAsyncContext();
    test_counter_init(&call->callbacks);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(call->async, on_done, call), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call->async, timeout_ms), SEC_E_OK);
    TEST_REQUIRE_EQUAL(SspiInitializeSecurityContextAsyncA(
                           call->async, &client->credential, &client->context,
                           (LPSTR)client->target, client->flags, 0, 0, &call->in_desc, 0,
                           &client->context, &call->out_desc, &call->attributes, NULL),
                       SEC_E_OK);
}

static SECURITY_STATUS end(struct call *call)
{
    SECURITY_STATUS status;

    test_counter_await(&call->callbacks, 1);
    status = SspiGetAsyncCallStatus(call->async);
    SspiFreeAsyncContext(call->async);
    duet_close(&call->duet);
    TEST_REQUIRE_EQUAL(test_counter_get(&call->callbacks), 1);
    return status;
}

static bool cancelled(void *data)
{
    return OsspiCancelAsyncCall(((const struct call *)data)->async) == SEC_E_OK;
}

static bool none_given_up(void *data)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    return statistics.calls_abandoned_running == 0;
}

static void with_silence(void)
{
    char kdcs[64];

    fake_kdc_start(&fake, FAKE_SILENT);
    snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n", fake.port);
    realm_configure(&duet_realm, kdcs, NULL);
}

static void without_silence(void)
{
    test_poll(none_given_up, NULL);
    fake_kdc_stop(&fake);
    realm_configure(&duet_realm, NULL, NULL);
}

static void a_silent_kdc_ends_with_the_deadline(const struct peer_form *form)
{
    (void)form;
    with_silence();
    for (unsigned i = 0; i < MANY; i++)
        start(&calls[i], SHORT_MS);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(end(&calls[i]), TIMED_OUT);
    without_silence();
}

static void others_go_on_beside_a_silent_kdc(const struct peer_form *form)
{
    const struct duet_setup setup = {0};
    struct duet other;

    (void)form;
    with_silence();
    for (unsigned i = 0; i < MANY; i++)
        start(&calls[i], 0);
    test_counter_await(&fake.requests, 1);
    duet_establish(&other, PEER_ASYNC, &setup);
    duet_require_delegated(&other.pair.server, DUET_USER, REALM_NAME, DUET_PASSWORD);
    duet_close(&other);
    for (unsigned i = 0; i < MANY; i++)
        test_poll(cancelled, &calls[i]);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(end(&calls[i]), CANCELLED);
    without_silence();
}

int main(void)
{
    static const struct peer_form *const forms[] = {PEER_ASYNC};
    static const struct peer_case cases[] = {
        PEER_CASE(a_silent_kdc_ends_with_the_deadline),
        PEER_CASE(others_go_on_beside_a_silent_kdc),
    };
    const struct peer_run how = {.group = "credssp.kdc",
                                 .forms = forms,
                                 .form_count = 1,
                                 .set_up = duet_set_up,
                                 .tear_down = duet_tear_down};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
