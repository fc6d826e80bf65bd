/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Chains through the public functions: engines, CertGetCertificateChain and its asynchronous form,
 * what is told of chains that are not good, and policies.
 */
#include <dirent.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <opensspi.h>
#include <schannel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/revocation_world.h"
#include "support/test_util.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define TIMED_OUT       HRESULT_FROM_WIN32(ERROR_TIMEOUT)

#define SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

static struct world_identity root, inter, leaf, other_root, alien, late;

static int set_up(void **state)
{
    const struct world_wish wishes[] = {
        {.name = "root", .authority = true},
        {.name = "inter", .issuer = &root, .authority = true},
        {.name = "leaf",
         .issuer = &inter,
         .usage = "serverAuth",
         .alt_name = "DNS:leaf.test,DNS:*.wild.test,IP:127.0.0.1",
         .ocsp_path = "/ocsp"},
        {.name = "other root", .authority = true},
        {.name = "alien", .issuer = &other_root, .usage = "serverAuth"},
        {.name = "late", .issuer = &inter, .usage = "clientAuth", .until = -WORLD_DAY},
    };
    struct world_identity *all[] = {&root, &inter, &leaf, &other_root, &alien, &late};

    test_watchdog(110);
    (void)world_open(state);
    for (size_t i = 0; i < COUNT_OF(wishes); i++) {
        *all[i] = world_make(&wishes[i]);
        if (i == 0)
            world_trust(&root);
    }
    return 0;
}

static int tear_down(void **state)
{
    struct world_identity *all[] = {&root, &inter, &leaf, &other_root, &alien, &late};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        world_drop(all[i]);
    return world_close(state);
}

/* ---- both forms ---- */

struct asked {
    HCERTCHAINENGINE engine;
    PCCERT_CONTEXT certificate;
    LPFILETIME time;
    HCERTSTORE additional;
    PCERT_CHAIN_PARA para;
    DWORD flags;
};

static PCCERT_CHAIN_CONTEXT get_sync(const struct asked *asked)
{
    PCCERT_CHAIN_CONTEXT chain = NULL;

    assert_true(CertGetCertificateChain(asked->engine, asked->certificate, asked->time,
                                        asked->additional, asked->para, asked->flags, NULL,
                                        &chain));
    assert_non_null(chain);
    return chain;
}

static PCCERT_CHAIN_CONTEXT get_async(const struct asked *asked)
{
    PCCERT_CHAIN_CONTEXT chain = NULL;
    SspiAsyncContext *call = SspiCreateAsyncContext();

    assert_int_equal(OsspiGetCertificateChainAsync(call, asked->engine, asked->certificate,
                                                   asked->time, asked->additional, asked->para,
                                                   asked->flags, &chain),
                     SEC_E_OK);
    assert_int_equal(OsspiWaitAsyncCall(call, OSSPI_INFINITE), SEC_E_OK);
    SspiFreeAsyncContext(call);
    assert_non_null(chain);
    return chain;
}

typedef PCCERT_CHAIN_CONTEXT (*getter)(const struct asked *asked);
static const getter getters[] = {get_sync, get_async};

static HCERTSTORE store_with(const struct world_identity *const all[], size_t count)
{
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);

    for (size_t i = 0; i < count; i++) {
        PCCERT_CONTEXT context = world_context(all[i]);
        assert_true(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_ALWAYS, NULL));
        CertFreeCertificateContext(context);
    }
    return store;
}

static bool shows(PCCERT_CHAIN_ELEMENT element, const struct world_identity *identity)
{
    PCCERT_CONTEXT expected = world_context(identity);
    const bool same = expected->cbCertEncoded == element->pCertContext->cbCertEncoded &&
                      memcmp(expected->pbCertEncoded, element->pCertContext->pbCertEncoded,
                             expected->cbCertEncoded) == 0;

    CertFreeCertificateContext(expected);
    return same;
}

/* ---- building ---- */

