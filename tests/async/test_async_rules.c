/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What callers of the asynchronous functions rely on: when callbacks run and when not, what they
 * see, what they may do, what the library leaves alone afterwards; and the handles being the same
 * as those of the synchronous functions. The nine rules of the contract, R1 to R9.
 */
#include "async/async_util.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Everything that a caller hands to a call, on pages of its own. */
struct paged {
    struct async_call call;
};

static struct paged *paged_new(void)
{
    struct paged *paged = test_pages_new(sizeof(*paged));

    async_call_init(&paged->call);
    return paged;
}

/* ---- R1: a call that was not queued has no callback, and nothing of the caller's is touched ----
 */

static void r1_refused_call_never_calls_back_nor_touches_memory(void **state)
{
    struct paged *paged = paged_new();
    SspiAsyncContext *context = paged->call.async;
    struct async_call other;
    char name[] = MOCK_NAME;

    (void)state;
    /* Refused for its NULL output, but with a callback whose data are on the pages. */
    assert_int_equal(
        API(SspiAcquireCredentialsHandleAsyncA(context, NULL, name, 2, NULL, NULL, NULL, NULL, NULL,
                                               &paged->call.own.expiry)),
        SEC_E_INVALID_PARAMETER);
    SspiFreeAsyncContext(context);
    test_pages_forbid(paged, sizeof(*paged), true);
    /* Whatever might still be under way has been by when this is through. */
    async_call_init(&other);
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal(async_acquire(&other, NULL), SEC_E_OK);
        test_counter_await(&other.notified, i);
        async_drop_credential(&other.own.credential);
    }
    async_call_clear(&other);
    test_pages_free(paged, sizeof(*paged));
}

/* ---- R2: a queued call calls back exactly once ---- */

enum { MANY = 2000 };

static struct async_call many[MANY];

static void r2_every_queued_call_calls_back_once(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint32_t count = TEST_ROUNDS(MANY);

    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        async_call_init(&many[i]);
        assert_int_equal(async_leg(&many[i], &credential, NULL), SEC_E_OK);
    }
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(async_await(&many[i]), SEC_I_CONTINUE_NEEDED);
    for (uint32_t i = 0; i < count; i++) {
        async_drop_context(&many[i].own.context);
        assert_int_equal(test_counter_get(&many[i].notified), 1);
        assert_int_equal(atomic_load(&many[i].step.entries), 1);
        async_call_clear(&many[i]);
    }
    async_drop_credential(&credential);
}

/* ---- R3: in the callback the status is final and all outputs are there ---- */

static void see_leg_outputs(struct async_call *call)
{
    const struct async_outputs *outputs = call->outputs;

    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(call->async), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(outputs->attributes, ISC_REQ_CONFIDENTIALITY);
    TEST_REQUIRE_EQUAL(outputs->expiry.QuadPart, MOCK_EXPIRY);
    TEST_REQUIRE_EQUAL(outputs->buffer.cbBuffer, strlen("token of the leg"));
    TEST_REQUIRE(memcmp(outputs->bytes, "token of the leg", strlen("token of the leg")) == 0);
    /* And the handle works at once. */
    TEST_REQUIRE_EQUAL(async_record(&call->outputs->context).legs, 1);
    async_drop_context(&call->outputs->context);
}

static void r3_callback_of_a_leg_sees_status_and_outputs(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "r3");
        struct async_call call;

        for (int accept = 0; accept < 2; accept++) {
            async_call_init(&call);
            call.step.output = "token of the leg";
            call.in_callback = see_leg_outputs;
            assert_int_equal(accept ? async_accept(&call, &credential, NULL)
                                    : async_leg(&call, &credential, NULL),
                             SEC_E_OK);
            assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
            assert_int_equal(atomic_load(&call.step.lane), async_lanes[i]);
            async_call_clear(&call);
        }
        async_drop_credential(&credential);
    }
}

static void see_credential(struct async_call *call)
{
    CtxtHandle context;

    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(call->async), SEC_E_OK);
    TEST_REQUIRE_EQUAL(call->outputs->expiry.QuadPart, MOCK_EXPIRY);
    context = async_context(&call->outputs->credential);
    async_drop_context(&context);
    async_drop_credential(&call->outputs->credential);
}

static void r3_callback_of_an_acquire_can_use_the_credential(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct async_call call;
        struct mock_auth auth = {.magic = MOCK_AUTH, .step = &call.step};

        mock_acquire_lane(async_lanes[i], "r3");
        async_call_init(&call);
        call.step.status = SEC_E_OK;
        call.in_callback = see_credential;
        assert_int_equal(async_acquire(&call, &auth), SEC_E_OK);
        assert_int_equal(async_await(&call), SEC_E_OK);
        assert_int_equal(atomic_load(&call.step.lane), async_lanes[i]);
        async_call_clear(&call);
    }
    mock_acquire_lane(OSSPI_LANE_CPU, NULL);
}

