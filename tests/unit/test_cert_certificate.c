/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the rest of the library asks of certificates: CERT_INFO against the TLS library's own view,
 * keys, chains as given and as found in a store, and that nothing but certificates gets in.
 */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Behind the TLS library's headers: wincrypt.h has a macro of the name X509_NAME. */
#include "../api/test_cert_util.h"
#include "cert/certificate.h"
#undef X509_NAME

#define NO_KEY ((struct osspi_der_view){0})

static struct osspi_der_view view(struct test_bytes bytes)
{
    return (struct osspi_der_view){bytes.bytes, bytes.len};
}

static X509 *decode(struct test_bytes der)
{
    const unsigned char *end = der.bytes;
    X509 *certificate = d2i_X509(NULL, &end, (long)der.len);

    assert_non_null(certificate);
    return certificate;
}

static void check_name(const CERT_NAME_BLOB *blob, const X509_NAME *name)
{
    const unsigned char *der;
    size_t len;

    assert_int_equal(X509_NAME_get0_der(name, &der, &len), 1);
    assert_int_equal(blob->cbData, len);
    assert_memory_equal(blob->pbData, der, len);
}

static void check_oid(const char *text, const ASN1_OBJECT *object)
{
    char expected[128];

    assert_true(OBJ_obj2txt(expected, sizeof(expected), object, 1) > 0);
    assert_string_equal(text, expected);
}

static void check_time(const FILETIME *found, const ASN1_TIME *when)
{
    uint64_t ticks = (uint64_t)found->dwHighDateTime << 32 | found->dwLowDateTime;
    struct tm utc;

    assert_int_equal(ASN1_TIME_to_tm(when, &utc), 1);
    assert_int_equal(ticks, ((uint64_t)timegm(&utc) + UINT64_C(11644473600)) * 10000000);
}

static void check_serial(const CRYPT_INTEGER_BLOB *found, const ASN1_INTEGER *serial)
{
    unsigned char *der = NULL;
    int len = i2d_ASN1_INTEGER(serial, &der);

    assert_int_equal(found->cbData, len - 2);
    for (int i = 2; i < len; i++)
        assert_int_equal(found->pbData[len - 1 - i], der[i]);
    OPENSSL_free(der);
}

static void check_public_key(const CERT_PUBLIC_KEY_INFO *found, X509 *certificate)
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(certificate);
    X509_ALGOR *algorithm = NULL;
    unsigned char *parameter = NULL;
    int len;

    X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, X509_get_X509_PUBKEY(certificate));
    check_oid(found->Algorithm.pszObjId, algorithm->algorithm);
    len = i2d_ASN1_TYPE(algorithm->parameter, &parameter);
    assert_int_equal(found->Algorithm.Parameters.cbData, len);
    assert_memory_equal(found->Algorithm.Parameters.pbData, parameter, len);
    assert_int_equal(found->PublicKey.cbData, ASN1_STRING_length(bits));
    assert_memory_equal(found->PublicKey.pbData, ASN1_STRING_get0_data(bits),
                        found->PublicKey.cbData);
    assert_int_equal(found->PublicKey.cUnusedBits, 0);
    OPENSSL_free(parameter);
}

static void check_extensions(const CERT_INFO *info, const X509 *certificate)
{
    assert_int_equal(info->cExtension, X509_get_ext_count(certificate));
    for (DWORD i = 0; i < info->cExtension; i++) {
        X509_EXTENSION *extension = X509_get_ext(certificate, (int)i);
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);

        check_oid(info->rgExtension[i].pszObjId, X509_EXTENSION_get_object(extension));
        assert_int_equal(info->rgExtension[i].fCritical, X509_EXTENSION_get_critical(extension));
        assert_int_equal(info->rgExtension[i].Value.cbData, ASN1_STRING_length(value));
        assert_memory_equal(info->rgExtension[i].Value.pbData, ASN1_STRING_get0_data(value),
                            info->rgExtension[i].Value.cbData);
    }
}

