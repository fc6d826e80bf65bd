/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Growing text, and names as text; see text.h. The format of names is that of CertNameToStr:
 * `CN=a, O="b, c"`, first RDN first, values of one RDN joined with " + ", quotes doubled inside
 * quotes, what is no text as # and hexadecimal digits. Thread-safe: no state of its own.
 */
#include "cert/text.h"

#include <string.h>

#include "base/utf.h"
#include "cert/crypto.h"

/* The keys of CERT_X500_NAME_STR; other attributes go by their object id. */
static const struct {
    const char *oid;
    const char *key;
} keys[] = {
    {"2.5.4.3", "CN"},
    {"2.5.4.4", "SN"},
    {"2.5.4.5", "SERIALNUMBER"},
    {"2.5.4.6", "C"},
    {"2.5.4.7", "L"},
    {"2.5.4.8", "S"},
    {"2.5.4.9", "STREET"},
    {"2.5.4.10", "O"},
    {"2.5.4.11", "OU"},
    {"2.5.4.12", "T"},
    {"2.5.4.13", "Description"},
    {"2.5.4.17", "PostalCode"},
    {"2.5.4.18", "POBox"},
    {"2.5.4.20", "Phone"},
    {"2.5.4.42", "G"},
    {"2.5.4.43", "I"},
    {"1.2.840.113549.1.9.1", "E"},
    {"0.9.2342.19200300.100.1.25", "DC"},
};

#define OID_TEXT_SIZE 512

static void name_freep(X509_NAME **name)
{
    X509_NAME_free(*name);
}

void osspi_text_clear(struct osspi_text *text)
{
    osspi_free(text->bytes);
    *text = (struct osspi_text){0};
}

static bool reserve(struct osspi_text *text, size_t more)
{
    size_t needed;
    size_t capacity;
    char *grown;

    if (text->failed || __builtin_add_overflow(text->len, more, &needed) ||
        needed > SIZE_MAX / 2 - 64)
        return false;
    if (needed < text->capacity)
        return true;
    capacity = (needed + 1) * 2;
    grown = osspi_alloc(capacity);
    if (!grown)
        return false;
    if (text->len > 0)
        memcpy(grown, text->bytes, text->len);
    osspi_free(text->bytes);
    text->bytes = grown;
    text->capacity = capacity;
    return true;
}

void osspi_text_put(struct osspi_text *text, const char *bytes, size_t len)
{
    if (!reserve(text, len)) {
        text->failed = true;
        return;
    }
    if (len > 0)
        memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

void osspi_text_puts(struct osspi_text *text, const char *string)
{
    osspi_text_put(text, string, strlen(string));
}

bool osspi_text_put_asn1(struct osspi_text *text, const ASN1_STRING *string)
{
    OSSPI_CRYPTO_CALL;
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, string);
    bool good = len >= 0 && osspi_utf8_valid((const char *)utf8, (size_t)len);

    if (good)
        osspi_text_put(text, (const char *)utf8, (size_t)len);
    else if (osspi_crypto_failure(SEC_E_OK) != SEC_E_OK)
        text->failed = true;
    OPENSSL_free(utf8);
    return good && !text->failed;
}

static void put_hex(struct osspi_text *text, const ASN1_STRING *string)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = ASN1_STRING_get0_data(string);
    int len = ASN1_STRING_length(string);

    osspi_text_puts(text, "#");
    for (int i = 0; i < len; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};

        osspi_text_put(text, pair, 2);
    }
}

static bool needs_quotes(const struct osspi_text *value)
{
    if (value->len == 0)
        return true;
    if (value->bytes[0] == ' ' || value->bytes[value->len - 1] == ' ')
        return true;
    return strpbrk(value->bytes, ",+=\"\n<>#;") != NULL;
}

static void put_quoted(struct osspi_text *text, const struct osspi_text *value)
{
    osspi_text_puts(text, "\"");
    for (size_t i = 0; i < value->len; i++) {
        if (value->bytes[i] == '"')
            osspi_text_puts(text, "\"");
        osspi_text_put(text, &value->bytes[i], 1);
    }
    osspi_text_puts(text, "\"");
}