static void chain_is_built_to_the_root(void **state)
{
    const struct world_identity *const others[] = {&alien, &inter};
    HCERTSTORE store = store_with(others, 2);
    PCCERT_CONTEXT certificate = world_context(&leaf);
    const struct asked asked = {.certificate = certificate, .additional = store};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(getters); i++) {
        PCCERT_CHAIN_CONTEXT chain = getters[i](&asked);
        assert_int_equal(chain->cbSize, sizeof(*chain));
        assert_int_equal(chain->TrustStatus.dwErrorStatus, CERT_TRUST_NO_ERROR);
        assert_int_equal(chain->cChain, 1);
        assert_int_equal(chain->rgpChain[0]->cElement, 3);
        assert_ptr_equal(chain->rgpChain[0]->rgpElement[0]->pCertContext, certificate);
        assert_true(shows(chain->rgpChain[0]->rgpElement[1], &inter));
        assert_true(shows(chain->rgpChain[0]->rgpElement[2], &root));
        assert_true(chain->rgpChain[0]->rgpElement[2]->TrustStatus.dwInfoStatus &
                    CERT_TRUST_IS_SELF_SIGNED);
        assert_null(chain->rgpChain[0]->rgpElement[0]->pRevocationInfo);
        PCCERT_CHAIN_CONTEXT twice = CertDuplicateCertificateChain(chain);
        assert_ptr_equal(twice, chain);
        CertFreeCertificateChain(chain);
        assert_int_equal(twice->rgpChain[0]->cElement, 3);
        CertFreeCertificateChain(twice);
    }
    CertFreeCertificateContext(certificate);
    CertCloseStore(store, 0);
}

static void chain_of_a_loaded_certificate_comes_with_it(void **state)
{
    PCCERT_CONTEXT certificate = world_load(&leaf);
    const struct asked asked = {.certificate = certificate};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(getters); i++) {
        PCCERT_CHAIN_CONTEXT chain = getters[i](&asked);
        assert_int_equal(chain->TrustStatus.dwErrorStatus, CERT_TRUST_NO_ERROR);
        assert_int_equal(chain->rgpChain[0]->cElement, 3);
        CertFreeCertificateChain(chain);
    }
    CertFreeCertificateContext(certificate);
}

static void what_is_wrong_is_told(void **state)
{
    const struct world_identity *const others[] = {&inter, &other_root};
    HCERTSTORE store = store_with(others, 2);
    FILETIME early = {0, 0x01000000};
    const struct {
        const struct world_identity *identity;
        HCERTSTORE additional;
        FILETIME *time;
        DWORD error, elements;
    } rows[] = {
        {&leaf, NULL, NULL, CERT_TRUST_IS_PARTIAL_CHAIN, 1},
        {&alien, NULL, NULL, CERT_TRUST_IS_PARTIAL_CHAIN, 1},
        {&alien, store, NULL, CERT_TRUST_IS_UNTRUSTED_ROOT, 2},
        {&other_root, NULL, NULL, CERT_TRUST_IS_UNTRUSTED_ROOT, 1},
        {&late, store, NULL, CERT_TRUST_IS_NOT_TIME_VALID, 3},
        {&leaf, store, &early, CERT_TRUST_IS_NOT_TIME_VALID, 3},
        {&root, NULL, NULL, CERT_TRUST_NO_ERROR, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(getters); i++) {
        const size_t at = i / COUNT_OF(getters);
        PCCERT_CONTEXT certificate = world_context(rows[at].identity);
        const struct asked asked = {
            .certificate = certificate, .additional = rows[at].additional, .time = rows[at].time};
        PCCERT_CHAIN_CONTEXT chain = getters[i % COUNT_OF(getters)](&asked);
        assert_int_equal(chain->TrustStatus.dwErrorStatus, rows[at].error);
        assert_int_equal(chain->rgpChain[0]->cElement, rows[at].elements);
        CertFreeCertificateChain(chain);
        CertFreeCertificateContext(certificate);
    }
    CertCloseStore(store, 0);
}

static void usage_asked_for_counts(void **state)
{
    static const struct {
        DWORD type, count, error;
        const char *oids[2];
    } rows[] = {
        {USAGE_MATCH_TYPE_AND, 1, 0, {SERVER_AUTH, NULL}},
        {USAGE_MATCH_TYPE_AND, 1, CERT_TRUST_IS_NOT_VALID_FOR_USAGE, {CLIENT_AUTH, NULL}},
        {USAGE_MATCH_TYPE_AND, 2, CERT_TRUST_IS_NOT_VALID_FOR_USAGE, {SERVER_AUTH, CLIENT_AUTH}},
        {USAGE_MATCH_TYPE_OR, 2, 0, {SERVER_AUTH, CLIENT_AUTH}},
        {USAGE_MATCH_TYPE_AND, 1, CERT_TRUST_IS_NOT_VALID_FOR_USAGE, {"no object id", NULL}},
    };
    PCCERT_CONTEXT certificate = world_load(&leaf);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CERT_CHAIN_PARA para = {.cbSize = sizeof(para)};
        para.RequestedUsage.dwType = rows[i].type;
        para.RequestedUsage.Usage.cUsageIdentifier = rows[i].count;
        para.RequestedUsage.Usage.rgpszUsageIdentifier = (LPSTR *)(uintptr_t)rows[i].oids;
        const struct asked asked = {.certificate = certificate, .para = &para};
        PCCERT_CHAIN_CONTEXT chain = get_sync(&asked);
        assert_int_equal(chain->TrustStatus.dwErrorStatus, rows[i].error);
        CertFreeCertificateChain(chain);
    }
    CertFreeCertificateContext(certificate);
}

