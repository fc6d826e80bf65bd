/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The six functions of async contexts: what each answers for NULL, garbage, stale and freed handles
 * and in every state of a call, and what a refused attempt to queue leaves behind.
 */
#include "async/async_util.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void no_callback(SspiAsyncContext *handle, void *data)
{
    (void)handle;
    (void)data;
    TEST_REQUIRE(!"this callback is never wanted");
}

/* A call whose leg waits at the gate on a worker; the context is pending. */
struct pending {
    struct test_gate gate;
    struct async_call call;
    CredHandle credential;
};

static void pending_start(struct pending *pending)
{
    test_gate_init(&pending->gate);
    pending->credential = async_credential(OSSPI_LANE_CPU, NULL);
    async_call_init(&pending->call);
    pending->call.step.gate = &pending->gate;
    TEST_REQUIRE_EQUAL(async_leg(&pending->call, &pending->credential, NULL), SEC_E_OK);
    test_gate_await(&pending->gate, 1);
}

static void pending_finish(struct pending *pending)
{
    test_gate_open(&pending->gate);
    TEST_REQUIRE_EQUAL(async_await(&pending->call), SEC_I_CONTINUE_NEEDED);
}

static void pending_end(struct pending *pending)
{
    async_drop_context(&pending->call.own.context);
    async_call_clear(&pending->call);
    async_drop_credential(&pending->credential);
}

/* ---- SspiCreateAsyncContext ---- */

static void create_gives_handles_that_are_no_special_value(void **state)
{
    SspiAsyncContext *contexts[100];

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(contexts); i++) {
        contexts[i] = SspiCreateAsyncContext();
        assert_non_null(contexts[i]);
        assert_true((uintptr_t)contexts[i] > 65536);
        assert_ptr_not_equal(contexts[i], (void *)-1);
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(contexts[i], contexts[k]);
    }
    assert_int_equal(async_statistics().live_async_contexts, OSSPI_COUNT_OF(contexts));
    for (size_t i = 0; i < OSSPI_COUNT_OF(contexts); i++)
        SspiFreeAsyncContext(contexts[i]);
}

static void create_gives_a_context_without_callback_or_status(void **state)
{
    SspiAsyncContext *context = SspiCreateAsyncContext();

    (void)state;
    assert_false(SspiAsyncContextRequiresNotify(context));
    assert_int_equal(SspiGetAsyncCallStatus(context), SEC_I_ASYNC_CALL_PENDING);
    SspiFreeAsyncContext(context);
}

/* ---- SspiFreeAsyncContext ---- */

static void free_of_null_does_nothing(void **state)
{
    (void)state;
    SspiFreeAsyncContext(NULL);
}

static void free_twice_does_nothing_to_anybody(void **state)
{
    SspiAsyncContext *first = SspiCreateAsyncContext();
    SspiAsyncContext *others[3000];

    (void)state;
    SspiFreeAsyncContext(first);
    SspiFreeAsyncContext(first);
    /* Enough contexts that the first one's slot has come round. */
    for (size_t i = 0; i < OSSPI_COUNT_OF(others); i++) {
        others[i] = SspiCreateAsyncContext();
        SspiFreeAsyncContext(first);
    }
    assert_int_equal(async_statistics().live_async_contexts, OSSPI_COUNT_OF(others));
    for (size_t i = 0; i < OSSPI_COUNT_OF(others); i++) {
        assert_int_equal(SspiReinitAsyncContext(others[i]), STATUS_SUCCESS);
        SspiFreeAsyncContext(others[i]);
    }
}

static void free_while_pending_lets_the_callback_run(void **state)
{
    struct pending pending;

    (void)state;
    pending_start(&pending);
    SspiFreeAsyncContext(pending.call.async);
    assert_int_equal(async_status(&pending.call), SEC_I_ASYNC_CALL_PENDING);
    pending_finish(&pending);
    pending_end(&pending);
}

/* ---- SspiReinitAsyncContext ---- */

