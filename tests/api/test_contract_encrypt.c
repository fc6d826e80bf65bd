/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: EncryptMessage. Which buffers it wants and in which order, how much fits, what is
 * refused without harm; and threads: two that seal on one context, one that seals while another
 * opens.
 */
#include <stdlib.h>
#include <string.h>

#include "support/tls_raw.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

static void open_connected(struct peer_pair *pair, const struct peer_form *form, DWORD protocol)
{
    const struct peer_setup setup = {.protocols = protocol};

    peer_open(pair, form, &setup);
    peer_connect(pair);
}

/* A message ready for sealing, each part in a block of its own. */
struct parts {
    SecBuffer buffers[5];
    ULONG count;
};

static struct parts parts_of(const struct peer_end *end, const void *data, ULONG len)
{
    struct parts parts = {
        .buffers = {{end->sizes.cbHeader, SECBUFFER_STREAM_HEADER, malloc(end->sizes.cbHeader)},
                    {len, SECBUFFER_DATA, malloc(len ? len : 1)},
                    {end->sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, malloc(end->sizes.cbTrailer)},
                    {0, SECBUFFER_EMPTY, NULL}},
        .count = 4,
    };

    if (len > 0)
        memcpy(parts.buffers[1].pvBuffer, data, len);
    return parts;
}

static SECURITY_STATUS seal(struct peer_end *end, struct parts *parts, ULONG qop, ULONG sequence)
{
    SecBufferDesc message = {SECBUFFER_VERSION, parts->count, parts->buffers};

    return EncryptMessage(&end->context, qop, &message, sequence);
}

static void free_parts(struct parts *parts)
{
    for (ULONG i = 0; i < parts->count; i++) {
        if (parts->buffers[i].BufferType != SECBUFFER_PADDING)
            free(parts->buffers[i].pvBuffer);
    }
}

static void s3_4_three_or_four_buffers(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        open_connected(&pair, form, protocols[p]);
        for (ULONG count = 3; count <= 4; count++) {
            struct parts parts = parts_of(&pair.client, "hello", 5);
            char data[16];
            size_t len;

            parts.count = count;
            assert_int_equal(seal(&pair.client, &parts, 0, 0), SEC_E_OK);
            assert_int_equal(parts.buffers[0].cbBuffer, pair.client.sizes.cbHeader);
            assert_int_equal(parts.buffers[1].cbBuffer, 5);
            assert_true(parts.buffers[2].cbBuffer <= pair.client.sizes.cbTrailer);
            assert_int_equal(((uint8_t *)parts.buffers[0].pvBuffer)[0], 23);
            for (int i = 0; i < 3; i++)
                peer_push(&pair.server.in, parts.buffers[i].pvBuffer, parts.buffers[i].cbBuffer);
            assert_int_equal(peer_record_len(pair.server.in.bytes), pair.server.in.len);
            assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
            assert_int_equal(len, 5);
            assert_memory_equal(data, "hello", 5);
            free_parts(&parts);
        }
        peer_close(&pair);
    }
}

/* Refused: the buffers stay as they are, and no number in the sequence is spent. */
static void s2_9_wrong_messages_are_refused_without_harm(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t large[16385] = {0};

    open_connected(&pair, form, 0);
    for (int way = 0; way < 12; way++) {
        struct parts parts = parts_of(&pair.client, large, way == 0 ? 16385 : 20);
        SECURITY_STATUS expected = SEC_E_INVALID_TOKEN;
        SecBuffer first = parts.buffers[0];
        uint8_t before[20];
        ULONG qop = 0, sequence = 0;

        switch (way) {
        case 1: /* no DATA */
            parts.buffers[1].BufferType = SECBUFFER_EMPTY;
            break;
        case 2: /* two of them */
            parts.buffers[3] = parts.buffers[1];
            break;
        case 3: /* no header */
            parts.buffers[0].BufferType = SECBUFFER_EMPTY;
            break;
        case 4: /* no trailer */
            parts.count = 2;
            break;
        case 5: /* wrong order */
            parts.buffers[0] = parts.buffers[2];
            parts.buffers[2] = first;
            break;
        case 6:
            parts.buffers[0].cbBuffer--;
            expected = SEC_E_BUFFER_TOO_SMALL;
            break;
        case 7:
            parts.buffers[2].cbBuffer--;
            expected = SEC_E_BUFFER_TOO_SMALL;
            break;
        case 8:
            qop = SECQOP_WRAP_NO_ENCRYPT;
            expected = SEC_E_QOP_NOT_SUPPORTED;
            break;
        case 9:
            sequence = 1;
            break;
        case 10: /* must not be written */
            parts.buffers[1].BufferType |= SECBUFFER_READONLY;
            break;
        case 11:
            parts.count = 0;
            break;
        default:
            break;
        }
        memcpy(before, parts.buffers[1].pvBuffer, sizeof(before));
        assert_int_equal(seal(&pair.client, &parts, qop, sequence), expected);
        assert_memory_equal(before, parts.buffers[1].pvBuffer, sizeof(before));
        if (way == 2)
            parts.buffers[3].pvBuffer = NULL;
        if (way == 4 || way == 11) {
            parts.count = 3;
        }
        free_parts(&parts);
    }
    peer_exchange(&pair);
    peer_close(&pair);
}

