/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS connections of ours against each other: handshake, facts, records, ends. Certificates come
 * from script/make-test-certs.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/test_util.h"
#include "unit/tls_pair.h"

struct both {
    struct osspi_schannel_credential *client_credential, *server_credential;
    struct pair_end client, server;
    struct osspi_tls_facts client_facts, server_facts;
};

static void set_version(struct osspi_schannel_credential *credential, uint16_t version)
{
    credential->config->min_version = credential->config->max_version = version;
}

static void make_both(struct both *both, uint16_t version, const char *identity)
{
    memset(both, 0, sizeof(*both));
    both->client_credential = pair_credential(false, NULL);
    both->server_credential = pair_credential(true, identity);
    set_version(both->client_credential, version);
}

static bool connect_both(struct both *both, const struct osspi_tls_setup *client,
                         const struct osspi_tls_setup *server)
{
    assert_int_equal(pair_ours(&both->client, client), SEC_E_OK);
    assert_int_equal(pair_ours(&both->server, server), SEC_E_OK);
    if (!pair_handshake(&both->client, &both->server))
        return false;
    assert_int_equal(osspi_tls_facts(both->client.tls, &both->client_facts), SEC_E_OK);
    assert_int_equal(osspi_tls_facts(both->server.tls, &both->server_facts), SEC_E_OK);
    return true;
}

static void disconnect_both(struct both *both)
{
    pair_end_clear(&both->client);
    pair_end_clear(&both->server);
    osspi_tls_facts_clear(&both->client_facts);
    osspi_tls_facts_clear(&both->server_facts);
}

static void free_both(struct both *both)
{
    disconnect_both(both);
    pair_credential_free(both->client_credential);
    pair_credential_free(both->server_credential);
}

static bool connect_plainly(struct both *both)
{
    const struct osspi_tls_setup client = pair_client_setup(both->client_credential);
    const struct osspi_tls_setup server = pair_server_setup(both->server_credential);

    return connect_both(both, &client, &server);
}

/* Takes the tickets in, if any. */
static void drain(struct both *both)
{
    uint8_t none[16];
    size_t len;

    (void)pair_deliver(&both->server, &both->client, none, sizeof(none), &len);
    assert_int_equal(len, 0);
}

/* ---- the handshake ---- */

/* Equal lists are one; the ends are in one process. */
static void assert_same_chain(const struct osspi_ders *a, const struct osspi_ders *b)
{
    assert_non_null(a);
    assert_ptr_equal(a, b);
}

static void check_pair(uint16_t version, const char *identity, uint16_t scheme)
{
    struct both both;

    make_both(&both, version, identity);
    assert_true(connect_plainly(&both));
    const struct osspi_tls_facts *client = &both.client_facts, *server = &both.server_facts;
    assert_int_equal(client->version, version);
    assert_int_equal(server->version, version);
    assert_int_equal(client->cipher_suite, server->cipher_suite);
    assert_non_null(osspi_suite_find(client->cipher_suite));
    assert_int_equal(client->group, 29);
    assert_int_equal(server->group, 29);
    assert_int_equal(client->group_bits, 256);
    assert_int_equal(client->peer_signature_scheme, scheme);
    assert_int_equal(server->local_signature_scheme, scheme);
    assert_int_equal(client->local_signature_scheme, 0);
    assert_false(client->resumed);
    assert_false(client->server);
    assert_true(server->server);
    assert_int_equal(client->max_fragment, 16384);
    assert_int_equal(osspi_ders_count(client->peer_chain), 2);
    assert_same_chain(client->peer_chain, server->local_chain);
    assert_null(server->peer_chain);
    assert_null(client->local_chain);
    assert_true(client->peer_not_after > 0 && client->peer_not_after < INT64_MAX);
    assert_true(server->peer_not_after == INT64_MAX);
    assert_int_equal(client->tls_unique_len, version == 0x0303 ? 12 : 0);
    assert_int_equal(server->tls_unique_len, client->tls_unique_len);
    if (client->tls_unique_len > 0)
        assert_memory_equal(osspi_tls_facts_unique(client), osspi_tls_facts_unique(server),
                            client->tls_unique_len);
    assert_true(pair_send(&both.client, &both.server, "hello", 5));
    assert_true(pair_send(&both.server, &both.client, "world", 5));
    free_both(&both);
}

