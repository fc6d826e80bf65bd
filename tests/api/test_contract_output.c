/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what a leg gives, and where. Output that is allocated, supplied, too small or missing;
 * the handle of a new context; arguments that are left out.
 */
#include <stdlib.h>
#include <string.h>

#include "support/tls_peer.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

/* A usual pair, and the first leg of its client. */
static struct peer_leg first_leg(struct peer_pair *ret_pair, const struct peer_form *form,
                                 void *out, size_t out_size)
{
    peer_open(ret_pair, form, NULL);
    return peer_leg_of(&ret_pair->client, NULL, 0, out, out_size);
}

/* ---- memory ---- */

static void s2_5_output_is_allocated_on_request_or_without_an_address(const struct peer_form *form)
{
    for (int way = 0; way < 3; way++) {
        struct peer_pair pair;
        struct peer_leg leg;

        leg = first_leg(&pair, form, way == 0 ? (void *)16 : NULL, way == 2 ? 0 : 5);
        if (way != 1)
            leg.flags |= ISC_REQ_ALLOCATE_MEMORY;
        leg.out[1] = (SecBuffer){0, SECBUFFER_ALERT, NULL};
        leg.out_count = 2;
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_I_CONTINUE_NEEDED);
        assert_true(leg.out[0].cbBuffer > 100);
        assert_int_equal(((uint8_t *)leg.out[0].pvBuffer)[0], 22);
        assert_null(leg.out[1].pvBuffer);
        assert_int_equal(leg.out[1].cbBuffer, 0);
        assert_true(pair.client.attributes & ISC_RET_ALLOCATED_MEMORY);
        assert_int_equal(FreeContextBuffer(leg.out[0].pvBuffer), SEC_E_OK);
        peer_close(&pair);
    }
}

static void s2_5_supplied_output_is_used_and_not_called_allocated(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[2048];
    struct peer_leg leg;

    leg = first_leg(&pair, form, out, sizeof(out));
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_I_CONTINUE_NEEDED);
    assert_ptr_equal(leg.out[0].pvBuffer, out);
    assert_false(pair.client.attributes & ISC_RET_ALLOCATED_MEMORY);
    peer_close(&pair);
}

/* An EMPTY slot may stand where the token shall go, and becomes one. */
static void s2_5_empty_output_slot_takes_the_token(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[2048];
    struct peer_leg leg;

    leg = first_leg(&pair, form, out, sizeof(out));
    leg.out[0].BufferType = SECBUFFER_EMPTY;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(leg.out[0].BufferType, SECBUFFER_TOKEN);
    assert_true(leg.out[0].cbBuffer > 100);
    peer_close(&pair);
}

/* ---- too small ---- */

static void s2_5_too_small_first_output_makes_no_context(const struct peer_form *form)
{
    static const ULONG sizes[] = {0, 1, 20, 60};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    for (size_t i = 0; i < 4; i++) {
        uint8_t *out = malloc(sizes[i] ? sizes[i] : 1);
        struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, sizes[i]);

        memset(&pair.client.context, 0x5A, sizeof(CtxtHandle));
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INSUFFICIENT_MEMORY);
        assert_int_equal(pair.client.context.dwLower, 0x5A5A5A5A5A5A5A5A);
        assert_int_equal(leg.out[0].cbBuffer, sizes[i]);
        free(out);
    }
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    for (size_t i = 0; i < 4; i++) {
        uint8_t *out = malloc(sizes[i] ? sizes[i] : 1);
        struct peer_leg leg =
            peer_leg_of(&pair.server, pair.server.in.bytes, pair.server.in.len, out, sizes[i]);

        assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INSUFFICIENT_MEMORY);
        assert_false(pair.server.has_context);
        assert_int_equal(leg.in[1].BufferType, SECBUFFER_EMPTY);
        free(out);
    }
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    peer_close(&pair);
}

enum retry { SAME_INPUT, MORE_INPUT, NO_INPUT, RETRIES };

