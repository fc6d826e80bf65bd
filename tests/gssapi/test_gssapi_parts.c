/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Pure parts of the package: how servers are written in krb5.conf, flags, and what NTLM messages
 * are let through to their mechanism.
 */
#include <sspi.h>
#include <string.h>

#include "packages/gssapi/flags.h"
#include "packages/gssapi/identity.h"
#include "packages/gssapi/kdc_list.h"
#include "packages/gssapi/ntlm_guard.h"
#include "packages/gssapi/status.h"
#include "support/test_util.h"

static void servers_in_every_form(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port; /* 0: refused */
        bool literal;
    } rows[] = {
        {"kdc.example.org", "kdc.example.org", 88, false},
        {"kdc.example.org:750", "kdc.example.org", 750, false},
        {"127.0.0.1", "127.0.0.1", 88, true},
        {"127.0.0.1:65535", "127.0.0.1", 65535, true},
        {"::1", "::1", 88, true},
        {"[::1]", "::1", 88, true},
        {"[::1]:1088", "::1", 1088, true},
        {"kdc:", "", 0, false},
        {"kdc:0", "", 0, false},
        {"kdc:65536", "", 0, false},
        {"kdc:8a", "", 0, false},
        {"[::1]88", "", 0, false},
        {"[]", "", 0, false},
        {":88", "", 0, false},
        {"", "", 0, false},
        {"https://kdc.example.org/KdcProxy", "", 0, false},
    };
    char long_name[400];
    struct osspi_kdc_server server;
    union osspi_address address;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(osspi_kdc_list_parse(rows[i].text, &server), rows[i].port != 0);
        if (rows[i].port == 0)
            continue;
        assert_string_equal(server.host, rows[i].host);
        assert_int_equal(server.port, rows[i].port);
        assert_int_equal(osspi_kdc_list_literal(&server, &address), rows[i].literal);
    }
    memset(long_name, 'k', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_false(osspi_kdc_list_parse(long_name, &server));
}

static void flags_stand_on_one_another(void **state)
{
    (void)state;
    assert_int_equal(osspi_flags_request(ISC_REQ_DELEGATE), 0);
    assert_int_equal(osspi_flags_request(ISC_REQ_DELEGATE | ISC_REQ_MUTUAL_AUTH),
                     GSS_C_DELEG_FLAG | GSS_C_MUTUAL_FLAG);
    assert_int_equal(osspi_flags_request(ISC_REQ_REPLAY_DETECT),
                     GSS_C_REPLAY_FLAG | GSS_C_INTEG_FLAG);
    assert_int_equal(osspi_flags_request(ISC_REQ_INTEGRITY | ISC_REQ_NO_INTEGRITY), 0);
    assert_int_equal(osspi_flags_true(GSS_C_MUTUAL_FLAG | GSS_C_DELEG_FLAG | GSS_C_INTEG_FLAG,
                                      OSSPI_GSS_NTLM, true),
                     GSS_C_INTEG_FLAG);
    assert_int_equal(osspi_flags_true(GSS_C_MUTUAL_FLAG, OSSPI_GSS_KERBEROS, true),
                     GSS_C_MUTUAL_FLAG);
}

/* ---- NTLM's messages ---- */

#define AGREED 0x40000000u /* a session key is sent */

static void put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

/* A challenge with a target of two bytes and an empty list. */
static size_t make_challenge(unsigned char message[64])
{
    memset(message, 0, 64);
    memcpy(message, "NTLMSSP", 8);
    message[8] = 2;
    put16(message + 12, 2); /* target name */
    put16(message + 16, 48);
    message[22] = 0x82; /* target info, server */
    put16(message + 40, 4);
    put16(message + 44, 50);
    return 54;
}

static size_t make_authenticate(unsigned char message[160])
{
    static const unsigned char fields[][2] = {{24, 64}, {24, 88}, {0, 0},
                                              {2, 112}, {2, 114}, {16, 116}};

    memset(message, 0, 160);
    memcpy(message, "NTLMSSP", 8);
    message[8] = 3;
    for (size_t i = 0; i < 6; i++) {
        put16(message + 12 + 8 * i, fields[i][0]);
        put16(message + 16 + 8 * i, fields[i][1]);
    }
    return 132;
}

static void challenges_are_looked_at(void **state)
{
    unsigned char message[64];
    const size_t len = make_challenge(message);

    (void)state;
    assert_true(osspi_ntlm_acceptable(message, len, 0));
    assert_int_equal(osspi_ntlm_agreed(message, len), 0x00820000);
    for (size_t cut = 8; cut < len; cut++)
        assert_false(osspi_ntlm_acceptable(message, cut, 0));
    put16(message + 12, 0); /* no name, though there is said to be one */
    assert_false(osspi_ntlm_acceptable(message, len, 0));
    make_challenge(message);
    put16(message + 50, 7); /* a list without an end */
    assert_false(osspi_ntlm_acceptable(message, len, 0));
    make_challenge(message);
    put16(message + 44, 0xFFFF);
    assert_false(osspi_ntlm_acceptable(message, len, 0));
}

static void answers_are_looked_at(void **state)
{
    unsigned char message[160], twice[320];
    const size_t len = make_authenticate(message);

    (void)state;
    assert_true(osspi_ntlm_acceptable(message, len, AGREED));
    for (size_t cut = 8; cut < len; cut++)
        assert_false(osspi_ntlm_acceptable(message, cut, AGREED));
    put16(message + 52, 0); /* no session key */
    assert_false(osspi_ntlm_acceptable(message, len, AGREED));
    assert_true(osspi_ntlm_acceptable(message, len, 0));
    make_authenticate(message);
    put16(message + 36, 0); /* nobody */
    assert_false(osspi_ntlm_acceptable(message, len, AGREED));
    /* A good one in front does not hide a bad one. */
    make_authenticate(twice);
    memcpy(twice + len, message, len);
    assert_false(osspi_ntlm_acceptable(twice, 2 * len, AGREED));
    assert_true(osspi_ntlm_acceptable("no such message", 15, AGREED));
    assert_true(osspi_ntlm_acceptable(NULL, 0, AGREED));
    assert_false(osspi_ntlm_present(NULL, 0));
}

static void codes_have_their_status(void **state)
{
    (void)state;
    assert_int_equal(osspi_gss_status_krb5(KRB5KDC_ERR_PREAUTH_FAILED), SEC_E_LOGON_DENIED);
    assert_int_equal(osspi_gss_status_krb5(KRB5KRB_AP_ERR_SKEW), SEC_E_TIME_SKEW);
    assert_int_equal(osspi_gss_status_krb5(KRB5_KDC_UNREACH), SEC_E_NO_AUTHENTICATING_AUTHORITY);
    assert_int_equal(osspi_gss_status_krb5(12345), SEC_E_INTERNAL_ERROR);
    assert_int_equal(osspi_gss_status_leg(GSS_S_BAD_BINDINGS, 0, false, SEC_E_LOGON_DENIED),
                     SEC_E_BAD_BINDINGS);
    assert_int_equal(osspi_gss_status_leg(GSS_S_FAILURE, 0, false, SEC_E_LOGON_DENIED),
                     SEC_E_LOGON_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_in_every_form),    cmocka_unit_test(flags_stand_on_one_another),
        cmocka_unit_test(challenges_are_looked_at), cmocka_unit_test(answers_are_looked_at),
        cmocka_unit_test(codes_have_their_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
