/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CryptDecodeObjectEx and LocalFree; see wincrypt.h. The TLS library parses (RFC 5280, 4.1.2.4 and
 * 4.2.1); here its objects become the structures of wincrypt.h. Thread-safe: no state of its own.
 *
 * A structure and what it points to are one piece of memory. Each put_ function is run twice: first
 * with a layout that only counts, then with one that has the memory.
 */
#include <stdalign.h>
#include <string.h>

#include "base/utf.h"
#include "cert/crypto.h"
#include "cert/last_error.h"
#include "cert/limits.h"

#define NUMBER_OF(type)  ((uintptr_t)(type))
#define X509_NAME_NUMBER 7u /* X509_NAME is the TLS library's here */
#define OID_TEXT_SIZE    512

struct layout {
    uint8_t *base; /* NULL: count only */
    size_t used;
};

/* Room, aligned for anything; NULL while counting. Zeroed by whoever made the memory. */
static void *take(struct layout *layout, size_t size)
{
    size_t step = alignof(max_align_t);
    void *piece = layout->base ? layout->base + layout->used : NULL;

    layout->used += (size + step - 1) / step * step;
    return piece;
}

static void *take_copy(struct layout *layout, const void *bytes, size_t len)
{
    void *piece = take(layout, len);

    if (piece && len > 0)
        memcpy(piece, bytes, len);
    return piece;
}

/* ---- pieces ---- */

static SECURITY_STATUS put_oid(struct layout *layout, const ASN1_OBJECT *oid, LPSTR *ret_text)
{
    char text[OID_TEXT_SIZE];
    int len = OBJ_obj2txt(text, sizeof(text), oid, 1);

    if (len <= 0 || len >= (int)sizeof(text))
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    text[len] = '\0';
    *ret_text = take_copy(layout, text, (size_t)len + 1);
    return SEC_E_OK;
}

static SECURITY_STATUS put_string_bytes(struct layout *layout, const ASN1_STRING *string,
                                        CRYPT_DATA_BLOB *ret_blob)
{
    int len = string ? ASN1_STRING_length(string) : 0;

    ret_blob->cbData = len > 0 ? (DWORD)len : 0;
    ret_blob->pbData =
        take_copy(layout, string ? ASN1_STRING_get0_data(string) : NULL, ret_blob->cbData);
    return SEC_E_OK;
}

/* IA5 as UTF-16. A NUL would end the name early for whoever reads it, so there must be none. */
static SECURITY_STATUS put_ia5(struct layout *layout, const ASN1_STRING *string, LPWSTR *ret_text)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(string);
    size_t len = (size_t)ASN1_STRING_length(string);
    WCHAR *text = take(layout, (len + 1) * sizeof(WCHAR));

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == 0 || bytes[i] > 0x7F)
            return CRYPT_E_INVALID_IA5_STRING;
        if (text)
            text[i] = bytes[i];
    }
    if (text)
        text[len] = 0;
    *ret_text = text;
    return SEC_E_OK;
}

/* A value's DER. */
static SECURITY_STATUS put_der(struct layout *layout, const void *value, const ASN1_ITEM *item,
                               CRYPT_DATA_BLOB *ret_blob)
{
    unsigned char *der = NULL;
    int len = ASN1_item_i2d(value, &der, item);

    if (len <= 0)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    ret_blob->cbData = (DWORD)len;
    ret_blob->pbData = take_copy(layout, der, (size_t)len);
    OPENSSL_free(der);
    return SEC_E_OK;
}

/* ---- alternative names (RFC 5280, 4.2.1.6) ---- */

static SECURITY_STATUS put_other_name(struct layout *layout, const OTHERNAME *name,
                                      PCERT_OTHER_NAME *ret_other)
{
    CERT_OTHER_NAME other = {0};
    PCERT_OTHER_NAME place = take(layout, sizeof(*place));
    SECURITY_STATUS status = put_oid(layout, name->type_id, &other.pszObjId);

    if (status == SEC_E_OK)
        status = put_der(layout, name->value, ASN1_ITEM_rptr(ASN1_ANY), &other.Value);
    if (place)
        *place = other;
    *ret_other = place;
    return status;
}

