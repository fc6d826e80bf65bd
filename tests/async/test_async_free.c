/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Freeing async contexts in every state of their call, and deleting security contexts and
 * credentials under calls that still use them: the calls end as they would have, once, and nothing
 * is left.
 */
#include "async/async_util.h"

#include "base/memory.h"

static void free_handle(struct async_call *call)
{
    API_VOID(SspiFreeAsyncContext(call->async));
    TEST_REQUIRE_EQUAL(SspiReinitAsyncContext(call->async), STATUS_INVALID_PARAMETER);
}

static void require_one_callback(struct async_call *call, SECURITY_STATUS status)
{
    TEST_REQUIRE_EQUAL(async_await(call), status);
    TEST_REQUIRE_EQUAL(async_status(call), status); /* readable still */
    TEST_REQUIRE_EQUAL(test_counter_get(&call->notified), 1);
}

/* ---- async contexts ---- */

static void free_when_queued_runs_the_call(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    async_occupy(&crowd);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    free_handle(&call);
    assert_int_equal(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    assert_int_equal(API(OsspiCancelAsyncCall(call.async)), SEC_E_INVALID_HANDLE);
    async_vacate(&crowd);
    require_one_callback(&call, SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_drop_credential(&credential);
}

static void free_when_waiting_for_its_turn_runs_the_call(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call calls[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = i == 0 ? &gate : NULL;
        assert_int_equal(async_leg(&calls[i], &credential, &context), SEC_E_OK);
    }
    test_gate_await(&gate, 1);
    free_handle(&calls[1]);
    test_gate_open(&gate);
    require_one_callback(&calls[0], SEC_I_CONTINUE_NEEDED);
    require_one_callback(&calls[1], SEC_I_CONTINUE_NEEDED);
    assert_int_equal(async_record(&context).legs, 3);
    async_call_clear(&calls[0]);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

static void free_when_running_lets_the_call_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct test_gate gate = TEST_GATE_INIT;
        CredHandle credential = async_credential(async_lanes[i], "free");
        struct async_call call;

        async_call_init(&call);
        async_leg_to_gate(&call, &gate, &credential, NULL);
        free_handle(&call);
        test_gate_open(&gate);
        require_one_callback(&call, SEC_I_CONTINUE_NEEDED);
        async_drop_context(&call.own.context);
        async_drop_credential(&credential);
    }
}

static void free_when_given_up_is_soon_forgotten(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "free");
    struct async_call call;

    (void)state;
    async_call_init(&call);
    async_leg_to_gate(&call, &gate, &credential, NULL);
    assert_int_equal(API(OsspiCancelAsyncCall(call.async)), SEC_E_OK);
    free_handle(&call);
    require_one_callback(&call, ASYNC_CANCELLED);
    /* Its slot may serve others before the stuck thread is back. */
    for (int i = 0; i < 5000; i++)
        SspiFreeAsyncContext(SspiCreateAsyncContext());
    test_gate_open(&gate);
    async_await_no_abandoned();
    async_drop_credential(&credential);
}

static void free_when_silent_and_pending_is_safe_for_every_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "free");
        CtxtHandle context = async_context(&credential);
        struct async_call call;

        mock_acquire_lane(async_lanes[i], "free");
        for (uint32_t k = 0; k < TEST_ROUNDS(2000); k++) {
            SECURITY_STATUS status;
            SspiAsyncContext *handle;

            async_call_init_silent(&call);
            handle = call.async;
            assert_int_equal(async_leg(&call, &credential, &context), SEC_E_OK);
            async_call_clear(&call);
            do
                status = SspiGetAsyncCallStatus(handle);
            while (status == SEC_I_ASYNC_CALL_PENDING);
            assert_int_equal(status, SEC_I_CONTINUE_NEEDED);
        }
        mock_acquire_lane(OSSPI_LANE_CPU, NULL);
        async_drop_context(&context);
        async_drop_credential(&credential);
    }
    async_require_clean();
}

