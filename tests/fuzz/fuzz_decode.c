/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: CryptDecodeObjectEx and CryptQueryObject. The TLS library parses; what is made of
 * its objects is ours: every pointer must lead to memory of the one block, every string must end.
 *
 * Input: one byte that chooses the type, one of options, then the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

static const LPCSTR types[] = {X509_ALTERNATE_NAME, X509_BASIC_CONSTRAINTS2,
                               X509_KEY_USAGE,      X509_ENHANCED_KEY_USAGE,
                               (LPCSTR)7,           X509_UNICODE_NAME};

static volatile unsigned sum; /* what was read; so that reading is not left out */

void fuzz_prepare(void)
{
}

static void read_bytes(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++)
        sum += at[i];
}

static void read_wide(LPCWSTR text)
{
    while (*text)
        sum += *text++;
}

static void read_alternative(const CERT_ALT_NAME_ENTRY *entry)
{
    switch (entry->dwAltNameChoice) {
    case CERT_ALT_NAME_RFC822_NAME:
    case CERT_ALT_NAME_DNS_NAME:
    case CERT_ALT_NAME_URL:
        read_wide(entry->pwszDNSName);
        break;
    case CERT_ALT_NAME_DIRECTORY_NAME:
    case CERT_ALT_NAME_IP_ADDRESS:
        read_bytes(entry->IPAddress.pbData, entry->IPAddress.cbData);
        break;
    case CERT_ALT_NAME_REGISTERED_ID:
        read_bytes(entry->pszRegisteredID, strlen(entry->pszRegisteredID));
        break;
    case CERT_ALT_NAME_OTHER_NAME:
        read_bytes(entry->pOtherName->pszObjId, strlen(entry->pOtherName->pszObjId));
        read_bytes(entry->pOtherName->Value.pbData, entry->pOtherName->Value.cbData);
        break;
    default:
        break;
    }
}

static void read_name(const CERT_NAME_INFO *name, bool unicode)
{
    for (DWORD i = 0; i < name->cRDN; i++) {
        for (DWORD j = 0; j < name->rgRDN[i].cRDNAttr; j++) {
            const CERT_RDN_ATTR *attribute = &name->rgRDN[i].rgRDNAttr[j];

            read_bytes(attribute->pszObjId, strlen(attribute->pszObjId));
            read_bytes(attribute->Value.pbData, attribute->Value.cbData);
            if (unicode && attribute->dwValueType > CERT_RDN_OCTET_STRING)
                TEST_REQUIRE_EQUAL(attribute->Value.cbData % 2, 0);
        }
    }
}

static void read_structure(unsigned type, const void *structure)
{
    const CERT_ALT_NAME_INFO *names = structure;
    const CRYPT_BIT_BLOB *bits = structure;
    const CERT_ENHKEY_USAGE *usages = structure;

    switch (type) {
    case 0:
        for (DWORD i = 0; i < names->cAltEntry; i++)
            read_alternative(&names->rgAltEntry[i]);
        break;
    case 2:
        read_bytes(bits->pbData, bits->cbData);
        TEST_REQUIRE(bits->cUnusedBits < 8);
        break;
    case 3:
        for (DWORD i = 0; i < usages->cUsageIdentifier; i++)
            read_bytes(usages->rgpszUsageIdentifier[i], strlen(usages->rgpszUsageIdentifier[i]));
        break;
    case 4:
    case 5:
        read_name(structure, type == 5);
        break;
    default:
        read_bytes(structure, sizeof(CERT_BASIC_CONSTRAINTS2_INFO));
        break;
    }
}

static void decode(unsigned type, const uint8_t *bytes, DWORD len)
{
    DWORD size = 0, room;
    void *structure, *allocated = NULL;

    if (!CryptDecodeObjectEx(X509_ASN_ENCODING, types[type], bytes, len, 0, NULL, NULL, &size)) {
        TEST_REQUIRE(GetLastError() != 0);
        return;
    }
    structure = fuzz_room(size);
    room = size;
    TEST_REQUIRE(
        CryptDecodeObjectEx(X509_ASN_ENCODING, types[type], bytes, len, 0, NULL, structure, &room));
    TEST_REQUIRE_EQUAL(room, size);
    read_structure(type, structure);
    free(structure);
    TEST_REQUIRE(CryptDecodeObjectEx(X509_ASN_ENCODING, types[type], bytes, len,
                                     CRYPT_DECODE_ALLOC_FLAG, NULL, &allocated, &room));
    read_structure(type, allocated);
    LocalFree(allocated);
}

static void query(const uint8_t *bytes, DWORD len)
{
    CERT_BLOB blob = {len, (BYTE *)(uintptr_t)bytes};
    DWORD encoding, content, format;
    HCERTSTORE store = NULL;
    const void *context = NULL;
    PCCERT_CONTEXT each = NULL;

    if (!CryptQueryObject(CERT_QUERY_OBJECT_BLOB, &blob, 0xFFFFFFFF, CERT_QUERY_FORMAT_FLAG_ALL, 0,
                          &encoding, &content, &format, &store, NULL, &context)) {
        TEST_REQUIRE(!store && !context);
        return;
    }
    TEST_REQUIRE(store);
    while ((each = CertEnumCertificatesInStore(store, each)))
        read_bytes(each->pbCertEncoded, each->cbCertEncoded);
    CertFreeCertificateContext(context);
    TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
}

void fuzz_one(struct fuzz_input *input)
{
    unsigned type = fuzz_pick(input, sizeof(types) / sizeof(types[0]));
    uint8_t options = fuzz_u8(input);
    size_t len;
    uint8_t *bytes = fuzz_take_rest(input, &len);

    if (len > 0)
        decode(type, bytes, (DWORD)len);
    if (options & 1)
        query(bytes, (DWORD)len);
    free(bytes);
}
