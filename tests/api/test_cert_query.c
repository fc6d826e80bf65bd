/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CryptQueryObject: blobs and files that hold certificates, PKCS #7 and PKCS #12 in each format,
 * what is asked for and what is not, and objects that are nothing of the kind.
 */
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Behind the TLS library's headers: wincrypt.h has a macro of the name X509_NAME. */
#include "test_cert_util.h"
#undef X509_NAME

#define ALL_CONTENTS CERT_QUERY_CONTENT_FLAG_ALL
#define ALL_FORMATS  CERT_QUERY_FORMAT_FLAG_ALL

static char scratch[] = "/tmp/osspi-query-XXXXXX";

struct answer {
    DWORD encoding, content, format;
    HCERTSTORE store;
    HCRYPTMSG message;
    PCCERT_CONTEXT context;
};

static BOOL ask(const void *bytes, size_t len, DWORD contents, DWORD formats, struct answer *ret)
{
    CERT_BLOB blob = {(DWORD)len, (BYTE *)(uintptr_t)bytes};

    memset(ret, 0x5A, sizeof(*ret));
    return CryptQueryObject(CERT_QUERY_OBJECT_BLOB, &blob, contents, formats, 0, &ret->encoding,
                            &ret->content, &ret->format, &ret->store, &ret->message,
                            (const void **)&ret->context);
}

static void clear(struct answer *answer)
{
    CertFreeCertificateContext(answer->context);
    assert_true(CertCloseStore(answer->store, CERT_CLOSE_STORE_CHECK_FLAG));
}

static void require_none(const void *bytes, size_t len, DWORD contents, DWORD formats)
{
    struct answer answer;

    assert_false(ask(bytes, len, contents, formats, &answer));
    TEST_LAST_ERROR(CRYPT_E_NO_MATCH);
    assert_null(answer.store);
    assert_null(answer.context);
    assert_null(answer.message);
}

static void certificate_as_der(void **state)
{
    struct test_bytes der = test_cert_der("server.pem", 0);
    struct answer answer;

    (void)state;
    assert_true(ask(der.bytes, der.len, ALL_CONTENTS, ALL_FORMATS, &answer));
    assert_int_equal(answer.encoding & 0xFFFF, X509_ASN_ENCODING);
    assert_int_equal(answer.content, CERT_QUERY_CONTENT_CERT);
    assert_int_equal(answer.format, CERT_QUERY_FORMAT_BINARY);
    assert_int_equal(answer.context->cbCertEncoded, der.len);
    assert_ptr_equal(answer.context->hCertStore, answer.store);
    assert_null(answer.message);
    assert_int_equal(test_cert_count(answer.store), 1);
    clear(&answer);
    require_none(der.bytes, der.len, ALL_CONTENTS, CERT_QUERY_FORMAT_FLAG_BASE64_ENCODED);
    require_none(der.bytes, der.len, CERT_QUERY_CONTENT_FLAG_CRL, ALL_FORMATS);
    require_none(der.bytes, der.len - 1, ALL_CONTENTS, ALL_FORMATS);
    free(der.bytes);
}

static void certificates_as_pem(void **state)
{
    struct test_bytes pem = test_cert_file("deep.pem");
    struct answer answer;

    (void)state;
    assert_true(ask(pem.bytes, pem.len, CERT_QUERY_CONTENT_FLAG_CERT, ALL_FORMATS, &answer));
    assert_int_equal(answer.content, CERT_QUERY_CONTENT_CERT);
    assert_int_equal(answer.format, CERT_QUERY_FORMAT_BASE64_ENCODED);
    assert_true(test_cert_count(answer.store) > 10);
    assert_non_null(answer.context);
    clear(&answer);
    require_none(pem.bytes, pem.len, ALL_CONTENTS, CERT_QUERY_FORMAT_FLAG_BINARY);
    free(pem.bytes);
}