static SECURITY_STATUS put_general_name(struct layout *layout, const GENERAL_NAME *name,
                                        CERT_ALT_NAME_ENTRY *entry)
{
    switch (name->type) {
    case GEN_OTHERNAME:
        entry->dwAltNameChoice = CERT_ALT_NAME_OTHER_NAME;
        return put_other_name(layout, name->d.otherName, &entry->pOtherName);
    case GEN_EMAIL:
        entry->dwAltNameChoice = CERT_ALT_NAME_RFC822_NAME;
        return put_ia5(layout, name->d.rfc822Name, &entry->pwszRfc822Name);
    case GEN_DNS:
        entry->dwAltNameChoice = CERT_ALT_NAME_DNS_NAME;
        return put_ia5(layout, name->d.dNSName, &entry->pwszDNSName);
    case GEN_URI:
        entry->dwAltNameChoice = CERT_ALT_NAME_URL;
        return put_ia5(layout, name->d.uniformResourceIdentifier, &entry->pwszURL);
    case GEN_DIRNAME:
        entry->dwAltNameChoice = CERT_ALT_NAME_DIRECTORY_NAME;
        return put_der(layout, name->d.directoryName, ASN1_ITEM_rptr(X509_NAME),
                       &entry->DirectoryName);
    case GEN_IPADD:
        entry->dwAltNameChoice = CERT_ALT_NAME_IP_ADDRESS;
        return put_string_bytes(layout, name->d.iPAddress, &entry->IPAddress);
    case GEN_RID:
        entry->dwAltNameChoice = CERT_ALT_NAME_REGISTERED_ID;
        return put_oid(layout, name->d.registeredID, &entry->pszRegisteredID);
    case GEN_X400: /* nothing of these two is shown, as on Windows */
        entry->dwAltNameChoice = CERT_ALT_NAME_X400_ADDRESS;
        return SEC_E_OK;
    case GEN_EDIPARTY:
        entry->dwAltNameChoice = CERT_ALT_NAME_EDI_PARTY_NAME;
        return SEC_E_OK;
    default:
        return SEC_E_UNKNOWN_CREDENTIALS;
    }
}

static SECURITY_STATUS put_names(struct layout *layout, const void *parsed)
{
    const GENERAL_NAMES *names = parsed;
    int count = sk_GENERAL_NAME_num(names);
    CERT_ALT_NAME_INFO *info = take(layout, sizeof(*info));
    CERT_ALT_NAME_ENTRY *entries = take(layout, (size_t)count * sizeof(*entries));
    SECURITY_STATUS status = SEC_E_OK;

    if (info)
        *info = (CERT_ALT_NAME_INFO){(DWORD)count, entries};
    for (int i = 0; i < count && status == SEC_E_OK; i++) {
        CERT_ALT_NAME_ENTRY entry = {0};

        status = put_general_name(layout, sk_GENERAL_NAME_value(names, i), &entry);
        if (entries)
            entries[i] = entry;
    }
    return status;
}

/* ---- constraints and usages (4.2.1.9, 4.2.1.3, 4.2.1.12) ---- */

static SECURITY_STATUS put_constraints(struct layout *layout, const void *parsed)
{
    const BASIC_CONSTRAINTS *constraints = parsed;
    CERT_BASIC_CONSTRAINTS2_INFO *info = take(layout, sizeof(*info));
    int64_t limit = 0;

    if (constraints->pathlen &&
        (!ASN1_INTEGER_get_int64(&limit, constraints->pathlen) || limit < 0 || limit > INT32_MAX))
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (info)
        *info = (CERT_BASIC_CONSTRAINTS2_INFO){.fCA = constraints->ca ? TRUE : FALSE,
                                               .fPathLenConstraint = constraints->pathlen != NULL,
                                               .dwPathLenConstraint = (DWORD)limit};
    return SEC_E_OK;
}

/* The bits as they stand in the encoding; how many of the last byte's are unused is there too. */
static SECURITY_STATUS put_bits(struct layout *layout, const void *parsed)
{
    const ASN1_BIT_STRING *bits = parsed;
    CRYPT_BIT_BLOB *info = take(layout, sizeof(*info));
    CRYPT_DATA_BLOB bytes = {0};
    SECURITY_STATUS status = put_string_bytes(layout, bits, &bytes);

    if (info)
        *info = (CRYPT_BIT_BLOB){bytes.cbData, bytes.pbData,
                                 bits->flags & ASN1_STRING_FLAG_BITS_LEFT ? (DWORD)(bits->flags & 7)
                                                                          : 0};
    return status;
}