/* A later leg whose output did not fit goes on as if it had, whatever the caller comes with. */
static void retry_too_small(const struct peer_form *form, size_t p, enum retry way)
{
    const struct peer_setup setup = {.protocols = protocols[p]};
    uint8_t *out = malloc(PEER_OUT_SIZE);
    struct peer_pair pair;
    struct peer_leg leg;
    size_t len;

    peer_open(&pair, form, &setup);
    peer_half_connect(&pair);
    len = pair.client.in.len;
    for (ULONG size = 0; size < 60; size += 20) {
        memset(out, 0x5A, 64);
        leg = peer_leg_of(&pair.client, pair.client.in.bytes, len, out, size);
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INSUFFICIENT_MEMORY);
        assert_int_equal(leg.out[0].cbBuffer, size);
        assert_int_equal(leg.in[1].BufferType, SECBUFFER_EMPTY);
        assert_int_equal(out[0], 0x5A);
    }
    if (way == MORE_INPUT)
        peer_push(&pair.client.in, "\x17", 1);
    leg = peer_leg_of(&pair.client, pair.client.in.bytes, way == NO_INPUT ? 0 : pair.client.in.len,
                      out, PEER_OUT_SIZE);
    leg.no_in = way == NO_INPUT;
    assert_int_equal(peer_leg_run(&pair.client, &leg), p == 0 ? SEC_E_OK : SEC_I_CONTINUE_NEEDED);
    assert_true(leg.out[0].cbBuffer > 60);
    assert_int_equal(leg.in[1].BufferType, way == MORE_INPUT ? SECBUFFER_EXTRA : SECBUFFER_EMPTY);
    assert_int_equal(leg.in[1].cbBuffer, way == MORE_INPUT ? 1 : 0);
    peer_clear(&pair.client.in);
    peer_push(&pair.server.in, out, leg.out[0].cbBuffer);
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK);
    if (p == 1)
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
    peer_established(&pair.client);
    peer_established(&pair.server);
    peer_exchange(&pair);
    free(out);
    peer_close(&pair);
}

static void s2_5_too_small_output_keeps_state(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        for (int way = 0; way < RETRIES; way++)
            retry_too_small(form, p, (enum retry)way);
    }
}

/* The server's last flight (tickets in TLS 1.3, Finished in 1.2) too. */
static void s2_5_too_small_last_server_output_keeps_state(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;
        struct peer_leg leg;
        uint8_t out[32];

        peer_open(&pair, form, &setup);
        peer_half_connect(&pair);
        assert_true(peer_step(&pair.client, &pair.server) >= 0);
        for (int i = 0; i < 2; i++) {
            leg = peer_leg_of(&pair.server, pair.server.in.bytes, pair.server.in.len, out,
                              sizeof(out));
            assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INSUFFICIENT_MEMORY);
        }
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK);
        if (p == 1)
            assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
        peer_established(&pair.client);
        peer_established(&pair.server);
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

static void s2_5_alert_buffer_without_room_is_refused(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[2048];
    struct peer_leg leg;

    leg = first_leg(&pair, form, out, sizeof(out));
    leg.out[1] = (SecBuffer){0, SECBUFFER_ALERT, out};
    leg.out_count = 2;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INSUFFICIENT_MEMORY);
    assert_false(pair.client.has_context);
    peer_close(&pair);
}

/* ---- what may be left out ---- */

static void s2_3_first_leg_without_output_is_refused(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[2048];
    struct peer_leg leg;

    leg = first_leg(&pair, form, out, sizeof(out));
    leg.no_out = true;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_TOKEN);
    leg.no_out = false;
    leg.out_count = 0;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_TOKEN);
    leg.out_count = 1;
    leg.out[0].BufferType = SECBUFFER_DATA;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_TOKEN);
    leg.out[0].BufferType = SECBUFFER_TOKEN;
    leg.new_context = NULL;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_HANDLE);
    leg.new_context = &pair.client.context;
    leg.credential = NULL;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_HANDLE);
    assert_false(pair.client.has_context);
    peer_close(&pair);
}

