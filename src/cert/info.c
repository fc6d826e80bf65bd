/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * X.509 certificates (RFC 5280, 4.1) as CERT_INFO; see info.h. Thread-safe: no state of its own.
 *
 * The structure is described to the TLS library's ASN.1 templates, which do the parsing. Its own
 * X509 type would do as well but decodes the public key on the way; ours keeps it as bytes.
 */
#include "cert/info.h"

#include "cert/crypto.h"

#include <openssl/asn1t.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cert/limits.h"

struct public_key {
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *bits;
};

struct to_be_signed {
    ASN1_INTEGER *version;
    ASN1_INTEGER *serial;
    X509_ALGOR *signature;
    X509_NAME *issuer;
    X509_VAL *validity;
    X509_NAME *subject;
    struct public_key *public_key;
    ASN1_BIT_STRING *issuer_id;
    ASN1_BIT_STRING *subject_id;
    STACK_OF(X509_EXTENSION) * extensions;
};

struct signed_certificate {
    struct to_be_signed *body;
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *signature;
};

/* clang-format off */
ASN1_SEQUENCE(PUBLIC_KEY) = {
    ASN1_SIMPLE(struct public_key, algorithm, X509_ALGOR),
    ASN1_SIMPLE(struct public_key, bits, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END_name(struct public_key, PUBLIC_KEY);

ASN1_SEQUENCE(TO_BE_SIGNED) = {
    ASN1_EXP_OPT(struct to_be_signed, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(struct to_be_signed, serial, ASN1_INTEGER),
    ASN1_SIMPLE(struct to_be_signed, signature, X509_ALGOR),
    ASN1_SIMPLE(struct to_be_signed, issuer, X509_NAME),
    ASN1_SIMPLE(struct to_be_signed, validity, X509_VAL),
    ASN1_SIMPLE(struct to_be_signed, subject, X509_NAME),
    ASN1_SIMPLE(struct to_be_signed, public_key, PUBLIC_KEY),
    ASN1_IMP_OPT(struct to_be_signed, issuer_id, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(struct to_be_signed, subject_id, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(struct to_be_signed, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END_name(struct to_be_signed, TO_BE_SIGNED);

ASN1_SEQUENCE(SIGNED_CERTIFICATE) = {
    ASN1_SIMPLE(struct signed_certificate, body, TO_BE_SIGNED),
    ASN1_SIMPLE(struct signed_certificate, algorithm, X509_ALGOR),
    ASN1_SIMPLE(struct signed_certificate, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END_name(struct signed_certificate, SIGNED_CERTIFICATE);
/* clang-format on */

static void signed_freep(struct signed_certificate **parsed)
{
    ASN1_item_free((ASN1_VALUE *)*parsed, ASN1_ITEM_rptr(SIGNED_CERTIFICATE));
}

/* Writes value's DER into the arena. */
static SECURITY_STATUS put_encoded(struct osspi_arena *arena, const void *value,
                                   const ASN1_ITEM *item, struct osspi_der_view *ret_view)
{
    int len = ASN1_item_i2d(value, NULL, item);
    unsigned char *bytes;
    unsigned char *end;

    if (len <= 0)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    bytes = end = osspi_arena_take(arena, (size_t)len);
    if (!bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (ASN1_item_i2d(value, &end, item) != len)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    *ret_view = (struct osspi_der_view){bytes, (size_t)len};
    return SEC_E_OK;
}

static SECURITY_STATUS put_blob(struct osspi_arena *arena, const void *value, const ASN1_ITEM *item,
                                CRYPT_DATA_BLOB *ret_blob)
{
    struct osspi_der_view view = {0};
    SECURITY_STATUS status = put_encoded(arena, value, item, &view);

    if (status == SEC_E_OK)
        *ret_blob = (CRYPT_DATA_BLOB){(DWORD)view.len, (BYTE *)(uintptr_t)view.bytes};
    return status;
}

/* The same without tag and length. */
static SECURITY_STATUS put_content(struct osspi_arena *arena, const void *value,
                                   const ASN1_ITEM *item, CRYPT_DATA_BLOB *ret_blob)
{
    struct osspi_der_view view = {0};
    const unsigned char *content;
    long len;
    int tag;
    int class;
    SECURITY_STATUS status = put_encoded(arena, value, item, &view);

    if (status != SEC_E_OK)
        return status;
    content = view.bytes;
    if (ASN1_get_object(&content, &len, &tag, &class, (long)view.len) & 0x80)
        return SEC_E_UNKNOWN_CREDENTIALS;
    *ret_blob = (CRYPT_DATA_BLOB){(DWORD)len, (BYTE *)(uintptr_t)content};
    return SEC_E_OK;
}

static SECURITY_STATUS put_bits(struct osspi_arena *arena, const ASN1_BIT_STRING *bits,
                                CRYPT_BIT_BLOB *ret_bits)
{
    CRYPT_DATA_BLOB content = {0};
    SECURITY_STATUS status;

    if (!bits)
        return SEC_E_OK;
    status = put_content(arena, bits, ASN1_ITEM_rptr(ASN1_BIT_STRING), &content);
    if (status != SEC_E_OK)
        return status;
    if (content.cbData < 1)
        return SEC_E_UNKNOWN_CREDENTIALS;
    /* The first byte of a bit string's content counts the unused bits of the last one. */
    *ret_bits = (CRYPT_BIT_BLOB){content.cbData - 1, content.pbData + 1, content.pbData[0] & 7};
    return SEC_E_OK;
}

static SECURITY_STATUS put_oid(struct osspi_arena *arena, const ASN1_OBJECT *oid, LPSTR *ret_text)
{
    int len = OBJ_obj2txt(NULL, 0, oid, 1);
    char *text;

    if (len <= 0)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    text = osspi_arena_take(arena, (size_t)len + 1);
    if (!text)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (OBJ_obj2txt(text, len + 1, oid, 1) != len)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    *ret_text = text;
    return SEC_E_OK;
}

static SECURITY_STATUS put_algorithm(struct osspi_arena *arena, const X509_ALGOR *algorithm,
                                     CRYPT_ALGORITHM_IDENTIFIER *ret_algorithm)
{
    SECURITY_STATUS status = put_oid(arena, algorithm->algorithm, &ret_algorithm->pszObjId);

    if (status != SEC_E_OK || !algorithm->parameter)
        return status;
    return put_blob(arena, algorithm->parameter, ASN1_ITEM_rptr(ASN1_ANY),
                    &ret_algorithm->Parameters);
}

static SECURITY_STATUS put_time(const ASN1_TIME *when, FILETIME *ret_time)
{
    struct tm utc = {0};
    uint64_t ticks;

    if (!ASN1_TIME_check(when) || !ASN1_TIME_to_tm(when, &utc))
        return SEC_E_UNKNOWN_CREDENTIALS;
    ticks = osspi_filetime_from_unix((int64_t)timegm(&utc));
    *ret_time = (FILETIME){(DWORD)ticks, (DWORD)(ticks >> 32)};
    return SEC_E_OK;
}

/* CERT_INFO has integers the other way round: least significant byte first. */
static SECURITY_STATUS put_serial(struct osspi_arena *arena, const ASN1_INTEGER *serial,
                                  CRYPT_INTEGER_BLOB *ret_serial)
{
    SECURITY_STATUS status = put_content(arena, serial, ASN1_ITEM_rptr(ASN1_INTEGER), ret_serial);

    if (status != SEC_E_OK)
        return status;
    for (DWORD i = 0; i < ret_serial->cbData / 2; i++) {
        BYTE *low = &ret_serial->pbData[i];
        BYTE *high = &ret_serial->pbData[ret_serial->cbData - 1 - i];
        BYTE kept = *low;

        *low = *high;
        *high = kept;
    }
    return SEC_E_OK;
}

static SECURITY_STATUS put_extension(struct osspi_arena *arena, X509_EXTENSION *parsed,
                                     CERT_EXTENSION *ret_extension)
{
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(parsed);
    size_t len = (size_t)ASN1_STRING_length(value);
    SECURITY_STATUS status =
        put_oid(arena, X509_EXTENSION_get_object(parsed), &ret_extension->pszObjId);

    if (status != SEC_E_OK)
        return status;
    ret_extension->fCritical = X509_EXTENSION_get_critical(parsed) ? TRUE : FALSE;
    ret_extension->Value.cbData = (DWORD)len;
    ret_extension->Value.pbData = osspi_arena_copy(arena, ASN1_STRING_get0_data(value), len);
    return ret_extension->Value.pbData ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS put_extensions(struct osspi_arena *arena,
                                      const STACK_OF(X509_EXTENSION) * parsed, CERT_INFO *ret_info)
{
    int count = parsed ? sk_X509_EXTENSION_num(parsed) : 0;

    if (count <= 0)
        return SEC_E_OK;
    ret_info->rgExtension = osspi_arena_take_array(arena, (size_t)count, sizeof(CERT_EXTENSION));
    if (!ret_info->rgExtension)
        return SEC_E_INSUFFICIENT_MEMORY;
    ret_info->cExtension = (DWORD)count;
    for (int i = 0; i < count; i++) {
        SECURITY_STATUS status =
            put_extension(arena, sk_X509_EXTENSION_value(parsed, i), &ret_info->rgExtension[i]);

        if (status != SEC_E_OK)
            return status;
    }
    return SEC_E_OK;
}

static SECURITY_STATUS put_version(const ASN1_INTEGER *version, DWORD *ret_version)
{
    int64_t number = CERT_V1;

    if (version && !ASN1_INTEGER_get_int64(&number, version))
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (number < CERT_V1 || number > CERT_V3)
        return SEC_E_UNKNOWN_CREDENTIALS;
    *ret_version = (DWORD)number;
    return SEC_E_OK;
}

static SECURITY_STATUS put_public_key(struct osspi_arena *arena, const struct public_key *key,
                                      struct osspi_cert_info *ret_info)
{
    CERT_PUBLIC_KEY_INFO *info = &ret_info->info.SubjectPublicKeyInfo;
    SECURITY_STATUS status =
        put_encoded(arena, key, ASN1_ITEM_rptr(PUBLIC_KEY), &ret_info->public_key);

    if (status == SEC_E_OK)
        status = put_algorithm(arena, key->algorithm, &info->Algorithm);
    if (status == SEC_E_OK)
        status = put_bits(arena, key->bits, &info->PublicKey);
    return status;
}

static SECURITY_STATUS put_body(struct osspi_arena *arena, const struct to_be_signed *body,
                                struct osspi_cert_info *ret_info)
{
    CERT_INFO *info = &ret_info->info;
    SECURITY_STATUS status = put_version(body->version, &info->dwVersion);

    if (status == SEC_E_OK)
        status = put_serial(arena, body->serial, &info->SerialNumber);
    if (status == SEC_E_OK)
        status = put_algorithm(arena, body->signature, &info->SignatureAlgorithm);
    if (status == SEC_E_OK)
        status = put_blob(arena, body->issuer, ASN1_ITEM_rptr(X509_NAME), &info->Issuer);
    if (status == SEC_E_OK)
        status = put_time(body->validity->notBefore, &info->NotBefore);
    if (status == SEC_E_OK)
        status = put_time(body->validity->notAfter, &info->NotAfter);
    if (status == SEC_E_OK)
        status = put_blob(arena, body->subject, ASN1_ITEM_rptr(X509_NAME), &info->Subject);
    if (status == SEC_E_OK)
        status = put_public_key(arena, body->public_key, ret_info);
    if (status == SEC_E_OK)
        status = put_bits(arena, body->issuer_id, &info->IssuerUniqueId);
    if (status == SEC_E_OK)
        status = put_bits(arena, body->subject_id, &info->SubjectUniqueId);
    if (status == SEC_E_OK)
        status = put_extensions(arena, body->extensions, info);
    return status;
}

SECURITY_STATUS osspi_cert_info_parse(struct osspi_der_view der, struct osspi_arena *arena,
                                      struct osspi_cert_info *ret_info)
{
    OSSPI_CRYPTO_CALL;
    const unsigned char *end = der.bytes;
    struct osspi_cert_info info = {0};
    SECURITY_STATUS status;

    if (!der.bytes || der.len == 0 || der.len > OSSPI_CERT_MAX_LEN)
        return SEC_E_UNKNOWN_CREDENTIALS;
    struct signed_certificate *parsed osspi_auto(signed_freep) =
        (void *)ASN1_item_d2i(NULL, &end, (long)der.len, ASN1_ITEM_rptr(SIGNED_CERTIFICATE));
    if (!parsed)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    if (end != der.bytes + der.len)
        return SEC_E_UNKNOWN_CREDENTIALS;
    status = put_body(arena, parsed->body, &info);
    if (status == SEC_E_OK)
        *ret_info = info;
    return status;
}

const CERT_EXTENSION *osspi_cert_info_extension(const CERT_INFO *info, const char *oid)
{
    for (DWORD i = 0; i < info->cExtension; i++) {
        if (strcmp(info->rgExtension[i].pszObjId, oid) == 0)
            return &info->rgExtension[i];
    }
    return NULL;
}
