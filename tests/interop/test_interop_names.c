/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificates by server name (RFC 6066 section 3) with gnutls and nginx: our server with two of
 * them, whose clients verify what they get; our client at servers with two of them. What openssl
 * says is in test_interop_client.c.
 */
#include <stdio.h>
#include <unistd.h>

#include "interop_gnutls.h"
#include "interop_nginx.h"
#include "support/tls_shown.h"

static const struct {
    const char *name, *certificate;
} hosts[] = {{"server.test", "server"}, {"other.test", "wrongname"}};

static const char *const gnutls_versions[] = {GNUTLS_TLS12, GNUTLS_TLS13};
static const char *const nginx_versions[] = {"TLSv1.2", "TLSv1.3"};

/* ---- our server ---- */

static void serve_both(struct interop_wire *wire, const struct peer_form *form,
                       struct interop_process *client)
{
    static const char *const both[] = {"server", "wrongname", NULL};

    interop_wire_init(wire, form, true, client);
    TEST_REQUIRE_EQUAL(shown_serve(&wire->end, NULL, 0, both), SEC_E_OK);
}

static void gnutls_cli_gets_the_certificate_of_its_name(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct interop_process client;
        struct interop_wire wire;
        char subject[64];
        uint16_t port;
        int listener = interop_listen(&port);

        serve_both(&wire, form, &client);
        interop_gnutls_cli(&client, port, "ca", hosts[i / 2].name, gnutls_versions[i % 2], NULL);
        wire.fd = interop_accept(listener, &client);
        interop_must_handshake(&wire);
        snprintf(subject, sizeof(subject), "CN=%s", hosts[i / 2].name);
        interop_wire_await(&wire, subject);
        interop_wire_await(&wire, "- Status: The certificate is trusted.");
        interop_wire_free(&wire);
        interop_stop(&client);
        close(listener);
    }
}

static void nginx_gets_the_certificate_of_its_name(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct interop_nginx nginx;
        struct interop_wire wire, user;
        uint16_t port;
        int listener = interop_listen(&port);

        serve_both(&wire, form, &nginx.process);
        interop_nginx_start_proxy(&nginx, port, nginx_versions[i % 2], hosts[i / 2].name);
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

/* Verified as well: the other's certificate would be refused for its name. */
static void require_each(const struct peer_form *form, struct interop_process *server,
                         uint16_t port)
{
    for (int i = 0; i < 2; i++) {
        struct interop_wire wire;

        interop_wire_open(&wire, form, false, server, NULL);
        wire.end.target = hosts[i].name;
        interop_wire_connect(&wire, port);
        interop_must_handshake(&wire);
        interop_require_peer_certificate(&wire, hosts[i].certificate);
        interop_wire_free(&wire);
    }
}

static void gnutls_serv_shows_the_certificate_of_our_name(const struct peer_form *form)
{
    char certificate[512], key[512];
    const char *const extra[] = {
        "--disable-client-cert", "--x509certfile", certificate, "--x509keyfile", key, NULL};

    peer_path("wrongname", ".pem", certificate, sizeof(certificate));
    peer_path("wrongname", ".key", key, sizeof(key));
    for (int i = 0; i < 2; i++) {
        struct interop_process server;
        uint16_t port = interop_gnutls_serv(&server, "server", gnutls_versions[i], extra);

        require_each(form, &server, port);
        interop_stop(&server);
    }
}

static void nginx_shows_the_certificate_of_our_name(const struct peer_form *form)
{
    char first[1200], second[1200];

    interop_nginx_certificate(first, sizeof(first), "ssl", "server");
    interop_nginx_certificate(second, sizeof(second), "ssl", "wrongname");
    for (int i = 0; i < 2; i++) {
        struct interop_nginx nginx;

        interop_nginx_start(&nginx, "ssl",
                            "server_name server.test;\nssl_protocols %s;\n%s}\n"
                            "server {\ninclude listen.conf;\n"
                            "server_name other.test;\nssl_protocols %s;\n%s",
                            nginx_versions[i], first, nginx_versions[i], second);
        require_each(form, &nginx.process, nginx.port);
        interop_nginx_stop(&nginx);
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(gnutls_cli_gets_the_certificate_of_its_name),
    PEER_CASE(nginx_gets_the_certificate_of_its_name),
    PEER_CASE(gnutls_serv_shows_the_certificate_of_our_name),
    PEER_CASE(nginx_shows_the_certificate_of_our_name),
};

int main(void)
{
    interop_need("gnutls-cli");
    return interop_run_cases("nginx", "interop.names", cases, sizeof(cases) / sizeof(cases[0]));
}
