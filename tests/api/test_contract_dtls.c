/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: legs of datagram contexts (DTLS 1.2): credentials and flags, cookies, MTU and
 * fragments, repetition, and that datagrams are never taken for streams. What becomes of records is
 * in test_contract_dtls_records.c.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/dtls_peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LARGE        8192 /* a MTU for flights of one datagram */
#define TIMED_OUT    HRESULT_FROM_WIN32(ERROR_TIMEOUT)

static const uint8_t nothing[] = {'n', 'o', ' ', 'r', 'e', 'c', 'o', 'r', 'd', ' ', 'a', 't',
                                  ' ', 'a', 'l', 'l', 0,   0,   0,   0,   0,   0,   0,   0};

/* ---- credentials and flags ---- */

static void s3_10_handshake_by_every_kind_of_credential(const struct peer_form *form)
{
    static const struct peer_setup setups[] = {
        {0},
        {.by_version_5 = true},
        {.protocols = SP_PROT_DTLS1_2_CLIENT},
        {.protocols = SP_PROT_DTLS1_2_CLIENT, .by_version_5 = true},
        {.protocols = SP_PROT_DTLS1_X_CLIENT},
        {.client_flags = SCH_USE_DTLS_ONLY, .server_flags = SCH_USE_DTLS_ONLY},
        {.certificate = "server-rsa"},
    };

    for (size_t i = 0; i < COUNT(setups); i++) {
        struct dtls_pair pair;

        dtls_open(&pair, form, &setups[i]);
        dtls_connect(&pair);
        dtls_exchange(&pair);
        dtls_close(&pair);
    }
}

static void s3_3_flags_that_come_back(const struct peer_form *form)
{
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.client.end.expiry.QuadPart, 0);
    dtls_connect(&pair);
    assert_int_equal(pair.client.end.attributes,
                     ISC_RET_DATAGRAM | ISC_RET_STREAM | ISC_RET_CONFIDENTIALITY |
                         ISC_RET_EXTENDED_ERROR | ISC_RET_REPLAY_DETECT | ISC_RET_SEQUENCE_DETECT);
    assert_int_equal(pair.server.end.attributes,
                     ASC_RET_DATAGRAM | ASC_RET_STREAM | ASC_RET_CONFIDENTIALITY |
                         ASC_RET_EXTENDED_ERROR | ASC_RET_REPLAY_DETECT | ASC_RET_SEQUENCE_DETECT);
    assert_true(pair.client.end.expiry.QuadPart > 0);
    dtls_close(&pair);
}

static SECURITY_STATUS first_leg(const struct peer_form *form, bool server, DWORD protocols,
                                 ULONG flags)
{
    struct dtls_end end, to;
    SECURITY_STATUS status;

    dtls_end_init(&end, form, server);
    dtls_end_init(&to, form, !server);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&end.end, protocols, 0, server ? "server" : NULL, false),
                       SEC_E_OK);
    end.end.flags = flags;
    status = dtls_leg(&end, &to, server ? nothing : NULL, server ? sizeof(nothing) : 0);
    assert_true(end.end.has_context == (status >= 0));
    dtls_clear(&to.in);
    peer_end_free(&end.end);
    return status;
}

