/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our client against gnutls-serv: handshakes, data, ALPN, resumption, client certificates, servers
 * that we refuse and servers that refuse us, and the end.
 */
#include "interop_gnutls.h"

static const char *const versions[] = {GNUTLS_TLS12, GNUTLS_TLS13};
static const DWORD protocols[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT};

struct meeting {
    struct interop_process server;
    struct interop_wire wire;
    uint16_t port;
};

/* A server that asks for no certificate unless the test says otherwise. */
static void start(struct meeting *meeting, const struct peer_form *form, const char *name,
                  const char *priority, const char *const extra[])
{
    static const char *const alone[] = {"--disable-client-cert", NULL};

    meeting->port = interop_gnutls_serv(&meeting->server, name, priority, extra ? extra : alone);
    interop_wire_open(&meeting->wire, form, false, &meeting->server, NULL);
}

static void meet(struct meeting *meeting)
{
    interop_wire_connect(&meeting->wire, meeting->port);
    interop_must_handshake(&meeting->wire);
}

/* Our close_notify; the server answers it with its own and closes. */
static void leave(struct meeting *meeting)
{
    interop_finish(&meeting->wire);
    INTEROP_UNTIL(&meeting->wire, meeting->wire.finished || meeting->wire.eof);
    TEST_REQUIRE(!meeting->wire.reset);
    TEST_REQUIRE_EQUAL(meeting->wire.failure, SEC_E_OK);
    interop_wire_disconnect(&meeting->wire);
}

static void stop(struct meeting *meeting)
{
    interop_wire_free(&meeting->wire);
    interop_stop(&meeting->server);
}

/* ---- handshake, data, close ---- */

static void data_with(const struct peer_form *form, const char *name)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, name, versions[i], NULL);
        meet(&meeting);
        TEST_REQUIRE_EQUAL(interop_protocol(&meeting.wire), protocols[i]);
        interop_require_peer_certificate(&meeting.wire, name);
        TEST_REQUIRE(!interop_reused(&meeting.wire));
        interop_echo(&meeting.wire, 1);
        interop_echo(&meeting.wire, 16384);
        interop_echo(&meeting.wire, 1 << 20);
        leave(&meeting);
        stop(&meeting);
    }
}

static void data_both_ways_ecdsa(const struct peer_form *form)
{
    data_with(form, "server");
}

static void data_both_ways_rsa(const struct peer_form *form)
{
    data_with(form, "server-rsa");
}

static void bytes_one_at_a_time(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, "server", versions[i], NULL);
        meeting.wire.read_max = 1;
        meet(&meeting);
        interop_echo(&meeting.wire, 300);
        stop(&meeting);
    }
}

/* A server that is killed has not closed. */
static void end_without_close_is_no_close(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, form, "server", versions[1], NULL);
    meet(&meeting);
    interop_echo(&meeting.wire, 100);
    interop_stop(&meeting.server);
    INTEROP_UNTIL(&meeting.wire, meeting.wire.eof);
    TEST_REQUIRE(!meeting.wire.finished);
    TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
    stop(&meeting);
}

/* ---- what is agreed on ---- */

