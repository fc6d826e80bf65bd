/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Pre-shared keys and early data with gnutls-cli and gnutls-serv.
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interop_gnutls.h"

#define IDENTITY "somebody"
#define KEY_HEX  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEYED12  "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK:+DHE-PSK:+PSK"
#define KEYED13  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+ECDHE-PSK:+DHE-PSK:+PSK"
#define READY    "- Simple Client Mode:"

static const char *const priorities[] = {KEYED12, KEYED13};

static uint8_t key[2 + 32], identity[2 + sizeof(IDENTITY) - 1];
static SecBuffer key_buffers[] = {
    {sizeof(key), SECBUFFER_PRESHARED_KEY, key},
    {sizeof(identity), SECBUFFER_PRESHARED_KEY_IDENTITY, identity},
};

static void give_key(struct interop_wire *wire)
{
    const uint16_t key_len = 32, identity_len = sizeof(IDENTITY) - 1;

    memcpy(key, &key_len, 2);
    for (size_t i = 0; i < 32; i++)
        key[2 + i] = (uint8_t)i;
    memcpy(identity, &identity_len, 2);
    memcpy(identity + 2, IDENTITY, identity_len);
    wire->end.more = key_buffers;
    wire->end.more_count = 2;
}

static void temporary(char path[32], const char *text)
{
    int fd;

    snprintf(path, 32, "/tmp/osspi-keys-XXXXXX");
    fd = mkstemp(path);
    TEST_REQUIRE(fd >= 0);
    TEST_REQUIRE_EQUAL(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* ---- our client ---- */

static void a_key_at_gnutls_serv(const struct peer_form *form)
{
    char passwords[32], option[64];

    temporary(passwords, IDENTITY ":" KEY_HEX "\n");
    snprintf(option, sizeof(option), "--pskpasswd=%s", passwords);
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {option, "--disable-client-cert", NULL};
        struct interop_process server;
        struct interop_wire wire;
        const uint16_t port = interop_gnutls_serv(&server, "server", priorities[i], extra);

        interop_wire_init(&wire, form, false, &server);
        TEST_REQUIRE_EQUAL(peer_end_acquire(&wire.end, 0, SCH_USE_PRESHAREDKEY_ONLY, NULL, false),
                           SEC_E_OK);
        give_key(&wire);
        interop_wire_connect(&wire, port);
        interop_must_handshake(&wire);
        TEST_REQUIRE(!interop_reused(&wire));
        interop_echo(&wire, 1000);
        interop_finish(&wire);
        interop_wire_free(&wire);
        interop_stop(&server);
    }
    unlink(passwords);
}

/* ---- our server ---- */

struct visit {
    struct interop_process client;
    struct interop_wire wire;
    int listener;
    uint16_t port;
};

static void open_visit(struct visit *visit, const struct peer_form *form, DWORD flags)
{
    visit->listener = interop_listen(&visit->port);
    interop_wire_init(&visit->wire, form, true, &visit->client);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&visit->wire.end, 0, flags,
                                        flags & SCH_USE_PRESHAREDKEY_ONLY ? NULL : "server", false),
                       SEC_E_OK);
}

static void arrive(struct visit *visit, const char *priority, const char *const extra[])
{
    interop_gnutls_cli(&visit->client, visit->port, "ca", PEER_TARGET, priority, extra);
    visit->wire.fd = interop_accept(visit->listener, &visit->client);
}

static void close_visit(struct visit *visit)
{
    interop_wire_free(&visit->wire);
    interop_stop(&visit->client);
    close(visit->listener);
}

static void a_key_of_gnutls_cli(const struct peer_form *form)
{
    static const char *const extra[] = {
        "--pskusername", IDENTITY,     "--pskkey",
        KEY_HEX,         "--insecure", NULL}; /* there is no certificate to verify */

    for (int i = 0; i < 4; i++) {
        struct visit visit;

        open_visit(&visit, form, i < 2 ? SCH_USE_PRESHAREDKEY_ONLY : 0);
        give_key(&visit.wire);
        arrive(&visit, priorities[i % 2], extra);
        interop_must_handshake(&visit.wire);
        /* With TLS 1.2 gnutls-cli 3.7 falls over its own words about the hint that there is not,
         * right after the handshake. */
        if (i % 2 == 1) {
            interop_wire_await(&visit.wire, READY);
            interop_exchange(&visit.wire, 1000);
        }
        close_visit(&visit);
    }
}

/* gnutls-cli --resume comes twice; the second time with early data. */
static void early_data_of_gnutls_cli(const struct peer_form *form)
{
    static const char text[] = "this came early";
    OsspiTlsOptions options = {.cbSize = sizeof(options), .flags = OSSPI_TLS_EARLY_DATA};
    OsspiEarlyData early;
    struct visit visit;
    char data[32];

    temporary(data, text);
    {
        const char *const extra[] = {"--resume", "--waitresumption", "--earlydata", data, NULL};

        open_visit(&visit, form, 0);
        visit.wire.end.flags |= ASC_REQ_SESSION_TICKET;
        TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(&visit.wire.end.credential,
                                                     OSSPI_CRED_ATTR_TLS_OPTIONS, &options,
                                                     sizeof(options)),
                           SEC_E_OK);
        arrive(&visit, GNUTLS_TLS13, extra);
        interop_must_handshake(&visit.wire);
        INTEROP_UNTIL(&visit.wire, visit.wire.finished || visit.wire.eof);
        interop_finish(&visit.wire);
        interop_wire_disconnect(&visit.wire);
        visit.wire.fd = interop_accept(visit.listener, &visit.client);
        if (interop_handshake(&visit.wire) != SEC_E_OK) {
            /* That of Debian 13 (3.8) gives up before it has sent a byte. */
            interop_wire_await(&visit.wire, "error sending early data");
            print_message("this gnutls-cli cannot send early data\n");
            close_visit(&visit);
            unlink(data);
            return;
        }
        TEST_REQUIRE(interop_reused(&visit.wire));
        TEST_REQUIRE_EQUAL(
            QueryContextAttributesA(&visit.wire.end.context, OSSPI_ATTR_EARLY_DATA, &early),
            SEC_E_OK);
        TEST_REQUIRE_EQUAL(early.status, OSSPI_EARLY_DATA_ACCEPTED);
        TEST_REQUIRE(early.cbData == strlen(text) && memcmp(early.pvData, text, early.cbData) == 0);
        TEST_REQUIRE_EQUAL(FreeContextBuffer(early.pvData), SEC_E_OK);
        interop_wire_await(&visit.wire, READY);
        interop_exchange(&visit.wire, 1000);
    }
    close_visit(&visit);
    unlink(data);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(a_key_at_gnutls_serv),
        PEER_CASE(a_key_of_gnutls_cli),
        PEER_CASE(early_data_of_gnutls_cli),
    };

    return interop_run_cases("gnutls-cli", "interop.keys_gnutls", cases,
                             sizeof(cases) / sizeof(cases[0]));
}