static SECURITY_STATUS put_usages(struct layout *layout, const void *parsed)
{
    const EXTENDED_KEY_USAGE *usages = parsed;
    int count = sk_ASN1_OBJECT_num(usages);
    CERT_ENHKEY_USAGE *info = take(layout, sizeof(*info));
    LPSTR *oids = take(layout, (size_t)count * sizeof(*oids));
    SECURITY_STATUS status = SEC_E_OK;

    if (info)
        *info = (CERT_ENHKEY_USAGE){(DWORD)count, oids};
    for (int i = 0; i < count && status == SEC_E_OK; i++) {
        LPSTR oid = NULL;

        status = put_oid(layout, sk_ASN1_OBJECT_value(usages, i), &oid);
        if (oids)
            oids[i] = oid;
    }
    return status;
}

/* ---- distinguished names (4.1.2.4) ---- */

static DWORD string_kind(const ASN1_STRING *value)
{
    switch (ASN1_STRING_type(value)) {
    case V_ASN1_OCTET_STRING:
        return CERT_RDN_OCTET_STRING;
    case V_ASN1_NUMERICSTRING:
        return CERT_RDN_NUMERIC_STRING;
    case V_ASN1_PRINTABLESTRING:
        return CERT_RDN_PRINTABLE_STRING;
    case V_ASN1_T61STRING:
        return CERT_RDN_TELETEX_STRING;
    case V_ASN1_IA5STRING:
        return CERT_RDN_IA5_STRING;
    case V_ASN1_VISIBLESTRING:
        return CERT_RDN_VISIBLE_STRING;
    case V_ASN1_UNIVERSALSTRING:
        return CERT_RDN_UNIVERSAL_STRING;
    case V_ASN1_BMPSTRING:
        return CERT_RDN_BMP_STRING;
    case V_ASN1_UTF8STRING:
        return CERT_RDN_UTF8_STRING;
    default:
        return CERT_RDN_ENCODED_BLOB;
    }
}

/* UTF-16 units of valid UTF-8. */
static size_t units_of(const unsigned char *utf8, size_t len)
{
    size_t units = 0;

    for (size_t i = 0; i < len; i++)
        units += ((utf8[i] & 0xC0) != 0x80) + (utf8[i] >= 0xF0);
    return units;
}

static SECURITY_STATUS put_utf16(struct layout *layout, const unsigned char *utf8, size_t len,
                                 CERT_RDN_VALUE_BLOB *ret_value)
{
    size_t units;
    WCHAR *text;

    if (!osspi_utf8_valid((const char *)utf8, len))
        return SEC_E_UNKNOWN_CREDENTIALS;
    units = units_of(utf8, len);
    text = take(layout, (units + 1) * sizeof(WCHAR));
    if (text)
        (void)osspi_utf8_to_utf16((const char *)utf8, len, text, units + 1);
    *ret_value = (CERT_RDN_VALUE_BLOB){(DWORD)(units * sizeof(WCHAR)), (BYTE *)text};
    return SEC_E_OK;
}

/* The value as UTF-16, with a NUL behind that does not count. */
static SECURITY_STATUS put_unicode(struct layout *layout, const ASN1_STRING *value,
                                   CERT_RDN_VALUE_BLOB *ret_value)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, value);
    SECURITY_STATUS status = len >= 0 ? put_utf16(layout, utf8, (size_t)len, ret_value)
                                      : osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);

    OPENSSL_free(utf8);
    return status;
}

static SECURITY_STATUS put_attribute(struct layout *layout, const X509_NAME_ENTRY *entry,
                                     bool unicode, CERT_RDN_ATTR *attribute)
{
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
    SECURITY_STATUS status =
        put_oid(layout, X509_NAME_ENTRY_get_object(entry), &attribute->pszObjId);

    attribute->dwValueType = string_kind(value);
    if (status != SEC_E_OK)
        return status;
    if (unicode && attribute->dwValueType != CERT_RDN_OCTET_STRING &&
        attribute->dwValueType != CERT_RDN_ENCODED_BLOB)
        return put_unicode(layout, value, &attribute->Value);
    return put_string_bytes(layout, value, &attribute->Value);
}

