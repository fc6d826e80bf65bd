/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys that stay in a device, with gnutls and nginx at the other end: server and client, TLS 1.2
 * and 1.3, RSA and EC. What the peer verifies was signed in the device.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "interop/interop_gnutls.h"
#include "interop/interop_http.h"
#include "interop/interop_nginx.h"
#include "token/token_util.h"

static const char *const servers[] = {"server", "server-rsa"};
static const char *const gnutls_versions[] = {GNUTLS_TLS12, GNUTLS_TLS13};
static const char *const nginx_versions[] = {"TLSv1.2", "TLSv1.3"};

static void open_wire(struct interop_wire *wire, const struct peer_form *form, bool server,
                      struct interop_process *peer, const char *name)
{
    interop_wire_init(wire, form, server, peer);
    TEST_REQUIRE_EQUAL(token_acquire(&wire->end, 0, token_chain(name)), SEC_E_OK);
}

/* ---- our server ---- */

static void gnutls_cli_believes_our_server(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct interop_process client;
        struct interop_wire wire;
        uint16_t port;
        int listener = interop_listen(&port);

        open_wire(&wire, form, true, &client, servers[i / 2]);
        interop_gnutls_cli(&client, port, "ca", PEER_TARGET, gnutls_versions[i % 2], NULL);
        wire.fd = interop_accept(listener, &client);
        interop_must_handshake(&wire);
        interop_wire_await(&wire, "- Status: The certificate is trusted.");
        interop_wire_await(&wire, "- Simple Client Mode:");
        interop_exchange(&wire, 1000);
        interop_wire_free(&wire);
        interop_stop(&client);
        close(listener);
    }
}

static void nginx_believes_our_server(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct interop_nginx nginx;
        struct interop_wire wire, user;
        uint16_t port;
        int listener = interop_listen(&port);

        open_wire(&wire, form, true, &nginx.process, servers[i / 2]);
        interop_nginx_start_proxy(&nginx, port, nginx_versions[i % 2], PEER_TARGET);
        interop_nginx_ask(&nginx, &user);
        wire.fd = interop_accept(listener, &nginx.process);
        interop_nginx_must_believe(&wire);
        interop_wire_free(&wire);
        interop_wire_free(&user);
        interop_nginx_stop(&nginx);
        close(listener);
    }
}

/* ---- our client ---- */

static void gnutls_serv_believes_our_client(const struct peer_form *form)
{
    static const char *const mutual[] = {"--require-client-cert", "--verify-client-cert", NULL};

    for (int i = 0; i < 2; i++) {
        struct interop_process server;
        struct interop_wire wire;
        uint16_t port = interop_gnutls_serv(&server, "server", gnutls_versions[i], mutual);

        open_wire(&wire, form, false, &server, "client");
        interop_wire_connect(&wire, port);
        interop_must_handshake(&wire);
        interop_echo(&wire, 1000);
        interop_wire_await(&wire, "Subject: CN=client.test");
        interop_wire_await(&wire, "- Status: The certificate is trusted.");
        interop_wire_free(&wire);
        interop_stop(&server);
    }
}

static void nginx_believes_our_client(const struct peer_form *form)
{
    char certificate[1200], authority[512], facts[512];

    interop_nginx_certificate(certificate, sizeof(certificate), "ssl", "server");
    peer_path("ca", ".pem", authority, sizeof(authority));
    for (int i = 0; i < 2; i++) {
        struct interop_nginx nginx;
        struct interop_wire wire;

        interop_nginx_start(&nginx, "ssl",
                            "ssl_protocols %s;\n%s"
                            "ssl_verify_client on;\nssl_client_certificate \"%s\";\n"
                            "location / { return 200 \"$ssl_client_verify,$ssl_client_s_dn\"; }",
                            nginx_versions[i], certificate, authority);
        open_wire(&wire, form, false, &nginx.process, "client");
        interop_wire_connect(&wire, nginx.port);
        interop_must_handshake(&wire);
        interop_http_get(&wire, "/", 200, facts, sizeof(facts));
        TEST_REQUIRE(strcmp(facts, "SUCCESS,CN=client.test") == 0);
        interop_wire_free(&wire);
        interop_nginx_stop(&nginx);
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(gnutls_cli_believes_our_server),
    PEER_CASE(nginx_believes_our_server),
    PEER_CASE(gnutls_serv_believes_our_client),
    PEER_CASE(nginx_believes_our_client),
};

int main(void)
{
    token_begin();
    interop_need("gnutls-cli");
    return interop_run_cases("nginx", "token.peers", cases, sizeof(cases) / sizeof(cases[0]));
}
