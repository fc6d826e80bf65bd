/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * DTLS 1.2 with openssl s_server and s_client over UDP: both sides, ECDSA and RSA, small MTUs on
 * either side, cookies (s_server -listen), client certificates, resumption, datagrams that are
 * lost, SRTP with the keys that the program prints, and the close.
 */
#include <stdio.h>
#include <string.h>

#include "interop_udp.h"

#define READY          "enegotiation" /* the program prints this when its handshake is done */
#define SRTP_LABEL     "EXTRACTOR-dtls_srtp"
#define SRTP_BYTES     60u
#define SRTP_AES80     1u /* SRTP_AES128_CM_SHA1_80 */
#define SRTP_AES32     2u
#define LONG_TEXT      150u /* goes into one record of the smallest MTU */
#define SMALL_MTU      "300"
#define SMALL_MTU_OURS 200u
#define LOST           0x0032u /* of our datagrams: the second, the fifth, the sixth */

struct meeting {
    struct interop_process program;
    struct interop_udp udp;
    uint16_t port; /* s_server's */
};

/* ---- starting ---- */

static struct datagram_setup setup_of(const struct peer_form *form)
{
    return (struct datagram_setup){.mtus = {1400, 1400}, .form = form};
}

static void start_server(struct meeting *meeting, const struct datagram_setup *setup,
                         const char *const extra[])
{
    const char *words[INTEROP_ARGUMENTS] = {"-dtls1_2"};

    interop_add_words(words, 1, extra);
    meeting->port =
        interop_s_server(&meeting->program, setup->rsa ? "server-rsa" : "server", words);
    interop_udp_open(&meeting->udp, false, setup, &meeting->program);
}

static void meet_server(struct meeting *meeting)
{
    interop_udp_connect(&meeting->udp, meeting->port);
    interop_udp_handshake(&meeting->udp);
    INTEROP_UDP_UNTIL(&meeting->udp, interop_said(&meeting->program, READY));
}

static void meet_client(struct meeting *meeting, const struct datagram_setup *setup,
                        const char *const extra[])
{
    const char *words[INTEROP_ARGUMENTS] = {"-dtls1_2"};

    interop_add_words(words, 1, extra);
    interop_udp_open(&meeting->udp, true, setup, &meeting->program);
    interop_s_client(&meeting->program, interop_udp_listen(&meeting->udp), words);
    interop_udp_handshake(&meeting->udp);
    INTEROP_UDP_UNTIL(&meeting->udp, interop_said(&meeting->program, READY));
}

static void stop(struct meeting *meeting)
{
    interop_udp_free(&meeting->udp);
    interop_stop(&meeting->program);
}

/* ---- what is done ---- */

/* Digits: some letters at a line's start are commands. */
static void exchange(struct meeting *meeting)
{
    char text[LONG_TEXT + 1];

    for (size_t i = 0; i < LONG_TEXT; i++)
        text[i] = (char)('0' + i % 10);
    text[LONG_TEXT - 1] = '\n';
    text[LONG_TEXT] = '\0';
    interop_forget(&meeting->program);
    interop_udp_send(&meeting->udp, text, LONG_TEXT);
    INTEROP_UDP_UNTIL(&meeting->udp, interop_said_bytes(&meeting->program, text, LONG_TEXT - 1));
    interop_tell(&meeting->program, text, LONG_TEXT);
    interop_udp_expect(&meeting->udp, text, LONG_TEXT);
    TEST_REQUIRE_EQUAL(meeting->udp.plain.len, 0);
}

/* s_client closes when told so. s_server would close its socket first, and answers ours instead. */
static void leave(struct meeting *meeting)
{
    struct datagram_end *end = meeting->udp.end;

    if (end->server)
        interop_tell_line(&meeting->program, "Q");
    else
        end->library->close(end);
    INTEROP_UDP_UNTIL(&meeting->udp, end->closed);
    if (end->server)
        end->library->close(end);
}

static bool is_resumed(struct meeting *meeting)
{
    return meeting->udp.end->library->resumed(meeting->udp.end);
}

/* ---- cases: our client ---- */

