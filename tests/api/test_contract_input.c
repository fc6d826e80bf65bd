/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what a leg takes. Flights in pieces, in one, and with more behind; EMPTY slots that
 * become MISSING or EXTRA; input that is refused before anything happens. TLS 1.2 and 1.3.
 */
#include <stdlib.h>
#include <string.h>

#include "support/tls_peer.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

/* A pair at the point where the client has said hello. */
static void open_with_hello(struct peer_pair *pair, const struct peer_form *form, DWORD protocol)
{
    const struct peer_setup setup = {.protocols = protocol};

    peer_open(pair, form, &setup);
    assert_int_equal(peer_step(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
}

/* As above, and the server has answered. */
static void open_with_answer(struct peer_pair *pair, const struct peer_form *form, DWORD protocol)
{
    open_with_hello(pair, form, protocol);
    assert_int_equal(peer_step(&pair->server, &pair->client), SEC_I_CONTINUE_NEEDED);
}

/* One leg with the first len bytes of what has arrived, in a block of that size. */
static SECURITY_STATUS leg_with(struct peer_end *end, size_t len, struct peer_leg *ret_leg,
                                uint8_t *out, size_t out_size)
{
    uint8_t *bytes = malloc(len ? len : 1);
    SECURITY_STATUS status;

    assert_non_null(bytes);
    if (len > 0)
        memcpy(bytes, end->in.bytes, len);
    *ret_leg = peer_leg_of(end, bytes, len, out, out_size);
    status = peer_leg_run(end, ret_leg);
    free(bytes);
    return status;
}

/* ---- prefixes ---- */

static void s2_5_first_prefixes_tell_what_is_missing(const struct peer_form *form)
{
    struct peer_pair pair;
    struct peer_leg leg;
    uint8_t out[64];
    size_t whole;

    open_with_hello(&pair, form, 0);
    whole = pair.server.in.len;
    for (size_t n = 0; n < whole; n++) {
        memset(&pair.server.context, 0x5A, sizeof(CtxtHandle));
        memset(out, 0x5A, sizeof(out));
        pair.server.attributes = 0x77;
        assert_int_equal(leg_with(&pair.server, n, &leg, out, sizeof(out)),
                         SEC_E_INCOMPLETE_MESSAGE);
        assert_int_equal(leg.in[0].BufferType, SECBUFFER_TOKEN);
        assert_int_equal(leg.in[1].BufferType, SECBUFFER_MISSING);
        assert_int_equal(leg.in[1].cbBuffer, n < 5 ? 5 - n : whole - n);
        assert_int_equal(leg.out[0].BufferType, SECBUFFER_TOKEN);
        assert_int_equal(leg.out[0].cbBuffer, sizeof(out));
        for (size_t i = 0; i < sizeof(out); i++)
            assert_int_equal(out[i], 0x5A);
        assert_int_equal(pair.server.context.dwUpper, 0x5A5A5A5A5A5A5A5A);
    }
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    peer_close(&pair);
}

/* The same context sees each prefix of a flight of several records and takes no harm. What it
 * takes is gone from the next prefix. */
static void s2_5_every_prefix_of_a_later_flight(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;
        struct peer_leg leg;
        uint8_t *out = malloc(PEER_OUT_SIZE);
        SECURITY_STATUS status = SEC_E_INCOMPLETE_MESSAGE;
        size_t n = 0;

        open_with_answer(&pair, form, protocols[p]);
        while (n < pair.client.in.len) {
            size_t in_record = pair.client.in.len > 4 ? peer_record_len(pair.client.in.bytes) : 5;

            status = leg_with(&pair.client, n, &leg, out, PEER_OUT_SIZE);
            if (status == SEC_E_INCOMPLETE_MESSAGE) {
                assert_int_equal(leg.in[1].BufferType, SECBUFFER_MISSING);
                assert_int_equal(leg.in[1].cbBuffer, n < 5 ? 5 - n : in_record - n);
                n++;
                continue;
            }
            assert_int_equal(status, SEC_I_CONTINUE_NEEDED);
            assert_int_equal(n, in_record);
            assert_int_equal(leg.in[1].BufferType, SECBUFFER_EMPTY);
            peer_drop(&pair.client.in, n);
            n = 0;
        }
        status = leg_with(&pair.client, n, &leg, out, PEER_OUT_SIZE);
        assert_int_equal(status, p == 0 ? SEC_E_OK : SEC_I_CONTINUE_NEEDED);
        peer_clear(&pair.client.in);
        peer_push(&pair.server.in, out, leg.out[0].cbBuffer);
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK);
        if (p == 1)
            assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
        free(out);
        peer_established(&pair.client);
        peer_established(&pair.server);
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

/* ---- byte by byte ---- */

/* As a caller does that appends what it reads and tries again. */
static SECURITY_STATUS byte_by_byte(struct peer_end *end, struct peer_end *to)
{
    struct peer_stream all = end->in;
    SECURITY_STATUS status = SEC_E_INCOMPLETE_MESSAGE;

    end->in = (struct peer_stream){0};
    for (size_t i = 0; i < all.len; i++) {
        peer_push(&end->in, all.bytes + i, 1);
        status = peer_step(end, to);
        if (status == SEC_E_OK) { /* the rest is for DecryptMessage */
            peer_push(&end->in, all.bytes + i + 1, all.len - i - 1);
            break;
        }
        if (status != SEC_E_INCOMPLETE_MESSAGE)
            assert_int_equal(status, SEC_I_CONTINUE_NEEDED);
    }
    peer_clear(&all);
    return status;
}

static void s2_5_flights_come_byte_by_byte(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        SECURITY_STATUS client = SEC_I_CONTINUE_NEEDED, server = SEC_I_CONTINUE_NEEDED;
        struct peer_pair pair;

        open_with_hello(&pair, form, protocols[p]);
        for (int round = 0; round < 4 && (client != SEC_E_OK || server != SEC_E_OK); round++) {
            if (pair.server.in.len > 0 && server != SEC_E_OK)
                server = byte_by_byte(&pair.server, &pair.client);
            if (pair.client.in.len > 0 && client != SEC_E_OK)
                client = byte_by_byte(&pair.client, &pair.server);
        }
        assert_int_equal(client, SEC_E_OK);
        assert_int_equal(server, SEC_E_OK);
        peer_established(&pair.client);
        peer_established(&pair.server);
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

/* Records cut smaller: a ClientHello in many records must be put together. */
static void s2_5_a_hello_may_span_records(const struct peer_form *form)
{
    struct peer_stream cut = {0};
    struct peer_pair pair;

    open_with_hello(&pair, form, 0);
    for (size_t at = 5; at < pair.server.in.len; at += 50) {
        size_t len = pair.server.in.len - at < 50 ? pair.server.in.len - at : 50;
        const uint8_t header[] = {22, 3, 1, 0, (uint8_t)len};

        peer_push(&cut, header, sizeof(header));
        peer_push(&cut, pair.server.in.bytes + at, len);
    }
    peer_clear(&pair.server.in);
    pair.server.in = cut;
    peer_connect(&pair);
    peer_exchange(&pair);
    peer_close(&pair);
}

/* ---- behind a flight ---- */

/* The client's last flight and its first data in one token: data come back as EXTRA. */
static void s2_5_data_behind_the_last_flight_are_extra(const struct peer_form *form)
{
    struct peer_pair pair;
    char data[32];
    size_t len;

    open_with_answer(&pair, form, SP_PROT_TLS1_3_CLIENT);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
    peer_established(&pair.client);
    assert_int_equal(peer_send(&pair.client, &pair.server, "early bird", 10), SEC_E_OK);
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK);
    assert_true(pair.server.in.len > 0);
    assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
    assert_int_equal(len, 10);
    assert_memory_equal(data, "early bird", 10);
    peer_close(&pair);
}

static void s2_5_part_of_a_record_behind_whole_ones_is_extra(const struct peer_form *form)
{
    struct peer_pair pair;
    struct peer_leg leg;
    uint8_t *out = malloc(PEER_OUT_SIZE);
    size_t first;

    open_with_answer(&pair, form, SP_PROT_TLS1_3_CLIENT);
    first = peer_record_len(pair.client.in.bytes);
    assert_int_equal(leg_with(&pair.client, first + 3, &leg, out, PEER_OUT_SIZE),
                     SEC_I_CONTINUE_NEEDED);
    assert_int_equal(leg.in[1].BufferType, SECBUFFER_EXTRA);
    assert_int_equal(leg.in[1].cbBuffer, 3);
    assert_int_equal(leg.out[0].cbBuffer, 0);
    peer_drop(&pair.client.in, first);
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    free(out);
    peer_close(&pair);
}

/* Without an EMPTY slot the count cannot be told, and a flight that fits exactly still passes. */
static void s2_5_no_empty_slot(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t *out = malloc(PEER_OUT_SIZE);
    struct peer_leg leg;

    open_with_hello(&pair, form, SP_PROT_TLS1_3_CLIENT);
    leg = peer_leg_of(&pair.server, pair.server.in.bytes, 4, out, PEER_OUT_SIZE);
    leg.in_count = 1;
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INCOMPLETE_MESSAGE);
    assert_int_equal(leg.in[0].BufferType, SECBUFFER_TOKEN);
    assert_int_equal(leg.in[0].cbBuffer, 4);
    leg = peer_leg_of(&pair.server, pair.server.in.bytes, pair.server.in.len, out, PEER_OUT_SIZE);
    leg.in_count = 1;
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_I_CONTINUE_NEEDED);
    peer_clear(&pair.server.in);
    peer_push(&pair.client.in, out, leg.out[0].cbBuffer);
    leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, PEER_OUT_SIZE);
    leg.in_count = 1;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_OK);
    free(out);
    peer_close(&pair);
}

