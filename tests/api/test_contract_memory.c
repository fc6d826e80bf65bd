/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: no memory. Every allocation of the library in turn fails, over everything a connection
 * does, at queue time and on the worker: a clear status, nothing left behind, and the next
 * connection is as good as ever.
 */
#include <opensspi.h>

#include "api/memory_walk.h"
#include "support/failing_alloc.h"

static uint64_t fail_at; /* counted over the walk; 0: none */
static uint64_t passed;  /* allocations in earlier calls of this walk */
static bool struck;

static void arm(void)
{
    failing_alloc_nth(fail_at > passed ? fail_at - passed : 0);
}

static void disarm(void)
{
    passed += failing_alloc_count();
    struck = struck || failing_alloc_hit();
    failing_alloc_nth(0);
}

static const struct memory_hooks hooks = {arm, disarm};

static SECURITY_STATUS walk_with(size_t form, DWORD protocol, uint64_t at)
{
    SECURITY_STATUS status;

    SslEmptyCacheA(NULL, 0);
    fail_at = at;
    passed = 0;
    struck = false;
    status = memory_walk(memory_form(form, &hooks), &hooks, protocol, "server", true);
    memory_require_nothing_left();
    return status;
}

static void walk_all(size_t form, DWORD protocol)
{
    uint64_t told = 0, overcome = 0, total;

    for (int i = 0; i < 3; i++) /* what is made once is made */
        assert_int_equal(walk_with(form, protocol, 0), SEC_E_OK);
    total = passed;
    for (uint64_t at = 1; at <= total + 20; at++) {
        SECURITY_STATUS status = walk_with(form, protocol, at);

        if (status == SEC_E_INSUFFICIENT_MEMORY) {
            assert_true(struck);
            told++;
        } else if (status == SEC_E_OK) {
            overcome += struck;
        } else {
            print_error("allocation %u: %s\n", (unsigned)at, OsspiStatusName(status));
            assert_int_equal(status, SEC_E_INSUFFICIENT_MEMORY);
        }
    }
    print_message("%u allocations: %u told, %u overcome\n", (unsigned)total, (unsigned)told,
                  (unsigned)overcome);
    assert_true(told > 0);
    assert_int_equal(walk_with(form, protocol, 0), SEC_E_OK);
}

static void every_allocation_fails_sync_tls13(void **state)
{
    (void)state;
    walk_all(0, SP_PROT_TLS1_3_CLIENT);
}

static void every_allocation_fails_sync_tls12(void **state)
{
    (void)state;
    walk_all(0, SP_PROT_TLS1_2_CLIENT);
}

static void every_allocation_fails_async_tls13(void **state)
{
    (void)state;
    walk_all(1, SP_PROT_TLS1_3_CLIENT);
}

static void every_allocation_fails_async_tls12(void **state)
{
    (void)state;
    walk_all(1, SP_PROT_TLS1_2_CLIENT);
}

/* Everything that may change of a credential, in turn without memory: all or nothing. */
static SECURITY_STATUS change(PCredHandle server, PCCERT_CONTEXT certificates[2])
{
    SCH_CREDENTIALS more = {
        .dwVersion = SCH_CREDENTIALS_VERSION, .cCreds = 1, .paCred = certificates};
    SecPkgCred_SessionTicketKey key = {.KeyingMaterialSize = 32};
    SecPkgCred_SessionTicketKeys keys = {1, &key};
    SecPkgCred_ClientCertPolicy policy = {.dwFlags = OSSPI_CLIENT_CERT_REQUEST};
    SECURITY_STATUS status = AddCredentialsA(server, (LPSTR) "a.example", NULL, SECPKG_CRED_INBOUND,
                                             &more, NULL, NULL, NULL);

    if (status == SEC_E_OK)
        status = OsspiRenewCredential(server, certificates, 2, NULL);
    if (status == SEC_E_OK)
        status =
            SetCredentialsAttributesA(server, SECPKG_ATTR_SESSION_TICKET_KEYS, &keys, sizeof(keys));
    if (status == SEC_E_OK)
        status = SetCredentialsAttributesA(server, SECPKG_ATTR_CLIENT_CERT_POLICY, &policy,
                                           sizeof(policy));
    return status;
}

static void changes_of_a_credential(void **state)
{
    PCCERT_CONTEXT certificates[] = {peer_certificate("server-rsa"), peer_certificate("server")};
    uint64_t total = 1, told = 0;

    (void)state;
    for (uint64_t at = 0; at <= total; at++) {
        struct peer_pair pair;
        SECURITY_STATUS status;
        bool hit;

        peer_open(&pair, PEER_SYNC, NULL);
        failing_alloc_nth(at);
        status = change(&pair.server.credential, certificates);
        hit = failing_alloc_hit();
        if (at == 0)
            total = failing_alloc_count();
        failing_alloc_nth(0);
        if (status != SEC_E_OK || !hit)
            assert_int_equal(status, hit ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_OK);
        told += status != SEC_E_OK;
        peer_connect(&pair); /* the credential is as it was, or as it was to be */
        peer_close(&pair);
        memory_require_nothing_left();
    }
    print_message("%u allocations, %u told\n", (unsigned)total, (unsigned)told);
    assert_true(told > 10);
    CertFreeCertificateContext(certificates[0]);
    CertFreeCertificateContext(certificates[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_sync_tls13),
        cmocka_unit_test(every_allocation_fails_sync_tls12),
        cmocka_unit_test(every_allocation_fails_async_tls13),
        cmocka_unit_test(every_allocation_fails_async_tls12),
        cmocka_unit_test(changes_of_a_credential),
    };

    return cmocka_run_group_tests_name("contract.memory", tests, peer_set_up, NULL);
}
