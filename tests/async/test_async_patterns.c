/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The ways in which programs use asynchronous contexts: Microsoft's published sample with its
 * defects, by the hundred thousand, and the patterns (a) to (i) of a handshake of several legs.
 */
#include "async/async_util.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define LEGS 6u

static uint32_t legs_of(CtxtHandle *context)
{
    return async_record(context).legs;
}

/* ---- the published sample: queue, then look at a context that the callback frees ---- */

enum { IN_FLIGHT = 500 };

static _Atomic uint64_t sample_done;

static void sample_callback(SspiAsyncContext *handle, void *data)
{
    CtxtHandle *context = data;

    TEST_REQUIRE_EQUAL(async_inside_api, 0);
    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(handle), SEC_I_CONTINUE_NEEDED);
    SspiFreeAsyncContext(handle);
    async_drop_context(context);
    free(context);
    atomic_fetch_add(&sample_done, 1);
}

static bool few_in_flight(void *data)
{
    return *(uint64_t *)data - atomic_load(&sample_done) <= IN_FLIGHT;
}

static void sample_once(CredHandle *credential)
{
    CtxtHandle *context = calloc(1, sizeof(*context));
    SspiAsyncContext *handle = API(SspiCreateAsyncContext());
    SECURITY_STATUS status;

    TEST_REQUIRE(context && handle);
    TEST_REQUIRE_EQUAL(API(SspiSetAsyncNotifyCallback(handle, sample_callback, context)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(SspiAcceptSecurityContextAsync(handle, credential, NULL, NULL, 0, 0,
                                                          context, NULL, NULL, NULL)),
                       SEC_E_OK);
    /* The defect: the context may be freed by now, and its slot may even serve another call. */
    status = API(SspiGetAsyncCallStatus(handle));
    TEST_REQUIRE(status == SEC_I_ASYNC_CALL_PENDING || status == SEC_I_CONTINUE_NEEDED ||
                 status == SEC_E_INVALID_HANDLE);
}

static void sample_pattern_holds_by_the_hundred_thousand(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint64_t count = TEST_ROUNDS(300000);
    uint64_t zero = 0;

    (void)state;
    for (uint64_t i = 1; i <= count; i++) {
        sample_once(&credential);
        if (i % 100 == 0)
            test_poll(few_in_flight, &i);
    }
    zero = count + IN_FLIGHT;
    test_poll(few_in_flight, &zero);
    assert_int_equal(atomic_load(&sample_done), count);
    async_drop_credential(&credential);
}

/* The sample's second defect: no place for the new handle. Nothing may leak or crash. */
static void sample_without_place_for_the_handle_leaks_nothing(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;
    SECURITY_STATUS status;

    (void)state;
    async_call_init(&call);
    status = API(SspiAcceptSecurityContextAsync(call.async, &credential, NULL, NULL, 0, 0, NULL,
                                                NULL, NULL, NULL));
    if (status == SEC_E_OK)
        assert_true(async_await(&call) < 0);
    async_call_clear(&call);
    async_drop_credential(&credential);
    async_require_clean();
}

/* ---- (a) a new async context for each leg ---- */

static void a_new_async_context_per_leg(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);

    (void)state;
    for (uint32_t i = 2; i <= LEGS; i++) {
        struct async_call call;

        async_call_init(&call);
        call.step.status = i == LEGS ? SEC_E_OK : SEC_I_CONTINUE_NEEDED;
        assert_int_equal(async_leg(&call, &credential, &context), SEC_E_OK);
        assert_int_equal(async_await(&call), call.step.status);
        async_call_clear(&call);
    }
    assert_int_equal(legs_of(&context), LEGS);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

/* ---- (b) one context, Reinit between legs on the main thread ---- */

static void b_reinit_between_legs_on_the_main_thread(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;
    CtxtHandle *context = NULL;

    (void)state;
    async_call_init(&call);
    for (uint32_t i = 1; i <= LEGS; i++) {
        assert_int_equal(async_leg(&call, &credential, context), SEC_E_OK);
        test_counter_await(&call.notified, i);
        context = &call.own.context;
        assert_int_equal(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
    }
    assert_int_equal(legs_of(context), LEGS);
    async_drop_context(context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* ---- (c) Reinit and the next leg inside the callback ---- */

static struct test_counter chain_ended = TEST_COUNTER_INIT;

static void next_leg_in_callback(struct async_call *call)
{
    if (legs_of(&call->own.context) == LEGS) {
        test_counter_add(&chain_ended, 1);
        return;
    }
    TEST_REQUIRE_EQUAL(API(SspiReinitAsyncContext(call->async)), STATUS_SUCCESS);
    TEST_REQUIRE_EQUAL(async_leg(call, NULL, &call->own.context), SEC_E_OK);
}

static void c_reinit_and_next_leg_in_the_callback(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.in_callback = next_leg_in_callback;
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    test_counter_await(&chain_ended, 1);
    test_counter_await(&call.notified, LEGS);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* ---- (d) fire-and-forget Delete ---- */

static void d_delete_is_fired_and_forgotten(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(20000); i++) {
        CtxtHandle context = async_context(&credential);
        SspiAsyncContext *handle = API(SspiCreateAsyncContext());

        assert_non_null(handle);
        assert_int_equal(API(SspiDeleteSecurityContextAsync(handle, &context)), SEC_E_OK);
        /* What the one public caller does next: overwrite the handle, free the async context. */
        memset(&context, 0xFF, sizeof(context));
        API_VOID(SspiFreeAsyncContext(handle));
    }
    async_drop_credential(&credential);
    async_require_clean();
}

static void d_delete_after_opting_out_is_fired_and_forgotten(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    assert_int_equal(SspiSetAsyncNotifyCallback(call.async, NULL, NULL), SEC_E_OK);
    assert_int_equal(async_delete(&call, &context), SEC_E_OK);
    async_call_clear(&call);
    async_drop_credential(&credential);
    async_require_clean();
    assert_int_equal(test_counter_get(&call.notified), 0);
}

/* ---- (e) acquire async, use sync: in test_async_rules.c (R9) ---- */

/* ---- (f) blocking wrapper ---- */

struct wrapper {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done; /* guarded by lock */
};

static void wake_wrapper(SspiAsyncContext *handle, void *data)
{
    struct wrapper *wrapper = data;

    (void)handle;
    pthread_mutex_lock(&wrapper->lock);
    wrapper->done = true;
    pthread_cond_signal(&wrapper->changed);
    pthread_mutex_unlock(&wrapper->lock);
}

static SECURITY_STATUS acquire_wrapped(CredHandle *ret_credential)
{
    struct wrapper wrapper = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    SspiAsyncContext *handle = API(SspiCreateAsyncContext());
    char name[] = MOCK_NAME;
    SECURITY_STATUS status;

    TEST_REQUIRE(handle);
    TEST_REQUIRE_EQUAL(API(SspiSetAsyncNotifyCallback(handle, wake_wrapper, &wrapper)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(
        API(SspiAcquireCredentialsHandleAsyncA(handle, NULL, name, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                               NULL, NULL, ret_credential, NULL)),
        SEC_E_OK);
    pthread_mutex_lock(&wrapper.lock);
    while (!wrapper.done)
        pthread_cond_wait(&wrapper.changed, &wrapper.lock);
    pthread_mutex_unlock(&wrapper.lock);
    status = API(SspiGetAsyncCallStatus(handle));
    API_VOID(SspiFreeAsyncContext(handle));
    return status;
}

static void f_blocking_wrapper_waits_for_its_callback(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(5000); i++) {
        CredHandle credential;

        assert_int_equal(acquire_wrapped(&credential), SEC_E_OK);
        async_drop_credential(&credential);
    }
}

/* ---- (g) polling without a callback ---- */

static bool is_complete(void *data)
{
    return async_status(data) != SEC_I_ASYNC_CALL_PENDING;
}

static void g_polling_sees_the_end_and_the_outputs(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "polled");
        struct async_call call;

        async_call_init_silent(&call);
        for (uint32_t k = 0; k < TEST_ROUNDS(500); k++) {
            assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
            test_poll(is_complete, &call);
            assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
            assert_int_equal(legs_of(&call.own.context), 1);
            async_drop_context(&call.own.context);
            assert_int_equal(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
        }
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

/* ---- (h) many contexts at once with one credential, from many threads ---- */

enum { THREADS = 4, PER_THREAD = 64 };

static void *hold_many_handshakes(void *data)
{
    struct async_call *calls = calloc(PER_THREAD, sizeof(*calls));
    CredHandle *credential = data;
    uint32_t legs = TEST_ROUNDS(100);

    TEST_REQUIRE(calls);
    for (uint32_t i = 0; i < PER_THREAD; i++)
        async_call_init(&calls[i]);
    for (uint32_t leg = 1; leg <= legs; leg++) {
        for (uint32_t i = 0; i < PER_THREAD; i++)
            TEST_REQUIRE_EQUAL(async_leg(&calls[i], leg == 1 ? credential : NULL,
                                         leg == 1 ? NULL : &calls[i].own.context),
                               SEC_E_OK);
        for (uint32_t i = 0; i < PER_THREAD; i++)
            test_counter_await(&calls[i].notified, leg);
    }
    for (uint32_t i = 0; i < PER_THREAD; i++) {
        TEST_REQUIRE_EQUAL(legs_of(&calls[i].own.context), legs);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    free(calls);
    return NULL;
}

static void h_many_contexts_share_one_credential(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "shared");
        pthread_t threads[THREADS];

        for (uint32_t k = 0; k < THREADS; k++)
            threads[k] = test_thread_start(hold_many_handshakes, &credential);
        for (uint32_t k = 0; k < THREADS; k++)
            test_thread_join(threads[k]);
        async_drop_credential(&credential);
    }
}

/* ---- (i) the path of a caller whose attempt to queue fails ---- */

static void i_failed_attempt_is_seen_by_return_value_and_poller(void **state)
{
    struct async_call call;
    char name[] = MOCK_NAME;

    (void)state;
    async_call_init(&call);
    assert_int_equal(API(SspiAcquireCredentialsHandleAsyncA(call.async, NULL, name, 2, NULL, NULL,
                                                            NULL, NULL, NULL, NULL)),
                     SEC_E_INVALID_PARAMETER);
    test_poll(is_complete, &call); /* a poller is not left waiting */
    assert_int_equal(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)), SEC_E_INVALID_PARAMETER);
    async_call_clear(&call);
    assert_int_equal(test_counter_get(&call.notified), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_pattern_holds_by_the_hundred_thousand),
        cmocka_unit_test(sample_without_place_for_the_handle_leaks_nothing),
        cmocka_unit_test(a_new_async_context_per_leg),
        cmocka_unit_test(b_reinit_between_legs_on_the_main_thread),
        cmocka_unit_test(c_reinit_and_next_leg_in_the_callback),
        cmocka_unit_test(d_delete_is_fired_and_forgotten),
        cmocka_unit_test(d_delete_after_opting_out_is_fired_and_forgotten),
        cmocka_unit_test(f_blocking_wrapper_waits_for_its_callback),
        cmocka_unit_test(g_polling_sees_the_end_and_the_outputs),
        cmocka_unit_test(h_many_contexts_share_one_credential),
        cmocka_unit_test(i_failed_attempt_is_seen_by_return_value_and_poller),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.patterns", tests, NULL, async_teardown);
}
