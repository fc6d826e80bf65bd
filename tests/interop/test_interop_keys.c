/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Pre-shared keys, early data and sessions by id with openssl s_client and s_server.
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interop_wire.h"

#define IDENTITY "somebody"
#define KEY_HEX  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define WRONG    "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

/* The key that KEY_HEX says. */
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

static void allow_early_data(struct interop_wire *wire)
{
    OsspiTlsOptions options = {.cbSize = sizeof(options), .flags = OSSPI_TLS_EARLY_DATA};

    TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(&wire->end.credential, OSSPI_CRED_ATTR_TLS_OPTIONS,
                                                 &options, sizeof(options)),
                       SEC_E_OK);
}

/* Asks; what a server has received must be this text (NULL: nothing). Gives the status. */
static ULONG early_data(struct interop_wire *wire, const char *text)
{
    OsspiEarlyData early;

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&wire->end.context, OSSPI_ATTR_EARLY_DATA, &early),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(early.cbData, text ? strlen(text) : 0);
    TEST_REQUIRE(!text || memcmp(early.pvData, text, early.cbData) == 0);
    if (early.pvData)
        TEST_REQUIRE_EQUAL(FreeContextBuffer(early.pvData), SEC_E_OK);
    return early.status;
}

/* ---- s_server ---- */

static void serve_us(struct interop_wire *wire, struct interop_process *server,
                     const struct peer_form *form, DWORD flags, const char *const extra[],
                     uint16_t *ret_port)
{
    *ret_port = interop_s_server(server, "server", extra);
    interop_wire_init(wire, form, false, server);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&wire->end, 0, flags, NULL, false), SEC_E_OK);
}

static void a_key_at_s_server(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], "-psk", KEY_HEX, "-psk_identity", IDENTITY, NULL};
        struct interop_process server;
        struct interop_wire wire;
        uint16_t port;

        serve_us(&wire, &server, form, i ? SCH_USE_PRESHAREDKEY_ONLY : 0, extra, &port);
        give_key(&wire);
        interop_wire_connect(&wire, port);
        interop_must_handshake(&wire);
        TEST_REQUIRE(!interop_reused(&wire));
        interop_exchange(&wire, 1000);
        interop_finish(&wire);
        interop_wire_free(&wire);
        interop_stop(&server);
    }
}

static void a_wrong_key_at_s_server(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], "-psk", WRONG, "-psk_identity", IDENTITY, NULL};
        struct interop_process server;
        struct interop_wire wire;
        uint16_t port;

        serve_us(&wire, &server, form, SCH_USE_PRESHAREDKEY_ONLY, extra, &port);
        give_key(&wire);
        interop_wire_connect(&wire, port);
        TEST_REQUIRE_EQUAL(interop_handshake(&wire), SEC_E_ILLEGAL_MESSAGE); /* its alert */
        interop_wire_free(&wire);
        interop_stop(&server);
    }
}

static void early_data_to_s_server(const struct peer_form *form)
{
    const char *const extra[] = {INTEROP_TLS13, "-early_data", "-no_anti_replay", NULL};
    static char text[] = "this came early\n";
    SecBuffer data = {sizeof(text) - 1, SECBUFFER_DATA, text};
    struct interop_process server;
    struct interop_wire wire;
    uint16_t port;

    serve_us(&wire, &server, form, 0, extra, &port);
    allow_early_data(&wire);
    wire.end.more = &data;
    wire.end.more_count = 1;
    for (int i = 0; i < 3; i++) {
        interop_wire_connect(&wire, port);
        interop_must_handshake(&wire);
        TEST_REQUIRE_EQUAL(early_data(&wire, NULL),
                           i > 0 ? OSSPI_EARLY_DATA_ACCEPTED : OSSPI_EARLY_DATA_NOT_SENT);
        if (i > 0)
            interop_wire_await(&wire, "this came early");
        interop_wire_await(&wire, "enegotiation");
        interop_exchange(&wire, 1000);
        interop_finish(&wire);
        interop_wire_await(&wire, "DONE");
        interop_wire_disconnect(&wire);
        interop_forget(&server);
    }
    interop_wire_free(&wire);
    interop_stop(&server);
}

/* ---- s_client ---- */

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

static void arrive(struct visit *visit, const char *const extra[])
{
    interop_s_client(&visit->client, visit->port, extra);
    visit->wire.fd = interop_accept(visit->listener, &visit->client);
}