static void s3_10_credential_and_flag_have_to_agree(const struct peer_form *form)
{
    assert_int_equal(first_leg(form, false, 0, ISC_REQ_DATAGRAM), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(first_leg(form, true, 0, ASC_REQ_DATAGRAM), SEC_E_INVALID_TOKEN);
    assert_int_equal(first_leg(form, false, SP_PROT_TLS1_X, ISC_REQ_DATAGRAM),
                     SEC_E_ALGORITHM_MISMATCH);
    assert_int_equal(first_leg(form, true, SP_PROT_TLS1_X, ASC_REQ_DATAGRAM),
                     SEC_E_ALGORITHM_MISMATCH);
    assert_int_equal(first_leg(form, false, SP_PROT_DTLS1_2, ISC_REQ_STREAM),
                     SEC_E_ALGORITHM_MISMATCH);
    assert_int_equal(first_leg(form, false, SP_PROT_DTLS1_2, ISC_REQ_DATAGRAM),
                     SEC_I_CONTINUE_NEEDED);
    assert_int_equal(first_leg(form, true, SP_PROT_DTLS1_2, ASC_REQ_DATAGRAM), SEC_E_INVALID_TOKEN);
}

/* A ClientHello of the wrong kind: neither end is confused, and neither makes a context. */
static void s3_10_streams_are_no_datagrams(const struct peer_form *form)
{
    struct dtls_pair datagrams;
    struct peer_pair streams;
    struct peer_stream hello;

    dtls_open(&datagrams, form, NULL);
    peer_open(&streams, form, NULL);
    assert_int_equal(peer_step(&streams.client, &streams.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_leg(&datagrams.server, &datagrams.client, streams.server.in.bytes,
                              streams.server.in.len),
                     SEC_E_INVALID_TOKEN);
    assert_int_equal(dtls_step(&datagrams.client, &datagrams.server), SEC_I_CONTINUE_NEEDED);
    hello = dtls_take(&datagrams.server.in, 0);
    peer_clear(&streams.server.in);
    peer_push(&streams.server.in, hello.bytes, hello.len);
    assert_int_equal(peer_step(&streams.server, &streams.client), SEC_E_INVALID_TOKEN);
    assert_false(streams.server.has_context || datagrams.server.end.has_context);
    peer_clear(&hello);
    peer_close(&streams);
    dtls_close(&datagrams);
}

static void s3_10_established_streams_and_datagrams_stay_apart(const struct peer_form *form)
{
    const struct peer_setup old = {.protocols = SP_PROT_TLS1_2_CLIENT};
    struct dtls_pair datagrams;
    struct peer_pair streams;
    struct peer_stream sealed;
    char data[64];
    size_t len;

    dtls_open(&datagrams, form, NULL);
    peer_open(&streams, form, &old);
    dtls_connect(&datagrams);
    peer_connect(&streams);
    assert_int_equal(peer_send(&streams.client, &streams.server, "stream", 6), SEC_E_OK);
    dtls_push(&datagrams.server.in, streams.server.in.bytes, streams.server.in.len);
    assert_int_equal(dtls_receive(&datagrams.server, data, sizeof(data), &len), SEC_E_OK);
    assert_int_equal(len, 0);
    dtls_exchange(&datagrams);
    assert_int_equal(dtls_send(&datagrams.client, &datagrams.server, "datagram", 8), SEC_E_OK);
    sealed = dtls_take(&datagrams.server.in, 0);
    peer_clear(&streams.server.in);
    peer_push(&streams.server.in, sealed.bytes, sealed.len);
    assert_int_equal(peer_receive(&streams.server, data, sizeof(data), &len), SEC_E_INVALID_TOKEN);
    peer_clear(&sealed);
    peer_close(&streams);
    dtls_close(&datagrams);
}

/* ---- cookies ---- */

static void s3_10_the_address_is_asked_for(const struct peer_form *form)
{
    static const char *const addresses[] = {NULL, "", DTLS_ENDPOINT};
    char longest[130];

    memset(longest, 'a', 129);
    longest[129] = '\0';
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct dtls_pair pair;

        dtls_open(&pair, form, NULL);
        pair.server.address = longest;
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(dtls_leg(&pair.server, &pair.client, pair.server.in.items[0].bytes,
                                  pair.server.in.items[0].len),
                         SEC_E_INVALID_PARAMETER);
        pair.server.address = addresses[i];
        if (addresses[i]) {
            dtls_connect(&pair);
        } else {
            assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_E_INVALID_PARAMETER);
            assert_int_equal(pair.client.in.count, 0);
        }
        dtls_close(&pair);
    }
}

static void s3_10_hello_verify_request(const struct peer_form *form)
{
    struct dtls_pair pair;
    const uint8_t *request;

    dtls_open(&pair, form, NULL);
    for (uint64_t number = 0; number < 3; number++) {
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(dtls_number(pair.server.in.items[0].bytes), number);
        assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(pair.client.in.count, 1);
        request = pair.client.in.items[0].bytes;
        assert_int_equal(pair.client.in.items[0].len, 60);
        assert_memory_equal(request, "\x16\xFE\xFF\0\0", 5); /* DTLS 1.0, whatever is spoken */
        assert_int_equal(dtls_number(request), number);
        assert_int_equal(request[DTLS_HEADER], 3);
        assert_memory_equal(request + 25, "\xFE\xFF\x20", 3);
        dtls_clear(&pair.client.in);
    }
    dtls_close(&pair);
}

