/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Revocation, at clients and at servers: OCSP and lists over the network, what comes back from it
 * instead of an answer, what is remembered, stapled answers, deferred verdicts, and deadlines. All
 * of it in the synchronous and in the asynchronous form.
 */
#include <openssl/ocsp.h>
#include <opensspi.h>
#include <schannel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/dtls_peer.h"
#include "support/revocation_world.h"
#include "support/tls_async.h"

TEST_FORKS_WITH_THREADS;

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define END      SCH_CRED_REVOCATION_CHECK_END_CERT
#define CHAIN    SCH_CRED_REVOCATION_CHECK_CHAIN
#define NO_ROOT  SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT
#define OFFLINE  SCH_CRED_IGNORE_REVOCATION_OFFLINE
#define NO_CHECK SCH_CRED_IGNORE_NO_REVOCATION_CHECK

/* The authorities: inter can be asked about too. delegate may answer for inter, stranger for nobody
 * whom anybody knows. */
static struct world_identity root, inter, delegate, other_root, stranger;

static struct world_identity make_leaf(const char *ocsp, const char *list)
{
    const struct world_wish wish = {.name = "leaf",
                                    .issuer = &inter,
                                    .usage = "serverAuth,clientAuth",
                                    .alt_name = "DNS:" PEER_TARGET,
                                    .ocsp_path = ocsp,
                                    .list_path = list};

    return world_make(&wish);
}

static int set_up(void **state)
{
    struct world_wish wish = {.name = "world root", .authority = true};

    test_watchdog(110);
    (void)world_open(state);
    root = world_make(&wish);
    wish = (struct world_wish){
        .name = "world inter", .issuer = &root, .authority = true, .list_path = "/root-list"};
    inter = world_make(&wish);
    wish = (struct world_wish){.name = "delegate", .issuer = &inter, .usage = "OCSPSigning"};
    delegate = world_make(&wish);
    wish = (struct world_wish){.name = "other root", .authority = true};
    other_root = world_make(&wish);
    wish = (struct world_wish){.name = "stranger", .issuer = &other_root, .usage = "OCSPSigning"};
    stranger = world_make(&wish);
    world_trust(&root);
    return 0;
}

static int tear_down(void **state)
{
    struct world_identity *all[] = {&root, &inter, &delegate, &other_root, &stranger};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        world_drop(all[i]);
    return world_close(state);
}

static void forget_all(void)
{
    world_serve_nothing();
    world_serve_list("/root-list", &root, NULL);
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
}

static int before_each(void **state)
{
    (void)state;
    forget_all();
    return 0;
}

/* ---- connections ---- */

/* How two meet; all zero: TLS of any version, a client that verifies. */
struct meeting {
    const struct world_identity *server, *client;
    DWORD protocols, client_flags, server_flags;
};

static void acquire(struct peer_end *end, DWORD protocols, DWORD flags,
                    const struct world_identity *identity, HCERTSTORE roots)
{
    PCCERT_CONTEXT certificate = identity ? world_load(identity) : NULL;
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = certificate ? 1 : 0,
        .paCred = &certificate,
        .hRootStore = roots,
        .grbitEnabledProtocols = protocols,
        .dwFlags = flags,
    };

    TEST_REQUIRE_EQUAL(end->form->acquire((LPSTR)UNISP_NAME_A,
                                          end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                          &auth, &end->credential, &end->expiry),
                       SEC_E_OK);
    end->has_credential = true;
    CertFreeCertificateContext(certificate);
}

static void open_pair(struct peer_pair *pair, const struct peer_form *form,
                      const struct meeting *how)
{
    peer_end_init(&pair->client, form, false);
    peer_end_init(&pair->server, form, true);
    acquire(&pair->client, how->protocols, how->client_flags, how->client, NULL);
    acquire(&pair->server, 0, how->server_flags, how->server, NULL);
    if (how->client)
        pair->server.flags |= ASC_REQ_MUTUAL_AUTH;
}

