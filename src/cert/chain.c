/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Issuers in a store; see chain.h. This only collects what may be worth sending (names and key
 * identifiers fit); whether the chain is good is for its receiver to verify. No state of its own.
 */
#include "cert/chain.h"

void osspi_found_clear(struct osspi_found *found)
{
    for (size_t i = 0; i < found->count; i++)
        osspi_certificate_unref(found->issuers[i]);
    found->count = 0;
}

/* SEC_E_OK with a reference; CRYPT_E_NOT_FOUND; SEC_E_INSUFFICIENT_MEMORY. */
static SECURITY_STATUS find_issuer(struct osspi_store *store,
                                   const struct osspi_certificate *subject,
                                   struct osspi_certificate **ret_issuer)
{
    for (size_t i = 0;; i++) {
        struct osspi_element *element osspi_auto(osspi_element_unrefp) = osspi_store_at(store, i);
        SECURITY_STATUS status;

        if (!element)
            return CRYPT_E_NOT_FOUND;
        status = osspi_certificate_issued(element->certificate, subject);
        if (status == CRYPT_E_NO_MATCH)
            continue;
        if (status == SEC_E_OK)
            *ret_issuer = osspi_certificate_ref(element->certificate);
        return status;
    }
}

/* Cross-signed authorities may form a ring. */
static bool passed_before(const struct osspi_found *found, const struct osspi_certificate *start,
                          const struct osspi_certificate *certificate)
{
    if (osspi_certificate_equal(start, certificate))
        return true;
    for (size_t i = 0; i < found->count; i++) {
        if (osspi_certificate_equal(found->issuers[i], certificate))
            return true;
    }
    return false;
}

SECURITY_STATUS osspi_chain_find(struct osspi_store *store,
                                 const struct osspi_certificate *certificate,
                                 struct osspi_found *ret_found)
{
    const struct osspi_certificate *top = certificate;
    SECURITY_STATUS status = SEC_E_OK;

    while (ret_found->count < OSSPI_CHAIN_MAX && !osspi_certificate_is_root(top)) {
        struct osspi_certificate *issuer osspi_auto(osspi_certificate_unrefp) = NULL;

        status = find_issuer(store, top, &issuer);
        if (status != SEC_E_OK || passed_before(ret_found, certificate, issuer))
            break;
        top = ret_found->issuers[ret_found->count++] = OSSPI_TAKE(issuer);
    }
    return status == CRYPT_E_NOT_FOUND ? SEC_E_OK : status;
}
