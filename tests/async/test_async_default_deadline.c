/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The default deadline of the process: asynchronous calls without a deadline of their own keep it,
 * and so do synchronous calls, which it bounds where they would wait.
 */
#include "async/async_util.h"

#include "base/clock.h"
#include "base/memory.h"

#define DEFAULT_MS 40u
#define DEFAULT_NS (DEFAULT_MS * UINT64_C(1000000))

static void async_calls_keep_the_default(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "async");
    struct async_call calls[2];
    uint64_t started = osspi_now_ns();

    (void)state;
    for (int i = 0; i < 2; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &gate;
    }
    /* One of them has a longer time of its own. */
    assert_int_equal(OsspiSetAsyncTimeout(calls[1].async, 3600000), SEC_E_OK);
    for (int i = 1; i >= 0; i--)
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    assert_int_equal(async_await(&calls[0]), ASYNC_TIMEOUT);
    assert_true(osspi_now_ns() - started >= DEFAULT_NS);
    assert_int_equal(async_status(&calls[1]), SEC_I_ASYNC_CALL_PENDING);
    test_gate_open(&gate);
    assert_int_equal(async_await(&calls[1]), SEC_I_CONTINUE_NEEDED);
    async_await_no_abandoned();
    async_drop_context(&calls[1].own.context);
    async_call_clear(&calls[0]);
    async_call_clear(&calls[1]);
    async_drop_credential(&credential);
}

static void require_sync_leg_times_out(struct async_call *call, CredHandle *credential,
                                       CtxtHandle *context)
{
    struct async_outputs *outputs = test_pages_new(sizeof(*outputs));
    uint64_t started = osspi_now_ns();

    call->outputs = outputs;
    call->step.output = "late";
    TEST_REQUIRE_EQUAL(async_leg_now(call, credential, context), ASYNC_TIMEOUT);
    TEST_REQUIRE(osspi_now_ns() - started >= DEFAULT_NS);
    /* The stuck thread brings nothing home. */
    test_pages_forbid(outputs, sizeof(*outputs), true);
    test_gate_open(call->step.gate);
    async_await_no_abandoned();
    test_pages_free(outputs, sizeof(*outputs));
    call->outputs = &call->own;
}

static void sync_legs_on_the_blocking_lane_are_bounded(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "sync");

    (void)state;
    for (int first = 0; first < 2; first++) {
        struct test_gate gate = TEST_GATE_INIT;
        CtxtHandle context = async_context(&credential);
        struct async_call call;

        async_call_init_silent(&call);
        call.step.gate = &gate;
        require_sync_leg_times_out(&call, &credential, first ? NULL : &context);
        call.step.gate = NULL;
        assert_int_equal(async_leg_now(&call, &credential, &context),
                         first ? SEC_I_CONTINUE_NEEDED : SEC_E_CONTEXT_EXPIRED);
        async_call_clear(&call);
        async_drop_context(&context);
    }
    async_drop_credential(&credential);
    async_require_clean();
}

static void sync_legs_that_change_lanes_are_bounded(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, "midway");
    struct test_gate gate = TEST_GATE_INIT;
    CtxtHandle context = async_context(&credential);
    struct async_call call;

    (void)state;
    async_call_init_silent(&call);
    call.step.gate = &gate;
    call.step.want_blocking = true;
    require_sync_leg_times_out(&call, NULL, &context);
    assert_int_equal(async_leg_now(&call, NULL, &context), SEC_E_CONTEXT_EXPIRED);
    async_call_clear(&call);
    async_drop_context(&context);
    async_drop_credential(&credential);
    async_require_clean();
}

