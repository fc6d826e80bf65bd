/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our server against gnutls-cli: handshakes, data, ALPN, KeyUpdate, a client that wants to
 * renegotiate, resumption, client certificates, clients that refuse us, and the end.
 */
#include <opensspi.h>
#include <unistd.h>

#include "interop_gnutls.h"

static const char *const versions[] = {GNUTLS_TLS12, GNUTLS_TLS13};
static const DWORD protocols[] = {SP_PROT_TLS1_2_SERVER, SP_PROT_TLS1_3_SERVER};

/* gnutls-cli prints this when its handshake is done; what follows are data. */
#define READY "- Simple Client Mode:"

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
static void arrive(struct meeting *meeting, const char *priority, const char *const extra[])
{
    interop_gnutls_cli(&meeting->client, meeting->port, "ca", PEER_TARGET, priority, extra);
    meeting->wire.fd = interop_accept(meeting->listener, &meeting->client);
}

static void meet(struct meeting *meeting, const char *priority, const char *const extra[])
{
    arrive(meeting, priority, extra);
    interop_must_handshake(&meeting->wire);
    interop_wire_await(&meeting->wire, "- Status: The certificate is trusted.");
    interop_wire_await(&meeting->wire, READY);
}

static void stop(struct meeting *meeting)
{
    interop_wire_free(&meeting->wire);
    interop_stop(&meeting->client);
    close(meeting->listener);
}

/* ---- handshake, data, close ---- */

static void data_with(const struct peer_form *form, const char *name)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, name);
        meet(&meeting, versions[i], NULL);
        TEST_REQUIRE_EQUAL(interop_protocol(&meeting.wire), protocols[i]);
        interop_exchange(&meeting.wire, 1);
        interop_exchange(&meeting.wire, 16384);
        interop_exchange(&meeting.wire, 1 << 20);
        interop_finish(&meeting.wire);
        interop_wire_await(&meeting.wire, "Peer has closed the GnuTLS connection");
        TEST_REQUIRE_EQUAL(interop_join(&meeting.client), 0);
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

static void close_by_client(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, "server");
        meet(&meeting, versions[i], NULL);
        interop_exchange(&meeting.wire, 100);
        interop_tell_end(&meeting.client);
        INTEROP_UNTIL(&meeting.wire, meeting.wire.finished || meeting.wire.eof);
        TEST_REQUIRE(meeting.wire.finished);
        TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
        interop_finish(&meeting.wire);
        TEST_REQUIRE_EQUAL(interop_join(&meeting.client), 0);
        stop(&meeting);
    }
}

static void end_without_close_is_no_close(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, form, "server");
    meet(&meeting, versions[1], NULL);
    interop_exchange(&meeting.wire, 100);
    interop_stop(&meeting.client);
    INTEROP_UNTIL(&meeting.wire, meeting.wire.eof);
    TEST_REQUIRE(!meeting.wire.finished);
    TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
    stop(&meeting);
}

static void client_is_killed_in_the_handshake(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, "server");
        arrive(&meeting, versions[i], NULL);
        INTEROP_UNTIL(&meeting.wire, meeting.wire.net.in.len > 0); /* our answer is made */
        interop_stop(&meeting.client);
        TEST_REQUIRE_EQUAL(interop_handshake(&meeting.wire), SEC_E_INCOMPLETE_MESSAGE);
        stop(&meeting);
    }
}

static void bytes_one_at_a_time(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, "server");
        meeting.wire.read_max = 1;
        meet(&meeting, versions[i], NULL);
        interop_exchange(&meeting.wire, 300);
        stop(&meeting);
    }
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
        {GNUTLS_TLS12 ":-CIPHER-ALL:+AES-128-GCM", 0xC02F},
        {GNUTLS_TLS12 ":-CIPHER-ALL:+AES-256-GCM", 0xC030},
        {GNUTLS_TLS12 ":-CIPHER-ALL:+CHACHA20-POLY1305", 0xCCA8},
        {GNUTLS_TLS13 ":-GROUP-ALL:+GROUP-X25519", 0},
        {GNUTLS_TLS13 ":-GROUP-ALL:+GROUP-SECP256R1", 0},
        {GNUTLS_TLS13 ":-GROUP-ALL:+GROUP-SECP384R1", 0},
    };

    for (size_t i = 0; i < sizeof(one_of) / sizeof(one_of[0]); i++) {
        struct meeting meeting;

        start(&meeting, form, "server-rsa");
        meet(&meeting, one_of[i].priority, NULL);
        if (one_of[i].suite != 0)
            TEST_REQUIRE_EQUAL(interop_suite(&meeting.wire), one_of[i].suite);
        interop_exchange(&meeting.wire, 20000);
        stop(&meeting);
    }
}