/* The same over datagrams. */
static SECURITY_STATUS shake_by_datagrams(struct peer_pair *pair)
{
    struct dtls_pair datagrams;
    SECURITY_STATUS status;

    dtls_end_init(&datagrams.client, pair->client.form, false);
    dtls_end_init(&datagrams.server, pair->server.form, true);
    datagrams.client.end.credential = pair->client.credential;
    datagrams.server.end.credential = pair->server.credential;
    if (pair->server.flags & ASC_REQ_MUTUAL_AUTH)
        datagrams.server.end.flags |= ASC_REQ_MUTUAL_AUTH;
    status = dtls_handshake(&datagrams);
    dtls_disconnect(&datagrams);
    return status;
}

static SECURITY_STATUS meet(const struct peer_form *form, const struct meeting *how)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    open_pair(&pair, form, how);
    status = how->protocols & SP_PROT_DTLS1_X ? shake_by_datagrams(&pair) : peer_handshake(&pair);
    peer_close(&pair);
    return status;
}

/* What becomes of a client that meets this certificate. */
static SECURITY_STATUS meet_server(const struct peer_form *form, const struct world_identity *leaf,
                                   DWORD flags)
{
    const struct meeting how = {.server = leaf, .client_flags = flags};

    return meet(form, &how);
}

static void say(const char *path, const struct world_identity *about, int status)
{
    const struct world_saying saying = {.about = about, .status = status};

    world_serve_ocsp(path, &saying);
}

/* ---- asking ---- */

static void answers_decide(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL);

    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_GOOD);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
    TEST_REQUIRE_EQUAL(world_asked("/ocsp"), 1);
    forget_all();
    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_REVOKED);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOKED);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | OFFLINE | NO_CHECK), CRYPT_E_REVOKED);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, 0), SEC_E_OK);
    forget_all();
    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_UNKNOWN);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_NO_REVOCATION_CHECK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | OFFLINE), CRYPT_E_NO_REVOCATION_CHECK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | NO_CHECK), SEC_E_OK);
    world_drop(&leaf);
}

static void lists_decide(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf(NULL, "/list");

    world_serve_list("/list", &inter, NULL);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
    TEST_REQUIRE_EQUAL(world_asked("/list"), 1);
    forget_all();
    world_serve_list("/list", &inter, &leaf);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | OFFLINE | NO_CHECK), CRYPT_E_REVOKED);
    forget_all();
    world_serve_list("/list", &other_root, NULL); /* somebody else's */
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | OFFLINE), SEC_E_OK);
    world_drop(&leaf);
}

static void list_helps_where_the_responder_does_not(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", "/list");

    world_serve_list("/list", &inter, NULL); /* and /ocsp is not there */
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
    forget_all();
    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_UNKNOWN);
    world_serve_list("/list", &inter, &leaf);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOKED);
    world_drop(&leaf);
}

static void scope_says_whose_revocation_counts(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL);

    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_GOOD);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, CHAIN), SEC_E_OK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, NO_ROOT), SEC_E_OK);
    forget_all();
    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_GOOD);
    world_serve_list("/root-list", &root, &inter);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, CHAIN), CRYPT_E_REVOKED);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, NO_ROOT), CRYPT_E_REVOKED);
    forget_all();
    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_GOOD);
    world_serve("/root-list", WORLD_STATUS, 503, "text/plain", "busy", 4);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, CHAIN), CRYPT_E_REVOCATION_OFFLINE);
    forget_all();
    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_GOOD);
    world_serve_list("/root-list", &root, &root);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, NO_ROOT), SEC_E_OK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, CHAIN), CRYPT_E_REVOKED);
    world_drop(&leaf);
}

static void nobody_to_ask_is_not_offline(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf(NULL, NULL);

    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_NO_REVOCATION_CHECK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | OFFLINE), CRYPT_E_NO_REVOCATION_CHECK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | NO_CHECK), SEC_E_OK);
    world_drop(&leaf);
}

static void delegate_answers_and_a_stranger_does_not(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL);
    struct world_identity sibling = make_leaf(NULL, NULL);
    struct world_saying saying = {.about = &leaf, .signer = &delegate};

    world_serve_ocsp("/ocsp", &saying);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
    forget_all();
    saying.signer = &stranger;
    world_serve_ocsp("/ocsp", &saying);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
    forget_all();
    saying.signer = &sibling; /* of the same issuer, but no responder */
    world_serve_ocsp("/ocsp", &saying);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
    forget_all();
    saying = (struct world_saying){.about = &sibling};
    world_serve_ocsp("/ocsp", &saying);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
    world_drop(&leaf);
    world_drop(&sibling);
}

