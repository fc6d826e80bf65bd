/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS connections and the process around them: threads, fork, no memory, the application's own use
 * of OpenSSL.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "packages/schannel/session.h"
#include "packages/schannel/tls_internal.h"
#include "support/test_util.h"
#include "unit/tls_pair.h"

TEST_FORKS_WITH_THREADS;

/* ---- memory of OpenSSL that fails on demand ---- */

static _Atomic long allocations;    /* since the last arm() */
static _Atomic long fail_at;        /* the nth fails; 0: none */
static _Atomic bool fail_all_after; /* and all that follow it */

static bool may_allocate(void)
{
    const long number = atomic_fetch_add(&allocations, 1) + 1;
    const long at = atomic_load(&fail_at);

    return at == 0 || (atomic_load(&fail_all_after) ? number < at : number != at);
}

static void arm(long at, bool all_after)
{
    atomic_store(&fail_at, at);
    atomic_store(&fail_all_after, all_after);
    atomic_store(&allocations, 0);
}

static void *failing_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? malloc(size) : NULL;
}

static void *failing_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? realloc(memory, size) : NULL;
}

static void plain_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* ---- helpers ---- */

struct pair_world {
    struct osspi_schannel_credential *client, *server;
};

static void make_world(struct pair_world *world)
{
    world->client = pair_credential(false, NULL);
    world->server = pair_credential(true, "server");
}

static void free_world(struct pair_world *world)
{
    pair_credential_free(world->client);
    pair_credential_free(world->server);
}

/* One whole connection, data both ways. */
static bool connect_once(const struct pair_world *world, bool tickets)
{
    struct pair_end client, server;
    struct osspi_tls_setup client_setup = pair_client_setup(world->client);
    const struct osspi_tls_setup server_setup = pair_server_setup(world->server);
    uint8_t out[64];
    size_t len;

    client_setup.allow_tickets = tickets;
    TEST_REQUIRE(pair_ours(&client, &client_setup) == SEC_E_OK);
    TEST_REQUIRE(pair_ours(&server, &server_setup) == SEC_E_OK);
    const bool ok = pair_handshake(&client, &server) &&
                    pair_deliver(&server, &client, out, sizeof(out), &len) != OSSPI_TLS_BROKEN &&
                    pair_send(&client, &server, "ping", 4) &&
                    pair_send(&server, &client, "pong", 4);
    pair_end_clear(&client);
    pair_end_clear(&server);
    return ok;
}

/* ---- threads ---- */

static void *connect_many(void *data)
{
    for (uint32_t i = 0; i < TEST_ROUNDS(60); i++)
        TEST_REQUIRE(connect_once(data, true));
    return NULL;
}

static void threads_share_credentials(void **state)
{
    struct pair_world world;
    pthread_t threads[4];

    (void)state;
    make_world(&world);
    for (size_t i = 0; i < OSSPI_COUNT_OF(threads); i++)
        threads[i] = test_thread_start(connect_many, &world);
    for (size_t i = 0; i < OSSPI_COUNT_OF(threads); i++)
        test_thread_join(threads[i]);
    free_world(&world);
}

static void *empty_cache_often(void *data)
{
    (void)data;
    for (uint32_t i = 0; i < TEST_ROUNDS(400); i++)
        osspi_schannel_empty_cache(i % 2 ? NULL : "server.test");
    return NULL;
}

static void cache_may_be_emptied_meanwhile(void **state)
{
    struct pair_world world;

    (void)state;
    make_world(&world);
    pthread_t one = test_thread_start(connect_many, &world);
    pthread_t two = test_thread_start(empty_cache_often, NULL);
    test_thread_join(one);
    test_thread_join(two);
    free_world(&world);
}

/* ---- fork ---- */

struct forked {
    struct pair_world world;
    struct pair_end half_open, established;
};

