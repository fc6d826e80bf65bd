/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: messages of established datagram contexts, what is dropped and what ends them; and what
 * a handshake over datagrams shares with one over a stream: sessions, certificates, protocols,
 * SRTP.
 */
#include <arpa/inet.h>
#include <opensspi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/dtls_peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LARGE        8192 /* a MTU for flights of one datagram */

static void connect_pair(struct dtls_pair *pair, const struct peer_form *form)
{
    dtls_open(pair, form, NULL);
    dtls_connect(pair);
}

/* Sends a number as text. */
static void send_number(struct dtls_pair *pair, int number)
{
    char text[16];

    snprintf(text, sizeof(text), "number %d", number);
    assert_int_equal(dtls_send(&pair->client, &pair->server, text, strlen(text)), SEC_E_OK);
}

/* Receives the datagram at an index; the number in it, -1: nothing. */
static int receive_at(struct dtls_end *end, size_t index)
{
    struct peer_stream datagram = end->in.items[index];
    struct dtls_end one = {.end = end->end};
    char text[64] = "";
    int number = -1;
    size_t len;

    dtls_push(&one.in, datagram.bytes, datagram.len);
    assert_int_equal(dtls_receive(&one, text, sizeof(text) - 1, &len), SEC_E_OK);
    assert_int_equal(one.in.count, 0);
    if (len > 0)
        assert_int_equal(sscanf(text, "number %d", &number), 1);
    return number;
}

/* ---- order, copies, age ---- */

static void s3_10_records_come_in_any_order_and_once(const struct peer_form *form)
{
    struct dtls_pair pair;

    connect_pair(&pair, form);
    for (int i = 0; i < 100; i++)
        send_number(&pair, i);
    for (int i = 40; i < 100; i += 2)
        assert_int_equal(receive_at(&pair.server, (size_t)i), i);
    for (int i = 41; i < 100; i += 2)
        assert_int_equal(receive_at(&pair.server, (size_t)i), i);
    for (int i = 36; i < 100; i++) /* 62 and fewer behind the highest */
        assert_int_equal(receive_at(&pair.server, (size_t)i), i < 40 ? i : -1);
    for (int i = 0; i < 35; i++) /* too old to tell */
        assert_int_equal(receive_at(&pair.server, (size_t)i), -1);
    dtls_exchange(&pair);
    dtls_close(&pair);
}

/* ---- damage ---- */

static void s3_10_damaged_and_foreign_datagrams_are_dropped(const struct peer_form *form)
{
    struct dtls_pair pair, other;

    connect_pair(&pair, form);
    connect_pair(&other, form);
    send_number(&pair, 1);
    for (size_t at = 0; at < pair.server.in.items[0].len; at++) {
        struct peer_stream *sealed = &pair.server.in.items[0];

        sealed->bytes[at] ^= 0x40;
        assert_int_equal(receive_at(&pair.server, 0), -1);
        sealed->bytes[at] ^= 0x40;
        dtls_push(&pair.server.in, sealed->bytes, at); /* cut off */
        if (at > 0)
            assert_int_equal(receive_at(&pair.server, 1), -1);
        {
            struct peer_stream gone = dtls_take(&pair.server.in, 1);

            peer_clear(&gone);
        }
    }
    send_number(&other, 2);
    dtls_push(&pair.server.in, other.server.in.items[0].bytes, other.server.in.items[0].len);
    assert_int_equal(receive_at(&pair.server, 1), -1);
    assert_int_equal(receive_at(&pair.server, 0), 1); /* and is still new */
    dtls_exchange(&pair);
    dtls_close(&other);
    dtls_close(&pair);
}

