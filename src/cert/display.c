/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CertGetNameStringA and W; see wincrypt.h. A strings are UTF-8. These names are for showing; who a
 * peer is gets decided elsewhere. Thread-safe: no state of its own.
 */
#include <string.h>

#include "base/utf.h"
#include "cert/crypto.h"
#include "cert/last_error.h"
#include "cert/object.h"
#include "cert/text.h"

#define OID_UPN "1.3.6.1.4.1.311.20.2.3"

/* What one call asks for. */
struct wish {
    struct osspi_element *element;
    const CERT_INFO *info;
    const CERT_NAME_BLOB *name; /* subject or issuer */
    const char *alternative;    /* object id of the extension that goes with it */
    bool all;                   /* every name, each with its NUL, and a NUL behind */
};

static void general_names_freep(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

/* The text of a GeneralName of the kind wanted; NULL: another kind. */
static const ASN1_STRING *string_of(const GENERAL_NAME *name, int kind)
{
    const ASN1_TYPE *value;
    char oid[sizeof(OID_UPN) + 1];

    if (name->type != kind)
        return NULL;
    if (kind != GEN_OTHERNAME)
        return name->d.ia5;
    value = name->d.otherName->value;
    if (OBJ_obj2txt(oid, sizeof(oid), name->d.otherName->type_id, 1) != sizeof(OID_UPN) - 1 ||
        strcmp(oid, OID_UPN) != 0 || !value || value->type != V_ASN1_UTF8STRING)
        return NULL;
    return value->value.utf8string;
}

/* Appends the first alternative name of a kind (or all of them). */
static void put_alternative(struct osspi_text *text, const struct wish *wish, int kind)
{
    OSSPI_CRYPTO_CALL;
    const CERT_EXTENSION *extension = osspi_cert_info_extension(wish->info, wish->alternative);
    const unsigned char *end = extension ? extension->Value.pbData : NULL;

    if (!extension)
        return;
    GENERAL_NAMES *names osspi_auto(general_names_freep) =
        d2i_GENERAL_NAMES(NULL, &end, (long)extension->Value.cbData);
    if (!names) {
        text->failed |= osspi_crypto_failure(SEC_E_OK) != SEC_E_OK;
        return;
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const ASN1_STRING *string = string_of(sk_GENERAL_NAME_value(names, i), kind);

        if (!string || ASN1_STRING_length(string) == 0 || !osspi_text_put_asn1(text, string))
            continue;
        if (!wish->all)
            return;
        osspi_text_put(text, "", 1);
    }
}

static void put_attribute(struct osspi_text *text, const struct wish *wish, const char *oid)
{
    if (text->len > 0)
        return;
    osspi_text_put_attribute(text, wish->name, oid);
    if (wish->all && text->len > 0)
        osspi_text_put(text, "", 1);
}

static void put_simple(struct osspi_text *text, const struct wish *wish)
{
    put_attribute(text, wish, szOID_COMMON_NAME);
    put_attribute(text, wish, szOID_ORGANIZATIONAL_UNIT_NAME);
    put_attribute(text, wish, szOID_ORGANIZATION_NAME);
    put_attribute(text, wish, szOID_RSA_emailAddr);
    if (text->len == 0)
        put_alternative(text, wish, GEN_EMAIL);
    if (text->len == 0)
        put_alternative(text, wish, GEN_DNS);
}

/* The property holds what the caller set: UTF-16, perhaps with a NUL. */
static void put_friendly(struct osspi_text *text, const struct wish *wish)
{
    uint16_t *wide osspi_auto(osspi_freep) = NULL;
    char *utf8 osspi_auto(osspi_freep) = NULL;
    bool malformed = false;
    DWORD len = 0;
    DWORD now;
    size_t units = 0;

    if (!osspi_element_get(wish->element, CERT_FRIENDLY_NAME_PROP_ID, NULL, 0, &len))
        return;
    wide = osspi_alloc(len);
    if (!wide) {
        text->failed = true;
        return;
    }
    /* Another thread may change it between the two calls; then there is none. */
    if (!osspi_element_get(wish->element, CERT_FRIENDLY_NAME_PROP_ID, wide, len, &now) || now > len)
        return;
    while (units < now / sizeof(*wide) && wide[units])
        units++;
    utf8 = osspi_utf16_dup_utf8(wide, units, &malformed);
    if (utf8)
        osspi_text_puts(text, utf8);
    else if (!malformed)
        text->failed = true;
}

static void put_rdns(struct osspi_text *text, const struct wish *wish, const DWORD *format)
{
    osspi_text_put_name(text, wish->name, format ? *format : CERT_SIMPLE_NAME_STR);
}

static SECURITY_STATUS put_wish(struct osspi_text *text, const struct wish *wish, DWORD type,
                                const void *parameter)
{
    switch (type) {
    case CERT_NAME_EMAIL_TYPE:
        put_alternative(text, wish, GEN_EMAIL);
        put_attribute(text, wish, szOID_RSA_emailAddr);
        return SEC_E_OK;
    case CERT_NAME_RDN_TYPE:
        put_rdns(text, wish, parameter);
        return SEC_E_OK;
    case CERT_NAME_ATTR_TYPE:
        if (!parameter)
            return SEC_E_INVALID_PARAMETER;
        put_attribute(text, wish, parameter);
        return SEC_E_OK;
    case CERT_NAME_FRIENDLY_DISPLAY_TYPE:
        put_friendly(text, wish);
        /* fall through */
    case CERT_NAME_SIMPLE_DISPLAY_TYPE:
        if (text->len == 0)
            put_simple(text, wish);
        return SEC_E_OK;
    case CERT_NAME_DNS_TYPE:
        put_alternative(text, wish, GEN_DNS);
        put_attribute(text, wish, szOID_COMMON_NAME);
        return SEC_E_OK;
    case CERT_NAME_URL_TYPE:
        put_alternative(text, wish, GEN_URI);
        return SEC_E_OK;
    case CERT_NAME_UPN_TYPE:
        put_alternative(text, wish, GEN_OTHERNAME);
        return SEC_E_OK;
    default:
        return SEC_E_INVALID_PARAMETER;
    }
}

static SECURITY_STATUS text_of(PCCERT_CONTEXT context, DWORD type, DWORD flags,
                               const void *parameter, struct osspi_text *text)
{
    bool issuer = flags & CERT_NAME_ISSUER_FLAG;
    struct wish wish;
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_PARAMETER;
    wish = (struct wish){
        .element = osspi_context_from(context)->element,
        .info = context->pCertInfo,
        .name = issuer ? &context->pCertInfo->Issuer : &context->pCertInfo->Subject,
        .alternative = issuer ? szOID_ISSUER_ALT_NAME2 : szOID_SUBJECT_ALT_NAME2,
        .all = type == CERT_NAME_DNS_TYPE && (flags & CERT_NAME_SEARCH_ALL_NAMES_FLAG),
    };
    status = put_wish(text, &wish, type, parameter);
    if (status != SEC_E_OK)
        return status;
    if (text->failed)
        return SEC_E_INSUFFICIENT_MEMORY;
    return text->len > 0 ? SEC_E_OK : CRYPT_E_NOT_FOUND;
}

/* Characters of UTF-8 that fit into room bytes without cutting one in two. */
static size_t cut_utf8(const char *bytes, size_t len, size_t room)
{
    if (len <= room)
        return len;
    while (room > 0 && ((unsigned char)bytes[room] & 0xC0) == 0x80)
        room--;
    return room;
}

static size_t cut_utf16(const WCHAR *units, size_t len, size_t room)
{
    if (len <= room)
        return len;
    return room > 0 && (units[room] & 0xFC00) == 0xDC00 ? room - 1 : room;
}

OSSPI_API DWORD WINAPI CertGetNameStringA(PCCERT_CONTEXT pCertContext, DWORD dwType, DWORD dwFlags,
                                          void *pvTypePara, LPSTR pszNameString,
                                          DWORD cchNameString)
{
    struct osspi_text text osspi_auto(osspi_text_clear) = {0};
    SECURITY_STATUS status = text_of(pCertContext, dwType, dwFlags, pvTypePara, &text);
    size_t fits;

    if (status != SEC_E_OK) {
        osspi_fail(status);
        osspi_text_clear(&text);
    }
    if (!pszNameString || cchNameString == 0)
        return (DWORD)text.len + 1;
    fits = cut_utf8(text.bytes, text.len, cchNameString - 1);
    if (fits > 0)
        memcpy(pszNameString, text.bytes, fits);
    pszNameString[fits] = '\0';
    return (DWORD)fits + 1;
}

/* Widens each of the strings that NULs part. NULL: no memory. */
static WCHAR *widen(const struct osspi_text *text, size_t *ret_len)
{
    WCHAR *wide = osspi_alloc_array(text->len + 1, sizeof(*wide));
    size_t done = 0;
    size_t len = 0;

    while (wide && done < text->len) {
        size_t piece = strlen(text->bytes + done);
        size_t units =
            osspi_utf8_to_utf16(text->bytes + done, piece, wide + len, text->len + 1 - len);

        if (units == SIZE_MAX)
            units = 0;
        len += units;
        done += piece;
        if (done < text->len) {
            wide[len++] = 0;
            done++;
        }
    }
    *ret_len = len;
    return wide;
}

OSSPI_API DWORD WINAPI CertGetNameStringW(PCCERT_CONTEXT pCertContext, DWORD dwType, DWORD dwFlags,
                                          void *pvTypePara, LPWSTR pszNameString,
                                          DWORD cchNameString)
{
    struct osspi_text text osspi_auto(osspi_text_clear) = {0};
    WCHAR *wide osspi_auto(osspi_freep) = NULL;
    SECURITY_STATUS status = text_of(pCertContext, dwType, dwFlags, pvTypePara, &text);
    size_t len = 0;
    size_t fits;

    if (status == SEC_E_OK) {
        wide = widen(&text, &len);
        if (!wide)
            status = SEC_E_INSUFFICIENT_MEMORY;
    }
    if (status != SEC_E_OK)
        osspi_fail(status);
    if (!pszNameString || cchNameString == 0)
        return (DWORD)len + 1;
    fits = cut_utf16(wide, len, cchNameString - 1);
    if (fits > 0)
        memcpy(pszNameString, wide, fits * sizeof(*wide));
    pszNameString[fits] = 0;
    return (DWORD)fits + 1;
}
