/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: certificate contexts, which all threads share and some change; see random.h. They
 * are addresses, as on Windows, so each call here owns the reference it uses.
 */
#include <stdlib.h>
#include <string.h>

#include "random/random.h"
#include "support/contract_status.h"

static PCCERT_CONTEXT pick(struct random_thread *thread)
{
    return RANDOM_OF(thread, random_world.certificates);
}

static void call_create(struct random_thread *thread)
{
    PCCERT_CONTEXT like = pick(thread), made;
    DWORD len = like->cbCertEncoded;
    BYTE *der = malloc(len);

    TEST_REQUIRE(der);
    memcpy(der, like->pbCertEncoded, len);
    if (random_chance(thread, 50))
        der[random_below(thread, len)] ^= (BYTE)(1u << random_below(thread, 8));
    made = CertCreateCertificateContext(X509_ASN_ENCODING, der, len);
    free(der);
    if (made)
        TEST_REQUIRE_EQUAL(made->cbCertEncoded, len);
    CertFreeCertificateContext(made);
}

static void call_duplicate(struct random_thread *thread)
{
    PCCERT_CONTEXT one = random_chance(thread, 90) ? pick(thread) : NULL;

    TEST_REQUIRE(CertDuplicateCertificateContext(one) == one);
    TEST_REQUIRE(CertFreeCertificateContext(one));
}

static void call_free(struct random_thread *thread)
{
    PCCERT_CONTEXT one = CertDuplicateCertificateContext(pick(thread));

    TEST_REQUIRE(CertFreeCertificateContext(NULL));
    TEST_REQUIRE(CertFreeCertificateContext(one));
}

static const DWORD properties[] = {
    CERT_FRIENDLY_NAME_PROP_ID, CERT_SHA1_HASH_PROP_ID, CERT_KEY_PROV_INFO_PROP_ID, 1, 3, 99};

static void call_get_property(struct random_thread *thread)
{
    BYTE value[256];
    DWORD size = random_below(thread, sizeof(value) + 1);

    (void)CertGetCertificateContextProperty(pick(thread), RANDOM_OF(thread, properties),
                                            random_chance(thread, 80) ? value : NULL, &size);
}

static void call_set_property(struct random_thread *thread)
{
    BYTE value[64] = {'a', 0, 'b', 0};
    CRYPT_DATA_BLOB blob = {2 + 2 * random_below(thread, 31), value};

    (void)CertSetCertificateContextProperty(pick(thread), CERT_FRIENDLY_NAME_PROP_ID, 0,
                                            random_chance(thread, 80) ? &blob : NULL);
}

static void call_name_a(struct random_thread *thread)
{
    char name[40];
    DWORD size = 1 + random_below(thread, sizeof(name));
    DWORD type = 1 + random_below(thread, 10);
    DWORD len;

    if (type == CERT_NAME_RDN_TYPE || type == CERT_NAME_ATTR_TYPE)
        type = CERT_NAME_FRIENDLY_DISPLAY_TYPE;
    len = CertGetNameStringA(pick(thread), type, 0, NULL, name, size);
    TEST_REQUIRE(len <= size);
}

static void call_name_w(struct random_thread *thread)
{
    WCHAR name[40];
    DWORD size = 1 + random_below(thread, 40);

    TEST_REQUIRE(CertGetNameStringW(pick(thread), CERT_NAME_FRIENDLY_DISPLAY_TYPE,
                                    random_below(thread, 2), NULL, name, size) <= size);
}

static void call_find_extension(struct random_thread *thread)
{
    const CERT_INFO *info = pick(thread)->pCertInfo;

    (void)CertFindExtension(random_chance(thread, 50) ? "2.5.29.17" : "1.2.3", info->cExtension,
                            info->rgExtension);
}

static void call_load(struct random_thread *thread)
{
    char certificate[512], key[512];
    PCCERT_CONTEXT loaded = NULL;
    const char *keys[] = {"server", "client", "no-such-file"};

    peer_path("server", ".pem", certificate, sizeof(certificate));
    peer_path(RANDOM_OF(thread, keys), ".key", key, sizeof(key));
    contract_require("OsspiLoadCertificate",
                     OsspiLoadCertificate(certificate, random_chance(thread, 80) ? key : NULL,
                                          random_chance(thread, 50) ? "secret" : NULL, &loaded));
    CertFreeCertificateContext(loaded);
}

