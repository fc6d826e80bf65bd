/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Kerberos, client and server, against a KDC of MIT's: credentials of each kind, target names, what
 * legs ask for and are granted, channel bindings, what a server refuses.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gssapi/fake_kdc.h"
#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"

TEST_FORKS_WITH_THREADS;

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;

static void named(const char *user, SEC_WINNT_AUTH_IDENTITY_A *ret_identity)
{
    static char password[64]; /* guarded: one thread */

    snprintf(password, sizeof(password), "secret of %s", user);
    pair_identity(user, REALM_NAME, password, ret_identity);
}

static void establish(ULONG flags)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    named("alice", &identity);
    pair.client_flags = flags;
    pair_establish(&pair, "Kerberos", &identity, TARGET);
}

/* The client's name as the server sees it. */
static void require_client(const char *name)
{
    SecPkgContext_NamesA names;

    assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, name);
    FreeContextBuffer(names.sUserName);
}

/* ---- credentials ---- */

static void s4_2_a_password_logs_in(void **state)
{
    (void)state;
    establish(ISC_REQ_MUTUAL_AUTH);
    require_client("alice@" REALM_NAME);
    pair_end(&pair);
}

static void s4_2_every_form_of_a_user_logs_in(void **state)
{
    static const struct {
        const char *user, *domain;
    } forms[] = {
        {"alice", REALM_NAME},
        {"alice", "openssspi.test"},
        {"alice@" REALM_NAME, NULL},
        {"alice@opensspi.test", ""},
        {"alice", NULL},
        {"alice", "OPENSSPI"},
        {"alice", "opensspi.test"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        SEC_WINNT_AUTH_IDENTITY_A identity;

        if (i == 1)
            continue; /* another realm: below */
        pair_identity(forms[i].user, forms[i].domain, "secret of alice", &identity);
        pair_establish(&pair, "Kerberos", &identity, TARGET);
        require_client("alice@" REALM_NAME);
        pair_end(&pair);
    }
    {
        SEC_WINNT_AUTH_IDENTITY_A identity;

        pair_identity(forms[1].user, forms[1].domain, "secret of alice", &identity);
        assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
        assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_NO_AUTHENTICATING_AUTHORITY);
        pair_end(&pair);
    }
}

/* A name may end otherwise than the realm does: a realm without a KDC is the own one's to know. */
static void s4_2_the_own_realm_knows_names_of_others(void **state)
{
    static const char *const domains[] = {"elsewhere.example", NULL};
    SEC_WINNT_AUTH_IDENTITY_A identity;

    (void)state;
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        pair_identity(domains[i] ? "carol" : "carol@elsewhere.example", domains[i],
                      "secret of carol", &identity);
        pair_establish(&pair, "Kerberos", &identity, TARGET);
        require_client("carol\\@ELSEWHERE.EXAMPLE@" REALM_NAME);
        pair_reset(&pair);
        assert_int_equal(pair_talk(&pair), SEC_E_OK); /* with the ticket that there is */
        pair_end(&pair);
    }
    pair_identity("carol", "elsewhere.example", "not hers", &identity);
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_LOGON_DENIED);
    pair_end(&pair);
    pair_identity("nobody", "elsewhere.example", "his", &identity);
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_NO_AUTHENTICATING_AUTHORITY);
    pair_end(&pair);
}

static void s4_2_wide_and_packed_identities_log_in(void **state)
{
    static WCHAR user[] = u"alice", domain[] = u"OPENSSPI.TEST", password[] = u"secret of alice";
    SEC_WINNT_AUTH_IDENTITY_EXW ex = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(ex),
        .User = user,
        .UserLength = 5,
        .Domain = domain,
        .DomainLength = 13,
        .Password = password,
        .PasswordLength = 15,
        .Flags = SEC_WINNT_AUTH_IDENTITY_UNICODE,
    };
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE opaque;

    (void)state;
    pair_establish(&pair, "Kerberos", &ex, TARGET);
    require_client("alice@" REALM_NAME);
    pair_end(&pair);
    assert_int_equal(SspiEncodeStringsAsAuthIdentity(user, domain, password, &opaque), SEC_E_OK);
    pair_establish(&pair, "Kerberos", opaque, TARGET);
    require_client("alice@" REALM_NAME);
    pair_end(&pair);
    SspiFreeAuthIdentity(opaque);
}

