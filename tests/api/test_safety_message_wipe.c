/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety: traffic secrets of message mode. They are in memory while a handshake needs them; once it
 * is over and the session ticket is in, nothing of them is left, nor of a handshake that was given
 * up, or failed. Both ends are here, and the test's own copies are masked.
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/memory_scan.h"
#include "support/message_peer.h"

#define MAX_SECRETS 9u

static struct scan_secret secrets[MAX_SECRETS];
static size_t secret_count;

/* Those that an end was told. */
static void note(const struct message_end *end)
{
    for (int way = 0; way < 2; way++) {
        for (int level = MESSAGE_HANDSHAKE; level <= MESSAGE_APPLICATION; level++) {
            const struct message_secret *key = &end->keys[way][level];
            struct scan_secret *secret = &secrets[secret_count];

            if (key->len == 0)
                continue;
            TEST_REQUIRE(secret_count < MAX_SECRETS && SCAN_MASK == MESSAGE_MASK);
            snprintf(secret->name, sizeof(secret->name), "%s %s %d",
                     end->peer.server ? "server" : "client", way ? "writes" : "reads", level);
            memcpy(secret->masked, key->bytes, key->len);
            secret->len = key->len;
            secret_count++;
        }
    }
}

static void must_be_gone(const char *when)
{
    unsigned found = scan_memory(secrets, secret_count, false);

    if (found > 0) {
        fprintf(stderr, "%s:\n", when);
        (void)scan_memory(secrets, secret_count, true);
    }
    assert_int_equal(found, 0);
}

static void drop(struct message_pair *pair)
{
    message_close(pair);
    secret_count = 0;
}

static void nothing_is_left_of_a_handshake(const struct peer_form *form)
{
    for (int resumed = 0; resumed < 2; resumed++) {
        static struct message_pair pair;

        if (resumed == 0)
            SslEmptyCacheA(NULL, 0);
        message_open(&pair, form, NULL);
        message_connect(&pair);
        assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_OK); /* the ticket */
        note(&pair.client);
        note(&pair.server);
        must_be_gone("an established connection");
        message_disconnect(&pair);
        must_be_gone("a connection that was deleted");
        drop(&pair);
    }
}

static void nothing_is_left_of_half_a_handshake(const struct peer_form *form)
{
    for (int fails = 0; fails < 2; fails++) {
        static struct message_pair pair;
        size_t consumed;

        message_open(&pair, form, NULL);
        assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(message_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        note(&pair.client);
        note(&pair.server);
        assert_true(scan_memory(secrets, secret_count, false) > 0);
        if (fails)
            assert_int_equal(message_leg(&pair.client, "\x18", 1, &pair.server, &consumed),
                             SEC_E_ILLEGAL_MESSAGE);
        message_disconnect(&pair);
        must_be_gone("half a handshake that was deleted");
        drop(&pair);
    }
}

/* The result of the last leg waits for room. */
static void nothing_is_left_of_what_was_not_taken(const struct peer_form *form)
{
    static struct message_pair pair;

    message_open(&pair, form, NULL);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    pair.client.grow = false;
    pair.client.out_size = 3;
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_BUFFER_TOO_SMALL);
    note(&pair.client);
    note(&pair.server);
    message_disconnect(&pair);
    must_be_gone("a handshake that ended before its last token");
    drop(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(nothing_is_left_of_a_handshake),
        PEER_CASE(nothing_is_left_of_half_a_handshake),
        PEER_CASE(nothing_is_left_of_what_was_not_taken),
    };

    if (TEST_SANITIZED) {
        puts("memory cannot be read through with a sanitizer");
        return 77;
    }
    return peer_run_cases("safety.message_wipe", cases, sizeof(cases) / sizeof(cases[0]));
}
