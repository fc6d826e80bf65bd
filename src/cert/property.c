/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CertGetCertificateContextProperty and CertSetCertificateContextProperty; see wincrypt.h.
 *
 * Hashes are computed, blobs are kept as they were set. Properties that hold Windows' key handles
 * and containers do not exist here: a key is found with CERT_FIND_HAS_PRIVATE_KEY. Thread-safe.
 */
#include <string.h>

#include "cert/last_error.h"
#include "cert/limits.h"
#include "cert/object.h"

/* What a property is here. */
enum kind { KIND_BLOB, KIND_COMPUTED, KIND_ABSENT };

static enum kind kind_of(DWORD id)
{
    switch (id) {
    case CERT_SHA1_HASH_PROP_ID:
    case CERT_SHA256_HASH_PROP_ID:
        return KIND_COMPUTED;
    case CERT_KEY_PROV_HANDLE_PROP_ID:
    case CERT_KEY_PROV_INFO_PROP_ID:
    case CERT_MD5_HASH_PROP_ID:
    case CERT_KEY_CONTEXT_PROP_ID:
    case CERT_KEY_SPEC_PROP_ID:
    case CERT_ACCESS_STATE_PROP_ID:
    case CERT_SIGNATURE_HASH_PROP_ID:
    case CERT_KEY_IDENTIFIER_PROP_ID:
    case CERT_SUBJECT_PUBLIC_KEY_MD5_HASH_PROP_ID:
    case CERT_ISSUER_SERIAL_NUMBER_MD5_HASH_PROP_ID:
    case CERT_SUBJECT_NAME_MD5_HASH_PROP_ID:
    case CERT_NCRYPT_KEY_HANDLE_PROP_ID:
    case CERT_HCRYPTPROV_OR_NCRYPT_KEY_HANDLE_PROP_ID:
        return KIND_ABSENT;
    default:
        return id > 0 && id <= CERT_LAST_USER_PROP_ID ? KIND_BLOB : KIND_ABSENT;
    }
}

static bool get_computed(const struct osspi_certificate *certificate, DWORD id, void *ret_bytes,
                         DWORD size, DWORD *ret_len)
{
    bool is_sha1 = id == CERT_SHA1_HASH_PROP_ID;
    const uint8_t *hash = is_sha1 ? certificate->sha1 : certificate->sha256;

    *ret_len = is_sha1 ? sizeof(certificate->sha1) : sizeof(certificate->sha256);
    if (ret_bytes && *ret_len <= size)
        memcpy(ret_bytes, hash, *ret_len);
    return true;
}

static bool get(struct osspi_element *element, DWORD id, void *ret_bytes, DWORD size,
                DWORD *ret_len)
{
    switch (kind_of(id)) {
    case KIND_COMPUTED:
        return get_computed(element->certificate, id, ret_bytes, size, ret_len);
    case KIND_BLOB:
        return osspi_element_get(element, id, ret_bytes, size, ret_len);
    default:
        return false;
    }
}

OSSPI_API BOOL WINAPI CertGetCertificateContextProperty(PCCERT_CONTEXT pCertContext, DWORD dwPropId,
                                                        void *pvData, DWORD *pcbData)
{
    DWORD size;
    DWORD len = 0;

    if (!pCertContext || !pcbData)
        return osspi_fail(SEC_E_INVALID_PARAMETER);
    size = pvData ? *pcbData : 0;
    if (!get(osspi_context_from(pCertContext)->element, dwPropId, pvData, size, &len))
        return osspi_fail(CRYPT_E_NOT_FOUND);
    *pcbData = len;
    if (pvData && len > size) {
        SetLastError(ERROR_MORE_DATA);
        return FALSE;
    }
    return TRUE;
}

OSSPI_API BOOL WINAPI CertSetCertificateContextProperty(PCCERT_CONTEXT pCertContext, DWORD dwPropId,
                                                        DWORD dwFlags, const void *pvData)
{
    const CRYPT_DATA_BLOB *blob = pvData;
    const void *bytes = NULL;
    DWORD len = 0;

    (void)dwFlags; /* they are about persistence, and nothing here persists */
    if (!pCertContext || kind_of(dwPropId) != KIND_BLOB)
        return osspi_fail(SEC_E_INVALID_PARAMETER);
    if (blob) {
        if (blob->cbData > OSSPI_PROPERTY_MAX_LEN || (blob->cbData > 0 && !blob->pbData))
            return osspi_fail(SEC_E_INVALID_PARAMETER);
        bytes = blob->cbData > 0 ? (const void *)blob->pbData : "";
        len = blob->cbData;
    }
    if (!osspi_element_set(osspi_context_from(pCertContext)->element, dwPropId, bytes, len))
        return osspi_fail(SEC_E_INSUFFICIENT_MEMORY);
    return TRUE;
}