static void s4_2_malformed_identities_are_not_recognised(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    static char user[300]; /* guarded: one thread */

    (void)state;
    named("alice", &identity);
    identity.Flags = 0;
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_UNKNOWN_CREDENTIALS);
    named("alice", &identity);
    identity.User = NULL;
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_UNKNOWN_CREDENTIALS);
    memset(user, 'a', sizeof(user) - 1);
    pair_identity(user, REALM_NAME, "x", &identity);
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_UNKNOWN_CREDENTIALS);
    pair_identity("al\xff", REALM_NAME, "x", &identity);
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_UNKNOWN_CREDENTIALS);
    named("alice", &identity);
    identity.Flags |= SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED;
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_UNKNOWN_CREDENTIALS);
    /* Not the password that ends there. */
    pair_identity("alice", REALM_NAME, "secret of alice\0behind it", &identity);
    identity.PasswordLength += (ULONG)sizeof("behind it");
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_UNKNOWN_CREDENTIALS);
}

static void s4_2_default_credentials_are_the_users_tickets(void **state)
{
    const LONGLONG never = 0x7FFFFFFFFFFFFFFF;
    SecPkgCredentials_NamesA names;

    (void)state;
    assert_int_equal(pair_client(&pair, "Kerberos", NULL), SEC_E_NO_CREDENTIALS);
    realm_log_in(&realm, "bob", "ccache");
    assert_int_equal(pair_client(&pair, "Kerberos", NULL), SEC_E_OK);
    assert_true(pair.client.expiry.QuadPart > 0 && pair.client.expiry.QuadPart < never);
    assert_int_equal(
        QueryCredentialsAttributesA(&pair.client.credential, SECPKG_CRED_ATTR_NAMES, &names),
        SEC_E_OK);
    assert_string_equal(names.sUserName, "bob@" REALM_NAME);
    FreeContextBuffer(names.sUserName);
    pair_end(&pair);
    pair_establish(&pair, "Kerberos", NULL, TARGET);
    require_client("bob@" REALM_NAME);
    pair_end(&pair);
    /* What is gone from the cache cannot be used any more. */
    assert_int_equal(pair_client(&pair, "Kerberos", NULL), SEC_E_OK);
    assert_int_equal(unlink(realm_file(&realm, "ccache")), 0);
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_NO_CREDENTIALS);
    pair_end(&pair);
}

static void s4_2_a_keytab_logs_in(void **state)
{
    (void)state;
    setenv("KRB5_CLIENT_KTNAME", realm_file(&realm, "client.keytab"), 1);
    pair_establish(&pair, "Kerberos", NULL, TARGET);
    require_client("robot@" REALM_NAME);
    pair_end(&pair);
    setenv("KRB5_CLIENT_KTNAME", realm_file(&realm, "no.keytab"), 1);
}

static SECURITY_STATUS acquire_with(ULONG use, LUID *logon_id, void *identity, const char *name)
{
    CredHandle credential;
    const SECURITY_STATUS status = AcquireCredentialsHandleA(
        (char *)name, (char *)"Kerberos", use, logon_id, identity, NULL, NULL, &credential, NULL);

    if (status == SEC_E_OK)
        FreeCredentialsHandle(&credential);
    return status;
}