static void handshake_tls13_ec_succeeds(void **state)
{
    (void)state;
    check_pair(0x0304, "server", 0x0403);
}

static void handshake_tls13_rsa_succeeds(void **state)
{
    (void)state;
    check_pair(0x0304, "server-rsa", 0x0804);
}

static void handshake_tls12_ec_succeeds(void **state)
{
    (void)state;
    check_pair(0x0303, "server", 0x0403);
}

static void handshake_tls12_rsa_succeeds(void **state)
{
    (void)state;
    check_pair(0x0303, "server-rsa", 0x0804);
}

static void handshake_every_suite_succeeds(void **state)
{
    (void)state;
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        const struct osspi_suite *suite = osspi_suite_at(i);
        struct both both;
        if (!suite->by_default)
            continue;
        make_both(&both, suite->version, "server");
        pair_add_identity(both.server_credential, "server-rsa", "server-rsa");
        both.client_credential->config->suites = UINT64_C(1) << i;
        if (!connect_plainly(&both))
            print_message("%s: %s / %s\n", suite->openssl_name, osspi_tls_detail(both.client.tls),
                          osspi_tls_detail(both.server.tls));
        assert_true(both.client.done);
        assert_int_equal(both.client_facts.cipher_suite, suite->id);
        assert_true(pair_send(&both.client, &both.server, "suite", 5));
        assert_true(pair_send(&both.server, &both.client, "suite", 5));
        free_both(&both);
    }
}

static void handshake_two_key_types_presents_the_fitting_one(void **state)
{
    struct both both;

    (void)state;
    make_both(&both, 0x0303, "server");
    pair_add_identity(both.server_credential, "server-rsa", "server-rsa");
    both.client_credential->config->suites = 0;
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        const struct osspi_suite *suite = osspi_suite_at(i);
        if (suite->version == 0x0303 && suite->aead && strcmp(suite->certificate, "RSA") == 0)
            both.client_credential->config->suites |= UINT64_C(1) << i;
    }
    assert_true(connect_plainly(&both));
    assert_int_equal(both.server_facts.local_signature_scheme, 0x0804);
    assert_same_chain(both.client_facts.peer_chain, both.server_facts.local_chain);
    free_both(&both);
}

static void handshake_without_common_version_fails(void **state)
{
    struct both both;

    (void)state;
    make_both(&both, 0x0303, "server");
    set_version(both.server_credential, 0x0304);
    assert_false(connect_plainly(&both));
    assert_int_equal(osspi_tls_failure(both.server.tls), SEC_E_ALGORITHM_MISMATCH);
    assert_int_equal(osspi_tls_failure(both.client.tls), SEC_E_ALGORITHM_MISMATCH);
    free_both(&both);
}

static void handshake_without_common_suite_fails(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct both both;
        uint64_t first = 0, second = 0;
        make_both(&both, version, "server");
        for (size_t i = 0; i < osspi_suite_count(); i++) {
            const struct osspi_suite *suite = osspi_suite_at(i);
            if (suite->version != version || !suite->by_default)
                continue;
            if (version == 0x0303 && strcmp(suite->certificate, "ECDSA") != 0)
                continue;
            if (first == 0)
                first = UINT64_C(1) << i;
            else
                second = UINT64_C(1) << i;
        }
        both.client_credential->config->suites = first;
        both.server_credential->config->suites = second;
        assert_false(connect_plainly(&both));
        assert_int_equal(osspi_tls_failure(both.server.tls), SEC_E_ALGORITHM_MISMATCH);
        assert_int_equal(osspi_tls_failure(both.client.tls), SEC_E_ILLEGAL_MESSAGE);
        free_both(&both);
    }
}