static void s3_4_largest_message_and_one_more(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;
        uint8_t *data = malloc(16385), *back = malloc(16384);
        size_t len;

        open_connected(&pair, form, protocols[p]);
        assert_int_equal(pair.client.sizes.cbMaximumMessage, 16384);
        memset(data, 'x', 16385);
        assert_int_equal(peer_send(&pair.client, &pair.server, data, 16385), SEC_E_INVALID_TOKEN);
        assert_int_equal(peer_send(&pair.client, &pair.server, data, 16384), SEC_E_OK);
        assert_int_equal(peer_receive(&pair.server, back, 16384, &len), SEC_E_OK);
        assert_int_equal(len, 16384);
        assert_memory_equal(back, data, 16384);
        /* Nothing to send: an empty record, or no bytes at all. */
        assert_int_equal(peer_send(&pair.client, &pair.server, NULL, 0), SEC_E_OK);
        if (pair.server.in.len > 0) {
            assert_int_equal(peer_receive(&pair.server, back, 16384, &len), SEC_E_OK);
            assert_int_equal(len, 0);
        }
        peer_exchange(&pair);
        free(data);
        free(back);
        peer_close(&pair);
    }
}

/* In one block, as most callers have it: header, data and trailer behind each other. */
static void s3_4_every_size_round_trips(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_end client;
        struct raw_peer raw;
        uint8_t data[4097], back[4097];

        raw_connect(&raw, &client, form, false, p == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, "server");
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = (uint8_t)(i * 7);
        for (size_t len = 1; len < sizeof(data); len += len < 64 ? 1 : 173) {
            struct peer_end wire = {0};

            assert_int_equal(peer_send(&client, &wire, data, len), SEC_E_OK);
            raw_give(&raw, &wire.in);
            assert_int_equal(SSL_read(raw.ssl, back, sizeof(back)), len);
            assert_memory_equal(back, data, len);
        }
        peer_end_free(&client);
        raw_close(&raw);
    }
}

/* ---- before and after ---- */

static void messages_need_an_established_context(const struct peer_form *form)
{
    struct peer_pair pair;
    SecBuffer one[4] = {{0}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, one};

    peer_open(&pair, form, NULL);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(EncryptMessage(&pair.client.context, 0, &message, 0), SEC_E_INVALID_HANDLE);
    assert_int_equal(DecryptMessage(&pair.client.context, &message, 0, NULL), SEC_E_INVALID_HANDLE);
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(EncryptMessage(&pair.server.context, 0, &message, 0), SEC_E_INVALID_HANDLE);
    peer_connect(&pair);
    assert_int_equal(EncryptMessage(&pair.client.context, 0, NULL, 0), SEC_E_INVALID_TOKEN);
    assert_int_equal(DecryptMessage(&pair.client.context, NULL, 0, NULL), SEC_E_INVALID_TOKEN);
    peer_exchange(&pair);
    peer_close(&pair);
}

/* ---- threads ---- */

#define ROUNDS TEST_ROUNDS(400)

struct sender {
    struct peer_end *from;
    struct peer_end wire; /* what this thread sealed */
    uint8_t byte;
};

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static struct peer_end line; /* guarded by order: what both sealed, as they sealed it */

static void *send_many(void *data)
{
    struct sender *sender = data;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint8_t bytes[40];

        memset(bytes, sender->byte, sizeof(bytes));
        TEST_REQUIRE_EQUAL(peer_send(sender->from, &sender->wire, bytes, sizeof(bytes)), SEC_E_OK);
    }
    return NULL;
}

/* As two threads of one program have it: what is sealed is sent before the other one seals. */
static void *send_in_order(void *data)
{
    struct sender *sender = data;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint8_t bytes[40];

        memset(bytes, sender->byte, sizeof(bytes));
        pthread_mutex_lock(&order);
        TEST_REQUIRE_EQUAL(peer_send(sender->from, &line, bytes, sizeof(bytes)), SEC_E_OK);
        pthread_mutex_unlock(&order);
    }
    return NULL;
}

