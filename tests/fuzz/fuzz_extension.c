/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: generic extensions. The buffers with which a caller sends and subscribes, taken from
 * the input as they are or with lengths that fit, on both sides, with records and without; and
 * extensions of a ClientHello that no good client would send.
 *
 * Input: one byte of options, one with the side of whom the odd buffers are, then a SEND and a
 * SUBSCRIBE buffer, each with 16 bits of length before it; the rest is put behind the extensions of
 * a genuine ClientHello (in message mode).
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz_quic.h"

#define CODE 0xFE39 /* nobody's */

void fuzz_prepare(void)
{
    for (int records = 0; records < 2; records++) {
        struct fuzz_quic client, server;

        fuzz_quic_init(&client, fuzz_client(FUZZ_CLIENT_ANY), false);
        fuzz_quic_init(&server, fuzz_server(FUZZ_SERVER_EC), true);
        client.records = server.records = records != 0;
        client.secrets = server.secrets = records != 0 ? 0 : FUZZ_SECRETS;
        TEST_REQUIRE(fuzz_quic_connect(&client, &server));
        fuzz_quic_free(&client);
        fuzz_quic_free(&server);
    }
}

static struct peer_stream take(struct fuzz_input *input)
{
    struct peer_stream made = {0};
    size_t len;
    uint8_t *bytes = fuzz_take(input, fuzz_u16(input), &len);

    peer_push(&made, bytes, len);
    free(bytes);
    return made;
}

/* Makes the numbers around the data fit, so that the data gets further. */
static void fit(struct fuzz_quic *end)
{
    SEND_GENERIC_TLS_EXTENSION send = {0};
    const size_t head = offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer);

    if (end->send.len >= head && end->send.len - head <= UINT16_MAX) {
        memcpy(&send, end->send.bytes, head);
        send.HandshakeType = end->server ? 8 : 1;
        send.Flags = 0;
        send.BufferSize = (WORD)(end->send.len - head);
        memcpy(end->send.bytes, &send, head);
    }
    if (end->wanted.len >= 12) {
        const DWORD numbers[2] = {0, (DWORD)((end->wanted.len - 8) / 4)};

        memcpy(end->wanted.bytes, numbers, sizeof(numbers));
    }
}

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static size_t get16(const uint8_t *at)
{
    return at[0] * 256u + at[1];
}

/* Appends to the extensions of the ClientHello in `hello`, and mends the lengths. */
static void extend(struct peer_stream *hello, const uint8_t *bytes, size_t len)
{
    size_t at = 4 + 2 + 32;

    if (hello->len < at + 1 || hello->bytes[0] != 1 || len == 0)
        return;
    at += 1u + hello->bytes[at];
    at += 2 + get16(hello->bytes + at);
    at += 1u + hello->bytes[at];
    TEST_REQUIRE(at + 2 + get16(hello->bytes + at) == hello->len);
    peer_push(hello, bytes, len);
    put16(hello->bytes + at, hello->len - at - 2);
    put16(hello->bytes + 2, hello->len - 4);
}

/* What one sent is what the other was told. A server sends none that the client has not sent. */
static void check(const struct fuzz_quic *from, const struct fuzz_quic *to)
{
    const size_t head = offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer);
    SEND_GENERIC_TLS_EXTENSION send, theirs = {0};
    SUBSCRIBE_GENERIC_TLS_EXTENSION wanted;

    if (from->send.len < head || to->wanted.len != sizeof(wanted))
        return;
    memcpy(&send, from->send.bytes, head);
    memcpy(&wanted, to->wanted.bytes, sizeof(wanted));
    if (to->send.len >= head)
        memcpy(&theirs, to->send.bytes, head);
    if (from->server && theirs.ExtensionType != send.ExtensionType)
        return;
    if (send.ExtensionType != wanted.Subscriptions[0].ExtensionType ||
        send.HandshakeType != wanted.Subscriptions[0].HandshakeType)
        return;
    TEST_REQUIRE_EQUAL(to->got.len, 4 + send.BufferSize);
    TEST_REQUIRE_EQUAL(get16(to->got.bytes), send.ExtensionType);
    TEST_REQUIRE(memcmp(to->got.bytes + 4, from->send.bytes + head, send.BufferSize) == 0);
}

void fuzz_one(struct fuzz_input *input)
{
    const uint8_t options = fuzz_u8(input);
    struct fuzz_quic client, server, *odd, *plain;
    size_t len;
    uint8_t *rest;

    fuzz_quic_init(&client, fuzz_client(FUZZ_CLIENT_ANY), false);
    fuzz_quic_init(&server, fuzz_server(FUZZ_SERVER_EC), true);
    client.records = server.records = (options & 1) != 0;
    if (client.records)
        client.secrets = server.secrets = 0; /* those of records are nobody's business */
    odd = options & 2 ? &server : &client;
    plain = options & 2 ? &client : &server;
    odd->send = take(input);
    odd->wanted = take(input);
    if (options & 4)
        fit(odd);
    if (options & 8)
        fuzz_quic_send(plain, CODE, plain->server ? 8 : 1, "a word", 6);
    if (options & 16)
        fuzz_quic_want(
            plain, odd->send.len >= 2 ? (WORD)(odd->send.bytes[0] | odd->send.bytes[1] << 8) : CODE,
            plain->server ? 1 : 8);
    odd->aliases = (options & 32) != 0;
    plain->extra_room = options & 64 ? 5 : 1024;
    rest = fuzz_take_rest(input, &len);
    fuzz_quic_feed(&client);
    if (!client.records)
        extend(&client.sent, rest, len);
    fuzz_quic_deliver(&client, &server);
    if (!client.over && server.in.len > 0)
        fuzz_quic_feed(&server);
    fuzz_quic_deliver(&server, &client);
    if (!client.over && !server.over && fuzz_quic_connect(&client, &server) && len == 0) {
        check(&client, &server);
        check(&server, &client);
    }
    if (client.has_context)
        context_look(&client.context);
    fuzz_quic_free(&client);
    fuzz_quic_free(&server);
    free(rest);
}
