/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: no memory. Every allocation of the library in turn fails, over everything a connection
 * does, at queue time and on the worker: a clear status, nothing left behind, and the next
 * connection is as good as ever.
 */
#include <opensspi.h>

#include "api/memory_each.h"
#include "support/failing_alloc.h"

static SECURITY_STATUS walk(const struct peer_form *form, DWORD protocols)
{
    return memory_walk(form, &memory_each_hooks, protocols, "server", true);
}

static void walk_all(size_t form, DWORD protocol)
{
    memory_each_allocation(memory_form(form, &memory_each_hooks), walk, protocol);
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
