/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * NTLM and Negotiate: what is chosen, when Negotiate goes on with NTLM and when not, what is said
 * about it, channel bindings, and legs in asynchronous calls.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/fake_kdc.h"
#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;
static SEC_WINNT_AUTH_IDENTITY_EXA identity;

static void name(const char *domain, const char *password, const char *packages)
{
    identity = (SEC_WINNT_AUTH_IDENTITY_EXA){
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Domain = (unsigned char *)domain,
        .DomainLength = (ULONG)strlen(domain),
        .Password = (unsigned char *)password,
        .PasswordLength = (ULONG)strlen(password),
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)packages,
        .PackageListLength = packages ? (ULONG)strlen(packages) : 0,
    };
}

static SECURITY_STATUS talk(const char *package, const char *target, ULONG flags)
{
    SECURITY_STATUS status;

    pair.target = target;
    pair.client_flags = flags;
    status = pair_client(&pair, package, &identity);
    if (status == SEC_E_OK)
        status = pair_server(&pair, package);
    return status == SEC_E_OK ? pair_talk(&pair) : status;
}

/* What both sides have become. */
static void require_chosen(const char *package)
{
    struct side *sides[] = {&pair.client, &pair.server};

    for (size_t i = 0; i < 2; i++) {
        SecPkgContext_NegotiationInfoA info;

        assert_int_equal(
            QueryContextAttributesA(&sides[i]->context, SECPKG_ATTR_NEGOTIATION_INFO, &info),
            SEC_E_OK);
        assert_string_equal(info.PackageInfo->Name, package);
        FreeContextBuffer(info.PackageInfo);
    }
}

/* ---- NTLM ---- */

static void s4_2_ntlm_logs_in(void **state)
{
    SecPkgContext_NamesA names;

    (void)state;
    name("OPENSSPI.TEST", "secret of alice", NULL);
    assert_int_equal(talk("NTLM", TARGET, ISC_REQ_INTEGRITY | ISC_REQ_CONFIDENTIALITY), SEC_E_OK);
    require_chosen("NTLM");
    assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, "OPENSSPI.TEST\\alice");
    FreeContextBuffer(names.sUserName);
    pair_exchange(&pair.client, &pair.server, "sealed by NTLM");
    pair_end(&pair);
}

static void s4_3_ntlm_proves_no_server(void **state)
{
    const ULONG asked = ISC_REQ_MUTUAL_AUTH | ISC_REQ_DELEGATE | ISC_REQ_REPLAY_DETECT |
                        ISC_REQ_SEQUENCE_DETECT | ISC_REQ_CONFIDENTIALITY;

    (void)state;
    name("OPENSSPI.TEST", "secret of alice", NULL);
    assert_int_equal(talk("NTLM", TARGET, asked), SEC_E_OK);
    assert_int_equal(pair.client.attributes & (ISC_RET_MUTUAL_AUTH | ISC_RET_DELEGATE), 0);
    assert_int_equal(pair.server.attributes & (ASC_RET_MUTUAL_AUTH | ASC_RET_DELEGATE), 0);
    assert_int_equal(pair.client.attributes & (ISC_RET_REPLAY_DETECT | ISC_RET_SEQUENCE_DETECT |
                                               ISC_RET_CONFIDENTIALITY | ISC_RET_INTEGRITY),
                     ISC_RET_REPLAY_DETECT | ISC_RET_SEQUENCE_DETECT | ISC_RET_CONFIDENTIALITY |
                         ISC_RET_INTEGRITY);
    assert_int_equal(pair.server.attributes & (ASC_RET_REPLAY_DETECT | ASC_RET_SEQUENCE_DETECT),
                     ASC_RET_REPLAY_DETECT | ASC_RET_SEQUENCE_DETECT);
    pair_end(&pair);
}

static void s4_3_ntlm_refuses_who_is_not_known(void **state)
{
    (void)state;
    name("OPENSSPI.TEST", "wrong", NULL);
    assert_int_equal(talk("NTLM", TARGET, 0), SEC_E_LOGON_DENIED);
    pair_end(&pair);
    name("ELSEWHERE", "secret of alice", NULL);
    assert_int_equal(talk("NTLM", TARGET, 0), SEC_E_LOGON_DENIED);
    pair_end(&pair);
}

