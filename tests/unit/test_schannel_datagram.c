/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The parts of DTLS below the legs: headers of records and messages, flights that are cut into
 * datagrams, numbers and nonces up to their end, and cookies.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/datagram.h"
#include "packages/schannel/shard.h"
#include "support/test_util.h"

#define MESSAGES 4u

/* ---- headers ---- */

static void headers_are_bounded(void **state)
{
    uint8_t bytes[64] = {22, 0xFE, 0xFD, 0, 0, 1, 2, 3, 4, 5, 6, 0, 20};
    struct osspi_datagram_record record;

    (void)state;
    assert_true(osspi_datagram_record(bytes, 33, &record));
    assert_true(record.len == 33 && record.body_len == 20 && record.epoch == 0);
    assert_int_equal(record.number, 0x010203040506);
    for (size_t len = 0; len < 33; len++)
        assert_false(osspi_datagram_record(bytes, len, &record));
    bytes[12] = 0; /* no body */
    assert_false(osspi_datagram_record(bytes, sizeof(bytes), &record));
    bytes[12] = 20;
    bytes[0] = 24;
    assert_false(osspi_datagram_record(bytes, sizeof(bytes), &record));
    bytes[0] = 22;
    bytes[1] = 3; /* a stream's */
    assert_false(osspi_datagram_record(bytes, sizeof(bytes), &record));
}

static void messages_are_bounded(void **state)
{
    /* ClientHello, 100 bytes, number 7, from 10 on 8 bytes. */
    uint8_t bytes[33] = {22, 0xFE, 0xFD, 0,   0, 0, 0, 0, 0,  0, 0, 0, 20,
                         1,  0,    0,    100, 0, 7, 0, 0, 10, 0, 0, 8};
    struct osspi_datagram_record record;
    struct osspi_datagram_message message;

    (void)state;
    assert_true(osspi_datagram_record(bytes, sizeof(bytes), &record));
    assert_true(osspi_datagram_message(&record, &message));
    assert_true(message.type == 1 && message.sequence == 7 && message.len == 100 &&
                message.from == 10 && message.to == 18);
    bytes[24] = 9; /* more than there is */
    assert_false(osspi_datagram_message(&record, &message));
    bytes[24] = 0; /* nothing of something */
    assert_false(osspi_datagram_message(&record, &message));
    bytes[24] = 8;
    bytes[21] = 93; /* beyond the end */
    assert_false(osspi_datagram_message(&record, &message));
    bytes[21] = 10;
    bytes[19] = 1; /* starts far beyond it */
    assert_false(osspi_datagram_message(&record, &message));
}

/* ---- flights ---- */

static const size_t sizes[MESSAGES] = {1, 700, 0, 5000};

static uint8_t content(size_t message, size_t at)
{
    return (uint8_t)(message * 37 + at * 11);
}

/* Messages in records of their own, as the TLS library makes them; its numbers do not count. */
static size_t write_flight(uint8_t *to)
{
    size_t at = 0;

    for (size_t i = 0; i < MESSAGES; i++) {
        const size_t body = OSSPI_DTLS_MESSAGE + sizes[i];
        const uint8_t head[] = {22,
                                0xFE,
                                0xFD,
                                0,
                                0,
                                9,
                                9,
                                9,
                                9,
                                9,
                                9,
                                (uint8_t)(body >> 8),
                                (uint8_t)body,
                                11,
                                0,
                                (uint8_t)(sizes[i] >> 8),
                                (uint8_t)sizes[i],
                                0,
                                (uint8_t)i,
                                0,
                                0,
                                0,
                                0,
                                (uint8_t)(sizes[i] >> 8),
                                (uint8_t)sizes[i]};

        memcpy(to + at, head, sizeof(head));
        at += sizeof(head);
        for (size_t k = 0; k < sizes[i]; k++)
            to[at++] = content(i, k);
    }
    return at;
}