static void sync_legs_within_the_time_are_as_ever(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(2000); i++) {
        CredHandle credential = async_credential(async_lanes[i % 2], "quick");
        struct async_call call;

        async_call_init_silent(&call);
        call.step.output = "in time";
        call.step.want_blocking = i % 3 == 0;
        assert_int_equal(async_leg_now(&call, &credential, NULL), SEC_I_CONTINUE_NEEDED);
        assert_memory_equal(call.own.bytes, "in time", 7);
        assert_int_equal(call.own.expiry.QuadPart, MOCK_EXPIRY);
        assert_int_equal(async_record(&call.own.context).legs, 1);
        async_drop_context(&call.own.context);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

/* What computes keeps its own result, however long it takes. */
struct slow_leg {
    struct async_call call;
    CtxtHandle context;
};

static void *make_slow_leg(void *data)
{
    struct slow_leg *slow = data;

    TEST_REQUIRE_EQUAL(async_leg_now(&slow->call, NULL, &slow->context), SEC_I_CONTINUE_NEEDED);
    return NULL;
}

static void sync_legs_that_compute_keep_their_result(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct test_gate gate = TEST_GATE_INIT;
    struct slow_leg slow = {.context = async_context(&credential)};
    uint64_t until;
    pthread_t thread;

    (void)state;
    async_call_init_silent(&slow.call);
    slow.call.step.gate = &gate;
    thread = test_thread_start(make_slow_leg, &slow);
    test_gate_await(&gate, 1);
    until = osspi_now_ns() + DEFAULT_NS + 1000000;
    while (osspi_now_ns() < until)
        ;
    test_gate_open(&gate);
    test_thread_join(thread);
    async_call_clear(&slow.call);
    async_drop_context(&slow.context);
    async_drop_credential(&credential);
}

static SECURITY_STATUS acquire_now(struct mock_auth *auth, CredHandle *ret_credential)
{
    char name[] = MOCK_NAME;

    return API(AcquireCredentialsHandleA(NULL, name, SECPKG_CRED_OUTBOUND, NULL, auth, NULL, NULL,
                                         ret_credential, NULL));
}

static void sync_acquires_on_the_blocking_lane_are_bounded(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    struct mock_step step = {.gate = &gate};
    struct mock_auth auth = {.magic = MOCK_AUTH, .step = &step};
    CredHandle acquired = {7, 7};

    (void)state;
    for (int midway = 0; midway < 2; midway++) {
        mock_acquire_lane(midway ? OSSPI_LANE_CPU : OSSPI_LANE_BLOCKING, "acquire");
        step.want_blocking = midway;
        test_gate_close(&gate);
        assert_int_equal(acquire_now(&auth, &acquired), ASYNC_TIMEOUT);
        assert_true(acquired.dwLower == 7 && acquired.dwUpper == 7);
        test_gate_open(&gate);
        async_await_no_abandoned();
        assert_int_equal(acquire_now(&auth, &acquired), SEC_E_OK);
        async_drop_credential(&acquired);
        acquired = (CredHandle){7, 7};
    }
    mock_acquire_lane(OSSPI_LANE_CPU, NULL);
    async_require_clean();
}

/* A synchronous leg in line behind one that hangs does not wait for ever either. */
static void sync_legs_behind_a_stuck_one_end(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "behind");
    struct test_gate gate = TEST_GATE_INIT;
    CtxtHandle context = async_context(&credential);
    struct async_call stuck;
    struct async_call behind;
    SECURITY_STATUS status;

    (void)state;
    async_call_init(&stuck);
    async_call_init_silent(&behind);
    stuck.step.gate = &gate;
    assert_int_equal(async_leg(&stuck, &credential, &context), SEC_E_OK);
    test_gate_await(&gate, 1);
    status = async_leg_now(&behind, &credential, &context);
    assert_true(status == ASYNC_TIMEOUT || status == SEC_E_CONTEXT_EXPIRED);
    assert_int_equal(async_await(&stuck), ASYNC_TIMEOUT);
    assert_int_equal(atomic_load(&behind.step.entries), 0);
    test_gate_open(&gate);
    async_await_no_abandoned();
    async_call_clear(&stuck);
    async_call_clear(&behind);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(async_calls_keep_the_default),
        cmocka_unit_test(sync_legs_on_the_blocking_lane_are_bounded),
        cmocka_unit_test(sync_legs_that_change_lanes_are_bounded),
        cmocka_unit_test(sync_legs_within_the_time_are_as_ever),
        cmocka_unit_test(sync_legs_that_compute_keep_their_result),
        cmocka_unit_test(sync_acquires_on_the_blocking_lane_are_bounded),
        cmocka_unit_test(sync_legs_behind_a_stuck_one_end),
    };

    test_watchdog(60);
    async_setup_with((OsspiOptions){.workers = ASYNC_WORKERS, .default_timeout_ms = DEFAULT_MS});
    return cmocka_run_group_tests_name("async.default_deadline", tests, NULL, async_teardown);
}
