/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: early data (0-RTT), off unless the credential asks for it: sent, taken, refused,
 * replayed, cut anywhere, too much of it, and with OpenSSL on the other side. And data that come in
 * one piece with the end of the handshake, without being early.
 */
#include <opensspi.h>
#include <string.h>

#include "support/tls_raw.h"

#define MAX_EARLY 16384u

/* ---- helpers ---- */

static void allow(struct peer_end *end, ULONG flags, ULONG max)
{
    OsspiTlsOptions options = {.cbSize = sizeof(options), .flags = flags, .max_early_data = max};

    TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS,
                                                 &options, sizeof(options)),
                       SEC_E_OK);
}

static void open_early(struct peer_pair *pair, const struct peer_form *form)
{
    SslEmptyCacheA(NULL, 0);
    peer_open(pair, form, NULL);
    allow(&pair->client, OSSPI_TLS_EARLY_DATA, 0);
    allow(&pair->server, OSSPI_TLS_EARLY_DATA, 0);
}

/* A connection that leaves a ticket, and its end. */
static void get_ticket(struct peer_pair *pair)
{
    peer_connect(pair);
    peer_exchange(pair);
    peer_disconnect(pair);
}

/* A client's first leg with data; what it sends waits at the other end. */
static SECURITY_STATUS greet(struct peer_end *client, struct peer_end *to, const void *data,
                             size_t len)
{
    uint8_t *out = malloc(65536);
    struct peer_leg leg = peer_leg_of(client, NULL, 0, out, 65536);
    SECURITY_STATUS status;

    leg.in[leg.in_count++] = (SecBuffer){(ULONG)len, SECBUFFER_DATA, (void *)data};
    status = peer_leg_run(client, &leg);
    if (status >= 0)
        peer_push(&to->in, out, leg.out[0].cbBuffer);
    free(out);
    return status;
}

/* Asks an end; what it has received must be exactly these bytes. Gives the status. */
static ULONG ask(struct peer_end *end, const void *data, size_t len)
{
    OsspiEarlyData early;

    memset(&early, 0x5A, sizeof(early));
    assert_int_equal(QueryContextAttributesA(&end->context, OSSPI_ATTR_EARLY_DATA, &early),
                     SEC_E_OK);
    assert_int_equal(early.cbData, len);
    assert_int_equal(early.pvData != NULL, len > 0);
    if (len > 0) {
        assert_memory_equal(early.pvData, data, len);
        assert_int_equal(FreeContextBuffer(early.pvData), SEC_E_OK);
    }
    return early.status;
}

static bool reconnected(struct peer_end *end)
{
    SecPkgContext_SessionInfo info;

    assert_int_equal(QueryContextAttributesA(&end->context, SECPKG_ATTR_SESSION_INFO, &info),
                     SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

/* The rest of the handshake, and data both ways. */
static void go_on(struct peer_pair *pair)
{
    peer_connect(pair);
    for (int i = 0; i < 3; i++)
        peer_exchange(pair);
}

static uint8_t *pattern(size_t len)
{
    uint8_t *bytes = malloc(len + 1);

    TEST_REQUIRE(bytes != NULL);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 + len);
    return bytes;
}

/* ---- taken ---- */

static void a_server_has_them_after_its_first_leg(const struct peer_form *form)
{
    static const size_t sizes[] = {1, 100, 2048, 5000, MAX_EARLY};
    struct peer_pair pair;

    open_early(&pair, form);
    get_ticket(&pair);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *data = pattern(sizes[i]);

        assert_int_equal(greet(&pair.client, &pair.server, data, sizes[i]), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(ask(&pair.client, NULL, 0), OSSPI_EARLY_DATA_SENT);
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(ask(&pair.server, data, sizes[i]), OSSPI_EARLY_DATA_ACCEPTED);
        assert_int_equal(ask(&pair.server, NULL, 0), OSSPI_EARLY_DATA_ACCEPTED); /* taken */
        go_on(&pair);
        assert_int_equal(ask(&pair.client, NULL, 0), OSSPI_EARLY_DATA_ACCEPTED);
        assert_int_equal(ask(&pair.server, NULL, 0), OSSPI_EARLY_DATA_ACCEPTED);
        assert_true(reconnected(&pair.client) && reconnected(&pair.server));
        peer_disconnect(&pair);
        free(data);
    }
    peer_close(&pair);
}

/* Nobody asks before the end; the bytes wait. Or nobody asks at all. */
static void they_wait_until_they_are_asked_for(const struct peer_form *form)
{
    struct peer_pair pair;

    open_early(&pair, form);
    get_ticket(&pair);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
        go_on(&pair);
        if (i == 0)
            assert_int_equal(ask(&pair.server, "early", 5), OSSPI_EARLY_DATA_ACCEPTED);
        peer_disconnect(&pair);
    }
    peer_close(&pair);
}

