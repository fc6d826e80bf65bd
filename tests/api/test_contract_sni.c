/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: a server with several certificates presents the one that the client's server name asks
 * for; SCH_CRED_SNI_CREDENTIAL and its principal; AddCredentials; whose sessions resume; on both
 * sides, whether the root is shown too. TLS 1.2 and 1.3. The clients verify what they are shown
 * wherever the name has a certificate.
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/tls_raw.h"
#include "support/tls_shown.h"

#define SNI SCH_CRED_SNI_CREDENTIAL

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};
static const char *const both[] = {"server", "wrongname", NULL};
static const char *const server_only[] = {"server", NULL};
static const char *const other_only[] = {"wrongname", NULL};

/* A client that verifies names, or not; and a server that has no credential yet. */
static void open_ends(struct peer_pair *pair, const struct peer_form *form, DWORD protocol,
                      bool verifies)
{
    SslEmptyCacheA(NULL, 0);
    peer_end_init(&pair->client, form, false);
    peer_end_init(&pair->server, form, true);
    assert_int_equal(peer_end_acquire(&pair->client, protocol,
                                      verifies ? 0 : SCH_CRED_NO_SERVERNAME_CHECK, NULL, false),
                     SEC_E_OK);
}

static void s3_11_name_chooses_among_a_credentials_certificates(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        open_ends(&pair, form, protocols[p], true);
        assert_int_equal(shown_serve(&pair.server, NULL, 0, both), SEC_E_OK);
        shown_expect(&pair, "server.test", "server");
        shown_expect(&pair, "other.test", "wrongname");
        shown_expect(&pair, "OTHER.test.", "wrongname");
        shown_expect(&pair, "localhost", "server");
        shown_expect(&pair, "127.0.0.1", "server"); /* an address is no server name */
        peer_close(&pair);
    }
}

static void s3_11_first_certificate_is_for_names_of_nobody(const struct peer_form *form)
{
    static const char *const other_first[] = {"wrongname", "server", NULL};
    struct peer_pair pair;

    open_ends(&pair, form, 0, false);
    assert_int_equal(shown_serve(&pair.server, NULL, 0, other_first), SEC_E_OK);
    shown_expect(&pair, "nobody.test", "wrongname");
    shown_expect(&pair, NULL, "wrongname");
    shown_expect(&pair, "server.test", "server");
    peer_close(&pair);
}

static void s3_11_wildcards_stand_behind_exact_names(const struct peer_form *form)
{
    static const char *const wild[] = {"server", "wildcard", NULL};
    struct peer_pair pair;

    open_ends(&pair, form, 0, true);
    assert_int_equal(shown_serve(&pair.server, NULL, 0, wild), SEC_E_OK);
    shown_expect(&pair, "a.wild.test", "wildcard");
    peer_end_free(&pair.client);
    assert_int_equal(peer_end_acquire(&pair.client, 0, SCH_CRED_NO_SERVERNAME_CHECK, NULL, false),
                     SEC_E_OK);
    shown_expect(&pair, "wild.test", "server");     /* the star stands for one label ... */
    shown_expect(&pair, "a.b.wild.test", "server"); /* ... and no more */
    assert_int_equal(shown_add(&pair.server, "a.wild.test", "wrongname"), SEC_E_OK);
    shown_expect(&pair, "a.wild.test", "wrongname");
    shown_expect(&pair, "b.wild.test", "wildcard");
    peer_close(&pair);
}

static void s3_2_sni_credential_principal_chooses(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;
        struct peer_end other;

        open_ends(&pair, form, protocols[p], false);
        peer_end_init(&other, form, true);
        assert_int_equal(shown_serve(&pair.server, "a.example", SNI, server_only), SEC_E_OK);
        assert_int_equal(shown_serve(&other, "B.Example.", SNI, other_only), SEC_E_OK);
        shown_expect(&pair, "a.example", "server");
        shown_expect(&pair, "b.example", "wrongname"); /* of another credential of the process */
        shown_expect(&pair, "c.example", "server");    /* the one in use is the default */
        shown_expect(&pair, "other.test", "wrongname");
        FreeCredentialsHandle(&other.credential);
        other.has_credential = false;
        shown_expect(&pair, "b.example", "server"); /* it is gone */
        peer_close(&pair);
    }
}

