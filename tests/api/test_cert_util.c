/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Files and certificates for the tests of certificates; see test_cert_util.h. One thread only.
 */
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind the TLS library's headers: wincrypt.h has a macro of the name X509_NAME. */
#include "test_cert_util.h"
#undef X509_NAME

const char *test_cert_path(const char *name)
{
    static _Thread_local char path[4096];
    const char *folder = getenv("OSSPI_TEST_CERTS");

    if (!folder) {
        print_message("OSSPI_TEST_CERTS is not set\n");
        exit(77);
    }
    assert_true((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path));
    return path;
}

struct test_bytes test_cert_file(const char *name)
{
    struct test_bytes content = {malloc(1u << 20), 0};
    FILE *file = fopen(test_cert_path(name), "rb");

    assert_non_null(file);
    assert_non_null(content.bytes);
    content.len = fread(content.bytes, 1, 1u << 20, file);
    assert_true(content.len > 0 && content.len < 1u << 20);
    fclose(file);
    return content;
}

static struct test_bytes encode(X509 *certificate)
{
    struct test_bytes der = {NULL, 0};
    unsigned char *encoded = NULL;
    int len = i2d_X509(certificate, &encoded);

    assert_true(len > 0);
    der.bytes = malloc((size_t)len);
    assert_non_null(der.bytes);
    memcpy(der.bytes, encoded, (size_t)len);
    der.len = (size_t)len;
    OPENSSL_free(encoded);
    return der;
}

struct test_bytes test_cert_der(const char *name, int index)
{
    BIO *file = BIO_new_file(test_cert_path(name), "rb");
    X509 *certificate = NULL;
    struct test_bytes der;

    assert_non_null(file);
    for (int i = 0; i <= index; i++) {
        X509_free(certificate);
        certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);
        assert_non_null(certificate);
    }
    der = encode(certificate);
    X509_free(certificate);
    BIO_free(file);
    return der;
}

struct test_bytes test_cert_key(const char *name)
{
    BIO *file = BIO_new_file(test_cert_path(name), "rb");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    unsigned char *encoded = NULL;
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &encoded);
    struct test_bytes der;

    assert_true(len > 0);
    der = (struct test_bytes){malloc((size_t)len), (size_t)len};
    assert_non_null(der.bytes);
    memcpy(der.bytes, encoded, (size_t)len);
    OPENSSL_free(encoded);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(key);
    BIO_free(file);
    return der;
}

static PCCERT_CONTEXT context_of(struct test_bytes der)
{
    PCCERT_CONTEXT context =
        CertCreateCertificateContext(X509_ASN_ENCODING, der.bytes, (DWORD)der.len);

    free(der.bytes);
    assert_non_null(context);
    return context;
}

PCCERT_CONTEXT test_cert_context(const char *name, int index)
{
    return context_of(test_cert_der(name, index));
}

static void set_subject(X509 *certificate, const struct test_cert_order *order)
{
    X509_NAME *name = X509_NAME_new();

    for (int i = 0; i < 10 && order->subject[i][0]; i++) {
        assert_int_equal(X509_NAME_add_entry_by_txt(name, order->subject[i][0], MBSTRING_UTF8,
                                                    (const unsigned char *)order->subject[i][1], -1,
                                                    -1, i > 0 && i < order->joined ? -1 : 0),
                         1);
    }
    assert_int_equal(X509_set_subject_name(certificate, name), 1);
    if (order->issuer) {
        X509_NAME_free(name);
        name = X509_NAME_new();
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                    (const unsigned char *)order->issuer, -1, -1,
                                                    0),
                         1);
    }
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    X509_NAME_free(name);
}

static void add_extensions(X509 *certificate, const struct test_cert_order *order)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    for (int i = 0; i < 4 && order->extensions[i][0]; i++) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf(NULL, &context, order->extensions[i][0], order->extensions[i][1]);

        assert_non_null(extension);
        assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
        X509_EXTENSION_free(extension);
    }
}

static void add_raw_dns(X509 *certificate, const struct test_cert_order *order)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();

    assert_int_equal(ASN1_STRING_set(string, order->raw_dns, (int)order->raw_dns_len), 1);
    GENERAL_NAME_set0_value(name, GEN_DNS, string);
    assert_true(sk_GENERAL_NAME_push(names, name) > 0);
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0), 1);
    GENERAL_NAMES_free(names);
}

static void set_serial(X509 *certificate, const char *hexadecimal)
{
    BIGNUM *number = NULL;

    assert_true(BN_hex2bn(&number, hexadecimal ? hexadecimal : "01") > 0);
    assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)));
    BN_free(number);
}

struct test_bytes test_cert_make(const struct test_cert_order *order)
{
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct test_bytes der;

    assert_non_null(key);
    X509_set_version(certificate, X509_VERSION_3);
    set_serial(certificate, order->serial);
    set_subject(certificate, order);
    assert_int_equal(
        ASN1_TIME_set_string(X509_getm_notBefore(certificate),
                             order->not_before ? order->not_before : "20200101000000Z"),
        1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(certificate),
                                          order->not_after ? order->not_after : "20991231235959Z"),
                     1);
    X509_set_pubkey(certificate, key);
    add_extensions(certificate, order);
    if (order->raw_dns)
        add_raw_dns(certificate, order);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    der = encode(certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return der;
}

PCCERT_CONTEXT test_cert_make_context(const struct test_cert_order *order)
{
    return context_of(test_cert_make(order));
}

HCERTSTORE test_cert_store(void)
{
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);

    assert_non_null(store);
    return store;
}

unsigned test_cert_count(HCERTSTORE store)
{
    PCCERT_CONTEXT context = NULL;
    unsigned count = 0;

    while ((context = CertEnumCertificatesInStore(store, context)))
        count++;
    TEST_LAST_ERROR(CRYPT_E_NOT_FOUND);
    return count;
}
