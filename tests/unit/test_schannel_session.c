/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Resumption: who may resume what, the client's cache, the server's tickets and their keys.
 */
#include <schannel.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "packages/schannel/session.h"
#include "packages/schannel/ticket.h"
#include "packages/schannel/tls_internal.h"
#include "support/test_util.h"
#include "unit/tls_pair.h"

/* ---- connections ---- */

struct world {
    struct osspi_schannel_credential *client, *server;
    struct osspi_tls_setup client_setup, server_setup;
};

static void make_world(struct world *world, uint16_t version)
{
    osspi_schannel_empty_cache(NULL);
    world->client = pair_credential(false, NULL);
    world->server = pair_credential(true, "server");
    world->client->config->max_version = version;
    world->client_setup = pair_client_setup(world->client);
    world->server_setup = pair_server_setup(world->server);
}

static void free_world(struct world *world)
{
    pair_credential_free(world->client);
    pair_credential_free(world->server);
}

/* One connection; was it resumed? Both ends must agree, and data must pass. */
static bool is_resumed(const struct world *world)
{
    struct pair_end client, server;
    struct osspi_tls_facts client_facts, server_facts;
    uint8_t none[16];
    size_t len;

    TEST_REQUIRE(pair_ours(&client, &world->client_setup) == SEC_E_OK);
    TEST_REQUIRE(pair_ours(&server, &world->server_setup) == SEC_E_OK);
    TEST_REQUIRE(pair_handshake(&client, &server));
    TEST_REQUIRE(osspi_tls_facts(client.tls, &client_facts) == SEC_E_OK);
    TEST_REQUIRE(osspi_tls_facts(server.tls, &server_facts) == SEC_E_OK);
    TEST_REQUIRE(client_facts.resumed == server_facts.resumed);
    /* Who resumes still knows whom it talks to. */
    TEST_REQUIRE(osspi_ders_count(client_facts.peer_chain) == 2);
    TEST_REQUIRE(osspi_ders_count(server_facts.local_chain) == 2);
    TEST_REQUIRE(client_facts.tls_unique_len == server_facts.tls_unique_len);
    TEST_REQUIRE(client_facts.tls_unique_len == 0 ||
                 memcmp(osspi_tls_facts_unique(&client_facts),
                        osspi_tls_facts_unique(&server_facts), client_facts.tls_unique_len) == 0);
    (void)pair_deliver(&server, &client, none, sizeof(none), &len);
    TEST_REQUIRE(pair_send(&client, &server, "ping", 4));
    const bool resumed = client_facts.resumed;
    osspi_tls_facts_clear(&client_facts);
    osspi_tls_facts_clear(&server_facts);
    pair_end_clear(&client);
    pair_end_clear(&server);
    return resumed;
}

static void second_connection_resumes(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct world world;
        make_world(&world, version);
        assert_false(is_resumed(&world));
        assert_int_equal(osspi_session_count(), 1);
        for (int i = 0; i < 5; i++)
            assert_true(is_resumed(&world));
        free_world(&world);
        assert_int_equal(osspi_session_count(), 0); /* went with the credential */
    }
}

static void other_target_or_credential_does_not_resume(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct world world;
        struct osspi_schannel_credential *other = pair_credential(false, NULL);
        make_world(&world, version);
        assert_false(is_resumed(&world));
        world.client_setup.target = "localhost";
        assert_false(is_resumed(&world));
        world.client_setup.target = "server.test";
        world.client_setup.credential = other;
        assert_false(is_resumed(&world));
        world.client_setup.credential = world.client;
        assert_true(is_resumed(&world));
        pair_credential_free(other);
        free_world(&world);
    }
}

static void no_target_does_not_resume(void **state)
{
    struct world world;

    (void)state;
    make_world(&world, 0x0304);
    world.client_setup.target = NULL;
    world.client_setup.verify_name = false;
    assert_false(is_resumed(&world));
    assert_int_equal(osspi_session_count(), 0);
    assert_false(is_resumed(&world));
    free_world(&world);
}

