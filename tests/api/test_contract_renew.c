/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: OsspiRenewCredential. New connections present the new certificates, those that exist
 * go on; nothing of a failed change is seen; changes and handshakes on many threads.
 */
#include <opensspi.h>
#include <pthread.h>
#include <string.h>

#include "support/tls_shown.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};
static const char *const server_only[] = {"server", NULL};
static const char *const rsa_only[] = {"server-rsa", NULL};

static void open_ends(struct peer_pair *pair, const struct peer_form *form, DWORD protocol)
{
    const struct peer_setup setup = {.protocols = protocol,
                                     .client_flags = SCH_CRED_NO_SERVERNAME_CHECK};

    SslEmptyCacheA(NULL, 0);
    peer_open(pair, form, &setup);
}

static void new_connections_get_the_new_certificate(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        open_ends(&pair, form, protocols[p]);
        shown_expect(&pair, "server.test", "server");
        assert_int_equal(shown_renew(&pair.server, rsa_only), SEC_E_OK);
        SslEmptyCacheA(NULL, 0);
        shown_expect(&pair, "server.test", "server-rsa");
        assert_int_equal(shown_renew(&pair.server, server_only), SEC_E_OK);
        SslEmptyCacheA(NULL, 0);
        shown_expect(&pair, "server.test", "server");
        peer_close(&pair);
    }
}

static void connections_go_on(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair established, halfway;

        open_ends(&established, form, protocols[p]);
        peer_connect(&established);
        halfway = established;
        halfway.client.has_context = halfway.server.has_context = false;
        memset(&halfway.client.in, 0, sizeof(halfway.client.in));
        memset(&halfway.server.in, 0, sizeof(halfway.server.in));
        peer_half_connect(&halfway);
        assert_int_equal(shown_renew(&established.server, rsa_only), SEC_E_OK);
        peer_exchange(&established);
        assert_int_equal(peer_handshake(&halfway), SEC_E_OK);
        assert_true(shown_is(&halfway.client, "server"));
        peer_disconnect(&halfway);
        peer_close(&established);
    }
}

static void sessions_of_the_old_certificate_do_not_resume(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        open_ends(&pair, form, protocols[p]);
        assert_false(shown_connect_resumes(&pair));
        assert_true(shown_connect_resumes(&pair));
        assert_int_equal(shown_renew(&pair.server, rsa_only), SEC_E_OK);
        assert_false(shown_connect_resumes(&pair));
        assert_true(shown_connect_resumes(&pair));
        peer_close(&pair);
    }
}

static void client_shows_its_new_certificate(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        open_ends(&pair, form, protocols[p]);
        pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(shown_renew(&pair.client, (const char *[]){"client", NULL}), SEC_E_OK);
        peer_connect(&pair);
        assert_true(shown_is(&pair.server, "client"));
        peer_exchange(&pair);
        peer_disconnect(&pair);
        assert_int_equal(shown_renew(&pair.client, (const char *[]){"clientonly", NULL}), SEC_E_OK);
        peer_connect(&pair); /* not with the session of the old one */
        assert_false(shown_resumed(&pair.client));
        assert_true(shown_is(&pair.server, "clientonly"));
        peer_close(&pair);
    }
}

static void named_certificates_stay(const struct peer_form *form)
{
    struct peer_pair pair;

    open_ends(&pair, form, 0);
    assert_int_equal(shown_add(&pair.server, "b.example", "wildcard"), SEC_E_OK);
    assert_int_equal(shown_add(&pair.server, NULL, "wrongname"), SEC_E_OK);
    shown_expect(&pair, "other.test", "wrongname");
    assert_int_equal(shown_renew(&pair.server, rsa_only), SEC_E_OK);
    shown_expect(&pair, "b.example", "wildcard");
    shown_expect(&pair, "other.test", "server-rsa");
    peer_close(&pair);
}

