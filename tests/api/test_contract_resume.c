/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: resumption. A session serves the same credential, the same name and a policy that is
 * not stronger than the one it was made under; everything that looks alike but is not must begin
 * anew. TLS 1.2 and 1.3.
 */
#include <opensspi.h>
#include <string.h>

#include "support/tls_raw.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

static bool resumed(struct peer_end *end)
{
    SecPkgContext_SessionInfo info;

    memset(&info, 0x5A, sizeof(info));
    assert_int_equal(QueryContextAttributesA(&end->context, SECPKG_ATTR_SESSION_INFO, &info),
                     SEC_E_OK);
    assert_true(info.cbSessionId <= sizeof(info.rgbSessionId));
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

/* Connects, takes in the tickets, tells whether both sides resumed. */
static bool connect_resumes(struct peer_pair *pair)
{
    bool client;

    peer_connect(pair);
    peer_exchange(pair);
    client = resumed(&pair->client);
    assert_int_equal(client, resumed(&pair->server));
    return client;
}

/* A connection that left a session behind, and its end. */
static void open_with_session(struct peer_pair *pair, const struct peer_form *form,
                              const struct peer_setup *setup)
{
    SslEmptyCacheA(NULL, 0);
    peer_open(pair, form, setup);
    assert_false(connect_resumes(pair));
    peer_disconnect(pair);
}

static void s3_8_same_name_and_credential_resume(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;

        open_with_session(&pair, form, &setup);
        for (int i = 0; i < 5; i++) {
            assert_true(connect_resumes(&pair));
            peer_disconnect(&pair);
        }
        pair.client.target = "SERVER.TEST."; /* the same name */
        assert_true(connect_resumes(&pair));
        peer_close(&pair);
    }
}

static void s3_8_another_name_or_none_does_not_resume(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;

        open_with_session(&pair, form, &setup);
        pair.client.target = "localhost";
        assert_false(connect_resumes(&pair));
        peer_disconnect(&pair);
        pair.client.target = "127.0.0.1";
        assert_false(connect_resumes(&pair));
        peer_close(&pair);
    }
    {
        const struct peer_setup setup = {.client_flags = SCH_CRED_NO_SERVERNAME_CHECK};
        struct peer_pair pair;

        peer_open(&pair, form, &setup);
        pair.client.target = NULL;
        for (int i = 0; i < 3; i++) {
            assert_false(connect_resumes(&pair));
            peer_disconnect(&pair);
        }
        peer_close(&pair);
    }
}

static void s3_8_another_credential_does_not_resume(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair, other;

        open_with_session(&pair, form, &setup);
        peer_end_init(&other.client, form, false);
        assert_int_equal(peer_end_acquire(&other.client, protocols[p], 0, NULL, false), SEC_E_OK);
        other.server = pair.server;
        assert_false(connect_resumes(&other));
        peer_disconnect(&other);
        assert_true(connect_resumes(&pair)); /* its own is still there */
        peer_end_free(&other.client);
        peer_close(&pair);
    }
}

/* A credential's sessions go with it, also when the next one gets its place. */
static void sessions_end_with_their_credential(const struct peer_form *form)
{
    struct peer_pair pair;

    for (int i = 0; i < 3; i++) {
        peer_open(&pair, form, NULL);
        assert_false(connect_resumes(&pair));
        peer_close(&pair);
    }
}

static void sessions_made_without_verification_never_serve_with_it(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p], .certificate = "selfsigned"};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        pair.client.target = "localhost";
        pair.client.flags |= ISC_REQ_MANUAL_CRED_VALIDATION;
        for (int i = 0; i < 3; i++) { /* as many sessions as there can be */
            (void)connect_resumes(&pair);
            peer_disconnect(&pair);
        }
        assert_true(connect_resumes(&pair));
        peer_disconnect(&pair);
        pair.client.flags &= ~(ULONG)ISC_REQ_MANUAL_CRED_VALIDATION;
        assert_int_equal(peer_handshake(&pair), SEC_E_UNTRUSTED_ROOT);
        peer_close(&pair);
    }
}

