/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our client against openssl s_server: handshakes, data, what comes after the handshake (tickets,
 * KeyUpdate, a request to renegotiate), resumption, client certificates, and the end.
 */
#include <string.h>

#include "interop_wire.h"

/* s_server prints this when its handshake is done; what follows are data. */
#define READY "enegotiation" /* "Secure Renegotiation IS ...", or that the version forbids it */

struct meeting {
    struct interop_process server;
    struct interop_wire wire;
    uint16_t port;
};

static void start(struct meeting *meeting, const struct peer_form *form, const char *name,
                  const char *const extra[])
{
    meeting->port = interop_s_server(&meeting->server, name, extra);
    interop_wire_open(&meeting->wire, form, false, &meeting->server, NULL);
}

static void meet(struct meeting *meeting)
{
    interop_wire_connect(&meeting->wire, meeting->port);
    interop_must_handshake(&meeting->wire);
    interop_wire_await(&meeting->wire, READY);
}

static void stop(struct meeting *meeting)
{
    interop_wire_free(&meeting->wire);
    interop_stop(&meeting->server);
}

static void require_protocol(struct interop_wire *wire, const char *option)
{
    TEST_REQUIRE_EQUAL(interop_protocol(wire), strcmp(option, INTEROP_TLS12) == 0
                                                   ? SP_PROT_TLS1_2_CLIENT
                                                   : SP_PROT_TLS1_3_CLIENT);
}

/* ---- handshake, data, close ---- */

static void data_with(const struct peer_form *form, const char *version, const char *name)
{
    const char *const extra[] = {version, NULL};
    struct meeting meeting;

    start(&meeting, form, name, extra);
    meet(&meeting);
    require_protocol(&meeting.wire, version);
    interop_require_peer_certificate(&meeting.wire, name);
    TEST_REQUIRE(!interop_reused(&meeting.wire));
    interop_exchange(&meeting.wire, 1);
    interop_exchange(&meeting.wire, 16384);
    interop_exchange(&meeting.wire, 1 << 20);
    interop_finish(&meeting.wire);
    interop_wire_await(&meeting.wire, "DONE"); /* s_server: the connection was closed in order */
    stop(&meeting);
}

static void data_both_ways_tls12_ecdsa(const struct peer_form *form)
{
    data_with(form, INTEROP_TLS12, "server");
}

static void data_both_ways_tls12_rsa(const struct peer_form *form)
{
    data_with(form, INTEROP_TLS12, "server-rsa");
}

static void data_both_ways_tls13_ecdsa(const struct peer_form *form)
{
    data_with(form, INTEROP_TLS13, "server");
}

static void data_both_ways_tls13_rsa(const struct peer_form *form)
{
    data_with(form, INTEROP_TLS13, "server-rsa");
}

/* With -rev the server answers each line with its reverse, and closes at the line CLOSE. */
static void close_by_server(const struct peer_form *form, const char *version)
{
    const char *const extra[] = {version, "-rev", NULL};
    struct meeting meeting;

    start(&meeting, form, "server", extra);
    interop_wire_connect(&meeting.wire, meeting.port);
    interop_must_handshake(&meeting.wire);
    interop_send_line(&meeting.wire, "drawer");
    interop_expect_line(&meeting.wire, "reward");
    TEST_REQUIRE(!meeting.wire.finished);
    interop_send_line(&meeting.wire, "CLOSE");
    INTEROP_UNTIL(&meeting.wire, meeting.wire.finished || meeting.wire.eof);
    TEST_REQUIRE(meeting.wire.finished);
    TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
    stop(&meeting);
}

static void close_by_server_tls12(const struct peer_form *form)
{
    close_by_server(form, INTEROP_TLS12);
}

static void close_by_server_tls13(const struct peer_form *form)
{
    close_by_server(form, INTEROP_TLS13);
}

/* s_server's command q closes the socket and says nothing. */
static void end_without_close_is_no_close(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, form, "server", NULL);
    meet(&meeting);
    interop_exchange(&meeting.wire, 100);
    interop_command(&meeting.wire, "q");
    INTEROP_UNTIL(&meeting.wire, meeting.wire.eof);
    TEST_REQUIRE(!meeting.wire.finished);
    TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
    stop(&meeting);
}