static void free_own(struct async_call *call)
{
    SspiFreeAsyncContext(call->async);
    SspiFreeAsyncContext(call->async);
    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(call->async), SEC_I_CONTINUE_NEEDED);
    /* Others may take all free slots: this one is not free before the callback has returned. */
    for (int i = 0; i < 3000; i++)
        SspiFreeAsyncContext(SspiCreateAsyncContext());
    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(call->async), SEC_I_CONTINUE_NEEDED);
}

static void free_in_its_own_callback_leaves_it_readable(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.in_callback = free_own;
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_drop_credential(&credential);
}

/* Another thread frees, makes new contexts, and frees again while the callback runs. */
static void *free_again_and_again(void *data)
{
    struct async_call *call = data;

    for (int i = 0; i < 3000; i++) {
        SspiFreeAsyncContext(call->async);
        SspiFreeAsyncContext(SspiCreateAsyncContext());
    }
    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(call->async), SEC_I_CONTINUE_NEEDED);
    return NULL;
}

static void free_by_another_thread_during_the_callback(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.callback_gate = &gate;
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    test_gate_await(&gate, 1);
    test_thread_join(test_thread_start(free_again_and_again, &call));
    test_gate_open(&gate);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_drop_credential(&credential);
}

/* Free and the end of the call at the same time, round after round. */
struct racing_free {
    _Atomic uintptr_t handle;
    atomic_bool stop;
};

static void *free_what_comes(void *data)
{
    struct racing_free *racing = data;

    while (!atomic_load(&racing->stop)) {
        uintptr_t handle = atomic_exchange(&racing->handle, 0);

        if (handle)
            SspiFreeAsyncContext((SspiAsyncContext *)handle);
    }
    return NULL;
}

static void free_racing_the_end_of_the_call(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct racing_free racing = {0};
    pthread_t thread = test_thread_start(free_what_comes, &racing);

    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(30000); i++) {
        struct async_call call;

        async_call_init(&call);
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        SspiFreeAsyncContext(
            (SspiAsyncContext *)atomic_exchange(&racing.handle, (uintptr_t)call.async));
        assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&call.own.context);
    }
    atomic_store(&racing.stop, true);
    test_thread_join(thread);
    SspiFreeAsyncContext((SspiAsyncContext *)atomic_load(&racing.handle));
    async_drop_credential(&credential);
    async_require_clean();
}

/* ---- security contexts and credentials under pending calls ---- */

static void deleted_context_serves_the_legs_that_are_pending(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct test_gate gate = TEST_GATE_INIT;
        CredHandle credential = async_credential(async_lanes[i], "deleted");
        CtxtHandle context = async_context(&credential);
        uint64_t cleared = atomic_load(&mock_totals.contexts_cleared);
        struct async_call calls[3];
        struct async_call deleting;

        for (int k = 0; k < 3; k++) {
            async_call_init(&calls[k]);
            calls[k].step.gate = &gate;
            assert_int_equal(async_leg(&calls[k], &credential, &context), SEC_E_OK);
        }
        test_gate_await(&gate, 1);
        async_call_init(&deleting);
        assert_int_equal(async_delete(&deleting, &context), SEC_E_OK);
        assert_int_equal(async_await(&deleting), SEC_E_OK); /* does not wait for the legs */
        async_call_clear(&deleting);
        assert_int_equal(async_leg_now(&calls[0], &credential, &context), SEC_E_INVALID_HANDLE);
        assert_int_equal(atomic_load(&mock_totals.contexts_cleared), cleared);
        test_gate_open(&gate);
        for (int k = 0; k < 3; k++) {
            require_one_callback(&calls[k], SEC_I_CONTINUE_NEEDED);
            async_call_clear(&calls[k]);
        }
        async_drop_credential(&credential);
        async_require_clean();
        assert_int_equal(atomic_load(&mock_totals.contexts_cleared), cleared + 1);
    }
}