/* ---- engines ---- */

static HCERTCHAINENGINE engine_of(HCERTSTORE exclusive, HCERTSTORE restricted, HCERTSTORE *others,
                                  DWORD other_count)
{
    CERT_CHAIN_ENGINE_CONFIG config = {.cbSize = sizeof(config),
                                       .hExclusiveRoot = exclusive,
                                       .hRestrictedRoot = restricted,
                                       .cAdditionalStore = other_count,
                                       .rghAdditionalStore = others};
    HCERTCHAINENGINE engine = NULL;

    assert_true(CertCreateCertificateChainEngine(&config, &engine));
    assert_non_null(engine);
    return engine;
}

static DWORD error_by(HCERTCHAINENGINE engine, const struct world_identity *identity)
{
    PCCERT_CONTEXT certificate = world_context(identity);
    const struct asked asked = {.engine = engine, .certificate = certificate};
    PCCERT_CHAIN_CONTEXT chain = get_sync(&asked);
    const DWORD error = chain->TrustStatus.dwErrorStatus;

    CertFreeCertificateChain(chain);
    CertFreeCertificateContext(certificate);
    return error;
}

static void engine_decides_whom_to_trust(void **state)
{
    const struct world_identity *const strange[] = {&other_root},
                                       *const both[] = {&root, &other_root},
                                       *const between[] = {&inter};
    HCERTSTORE strangers = store_with(strange, 1), all = store_with(both, 2);
    HCERTSTORE others = store_with(between, 1);
    HCERTCHAINENGINE exclusive = engine_of(strangers, NULL, &others, 1);
    HCERTCHAINENGINE restricted = engine_of(NULL, all, &others, 1);
    HCERTCHAINENGINE nobody = engine_of(NULL, strangers, &others, 1);

    (void)state;
    CertCloseStore(strangers, 0); /* engines have their own hold on them */
    CertCloseStore(all, 0);
    CertCloseStore(others, 0);
    assert_int_equal(error_by(exclusive, &alien), CERT_TRUST_NO_ERROR);
    assert_int_equal(error_by(exclusive, &leaf), CERT_TRUST_IS_PARTIAL_CHAIN);
    assert_int_equal(error_by(restricted, &leaf), CERT_TRUST_NO_ERROR);
    assert_int_equal(error_by(restricted, &alien), CERT_TRUST_IS_PARTIAL_CHAIN);
    assert_int_equal(error_by(nobody, &leaf), CERT_TRUST_IS_PARTIAL_CHAIN);
    CertFreeCertificateChainEngine(exclusive);
    CertFreeCertificateChainEngine(restricted);
    CertFreeCertificateChainEngine(nobody);
    CertFreeCertificateChainEngine(nobody); /* stale: nothing */
    CertFreeCertificateChainEngine(HCCE_LOCAL_MACHINE);
    assert_int_equal(error_by(HCCE_LOCAL_MACHINE, &root), CERT_TRUST_NO_ERROR);
}

/* ---- revocation ---- */

