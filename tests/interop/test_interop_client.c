/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our server against openssl s_client: handshakes, data, KeyUpdate, a client that
 * wants to renegotiate, resumption, client certificates, and the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interop_wire.h"

struct meeting {
    struct interop_process client;
    struct interop_wire wire;
    int listener;
    uint16_t port;
};

static void start(struct meeting *meeting, const struct peer_form *form, const char *name)
{
    meeting->listener = interop_listen(&meeting->port);
    interop_wire_open(&meeting->wire, form, true, &meeting->client, name);
    meeting->wire.end.flags |= ASC_REQ_SESSION_TICKET;
}

/* A connection, as far as the socket. */
static void arrive(struct meeting *meeting, const char *const extra[])
{
    interop_s_client(&meeting->client, meeting->port, extra);
    meeting->wire.fd = interop_accept(meeting->listener, &meeting->client);
}

/* ... and with what s_client prints of the handshake. */
static void meet(struct meeting *meeting, const char *const extra[])
{
    arrive(meeting, extra);
    interop_must_handshake(&meeting->wire);
    interop_wire_await(&meeting->wire, "Verify return code: 0 (ok)");
    TEST_REQUIRE(interop_said(&meeting->client, "Reused, ") ||
                 interop_said(&meeting->client, "Verified peername: " PEER_TARGET));
}

static void leave(struct meeting *meeting)
{
    interop_wire_disconnect(&meeting->wire);
    interop_stop(&meeting->client);
}

static void stop(struct meeting *meeting)
{
    leave(meeting);
    interop_wire_free(&meeting->wire);
    close(meeting->listener);
}

static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

/* ---- handshake, data, close ---- */

static void data_with(const struct peer_form *form, int which, const char *name)
{
    const char *const extra[] = {versions[which], NULL};
    struct meeting meeting;

    start(&meeting, form, name);
    meet(&meeting, extra);
    TEST_REQUIRE_EQUAL(interop_protocol(&meeting.wire),
                       which == 0 ? SP_PROT_TLS1_2_SERVER : SP_PROT_TLS1_3_SERVER);
    interop_exchange(&meeting.wire, 1);
    interop_exchange(&meeting.wire, 16384);
    interop_exchange(&meeting.wire, 1 << 20);
    interop_finish(&meeting.wire);
    interop_wire_await(&meeting.wire, "closed"); /* s_client: a close_notify has come */
    TEST_REQUIRE_EQUAL(interop_join(&meeting.client), 0);
    stop(&meeting);
}

static void data_both_ways_tls12_ecdsa(const struct peer_form *form)
{
    data_with(form, 0, "server");
}

static void data_both_ways_tls12_rsa(const struct peer_form *form)
{
    data_with(form, 0, "server-rsa");
}

static void data_both_ways_tls13_ecdsa(const struct peer_form *form)
{
    data_with(form, 1, "server");
}

static void data_both_ways_tls13_rsa(const struct peer_form *form)
{
    data_with(form, 1, "server-rsa");
}

/* ---- the server name ---- */

static void require_presented(struct interop_wire *wire, const char *name)
{
    PCCERT_CONTEXT local = NULL, wanted = peer_certificate(name);

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_LOCAL_CERT_CONTEXT, &local),
        SEC_E_OK);
    TEST_REQUIRE(local->cbCertEncoded == wanted->cbCertEncoded &&
                 memcmp(local->pbCertEncoded, wanted->pbCertEncoded, local->cbCertEncoded) == 0);
    CertFreeCertificateContext(local);
    CertFreeCertificateContext(wanted);
}

