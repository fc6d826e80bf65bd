/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what is no TLS. HTTP, old hellos, random bytes, headers that cannot be: refused as soon
 * as that can be seen, with an alert where there is one, in every state; and peers that vanish.
 */
#include <stdlib.h>
#include <string.h>

#include "support/tls_raw.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

static const struct {
    const char *bytes;
    size_t len;
    uint8_t alert;
} garbage[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, TLS1_ALERT_UNEXPECTED_MESSAGE},
    {"G", 1, TLS1_ALERT_UNEXPECTED_MESSAGE},
    {"SSH-2.0-OpenSSH_9.2\r\n", 21, TLS1_ALERT_UNEXPECTED_MESSAGE},
    /* SSL 2 ClientHello */
    {"\x80\x2E\x01\x00\x02\x00\x15\x00\x00\x00\x10", 11, TLS1_ALERT_UNEXPECTED_MESSAGE},
    /* a record of another major version */
    {"\x16\x02\x00", 3, TLS1_ALERT_PROTOCOL_VERSION},
    {"\x16\x04\x00\x00\x05", 5, TLS1_ALERT_PROTOCOL_VERSION},
    /* longer than a record may be */
    {"\x16\x03\x01\x40\x01", 5, TLS1_ALERT_RECORD_OVERFLOW},
    {"\x16\x03\x01\xFF\xFF", 5, TLS1_ALERT_RECORD_OVERFLOW},
    /* types that cannot come first */
    {"\x17\x03\x03\x00\x01", 5, TLS1_ALERT_UNEXPECTED_MESSAGE},
    {"\x14\x03\x03\x00\x01\x01", 6, TLS1_ALERT_UNEXPECTED_MESSAGE},
    {"\x18\x03\x03\x00\x05", 5, TLS1_ALERT_UNEXPECTED_MESSAGE},
    {"\x00\x00\x00\x00\x00", 5, TLS1_ALERT_UNEXPECTED_MESSAGE},
};

/* One leg with these bytes in a block of their own. */
static SECURITY_STATUS leg_with(struct peer_end *end, const void *bytes, size_t len, uint8_t *out,
                                ULONG *ret_len)
{
    uint8_t *copy = malloc(len ? len : 1);
    struct peer_leg leg;
    SECURITY_STATUS status;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    leg = peer_leg_of(end, copy, len, out, PEER_OUT_SIZE);
    status = peer_leg_run(end, &leg);
    *ret_len = leg.out[0].cbBuffer;
    free(copy);
    return status;
}

static void first_bytes_that_are_no_tls(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t *out = malloc(PEER_OUT_SIZE);
    ULONG len;

    peer_open(&pair, form, NULL);
    for (size_t i = 0; i < COUNT_OF(garbage); i++) {
        memset(&pair.server.context, 0x5A, sizeof(CtxtHandle));
        assert_int_equal(leg_with(&pair.server, garbage[i].bytes, garbage[i].len, out, &len),
                         SEC_E_INVALID_TOKEN);
        assert_int_equal(len, 7);
        assert_int_equal(out[0], 21);
        assert_int_equal(out[5], TLS1_ALERT_FATAL);
        assert_int_equal(out[6], garbage[i].alert);
        assert_false(pair.server.has_context);
        assert_int_equal(pair.server.context.dwLower, 0x5A5A5A5A5A5A5A5A);
    }
    free(out);
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    peer_close(&pair);
}

/* The same to a client that waits for an answer: the context ends, with an alert. */
static void answers_that_are_no_tls(const struct peer_form *form)
{
    uint8_t *out = malloc(PEER_OUT_SIZE);

    for (size_t i = 0; i < COUNT_OF(garbage); i++) {
        struct peer_pair pair;
        SECURITY_STATUS status;
        ULONG len;

        peer_open(&pair, form, NULL);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        status = leg_with(&pair.client, garbage[i].bytes, garbage[i].len, out, &len);
        assert_int_equal(status, SEC_E_INVALID_TOKEN);
        assert_int_equal(len, 7);
        assert_int_equal(out[6], garbage[i].alert);
        peer_close(&pair);
    }
    free(out);
}

