/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OsspiLoadCertificate() for keys that stay in a device; see opensspi.h and pkcs11.h. Thread-safe.
 *
 * The certificate comes from the device too, or from a PEM file with its chain. The key is opened
 * once here, so that a wrong PIN or a missing key shows at once and not in the first handshake.
 */
#include <string.h>

#include "cert/file.h"
#include "cert/limits.h"
#include "cert/load.h"
#include "cert/pkcs11.h"

/* ---- what is asked for ---- */

/* A PIN that the caller gives counts before that of the URI. */
static SECURITY_STATUS take_password(const char *password, struct osspi_token_uri *uri)
{
    size_t len = password ? strlen(password) : 0;

    if (len == 0)
        return SEC_E_OK;
    if (len > OSSPI_TOKEN_PIN_MAX)
        return SEC_E_LOGON_DENIED;
    osspi_secret_clear(&uri->pin);
    uri->pin.bytes = osspi_memdup(password, len + 1);
    if (!uri->pin.bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    uri->pin.len = len;
    return SEC_E_OK;
}

/* A PIN is for the token that the URI names. Tried on others, it would lock them. */
static SECURITY_STATUS describe(const char *text, const char *password,
                                enum osspi_token_type wanted, struct osspi_token_key **ret_key)
{
    struct osspi_token_uri uri osspi_auto(osspi_token_uri_clear) = {0};
    SECURITY_STATUS status = osspi_token_uri_parse(text, &uri);

    if (status == SEC_E_OK && uri.type != OSSPI_TOKEN_ANY && uri.type != wanted)
        status = SEC_E_UNKNOWN_CREDENTIALS;
    if (status == SEC_E_OK)
        status = take_password(password, &uri);
    if (status == SEC_E_OK && uri.pin.len > 0 && !uri.has_token)
        status = SEC_E_UNKNOWN_CREDENTIALS;
    if (status != SEC_E_OK)
        return status;
    *ret_key = osspi_token_key_new(&uri);
    return *ret_key ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

/* ---- the certificate ---- */

static SECURITY_STATUS from_device(const struct osspi_token_key *place,
                                   struct osspi_certificate **ret_leaf)
{
    struct osspi_secret der osspi_auto(osspi_secret_clear) = {0};
    SECURITY_STATUS status = osspi_token_certificate(place, &der);

    if (status != SEC_E_OK)
        return status;
    return osspi_certificate_make((struct osspi_der_view){der.bytes, der.len}, NULL, 0, ret_leaf);
}

/* The one that the key belongs to comes first. */
static SECURITY_STATUS find_leaf(struct osspi_pem *pem, EVP_PKEY *key)
{
    for (size_t i = 0; i < pem->certificate_count; i++) {
        struct osspi_certificate *certificate osspi_auto(osspi_certificate_unrefp) = NULL;
        const struct osspi_der_view found = pem->certificates[i];
        SECURITY_STATUS status = osspi_certificate_make(found, NULL, 0, &certificate);

        if (status != SEC_E_OK)
            return status;
        status = osspi_key_match(key, certificate->parsed.public_key);
        if (status == SEC_E_NO_CREDENTIALS)
            continue;
        memmove(&pem->certificates[1], &pem->certificates[0], i * sizeof(pem->certificates[0]));
        pem->certificates[0] = found;
        return status;
    }
    return pem->certificate_count > 0 ? SEC_E_NO_CREDENTIALS : SEC_E_UNKNOWN_CREDENTIALS;
}

static SECURITY_STATUS from_file(const char *path, EVP_PKEY *key,
                                 struct osspi_certificate **ret_leaf)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    struct osspi_pem pem osspi_auto(osspi_pem_clear) = {0};
    SECURITY_STATUS status = osspi_file_read(path, false, &content);

    if (status == SEC_E_OK)
        status = osspi_pem_read((struct osspi_der_view){content.bytes, content.len},
                                OSSPI_PEM_CERTIFICATES, NULL, &pem);
    if (status == SEC_E_OK)
        status = find_leaf(&pem, key);
    return status == SEC_E_OK ? osspi_load_leaf(&pem, ret_leaf) : status;
}

/* ---- the whole ---- */

/* The key in a file, the certificate in a device: nobody keeps them so. */
static SECURITY_STATUS check_places(const char *cert, const char *key)
{
    return key && !osspi_token_uri_is(key) && osspi_token_uri_is(cert) ? SEC_E_UNKNOWN_CREDENTIALS
                                                                       : SEC_E_OK;
}

/* The key of a certificate's URI: what has the same attributes and is a private key. */
static SECURITY_STATUS describe_both(const char *cert, const char *key, const char *password,
                                     struct osspi_token_key **ret_cert,
                                     struct osspi_token_key **ret_key)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (osspi_token_uri_is(cert))
        status = describe(cert, password, OSSPI_TOKEN_CERTIFICATE, ret_cert);
    if (status != SEC_E_OK)
        return status;
    if (key)
        return describe(key, password, OSSPI_TOKEN_PRIVATE_KEY, ret_key);
    *ret_key = osspi_token_key_ref(*ret_cert);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_token_load(const char *cert, const char *key, const char *password,
                                 PCCERT_CONTEXT *ret_cert)
{
    struct osspi_token_key *cert_place osspi_auto(osspi_token_key_unrefp) = NULL;
    struct osspi_token_key *key_place osspi_auto(osspi_token_key_unrefp) = NULL;
    struct osspi_certificate *leaf osspi_auto(osspi_certificate_unrefp) = NULL;
    EVP_PKEY *opened osspi_auto(osspi_pkey_freep) = NULL;
    SECURITY_STATUS status = check_places(cert, key);

    if (status == SEC_E_OK)
        status = describe_both(cert, key, password, &cert_place, &key_place);
    if (status == SEC_E_OK)
        status = osspi_token_open(key_place, &opened);
    if (status == SEC_E_OK)
        status = cert_place ? from_device(cert_place, &leaf) : from_file(cert, opened, &leaf);
    if (status == SEC_E_OK)
        status = osspi_certificate_adopt_token(leaf, opened, key_place);
    return status == SEC_E_OK ? osspi_context_with_chain(leaf, ret_cert) : status;
}
