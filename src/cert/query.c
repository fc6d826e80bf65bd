/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CryptQueryObject; see wincrypt.h and query.h. Thread-safe: no state of its own.
 *
 * What a blob is shows when it parses as that: each content that is wanted is tried on the bytes as
 * they are, then on what they stand for if they are base64. PEM with several certificates is the
 * one form that a decoded blob cannot tell, hence it is looked at first.
 */
#include "cert/query.h"

#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <string.h>

#include "base/utf.h"
#include "cert/encode.h"
#include "cert/file.h"
#include "cert/last_error.h"
#include "cert/limits.h"
#include "cert/load.h"
#include "cert/pem.h"

static void pkcs7_freep(PKCS7 **pkcs7)
{
    PKCS7_free(*pkcs7);
}

static void pkcs12_freep(PKCS12 **pkcs12)
{
    PKCS12_free(*pkcs12);
}

static SECURITY_STATUS no_match(SECURITY_STATUS status)
{
    return status == SEC_E_OK || status == SEC_E_INSUFFICIENT_MEMORY ? status : CRYPT_E_NO_MATCH;
}

/* ---- contents ---- */

static SECURITY_STATUS add_certificate(struct osspi_der_view der, void *data)
{
    struct osspi_certificate *certificate osspi_auto(osspi_certificate_unrefp) = NULL;
    struct osspi_element *element osspi_auto(osspi_element_unrefp) = NULL;
    struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;
    SECURITY_STATUS status = osspi_certificate_make(der, NULL, 0, &certificate);

    if (status != SEC_E_OK)
        return status;
    element = osspi_element_new(certificate);
    if (!element)
        return SEC_E_INSUFFICIENT_MEMORY;
    return osspi_store_add(data, element, CERT_STORE_ADD_ALWAYS, &added);
}

static SECURITY_STATUS read_certificate(struct osspi_der_view blob, struct osspi_store *store)
{
    return no_match(add_certificate(blob, store));
}

static SECURITY_STATUS add_x509(X509 *certificate, struct osspi_store *store)
{
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    SECURITY_STATUS status = len > 0
                                 ? add_certificate((struct osspi_der_view){der, (size_t)len}, store)
                                 : osspi_crypto_failure(CRYPT_E_NO_MATCH);

    OPENSSL_free(der);
    return status;
}

/* Signed data (RFC 2315) as a bag of certificates. All or nothing, so through a store of its own.
 */
static SECURITY_STATUS read_pkcs7(struct osspi_der_view blob, struct osspi_store *store)
{
    OSSPI_CRYPTO_CALL;
    const unsigned char *end = blob.bytes;
    PKCS7 *pkcs7 osspi_auto(pkcs7_freep) = d2i_PKCS7(NULL, &end, (long)blob.len);
    STACK_OF(X509) *certificates = NULL;
    SECURITY_STATUS status = SEC_E_OK;

    if (!pkcs7)
        return osspi_crypto_failure(CRYPT_E_NO_MATCH);
    if (end != blob.bytes + blob.len || !PKCS7_type_is_signed(pkcs7) || !pkcs7->d.sign)
        return CRYPT_E_NO_MATCH;
    certificates = pkcs7->d.sign->cert;
    if (sk_X509_num(certificates) > (int)OSSPI_PFX_MAX_BAGS)
        return CRYPT_E_NO_MATCH;
    for (int i = 0; i < sk_X509_num(certificates) && status == SEC_E_OK; i++)
        status = add_x509(sk_X509_value(certificates, i), store);
    return no_match(status);
}

static SECURITY_STATUS see_pfx(struct osspi_der_view blob, struct osspi_store *store)
{
    OSSPI_CRYPTO_CALL;
    const unsigned char *end = blob.bytes;
    PKCS12 *pkcs12 osspi_auto(pkcs12_freep) = d2i_PKCS12(NULL, &end, (long)blob.len);

    (void)store;
    if (!pkcs12)
        return osspi_crypto_failure(CRYPT_E_NO_MATCH);
    return end == blob.bytes + blob.len ? SEC_E_OK : CRYPT_E_NO_MATCH;
}