static void client_with(const struct datagram_setup *setup, const char *const extra[])
{
    struct meeting meeting;

    start_server(&meeting, setup, extra);
    meet_server(&meeting);
    TEST_REQUIRE(!is_resumed(&meeting));
    exchange(&meeting);
    leave(&meeting);
    stop(&meeting);
}

static void client_gets_through(const struct peer_form *form)
{
    struct datagram_setup setup = setup_of(form);

    client_with(&setup, NULL);
    setup.rsa = true;
    client_with(&setup, NULL);
}

static void client_with_small_mtus(const struct peer_form *form)
{
    const char *const extra[] = {"-mtu", SMALL_MTU, NULL};
    struct datagram_setup setup = setup_of(form);

    setup.mtus[0] = SMALL_MTU_OURS;
    client_with(&setup, extra);
}

static void client_shows_a_cookie(const struct peer_form *form)
{
    const char *const extra[] = {"-listen", NULL};
    const struct datagram_setup setup = setup_of(form);

    client_with(&setup, extra);
}

static void client_with_certificate(const struct peer_form *form)
{
    const char *const extra[] = {"-Verify", "3", "-verify_return_error", NULL};
    struct datagram_setup setup = setup_of(form);

    setup.client_certificate = true;
    client_with(&setup, extra);
    setup.rsa = true;
    setup.mtus[0] = SMALL_MTU_OURS;
    client_with(&setup, extra);
}

static void client_resumes(const struct peer_form *form)
{
    const struct datagram_setup setup = setup_of(form);
    struct meeting meeting;

    start_server(&meeting, &setup, NULL);
    for (int i = 0; i < 3; i++) {
        interop_forget(&meeting.program);
        meet_server(&meeting);
        TEST_REQUIRE_EQUAL(is_resumed(&meeting), i > 0);
        exchange(&meeting);
        leave(&meeting);
        interop_udp_disconnect(&meeting.udp);
    }
    stop(&meeting);
}

static void client_loses_datagrams(const struct peer_form *form)
{
    const char *const extra[] = {"-mtu", SMALL_MTU, NULL};
    struct datagram_setup setup = setup_of(form);
    struct meeting meeting;

    if (form != PEER_SYNC)
        return; /* each timer takes a second */
    setup.mtus[0] = SMALL_MTU_OURS;
    start_server(&meeting, &setup, extra);
    meeting.udp.lost = LOST;
    meet_server(&meeting);
    exchange(&meeting);
    stop(&meeting);
}

/* ---- cases: our server ---- */

static void server_with(const struct datagram_setup *setup, const char *const extra[])
{
    struct meeting meeting;

    meet_client(&meeting, setup, extra);
    exchange(&meeting);
    leave(&meeting);
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
    const char *const extra[] = {"-mtu", SMALL_MTU, NULL};
    struct datagram_setup setup = setup_of(form);

    setup.mtus[1] = SMALL_MTU_OURS;
    server_with(&setup, extra);
}