/* A cookie holds for its address and its ClientHello, and for every context of the process. */
static void s3_10_cookies_prove_an_address(const struct peer_form *form)
{
    struct peer_stream hello;
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    dtls_half_connect(&pair);
    pair.server.mtu = LARGE;
    hello = dtls_take(&pair.server.in, 0);
    pair.server.address = "192.0.2.2:4433";
    assert_int_equal(dtls_leg(&pair.server, &pair.client, hello.bytes, hello.len),
                     SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.client.in.items[0].len, 60); /* asked once more */
    dtls_clear(&pair.client.in);
    pair.server.address = DTLS_ENDPOINT;
    for (size_t at = 30; at < 93; at += 7) { /* random, cookie */
        hello.bytes[at] ^= 1;
        assert_int_equal(dtls_leg(&pair.server, &pair.client, hello.bytes, hello.len),
                         SEC_I_CONTINUE_NEEDED);
        assert_true(pair.client.in.count == 1 && pair.client.in.items[0].len == 60);
        dtls_clear(&pair.client.in);
        hello.bytes[at] ^= 1;
    }
    peer_end_disconnect(&pair.server.end);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, hello.bytes, hello.len),
                     SEC_I_CONTINUE_NEEDED);
    assert_true(pair.client.in.count == 1 && pair.client.in.items[0].len > 200);
    assert_int_equal(dtls_handshake(&pair), SEC_E_OK);
    peer_clear(&hello);
    dtls_close(&pair);
}

static void s3_10_first_datagrams_that_are_none(const struct peer_form *form)
{
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, nothing, sizeof(nothing)),
                     SEC_E_INVALID_TOKEN);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, NULL, 0), SEC_E_INVALID_TOKEN);
    assert_false(pair.server.end.has_context);
    assert_int_equal(pair.client.in.count, 0);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    for (int i = 0; i < 3; i++) { /* from here on nothing ends it */
        assert_int_equal(dtls_leg(&pair.server, &pair.client, i == 2 ? NULL : nothing,
                                  i == 2 ? 0 : sizeof(nothing)),
                         SEC_I_CONTINUE_NEEDED);
        assert_int_equal(pair.client.in.count, 1);
    }
    dtls_connect(&pair);
    dtls_close(&pair);
}

/* ---- MTU and fragments ---- */

static void s3_10_datagrams_fit_the_mtu(const struct peer_form *form)
{
    static const USHORT mtus[] = {200, 201, 256, 576, 0, 1500, 8192, 65535};

    for (size_t i = 0; i < COUNT(mtus); i++) {
        const size_t mtu = mtus[i] ? mtus[i] : 1096;
        bool client_done = false;
        struct dtls_pair pair;
        SEC_DTLS_MTU told;
        size_t largest = 0;

        dtls_open(&pair, form, NULL);
        pair.client.mtu = pair.server.mtu = mtus[i];
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        for (int turn = 0; turn < 60 && !(client_done && pair.server.done); turn++) {
            struct dtls_end *end = pair.server.in.count > 0 ? &pair.server : &pair.client;

            for (size_t k = 0; k < end->in.count; k++) {
                assert_true(end->in.items[k].len <= mtu);
                largest = end->in.items[k].len > largest ? end->in.items[k].len : largest;
            }
            assert_true(dtls_step(end, end == &pair.server ? &pair.client : &pair.server) >= 0);
            client_done = pair.client.done;
        }
        assert_true(client_done && pair.server.done);
        assert_true(largest > mtu - 30 || mtu > 1000); /* and are filled */
        assert_int_equal(
            QueryContextAttributesA(&pair.client.end.context, SECPKG_ATTR_DTLS_MTU, &told),
            SEC_E_OK);
        assert_int_equal(told.PathMTU, mtu);
        peer_established(&pair.client.end);
        peer_established(&pair.server.end);
        assert_int_equal(pair.client.end.sizes.cbHeader, 13 + 8);
        assert_int_equal(pair.client.end.sizes.cbTrailer, 16);
        assert_int_equal(pair.client.end.sizes.cbMaximumMessage,
                         mtu - 37 < 16384 ? mtu - 37 : 16384);
        dtls_exchange(&pair);
        dtls_close(&pair);
    }
}

