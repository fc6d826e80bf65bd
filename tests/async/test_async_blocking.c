/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The blocking lane: 16 calls of a class and 64 in all, a class whose calls all hang holds up
 * nobody else, its threads come when they are needed and go when idle, and its calls work on
 * copies.
 */
#include "async/async_util.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#define PER_CLASS 16u
#define IN_ALL    64u

enum { MOST = 200 };

static struct async_call calls[MOST];

static uint32_t entries(uint32_t first, uint32_t count)
{
    uint32_t entered = 0;

    for (uint32_t i = first; i < first + count; i++)
        entered += atomic_load(&calls[i].step.entries);
    return entered;
}

static void queue_at_gate(uint32_t first, uint32_t count, struct test_gate *gate,
                          CredHandle *credential)
{
    for (uint32_t i = first; i < first + count; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = gate;
        TEST_REQUIRE_EQUAL(async_leg(&calls[i], credential, NULL), SEC_E_OK);
    }
}

static void collect(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        TEST_REQUIRE_EQUAL(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        TEST_REQUIRE_EQUAL(atomic_load(&calls[i].step.lane), OSSPI_LANE_BLOCKING);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
}

static void dead_class_holds_up_no_other(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle dead = async_credential(OSSPI_LANE_BLOCKING, "kdc:DEAD");
    CredHandle alive = async_credential(OSSPI_LANE_BLOCKING, "kdc:ALIVE");
    CredHandle computing = async_credential(OSSPI_LANE_CPU, NULL);

    (void)state;
    queue_at_gate(0, 100, &gate, &dead);
    test_gate_await(&gate, PER_CLASS);
    for (int i = 0; i < 50; i++) {
        async_run_leg(&alive);
        async_run_leg(&computing);
    }
    assert_int_equal(entries(0, 100), PER_CLASS);
    test_gate_open(&gate);
    collect(0, 100);
    async_drop_credential(&dead);
    async_drop_credential(&alive);
    async_drop_credential(&computing);
}

static void calls_without_a_class_name_are_one_class(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle nameless = async_credential(OSSPI_LANE_BLOCKING, NULL);
    CredHandle named = async_credential(OSSPI_LANE_BLOCKING, "named");

    (void)state;
    queue_at_gate(0, 20, &gate, &nameless);
    test_gate_await(&gate, PER_CLASS);
    async_run_leg(&named);
    assert_int_equal(entries(0, 20), PER_CLASS);
    test_gate_open(&gate);
    collect(0, 20);
    async_drop_credential(&nameless);
    async_drop_credential(&named);
}

static void full_lane_admits_one_for_each_that_leaves(void **state)
{
    struct test_gate gates[5];
    CredHandle credentials[5];
    CredHandle computing = async_credential(OSSPI_LANE_CPU, NULL);
    char name[16];

    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        test_gate_init(&gates[i]);
        snprintf(name, sizeof(name), "class %u", i);
        credentials[i] = async_credential(OSSPI_LANE_BLOCKING, name);
        queue_at_gate(20 * i, 20, &gates[i], &credentials[i]);
        if (i < IN_ALL / PER_CLASS)
            test_gate_await(&gates[i], PER_CLASS);
    }
    async_run_leg(&computing);
    assert_int_equal(entries(0, 80), IN_ALL);
    assert_int_equal(entries(80, 20), 0);
    /* The first class drains, so the fifth comes in, but no more of it than of any other. */
    test_gate_open(&gates[0]);
    test_gate_await(&gates[4], PER_CLASS);
    assert_int_equal(entries(80, 20), PER_CLASS);
    assert_int_equal(entries(20, 60), IN_ALL - PER_CLASS);
    for (uint32_t i = 1; i < 5; i++)
        test_gate_open(&gates[i]);
    for (uint32_t i = 0; i < 5; i++)
        collect(20 * i, 20);
    for (uint32_t i = 0; i < 5; i++)
        async_drop_credential(&credentials[i]);
    async_drop_credential(&computing);
    assert_int_equal(atomic_load(&mock_totals.most_in_leg) <= IN_ALL + ASYNC_WORKERS, 1);
}

/* One place comes free at a time, and a class that came later always has calls that wait: the one
 * that waits longest must not be passed over for ever. */
