/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Cancelling a call in every state it can be in, from any thread, while it ends by itself: one
 * callback, one status, and no touch of the caller's memory after a call was given up.
 */
#include "async/async_util.h"

#include <string.h>

#include "base/memory.h"

static SECURITY_STATUS cancel(struct async_call *call)
{
    return API(OsspiCancelAsyncCall(call->async));
}

/* ---- nothing is pending ---- */

static void cancel_of_null_or_freed_is_invalid_handle(void **state)
{
    SspiAsyncContext *handle = SspiCreateAsyncContext();

    (void)state;
    assert_int_equal(OsspiCancelAsyncCall(NULL), SEC_E_INVALID_HANDLE);
    SspiFreeAsyncContext(handle);
    assert_int_equal(OsspiCancelAsyncCall(handle), SEC_E_INVALID_HANDLE);
}

static void cancel_of_an_idle_context_is_invalid_parameter(void **state)
{
    struct async_call call;

    (void)state;
    async_call_init(&call);
    assert_int_equal(cancel(&call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    async_call_clear(&call);
    assert_int_equal(test_counter_get(&call.notified), 0);
}

static void cancel_of_a_complete_call_changes_nothing(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(cancel(&call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void cancel_in_its_callback_changes_nothing(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.callback_gate = &gate;
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    test_gate_await(&gate, 1);
    assert_int_equal(cancel(&call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    test_gate_open(&gate);
    async_await(&call);
    assert_int_equal(test_counter_get(&call.notified), 1);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* ---- the call waits ---- */

/* Outputs on pages that must not be touched once the call is cancelled. */
static struct async_outputs *forbid_outputs(struct async_call *call)
{
    struct async_outputs *outputs = call->outputs;

    test_pages_forbid(outputs, sizeof(*outputs), true);
    return outputs;
}

static void require_untouched(struct async_outputs *outputs)
{
    test_pages_forbid(outputs, sizeof(*outputs), false);
    TEST_REQUIRE_EQUAL(outputs->buffer.cbBuffer, sizeof(outputs->bytes));
    outputs->buffer = (SecBuffer){0};
    memset(&outputs->buffer, ASYNC_POISON, sizeof(outputs->buffer));
    TEST_REQUIRE(async_is_poisoned(outputs));
    test_pages_free(outputs, sizeof(*outputs));
}

static void cancel_of_a_queued_call_completes_it_at_once(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call silent;
    struct async_call call;
    struct async_outputs *outputs;

    (void)state;
    async_call_init_silent(&silent);
    async_call_init(&call);
    call.outputs = test_pages_new(sizeof(*call.outputs));
    async_occupy(&crowd);
    assert_int_equal(async_leg(&silent, &credential, NULL), SEC_E_OK);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    outputs = forbid_outputs(&call);
    assert_int_equal(cancel(&silent), SEC_E_OK);
    assert_int_equal(async_status(&silent), ASYNC_CANCELLED);
    assert_int_equal(cancel(&call), SEC_E_OK);
    assert_int_equal(async_status(&call), ASYNC_CANCELLED);
    assert_int_equal(cancel(&call), SEC_E_INVALID_PARAMETER);
    async_vacate(&crowd);
    assert_int_equal(async_await(&call), ASYNC_CANCELLED);
    assert_int_equal(atomic_load(&call.step.entries), 0);
    assert_int_equal(atomic_load(&silent.step.entries), 0);
    require_untouched(outputs);
    async_call_clear(&silent);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void cancelled_context_takes_its_next_call(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init_silent(&call);
    async_occupy(&crowd);
    /* Old entries of the queue must not be taken for the new call. */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        assert_int_equal(cancel(&call), SEC_E_OK);
    }
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    async_vacate(&crowd);
    assert_int_equal(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(atomic_load(&call.step.entries), 1);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void cancel_of_a_call_that_waits_for_its_turn_lets_others_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct test_gate gate = TEST_GATE_INIT;
        CredHandle credential = async_credential(async_lanes[i], "turn");
        CtxtHandle context = async_context(&credential);
        struct async_call calls[4];

        for (uint32_t k = 0; k < 4; k++) {
            async_call_init(&calls[k]);
            calls[k].step.number = k;
            calls[k].step.gate = k == 0 ? &gate : NULL;
            assert_int_equal(async_leg(&calls[k], &credential, &context), SEC_E_OK);
        }
        test_gate_await(&gate, 1);
        assert_int_equal(cancel(&calls[1]), SEC_E_OK);
        assert_int_equal(cancel(&calls[3]), SEC_E_OK);
        assert_int_equal(async_await(&calls[1]), ASYNC_CANCELLED);
        assert_int_equal(async_await(&calls[3]), ASYNC_CANCELLED);
        assert_int_equal(async_status(&calls[2]), SEC_I_ASYNC_CALL_PENDING);
        test_gate_open(&gate);
        assert_int_equal(async_await(&calls[0]), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(async_await(&calls[2]), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(async_record(&context).legs, 3);
        assert_int_equal(async_record(&context).log[2], 2);
        for (uint32_t k = 0; k < 4; k++)
            async_call_clear(&calls[k]);
        async_drop_context(&context);
        async_drop_credential(&credential);
    }
}

/* ---- the call runs ---- */

static void cancel_of_a_running_cpu_call_lets_it_end_by_itself(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.step.output = "written";
    async_leg_to_gate(&call, &gate, &credential, NULL);
    assert_int_equal(cancel(&call), SEC_E_INVALID_PARAMETER);
    assert_int_equal(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    test_gate_open(&gate);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    assert_memory_equal(call.own.bytes, "written", 7);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* What stays of a security context after one of its legs was given up. */
static void require_expired(CtxtHandle *context, CredHandle *credential)
{
    SecBufferDesc message = {SECBUFFER_VERSION, 0, NULL};
    struct async_call call;

    TEST_REQUIRE_EQUAL(API(EncryptMessage(context, 0, &message, 0)), SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE_EQUAL(API(DecryptMessage(context, &message, 0, NULL)), SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE_EQUAL(API(ApplyControlToken(context, &message)), SEC_E_CONTEXT_EXPIRED);
    async_call_init(&call);
    TEST_REQUIRE_EQUAL(async_leg_now(&call, credential, context), SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE_EQUAL(async_leg(&call, credential, context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE_EQUAL(atomic_load(&call.step.entries), 0);
    async_call_clear(&call);
}

static void cancel_of_a_running_blocking_call_gives_it_up(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "stuck");
    CtxtHandle context = async_context(&credential);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;
    struct async_outputs *outputs;
    CtxtHandle deleted;

    (void)state;
    async_call_init(&call);
    call.step.output = "late";
    call.outputs = test_pages_new(sizeof(*call.outputs));
    async_leg_to_gate(&call, &gate, &credential, &context);
    outputs = forbid_outputs(&call);
    assert_int_equal(cancel(&call), SEC_E_OK);
    assert_int_equal(async_await(&call), ASYNC_CANCELLED);
    assert_int_equal(async_status(&call), ASYNC_CANCELLED);
    assert_int_equal(async_statistics().calls_abandoned_running, 1);
    /* The record is a query, which still answers. */
    assert_int_equal(async_record(&context).legs, 2);
    require_expired(&context, &credential);
    /* Deleting it does not wait for the stuck thread; the object does. */
    deleted = context;
    async_drop_context(&context);
    assert_int_equal(EncryptMessage(&deleted, 0, NULL, 0), SEC_E_INVALID_HANDLE);
    async_drop_credential(&credential);
    assert_int_equal(atomic_load(&call.step.exits), 0);
    test_gate_open(&gate);
    async_await_no_abandoned();
    assert_int_equal(atomic_load(&call.step.exits), 1);
    require_untouched(outputs);
    assert_int_equal(test_counter_get(&call.notified), 1);
    async_call_clear(&call);
    async_require_clean();
}

static void cancel_of_a_blocking_first_leg_leaves_no_context(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "stuck");
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;
    struct async_outputs *outputs;

    (void)state;
    async_call_init(&call);
    call.outputs = test_pages_new(sizeof(*call.outputs));
    async_leg_to_gate(&call, &gate, &credential, NULL);
    outputs = forbid_outputs(&call);
    assert_int_equal(cancel(&call), SEC_E_OK);
    assert_int_equal(async_await(&call), ASYNC_CANCELLED);
    async_drop_credential(&credential);
    async_call_clear(&call);
    test_gate_open(&gate);
    async_await_no_abandoned();
    require_untouched(outputs);
    async_require_clean(); /* the context that nobody ever knew is gone too */
}

static void cancel_of_a_blocking_acquire_leaves_no_credential(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;
    struct mock_auth auth = {.magic = MOCK_AUTH, .step = &call.step, .take_over = true};
    struct async_outputs *outputs;

    (void)state;
    mock_acquire_lane(OSSPI_LANE_BLOCKING, "stuck");
    async_call_init(&call);
    call.step.gate = &gate;
    call.step.status = SEC_E_OK;
    call.outputs = test_pages_new(sizeof(*call.outputs));
    assert_int_equal(async_acquire(&call, &auth), SEC_E_OK);
    mock_acquire_lane(OSSPI_LANE_CPU, NULL);
    test_gate_await(&gate, 1);
    outputs = forbid_outputs(&call);
    assert_int_equal(cancel(&call), SEC_E_OK);
    assert_int_equal(async_await(&call), ASYNC_CANCELLED);
    async_call_clear(&call);
    test_gate_open(&gate);
    async_await_no_abandoned();
    require_untouched(outputs);
    async_require_clean();
}

static void cancel_of_a_leg_that_moved_to_the_blocking_lane_gives_it_up(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, "midway");
    CtxtHandle context = async_context(&credential);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call call;
    struct async_outputs *outputs;

    (void)state;
    async_call_init(&call);
    call.step.want_blocking = true;
    call.step.output = "late";
    call.outputs = test_pages_new(sizeof(*call.outputs));
    async_leg_to_gate(&call, &gate, &credential, &context);
    assert_int_equal(atomic_load(&call.step.entries), 2);
    outputs = forbid_outputs(&call);
    assert_int_equal(cancel(&call), SEC_E_OK);
    assert_int_equal(async_await(&call), ASYNC_CANCELLED);
    require_expired(&context, &credential);
    test_gate_open(&gate);
    async_await_no_abandoned();
    require_untouched(outputs);
    async_call_clear(&call);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

static void legs_behind_one_that_was_given_up_answer_expired(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "stuck");
    CtxtHandle context = async_context(&credential);
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call calls[3];

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = i == 0 ? &gate : NULL;
        assert_int_equal(async_leg(&calls[i], &credential, &context), SEC_E_OK);
    }
    test_gate_await(&gate, 1);
    assert_int_equal(cancel(&calls[0]), SEC_E_OK);
    /* They do not wait for the stuck thread. */
    assert_int_equal(async_await(&calls[1]), SEC_E_CONTEXT_EXPIRED);
    assert_int_equal(async_await(&calls[2]), SEC_E_CONTEXT_EXPIRED);
    assert_int_equal(atomic_load(&calls[1].step.entries), 0);
    test_gate_open(&gate);
    async_await_no_abandoned();
    for (uint32_t i = 0; i < 3; i++)
        async_call_clear(&calls[i]);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

/* The async context is free for other calls while its old thread is stuck, and none of what that
 * thread brings home reaches the new call. */
static void given_up_context_serves_other_calls_meanwhile(void **state)
{
    CredHandle stuck = async_credential(OSSPI_LANE_BLOCKING, "stuck");
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct test_gate gates[20];
    struct mock_step steps[20] = {0};
    struct async_call call;

    (void)state;
    async_call_init(&call);
    for (uint32_t i = 0; i < 15; i++) {
        test_gate_init(&gates[i]);
        steps[i].gate = &gates[i];
        steps[i].status = SEC_E_LOGON_DENIED;
        call.ticket.step = &steps[i];
        assert_int_equal(async_leg(&call, &stuck, NULL), SEC_E_OK);
        test_gate_await(&gates[i], 1);
        assert_int_equal(cancel(&call), SEC_E_OK);
        test_counter_await(&call.notified, i + 1);
    }
    assert_int_equal(async_statistics().calls_abandoned_running, 15);
    call.ticket.step = &call.step;
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    test_counter_await(&call.notified, 16);
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    for (uint32_t i = 0; i < 15; i++)
        test_gate_open(&gates[i]);
    async_await_no_abandoned();
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(test_counter_get(&call.notified), 16);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&stuck);
    async_drop_credential(&credential);
}

/* ---- Delete and Free cannot be cancelled ---- */

static void cancel_of_delete_and_free_is_refused(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call deleting;
    struct async_call freeing;

    (void)state;
    async_call_init(&deleting);
    async_call_init(&freeing);
    async_occupy(&crowd);
    assert_int_equal(async_delete(&deleting, &context), SEC_E_OK);
    assert_int_equal(async_free_credential(&freeing, &credential), SEC_E_OK);
    assert_int_equal(cancel(&deleting), SEC_E_INVALID_PARAMETER);
    assert_int_equal(cancel(&freeing), SEC_E_INVALID_PARAMETER);
    async_vacate(&crowd);
    assert_int_equal(async_await(&deleting), SEC_E_OK);
    assert_int_equal(async_await(&freeing), SEC_E_OK);
    async_call_clear(&deleting);
    async_call_clear(&freeing);
}

/* ---- races ---- */

enum { RACERS = 2 };

struct race {
    struct async_call call;
    enum osspi_lane lane;
    bool want_blocking;
    pthread_barrier_t barrier;
    _Atomic uint32_t cancelled; /* this round */
    uint32_t rounds;
};

static void *cancel_every_round(void *data)
{
    struct race *race = data;

    for (uint32_t i = 0; i < race->rounds; i++) {
        pthread_barrier_wait(&race->barrier);
        if (API(OsspiCancelAsyncCall(race->call.async)) == SEC_E_OK)
            atomic_fetch_add(&race->cancelled, 1);
        pthread_barrier_wait(&race->barrier);
    }
    return NULL;
}

static void run_round(struct race *race, CredHandle *credential, uint32_t round,
                      uint32_t *ret_cancelled)
{
    SECURITY_STATUS status;
    uint32_t cancelled;

    TEST_REQUIRE_EQUAL(API(SspiReinitAsyncContext(race->call.async)), STATUS_SUCCESS);
    if (round % 2 == 0)
        pthread_barrier_wait(&race->barrier); /* they may even be early */
    TEST_REQUIRE_EQUAL(async_leg(&race->call, credential, NULL), SEC_E_OK);
    if (round % 2 == 1)
        pthread_barrier_wait(&race->barrier);
    test_counter_await(&race->call.notified, round + 1);
    pthread_barrier_wait(&race->barrier);
    status = async_status(&race->call);
    cancelled = atomic_exchange(&race->cancelled, 0);
    TEST_REQUIRE_EQUAL(status, cancelled ? ASYNC_CANCELLED : SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE(cancelled <= 1);
    TEST_REQUIRE_EQUAL(test_counter_get(&race->call.notified), round + 1);
    *ret_cancelled += cancelled;
    if (status == SEC_I_CONTINUE_NEEDED)
        async_drop_context(&race->call.own.context);
    else
        TEST_REQUIRE(race->call.own.context.dwLower == (ULONG_PTR)UINT64_C(0xA5A5A5A5A5A5A5A5));
}

static void race_cancel(enum osspi_lane lane, bool want_blocking, uint32_t rounds)
{
    CredHandle credential = async_credential(lane, "race");
    struct race race = {.lane = lane, .want_blocking = want_blocking, .rounds = rounds};
    pthread_t threads[RACERS];
    uint32_t cancelled = 0;

    async_call_init(&race.call);
    race.call.step.want_blocking = want_blocking;
    TEST_REQUIRE_EQUAL(pthread_barrier_init(&race.barrier, NULL, RACERS + 1), 0);
    for (uint32_t i = 0; i < RACERS; i++)
        threads[i] = test_thread_start(cancel_every_round, &race);
    for (uint32_t i = 0; i < rounds; i++)
        run_round(&race, &credential, i, &cancelled);
    for (uint32_t i = 0; i < RACERS; i++)
        test_thread_join(threads[i]);
    pthread_barrier_destroy(&race.barrier);
    print_message("lane %d%s: %u of %u were cancelled\n", lane, want_blocking ? ", midway" : "",
                  cancelled, rounds);
    async_await_no_abandoned();
    async_call_clear(&race.call);
    async_drop_credential(&credential);
    async_require_clean();
}

static void cancel_racing_a_cpu_call_gives_one_callback(void **state)
{
    (void)state;
    race_cancel(OSSPI_LANE_CPU, false, TEST_ROUNDS(60000));
}

static void cancel_racing_a_blocking_call_gives_one_callback(void **state)
{
    (void)state;
    race_cancel(OSSPI_LANE_BLOCKING, false, TEST_ROUNDS(25000));
}

static void cancel_racing_a_change_of_lanes_gives_one_callback(void **state)
{
    (void)state;
    race_cancel(OSSPI_LANE_CPU, true, TEST_ROUNDS(25000));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancel_of_null_or_freed_is_invalid_handle),
        cmocka_unit_test(cancel_of_an_idle_context_is_invalid_parameter),
        cmocka_unit_test(cancel_of_a_complete_call_changes_nothing),
        cmocka_unit_test(cancel_in_its_callback_changes_nothing),
        cmocka_unit_test(cancel_of_a_queued_call_completes_it_at_once),
        cmocka_unit_test(cancelled_context_takes_its_next_call),
        cmocka_unit_test(cancel_of_a_call_that_waits_for_its_turn_lets_others_pass),
        cmocka_unit_test(cancel_of_a_running_cpu_call_lets_it_end_by_itself),
        cmocka_unit_test(cancel_of_a_running_blocking_call_gives_it_up),
        cmocka_unit_test(cancel_of_a_blocking_first_leg_leaves_no_context),
        cmocka_unit_test(cancel_of_a_blocking_acquire_leaves_no_credential),
        cmocka_unit_test(cancel_of_a_leg_that_moved_to_the_blocking_lane_gives_it_up),
        cmocka_unit_test(legs_behind_one_that_was_given_up_answer_expired),
        cmocka_unit_test(given_up_context_serves_other_calls_meanwhile),
        cmocka_unit_test(cancel_of_delete_and_free_is_refused),
        cmocka_unit_test(cancel_racing_a_cpu_call_gives_one_callback),
        cmocka_unit_test(cancel_racing_a_blocking_call_gives_one_callback),
        cmocka_unit_test(cancel_racing_a_change_of_lanes_gives_one_callback),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.cancel", tests, NULL, async_teardown);
}
