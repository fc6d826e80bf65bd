/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: no memory, over handshakes with a pre-shared key, with early data and with a session by
 * id: each allocation of the library in turn fails. A clear status or none of the harm; and early
 * data that a server has accepted are never lost without a word.
 */
#include <opensspi.h>
#include <string.h>

#include "api/memory_each.h"

static const char text[] = "this came early";

/* One of the things that are walked over. */
struct walk {
    struct peer_pair pair;
    SecBuffer buffers[2];
    ULONG count;
    SECURITY_STATUS status; /* first failure */
    ULONG early;            /* status of the server's early data, after its first leg */
    bool whole;             /* these were all there */
};

static void ask(struct walk *walk)
{
    OsspiEarlyData data = {0};
    SECURITY_STATUS status;

    memory_each_hooks.arm();
    status = QueryContextAttributesA(&walk->pair.server.context, OSSPI_ATTR_EARLY_DATA, &data);
    memory_each_hooks.disarm();
    if (status == SEC_E_INSUFFICIENT_MEMORY) /* nothing was taken */
        status = QueryContextAttributesA(&walk->pair.server.context, OSSPI_ATTR_EARLY_DATA, &data);
    assert_int_equal(status, SEC_E_OK);
    walk->early = data.status;
    walk->whole = data.cbData == sizeof(text) && memcmp(data.pvData, text, sizeof(text)) == 0;
    if (data.pvData)
        assert_int_equal(FreeContextBuffer(data.pvData), SEC_E_OK);
}

/* The handshake with allocation `at` failing (0: none); gives how many there were. */
static uint64_t run(struct walk *walk, uint64_t at)
{
    struct peer_end *client = &walk->pair.client, *server = &walk->pair.server;

    client->more = walk->buffers;
    client->more_count = walk->count;
    server->more = walk->count == 2 ? walk->buffers : NULL;
    server->more_count = walk->count == 2 ? 2 : 0;
    walk->early = OSSPI_EARLY_DATA_NOT_SENT;
    memory_each_begin(at);
    walk->status = peer_step(client, server);
    if (walk->status >= 0)
        walk->status = peer_step(server, client);
    if (walk->status >= 0)
        ask(walk);
    if (walk->status >= 0)
        walk->status = peer_handshake(&walk->pair);
    at = memory_each_count();
    memory_each_begin(0);
    return at;
}

static void walk_over(struct walk *walk, bool session)
{
    uint64_t total = 100;
    unsigned told = 0;

    for (uint64_t at = 0; at <= total; at++) {
        if (session) {
            SslEmptyCacheA(NULL, 0);
            walk->pair.client.more_count = walk->pair.server.more_count = 0;
            peer_connect(&walk->pair);
            peer_exchange(&walk->pair);
            peer_disconnect(&walk->pair);
        }
        const uint64_t count = run(walk, at);

        if (at == 0) {
            assert_int_equal(walk->status, SEC_E_OK);
            total = count;
        }
        if (walk->status != SEC_E_OK)
            assert_int_equal(walk->status, SEC_E_INSUFFICIENT_MEMORY);
        else if (walk->early == OSSPI_EARLY_DATA_ACCEPTED)
            assert_true(walk->whole);
        told += walk->status != SEC_E_OK;
        peer_disconnect(&walk->pair);
    }
    print_message("%u allocations, %u told\n", (unsigned)total, told);
    assert_true(told > 0);
    peer_close(&walk->pair);
}

static void with_a_key(void **state)
{
    static uint8_t key[2 + 32] = {32}, identity[2 + 4] = {4, 0, 'n', 'a', 'm', 'e'};
    static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct peer_setup setup = {.protocols = protocols[i]};
        struct walk walk = {
            .buffers = {{sizeof(key), SECBUFFER_PRESHARED_KEY, key},
                        {sizeof(identity), SECBUFFER_PRESHARED_KEY_IDENTITY, identity}},
            .count = 2};

        peer_open(&walk.pair, memory_form(0, &memory_each_hooks), &setup);
        walk_over(&walk, false);
    }
}

static void with_early_data(void **state)
{
    OsspiTlsOptions options = {.cbSize = sizeof(options), .flags = OSSPI_TLS_EARLY_DATA};
    struct walk walk = {.buffers = {{sizeof(text), SECBUFFER_DATA, (void *)(uintptr_t)text}},
                        .count = 1};

    (void)state;
    peer_open(&walk.pair, memory_form(0, &memory_each_hooks), NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(SetCredentialsAttributesA(
                             i ? &walk.pair.client.credential : &walk.pair.server.credential,
                             OSSPI_CRED_ATTR_TLS_OPTIONS, &options, sizeof(options)),
                         SEC_E_OK);
    walk_over(&walk, true);
}

/* Without tickets, so that the session goes through the server's cache. */
static void with_a_session_by_id(void **state)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_2_CLIENT,
                                     .server_flags = SCH_CRED_DISABLE_RECONNECTS};
    struct walk walk = {.count = 0};

    (void)state;
    peer_open(&walk.pair, memory_form(0, &memory_each_hooks), &setup);
    walk_over(&walk, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_a_key),
        cmocka_unit_test(with_early_data),
        cmocka_unit_test(with_a_session_by_id),
    };

    return cmocka_run_group_tests_name("contract.keys_memory", tests, peer_set_up, NULL);
}
