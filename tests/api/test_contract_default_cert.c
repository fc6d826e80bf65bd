/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A client certificate that nobody supplied: chosen from the user's store "MY" by issuer, purpose,
 * time and key, unless somebody forbids it. The store is a folder of this test's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <opensspi.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/tls_peer.h"
#include "support/tls_raw.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

/* ---- the store ---- */

static char home[512], my[600];

static void path_in_my(const char *name, const char *suffix, char *path, size_t size)
{
    TEST_REQUIRE(snprintf(path, size, "%s/%s%s", my, name, suffix) < (int)size);
}

static void copy(const char *name, const char *suffix)
{
    char from[512], to[800], bytes[65536];
    int in, out;
    ssize_t len;

    peer_path(name, suffix, from, sizeof(from));
    path_in_my(name, suffix, to, sizeof(to));
    in = open(from, O_RDONLY | O_CLOEXEC);
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    TEST_REQUIRE(in >= 0 && out >= 0);
    len = read(in, bytes, sizeof(bytes));
    TEST_REQUIRE(len > 0 && write(out, bytes, (size_t)len) == len);
    close(in);
    close(out);
}

/* These and no others are in the store from here on. */
static void fill_store(const char *const *names)
{
    static const char *const all[] = {"client",       "client-rsa", "client-soon", "client-old",
                                      "client-other", "serveronly", NULL};

    for (int i = 0; all[i]; i++) {
        char path[800];

        path_in_my(all[i], ".pem", path, sizeof(path));
        TEST_REQUIRE(unlink(path) == 0 || errno == ENOENT);
        path_in_my(all[i], ".key", path, sizeof(path));
        TEST_REQUIRE(unlink(path) == 0 || errno == ENOENT);
    }
    for (; names && *names; names++) {
        copy(*names, ".pem");
        copy(*names, ".key");
    }
}

static int set_up(void **state)
{
    char path[600];

    TEST_REQUIRE(snprintf(home, sizeof(home), "/tmp/osspi-my-XXXXXX") > 0);
    TEST_REQUIRE(mkdtemp(home) != NULL);
    TEST_REQUIRE(snprintf(path, sizeof(path), "%s/opensspi", home) > 0);
    TEST_REQUIRE(mkdir(path, 0700) == 0);
    TEST_REQUIRE(snprintf(my, sizeof(my), "%s/my", path) < (int)sizeof(my));
    TEST_REQUIRE(mkdir(my, 0700) == 0);
    TEST_REQUIRE(setenv("XDG_DATA_HOME", home, 1) == 0);
    return peer_set_up(state);
}

static int tear_down(void **state)
{
    char path[600];

    (void)state;
    fill_store(NULL);
    TEST_REQUIRE(rmdir(my) == 0);
    TEST_REQUIRE(snprintf(path, sizeof(path), "%s/opensspi", home) > 0);
    TEST_REQUIRE(rmdir(path) == 0);
    TEST_REQUIRE(rmdir(home) == 0);
    return 0;
}

/* ---- pairs ---- */

/* A server that asks and names this authority (NULL: nobody), and a client without certificate. */
static void open_pair(struct peer_pair *pair, const struct peer_form *form, DWORD protocol,
                      DWORD client_flags, const char *root)
{
    PCCERT_CONTEXT own = peer_certificate("server");
    PCCERT_CONTEXT authority = root ? peer_certificate(root) : NULL;
    SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION, .cCreds = 1, .paCred = &own};

    if (root) {
        auth.hRootStore = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
        assert_true(CertAddCertificateContextToStore(auth.hRootStore, authority,
                                                     CERT_STORE_ADD_ALWAYS, NULL));
    }
    peer_end_init(&pair->client, form, false);
    peer_end_init(&pair->server, form, true);
    assert_int_equal(form->acquire((LPSTR)UNISP_NAME_A, SECPKG_CRED_INBOUND, &auth,
                                   &pair->server.credential, NULL),
                     SEC_E_OK);
    pair->server.has_credential = true;
    pair->server.flags |= ASC_REQ_MUTUAL_AUTH;
    assert_int_equal(peer_end_acquire(&pair->client, protocol, client_flags, NULL, false),
                     SEC_E_OK);
    CertFreeCertificateContext(own);
    if (root) {
        CertFreeCertificateContext(authority);
        CertCloseStore(auth.hRootStore, 0);
    }
}

/* The client's answer to the server's flight. */
static SECURITY_STATUS answer_of_client(struct peer_pair *pair)
{
    SECURITY_STATUS status;

    peer_half_connect(pair);
    status = peer_step(&pair->client, &pair->server);
    while (status == SEC_I_CONTINUE_NEEDED && pair->server.in.len == 0)
        status = peer_step(&pair->client, &pair->server);
    return status;
}

static void must_be_told(struct peer_pair *pair)
{
    assert_int_equal(answer_of_client(pair), SEC_I_INCOMPLETE_CREDENTIALS);
}

static void must_show(struct peer_pair *pair, const char *name)
{
    PCCERT_CONTEXT expected = peer_certificate(name);
    PCCERT_CONTEXT found = NULL;

    peer_connect(pair);
    assert_true(pair->server.attributes & ASC_RET_MUTUAL_AUTH);
    assert_int_equal(
        QueryContextAttributesA(&pair->server.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &found),
        SEC_E_OK);
    assert_int_equal(found->cbCertEncoded, expected->cbCertEncoded);
    assert_memory_equal(found->pbCertEncoded, expected->pbCertEncoded, found->cbCertEncoded);
    CertFreeCertificateContext(found);
    CertFreeCertificateContext(expected);
    peer_exchange(pair);
}

/* ---- the choice ---- */

