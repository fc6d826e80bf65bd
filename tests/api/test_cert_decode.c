/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CryptDecodeObjectEx: each type by number and by object id, with memory of the caller's, of the
 * caller's allocator and of ours, sizes, and DER that is not of the type or damaged.
 */
#include <stdlib.h>
#include <string.h>

#include "test_cert_util.h"

#define TYPE_NAME ((LPCSTR)7) /* X509_NAME, whose macro the TLS library's headers cannot bear */

static const struct test_cert_order order = {
    .subject = {{"C", "DE"},
                {"O", "Acme"},
                {"OU", "L\xC3\xA4"
                       "bs"},
                {"CN", "all.test"}},
    .joined = 0,
    .extensions = {{"subjectAltName",
                    "DNS:a.test,DNS:*.b.test,IP:10.0.0.1,IP:::1,email:x@a.test,URI:http://a.test/,"
                    "RID:1.2.3,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:u@a.test"},
                   {"basicConstraints", "critical,CA:TRUE,pathlen:3"},
                   {"keyUsage", "critical,digitalSignature,keyCertSign"},
                   {"extendedKeyUsage", "serverAuth,clientAuth,1.2.3.4"}},
};

static PCCERT_CONTEXT context;

static const CRYPT_OBJID_BLOB *extension(const char *oid)
{
    PCERT_EXTENSION found =
        CertFindExtension(oid, context->pCertInfo->cExtension, context->pCertInfo->rgExtension);

    assert_non_null(found);
    return &found->Value;
}

/* Decodes into memory of exactly the size that is asked for; freed by the caller. */
static void *decode(LPCSTR type, const CRYPT_OBJID_BLOB *der)
{
    DWORD size = 0, room;
    void *memory;

    assert_true(CryptDecodeObjectEx(X509_ASN_ENCODING, type, der->pbData, der->cbData, 0, NULL,
                                    NULL, &size));
    assert_true(size > 0);
    memory = malloc(size);
    assert_non_null(memory);
    room = size - 1;
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, type, der->pbData, der->cbData, 0, NULL,
                                     memory, &room));
    TEST_LAST_ERROR(ERROR_MORE_DATA);
    assert_int_equal(room, size);
    assert_true(CryptDecodeObjectEx(X509_ASN_ENCODING | PKCS_7_ASN_ENCODING, type, der->pbData,
                                    der->cbData, CRYPT_DECODE_NOCOPY_FLAG, NULL, memory, &room));
    assert_int_equal(room, size);
    return memory;
}

static void require_wide(const WCHAR *text, const WCHAR *expected)
{
    size_t i = 0;

    do
        assert_int_equal(text[i], expected[i]);
    while (expected[i++]);
}

static void alternative_names(void **state)
{
    const CERT_ALT_NAME_INFO *info =
        decode(X509_ALTERNATE_NAME, extension(szOID_SUBJECT_ALT_NAME2));
    const CERT_ALT_NAME_ENTRY *entries = info->rgAltEntry;

    (void)state;
    assert_int_equal(info->cAltEntry, 8);
    assert_int_equal(entries[0].dwAltNameChoice, CERT_ALT_NAME_DNS_NAME);
    require_wide(entries[0].pwszDNSName, u"a.test");
    require_wide(entries[1].pwszDNSName, u"*.b.test");
    assert_int_equal(entries[2].dwAltNameChoice, CERT_ALT_NAME_IP_ADDRESS);
    assert_int_equal(entries[2].IPAddress.cbData, 4);
    assert_memory_equal(entries[2].IPAddress.pbData, "\x0A\0\0\1", 4);
    assert_int_equal(entries[3].IPAddress.cbData, 16);
    assert_int_equal(entries[4].dwAltNameChoice, CERT_ALT_NAME_RFC822_NAME);
    require_wide(entries[4].pwszRfc822Name, u"x@a.test");
    assert_int_equal(entries[5].dwAltNameChoice, CERT_ALT_NAME_URL);
    require_wide(entries[5].pwszURL, u"http://a.test/");
    assert_int_equal(entries[6].dwAltNameChoice, CERT_ALT_NAME_REGISTERED_ID);
    assert_string_equal(entries[6].pszRegisteredID, "1.2.3");
    assert_int_equal(entries[7].dwAltNameChoice, CERT_ALT_NAME_OTHER_NAME);
    assert_string_equal(entries[7].pOtherName->pszObjId, "1.3.6.1.4.1.311.20.2.3");
    assert_int_equal(entries[7].pOtherName->Value.pbData[0], 0x0C);
    free((void *)(uintptr_t)info);
}

