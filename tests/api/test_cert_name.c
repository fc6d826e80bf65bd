/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CertGetNameStringA and W: every kind of name, cutting, and names that lie.
 */
#include <string.h>

#include "test_cert_util.h"

static const struct test_cert_order person = {
    .subject = {{"C", "DE"},
                {"O", "Acme, \"Inc\""},
                {"OU", "R+D"},
                {"CN", "J\xc3\xb6rg"},
                {"emailAddress", "j@acme.test"}},
    .extensions = {{"subjectAltName",
                    "DNS:one.test,DNS:two.test,email:alt@acme.test,URI:https://acme.test/,"
                    "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:j@corp.test"}},
};

static char name[256];

static const char *ask(PCCERT_CONTEXT context, DWORD type, DWORD flags, void *parameter)
{
    DWORD needed = CertGetNameStringA(context, type, flags, parameter, NULL, 0);
    DWORD written = CertGetNameStringA(context, type, flags, parameter, name, (DWORD)sizeof(name));

    assert_int_equal(needed, written);
    assert_int_equal(written, strlen(name) + 1);
    return name;
}

static const char *ask_rdns(PCCERT_CONTEXT context, DWORD format)
{
    return ask(context, CERT_NAME_RDN_TYPE, 0, &format);
}

static void every_type_of_name(void **state)
{
    PCCERT_CONTEXT context = test_cert_make_context(&person);

    (void)state;
    assert_string_equal(ask(context, CERT_NAME_SIMPLE_DISPLAY_TYPE, 0, NULL), "J\xc3\xb6rg");
    assert_string_equal(ask(context, CERT_NAME_FRIENDLY_DISPLAY_TYPE, 0, NULL), "J\xc3\xb6rg");
    assert_string_equal(ask(context, CERT_NAME_DNS_TYPE, 0, NULL), "one.test");
    assert_string_equal(ask(context, CERT_NAME_EMAIL_TYPE, 0, NULL), "alt@acme.test");
    assert_string_equal(ask(context, CERT_NAME_URL_TYPE, 0, NULL), "https://acme.test/");
    assert_string_equal(ask(context, CERT_NAME_UPN_TYPE, 0, NULL), "j@corp.test");
    assert_string_equal(ask(context, CERT_NAME_ATTR_TYPE, 0, (void *)szOID_COUNTRY_NAME), "DE");
    assert_string_equal(
        ask(context, CERT_NAME_ATTR_TYPE, CERT_NAME_ISSUER_FLAG, (void *)szOID_RSA_emailAddr),
        "j@acme.test");
    CertFreeCertificateContext(context);
}

static void rdns_by_format(void **state)
{
    PCCERT_CONTEXT context = test_cert_make_context(&person);

    (void)state;
    assert_string_equal(ask_rdns(context, CERT_X500_NAME_STR),
                        "C=DE, O=\"Acme, \"\"Inc\"\"\", OU=\"R+D\", CN=J\xc3\xb6rg, E=j@acme.test");
    assert_string_equal(ask_rdns(context, CERT_SIMPLE_NAME_STR),
                        "DE, \"Acme, \"\"Inc\"\"\", \"R+D\", J\xc3\xb6rg, j@acme.test");
    assert_string_equal(ask(context, CERT_NAME_RDN_TYPE, 0, NULL),
                        "DE, \"Acme, \"\"Inc\"\"\", \"R+D\", J\xc3\xb6rg, j@acme.test");
    assert_string_equal(ask_rdns(context, CERT_OID_NAME_STR),
                        "2.5.4.6=DE, 2.5.4.10=\"Acme, \"\"Inc\"\"\", 2.5.4.11=\"R+D\", "
                        "2.5.4.3=J\xc3\xb6rg, 1.2.840.113549.1.9.1=j@acme.test");
    assert_string_equal(ask_rdns(context, CERT_X500_NAME_STR | CERT_NAME_STR_REVERSE_FLAG),
                        "E=j@acme.test, CN=J\xc3\xb6rg, OU=\"R+D\", O=\"Acme, \"\"Inc\"\"\", C=DE");
    CertFreeCertificateContext(context);
}