static int child_makes_its_own(void *data)
{
    struct forked *forked = data;
    uint8_t byte = 0;
    size_t len;

    /* The parent's connections say so, and may be freed. */
    TEST_REQUIRE(osspi_tls_handshake(forked->half_open.tls, NULL, 0) == OSSPI_TLS_FAILED);
    TEST_REQUIRE(osspi_tls_failure(forked->half_open.tls) == SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE(osspi_tls_seal(forked->established.tls, &byte, 1) == SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE(osspi_tls_open(forked->established.tls, &byte, 1, &byte, &len) ==
                 OSSPI_TLS_BROKEN);
    pair_end_clear(&forked->half_open);
    pair_end_clear(&forked->established);
    TEST_REQUIRE(osspi_session_count() == 0);
    for (int i = 0; i < 2; i++)
        TEST_REQUIRE(connect_once(&forked->world, true));
    TEST_REQUIRE(osspi_session_count() > 0);
    free_world(&forked->world);
    return 0;
}

static void child_of_fork_starts_afresh(void **state)
{
    struct forked forked;
    struct pair_end other;

    (void)state;
    make_world(&forked.world);
    const struct osspi_tls_setup client = pair_client_setup(forked.world.client);
    const struct osspi_tls_setup server = pair_server_setup(forked.world.server);
    TEST_REQUIRE(connect_once(&forked.world, true));
    assert_true(osspi_session_count() > 0);
    assert_int_equal(pair_ours(&forked.half_open, &client), SEC_E_OK);
    assert_int_equal(osspi_tls_handshake(forked.half_open.tls, NULL, 0), OSSPI_TLS_WANT_INPUT);
    assert_int_equal(pair_ours(&forked.established, &client), SEC_E_OK);
    assert_int_equal(pair_ours(&other, &server), SEC_E_OK);
    assert_true(pair_handshake(&forked.established, &other));

    /* AddressSanitizer of gcc 12 leaves its allocator locked in the child of a fork that another
     * thread was allocating beside; there the fork is without company. */
    pthread_t busy;
    if (!TEST_ASAN)
        busy = test_thread_start(connect_many, &forked.world);
    for (int i = 0; i < 10; i++)
        assert_int_equal(test_child_join(test_child_fork(child_makes_its_own, &forked)), 0);
    if (!TEST_ASAN)
        test_thread_join(busy);
    /* Nothing has changed for the parent. */
    assert_true(pair_send(&forked.established, &other, "still", 5));
    pair_end_clear(&forked.half_open);
    pair_end_clear(&forked.established);
    pair_end_clear(&other);
    TEST_REQUIRE(connect_once(&forked.world, true));
    free_world(&forked.world);
}

/* ---- no memory ---- */

struct attempt {
    bool made, done;
    SECURITY_STATUS failure; /* of whom it struck */
    long allocations;
};

/* Everything from the credential on, with the nth allocation of OpenSSL failing. */
static struct attempt attempt_with(long at, bool all_after)
{
    struct attempt attempt = {.failure = SEC_E_OK};
    struct pair_world world;
    struct pair_end client = {0}, server = {0};
    struct osspi_tls_facts facts = {0};

    make_world(&world);
    const struct osspi_tls_setup client_setup = pair_client_setup(world.client);
    const struct osspi_tls_setup server_setup = pair_server_setup(world.server);
    arm(at, all_after);
    attempt.failure = pair_ours(&client, &client_setup);
    if (attempt.failure == SEC_E_OK)
        attempt.failure = pair_ours(&server, &server_setup);
    attempt.made = attempt.failure == SEC_E_OK;
    if (attempt.made) {
        attempt.done = pair_handshake(&client, &server);
        attempt.failure = osspi_tls_failure(client.tls);
        if (attempt.failure == SEC_E_OK || attempt.failure == SEC_E_ILLEGAL_MESSAGE)
            attempt.failure = osspi_tls_failure(server.tls);
        if (attempt.done)
            (void)osspi_tls_facts(client.tls, &facts);
    }
    pair_end_clear(&client);
    pair_end_clear(&server);
    osspi_tls_facts_clear(&facts);
    attempt.allocations = atomic_load(&allocations);
    arm(0, false);
    free_world(&world);
    return attempt;
}

static void no_memory_in_the_tls_library_ends_cleanly(void **state)
{
    struct pair_world world;
    long memory = 0, other = 0;

    (void)state;
    make_world(&world);
    assert_true(connect_once(&world, false));
    const struct attempt whole = attempt_with(0, false);
    assert_true(whole.done);

    const long step = TEST_SANITIZED ? 41 : 13;
    for (long at = 1; at < whole.allocations + 50; at += step) {
        const struct attempt attempt = attempt_with(at, at % 2 != 0);
        if (attempt.failure == SEC_E_INSUFFICIENT_MEMORY)
            memory++;
        else if (attempt.failure != SEC_E_OK)
            other++;
    }
    print_message("of %ld allocations: %ld failures told as no memory, %ld as something else\n",
                  whole.allocations, memory, other);
    assert_true(memory > 0);
    /* Memory is back: nothing has been left half made. */
    assert_true(connect_once(&world, true));
    free_world(&world);
}

/* In a child no shard is made yet: shards, trust and configuration meet the lack of memory too.
 * What OpenSSL sets up once for the process may stay broken then, so success is not asked for, only
 * that each attempt has an orderly end. */
static int child_makes_all_without_memory(void *data)
{
    const long at = *(const long *)data;

    (void)attempt_with(at, at % 2 != 0);
    const struct attempt again = attempt_with(0, false);
    TEST_REQUIRE(again.done == (again.failure == SEC_E_OK));
    return 0;
}

static void no_memory_at_first_use_ends_cleanly(void **state)
{
    (void)state;
    for (long at = 1; at < 20000; at += TEST_SANITIZED ? 1999 : 173)
        assert_int_equal(test_child_join(test_child_fork(child_makes_all_without_memory, &at)), 0);
}

/* ---- the application's own OpenSSL ---- */

static void application_keeps_its_configuration(void **state)
{
    struct pair_world world;

    (void)state;
    SSL_CTX *before = SSL_CTX_new(TLS_client_method());
    assert_non_null(before);
    const int level = SSL_CTX_get_security_level(before);
    make_world(&world);
    assert_true(connect_once(&world, false));
    SSL_CTX *after = SSL_CTX_new(TLS_client_method());
    assert_non_null(after);
    assert_int_equal(SSL_CTX_get_security_level(after), level);
    assert_int_equal(SSL_CTX_get_min_proto_version(after), SSL_CTX_get_min_proto_version(before));
    assert_int_equal(ERR_peek_error(), 0);
    SSL_CTX_free(before);
    SSL_CTX_free(after);
    free_world(&world);
}

static void stale_error_of_the_application_does_no_harm(void **state)
{
    struct pair_world world;

    (void)state;
    make_world(&world);
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
    assert_true(connect_once(&world, false));
    ERR_clear_error();
    free_world(&world);
}

static void shards_are_as_many_as_cpus_at_most(void **state)
{
    (void)state;
    assert_true(osspi_shard_count() >= 1 && osspi_shard_count() <= OSSPI_MAX_SHARDS);
    assert_ptr_equal(osspi_shard_get(0), osspi_shard_get(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(application_keeps_its_configuration),
        cmocka_unit_test(stale_error_of_the_application_does_no_harm),
        cmocka_unit_test(shards_are_as_many_as_cpus_at_most),
        cmocka_unit_test(threads_share_credentials),
        cmocka_unit_test(cache_may_be_emptied_meanwhile),
        cmocka_unit_test(child_of_fork_starts_afresh),
        cmocka_unit_test(no_memory_in_the_tls_library_ends_cleanly),
        cmocka_unit_test(no_memory_at_first_use_ends_cleanly),
    };

    /* Before anybody has used OpenSSL. */
    if (!CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free))
        return 1;
    return cmocka_run_group_tests_name("schannel.process", tests, pair_set_up, NULL);
}
