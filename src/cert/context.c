/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificate contexts: what callers hold, and what the rest of the library asks of them; see
 * certificate.h and object.h.
 *
 * A context is constant but for its reference count (atomic) and the chain found in its store,
 * which is looked for once, under the context's lock (before the locks of store and element).
 */
#include "cert/object.h"

#include <string.h>

#include "cert/chain.h"

PCCERT_CONTEXT osspi_cert_context_new(struct osspi_element *element, struct osspi_store *store)
{
    struct osspi_cert_context *context = osspi_alloc(sizeof(*context));
    struct osspi_certificate *certificate = element->certificate;

    if (!context)
        return NULL;
    atomic_init(&context->refs, 1);
    context->element = osspi_element_ref(element);
    context->store = store;
    if (store)
        osspi_store_use(store);
    context->shown = (CERT_CONTEXT){
        .dwCertEncodingType = X509_ASN_ENCODING,
        .pbCertEncoded = (BYTE *)(uintptr_t)certificate->der.bytes,
        .cbCertEncoded = (DWORD)certificate->der.len,
        .pCertInfo = &certificate->parsed.info,
        .hCertStore = store ? osspi_store_handle(store) : NULL,
    };
    return &context->shown;
}

PCCERT_CONTEXT osspi_context_of(struct osspi_certificate *certificate)
{
    struct osspi_element *element osspi_auto(osspi_element_unrefp) = osspi_element_new(certificate);

    return element ? osspi_cert_context_new(element, NULL) : NULL;
}

static void found_free(struct osspi_found *found)
{
    if (found)
        osspi_found_clear(found);
    osspi_free(found);
}

OSSPI_API PCCERT_CONTEXT WINAPI CertDuplicateCertificateContext(PCCERT_CONTEXT pCertContext)
{
    if (pCertContext)
        atomic_fetch_add_explicit(&osspi_context_from(pCertContext)->refs, 1, memory_order_relaxed);
    return pCertContext;
}

OSSPI_API BOOL WINAPI CertFreeCertificateContext(PCCERT_CONTEXT pCertContext)
{
    struct osspi_cert_context *context;

    if (!pCertContext)
        return TRUE;
    context = osspi_context_from(pCertContext);
    if (atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1)
        return TRUE;
    found_free(context->found);
    osspi_element_unref(context->element);
    if (context->store)
        osspi_store_release(context->store);
    osspi_free(context);
    return TRUE;
}

void osspi_context_freep(PCCERT_CONTEXT *context)
{
    CertFreeCertificateContext(*context);
}

static struct osspi_certificate *certificate_of(PCCERT_CONTEXT context)
{
    return osspi_context_from(context)->element->certificate;
}

/* A certificate given with its key: read, matched, and kept as PKCS#8. */
static SECURITY_STATUS attach_key(struct osspi_certificate *certificate, struct osspi_der_view der)
{
    EVP_PKEY *key osspi_auto(osspi_pkey_freep) = NULL;
    struct osspi_secret secret osspi_auto(osspi_secret_clear) = {0};
    SECURITY_STATUS status = osspi_key_read(der, &key);

    if (status == SEC_E_OK)
        status = osspi_key_write(key, &secret);
    if (status == SEC_E_OK)
        status = osspi_certificate_adopt_key(certificate, key, &secret);
    /* What is not a key at all does not belong to the certificate either. */
    return status == SEC_E_UNKNOWN_CREDENTIALS ? SEC_E_NO_CREDENTIALS : status;
}

SECURITY_STATUS osspi_certificate_new(struct osspi_der_view der, struct osspi_der_view key,
                                      const struct osspi_der_view *chain, size_t chain_count,
                                      PCCERT_CONTEXT *ret_context)
{
    struct osspi_certificate *certificate osspi_auto(osspi_certificate_unrefp) = NULL;
    SECURITY_STATUS status = osspi_certificate_make(der, chain, chain_count, &certificate);
    PCCERT_CONTEXT context;

    if (status == SEC_E_OK && key.len > 0)
        status = attach_key(certificate, key);
    if (status != SEC_E_OK)
        return status;
    context = osspi_context_of(certificate);
    if (!context)
        return SEC_E_INSUFFICIENT_MEMORY;
    *ret_context = context;
    return SEC_E_OK;
}

struct osspi_der_view osspi_certificate_der(PCCERT_CONTEXT context)
{
    return certificate_of(context)->der;
}

