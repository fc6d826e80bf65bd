/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Private copies of a leg's buffers: the caller's memory stays untouched until the leg is
 * published, gets what the package did then, and gets nothing of a leg that is dropped.
 */
#include "support/failing_alloc.h"
#include "support/test_util.h"

#include <malloc.h>
#include <string.h>

#include "api/leg_copy.h"

/* A leg's buffers as a caller lays them out, and the views that the package sees. */
struct leg {
    char input[8];
    char output[8];
    SecBuffer in[2];
    SecBuffer out[2];
    struct osspi_buffers in_view;
    struct osspi_buffers out_view;
    struct osspi_leg_copy *copy;
};

static void leg_begin(struct leg *leg, bool allocate)
{
    *leg = (struct leg){.input = "request", .output = "before "};
    leg->in[0] = (SecBuffer){7, SECBUFFER_TOKEN, leg->input};
    leg->in[1] = (SecBuffer){3, SECBUFFER_EMPTY, (void *)(uintptr_t)0xDEAD};
    leg->out[0] = (SecBuffer){7, SECBUFFER_TOKEN, leg->output};
    leg->out[1] = (SecBuffer){0, SECBUFFER_ALERT, NULL};
    if (allocate)
        leg->out[0].pvBuffer = (void *)(uintptr_t)0xDEAD; /* what is there is ignored */
    leg->in_view = (struct osspi_buffers){2, leg->in};
    leg->out_view = (struct osspi_buffers){2, leg->out};
    assert_int_equal(osspi_leg_copy_new(&leg->in_view, &leg->out_view, allocate, &leg->copy),
                     SEC_E_OK);
}

static void copy_shares_nothing_with_the_caller(void **state)
{
    struct leg leg;
    struct leg before;

    (void)state;
    leg_begin(&leg, false);
    before = leg;
    assert_ptr_not_equal(leg.in_view.items, leg.in);
    assert_memory_equal(leg.in_view.items[0].pvBuffer, "request", 7);
    assert_memory_equal(leg.out_view.items[0].pvBuffer, "before ", 7);
    memset(leg.in_view.items[0].pvBuffer, 'x', 7);
    memset(leg.out_view.items[0].pvBuffer, 'x', 7);
    leg.out_view.items[0].cbBuffer = 2;
    osspi_leg_copy_free(leg.copy);
    assert_memory_equal(&leg, &before, sizeof(leg));
}

static uint8_t key[2 + 4] = {4, 0, 's', 'e', 'c', 'r'};
static bool seen_key; /* in memory that was freed */

static void look_for_key(void *memory)
{
    seen_key =
        seen_key || (memory && memmem(memory, malloc_usable_size(memory), key + 2, 4) != NULL);
}

/* Further kinds of input are copied, come back as they were, and are wiped. */
static void copies_of_a_key_and_early_data_are_wiped(void **state)
{
    SecBuffer in[] = {{0, SECBUFFER_EMPTY, NULL},
                      {sizeof(key), SECBUFFER_PRESHARED_KEY, key},
                      {5, SECBUFFER_DATA, (void *)(uintptr_t) "early"}};
    struct osspi_buffers view = {3, in}, none = {0, NULL};
    struct osspi_leg_copy *copy;
    SecBuffer before[3];

    (void)state;
    memcpy(before, in, sizeof(in));
    assert_int_equal(osspi_leg_copy_new(&view, &none, false, &copy), SEC_E_OK);
    assert_ptr_not_equal(view.items[1].pvBuffer, key);
    assert_memory_equal(view.items[1].pvBuffer, key, sizeof(key));
    assert_memory_equal(view.items[2].pvBuffer, "early", 5);
    osspi_leg_copy_publish(copy, SEC_E_OK);
    assert_memory_equal(in, before, sizeof(in));
    seen_key = false;
    failing_alloc_watch_free(look_for_key);
    osspi_leg_copy_free(copy);
    failing_alloc_watch_free(NULL);
    assert_false(seen_key);
}

