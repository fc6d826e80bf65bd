/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Every flag of InitializeSecurityContext and AcceptSecurityContext, one at a time, for each
 * package: what comes back on both sides is what is true, and not one bit more; what would not be
 * true is refused. Null sessions, whose servers are here, and what a client says about being acted
 * for.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;

static const struct kind {
    const char *package, *list;
    bool ntlm;
} kinds[] = {{"Kerberos", NULL, false},
             {"NTLM", NULL, true},
             {"Negotiate", "kerberos", false},
             {"Negotiate", "ntlm", true}};

static void acquire(const struct kind *kind)
{
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Domain = (unsigned char *)REALM_NAME,
        .DomainLength = sizeof(REALM_NAME) - 1,
        .Password = (unsigned char *)"secret of alice",
        .PasswordLength = 15,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)kind->list,
        .PackageListLength = kind->list ? (ULONG)strlen(kind->list) : 0,
    };

    pair.target = TARGET;
    TEST_REQUIRE_EQUAL(pair_client(&pair, kind->package, &identity), SEC_E_OK);
    TEST_REQUIRE_EQUAL(pair_server(&pair, kind->package), SEC_E_OK);
}

/* ---- what a client asks for ---- */

#define SIGNED (ISC_RET_INTEGRITY)
#define TURNS  (ASC_RET_REPLAY_DETECT | ASC_RET_SEQUENCE_DETECT)

/* What comes back on the client's and on the server's side: of Kerberos beside what always does (to
 * seal and to sign), of NTLM all of it. The server asks for nothing. */
static const struct asked {
    const char *name;
    ULONG flag;
    struct {
        ULONG client, server;
    } krb5, ntlm;
} rows[] = {
    {"nothing", 0, {0, 0}, {0, 0}},
    {"DELEGATE alone", ISC_REQ_DELEGATE, {0, 0}, {0, 0}},
    {"MUTUAL_AUTH", ISC_REQ_MUTUAL_AUTH, {ISC_RET_MUTUAL_AUTH, ASC_RET_MUTUAL_AUTH}, {0, 0}},
    {"DELEGATE",
     ISC_REQ_DELEGATE | ISC_REQ_MUTUAL_AUTH,
     {ISC_RET_DELEGATE | ISC_RET_MUTUAL_AUTH, ASC_RET_DELEGATE | ASC_RET_MUTUAL_AUTH},
     {0, 0}},
    {"REPLAY_DETECT",
     ISC_REQ_REPLAY_DETECT,
     {ISC_RET_REPLAY_DETECT, ASC_RET_REPLAY_DETECT},
     {ISC_RET_REPLAY_DETECT | SIGNED, ASC_RET_INTEGRITY | TURNS}},
    {"SEQUENCE_DETECT",
     ISC_REQ_SEQUENCE_DETECT,
     {ISC_RET_SEQUENCE_DETECT, ASC_RET_SEQUENCE_DETECT},
     {ISC_RET_SEQUENCE_DETECT | SIGNED, ASC_RET_INTEGRITY | TURNS}},
    {"CONFIDENTIALITY",
     ISC_REQ_CONFIDENTIALITY,
     {0, 0},
     {ISC_RET_CONFIDENTIALITY | SIGNED, ASC_RET_CONFIDENTIALITY | ASC_RET_INTEGRITY | TURNS}},
    {"INTEGRITY", ISC_REQ_INTEGRITY, {0, 0}, {SIGNED, ASC_RET_INTEGRITY | TURNS}},
    {"NO_INTEGRITY", ISC_REQ_INTEGRITY | ISC_REQ_NO_INTEGRITY, {0, 0}, {0, 0}},
    {"NO_INTEGRITY and what stands on it",
     ISC_REQ_SEQUENCE_DETECT | ISC_REQ_NO_INTEGRITY,
     {ISC_RET_SEQUENCE_DETECT, ASC_RET_SEQUENCE_DETECT},
     {ISC_RET_SEQUENCE_DETECT | SIGNED, ASC_RET_INTEGRITY | TURNS}},
    {"USE_SESSION_KEY", ISC_REQ_USE_SESSION_KEY, {ISC_RET_USE_SESSION_KEY, 0}, {0, 0}},
    {"PROMPT_FOR_CREDS", ISC_REQ_PROMPT_FOR_CREDS, {0, 0}, {0, 0}},
    {"USE_SUPPLIED_CREDS", ISC_REQ_USE_SUPPLIED_CREDS, {0, 0}, {0, 0}},
    {"USE_DCE_STYLE", /* which proves the server */
     ISC_REQ_USE_DCE_STYLE,
     {ISC_RET_USED_DCE_STYLE | ISC_RET_MUTUAL_AUTH, ASC_RET_USED_DCE_STYLE | ASC_RET_MUTUAL_AUTH},
     {0, 0}},
    {"CONNECTION", ISC_REQ_CONNECTION, {ISC_RET_CONNECTION, 0}, {ISC_RET_CONNECTION, 0}},
    {"CALL_LEVEL", ISC_REQ_CALL_LEVEL, {0, 0}, {0, 0}},
    {"FRAGMENT_SUPPLIED", ISC_REQ_FRAGMENT_SUPPLIED, {0, 0}, {0, 0}},
    {"EXTENDED_ERROR",
     ISC_REQ_EXTENDED_ERROR,
     {ISC_RET_EXTENDED_ERROR, ASC_RET_EXTENDED_ERROR},
     {0, 0}},
    {"STREAM", ISC_REQ_STREAM, {0, 0}, {0, 0}},
    {"IDENTIFY",
     ISC_REQ_IDENTIFY,
     {ISC_RET_IDENTIFY, ASC_RET_IDENTIFY},
     {ISC_RET_IDENTIFY, ASC_RET_IDENTIFY}},
    {"FRAGMENT_TO_FIT", ISC_REQ_FRAGMENT_TO_FIT, {0, 0}, {0, 0}},
    {"UNVERIFIED_TARGET_NAME", ISC_REQ_UNVERIFIED_TARGET_NAME, {0, 0}, {0, 0}},
    {"CONFIDENTIALITY_ONLY", ISC_REQ_CONFIDENTIALITY_ONLY, {0, 0}, {0, 0}},
};