static void revocation_is_told_for_each_element(void **state)
{
    static const struct {
        int said;
        DWORD error, result;
    } rows[] = {
        {V_OCSP_CERTSTATUS_GOOD, 0, 0},
        {V_OCSP_CERTSTATUS_REVOKED, CERT_TRUST_IS_REVOKED, (DWORD)CRYPT_E_REVOKED},
        {V_OCSP_CERTSTATUS_UNKNOWN, CERT_TRUST_REVOCATION_STATUS_UNKNOWN,
         (DWORD)CRYPT_E_NO_REVOCATION_CHECK},
        {-1, CERT_TRUST_REVOCATION_STATUS_UNKNOWN | CERT_TRUST_IS_OFFLINE_REVOCATION,
         (DWORD)CRYPT_E_REVOCATION_OFFLINE},
    };
    PCCERT_CONTEXT certificate = world_load(&leaf);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(getters); i++) {
        const size_t at = i / COUNT_OF(getters);
        const struct world_saying saying = {.about = &leaf, .status = rows[at].said};
        const struct asked asked = {.certificate = certificate,
                                    .flags = CERT_CHAIN_REVOCATION_CHECK_END_CERT};
        world_serve_nothing();
        assert_true(SslEmptyCacheA(NULL, 0));
        if (rows[at].said >= 0)
            world_serve_ocsp("/ocsp", &saying);
        PCCERT_CHAIN_CONTEXT chain = getters[i % COUNT_OF(getters)](&asked);
        const CERT_CHAIN_ELEMENT *element = chain->rgpChain[0]->rgpElement[0];
        assert_int_equal(chain->TrustStatus.dwErrorStatus, rows[at].error);
        assert_int_equal(element->TrustStatus.dwErrorStatus, rows[at].error);
        assert_int_equal(element->pRevocationInfo->dwRevocationResult, rows[at].result);
        assert_null(chain->rgpChain[0]->rgpElement[1]->pRevocationInfo);
        CertFreeCertificateChain(chain);
    }
    CertFreeCertificateContext(certificate);
}

static void network_is_left_alone_where_flags_say_so(void **state)
{
    static const DWORD local[] = {CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL,
                                  CERT_CHAIN_REVOCATION_CHECK_CACHE_ONLY};
    PCCERT_CONTEXT certificate = world_load(&leaf);
    const struct world_saying saying = {.about = &leaf};

    (void)state;
    assert_true(SslEmptyCacheA(NULL, 0));
    world_serve_ocsp("/ocsp", &saying);
    for (size_t i = 0; i < COUNT_OF(local); i++) {
        const struct asked asked = {.certificate = certificate,
                                    .flags = CERT_CHAIN_REVOCATION_CHECK_CHAIN | local[i]};
        PCCERT_CHAIN_CONTEXT chain = get_sync(&asked);
        assert_int_equal(chain->TrustStatus.dwErrorStatus,
                         CERT_TRUST_REVOCATION_STATUS_UNKNOWN | CERT_TRUST_IS_OFFLINE_REVOCATION);
        CertFreeCertificateChain(chain);
    }
    assert_int_equal(world_asked("/ocsp"), 0);
    CertFreeCertificateContext(certificate);
}

/* ---- a responder that accepts and never answers ---- */

static unsigned count_entries(const char *path)
{
    DIR *dir = opendir(path);
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static bool all_gone(void *data)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    assert_int_equal(OsspiGetStatistics(&now), SEC_E_OK);
    return now.calls_abandoned_running == 0 && world_connections() == 0 &&
           count_entries("/proc/self/fd") == *(unsigned *)data;
}

static void on_done(SspiAsyncContext *call, void *data)
{
    (void)call;
    test_counter_add(data, 1);
}

static void run_until_deadline(enum world_manner manner)
{
    struct test_counter called = TEST_COUNTER_INIT;
    PCCERT_CONTEXT certificate = world_load(&leaf);
    unsigned before = count_entries("/proc/self/fd");
    SspiAsyncContext *call = SspiCreateAsyncContext();
    PCCERT_CHAIN_CONTEXT chain = NULL;

    assert_true(SslEmptyCacheA(NULL, 0));
    world_serve("/ocsp", manner, 200, "application/ocsp-response", "\x30\x82\x20\x00", 4);
    assert_int_equal(SspiSetAsyncNotifyCallback(call, on_done, &called), SEC_E_OK);
    assert_int_equal(OsspiSetAsyncTimeout(call, 400), SEC_E_OK);
    assert_int_equal(OsspiGetCertificateChainAsync(call, NULL, certificate, NULL, NULL, NULL,
                                                   CERT_CHAIN_REVOCATION_CHECK_END_CERT, &chain),
                     SEC_E_OK);
    test_counter_await(&called, 1);
    assert_int_equal(SspiGetAsyncCallStatus(call), TIMED_OUT);
    assert_null(chain);
    SspiFreeAsyncContext(call);
    test_poll(all_gone, &before);
    assert_int_equal(test_counter_get(&called), 1);
    CertFreeCertificateContext(certificate);
}

