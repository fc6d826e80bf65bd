/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Two QUIC ends in one process, with a clock of their own; see quic_end.h. When neither has
 * anything to send, the clock jumps to the next time at which one of them wants to be woken.
 */
#include <stdlib.h>
#include <string.h>

#include "quic_end.h"

#define ROUNDS_MAX 2000u
#define START_NS   (1000 * NGTCP2_SECONDS)

void quic_pair_init(struct quic_pair *pair)
{
    *pair = (struct quic_pair){.now_ns = START_NS};
    quic_end_init(&pair->client, false, &pair->now_ns);
    quic_end_init(&pair->server, true, &pair->now_ns);
}

void quic_pair_free(struct quic_pair *pair)
{
    quic_end_free(&pair->client);
    quic_end_free(&pair->server);
}

static void deliver(struct quic_pair *pair, struct quic_end *to, struct peer_stream *datagram)
{
    struct quic_end *back = to->server ? &pair->client : &pair->server;
    struct peer_stream reply = {0};

    if (datagram->len > 0 &&
        (pair->lose_every == 0 || test_random(&pair->dice) % pair->lose_every != 0))
        quic_end_read(to, datagram->bytes, datagram->len, &reply);
    peer_clear(datagram);
    /* A CONNECTION_CLOSE, which is not lost and has no answer. */
    if (reply.len > 0) {
        struct peer_stream nothing = {0};

        quic_end_read(back, reply.bytes, reply.len, &nothing);
        TEST_REQUIRE(nothing.len == 0);
        peer_clear(&reply);
    }
}

static bool move(struct quic_pair *pair, struct quic_end *from, struct quic_end *to)
{
    struct peer_stream datagram = {0};
    bool moved = false;

    while (quic_end_write(from, &datagram)) {
        deliver(pair, to, &datagram);
        moved = true;
    }
    deliver(pair, to, &datagram); /* what closes the connection, if that is why */
    return moved;
}

static uint64_t expiry_of(const struct quic_end *end)
{
    return end->conn && !end->over ? ngtcp2_conn_get_expiry(end->conn) : UINT64_MAX;
}

/* The clock jumps; false: nobody wants to be woken within the time limit. */
static bool pass_time(struct quic_pair *pair, uint64_t limit_ns)
{
    uint64_t client = expiry_of(&pair->client), server = expiry_of(&pair->server);
    uint64_t next = client < server ? client : server;

    if (next > limit_ns)
        return false;
    if (next > pair->now_ns)
        pair->now_ns = next;
    else
        pair->now_ns += NGTCP2_MICROSECONDS;
    for (int i = 0; i < 2; i++) {
        struct quic_end *end = i ? &pair->server : &pair->client;
        int error = 0;

        if (expiry_of(end) <= pair->now_ns)
            error = ngtcp2_conn_handle_expiry(end->conn, pair->now_ns);
        if (error != 0) { /* idle for too long */
            print_message("the %s gives up: %s\n", i ? "server" : "client", ngtcp2_strerror(error));
            end->over = true;
        }
    }
    return true;
}

static bool both_over(const struct quic_pair *pair)
{
    return pair->client.over && (pair->server.over || !pair->server.conn);
}

void quic_pair_run(struct quic_pair *pair, bool (*done)(const struct quic_pair *pair))
{
    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        bool moved = move(pair, &pair->client, &pair->server);

        moved = move(pair, &pair->server, &pair->client) || moved;
        if (done(pair) || both_over(pair))
            return;
        if (!moved && !pass_time(pair, UINT64_MAX - 1))
            break;
    }
    TEST_REQUIRE(!"the connection gets anywhere");
}

static bool have_shaken_hands(const struct quic_pair *pair)
{
    return quic_end_completed(&pair->client) && quic_end_completed(&pair->server);
}

void quic_pair_shake_hands(struct quic_pair *pair)
{
    if (!pair->client.conn)
        quic_end_connect(&pair->client);
    quic_pair_run(pair, have_shaken_hands);
}

static bool have_exchanged(const struct quic_pair *pair)
{
    return pair->client.received_all && pair->server.received_all;
}

void quic_pair_exchange(struct quic_pair *pair, size_t len)
{
    uint8_t *question = calloc(1, len);

    TEST_REQUIRE(question != NULL);
    for (size_t i = 0; i < len; i++)
        question[i] = (uint8_t)(i * 7 + i / 256);
    quic_end_say(&pair->client, question, len);
    quic_pair_run(pair, have_exchanged);
    TEST_REQUIRE(have_exchanged(pair));
    TEST_REQUIRE_EQUAL(pair->server.received.len, len);
    TEST_REQUIRE(memcmp(pair->server.received.bytes, question, len) == 0);
    TEST_REQUIRE_EQUAL(pair->client.received.len, len);
    TEST_REQUIRE(memcmp(pair->client.received.bytes, question, len) == 0);
    free(question);
}

void quic_pair_settle(struct quic_pair *pair)
{
    uint64_t limit_ns = pair->now_ns + 5 * NGTCP2_SECONDS;

    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        bool moved = move(pair, &pair->client, &pair->server);

        moved = move(pair, &pair->server, &pair->client) || moved;
        if (!moved && !pass_time(pair, limit_ns))
            return;
    }
    TEST_REQUIRE(!"the connection comes to rest");
}
