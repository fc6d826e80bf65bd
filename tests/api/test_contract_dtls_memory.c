/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: no memory, over everything a datagram connection does: cookie, fragments, a flight that
 * is lost and comes again, data, close. Every allocation of the library in turn fails: a clear
 * status, nothing left behind, and the next connection is as good as ever.
 */
#include <opensspi.h>

#include "api/memory_each.h"
#include "support/dtls_peer.h"

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

static SECURITY_STATUS walk_pair(struct dtls_pair *pair)
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

static SECURITY_STATUS walk(const struct peer_form *form, DWORD protocols)
{
    static const uint8_t alpn[] = {9, 0, 0, 0, 2, 0, 0, 0, 3, 0, 2, 'h', '3'};
    struct dtls_pair pair;
    SECURITY_STATUS status;

    (void)protocols; /* DTLS 1.2 */
    dtls_end_init(&pair.client, form, false);
    dtls_end_init(&pair.server, form, true);
    pair.client.mtu = pair.server.mtu = 300;
    pair.client.end.alpn = pair.server.end.alpn = alpn;
    pair.client.end.alpn_size = pair.server.end.alpn_size = sizeof(alpn);
    status = walk_pair(&pair);
    dtls_close(&pair);
    return status;
}

static void walk_all(size_t form)
{
    memory_each_allocation(memory_form(form, &memory_each_hooks), walk, 0);
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
