/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: ApplyControlToken and the end of a connection. Which tokens there are, what the next
 * leg makes of them in each state, who sees which status afterwards.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <opensspi.h>
#include <string.h>

#include "support/tls_raw.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

/* A leg without input. */
static SECURITY_STATUS empty_leg(struct peer_end *end, struct peer_end *to)
{
    uint8_t out[256];
    struct peer_leg leg = peer_leg_of(end, NULL, 0, out, sizeof(out));
    SECURITY_STATUS status;

    leg.no_in = true;
    leg.target = NULL;
    status = peer_leg_run(end, &leg);
    if (status >= 0)
        peer_push(&to->in, out, leg.out[0].cbBuffer);
    return status;
}

static SECURITY_STATUS alert(struct peer_end *end, DWORD type, DWORD number)
{
    const SCHANNEL_ALERT_TOKEN token = {SCHANNEL_ALERT, type, number};

    return peer_control(end, &token, sizeof(token));
}

/* ---- tokens ---- */

static void s2_11_tokens(const struct peer_form *form)
{
    const DWORD shutdown_and_more[] = {SCHANNEL_SHUTDOWN, 7, 8, 9, 10};
    const DWORD renegotiate = SCHANNEL_RENEGOTIATE, unknown = 77;
    const SCHANNEL_SESSION_TOKEN disable = {SCHANNEL_SESSION, SSL_SESSION_DISABLE_RECONNECTS};
    const SCHANNEL_SESSION_TOKEN nonsense = {SCHANNEL_SESSION, 77};
    SecBuffer buffers[2] = {{4, SECBUFFER_TOKEN, (void *)shutdown_and_more}, {0}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    for (int established = 0; established < 2; established++) {
        struct peer_end *end = &pair.client;

        if (established == 1) {
            peer_disconnect(&pair);
            peer_connect(&pair);
        } else {
            assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        }
        desc = (SecBufferDesc){SECBUFFER_VERSION, 2, buffers};
        assert_int_equal(ApplyControlToken(&end->context, &desc), SEC_E_INVALID_TOKEN);
        desc.cBuffers = 0;
        assert_int_equal(ApplyControlToken(&end->context, &desc), SEC_E_INVALID_TOKEN);
        desc.cBuffers = 1;
        buffers[0].BufferType = SECBUFFER_DATA;
        assert_int_equal(ApplyControlToken(&end->context, &desc), SEC_E_INVALID_TOKEN);
        buffers[0].BufferType = SECBUFFER_EMPTY;
        assert_int_equal(ApplyControlToken(&end->context, &desc), SEC_E_INVALID_TOKEN);
        buffers[0].BufferType = SECBUFFER_TOKEN;
        assert_int_equal(ApplyControlToken(&end->context, NULL), SEC_E_INTERNAL_ERROR);
        assert_int_equal(ApplyControlToken(NULL, &desc), SEC_E_INVALID_HANDLE);
        for (ULONG size = 0; size < 4; size++)
            assert_int_equal(peer_control(end, shutdown_and_more, size),
                             SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(peer_control(end, &renegotiate, 4), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(peer_control(end, &unknown, 4), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(peer_control(end, &nonsense, sizeof(nonsense)), SEC_E_INVALID_TOKEN);
        assert_int_equal(peer_control(end, &disable, sizeof(disable)), SEC_E_OK);
        assert_int_equal(peer_control(end, shutdown_and_more, sizeof(shutdown_and_more)), SEC_E_OK);
        assert_int_equal(peer_control(end, shutdown_and_more, 4), SEC_E_OK);
    }
    peer_close(&pair);
}

/* ---- closing a half-open handshake ---- */

static void s2_11_shutdown_of_a_half_open_handshake(const struct peer_form *form)
{
    static const uint8_t close_notify[] = {21, 3, 3, 0, 2, 1, 0};
    struct peer_pair pair;
    struct peer_end wire = {0};

    peer_open(&pair, form, NULL);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(peer_shutdown(&pair.client, &wire), SEC_E_OK);
    assert_int_equal(wire.in.len, sizeof(close_notify));
    assert_int_equal(wire.in.bytes[0], 21);
    assert_memory_equal(wire.in.bytes + 3, close_notify + 3, 4);
    assert_int_equal(empty_leg(&pair.client, &wire), SEC_E_INCOMPLETE_MESSAGE);
    peer_clear(&wire.in);
    peer_close(&pair);
}

/* A peer that closes before the handshake is over has broken it off; nothing of ours has failed. */
static void a_peer_closes_during_the_handshake(const struct peer_form *form)
{
    static const uint8_t close_notify[] = {
        21, 3, 3, 0, 2, TLS1_ALERT_WARNING, TLS1_ALERT_CLOSE_NOTIFY};

    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;
        char detail[80];

        peer_open(&pair, form, &setup);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        peer_push(&pair.client.in, close_notify, sizeof(close_notify));
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_ILLEGAL_MESSAGE);
        assert_int_equal(OsspiGetErrorDetail(&pair.client.context, detail, sizeof(detail)),
                         SEC_E_OK);
        assert_non_null(strstr(detail, "closed during the handshake"));
        peer_close(&pair);
    }
}

static void s2_11_alert_in_a_half_open_handshake(const struct peer_form *form)
{
    struct peer_pair pair;
    struct peer_end wire = {0};

    peer_open(&pair, form, NULL);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(alert(&pair.client, 3, 40), SEC_E_INVALID_TOKEN);
    assert_int_equal(alert(&pair.client, TLS1_ALERT_FATAL, 256), SEC_E_INVALID_TOKEN);
    assert_int_equal(alert(&pair.client, TLS1_ALERT_FATAL, TLS1_ALERT_HANDSHAKE_FAILURE), SEC_E_OK);
    assert_int_equal(empty_leg(&pair.client, &wire), SEC_E_OK);
    assert_int_equal(wire.in.len, 7);
    assert_int_equal(wire.in.bytes[5], TLS1_ALERT_FATAL);
    assert_int_equal(wire.in.bytes[6], TLS1_ALERT_HANDSHAKE_FAILURE);
    peer_clear(&wire.in);
    peer_close(&pair);
}

/* ---- closing a connection ---- */

static void close_from(struct peer_end *first, struct peer_end *second)
{
    char data[16];
    size_t len;

    assert_int_equal(peer_send(first, second, "last words", 10), SEC_E_OK);
    assert_int_equal(peer_shutdown(first, second), SEC_E_OK);
    assert_int_equal(peer_send(first, second, "x", 1), SEC_E_CONTEXT_EXPIRED);
    assert_int_equal(peer_receive_data(second, first, data, sizeof(data), &len), SEC_E_OK);
    assert_int_equal(len, 10);
    assert_int_equal(peer_receive(second, data, sizeof(data), &len), SEC_I_CONTEXT_EXPIRED);
    assert_int_equal(second->in.len, 0);
    assert_int_equal(peer_receive(second, data, sizeof(data), &len), SEC_I_CONTEXT_EXPIRED);
    /* the other direction is open until it is closed too */
    assert_int_equal(peer_send(second, first, "goodbye", 7), SEC_E_OK);
    assert_int_equal(peer_receive_data(first, second, data, sizeof(data), &len), SEC_E_OK);
    assert_int_equal(len, 7);
    assert_int_equal(peer_shutdown(second, first), SEC_E_OK);
    assert_int_equal(peer_receive(first, data, sizeof(data), &len), SEC_I_CONTEXT_EXPIRED);
}

static void s3_7_shutdown_in_both_orders(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;

        peer_open(&pair, form, &setup);
        peer_connect(&pair);
        peer_exchange(&pair);
        close_from(&pair.client, &pair.server);
        peer_disconnect(&pair);
        peer_connect(&pair);
        peer_exchange(&pair);
        close_from(&pair.server, &pair.client);
        peer_close(&pair);
    }
}

static void s3_7_both_close_at_once(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;
        char data[16];
        size_t len;

        peer_open(&pair, form, &setup);
        peer_connect(&pair);
        peer_exchange(&pair);
        assert_int_equal(peer_shutdown(&pair.client, &pair.server), SEC_E_OK);
        assert_int_equal(peer_shutdown(&pair.server, &pair.client), SEC_E_OK);
        assert_int_equal(peer_receive(&pair.client, data, sizeof(data), &len),
                         SEC_I_CONTEXT_EXPIRED);
        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len),
                         SEC_I_CONTEXT_EXPIRED);
        peer_close(&pair);
    }
}

