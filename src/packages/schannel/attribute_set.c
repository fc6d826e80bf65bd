/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What an application leaves with a context (SECPKG_ATTR_APP_DATA), and keys for EAP (RFC 5216 2.3;
 * RFC 9190 2.3). Attributes that can be set may be at any time after the first leg, from any
 * thread: export_lock guards what they leave.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/context.h"
#include "packages/schannel/derive.h"

#define MAX_APP_DATA (64u * 1024)
#define EAP_LABEL12  "client EAP encryption"
#define EAP_LABEL13  "EXPORTER_EAP_TLS_Key_Material"
#define EAP_TYPE_TLS 13u
#define TLS12        0x0303
#define TLS13        0x0304

/* ---- what was left ---- */

struct osspi_left *osspi_left_locked(struct osspi_schannel_context *sc)
{
    if (!sc->left)
        sc->left = osspi_alloc(sizeof(*sc->left));
    return sc->left;
}

void osspi_left_free(struct osspi_left *left)
{
    if (!left)
        return;
    osspi_export_request_free(left->export);
    osspi_secret_free(left->app_data, left->app_data_len);
    osspi_secret_free(left->early.bytes, left->early.size);
    osspi_free(left);
}

SECURITY_STATUS osspi_attribute_set_app_data(struct osspi_schannel_context *sc, const void *buffer)
{
    const SecPkgContext_SessionAppData *data = buffer;
    struct osspi_left *left;
    uint8_t *copy = NULL;

    if (data->cbAppData > MAX_APP_DATA || (data->cbAppData > 0 && !data->pbAppData))
        return SEC_E_INVALID_PARAMETER;
    if (data->cbAppData > 0) {
        copy = osspi_memdup(data->pbAppData, data->cbAppData);
        if (!copy)
            return SEC_E_INSUFFICIENT_MEMORY;
    }
    OSSPI_LOCKED(&sc->export_lock);
    left = osspi_left_locked(sc);
    if (!left) {
        osspi_secret_free(copy, data->cbAppData);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    osspi_secret_free(left->app_data, left->app_data_len);
    left->app_data = copy;
    left->app_data_len = data->cbAppData;
    left->app_flags = data->dwFlags;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_attribute_app_data(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_SessionAppData *data = buffer;
    SecPkgContext_SessionAppData answer = {0};

    OSSPI_LOCKED(&sc->export_lock);
    if (sc->left && sc->left->app_data_len > 0) {
        answer.pbAppData = osspi_context_buffer_new(sc->left->app_data_len);
        if (!answer.pbAppData)
            return SEC_E_INSUFFICIENT_MEMORY;
        memcpy(answer.pbAppData, sc->left->app_data, sc->left->app_data_len);
        answer.cbAppData = (DWORD)sc->left->app_data_len;
    }
    if (sc->left)
        answer.dwFlags = sc->left->app_flags;
    *data = answer;
    return SEC_E_OK;
}

/* ---- EAP ---- */

/* PRF data 0 is EAP-TLS, which is what there is without it. The others (EAP-TTLS, EAP-FAST) are not
 * made of what an exporter gives: their randoms stand in the other order. */
SECURITY_STATUS osspi_attribute_set_eap_prf(struct osspi_schannel_context *sc, const void *buffer)
{
    const SecPkgContext_EapPrfInfo *info = buffer;
    DWORD function;

    (void)sc;
    if (info->dwVersion != 0 || !info->pbPrfData || info->cbPrfData != sizeof(function))
        return SEC_E_INVALID_PARAMETER;
    memcpy(&function, info->pbPrfData, sizeof(function));
    return function == 0 ? SEC_E_OK : SEC_E_UNSUPPORTED_FUNCTION;
}

/* The IV of RFC 5216 comes from an empty secret: anybody who saw the hellos knows it. */
static void derive_public(const struct osspi_schannel_context *sc,
                          const struct osspi_tls_facts *facts, uint8_t *out, size_t len)
{
    const struct osspi_suite *suite = osspi_suite_find(facts->cipher_suite);
    const bool sha384 = strcmp(suite->prf_hash, "SHA384") == 0;
    const struct osspi_hmac_bytes none = {NULL, 0};
    struct osspi_hmac_key key;
    uint8_t randoms[64];
    const struct osspi_hmac_bytes seeds[] = {{EAP_LABEL12, strlen(EAP_LABEL12)},
                                             {randoms, sizeof(randoms)}};

    sc->record->class->randoms(sc->record, randoms);
    if (facts->version >= TLS12) {
        osspi_derive_prf(sha384 ? OSSPI_HMAC_SHA384 : OSSPI_HMAC_SHA256, none, seeds, 2, out, len);
        return;
    }
    osspi_hmac_key_set(&key, OSSPI_HMAC_MD5, none);
    osspi_derive_p_hash(&key, seeds, 2, false, out, len);
    osspi_hmac_key_set(&key, OSSPI_HMAC_SHA1, none);
    osspi_derive_p_hash(&key, seeds, 2, true, out, len);
    osspi_hmac_key_clear(&key);
}

SECURITY_STATUS osspi_attribute_eap(struct osspi_schannel_context *sc, void *buffer)
{
    static const uint8_t type = EAP_TYPE_TLS;
    const struct osspi_tls_facts *facts = osspi_schannel_facts(sc);
    const bool is13 = facts->version >= TLS13;
    const char *label = is13 ? EAP_LABEL13 : EAP_LABEL12;
    SecPkgContext_EapKeyBlock block = {0};
    SECURITY_STATUS status;

    if (sc->kind != OSSPI_KIND_STREAM)
        return SEC_E_UNSUPPORTED_FUNCTION; /* EAP-TLS speaks TLS */
    status = sc->record->class->export_keying(
        sc->record, (struct osspi_hmac_bytes){label, strlen(label)},
        (struct osspi_hmac_bytes){is13 ? &type : NULL, is13}, block.rgbKeys, sizeof(block.rgbKeys));
    if (status == SEC_E_OK && !is13)
        derive_public(sc, facts, block.rgbIVs, sizeof(block.rgbIVs));
    if (status == SEC_E_OK)
        *(SecPkgContext_EapKeyBlock *)buffer = block;
    osspi_secure_zero(&block, sizeof(block));
    return status;
}
