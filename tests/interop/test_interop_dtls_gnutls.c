/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * DTLS 1.2 with gnutls-serv --udp and gnutls-cli --udp: both sides, ECDSA and RSA, small MTUs on
 * either side, each suite, client certificates, lost datagrams (one form only), and the close.
 * gnutls-serv always wants a cookie.
 */
#include <stdio.h>
#include <string.h>

#include "interop_gnutls.h"
#include "interop_udp.h"

#define PRIORITY       "NORMAL:-VERS-ALL:+VERS-DTLS1.2"
#define READY          "Handshake was completed"
#define SMALL_MTU      "300"
#define SMALL_MTU_OURS 200u
#define LOST           0x0032u /* of our datagrams: the second, the fifth, the sixth */

struct meeting {
    struct interop_process program;
    struct interop_udp udp;
    uint16_t port; /* gnutls-serv's */
};

static struct datagram_setup setup_of(const struct peer_form *form)
{
    return (struct datagram_setup){.mtus = {1400, 1400}, .form = form};
}

/* ---- our client ---- */

static void start_server(struct meeting *meeting, const struct datagram_setup *setup,
                         const char *priority, const char *const extra[])
{
    const char *words[INTEROP_ARGUMENTS] = {"--udp"};
    size_t count = 1;

    if (!setup->client_certificate)
        words[count++] = "--disable-client-cert";
    interop_add_words(words, count, extra);
    meeting->port = interop_gnutls_serv(&meeting->program, setup->rsa ? "server-rsa" : "server",
                                        priority, words);
    interop_udp_open(&meeting->udp, false, setup, &meeting->program);
}

static void meet_server(struct meeting *meeting)
{
    interop_udp_connect(&meeting->udp, meeting->port);
    interop_udp_handshake(&meeting->udp);
}

static void stop(struct meeting *meeting)
{
    interop_udp_free(&meeting->udp);
    interop_stop(&meeting->program);
}

/* It sends back what comes. */
static void echo(struct meeting *meeting)
{
    static const char text[] = "0123456789 to gnutls-serv and back again";

    interop_udp_send(&meeting->udp, text, sizeof(text));
    interop_udp_expect(&meeting->udp, text, sizeof(text));
    TEST_REQUIRE_EQUAL(meeting->udp.plain.len, 0);
}

static void client_with(const struct datagram_setup *setup, const char *priority,
                        const char *const extra[])
{
    struct meeting meeting;

    start_server(&meeting, setup, priority, extra);
    meet_server(&meeting);
    echo(&meeting);
    meeting.udp.end->library->close(meeting.udp.end); /* it does not answer, but says so */
    INTEROP_UDP_UNTIL(&meeting.udp, interop_said(&meeting.program, "EOF"));
    stop(&meeting);
}

static void client_gets_through(const struct peer_form *form)
{
    struct datagram_setup setup = setup_of(form);

    client_with(&setup, PRIORITY, NULL);
    setup.rsa = true;
    client_with(&setup, PRIORITY, NULL);
}

static void client_with_each_suite(const struct peer_form *form)
{
    static const char *const priorities[] = {PRIORITY ":-CIPHER-ALL:+AES-128-GCM",
                                             PRIORITY ":-CIPHER-ALL:+AES-256-GCM",
                                             PRIORITY ":-CIPHER-ALL:+CHACHA20-POLY1305"};
    struct datagram_setup setup = setup_of(form);

    for (unsigned i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++) {
        setup.suite = (enum datagram_suite)i;
        client_with(&setup, priorities[i], NULL);
    }
}

static void client_with_small_mtus(const struct peer_form *form)
{
    const char *const extra[] = {"--mtu", SMALL_MTU, NULL};
    struct datagram_setup setup = setup_of(form);

    setup.mtus[0] = SMALL_MTU_OURS;
    client_with(&setup, PRIORITY, extra);
}

static void client_with_certificate(const struct peer_form *form)
{
    const char *const extra[] = {"--require-client-cert", NULL};
    struct datagram_setup setup = setup_of(form);

    setup.client_certificate = true;
    client_with(&setup, PRIORITY, extra);
}

