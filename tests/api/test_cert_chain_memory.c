/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Chains without memory: every allocation of the library in turn fails while a chain is built and
 * its revocation is asked for, over OCSP and over lists. It is told, or nothing is lost by it; and
 * what is remembered afterwards is right.
 */
#include <opensspi.h>
#include <schannel.h>
#include <stdio.h>

#include "support/failing_alloc.h"
#include "support/revocation_world.h"
#include "support/test_util.h"

static struct world_identity root, leaf;

static int set_up(void **state)
{
    const struct world_wish root_wish = {.name = "root", .authority = true};

    test_watchdog(110);
    (void)world_open(state);
    root = world_make(&root_wish);
    const struct world_wish leaf_wish = {
        .name = "leaf", .issuer = &root, .ocsp_path = "/ocsp", .list_path = "/list"};
    leaf = world_make(&leaf_wish);
    world_trust(&root);
    return 0;
}

static int tear_down(void **state)
{
    world_drop(&root);
    world_drop(&leaf);
    return world_close(state);
}

/* Neither a good certificate for a revoked one, nor the reverse. */
static bool is_honest(DWORD trust, DWORD expected)
{
    const DWORD offline = CERT_TRUST_REVOCATION_STATUS_UNKNOWN | CERT_TRUST_IS_OFFLINE_REVOCATION;

    return trust == expected || trust == offline || trust == CERT_TRUST_REVOCATION_STATUS_UNKNOWN;
}

/* True: an allocation failed. */
static bool build_without(uint64_t nth, PCCERT_CONTEXT certificate, DWORD expected)
{
    PCCERT_CHAIN_CONTEXT chain = NULL;
    bool hit;
    BOOL built;

    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    failing_alloc_nth(nth);
    built = CertGetCertificateChain(NULL, certificate, NULL, NULL, NULL,
                                    CERT_CHAIN_REVOCATION_CHECK_END_CERT, NULL, &chain);
    hit = failing_alloc_hit();
    failing_alloc_nth(0);
    if (built)
        assert_true(is_honest(chain->TrustStatus.dwErrorStatus, expected));
    else
        assert_true(hit && GetLastError() == (DWORD)E_OUTOFMEMORY);
    CertFreeCertificateChain(chain);
    return hit;
}

static void walk(DWORD expected)
{
    PCCERT_CONTEXT certificate = world_context(&leaf);
    uint64_t nth = 1;

    while (build_without(nth, certificate, expected))
        nth++;
    print_message("%u allocations\n", (unsigned)nth - 1);
    assert_true(nth > 10);
    CertFreeCertificateContext(certificate);
}

static void chain_by_ocsp(void **state)
{
    const struct world_saying good = {.about = &leaf}, revoked = {.about = &leaf, .status = 1};

    (void)state;
    world_serve_nothing();
    world_serve_ocsp("/ocsp", &good);
    walk(CERT_TRUST_NO_ERROR);
    world_serve_ocsp("/ocsp", &revoked);
    walk(CERT_TRUST_IS_REVOKED);
}

static void chain_by_lists(void **state)
{
    (void)state;
    world_serve_nothing();
    world_serve_list("/list", &root, NULL);
    walk(CERT_TRUST_NO_ERROR);
    world_serve_list("/list", &root, &leaf);
    walk(CERT_TRUST_IS_REVOKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_by_ocsp),
        cmocka_unit_test(chain_by_lists),
    };

    return cmocka_run_group_tests_name("chains without memory", tests, set_up, tear_down);
}
