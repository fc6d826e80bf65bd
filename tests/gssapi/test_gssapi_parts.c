/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Pure parts of the package: how servers are written in krb5.conf, flags, and what NTLM messages
 * are let through to their mechanism.
 */
#include <sspi.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packages/gssapi/flags.h"
#include "packages/gssapi/identity.h"
#include "packages/gssapi/kdc_list.h"
#include "packages/gssapi/kdc_message.h"
#include "packages/gssapi/kdc_uri.h"
#include "packages/gssapi/kpasswd.h"
#include "packages/gssapi/ntlm_guard.h"
#include "packages/gssapi/ntlm_short.h"
#include "packages/gssapi/offer.h"
#include "packages/gssapi/spnego_mic.h"
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
        assert_int_equal(osspi_kdc_list_parse(rows[i].text, OSSPI_KDC_PORT, &server),
                         rows[i].port != 0);
        if (rows[i].port == 0)
            continue;
        assert_string_equal(server.host, rows[i].host);
        assert_int_equal(server.port, rows[i].port);
        assert_int_equal(osspi_kdc_list_literal(&server, &address), rows[i].literal);
    }
    memset(long_name, 'k', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_false(osspi_kdc_list_parse(long_name, OSSPI_KDC_PORT, &server));
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

static void ntlm_clients_say_who_they_are_not(void **state)
{
    uint8_t first[] = "NTLMSSP\0\1\0\0\0\7\0\x10\0", last[64] = "NTLMSSP\0\3";

    (void)state;
    assert_true(osspi_ntlm_identifies(first, 16));
    assert_false(osspi_ntlm_identifies(first, 15));
    first[14] = 0;
    assert_false(osspi_ntlm_identifies(first, 16));
    assert_true(osspi_ntlm_is_anonymous(last, 64));
    assert_false(osspi_ntlm_is_anonymous(last, 63));
    assert_false(osspi_ntlm_is_anonymous(first, 16));
    assert_false(osspi_ntlm_is_anonymous(NULL, 0));
    last[12] = 1; /* a single zero for LM's response means nothing either */
    assert_true(osspi_ntlm_is_anonymous(last, 64));
    last[36] = 2;
    assert_false(osspi_ntlm_is_anonymous(last, 64));
}

static void the_choice_of_a_server_is_read(void **state)
{
    /* [1] { [0] request-mic, [1] the mechanism, [2] a token }. */
    static const uint8_t answer[] = "\xa1\x1b\x30\x19\xa0\x03\x0a\x01\x03\xa1\x0c\x06\x0a"
                                    "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
                                    "\xa2\x04\x04\x02hi";
    static const uint8_t krb5[] = "\xa1\x81\x0f\x30\x0d\xa1\x0b\x06\x09"
                                  "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
    const size_t len = sizeof(answer) - 1;

    (void)state;
    assert_int_equal(osspi_offer_chosen(answer, len), OSSPI_GSS_NTLM);
    assert_int_equal(osspi_offer_chosen(krb5, sizeof(krb5) - 1), OSSPI_GSS_KERBEROS);
    assert_int_equal(osspi_offer_chosen(NULL, 0), 0);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut + 1); /* of its size, for the sanitizer */

        memcpy(copy, answer, cut);
        assert_int_equal(osspi_offer_chosen(copy, cut), 0);
        free(copy);
    }
    for (size_t at = 0; at < len; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t copy[sizeof(answer)];

            memcpy(copy, answer, len);
            copy[at] = (uint8_t)value;
            assert_true(osspi_offer_chosen(copy, len) <= OSSPI_GSS_NTLM);
        }
    }
}

/* Is it shown to SPNEGO, and where is its MIC? From a copy of its size, for the sanitizer. */
static bool find_mic(const char *bytes, size_t len, size_t *ret_mic)
{
    uint8_t *copy = malloc(len + 1);
    bool good;

    memcpy(copy, bytes, len);
    good = osspi_spnego_mic_find(copy, len, ret_mic);
    free(copy);
    return good;
}

#define INITIAL "\x06\x06\x2b\x06\x01\x05\x05\x02"