static void refusals_change_nothing(const struct peer_form *form)
{
    PCCERT_CONTEXT with_key = peer_certificate("server-rsa");
    PCCERT_CONTEXT without = CertCreateCertificateContext(
        X509_ASN_ENCODING, with_key->pbCertEncoded, with_key->cbCertEncoded);
    PCCERT_CONTEXT array[101] = {with_key, NULL};
    CredHandle stale;
    struct peer_pair pair;
    TimeStamp expiry = {.QuadPart = 7};

    open_ends(&pair, form, 0);
    stale = pair.client.credential;
    peer_end_free(&pair.client);
    assert_int_equal(OsspiRenewCredential(NULL, array, 1, NULL), SEC_E_INVALID_HANDLE);
    assert_int_equal(OsspiRenewCredential(&stale, array, 1, NULL), SEC_E_INVALID_HANDLE);
    assert_int_equal(OsspiRenewCredential(&pair.server.credential, NULL, 1, NULL),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiRenewCredential(&pair.server.credential, array, 0, NULL),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiRenewCredential(&pair.server.credential, array, 2, NULL),
                     SEC_E_INVALID_PARAMETER);
    array[1] = without;
    assert_int_equal(OsspiRenewCredential(&pair.server.credential, array, 2, &expiry),
                     SEC_E_NO_CREDENTIALS);
    for (size_t i = 0; i < 101; i++)
        array[i] = with_key;
    assert_int_equal(OsspiRenewCredential(&pair.server.credential, array, 101, &expiry),
                     SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(expiry.QuadPart, 7);
    assert_int_equal(peer_end_acquire(&pair.client, 0, 0, NULL, false), SEC_E_OK);
    shown_expect(&pair, "server.test", "server");
    assert_int_equal(OsspiRenewCredential(&pair.server.credential, array, 1, NULL), SEC_E_OK);
    shown_expect(&pair, "server.test", "server-rsa");
    peer_close(&pair);
    CertFreeCertificateContext(without);
    CertFreeCertificateContext(with_key);
}

/* ---- many threads ---- */

#define THREADS    3
#define HANDSHAKES 12
#define RENEWALS   24

struct crowd {
    const struct peer_form *form;
    struct peer_pair *pair; /* whose credentials all use */
};

static void *connect_often(void *argument)
{
    const struct crowd *crowd = argument;

    for (int i = 0; i < HANDSHAKES; i++) {
        struct peer_pair pair = *crowd->pair;

        peer_connect(&pair);
        TEST_REQUIRE(shown_is(&pair.client, "server") || shown_is(&pair.client, "server-rsa"));
        peer_disconnect(&pair);
    }
    return NULL;
}

static void renewals_and_handshakes_at_once(const struct peer_form *form)
{
    pthread_t threads[THREADS];
    struct peer_pair pair;
    struct crowd crowd = {form, &pair};

    open_ends(&pair, form, 0);
    pair.client.target = "server.test";
    for (size_t i = 0; i < THREADS; i++)
        TEST_REQUIRE_EQUAL(pthread_create(&threads[i], NULL, connect_often, &crowd), 0);
    for (int i = 0; i < RENEWALS; i++)
        assert_int_equal(shown_renew(&pair.server, i % 2 ? server_only : rsa_only), SEC_E_OK);
    for (size_t i = 0; i < THREADS; i++)
        TEST_REQUIRE_EQUAL(pthread_join(threads[i], NULL), 0);
    shown_expect(&pair, "server.test", "server");
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(new_connections_get_the_new_certificate),
        PEER_CASE(connections_go_on),
        PEER_CASE(sessions_of_the_old_certificate_do_not_resume),
        PEER_CASE(client_shows_its_new_certificate),
        PEER_CASE(named_certificates_stay),
        PEER_CASE(refusals_change_nothing),
        PEER_CASE(renewals_and_handshakes_at_once),
    };

    return peer_run_cases("contract.renew", cases, sizeof(cases) / sizeof(cases[0]));
}