/* Several records in one datagram come one after the other; those that are none are passed over. */
static void s3_4_records_of_one_datagram(const struct peer_form *form)
{
    struct dtls_pair pair;
    struct peer_stream whole = {0};
    char text[64];
    size_t len;

    connect_pair(&pair, form);
    for (int i = 0; i < 4; i++)
        send_number(&pair, i);
    for (int i = 0; i < 4; i++) {
        struct peer_stream one = dtls_take(&pair.server.in, 0);

        if (i == 1)
            one.bytes[one.len - 1] ^= 1;
        peer_push(&whole, one.bytes, one.len);
        peer_clear(&one);
    }
    peer_push(&whole, "rest", 4);
    dtls_push(&pair.server.in, whole.bytes, whole.len);
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            continue;
        assert_int_equal(dtls_receive(&pair.server, text, sizeof(text), &len), SEC_E_OK);
        assert_int_equal(len, 8);
        assert_int_equal(text[7], '0' + i);
        assert_int_equal(pair.server.in.count, 1); /* EXTRA */
    }
    assert_int_equal(dtls_receive(&pair.server, text, sizeof(text), &len), SEC_E_OK);
    assert_true(len == 0 && pair.server.in.count == 0);
    peer_clear(&whole);
    dtls_close(&pair);
}

/* Data that come before the server's Finished are dropped, and so are messages of the handshake
 * behind it; data in the Finished's own datagram are the application's. */
static void s3_10_data_around_the_finished(const struct peer_form *form)
{
    struct peer_stream finished, data;
    struct dtls_pair pair;
    char text[64];
    size_t len;

    dtls_open(&pair, form, NULL);
    pair.server.mtu = LARGE;
    dtls_half_connect(&pair);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_E_OK);
    peer_established(&pair.server.end);
    assert_int_equal(dtls_send(&pair.server, &pair.client, "early", 5), SEC_E_OK);
    assert_int_equal(dtls_send(&pair.server, &pair.client, "with it", 7), SEC_E_OK);
    finished = dtls_take(&pair.client.in, 0);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED); /* "early" */
    data = dtls_take(&pair.client.in, 0);
    peer_push(&finished, data.bytes, data.len);
    assert_int_equal(dtls_leg(&pair.client, &pair.server, finished.bytes, finished.len), SEC_E_OK);
    assert_int_equal(pair.client.extra, data.len);
    peer_established(&pair.client.end);
    dtls_push(&pair.client.in, data.bytes, data.len);
    assert_int_equal(dtls_receive(&pair.client, text, sizeof(text), &len), SEC_E_OK);
    assert_true(len == 7 && memcmp(text, "with it", 7) == 0);
    dtls_push(&pair.client.in, finished.bytes, finished.len);
    assert_int_equal(dtls_receive(&pair.client, text, sizeof(text), &len), SEC_E_OK);
    assert_int_equal(len, 0);
    dtls_push(&pair.client.in, finished.bytes, finished.len);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_E_OK);
    dtls_exchange(&pair);
    peer_clear(&finished);
    peer_clear(&data);
    dtls_close(&pair);
}

/* ---- both directions at once ---- */

#define AT_ONCE TEST_ROUNDS(2000)

static void *seal_many(void *data)
{
    struct dtls_end *from = data;
    struct dtls_end sink = {0};

    for (unsigned i = 0; i < AT_ONCE; i++) {
        TEST_REQUIRE_EQUAL(dtls_send(from, &sink, "out", 3), SEC_E_OK);
        dtls_clear(&sink.in);
    }
    return NULL;
}

static void s2_9_one_seals_while_another_opens(const struct peer_form *form)
{
    struct dtls_pair pair;
    pthread_t thread;
    char text[64];
    size_t len;

    connect_pair(&pair, form);
    TEST_REQUIRE(pthread_create(&thread, NULL, seal_many, &pair.server) == 0);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        struct dtls_end one = {.end = pair.server.end};

        TEST_REQUIRE_EQUAL(dtls_send(&pair.client, &one, "in", 2), SEC_E_OK);
        TEST_REQUIRE_EQUAL(dtls_receive(&one, text, sizeof(text), &len), SEC_E_OK);
        TEST_REQUIRE(len == 2);
    }
    TEST_REQUIRE(pthread_join(thread, NULL) == 0);
    dtls_exchange(&pair);
    dtls_close(&pair);
}

/* ---- alerts ---- */

