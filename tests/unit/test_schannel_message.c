/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * EncryptMessage and DecryptMessage of Schannel through the public calls: buffers, places of the
 * parts, incomplete, tampered, replayed and reordered records, session tickets as
 * SEC_I_RENEGOTIATE, and two threads on one context.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/test_util.h"
#include "unit/sspi_pair.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};
#define EACH_PROTOCOL(index) (size_t index = 0; index < 2; index++)

static void connect_pair(struct sspi_pair *pair, DWORD protocol)
{
    sspi_pair_init(pair, protocol, "server");
    sspi_connect(pair);
}

/* ---- encrypting ---- */

struct sealing {
    uint8_t header[128], data[64], trailer[256];
    SecBuffer items[4];
    ULONG count;
};

static struct sealing *sealing_of(struct sealing *sealing, const struct sspi_end *end)
{
    *sealing = (struct sealing){.count = 4};
    sealing->items[0] = (SecBuffer){end->sizes.cbHeader, SECBUFFER_STREAM_HEADER, sealing->header};
    sealing->items[1] = (SecBuffer){16, SECBUFFER_DATA, sealing->data};
    sealing->items[2] =
        (SecBuffer){end->sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, sealing->trailer};
    sealing->items[3] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    return sealing;
}

static SECURITY_STATUS seal(struct sspi_end *end, struct sealing *sealing, ULONG qop, ULONG number)
{
    SecBufferDesc message = {SECBUFFER_VERSION, sealing->count, sealing->items};

    return EncryptMessage(&end->context, qop, &message, number);
}

static void s3_4_encrypt_wants_header_data_trailer(void **state)
{
    static struct sspi_pair pair;
    struct sealing sealing;
    SecBuffer swapped;

    (void)state;
    connect_pair(&pair, 0);
    sealing_of(&sealing, &pair.client)->count = 3;
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_OK);
    assert_int_equal(sealing.items[0].cbBuffer, 5);
    assert_int_equal(sealing.items[1].cbBuffer, 16);
    assert_int_equal(sealing.items[2].cbBuffer, 17); /* tag and content type */
    sealing_of(&sealing, &pair.client)->count = 2;
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_INVALID_TOKEN);
    sealing_of(&sealing, &pair.client);
    swapped = sealing.items[0];
    sealing.items[0] = sealing.items[1];
    sealing.items[1] = swapped;
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_INVALID_TOKEN);
    sealing_of(&sealing, &pair.client)->items[1].BufferType |= SECBUFFER_READONLY;
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_INVALID_TOKEN);
    sealing_of(&sealing, &pair.client)->items[3] =
        (SecBuffer){16, SECBUFFER_DATA | SECBUFFER_READONLY, sealing.data};
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_OK); /* skipped */
    sealing_of(&sealing, &pair.client)->items[0].cbBuffer--;
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_BUFFER_TOO_SMALL);
    sealing_of(&sealing, &pair.client)->items[2].cbBuffer--;
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_BUFFER_TOO_SMALL);
    sealing_of(&sealing, &pair.client)->items[1].cbBuffer = pair.client.sizes.cbMaximumMessage + 1;
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_INVALID_TOKEN);
    sealing_of(&sealing, &pair.client);
    assert_int_equal(seal(&pair.client, &sealing, SECQOP_WRAP_NO_ENCRYPT, 0),
                     SEC_E_QOP_NOT_SUPPORTED);
    assert_int_equal(seal(&pair.client, &sealing, 0, 1), SEC_E_INVALID_TOKEN);
    assert_int_equal(seal(&pair.client, &sealing, 0, 0), SEC_E_OK);
    sspi_pair_clear(&pair);
}

