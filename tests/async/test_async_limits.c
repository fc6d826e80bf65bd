/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A full queue: calls beyond the bound are refused at queue time and never call back, Delete and
 * Free are not, and every place comes back whatever way its call ended. The bound is made small.
 */
#include "async/async_util.h"

#include "base/memory.h"

#define BOUND        16u
#define MAX_BLOCKING 3u
#define PER_CLASS    2u

enum { MOST = 64 };

static struct async_call calls[MOST];

/* Queues calls until one is refused; returns how many were accepted. */
static uint32_t fill(CredHandle *credential, CtxtHandle *context)
{
    for (uint32_t i = 0; i < MOST; i++) {
        SECURITY_STATUS status;

        async_call_init(&calls[i]);
        status = async_leg(&calls[i], credential, context);
        if (status == SEC_E_OK)
            continue;
        TEST_REQUIRE_EQUAL(status, SEC_E_INSUFFICIENT_MEMORY);
        TEST_REQUIRE_EQUAL(async_status(&calls[i]), SEC_E_INSUFFICIENT_MEMORY);
        async_call_clear(&calls[i]);
        return i;
    }
    return MOST;
}

static void collect(uint32_t count, SECURITY_STATUS expected, bool has_context)
{
    for (uint32_t i = 0; i < count; i++) {
        TEST_REQUIRE_EQUAL(async_await(&calls[i]), expected);
        if (has_context)
            async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    TEST_REQUIRE_EQUAL(test_counter_get(&calls[count].notified), 0); /* the refused one */
}

/* "Wait or run": the two calls at the gate may or may not count. */
static void require_capacity(uint32_t count)
{
    TEST_REQUIRE(count <= BOUND && count + ASYNC_WORKERS >= BOUND);
}

static void full_queue_refuses_at_queue_time(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint64_t refused = async_statistics().calls_refused;
    uint32_t count;

    (void)state;
    async_occupy(&crowd);
    count = fill(&credential, NULL);
    require_capacity(count);
    assert_int_equal(async_statistics().calls_refused, refused + 1);
    async_vacate(&crowd);
    collect(count, SEC_I_CONTINUE_NEEDED, true);
    async_drop_credential(&credential);
}

static void refused_call_can_be_made_when_there_is_room(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;
    uint32_t count;

    (void)state;
    async_call_init(&call);
    async_occupy(&crowd);
    count = fill(&credential, NULL);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(async_acquire(&call, NULL), SEC_E_INSUFFICIENT_MEMORY);
    async_vacate(&crowd);
    collect(count, SEC_I_CONTINUE_NEEDED, true);
    assert_int_equal(async_status(&call), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(test_counter_get(&call.notified), 1);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static void delete_and_free_pass_by_a_full_queue(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CredHandle others[MOST];
    CtxtHandle contexts[MOST];
    struct async_call deleting[MOST];
    struct async_call freeing[MOST];
    uint32_t count;

    (void)state;
    for (uint32_t i = 0; i < MOST; i++) {
        others[i] = async_credential(OSSPI_LANE_CPU, NULL);
        contexts[i] = async_context(&others[i]);
        async_call_init(&deleting[i]);
        async_call_init(&freeing[i]);
    }
    async_occupy(&crowd);
    count = fill(&credential, NULL);
    for (uint32_t i = 0; i < MOST; i++) {
        assert_int_equal(async_delete(&deleting[i], &contexts[i]), SEC_E_OK);
        assert_int_equal(async_free_credential(&freeing[i], &others[i]), SEC_E_OK);
    }
    async_vacate(&crowd);
    for (uint32_t i = 0; i < MOST; i++) {
        assert_int_equal(async_await(&deleting[i]), SEC_E_OK);
        assert_int_equal(async_await(&freeing[i]), SEC_E_OK);
        async_call_clear(&deleting[i]);
        async_call_clear(&freeing[i]);
    }
    collect(count, SEC_I_CONTINUE_NEEDED, true);
    async_drop_credential(&credential);
}

/* ---- places come back ---- */

enum ending { RUN, CANCELLED, TIMED_OUT, HELPED };

static bool is_final(void *data)
{
    return async_status(data) != SEC_I_ASYNC_CALL_PENDING;
}

static void end_calls(enum ending ending, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        switch (ending) {
        case CANCELLED:
            TEST_REQUIRE_EQUAL(API(OsspiCancelAsyncCall(calls[i].async)), SEC_E_OK);
            break;
        case HELPED:
            TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(calls[i].async, OSSPI_INFINITE)),
                               SEC_I_CONTINUE_NEEDED);
            break;
        case TIMED_OUT:
            test_poll(is_final, &calls[i]);
            break;
        case RUN:
            break;
        }
    }
}