/* As curl asks: the context only. */
static void context_without_store(void **state)
{
    struct test_bytes pem = test_cert_file("server.pem");
    CERT_BLOB blob = {(DWORD)pem.len, pem.bytes};
    const CERT_CONTEXT *context = NULL;

    (void)state;
    assert_true(CryptQueryObject(CERT_QUERY_OBJECT_BLOB, &blob, CERT_QUERY_CONTENT_FLAG_CERT,
                                 ALL_FORMATS, 0, NULL, NULL, NULL, NULL, NULL,
                                 (const void **)&context));
    assert_non_null(context);
    assert_null(context->hCertStore);
    CertFreeCertificateContext(context);
    assert_true(CryptQueryObject(CERT_QUERY_OBJECT_BLOB, &blob, ALL_CONTENTS, ALL_FORMATS, 0, NULL,
                                 NULL, NULL, NULL, NULL, NULL));
    free(pem.bytes);
}

static void base64_without_header(void **state)
{
    struct test_bytes der = test_cert_der("server.pem", 0);
    DWORD size = 0;
    struct answer answer;
    char *text;

    (void)state;
    assert_true(CryptBinaryToStringA(der.bytes, (DWORD)der.len, CRYPT_STRING_BASE64, NULL, &size));
    text = malloc(size);
    assert_non_null(text);
    assert_true(CryptBinaryToStringA(der.bytes, (DWORD)der.len, CRYPT_STRING_BASE64, text, &size));
    assert_true(ask(text, size, ALL_CONTENTS, ALL_FORMATS, &answer));
    assert_int_equal(answer.format, CERT_QUERY_FORMAT_BASE64_ENCODED);
    clear(&answer);
    free(text);
    free(der.bytes);
}

/* Signed data without a signature: the usual way to hand certificates on. */
static struct test_bytes make_pkcs7(void)
{
    PKCS7 *pkcs7 = PKCS7_new();
    BIO *file = BIO_new_file(test_cert_path("server.pem"), "rb");
    struct test_bytes der = {NULL, 0};
    X509 *certificate;
    unsigned char *encoded = NULL;
    int len;

    assert_non_null(file);
    assert_int_equal(PKCS7_set_type(pkcs7, NID_pkcs7_signed), 1);
    assert_int_equal(PKCS7_content_new(pkcs7, NID_pkcs7_data), 1);
    while ((certificate = PEM_read_bio_X509(file, NULL, NULL, NULL))) {
        assert_int_equal(PKCS7_add_certificate(pkcs7, certificate), 1);
        X509_free(certificate);
    }
    len = i2d_PKCS7(pkcs7, &encoded);
    assert_true(len > 0);
    der = (struct test_bytes){malloc((size_t)len), (size_t)len};
    assert_non_null(der.bytes);
    memcpy(der.bytes, encoded, (size_t)len);
    OPENSSL_free(encoded);
    PKCS7_free(pkcs7);
    BIO_free(file);
    return der;
}

static void pkcs7_with_certificates(void **state)
{
    struct test_bytes der = make_pkcs7();
    struct answer answer;

    (void)state;
    assert_true(ask(der.bytes, der.len, ALL_CONTENTS, ALL_FORMATS, &answer));
    assert_int_equal(answer.content, CERT_QUERY_CONTENT_PKCS7_SIGNED);
    assert_null(answer.context);
    assert_null(answer.message);
    assert_int_equal(test_cert_count(answer.store), 2);
    clear(&answer);
    require_none(der.bytes, der.len, CERT_QUERY_CONTENT_FLAG_CERT, ALL_FORMATS);
    for (size_t len = 0; len < der.len; len += 7)
        require_none(der.bytes, len, ALL_CONTENTS, ALL_FORMATS);
    free(der.bytes);
}