/* ---- R4, R8: the callback may take everything away at once ---- */

struct vanishing {
    struct paged *paged;
    CtxtHandle context;
};

static _Atomic uint64_t vanished;

static void take_everything_away(SspiAsyncContext *handle, void *data)
{
    struct paged *paged = data;

    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(handle), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&paged->call.own.context);
    SspiFreeAsyncContext(handle);
    test_pages_free(paged, sizeof(*paged));
    atomic_fetch_add(&vanished, 1);
}

static bool all_vanished(void *data)
{
    return atomic_load(&vanished) == *(uint64_t *)data;
}

static void r4_callback_may_take_context_and_all_memory_away(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint64_t count = TEST_ROUNDS(2000);

    (void)state;
    for (uint64_t i = 0; i < count; i++) {
        struct paged *paged = test_pages_new(sizeof(*paged));

        async_call_init_silent(&paged->call);
        SspiSetAsyncNotifyCallback(paged->call.async, take_everything_away, paged);
        /* The callback may be through before this has returned. */
        assert_int_equal(async_leg(&paged->call, &credential, NULL), SEC_E_OK);
    }
    test_poll(all_vanished, &count);
    async_drop_credential(&credential);
}

/* ---- R5: another thread frees while the callback has not returned ---- */

static void r5_context_may_be_freed_while_its_callback_runs(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;
    SspiAsyncContext *handle;

    (void)state;
    async_call_init(&call);
    handle = call.async;
    call.callback_gate = &gate;
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    test_gate_await(&gate, 1);
    SspiFreeAsyncContext(handle);
    assert_int_equal(SspiGetAsyncCallStatus(handle), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(SspiReinitAsyncContext(handle), STATUS_INVALID_PARAMETER);
    async_drop_context(&call.own.context);
    test_gate_open(&gate);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_drop_credential(&credential);
}

/* ---- R6: the callback may make synchronous calls ---- */

static void make_synchronous_calls(struct async_call *call)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "r6");
    CtxtHandle context = async_context(&credential);
    SecPkgInfoA *info = NULL;
    CtxtHandle same = call->own.context;

    TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(&credential, 1, &info, sizeof(info)),
                       SEC_E_UNSUPPORTED_FUNCTION);
    TEST_REQUIRE_EQUAL(QuerySecurityPackageInfoA((char[]){MOCK_NAME}, &info), SEC_E_OK);
    TEST_REQUIRE_EQUAL(FreeContextBuffer(info), SEC_E_OK);
    /* Another leg on the context whose call has just completed. */
    TEST_REQUIRE_EQUAL(async_record(&same).legs, 1);
    TEST_REQUIRE_EQUAL(async_leg_now(call, NULL, &same), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&same);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

static void r6_callbacks_of_all_workers_may_make_synchronous_calls(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint32_t count = TEST_ROUNDS(MANY);

    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        async_call_init(&many[i]);
        many[i].in_callback = make_synchronous_calls;
        assert_int_equal(async_leg(&many[i], &credential, NULL), SEC_E_OK);
    }
    for (uint32_t i = 0; i < count; i++) {
        async_await(&many[i]);
        async_call_clear(&many[i]);
    }
    async_drop_credential(&credential);
}

/* ---- R7: completion needs nothing of the thread that queued ---- */

static void *queue_and_go(void *data)
{
    struct async_call *call = data;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    TEST_REQUIRE_EQUAL(async_leg(call, &credential, NULL), SEC_E_OK);
    async_drop_credential(&credential);
    return NULL;
}

