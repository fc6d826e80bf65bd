/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes after the handshake with openssl s_client and s_server: renegotiation in TLS 1.2 and
 * authentication of the client in TLS 1.3, begun by either side. The callers here do after
 * SEC_I_RENEGOTIATE what they do in a first handshake: legs alone, until one says that it is done.
 */
#include <string.h>
#include <unistd.h>

#include "interop_wire.h"
#include "support/tls_later.h"

#define ALLOWED (OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH)
#define READY   "CIPHER is "

struct meeting {
    struct interop_process peer;
    struct interop_wire wire;
    int listener; /* -1: ours is the client */
};

static void begin(struct meeting *meeting)
{
    TEST_REQUIRE_EQUAL(later_leg(&meeting->wire.end, &meeting->wire.net), SEC_I_CONTINUE_NEEDED);
    interop_flush(&meeting->wire);
}

/* OpenSSL takes no data in the middle of a renegotiation that it does by command. In TLS 1.3 one
 * leg does all. */
static void await_end(struct meeting *meeting, const char *version)
{
    if (strcmp(version, INTEROP_TLS13) == 0)
        return;
    INTEROP_UNTIL(&meeting->wire, meeting->wire.in_leg || meeting->wire.eof);
    INTEROP_UNTIL(&meeting->wire, !meeting->wire.in_leg || meeting->wire.eof);
    TEST_REQUIRE_EQUAL(meeting->wire.failure, SEC_E_OK);
    interop_flush(&meeting->wire);
}

static bool has_certificate(struct meeting *meeting, const char *name)
{
    return later_shown(&meeting->wire.end, NULL) ? name == NULL
                                                 : later_shown(&meeting->wire.end, name);
}

static void stop(struct meeting *meeting)
{
    interop_wire_free(&meeting->wire);
    interop_stop(&meeting->peer);
    if (meeting->listener >= 0)
        close(meeting->listener);
}

/* ---- our server ---- */

static void serve(struct meeting *meeting, const struct peer_form *form, const char *const extra[])
{
    uint16_t port;

    meeting->listener = interop_listen(&port);
    interop_wire_open(&meeting->wire, form, true, &meeting->peer, "server");
    TEST_REQUIRE_EQUAL(later_allow(&meeting->wire.end, ALLOWED, 0), SEC_E_OK);
    interop_s_client(&meeting->peer, port, extra);
    meeting->wire.fd = interop_accept(meeting->listener, &meeting->peer);
    interop_must_handshake(&meeting->wire);
    interop_wire_await(&meeting->wire, "Verify return code: 0 (ok)");
    interop_exchange(&meeting->wire, 100);
}

static void s3_8_s_client_renegotiates(const struct peer_form *form)
{
    const char *const extra[] = {INTEROP_TLS12, NULL};
    struct meeting meeting;

    serve(&meeting, form, extra);
    for (int i = 0; i < 3; i++) {
        interop_forget(&meeting.peer);
        interop_command(&meeting.wire, "R");
        await_end(&meeting, INTEROP_TLS12);
        interop_wire_await(&meeting.wire, "RENEGOTIATING");
        interop_exchange(&meeting.wire, 20000);
    }
    stop(&meeting);
}

static void s3_8_we_ask_s_client(const struct peer_form *form)
{
    static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

    for (int i = 0; i < 4; i++) {
        char certificate[512], key[512];
        const char *const with[] = {versions[i / 2], "-enable_pha", "-cert", certificate,
                                    "-key",          key,           NULL};
        const char *const without[] = {versions[i / 2], "-enable_pha", NULL};
        struct meeting meeting;

        peer_path("client", ".pem", certificate, sizeof(certificate));
        peer_path("client", ".key", key, sizeof(key));
        serve(&meeting, form, i % 2 ? with : without);
        TEST_REQUIRE(has_certificate(&meeting, NULL));
        meeting.wire.end.flags |= ASC_REQ_MUTUAL_AUTH;
        for (int round = 0; round < 2; round++) {
            begin(&meeting);
            await_end(&meeting, versions[i / 2]);
            interop_exchange(&meeting.wire, 20000);
            TEST_REQUIRE(has_certificate(&meeting, i % 2 ? "client" : NULL));
        }
        stop(&meeting);
    }
}

/* ---- our client ---- */

static void visit(struct meeting *meeting, const struct peer_form *form, const char *certificate,
                  const char *const extra[])
{
    const uint16_t port = interop_s_server(&meeting->peer, "server", extra);

    meeting->listener = -1;
    interop_wire_open(&meeting->wire, form, false, &meeting->peer, certificate);
    TEST_REQUIRE_EQUAL(later_allow(&meeting->wire.end, ALLOWED, 0), SEC_E_OK);
    meeting->wire.end.flags |= ISC_REQ_USE_SUPPLIED_CREDS;
    interop_wire_connect(&meeting->wire, port);
    interop_must_handshake(&meeting->wire);
    interop_wire_await(&meeting->wire, READY);
    interop_exchange(&meeting->wire, 100);
}

static void s3_8_we_renegotiate_with_s_server(const struct peer_form *form)
{
    const char *const extra[] = {INTEROP_TLS12, "-client_renegotiation", NULL};
    struct meeting meeting;

    visit(&meeting, form, NULL, extra);
    for (int i = 0; i < 3; i++) {
        begin(&meeting);
        await_end(&meeting, INTEROP_TLS12);
        interop_exchange(&meeting.wire, 20000);
        TEST_REQUIRE(has_certificate(&meeting, "server"));
    }
    stop(&meeting);
}

/* r: the server renegotiates. R: and wants a certificate. c: it wants one in TLS 1.3. */
static void s3_8_s_server_asks(const struct peer_form *form)
{
    static const struct {
        const char *version, *command, *certificate;
    } rows[] = {
        {INTEROP_TLS12, "r", NULL},     {INTEROP_TLS12, "R", "client"}, {INTEROP_TLS12, "R", NULL},
        {INTEROP_TLS13, "c", "client"}, {INTEROP_TLS13, "c", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[512];
        const char *const extra[] = {rows[i].version, "-CAfile", path, NULL};
        struct meeting meeting;

        peer_path("ca", ".pem", path, sizeof(path));
        visit(&meeting, form, rows[i].certificate, extra);
        interop_forget(&meeting.peer);
        interop_command(&meeting.wire, rows[i].command);
        await_end(&meeting, rows[i].version);
        interop_exchange(&meeting.wire, 20000);
        TEST_REQUIRE_EQUAL(meeting.wire.told,
                           rows[i].certificate == NULL && rows[i].command[0] != 'r');
        stop(&meeting);
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(s3_8_s_client_renegotiates),
    PEER_CASE(s3_8_we_ask_s_client),
    PEER_CASE(s3_8_we_renegotiate_with_s_server),
    PEER_CASE(s3_8_s_server_asks),
};

int main(void)
{
    return interop_run_cases("openssl", "interop.later", cases, sizeof(cases) / sizeof(cases[0]));
}
