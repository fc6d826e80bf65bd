/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Security buffers: descriptors that make no sense are refused, slots are found by type, output
 * goes where SSPI's rules say, and FreeContextBuffer frees only what is ours.
 */
#include "support/failing_alloc.h"
#include "support/test_util.h"

#include <string.h>

#include "base/memory.h"
#include "core/buffers.h"

static SECURITY_STATUS view_input(ULONG version, ULONG count, SecBuffer *items)
{
    SecBufferDesc desc = {version, count, items};
    struct osspi_buffers view;

    return osspi_buffers_view_input(&desc, &view);
}

/* ---- views ---- */

static void view_of_no_descriptor_is_empty(void **state)
{
    struct osspi_buffers view = {7, (SecBuffer *)&view};

    (void)state;
    assert_int_equal(osspi_buffers_view_input(NULL, &view), SEC_E_OK);
    assert_int_equal(view.count, 0);
    assert_null(view.items);
    assert_null(osspi_buffers_find(&view, SECBUFFER_TOKEN));
    assert_false(osspi_buffers_put(&view, NULL, SECBUFFER_EXTRA, 1, NULL));
}

static void view_of_a_bad_descriptor_is_refused(void **state)
{
    SecBuffer many[OSSPI_MAX_BUFFERS + 1] = {{0}};

    (void)state;
    assert_int_equal(view_input(SECBUFFER_VERSION + 1, 1, many), SEC_E_INVALID_TOKEN);
    assert_int_equal(view_input(SECBUFFER_VERSION, 1, NULL), SEC_E_INVALID_TOKEN);
    assert_int_equal(view_input(SECBUFFER_VERSION, UINT32_MAX, many), SEC_E_INVALID_TOKEN);
    assert_int_equal(view_input(SECBUFFER_VERSION, OSSPI_MAX_BUFFERS + 1, many),
                     SEC_E_INVALID_TOKEN);
    assert_int_equal(view_input(SECBUFFER_VERSION, OSSPI_MAX_BUFFERS, many), SEC_E_OK);
    assert_int_equal(view_input(SECBUFFER_VERSION, 0, NULL), SEC_E_OK);
}

static void view_of_a_length_without_address_depends_on_direction(void **state)
{
    SecBuffer token = {5, SECBUFFER_TOKEN, NULL};
    SecBuffer empty = {5, SECBUFFER_EMPTY, NULL};
    SecBufferDesc desc = {SECBUFFER_VERSION, 1, &token};
    struct osspi_buffers view;

    (void)state;
    assert_int_equal(osspi_buffers_view_input(&desc, &view), SEC_E_INVALID_TOKEN);
    assert_int_equal(osspi_buffers_view_output(&desc, &view), SEC_E_OK);
    desc.pBuffers = &empty;
    assert_int_equal(osspi_buffers_view_input(&desc, &view), SEC_E_OK);
    assert_ptr_equal(view.items, &empty);
}

static void find_looks_past_attribute_bits(void **state)
{
    SecBuffer items[] = {
        {1, SECBUFFER_DATA | SECBUFFER_READONLY, items},
        {2, SECBUFFER_TOKEN, items},
        {3, SECBUFFER_DATA, items},
    };
    struct osspi_buffers view = {3, items};

    (void)state;
    assert_ptr_equal(osspi_buffers_find(&view, SECBUFFER_DATA), &items[0]);
    assert_ptr_equal(osspi_buffers_find_nth(&view, SECBUFFER_DATA, 1), &items[2]);
    assert_null(osspi_buffers_find_nth(&view, SECBUFFER_DATA, 2));
    assert_null(osspi_buffers_find(&view, SECBUFFER_ALERT));
}

static void put_prefers_the_slot_behind(void **state)
{
    SecBuffer items[] = {
        {0, SECBUFFER_EMPTY, NULL}, {9, SECBUFFER_TOKEN, items}, {0, SECBUFFER_EMPTY, NULL}};
    struct osspi_buffers view = {3, items};

    (void)state;
    assert_true(osspi_buffers_put(&view, &items[1], SECBUFFER_EXTRA, 4, NULL));
    assert_int_equal(items[2].BufferType, SECBUFFER_EXTRA);
    assert_int_equal(items[2].cbBuffer, 4);
    assert_true(osspi_buffers_put(&view, &items[1], SECBUFFER_MISSING, 3, NULL));
    assert_int_equal(items[0].BufferType, SECBUFFER_MISSING);
    assert_false(osspi_buffers_put(&view, &items[1], SECBUFFER_EXTRA, 1, NULL));
}

/* ---- output ---- */

