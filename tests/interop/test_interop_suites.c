/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Every cipher suite that is on by default and every group, in both directions: openssl offers or
 * accepts one at a time, data go both ways, CIPHER_INFO names the suite. A server that wants
 * another group than the one our client guessed asks once more (HelloRetryRequest, RFC 8446 4.1.4).
 */
#include <unistd.h>

#include "interop_wire.h"

struct suite {
    uint16_t id;
    const char *version, *option, *name, *certificate;
};

#define TLS12(id, name, certificate) \
    { \
        (id), INTEROP_TLS12, "-cipher", (name), (certificate) \
    }
#define TLS13(id, name) \
    { \
        (id), INTEROP_TLS13, "-ciphersuites", (name), "server" \
    }

static const struct suite suites[] = {
    TLS13(0x1301, "TLS_AES_128_GCM_SHA256"),
    TLS13(0x1302, "TLS_AES_256_GCM_SHA384"),
    TLS13(0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    TLS12(0xC02B, "ECDHE-ECDSA-AES128-GCM-SHA256", "server"),
    TLS12(0xC02C, "ECDHE-ECDSA-AES256-GCM-SHA384", "server"),
    TLS12(0xCCA9, "ECDHE-ECDSA-CHACHA20-POLY1305", "server"),
    TLS12(0xC02F, "ECDHE-RSA-AES128-GCM-SHA256", "server-rsa"),
    TLS12(0xC030, "ECDHE-RSA-AES256-GCM-SHA384", "server-rsa"),
    TLS12(0xCCA8, "ECDHE-RSA-CHACHA20-POLY1305", "server-rsa"),
    TLS12(0x009E, "DHE-RSA-AES128-GCM-SHA256", "server-rsa"),
    TLS12(0x009F, "DHE-RSA-AES256-GCM-SHA384", "server-rsa"),
    TLS12(0xCCAA, "DHE-RSA-CHACHA20-POLY1305", "server-rsa"),
};

static const char *const groups[] = {"X25519", "P-256", "P-384"};
static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Connects our client to an s_server with these options. */
static void client_with(const struct peer_form *form, const char *certificate,
                        const char *const extra[], DWORD suite)
{
    struct interop_process process;
    struct interop_wire wire;
    uint16_t port = interop_s_server(&process, certificate, extra);

    interop_wire_open(&wire, form, false, &process, NULL);
    interop_wire_connect(&wire, port);
    interop_must_handshake(&wire);
    if (suite != 0)
        TEST_REQUIRE_EQUAL(interop_suite(&wire), suite);
    interop_exchange(&wire, 40000);
    interop_wire_free(&wire);
    interop_stop(&process);
}

/* Connects an s_client with these options to our server. */
static void server_with(const struct peer_form *form, const char *certificate,
                        const char *const extra[], DWORD suite, const char *says)
{
    struct interop_process process;
    struct interop_wire wire;
    uint16_t port;
    int listener = interop_listen(&port);

    interop_wire_open(&wire, form, true, &process, certificate);
    interop_s_client(&process, port, extra);
    wire.fd = interop_accept(listener, &process);
    interop_must_handshake(&wire);
    if (suite != 0)
        TEST_REQUIRE_EQUAL(interop_suite(&wire), suite);
    interop_wire_await(&wire, "Verify return code: 0 (ok)");
    TEST_REQUIRE(interop_said(&process, says));
    interop_exchange(&wire, 40000);
    interop_wire_free(&wire);
    interop_stop(&process);
    close(listener);
}

static void each_suite_of_our_client(const struct peer_form *form)
{
    for (size_t i = 0; i < COUNT(suites); i++) {
        const char *const extra[] = {suites[i].version, suites[i].option, suites[i].name, NULL};

        client_with(form, suites[i].certificate, extra, suites[i].id);
    }
}

static void each_suite_of_our_server(const struct peer_form *form)
{
    for (size_t i = 0; i < COUNT(suites); i++) {
        const char *const extra[] = {suites[i].version, suites[i].option, suites[i].name, NULL};

        server_with(form, suites[i].certificate, extra, suites[i].id, suites[i].name);
    }
}

/* Our client's key share is for X25519: the others take a second flight in TLS 1.3. */
static void each_group_of_our_client(const struct peer_form *form)
{
    for (size_t i = 0; i < COUNT(groups) * COUNT(versions); i++) {
        const char *const extra[] = {versions[i % COUNT(versions)], "-groups",
                                     groups[i / COUNT(versions)], NULL};

        client_with(form, "server", extra, 0);
    }
}

static void each_group_of_our_server(const struct peer_form *form)
{
    const char *const keys[] = {"Temp Key: X25519", "Temp Key: ECDH, prime256v1",
                                "Temp Key: ECDH, secp384r1"};

    for (size_t i = 0; i < COUNT(groups) * COUNT(versions); i++) {
        const char *const extra[] = {versions[i % COUNT(versions)], "-groups",
                                     groups[i / COUNT(versions)], NULL};

        /* RSA: in TLS 1.2 the groups also say which curves an ECDSA key may have. */
        server_with(form, "server-rsa", extra, 0, keys[i / COUNT(versions)]);
    }
}

/* The client guesses a group that we do not have, and offers one that we have. */
static void our_server_asks_for_another_key_share(const struct peer_form *form)
{
    const char *const extra[] = {INTEROP_TLS13, "-groups", "P-521:P-384", NULL};

    server_with(form, "server", extra, 0, "Temp Key: ECDH, secp384r1");
}

static const struct peer_case cases[] = {
    PEER_CASE(each_suite_of_our_client),
    PEER_CASE(each_suite_of_our_server),
    PEER_CASE(each_group_of_our_client),
    PEER_CASE(each_group_of_our_server),
    PEER_CASE(our_server_asks_for_another_key_share),
};

int main(void)
{
    return interop_run_cases("openssl", "interop.suites", cases, COUNT(cases));
}