static void answer_out_of_date_counts_for_nothing(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", "/list");
    static const struct {
        long from, until;
    } times[] = {{-7200, -3600}, {3600, 7200}, {-3 * WORLD_DAY, 0}};

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        const struct world_saying saying = {
            .about = &leaf, .from = times[i].from, .until = times[i].until};
        struct world_bytes list = world_list(&inter, NULL, -60);
        forget_all();
        world_serve_ocsp("/ocsp", &saying);
        world_serve("/list", WORLD_ANSWER, 200, "application/pkix-crl", list.bytes, list.len);
        OPENSSL_free(list.bytes);
        TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
    }
    /* One that tells no end counts while it is fresh, and is not remembered. */
    const struct world_saying fresh = {.about = &leaf, .from = -60, .until = 0};
    forget_all();
    world_serve_ocsp("/ocsp", &fresh);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
    TEST_REQUIRE_EQUAL(world_asked("/ocsp"), 2);
    world_drop(&leaf);
}

/* ---- what comes instead of an answer ---- */

static void nonsense_is_no_answer(const struct peer_form *form)
{
    static const char html[] = "<html>sign in</html>";
    static const char bare[] = "HTTP/1.0 200 OK\r\n";
    static const char huge[] = "HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n"
                               "Content-Length: 99999999999\r\n\r\n\x30\x84\x7f\xff\xff\xff";
    static const char empty_der[] = "\x30\x00";
    static const struct {
        enum world_manner manner;
        int status;
        const char *type, *bytes;
        size_t len;
    } cases[] = {
        {WORLD_STATUS, 404, "text/html", html, sizeof(html) - 1},
        {WORLD_STATUS, 500, "application/ocsp-response", empty_der, 2},
        {WORLD_REDIRECT, 302, "text/html", NULL, 0},
        {WORLD_ANSWER, 200, "text/html", html, sizeof(html) - 1},
        {WORLD_ANSWER, 200, "application/ocsp-response", html, sizeof(html) - 1},
        {WORLD_ANSWER, 200, "application/ocsp-response", empty_der, 2},
        {WORLD_ANSWER, 200, "application/ocsp-response", "", 0},
        {WORLD_ANSWER, 200, "application/ocsp-response", "\x30\x82\x10\x00", 4},
        {WORLD_RAW, 0, NULL, "", 0},
        {WORLD_RAW, 0, NULL, "garbage\r\n\r\n", 11},
        {WORLD_RAW, 0, NULL, bare, sizeof(bare) - 1},
        {WORLD_RAW, 0, NULL, huge, sizeof(huge) - 1},
        {WORLD_ENDLESS, 200, "application/ocsp-response", NULL, 0},
        {WORLD_ENDLESS, 200, "application/ocsp-response", "\x30\x83\x7f\xff\xff", 5},
    };
    struct world_identity leaf = make_leaf("/bad", "/bad");

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        world_serve("/bad", cases[i].manner, cases[i].status, cases[i].type, cases[i].bytes,
                    cases[i].len);
        say("/moved", &leaf, V_OCSP_CERTSTATUS_GOOD);
        TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
        TEST_REQUIRE(world_asked("/bad") > 0);
        TEST_REQUIRE_EQUAL(world_asked("/moved"), 0);
    }
    world_drop(&leaf);
}

/* A good answer, cut off or changed at many places. */
static void damaged_answer_is_none(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/bad", NULL);
    const struct world_saying saying = {.about = &leaf};
    struct world_bytes good = world_ocsp(&saying);

    for (size_t at = 0; at < good.len; at += good.len / 12) {
        world_serve("/bad", WORLD_ANSWER, 200, "application/ocsp-response", good.bytes, at);
        TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
        good.bytes[at] ^= 0x5a;
        world_serve("/bad", WORLD_ANSWER, 200, "application/ocsp-response", good.bytes, good.len);
        good.bytes[at] ^= 0x5a;
        TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
    }
    OPENSSL_free(good.bytes);
    world_drop(&leaf);
}