static void each_cipher_and_group(const struct peer_form *form)
{
    static const struct {
        const char *priority;
        DWORD suite; /* 0: any */
    } one_of[] = {
        {GNUTLS_TLS13 ":-CIPHER-ALL:+AES-128-GCM", 0x1301},
        {GNUTLS_TLS13 ":-CIPHER-ALL:+AES-256-GCM", 0x1302},
        {GNUTLS_TLS13 ":-CIPHER-ALL:+CHACHA20-POLY1305", 0x1303},
        {GNUTLS_TLS12 ":-CIPHER-ALL:+AES-128-GCM", 0xC02B},
        {GNUTLS_TLS12 ":-CIPHER-ALL:+AES-256-GCM", 0xC02C},
        {GNUTLS_TLS12 ":-CIPHER-ALL:+CHACHA20-POLY1305", 0xCCA9},
        {GNUTLS_TLS13 ":-GROUP-ALL:+GROUP-X25519", 0},
        {GNUTLS_TLS13 ":-GROUP-ALL:+GROUP-SECP256R1", 0},
        {GNUTLS_TLS13 ":-GROUP-ALL:+GROUP-SECP384R1", 0}, /* asks us for another key share */
    };

    for (size_t i = 0; i < sizeof(one_of) / sizeof(one_of[0]); i++) {
        struct meeting meeting;

        start(&meeting, form, "server", one_of[i].priority, NULL);
        meet(&meeting);
        if (one_of[i].suite != 0)
            TEST_REQUIRE_EQUAL(interop_suite(&meeting.wire), one_of[i].suite);
        interop_echo(&meeting.wire, 20000);
        stop(&meeting);
    }
}

static void alpn_is_agreed(const struct peer_form *form)
{
    const char *const extra[] = {"--disable-client-cert", "--alpn", "http/1.1", NULL};

    for (int i = 0; i < 2; i++) {
        struct interop_alpn alpn;
        struct meeting meeting;

        start(&meeting, form, "server", versions[i], extra);
        interop_offer(&meeting.wire, &alpn, "\x02h2\x08http/1.1");
        meet(&meeting);
        interop_require_alpn(&meeting.wire, "http/1.1");
        interop_echo(&meeting.wire, 10);
        stop(&meeting);
    }
}

static void no_common_alpn_ends_the_handshake(const struct peer_form *form)
{
    const char *const extra[] = {"--disable-client-cert", "--alpn", "http/1.1", "--alpn-fatal",
                                 NULL};
    struct interop_alpn alpn;
    struct meeting meeting;

    start(&meeting, form, "server", versions[1], extra);
    interop_offer(&meeting.wire, &alpn, "\x02h2");
    interop_wire_connect(&meeting.wire, meeting.port);
    TEST_REQUIRE_EQUAL(interop_handshake(&meeting.wire), SEC_E_APPLICATION_PROTOCOL_MISMATCH);
    stop(&meeting);
}

/* ---- resumption ---- */

static void resumption(const struct peer_form *form, const char *const extra[])
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, "server", versions[i], extra);
        for (int j = 0; j < 3; j++) {
            meet(&meeting);
            TEST_REQUIRE_EQUAL(interop_reused(&meeting.wire), j > 0);
            interop_require_peer_certificate(&meeting.wire, "server");
            interop_echo(&meeting.wire, 1000); /* with it come the tickets of TLS 1.3 */
            leave(&meeting);
        }
        interop_wire_await(&meeting.wire, "*** This is a resumed session");
        stop(&meeting);
    }
}

static void second_connection_resumes(const struct peer_form *form)
{
    resumption(form, NULL);
}

/* ---- client certificates ---- */

static const char *const mutual[] = {"--require-client-cert", "--verify-client-cert", NULL};

static void client_certificate(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        meeting.port = interop_gnutls_serv(&meeting.server, "server", versions[i], mutual);
        interop_wire_open(&meeting.wire, form, false, &meeting.server, "client");
        meet(&meeting);
        interop_echo(&meeting.wire, 1000);
        interop_wire_await(&meeting.wire, "Subject: CN=client.test");
        interop_wire_await(&meeting.wire, "- Status: The certificate is trusted.");
        stop(&meeting);
    }
}

/* The server ends the handshake; in TLS 1.3 our side may be done with it before. */
static void refused_by_server(const struct peer_form *form, const char *certificate,
                              const char *says)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        meeting.port = interop_gnutls_serv(&meeting.server, "server", versions[i], mutual);
        interop_wire_open(&meeting.wire, form, false, &meeting.server, certificate);
        interop_wire_connect(&meeting.wire, meeting.port);
        (void)interop_handshake(&meeting.wire);
        INTEROP_UNTIL(&meeting.wire, meeting.wire.failure != SEC_E_OK || meeting.wire.eof);
        TEST_REQUIRE(FAILED(meeting.wire.failure));
        TEST_REQUIRE(!meeting.wire.finished);
        interop_wire_await(&meeting.wire, says);
        stop(&meeting);
    }
}

