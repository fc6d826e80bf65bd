/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * QueryContextAttributes and SetContextAttributes: which attribute is answered by whom, and the
 * short answers. No lock is held; what is read here is constant once the context is established.
 * Before that nothing is known, and the answer is SEC_E_INVALID_HANDLE, as for EncryptMessage; but
 * for what is marked early, which has a lock of its own.
 */
#include <opensspi.h>

#include "base/clock.h"
#include "base/memory.h"
#include "packages/schannel/leg_datagram.h"

static SECURITY_STATUS sizes(struct osspi_schannel_context *sc, void *buffer)
{
    *(SecPkgContext_Sizes *)buffer = (SecPkgContext_Sizes){
        .cbMaxToken = OSSPI_MAX_TOKEN,
        .cbMaxSignature = 0, /* MakeSignature is not for Schannel */
        .cbBlockSize = sc->record->sizes.block,
        .cbSecurityTrailer = sc->kind == OSSPI_KIND_MESSAGES /* there are no records */
                                 ? 0
                                 : sc->record->sizes.header + sc->record->sizes.trailer,
    };
    return SEC_E_OK;
}

static SECURITY_STATUS stream_sizes(struct osspi_schannel_context *sc, void *buffer)
{
    if (sc->kind == OSSPI_KIND_MESSAGES) /* there are no records */
        return SEC_E_UNSUPPORTED_FUNCTION;
    *(SecPkgContext_StreamSizes *)buffer = (SecPkgContext_StreamSizes){
        .cbHeader = sc->record->sizes.header,
        .cbTrailer = sc->record->sizes.trailer,
        .cbMaximumMessage = osspi_schannel_maximum(sc),
        .cBuffers = 4,
        .cbBlockSize = sc->record->sizes.block,
    };
    return SEC_E_OK;
}

static SECURITY_STATUS flags(struct osspi_schannel_context *sc, void *buffer)
{
    /* The low half, as the call that asked returned it. */
    ((SecPkgContext_Flags *)buffer)->Flags = (ULONG)osspi_schannel_granted(sc);
    return SEC_E_OK;
}

static SECURITY_STATUS lifespan(struct osspi_schannel_context *sc, void *buffer)
{
    const int64_t end = osspi_schannel_facts(sc)->peer_not_after;
    SecPkgContext_Lifespan *span = buffer;

    span->tsStart.QuadPart = (LONGLONG)osspi_local_filetime_from_unix(sc->since);
    span->tsExpiry.QuadPart = (LONGLONG)OSSPI_FILETIME_NEVER;
    if (end < INT64_MAX)
        span->tsExpiry.QuadPart = (LONGLONG)osspi_local_filetime_from_unix(end);
    return SEC_E_OK;
}

