/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs of a client and a server of Schannel against each other, through the public calls: how much
 * input they take, where output goes, what happens when it does not fit, and how contexts end.
 */
#include <stdlib.h>
#include <string.h>

#include "support/test_util.h"
#include "unit/sspi_pair.h"

#define OUT_SIZE 24576u

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};
#define EACH_PROTOCOL(index) (size_t index = 0; index < 2; index++)

/* One leg with everything given; the streams stay as they are. */
struct raw {
    SecBuffer in[2], out[2];
    ULONG in_count, out_count;
    bool no_input, no_output;
};

static struct raw raw_leg(const void *bytes, size_t len, void *out, size_t out_size)
{
    return (struct raw){
        .in = {{(ULONG)len, SECBUFFER_TOKEN, (void *)bytes}, {0, SECBUFFER_EMPTY, NULL}},
        .out = {{(ULONG)out_size, SECBUFFER_TOKEN, out}},
        .in_count = 2,
        .out_count = 1,
    };
}

static SECURITY_STATUS run(struct sspi_end *end, struct raw *raw)
{
    SecBufferDesc in = {SECBUFFER_VERSION, raw->in_count, raw->in};
    SecBufferDesc out = {SECBUFFER_VERSION, raw->out_count, raw->out};
    PSecBufferDesc in_or_none = raw->no_input ? NULL : &in;
    PSecBufferDesc out_or_none = raw->no_output ? NULL : &out;
    PCtxtHandle context = end->has_context ? &end->context : NULL;
    SECURITY_STATUS status;

    if (end->server)
        status = AcceptSecurityContext(&end->credential, context, in_or_none, end->flags, 0,
                                       &end->context, out_or_none, &end->attributes, NULL);
    else
        status = InitializeSecurityContextA(&end->credential, context, (SEC_CHAR *)end->target,
                                            end->flags, 0, 0, in_or_none, 0, &end->context,
                                            out_or_none, &end->attributes, NULL);
    if (status >= 0)
        end->has_context = true;
    return status;
}

static void control(struct sspi_end *end, const void *token, ULONG size)
{
    SecBuffer buffer = {size, SECBUFFER_TOKEN, (void *)token};
    SecBufferDesc desc = {SECBUFFER_VERSION, 1, &buffer};

    assert_int_equal(ApplyControlToken(&end->context, &desc), SEC_E_OK);
}

/* ---- input ---- */

static void s2_5_first_leg_counts_missing_bytes_and_makes_no_context(void **state)
{
    static struct sspi_pair pair;
    uint8_t out[64];

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    for (size_t n = 0; n < pair.server.in.len; n++) {
        struct raw raw = raw_leg(pair.server.in.bytes, n, out, sizeof(out));

        memset(&pair.server.context, 0x5A, sizeof(pair.server.context));
        memset(out, 0x5A, sizeof(out));
        assert_int_equal(run(&pair.server, &raw), SEC_E_INCOMPLETE_MESSAGE);
        assert_int_equal(raw.in[1].BufferType, SECBUFFER_MISSING);
        assert_int_equal(raw.in[1].cbBuffer, n < 5 ? 5 - n : pair.server.in.len - n);
        assert_int_equal(raw.out[0].cbBuffer, sizeof(out));
        assert_int_equal(out[0], 0x5A);
        assert_int_equal(pair.server.context.dwLower, 0x5A5A5A5A5A5A5A5A);
    }
    sspi_pair_clear(&pair);
}

