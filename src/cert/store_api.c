/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The exported functions on stores, but for opening, finding and PFX; see wincrypt.h. Thread-safe.
 */
#include <string.h>

#include "cert/last_error.h"
#include "cert/store.h"

OSSPI_API BOOL WINAPI CertCloseStore(HCERTSTORE hCertStore, DWORD dwFlags)
{
    struct osspi_store *store osspi_auto(osspi_store_putp) = NULL;
    bool in_use = false;

    if (!hCertStore)
        return TRUE;
    if (dwFlags & ~(DWORD)(CERT_CLOSE_STORE_FORCE_FLAG | CERT_CLOSE_STORE_CHECK_FLAG))
        return osspi_fail(SEC_E_INVALID_PARAMETER);
    store = osspi_store_find(hCertStore);
    if (!store || !osspi_store_close(store, dwFlags & CERT_CLOSE_STORE_FORCE_FLAG, &in_use))
        return osspi_fail(SEC_E_INVALID_HANDLE);
    if (in_use && (dwFlags & CERT_CLOSE_STORE_CHECK_FLAG))
        return osspi_fail(CRYPT_E_PENDING_CLOSE);
    return TRUE;
}

/* Without a store only the copy is made. */
static SECURITY_STATUS copy_alone(struct osspi_element *source, DWORD disposition,
                                  PCCERT_CONTEXT *ret_context)
{
    struct osspi_element *copy osspi_auto(osspi_element_unrefp) = NULL;

    if (disposition < CERT_STORE_ADD_NEW || disposition > CERT_STORE_ADD_NEWER_INHERIT_PROPERTIES)
        return SEC_E_INVALID_PARAMETER;
    copy = osspi_element_new(source->certificate);
    if (!copy || !osspi_element_inherit(copy, source))
        return SEC_E_INSUFFICIENT_MEMORY;
    *ret_context = osspi_cert_context_new(copy, NULL);
    return *ret_context ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS copy_into(HCERTSTORE handle, struct osspi_element *source, DWORD disposition,
                                 PCCERT_CONTEXT *ret_context)
{
    struct osspi_store *store osspi_auto(osspi_store_putp) = osspi_store_find(handle);
    struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;
    PCCERT_CONTEXT context osspi_auto(osspi_context_freep) = NULL;
    SECURITY_STATUS status;

    if (!store)
        return SEC_E_INVALID_HANDLE;
    status = osspi_store_put_in(store, source, disposition, &added);
    if (status != SEC_E_OK)
        return status;
    context = osspi_cert_context_new(added, store);
    if (!context)
        return SEC_E_INSUFFICIENT_MEMORY;
    *ret_context = OSSPI_TAKE(context);
    return SEC_E_OK;
}

static BOOL add(HCERTSTORE handle, struct osspi_element *source, DWORD disposition,
                PCCERT_CONTEXT *ret_context)
{
    PCCERT_CONTEXT context osspi_auto(osspi_context_freep) = NULL;
    SECURITY_STATUS status = handle ? copy_into(handle, source, disposition, &context)
                                    : copy_alone(source, disposition, &context);

    if (status != SEC_E_OK)
        return osspi_fail(status);
    if (ret_context)
        *ret_context = OSSPI_TAKE(context);
    return TRUE;
}

OSSPI_API BOOL WINAPI CertAddCertificateContextToStore(HCERTSTORE hCertStore,
                                                       PCCERT_CONTEXT pCertContext,
                                                       DWORD dwAddDisposition,
                                                       PCCERT_CONTEXT *ppStoreContext)
{
    if (ppStoreContext)
        *ppStoreContext = NULL;
    if (!pCertContext)
        return osspi_fail(SEC_E_INVALID_PARAMETER);
    return add(hCertStore, osspi_context_from(pCertContext)->element, dwAddDisposition,
               ppStoreContext);
}

OSSPI_API BOOL WINAPI CertAddEncodedCertificateToStore(HCERTSTORE hCertStore,
                                                       DWORD dwCertEncodingType,
                                                       const BYTE *pbCertEncoded,
                                                       DWORD cbCertEncoded, DWORD dwAddDisposition,
                                                       PCCERT_CONTEXT *ppCertContext)
{
    PCCERT_CONTEXT made osspi_auto(osspi_context_freep) = NULL;

    if (ppCertContext)
        *ppCertContext = NULL;
    made = CertCreateCertificateContext(dwCertEncodingType, pbCertEncoded, cbCertEncoded);
    if (!made)
        return FALSE;
    return add(hCertStore, osspi_context_from(made)->element, dwAddDisposition, ppCertContext);
}

OSSPI_API BOOL WINAPI CertDeleteCertificateFromStore(PCCERT_CONTEXT pCertContext)
{
    PCCERT_CONTEXT context osspi_auto(osspi_context_freep) = pCertContext;
    struct osspi_cert_context *inner;
    SECURITY_STATUS status;

    if (!context)
        return osspi_fail(SEC_E_INVALID_PARAMETER);
    inner = osspi_context_from(context);
    if (!inner->store)
        return TRUE;
    status = osspi_store_take_out(inner->store, inner->element);
    return status == SEC_E_OK ? TRUE : osspi_fail(status);
}

OSSPI_API PCCERT_CONTEXT WINAPI CertCreateCertificateContext(DWORD dwCertEncodingType,
                                                             const BYTE *pbCertEncoded,
                                                             DWORD cbCertEncoded)
{
    struct osspi_der_view der = {pbCertEncoded, cbCertEncoded};
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status;

    if (!osspi_encoding_known(dwCertEncodingType) || !pbCertEncoded)
        return osspi_fail_null(SEC_E_INVALID_PARAMETER);
    status = osspi_certificate_new(der, (struct osspi_der_view){0}, NULL, 0, &context);
    return status == SEC_E_OK ? context : osspi_fail_null(status);
}

OSSPI_API PCERT_EXTENSION WINAPI CertFindExtension(LPCSTR pszObjId, DWORD cExtensions,
                                                   CERT_EXTENSION rgExtensions[])
{
    if (!pszObjId || (cExtensions > 0 && !rgExtensions))
        return osspi_fail_null(SEC_E_INVALID_PARAMETER);
    for (DWORD i = 0; i < cExtensions; i++) {
        if (rgExtensions[i].pszObjId && strcmp(rgExtensions[i].pszObjId, pszObjId) == 0)
            return &rgExtensions[i];
    }
    return osspi_fail_null(CRYPT_E_NOT_FOUND);
}
