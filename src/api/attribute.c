/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Shapes of the attribute structures; see attribute.h. Constant tables, thread-safe.
 *
 * Attributes of variable size (KDC_PROXY_SETTINGS) have no row.
 */
#include "api/attribute.h"

#include <credssp.h>
#include <opensspi.h>
#include <schannel.h>
#include <string.h>

#include "api/package.h"
#include "api/text.h"
#include "base/memory.h"
#include "core/buffers.h"

#define PLAIN(attribute_id, type) \
    { \
        .attribute = (attribute_id), .size = sizeof(type) \
    }
#define TEXT(attribute_id, type, member) \
    { \
        .attribute = (attribute_id), .size = sizeof(type), .string_count = 1, .strings = { \
            offsetof(type, member) \
        } \
    }
#define TEXTS(attribute_id, type, first, second) \
    { \
        .attribute = (attribute_id), .size = sizeof(type), .string_count = 2, .strings = { \
            offsetof(type, first), \
            offsetof(type, second) \
        } \
    }
#define INFO(attribute_id, type) \
    { \
        .attribute = (attribute_id), .size = sizeof(type), .package_info = true \
    }

/* clang-format off */
static const struct osspi_shape context_shapes[] = {
    PLAIN(OSSPI_ATTR_EARLY_DATA, OsspiEarlyData),
    PLAIN(OSSPI_ATTR_AUTHORIZATION, OsspiContextAuthorization),
    PLAIN(SECPKG_ATTR_SIZES, SecPkgContext_Sizes),
    TEXT(SECPKG_ATTR_NAMES, SecPkgContext_NamesA, sUserName),
    PLAIN(SECPKG_ATTR_LIFESPAN, SecPkgContext_Lifespan),
    PLAIN(SECPKG_ATTR_DCE_INFO, SecPkgContext_DceInfo),
    PLAIN(SECPKG_ATTR_STREAM_SIZES, SecPkgContext_StreamSizes),
    TEXTS(SECPKG_ATTR_KEY_INFO, SecPkgContext_KeyInfoA, sSignatureAlgorithmName,
          sEncryptAlgorithmName),
    TEXT(SECPKG_ATTR_AUTHORITY, SecPkgContext_AuthorityA, sAuthorityName),
    TEXT(SECPKG_ATTR_PROTO_INFO, SecPkgContext_ProtoInfoA, sProtocolName),
    PLAIN(SECPKG_ATTR_PASSWORD_EXPIRY, SecPkgContext_PasswordExpiry),
    PLAIN(SECPKG_ATTR_SESSION_KEY, SecPkgContext_SessionKey),
    INFO(SECPKG_ATTR_PACKAGE_INFO, SecPkgContext_PackageInfoA),
    PLAIN(SECPKG_ATTR_USER_FLAGS, SecPkgContext_UserFlags),
    INFO(SECPKG_ATTR_NEGOTIATION_INFO, SecPkgContext_NegotiationInfoA),
    TEXTS(SECPKG_ATTR_NATIVE_NAMES, SecPkgContext_NativeNamesA, sClientName, sServerName),
    PLAIN(SECPKG_ATTR_FLAGS, SecPkgContext_Flags),
    TEXT(SECPKG_ATTR_CREDENTIAL_NAME, SecPkgContext_CredentialNameA, sCredentialName),
    PLAIN(SECPKG_ATTR_TARGET_INFORMATION, SecPkgContext_TargetInformation),
    PLAIN(SECPKG_ATTR_ACCESS_TOKEN, SecPkgContext_AccessToken),
    PLAIN(SECPKG_ATTR_TARGET, SecPkgContext_Target),
    PLAIN(SECPKG_ATTR_AUTHENTICATION_ID, SecPkgContext_AuthzID),
    PLAIN(SECPKG_ATTR_LOGOFF_TIME, SecPkgContext_LogoffTime),
    PLAIN(SECPKG_ATTR_NEGO_KEYS, SecPkgContext_NegoKeys),
    PLAIN(SECPKG_ATTR_PROMPTING_NEEDED, SecPkgContext_CredInfo),
    PLAIN(SECPKG_ATTR_UNIQUE_BINDINGS, SecPkgContext_Bindings),
    PLAIN(SECPKG_ATTR_ENDPOINT_BINDINGS, SecPkgContext_Bindings),
    {.attribute = SECPKG_ATTR_CLIENT_SPECIFIED_TARGET,
     .size = sizeof(SecPkgContext_ClientSpecifiedTarget),
     .string_count = 1,
     .strings = {offsetof(SecPkgContext_ClientSpecifiedTarget, sTargetName)},
     .always_wide = true},
    PLAIN(SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS, SecPkgContext_LastClientTokenStatus),
    PLAIN(SECPKG_ATTR_NEGO_PKG_INFO, SecPkgContext_NegoPackageInfo),
    PLAIN(SECPKG_ATTR_NEGO_STATUS, SecPkgContext_NegoStatus),
    PLAIN(SECPKG_ATTR_DTLS_MTU, SEC_DTLS_MTU),
    PLAIN(SECPKG_ATTR_APPLICATION_PROTOCOL, SecPkgContext_ApplicationProtocol),
    PLAIN(SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS, SecPkgContext_NegotiatedTlsExtensions),
    PLAIN(SECPKG_ATTR_SUBJECT_SECURITY_ATTRIBUTES, SecPkgContext_SubjectAttributes),
    PLAIN(SECPKG_ATTR_REMOTE_CERT_CONTEXT, PCCERT_CONTEXT),
    PLAIN(SECPKG_ATTR_LOCAL_CERT_CONTEXT, PCCERT_CONTEXT),
    PLAIN(SECPKG_ATTR_ROOT_STORE, HCERTSTORE),
    PLAIN(SECPKG_ATTR_ISSUER_LIST_EX, SecPkgContext_IssuerListInfoEx),
    PLAIN(SECPKG_ATTR_CONNECTION_INFO, SecPkgContext_ConnectionInfo),
    PLAIN(SECPKG_ATTR_CONNECTION_INFO_EX, SecPkgContext_ConnectionInfoEx),
    PLAIN(SECPKG_ATTR_EAP_KEY_BLOCK, SecPkgContext_EapKeyBlock),
    PLAIN(SECPKG_ATTR_MAPPED_CRED_ATTR, SecPkgContext_MappedCredAttr),
    PLAIN(SECPKG_ATTR_SESSION_INFO, SecPkgContext_SessionInfo),
    PLAIN(SECPKG_ATTR_APP_DATA, SecPkgContext_SessionAppData),
    PLAIN(SECPKG_ATTR_REMOTE_CERTIFICATES, SecPkgContext_Certificates),
    PLAIN(SECPKG_ATTR_CC_POLICY_RESULT, SecPkgContext_ClientCertPolicyResult),
    PLAIN(SECPKG_ATTR_LOCAL_CERT_INFO, SecPkgContext_CertInfo),
    PLAIN(SECPKG_ATTR_CIPHER_INFO, SecPkgContext_CipherInfo),
    PLAIN(SECPKG_ATTR_EAP_PRF_INFO, SecPkgContext_EapPrfInfo),
    PLAIN(SECPKG_ATTR_SUPPORTED_SIGNATURES, SecPkgContext_SupportedSignatures),
    PLAIN(SECPKG_ATTR_REMOTE_CERT_CHAIN, PCCERT_CHAIN_CONTEXT),
    PLAIN(SECPKG_ATTR_UI_INFO, SecPkgContext_UiInfo),
    PLAIN(SECPKG_ATTR_EARLY_START, SecPkgContext_EarlyStart),
    PLAIN(SECPKG_ATTR_KEYING_MATERIAL_INFO, SecPkgContext_KeyingMaterialInfo),
    PLAIN(SECPKG_ATTR_KEYING_MATERIAL, SecPkgContext_KeyingMaterial),
    PLAIN(SECPKG_ATTR_SRTP_PARAMETERS, SecPkgContext_SrtpParameters),
    PLAIN(SECPKG_ATTR_TOKEN_BINDING, SecPkgContext_TokenBinding),
    PLAIN(SECPKG_ATTR_CERT_CHECK_RESULT, SecPkgContext_CertificateValidationResult),
    PLAIN(SECPKG_ATTR_KEYING_MATERIAL_INPROC, SecPkgContext_KeyingMaterial_Inproc),
    PLAIN(SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT, CERT_BLOB),
    PLAIN(SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT_INPROC, CERT_BLOB),
    PLAIN(SECPKG_ATTR_CERT_CHECK_RESULT_INPROC, SecPkgContext_CertificateValidationResult),
    PLAIN(SECPKG_ATTR_CREDS_2, SecPkgContext_ClientCreds),
};