static void s3_7_close_is_an_alert_of_its_own_datagram(const struct peer_form *form)
{
    const DWORD shutdown = SCHANNEL_SHUTDOWN;
    struct dtls_pair pair;
    char text[64];
    size_t len;

    for (int server = 0; server < 2; server++) {
        struct dtls_end *one = server ? &pair.server : &pair.client;
        struct dtls_end *other = server ? &pair.client : &pair.server;

        connect_pair(&pair, form);
        assert_int_equal(peer_control(&one->end, &shutdown, sizeof(shutdown)), SEC_E_OK);
        assert_int_equal(dtls_leg(one, other, NULL, 0), SEC_E_OK);
        assert_int_equal(other->in.count, 1);
        assert_int_equal(other->in.items[0].bytes[0], 21);
        assert_int_equal(dtls_epoch(other->in.items[0].bytes), 1);
        assert_int_equal(dtls_send(one, other, "late", 4), SEC_E_CONTEXT_EXPIRED);
        assert_int_equal(dtls_receive(other, text, sizeof(text), &len), SEC_I_CONTEXT_EXPIRED);
        assert_int_equal(dtls_send(other, one, "still", 5), SEC_E_OK);
        assert_int_equal(dtls_receive(one, text, sizeof(text), &len), SEC_E_OK);
        assert_int_equal(len, 5);
        assert_int_equal(peer_control(&other->end, &shutdown, sizeof(shutdown)), SEC_E_OK);
        assert_int_equal(dtls_leg(other, one, NULL, 0), SEC_E_OK);
        assert_int_equal(dtls_receive(one, text, sizeof(text), &len), SEC_I_CONTEXT_EXPIRED);
        dtls_close(&pair);
    }
}

/* Before there is a connection: the alert takes the flight's place, and nothing follows. */
static void s3_7_a_handshake_can_be_closed(const struct peer_form *form)
{
    const DWORD shutdown = SCHANNEL_SHUTDOWN;

    for (int legs = 1; legs < 4; legs++) {
        struct dtls_pair pair;
        struct dtls_end *one = legs == 2 ? &pair.server : &pair.client; /* the cookie is out */
        struct dtls_end *other = legs == 2 ? &pair.client : &pair.server;

        dtls_open(&pair, form, NULL);
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        if (legs > 1)
            assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        if (legs > 2)
            assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        dtls_clear(&other->in);
        assert_int_equal(peer_control(&one->end, &shutdown, sizeof(shutdown)), SEC_E_OK);
        for (int i = 0; i < 3; i++) { /* said once */
            assert_int_equal(dtls_leg(one, other, NULL, 0), SEC_E_OK);
            assert_int_equal(other->in.count, 1);
            assert_memory_equal(other->in.items[0].bytes, "\x15\xFE\xFD\0\0", 5);
            assert_int_equal(other->in.items[0].len, 15);
        }
        assert_int_equal(dtls_send(one, other, "data", 4), SEC_E_INVALID_HANDLE);
        assert_int_equal(dtls_leg(one, other, "x", 1), SEC_E_CONTEXT_EXPIRED);
        assert_int_equal(other->in.count, 1);
        dtls_close(&pair);
    }
}

/* A warning closes nothing: what was lost can still be sent again. */
static void s3_7_a_warning_leaves_the_handshake_alone(const struct peer_form *form)
{
    const SCHANNEL_ALERT_TOKEN warning = {SCHANNEL_ALERT, TLS1_ALERT_WARNING, 90};
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    dtls_half_connect(&pair);
    dtls_clear(&pair.server.in);
    assert_int_equal(peer_control(&pair.client.end, &warning, sizeof(warning)), SEC_E_OK);
    assert_int_equal(dtls_leg(&pair.client, &pair.server, NULL, 0), SEC_E_OK);
    pair.client.done = false;
    assert_int_equal(pair.server.in.count, 1);
    assert_int_equal(pair.server.in.items[0].bytes[0], 21);
    dtls_clear(&pair.server.in);
    assert_int_equal(dtls_leg(&pair.client, &pair.server, NULL, 0), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.server.in.items[0].bytes[0], 22); /* ClientHello */
    assert_int_equal(dtls_handshake(&pair), SEC_E_OK);
    peer_established(&pair.client.end);
    peer_established(&pair.server.end);
    dtls_exchange(&pair);
    dtls_close(&pair);
}

