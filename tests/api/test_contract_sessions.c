/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: a server's sessions by id, for clients of TLS 1.2 that take no tickets. They serve
 * whatever thread and shard the client comes back to, and end with all that ends a ticket;
 * SCHANNEL_SESSION_TOKEN switches them on and off; SESSION_INFO says on both sides what happened.
 *
 * The client is OpenSSL, which can be told to take no tickets, and ours at a server that issues
 * none.
 */
#include <opensspi.h>
#include <string.h>
#include <unistd.h>

#include "support/tls_raw.h"

static const SCHANNEL_SESSION_TOKEN enable_token = {SCHANNEL_SESSION,
                                                    SSL_SESSION_ENABLE_RECONNECTS};
static const SCHANNEL_SESSION_TOKEN disable_token = {SCHANNEL_SESSION,
                                                     SSL_SESSION_DISABLE_RECONNECTS};

static bool resumed(struct peer_end *end)
{
    SecPkgContext_SessionInfo info;

    memset(&info, 0x5A, sizeof(info));
    assert_int_equal(QueryContextAttributesA(&end->context, SECPKG_ATTR_SESSION_INFO, &info),
                     SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

/* A client without tickets, and the session that it has. */
struct visitor {
    struct raw_peer raw;
    SSL_SESSION *session; /* NULL: none */
};

static void open_visitor(struct visitor *visitor)
{
    raw_open(&visitor->raw, false, TLS1_2_VERSION, NULL);
    SSL_CTX_set_options(visitor->raw.ctx, SSL_OP_NO_TICKET);
    visitor->session = NULL;
}

static void close_visitor(struct visitor *visitor)
{
    SSL_SESSION_free(visitor->session);
    raw_close(&visitor->raw);
}

static void take_session(struct visitor *visitor)
{
    SSL_SESSION_free(visitor->session);
    visitor->session = SSL_get1_session(visitor->raw.ssl);
    TEST_REQUIRE(visitor->session != NULL);
}

/* Comes back with what it has; the connection stays open. Was it resumed? Both sides agree. */
static bool visit(struct visitor *visitor, struct peer_end *server)
{
    unsigned int len = 0;

    SSL_set_shutdown(visitor->raw.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    raw_again(&visitor->raw, false);
    if (visitor->session != NULL)
        TEST_REQUIRE(SSL_set_session(visitor->raw.ssl, visitor->session) == 1);
    TEST_REQUIRE_EQUAL(raw_handshake(&visitor->raw, server), SEC_E_OK);
    raw_exchange(&visitor->raw, server);
    const bool again = resumed(server);
    assert_int_equal(SSL_session_reused(visitor->raw.ssl), again);
    take_session(visitor);
    (void)SSL_SESSION_get_id(visitor->session, &len);
    assert_int_equal(len, 32);
    return again;
}

static bool visit_once(struct visitor *visitor, struct peer_end *server)
{
    const bool again = visit(visitor, server);

    peer_end_disconnect(server);
    return again;
}

static void open_server(struct peer_end *server, const struct peer_form *form, DWORD flags,
                        const char *certificate)
{
    peer_end_init(server, form, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(server, 0, flags, certificate, false), SEC_E_OK);
}

/* ---- they serve ---- */

static void clients_without_tickets_resume_by_id(const struct peer_form *form)
{
    struct peer_end server;
    struct visitor visitor;

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    assert_false(visit_once(&visitor, &server));
    for (int i = 0; i < 5; i++)
        assert_true(visit_once(&visitor, &server));
    peer_end_free(&server);
    close_visitor(&visitor);
}

struct round {
    struct visitor *visitor;
    struct peer_end *server;
    bool again;
};

static void *visit_on_a_thread(void *data)
{
    struct round *round = data;

    round->again = visit_once(round->visitor, round->server);
    return NULL;
}

/* Each thread has a shard of its own, as far as there are some. */
static void they_serve_in_all_shards(const struct peer_form *form)
{
    struct peer_end server;
    struct visitor visitor;
    struct round round = {&visitor, &server, false};

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    assert_false(visit_once(&visitor, &server));
    for (int i = 0; i < 8; i++) {
        test_thread_join(test_thread_start(visit_on_a_thread, &round));
        assert_true(round.again);
    }
    peer_end_free(&server);
    close_visitor(&visitor);
}

#define VISITORS 4

static void *visit_again_and_again(void *data)
{
    const struct peer_form *form = data;
    struct peer_end server;
    struct visitor visitor;

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    TEST_REQUIRE(!visit_once(&visitor, &server));
    for (int i = 0; i < 10; i++)
        TEST_REQUIRE(visit_once(&visitor, &server));
    peer_end_free(&server);
    close_visitor(&visitor);
    return NULL;
}

static void many_at_once(const struct peer_form *form)
{
    pthread_t threads[VISITORS];

    for (int i = 0; i < VISITORS; i++)
        threads[i] = test_thread_start(visit_again_and_again, (void *)(uintptr_t)form);
    for (int i = 0; i < VISITORS; i++)
        test_thread_join(threads[i]);
}

/* What was known of both sides is known again. */
static void a_resumed_server_knows_the_certificates(const struct peer_form *form)
{
    static const ULONG attributes[] = {SECPKG_ATTR_REMOTE_CERT_CONTEXT,
                                       SECPKG_ATTR_LOCAL_CERT_CONTEXT};
    char path[512];
    struct peer_end server;
    struct visitor visitor;

    open_visitor(&visitor);
    peer_path("client", ".pem", path, sizeof(path));
    TEST_REQUIRE(SSL_CTX_use_certificate_chain_file(visitor.raw.ctx, path) == 1);
    peer_path("client", ".key", path, sizeof(path));
    TEST_REQUIRE(SSL_CTX_use_PrivateKey_file(visitor.raw.ctx, path, SSL_FILETYPE_PEM) == 1);
    open_server(&server, form, 0, "server");
    server.flags |= ASC_REQ_MUTUAL_AUTH;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(visit(&visitor, &server), i > 0);
        assert_true(server.attributes & ASC_RET_MUTUAL_AUTH);
        for (size_t j = 0; j < 2; j++) {
            PCCERT_CONTEXT certificate = NULL;

            assert_int_equal(QueryContextAttributesA(&server.context, attributes[j], &certificate),
                             SEC_E_OK);
            CertFreeCertificateContext(certificate);
        }
        peer_end_disconnect(&server);
    }
    peer_end_free(&server);
    close_visitor(&visitor);
}

/* ---- they do not serve ---- */

static void another_certificate_or_policy_does_not_resume(const struct peer_form *form)
{
    struct peer_end server, same, other, stricter;
    struct visitor visitor;

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    open_server(&same, form, 0, "server");
    open_server(&other, form, 0, "server-rsa");
    open_server(&stricter, form, SCH_CRED_REVOCATION_CHECK_CHAIN, "server");
    assert_false(visit_once(&visitor, &server));
    assert_true(visit_once(&visitor, &same)); /* as with a ticket: it is the same */
    assert_false(visit_once(&visitor, &other));
    assert_false(visit_once(&visitor, &server));
    assert_false(visit_once(&visitor, &stricter));
    assert_false(visit_once(&visitor, &server));
    server.flags |= ASC_REQ_MUTUAL_AUTH; /* a connection that asks for a certificate */
    assert_false(visit_once(&visitor, &server));
    peer_end_free(&server);
    peer_end_free(&same);
    peer_end_free(&other);
    peer_end_free(&stricter);
    close_visitor(&visitor);
}

static void they_go_with_the_credential_that_made_them(const struct peer_form *form)
{
    struct peer_end server, same;
    struct visitor visitor;

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    open_server(&same, form, 0, "server");
    assert_false(visit_once(&visitor, &server));
    assert_true(visit_once(&visitor, &same));
    peer_end_free(&server);
    assert_false(visit_once(&visitor, &same));
    assert_true(visit_once(&visitor, &same));
    peer_end_free(&same);
    close_visitor(&visitor);
}

static void a_renewed_certificate_does_not_resume(const struct peer_form *form)
{
    PCCERT_CONTEXT renewed = peer_certificate("server-rsa");
    struct peer_end server;
    struct visitor visitor;
    TimeStamp expiry;

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    assert_false(visit_once(&visitor, &server));
    assert_true(visit_once(&visitor, &server));
    assert_int_equal(OsspiRenewCredential(&server.credential, &renewed, 1, &expiry), SEC_E_OK);
    assert_false(visit_once(&visitor, &server));
    assert_true(visit_once(&visitor, &server));
    CertFreeCertificateContext(renewed);
    peer_end_free(&server);
    close_visitor(&visitor);
}

/* Resuming does not make it live longer. */
static void the_lifespan_ends_them(const struct peer_form *form)
{
    PCCERT_CONTEXT certificate = peer_certificate("server");
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = 1,
        .paCred = &certificate,
        .dwSessionLifespan = 2000,
    };
    struct peer_end server;
    struct visitor visitor;
    TimeStamp expiry;

    if (form != PEER_SYNC) { /* once is enough to wait */
        CertFreeCertificateContext(certificate);
        return;
    }
    open_visitor(&visitor);
    peer_end_init(&server, form, true);
    assert_int_equal(
        form->acquire((LPSTR)UNISP_NAME_A, SECPKG_CRED_INBOUND, &auth, &server.credential, &expiry),
        SEC_E_OK);
    server.has_credential = true;
    assert_false(visit_once(&visitor, &server));
    (void)visit_once(&visitor, &server); /* under load its time may be over already */
    sleep(3);
    assert_false(visit_once(&visitor, &server));
    peer_end_free(&server);
    CertFreeCertificateContext(certificate);
    close_visitor(&visitor);
}

static void a_connection_that_breaks_takes_its_session_along(const struct peer_form *form)
{
    static const uint8_t damaged[] = {23, 3,  3,  0,  32, 1,  2,  3,  4,  5,  6,  7,  8,
                                      9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                      22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
    struct peer_end server;
    struct visitor visitor;
    char data[64];
    size_t len;

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    assert_false(visit_once(&visitor, &server));
    assert_true(visit(&visitor, &server));
    peer_push(&server.in, damaged, sizeof(damaged));
    assert_int_equal(peer_receive(&server, data, sizeof(data), &len), SEC_E_MESSAGE_ALTERED);
    peer_end_disconnect(&server);
    assert_false(visit_once(&visitor, &server));
    peer_end_free(&server);
    close_visitor(&visitor);
}

static void ssl_empty_cache_drops_a_servers_too(const struct peer_form *form)
{
    struct peer_end server;
    struct visitor visitor;

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    assert_false(visit_once(&visitor, &server));
    assert_true(SslEmptyCacheA((LPSTR)PEER_TARGET, 0)); /* a client's word for its server */
    assert_true(visit_once(&visitor, &server));
    assert_true(SslEmptyCacheA(NULL, 0));
    assert_false(visit_once(&visitor, &server));
    assert_true(visit_once(&visitor, &server));
    assert_true(SslEmptyCacheW(NULL, 0));
    assert_false(visit_once(&visitor, &server));
    peer_end_free(&server);
    close_visitor(&visitor);
}

/* ---- SCHANNEL_SESSION_TOKEN ---- */

/* The session is there, but serves only from the token on. */
static void s3_2_disable_reconnects_until_a_token_enables(const struct peer_form *form)
{
    struct peer_end server;
    struct visitor visitor;

    open_visitor(&visitor);
    open_server(&server, form, SCH_CRED_DISABLE_RECONNECTS, "server");
    for (int i = 0; i < 3; i++)
        assert_false(visit_once(&visitor, &server));
    assert_false(visit(&visitor, &server));
    assert_int_equal(peer_control(&server, &enable_token, sizeof(enable_token)), SEC_E_OK);
    peer_end_disconnect(&server);
    assert_true(visit_once(&visitor, &server));
    assert_true(visit(&visitor, &server));
    assert_int_equal(peer_control(&server, &disable_token, sizeof(disable_token)), SEC_E_OK);
    peer_end_disconnect(&server);
    assert_false(visit_once(&visitor, &server));
    peer_end_free(&server);
    close_visitor(&visitor);
}

static void s3_8_a_token_disables_and_enables_again(const struct peer_form *form)
{
    struct peer_end server;
    struct visitor visitor;

    open_visitor(&visitor);
    open_server(&server, form, 0, "server");
    assert_false(visit(&visitor, &server));
    assert_int_equal(peer_control(&server, &disable_token, sizeof(disable_token)), SEC_E_OK);
    assert_int_equal(peer_control(&server, &enable_token, sizeof(enable_token)), SEC_E_OK);
    peer_end_disconnect(&server);
    assert_true(visit(&visitor, &server));
    assert_int_equal(peer_control(&server, &disable_token, sizeof(disable_token)), SEC_E_OK);
    peer_end_disconnect(&server);
    assert_false(visit_once(&visitor, &server));
    peer_end_free(&server);
    close_visitor(&visitor);
}

/* Ours as a client, at a server that issues no tickets and is told to let them come back. In TLS
 * 1.3 there are no ids, and the ticket of such a connection is not taken (contract.resume). */
static void s3_8_our_clients_resume_by_id_too(const struct peer_form *form)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_2_CLIENT,
                                     .server_flags = SCH_CRED_DISABLE_RECONNECTS};
    struct peer_pair pair;

    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, &setup);
    for (int i = 0; i < 6; i++) {
        peer_connect(&pair);
        peer_exchange(&pair);
        assert_int_equal(resumed(&pair.client), i > 1);
        assert_int_equal(resumed(&pair.server), i > 1);
        if (i == 1)
            assert_int_equal(peer_control(&pair.server, &enable_token, sizeof(enable_token)),
                             SEC_E_OK);
        peer_disconnect(&pair);
    }
    peer_close(&pair);
}