static void place_that_comes_free_goes_to_who_waits_longest(void **state)
{
    struct test_gate gates[IN_ALL];
    CredHandle full[4];
    CredHandle old = async_credential(OSSPI_LANE_BLOCKING, "old");
    CredHandle newer = async_credential(OSSPI_LANE_BLOCKING, "newer");
    uint32_t before = 0;
    char name[16];

    (void)state;
    for (uint32_t i = 0; i < IN_ALL; i++) {
        test_gate_init(&gates[i]);
        snprintf(name, sizeof(name), "full %u", i / PER_CLASS);
        if (i % PER_CLASS == 0)
            full[i / PER_CLASS] = async_credential(OSSPI_LANE_BLOCKING, name);
        queue_at_gate(i, 1, &gates[i], &full[i / PER_CLASS]);
        test_gate_await(&gates[i], 1);
    }
    queue_at_gate(IN_ALL, 1, NULL, &old);
    queue_at_gate(IN_ALL + 1, 8, NULL, &newer);
    test_gate_open(&gates[0]);
    collect(0, 1);
    collect(IN_ALL, 9);
    for (uint32_t i = 1; i <= 8; i++)
        before +=
            atomic_load(&calls[IN_ALL + i].step.order) < atomic_load(&calls[IN_ALL].step.order);
    assert_int_equal(before, 0);
    for (uint32_t i = 1; i < IN_ALL; i++)
        test_gate_open(&gates[i]);
    collect(1, IN_ALL - 1);
    for (uint32_t i = 0; i < 4; i++)
        async_drop_credential(&full[i]);
    async_drop_credential(&old);
    async_drop_credential(&newer);
}

static void given_up_calls_keep_their_places_until_they_return(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle dead = async_credential(OSSPI_LANE_BLOCKING, "dead");
    CredHandle other = async_credential(OSSPI_LANE_BLOCKING, "other");

    (void)state;
    queue_at_gate(0, PER_CLASS, &gate, &dead);
    test_gate_await(&gate, PER_CLASS);
    for (uint32_t i = 0; i < PER_CLASS; i++)
        assert_int_equal(API(OsspiCancelAsyncCall(calls[i].async)), SEC_E_OK);
    assert_int_equal(async_statistics().calls_abandoned_running, PER_CLASS);
    queue_at_gate(PER_CLASS, 4, &gate, &dead);
    for (int i = 0; i < 20; i++)
        async_run_leg(&other);
    assert_int_equal(entries(PER_CLASS, 4), 0);
    test_gate_open(&gate);
    collect(PER_CLASS, 4);
    for (uint32_t i = 0; i < PER_CLASS; i++) {
        assert_int_equal(async_await(&calls[i]), ASYNC_CANCELLED);
        async_call_clear(&calls[i]);
    }
    async_await_no_abandoned();
    async_drop_credential(&dead);
    async_drop_credential(&other);
}

static void call_that_waits_for_admission_can_be_cancelled(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle dead = async_credential(OSSPI_LANE_BLOCKING, "dead");

    (void)state;
    queue_at_gate(0, PER_CLASS + 10, &gate, &dead);
    test_gate_await(&gate, PER_CLASS);
    for (uint32_t i = 0; i < PER_CLASS + 10; i++) {
        if (atomic_load(&calls[i].step.entries) > 0)
            continue;
        assert_int_equal(API(OsspiCancelAsyncCall(calls[i].async)), SEC_E_OK);
        assert_int_equal(async_await(&calls[i]), ASYNC_CANCELLED);
    }
    assert_int_equal(async_statistics().calls_abandoned_running, 0);
    test_gate_open(&gate);
    for (uint32_t i = 0; i < PER_CLASS + 10; i++) {
        if (async_await(&calls[i]) == SEC_I_CONTINUE_NEEDED)
            async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    assert_int_equal(entries(0, PER_CLASS + 10), PER_CLASS);
    async_drop_credential(&dead);
}

static void thousand_classes_share_the_lane(void **state)
{
    char name[16];

    (void)state;
    for (uint32_t round = 0; round < TEST_ROUNDS(10); round++) {
        CredHandle credentials[100];

        for (uint32_t i = 0; i < 100; i++) {
            snprintf(name, sizeof(name), "host:%u", 100 * round + i);
            credentials[i] = async_credential(OSSPI_LANE_BLOCKING, name);
            queue_at_gate(i, 1, NULL, &credentials[i]);
        }
        collect(0, 100);
        for (uint32_t i = 0; i < 100; i++)
            async_drop_credential(&credentials[i]);
    }
}

/* ---- copies ---- */

static void output_on_the_blocking_lane_may_be_allocated(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "allocated");
    struct mock_step step = {.status = SEC_I_CONTINUE_NEEDED, .output = "a token of some length"};
    struct mock_ticket ticket = {MOCK_TICKET, &step};
    SecBuffer in_buffer = {sizeof(ticket), SECBUFFER_TOKEN, &ticket};
    SecBufferDesc in = {SECBUFFER_VERSION, 1, &in_buffer};
    SspiAsyncContext *handle = SspiCreateAsyncContext();

    (void)state;
    for (uint32_t flags = 0; flags <= ISC_REQ_ALLOCATE_MEMORY; flags += ISC_REQ_ALLOCATE_MEMORY) {
        SecBuffer buffer = {0, SECBUFFER_TOKEN, NULL};
        SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};
        CtxtHandle context;
        ULONG attributes = 0;

        assert_int_equal(SspiInitializeSecurityContextAsyncA(handle, &credential, NULL, NULL, flags,
                                                             0, SECURITY_NATIVE_DREP, &in, 0,
                                                             &context, &out, &attributes, NULL),
                         SEC_E_OK);
        assert_int_equal(OsspiWaitAsyncCall(handle, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(buffer.cbBuffer, strlen(step.output));
        assert_memory_equal(buffer.pvBuffer, step.output, buffer.cbBuffer);
        assert_int_equal(FreeContextBuffer(buffer.pvBuffer), SEC_E_OK);
        async_drop_context(&context);
    }
    SspiFreeAsyncContext(handle);
    async_drop_credential(&credential);
}

static void output_that_is_allocated_too_late_is_freed(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "allocated");
    struct test_gate gate = TEST_GATE_INIT;
    struct mock_step step = {.status = SEC_E_OK, .output = "late", .gate = &gate};
    struct mock_ticket ticket = {MOCK_TICKET, &step};
    SecBuffer in_buffer = {sizeof(ticket), SECBUFFER_TOKEN, &ticket};
    SecBufferDesc in = {SECBUFFER_VERSION, 1, &in_buffer};
    SecBuffer buffer = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};
    SspiAsyncContext *handle = SspiCreateAsyncContext();
    CtxtHandle context;
    ULONG attributes;

    (void)state;
    assert_int_equal(SspiInitializeSecurityContextAsyncA(
                         handle, &credential, NULL, NULL, ISC_REQ_ALLOCATE_MEMORY, 0,
                         SECURITY_NATIVE_DREP, &in, 0, &context, &out, &attributes, NULL),
                     SEC_E_OK);
    test_gate_await(&gate, 1);
    assert_int_equal(OsspiCancelAsyncCall(handle), SEC_E_OK);
    test_gate_open(&gate);
    async_await_no_abandoned();
    assert_null(buffer.pvBuffer); /* a leak checker sees the rest */
    SspiFreeAsyncContext(handle);
    async_drop_credential(&credential);
}