static void check_info(struct test_bytes der)
{
    X509 *certificate = decode(der);
    PCCERT_CONTEXT context = NULL;
    const CERT_INFO *info;

    assert_int_equal(osspi_certificate_new(view(der), NO_KEY, NULL, 0, &context), SEC_E_OK);
    info = context->pCertInfo;
    assert_int_equal(context->cbCertEncoded, der.len);
    assert_memory_equal(context->pbCertEncoded, der.bytes, der.len);
    assert_int_equal(info->dwVersion, X509_get_version(certificate));
    check_serial(&info->SerialNumber, X509_get0_serialNumber(certificate));
    check_oid(info->SignatureAlgorithm.pszObjId, X509_get0_tbs_sigalg(certificate)->algorithm);
    check_name(&info->Issuer, X509_get_issuer_name(certificate));
    check_name(&info->Subject, X509_get_subject_name(certificate));
    check_time(&info->NotBefore, X509_get0_notBefore(certificate));
    check_time(&info->NotAfter, X509_get0_notAfter(certificate));
    check_public_key(&info->SubjectPublicKeyInfo, certificate);
    assert_int_equal(info->IssuerUniqueId.cbData, 0);
    check_extensions(info, certificate);
    CertFreeCertificateContext(context);
    X509_free(certificate);
    free(der.bytes);
}