/* Two slots, as some callers have: the first one behind the token is used, the other is left. */
static void s2_5_two_empty_slots(const struct peer_form *form)
{
    struct peer_pair pair;
    struct peer_leg leg;
    uint8_t out[16];

    open_with_hello(&pair, form, 0);
    leg = peer_leg_of(&pair.server, pair.server.in.bytes, 9, out, sizeof(out));
    leg.in[2] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    leg.in_count = 3;
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INCOMPLETE_MESSAGE);
    assert_int_equal(leg.in[1].BufferType, SECBUFFER_MISSING);
    assert_int_equal(leg.in[2].BufferType, SECBUFFER_EMPTY);
    assert_int_equal(leg.in[2].cbBuffer, 0);
    peer_close(&pair);
}

/* ---- input that means nothing, and input that is wrong ---- */

static void s2_3_first_client_leg_needs_no_input(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[2048];

    peer_open(&pair, form, NULL);
    for (int way = 0; way < 4; way++) {
        struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));

        leg.no_in = way == 0;
        if (way == 1)
            leg.in_count = 0;
        if (way == 2) { /* a lone EMPTY one is nothing, whatever else it says */
            leg.in[0] = (SecBuffer){77, SECBUFFER_EMPTY, (void *)8};
            leg.in_count = 1;
        }
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_I_CONTINUE_NEEDED);
        assert_true(leg.out[0].cbBuffer > 100);
        assert_int_equal(out[0], 22);
        peer_end_disconnect(&pair.client);
    }
    peer_close(&pair);
}

