/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: no memory, over everything a datagram connection does: cookie, fragments, a flight that
 * is lost and comes again, data, close. Every allocation of the library in turn fails: a clear
 * status, nothing left behind, and the next connection is as good as ever.
 */
#include <opensspi.h>

#include "api/memory_walk.h"
#include "support/dtls_peer.h"
#include "support/failing_alloc.h"

static uint64_t fail_at; /* counted over the walk; 0: none */
static uint64_t passed;  /* allocations in earlier calls of this walk */
static bool struck;

static void arm(void)
{
    failing_alloc_nth(fail_at > passed ? fail_at - passed : 0);
}

static void disarm(void)
{
    passed += failing_alloc_count();
    struck = struck || failing_alloc_hit();
    failing_alloc_nth(0);
}

static const struct memory_hooks hooks = {arm, disarm};

/* Until the server is done; its last flight is lost then, and has to come again. */
static SECURITY_STATUS shake_hands(struct dtls_pair *pair)
{
    SECURITY_STATUS status = dtls_step(&pair->client, &pair->server);

    while (status >= 0 && !pair->server.done) {
        struct dtls_end *end = pair->server.in.count > 0 ? &pair->server : &pair->client;

        TEST_REQUIRE(end->in.count > 0);
        status = dtls_step(end, end == &pair->server ? &pair->client : &pair->server);
    }
    dtls_clear(&pair->client.in);
    if (status >= 0)
        status = dtls_step(&pair->client, &pair->server);
    while (status >= 0 && pair->server.in.count > 0)
        status = dtls_step(&pair->server, &pair->client);
    while (status >= 0 && !pair->client.done) {
        TEST_REQUIRE(pair->client.in.count > 0);
        status = dtls_step(&pair->client, &pair->server);
    }
    return status;
}

static SECURITY_STATUS walk(struct dtls_pair *pair)
{
    SECURITY_STATUS status =
        peer_end_acquire(&pair->client.end, SP_PROT_DTLS1_2_CLIENT, 0, NULL, false);

    if (status == SEC_E_OK)
        status = peer_end_acquire(&pair->server.end, 0, 0, "server", true);
    if (status == SEC_E_OK)
        status = shake_hands(pair);
    if (status != SEC_E_OK)
        return status;
    peer_established(&pair->client.end);
    peer_established(&pair->server.end);
    status = memory_tell(&pair->client.end, &pair->server.end);
    if (status == SEC_E_OK)
        status = memory_tell(&pair->server.end, &pair->client.end);
    return status == SEC_E_OK ? memory_shut(&pair->client.end) : status;
}

static SECURITY_STATUS walk_with(size_t form, uint64_t at)
{
    static const uint8_t alpn[] = {9, 0, 0, 0, 2, 0, 0, 0, 3, 0, 2, 'h', '3'};
    struct dtls_pair pair;
    SECURITY_STATUS status;

    SslEmptyCacheA(NULL, 0);
    fail_at = at;
    passed = 0;
    struck = false;
    dtls_end_init(&pair.client, memory_form(form, &hooks), false);
    dtls_end_init(&pair.server, memory_form(form, &hooks), true);
    pair.client.mtu = pair.server.mtu = 300;
    pair.client.end.alpn = pair.server.end.alpn = alpn;
    pair.client.end.alpn_size = pair.server.end.alpn_size = sizeof(alpn);
    status = walk(&pair);
    dtls_close(&pair);
    memory_require_nothing_left();
    return status;
}

static void walk_all(size_t form)
{
    uint64_t told = 0, overcome = 0, total;

    for (int i = 0; i < 3; i++) /* what is made once is made */
        assert_int_equal(walk_with(form, 0), SEC_E_OK);
    total = passed;
    for (uint64_t at = 1; at <= total + 20; at++) {
        SECURITY_STATUS status = walk_with(form, at);

        if (status == SEC_E_INSUFFICIENT_MEMORY) {
            assert_true(struck);
            told++;
        } else if (status == SEC_E_OK) {
            overcome += struck;
        } else {
            print_error("allocation %u: %s\n", (unsigned)at, OsspiStatusName(status));
            assert_int_equal(status, SEC_E_INSUFFICIENT_MEMORY);
        }
    }
    print_message("%u allocations: %u told, %u overcome\n", (unsigned)total, (unsigned)told,
                  (unsigned)overcome);
    assert_true(told > 0);
    assert_int_equal(walk_with(form, 0), SEC_E_OK);
}

static void every_allocation_fails_sync(void **state)
{
    (void)state;
    walk_all(0);
}

static void every_allocation_fails_async(void **state)
{
    (void)state;
    walk_all(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_sync),
        cmocka_unit_test(every_allocation_fails_async),
    };

    return cmocka_run_group_tests_name("contract.dtls_memory", tests, peer_set_up, NULL);
}
