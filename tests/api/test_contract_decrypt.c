/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: DecryptMessage. Where the parts of a record are shown, what is incomplete, and what
 * ends a context: altered, repeated, reordered, cut and oversized records. After a failure nothing
 * of the message is left to read and the context is over.
 */
#include <stdlib.h>
#include <string.h>

#include "support/tls_peer.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

/* A connection without tickets under way, and some records for the server. */
static void open_with_records(struct peer_pair *pair, const struct peer_form *form, size_t p,
                              size_t records)
{
    const struct peer_setup setup = {.protocols = protocols[p]};

    peer_open(pair, form, &setup);
    peer_connect(pair);
    for (size_t i = 0; i < records; i++) {
        uint8_t data[40];

        memset(data, 'a' + (int)i, sizeof(data));
        assert_int_equal(peer_send(&pair->client, &pair->server, data, sizeof(data)), SEC_E_OK);
    }
}

struct opened {
    SecBuffer buffers[5];
    ULONG count;
};

static SECURITY_STATUS decrypt(struct peer_end *end, struct opened *opened)
{
    SecBufferDesc message = {SECBUFFER_VERSION, opened->count, opened->buffers};

    return DecryptMessage(&end->context, &message, 0, NULL);
}

static struct opened opened_of(void *bytes, size_t len)
{
    return (struct opened){.buffers = {{(ULONG)len, SECBUFFER_DATA, bytes}}, .count = 4};
}

/* ---- shapes ---- */

static void s3_4_parts_are_in_their_places(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;
        struct opened opened;
        uint8_t *bytes;
        size_t first;

        open_with_records(&pair, form, p, 2);
        bytes = pair.server.in.bytes;
        first = peer_record_len(bytes);
        opened = opened_of(bytes, pair.server.in.len);
        assert_int_equal(decrypt(&pair.server, &opened), SEC_E_OK);
        assert_int_equal(opened.buffers[0].BufferType, SECBUFFER_STREAM_HEADER);
        assert_ptr_equal(opened.buffers[0].pvBuffer, bytes);
        assert_int_equal(opened.buffers[1].BufferType, SECBUFFER_DATA);
        assert_int_equal(opened.buffers[1].cbBuffer, 40);
        assert_true((uint8_t *)opened.buffers[1].pvBuffer > bytes);
        assert_true((uint8_t *)opened.buffers[1].pvBuffer + 40 <= bytes + first);
        assert_int_equal(((uint8_t *)opened.buffers[1].pvBuffer)[39], 'a');
        assert_int_equal(opened.buffers[2].BufferType, SECBUFFER_STREAM_TRAILER);
        assert_int_equal(opened.buffers[3].BufferType, SECBUFFER_EXTRA);
        assert_int_equal(opened.buffers[3].cbBuffer, pair.server.in.len - first);
        /* exactly one record */
        opened = opened_of(bytes + first, pair.server.in.len - first);
        assert_int_equal(decrypt(&pair.server, &opened), SEC_E_OK);
        assert_int_equal(((uint8_t *)opened.buffers[1].pvBuffer)[0], 'b');
        assert_int_equal(opened.buffers[3].BufferType, SECBUFFER_EMPTY);
        assert_int_equal(opened.buffers[3].cbBuffer, 0);
        peer_clear(&pair.server.in);
        peer_close(&pair);
    }
}

static void s3_4_data_may_stand_anywhere(const struct peer_form *form)
{
    struct peer_pair pair;

    open_with_records(&pair, form, 0, 4);
    for (ULONG at = 0; at < 4; at++) {
        struct opened opened = {.count = at == 3 ? 5 : 4};

        opened.buffers[at] =
            (SecBuffer){(ULONG)pair.server.in.len, SECBUFFER_DATA, pair.server.in.bytes};
        assert_int_equal(decrypt(&pair.server, &opened), SEC_E_OK);
        assert_int_equal(opened.buffers[1].BufferType, SECBUFFER_DATA);
        assert_int_equal(((uint8_t *)opened.buffers[1].pvBuffer)[0], 'a' + (int)at);
        peer_drop(&pair.server.in, pair.server.in.len - opened.buffers[3].cbBuffer);
    }
    peer_close(&pair);
}

