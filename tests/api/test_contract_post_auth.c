/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: authentication of a TLS 1.3 client after the handshake (RFC 8446, 4.6.2). The server
 * asks by a leg without input and with ASC_REQ_MUTUAL_AUTH; the client sees SEC_I_RENEGOTIATE and
 * makes a leg, which answers; the server's leg verifies before it says SEC_E_OK.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_later.h"
#include "support/tls_shown.h"

/* Both ends connected; the client with this certificate, or none. */
static void open_pair(struct peer_pair *pair, const struct peer_form *form, const char *certificate,
                      ULONG client_options, ULONG server_options)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_3_CLIENT,
                                     .client_flags = SCH_CRED_NO_DEFAULT_CREDS};

    SslEmptyCacheA(NULL, 0);
    peer_open(pair, form, &setup);
    pair->client.flags |= ISC_REQ_USE_SUPPLIED_CREDS;
    if (certificate)
        assert_int_equal(shown_renew(&pair->client, (const char *[]){certificate, NULL}), SEC_E_OK);
    assert_int_equal(later_allow(&pair->client, client_options, 0), SEC_E_OK);
    assert_int_equal(later_allow(&pair->server, server_options, 0), SEC_E_OK);
}

static SECURITY_STATUS ask(struct peer_pair *pair)
{
    pair->server.flags |= ASC_REQ_MUTUAL_AUTH;
    return later_leg(&pair->server, &pair->client);
}

static void s3_8_client_authenticates_when_it_is_asked(const struct peer_form *form)
{
    for (int style = 0; style < 2; style++) {
        struct later_reader client, server;
        struct peer_pair pair;

        open_pair(&pair, form, "client", OSSPI_TLS_POST_HANDSHAKE_AUTH,
                  OSSPI_TLS_POST_HANDSHAKE_AUTH);
        later_reader_init(&client, &pair.client, &pair.server, style == 1);
        later_reader_init(&server, &pair.server, &pair.client, style == 1);
        peer_connect(&pair);
        peer_exchange(&pair);
        assert_true(later_shown(&pair.server, NULL));
        assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
        assert_false(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
        assert_true(later_settle(&client, &server));
        assert_int_equal(client.leg, SEC_E_OK);
        assert_int_equal(server.leg, SEC_E_OK);
        assert_true(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
        assert_true(later_shown(&pair.server, "client"));
        assert_true(later_same_secrets(&pair.client, &pair.server));
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

static void answers_with(const struct peer_form *form, const char *certificate, SECURITY_STATUS end)
{
    for (int style = 0; style < 2; style++) {
        struct later_reader client, server;
        struct peer_pair pair;

        open_pair(&pair, form, certificate, OSSPI_TLS_POST_HANDSHAKE_AUTH,
                  OSSPI_TLS_POST_HANDSHAKE_AUTH);
        later_reader_init(&client, &pair.client, &pair.server, style == 1);
        later_reader_init(&server, &pair.server, &pair.client, style == 1);
        peer_connect(&pair);
        assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
        assert_false(later_settle(&client, &server));
        assert_int_equal(server.leg, end);
        assert_true(later_shown(&pair.server, NULL));
        assert_int_equal(later_read(&client), SEC_E_ILLEGAL_MESSAGE); /* the alert */
        peer_close(&pair);
    }
}

static void bad_certificates_end_the_connection(const struct peer_form *form)
{
    answers_with(form, "selfsigned", SEC_E_UNTRUSTED_ROOT);
    answers_with(form, "serveronly", SEC_E_CERT_UNKNOWN);
}

/* The client's answer to SEC_I_INCOMPLETE_CREDENTIALS: the same bytes, none, another credential. */
static void s3_5_incomplete_credentials_after_the_handshake(const struct peer_form *form)
{
    for (int way = 0; way < 3; way++) {
        struct later_reader client, server;
        struct peer_pair pair;
        struct peer_end other;
        uint8_t out[8192];
        struct peer_leg leg;
        char byte;
        size_t len;

        open_pair(&pair, form, NULL, OSSPI_TLS_POST_HANDSHAKE_AUTH, OSSPI_TLS_POST_HANDSHAKE_AUTH);
        peer_end_init(&other, form, false);
        assert_int_equal(peer_end_acquire(&other, SP_PROT_TLS1_3_CLIENT, 0, "client", false),
                         SEC_E_OK);
        later_reader_init(&client, &pair.client, &pair.server, false);
        later_reader_init(&server, &pair.server, &pair.client, false);
        peer_connect(&pair);
        peer_exchange(&pair);
        assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(peer_receive(&pair.client, &byte, 1, &len), SEC_I_RENEGOTIATE);
        leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, sizeof(out));
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_I_INCOMPLETE_CREDENTIALS);
        leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, sizeof(out));
        leg.no_in = way == 1;
        if (way == 2)
            leg.credential = &other.credential;
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_OK);
        peer_push(&pair.server.in, out, leg.out[0].cbBuffer);
        peer_clear(&pair.client.in);
        assert_true(later_settle(&client, &server));
        assert_int_equal(server.leg, SEC_E_OK);
        assert_int_equal((pair.server.attributes & ASC_RET_MUTUAL_AUTH) != 0, way == 2);
        assert_true(later_shown(&pair.server, way == 2 ? "client" : NULL));
        peer_exchange(&pair);
        peer_close(&pair);
        peer_end_free(&other);
    }
}