static void s2_9_out_of_band_data_is_an_alert(void **state)
{
    static struct sspi_pair pair;
    struct sealing sealing;
    uint8_t data[16];
    size_t len;

    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            connect_pair(&pair, protocols[i]);
            sealing_of(&sealing, &pair.client);
            assert_int_equal(seal(&pair.client, &sealing, SECQOP_WRAP_OOB_DATA, 0),
                             SEC_E_INVALID_TOKEN); /* not two bytes */
            sealing_of(&sealing, &pair.client)->items[1].cbBuffer = 2;
            sealing.data[0] = TLS1_ALERT_WARNING;
            sealing.data[1] = TLS1_ALERT_CLOSE_NOTIFY;
            assert_int_equal(seal(&pair.client, &sealing, SECQOP_WRAP_OOB_DATA, 0), SEC_E_OK);
            for (int j = 0; j < 3; j++) {
                memcpy(pair.server.in.bytes + pair.server.in.len, sealing.items[j].pvBuffer,
                       sealing.items[j].cbBuffer);
                pair.server.in.len += sealing.items[j].cbBuffer;
            }
            assert_int_equal(sspi_receive(&pair.server, data, sizeof(data), &len),
                             SEC_I_CONTEXT_EXPIRED);
            assert_int_equal(sspi_send(&pair.client, &pair.server, "x", 1), SEC_E_CONTEXT_EXPIRED);
            sspi_pair_clear(&pair);
        }
}

static void messages_of_every_size_arrive(void **state)
{
    static const size_t lengths[] = {0, 1, 15, 16, 17, 26, 27, 28, 1000, 16383, 16384};
    static struct sspi_pair pair;
    static uint8_t sent[16384], got[32768];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 31 >> 3);
    for
        EACH_PROTOCOL(i)
        {
            connect_pair(&pair, protocols[i]);
            for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
                assert_int_equal(sspi_send(&pair.server, &pair.client, sent, lengths[j]), SEC_E_OK);
                if (lengths[j] == 0)
                    continue; /* may make no record at all */
                assert_int_equal(
                    sspi_receive_data(&pair.client, &pair.server, got, sizeof(got), &len),
                    SEC_E_OK);
                assert_int_equal(len, lengths[j]);
                assert_memory_equal(got, sent, len);
            }
            sspi_pair_clear(&pair);
        }
}

/* ---- decrypting ---- */

static SECURITY_STATUS open_with(struct sspi_end *end, SecBuffer *items, ULONG count, ULONG number)
{
    SecBufferDesc message = {SECBUFFER_VERSION, count, items};

    return DecryptMessage(&end->context, &message, number, NULL);
}

