/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * After the handshake, against plain OpenSSL, through OpenSSL's own record layer: KeyUpdate,
 * tickets, renegotiation, what a record may hold, and the limits. Our own code's record protection
 * is in test_schannel_record.c.
 */
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/tls_internal.h"
#include "support/test_util.h"
#include "unit/tls_pair.h"

struct mixed {
    struct osspi_schannel_credential *credential;
    SSL_CTX *ctx;
    struct pair_end ours, plain;
};

static void connect_mixed(struct mixed *mixed, bool we_serve, int version, size_t tickets)
{
    memset(mixed, 0, sizeof(*mixed));
    mixed->credential = pair_credential(we_serve, we_serve ? "server" : NULL);
    mixed->ctx = SSL_CTX_new(TLS_method());
    assert_non_null(mixed->ctx);
    assert_int_equal(SSL_CTX_set_min_proto_version(mixed->ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(mixed->ctx, version), 1);
    SSL_CTX_set_num_tickets(mixed->ctx, tickets);
    if (!we_serve) {
        assert_int_equal(
            SSL_CTX_use_certificate_chain_file(mixed->ctx, pair_path("server", ".pem")), 1);
        assert_int_equal(
            SSL_CTX_use_PrivateKey_file(mixed->ctx, pair_path("server", ".key"), SSL_FILETYPE_PEM),
            1);
    }
    const struct osspi_tls_setup setup =
        we_serve ? pair_server_setup(mixed->credential) : pair_client_setup(mixed->credential);
    assert_int_equal(pair_ours(&mixed->ours, &setup), SEC_E_OK);
    pair_plain(&mixed->plain, mixed->ctx, !we_serve);
}

static void handshake_mixed(struct mixed *mixed, bool we_serve)
{
    if (we_serve)
        assert_true(pair_handshake(&mixed->plain, &mixed->ours));
    else
        assert_true(pair_handshake(&mixed->ours, &mixed->plain));
}

static void free_mixed(struct mixed *mixed)
{
    pair_end_clear(&mixed->ours);
    pair_end_clear(&mixed->plain);
    SSL_CTX_free(mixed->ctx);
    osspi_schannel_empty_cache(NULL);
    pair_credential_free(mixed->credential);
}

/* Opens all that waits; returns the last kind. */
static enum osspi_tls_record deliver(struct mixed *mixed)
{
    uint8_t out[256];
    size_t len;

    const enum osspi_tls_record kind =
        pair_deliver(&mixed->plain, &mixed->ours, out, sizeof(out), &len);
    assert_int_equal(len, 0);
    return kind;
}

/* ---- KeyUpdate ---- */

static void key_update_flood_ends_the_connection(void **state)
{
    struct mixed mixed;
    int rounds = 0;

    (void)state;
    connect_mixed(&mixed, false, TLS1_3_VERSION, 0);
    handshake_mixed(&mixed, false);
    for (; rounds < 100; rounds++) {
        assert_int_equal(SSL_key_update(mixed.plain.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(mixed.plain.ssl), 1);
        if (deliver(&mixed) == OSSPI_TLS_BROKEN)
            break;
    }
    assert_true(rounds >= 8 && rounds < 70);
    assert_int_equal(osspi_tls_failure(mixed.ours.tls), SEC_E_ILLEGAL_MESSAGE);
    free_mixed(&mixed);
}

static void key_updates_between_data_are_welcome(void **state)
{
    struct mixed mixed;

    (void)state;
    connect_mixed(&mixed, false, TLS1_3_VERSION, 0);
    handshake_mixed(&mixed, false);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(mixed.plain.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_true(pair_send(&mixed.plain, &mixed.ours, "data", 4));
    }
    free_mixed(&mixed);
}

static void a_key_ends_at_its_limit(void **state)
{
    struct mixed mixed;

    (void)state;
    connect_mixed(&mixed, false, TLS1_2_VERSION, 0);
    handshake_mixed(&mixed, false);
    mixed.ours.tls->sealed_blocks = UINT64_C(24296004000) - 3;
    assert_true(pair_send(&mixed.ours, &mixed.plain, "a", 1));
    assert_int_equal(osspi_tls_seal(mixed.ours.tls, (const uint8_t *)"b", 1),
                     SEC_E_ENCRYPT_FAILURE);
    free_mixed(&mixed);
}

/* ---- tickets ---- */

static void tickets_are_absorbed(void **state)
{
    struct mixed mixed;

    (void)state;
    connect_mixed(&mixed, false, TLS1_3_VERSION, 5);
    SSL_CTX_set_session_id_context(mixed.ctx, (const unsigned char *)"x", 1);
    handshake_mixed(&mixed, false);
    assert_int_equal(deliver(&mixed), OSSPI_TLS_POST_HANDSHAKE);
    assert_int_equal(osspi_session_count(), 5);
    assert_true(pair_send(&mixed.plain, &mixed.ours, "data", 4));
    free_mixed(&mixed);
}

static void ticket_flood_ends_the_connection(void **state)
{
    struct mixed mixed;

    (void)state;
    connect_mixed(&mixed, false, TLS1_3_VERSION, 100);
    handshake_mixed(&mixed, false);
    assert_int_equal(deliver(&mixed), OSSPI_TLS_BROKEN);
    assert_int_equal(osspi_tls_failure(mixed.ours.tls), SEC_E_ILLEGAL_MESSAGE);
    assert_true(osspi_session_count() <= 8);
    free_mixed(&mixed);
}

/* ---- renegotiation ---- */

static void hello_request_is_answered_no_renegotiation(void **state)
{
    struct mixed mixed;
    const uint8_t *bytes;
    size_t len;

    (void)state;
    connect_mixed(&mixed, false, TLS1_2_VERSION, 0);
    handshake_mixed(&mixed, false);
    assert_int_equal(SSL_renegotiate(mixed.plain.ssl), 1);
    assert_int_equal(SSL_do_handshake(mixed.plain.ssl), 1); /* sends HelloRequest */
    assert_int_equal(deliver(&mixed), OSSPI_TLS_POST_HANDSHAKE);
    osspi_tls_flight(mixed.ours.tls, &bytes, &len);
    assert_true(len > 7 && bytes[0] == 21); /* a protected alert */
    assert_int_equal(osspi_tls_failure(mixed.ours.tls), SEC_E_OK);
    free_mixed(&mixed);
}

static void client_hello_again_is_answered_no_renegotiation(void **state)
{
    struct mixed mixed;
    const uint8_t *bytes;
    size_t len;

    (void)state;
    connect_mixed(&mixed, true, TLS1_2_VERSION, 0);
    handshake_mixed(&mixed, true);
    assert_int_equal(SSL_renegotiate(mixed.plain.ssl), 1);
    (void)SSL_do_handshake(mixed.plain.ssl);
    assert_int_equal(deliver(&mixed), OSSPI_TLS_POST_HANDSHAKE);
    osspi_tls_flight(mixed.ours.tls, &bytes, &len);
    assert_true(len > 7 && bytes[0] == 21);
    assert_int_equal(osspi_tls_failure(mixed.ours.tls), SEC_E_OK);
    free_mixed(&mixed);
}

/* ---- what the other side asks for ---- */

static void max_fragment_of_the_client_is_kept(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct mixed mixed;
        struct osspi_tls_facts facts;
        uint8_t data[1025] = {0};
        connect_mixed(&mixed, true, version, 0);
        assert_int_equal(
            SSL_set_tlsext_max_fragment_length(mixed.plain.ssl, TLSEXT_max_fragment_length_1024),
            1);
        handshake_mixed(&mixed, true);
        assert_int_equal(osspi_tls_facts(mixed.ours.tls, &facts), SEC_E_OK);
        assert_int_equal(facts.max_fragment, 1024);
        osspi_tls_facts_clear(&facts);
        assert_int_equal(osspi_tls_seal(mixed.ours.tls, data, 1025), SEC_E_INVALID_PARAMETER);
        assert_true(pair_send(&mixed.ours, &mixed.plain, data, 1024));
        free_mixed(&mixed);
    }
}

static void hello_retry_is_followed(void **state)
{
    (void)state;
    for (int we_serve = 0; we_serve <= 1; we_serve++) {
        struct mixed mixed;
        struct osspi_tls_facts facts;
        connect_mixed(&mixed, we_serve != 0, TLS1_3_VERSION, 0);
        /* The first key share of the client does not serve the server. */
        assert_int_equal(SSL_set1_groups_list(mixed.plain.ssl, we_serve ? "P-521:P-384" : "P-384"),
                         1);
        handshake_mixed(&mixed, we_serve != 0);
        assert_int_equal(osspi_tls_facts(mixed.ours.tls, &facts), SEC_E_OK);
        assert_int_equal(facts.group, 24);
        assert_int_equal(facts.group_bits, 384);
        osspi_tls_facts_clear(&facts);
        assert_true(pair_send(&mixed.ours, &mixed.plain, "data", 4));
        assert_true(pair_send(&mixed.plain, &mixed.ours, "data", 4));
        free_mixed(&mixed);
    }
}

static void old_protocols_are_refused(void **state)
{
    (void)state;
    for (int we_serve = 0; we_serve <= 1; we_serve++) {
        struct mixed mixed;
        connect_mixed(&mixed, we_serve != 0, TLS1_1_VERSION, 0);
        SSL_set_security_level(mixed.plain.ssl, 0);
        if (we_serve)
            assert_false(pair_handshake(&mixed.plain, &mixed.ours));
        else
            assert_false(pair_handshake(&mixed.ours, &mixed.plain));
        assert_int_equal(osspi_tls_failure(mixed.ours.tls), SEC_E_ALGORITHM_MISMATCH);
        free_mixed(&mixed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_update_flood_ends_the_connection),
        cmocka_unit_test(key_updates_between_data_are_welcome),
        cmocka_unit_test(a_key_ends_at_its_limit),
        cmocka_unit_test(tickets_are_absorbed),
        cmocka_unit_test(ticket_flood_ends_the_connection),
        cmocka_unit_test(hello_request_is_answered_no_renegotiation),
        cmocka_unit_test(client_hello_again_is_answered_no_renegotiation),
        cmocka_unit_test(max_fragment_of_the_client_is_kept),
        cmocka_unit_test(hello_retry_is_followed),
        cmocka_unit_test(old_protocols_are_refused),
    };

    return cmocka_run_group_tests_name("schannel.post", tests, pair_set_up, NULL);
}
