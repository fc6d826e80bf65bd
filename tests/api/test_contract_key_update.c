/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: a KeyUpdate of our own accord (RFC 8446, 4.6.3): ApplyControlToken with an
 * OsspiKeyUpdateToken, then a leg without input. With and without asking the peer for one, from
 * either side, while data go both ways.
 */
#include <string.h>

#include "support/tls_later.h"

static SECURITY_STATUS want(struct peer_end *end, DWORD flags)
{
    const OsspiKeyUpdateToken token = {OSSPI_SCHANNEL_KEY_UPDATE, flags};

    return peer_control(end, &token, sizeof(token));
}

static void update(struct peer_end *end, struct peer_end *to, DWORD flags)
{
    const size_t before = to->in.len;

    assert_int_equal(want(end, flags), SEC_E_OK);
    assert_int_equal(to->in.len, before);
    assert_int_equal(later_leg(end, to), SEC_E_OK);
    assert_true(to->in.len > before);
}

static void s2_11_keys_change_on_request(const struct peer_form *form)
{
    for (int i = 0; i < 8; i++) {
        const struct peer_setup setup = {.protocols = SP_PROT_TLS1_3_CLIENT};
        const bool by_server = i & 1, no_input = i & 2;
        const DWORD flags = i & 4 ? OSSPI_KEY_UPDATE_REQUEST : 0;
        struct later_reader client, server;
        struct peer_pair pair;

        peer_open(&pair, form, &setup);
        later_reader_init(&client, &pair.client, &pair.server, no_input);
        later_reader_init(&server, &pair.server, &pair.client, no_input);
        peer_connect(&pair);
        peer_exchange(&pair);
        for (int round = 0; round < 10; round++) {
            struct peer_end *from = by_server ? &pair.server : &pair.client;
            struct peer_end *to = by_server ? &pair.client : &pair.server;
            struct later_reader *reader = by_server ? &client : &server;
            const unsigned legs = by_server ? server.legs : client.legs;

            reader->len = 0;
            assert_int_equal(peer_send(from, to, "before", 6), SEC_E_OK);
            update(from, to, flags);
            assert_int_equal(peer_send(from, to, "behind", 6), SEC_E_OK);
            assert_int_equal(peer_send(to, from, "meanwhile", 9), SEC_E_OK);
            assert_true(later_settle(&client, &server));
            assert_int_equal(reader->len, 12);
            assert_memory_equal(reader->data, "beforebehind", 12);
            /* The answer is a KeyUpdate, which makes a leg. */
            assert_int_equal((by_server ? server.legs : client.legs) - legs,
                             flags & OSSPI_KEY_UPDATE_REQUEST ? 1 : 0);
            peer_exchange(&pair);
        }
        assert_true(later_same_secrets(&pair.client, &pair.server));
        peer_close(&pair);
    }
}

/* Both ask at once, and each is answered. */
static void both_sides_ask_at_once(const struct peer_form *form)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_3_CLIENT};
    struct later_reader client, server;
    struct peer_pair pair;

    peer_open(&pair, form, &setup);
    later_reader_init(&client, &pair.client, &pair.server, false);
    later_reader_init(&server, &pair.server, &pair.client, true);
    peer_connect(&pair);
    for (int round = 0; round < 20; round++) {
        update(&pair.client, &pair.server, OSSPI_KEY_UPDATE_REQUEST);
        update(&pair.server, &pair.client, OSSPI_KEY_UPDATE_REQUEST);
        if (round % 2)
            update(&pair.client, &pair.server, 0);
        assert_true(later_settle(&client, &server));
        peer_exchange(&pair);
    }
    peer_close(&pair);
}

