/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificates without memory: each allocation of each function fails in turn, the TLS library's
 * own included, and the function says so, leaks nothing and works the next time. And no memory that
 * this library frees still holds a private key.
 */
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../api/test_cert_util.h"
#include "cert/certificate.h"
#include "support/failing_alloc.h"
#include "support/test_util.h"

TEST_FORKS_WITH_THREADS;

/* So that the TLS library's allocations go through this program's malloc, which is the wrapped one.
 */
static void *tls_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *tls_realloc(void *memory, size_t size, const char *file, int line)
{
    void *moved = realloc(memory, size);

    (void)file;
    (void)line;
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
    /* Since then its own function does so, but leaves it to us; malloc's failures it reports. */
    if (!moved && size > 0)
        ERR_raise(ERR_LIB_CRYPTO, ERR_R_MALLOC_FAILURE);
#endif
    return moved;
}

/* What the TLS library frees: its decoders leave keys behind, which is not ours to judge here. */
static volatile bool tls_is_freeing; /* volatile: compilers know that free() looks at nothing */

static void tls_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    tls_is_freeing = true;
    free(memory);
    tls_is_freeing = false;
}

/* What the functions under test are given; made once. */
static struct test_bytes leaf;
static struct test_bytes inter;
static struct test_bytes key;
static struct test_bytes pfx;
static char cert_path[4096];
static char key_path[4096];
static char sealed_path[4096];
static struct test_bytes pem;
static PCCERT_CONTEXT own;                        /* with key and chain */
static char folder[] = "/tmp/osspi-alloc-XXXXXX"; /* for certificates to be put in */
static char listed[4096];                         /* in it, a folder that stays as it is */

/* A function under test. Returns what it says: SEC_E_OK, or why not. */
typedef SECURITY_STATUS (*attempt)(void);

static SECURITY_STATUS last(void)
{
    return (SECURITY_STATUS)GetLastError();
}

static SECURITY_STATUS try_load(const char *path, const char *password)
{
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status = OsspiLoadCertificate(cert_path, path, password, &context);

    TEST_REQUIRE((status == SEC_E_OK) == (context != NULL));
    CertFreeCertificateContext(context);
    return status;
}

static SECURITY_STATUS load_plain(void)
{
    return try_load(key_path, NULL);
}

static SECURITY_STATUS load_sealed(void)
{
    return try_load(sealed_path, "secret");
}

static SECURITY_STATUS import_pfx(void)
{
    CRYPT_DATA_BLOB blob = {(DWORD)pfx.len, pfx.bytes};
    HCERTSTORE store = PFXImportCertStore(&blob, u"secret", 0);

    if (!store)
        return last();
    TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
    return SEC_E_OK;
}

static SECURITY_STATUS create(void)
{
    PCCERT_CONTEXT context =
        CertCreateCertificateContext(X509_ASN_ENCODING, leaf.bytes, (DWORD)leaf.len);

    if (!context)
        return last();
    CertFreeCertificateContext(context);
    return SEC_E_OK;
}

static SECURITY_STATUS create_with_key_and_chain(void)
{
    struct osspi_der_view chain = {inter.bytes, inter.len};
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status =
        osspi_certificate_new((struct osspi_der_view){leaf.bytes, leaf.len},
                              (struct osspi_der_view){key.bytes, key.len}, &chain, 1, &context);

    TEST_REQUIRE((status == SEC_E_OK) == (context != NULL));
    CertFreeCertificateContext(context);
    return status;
}

static SECURITY_STATUS from_chain(void)
{
    struct osspi_der_view chain[] = {{leaf.bytes, leaf.len}, {inter.bytes, inter.len}};
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status = osspi_certificate_from_chain(chain, 2, &context);

    if (status != SEC_E_OK)
        return status;
    /* This one cannot say that there was no memory; it may find nothing then. */
    if (osspi_certificate_chain(context, NULL, 0) != 1)
        status = SEC_E_INSUFFICIENT_MEMORY;
    CertFreeCertificateContext(context);
    return status;
}

