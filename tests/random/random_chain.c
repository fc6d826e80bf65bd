/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: chains and their engines; see random.h. Engines may be anything, chains are always
 * good ones: they are addresses, as on Windows. Nothing here asks the network: the test
 * certificates name nobody.
 */
#include "random/random.h"

#include <string.h>

#include "support/contract_status.h"

/* Engines are stores' neighbours: what is no engine is looked up all the same. */
static HCERTCHAINENGINE pick_engine(struct random_thread *thread)
{
    static const HCERTCHAINENGINE system[] = {HCCE_CURRENT_USER, HCCE_LOCAL_MACHINE};
    struct random_handle handle = random_pick(thread, RANDOM_STORES);

    if (handle.null || random_chance(thread, 80))
        return RANDOM_OF(thread, system);
    return (HCERTCHAINENGINE)handle.value.dwLower;
}

static HCERTSTORE pick_store(struct random_thread *thread)
{
    struct random_handle handle = random_pick(thread, RANDOM_STORES);

    return handle.null ? NULL : (HCERTSTORE)handle.value.dwLower;
}

static HCERTCHAINENGINE make_engine(struct random_thread *thread)
{
    HCERTSTORE other = pick_store(thread);
    CERT_CHAIN_ENGINE_CONFIG config = {
        .cbSize = random_chance(thread, 95) ? sizeof(config) : random_below(thread, 200),
        .hExclusiveRoot = random_chance(thread, 50) ? pick_store(thread) : NULL,
        .cAdditionalStore = random_below(thread, 2),
        .rghAdditionalStore = &other,
    };
    HCERTCHAINENGINE engine = NULL;

    SetLastError(0);
    if (!CertCreateCertificateChainEngine(&config, &engine))
        TEST_REQUIRE(GetLastError() != 0 && engine == NULL);
    return engine;
}

static PCCERT_CHAIN_CONTEXT make_chain(struct random_thread *thread, HCERTCHAINENGINE engine)
{
    static const DWORD flags[] = {0, CERT_CHAIN_REVOCATION_CHECK_CHAIN,
                                  CERT_CHAIN_REVOCATION_CHECK_END_CERT};
    PCCERT_CHAIN_CONTEXT chain = NULL;

    SetLastError(0);
    if (!CertGetCertificateChain(engine, RANDOM_OF(thread, random_world.certificates), NULL,
                                 random_chance(thread, 50) ? pick_store(thread) : NULL, NULL,
                                 RANDOM_OF(thread, flags), NULL, &chain))
        TEST_REQUIRE(GetLastError() != 0 && chain == NULL);
    return chain;
}

static void call_create_engine(struct random_thread *thread)
{
    HCERTCHAINENGINE engine = make_engine(thread);

    CertFreeCertificateChain(make_chain(thread, engine));
    CertFreeCertificateChainEngine(engine);
}

static void call_free_engine(struct random_thread *thread)
{
    CertFreeCertificateChainEngine(pick_engine(thread));
}

static void call_get(struct random_thread *thread)
{
    CertFreeCertificateChain(make_chain(thread, pick_engine(thread)));
}

static void call_duplicate(struct random_thread *thread)
{
    PCCERT_CHAIN_CONTEXT chain = make_chain(thread, NULL);

    TEST_REQUIRE(CertDuplicateCertificateChain(chain) == chain);
    CertFreeCertificateChain(chain);
    CertFreeCertificateChain(chain);
}

static void call_free(struct random_thread *thread)
{
    (void)thread;
    CertFreeCertificateChain(NULL);
}

static void call_verify(struct random_thread *thread)
{
    static const LPCSTR policies[] = {CERT_CHAIN_POLICY_BASE, CERT_CHAIN_POLICY_SSL,
                                      CERT_CHAIN_POLICY_NT_AUTH};
    PCCERT_CHAIN_CONTEXT chain = make_chain(thread, NULL);
    CERT_CHAIN_POLICY_PARA para = {sizeof(para), random_below(thread, 0x1000), NULL};
    CERT_CHAIN_POLICY_STATUS status = {.cbSize = sizeof(status)};

    (void)CertVerifyCertificateChainPolicy(RANDOM_OF(thread, policies), chain,
                                           random_chance(thread, 80) ? &para : NULL, &status);
    CertFreeCertificateChain(chain);
}

static void call_async(struct random_thread *thread)
{
    SspiAsyncContext *call = SspiCreateAsyncContext();
    PCCERT_CHAIN_CONTEXT chain = NULL;

    if (!call)
        return;
    const SECURITY_STATUS queued = OsspiGetCertificateChainAsync(
        call, pick_engine(thread), RANDOM_OF(thread, random_world.certificates), NULL,
        pick_store(thread), NULL, 0, &chain);
    contract_require("Sspi...Async", queued);
    if (queued == SEC_E_OK)
        contract_require_call("OsspiGetCertificateChainAsync",
                              OsspiWaitAsyncCall(call, OSSPI_INFINITE));
    CertFreeCertificateChain(chain);
    SspiFreeAsyncContext(call);
}

static const struct random_row rows[] = {
    {"CertCreateCertificateChainEngine", call_create_engine, 1},
    {"CertFreeCertificateChainEngine", call_free_engine, 1},
    {"CertGetCertificateChain", call_get, 1},
    {"CertFreeCertificateChain", call_free, 1},
    {"CertDuplicateCertificateChain", call_duplicate, 1},
    {"CertVerifyCertificateChainPolicy", call_verify, 1},
    {"OsspiGetCertificateChainAsync", call_async, 1},
};
RANDOM_ROWS(random_chain_rows, rows);
