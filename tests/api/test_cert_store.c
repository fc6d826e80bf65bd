/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Stores and contexts by their exported functions: opening, closing in every order, stale handles,
 * adding by each disposition, walking, finding, properties.
 */
#include <stdlib.h>
#include <string.h>

#include "test_cert_util.h"

static PCCERT_CONTEXT add(HCERTSTORE store, PCCERT_CONTEXT context, DWORD disposition)
{
    PCCERT_CONTEXT added = NULL;

    assert_true(CertAddCertificateContextToStore(store, context, disposition, &added));
    assert_non_null(added);
    return added;
}

static void add_file(HCERTSTORE store, const char *name, int index)
{
    PCCERT_CONTEXT context = test_cert_context(name, index);

    assert_true(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_NEW, NULL));
    CertFreeCertificateContext(context);
}

static void open_unknown_provider_is_refused(void **state)
{
    (void)state;
    assert_null(CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, 0, u"MY"));
    TEST_LAST_ERROR(ERROR_FILE_NOT_FOUND);
    assert_null(CertOpenStore("Collection", 0, 0, 0, NULL));
    assert_null(CertOpenStore(NULL, 0, 0, 0, NULL));
    assert_null(CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, CERT_STORE_DELETE_FLAG, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
}

static void open_by_name_of_provider(void **state)
{
    HCERTSTORE store = CertOpenStore("memory", 0, 0, CERT_STORE_CREATE_NEW_FLAG, NULL);

    (void)state;
    assert_non_null(store);
    assert_int_equal(test_cert_count(store), 0);
    assert_true(CertCloseStore(store, 0));
}

static void close_stale_handle_is_false(void **state)
{
    HCERTSTORE store = test_cert_store();

    (void)state;
    assert_true(CertCloseStore(NULL, 0));
    assert_true(CertCloseStore(store, 0));
    assert_false(CertCloseStore(store, 0));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_false(CertCloseStore((HCERTSTORE)(uintptr_t)0x1234, 0));
    assert_false(CertCloseStore((HCERTSTORE)(uintptr_t)-1, CERT_CLOSE_STORE_FORCE_FLAG));
    assert_false(CertCloseStore(&store, 0));
}