/* Entries of one RDN follow each other. */
static int rdn_count(const X509_NAME *name)
{
    int count = X509_NAME_entry_count(name);

    return count > 0 ? X509_NAME_ENTRY_set(X509_NAME_get_entry(name, count - 1)) + 1 : 0;
}

/* The one that begins at *next; moves that to the one behind it. */
static SECURITY_STATUS put_rdn(struct layout *layout, const X509_NAME *name, int *next, int set,
                               bool unicode, CERT_RDN *rdn)
{
    int count = X509_NAME_entry_count(name);
    int first = *next;
    int end = first;
    SECURITY_STATUS status = SEC_E_OK;

    while (end < count && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end)) == set)
        end++;
    *next = end;
    rdn->cRDNAttr = (DWORD)(end - first);
    rdn->rgRDNAttr = take(layout, (size_t)(end - first) * sizeof(CERT_RDN_ATTR));
    for (int i = first; i < end && status == SEC_E_OK; i++) {
        CERT_RDN_ATTR attribute = {0};

        status = put_attribute(layout, X509_NAME_get_entry(name, i), unicode, &attribute);
        if (rdn->rgRDNAttr)
            rdn->rgRDNAttr[i - first] = attribute;
    }
    return status;
}

static SECURITY_STATUS put_name(struct layout *layout, const X509_NAME *name, bool unicode)
{
    int count = rdn_count(name);
    CERT_NAME_INFO *info = take(layout, sizeof(*info));
    CERT_RDN *rdns = take(layout, (size_t)count * sizeof(*rdns));
    int next = 0;
    SECURITY_STATUS status = SEC_E_OK;

    if (info)
        *info = (CERT_NAME_INFO){(DWORD)count, rdns};
    for (int i = 0; i < count && status == SEC_E_OK; i++) {
        CERT_RDN rdn = {0};

        status = put_rdn(layout, name, &next, i, unicode, &rdn);
        if (rdns)
            rdns[i] = rdn;
    }
    return status;
}

static SECURITY_STATUS put_plain_name(struct layout *layout, const void *parsed)
{
    return put_name(layout, parsed, false);
}

static SECURITY_STATUS put_unicode_name(struct layout *layout, const void *parsed)
{
    return put_name(layout, parsed, true);
}

/* ---- the types ---- */

struct type {
    uintptr_t number;
    const char *oids[2]; /* of extensions that are of this type */
    const ASN1_ITEM *(*item)(void);
    SECURITY_STATUS (*put)(struct layout *layout, const void *parsed);
};

static const struct type types[] = {
    {12, {szOID_SUBJECT_ALT_NAME2, szOID_ISSUER_ALT_NAME2}, GENERAL_NAMES_it, put_names},
    {15, {szOID_BASIC_CONSTRAINTS2}, BASIC_CONSTRAINTS_it, put_constraints},
    {14, {szOID_KEY_USAGE}, ASN1_BIT_STRING_it, put_bits},
    {36, {szOID_ENHANCED_KEY_USAGE}, EXTENDED_KEY_USAGE_it, put_usages},
    {X509_NAME_NUMBER, {NULL}, X509_NAME_it, put_plain_name},
    {20, {NULL}, X509_NAME_it, put_unicode_name},
};

/* A type is a small number, or else the address of an object id. */
static const struct type *find_type(LPCSTR name)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(types); i++) {
        if (types[i].number == NUMBER_OF(name))
            return &types[i];
        for (size_t j = 0; NUMBER_OF(name) > 0xFFFF && j < OSSPI_COUNT_OF(types[i].oids); j++) {
            if (types[i].oids[j] && strcmp(types[i].oids[j], name) == 0)
                return &types[i];
        }
    }
    return NULL;
}

/* ---- memory ---- */