static void bytes_one_at_a_time(const struct peer_form *form)
{
    const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], NULL};
        struct meeting meeting;

        start(&meeting, form, "server", extra);
        meeting.wire.read_max = 1;
        meet(&meeting);
        interop_exchange(&meeting.wire, 300);
        stop(&meeting);
    }
}

/* ---- ALPN ---- */

static void alpn_is_agreed(const struct peer_form *form)
{
    const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], "-alpn", "http/1.1", NULL};
        struct meeting meeting;
        struct interop_alpn alpn;

        start(&meeting, form, "server", extra);
        interop_offer(&meeting.wire, &alpn, "\x02h2\x08http/1.1");
        meet(&meeting);
        TEST_REQUIRE(interop_said(&meeting.server, "ALPN protocols selected: http/1.1"));
        interop_require_alpn(&meeting.wire, "http/1.1");
        stop(&meeting);
    }
}

static void no_common_alpn_ends_the_handshake(const struct peer_form *form)
{
    const char *const extra[] = {"-alpn", "http/1.1", NULL};
    struct meeting meeting;
    struct interop_alpn alpn;

    start(&meeting, form, "server", extra);
    interop_offer(&meeting.wire, &alpn, "\x02h2");
    interop_wire_connect(&meeting.wire, meeting.port);
    TEST_REQUIRE_EQUAL(interop_handshake(&meeting.wire), SEC_E_APPLICATION_PROTOCOL_MISMATCH);
    stop(&meeting);
}

/* ---- after the handshake ---- */

/* k: the server changes its keys; K: and asks for ours. */
static void key_update_by_server(const struct peer_form *form)
{
    const char *const commands[] = {"k", "K", "K", "k"};
    const char *const extra[] = {INTEROP_TLS13, NULL};
    struct meeting meeting;

    start(&meeting, form, "server", extra);
    meet(&meeting);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        interop_command(&meeting.wire, commands[i]);
        interop_exchange(&meeting.wire, 20000);
    }
    stop(&meeting);
}

/* OpenSSL 3.0 holds that who asks to renegotiate cannot go on without: it answers our
 * no_renegotiation with a fatal alert. Until then the connection is whole. */
static void renegotiation_is_declined(const struct peer_form *form)
{
    const char *const extra[] = {INTEROP_TLS12, NULL};
    struct meeting meeting;

    start(&meeting, form, "server", extra);
    meet(&meeting);
    interop_exchange(&meeting.wire, 100);
    interop_command(&meeting.wire, "r");
    interop_wire_await(&meeting.wire, "no renegotiation");
    INTEROP_UNTIL(&meeting.wire, meeting.wire.failure != SEC_E_OK || meeting.wire.eof);
    TEST_REQUIRE(!meeting.wire.finished);
    stop(&meeting);
}

static void resumption(const struct peer_form *form, const char *version, const char *tickets)
{
    const char *const extra[] = {version, tickets, NULL};
    struct meeting meeting;

    start(&meeting, form, "server", extra);
    for (int i = 0; i < 3; i++) {
        meet(&meeting);
        TEST_REQUIRE_EQUAL(interop_reused(&meeting.wire), i > 0);
        TEST_REQUIRE_EQUAL(interop_said(&meeting.server, "Reused session-id"), i > 0);
        interop_require_peer_certificate(&meeting.wire, "server");
        interop_exchange(&meeting.wire, 1000); /* with it come the tickets of TLS 1.3 */
        interop_finish(&meeting.wire);
        interop_wire_await(&meeting.wire, "DONE");
        interop_forget(&meeting.server);
        interop_wire_disconnect(&meeting.wire);
    }
    stop(&meeting);
}

static void second_connection_resumes_tls12_ticket(const struct peer_form *form)
{
    resumption(form, INTEROP_TLS12, NULL);
}

static void second_connection_resumes_tls12_session_id(const struct peer_form *form)
{
    resumption(form, INTEROP_TLS12, "-no_ticket");
}

static void second_connection_resumes_tls13(const struct peer_form *form)
{
    resumption(form, INTEROP_TLS13, NULL);
}

static void second_connection_resumes_tls13_stateful(const struct peer_form *form)
{
    resumption(form, INTEROP_TLS13, "-no_ticket");
}