static void stale_handle_in_every_function_is_refused(void **state)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);
    PCCERT_CONTEXT added = (PCCERT_CONTEXT)&store;

    (void)state;
    assert_true(CertCloseStore(store, 0));
    assert_null(CertEnumCertificatesInStore(store, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_null(CertFindCertificateInStore(store, 0, 0, CERT_FIND_ANY, NULL, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_false(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_NEW, &added));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_null(added);
    CertFreeCertificateContext(context);
}

static void close_with_contexts_left(void **state)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context;

    (void)state;
    add_file(store, "server.pem", 0);
    add_file(store, "server.pem", 1);
    context = CertEnumCertificatesInStore(store, NULL);
    assert_ptr_equal(context->hCertStore, store);
    assert_false(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
    TEST_LAST_ERROR(CRYPT_E_PENDING_CLOSE);

    /* It is closed all the same, but lives as long as the context does. */
    assert_int_equal(test_cert_count(context->hCertStore), 2);
    assert_false(CertCloseStore(store, 0));
    assert_true(CertFreeCertificateContext(context));
    assert_null(CertEnumCertificatesInStore(store, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
}

static void close_by_force_ends_the_handle_not_the_context(void **state)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context;

    (void)state;
    add_file(store, "ca.pem", 0);
    context = CertEnumCertificatesInStore(store, NULL);
    assert_true(CertCloseStore(store, CERT_CLOSE_STORE_FORCE_FLAG));
    assert_null(CertEnumCertificatesInStore(store, NULL));
    assert_int_equal(context->pCertInfo->dwVersion, CERT_V3);
    assert_true(CertFreeCertificateContext(context));
    assert_false(CertCloseStore(store, 0));
}

static void handle_of_a_new_store_differs(void **state)
{
    HCERTSTORE first = test_cert_store();

    (void)state;
    CertCloseStore(first, 0);
    for (int i = 0; i < 1000; i++) {
        HCERTSTORE store = test_cert_store();

        assert_ptr_not_equal(store, first);
        assert_true(CertCloseStore(store, 0));
    }
}

static void close_unknown_flags_are_refused(void **state)
{
    HCERTSTORE store = test_cert_store();

    (void)state;
    assert_false(CertCloseStore(store, 0x80));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_true(CertCloseStore(store, 0));
}

static void create_bad_arguments_are_refused(void **state)
{
    struct test_bytes der = test_cert_der("ca.pem", 0);

    (void)state;
    assert_null(CertCreateCertificateContext(X509_ASN_ENCODING, NULL, 10));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_null(CertCreateCertificateContext(X509_NDR_ENCODING, der.bytes, (DWORD)der.len));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_null(CertCreateCertificateContext(X509_ASN_ENCODING, der.bytes, 0));
    TEST_LAST_ERROR(CRYPT_E_ASN1_BADTAG);
    assert_null(CertCreateCertificateContext(X509_ASN_ENCODING, der.bytes, (DWORD)der.len - 1));
    TEST_LAST_ERROR(CRYPT_E_ASN1_BADTAG);
    free(der.bytes);
}

static void context_is_counted(void **state)
{
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);

    (void)state;
    assert_null(CertDuplicateCertificateContext(NULL));
    assert_true(CertFreeCertificateContext(NULL));
    assert_ptr_equal(CertDuplicateCertificateContext(context), context);
    assert_true(CertFreeCertificateContext(context));
    assert_int_equal(context->dwCertEncodingType, X509_ASN_ENCODING);
    assert_null(context->hCertStore);
    assert_true(CertFreeCertificateContext(context));
}

static void add_new_twice_is_refused(void **state)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);
    PCCERT_CONTEXT added = add(store, context, CERT_STORE_ADD_NEW);

    (void)state;
    assert_ptr_not_equal(added, context);
    assert_false(CertAddCertificateContextToStore(store, added, CERT_STORE_ADD_NEW, NULL));
    TEST_LAST_ERROR(CRYPT_E_EXISTS);
    assert_int_equal(test_cert_count(store), 1);
    CertFreeCertificateContext(added);
    CertFreeCertificateContext(context);
    CertCloseStore(store, 0);
}

static void set_text(PCCERT_CONTEXT context, DWORD id, const char *text)
{
    CRYPT_DATA_BLOB blob = {(DWORD)strlen(text), (BYTE *)(uintptr_t)text};

    assert_true(CertSetCertificateContextProperty(context, id, 0, &blob));
}

static void check_text(PCCERT_CONTEXT context, DWORD id, const char *text)
{
    char found[32];
    DWORD len = sizeof(found);

    if (!text) {
        assert_false(CertGetCertificateContextProperty(context, id, found, &len));
        TEST_LAST_ERROR(CRYPT_E_NOT_FOUND);
        return;
    }
    assert_true(CertGetCertificateContextProperty(context, id, found, &len));
    assert_int_equal(len, strlen(text));
    assert_memory_equal(found, text, len);
}

#define FIRST_ID (CERT_FIRST_USER_PROP_ID + 0)
#define NEXT_ID  (CERT_FIRST_USER_PROP_ID + 1)

/* The one there has property FIRST "old"; the one that is added has FIRST "new" and NEXT "new". */
static void check_disposition(DWORD disposition, const char *first, const char *next,
                              unsigned count)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);
    PCCERT_CONTEXT there;
    PCCERT_CONTEXT added;

    set_text(context, FIRST_ID, "old");
    there = add(store, context, CERT_STORE_ADD_NEW);
    set_text(context, FIRST_ID, "new");
    set_text(context, NEXT_ID, "new");
    added = add(store, context, disposition);
    check_text(added, FIRST_ID, first);
    check_text(added, NEXT_ID, next);
    assert_int_equal(test_cert_count(store), count);
    CertFreeCertificateContext(there);
    CertFreeCertificateContext(added);
    CertFreeCertificateContext(context);
    CertCloseStore(store, 0);
}

