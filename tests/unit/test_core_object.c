/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handles, credentials and security contexts: what is no handle of ours finds nothing; objects live
 * as long as somebody holds them and are cleared once; no memory; fork; look-ups while others
 * delete. Links with OSSPI_WRAP_ALLOC.
 */
#include "support/failing_alloc.h"
#include "support/test_util.h"

#include <stdatomic.h>
#include <string.h>

#include "core/object.h"

TEST_FORKS_WITH_THREADS;

#define DATA_SIZE 48u
#define THREADS   4u

static _Atomic uint32_t credentials_cleared;
static _Atomic uint32_t contexts_cleared;

static void clear_credential(struct osspi_credential *credential)
{
    TEST_REQUIRE(credential->data);
    atomic_fetch_add(&credentials_cleared, 1);
}

static void clear_context(struct osspi_context *context)
{
    /* The credential is still there: the context's data may point into it. */
    TEST_REQUIRE(!context->credential || context->credential->data);
    atomic_fetch_add(&contexts_cleared, 1);
}

static const struct osspi_object_class test_class = {
    .package_index = 7,
    .cred_size = DATA_SIZE,
    .ctx_size = DATA_SIZE,
    .clear_credential = clear_credential,
    .clear_context = clear_context,
};

static void reset_counts(void)
{
    atomic_store(&credentials_cleared, 0);
    atomic_store(&contexts_cleared, 0);
}

static struct osspi_credential *new_credential(CredHandle *ret_handle)
{
    struct osspi_credential *credential = osspi_credential_new(&test_class, SECPKG_CRED_OUTBOUND);

    TEST_REQUIRE(credential);
    osspi_credential_handle(credential, ret_handle);
    return credential;
}

static struct osspi_context *new_context(struct osspi_credential *credential,
                                         CtxtHandle *ret_handle)
{
    struct osspi_context *context = osspi_context_new(&test_class, credential, false);

    TEST_REQUIRE(context);
    osspi_context_handle(context, ret_handle);
    return context;
}

static bool finds_context(ULONG_PTR lower, ULONG_PTR upper)
{
    CtxtHandle handle = {lower, upper};
    struct osspi_context *context = osspi_context_lookup(&handle);

    osspi_context_unref(context);
    return context != NULL;
}

/* ---- handles ---- */

static void handle_words_are_never_what_means_none(void **state)
{
    CredHandle credential;
    CtxtHandle context;

    (void)state;
    osspi_credential_discard(new_credential(&credential));
    osspi_context_discard(new_context(NULL, &context));
    for (int i = 0; i < 2; i++) {
        const SecHandle *handle = i == 0 ? &credential : &context;

        assert_true(SecIsValidHandle(handle));
        assert_true(handle->dwLower != 0 && handle->dwUpper != 0);
        assert_true(handle->dwLower != SEC_DELETED_HANDLE);
        assert_true(handle->dwUpper != SEC_DELETED_HANDLE);
    }
}

static void handle_of_the_other_kind_finds_nothing(void **state)
{
    CredHandle credential;
    CtxtHandle context;
    struct osspi_credential *made = new_credential(&credential);
    struct osspi_context *other = new_context(made, &context);

    (void)state;
    assert_null(osspi_context_lookup(&credential));
    assert_null(osspi_credential_lookup(&context));
    assert_null(osspi_context_retire(&credential));
    assert_null(osspi_credential_retire(&context));
    assert_false(osspi_context_was_deleted(&credential));
    osspi_context_discard(other);
    osspi_credential_discard(made);
}

static void handle_with_any_bit_changed_finds_nothing(void **state)
{
    CtxtHandle handle;
    struct osspi_context *context = new_context(NULL, &handle);

    (void)state;
    assert_true(finds_context(handle.dwLower, handle.dwUpper));
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_false(finds_context(handle.dwLower ^ (UINT64_C(1) << bit), handle.dwUpper));
        assert_false(finds_context(handle.dwLower, handle.dwUpper ^ (UINT64_C(1) << bit)));
    }
    assert_false(finds_context(handle.dwUpper, handle.dwLower));
    osspi_context_discard(context);
}

static void handle_made_up_finds_nothing(void **state)
{
    uint64_t seed = 20260101;
    CtxtHandle handle;
    struct osspi_context *context = new_context(NULL, &handle);

    (void)state;
    assert_null(osspi_context_lookup(NULL));
    assert_null(osspi_context_retire(NULL));
    assert_false(osspi_context_was_deleted(NULL));
    assert_false(finds_context(0, 0));
    assert_false(finds_context((ULONG_PTR)-1, (ULONG_PTR)-1));
    assert_false(finds_context(SEC_DELETED_HANDLE, SEC_DELETED_HANDLE));
    for (uint32_t i = 0; i < TEST_ROUNDS(1000000); i++) {
        CtxtHandle made_up = {test_random(&seed), test_random(&seed)};

        /* Everything but the check is as it should be. */
        if (i % 2 == 0)
            made_up.dwLower = handle.dwLower;
        made_up.dwUpper = (made_up.dwUpper >> 16) | (handle.dwUpper & ~(UINT64_MAX >> 16));
        assert_null(osspi_context_lookup(&made_up));
        assert_false(osspi_context_was_deleted(&made_up));
    }
    osspi_context_discard(context);
}

