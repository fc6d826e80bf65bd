/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes of contexts and credentials that have nothing to do with messages: who the client is,
 * what was negotiated and why, and which are refused.
 */
#include <opensspi.h>
#include <schannel.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"
#define NEVER  0x7FFFFFFFFFFFFFFFLL

TEST_FORKS_WITH_THREADS;

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;

static void establish(const char *package, ULONG flags, const char *target)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    pair_identity("alice", REALM_NAME, "secret of alice", &identity);
    pair.client_flags = flags;
    pair_establish(&pair, package, &identity, target);
}

static SECURITY_STATUS query(struct side *side, ULONG attribute, void *buffer)
{
    return QueryContextAttributesA(&side->context, attribute, buffer);
}

/* ---- who the client is ---- */

static void require_id(struct side *side, const char *name)
{
    SecPkgContext_AuthzID id;

    assert_int_equal(query(side, SECPKG_ATTR_AUTHENTICATION_ID, &id), SEC_E_OK);
    assert_int_equal(id.AuthzIDLength, strlen(name));
    assert_string_equal(id.AuthzID, name);
    FreeContextBuffer(id.AuthzID);
}

static void s4_4_the_client_is_named(void **state)
{
    (void)state;
    establish("Kerberos", ISC_REQ_MUTUAL_AUTH, TARGET);
    require_id(&pair.client, "alice@" REALM_NAME);
    require_id(&pair.server, "alice@" REALM_NAME);
    pair_end(&pair);
    establish("NTLM", 0, TARGET);
    require_id(&pair.server, REALM_NAME "\\alice");
    pair_end(&pair);
}

/* MIT's KDC has no logon information to give. */
static void without_a_domain(const char *package)
{
    OsspiContextAuthorization answer = {NULL};
    SecPkgContext_PasswordExpiry password;
    SecPkgContext_LogoffTime logoff;

    establish(package, 0, TARGET);
    assert_int_equal(query(&pair.server, OSSPI_ATTR_AUTHORIZATION, &answer), SEC_E_NO_CREDENTIALS);
    assert_int_equal(query(&pair.client, OSSPI_ATTR_AUTHORIZATION, &answer), SEC_E_NO_CREDENTIALS);
    assert_null(answer.authorization);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_PASSWORD_EXPIRY, &password), SEC_E_OK);
    assert_true(password.tsPasswordExpires.QuadPart == NEVER);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_LOGOFF_TIME, &logoff), SEC_E_OK);
    assert_true(logoff.tsLogoffTime.QuadPart == NEVER);
    assert_int_equal(QueryContextAttributesExA(&pair.server.context, OSSPI_ATTR_AUTHORIZATION,
                                               &answer, sizeof(answer) - 1),
                     SEC_E_BUFFER_TOO_SMALL);
    pair_end(&pair);
}

static void s4_4_without_a_domain_nothing_is_known(void **state)
{
    (void)state;
    without_a_domain("Kerberos");
    without_a_domain("Negotiate");
    without_a_domain("NTLM");
}

/* ---- Negotiate ---- */

static ULONG nego_status(struct side *side)
{
    SecPkgContext_NegoStatus answer = {.LastStatus = 1};

    assert_int_equal(query(side, SECPKG_ATTR_NEGO_STATUS, &answer), SEC_E_OK);
    return answer.LastStatus;
}

static ULONG nego_missing(struct side *side)
{
    SecPkgContext_NegoPackageInfo answer = {.PackageMask = 0x80000000};

    assert_int_equal(query(side, SECPKG_ATTR_NEGO_PKG_INFO, &answer), SEC_E_OK);
    return answer.PackageMask;
}

static void s4_4_negotiate_says_why_it_is_not_kerberos(void **state)
{
    (void)state;
    establish("Negotiate", 0, TARGET);
    assert_int_equal(nego_status(&pair.client), SEC_E_OK);
    assert_int_equal(nego_status(&pair.server), SEC_E_OK);
    assert_int_equal(nego_missing(&pair.client), 0);
    pair_end(&pair);
    establish("Negotiate", 0, "HTTP/unknown.server.test");
    assert_int_equal((SECURITY_STATUS)nego_status(&pair.client), SEC_E_TARGET_UNKNOWN);
    pair_reset(&pair);

    /* Also while it goes on. */
    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    assert_int_equal((SECURITY_STATUS)nego_status(&pair.client), SEC_E_TARGET_UNKNOWN);
    pair_end(&pair);
}