static void handshake_suites_of_one_version_limit_the_range(void **state)
{
    struct both both;

    (void)state;
    make_both(&both, 0x0304, "server");
    both.client_credential->config->min_version = 0x0303;
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        if (osspi_suite_at(i)->version == 0x0304)
            both.client_credential->config->suites &= ~(UINT64_C(1) << i);
    }
    assert_true(connect_plainly(&both));
    assert_int_equal(both.client_facts.version, 0x0303);
    free_both(&both);
}

static void new_without_any_suite_fails(void **state)
{
    struct osspi_schannel_credential *credential = pair_credential(false, NULL);
    struct pair_end end;

    (void)state;
    credential->config->max_cipher_bits = 1;
    const struct osspi_tls_setup setup = pair_client_setup(credential);
    assert_int_equal(pair_ours(&end, &setup), SEC_E_ALGORITHM_MISMATCH);
    pair_credential_free(credential);
}

static void new_server_without_certificate_fails(void **state)
{
    struct osspi_schannel_credential *credential = pair_credential(true, NULL);
    struct pair_end end;

    (void)state;
    const struct osspi_tls_setup setup = pair_server_setup(credential);
    assert_int_equal(osspi_tls_credential_check(credential), SEC_E_OK);
    assert_int_equal(pair_ours(&end, &setup), SEC_E_NO_CREDENTIALS);
    pair_credential_free(credential);
}

static void credential_check_tells_what_is_wrong(void **state)
{
    static const uint8_t garbage[] = {0x30, 3, 2, 1, 0};
    struct osspi_schannel_credential *credential;

    (void)state;
    credential = pair_credential(true, "server");
    assert_int_equal(osspi_tls_credential_check(credential), SEC_E_OK);
    pair_credential_free(credential);

    credential = pair_credential(true, NULL);
    pair_add_identity(credential, "server", "server-rsa");
    assert_int_equal(osspi_tls_credential_check(credential), SEC_E_NO_CREDENTIALS);
    pair_credential_free(credential);

    credential = pair_credential(true, NULL);
    pair_add_identity(credential, "server", NULL);
    assert_int_equal(osspi_tls_credential_check(credential), SEC_E_NO_CREDENTIALS);
    pair_credential_free(credential);

    credential = pair_credential(true, "server");
    struct osspi_identity *identity = credential->state.identities->items[0];
    const struct osspi_der_view key = identity->key, leaf = identity->leaf;
    identity->key = (struct osspi_der_view){garbage, sizeof(garbage)};
    assert_int_equal(osspi_tls_credential_check(credential), SEC_E_UNKNOWN_CREDENTIALS);
    identity->key = key;
    identity->leaf.len--;
    assert_int_equal(osspi_tls_credential_check(credential), SEC_E_UNKNOWN_CREDENTIALS);
    identity->leaf = leaf;
    assert_int_equal(osspi_tls_credential_check(credential), SEC_E_OK);
    pair_credential_free(credential);
}

/* ---- ALPN ---- */

static void set_alpn(struct osspi_tls_setup *setup, const char *list)
{
    setup->alpn = (const uint8_t *)list;
    setup->alpn_len = strlen(list);
}

static void alpn_server_order_wins(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct both both;
        make_both(&both, version, "server");
        struct osspi_tls_setup client = pair_client_setup(both.client_credential);
        struct osspi_tls_setup server = pair_server_setup(both.server_credential);
        set_alpn(&client, "\x02h2\x08http/1.1\x03"
                          "abc");
        set_alpn(&server, "\x03xyz\x08http/1.1\x02h2");
        assert_true(connect_both(&both, &client, &server));
        assert_int_equal(both.client_facts.alpn_len, 8);
        assert_memory_equal(osspi_tls_facts_alpn(&both.client_facts), "http/1.1", 8);
        assert_int_equal(both.server_facts.alpn_len, 8);
        assert_memory_equal(osspi_tls_facts_alpn(&both.server_facts), "http/1.1", 8);
        free_both(&both);
    }
}

