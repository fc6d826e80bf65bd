/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The line of legs on one context: first come, first served, one at a time, sleepers and those that
 * are pushed in one line, leaving from any place, and a fork at any moment.
 */
#include "support/test_util.h"

#include "base/memory.h"
#include "core/turn.h"

TEST_FORKS_WITH_THREADS;

#define THREADS 4u

struct walker {
    struct osspi_turn_waiter waiter;
    uint32_t told; /* how often its turn came by ready() */
};

static void count_told(struct osspi_turn_waiter *waiter)
{
    OSSPI_CONTAINER_OF(waiter, struct walker, waiter)->told++;
}

/* Without a condition; true: the turn is held at once. */
static bool join(struct osspi_turn *turn, struct walker *walker)
{
    return osspi_turn_join(turn, &walker->waiter, NULL, NULL) == OSSPI_TURN_HELD;
}

static enum osspi_turn_place leave(struct osspi_turn *turn, struct walker *walker)
{
    return osspi_turn_leave(turn, &walker->waiter);
}

#define WALKER \
    { \
        .waiter = {.ready = count_told } \
    }

static void turn_join_of_an_empty_line_gives_the_turn_at_once(void **state)
{
    struct osspi_turn turn = {0};
    struct walker first = WALKER;

    (void)state;
    assert_true(join(&turn, &first));
    leave(&turn, &first);
    assert_int_equal(first.told, 0);
    assert_true(join(&turn, &first));
    leave(&turn, &first);
}

static void turn_goes_on_in_the_order_of_joining(void **state)
{
    struct osspi_turn turn = {0};
    struct walker walkers[5] = {WALKER, WALKER, WALKER, WALKER, WALKER};

    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(join(&turn, &walkers[i]), i == 0);
    for (uint32_t i = 0; i < 5; i++) {
        for (uint32_t k = 1; k < 5; k++)
            assert_int_equal(walkers[k].told, k <= i);
        leave(&turn, &walkers[i]);
    }
    assert_int_equal(walkers[0].told, 0);
}

static void turn_one_that_leaves_the_line_is_passed_over(void **state)
{
    struct osspi_turn turn = {0};
    struct walker walkers[4] = {WALKER, WALKER, WALKER, WALKER};

    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        join(&turn, &walkers[i]);
    leave(&turn, &walkers[1]); /* in the middle: nobody's turn changes */
    assert_int_equal(walkers[2].told, 0);
    leave(&turn, &walkers[3]); /* at the end */
    leave(&turn, &walkers[0]);
    assert_int_equal(walkers[1].told, 0);
    assert_int_equal(walkers[2].told, 1);
    assert_int_equal(walkers[3].told, 0);
    leave(&turn, &walkers[2]);
    assert_true(join(&turn, &walkers[3]));
}

static void turn_leaving_twice_is_harmless(void **state)
{
    struct osspi_turn turn = {0};
    struct walker walkers[3] = {WALKER, WALKER, WALKER};

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        join(&turn, &walkers[i]);
    leave(&turn, &walkers[0]);
    leave(&turn, &walkers[0]);
    leave(&turn, &walkers[0]);
    assert_int_equal(walkers[1].told, 1);
    assert_int_equal(walkers[2].told, 0);
    leave(&turn, &walkers[2]);
    leave(&turn, &walkers[2]);
    leave(&turn, &walkers[1]);
    assert_int_equal(walkers[2].told, 0);
    assert_null(turn.first);
    assert_null(turn.last);
}

static void turn_leaving_tells_what_was_left(void **state)
{
    struct osspi_turn turn = {0};
    struct walker walkers[2] = {WALKER, WALKER};

    (void)state;
    join(&turn, &walkers[0]);
    join(&turn, &walkers[1]);
    assert_int_equal(leave(&turn, &walkers[1]), OSSPI_TURN_WAITING);
    assert_int_equal(leave(&turn, &walkers[0]), OSSPI_TURN_HELD);
    assert_int_equal(leave(&turn, &walkers[0]), OSSPI_TURN_NONE);
}

static bool answer(void *data)
{
    return *(bool *)data;
}

