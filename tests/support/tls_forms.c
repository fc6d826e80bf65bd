/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The synchronous and the asynchronous form of each call, and the loop that runs every contract
 * case in both; see tls_peer.h.
 *
 * The asynchronous form waits for the callback on the calling thread. A call that could not be
 * queued gives its queue status, and its callback must never have fired.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/tls_async.h"
#include "support/tls_peer.h"

/* ---- synchronous ---- */

static SECURITY_STATUS sync_acquire(LPSTR package, ULONG use, void *auth, PCredHandle credential,
                                    PTimeStamp expiry)
{
    return AcquireCredentialsHandleA(NULL, package, use, NULL, auth, NULL, NULL, credential,
                                     expiry);
}

static SECURITY_STATUS sync_initialize(PCredHandle credential, PCtxtHandle context, LPSTR target,
                                       ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                       PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry)
{
    return InitializeSecurityContextA(credential, context, target, flags, 0, SECURITY_NATIVE_DREP,
                                      in, 0, new_context, out, attributes, expiry);
}

static SECURITY_STATUS sync_accept(PCredHandle credential, PCtxtHandle context, ULONG flags,
                                   PSecBufferDesc in, PCtxtHandle new_context, PSecBufferDesc out,
                                   ULONG *attributes, PTimeStamp expiry)
{
    return AcceptSecurityContext(credential, context, in, flags, 0, new_context, out, attributes,
                                 expiry);
}

/* ---- asynchronous ---- */

struct async_waiter {
    SspiAsyncContext *async;
    struct test_counter called;
    SECURITY_STATUS status; /* written before called changes */
};

static void on_done(SspiAsyncContext *async, void *data)
{
    struct async_waiter *waiter = data;

    TEST_REQUIRE(async == waiter->async);
    waiter->status = SspiGetAsyncCallStatus(async);
    TEST_REQUIRE(waiter->status != SEC_I_ASYNC_CALL_PENDING);
    test_counter_add(&waiter->called, 1);
}

static void async_prepare(struct async_waiter *waiter)
{
    test_counter_init(&waiter->called);
    waiter->async = SspiCreateAsyncContext();
    TEST_REQUIRE(waiter->async != NULL);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(waiter->async, on_done, waiter), SEC_E_OK);
}

static SECURITY_STATUS async_finish(struct async_waiter *waiter, SECURITY_STATUS queued)
{
    if (queued == SEC_E_OK) {
        test_counter_await(&waiter->called, 1);
        queued = waiter->status;
    } else {
        TEST_REQUIRE_EQUAL(test_counter_get(&waiter->called), 0);
        TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(waiter->async), queued);
    }
    SspiFreeAsyncContext(waiter->async);
    return queued;
}

PEER_ASYNC_CALLS(async)

const struct peer_form peer_forms[PEER_FORMS] = {
    {"sync", sync_acquire, sync_initialize, sync_accept, DeleteSecurityContext,
     FreeCredentialsHandle},
    PEER_ASYNC_FORM(async),
};

/* ---- running ---- */

struct run {
    const struct peer_form *form;
    const struct peer_case *one;
    char name[128];
};

static void run_one(void **state)
{
    const struct run *run = *state;

    run->one->run(run->form);
}

int peer_run_cases_in(const struct peer_run *how, const struct peer_case *cases, size_t count)
{
    const size_t total = count * how->form_count;
    struct run *runs = calloc(total, sizeof(*runs));
    struct CMUnitTest *tests = calloc(total, sizeof(*tests));
    int failures;

    TEST_REQUIRE(runs != NULL && tests != NULL);
    for (size_t i = 0; i < total; i++) {
        runs[i].form = how->forms[i % how->form_count];
        runs[i].one = &cases[i / how->form_count];
        snprintf(runs[i].name, sizeof(runs[i].name), "%s [%s]", runs[i].one->name,
                 runs[i].form->name);
        tests[i] = (struct CMUnitTest){.name = runs[i].name,
                                       .test_func = run_one,
                                       .setup_func = how->before_each,
                                       .initial_state = &runs[i]};
    }
    failures = _cmocka_run_group_tests(how->group, tests, total, how->set_up, how->tear_down);
    free(tests);
    free(runs);
    return failures;
}

int peer_run_cases(const char *group, const struct peer_case *cases, size_t count)
{
    const struct peer_form *const forms[] = {PEER_SYNC, PEER_ASYNC};
    const struct peer_run how = {
        .group = group, .forms = forms, .form_count = PEER_FORMS, .set_up = peer_set_up};

    return peer_run_cases_in(&how, cases, count);
}