static void require_flags(const struct asked *row, const struct kind *kind)
{
    ULONG client =
        kind->ntlm ? row->ntlm.client : row->krb5.client | SIGNED | ISC_RET_CONFIDENTIALITY;
    ULONG server = kind->ntlm ? row->ntlm.server
                              : row->krb5.server | ASC_RET_INTEGRITY | ASC_RET_CONFIDENTIALITY;

    /* SPNEGO asks for signatures, to prove what was offered. */
    if (kind->ntlm && kind->list) {
        client |= SIGNED;
        server |= ASC_RET_INTEGRITY | TURNS;
    }
    if (pair.client.attributes != client || pair.server.attributes != server)
        fprintf(stderr, "%s, %s: %08x %08x, not %08x %08x\n", row->name, kind->package,
                (unsigned)pair.client.attributes, (unsigned)pair.server.attributes,
                (unsigned)client, (unsigned)server);
    assert_int_equal(pair.client.attributes, client);
    assert_int_equal(pair.server.attributes, server);
}

static void s4_3_each_flag_of_a_client_alone(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        acquire(&kinds[k]);
        for (size_t i = 0; i < COUNT(rows); i++) {
            pair.client_flags = rows[i].flag;
            assert_int_equal(pair_talk(&pair), SEC_E_OK);
            require_flags(&rows[i], &kinds[k]);
            pair_reset(&pair);
        }
        pair_end(&pair);
    }
}

/* ---- what a server asks for ---- */