/* Halfway through a handshake. */
static void garbage_in_the_middle(const struct peer_form *form)
{
    uint8_t *out = malloc(PEER_OUT_SIZE);

    for (size_t i = 0; i < 2 * COUNT_OF(garbage); i++) {
        struct peer_pair pair;
        SECURITY_STATUS status;
        size_t row = i / 2;
        ULONG len;
        const struct peer_setup setup = {.protocols = protocols[i % 2]};

        if (garbage[row].bytes[0] == 0x17 || garbage[row].bytes[0] == 0x14 ||
            (garbage[row].bytes[0] == 0x16 && garbage[row].bytes[1] == 3))
            continue; /* not wrong by its header there */
        peer_open(&pair, form, &setup);
        peer_half_connect(&pair);
        status = leg_with(&pair.server, garbage[row].bytes, garbage[row].len, out, &len);
        assert_true(status == SEC_E_ILLEGAL_MESSAGE || status == SEC_E_INVALID_TOKEN);
        /* and it stays so */
        assert_true(leg_with(&pair.server, "\x16", 1, out, &len) < 0);
        assert_int_equal(peer_send(&pair.server, &pair.client, "x", 1), SEC_E_CONTEXT_EXPIRED);
        peer_close(&pair);
    }
    free(out);
}

/* ---- random bytes ---- */

static void check_failure(SECURITY_STATUS status)
{
    switch (status) {
    case SEC_I_CONTINUE_NEEDED:
    case SEC_E_INCOMPLETE_MESSAGE:
    case SEC_E_INVALID_TOKEN:
    case SEC_E_ILLEGAL_MESSAGE:
    case SEC_E_ALGORITHM_MISMATCH:
    case SEC_E_DECRYPT_FAILURE:
    case SEC_E_MESSAGE_ALTERED:
    case SEC_E_CERT_UNKNOWN:
    case SEC_E_UNTRUSTED_ROOT:
    case SEC_E_WRONG_PRINCIPAL:
    case SEC_E_CERT_EXPIRED:
    case SEC_E_UNSUPPORTED_FUNCTION:
    case SEC_E_CONTEXT_EXPIRED:
        return;
    default:
        print_error("status 0x%08X\n", (unsigned)status);
        fail();
    }
}

static void random_first_flights(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t *out = malloc(PEER_OUT_SIZE), bytes[600];
    uint64_t seed = 12;

    peer_open(&pair, form, NULL);
    for (uint32_t i = 0; i < TEST_ROUNDS(2000); i++) {
        size_t size = 1 + test_random(&seed) % (sizeof(bytes) - 1);
        ULONG len;

        for (size_t at = 0; at < size; at++)
            bytes[at] = (uint8_t)test_random(&seed);
        if (i % 2 == 1 && size > 5) { /* in a good record */
            const uint8_t header[] = {22, 3, 1, (uint8_t)((size - 5) >> 8), (uint8_t)(size - 5)};

            memcpy(bytes, header, sizeof(header));
            if (i % 4 == 3 && size > 9) { /* as a ClientHello */
                bytes[5] = 1;
                bytes[6] = 0;
                bytes[7] = (uint8_t)((size - 9) >> 8);
                bytes[8] = (uint8_t)(size - 9);
            }
        }
        check_failure(leg_with(&pair.server, bytes, size, out, &len));
        peer_end_disconnect(&pair.server);
    }
    free(out);
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    peer_close(&pair);
}

/* A real flight with one byte changed: it may pass (what nobody looks at), but never with what the
 * other side does not see the same way. */
static void mutate(const struct peer_form *form, size_t p, int flight, uint64_t *seed)
{
    const struct peer_setup setup = {.protocols = protocols[p]};
    struct peer_pair pair;
    struct peer_stream *wire = flight % 2 == 0 ? &pair.server.in : &pair.client.in;
    bool done[2] = {false, false};

    peer_open(&pair, form, &setup);
    for (int i = 0; i < 8 && !(done[0] && done[1]); i++) {
        struct peer_end *end = i % 2 == 0 ? &pair.client : &pair.server;
        SECURITY_STATUS status;

        if (done[i % 2] || (i > 0 && end->in.len == 0))
            continue;
        status = peer_step(end, i % 2 == 0 ? &pair.server : &pair.client);
        check_failure(status == SEC_E_OK ? SEC_I_CONTINUE_NEEDED : status);
        done[i % 2] = status == SEC_E_OK;
        if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE)
            break;
        if (i == flight && wire->len > 0)
            wire->bytes[test_random(seed) % wire->len] ^= (uint8_t)(1 + test_random(seed) % 255);
    }
    if (done[0] && done[1]) { /* then both agree */
        peer_established(&pair.client);
        peer_established(&pair.server);
        if (peer_send(&pair.client, &pair.server, "agreed", 6) == SEC_E_OK) {
            char data[16];
            size_t len;

            check_failure(peer_receive(&pair.server, data, sizeof(data), &len) == SEC_E_OK
                              ? SEC_I_CONTINUE_NEEDED
                              : SEC_E_DECRYPT_FAILURE);
        }
    }
    peer_close(&pair);
}

static void flights_with_one_byte_changed(const struct peer_form *form)
{
    uint64_t seed = 7;

    for (uint32_t i = 0; i < TEST_ROUNDS(60); i++) {
        for (int flight = 0; flight < 3; flight++)
            mutate(form, i % 2, flight, &seed);
    }
}

