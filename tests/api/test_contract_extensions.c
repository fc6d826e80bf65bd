/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: extensions of TLS that the caller brings and asks for, in message mode and in stream
 * mode; buffers that are malformed; what the peer may not do.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/message_peer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void must_be_received(const struct message_end *end, WORD type, const void *bytes,
                             size_t len)
{
    assert_int_equal(end->received.len, 4 + len);
    assert_int_equal(end->received.bytes[0] << 8 | end->received.bytes[1], type);
    assert_int_equal(end->received.bytes[2] << 8 | end->received.bytes[3], len);
    assert_memory_equal(end->received.bytes + 4, bytes, len);
}

/* ---- both modes ---- */

static void s3_9_code_points_and_sizes(const struct peer_form *form)
{
    static const WORD types[] = {0x39, 0xFFA5, 0x1A1A, 0x4469, 0xFFFF, 0x0100};
    /* Messages with the longest go in two records, where there are records. */
    static const WORD sizes[] = {0, 1, 1000, MESSAGE_EXTENSION};
    static uint8_t bytes[MESSAGE_EXTENSION];
    struct message_pair pair;

    memset(bytes, 0xA7, sizeof(bytes));
    for (int records = 0; records < 2; records++) {
        message_open(&pair, form, NULL);
        pair.client.records = pair.server.records = records;
        for (size_t i = 0; i < COUNT_OF(types); i++) {
            for (size_t k = i % 2; k < COUNT_OF(sizes); k += 2) {
                pair.client.extension = (struct message_extension){types[i], bytes, sizes[k], true};
                pair.server.extension = (struct message_extension){
                    types[i], bytes, sizes[COUNT_OF(sizes) - 1 - k], true};
                assert_int_equal(message_handshake(&pair), SEC_E_OK);
                must_be_received(&pair.server, types[i], bytes, sizes[k]);
                must_be_received(&pair.client, types[i], bytes, sizes[COUNT_OF(sizes) - 1 - k]);
                message_disconnect(&pair);
            }
        }
        message_close(&pair);
    }
}

/* Answers of a server go only to who has asked; and nobody hears of what was not asked for. */
static void s3_9_who_sends_and_who_asks(const struct peer_form *form)
{
    for (int bits = 0; bits < 32; bits++) {
        const bool client_sends = bits & 1, server_sends = bits & 2, client_asks = bits & 4,
                   server_asks = bits & 8;
        struct message_pair pair;

        message_open(&pair, form, NULL);
        pair.client.records = pair.server.records = (bits & 16) != 0;
        if (!client_sends)
            pair.client.extension.bytes = NULL;
        if (!server_sends)
            pair.server.extension.bytes = NULL;
        pair.client.extension.subscribe = client_asks;
        pair.server.extension.subscribe = server_asks;
        assert_int_equal(message_handshake(&pair), SEC_E_OK);
        assert_int_equal(pair.server.received.len > 0, client_sends && server_asks);
        assert_int_equal(pair.client.received.len > 0, client_sends && server_sends && client_asks);
        message_close(&pair);
    }
}

static void s3_9_stream_mode_small_buffers(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    pair.client.records = pair.server.records = true;
    for (size_t size = 1; size < 30; size += 4) {
        pair.client.extension_size = pair.server.extension_size = size;
        pair.client.out_size = pair.server.out_size = size;
        assert_int_equal(message_handshake(&pair), SEC_E_OK);
        must_be_received(&pair.client, 0x39, "server's parameters", 19);
        must_be_received(&pair.server, 0x39, "client's parameters", 19);
        message_disconnect(&pair);
    }
    message_close(&pair);
}

/* TLS 1.2 has no EncryptedExtensions: the ClientHello has it, and nobody answers. */
static void s3_9_stream_mode_tls12(const struct peer_form *form)
{
    static const struct peer_setup old = {.protocols = SP_PROT_TLS1_2_CLIENT};
    struct message_pair pair;

    message_open(&pair, form, &old);
    pair.client.records = pair.server.records = true;
    assert_int_equal(message_handshake(&pair), SEC_E_OK);
    must_be_received(&pair.server, 0x39, "client's parameters", 19);
    assert_int_equal(pair.client.received.len, 0);
    message_close(&pair);
}

/* ---- buffers ---- */

struct two {
    SUBSCRIBE_GENERIC_TLS_EXTENSION head;
    TLS_EXTENSION_SUBSCRIPTION more;
};