static void client_loses_datagrams(const struct peer_form *form)
{
    const char *const extra[] = {"--mtu", SMALL_MTU, NULL};
    struct datagram_setup setup = setup_of(form);
    struct meeting meeting;

    if (form != PEER_SYNC)
        return; /* each timer takes a second */
    setup.mtus[0] = SMALL_MTU_OURS;
    start_server(&meeting, &setup, PRIORITY, extra);
    meeting.udp.lost = LOST;
    meet_server(&meeting);
    echo(&meeting);
    stop(&meeting);
}

/* ---- our server ---- */

static void meet_client(struct meeting *meeting, const struct datagram_setup *setup,
                        const char *const extra[])
{
    const char *words[INTEROP_ARGUMENTS] = {"--udp"};

    interop_add_words(words, 1, extra);
    interop_udp_open(&meeting->udp, true, setup, &meeting->program);
    interop_gnutls_cli(&meeting->program, interop_udp_listen(&meeting->udp), "ca", PEER_TARGET,
                       PRIORITY, words);
    interop_udp_handshake(&meeting->udp);
    INTEROP_UDP_UNTIL(&meeting->udp, interop_said(&meeting->program, READY));
}

static void exchange(struct meeting *meeting)
{
    static const char line[] = "0123456789 from side to side\n";

    interop_forget(&meeting->program);
    interop_udp_send(&meeting->udp, line, strlen(line));
    INTEROP_UDP_UNTIL(&meeting->udp, interop_said(&meeting->program, line));
    interop_tell(&meeting->program, line, strlen(line));
    interop_udp_expect(&meeting->udp, line, strlen(line));
    TEST_REQUIRE_EQUAL(meeting->udp.plain.len, 0);
}

static void server_with(const struct datagram_setup *setup, const char *const extra[])
{
    struct meeting meeting;

    meet_client(&meeting, setup, extra);
    exchange(&meeting);
    interop_tell_end(&meeting.program); /* it closes */
    INTEROP_UDP_UNTIL(&meeting.udp, meeting.udp.end->closed);
    meeting.udp.end->library->close(meeting.udp.end);
    stop(&meeting);
}

static void server_gets_through(const struct peer_form *form)
{
    struct datagram_setup setup = setup_of(form);

    server_with(&setup, NULL);
    setup.rsa = true;
    server_with(&setup, NULL);
}

static void server_with_small_mtus(const struct peer_form *form)
{
    const char *const extra[] = {"--mtu", SMALL_MTU, NULL};
    struct datagram_setup setup = setup_of(form);

    setup.mtus[1] = SMALL_MTU_OURS;
    server_with(&setup, extra);
}

static void server_asks_for_a_certificate(const struct peer_form *form)
{
    char certificate[512], key[512];
    const char *const extra[] = {"--x509certfile", certificate, "--x509keyfile", key, NULL};
    struct datagram_setup setup = setup_of(form);

    peer_path("client", ".pem", certificate, sizeof(certificate));
    peer_path("client", ".key", key, sizeof(key));
    setup.client_certificate = true;
    server_with(&setup, extra);
}

static void server_loses_datagrams(const struct peer_form *form)
{
    const char *const words[] = {"--udp", "--mtu", SMALL_MTU, NULL};
    struct datagram_setup setup = setup_of(form);
    struct meeting meeting;

    if (form != PEER_SYNC)
        return;
    setup.mtus[1] = SMALL_MTU_OURS;
    interop_udp_open(&meeting.udp, true, &setup, &meeting.program);
    meeting.udp.lost = LOST;
    interop_gnutls_cli(&meeting.program, interop_udp_listen(&meeting.udp), "ca", PEER_TARGET,
                       PRIORITY, words);
    interop_udp_handshake(&meeting.udp);
    INTEROP_UDP_UNTIL(&meeting.udp, interop_said(&meeting.program, READY));
    exchange(&meeting);
    stop(&meeting);
}

static const struct peer_case cases[] = {
    PEER_CASE(client_gets_through),    PEER_CASE(client_with_each_suite),
    PEER_CASE(client_with_small_mtus), PEER_CASE(client_with_certificate),
    PEER_CASE(client_loses_datagrams), PEER_CASE(server_gets_through),
    PEER_CASE(server_with_small_mtus), PEER_CASE(server_asks_for_a_certificate),
    PEER_CASE(server_loses_datagrams),
};

int main(void)
{
    interop_need("gnutls-cli");
    return interop_run_cases("gnutls-serv", "interop dtls gnutls", cases,
                             sizeof(cases) / sizeof(cases[0]));
}