/* Before the handshake is over: the session that comes out of it is the one meant. */
static void s3_8_a_token_in_the_handshake_counts(const struct peer_form *form)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_2_CLIENT,
                                     .server_flags = SCH_CRED_DISABLE_RECONNECTS};
    struct peer_pair pair;

    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, &setup);
    peer_half_connect(&pair);
    assert_int_equal(peer_control(&pair.server, &enable_token, sizeof(enable_token)), SEC_E_OK);
    peer_connect(&pair);
    assert_false(resumed(&pair.server));
    peer_disconnect(&pair);
    peer_half_connect(&pair); /* resumed, and no more */
    assert_int_equal(peer_control(&pair.server, &disable_token, sizeof(disable_token)), SEC_E_OK);
    peer_connect(&pair);
    assert_true(resumed(&pair.server));
    assert_true(resumed(&pair.client));
    peer_disconnect(&pair);
    peer_connect(&pair);
    assert_false(resumed(&pair.server));
    peer_close(&pair);
}

/* ---- fork ---- */

struct forked {
    struct peer_end server;
    struct visitor visitor;
};

static int in_child(void *data)
{
    struct forked *forked = data;

    if (visit_once(&forked->visitor, &forked->server))
        return 1;
    return visit_once(&forked->visitor, &forked->server) ? 0 : 2; /* its own one */
}

