/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The one spelling of target names.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/name.h"
#include "support/test_util.h"

static void name_in_any_spelling_has_one_form(void **state)
{
    static const struct {
        const char *text, *name;
        bool is_ip;
    } cases[] = {
        {"server.test", "server.test", false},
        {"Server.TEST.", "server.test", false},
        {"localhost", "localhost", false},
        {"xn--mnchen-3ya.test", "xn--mnchen-3ya.test", false},
        {"_dns.example-1.test", "_dns.example-1.test", false},
        {"1.2.3.4", "1.2.3.4", true},
        {"1.2.3.4.", "1.2.3.4", true},
        {"::1", "::1", true},
        {"[::1]", "::1", true},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", true},
        {"[2001:db8::1]", "2001:db8::1", true},
        {"1.2.3.4.test", "1.2.3.4.test", false},
        {"3com.test", "3com.test", false},
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        char name[OSSPI_NAME_SIZE];
        bool is_ip;
        assert_int_equal(osspi_name_normalise(cases[i].text, name, &is_ip), SEC_E_OK);
        assert_string_equal(name, cases[i].name);
        assert_int_equal(is_ip, cases[i].is_ip);
    }
}

static void name_that_names_nobody_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a b",
        "m\xc3\xbcnchen.test",
        "host:443",
        "HTTP/host",
        "*.test",
        "1.2.3",
        "1.2.3.4.5",
        "127.1",
        "0x7f.0.0.1",
        "127.0.0.0x1",
        "::g",
        "[::1",
        "fe80::1%eth0",
        "[1.2.3.4]",
        "[]",
        "a.256",
        "server.test..",
    };
    char name[OSSPI_NAME_SIZE] = "untouched";
    bool is_ip = true;

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++)
        assert_int_equal(osspi_name_normalise(cases[i], name, &is_ip), SEC_E_TARGET_UNKNOWN);
    assert_string_equal(name, "untouched");
    assert_true(is_ip);
}

static void name_too_long_is_refused(void **state)
{
    char text[600], name[OSSPI_NAME_SIZE];
    bool is_ip;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[63] = '\0';
    assert_int_equal(osspi_name_normalise(text, name, &is_ip), SEC_E_OK);
    text[63] = 'a';
    text[64] = '\0';
    assert_int_equal(osspi_name_normalise(text, name, &is_ip), SEC_E_TARGET_UNKNOWN);
    memset(text, 'a', sizeof(text));
    for (size_t i = 63; i < sizeof(text); i += 64)
        text[i] = '.';
    text[253] = '\0';
    assert_int_equal(osspi_name_normalise(text, name, &is_ip), SEC_E_OK);
    assert_int_equal(strlen(name), 253);
    text[253] = 'a';
    text[254] = '\0';
    assert_int_equal(osspi_name_normalise(text, name, &is_ip), SEC_E_TARGET_UNKNOWN);
    text[254] = 'a';
    text[599] = '\0';
    assert_int_equal(osspi_name_normalise(text, name, &is_ip), SEC_E_TARGET_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_in_any_spelling_has_one_form),
        cmocka_unit_test(name_that_names_nobody_is_refused),
        cmocka_unit_test(name_too_long_is_refused),
    };

    return cmocka_run_group_tests_name("schannel.name", tests, NULL, NULL);
}
