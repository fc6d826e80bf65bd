/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What ties other protocols to this connection: channel bindings (RFC 5929) and exported keying
 * material (RFC 5705; RFC 8446, 7.5).
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/context.h"

#define MAX_EXPORT (64u * 1024)
#define MAX_LABEL  249u /* the longest that TLS 1.3's derivation can carry */

/* ---- channel bindings ---- */

/* A header of zeros but for where the data are, then prefix and data without anything between. */
static SECURITY_STATUS give_binding(const char *prefix, const uint8_t *data, size_t len,
                                    void *buffer)
{
    SecPkgContext_Bindings *bindings = buffer;
    size_t prefix_len = strlen(prefix);
    size_t total = sizeof(SEC_CHANNEL_BINDINGS) + prefix_len + len;
    SEC_CHANNEL_BINDINGS *header = osspi_context_buffer_new(total);
    uint8_t *at = (uint8_t *)(header + 1);

    if (!header)
        return SEC_E_INSUFFICIENT_MEMORY;
    header->cbApplicationDataLength = (ULONG)(prefix_len + len);
    header->dwApplicationDataOffset = sizeof(*header);
    memcpy(at, prefix, prefix_len);
    memcpy(at + prefix_len, data, len);
    bindings->BindingsLength = (ULONG)total;
    bindings->Bindings = header;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_attribute_unique_bindings(struct osspi_schannel_context *sc, void *buffer)
{
    const struct osspi_tls_facts *facts = osspi_schannel_facts(sc);

    /* TLS 1.3 defines no tls-unique (RFC 8446, C.5). */
    if (facts->tls_unique_len == 0)
        return SEC_E_UNSUPPORTED_FUNCTION;
    return give_binding("tls-unique:", osspi_tls_facts_unique(facts), facts->tls_unique_len,
                        buffer);
}

SECURITY_STATUS osspi_attribute_endpoint_bindings(struct osspi_schannel_context *sc, void *buffer)
{
    const struct osspi_tls_facts *facts = osspi_schannel_facts(sc);
    const struct osspi_ders *chain = facts->server ? facts->local_chain : facts->peer_chain;
    uint8_t hash[64];
    size_t len;
    SECURITY_STATUS status;

    if (!chain)
        return SEC_E_NO_CREDENTIALS;
    status = osspi_tls_endpoint_hash(&chain->items[0], hash, &len);
    if (status != SEC_E_OK)
        return status;
    return give_binding("tls-server-end-point:", hash, len, buffer);
}

/* ---- keying material ---- */

/* Callers count the NUL of the label; it is no part of it. */
static size_t label_len(const char *label, size_t len)
{
    while (len > 0 && label[len - 1] == '\0')
        len--;
    return len;
}

static bool request_makes_sense(const char *label, size_t len, const void *context,
                                size_t context_len, size_t wanted)
{
    return label && len > 0 && len <= MAX_LABEL && (context || context_len == 0) && wanted > 0 &&
           wanted <= MAX_EXPORT;
}

void osspi_export_request_free(struct osspi_export_request *request)
{
    if (!request)
        return;
    osspi_free(request->label);
    osspi_free(request->context);
    osspi_free(request);
}

SECURITY_STATUS osspi_attribute_set_keying(struct osspi_schannel_context *sc, const void *buffer)
{
    const SecPkgContext_KeyingMaterialInfo *info = buffer;
    struct osspi_export_request *request;
    struct osspi_left *left;
    size_t len = info->pszLabel ? label_len(info->pszLabel, info->cbLabel) : 0;

    if (!request_makes_sense(info->pszLabel, len, info->pbContextValue, info->cbContextValue,
                             info->cbKeyingMaterial))
        return SEC_E_INVALID_PARAMETER;
    request = osspi_alloc(sizeof(*request));
    if (!request)
        return SEC_E_INSUFFICIENT_MEMORY;
    request->label = osspi_memdup(info->pszLabel, len);
    request->label_len = len;
    if (info->pbContextValue)
        request->context = osspi_memdup(info->pbContextValue, info->cbContextValue);
    request->context_len = info->cbContextValue;
    request->len = info->cbKeyingMaterial;
    if (!request->label || (info->pbContextValue && !request->context)) {
        osspi_export_request_free(request);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    OSSPI_LOCKED(&sc->export_lock);
    left = osspi_left_locked(sc);
    if (!left) {
        osspi_export_request_free(request);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    osspi_export_request_free(left->export);
    left->export = request;
    return SEC_E_OK;
}

static SECURITY_STATUS export_material(struct osspi_schannel_context *sc,
                                       const struct osspi_export_request *request,
                                       PBYTE *ret_material)
{
    uint8_t *material = osspi_context_buffer_new(request->len);
    SECURITY_STATUS status;

    if (!material)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = sc->record->class->export_keying(
        sc->record, (struct osspi_hmac_bytes){request->label, request->label_len},
        (struct osspi_hmac_bytes){request->context, request->context_len}, material, request->len);
    if (status == SEC_E_OK)
        *ret_material = material;
    else
        (void)osspi_context_buffer_free(material);
    return status;
}

SECURITY_STATUS osspi_attribute_keying(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_KeyingMaterial *answer = buffer;
    SECURITY_STATUS status;

    OSSPI_LOCKED(&sc->export_lock);
    if (!sc->left || !sc->left->export)
        return SEC_E_INVALID_PARAMETER; /* what for was not said yet */
    status = export_material(sc, sc->left->export, &answer->pbKeyingMaterial);
    if (status == SEC_E_OK)
        answer->cbKeyingMaterial = (DWORD)sc->left->export->len;
    return status;
}

SECURITY_STATUS osspi_attribute_keying_inproc(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_KeyingMaterial_Inproc *both = buffer;
    struct osspi_export_request request = {
        .label = both->pszLabel,
        .label_len = both->pszLabel ? label_len(both->pszLabel, both->cbLabel) : 0,
        .context = both->pbContextValue,
        .context_len = both->cbContextValue,
        .len = both->cbKeyingMaterial,
    };

    if (!request_makes_sense(request.label, request.label_len, request.context, request.context_len,
                             request.len))
        return SEC_E_INVALID_PARAMETER;
    return export_material(sc, &request, &both->pbKeyingMaterial);
}