static void turn_join_that_is_not_wanted_any_more_stays_out(void **state)
{
    struct osspi_turn turn = {0};
    struct walker walkers[2] = {WALKER, WALKER};
    bool still = false;

    (void)state;
    assert_int_equal(osspi_turn_join(&turn, &walkers[0].waiter, answer, &still), OSSPI_TURN_NONE);
    assert_null(turn.first);
    assert_int_equal(leave(&turn, &walkers[0]), OSSPI_TURN_NONE);
    still = true;
    assert_int_equal(osspi_turn_join(&turn, &walkers[0].waiter, answer, &still), OSSPI_TURN_HELD);
    assert_int_equal(osspi_turn_join(&turn, &walkers[1].waiter, answer, &still),
                     OSSPI_TURN_WAITING);
}

static void turn_waiter_can_stand_again_behind_the_others(void **state)
{
    struct osspi_turn turn = {0};
    struct walker walkers[2] = {WALKER, WALKER};

    (void)state;
    join(&turn, &walkers[0]);
    join(&turn, &walkers[1]);
    for (uint32_t round = 1; round <= 10; round++) {
        leave(&turn, &walkers[0]);
        assert_int_equal(walkers[1].told, round);
        assert_false(join(&turn, &walkers[0]));
        leave(&turn, &walkers[1]);
        assert_int_equal(walkers[0].told, round);
        assert_false(join(&turn, &walkers[1]));
    }
}

/* ---- threads ---- */

struct crowd {
    struct osspi_turn turn;
    uint64_t count; /* guarded by the turn; plain on purpose */
    uint32_t rounds;
};

static void *take_turns(void *data)
{
    struct crowd *crowd = data;

    for (uint32_t i = 0; i < crowd->rounds; i++) {
        struct osspi_turn_waiter waiter = {0};

        osspi_turn_wait(&crowd->turn, &waiter);
        crowd->count++;
        osspi_turn_leave(&crowd->turn, &waiter);
    }
    return NULL;
}

