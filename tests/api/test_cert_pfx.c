/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * PFXImportCertStore: blobs of several makers (written here with the openssl command), passwords,
 * limits, and that a certificate keeps its key and its chain when it is copied elsewhere.
 */
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Behind the TLS library's headers: wincrypt.h has a macro of the name X509_NAME. */
#include "test_cert_util.h"
#undef X509_NAME

static char scratch[] = "/tmp/osspi-pfx-XXXXXX";

static int make_scratch(void **state)
{
    int fd = mkstemp(scratch);

    (void)state;
    return fd >= 0 ? close(fd) : -1;
}

static int remove_scratch(void **state)
{
    (void)state;
    return unlink(scratch);
}

/* Runs openssl pkcs12 -export in the folder of the test certificates, and reads what it wrote. */
static struct test_bytes export(const char *arguments)
{
    char *command = NULL;
    struct test_bytes blob = {malloc(1u << 20), 0};
    FILE *file;

    assert_true(asprintf(&command, "cd '%s' && openssl pkcs12 -export %s -out %s 2>/dev/null",
                         test_cert_path(""), arguments, scratch) > 0);
    assert_int_equal(system(command), 0);
    free(command);
    file = fopen(scratch, "rb");
    assert_non_null(file);
    assert_non_null(blob.bytes);
    blob.len = fread(blob.bytes, 1, 1u << 20, file);
    fclose(file);
    return blob;
}

static HCERTSTORE import(struct test_bytes blob, LPCWSTR password)
{
    CRYPT_DATA_BLOB data = {(DWORD)blob.len, blob.bytes};
    HCERTSTORE store =
        PFXImportCertStore(&data, password, CRYPT_EXPORTABLE | PKCS12_NO_PERSIST_KEY);

    assert_int_equal(ERR_peek_error(), 0);
    return store;
}

static PCCERT_CONTEXT find_key(HCERTSTORE store, PCCERT_CONTEXT previous)
{
    return CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_HAS_PRIVATE_KEY, NULL,
                                      previous);
}

static void check_first_is(HCERTSTORE store, const char *name)
{
    struct test_bytes der = test_cert_der(name, 0);
    PCCERT_CONTEXT first = CertEnumCertificatesInStore(store, NULL);
    PCCERT_CONTEXT keyed = find_key(store, NULL);

    assert_non_null(first);
    assert_non_null(keyed);
    assert_int_equal(first->cbCertEncoded, der.len);
    assert_memory_equal(first->pbCertEncoded, der.bytes, der.len);
    assert_memory_equal(keyed->pbCertEncoded, der.bytes, der.len);
    CertFreeCertificateContext(first);
    CertFreeCertificateContext(keyed);
    free(der.bytes);
}