static void answers_have_their_mic_where_it_belongs(void **state)
{
    static const struct {
        const char *token;
        size_t len, mic;
        bool good;
    } rows[] = {
#define ROW(text, mic, good) {text, sizeof(text) - 1, mic, good}
        ROW("", 0, true),
        ROW("NTLMSSP", 0, true),
        ROW("\xa1\x02\x30\x00", 0, true),
        ROW("\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00", 0, true),
        ROW("\xa1\x0c\x30\x0a\xa0\x03\x0a\x01\x01\xa3\x03\x04\x01\x00", 9, true),
        ROW("\xa1\x81\x0c\x30\x0a\xa0\x03\x0a\x01\x01\xa3\x03\x04\x01\x00", 10, true),
        ROW("\xa1\x08\x30\x06\xa3\x02\x04\x00\xa5\x00", 4, true),
        /* It has to be one octet string: the library would end the process. */
        ROW("\xa1\x06\x30\x04\xa3\x02\x05\x00", 0, false),
        ROW("\xa1\x04\x30\x02\xa3\x00", 0, false),
        ROW("\xa1\x08\x30\x06\xa3\x04\x04\x00\x04\x00", 0, false),
        ROW("\xa1\x06\x30\x04\xa3\x02\x04\x01", 0, false),
        /* Another field that the library might take for it, twice, and out of order. */
        ROW("\xa1\x06\x30\x04\xa4\x02\x04\x00", 0, false),
        ROW("\xa1\x0a\x30\x08\xa3\x02\x04\x00\xa3\x02\x04\x00", 0, false),
        ROW("\xa1\x0a\x30\x08\xa3\x02\x04\x00\xa2\x02\x04\x00", 0, false),
        /* What the library would read, although it is not DER. */
        ROW("\xa1\x04\xa3\x02\x05\x00", 0, false),
        ROW("\xa1\x80\x30\x00", 0, false),
        ROW("\xa1\x84\x00\x00\x00\x02\x30\x00", 0, false),
        /* First tokens, and an answer behind their head. */
        ROW("\x60\x0a" INITIAL "\xa0\x00", 0, true),
        ROW("\x60\x0c" INITIAL "\xa1\x02\x30\x00", 0, false),
        ROW("\x60\x08" INITIAL, 0, false),
        ROW("\x60\x80" INITIAL, 0, false),
        ROW("\x60\x05\x06\x01\x2a\x01\x00", 0, true),
#undef ROW
    };
    size_t mic;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const bool good = find_mic(rows[i].token, rows[i].len, &mic);

        if (good != rows[i].good || (good && mic != rows[i].mic))
            fail_msg("row %zu: %d, a MIC at %zu", i, good, mic);
    }
    for (size_t cut = 1; cut < rows[4].len; cut++)
        assert_false(find_mic(rows[4].token, cut, &mic));
}

/* The library sees the MIC in the token that it is given, whichever kind it is; nothing else is
 * changed, and no more than that is ever copied. */
static void a_mic_is_changed_in_one_place_at_most(void **state)
{
    static const char without[] = "\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00";
    static const char with[] = "\xa1\x0c\x30\x0a\xa0\x03\x0a\x01\x01\xa3\x03\x04\x01\x00";
    static const char bad[] = "\xa1\x06\x30\x04\xa3\x02\x05\x00";
    uint8_t *changed;
    void *token;

    (void)state;
    assert_int_equal(osspi_spnego_mic_adapt(without, sizeof(without) - 1, &token), SEC_E_OK);
    assert_null(token);
    assert_int_equal(osspi_spnego_mic_adapt(bad, sizeof(bad) - 1, &token), SEC_E_INVALID_TOKEN);
    assert_null(token);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(osspi_spnego_mic_adapt(with, sizeof(with) - 1, &token), SEC_E_OK);
        changed = token;
        if (!changed)
            continue;
        assert_int_equal(changed[9], 0xA4);
        changed[9] = 0xA3;
        assert_memory_equal(changed, with, sizeof(with) - 1);
        osspi_free(changed);
    }
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