static void constraints_and_usages(void **state)
{
    CERT_BASIC_CONSTRAINTS2_INFO *constraints =
        decode(X509_BASIC_CONSTRAINTS2, extension(szOID_BASIC_CONSTRAINTS2));
    CRYPT_BIT_BLOB *bits = decode(X509_KEY_USAGE, extension(szOID_KEY_USAGE));
    CERT_ENHKEY_USAGE *usages =
        decode(X509_ENHANCED_KEY_USAGE, extension(szOID_ENHANCED_KEY_USAGE));

    (void)state;
    assert_true(constraints->fCA);
    assert_true(constraints->fPathLenConstraint);
    assert_int_equal(constraints->dwPathLenConstraint, 3);
    assert_int_equal(bits->cbData, 1);
    assert_int_equal(bits->pbData[0],
                     CERT_DIGITAL_SIGNATURE_KEY_USAGE | CERT_KEY_CERT_SIGN_KEY_USAGE);
    assert_int_equal(bits->cUnusedBits, 2);
    assert_int_equal(usages->cUsageIdentifier, 3);
    assert_string_equal(usages->rgpszUsageIdentifier[0], szOID_PKIX_KP_SERVER_AUTH);
    assert_string_equal(usages->rgpszUsageIdentifier[2], "1.2.3.4");
    free(constraints);
    free(bits);
    free(usages);
}

static void names(void **state)
{
    CERT_NAME_INFO *plain = decode(TYPE_NAME, &context->pCertInfo->Subject);
    CERT_NAME_INFO *unicode = decode(X509_UNICODE_NAME, &context->pCertInfo->Subject);
    const CERT_RDN_ATTR *attribute;

    (void)state;
    assert_int_equal(plain->cRDN, 4);
    assert_int_equal(plain->rgRDN[0].cRDNAttr, 1);
    attribute = &plain->rgRDN[0].rgRDNAttr[0];
    assert_string_equal(attribute->pszObjId, szOID_COUNTRY_NAME);
    assert_int_equal(attribute->dwValueType, CERT_RDN_PRINTABLE_STRING);
    assert_int_equal(attribute->Value.cbData, 2);
    assert_memory_equal(attribute->Value.pbData, "DE", 2);
    attribute = &plain->rgRDN[2].rgRDNAttr[0];
    assert_int_equal(attribute->dwValueType, CERT_RDN_UTF8_STRING);
    assert_int_equal(attribute->Value.cbData, 5);
    attribute = &unicode->rgRDN[2].rgRDNAttr[0];
    assert_string_equal(attribute->pszObjId, szOID_ORGANIZATIONAL_UNIT_NAME);
    assert_int_equal(attribute->Value.cbData, 4 * sizeof(WCHAR));
    assert_memory_equal(attribute->Value.pbData, u"L\u00E4bs", 5 * sizeof(WCHAR));
    free(plain);
    free(unicode);
}

static void rdn_with_two_values(void **state)
{
    static const struct test_cert_order joined = {
        .subject = {{"O", "Acme"}, {"OU", "Labs"}, {"CN", "x"}}, .joined = 2};
    PCCERT_CONTEXT made = test_cert_make_context(&joined);
    CERT_NAME_INFO *name = decode(TYPE_NAME, &made->pCertInfo->Subject);

    (void)state;
    assert_int_equal(name->cRDN, 2);
    assert_int_equal(name->rgRDN[0].cRDNAttr, 2);
    assert_int_equal(name->rgRDN[1].cRDNAttr, 1);
    free(name);
    CertFreeCertificateContext(made);
}

static unsigned taken, given;

static LPVOID WINAPI take(size_t size)
{
    taken++;
    return malloc(size);
}

static VOID WINAPI give(LPVOID memory)
{
    given++;
    free(memory);
}

static LPVOID WINAPI take_nothing(size_t size)
{
    (void)size;
    return NULL;
}

static void memory_of_an_allocator(void **state)
{
    const CRYPT_OBJID_BLOB *der = extension(szOID_SUBJECT_ALT_NAME2);
    CRYPT_DECODE_PARA para = {sizeof(para), take, give};
    CRYPT_DECODE_PARA none = {sizeof(none), take_nothing, give};
    CERT_ALT_NAME_INFO *info = NULL;
    DWORD size = 0;

    (void)state;
    /* By the object id, as callers that pass an extension's on do. */
    assert_true(CryptDecodeObjectEx(X509_ASN_ENCODING, szOID_SUBJECT_ALT_NAME2, der->pbData,
                                    der->cbData, CRYPT_DECODE_ALLOC_FLAG | CRYPT_DECODE_NOCOPY_FLAG,
                                    &para, &info, &size));
    assert_int_equal(info->cAltEntry, 8);
    assert_int_equal(taken, 1);
    give(info);
    assert_true(CryptDecodeObjectEx(X509_ASN_ENCODING, szOID_SUBJECT_ALT_NAME2, der->pbData,
                                    der->cbData, CRYPT_DECODE_ALLOC_FLAG, NULL, &info, &size));
    assert_null(LocalFree(info));
    assert_null(LocalFree(NULL));
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, szOID_SUBJECT_ALT_NAME2, der->pbData,
                                     der->cbData, CRYPT_DECODE_ALLOC_FLAG, &none, &info, &size));
    TEST_LAST_ERROR(E_OUTOFMEMORY);
    assert_null(info);
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, szOID_SUBJECT_ALT_NAME2, der->pbData,
                                     der->cbData, CRYPT_DECODE_ALLOC_FLAG, &para, NULL, &size));
    TEST_LAST_ERROR(E_INVALIDARG);
}