static void s3_4_decrypt_wants_one_data_and_three_empty(void **state)
{
    static struct sspi_pair pair;
    uint8_t data[16];
    size_t len;

    (void)state;
    connect_pair(&pair, SP_PROT_TLS1_2_CLIENT);
    assert_int_equal(sspi_send(&pair.client, &pair.server, "hello", 5), SEC_E_OK);
    for (int wrong = 0; wrong < 6; wrong++) {
        SecBuffer items[] = {{(ULONG)pair.server.in.len, SECBUFFER_DATA, pair.server.in.bytes},
                             {0, SECBUFFER_EMPTY, NULL},
                             {0, SECBUFFER_EMPTY, NULL},
                             {0, SECBUFFER_EMPTY, NULL}};

        if (wrong == 1)
            items[0].BufferType = SECBUFFER_EMPTY;
        if (wrong == 2)
            items[3] = items[0];
        if (wrong == 3)
            items[2].BufferType = SECBUFFER_TOKEN;
        if (wrong == 4)
            items[0].BufferType |= SECBUFFER_READONLY;
        assert_int_equal(open_with(&pair.server, items, wrong == 0 ? 3 : 4, wrong == 5),
                         wrong == 5 ? SEC_E_OUT_OF_SEQUENCE : SEC_E_INVALID_TOKEN);
    }
    assert_int_equal(sspi_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
    assert_int_equal(len, 5);
    sspi_pair_clear(&pair);
}

static void s3_4_data_may_stand_anywhere(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    connect_pair(&pair, SP_PROT_TLS1_2_CLIENT);
    for (int place = 0; place < 5; place++) {
        SecBuffer items[5] = {{0, SECBUFFER_EMPTY, NULL},
                              {0, SECBUFFER_EMPTY, NULL},
                              {0, SECBUFFER_EMPTY, NULL},
                              {0, SECBUFFER_EMPTY, NULL},
                              {0, SECBUFFER_EMPTY, NULL}};

        assert_int_equal(sspi_send(&pair.client, &pair.server, "hello", 5), SEC_E_OK);
        items[place] = (SecBuffer){(ULONG)pair.server.in.len, SECBUFFER_DATA, pair.server.in.bytes};
        assert_int_equal(open_with(&pair.server, items, 5, 0), SEC_E_OK);
        assert_int_equal(items[0].BufferType, SECBUFFER_STREAM_HEADER);
        assert_int_equal(items[0].cbBuffer, 13);
        assert_int_equal(items[1].BufferType, SECBUFFER_DATA);
        assert_ptr_equal(items[1].pvBuffer, pair.server.in.bytes + 13);
        assert_int_equal(items[1].cbBuffer, 5);
        assert_memory_equal(items[1].pvBuffer, "hello", 5);
        assert_int_equal(items[2].BufferType, SECBUFFER_STREAM_TRAILER);
        assert_int_equal(items[2].cbBuffer, 16);
        assert_int_equal(items[3].BufferType, SECBUFFER_EMPTY);
        assert_int_equal(items[4].BufferType, SECBUFFER_EMPTY);
        pair.server.in.len = 0;
    }
    sspi_pair_clear(&pair);
}

static void s3_4_incomplete_record_leaves_the_bytes_alone(void **state)
{
    static struct sspi_pair pair;
    uint8_t copy[128], data[16];
    size_t len, whole;

    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            connect_pair(&pair, protocols[i]);
            assert_int_equal(sspi_send(&pair.client, &pair.server, "hello", 5), SEC_E_OK);
            whole = pair.server.in.len;
            memcpy(copy, pair.server.in.bytes, whole);
            for (size_t n = 0; n < whole; n++) {
                SecBuffer items[] = {{(ULONG)n, SECBUFFER_DATA, n ? pair.server.in.bytes : NULL},
                                     {0, SECBUFFER_EMPTY, NULL},
                                     {0, SECBUFFER_EMPTY, NULL},
                                     {0, SECBUFFER_EMPTY, NULL}};

                assert_int_equal(open_with(&pair.server, items, 4, 0), SEC_E_INCOMPLETE_MESSAGE);
                assert_int_equal(items[0].BufferType, SECBUFFER_MISSING);
                assert_int_equal(items[0].cbBuffer, n < 5 ? 5 - n : whole - n);
                assert_memory_equal(copy, pair.server.in.bytes, whole);
            }
            assert_int_equal(sspi_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
            assert_memory_equal(data, "hello", 5);
            sspi_pair_clear(&pair);
        }
}

/* What an attacker may do to the second of two records. */
enum attack { TAMPER, REPLAY, REORDER, GARBAGE, TOO_LARGE };

static SECURITY_STATUS attacked(DWORD protocol, enum attack attack)
{
    static struct sspi_pair pair;
    uint8_t data[16], first[128];
    size_t len, first_len;
    SECURITY_STATUS status;

    connect_pair(&pair, protocol);
    assert_int_equal(sspi_send(&pair.client, &pair.server, "one", 3), SEC_E_OK);
    first_len = pair.server.in.len;
    memcpy(first, pair.server.in.bytes, first_len);
    if (attack == REORDER)
        pair.server.in.len = 0;
    else
        assert_int_equal(sspi_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
    assert_int_equal(sspi_send(&pair.client, &pair.server, "two", 3), SEC_E_OK);
    if (attack == TAMPER)
        pair.server.in.bytes[pair.server.in.len - 1] ^= 1;
    if (attack == REPLAY)
        memcpy(pair.server.in.bytes, first, first_len);
    if (attack == GARBAGE)
        pair.server.in.bytes[0] = 'G';
    if (attack == TOO_LARGE)
        pair.server.in.bytes[3] = 0x7F;
    len = pair.server.in.len;
    status = sspi_receive(&pair.server, data, sizeof(data), &first_len);
    for (size_t i = 0; i < len; i++) /* nothing of it is left */
        assert_int_equal(pair.server.in.bytes[i], 0);
    assert_int_equal(sspi_receive(&pair.server, data, sizeof(data), &len), SEC_E_CONTEXT_EXPIRED);
    assert_int_equal(sspi_send(&pair.server, &pair.client, "x", 1), SEC_E_CONTEXT_EXPIRED);
    /* Queries still answer, and the leg that follows hands out the alert with the same status. */
    assert_int_equal(
        QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_STREAM_SIZES, &pair.server.sizes),
        SEC_E_OK);
    pair.server.in.len = 0;
    pair.client.in.len = 0;
    assert_int_equal(sspi_leg(&pair.server, &pair.client), status);
    if (attack <= REORDER) {
        assert_true(pair.client.in.len > 0);
        assert_true(sspi_receive(&pair.client, data, sizeof(data), &len) < 0);
    }
    sspi_pair_clear(&pair);
    return status;
}

static void bad_records_end_the_context(void **state)
{
    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            for (int attack = TAMPER; attack <= REORDER; attack++) {
                SECURITY_STATUS status = attacked(protocols[i], (enum attack)attack);

                assert_true(status == SEC_E_DECRYPT_FAILURE || status == SEC_E_MESSAGE_ALTERED);
            }
            assert_int_equal(attacked(protocols[i], GARBAGE), SEC_E_INVALID_TOKEN);
            assert_int_equal(attacked(protocols[i], TOO_LARGE), SEC_E_INVALID_TOKEN);
        }
}

