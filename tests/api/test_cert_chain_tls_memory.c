/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Chains without memory inside the TLS library: whatever it is that it has none for, nobody who is
 * revoked is told to be good, and no usage is found that is not there.
 */
#include <openssl/crypto.h>
#include <opensspi.h>
#include <schannel.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/revocation_world.h"
#include "support/test_util.h"

static struct world_identity root, leaf;

static int set_up(void **state)
{
    const struct world_wish root_wish = {.name = "root", .authority = true};

    test_watchdog(110);
    (void)world_open(state);
    root = world_make(&root_wish);
    const struct world_wish leaf_wish = {.name = "leaf",
                                         .issuer = &root,
                                         .usage = "serverAuth",
                                         .ocsp_path = "/ocsp",
                                         .list_path = "/list"};
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

/* ---- the TLS library's memory ---- */

static _Atomic bool armed;
static _Atomic uint64_t asked, fail_at;

static bool may_allocate(void)
{
    return !atomic_load(&armed) || atomic_fetch_add(&asked, 1) + 1 != atomic_load(&fail_at);
}

static void *tls_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? malloc(size) : NULL;
}

static void *tls_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? realloc(memory, size) : NULL;
}

static void tls_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* Whatever it is that OpenSSL has no memory for: nobody revoked is told to be good. */
static void walk_openssl(void)
{
    PCCERT_CONTEXT certificate = world_context(&leaf);
    uint64_t nth = 1, total;
    unsigned wrong = 0;

    do {
        PCCERT_CHAIN_CONTEXT chain = NULL;

        TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
        atomic_store(&asked, 0);
        atomic_store(&fail_at, nth);
        atomic_store(&armed, true);
        const BOOL built =
            CertGetCertificateChain(NULL, certificate, NULL, NULL, NULL,
                                    CERT_CHAIN_REVOCATION_CHECK_END_CERT, NULL, &chain);
        atomic_store(&armed, false);
        total = atomic_load(&asked);
        if (built && chain->TrustStatus.dwErrorStatus == CERT_TRUST_NO_ERROR) {
            wrong++;
            print_message("allocation %u of %u: a revoked certificate is good\n", (unsigned)nth,
                          (unsigned)total);
        }
        CertFreeCertificateChain(chain);
    } while (nth++ < total);
    print_message("%u allocations of OpenSSL\n", (unsigned)nth);
    CertFreeCertificateContext(certificate);
    assert_int_equal(wrong, 0);
}

static void revoked_without_openssls_memory(void **state)
{
    const struct world_saying revoked = {.about = &leaf, .status = 1};

    (void)state;
    world_serve_nothing();
    world_serve_list("/list", &root, &leaf);
    walk_openssl();
    world_serve_nothing();
    world_serve_ocsp("/ocsp", &revoked);
    walk_openssl();
}

/* A usage that the certificate does not have. */
static void usage_without_openssls_memory(void **state)
{
    char oid[] = "1.3.6.1.5.5.7.3.4";
    LPSTR oids[] = {oid};
    CERT_CHAIN_PARA para = {.cbSize = sizeof(para)};
    PCCERT_CONTEXT certificate = world_context(&leaf);
    uint64_t nth = 1, total;
    unsigned wrong = 0;

    (void)state;
    para.RequestedUsage.Usage.cUsageIdentifier = 1;
    para.RequestedUsage.Usage.rgpszUsageIdentifier = oids;
    do {
        PCCERT_CHAIN_CONTEXT chain = NULL;

        atomic_store(&asked, 0);
        atomic_store(&fail_at, nth == 1 ? 0 : nth);
        atomic_store(&armed, true);
        const BOOL built =
            CertGetCertificateChain(NULL, certificate, NULL, NULL, &para, 0, NULL, &chain);
        atomic_store(&armed, false);
        total = atomic_load(&asked);
        if (nth == 1)
            print_message("trust %x\n", built ? chain->TrustStatus.dwErrorStatus : 0xffffffff);
        if (built && !(chain->TrustStatus.dwErrorStatus & CERT_TRUST_IS_NOT_VALID_FOR_USAGE)) {
            wrong++;
            print_message("allocation %u of %u: usage, trust %x\n", (unsigned)nth, (unsigned)total,
                          chain->TrustStatus.dwErrorStatus);
        }
        CertFreeCertificateChain(chain);
    } while (nth++ < total);
    CertFreeCertificateContext(certificate);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    if (CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_without_openssls_memory),
        cmocka_unit_test(revoked_without_openssls_memory),
    };

    return cmocka_run_group_tests_name("chains without the TLS library's memory", tests, set_up,
                                       tear_down);
}
