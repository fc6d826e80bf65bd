/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Damaged certificates, PEM files and PFX blobs: truncated anywhere, bits flipped, bytes replaced,
 * pieces doubled. Whatever comes out must be a refusal with a reason, or a certificate whose every
 * part can be read. The same on each run, but
 * for the samples, which are new ones in each build folder.
 */
#include <fcntl.h>
#include <openssl/err.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test_util.h"
#include "test_cert_util.h"

static uint64_t seed = 20260101;
static volatile unsigned sum; /* so that no read is left out */
static char scratch[] = "/tmp/osspi-fuzz-XXXXXX";

static void read_bytes(const BYTE *bytes, DWORD len)
{
    for (DWORD i = 0; i < len; i++)
        sum += bytes[i];
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

static void read_info(const CERT_INFO *info)
{
    read_blob(&info->SerialNumber);
    read_blob(&info->Issuer);
    read_blob(&info->Subject);
    sum += (unsigned)strlen(info->SignatureAlgorithm.pszObjId);
    read_blob(&info->SignatureAlgorithm.Parameters);
    sum += (unsigned)strlen(info->SubjectPublicKeyInfo.Algorithm.pszObjId);
    read_blob(&info->SubjectPublicKeyInfo.Algorithm.Parameters);
    read_bits(&info->SubjectPublicKeyInfo.PublicKey);
    read_bits(&info->IssuerUniqueId);
    read_bits(&info->SubjectUniqueId);
    for (DWORD i = 0; i < info->cExtension; i++) {
        sum += (unsigned)strlen(info->rgExtension[i].pszObjId);
        read_blob(&info->rgExtension[i].Value);
    }
}

static void read_names(PCCERT_CONTEXT context)
{
    for (DWORD type = CERT_NAME_EMAIL_TYPE; type <= CERT_NAME_UPN_TYPE; type++) {
        char name[300];
        WCHAR wide[20];
        void *parameter = type == CERT_NAME_ATTR_TYPE ? (void *)szOID_COMMON_NAME : NULL;
        DWORD flags = CERT_NAME_SEARCH_ALL_NAMES_FLAG | (type & CERT_NAME_ISSUER_FLAG);
        DWORD len = CertGetNameStringA(context, type, flags, parameter, name, sizeof(name));

        TEST_REQUIRE(len >= 1 && len <= sizeof(name) && name[len - 1] == '\0');
        len = CertGetNameStringW(context, type, flags, parameter, wide, 20);
        TEST_REQUIRE(len >= 1 && len <= 20 && wide[len - 1] == 0);
    }
}

static void read_context(PCCERT_CONTEXT context)
{
    read_bytes(context->pbCertEncoded, context->cbCertEncoded);
    read_info(context->pCertInfo);
    read_names(context);
}

static void read_store(HCERTSTORE store)
{
    PCCERT_CONTEXT context = NULL;

    while ((context = CertEnumCertificatesInStore(store, context)))
        read_context(context);
}

/* ---- what damaged bytes are fed to ---- */

static void feed_der(const uint8_t *bytes, size_t len)
{
    PCCERT_CONTEXT context;
    PCCERT_CONTEXT issuer;
    HCERTSTORE store;

    SetLastError(0);
    context = CertCreateCertificateContext(X509_ASN_ENCODING, bytes, (DWORD)len);
    if (!context) {
        TEST_REQUIRE_EQUAL(GetLastError(), (DWORD)CRYPT_E_ASN1_BADTAG);
        return;
    }
    read_context(context);
    store = test_cert_store();
    TEST_REQUIRE(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_NEW, NULL));
    issuer = CertFindCertificateInStore(store, 0, 0, CERT_FIND_ISSUER_OF, context, NULL);
    CertFreeCertificateContext(issuer);
    CertCloseStore(store, 0);
    CertFreeCertificateContext(context);
}

static void feed_pfx(const uint8_t *bytes, size_t len)
{
    CRYPT_DATA_BLOB blob = {(DWORD)len, (BYTE *)(uintptr_t)bytes};
    HCERTSTORE store;

    SetLastError(0);
    store = PFXImportCertStore(&blob, u"secret", 0);
    if (!store) {
        TEST_REQUIRE(GetLastError() == (DWORD)CRYPT_E_BAD_ENCODE ||
                     GetLastError() == ERROR_INVALID_PASSWORD);
        return;
    }
    read_store(store);
    TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
}

static void feed_pem(const uint8_t *bytes, size_t len)
{
    int fd = open(scratch, O_WRONLY | O_TRUNC | O_CLOEXEC);
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status;

    TEST_REQUIRE(fd >= 0);
    TEST_REQUIRE(write(fd, bytes, len) == (ssize_t)len);
    close(fd);
    status = OsspiLoadCertificate(scratch, NULL, "secret", &context);
    if (status != SEC_E_OK) {
        TEST_REQUIRE(status == SEC_E_UNKNOWN_CREDENTIALS || status == SEC_E_NO_CREDENTIALS ||
                     status == SEC_E_LOGON_DENIED);
        return;
    }
    read_context(context);
    read_store(context->hCertStore);
    CertFreeCertificateContext(context);
}

/* ---- damage ---- */

static uint8_t *copy(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1); /* exact, for the sanitizers to see the end */

    TEST_REQUIRE(exact);
    memcpy(exact, bytes, len);
    return exact;
}