static void refused_connection_is_offline(const struct peer_form *form)
{
    const struct world_wish wish = {.name = "leaf",
                                    .issuer = &inter,
                                    .usage = "serverAuth",
                                    .alt_name = "DNS:" PEER_TARGET,
                                    .ocsp_path = "/ocsp",
                                    .list_path = "/list",
                                    .port = 1}; /* nobody listens there */
    struct world_identity leaf = world_make(&wish);

    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), CRYPT_E_REVOCATION_OFFLINE);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | OFFLINE), SEC_E_OK);
    world_drop(&leaf);
}

/* ---- what is remembered ---- */

static void network_is_not_asked_where_that_is_forbidden(const struct peer_form *form)
{
    static const DWORD local[] = {SCH_CRED_REVOCATION_CHECK_CACHE_ONLY,
                                  SCH_CRED_CACHE_ONLY_URL_RETRIEVAL};
    struct world_identity leaf = make_leaf("/ocsp", NULL);

    for (size_t i = 0; i < COUNT_OF(local); i++) {
        forget_all();
        say("/ocsp", &leaf, V_OCSP_CERTSTATUS_GOOD);
        TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | local[i]), CRYPT_E_REVOCATION_OFFLINE);
        TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | local[i] | OFFLINE), SEC_E_OK);
        TEST_REQUIRE_EQUAL(world_asked("/ocsp"), 0);
        TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END), SEC_E_OK);
        TEST_REQUIRE_EQUAL(meet_server(form, &leaf, END | local[i]), SEC_E_OK); /* known now */
        TEST_REQUIRE_EQUAL(world_asked("/ocsp"), 1);
    }
    world_drop(&leaf);
}

static void answers_and_lists_are_remembered(const struct peer_form *form)
{
    struct world_identity by_ocsp = make_leaf("/ocsp", NULL), by_list = make_leaf(NULL, "/list");

    say("/ocsp", &by_ocsp, V_OCSP_CERTSTATUS_GOOD);
    world_serve_list("/list", &inter, NULL);
    for (int i = 0; i < 3; i++) {
        TEST_REQUIRE_EQUAL(meet_server(form, &by_ocsp, CHAIN), SEC_E_OK);
        TEST_REQUIRE_EQUAL(meet_server(form, &by_list, CHAIN), SEC_E_OK);
    }
    TEST_REQUIRE_EQUAL(world_asked("/ocsp"), 1);
    TEST_REQUIRE_EQUAL(world_asked("/list"), 1);
    TEST_REQUIRE_EQUAL(world_asked("/root-list"), 1);
    world_drop(&by_ocsp);
    world_drop(&by_list);
}

/* Not even what is remembered is looked at for the same credential and name; another credential
 * does, and a caller who forgets everything. */
static void good_verdict_holds_for_a_while(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL);
    const struct meeting how = {.server = &leaf, .client_flags = END | SCH_CRED_DISABLE_RECONNECTS};
    const struct world_saying good = {.about = &leaf, .from = -60, .until = 3600};
    struct peer_pair pair;

    world_serve_ocsp("/ocsp", &good);
    open_pair(&pair, form, &how);
    for (int i = 0; i < 3; i++) {
        TEST_REQUIRE_EQUAL(peer_handshake(&pair), SEC_E_OK);
        peer_disconnect(&pair);
        say("/ocsp", &leaf, V_OCSP_CERTSTATUS_REVOKED);
    }
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    TEST_REQUIRE_EQUAL(peer_handshake(&pair), CRYPT_E_REVOKED);
    peer_disconnect(&pair);
    TEST_REQUIRE_EQUAL(peer_handshake(&pair), CRYPT_E_REVOKED);
    peer_close(&pair);
    world_drop(&leaf);
}

/* What was overlooked is looked at again. */
static void overlooked_is_not_remembered(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL);
    const struct meeting how = {.server = &leaf,
                                .client_flags = END | OFFLINE | SCH_CRED_DISABLE_RECONNECTS};
    struct peer_pair pair;

    open_pair(&pair, form, &how);
    TEST_REQUIRE_EQUAL(peer_handshake(&pair), SEC_E_OK);
    peer_disconnect(&pair);
    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_REVOKED);
    TEST_REQUIRE_EQUAL(peer_handshake(&pair), CRYPT_E_REVOKED);
    peer_close(&pair);
    world_drop(&leaf);
}

/* ---- deferred ---- */

static SecPkgContext_CertificateValidationResult check_of(struct peer_end *end)
{
    SecPkgContext_CertificateValidationResult result = {0};

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_CERT_CHECK_RESULT, &result), SEC_E_OK);
    return result;
}