static void a_child_begins_without_any(const struct peer_form *form)
{
    struct forked forked;

    if (form != PEER_SYNC || TEST_SANITIZED)
        return; /* a child has no workers of the parent's, and sanitizers' locks are not for forks
                 */
    open_visitor(&forked.visitor);
    open_server(&forked.server, form, 0, "server");
    assert_false(visit_once(&forked.visitor, &forked.server));
    test_await_quiet();
    assert_int_equal(test_child_join(test_child_fork(in_child, &forked)), 0);
    assert_true(visit_once(&forked.visitor, &forked.server));
    peer_end_free(&forked.server);
    close_visitor(&forked.visitor);
}

/* ---- what is not there ---- */

static void s3_3_flags_and_buffers_that_are_not_there(const struct peer_form *form)
{
    static const unsigned long long flags[] = {ISC_REQ_REUSE_SESSION_TICKETS,
                                               ISC_REQ_EXPLICIT_SESSION};
    static const ULONG types[] = {SECBUFFER_APP_SESSION_STATE, SECBUFFER_SESSION_TICKET};
    struct peer_pair pair;
    uint8_t out[8192];

    peer_open(&pair, form, NULL);
    for (int i = 0; i < 4; i++) {
        struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));
        SEC_FLAGS wide = {flags[i % 2]};

        leg.in[leg.in_count++] = i < 2 ? (SecBuffer){sizeof(wide), SECBUFFER_FLAGS, &wide}
                                       : (SecBuffer){sizeof(wide), types[i % 2], &wide};
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_UNSUPPORTED_FUNCTION);
        peer_disconnect(&pair);
    }
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    for (int i = 0; i < 3; i++) {
        struct peer_leg leg =
            peer_leg_of(&pair.server, pair.server.in.bytes, pair.server.in.len, out, sizeof(out));
        SEC_FLAGS wide = {ASC_REQ_EXPLICIT_SESSION};

        leg.in[leg.in_count++] = i < 1 ? (SecBuffer){sizeof(wide), SECBUFFER_FLAGS, &wide}
                                       : (SecBuffer){sizeof(wide), types[i % 2], &wide};
        assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_UNSUPPORTED_FUNCTION);
    }
    peer_connect(&pair); /* and nothing was taken */
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(clients_without_tickets_resume_by_id),
        PEER_CASE(they_serve_in_all_shards),
        PEER_CASE(many_at_once),
        PEER_CASE(a_resumed_server_knows_the_certificates),
        PEER_CASE(another_certificate_or_policy_does_not_resume),
        PEER_CASE(they_go_with_the_credential_that_made_them),
        PEER_CASE(a_renewed_certificate_does_not_resume),
        PEER_CASE(the_lifespan_ends_them),
        PEER_CASE(a_connection_that_breaks_takes_its_session_along),
        PEER_CASE(ssl_empty_cache_drops_a_servers_too),
        PEER_CASE(s3_2_disable_reconnects_until_a_token_enables),
        PEER_CASE(s3_8_a_token_disables_and_enables_again),
        PEER_CASE(s3_8_our_clients_resume_by_id_too),
        PEER_CASE(s3_8_a_token_in_the_handshake_counts),
        PEER_CASE(a_child_begins_without_any),
        PEER_CASE(s3_3_flags_and_buffers_that_are_not_there),
    };

    return peer_run_cases("contract.sessions", cases, sizeof(cases) / sizeof(cases[0]));
}