static void alpn_without_overlap_fails(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct both both;
        make_both(&both, version, "server");
        struct osspi_tls_setup client = pair_client_setup(both.client_credential);
        struct osspi_tls_setup server = pair_server_setup(both.server_credential);
        set_alpn(&client, "\x02h2");
        set_alpn(&server, "\x08http/1.1");
        assert_false(connect_both(&both, &client, &server));
        assert_int_equal(osspi_tls_failure(both.server.tls), SEC_E_APPLICATION_PROTOCOL_MISMATCH);
        assert_int_equal(osspi_tls_failure(both.client.tls), SEC_E_APPLICATION_PROTOCOL_MISMATCH);
        free_both(&both);
    }
}

static void alpn_of_one_side_only_is_fine(void **state)
{
    struct both both;

    (void)state;
    make_both(&both, 0x0304, "server");
    struct osspi_tls_setup client = pair_client_setup(both.client_credential);
    struct osspi_tls_setup server = pair_server_setup(both.server_credential);
    set_alpn(&client, "\x02h2");
    assert_true(connect_both(&both, &client, &server));
    assert_int_equal(both.client_facts.alpn_len, 0);
    disconnect_both(&both);
    set_alpn(&client, "");
    set_alpn(&server, "\x02h2");
    assert_true(connect_both(&both, &client, &server));
    assert_int_equal(both.server_facts.alpn_len, 0);
    free_both(&both);
}

/* ---- records ---- */

static void record_of_every_size_passes(void **state)
{
    static const size_t sizes[] = {1, 2, 15, 16, 17, 255, 1024, 16383, 16384};
    uint8_t *text = malloc(16384);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < 16384; i++)
        text[i] = (uint8_t)(i * 7);
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct both both;
        make_both(&both, version, "server");
        assert_true(connect_plainly(&both));
        drain(&both);
        for (size_t i = 0; i < OSSPI_COUNT_OF(sizes); i++) {
            const uint8_t *bytes;
            size_t len;
            assert_int_equal(osspi_tls_seal(both.client.tls, text, sizes[i]), SEC_E_OK);
            osspi_tls_flight(both.client.tls, &bytes, &len);
            assert_int_equal(pair_record_len(bytes, len), len); /* exactly one */
            uint8_t out[16384 + 512];
            assert_int_equal(pair_deliver(&both.client, &both.server, out, sizeof(out), &len),
                             OSSPI_TLS_APPLICATION);
            assert_int_equal(len, sizes[i]);
            assert_memory_equal(out, text, len);
        }
        assert_int_equal(osspi_tls_seal(both.client.tls, text, 16385), SEC_E_INVALID_PARAMETER);
        assert_int_equal(osspi_tls_seal(both.client.tls, text, 0), SEC_E_OK);
        assert_true(pair_send(&both.client, &both.server, "still fine", 10));
        free_both(&both);
    }
    free(text);
}

static void record_opens_in_its_own_memory(void **state)
{
    struct both both;
    uint8_t *bytes;
    size_t len, plain_len;

    (void)state;
    make_both(&both, 0x0304, "server");
    assert_true(connect_plainly(&both));
    assert_int_equal(osspi_tls_seal(both.client.tls, (const uint8_t *)"in place", 8), SEC_E_OK);
    len = pair_take(&both.client, &bytes);
    assert_int_equal(osspi_tls_open(both.server.tls, bytes, len, bytes, &plain_len),
                     OSSPI_TLS_APPLICATION);
    assert_int_equal(plain_len, 8);
    assert_memory_equal(bytes, "in place", 8);
    free(bytes);
    free_both(&both);
}