static void s3_2_without_the_flag_credentials_keep_to_themselves(const struct peer_form *form)
{
    struct peer_pair pair;
    struct peer_end other;

    open_ends(&pair, form, 0, false);
    peer_end_init(&other, form, true);
    assert_int_equal(shown_serve(&pair.server, NULL, 0, server_only), SEC_E_OK);
    assert_int_equal(shown_serve(&other, "b.example", SNI, other_only), SEC_E_OK);
    shown_expect(&pair, "b.example", "server");
    shown_expect(&pair, "other.test", "server");
    peer_end_free(&pair.server);
    peer_end_init(&pair.server, form, true);
    /* A principal without the flag means nothing. */
    assert_int_equal(shown_serve(&pair.server, "not a host name", 0, both), SEC_E_OK);
    shown_expect(&pair, "b.example", "server");
    peer_end_free(&other);
    peer_close(&pair);
}

static void s3_2_clients_flag_has_no_effect(const struct peer_form *form)
{
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION, .dwFlags = SNI};
    struct peer_pair pair;

    open_ends(&pair, form, 0, true);
    peer_end_free(&pair.client);
    assert_int_equal(shown_acquire(form, "not a host name", SECPKG_CRED_OUTBOUND, &auth,
                                   &pair.client.credential),
                     SEC_E_OK);
    pair.client.has_credential = true;
    assert_int_equal(shown_serve(&pair.server, NULL, 0, both), SEC_E_OK);
    shown_expect(&pair, "other.test", "wrongname");
    peer_close(&pair);
}

static void s3_2_newest_credential_of_a_name_counts(const struct peer_form *form)
{
    struct peer_pair pair;
    struct peer_end first, second;

    open_ends(&pair, form, 0, false);
    peer_end_init(&first, form, true);
    peer_end_init(&second, form, true);
    assert_int_equal(shown_serve(&pair.server, "a.example", SNI, server_only), SEC_E_OK);
    assert_int_equal(shown_serve(&first, "b.example", SNI, other_only), SEC_E_OK);
    assert_int_equal(shown_serve(&second, "b.example", SNI, (const char *[]){"wildcard", NULL}),
                     SEC_E_OK);
    shown_expect(&pair, "b.example", "wildcard");
    peer_end_free(&second);
    shown_expect(&pair, "b.example", "wrongname");
    peer_end_free(&first);
    peer_close(&pair);
}

static void s3_2_bad_principals_are_refused(const struct peer_form *form)
{
    static const char *const bad[] = {"a b",  "127.0.0.1", "::1",       "[::1]",
                                      "a..b", ".",         "*.example", "b\xC3\xBCr.example",
                                      "1.2.3"};
    struct peer_end server;
    char long_name[300];

    peer_end_init(&server, form, true);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (shown_serve(&server, bad[i], SNI, server_only) != SEC_E_UNKNOWN_CREDENTIALS)
            fail_msg("%s was taken", bad[i]);
    }
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(shown_serve(&server, long_name, SNI, server_only), SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(shown_serve(&server, "", SNI, server_only), SEC_E_OK); /* as if NULL */
    assert_int_equal(shown_add(&server, "a b", "wrongname"), SEC_E_UNKNOWN_CREDENTIALS);
    peer_end_free(&server);
}

/* ---- AddCredentials ---- */

static void s2_1_add_credentials_appends_and_replaces_by_name(const struct peer_form *form)
{
    struct peer_pair pair;

    open_ends(&pair, form, 0, false);
    assert_int_equal(shown_serve(&pair.server, NULL, 0, server_only), SEC_E_OK);
    assert_int_equal(shown_add(&pair.server, "B.example", "wrongname"), SEC_E_OK);
    shown_expect(&pair, "b.example", "wrongname");
    shown_expect(&pair, "server.test", "server");
    assert_int_equal(shown_add(&pair.server, "b.example.", "wildcard"), SEC_E_OK);
    shown_expect(&pair, "b.example", "wildcard");
    shown_expect(&pair, "other.test", "server"); /* the one it replaced is gone */
    assert_int_equal(shown_add(&pair.server, NULL, "wrongname"), SEC_E_OK);
    shown_expect(&pair, "other.test", "wrongname"); /* by the certificate's own name */
    peer_close(&pair);
}

static SECURITY_STATUS add(struct peer_end *end, const char *package, ULONG use, void *auth)
{
    return AddCredentialsA(&end->credential, NULL, (LPSTR)package, use, auth, NULL, NULL, NULL);
}

