/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what comes after the handshake and is no data. Tickets, KeyUpdate and requests to
 * renegotiate come out of DecryptMessage as SEC_I_RENEGOTIATE with everything from that record on
 * as EXTRA; a leg takes them, in the old style (no input) and in the new one (the EXTRA bytes).
 * OpenSSL makes what we would not.
 */
#include <stdlib.h>
#include <string.h>

#include "support/tls_raw.h"

/* A client of ours that has finished with a raw TLS 1.3 server, whose tickets lie in client.in. */
static void open_with_tickets(struct raw_peer *raw, struct peer_end *client,
                              const struct peer_form *form)
{
    raw_connect(raw, client, form, false, TLS1_3_VERSION, "server");
    assert_true(client->in.len > 0);
}

/* DecryptMessage with all that is there; the stream stays as it is. */
static SECURITY_STATUS look(struct peer_end *end, ULONG *ret_extra, ULONG *ret_len)
{
    SecBuffer buffers[4] = {{(ULONG)end->in.len, SECBUFFER_DATA, end->in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status = DecryptMessage(&end->context, &message, 0, NULL);

    *ret_extra = buffers[3].BufferType == SECBUFFER_EXTRA ? buffers[3].cbBuffer : 0;
    *ret_len = buffers[1].BufferType == SECBUFFER_DATA ? buffers[1].cbBuffer : 0;
    return status;
}

static void s1_16_tickets_are_taken_by_a_leg_with_the_extra_bytes(const struct peer_form *form)
{
    struct raw_peer raw;
    struct peer_end client, wire = {0};
    ULONG extra, len;
    size_t records = 0;

    open_with_tickets(&raw, &client, form);
    raw_send(&raw, &client, "data", 4);
    while (look(&client, &extra, &len) == SEC_I_RENEGOTIATE) {
        assert_int_equal(extra, client.in.len); /* that record included */
        assert_int_equal(len, 0);
        assert_int_equal(peer_step(&client, &wire), SEC_E_OK);
        assert_int_equal(client.in.len, extra - (extra - client.in.len));
        assert_true(client.in.len < extra);
        assert_int_equal(wire.in.len, 0);
        records++;
    }
    assert_true(records >= 1);
    assert_int_equal(len, 4); /* the loop has opened it */
    assert_int_equal(extra, 0);
    peer_clear(&client.in);
    raw_exchange(&raw, &client);
    peer_end_free(&client);
    raw_close(&raw);
}

/* The old style: the leg gets no input, and DecryptMessage the rest, that record once more. */
static void s3_5_tickets_are_taken_by_a_leg_without_input(const struct peer_form *form)
{
    struct raw_peer raw;
    struct peer_end client, wire = {0};
    char data[16];
    size_t len;
    int rounds = 0;

    open_with_tickets(&raw, &client, form);
    raw_send(&raw, &client, "data", 4);
    for (SECURITY_STATUS status = SEC_I_RENEGOTIATE; status != SEC_E_OK || len == 0; rounds++) {
        assert_true(rounds < 20);
        status = peer_receive(&client, data, sizeof(data), &len);
        if (status == SEC_I_RENEGOTIATE) {
            uint8_t out[256];
            struct peer_leg leg = peer_leg_of(&client, NULL, 0, out, sizeof(out));

            leg.no_in = true;
            assert_int_equal(peer_leg_run(&client, &leg), SEC_E_OK);
            assert_int_equal(leg.out[0].cbBuffer, 0);
        } else {
            assert_int_equal(status, SEC_E_OK);
        }
    }
    assert_int_equal(len, 4);
    assert_memory_equal(data, "data", 4);
    raw_exchange(&raw, &client);
    (void)wire;
    peer_end_free(&client);
    raw_close(&raw);
}

/* Callers that know nothing of tickets decrypt again and again, and must get their data. */
static void tickets_do_not_stop_a_caller_that_only_decrypts(const struct peer_form *form)
{
    struct raw_peer raw;
    struct peer_end client;
    char data[16];
    size_t len = 0;

    open_with_tickets(&raw, &client, form);
    raw_send(&raw, &client, "data", 4);
    for (int i = 0; i < 20 && len == 0; i++)
        assert_true(peer_receive(&client, data, sizeof(data), &len) >= 0);
    assert_int_equal(len, 4);
    peer_end_free(&client);
    raw_close(&raw);
}

/* A leg on an established context that is given data, or nothing, takes nothing. */
static void s1_16_legs_leave_application_data_alone(const struct peer_form *form)
{
    static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;
        uint8_t out[256];
        char data[16];
        size_t before, len;
        struct peer_leg leg;

        peer_open(&pair, form, &setup);
        peer_connect(&pair);
        assert_int_equal(peer_send(&pair.client, &pair.server, "payload", 7), SEC_E_OK);
        before = pair.server.in.len;
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK);
        assert_int_equal(pair.server.in.len, before);
        leg = peer_leg_of(&pair.server, NULL, 0, out, sizeof(out));
        leg.no_in = true;
        assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_OK);
        assert_int_equal(leg.out[0].cbBuffer, 0);
        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
        assert_int_equal(len, 7);
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

/* ---- KeyUpdate ---- */

static void key_updates(const struct peer_form *form, bool we_serve)
{
    struct raw_peer raw;
    struct peer_end end, wire = {0};

    raw_connect(&raw, &end, form, we_serve, TLS1_3_VERSION, "server");
    raw_exchange(&raw, &end);
    for (int i = 0; i < 5; i++) {
        ULONG extra, len;
        char data[16];

        assert_int_equal(SSL_key_update(raw.ssl, i % 2 ? SSL_KEY_UPDATE_NOT_REQUESTED
                                                       : SSL_KEY_UPDATE_REQUESTED),
                         1);
        assert_int_equal(SSL_do_handshake(raw.ssl), 1);
        raw_take(&raw, &end.in);
        assert_int_equal(look(&end, &extra, &len), SEC_I_RENEGOTIATE);
        assert_int_equal(extra, end.in.len);
        /* Data may go out between the request and its answer; the peer must be able to read it. */
        assert_int_equal(peer_send(&end, &wire, "between", 7), SEC_E_OK);
        assert_int_equal(peer_step(&end, &wire), SEC_E_OK);
        assert_int_equal(end.in.len, 0);
        assert_int_equal(peer_send(&end, &wire, "after", 5), SEC_E_OK);
        raw_give(&raw, &wire.in);
        assert_int_equal(SSL_read(raw.ssl, data, sizeof(data)), 7);
        assert_memory_equal(data, "between", 7);
        assert_int_equal(SSL_read(raw.ssl, data, sizeof(data)), 5);
        assert_memory_equal(data, "after", 5);
        raw_exchange(&raw, &end);
    }
    peer_end_free(&end);
    raw_close(&raw);
}

static void key_updates_are_answered(const struct peer_form *form)
{
    key_updates(form, false);
    key_updates(form, true);
}

/* ---- requests to renegotiate in TLS 1.2 ---- */

static void requests_to_renegotiate_are_declined(const struct peer_form *form)
{
    for (int style = 0; style < 2; style++) {
        struct raw_peer raw;
        struct peer_end client, wire = {0};
        ULONG extra, len;

        raw_connect(&raw, &client, form, false, TLS1_2_VERSION, "server");
        assert_int_equal(SSL_renegotiate(raw.ssl), 1);
        (void)SSL_do_handshake(raw.ssl);
        raw_take(&raw, &client.in);
        assert_int_equal(client.in.bytes[0], 22);
        assert_int_equal(look(&client, &extra, &len), SEC_I_RENEGOTIATE);
        if (style == 0) {
            assert_int_equal(peer_step(&client, &wire), SEC_E_OK);
            assert_int_equal(client.in.len, 0);
        } else {
            uint8_t out[256];
            struct peer_leg leg = peer_leg_of(&client, NULL, 0, out, sizeof(out));

            leg.no_in = true;
            assert_int_equal(peer_leg_run(&client, &leg), SEC_E_OK);
            peer_push(&wire.in, out, leg.out[0].cbBuffer);
            peer_clear(&client.in);
        }
        assert_true(wire.in.len > 0);
        assert_int_equal(wire.in.bytes[0], 21); /* no_renegotiation, sealed */
        assert_int_equal(peer_send(&client, &wire, "still here", 10), SEC_E_OK);
        peer_clear(&wire.in);
        peer_end_free(&client);
        raw_close(&raw);
    }
}

/* An answer that finds no room waits for the next leg. */
static void answer_to_key_update_waits_for_room(const struct peer_form *form)
{
    struct raw_peer raw;
    struct peer_end end, wire = {0};
    uint8_t out[4];
    struct peer_leg leg;
    ULONG extra, len;

    raw_connect(&raw, &end, form, true, TLS1_3_VERSION, "server");
    assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(raw.ssl), 1);
    raw_take(&raw, &end.in);
    assert_int_equal(look(&end, &extra, &len), SEC_I_RENEGOTIATE);
    leg = peer_leg_of(&end, end.in.bytes, end.in.len, out, sizeof(out));
    assert_int_equal(peer_leg_run(&end, &leg), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(peer_step(&end, &wire), SEC_E_OK);
    assert_true(wire.in.len > 0);
    assert_int_equal(end.in.len, 0);
    raw_give(&raw, &wire.in);
    raw_exchange(&raw, &end);
    peer_end_free(&end);
    raw_close(&raw);
}

/* A copy of a ticket's record, made by somebody on the way, is no ticket. */
static void a_repeated_post_handshake_record_ends_the_context(const struct peer_form *form)
{
    struct raw_peer raw;
    struct peer_end client, wire = {0};
    struct peer_stream copy = {0};
    ULONG extra, len;
    SECURITY_STATUS status;

    open_with_tickets(&raw, &client, form);
    peer_push(&copy, client.in.bytes, peer_record_len(client.in.bytes));
    while (client.in.len > 0 && look(&client, &extra, &len) == SEC_I_RENEGOTIATE)
        assert_int_equal(peer_step(&client, &wire), SEC_E_OK);
    assert_int_equal(client.in.len, 0);
    client.in = copy;
    status = look(&client, &extra, &len);
    assert_true(status == SEC_E_MESSAGE_ALTERED || status == SEC_E_DECRYPT_FAILURE);
    peer_end_free(&client);
    raw_close(&raw);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s1_16_tickets_are_taken_by_a_leg_with_the_extra_bytes),
        PEER_CASE(s3_5_tickets_are_taken_by_a_leg_without_input),
        PEER_CASE(tickets_do_not_stop_a_caller_that_only_decrypts),
        PEER_CASE(s1_16_legs_leave_application_data_alone),
        PEER_CASE(key_updates_are_answered),
        PEER_CASE(requests_to_renegotiate_are_declined),
        PEER_CASE(answer_to_key_update_waits_for_room),
        PEER_CASE(a_repeated_post_handshake_record_ends_the_context),
    };

    return peer_run_cases("contract.post", cases, sizeof(cases) / sizeof(cases[0]));
}