/* A first leg of a client with these input buffers. */
static SECURITY_STATUS first_leg(struct message_end *end, const SecBuffer *buffers, ULONG count)
{
    SEC_FLAGS wide = {ISC_REQ_MESSAGES};
    SecBuffer in[16] = {{sizeof(wide), SECBUFFER_FLAGS, &wide}};
    uint8_t *token = malloc(MESSAGE_OUT);
    SecBuffer out[] = {{MESSAGE_OUT, SECBUFFER_TOKEN, token}};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, count + 1, in};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, out};
    SECURITY_STATUS status;
    ULONG attributes;

    assert_non_null(token);
    memcpy(in + 1, buffers, count * sizeof(in[0]));
    status = end->peer.form->initialize(&end->peer.credential, NULL, (LPSTR)end->peer.target,
                                        end->peer.flags, &in_desc, &end->peer.context, &out_desc,
                                        &attributes, NULL);
    free(token);
    if (status >= 0)
        DeleteSecurityContext(&end->peer.context);
    return status;
}

static SECURITY_STATUS first_with(struct message_end *end, ULONG type, const void *bytes,
                                  size_t len)
{
    const SecBuffer buffer = {(ULONG)len, type, (void *)bytes};

    return first_leg(end, &buffer, 1);
}

static void s3_9_extensions_that_cannot_be_sent(const struct peer_form *form)
{
    /* server_name, status_request, supported_groups, ALPN, padding, session_ticket, pre_shared_key,
     * early_data, supported_versions, key_share: TLS' own. */
    static const WORD reserved[] = {0, 5, 10, 16, 21, 35, 41, 42, 43, 51};
    SEND_GENERIC_TLS_EXTENSION good = {.ExtensionType = 0x39, .HandshakeType = 1};
    SEND_GENERIC_TLS_EXTENSION bad = good;
    struct message_pair pair;
    const ULONG type = SECBUFFER_SEND_GENERIC_TLS_EXTENSION;
    const size_t head = offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer);

    message_open(&pair, form, NULL);
    assert_int_equal(first_with(&pair.client, type, &good, head), SEC_I_CONTINUE_NEEDED);
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        bad.ExtensionType = reserved[i];
        assert_int_equal(first_with(&pair.client, type, &bad, head), SEC_E_UNSUPPORTED_FUNCTION);
    }
    for (size_t n = 1; n < head; n++) {
        uint8_t *less = malloc(n);

        assert_non_null(less);
        memcpy(less, &good, n);
        assert_int_equal(first_with(&pair.client, type, less, n), SEC_E_INVALID_TOKEN);
        free(less);
    }
    bad = good;
    bad.BufferSize = 3; /* there is room for two */
    assert_int_equal(first_with(&pair.client, type, &bad, sizeof(bad)), SEC_E_INVALID_TOKEN);
    bad.BufferSize = 2;
    assert_int_equal(first_with(&pair.client, type, &bad, sizeof(bad)), SEC_I_CONTINUE_NEEDED);
    bad.Flags = 1;
    assert_int_equal(first_with(&pair.client, type, &bad, sizeof(bad)), SEC_E_INVALID_TOKEN);
    bad.Flags = 0;
    for (WORD message = 0; message < 26; message++) {
        bad.HandshakeType = message;
        assert_int_equal(first_with(&pair.client, type, &bad, sizeof(bad)),
                         message == 1 ? SEC_I_CONTINUE_NEEDED : SEC_E_INVALID_TOKEN);
    }
    message_close(&pair);
}

static void s3_9_how_many_and_how_much(const struct peer_form *form)
{
    SEND_GENERIC_TLS_EXTENSION sends[9];
    const size_t head = offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer);
    SecBuffer buffers[9];
    SEND_GENERIC_TLS_EXTENSION *large = calloc(1, head + 16385);
    struct message_pair pair;

    assert_non_null(large);
    message_open(&pair, form, NULL);
    for (WORD i = 0; i < 9; i++) {
        sends[i] =
            (SEND_GENERIC_TLS_EXTENSION){.ExtensionType = (WORD)(0x7000 - i), .HandshakeType = 1};
        buffers[i] = (SecBuffer){(ULONG)head, SECBUFFER_SEND_GENERIC_TLS_EXTENSION, &sends[i]};
        assert_int_equal(first_leg(&pair.client, buffers, i + 1u),
                         i < 8 ? SEC_I_CONTINUE_NEEDED : SEC_E_INVALID_TOKEN);
    }
    sends[1].ExtensionType = sends[0].ExtensionType; /* the same twice */
    assert_int_equal(first_leg(&pair.client, buffers, 2), SEC_E_INVALID_TOKEN);
    *large = (SEND_GENERIC_TLS_EXTENSION){
        .ExtensionType = 0x7000, .HandshakeType = 1, .BufferSize = 16384};
    assert_int_equal(
        first_with(&pair.client, SECBUFFER_SEND_GENERIC_TLS_EXTENSION, large, head + 16384),
        SEC_I_CONTINUE_NEEDED);
    large->BufferSize = 16385;
    assert_int_equal(
        first_with(&pair.client, SECBUFFER_SEND_GENERIC_TLS_EXTENSION, large, head + 16385),
        SEC_E_INVALID_TOKEN);
    free(large);
    message_close(&pair);
}

