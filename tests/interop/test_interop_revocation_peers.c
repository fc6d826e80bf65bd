/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Revocation with gnutls and nginx: what our server staples, to gnutls-cli; what gnutls-serv and
 * nginx staple, to our client; and a list that lies on nginx. The answers that our server staples
 * are those of openssl ocsp. The same with openssl is in test_interop_revocation.c.
 */
#include <openssl/ocsp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interop_authority.h"
#include "interop_gnutls.h"
#include "interop_nginx.h"

#define END   SCH_CRED_REVOCATION_CHECK_END_CERT
#define LOCAL SCH_CRED_REVOCATION_CHECK_CACHE_ONLY

static const char *const gnutls_versions[] = {GNUTLS_TLS12, GNUTLS_TLS13};
static const char *const nginx_versions[] = {"TLSv1.2", "TLSv1.3"};

static struct interop_authority authority;
static struct world_identity good, stapled;

static int set_up(void **state)
{
    (void)state;
    test_watchdog(230);
    interop_authority_open(&authority);
    good = interop_authority_leaf(&authority, AUTHORITY_GOOD, 0);
    stapled = interop_authority_leaf(&authority, 0, 0);
    interop_authority_write_identity(&authority, "leaf", &stapled);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_drop(&good);
    world_drop(&stapled);
    interop_authority_close(&authority);
    return 0;
}

static int before_each(void **state)
{
    (void)state;
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    return 0;
}

/* ---- our server staples ---- */

/* Without an answer the client may save an empty file. */
static bool is_there(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 && facts.st_size > 0;
}

static bool is_good_answer(const char *path)
{
    BIO *file = BIO_new_file(path, "rb");
    OCSP_RESPONSE *response = file ? d2i_OCSP_RESPONSE_bio(file, NULL) : NULL;
    OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, good.certificate, authority.root.certificate);
    int status = -1;
    const bool is_good = basic &&
                         OCSP_resp_find_status(basic, id, &status, NULL, NULL, NULL, NULL) == 1 &&
                         status == V_OCSP_CERTSTATUS_GOOD;

    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    BIO_free(file);
    return is_good;
}

static bool gnutls_cli_got_staple(struct interop_wire *wire, const char *version)
{
    char root[128], saved[128];
    const char *const extra[] = {"--save-ocsp", saved, NULL};
    struct interop_process client;
    uint16_t port;
    int listener = interop_listen(&port);

    interop_authority_path(&authority, "root.pem", root, sizeof(root));
    interop_authority_path(&authority, "saved.der", saved, sizeof(saved));
    unlink(saved);
    interop_gnutls_cli_file(&client, port, root, PEER_TARGET, version, extra);
    wire->peer = &client;
    wire->fd = interop_accept(listener, &client);
    close(listener);
    interop_must_handshake(wire);
    interop_wire_await(wire, "- Status: The certificate is trusted.");
    interop_wire_await(wire, "- Simple Client Mode:");
    const bool got = is_there(saved);
    if (got)
        TEST_REQUIRE(is_good_answer(saved));
    interop_wire_disconnect(wire);
    interop_stop(&client);
    wire->peer = NULL;
    return got;
}

/* The first may be too early: nobody waits for the answer. */
static void gnutls_cli_gets_our_staple(const struct peer_form *form)
{
    struct interop_wire wire;

    interop_wire_init(&wire, form, true, NULL);
    interop_authority_acquire(&wire.end, SCH_CRED_SNI_ENABLE_OCSP, &good);
    for (int i = 0; i < 2; i++) {
        while (!gnutls_cli_got_staple(&wire, gnutls_versions[i]))
            usleep(50000);
    }
    interop_wire_free(&wire);
}

/* ---- our client reads staples ---- */

static void write_staple(int status)
{
    const struct world_saying saying = {.about = &stapled, .status = status};

    interop_authority_write(&authority, "staple.der", world_ocsp(&saying));
}

/* Nobody else is asked: what it believes, it has from the server. */
static void meet(const struct peer_form *form, struct interop_process *server, uint16_t port,
                 SECURITY_STATUS expected)
{
    struct interop_wire wire;

    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    interop_wire_init(&wire, form, false, server);
    wire.end.target = PEER_TARGET;
    interop_authority_acquire(&wire.end, END | LOCAL, NULL);
    interop_wire_connect(&wire, port);
    TEST_REQUIRE_EQUAL(interop_handshake(&wire), expected);
    interop_wire_free(&wire);
}