static DWORD any_form(struct random_thread *thread)
{
    return random_below(thread, 14) | (random_chance(thread, 20) ? CRYPT_STRING_STRICT : 0) |
           (random_chance(thread, 10) ? CRYPT_STRING_NOCR : 0);
}

static void call_binary_to_string_a(struct random_thread *thread)
{
    char text[200];
    DWORD size = random_below(thread, sizeof(text) + 1), room = size;

    if (CryptBinaryToStringA(pick(thread)->pbCertEncoded, random_below(thread, 60),
                             any_form(thread), random_chance(thread, 80) ? text : NULL, &size) &&
        size < room)
        TEST_REQUIRE(size < sizeof(text));
}

static void call_binary_to_string_w(struct random_thread *thread)
{
    WCHAR text[200];
    DWORD size = random_below(thread, 201);

    (void)CryptBinaryToStringW(pick(thread)->pbCertEncoded, random_below(thread, 60),
                               any_form(thread), text, &size);
}

static void call_string_to_binary_a(struct random_thread *thread)
{
    static const char *const texts[] = {"Zm9v", "0000\t61", "61 62", "-----BEGIN x-----Zm9v", "V="};
    BYTE bytes[16];
    DWORD size = random_below(thread, sizeof(bytes) + 1), skip, form;

    (void)CryptStringToBinaryA(RANDOM_OF(thread, texts), random_below(thread, 4), any_form(thread),
                               random_chance(thread, 80) ? bytes : NULL, &size, &skip, &form);
}

static void call_string_to_binary_w(struct random_thread *thread)
{
    BYTE bytes[16];
    DWORD size = random_below(thread, sizeof(bytes) + 1);

    (void)CryptStringToBinaryW(u"6162 63", random_below(thread, 8), any_form(thread), bytes, &size,
                               NULL, NULL);
}

static BOOL decode(struct random_thread *thread, void **ret_structure)
{
    const CERT_INFO *info = pick(thread)->pCertInfo;
    const CERT_EXTENSION *extension = &info->rgExtension[random_below(thread, info->cExtension)];
    DWORD size = 0;

    return CryptDecodeObjectEx(
        X509_ASN_ENCODING,
        random_chance(thread, 80) ? extension->pszObjId
                                  : (LPCSTR)(uintptr_t)random_below(thread, 40),
        extension->Value.pbData, random_chance(thread, 80) ? extension->Value.cbData : 3,
        CRYPT_DECODE_ALLOC_FLAG, NULL, ret_structure, &size);
}

static void call_decode(struct random_thread *thread)
{
    void *structure = NULL;

    TEST_REQUIRE(decode(thread, &structure) == (structure != NULL));
    LocalFree(structure);
}

static void call_local_free(struct random_thread *thread)
{
    void *structure = NULL;

    (void)decode(thread, &structure);
    TEST_REQUIRE(!LocalFree(structure));
    TEST_REQUIRE(!LocalFree(NULL));
}

/* The reason of a failure belongs to the thread. */
static void call_set_last_error(struct random_thread *thread)
{
    DWORD value = random_below(thread, 1000);

    SetLastError(value);
    TEST_REQUIRE_EQUAL(GetLastError(), value);
}

static void call_get_last_error(struct random_thread *thread)
{
    (void)thread;
    (void)CertCreateCertificateContext(X509_ASN_ENCODING, NULL, 0);
    TEST_REQUIRE(GetLastError() != 0);
}

static const struct random_row rows[] = {
    {"CertCreateCertificateContext", call_create, 4},
    {"CertDuplicateCertificateContext", call_duplicate, 4},
    {"CertFreeCertificateContext", call_free, 4},
    {"CertGetCertificateContextProperty", call_get_property, 6},
    {"CertSetCertificateContextProperty", call_set_property, 6},
    {"CertGetNameStringA", call_name_a, 6},
    {"CertGetNameStringW", call_name_w, 6},
    {"CertFindExtension", call_find_extension, 2},
    {"OsspiLoadCertificate", call_load, 1},
    {"CryptBinaryToStringA", call_binary_to_string_a, 2},
    {"CryptBinaryToStringW", call_binary_to_string_w, 2},
    {"CryptStringToBinaryA", call_string_to_binary_a, 2},
    {"CryptStringToBinaryW", call_string_to_binary_w, 2},
    {"CryptDecodeObjectEx", call_decode, 3},
    {"LocalFree", call_local_free, 1},
    {"SetLastError", call_set_last_error, 2},
    {"GetLastError", call_get_last_error, 2},
};
RANDOM_ROWS(random_certificate_rows, rows);