/* A server that would be found wrong by name: the manual session does not open the door. */
static void sessions_made_without_the_name_never_serve_with_it(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p], .certificate = "wrongname"};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        pair.client.flags |= ISC_REQ_MANUAL_CRED_VALIDATION;
        assert_false(connect_resumes(&pair));
        peer_disconnect(&pair);
        pair.client.flags &= ~(ULONG)ISC_REQ_MANUAL_CRED_VALIDATION;
        assert_int_equal(peer_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
        peer_close(&pair);
    }
}

/* The flag of the context travels in a buffer of the first leg. */
static void connect_deferred(struct peer_pair *pair)
{
    SEC_FLAGS wide = {ISC_REQ_DEFERRED_CRED_VALIDATION};
    uint8_t out[8192];
    struct peer_leg leg = peer_leg_of(&pair->client, NULL, 0, out, sizeof(out));

    leg.in[leg.in_count++] = (SecBuffer){sizeof(wide), SECBUFFER_FLAGS, &wide};
    assert_int_equal(peer_leg_run(&pair->client, &leg), SEC_I_CONTINUE_NEEDED);
    peer_push(&pair->server.in, out, leg.out[0].cbBuffer);
    peer_connect(pair);
    peer_exchange(pair);
}

/* Unless nothing was wrong. */
static void
sessions_made_with_deferred_verification_never_serve_with_it(const struct peer_form *form)
{
    for (size_t i = 0; i < 4; i++) {
        const bool good = i / 2;
        const struct peer_setup setup = {.protocols = protocols[i % 2],
                                         .certificate = good ? "server" : "wrongname"};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        connect_deferred(&pair);
        assert_false(resumed(&pair.client));
        peer_disconnect(&pair);
        if (good)
            assert_true(connect_resumes(&pair));
        else
            assert_int_equal(peer_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
        peer_close(&pair);
    }
}

static void a_verified_session_serves_one_that_verifies_less(const struct peer_form *form)
{
    struct peer_pair pair;

    open_with_session(&pair, form, NULL);
    pair.client.flags |= ISC_REQ_MANUAL_CRED_VALIDATION;
    assert_true(connect_resumes(&pair));
    peer_close(&pair);
}

static void s3_2_disable_reconnects_on_either_side(const struct peer_form *form)
{
    for (size_t i = 0; i < 4; i++) {
        const struct peer_setup setup = {
            .protocols = protocols[i % 2],
            .client_flags = i < 2 ? SCH_CRED_DISABLE_RECONNECTS : 0,
            .server_flags = i < 2 ? 0 : SCH_CRED_DISABLE_RECONNECTS,
        };
        struct peer_pair pair;

        open_with_session(&pair, form, &setup);
        assert_false(connect_resumes(&pair));
        peer_close(&pair);
    }
}

/* ApplyControlToken(SESSION, DISABLE) on the connection that would leave the session. */
static void s3_8_session_token_disables(const struct peer_form *form)
{
    const SCHANNEL_SESSION_TOKEN disable = {SCHANNEL_SESSION, SSL_SESSION_DISABLE_RECONNECTS};

    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(peer_control(&pair.client, &disable, sizeof(disable)), SEC_E_OK);
        peer_connect(&pair);
        peer_exchange(&pair);
        peer_disconnect(&pair);
        assert_false(connect_resumes(&pair));
        peer_close(&pair);
    }
}

/* A token that says other than the flag: this connection hands out a ticket. Connections of the
 * credential take none, as before. */
static void s3_8_session_token_enables(const struct peer_form *form)
{
    const SCHANNEL_SESSION_TOKEN enable = {SCHANNEL_SESSION, SSL_SESSION_ENABLE_RECONNECTS};

    for (int told = 0; told < 2; told++) {
        const struct peer_setup setup = {.protocols = SP_PROT_TLS1_3_CLIENT,
                                         .server_flags = SCH_CRED_DISABLE_RECONNECTS};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        peer_half_connect(&pair);
        if (told)
            assert_int_equal(peer_control(&pair.server, &enable, sizeof(enable)), SEC_E_OK);
        peer_connect(&pair);
        assert_int_equal(pair.client.in.len > 0, told);
        peer_exchange(&pair);
        peer_disconnect(&pair);
        assert_false(connect_resumes(&pair));
        peer_close(&pair);
    }
}