static void ntlm_needs_no_target(void **state)
{
    (void)state;
    name("OPENSSPI.TEST", "secret of alice", NULL);
    assert_int_equal(talk("NTLM", NULL, ISC_REQ_INTEGRITY), SEC_E_OK);
    pair_end(&pair);
}

static void ntlm_knows_the_default_user_of_the_file(void **state)
{
    (void)state;
    pair.target = TARGET;
    assert_int_equal(pair_client(&pair, "NTLM", NULL), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "NTLM"), SEC_E_OK);
    assert_int_equal(pair_talk(&pair), SEC_E_OK);
    pair_end(&pair);
}

static void garbage_is_refused(void **state)
{
    static const char *const packages[] = {"NTLM", "Negotiate", "Kerberos"};
    static const char junk[] = "NTLMSSP\0\1\0\0\0";

    (void)state;
    name("OPENSSPI.TEST", "secret of alice", "ntlm");
    for (size_t i = 0; i < 3; i++) {
        pair.target = TARGET;
        assert_int_equal(pair_server(&pair, packages[i]), SEC_E_OK);
        assert_int_equal(pair_accept(&pair, "no token", 8), SEC_E_INVALID_TOKEN);
        assert_true(pair_accept(&pair, junk, 9) < 0);
        pair_end(&pair);
    }
    assert_int_equal(pair_client(&pair, "NTLM", &identity), SEC_E_OK);
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair_initialize(&pair, "no token", 8), SEC_E_INVALID_TOKEN);
    assert_int_equal(pair_initialize(&pair, "no token", 8), SEC_E_INVALID_TOKEN);
    pair_end(&pair);
}

/* ---- Negotiate chooses ---- */

static void negotiate_takes_kerberos_where_it_can(void **state)
{
    (void)state;
    name("OPENSSPI.TEST", "secret of alice", NULL);
    assert_int_equal(talk("Negotiate", TARGET, ISC_REQ_MUTUAL_AUTH | ISC_REQ_CONFIDENTIALITY),
                     SEC_E_OK);
    require_chosen("Kerberos");
    assert_true(pair.client.attributes & ISC_RET_MUTUAL_AUTH);
    pair_exchange(&pair.server, &pair.client, "by Kerberos");
    pair_end(&pair);
}

/* A realm that has no KDC by configuration, and no DNS to ask: Kerberos is not possible, so a
 * caller who asks for MUTUAL_AUTH gets NTLM, and is told the truth. */
static void negotiate_takes_ntlm_where_kerberos_is_not_possible(void **state)
{
    (void)state;
    name("WORKGROUP", "secret of alice", NULL);
    assert_int_equal(talk("Negotiate", TARGET, ISC_REQ_MUTUAL_AUTH | ISC_REQ_CONFIDENTIALITY),
                     SEC_E_OK);
    require_chosen("NTLM");
    assert_int_equal(pair.client.attributes & ISC_RET_MUTUAL_AUTH, 0);
    pair_exchange(&pair.server, &pair.client, "by NTLM");
    pair_end(&pair);
}