static void meet_gnutls_serv(const struct peer_form *form, const char *version, bool staples,
                             SECURITY_STATUS expected)
{
    char certificate[128], key[128], staple[128];
    const char *const extra[] = {"--disable-client-cert", "--ignore-ocsp-response-errors",
                                 staples ? "--ocsp-response" : NULL, staple, NULL};
    struct interop_process server;
    uint16_t port;

    interop_authority_path(&authority, "leaf.pem", certificate, sizeof(certificate));
    interop_authority_path(&authority, "leaf.key", key, sizeof(key));
    interop_authority_path(&authority, "staple.der", staple, sizeof(staple));
    port = interop_gnutls_serv_files(&server, certificate, key, version, extra);
    meet(form, &server, port, expected);
    interop_stop(&server);
}

static void meet_nginx(const struct peer_form *form, const char *version, bool staples,
                       SECURITY_STATUS expected)
{
    struct interop_nginx nginx;

    interop_nginx_start(&nginx, "ssl",
                        "ssl_protocols %s;\n"
                        "ssl_certificate \"%s/leaf.pem\";\nssl_certificate_key \"%s/leaf.key\";\n"
                        "ssl_stapling %s;\nssl_stapling_file \"%s/staple.der\";",
                        version, authority.folder, authority.folder, staples ? "on" : "off",
                        authority.folder);
    meet(form, &nginx.process, nginx.port, expected);
    interop_nginx_stop(&nginx);
}

typedef void meet_server(const struct peer_form *form, const char *version, bool staples,
                         SECURITY_STATUS expected);

static void staples_decide(const struct peer_form *form, meet_server *meet_one,
                           const char *const versions[2])
{
    for (int i = 0; i < 2; i++) {
        write_staple(V_OCSP_CERTSTATUS_GOOD);
        meet_one(form, versions[i], true, SEC_E_OK);
        meet_one(form, versions[i], false, CRYPT_E_REVOCATION_OFFLINE);
        write_staple(V_OCSP_CERTSTATUS_REVOKED);
        meet_one(form, versions[i], true, CRYPT_E_REVOKED);
    }
}

static void we_believe_what_gnutls_serv_staples(const struct peer_form *form)
{
    staples_decide(form, meet_gnutls_serv, gnutls_versions);
}

static void we_believe_what_nginx_staples(const struct peer_form *form)
{
    staples_decide(form, meet_nginx, nginx_versions);
}

/* ---- a list on nginx ---- */

static SECURITY_STATUS judge(const struct peer_form *form, const struct world_identity *leaf)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    interop_authority_acquire(&pair.client, END, NULL);
    interop_authority_acquire(&pair.server, 0, leaf);
    status = peer_handshake(&pair);
    peer_close(&pair);
    return status;
}

static void list_on_nginx_decides(const struct peer_form *form)
{
    struct interop_nginx nginx;

    interop_nginx_start(&nginx, "", "location = /list.crl { alias \"%s/list.crl\"; }",
                        authority.folder);
    struct world_identity listed = interop_authority_leaf(&authority, 0, nginx.port);
    struct world_identity unlisted = interop_authority_leaf(&authority, 0, nginx.port);

    TEST_REQUIRE_EQUAL(judge(form, &unlisted), CRYPT_E_REVOCATION_OFFLINE); /* 404 */
    interop_authority_write(&authority, "list.crl",
                            world_list(&authority.root, &listed, WORLD_DAY));
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    TEST_REQUIRE_EQUAL(judge(form, &unlisted), SEC_E_OK);
    TEST_REQUIRE_EQUAL(judge(form, &listed), CRYPT_E_REVOKED);
    char list[128];
    interop_authority_path(&authority, "list.crl", list, sizeof(list));
    unlink(list); /* for the next form */
    world_drop(&listed);
    world_drop(&unlisted);
    interop_nginx_stop(&nginx);
}

static const struct peer_case cases[] = {
    PEER_CASE(gnutls_cli_gets_our_staple),
    PEER_CASE(we_believe_what_gnutls_serv_staples),
    PEER_CASE(we_believe_what_nginx_staples),
    PEER_CASE(list_on_nginx_decides),
};

int main(void)
{
    static const struct peer_form *const forms[] = {&peer_forms[0], &peer_forms[1]};
    const struct peer_run how = {.group = "revocation with gnutls and nginx",
                                 .forms = forms,
                                 .form_count = PEER_FORMS,
                                 .set_up = set_up,
                                 .tear_down = tear_down,
                                 .before_each = before_each};

    interop_need("openssl");
    interop_need("gnutls-cli");
    interop_need("nginx");
    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
