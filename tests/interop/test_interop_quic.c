/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Message mode under an independent QUIC stack: ngtcp2 carries the connection, and the other end
 * has its TLS from GnuTLS. Every packet of ours that it opens is proof of a traffic secret, of the
 * offset at which it begins to apply, and of the cipher that the library has named with it.
 *
 * Everything in one process, on a clock of its own (quic_end.h); each case in both forms of the
 * calls. tests/examples has the same against ngtcp2's own programs over UDP.
 */
#include <stdio.h>
#include <string.h>

#include <opensspi.h>

#include "quic_gnutls.h"
#include "quic_sspi.h"

#define LEN 40000u

/* One connection; what is not set is as a good one has it. */
struct scene {
    struct quic_pair pair;
    struct quic_sspi ours;
    struct quic_gnutls theirs;
    struct peer_end credential;
    unsigned lose_every;
};

/* ---- around a connection ---- */

static void acquire(struct scene *scene, const struct peer_form *form, bool server,
                    const char *certificate, DWORD flags)
{
    memset(scene, 0, sizeof(*scene));
    peer_end_init(&scene->credential, form, server);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&scene->credential, 0, flags,
                                        !certificate && server ? "server" : certificate, true),
                       SEC_E_OK);
    scene->ours.form = form;
    scene->ours.credential = &scene->credential.credential;
}

static void connect_both(struct scene *scene)
{
    const bool server = scene->credential.server;

    quic_pair_init(&scene->pair);
    scene->pair.lose_every = scene->lose_every;
    quic_sspi_open(&scene->ours, server ? &scene->pair.server : &scene->pair.client);
    quic_gnutls_open(&scene->theirs, server ? &scene->pair.client : &scene->pair.server);
    quic_pair_shake_hands(&scene->pair);
}

static void disconnect(struct scene *scene)
{
    quic_pair_free(&scene->pair);
    quic_sspi_close(&scene->ours);
    quic_gnutls_close(&scene->theirs);
}

static void release(struct scene *scene)
{
    peer_end_free(&scene->credential);
    peer_clear(&scene->theirs.session);
    gnutls_free(scene->theirs.ticket_key.data);
}

static bool is_up(const struct scene *scene)
{
    return quic_end_completed(&scene->pair.client) && quic_end_completed(&scene->pair.server) &&
           !scene->pair.client.over && !scene->pair.server.over;
}

/* Both ends must know the same error; `ours_found` says who has found it. */
static void require_error(const struct scene *scene, bool ours_found, uint64_t error)
{
    const struct quic_end *ours =
        scene->credential.server ? &scene->pair.server : &scene->pair.client;
    const struct quic_end *theirs =
        scene->credential.server ? &scene->pair.client : &scene->pair.server;

    TEST_REQUIRE(ours->over && theirs->over);
    TEST_REQUIRE_EQUAL(ours->by_peer, !ours_found);
    TEST_REQUIRE_EQUAL(theirs->by_peer, ours_found);
    TEST_REQUIRE_EQUAL(ours->error, error);
    TEST_REQUIRE_EQUAL(theirs->error, error);
}

static void require_cipher(struct scene *scene, uint32_t suite)
{
    SecPkgContext_CipherInfo info = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};
    SecPkgContext_ConnectionInfo connection;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&scene->ours.context, SECPKG_ATTR_CIPHER_INFO, &info), SEC_E_OK);
    TEST_REQUIRE_EQUAL(info.dwCipherSuite, suite);
    TEST_REQUIRE_EQUAL(info.dwProtocol, 0x0304);
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&scene->ours.context, SECPKG_ATTR_CONNECTION_INFO, &connection),
        SEC_E_OK);
    TEST_REQUIRE_EQUAL(connection.dwProtocol,
                       scene->credential.server ? SP_PROT_TLS1_3_SERVER : SP_PROT_TLS1_3_CLIENT);
}

/* The exporter's secret is of the same handshake: both must have the same. */
static void require_same_export(struct scene *scene)
{
    static char label[] = "EXPORTER-quic-test";
    SecPkgContext_KeyingMaterialInfo info = {
        .cbLabel = sizeof(label), .pszLabel = label, .cbKeyingMaterial = 32};
    SecPkgContext_KeyingMaterial ours;
    uint8_t theirs[32];

    TEST_REQUIRE_EQUAL(SetContextAttributesA(&scene->ours.context, SECPKG_ATTR_KEYING_MATERIAL_INFO,
                                             &info, sizeof(info)),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&scene->ours.context, SECPKG_ATTR_KEYING_MATERIAL, &ours),
        SEC_E_OK);
    TEST_REQUIRE_EQUAL(gnutls_prf_rfc5705(scene->theirs.session_handle, sizeof(label) - 1, label, 0,
                                          NULL, sizeof(theirs), (char *)theirs),
                       0);
    TEST_REQUIRE_EQUAL(ours.cbKeyingMaterial, sizeof(theirs));
    TEST_REQUIRE(memcmp(ours.pbKeyingMaterial, theirs, sizeof(theirs)) == 0);
    FreeContextBuffer(ours.pbKeyingMaterial);
}