static void s3_4_wrong_buffers_are_refused_without_harm(const struct peer_form *form)
{
    struct peer_pair pair;
    struct opened opened;
    uint8_t *before;

    open_with_records(&pair, form, 0, 1);
    before = malloc(pair.server.in.len);
    memcpy(before, pair.server.in.bytes, pair.server.in.len);
    for (int way = 0; way < 8; way++) {
        opened = opened_of(pair.server.in.bytes, pair.server.in.len);
        switch (way) {
        case 0:
            opened.count = 3;
            break;
        case 1:
            opened.buffers[0].BufferType = SECBUFFER_EMPTY;
            break;
        case 2:
            opened.buffers[1] = opened.buffers[0];
            break;
        case 3:
            opened.buffers[2].BufferType = SECBUFFER_TOKEN;
            break;
        case 4:
            opened.buffers[0].pvBuffer = NULL;
            break;
        case 5:
            opened.buffers[0].BufferType |= SECBUFFER_READONLY;
            break;
        case 6:
            opened.count = 0;
            break;
        default:
            opened.buffers[0].BufferType = SECBUFFER_STREAM;
            break;
        }
        assert_int_equal(decrypt(&pair.server, &opened), SEC_E_INVALID_TOKEN);
        assert_memory_equal(before, pair.server.in.bytes, pair.server.in.len);
    }
    free(before);
    {
        uint8_t data[40];
        size_t len;

        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
        assert_int_equal(len, 40);
    }
    peer_close(&pair);
}

static void s2_9_sequence_number_must_be_zero(const struct peer_form *form)
{
    struct peer_pair pair;
    struct opened opened;
    SecBufferDesc message = {SECBUFFER_VERSION, 4, opened.buffers};
    SECURITY_STATUS status;

    open_with_records(&pair, form, 0, 1);
    opened = opened_of(pair.server.in.bytes, pair.server.in.len);
    status = DecryptMessage(&pair.server.context, &message, 7, NULL);
    assert_true(status == SEC_E_OUT_OF_SEQUENCE || status == SEC_E_INVALID_TOKEN);
    opened = opened_of(pair.server.in.bytes, pair.server.in.len);
    assert_int_equal(decrypt(&pair.server, &opened), SEC_E_OK);
    peer_close(&pair);
}

/* ---- incomplete ---- */

static void s3_4_every_prefix_is_incomplete_and_intact(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;
        uint8_t *copy, data[40];
        size_t whole, len;

        open_with_records(&pair, form, p, 1);
        whole = pair.server.in.len;
        for (size_t n = 0; n < whole; n++) {
            struct opened opened;

            copy = malloc(n ? n : 1);
            if (n > 0)
                memcpy(copy, pair.server.in.bytes, n);
            opened = opened_of(copy, n);
            assert_int_equal(decrypt(&pair.server, &opened), SEC_E_INCOMPLETE_MESSAGE);
            assert_int_equal(opened.buffers[0].BufferType, SECBUFFER_MISSING);
            assert_int_equal(opened.buffers[0].cbBuffer, n < 5 ? 5 - n : whole - n);
            assert_memory_equal(copy, pair.server.in.bytes, n);
            free(copy);
        }
        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
        assert_int_equal(len, 40);
        peer_close(&pair);
    }
}

/* ---- what ends a context ---- */

/* Nothing of the plaintext may be left where the record was. */
static bool holds(const uint8_t *bytes, size_t len, uint8_t byte)
{
    size_t run = 0;

    for (size_t i = 0; i < len; i++) {
        run = bytes[i] == byte ? run + 1 : 0;
        if (run >= 8)
            return true;
    }
    return false;
}

static void expect_end(struct peer_pair *pair, SECURITY_STATUS one, SECURITY_STATUS two)
{
    struct opened opened = opened_of(pair->server.in.bytes, pair->server.in.len);
    SECURITY_STATUS status = decrypt(&pair->server, &opened);

    assert_true(status == one || status == two);
    assert_false(holds(pair->server.in.bytes, pair->server.in.len, 'a'));
    /* over, in both directions and for good */
    assert_int_equal(peer_send(&pair->server, &pair->client, "x", 1), SEC_E_CONTEXT_EXPIRED);
    opened = opened_of(pair->server.in.bytes, pair->server.in.len);
    assert_int_equal(decrypt(&pair->server, &opened), SEC_E_CONTEXT_EXPIRED);
    peer_close(pair);
}

/* Each bit counts: header, nonce, body, tag. A type that cannot be is told from the header. */
static void altered_records_end_the_context(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;
        size_t whole;

        open_with_records(&pair, form, p, 1);
        whole = pair.server.in.len;
        peer_close(&pair);
        for (size_t at = 5; at < whole; at += at + 9 < whole ? 9 : 1) {
            open_with_records(&pair, form, p, 1);
            pair.server.in.bytes[at] ^= 0x10;
            expect_end(&pair, SEC_E_MESSAGE_ALTERED, SEC_E_DECRYPT_FAILURE);
        }
    }
}

static void repeated_records_end_the_context(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;
        struct peer_stream copy = {0};
        uint8_t data[40];
        size_t len;

        open_with_records(&pair, form, p, 1);
        peer_push(&copy, pair.server.in.bytes, pair.server.in.len);
        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
        pair.server.in = copy;
        expect_end(&pair, SEC_E_MESSAGE_ALTERED, SEC_E_DECRYPT_FAILURE);
    }
}