static void leave(struct visit *visit)
{
    interop_finish(&visit->wire);
    interop_wire_await(&visit->wire, "closed");
    TEST_REQUIRE_EQUAL(interop_join(&visit->client), 0);
    interop_wire_disconnect(&visit->wire);
    interop_stop(&visit->client);
}

static void close_visit(struct visit *visit)
{
    interop_wire_free(&visit->wire);
    close(visit->listener);
}

static void a_key_of_s_client(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        const char *const extra[] = {versions[i % 2], "-psk",   KEY_HEX,
                                     "-psk_identity", IDENTITY, NULL};
        struct visit visit;

        open_visit(&visit, form, i < 2 ? SCH_USE_PRESHAREDKEY_ONLY : 0);
        give_key(&visit.wire);
        arrive(&visit, extra);
        interop_must_handshake(&visit.wire);
        interop_exchange(&visit.wire, 1000);
        leave(&visit);
        close_visit(&visit);
    }
}

static void a_wrong_key_of_s_client(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        const char *const extra[] = {versions[i], "-psk", WRONG, "-psk_identity", IDENTITY, NULL};
        struct visit visit;

        open_visit(&visit, form, SCH_USE_PRESHAREDKEY_ONLY);
        give_key(&visit.wire);
        arrive(&visit, extra);
        TEST_REQUIRE_EQUAL(interop_handshake(&visit.wire),
                           i == 0 ? SEC_E_MESSAGE_ALTERED : SEC_E_DECRYPT_FAILURE);
        interop_wire_disconnect(&visit.wire);
        interop_stop(&visit.client);
        close_visit(&visit);
    }
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

static void early_data_of_s_client(const struct peer_form *form)
{
    static const char text[] = "this came early";
    char session[32], data[32];
    struct visit visit;

    temporary(session, "");
    temporary(data, text);
    {
        const char *const first[] = {INTEROP_TLS13, "-sess_out", session, NULL};
        const char *const again[] = {INTEROP_TLS13, "-sess_in",    session, "-sess_out",
                                     session,       "-early_data", data,    NULL};

        open_visit(&visit, form, 0);
        allow_early_data(&visit.wire);
        for (int i = 0; i < 3; i++) {
            arrive(&visit, i == 0 ? first : again);
            interop_must_handshake(&visit.wire);
            TEST_REQUIRE_EQUAL(interop_reused(&visit.wire), i > 0);
            TEST_REQUIRE_EQUAL(early_data(&visit.wire, i > 0 ? text : NULL),
                               i > 0 ? OSSPI_EARLY_DATA_ACCEPTED : OSSPI_EARLY_DATA_NOT_SENT);
            if (i > 0)
                interop_wire_await(&visit.wire, "Early data was accepted");
            interop_exchange(&visit.wire, 1000);
            leave(&visit);
        }
    }
    close_visit(&visit);
    unlink(session);
    unlink(data);
}

static void sessions_by_id_of_s_client(const struct peer_form *form)
{
    char session[32];
    struct visit visit;

    temporary(session, "");
    {
        const char *const first[] = {INTEROP_TLS12, "-no_ticket", "-sess_out", session, NULL};
        const char *const again[] = {INTEROP_TLS12, "-no_ticket", "-sess_in", session, NULL};

        open_visit(&visit, form, 0);
        for (int i = 0; i < 3; i++) {
            arrive(&visit, i == 0 ? first : again);
            interop_must_handshake(&visit.wire);
            TEST_REQUIRE_EQUAL(interop_reused(&visit.wire), i > 0);
            interop_wire_await(&visit.wire, i > 0 ? "Reused, TLSv1.2" : "New, TLSv1.2");
            interop_exchange(&visit.wire, 1000);
            leave(&visit);
        }
    }
    close_visit(&visit);
    unlink(session);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(a_key_at_s_server),          PEER_CASE(a_wrong_key_at_s_server),
        PEER_CASE(early_data_to_s_server),     PEER_CASE(a_key_of_s_client),
        PEER_CASE(a_wrong_key_of_s_client),    PEER_CASE(early_data_of_s_client),
        PEER_CASE(sessions_by_id_of_s_client),
    };

    return interop_run_cases("openssl", "interop.keys", cases, sizeof(cases) / sizeof(cases[0]));
}