static void handle_is_stale_once_retired(void **state)
{
    CtxtHandle handle;
    struct osspi_context *context = new_context(NULL, &handle);

    (void)state;
    assert_false(osspi_context_was_deleted(&handle));
    assert_ptr_equal(osspi_context_retire(&handle), context);
    assert_null(osspi_context_retire(&handle));
    assert_null(osspi_context_lookup(&handle));
    assert_true(osspi_context_was_deleted(&handle));
    osspi_context_unref(context);
    /* Long after its slot has served others. */
    for (uint32_t i = 0; i < 2000; i++)
        osspi_context_discard(new_context(NULL, &(CtxtHandle){0}));
    assert_null(osspi_context_lookup(&handle));
    assert_true(osspi_context_was_deleted(&handle));
}

/* ---- lives ---- */

static void object_is_cleared_when_the_last_reference_goes(void **state)
{
    CredHandle handle;
    struct osspi_credential *credential = new_credential(&handle);

    (void)state;
    reset_counts();
    assert_ptr_equal(osspi_credential_lookup(&handle), credential);
    osspi_credential_unref(osspi_credential_retire(&handle));
    assert_int_equal(atomic_load(&credentials_cleared), 0);
    osspi_credential_unref(credential);
    assert_int_equal(atomic_load(&credentials_cleared), 1);
}

static void context_keeps_its_credential(void **state)
{
    CredHandle credential;
    CtxtHandle handle;
    struct osspi_context *context = new_context(new_credential(&credential), &handle);
    uint32_t live = osspi_credential_live();

    (void)state;
    reset_counts();
    osspi_credential_unref(osspi_credential_retire(&credential));
    assert_int_equal(osspi_credential_live(), live - 1);
    assert_int_equal(atomic_load(&credentials_cleared), 0);
    assert_non_null(context->credential->data);
    osspi_context_unref(osspi_context_retire(&handle));
    assert_int_equal(atomic_load(&contexts_cleared), 1);
    assert_int_equal(atomic_load(&credentials_cleared), 1);
}

static void context_changes_its_credential(void **state)
{
    CredHandle first, second;
    CtxtHandle handle;
    struct osspi_context *context = new_context(new_credential(&first), &handle);
    struct osspi_credential *other = new_credential(&second);

    (void)state;
    reset_counts();
    osspi_credential_unref(osspi_credential_retire(&first));
    osspi_context_set_credential(context, other);
    osspi_context_set_credential(context, other);
    assert_int_equal(atomic_load(&credentials_cleared), 1);
    osspi_credential_unref(osspi_credential_retire(&second));
    assert_int_equal(atomic_load(&credentials_cleared), 1);
    osspi_context_discard(context);
    assert_int_equal(atomic_load(&credentials_cleared), 2);
}

static void object_data_is_zero_also_in_a_used_slot(void **state)
{
    static const unsigned char zeros[DATA_SIZE];

    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        CtxtHandle handle;
        struct osspi_context *context = new_context(NULL, &handle);

        assert_memory_equal(context->data, zeros, DATA_SIZE);
        assert_int_equal(osspi_context_get_detail(context, NULL, 0), 0);
        assert_int_equal(atomic_load(&context->state), OSSPI_CONTEXT_HANDSHAKE);
        memset(context->data, 0xA5, DATA_SIZE);
        osspi_context_detail(context, "used");
        osspi_context_set_state(context, OSSPI_CONTEXT_GIVEN_UP);
        osspi_context_discard(context);
    }
}

static void object_without_memory_leaves_nothing(void **state)
{
    uint32_t live = osspi_context_live();

    (void)state;
    reset_counts();
    for (uint64_t nth = 1;; nth++) {
        struct osspi_context *context;

        failing_alloc_nth(nth);
        context = osspi_context_new(&test_class, NULL, false);
        if (!failing_alloc_hit()) {
            failing_alloc_nth(0);
            osspi_context_discard(context);
            break;
        }
        failing_alloc_nth(0);
        /* A table that cannot grow serves from its line. */
        if (context)
            osspi_context_discard(context);
        assert_int_equal(osspi_context_live(), live);
    }
    assert_int_equal(osspi_context_live(), live);
}

/* ---- what a context remembers ---- */