static void session_serves_equal_or_weaker_verification_only(void **state)
{
    static const struct {
        bool had_chain, had_name, wants_chain, wants_name, resumes;
    } cases[] = {
        {false, false, true, true, false}, {false, false, false, true, false},
        {true, false, true, true, false},  {true, false, false, true, false},
        {false, true, true, false, false}, {false, false, false, false, true},
        {true, true, true, true, true},    {true, true, true, false, true},
        {true, true, false, false, true},  {true, false, true, false, true},
    };

    (void)state;
    for (size_t i = 0; i < 2 * OSSPI_COUNT_OF(cases); i++) {
        const size_t at = i / 2;
        struct world world;
        make_world(&world, i % 2 ? 0x0303 : 0x0304);
        world.client_setup.verify_peer = cases[at].had_chain;
        world.client_setup.verify_name = cases[at].had_name;
        assert_false(is_resumed(&world));
        world.client_setup.verify_peer = cases[at].wants_chain;
        world.client_setup.verify_name = cases[at].wants_name;
        assert_int_equal(is_resumed(&world), cases[at].resumes);
        free_world(&world);
    }
}

/* A resumed connection verifies nothing itself; its ticket inherits what the first one verified. */
static void unverified_session_stays_unverified_through_renewal(void **state)
{
    struct world world;

    (void)state;
    make_world(&world, 0x0304);
    world.client_setup.verify_peer = world.client_setup.verify_name = false;
    assert_false(is_resumed(&world));
    assert_true(is_resumed(&world));
    assert_true(is_resumed(&world));
    world.client_setup.verify_peer = world.client_setup.verify_name = true;
    assert_false(is_resumed(&world));
    assert_true(is_resumed(&world));
    free_world(&world);
}

static void tickets_off_means_no_resumption(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct world world;
        make_world(&world, i & 1 ? 0x0303 : 0x0304);
        if (i / 2 == 0)
            world.client_setup.allow_tickets = false;
        else if (i / 2 == 1)
            world.server_setup.allow_tickets = false;
        else if (i / 2 == 2)
            world.client->config->flags |= SCH_CRED_DISABLE_RECONNECTS;
        else
            world.server->config->flags |= SCH_CRED_DISABLE_RECONNECTS;
        assert_false(is_resumed(&world));
        assert_false(is_resumed(&world));
        /* TLS 1.2 gives the session an id all the same, which the server may yet allow to serve. */
        assert_int_equal(osspi_session_count(), (i & 1) && (i / 2) % 2 == 1);
        free_world(&world);
    }
}

static void tls13_ticket_serves_once(void **state)
{
    struct world world;
    struct pair_end a, b;

    (void)state;
    make_world(&world, 0x0304);
    assert_false(is_resumed(&world));
    assert_int_equal(osspi_session_count(), 1);
    assert_int_equal(pair_ours(&a, &world.client_setup), SEC_E_OK);
    assert_int_equal(osspi_session_count(), 0);
    assert_int_equal(pair_ours(&b, &world.client_setup), SEC_E_OK);
    assert_true(a.tls->offered_session);
    assert_false(b.tls->offered_session);
    pair_end_clear(&a);
    pair_end_clear(&b);
    free_world(&world);
}

static void failed_handshake_forgets_the_session(void **state)
{
    struct world world;
    struct pair_end client;
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};

    (void)state;
    make_world(&world, 0x0303);
    assert_false(is_resumed(&world));
    assert_int_equal(pair_ours(&client, &world.client_setup), SEC_E_OK);
    assert_int_equal(osspi_tls_handshake(client.tls, NULL, 0), OSSPI_TLS_WANT_INPUT);
    assert_int_equal(osspi_session_count(), 1);
    assert_int_equal(osspi_tls_handshake(client.tls, alert, sizeof(alert)), OSSPI_TLS_FAILED);
    assert_int_equal(osspi_session_count(), 0);
    pair_end_clear(&client);
    assert_false(is_resumed(&world));
    free_world(&world);
}

