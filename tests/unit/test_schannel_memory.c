/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * No memory: one allocation after the other fails (with a step, where there are thousands), the
 * library's own and OpenSSL's, while a credential is acquired, a connection is made and used, and
 * attributes are asked for. Nothing may crash or leak, no failure may pass for another one's, and
 * the next attempt succeeds.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "support/failing_alloc.h"
#include "support/test_util.h"
#include "unit/sspi_pair.h"

/* OpenSSL's allocations, through the functions that can be made to fail. */
static void *ossl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *ossl_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(memory, size);
}

static void ossl_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* Calls attempt() with allocation 1, 1 + step, ... failing until it gets through without a failure.
 * The status must be SEC_E_OK (the failure was made good), SEC_E_INSUFFICIENT_MEMORY, or, where
 * OpenSSL does not tell the cause, another failure. Then the attempt must succeed with memory. */
static uint64_t fail_each(SECURITY_STATUS (*attempt)(void *data), void *data, uint64_t step)
{
    for (uint64_t nth = 1; nth < 1000000; nth += step) {
        SECURITY_STATUS status;
        bool hit;

        failing_alloc_nth(nth);
        status = attempt(data);
        hit = failing_alloc_hit();
        failing_alloc_nth(0);
        if (!hit) {
            TEST_REQUIRE_EQUAL(status, SEC_E_OK);
            return nth;
        }
        TEST_REQUIRE(status <= SEC_E_OK);
        TEST_REQUIRE_EQUAL(attempt(data), SEC_E_OK);
    }
    return 0;
}

static SECURITY_STATUS acquire(void *data)
{
    struct sspi_end end = {.server = true};
    SECURITY_STATUS status = sspi_acquire(&end, data);

    if (status == SEC_E_OK)
        TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&end.credential), SEC_E_OK);
    return status;
}

static void acquire_survives_every_failure(void **state)
{
    PCCERT_CONTEXT certificate = peer_certificate("server");
    SCHANNEL_CRED cred = sspi_schannel_cred(&certificate);

    (void)state;
    assert_int_equal(acquire(&cred), SEC_E_OK);
    assert_true(fail_each(acquire, &cred, TEST_SANITIZED ? 41 : 7) > 1);
    CertFreeCertificateContext(certificate);
}

static SECURITY_STATUS talk(struct sspi_pair *pair)
{
    uint8_t data[64];
    size_t len;
    SECURITY_STATUS status = QueryContextAttributesA(&pair->client.context,
                                                     SECPKG_ATTR_STREAM_SIZES, &pair->client.sizes);

    if (status == SEC_E_OK)
        status = QueryContextAttributesA(&pair->server.context, SECPKG_ATTR_STREAM_SIZES,
                                         &pair->server.sizes);
    if (status == SEC_E_OK)
        status = sspi_send(&pair->server, &pair->client, "hello", 5);
    if (status == SEC_E_OK)
        status = sspi_receive_data(&pair->client, &pair->server, data, sizeof(data), &len);
    return status;
}

static SECURITY_STATUS connect_and_talk(void *data)
{
    struct sspi_pair *pair = data;
    SECURITY_STATUS status = sspi_handshake(pair);

    if (status == SEC_E_OK)
        status = talk(pair);
    sspi_pair_disconnect(pair);
    return status;
}

static void handshake_survives_every_failure(void **state)
{
    static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};
    static struct sspi_pair pair;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sspi_pair_init(&pair, protocols[i], "server");
        assert_int_equal(connect_and_talk(&pair), SEC_E_OK);
        assert_true(fail_each(connect_and_talk, &pair, TEST_SANITIZED ? 23 : 3) > 1);
        sspi_pair_clear(&pair);
    }
}

struct question {
    struct sspi_end *end;
    ULONG attribute;
};

static SECURITY_STATUS ask(void *data)
{
    struct question *question = data;
    union {
        PCCERT_CONTEXT certificate;
        SecPkgContext_Certificates chain;
        SecPkgContext_KeyInfoA key;
        SecPkgContext_Bindings bindings;
    } answer;
    SECURITY_STATUS status =
        QueryContextAttributesA(&question->end->context, question->attribute, &answer);

    if (status != SEC_E_OK)
        return status;
    switch (question->attribute) {
    case SECPKG_ATTR_REMOTE_CERT_CONTEXT:
        CertFreeCertificateContext(answer.certificate);
        break;
    case SECPKG_ATTR_REMOTE_CERTIFICATES:
        FreeContextBuffer(answer.chain.pbCertificateChain);
        break;
    case SECPKG_ATTR_KEY_INFO:
        FreeContextBuffer(answer.key.sEncryptAlgorithmName);
        FreeContextBuffer(answer.key.sSignatureAlgorithmName);
        break;
    default:
        FreeContextBuffer(answer.bindings.Bindings);
        break;
    }
    return SEC_E_OK;
}

static void queries_survive_every_failure(void **state)
{
    static const ULONG attributes[] = {SECPKG_ATTR_REMOTE_CERT_CONTEXT,
                                       SECPKG_ATTR_REMOTE_CERTIFICATES, SECPKG_ATTR_KEY_INFO,
                                       SECPKG_ATTR_ENDPOINT_BINDINGS};
    static struct sspi_pair pair;

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    sspi_connect(&pair);
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        struct question question = {&pair.client, attributes[i]};

        assert_true(fail_each(ask, &question, TEST_SANITIZED ? 7 : 1) > 1);
    }
    sspi_pair_clear(&pair);
}

static int prepare(void **state)
{
    (void)state;
    peer_trust("ca");
    test_watchdog(300);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acquire_survives_every_failure),
        cmocka_unit_test(handshake_survives_every_failure),
        cmocka_unit_test(queries_survive_every_failure),
    };

    /* Before OpenSSL has allocated anything. */
    TEST_REQUIRE_EQUAL(CRYPTO_set_mem_functions(ossl_malloc, ossl_realloc, ossl_free), 1);
    return cmocka_run_group_tests(tests, prepare, NULL);
}