static void add_by_disposition(void **state)
{
    (void)state;
    check_disposition(CERT_STORE_ADD_USE_EXISTING, "old", "new", 1);
    check_disposition(CERT_STORE_ADD_REPLACE_EXISTING, "new", "new", 1);
    check_disposition(CERT_STORE_ADD_REPLACE_EXISTING_INHERIT_PROPERTIES, "new", "new", 1);
    check_disposition(CERT_STORE_ADD_ALWAYS, "new", "new", 2);
}

static void replace_drops_or_inherits_properties(void **state)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT plain = test_cert_context("ca.pem", 0);
    PCCERT_CONTEXT old = add(store, plain, CERT_STORE_ADD_NEW);
    PCCERT_CONTEXT inherits;
    PCCERT_CONTEXT drops;

    (void)state;
    set_text(old, FIRST_ID, "old");
    inherits = add(store, plain, CERT_STORE_ADD_REPLACE_EXISTING_INHERIT_PROPERTIES);
    check_text(inherits, FIRST_ID, "old");
    drops = add(store, plain, CERT_STORE_ADD_REPLACE_EXISTING);
    check_text(drops, FIRST_ID, NULL);
    check_text(inherits, FIRST_ID, "old");
    CertFreeCertificateContext(drops);
    CertFreeCertificateContext(inherits);
    CertFreeCertificateContext(old);
    CertFreeCertificateContext(plain);
    CertCloseStore(store, 0);
}

static void add_unknown_disposition_is_refused(void **state)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);

    (void)state;
    assert_false(CertAddCertificateContextToStore(store, context, 0, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_false(CertAddCertificateContextToStore(store, context, 99, NULL));
    assert_false(CertAddCertificateContextToStore(NULL, context, 0, NULL));
    assert_false(CertAddCertificateContextToStore(store, NULL, CERT_STORE_ADD_NEW, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    CertFreeCertificateContext(context);
    CertCloseStore(store, 0);
}

static void add_without_store_makes_a_copy(void **state)
{
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);
    PCCERT_CONTEXT copy;

    (void)state;
    set_text(context, FIRST_ID, "one");
    copy = add(NULL, context, CERT_STORE_ADD_ALWAYS);
    set_text(context, FIRST_ID, "two");
    check_text(copy, FIRST_ID, "one");
    assert_null(copy->hCertStore);
    assert_true(CertAddCertificateContextToStore(NULL, context, CERT_STORE_ADD_ALWAYS, NULL));
    CertFreeCertificateContext(copy);
    CertFreeCertificateContext(context);
}

static void add_encoded(void **state)
{
    HCERTSTORE store = test_cert_store();
    struct test_bytes der = test_cert_der("ca.pem", 0);
    PCCERT_CONTEXT added = NULL;

    (void)state;
    assert_true(CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING | PKCS_7_ASN_ENCODING,
                                                 der.bytes, (DWORD)der.len, CERT_STORE_ADD_NEW,
                                                 &added));
    assert_int_equal(added->cbCertEncoded, der.len);
    assert_memory_equal(added->pbCertEncoded, der.bytes, der.len);
    CertFreeCertificateContext(added);
    assert_false(CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der.bytes, 20,
                                                  CERT_STORE_ADD_NEW, &added));
    TEST_LAST_ERROR(CRYPT_E_ASN1_BADTAG);
    assert_null(added);
    assert_int_equal(test_cert_count(store), 1);
    free(der.bytes);
    CertCloseStore(store, 0);
}

static void enumerate_goes_on_while_the_store_changes(void **state)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context = NULL;
    unsigned seen = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        add_file(store, "deep.pem", i);
    while ((context = CertEnumCertificatesInStore(store, context))) {
        PCCERT_CONTEXT again = add(store, context, CERT_STORE_ADD_REPLACE_EXISTING);

        CertFreeCertificateContext(again);
        if (seen == 5)
            add_file(store, "ca.pem", 0);
        seen++;
    }
    assert_int_equal(seen, 11);
    CertCloseStore(store, 0);
}