static void put_value(struct osspi_text *text, const ASN1_STRING *string)
{
    struct osspi_text value osspi_auto(osspi_text_clear) = {0};

    if (!osspi_text_put_asn1(&value, string)) {
        text->failed |= value.failed;
        put_hex(text, string);
    } else if (needs_quotes(&value)) {
        put_quoted(text, &value);
    } else {
        osspi_text_put(text, value.bytes, value.len);
    }
}

static bool oid_of(const X509_NAME_ENTRY *entry, char ret_oid[OID_TEXT_SIZE])
{
    int len = OBJ_obj2txt(ret_oid, OID_TEXT_SIZE, X509_NAME_ENTRY_get_object(entry), 1);

    return len > 0 && len < OID_TEXT_SIZE;
}

static void put_key(struct osspi_text *text, const X509_NAME_ENTRY *entry, DWORD kind)
{
    char oid[OID_TEXT_SIZE];

    if (!oid_of(entry, oid))
        return;
    for (size_t i = 0; kind == CERT_X500_NAME_STR && i < OSSPI_COUNT_OF(keys); i++) {
        if (strcmp(keys[i].oid, oid) != 0)
            continue;
        osspi_text_puts(text, keys[i].key);
        osspi_text_puts(text, "=");
        return;
    }
    if (kind == CERT_X500_NAME_STR)
        osspi_text_puts(text, "OID.");
    osspi_text_puts(text, oid);
    osspi_text_puts(text, "=");
}

/* Entries [first, end) are one RDN. */
static void put_rdn(struct osspi_text *text, const X509_NAME *name, int first, int end, DWORD kind)
{
    for (int i = first; i < end; i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);

        if (i > first)
            osspi_text_puts(text, " + ");
        if (kind != CERT_SIMPLE_NAME_STR)
            put_key(text, entry, kind);
        put_value(text, X509_NAME_ENTRY_get_data(entry));
    }
}

/* The RDN that entry i belongs to begins at *ret_first and ends before *ret_end. */
static void rdn_around(const X509_NAME *name, int i, int *ret_first, int *ret_end)
{
    int count = X509_NAME_entry_count(name);
    int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, i));
    int first = i;
    int end = i + 1;

    while (first > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, first - 1)) == set)
        first--;
    while (end < count && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end)) == set)
        end++;
    *ret_first = first;
    *ret_end = end;
}

static X509_NAME *decode(const CERT_NAME_BLOB *name)
{
    const unsigned char *end = name->pbData;

    return d2i_X509_NAME(NULL, &end, (long)name->cbData);
}

static DWORD kind_of(DWORD format)
{
    DWORD kind = format & 0xFF;

    return kind == CERT_OID_NAME_STR || kind == CERT_X500_NAME_STR ? kind : CERT_SIMPLE_NAME_STR;
}

bool osspi_text_put_name(struct osspi_text *text, const CERT_NAME_BLOB *name, DWORD format)
{
    OSSPI_CRYPTO_CALL;
    X509_NAME *decoded osspi_auto(name_freep) = decode(name);
    bool reverse = format & CERT_NAME_STR_REVERSE_FLAG;
    DWORD kind = kind_of(format);
    int count = decoded ? X509_NAME_entry_count(decoded) : 0;
    bool more = false;
    int first;
    int end;

    if (!decoded) {
        text->failed |= osspi_crypto_failure(SEC_E_OK) != SEC_E_OK;
        return false;
    }
    for (int i = reverse ? count - 1 : 0; i >= 0 && i < count; i = reverse ? first - 1 : end) {
        rdn_around(decoded, i, &first, &end);
        if (more)
            osspi_text_puts(text, ", ");
        put_rdn(text, decoded, first, end, kind);
        more = true;
    }
    return !text->failed;
}

bool osspi_text_put_attribute(struct osspi_text *text, const CERT_NAME_BLOB *name, const char *oid)
{
    OSSPI_CRYPTO_CALL;
    X509_NAME *decoded osspi_auto(name_freep) = decode(name);
    char found[OID_TEXT_SIZE];

    if (!decoded) {
        text->failed |= osspi_crypto_failure(SEC_E_OK) != SEC_E_OK;
        return false;
    }
    for (int i = 0; i < X509_NAME_entry_count(decoded); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(decoded, i);

        if (oid_of(entry, found) && strcmp(found, oid) == 0)
            return osspi_text_put_asn1(text, X509_NAME_ENTRY_get_data(entry));
    }
    return false;
}