static void s3_9_subscriptions_that_cannot_be(const struct peer_form *form)
{
    const struct two good = {{0, 2, {{0x39, 8}}}, {0x3A, 8}};
    const ULONG type = SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION;
    const SecBuffer again[] = {{sizeof(good), type, (void *)&good},
                               {sizeof(good), type, (void *)&good}};
    struct two bad = good;
    struct message_pair pair;

    message_open(&pair, form, NULL);
    assert_int_equal(first_with(&pair.client, type, &good, sizeof(good)), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(first_leg(&pair.client, again, 2), SEC_E_INVALID_TOKEN);
    for (size_t n = 1; n < sizeof(good); n++) {
        uint8_t *less = malloc(n);

        assert_non_null(less);
        memcpy(less, &good, n);
        assert_int_equal(first_with(&pair.client, type, less, n), SEC_E_INVALID_TOKEN);
        free(less);
    }
    bad.head.Flags = 1;
    assert_int_equal(first_with(&pair.client, type, &bad, sizeof(bad)), SEC_E_INVALID_TOKEN);
    for (DWORD count = 0; count < 5; count++) {
        bad = good;
        bad.head.SubscriptionsCount = count;
        assert_int_equal(first_with(&pair.client, type, &bad, sizeof(bad)),
                         count == 1 || count == 2 ? SEC_I_CONTINUE_NEEDED : SEC_E_INVALID_TOKEN);
    }
    bad = good;
    bad.more.ExtensionType = 0x39;
    assert_int_equal(first_with(&pair.client, type, &bad, sizeof(bad)), SEC_E_INVALID_TOKEN);
    bad = good;
    bad.more.HandshakeType = 1; /* the other side's */
    assert_int_equal(first_with(&pair.client, type, &bad, sizeof(bad)), SEC_E_INVALID_TOKEN);
    message_close(&pair);
}

/* The code points of a connection are those of its first leg. */
static void s3_9_no_new_ones_later(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    pair.client.extension.type = 0x3A;
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_UNSUPPORTED_FUNCTION);
    pair.client.extension.type = 0x39;
    message_connect(&pair);
    message_close(&pair);
}

/* ---- two at once ---- */

/* In the order in which they were asked for, one behind the other. */
static void s3_9_two_in_one_report(const struct peer_form *form)
{
    const struct two ask = {{0, 2, {{0x7001, 1}}}, {0x39, 1}};
    SEND_GENERIC_TLS_EXTENSION sends[] = {
        {.ExtensionType = 0x39, .HandshakeType = 1, .BufferSize = 2, .Buffer = {'a'}},
        {.ExtensionType = 0x7001, .HandshakeType = 1, .BufferSize = 1, .Buffer = {'b'}}};
    const uint8_t expected[] = {0x70, 0x01, 0, 1, 'b', 0, 0x39, 0, 2, 'a', 0};
    SEC_FLAGS wide = {ISC_REQ_MESSAGES};
    uint8_t hello[2048], token[64], report[64];
    struct message_pair pair;
    SecBuffer in[] = {{sizeof(wide), SECBUFFER_FLAGS, &wide},
                      {sizeof(sends[0]), SECBUFFER_SEND_GENERIC_TLS_EXTENSION, &sends[0]},
                      {sizeof(sends[1]), SECBUFFER_SEND_GENERIC_TLS_EXTENSION, &sends[1]}};
    SecBuffer out = {sizeof(hello), SECBUFFER_TOKEN, hello};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 3, in}, out_desc = {SECBUFFER_VERSION, 1, &out};
    ULONG attributes;

    message_open(&pair, form, NULL);
    assert_int_equal(form->initialize(&pair.client.peer.credential, NULL,
                                      (LPSTR)pair.client.peer.target, pair.client.peer.flags,
                                      &in_desc, &pair.client.peer.context, &out_desc, &attributes,
                                      NULL),
                     SEC_I_CONTINUE_NEEDED);
    pair.client.peer.has_context = true;
    {
        SecBuffer server_in[] = {
            {out.cbBuffer, SECBUFFER_TOKEN, hello},
            {0, SECBUFFER_EMPTY, NULL},
            {sizeof(wide), SECBUFFER_FLAGS, &wide},
            {sizeof(ask), SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, (void *)&ask}};
        SecBuffer server_out[] = {
            {sizeof(token), SECBUFFER_TOKEN, token},
            {sizeof(report), SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, report}};
        SecBufferDesc server_in_desc = {SECBUFFER_VERSION, 4, server_in};
        SecBufferDesc server_out_desc = {SECBUFFER_VERSION, 2, server_out};

        assert_int_equal(form->accept(&pair.server.peer.credential, NULL, pair.server.peer.flags,
                                      &server_in_desc, &pair.server.peer.context, &server_out_desc,
                                      &attributes, NULL),
                         SEC_I_GENERIC_EXTENSION_RECEIVED);
        pair.server.peer.has_context = true;
        assert_int_equal(server_out[0].cbBuffer, 0);
        assert_int_equal(server_out[1].cbBuffer, sizeof(expected));
        assert_memory_equal(report, expected, sizeof(expected));
        /* Nothing was taken. */
        assert_int_equal(server_in[1].BufferType, SECBUFFER_EXTRA);
        assert_int_equal(server_in[1].cbBuffer, out.cbBuffer);
    }
    message_close(&pair);
}

