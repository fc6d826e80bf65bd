/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: sizes of all attributes of a context in the Ex forms, in both encodings; and those that
 * are not there, which are refused in the same way.
 */
#include <schannel.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static SECURITY_STATUS query(struct peer_end *end, ULONG attribute, void *buffer)
{
    return QueryContextAttributesA(&end->context, attribute, buffer);
}

/* ---- sizes ---- */

static const struct {
    ULONG attribute, size;
    SECURITY_STATUS client, server; /* of an established context, with the right size */
} rows[] = {
    {SECPKG_ATTR_SIZES, sizeof(SecPkgContext_Sizes), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_NAMES, sizeof(SecPkgContext_NamesA), SEC_E_OK, SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_LIFESPAN, sizeof(SecPkgContext_Lifespan), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_STREAM_SIZES, sizeof(SecPkgContext_StreamSizes), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_KEY_INFO, sizeof(SecPkgContext_KeyInfoA), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_AUTHORITY, sizeof(SecPkgContext_AuthorityA), SEC_E_OK, SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_PROTO_INFO, sizeof(SecPkgContext_ProtoInfoA), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_PACKAGE_INFO, sizeof(SecPkgContext_PackageInfoA), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_FLAGS, sizeof(SecPkgContext_Flags), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_TARGET_INFORMATION, sizeof(SecPkgContext_TargetInformation), SEC_E_OK,
     SEC_E_UNSUPPORTED_FUNCTION},
    {SECPKG_ATTR_UNIQUE_BINDINGS, sizeof(SecPkgContext_Bindings), SEC_E_UNSUPPORTED_FUNCTION,
     SEC_E_UNSUPPORTED_FUNCTION},
    {SECPKG_ATTR_ENDPOINT_BINDINGS, sizeof(SecPkgContext_Bindings), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_APPLICATION_PROTOCOL, sizeof(SecPkgContext_ApplicationProtocol), SEC_E_OK,
     SEC_E_OK},
    {SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS, sizeof(SecPkgContext_NegotiatedTlsExtensions), SEC_E_OK,
     SEC_E_OK},
    {SECPKG_ATTR_REMOTE_CERT_CONTEXT, sizeof(PCCERT_CONTEXT), SEC_E_OK, SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_LOCAL_CERT_CONTEXT, sizeof(PCCERT_CONTEXT), SEC_E_NO_CREDENTIALS, SEC_E_OK},
    {SECPKG_ATTR_ISSUER_LIST_EX, sizeof(SecPkgContext_IssuerListInfoEx), SEC_E_NO_CREDENTIALS,
     SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_CONNECTION_INFO, sizeof(SecPkgContext_ConnectionInfo), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_EAP_KEY_BLOCK, sizeof(SecPkgContext_EapKeyBlock), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_SESSION_INFO, sizeof(SecPkgContext_SessionInfo), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_APP_DATA, sizeof(SecPkgContext_SessionAppData), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_REMOTE_CERTIFICATES, sizeof(SecPkgContext_Certificates), SEC_E_OK,
     SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_LOCAL_CERT_INFO, sizeof(SecPkgContext_CertInfo), SEC_E_NO_CREDENTIALS, SEC_E_OK},
    {SECPKG_ATTR_CIPHER_INFO, sizeof(SecPkgContext_CipherInfo), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_SUPPORTED_SIGNATURES, sizeof(SecPkgContext_SupportedSignatures), SEC_E_OK,
     SEC_E_OK},
    {SECPKG_ATTR_REMOTE_CERT_CHAIN, sizeof(PCCERT_CHAIN_CONTEXT), SEC_E_OK, SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_KEYING_MATERIAL, sizeof(SecPkgContext_KeyingMaterial), SEC_E_INVALID_PARAMETER,
     SEC_E_INVALID_PARAMETER},
    {SECPKG_ATTR_CONNECTION_INFO_EX, sizeof(SecPkgContext_ConnectionInfoEx), SEC_E_OK, SEC_E_OK},
    {SECPKG_ATTR_KEYING_MATERIAL_INPROC, sizeof(SecPkgContext_KeyingMaterial_Inproc),
     SEC_E_INVALID_PARAMETER, SEC_E_INVALID_PARAMETER},
    {SECPKG_ATTR_CERT_CHECK_RESULT, sizeof(SecPkgContext_CertificateValidationResult), SEC_E_OK,
     SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_CERT_CHECK_RESULT_INPROC, sizeof(SecPkgContext_CertificateValidationResult),
     SEC_E_OK, SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT, sizeof(CERT_BLOB), SEC_E_OK, SEC_E_NO_CREDENTIALS},
    {SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT_INPROC, sizeof(CERT_BLOB), SEC_E_OK,
     SEC_E_NO_CREDENTIALS},
};