/* Flags and expiry are optional, and on later legs the credential and the target are too. */
static void s2_3_optional_arguments_may_be_null(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t *out = malloc(PEER_OUT_SIZE);
    SecBuffer token = {PEER_OUT_SIZE, SECBUFFER_TOKEN, out};
    SecBuffer input[2] = {{0}};
    SecBufferDesc in = {SECBUFFER_VERSION, 2, input}, desc_out = {SECBUFFER_VERSION, 1, &token};

    peer_open(&pair, form, NULL);
    assert_int_equal(form->initialize(&pair.client.credential, NULL, (LPSTR)PEER_TARGET, 0, NULL,
                                      &pair.client.context, &desc_out, NULL, NULL),
                     SEC_I_CONTINUE_NEEDED);
    pair.client.has_context = true;
    peer_push(&pair.server.in, out, token.cbBuffer);
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    input[0] = (SecBuffer){(ULONG)pair.client.in.len, SECBUFFER_TOKEN, pair.client.in.bytes};
    token.cbBuffer = PEER_OUT_SIZE;
    assert_int_equal(
        form->initialize(NULL, &pair.client.context, NULL, 0, &in, NULL, &desc_out, NULL, NULL),
        SEC_E_OK);
    peer_push(&pair.server.in, out, token.cbBuffer);
    input[0] = (SecBuffer){(ULONG)pair.server.in.len, SECBUFFER_TOKEN, pair.server.in.bytes};
    token.cbBuffer = PEER_OUT_SIZE;
    assert_int_equal(form->accept(NULL, &pair.server.context, 0, &in, NULL, &desc_out, NULL, NULL),
                     SEC_E_OK);
    free(out);
    peer_close(&pair);
}

/* ---- the handle ---- */

static void s2_3_new_context_on_later_legs(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t *out = malloc(PEER_OUT_SIZE);
    CtxtHandle other;
    struct peer_leg leg;

    peer_open(&pair, form, NULL);
    peer_half_connect(&pair);
    memset(&other, 0x5A, sizeof(other));
    leg = peer_leg_of(&pair.client, pair.client.in.bytes, 3, out, PEER_OUT_SIZE);
    leg.new_context = &other;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INCOMPLETE_MESSAGE);
    assert_int_equal(other.dwLower, 0x5A5A5A5A5A5A5A5A);
    leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, 1);
    leg.new_context = &other;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(other.dwLower, 0x5A5A5A5A5A5A5A5A);
    leg.out[0].cbBuffer = PEER_OUT_SIZE;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_OK);
    assert_memory_equal(&other, &pair.client.context, sizeof(other));
    assert_true(SecIsValidHandle(&other));
    assert_true(other.dwLower != 0 || other.dwUpper != 0);
    free(out);
    peer_close(&pair);
}

/* A leg that fails later leaves phNewContext as it was; the handle stays to be deleted. */
static void s2_3_failed_later_leg_leaves_new_context_alone(const struct peer_form *form)
{
    const struct peer_setup setup = {.certificate = "wrongname"};
    struct peer_pair pair;
    uint8_t *out = malloc(PEER_OUT_SIZE);
    CtxtHandle other;
    struct peer_leg leg;

    peer_open(&pair, form, &setup);
    peer_half_connect(&pair);
    memset(&other, 0x5A, sizeof(other));
    leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, PEER_OUT_SIZE);
    leg.new_context = &other;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_WRONG_PRINCIPAL);
    assert_int_equal(other.dwLower, 0x5A5A5A5A5A5A5A5A);
    free(out);
    peer_close(&pair); /* deletes it */
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s2_5_output_is_allocated_on_request_or_without_an_address),
        PEER_CASE(s2_5_supplied_output_is_used_and_not_called_allocated),
        PEER_CASE(s2_5_empty_output_slot_takes_the_token),
        PEER_CASE(s2_5_too_small_first_output_makes_no_context),
        PEER_CASE(s2_5_too_small_output_keeps_state),
        PEER_CASE(s2_5_too_small_last_server_output_keeps_state),
        PEER_CASE(s2_5_alert_buffer_without_room_is_refused),
        PEER_CASE(s2_3_first_leg_without_output_is_refused),
        PEER_CASE(s2_3_optional_arguments_may_be_null),
        PEER_CASE(s2_3_new_context_on_later_legs),
        PEER_CASE(s2_3_failed_later_leg_leaves_new_context_alone),
    };

    return peer_run_cases("contract.output", cases, sizeof(cases) / sizeof(cases[0]));
}