static void the_issuer_decides(const struct peer_form *form)
{
    static const char *const names[] = {"client", "client-other", NULL};
    static const char *const roots[] = {"ca", "otherca"};

    fill_store(names);
    for (size_t i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            struct peer_pair pair;

            open_pair(&pair, form, protocols[i], 0, roots[j]);
            must_show(&pair, names[j]);
            peer_close(&pair);
        }
    }
}

static void the_longest_valid_of_two_is_shown(const struct peer_form *form)
{
    static const char *const names[] = {"client", "client-old", "client-soon", "serveronly", NULL};

    fill_store(names);
    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;

        open_pair(&pair, form, protocols[i], 0, "ca");
        must_show(&pair, "client");
        peer_close(&pair);
    }
}

static void a_renewed_one_is_seen_at_once(const struct peer_form *form)
{
    static const char *const before[] = {"client-soon", NULL};
    static const char *const after[] = {"client-soon", "client", NULL};
    struct peer_pair pair;

    fill_store(before);
    open_pair(&pair, form, 0, 0, "ca");
    must_show(&pair, "client-soon");
    peer_disconnect(&pair);
    fill_store(after);
    must_show(&pair, "client"); /* also: no session was kept that would have hidden it */
    peer_close(&pair);
}

static void what_does_not_fit_is_not_shown(const struct peer_form *form)
{
    static const char *const sets[][2] = {
        {"client-old", NULL}, {"client-other", NULL}, {"serveronly", NULL}, {NULL, NULL}};

    for (int j = 0; j < 4; j++) {
        fill_store(sets[j]);
        for (size_t i = 0; i < 2; i++) {
            struct peer_pair pair;

            open_pair(&pair, form, protocols[i], 0, "ca");
            must_be_told(&pair);
            peer_connect(&pair);
            assert_false(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
            peer_close(&pair);
        }
    }
}

static void nothing_is_chosen_where_it_is_forbidden(const struct peer_form *form)
{
    static const char *const names[] = {"client", NULL};

    fill_store(names);
    for (size_t i = 0; i < 2; i++) {
        for (int by_leg = 0; by_leg < 2; by_leg++) {
            struct peer_pair pair;

            open_pair(&pair, form, protocols[i], by_leg ? 0 : SCH_CRED_NO_DEFAULT_CREDS, "ca");
            if (by_leg)
                pair.client.flags |= ISC_REQ_USE_SUPPLIED_CREDS;
            must_be_told(&pair);
            peer_connect(&pair);
            assert_false(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
            peer_close(&pair);
        }
    }
}

/* The flag that asks for it changes nothing; the one that forbids it has the last word. */
static void s3_2_use_default_creds_is_the_default(const struct peer_form *form)
{
    static const char *const names[] = {"client", NULL};

    fill_store(names);
    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;

        open_pair(&pair, form, protocols[i], SCH_CRED_USE_DEFAULT_CREDS, "ca");
        must_show(&pair, "client");
        peer_close(&pair);
        open_pair(&pair, form, protocols[i], SCH_CRED_USE_DEFAULT_CREDS | SCH_CRED_NO_DEFAULT_CREDS,
                  "ca");
        must_be_told(&pair);
        peer_close(&pair);
    }
}

/* The leg that goes on decides anew. */
static void a_later_leg_may_allow_it(const struct peer_form *form)
{
    static const char *const names[] = {"client", NULL};

    fill_store(names);
    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;

        open_pair(&pair, form, protocols[i], 0, "ca");
        pair.client.flags |= ISC_REQ_USE_SUPPLIED_CREDS;
        must_be_told(&pair);
        pair.client.flags &= ~(ULONG)ISC_REQ_USE_SUPPLIED_CREDS;
        must_show(&pair, "client");
        peer_close(&pair);
    }
}

/* ---- by the key, against plain OpenSSL ---- */

static int accept_all(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static void the_servers_algorithms_decide(const struct peer_form *form)
{
    static const char *const names[] = {"client", "client-rsa", NULL};
    static const struct {
        const char *algorithms, *name;
        int key;
    } cases[] = {
        {"ECDSA+SHA256", "client", EVP_PKEY_EC},
        {"RSA-PSS+SHA256", "client-rsa", EVP_PKEY_RSA},
    };

    fill_store(names);
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
            struct raw_peer raw;
            struct peer_end client;
            X509 *shown;

            raw_open(&raw, true, 0, "server");
            assert_int_equal(SSL_set1_client_sigalgs_list(raw.ssl, cases[j].algorithms), 1);
            SSL_set_verify(raw.ssl, SSL_VERIFY_PEER, accept_all);
            peer_end_init(&client, form, false);
            assert_int_equal(peer_end_acquire(&client, protocols[i], 0, NULL, false), SEC_E_OK);
            assert_int_equal(raw_handshake(&raw, &client), SEC_E_OK);
            shown = SSL_get1_peer_certificate(raw.ssl);
            assert_non_null(shown);
            assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(shown)), cases[j].key);
            X509_free(shown);
            peer_end_free(&client);
            raw_close(&raw);
        }
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(the_issuer_decides),
        PEER_CASE(the_longest_valid_of_two_is_shown),
        PEER_CASE(a_renewed_one_is_seen_at_once),
        PEER_CASE(what_does_not_fit_is_not_shown),
        PEER_CASE(nothing_is_chosen_where_it_is_forbidden),
        PEER_CASE(s3_2_use_default_creds_is_the_default),
        PEER_CASE(a_later_leg_may_allow_it),
        PEER_CASE(the_servers_algorithms_decide),
    };
    const struct peer_form *const forms[] = {PEER_SYNC, PEER_ASYNC};
    const struct peer_run how = {.group = "contract.default_cert",
                                 .forms = forms,
                                 .form_count = PEER_FORMS,
                                 .set_up = set_up,
                                 .tear_down = tear_down};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
