/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The order of legs: those of one context run in the order in which they were made, synchronous and
 * asynchronous ones, of both lanes, mixed; never two at once. Those of different contexts never
 * wait for one another, and a leg that waits for its turn holds no worker.
 */
#include "async/async_util.h"

#include "base/memory.h"
#include "core/object.h"

enum { LINE = 100 };

static struct async_call line[LINE];

static void line_init(void)
{
    for (uint32_t i = 0; i < LINE; i++) {
        async_call_init(&line[i]);
        line[i].step.number = i;
    }
}

static void line_clear(void)
{
    for (uint32_t i = 0; i < LINE; i++)
        async_call_clear(&line[i]);
}

/* Did the legs 0, 1, 2 ... run in this order, behind the one that made the context? */
static void require_in_order(CtxtHandle *context, uint32_t count)
{
    struct mock_record record = async_record(context);

    TEST_REQUIRE_EQUAL(record.legs, count + 1);
    for (uint32_t i = 0; i < count; i++)
        TEST_REQUIRE_EQUAL(record.log[i + 1], i);
}

static void run_line(const enum osspi_lane *lanes, size_t lane_count)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credentials[2];
    CtxtHandle context;

    for (size_t i = 0; i < lane_count; i++)
        credentials[i] = async_credential(lanes[i], "order");
    context = async_context(&credentials[0]);
    line_init();
    line[0].step.gate = &gate;
    for (uint32_t i = 0; i < LINE; i++)
        TEST_REQUIRE_EQUAL(async_leg(&line[i], &credentials[i % lane_count], &context), SEC_E_OK);
    test_gate_await(&gate, 1);
    for (uint32_t i = 1; i < LINE; i++)
        TEST_REQUIRE_EQUAL(atomic_load(&line[i].step.entries), 0);
    test_gate_open(&gate);
    for (uint32_t i = 0; i < LINE; i++)
        TEST_REQUIRE_EQUAL(async_await(&line[i]), SEC_I_CONTINUE_NEEDED);
    require_in_order(&context, LINE);
    line_clear();
    async_drop_context(&context);
    for (size_t i = 0; i < lane_count; i++)
        async_drop_credential(&credentials[i]);
}

static void legs_of_one_context_run_in_order_on_the_cpu_lane(void **state)
{
    static const enum osspi_lane lanes[] = {OSSPI_LANE_CPU};

    (void)state;
    run_line(lanes, 1);
}

static void legs_of_one_context_run_in_order_on_the_blocking_lane(void **state)
{
    static const enum osspi_lane lanes[] = {OSSPI_LANE_BLOCKING};

    (void)state;
    run_line(lanes, 1);
}

static void legs_of_one_context_run_in_order_across_lanes(void **state)
{
    (void)state;
    run_line(async_lanes, 2);
}

static void legs_that_change_lanes_midway_keep_their_turn(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, "midway");
    CtxtHandle context = async_context(&credential);

    (void)state;
    line_init();
    for (uint32_t i = 0; i < LINE; i++) {
        line[i].step.want_blocking = i % 3 == 0;
        assert_int_equal(async_leg(&line[i], &credential, &context), SEC_E_OK);
    }
    for (uint32_t i = 0; i < LINE; i++) {
        assert_int_equal(async_await(&line[i]), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(atomic_load(&line[i].step.entries), i % 3 == 0 ? 2 : 1);
        assert_int_equal(atomic_load(&line[i].step.lane),
                         i % 3 == 0 ? OSSPI_LANE_BLOCKING : OSSPI_LANE_CPU);
    }
    require_in_order(&context, LINE);
    line_clear();
    async_drop_context(&context);
    async_drop_credential(&credential);
}

/* ---- synchronous legs in the same line ---- */

struct sync_leg {
    struct async_call *call;
    CtxtHandle *context;
};

