/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Whom a peer is taken for: chain, time, usage, name, at both roles, in both versions of TLS.
 */
#include <schannel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/verify.h"
#include "support/test_util.h"
#include "unit/tls_pair.h"

struct outcome {
    SECURITY_STATUS client, server;
    char client_detail[256], server_detail[256];
    size_t server_saw; /* certificates of the client */
};

static struct outcome run(const struct osspi_tls_setup *client,
                          const struct osspi_tls_setup *server)
{
    struct outcome outcome = {0};
    struct pair_end client_end, server_end;
    struct osspi_tls_facts facts = {0};

    TEST_REQUIRE(pair_ours(&client_end, client) == SEC_E_OK);
    TEST_REQUIRE(pair_ours(&server_end, server) == SEC_E_OK);
    (void)pair_handshake(&client_end, &server_end);
    if (client_end.done) { /* the server's last word, in TLS 1.3 */
        uint8_t none[16];
        size_t len;
        (void)pair_deliver(&server_end, &client_end, none, sizeof(none), &len);
    }
    outcome.client = osspi_tls_failure(client_end.tls);
    outcome.server = osspi_tls_failure(server_end.tls);
    snprintf(outcome.client_detail, sizeof(outcome.client_detail), "%s",
             osspi_tls_detail(client_end.tls));
    snprintf(outcome.server_detail, sizeof(outcome.server_detail), "%s",
             osspi_tls_detail(server_end.tls));
    if (osspi_tls_facts(server_end.tls, &facts) == SEC_E_OK) {
        outcome.server_saw = osspi_ders_count(facts.peer_chain);
        osspi_tls_facts_clear(&facts);
    }
    pair_end_clear(&client_end);
    pair_end_clear(&server_end);
    return outcome;
}

/* ---- the server's certificate ---- */

struct server_case {
    const char *identity, *target;
    SECURITY_STATUS status;
    const char *words;
};

static const struct server_case server_cases[] = {
    {"server", "server.test", SEC_E_OK, ""},
    {"server", "localhost", SEC_E_OK, ""},
    {"server", "127.0.0.1", SEC_E_OK, ""},
    {"server", "::1", SEC_E_OK, ""},
    {"server", "127.0.0.2", SEC_E_WRONG_PRINCIPAL, "IP address mismatch"},
    {"server", "other.test", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"server", "server.test.evil.test", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"server", "sub.server.test", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"server", NULL, SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"wrongname", "localhost", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"noname", "localhost", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"}, /* common name only */
    {"wildcard", "a.wild.test", SEC_E_OK, ""},
    {"wildcard", "wild.test", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"wildcard", "a.b.wild.test", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"partialwild", "local.test", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"ipname", "127.0.0.1", SEC_E_WRONG_PRINCIPAL, "IP address mismatch"}, /* dNSName only */
    {"nulname", "localhost", SEC_E_WRONG_PRINCIPAL, "hostname mismatch"},
    {"idn", "xn--mnchen-3ya.test", SEC_E_OK, ""},
    {"expired", "localhost", SEC_E_CERT_EXPIRED, "expired"},
    {"notyet", "localhost", SEC_E_CERT_EXPIRED, "not yet valid"},
    {"selfsigned", "localhost", SEC_E_UNTRUSTED_ROOT, "self-signed"},
    {"other-server", "localhost", SEC_E_UNTRUSTED_ROOT, "issuer"},
    {"clientonly", "localhost", SEC_E_CERT_UNKNOWN, "purpose"},
    {"deep", "localhost", SEC_E_CERT_UNKNOWN, "chain too long"},
};

static struct osspi_tls_setup with_target(struct osspi_schannel_credential *credential,
                                          const char *target)
{
    struct osspi_tls_setup setup = pair_client_setup(credential);

    setup.target = target;
    setup.target_is_ip = target != NULL && (strchr(target, ':') != NULL || target[0] == '1');
    setup.allow_tickets = false;
    return setup;
}

static void run_server_case(const struct server_case *test, uint16_t version)
{
    struct osspi_schannel_credential *client_credential = pair_credential(false, NULL);
    struct osspi_schannel_credential *server_credential = pair_credential(true, test->identity);

    client_credential->config->max_version = version;
    const struct osspi_tls_setup client = with_target(client_credential, test->target);
    const struct osspi_tls_setup server = pair_server_setup(server_credential);
    const struct outcome outcome = run(&client, &server);
    if (outcome.client != test->status || strstr(outcome.client_detail, test->words) == NULL)
        print_message("%s as %s: %#x %s\n", test->identity, test->target ? test->target : "nobody",
                      (unsigned)outcome.client, outcome.client_detail);
    assert_int_equal(outcome.client, test->status);
    assert_non_null(strstr(outcome.client_detail, test->words));
    assert_int_equal(outcome.server, test->status == SEC_E_OK ? SEC_E_OK : SEC_E_ILLEGAL_MESSAGE);
    pair_credential_free(client_credential);
    pair_credential_free(server_credential);
}

static void server_certificate_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(server_cases); i++) {
        run_server_case(&server_cases[i], 0x0304);
        run_server_case(&server_cases[i], 0x0303);
    }
}

