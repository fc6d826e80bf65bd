/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reading certificates to their last byte; see fuzz_cert_read.h.
 */
#include "fuzz/fuzz_cert_read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/test_util.h"

static volatile unsigned sum; /* so that no read is left out */

static void read_bytes(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++)
        sum += at[i];
}

static void read_blob(const CRYPT_DATA_BLOB *blob)
{
    read_bytes(blob->pbData, blob->cbData);
}

static void read_bits(const CRYPT_BIT_BLOB *bits)
{
    read_bytes(bits->pbData, bits->cbData);
    TEST_REQUIRE(bits->cUnusedBits < 8);
}

static void read_algorithm(const CRYPT_ALGORITHM_IDENTIFIER *algorithm)
{
    read_bytes(algorithm->pszObjId, strlen(algorithm->pszObjId));
    read_blob(&algorithm->Parameters);
}

static void read_info(const CERT_INFO *info)
{
    read_blob(&info->SerialNumber);
    read_blob(&info->Issuer);
    read_blob(&info->Subject);
    read_algorithm(&info->SignatureAlgorithm);
    read_algorithm(&info->SubjectPublicKeyInfo.Algorithm);
    read_bits(&info->SubjectPublicKeyInfo.PublicKey);
    read_bits(&info->IssuerUniqueId);
    read_bits(&info->SubjectUniqueId);
    for (DWORD i = 0; i < info->cExtension; i++) {
        const CERT_EXTENSION *one = &info->rgExtension[i];

        read_bytes(one->pszObjId, strlen(one->pszObjId));
        read_blob(&one->Value);
        TEST_REQUIRE(CertFindExtension(one->pszObjId, info->cExtension, info->rgExtension) != NULL);
    }
}

/* A name cut to any size is what the whole name begins with, and always ends. */
static void read_name(PCCERT_CONTEXT context, DWORD type, DWORD flags, void *parameter)
{
    DWORD needed = CertGetNameStringA(context, type, flags, parameter, NULL, 0);
    DWORD wide_needed = CertGetNameStringW(context, type, flags, parameter, NULL, 0);
    char *whole = malloc(needed), cut[7];
    WCHAR *wide = malloc(wide_needed * sizeof(WCHAR));

    TEST_REQUIRE(needed >= 1 && wide_needed >= 1 && whole && wide);
    TEST_REQUIRE_EQUAL(CertGetNameStringA(context, type, flags, parameter, whole, needed), needed);
    TEST_REQUIRE_EQUAL(whole[needed - 1], 0);
    TEST_REQUIRE_EQUAL(CertGetNameStringW(context, type, flags, parameter, wide, wide_needed),
                       wide_needed);
    TEST_REQUIRE_EQUAL(wide[wide_needed - 1], 0);
    needed = CertGetNameStringA(context, type, flags, parameter, cut, sizeof(cut));
    TEST_REQUIRE(needed >= 1 && needed <= sizeof(cut) && cut[needed - 1] == '\0');
    free(whole);
    free(wide);
}

static void read_names(PCCERT_CONTEXT context)
{
    static const char *const attributes[] = {szOID_COMMON_NAME, "2.5.4.10", "1.2.3.4.5", ""};

    for (DWORD type = CERT_NAME_EMAIL_TYPE; type <= CERT_NAME_UPN_TYPE; type++) {
        DWORD order = type == CERT_NAME_RDN_TYPE ? CERT_X500_NAME_STR : 0;
        void *parameter = type == CERT_NAME_RDN_TYPE ? &order : NULL;

        if (type == CERT_NAME_ATTR_TYPE)
            continue;
        read_name(context, type, 0, parameter);
        read_name(context, type, CERT_NAME_ISSUER_FLAG, parameter);
        read_name(context, type, CERT_NAME_SEARCH_ALL_NAMES_FLAG, parameter);
    }
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
        read_name(context, CERT_NAME_ATTR_TYPE, 0, (void *)(uintptr_t)attributes[i]);
}

static void read_properties(PCCERT_CONTEXT context)
{
    for (DWORD id = 0; id < 100; id++) {
        DWORD size = 0;
        uint8_t *value;

        if (!CertGetCertificateContextProperty(context, id, NULL, &size))
            continue;
        value = malloc(size ? size : 1);
        TEST_REQUIRE(value);
        TEST_REQUIRE(CertGetCertificateContextProperty(context, id, value, &size));
        read_bytes(value, size);
        free(value);
    }
}

void fuzz_read_certificate(PCCERT_CONTEXT context)
{
    read_bytes(context->pbCertEncoded, context->cbCertEncoded);
    read_info(context->pCertInfo);
    read_names(context);
    read_properties(context);
}

void fuzz_walk_store(HCERTSTORE store)
{
    PCCERT_CONTEXT context = NULL;

    while ((context = CertEnumCertificatesInStore(store, context)) != NULL) {
        PCCERT_CONTEXT found;

        fuzz_read_certificate(context);
        found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_EXISTING, context,
                                           NULL);
        TEST_REQUIRE(found != NULL);
        CertFreeCertificateContext(found);
        found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_ISSUER_OF,
                                           context, NULL);
        CertFreeCertificateContext(found);
        found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_SUBJECT_CERT,
                                           context->pCertInfo, NULL);
        CertFreeCertificateContext(found);
    }
    context = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_HAS_PRIVATE_KEY,
                                         NULL, NULL);
    CertFreeCertificateContext(context);
}

void fuzz_read_store(HCERTSTORE store)
{
    fuzz_walk_store(store);
    TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
}
