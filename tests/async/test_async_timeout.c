/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Deadlines: they cover queueing, the turn, work and network; a call that computes keeps its own
 * result; one that blocks is given up. That a deadline has passed is known by another call whose
 * deadline came later, never by a guess.
 */
#include "async/async_util.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

static void set_timeout(struct async_call *call, ULONG timeout_ms)
{
    TEST_REQUIRE_EQUAL(API(OsspiSetAsyncTimeout(call->async, timeout_ms)), SEC_E_OK);
}

static bool is_timed_out(void *data)
{
    return async_status(data) == ASYNC_TIMEOUT;
}

static bool has_returned(void *data)
{
    struct async_call *call = data;

    return atomic_load(&call->step.exits) == atomic_load(&call->step.entries);
}

/* Returns when every deadline of timeout_ms that is running now has passed and been acted upon. */
static void let_deadlines_pass(ULONG timeout_ms)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "later");
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call later;

    async_call_init_silent(&later);
    later.step.gate = &gate;
    set_timeout(&later, timeout_ms + 1);
    TEST_REQUIRE_EQUAL(async_leg(&later, &credential, NULL), SEC_E_OK);
    test_poll(is_timed_out, &later);
    test_gate_open(&gate);
    test_poll(has_returned, &later);
    async_call_clear(&later);
    async_drop_credential(&credential);
}

static void set_timeout_of_no_context_is_invalid_handle(void **state)
{
    SspiAsyncContext *handle = SspiCreateAsyncContext();

    (void)state;
    assert_int_equal(OsspiSetAsyncTimeout(NULL, 1), SEC_E_INVALID_HANDLE);
    SspiFreeAsyncContext(handle);
    assert_int_equal(OsspiSetAsyncTimeout(handle, 1), SEC_E_INVALID_HANDLE);
}

/* Complete, but its callback is still to come. */
static void deadline_behind_the_end_changes_nothing(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue;
    struct async_call call;

    (void)state;
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&call);
    assert_int_equal(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
    set_timeout(&call, 3000);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    let_deadlines_pass(3000);
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(test_counter_get(&call.notified), 1);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    async_drop_credential(&credential);
}

static void set_timeout_while_pending_is_refused(void **state)
{
    struct async_crowd crowd;

    (void)state;
    async_occupy(&crowd);
    assert_int_equal(OsspiSetAsyncTimeout(crowd.calls[0].async, 1), SEC_E_INVALID_PARAMETER);
    async_vacate(&crowd);
}