static void *make_sync_leg(void *data)
{
    struct sync_leg *leg = data;

    TEST_REQUIRE_EQUAL(async_leg_now(leg->call, NULL, leg->context), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(atomic_load(&leg->call->step.thread), test_thread_id());
    return NULL;
}

struct place_in_line {
    CtxtHandle *context;
    const struct osspi_turn_waiter *last; /* who stood last before */
};

/* Whether somebody new has joined the line. */
static bool has_joined(void *data)
{
    struct place_in_line *place = data;
    struct osspi_context *context = osspi_context_lookup(place->context);
    bool joined;

    TEST_REQUIRE(context);
    {
        OSSPI_LOCKED(&context->turn.lock);
        joined = context->turn.last != place->last;
    }
    osspi_context_unref(context);
    return joined;
}

static const struct osspi_turn_waiter *last_in_line(CtxtHandle *handle)
{
    struct osspi_context *context = osspi_context_lookup(handle);
    const struct osspi_turn_waiter *last;

    TEST_REQUIRE(context);
    {
        OSSPI_LOCKED(&context->turn.lock);
        last = context->turn.last;
    }
    osspi_context_unref(context);
    return last;
}

static void sync_and_async_legs_mixed_run_in_the_order_made(void **state)
{
    enum { COUNT = 40 };
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct sync_leg legs[COUNT];
    pthread_t threads[COUNT];

    (void)state;
    line_init();
    line[0].step.gate = &gate;
    assert_int_equal(async_leg(&line[0], NULL, &context), SEC_E_OK);
    test_gate_await(&gate, 1);
    for (uint32_t i = 1; i < COUNT; i++) {
        struct place_in_line place = {&context, last_in_line(&context)};

        legs[i] = (struct sync_leg){&line[i], &context};
        if (i % 2 == 1)
            threads[i] = test_thread_start(make_sync_leg, &legs[i]);
        else
            assert_int_equal(async_leg(&line[i], NULL, &context), SEC_E_OK);
        test_poll(has_joined, &place);
    }
    test_gate_open(&gate);
    for (uint32_t i = 1; i < COUNT; i += 2)
        test_thread_join(threads[i]);
    for (uint32_t i = 0; i < COUNT; i += 2)
        assert_int_equal(async_await(&line[i]), SEC_I_CONTINUE_NEEDED);
    require_in_order(&context, COUNT);
    line_clear();
    async_drop_context(&context);
    async_drop_credential(&credential);
}

enum { THREADS = 4 };

static CtxtHandle contested;

static void *make_many_legs(void *data)
{
    struct async_call call;
    uint32_t rounds = TEST_ROUNDS(5000);

    (void)data;
    async_call_init(&call);
    for (uint32_t i = 1; i <= rounds; i++) {
        call.step.want_blocking = i % 64 == 0;
        TEST_REQUIRE_EQUAL(async_leg_now(&call, NULL, &contested), SEC_I_CONTINUE_NEEDED);
        TEST_REQUIRE_EQUAL(async_leg(&call, NULL, &contested), SEC_E_OK);
        test_counter_await(&call.notified, i);
    }
    async_call_clear(&call);
    return NULL;
}

static void legs_of_many_threads_on_one_context_never_overlap(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    pthread_t threads[THREADS];

    (void)state;
    contested = async_context(&credential);
    for (uint32_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(make_many_legs, NULL);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    assert_int_equal(async_record(&contested).legs, 1 + 2 * THREADS * TEST_ROUNDS(5000));
    mock_require_sound();
    async_drop_context(&contested);
    async_drop_credential(&credential);
}

/* ---- different contexts ---- */

static void other_contexts_go_on_while_one_holds_a_long_line(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle stuck = async_context(&credential);
    CtxtHandle other = async_context(&credential);
    struct async_call call;

    (void)state;
    /* One leg at the gate and 99 behind it take one worker of two, not both. */
    line_init();
    line[0].step.gate = &gate;
    for (uint32_t i = 0; i < LINE; i++)
        assert_int_equal(async_leg(&line[i], NULL, &stuck), SEC_E_OK);
    test_gate_await(&gate, 1);
    async_call_init(&call);
    for (uint64_t i = 1; i <= 50; i++) {
        assert_int_equal(async_leg(&call, NULL, &other), SEC_E_OK);
        test_counter_await(&call.notified, i);
        assert_int_equal(async_leg_now(&call, NULL, &other), SEC_I_CONTINUE_NEEDED);
    }
    for (uint32_t i = 0; i < LINE; i++)
        assert_int_equal(async_status(&line[i]), SEC_I_ASYNC_CALL_PENDING);
    test_gate_open(&gate);
    for (uint32_t i = 0; i < LINE; i++)
        async_await(&line[i]);
    require_in_order(&stuck, LINE);
    async_call_clear(&call);
    line_clear();
    async_drop_context(&stuck);
    async_drop_context(&other);
    async_drop_credential(&credential);
}

/* A synchronous leg of another thread holds the turn: workers stay free. */
static void workers_stay_free_while_a_sync_leg_holds_the_turn(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct sync_leg leg = {&line[0], &context};
    struct async_call call;
    pthread_t thread;

    (void)state;
    line_init();
    line[0].step.gate = &gate;
    thread = test_thread_start(make_sync_leg, &leg);
    test_gate_await(&gate, 1);
    for (uint32_t i = 1; i < LINE; i++)
        assert_int_equal(async_leg(&line[i], NULL, &context), SEC_E_OK);
    async_call_init(&call);
    for (uint64_t i = 1; i <= 50; i++) {
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, i);
        async_drop_context(&call.own.context);
    }
    test_gate_open(&gate);
    test_thread_join(thread);
    for (uint32_t i = 1; i < LINE; i++)
        async_await(&line[i]);
    require_in_order(&context, LINE);
    async_call_clear(&call);
    line_clear();
    async_drop_context(&context);
    async_drop_credential(&credential);
}

/* A leg that fails does not end the line: the package may still owe the peer an alert. */
static void legs_behind_a_failed_one_run_in_order(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);

    (void)state;
    line_init();
    line[0].step.gate = &gate;
    line[0].step.status = SEC_E_INVALID_TOKEN;
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(async_leg(&line[i], NULL, &context), SEC_E_OK);
    test_gate_open(&gate);
    assert_int_equal(async_await(&line[0]), SEC_E_INVALID_TOKEN);
    for (uint32_t i = 1; i < 5; i++) {
        assert_int_equal(async_await(&line[i]), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(atomic_load(&line[i].step.entries), 1);
    }
    require_in_order(&context, 5);
    line_clear();
    async_drop_context(&context);
    async_drop_credential(&credential);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(legs_of_one_context_run_in_order_on_the_cpu_lane),
        cmocka_unit_test(legs_of_one_context_run_in_order_on_the_blocking_lane),
        cmocka_unit_test(legs_of_one_context_run_in_order_across_lanes),
        cmocka_unit_test(legs_that_change_lanes_midway_keep_their_turn),
        cmocka_unit_test(sync_and_async_legs_mixed_run_in_the_order_made),
        cmocka_unit_test(legs_of_many_threads_on_one_context_never_overlap),
        cmocka_unit_test(other_contexts_go_on_while_one_holds_a_long_line),
        cmocka_unit_test(workers_stay_free_while_a_sync_leg_holds_the_turn),
        cmocka_unit_test(legs_behind_a_failed_one_run_in_order),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.order", tests, NULL, async_teardown);
}