static void enumerate_from_another_store_is_refused(void **state)
{
    HCERTSTORE store = test_cert_store();
    HCERTSTORE other = test_cert_store();

    (void)state;
    add_file(store, "ca.pem", 0);
    add_file(other, "ca.pem", 0);
    assert_null(CertEnumCertificatesInStore(store, CertEnumCertificatesInStore(other, NULL)));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_null(CertEnumCertificatesInStore(store, test_cert_context("ca.pem", 0)));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_true(CertCloseStore(other, CERT_CLOSE_STORE_CHECK_FLAG));
    assert_true(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
}

/* The whole of server.pem, ca.pem and client.pem. */
static HCERTSTORE mixed_store(void)
{
    HCERTSTORE store = test_cert_store();

    add_file(store, "server.pem", 0);
    add_file(store, "server.pem", 1);
    add_file(store, "ca.pem", 0);
    add_file(store, "client.pem", 0);
    return store;
}

/* How many it finds, one after the other. */
static unsigned found(HCERTSTORE store, DWORD type, const void *parameter)
{
    PCCERT_CONTEXT context = NULL;
    unsigned count = 0;

    while ((context =
                CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, type, parameter, context)))
        count++;
    TEST_LAST_ERROR(CRYPT_E_NOT_FOUND);
    return count;
}

static void find_by_what_it_is(void **state)
{
    HCERTSTORE store = mixed_store();
    PCCERT_CONTEXT server = test_cert_context("server.pem", 0);
    PCCERT_CONTEXT expired = test_cert_context("expired.pem", 0);
    BYTE hash[20];
    DWORD len = sizeof(hash);
    CRYPT_HASH_BLOB blob = {sizeof(hash), hash};

    (void)state;
    assert_int_equal(found(store, CERT_FIND_ANY, NULL), 4);
    assert_true(CertGetCertificateContextProperty(server, CERT_HASH_PROP_ID, hash, &len));
    assert_int_equal(found(store, CERT_FIND_SHA1_HASH, &blob), 1);
    hash[0] ^= 1;
    assert_int_equal(found(store, CERT_FIND_SHA1_HASH, &blob), 0);
    blob.cbData = 0;
    assert_int_equal(found(store, CERT_FIND_HASH, &blob), 0);
    assert_int_equal(found(store, CERT_FIND_EXISTING, server), 1);
    assert_int_equal(found(store, CERT_FIND_EXISTING, expired), 0);
    assert_int_equal(found(store, CERT_FIND_SUBJECT_CERT, server->pCertInfo), 1);
    assert_int_equal(found(store, CERT_FIND_SUBJECT_CERT, expired->pCertInfo), 0);
    assert_int_equal(found(store, CERT_FIND_PUBLIC_KEY, &server->pCertInfo->SubjectPublicKeyInfo),
                     1);
    assert_int_equal(found(store, CERT_FIND_PUBLIC_KEY, &expired->pCertInfo->SubjectPublicKeyInfo),
                     0);
    assert_int_equal(found(store, CERT_FIND_HAS_PRIVATE_KEY, NULL), 0);
    CertFreeCertificateContext(server);
    CertFreeCertificateContext(expired);
    CertCloseStore(store, 0);
}