static void the_application_protocol_must_be_the_same(const struct peer_form *form)
{
    static const struct {
        ULONG lists_size;
        ULONG type;
        USHORT size;
        uint8_t ids[6];
    } __attribute__((packed)) one = {12, SecApplicationProtocolNegotiationExt_ALPN, 6, "\2h2\2aa"},
                              two = {12, SecApplicationProtocolNegotiationExt_ALPN, 6, "\2bb\2cc"};
    struct peer_pair pair;

    open_early(&pair, form);
    pair.client.alpn = pair.server.alpn = &one;
    pair.client.alpn_size = pair.server.alpn_size = sizeof(one);
    get_ticket(&pair);
    assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
    go_on(&pair);
    assert_int_equal(ask(&pair.server, "early", 5), OSSPI_EARLY_DATA_ACCEPTED);
    peer_disconnect(&pair);
    /* Another one at the client, none at the client, another choice of the server's. */
    for (int i = 0; i < 3; i++) {
        pair.client.alpn = i == 0 ? &two : i == 1 ? NULL : &one;
        pair.server.alpn = i == 0 ? &two : NULL;
        assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
        go_on(&pair);
        assert_int_equal(ask(&pair.server, NULL, 0),
                         i < 2 ? OSSPI_EARLY_DATA_NOT_SENT : OSSPI_EARLY_DATA_REJECTED);
        assert_int_equal(ask(&pair.client, NULL, 0),
                         i < 2 ? OSSPI_EARLY_DATA_NOT_SENT : OSSPI_EARLY_DATA_REJECTED);
        peer_disconnect(&pair);
        if (i == 1) { /* a ticket with the first protocol again */
            pair.client.alpn = pair.server.alpn = &one;
            SslEmptyCacheA(NULL, 0);
            get_ticket(&pair);
        }
    }
    peer_close(&pair);
}

/* ---- not sent, not taken ---- */

static void they_are_off_unless_both_ask(const struct peer_form *form)
{
    struct peer_pair pair;

    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, NULL);
    for (int i = 0; i < 5; i++) {
        const bool client = i == 1 || i == 3, server = i >= 2;

        allow(&pair.client, client ? OSSPI_TLS_EARLY_DATA : 0, 0);
        allow(&pair.server, server ? OSSPI_TLS_EARLY_DATA : 0, 0);
        SslEmptyCacheA(NULL, 0);
        for (int j = 0; j < 2; j++) { /* the first of each pair has no session to send under */
            const bool taken = client && server && j == 1;

            assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
            go_on(&pair);
            assert_int_equal(reconnected(&pair.client), j);
            assert_int_equal(ask(&pair.client, NULL, 0),
                             taken ? OSSPI_EARLY_DATA_ACCEPTED : OSSPI_EARLY_DATA_NOT_SENT);
            assert_int_equal(ask(&pair.server, "early", taken ? 5 : 0),
                             taken ? OSSPI_EARLY_DATA_ACCEPTED : OSSPI_EARLY_DATA_NOT_SENT);
            peer_disconnect(&pair);
        }
    }
    peer_close(&pair);
}

static void tls12_has_none(const struct peer_form *form)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_2_CLIENT};
    struct peer_pair pair;

    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, &setup);
    allow(&pair.client, OSSPI_TLS_EARLY_DATA, 0);
    allow(&pair.server, OSSPI_TLS_EARLY_DATA, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
        go_on(&pair);
        assert_int_equal(reconnected(&pair.client), i);
        assert_int_equal(ask(&pair.client, NULL, 0), OSSPI_EARLY_DATA_NOT_SENT);
        assert_int_equal(ask(&pair.server, NULL, 0), OSSPI_EARLY_DATA_NOT_SENT);
        peer_disconnect(&pair);
    }
    peer_close(&pair);
}