static void deferred_verdict_fails_nothing_and_is_told(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL), lone = make_leaf(NULL, NULL);
    const struct world_wish alien_wish = {
        .name = "alien", .issuer = &other_root, .alt_name = "DNS:other.test"};
    struct world_identity alien = world_make(&alien_wish);
    const struct {
        const struct world_identity *leaf;
        DWORD flags, error;
        HRESULT result;
    } cases[] = {
        {&leaf, END, CERT_TRUST_IS_REVOKED, CRYPT_E_REVOKED},
        {&leaf, 0, 0, 0},
        {&lone, END, CERT_TRUST_REVOCATION_STATUS_UNKNOWN, CRYPT_E_NO_REVOCATION_CHECK},
        {&alien, 0, CERT_TRUST_IS_PARTIAL_CHAIN, CERT_E_CHAINING},
    };

    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_REVOKED);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct meeting how = {.server = cases[i].leaf,
                                    .client_flags =
                                        cases[i].flags | SCH_CRED_DEFERRED_CRED_VALIDATION};
        struct peer_pair pair;
        open_pair(&pair, form, &how);
        TEST_REQUIRE_EQUAL(peer_handshake(&pair), SEC_E_OK);
        TEST_REQUIRE_EQUAL(check_of(&pair.client).hrVerifyChainStatus, cases[i].result);
        TEST_REQUIRE_EQUAL(check_of(&pair.client).dwChainErrorStatus & cases[i].error,
                           cases[i].error);
        peer_close(&pair);
    }
    world_drop(&leaf);
    world_drop(&lone);
    world_drop(&alien);
}

/* The flag of the context stands above bit 31, and travels in a buffer. Only the first leg's
 * counts. */
static void deferred_by_a_wide_flag(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL);
    const struct meeting how = {.server = &leaf, .client_flags = END};
    SEC_FLAGS wide = {ISC_REQ_DEFERRED_CRED_VALIDATION};
    uint8_t *out = malloc(PEER_OUT_SIZE);
    struct peer_pair pair;

    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_REVOKED);
    open_pair(&pair, form, &how);
    struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, PEER_OUT_SIZE);
    leg.in[leg.in_count++] = (SecBuffer){sizeof(wide), SECBUFFER_FLAGS, &wide};
    TEST_REQUIRE_EQUAL(peer_leg_run(&pair.client, &leg), SEC_I_CONTINUE_NEEDED);
    peer_push(&pair.server.in, out, leg.out[0].cbBuffer);
    TEST_REQUIRE_EQUAL(peer_handshake(&pair), SEC_E_OK);
    TEST_REQUIRE_EQUAL(check_of(&pair.client).hrVerifyChainStatus, CRYPT_E_REVOKED);
    peer_close(&pair);
    free(out);
    world_drop(&leaf);
}

/* ---- servers ---- */

static void client_certificate_is_asked_about(const struct peer_form *form)
{
    static const DWORD versions[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT,
                                     SP_PROT_DTLS1_2_CLIENT};
    struct world_identity server = make_leaf(NULL, NULL);

    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct world_identity client = make_leaf("/ocsp", NULL);
        const struct meeting how = {.server = &server,
                                    .client = &client,
                                    .protocols = versions[i],
                                    .server_flags = CHAIN | SCH_CRED_DISABLE_RECONNECTS};
        forget_all();
        say("/ocsp", &client, V_OCSP_CERTSTATUS_GOOD);
        TEST_REQUIRE_EQUAL(meet(form, &how), SEC_E_OK);
        TEST_REQUIRE_EQUAL(world_asked("/ocsp"), 1);
        forget_all();
        say("/ocsp", &client, V_OCSP_CERTSTATUS_REVOKED);
        TEST_REQUIRE_EQUAL(meet(form, &how), CRYPT_E_REVOKED);
        forget_all();
        TEST_REQUIRE_EQUAL(meet(form, &how), CRYPT_E_REVOCATION_OFFLINE);
        world_drop(&client);
    }
    world_drop(&server);
}