static void find_by_name(void **state)
{
    HCERTSTORE store = mixed_store();
    PCCERT_CONTEXT server = test_cert_context("server.pem", 0);

    (void)state;
    assert_int_equal(found(store, CERT_FIND_SUBJECT_NAME, &server->pCertInfo->Subject), 1);
    assert_int_equal(found(store, CERT_FIND_SUBJECT_NAME, &server->pCertInfo->Issuer), 1);
    assert_int_equal(found(store, CERT_FIND_ISSUER_NAME, &server->pCertInfo->Issuer), 1);
    assert_int_equal(found(store, CERT_FIND_SUBJECT_STR_A, "SERVER.t"), 1);
    assert_int_equal(found(store, CERT_FIND_SUBJECT_STR_A, "openssPI"), 2);
    assert_int_equal(found(store, CERT_FIND_SUBJECT_STR_A, ""), 4);
    assert_int_equal(found(store, CERT_FIND_SUBJECT_STR_W, u"client"), 1);
    assert_int_equal(found(store, CERT_FIND_ISSUER_STR_W, u"test CA"), 3);
    assert_int_equal(found(store, CERT_FIND_ISSUER_STR_A, "test inter"), 1);
    assert_int_equal(found(store, CERT_FIND_SUBJECT_STR_A, "nobody"), 0);
    assert_int_equal(found(store, CERT_FIND_ISSUER_OF, server), 1);
    CertFreeCertificateContext(server);
    CertCloseStore(store, 0);
}

static void find_bad_arguments_are_refused(void **state)
{
    static const WCHAR lone_surrogate[] = {0xD800, 0};
    static const DWORD types[] = {
        CERT_FIND_SHA1_HASH,
        CERT_FIND_SUBJECT_NAME,
        CERT_FIND_ISSUER_NAME,
        CERT_FIND_PUBLIC_KEY,
        CERT_FIND_SUBJECT_STR_A,
        CERT_FIND_SUBJECT_STR_W,
        CERT_FIND_SUBJECT_CERT,
        CERT_FIND_ISSUER_OF,
        CERT_FIND_EXISTING,
        CERT_FIND_MD5_HASH,
        0xFFFFFFFF,
    };
    HCERTSTORE store = mixed_store();

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        PCCERT_CONTEXT previous = CertEnumCertificatesInStore(store, NULL);

        /* The previous one is freed all the same. */
        SetLastError(0);
        assert_null(CertFindCertificateInStore(store, 0, 0, types[i], NULL, previous));
        TEST_LAST_ERROR(E_INVALIDARG);
    }
    assert_null(
        CertFindCertificateInStore(store, 0, 0, CERT_FIND_SUBJECT_STR_W, lone_surrogate, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_true(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
}

static void property_hashes_are_computed(void **state)
{
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);
    CRYPT_DATA_BLOB blob = {1, (BYTE[]){1}};
    BYTE hash[32] = {0};
    DWORD len = 0;

    (void)state;
    assert_true(CertGetCertificateContextProperty(context, CERT_SHA1_HASH_PROP_ID, NULL, &len));
    assert_int_equal(len, 20);
    len = 19;
    assert_false(CertGetCertificateContextProperty(context, CERT_SHA1_HASH_PROP_ID, hash, &len));
    TEST_LAST_ERROR(ERROR_MORE_DATA);
    assert_int_equal(len, 20);
    assert_true(CertGetCertificateContextProperty(context, CERT_SHA256_HASH_PROP_ID, NULL, &len));
    assert_int_equal(len, 32);
    assert_false(CertSetCertificateContextProperty(context, CERT_HASH_PROP_ID, 0, &blob));
    TEST_LAST_ERROR(E_INVALIDARG);
    CertFreeCertificateContext(context);
}

static void property_of_windows_keys_is_not_found(void **state)
{
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);
    CRYPT_KEY_PROV_INFO info = {0};
    DWORD len = 0;

    (void)state;
    assert_false(
        CertGetCertificateContextProperty(context, CERT_KEY_PROV_INFO_PROP_ID, NULL, &len));
    TEST_LAST_ERROR(CRYPT_E_NOT_FOUND);
    assert_false(CertSetCertificateContextProperty(context, CERT_KEY_PROV_INFO_PROP_ID, 0, &info));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_false(CertGetCertificateContextProperty(context, 0, NULL, &len));
    assert_false(CertGetCertificateContextProperty(context, 0x10000, NULL, &len));
    CertFreeCertificateContext(context);
}