static void rdn_of_several_values_and_unknown_attribute(void **state)
{
    static const struct test_cert_order order = {
        .subject = {{"CN", "a"}, {"OU", "b"}, {"UID", " c"}, {"L", "d"}},
        .joined = 2,
    };
    PCCERT_CONTEXT context = test_cert_make_context(&order);

    (void)state;
    assert_string_equal(ask_rdns(context, CERT_X500_NAME_STR),
                        "CN=a + OU=b, OID.0.9.2342.19200300.100.1.1=\" c\", L=d");
    assert_string_equal(ask_rdns(context, CERT_X500_NAME_STR | CERT_NAME_STR_REVERSE_FLAG),
                        "L=d, OID.0.9.2342.19200300.100.1.1=\" c\", CN=a + OU=b");
    CertFreeCertificateContext(context);
}

static void absent_name_is_empty(void **state)
{
    static const struct test_cert_order nobody = {.subject = {{NULL, NULL}}};
    PCCERT_CONTEXT context = test_cert_make_context(&nobody);
    WCHAR wide[4] = {'x'};

    (void)state;
    for (DWORD type = CERT_NAME_EMAIL_TYPE; type <= CERT_NAME_UPN_TYPE; type++) {
        void *parameter = type == CERT_NAME_ATTR_TYPE ? (void *)szOID_COMMON_NAME : NULL;

        SetLastError(0);
        assert_string_equal(ask(context, type, 0, parameter), "");
        TEST_LAST_ERROR(CRYPT_E_NOT_FOUND);
    }
    assert_int_equal(CertGetNameStringW(context, CERT_NAME_DNS_TYPE, 0, NULL, wide, 4), 1);
    assert_int_equal(wide[0], 0);
    CertFreeCertificateContext(context);
}

static void bad_arguments_give_an_empty_name(void **state)
{
    PCCERT_CONTEXT context = test_cert_make_context(&person);

    (void)state;
    assert_string_equal(ask(NULL, CERT_NAME_DNS_TYPE, 0, NULL), "");
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_string_equal(ask(context, 99, 0, NULL), "");
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_string_equal(ask(context, CERT_NAME_ATTR_TYPE, 0, NULL), "");
    TEST_LAST_ERROR(E_INVALIDARG);
    CertFreeCertificateContext(context);
}

static void simple_name_falls_back(void **state)
{
    static const struct test_cert_order unit = {.subject = {{"O", "org"}, {"OU", "unit"}}};
    static const struct test_cert_order dns = {.subject = {{NULL, NULL}},
                                               .extensions = {{"subjectAltName", "DNS:only.test"}}};
    static const struct test_cert_order common = {.subject = {{"CN", "common.test"}}};
    PCCERT_CONTEXT context = test_cert_make_context(&unit);

    (void)state;
    assert_string_equal(ask(context, CERT_NAME_SIMPLE_DISPLAY_TYPE, 0, NULL), "unit");
    CertFreeCertificateContext(context);
    context = test_cert_make_context(&dns);
    assert_string_equal(ask(context, CERT_NAME_SIMPLE_DISPLAY_TYPE, 0, NULL), "only.test");
    CertFreeCertificateContext(context);
    context = test_cert_make_context(&common);
    assert_string_equal(ask(context, CERT_NAME_DNS_TYPE, 0, NULL), "common.test");
    CertFreeCertificateContext(context);
}

static void friendly_name_is_the_property(void **state)
{
    PCCERT_CONTEXT context = test_cert_make_context(&person);
    WCHAR friendly[] = {'B', 0x00E4, 'r', 0, 'x'};
    CRYPT_DATA_BLOB blob = {sizeof(friendly), (BYTE *)friendly};

    (void)state;
    assert_true(CertSetCertificateContextProperty(context, CERT_FRIENDLY_NAME_PROP_ID, 0, &blob));
    assert_string_equal(ask(context, CERT_NAME_FRIENDLY_DISPLAY_TYPE, 0, NULL), "B\xc3\xa4r");
    friendly[0] = 0xD800;
    assert_true(CertSetCertificateContextProperty(context, CERT_FRIENDLY_NAME_PROP_ID, 0, &blob));
    assert_string_equal(ask(context, CERT_NAME_FRIENDLY_DISPLAY_TYPE, 0, NULL), "J\xc3\xb6rg");
    CertFreeCertificateContext(context);
}

