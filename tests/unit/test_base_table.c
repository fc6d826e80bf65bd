/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The slot table: names that are stale, foreign or garbage find nothing; freed slots wait in line;
 * a referenced object outlives its name and is destroyed once; look-ups, retiring and reuse at the
 * same time; no memory; fork at any moment. Links with OSSPI_WRAP_ALLOC.
 */
#include "support/failing_alloc.h"
#include "support/test_util.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/table.h"

TEST_FORKS_WITH_THREADS;

#define MIN_LINE   1024u
#define LINE_SHARE 4u
#define THREADS    4u
#define GENERATION 32u

struct object {
    struct osspi_slot slot;
    _Atomic uint64_t own_id; /* while alive */
    _Atomic uint32_t destroyed;
};

static _Atomic uint32_t destroyed_total;

static void destroy_object(struct osspi_slot *slot)
{
    struct object *object = (struct object *)(void *)slot;

    atomic_store(&object->own_id, 0);
    atomic_fetch_add(&object->destroyed, 1);
    atomic_fetch_add(&destroyed_total, 1);
}

static struct osspi_table table = {
    .object_size = 128,
    .min_line = MIN_LINE,
    .line_share = LINE_SHARE,
    .destroy = destroy_object,
};

_Static_assert(sizeof(struct object) <= 128, "object_size above");

static struct object *object_new(uint64_t *ret_id)
{
    struct object *object = (struct object *)(void *)osspi_table_acquire(&table);

    TEST_REQUIRE(object);
    *ret_id = osspi_slot_id(&object->slot);
    atomic_store(&object->own_id, *ret_id);
    return object;
}

static bool object_delete(struct object *object, uint64_t id)
{
    if (!osspi_table_retire(&table, &object->slot, id))
        return false;
    osspi_slot_unref(&table, &object->slot);
    return true;
}

static void table_id_is_never_small_nor_all_ones(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        uint64_t id;
        struct object *object = object_new(&id);

        assert_true(id >= UINT64_C(1) << GENERATION && id != UINT64_MAX);
        assert_true(osspi_slot_named(&object->slot, id));
        assert_true(object_delete(object, id));
    }
}

static void table_lookup_finds_the_live_object_alone(void **state)
{
    uint64_t id;
    struct object *object = object_new(&id);

    (void)state;
    assert_ptr_equal(osspi_table_lookup(&table, id), &object->slot);
    osspi_slot_unref(&table, &object->slot);
    assert_true(object_delete(object, id));
    assert_null(osspi_table_lookup(&table, id));
    assert_false(osspi_table_retire(&table, &object->slot, id));
}

static void table_foreign_ids_find_nothing(void **state)
{
    uint64_t seed = 7;
    uint64_t id;
    struct object *object = object_new(&id);
    const uint64_t near[] = {
        0,
        1,
        UINT32_MAX,
        UINT64_MAX,
        UINT64_MAX - 1,
        (uint64_t)INT64_MAX,
        id + (UINT64_C(1) << GENERATION),
        id - (UINT64_C(1) << GENERATION),
        id ^ UINT64_C(1) << 63,
        id & UINT32_MAX,
        id << GENERATION,
        ~id,
        (uint64_t)(uintptr_t)object,
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(near); i++) {
        assert_null(osspi_table_lookup(&table, near[i]));
        assert_null(osspi_table_peek(&table, near[i]));
        assert_false(osspi_table_retire(&table, &object->slot, near[i]));
    }
    for (uint32_t i = 0; i < TEST_ROUNDS(1000000); i++) {
        uint64_t random = test_random(&seed);

        TEST_REQUIRE(random == id || !osspi_table_lookup(&table, random));
        /* And names of slots that exist. */
        random = (random & ~UINT64_C(0xFFF)) | (random >> 50 & 0xFFF);
        TEST_REQUIRE(random == id || !osspi_table_lookup(&table, random));
    }
    assert_true(object_delete(object, id));
}