/* A second shutdown makes no second alert. */
static void s2_11_shutdown_may_be_repeated(const struct peer_form *form)
{
    struct peer_pair pair;
    size_t before;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    peer_exchange(&pair);
    assert_int_equal(peer_shutdown(&pair.client, &pair.server), SEC_E_OK);
    before = pair.server.in.len;
    assert_true(before > 0);
    assert_int_equal(empty_leg(&pair.client, &pair.server), SEC_E_INCOMPLETE_MESSAGE);
    (void)peer_shutdown(&pair.client, &pair.server);
    assert_int_equal(pair.server.in.len, before);
    peer_close(&pair);
}

/* What another implementation sees: a clean end, or the alert. */
/* The token is a wish: until a leg has been made, nothing is closed. */
static void s2_11_no_leg_no_end(const struct peer_form *form)
{
    static const DWORD versions[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};
    const DWORD token = SCHANNEL_SHUTDOWN;

    for (size_t i = 0; i < 2; i++) {
        const struct peer_setup setup = {.protocols = versions[i]};
        struct peer_pair pair;

        peer_open(&pair, form, &setup);
        peer_connect(&pair);
        assert_int_equal(peer_control(&pair.client, &token, sizeof(token)), SEC_E_OK);
        peer_exchange(&pair);
        assert_int_equal(peer_shutdown(&pair.client, &pair.server), SEC_E_OK);
        assert_int_equal(peer_send(&pair.client, &pair.server, "data", 4), SEC_E_CONTEXT_EXPIRED);
        peer_close(&pair);
    }
}