/* Has a query put a pointer there that it wants back? */
static void drop_answer(ULONG attribute, void *buffer)
{
    void *pointers[4];

    memcpy(pointers, buffer, sizeof(pointers));
    switch (attribute) {
    case SECPKG_ATTR_REMOTE_CERT_CONTEXT:
    case SECPKG_ATTR_LOCAL_CERT_CONTEXT:
        CertFreeCertificateContext(pointers[0]);
        break;
    case SECPKG_ATTR_REMOTE_CERT_CHAIN:
        CertFreeCertificateChain(pointers[0]);
        break;
    case SECPKG_ATTR_KEY_INFO:
    case SECPKG_ATTR_NAMES:
    case SECPKG_ATTR_AUTHORITY:
    case SECPKG_ATTR_PROTO_INFO:
    case SECPKG_ATTR_PACKAGE_INFO:
        FreeContextBuffer(pointers[0]);
        if (attribute == SECPKG_ATTR_KEY_INFO)
            FreeContextBuffer(pointers[1]);
        break;
    case SECPKG_ATTR_LOCAL_CERT_INFO:
        FreeContextBuffer(((SecPkgContext_CertInfo *)buffer)->pwszSubjectName);
        FreeContextBuffer(((SecPkgContext_CertInfo *)buffer)->pwszIssuerName);
        break;
    case SECPKG_ATTR_TARGET_INFORMATION:
    case SECPKG_ATTR_ENDPOINT_BINDINGS:
    case SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS:
    case SECPKG_ATTR_REMOTE_CERTIFICATES:
    case SECPKG_ATTR_SUPPORTED_SIGNATURES:
    case SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT:
    case SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT_INPROC:
        FreeContextBuffer(pointers[1]);
        break;
    default:
        break;
    }
}

typedef SECURITY_STATUS (*query_ex)(PCtxtHandle, ULONG, void *, ULONG);

/* In a block of the size that is told, so that a sanitizer sees the first byte too many. */
static SECURITY_STATUS ask(query_ex function, struct peer_end *end, ULONG attribute, ULONG size)
{
    void *buffer = calloc(1, size);
    SECURITY_STATUS status;

    assert_non_null(buffer);
    if (attribute == SECPKG_ATTR_CIPHER_INFO || attribute == SECPKG_ATTR_CONNECTION_INFO_EX)
        *(DWORD *)buffer = 1;
    status = function(&end->context, attribute, buffer, size);
    if (status == SEC_E_OK) {
        void *copy = calloc(1, size + 4 * sizeof(void *));

        assert_non_null(copy);
        memcpy(copy, buffer, size);
        drop_answer(attribute, copy);
        free(copy);
    }
    free(buffer);
    return status;
}

static void s2_8_sizes_are_checked(const struct peer_form *form)
{
    static const query_ex functions[] = {QueryContextAttributesExA, QueryContextAttributesExW};
    struct peer_pair pair;

    peer_open(&pair, form, &(struct peer_setup){.protocols = SP_PROT_TLS1_3_CLIENT});
    peer_connect(&pair);
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t j = 0; j < COUNT(functions); j++) {
            const ULONG size = rows[i].size, attribute = rows[i].attribute;

            assert_int_equal(ask(functions[j], &pair.client, attribute, size), rows[i].client);
            assert_int_equal(ask(functions[j], &pair.server, attribute, size), rows[i].server);
            assert_int_equal(ask(functions[j], &pair.client, attribute, size - 4 > 4 ? 4 : 3),
                             SEC_E_BUFFER_TOO_SMALL);
            assert_int_equal(ask(functions[j], &pair.client, attribute, size - 1),
                             SEC_E_BUFFER_TOO_SMALL);
            assert_int_equal(ask(functions[j], &pair.client, attribute, size + 1),
                             SEC_E_INVALID_PARAMETER);
        }
    }
    peer_close(&pair);
}

/* ---- what is not there ---- */