static void pfx_is_recognised(void **state)
{
    struct test_bytes pfx = test_cert_file("server.pfx");
    struct answer answer;

    (void)state;
    assert_true(ask(pfx.bytes, pfx.len, ALL_CONTENTS, ALL_FORMATS, &answer));
    assert_int_equal(answer.content, CERT_QUERY_CONTENT_PFX);
    assert_int_equal(test_cert_count(answer.store), 0);
    clear(&answer);
    /* It has a password, so it is not loaded without one. */
    require_none(pfx.bytes, pfx.len, CERT_QUERY_CONTENT_FLAG_PFX_AND_LOAD, ALL_FORMATS);
    free(pfx.bytes);
}

static void require_file(const WCHAR *path, DWORD error)
{
    HCERTSTORE store = NULL;

    assert_false(CryptQueryObject(CERT_QUERY_OBJECT_FILE, path, ALL_CONTENTS, ALL_FORMATS, 0, NULL,
                                  NULL, NULL, &store, NULL, NULL));
    TEST_LAST_ERROR(error);
    assert_null(store);
}

static void widen(const char *text, WCHAR *ret_wide)
{
    do
        *ret_wide++ = (WCHAR)(unsigned char)*text;
    while (*text++);
}

static void files(void **state)
{
    WCHAR path[4096];
    HCERTSTORE store = NULL;

    (void)state;
    widen(test_cert_path("ca.pem"), path);
    assert_true(CryptQueryObject(CERT_QUERY_OBJECT_FILE, path, ALL_CONTENTS, ALL_FORMATS, 0, NULL,
                                 NULL, NULL, &store, NULL, NULL));
    assert_int_equal(test_cert_count(store), 1);
    assert_true(CertCloseStore(store, 0));
    widen(test_cert_path("server.key"), path);
    require_file(path, CRYPT_E_NO_MATCH);
    require_file(u"/nowhere/at/all.pem", ERROR_FILE_NOT_FOUND);
    require_file(u"/tmp", CRYPT_E_FILE_ERROR);
    require_file(u"/dev/zero", CRYPT_E_FILE_ERROR);
    require_file(u"\xD800", E_INVALIDARG);
}

static void file_that_is_too_long(void **state)
{
    WCHAR path[64];

    (void)state;
    widen(scratch, path);
    assert_int_equal(truncate(scratch, (10 << 20) + 1), 0);
    require_file(path, CRYPT_E_FILE_ERROR);
    assert_int_equal(truncate(scratch, 10 << 20), 0);
    require_file(path, CRYPT_E_NO_MATCH);
    assert_int_equal(truncate(scratch, 0), 0);
    require_file(path, CRYPT_E_NO_MATCH);
}

static void bad_arguments_are_refused(void **state)
{
    static const BYTE noise[64] = {0x30, 0x82, 0xFF, 0xFF, 0x30};
    CERT_BLOB blob = {10, NULL};

    (void)state;
    assert_false(CryptQueryObject(3, &blob, ALL_CONTENTS, ALL_FORMATS, 0, NULL, NULL, NULL, NULL,
                                  NULL, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_false(CryptQueryObject(CERT_QUERY_OBJECT_BLOB, NULL, ALL_CONTENTS, ALL_FORMATS, 0, NULL,
                                  NULL, NULL, NULL, NULL, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_false(CryptQueryObject(CERT_QUERY_OBJECT_BLOB, &blob, ALL_CONTENTS, ALL_FORMATS, 0, NULL,
                                  NULL, NULL, NULL, NULL, NULL));
    TEST_LAST_ERROR(CRYPT_E_NO_MATCH);
    require_none(noise, sizeof(noise), 0xFFFFFFFF, 0xFFFFFFFF);
    require_none("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 58, ALL_CONTENTS,
                 ALL_FORMATS);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate_as_der),
        cmocka_unit_test(certificates_as_pem),
        cmocka_unit_test(context_without_store),
        cmocka_unit_test(base64_without_header),
        cmocka_unit_test(pkcs7_with_certificates),
        cmocka_unit_test(pfx_is_recognised),
        cmocka_unit_test(files),
        cmocka_unit_test(file_that_is_too_long),
        cmocka_unit_test(bad_arguments_are_refused),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
