/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety: records of an established datagram context that are authentic and yet not what a peer
 * should send, numbers up to their end, and how long a last flight is kept. The library's own state
 * of one end makes them for the other.
 */
#include <stdlib.h>
#include <string.h>

#include "packages/schannel/context.h"
#include "packages/schannel/record_datagram.h"
#include "support/dtls_peer.h"

#define LARGE 8192 /* a MTU for flights of one datagram */

/* The record protection of an end, which stays as long as its context. */
static struct osspi_record_datagram *inside(struct dtls_end *end)
{
    struct osspi_context *context = osspi_context_lookup(&end->end.context);
    struct osspi_record_datagram *record;

    TEST_REQUIRE(context != NULL);
    record = osspi_record_of_datagram(osspi_schannel(context)->record);
    osspi_context_unref(context);
    return record;
}

/* Sends a record that is sealed as it should be. */
static void forge(struct dtls_end *from, struct dtls_end *to, uint8_t type, const void *content,
                  size_t len)
{
    struct osspi_line *line = &inside(from)->line;
    const size_t above = osspi_line_above(line, true);
    uint8_t *bytes = malloc(above + len + 16);

    TEST_REQUIRE(bytes != NULL);
    memcpy(bytes + above, content, len);
    TEST_REQUIRE_EQUAL(
        osspi_line_seal(line, type, true, bytes, bytes + above, len, bytes + above + len),
        SEC_E_OK);
    dtls_push(&to->in, bytes, above + len + 16);
    free(bytes);
}

static void expect_dropped(struct dtls_end *end)
{
    char data[64];
    size_t len;

    assert_int_equal(dtls_receive(end, data, sizeof(data), &len), SEC_E_OK);
    assert_true(len == 0 && end->in.count == 0);
}

static void connect_pair(struct dtls_pair *pair, const struct peer_form *form)
{
    dtls_open(pair, form, NULL);
    pair->client.mtu = pair->server.mtu = LARGE;
    dtls_connect(pair);
}

static void records_without_a_place_are_dropped(const struct peer_form *form)
{
    static const struct {
        uint8_t type, bytes[24];
        size_t len;
    } rows[] = {
        {20, {1}, 1},                                   /* change_cipher_spec */
        {21, {2}, 1},                                   /* half an alert */
        {21, {2, 0, 0}, 3},                             /* and more than one */
        {21, {1, 90}, 2},                               /* a warning */
        {22, {20}, 1},                                  /* half a message */
        {22, {4, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0}, 12}, /* NewSessionTicket */
        {22, {99, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0}, 12},
        {22, {16, 0, 0, 4, 0, 9, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4}, 16},
    };
    uint8_t large[600] = {20};
    struct dtls_pair pair;

    connect_pair(&pair, form);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        forge(&pair.client, &pair.server, rows[i].type, rows[i].bytes, rows[i].len);
        expect_dropped(&pair.server);
        forge(&pair.server, &pair.client, rows[i].type, rows[i].bytes, rows[i].len);
        expect_dropped(&pair.client);
    }
    forge(&pair.client, &pair.server, 22, large, sizeof(large));
    expect_dropped(&pair.server);
    dtls_exchange(&pair);
    dtls_close(&pair);
}

static void wishes_to_renegotiate_are_refused(const struct peer_form *form)
{
    static const uint8_t hello_request[12] = {0}, client_hello[60] = {1, 0, 0, 48};
    char data[64];
    size_t len;

    for (int by_leg = 0; by_leg < 2; by_leg++) {
        for (int server = 0; server < 2; server++) {
            struct dtls_pair pair;
            struct dtls_end *asks = server ? &pair.server : &pair.client;
            struct dtls_end *asked = server ? &pair.client : &pair.server;

            connect_pair(&pair, form);
            forge(asks, asked, 22, server ? hello_request : client_hello, server ? 12 : 60);
            if (!by_leg)
                assert_int_equal(dtls_receive(asked, data, sizeof(data), &len), SEC_I_RENEGOTIATE);
            assert_int_equal(dtls_step(asked, asks), SEC_E_OK);
            assert_int_equal(asks->in.count, 1);
            assert_int_equal(asks->in.items[0].bytes[0], 21);
            assert_int_equal(asks->in.items[0].len, 13 + 8 + 2 + 16);
            expect_dropped(asks); /* a warning */
            assert_int_equal(dtls_leg(asked, asks, NULL, 0), SEC_E_OK);
            assert_int_equal(asks->in.count, 0); /* said once */
            dtls_exchange(&pair);
            dtls_close(&pair);
        }
    }
}

static void numbers_come_to_their_end(const struct peer_form *form)
{
    struct dtls_pair pair;
    char data[64];
    size_t len;

    connect_pair(&pair, form);
    inside(&pair.client)->line.sealed = OSSPI_DTLS_MAX_NUMBER - 1;
    for (int i = 0; i < 2; i++)
        dtls_exchange(&pair);
    assert_int_equal(dtls_send(&pair.client, &pair.server, "more", 4), SEC_E_CRYPTO_SYSTEM_INVALID);
    assert_int_equal(dtls_send(&pair.client, &pair.server, "more", 4), SEC_E_CRYPTO_SYSTEM_INVALID);
    assert_int_equal(dtls_send(&pair.server, &pair.client, "other way", 9), SEC_E_OK);
    assert_int_equal(dtls_receive(&pair.client, data, sizeof(data), &len), SEC_E_OK);
    assert_int_equal(len, 9);
    dtls_close(&pair);
}

/* How a last flight comes to its end. */
enum end { BY_DATA, BY_TIME, BY_NUMBER };

static void keep_flight(const struct peer_form *form, enum end end)
{
    static const uint8_t finished[24] = {20, 0, 0, 12, 0, 9, 0, 0, 0, 0, 0, 12};
    struct dtls_pair pair;
    char data[64];
    size_t len;

    connect_pair(&pair, form);
    assert_non_null(inside(&pair.server)->kept);
    assert_null(inside(&pair.client)->kept); /* it was not the last */
    if (end == BY_DATA)
        dtls_exchange(&pair);
    if (end == BY_TIME)
        inside(&pair.server)->kept_until = 0;
    for (int i = 0; end == BY_NUMBER && i < 12; i++) {
        forge(&pair.client, &pair.server, 22, finished, sizeof(finished));
        assert_int_equal(dtls_receive(&pair.server, data, sizeof(data), &len), SEC_I_RENEGOTIATE);
        assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_E_OK);
        assert_int_equal(pair.client.in.count, 1);
        dtls_clear(&pair.client.in);
    }
    forge(&pair.client, &pair.server, 22, finished, sizeof(finished));
    expect_dropped(&pair.server);
    assert_true(end == BY_NUMBER || !inside(&pair.server)->kept);
    dtls_exchange(&pair);
    assert_null(inside(&pair.server)->kept);
    dtls_close(&pair);
}

static void the_last_flight_goes(const struct peer_form *form)
{
    keep_flight(form, BY_DATA);
    keep_flight(form, BY_TIME);
    keep_flight(form, BY_NUMBER);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(records_without_a_place_are_dropped),
        PEER_CASE(wishes_to_renegotiate_are_refused),
        PEER_CASE(numbers_come_to_their_end),
        PEER_CASE(the_last_flight_goes),
    };

    return peer_run_cases("safety.dtls_records", cases, sizeof(cases) / sizeof(cases[0]));
}
