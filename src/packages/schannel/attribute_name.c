/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes that are names: of the peer and who vouched for it, of our own certificate, of the
 * protocol and of the target. Names of certificates are X.500 strings, as CertGetNameString makes
 * them. Read from what is constant once the context is established.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/context.h"

static void context_freep(PCCERT_CONTEXT *context)
{
    if (*context)
        CertFreeCertificateContext(*context);
}

/* The leaf alone, without a store. */
static SECURITY_STATUS open_leaf(const struct osspi_ders *chain, PCCERT_CONTEXT *ret_context)
{
    if (osspi_ders_count(chain) == 0)
        return SEC_E_NO_CREDENTIALS;
    return osspi_certificate_new(
        (struct osspi_der_view){chain->items[0].bytes, chain->items[0].len},
        (struct osspi_der_view){0}, NULL, 0, ret_context);
}

/* The call answers 1 both where there is no name and where there is no memory. */
static bool has_failed(DWORD size)
{
    return size <= 1 && GetLastError() == (DWORD)E_OUTOFMEMORY;
}

static char *name_utf8(PCCERT_CONTEXT context, DWORD flags)
{
    DWORD x500 = CERT_X500_NAME_STR, size;
    char *name;

    SetLastError(0);
    size = CertGetNameStringA(context, CERT_NAME_RDN_TYPE, flags, &x500, NULL, 0);
    name = has_failed(size) ? NULL : osspi_context_buffer_new(size);
    if (name && CertGetNameStringA(context, CERT_NAME_RDN_TYPE, flags, &x500, name, size) != size) {
        (void)osspi_context_buffer_free(name);
        return NULL;
    }
    return name;
}

/* *ret_bytes: without the NUL. */
static WCHAR *name_utf16(PCCERT_CONTEXT context, DWORD flags, DWORD *ret_bytes)
{
    DWORD x500 = CERT_X500_NAME_STR, size;
    WCHAR *name;

    SetLastError(0);
    size = CertGetNameStringW(context, CERT_NAME_RDN_TYPE, flags, &x500, NULL, 0);
    name = has_failed(size) ? NULL : osspi_context_buffer_new(size * sizeof(*name));
    if (name && CertGetNameStringW(context, CERT_NAME_RDN_TYPE, flags, &x500, name, size) != size) {
        (void)osspi_context_buffer_free(name);
        return NULL;
    }
    *ret_bytes = (DWORD)((size - 1) * sizeof(*name));
    return name;
}

SECURITY_STATUS osspi_attribute_name_of(const struct osspi_der_view *certificate, char **ret_name)
{
    PCCERT_CONTEXT leaf osspi_auto(context_freep) = NULL;
    SECURITY_STATUS status =
        osspi_certificate_new(*certificate, (struct osspi_der_view){0}, NULL, 0, &leaf);

    if (status != SEC_E_OK)
        return status;
    *ret_name = name_utf8(leaf, 0);
    return *ret_name ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS give_peer_name(struct osspi_schannel_context *sc, DWORD flags,
                                      char **ret_name)
{
    PCCERT_CONTEXT leaf osspi_auto(context_freep) = NULL;
    SECURITY_STATUS status = open_leaf(osspi_schannel_facts(sc)->peer_chain, &leaf);

    if (status != SEC_E_OK)
        return status;
    *ret_name = name_utf8(leaf, flags);
    return *ret_name ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

SECURITY_STATUS osspi_attribute_names(struct osspi_schannel_context *sc, void *buffer)
{
    return give_peer_name(sc, 0, &((SecPkgContext_NamesA *)buffer)->sUserName);
}

SECURITY_STATUS osspi_attribute_authority(struct osspi_schannel_context *sc, void *buffer)
{
    return give_peer_name(sc, CERT_NAME_ISSUER_FLAG,
                          &((SecPkgContext_AuthorityA *)buffer)->sAuthorityName);
}

/* Kernel callers cannot use a PCCERT_CONTEXT; they learn the rest here. */
SECURITY_STATUS osspi_attribute_local_info(struct osspi_schannel_context *sc, void *buffer)
{
    PCCERT_CONTEXT leaf osspi_auto(context_freep) = NULL;
    const struct osspi_ders *chain = osspi_schannel_facts(sc)->local_chain;
    SecPkgContext_CertInfo info = {.dwVersion = KERN_CONTEXT_CERT_INFO_V1};
    SECURITY_STATUS status = open_leaf(chain, &leaf);

    if (status != SEC_E_OK)
        return status;
    info.dwKeySize = osspi_tls_key_bits(&chain->items[0]);
    info.pwszSubjectName = name_utf16(leaf, 0, &info.cbSubjectName);
    info.pwszIssuerName = name_utf16(leaf, CERT_NAME_ISSUER_FLAG, &info.cbIssuerName);
    if (!info.pwszSubjectName || !info.pwszIssuerName) {
        (void)osspi_context_buffer_free(info.pwszSubjectName);
        (void)osspi_context_buffer_free(info.pwszIssuerName);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    *(SecPkgContext_CertInfo *)buffer = info;
    return SEC_E_OK;
}

/* SSL 3.1 is TLS 1.0 on the wire, and DTLS 1.2 has TLS 1.2 in its facts. */
SECURITY_STATUS osspi_attribute_proto(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_ProtoInfoA *info = buffer;
    const bool datagram = sc->kind == OSSPI_KIND_DATAGRAM;
    const ULONG version = osspi_schannel_facts(sc)->version & 0xFFu;
    const char *text = datagram ? "DTLS" : "TLS";
    char *name = osspi_context_buffer_new(strlen(text) + 1);

    if (!name)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(name, text, strlen(text) + 1);
    info->sProtocolName = name;
    info->majorVersion = 1;
    info->minorVersion = version - 1u;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_attribute_target(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_TargetInformation *information = buffer;
    size_t len;
    UCHAR *name;

    if (sc->server)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (!sc->target)
        return SEC_E_TARGET_UNKNOWN;
    len = strlen(sc->target);
    name = osspi_context_buffer_new(len + 1);
    if (!name)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(name, sc->target, len + 1);
    information->MarshalledTargetInfoLength = (ULONG)len;
    information->MarshalledTargetInfo = name;
    return SEC_E_OK;
}
