/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety: nothing of a datagram connection's secrets is left in memory once its contexts are gone:
 * master secret and the keys of both directions, of a connection that was used, and of one whose
 * handshake was given up behind its Finished. They are read out of the library's own state, and
 * masked at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/context.h"
#include "packages/schannel/leg_datagram.h"
#include "packages/schannel/record_datagram.h"
#include "support/dtls_peer.h"
#include "support/memory_scan.h"

#define SECRETS 3u
#define LARGE   8192 /* a MTU for flights of one datagram */

static struct scan_secret secrets[SECRETS];

static void note(size_t index, const char *name, const uint8_t *bytes, size_t len)
{
    struct scan_secret *secret = &secrets[index];

    TEST_REQUIRE(len <= sizeof(secret->masked));
    snprintf(secret->name, sizeof(secret->name), "%s", name);
    for (size_t i = 0; i < len; i++)
        secret->masked[i] = bytes[i] ^ SCAN_MASK;
    secret->len = len;
}

static void note_all(struct osspi_datagram_keys *keys)
{
    struct osspi_datagram_key client, server;

    osspi_datagram_key_block(keys, &client, &server);
    note(0, "master secret", keys->master, sizeof(keys->master));
    note(1, "client's key", client.key, osspi_aead_key_len(keys->kind));
    note(2, "server's key", server.key, osspi_aead_key_len(keys->kind));
    osspi_secure_zero(keys, sizeof(*keys));
    osspi_secure_zero(&client, sizeof(client));
    osspi_secure_zero(&server, sizeof(server));
}

static void look(struct peer_end *end)
{
    struct osspi_context *context = osspi_context_lookup(&end->context);
    struct osspi_schannel_context *sc;
    struct osspi_datagram_keys keys;

    TEST_REQUIRE(context != NULL);
    sc = osspi_schannel(context);
    if (sc->record) {
        const struct osspi_record_datagram *record = osspi_record_of_datagram(sc->record);

        keys = (struct osspi_datagram_keys){
            .shard = record->shard, .kind = record->kind, .hash = record->hash};
        memcpy(keys.master, record->master, sizeof(keys.master));
        memcpy(keys.randoms, record->randoms, sizeof(keys.randoms));
    } else {
        TEST_REQUIRE_EQUAL(osspi_tls_datagram_keys(sc->tls, &keys), SEC_E_OK);
    }
    note_all(&keys);
    osspi_context_unref(context);
}

/* given_up: the server's last flight never comes. */
static void run(const struct peer_form *form, bool given_up)
{
    const struct peer_setup setup = {.client_flags = SCH_CRED_DISABLE_RECONNECTS,
                                     .server_flags = SCH_CRED_DISABLE_RECONNECTS};
    struct dtls_pair pair;

    dtls_open(&pair, form, &setup);
    pair.server.mtu = LARGE;
    if (given_up) {
        dtls_half_connect(&pair);
        assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    } else {
        dtls_connect(&pair);
        dtls_exchange(&pair);
    }
    look(&pair.client.end);
    (void)scan_memory(secrets, SECRETS, false);
    assert_true(secrets[0].found > 0); /* or looking would prove nothing */
    assert_true(given_up || secrets[1].found + secrets[2].found > 0);
    dtls_close(&pair);
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE); /* what sessions are kept, is */
    if (scan_memory(secrets, SECRETS, false) > 0)
        assert_int_equal(scan_memory(secrets, SECRETS, true), 0);
}

static void nothing_is_left_of_a_connection(const struct peer_form *form)
{
    run(form, false);
}

static void nothing_is_left_of_a_handshake(const struct peer_form *form)
{
    run(form, true);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(nothing_is_left_of_a_connection),
        PEER_CASE(nothing_is_left_of_a_handshake),
    };

    if (TEST_SANITIZED)
        return 77;
    return peer_run_cases("safety.dtls_wipe", cases, sizeof(cases) / sizeof(cases[0]));
}