/* Asked, told whom the server believes, and a credential that has one takes over. */
static void a_certificate_that_comes_when_it_is_asked_for(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        meeting.port = interop_gnutls_serv(&meeting.server, "server", versions[i], mutual);
        interop_wire_open(&meeting.wire, form, false, &meeting.server, NULL);
        meeting.wire.answer = "client";
        meet(&meeting);
        interop_require_told(&meeting.wire, "ca");
        interop_echo(&meeting.wire, 1000);
        interop_wire_await(&meeting.wire, "- Status: The certificate is trusted.");
        stop(&meeting);
    }
}

static void no_client_certificate_is_refused_by_server(const struct peer_form *form)
{
    refused_by_server(form, NULL, "Error in handshake: ");
}

static void untrusted_client_certificate_is_refused_by_server(const struct peer_form *form)
{
    refused_by_server(form, "selfsigned", "- Status: The certificate is NOT trusted.");
}

/* ---- servers that we refuse ---- */

/* OpenSSL's client sends this alert of TLS 1.3 unencrypted; GnuTLS, which holds to RFC 8446, takes
 * it for a message that does not decrypt. */

static void refuse_server(const struct peer_form *form, const char *name, const char *target,
                          SECURITY_STATUS expected, const char *alert)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, name, versions[i], NULL);
        meeting.wire.end.target = target;
        interop_wire_connect(&meeting.wire, meeting.port);
        interop_must_refuse(&meeting.wire, expected, i == 0 ? alert : "Error in handshake: ");
        stop(&meeting);
    }
}

static void unknown_authority(const struct peer_form *form)
{
    refuse_server(form, "other-server", "localhost", SEC_E_UNTRUSTED_ROOT, "Received alert '48'");
}

static void wrong_name(const struct peer_form *form)
{
    refuse_server(form, "server", "elsewhere.test", SEC_E_WRONG_PRINCIPAL, "Received alert '42'");
}

static void expired(const struct peer_form *form)
{
    refuse_server(form, "expired", "localhost", SEC_E_CERT_EXPIRED, "Received alert '45'");
}

static void no_common_version(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, form, "server", "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0", NULL);
    interop_wire_connect(&meeting.wire, meeting.port);
    /* Its alert, handshake_failure, may mean anything. */
    TEST_REQUIRE_EQUAL(interop_handshake(&meeting.wire), SEC_E_ILLEGAL_MESSAGE);
    interop_wire_await(&meeting.wire, "Error in handshake: ");
    stop(&meeting);
}

static const struct peer_case cases[] = {
    PEER_CASE(data_both_ways_ecdsa),
    PEER_CASE(data_both_ways_rsa),
    PEER_CASE(bytes_one_at_a_time),
    PEER_CASE(end_without_close_is_no_close),
    PEER_CASE(each_cipher_and_group),
    PEER_CASE(alpn_is_agreed),
    PEER_CASE(no_common_alpn_ends_the_handshake),
    PEER_CASE(second_connection_resumes),
    PEER_CASE(client_certificate),
    PEER_CASE(a_certificate_that_comes_when_it_is_asked_for),
    PEER_CASE(no_client_certificate_is_refused_by_server),
    PEER_CASE(untrusted_client_certificate_is_refused_by_server),
    PEER_CASE(unknown_authority),
    PEER_CASE(wrong_name),
    PEER_CASE(expired),
    PEER_CASE(no_common_version),
};

int main(void)
{
    return interop_run_cases("gnutls-serv", "interop.gnutls_server", cases,
                             sizeof(cases) / sizeof(cases[0]));
}
