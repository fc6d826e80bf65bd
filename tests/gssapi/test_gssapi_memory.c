/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * No memory: every allocation of the library in turn fails, from Acquire to the last message. A
 * clear status each time, nothing left behind, and the next context is as good as ever.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/failing_alloc.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;

static SECURITY_STATUS seal_and_open(void)
{
    unsigned char token[128], data[] = "a message without memory";
    SecBuffer buffers[2] = {{sizeof(token), SECBUFFER_TOKEN, token},
                            {sizeof(data), SECBUFFER_DATA, data}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
    SECURITY_STATUS status = EncryptMessage(&pair.client.context, 0, &desc, 0);
    ULONG qop;

    if (status == SEC_E_OK)
        status = DecryptMessage(&pair.server.context, &desc, 0, &qop);
    return status;
}

static SECURITY_STATUS look(void)
{
    SecPkgContext_NamesA names = {0};
    SecPkgContext_NegotiationInfoA info = {0};
    SecPkgContext_SessionKey key = {0};
    PCtxtHandle context = &pair.server.context;
    SECURITY_STATUS status = QueryContextAttributesA(context, SECPKG_ATTR_NAMES, &names);

    if (status == SEC_E_OK) {
        FreeContextBuffer(names.sUserName);
        status = QueryContextAttributesA(context, SECPKG_ATTR_NEGOTIATION_INFO, &info);
    }
    if (status == SEC_E_OK) {
        FreeContextBuffer(info.PackageInfo);
        status = QueryContextAttributesA(context, SECPKG_ATTR_SESSION_KEY, &key);
    }
    if (status == SEC_E_OK)
        FreeContextBuffer(key.SessionKey);
    return status;
}

/* Stops at the first failure; everything is freed in any case. */
static SECURITY_STATUS walk_context(const char *package, const char *list)
{
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Domain = (unsigned char *)REALM_NAME,
        .DomainLength = 13,
        .Password = (unsigned char *)"secret of alice",
        .PasswordLength = 15,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)list,
        .PackageListLength = (ULONG)strlen(list),
    };
    SECURITY_STATUS status;

    pair.target = TARGET;
    pair.client_flags = ISC_REQ_MUTUAL_AUTH | ISC_REQ_CONFIDENTIALITY;
    status = pair_client(&pair, package, &identity);
    if (status == SEC_E_OK)
        status = pair_server(&pair, package);
    if (status == SEC_E_OK)
        status = pair_talk(&pair);
    if (status == SEC_E_OK)
        status = seal_and_open();
    if (status == SEC_E_OK)
        status = look();
    pair_end(&pair);
    return status;
}

static void require_nothing_left(void)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    TEST_REQUIRE_EQUAL(statistics.live_credentials, 0);
    TEST_REQUIRE_EQUAL(statistics.live_contexts, 0);
}

typedef SECURITY_STATUS walk_fn(const char *package, const char *list);

static void walk_all(walk_fn *walk, const char *package, const char *list)
{
    unsigned told = 0, overcome = 0;

    assert_int_equal(walk(package, list), SEC_E_OK);
    for (uint64_t at = 1;; at++) {
        SECURITY_STATUS status;
        bool hit;

        failing_alloc_nth(at);
        status = walk(package, list);
        hit = failing_alloc_hit();
        failing_alloc_nth(0);
        require_nothing_left();
        if (status == SEC_E_INSUFFICIENT_MEMORY)
            told++;
        else if (status == SEC_E_OK)
            overcome += hit;
        else
            print_error("allocation %u: %s\n", (unsigned)at, OsspiStatusName(status));
        assert_true(status == SEC_E_INSUFFICIENT_MEMORY || status == SEC_E_OK);
        if (!hit)
            break;
    }
    print_message("%u told, %u overcome\n", told, overcome);
    assert_true(told > 0);
    assert_int_equal(walk(package, list), SEC_E_OK);
}

static void kerberos_without_memory(void **state)
{
    (void)state;
    walk_all(walk_context, "Kerberos", "");
}

static void negotiate_with_ntlm_without_memory(void **state)
{
    (void)state;
    walk_all(walk_context, "Negotiate", "ntlm");
}

static void negotiate_with_both_without_memory(void **state)
{
    (void)state;
    walk_all(walk_context, "Negotiate", "kerberos,ntlm");
}

