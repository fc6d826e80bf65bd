/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OsspiLoadCertificate; see opensspi.h. Thread-safe.
 *
 * The end entity is the certificate that the key belongs to, normally the first; the others are its
 * chain in the order of the file. Key files must belong to the user and be closed to others.
 */
#include <opensspi.h>
#include <string.h>

#include "cert/file.h"
#include "cert/load.h"
#include "cert/pkcs11.h"

static SECURITY_STATUS read_blocks(const char *path, int blocks, const char *password,
                                   struct osspi_pem *pem)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    SECURITY_STATUS status = osspi_file_read(path, blocks & OSSPI_PEM_KEY, &content);

    if (status != SEC_E_OK)
        return status;
    return osspi_pem_read((struct osspi_der_view){content.bytes, content.len}, blocks, password,
                          pem);
}

static SECURITY_STATUS read_files(const char *cert, const char *key, const char *password,
                                  struct osspi_pem *pem)
{
    SECURITY_STATUS status;

    if (!key || strcmp(cert, key) == 0) {
        status = read_blocks(cert, OSSPI_PEM_CERTIFICATES | OSSPI_PEM_KEY, password, pem);
    } else {
        status = read_blocks(cert, OSSPI_PEM_CERTIFICATES, NULL, pem);
        if (status == SEC_E_OK)
            status = read_blocks(key, OSSPI_PEM_KEY, password, pem);
    }
    if (status != SEC_E_OK)
        return status;
    if (pem->certificate_count == 0)
        return SEC_E_UNKNOWN_CREDENTIALS;
    return pem->key ? SEC_E_OK : SEC_E_NO_CREDENTIALS;
}

/* Which of the certificates the key belongs to. */
static SECURITY_STATUS find_leaf(const struct osspi_pem *pem, size_t *ret_index)
{
    for (size_t i = 0; i < pem->certificate_count; i++) {
        struct osspi_certificate *certificate osspi_auto(osspi_certificate_unrefp) = NULL;
        SECURITY_STATUS status =
            osspi_certificate_make(pem->certificates[i], NULL, 0, &certificate);

        if (status != SEC_E_OK)
            return status;
        status = osspi_key_match(pem->key, certificate->parsed.public_key);
        if (status == SEC_E_OK)
            *ret_index = i;
        if (status != SEC_E_NO_CREDENTIALS)
            return status;
    }
    return SEC_E_NO_CREDENTIALS;
}

SECURITY_STATUS osspi_load_leaf(const struct osspi_pem *pem, struct osspi_certificate **ret_leaf)
{
    struct osspi_certificate *leaf osspi_auto(osspi_certificate_unrefp) = NULL;
    struct osspi_secret secret osspi_auto(osspi_secret_clear) = {0};
    struct osspi_der_view chain[OSSPI_CHAIN_MAX];
    size_t count = 0;
    size_t index = 0;
    SECURITY_STATUS status = pem->key ? find_leaf(pem, &index) : SEC_E_OK;

    if (status != SEC_E_OK)
        return status;
    for (size_t i = 0; i < pem->certificate_count; i++) {
        if (i != index)
            chain[count++] = pem->certificates[i];
    }
    status = osspi_certificate_make(pem->certificates[index], chain, count, &leaf);
    if (status == SEC_E_OK && pem->key)
        status = osspi_key_write(pem->key, &secret);
    if (status == SEC_E_OK && pem->key)
        status = osspi_certificate_adopt_key(leaf, pem->key, &secret);
    if (status == SEC_E_OK)
        *ret_leaf = OSSPI_TAKE(leaf);
    return status;
}

OSSPI_API SECURITY_STATUS OsspiLoadCertificate(const char *cert, const char *key,
                                               const char *password, PCCERT_CONTEXT *ret_cert)
{
    struct osspi_pem pem osspi_auto(osspi_pem_clear) = {0};
    struct osspi_certificate *leaf osspi_auto(osspi_certificate_unrefp) = NULL;
    SECURITY_STATUS status;

    if (ret_cert)
        *ret_cert = NULL;
    if (!cert || !ret_cert)
        return SEC_E_INVALID_PARAMETER;
    if (osspi_token_uri_is(cert) || osspi_token_uri_is(key))
        return osspi_token_load(cert, key, password, ret_cert);
    status = read_files(cert, key, password, &pem);
    if (status == SEC_E_OK)
        status = osspi_load_leaf(&pem, &leaf);
    if (status != SEC_E_OK)
        return status;
    return osspi_context_with_chain(leaf, ret_cert);
}