static void record_tampered_replayed_or_reordered_breaks(void **state)
{
    (void)state;
    for (int attack = 0; attack < 6; attack++) {
        struct both both;
        uint8_t *first, *second, plain[256];
        size_t plain_len;
        make_both(&both, attack & 1 ? 0x0303 : 0x0304, "server");
        assert_true(connect_plainly(&both));
        assert_int_equal(osspi_tls_seal(both.client.tls, (const uint8_t *)"one", 3), SEC_E_OK);
        const size_t first_len = pair_take(&both.client, &first);
        assert_int_equal(osspi_tls_seal(both.client.tls, (const uint8_t *)"two", 3), SEC_E_OK);
        const size_t second_len = pair_take(&both.client, &second);
        if (attack / 2 == 0) { /* tampered */
            first[first_len - 1] ^= 1;
        } else if (attack / 2 == 1) { /* replayed */
            assert_int_equal(osspi_tls_open(both.server.tls, first, first_len, plain, &plain_len),
                             OSSPI_TLS_APPLICATION);
        } else { /* reordered */
            memcpy(first, second, second_len);
        }
        assert_int_equal(osspi_tls_open(both.server.tls, first, first_len, plain, &plain_len),
                         OSSPI_TLS_BROKEN);
        assert_int_equal(plain_len, 0);
        assert_int_equal(osspi_tls_failure(both.server.tls), SEC_E_MESSAGE_ALTERED);
        /* Broken for good, and the peer is told. */
        assert_int_equal(osspi_tls_open(both.server.tls, second, second_len, plain, &plain_len),
                         OSSPI_TLS_BROKEN);
        assert_int_equal(osspi_tls_seal(both.server.tls, plain, 1), SEC_E_ENCRYPT_FAILURE);
        assert_int_equal(pair_deliver(&both.server, &both.client, plain, sizeof(plain), &plain_len),
                         OSSPI_TLS_BROKEN);
        assert_int_equal(osspi_tls_failure(both.client.tls), SEC_E_ILLEGAL_MESSAGE);
        assert_non_null(strstr(osspi_tls_detail(both.client.tls), "bad record mac"));
        free(first);
        free(second);
        free_both(&both);
    }
}

static void record_that_is_not_one_record_is_refused(void **state)
{
    struct both both;
    uint8_t *bytes, plain[256];
    size_t len, plain_len;

    (void)state;
    for (int change = -1; change <= 1; change += 2) {
        make_both(&both, 0x0304, "server");
        assert_true(connect_plainly(&both));
        assert_int_equal(osspi_tls_seal(both.client.tls, (const uint8_t *)"x", 1), SEC_E_OK);
        len = pair_take(&both.client, &bytes);
        assert_int_equal(osspi_tls_open(both.server.tls, bytes, len + (size_t)(ptrdiff_t)change,
                                        plain, &plain_len),
                         OSSPI_TLS_BROKEN);
        assert_int_equal(osspi_tls_failure(both.server.tls), SEC_E_INVALID_TOKEN);
        free(bytes);
        free_both(&both);
    }
}

/* ---- the end ---- */

static void close_notify_closes_one_direction(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct both both;
        uint8_t out[64];
        size_t len;
        make_both(&both, version, "server");
        assert_true(connect_plainly(&both));
        drain(&both);
        assert_int_equal(osspi_tls_alert(both.client.tls, 1, 0), SEC_E_OK);
        assert_int_equal(osspi_tls_alert(both.client.tls, 1, 0), SEC_E_OK);
        assert_int_equal(pair_deliver(&both.client, &both.server, out, sizeof(out), &len),
                         OSSPI_TLS_CLOSED);
        assert_int_equal(osspi_tls_seal(both.client.tls, out, 1), SEC_E_CONTEXT_EXPIRED);
        if (version == 0x0304) {
            /* The other direction is still open (RFC 8446 6.1). */
            assert_int_equal(osspi_tls_seal(both.server.tls, (const uint8_t *)"bye", 3), SEC_E_OK);
            assert_int_equal(pair_deliver(&both.server, &both.client, out, sizeof(out), &len),
                             OSSPI_TLS_APPLICATION);
            assert_int_equal(len, 3);
        }
        assert_int_equal(osspi_tls_alert(both.server.tls, 1, 0), SEC_E_OK);
        assert_int_equal(pair_deliver(&both.server, &both.client, out, sizeof(out), &len),
                         OSSPI_TLS_CLOSED);
        free_both(&both);
    }
}