static SECURITY_STATUS read_pfx(struct osspi_der_view blob, struct osspi_store *store)
{
    return no_match(osspi_load_pfx(store, blob, NULL));
}

static const struct {
    DWORD content;
    SECURITY_STATUS (*read)(struct osspi_der_view blob, struct osspi_store *store);
} contents[] = {
    {CERT_QUERY_CONTENT_CERT, read_certificate},
    {CERT_QUERY_CONTENT_PKCS7_SIGNED, read_pkcs7},
    {CERT_QUERY_CONTENT_PFX_AND_LOAD, read_pfx},
    {CERT_QUERY_CONTENT_PFX, see_pfx},
};

static SECURITY_STATUS try_contents(struct osspi_der_view blob, struct osspi_query *query,
                                    struct osspi_store *store)
{
    if (!blob.bytes || blob.len == 0)
        return CRYPT_E_NO_MATCH;
    for (size_t i = 0; i < OSSPI_COUNT_OF(contents); i++) {
        SECURITY_STATUS status;

        if (!(query->content_flags & 1u << contents[i].content))
            continue;
        status = contents[i].read(blob, store);
        if (status == CRYPT_E_NO_MATCH)
            continue;
        query->content = contents[i].content;
        return status;
    }
    return CRYPT_E_NO_MATCH;
}

/* ---- formats ---- */

static SECURITY_STATUS try_pem(struct osspi_der_view blob, struct osspi_query *query,
                               struct osspi_store *store)
{
    SECURITY_STATUS status;

    if (!(query->content_flags & CERT_QUERY_CONTENT_FLAG_CERT))
        return CRYPT_E_NO_MATCH;
    status = osspi_pem_visit(blob, add_certificate, store);
    if (status == SEC_E_INSUFFICIENT_MEMORY)
        return status;
    /* What was good before a damaged block counts. */
    query->content = CERT_QUERY_CONTENT_CERT;
    return osspi_store_count(store) > 0 ? SEC_E_OK : CRYPT_E_NO_MATCH;
}

static SECURITY_STATUS try_base64(struct osspi_der_view blob, struct osspi_query *query,
                                  struct osspi_store *store)
{
    struct osspi_secret bytes osspi_auto(osspi_secret_clear) = {0};
    SECURITY_STATUS status = try_pem(blob, query, store);
    size_t len = 0;
    size_t skip;
    DWORD form;

    if (status != CRYPT_E_NO_MATCH)
        return status;
    bytes.bytes = osspi_alloc(blob.len);
    bytes.len = blob.len;
    if (!bytes.bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = osspi_decode_text(CRYPT_STRING_BASE64_ANY, (const char *)blob.bytes, blob.len,
                               bytes.bytes, &len, &skip, &form);
    if (status != SEC_E_OK)
        return status;
    return try_contents((struct osspi_der_view){bytes.bytes, len}, query, store);
}

SECURITY_STATUS osspi_query_blob(struct osspi_der_view blob, struct osspi_query *query,
                                 struct osspi_store *store)
{
    SECURITY_STATUS status = CRYPT_E_NO_MATCH;

    if (!blob.bytes || blob.len == 0 || blob.len > OSSPI_PFX_MAX_LEN)
        return CRYPT_E_NO_MATCH;
    query->format = CERT_QUERY_FORMAT_BINARY;
    if (query->format_flags & CERT_QUERY_FORMAT_FLAG_BINARY)
        status = try_contents(blob, query, store);
    if (status != CRYPT_E_NO_MATCH)
        return status;
    query->format = CERT_QUERY_FORMAT_BASE64_ENCODED;
    if (query->format_flags & CERT_QUERY_FORMAT_FLAG_BASE64_ENCODED)
        status = try_base64(blob, query, store);
    return status;
}

SECURITY_STATUS osspi_query_read(const char *path, struct osspi_secret *ret_content)
{
    SECURITY_STATUS status = osspi_file_read_plain(path, OSSPI_PFX_MAX_LEN, ret_content);

    switch (status) {
    case SEC_E_OK:
    case SEC_E_INSUFFICIENT_MEMORY:
        return status;
    case SEC_E_NO_CREDENTIALS:
        return HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND);
    case SEC_E_NOT_OWNER:
        return E_ACCESSDENIED;
    default:
        return CRYPT_E_FILE_ERROR;
    }
}

