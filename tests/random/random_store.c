/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: certificate stores, shared by all threads; see random.h. A store's handle may be
 * anything; a certificate that goes in, or leads on, is always a good one.
 */
#include <string.h>

#include "random/random.h"

static void made(struct random_thread *thread, HCERTSTORE store)
{
    SecHandle value = {(ULONG_PTR)store, 0}, left;

    if (store && random_put(thread, RANDOM_STORES, value, &left))
        (void)CertCloseStore((HCERTSTORE)left.dwLower, 0);
}

static HCERTSTORE pick(struct random_thread *thread)
{
    struct random_handle handle = random_pick(thread, RANDOM_STORES);

    return handle.null ? NULL : (HCERTSTORE)handle.value.dwLower;
}

static void call_open(struct random_thread *thread)
{
    LPCSTR provider = random_chance(thread, 95) ? CERT_STORE_PROV_MEMORY : (LPCSTR)7;

    made(thread, CertOpenStore(provider, 0, 0, 0, NULL));
}

static void call_close(struct random_thread *thread)
{
    static const DWORD flags[] = {0, 0, CERT_CLOSE_STORE_CHECK_FLAG, CERT_CLOSE_STORE_FORCE_FLAG};
    struct random_handle handle = random_take(thread, RANDOM_STORES);

    (void)CertCloseStore(handle.null ? NULL : (HCERTSTORE)handle.value.dwLower,
                         RANDOM_OF(thread, flags));
}

static void check_failure(BOOL done)
{
    if (!done)
        TEST_REQUIRE(GetLastError() != 0);
}

static void call_add_context(struct random_thread *thread)
{
    PCCERT_CONTEXT in_store = NULL;

    SetLastError(0);
    check_failure(CertAddCertificateContextToStore(
        pick(thread), RANDOM_OF(thread, random_world.certificates), random_below(thread, 9),
        random_chance(thread, 50) ? &in_store : NULL));
    CertFreeCertificateContext(in_store);
}

static void call_add_encoded(struct random_thread *thread)
{
    PCCERT_CONTEXT certificate = RANDOM_OF(thread, random_world.certificates), in_store = NULL;
    DWORD len = certificate->cbCertEncoded;

    if (random_chance(thread, 20))
        len = random_below(thread, len);
    SetLastError(0);
    check_failure(CertAddEncodedCertificateToStore(
        pick(thread), X509_ASN_ENCODING, certificate->pbCertEncoded, len,
        1 + random_below(thread, 7), random_chance(thread, 50) ? &in_store : NULL));
    CertFreeCertificateContext(in_store);
}

/* Some of the way through, while others add and close. */
static void call_enumerate(struct random_thread *thread)
{
    HCERTSTORE store = pick(thread);
    PCCERT_CONTEXT one = NULL;

    for (unsigned steps = random_below(thread, 12); steps > 0; steps--) {
        one = CertEnumCertificatesInStore(store, one);
        if (!one)
            return;
        TEST_REQUIRE(one->pbCertEncoded[0] == 0x30);
    }
    CertFreeCertificateContext(one);
}

static void call_find(struct random_thread *thread)
{
    PCCERT_CONTEXT like = RANDOM_OF(thread, random_world.certificates), found = NULL;
    HCERTSTORE store = pick(thread);
    CERT_NAME_BLOB subject = like->pCertInfo->Subject;

    for (int i = 0; i < 3; i++) {
        switch (random_below(thread, 6)) {
        case 0:
            found =
                CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_ANY, NULL, found);
            break;
        case 1:
            found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_SUBJECT_NAME,
                                               &subject, found);
            break;
        case 2:
            found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_EXISTING,
                                               like, found);
            break;
        case 3:
            found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0,
                                               CERT_FIND_HAS_PRIVATE_KEY, NULL, found);
            break;
        case 4:
            found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_SUBJECT_STR_A,
                                               "test", found);
            break;
        default:
            found = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_ISSUER_OF,
                                               like, found);
            break;
        }
        if (!found)
            return;
    }
    CertFreeCertificateContext(found);
}

/* "MY" is in a scratch folder, which all threads change. */
static void call_open_system_a(struct random_thread *thread)
{
    static const char *const names[] = {"MY", "my", "ROOT", "Elsewhere", ""};

    made(thread, CertOpenSystemStoreA(0, RANDOM_OF(thread, names)));
}

static void call_open_system_w(struct random_thread *thread)
{
    made(thread, CertOpenSystemStoreW(0, random_chance(thread, 90) ? u"MY" : NULL));
}

static void call_delete(struct random_thread *thread)
{
    HCERTSTORE store = pick(thread);
    PCCERT_CONTEXT one = CertEnumCertificatesInStore(store, NULL);

    if (one && random_chance(thread, 50))
        one = CertEnumCertificatesInStore(store, one);
    SetLastError(0);
    check_failure(CertDeleteCertificateFromStore(one));
}

static void call_query(struct random_thread *thread)
{
    PCCERT_CONTEXT like = RANDOM_OF(thread, random_world.certificates);
    CERT_BLOB blob = {random_chance(thread, 70) ? like->cbCertEncoded : 10, like->pbCertEncoded};
    HCERTSTORE store = NULL;
    const void *context = NULL;
    BOOL done = CryptQueryObject(1 + random_below(thread, 3),
                                 random_chance(thread, 80) ? (const void *)&blob : NULL,
                                 CERT_QUERY_CONTENT_FLAG_ALL, CERT_QUERY_FORMAT_FLAG_ALL, 0, NULL,
                                 NULL, NULL, &store, NULL, &context);

    TEST_REQUIRE(done == (store != NULL));
    CertFreeCertificateContext(context);
    made(thread, store);
}

static BOOL seen(const OsspiStoreFile *file, void *data)
{
    struct random_thread *thread = data;

    TEST_REQUIRE(file->path);
    TEST_REQUIRE((file->status == SEC_E_OK) == (file->reason == NULL));
    return random_chance(thread, 90);
}

static void call_list(struct random_thread *thread)
{
    (void)OsspiListStore(random_chance(thread, 80) ? "MY" : "x",
                         random_chance(thread, 90) ? CERT_SYSTEM_STORE_CURRENT_USER : 5,
                         random_chance(thread, 95) ? seen : NULL, thread);
}

static void call_import_pfx(struct random_thread *thread)
{
    CRYPT_DATA_BLOB blob = {(DWORD)random_world.pfx.len, random_world.pfx.bytes};

    if (random_chance(thread, 40))
        blob.cbData = random_below(thread, blob.cbData);
    made(thread, PFXImportCertStore(&blob, random_chance(thread, 70) ? u"secret" : u"wrong", 0));
}

static const struct random_row rows[] = {
    {"CertOpenStore", call_open, 3},
    {"CertCloseStore", call_close, 3},
    {"CertAddCertificateContextToStore", call_add_context, 6},
    {"CertAddEncodedCertificateToStore", call_add_encoded, 3},
    {"CertEnumCertificatesInStore", call_enumerate, 6},
    {"CertFindCertificateInStore", call_find, 6},
    {"PFXImportCertStore", call_import_pfx, 1},
    {"CertOpenSystemStoreA", call_open_system_a, 1},
    {"CertOpenSystemStoreW", call_open_system_w, 1},
    {"CertDeleteCertificateFromStore", call_delete, 2},
    {"CryptQueryObject", call_query, 2},
    {"OsspiListStore", call_list, 1},
};
RANDOM_ROWS(random_store_rows, rows);