static void alert_before_keys_is_plain(void **state)
{
    struct both both;
    const uint8_t *bytes;
    size_t len;

    (void)state;
    make_both(&both, 0x0304, "server");
    const struct osspi_tls_setup setup = pair_client_setup(both.client_credential);
    assert_int_equal(pair_ours(&both.client, &setup), SEC_E_OK);
    assert_int_equal(osspi_tls_handshake(both.client.tls, NULL, 0), OSSPI_TLS_WANT_INPUT);
    osspi_tls_flight_sent(both.client.tls);
    assert_int_equal(osspi_tls_alert(both.client.tls, 2, 90), SEC_E_OK);
    osspi_tls_flight(both.client.tls, &bytes, &len);
    assert_int_equal(len, 7);
    assert_memory_equal(bytes, "\x15\x03\x03\x00\x02\x02\x5a", 7);
    assert_int_equal(osspi_tls_handshake(both.client.tls, NULL, 0), OSSPI_TLS_FAILED);
    free_both(&both);
}

static void alert_under_keys_is_close_notify_only(void **state)
{
    struct both both;
    const uint8_t *bytes;
    size_t len;

    (void)state;
    make_both(&both, 0x0304, "server");
    assert_true(connect_plainly(&both));
    assert_int_equal(osspi_tls_alert(both.client.tls, 2, 80), SEC_E_UNSUPPORTED_FUNCTION);
    osspi_tls_flight(both.client.tls, &bytes, &len);
    assert_int_equal(len, 0);
    assert_true(pair_send(&both.client, &both.server, "alive", 5));
    free_both(&both);
}

static void export_is_equal_at_both_ends(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        uint8_t a[32], b[32], c[32];
        struct both both;
        make_both(&both, version, "server");
        assert_true(connect_plainly(&both));
        assert_int_equal(osspi_tls_export(both.client.tls, "EXPERIMENTAL x", 14, NULL, 0, a, 32),
                         SEC_E_OK);
        assert_int_equal(osspi_tls_export(both.server.tls, "EXPERIMENTAL x", 14, NULL, 0, b, 32),
                         SEC_E_OK);
        assert_int_equal(osspi_tls_export(both.server.tls, "EXPERIMENTAL x", 14,
                                          (const uint8_t *)"ctx", 3, c, 32),
                         SEC_E_OK);
        assert_memory_equal(a, b, 32);
        assert_memory_not_equal(a, c, 32);
        free_both(&both);
    }
}

/* ---- bad input ---- */

static SECURITY_STATUS feed_server(const void *bytes, size_t len)
{
    struct osspi_schannel_credential *credential = pair_credential(true, "server");
    struct pair_end end;
    const struct osspi_tls_setup setup = pair_server_setup(credential);

    assert_int_equal(pair_ours(&end, &setup), SEC_E_OK);
    const enum osspi_tls_step step = osspi_tls_handshake(end.tls, bytes, len);
    const SECURITY_STATUS status = osspi_tls_failure(end.tls);
    assert_int_equal(step, OSSPI_TLS_FAILED);
    assert_true(strlen(osspi_tls_detail(end.tls)) > 0);
    assert_int_equal(osspi_tls_handshake(end.tls, bytes, len), OSSPI_TLS_FAILED);
    pair_end_clear(&end);
    pair_credential_free(credential);
    return status;
}