static void reinit_of_null_is_invalid_parameter(void **state)
{
    (void)state;
    assert_int_equal(SspiReinitAsyncContext(NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal((uint32_t)SspiReinitAsyncContext(NULL), 0xC000000D);
}

static void reinit_of_a_freed_context_is_invalid_parameter(void **state)
{
    SspiAsyncContext *context = SspiCreateAsyncContext();

    (void)state;
    SspiFreeAsyncContext(context);
    assert_int_equal(SspiReinitAsyncContext(context), STATUS_INVALID_PARAMETER);
}

static void reinit_of_a_fresh_context_succeeds_again_and_again(void **state)
{
    SspiAsyncContext *context = SspiCreateAsyncContext();

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SspiReinitAsyncContext(context), STATUS_SUCCESS);
        assert_int_equal(SspiGetAsyncCallStatus(context), SEC_I_ASYNC_CALL_PENDING);
    }
    SspiFreeAsyncContext(context);
}

static void reinit_while_pending_is_busy_and_changes_nothing(void **state)
{
    struct pending pending;

    (void)state;
    pending_start(&pending);
    assert_int_equal((uint32_t)SspiReinitAsyncContext(pending.call.async), 0x80000011);
    assert_int_equal(async_status(&pending.call), SEC_I_ASYNC_CALL_PENDING);
    pending_finish(&pending);
    assert_int_equal(async_status(&pending.call), SEC_I_CONTINUE_NEEDED);
    pending_end(&pending);
}

static void reinit_of_a_complete_context_keeps_the_callback(void **state)
{
    struct pending pending;

    (void)state;
    pending_start(&pending);
    pending_finish(&pending);
    assert_int_equal(SspiReinitAsyncContext(pending.call.async), STATUS_SUCCESS);
    assert_int_equal(SspiReinitAsyncContext(pending.call.async), STATUS_SUCCESS);
    assert_int_equal(async_status(&pending.call), SEC_I_ASYNC_CALL_PENDING);
    assert_true(SspiAsyncContextRequiresNotify(pending.call.async));
    assert_int_equal(async_leg(&pending.call, NULL, &pending.call.own.context), SEC_E_OK);
    test_counter_await(&pending.call.notified, 2);
    pending_end(&pending);
}

/* ---- SspiSetAsyncNotifyCallback and SspiAsyncContextRequiresNotify ---- */

static void set_notify_of_null_or_freed_is_invalid_handle(void **state)
{
    SspiAsyncContext *context = SspiCreateAsyncContext();

    (void)state;
    assert_int_equal(SspiSetAsyncNotifyCallback(NULL, no_callback, NULL), SEC_E_INVALID_HANDLE);
    assert_int_equal(SspiSetAsyncNotifyCallback(NULL, NULL, NULL), SEC_E_INVALID_HANDLE);
    SspiFreeAsyncContext(context);
    assert_int_equal(SspiSetAsyncNotifyCallback(context, no_callback, NULL), SEC_E_INVALID_HANDLE);
}

static void set_notify_decides_alone_whether_notify_is_required(void **state)
{
    SspiAsyncContext *context = SspiCreateAsyncContext();
    int data = 0;

    (void)state;
    assert_int_equal(SspiSetAsyncNotifyCallback(context, no_callback, NULL), SEC_E_OK);
    assert_true(SspiAsyncContextRequiresNotify(context));
    assert_int_equal(SspiSetAsyncNotifyCallback(context, NULL, NULL), SEC_E_OK);
    assert_false(SspiAsyncContextRequiresNotify(context));
    assert_int_equal(SspiSetAsyncNotifyCallback(context, no_callback, &data), SEC_E_OK);
    assert_int_equal(SspiSetAsyncNotifyCallback(context, NULL, &data), SEC_E_OK);
    assert_false(SspiAsyncContextRequiresNotify(context));
    assert_int_equal(SspiGetAsyncCallStatus(context), SEC_I_ASYNC_CALL_PENDING);
    SspiFreeAsyncContext(context);
    assert_false(SspiAsyncContextRequiresNotify(context));
    assert_false(SspiAsyncContextRequiresNotify(NULL));
}