/* The server has changed its mind since the ticket: OpenSSL skips what comes, whatever its size. */
static void what_is_refused_is_skipped(const struct peer_form *form)
{
    static const size_t sizes[] = {1, 5000, MAX_EARLY};

    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *data = pattern(sizes[i / 2]);
        struct peer_pair pair;

        open_early(&pair, form);
        get_ticket(&pair);
        /* Off; or fewer than the ticket says. */
        allow(&pair.server, i % 2 ? OSSPI_TLS_EARLY_DATA : 0, i % 2 ? 100 : 0);
        assert_int_equal(greet(&pair.client, &pair.server, data, sizes[i / 2]),
                         SEC_I_CONTINUE_NEEDED);
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(ask(&pair.server, NULL, 0), OSSPI_EARLY_DATA_REJECTED);
        go_on(&pair);
        assert_true(reconnected(&pair.client) && reconnected(&pair.server));
        assert_int_equal(ask(&pair.client, NULL, 0), OSSPI_EARLY_DATA_REJECTED);
        assert_int_equal(ask(&pair.server, NULL, 0), OSSPI_EARLY_DATA_REJECTED);
        peer_close(&pair);
        free(data);
    }
}

/* More than the session permits is not sent at all. */
static void the_servers_limit_holds(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t *data = pattern(101);

    open_early(&pair, form);
    allow(&pair.server, OSSPI_TLS_EARLY_DATA, 100);
    get_ticket(&pair);
    for (size_t len = 99; len <= 101; len++) {
        assert_int_equal(greet(&pair.client, &pair.server, data, len), SEC_I_CONTINUE_NEEDED);
        go_on(&pair);
        assert_int_equal(ask(&pair.server, data, len <= 100 ? len : 0),
                         len <= 100 ? OSSPI_EARLY_DATA_ACCEPTED : OSSPI_EARLY_DATA_NOT_SENT);
        assert_int_equal(ask(&pair.client, NULL, 0),
                         len <= 100 ? OSSPI_EARLY_DATA_ACCEPTED : OSSPI_EARLY_DATA_NOT_SENT);
        peer_disconnect(&pair);
    }
    free(data);
    peer_close(&pair);
}

static void malformed_buffers_are_refused(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[8192];

    open_early(&pair, form);
    for (int i = 0; i < 2; i++) {
        struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));

        leg.in[leg.in_count++] = (SecBuffer){5, SECBUFFER_DATA, i ? (void *)"early" : NULL};
        if (i)
            leg.in[leg.in_count++] = (SecBuffer){5, SECBUFFER_DATA, (void *)"early"};
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_TOKEN);
    }
    assert_int_equal(greet(&pair.client, &pair.server, "", 0), SEC_I_CONTINUE_NEEDED);
    go_on(&pair); /* none is no mistake */
    peer_close(&pair);
}

static void the_answer_has_one_size(const struct peer_form *form)
{
    struct peer_pair pair;
    OsspiEarlyData early;

    open_early(&pair, form);
    peer_connect(&pair);
    assert_int_equal(QueryContextAttributesExA(&pair.server.context, OSSPI_ATTR_EARLY_DATA, &early,
                                               sizeof(early)),
                     SEC_E_OK);
    assert_int_not_equal(QueryContextAttributesExA(&pair.server.context, OSSPI_ATTR_EARLY_DATA,
                                                   &early, sizeof(early) - 1),
                         SEC_E_OK);
    assert_int_equal(
        SetContextAttributesA(&pair.server.context, OSSPI_ATTR_EARLY_DATA, &early, sizeof(early)),
        SEC_E_UNSUPPORTED_FUNCTION);
    peer_close(&pair);
}

/* ---- replay ---- */

static void copy_stream(struct peer_stream *to, const struct peer_stream *from)
{
    peer_clear(to);
    peer_push(to, from->bytes, from->len);
}

/* Somebody who has listened sends the first flight again: it gets a handshake that it cannot end,
 * and the data are taken once. */