static uint32_t fill_and_end(enum ending ending, bool one_line)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    uint32_t count = 0;

    async_occupy(&crowd);
    for (; count < MOST; count++) {
        async_call_init(&calls[count]);
        if (ending == TIMED_OUT)
            TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(calls[count].async, 10), SEC_E_OK);
        if (async_leg(&calls[count], &credential, one_line ? &context : NULL) != SEC_E_OK)
            break;
    }
    async_call_clear(&calls[count]);
    end_calls(ending, count);
    async_vacate(&crowd);
    collect(count,
            ending == CANCELLED   ? ASYNC_CANCELLED
            : ending == TIMED_OUT ? ASYNC_TIMEOUT
                                  : SEC_I_CONTINUE_NEEDED,
            !one_line && (ending == RUN || ending == HELPED));
    async_drop_context(&context);
    async_drop_credential(&credential);
    return count;
}

static void places_come_back_however_calls_end(void **state)
{
    static const enum ending endings[] = {RUN, CANCELLED, HELPED, TIMED_OUT};

    (void)state;
    for (uint32_t i = 0; i < 2 * OSSPI_COUNT_OF(endings); i++) {
        /* With a deadline so short that some pass while the queue fills, more are accepted. */
        uint32_t count = fill_and_end(endings[i / 2], i % 2 == 1);

        if (endings[i / 2] != TIMED_OUT)
            require_capacity(count);
        /* What went before has left nothing behind. */
        require_capacity(fill_and_end(RUN, false));
    }
}

static void places_come_back_from_the_blocking_lane(void **state)
{
    for (uint32_t round = 0; round < 4; round++) {
        struct test_gate gate = TEST_GATE_INIT;
        CredHandle dead = async_credential(OSSPI_LANE_BLOCKING, "dead");
        CredHandle credential = async_credential(OSSPI_LANE_CPU, "midway");
        struct async_call stuck[PER_CLASS];
        uint32_t count;

        for (uint32_t i = 0; i < PER_CLASS; i++) {
            async_call_init(&stuck[i]);
            stuck[i].step.gate = &gate;
            assert_int_equal(async_leg(&stuck[i], &dead, NULL), SEC_E_OK);
        }
        test_gate_await(&gate, PER_CLASS);
        count = fill(&dead, NULL);
        assert_in_range(count, BOUND - PER_CLASS, BOUND);
        for (uint32_t i = 0; i < count && round % 2 == 0; i++)
            assert_int_equal(API(OsspiCancelAsyncCall(calls[i].async)), SEC_E_OK);
        for (uint32_t i = 0; i < PER_CLASS && round >= 2; i++)
            assert_int_equal(API(OsspiCancelAsyncCall(stuck[i].async)), SEC_E_OK);
        test_gate_open(&gate);
        for (uint32_t i = 0; i < PER_CLASS; i++) {
            if (async_await(&stuck[i]) == SEC_I_CONTINUE_NEEDED)
                async_drop_context(&stuck[i].own.context);
            async_call_clear(&stuck[i]);
        }
        collect(count, round % 2 == 0 ? ASYNC_CANCELLED : SEC_I_CONTINUE_NEEDED, round % 2 == 1);
        async_await_no_abandoned();
        require_capacity(fill_and_end(RUN, false));
        async_drop_credential(&dead);
        async_drop_credential(&credential);
    }
    (void)state;
}

/* ---- a small blocking lane ---- */

static void options_bound_the_blocking_lane(void **state)
{
    struct test_gate gates[2] = {TEST_GATE_INIT, TEST_GATE_INIT};
    CredHandle credentials[2] = {async_credential(OSSPI_LANE_BLOCKING, "a"),
                                 async_credential(OSSPI_LANE_BLOCKING, "b")};

    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &gates[i / 4];
        assert_int_equal(async_leg(&calls[i], &credentials[i / 4], NULL), SEC_E_OK);
        if (i == 3)
            test_gate_await(&gates[0], PER_CLASS);
    }
    test_gate_await(&gates[1], MAX_BLOCKING - PER_CLASS);
    assert_int_equal(test_gate_entered(&gates[0]), PER_CLASS);
    assert_int_equal(test_gate_entered(&gates[1]), MAX_BLOCKING - PER_CLASS);
    assert_true(async_statistics().blocking_threads <= MAX_BLOCKING);
    test_gate_open(&gates[0]);
    test_gate_open(&gates[1]);
    async_call_init_silent(&calls[8]);
    collect(8, SEC_I_CONTINUE_NEEDED, true);
    async_call_clear(&calls[8]);
    async_drop_credential(&credentials[0]);
    async_drop_credential(&credentials[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_queue_refuses_at_queue_time),
        cmocka_unit_test(refused_call_can_be_made_when_there_is_room),
        cmocka_unit_test(delete_and_free_pass_by_a_full_queue),
        cmocka_unit_test(places_come_back_however_calls_end),
        cmocka_unit_test(places_come_back_from_the_blocking_lane),
        cmocka_unit_test(options_bound_the_blocking_lane),
    };

    test_watchdog(60);
    async_setup_with((OsspiOptions){
        .workers = ASYNC_WORKERS,
        .queue_bound = BOUND,
        .max_blocking_threads = MAX_BLOCKING,
        .max_blocking_per_class = PER_CLASS,
    });
    return cmocka_run_group_tests_name("async.limits", tests, NULL, async_teardown);
}