static void s2_1_add_credentials_refuses_and_changes_nothing(const struct peer_form *form)
{
    PCCERT_CONTEXT with_key = peer_certificate("wrongname");
    PCCERT_CONTEXT without = CertCreateCertificateContext(
        X509_ASN_ENCODING, with_key->pbCertEncoded, with_key->cbCertEncoded);
    PCCERT_CONTEXT array[] = {with_key, without};
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION, .cCreds = 2, .paCred = array};
    SCH_CREDENTIALS none = {.dwVersion = SCH_CREDENTIALS_VERSION};
    DWORD bad_version = 3;
    struct peer_pair pair;
    TimeStamp expiry = {.QuadPart = 7};

    open_ends(&pair, form, 0, false);
    assert_int_equal(shown_serve(&pair.server, NULL, 0, server_only), SEC_E_OK);
    assert_int_equal(add(&pair.server, NULL, SECPKG_CRED_INBOUND, &auth), SEC_E_NO_CREDENTIALS);
    assert_int_equal(add(&pair.server, NULL, SECPKG_CRED_INBOUND, &none), SEC_E_NO_CREDENTIALS);
    assert_int_equal(add(&pair.server, NULL, SECPKG_CRED_INBOUND, NULL), SEC_E_NO_CREDENTIALS);
    assert_int_equal(add(&pair.server, NULL, SECPKG_CRED_INBOUND, &bad_version),
                     SEC_E_UNKNOWN_CREDENTIALS);
    auth.cCreds = 1;
    assert_int_equal(add(&pair.server, NULL, SECPKG_CRED_OUTBOUND, &auth), SEC_E_NO_CREDENTIALS);
    assert_int_equal(add(&pair.server, "Kerberos", SECPKG_CRED_INBOUND, &auth),
                     SEC_E_SECPKG_NOT_FOUND);
    shown_expect(&pair, "other.test", "server");
    assert_int_equal(AddCredentialsW(&pair.server.credential, (LPWSTR)u"b.example", NULL,
                                     SECPKG_CRED_INBOUND, &auth, NULL, NULL, &expiry),
                     SEC_E_OK);
    assert_true(expiry.QuadPart > 7 && expiry.QuadPart < INT64_MAX);
    shown_expect(&pair, "b.example", "wrongname");
    peer_close(&pair);
    CertFreeCertificateContext(without);
    CertFreeCertificateContext(with_key);
}

static SECURITY_STATUS add_many(struct peer_end *end, PCCERT_CONTEXT context, DWORD count)
{
    PCCERT_CONTEXT array[100];
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION, .cCreds = count, .paCred = array};

    for (DWORD i = 0; i < count; i++)
        array[i] = context;
    return add(end, NULL, SECPKG_CRED_INBOUND, &auth);
}

static void s2_1_at_most_a_hundred_certificates(const struct peer_form *form)
{
    PCCERT_CONTEXT other = peer_certificate("wrongname");
    struct peer_end server;

    peer_end_init(&server, form, true);
    assert_int_equal(shown_serve(&server, NULL, 0, server_only), SEC_E_OK);
    assert_int_equal(add_many(&server, other, 60), SEC_E_OK);
    assert_int_equal(add_many(&server, other, 40), SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(add_many(&server, other, 39), SEC_E_OK);
    assert_int_equal(add_many(&server, other, 1), SEC_E_UNKNOWN_CREDENTIALS);
    CertFreeCertificateContext(other);
    peer_end_free(&server);
}

/* ---- sessions ---- */

static void
s3_8_session_of_one_certificate_does_not_resume_under_another(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        open_ends(&pair, form, protocols[p], false);
        assert_int_equal(shown_serve(&pair.server, NULL, 0, server_only), SEC_E_OK);
        pair.client.target = "a.example";
        assert_false(shown_connect_resumes(&pair));
        assert_true(shown_connect_resumes(&pair));
        /* From here on the name has a certificate of its own. */
        assert_int_equal(shown_add(&pair.server, "a.example", "wrongname"), SEC_E_OK);
        assert_false(shown_connect_resumes(&pair));
        assert_true(shown_connect_resumes(&pair));
        pair.client.target = "b.example"; /* presents what was presented before */
        assert_false(shown_connect_resumes(&pair));
        assert_true(shown_connect_resumes(&pair));
        peer_close(&pair);
    }
}

static void resumed_server_knows_its_certificate(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        PCCERT_CONTEXT local = NULL, wanted = peer_certificate("wrongname");
        struct peer_pair pair;

        open_ends(&pair, form, protocols[p], true);
        assert_int_equal(shown_serve(&pair.server, NULL, 0, both), SEC_E_OK);
        pair.client.target = "other.test";
        assert_false(shown_connect_resumes(&pair));
        peer_connect(&pair);
        assert_true(shown_resumed(&pair.server));
        assert_int_equal(
            QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_LOCAL_CERT_CONTEXT, &local),
            SEC_E_OK);
        assert_int_equal(local->cbCertEncoded, wanted->cbCertEncoded);
        assert_memory_equal(local->pbCertEncoded, wanted->pbCertEncoded, local->cbCertEncoded);
        CertFreeCertificateContext(local);
        CertFreeCertificateContext(wanted);
        peer_close(&pair);
    }
}

/* ---- the root ---- */