static void a_replayed_first_flight_brings_nothing(const struct peer_form *form)
{
    struct peer_stream flight = {0};
    struct peer_pair pair;
    struct peer_end again[3], wire = {0};

    open_early(&pair, form);
    get_ticket(&pair);
    assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
    copy_stream(&flight, &pair.server.in);
    for (size_t i = 0; i < 3; i++) {
        peer_end_init(&again[i], form, true);
        again[i].credential = pair.server.credential;
        again[i].has_credential = true;
        copy_stream(&again[i].in, &flight);
    }
    assert_int_equal(peer_step(&again[0], &wire), SEC_I_CONTINUE_NEEDED); /* it was faster */
    assert_int_equal(ask(&again[0], "early", 5), OSSPI_EARLY_DATA_ACCEPTED);
    assert_int_equal(peer_step(&again[1], &wire), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(ask(&again[1], NULL, 0), OSSPI_EARLY_DATA_REJECTED);
    go_on(&pair);
    assert_int_equal(ask(&pair.server, NULL, 0), OSSPI_EARLY_DATA_REJECTED);
    assert_int_equal(ask(&pair.client, NULL, 0), OSSPI_EARLY_DATA_REJECTED);
    assert_int_equal(peer_step(&again[2], &wire), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(ask(&again[2], NULL, 0), OSSPI_EARLY_DATA_REJECTED);
    for (size_t i = 0; i < 3; i++)
        peer_end_disconnect(&again[i]);
    peer_clear(&wire.in);
    peer_clear(&flight);
    peer_close(&pair);
}

struct replayer {
    const struct peer_form *form;
    struct peer_end *server;
    const struct peer_stream *flight;
    struct test_gate *gate;
    uint32_t taken;
};

static void *replay(void *data)
{
    struct replayer *replayer = data;
    struct peer_end end, wire = {0};
    OsspiEarlyData early;

    peer_end_init(&end, replayer->form, true);
    end.credential = replayer->server->credential;
    end.has_credential = true;
    peer_push(&end.in, replayer->flight->bytes, replayer->flight->len);
    test_gate_pass(replayer->gate);
    TEST_REQUIRE_EQUAL(peer_step(&end, &wire), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&end.context, OSSPI_ATTR_EARLY_DATA, &early),
                       SEC_E_OK);
    replayer->taken = early.status == OSSPI_EARLY_DATA_ACCEPTED;
    TEST_REQUIRE(replayer->taken == (early.cbData == 5));
    if (early.pvData)
        TEST_REQUIRE_EQUAL(FreeContextBuffer(early.pvData), SEC_E_OK);
    peer_end_disconnect(&end);
    peer_clear(&wire.in);
    return NULL;
}

/* On all shards at once. */
static void of_many_at_once_one_is_taken(const struct peer_form *form)
{
    enum { THREADS = 4 };
    struct test_gate gate = TEST_GATE_INIT;
    struct replayer replayers[THREADS];
    pthread_t threads[THREADS];
    struct peer_pair pair;
    uint32_t taken = 0;

    open_early(&pair, form);
    get_ticket(&pair);
    assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
    for (int i = 0; i < THREADS; i++) {
        replayers[i] = (struct replayer){form, &pair.server, &pair.server.in, &gate, 0};
        threads[i] = test_thread_start(replay, &replayers[i]);
    }
    test_gate_await(&gate, THREADS);
    test_gate_open(&gate);
    for (int i = 0; i < THREADS; i++) {
        test_thread_join(threads[i]);
        taken += replayers[i].taken;
    }
    assert_int_equal(taken, 1);
    peer_close(&pair);
}

/* ---- cut, damaged, broken off ---- */

/* One leg with the first bytes of what has arrived; what is not taken stays. Takes in what early
 * data have come. */
static void feed_part(struct peer_end *server, struct peer_end *to, size_t len,
                      struct peer_stream *received)
{
    uint8_t out[16384];
    uint8_t *bytes = malloc(len + 1);
    struct peer_leg leg;
    SECURITY_STATUS status;
    OsspiEarlyData early;

    memcpy(bytes, server->in.bytes, len);
    leg = peer_leg_of(server, bytes, len, out, sizeof(out));
    status = peer_leg_run(server, &leg);
    free(bytes);
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return;
    assert_true(status == SEC_I_CONTINUE_NEEDED || status == SEC_E_OK);
    peer_push(&to->in, out, leg.out[0].cbBuffer);
    peer_drop(&server->in,
              len - (leg.in[1].BufferType == SECBUFFER_EXTRA ? leg.in[1].cbBuffer : 0));
    assert_int_equal(QueryContextAttributesA(&server->context, OSSPI_ATTR_EARLY_DATA, &early),
                     SEC_E_OK);
    if (early.cbData > 0) {
        peer_push(received, early.pvData, early.cbData);
        assert_int_equal(FreeContextBuffer(early.pvData), SEC_E_OK);
    }
}

static void cut_anywhere(const struct peer_form *form)
{
    uint8_t *data = pattern(300);
    struct peer_pair pair;
    size_t cut = 1, flight = 2;

    open_early(&pair, form);
    get_ticket(&pair);
    while (cut < flight) {
        struct peer_stream received = {0};

        assert_int_equal(greet(&pair.client, &pair.server, data, 300), SEC_I_CONTINUE_NEEDED);
        flight = pair.server.in.len;
        assert_true(flight > 600);
        feed_part(&pair.server, &pair.client, cut, &received);
        feed_part(&pair.server, &pair.client, pair.server.in.len, &received);
        assert_int_equal(received.len, 300);
        assert_memory_equal(received.bytes, data, 300);
        go_on(&pair);
        assert_int_equal(ask(&pair.server, NULL, 0), OSSPI_EARLY_DATA_ACCEPTED);
        peer_disconnect(&pair);
        peer_clear(&received);
        cut += TEST_SANITIZED ? 41 : form == PEER_SYNC ? 3 : 17;
    }
    free(data);
    peer_close(&pair);
}

/* Nothing of it is given out, and the alert tells. */
static void damaged_early_data_end_the_handshake(const struct peer_form *form)
{
    struct peer_pair pair;

    open_early(&pair, form);
    get_ticket(&pair);
    assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
    pair.server.in.bytes[pair.server.in.len - 1] ^= 1;
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_MESSAGE_ALTERED);
    peer_close(&pair);
}

