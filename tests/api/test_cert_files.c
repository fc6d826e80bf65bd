/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What people put into "MY": files of every kind, good and bad, huge, many, links and things that
 * are no files; whose they are and who may touch them, and the same of the folder. What cannot be
 * used is left out, and OsspiListStore says why.
 *
 * What needs another user is left out unless the test runs as root.
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Behind the TLS library's headers: wincrypt.h has a macro of the name X509_NAME. */
#include "test_cert_my.h"
#undef X509_NAME

/* ---- files that people put there ---- */

static void files_of_every_kind(void **state)
{
    struct told told;

    (void)state;
    make_folder();
    put_file("server-all.pem", "one.pem");
    put_file("client.pem", "two.crt");
    put_file("client.key", "two.key");
    run("openssl pkcs12 -export -in '%s/deep.pem' -inkey '%s/deep.key' -passout pass: -out '%s' "
        "2>/dev/null && chmod 600 '%s'",
        getenv("OSSPI_TEST_CERTS"), getenv("OSSPI_TEST_CERTS"), my("three.pfx"), my("three.pfx"));
    put_file("ca.pem", "four.cer");
    put_file("server.key", ".hidden.pem");
    told = list();
    assert_int_equal(told.folder, SEC_E_OK);
    assert_int_equal(told.good, 4);
    assert_int_equal(told.bad, 0);
    assert_int_equal(told.keys, 3);
    assert_int_equal(count_my(), 4);
}

static void renewed_file_is_seen_by_the_next_open(void **state)
{
    (void)state;
    make_folder();
    put_file("server-all.pem", "site.pem");
    assert_int_equal(count_my(), 1);
    put_file("client.pem", "site.pem.new");
    assert_int_equal(rename(my("site.pem.new"), my("site.pem")), 0);
    assert_int_equal(list().keys, 0);
    assert_int_equal(count_my(), 1);
}

static void open_to_others(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0620, 0602, 0666, 0644};

    (void)state;
    make_folder();
    put_file("server-all.pem", "x.pem");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(my("x.pem"), modes[i]), 0);
        require_left_out(SEC_E_NOT_OWNER, "chmod 600");
    }
    assert_int_equal(chmod(my("x.pem"), 0400), 0);
    assert_int_equal(count_my(), 1);
    /* Without a key in it, it may be read but not written by others. */
    put_file("server.pem", "x.pem");
    put_file("server.key", "x.key");
    assert_int_equal(chmod(my("x.pem"), 0644), 0);
    assert_int_equal(count_my(), 1);
    assert_int_equal(chmod(my("x.pem"), 0664), 0);
    require_left_out(SEC_E_NOT_OWNER, "write");
    assert_int_equal(chmod(my("x.pem"), 0644), 0);
    assert_int_equal(chmod(my("x.key"), 0640), 0);
    require_left_out(SEC_E_NOT_OWNER, ".key");
}

static void links_and_other_things(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    (void)state;
    make_folder();
    assert_int_equal(symlink(test_cert_path("server-all.pem"), my("x.pem")), 0);
    require_left_out(SEC_E_NO_CREDENTIALS, "symbolic link");
    assert_int_equal(unlink(my("x.pem")), 0);
    assert_int_equal(mkfifo(my("x.pem"), 0600), 0);
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "regular");
    assert_int_equal(unlink(my("x.pem")), 0);
    assert_int_equal(mkdir(my("x.pem"), 0700), 0);
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "regular");
    assert_int_equal(rmdir(my("x.pem")), 0);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", my("x.pem"));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "regular");
    close(fd);
    assert_int_equal(unlink(my("x.pem")), 0);
    /* A key file that is a link is not followed either. */
    put_file("server.pem", "x.pem");
    assert_int_equal(symlink(test_cert_path("server.key"), my("x.key")), 0);
    require_left_out(SEC_E_NO_CREDENTIALS, ".key");
}

static void bad_contents(void **state)
{
    (void)state;
    make_folder();
    put_file("server.pem", "x.txt");
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, ".pem");
    assert_int_equal(unlink(my("x.txt")), 0);
    run("head -c 200 '%s' > '%s'", test_cert_path("server-all.pem"), my("x.pem"));
    assert_int_equal(chmod(my("x.pem"), 0600), 0);
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "damaged");
    put_file("server.key", "x.pem");
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "no certificate");
    run("cat '%s/client.pem' '%s/server.key' > '%s'", getenv("OSSPI_TEST_CERTS"),
        getenv("OSSPI_TEST_CERTS"), my("x.pem"));
    require_left_out(SEC_E_NO_CREDENTIALS, "belongs to no certificate");
    run("cat '%s/server.pem' '%s/server-enc.key' > '%s'", getenv("OSSPI_TEST_CERTS"),
        getenv("OSSPI_TEST_CERTS"), my("x.pem"));
    require_left_out(SEC_E_LOGON_DENIED, "password");
    assert_int_equal(unlink(my("x.pem")), 0);
    put_file("server.pfx", "x.pfx");
    require_left_out(SEC_E_LOGON_DENIED, "password");
    put_file("ca.pem", "x.pfx");
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "damaged");
    assert_int_equal(truncate(my("x.pfx"), (10 << 20) + 1), 0);
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "too long");
    assert_int_equal(truncate(my("x.pfx"), 0), 0);
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "damaged");
}