static SECURITY_STATUS set_mtu(struct dtls_end *end, USHORT mtu)
{
    SEC_DTLS_MTU value = {mtu};

    return SetContextAttributesA(&end->end.context, SECPKG_ATTR_DTLS_MTU, &value, sizeof(value));
}

static void s3_6_mtu_can_be_changed(const struct peer_form *form)
{
    char data[2000] = {0};
    struct dtls_pair pair;
    SEC_DTLS_MTU told;

    dtls_open(&pair, form, NULL);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(set_mtu(&pair.client, 199), SEC_E_INVALID_PARAMETER);
    assert_int_equal(set_mtu(&pair.client, 300), SEC_E_OK);
    assert_int_equal(QueryContextAttributesA(&pair.client.end.context, SECPKG_ATTR_DTLS_MTU, &told),
                     SEC_E_OK);
    assert_int_equal(told.PathMTU, 300);
    dtls_connect(&pair);
    assert_int_equal(pair.client.end.sizes.cbMaximumMessage, 300 - 37);
    assert_int_equal(dtls_send(&pair.client, &pair.server, data, 300 - 37), SEC_E_OK);
    assert_int_equal(pair.server.in.items[0].len, 300);
    assert_int_equal(dtls_send(&pair.client, &pair.server, data, 300 - 36), SEC_E_INVALID_TOKEN);
    assert_int_equal(set_mtu(&pair.client, 1500), SEC_E_OK);
    peer_established(&pair.client.end);
    assert_int_equal(pair.client.end.sizes.cbMaximumMessage, 1500 - 37);
    assert_int_equal(dtls_send(&pair.client, &pair.server, data, 1500 - 37), SEC_E_OK);
    dtls_exchange(&pair);
    dtls_close(&pair);
}

/* A datagram that found no room is made anew for the MTU of now. */
static void s3_6_a_smaller_mtu_holds_at_once(const struct peer_form *form)
{
    struct peer_stream hello;
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    dtls_half_connect(&pair);
    hello = dtls_take(&pair.server.in, 0);
    pair.server.out_size = 400;
    assert_int_equal(dtls_leg(&pair.server, &pair.client, hello.bytes, hello.len),
                     SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(set_mtu(&pair.server, 400), SEC_E_OK);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, hello.bytes, hello.len),
                     SEC_I_MESSAGE_FRAGMENT);
    while (pair.server.status == SEC_I_MESSAGE_FRAGMENT)
        (void)dtls_leg(&pair.server, &pair.client, NULL, 0);
    assert_int_equal(pair.server.status, SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_handshake(&pair), SEC_E_OK);
    peer_clear(&hello);
    dtls_close(&pair);
}

static void s3_10_a_mtu_that_is_none(const struct peer_form *form)
{
    static const USHORT bad[] = {1, 199};
    struct peer_pair streams;
    struct dtls_pair pair;
    SEC_DTLS_MTU told;

    dtls_open(&pair, form, NULL);
    for (size_t i = 0; i < COUNT(bad); i++) {
        pair.client.mtu = bad[i];
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_E_INVALID_PARAMETER);
        assert_false(pair.client.end.has_context);
    }
    dtls_close(&pair);
    peer_open(&streams, form, NULL);
    peer_connect(&streams);
    assert_int_equal(QueryContextAttributesA(&streams.client.context, SECPKG_ATTR_DTLS_MTU, &told),
                     SEC_E_UNSUPPORTED_FUNCTION);
    peer_close(&streams);
}

