/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * PKCS #11 by the TLS library's pkcs11 provider (pkcs11-provider), as it is on Debian 13.
 *
 * It gets a library context of its own, with nothing in it but the default provider. In one that
 * connections use it would be asked for every algorithm that is looked for, and would answer out of
 * the device. Its keys work in all library contexts all the same.
 *
 * The PIN is handed over when the provider asks for it, not in the URI: so it is known whether a
 * failure has to do with it. The provider says nothing of why it found no key.
 *
 * OpenSSL takes parameters for a provider since 3.2; before that there is the engine.
 */
#include "cert/pkcs11_backend.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <string.h>

#include "cert/pkcs11.h"

#if OPENSSL_VERSION_NUMBER >= 0x30200000L

static OSSL_PROVIDER *load_provider(OSSL_LIB_CTX *library, const char *module)
{
    /* Its own words for what it is to do. Cached, the PIN serves again when the device forgets that
     * somebody has logged in; else the provider would ask at a terminal. */
    char cache[] = "cache";
    OSSL_PARAM parameters[3];
    OSSL_PARAM *next = parameters;
    char *path osspi_auto(osspi_freep) = osspi_strdup(module);

    if (module && !path)
        return NULL;
    *next++ = OSSL_PARAM_construct_utf8_string("pkcs11-module-cache-pins", cache, 0);
    if (path)
        *next++ = OSSL_PARAM_construct_utf8_string("pkcs11-module-path", path, 0);
    *next = OSSL_PARAM_construct_end();
    return OSSL_PROVIDER_load_ex(library, "pkcs11", parameters);
}

/* The session is the library context. */
static void *start(const char *module, const struct osspi_secret *pin)
{
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();

    (void)pin;
    if (library && OSSL_PROVIDER_load(library, "default") && load_provider(library, module))
        return library;
    OSSL_LIB_CTX_free(library);
    return NULL;
}

/* One object of the kind that is wanted; NULL: none. */
static OSSL_STORE_INFO *find(OSSL_LIB_CTX *library, const char *uri, int kind,
                             struct osspi_token_asked *asked)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, library, "?provider=pkcs11", osspi_token_ui(),
                                               asked, NULL, NULL, NULL);
    OSSL_STORE_INFO *found = NULL;

    if (!store)
        return NULL;
    while (!found && !OSSL_STORE_eof(store) && !OSSL_STORE_error(store)) {
        found = OSSL_STORE_load(store);
        if (found && OSSL_STORE_INFO_get_type(found) != kind) {
            OSSL_STORE_INFO_free(found);
            found = NULL;
        }
    }
    OSSL_STORE_close(store);
    return found;
}

/* Was it the PIN? Without it the provider asks again, if the login did not come about. */
static SECURITY_STATUS failure(OSSL_LIB_CTX *library, const char *uri, int kind,
                               const struct osspi_token_asked *asked)
{
    struct osspi_token_asked again = {0};

    if (asked->count == 0)
        return osspi_token_failure();
    OSSL_STORE_INFO_free(find(library, uri, kind, &again));
    return again.count > 0 ? SEC_E_LOGON_DENIED : osspi_token_failure();
}

static SECURITY_STATUS search(OSSL_LIB_CTX *library, const char *path, enum osspi_token_type type,
                              const struct osspi_secret *pin, OSSL_STORE_INFO **ret_found)
{
    static const struct osspi_secret nothing;
    const int kind = type == OSSPI_TOKEN_CERTIFICATE ? OSSL_STORE_INFO_CERT : OSSL_STORE_INFO_PKEY;
    struct osspi_token_asked asked = {.pin = pin};
    char *uri osspi_auto(osspi_freep) = osspi_token_uri_build(path, type, &nothing);

    if (!uri || !osspi_token_ui())
        return SEC_E_INSUFFICIENT_MEMORY;
    *ret_found = find(library, uri, kind, &asked);
    return *ret_found ? SEC_E_OK : failure(library, uri, kind, &asked);
}

static SECURITY_STATUS load_key(void *session, const char *path, const struct osspi_secret *pin,
                                EVP_PKEY **ret_key)
{
    OSSL_STORE_INFO *found = NULL;
    SECURITY_STATUS status = search(session, path, OSSPI_TOKEN_PRIVATE_KEY, pin, &found);

    if (status != SEC_E_OK)
        return status;
    *ret_key = OSSL_STORE_INFO_get1_PKEY(found);
    OSSL_STORE_INFO_free(found);
    return *ret_key ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS load_certificate(void *session, const char *path,
                                        const struct osspi_secret *pin, X509 **ret_certificate)
{
    OSSL_STORE_INFO *found = NULL;
    SECURITY_STATUS status = search(session, path, OSSPI_TOKEN_CERTIFICATE, pin, &found);

    if (status != SEC_E_OK)
        return status;
    *ret_certificate = OSSL_STORE_INFO_get1_CERT(found);
    OSSL_STORE_INFO_free(found);
    return *ret_certificate ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

#else

static void *start(const char *module, const struct osspi_secret *pin)
{
    (void)module;
    (void)pin;
    return NULL;
}

static SECURITY_STATUS load_key(void *session, const char *path, const struct osspi_secret *pin,
                                EVP_PKEY **ret_key)
{
    (void)session;
    (void)path;
    (void)pin;
    (void)ret_key;
    return SEC_E_UNSUPPORTED_FUNCTION;
}

static SECURITY_STATUS load_certificate(void *session, const char *path,
                                        const struct osspi_secret *pin, X509 **ret_certificate)
{
    (void)session;
    (void)path;
    (void)pin;
    (void)ret_certificate;
    return SEC_E_UNSUPPORTED_FUNCTION;
}

#endif

const struct osspi_token_backend osspi_token_provider = {
    .by_pin = false,
    .start = start,
    .key = load_key,
    .certificate = load_certificate,
};