static void package_lists_win(void **state)
{
    static const struct {
        const char *list, *chosen;
        SECURITY_STATUS status;
    } rows[] = {
        {"ntlm", "NTLM", SEC_E_OK},
        {"kerberos", "Kerberos", SEC_E_OK},
        {"!ntlm", "Kerberos", SEC_E_OK},
        {"!kerberos", "NTLM", SEC_E_OK},
        {"NTLM,Kerberos", "Kerberos", SEC_E_OK},
        {"kerberos,!ntlm", "Kerberos", SEC_E_OK},
        {"!ntlm,!kerberos", NULL, SEC_E_NO_CREDENTIALS},
        {"schannel", NULL, SEC_E_NO_CREDENTIALS},
        {" , ", "Kerberos", SEC_E_OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        name("OPENSSPI.TEST", "secret of alice", rows[i].list);
        assert_int_equal(talk("Negotiate", TARGET, 0), rows[i].status);
        if (rows[i].chosen)
            require_chosen(rows[i].chosen);
        pair_end(&pair);
    }
}

static void negotiate_accepts_tokens_without_spnego(void **state)
{
    static const char *const packages[] = {"NTLM", "Kerberos"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        name("OPENSSPI.TEST", "secret of alice", NULL);
        pair.target = TARGET;
        pair.client_flags = ISC_REQ_CONFIDENTIALITY;
        assert_int_equal(pair_client(&pair, packages[i], &identity), SEC_E_OK);
        assert_int_equal(pair_server(&pair, "Negotiate"), SEC_E_OK);
        assert_int_equal(pair_talk(&pair), SEC_E_OK);
        require_chosen(packages[i]);
        pair_exchange(&pair.client, &pair.server, "without SPNEGO");
        pair_end(&pair);
    }
}

/* ---- and when Kerberos fails ---- */

struct fallback {
    ULONG flags;
    const char *list;
    bool falls_back;
};

static const struct fallback fallbacks[] = {
    {0, NULL, true},
    {ISC_REQ_CONFIDENTIALITY, NULL, true},
    {ISC_REQ_MUTUAL_AUTH, NULL, false}, /* silence may be somebody's doing */
    {ISC_REQ_DELEGATE, NULL, false},
    {ISC_REQ_MUTUAL_AUTH, "kerberos,ntlm", true}, /* allowed by name */
    {0, "!ntlm", false},
};

static void require_fallbacks(const char *domain, const char *target, SECURITY_STATUS otherwise)
{
    for (size_t i = 0; i < sizeof(fallbacks) / sizeof(fallbacks[0]); i++) {
        name(domain, "secret of alice", fallbacks[i].list);
        assert_int_equal(talk("Negotiate", target, fallbacks[i].flags),
                         fallbacks[i].falls_back ? SEC_E_OK : otherwise);
        if (fallbacks[i].falls_back)
            require_chosen("NTLM");
        pair_end(&pair);
    }
}

static void ntlm_follows_a_failed_kerberos_unless_that_may_be_an_attack(void **state)
{
    (void)state;
    require_fallbacks("OPENSSPI.TEST", "HTTP/unknown.test", SEC_E_TARGET_UNKNOWN);
    realm_configure(&realm, "kdc = 127.0.0.1:1\n", NULL);
    require_fallbacks("OPENSSPI.TEST", TARGET, SEC_E_NO_AUTHENTICATING_AUTHORITY);
    /* Of a domain that only the own realm may know, its KDC's silence says nothing. */
    require_fallbacks("WORKGROUP", TARGET, SEC_E_NO_AUTHENTICATING_AUTHORITY);
    /* A KDC that cannot be asked from here is one all the same. */
    realm_configure(&realm, "kdc = https://127.0.0.1/KdcProxy\n", NULL);
    require_fallbacks("OPENSSPI.TEST", TARGET, SEC_E_NO_AUTHENTICATING_AUTHORITY);
    realm_configure(&realm, NULL, NULL);
}

static void no_target_leaves_ntlm(void **state)
{
    (void)state;
    name("OPENSSPI.TEST", "secret of alice", NULL);
    assert_int_equal(talk("Negotiate", NULL, 0), SEC_E_OK);
    require_chosen("NTLM");
    pair_end(&pair);
}

/* A server that names its principal is Kerberos' alone, with a key and without. */
static void a_servers_principal_keeps_ntlm_out(void **state)
{
    struct side *server = &pair.server;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        name("OPENSSPI.TEST", "secret of alice", i == 0 ? "ntlm" : NULL);
        pair.target = TARGET;
        assert_int_equal(pair_client(&pair, i == 0 ? "Negotiate" : "NTLM", &identity), SEC_E_OK);
        assert_int_equal(AcquireCredentialsHandleA((char *)TARGET, (char *)"Negotiate",
                                                   SECPKG_CRED_INBOUND, NULL, NULL, NULL, NULL,
                                                   &server->credential, &server->expiry),
                         SEC_E_OK);
        server->has_credential = true;
        assert_int_equal(pair_talk(&pair), SEC_E_INVALID_TOKEN);
        pair_end(&pair);
    }
    setenv("KRB5_KTNAME", realm_file(&realm, "no.keytab"), 1);
    assert_int_equal(AcquireCredentialsHandleA((char *)TARGET, (char *)"Negotiate",
                                               SECPKG_CRED_INBOUND, NULL, NULL, NULL, NULL,
                                               &server->credential, &server->expiry),
                     SEC_E_NO_CREDENTIALS);
    setenv("KRB5_KTNAME", realm_file(&realm, "server.keytab"), 1);
}

/* ---- channel bindings ---- */

struct bindings {
    SEC_CHANNEL_BINDINGS header;
    char text[32];
};