static void append(FILE *to, const char *name)
{
    char path[512], bytes[4096];
    size_t len;

    peer_path(name, ".pem", path, sizeof(path));
    FILE *from = fopen(path, "re");
    assert_non_null(from);
    while ((len = fread(bytes, 1, sizeof(bytes), from)) > 0)
        assert_int_equal(fwrite(bytes, 1, len, to), len);
    assert_int_equal(fclose(from), 0);
}

/* A test certificate whose chain ends with the root itself. */
static void acquire_with_root(struct peer_end *end, DWORD flags, const char *name)
{
    char path[] = "/tmp/osspi-root-XXXXXX", key[512];
    PCCERT_CONTEXT certificate = NULL;
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    assert_non_null(file);
    append(file, name);
    append(file, "ca");
    assert_int_equal(fclose(file), 0);
    peer_path(name, ".key", key, sizeof(key));
    assert_int_equal(OsspiLoadCertificate(path, key, NULL, &certificate), SEC_E_OK);
    unlink(path);
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .cCreds = 1,
                            .paCred = &certificate,
                            .dwFlags = flags};
    assert_int_equal(shown_acquire(end->form, NULL,
                                   end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, &auth,
                                   &end->credential),
                     SEC_E_OK);
    end->has_credential = true;
    CertFreeCertificateContext(certificate);
}

static bool ends_with_root(STACK_OF(X509) * chain)
{
    PCCERT_CONTEXT root = peer_certificate("ca");
    X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);
    unsigned char *bytes = NULL;
    int len = i2d_X509(last, &bytes);
    bool is_root = len == (int)root->cbCertEncoded &&
                   memcmp(bytes, root->pbCertEncoded, root->cbCertEncoded) == 0;

    OPENSSL_free(bytes);
    CertFreeCertificateContext(root);
    return is_root;
}

/* What OpenSSL is shown: leaf and intermediate, and with the flag the root behind them. */
static void server_shows(const struct peer_form *form, int version, DWORD flags)
{
    struct raw_peer raw;
    struct peer_end end;

    peer_end_init(&end, form, true);
    acquire_with_root(&end, flags, "server");
    raw_open(&raw, false, version, NULL);
    assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(raw.ssl);
    assert_int_equal(sk_X509_num(chain), flags ? 3 : 2);
    assert_int_equal(ends_with_root(chain), flags != 0);
    raw_close(&raw);
    peer_end_free(&end);
}

static int accept_any(int good, X509_STORE_CTX *store)
{
    (void)good;
    (void)store;
    return 1;
}

/* A server's chain of OpenSSL does not have the leaf in it. */
static void client_shows(const struct peer_form *form, int version, DWORD flags)
{
    struct raw_peer raw;
    struct peer_end end;

    peer_end_init(&end, form, false);
    acquire_with_root(&end, flags, "client");
    raw_open(&raw, true, version, "server");
    SSL_set_verify(raw.ssl, SSL_VERIFY_PEER, accept_any);
    assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(raw.ssl);
    assert_int_equal(sk_X509_num(chain), flags ? 1 : 0);
    if (flags)
        assert_true(ends_with_root(chain));
    raw_close(&raw);
    peer_end_free(&end);
}

static void s3_2_root_is_sent_with_send_root_cert_alone(const struct peer_form *form)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (size_t i = 0; i < 2; i++) {
        server_shows(form, versions[i], 0);
        server_shows(form, versions[i], SCH_SEND_ROOT_CERT);
        client_shows(form, versions[i], 0);
        client_shows(form, versions[i], SCH_SEND_ROOT_CERT);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_11_name_chooses_among_a_credentials_certificates),
        PEER_CASE(s3_11_first_certificate_is_for_names_of_nobody),
        PEER_CASE(s3_11_wildcards_stand_behind_exact_names),
        PEER_CASE(s3_2_sni_credential_principal_chooses),
        PEER_CASE(s3_2_without_the_flag_credentials_keep_to_themselves),
        PEER_CASE(s3_2_clients_flag_has_no_effect),
        PEER_CASE(s3_2_newest_credential_of_a_name_counts),
        PEER_CASE(s3_2_bad_principals_are_refused),
        PEER_CASE(s2_1_add_credentials_appends_and_replaces_by_name),
        PEER_CASE(s2_1_add_credentials_refuses_and_changes_nothing),
        PEER_CASE(s2_1_at_most_a_hundred_certificates),
        PEER_CASE(s3_8_session_of_one_certificate_does_not_resume_under_another),
        PEER_CASE(resumed_server_knows_its_certificate),
        PEER_CASE(s3_2_root_is_sent_with_send_root_cert_alone),
    };

    return peer_run_cases("contract.sni", cases, sizeof(cases) / sizeof(cases[0]));
}