/* The only key share is for a group that we do not have. */
static void our_server_asks_for_another_key_share(const struct peer_form *form)
{
    const char *const extra[] = {"--single-key-share", NULL};
    struct meeting meeting;

    start(&meeting, form, "server");
    meet(&meeting, GNUTLS_TLS13 ":-GROUP-ALL:+GROUP-SECP521R1:+GROUP-SECP384R1", extra);
    TEST_REQUIRE(interop_said(&meeting.client, "SECP384R1"));
    interop_exchange(&meeting.wire, 100);
    stop(&meeting);
}

static void alpn_is_agreed(const struct peer_form *form)
{
    const char *const extra[] = {"--alpn", "h2", "--alpn", "http/1.1", NULL};

    for (int i = 0; i < 2; i++) {
        struct interop_alpn alpn;
        struct meeting meeting;

        start(&meeting, form, "server");
        interop_offer(&meeting.wire, &alpn, "\x08http/1.1");
        meet(&meeting, versions[i], extra);
        interop_require_alpn(&meeting.wire, "http/1.1");
        TEST_REQUIRE(interop_said(&meeting.client, "- Application protocol: http/1.1"));
        stop(&meeting);
    }
}

static void no_common_alpn_is_refused(const struct peer_form *form)
{
    const char *const extra[] = {"--alpn", "h2", NULL};
    struct interop_alpn alpn;
    struct meeting meeting;

    start(&meeting, form, "server");
    interop_offer(&meeting.wire, &alpn, "\x08http/1.1");
    arrive(&meeting, versions[1], extra);
    interop_must_refuse(&meeting.wire, SEC_E_APPLICATION_PROTOCOL_MISMATCH, "Received alert [120]");
    TEST_REQUIRE(interop_join(&meeting.client) != 0);
    stop(&meeting);
}

/* ---- after the handshake ---- */

/* Commands have to stand in lines of their own: ends the line that the client has sent so far. */
static void end_line(struct interop_wire *wire)
{
    interop_tell(wire->peer, "\n", 1);
    interop_expect(wire, "\n", 1);
}

/* rekey1: the client changes its keys; rekey: and asks for ours. */
static void key_update_by_client(const struct peer_form *form)
{
    const char *const commands[] = {"^rekey1^", "^rekey^", "^rekey^", "^rekey1^"};
    struct meeting meeting;

    start(&meeting, form, "server");
    meet(&meeting, versions[1], NULL);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        interop_forget(&meeting.client);
        interop_command(&meeting.wire, commands[i]);
        interop_wire_await(&meeting.wire, "- Rekey was completed");
        interop_exchange(&meeting.wire, 20000);
        end_line(&meeting.wire);
    }
    stop(&meeting);
}

static void renegotiation_is_declined(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, form, "server");
    meet(&meeting, versions[0], NULL);
    interop_exchange(&meeting.wire, 100);
    end_line(&meeting.wire);
    interop_command(&meeting.wire, "^renegotiate^");
    interop_wire_await(&meeting.wire, "alert");
    stop(&meeting);
}

/* Both sides begin one in turn. */
static void renegotiation_where_it_is_allowed(const struct peer_form *form)
{
    OsspiTlsOptions options = {.cbSize = sizeof(options), .flags = OSSPI_TLS_RENEGOTIATION};
    struct meeting meeting;

    start(&meeting, form, "server");
    TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(&meeting.wire.end.credential,
                                                 OSSPI_CRED_ATTR_TLS_OPTIONS, &options,
                                                 sizeof(options)),
                       SEC_E_OK);
    meet(&meeting, versions[0], NULL);
    for (int i = 0; i < 4; i++) {
        interop_exchange(&meeting.wire, 100);
        end_line(&meeting.wire);
        if (i % 2 == 0) {
            interop_command(&meeting.wire, "^renegotiate^");
        } else {
            TEST_REQUIRE_EQUAL(peer_step(&meeting.wire.end, &meeting.wire.net),
                               SEC_I_CONTINUE_NEEDED);
            interop_flush(&meeting.wire);
        }
        INTEROP_UNTIL(&meeting.wire, meeting.wire.in_leg || meeting.wire.eof);
        INTEROP_UNTIL(&meeting.wire, !meeting.wire.in_leg || meeting.wire.eof);
        TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
        interop_flush(&meeting.wire);
    }
    interop_exchange(&meeting.wire, 20000);
    stop(&meeting);
}

/* gnutls-cli --resume ends its first connection at once and makes a second one. */
static void client_resumes(const struct peer_form *form)
{
    const char *const extra[] = {"--resume", "--waitresumption", NULL};

    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, "server");
        arrive(&meeting, versions[i], extra);
        interop_must_handshake(&meeting.wire);
        TEST_REQUIRE(!interop_reused(&meeting.wire));
        INTEROP_UNTIL(&meeting.wire, meeting.wire.finished || meeting.wire.eof);
        TEST_REQUIRE(meeting.wire.finished);
        interop_finish(&meeting.wire);
        interop_wire_disconnect(&meeting.wire);

        meeting.wire.fd = interop_accept(meeting.listener, &meeting.client);
        interop_must_handshake(&meeting.wire);
        TEST_REQUIRE(interop_reused(&meeting.wire));
        interop_wire_await(&meeting.wire, "*** This is a resumed session");
        interop_wire_await(&meeting.wire, READY);
        interop_exchange(&meeting.wire, 1000);
        stop(&meeting);
    }
}