/* A handshake over datagrams stands still in the middle of one, and goes on there. */
static void datagrams_wait_for_the_answer(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL);
    const struct meeting how = {
        .server = &leaf, .protocols = SP_PROT_DTLS1_2_CLIENT, .client_flags = END};

    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_GOOD);
    TEST_REQUIRE_EQUAL(meet(form, &how), SEC_E_OK);
    TEST_REQUIRE_EQUAL(world_asked("/ocsp"), 1);
    forget_all();
    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_REVOKED);
    TEST_REQUIRE_EQUAL(meet(form, &how), CRYPT_E_REVOKED);
    world_drop(&leaf);
}

/* ---- stapling ---- */

struct stapling {
    const struct peer_form *form;
    struct meeting how;
    SECURITY_STATUS expected, last;
    struct peer_pair pair;
};

static bool staple_has_come(void *data)
{
    struct stapling *stapling = data;

    stapling->last = peer_handshake(&stapling->pair);
    peer_disconnect(&stapling->pair);
    return stapling->last == stapling->expected;
}

/* The client may ask nobody: only what is stapled can tell it. While the server has no answer yet,
 * the client is offline, and the server does not wait. */
static void run_stapling(const struct peer_form *form, DWORD version, int status,
                         SECURITY_STATUS expected)
{
    struct world_identity leaf = make_leaf("/ocsp", NULL);
    struct stapling stapling = {
        .form = form,
        .how = {.server = &leaf,
                .protocols = version,
                .client_flags =
                    END | SCH_CRED_REVOCATION_CHECK_CACHE_ONLY | SCH_CRED_DISABLE_RECONNECTS,
                .server_flags = SCH_CRED_SNI_ENABLE_OCSP},
        .expected = expected,
    };

    forget_all();
    say("/ocsp", &leaf, status);
    open_pair(&stapling.pair, form, &stapling.how);
    test_poll(staple_has_come, &stapling);
    TEST_REQUIRE_EQUAL(world_asked("/ocsp"), 1);
    peer_close(&stapling.pair);
    world_drop(&leaf);
}

static void server_staples_and_client_believes(const struct peer_form *form)
{
    static const DWORD versions[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT};

    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        run_stapling(form, versions[i], V_OCSP_CERTSTATUS_GOOD, SEC_E_OK);
        run_stapling(form, versions[i], V_OCSP_CERTSTATUS_REVOKED, CRYPT_E_REVOKED);
    }
}

/* ---- threads and children ---- */

struct crowd {
    const struct peer_form *form;
    const struct world_identity *leaf;
};

static void *meet_often(void *data)
{
    const struct crowd *crowd = data;

    for (uint32_t i = 0; i < 12; i++) {
        TEST_REQUIRE_EQUAL(meet_server(crowd->form, crowd->leaf, CHAIN), SEC_E_OK);
        if (i % 5 == 4)
            TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    }
    return NULL;
}

static void threads_share_what_is_remembered(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf("/ocsp", "/list");
    struct crowd crowd = {form, &leaf};
    pthread_t threads[4];

    say("/ocsp", &leaf, V_OCSP_CERTSTATUS_GOOD);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        threads[i] = test_thread_start(meet_often, &crowd);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        test_thread_join(threads[i]);
    world_drop(&leaf);
}

static int meet_in_child(void *data)
{
    const struct crowd *crowd = data;

    return meet_server(crowd->form, crowd->leaf, CHAIN) == SEC_E_OK ? 0 : 1;
}

/* It has the answers of its parent, but not the parent's lists, which are objects of the parent's
 * TLS library: it asks for them anew. */
static void child_goes_on_by_itself(const struct peer_form *form)
{
    struct world_identity leaf = make_leaf(NULL, "/list");
    struct crowd crowd = {form, &leaf};

    world_serve_list("/list", &inter, NULL);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, CHAIN), SEC_E_OK);
    test_await_quiet();
    TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(meet_in_child, &crowd)), 0);
    TEST_REQUIRE_EQUAL(world_asked("/list"), 2);
    TEST_REQUIRE_EQUAL(meet_server(form, &leaf, CHAIN), SEC_E_OK);
    TEST_REQUIRE_EQUAL(world_asked("/list"), 2);
    world_drop(&leaf);
}

/* ---- deadlines ---- */

/* Asynchronous calls that have to be over soon; one callback each. */
struct hurried_waiter {
    SspiAsyncContext *async;
    struct test_counter called;
};