static void ssl_empty_cache_drops_by_name_or_all(const struct peer_form *form)
{
    static WCHAR name_w[] = {'S', 'e', 'r', 'v', 'e', 'r', '.', 't', 'e', 's', 't', 0};
    struct peer_pair pair;

    open_with_session(&pair, form, NULL);
    assert_true(SslEmptyCacheA((LPSTR) "other.test", 0));
    assert_true(SslEmptyCacheA((LPSTR) "", 0));
    assert_true(connect_resumes(&pair));
    peer_disconnect(&pair);
    assert_true(SslEmptyCacheA((LPSTR)PEER_TARGET, 0));
    assert_false(connect_resumes(&pair));
    peer_disconnect(&pair);
    assert_true(SslEmptyCacheW(name_w, 0));
    assert_false(connect_resumes(&pair));
    peer_disconnect(&pair);
    assert_true(SslEmptyCacheA(NULL, 0));
    assert_false(connect_resumes(&pair));
    peer_close(&pair);
}

/* ---- the server's side ---- */

/* A ticket of one server credential is no ticket for one with another certificate. */
static void tickets_are_for_the_same_server_identity(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;
        struct peer_end other;

        open_with_session(&pair, form, &setup);
        peer_end_init(&other, form, true);
        assert_int_equal(peer_end_acquire(&other, 0, 0, "server-rsa", false), SEC_E_OK);
        peer_end_free(&pair.server);
        pair.server = other;
        assert_false(connect_resumes(&pair));
        peer_close(&pair);
    }
}

/* Another implementation sees the same: sessions of ours serve it, and its serve us. */
static void other_peers_resume_too(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct raw_peer raw;
        struct peer_end client;

        raw_open(&raw, true, p == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, "server");
        SSL_CTX_set_session_id_context(raw.ctx, (const unsigned char *)"test", 4);
        raw_again(&raw, true);
        peer_end_init(&client, form, false);
        assert_int_equal(peer_end_acquire(&client, 0, 0, NULL, false), SEC_E_OK);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(raw_handshake(&raw, &client), SEC_E_OK);
            raw_exchange(&raw, &client);
            assert_int_equal(resumed(&client), i > 0);
            assert_int_equal(SSL_session_reused(raw.ssl), i > 0);
            peer_end_disconnect(&client);
            raw_again(&raw, true);
        }
        peer_end_free(&client);
        raw_close(&raw);
    }
}

/* A client certificate that was verified stays known after resumption. */
static void a_resumed_server_still_knows_the_client(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        peer_end_init(&pair.client, form, false);
        peer_end_init(&pair.server, form, true);
        assert_int_equal(peer_end_acquire(&pair.client, protocols[p], 0, "client", false),
                         SEC_E_OK);
        assert_int_equal(peer_end_acquire(&pair.server, 0, 0, "server", false), SEC_E_OK);
        pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        for (int i = 0; i < 3; i++) {
            PCCERT_CONTEXT certificate = NULL;

            (void)connect_resumes(&pair);
            assert_true(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
            assert_int_equal(QueryContextAttributesA(&pair.server.context,
                                                     SECPKG_ATTR_REMOTE_CERT_CONTEXT, &certificate),
                             SEC_E_OK);
            CertFreeCertificateContext(certificate);
            peer_disconnect(&pair);
        }
        peer_close(&pair);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_8_same_name_and_credential_resume),
        PEER_CASE(s3_8_another_name_or_none_does_not_resume),
        PEER_CASE(s3_8_another_credential_does_not_resume),
        PEER_CASE(sessions_end_with_their_credential),
        PEER_CASE(sessions_made_without_verification_never_serve_with_it),
        PEER_CASE(sessions_made_without_the_name_never_serve_with_it),
        PEER_CASE(sessions_made_with_deferred_verification_never_serve_with_it),
        PEER_CASE(a_verified_session_serves_one_that_verifies_less),
        PEER_CASE(s3_2_disable_reconnects_on_either_side),
        PEER_CASE(s3_8_session_token_disables),
        PEER_CASE(s3_8_session_token_enables),
        PEER_CASE(ssl_empty_cache_drops_by_name_or_all),
        PEER_CASE(tickets_are_for_the_same_server_identity),
        PEER_CASE(other_peers_resume_too),
        PEER_CASE(a_resumed_server_still_knows_the_client),
    };

    return peer_run_cases("contract.resume", cases, sizeof(cases) / sizeof(cases[0]));
}