/* ---- the call ---- */

static SECURITY_STATUS read_object(const WCHAR *wide, struct osspi_secret *ret_content)
{
    bool malformed = false;
    char *path osspi_auto(osspi_freep) = osspi_utf16_dup_utf8(
        (const uint16_t *)wide, osspi_utf16_len((const uint16_t *)wide), &malformed);

    if (!path)
        return malformed ? SEC_E_INVALID_PARAMETER : SEC_E_INSUFFICIENT_MEMORY;
    return osspi_query_read(path, ret_content);
}

static SECURITY_STATUS query_object(DWORD type, const void *object, struct osspi_query *query,
                                    struct osspi_store *store)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    const CERT_BLOB *blob = object;
    SECURITY_STATUS status;

    if (!object)
        return SEC_E_INVALID_PARAMETER;
    switch (type) {
    case CERT_QUERY_OBJECT_BLOB:
        return osspi_query_blob((struct osspi_der_view){blob->pbData, blob->cbData}, query, store);
    case CERT_QUERY_OBJECT_FILE:
        status = read_object(object, &content);
        if (status != SEC_E_OK)
            return status;
        return osspi_query_blob((struct osspi_der_view){content.bytes, content.len}, query, store);
    default:
        return SEC_E_INVALID_PARAMETER;
    }
}

/* The first certificate, by itself in no store unless the caller gets that too. */
static SECURITY_STATUS first_context(struct osspi_store *store, bool shared,
                                     PCCERT_CONTEXT *ret_context)
{
    struct osspi_element *first osspi_auto(osspi_element_unrefp) = osspi_store_at(store, 0);

    if (!first)
        return SEC_E_OK;
    *ret_context =
        shared ? osspi_cert_context_new(first, store) : osspi_context_of(first->certificate);
    return *ret_context ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static void set(DWORD *place, DWORD value)
{
    if (place)
        *place = value;
}

OSSPI_API BOOL WINAPI CryptQueryObject(DWORD dwObjectType, const void *pvObject,
                                       DWORD dwExpectedContentTypeFlags,
                                       DWORD dwExpectedFormatTypeFlags, DWORD dwFlags,
                                       DWORD *pdwMsgAndCertEncodingType, DWORD *pdwContentType,
                                       DWORD *pdwFormatType, HCERTSTORE *phCertStore,
                                       HCRYPTMSG *phMsg, const void **ppvContext)
{
    struct osspi_query query = {.content_flags = dwExpectedContentTypeFlags,
                                .format_flags = dwExpectedFormatTypeFlags};
    struct osspi_store *store = NULL;
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status;
    bool ignored;

    (void)dwFlags;
    if (phCertStore)
        *phCertStore = NULL;
    if (phMsg)
        *phMsg = NULL;
    if (ppvContext)
        *ppvContext = NULL;
    store = osspi_store_open();
    status =
        store ? query_object(dwObjectType, pvObject, &query, store) : SEC_E_INSUFFICIENT_MEMORY;
    if (status == SEC_E_OK && ppvContext && query.content == CERT_QUERY_CONTENT_CERT)
        status = first_context(store, phCertStore != NULL, &context);
    if (status == SEC_E_OK) {
        set(pdwMsgAndCertEncodingType, X509_ASN_ENCODING | PKCS_7_ASN_ENCODING);
        set(pdwContentType, query.content);
        set(pdwFormatType, query.format);
        if (ppvContext)
            *ppvContext = context;
        if (phCertStore)
            *phCertStore = osspi_store_handle(store);
    }
    if (store && (status != SEC_E_OK || !phCertStore))
        osspi_store_close(store, false, &ignored);
    osspi_store_put(store);
    return status == SEC_E_OK ? TRUE : osspi_fail(status);
}