static void s3_7_alerts_count_only_under_protection(const struct peer_form *form)
{
    static const uint8_t open_alert[] = {21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 80};
    struct {
        DWORD kind;
        SCHANNEL_ALERT_TOKEN token;
    } fatal = {0};
    struct dtls_pair pair;
    char text[64];
    size_t len;

    connect_pair(&pair, form);
    dtls_push(&pair.server.in, open_alert, sizeof(open_alert));
    assert_int_equal(dtls_receive(&pair.server, text, sizeof(text), &len), SEC_E_OK);
    assert_int_equal(len, 0);
    dtls_exchange(&pair);
    fatal.token = (SCHANNEL_ALERT_TOKEN){SCHANNEL_ALERT, TLS1_ALERT_FATAL, TLS1_ALERT_DECODE_ERROR};
    assert_int_equal(peer_control(&pair.client.end, &fatal.token, sizeof(fatal.token)), SEC_E_OK);
    assert_int_equal(dtls_leg(&pair.client, &pair.server, NULL, 0), SEC_E_OK);
    assert_true(dtls_receive(&pair.server, text, sizeof(text), &len) < 0);
    assert_int_equal(OsspiGetErrorDetail(&pair.server.end.context, text, sizeof(text)), SEC_E_OK);
    assert_true(strlen(text) > 0);
    assert_int_equal(dtls_send(&pair.server, &pair.client, "dead", 4), SEC_E_CONTEXT_EXPIRED);
    dtls_close(&pair);
}

static void s3_4_alert_by_encrypt_message(const struct peer_form *form)
{
    struct dtls_pair pair;
    uint8_t bytes[13 + 8 + 2 + 16];
    SecBuffer buffers[] = {{21, SECBUFFER_STREAM_HEADER, bytes},
                           {2, SECBUFFER_DATA, bytes + 21},
                           {16, SECBUFFER_STREAM_TRAILER, bytes + 23},
                           {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    char text[64];
    size_t len;

    connect_pair(&pair, form);
    bytes[21] = TLS1_ALERT_WARNING;
    bytes[22] = TLS1_ALERT_CLOSE_NOTIFY;
    assert_int_equal(EncryptMessage(&pair.client.end.context, SECQOP_WRAP_OOB_DATA, &message, 0),
                     SEC_E_OK);
    dtls_push(&pair.server.in, bytes, sizeof(bytes));
    assert_int_equal(dtls_receive(&pair.server, text, sizeof(text), &len), SEC_I_CONTEXT_EXPIRED);
    dtls_close(&pair);
}

/* ---- what the handshake agrees on ---- */

static ULONG reconnected(struct dtls_end *end)
{
    SecPkgContext_SessionInfo info;

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&end->end.context, SECPKG_ATTR_SESSION_INFO, &info),
                       SEC_E_OK);
    return info.dwFlags;
}

/* The client has the last flight then, and sends it again when the server's comes again. */
static void s3_8_sessions_resume(const struct peer_form *form)
{
    struct dtls_pair pair;
    char text[64];
    size_t len;

    connect_pair(&pair, form);
    assert_int_equal(reconnected(&pair.client), 0);
    dtls_disconnect(&pair);
    dtls_half_connect(&pair);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_E_OK);
    peer_established(&pair.client.end);
    assert_int_equal(reconnected(&pair.client), SSL_SESSION_RECONNECT);
    dtls_clear(&pair.server.in); /* its Finished is lost */
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(dtls_receive(&pair.client, text, sizeof(text), &len), SEC_I_RENEGOTIATE);
    assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_E_OK);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_E_OK);
    peer_established(&pair.server.end);
    assert_int_equal(reconnected(&pair.server), SSL_SESSION_RECONNECT);
    dtls_exchange(&pair);
    dtls_close(&pair);
}

