/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OsspiWaitAsyncCall: it returns at completion, runs a call that still waits for a worker on the
 * waiting thread, keeps its time, serves several waiters, and never runs a callback.
 */
#include "async/async_util.h"

#include "base/clock.h"
#include "base/memory.h"

static SECURITY_STATUS wait_for(struct async_call *call, ULONG timeout_ms)
{
    return API(OsspiWaitAsyncCall(call->async, timeout_ms));
}

static void wait_on_null_or_freed_is_invalid_handle(void **state)
{
    SspiAsyncContext *handle = SspiCreateAsyncContext();

    (void)state;
    assert_int_equal(OsspiWaitAsyncCall(NULL, OSSPI_INFINITE), SEC_E_INVALID_HANDLE);
    SspiFreeAsyncContext(handle);
    assert_int_equal(OsspiWaitAsyncCall(handle, OSSPI_INFINITE), SEC_E_INVALID_HANDLE);
}

static void wait_on_an_idle_context_returns_at_once(void **state)
{
    struct async_call call;

    (void)state;
    async_call_init(&call);
    assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_I_ASYNC_CALL_PENDING);
    async_call_clear(&call);
}

static void wait_on_a_complete_call_returns_its_status(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    async_await(&call);
    for (int i = 0; i < 3; i++)
        assert_int_equal(wait_for(&call, i == 0 ? 0 : OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* ---- helping ---- */

static void wait_runs_a_queued_call_here_and_its_callback_elsewhere(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.step.output = "helped";
    async_occupy(&crowd);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(atomic_load(&call.step.thread), test_thread_id());
    assert_memory_equal(call.own.bytes, "helped", 6);
    assert_int_equal(test_counter_get(&call.notified), 0); /* the workers are busy */
    async_vacate(&crowd);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_not_equal(atomic_load(&call.callback_thread), test_thread_id());
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void wait_posts_the_callback_of_a_helped_call_to_its_queue(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue;
    struct async_call call;

    (void)state;
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&call);
    assert_int_equal(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
    async_occupy(&crowd);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(test_counter_get(&call.notified), 0);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    assert_int_equal(test_counter_get(&call.notified), 1);
    async_vacate(&crowd);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
}

static void wait_with_no_time_only_looks(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    async_occupy(&crowd);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(wait_for(&call, 0), SEC_I_ASYNC_CALL_PENDING);
    assert_int_equal(atomic_load(&call.step.entries), 0);
    async_vacate(&crowd);
    async_await(&call);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void wait_runs_a_helped_call_once_for_all_waiters(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init_silent(&call);
    for (uint32_t i = 0; i < TEST_ROUNDS(200); i++) {
        async_occupy(&crowd);
        call.step.entries = 0;
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
        async_vacate(&crowd); /* the stale entry in the queue runs nothing */
        assert_int_equal(atomic_load(&call.step.entries), 1);
        async_drop_context(&call.own.context);
    }
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void wait_helps_a_chain_of_legs_without_any_worker(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call calls[10];

    (void)state;
    async_occupy(&crowd);
    for (uint32_t i = 0; i < 10; i++) {
        async_call_init_silent(&calls[i]);
        calls[i].step.number = i;
        assert_int_equal(async_leg(&calls[i], NULL, &context), SEC_E_OK);
    }
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(wait_for(&calls[i], OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(atomic_load(&calls[i].step.thread), test_thread_id());
        async_call_clear(&calls[i]);
    }
    async_vacate(&crowd);
    assert_int_equal(async_record(&context).legs, 11);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

static void wait_helps_a_leg_that_changes_lanes(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, "midway");
    struct async_call call;

    (void)state;
    async_call_init_silent(&call);
    call.step.want_blocking = true;
    async_occupy(&crowd);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(atomic_load(&call.step.entries), 2);
    assert_int_equal(atomic_load(&call.step.lane), OSSPI_LANE_BLOCKING);
    async_vacate(&crowd);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* ---- time ---- */

static void wait_ends_at_its_time_and_not_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct test_gate gate = TEST_GATE_INIT;
        CredHandle credential = async_credential(async_lanes[i], "wait");
        struct async_call call;
        uint64_t started;

        async_call_init(&call);
        async_leg_to_gate(&call, &gate, &credential, NULL);
        started = osspi_now_ns();
        assert_int_equal(wait_for(&call, 30), SEC_I_ASYNC_CALL_PENDING);
        assert_true(osspi_now_ns() - started >= UINT64_C(30000000));
        assert_int_equal(wait_for(&call, 0), SEC_I_ASYNC_CALL_PENDING);
        test_gate_open(&gate);
        assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
        async_await(&call);
        async_drop_context(&call.own.context);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

/* ---- several waiters ---- */

enum { WAITERS = 4 };

struct waiter {
    struct async_call *call;
    SECURITY_STATUS status;
};

static void *wait_in_thread(void *data)
{
    struct waiter *waiter = data;

    waiter->status = wait_for(waiter->call, OSSPI_INFINITE);
    return NULL;
}

static void run_waiters(struct async_call *call, struct test_gate *gate, SECURITY_STATUS expected)
{
    struct waiter waiters[WAITERS];
    pthread_t threads[WAITERS];

    for (uint32_t i = 0; i < WAITERS; i++) {
        waiters[i].call = call;
        threads[i] = test_thread_start(wait_in_thread, &waiters[i]);
    }
    if (gate)
        test_gate_open(gate);
    for (uint32_t i = 0; i < WAITERS; i++) {
        test_thread_join(threads[i]);
        TEST_REQUIRE_EQUAL(waiters[i].status, expected);
    }
}

static void wait_serves_several_waiters(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2 * TEST_ROUNDS(300); i++) {
        struct test_gate gate = TEST_GATE_INIT;
        CredHandle credential = async_credential(async_lanes[i % 2], "wait");
        struct async_call call;

        async_call_init(&call);
        call.step.gate = i % 3 == 0 ? &gate : NULL;
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        run_waiters(&call, &gate, SEC_I_CONTINUE_NEEDED);
        assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(atomic_load(&call.step.entries), 1);
        async_drop_context(&call.own.context);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

static void wait_ends_when_the_call_is_cancelled(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "wait");
    struct async_call call;
    struct waiter waiter = {.call = &call};
    pthread_t thread;

    (void)state;
    async_call_init(&call);
    async_leg_to_gate(&call, &gate, &credential, NULL);
    thread = test_thread_start(wait_in_thread, &waiter);
    assert_int_equal(API(OsspiCancelAsyncCall(call.async)), SEC_E_OK);
    test_thread_join(thread);
    assert_int_equal(waiter.status, ASYNC_CANCELLED);
    async_await(&call);
    test_gate_open(&gate);
    async_await_no_abandoned();
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* A thread may begin to wait before or after the context is freed under it. */
static void wait_ends_when_the_context_is_freed_meanwhile(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(2000); i++) {
        struct test_gate gate = TEST_GATE_INIT;
        struct async_call call;
        struct waiter waiter = {.call = &call};
        pthread_t thread;

        async_call_init(&call);
        async_leg_to_gate(&call, &gate, &credential, NULL);
        thread = test_thread_start(wait_in_thread, &waiter);
        SspiFreeAsyncContext(call.async);
        test_gate_open(&gate);
        test_thread_join(thread);
        assert_true(waiter.status == SEC_I_CONTINUE_NEEDED ||
                    waiter.status == SEC_E_INVALID_HANDLE);
        async_await(&call);
        async_drop_context(&call.own.context);
    }
    async_drop_credential(&credential);
}

/* ---- waiting for Delete and Free ---- */

static void wait_serves_delete_and_free(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init_silent(&call);
    for (uint32_t i = 0; i < TEST_ROUNDS(2000); i++) {
        CtxtHandle context = async_context(&credential);

        assert_int_equal(async_delete(&call, &context), SEC_E_OK);
        assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_E_OK);
    }
    assert_int_equal(async_free_credential(&call, &credential), SEC_E_OK);
    assert_int_equal(wait_for(&call, OSSPI_INFINITE), SEC_E_OK);
    async_call_clear(&call);
}

/* ---- waiters, cancellers and workers at once ---- */

struct melee {
    struct async_call calls[8];
    atomic_bool stop;
};

static void *wait_for_any(void *data)
{
    struct melee *melee = data;
    uint64_t seed = (uint64_t)test_thread_id();

    while (!atomic_load(&melee->stop)) {
        uint64_t random = test_random(&seed);
        SspiAsyncContext *handle = melee->calls[random % 8].async;

        if (random >> 32 & 1)
            (void)API(OsspiWaitAsyncCall(handle, (ULONG)(random >> 40 & 1)));
        else if (random >> 33 & 1)
            (void)API(OsspiCancelAsyncCall(handle));
        else
            (void)API(SspiGetAsyncCallStatus(handle));
    }
    return NULL;
}

static void melee_of_waiters_cancels_and_workers_ends_every_call_once(void **state)
{
    static struct melee melee;
    CredHandle credentials[2] = {async_credential(OSSPI_LANE_CPU, NULL),
                                 async_credential(OSSPI_LANE_BLOCKING, "melee")};
    pthread_t threads[WAITERS];

    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        async_call_init(&melee.calls[i]);
        /* Once and for all: a call that was given up still reads its orders during the next one. */
        melee.calls[i].step.want_blocking = i % 4 == 0;
    }
    for (uint32_t i = 0; i < WAITERS; i++)
        threads[i] = test_thread_start(wait_for_any, &melee);
    for (uint32_t i = 0; i < TEST_ROUNDS(20000); i++) {
        struct async_call *call = &melee.calls[i % 8];

        if (i >= 8)
            test_counter_await(&call->notified, i / 8);
        if (i >= 8 && async_status(call) == SEC_I_CONTINUE_NEEDED)
            async_drop_context(&call->own.context);
        assert_int_equal(async_leg(call, &credentials[i % 3 == 0], NULL), SEC_E_OK);
    }
    for (uint32_t i = 0; i < 8; i++) {
        test_counter_await(&melee.calls[i].notified, TEST_ROUNDS(20000) / 8);
        if (async_status(&melee.calls[i]) == SEC_I_CONTINUE_NEEDED)
            async_drop_context(&melee.calls[i].own.context);
    }
    atomic_store(&melee.stop, true);
    for (uint32_t i = 0; i < WAITERS; i++)
        test_thread_join(threads[i]);
    for (uint32_t i = 0; i < 8; i++)
        async_call_clear(&melee.calls[i]);
    async_drop_credential(&credentials[0]);
    async_drop_credential(&credentials[1]);
    async_require_clean();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_on_null_or_freed_is_invalid_handle),
        cmocka_unit_test(wait_on_an_idle_context_returns_at_once),
        cmocka_unit_test(wait_on_a_complete_call_returns_its_status),
        cmocka_unit_test(wait_runs_a_queued_call_here_and_its_callback_elsewhere),
        cmocka_unit_test(wait_posts_the_callback_of_a_helped_call_to_its_queue),
        cmocka_unit_test(wait_with_no_time_only_looks),
        cmocka_unit_test(wait_runs_a_helped_call_once_for_all_waiters),
        cmocka_unit_test(wait_helps_a_chain_of_legs_without_any_worker),
        cmocka_unit_test(wait_helps_a_leg_that_changes_lanes),
        cmocka_unit_test(wait_ends_at_its_time_and_not_before),
        cmocka_unit_test(wait_serves_several_waiters),
        cmocka_unit_test(wait_ends_when_the_call_is_cancelled),
        cmocka_unit_test(wait_ends_when_the_context_is_freed_meanwhile),
        cmocka_unit_test(wait_serves_delete_and_free),
        cmocka_unit_test(melee_of_waiters_cancels_and_workers_ends_every_call_once),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.wait", tests, NULL, async_teardown);
}