static void empty_cache_by_target(void **state)
{
    struct world world;

    (void)state;
    make_world(&world, 0x0303);
    assert_false(is_resumed(&world));
    osspi_schannel_empty_cache("other.test");
    assert_true(is_resumed(&world));
    osspi_schannel_empty_cache("SERVER.test.");
    assert_false(is_resumed(&world));
    osspi_schannel_empty_cache(NULL);
    assert_int_equal(osspi_session_count(), 0);
    free_world(&world);
}

/* ---- the server's policy ---- */

static void session_without_client_certificate_does_not_serve_a_server_that_asks(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct world world;
        make_world(&world, version);
        assert_false(is_resumed(&world));
        world.server_setup.request_client_cert = true;
        assert_false(is_resumed(&world));
        assert_true(is_resumed(&world));
        world.server_setup.verify_peer = false;
        assert_false(is_resumed(&world));
        free_world(&world);
    }
}

static void session_of_another_server_credential_does_not_serve(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct world world;
        make_world(&world, version);
        struct osspi_schannel_credential *other = pair_credential(true, "server");
        assert_false(is_resumed(&world));
        world.server_setup.credential = other;
        assert_false(is_resumed(&world));
        pair_credential_free(other);
        free_world(&world);
    }
}

static void client_certificate_is_known_after_resumption(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct world world;
        make_world(&world, version);
        pair_add_identity(world.client, "client", "client");
        world.server_setup.request_client_cert = true;
        assert_false(is_resumed(&world));
        struct pair_end client, server;
        struct osspi_tls_facts facts;
        assert_int_equal(pair_ours(&client, &world.client_setup), SEC_E_OK);
        assert_int_equal(pair_ours(&server, &world.server_setup), SEC_E_OK);
        assert_true(pair_handshake(&client, &server));
        assert_int_equal(osspi_tls_facts(server.tls, &facts), SEC_E_OK);
        assert_true(facts.resumed);
        assert_int_equal(osspi_ders_count(facts.peer_chain), 1);
        osspi_tls_facts_clear(&facts);
        pair_end_clear(&client);
        pair_end_clear(&server);
        free_world(&world);
    }
}

static void ticket_from_another_key_gives_a_full_handshake(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct world world;
        struct osspi_ticket_key key;
        make_world(&world, version);
        assert_false(is_resumed(&world));
        /* Two rotations on, nobody knows the key any more. */
        assert_true(osspi_ticket_sealing_key(0, &key));
        assert_true(osspi_ticket_sealing_key((int64_t)time(NULL), &key));
        assert_false(is_resumed(&world));
        assert_true(is_resumed(&world));
        free_world(&world);
    }
}

static void lifespan_counts_from_the_first_handshake(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct world world;
        make_world(&world, version);
        world.client->config->session_lifespan_s = 0;
        assert_false(is_resumed(&world));
        assert_int_equal(osspi_session_count(), 0);
        free_world(&world);

        make_world(&world, version);
        world.server->config->session_lifespan_s = 1;
        assert_false(is_resumed(&world));
        nanosleep(&(struct timespec){.tv_sec = 2, .tv_nsec = 100000000}, NULL);
        assert_false(is_resumed(&world));
        free_world(&world);
    }
}

/* A session that is offered and declined leaves nothing behind in the one that follows. */
static void declined_session_does_not_shorten_the_next(void **state)
{
    const struct osspi_session_origin soon = {true, true, INT64_MAX, (int64_t)time(NULL) + 30};
    struct osspi_session_origin origin;
    struct osspi_ticket_key key;
    struct world world;
    uint32_t shard = 0;

    (void)state;
    make_world(&world, 0x0304);
    const struct osspi_session_name name = {world.client->id, "server.test"};
    assert_false(is_resumed(&world));
    SSL_SESSION *session = osspi_session_take(&name, true, true, &shard, &origin);
    assert_non_null(session);
    osspi_session_store(&name, shard, session, &soon);
    assert_true(osspi_ticket_sealing_key(0, &key));
    assert_true(osspi_ticket_sealing_key((int64_t)time(NULL), &key));
    assert_false(is_resumed(&world));
    session = osspi_session_take(&name, true, true, &shard, &origin);
    assert_non_null(session);
    assert_true(origin.expires > (int64_t)time(NULL) + 1000);
    SSL_SESSION_free(session);
    free_world(&world);
}