static void openssl_takes_them(const struct peer_form *form)
{
    for (int serve = 0; serve < 2; serve++) {
        struct raw_peer raw;
        struct peer_end end, wire = {0};

        raw_connect(&raw, &end, form, serve, TLS1_3_VERSION, "server");
        raw_exchange(&raw, &end);
        for (int round = 0; round < 6; round++) {
            update(&end, &wire, round % 2 ? OSSPI_KEY_UPDATE_REQUEST : 0);
            raw_give(&raw, &wire.in);
            raw_exchange(&raw, &end);
        }
        peer_end_free(&end);
        raw_close(&raw);
    }
}

static void s2_11_other_tokens_are_refused(const struct peer_form *form)
{
    static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        const DWORD alone = OSSPI_SCHANNEL_KEY_UPDATE;
        struct peer_pair pair;

        peer_open(&pair, form, &setup);
        peer_half_connect(&pair);
        assert_int_equal(want(&pair.client, 0), SEC_E_UNSUPPORTED_FUNCTION);
        peer_connect(&pair);
        assert_int_equal(want(&pair.client, 2), SEC_E_INVALID_TOKEN);
        assert_int_equal(want(&pair.client, ~0u), SEC_E_INVALID_TOKEN);
        assert_int_equal(peer_control(&pair.client, &alone, sizeof(alone)), SEC_E_INVALID_TOKEN);
        assert_int_equal(want(&pair.client, 0), p == 0 ? SEC_E_OK : SEC_E_UNSUPPORTED_FUNCTION);
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

static void they_wait_for_room(const struct peer_form *form)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_3_CLIENT};
    struct later_reader client, server;
    struct peer_pair pair;
    uint8_t small[8];
    struct peer_leg leg;

    peer_open(&pair, form, &setup);
    later_reader_init(&client, &pair.client, &pair.server, false);
    later_reader_init(&server, &pair.server, &pair.client, false);
    peer_connect(&pair);
    peer_exchange(&pair);
    for (int i = 0; i < 12; i++) { /* as many as fit, and more */
        assert_int_equal(want(&pair.client, OSSPI_KEY_UPDATE_REQUEST), SEC_E_OK);
        leg = peer_leg_of(&pair.client, NULL, 0, small, sizeof(small));
        leg.no_in = true;
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INSUFFICIENT_MEMORY);
    }
    assert_int_equal(peer_send(&pair.client, &pair.server, "data", 4), SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(later_leg(&pair.client, &pair.server), SEC_E_OK);
    assert_int_equal(later_leg(&pair.client, &pair.server), SEC_E_OK); /* what had no room */
    assert_true(later_settle(&client, &server));
    peer_exchange(&pair);
    peer_close(&pair);
}

static void none_is_made_behind_the_end(const struct peer_form *form)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_3_CLIENT};
    const DWORD shutdown = SCHANNEL_SHUTDOWN;
    struct later_reader server;
    struct peer_pair pair;

    peer_open(&pair, form, &setup);
    later_reader_init(&server, &pair.server, &pair.client, false);
    peer_connect(&pair);
    peer_exchange(&pair);
    /* Asked for together: the KeyUpdate goes first. */
    assert_int_equal(peer_control(&pair.client, &shutdown, sizeof(shutdown)), SEC_E_OK);
    assert_int_equal(want(&pair.client, 0), SEC_E_OK);
    assert_int_equal(later_leg(&pair.client, &pair.server), SEC_E_OK);
    assert_int_equal(later_read(&server), SEC_I_CONTEXT_EXPIRED);
    assert_int_equal(server.legs, 1);
    assert_int_equal(want(&pair.client, 0), SEC_E_OK);
    assert_int_equal(later_leg(&pair.client, &pair.server), SEC_E_CONTEXT_EXPIRED);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s2_11_keys_change_on_request), PEER_CASE(both_sides_ask_at_once),
        PEER_CASE(openssl_takes_them),           PEER_CASE(s2_11_other_tokens_are_refused),
        PEER_CASE(they_wait_for_room),           PEER_CASE(none_is_made_behind_the_end),
    };

    return peer_run_cases("contract.key_update", cases, sizeof(cases) / sizeof(cases[0]));
}
