/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * fork in the states of the engine that tests/async/test_async_fork.c does not have yet: while a
 * thread drains, while threads wait, while a deadline is about to pass, while a shutdown cancels,
 * inside a trace. The child uses everything at once, and so does its child.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "async/async_util.h"
#include "base/memory.h"

TEST_FORKS_WITH_THREADS;

/* ---- what a child does ---- */

static void use_lane(enum osspi_lane lane)
{
    CredHandle credential = async_credential(lane, "child");
    OsspiCompletionQueue *queue;
    struct async_call call;

    async_run_leg(&credential);
    TEST_REQUIRE_EQUAL(API(OsspiCreateCompletionQueue(&queue)), SEC_E_OK);
    async_call_init(&call);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call.async, 600000), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    while (OsspiDrainCompletions(queue, 0) == 0)
        ;
    TEST_REQUIRE_EQUAL(async_leg_now(&call, NULL, &call.own.context), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    TEST_REQUIRE_EQUAL(API(OsspiCloseCompletionQueue(queue)), SEC_E_OK);
    async_drop_credential(&credential);
}

static int use_everything(void *data)
{
    (void)data;
    async_inside_api = 0;
    use_lane(OSSPI_LANE_CPU);
    use_lane(OSSPI_LANE_BLOCKING);
    return 0;
}

static void be_quiet_for_sanitizers(void)
{
    if (TEST_SANITIZED)
        test_await_quiet();
}

/* The child, and its child, and the end of both engines. */
static int use_and_fork(void *data)
{
    use_everything(data);
    be_quiet_for_sanitizers();
    TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(use_everything, NULL)), 0);
    use_everything(data);
    TEST_REQUIRE_EQUAL(API(OsspiShutdown(OSSPI_INFINITE)), SEC_E_OK);
    return 0;
}

static void fork_now(void)
{
    be_quiet_for_sanitizers();
    for (int i = 0; i < 3; i++)
        TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(use_and_fork, NULL)), 0);
}

/* ---- states of the parent ---- */

static struct test_gate gate;

static void *drain_one(void *data)
{
    while (OsspiDrainCompletions(data, 1) == 0)
        ;
    return NULL;
}

static void fork_while_a_thread_drains(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue;
    struct async_call calls[3];
    pthread_t thread;

    (void)state;
    test_gate_init(&gate);
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    for (int i = 0; i < 3; i++) {
        async_call_init(&calls[i]);
        calls[i].callback_gate = i == 0 ? &gate : NULL;
        assert_int_equal(OsspiSetCompletionQueue(calls[i].async, queue), SEC_E_OK);
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
        assert_int_equal(API(OsspiWaitAsyncCall(calls[i].async, OSSPI_INFINITE)),
                         SEC_I_CONTINUE_NEEDED);
    }
    thread = test_thread_start(drain_one, queue);
    test_gate_await(&gate, 1);
    fork_now();
    test_gate_open(&gate);
    test_thread_join(thread);
    for (ULONG drained = 0; drained < 2;)
        drained += OsspiDrainCompletions(queue, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    async_drop_credential(&credential);
}

static void *wait_for_call(void *data)
{
    struct async_call *call = data;

    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call->async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    return NULL;
}

static void fork_while_threads_wait(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "wait");
    struct async_call calls[4];
    pthread_t threads[4];

    (void)state;
    test_gate_init(&gate);
    for (int i = 0; i < 4; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &gate;
        assert_int_equal(OsspiSetAsyncTimeout(calls[i].async, i % 2 ? 3600000 : 0), SEC_E_OK);
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
        threads[i] = test_thread_start(wait_for_call, &calls[i]);
    }
    test_gate_await(&gate, 4);
    fork_now();
    test_gate_open(&gate);
    for (int i = 0; i < 4; i++) {
        test_thread_join(threads[i]);
        assert_int_equal(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_drop_credential(&credential);
}

/* Deadlines pass around the fork: each call is timed out in the parent, cancelled in the child. */
static int look_at_timed_out(void *data)
{
    struct async_call *calls = data;

    for (int i = 0; i < 8; i++) {
        SECURITY_STATUS status = async_status(&calls[i]);

        TEST_REQUIRE(status == ASYNC_CANCELLED || status == ASYNC_TIMEOUT);
    }
    return use_and_fork(NULL);
}

static void fork_while_deadlines_pass(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "late");

    (void)state;
    for (uint32_t round = 0; round < TEST_ROUNDS(20); round++) {
        static struct async_call calls[8];

        test_gate_init(&gate);
        for (int i = 0; i < 8; i++) {
            async_call_init(&calls[i]);
            calls[i].step.gate = &gate;
            assert_int_equal(OsspiSetAsyncTimeout(calls[i].async, 1 + (ULONG)i / 2), SEC_E_OK);
            assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
        }
        be_quiet_for_sanitizers();
        assert_int_equal(test_child_join(test_child_fork(look_at_timed_out, calls)), 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(async_await(&calls[i]), ASYNC_TIMEOUT);
        test_gate_open(&gate);
        async_await_no_abandoned();
        for (int i = 0; i < 8; i++)
            async_call_clear(&calls[i]);
    }
    async_drop_credential(&credential);
}

/* The trace runs in the middle of everything the engine does. */
struct traced {
    OsspiTraceEvent event;
    _Atomic bool forked;
    _Atomic bool joined; /* the child has ended */
};

static bool is_joined(void *data)
{
    return atomic_load(&((struct traced *)data)->joined);
}

static void fork_on_event(const OsspiTraceRecord *record, void *data)
{
    struct traced *traced = data;

    if (record->event != traced->event || atomic_exchange(&traced->forked, true))
        return;
    fflush(NULL);
    be_quiet_for_sanitizers();
    TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(use_everything, NULL)), 0);
    atomic_store(&traced->joined, true);
}

static void fork_inside_a_trace(void **state)
{
    static const OsspiTraceEvent events[] = {OsspiTraceQueued, OsspiTraceStarted,
                                             OsspiTraceCompleted, OsspiTraceCallbackStarted,
                                             OsspiTraceCallbackReturned};
    static struct traced traced[OSSPI_COUNT_OF(events)]; /* an event may come late */

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(events); i++) {
        CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

        traced[i].event = events[i];
        assert_int_equal(OsspiSetTrace(fork_on_event, &traced[i]), SEC_E_OK);
        for (int round = 0; round < 2; round++)
            async_run_leg(&credential);
        assert_int_equal(OsspiSetTrace(NULL, NULL), SEC_E_OK);
        test_poll(is_joined, &traced[i]); /* the last event comes behind the callback */
        async_drop_credential(&credential);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_while_a_thread_drains),
        cmocka_unit_test(fork_while_threads_wait),
        cmocka_unit_test(fork_while_deadlines_pass),
        cmocka_unit_test(fork_inside_a_trace),
    };

    test_watchdog(100);
    async_setup();
    return cmocka_run_group_tests_name("fault.fork", tests, NULL, async_teardown);
}