static void turn_of_many_threads_is_held_by_one(void **state)
{
    struct crowd crowd = {.rounds = TEST_ROUNDS(50000)};
    pthread_t threads[THREADS];

    (void)state;
    for (uint32_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(take_turns, &crowd);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    assert_int_equal(crowd.count, (uint64_t)THREADS * crowd.rounds);
    assert_null(crowd.turn.first);
}

struct sleeper {
    struct osspi_turn *turn;
    struct osspi_turn_waiter waiter;
    uint32_t number;
    uint32_t *next; /* guarded by the turn */
};

static void *sleep_for_turn(void *data)
{
    struct sleeper *sleeper = data;

    osspi_turn_wait(sleeper->turn, &sleeper->waiter);
    TEST_REQUIRE_EQUAL(*sleeper->next, sleeper->number);
    (*sleeper->next)++;
    osspi_turn_leave(sleeper->turn, &sleeper->waiter);
    return NULL;
}

static bool stands_last(void *data)
{
    struct sleeper *sleeper = data;

    OSSPI_LOCKED(&sleeper->turn->lock);
    return sleeper->turn->last == &sleeper->waiter;
}

static void turn_wakes_sleepers_in_order(void **state)
{
    struct osspi_turn turn = {0};
    struct walker first = WALKER;
    struct sleeper sleepers[THREADS];
    pthread_t threads[THREADS];
    uint32_t next = 0;

    (void)state;
    assert_true(join(&turn, &first));
    for (uint32_t i = 0; i < THREADS; i++) {
        sleepers[i] = (struct sleeper){.turn = &turn, .number = i, .next = &next};
        threads[i] = test_thread_start(sleep_for_turn, &sleepers[i]);
        test_poll(stands_last, &sleepers[i]);
    }
    assert_int_equal(next, 0);
    leave(&turn, &first);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    assert_int_equal(next, THREADS);
}

/* ---- fork ---- */

struct forking {
    struct osspi_turn turn;
    struct walker holder;
    struct walker others[2];
};

static int take_a_turn(struct osspi_turn *turn)
{
    struct osspi_turn_waiter sleeper = {0};
    struct walker walker = WALKER;

    for (int i = 0; i < 2; i++) {
        osspi_turn_wait(turn, &sleeper);
        if (join(turn, &walker))
            return 1;
        osspi_turn_leave(turn, &sleeper);
        if (walker.told != (uint32_t)i + 1)
            return 2;
        leave(turn, &walker);
    }
    return 0;
}

static int take_a_turn_in_child(void *data)
{
    return take_a_turn(&((struct forking *)data)->turn);
}

static void turn_line_of_the_parent_is_empty_in_the_child(void **state)
{
    struct forking forking = {.holder = WALKER, .others = {WALKER, WALKER}};

    (void)state;
    join(&forking.turn, &forking.holder);
    join(&forking.turn, &forking.others[0]);
    assert_int_equal(test_child_join(test_child_fork(take_a_turn_in_child, &forking)), 0);
    leave(&forking.turn, &forking.holder);
    assert_int_equal(forking.others[0].told, 1);
}

static int leave_then_take_a_turn_in_child(void *data)
{
    struct forking *forking = data;

    /* What a leg does that forked and goes on in the child: it gives back a turn that the parent
     * holds. Those that stood behind it are not here, so nobody is told. */
    leave(&forking->turn, &forking->holder);
    if (forking->others[0].told != 0)
        return 3;
    return take_a_turn(&forking->turn);
}

static int leave_while_others_stand_in_child(void *data)
{
    struct forking *forking = data;
    struct walker mine = WALKER;
    struct walker behind = WALKER;

    if (!join(&forking->turn, &mine))
        return 4;
    /* The turn that the parent holds is not the child's to give on. */
    leave(&forking->turn, &forking->holder);
    leave(&forking->turn, &forking->others[1]);
    if (join(&forking->turn, &behind))
        return 5;
    leave(&forking->turn, &mine);
    if (behind.told != 1)
        return 6;
    leave(&forking->turn, &behind);
    return take_a_turn(&forking->turn);
}

static void turn_held_across_a_fork_can_be_left_in_the_child(void **state)
{
    struct forking forking = {.holder = WALKER, .others = {WALKER, WALKER}};

    (void)state;
    join(&forking.turn, &forking.holder);
    join(&forking.turn, &forking.others[0]);
    join(&forking.turn, &forking.others[1]);
    assert_int_equal(test_child_join(test_child_fork(leave_then_take_a_turn_in_child, &forking)),
                     0);
    assert_int_equal(test_child_join(test_child_fork(leave_while_others_stand_in_child, &forking)),
                     0);
}

static void *take_turns_forever(void *data)
{
    struct crowd *crowd = data;

    while (__atomic_load_n(&crowd->rounds, __ATOMIC_RELAXED)) {
        struct osspi_turn_waiter waiter = {0};

        osspi_turn_wait(&crowd->turn, &waiter);
        crowd->count++;
        osspi_turn_leave(&crowd->turn, &waiter);
    }
    return NULL;
}

static int crowd_turn_in_child(void *data)
{
    return take_a_turn(&((struct crowd *)data)->turn);
}

static void turn_fork_at_any_moment_leaves_a_sound_line(void **state)
{
    struct crowd crowd = {.rounds = 1};
    pthread_t threads[THREADS];

    (void)state;
    for (uint32_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(take_turns_forever, &crowd);
    for (uint32_t i = 0; i < TEST_ROUNDS(100); i++)
        assert_int_equal(test_child_join(test_child_fork(crowd_turn_in_child, &crowd)), 0);
    __atomic_store_n(&crowd.rounds, 0, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(turn_join_of_an_empty_line_gives_the_turn_at_once),
        cmocka_unit_test(turn_goes_on_in_the_order_of_joining),
        cmocka_unit_test(turn_one_that_leaves_the_line_is_passed_over),
        cmocka_unit_test(turn_leaving_twice_is_harmless),
        cmocka_unit_test(turn_leaving_tells_what_was_left),
        cmocka_unit_test(turn_join_that_is_not_wanted_any_more_stays_out),
        cmocka_unit_test(turn_waiter_can_stand_again_behind_the_others),
        cmocka_unit_test(turn_of_many_threads_is_held_by_one),
        cmocka_unit_test(turn_wakes_sleepers_in_order),
        cmocka_unit_test(turn_line_of_the_parent_is_empty_in_the_child),
        cmocka_unit_test(turn_held_across_a_fork_can_be_left_in_the_child),
        cmocka_unit_test(turn_fork_at_any_moment_leaves_a_sound_line),
    };

    test_watchdog(60);
    return cmocka_run_group_tests_name("core.turn", tests, NULL, NULL);
}