/* Feeds what is for `end` one byte at a time, as a caller does that appends and tries again. */
static SECURITY_STATUS byte_by_byte(struct sspi_end *end, struct sspi_end *to)
{
    static uint8_t all[SSPI_STREAM_SIZE]; /* guarded by: one thread runs this */
    size_t len = end->in.len;
    SECURITY_STATUS status = SEC_E_INCOMPLETE_MESSAGE;

    memcpy(all, end->in.bytes, len);
    end->in.len = 0;
    for (size_t i = 0; i < len; i++) {
        end->in.bytes[end->in.len++] = all[i];
        status = sspi_leg(end, to);
        if (status == SEC_E_OK) { /* the rest is for DecryptMessage */
            memcpy(end->in.bytes + end->in.len, all + i + 1, len - i - 1);
            end->in.len += len - i - 1;
            return status;
        }
        if (status != SEC_E_INCOMPLETE_MESSAGE)
            assert_int_equal(status, SEC_I_CONTINUE_NEEDED);
    }
    return status;
}

static void s2_5_flights_may_come_byte_by_byte(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            SECURITY_STATUS client = SEC_I_CONTINUE_NEEDED, server = SEC_I_CONTINUE_NEEDED;

            sspi_pair_init(&pair, protocols[i], "server");
            assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
            for (int round = 0; round < 4 && !(client == SEC_E_OK && server == SEC_E_OK); round++) {
                if (pair.server.in.len > 0)
                    server = byte_by_byte(&pair.server, &pair.client);
                if (pair.client.in.len > 0 && client != SEC_E_OK)
                    client = byte_by_byte(&pair.client, &pair.server);
            }
            assert_int_equal(client, SEC_E_OK);
            assert_int_equal(server, SEC_E_OK);
            sspi_pair_clear(&pair);
        }
}

static void s2_5_partial_record_behind_whole_ones_is_extra(void **state)
{
    static struct sspi_pair pair;
    static uint8_t out[OUT_SIZE];
    struct raw raw;
    size_t first;

    (void)state;
    sspi_pair_init(&pair, SP_PROT_TLS1_3_CLIENT, "server");
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(sspi_leg(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    first = 5 + (pair.client.in.bytes[3] << 8) + pair.client.in.bytes[4];
    raw = raw_leg(pair.client.in.bytes, first + 3, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(raw.in[1].BufferType, SECBUFFER_EXTRA);
    assert_int_equal(raw.in[1].cbBuffer, 3);
    assert_int_equal(raw.out[0].cbBuffer, 0);
    raw = raw_leg(pair.client.in.bytes + first, pair.client.in.len - first, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_E_OK);
    sspi_pair_clear(&pair);
}

static void garbage_gets_an_alert_and_no_context(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        uint8_t alert;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, TLS1_ALERT_UNEXPECTED_MESSAGE},
        {"\x16\x02\x00", 3, TLS1_ALERT_PROTOCOL_VERSION},
        {"\x16\x03\x01\x40\x01", 5, TLS1_ALERT_RECORD_OVERFLOW},
    };
    static struct sspi_pair pair;
    uint8_t out[64];

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint8_t expected[] = {21, 3, 3, 0, 2, 2, rows[i].alert};
        struct raw raw = raw_leg(rows[i].bytes, rows[i].len, out, sizeof(out));

        assert_int_equal(run(&pair.server, &raw), SEC_E_INVALID_TOKEN);
        assert_int_equal(raw.out[0].cbBuffer, sizeof(expected));
        assert_memory_equal(out, expected, sizeof(expected));
        assert_true(pair.server.attributes & ASC_RET_EXTENDED_ERROR);
        /* With a buffer of its own it goes there, without EXTENDED_ERROR nowhere else. */
        raw = raw_leg(rows[i].bytes, rows[i].len, out, 32);
        raw.out[1] = (SecBuffer){32, SECBUFFER_ALERT, out + 32};
        raw.out_count = 2;
        assert_int_equal(run(&pair.server, &raw), SEC_E_INVALID_TOKEN);
        assert_int_equal(raw.out[0].cbBuffer, 0);
        assert_int_equal(raw.out[1].cbBuffer, sizeof(expected));
        assert_memory_equal(out + 32, expected, sizeof(expected));
        pair.server.flags &= ~(ULONG)ASC_REQ_EXTENDED_ERROR;
        raw = raw_leg(rows[i].bytes, rows[i].len, out, sizeof(out));
        assert_int_equal(run(&pair.server, &raw), SEC_E_INVALID_TOKEN);
        assert_int_equal(raw.out[0].cbBuffer, 0);
        pair.server.flags |= ASC_REQ_EXTENDED_ERROR;
    }
    sspi_pair_clear(&pair);
}