/* A server's wish counts from its first leg on, when there is no connection yet to tell it to. */
static void s3_8_no_session_where_the_server_wants_none(const struct peer_form *form)
{
    const SCHANNEL_SESSION_TOKEN off = {SCHANNEL_SESSION, SSL_SESSION_DISABLE_RECONNECTS};
    const SCHANNEL_SESSION_TOKEN on = {SCHANNEL_SESSION, SSL_SESSION_ENABLE_RECONNECTS};

    for (int again = 0; again < 2; again++) {
        struct dtls_pair pair;

        dtls_open(&pair, form, NULL);
        assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(peer_control(&pair.server.end, &off, sizeof(off)), SEC_E_OK);
        if (again)
            assert_int_equal(peer_control(&pair.server.end, &on, sizeof(on)), SEC_E_OK);
        dtls_connect(&pair);
        dtls_disconnect(&pair);
        dtls_connect(&pair);
        assert_int_equal(reconnected(&pair.client), again ? SSL_SESSION_RECONNECT : 0);
        dtls_close(&pair);
    }
}

/* One credential for both kinds; no session of the one serves the other. */
static void s3_8_sessions_are_of_one_kind(const struct peer_form *form)
{
    struct peer_pair streams;
    struct dtls_pair pair;

    connect_pair(&pair, form);
    dtls_disconnect(&pair);
    streams = (struct peer_pair){pair.client.end, pair.server.end};
    streams.client.flags = ISC_REQ_STREAM;
    streams.server.flags = ASC_REQ_STREAM;
    for (int i = 0; i < 2; i++) {
        SecPkgContext_SessionInfo info;

        peer_connect(&streams);
        peer_exchange(&streams);
        assert_int_equal(
            QueryContextAttributesA(&streams.client.context, SECPKG_ATTR_SESSION_INFO, &info),
            SEC_E_OK);
        assert_int_equal(info.dwFlags, i);
        peer_disconnect(&streams);
    }
    dtls_connect(&pair);
    assert_int_equal(reconnected(&pair.client), SSL_SESSION_RECONNECT);
    dtls_close(&pair);
}

static void s3_11_client_certificates(const struct peer_form *form)
{
    for (int has = 0; has < 2; has++) {
        PCCERT_CONTEXT remote = NULL;
        struct dtls_pair pair;

        dtls_open(&pair, form, NULL);
        pair.server.mtu = LARGE;
        pair.server.end.flags |= ASC_REQ_MUTUAL_AUTH;
        if (has) {
            peer_end_free(&pair.client.end);
            TEST_REQUIRE_EQUAL(peer_end_acquire(&pair.client.end, 0, 0, "client", false), SEC_E_OK);
        }
        dtls_half_connect(&pair);
        assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        if (!has) {
            pair.client.end.flags |= ISC_REQ_USE_SUPPLIED_CREDS;
            assert_int_equal(dtls_step(&pair.client, &pair.server), SEC_I_INCOMPLETE_CREDENTIALS);
            assert_int_equal(pair.server.in.count, 0);
        }
        while (!pair.client.done || !pair.server.done) {
            struct dtls_end *end = pair.server.in.count > 0 ? &pair.server : &pair.client;

            TEST_REQUIRE(dtls_step(end, end == &pair.server ? &pair.client : &pair.server) >= 0);
        }
        peer_established(&pair.client.end);
        peer_established(&pair.server.end);
        assert_true(
            (QueryContextAttributesA(&pair.server.end.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT,
                                     &remote) == SEC_E_OK) == (has == 1));
        if (remote)
            CertFreeCertificateContext(remote);
        dtls_exchange(&pair);
        dtls_close(&pair);
    }
}

/* The server's connection is made by the leg that brings the cookie back; what was asked for when
 * the context was made counts all the same. */