static void require_alpn(const struct scene *scene)
{
    char agreed[64];

    quic_gnutls_alpn(&scene->theirs, agreed, sizeof(agreed));
    TEST_REQUIRE(strcmp(agreed, QUIC_ALPN) == 0);
}

/* What the peer has said of itself in its transport parameters, and only there. */
static void require_params(const struct quic_end *end)
{
    const ngtcp2_transport_params *params = ngtcp2_conn_get_remote_transport_params(end->conn);

    TEST_REQUIRE(params != NULL);
    TEST_REQUIRE_EQUAL(params->initial_max_data, 128 * 1024);
    TEST_REQUIRE_EQUAL(params->initial_max_streams_bidi, 3);
}

static void require_good(struct scene *scene)
{
    if (!is_up(scene))
        print_message("errors: client %#lx, server %#lx; our last leg: %s\n",
                      (unsigned long)scene->pair.client.error,
                      (unsigned long)scene->pair.server.error, OsspiStatusName(scene->ours.status));
    TEST_REQUIRE(is_up(scene));
    require_alpn(scene);
    require_params(&scene->pair.client);
    require_params(&scene->pair.server);
    quic_pair_exchange(&scene->pair, LEN);
}

/* ---- good connections; each runs with the library as client and as server ---- */

static void each_cipher(const struct peer_form *form, bool server)
{
    static const struct {
        const char *name;
        uint32_t suite;
    } ciphers[] = {
        {"+AES-128-GCM", 0x1301}, {"+AES-256-GCM", 0x1302}, {"+CHACHA20-POLY1305", 0x1303}};
    struct scene scene;

    acquire(&scene, form, server, NULL, 0);
    for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
        scene.theirs.ciphers = ciphers[i].name;
        scene.theirs.no_tickets = true;
        connect_both(&scene);
        require_good(&scene);
        require_cipher(&scene, ciphers[i].suite);
        require_same_export(&scene);
        disconnect(&scene);
        scene.ours = (struct quic_sspi){.form = form, .credential = scene.ours.credential};
    }
    release(&scene);
}

static void client_each_cipher(const struct peer_form *form)
{
    each_cipher(form, false);
}

static void server_each_cipher(const struct peer_form *form)
{
    each_cipher(form, true);
}

/* The client has to send its ClientHello a second time, for another group. */
static void client_hello_retry(const struct peer_form *form)
{
    struct scene scene;

    acquire(&scene, form, false, NULL, 0);
    scene.theirs.groups = "+GROUP-SECP384R1";
    connect_both(&scene);
    require_good(&scene);
    TEST_REQUIRE_EQUAL(gnutls_group_get(scene.theirs.session_handle), GNUTLS_GROUP_SECP384R1);
    disconnect(&scene);
    release(&scene);
}

static void server_hello_retry(const struct peer_form *form)
{
    for (unsigned parses = 0; parses < 2; parses++) {
        struct scene scene;

        acquire(&scene, form, true, NULL, 0);
        scene.theirs.groups = "+GROUP-FFDHE4096:+GROUP-X25519"; /* the first is none of ours */
        scene.theirs.one_share = true;
        scene.ours.parses_hello = parses != 0;
        connect_both(&scene);
        require_good(&scene);
        TEST_REQUIRE_EQUAL(gnutls_group_get(scene.theirs.session_handle), GNUTLS_GROUP_X25519);
        disconnect(&scene);
        release(&scene);
    }
}

/* The server does not subscribe to the client's parameters but reads them by itself. */
static void server_parses_the_hello(const struct peer_form *form)
{
    struct scene scene;

    acquire(&scene, form, true, NULL, 0);
    scene.ours.parses_hello = true;
    connect_both(&scene);
    require_good(&scene);
    disconnect(&scene);
    release(&scene);
}

/* Room that is too small at first, for tokens and for the extension. */
static void small_rooms(const struct peer_form *form, bool server)
{
    struct scene scene;

    acquire(&scene, form, server, NULL, 0);
    scene.ours.room = 16;
    scene.ours.extra_room = 5;
    connect_both(&scene);
    require_good(&scene);
    TEST_REQUIRE(scene.ours.too_small >= 3);
    TEST_REQUIRE_EQUAL(scene.ours.extra_too_small, 1);
    disconnect(&scene);
    release(&scene);
}

static void client_small_rooms(const struct peer_form *form)
{
    small_rooms(form, false);
}

static void server_small_rooms(const struct peer_form *form)
{
    small_rooms(form, true);
}

