/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Revocation with programs that are none of ours: the responder of openssl ocsp, lists on Python's
 * web server, and stapled answers to s_client and from s_server.
 */
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "interop_wire.h"
#include "support/revocation_world.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define END             SCH_CRED_REVOCATION_CHECK_END_CERT
#define GOOD_SERIAL     0x21
#define REVOKED_SERIAL  0x22
#define LOCAL           SCH_CRED_REVOCATION_CHECK_CACHE_ONLY

static struct world_identity root, good, revoked, unheard_of, listed, unlisted;
static char folder[] = "/tmp/osspi-revocation-XXXXXX";
static struct interop_process responder, web;
static uint16_t responder_port, web_port;

/* ---- files ---- */

static void path_of(const char *name, char *path, size_t size)
{
    TEST_REQUIRE(snprintf(path, size, "%s/%s", folder, name) < (int)size);
}

static FILE *open_file(const char *name)
{
    char path[128];

    path_of(name, path, sizeof(path));
    FILE *file = fopen(path, "wb");
    TEST_REQUIRE(file != NULL);
    return file;
}

static void write_identity(const char *name, const char *key_name,
                           const struct world_identity *identity)
{
    FILE *file = open_file(name);

    TEST_REQUIRE(PEM_write_X509(file, identity->certificate) == 1 && fclose(file) == 0);
    file = open_file(key_name);
    TEST_REQUIRE(PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL) == 1);
    TEST_REQUIRE(fclose(file) == 0);
}

/* The database that openssl ca keeps. The responder reads it once, before there are certificates:
 * they need its port. */
static void write_index(void)
{
    FILE *file = open_file("index.txt");

    fprintf(file, "V\t490101000000Z\t\t%02X\tunknown\t/CN=leaf\n", GOOD_SERIAL);
    fprintf(file, "R\t490101000000Z\t240101000000Z\t%02X\tunknown\t/CN=leaf\n", REVOKED_SERIAL);
    TEST_REQUIRE(fclose(file) == 0);
}

static void write_list(void)
{
    struct world_bytes list = world_list(&root, &listed, WORLD_DAY);
    FILE *file = open_file("list.crl");

    TEST_REQUIRE(fwrite(list.bytes, 1, list.len, file) == list.len && fclose(file) == 0);
    OPENSSL_free(list.bytes);
}

/* ---- servers ---- */

static void start_responder(void)
{
    char index[128], certificate[128], key[128], line[128];
    const char *const words[] = {"openssl", "ocsp", "-port",     "0",        "-index",
                                 index,     "-CA",  certificate, "-rsigner", certificate,
                                 "-rkey",   key,    "-nmin",     "5",        NULL};
    const char *port;

    path_of("index.txt", index, sizeof(index));
    path_of("root.pem", certificate, sizeof(certificate));
    path_of("root.key", key, sizeof(key));
    interop_start(&responder, words);
    interop_await_line(&responder, "ACCEPT ", line, sizeof(line));
    port = strrchr(line, ':');
    TEST_REQUIRE(port != NULL);
    responder_port = (uint16_t)strtoul(port + 1, NULL, 10);
    TEST_REQUIRE(responder_port != 0);
}

static void start_web(void)
{
    const char *const words[] = {"python3", "-u",        "-m", "http.server", "0",
                                 "--bind",  "127.0.0.1", "-d", folder,        NULL};
    char line[128];
    unsigned port = 0;

    interop_start(&web, words);
    interop_await_line(&web, "Serving HTTP on 127.0.0.1 port ", line, sizeof(line));
    TEST_REQUIRE_EQUAL(sscanf(line, "Serving HTTP on 127.0.0.1 port %u", &port), 1);
    web_port = (uint16_t)port;
}

static struct world_identity make_leaf(bool by_ocsp, long serial)
{
    const struct world_wish wish = {.name = "leaf",
                                    .issuer = &root,
                                    .usage = "serverAuth",
                                    .alt_name = "DNS:" PEER_TARGET,
                                    .ocsp_path = by_ocsp ? "/" : NULL,
                                    .list_path = by_ocsp ? NULL : "/list.crl",
                                    .serial = serial,
                                    .port = by_ocsp ? responder_port : web_port};