static void bind_to(struct side *side, struct bindings *bindings, const char *text)
{
    *bindings =
        (struct bindings){.header = {.cbApplicationDataLength = (ULONG)strlen(text),
                                     .dwApplicationDataOffset = sizeof(SEC_CHANNEL_BINDINGS)}};
    memcpy(bindings->text, text, strlen(text));
    side->bindings = bindings;
    side->bindings_len = (ULONG)(sizeof(bindings->header) + strlen(text));
}

static SECURITY_STATUS talk_bound(const char *package, const char *client, const char *server,
                                  ULONG server_flags)
{
    struct bindings of_client, of_server;
    SECURITY_STATUS status;

    pair.server_flags = server_flags;
    if (client)
        bind_to(&pair.client, &of_client, client);
    if (server)
        bind_to(&pair.server, &of_server, server);
    status = talk(package, TARGET, ISC_REQ_INTEGRITY);
    pair_end(&pair);
    pair.client.bindings = pair.server.bindings = NULL;
    pair.server_flags = 0;
    return status;
}

static void channel_bindings_of_a_server_are_required(void **state)
{
    static const char *const lists[] = {"kerberos", "ntlm"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        name("OPENSSPI.TEST", "secret of alice", lists[i]);
        assert_int_equal(talk_bound("Negotiate", "tls-unique:1", "tls-unique:1", 0), SEC_E_OK);
        assert_int_equal(talk_bound("Negotiate", "tls-unique:1", "tls-unique:2", 0),
                         SEC_E_BAD_BINDINGS);
        assert_int_equal(talk_bound("Negotiate", NULL, "tls-unique:2", 0), SEC_E_BAD_BINDINGS);
        assert_int_equal(talk_bound("Negotiate", NULL, "tls-unique:2", ASC_REQ_PROXY_BINDINGS),
                         SEC_E_BAD_BINDINGS);
        assert_int_equal(talk_bound("Negotiate", "tls-unique:1", NULL, 0), SEC_E_OK);
        assert_int_equal(
            talk_bound("Negotiate", NULL, "tls-unique:2", ASC_REQ_ALLOW_MISSING_BINDINGS),
            SEC_E_OK);
        assert_int_equal(
            talk_bound("Negotiate", "tls-unique:1", "tls-unique:2", ASC_REQ_ALLOW_MISSING_BINDINGS),
            SEC_E_BAD_BINDINGS);
    }
}

/* NTLM looks at the client's in its last leg, where this server does not give its own again. */
static void bindings_of_one_leg_are_not_forgotten(void **state)
{
    struct bindings of_server;

    (void)state;
    name("OPENSSPI.TEST", "secret of alice", "ntlm");
    pair.target = TARGET;
    pair.client_flags = ISC_REQ_INTEGRITY;
    assert_int_equal(pair_client(&pair, "Negotiate", &identity), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "Negotiate"), SEC_E_OK);
    bind_to(&pair.server, &of_server, "tls-unique:1");
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                     SEC_I_CONTINUE_NEEDED);
    pair.server.bindings = NULL;
    assert_true(pair_initialize(&pair, pair.server.token, pair.server.token_len) >= 0);
    assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                     SEC_E_BAD_BINDINGS);
    pair_end(&pair);
    pair.client_flags = 0;
}

/* ---- asynchronous legs ---- */

/* One context of asynchronous calls for all legs of both sides. */
static SECURITY_STATUS leg(SspiAsyncContext *async, struct side *side, bool accepts,
                           const struct side *from)
{
    SecBuffer in = {from->token_len, SECBUFFER_TOKEN, (void *)from->token};
    SecBuffer out = {PAIR_TOKEN, SECBUFFER_TOKEN, side->token};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 1, &in}, out_desc = {SECBUFFER_VERSION, 1, &out};
    PCtxtHandle context = side->has_context ? &side->context : NULL;

    assert_int_equal(SspiReinitAsyncContext(async), 0);
    if (accepts)
        assert_int_equal(SspiAcceptSecurityContextAsync(async, &side->credential, context, &in_desc,
                                                        0, 0, &side->context, &out_desc,
                                                        &side->attributes, NULL),
                         SEC_E_OK);
    else
        assert_int_equal(SspiInitializeSecurityContextAsyncA(
                             async, &side->credential, context, (char *)TARGET,
                             ISC_REQ_CONFIDENTIALITY, 0, 0, from->token_len ? &in_desc : NULL, 0,
                             &side->context, &out_desc, &side->attributes, NULL),
                         SEC_E_OK);
    side->status = OsspiWaitAsyncCall(async, OSSPI_INFINITE);
    assert_true(side->status >= 0);
    side->has_context = true;
    side->token_len = out.cbBuffer;
    return side->status;
}