/* Between the datagrams of a flight the caller may have got one: it is not taken. */
static void s3_10_input_between_fragments_comes_again(const struct peer_form *form)
{
    struct peer_stream hello;
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    pair.server.mtu = 300;
    dtls_half_connect(&pair);
    hello = dtls_take(&pair.server.in, 0);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, hello.bytes, hello.len),
                     SEC_I_MESSAGE_FRAGMENT);
    assert_int_equal(pair.server.extra, 0);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, nothing, sizeof(nothing)),
                     SEC_I_MESSAGE_FRAGMENT);
    assert_int_equal(pair.server.extra, sizeof(nothing));
    while (pair.server.status == SEC_I_MESSAGE_FRAGMENT)
        (void)dtls_leg(&pair.server, &pair.client, NULL, 0);
    assert_int_equal(pair.server.status, SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_handshake(&pair), SEC_E_OK);
    peer_clear(&hello);
    dtls_close(&pair);
}

static void s2_5_output_that_is_too_small(const struct peer_form *form)
{
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    pair.server.mtu = LARGE;
    for (int i = 0; i < 100 && !(pair.client.done && pair.server.done); i++) {
        struct dtls_end *end =
            pair.server.in.count > 0 && !pair.server.done ? &pair.server : &pair.client;
        struct dtls_end *to = end == &pair.server ? &pair.client : &pair.server;
        struct peer_stream datagram = {0};

        if (end->in.count > 0)
            datagram = dtls_take(&end->in, 0);
        end->out_size = 20;
        if (dtls_leg(end, to, datagram.bytes, datagram.len) == SEC_E_INSUFFICIENT_MEMORY) {
            assert_int_equal(to->in.count, 0);
            end->out_size = 0;
            (void)dtls_leg(end, to, i % 2 == 0 || !end->end.has_context ? datagram.bytes : NULL,
                           i % 2 == 0 || !end->end.has_context ? datagram.len : 0);
            assert_int_equal(end->extra, 0);
        }
        assert_true(end->status >= 0);
        end->out_size = 0;
        peer_clear(&datagram);
    }
    assert_true(pair.client.done && pair.server.done);
    peer_established(&pair.client.end);
    peer_established(&pair.server.end);
    dtls_exchange(&pair);
    dtls_close(&pair);
}

/* ---- repetition ---- */

/* The messages of two flights are equal, and the numbers of their records are not. */
static void expect_repeated(const struct dtls_queue *once, const struct dtls_queue *again)
{
    assert_int_equal(once->count, again->count);
    for (size_t i = 0; i < once->count; i++) {
        const uint8_t *a = once->items[i].bytes, *b = again->items[i].bytes;
        size_t at = 0;

        assert_int_equal(once->items[i].len, again->items[i].len);
        while (at < once->items[i].len) {
            const size_t len = dtls_record_len(a + at);

            assert_memory_equal(a + at, b + at, 5);
            assert_true(dtls_number(b + at) > dtls_number(a + at));
            assert_memory_equal(a + at + 11, b + at + 11, dtls_epoch(a + at) ? 2 : len - 11);
            at += len;
        }
    }
}

/* Runs the step whose flight is told, twice. */
static void repeat_step(struct dtls_pair *pair, struct dtls_end *end)
{
    struct dtls_end *to = end == &pair->server ? &pair->client : &pair->server;
    struct dtls_queue once, again;

    assert_int_equal(dtls_step(end, to), SEC_I_CONTINUE_NEEDED);
    once = to->in;
    to->in.count = 0;
    assert_int_equal(end->in.count, 0);
    assert_int_equal(dtls_step(end, to), SEC_I_CONTINUE_NEEDED);
    again = to->in;
    expect_repeated(&once, &again);
    dtls_clear(&once);
}

static void s3_10_no_input_repeats_the_flight(const struct peer_form *form)
{
    static const USHORT mtus[] = {0, 300};

    for (size_t i = 0; i < COUNT(mtus); i++) {
        struct dtls_pair pair;

        dtls_open(&pair, form, NULL);
        pair.client.mtu = pair.server.mtu = mtus[i];
        repeat_step(&pair, &pair.client); /* ClientHello */
        assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        repeat_step(&pair, &pair.client); /* with the cookie */
        while (pair.server.in.count > 1)
            assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        repeat_step(&pair, &pair.server);
        while (pair.client.in.count > 1)
            assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        repeat_step(&pair, &pair.client); /* with the Finished, which is sealed */
        dtls_connect(&pair);
        dtls_exchange(&pair);
        dtls_close(&pair);
    }
}