static void hurried_done(SspiAsyncContext *async, void *data)
{
    (void)async;
    test_counter_add(data, 1);
}

static void hurried_prepare(struct hurried_waiter *waiter)
{
    test_counter_init(&waiter->called);
    waiter->async = SspiCreateAsyncContext();
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(waiter->async, hurried_done, &waiter->called),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(waiter->async, 1500), SEC_E_OK);
}

static SECURITY_STATUS hurried_finish(struct hurried_waiter *waiter, SECURITY_STATUS queued)
{
    if (queued == SEC_E_OK) {
        test_counter_await(&waiter->called, 1);
        queued = SspiGetAsyncCallStatus(waiter->async);
    }
    SspiFreeAsyncContext(waiter->async);
    TEST_REQUIRE_EQUAL(test_counter_get(&waiter->called), 1);
    return queued;
}

PEER_ASYNC_CALLS(hurried)

static bool nobody_waits(void *data)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&now), SEC_E_OK);
    return now.calls_abandoned_running == 0 && world_connections() == 0;
}

/* A responder that accepts and never answers, met by a client and by a server. */
static void silence_ends_with_the_deadline_of_the_leg(const struct peer_form *form)
{
    static const struct peer_form hurried = PEER_ASYNC_FORM(hurried);
    struct world_identity leaf = make_leaf("/ocsp", NULL), client = make_leaf("/ocsp", NULL);
    const struct meeting meetings[] = {
        {.server = &leaf, .client_flags = END | OFFLINE},
        {.server = &leaf, .client = &client, .server_flags = END | OFFLINE},
    };

    for (size_t i = 0; form == PEER_ASYNC && i < COUNT_OF(meetings); i++) {
        struct peer_pair pair;
        world_serve("/ocsp", WORLD_SILENT, 200, "x", NULL, 0);
        open_pair(&pair, form, &meetings[i]);
        struct peer_end *waits = i == 0 ? &pair.client : &pair.server;
        waits->form = &hurried;
        TEST_REQUIRE_EQUAL(peer_handshake(&pair), HRESULT_FROM_WIN32(ERROR_TIMEOUT));
        waits->form = form;
        TEST_REQUIRE_EQUAL(peer_step(waits, i == 0 ? &pair.server : &pair.client),
                           SEC_E_CONTEXT_EXPIRED);
        test_poll(nobody_waits, NULL);
        peer_close(&pair);
    }
    world_drop(&leaf);
    world_drop(&client);
}

/* ---- */

static const struct peer_case cases[] = {
    PEER_CASE(answers_decide),
    PEER_CASE(lists_decide),
    PEER_CASE(list_helps_where_the_responder_does_not),
    PEER_CASE(scope_says_whose_revocation_counts),
    PEER_CASE(nobody_to_ask_is_not_offline),
    PEER_CASE(delegate_answers_and_a_stranger_does_not),
    PEER_CASE(answer_out_of_date_counts_for_nothing),
    PEER_CASE(nonsense_is_no_answer),
    PEER_CASE(damaged_answer_is_none),
    PEER_CASE(refused_connection_is_offline),
    PEER_CASE(network_is_not_asked_where_that_is_forbidden),
    PEER_CASE(answers_and_lists_are_remembered),
    PEER_CASE(good_verdict_holds_for_a_while),
    PEER_CASE(overlooked_is_not_remembered),
    PEER_CASE(deferred_verdict_fails_nothing_and_is_told),
    PEER_CASE(deferred_by_a_wide_flag),
    PEER_CASE(client_certificate_is_asked_about),
    PEER_CASE(datagrams_wait_for_the_answer),
    PEER_CASE(server_staples_and_client_believes),
    PEER_CASE(threads_share_what_is_remembered),
    PEER_CASE(child_goes_on_by_itself),
    PEER_CASE(silence_ends_with_the_deadline_of_the_leg),
};

int main(void)
{
    static const struct peer_form *const forms[] = {&peer_forms[0], &peer_forms[1]};
    const struct peer_run how = {.group = "revocation",
                                 .forms = forms,
                                 .form_count = PEER_FORMS,
                                 .set_up = set_up,
                                 .tear_down = tear_down,
                                 .before_each = before_each};

    return peer_run_cases_in(&how, cases, COUNT_OF(cases));
}
