/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificates and stores from many threads at once, and in children forked while those threads
 * were at it. ThreadSanitizer watches the first, the watchdog the second.
 */
#include <opensspi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/test_cert_util.h"
#include "cert/certificate.h"
#include "support/test_util.h"

TEST_FORKS_WITH_THREADS;

#define THREADS 4

/* Constant while threads run. */
static struct test_bytes ders[21];
static struct test_bytes pfx;
static char cert_path[4096];
static char key_path[4096];

static HCERTSTORE shared;      /* constant while threads run */
static PCCERT_CONTEXT context; /* the same */
static _Atomic bool stop;

static void add_one(uint64_t number)
{
    struct test_bytes der = ders[number % 21];
    PCCERT_CONTEXT added = NULL;
    DWORD disposition = CERT_STORE_ADD_NEW + (DWORD)(number >> 8) % 5;

    if (disposition == CERT_STORE_ADD_ALWAYS)
        disposition = CERT_STORE_ADD_USE_EXISTING;
    if (!CertAddEncodedCertificateToStore(shared, X509_ASN_ENCODING, der.bytes, (DWORD)der.len,
                                          disposition, &added))
        TEST_REQUIRE_EQUAL(GetLastError(), (DWORD)CRYPT_E_EXISTS);
    CertFreeCertificateContext(added);
}

static void set_property(uint64_t number)
{
    BYTE bytes[16] = {0};
    DWORD len = sizeof(bytes);
    CRYPT_DATA_BLOB blob = {1 + number % sizeof(bytes), bytes};
    DWORD id = CERT_FIRST_USER_PROP_ID + number % 3;

    TEST_REQUIRE(CertSetCertificateContextProperty(context, id, 0, number % 5 ? &blob : NULL));
    CertGetCertificateContextProperty(context, id, bytes, &len);
}

static void walk(void)
{
    PCCERT_CONTEXT found = NULL;
    unsigned count = 0;

    while ((found = CertFindCertificateInStore(shared, 0, 0, CERT_FIND_SUBJECT_STR_A, "e", found)))
        count++;
    TEST_REQUIRE(count > 0 && count <= 21);
}

static void ask_chain(void)
{
    struct osspi_der_view chain[20];
    PCCERT_CONTEXT same = CertDuplicateCertificateContext(context);

    TEST_REQUIRE(osspi_certificate_chain(same, chain, 20) <= 20);
    CertFreeCertificateContext(same);
}

/* A store of its own, closed while its contexts are still there. */
static void open_and_close(void)
{
    struct osspi_der_view chain[] = {{ders[0].bytes, ders[0].len}, {ders[1].bytes, ders[1].len}};
    PCCERT_CONTEXT leaf = NULL;
    PCCERT_CONTEXT next;

    TEST_REQUIRE_EQUAL(osspi_certificate_from_chain(chain, 2, &leaf), SEC_E_OK);
    next = CertEnumCertificatesInStore(leaf->hCertStore, NULL);
    CertFreeCertificateContext(leaf);
    next = CertEnumCertificatesInStore(next->hCertStore, next);
    TEST_REQUIRE(next);
    CertFreeCertificateContext(next);
}

static void load(void)
{
    PCCERT_CONTEXT loaded = NULL;

    TEST_REQUIRE_EQUAL(OsspiLoadCertificate(cert_path, key_path, NULL, &loaded), SEC_E_OK);
    CertFreeCertificateContext(loaded);
}

static void import(void)
{
    CRYPT_DATA_BLOB blob = {(DWORD)pfx.len, pfx.bytes};
    HCERTSTORE store = PFXImportCertStore(&blob, u"secret", 0);

    TEST_REQUIRE(store);
    TEST_REQUIRE(CertCloseStore(store, 0));
}

static void anything(uint64_t number)
{
    switch (number % 64) {
    case 0:
        import();
        break;
    case 1:
    case 2:
        load();
        break;
    default:
        switch (number >> 6 & 7) {
        case 0:
            walk();
            break;
        case 1:
            open_and_close();
            break;
        case 2:
            ask_chain();
            break;
        case 3:
        case 4:
            set_property(number >> 9);
            break;
        default:
            add_one(number >> 9);
        }
    }
}

static void *work(void *data)
{
    uint64_t seed = (uintptr_t)data;

    for (uint32_t i = 0; i < TEST_ROUNDS(1000); i++)
        anything(test_random(&seed));
    return NULL;
}

static void *work_until_stopped(void *data)
{
    uint64_t seed = (uintptr_t)data;

    while (!atomic_load(&stop))
        anything(test_random(&seed));
    return NULL;
}

static void threads_share_a_store(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
}

static int everything_in_child(void *data)
{
    uint64_t seed = (uintptr_t)data;

    for (int i = 0; i < 20; i++)
        anything(test_random(&seed));
    load();
    import();
    walk();
    return 0;
}

static void children_of_a_busy_process_work(void **state)
{
    int (*const beside)(void *) = TEST_BUSY_FORKS ? everything_in_child : test_child_nothing;
    pthread_t threads[THREADS];

    (void)state;
    atomic_store(&stop, false);
    for (uintptr_t i = 0; i < THREADS; i++)
        threads[i] = test_thread_start(work_until_stopped, (void *)i);
    for (uintptr_t i = 0; i < TEST_ROUNDS(40); i++)
        assert_int_equal(test_child_join(test_child_fork(beside, (void *)i)), 0);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        test_thread_join(threads[i]);
    assert_int_equal(test_child_join(test_child_fork(everything_in_child, NULL)), 0);
}

static int grandchild(void *data)
{
    load();
    return data ? test_child_join(test_child_fork(grandchild, NULL)) : 0;
}

static void grandchildren_work_too(void **state)
{
    (void)state;
    load();
    assert_int_equal(test_child_join(test_child_fork(grandchild, "again")), 0);
    load();
}

static int prepare(void **state)
{
    (void)state;
    for (int i = 0; i < 21; i++)
        ders[i] = test_cert_der("deep.pem", i);
    pfx = test_cert_file("server.pfx");
    snprintf(cert_path, sizeof(cert_path), "%s", test_cert_path("server.pem"));
    snprintf(key_path, sizeof(key_path), "%s", test_cert_path("server.key"));
    shared = test_cert_store();
    TEST_REQUIRE(CertAddEncodedCertificateToStore(shared, X509_ASN_ENCODING, ders[0].bytes,
                                                  (DWORD)ders[0].len, CERT_STORE_ADD_NEW,
                                                  &context));
    test_watchdog(110);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    CertFreeCertificateContext(context);
    CertCloseStore(shared, 0);
    for (int i = 0; i < 21; i++)
        free(ders[i].bytes);
    free(pfx.bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_store),
        cmocka_unit_test(children_of_a_busy_process_work),
        cmocka_unit_test(grandchildren_work_too),
    };

    return cmocka_run_group_tests(tests, prepare, finish);
}