/* It gets what the client has asked for, and else what is true without anybody's doing. */
static void s4_3_each_flag_of_a_server_alone(void **state)
{
    static const struct {
        ULONG flag, krb5, ntlm;
    } flags[] = {
        {ASC_REQ_DELEGATE, 0, 0},
        {ASC_REQ_MUTUAL_AUTH, 0, 0},
        {ASC_REQ_REPLAY_DETECT, 0, 0},
        {ASC_REQ_SEQUENCE_DETECT, 0, 0},
        {ASC_REQ_CONFIDENTIALITY, 0, 0},
        {ASC_REQ_INTEGRITY, 0, 0},
        {ASC_REQ_USE_SESSION_KEY, ASC_RET_USE_SESSION_KEY, 0},
        {ASC_REQ_CONNECTION, ASC_RET_CONNECTION, ASC_RET_CONNECTION},
        {ASC_REQ_CALL_LEVEL, 0, 0},
        {ASC_REQ_FRAGMENT_SUPPLIED, 0, 0},
        {ASC_REQ_EXTENDED_ERROR, 0, 0},
        {ASC_REQ_STREAM, 0, 0},
        {ASC_REQ_LICENSING, 0, 0},
        {ASC_REQ_IDENTIFY, 0, 0},
        {ASC_REQ_ALLOW_NULL_SESSION, 0, 0},
        {ASC_REQ_ALLOW_NON_USER_LOGONS, ASC_RET_ALLOW_NON_USER_LOGONS,
         ASC_RET_ALLOW_NON_USER_LOGONS},
        {ASC_REQ_ALLOW_CONTEXT_REPLAY, 0, 0},
        {ASC_REQ_FRAGMENT_TO_FIT, 0, 0},
        {ASC_REQ_PROXY_BINDINGS, 0, 0},
        {ASC_REQ_ALLOW_MISSING_BINDINGS, 0, 0},
    };

    (void)state;
    pair.client_flags = 0;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        acquire(&kinds[k]);
        for (size_t i = 0; i < COUNT(flags); i++) {
            struct asked row = {.name = "a server's flag"};

            row.krb5.server = flags[i].krb5;
            row.ntlm.server = flags[i].ntlm;
            pair.server_flags = flags[i].flag;
            assert_int_equal(pair_talk(&pair), SEC_E_OK);
            require_flags(&row, &kinds[k]);
            pair_reset(&pair);
        }
        pair_end(&pair);
    }
    pair.server_flags = 0;
}

/* ---- what would not be true ---- */

static void s4_3_datagrams_and_null_sessions_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        acquire(&kinds[k]);
        pair.client_flags = ISC_REQ_DATAGRAM;
        assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_UNSUPPORTED_FUNCTION);
        pair.client_flags = ISC_REQ_NULL_SESSION; /* who asks for it is not to be named */
        assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_UNSUPPORTED_FUNCTION);
        pair.client_flags = 0;
        assert_true(pair_initialize(&pair, NULL, 0) >= 0);
        pair.server_flags = ASC_REQ_DATAGRAM;
        assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                         SEC_E_UNSUPPORTED_FUNCTION);
        pair.server_flags = 0;
        pair_end(&pair);
    }
}

/* An AUTHENTICATE message without a name and without a proof (MS-NLMP 3.2.5.1.2), allowed or not.
 */
static void s4_3_an_anonymous_client_is_not_let_in(void **state)
{
    static const ULONG asked[] = {0, ASC_REQ_ALLOW_NULL_SESSION};
    unsigned char nobody[72] = "NTLMSSP\0\x03";

    (void)state;
    for (size_t at = 12; at < 60; at += 8)
        nobody[at + 4] = sizeof(nobody); /* empty fields point at the end */
    nobody[60] = 0x05;
    for (size_t i = 0; i < COUNT(asked); i++) {
        pair.client_flags = 0;
        acquire(&kinds[1]);
        pair.server_flags = asked[i];
        assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                         SEC_I_CONTINUE_NEEDED);
        assert_int_equal(pair_accept(&pair, nobody, sizeof(nobody)), SEC_E_LOGON_DENIED);
        assert_int_equal(pair.server.attributes & ASC_RET_NULL_SESSION, 0);
        pair.server_flags = 0;
        pair_end(&pair);
    }
}