/* Imports with the password, finds server.pem and so many certificates. */
static void check_import(struct test_bytes blob, LPCWSTR password, unsigned count)
{
    HCERTSTORE store = import(blob, password);

    assert_non_null(store);
    check_first_is(store, "server.pem");
    assert_int_equal(test_cert_count(store), count);
    assert_true(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
}

static void check_refused(struct test_bytes blob, LPCWSTR password, DWORD expected)
{
    SetLastError(0);
    assert_null(import(blob, password));
    TEST_LAST_ERROR(expected);
}

static void key_stays_with_the_leaf(void **state)
{
    struct test_bytes blob = test_cert_file("server.pfx");

    (void)state;
    check_import(blob, u"secret", 2);
    free(blob.bytes);
}

static void wrong_password(void **state)
{
    static const WCHAR lone_surrogate[] = {0xDC00, 0};
    struct test_bytes blob = test_cert_file("server.pfx");
    WCHAR *endless = calloc(100001, sizeof(WCHAR));

    (void)state;
    for (int i = 0; i < 100000; i++)
        endless[i] = 'x';
    check_refused(blob, u"Secret", ERROR_INVALID_PASSWORD);
    check_refused(blob, u"", ERROR_INVALID_PASSWORD);
    check_refused(blob, NULL, ERROR_INVALID_PASSWORD);
    check_refused(blob, lone_surrogate, ERROR_INVALID_PASSWORD);
    check_refused(blob, endless, ERROR_INVALID_PASSWORD);
    free(endless);
    free(blob.bytes);
}

static void bad_arguments(void **state)
{
    CRYPT_DATA_BLOB none = {5, NULL};
    struct test_bytes garbage = {(uint8_t *)(uintptr_t) "garbage", 7};
    struct test_bytes empty = {garbage.bytes, 0};
    struct test_bytes der = test_cert_der("server.pem", 0);

    (void)state;
    assert_null(PFXImportCertStore(NULL, u"", 0));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_null(PFXImportCertStore(&none, u"", 0));
    TEST_LAST_ERROR(E_INVALIDARG);
    check_refused(garbage, u"", CRYPT_E_BAD_ENCODE);
    check_refused(empty, u"", CRYPT_E_BAD_ENCODE);
    check_refused(der, u"", CRYPT_E_BAD_ENCODE);
    free(der.bytes);
}

static void every_way_of_sealing(void **state)
{
    static const struct {
        const char *arguments;
        bool wrong_is_known; /* with no MAC and nothing sealed every password is right */
    } ways[] = {
        {"-legacy", true},
        {"-certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1", true},
        {"-certpbe AES-128-CBC -keypbe AES-256-CBC -macalg sha384 -iter 100000", true},
        {"-certpbe NONE", true},
        {"-nomac", true},
        {"-certpbe NONE -keypbe NONE", true},
        {"-certpbe NONE -keypbe NONE -nomac", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char arguments[256];
        struct test_bytes blob;

        snprintf(arguments, sizeof(arguments),
                 "-in server.pem -inkey server.key -passout pass:secret %s", ways[i].arguments);
        blob = export(arguments);
        check_import(blob, u"secret", 2);
        if (ways[i].wrong_is_known)
            check_refused(blob, u"wrong", ERROR_INVALID_PASSWORD);
        free(blob.bytes);
    }
}

static void empty_password_in_both_forms(void **state)
{
    struct test_bytes blob = export("-in server.pem -inkey server.key -passout pass:");

    (void)state;
    check_import(blob, u"", 2);
    check_import(blob, NULL, 2);
    check_refused(blob, u"x", ERROR_INVALID_PASSWORD);
    free(blob.bytes);
}

static void password_beyond_ascii(void **state)
{
    static const WCHAR password[] = {'p', 0xE4, 0x20AC, 0xD83D, 0xDE00, 0};
    struct test_bytes blob = export(
        "-in server.pem -inkey server.key -passout 'pass:p\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80'");

    (void)state;
    check_import(blob, password, 2);
    free(blob.bytes);
}

static void name_becomes_the_friendly_name(void **state)
{
    struct test_bytes blob =
        export("-in server.pem -inkey server.key -name 'B\xc3\xa4r' -passout pass:secret");
    HCERTSTORE store = import(blob, u"secret");
    PCCERT_CONTEXT leaf = find_key(store, NULL);
    char name[32];

    (void)state;
    assert_int_equal(CertGetNameStringA(leaf, CERT_NAME_FRIENDLY_DISPLAY_TYPE, 0, NULL, name, 32),
                     5);
    assert_string_equal(name, "B\xc3\xa4r");
    CertFreeCertificateContext(leaf);
    CertCloseStore(store, 0);
    free(blob.bytes);
}

static void certificates_without_key(void **state)
{
    struct test_bytes blob = export("-in server.pem -nokeys -passout pass:secret");
    HCERTSTORE store = import(blob, u"secret");

    (void)state;
    assert_int_equal(test_cert_count(store), 2);
    assert_null(find_key(store, NULL));
    TEST_LAST_ERROR(CRYPT_E_NOT_FOUND);
    CertCloseStore(store, 0);
    free(blob.bytes);
}

static void duplicate_certificates_are_one(void **state)
{
    struct test_bytes blob = export("-in server.pem -inkey server.key -certfile server.pem "
                                    "-passout pass:secret");

    (void)state;
    check_import(blob, u"secret", 2);
    free(blob.bytes);
}

static EVP_PKEY *key_from(const char *name)
{
    struct test_bytes der = test_cert_key(name);
    const unsigned char *end = der.bytes;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &end, (long)der.len);

    assert_non_null(key);
    free(der.bytes);
    return key;
}

static X509 *certificate_from(const char *name)
{
    struct test_bytes der = test_cert_der(name, 0);
    const unsigned char *end = der.bytes;
    X509 *certificate = d2i_X509(NULL, &end, (long)der.len);

    assert_non_null(certificate);
    free(der.bytes);
    return certificate;
}

static struct test_bytes encode(PKCS12 *pfx)
{
    unsigned char *encoded = NULL;
    int len = i2d_PKCS12(pfx, &encoded);
    struct test_bytes blob = {malloc((size_t)len), (size_t)len};

    assert_true(len > 0);
    memcpy(blob.bytes, encoded, blob.len);
    OPENSSL_free(encoded);
    PKCS12_free(pfx);
    return blob;
}

/* A blob of these certificates and keys (names without ending; keys in reverse order). */
static struct test_bytes assemble(const char *const names[], int count)
{
    STACK_OF(PKCS7) *safes = NULL;
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    PKCS12 *pfx;

    for (int i = 0; i < count; i++) {
        char file[64];
        X509 *certificate;

        snprintf(file, sizeof(file), "%s.pem", names[i]);
        certificate = certificate_from(file);
        assert_non_null(PKCS12_add_cert(&bags, certificate));
        X509_free(certificate);
    }
    for (int i = count - 1; i >= 0; i--) {
        char file[64];
        EVP_PKEY *key;

        snprintf(file, sizeof(file), "%s.key", names[i]);
        key = key_from(file);
        assert_non_null(PKCS12_add_key(&bags, key, 0, 1000, NID_aes_256_cbc, "secret"));
        EVP_PKEY_free(key);
    }
    assert_int_equal(PKCS12_add_safe(&safes, bags, -1, 0, NULL), 1);
    pfx = PKCS12_add_safes(safes, 0);
    assert_non_null(pfx);
    assert_int_equal(PKCS12_set_mac(pfx, "secret", -1, NULL, 0, 1000, NULL), 1);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return encode(pfx);
}

static void several_keys_find_their_certificates(void **state)
{
    static const char *const names[] = {"server", "client", "server-rsa", "expired"};
    struct test_bytes blob = assemble(names, 4);
    HCERTSTORE store = import(blob, u"secret");
    PCCERT_CONTEXT context = NULL;
    unsigned keyed = 0;

    (void)state;
    assert_non_null(store);
    while ((context = find_key(store, context)))
        keyed++;
    assert_int_equal(keyed, 4);
    assert_int_equal(test_cert_count(store), 4);
    CertCloseStore(store, 0);
    free(blob.bytes);
}

/* The first look at a password must already be too dear; this test is about not waiting. */
static void absurd_iterations_are_refused(void **state)
{
    static const uint8_t million[] = {0x02, 0x03, 0x0F, 0x42, 0x40};
    static const char *const ways[] = {"-nomac", "-legacy -nomac"};

    (void)state;
    for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
        char arguments[256];
        struct test_bytes blob;
        unsigned patched = 0;

        snprintf(arguments, sizeof(arguments),
                 "-in server.pem -inkey server.key -passout pass:secret -iter 1000000 %s",
                 ways[way]);
        blob = export(arguments);
        for (size_t i = 0; i + sizeof(million) < blob.len; i++) {
            if (memcmp(blob.bytes + i, million, sizeof(million)) == 0) {
                blob.bytes[i + 2] = 0x7F; /* 8,340,032 */
                patched++;
            }
        }
        assert_true(patched > 0);
        check_refused(blob, u"secret", CRYPT_E_BAD_ENCODE);
        free(blob.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_stays_with_the_leaf),
        cmocka_unit_test(wrong_password),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(every_way_of_sealing),
        cmocka_unit_test(empty_password_in_both_forms),
        cmocka_unit_test(password_beyond_ascii),
        cmocka_unit_test(name_becomes_the_friendly_name),
        cmocka_unit_test(certificates_without_key),
        cmocka_unit_test(duplicate_certificates_are_one),
        cmocka_unit_test(several_keys_find_their_certificates),
        cmocka_unit_test(absurd_iterations_are_refused),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