static void *memory_new(const CRYPT_DECODE_PARA *who, size_t size)
{
    void *memory;

    if (!who || who->cbSize < sizeof(*who) || !who->pfnAlloc)
        return osspi_alloc(size);
    memory = who->pfnAlloc(size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

static void memory_free(const CRYPT_DECODE_PARA *who, void *memory)
{
    if (!who || who->cbSize < sizeof(*who) || !who->pfnAlloc)
        osspi_free(memory);
    else if (who->pfnFree)
        who->pfnFree(memory);
}

OSSPI_API HLOCAL WINAPI LocalFree(HLOCAL hMem)
{
    osspi_free(hMem);
    return NULL;
}

/* ---- one call ---- */

struct order {
    const struct type *type;
    struct osspi_der_view der;
    const CRYPT_DECODE_PARA *who; /* of allocated memory */
    bool allocate;
    void *target; /* the caller's memory, or pointer to be set; NULL: only count */
    DWORD room;   /* bytes at target */
};

/* Where the structure goes, *size bytes of it. SEC_I_CONTINUE_NEEDED: nowhere, it was counted. */
static SECURITY_STATUS find_memory(const struct order *order, size_t size, void **ret_memory)
{
    if (!order->target)
        return SEC_I_CONTINUE_NEEDED;
    if (order->allocate) {
        *ret_memory = memory_new(order->who, size);
        return *ret_memory ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    }
    if (order->room < size)
        return HRESULT_FROM_WIN32(ERROR_MORE_DATA);
    if ((uintptr_t)order->target % alignof(max_align_t) != 0)
        return SEC_E_INVALID_PARAMETER;
    memset(order->target, 0, size);
    *ret_memory = order->target;
    return SEC_E_OK;
}

static SECURITY_STATUS lay_out(const struct order *order, const void *parsed, DWORD *ret_size)
{
    struct layout layout = {0};
    size_t size;
    SECURITY_STATUS status = order->type->put(&layout, parsed);
    void *memory = NULL;

    if (status != SEC_E_OK)
        return status;
    if (layout.used > INT32_MAX)
        return SEC_E_UNKNOWN_CREDENTIALS;
    size = layout.used;
    *ret_size = (DWORD)size;
    status = find_memory(order, size, &memory);
    if (status != SEC_E_OK)
        return status == SEC_I_CONTINUE_NEEDED ? SEC_E_OK : status;
    layout = (struct layout){memory, 0};
    status = order->type->put(&layout, parsed);
    if (order->allocate && status == SEC_E_OK)
        *(void **)order->target = memory;
    else if (order->allocate)
        memory_free(order->who, memory);
    return status;
}

static SECURITY_STATUS decode(const struct order *order, DWORD *ret_size)
{
    OSSPI_CRYPTO_CALL;
    const unsigned char *end = order->der.bytes;
    const ASN1_ITEM *item = order->type->item();
    ASN1_VALUE *parsed = ASN1_item_d2i(NULL, &end, (long)order->der.len, item);
    SECURITY_STATUS status;

    if (!parsed)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    status = end == order->der.bytes + order->der.len ? lay_out(order, parsed, ret_size)
                                                      : SEC_E_UNKNOWN_CREDENTIALS;
    ASN1_item_free(parsed, item);
    return status;
}

OSSPI_API BOOL WINAPI CryptDecodeObjectEx(DWORD dwCertEncodingType, LPCSTR lpszStructType,
                                          const BYTE *pbEncoded, DWORD cbEncoded, DWORD dwFlags,
                                          PCRYPT_DECODE_PARA pDecodePara, void *pvStructInfo,
                                          DWORD *pcbStructInfo)
{
    struct order order = {
        .type = find_type(lpszStructType),
        .der = {pbEncoded, cbEncoded},
        .who = pDecodePara,
        .allocate = dwFlags & CRYPT_DECODE_ALLOC_FLAG,
        .target = pvStructInfo,
    };
    DWORD size = 0;
    SECURITY_STATUS status;

    if (!osspi_encoding_known(dwCertEncodingType) || !pcbStructInfo)
        return osspi_fail(SEC_E_INVALID_PARAMETER);
    if (order.allocate) {
        if (!pvStructInfo)
            return osspi_fail(SEC_E_INVALID_PARAMETER);
        *(void **)pvStructInfo = NULL;
    }
    if (!order.type)
        return osspi_fail(HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND));
    if (!pbEncoded || cbEncoded == 0 || cbEncoded > OSSPI_CERT_MAX_LEN)
        return osspi_fail(SEC_E_UNKNOWN_CREDENTIALS);
    order.room = *pcbStructInfo;
    status = decode(&order, &size);
    if (size > 0)
        *pcbStructInfo = size;
    return status == SEC_E_OK ? TRUE : osspi_fail(status);
}