/* They were taken, and then the client does not prove who it is. */
static void the_handshake_may_fail_after_them(const struct peer_form *form)
{
    struct peer_pair pair;

    open_early(&pair, form);
    get_ticket(&pair);
    assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
    pair.server.in.bytes[pair.server.in.len - 1] ^= 1; /* of its Finished */
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_MESSAGE_ALTERED);
    assert_int_equal(ask(&pair.server, "early", 5), OSSPI_EARLY_DATA_ACCEPTED);
    peer_close(&pair);
}

/* A server that is gone before anybody has asked; wiping is looked at by the sanitizers' eyes. */
static void contexts_go_at_any_time(const struct peer_form *form)
{
    struct peer_pair pair;

    open_early(&pair, form);
    for (int i = 0; i < 4; i++) {
        get_ticket(&pair);
        assert_int_equal(greet(&pair.client, &pair.server, "early", 5), SEC_I_CONTINUE_NEEDED);
        for (int j = 0; j < i; j++)
            (void)peer_step(j % 2 ? &pair.client : &pair.server,
                            j % 2 ? &pair.server : &pair.client);
        peer_disconnect(&pair);
    }
    peer_close(&pair);
}

/* ---- OpenSSL on the other side ---- */

static void raw_begin(struct raw_peer *raw, bool server)
{
    raw_open(raw, server, TLS1_3_VERSION, server ? "server" : NULL);
    if (server) {
        TEST_REQUIRE(SSL_CTX_set_max_early_data(raw->ctx, MAX_EARLY) == 1);
        SSL_CTX_set_options(raw->ctx, SSL_OP_NO_ANTI_REPLAY);
        raw_again(raw, true);
    }
}

/* What OpenSSL's server reads of them; then its flight. */
static size_t raw_read_early(struct raw_peer *raw, struct peer_end *to, uint8_t *data, size_t room)
{
    size_t total = 0, len = 0;
    int result;

    while ((result = SSL_read_early_data(raw->ssl, data + total, room - total, &len)) ==
           SSL_READ_EARLY_DATA_SUCCESS)
        total += len;
    raw_take(raw, &to->in);
    return total;
}