static void give_allocates_when_asked_or_without_memory(void **state)
{
    char supplied[8] = "before";
    SecBuffer buffer = {sizeof(supplied), SECBUFFER_EMPTY, supplied};

    (void)state;
    assert_int_equal(osspi_buffer_give(&buffer, SECBUFFER_TOKEN, "token", 5, true, SEC_E_OK),
                     SEC_E_OK);
    assert_ptr_not_equal(buffer.pvBuffer, supplied);
    assert_int_equal(buffer.cbBuffer, 5);
    assert_int_equal(buffer.BufferType, SECBUFFER_TOKEN);
    assert_memory_equal(buffer.pvBuffer, "token", 5);
    assert_string_equal(supplied, "before");
    assert_int_equal(osspi_context_buffer_free(buffer.pvBuffer), SEC_E_OK);

    buffer = (SecBuffer){1, SECBUFFER_TOKEN, NULL};
    assert_int_equal(
        osspi_buffer_give(&buffer, SECBUFFER_TOKEN, "token", 5, false, SEC_E_BUFFER_TOO_SMALL),
        SEC_E_OK);
    assert_memory_equal(buffer.pvBuffer, "token", 5);
    assert_int_equal(osspi_context_buffer_free(buffer.pvBuffer), SEC_E_OK);
}

static void give_of_nothing_gives_no_memory(void **state)
{
    SecBuffer buffer = {77, SECBUFFER_TOKEN, &buffer};

    (void)state;
    assert_int_equal(osspi_buffer_give(&buffer, SECBUFFER_TOKEN, NULL, 0, true, SEC_E_OK),
                     SEC_E_OK);
    assert_null(buffer.pvBuffer);
    assert_int_equal(buffer.cbBuffer, 0);
}

static void give_into_too_little_room_writes_nothing(void **state)
{
    char supplied[] = "1234";
    SecBuffer buffer = {4, SECBUFFER_TOKEN, supplied};

    (void)state;
    assert_int_equal(
        osspi_buffer_give(&buffer, SECBUFFER_ALERT, "token", 5, false, SEC_E_INSUFFICIENT_MEMORY),
        SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(buffer.cbBuffer, 4);
    assert_int_equal(buffer.BufferType, SECBUFFER_TOKEN);
    assert_string_equal(supplied, "1234");
    assert_int_equal(osspi_buffer_give(&buffer, SECBUFFER_TOKEN, "abcd", 4, false, SEC_E_OK),
                     SEC_E_OK);
    assert_string_equal(supplied, "abcd");
}

static void give_without_memory_leaves_the_buffer(void **state)
{
    SecBuffer buffer = {3, SECBUFFER_EMPTY, NULL};

    (void)state;
    failing_alloc_all();
    assert_int_equal(osspi_buffer_give(&buffer, SECBUFFER_TOKEN, "token", 5, true, SEC_E_OK),
                     SEC_E_INSUFFICIENT_MEMORY);
    failing_alloc_nth(0);
    assert_int_equal(buffer.cbBuffer, 3);
    assert_int_equal(buffer.BufferType, SECBUFFER_EMPTY);
    assert_null(buffer.pvBuffer);
}

/* ---- memory for the caller ---- */

static void context_buffer_is_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t size = 0; size < 100; size++) {
        unsigned char *memory = osspi_context_buffer_new(size);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xFF, size);
        assert_int_equal(osspi_context_buffer_free(memory), SEC_E_OK);
    }
    assert_null(osspi_context_buffer_new(SIZE_MAX));
}

static void context_buffer_free_refuses_what_is_not_ours(void **state)
{
    unsigned char *ours = osspi_context_buffer_new(64);
    unsigned char foreign[256] = {0};
    unsigned char *copy = osspi_alloc(128);

    (void)state;
    assert_non_null(ours);
    assert_non_null(copy);
    assert_int_equal(osspi_context_buffer_free(NULL), SEC_E_OK);
    assert_int_equal(osspi_context_buffer_free(ours + 1), SEC_E_INVALID_HANDLE);
    assert_int_equal(osspi_context_buffer_free(ours + 16), SEC_E_INVALID_HANDLE);
    for (size_t i = 16; i < 32; i++)
        assert_int_equal(osspi_context_buffer_free(foreign + i), SEC_E_INVALID_HANDLE);
    /* The header is worth something at its own address only. */
    memcpy(copy, ours - 16, 64);
    assert_int_equal(osspi_context_buffer_free(copy + 16), SEC_E_INVALID_HANDLE);
    osspi_free(copy);
    assert_int_equal(osspi_context_buffer_free(ours), SEC_E_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_of_no_descriptor_is_empty),
        cmocka_unit_test(view_of_a_bad_descriptor_is_refused),
        cmocka_unit_test(view_of_a_length_without_address_depends_on_direction),
        cmocka_unit_test(find_looks_past_attribute_bits),
        cmocka_unit_test(put_prefers_the_slot_behind),
        cmocka_unit_test(give_allocates_when_asked_or_without_memory),
        cmocka_unit_test(give_of_nothing_gives_no_memory),
        cmocka_unit_test(give_into_too_little_room_writes_nothing),
        cmocka_unit_test(give_without_memory_leaves_the_buffer),
        cmocka_unit_test(context_buffer_is_zeroed_and_aligned),
        cmocka_unit_test(context_buffer_free_refuses_what_is_not_ours),
    };

    return cmocka_run_group_tests_name("core.buffers", tests, NULL, NULL);
}
