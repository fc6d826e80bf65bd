/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Negotiate that offers two mechanisms (RFC 4178): a server that does not speak the first takes the
 * second, unless the client asks for what only Kerberos gives; and nobody on the way can change
 * what was offered or chosen.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"

/* Object identifiers as they stand in tokens, without their tag. */
#define OID_KRB5 "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define OID_NTLM "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;
static SEC_WINNT_AUTH_IDENTITY_EXA identity;

static void name(const char *domain, const char *packages)
{
    identity = (SEC_WINNT_AUTH_IDENTITY_EXA){
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Domain = (unsigned char *)domain,
        .DomainLength = (ULONG)strlen(domain),
        .Password = (unsigned char *)"secret of alice",
        .PasswordLength = 15,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)packages,
        .PackageListLength = packages ? (ULONG)strlen(packages) : 0,
    };
}

/* A server that has no keys of the realm's: it speaks NTLM alone. */
static void acquire_ntlm_server(void)
{
    char *keytab = strdup(getenv("KRB5_KTNAME"));

    setenv("KRB5_KTNAME", realm_file(&realm, "no.keytab"), 1);
    TEST_REQUIRE_EQUAL(pair_server(&pair, "Negotiate"), SEC_E_OK);
    setenv("KRB5_KTNAME", keytab, 1);
    free(keytab);
}

static bool token_has(const struct side *side, const char *bytes)
{
    return memmem(side->token, side->token_len, bytes, strlen(bytes)) != NULL;
}

static void require_mechanism(struct side *side, const char *package)
{
    SecPkgContext_NegotiationInfoA info;

    assert_int_equal(QueryContextAttributesA(&side->context, SECPKG_ATTR_NEGOTIATION_INFO, &info),
                     SEC_E_OK);
    assert_string_equal(info.PackageInfo->Name, package);
    FreeContextBuffer(info.PackageInfo);
}

static void require_client_name(const char *expected)
{
    SecPkgContext_NamesA names;

    assert_int_equal(QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, expected);
    FreeContextBuffer(names.sUserName);
    assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, expected);
    FreeContextBuffer(names.sUserName);
}

static SECURITY_STATUS talk(void *auth, ULONG flags)
{
    pair.target = TARGET;
    pair.client_flags = flags;
    acquire_ntlm_server();
    TEST_REQUIRE_EQUAL(pair_client(&pair, "Negotiate", auth), SEC_E_OK);
    return pair_talk(&pair);
}

/* ---- a server without Kerberos ---- */

static void a_server_of_ntlm_is_reached(void **state)
{
    static const char *const domains[] = {"OPENSSPI.TEST", "OPENSSPI"};
    static const char *const names[] = {"OPENSSPI.TEST\\alice", "OPENSSPI\\alice"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        name(domains[i], NULL);
        assert_int_equal(talk(&identity, ISC_REQ_CONFIDENTIALITY | ISC_REQ_SEQUENCE_DETECT),
                         SEC_E_OK);
        require_mechanism(&pair.client, "NTLM");
        require_mechanism(&pair.server, "NTLM");
        require_client_name(names[i]);
        assert_int_equal(pair.client.attributes & ISC_RET_MUTUAL_AUTH, 0);
        pair_exchange(&pair.client, &pair.server, "after the second choice");
        pair_exchange(&pair.server, &pair.client, "and back");
        pair_end(&pair);
    }
}

static void default_users_are_offered_too(void **state)
{
    (void)state;
    realm_log_in(&realm, "alice", "ccache");
    assert_int_equal(talk(NULL, ISC_REQ_INTEGRITY), SEC_E_OK);
    require_mechanism(&pair.client, "NTLM");
    require_client_name("OPENSSPI.TEST\\alice");
    pair_end(&pair);
    unlink(realm_file(&realm, "ccache"));
}

