/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: whom the process trusts. SSL_CERT_FILE, SSL_CERT_DIR and OsspiConfigure, each in a
 * child that has not used the library before; and a server's own roots for client certificates.
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/tls_peer.h"

/* Who is good then: the server of the test CA, or the one of the other authority. */
static int expect(bool ca, bool other)
{
    static const char *const certificates[] = {"server", "other-server"};

    for (size_t i = 0; i < 2; i++) {
        const struct peer_setup setup = {.certificate = certificates[i]};
        bool good = i == 0 ? ca : other;
        struct peer_pair pair;

        peer_open(&pair, PEER_SYNC, &setup);
        pair.client.target = "localhost";
        TEST_REQUIRE_EQUAL(peer_handshake(&pair), good ? SEC_E_OK : SEC_E_UNTRUSTED_ROOT);
        peer_close(&pair);
    }
    return 0;
}

static int by_file(void *data)
{
    (void)data;
    peer_trust("otherca");
    return expect(false, true);
}

static int by_nothing(void *data)
{
    (void)data;
    TEST_REQUIRE_EQUAL(setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
    TEST_REQUIRE_EQUAL(setenv("SSL_CERT_DIR", "/nonexistent", 1), 0);
    return expect(false, false);
}

static int by_folder(void *data)
{
    const char *folder = data;

    TEST_REQUIRE_EQUAL(setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
    TEST_REQUIRE_EQUAL(setenv("SSL_CERT_DIR", folder, 1), 0);
    return expect(true, false);
}

/* The option wins, and comes too late once the library is in use. */
static int by_option(void *data)
{
    char path[512];
    OsspiOptions options = {.cbSize = sizeof(options), .trust_file = path};

    (void)data;
    peer_trust("ca");
    peer_path("otherca", ".pem", path, sizeof(path));
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    memset(path, 0, sizeof(path)); /* it was copied */
    (void)expect(false, true);
    peer_path("ca", ".pem", path, sizeof(path));
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), HRESULT_FROM_WIN32(ERROR_BUSY));
    return expect(false, true);
}

static int bad_options(void *data)
{
    OsspiOptions options = {.cbSize = sizeof(options) + 8};

    (void)data;
    peer_trust("ca");
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    options.cbSize = 3;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    return expect(true, false);
}

static void run_child(int (*function)(void *data), void *data)
{
    assert_int_equal(test_child_join(test_child_fork(function, data)), 0);
}

static void ssl_cert_file_is_honoured(void **state)
{
    (void)state;
    run_child(by_file, NULL);
}

static void without_roots_nobody_is_trusted(void **state)
{
    (void)state;
    run_child(by_nothing, NULL);
}

/* A folder whose file names are hashes of the subjects, as c_rehash makes it. */
static void ssl_cert_dir_is_honoured(void **state)
{
    char folder[] = "/tmp/osspi-trust-XXXXXX", source[512], link_name[128];
    FILE *file;
    X509 *root;

    (void)state;
    peer_path("ca", ".pem", source, sizeof(source));
    file = fopen(source, "r");
    assert_non_null(file);
    root = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(root);
    assert_non_null(mkdtemp(folder));
    snprintf(link_name, sizeof(link_name), "%s/%08lx.0", folder,
             X509_NAME_hash_ex(X509_get_subject_name(root), NULL, NULL, NULL));
    assert_int_equal(symlink(source, link_name), 0);
    run_child(by_folder, folder);
    assert_int_equal(unlink(link_name), 0);
    assert_int_equal(rmdir(folder), 0);
    X509_free(root);
}

static void trust_file_is_an_option(void **state)
{
    (void)state;
    run_child(by_option, NULL);
    run_child(bad_options, NULL);
}

/* ---- a server's roots ---- */

static int own_roots(void *data)
{
    static const char *const authorities[] = {"ca", "otherca"};

    (void)data;
    peer_trust("ca");
    for (size_t i = 0; i < 2; i++) {
        PCCERT_CONTEXT root = peer_certificate(authorities[i]), own = peer_certificate("server");
        HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
        SCHANNEL_CRED auth = {
            .dwVersion = SCHANNEL_CRED_VERSION, .cCreds = 1, .paCred = &own, .hRootStore = store};
        struct peer_pair pair;

        TEST_REQUIRE(CertAddCertificateContextToStore(store, root, CERT_STORE_ADD_ALWAYS, NULL));
        peer_end_init(&pair.client, PEER_SYNC, false);
        peer_end_init(&pair.server, PEER_SYNC, true);
        pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        TEST_REQUIRE_EQUAL(peer_end_acquire(&pair.client, 0, 0, "client", false), SEC_E_OK);
        TEST_REQUIRE_EQUAL(PEER_SYNC->acquire((LPSTR)UNISP_NAME_A, SECPKG_CRED_INBOUND, &auth,
                                              &pair.server.credential, NULL),
                           SEC_E_OK);
        pair.server.has_credential = true;
        CertCloseStore(store, 0); /* it was copied */
        CertFreeCertificateContext(root);
        CertFreeCertificateContext(own);
        TEST_REQUIRE_EQUAL(peer_handshake(&pair), i == 0 ? SEC_E_OK : SEC_E_UNTRUSTED_ROOT);
        peer_close(&pair);
    }
    return 0;
}

static void s3_2_root_store_is_for_client_certificates(void **state)
{
    (void)state;
    run_child(own_roots, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssl_cert_file_is_honoured),
        cmocka_unit_test(without_roots_nobody_is_trusted),
        cmocka_unit_test(ssl_cert_dir_is_honoured),
        cmocka_unit_test(trust_file_is_an_option),
        cmocka_unit_test(s3_2_root_store_is_for_client_certificates),
    };

    return cmocka_run_group_tests_name("contract.trust", tests, NULL, NULL);
}
