/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The calls through a completion queue, and the run of every interop case in all three forms; see
 * interop_wire.h. The two other forms are those of tests/support/tls_peer.h.
 */
#include "interop_wire.h"

#include <opensspi.h>

#include "support/tls_async.h"

/* ---- the queue form ---- */

struct queue_waiter {
    SspiAsyncContext *async;
    OsspiCompletionQueue *queue;
    pid_t thread;
    bool called;
};

static void on_done(SspiAsyncContext *async, void *data)
{
    struct queue_waiter *waiter = data;

    TEST_REQUIRE(async == waiter->async);
    TEST_REQUIRE_EQUAL(test_thread_id(), waiter->thread);
    TEST_REQUIRE(!waiter->called);
    waiter->called = true;
}

static void queue_prepare(struct queue_waiter *waiter)
{
    *waiter = (struct queue_waiter){.thread = test_thread_id()};
    waiter->async = SspiCreateAsyncContext();
    TEST_REQUIRE(waiter->async != NULL);
    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&waiter->queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(waiter->async, waiter->queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(waiter->async, on_done, waiter), SEC_E_OK);
}

static SECURITY_STATUS queue_finish(struct queue_waiter *waiter, SECURITY_STATUS queued)
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

PEER_ASYNC_CALLS(queue)

static const struct peer_form queue_form = PEER_ASYNC_FORM(queue);

/* ---- running ---- */

static int start_watchdog(void **state)
{
    (void)state;
    test_watchdog(60);
    return 0;
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

int interop_run_cases(const char *program, const char *group, const struct peer_case *cases,
                      size_t count)
{
    const struct peer_form *const forms[] = {PEER_SYNC, PEER_ASYNC, &queue_form};
    const struct peer_run how = {
        .group = group,
        .forms = forms,
        .form_count = sizeof(forms) / sizeof(forms[0]),
        .tear_down = check_nothing_is_left,
        .before_each = start_watchdog,
    };

    interop_need(program);
    peer_trust("ca");
    return peer_run_cases_in(&how, cases, count);
}