/* The extension is written over the input, which the next leg gets as it is then. */
static void client_aliases(const struct peer_form *form)
{
    struct scene scene;

    acquire(&scene, form, false, NULL, 0);
    scene.ours.aliases = true;
    connect_both(&scene);
    require_good(&scene);
    disconnect(&scene);
    release(&scene);
}

static void server_aliases(const struct peer_form *form)
{
    struct scene scene;

    acquire(&scene, form, true, NULL, 0);
    scene.ours.aliases = true;
    connect_both(&scene);
    require_good(&scene);
    disconnect(&scene);
    release(&scene);
}

/* Frames come again and out of order; what the legs are given is in order. */
static void lost_datagrams(const struct peer_form *form, bool server)
{
    for (unsigned every = 4; every < 9; every++) {
        struct scene scene;

        acquire(&scene, form, server, "server-rsa", 0);
        scene.theirs.certificate = server ? NULL : "server-rsa";
        scene.lose_every = every;
        connect_both(&scene);
        require_good(&scene);
        disconnect(&scene);
        release(&scene);
    }
}

static void client_lost_datagrams(const struct peer_form *form)
{
    lost_datagrams(form, false);
}

static void server_lost_datagrams(const struct peer_form *form)
{
    lost_datagrams(form, true);
}

/* QUIC's own key update goes on from the 1-RTT secrets of both sides. */
static void update_keys(const struct peer_form *form, bool server)
{
    for (unsigned by_us = 0; by_us < 2; by_us++) {
        struct scene scene;
        struct quic_end *who;

        acquire(&scene, form, server, NULL, 0);
        connect_both(&scene);
        TEST_REQUIRE(is_up(&scene));
        quic_pair_settle(&scene.pair);
        who = (by_us != 0) == server ? &scene.pair.server : &scene.pair.client;
        TEST_REQUIRE_EQUAL(ngtcp2_conn_initiate_key_update(who->conn, scene.pair.now_ns), 0);
        quic_pair_exchange(&scene.pair, LEN);
        disconnect(&scene);
        release(&scene);
    }
}

static void client_updates_keys(const struct peer_form *form)
{
    update_keys(form, false);
}

static void server_updates_keys(const struct peer_form *form)
{
    update_keys(form, true);
}

/* ---- certificates ---- */

static void client_refuses_certificate(const struct peer_form *form)
{
    static const struct {
        const char *certificate;
        unsigned alert;
        SECURITY_STATUS status;
    } cases[] = {
        {"other-server", 48, SEC_E_UNTRUSTED_ROOT},
        {"expired", 45, SEC_E_CERT_EXPIRED},
        {"wrongname", 42, SEC_E_WRONG_PRINCIPAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene scene;

        acquire(&scene, form, false, NULL, 0);
        scene.theirs.certificate = cases[i].certificate;
        connect_both(&scene);
        TEST_REQUIRE_EQUAL(scene.ours.status, cases[i].status);
        require_error(&scene, true, QUIC_CRYPTO(cases[i].alert));
        disconnect(&scene);
        release(&scene);
    }
}

static void server_is_refused(const struct peer_form *form)
{
    struct scene scene;

    acquire(&scene, form, true, NULL, 0);
    scene.theirs.authority = "otherca";
    connect_both(&scene);
    TEST_REQUIRE_EQUAL(scene.ours.status, SEC_I_CONTINUE_NEEDED);
    require_error(&scene, false, QUIC_CRYPTO(42)); /* GnuTLS: bad_certificate for all of them */
    disconnect(&scene);
    release(&scene);
}

static void client_shows_a_certificate(const struct peer_form *form)
{
    struct scene scene;
    unsigned count = 0;

    acquire(&scene, form, false, "client", 0);
    scene.theirs.asks_client = true;
    connect_both(&scene);
    require_good(&scene);
    TEST_REQUIRE(gnutls_certificate_get_peers(scene.theirs.session_handle, &count) != NULL);
    TEST_REQUIRE(count > 0);
    disconnect(&scene);
    release(&scene);
}

static void client_has_no_certificate(const struct peer_form *form)
{
    struct scene scene;

    acquire(&scene, form, false, NULL, SCH_CRED_NO_DEFAULT_CREDS);
    scene.theirs.asks_client = true;
    connect_both(&scene);
    TEST_REQUIRE_EQUAL(scene.ours.status, SEC_E_OK);
    require_error(&scene, false, QUIC_CRYPTO(116)); /* certificate_required */
    disconnect(&scene);
    release(&scene);
}

static void server_asks_for_a_certificate(const struct peer_form *form)
{
    struct scene scene;
    PCCERT_CONTEXT shown = NULL;

    acquire(&scene, form, true, NULL, 0);
    scene.ours.flags = ASC_REQ_MUTUAL_AUTH;
    scene.theirs.certificate = "client";
    connect_both(&scene);
    require_good(&scene);
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&scene.ours.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &shown),
        SEC_E_OK);
    CertFreeCertificateContext(shown);
    disconnect(&scene);
    release(&scene);
}