static void table_referenced_object_outlives_its_name(void **state)
{
    uint64_t id;
    struct object *object = object_new(&id);
    uint32_t before = atomic_load(&object->destroyed);

    (void)state;
    assert_non_null(osspi_table_lookup(&table, id));
    osspi_slot_ref(&object->slot);
    assert_true(object_delete(object, id));
    assert_int_equal(atomic_load(&object->destroyed), before);
    assert_true(atomic_load(&object->own_id) == id);
    osspi_slot_unref(&table, &object->slot);
    assert_int_equal(atomic_load(&object->destroyed), before);
    osspi_slot_unref(&table, &object->slot);
    assert_int_equal(atomic_load(&object->destroyed), before + 1);
}

static void table_freed_slot_waits_in_line(void **state)
{
    uint64_t id;
    struct object *object = object_new(&id);

    (void)state;
    assert_true(object_delete(object, id));
    for (uint32_t i = 0; i < MIN_LINE; i++) {
        uint64_t other;
        struct object *next = object_new(&other);

        assert_ptr_not_equal(next, object);
        /* Still readable by its old name, as a tombstone. */
        assert_ptr_equal(osspi_table_peek(&table, id), &object->slot);
        assert_null(osspi_table_lookup(&table, id));
        assert_true(object_delete(next, other));
    }
}