static void s3_5_before_the_handshake_is_over_there_are_no_messages(void **state)
{
    static struct sspi_pair pair;
    SecPkgContext_StreamSizes sizes;
    uint8_t data[16];
    size_t len;

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    pair.client.sizes = (SecPkgContext_StreamSizes){.cbHeader = 5, .cbTrailer = 100};
    assert_int_equal(sspi_send(&pair.client, &pair.server, "x", 1), SEC_E_INVALID_HANDLE);
    assert_int_equal(sspi_receive(&pair.client, data, sizeof(data), &len), SEC_E_INVALID_HANDLE);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_STREAM_SIZES, &sizes),
        SEC_E_INVALID_HANDLE);
    sspi_pair_clear(&pair);
}

/* ---- tickets ---- */

static void s1_16_ticket_is_handed_back_and_then_taken(void **state)
{
    static struct sspi_pair pair;
    uint8_t data[16], ticket[5];
    size_t len, before;

    (void)state;
    connect_pair(&pair, SP_PROT_TLS1_3_CLIENT);
    assert_true(pair.client.in.len > 0); /* the server's tickets */
    assert_int_equal(sspi_send(&pair.server, &pair.client, "data", 4), SEC_E_OK);
    before = pair.client.in.len;
    memcpy(ticket, pair.client.in.bytes, sizeof(ticket));
    assert_int_equal(sspi_receive(&pair.client, data, sizeof(data), &len), SEC_I_RENEGOTIATE);
    assert_int_equal(len, 0);
    assert_int_equal(pair.client.in.len, before); /* EXTRA holds the ticket itself too */
    assert_memory_equal(pair.client.in.bytes, ticket, sizeof(ticket));
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_E_OK);
    assert_true(pair.client.in.len < before);
    assert_int_equal(pair.server.in.len, 0); /* nothing to send */
    assert_int_equal(sspi_receive_data(&pair.client, &pair.server, data, sizeof(data), &len),
                     SEC_E_OK);
    assert_memory_equal(data, "data", 4);
    sspi_pair_clear(&pair);
}

static void s3_5_ticket_after_a_leg_without_input_is_skipped(void **state)
{
    static struct sspi_pair pair;
    uint8_t data[16], out[64];
    size_t len;
    SECURITY_STATUS status = SEC_E_OK;
    SecBuffer out_buffer = {sizeof(out), SECBUFFER_TOKEN, out};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, &out_buffer};
    int tickets = 0;

    (void)state;
    connect_pair(&pair, SP_PROT_TLS1_3_CLIENT);
    assert_int_equal(sspi_send(&pair.server, &pair.client, "data", 4), SEC_E_OK);
    for (int i = 0; i < 20; i++) {
        status = sspi_receive(&pair.client, data, sizeof(data), &len);
        if (status == SEC_E_OK && len > 0)
            break;
        if (status != SEC_I_RENEGOTIATE)
            continue; /* the ticket again, now as an empty message */
        tickets++;
        /* The old way: no input. Every other time: no leg at all. */
        out_buffer.cbBuffer = sizeof(out);
        if (tickets % 2)
            assert_int_equal(InitializeSecurityContextA(
                                 NULL, &pair.client.context, (SEC_CHAR *)SSPI_TARGET, 0, 0, 0, NULL,
                                 0, NULL, &out_desc, &pair.client.attributes, NULL),
                             SEC_E_OK);
    }
    assert_int_equal(status, SEC_E_OK);
    assert_int_equal(len, 4);
    assert_true(tickets > 0);
    sspi_pair_clear(&pair);
}