static void s2_5_later_leg_without_input_is_incomplete(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[64];

    open_with_hello(&pair, form, 0);
    for (int way = 0; way < 2; way++) {
        struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));

        leg.no_in = way == 0;
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INCOMPLETE_MESSAGE);
        assert_int_equal(leg.out[0].cbBuffer, sizeof(out));
        if (way == 1)
            assert_int_equal(leg.in[1].cbBuffer, 5);
    }
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    peer_close(&pair);
}

static void s2_5_wrong_input_descriptors_are_refused(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[2048], junk[16] = {0};
    struct peer_leg leg;
    SecBuffer many[300] = {{0}};
    SecBufferDesc in = {SECBUFFER_VERSION, 2, NULL}, desc_out = {SECBUFFER_VERSION, 1, NULL};
    SecBuffer token = {sizeof(out), SECBUFFER_TOKEN, out};
    CtxtHandle context;

    open_with_hello(&pair, form, 0);
    /* a second EMPTY slot with a length and an address */
    leg = peer_leg_of(&pair.server, pair.server.in.bytes, pair.server.in.len, out, sizeof(out));
    leg.in[1] = (SecBuffer){9, SECBUFFER_EMPTY, junk};
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INVALID_TOKEN);
    /* a length without an address */
    leg = peer_leg_of(&pair.server, NULL, 100, out, sizeof(out));
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INVALID_TOKEN);
    /* two tokens */
    leg = peer_leg_of(&pair.server, pair.server.in.bytes, pair.server.in.len, out, sizeof(out));
    leg.in[1] = leg.in[0];
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INVALID_TOKEN);
    /* a descriptor of another version, without an array, with absurd counts */
    desc_out.pBuffers = &token;
    for (int way = 0; way < 4; way++) {
        in = (SecBufferDesc){way == 0 ? 1 : SECBUFFER_VERSION, way == 3 ? UINT32_MAX : 2,
                             way == 1 ? NULL : many};
        if (way == 2)
            in.cBuffers = 300;
        assert_int_equal(
            form->accept(&pair.server.credential, NULL, 0, &in, &context, &desc_out, NULL, NULL),
            SEC_E_INVALID_TOKEN);
    }
    /* bytes on a client's first leg */
    leg = peer_leg_of(&pair.server, junk, sizeof(junk), out, sizeof(out));
    leg.credential = &pair.client.credential;
    leg.target = PEER_TARGET;
    pair.server.server = false;
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INVALID_TOKEN);
    pair.server.server = true;
    assert_false(pair.server.has_context);
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s2_5_first_prefixes_tell_what_is_missing),
        PEER_CASE(s2_5_every_prefix_of_a_later_flight),
        PEER_CASE(s2_5_flights_come_byte_by_byte),
        PEER_CASE(s2_5_a_hello_may_span_records),
        PEER_CASE(s2_5_data_behind_the_last_flight_are_extra),
        PEER_CASE(s2_5_part_of_a_record_behind_whole_ones_is_extra),
        PEER_CASE(s2_5_no_empty_slot),
        PEER_CASE(s2_5_two_empty_slots),
        PEER_CASE(s2_3_first_client_leg_needs_no_input),
        PEER_CASE(s2_5_later_leg_without_input_is_incomplete),
        PEER_CASE(s2_5_wrong_input_descriptors_are_refused),
    };

    return peer_run_cases("contract.input", cases, sizeof(cases) / sizeof(cases[0]));
}