static void silence_ends_at_the_deadline(void **state)
{
    (void)state;
    run_until_deadline(WORLD_SILENT);
    run_until_deadline(WORLD_DRIP);
}

/* Before its thread is in it, and while it is. */
static void cancel_ends_what_waits(void **state)
{
    PCCERT_CONTEXT certificate = world_load(&leaf);
    unsigned before = count_entries("/proc/self/fd");

    (void)state;
    assert_true(SslEmptyCacheA(NULL, 0));
    world_serve("/ocsp", WORLD_SILENT, 200, "x", NULL, 0);
    for (int i = 0; i < 2; i++) {
        SspiAsyncContext *call = SspiCreateAsyncContext();
        PCCERT_CHAIN_CONTEXT chain = NULL;
        assert_int_equal(OsspiGetCertificateChainAsync(call, NULL, certificate, NULL, NULL, NULL,
                                                       CERT_CHAIN_REVOCATION_CHECK_END_CERT,
                                                       &chain),
                         SEC_E_OK);
        while (i > 0 && world_asked("/ocsp") == 0)
            usleep(1000);
        while (OsspiCancelAsyncCall(call) != SEC_E_OK)
            assert_int_equal(SspiGetAsyncCallStatus(call), SEC_I_ASYNC_CALL_PENDING);
        assert_int_equal(SspiGetAsyncCallStatus(call), HRESULT_FROM_WIN32(ERROR_CANCELLED));
        assert_null(chain);
        SspiFreeAsyncContext(call);
    }
    test_poll(all_gone, &before);
    CertFreeCertificateContext(certificate);
}

/* ---- arguments ---- */

static void bad_arguments_are_refused(void **state)
{
    PCCERT_CONTEXT certificate = world_context(&leaf);
    PCCERT_CHAIN_CONTEXT chain = NULL;
    HCERTCHAINENGINE engine = NULL;
    CERT_CHAIN_ENGINE_CONFIG config = {.cbSize = 3};
    CERT_CHAIN_PARA para = {.cbSize = 1};
    HCERTSTORE stale = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
    SspiAsyncContext *call = SspiCreateAsyncContext();

    (void)state;
    CertCloseStore(stale, 0);
    assert_false(CertGetCertificateChain(NULL, NULL, NULL, NULL, NULL, 0, NULL, &chain));
    assert_int_equal(GetLastError(), (DWORD)E_INVALIDARG);
    assert_false(CertGetCertificateChain(NULL, certificate, NULL, NULL, NULL, 0, NULL, NULL));
    assert_false(CertGetCertificateChain(NULL, certificate, NULL, stale, NULL, 0, NULL, &chain));
    assert_false(CertGetCertificateChain(NULL, certificate, NULL, NULL, &para, 0, NULL, &chain));
    assert_false(CertGetCertificateChain((HCERTCHAINENGINE)(uintptr_t)0x123456789a, certificate,
                                         NULL, NULL, NULL, 0, NULL, &chain));
    assert_int_equal(GetLastError(), (DWORD)E_INVALIDARG);
    assert_null(chain);
    assert_false(CertCreateCertificateChainEngine(&config, &engine));
    assert_false(CertCreateCertificateChainEngine(NULL, &engine));
    config = (CERT_CHAIN_ENGINE_CONFIG){.cbSize = sizeof(config), .hExclusiveRoot = stale};
    assert_false(CertCreateCertificateChainEngine(&config, &engine));
    assert_null(engine);
    assert_int_equal(
        OsspiGetCertificateChainAsync(call, NULL, certificate, NULL, NULL, NULL, 0, NULL),
        SEC_E_INVALID_PARAMETER);
    assert_int_equal(
        OsspiGetCertificateChainAsync(NULL, NULL, certificate, NULL, NULL, NULL, 0, &chain),
        SEC_E_INVALID_HANDLE);
    assert_int_equal(OsspiGetCertificateChainAsync(call, NULL, NULL, NULL, NULL, NULL, 0, &chain),
                     SEC_E_OK);
    assert_int_equal(OsspiWaitAsyncCall(call, OSSPI_INFINITE), SEC_E_INVALID_PARAMETER);
    SspiFreeAsyncContext(call);
    CertFreeCertificateChain(NULL);
    assert_null(CertDuplicateCertificateChain(NULL));
    CertFreeCertificateContext(certificate);
}