static void s3_11_the_first_leg_asks_for_a_certificate(const struct peer_form *form)
{
    PCCERT_CONTEXT remote = NULL;
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    peer_end_free(&pair.client.end);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair.client.end, 0, 0, "client", false), SEC_E_OK);
    pair.server.end.flags |= ASC_REQ_MUTUAL_AUTH;
    dtls_half_connect(&pair);
    pair.server.end.flags &= ~(ULONG)ASC_REQ_MUTUAL_AUTH;
    dtls_connect(&pair);
    assert_int_equal(
        QueryContextAttributesA(&pair.server.end.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &remote),
        SEC_E_OK);
    CertFreeCertificateContext(remote);
    assert_true(pair.server.end.attributes & ASC_RET_MUTUAL_AUTH);
    dtls_close(&pair);
}

static void s3_11_protocols_are_agreed_on(const struct peer_form *form)
{
    static const uint8_t list[] = {12, 0, 0, 0, 2, 0, 0, 0, 6, 0, 2, 'h', '3', 2, 'd', 't'};
    SecPkgContext_ApplicationProtocol protocol;
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    pair.client.end.alpn = pair.server.end.alpn = list;
    pair.client.end.alpn_size = pair.server.end.alpn_size = sizeof(list);
    dtls_connect(&pair);
    assert_int_equal(QueryContextAttributesA(&pair.server.end.context,
                                             SECPKG_ATTR_APPLICATION_PROTOCOL, &protocol),
                     SEC_E_OK);
    assert_int_equal(protocol.ProtocolIdSize, 2);
    assert_memory_equal(protocol.ProtocolId, "h3", 2);
    dtls_close(&pair);
}

static void s3_11_a_wrong_name_ends_it(const struct peer_form *form)
{
    struct dtls_pair pair;

    dtls_open(&pair, form, NULL);
    pair.client.end.target = "other.test";
    assert_int_equal(dtls_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
    assert_int_equal(pair.server.in.count, 1); /* and the server is told, before there are keys */
    assert_int_equal(pair.server.in.items[0].bytes[0], 21);
    assert_int_equal(dtls_epoch(pair.server.in.items[0].bytes), 0);
    assert_int_equal(dtls_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    dtls_close(&pair);
}

static void s3_6_what_is_told(const struct peer_form *form)
{
    SecPkgContext_ConnectionInfo info;
    SecPkgContext_CipherInfo cipher = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};
    SecPkgContext_ProtoInfoA proto;
    struct dtls_pair pair;

    connect_pair(&pair, form);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.end.context, SECPKG_ATTR_CONNECTION_INFO, &info),
        SEC_E_OK);
    assert_int_equal(info.dwProtocol, SP_PROT_DTLS1_2_CLIENT);
    assert_int_equal(
        QueryContextAttributesA(&pair.server.end.context, SECPKG_ATTR_CONNECTION_INFO, &info),
        SEC_E_OK);
    assert_int_equal(info.dwProtocol, SP_PROT_DTLS1_2_SERVER);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.end.context, SECPKG_ATTR_CIPHER_INFO, &cipher),
        SEC_E_OK);
    assert_int_equal(cipher.dwProtocol, 0xFEFD);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.end.context, SECPKG_ATTR_PROTO_INFO, &proto),
        SEC_E_OK);
    assert_string_equal(proto.sProtocolName, "DTLS");
    assert_true(proto.majorVersion == 1 && proto.minorVersion == 2);
    assert_int_equal(FreeContextBuffer(proto.sProtocolName), SEC_E_OK);
    dtls_close(&pair);
}

/* ---- SRTP ---- */

struct profiles {
    USHORT size;
    USHORT list[4];
};

static struct profiles profiles_of(USHORT a, USHORT b)
{
    return (struct profiles){(USHORT)(b ? 4 : 2), {htons(a), htons(b)}};
}

static USHORT srtp_of(struct dtls_end *end)
{
    SecPkgContext_SrtpParameters parameters = {.MasterKeyIdentifierSize = 9};

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&end->end.context, SECPKG_ATTR_SRTP_PARAMETERS, &parameters),
        SEC_E_OK);
    assert_int_equal(parameters.MasterKeyIdentifierSize, 0);
    assert_null(parameters.MasterKeyIdentifier);
    return ntohs(parameters.ProtectionProfile);
}