/* Closing ends one direction: what the other side still sends can be read. Behind its own end
 * nothing is. */
static void s3_7_data_behind_an_end(const struct peer_form *form)
{
    static const DWORD versions[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

    for (size_t i = 0; i < 2; i++) {
        const struct peer_setup setup = {.protocols = versions[i]};
        struct peer_pair pair;
        char data[16];
        size_t len;

        peer_open(&pair, form, &setup);
        peer_connect(&pair);
        peer_exchange(&pair);
        assert_int_equal(peer_shutdown(&pair.client, &pair.server), SEC_E_OK);
        assert_int_equal(peer_send(&pair.server, &pair.client, "data", 4), SEC_E_OK);
        assert_int_equal(peer_receive_data(&pair.client, &pair.server, data, sizeof(data), &len),
                         SEC_E_OK);
        assert_int_equal(len, 4);
        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len),
                         SEC_I_CONTEXT_EXPIRED);
        assert_int_equal(peer_send(&pair.server, &pair.client, "more", 4), SEC_E_OK);
        assert_int_equal(peer_shutdown(&pair.server, &pair.client), SEC_E_OK);
        peer_push(&pair.client.in, "garbage behind the end", 22);
        assert_int_equal(peer_receive(&pair.client, data, sizeof(data), &len), SEC_E_OK);
        assert_int_equal(len, 4);
        for (int again = 0; again < 3; again++) {
            assert_int_equal(peer_receive(&pair.client, data, sizeof(data), &len),
                             SEC_I_CONTEXT_EXPIRED);
            assert_int_equal(len, 0);
            assert_int_equal(pair.client.in.len, 22);
        }
        peer_close(&pair);
    }
}

static void s3_7_other_peers_see_a_clean_end(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct raw_peer raw;
        struct peer_end client, wire = {0};
        char data[16];
        size_t len;

        raw_connect(&raw, &client, form, false, p == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, "server");
        raw_exchange(&raw, &client);
        assert_int_equal(peer_shutdown(&client, &wire), SEC_E_OK);
        raw_give(&raw, &wire.in);
        assert_int_equal(SSL_read(raw.ssl, data, sizeof(data)), 0);
        assert_int_equal(SSL_get_shutdown(raw.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        (void)SSL_shutdown(raw.ssl);
        raw_take(&raw, &client.in);
        assert_int_equal(peer_receive(&client, data, sizeof(data), &len), SEC_I_CONTEXT_EXPIRED);
        peer_end_free(&client);
        raw_close(&raw);
    }
}

/* An alert under keys is sent, and a fatal one is the end of it. */
static void s3_7_fatal_alert_on_a_connection(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;
        char data[16];
        size_t len;

        peer_open(&pair, form, &setup);
        peer_connect(&pair);
        peer_exchange(&pair);
        assert_int_equal(alert(&pair.client, TLS1_ALERT_FATAL, TLS1_ALERT_INTERNAL_ERROR),
                         SEC_E_OK);
        assert_int_equal(empty_leg(&pair.client, &pair.server), SEC_E_OK);
        assert_int_equal(peer_send(&pair.client, &pair.server, "x", 1), SEC_E_CONTEXT_EXPIRED);
        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len),
                         SEC_E_ILLEGAL_MESSAGE);
        assert_int_equal(peer_send(&pair.server, &pair.client, "x", 1), SEC_E_CONTEXT_EXPIRED);
        peer_close(&pair);
    }
}

/* Warnings change nothing: user_canceled is allowed in both versions. */
static void s3_7_warning_on_a_connection(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;
        char data[16];
        size_t len;

        peer_open(&pair, form, &setup);
        peer_connect(&pair);
        peer_exchange(&pair);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(alert(&pair.client, TLS1_ALERT_WARNING, TLS1_ALERT_USER_CANCELED),
                             SEC_E_OK);
            assert_int_equal(empty_leg(&pair.client, &pair.server), SEC_E_OK);
            assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
            assert_int_equal(len, 0);
            peer_exchange(&pair);
        }
        peer_close(&pair);
    }
}