/* Takes a datagram apart; *next is the number that comes, *have what has come of each message. */
static void check_datagram(const uint8_t *bytes, size_t len, uint64_t *next, size_t have[MESSAGES])
{
    struct osspi_datagram_record record;
    struct osspi_datagram_message message;

    for (size_t at = 0; at < len; at += record.len) {
        assert_true(osspi_datagram_record(bytes + at, len - at, &record));
        assert_true(record.epoch == 0 && record.number == (*next)++);
        assert_true(osspi_datagram_message(&record, &message));
        assert_true(message.sequence < MESSAGES && message.len == sizes[message.sequence]);
        assert_int_equal(message.from, have[message.sequence] % (message.len + 1));
        for (size_t k = message.from; k < message.to; k++)
            assert_int_equal(message.body[k - message.from], content(message.sequence, k));
        have[message.sequence] = message.to + (message.len == 0);
    }
}

static void flights_are_cut_for_every_mtu(void **state)
{
    static uint8_t made[8000];
    const size_t len = write_flight(made);
    struct osspi_flight flight = {0};
    struct osspi_line line = {0};
    uint64_t next = 0;

    (void)state;
    assert_int_equal(osspi_flight_take(&flight, &line, made, len), SEC_E_OK);
    for (size_t mtu = OSSPI_MTU_MIN; mtu < 9000; mtu += mtu < 800 ? 1 : 97) {
        size_t have[MESSAGES] = {0}, datagrams = 0;

        osspi_flight_rewind(&flight);
        while (osspi_flight_waits(&flight)) {
            const uint8_t *bytes, *again;
            size_t got, got_again;

            assert_int_equal(osspi_flight_next(&flight, &line, mtu, &bytes, &got), SEC_E_OK);
            assert_true(got > 0 && got <= mtu);
            assert_int_equal(osspi_flight_next(&flight, &line, mtu, &again, &got_again), SEC_E_OK);
            assert_true(again == bytes && got_again == got); /* until it has left */
            check_datagram(bytes, got, &next, have);
            osspi_flight_sent(&flight);
            datagrams++;
        }
        for (size_t i = 0; i < MESSAGES; i++)
            assert_int_equal(have[i], sizes[i] + (sizes[i] == 0));
        assert_true(datagrams <= 5800 / (mtu - 60) + 2); /* and filled */
    }
    osspi_flight_clear(&flight);
    osspi_line_clear(&line);
}

static void flights_that_are_none_are_refused(void **state)
{
    static uint8_t made[8000];
    const size_t len = write_flight(made);
    struct osspi_flight flight = {0};
    struct osspi_line line = {0};

    (void)state;
    assert_int_equal(osspi_flight_take(&flight, &line, made, len - 1), SEC_E_INTERNAL_ERROR);
    made[4] = 1; /* sealed, and there is no key */
    assert_int_equal(osspi_flight_take(&flight, &line, made, len), SEC_E_INTERNAL_ERROR);
    assert_false(osspi_flight_waits(&flight));
    osspi_flight_clear(&flight);
}

/* ---- numbers ---- */

static void set_key(struct osspi_line *line, enum osspi_aead_kind kind)
{
    const struct osspi_datagram_keys keys = {
        .shard = osspi_shard_get(0), .kind = kind, .hash = OSSPI_HMAC_SHA256};
    struct osspi_datagram_key client, server;

    osspi_datagram_key_block(&keys, &client, &server);
    assert_memory_not_equal(client.key, server.key, 16);
    *line = (struct osspi_line){0};
    assert_int_equal(osspi_line_set_key(line, &keys, &client), SEC_E_OK);
}

