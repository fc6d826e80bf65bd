/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Peers that our side has to refuse, and peers that misbehave: what status our side gives, and what
 * alert the other side sees. openssl where the peer speaks TLS, bare sockets where it does not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "interop_wire.h"

/* ---- s_server that our client refuses ---- */

static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

static void refuse_server(const struct peer_form *form, const char *certificate, const char *target,
                          SECURITY_STATUS expected, const char *alert)
{
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], NULL};
        struct interop_process process;
        struct interop_wire wire;
        uint16_t port = interop_s_server(&process, certificate, extra);

        interop_wire_open(&wire, form, false, &process, NULL);
        wire.end.target = target;
        interop_wire_connect(&wire, port);
        interop_must_refuse(&wire, expected, alert);
        interop_wire_free(&wire);
        interop_stop(&process);
    }
}

static void expired_server(const struct peer_form *form)
{
    refuse_server(form, "expired", "localhost", SEC_E_CERT_EXPIRED, "SSL alert number 45");
}

static void not_yet_valid_server(const struct peer_form *form)
{
    refuse_server(form, "notyet", "localhost", SEC_E_CERT_EXPIRED, "SSL alert number 42");
}

static void wrong_name_server(const struct peer_form *form)
{
    refuse_server(form, "wrongname", "localhost", SEC_E_WRONG_PRINCIPAL, "SSL alert number 42");
}

static void other_name_asked_for(const struct peer_form *form)
{
    refuse_server(form, "server", "elsewhere.test", SEC_E_WRONG_PRINCIPAL, "SSL alert number 42");
}

static void self_signed_server(const struct peer_form *form)
{
    refuse_server(form, "selfsigned", "localhost", SEC_E_UNTRUSTED_ROOT, "SSL alert number 48");
}

static void untrusted_server(const struct peer_form *form)
{
    refuse_server(form, "other-server", "localhost", SEC_E_UNTRUSTED_ROOT, "SSL alert number 48");
}

static void server_with_a_client_certificate(const struct peer_form *form)
{
    refuse_server(form, "clientonly", "localhost", SEC_E_CERT_UNKNOWN, "SSL alert number 43");
}

/* ---- nothing in common ---- */

static void server_offers_nothing_we_do(const struct peer_form *form, const char *const extra[],
                                        SECURITY_STATUS expected, const char *says)
{
    struct interop_process process;
    struct interop_wire wire;
    uint16_t port = interop_s_server(&process, "server-rsa", extra);

    interop_wire_open(&wire, form, false, &process, NULL);
    interop_wire_connect(&wire, port);
    interop_must_refuse(&wire, expected, says);
    interop_wire_free(&wire);
    interop_stop(&process);
}

static void server_of_tls11_only(const struct peer_form *form)
{
    const char *const extra[] = {"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", NULL};

    server_offers_nothing_we_do(form, extra, SEC_E_ALGORITHM_MISMATCH, "unsupported protocol");
}

static void server_of_foreign_suites_only(const struct peer_form *form)
{
    const char *const extra[] = {INTEROP_TLS12, "-cipher", "AES128-SHA", NULL};

    /* Its alert, handshake_failure, may mean anything. */
    server_offers_nothing_we_do(form, extra, SEC_E_ILLEGAL_MESSAGE, "no shared cipher");
}

static void client_offers_nothing_we_do(const struct peer_form *form, const char *const extra[],
                                        const char *alert)
{
    struct interop_process process;
    struct interop_wire wire;
    uint16_t port;
    int listener = interop_listen(&port);

    interop_wire_open(&wire, form, true, &process, "server-rsa");
    interop_s_client(&process, port, extra);
    wire.fd = interop_accept(listener, &process);
    interop_must_refuse(&wire, SEC_E_ALGORITHM_MISMATCH, alert);
    interop_wire_free(&wire);
    interop_stop(&process);
    close(listener);
}