static void name_with_a_nul_is_refused(void **state)
{
    static const uint8_t raw[] = "good.test\0.evil.test";
    const struct test_cert_order evil = {
        .subject = {{"CN", "x"}}, .raw_dns = raw, .raw_dns_len = sizeof(raw) - 1};
    PCCERT_CONTEXT made = test_cert_make_context(&evil);
    PCERT_EXTENSION found = CertFindExtension(szOID_SUBJECT_ALT_NAME2, made->pCertInfo->cExtension,
                                              made->pCertInfo->rgExtension);
    CERT_ALT_NAME_INFO *info = NULL;
    DWORD size = 0;

    (void)state;
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, X509_ALTERNATE_NAME, found->Value.pbData,
                                     found->Value.cbData, CRYPT_DECODE_ALLOC_FLAG, NULL, &info,
                                     &size));
    TEST_LAST_ERROR(CRYPT_E_INVALID_IA5_STRING);
    assert_null(info);
    CertFreeCertificateContext(made);
}

static void damaged_der_is_refused(void **state)
{
    const CRYPT_OBJID_BLOB *der = extension(szOID_SUBJECT_ALT_NAME2);
    BYTE *bytes = malloc(der->cbData + 1);
    DWORD size = 0;

    (void)state;
    assert_non_null(bytes);
    memcpy(bytes, der->pbData, der->cbData);
    bytes[der->cbData] = 0;
    for (DWORD len = 0; len <= der->cbData + 1; len++) {
        BOOL done = CryptDecodeObjectEx(X509_ASN_ENCODING, X509_ALTERNATE_NAME, bytes, len, 0, NULL,
                                        NULL, &size);

        assert_int_equal(done, len == der->cbData);
        if (!done)
            TEST_LAST_ERROR(CRYPT_E_ASN1_BADTAG);
    }
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, X509_KEY_USAGE, bytes, der->cbData, 0, NULL,
                                     NULL, &size));
    free(bytes);
}

static void bad_arguments_are_refused(void **state)
{
    const CRYPT_OBJID_BLOB *der = extension(szOID_KEY_USAGE);
    max_align_t room[64];
    DWORD size = sizeof(room);

    (void)state;
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, (LPCSTR)9999, der->pbData, der->cbData, 0,
                                     NULL, NULL, &size));
    TEST_LAST_ERROR(ERROR_FILE_NOT_FOUND);
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, "1.2.3", der->pbData, der->cbData, 0, NULL,
                                     NULL, &size));
    TEST_LAST_ERROR(ERROR_FILE_NOT_FOUND);
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, NULL, der->pbData, der->cbData, 0, NULL,
                                     NULL, &size));
    assert_false(
        CryptDecodeObjectEx(2, X509_KEY_USAGE, der->pbData, der->cbData, 0, NULL, NULL, &size));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, X509_KEY_USAGE, der->pbData, der->cbData, 0,
                                     NULL, NULL, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_false(
        CryptDecodeObjectEx(X509_ASN_ENCODING, X509_KEY_USAGE, NULL, 10, 0, NULL, NULL, &size));
    size = sizeof(room) - 1;
    assert_false(CryptDecodeObjectEx(X509_ASN_ENCODING, X509_KEY_USAGE, der->pbData, der->cbData, 0,
                                     NULL, (char *)room + 1, &size));
    TEST_LAST_ERROR(E_INVALIDARG);
}

static int make(void **state)
{
    (void)state;
    context = test_cert_make_context(&order);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    CertFreeCertificateContext(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alternative_names),
        cmocka_unit_test(constraints_and_usages),
        cmocka_unit_test(names),
        cmocka_unit_test(rdn_with_two_values),
        cmocka_unit_test(memory_of_an_allocator),
        cmocka_unit_test(name_with_a_nul_is_refused),
        cmocka_unit_test(damaged_der_is_refused),
        cmocka_unit_test(bad_arguments_are_refused),
    };

    return cmocka_run_group_tests(tests, make, clear);
}