static void s3_10_repetition_has_an_end(const struct peer_form *form)
{
    static const uint8_t refusal[] = {21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};

    for (int refused = 0; refused < 2; refused++) {
        struct dtls_pair pair;
        char words[256];
        int times = 0;

        dtls_open(&pair, form, NULL);
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        if (refused)
            assert_int_equal(dtls_leg(&pair.client, &pair.server, refusal, sizeof(refusal)),
                             SEC_I_CONTINUE_NEEDED); /* anybody can have sent that */
        while (dtls_step(&pair.client, &pair.server) == SEC_I_CONTINUE_NEEDED)
            times++;
        assert_int_equal(times, 12);
        assert_int_equal(pair.client.status, refused ? SEC_E_ILLEGAL_MESSAGE : TIMED_OUT);
        assert_int_equal(OsspiGetErrorDetail(&pair.client.end.context, words, sizeof(words)),
                         SEC_E_OK);
        assert_true(strlen(words) > 0);
        assert_int_equal(pair.server.in.count, 13);
        assert_int_equal(dtls_step(&pair.client, &pair.server), pair.client.status);
        dtls_close(&pair);
    }
}

/* The peer repeats: it has not got our flight, and gets it again. The same datagram twice is no
 * repetition. */
static void s3_10_a_repeated_flight_is_answered(const struct peer_form *form)
{
    struct peer_stream hello, again;
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    pair.server.mtu = LARGE;
    dtls_half_connect(&pair);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    hello = dtls_take(&pair.server.in, 0);
    again = dtls_take(&pair.server.in, 0);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, hello.bytes, hello.len),
                     SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.client.in.count, 1);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, hello.bytes, hello.len),
                     SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.client.in.count, 1);
    assert_int_equal(dtls_leg(&pair.server, &pair.client, again.bytes, again.len),
                     SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.client.in.count, 2);
    for (int i = 0; i < 40; i++) { /* not without end */
        again.bytes[10]++;
        (void)dtls_leg(&pair.server, &pair.client, again.bytes, again.len);
    }
    assert_int_equal(pair.client.in.count, 13);
    assert_int_equal(dtls_handshake(&pair), SEC_E_OK);
    peer_clear(&hello);
    peer_clear(&again);
    dtls_close(&pair);
}

/* The server's last flight is lost; the client repeats its own, in the handshake still, while the
 * server is established. */
static void lose_last_flight(const struct peer_form *form, bool by_decrypt)
{
    struct dtls_pair pair;
    char data[64];
    size_t len;

    dtls_open(&pair, form, NULL);
    pair.server.mtu = LARGE;
    dtls_half_connect(&pair);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_E_OK);
    peer_established(&pair.server.end);
    for (int i = 0; i < 3; i++) {
        dtls_clear(&pair.client.in);
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        if (by_decrypt) {
            assert_int_equal(dtls_receive(&pair.server, data, sizeof(data), &len),
                             SEC_I_RENEGOTIATE);
            assert_int_equal(len, 0);
        }
        assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_E_OK);
        assert_int_equal(pair.server.in.count, 0);
        assert_true(pair.client.in.count == 1 && pair.client.in.items[0].len > 50);
    }
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_E_OK);
    peer_established(&pair.client.end);
    dtls_exchange(&pair);
    dtls_close(&pair);
}

static void s3_10_the_last_flight_is_sent_again(const struct peer_form *form)
{
    lose_last_flight(form, true);
    lose_last_flight(form, false);
}

/* ---- what the TLS library must not see, or say ---- */

/* One part of a handshake message, in a record of its own. */
static void push_part(struct peer_stream *datagram, uint8_t type, uint8_t sequence, size_t whole,
                      size_t from, size_t len)
{
    const size_t body = 12 + len;
    uint8_t *record = calloc(1, DTLS_HEADER + body);

    TEST_REQUIRE(record != NULL);
    memcpy(record, "\x16\xFE\xFD\0\0\0\0\0\0\0\x30", 11);
    record[11] = (uint8_t)(body >> 8);
    record[12] = (uint8_t)body;
    record[13] = type;
    record[15] = (uint8_t)(whole >> 8);
    record[16] = (uint8_t)whole;
    record[18] = sequence;
    record[20] = (uint8_t)(from >> 8);
    record[21] = (uint8_t)from;
    record[23] = (uint8_t)(len >> 8);
    record[24] = (uint8_t)len;
    peer_push(datagram, record, DTLS_HEADER + body);
    free(record);
}