static void client_of_tls11_only(const struct peer_form *form)
{
    const char *const extra[] = {"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", NULL};

    client_offers_nothing_we_do(form, extra, "SSL alert number 70");
}

static void client_of_foreign_suites_only(const struct peer_form *form)
{
    const char *const extra[] = {INTEROP_TLS12, "-cipher", "AES128-SHA", NULL};

    client_offers_nothing_we_do(form, extra, "SSL alert number 40");
}

/* ---- bare sockets ---- */

/* Gives the wire a connection, and the other end of it to the caller. */
static int meet_bare(struct interop_wire *wire)
{
    uint16_t port;
    int listener = interop_listen(&port), fd;

    interop_wire_connect(wire, port);
    fd = interop_accept(listener, NULL);
    close(listener);
    return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
    TEST_REQUIRE(send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

/* The other end says something that is no TLS and waits; whatever we answer is one fatal alert, or
 * nothing. */
static void hear_nonsense(const struct peer_form *form, bool server, const void *bytes, size_t len)
{
    struct interop_wire wire;
    uint8_t answer[4096];
    ssize_t got;
    int fd;

    interop_wire_open(&wire, form, server, NULL, server ? "server" : NULL);
    fd = meet_bare(&wire);
    say(fd, bytes, len);
    shutdown(fd, SHUT_WR);
    TEST_REQUIRE(FAILED(interop_handshake(&wire)));
    if (wire.end.has_context) /* then the failure stays */
        TEST_REQUIRE(FAILED(peer_step(&wire.end, &wire.net)));
    interop_hang_up(&wire);
    got = recv(fd, answer, sizeof(answer), 0);
    if (server && got > 0) {
        TEST_REQUIRE_EQUAL(got, 7);
        TEST_REQUIRE_EQUAL(answer[0], 21);
        TEST_REQUIRE_EQUAL(answer[5], 2);
    }
    close(fd);
    interop_wire_free(&wire);
}

static void nonsense_to(const struct peer_form *form, bool server)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    static const char ssh[] = "SSH-2.0-OpenSSH_9.2\r\n";
    uint8_t zeros[600] = {0}, record[5 + 512] = {22, 3, 3, 2, 0}, noise[2000];
    uint64_t seed = 1;

    memset(record + 5, 0xFF, sizeof(record) - 5);
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)test_random(&seed);
    hear_nonsense(form, server, http, sizeof(http) - 1);
    hear_nonsense(form, server, answer, sizeof(answer) - 1);
    hear_nonsense(form, server, ssh, sizeof(ssh) - 1);
    hear_nonsense(form, server, zeros, sizeof(zeros));
    hear_nonsense(form, server, record, sizeof(record));
    hear_nonsense(form, server, noise, sizeof(noise));
}

static void nonsense_to_our_server(const struct peer_form *form)
{
    nonsense_to(form, true);
}

static void nonsense_to_our_client(const struct peer_form *form)
{
    nonsense_to(form, false);
}

static void http_is_told_from_tls(const struct peer_form *form)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct interop_wire wire;
    int fd;

    interop_wire_open(&wire, form, true, NULL, "server");
    fd = meet_bare(&wire);
    say(fd, http, sizeof(http) - 1);
    TEST_REQUIRE_EQUAL(interop_handshake(&wire), SEC_E_INVALID_TOKEN);
    close(fd);
    interop_wire_free(&wire);
}

/* ---- peers that vanish ---- */

enum way { ORDERLY, RESET };