static void info_is_what_the_certificate_says(void **state)
{
    static const char *const names[] = {"ca.pem",      "server.pem",  "server-rsa.pem",
                                        "expired.pem", "nulname.pem", "client.pem"};
    static const struct test_cert_order orders[] = {
        {.subject = {{"CN", "high"}}, .serial = "80000000000000000000000000000001"},
        {.subject = {{"CN", "negative"}}, .serial = "-80"},
        {.subject = {{"CN", "small"}}, .serial = "-1"},
        {.subject = {{"CN", "zero"}}, .serial = "0"},
        {.subject = {{"CN", "eternal"}}, .not_after = "99991231235959Z"},
        {.subject = {{"CN", "ancient"}}, .not_before = "18000101000000Z"},
        {.subject = {{NULL, NULL}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check_info(test_cert_der(names[i], 0));
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        check_info(test_cert_make(&orders[i]));
}

static SECURITY_STATUS make(struct osspi_der_view der)
{
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status = osspi_certificate_new(der, NO_KEY, NULL, 0, &context);

    CertFreeCertificateContext(context);
    return status;
}

/* The copy ends exactly where it says, for the sanitizers to see any byte too many. */
static void every_prefix_is_refused(void **state)
{
    struct test_bytes der = test_cert_der("server.pem", 0);

    (void)state;
    for (size_t len = 0; len < der.len; len++) {
        uint8_t *prefix = malloc(len + (len == 0));

        memcpy(prefix, der.bytes, len);
        assert_int_equal(make((struct osspi_der_view){prefix, len}), SEC_E_UNKNOWN_CREDENTIALS);
        free(prefix);
    }
    assert_int_equal(make((struct osspi_der_view){NULL, 5}), SEC_E_UNKNOWN_CREDENTIALS);
    free(der.bytes);
}

static void trailing_bytes_are_refused(void **state)
{
    struct test_bytes der = test_cert_der("server.pem", 0);
    uint8_t *longer = calloc(1, der.len + 1);

    (void)state;
    memcpy(longer, der.bytes, der.len);
    assert_int_equal(make((struct osspi_der_view){longer, der.len + 1}), SEC_E_UNKNOWN_CREDENTIALS);
    free(longer);
    free(der.bytes);
}

static void absurd_length_is_refused(void **state)
{
    size_t len = (1u << 20) + 1;
    uint8_t *huge = calloc(1, len);

    (void)state;
    memcpy(huge, "\x30\x83\x0f\xff\xfc", 5);
    assert_int_equal(make((struct osspi_der_view){huge, len}), SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(make((struct osspi_der_view){huge, len - 1}), SEC_E_UNKNOWN_CREDENTIALS);
    free(huge);
}

static void fingerprint_is_sha256(void **state)
{
    struct test_bytes der = test_cert_der("server.pem", 0);
    PCCERT_CONTEXT context = NULL;
    uint8_t expected[32];
    uint8_t found[32];
    uint8_t sha1[20];
    DWORD len = sizeof(sha1);

    (void)state;
    assert_int_equal(osspi_certificate_new(view(der), NO_KEY, NULL, 0, &context), SEC_E_OK);
    assert_int_equal(EVP_Digest(der.bytes, der.len, expected, NULL, EVP_sha256(), NULL), 1);
    osspi_certificate_fingerprint(context, found);
    assert_memory_equal(found, expected, 32);
    assert_int_equal(EVP_Digest(der.bytes, der.len, expected, NULL, EVP_sha1(), NULL), 1);
    assert_true(CertGetCertificateContextProperty(context, CERT_HASH_PROP_ID, sha1, &len));
    assert_memory_equal(sha1, expected, 20);
    CertFreeCertificateContext(context);
    free(der.bytes);
}

static void key_must_belong_to_the_certificate(void **state)
{
    static const char *const keys[] = {"server.key", "server-rsa.key", "client.key"};
    struct test_bytes der = test_cert_der("server.pem", 0);
    struct osspi_der_view garbage = {(const uint8_t *)"garbage", 7};
    PCCERT_CONTEXT context = NULL;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct test_bytes key = test_cert_key(keys[i]);

        assert_int_equal(osspi_certificate_new(view(der), view(key), NULL, 0, &context),
                         i == 0 ? SEC_E_OK : SEC_E_NO_CREDENTIALS);
        if (i == 0) {
            assert_int_equal(osspi_certificate_key(context).len, key.len);
            assert_memory_equal(osspi_certificate_key(context).bytes, key.bytes, key.len);
            CertFreeCertificateContext(context);
        }
        free(key.bytes);
    }
    assert_int_equal(osspi_certificate_new(view(der), garbage, NULL, 0, &context),
                     SEC_E_NO_CREDENTIALS);
    free(der.bytes);
}

static void certificate_without_key_has_none(void **state)
{
    PCCERT_CONTEXT context = test_cert_context("server.pem", 0);
    struct osspi_der_view ignored;

    (void)state;
    assert_int_equal(osspi_certificate_key(context).len, 0);
    assert_int_equal(osspi_certificate_chain(context, &ignored, 1), 0);
    CertFreeCertificateContext(context);
}

static void key_and_chain_go_along_into_a_store(void **state)
{
    struct test_bytes der = test_cert_der("server.pem", 0);
    struct test_bytes inter = test_cert_der("server.pem", 1);
    struct test_bytes key = test_cert_key("server.key");
    struct osspi_der_view chain = view(inter);
    struct osspi_der_view found;
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context = NULL;
    PCCERT_CONTEXT added = NULL;
    PCCERT_CONTEXT plain = test_cert_context("server.pem", 0);

    (void)state;
    assert_int_equal(osspi_certificate_new(view(der), view(key), &chain, 1, &context), SEC_E_OK);
    /* It is there already, without its key: that one gives way. */
    assert_true(CertAddCertificateContextToStore(store, plain, CERT_STORE_ADD_NEW, NULL));
    assert_true(
        CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_USE_EXISTING, &added));
    CertFreeCertificateContext(context);
    assert_int_equal(test_cert_count(store), 1);
    assert_int_equal(osspi_certificate_key(added).len, key.len);
    assert_int_equal(osspi_certificate_chain(added, &found, 1), 1);
    assert_memory_equal(found.bytes, inter.bytes, inter.len);
    CertFreeCertificateContext(added);
    CertFreeCertificateContext(plain);
    CertCloseStore(store, 0);
    free(der.bytes);
    free(inter.bytes);
    free(key.bytes);
}

static void chain_as_given(void **state)
{
    struct test_bytes der = test_cert_der("deep.pem", 0);
    struct test_bytes parts[20];
    struct osspi_der_view chain[101];
    struct osspi_der_view found[20];
    PCCERT_CONTEXT context = NULL;

    (void)state;
    for (int i = 0; i < 20; i++) {
        parts[i] = test_cert_der("deep.pem", i + 1);
        chain[i] = view(parts[i]);
    }
    assert_int_equal(osspi_certificate_new(view(der), NO_KEY, chain, 20, &context), SEC_E_OK);
    assert_int_equal(osspi_certificate_chain(context, NULL, 0), 20);
    memset(found, 0, sizeof(found));
    assert_int_equal(osspi_certificate_chain(context, found, 19), 20);
    assert_null(found[19].bytes);
    for (int i = 0; i < 19; i++)
        assert_memory_equal(found[i].bytes, parts[i].bytes, parts[i].len);
    CertFreeCertificateContext(context);

    for (int i = 20; i < 101; i++)
        chain[i] = chain[0];
    context = NULL;
    assert_int_equal(osspi_certificate_new(view(der), NO_KEY, chain, 101, &context),
                     SEC_E_UNKNOWN_CREDENTIALS);
    chain[7].len--;
    assert_int_equal(osspi_certificate_new(view(der), NO_KEY, chain, 20, &context),
                     SEC_E_UNKNOWN_CREDENTIALS);
    assert_null(context);
    for (int i = 0; i < 20; i++)
        free(parts[i].bytes);
    free(der.bytes);
}

static void put(HCERTSTORE store, PCCERT_CONTEXT context)
{
    assert_true(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_ALWAYS, NULL));
    CertFreeCertificateContext(context);
}

/* The one that was put first. */
static PCCERT_CONTEXT first(HCERTSTORE store)
{
    PCCERT_CONTEXT context = CertEnumCertificatesInStore(store, NULL);

    assert_non_null(context);
    return context;
}

static void chain_found_in_the_store(void **state)
{
    HCERTSTORE store = test_cert_store();
    struct osspi_der_view found[100];
    PCCERT_CONTEXT leaf;

    (void)state;
    put(store, test_cert_context("deep.pem", 0));
    put(store, test_cert_context("ca.pem", 0));
    put(store, test_cert_context("inter.pem", 0));
    for (int i = 20; i > 0; i--)
        put(store, test_cert_context("deep.pem", i));
    leaf = first(store);
    /* What was found stays while the leaf is held, whatever becomes of the store. */
    assert_int_equal(osspi_certificate_chain(leaf, found, 100), 21);
    assert_true(CertCloseStore(store, CERT_CLOSE_STORE_FORCE_FLAG));
    assert_int_equal(osspi_certificate_chain(leaf, found, 100), 21);
    for (int i = 0; i < 20; i++) {
        struct test_bytes expected = test_cert_der("deep.pem", i + 1);

        assert_int_equal(found[i].len, expected.len);
        assert_memory_equal(found[i].bytes, expected.bytes, expected.len);
        free(expected.bytes);
    }
    CertFreeCertificateContext(leaf);
}

static void chain_ends_with_the_root(void **state)
{
    HCERTSTORE store = test_cert_store();
    struct test_bytes root = test_cert_der("ca.pem", 0);
    struct osspi_der_view found[3];
    PCCERT_CONTEXT leaf;
    PCCERT_CONTEXT last;

    (void)state;
    put(store, test_cert_context("client.pem", 0));
    put(store, test_cert_context("ca.pem", 0));
    leaf = first(store);
    assert_int_equal(osspi_certificate_chain(leaf, found, 3), 1);
    assert_int_equal(found[0].len, root.len);
    assert_memory_equal(found[0].bytes, root.bytes, root.len);
    last = CertEnumCertificatesInStore(store, leaf);
    assert_int_equal(osspi_certificate_chain(last, found, 3), 0);
    CertFreeCertificateContext(last);
    CertCloseStore(store, 0);
    free(root.bytes);
}

static void chain_of_authorities_in_a_ring_ends(void **state)
{
    static const struct test_cert_order orders[] = {
        {.subject = {{"CN", "leaf"}}, .issuer = "a"},
        {.subject = {{"CN", "a"}}, .issuer = "b"},
        {.subject = {{"CN", "b"}}, .issuer = "a"},
    };
    HCERTSTORE store = test_cert_store();
    struct osspi_der_view found[10];
    PCCERT_CONTEXT leaf;

    (void)state;
    for (int i = 0; i < 3; i++)
        put(store, test_cert_make_context(&orders[i]));
    leaf = first(store);
    assert_int_equal(osspi_certificate_chain(leaf, found, 10), 2);
    CertFreeCertificateContext(leaf);
    CertCloseStore(store, 0);
}

static void chain_takes_the_issuer_whose_key_fits(void **state)
{
    static const struct test_cert_order namesake = {
        .subject = {{"CN", "OpenSSPI test inter"}},
        .issuer = "someone",
        .extensions = {{"subjectKeyIdentifier", "hash"}},
    };
    struct test_bytes inter = test_cert_der("inter.pem", 0);
    HCERTSTORE store = test_cert_store();
    struct osspi_der_view found[2];
    PCCERT_CONTEXT leaf;

    (void)state;
    put(store, test_cert_context("server.pem", 0));
    put(store, test_cert_make_context(&namesake));
    put(store, test_cert_context("inter.pem", 0));
    leaf = first(store);
    assert_int_equal(osspi_certificate_chain(leaf, found, 2), 1);
    assert_int_equal(found[0].len, inter.len);
    assert_memory_equal(found[0].bytes, inter.bytes, inter.len);
    CertFreeCertificateContext(leaf);
    CertCloseStore(store, 0);
    free(inter.bytes);
}

static void chain_of_a_pfx_goes_along_into_a_store(void **state)
{
    struct test_bytes blob = test_cert_file("server.pfx");
    struct test_bytes inter = test_cert_der("server.pem", 1);
    CRYPT_DATA_BLOB data = {(DWORD)blob.len, blob.bytes};
    HCERTSTORE imported = PFXImportCertStore(&data, u"secret", 0);
    HCERTSTORE store = test_cert_store();
    struct osspi_der_view found;
    PCCERT_CONTEXT leaf =
        CertFindCertificateInStore(imported, 0, 0, CERT_FIND_HAS_PRIVATE_KEY, NULL, NULL);

    (void)state;
    put(store, leaf);
    assert_true(CertCloseStore(imported, CERT_CLOSE_STORE_CHECK_FLAG));
    leaf = first(store);
    assert_int_not_equal(osspi_certificate_key(leaf).len, 0);
    assert_int_equal(osspi_certificate_chain(leaf, &found, 1), 1);
    assert_int_equal(found.len, inter.len);
    assert_memory_equal(found.bytes, inter.bytes, inter.len);
    CertFreeCertificateContext(leaf);
    CertCloseStore(store, 0);
    free(inter.bytes);
    free(blob.bytes);
}

static void from_chain_holds_all_of_it(void **state)
{
    struct test_bytes parts[2] = {test_cert_der("server.pem", 0), test_cert_der("server.pem", 1)};
    struct osspi_der_view chain[2] = {view(parts[0]), view(parts[1])};
    struct osspi_der_view found;
    PCCERT_CONTEXT leaf = NULL;
    PCCERT_CONTEXT next;
    HCERTSTORE store;

    (void)state;
    assert_int_equal(osspi_certificate_from_chain(chain, 2, &leaf), SEC_E_OK);
    store = leaf->hCertStore;
    assert_memory_equal(osspi_certificate_der(leaf).bytes, parts[0].bytes, parts[0].len);
    assert_int_equal(osspi_certificate_chain(leaf, &found, 1), 1);
    assert_memory_equal(found.bytes, parts[1].bytes, parts[1].len);
    next = CertEnumCertificatesInStore(store, CertEnumCertificatesInStore(store, NULL));
    assert_memory_equal(next->pbCertEncoded, parts[1].bytes, parts[1].len);
    assert_null(CertEnumCertificatesInStore(store, next));
    /* Nobody opened it, so nobody may close it; it goes with the last context. */
    assert_false(CertCloseStore(store, 0));
    CertFreeCertificateContext(leaf);
    assert_null(CertEnumCertificatesInStore(store, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    free(parts[0].bytes);
    free(parts[1].bytes);
}

static void from_chain_refuses_what_is_no_chain(void **state)
{
    struct test_bytes der = test_cert_der("server.pem", 0);
    struct osspi_der_view chain[101];
    PCCERT_CONTEXT leaf = NULL;

    (void)state;
    for (int i = 0; i < 101; i++)
        chain[i] = view(der);
    assert_int_equal(osspi_certificate_from_chain(chain, 0, &leaf), SEC_E_INVALID_PARAMETER);
    assert_int_equal(osspi_certificate_from_chain(NULL, 1, &leaf), SEC_E_INVALID_PARAMETER);
    assert_int_equal(osspi_certificate_from_chain(chain, 101, &leaf), SEC_E_UNKNOWN_CREDENTIALS);
    chain[1].len = 7;
    assert_int_equal(osspi_certificate_from_chain(chain, 2, &leaf), SEC_E_UNKNOWN_CREDENTIALS);
    assert_null(leaf);
    free(der.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_is_what_the_certificate_says),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(absurd_length_is_refused),
        cmocka_unit_test(fingerprint_is_sha256),
        cmocka_unit_test(key_must_belong_to_the_certificate),
        cmocka_unit_test(certificate_without_key_has_none),
        cmocka_unit_test(key_and_chain_go_along_into_a_store),
        cmocka_unit_test(chain_as_given),
        cmocka_unit_test(chain_found_in_the_store),
        cmocka_unit_test(chain_ends_with_the_root),
        cmocka_unit_test(chain_of_authorities_in_a_ring_ends),
        cmocka_unit_test(chain_takes_the_issuer_whose_key_fits),
        cmocka_unit_test(chain_of_a_pfx_goes_along_into_a_store),
        cmocka_unit_test(from_chain_holds_all_of_it),
        cmocka_unit_test(from_chain_refuses_what_is_no_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