/* ---- who offers it ---- */

static void s3_8_asked_are_those_who_have_offered(const struct peer_form *form)
{
    static const struct {
        ULONG client, server;
        bool refuses;
        SECURITY_STATUS status;
    } rows[] = {
        {0, 0, false, SEC_E_OK}, /* such a leg does nothing */
        {OSSPI_TLS_POST_HANDSHAKE_AUTH, 0, false, SEC_E_OK},
        {0, OSSPI_TLS_POST_HANDSHAKE_AUTH, false, SEC_E_UNSUPPORTED_FUNCTION},
        {OSSPI_TLS_POST_HANDSHAKE_AUTH, OSSPI_TLS_POST_HANDSHAKE_AUTH, true,
         SEC_E_UNSUPPORTED_FUNCTION},
        {OSSPI_TLS_RENEGOTIATION, OSSPI_TLS_POST_HANDSHAKE_AUTH, false, SEC_E_UNSUPPORTED_FUNCTION},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer_pair pair;
        uint8_t out[256];
        SEC_FLAGS refusal = {.Flags = ISC_REQ_NO_POST_HANDSHAKE_AUTH};
        struct peer_leg leg;

        open_pair(&pair, form, "client", rows[i].client, rows[i].server);
        if (rows[i].refuses) {
            uint8_t *hello = malloc(PEER_OUT_SIZE);

            assert_non_null(hello);
            leg = peer_leg_of(&pair.client, NULL, 0, hello, PEER_OUT_SIZE);
            leg.in[0] = (SecBuffer){sizeof(refusal), SECBUFFER_FLAGS, &refusal};
            leg.in_count = 1;
            assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_I_CONTINUE_NEEDED);
            peer_push(&pair.server.in, hello, leg.out[0].cbBuffer);
            free(hello);
        }
        peer_connect(&pair);
        peer_exchange(&pair);
        assert_int_equal(ask(&pair), rows[i].status);
        assert_int_equal(pair.client.in.len, 0);
        leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));
        leg.no_in = true;
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_OK); /* not for clients */
        assert_int_equal(leg.out[0].cbBuffer, 0);
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

static void their_number_is_limited(const struct peer_form *form)
{
    struct later_reader client, server;
    struct peer_pair pair;

    open_pair(&pair, form, "client", OSSPI_TLS_POST_HANDSHAKE_AUTH, OSSPI_TLS_POST_HANDSHAKE_AUTH);
    assert_int_equal(later_allow(&pair.server, OSSPI_TLS_POST_HANDSHAKE_AUTH, 2), SEC_E_OK);
    later_reader_init(&client, &pair.client, &pair.server, false);
    later_reader_init(&server, &pair.server, &pair.client, false);
    peer_connect(&pair);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED); /* one at a time: that does nothing */
        assert_true(later_settle(&client, &server));
        assert_int_equal(server.leg, SEC_E_OK);
        assert_true(later_shown(&pair.server, "client"));
    }
    assert_int_equal(ask(&pair), SEC_E_UNSUPPORTED_FUNCTION);
    peer_exchange(&pair);
    peer_close(&pair);
}