static const struct osspi_shape credential_shapes[] = {
    TEXT(SECPKG_CRED_ATTR_NAMES, SecPkgCredentials_NamesA, sUserName),
    TEXT(SECPKG_CRED_ATTR_SSI_PROVIDER, SecPkgCredentials_SSIProviderA, sProviderName),
    PLAIN(SECPKG_CRED_ATTR_CERT, SecPkgCredentials_Cert),
    PLAIN(SECPKG_ATTR_SUPPORTED_ALGS, SecPkgCred_SupportedAlgs),
    PLAIN(SECPKG_ATTR_CIPHER_STRENGTHS, SecPkgCred_CipherStrengths),
    PLAIN(SECPKG_ATTR_SUPPORTED_PROTOCOLS, SecPkgCred_SupportedProtocols),
    PLAIN(SECPKG_ATTR_CLIENT_CERT_POLICY, SecPkgCred_ClientCertPolicy),
    PLAIN(SECPKG_ATTR_SESSION_TICKET_KEYS, SecPkgCred_SessionTicketKeys),
    PLAIN(OSSPI_CRED_ATTR_TLS_OPTIONS, OsspiTlsOptions),
    PLAIN(OSSPI_CRED_ATTR_CREDSSP_OPTIONS, OsspiCredSspOptions),
};
/* clang-format on */

