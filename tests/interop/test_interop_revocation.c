/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Revocation with programs that are none of ours: the responder of openssl ocsp, lists on Python's
 * web server, and stapled answers to s_client and from s_server.
 */
#include <openssl/ocsp.h>
#include <string.h>
#include <unistd.h>

#include "interop_authority.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define END             SCH_CRED_REVOCATION_CHECK_END_CERT
#define LOCAL           SCH_CRED_REVOCATION_CHECK_CACHE_ONLY

static struct interop_authority authority;
static struct world_identity good, revoked, unheard_of, listed, unlisted;
static struct interop_process web;
static uint16_t web_port;

static void start_web(void)
{
    const char *const words[] = {"python3", "-u",        "-m", "http.server",    "0",
                                 "--bind",  "127.0.0.1", "-d", authority.folder, NULL};
    char line[128];
    unsigned port = 0;

    interop_start(&web, words);
    interop_await_line(&web, "Serving HTTP on 127.0.0.1 port ", line, sizeof(line));
    TEST_REQUIRE_EQUAL(sscanf(line, "Serving HTTP on 127.0.0.1 port %u", &port), 1);
    web_port = (uint16_t)port;
}

static int set_up(void **state)
{
    (void)state;
    test_watchdog(230);
    interop_authority_open(&authority);
    start_web();
    good = interop_authority_leaf(&authority, AUTHORITY_GOOD, 0);
    revoked = interop_authority_leaf(&authority, AUTHORITY_REVOKED, 0);
    unheard_of = interop_authority_leaf(&authority, 0, 0);
    listed = interop_authority_leaf(&authority, 0, web_port);
    unlisted = interop_authority_leaf(&authority, 0, web_port);
    interop_authority_write(&authority, "list.crl",
                            world_list(&authority.root, &listed, WORLD_DAY));
    return 0;
}

static int tear_down(void **state)
{
    struct world_identity *all[] = {&good, &revoked, &unheard_of, &listed, &unlisted};

    (void)state;
    interop_stop(&web);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        world_drop(all[i]);
    interop_authority_close(&authority);
    return 0;
}

static int before_each(void **state)
{
    (void)state;
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    return 0;
}

static SECURITY_STATUS meet(const struct peer_form *form, const struct world_identity *leaf,
                            DWORD flags)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    interop_authority_acquire(&pair.client, flags, NULL);
    interop_authority_acquire(&pair.server, 0, leaf);
    status = peer_handshake(&pair);
    peer_close(&pair);
    return status;
}

/* ---- the responder and the lists ---- */

static void responder_decides(const struct peer_form *form)
{
    TEST_REQUIRE_EQUAL(meet(form, &good, END), SEC_E_OK);
    TEST_REQUIRE_EQUAL(meet(form, &good, END | LOCAL), SEC_E_OK); /* remembered */
    TEST_REQUIRE_EQUAL(meet(form, &revoked, END), CRYPT_E_REVOKED);
    TEST_REQUIRE_EQUAL(meet(form, &unheard_of, END), CRYPT_E_NO_REVOCATION_CHECK);
}

static void list_decides(const struct peer_form *form)
{
    TEST_REQUIRE_EQUAL(meet(form, &unlisted, END), SEC_E_OK);
    TEST_REQUIRE_EQUAL(meet(form, &listed, END), CRYPT_E_REVOKED);
}

/* ---- stapling ---- */

static bool s_client_got_staple(const struct peer_form *form, struct interop_wire *wire)
{
    char address[64], root[128];
    const char *const words[] = {"openssl",   "s_client", "-connect", address, "-servername",
                                 PEER_TARGET, "-status",  "-CAfile",  root,    NULL};
    struct interop_process client;
    uint16_t port;
    int listener = interop_listen(&port);
    bool got;

    (void)form;
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    interop_authority_path(&authority, "root.pem", root, sizeof(root));
    interop_start(&client, words);
    wire->peer = &client;
    wire->fd = interop_accept(listener, &client);
    close(listener);
    interop_must_handshake(wire);
    interop_wire_await(wire, "---\nCertificate chain");
    got = interop_said(&client, "OCSP Response Status: successful");
    TEST_REQUIRE(got || interop_said(&client, "OCSP response: no response sent"));
    interop_wire_disconnect(wire);
    interop_stop(&client);
    wire->peer = NULL;
    return got;
}

/* The first may be too early: nobody waits for the answer. */
static void s_client_gets_our_staple(const struct peer_form *form)
{
    struct interop_wire wire;

    interop_wire_init(&wire, form, true, NULL);
    interop_authority_acquire(&wire.end, SCH_CRED_SNI_ENABLE_OCSP, &good);
    while (!s_client_got_staple(form, &wire))
        usleep(50000);
    interop_wire_free(&wire);
}

static void write_staple(int status)
{
    const struct world_saying saying = {.about = &unheard_of, .status = status};

    interop_authority_write(&authority, "staple.der", world_ocsp(&saying));
}

static void meet_s_server(const struct peer_form *form, const char *version,
                          SECURITY_STATUS expected)
{
    char certificate[128], key[128], staple[128];
    const char *const words[] = {"openssl",      "s_server",  "-accept", "127.0.0.1:0",
                                 "-cert",        certificate, "-key",    key,
                                 "-status_file", staple,      version,   NULL};
    struct interop_process server;
    struct interop_wire wire;

    interop_authority_path(&authority, "leaf.pem", certificate, sizeof(certificate));
    interop_authority_path(&authority, "leaf.key", key, sizeof(key));
    interop_authority_path(&authority, "staple.der", staple, sizeof(staple));
    const uint16_t port = interop_start_server(&server, words);
    interop_wire_init(&wire, form, false, &server);
    wire.end.target = PEER_TARGET;
    interop_authority_acquire(&wire.end, END | LOCAL, NULL);
    interop_wire_connect(&wire, port);
    TEST_REQUIRE_EQUAL(interop_handshake(&wire), expected);
    interop_wire_free(&wire);
    interop_stop(&server);
}

static void we_believe_what_s_server_staples(const struct peer_form *form)
{
    static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

    interop_authority_write_identity(&authority, "leaf", &unheard_of);
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        write_staple(V_OCSP_CERTSTATUS_GOOD);
        meet_s_server(form, versions[i], SEC_E_OK);
        TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
        write_staple(V_OCSP_CERTSTATUS_REVOKED);
        meet_s_server(form, versions[i], CRYPT_E_REVOKED);
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(responder_decides),
    PEER_CASE(list_decides),
    PEER_CASE(s_client_gets_our_staple),
    PEER_CASE(we_believe_what_s_server_staples),
};

int main(void)
{
    static const struct peer_form *const forms[] = {&peer_forms[0], &peer_forms[1]};
    const struct peer_run how = {.group = "revocation with other programs",
                                 .forms = forms,
                                 .form_count = PEER_FORMS,
                                 .set_up = set_up,
                                 .tear_down = tear_down,
                                 .before_each = before_each};

    interop_need("openssl");
    interop_need("python3");
    return peer_run_cases_in(&how, cases, COUNT_OF(cases));
}