/* ---- protocols ---- */

static void client_no_common_protocol(const struct peer_form *form)
{
    struct scene scene;

    acquire(&scene, form, false, NULL, 0);
    scene.theirs.alpn = "another";
    connect_both(&scene);
    require_error(&scene, false, QUIC_CRYPTO(120));
    disconnect(&scene);
    release(&scene);
}

static void server_no_common_protocol(const struct peer_form *form)
{
    struct scene scene;

    acquire(&scene, form, true, NULL, 0);
    scene.theirs.alpn = "another";
    connect_both(&scene);
    TEST_REQUIRE_EQUAL(scene.ours.status, SEC_E_APPLICATION_PROTOCOL_MISMATCH);
    require_error(&scene, true, QUIC_CRYPTO(120));
    disconnect(&scene);
    release(&scene);
}

/* ---- resumption ---- */

static bool is_reconnect(struct scene *scene)
{
    SecPkgContext_SessionInfo info;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&scene->ours.context, SECPKG_ATTR_SESSION_INFO, &info), SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

/* Twice, with the credential and the ticket key kept; tickets come after the handshake. */
static void resume(const struct peer_form *form, bool server)
{
    struct peer_stream session = {0};
    struct scene scene;

    SslEmptyCacheA(NULL, 0);
    acquire(&scene, form, server, NULL, 0);
    for (unsigned i = 0; i < 3; i++) {
        scene.theirs.resume = (const char *)session.bytes;
        scene.theirs.resume_len = session.len;
        connect_both(&scene);
        require_good(&scene);
        quic_pair_settle(&scene.pair);
        TEST_REQUIRE(is_up(&scene));
        TEST_REQUIRE_EQUAL(gnutls_session_is_resumed(scene.theirs.session_handle) != 0, i > 0);
        TEST_REQUIRE_EQUAL(is_reconnect(&scene), i > 0);
        require_same_export(&scene);
        TEST_REQUIRE_EQUAL(scene.ours.tickets > 0, server);
        disconnect(&scene);
        peer_clear(&session);
        session = scene.theirs.session;
        scene.theirs.session = (struct peer_stream){0};
        TEST_REQUIRE(!server || session.len > 0);
        scene.ours = (struct quic_sspi){.form = form, .credential = scene.ours.credential};
    }
    peer_clear(&session);
    release(&scene);
}

static void client_resumes(const struct peer_form *form)
{
    resume(form, false);
}

static void server_resumes(const struct peer_form *form)
{
    resume(form, true);
}

/* ---- both ends ours ---- */

static void ours_with_ours(const struct peer_form *form)
{
    struct peer_end client, server;
    struct quic_sspi here = {.form = form}, there = {.form = form};
    struct quic_pair pair;

    peer_end_init(&client, form, false);
    peer_end_init(&server, form, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&client, 0, 0, NULL, true), SEC_E_OK);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&server, 0, 0, "server", true), SEC_E_OK);
    here.credential = &client.credential;
    there.credential = &server.credential;
    quic_pair_init(&pair);
    quic_sspi_open(&here, &pair.client);
    quic_sspi_open(&there, &pair.server);
    quic_pair_shake_hands(&pair);
    TEST_REQUIRE(here.complete && there.complete);
    quic_pair_exchange(&pair, LEN);
    quic_pair_settle(&pair);
    quic_pair_free(&pair);
    quic_sspi_close(&here);
    quic_sspi_close(&there);
    peer_end_free(&client);
    peer_end_free(&server);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(client_each_cipher),
        PEER_CASE(server_each_cipher),
        PEER_CASE(client_hello_retry),
        PEER_CASE(server_hello_retry),
        PEER_CASE(server_parses_the_hello),
        PEER_CASE(client_small_rooms),
        PEER_CASE(server_small_rooms),
        PEER_CASE(client_aliases),
        PEER_CASE(server_aliases),
        PEER_CASE(client_lost_datagrams),
        PEER_CASE(server_lost_datagrams),
        PEER_CASE(client_updates_keys),
        PEER_CASE(server_updates_keys),
        PEER_CASE(client_refuses_certificate),
        PEER_CASE(server_is_refused),
        PEER_CASE(client_shows_a_certificate),
        PEER_CASE(client_has_no_certificate),
        PEER_CASE(server_asks_for_a_certificate),
        PEER_CASE(client_no_common_protocol),
        PEER_CASE(server_no_common_protocol),
        PEER_CASE(client_resumes),
        PEER_CASE(server_resumes),
        PEER_CASE(ours_with_ours),
    };

    return peer_run_cases("interop.quic", cases, sizeof(cases) / sizeof(cases[0]));
}