static void s2_2_uses_and_logon_sessions(void **state)
{
    LUID own = {.LowPart = geteuid()}, no_such = {.LowPart = geteuid(), .HighPart = 1};
    SEC_WINNT_AUTH_IDENTITY_A identity;

    (void)state;
    named("alice", &identity);
    assert_int_equal(acquire_with(0, NULL, &identity, NULL), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire_with(SECPKG_CRED_BOTH, NULL, &identity, NULL), SEC_E_OK);
    assert_int_equal(acquire_with(SECPKG_CRED_OUTBOUND, &own, &identity, NULL), SEC_E_OK);
    assert_int_equal(acquire_with(SECPKG_CRED_OUTBOUND, &no_such, NULL, NULL), SEC_E_NOT_OWNER);
    assert_int_equal(acquire_with(SECPKG_CRED_INBOUND, NULL, NULL, NULL), SEC_E_OK);
    assert_int_equal(
        acquire_with(SECPKG_CRED_OUTBOUND | SECPKG_CRED_AUTOLOGON_RESTRICTED, NULL, NULL, NULL),
        SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire_with(SECPKG_CRED_OUTBOUND | SECPKG_CRED_AUTOLOGON_RESTRICTED, NULL,
                                  &identity, NULL),
                     SEC_E_OK);
    assert_int_equal(
        acquire_with(SECPKG_CRED_OUTBOUND | SECPKG_CRED_PROCESS_POLICY_ONLY, NULL, &identity, NULL),
        SEC_E_NO_CREDENTIALS);
    realm_log_in(&realm, "bob", "ccache");
    assert_int_equal(acquire_with(SECPKG_CRED_OUTBOUND, NULL, NULL, "bob@" REALM_NAME), SEC_E_OK);
    assert_int_equal(acquire_with(SECPKG_CRED_OUTBOUND, NULL, NULL, "alice@" REALM_NAME),
                     SEC_E_NO_CREDENTIALS);
    assert_int_equal(unlink(realm_file(&realm, "ccache")), 0);
    setenv("KRB5_KTNAME", realm_file(&realm, "no.keytab"), 1);
    assert_int_equal(acquire_with(SECPKG_CRED_INBOUND, NULL, NULL, NULL), SEC_E_NO_CREDENTIALS);
    setenv("KRB5_KTNAME", realm_file(&realm, "server.keytab"), 1);
}

/* ---- logon sessions ---- */

#define OTHER 4711u /* a user of whom nobody need know */

/* A cache of his, in the place that the configuration names. */
static void make_cache(const char *name, uid_t owner)
{
    realm_log_in(&realm, "bob", name);
    TEST_REQUIRE(chown(realm_file(&realm, name), owner, (gid_t)-1) == 0);
}

static void use_caches(const char *pattern)
{
    char line[256];

    snprintf(line, sizeof(line), "default_ccache_name = FILE:%s", realm_file(&realm, pattern));
    realm_configure(&realm, NULL, line);
}

static SECURITY_STATUS acquire_of(unsigned user)
{
    LUID luid = {.LowPart = user};

    return acquire_with(SECPKG_CRED_OUTBOUND, &luid, NULL, NULL);
}