/* ---- peers ---- */

/* The ClientHello in a stream, with its last extension of this type once more at its end. */
static void repeat_extension(struct peer_stream *hello, WORD type)
{
    const uint8_t id[] = {(uint8_t)(type >> 8), (uint8_t)type};
    size_t at = hello->len - 4, len, total, block = 4 + 34;
    uint8_t copy[64];

    while (memcmp(hello->bytes + at, id, 2) != 0)
        at--;
    len = 4 + ((size_t)hello->bytes[at + 2] << 8 | hello->bytes[at + 3]);
    assert_true(len <= sizeof(copy));
    memcpy(copy, hello->bytes + at, len);
    peer_push(hello, copy, len);
    block += 1 + hello->bytes[block];                                          /* session id */
    block += 2 + ((size_t)hello->bytes[block] << 8 | hello->bytes[block + 1]); /* suites */
    block += 1 + hello->bytes[block];                                          /* compression */
    total = ((size_t)hello->bytes[block] << 8 | hello->bytes[block + 1]) + len;
    hello->bytes[block] = (uint8_t)(total >> 8);
    hello->bytes[block + 1] = (uint8_t)total;
    total = hello->len - 4;
    hello->bytes[2] = (uint8_t)(total >> 8);
    hello->bytes[3] = (uint8_t)total;
}

static void s3_9_an_extension_that_comes_twice(const struct peer_form *form)
{
    for (int registered = 0; registered < 2; registered++) {
        struct message_pair pair;

        message_open(&pair, form, NULL);
        if (!registered)
            pair.server.extension.bytes = NULL;
        assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        repeat_extension(&pair.server.in[MESSAGE_INITIAL], 0x39);
        assert_int_equal(message_step(&pair.server, &pair.client), SEC_E_ILLEGAL_MESSAGE);
        assert_true(pair.server.alerted);
        if (!registered)
            assert_int_equal(pair.server.alert[1], 47);
        assert_int_equal(pair.server.received.len, 0);
        message_close(&pair);
    }
}

/* More sets of code points than configurations are kept for. */
static void s3_9_many_sets(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    for (WORD i = 0; i < 30; i++) {
        pair.client.extension.type = pair.server.extension.type = (WORD)(0x7000 + i % 12);
        message_connect(&pair);
        assert_int_equal(pair.client.received.len, 23);
        message_disconnect(&pair);
    }
    message_close(&pair);
}

static const struct peer_case cases[] = {
    PEER_CASE(s3_9_code_points_and_sizes),
    PEER_CASE(s3_9_who_sends_and_who_asks),
    PEER_CASE(s3_9_stream_mode_small_buffers),
    PEER_CASE(s3_9_stream_mode_tls12),
    PEER_CASE(s3_9_extensions_that_cannot_be_sent),
    PEER_CASE(s3_9_how_many_and_how_much),
    PEER_CASE(s3_9_subscriptions_that_cannot_be),
    PEER_CASE(s3_9_no_new_ones_later),
    PEER_CASE(s3_9_two_in_one_report),
    PEER_CASE(s3_9_an_extension_that_comes_twice),
    PEER_CASE(s3_9_many_sets),
};

int main(void)
{
    return peer_run_cases("contract.extensions", cases, COUNT_OF(cases));
}