static const struct {
    uint32_t attribute;
    uint32_t size;
    SECURITY_STATUS (*answer)(struct osspi_schannel_context *sc, void *buffer);
} answers[] = {
    {SECPKG_ATTR_SIZES, sizeof(SecPkgContext_Sizes), sizes},
    {SECPKG_ATTR_STREAM_SIZES, sizeof(SecPkgContext_StreamSizes), stream_sizes},
    {SECPKG_ATTR_NAMES, sizeof(SecPkgContext_NamesA), osspi_attribute_names},
    {SECPKG_ATTR_AUTHORITY, sizeof(SecPkgContext_AuthorityA), osspi_attribute_authority},
    {SECPKG_ATTR_PROTO_INFO, sizeof(SecPkgContext_ProtoInfoA), osspi_attribute_proto},
    {SECPKG_ATTR_TARGET_INFORMATION, sizeof(SecPkgContext_TargetInformation),
     osspi_attribute_target},
    {SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS, sizeof(SecPkgContext_NegotiatedTlsExtensions),
     osspi_attribute_extensions},
    {SECPKG_ATTR_SUPPORTED_SIGNATURES, sizeof(SecPkgContext_SupportedSignatures),
     osspi_attribute_signatures},
    {SECPKG_ATTR_LOCAL_CERT_INFO, sizeof(SecPkgContext_CertInfo), osspi_attribute_local_info},
    {SECPKG_ATTR_REMOTE_CERT_CHAIN, sizeof(PCCERT_CHAIN_CONTEXT), osspi_attribute_remote_chain},
    {SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT, sizeof(CERT_BLOB), osspi_attribute_serialized},
    {SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT_INPROC, sizeof(CERT_BLOB),
     osspi_attribute_serialized},
    {SECPKG_ATTR_APP_DATA, sizeof(SecPkgContext_SessionAppData), osspi_attribute_app_data},
    {SECPKG_ATTR_EAP_KEY_BLOCK, sizeof(SecPkgContext_EapKeyBlock), osspi_attribute_eap},
    {SECPKG_ATTR_FLAGS, sizeof(SecPkgContext_Flags), flags},
    {SECPKG_ATTR_LIFESPAN, sizeof(SecPkgContext_Lifespan), lifespan},
    {SECPKG_ATTR_CONNECTION_INFO, sizeof(SecPkgContext_ConnectionInfo), osspi_attribute_connection},
    {SECPKG_ATTR_CONNECTION_INFO_EX, sizeof(SecPkgContext_ConnectionInfoEx),
     osspi_attribute_connection_ex},
    {SECPKG_ATTR_CIPHER_INFO, sizeof(SecPkgContext_CipherInfo), osspi_attribute_cipher},
    {SECPKG_ATTR_KEY_INFO, sizeof(SecPkgContext_KeyInfoA), osspi_attribute_key},
    {SECPKG_ATTR_SESSION_INFO, sizeof(SecPkgContext_SessionInfo), osspi_attribute_session},
    {SECPKG_ATTR_APPLICATION_PROTOCOL, sizeof(SecPkgContext_ApplicationProtocol),
     osspi_attribute_protocol},
    {SECPKG_ATTR_REMOTE_CERT_CONTEXT, sizeof(PCCERT_CONTEXT), osspi_attribute_remote_certificate},
    {SECPKG_ATTR_LOCAL_CERT_CONTEXT, sizeof(PCCERT_CONTEXT), osspi_attribute_local_certificate},
    {SECPKG_ATTR_REMOTE_CERTIFICATES, sizeof(SecPkgContext_Certificates),
     osspi_attribute_remote_certificates},
    {SECPKG_ATTR_ISSUER_LIST_EX, sizeof(SecPkgContext_IssuerListInfoEx), osspi_attribute_issuers},
    {SECPKG_ATTR_CERT_CHECK_RESULT, sizeof(SecPkgContext_CertificateValidationResult),
     osspi_attribute_check_result},
    {SECPKG_ATTR_CERT_CHECK_RESULT_INPROC, sizeof(SecPkgContext_CertificateValidationResult),
     osspi_attribute_check_result},
    {SECPKG_ATTR_UNIQUE_BINDINGS, sizeof(SecPkgContext_Bindings), osspi_attribute_unique_bindings},
    {SECPKG_ATTR_ENDPOINT_BINDINGS, sizeof(SecPkgContext_Bindings),
     osspi_attribute_endpoint_bindings},
    {SECPKG_ATTR_KEYING_MATERIAL, sizeof(SecPkgContext_KeyingMaterial), osspi_attribute_keying},
    {SECPKG_ATTR_KEYING_MATERIAL_INPROC, sizeof(SecPkgContext_KeyingMaterial_Inproc),
     osspi_attribute_keying_inproc},
    {SECPKG_ATTR_DTLS_MTU, sizeof(SEC_DTLS_MTU), osspi_datagram_get_mtu},
    {SECPKG_ATTR_SRTP_PARAMETERS, sizeof(SecPkgContext_SrtpParameters), osspi_datagram_get_srtp},
    {OSSPI_ATTR_EARLY_DATA, sizeof(OsspiEarlyData), osspi_attribute_early},
};

/* Is it answered during the handshake too? */
static bool is_early(uint32_t attribute)
{
    return attribute == SECPKG_ATTR_ISSUER_LIST_EX || attribute == SECPKG_ATTR_CERT_CHECK_RESULT ||
           attribute == SECPKG_ATTR_DTLS_MTU || attribute == OSSPI_ATTR_EARLY_DATA;
}

SECURITY_STATUS osspi_schannel_query(struct osspi_context *context, uint32_t attribute,
                                     void *buffer, size_t size)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);

    for (size_t i = 0; i < OSSPI_COUNT_OF(answers); i++) {
        if (answers[i].attribute != attribute)
            continue;
        if (!is_early(attribute) && !osspi_schannel_established(sc))
            return SEC_E_INVALID_HANDLE;
        if (size < answers[i].size)
            return SEC_E_BUFFER_TOO_SMALL;
        return answers[i].answer(sc, buffer);
    }
    return SEC_E_UNSUPPORTED_FUNCTION;
}

static const struct {
    uint32_t attribute;
    uint32_t size;
    SECURITY_STATUS (*set)(struct osspi_schannel_context *sc, const void *buffer);
} settings[] = {
    {SECPKG_ATTR_KEYING_MATERIAL_INFO, sizeof(SecPkgContext_KeyingMaterialInfo),
     osspi_attribute_set_keying},
    {SECPKG_ATTR_APP_DATA, sizeof(SecPkgContext_SessionAppData), osspi_attribute_set_app_data},
    {SECPKG_ATTR_DTLS_MTU, sizeof(SEC_DTLS_MTU), osspi_datagram_set_mtu},
    {SECPKG_ATTR_EAP_PRF_INFO, sizeof(SecPkgContext_EapPrfInfo), osspi_attribute_set_eap_prf},
};

SECURITY_STATUS osspi_schannel_set(struct osspi_context *context, uint32_t attribute,
                                   const void *buffer, size_t size)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(settings); i++) {
        if (settings[i].attribute != attribute)
            continue;
        if (size < settings[i].size)
            return SEC_E_BUFFER_TOO_SMALL;
        return settings[i].set(osspi_schannel(context), buffer);
    }
    return SEC_E_UNSUPPORTED_FUNCTION;
}