/* The first token has both, in this order, and Kerberos' own token. */
static void the_first_token_offers_what_is_allowed(void **state)
{
    static const struct {
        ULONG flags;
        const char *list;
        bool ntlm;
    } rows[] = {
        {0, NULL, true},
        {ISC_REQ_CONFIDENTIALITY, NULL, true},
        {ISC_REQ_MUTUAL_AUTH, NULL, false},
        {ISC_REQ_DELEGATE, NULL, false},
        {ISC_REQ_MUTUAL_AUTH, "kerberos,ntlm", true},
        {0, "!ntlm", false},
        {0, "kerberos", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        name("OPENSSPI.TEST", rows[i].list);
        pair.target = TARGET;
        pair.client_flags = rows[i].flags;
        assert_int_equal(pair_client(&pair, "Negotiate", &identity), SEC_E_OK);
        assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
        assert_true(token_has(&pair.client, OID_KRB5));
        assert_int_equal(token_has(&pair.client, OID_NTLM), rows[i].ntlm);
        pair_end(&pair);
    }
}

static void who_asks_for_proof_gets_no_ntlm(void **state)
{
    (void)state;
    name("OPENSSPI.TEST", NULL);
    assert_true(talk(&identity, ISC_REQ_MUTUAL_AUTH) < 0);
    assert_false(pair.client.status == SEC_E_OK);
    pair_end(&pair);
    name("OPENSSPI.TEST", "kerberos,ntlm"); /* allowed by name, and told the truth */
    assert_int_equal(talk(&identity, ISC_REQ_MUTUAL_AUTH), SEC_E_OK);
    require_mechanism(&pair.client, "NTLM");
    assert_int_equal(pair.client.attributes & ISC_RET_MUTUAL_AUTH, 0);
    pair_end(&pair);
}

/* ---- somebody on the way ---- */

/* [1] { [0] request-mic, [1] NTLM }: what a server says that wants the other mechanism. */
static const unsigned char wants_ntlm[] = "\xa1\x15\x30\x13\xa0\x03\x0a\x01\x03\xa1\x0c\x06\x0a"
                                          "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";

static void a_forged_choice_of_what_was_not_offered_is_refused(void **state)
{
    (void)state;
    name("OPENSSPI.TEST", NULL);
    pair.target = TARGET;
    pair.client_flags = ISC_REQ_MUTUAL_AUTH;
    assert_int_equal(pair_client(&pair, "Negotiate", &identity), SEC_E_OK);
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    assert_true(pair_initialize(&pair, wants_ntlm, sizeof(wants_ntlm) - 1) < 0);
    assert_int_equal(pair.client.token_len, 0);
    pair_end(&pair);
}

/* Somebody makes the server believe that only NTLM was offered: the proof over the list that the
 * client made does not fit the list that the server saw. */
/* Answers that GSSAPI must not see: where an octet string ought to be, krb5 1.21 ends the process.
 */
static void an_answer_without_octets_harms_nothing(void **state)
{
    static const char first[] = "\x60\x1b\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x11\x30\x0f\xa0\x0d"
                                "\x30\x0b\x06\x09" OID_KRB5;
    static const struct {
        const char *token;
        ULONG len;
        SECURITY_STATUS status;
    } rows[] = {
        {"\xa1\x0b\x30\x09\xa2\x03\x04\x01\x00\xa3\x02\x05\x00", 13, SEC_E_INVALID_TOKEN},
        {"\xa1\x0b\x30\x09\xa2\x03\x04\x01\x00\xa4\x02\x05\x00", 13, SEC_E_INVALID_TOKEN},
        {"\xa1\x09\xa2\x03\x04\x01\x00\xa4\x02\x05\x00", 11, SEC_E_INVALID_TOKEN},
        /* A MIC is seen, and kept from being looked at before there is a mechanism. */
        {"\xa1\x07\x30\x05\xa3\x03\x04\x01\x00", 9, SEC_I_CONTINUE_NEEDED},
    };

    (void)state;
    assert_int_equal(pair_server(&pair, "Negotiate"), SEC_E_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(pair_accept(&pair, first, sizeof(first) - 1), SEC_I_CONTINUE_NEEDED);
        TEST_REQUIRE_EQUAL(pair_accept(&pair, rows[i].token, rows[i].len), rows[i].status);
        pair_reset(&pair);
    }
    pair_end(&pair);
}

static void a_shortened_offer_is_noticed(void **state)
{
    static const char krb5_element[] = "\x06\x09" OID_KRB5;
    unsigned char *at;

    (void)state;
    name("OPENSSPI.TEST", NULL);
    pair.target = TARGET;
    pair.client_flags = ISC_REQ_INTEGRITY;
    assert_int_equal(pair_client(&pair, "Negotiate", &identity), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "Negotiate"), SEC_E_OK);
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    at = memmem(pair.client.token, pair.client.token_len, krb5_element, sizeof(krb5_element) - 1);
    assert_non_null(at);
    at[10] ^= 0x40; /* a mechanism that nobody knows, so the server takes the next one */
    assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                     SEC_I_CONTINUE_NEEDED);
    while (pair.client.status == SEC_I_CONTINUE_NEEDED && pair.server.status >= 0 &&
           pair_initialize(&pair, pair.server.token, pair.server.token_len) >= 0 &&
           pair.client.token_len > 0)
        pair_accept(&pair, pair.client.token, pair.client.token_len);
    assert_true(pair.client.status < 0 || pair.server.status < 0);
    pair_end(&pair);
}