static void property_is_set_replaced_and_removed(void **state)
{
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);
    CRYPT_DATA_BLOB empty = {0, NULL};
    CRYPT_DATA_BLOB bad = {5, NULL};
    DWORD len = 9;

    (void)state;
    check_text(context, CERT_DESCRIPTION_PROP_ID, NULL);
    set_text(context, CERT_DESCRIPTION_PROP_ID, "a");
    set_text(context, FIRST_ID, "b");
    set_text(context, CERT_DESCRIPTION_PROP_ID, "changed");
    check_text(context, CERT_DESCRIPTION_PROP_ID, "changed");
    assert_true(CertSetCertificateContextProperty(context, CERT_DESCRIPTION_PROP_ID, 0, NULL));
    assert_true(CertSetCertificateContextProperty(context, CERT_DESCRIPTION_PROP_ID, 0, NULL));
    check_text(context, CERT_DESCRIPTION_PROP_ID, NULL);
    check_text(context, FIRST_ID, "b");
    assert_true(CertSetCertificateContextProperty(context, FIRST_ID, 0, &empty));
    assert_true(CertGetCertificateContextProperty(context, FIRST_ID, NULL, &len));
    assert_int_equal(len, 0);
    assert_false(CertSetCertificateContextProperty(context, FIRST_ID, 0, &bad));
    assert_false(CertSetCertificateContextProperty(NULL, FIRST_ID, 0, &empty));
    assert_false(CertGetCertificateContextProperty(context, FIRST_ID, NULL, NULL));
    assert_false(CertGetCertificateContextProperty(NULL, FIRST_ID, NULL, &len));
    TEST_LAST_ERROR(E_INVALIDARG);
    CertFreeCertificateContext(context);
}

static void extension_is_found_by_its_id(void **state)
{
    PCCERT_CONTEXT context = test_cert_context("ca.pem", 0);
    PCERT_INFO info = context->pCertInfo;
    PCERT_EXTENSION extension =
        CertFindExtension(szOID_BASIC_CONSTRAINTS2, info->cExtension, info->rgExtension);

    (void)state;
    assert_non_null(extension);
    assert_true(extension->fCritical);
    assert_int_equal(extension->Value.cbData, 5);
    assert_memory_equal(extension->Value.pbData, "\x30\x03\x01\x01\xff", 5);
    assert_null(CertFindExtension("1.2.3", info->cExtension, info->rgExtension));
    assert_null(CertFindExtension("1.2.3", 0, NULL));
    assert_null(CertFindExtension("1.2.3", 1, NULL));
    assert_null(CertFindExtension(NULL, info->cExtension, info->rgExtension));
    CertFreeCertificateContext(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_unknown_provider_is_refused),
        cmocka_unit_test(open_by_name_of_provider),
        cmocka_unit_test(close_stale_handle_is_false),
        cmocka_unit_test(stale_handle_in_every_function_is_refused),
        cmocka_unit_test(close_with_contexts_left),
        cmocka_unit_test(close_by_force_ends_the_handle_not_the_context),
        cmocka_unit_test(handle_of_a_new_store_differs),
        cmocka_unit_test(close_unknown_flags_are_refused),
        cmocka_unit_test(create_bad_arguments_are_refused),
        cmocka_unit_test(context_is_counted),
        cmocka_unit_test(add_new_twice_is_refused),
        cmocka_unit_test(add_by_disposition),
        cmocka_unit_test(replace_drops_or_inherits_properties),
        cmocka_unit_test(add_unknown_disposition_is_refused),
        cmocka_unit_test(add_without_store_makes_a_copy),
        cmocka_unit_test(add_encoded),
        cmocka_unit_test(enumerate_goes_on_while_the_store_changes),
        cmocka_unit_test(enumerate_from_another_store_is_refused),
        cmocka_unit_test(find_by_what_it_is),
        cmocka_unit_test(find_by_name),
        cmocka_unit_test(find_bad_arguments_are_refused),
        cmocka_unit_test(property_hashes_are_computed),
        cmocka_unit_test(property_of_windows_keys_is_not_found),
        cmocka_unit_test(property_is_set_replaced_and_removed),
        cmocka_unit_test(extension_is_found_by_its_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