/* Larger than the protocol allows without protection (RFC 6347, 4.1): no record. */
static void s3_10_records_too_long_are_dropped(const struct peer_form *form)
{
    static const size_t bodies[] = {16384 + 1, 16600, 17000, 18432};

    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct peer_stream datagram = {0};
        struct dtls_pair pair;

        dtls_open(&pair, form, NULL);
        dtls_half_connect(&pair);
        push_part(&datagram, 11, 2, bodies[i] - 12, 0, bodies[i] - 12);
        /* wherever a reader of less may think that a record begins: a fatal alert */
        for (size_t at = 16384; at + 16 < datagram.len; at += 15)
            memcpy(datagram.bytes + at, "\x15\xFE\xFD\0\0\0\0\0\0\0\x31\0\2\2\x28", 15);
        assert_int_equal(dtls_leg(&pair.client, &pair.server, datagram.bytes, datagram.len),
                         SEC_I_CONTINUE_NEEDED);
        assert_int_equal(dtls_handshake(&pair), SEC_E_OK);
        peer_clear(&datagram);
        dtls_close(&pair);
    }
}

/* A leg that fails gives an alert or nothing, also if it was about to repeat its flight. */
static void s3_10_a_failure_gives_no_flight(const struct peer_form *form)
{
    struct peer_stream datagram;
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    datagram = dtls_take(&pair.client.in, 0);
    assert_int_equal(dtls_leg(&pair.client, &pair.server, datagram.bytes, datagram.len),
                     SEC_I_CONTINUE_NEEDED);
    datagram.bytes[10]++; /* HelloVerifyRequest again */
    push_part(&datagram, 2, 1, 100, 0, 20);
    push_part(&datagram, 2, 1, 200, 20, 20); /* and parts that contradict each other */
    dtls_clear(&pair.server.in);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dtls_leg(&pair.client, &pair.server, datagram.bytes, datagram.len),
                         SEC_E_ILLEGAL_MESSAGE);
        assert_true(pair.server.in.count == 0 || pair.server.in.items[0].bytes[0] == 21);
    }
    peer_clear(&datagram);
    dtls_close(&pair);
}

static const struct peer_case cases[] = {
    PEER_CASE(s3_10_handshake_by_every_kind_of_credential),
    PEER_CASE(s3_3_flags_that_come_back),
    PEER_CASE(s3_10_credential_and_flag_have_to_agree),
    PEER_CASE(s3_10_streams_are_no_datagrams),
    PEER_CASE(s3_10_established_streams_and_datagrams_stay_apart),
    PEER_CASE(s3_10_the_address_is_asked_for),
    PEER_CASE(s3_10_hello_verify_request),
    PEER_CASE(s3_10_cookies_prove_an_address),
    PEER_CASE(s3_10_first_datagrams_that_are_none),
    PEER_CASE(s3_10_datagrams_fit_the_mtu),
    PEER_CASE(s3_6_mtu_can_be_changed),
    PEER_CASE(s3_6_a_smaller_mtu_holds_at_once),
    PEER_CASE(s3_10_a_mtu_that_is_none),
    PEER_CASE(s3_10_input_between_fragments_comes_again),
    PEER_CASE(s2_5_output_that_is_too_small),
    PEER_CASE(s3_10_no_input_repeats_the_flight),
    PEER_CASE(s3_10_repetition_has_an_end),
    PEER_CASE(s3_10_a_repeated_flight_is_answered),
    PEER_CASE(s3_10_the_last_flight_is_sent_again),
    PEER_CASE(s3_10_records_too_long_are_dropped),
    PEER_CASE(s3_10_a_failure_gives_no_flight),
};

int main(void)
{
    return peer_run_cases("contract.dtls", cases, COUNT(cases));
}
