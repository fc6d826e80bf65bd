/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes that hand out certificates: the peer's chain and our own, as they went over the wire.
 * Each answer is a new object of the caller's.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/context.h"

static SECURITY_STATUS give_context(const struct osspi_ders *chain, void *buffer)
{
    struct osspi_der_view *views osspi_auto(osspi_freep) = NULL;
    size_t count = osspi_ders_count(chain);
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status;

    if (count == 0)
        return SEC_E_NO_CREDENTIALS;
    views = osspi_alloc_array(count, sizeof(*views));
    if (!views)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (size_t i = 0; i < count; i++)
        views[i] = (struct osspi_der_view){chain->items[i].bytes, chain->items[i].len};
    status = osspi_certificate_from_chain(views, count, &context);
    if (status == SEC_E_OK)
        *(PCCERT_CONTEXT *)buffer = context;
    return status;
}

SECURITY_STATUS osspi_attribute_remote_certificate(struct osspi_schannel_context *sc, void *buffer)
{
    return give_context(osspi_schannel_facts(sc)->peer_chain, buffer);
}

SECURITY_STATUS osspi_attribute_local_certificate(struct osspi_schannel_context *sc, void *buffer)
{
    return give_context(osspi_schannel_facts(sc)->local_chain, buffer);
}

/* Each certificate behind its length, a number of the machine's own byte order. */
SECURITY_STATUS osspi_attribute_remote_certificates(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_Certificates *certificates = buffer;
    const struct osspi_ders *chain = osspi_schannel_facts(sc)->peer_chain;
    size_t count = osspi_ders_count(chain);
    size_t total = 0;
    uint8_t *at;

    if (count == 0)
        return SEC_E_NO_CREDENTIALS;
    for (size_t i = 0; i < count; i++)
        total += sizeof(uint32_t) + chain->items[i].len;
    if (total > UINT32_MAX)
        return SEC_E_INTERNAL_ERROR;
    at = osspi_context_buffer_new(total);
    if (!at)
        return SEC_E_INSUFFICIENT_MEMORY;
    certificates->cCertificates = (DWORD)count;
    certificates->cbCertificateChain = (DWORD)total;
    certificates->pbCertificateChain = at;
    for (size_t i = 0; i < count; i++) {
        uint32_t len = (uint32_t)chain->items[i].len;

        memcpy(at, &len, sizeof(len));
        memcpy(at + sizeof(len), chain->items[i].bytes, len);
        at += sizeof(len) + len;
    }
    return SEC_E_OK;
}

/* ---- known during the handshake ---- */

/* Names and the array that lists them are one block: the caller frees aIssuers alone. */
SECURITY_STATUS osspi_attribute_issuers(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_IssuerListInfoEx *list = buffer;
    const struct osspi_ders *issuers;
    PCERT_NAME_BLOB names;
    size_t count, total;
    uint8_t *at;

    OSSPI_LOCKED(&sc->news.lock);
    issuers = sc->news.issuers;
    if (!issuers)
        return SEC_E_NO_CREDENTIALS;
    count = osspi_ders_count(issuers);
    *list = (SecPkgContext_IssuerListInfoEx){.cIssuers = (DWORD)count};
    if (count == 0)
        return SEC_E_OK;
    total = count * sizeof(*names);
    for (size_t i = 0; i < count; i++)
        total += issuers->items[i].len;
    names = osspi_context_buffer_new(total);
    if (!names) {
        list->cIssuers = 0;
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    at = (uint8_t *)(names + count);
    for (size_t i = 0; i < count; i++) {
        const struct osspi_der *from = &issuers->items[i];

        memcpy(at, from->bytes, from->len);
        names[i] = (CERT_NAME_BLOB){.cbData = (DWORD)from->len, .pbData = at};
        at += from->len;
    }
    list->aIssuers = names;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_attribute_check_result(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_CertificateValidationResult *result = buffer;

    OSSPI_LOCKED(&sc->news.lock);
    if (!sc->news.check.known)
        return SEC_E_NO_CREDENTIALS;
    *result = (SecPkgContext_CertificateValidationResult){
        .dwChainErrorStatus = sc->news.check.chain_errors,
        .hrVerifyChainStatus = sc->news.check.result,
    };
    return SEC_E_OK;
}
