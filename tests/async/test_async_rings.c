/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Which worker takes which call: its own ring first, another's when that is empty or when that one
 * stands still; and legs of one context stand in the ring of the worker that ran the one before.
 */
#include "async/async_util.h"

#include "async/engine.h"
#include "core/object.h"
#include "core/turn.h"

#define MANY 1000u /* tickets, far more than between two looks at the other rings */

/* ---- the rings themselves, all seats on this thread ---- */

static struct osspi_rings two;

static uint64_t take(struct osspi_seat *seat)
{
    uint64_t ticket = 0;

    return osspi_rings_pop(&two, seat, &ticket) ? ticket : 0;
}

static void make_two(struct osspi_seat seats[2])
{
    two = (struct osspi_rings){.count = 0};
    assert_true(osspi_rings_init(&two, 2, 64));
    assert_int_equal(two.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        osspi_rings_sit(&two, &seats[i]);
        assert_int_equal(seats[i].own, i);
        assert_int_equal(osspi_turn_here, i + 1);
    }
}

static void drop_two(struct osspi_seat seats[2])
{
    for (uint32_t i = 0; i < 2; i++) {
        osspi_rings_rise(&two, &seats[i]);
        osspi_ring_clear(&two.rings[i].ring);
    }
    assert_int_equal(osspi_turn_here, 0);
}

static void worker_takes_its_own_first_and_then_anothers(void **state)
{
    struct osspi_seat seats[2];

    (void)state;
    make_two(seats);
    assert_false(osspi_rings_have_any(&two));
    for (uint64_t i = 1; i <= 6; i++)
        assert_true(osspi_rings_push(&two, (uint32_t)i % 2, i)); /* odd ones into ring 1 */
    assert_int_equal(take(&seats[1]), 1);
    assert_int_equal(take(&seats[1]), 3);
    assert_int_equal(take(&seats[0]), 2);
    assert_int_equal(take(&seats[1]), 5);
    assert_true(osspi_rings_have_any(&two)); /* though seat 1's is empty */
    assert_int_equal(take(&seats[1]), 4);
    assert_int_equal(take(&seats[1]), 6);
    assert_int_equal(take(&seats[1]), 0);
    assert_int_equal(take(&seats[0]), 0);
    drop_two(seats);
}

/* A ring whose worker does nothing gets every second turn of one who has always enough to do. */
static void ring_that_stands_still_is_helped(void **state)
{
    struct osspi_seat seats[2];
    uint32_t helped = 0;

    (void)state;
    make_two(seats);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_true(osspi_rings_push(&two, 0, 1));
        if (i % 2 == 0) {
            assert_true(osspi_rings_push(&two, 1, 2));
            helped += take(&seats[0]) == 2;
        }
        helped += take(&seats[0]) == 2;
    }
    assert_in_range(helped, MANY / 2 - 20, MANY / 2);
    while (take(&seats[0]) != 0)
        ;
    drop_two(seats);
}

/* While its worker takes a ticket now and then, others with enough to do leave a ring alone. */
static void ring_that_gets_on_is_left_alone(void **state)
{
    struct osspi_seat seats[2];

    (void)state;
    make_two(seats);
    for (uint64_t i = 0; i < MANY; i++) {
        if (i % 8 == 0) {
            assert_true(osspi_rings_push(&two, 1, 2));
            assert_true(osspi_rings_push(&two, 1, 2));
            assert_int_equal(take(&seats[1]), 2);
        }
        assert_true(osspi_rings_push(&two, 0, 1));
        assert_int_equal(take(&seats[0]), 1);
        if (i % 8 == 7)
            assert_int_equal(take(&seats[1]), 2);
    }
    drop_two(seats);
}

/* The worker of a ring has gone for good: one of two who share the other ring moves over. */
static void ring_without_a_worker_gets_one(void **state)
{
    struct osspi_seat seats[2];
    struct osspi_seat third;

    (void)state;
    make_two(seats);
    osspi_rings_sit(&two, &third);
    assert_int_equal(third.own, 0);
    osspi_rings_rise(&two, &seats[1]);
    for (uint64_t i = 0; i < MANY && third.own == 0; i++) {
        assert_true(osspi_rings_push(&two, 0, 1));
        assert_true(osspi_rings_push(&two, 1, 2));
        assert_int_not_equal(take(&third), 0);
        assert_int_not_equal(take(&third), 0);
    }
    assert_int_equal(third.own, 1);
    assert_int_equal(osspi_turn_here, 2);
    assert_int_equal(atomic_load(&two.rings[0].workers), 1);
    assert_int_equal(atomic_load(&two.rings[1].workers), 1);
    seats[1] = third;
    while (take(&seats[0]) != 0)
        ;
    drop_two(seats);
}