static const struct osspi_shape *find(const struct osspi_shape *shapes, size_t count,
                                      uint32_t attribute)
{
    for (size_t i = 0; i < count; i++) {
        if (shapes[i].attribute == attribute)
            return &shapes[i];
    }
    return NULL;
}

const struct osspi_shape *osspi_shape_of_context(uint32_t attribute)
{
    return find(context_shapes, OSSPI_COUNT_OF(context_shapes), attribute);
}

const struct osspi_shape *osspi_shape_of_credential(uint32_t attribute)
{
    return find(credential_shapes, OSSPI_COUNT_OF(credential_shapes), attribute);
}

SECURITY_STATUS osspi_shape_check(const struct osspi_shape *shape, size_t size)
{
    if (!shape || size == shape->size)
        return SEC_E_OK;
    return size < shape->size ? SEC_E_BUFFER_TOO_SMALL : SEC_E_INVALID_PARAMETER;
}

/* The structures have members of different pointer types: read and written as bytes. */
static void *get_pointer(const void *buffer, size_t offset)
{
    void *pointer;

    memcpy(&pointer, (const char *)buffer + offset, sizeof(pointer));
    return pointer;
}

static void set_pointer(void *buffer, size_t offset, void *pointer)
{
    memcpy((char *)buffer + offset, &pointer, sizeof(pointer));
}

void osspi_shape_free_strings(const struct osspi_shape *shape, void *buffer)
{
    for (uint8_t i = 0; i < shape->string_count; i++) {
        (void)osspi_context_buffer_free(get_pointer(buffer, shape->strings[i]));
        set_pointer(buffer, shape->strings[i], NULL);
    }
}

static SECURITY_STATUS widen_strings(const struct osspi_shape *shape, void *buffer)
{
    for (uint8_t i = 0; i < shape->string_count; i++) {
        char *narrow = get_pointer(buffer, shape->strings[i]);
        WCHAR *wide;

        if (!narrow)
            continue;
        wide = osspi_context_buffer_wide(narrow);
        if (!wide)
            return SEC_E_INSUFFICIENT_MEMORY;
        (void)osspi_context_buffer_free(narrow);
        set_pointer(buffer, shape->strings[i], wide);
    }
    return SEC_E_OK;
}

SECURITY_STATUS osspi_shape_widen(const struct osspi_shape *shape, void *buffer)
{
    SECURITY_STATUS status = widen_strings(shape, buffer);
    PSecPkgInfoA narrow = shape->package_info ? get_pointer(buffer, 0) : NULL;
    void *wide = NULL;

    if (status == SEC_E_OK && narrow) {
        status = osspi_package_info_widen(narrow, &wide);
        if (status == SEC_E_OK)
            set_pointer(buffer, 0, wide);
        (void)osspi_context_buffer_free(narrow);
    }
    if (status != SEC_E_OK) {
        osspi_shape_free_strings(shape, buffer);
        memset(buffer, 0, shape->size);
    }
    return status;
}

SECURITY_STATUS osspi_shape_narrow(const struct osspi_shape *shape, void *buffer)
{
    char *narrow[OSSPI_SHAPE_STRINGS] = {0};

    for (uint8_t i = 0; i < shape->string_count; i++) {
        const WCHAR *wide = get_pointer(buffer, shape->strings[i]);

        if (!wide)
            continue;
        narrow[i] = osspi_context_buffer_utf8(wide);
        if (!narrow[i]) {
            for (uint8_t j = 0; j < i; j++)
                (void)osspi_context_buffer_free(narrow[j]);
            return SEC_E_INSUFFICIENT_MEMORY;
        }
    }
    for (uint8_t i = 0; i < shape->string_count; i++)
        set_pointer(buffer, shape->strings[i], narrow[i]);
    return SEC_E_OK;
}
