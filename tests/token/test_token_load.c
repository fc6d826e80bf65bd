/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OsspiLoadCertificate with PKCS #11 URIs, and AcquireCredentialsHandle with what it gives: what is
 * refused, with which status, and what works.
 *
 * The order counts: a token knows one login for the whole process, and once somebody has logged in
 * no PIN is looked at any more. So what is to be refused comes before the first success.
 */
#include <opensspi.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token/token_util.h"

/* ---- refused ---- */

static void refuse(const char *cert, const char *key, const char *password, SECURITY_STATUS status)
{
    PCCERT_CONTEXT certificate = (PCCERT_CONTEXT)(uintptr_t)1;
    SECURITY_STATUS actual = OsspiLoadCertificate(cert, key, password, &certificate);

    if (actual != status)
        printf("%s, key %s: 0x%08X\n", cert, key ? key : "the same", (unsigned)actual);
    assert_int_equal(actual, status);
    assert_null(certificate);
}

static void load_malformed_uri_unknown(void **state)
{
    static const char *const uris[] = {
        "pkcs11:",
        "pkcs11:type=cert",
        "pkcs11:type=private?module-path=/b",
        "pkcs11:?pin-value=1234",
        "pkcs11:token",
        "pkcs11:token=a;",
        "pkcs11:;token=a",
        "pkcs11:token=a;;object=b",
        "pkcs11:token=a;token=a",
        "pkcs11:token=a;tokn=b",
        "pkcs11:token=a;library-description=b",
        "pkcs11:token=a;slot-id=1",
        "pkcs11:token=a;x-vendor=1",
        "pkcs11:token=a;pin-value=1234",
        "pkcs11:token=a%",
        "pkcs11:token=a%2",
        "pkcs11:token=a%2g",
        "pkcs11:token=a%00b",
        "pkcs11:token=a b",
        "pkcs11:token=a\xC3\xA4",
        "pkcs11:token=a\"",
        "pkcs11:token=a/b",
        "pkcs11:token=a?",
        "pkcs11:token=a?pin-value",
        "pkcs11:token=a?pin-value=",
        "pkcs11:token=a?pin-value=1%002",
        "pkcs11:token=a?pin-value=1&pin-value=1",
        "pkcs11:token=a?pin-value=1&pin-source=/b",
        "pkcs11:token=a?pin-value=1&",
        "pkcs11:token=a?pin-source=b",
        "pkcs11:token=a?pin-source=|b",
        "pkcs11:token=a?pin-source=file:b",
        "pkcs11:token=a?pin-source=/dev/null",
        "pkcs11:token=a?module-path=",
        "pkcs11:token=a?module-name=b",
        "pkcs11:token=a?pinvalue=1234",
        "pkcs11:token=a;type=",
        "pkcs11:token=a;type=public",
        "pkcs11:token=a;type=data",
        "pkcs11:token=a;type=certificate",
        "pkcs11:object=a?pin-value=1234", /* which token? */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        char file[512];

        peer_path("server", ".pem", file, sizeof(file));
        refuse(uris[i], NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
        refuse(file, uris[i], NULL, SEC_E_UNKNOWN_CREDENTIALS);
    }
}

static void load_long_uri_unknown(void **state)
{
    char uri[6000] = "pkcs11:token=";

    (void)state;
    memset(uri + strlen(uri), 'a', 5000);
    refuse(uri, NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
}

static void load_wrong_types_unknown(void **state)
{
    char file[512];

    (void)state;
    peer_path("server", ".pem", file, sizeof(file));
    refuse(file, token_uri("server", "cert", TOKEN_PIN), NULL, SEC_E_UNKNOWN_CREDENTIALS);
    refuse(token_uri("server", "private", TOKEN_PIN), NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
    peer_path("server", ".key", file, sizeof(file));
    refuse(token_uri("server", "cert", TOKEN_PIN), file, NULL, SEC_E_UNKNOWN_CREDENTIALS);
}

static void load_without_module_none(void **state)
{
    (void)state;
    refuse("pkcs11:token=a?module-path=/nowhere.so", NULL, NULL, SEC_E_NO_CREDENTIALS);
    refuse("pkcs11:token=a?module-path=/etc/passwd", NULL, NULL, SEC_E_NO_CREDENTIALS);
}

static void load_without_token_none(void **state)
{
    char uri[16384];

    (void)state;
    snprintf(uri, sizeof(uri), "pkcs11:token=other;object=server?module-path=%s&pin-value=1234",
             token_module());
    refuse(uri, NULL, NULL, SEC_E_NO_CREDENTIALS);
}

static void load_without_pin_denied(void **state)
{
    const size_t logins = token_logins();

    (void)state;
    refuse(token_uri("server", "cert", NULL), NULL, NULL, SEC_E_LOGON_DENIED);
    refuse(token_uri("server", NULL, NULL), NULL, "", SEC_E_LOGON_DENIED);
    assert_int_equal(token_logins(), logins);
}

static void load_wrong_pin_denied(void **state)
{
    const size_t logins = token_logins();
    char pin[300];

    (void)state;
    refuse(token_uri("server", "cert", "9999"), NULL, NULL, SEC_E_LOGON_DENIED);
    assert_int_equal(token_logins(), logins + 1); /* tokens count them */
    refuse(token_uri("server", NULL, NULL), NULL, "99999", SEC_E_LOGON_DENIED);
    /* The one that is given counts, not that of the URI. */
    refuse(token_uri("server", NULL, TOKEN_PIN), NULL, "99998", SEC_E_LOGON_DENIED);
    memset(pin, '1', sizeof(pin) - 1);
    pin[sizeof(pin) - 1] = '\0';
    refuse(token_uri("server", NULL, NULL), NULL, pin, SEC_E_LOGON_DENIED);
}

static void load_locked_pin_denied(void **state)
{
    (void)state;
    token_mode("lock");
    refuse(token_uri("server", "cert", TOKEN_PIN), NULL, NULL, SEC_E_LOGON_DENIED);
    token_mode(NULL);
}

static void load_removed_none(void **state)
{
    (void)state;
    token_mode("remove");
    refuse(token_uri("server", "cert", TOKEN_PIN), NULL, NULL, SEC_E_NO_CREDENTIALS);
    token_mode(NULL);
}

/* ---- PINs in files ---- */

static const char *pin_file(const char *content, mode_t mode)
{
    static char path[4096]; /* guarded by there being one thread */
    FILE *file;

    snprintf(path, sizeof(path), "%s/token/pin.%d", getenv("OSSPI_TEST_BUILD"), (int)getpid());
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0 && fclose(file) == 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static const char *with_source(const char *scheme, const char *path)
{
    static char uri[32768]; /* guarded by there being one thread */

    snprintf(uri, sizeof(uri), "%s&pin-source=%s%s", token_uri("server", "cert", NULL), scheme,
             path);
    return uri;
}

static void load_bad_pin_files_refused(void **state)
{
    (void)state;
    refuse(with_source("", "/nowhere/pin"), NULL, NULL, SEC_E_NO_CREDENTIALS);
    refuse(with_source("", pin_file("1234", 0644)), NULL, NULL, SEC_E_NOT_OWNER);
    refuse(with_source("", pin_file("", 0600)), NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
    refuse(with_source("", pin_file("\n", 0600)), NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
    refuse(with_source("file:", pin_file("4321\n", 0600)), NULL, NULL, SEC_E_LOGON_DENIED);
}

static void load_pin_files_work(void **state)
{
    static const char *const schemes[] = {"", "file:", "file://"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        PCCERT_CONTEXT certificate = NULL;
        const char *path = pin_file(i == 0 ? "1234" : "1234\r\n", 0600);

        assert_int_equal(
            OsspiLoadCertificate(with_source(schemes[i], path), NULL, NULL, &certificate),
            SEC_E_OK);
        CertFreeCertificateContext(certificate);
    }
    unlink(pin_file("", 0600));
}

/* ---- what works ---- */

/* A key in a device is a private key to searches, too. */
static void require_key(PCCERT_CONTEXT certificate)
{
    PCCERT_CONTEXT found = CertFindCertificateInStore(certificate->hCertStore, X509_ASN_ENCODING, 0,
                                                      CERT_FIND_HAS_PRIVATE_KEY, NULL, NULL);

    assert_non_null(found);
    CertFreeCertificateContext(found);
}

static void load_from_token_has_key(void **state)
{
    static const char *const names[] = {"server", "server-rsa", "client"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        PCCERT_CONTEXT file = peer_certificate(names[i]);
        PCCERT_CONTEXT token = token_certificate(names[i]);

        require_key(token);
        assert_int_equal(token->cbCertEncoded, file->cbCertEncoded);
        assert_memory_equal(token->pbCertEncoded, file->pbCertEncoded, file->cbCertEncoded);
        CertFreeCertificateContext(token);
        CertFreeCertificateContext(file);
    }
}

static void load_by_id_and_serial_works(void **state)
{
    char uri[16384];
    PCCERT_CONTEXT certificate = NULL;

    (void)state;
    snprintf(uri, sizeof(uri),
             "PKCS11:id=%%02;manufacturer=SoftHSM%%20project;token=osspi%%20test?x-test=1&"
             "module-path=%s&pin-value=%%31%%32%%33%%34",
             token_module());
    assert_int_equal(OsspiLoadCertificate(uri, NULL, NULL, &certificate), SEC_E_OK);
    CertFreeCertificateContext(certificate);
}

static void load_chain_comes_along(void **state)
{
    PCCERT_CONTEXT certificate = token_chain("server");
    PCCERT_CONTEXT in_store = NULL;
    int count = 0;

    (void)state;
    while ((in_store = CertEnumCertificatesInStore(certificate->hCertStore, in_store)) != NULL)
        count++;
    assert_int_equal(count, 2);
    require_key(certificate);
    CertFreeCertificateContext(certificate);
}

static void load_missing_object_none(void **state)
{
    (void)state;
    refuse(token_uri("nobody", "cert", TOKEN_PIN), NULL, NULL, SEC_E_NO_CREDENTIALS);
    refuse(token_uri("server", "cert", TOKEN_PIN), token_uri("nobody", "private", TOKEN_PIN), NULL,
           SEC_E_NO_CREDENTIALS);
}

static void load_other_key_none(void **state)
{
    char file[512];

    (void)state;
    peer_path("server", ".pem", file, sizeof(file));
    refuse(file, token_uri("client", "private", TOKEN_PIN), NULL, SEC_E_NO_CREDENTIALS);
    refuse(token_uri("server", NULL, TOKEN_PIN), token_uri("client", NULL, TOKEN_PIN), NULL,
           SEC_E_NO_CREDENTIALS);
}

static void load_by_default_module_works(void **state)
{
    PCCERT_CONTEXT certificate = NULL;
    char uri[] = "pkcs11:token=osspi%20test;object=server?pin-value=1234";

    (void)state;
    assert_int_equal(OsspiLoadCertificate(uri, NULL, NULL, &certificate), SEC_E_OK);
    CertFreeCertificateContext(certificate);
}

/* ---- acquire ---- */

static void acquire_follows_device(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEER_FORMS; i++) {
        PCCERT_CONTEXT certificate = token_chain("server-rsa");
        struct peer_end end;

        peer_end_init(&end, &peer_forms[i], true);
        token_mode("remove");
        assert_int_equal(token_acquire(&end, 0, CertDuplicateCertificateContext(certificate)),
                         SEC_E_NO_CREDENTIALS);
        token_mode(NULL);
        assert_int_equal(token_acquire(&end, 0, certificate), SEC_E_OK);
        peer_end_free(&end);
    }
}

/* ---- neither provider nor engine ---- */

static const char *program; /* set once, by main() */

static void load_without_libraries_unsupported(void **state)
{
    char what[] = "bare";
    char *arguments[] = {(char *)(uintptr_t)program, what, NULL};
    pid_t child;

    (void)state;
    assert_int_equal(setenv("OPENSSL_MODULES", "/nowhere", 1), 0);
    assert_int_equal(setenv("OPENSSL_ENGINES", "/nowhere", 1), 0);
    assert_int_equal(posix_spawn(&child, program, NULL, NULL, arguments, environ), 0);
    assert_int_equal(test_child_join(child), 0);
}

static int load_bare(void)
{
    PCCERT_CONTEXT certificate = NULL;

    TEST_REQUIRE_EQUAL(
        OsspiLoadCertificate(token_uri("server", "cert", TOKEN_PIN), NULL, NULL, &certificate),
        SEC_E_UNSUPPORTED_FUNCTION);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_malformed_uri_unknown),
        cmocka_unit_test(load_long_uri_unknown),
        cmocka_unit_test(load_wrong_types_unknown),
        cmocka_unit_test(load_without_module_none),
        cmocka_unit_test(load_without_token_none),
        cmocka_unit_test(load_without_pin_denied),
        cmocka_unit_test(load_wrong_pin_denied),
        cmocka_unit_test(load_locked_pin_denied),
        cmocka_unit_test(load_removed_none),
        cmocka_unit_test(load_bad_pin_files_refused),
        /* from here on somebody has logged in */
        cmocka_unit_test(load_pin_files_work),
        cmocka_unit_test(load_from_token_has_key),
        cmocka_unit_test(load_by_id_and_serial_works),
        cmocka_unit_test(load_chain_comes_along),
        cmocka_unit_test(load_missing_object_none),
        cmocka_unit_test(load_other_key_none),
        cmocka_unit_test(load_by_default_module_works),
        cmocka_unit_test(acquire_follows_device),
        cmocka_unit_test(load_without_libraries_unsupported),
    };

    program = argv[0];
    token_begin();
    if (argc == 2)
        return load_bare();
    return cmocka_run_group_tests_name("token load", tests, peer_set_up, NULL);
}