static void server_certificate_unverified_passes(void **state)
{
    static const char *const identities[] = {"expired", "selfsigned", "wrongname", "clientonly"};

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(identities); i++) {
        struct osspi_schannel_credential *client_credential = pair_credential(false, NULL);
        struct osspi_schannel_credential *server_credential = pair_credential(true, identities[i]);
        struct osspi_tls_setup client = pair_client_setup(client_credential);
        const struct osspi_tls_setup server = pair_server_setup(server_credential);
        client.verify_peer = client.verify_name = false;
        assert_int_equal(run(&client, &server).client, SEC_E_OK);
        pair_credential_free(client_credential);
        pair_credential_free(server_credential);
    }
}

static void server_certificate_without_name_check_passes_any_name(void **state)
{
    struct osspi_schannel_credential *client_credential = pair_credential(false, NULL);
    struct osspi_schannel_credential *server_credential = pair_credential(true, "wrongname");
    struct osspi_tls_setup client = pair_client_setup(client_credential);
    const struct osspi_tls_setup server = pair_server_setup(server_credential);

    (void)state;
    client.verify_name = false;
    assert_int_equal(run(&client, &server).client, SEC_E_OK);
    pair_credential_free(client_credential);
    pair_credential_free(server_credential);
}

static void restricted_roots_are_the_only_roots(void **state)
{
    static const struct {
        const char *root, *identity;
        SECURITY_STATUS status;
    } cases[] = {
        {"otherca", "other-server", SEC_E_OK},
        {"otherca", "server", SEC_E_UNTRUSTED_ROOT},
        {"ca", "server", SEC_E_OK},
        {NULL, "server", SEC_E_UNTRUSTED_ROOT},
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        struct osspi_schannel_credential *client_credential = pair_credential(false, NULL);
        struct osspi_schannel_credential *server_credential =
            pair_credential(true, cases[i].identity);
        client_credential->config->flags |= SCH_CRED_RESTRICTED_ROOTS;
        client_credential->config->has_roots = true;
        if (cases[i].root != NULL)
            pair_add_root(client_credential, cases[i].root);
        const struct osspi_tls_setup client = with_target(client_credential, "localhost");
        const struct osspi_tls_setup server = pair_server_setup(server_credential);
        assert_int_equal(run(&client, &server).client, cases[i].status);
        pair_credential_free(client_credential);
        pair_credential_free(server_credential);
    }
}

/* ---- revocation: no list is there to look at ---- */

static void revocation_asked_for_is_not_skipped(void **state)
{
    static const struct {
        uint32_t flags;
        SECURITY_STATUS status;
    } cases[] = {
        {SCH_CRED_REVOCATION_CHECK_END_CERT, CRYPT_E_NO_REVOCATION_CHECK},
        {SCH_CRED_REVOCATION_CHECK_CHAIN, CRYPT_E_NO_REVOCATION_CHECK},
        {SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT, CRYPT_E_NO_REVOCATION_CHECK},
        {SCH_CRED_REVOCATION_CHECK_CHAIN | SCH_CRED_IGNORE_NO_REVOCATION_CHECK |
             SCH_CRED_IGNORE_REVOCATION_OFFLINE,
         SEC_E_OK},
        /* The test certificates name no place to ask: OFFLINE alone does not cover that. */
        {SCH_CRED_REVOCATION_CHECK_CHAIN | SCH_CRED_IGNORE_REVOCATION_OFFLINE,
         CRYPT_E_NO_REVOCATION_CHECK},
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        struct osspi_schannel_credential *client_credential = pair_credential(false, NULL);
        struct osspi_schannel_credential *server_credential = pair_credential(true, "server");
        client_credential->config->flags |= cases[i].flags;
        const struct osspi_tls_setup client = with_target(client_credential, "localhost");
        const struct osspi_tls_setup server = pair_server_setup(server_credential);
        assert_int_equal(run(&client, &server).client, cases[i].status);
        pair_credential_free(client_credential);
        pair_credential_free(server_credential);
    }
}