static int as_nobody(void *data)
{
    (void)data;
    TEST_REQUIRE(setgid(65534) == 0 && setuid(65534) == 0);
    TEST_REQUIRE_EQUAL(acquire_of(OTHER), SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(acquire_of(0), SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(acquire_of(65534),
                       SEC_E_NO_CREDENTIALS); /* his own, of which there are none */
    return 0;
}

static void s4_5_the_kernel_says_whose_tickets_may_be_used(void **state)
{
    LUID other = {.LowPart = OTHER};

    (void)state;
    if (geteuid() != 0)
        skip();
    TEST_REQUIRE(chmod(realm.folder, 0755) == 0);
    use_caches("cache_%{uid}");
    assert_int_equal(acquire_of(OTHER), SEC_E_NO_CREDENTIALS);
    make_cache("cache_4711", OTHER);
    pair.target = TARGET;
    assert_int_equal(AcquireCredentialsHandleA(NULL, (char *)"Kerberos", SECPKG_CRED_OUTBOUND,
                                               &other, NULL, NULL, NULL, &pair.client.credential,
                                               &pair.client.expiry),
                     SEC_E_OK);
    pair.client.has_credential = true;
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
    assert_int_equal(pair_talk(&pair), SEC_E_OK);
    require_client("bob@" REALM_NAME);
    pair_end(&pair);
    assert_int_equal(test_child_join(test_child_fork(as_nobody, NULL)), 0);
    /* Somebody else's file in his place, and a link to it. */
    make_cache("cache_4711", OTHER + 1);
    assert_int_equal(acquire_of(OTHER), SEC_E_NOT_OWNER);
    assert_int_equal(unlink(realm_file(&realm, "cache_4711")), 0);
    make_cache("elsewhere", OTHER);
    assert_int_equal(symlink("elsewhere", realm_file(&realm, "cache_4711")), 0);
    assert_int_equal(acquire_of(OTHER), SEC_E_NOT_OWNER);
    realm_configure(&realm, NULL, NULL);
}

/* ---- targets ---- */

static void s4_3_targets_in_every_form(void **state)
{
    static const char *const targets[] = {"HTTP/server.test", "HTTP/SERVER.Test",
                                          ("HTTP/server.test@" REALM_NAME), "HTTP@server.test",
                                          "ldap/server.test"};
    SEC_WINNT_AUTH_IDENTITY_A identity;

    (void)state;
    named("alice", &identity);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        pair_establish(&pair, "Kerberos", &identity, targets[i]);
        pair_end(&pair);
    }
}

static void s4_3_the_realm_of_an_unknown_host_is_asked_for(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    (void)state;
    named("alice", &identity);
    /* No line of domain_realm says where it is: the client's own KDC knows it. */
    pair_establish(&pair, "Kerberos", &identity, "HTTP/elsewhere.example");
    pair_end(&pair);
}

/* Neither we nor GSSAPI ask it again: it would be noticed that nobody is there. */
static void require_no_kdc(void)
{
    struct fake_kdc nobody;
    char kdcs[64];

    pair_reset(&pair);
    fake_kdc_start(&nobody, FAKE_SILENT);
    snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n", nobody.port);
    realm_configure(&realm, kdcs, NULL);
    assert_int_equal(pair_talk(&pair), SEC_E_OK);
    assert_int_equal(test_counter_get(&nobody.requests), 0);
    realm_configure(&realm, NULL, NULL);
    fake_kdc_stop(&nobody);
}

static void a_second_context_needs_no_kdc(void **state)
{
    (void)state;
    establish(ISC_REQ_MUTUAL_AUTH);
    require_no_kdc();
    pair_end(&pair);
    setenv("KRB5_CLIENT_KTNAME", realm_file(&realm, "client.keytab"), 1);
    pair_establish(&pair, "Kerberos", NULL, TARGET);
    require_no_kdc();
    pair_end(&pair);
    setenv("KRB5_CLIENT_KTNAME", realm_file(&realm, "no.keytab"), 1);
}

/* ---- flags ---- */

static void s4_3_flags_are_granted_as_they_are_true(void **state)
{
    static const struct {
        ULONG asked, granted, absent;
        unsigned legs;
    } rows[] = {
        /* Kerberos can always sign and seal, and says so. */
        {0, ISC_RET_CONFIDENTIALITY | ISC_RET_INTEGRITY,
         ISC_RET_MUTUAL_AUTH | ISC_RET_REPLAY_DETECT | ISC_RET_SEQUENCE_DETECT | ISC_RET_DELEGATE |
             ISC_RET_ALLOCATED_MEMORY | ISC_RET_CONNECTION,
         1},
        {ISC_REQ_MUTUAL_AUTH, ISC_RET_MUTUAL_AUTH, ISC_RET_REPLAY_DETECT, 2},
        {ISC_REQ_CONFIDENTIALITY, ISC_RET_CONFIDENTIALITY | ISC_RET_INTEGRITY, ISC_RET_MUTUAL_AUTH,
         1},
        {ISC_REQ_REPLAY_DETECT, ISC_RET_REPLAY_DETECT | ISC_RET_INTEGRITY, ISC_RET_SEQUENCE_DETECT,
         1},
        {ISC_REQ_SEQUENCE_DETECT, ISC_RET_SEQUENCE_DETECT | ISC_RET_INTEGRITY, 0, 1},
        {ISC_REQ_INTEGRITY | ISC_REQ_CONNECTION, ISC_RET_INTEGRITY | ISC_RET_CONNECTION, 0, 1},
        {ISC_REQ_IDENTIFY, ISC_RET_IDENTIFY, 0, 1},
        {ISC_REQ_USE_SESSION_KEY, ISC_RET_USE_SESSION_KEY, 0, 1},
        {ISC_REQ_USE_DCE_STYLE | ISC_REQ_MUTUAL_AUTH, ISC_RET_USED_DCE_STYLE | ISC_RET_MUTUAL_AUTH,
         0, 2},
        {ISC_REQ_DELEGATE | ISC_REQ_MUTUAL_AUTH, ISC_RET_DELEGATE | ISC_RET_MUTUAL_AUTH, 0, 2},
        {ISC_REQ_DELEGATE, 0, ISC_RET_DELEGATE, 1}, /* not to a server that proves nothing */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        SecPkgContext_Flags flags;

        establish(rows[i].asked);
        assert_int_equal(pair.client.attributes & rows[i].granted, rows[i].granted);
        assert_int_equal(pair.client.attributes & rows[i].absent, 0);
        assert_int_equal(pair.legs, rows[i].legs);
        assert_int_equal(QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_FLAGS, &flags),
                         SEC_E_OK);
        assert_int_equal(flags.Flags, pair.client.attributes);
        pair_end(&pair);
    }
}