static void legs_through_one_asynchronous_context(void **state)
{
    static const struct {
        const char *package, *list;
    } rows[] = {
        {"Kerberos", NULL}, {"NTLM", NULL}, {"Negotiate", "kerberos"}, {"Negotiate", "ntlm"}};
    SspiAsyncContext *async = SspiCreateAsyncContext();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        name("OPENSSPI.TEST", "secret of alice", rows[i].list);
        assert_int_equal(pair_client(&pair, rows[i].package, &identity), SEC_E_OK);
        assert_int_equal(pair_server(&pair, rows[i].package), SEC_E_OK);
        pair.server.token_len = 0;
        for (unsigned round = 0; round < 4; round++) {
            if (leg(async, &pair.client, false, &pair.server) == SEC_E_OK &&
                pair.client.token_len == 0)
                break;
            if (leg(async, &pair.server, true, &pair.client) == SEC_E_OK &&
                pair.server.token_len == 0)
                break;
            if (pair.client.status == SEC_E_OK)
                break;
        }
        assert_int_equal(pair.client.status, SEC_E_OK);
        assert_int_equal(pair.server.status, SEC_E_OK);
        pair_exchange(&pair.client, &pair.server, "after asynchronous legs");
        pair_end(&pair);
    }
    SspiFreeAsyncContext(async);
}

/* Kerberos gets half of the time only, where NTLM may follow: a silent KDC costs that and no more.
 */
static void a_silent_kdc_leaves_time_for_ntlm(void **state)
{
    SspiAsyncContext *async = SspiCreateAsyncContext();
    static struct fake_kdc fake; /* guarded: one thread */
    char kdcs[64];

    (void)state;
    fake_kdc_start(&fake, FAKE_SILENT);
    snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n", fake.port);
    realm_configure(&realm, kdcs, NULL);
    name("OPENSSPI.TEST", "secret of alice", NULL);
    assert_int_equal(pair_client(&pair, "Negotiate", &identity), SEC_E_OK);
    pair.server.token_len = 0;
    assert_int_equal(OsspiSetAsyncTimeout(async, 4000), SEC_E_OK);
    assert_int_equal(leg(async, &pair.client, false, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_true(test_counter_get(&fake.requests) > 0);
    assert_non_null(memmem(pair.client.token, pair.client.token_len, "NTLMSSP", 8));
    pair_end(&pair);
    SspiFreeAsyncContext(async);
    fake_kdc_stop(&fake);
    realm_configure(&realm, NULL, NULL);
}

static int group_setup(void **state)
{
    FILE *users;

    (void)state;
    realm_start(&realm);
    users = fopen(realm_file(&realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":alice:secret of alice\nWORKGROUP:alice:secret of alice\n", users);
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
        cmocka_unit_test(s4_2_ntlm_logs_in),
        cmocka_unit_test(s4_3_ntlm_proves_no_server),
        cmocka_unit_test(s4_3_ntlm_refuses_who_is_not_known),
        cmocka_unit_test(ntlm_needs_no_target),
        cmocka_unit_test(ntlm_knows_the_default_user_of_the_file),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(negotiate_takes_kerberos_where_it_can),
        cmocka_unit_test(negotiate_takes_ntlm_where_kerberos_is_not_possible),
        cmocka_unit_test(package_lists_win),
        cmocka_unit_test(negotiate_accepts_tokens_without_spnego),
        cmocka_unit_test(ntlm_follows_a_failed_kerberos_unless_that_may_be_an_attack),
        cmocka_unit_test(no_target_leaves_ntlm),
        cmocka_unit_test(a_servers_principal_keeps_ntlm_out),
        cmocka_unit_test(channel_bindings_of_a_server_are_required),
        cmocka_unit_test(bindings_of_one_leg_are_not_forgotten),
        cmocka_unit_test(legs_through_one_asynchronous_context),
        cmocka_unit_test(a_silent_kdc_leaves_time_for_ntlm),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