/* A ring of authorities that certify one another, and more certificates than anybody needs. */
static void ring_and_crowd_end(void **state)
{
    const struct world_wish wish_a = {.name = "ring a", .authority = true};
    struct world_identity a = world_make(&wish_a);
    const struct world_wish wish_b = {.name = "ring b", .issuer = &a, .authority = true};
    struct world_identity b = world_make(&wish_b);
    const struct world_wish wish_c = {.name = "ring a", .issuer = &b, .authority = true};
    struct world_identity c = world_make(&wish_c);
    const struct world_identity *crowd[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        crowd[i] = i % 2 ? &b : &c;
    HCERTSTORE store = store_with(crowd, COUNT_OF(crowd));
    PCCERT_CONTEXT certificate = world_context(&c);
    const struct asked asked = {.certificate = certificate, .additional = store};
    PCCERT_CHAIN_CONTEXT chain = get_sync(&asked);
    assert_int_not_equal(chain->TrustStatus.dwErrorStatus, CERT_TRUST_NO_ERROR);
    assert_true(chain->rgpChain[0]->cElement <= 32);
    CertFreeCertificateChain(chain);
    CertFreeCertificateContext(certificate);
    CertCloseStore(store, 0);
    world_drop(&a);
    world_drop(&b);
    world_drop(&c);
}

/* More than the library takes for a certificate at all. */
static void huge_certificate_is_none(void **state)
{
    const size_t len = 10u << 20;
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509 *huge = X509_dup(leaf.certificate);
    unsigned char *bytes = calloc(1, len), *der = NULL;

    (void)state;
    assert_true(huge && value && bytes && ASN1_OCTET_STRING_set(value, bytes, (int)len) == 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, NID_netscape_comment, 0, value);
    assert_int_equal(X509_add_ext(huge, extension, -1), 1);
    assert_true(X509_sign(huge, inter.key, EVP_sha256()) > 0);
    const int der_len = i2d_X509(huge, &der);
    assert_true(der_len > (int)len);
    assert_null(CertCreateCertificateContext(X509_ASN_ENCODING, der, (DWORD)der_len));
    OPENSSL_free(der);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    X509_free(huge);
    free(bytes);
}

/* ---- policies ---- */

static DWORD policy_of(LPCSTR policy, PCCERT_CHAIN_CONTEXT chain, DWORD flags, void *extra)
{
    CERT_CHAIN_POLICY_PARA para = {sizeof(para), flags, extra};
    CERT_CHAIN_POLICY_STATUS status = {.cbSize = sizeof(status)};

    assert_true(CertVerifyCertificateChainPolicy(policy, chain, &para, &status));
    return status.dwError;
}

static PCCERT_CHAIN_CONTEXT chain_for(const struct world_identity *identity, HCERTSTORE others,
                                      DWORD flags)
{
    PCCERT_CONTEXT certificate = world_context(identity);
    const struct asked asked = {.certificate = certificate, .additional = others, .flags = flags};
    PCCERT_CHAIN_CONTEXT chain = get_sync(&asked);

    CertFreeCertificateContext(certificate);
    return chain;
}

static void base_policy_ignores_what_it_is_told(void **state)
{
    const struct world_identity *const others[] = {&inter, &other_root};
    HCERTSTORE store = store_with(others, 2);
    const struct {
        const struct world_identity *identity;
        DWORD get_flags, flags, error;
    } rows[] = {
        {&leaf, 0, 0, 0},
        {&late, 0, 0, (DWORD)CERT_E_EXPIRED},
        {&late, 0, CERT_CHAIN_POLICY_IGNORE_NOT_TIME_VALID_FLAG, 0},
        {&alien, 0, 0, (DWORD)CERT_E_UNTRUSTEDROOT},
        {&alien, 0, CERT_CHAIN_POLICY_ALLOW_UNKNOWN_CA_FLAG, 0},
        {&inter, CERT_CHAIN_REVOCATION_CHECK_END_CERT, 0, (DWORD)CRYPT_E_NO_REVOCATION_CHECK},
        {&inter, CERT_CHAIN_REVOCATION_CHECK_END_CERT, CERT_CHAIN_POLICY_IGNORE_CA_REV_UNKNOWN_FLAG,
         (DWORD)CRYPT_E_NO_REVOCATION_CHECK},
        {&inter, CERT_CHAIN_REVOCATION_CHECK_END_CERT,
         CERT_CHAIN_POLICY_IGNORE_END_REV_UNKNOWN_FLAG, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        PCCERT_CHAIN_CONTEXT chain = chain_for(rows[i].identity, store, rows[i].get_flags);
        assert_int_equal(policy_of(CERT_CHAIN_POLICY_BASE, chain, rows[i].flags, NULL),
                         rows[i].error);
        CertFreeCertificateChain(chain);
    }
    CertCloseStore(store, 0);
}

static void ssl_policy_compares_the_name(void **state)
{
    const struct world_identity *const others[] = {&inter};
    HCERTSTORE store = store_with(others, 1);
    PCCERT_CHAIN_CONTEXT chain = chain_for(&leaf, store, 0);
    const struct {
        const WCHAR *name;
        DWORD type, checks, error;
    } rows[] = {
        {u"leaf.test", AUTHTYPE_SERVER, 0, 0},
        {u"LEAF.test.", AUTHTYPE_SERVER, 0, 0},
        {u"a.wild.test", AUTHTYPE_SERVER, 0, 0},
        {u"a.b.wild.test", AUTHTYPE_SERVER, 0, (DWORD)CERT_E_CN_NO_MATCH},
        {u"127.0.0.1", AUTHTYPE_SERVER, 0, 0},
        {u"127.0.0.2", AUTHTYPE_SERVER, 0, (DWORD)CERT_E_CN_NO_MATCH},
        {u"leaf", AUTHTYPE_SERVER, 0, (DWORD)CERT_E_CN_NO_MATCH},
        {u"", AUTHTYPE_SERVER, 0, (DWORD)CERT_E_CN_NO_MATCH},
        {u".test", AUTHTYPE_SERVER, 0, (DWORD)CERT_E_CN_NO_MATCH},
        {u"le\x00e4f.test", AUTHTYPE_SERVER, 0, (DWORD)CERT_E_CN_NO_MATCH},
        {u"leaf", AUTHTYPE_SERVER, SECURITY_FLAG_IGNORE_CERT_CN_INVALID, 0},
        {NULL, AUTHTYPE_SERVER, 0, 0},
        {u"leaf.test", AUTHTYPE_CLIENT, 0, (DWORD)CERT_E_WRONG_USAGE},
        {u"leaf.test", AUTHTYPE_CLIENT, SECURITY_FLAG_IGNORE_WRONG_USAGE, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        HTTPSPolicyCallbackData data = {.cbSize = sizeof(data),
                                        .dwAuthType = rows[i].type,
                                        .fdwChecks = rows[i].checks,
                                        .pwszServerName = (WCHAR *)(uintptr_t)rows[i].name};
        assert_int_equal(policy_of(CERT_CHAIN_POLICY_SSL, chain, 0, &data), rows[i].error);
    }
    CERT_CHAIN_POLICY_STATUS status = {.cbSize = sizeof(status)};
    assert_false(CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_NT_AUTH, chain, NULL, &status));
    assert_int_equal(GetLastError(), ERROR_FILE_NOT_FOUND);
    assert_false(CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, NULL, NULL, &status));
    assert_true(CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, chain, NULL, &status));
    assert_int_equal(status.dwError, 0);
    assert_int_equal(status.lElementIndex, -1);
    CertFreeCertificateChain(chain);
    CertCloseStore(store, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_is_built_to_the_root),
        cmocka_unit_test(chain_of_a_loaded_certificate_comes_with_it),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(usage_asked_for_counts),
        cmocka_unit_test(engine_decides_whom_to_trust),
        cmocka_unit_test(revocation_is_told_for_each_element),
        cmocka_unit_test(network_is_left_alone_where_flags_say_so),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(cancel_ends_what_waits),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(ring_and_crowd_end),
        cmocka_unit_test(huge_certificate_is_none),
        cmocka_unit_test(base_policy_ignores_what_it_is_told),
        cmocka_unit_test(ssl_policy_compares_the_name),
    };

    return cmocka_run_group_tests_name("chains", tests, set_up, tear_down);
}