/* ---- client certificates ---- */

/* Shows this certificate, or none. */
static void arrive_as(struct meeting *meeting, const char *priority, const char *name)
{
    char certificate[512], key[512];
    const char *const extra[] = {"--x509certfile", certificate, "--x509keyfile", key, NULL};

    if (name) {
        peer_path(name, ".pem", certificate, sizeof(certificate));
        peer_path(name, ".key", key, sizeof(key));
    }
    meeting->wire.end.flags |= ASC_REQ_MUTUAL_AUTH;
    arrive(meeting, priority, name ? extra : NULL);
}

static void client_certificate(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, "server");
        arrive_as(&meeting, versions[i], "client");
        interop_must_handshake(&meeting.wire);
        TEST_REQUIRE(meeting.wire.end.attributes & ASC_RET_MUTUAL_AUTH);
        interop_require_peer_certificate(&meeting.wire, "client");
        interop_wire_await(&meeting.wire, READY);
        TEST_REQUIRE(interop_said(&meeting.client, "Successfully sent 1 certificate(s)"));
        interop_exchange(&meeting.wire, 1000);
        stop(&meeting);
    }
}

static void refused(const struct peer_form *form, const char *name, SECURITY_STATUS expected,
                    const char *alert)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, "server");
        arrive_as(&meeting, versions[i], name);
        interop_must_refuse(&meeting.wire, expected, alert);
        TEST_REQUIRE(interop_join(&meeting.client) != 0);
        stop(&meeting);
    }
}

static void untrusted_client_certificate_is_refused(const struct peer_form *form)
{
    refused(form, "selfsigned", SEC_E_UNTRUSTED_ROOT, "Received alert [48]");
}

static void client_certificate_for_servers_is_refused(const struct peer_form *form)
{
    refused(form, "serveronly", SEC_E_CERT_UNKNOWN, "Received alert [43]");
}

/* ---- clients that refuse us ---- */

/* The client does not like what our server showed: our status, and its words. */
static void refused_by_client(const struct peer_form *form, const char *name, const char *authority,
                              const char *target, const char *says)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, name);
        interop_gnutls_cli(&meeting.client, meeting.port, authority, target, versions[i], NULL);
        meeting.wire.fd = interop_accept(meeting.listener, &meeting.client);
        TEST_REQUIRE(FAILED(interop_handshake(&meeting.wire)));
        TEST_REQUIRE(!meeting.wire.established);
        interop_hang_up(&meeting.wire);
        interop_wire_await(&meeting.wire, says);
        TEST_REQUIRE(interop_join(&meeting.client) != 0);
        stop(&meeting);
    }
}

static void client_of_another_authority(const struct peer_form *form)
{
    refused_by_client(form, "server", "otherca", PEER_TARGET, "certificate issuer is unknown");
}

static void client_of_another_name(const struct peer_form *form)
{
    refused_by_client(form, "server", "ca", "elsewhere.test", "does not match the expected");
}

static void client_meets_an_expired_certificate(const struct peer_form *form)
{
    refused_by_client(form, "expired", "ca", PEER_TARGET, "certificate chain uses expired");
}

static void no_common_version(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, form, "server");
    arrive(&meeting, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0", NULL);
    interop_must_refuse(&meeting.wire, SEC_E_ALGORITHM_MISMATCH, "Received alert [70]");
    TEST_REQUIRE(interop_join(&meeting.client) != 0);
    stop(&meeting);
}

static const struct peer_case cases[] = {
    PEER_CASE(data_both_ways_ecdsa),
    PEER_CASE(data_both_ways_rsa),
    PEER_CASE(close_by_client),
    PEER_CASE(end_without_close_is_no_close),
    PEER_CASE(client_is_killed_in_the_handshake),
    PEER_CASE(bytes_one_at_a_time),
    PEER_CASE(each_cipher_and_group),
    PEER_CASE(our_server_asks_for_another_key_share),
    PEER_CASE(alpn_is_agreed),
    PEER_CASE(no_common_alpn_is_refused),
    PEER_CASE(key_update_by_client),
    PEER_CASE(renegotiation_is_declined),
    PEER_CASE(renegotiation_where_it_is_allowed),
    PEER_CASE(client_resumes),
    PEER_CASE(client_certificate),
    PEER_CASE(untrusted_client_certificate_is_refused),
    PEER_CASE(client_certificate_for_servers_is_refused),
    PEER_CASE(client_of_another_authority),
    PEER_CASE(client_of_another_name),
    PEER_CASE(client_meets_an_expired_certificate),
    PEER_CASE(no_common_version),
};

int main(void)
{
    return interop_run_cases("gnutls-cli", "interop.gnutls_client", cases,
                             sizeof(cases) / sizeof(cases[0]));
}