static void truncate_everywhere(struct test_bytes sample, void (*feed)(const uint8_t *, size_t),
                                size_t step)
{
    for (size_t len = 0; len < sample.len; len += step) {
        uint8_t *bytes = copy(sample.bytes, len);

        feed(bytes, len);
        free(bytes);
    }
}

static void flip_everywhere(struct test_bytes sample, void (*feed)(const uint8_t *, size_t),
                            size_t step)
{
    for (size_t bit = 0; bit < sample.len * 8; bit += step) {
        sample.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        feed(sample.bytes, sample.len);
        sample.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Some random damages at once, and a length that may change. */
static void damage(struct test_bytes sample, void (*feed)(const uint8_t *, size_t))
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7F, 0x80, 0x81, 0x84, 0x88, 0xFF, 0x30, 0x31,
                                      0x02, 0x03, 0x04, 0x06, 0x0C, 0x1E, 0xA0, 0x24, '-',  '\n'};
    size_t len = sample.len + test_random(&seed) % 3 * 20;
    uint8_t *bytes = malloc(len);

    TEST_REQUIRE(bytes);
    memcpy(bytes, sample.bytes, sample.len);
    memset(bytes + sample.len, 0, len - sample.len);
    for (uint64_t count = 1 + test_random(&seed) % 4; count > 0; count--) {
        size_t place = test_random(&seed) % len;
        size_t other = test_random(&seed) % len;
        size_t room = len - (place > other ? place : other);

        switch (test_random(&seed) % 3) {
        case 0:
            bytes[place] = telling[test_random(&seed) % sizeof(telling)];
            break;
        case 1:
            bytes[place] = (uint8_t)test_random(&seed);
            break;
        default:
            memmove(bytes + place, bytes + other, test_random(&seed) % (room + 1) % 40);
        }
    }
    feed(bytes, len);
    free(bytes);
}

static void damage_often(struct test_bytes sample, void (*feed)(const uint8_t *, size_t),
                         uint32_t rounds)
{
    for (uint32_t i = 0; i < TEST_ROUNDS(rounds); i++)
        damage(sample, feed);
}

/* The sanitizers make things slow, so they look at every 7th place only. */
#define STEP(plain) (TEST_SANITIZED ? (plain)*7 : (plain))

static void damaged_certificates(void **state)
{
    static const struct test_cert_order order = {
        .subject = {{"C", "DE"}, {"O", "Acme"}, {"CN", "J\xc3\xb6rg"}, {"UID", "u"}},
        .joined = 2,
        .extensions = {{"subjectAltName",
                        "DNS:a.test,IP:::1,email:a@b.test,URI:http://a/,RID:1.2.3,"
                        "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:j@corp.test"},
                       {"basicConstraints", "critical,CA:TRUE,pathlen:3"},
                       {"subjectKeyIdentifier", "hash"},
                       {"keyUsage", "digitalSignature,keyCertSign"}},
    };
    struct test_bytes samples[] = {test_cert_der("server-rsa.pem", 0), test_cert_make(&order)};

    (void)state;
    for (int i = 0; i < 2; i++) {
        truncate_everywhere(samples[i], feed_der, 1);
        flip_everywhere(samples[i], feed_der, STEP(1));
        damage_often(samples[i], feed_der, 5000);
        free(samples[i].bytes);
    }
}

static void damaged_pfx(void **state)
{
    struct test_bytes sample = test_cert_file("server.pfx");

    (void)state;
    truncate_everywhere(sample, feed_pfx, STEP(3));
    flip_everywhere(sample, feed_pfx, STEP(9));
    damage_often(sample, feed_pfx, 1000);
    free(sample.bytes);
}

static void damaged_pem(void **state)
{
    struct test_bytes sample = test_cert_file("server-all.pem");

    (void)state;
    truncate_everywhere(sample, feed_pem, STEP(3));
    flip_everywhere(sample, feed_pem, STEP(23));
    damage_often(sample, feed_pem, 500);
    free(sample.bytes);
}

static void damaged_encrypted_key(void **state)
{
    struct test_bytes certificates = test_cert_file("server.pem");
    struct test_bytes key = test_cert_file("server-enc.key");
    struct test_bytes sample = {malloc(certificates.len + key.len), certificates.len + key.len};

    (void)state;
    TEST_REQUIRE(sample.bytes);
    memcpy(sample.bytes, key.bytes, key.len);
    memcpy(sample.bytes + key.len, certificates.bytes, certificates.len);
    sample.len = key.len;
    flip_everywhere(sample, feed_pem, STEP(13));
    sample.len = certificates.len + key.len;
    damage_often(sample, feed_pem, 300);
    free(sample.bytes);
    free(key.bytes);
    free(certificates.bytes);
}

static int prepare(void **state)
{
    int fd = mkstemp(scratch);

    (void)state;
    test_watchdog(110);
    return fd >= 0 ? close(fd) : -1;
}

static int finish(void **state)
{
    (void)state;
    TEST_REQUIRE_EQUAL(ERR_peek_error(), 0);
    return unlink(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_certificates),
        cmocka_unit_test(damaged_pfx),
        cmocka_unit_test(damaged_pem),
        cmocka_unit_test(damaged_encrypted_key),
    };

    return cmocka_run_group_tests(tests, prepare, finish);
}
