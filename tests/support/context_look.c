/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Asking a security context for its attributes; see context_look.h.
 */
#include "support/context_look.h"

#include <credssp.h>
#include <opensspi.h>
#include <schannel.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/contract_status.h"
#include "support/test_util.h"

static _Thread_local volatile unsigned sum; /* so that no read is left out */

static void read_bytes(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++)
        sum += at[i];
}

static void free_buffer(void *buffer)
{
    TEST_REQUIRE_EQUAL(FreeContextBuffer(buffer), SEC_E_OK);
}

/* ---- what the attributes leave to be freed ---- */

static void end_nothing(void *answer)
{
    (void)answer;
}

static void end_key(void *answer)
{
    SecPkgContext_KeyInfoA *key = answer;

    read_bytes(key->sEncryptAlgorithmName, strlen(key->sEncryptAlgorithmName));
    read_bytes(key->sSignatureAlgorithmName, strlen(key->sSignatureAlgorithmName));
    free_buffer(key->sEncryptAlgorithmName);
    free_buffer(key->sSignatureAlgorithmName);
}

static void end_certificate(void *answer)
{
    PCCERT_CONTEXT context = *(PCCERT_CONTEXT *)answer;
    char name[200];

    read_bytes(context->pbCertEncoded, context->cbCertEncoded);
    TEST_REQUIRE(CertGetNameStringA(context, CERT_NAME_SIMPLE_DISPLAY_TYPE, 0, NULL, name,
                                    sizeof(name)) >= 1);
    CertFreeCertificateContext(context);
}

static void end_certificates(void *answer)
{
    SecPkgContext_Certificates *all = answer;

    read_bytes(all->pbCertificateChain, all->cbCertificateChain);
    free_buffer(all->pbCertificateChain);
}

static void end_bindings(void *answer)
{
    SecPkgContext_Bindings *bindings = answer;

    read_bytes(bindings->Bindings, bindings->BindingsLength);
    free_buffer(bindings->Bindings);
}

static void end_protocol(void *answer)
{
    SecPkgContext_ApplicationProtocol *protocol = answer;

    read_bytes(protocol->ProtocolId, protocol->ProtocolIdSize);
}

static void end_keying(void *answer)
{
    SecPkgContext_KeyingMaterial *material = answer;

    read_bytes(material->pbKeyingMaterial, material->cbKeyingMaterial);
    free_buffer(material->pbKeyingMaterial);
}

static void end_issuers(void *answer)
{
    SecPkgContext_IssuerListInfoEx *list = answer;

    for (DWORD i = 0; i < list->cIssuers; i++)
        read_bytes(list->aIssuers[i].pbData, list->aIssuers[i].cbData);
    if (list->aIssuers)
        free_buffer(list->aIssuers);
}

static void end_early(void *answer)
{
    OsspiEarlyData *early = answer;

    read_bytes(early->pvData, early->cbData);
    if (early->pvData)
        free_buffer(early->pvData);
}

static void end_credentials(void *answer)
{
    SecPkgContext_ClientCreds *creds = answer;

    read_bytes(creds->AuthBuffer, creds->AuthBufferLen);
    free_buffer(creds->AuthBuffer);
}

static const struct {
    ULONG attribute, size;
    void (*end)(void *answer);
} attributes[] = {
    {SECPKG_ATTR_SIZES, sizeof(SecPkgContext_Sizes), end_nothing},
    {SECPKG_ATTR_STREAM_SIZES, sizeof(SecPkgContext_StreamSizes), end_nothing},
    {SECPKG_ATTR_FLAGS, sizeof(SecPkgContext_Flags), end_nothing},
    {SECPKG_ATTR_LIFESPAN, sizeof(SecPkgContext_Lifespan), end_nothing},
    {SECPKG_ATTR_CONNECTION_INFO, sizeof(SecPkgContext_ConnectionInfo), end_nothing},
    {SECPKG_ATTR_CONNECTION_INFO_EX, sizeof(SecPkgContext_ConnectionInfoEx), end_nothing},
    {SECPKG_ATTR_CIPHER_INFO, sizeof(SecPkgContext_CipherInfo), end_nothing},
    {SECPKG_ATTR_KEY_INFO, sizeof(SecPkgContext_KeyInfoA), end_key},
    {SECPKG_ATTR_SESSION_INFO, sizeof(SecPkgContext_SessionInfo), end_nothing},
    {SECPKG_ATTR_APPLICATION_PROTOCOL, sizeof(SecPkgContext_ApplicationProtocol), end_protocol},
    {SECPKG_ATTR_REMOTE_CERT_CONTEXT, sizeof(PCCERT_CONTEXT), end_certificate},
    {SECPKG_ATTR_LOCAL_CERT_CONTEXT, sizeof(PCCERT_CONTEXT), end_certificate},
    {SECPKG_ATTR_REMOTE_CERTIFICATES, sizeof(SecPkgContext_Certificates), end_certificates},
    {SECPKG_ATTR_UNIQUE_BINDINGS, sizeof(SecPkgContext_Bindings), end_bindings},
    {SECPKG_ATTR_ENDPOINT_BINDINGS, sizeof(SecPkgContext_Bindings), end_bindings},
    {SECPKG_ATTR_KEYING_MATERIAL, sizeof(SecPkgContext_KeyingMaterial), end_keying},
    {SECPKG_ATTR_ISSUER_LIST_EX, sizeof(SecPkgContext_IssuerListInfoEx), end_issuers},
    {SECPKG_ATTR_CERT_CHECK_RESULT, sizeof(SecPkgContext_CertificateValidationResult), end_nothing},
    {SECPKG_ATTR_CREDS_2, sizeof(SecPkgContext_ClientCreds), end_credentials},
    {OSSPI_ATTR_EARLY_DATA, sizeof(OsspiEarlyData), end_early},
};

const size_t context_look_count = sizeof(attributes) / sizeof(attributes[0]);

SECURITY_STATUS context_look_at(PCtxtHandle context, size_t index, enum context_look_form form)
{
    ULONG attribute = attributes[index].attribute, size = attributes[index].size;
    uint8_t *answer = calloc(1, size); /* exact, for the sanitizers to see the end */
    SECURITY_STATUS status;

    TEST_REQUIRE(answer);
    answer[0] = 1; /* the version that CIPHER_INFO asks for */
    switch (form) {
    case CONTEXT_LOOK_A:
        status = QueryContextAttributesA(context, attribute, answer);
        break;
    case CONTEXT_LOOK_W:
        status = QueryContextAttributesW(context, attribute, answer);
        break;
    case CONTEXT_LOOK_EX_A:
        status = QueryContextAttributesExA(context, attribute, answer, size);
        break;
    default:
        status = QueryContextAttributesExW(context, attribute, answer, size);
        break;
    }
    contract_require("QueryContextAttributesA", status);
    if (status == SEC_E_OK)
        attributes[index].end(answer);
    free(answer);
    return status;
}

void context_look(PCtxtHandle context)
{
    char detail[64];

    for (size_t i = 0; i < context_look_count; i++)
        (void)context_look_at(context, i, CONTEXT_LOOK_EX_A);
    contract_require("OsspiGetErrorDetail", OsspiGetErrorDetail(context, detail, sizeof(detail)));
    TEST_REQUIRE(memchr(detail, 0, sizeof(detail)) != NULL);
}