static void another_name_does_not_resume(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, form, "server", NULL);
    for (int i = 0; i < 2; i++) {
        meeting.wire.end.target = i == 0 ? PEER_TARGET : "localhost";
        meet(&meeting);
        TEST_REQUIRE(!interop_reused(&meeting.wire));
        interop_exchange(&meeting.wire, 10);
        interop_finish(&meeting.wire);
        interop_wire_await(&meeting.wire, "DONE");
        interop_forget(&meeting.server);
        interop_wire_disconnect(&meeting.wire);
    }
    stop(&meeting);
}

/* ---- client certificates ---- */

static void client_certificate(const struct peer_form *form, const char *version)
{
    const char *const extra[] = {version, "-Verify", "2", "-verify_return_error", NULL};
    struct meeting meeting;

    meeting.port = interop_s_server(&meeting.server, "server", extra);
    interop_wire_open(&meeting.wire, form, false, &meeting.server, "client");
    meet(&meeting);
    TEST_REQUIRE(interop_said(&meeting.server, "Client certificate"));
    TEST_REQUIRE(interop_said(&meeting.server, "subject=CN = client.test") ||
                 interop_said(&meeting.server, "subject=CN=client.test"));
    interop_exchange(&meeting.wire, 1000);
    stop(&meeting);
}

static void client_certificate_tls12(const struct peer_form *form)
{
    client_certificate(form, INTEROP_TLS12);
}

static void client_certificate_tls13(const struct peer_form *form)
{
    client_certificate(form, INTEROP_TLS13);
}

/* In TLS 1.3 the client is done before the server has missed the certificate. */
static void no_client_certificate_is_refused_by_server(const struct peer_form *form)
{
    const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], "-Verify", "2", NULL};
        struct meeting meeting;

        start(&meeting, form, "server", extra);
        interop_wire_connect(&meeting.wire, meeting.port);
        (void)interop_handshake(&meeting.wire);
        INTEROP_UNTIL(&meeting.wire, meeting.wire.failure != SEC_E_OK || meeting.wire.eof);
        TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_ILLEGAL_MESSAGE);
        interop_await(&meeting.server, "peer did not return a certificate");
        TEST_REQUIRE(meeting.wire.told);
        stop(&meeting);
    }
}

/* Asked, told whom the server believes, and a credential that has one takes over. */
static void a_certificate_that_comes_when_it_is_asked_for(const struct peer_form *form)
{
    const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};
    char authority[512];

    peer_path("ca", ".pem", authority, sizeof(authority));
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], "-Verify", "2", "-verify_return_error",
                                     "-CAfile",   authority, NULL};
        struct meeting meeting;

        start(&meeting, form, "server", extra);
        meeting.wire.answer = "client";
        meet(&meeting);
        interop_require_told(&meeting.wire, "ca");
        TEST_REQUIRE(interop_said(&meeting.server, "Client certificate"));
        interop_exchange(&meeting.wire, 1000);
        stop(&meeting);
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(data_both_ways_tls12_ecdsa),
    PEER_CASE(data_both_ways_tls12_rsa),
    PEER_CASE(data_both_ways_tls13_ecdsa),
    PEER_CASE(data_both_ways_tls13_rsa),
    PEER_CASE(close_by_server_tls12),
    PEER_CASE(close_by_server_tls13),
    PEER_CASE(end_without_close_is_no_close),
    PEER_CASE(bytes_one_at_a_time),
    PEER_CASE(alpn_is_agreed),
    PEER_CASE(no_common_alpn_ends_the_handshake),
    PEER_CASE(key_update_by_server),
    PEER_CASE(renegotiation_is_declined),
    PEER_CASE(second_connection_resumes_tls12_ticket),
    PEER_CASE(second_connection_resumes_tls12_session_id),
    PEER_CASE(second_connection_resumes_tls13),
    PEER_CASE(second_connection_resumes_tls13_stateful),
    PEER_CASE(another_name_does_not_resume),
    PEER_CASE(client_certificate_tls12),
    PEER_CASE(client_certificate_tls13),
    PEER_CASE(no_client_certificate_is_refused_by_server),
    PEER_CASE(a_certificate_that_comes_when_it_is_asked_for),
};

int main(void)
{
    return interop_run_cases("openssl", "interop.server", cases, sizeof(cases) / sizeof(cases[0]));
}