/* A ticket of nobody's (RFC 8062). A KDC gives one to who asks, by PKINIT; this one has a service
 * ask for it, by S4U2Self. */
static void get_ticket_of_nobody(void)
{
    const char *folder = realm_file(&realm, "");
    char command[1024];

    snprintf(command, sizeof(command),
             "kinit -k -t FILE:%sserver.keytab -c FILE:%sservice HTTP/server.test && "
             "kvno -q -c FILE:%sservice -I WELLKNOWN/ANONYMOUS --out-cache FILE:%snobody " TARGET,
             folder, folder, folder, folder);
    TEST_REQUIRE_EQUAL(system(command), 0);
}

static void s4_3_a_ticket_of_nobody_is_not_let_in(void **state)
{
    static const ULONG asked[] = {0, ASC_REQ_ALLOW_NULL_SESSION};
    static const char *const packages[] = {"Kerberos", "Negotiate"};
    char *before = strdup(getenv("KRB5CCNAME")), cache[160];

    (void)state;
    get_ticket_of_nobody();
    snprintf(cache, sizeof(cache), "FILE:%s", realm_file(&realm, "nobody"));
    setenv("KRB5CCNAME", cache, 1);
    for (size_t i = 0; i < COUNT(asked) * COUNT(packages); i++) {
        pair.target = TARGET;
        pair.server_flags = asked[i / 2];
        TEST_REQUIRE_EQUAL(pair_client(&pair, packages[i % 2], NULL), SEC_E_OK);
        TEST_REQUIRE_EQUAL(pair_server(&pair, packages[i % 2]), SEC_E_OK);
        assert_true(pair_initialize(&pair, NULL, 0) >= 0);
        assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                         SEC_E_LOGON_DENIED);
        assert_int_equal(pair.server.attributes & ASC_RET_NULL_SESSION, 0);
        pair_end(&pair);
    }
    pair.server_flags = 0;
    setenv("KRB5CCNAME", before, 1);
    free(before);
}

/* What tells the client goes out of memory like any other token. */
static void s2_5_tokens_of_errors_are_allocated_too(void **state)
{
    SecBuffer in, out = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 1, &in}, out_desc = {SECBUFFER_VERSION, 1, &out};
    TimeStamp expiry;

    (void)state;
    acquire(&kinds[0]);
    pair.target = "HTTP/stale.test"; /* whose key is not the KDC's */
    pair.client_flags = ISC_REQ_EXTENDED_ERROR | ISC_REQ_MUTUAL_AUTH;
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    in = (SecBuffer){pair.client.token_len, SECBUFFER_TOKEN, pair.client.token};
    assert_int_equal(AcceptSecurityContext(&pair.server.credential, NULL, &in_desc,
                                           ASC_REQ_EXTENDED_ERROR | ASC_REQ_ALLOCATE_MEMORY,
                                           SECURITY_NATIVE_DREP, &pair.server.context, &out_desc,
                                           &pair.server.attributes, &expiry),
                     SEC_E_LOGON_DENIED);
    assert_true(out.cbBuffer > 0 && out.pvBuffer != NULL);
    assert_int_equal(pair.server.attributes, ASC_RET_EXTENDED_ERROR | ASC_RET_ALLOCATED_MEMORY);
    FreeContextBuffer(out.pvBuffer);
    pair_end(&pair);
    pair.client_flags = 0;
}

static int group_setup(void **state)
{
    FILE *users;

    (void)state;
    realm_start(&realm);
    users = fopen(realm_file(&realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":alice:secret of alice\n", users);
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
        cmocka_unit_test(s4_3_each_flag_of_a_client_alone),
        cmocka_unit_test(s4_3_each_flag_of_a_server_alone),
        cmocka_unit_test(s4_3_datagrams_and_null_sessions_are_refused),
        cmocka_unit_test(s4_3_an_anonymous_client_is_not_let_in),
        cmocka_unit_test(s4_3_a_ticket_of_nobody_is_not_let_in),
        cmocka_unit_test(s2_5_tokens_of_errors_are_allocated_too),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