struct osspi_der_view osspi_certificate_key(PCCERT_CONTEXT context)
{
    const struct osspi_secret *key = &certificate_of(context)->key;

    return (struct osspi_der_view){key->bytes, key->len};
}

struct osspi_token_key *osspi_certificate_token(PCCERT_CONTEXT context)
{
    return certificate_of(context)->token;
}

void osspi_certificate_fingerprint(PCCERT_CONTEXT context, uint8_t ret_sha256[32])
{
    memcpy(ret_sha256, certificate_of(context)->sha256, 32);
}

/* Without memory nothing is found now, and a later call looks again. */
static void search_store_locked(struct osspi_cert_context *context)
{
    struct osspi_found *found;

    if (context->found || !context->store)
        return;
    found = osspi_alloc(sizeof(*found));
    if (!found)
        return;
    if (osspi_chain_find(context->store, context->element->certificate, found) != SEC_E_OK) {
        found_free(found);
        return;
    }
    context->found = found;
}

size_t osspi_certificate_chain(PCCERT_CONTEXT context, struct osspi_der_view *ret_chain, size_t max)
{
    struct osspi_cert_context *inner = osspi_context_from(context);
    const struct osspi_certificate *certificate = inner->element->certificate;

    if (certificate->chain_count > 0) {
        for (size_t i = 0; i < certificate->chain_count && i < max; i++)
            ret_chain[i] = certificate->chain[i];
        return certificate->chain_count;
    }
    /* The gate of fork (base/foreign.h) comes before any lock that is held while passing it. */
    OSSPI_CRYPTO_CALL;
    OSSPI_LOCKED(&inner->lock);
    search_store_locked(inner);
    if (!inner->found)
        return 0;
    for (size_t i = 0; i < inner->found->count && i < max; i++)
        ret_chain[i] = inner->found->issuers[i]->der;
    return inner->found->count;
}

static SECURITY_STATUS add(struct osspi_store *store, struct osspi_certificate *certificate)
{
    struct osspi_element *element osspi_auto(osspi_element_unrefp) = osspi_element_new(certificate);
    struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;

    if (!element)
        return SEC_E_INSUFFICIENT_MEMORY;
    return osspi_store_add(store, element, CERT_STORE_ADD_ALWAYS, &added);
}

static SECURITY_STATUS add_chain(struct osspi_store *store, const struct osspi_der_view *chain,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct osspi_certificate *certificate osspi_auto(osspi_certificate_unrefp) = NULL;
        SECURITY_STATUS status = osspi_certificate_make(chain[i], NULL, 0, &certificate);

        if (status == SEC_E_OK)
            status = add(store, certificate);
        if (status != SEC_E_OK)
            return status;
    }
    return SEC_E_OK;
}

/* The leaf's context is the only user of the store that is left behind. */
static SECURITY_STATUS with_store(struct osspi_certificate *leaf,
                                  const struct osspi_der_view *chain, size_t count,
                                  PCCERT_CONTEXT *ret_context)
{
    struct osspi_store *store osspi_auto(osspi_store_close_putp) = osspi_store_open();
    struct osspi_element *element osspi_auto(osspi_element_unrefp) = NULL;
    PCCERT_CONTEXT context;
    SECURITY_STATUS status;

    if (!store)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = add(store, leaf);
    if (status == SEC_E_OK)
        status = add_chain(store, chain, count);
    if (status != SEC_E_OK)
        return status;
    element = osspi_store_at(store, 0);
    context = osspi_cert_context_new(element, store);
    if (!context)
        return SEC_E_INSUFFICIENT_MEMORY;
    *ret_context = context;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_context_with_chain(struct osspi_certificate *certificate,
                                         PCCERT_CONTEXT *ret_context)
{
    return with_store(certificate, certificate->chain, certificate->chain_count, ret_context);
}

SECURITY_STATUS osspi_certificate_from_chain(const struct osspi_der_view *chain, size_t count,
                                             PCCERT_CONTEXT *ret_context)
{
    struct osspi_certificate *leaf osspi_auto(osspi_certificate_unrefp) = NULL;
    SECURITY_STATUS status;

    if (!chain || count == 0 || !ret_context)
        return SEC_E_INVALID_PARAMETER;
    if (count > OSSPI_CHAIN_MAX)
        return SEC_E_UNKNOWN_CREDENTIALS;
    status = osspi_certificate_make(chain[0], NULL, 0, &leaf);
    return status == SEC_E_OK ? with_store(leaf, chain + 1, count - 1, ret_context) : status;
}