/* A client's limit ends the connection of a server that does not stop. */
static void a_client_is_not_asked_without_end(const struct peer_form *form)
{
    struct later_reader client, server;
    struct peer_pair pair;

    open_pair(&pair, form, "client", OSSPI_TLS_POST_HANDSHAKE_AUTH, OSSPI_TLS_POST_HANDSHAKE_AUTH);
    assert_int_equal(later_allow(&pair.client, OSSPI_TLS_POST_HANDSHAKE_AUTH, 1), SEC_E_OK);
    later_reader_init(&client, &pair.client, &pair.server, false);
    later_reader_init(&server, &pair.server, &pair.client, false);
    peer_connect(&pair);
    assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
    assert_true(later_settle(&client, &server));
    assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(later_read(&client), SEC_E_ILLEGAL_MESSAGE);
    peer_close(&pair);
}

/* ---- in between ---- */

static void update_key(struct peer_end *end, struct peer_end *to)
{
    const OsspiKeyUpdateToken token = {OSSPI_SCHANNEL_KEY_UPDATE, OSSPI_KEY_UPDATE_REQUEST};

    assert_int_equal(peer_control(end, &token, sizeof(token)), SEC_E_OK);
    assert_true(later_leg(end, to) >= 0);
    assert_true(to->in.len > 0);
}

/* Data and KeyUpdates go on while the answer is awaited. */
static void s3_8_data_and_key_updates_go_on(const struct peer_form *form)
{
    for (int style = 0; style < 2; style++) {
        struct later_reader client, server;
        struct peer_pair pair;

        open_pair(&pair, form, "client", OSSPI_TLS_POST_HANDSHAKE_AUTH,
                  OSSPI_TLS_POST_HANDSHAKE_AUTH);
        later_reader_init(&client, &pair.client, &pair.server, style == 1);
        later_reader_init(&server, &pair.server, &pair.client, style == 1);
        peer_connect(&pair);
        assert_int_equal(peer_send(&pair.server, &pair.client, "one", 3), SEC_E_OK);
        assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(peer_send(&pair.server, &pair.client, "two", 3), SEC_E_OK);
        update_key(&pair.server, &pair.client);
        assert_int_equal(peer_send(&pair.server, &pair.client, "three", 5), SEC_E_OK);
        assert_int_equal(peer_send(&pair.client, &pair.server, "four", 4), SEC_E_OK);
        update_key(&pair.client, &pair.server);
        assert_int_equal(peer_send(&pair.client, &pair.server, "five", 4), SEC_E_OK);
        assert_true(later_settle(&client, &server));
        assert_int_equal(client.len, 11);
        assert_memory_equal(client.data, "onetwothree", 11);
        assert_int_equal(server.len, 8);
        assert_memory_equal(server.data, "fourfive", 8);
        assert_true(later_shown(&pair.server, "client"));
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

static void answers_wait_for_room(const struct peer_form *form)
{
    struct later_reader client, server;
    struct peer_pair pair;
    uint8_t small[32];
    struct peer_leg leg;
    char byte;
    size_t len;

    open_pair(&pair, form, "client", OSSPI_TLS_POST_HANDSHAKE_AUTH, OSSPI_TLS_POST_HANDSHAKE_AUTH);
    later_reader_init(&client, &pair.client, &pair.server, false);
    later_reader_init(&server, &pair.server, &pair.client, false);
    peer_connect(&pair);
    peer_exchange(&pair);
    pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    leg = peer_leg_of(&pair.server, NULL, 0, small, sizeof(small));
    leg.no_in = true;
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(peer_receive(&pair.client, &byte, 1, &len), SEC_I_RENEGOTIATE);
    leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, small, sizeof(small));
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
    assert_int_equal(pair.client.in.len, 0);
    assert_true(later_settle(&client, &server));
    assert_true(later_shown(&pair.server, "client"));
    peer_exchange(&pair);
    peer_close(&pair);
}

/* A session from before serves as it did; the certificate belongs to this connection alone. */
static void sessions_do_not_carry_it(const struct peer_form *form)
{
    struct later_reader client, server;
    struct peer_pair pair;

    open_pair(&pair, form, "client", OSSPI_TLS_POST_HANDSHAKE_AUTH, OSSPI_TLS_POST_HANDSHAKE_AUTH);
    later_reader_init(&client, &pair.client, &pair.server, false);
    later_reader_init(&server, &pair.server, &pair.client, false);
    peer_connect(&pair);
    peer_exchange(&pair);
    assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
    assert_true(later_settle(&client, &server));
    assert_true(later_shown(&pair.server, "client"));
    peer_disconnect(&pair);
    pair.server.flags &= ~(ULONG)ASC_REQ_MUTUAL_AUTH;
    peer_connect(&pair);
    assert_true(shown_resumed(&pair.server));
    assert_true(later_shown(&pair.server, NULL));
    peer_exchange(&pair);
    /* And a resumed connection can be asked as well. */
    assert_int_equal(ask(&pair), SEC_I_CONTINUE_NEEDED);
    assert_true(later_settle(&client, &server));
    assert_true(later_shown(&pair.server, "client"));
    peer_close(&pair);
}

/* ---- OpenSSL on the other side ---- */

static void s3_8_an_openssl_client_is_asked(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct raw_peer raw;
        struct peer_end end, wire = {0};
        struct later_reader reader;
        char data[16];

        raw_open(&raw, false, TLS1_3_VERSION, i == 0 ? "client" : NULL);
        SSL_set_post_handshake_auth(raw.ssl, 1);
        peer_end_init(&end, form, true);
        assert_int_equal(peer_end_acquire(&end, 0, 0, "server", false), SEC_E_OK);
        assert_int_equal(later_allow(&end, OSSPI_TLS_POST_HANDSHAKE_AUTH, 0), SEC_E_OK);
        assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
        raw_exchange(&raw, &end);
        end.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(later_leg(&end, &wire), SEC_I_CONTINUE_NEEDED);
        raw_give(&raw, &wire.in);
        assert_true(SSL_read(raw.ssl, data, sizeof(data)) <= 0);
        raw_take(&raw, &end.in);
        later_reader_init(&reader, &end, &wire, false);
        assert_int_equal(later_read(&reader), SEC_E_OK);
        assert_int_equal(reader.leg, SEC_E_OK);
        assert_true(later_shown(&end, i == 0 ? "client" : NULL));
        raw_give(&raw, &wire.in);
        raw_exchange(&raw, &end);
        peer_end_free(&end);
        raw_close(&raw);
    }
}