static SECURITY_STATUS fill_store(HCERTSTORE store)
{
    CRYPT_DATA_BLOB text = {6, (BYTE *)u"abc"};
    PCCERT_CONTEXT added = NULL;
    SECURITY_STATUS status = SEC_E_OK;

    for (int i = 0; i < 6 && status == SEC_E_OK; i++) {
        if (!CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, leaf.bytes, (DWORD)leaf.len,
                                              CERT_STORE_ADD_ALWAYS, &added))
            return last();
        if (!CertSetCertificateContextProperty(added, CERT_FRIENDLY_NAME_PROP_ID, 0, &text) ||
            !CertAddCertificateContextToStore(
                store, added, CERT_STORE_ADD_REPLACE_EXISTING_INHERIT_PROPERTIES, NULL))
            status = last();
        CertFreeCertificateContext(added);
    }
    return status;
}

static SECURITY_STATUS search_store(HCERTSTORE store)
{
    PCCERT_CONTEXT context = NULL;
    unsigned count = 0;
    char name[64];

    while ((context = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0,
                                                 CERT_FIND_SUBJECT_STR_W, u"server", context))) {
        count++;
        SetLastError(0);
        CertGetNameStringA(context, CERT_NAME_DNS_TYPE, 0, NULL, name, sizeof(name));
        if (GetLastError() == 0)
            CertGetNameStringA(context, CERT_NAME_FRIENDLY_DISPLAY_TYPE, 0, NULL, name, 64);
        if (GetLastError() != 0) {
            CertFreeCertificateContext(context);
            return last();
        }
    }
    return GetLastError() == (DWORD)CRYPT_E_NOT_FOUND && count == 6 ? SEC_E_OK : last();
}

static SECURITY_STATUS use_store(void)
{
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
    SECURITY_STATUS status;

    if (!store)
        return last();
    status = fill_store(store);
    if (status == SEC_E_OK)
        status = search_store(store);
    TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
    return status;
}

static SECURITY_STATUS decode_with(LPCSTR type, const CRYPT_DATA_BLOB *der)
{
    void *structure = NULL;
    DWORD size = 0;

    if (!CryptDecodeObjectEx(X509_ASN_ENCODING, type, der->pbData, der->cbData,
                             CRYPT_DECODE_ALLOC_FLAG, NULL, &structure, &size))
        return last();
    LocalFree(structure);
    return SEC_E_OK;
}

static SECURITY_STATUS decode_names(void)
{
    const CERT_INFO *info = own->pCertInfo;
    SECURITY_STATUS status = decode_with(X509_UNICODE_NAME, &info->Subject);

    if (status != SEC_E_OK)
        return status;
    return decode_with(
        szOID_SUBJECT_ALT_NAME2,
        &CertFindExtension(szOID_SUBJECT_ALT_NAME2, info->cExtension, info->rgExtension)->Value);
}

static SECURITY_STATUS query_pem(void)
{
    CERT_BLOB blob = {(DWORD)pem.len, pem.bytes};
    const void *context = NULL;
    HCERTSTORE store = NULL;

    if (!CryptQueryObject(CERT_QUERY_OBJECT_BLOB, &blob, CERT_QUERY_CONTENT_FLAG_ALL,
                          CERT_QUERY_FORMAT_FLAG_ALL, 0, NULL, NULL, NULL, &store, NULL, &context))
        return last();
    CertFreeCertificateContext(context);
    TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
    return SEC_E_OK;
}

static HCERTSTORE open_folder(void)
{
    return CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, 0, folder);
}