static void vanish(int fd, enum way way)
{
    struct linger linger = {.l_onoff = 1};

    if (way == RESET)
        TEST_REQUIRE(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
    close(fd);
}

/* Everything that a client of ours says first. */
static struct peer_stream client_hello(const struct peer_form *form)
{
    struct peer_stream hello = {0};
    struct interop_wire wire;

    interop_wire_open(&wire, form, false, NULL, NULL);
    TEST_REQUIRE_EQUAL(peer_step(&wire.end, &wire.net), SEC_I_CONTINUE_NEEDED);
    peer_push(&hello, wire.net.in.bytes, wire.net.in.len);
    interop_wire_free(&wire);
    return hello;
}

/* With a RST the system may throw away what was sent before it. */
static void client_vanishes_within_its_hello(const struct peer_form *form)
{
    struct peer_stream hello = client_hello(form);
    struct interop_wire wire;

    interop_wire_open(&wire, form, true, NULL, "server");
    for (size_t len = 0; len <= hello.len; len += len < 8 ? 1 : 37) {
        int fd = meet_bare(&wire);

        say(fd, hello.bytes, len);
        vanish(fd, len % 2 ? RESET : ORDERLY);
        TEST_REQUIRE_EQUAL(interop_handshake(&wire), SEC_E_INCOMPLETE_MESSAGE);
        interop_wire_disconnect(&wire);
    }
    interop_wire_free(&wire);
    peer_clear(&hello);
}

/* A relay that lets only so many bytes of the server's answer through, then hangs up. */
static void relay_answer(int to_client, uint16_t server_port, size_t len)
{
    struct interop_wire server; /* only its socket */
    uint8_t bytes[8192];
    size_t got = 0;
    ssize_t part;

    interop_wire_init(&server, PEER_SYNC, false, NULL);
    interop_wire_connect(&server, server_port);
    part = recv(to_client, bytes, sizeof(bytes), 0);
    TEST_REQUIRE(part > 0);
    say(server.fd, bytes, (size_t)part);
    while (got < len) {
        struct pollfd item = {.fd = server.fd, .events = POLLIN};

        TEST_REQUIRE(poll(&item, 1, 20000) == 1);
        part = recv(server.fd, bytes, len - got < sizeof(bytes) ? len - got : sizeof(bytes), 0);
        TEST_REQUIRE(part > 0);
        say(to_client, bytes, (size_t)part);
        got += (size_t)part;
    }
    vanish(server.fd, RESET);
    server.fd = -1;
    interop_wire_free(&server);
}

static void server_vanishes_within_its_answer(const struct peer_form *form)
{
    const size_t lengths[] = {0, 3, 5, 60, 127, 200, 700, 1100};

    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], NULL};
        struct interop_process process;
        struct interop_wire wire;
        uint16_t port = interop_s_server(&process, "server", extra);

        interop_wire_open(&wire, form, false, &process, NULL);
        for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
            int fd = meet_bare(&wire);

            TEST_REQUIRE_EQUAL(peer_step(&wire.end, &wire.net), SEC_I_CONTINUE_NEEDED);
            interop_flush(&wire);
            relay_answer(fd, port, lengths[j]);
            vanish(fd, ORDERLY);
            INTEROP_UNTIL(&wire, wire.eof);
            TEST_REQUIRE_EQUAL(wire.failure, SEC_E_OK);
            TEST_REQUIRE(!wire.established);
            interop_wire_disconnect(&wire);
        }
        interop_wire_free(&wire);
        interop_stop(&process);
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(expired_server),
    PEER_CASE(not_yet_valid_server),
    PEER_CASE(wrong_name_server),
    PEER_CASE(other_name_asked_for),
    PEER_CASE(self_signed_server),
    PEER_CASE(untrusted_server),
    PEER_CASE(server_with_a_client_certificate),
    PEER_CASE(server_of_tls11_only),
    PEER_CASE(server_of_foreign_suites_only),
    PEER_CASE(client_of_tls11_only),
    PEER_CASE(client_of_foreign_suites_only),
    PEER_CASE(nonsense_to_our_server),
    PEER_CASE(nonsense_to_our_client),
    PEER_CASE(http_is_told_from_tls),
    PEER_CASE(client_vanishes_within_its_hello),
    PEER_CASE(server_vanishes_within_its_answer),
};

int main(void)
{
    return interop_run_cases("openssl", "interop.refusal", cases, sizeof(cases) / sizeof(cases[0]));
}