/* What its KeyUpdates have left to do falls to one leg, so there is an end to it. */
static void a_client_does_not_update_without_end(const struct peer_form *form)
{
    for (int beyond = 0; beyond < 2; beyond++) {
        struct later_reader reader;
        struct peer_end end, wire = {0};
        struct raw_peer raw;
        char data[16];

        raw_open(&raw, false, TLS1_3_VERSION, "client");
        SSL_set_post_handshake_auth(raw.ssl, 1);
        peer_end_init(&end, form, true);
        assert_int_equal(peer_end_acquire(&end, 0, 0, "server", false), SEC_E_OK);
        assert_int_equal(later_allow(&end, OSSPI_TLS_POST_HANDSHAKE_AUTH, 0), SEC_E_OK);
        assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
        raw_exchange(&raw, &end);
        later_reader_init(&reader, &end, &wire, false);
        for (int i = 0; i < (beyond ? 4097 : 500); i++) {
            assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
            assert_int_equal(SSL_write(raw.ssl, "x", 1), 1);
            raw_take(&raw, &end.in);
            assert_int_equal(later_read(&reader), SEC_E_OK);
        }
        end.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(later_leg(&end, &wire), SEC_I_CONTINUE_NEEDED);
        raw_give(&raw, &wire.in);
        assert_true(SSL_read(raw.ssl, data, sizeof(data)) <= 0);
        raw_take(&raw, &end.in);
        assert_int_equal(later_read(&reader), beyond ? SEC_E_ILLEGAL_MESSAGE : SEC_E_OK);
        assert_true(later_shown(&end, beyond ? NULL : "client"));
        peer_clear(&wire.in);
        peer_end_free(&end);
        raw_close(&raw);
        ERR_clear_error();
    }
}

static unsigned tickets;

static int count_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    (void)session;
    tickets++;
    return 0;
}