static void server_asks_for_a_certificate(const struct peer_form *form)
{
    char certificate[512], key[512];
    const char *const extra[] = {"-cert", certificate, "-key", key, NULL};
    struct datagram_setup setup = setup_of(form);
    PCCERT_CONTEXT expected = peer_certificate("client"), found = NULL;
    struct meeting meeting;

    peer_path("client", ".pem", certificate, sizeof(certificate));
    peer_path("client", ".key", key, sizeof(key));
    setup.client_certificate = true;
    meet_client(&meeting, &setup, extra);
    TEST_REQUIRE_EQUAL(QueryContextAttributesA(datagram_ours_context(meeting.udp.end),
                                               SECPKG_ATTR_REMOTE_CERT_CONTEXT, &found),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(found->cbCertEncoded, expected->cbCertEncoded);
    TEST_REQUIRE(memcmp(found->pbCertEncoded, expected->pbCertEncoded, found->cbCertEncoded) == 0);
    CertFreeCertificateContext(found);
    CertFreeCertificateContext(expected);
    exchange(&meeting);
    stop(&meeting);
}

static void server_loses_datagrams(const struct peer_form *form)
{
    const char *const words[] = {"-dtls1_2", "-mtu", SMALL_MTU, NULL};
    struct datagram_setup setup = setup_of(form);
    struct meeting meeting;

    if (form != PEER_SYNC)
        return;
    setup.mtus[1] = SMALL_MTU_OURS;
    setup.rsa = true;
    interop_udp_open(&meeting.udp, true, &setup, &meeting.program);
    meeting.udp.lost = LOST;
    interop_s_client(&meeting.program, interop_udp_listen(&meeting.udp), words);
    interop_udp_handshake(&meeting.udp);
    INTEROP_UDP_UNTIL(&meeting.udp, interop_said(&meeting.program, READY));
    exchange(&meeting);
    stop(&meeting);
}

/* ---- SRTP ---- */

static void require_srtp(struct meeting *meeting)
{
    SecPkgContext_SrtpParameters parameters = {0};
    SecPkgContext_KeyingMaterial_Inproc material = {
        .cbLabel = sizeof(SRTP_LABEL),
        .pszLabel = (LPSTR)SRTP_LABEL,
        .cbKeyingMaterial = SRTP_BYTES,
    };
    CtxtHandle *context = datagram_ours_context(meeting->udp.end);
    char expected[2 * SRTP_BYTES + 32] = "Keying material: ";
    const size_t start = strlen(expected);

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(context, SECPKG_ATTR_SRTP_PARAMETERS, &parameters),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(parameters.ProtectionProfile, SRTP_AES80 << 8); /* network order */
    TEST_REQUIRE_EQUAL(parameters.MasterKeyIdentifierSize, 0);
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(context, SECPKG_ATTR_KEYING_MATERIAL_INPROC, &material), SEC_E_OK);
    for (size_t i = 0; i < SRTP_BYTES; i++)
        snprintf(expected + start + 2 * i, 3, "%02X", material.pbKeyingMaterial[i]);
    TEST_REQUIRE_EQUAL(FreeContextBuffer(material.pbKeyingMaterial), SEC_E_OK);
    INTEROP_UDP_UNTIL(&meeting->udp, interop_said(&meeting->program, "Keying material: "));
    INTEROP_UDP_UNTIL(&meeting->udp, interop_said(&meeting->program, expected));
    TEST_REQUIRE(interop_said(&meeting->program, "SRTP_AES128_CM_SHA1_80"));
}

static const char *const srtp_words[] = {"-use_srtp", "SRTP_AES128_CM_SHA1_80", "-keymatexport",
                                         SRTP_LABEL,  "-keymatexportlen",       "60",
                                         NULL};

static void client_agrees_on_srtp(const struct peer_form *form)
{
    struct datagram_setup setup = setup_of(form);
    struct meeting meeting;

    setup.srtp[0] = SRTP_AES32;
    setup.srtp[1] = SRTP_AES80;
    start_server(&meeting, &setup, srtp_words);
    meet_server(&meeting);
    require_srtp(&meeting);
    stop(&meeting);
}

static void server_agrees_on_srtp(const struct peer_form *form)
{
    struct datagram_setup setup = setup_of(form);
    struct meeting meeting;

    setup.srtp[0] = SRTP_AES32;
    setup.srtp[1] = SRTP_AES80;
    meet_client(&meeting, &setup, srtp_words);
    require_srtp(&meeting);
    stop(&meeting);
}

static const struct peer_case cases[] = {
    PEER_CASE(client_gets_through),    PEER_CASE(client_with_small_mtus),
    PEER_CASE(client_shows_a_cookie),  PEER_CASE(client_with_certificate),
    PEER_CASE(client_resumes),         PEER_CASE(client_loses_datagrams),
    PEER_CASE(client_agrees_on_srtp),  PEER_CASE(server_gets_through),
    PEER_CASE(server_with_small_mtus), PEER_CASE(server_asks_for_a_certificate),
    PEER_CASE(server_loses_datagrams), PEER_CASE(server_agrees_on_srtp),
};

int main(void)
{
    return interop_run_cases("openssl", "interop dtls", cases, sizeof(cases) / sizeof(cases[0]));
}