static void s4_3_the_server_sees_the_same(void **state)
{
    (void)state;
    establish(ISC_REQ_MUTUAL_AUTH | ISC_REQ_CONFIDENTIALITY | ISC_REQ_REPLAY_DETECT |
              ISC_REQ_SEQUENCE_DETECT | ISC_REQ_DELEGATE);
    assert_int_equal(pair.server.attributes, ASC_RET_MUTUAL_AUTH | ASC_RET_CONFIDENTIALITY |
                                                 ASC_RET_REPLAY_DETECT | ASC_RET_SEQUENCE_DETECT |
                                                 ASC_RET_DELEGATE | ASC_RET_INTEGRITY);
    pair_end(&pair);
}

static void s4_3_datagrams_are_not_supported(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    (void)state;
    named("alice", &identity);
    pair.client_flags = ISC_REQ_DATAGRAM;
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_UNSUPPORTED_FUNCTION);
    pair_end(&pair);
    pair.client_flags = 0;
}

static void s2_5_tokens_are_allocated_or_wait_for_room(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    unsigned char small[4];
    SecBuffer in, out = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 1, &in}, out_desc = {SECBUFFER_VERSION, 1, &out};
    ULONG attributes = 0;

    (void)state;
    named("alice", &identity);
    pair.target = TARGET;
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
    assert_int_equal(InitializeSecurityContextA(&pair.client.credential, NULL, (char *)TARGET,
                                                ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_MUTUAL_AUTH, 0, 0,
                                                NULL, 0, &pair.client.context, &out_desc,
                                                &attributes, NULL),
                     SEC_I_CONTINUE_NEEDED);
    pair.client.has_context = true;
    assert_true(attributes & ISC_RET_ALLOCATED_MEMORY);
    assert_non_null(out.pvBuffer);
    in = out;
    /* A first leg that fails leaves no context, and the token is not used up: but the server's
     * replay cache has seen it. */
    out = (SecBuffer){sizeof(small), SECBUFFER_TOKEN, small};
    assert_int_equal(AcceptSecurityContext(&pair.server.credential, NULL, &in_desc, 0, 0,
                                           &pair.server.context, &out_desc, &attributes, NULL),
                     SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(pair_accept(&pair, in.pvBuffer, in.cbBuffer), SEC_E_LOGON_DENIED);
    FreeContextBuffer(in.pvBuffer);
    pair_end(&pair);
}