static void reordered_and_lost_records_end_the_context(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        open_with_records(&pair, form, p, 2);
        peer_drop(&pair.server.in, peer_record_len(pair.server.in.bytes));
        expect_end(&pair, SEC_E_MESSAGE_ALTERED, SEC_E_DECRYPT_FAILURE);
    }
}

/* A record cut short with its length put right. */
static void shortened_records_end_the_context(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        static const size_t keep[] = {0, 1, 8, 16, 17, 30};

        for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
            struct peer_pair pair;
            struct peer_stream cut = {0};

            open_with_records(&pair, form, p, 1);
            peer_push(&cut, pair.server.in.bytes, 5 + keep[i]);
            cut.bytes[3] = 0;
            cut.bytes[4] = (uint8_t)keep[i];
            peer_clear(&pair.server.in);
            pair.server.in = cut;
            {
                struct opened opened = opened_of(cut.bytes, cut.len);
                SECURITY_STATUS status = decrypt(&pair.server, &opened);

                assert_true(status < 0 && status != SEC_E_INCOMPLETE_MESSAGE);
                assert_int_not_equal(status, SEC_E_INTERNAL_ERROR); /* the peer did it, not we */
                assert_int_equal(peer_send(&pair.server, &pair.client, "x", 1),
                                 SEC_E_CONTEXT_EXPIRED);
            }
            peer_close(&pair);
        }
    }
}

/* Refused as soon as the header is there: nobody waits for 64 KiB that would be wrong anyway. */
static void s1_16_impossible_headers_end_the_context_at_once(const struct peer_form *form)
{
    static const struct {
        uint8_t header[5];
        size_t len;
        bool only_tls13;
    } rows[] = {
        {{23, 3, 3, 0xFF, 0xFF}, 5, false}, {{23, 3, 3, 0x48, 0x01}, 5, false},
        {{23, 3, 3, 0x41, 0x01}, 5, true},  {{'G', 'E', 'T', ' ', '/'}, 1, false},
        {{24, 3, 3, 0, 10}, 1, false},      {{23, 2, 0, 0, 10}, 2, false},
        {{0x80, 0x2E, 1, 3, 1}, 1, false},
    };

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        size_t row = i / 2;
        struct peer_pair pair;
        struct opened opened;
        uint8_t *bytes;

        if (rows[row].only_tls13 && i % 2 == 1)
            continue;
        open_with_records(&pair, form, i % 2, 0);
        bytes = malloc(rows[row].len);
        memcpy(bytes, rows[row].header, rows[row].len);
        opened = opened_of(bytes, rows[row].len);
        assert_int_equal(decrypt(&pair.server, &opened), SEC_E_INVALID_TOKEN);
        assert_int_equal(peer_send(&pair.server, &pair.client, "x", 1), SEC_E_CONTEXT_EXPIRED);
        free(bytes);
        peer_close(&pair);
    }
}

/* Plaintext records on an encrypted connection, as anybody in between could put in. */
static void plaintext_records_end_the_context(const struct peer_form *form)
{
    static const uint8_t records[][9] = {
        {23, 3, 3, 0, 4, 'a', 'b', 'c', 'd'},
        {21, 3, 3, 0, 2, 1, 0},
        {22, 3, 3, 0, 4, 0, 0, 0, 0},
    };

    for (size_t i = 0; i < 6; i++) {
        struct peer_pair pair;
        const uint8_t *record = records[i / 2];
        uint8_t bytes[9];
        struct opened opened;
        SECURITY_STATUS status;

        open_with_records(&pair, form, i % 2, 0);
        memcpy(bytes, record, sizeof(bytes));
        opened = opened_of(bytes, peer_record_len(bytes));
        status = decrypt(&pair.server, &opened);
        assert_true(status < 0 && status != SEC_E_INCOMPLETE_MESSAGE);
        peer_close(&pair);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_4_parts_are_in_their_places),
        PEER_CASE(s3_4_data_may_stand_anywhere),
        PEER_CASE(s3_4_wrong_buffers_are_refused_without_harm),
        PEER_CASE(s2_9_sequence_number_must_be_zero),
        PEER_CASE(s3_4_every_prefix_is_incomplete_and_intact),
        PEER_CASE(altered_records_end_the_context),
        PEER_CASE(repeated_records_end_the_context),
        PEER_CASE(reordered_and_lost_records_end_the_context),
        PEER_CASE(shortened_records_end_the_context),
        PEER_CASE(s1_16_impossible_headers_end_the_context_at_once),
        PEER_CASE(plaintext_records_end_the_context),
    };

    return peer_run_cases("contract.decrypt", cases, sizeof(cases) / sizeof(cases[0]));
}