static void queued_call_times_out_at_its_deadline(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint64_t before = async_statistics().calls_timed_out;
    struct async_call call;
    uint64_t started;

    (void)state;
    async_call_init(&call);
    set_timeout(&call, 30);
    async_occupy(&crowd);
    started = osspi_now_ns();
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    test_poll(is_timed_out, &call);
    assert_true(osspi_now_ns() - started >= UINT64_C(30000000));
    assert_int_equal(async_statistics().calls_timed_out, before + 1);
    async_vacate(&crowd);
    assert_int_equal(async_await(&call), ASYNC_TIMEOUT);
    assert_int_equal(atomic_load(&call.step.entries), 0);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void call_that_waits_for_its_turn_times_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct test_gate gate = TEST_GATE_INIT;
        CredHandle credential = async_credential(async_lanes[i], "turn");
        CtxtHandle context = async_context(&credential);
        struct async_call calls[3];

        for (uint32_t k = 0; k < 3; k++)
            async_call_init(&calls[k]);
        calls[0].step.gate = &gate;
        set_timeout(&calls[1], 20);
        for (uint32_t k = 0; k < 3; k++)
            assert_int_equal(async_leg(&calls[k], &credential, &context), SEC_E_OK);
        assert_int_equal(async_await(&calls[1]), ASYNC_TIMEOUT);
        test_gate_open(&gate);
        assert_int_equal(async_await(&calls[0]), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(async_await(&calls[2]), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(async_record(&context).legs, 3);
        for (uint32_t k = 0; k < 3; k++)
            async_call_clear(&calls[k]);
        async_drop_context(&context);
        async_drop_credential(&credential);
    }
}

static void running_cpu_call_keeps_its_own_result(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct test_gate gate = TEST_GATE_INIT;
    uint64_t before = async_statistics().calls_timed_out;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.step.output = "in time or not";
    set_timeout(&call, 10);
    async_leg_to_gate(&call, &gate, &credential, NULL);
    let_deadlines_pass(10);
    assert_int_equal(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    test_gate_open(&gate);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    assert_memory_equal(call.own.bytes, "in time or not", 14);
    assert_int_equal(async_statistics().calls_timed_out, before + 1); /* the later one */
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void running_blocking_call_is_given_up(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "silent");
    CtxtHandle context = async_context(&credential);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;
    struct async_outputs *outputs = test_pages_new(sizeof(*outputs));
    SecBufferDesc message = {SECBUFFER_VERSION, 0, NULL};

    (void)state;
    async_call_init(&call);
    call.step.output = "late";
    call.outputs = outputs;
    set_timeout(&call, 20);
    async_leg_to_gate(&call, &gate, &credential, &context);
    test_pages_forbid(outputs, sizeof(*outputs), true);
    assert_int_equal(async_await(&call), ASYNC_TIMEOUT);
    assert_int_equal(async_statistics().calls_abandoned_running, 1);
    assert_int_equal(EncryptMessage(&context, 0, &message, 0), SEC_E_CONTEXT_EXPIRED);
    assert_int_equal(async_record(&context).legs, 2);
    test_gate_open(&gate);
    async_await_no_abandoned();
    assert_int_equal(EncryptMessage(&context, 0, &message, 0), SEC_E_CONTEXT_EXPIRED);
    test_pages_free(outputs, sizeof(*outputs));
    async_call_clear(&call);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

static void deadline_covers_a_leg_that_changes_lanes(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, "midway");
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.step.gate = &gate;
    call.step.want_blocking = true;
    set_timeout(&call, 20);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(async_await(&call), ASYNC_TIMEOUT);
    test_gate_open(&gate);
    async_await_no_abandoned();
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void acquire_times_out_and_leaves_nothing(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;
    struct mock_auth auth = {.magic = MOCK_AUTH, .step = &call.step};

    (void)state;
    mock_acquire_lane(OSSPI_LANE_BLOCKING, "acquire");
    async_call_init(&call);
    call.step.gate = &gate;
    call.step.status = SEC_E_OK;
    set_timeout(&call, 20);
    assert_int_equal(async_acquire(&call, &auth), SEC_E_OK);
    mock_acquire_lane(OSSPI_LANE_CPU, NULL);
    assert_int_equal(async_await(&call), ASYNC_TIMEOUT);
    test_gate_open(&gate);
    async_await_no_abandoned();
    async_call_clear(&call);
    async_require_clean();
}

static void delete_and_free_have_no_deadline(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call deleting;
    struct async_call freeing;

    (void)state;
    async_call_init(&deleting);
    async_call_init(&freeing);
    set_timeout(&deleting, 5);
    set_timeout(&freeing, 5);
    async_occupy(&crowd);
    assert_int_equal(async_delete(&deleting, &context), SEC_E_OK);
    assert_int_equal(async_free_credential(&freeing, &credential), SEC_E_OK);
    let_deadlines_pass(5);
    async_vacate(&crowd);
    assert_int_equal(async_await(&deleting), SEC_E_OK);
    assert_int_equal(async_await(&freeing), SEC_E_OK);
    async_call_clear(&deleting);
    async_call_clear(&freeing);
}

static void timeout_survives_reinit_and_zero_takes_it_away(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "again");
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.step.gate = &gate;
    set_timeout(&call, 10);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, i);
        assert_int_equal(async_status(&call), ASYNC_TIMEOUT);
        assert_int_equal(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
    }
    set_timeout(&call, 0);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    let_deadlines_pass(10);
    assert_int_equal(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    test_gate_open(&gate);
    test_counter_await(&call.notified, 4);
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    async_await_no_abandoned(); /* they read this frame's gate and step */
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void short_deadline_is_kept_behind_long_ones(void **state)
{
    static const ULONG timeouts_ms[] = {3600000, 0xFFFFFFFE, 0xFFFFFFFF, 60000, 15, 120000};
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "many");
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call calls[OSSPI_COUNT_OF(timeouts_ms)];

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(calls); i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &gate;
        set_timeout(&calls[i], timeouts_ms[i]);
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    assert_int_equal(async_await(&calls[4]), ASYNC_TIMEOUT);
    test_gate_open(&gate);
    for (size_t i = 0; i < OSSPI_COUNT_OF(calls); i++) {
        if (i != 4)
            assert_int_equal(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        if (i != 4)
            async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_await_no_abandoned();
    async_drop_credential(&credential);
}

enum { MANY = 4000 };

static struct async_call many[MANY];

static void thousands_of_deadlines_are_all_kept(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint32_t count = TEST_ROUNDS(MANY);
    uint64_t seed = 3;

    (void)state;
    async_occupy(&crowd);
    for (uint32_t i = 0; i < count; i++) {
        async_call_init(&many[i]);
        set_timeout(&many[i], (ULONG)(1 + test_random(&seed) % 100));
        assert_int_equal(async_leg(&many[i], &credential, NULL), SEC_E_OK);
    }
    for (uint32_t i = 0; i < count; i++)
        test_poll(is_timed_out, &many[i]);
    async_vacate(&crowd);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(async_await(&many[i]), ASYNC_TIMEOUT);
        async_call_clear(&many[i]);
    }
    async_drop_credential(&credential);
}

/* Deadlines that fall due while the call ends: one callback, and the outputs fit the status. */
static void deadline_racing_the_end_gives_one_callback(void **state)
{
    uint32_t timed_out = 0;

    (void)state;
    for (size_t lane = 0; lane < 2; lane++) {
        CredHandle credential = async_credential(async_lanes[lane], "race");
        struct async_call call;

        async_call_init(&call);
        set_timeout(&call, 1);
        for (uint32_t i = 0; i < TEST_ROUNDS(1500); i++) {
            struct async_crowd crowd;
            uint64_t until = osspi_now_ns() + 800000 + i % 400 * 1000;

            async_occupy(&crowd);
            assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
            while (osspi_now_ns() < until) /* about when the deadline falls */
                ;
            async_vacate(&crowd);
            test_counter_await(&call.notified, i + 1);
            if (async_status(&call) == SEC_I_CONTINUE_NEEDED) {
                async_drop_context(&call.own.context);
                continue;
            }
            assert_int_equal(async_status(&call), ASYNC_TIMEOUT);
            assert_true(call.own.context.dwLower == (ULONG_PTR)UINT64_C(0xA5A5A5A5A5A5A5A5));
            timed_out++;
        }
        async_await_no_abandoned();
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
    print_message("%u timed out\n", timed_out);
    async_require_clean();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_timeout_of_no_context_is_invalid_handle),
        cmocka_unit_test(set_timeout_while_pending_is_refused),
        cmocka_unit_test(queued_call_times_out_at_its_deadline),
        cmocka_unit_test(call_that_waits_for_its_turn_times_out),
        cmocka_unit_test(running_cpu_call_keeps_its_own_result),
        cmocka_unit_test(running_blocking_call_is_given_up),
        cmocka_unit_test(deadline_covers_a_leg_that_changes_lanes),
        cmocka_unit_test(acquire_times_out_and_leaves_nothing),
        cmocka_unit_test(deadline_behind_the_end_changes_nothing),
        cmocka_unit_test(delete_and_free_have_no_deadline),
        cmocka_unit_test(timeout_survives_reinit_and_zero_takes_it_away),
        cmocka_unit_test(short_deadline_is_kept_behind_long_ones),
        cmocka_unit_test(thousands_of_deadlines_are_all_kept),
        cmocka_unit_test(deadline_racing_the_end_gives_one_callback),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.timeout", tests, NULL, async_teardown);
}
