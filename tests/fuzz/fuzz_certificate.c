/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: certificate contexts, the stores they are put in, and what is looked for in those.
 *
 * Input: one byte of options, 16 bits that are the length of what is searched for, that, and then
 * the certificate in DER.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/fuzz_cert_read.h"

static HCERTSTORE store_with_others;

void fuzz_prepare(void)
{
    PCCERT_CONTEXT known = peer_certificate("server");

    store_with_others = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
    TEST_REQUIRE(store_with_others);
    TEST_REQUIRE(
        CertAddCertificateContextToStore(store_with_others, known, CERT_STORE_ADD_NEW, NULL));
    CertFreeCertificateContext(known);
}

/* Strings are looked for in both forms; counted bytes as a hash, a name, a key's number. */
static void search(HCERTSTORE store, const uint8_t *bytes, size_t len)
{
    static const DWORD blob_types[] = {CERT_FIND_SHA1_HASH, CERT_FIND_KEY_IDENTIFIER,
                                       CERT_FIND_SUBJECT_NAME, CERT_FIND_ISSUER_NAME};
    static const DWORD string_types[] = {CERT_FIND_SUBJECT_STR_A, CERT_FIND_ISSUER_STR_A};
    CRYPT_HASH_BLOB blob = {(DWORD)len, (BYTE *)(uintptr_t)bytes};
    struct fuzz_input rest = {bytes, len};
    char *string = fuzz_take_string(&rest, len);
    WCHAR *wide = (WCHAR *)(void *)fuzz_room((len / 2 + 1) * sizeof(WCHAR));

    memcpy(wide, bytes, len / 2 * sizeof(WCHAR));
    wide[len / 2] = 0;
    for (size_t i = 0; i < sizeof(blob_types) / sizeof(blob_types[0]); i++)
        CertFreeCertificateContext(
            CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, blob_types[i], &blob, NULL));
    for (size_t i = 0; i < sizeof(string_types) / sizeof(string_types[0]); i++)
        CertFreeCertificateContext(
            CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, string_types[i], string, NULL));
    CertFreeCertificateContext(CertFindCertificateInStore(store, X509_ASN_ENCODING, 0,
                                                          CERT_FIND_SUBJECT_STR_W, wide, NULL));
    free(string);
    free(wide);
}

static void use(PCCERT_CONTEXT context, uint8_t options)
{
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
    DWORD disposition = 1 + options % 7;
    PCCERT_CONTEXT copy = NULL;

    TEST_REQUIRE(store);
    fuzz_read_certificate(context);
    CertAddCertificateContextToStore(store, context, disposition, &copy);
    CertFreeCertificateContext(copy);
    copy = NULL;
    CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, context->pbCertEncoded,
                                     context->cbCertEncoded, 1 + options / 7 % 7, &copy);
    CertFreeCertificateContext(copy);
    fuzz_read_store(store);
    CertFreeCertificateContext(CertFindCertificateInStore(store_with_others, X509_ASN_ENCODING, 0,
                                                          CERT_FIND_ISSUER_OF, context, NULL));
    CertFreeCertificateContext(CertFindCertificateInStore(
        store_with_others, X509_ASN_ENCODING, 0, CERT_FIND_SUBJECT_CERT, context->pCertInfo, NULL));
}

void fuzz_one(struct fuzz_input *input)
{
    uint8_t options = fuzz_u8(input);
    size_t wanted_len, len;
    uint8_t *wanted = fuzz_take(input, fuzz_u16(input), &wanted_len);
    uint8_t *der = fuzz_take_rest(input, &len);
    PCCERT_CONTEXT context;

    SetLastError(0);
    context = CertCreateCertificateContext(X509_ASN_ENCODING, der, (DWORD)len);
    if (context)
        use(context, options);
    else
        TEST_REQUIRE(GetLastError() == (DWORD)CRYPT_E_ASN1_BADTAG ||
                     GetLastError() == (DWORD)CRYPT_E_ASN1_EOD ||
                     GetLastError() == (DWORD)E_INVALIDARG);
    search(store_with_others, wanted, wanted_len);
    CertFreeCertificateContext(context);
    free(wanted);
    free(der);
}