static void server_name_chooses_the_certificate(const struct peer_form *form)
{
    static const char *const names[] = {"server.test", "other.test", "localhost"};
    static const char *const shown[] = {"server", "wrongname", "server"};
    PCCERT_CONTEXT other = peer_certificate("wrongname");
    SCH_CREDENTIALS more = {.dwVersion = SCH_CREDENTIALS_VERSION, .cCreds = 1, .paCred = &other};

    for (size_t i = 0; i < 6; i++) {
        const char *const extra[] = {versions[i % 2],    "-servername", names[i / 2],
                                     "-verify_hostname", names[i / 2],  NULL};
        struct meeting meeting;
        char said[64];

        start(&meeting, form, "server");
        TEST_REQUIRE_EQUAL(AddCredentialsA(&meeting.wire.end.credential, NULL, NULL,
                                           SECPKG_CRED_INBOUND, &more, NULL, NULL, NULL),
                           SEC_E_OK);
        arrive(&meeting, extra);
        interop_must_handshake(&meeting.wire);
        interop_wire_await(&meeting.wire, "Verify return code: 0 (ok)");
        snprintf(said, sizeof(said), "Verified peername: %s", names[i / 2]);
        TEST_REQUIRE(interop_said(&meeting.client, said));
        require_presented(&meeting.wire, shown[i / 2]);
        interop_exchange(&meeting.wire, 100);
        interop_finish(&meeting.wire);
        stop(&meeting);
    }
    CertFreeCertificateContext(other);
}

static void close_by_client(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], NULL};
        struct meeting meeting;

        start(&meeting, form, "server");
        meet(&meeting, extra);
        interop_exchange(&meeting.wire, 100);
        interop_command(&meeting.wire, "Q");
        INTEROP_UNTIL(&meeting.wire, meeting.wire.finished || meeting.wire.eof);
        TEST_REQUIRE(meeting.wire.finished);
        TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
        stop(&meeting);
    }
}

/* A client that is killed is no client that has closed. */
static void end_without_close_is_no_close(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, form, "server");
    meet(&meeting, NULL);
    interop_exchange(&meeting.wire, 100);
    interop_stop(&meeting.client);
    INTEROP_UNTIL(&meeting.wire, meeting.wire.eof);
    TEST_REQUIRE(!meeting.wire.finished);
    TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
    stop(&meeting);
}

static void bytes_one_at_a_time(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], NULL};
        struct meeting meeting;

        start(&meeting, form, "server");
        meeting.wire.read_max = 1;
        meet(&meeting, extra);
        interop_exchange(&meeting.wire, 300);
        stop(&meeting);
    }
}

/* ---- after the handshake ---- */

static void key_update_by_client(const struct peer_form *form)
{
    const char *const commands[] = {"k", "K", "K", "k"};
    const char *const extra[] = {INTEROP_TLS13, NULL};
    struct meeting meeting;

    start(&meeting, form, "server");
    meet(&meeting, extra);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        interop_forget(&meeting.client);
        interop_command(&meeting.wire, commands[i]);
        interop_wire_await(&meeting.wire, "KEYUPDATE");
        interop_exchange(&meeting.wire, 20000);
    }
    stop(&meeting);
}

/* OpenSSL 3.0 gives up when it is declined; see the server's side. */
static void renegotiation_is_declined(const struct peer_form *form)
{
    const char *const extra[] = {INTEROP_TLS12, NULL};
    struct meeting meeting;

    start(&meeting, form, "server");
    meet(&meeting, extra);
    interop_exchange(&meeting.wire, 100);
    interop_command(&meeting.wire, "R");
    interop_wire_await(&meeting.wire, "no renegotiation");
    INTEROP_UNTIL(&meeting.wire, meeting.wire.failure != SEC_E_OK || meeting.wire.eof);
    TEST_REQUIRE(!meeting.wire.finished);
    stop(&meeting);
}

static void resumption(const struct peer_form *form, const char *version, const char *option)
{
    char path[] = "/tmp/osspi-session-XXXXXX";
    int fd = mkstemp(path);
    const char *const first[] = {version, "-sess_out", path, option, NULL};
    const char *const again[] = {version, "-sess_in", path, "-sess_out", path, option, NULL};
    struct meeting meeting;

    TEST_REQUIRE(fd >= 0);
    close(fd);
    start(&meeting, form, "server");
    for (int i = 0; i < 3; i++) {
        meet(&meeting, i == 0 ? first : again);
        TEST_REQUIRE_EQUAL(interop_said(&meeting.client, "Reused, TLSv1."), i > 0);
        TEST_REQUIRE_EQUAL(interop_reused(&meeting.wire), i > 0);
        interop_exchange(&meeting.wire, 1000);
        interop_finish(&meeting.wire);
        interop_wire_await(&meeting.wire, "closed");
        TEST_REQUIRE_EQUAL(interop_join(&meeting.client), 0);
        leave(&meeting);
    }
    stop(&meeting);
    unlink(path);
}