static void reconnects_disabled_before_the_end_gives_no_session(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pair_end client, server;
        struct world world;
        uint8_t none[16];
        size_t len;
        make_world(&world, i & 1 ? 0x0303 : 0x0304);
        assert_int_equal(pair_ours(&client, &world.client_setup), SEC_E_OK);
        assert_int_equal(pair_ours(&server, &world.server_setup), SEC_E_OK);
        osspi_tls_reconnects(i / 2 ? client.tls : server.tls, false);
        assert_true(pair_handshake(&client, &server));
        (void)pair_deliver(&server, &client, none, sizeof(none), &len);
        assert_int_equal(osspi_session_count(), (i & 1) && i / 2 == 0); /* an id, as above */
        pair_end_clear(&client);
        pair_end_clear(&server);
        free_world(&world);
    }
}

/* ---- keys ---- */

static void ticket_keys_rotate(void **state)
{
    struct osspi_ticket_key first, second, third, opened;
    const int64_t start = 1000000;
    bool old;

    (void)state;
    assert_true(osspi_ticket_sealing_key(start, &first));
    assert_true(osspi_ticket_sealing_key(start + OSSPI_TICKET_ROTATE_S - 1, &second));
    assert_memory_equal(&first, &second, sizeof(first));
    assert_true(osspi_ticket_opening_key(start, first.name, &opened, &old));
    assert_false(old);

    assert_true(osspi_ticket_sealing_key(start + OSSPI_TICKET_ROTATE_S, &second));
    assert_memory_not_equal(&first, &second, sizeof(first));
    assert_true(osspi_ticket_opening_key(start + OSSPI_TICKET_ROTATE_S, first.name, &opened, &old));
    assert_true(old);
    assert_memory_equal(&first, &opened, sizeof(first));
    assert_false(
        osspi_ticket_opening_key(start + 2 * OSSPI_TICKET_ROTATE_S, first.name, &opened, &old));

    assert_true(osspi_ticket_sealing_key(start + 2 * OSSPI_TICKET_ROTATE_S, &third));
    assert_false(
        osspi_ticket_opening_key(start + OSSPI_TICKET_ROTATE_S, first.name, &opened, &old));
    assert_true(
        osspi_ticket_opening_key(start + 2 * OSSPI_TICKET_ROTATE_S, second.name, &opened, &old));
    /* Back to the present, for the tests that follow. */
    assert_true(osspi_ticket_sealing_key((int64_t)time(NULL), &third));
}

/* ---- the cache alone ---- */

static SSL_SESSION *fake_session(int version)
{
    SSL_SESSION *session = SSL_SESSION_new();

    assert_non_null(session);
    assert_int_equal(SSL_SESSION_set_protocol_version(session, version), 1);
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
    SSL_SESSION_set_time_ex(session, time(NULL));
#else
    SSL_SESSION_set_time(session, time(NULL));
#endif
    SSL_SESSION_set_timeout(session, 1000);
    return session;
}

static const struct osspi_session_origin good = {true, true, INT64_MAX, INT64_MAX};