/* ---- the client's certificate ---- */

static void client_certificate_is_judged(void **state)
{
    static const struct {
        const char *identity;
        SECURITY_STATUS status;
        size_t seen;
    } cases[] = {
        {"client", SEC_E_OK, 1},
        {NULL, SEC_E_OK, 0},
        {"serveronly", SEC_E_CERT_UNKNOWN, 0},
        {"other-server", SEC_E_UNTRUSTED_ROOT, 0},
        {"selfsigned", SEC_E_UNTRUSTED_ROOT, 0},
    };

    (void)state;
    for (size_t i = 0; i < 2 * OSSPI_COUNT_OF(cases); i++) {
        const size_t at = i / 2;
        struct osspi_schannel_credential *client_credential =
            pair_credential(false, cases[at].identity);
        struct osspi_schannel_credential *server_credential = pair_credential(true, "server");
        client_credential->config->max_version = i % 2 ? 0x0303 : 0x0304;
        struct osspi_tls_setup client = pair_client_setup(client_credential);
        struct osspi_tls_setup server = pair_server_setup(server_credential);
        client.allow_tickets = false;
        server.request_client_cert = true;
        const struct outcome outcome = run(&client, &server);
        assert_int_equal(outcome.server, cases[at].status);
        assert_int_equal(outcome.server_saw, cases[at].seen);
        assert_int_equal(outcome.client,
                         cases[at].status == SEC_E_OK ? SEC_E_OK : SEC_E_ILLEGAL_MESSAGE);
        pair_credential_free(client_credential);
        pair_credential_free(server_credential);
    }
}

static void client_certificate_is_not_sent_unasked(void **state)
{
    struct osspi_schannel_credential *client_credential = pair_credential(false, "client");
    struct osspi_schannel_credential *server_credential = pair_credential(true, "server");
    const struct osspi_tls_setup client = pair_client_setup(client_credential);
    const struct osspi_tls_setup server = pair_server_setup(server_credential);

    (void)state;
    const struct outcome outcome = run(&client, &server);
    assert_int_equal(outcome.server, SEC_E_OK);
    assert_int_equal(outcome.server_saw, 0);
    pair_credential_free(client_credential);
    pair_credential_free(server_credential);
}

static void client_roots_of_the_server_are_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct osspi_schannel_credential *client_credential = pair_credential(false, "client");
        struct osspi_schannel_credential *server_credential = pair_credential(true, "server");
        pair_add_root(server_credential, i == 0 ? "ca" : "otherca");
        struct osspi_tls_setup client = pair_client_setup(client_credential);
        struct osspi_tls_setup server = pair_server_setup(server_credential);
        client.allow_tickets = false;
        server.request_client_cert = true;
        assert_int_equal(run(&client, &server).server, i == 0 ? SEC_E_OK : SEC_E_UNTRUSTED_ROOT);
        pair_credential_free(client_credential);
        pair_credential_free(server_credential);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_certificate_is_judged),
        cmocka_unit_test(server_certificate_unverified_passes),
        cmocka_unit_test(server_certificate_without_name_check_passes_any_name),
        cmocka_unit_test(restricted_roots_are_the_only_roots),
        cmocka_unit_test(revocation_asked_for_is_not_skipped),
        cmocka_unit_test(client_certificate_is_judged),
        cmocka_unit_test(client_certificate_is_not_sent_unasked),
        cmocka_unit_test(client_roots_of_the_server_are_its_own),
    };

    return cmocka_run_group_tests_name("schannel.verify", tests, pair_set_up, NULL);
}