static void detail_is_cut_to_fit(void **state)
{
    CtxtHandle handle;
    struct osspi_context *context = new_context(NULL, &handle);
    char small[4] = "xyz";
    char large[2 * OSSPI_DETAIL_SIZE];

    (void)state;
    osspi_context_detail(context, "%s %d", "error", 42);
    assert_int_equal(osspi_context_get_detail(context, small, sizeof(small)), 8);
    assert_string_equal(small, "err");
    assert_int_equal(osspi_context_get_detail(context, large, sizeof(large)), 8);
    assert_string_equal(large, "error 42");
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    osspi_context_detail(context, "%s", large);
    assert_int_equal(osspi_context_get_detail(context, large, sizeof(large)),
                     OSSPI_DETAIL_SIZE - 1);
    osspi_context_discard(context);
}

static void state_given_up_is_for_good(void **state)
{
    CtxtHandle handle;
    struct osspi_context *context = new_context(NULL, &handle);

    (void)state;
    assert_int_equal(osspi_context_usable(context), SEC_E_OK);
    osspi_context_set_state(context, OSSPI_CONTEXT_FAILED);
    assert_int_equal(osspi_context_usable(context), SEC_E_OK);
    osspi_context_set_state(context, OSSPI_CONTEXT_GIVEN_UP);
    osspi_context_set_state(context, OSSPI_CONTEXT_ESTABLISHED);
    assert_int_equal(atomic_load(&context->state), OSSPI_CONTEXT_GIVEN_UP);
    assert_int_equal(osspi_context_usable(context), SEC_E_CONTEXT_EXPIRED);
    osspi_context_discard(context);
}

static int look_in_child(void *data)
{
    CtxtHandle *handles = data;
    struct osspi_context *parents = osspi_context_lookup(&handles[0]);
    struct osspi_context *own;

    if (!parents || osspi_context_usable(parents) != SEC_E_CONTEXT_EXPIRED)
        return 1;
    osspi_context_unref(parents);
    own = osspi_context_new(&test_class, NULL, false);
    if (!own || osspi_context_usable(own) != SEC_E_OK)
        return 2;
    /* Deleting what the parent made is allowed. */
    osspi_context_unref(osspi_context_retire(&handles[0]));
    return osspi_context_was_deleted(&handles[0]) ? 0 : 3;
}

static void context_of_the_parent_has_expired_in_the_child(void **state)
{
    CtxtHandle handle;
    struct osspi_context *context = new_context(NULL, &handle);

    (void)state;
    assert_int_equal(test_child_join(test_child_fork(look_in_child, &handle)), 0);
    assert_int_equal(osspi_context_usable(context), SEC_E_OK);
    osspi_context_discard(context);
}

/* ---- all at once ---- */

struct race {
    struct test_gate start;
    CtxtHandle handle;
    _Atomic uint32_t retired;
};

static void *look_and_delete(void *data)
{
    struct race *race = data;
    struct osspi_context *context;

    test_gate_pass(&race->start);
    for (uint32_t i = 0; i < 100; i++) {
        context = osspi_context_lookup(&race->handle);
        if (context)
            TEST_REQUIRE(context->data);
        osspi_context_unref(context);
    }
    context = osspi_context_retire(&race->handle);
    if (context)
        atomic_fetch_add(&race->retired, 1);
    osspi_context_unref(context);
    return NULL;
}

static void context_deleted_by_many_is_cleared_once(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < TEST_ROUNDS(200); round++) {
        struct race race = {.start = TEST_GATE_INIT};
        pthread_t threads[THREADS];

        reset_counts();
        (void)new_context(NULL, &race.handle);
        for (uint32_t i = 0; i < THREADS; i++)
            threads[i] = test_thread_start(look_and_delete, &race);
        test_gate_open(&race.start);
        for (uint32_t i = 0; i < THREADS; i++)
            test_thread_join(threads[i]);
        assert_int_equal(atomic_load(&race.retired), 1);
        assert_int_equal(atomic_load(&contexts_cleared), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handle_words_are_never_what_means_none),
        cmocka_unit_test(handle_of_the_other_kind_finds_nothing),
        cmocka_unit_test(handle_with_any_bit_changed_finds_nothing),
        cmocka_unit_test(handle_made_up_finds_nothing),
        cmocka_unit_test(handle_is_stale_once_retired),
        cmocka_unit_test(object_is_cleared_when_the_last_reference_goes),
        cmocka_unit_test(context_keeps_its_credential),
        cmocka_unit_test(context_changes_its_credential),
        cmocka_unit_test(object_data_is_zero_also_in_a_used_slot),
        cmocka_unit_test(object_without_memory_leaves_nothing),
        cmocka_unit_test(detail_is_cut_to_fit),
        cmocka_unit_test(state_given_up_is_for_good),
        cmocka_unit_test(context_of_the_parent_has_expired_in_the_child),
        cmocka_unit_test(context_deleted_by_many_is_cleared_once),
    };

    test_watchdog(60);
    return cmocka_run_group_tests_name("core.object", tests, NULL, NULL);
}