/* Writes a file, reads it, and deletes it; what a failure leaves there does not matter here. */
static SECURITY_STATUS use_folder(void)
{
    HCERTSTORE store = open_folder();
    SECURITY_STATUS status = SEC_E_OK;
    PCCERT_CONTEXT found;

    if (!store)
        return last();
    if (!CertAddCertificateContextToStore(store, own, CERT_STORE_ADD_REPLACE_EXISTING, NULL))
        status = last();
    TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
    if (status != SEC_E_OK)
        return status;
    store = open_folder();
    if (!store)
        return last();
    found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_HAS_PRIVATE_KEY, NULL,
                                       NULL);
    if (!found || !CertDeleteCertificateFromStore(found))
        status = last();
    TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
    return status;
}

static BOOL see_file(const OsspiStoreFile *file, void *data)
{
    *(bool *)data |= file->status == SEC_E_INSUFFICIENT_MEMORY;
    return TRUE;
}

static SECURITY_STATUS list_folder(void)
{
    bool lacked = false;
    SECURITY_STATUS status =
        OsspiListStore(listed, CERT_SYSTEM_STORE_CURRENT_USER, see_file, &lacked);

    return status == SEC_E_OK && lacked ? SEC_E_INSUFFICIENT_MEMORY : status;
}

static bool is_out_of_memory(SECURITY_STATUS status)
{
    return status == SEC_E_INSUFFICIENT_MEMORY || status == E_OUTOFMEMORY;
}

/* Among how many failures one may have another name. From 3.2 on the TLS library's decoder of
 * public keys keeps its reasons to itself, so that we cannot tell no memory from an unknown
 * algorithm. */
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
#define NAMED_WELL 2
#else
#define NAMED_WELL 4
#endif

/* Fails each allocation of the function, the first ones one by one and then with growing steps:
 * most of them are the TLS library's, which does not always say why it failed. Nearly always it
 * must be known all the same. */
static void fail_in_turn(attempt function, uint64_t dense)
{
    unsigned misnamed = 0;
    unsigned failed = 0;

    /* Once with all memory, so that nothing is left that happens once per process. */
    assert_int_equal(function(), SEC_E_OK);
    for (uint64_t nth = 1;; nth += nth < dense ? 1 : nth / 40 + 1) {
        SECURITY_STATUS status;
        bool hit;

        failing_alloc_nth(nth);
        status = function();
        hit = failing_alloc_hit();
        failing_alloc_nth(0);
        assert_int_equal(ERR_peek_error(), 0);
        if (!hit) {
            assert_int_equal(status, SEC_E_OK);
            break;
        }
        failed += status != SEC_E_OK;
        misnamed += status != SEC_E_OK && !is_out_of_memory(status);
        /* Of all wrong names, this one would have people asked for a password in vain. */
        assert_int_not_equal(status, SEC_E_LOGON_DENIED);
        assert_int_not_equal(status, ERROR_INVALID_PASSWORD);
    }
    assert_int_equal(function(), SEC_E_OK);
    print_message("%u failures, %u with another name than memory\n", failed, misnamed);
    assert_true(misnamed * NAMED_WELL < failed);
}

static void every_allocation_fails_in_turn(void **state)
{
    static const attempt functions[] = {create,     create_with_key_and_chain,
                                        from_chain, use_store,
                                        load_plain, load_sealed,
                                        import_pfx, decode_names,
                                        query_pem,  use_folder,
                                        list_folder};
    uint64_t dense = TEST_SANITIZED ? 200 : 2000;

    (void)state;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        fail_in_turn(functions[i], dense);
}

/* In a child the library context is made anew; one allocation of that fails. */
static int first_use_in_child(void *data)
{
    SECURITY_STATUS status;

    failing_alloc_nth(*(uint64_t *)data);
    status = create_with_key_and_chain();
    TEST_REQUIRE(status == SEC_E_OK || failing_alloc_hit());
    if (!failing_alloc_hit())
        return 1;
    failing_alloc_nth(0);
    TEST_REQUIRE_EQUAL(create_with_key_and_chain(), SEC_E_OK);
    TEST_REQUIRE_EQUAL(import_pfx(), SEC_E_OK);
    return 0;
}