    return world_make(&wish);
}

static int set_up(void **state)
{
    const struct world_wish wish = {.name = "root", .authority = true};

    (void)state;
    test_watchdog(230);
    TEST_REQUIRE(mkdtemp(folder) != NULL);
    root = world_make(&wish);
    world_trust(&root);
    write_identity("root.pem", "root.key", &root);
    write_index();
    start_responder();
    start_web();
    good = make_leaf(true, GOOD_SERIAL);
    revoked = make_leaf(true, REVOKED_SERIAL);
    unheard_of = make_leaf(true, 0);
    listed = make_leaf(false, 0);
    unlisted = make_leaf(false, 0);
    write_list();
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"index.txt", "root.pem",   "root.key", "leaf.pem",
                                        "leaf.key",  "staple.der", "list.crl"};
    struct world_identity *all[] = {&root, &good, &revoked, &unheard_of, &listed, &unlisted};
    char path[128];

    (void)state;
    interop_stop(&responder);
    interop_stop(&web);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        world_drop(all[i]);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        path_of(names[i], path, sizeof(path));
        unlink(path);
    }
    rmdir(folder);
    return 0;
}

static int before_each(void **state)
{
    (void)state;
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    return 0;
}

/* ---- credentials ---- */

static void acquire(struct peer_end *end, DWORD flags, const struct world_identity *identity)
{
    PCCERT_CONTEXT certificate = identity ? world_load(identity) : NULL;
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = certificate ? 1 : 0,
        .paCred = &certificate,
        .dwFlags = flags,
    };

    TEST_REQUIRE_EQUAL(end->form->acquire((LPSTR)UNISP_NAME_A,
                                          end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                          &auth, &end->credential, &end->expiry),
                       SEC_E_OK);
    end->has_credential = true;
    CertFreeCertificateContext(certificate);
}

static SECURITY_STATUS meet(const struct peer_form *form, const struct world_identity *leaf,
                            DWORD flags)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    acquire(&pair.client, flags, NULL);
    acquire(&pair.server, 0, leaf);
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
    char address[64], authority[128];
    const char *const words[] = {"openssl",   "s_client", "-connect", address,   "-servername",
                                 PEER_TARGET, "-status",  "-CAfile",  authority, NULL};
    struct interop_process client;
    uint16_t port;
    int listener = interop_listen(&port);
    bool got;

    (void)form;
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    path_of("root.pem", authority, sizeof(authority));
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
    acquire(&wire.end, SCH_CRED_SNI_ENABLE_OCSP, &good);
    while (!s_client_got_staple(form, &wire))
        usleep(50000);
    interop_wire_free(&wire);
}

static void write_staple(int status)
{
    const struct world_saying saying = {.about = &unheard_of, .status = status};
    struct world_bytes staple = world_ocsp(&saying);
    FILE *file = open_file("staple.der");

    TEST_REQUIRE(fwrite(staple.bytes, 1, staple.len, file) == staple.len && fclose(file) == 0);
    OPENSSL_free(staple.bytes);
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

    path_of("leaf.pem", certificate, sizeof(certificate));
    path_of("leaf.key", key, sizeof(key));
    path_of("staple.der", staple, sizeof(staple));
    const uint16_t port = interop_start_server(&server, words);
    interop_wire_init(&wire, form, false, &server);
    wire.end.target = PEER_TARGET;
    acquire(&wire.end, END | LOCAL, NULL);
    interop_wire_connect(&wire, port);
    TEST_REQUIRE_EQUAL(interop_handshake(&wire), expected);
    interop_wire_free(&wire);
    interop_stop(&server);
}

static void we_believe_what_s_server_staples(const struct peer_form *form)
{
    static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

    write_identity("leaf.pem", "leaf.key", &unheard_of);
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