static void uris_in_every_form(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port; /* 0: refused */
        enum osspi_kdc_transport transport;
        bool primary;
    } rows[] = {
        {"krb5srv:m:udp:kdc.example.org", "kdc.example.org", 88, OSSPI_KDC_UDP, true},
        {"krb5srv::tcp:kdc.example.org:750", "kdc.example.org", 750, OSSPI_KDC_TCP, false},
        {"KRB5SRV:xM:UDP:[::1]:88", "::1", 88, OSSPI_KDC_UDP, true},
        {"krb5srv:m:kkdcp:https://kdc.example.org/KdcProxy", "", 0, 0, false},
        {"krb5srv:m:udp:", "", 0, 0, false},
        {"krb5srv:m:udp", "", 0, 0, false},
        {"krb5srv:m", "", 0, 0, false},
        {"krb5srv", "", 0, 0, false},
        {"http:m:udp:kdc", "", 0, 0, false},
        {"krb5srv:m:udp:kdc:0", "", 0, 0, false},
        {"", "", 0, 0, false},
    };
    struct osspi_kdc_uri uri;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(osspi_kdc_uri_parse(rows[i].text, OSSPI_KDC_PORT, &uri),
                         rows[i].port != 0);
        if (rows[i].port == 0)
            continue;
        assert_string_equal(uri.server.host, rows[i].host);
        assert_int_equal(uri.server.port, rows[i].port);
        assert_int_equal(uri.transport, rows[i].transport);
        assert_int_equal(uri.primary, rows[i].primary);
    }
}

static void messages_of_servers_are_told_apart(void **state)
{
    static const uint8_t as_rep[] = {0x6B, 2, 0x30, 0}, error[] = {0x7E, 2, 0x30, 0};
    static const uint8_t longer[] = {0x6D, 0x81, 2, 0x30, 0}, endless[] = {0x6B, 0x80, 0, 0};
    static const uint8_t frame[] = {0, 7, 0, 1, 0, 0, 9}, cut[] = {0, 7, 0, 1, 0, 0};

    (void)state;
    assert_true(osspi_kdc_is_answer(OSSPI_KDC_TICKETS, as_rep, sizeof(as_rep)));
    assert_true(osspi_kdc_is_answer(OSSPI_KDC_PRIMARY, error, sizeof(error)));
    assert_true(osspi_kdc_is_answer(OSSPI_KDC_TICKETS, longer, sizeof(longer)));
    assert_false(osspi_kdc_is_answer(OSSPI_KDC_TICKETS, endless, sizeof(endless)));
    for (size_t len = 0; len < sizeof(as_rep); len++)
        assert_false(osspi_kdc_is_answer(OSSPI_KDC_TICKETS, as_rep, len));
    assert_false(osspi_kdc_is_answer(OSSPI_KDC_TICKETS, frame, sizeof(frame)));
    assert_true(osspi_kdc_is_answer(OSSPI_KDC_PASSWORDS, frame, sizeof(frame)));
    assert_true(osspi_kdc_is_answer(OSSPI_KDC_PASSWORDS, error, sizeof(error)));
    assert_false(osspi_kdc_is_answer(OSSPI_KDC_PASSWORDS, cut, sizeof(cut)));
    assert_false(osspi_kdc_is_answer(OSSPI_KDC_PASSWORDS, as_rep, sizeof(as_rep)));
    assert_false(osspi_kdc_is_answer(OSSPI_KDC_PASSWORDS, frame, 0));
}