static void garbage_is_an_invalid_token(void **state)
{
    uint8_t http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static const uint8_t bad_version[] = {22, 9, 9, 0, 3, 1, 2, 3};
    static const uint8_t data_first[] = {23, 3, 3, 0, 3, 1, 2, 3};
    static const uint8_t bad_hello[] = {22, 3, 1, 0, 8, 1, 0, 0, 4, 3, 3, 0, 0};

    (void)state;
    assert_int_equal(feed_server(http, sizeof(http) - 1), SEC_E_INVALID_TOKEN);
    assert_int_equal(feed_server(bad_version, sizeof(bad_version)), SEC_E_INVALID_TOKEN);
    assert_int_equal(feed_server(data_first, sizeof(data_first)), SEC_E_ILLEGAL_MESSAGE);
    assert_int_equal(feed_server(bad_hello, sizeof(bad_hello)), SEC_E_ILLEGAL_MESSAGE);
    assert_int_equal(feed_server("\x16\x03\x01", 3), SEC_E_INVALID_TOKEN);
}

/* Each byte of the first flights changed in turn: never a crash, never success by accident. */
static void handshake_with_a_changed_byte_never_succeeds_silently(void **state)
{
    struct both both;

    (void)state;
    make_both(&both, 0x0304, "server");
    const struct osspi_tls_setup client = pair_client_setup(both.client_credential);
    const struct osspi_tls_setup server = pair_server_setup(both.server_credential);
    for (size_t at = 0;; at += 3) {
        uint8_t *hello;
        assert_int_equal(pair_ours(&both.client, &client), SEC_E_OK);
        assert_int_equal(pair_ours(&both.server, &server), SEC_E_OK);
        assert_int_equal(osspi_tls_handshake(both.client.tls, NULL, 0), OSSPI_TLS_WANT_INPUT);
        const size_t len = pair_take(&both.client, &hello);
        const bool last = at >= len;
        if (!last)
            hello[at] ^= 0x15;
        both.server.step = osspi_tls_handshake(both.server.tls, hello, len);
        free(hello);
        const bool ok = pair_handshake(&both.client, &both.server);
        assert_int_equal(ok, last);
        disconnect_both(&both);
        if (last)
            break;
    }
    free_both(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_tls13_ec_succeeds),
        cmocka_unit_test(handshake_tls13_rsa_succeeds),
        cmocka_unit_test(handshake_tls12_ec_succeeds),
        cmocka_unit_test(handshake_tls12_rsa_succeeds),
        cmocka_unit_test(handshake_every_suite_succeeds),
        cmocka_unit_test(handshake_two_key_types_presents_the_fitting_one),
        cmocka_unit_test(handshake_without_common_version_fails),
        cmocka_unit_test(handshake_without_common_suite_fails),
        cmocka_unit_test(handshake_suites_of_one_version_limit_the_range),
        cmocka_unit_test(new_without_any_suite_fails),
        cmocka_unit_test(new_server_without_certificate_fails),
        cmocka_unit_test(credential_check_tells_what_is_wrong),
        cmocka_unit_test(alpn_server_order_wins),
        cmocka_unit_test(alpn_without_overlap_fails),
        cmocka_unit_test(alpn_of_one_side_only_is_fine),
        cmocka_unit_test(record_of_every_size_passes),
        cmocka_unit_test(record_opens_in_its_own_memory),
        cmocka_unit_test(record_tampered_replayed_or_reordered_breaks),
        cmocka_unit_test(record_that_is_not_one_record_is_refused),
        cmocka_unit_test(close_notify_closes_one_direction),
        cmocka_unit_test(alert_before_keys_is_plain),
        cmocka_unit_test(alert_under_keys_is_close_notify_only),
        cmocka_unit_test(export_is_equal_at_both_ends),
        cmocka_unit_test(garbage_is_an_invalid_token),
        cmocka_unit_test(handshake_with_a_changed_byte_never_succeeds_silently),
    };

    return cmocka_run_group_tests_name("schannel.tls", tests, pair_set_up, NULL);
}