static void s_client_resumes_tls12(const struct peer_form *form)
{
    resumption(form, INTEROP_TLS12, NULL);
}

static void s_client_resumes_tls13(const struct peer_form *form)
{
    resumption(form, INTEROP_TLS13, NULL);
}

static void no_tickets_with_reconnects_disabled(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], NULL};
        struct meeting meeting;

        meeting.listener = interop_listen(&meeting.port);
        interop_wire_init(&meeting.wire, form, true, &meeting.client);
        TEST_REQUIRE_EQUAL(
            peer_end_acquire(&meeting.wire.end, 0, SCH_CRED_DISABLE_RECONNECTS, "server", false),
            SEC_E_OK);
        arrive(&meeting, extra);
        interop_must_handshake(&meeting.wire);
        interop_finish(&meeting.wire);
        interop_wire_await(&meeting.wire, "closed");
        TEST_REQUIRE_EQUAL(interop_join(&meeting.client), 0);
        TEST_REQUIRE(!interop_said(&meeting.client, "ession ticket"));
        TEST_REQUIRE(!interop_said(&meeting.client, "Session Ticket"));
        stop(&meeting);
    }
}

/* ---- client certificates ---- */

static void start_mutual(struct meeting *meeting, const struct peer_form *form)
{
    start(meeting, form, "server");
    meeting->wire.end.flags |= ASC_REQ_MUTUAL_AUTH;
}

static void client_certificate(const struct peer_form *form)
{
    char certificate[512], key[512];

    peer_path("client", ".pem", certificate, sizeof(certificate));
    peer_path("client", ".key", key, sizeof(key));
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], "-cert", certificate, "-key", key, NULL};
        struct meeting meeting;

        start_mutual(&meeting, form);
        meet(&meeting, extra);
        TEST_REQUIRE(meeting.wire.end.attributes & ASC_RET_MUTUAL_AUTH);
        interop_require_peer_certificate(&meeting.wire, "client");
        interop_exchange(&meeting.wire, 1000);
        stop(&meeting);
    }
}

/* Its alert number; s_client prints "SSL alert number N". */
static void refused(const struct peer_form *form, const char *name, SECURITY_STATUS expected,
                    const char *alert)
{
    char certificate[512], key[512];

    peer_path(name, ".pem", certificate, sizeof(certificate));
    peer_path(name, ".key", key, sizeof(key));
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], "-cert", certificate, "-key", key, NULL};
        struct meeting meeting;

        start_mutual(&meeting, form);
        arrive(&meeting, extra);
        interop_must_refuse(&meeting.wire, expected, alert);
        TEST_REQUIRE(interop_join(&meeting.client) != 0);
        stop(&meeting);
    }
}

static void untrusted_client_certificate_is_refused(const struct peer_form *form)
{
    refused(form, "other-server", SEC_E_UNTRUSTED_ROOT, "SSL alert number 48");
}

static void client_certificate_for_servers_is_refused(const struct peer_form *form)
{
    refused(form, "serveronly", SEC_E_CERT_UNKNOWN, "SSL alert number 43");
}

static const struct peer_case cases[] = {
    PEER_CASE(data_both_ways_tls12_ecdsa),
    PEER_CASE(data_both_ways_tls12_rsa),
    PEER_CASE(data_both_ways_tls13_ecdsa),
    PEER_CASE(data_both_ways_tls13_rsa),
    PEER_CASE(server_name_chooses_the_certificate),
    PEER_CASE(close_by_client),
    PEER_CASE(end_without_close_is_no_close),
    PEER_CASE(bytes_one_at_a_time),
    PEER_CASE(key_update_by_client),
    PEER_CASE(renegotiation_is_declined),
    PEER_CASE(s_client_resumes_tls12),
    PEER_CASE(s_client_resumes_tls13),
    PEER_CASE(no_tickets_with_reconnects_disabled),
    PEER_CASE(client_certificate),
    PEER_CASE(untrusted_client_certificate_is_refused),
    PEER_CASE(client_certificate_for_servers_is_refused),
};

int main(void)
{
    return interop_run_cases("openssl", "interop.client", cases, sizeof(cases) / sizeof(cases[0]));
}