static void s3_7_other_peers_see_the_alert(const struct peer_form *form)
{
    for (size_t p = 0; p < 4; p++) {
        struct raw_peer raw;
        struct peer_end end, wire = {0};
        char data[16];

        raw_connect(&raw, &end, form, p / 2 == 1, p % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION,
                    "server");
        raw_exchange(&raw, &end);
        assert_int_equal(alert(&end, TLS1_ALERT_FATAL, TLS1_ALERT_ACCESS_DENIED), SEC_E_OK);
        assert_int_equal(empty_leg(&end, &wire), SEC_E_OK);
        raw_give(&raw, &wire.in);
        ERR_clear_error();
        assert_true(SSL_read(raw.ssl, data, sizeof(data)) <= 0);
        assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_ACCESS_DENIED);
        peer_end_free(&end);
        raw_close(&raw);
    }
}

/* The other side's: it opened a record that was altered on the way, and says so. */
static void a_peers_fatal_alert_ends_the_context(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct raw_peer raw;
        struct peer_end client, wire = {0};
        char data[16];
        size_t len;

        raw_connect(&raw, &client, form, false, p == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, "server");
        raw_exchange(&raw, &client);
        assert_int_equal(peer_send(&client, &wire, "data", 4), SEC_E_OK);
        wire.in.bytes[wire.in.len - 1] ^= 1;
        raw_give(&raw, &wire.in);
        assert_true(SSL_read(raw.ssl, data, sizeof(data)) < 0);
        raw_take(&raw, &client.in);
        assert_true(client.in.len > 0);
        assert_int_equal(peer_receive(&client, data, sizeof(data), &len), SEC_E_ILLEGAL_MESSAGE);
        assert_int_equal(peer_send(&client, &wire, "x", 1), SEC_E_CONTEXT_EXPIRED);
        peer_end_free(&client);
        raw_close(&raw);
    }
}

/* EncryptMessage makes an alert of two bytes. */
static void s2_9_alerts_by_encrypt(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t header[64], body[2] = {TLS1_ALERT_WARNING, TLS1_ALERT_CLOSE_NOTIFY}, trailer[512];
    SecBuffer buffers[4];
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    char data[16];
    size_t len;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    peer_exchange(&pair);
    /* The last one alone is an alert: two bytes, and a level that there is. */
    for (int i = 0; i < 4; i++) {
        ULONG size = i < 2 ? (ULONG)i : 2;

        body[0] = i == 2 ? 3 : TLS1_ALERT_WARNING;
        buffers[0] = (SecBuffer){pair.client.sizes.cbHeader, SECBUFFER_STREAM_HEADER, header};
        buffers[1] = (SecBuffer){size, SECBUFFER_DATA, body};
        buffers[2] = (SecBuffer){pair.client.sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, trailer};
        buffers[3] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
        assert_true(pair.client.sizes.cbTrailer <= sizeof(trailer));
        assert_int_equal(EncryptMessage(&pair.client.context, SECQOP_WRAP_OOB_DATA, &message, 0),
                         i == 3 ? SEC_E_OK : SEC_E_INVALID_TOKEN);
    }
    for (int i = 0; i < 3; i++)
        peer_push(&pair.server.in, buffers[i].pvBuffer, buffers[i].cbBuffer);
    assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_I_CONTEXT_EXPIRED);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s2_11_tokens),
        PEER_CASE(s2_11_shutdown_of_a_half_open_handshake),
        PEER_CASE(a_peer_closes_during_the_handshake),
        PEER_CASE(s2_11_alert_in_a_half_open_handshake),
        PEER_CASE(s3_7_shutdown_in_both_orders),
        PEER_CASE(s3_7_both_close_at_once),
        PEER_CASE(s2_11_shutdown_may_be_repeated),
        PEER_CASE(s2_11_no_leg_no_end),
        PEER_CASE(s3_7_data_behind_an_end),
        PEER_CASE(s3_7_other_peers_see_a_clean_end),
        PEER_CASE(s3_7_fatal_alert_on_a_connection),
        PEER_CASE(s3_7_warning_on_a_connection),
        PEER_CASE(s3_7_other_peers_see_the_alert),
        PEER_CASE(a_peers_fatal_alert_ends_the_context),
        PEER_CASE(s2_9_alerts_by_encrypt),
    };

    return peer_run_cases("contract.shutdown", cases, sizeof(cases) / sizeof(cases[0]));
}