/* What Windows' domain controllers put behind the code; the rest of the world has words there. */
static void rules_of_windows_domains_are_read(void **state)
{
    static const uint8_t rules[32] = {0,    4, 0, 0, 0, 0,    0,    7,    0,    0,    0,
                                      24,   0, 0, 0, 1, 0,    0,    0x22, 0x5C, 0x17, 0xD0,
                                      0x40, 0, 0, 0, 0, 0xC9, 0x2A, 0x69, 0xC0, 0};
    static const uint8_t words[] = "\0\4too short, and no rules in thirty";
    struct osspi_kpasswd_answer answer;

    (void)state;
    assert_true(osspi_kpasswd_read(rules, sizeof(rules), &answer));
    assert_int_equal(answer.code, KRB5_KPASSWD_SOFTERROR);
    assert_true(answer.has_policy);
    assert_int_equal(answer.min_len, 7);
    assert_int_equal(answer.history, 24);
    assert_int_equal(answer.properties, 1);
    assert_true(answer.max_age == UINT64_C(0x225C17D04000));
    assert_true(answer.min_age == UINT64_C(864000000000)); /* a day */
    assert_true(osspi_kpasswd_read(words, 32, &answer));
    assert_false(answer.has_policy);
    assert_true(osspi_kpasswd_read(rules, 31, &answer));
    assert_false(answer.has_policy);
    assert_true(osspi_kpasswd_read(rules, 2, &answer));
    assert_false(osspi_kpasswd_read(rules, 1, &answer));
    assert_false(osspi_kpasswd_read(NULL, 0, &answer));
}

/* As libcurl has them: nothing behind the names' fields, and content where Version belongs. */
static void short_ntlm_messages_are_lengthened(void **state)
{
    static const uint8_t signature[8] = "NTLMSSP";
    uint8_t first[40] = {0}, last[80] = {0};
    void *message;
    size_t len;
    (void)state;

    memcpy(first, signature, sizeof(signature));
    first[8] = 1;
    first[12] = 0x07;
    for (size_t cut = 0; cut <= sizeof(first); cut++) {
        assert_int_equal(osspi_ntlm_lengthen(first, cut, &message, &len), SEC_E_OK);
        assert_int_equal(message != NULL, cut >= 16 && cut < 40);
        if (message) {
            assert_int_equal(len, 40);
            assert_memory_equal(message, first, cut);
        }
        osspi_free(message);
    }

    memcpy(last, signature, sizeof(signature));
    last[8] = 3;
    last[20] = 10; /* NT's response: 10 bytes at 64 */
    last[24] = 64;
    last[36] = 6; /* the user: 6 bytes at 74 */
    last[40] = 74;
    memcpy(last + 64, "0123456789user\0\0", 16);
    for (size_t cut = 0; cut < sizeof(last); cut++) {
        assert_int_equal(osspi_ntlm_lengthen(last, cut, &message, &len), SEC_E_OK);
        assert_null(message); /* not all of it is there */
    }
    assert_int_equal(osspi_ntlm_lengthen(last, sizeof(last), &message, &len), SEC_E_OK);
    assert_non_null(message);
    assert_int_equal(len, sizeof(last) + 8);
    assert_int_equal(((uint8_t *)message)[24], 72);
    assert_int_equal(((uint8_t *)message)[40], 82);
    assert_memory_equal((uint8_t *)message + 64,
                        "\0\0\0\0\0\0\0\0"
                        "0123456789user\0\0",
                        24);
    osspi_free(message);

    last[24] = 72; /* behind Version: as it should be */
    last[20] = 2;
    assert_int_equal(osspi_ntlm_lengthen(last, sizeof(last), &message, &len), SEC_E_OK);
    assert_null(message);
    last[24] = 63; /* inside the head */
    assert_int_equal(osspi_ntlm_lengthen(last, sizeof(last), &message, &len), SEC_E_OK);
    assert_null(message);
    last[27] = 0xFF; /* far behind the end */
    assert_int_equal(osspi_ntlm_lengthen(last, sizeof(last), &message, &len), SEC_E_OK);
    assert_null(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_in_every_form),
        cmocka_unit_test(flags_stand_on_one_another),
        cmocka_unit_test(challenges_are_looked_at),
        cmocka_unit_test(answers_are_looked_at),
        cmocka_unit_test(ntlm_clients_say_who_they_are_not),
        cmocka_unit_test(short_ntlm_messages_are_lengthened),
        cmocka_unit_test(the_choice_of_a_server_is_read),
        cmocka_unit_test(answers_have_their_mic_where_it_belongs),
        cmocka_unit_test(a_mic_is_changed_in_one_place_at_most),
        cmocka_unit_test(codes_have_their_status),
        cmocka_unit_test(uris_in_every_form),
        cmocka_unit_test(messages_of_servers_are_told_apart),
        cmocka_unit_test(rules_of_windows_domains_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