static void all_names_end_with_two_nuls(void **state)
{
    PCCERT_CONTEXT context = test_cert_make_context(&person);
    DWORD flags = CERT_NAME_SEARCH_ALL_NAMES_FLAG | CERT_NAME_DISABLE_IE4_UTF8_FLAG;
    WCHAR wide[32];

    (void)state;
    assert_int_equal(CertGetNameStringA(context, CERT_NAME_DNS_TYPE, flags, NULL, NULL, 0), 19);
    assert_int_equal(CertGetNameStringA(context, CERT_NAME_DNS_TYPE, flags, NULL, name, 30), 19);
    assert_memory_equal(name, "one.test\0two.test\0", 19);
    assert_int_equal(CertGetNameStringW(context, CERT_NAME_DNS_TYPE, flags, NULL, NULL, 0), 19);
    assert_int_equal(CertGetNameStringW(context, CERT_NAME_DNS_TYPE, flags, NULL, wide, 32), 19);
    assert_memory_equal(wide, u"one.test\0two.test\0", 19 * sizeof(WCHAR));
    CertFreeCertificateContext(context);
}

static void short_buffer_cuts_between_characters(void **state)
{
    static const struct test_cert_order order = {.subject = {{"CN", "a\xc3\xb6\xf0\x9f\x98\x80z"}}};
    static const size_t utf8_fits[] = {0, 0, 1, 1, 3, 3, 3, 3, 7, 8, 8};
    static const size_t utf16_fits[] = {0, 0, 1, 2, 2, 4, 5, 5};
    static const WCHAR whole[] = {'a', 0xF6, 0xD83D, 0xDE00, 'z', 0};
    PCCERT_CONTEXT context = test_cert_make_context(&order);

    (void)state;
    for (DWORD size = 1; size <= 10; size++) {
        memset(name, 0x55, sizeof(name));
        assert_int_equal(
            CertGetNameStringA(context, CERT_NAME_SIMPLE_DISPLAY_TYPE, 0, NULL, name, size),
            utf8_fits[size] + 1);
        assert_int_equal(strlen(name), utf8_fits[size]);
        assert_int_equal(name[size], 0x55);
    }
    for (DWORD size = 1; size <= 7; size++) {
        WCHAR wide[8];

        memset(wide, 0x55, sizeof(wide));
        assert_int_equal(
            CertGetNameStringW(context, CERT_NAME_SIMPLE_DISPLAY_TYPE, 0, NULL, wide, size),
            utf16_fits[size] + 1);
        assert_memory_equal(wide, whole, utf16_fits[size] * sizeof(WCHAR));
        assert_int_equal(wide[utf16_fits[size]], 0);
        assert_int_equal(wide[size], 0x5555);
    }
    CertFreeCertificateContext(context);
}

static void name_with_a_nul_inside_is_not_shown(void **state)
{
    static const uint8_t raw[] = "bank.test\0.evil.test";
    static const struct test_cert_order order = {
        .subject = {{"CN", "fallback"}}, .raw_dns = raw, .raw_dns_len = sizeof(raw) - 1};
    PCCERT_CONTEXT context = test_cert_make_context(&order);

    (void)state;
    assert_string_equal(ask(context, CERT_NAME_DNS_TYPE, 0, NULL), "fallback");
    CertFreeCertificateContext(context);
    context = test_cert_context("nulname.pem", 0);
    assert_string_equal(ask(context, CERT_NAME_DNS_TYPE, 0, NULL), "evil.test");
    CertFreeCertificateContext(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_of_name),
        cmocka_unit_test(rdns_by_format),
        cmocka_unit_test(rdn_of_several_values_and_unknown_attribute),
        cmocka_unit_test(absent_name_is_empty),
        cmocka_unit_test(bad_arguments_give_an_empty_name),
        cmocka_unit_test(simple_name_falls_back),
        cmocka_unit_test(friendly_name_is_the_property),
        cmocka_unit_test(all_names_end_with_two_nuls),
        cmocka_unit_test(short_buffer_cuts_between_characters),
        cmocka_unit_test(name_with_a_nul_inside_is_not_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