static void set_notify_while_pending_is_refused_and_the_old_one_runs(void **state)
{
    struct pending pending;

    (void)state;
    pending_start(&pending);
    assert_int_equal(SspiSetAsyncNotifyCallback(pending.call.async, no_callback, NULL),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(SspiSetAsyncNotifyCallback(pending.call.async, NULL, NULL),
                     SEC_E_INVALID_PARAMETER);
    assert_true(SspiAsyncContextRequiresNotify(pending.call.async));
    pending_finish(&pending);
    assert_true(SspiAsyncContextRequiresNotify(pending.call.async));
    pending_end(&pending);
}

static void set_notify_replaces_callback_and_data(void **state)
{
    struct pending pending;
    struct async_call other;

    (void)state;
    pending_start(&pending);
    pending_finish(&pending);
    async_call_init_silent(&other);
    SspiFreeAsyncContext(other.async);
    other.async = pending.call.async; /* the callback compares */
    assert_int_equal(SspiSetAsyncNotifyCallback(pending.call.async, async_notify, &other),
                     SEC_E_OK);
    assert_int_equal(async_leg(&pending.call, NULL, &pending.call.own.context), SEC_E_OK);
    assert_int_equal(async_await(&other), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(test_counter_get(&pending.call.notified), 1);
    pending_end(&pending);
}

/* ---- SspiGetAsyncCallStatus ---- */

static void status_of_null_is_invalid_handle(void **state)
{
    (void)state;
    assert_int_equal(SspiGetAsyncCallStatus(NULL), SEC_E_INVALID_HANDLE);
}

static void status_is_what_the_call_answered(void **state)
{
    static const SECURITY_STATUS answers[] = {
        SEC_E_OK,
        SEC_I_CONTINUE_NEEDED,
        SEC_I_COMPLETE_NEEDED,
        SEC_I_COMPLETE_AND_CONTINUE,
        SEC_I_INCOMPLETE_CREDENTIALS,
        SEC_E_INCOMPLETE_MESSAGE,
        SEC_E_INVALID_TOKEN,
        SEC_E_LOGON_DENIED,
        SEC_E_INTERNAL_ERROR,
        SEC_E_INSUFFICIENT_MEMORY,
        SEC_E_UNTRUSTED_ROOT,
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(answers); i++) {
        struct async_call call;
        CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
        CtxtHandle context = async_context(&credential);

        async_call_init(&call);
        call.step.status = answers[i];
        assert_int_equal(async_leg(&call, &credential, &context), SEC_E_OK);
        assert_int_equal(async_await(&call), answers[i]);
        for (int k = 0; k < 3; k++)
            assert_int_equal(async_status(&call), answers[i]);
        async_call_clear(&call);
        async_drop_context(&context);
        async_drop_credential(&credential);
    }
}

static void status_of_a_freed_context_stays_until_its_slot_serves_again(void **state)
{
    struct pending pending;
    SspiAsyncContext *freed;
    uint32_t others = 0;

    (void)state;
    pending_start(&pending);
    pending_finish(&pending);
    freed = pending.call.async;
    pending_end(&pending);
    while (SspiGetAsyncCallStatus(freed) == SEC_I_CONTINUE_NEEDED) {
        SspiFreeAsyncContext(SspiCreateAsyncContext());
        others++;
        assert_true(others < 1000000);
    }
    assert_int_equal(SspiGetAsyncCallStatus(freed), SEC_E_INVALID_HANDLE);
    assert_true(others > 1000);
}

static void status_of_a_fresh_freed_context_is_pending(void **state)
{
    SspiAsyncContext *context = SspiCreateAsyncContext();

    (void)state;
    SspiFreeAsyncContext(context);
    assert_int_equal(SspiGetAsyncCallStatus(context), SEC_I_ASYNC_CALL_PENDING);
}

/* ---- attempts to queue that are refused ---- */

static SECURITY_STATUS acquire_without_package(struct async_call *call)
{
    return API(SspiAcquireCredentialsHandleAsyncA(call->async, NULL, NULL, SECPKG_CRED_OUTBOUND,
                                                  NULL, NULL, NULL, NULL, &call->own.credential,
                                                  NULL));
}

static void refused_attempt_latches_its_status_on_an_idle_context(void **state)
{
    struct async_call call;

    (void)state;
    async_call_init(&call);
    assert_int_equal(acquire_without_package(&call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_status(&call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(acquire_without_package(&call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_status(&call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
    assert_int_equal(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    assert_int_equal(acquire_without_package(&call), SEC_E_INVALID_PARAMETER);
    /* A latched context takes the next call without Reinit. */
    assert_int_equal(async_acquire(&call, NULL), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_E_OK);
    assert_int_equal(test_counter_get(&call.notified), 1);
    async_drop_credential(&call.own.credential);
    async_call_clear(&call);
}

static void refused_attempt_leaves_the_status_of_a_complete_call(void **state)
{
    struct pending pending;

    (void)state;
    pending_start(&pending);
    pending_finish(&pending);
    assert_int_equal(acquire_without_package(&pending.call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_status(&pending.call), SEC_I_CONTINUE_NEEDED);
    pending_end(&pending);
}

static void second_call_on_a_pending_context_is_refused(void **state)
{
    struct pending pending;
    struct async_call other;
    SspiAsyncContext *spare;

    (void)state;
    pending_start(&pending);
    async_call_init_silent(&other);
    spare = other.async;
    other.async = pending.call.async;
    assert_int_equal(async_leg(&other, &pending.credential, NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_accept(&other, &pending.credential, NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_acquire(&other, NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_status(&pending.call), SEC_I_ASYNC_CALL_PENDING);
    pending_finish(&pending);
    assert_int_equal(test_counter_get(&pending.call.notified), 1);
    assert_int_equal(atomic_load(&pending.call.step.entries), 1);
    assert_int_equal(atomic_load(&other.step.entries), 0);
    other.async = spare;
    async_call_clear(&other);
    pending_end(&pending);
}

static void refused_delete_leaves_the_security_context_alive(void **state)
{
    struct pending pending;
    CtxtHandle context;

    (void)state;
    pending_start(&pending);
    context = async_context(&pending.credential);
    assert_int_equal(async_delete(&pending.call, &context), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_record(&context).legs, 1);
    assert_int_equal(API(SspiDeleteSecurityContextAsync(NULL, &context)), SEC_E_INVALID_HANDLE);
    assert_int_equal(async_record(&context).legs, 1);
    assert_int_equal(async_free_credential(&pending.call, &pending.credential),
                     SEC_E_INVALID_PARAMETER);
    async_drop_context(&context);
    pending_finish(&pending);
    pending_end(&pending);
}

static void complete_context_takes_another_call_without_reinit(void **state)
{
    struct pending pending;

    (void)state;
    pending_start(&pending);
    pending_finish(&pending);
    for (uint64_t i = 2; i < 20; i++) {
        assert_int_equal(async_leg(&pending.call, NULL, &pending.call.own.context), SEC_E_OK);
        test_counter_await(&pending.call.notified, i);
    }
    assert_int_equal(async_record(&pending.call.own.context).legs, 19);
    pending_end(&pending);
}

static void queue_time_errors_are_the_ones_of_pointers(void **state)
{
    struct async_call call;
    CredHandle handle;
    char name[] = MOCK_NAME;

    (void)state;
    async_call_init(&call);
    assert_int_equal(API(SspiAcquireCredentialsHandleAsyncA(NULL, NULL, name, 2, NULL, NULL, NULL,
                                                            NULL, &handle, NULL)),
                     SEC_E_INVALID_HANDLE);
    assert_int_equal(API(SspiAcquireCredentialsHandleAsyncA(call.async, NULL, name, 2, NULL, NULL,
                                                            NULL, NULL, NULL, NULL)),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(API(SspiAcquireCredentialsHandleAsyncW(call.async, NULL, NULL, 2, NULL, NULL,
                                                            NULL, NULL, &handle, NULL)),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(test_counter_get(&call.notified), 0);
    async_call_clear(&call);
}

static void call_time_errors_are_the_ones_of_packages(void **state)
{
    struct mock_auth garbage = {.magic = 1};
    struct mock_auth failing = {.magic = MOCK_AUTH, .capture_status = SEC_E_NO_CREDENTIALS};
    struct async_call call;
    char unknown[] = "No Such Package";

    (void)state;
    async_call_init(&call);
    assert_int_equal(
        API(SspiAcquireCredentialsHandleAsyncA(call.async, NULL, unknown, 2, NULL, NULL, NULL, NULL,
                                               &call.own.credential, NULL)),
        SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_E_SECPKG_NOT_FOUND);
    assert_int_equal(async_acquire(&call, &garbage), SEC_E_OK);
    test_counter_await(&call.notified, 2);
    assert_int_equal(async_status(&call), SEC_E_UNKNOWN_CREDENTIALS);
    assert_true(call.own.credential.dwLower == (ULONG_PTR)UINT64_C(0xA5A5A5A5A5A5A5A5));
    assert_int_equal(async_acquire(&call, &failing), SEC_E_OK);
    test_counter_await(&call.notified, 3);
    assert_int_equal(async_status(&call), SEC_E_NO_CREDENTIALS);
    async_call_clear(&call);
}

/* ---- garbage ---- */

static void touch_with_everything(SspiAsyncContext *handle)
{
    CtxtHandle context = {1, 1};
    CredHandle credential = {2, 2};
    ULONG attributes;
    char name[] = MOCK_NAME;

    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(handle), SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(SspiReinitAsyncContext(handle), STATUS_INVALID_PARAMETER);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(handle, no_callback, NULL), SEC_E_INVALID_HANDLE);
    TEST_REQUIRE(!SspiAsyncContextRequiresNotify(handle));
    TEST_REQUIRE_EQUAL(OsspiCancelAsyncCall(handle), SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(OsspiWaitAsyncCall(handle, OSSPI_INFINITE), SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(handle, 1), SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(handle, NULL), SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(SspiAcquireCredentialsHandleAsyncA(handle, NULL, name, 2, NULL, NULL, NULL,
                                                          NULL, &credential, NULL),
                       SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(SspiInitializeSecurityContextAsyncA(handle, &credential, NULL, name, 0, 0, 0,
                                                           NULL, 0, &context, NULL, &attributes,
                                                           NULL),
                       SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(SspiAcceptSecurityContextAsync(handle, &credential, NULL, NULL, 0, 0,
                                                      &context, NULL, &attributes, NULL),
                       SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(SspiDeleteSecurityContextAsync(handle, &context), SEC_E_INVALID_HANDLE);
    TEST_REQUIRE_EQUAL(SspiFreeCredentialsHandleAsync(handle, &credential), SEC_E_INVALID_HANDLE);
    SspiFreeAsyncContext(handle);
}

static void garbage_handles_are_invalid_everywhere(void **state)
{
    static const uintptr_t values[] = {
        1,
        2,
        255,
        4096,
        UINT32_MAX,
        (uintptr_t)1 << 32,
        UINTPTR_MAX,
        UINTPTR_MAX - 1,
        (uintptr_t)INTPTR_MAX,
        0xDEADBEEF,
        (uintptr_t)0x7F0000000000,
    };
    void *heap = malloc(64);
    int on_stack;
    uint64_t seed = 42;

    (void)state;
    assert_non_null(heap);
    memset(heap, 0xA5, 64);
    for (size_t i = 0; i < OSSPI_COUNT_OF(values); i++)
        touch_with_everything((SspiAsyncContext *)values[i]);
    touch_with_everything(heap);
    touch_with_everything((SspiAsyncContext *)(void *)&on_stack);
    for (uint32_t i = 0; i < TEST_ROUNDS(20000); i++)
        touch_with_everything((SspiAsyncContext *)(uintptr_t)test_random(&seed));
    free(heap);
}

static void garbage_near_a_live_handle_is_invalid(void **state)
{
    SspiAsyncContext *context = SspiCreateAsyncContext();

    (void)state;
    for (uint32_t bit = 32; bit < 64; bit++)
        touch_with_everything((SspiAsyncContext *)((uintptr_t)context ^ (uintptr_t)1 << bit));
    assert_int_equal(SspiReinitAsyncContext(context), STATUS_SUCCESS);
    SspiFreeAsyncContext(context);
}

/* ---- many threads on few handles ---- */

enum { SHARED = 8, THREADS = 4 };

static struct {
    _Atomic uintptr_t handles[SHARED];
    uint32_t rounds;
    _Atomic uint64_t queued;
    _Atomic uint64_t notified;
} riot;

static void count_notified(SspiAsyncContext *handle, void *data)
{
    (void)handle;
    (void)data;
    atomic_fetch_add(&riot.notified, 1);
}

static void riot_step(uint64_t random)
{
    _Atomic uintptr_t *place = &riot.handles[random % SHARED];
    SspiAsyncContext *handle = (SspiAsyncContext *)atomic_load(place);
    CtxtHandle none = {1, 1};

    switch (random >> 32 & 7) {
    case 0:
        handle = SspiCreateAsyncContext();
        TEST_REQUIRE(handle);
        (void)SspiSetAsyncNotifyCallback(handle, count_notified, NULL);
        SspiFreeAsyncContext((SspiAsyncContext *)atomic_exchange(place, (uintptr_t)handle));
        break;
    case 1:
        (void)SspiReinitAsyncContext(handle);
        break;
    case 2:
        (void)SspiGetAsyncCallStatus(handle);
        break;
    case 3:
        (void)OsspiCancelAsyncCall(handle);
        break;
    case 4:
        (void)OsspiWaitAsyncCall(handle, 0);
        break;
    case 5:
        (void)SspiAsyncContextRequiresNotify(handle);
        break;
    default:
        if (SspiDeleteSecurityContextAsync(handle, &none) == SEC_E_OK)
            atomic_fetch_add(&riot.queued, 1);
    }
}

static void *riot_run(void *data)
{
    uint64_t seed = (uintptr_t)data;

    for (uint32_t i = 0; i < riot.rounds; i++)
        riot_step(test_random(&seed));
    return NULL;
}

static bool all_notified(void *data)
{
    (void)data;
    return atomic_load(&riot.notified) == atomic_load(&riot.queued);
}

static void riot_of_threads_on_shared_handles_keeps_the_count(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    riot.rounds = TEST_ROUNDS(200000);
    for (uint32_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(riot_run, (void *)(uintptr_t)(i + 1));
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    test_poll(all_notified, NULL);
    assert_true(atomic_load(&riot.queued) > 0);
    for (uint32_t i = 0; i < SHARED; i++)
        SspiFreeAsyncContext((SspiAsyncContext *)atomic_load(&riot.handles[i]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_gives_handles_that_are_no_special_value),
        cmocka_unit_test(create_gives_a_context_without_callback_or_status),
        cmocka_unit_test(free_of_null_does_nothing),
        cmocka_unit_test(free_twice_does_nothing_to_anybody),
        cmocka_unit_test(free_while_pending_lets_the_callback_run),
        cmocka_unit_test(reinit_of_null_is_invalid_parameter),
        cmocka_unit_test(reinit_of_a_freed_context_is_invalid_parameter),
        cmocka_unit_test(reinit_of_a_fresh_context_succeeds_again_and_again),
        cmocka_unit_test(reinit_while_pending_is_busy_and_changes_nothing),
        cmocka_unit_test(reinit_of_a_complete_context_keeps_the_callback),
        cmocka_unit_test(set_notify_of_null_or_freed_is_invalid_handle),
        cmocka_unit_test(set_notify_decides_alone_whether_notify_is_required),
        cmocka_unit_test(set_notify_while_pending_is_refused_and_the_old_one_runs),
        cmocka_unit_test(set_notify_replaces_callback_and_data),
        cmocka_unit_test(status_of_null_is_invalid_handle),
        cmocka_unit_test(status_is_what_the_call_answered),
        cmocka_unit_test(status_of_a_freed_context_stays_until_its_slot_serves_again),
        cmocka_unit_test(status_of_a_fresh_freed_context_is_pending),
        cmocka_unit_test(refused_attempt_latches_its_status_on_an_idle_context),
        cmocka_unit_test(refused_attempt_leaves_the_status_of_a_complete_call),
        cmocka_unit_test(second_call_on_a_pending_context_is_refused),
        cmocka_unit_test(refused_delete_leaves_the_security_context_alive),
        cmocka_unit_test(complete_context_takes_another_call_without_reinit),
        cmocka_unit_test(queue_time_errors_are_the_ones_of_pointers),
        cmocka_unit_test(call_time_errors_are_the_ones_of_packages),
        cmocka_unit_test(garbage_handles_are_invalid_everywhere),
        cmocka_unit_test(garbage_near_a_live_handle_is_invalid),
        cmocka_unit_test(riot_of_threads_on_shared_handles_keeps_the_count),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.contexts", tests, NULL, async_teardown);
}