static void publish_writes_supplied_memory_and_input_marks(void **state)
{
    struct leg leg;

    (void)state;
    leg_begin(&leg, false);
    leg.in_view.items[1] =
        (SecBuffer){3, SECBUFFER_EXTRA, (char *)leg.in_view.items[0].pvBuffer + 4};
    assert_int_equal(osspi_buffer_give(&leg.out_view.items[0], SECBUFFER_TOKEN, "abc", 3, false,
                                       SEC_E_BUFFER_TOO_SMALL),
                     SEC_E_OK);
    assert_int_equal(osspi_buffer_give(&leg.out_view.items[1], SECBUFFER_ALERT, "alert", 5, false,
                                       SEC_E_BUFFER_TOO_SMALL),
                     SEC_E_OK);
    osspi_leg_copy_publish(leg.copy, SEC_E_OK);
    osspi_leg_copy_free(leg.copy);
    assert_int_equal(leg.in[1].BufferType, SECBUFFER_EXTRA);
    assert_int_equal(leg.in[1].cbBuffer, 3);
    assert_ptr_equal(leg.in[1].pvBuffer, leg.input + 4);
    assert_ptr_equal(leg.in[0].pvBuffer, leg.input);
    assert_ptr_equal(leg.out[0].pvBuffer, leg.output);
    assert_int_equal(leg.out[0].cbBuffer, 3);
    assert_memory_equal(leg.output, "abcore ", 7);
    /* Without memory of the caller's, what the package allocated is handed over. */
    assert_memory_equal(leg.out[1].pvBuffer, "alert", 5);
    assert_int_equal(osspi_context_buffer_free(leg.out[1].pvBuffer), SEC_E_OK);
}

/* A datagram leg's buffers: an EXTRA that goes in is the caller's address, and stays it. */
static void input_of_datagrams_survives(void **state)
{
    char address[] = "address", mtu[] = {1, 2};
    SecBuffer in[] = {{7, SECBUFFER_TOKEN, address},
                      {0, SECBUFFER_EMPTY, NULL},
                      {7, SECBUFFER_EXTRA, address},
                      {2, SECBUFFER_DTLS_MTU, mtu},
                      {2, SECBUFFER_SRTP_PROTECTION_PROFILES, mtu}};
    struct osspi_buffers in_view = {5, in}, out_view = {0};
    struct osspi_leg_copy *copy;

    (void)state;
    assert_int_equal(osspi_leg_copy_new(&in_view, &out_view, false, &copy), SEC_E_OK);
    for (size_t i = 2; i < 5; i++) {
        assert_ptr_not_equal(in_view.items[i].pvBuffer, in[i].pvBuffer);
        assert_memory_equal(in_view.items[i].pvBuffer, in[i].pvBuffer, in[i].cbBuffer);
    }
    assert_true(osspi_buffers_put(&in_view, &in_view.items[0], SECBUFFER_EXTRA, 4, NULL));
    osspi_leg_copy_publish(copy, SEC_E_OK);
    osspi_leg_copy_free(copy);
    assert_true(in[1].BufferType == SECBUFFER_EXTRA && in[1].cbBuffer == 4 && !in[1].pvBuffer);
    assert_true(in[2].BufferType == SECBUFFER_EXTRA && in[2].pvBuffer == address);
    assert_true(in[3].pvBuffer == mtu && in[4].pvBuffer == mtu && mtu[1] == 2);
}

static void publish_hands_allocated_memory_over(void **state)
{
    struct leg leg;

    (void)state;
    leg_begin(&leg, true);
    assert_null(leg.out_view.items[0].pvBuffer);
    assert_int_equal(osspi_buffer_give(&leg.out_view.items[0], SECBUFFER_TOKEN, "token", 5, true,
                                       SEC_E_BUFFER_TOO_SMALL),
                     SEC_E_OK);
    osspi_leg_copy_publish(leg.copy, SEC_I_CONTINUE_NEEDED);
    osspi_leg_copy_free(leg.copy);
    assert_int_equal(leg.out[0].cbBuffer, 5);
    assert_memory_equal(leg.out[0].pvBuffer, "token", 5);
    assert_int_equal(osspi_context_buffer_free(leg.out[0].pvBuffer), SEC_E_OK);
}

static void publish_of_nothing_allocated_leaves_no_wild_pointer(void **state)
{
    struct leg leg;

    (void)state;
    leg_begin(&leg, true);
    assert_int_equal(osspi_buffer_give(&leg.out_view.items[0], SECBUFFER_TOKEN, NULL, 0, true,
                                       SEC_E_BUFFER_TOO_SMALL),
                     SEC_E_OK);
    osspi_leg_copy_publish(leg.copy, SEC_E_OK);
    osspi_leg_copy_free(leg.copy);
    assert_null(leg.out[0].pvBuffer);
    assert_int_equal(leg.out[0].cbBuffer, 0);
}