/* ---- acting for a client, and moves ---- */

static SECURITY_STATUS act_for_client(const char *package)
{
    CredHandle credential;
    SECURITY_STATUS status = ImpersonateSecurityContext(&pair.server.context);

    if (status != SEC_E_OK)
        return status;
    status = AcquireCredentialsHandleA(NULL, (char *)package, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                       NULL, NULL, &credential, NULL);
    if (status == SEC_E_OK)
        FreeCredentialsHandle(&credential);
    TEST_REQUIRE_EQUAL(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    return status;
}

static SECURITY_STATUS move(const char *package)
{
    SecBuffer packed = {0, SECBUFFER_EMPTY, NULL};
    CtxtHandle moved;
    SECURITY_STATUS status = ExportSecurityContext(&pair.server.context, 0, &packed, NULL);

    if (status == SEC_E_OK)
        status = ImportSecurityContextA((char *)package, &packed, NULL, &moved);
    if (status == SEC_E_OK)
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&moved), SEC_E_OK);
    FreeContextBuffer(packed.pvBuffer);
    return status;
}

static SECURITY_STATUS walk_client(const char *package, const char *unused)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    SECURITY_STATUS status;

    (void)unused;
    pair_identity("alice", REALM_NAME, "secret of alice", &identity);
    pair.target = TARGET;
    pair.client_flags = ISC_REQ_MUTUAL_AUTH | ISC_REQ_DELEGATE | ISC_REQ_CONFIDENTIALITY;
    status = pair_client(&pair, package, &identity);
    if (status == SEC_E_OK)
        status = pair_server(&pair, package);
    if (status == SEC_E_OK)
        status = pair_talk(&pair);
    if (status == SEC_E_OK)
        status = act_for_client(package);
    if (status == SEC_E_OK)
        status = move(package);
    if (status == SEC_E_OK)
        status = seal_and_open();
    pair_end(&pair);
    return status;
}

static void clients_and_moves_without_memory(void **state)
{
    (void)state;
    walk_all(walk_client, "Kerberos", "");
}

/* ---- passwords and keys ---- */

/* From one to the same: what has succeeded though the caller does not hear of it is no other. */
static SECURITY_STATUS walk_password(const char *package, const char *password)
{
    return ChangeAccountPasswordA((char *)package, (char *)REALM_NAME, (char *)"bob",
                                  (char *)password, (char *)password, FALSE, 0, NULL);
}

static void passwords_without_memory(void **state)
{
    (void)state;
    walk_all(walk_password, "Kerberos", "secret of bob");
}

static void get_key(void *bytes, void *principal, uint32_t version, void **ret_key,
                    SECURITY_STATUS *ret_status)
{
    static OsspiServerKey key; /* guarded: one thread */

    (void)principal;
    (void)version;
    key =
        (OsspiServerKey){.cbSize = sizeof(key), .encryption_type = 17, .cbKey = 16, .pvKey = bytes};
    *ret_key = &key;
    *ret_status = SEC_E_OK;
}

static SECURITY_STATUS walk_key(const char *package, const char *bytes)
{
    CredHandle credential;
    SECURITY_STATUS status =
        AcquireCredentialsHandleA((char *)TARGET, (char *)package, SECPKG_CRED_INBOUND, NULL, NULL,
                                  get_key, (void *)bytes, &credential, NULL);

    if (status == SEC_E_OK)
        FreeCredentialsHandle(&credential);
    return status;
}

static void keys_without_memory(void **state)
{
    (void)state;
    setenv("KRB5_KTNAME", realm_file(&realm, "no.keytab"), 1);
    walk_all(walk_key, "Kerberos", "sixteen bytes of");
    setenv("KRB5_KTNAME", realm_file(&realm, "server.keytab"), 1);
}

static int group_setup(void **state)
{
    FILE *users;

    (void)state;
    realm_start(&realm);
    realm_start_passwords(&realm);
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
        cmocka_unit_test(kerberos_without_memory),
        cmocka_unit_test(negotiate_with_ntlm_without_memory),
        cmocka_unit_test(negotiate_with_both_without_memory),
        cmocka_unit_test(clients_and_moves_without_memory),
        cmocka_unit_test(passwords_without_memory),
        cmocka_unit_test(keys_without_memory),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