static void replayed_ticket_fails(void **state)
{
    static struct sspi_pair pair;
    uint8_t data[16], ticket[4096];
    size_t len, ticket_len;
    SECURITY_STATUS status;

    (void)state;
    connect_pair(&pair, SP_PROT_TLS1_3_CLIENT);
    ticket_len = 5 + ((size_t)pair.client.in.bytes[3] << 8) + pair.client.in.bytes[4];
    assert_true(ticket_len <= sizeof(ticket));
    memcpy(ticket, pair.client.in.bytes, ticket_len);
    memmove(pair.client.in.bytes + ticket_len, pair.client.in.bytes, pair.client.in.len);
    pair.client.in.len += ticket_len; /* twice the same */
    assert_int_equal(sspi_receive(&pair.client, data, sizeof(data), &len), SEC_I_RENEGOTIATE);
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_E_OK);
    assert_memory_equal(pair.client.in.bytes, ticket, ticket_len);
    status = sspi_receive(&pair.client, data, sizeof(data), &len);
    assert_true(status == SEC_E_DECRYPT_FAILURE || status == SEC_E_MESSAGE_ALTERED);
    sspi_pair_clear(&pair);
}

/* ---- threads ---- */

#define ROUNDS TEST_ROUNDS(4000)

static void *seal_many(void *data)
{
    struct sspi_pair *pair = data;
    static struct sspi_end sink; /* guarded by: this thread alone */

    for (uint32_t i = 0; i < ROUNDS; i++) {
        sink.in.len = 0;
        TEST_REQUIRE_EQUAL(sspi_send(&pair->server, &sink, &i, sizeof(i)), SEC_E_OK);
    }
    return NULL;
}

static void encrypt_and_decrypt_run_at_the_same_time(void **state)
{
    static struct sspi_pair pair;
    uint8_t data[16];
    size_t len;

    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            pthread_t thread;

            connect_pair(&pair, protocols[i]);
            thread = test_thread_start(seal_many, &pair);
            for (uint32_t j = 0; j < ROUNDS; j++) {
                TEST_REQUIRE_EQUAL(sspi_send(&pair.client, &pair.server, &j, sizeof(j)), SEC_E_OK);
                TEST_REQUIRE_EQUAL(sspi_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
                TEST_REQUIRE(len == sizeof(j) && memcmp(data, &j, len) == 0);
            }
            test_thread_join(thread);
            sspi_pair_clear(&pair);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s3_4_encrypt_wants_header_data_trailer),
        cmocka_unit_test(s2_9_out_of_band_data_is_an_alert),
        cmocka_unit_test(messages_of_every_size_arrive),
        cmocka_unit_test(s3_4_decrypt_wants_one_data_and_three_empty),
        cmocka_unit_test(s3_4_data_may_stand_anywhere),
        cmocka_unit_test(s3_4_incomplete_record_leaves_the_bytes_alone),
        cmocka_unit_test(bad_records_end_the_context),
        cmocka_unit_test(s3_5_before_the_handshake_is_over_there_are_no_messages),
        cmocka_unit_test(s1_16_ticket_is_handed_back_and_then_taken),
        cmocka_unit_test(s3_5_ticket_after_a_leg_without_input_is_skipped),
        cmocka_unit_test(replayed_ticket_fails),
        cmocka_unit_test(encrypt_and_decrypt_run_at_the_same_time),
    };

    return cmocka_run_group_tests(tests, peer_set_up, NULL);
}