/* ---- channel bindings ---- */

/* SEC_CHANNEL_BINDINGS with text behind it. */
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

static SECURITY_STATUS talk_bound(const char *client, const char *server, ULONG server_flags)
{
    struct bindings of_client, of_server;
    SEC_WINNT_AUTH_IDENTITY_A identity;
    SECURITY_STATUS status;

    named("alice", &identity);
    pair.target = TARGET;
    pair.server_flags = server_flags;
    if (client)
        bind_to(&pair.client, &of_client, client);
    if (server)
        bind_to(&pair.server, &of_server, server);
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
    status = pair_talk(&pair);
    pair_end(&pair);
    pair.client.bindings = pair.server.bindings = NULL;
    pair.client.bindings_len = pair.server.bindings_len = 0;
    pair.server_flags = 0;
    return status;
}

static void channel_bindings_of_a_server_are_required(void **state)
{
    (void)state;
    assert_int_equal(talk_bound("tls-unique:1", "tls-unique:1", 0), SEC_E_OK);
    assert_int_equal(talk_bound("tls-unique:1", "tls-unique:2", 0), SEC_E_BAD_BINDINGS);
    assert_int_equal(talk_bound(NULL, "tls-unique:2", 0), SEC_E_BAD_BINDINGS);
    assert_int_equal(talk_bound("tls-unique:1", NULL, 0), SEC_E_OK);
    assert_int_equal(talk_bound(NULL, "tls-unique:2", ASC_REQ_ALLOW_MISSING_BINDINGS), SEC_E_OK);
    assert_int_equal(talk_bound("tls-unique:1", "tls-unique:2", ASC_REQ_ALLOW_MISSING_BINDINGS),
                     SEC_E_BAD_BINDINGS);
}

/* With three legs the client's are looked at in the first. */
static void bindings_of_the_first_leg_are_required(void **state)
{
    static const char *const clients[] = {"tls-unique:1", NULL};
    struct bindings of_client, of_server;
    SEC_WINNT_AUTH_IDENTITY_A identity;

    (void)state;
    named("alice", &identity);
    pair.target = TARGET;
    for (size_t i = 0; i < 2; i++) {
        pair.client_flags = ISC_REQ_USE_DCE_STYLE;
        assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
        assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
        if (clients[i])
            bind_to(&pair.client, &of_client, clients[i]);
        bind_to(&pair.server, &of_server, "tls-unique:1");
        assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                         SEC_I_CONTINUE_NEEDED);
        assert_int_equal(pair_initialize(&pair, pair.server.token, pair.server.token_len),
                         SEC_E_OK);
        pair.server.bindings = NULL;
        assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                         clients[i] ? SEC_E_OK : SEC_E_BAD_BINDINGS);
        pair_end(&pair);
        pair.client.bindings = NULL;
    }
    pair.client_flags = 0;
}

static void malformed_bindings_are_refused(void **state)
{
    struct bindings bindings;
    SEC_WINNT_AUTH_IDENTITY_A identity;

    (void)state;
    named("alice", &identity);
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    bind_to(&pair.client, &bindings, "tls-unique:1");
    bindings.header.cbApplicationDataLength = 0xFFFFFFFF;
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_INVALID_TOKEN);
    bindings.header.cbApplicationDataLength = 4;
    bindings.header.dwApplicationDataOffset = 4;
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_INVALID_TOKEN);
    pair.client.bindings_len = 8;
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_INVALID_TOKEN);
    pair.client.bindings = NULL;
    pair_end(&pair);
}