static void openssl_serves(const struct peer_form *form)
{
    enum { ACCEPT, REJECT, RETRY, CASES };
    uint8_t data[64];

    for (int i = 0; i < CASES; i++) {
        struct peer_end client, wire = {0};
        struct raw_peer raw;
        size_t len;

        SslEmptyCacheA(NULL, 0);
        raw_begin(&raw, true);
        peer_end_init(&client, form, false);
        assert_int_equal(peer_end_acquire(&client, 0, 0, NULL, false), SEC_E_OK);
        allow(&client, OSSPI_TLS_EARLY_DATA, 0);
        assert_int_equal(raw_handshake(&raw, &client), SEC_E_OK);
        raw_exchange(&raw, &client); /* takes the ticket in */
        peer_end_disconnect(&client);
        SSL_set_shutdown(raw.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        raw_again(&raw, true);
        if (i == REJECT)
            TEST_REQUIRE(SSL_set_max_early_data(raw.ssl, 0) == 1);
        if (i == RETRY)
            TEST_REQUIRE(SSL_set1_groups_list(raw.ssl, "P-384") == 1);
        assert_int_equal(greet(&client, &wire, "early", 5), SEC_I_CONTINUE_NEEDED);
        raw_give(&raw, &wire.in);
        len = raw_read_early(&raw, &client, data, sizeof(data));
        assert_int_equal(len, i == ACCEPT ? 5 : 0);
        if (i == ACCEPT)
            assert_memory_equal(data, "early", 5);
        if (i == RETRY) { /* the second ClientHello */
            assert_int_equal(peer_step(&client, &wire), SEC_I_CONTINUE_NEEDED);
            raw_give(&raw, &wire.in);
            assert_int_equal(SSL_do_handshake(raw.ssl), -1);
            raw_take(&raw, &client.in);
        }
        assert_int_equal(peer_step(&client, &wire), SEC_E_OK);
        raw_give(&raw, &wire.in);
        if (i == ACCEPT) /* EndOfEarlyData */
            assert_int_equal(raw_read_early(&raw, &client, data, sizeof(data)), 0);
        assert_int_equal(SSL_do_handshake(raw.ssl), 1);
        raw_take(&raw, &client.in);
        peer_established(&client);
        raw_exchange(&raw, &client);
        assert_true(reconnected(&client));
        assert_int_equal(ask(&client, NULL, 0),
                         i == ACCEPT ? OSSPI_EARLY_DATA_ACCEPTED : OSSPI_EARLY_DATA_REJECTED);
        peer_end_free(&client);
        raw_close(&raw);
    }
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **kept = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

/* OpenSSL's client; what it sends early comes in so many pieces. */
static void openssl_comes(const struct peer_form *form)
{
    enum { ACCEPT, PIECES, RETRY, TOO_MUCH, CASES };
    uint8_t *data = pattern(3000);

    for (int i = 0; i < CASES; i++) {
        const size_t count = i == PIECES ? 3 : 1;
        const size_t len = i == TOO_MUCH ? 200 : 1000;
        struct peer_end server, wire = {0};
        SSL_SESSION *session = NULL;
        struct raw_peer raw;
        size_t written;

        peer_end_init(&server, form, true);
        assert_int_equal(peer_end_acquire(&server, 0, 0, "server", false), SEC_E_OK);
        allow(&server, OSSPI_TLS_EARLY_DATA, i == TOO_MUCH ? 100 : 0);
        raw_begin(&raw, false);
        SSL_CTX_set_session_cache_mode(raw.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(raw.ctx, keep_session);
        SSL_CTX_set_app_data(raw.ctx, &session);
        assert_int_equal(raw_handshake(&raw, &server), SEC_E_OK);
        raw_exchange(&raw, &server);
        peer_end_disconnect(&server);
        assert_non_null(session);
        assert_int_equal(SSL_SESSION_get_max_early_data(session), i == TOO_MUCH ? 100 : MAX_EARLY);
        SSL_set_shutdown(raw.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        raw_again(&raw, false);
        if (i == TOO_MUCH)
            SSL_SESSION_set_max_early_data(session, MAX_EARLY);
        if (i == RETRY)
            TEST_REQUIRE(SSL_set1_groups_list(raw.ssl, "P-521:P-384") == 1);
        TEST_REQUIRE(SSL_set_session(raw.ssl, session) == 1);
        for (size_t j = 0; j < count; j++)
            assert_int_equal(SSL_write_early_data(raw.ssl, data + j * len, len, &written), 1);
        raw_take(&raw, &server.in);
        if (i == TOO_MUCH) {
            assert_int_equal(peer_step(&server, &wire), SEC_E_ILLEGAL_MESSAGE);
        } else {
            assert_int_equal(peer_step(&server, &wire), SEC_I_CONTINUE_NEEDED);
            assert_int_equal(ask(&server, data, i == RETRY ? 0 : count * len),
                             i == RETRY ? OSSPI_EARLY_DATA_REJECTED : OSSPI_EARLY_DATA_ACCEPTED);
            raw_give(&raw, &wire.in);
            assert_int_equal(SSL_do_handshake(raw.ssl), i == RETRY ? -1 : 1);
            raw_take(&raw, &server.in);
            assert_int_equal(raw_handshake(&raw, &server), SEC_E_OK);
            raw_exchange(&raw, &server);
            assert_true(reconnected(&server));
            assert_int_equal(SSL_get_early_data_status(raw.ssl),
                             i == RETRY ? SSL_EARLY_DATA_REJECTED : SSL_EARLY_DATA_ACCEPTED);
        }
        SSL_SESSION_free(session);
        peer_clear(&wire.in);
        peer_end_free(&server);
        raw_close(&raw);
    }
    free(data);
}

#define KEY "0123456789abcdef0123456789abcdef"

/* A pre-shared key that, to the client's mind, permits early data. */
static int use_key(SSL *ssl, const EVP_MD *digest, const unsigned char **ret_id, size_t *ret_len,
                   SSL_SESSION **ret_session)
{
    static const unsigned char suite[] = {0x13, 0x01};
    (void)digest;

    *ret_id = (const unsigned char *)"somebody";
    *ret_len = 8;
    *ret_session = SSL_SESSION_new();
    return *ret_session != NULL &&
           SSL_SESSION_set1_master_key(*ret_session, (const unsigned char *)KEY, 32) == 1 &&
           SSL_SESSION_set_cipher(*ret_session, SSL_CIPHER_find(ssl, suite)) == 1 &&
           SSL_SESSION_set_protocol_version(*ret_session, TLS1_3_VERSION) == 1 &&
           SSL_SESSION_set_max_early_data(*ret_session, MAX_EARLY) == 1;
}

/* They are skipped, and the handshake goes on with the key. */
static void under_a_key_they_are_not_taken(const struct peer_form *form)
{
    struct {
        USHORT len;
        uint8_t bytes[32];
    } key = {32, {0}}, identity = {8, "somebody"};
    const SecBuffer buffers[] = {{34, SECBUFFER_PRESHARED_KEY, &key},
                                 {10, SECBUFFER_PRESHARED_KEY_IDENTITY, &identity}};
    struct peer_end server, wire = {0};
    struct raw_peer raw;
    size_t written;

    memcpy(key.bytes, KEY, 32);
    peer_end_init(&server, form, true);
    assert_int_equal(peer_end_acquire(&server, 0, 0, "server", false), SEC_E_OK);
    allow(&server, OSSPI_TLS_EARLY_DATA, 0);
    server.more = buffers;
    server.more_count = 2;
    raw_begin(&raw, false);
    SSL_set_psk_use_session_callback(raw.ssl, use_key);
    assert_int_equal(SSL_write_early_data(raw.ssl, "early", 5, &written), 1);
    raw_take(&raw, &server.in);
    assert_int_equal(peer_step(&server, &wire), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(ask(&server, NULL, 0), OSSPI_EARLY_DATA_REJECTED);
    raw_give(&raw, &wire.in);
    assert_int_equal(SSL_do_handshake(raw.ssl), 1);
    assert_int_equal(SSL_get_early_data_status(raw.ssl), SSL_EARLY_DATA_REJECTED);
    raw_take(&raw, &server.in);
    assert_int_equal(raw_handshake(&raw, &server), SEC_E_OK);
    raw_exchange(&raw, &server);
    peer_clear(&wire.in);
    peer_end_free(&server);
    raw_close(&raw);
}

/* More pieces, one leg each, while the server's answer is on its way. */
static void they_come_over_several_legs(const struct peer_form *form)
{
    uint8_t *data = pattern(3000);
    struct peer_end server, wire = {0};
    SSL_SESSION *session = NULL;
    struct raw_peer raw;
    size_t written;

    peer_end_init(&server, form, true);
    assert_int_equal(peer_end_acquire(&server, 0, 0, "server", false), SEC_E_OK);
    allow(&server, OSSPI_TLS_EARLY_DATA, 0);
    raw_begin(&raw, false);
    SSL_CTX_set_session_cache_mode(raw.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(raw.ctx, keep_session);
    SSL_CTX_set_app_data(raw.ctx, &session);
    assert_int_equal(raw_handshake(&raw, &server), SEC_E_OK);
    raw_exchange(&raw, &server);
    peer_end_disconnect(&server);
    SSL_set_shutdown(raw.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    raw_again(&raw, false);
    TEST_REQUIRE(SSL_set_session(raw.ssl, session) == 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(SSL_write_early_data(raw.ssl, data + 1000 * i, 1000, &written), 1);
        raw_take(&raw, &server.in);
        assert_int_equal(peer_step(&server, &wire), SEC_I_CONTINUE_NEEDED);
        if (i == 1) /* the second and the third together */
            continue;
        assert_int_equal(ask(&server, i == 0 ? data : data + 1000, i == 0 ? 1000 : 2000),
                         OSSPI_EARLY_DATA_ACCEPTED);
    }
    raw_give(&raw, &wire.in);
    assert_int_equal(raw_handshake(&raw, &server), SEC_E_OK);
    raw_exchange(&raw, &server);
    SSL_SESSION_free(session);
    peer_end_free(&server);
    raw_close(&raw);
    free(data);
}

/* ---- data behind the handshake, in one piece with it ---- */

/* The client's first data in one segment with its Finished: EXTRA of the server's last leg. */
static void a_clients_data_may_follow_its_finished(const struct peer_form *form)
{
    for (int early = 0; early < 2; early++) {
        struct peer_pair pair;
        char data[64];
        size_t len;

        open_early(&pair, form);
        get_ticket(&pair);
        assert_int_equal(greet(&pair.client, &pair.server, "early", early ? 5 : 0),
                         SEC_I_CONTINUE_NEEDED);
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
        peer_established(&pair.client);
        assert_int_equal(peer_send(&pair.client, &pair.server, "first", 5), SEC_E_OK);
        assert_int_equal(peer_send(&pair.client, &pair.server, "second", 6), SEC_E_OK);
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK); /* leaves EXTRA */
        peer_established(&pair.server);
        assert_true(pair.server.in.len > 0);
        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
        assert_int_equal(len, 5);
        assert_memory_equal(data, "first", 5);
        assert_int_equal(peer_receive(&pair.server, data, sizeof(data), &len), SEC_E_OK);
        assert_memory_equal(data, "second", 6);
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

/* A server of TLS 1.3 that does not wait for the client's Finished. */
static void a_servers_data_may_follow_its_finished(const struct peer_form *form)
{
    struct peer_end client, wire = {0};
    struct raw_peer raw;
    uint8_t none[16];
    char data[64];
    size_t len, written;

    raw_begin(&raw, true);
    peer_end_init(&client, form, false);
    assert_int_equal(peer_end_acquire(&client, 0, 0, NULL, false), SEC_E_OK);
    assert_int_equal(peer_step(&client, &wire), SEC_I_CONTINUE_NEEDED);
    raw_give(&raw, &wire.in);
    assert_int_equal(raw_read_early(&raw, &client, none, sizeof(none)), 0);
    assert_int_equal(SSL_write_early_data(raw.ssl, "half", 4, &written), 1);
    raw_take(&raw, &client.in);
    assert_int_equal(peer_step(&client, &wire), SEC_E_OK);
    peer_established(&client);
    assert_true(client.in.len > 0); /* EXTRA */
    assert_int_equal(peer_receive(&client, data, sizeof(data), &len), SEC_E_OK);
    assert_int_equal(len, 4);
    assert_memory_equal(data, "half", 4);
    raw_give(&raw, &wire.in);
    assert_int_equal(SSL_do_handshake(raw.ssl), 1);
    raw_take(&raw, &client.in);
    raw_exchange(&raw, &client);
    peer_end_free(&client);
    raw_close(&raw);
}

/* False start cannot be had from OpenSSL: nobody is made to believe in it. */
static void s3_6_early_start_is_not_there(const struct peer_form *form)
{
    SecPkgContext_EarlyStart start = {ENABLE_TLS_CLIENT_EARLY_START};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_half_connect(&pair);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(SetContextAttributesA(&pair.client.context, SECPKG_ATTR_EARLY_START,
                                               &start, sizeof(start)),
                         SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(SetContextAttributesA(&pair.server.context, SECPKG_ATTR_EARLY_START,
                                               &start, sizeof(start)),
                         SEC_E_UNSUPPORTED_FUNCTION);
        if (i == 0)
            peer_connect(&pair);
    }
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(a_server_has_them_after_its_first_leg),
        PEER_CASE(they_wait_until_they_are_asked_for),
        PEER_CASE(the_application_protocol_must_be_the_same),
        PEER_CASE(they_are_off_unless_both_ask),
        PEER_CASE(tls12_has_none),
        PEER_CASE(what_is_refused_is_skipped),
        PEER_CASE(the_servers_limit_holds),
        PEER_CASE(malformed_buffers_are_refused),
        PEER_CASE(the_answer_has_one_size),
        PEER_CASE(a_replayed_first_flight_brings_nothing),
        PEER_CASE(of_many_at_once_one_is_taken),
        PEER_CASE(cut_anywhere),
        PEER_CASE(damaged_early_data_end_the_handshake),
        PEER_CASE(the_handshake_may_fail_after_them),
        PEER_CASE(contexts_go_at_any_time),
        PEER_CASE(openssl_serves),
        PEER_CASE(openssl_comes),
        PEER_CASE(under_a_key_they_are_not_taken),
        PEER_CASE(they_come_over_several_legs),
        PEER_CASE(a_clients_data_may_follow_its_finished),
        PEER_CASE(a_servers_data_may_follow_its_finished),
        PEER_CASE(s3_6_early_start_is_not_there),
    };

    return peer_run_cases("contract.early_data", cases, sizeof(cases) / sizeof(cases[0]));
}