static void table_line_is_a_share_of_many_slots(void **state)
{
    enum { MANY = 16384 };
    static struct object *objects[MANY];
    static uint64_t ids[MANY];
    uint64_t id;
    struct object *object;

    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        objects[i] = object_new(&ids[i]);
    object = object_new(&id);
    assert_true(object_delete(object, id));
    for (uint32_t i = 0; i < MANY / LINE_SHARE; i++) {
        uint64_t other;
        struct object *next = object_new(&other);

        assert_ptr_not_equal(next, object);
        assert_true(object_delete(next, other));
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(object_delete(objects[i], ids[i]));
}

static void table_reused_slot_has_another_name(void **state)
{
    uint64_t id;
    struct object *object = object_new(&id);
    uint64_t other;
    struct object *next;

    (void)state;
    assert_true(object_delete(object, id));
    do {
        next = object_new(&other);
        assert_true(other != id);
        if (next != object)
            assert_true(object_delete(next, other));
    } while (next != object);
    assert_null(osspi_table_lookup(&table, id));
    assert_null(osspi_table_peek(&table, id));
    assert_false(osspi_slot_named(&object->slot, id));
    assert_false(osspi_table_retire(&table, &object->slot, id));
    assert_non_null(osspi_table_lookup(&table, other));
    osspi_slot_unref(&table, &object->slot);
    assert_true(object_delete(object, other));
}

static void table_generation_skips_zero_and_all_ones(void **state)
{
    uint64_t id;
    struct object *object = object_new(&id);
    uint64_t last;
    struct object *next;

    (void)state;
    assert_true(object_delete(object, id));
    /* As if the slot had served four billion times. */
    last = UINT64_C(0xFFFFFFFE) << GENERATION | (uint32_t)id;
    atomic_store(&object->slot.word, UINT64_C(0xFFFFFFFE) << GENERATION);
    do {
        next = object_new(&id);
        assert_true(object_delete(next, id));
    } while (next != object);
    assert_true(id >> GENERATION == 1);
    assert_null(osspi_table_lookup(&table, last));
}

static void count_visit(struct osspi_slot *slot, void *data)
{
    struct object *object = (struct object *)(void *)slot;
    uint32_t *count = data;

    TEST_REQUIRE(atomic_load(&object->own_id) == osspi_slot_id(slot));
    (*count)++;
}

static void table_visit_sees_the_held_and_count_the_live_ones(void **state)
{
    struct object *objects[10];
    uint64_t ids[10];
    uint32_t count = 0;

    (void)state;
    assert_int_equal(osspi_table_live(&table), 0);
    for (int i = 0; i < 10; i++)
        objects[i] = object_new(&ids[i]);
    assert_true(object_delete(objects[3], ids[3]));
    /* Retired, but held by somebody: visited, though not alive. */
    osspi_slot_ref(&objects[5]->slot);
    assert_true(object_delete(objects[5], ids[5]));
    osspi_table_visit(&table, count_visit, &count);
    assert_int_equal(count, 9);
    assert_int_equal(osspi_table_live(&table), 8);
    osspi_slot_unref(&table, &objects[5]->slot);
    count = 0;
    osspi_table_visit(&table, count_visit, &count);
    assert_int_equal(count, 8);
    for (int i = 0; i < 10; i++)
        assert_int_equal(object_delete(objects[i], ids[i]), i != 3 && i != 5);
    assert_int_equal(osspi_table_live(&table), 0);
}

/* ---- look-up, retire and reuse at the same time ---- */

enum { SHARED = 64 };

static struct stress {
    _Atomic uint64_t ids[SHARED]; /* published names */
    atomic_bool stop;
    _Atomic uint64_t found;
    uint32_t rounds;
} stress;

static void *look_up_all_the_time(void *data)
{
    uint64_t seed = (uint64_t)(uintptr_t)data;

    while (!atomic_load(&stress.stop)) {
        uint64_t id = atomic_load(&stress.ids[test_random(&seed) % SHARED]);
        struct object *object = (struct object *)(void *)osspi_table_lookup(&table, id);

        if (!object)
            continue;
        /* Whoever finds it under this name must keep it under this name. */
        for (int i = 0; i < 4; i++)
            TEST_REQUIRE(atomic_load(&object->own_id) == id);
        osspi_slot_unref(&table, &object->slot);
        atomic_fetch_add(&stress.found, 1);
    }
    return NULL;
}

static void *retire_all_the_time(void *data)
{
    uint64_t seed = (uint64_t)(uintptr_t)data;

    for (uint32_t i = 0; i < stress.rounds; i++) {
        uint32_t place = (uint32_t)(test_random(&seed) % SHARED);
        uint64_t id;
        struct object *fresh = object_new(&id);
        uint64_t old = atomic_exchange(&stress.ids[place], id);
        struct object *object = (struct object *)(void *)osspi_table_lookup(&table, old);

        (void)fresh;
        /* Only this thread took `old` out, so it is its to delete. */
        TEST_REQUIRE(object);
        TEST_REQUIRE(object_delete(object, old));
        TEST_REQUIRE(!object_delete(object, old));
        osspi_slot_unref(&table, &object->slot);
    }
    return NULL;
}

static void table_concurrent_use_never_reaches_another_object(void **state)
{
    pthread_t finders[THREADS];
    pthread_t retirers[THREADS];
    uint32_t destroyed = atomic_load(&destroyed_total);

    (void)state;
    stress.rounds = TEST_ROUNDS(200000);
    for (uint32_t i = 0; i < SHARED; i++) {
        uint64_t id;

        object_new(&id);
        atomic_store(&stress.ids[i], id);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        finders[i] = test_thread_start(look_up_all_the_time, (void *)(uintptr_t)(i + 1));
        retirers[i] = test_thread_start(retire_all_the_time, (void *)(uintptr_t)(i + 100));
    }
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(retirers[i]);
    atomic_store(&stress.stop, true);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(finders[i]);
    assert_true(atomic_load(&stress.found) > 0);
    assert_int_equal(osspi_table_live(&table), SHARED);
    for (uint32_t i = 0; i < SHARED; i++) {
        uint64_t id = atomic_load(&stress.ids[i]);
        struct osspi_slot *slot = osspi_table_lookup(&table, id);

        assert_non_null(slot);
        osspi_slot_unref(&table, slot);
        assert_true(object_delete((struct object *)(void *)slot, id));
    }
    /* Each was destroyed once, by whoever let go last. */
    assert_int_equal(atomic_load(&destroyed_total) - destroyed, SHARED + THREADS * stress.rounds);
}

/* ---- no memory ---- */

static void table_without_memory_uses_up_the_line_then_fails(void **state)
{
    enum { MOST = 100000 };
    static struct object *objects[MOST];
    static uint64_t ids[MOST];
    uint32_t count = 0;

    (void)state;
    failing_alloc_all();
    while (count < MOST) {
        objects[count] = (struct object *)(void *)osspi_table_acquire(&table);
        if (!objects[count])
            break;
        ids[count] = osspi_slot_id(&objects[count]->slot);
        count++;
    }
    failing_alloc_nth(0);
    assert_true(count >= MIN_LINE && count < MOST);
    /* With memory again it goes on, and everything that was handed out is still there. */
    assert_non_null(objects[count] = object_new(&ids[count]));
    for (uint32_t i = 0; i <= count; i++)
        assert_true(object_delete(objects[i], ids[i]));
}

/* ---- fork ---- */

static int use_table_in_child(void *data)
{
    uint64_t *kept = data;
    uint64_t mine;
    struct object *own = object_new(&mine);
    /* Mended by now: what was kept, our own, and what the parent's threads had in hand. */
    uint32_t live = osspi_table_live(&table);

    if (live < 2 || live > 2 + THREADS)
        return 5;
    for (uint32_t i = 0; i < 3 * MIN_LINE; i++) {
        uint64_t id;
        struct object *object = object_new(&id);
        struct osspi_slot *found = osspi_table_lookup(&table, id);

        if (found != &object->slot)
            return 1;
        osspi_slot_unref(&table, found);
        if (!object_delete(object, id) || osspi_table_lookup(&table, id))
            return 2;
    }
    /* What the parent had is still named. */
    if (!osspi_table_lookup(&table, *kept))
        return 3;
    if (osspi_table_live(&table) != live || !object_delete(own, mine))
        return 4;
    return 0;
}

static void *churn(void *data)
{
    while (!atomic_load(&stress.stop)) {
        uint64_t id;
        struct object *object = object_new(&id);

        TEST_REQUIRE(object_delete(object, id));
    }
    return data;
}

static void table_fork_at_any_moment_leaves_a_sound_table(void **state)
{
    pthread_t threads[THREADS];
    uint64_t kept;
    struct object *object = object_new(&kept);

    (void)state;
    atomic_store(&stress.stop, false);
    for (uint32_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(churn, NULL);
    for (uint32_t i = 0; i < TEST_ROUNDS(100); i++)
        assert_int_equal(test_child_join(test_child_fork(use_table_in_child, &kept)), 0);
    atomic_store(&stress.stop, true);
    for (uint32_t i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    assert_true(object_delete(object, kept));
    assert_int_equal(osspi_table_live(&table), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_id_is_never_small_nor_all_ones),
        cmocka_unit_test(table_lookup_finds_the_live_object_alone),
        cmocka_unit_test(table_foreign_ids_find_nothing),
        cmocka_unit_test(table_referenced_object_outlives_its_name),
        cmocka_unit_test(table_freed_slot_waits_in_line),
        cmocka_unit_test(table_line_is_a_share_of_many_slots),
        cmocka_unit_test(table_reused_slot_has_another_name),
        cmocka_unit_test(table_generation_skips_zero_and_all_ones),
        cmocka_unit_test(table_visit_sees_the_held_and_count_the_live_ones),
        cmocka_unit_test(table_concurrent_use_never_reaches_another_object),
        cmocka_unit_test(table_without_memory_uses_up_the_line_then_fails),
        cmocka_unit_test(table_fork_at_any_moment_leaves_a_sound_table),
    };

    test_watchdog(60);
    return cmocka_run_group_tests_name("base.table", tests, NULL, NULL);
}