static void two_threads_seal_in_order(const struct peer_form *form)
{
    struct peer_pair pair;
    struct sender one = {&pair.client, {0}, 'a'}, two = {&pair.client, {0}, 'b'};
    uint32_t seen[256] = {0};

    open_connected(&pair, form, 0);
    line = (struct peer_end){0};
    pthread_t first = test_thread_start(send_in_order, &one);
    pthread_t second = test_thread_start(send_in_order, &two);
    test_thread_join(first);
    test_thread_join(second);
    pair.server.in = line.in;
    for (uint32_t i = 0; i < 2 * ROUNDS; i++) {
        uint8_t bytes[40];
        size_t len;

        assert_int_equal(peer_receive(&pair.server, bytes, sizeof(bytes), &len), SEC_E_OK);
        assert_int_equal(len, sizeof(bytes));
        assert_int_equal(bytes[0], bytes[39]);
        seen[bytes[0]]++;
    }
    assert_int_equal(seen['a'], ROUNDS);
    assert_int_equal(seen['b'], ROUNDS);
    peer_close(&pair);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;

    return one < two ? -1 : one > two;
}

/* The explicit part of the nonce of each record of TLS 1.2's AES-GCM. */
static size_t nonces(const struct peer_stream *stream, uint64_t *ret_numbers)
{
    size_t count = 0;

    for (size_t at = 0; at < stream->len; at += peer_record_len(stream->bytes + at))
        memcpy(&ret_numbers[count++], stream->bytes + at + 5, sizeof(uint64_t));
    return count;
}

/* Without any lock of the caller's: all records are there, and no nonce twice. */
static void two_threads_never_use_a_nonce_twice(const struct peer_form *form)
{
    struct peer_pair pair;
    struct sender one = {&pair.client, {0}, 'a'}, two = {&pair.client, {0}, 'b'};
    uint64_t *numbers = calloc(2 * ROUNDS, sizeof(*numbers));
    SecPkgContext_CipherInfo info = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};

    open_connected(&pair, form, SP_PROT_TLS1_2_CLIENT);
    assert_int_equal(QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_CIPHER_INFO, &info),
                     SEC_E_OK);
    assert_true(info.szCipher[0] == 'A'); /* AES, so that nonces can be seen */
    pthread_t first = test_thread_start(send_many, &one);
    pthread_t second = test_thread_start(send_many, &two);
    test_thread_join(first);
    test_thread_join(second);
    assert_int_equal(nonces(&one.wire.in, numbers), ROUNDS);
    assert_int_equal(nonces(&two.wire.in, numbers + ROUNDS), ROUNDS);
    qsort(numbers, 2 * ROUNDS, sizeof(*numbers), compare_numbers);
    for (uint32_t i = 1; i < 2 * ROUNDS; i++)
        assert_true(numbers[i] != numbers[i - 1]);
    peer_clear(&one.wire.in);
    peer_clear(&two.wire.in);
    free(numbers);
    peer_close(&pair);
}

static void *receive_many(void *data)
{
    struct peer_end *end = data;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint8_t bytes[40];
        size_t len;

        TEST_REQUIRE_EQUAL(peer_receive(end, bytes, sizeof(bytes), &len), SEC_E_OK);
        TEST_REQUIRE(len == sizeof(bytes) && bytes[0] == 'b' && bytes[39] == 'b');
    }
    return NULL;
}

/* One thread opens what was sealed before while another seals, on the same context. */
static void one_thread_seals_while_another_opens(const struct peer_form *form)
{
    struct peer_pair pair;
    struct sender to_client = {&pair.server, {0}, 'b'}, to_server = {&pair.client, {0}, 'b'};

    open_connected(&pair, form, SP_PROT_TLS1_2_CLIENT);
    send_many(&to_client);
    pair.client.in = to_client.wire.in;
    pthread_t receiving = test_thread_start(receive_many, &pair.client);
    pthread_t sending = test_thread_start(send_many, &to_server);
    test_thread_join(receiving);
    test_thread_join(sending);
    pair.server.in = to_server.wire.in;
    receive_many(&pair.server);
    peer_exchange(&pair);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_4_three_or_four_buffers),
        PEER_CASE(s2_9_wrong_messages_are_refused_without_harm),
        PEER_CASE(s3_4_largest_message_and_one_more),
        PEER_CASE(s3_4_every_size_round_trips),
        PEER_CASE(messages_need_an_established_context),
        PEER_CASE(two_threads_seal_in_order),
        PEER_CASE(two_threads_never_use_a_nonce_twice),
        PEER_CASE(one_thread_seals_while_another_opens),
    };

    return peer_run_cases("contract.encrypt", cases, sizeof(cases) / sizeof(cases[0]));
}