static void freed_credential_serves_the_first_legs_that_are_pending(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call calls[3];

    (void)state;
    async_occupy(&crowd);
    for (int i = 0; i < 3; i++) {
        async_call_init(&calls[i]);
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    async_drop_credential(&credential);
    async_vacate(&crowd);
    for (int i = 0; i < 3; i++) {
        require_one_callback(&calls[i], SEC_I_CONTINUE_NEEDED);
        /* And the contexts go on without its handle. */
        assert_int_equal(async_leg_now(&calls[i], NULL, &calls[i].own.context),
                         SEC_I_CONTINUE_NEEDED);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_require_clean();
}

static void delete_inside_the_callback_of_a_leg_on_it(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call calls[2];
    CtxtHandle context = async_context(&credential);

    (void)state;
    /* The first leg's callback holds while the context is deleted under the second one. */
    async_call_init(&calls[0]);
    async_call_init(&calls[1]);
    calls[0].callback_gate = &gate;
    assert_int_equal(async_leg(&calls[0], &credential, &context), SEC_E_OK);
    assert_int_equal(async_leg(&calls[1], &credential, &context), SEC_E_OK);
    async_drop_context(&context);
    assert_int_equal(async_await(&calls[1]), SEC_I_CONTINUE_NEEDED);
    test_gate_open(&gate);
    assert_int_equal(async_await(&calls[0]), SEC_I_CONTINUE_NEEDED);
    async_call_clear(&calls[0]);
    async_call_clear(&calls[1]);
    async_drop_credential(&credential);
}

/* The first leg fails: no handle, and the caller's storage is as it was. */
static void failed_first_leg_leaves_no_context(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "failed");
        struct async_call call;

        async_call_init(&call);
        call.step.status = SEC_E_INVALID_TOKEN;
        call.step.output = "alert";
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        assert_int_equal(async_await(&call), SEC_E_INVALID_TOKEN);
        assert_true(call.own.context.dwLower == (ULONG_PTR)UINT64_C(0xA5A5A5A5A5A5A5A5));
        assert_int_equal(call.own.buffer.cbBuffer, 5);
        assert_memory_equal(call.own.bytes, "alert", 5);
        async_call_clear(&call);
        async_drop_credential(&credential);
        async_require_clean();
    }
}

static void failed_acquire_leaves_no_credential(void **state)
{
    struct async_call call;
    struct mock_auth auth = {.magic = MOCK_AUTH, .step = &call.step};

    (void)state;
    async_call_init(&call);
    call.step.status = SEC_E_NO_CREDENTIALS;
    assert_int_equal(async_acquire(&call, &auth), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_E_NO_CREDENTIALS);
    assert_true(call.own.credential.dwLower == (ULONG_PTR)UINT64_C(0xA5A5A5A5A5A5A5A5));
    async_call_clear(&call);
    async_require_clean();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_when_queued_runs_the_call),
        cmocka_unit_test(free_when_waiting_for_its_turn_runs_the_call),
        cmocka_unit_test(free_when_running_lets_the_call_end),
        cmocka_unit_test(free_when_given_up_is_soon_forgotten),
        cmocka_unit_test(free_when_silent_and_pending_is_safe_for_every_call),
        cmocka_unit_test(free_in_its_own_callback_leaves_it_readable),
        cmocka_unit_test(free_by_another_thread_during_the_callback),
        cmocka_unit_test(free_racing_the_end_of_the_call),
        cmocka_unit_test(deleted_context_serves_the_legs_that_are_pending),
        cmocka_unit_test(freed_credential_serves_the_first_legs_that_are_pending),
        cmocka_unit_test(delete_inside_the_callback_of_a_leg_on_it),
        cmocka_unit_test(failed_first_leg_leaves_no_context),
        cmocka_unit_test(failed_acquire_leaves_no_credential),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.free", tests, NULL, async_teardown);
}
