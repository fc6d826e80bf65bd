/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what message mode refuses, at each level, and the two bytes of alert that go with it.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/message_peer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define UNEXPECTED 10
#define ILLEGAL    47

/* ---- the same context, brought to a level ---- */

/* 0: nothing has come; 1: the ServerHello (server: the ClientHello); 2: done. */
static void open_at(struct message_pair *pair, const struct peer_form *form, int stage)
{
    message_open(pair, form, NULL);
    assert_int_equal(message_step(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
    if (stage >= 1) {
        assert_int_equal(message_step(&pair->server, &pair->client), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(message_step(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
    }
    if (stage == 2)
        message_connect(pair);
}

static void must_fail(struct message_end *end, struct message_end *to, const void *bytes,
                      size_t len, SECURITY_STATUS expected, uint8_t alert)
{
    size_t consumed;

    /* The same answer each time, as long as there is a context. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(message_leg(end, bytes, len, to, &consumed), expected);
        assert_true(end->alerted);
        assert_int_equal(end->alert[0], TLS1_ALERT_FATAL);
        assert_int_equal(end->alert[1], alert);
    }
}

static bool is_possible(bool server, int stage, int type)
{
    static const struct {
        bool server;
        int stage, type;
    } rows[] = {{true, 0, 1},  {true, 1, 11},  {true, 1, 15},  {true, 1, 20},  {false, 0, 2},
                {false, 1, 8}, {false, 1, 11}, {false, 1, 13}, {false, 1, 15}, {false, 1, 20},
                {false, 2, 4}, {true, 1, 25},  {false, 1, 25}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].server == server && rows[i].stage == stage && rows[i].type == type)
            return true;
    }
    return false;
}

/* One byte is enough to know. */
static void s3_9_types_that_have_no_place(const struct peer_form *form)
{
    static const uint8_t types[] = {0, 1, 2, 4, 5, 8, 11, 12, 13, 15, 20, 22, 24, 25, 254};

    for (int stage = 0; stage <= 2; stage++) {
        for (size_t i = 0; i < sizeof(types); i++) {
            struct message_pair pair;
            const uint8_t type = types[i], byte = type;

            open_at(&pair, form, stage);
            if (!is_possible(true, stage, type))
                must_fail(&pair.server, &pair.client, &byte, 1,
                          stage == 0 ? SEC_E_INVALID_TOKEN : SEC_E_ILLEGAL_MESSAGE, UNEXPECTED);
            if (!is_possible(false, stage, type))
                must_fail(&pair.client, &pair.server, &byte, 1,
                          stage == 0 ? SEC_E_INVALID_TOKEN : SEC_E_ILLEGAL_MESSAGE, UNEXPECTED);
            message_close(&pair);
        }
    }
}

static void s3_9_messages_that_are_too_long(const struct peer_form *form)
{
    static const uint8_t types[][3] = {{1, 2, 0},
                                       {11, 20, 4}}; /* [.][stage]: server's and client's */

    for (int stage = 0; stage <= 2; stage++) {
        const uint8_t client_type = stage == 0 ? 2 : stage == 1 ? 20 : 4;
        uint8_t head[4] = {client_type, 0xFF, 0xFF, 0xFF};
        struct message_pair pair;

        open_at(&pair, form, stage);
        must_fail(&pair.client, &pair.server, head, sizeof(head),
                  stage == 0 ? SEC_E_INVALID_TOKEN : SEC_E_ILLEGAL_MESSAGE, ILLEGAL);
        head[0] = stage == 0 ? types[0][0] : types[1][0];
        if (stage < 2)
            must_fail(&pair.server, &pair.client, head, sizeof(head),
                      stage == 0 ? SEC_E_INVALID_TOKEN : SEC_E_ILLEGAL_MESSAGE, ILLEGAL);
        message_close(&pair);
    }
}

/* What a TCP client would send, and one that asks for the compatibility of middle boxes. */
static void s3_9_what_is_no_hello_of_quic(const struct peer_form *form)
{
    struct message_pair pair;
    struct peer_stream hello = {0};
    const uint8_t record[] = {22, 3, 1, 0, 5, 1, 0, 0, 1, 0};
    size_t consumed;

    open_at(&pair, form, 0);
    must_fail(&pair.server, &pair.client, record, sizeof(record), SEC_E_INVALID_TOKEN, UNEXPECTED);
    peer_push(&hello, pair.server.in[MESSAGE_INITIAL].bytes, pair.server.in[MESSAGE_INITIAL].len);
    hello.bytes[38] = 1; /* length of the session id */
    must_fail(&pair.server, &pair.client, hello.bytes, hello.len, SEC_E_INVALID_TOKEN, ILLEGAL);
    assert_false(pair.server.peer.has_context);
    /* With its first bytes alone it can be told. */
    assert_int_equal(message_leg(&pair.server, hello.bytes, 38, &pair.client, &consumed),
                     SEC_E_INCOMPLETE_MESSAGE);
    assert_int_equal(message_leg(&pair.server, hello.bytes, 39, &pair.client, &consumed),
                     SEC_E_INVALID_TOKEN);
    peer_clear(&hello);
    message_close(&pair);
}

/* ---- flights ---- */

static size_t message_len(const uint8_t *bytes)
{
    return 4 + ((size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3]);
}

/* Start of the message with that number in a stream. */
static size_t start_of(const struct peer_stream *stream, size_t number)
{
    size_t at = 0;

    while (number-- > 0)
        at += message_len(stream->bytes + at);
    return at;
}

/* EncryptedExtensions, Certificate, CertificateVerify, Finished: each left out, and each twice. */
static void s3_9_flights_out_of_order(const struct peer_form *form)
{
    for (size_t number = 0; number < 4; number++) {
        for (int twice = 0; twice < 2; twice++) {
            struct message_pair pair;
            struct peer_stream flight = {0};
            const struct peer_stream *in = &pair.client.in[MESSAGE_HANDSHAKE];
            size_t start, end, consumed;
            SECURITY_STATUS status;

            open_at(&pair, form, 1);
            start = start_of(in, number);
            end = start + message_len(in->bytes + start);
            peer_push(&flight, in->bytes, twice ? end : start);
            peer_push(&flight, in->bytes + (twice ? start : end), in->len - (twice ? start : end));
            status = message_leg(&pair.client, flight.bytes, flight.len, &pair.server, &consumed);
            if (number == 3) {
                /* Without its end the flight waits; what is behind the end is left over. */
                assert_int_equal(status, twice ? SEC_E_OK : SEC_I_CONTINUE_NEEDED);
                assert_int_equal(consumed, in->len - (twice ? 0 : end - start));
            } else {
                assert_true(status < 0 && status != SEC_E_INCOMPLETE_MESSAGE);
                assert_true(pair.client.alerted);
            }
            peer_clear(&flight);
            message_close(&pair);
        }
    }
}

/* Some byte of the server's flight is another one. */
static void s3_9_damaged_flights(const struct peer_form *form)
{
    struct message_pair pair;
    size_t at = 0, len = 1;

    for (; at < len; at += form == PEER_SYNC ? 23 : 131) {
        struct peer_stream *in = &pair.client.in[MESSAGE_HANDSHAKE];
        size_t consumed;
        SECURITY_STATUS status;

        open_at(&pair, form, 1);
        len = in->len;
        in->bytes[at] ^= 0x40;
        status = message_leg(&pair.client, in->bytes, in->len, &pair.server, &consumed);
        assert_int_not_equal(status, SEC_E_OK);
        if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE)
            assert_true(pair.client.alerted && pair.client.alert[1] != 0);
        message_close(&pair);
    }
}

static void s3_9_a_finished_that_is_not(const struct peer_form *form)
{
    struct message_pair pair;
    struct peer_stream *in = &pair.server.in[MESSAGE_HANDSHAKE];

    open_at(&pair, form, 1);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_OK);
    in->bytes[10] ^= 1;
    must_fail(&pair.server, &pair.client, in->bytes, in->len, SEC_E_MESSAGE_ALTERED, 51);
    message_close(&pair);
}

/* ---- after the handshake ---- */

static void s3_9_tickets_that_are_none(const struct peer_form *form)
{
    static const uint8_t empty[] = {4, 0, 0, 0};
    static const uint8_t update[] = {24, 0, 0, 1, 0};
    static const uint8_t early[] = {4, 0, 0, 22, 0, 0, 0,  9, 0, 0, 0, 0,    0,
                                    0, 1, 9, 0,  8, 0, 42, 0, 4, 0, 0, 0x40, 0};
    struct message_pair pair;

    /* Early data of TCP: in QUIC it is all or nothing (RFC 9001, 4.6.1). */
    open_at(&pair, form, 2);
    must_fail(&pair.client, &pair.server, early, sizeof(early), SEC_E_ILLEGAL_MESSAGE, ILLEGAL);
    message_close(&pair);
    open_at(&pair, form, 2);
    must_fail(&pair.client, &pair.server, empty, sizeof(empty), SEC_E_ILLEGAL_MESSAGE, 50);
    message_close(&pair);
    open_at(&pair, form, 2);
    must_fail(&pair.client, &pair.server, update, sizeof(update), SEC_E_ILLEGAL_MESSAGE,
              UNEXPECTED);
    must_fail(&pair.server, &pair.client, update, sizeof(update), SEC_E_ILLEGAL_MESSAGE,
              UNEXPECTED);
    message_close(&pair);
}

/* A flight behind the handshake has no meaning, and neither has a leg without input. */
static void s3_9_legs_without_anything(const struct peer_form *form)
{
    struct message_pair pair;
    size_t consumed;

    open_at(&pair, form, 2);
    assert_int_equal(message_leg(&pair.client, NULL, 0, &pair.server, &consumed), SEC_E_OK);
    assert_int_equal(message_leg(&pair.server, NULL, 0, &pair.client, &consumed), SEC_E_OK);
    assert_int_equal(pair.server.in[MESSAGE_APPLICATION].len, 0);
    message_close(&pair);
    open_at(&pair, form, 1);
    assert_int_equal(message_leg(&pair.client, NULL, 0, &pair.server, &consumed),
                     SEC_E_INCOMPLETE_MESSAGE);
    message_close(&pair);
}

/* ---- alerts of the caller's ---- */

static void s3_9_alerts_are_handed_back(const struct peer_form *form)
{
    const SCHANNEL_ALERT_TOKEN fatal = {SCHANNEL_ALERT, TLS1_ALERT_FATAL, 40};
    const DWORD shutdown = SCHANNEL_SHUTDOWN;

    for (int stage = 1; stage <= 2; stage++) {
        for (int closing = 0; closing < 2; closing++) {
            struct message_pair pair;
            size_t consumed;

            open_at(&pair, form, stage);
            assert_int_equal(peer_control(&pair.client.peer,
                                          closing ? (const void *)&shutdown : &fatal,
                                          closing ? sizeof(shutdown) : sizeof(fatal)),
                             SEC_E_OK);
            assert_int_equal(message_leg(&pair.client, NULL, 0, &pair.server, &consumed), SEC_E_OK);
            assert_true(pair.client.alerted);
            assert_int_equal(pair.client.alert[0], closing ? TLS1_ALERT_WARNING : TLS1_ALERT_FATAL);
            assert_int_equal(pair.client.alert[1], closing ? 0 : 40);
            assert_int_equal(message_leg(&pair.client, NULL, 0, &pair.server, &consumed),
                             SEC_E_INCOMPLETE_MESSAGE);
            message_close(&pair);
        }
    }
}

/* ---- kinds of contexts ---- */

static void s3_9_kinds_are_not_mixed(const struct peer_form *form)
{
    SEC_FLAGS messages = {ISC_REQ_MESSAGES};
    struct peer_pair streams;
    struct peer_leg leg;
    uint8_t out[512];

    peer_open(&streams, form, NULL);
    assert_int_equal(peer_step(&streams.client, &streams.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(peer_step(&streams.server, &streams.client), SEC_I_CONTINUE_NEEDED);
    leg = peer_leg_of(&streams.client, streams.client.in.bytes, streams.client.in.len, out,
                      sizeof(out));
    leg.in[leg.in_count++] = (SecBuffer){sizeof(messages), SECBUFFER_FLAGS, &messages};
    assert_int_equal(peer_leg_run(&streams.client, &leg), SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(peer_handshake(&streams), SEC_E_OK);
    peer_disconnect(&streams);
    leg = peer_leg_of(&streams.client, NULL, 0, out, sizeof(out));
    leg.in[leg.in_count++] = (SecBuffer){sizeof(messages), SECBUFFER_FLAGS, &messages};
    leg.flags |= ISC_REQ_DATAGRAM;
    assert_int_equal(peer_leg_run(&streams.client, &leg), SEC_E_UNSUPPORTED_FUNCTION);
    peer_close(&streams);
}

static const struct peer_case cases[] = {
    PEER_CASE(s3_9_types_that_have_no_place), PEER_CASE(s3_9_messages_that_are_too_long),
    PEER_CASE(s3_9_what_is_no_hello_of_quic), PEER_CASE(s3_9_flights_out_of_order),
    PEER_CASE(s3_9_damaged_flights),          PEER_CASE(s3_9_a_finished_that_is_not),
    PEER_CASE(s3_9_tickets_that_are_none),    PEER_CASE(s3_9_legs_without_anything),
    PEER_CASE(s3_9_alerts_are_handed_back),   PEER_CASE(s3_9_kinds_are_not_mixed),
};

int main(void)
{
    return peer_run_cases("contract.message_bad", cases, COUNT_OF(cases));
}