static void export_srtp(struct dtls_end *end, uint8_t ret_keys[60])
{
    static char label[] = "EXTRACTOR-dtls_srtp";
    SecPkgContext_KeyingMaterial_Inproc material = {
        .cbLabel = sizeof(label), .pszLabel = label, .cbKeyingMaterial = 60};

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&end->end.context, SECPKG_ATTR_KEYING_MATERIAL_INPROC, &material),
        SEC_E_OK);
    memcpy(ret_keys, material.pbKeyingMaterial, 60);
    TEST_REQUIRE_EQUAL(FreeContextBuffer(material.pbKeyingMaterial), SEC_E_OK);
}

static void s3_4_srtp_profiles(const struct peer_form *form)
{
    static const struct {
        USHORT client[2], server[2], agreed;
    } rows[] = {
        {{1, 2}, {2, 1}, 2},      {{7, 0}, {7, 8}, 7}, {{8, 1}, {1, 0}, 1},
        {{1, 0x7777}, {1, 0}, 1}, {{1, 0}, {2, 0}, 0}, {{1, 0}, {0, 0}, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct profiles client = profiles_of(rows[i].client[0], rows[i].client[1]);
        const struct profiles server = profiles_of(rows[i].server[0], rows[i].server[1]);
        uint8_t keys[2][60];
        struct dtls_pair pair;

        dtls_open(&pair, form, NULL);
        pair.client.srtp = &client;
        pair.client.srtp_size = 2u + client.size;
        if (rows[i].server[0]) {
            pair.server.srtp = &server;
            pair.server.srtp_size = 2u + server.size;
        }
        dtls_connect(&pair);
        if (rows[i].agreed != 2) /* of two, whose order counts is the TLS library's affair */
            assert_int_equal(srtp_of(&pair.client), rows[i].agreed);
        assert_int_equal(srtp_of(&pair.client), srtp_of(&pair.server));
        export_srtp(&pair.client, keys[0]);
        export_srtp(&pair.server, keys[1]);
        assert_memory_equal(keys[0], keys[1], 60);
        dtls_close(&pair);
    }
}

static void s3_4_srtp_that_cannot_be(const struct peer_form *form)
{
    static const struct {
        uint8_t bytes[8];
        ULONG len;
        SECURITY_STATUS status;
    } rows[] = {
        {{2, 0, 0x77, 0x77}, 4, SEC_E_UNSUPPORTED_FUNCTION}, /* unknown */
        {{2, 0, 0, 1}, 3, SEC_E_INVALID_TOKEN},
        {{3, 0, 0, 1, 0}, 5, SEC_E_INVALID_TOKEN},
        {{0, 0}, 2, SEC_E_INVALID_TOKEN},
        {{4, 0, 0, 1}, 4, SEC_E_INVALID_TOKEN},
    };
    struct peer_pair streams;
    struct dtls_pair pair;
    struct peer_leg leg;
    uint8_t out[512];

    dtls_open(&pair, form, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        pair.client.srtp = rows[i].bytes;
        pair.client.srtp_size = rows[i].len;
        assert_int_equal(dtls_step(&pair.client, &pair.server), rows[i].status);
    }
    dtls_close(&pair);
    peer_open(&streams, form, NULL);
    leg = peer_leg_of(&streams.client, NULL, 0, out, sizeof(out));
    leg.in[leg.in_count++] =
        (SecBuffer){4, SECBUFFER_SRTP_PROTECTION_PROFILES, (void *)(uintptr_t) "\2\0\0\1"};
    assert_int_equal(peer_leg_run(&streams.client, &leg), SEC_E_UNSUPPORTED_FUNCTION);
    peer_close(&streams);
}

static void s3_4_srtp_key_identifiers(const struct peer_form *form)
{
    static const struct {
        const char *bytes;
        ULONG len;
        SECURITY_STATUS status;
    } rows[] = {{"\0", 1, SEC_I_CONTINUE_NEEDED},
                {"\1k", 2, SEC_E_UNSUPPORTED_FUNCTION},
                {"\2k", 2, SEC_E_INVALID_TOKEN}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer_end end;
        struct peer_leg leg;
        uint8_t out[1200];

        peer_end_init(&end, form, false);
        end.flags = ISC_REQ_DATAGRAM;
        TEST_REQUIRE_EQUAL(peer_end_acquire(&end, 0, 0, NULL, false), SEC_E_OK);
        leg = peer_leg_of(&end, NULL, 0, out, sizeof(out));
        leg.in[leg.in_count++] = (SecBuffer){rows[i].len, SECBUFFER_SRTP_MASTER_KEY_IDENTIFIER,
                                             (void *)(uintptr_t)rows[i].bytes};
        assert_int_equal(peer_leg_run(&end, &leg), rows[i].status);
        peer_end_free(&end);
    }
}

/* What only streams know what to do with. */
static void s3_4_buffers_of_streams_are_refused(const struct peer_form *form)
{
    static const struct {
        ULONG type, len;
        uint8_t bytes[12];
    } rows[] = {
        {SECBUFFER_PRESHARED_KEY, 6, {4, 0, 'k', 'e', 'y', 's'}},
        {SECBUFFER_PRESHARED_KEY_IDENTITY, 6, {4, 0, 'n', 'a', 'm', 'e'}},
        {SECBUFFER_SEND_GENERIC_TLS_EXTENSION, 10, {0x34, 0x12, 1, 0, 0, 0, 0, 0, 0, 0}},
        {SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, 12, {0, 0, 0, 0, 1, 0, 0, 0, 0x34, 0x12, 8, 0}},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer_end end;
        struct peer_leg leg;
        uint8_t out[1200];

        peer_end_init(&end, form, false);
        end.flags = ISC_REQ_DATAGRAM;
        TEST_REQUIRE_EQUAL(peer_end_acquire(&end, 0, 0, NULL, false), SEC_E_OK);
        leg = peer_leg_of(&end, NULL, 0, out, sizeof(out));
        leg.in[leg.in_count++] =
            (SecBuffer){rows[i].len, rows[i].type, (void *)(uintptr_t)rows[i].bytes};
        assert_int_equal(peer_leg_run(&end, &leg), SEC_E_UNSUPPORTED_FUNCTION);
        peer_end_free(&end);
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(s3_10_records_come_in_any_order_and_once),
    PEER_CASE(s3_10_damaged_and_foreign_datagrams_are_dropped),
    PEER_CASE(s3_4_records_of_one_datagram),
    PEER_CASE(s3_10_data_around_the_finished),
    PEER_CASE(s2_9_one_seals_while_another_opens),
    PEER_CASE(s3_7_close_is_an_alert_of_its_own_datagram),
    PEER_CASE(s3_7_a_handshake_can_be_closed),
    PEER_CASE(s3_7_a_warning_leaves_the_handshake_alone),
    PEER_CASE(s3_7_alerts_count_only_under_protection),
    PEER_CASE(s3_4_alert_by_encrypt_message),
    PEER_CASE(s3_8_sessions_resume),
    PEER_CASE(s3_8_no_session_where_the_server_wants_none),
    PEER_CASE(s3_8_sessions_are_of_one_kind),
    PEER_CASE(s3_11_client_certificates),
    PEER_CASE(s3_11_the_first_leg_asks_for_a_certificate),
    PEER_CASE(s3_11_protocols_are_agreed_on),
    PEER_CASE(s3_11_a_wrong_name_ends_it),
    PEER_CASE(s3_6_what_is_told),
    PEER_CASE(s3_4_srtp_profiles),
    PEER_CASE(s3_4_srtp_that_cannot_be),
    PEER_CASE(s3_4_srtp_key_identifiers),
    PEER_CASE(s3_4_buffers_of_streams_are_refused),
};

int main(void)
{
    return peer_run_cases("contract.dtls_records", cases, COUNT(cases));
}