static void server_that_talks_http_ends_the_client(void **state)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    static struct sspi_pair pair;
    uint8_t out[64];
    struct raw raw;

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    raw = raw_leg(answer, 1, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_E_INVALID_TOKEN);
    assert_int_equal(raw.out[0].cbBuffer, 7);
    assert_int_equal(out[0], 21);
    raw = raw_leg(answer, 20, out, sizeof(out)); /* the status stays */
    assert_int_equal(run(&pair.client, &raw), SEC_E_INVALID_TOKEN);
    assert_int_equal(raw.out[0].cbBuffer, 0);
    sspi_pair_clear(&pair);
}

static void tampered_flights_fail_with_an_alert(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            SECURITY_STATUS status;

            sspi_pair_init(&pair, protocols[i], "server");
            assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
            assert_int_equal(sspi_leg(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
            pair.client.in.bytes[pair.client.in.len - 3] ^= 1;
            status = sspi_leg(&pair.client, &pair.server);
            assert_true(status < 0 && status != SEC_E_INCOMPLETE_MESSAGE);
            assert_true(pair.server.in.len > 0);
            assert_true(sspi_leg(&pair.server, &pair.client) < 0);
            sspi_pair_clear(&pair);
        }
}

/* ---- output ---- */

static void first_legs_refuse_wrong_arguments(void **state)
{
    static struct sspi_pair pair;
    static uint8_t out[OUT_SIZE];
    struct raw raw;

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    raw = raw_leg(NULL, 0, out, sizeof(out));
    raw.no_output = true;
    assert_int_equal(run(&pair.client, &raw), SEC_E_INVALID_TOKEN);
    raw = raw_leg("abc", 3, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_E_INVALID_TOKEN);
    assert_int_equal(raw.out[0].cbBuffer, 0);
    raw = raw_leg(NULL, 0, out, sizeof(out));
    raw.in[1] = (SecBuffer){9, SECBUFFER_EMPTY, out};
    assert_int_equal(run(&pair.client, &raw), SEC_E_INVALID_TOKEN);
    raw = raw_leg(NULL, 0, out, sizeof(out));
    raw.out[1] = (SecBuffer){0, SECBUFFER_ALERT, out};
    raw.out_count = 2;
    assert_int_equal(run(&pair.client, &raw), SEC_E_INSUFFICIENT_MEMORY);
    pair.client.flags |= ISC_REQ_DELEGATE;
    raw = raw_leg(NULL, 0, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_E_UNSUPPORTED_FUNCTION);
    pair.client.flags = ISC_REQ_PROMPT_FOR_CREDS;
    raw = raw_leg(NULL, 0, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_E_UNSUPPORTED_FUNCTION);
    assert_false(pair.client.has_context);
    /* An EMPTY slot serves as a place for the token, and no input is as good as empty input. */
    pair.client.flags = 0;
    raw = raw_leg(NULL, 0, out, sizeof(out));
    raw.no_input = true;
    raw.out[0].BufferType = SECBUFFER_EMPTY;
    assert_int_equal(run(&pair.client, &raw), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(raw.out[0].BufferType, SECBUFFER_TOKEN);
    assert_true(raw.out[0].cbBuffer > 0);
    sspi_pair_clear(&pair);
}

static void s2_5_memory_is_allocated_on_request_or_without_an_address(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    for (int request = 0; request < 2; request++) {
        struct raw raw = raw_leg(NULL, 0, request ? (void *)16 : NULL, 5);

        sspi_pair_init(&pair, 0, "server");
        if (request)
            pair.client.flags |= ISC_REQ_ALLOCATE_MEMORY;
        raw.out[1] = (SecBuffer){0, SECBUFFER_ALERT, NULL};
        raw.out_count = 2;
        assert_int_equal(run(&pair.client, &raw), SEC_I_CONTINUE_NEEDED);
        assert_true(raw.out[0].cbBuffer > 5);
        assert_int_equal(((uint8_t *)raw.out[0].pvBuffer)[0], 22);
        assert_null(raw.out[1].pvBuffer);
        assert_int_equal(raw.out[1].cbBuffer, 0);
        assert_true(pair.client.attributes & ISC_RET_ALLOCATED_MEMORY);
        assert_int_equal(FreeContextBuffer(raw.out[0].pvBuffer), SEC_E_OK);
        sspi_pair_clear(&pair);
    }
}

static void s2_5_too_small_first_output_makes_no_context(void **state)
{
    static struct sspi_pair pair;
    uint8_t out[64];

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    assert_int_equal(sspi_leg_into(&pair.client, &pair.server, out, 20), SEC_E_INSUFFICIENT_MEMORY);
    assert_false(pair.client.has_context);
    assert_int_equal(sspi_leg_into(&pair.client, &pair.server, out, 0), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(sspi_leg_into(&pair.server, &pair.client, out, 20), SEC_E_INSUFFICIENT_MEMORY);
    assert_false(pair.server.has_context);
    assert_int_equal(sspi_leg(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    sspi_pair_clear(&pair);
}

/* Retries a leg whose output did not fit: with the same input, with more, with none. */
static void retry_too_small(DWORD protocol, int way)
{
    static struct sspi_pair pair;
    static uint8_t out[OUT_SIZE];
    struct raw raw;
    size_t len;

    sspi_pair_init(&pair, protocol, "server");
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(sspi_leg(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    len = pair.client.in.len;
    for (ULONG size = 0; size < 60; size += 20) {
        raw = raw_leg(pair.client.in.bytes, len, out, size);
        assert_int_equal(run(&pair.client, &raw), SEC_E_INSUFFICIENT_MEMORY);
        assert_int_equal(raw.out[0].cbBuffer, size);
        assert_int_equal(raw.in[1].BufferType, SECBUFFER_EMPTY);
    }
    raw = raw_leg(pair.client.in.bytes + 1, len - 1, out, sizeof(out)); /* not the same input */
    assert_int_equal(run(&pair.client, &raw), SEC_E_INVALID_TOKEN);
    raw = raw_leg(pair.client.in.bytes, way == 2 ? 0 : len + (size_t)way, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw),
                     protocol == SP_PROT_TLS1_3_CLIENT ? SEC_E_OK : SEC_I_CONTINUE_NEEDED);
    assert_true(raw.out[0].cbBuffer > 60);
    assert_int_equal(raw.in[1].BufferType, way == 1 ? SECBUFFER_EXTRA : SECBUFFER_EMPTY);
    assert_int_equal(raw.in[1].cbBuffer, way == 1 ? 1 : 0);
    pair.client.in.len = 0;
    memcpy(pair.server.in.bytes, out, raw.out[0].cbBuffer);
    pair.server.in.len = raw.out[0].cbBuffer;
    assert_int_equal(sspi_leg(&pair.server, &pair.client), SEC_E_OK);
    sspi_pair_clear(&pair);
}

static void s2_5_too_small_output_keeps_state(void **state)
{
    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            for (int way = 0; way < 3; way++)
                retry_too_small(protocols[i], way);
        }
}

static void s3_3_flags_are_granted_as_asked(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    pair.client.flags = ISC_REQ_CONFIDENTIALITY | ISC_REQ_STREAM | ISC_REQ_USE_SUPPLIED_CREDS;
    sspi_connect(&pair);
    assert_int_equal(pair.client.attributes, ISC_RET_REPLAY_DETECT | ISC_RET_SEQUENCE_DETECT |
                                                 ISC_RET_CONFIDENTIALITY | ISC_RET_STREAM |
                                                 ISC_RET_USED_SUPPLIED_CREDS);
    assert_false(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
    assert_true(pair.client.expiry.QuadPart > 0);
    assert_true(pair.client.expiry.QuadPart < INT64_MAX); /* the server's certificate's */
    assert_int_equal(pair.server.expiry.QuadPart, INT64_MAX);
    sspi_pair_clear(&pair);
}

/* ---- names ---- */

static void missing_and_changed_targets_are_refused(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    pair.client.target = NULL;
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_E_WRONG_PRINCIPAL);
    pair.client.target = "";
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_E_WRONG_PRINCIPAL);
    pair.client.target = "no host name";
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_E_TARGET_UNKNOWN);
    assert_false(pair.client.has_context);
    pair.client.target = "Server.Test.";
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(sspi_leg(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    pair.client.target = "other.test";
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_E_WRONG_PRINCIPAL);
    pair.client.target = SSPI_TARGET; /* another spelling of the same */
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_E_OK);
    sspi_pair_clear(&pair);
}

static void manual_validation_needs_no_name(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    sspi_pair_init(&pair, 0, "selfsigned");
    pair.client.target = NULL;
    pair.client.flags |= ISC_REQ_MANUAL_CRED_VALIDATION;
    sspi_connect(&pair);
    assert_true(pair.client.attributes & ISC_RET_MANUAL_CRED_VALIDATION);
    sspi_pair_disconnect(&pair);
    pair.client.flags &= ~(ULONG)ISC_REQ_MANUAL_CRED_VALIDATION;
    pair.client.target = SSPI_TARGET;
    assert_int_equal(sspi_handshake(&pair), SEC_E_UNTRUSTED_ROOT);
    sspi_pair_clear(&pair);
}

static void wrong_name_fails_with_an_alert_for_the_server(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    sspi_pair_init(&pair, 0, "wrongname");
    assert_int_equal(sspi_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
    assert_true(pair.server.in.len > 0);
    assert_true(sspi_leg(&pair.server, &pair.client) < 0);
    sspi_pair_clear(&pair);
}

/* ---- ends ---- */

static void s2_11_shutdown_on_a_half_open_handshake(void **state)
{
    static const uint8_t expected[] = {21, 3, 3, 0, 2, 1, 0};
    static struct sspi_pair pair;
    const DWORD shutdown = SCHANNEL_SHUTDOWN;
    uint8_t out[64];
    struct raw raw;

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    raw = raw_leg(NULL, 0, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_E_INCOMPLETE_MESSAGE); /* nothing was asked */
    control(&pair.client, &shutdown, sizeof(shutdown));
    control(&pair.client, &shutdown, sizeof(shutdown));
    raw = raw_leg(NULL, 0, out, 6);
    assert_int_equal(run(&pair.client, &raw), SEC_E_INSUFFICIENT_MEMORY);
    raw = raw_leg(NULL, 0, out, sizeof(out));
    raw.no_input = true;
    assert_int_equal(run(&pair.client, &raw), SEC_E_OK);
    assert_int_equal(raw.out[0].cbBuffer, sizeof(expected));
    assert_memory_equal(out, expected, sizeof(expected));
    raw = raw_leg(NULL, 0, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_E_INCOMPLETE_MESSAGE);
    raw = raw_leg("\x16\x03\x03\0\0", 5, out, sizeof(out));
    assert_int_equal(run(&pair.client, &raw), SEC_E_CONTEXT_EXPIRED);
    sspi_pair_clear(&pair);
}

static void s3_7_shutdown_of_both_sides(void **state)
{
    static struct sspi_pair pair;
    uint8_t data[16], out[64];
    size_t len;

    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            struct raw raw = raw_leg(NULL, 0, out, sizeof(out));

            sspi_pair_init(&pair, protocols[i], "server");
            sspi_connect(&pair);
            pair.client.in.len = 0; /* tickets */
            assert_int_equal(sspi_shutdown(&pair.server, &pair.client), SEC_E_OK);
            assert_int_equal(sspi_send(&pair.server, &pair.client, "x", 1), SEC_E_CONTEXT_EXPIRED);
            assert_int_equal(run(&pair.server, &raw), SEC_E_INCOMPLETE_MESSAGE);
            if (protocols[i] == SP_PROT_TLS1_2_CLIENT) {
                assert_int_equal(sspi_receive(&pair.client, data, sizeof(data), &len),
                                 SEC_I_CONTEXT_EXPIRED);
                assert_int_equal(sspi_receive(&pair.client, data, sizeof(data), &len),
                                 SEC_I_CONTEXT_EXPIRED);
            }
            /* Half-closed: what the other side still says arrives. */
            assert_int_equal(sspi_send(&pair.client, &pair.server, "last", 4), SEC_E_OK);
            assert_int_equal(sspi_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
            assert_int_equal(len, 4);
            assert_int_equal(sspi_shutdown(&pair.client, &pair.server), SEC_E_OK);
            assert_int_equal(sspi_receive(&pair.server, data, sizeof(data), &len),
                             SEC_I_CONTEXT_EXPIRED);
            sspi_pair_clear(&pair);
        }
}

static void legs_on_an_established_context_consume_nothing_foreign(void **state)
{
    static struct sspi_pair pair;
    uint8_t out[64];

    (void)state;
    for
        EACH_PROTOCOL(i)
        {
            struct raw raw;

            sspi_pair_init(&pair, protocols[i], "server");
            sspi_connect(&pair);
            assert_int_equal(sspi_send(&pair.client, &pair.server, "data", 4), SEC_E_OK);
            raw = raw_leg(pair.server.in.bytes, pair.server.in.len, out, sizeof(out));
            assert_int_equal(run(&pair.server, &raw), SEC_E_OK);
            assert_int_equal(raw.in[1].BufferType, SECBUFFER_EXTRA);
            assert_int_equal(raw.in[1].cbBuffer, pair.server.in.len);
            assert_int_equal(raw.out[0].cbBuffer, 0);
            raw = raw_leg(NULL, 0, out, sizeof(out));
            assert_int_equal(run(&pair.server, &raw), SEC_E_OK);
            assert_int_equal(raw.out[0].cbBuffer, 0);
            sspi_pair_clear(&pair);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s2_5_first_leg_counts_missing_bytes_and_makes_no_context),
        cmocka_unit_test(s2_5_flights_may_come_byte_by_byte),
        cmocka_unit_test(s2_5_partial_record_behind_whole_ones_is_extra),
        cmocka_unit_test(garbage_gets_an_alert_and_no_context),
        cmocka_unit_test(server_that_talks_http_ends_the_client),
        cmocka_unit_test(tampered_flights_fail_with_an_alert),
        cmocka_unit_test(first_legs_refuse_wrong_arguments),
        cmocka_unit_test(s2_5_memory_is_allocated_on_request_or_without_an_address),
        cmocka_unit_test(s2_5_too_small_first_output_makes_no_context),
        cmocka_unit_test(s2_5_too_small_output_keeps_state),
        cmocka_unit_test(s3_3_flags_are_granted_as_asked),
        cmocka_unit_test(missing_and_changed_targets_are_refused),
        cmocka_unit_test(manual_validation_needs_no_name),
        cmocka_unit_test(wrong_name_fails_with_an_alert_for_the_server),
        cmocka_unit_test(s2_11_shutdown_on_a_half_open_handshake),
        cmocka_unit_test(s3_7_shutdown_of_both_sides),
        cmocka_unit_test(legs_on_an_established_context_consume_nothing_foreign),
    };

    return cmocka_run_group_tests(tests, peer_set_up, NULL);
}