/* ---- keys that are none ---- */

/* A client that leaves verification to its caller gets as far as a server's key: a curve's point in
 * a form that there is not. */
static void certificate_with_a_key_that_is_none(const struct peer_form *form)
{
    static const uint8_t p256[] = {0x86, 0x48, 0xCE, 0x3D, 3, 1, 7, 3, 0x42, 0, 4};
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_2_CLIENT,
                                     .client_flags = SCH_CRED_MANUAL_CRED_VALIDATION};
    struct peer_pair pair;
    uint8_t *found;

    peer_open(&pair, form, &setup);
    peer_half_connect(&pair);
    found = memmem(pair.client.in.bytes, pair.client.in.len, p256, sizeof(p256));
    assert_non_null(found);
    found[sizeof(p256) - 1] = 5;
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_CERT_UNKNOWN);
    peer_close(&pair);
}

/* Half of all numbers are no public keys of a Diffie-Hellman group; the other half are not what the
 * client has sent. */
static void finite_field_shares_with_one_byte_changed(const struct peer_form *form)
{
    struct peer_end server;

    peer_end_init(&server, form, true);
    assert_int_equal(peer_end_acquire(&server, 0, 0, "server-rsa", false), SEC_E_OK);
    for (size_t i = 0; i < 16; i++) {
        struct raw_peer raw;
        struct peer_end wire = {0};
        SECURITY_STATUS status;

        raw_open(&raw, false, TLS1_2_VERSION, NULL);
        assert_int_equal(SSL_set_cipher_list(raw.ssl, "DHE-RSA-AES128-GCM-SHA256"), 1);
        assert_int_equal(SSL_do_handshake(raw.ssl), -1);
        raw_take(&raw, &server.in);
        assert_int_equal(peer_step(&server, &wire), SEC_I_CONTINUE_NEEDED);
        raw_give(&raw, &wire.in);
        assert_int_equal(SSL_do_handshake(raw.ssl), -1);
        raw_take(&raw, &server.in);
        assert_true(server.in.len > 5 + 4 + 2 + 256);
        server.in.bytes[5 + 4 + 2 + 16 * i] ^= 1;
        status = peer_step(&server, &wire);
        assert_true(status == SEC_E_ILLEGAL_MESSAGE || status == SEC_E_MESSAGE_ALTERED);
        peer_clear(&wire.in);
        peer_end_disconnect(&server);
        raw_close(&raw);
    }
    peer_end_free(&server);
}

/* ---- empty records, vanishing peers ---- */

/* Records of length zero: handshake and alert records must not be empty. */
static void empty_records_are_refused(const struct peer_form *form)
{
    static const uint8_t empty[] = {22, 3, 1, 0, 0};
    struct peer_pair pair;
    uint8_t *out = malloc(PEER_OUT_SIZE);
    SECURITY_STATUS status = SEC_I_CONTINUE_NEEDED;
    ULONG len;

    peer_open(&pair, form, NULL);
    for (int i = 0; i < 100 && status >= 0; i++) {
        status = leg_with(&pair.server, empty, sizeof(empty), out, &len);
        check_failure(status);
    }
    assert_true(status < 0 && status != SEC_E_INCOMPLETE_MESSAGE); /* not for ever */
    free(out);
    peer_close(&pair);
}

/* Delete in every state that a handshake passes through, on either side. */
static void peers_vanish_in_every_state(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        for (int steps = 0; steps < 8; steps++) {
            const struct peer_setup setup = {.protocols = protocols[p]};
            struct peer_pair pair;

            peer_open(&pair, form, &setup);
            for (int i = 0; i < steps; i++) {
                struct peer_end *end = i % 2 == 0 ? &pair.client : &pair.server;

                if (i == 0 || end->in.len > 0)
                    check_failure(peer_step(end, i % 2 == 0 ? &pair.server : &pair.client) < 0
                                      ? SEC_E_ILLEGAL_MESSAGE
                                      : SEC_I_CONTINUE_NEEDED);
            }
            peer_end_free(steps % 2 == 0 ? &pair.client : &pair.server);
            peer_close(&pair);
        }
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(first_bytes_that_are_no_tls),
        PEER_CASE(answers_that_are_no_tls),
        PEER_CASE(garbage_in_the_middle),
        PEER_CASE(random_first_flights),
        PEER_CASE(flights_with_one_byte_changed),
        PEER_CASE(empty_records_are_refused),
        PEER_CASE(peers_vanish_in_every_state),
        PEER_CASE(certificate_with_a_key_that_is_none),
        PEER_CASE(finite_field_shares_with_one_byte_changed),
    };

    return peer_run_cases("contract.garbage", cases, COUNT_OF(cases));
}