/* A SCHANNEL_SESSION_TOKEN brings no ticket that knows of the certificate. */
static void no_ticket_comes_of_it(const struct peer_form *form)
{
    const SCHANNEL_SESSION_TOKEN enable = {SCHANNEL_SESSION, SSL_SESSION_ENABLE_RECONNECTS};

    for (int after = 0; after < 2; after++) {
        struct raw_peer raw;
        struct peer_end end, wire = {0};
        struct later_reader reader;
        char data[16];

        raw_open(&raw, false, TLS1_3_VERSION, "client");
        SSL_CTX_set_session_cache_mode(raw.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(raw.ctx, count_ticket);
        SSL_set_post_handshake_auth(raw.ssl, 1);
        peer_end_init(&end, form, true);
        assert_int_equal(peer_end_acquire(&end, 0, 0, "server", false), SEC_E_OK);
        assert_int_equal(later_allow(&end, OSSPI_TLS_POST_HANDSHAKE_AUTH, 0), SEC_E_OK);
        tickets = 0;
        assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
        raw_exchange(&raw, &end);
        assert_int_equal(tickets, 1);
        end.flags |= ASC_REQ_MUTUAL_AUTH;
        if (!after)
            assert_int_equal(peer_control(&end, &enable, sizeof(enable)), SEC_E_OK);
        assert_int_equal(later_leg(&end, &wire), SEC_I_CONTINUE_NEEDED);
        if (after)
            assert_int_equal(peer_control(&end, &enable, sizeof(enable)), SEC_E_OK);
        raw_give(&raw, &wire.in);
        assert_true(SSL_read(raw.ssl, data, sizeof(data)) <= 0);
        raw_take(&raw, &end.in);
        later_reader_init(&reader, &end, &wire, false);
        assert_int_equal(later_read(&reader), SEC_E_OK);
        assert_int_equal(reader.leg, SEC_E_OK);
        assert_true(later_shown(&end, "client"));
        raw_give(&raw, &wire.in);
        raw_exchange(&raw, &end);
        assert_int_equal(tickets, 1);
        peer_end_free(&end);
        raw_close(&raw);
    }
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static void s3_8_an_openssl_server_asks(const struct peer_form *form)
{
    for (int style = 0; style < 2; style++) {
        struct raw_peer raw;
        struct peer_end end, wire = {0};
        struct later_reader reader;
        char data[16];

        SslEmptyCacheA(NULL, 0);
        raw_open(&raw, true, TLS1_3_VERSION, "server");
        SSL_set_verify(raw.ssl, SSL_VERIFY_PEER | SSL_VERIFY_POST_HANDSHAKE, accept_any);
        peer_end_init(&end, form, false);
        assert_int_equal(peer_end_acquire(&end, 0, 0, "client", false), SEC_E_OK);
        assert_int_equal(later_allow(&end, OSSPI_TLS_POST_HANDSHAKE_AUTH, 0), SEC_E_OK);
        assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
        raw_exchange(&raw, &end);
        assert_int_equal(SSL_verify_client_post_handshake(raw.ssl), 1);
        assert_int_equal(SSL_do_handshake(raw.ssl), 1);
        raw_send(&raw, &end, "behind it", 9);
        later_reader_init(&reader, &end, &wire, style == 1);
        assert_int_equal(later_read(&reader), SEC_E_OK);
        assert_int_equal(reader.leg, SEC_E_OK);
        assert_int_equal(reader.len, 9);
        assert_int_equal(peer_send(&end, &wire, "data", 4), SEC_E_OK);
        raw_give(&raw, &wire.in);
        assert_int_equal(SSL_read(raw.ssl, data, sizeof(data)), 4);
        assert_non_null(SSL_get0_peer_certificate(raw.ssl));
        raw_take(&raw, &end.in); /* tickets */
        raw_exchange(&raw, &end);
        peer_end_free(&end);
        raw_close(&raw);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_8_client_authenticates_when_it_is_asked),
        PEER_CASE(bad_certificates_end_the_connection),
        PEER_CASE(s3_5_incomplete_credentials_after_the_handshake),
        PEER_CASE(s3_8_asked_are_those_who_have_offered),
        PEER_CASE(their_number_is_limited),
        PEER_CASE(a_client_is_not_asked_without_end),
        PEER_CASE(s3_8_data_and_key_updates_go_on),
        PEER_CASE(answers_wait_for_room),
        PEER_CASE(sessions_do_not_carry_it),
        PEER_CASE(s3_8_an_openssl_client_is_asked),
        PEER_CASE(a_client_does_not_update_without_end),
        PEER_CASE(no_ticket_comes_of_it),
        PEER_CASE(s3_8_an_openssl_server_asks),
    };

    return peer_run_cases("contract.post_auth", cases, sizeof(cases) / sizeof(cases[0]));
}