static void first_use_without_memory_is_no_last_word(void **state)
{
    uint64_t nth = 1;
    int result;

    (void)state;
    do {
        result = test_child_join(test_child_fork(first_use_in_child, &nth));
        nth += nth / (TEST_SANITIZED ? 4 : 16) + 1;
    } while (result == 0);
    assert_int_equal(result, 1);
}

/* ---- keys are wiped ---- */

/* The private number, and the line of the PEM file with most of it. */
static uint8_t secret[32];
static char secret_text[65];
static unsigned found_in_freed_memory;

static void look_before_free(void *memory)
{
    size_t size = malloc_usable_size(memory);

    if (tls_is_freeing)
        return;
    if (memmem(memory, size, secret, sizeof(secret)) ||
        memmem(memory, size, secret_text, strlen(secret_text)))
        found_in_freed_memory++;
}

/* The number is the OCTET STRING of 32 bytes in the PKCS#8 of a P-256 key (RFC 5915). */
static void learn_secret(void)
{
    struct test_bytes text = test_cert_file("server.key");
    const char *line = memchr(text.bytes, '\n', text.len);
    const uint8_t *found = memmem(key.bytes, key.len, "\x04\x20", 2);

    assert_non_null(found);
    assert_true(found + 34 <= key.bytes + key.len);
    memcpy(secret, found + 2, sizeof(secret));
    assert_non_null(line);
    memcpy(secret_text, line + 1, 64);
    free(text.bytes);
}

static void freed_memory_holds_no_key(void **state)
{
    static const attempt functions[] = {
        create_with_key_and_chain, load_plain, load_sealed, import_pfx, use_folder, list_folder};

    (void)state;
    learn_secret();
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        found_in_freed_memory = 0;
        failing_alloc_watch_free(look_before_free);
        assert_int_equal(functions[i](), SEC_E_OK);
        failing_alloc_watch_free(NULL);
        assert_int_equal(found_in_freed_memory, 0);
    }
}

static void make_folders(void)
{
    HCERTSTORE store;

    assert_non_null(mkdtemp(folder));
    snprintf(listed, sizeof(listed), "%s/listed", folder);
    store = CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, CERT_STORE_CREATE_NEW_FLAG, listed);
    assert_non_null(store);
    assert_true(CertAddCertificateContextToStore(store, own, CERT_STORE_ADD_NEW, NULL));
    assert_true(CertCloseStore(store, 0));
}

static int prepare(void **state)
{
    (void)state;
    leaf = test_cert_der("server.pem", 0);
    inter = test_cert_der("server.pem", 1);
    key = test_cert_key("server.key");
    pfx = test_cert_file("server.pfx");
    snprintf(cert_path, sizeof(cert_path), "%s", test_cert_path("server.pem"));
    snprintf(key_path, sizeof(key_path), "%s", test_cert_path("server.key"));
    snprintf(sealed_path, sizeof(sealed_path), "%s", test_cert_path("server-enc.key"));
    pem = test_cert_file("server.pem");
    assert_int_equal(OsspiLoadCertificate(cert_path, key_path, NULL, &own), SEC_E_OK);
    make_folders();
    test_watchdog(220);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    free(leaf.bytes);
    free(inter.bytes);
    free(key.bytes);
    free(pfx.bytes);
    free(pem.bytes);
    CertFreeCertificateContext(own);
    (void)CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, CERT_STORE_DELETE_FLAG, listed);
    assert_int_equal(GetLastError(), ERROR_SUCCESS);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_in_turn),
        cmocka_unit_test(first_use_without_memory_is_no_last_word),
        cmocka_unit_test(freed_memory_holds_no_key),
    };

    /* Before the TLS library's first allocation, or not at all. */
    if (!CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free))
        return 1;
    return cmocka_run_group_tests(tests, prepare, finish);
}
