/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The calls through a completion queue, and the loop that runs every interop case in all three
 * forms; see interop_wire.h. The two other forms are those of tests/support/tls_peer.h.
 */
#include "interop_wire.h"

#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>

#define FORMS 3

/* ---- the queue form ---- */

struct waiter {
    SspiAsyncContext *async;
    OsspiCompletionQueue *queue;
    pid_t thread;
    bool called;
};

static void on_done(SspiAsyncContext *async, void *data)
{
    struct waiter *waiter = data;

    TEST_REQUIRE(async == waiter->async);
    TEST_REQUIRE_EQUAL(test_thread_id(), waiter->thread);
    TEST_REQUIRE(!waiter->called);
    waiter->called = true;
}

static void prepare(struct waiter *waiter)
{
    *waiter = (struct waiter){.thread = test_thread_id()};
    waiter->async = SspiCreateAsyncContext();
    TEST_REQUIRE(waiter->async != NULL);
    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&waiter->queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(waiter->async, waiter->queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(waiter->async, on_done, waiter), SEC_E_OK);
}

static SECURITY_STATUS finish(struct waiter *waiter, SECURITY_STATUS queued)
{
    struct pollfd item = {.fd = OsspiCompletionQueueFd(waiter->queue), .events = POLLIN};

    while (queued == SEC_E_OK && !waiter->called) {
        TEST_REQUIRE(poll(&item, 1, -1) == 1); /* the watchdog ends it */
        OsspiDrainCompletions(waiter->queue, 0);
    }
    queued = SspiGetAsyncCallStatus(waiter->async);
    SspiFreeAsyncContext(waiter->async);
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(waiter->queue), SEC_E_OK);
    return queued;
}

static SECURITY_STATUS queue_acquire(LPSTR package, ULONG use, void *auth, PCredHandle credential,
                                     PTimeStamp expiry)
{
    struct waiter waiter;

    prepare(&waiter);
    return finish(&waiter,
                  SspiAcquireCredentialsHandleAsyncA(waiter.async, NULL, package, use, NULL, auth,
                                                     NULL, NULL, credential, expiry));
}

static SECURITY_STATUS queue_initialize(PCredHandle credential, PCtxtHandle context, LPSTR target,
                                        ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                        PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry)
{
    struct waiter waiter;

    prepare(&waiter);
    return finish(&waiter, SspiInitializeSecurityContextAsyncA(
                               waiter.async, credential, context, target, flags, 0,
                               SECURITY_NATIVE_DREP, in, 0, new_context, out, attributes, expiry));
}

static SECURITY_STATUS queue_accept(PCredHandle credential, PCtxtHandle context, ULONG flags,
                                    PSecBufferDesc in, PCtxtHandle new_context, PSecBufferDesc out,
                                    ULONG *attributes, PTimeStamp expiry)
{
    struct waiter waiter;

    prepare(&waiter);
    return finish(&waiter,
                  SspiAcceptSecurityContextAsync(waiter.async, credential, context, in, flags, 0,
                                                 new_context, out, attributes, expiry));
}

static SECURITY_STATUS queue_delete(PCtxtHandle context)
{
    struct waiter waiter;

    prepare(&waiter);
    return finish(&waiter, SspiDeleteSecurityContextAsync(waiter.async, context));
}

static SECURITY_STATUS queue_free(PCredHandle credential)
{
    struct waiter waiter;

    prepare(&waiter);
    return finish(&waiter, SspiFreeCredentialsHandleAsync(waiter.async, credential));
}

const struct peer_form interop_queue_form = {
    "queue", queue_acquire, queue_initialize, queue_accept, queue_delete, queue_free,
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

    test_watchdog(60);
    run->one->run(run->form);
}

static int check_nothing_is_left(void **state)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    (void)state;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&now), SEC_E_OK);
    TEST_REQUIRE_EQUAL(now.live_contexts, 0);
    TEST_REQUIRE_EQUAL(now.live_credentials, 0);
    return 0;
}

int interop_run_cases(const char *group, const struct peer_case *cases, size_t count)
{
    const struct peer_form *const forms[FORMS] = {PEER_SYNC, PEER_ASYNC, &interop_queue_form};
    struct run *runs = calloc(count * FORMS, sizeof(*runs));
    struct CMUnitTest *tests = calloc(count * FORMS, sizeof(*tests));
    int failures;

    TEST_REQUIRE(runs != NULL && tests != NULL);
    interop_need("openssl");
    peer_trust("ca");
    for (size_t i = 0; i < count * FORMS; i++) {
        runs[i].form = forms[i % FORMS];
        runs[i].one = &cases[i / FORMS];
        snprintf(runs[i].name, sizeof(runs[i].name), "%s [%s]", runs[i].one->name,
                 runs[i].form->name);
        tests[i] = (struct CMUnitTest){
            .name = runs[i].name, .test_func = run_one, .initial_state = &runs[i]};
    }
    failures = _cmocka_run_group_tests(group, tests, count * FORMS, NULL, check_nothing_is_left);
    free(tests);
    free(runs);
    return failures;
}
