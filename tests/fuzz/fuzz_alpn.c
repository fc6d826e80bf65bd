/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: SEC_APPLICATION_PROTOCOLS buffers, on both sides of a handshake.
 *
 * Input: one byte of options, 16 bits that are the length of the client's buffer, that, and then
 * the server's. With bit 0 the rest is taken as protocol names and the numbers around it are made
 * to fit; bit 1: the server takes the client's buffer.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

struct buffer {
    uint8_t *bytes;
    size_t len;
};

void fuzz_prepare(void)
{
    struct fuzz_end client, server;

    fuzz_end_init_plain(&client, fuzz_client(FUZZ_CLIENT_ANY), false);
    fuzz_end_init_plain(&server, fuzz_server(FUZZ_SERVER_EC), true);
    TEST_REQUIRE(fuzz_connect(&client, &server));
    fuzz_end_free(&client);
    fuzz_end_free(&server);
}

static void put32(uint8_t *at, size_t value)
{
    uint32_t number = (uint32_t)value;

    memcpy(at, &number, sizeof(number));
}

/* Sizes in front of a list; the list itself stays what the input says. */
static struct buffer wrapped(struct buffer list)
{
    struct buffer made = {fuzz_room(10 + list.len), 10 + list.len};

    put32(made.bytes, 6 + list.len);
    put32(made.bytes + 4, SecApplicationProtocolNegotiationExt_ALPN);
    made.bytes[8] = (uint8_t)list.len;
    made.bytes[9] = (uint8_t)(list.len >> 8);
    memcpy(made.bytes + 10, list.bytes, list.len);
    free(list.bytes);
    return made;
}

static struct buffer next(struct fuzz_input *input, size_t len, bool wrap)
{
    struct buffer made;

    made.bytes = fuzz_take(input, len, &made.len);
    return wrap ? wrapped(made) : made;
}

static void offer(struct fuzz_end *end, const struct buffer *buffer)
{
    end->shape.alpn = buffer->bytes;
    end->shape.alpn_size = (ULONG)buffer->len;
}

/* What was agreed is in both lists, or nothing was agreed. */
static void check(struct fuzz_end *end)
{
    SecPkgContext_ApplicationProtocol protocol;

    memset(&protocol, 0xA5, sizeof(protocol));
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_APPLICATION_PROTOCOL, &protocol),
        SEC_E_OK);
    if (protocol.ProtoNegoStatus != SecApplicationProtocolNegotiationStatus_Success)
        return;
    TEST_REQUIRE(protocol.ProtocolIdSize > 0);
    TEST_REQUIRE(memmem(end->shape.alpn, end->shape.alpn_size, protocol.ProtocolId,
                        protocol.ProtocolIdSize) != NULL);
}

void fuzz_one(struct fuzz_input *input)
{
    uint8_t options = fuzz_u8(input);
    struct buffer offers[2];
    struct fuzz_end client, server;

    offers[0] = next(input, fuzz_u16(input), options & 1);
    offers[1] = next(input, input->len, options & 1);
    fuzz_end_init_plain(&client, fuzz_client(FUZZ_CLIENT_ANY), false);
    fuzz_end_init_plain(&server, fuzz_server(FUZZ_SERVER_EC), true);
    offer(&client, &offers[0]);
    offer(&server, options & 2 ? &offers[0] : &offers[1]);
    if (fuzz_connect(&client, &server)) {
        check(&client);
        check(&server);
    }
    fuzz_end_free(&client);
    fuzz_end_free(&server);
    free(offers[0].bytes);
    free(offers[1].bytes);
}