static void numbers_and_keys_come_to_an_end(void **state)
{
    struct osspi_line line;
    uint8_t record[64];

    (void)state;
    for (unsigned kind = 0; kind < OSSPI_AEAD_KINDS; kind++) {
        set_key(&line, (enum osspi_aead_kind)kind);
        const size_t above = osspi_line_above(&line, true);

        assert_int_equal(above, osspi_datagram_explicit(line.kind) ? 21 : 13);
        line.sealed = line.open = OSSPI_DTLS_MAX_NUMBER;
        assert_int_equal(
            osspi_line_seal(&line, 23, true, record, record + above, 4, record + above + 4),
            SEC_E_OK);
        assert_memory_equal(record, "\x17\xFE\xFD\0\1\xFF\xFF\xFF\xFF\xFF\xFF", 11);
        if (above == 21)
            assert_memory_equal(record + 13, record + 3, 8); /* the nonce is the number */
        assert_int_equal(
            osspi_line_seal(&line, 23, true, record, record + above, 4, record + above + 4),
            SEC_E_ENCRYPT_FAILURE);
        assert_int_equal(osspi_line_seal(&line, 22, false, record, record + 13, 4, record + 17),
                         SEC_E_OK);
        assert_int_equal(osspi_line_seal(&line, 22, false, record, record + 13, 4, record + 17),
                         SEC_E_ENCRYPT_FAILURE);
        line.sealed = 5;
        line.blocks = UINT64_C(24296004000);
        assert_int_equal(
            osspi_line_seal(&line, 23, true, record, record + above, 4, record + above + 4),
            osspi_datagram_explicit(line.kind) ? SEC_E_ENCRYPT_FAILURE : SEC_E_OK);
        assert_int_equal(line.sealed, 6); /* spent in any case */
        osspi_line_clear(&line);
    }
}

/* ---- cookies ---- */

static bool hello_of(const uint8_t *bytes, size_t len, struct osspi_datagram_hello *ret_hello)
{
    struct osspi_datagram_record record;

    return osspi_datagram_record(bytes, len, &record) && osspi_datagram_hello(&record, ret_hello);
}

static void cookies_are_for_one_hello_and_address(void **state)
{
    const struct osspi_hmac_bytes here = {"here", 4}, there = {"ther", 4}, nowhere = {"", 0};
    /* version, random, no session id, cookie */
    uint8_t hello[13 + 12 + 2 + 32 + 1 + 1 + 32 + 6] = {22, 0xFE, 0xFF, 0,  0, 0, 0,  0,    0,
                                                        0,  3,    0,    86, 1, 0, 0,  74,   0,
                                                        1,  0,    0,    0,  0, 0, 74, 0xFE, 0xFD};
    uint8_t request[OSSPI_DTLS_VERIFY_SIZE];
    struct osspi_datagram_hello found;

    (void)state;
    assert_true(hello_of(hello, sizeof(hello), &found));
    assert_int_equal(osspi_cookie_request(&found, here, request), SEC_E_OK);
    assert_int_equal(request[10], 3);
    assert_int_equal(osspi_cookie_check(&found, here), SEC_E_INVALID_TOKEN); /* none yet */
    hello[60] = 32;
    memcpy(hello + 61, request + 28, 32);
    assert_true(hello_of(hello, sizeof(hello), &found));
    assert_int_equal(osspi_cookie_check(&found, here), SEC_E_OK);
    assert_int_equal(osspi_cookie_check(&found, there), SEC_E_INVALID_TOKEN);
    assert_int_equal(osspi_cookie_check(&found, nowhere), SEC_E_INVALID_TOKEN);
    for (size_t at = 25; at < 93; at++) { /* each bit of it counts */
        hello[at] ^= 0x10;
        if (hello_of(hello, sizeof(hello), &found))
            assert_int_equal(osspi_cookie_check(&found, here), SEC_E_INVALID_TOKEN);
        hello[at] ^= 0x10;
    }
    for (size_t len = 0; len < 93; len++) { /* a first fragment has to bring all of it */
        hello[12] = (uint8_t)(len > 13 ? len - 13 : 0);
        hello[24] = (uint8_t)(len > 25 ? len - 25 : 0);
        assert_false(hello_of(hello, len, &found));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_bounded),
        cmocka_unit_test(messages_are_bounded),
        cmocka_unit_test(flights_are_cut_for_every_mtu),
        cmocka_unit_test(flights_that_are_none_are_refused),
        cmocka_unit_test(numbers_and_keys_come_to_an_end),
        cmocka_unit_test(cookies_are_for_one_hello_and_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