static void acquire_may_change_lanes_midway(void **state)
{
    struct async_call call;
    struct mock_auth auth = {.magic = MOCK_AUTH, .step = &call.step};

    (void)state;
    async_call_init(&call);
    call.step.want_blocking = true;
    call.step.status = SEC_E_OK;
    assert_int_equal(async_acquire(&call, &auth), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_E_OK);
    assert_int_equal(atomic_load(&call.step.entries), 2);
    assert_int_equal(atomic_load(&call.step.lane), OSSPI_LANE_BLOCKING);
    async_drop_credential(&call.own.credential);
    async_call_clear(&call);
}

static void sync_leg_that_wants_blocking_goes_on_where_it_is(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init_silent(&call);
    call.step.want_blocking = true;
    assert_int_equal(async_leg_now(&call, &credential, NULL), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(atomic_load(&call.step.entries), 2);
    assert_int_equal(atomic_load(&call.step.lane), OSSPI_LANE_BLOCKING);
    assert_int_equal(atomic_load(&call.step.thread), test_thread_id());
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* ---- threads ---- */

static bool no_blocking_threads(void *data)
{
    (void)data;
    return async_statistics().blocking_threads == 0;
}

static void idle_threads_end_and_come_again(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "elastic");

    (void)state;
    queue_at_gate(0, 10, &gate, &credential);
    test_gate_await(&gate, 10);
    assert_true(async_statistics().blocking_threads >= 10);
    assert_true(async_statistics().blocking_threads <= IN_ALL);
    test_gate_open(&gate);
    collect(0, 10);
    test_poll(no_blocking_threads, NULL);
    async_run_leg(&credential);
    async_drop_credential(&credential);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_class_holds_up_no_other),
        cmocka_unit_test(calls_without_a_class_name_are_one_class),
        cmocka_unit_test(full_lane_admits_one_for_each_that_leaves),
        cmocka_unit_test(place_that_comes_free_goes_to_who_waits_longest),
        cmocka_unit_test(given_up_calls_keep_their_places_until_they_return),
        cmocka_unit_test(call_that_waits_for_admission_can_be_cancelled),
        cmocka_unit_test(thousand_classes_share_the_lane),
        cmocka_unit_test(output_on_the_blocking_lane_may_be_allocated),
        cmocka_unit_test(output_that_is_allocated_too_late_is_freed),
        cmocka_unit_test(acquire_may_change_lanes_midway),
        cmocka_unit_test(sync_leg_that_wants_blocking_goes_on_where_it_is),
        cmocka_unit_test(idle_threads_end_and_come_again),
    };

    test_watchdog(20);
    async_setup();
    return cmocka_run_group_tests_name("async.blocking", tests, NULL, async_teardown);
}