static void publish_of_incomplete_message_leaves_outputs(void **state)
{
    struct leg leg;

    (void)state;
    leg_begin(&leg, false);
    leg.in_view.items[1] = (SecBuffer){42, SECBUFFER_MISSING, NULL};
    memset(leg.out_view.items[0].pvBuffer, 'x', 7);
    leg.out_view.items[0].cbBuffer = 0;
    osspi_leg_copy_publish(leg.copy, SEC_E_INCOMPLETE_MESSAGE);
    osspi_leg_copy_free(leg.copy);
    assert_int_equal(leg.in[1].BufferType, SECBUFFER_MISSING);
    assert_int_equal(leg.in[1].cbBuffer, 42);
    assert_int_equal(leg.out[0].cbBuffer, 7);
    assert_string_equal(leg.output, "before ");
}

static void publish_of_a_needed_size_copies_nothing(void **state)
{
    struct leg leg;

    (void)state;
    leg_begin(&leg, false);
    leg.out_view.items[0].cbBuffer = 5000;
    osspi_leg_copy_publish(leg.copy, SEC_E_EXT_BUFFER_TOO_SMALL);
    osspi_leg_copy_free(leg.copy);
    assert_int_equal(leg.out[0].cbBuffer, 5000);
    assert_string_equal(leg.output, "before ");
}

/* Room for an extension in the memory of the input, and secrets: what was written goes there, and
 * where nothing was written the input stays as it is. */
static void outputs_may_lie_in_the_input(void **state)
{
    for (int written = 0; written < 2; written++) {
        char memory[8] = "request", secret[8] = "stale  ";
        SecBuffer in = {7, SECBUFFER_TOKEN, memory};
        SecBuffer out[] = {{7, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, memory},
                           {7, SECBUFFER_TRAFFIC_SECRETS, secret}};
        struct osspi_buffers in_view = {1, &in}, out_view = {2, out};
        struct osspi_leg_copy *copy;

        (void)state;
        assert_int_equal(osspi_leg_copy_new(&in_view, &out_view, false, &copy), SEC_E_OK);
        assert_ptr_not_equal(out_view.items[0].pvBuffer, in_view.items[0].pvBuffer);
        if (written) {
            assert_int_equal(osspi_buffer_give(&out_view.items[0],
                                               SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, "ext", 3,
                                               false, SEC_E_EXT_BUFFER_TOO_SMALL),
                             SEC_E_OK);
            memcpy(out_view.items[1].pvBuffer, "none", 4);
        }
        osspi_leg_copy_publish(copy, SEC_I_GENERIC_EXTENSION_RECEIVED);
        osspi_leg_copy_free(copy);
        assert_string_equal(memory, written ? "extuest" : "request");
        assert_string_equal(secret, written ? "nonee  " : "stale  ");
        assert_int_equal(out[0].cbBuffer, written ? 3 : 7);
        assert_ptr_equal(out[0].pvBuffer, memory);
    }
}

static void copy_that_is_dropped_frees_what_was_allocated(void **state)
{
    struct leg leg;

    (void)state;
    leg_begin(&leg, true);
    assert_int_equal(osspi_buffer_give(&leg.out_view.items[0], SECBUFFER_TOKEN, "token", 5, true,
                                       SEC_E_BUFFER_TOO_SMALL),
                     SEC_E_OK);
    osspi_leg_copy_free(leg.copy); /* a leak checker sees what is left behind */
    osspi_leg_copy_free(NULL);
}

static void copy_without_memory_leaves_the_views(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        char input[4] = "abc";
        SecBuffer item = {3, SECBUFFER_TOKEN, input};
        struct osspi_buffers in = {1, &item};
        struct osspi_buffers out = {0};
        struct osspi_leg_copy *copy;

        failing_alloc_nth(nth);
        assert_int_equal(osspi_leg_copy_new(&in, &out, false, &copy), SEC_E_INSUFFICIENT_MEMORY);
        failing_alloc_nth(0);
        assert_ptr_equal(in.items, &item);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_shares_nothing_with_the_caller),
        cmocka_unit_test(copies_of_a_key_and_early_data_are_wiped),
        cmocka_unit_test(publish_writes_supplied_memory_and_input_marks),
        cmocka_unit_test(input_of_datagrams_survives),
        cmocka_unit_test(publish_hands_allocated_memory_over),
        cmocka_unit_test(publish_of_nothing_allocated_leaves_no_wild_pointer),
        cmocka_unit_test(publish_of_incomplete_message_leaves_outputs),
        cmocka_unit_test(publish_of_a_needed_size_copies_nothing),
        cmocka_unit_test(outputs_may_lie_in_the_input),
        cmocka_unit_test(copy_that_is_dropped_frees_what_was_allocated),
        cmocka_unit_test(copy_without_memory_leaves_the_views),
    };

    return cmocka_run_group_tests_name("api.leg_copy", tests, NULL, NULL);
}