/* ---- a server that begins ---- */

/* With nothing to go on it says what it can (the hints of MS-SPNG 2.2.1); a client that is given
 * that begins all the same. A server of one mechanism has nothing to say. */
static void a_server_may_begin(void **state)
{
    static const char *const single[] = {"Kerberos", "NTLM"};

    (void)state;
    name("OPENSSPI.TEST", NULL);
    pair.target = TARGET;
    pair.client_flags = ISC_REQ_MUTUAL_AUTH;
    assert_int_equal(pair_client(&pair, "Negotiate", &identity), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "Negotiate"), SEC_E_OK);
    assert_int_equal(pair_accept(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    assert_true(token_has(&pair.server, OID_KRB5));
    assert_true(token_has(&pair.server, OID_NTLM));
    assert_int_equal(pair_initialize(&pair, pair.server.token, pair.server.token_len),
                     SEC_I_CONTINUE_NEEDED);
    assert_true(pair_accept(&pair, pair.client.token, pair.client.token_len) >= 0);
    assert_int_equal(pair_initialize(&pair, pair.server.token, pair.server.token_len), SEC_E_OK);
    assert_int_equal(pair.server.status, SEC_E_OK);
    require_mechanism(&pair.client, "Kerberos");
    pair_end(&pair);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pair_server(&pair, single[i]), SEC_E_OK);
        assert_int_equal(pair_accept(&pair, NULL, 0), SEC_E_INVALID_TOKEN);
        pair_end(&pair);
    }
}

static int group_setup(void **state)
{
    FILE *users;

    (void)state;
    realm_start(&realm);
    users = fopen(realm_file(&realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":alice:secret of alice\nOPENSSPI:alice:secret of alice\n", users);
    fclose(users);
    setenv("NTLM_USER_FILE", realm_file(&realm, "ntlm.users"), 1);
    test_watchdog(100);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    realm_stop(&realm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_of_ntlm_is_reached),
        cmocka_unit_test(default_users_are_offered_too),
        cmocka_unit_test(the_first_token_offers_what_is_allowed),
        cmocka_unit_test(who_asks_for_proof_gets_no_ntlm),
        cmocka_unit_test(a_forged_choice_of_what_was_not_offered_is_refused),
        cmocka_unit_test(an_answer_without_octets_harms_nothing),
        cmocka_unit_test(a_shortened_offer_is_noticed),
        cmocka_unit_test(a_server_may_begin),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