static void r7_call_completes_after_its_thread_has_ended(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.step.gate = &gate;
    test_thread_join(test_thread_start(queue_and_go, &call));
    assert_int_equal(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    test_gate_open(&gate);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
}

/* ---- R8: everything of the call is on the heap and freed by the callback ---- */

static _Atomic uint64_t freed_on_heap;

static void free_on_heap(SspiAsyncContext *handle, void *data)
{
    struct async_call *call = data;

    async_drop_context(&call->own.context);
    SspiFreeAsyncContext(handle);
    free(call);
    atomic_fetch_add(&freed_on_heap, 1);
}

static bool all_freed(void *data)
{
    return atomic_load(&freed_on_heap) == *(uint64_t *)data;
}

static void r8_callback_may_run_before_the_queueing_call_returns(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint64_t count = TEST_ROUNDS(40000);

    (void)state;
    for (uint64_t i = 0; i < count; i++) {
        struct async_call *call = malloc(sizeof(*call));

        assert_non_null(call);
        async_call_init_silent(call);
        SspiSetAsyncNotifyCallback(call->async, free_on_heap, call);
        assert_int_equal(async_leg(call, &credential, NULL), SEC_E_OK);
        if (i % 1000 == 999) {
            uint64_t so_far = i + 1;

            test_poll(all_freed, &so_far);
        }
    }
    test_poll(all_freed, &count);
    async_drop_credential(&credential);
}

/* ---- R9: handles are the same for both forms ---- */

static void r9_credential_acquired_async_serves_sync_calls(void **state)
{
    struct async_call call;
    CtxtHandle context;

    (void)state;
    async_call_init(&call);
    assert_int_equal(async_acquire(&call, NULL), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_E_OK);
    assert_true(SecIsValidHandle(&call.own.credential));
    context = async_context(&call.own.credential);
    async_drop_context(&context);
    async_drop_credential(&call.own.credential);
    assert_int_equal(FreeCredentialsHandle(&call.own.credential), SEC_E_INVALID_HANDLE);
    async_call_clear(&call);
}

static void r9_contexts_pass_between_sync_and_async_calls(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle made_sync = async_context(&credential);
    CtxtHandle made_async;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    assert_int_equal(async_leg(&call, &credential, &made_sync), SEC_E_OK);
    async_await(&call);
    assert_memory_equal(&call.own.context, &made_sync, sizeof(made_sync));
    assert_int_equal(async_record(&made_sync).legs, 2);

    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    test_counter_await(&call.notified, 2);
    made_async = call.own.context;
    assert_int_equal(async_leg_now(&call, &credential, &made_async), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(async_record(&made_async).legs, 2);

    assert_int_equal(async_delete(&call, &made_sync), SEC_E_OK);
    test_counter_await(&call.notified, 3);
    assert_int_equal(async_status(&call), SEC_E_OK);
    async_drop_context(&made_async);
    assert_int_equal(async_free_credential(&call, &credential), SEC_E_OK);
    test_counter_await(&call.notified, 4);
    assert_int_equal(async_status(&call), SEC_E_OK);
    async_call_clear(&call);
}

static void r9_deleted_handles_are_invalid_inside_the_call(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call deleting;
    struct async_call freeing;
    ULONG attributes;
    SecBufferDesc none = {SECBUFFER_VERSION, 0, NULL};

    (void)state;
    async_call_init(&deleting);
    async_call_init(&freeing);
    async_occupy(&crowd); /* no worker is there to do it later */
    assert_int_equal(async_delete(&deleting, &context), SEC_E_OK);
    assert_int_equal(EncryptMessage(&context, 0, &none, 0), SEC_E_INVALID_HANDLE);
    assert_int_equal(async_free_credential(&freeing, &credential), SEC_E_OK);
    assert_int_equal(InitializeSecurityContextA(&credential, NULL, NULL, 0, 0, 0, NULL, 0, &context,
                                                NULL, &attributes, NULL),
                     SEC_E_INVALID_HANDLE);
    async_vacate(&crowd);
    assert_int_equal(async_await(&deleting), SEC_E_OK);
    assert_int_equal(async_await(&freeing), SEC_E_OK);
    async_call_clear(&deleting);
    async_call_clear(&freeing);
}

static void r9_second_delete_or_free_reports_the_invalid_handle(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle garbage = {0x1234, 0x5678};
    struct async_call call;

    (void)state;
    async_drop_credential(&credential);
    async_call_init(&call);
    assert_int_equal(async_free_credential(&call, &credential), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_E_INVALID_HANDLE);
    assert_int_equal(async_delete(&call, &garbage), SEC_E_OK);
    test_counter_await(&call.notified, 2);
    assert_int_equal(async_status(&call), SEC_E_INVALID_HANDLE);
    async_call_clear(&call);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(r1_refused_call_never_calls_back_nor_touches_memory),
        cmocka_unit_test(r2_every_queued_call_calls_back_once),
        cmocka_unit_test(r3_callback_of_a_leg_sees_status_and_outputs),
        cmocka_unit_test(r3_callback_of_an_acquire_can_use_the_credential),
        cmocka_unit_test(r4_callback_may_take_context_and_all_memory_away),
        cmocka_unit_test(r5_context_may_be_freed_while_its_callback_runs),
        cmocka_unit_test(r6_callbacks_of_all_workers_may_make_synchronous_calls),
        cmocka_unit_test(r7_call_completes_after_its_thread_has_ended),
        cmocka_unit_test(r8_callback_may_run_before_the_queueing_call_returns),
        cmocka_unit_test(r9_credential_acquired_async_serves_sync_calls),
        cmocka_unit_test(r9_contexts_pass_between_sync_and_async_calls),
        cmocka_unit_test(r9_deleted_handles_are_invalid_inside_the_call),
        cmocka_unit_test(r9_second_delete_or_free_reports_the_invalid_handle),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.rules", tests, NULL, async_teardown);
}