/* ---- servers ---- */

static SECURITY_STATUS status_at_server(const char *target)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    SECURITY_STATUS status;

    named("alice", &identity);
    pair.target = target;
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
    status = pair_talk(&pair);
    pair_end(&pair);
    return status;
}

static void s4_3_a_server_says_what_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(status_at_server("other/server.test"), SEC_E_WRONG_PRINCIPAL);
    assert_int_equal(status_at_server("HTTP/stale.test"), SEC_E_LOGON_DENIED);
}

static void s4_3_tokens_are_used_once(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    (void)state;
    named("alice", &identity);
    pair.target = TARGET;
    assert_int_equal(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    assert_int_equal(pair_server(&pair, "Kerberos"), SEC_E_OK);
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_E_OK);
    assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len), SEC_E_OK);
    DeleteSecurityContext(&pair.server.context);
    pair.server.has_context = false;
    assert_int_equal(pair_accept(&pair, pair.client.token, pair.client.token_len),
                     SEC_E_LOGON_DENIED);
    /* And what is none, is none. */
    assert_int_equal(pair_accept(&pair, "garbage", 7), SEC_E_INVALID_TOKEN);
    assert_int_equal(pair_accept(&pair, "", 0), SEC_E_INVALID_TOKEN);
    pair.client.token[pair.client.token_len / 2] ^= 1;
    assert_true(pair_accept(&pair, pair.client.token, pair.client.token_len) < 0);
    pair_end(&pair);
}

static void a_done_context_takes_no_more_legs(void **state)
{
    (void)state;
    establish(ISC_REQ_MUTUAL_AUTH);
    assert_int_equal(pair_initialize(&pair, "x", 1), SEC_E_INVALID_TOKEN);
    assert_int_equal(pair_accept(&pair, "x", 1), SEC_E_INVALID_TOKEN);
    pair_exchange(&pair.client, &pair.server, "and works on all the same");
    pair_end(&pair);
}

static int group_setup(void **state)
{
    (void)state;
    realm_start(&realm);
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
        cmocka_unit_test(s4_2_a_password_logs_in),
        cmocka_unit_test(s4_2_every_form_of_a_user_logs_in),
        cmocka_unit_test(s4_2_the_own_realm_knows_names_of_others),
        cmocka_unit_test(s4_2_wide_and_packed_identities_log_in),
        cmocka_unit_test(s4_2_malformed_identities_are_not_recognised),
        cmocka_unit_test(s4_2_default_credentials_are_the_users_tickets),
        cmocka_unit_test(s4_2_a_keytab_logs_in),
        cmocka_unit_test(s2_2_uses_and_logon_sessions),
        cmocka_unit_test(s4_5_the_kernel_says_whose_tickets_may_be_used),
        cmocka_unit_test(s4_3_targets_in_every_form),
        cmocka_unit_test(s4_3_the_realm_of_an_unknown_host_is_asked_for),
        cmocka_unit_test(a_second_context_needs_no_kdc),
        cmocka_unit_test(s4_3_flags_are_granted_as_they_are_true),
        cmocka_unit_test(s4_3_the_server_sees_the_same),
        cmocka_unit_test(s4_3_datagrams_are_not_supported),
        cmocka_unit_test(s2_5_tokens_are_allocated_or_wait_for_room),
        cmocka_unit_test(channel_bindings_of_a_server_are_required),
        cmocka_unit_test(bindings_of_the_first_leg_are_required),
        cmocka_unit_test(malformed_bindings_are_refused),
        cmocka_unit_test(s4_3_a_server_says_what_is_wrong),
        cmocka_unit_test(s4_3_tokens_are_used_once),
        cmocka_unit_test(a_done_context_takes_no_more_legs),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