/* One worker is left, and its own ring is empty: no ring of the others waits for another's end. */
static void others_rings_take_turns(void **state)
{
    struct osspi_rings rings = {.count = 0};
    struct osspi_seat seats[3];
    uint64_t ticket = 0;
    uint32_t third = 0;

    (void)state;
    assert_true(osspi_rings_init(&rings, 3, 96));
    for (uint32_t i = 0; i < 3; i++)
        osspi_rings_sit(&rings, &seats[i]);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_true(osspi_rings_push(&rings, 1, 1)); /* always more where this came from */
        if (i % 8 == 0)
            (void)osspi_rings_push(&rings, 1, 1);
        if (i % 100 == 0)
            assert_true(osspi_rings_push(&rings, 2, 2));
        assert_true(osspi_rings_pop(&rings, &seats[0], &ticket));
        third += ticket == 2;
        if (i % 8 == 1)
            (void)osspi_rings_pop(&rings, &seats[0], &ticket), third += ticket == 2;
    }
    assert_int_equal(third, MANY / 100);
    for (uint32_t i = 0; i < 3; i++) {
        osspi_rings_rise(&rings, &seats[i]);
        osspi_ring_clear(&rings.rings[i].ring);
    }
}

static void full_ring_flows_over_into_another(void **state)
{
    struct osspi_seat seats[2];
    uint64_t count = 0;
    uint64_t sum = 0;

    (void)state;
    make_two(seats);
    while (osspi_rings_push(&two, 1, count + 1))
        count++;
    assert_in_range(count, 64, 128);
    for (uint64_t i = 0; i < count; i++)
        sum += take(&seats[0]);
    assert_int_equal(sum, count * (count + 1) / 2);
    assert_false(osspi_rings_have_any(&two));
    drop_two(seats);
}

/* ---- the engine ---- */

#define CONTEXTS 12u

static uint32_t home_of(const CtxtHandle *handle)
{
    struct osspi_context *context = osspi_context_lookup(handle);
    uint32_t home;

    assert_non_null(context);
    home = atomic_load(&context->turn.home);
    osspi_context_unref(context);
    return home;
}

static uint32_t tail_of(uint32_t ring)
{
    return atomic_load(&osspi_engine_peek()->rings.rings[ring].ring.tail);
}

/* Each made by a leg on whichever worker took it. */
static void make_contexts(CtxtHandle contexts[CONTEXTS], CredHandle *credential)
{
    for (uint32_t i = 0; i < CONTEXTS; i++) {
        struct async_crowd crowd;
        struct async_call call;

        async_call_init(&call);
        async_occupy(&crowd);
        assert_int_equal(async_leg(&call, credential, NULL), SEC_E_OK);
        async_vacate(&crowd);
        assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
        contexts[i] = call.own.context;
        assert_in_range(home_of(&contexts[i]), 1, ASYNC_WORKERS);
        async_call_clear(&call);
    }
}

/* Legs wait in the ring of their context's worker; one worker alone runs them all, those of the
 * other one too, whose contexts are its own from then on. */
static void legs_wait_for_the_worker_of_the_leg_before(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle contexts[CONTEXTS];
    struct async_call calls[CONTEXTS];
    struct async_call busy;
    struct async_call idle;
    struct test_gate gates[2];
    uint32_t expected[ASYNC_WORKERS];

    (void)state;
    make_contexts(contexts, &credential);
    for (uint32_t i = 0; i < 2; i++)
        test_gate_init(&gates[i]);
    async_call_init(&busy);
    async_call_init(&idle);
    async_leg_to_gate(&busy, &gates[0], &credential, NULL);
    async_leg_to_gate(&idle, &gates[1], &credential, NULL);
    for (uint32_t ring = 0; ring < ASYNC_WORKERS; ring++)
        expected[ring] = tail_of(ring);
    for (uint32_t i = 0; i < CONTEXTS; i++) {
        expected[home_of(&contexts[i]) - 1]++;
        async_call_init(&calls[i]);
        assert_int_equal(async_leg(&calls[i], &credential, &contexts[i]), SEC_E_OK);
    }
    for (uint32_t ring = 0; ring < ASYNC_WORKERS; ring++)
        assert_int_equal(tail_of(ring), expected[ring]);
    test_gate_open(&gates[1]);
    for (uint32_t i = 0; i < CONTEXTS; i++) {
        assert_int_equal(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(atomic_load(&calls[i].step.thread), atomic_load(&idle.step.thread));
        assert_int_equal(home_of(&contexts[i]), home_of(&contexts[0]));
        async_call_clear(&calls[i]);
    }
    for (uint32_t i = 0; i < CONTEXTS; i++)
        async_drop_context(&contexts[i]);
    test_gate_open(&gates[0]);
    assert_int_equal(async_await(&busy), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(async_await(&idle), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&busy.own.context);
    async_drop_context(&idle.own.context);
    async_call_clear(&busy);
    async_call_clear(&idle);
    async_drop_credential(&credential);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(worker_takes_its_own_first_and_then_anothers),
        cmocka_unit_test(ring_that_stands_still_is_helped),
        cmocka_unit_test(ring_that_gets_on_is_left_alone),
        cmocka_unit_test(ring_without_a_worker_gets_one),
        cmocka_unit_test(others_rings_take_turns),
        cmocka_unit_test(full_ring_flows_over_into_another),
        cmocka_unit_test(legs_wait_for_the_worker_of_the_leg_before),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.rings", tests, NULL, async_teardown);
}
