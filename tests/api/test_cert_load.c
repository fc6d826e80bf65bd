/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OsspiLoadCertificate: what it reads, what it refuses and with which status, and that it leaves
 * neither files open nor errors in the TLS library's queue.
 */
#include <dirent.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_cert_util.h"

static char folder[] = "/tmp/osspi-load-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;

    (void)state;
    while ((entry = readdir(entries))) {
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
    return rmdir(folder);
}

/* A path inside the scratch folder; two are valid at a time. */
static const char *scratch(const char *file)
{
    static char paths[2][256];
    static int turn;

    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", folder, file);
    return paths[turn];
}

static const char *write_bytes(const char *file, const void *bytes, size_t len, mode_t mode)
{
    const char *path = scratch(file);
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static const char *write_text(const char *file, const char *text)
{
    return write_bytes(file, text, strlen(text), 0600);
}

/* Several test certificate files in one, closed to others. */
static const char *join(const char *file, const char *const names[])
{
    struct test_bytes all = {malloc(1u << 20), 0};
    const char *path;

    assert_non_null(all.bytes);
    for (int i = 0; names[i]; i++) {
        struct test_bytes part = test_cert_file(names[i]);

        memcpy(all.bytes + all.len, part.bytes, part.len);
        all.len += part.len;
        free(part.bytes);
    }
    path = write_bytes(file, all.bytes, all.len, 0600);
    free(all.bytes);
    return path;
}

static SECURITY_STATUS load(const char *cert, const char *key, const char *password,
                            PCCERT_CONTEXT *ret_context)
{
    char *cert_copy = strdup(cert);
    char *key_copy = key ? strdup(key) : NULL;
    SECURITY_STATUS status = OsspiLoadCertificate(cert_copy, key_copy, password, ret_context);

    free(cert_copy);
    free(key_copy);
    return status;
}

/* Loads files of the test certificates, or of the scratch folder (beginning with "/"). */
static SECURITY_STATUS load_named(const char *cert, const char *key, const char *password,
                                  PCCERT_CONTEXT *ret_context)
{
    char *cert_path = strdup(cert[0] == '/' ? cert : test_cert_path(cert));
    const char *key_path = !key || key[0] == '/' ? key : test_cert_path(key);
    SECURITY_STATUS status = load(cert_path, key_path, password, ret_context);

    free(cert_path);
    return status;
}

static void check_status(const char *cert, const char *key, const char *password,
                         SECURITY_STATUS expected)
{
    PCCERT_CONTEXT context = (PCCERT_CONTEXT)&expected;

    assert_int_equal(load_named(cert, key, password, &context), expected);
    assert_null(context);
    assert_int_equal(ERR_peek_error(), 0);
}

/* Loads, and checks that leaf and chain are those of server.pem (or the file named). */
static void check_loads(const char *cert, const char *key, const char *password,
                        const char *expected)
{
    struct test_bytes leaf = test_cert_der(expected, 0);
    struct test_bytes inter = test_cert_der(expected, 1);
    PCCERT_CONTEXT context = NULL;
    PCCERT_CONTEXT next;

    assert_int_equal(load_named(cert, key, password, &context), SEC_E_OK);
    assert_int_equal(context->cbCertEncoded, leaf.len);
    assert_memory_equal(context->pbCertEncoded, leaf.bytes, leaf.len);
    next = CertFindCertificateInStore(context->hCertStore, X509_ASN_ENCODING, 0,
                                      CERT_FIND_HAS_PRIVATE_KEY, NULL, NULL);
    assert_non_null(next);
    assert_memory_equal(next->pbCertEncoded, leaf.bytes, leaf.len);
    next = CertEnumCertificatesInStore(context->hCertStore, next);
    assert_non_null(next);
    assert_memory_equal(next->pbCertEncoded, inter.bytes, inter.len);
    assert_null(CertEnumCertificatesInStore(context->hCertStore, next));
    assert_int_equal(ERR_peek_error(), 0);
    CertFreeCertificateContext(context);
    free(leaf.bytes);
    free(inter.bytes);
}

static void certificate_and_key_in_two_files(void **state)
{
    (void)state;
    check_loads("server.pem", "server.key", NULL, "server.pem");
    check_loads("server-rsa.pem", "server-rsa.key", NULL, "server-rsa.pem");
    check_loads("server.pem", "server.key", "needless", "server.pem");
}

static void certificate_and_key_in_one_file(void **state)
{
    static const char *const key_first[] = {"server.key", "server.pem", NULL};

    (void)state;
    check_loads("server-all.pem", NULL, NULL, "server.pem");
    check_loads("server-all.pem", "server-all.pem", NULL, "server.pem");
    check_loads(join("key-first.pem", key_first), NULL, NULL, "server.pem");
}

static void leaf_is_the_one_the_key_belongs_to(void **state)
{
    static const char *const leaf_last[] = {"inter.pem", "server.pem", NULL};
    struct test_bytes leaf = test_cert_der("server.pem", 0);
    PCCERT_CONTEXT context = NULL;

    (void)state;
    assert_int_equal(load_named(join("last.pem", leaf_last), "server.key", NULL, &context),
                     SEC_E_OK);
    assert_memory_equal(context->pbCertEncoded, leaf.bytes, leaf.len);
    assert_int_equal(test_cert_count(context->hCertStore), 3);
    CertFreeCertificateContext(context);
    free(leaf.bytes);
}

static void text_around_the_blocks_is_skipped(void **state)
{
    struct test_bytes pem = test_cert_file("server-all.pem");
    static const char before[] = "Bag Attributes\r\n\xff\xfe -----not a block\n";
    size_t len = sizeof(before) - 1;
    char *text = malloc(len + pem.len);

    (void)state;
    memcpy(text, before, len);
    memcpy(text + len, pem.bytes, pem.len);
    check_loads(write_bytes("around.pem", text, len + pem.len, 0600), NULL, NULL, "server.pem");
    free(text);
    free(pem.bytes);
}

static void encrypted_key(void **state)
{
    (void)state;
    check_loads("server.pem", "server-enc.key", "secret", "server.pem");
    check_status("server.pem", "server-enc.key", "wrong", SEC_E_LOGON_DENIED);
    check_status("server.pem", "server-enc.key", "", SEC_E_LOGON_DENIED);
    check_status("server.pem", "server-enc.key", NULL, SEC_E_LOGON_DENIED);
}

static void password_of_absurd_length(void **state)
{
    char *password = malloc(100001);

    (void)state;
    memset(password, 'x', 100000);
    password[100000] = '\0';
    check_status("server.pem", "server-enc.key", password, SEC_E_LOGON_DENIED);
    free(password);
}

static void traditional_key(void **state)
{
    char *command = NULL;
    const char *plain = scratch("traditional.key");
    const char *sealed = scratch("traditional-enc.key");

    (void)state;
    assert_true(asprintf(&command,
                         "umask 077; openssl pkey -traditional -in %s -out %s && "
                         "openssl ec -aes128 -passout pass:secret -in %s -out %s 2>/dev/null",
                         test_cert_path("server.key"), plain, plain, sealed) > 0);
    assert_int_equal(system(command), 0);
    free(command);
    check_loads("server.pem", plain, NULL, "server.pem");
    check_loads("server.pem", sealed, "secret", "server.pem");
    check_status("server.pem", sealed, "wrong", SEC_E_LOGON_DENIED);
    check_status("server.pem", sealed, NULL, SEC_E_LOGON_DENIED);
}

static void bad_arguments(void **state)
{
    PCCERT_CONTEXT context = (PCCERT_CONTEXT)&state;

    assert_int_equal(OsspiLoadCertificate("x", NULL, NULL, NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiLoadCertificate(NULL, "x", NULL, &context), SEC_E_INVALID_PARAMETER);
    assert_null(context);
}

/* What does not get as far as a device; the rest is in tests/token. */
static void token_uri_is_malformed(void **state)
{
    (void)state;
    check_status("server.pem", "/dev/null", NULL, SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(OsspiLoadCertificate("pkcs11:", NULL, NULL, &(PCCERT_CONTEXT){0}),
                     SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(OsspiLoadCertificate("x.pem", "PKCS11:object", NULL, &(PCCERT_CONTEXT){0}),
                     SEC_E_UNKNOWN_CREDENTIALS);
}

static void missing_file(void **state)
{
    (void)state;
    check_status("/nowhere/at/all.pem", NULL, NULL, SEC_E_NO_CREDENTIALS);
    check_status("server.pem", "/nowhere/at/all.key", NULL, SEC_E_NO_CREDENTIALS);
    check_status("server.pem", scratch("../etc/\xff"), NULL, SEC_E_NO_CREDENTIALS);
    check_status("/etc/hostname/x", NULL, NULL, SEC_E_NO_CREDENTIALS);
}

static void file_without_what_is_needed(void **state)
{
    (void)state;
    check_status("server.pem", "ca.key", NULL, SEC_E_NO_CREDENTIALS);
    check_status("server.pem", write_text("none.key", "no key\n"), NULL, SEC_E_NO_CREDENTIALS);
    check_status("server.pem", write_text("empty.key", ""), NULL, SEC_E_NO_CREDENTIALS);
    check_status(write_text("none.pem", "no certificate\n"), "server.key", NULL,
                 SEC_E_UNKNOWN_CREDENTIALS);
    check_status("server.key", "server.key", NULL, SEC_E_UNKNOWN_CREDENTIALS);
}

static void file_that_is_not_pem(void **state)
{
    struct test_bytes der = test_cert_der("server.pem", 0);
    struct test_bytes pfx = test_cert_file("server.pfx");

    (void)state;
    check_status(write_bytes("der.pem", der.bytes, der.len, 0600), "server.key", NULL,
                 SEC_E_UNKNOWN_CREDENTIALS);
    check_status(write_bytes("pfx.pem", pfx.bytes, pfx.len, 0600), NULL, "secret",
                 SEC_E_UNKNOWN_CREDENTIALS);
    free(der.bytes);
    free(pfx.bytes);
}

static void damaged_block(void **state)
{
    (void)state;
    check_status(write_text("base64.pem", "-----BEGIN CERTIFICATE-----\n?!\n"
                                          "-----END CERTIFICATE-----\n"),
                 "server.key", NULL, SEC_E_UNKNOWN_CREDENTIALS);
    check_status(write_text("open.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"), "server.key", NULL,
                 SEC_E_UNKNOWN_CREDENTIALS);
    check_status(write_text("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                           "-----END CERTIFICATE-----\n"),
                 "server.key", NULL, SEC_E_UNKNOWN_CREDENTIALS);
    check_status("server.pem",
                 write_text("garbage.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"
                                           "-----END PRIVATE KEY-----\n"),
                 NULL, SEC_E_UNKNOWN_CREDENTIALS);
    check_status("server.pem",
                 write_text("sealed.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
                                          "-----END ENCRYPTED PRIVATE KEY-----\n"),
                 "secret", SEC_E_UNKNOWN_CREDENTIALS);
}

static void file_of_absurd_size(void **state)
{
    size_t len = (1u << 20) + 1;
    char *text = malloc(len);

    (void)state;
    memset(text, '\n', len);
    check_status("server.pem", write_bytes("huge.key", text, len, 0600), NULL,
                 SEC_E_UNKNOWN_CREDENTIALS);
    free(text);
}

static void chain_of_absurd_length(void **state)
{
    struct test_bytes leaf = test_cert_file("server-all.pem");
    struct test_bytes part = test_cert_file("ca.pem");
    uint8_t *text = malloc(leaf.len + 101 * part.len);
    size_t len = leaf.len;
    PCCERT_CONTEXT context = NULL;

    (void)state;
    memcpy(text, leaf.bytes, leaf.len);
    for (int i = 0; i < 101; i++, len += part.len)
        memcpy(text + len, part.bytes, part.len);
    check_status(write_bytes("long.pem", text, len, 0600), NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
    len -= 2 * part.len;
    assert_int_equal(load_named(write_bytes("long.pem", text, len, 0600), NULL, NULL, &context),
                     SEC_E_OK);
    assert_int_equal(test_cert_count(context->hCertStore), 101);
    CertFreeCertificateContext(context);
    free(text);
    free(part.bytes);
    free(leaf.bytes);
}

static void not_a_regular_file(void **state)
{
    const char *pipe = scratch("pipe");

    (void)state;
    assert_int_equal(mkfifo(pipe, 0600), 0);
    check_status(pipe, NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
    check_status(folder, NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
    check_status("/dev/zero", NULL, NULL, SEC_E_UNKNOWN_CREDENTIALS);
}

static void key_file_open_to_others(void **state)
{
    struct test_bytes key = test_cert_file("server.key");
    static const mode_t bad[] = {0640, 0604, 0620, 0602, 0610, 0601, 0666};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_status("server.pem", write_bytes("open.key", key.bytes, key.len, bad[i]), NULL,
                     SEC_E_NOT_OWNER);
    check_loads("server.pem", write_bytes("open.key", key.bytes, key.len, 0400), NULL,
                "server.pem");
    free(key.bytes);
}

/* What holds no key may be open to all; with the key in it, it is a key file. */
static void certificate_file_open_to_others(void **state)
{
    struct test_bytes all = test_cert_file("server-all.pem");
    const char *path = write_bytes("all.pem", all.bytes, all.len, 0644);

    (void)state;
    check_loads(path, "server.key", NULL, "server.pem");
    check_status(path, NULL, NULL, SEC_E_NOT_OWNER);
    check_status(path, path, NULL, SEC_E_NOT_OWNER);
    free(all.bytes);
}

static void key_file_of_another_user(void **state)
{
    struct test_bytes key = test_cert_file("server.key");
    const char *path = write_bytes("foreign.key", key.bytes, key.len, 0600);

    (void)state;
    free(key.bytes);
    if (geteuid() != 0)
        skip(); /* nobody else can give a file away */
    assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
    check_status("server.pem", path, NULL, SEC_E_NOT_OWNER);
}

static void symbolic_links_are_followed(void **state)
{
    const char *link = scratch("link.pem");

    (void)state;
    assert_int_equal(symlink(test_cert_path("server-all.pem"), link), 0);
    check_loads(link, NULL, NULL, "server.pem");
}

static unsigned open_files(void)
{
    DIR *entries = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static void no_file_stays_open(void **state)
{
    unsigned before = open_files();

    certificate_and_key_in_two_files(state);
    encrypted_key(state);
    file_that_is_not_pem(state);
    key_file_open_to_others(state);
    assert_int_equal(open_files(), before);
}

static void errors_of_the_application_stay(void **state)
{
    PCCERT_CONTEXT context = NULL;

    (void)state;
    ERR_raise(ERR_LIB_USER, 77);
    assert_int_equal(load_named("server.pem", "server-enc.key", "wrong", &context),
                     SEC_E_LOGON_DENIED);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 77);
    assert_int_equal(ERR_get_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate_and_key_in_two_files),
        cmocka_unit_test(certificate_and_key_in_one_file),
        cmocka_unit_test(leaf_is_the_one_the_key_belongs_to),
        cmocka_unit_test(text_around_the_blocks_is_skipped),
        cmocka_unit_test(encrypted_key),
        cmocka_unit_test(password_of_absurd_length),
        cmocka_unit_test(traditional_key),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(token_uri_is_malformed),
        cmocka_unit_test(missing_file),
        cmocka_unit_test(file_without_what_is_needed),
        cmocka_unit_test(file_that_is_not_pem),
        cmocka_unit_test(damaged_block),
        cmocka_unit_test(file_of_absurd_size),
        cmocka_unit_test(chain_of_absurd_length),
        cmocka_unit_test(not_a_regular_file),
        cmocka_unit_test(key_file_open_to_others),
        cmocka_unit_test(certificate_file_open_to_others),
        cmocka_unit_test(key_file_of_another_user),
        cmocka_unit_test(symbolic_links_are_followed),
        cmocka_unit_test(no_file_stays_open),
        cmocka_unit_test(errors_of_the_application_stay),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