static void cache_is_bounded_and_forgets_the_oldest(void **state)
{
    struct osspi_session_origin origin;
    uint32_t shard = 0;
    char target[32];

    (void)state;
    osspi_schannel_empty_cache(NULL);
    for (int i = 0; i < 2000; i++) {
        snprintf(target, sizeof(target), "host%d.test", i);
        osspi_session_store(&(struct osspi_session_name){1, target}, 0, fake_session(0x0303),
                            &good);
    }
    assert_int_equal(osspi_session_count(), 1024);
    const struct osspi_session_name oldest = {1, "host0.test"}, newest = {1, "host1999.test"};
    assert_null(osspi_session_take(&oldest, true, true, &shard, &origin));
    SSL_SESSION *session = osspi_session_take(&newest, true, true, &shard, &origin);
    assert_non_null(session);
    SSL_SESSION_free(session);
    assert_int_equal(osspi_session_count(), 1024); /* a TLS 1.2 session stays */
    osspi_session_forget_credential(2);
    assert_int_equal(osspi_session_count(), 1024);
    osspi_session_forget(&newest);
    assert_int_equal(osspi_session_count(), 1023);
    osspi_session_forget_credential(1);
    assert_int_equal(osspi_session_count(), 0);
}

static void cache_drops_what_is_past_its_time(void **state)
{
    const struct osspi_session_name name = {1, "a.test"};
    const int64_t now = (int64_t)time(NULL);
    const struct osspi_session_origin expired_chain = {true, true, now - 1, INT64_MAX};
    const struct osspi_session_origin expired = {true, true, INT64_MAX, now};
    const struct osspi_session_origin soon = {true, true, now + 2, INT64_MAX};
    struct osspi_session_origin origin;
    uint32_t shard = 0;

    (void)state;
    osspi_session_store(&name, 0, fake_session(0x0303), &expired_chain);
    osspi_session_store(&name, 0, fake_session(0x0303), &expired);
    /* A TLS 1.3 ticket without a lifetime is not to be kept (RFC 8446 4.6.1). */
    osspi_session_store(&name, 0, fake_session(0x0304), &good);
    assert_int_equal(osspi_session_count(), 0);
    osspi_session_store(&name, 0, fake_session(0x0303), &soon);
    assert_int_equal(osspi_session_count(), 1);
    nanosleep(&(struct timespec){.tv_sec = 2, .tv_nsec = 100000000}, NULL);
    assert_null(osspi_session_take(&name, true, true, &shard, &origin));
    assert_int_equal(osspi_session_count(), 0);
}

static void cache_prefers_the_shard_of_the_caller(void **state)
{
    const struct osspi_session_name name = {1, "a.test"};
    struct osspi_session_origin origin;
    uint32_t shard = 7;

    (void)state;
    osspi_session_store(&name, 3, fake_session(0x0303), &good);
    SSL_SESSION *session = osspi_session_take(&name, true, true, &shard, &origin);
    assert_non_null(session);
    assert_int_equal(shard, 3); /* a session of another shard moves the connection there */
    SSL_SESSION_free(session);
    osspi_schannel_empty_cache(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_connection_resumes),
        cmocka_unit_test(other_target_or_credential_does_not_resume),
        cmocka_unit_test(no_target_does_not_resume),
        cmocka_unit_test(session_serves_equal_or_weaker_verification_only),
        cmocka_unit_test(unverified_session_stays_unverified_through_renewal),
        cmocka_unit_test(tickets_off_means_no_resumption),
        cmocka_unit_test(tls13_ticket_serves_once),
        cmocka_unit_test(failed_handshake_forgets_the_session),
        cmocka_unit_test(empty_cache_by_target),
        cmocka_unit_test(session_without_client_certificate_does_not_serve_a_server_that_asks),
        cmocka_unit_test(session_of_another_server_credential_does_not_serve),
        cmocka_unit_test(client_certificate_is_known_after_resumption),
        cmocka_unit_test(ticket_from_another_key_gives_a_full_handshake),
        cmocka_unit_test(lifespan_counts_from_the_first_handshake),
        cmocka_unit_test(declined_session_does_not_shorten_the_next),
        cmocka_unit_test(reconnects_disabled_before_the_end_gives_no_session),
        cmocka_unit_test(ticket_keys_rotate),
        cmocka_unit_test(cache_is_bounded_and_forgets_the_oldest),
        cmocka_unit_test(cache_drops_what_is_past_its_time),
        cmocka_unit_test(cache_prefers_the_shard_of_the_caller),
    };

    return cmocka_run_group_tests_name("schannel.session", tests, pair_set_up, NULL);
}