static void huge_files(void **state)
{
    (void)state;
    make_folder();
    run("head -c 10485760 /dev/zero > '%s'; chmod 600 '%s'", my("x.pem"), my("x.pem"));
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "too long");
    assert_int_equal(rename(my("x.pem"), my("x.p12")), 0);
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "damaged");
}

/* A self-signed certificate c<number>, with the key that they all share. */
static void write_certificate(EVP_PKEY *key, unsigned number)
{
    X509 *certificate = X509_new();
    char subject[16], name[24];
    FILE *file;

    snprintf(subject, sizeof(subject), "c%u", number);
    snprintf(name, sizeof(name), "%s.pem", subject);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
                                                MBSTRING_ASC, (const unsigned char *)subject, -1,
                                                -1, 0),
                     1);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    file = fopen(my(name), "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(my(name), 0600), 0);
    X509_free(certificate);
}

static void write_certificates(unsigned count)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    assert_non_null(key);
    for (unsigned i = 1; i <= count; i++)
        write_certificate(key, i);
    EVP_PKEY_free(key);
}

/* A hundred with keys: each is found, and a chain that is too long for a file is refused. */
static void hundred_certificates(void **state)
{
    HCERTSTORE store;
    PCCERT_CONTEXT context;

    (void)state;
    make_folder();
    write_certificates(100);
    assert_int_equal(count_my(), 100);
    store = open_my(USER);
    context = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_SUBJECT_STR_A,
                                         "c77", NULL);
    assert_true(CertDeleteCertificateFromStore(context));
    assert_int_equal(test_cert_count(store), 99);
    close_store(store);
    assert_int_equal(access(my("c77.pem"), F_OK), -1);
    run("rm '%s'/*", my(""));
    run("cd '%s' && for i in $(seq 102); do cat '%s'; done > x.pem && chmod 600 x.pem", my(""),
        test_cert_path("ca.pem"));
    require_left_out(SEC_E_UNKNOWN_CREDENTIALS, "");
}

/* ---- whose folder it is ---- */

static void folder_that_others_may_write_to(void **state)
{
    PCCERT_CONTEXT context = load("server-all.pem", NULL);
    HCERTSTORE store = open_my(USER);

    (void)state;
    fill();
    assert_int_equal(chmod(my(""), 0770), 0);
    assert_int_equal(list().folder, SEC_E_NOT_OWNER);
    assert_null(open_my(USER));
    TEST_LAST_ERROR(E_ACCESSDENIED);
    assert_false(
        CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_REPLACE_EXISTING, NULL));
    TEST_LAST_ERROR(E_ACCESSDENIED);
    close_store(store);
    CertFreeCertificateContext(context);
    assert_int_equal(chmod(my(""), 0755), 0);
    assert_int_equal(count_my(), 1);
}

static void folder_that_is_a_link(void **state)
{
    (void)state;
    fill();
    run("mv '%s' '%s/other' && ln -s '%s/other' '%s'", my(""), scratch, scratch, my(""));
    assert_null(open_my(USER));
    TEST_LAST_ERROR(CRYPT_E_FILE_ERROR);
    assert_int_equal(list().folder, SEC_E_UNKNOWN_CREDENTIALS);
    run("rm '%s' && touch '%s'", my(""), my(""));
    assert_null(open_my(USER));
    TEST_LAST_ERROR(CRYPT_E_FILE_ERROR);
}

static void foreign_owner(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    fill();
    run("chown %d '%s'/*.pem", NOBODY, my(""));
    require_left_out(SEC_E_NOT_OWNER, "another user");
    run("chown 0 '%s'/*.pem && chown %d '%s'", my(""), NOBODY, my(""));
    assert_int_equal(list().folder, SEC_E_NOT_OWNER);
    assert_null(open_my(USER));
    TEST_LAST_ERROR(E_ACCESSDENIED);
}

/* As somebody who is not root, for whom there are folders that may not be read. */
static void child_of_nobody(void)
{
    struct told told = {0};

    TEST_REQUIRE_EQUAL(setgid(NOBODY), 0);
    TEST_REQUIRE_EQUAL(setuid(NOBODY), 0);
    TEST_REQUIRE(!open_my(USER));
    TEST_REQUIRE_EQUAL(GetLastError(), (DWORD)E_ACCESSDENIED);
    TEST_REQUIRE_EQUAL(OsspiListStore(NULL, USER, note, &told), SEC_E_OK);
    TEST_REQUIRE_EQUAL(told.folder, SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(told.calls, 1);
    _exit(0);
}

static void unreadable_folder(void **state)
{
    pid_t child;
    int how;

    (void)state;
    if (geteuid() != 0)
        skip();
    fill();
    run("chmod 711 '%s' '%s/opensspi'", scratch, scratch);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_of_nobody();
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(files_of_every_kind),   CASE(renewed_file_is_seen_by_the_next_open),
        CASE(open_to_others),        CASE(links_and_other_things),
        CASE(bad_contents),          CASE(huge_files),
        CASE(hundred_certificates),  CASE(folder_that_others_may_write_to),
        CASE(folder_that_is_a_link), CASE(foreign_owner),
        CASE(unreadable_folder),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