static void s4_4_negotiate_says_what_it_could_not_choose(void **state)
{
    static unsigned char list[] = "!ntlm";
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
        .PackageList = list,
        .PackageListLength = 5,
    };

    (void)state;
    pair.client_flags = 0;
    pair_establish(&pair, "Negotiate", &identity, TARGET);
    assert_int_equal(nego_missing(&pair.client), SECPKG_ATTR_NEGO_INFO_FLAG_NO_NTLM);
    assert_int_equal(nego_missing(&pair.server), 0);
    pair_end(&pair);
}

/* ---- what is refused ---- */

static void require_unsupported(struct side *side, const char *package)
{
    static const ULONG context[] = {
        SECPKG_ATTR_ACCESS_TOKEN,   SECPKG_ATTR_TARGET_INFORMATION,
        SECPKG_ATTR_NEGO_KEYS,      SECPKG_ATTR_SUBJECT_SECURITY_ATTRIBUTES,
        SECPKG_ATTR_STREAM_SIZES,   SECPKG_ATTR_DCE_INFO,
        SECPKG_ATTR_USER_FLAGS,     SECPKG_ATTR_CREDENTIAL_NAME,
        SECPKG_ATTR_IS_LOOPBACK,    SECPKG_ATTR_ENDPOINT_BINDINGS,
        SECPKG_ATTR_USE_VALIDATED,  SECPKG_ATTR_TARGET,
        SECPKG_ATTR_AUTHORITY,      SECPKG_ATTR_PROTO_INFO,
        SECPKG_ATTR_UNIQUE_BINDINGS};
    char buffer[512];

    for (size_t i = 0; i < sizeof(context) / sizeof(context[0]); i++)
        assert_int_equal(query(side, context[i], buffer), SEC_E_UNSUPPORTED_FUNCTION);
    if (strcmp(package, "Negotiate") != 0) {
        assert_int_equal(query(side, SECPKG_ATTR_NEGO_STATUS, buffer), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(query(side, SECPKG_ATTR_NEGO_PKG_INFO, buffer),
                         SEC_E_UNSUPPORTED_FUNCTION);
    }
}

static void require_nothing_to_set(struct side *side)
{
    static const ULONG context[] = {SECPKG_ATTR_FLAGS, SECPKG_ATTR_USE_VALIDATED,
                                    SECPKG_ATTR_SUBJECT_SECURITY_ATTRIBUTES};
    char buffer[64] = {0};

    for (size_t i = 0; i < sizeof(context) / sizeof(context[0]); i++)
        assert_int_equal(SetContextAttributesA(&side->context, context[i], buffer, sizeof(buffer)),
                         SEC_E_UNSUPPORTED_FUNCTION);
}

static void require_name_stays(struct side *side)
{
    SecPkgCredentials_NamesA names = {(SEC_CHAR *)"bob"};

    assert_int_equal(
        SetCredentialsAttributesA(&side->credential, SECPKG_CRED_ATTR_NAMES, &names, sizeof(names)),
        SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(
        SetCredentialsAttributesW(&side->credential, SECPKG_CRED_ATTR_NAMES, &names, sizeof(names)),
        SEC_E_UNSUPPORTED_FUNCTION);
}

static void s4_4_all_others_are_refused(void **state)
{
    static const char *const packages[] = {"Kerberos", "Negotiate", "NTLM"};

    (void)state;
    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
        establish(packages[i], 0, TARGET);
        require_unsupported(&pair.client, packages[i]);
        require_unsupported(&pair.server, packages[i]);
        require_nothing_to_set(&pair.client);
        require_nothing_to_set(&pair.server);
        require_name_stays(&pair.client);
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
        cmocka_unit_test(s4_4_the_client_is_named),
        cmocka_unit_test(s4_4_without_a_domain_nothing_is_known),
        cmocka_unit_test(s4_4_negotiate_says_why_it_is_not_kerberos),
        cmocka_unit_test(s4_4_negotiate_says_what_it_could_not_choose),
        cmocka_unit_test(s4_4_all_others_are_refused),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