/* Each has its reason in docs/schannel.md. */
static const ULONG refused[] = {SECPKG_ATTR_DCE_INFO,
                                SECPKG_ATTR_PASSWORD_EXPIRY,
                                SECPKG_ATTR_SESSION_KEY,
                                SECPKG_ATTR_USER_FLAGS,
                                SECPKG_ATTR_NEGOTIATION_INFO,
                                SECPKG_ATTR_NATIVE_NAMES,
                                SECPKG_ATTR_USE_VALIDATED,
                                SECPKG_ATTR_CREDENTIAL_NAME,
                                SECPKG_ATTR_ACCESS_TOKEN,
                                SECPKG_ATTR_TARGET,
                                SECPKG_ATTR_AUTHENTICATION_ID,
                                SECPKG_ATTR_LOGOFF_TIME,
                                SECPKG_ATTR_NEGO_KEYS,
                                SECPKG_ATTR_PROMPTING_NEEDED,
                                SECPKG_ATTR_CLIENT_SPECIFIED_TARGET,
                                SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS,
                                SECPKG_ATTR_NEGO_PKG_INFO,
                                SECPKG_ATTR_NEGO_STATUS,
                                SECPKG_ATTR_CONTEXT_DELETED,
                                SECPKG_ATTR_IS_LOOPBACK,
                                SECPKG_ATTR_SUBJECT_SECURITY_ATTRIBUTES,
                                SECPKG_ATTR_ISSUER_LIST,
                                SECPKG_ATTR_REMOTE_CRED,
                                SECPKG_ATTR_LOCAL_CRED,
                                SECPKG_ATTR_ROOT_STORE,
                                SECPKG_ATTR_SUPPORTED_ALGS,
                                SECPKG_ATTR_CIPHER_STRENGTHS,
                                SECPKG_ATTR_SUPPORTED_PROTOCOLS,
                                SECPKG_ATTR_MAPPED_CRED_ATTR,
                                SECPKG_ATTR_CLIENT_CERT_POLICY,
                                SECPKG_ATTR_CC_POLICY_RESULT,
                                SECPKG_ATTR_USE_NCRYPT,
                                SECPKG_ATTR_EAP_PRF_INFO,
                                SECPKG_ATTR_UI_INFO,
                                SECPKG_ATTR_KEYING_MATERIAL_INFO,
                                SECPKG_ATTR_TOKEN_BINDING,
                                SECPKG_ATTR_KEYING_MATERIAL_TOKEN_BINDING,
                                SECPKG_ATTR_SESSION_TICKET_KEYS};

static void s3_6_the_others_are_refused(const struct peer_form *form)
{
    static union {
        uint8_t bytes[1024];
        uint64_t aligned;
    } buffer;
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_int_equal(query(&pair.client, refused[i], &buffer), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(query(&pair.server, refused[i], &buffer), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(QueryContextAttributesW(&pair.client.context, refused[i], &buffer),
                         SEC_E_UNSUPPORTED_FUNCTION);
    }
    peer_close(&pair);
}

static void s2_8_what_cannot_be_set_is_refused(const struct peer_form *form)
{
    SecPkgContext_UiInfo ui = {0};
    SecPkgContext_SessionAppData data = {0};
    uint8_t large[64] = {0};
    struct peer_pair pair;
    PCtxtHandle context = &pair.client.context;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    assert_int_equal(SetContextAttributesA(context, SECPKG_ATTR_UI_INFO, &ui, sizeof(ui)),
                     SEC_E_UNSUPPORTED_FUNCTION);
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *buffer = calloc(1, rows[i].size);

        if (rows[i].attribute != SECPKG_ATTR_APP_DATA)
            assert_int_equal(
                SetContextAttributesW(context, rows[i].attribute, buffer, rows[i].size),
                SEC_E_UNSUPPORTED_FUNCTION);
        free(buffer);
    }
    assert_int_equal(SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, &data, sizeof(data) - 1),
                     SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, large, sizeof(large)),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, NULL, sizeof(data)),
                     SEC_E_INVALID_PARAMETER);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s2_8_sizes_are_checked),
        PEER_CASE(s3_6_the_others_are_refused),
        PEER_CASE(s2_8_what_cannot_be_set_is_refused),
    };

    return peer_run_cases("contract.refused", cases, COUNT(cases));
}
