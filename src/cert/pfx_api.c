/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * PFXImportCertStore; see wincrypt.h. Thread-safe.
 *
 * In the store that is returned, certificates with keys come first, and each knows its chain, so
 * that it can be copied elsewhere without losing it.
 */
#include "base/utf.h"
#include "cert/chain.h"
#include "cert/last_error.h"
#include "cert/load.h"
#include "cert/pfx.h"

static void wipe(char **password)
{
    if (*password)
        osspi_secret_free(*password, OSSPI_PASSWORD_MAX + 1);
}

/* Makes a certificate anew with its chain and key. */
static SECURITY_STATUS with_key(const struct osspi_pfx *pfx, const struct osspi_certificate *plain,
                                EVP_PKEY *key, struct osspi_certificate **ret_certificate)
{
    struct osspi_found found osspi_auto(osspi_found_clear) = {.count = 0};
    struct osspi_certificate *made osspi_auto(osspi_certificate_unrefp) = NULL;
    struct osspi_secret secret osspi_auto(osspi_secret_clear) = {0};
    struct osspi_der_view chain[OSSPI_CHAIN_MAX];
    SECURITY_STATUS status = osspi_chain_find(pfx->store, plain, &found);

    if (status != SEC_E_OK)
        return status;
    for (size_t i = 0; i < found.count; i++)
        chain[i] = found.issuers[i]->der;
    status = osspi_certificate_make(plain->der, chain, found.count, &made);
    if (status == SEC_E_OK)
        status = osspi_key_write(key, &secret);
    if (status == SEC_E_OK)
        status = osspi_certificate_adopt_key(made, key, &secret);
    if (status == SEC_E_OK)
        *ret_certificate = OSSPI_TAKE(made);
    return status;
}

static SECURITY_STATUS add_with_key(struct osspi_store *store, const struct osspi_pfx *pfx,
                                    struct osspi_element *source, EVP_PKEY *key)
{
    struct osspi_certificate *certificate osspi_auto(osspi_certificate_unrefp) = NULL;
    struct osspi_element *element osspi_auto(osspi_element_unrefp) = NULL;
    struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;
    SECURITY_STATUS status = with_key(pfx, source->certificate, key, &certificate);

    if (status != SEC_E_OK)
        return status;
    element = osspi_element_new(certificate);
    if (!element || !osspi_element_inherit(element, source))
        return SEC_E_INSUFFICIENT_MEMORY;
    return osspi_store_add(store, element, CERT_STORE_ADD_USE_EXISTING, &added);
}

/* Gives a key to every certificate it belongs to; a renewed one may have kept it. */
static SECURITY_STATUS add_of_key(struct osspi_store *store, const struct osspi_pfx *pfx,
                                  EVP_PKEY *key)
{
    for (size_t i = 0;; i++) {
        struct osspi_element *source osspi_auto(osspi_element_unrefp) =
            osspi_store_at(pfx->store, i);
        SECURITY_STATUS status;

        if (!source)
            return SEC_E_OK;
        status = osspi_key_match(key, source->certificate->parsed.public_key);
        if (status == SEC_E_OK)
            status = add_with_key(store, pfx, source, key);
        if (status != SEC_E_OK && status != SEC_E_NO_CREDENTIALS)
            return status;
    }
}

static SECURITY_STATUS add_others(struct osspi_store *store, const struct osspi_pfx *pfx)
{
    for (size_t i = 0;; i++) {
        struct osspi_element *source osspi_auto(osspi_element_unrefp) =
            osspi_store_at(pfx->store, i);
        struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;
        SECURITY_STATUS status;

        if (!source)
            return SEC_E_OK;
        status = osspi_store_add(store, source, CERT_STORE_ADD_USE_EXISTING, &added);
        if (status != SEC_E_OK)
            return status;
    }
}

SECURITY_STATUS osspi_load_pfx(struct osspi_store *store, struct osspi_der_view blob,
                               const char *password)
{
    struct osspi_pfx pfx osspi_auto(osspi_pfx_clear) = {0};
    SECURITY_STATUS status = osspi_pfx_read(blob, password, &pfx);

    for (size_t i = 0; i < pfx.key_count && status == SEC_E_OK; i++)
        status = add_of_key(store, &pfx, pfx.keys[i]);
    return status == SEC_E_OK ? add_others(store, &pfx) : status;
}

/* Into a buffer of fixed size, whose whole is wiped. */
static SECURITY_STATUS narrow(LPCWSTR password, char **ret_password)
{
    const uint16_t *units = (const uint16_t *)password;

    if (!password)
        return SEC_E_OK;
    *ret_password = osspi_alloc(OSSPI_PASSWORD_MAX + 1);
    if (!*ret_password)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (osspi_utf16_to_utf8(units, osspi_utf16_len(units), *ret_password, OSSPI_PASSWORD_MAX + 1) ==
        SIZE_MAX)
        return SEC_E_LOGON_DENIED;
    return SEC_E_OK;
}

OSSPI_API HCERTSTORE WINAPI PFXImportCertStore(CRYPT_DATA_BLOB *pPFX, LPCWSTR szPassword,
                                               DWORD dwFlags)
{
    struct osspi_store *store osspi_auto(osspi_store_putp) = NULL;
    char *password osspi_auto(wipe) = NULL;
    SECURITY_STATUS status;
    bool ignored;

    (void)dwFlags; /* where Windows is to keep the keys */
    if (!pPFX || !pPFX->pbData)
        return osspi_fail_null(SEC_E_INVALID_PARAMETER);
    store = osspi_store_open();
    status = store ? narrow(szPassword, &password) : SEC_E_INSUFFICIENT_MEMORY;
    if (status == SEC_E_OK)
        status =
            osspi_load_pfx(store, (struct osspi_der_view){pPFX->pbData, pPFX->cbData}, password);
    if (status == SEC_E_OK)
        return osspi_store_handle(store);
    if (store)
        osspi_store_close(store, false, &ignored);
    return osspi_fail_null(status == SEC_E_UNKNOWN_CREDENTIALS ? CRYPT_E_BAD_ENCODE : status);
}
