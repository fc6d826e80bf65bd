/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the rest of the library asks of "MY" (cert/system_store.h): a certificate by its thumbprint,
 * and all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/test_cert_my.h"
#include "base/paths.h"
#include "cert/certificate.h"
#include "cert/system_store.h"

static void thumbprint_of(PCCERT_CONTEXT context, uint8_t ret_sha1[20])
{
    DWORD size = 20;

    assert_true(
        CertGetCertificateContextProperty(context, CERT_SHA1_HASH_PROP_ID, ret_sha1, &size));
}

static PCCERT_CONTEXT find(bool machine, const char *store, const uint8_t sha1[20])
{
    PCCERT_CONTEXT found = NULL;
    SECURITY_STATUS status = osspi_system_store_find(machine, store, sha1, &found);

    assert_int_equal(status, found ? SEC_E_OK : SEC_E_NO_CREDENTIALS);
    return found;
}

static void found_by_thumbprint_with_key_and_chain(void **state)
{
    PCCERT_CONTEXT like = load("server-all.pem", NULL), found;
    struct osspi_der_view chain[4];
    uint8_t sha1[20];

    (void)state;
    thumbprint_of(like, sha1);
    assert_null(find(false, NULL, sha1));
    fill();
    found = find(false, NULL, sha1);
    assert_non_null(found);
    assert_true(osspi_certificate_key(found).len > 0);
    assert_int_equal(osspi_certificate_chain(found, chain, 4), 1);
    CertFreeCertificateContext(found);
    found = find(false, "my", sha1);
    assert_non_null(found);
    CertFreeCertificateContext(found);
    found = find(false, "", sha1);
    assert_non_null(found);
    CertFreeCertificateContext(found);
    assert_null(find(false, "ROOT", sha1));
    assert_null(find(false, "Elsewhere", sha1));
    assert_null(find(true, NULL, sha1));
    sha1[19] ^= 1;
    assert_null(find(false, NULL, sha1));
    CertFreeCertificateContext(like);
}

/* Under any name, unless the file is not to be trusted, or has no key. */
static void found_in_files_of_people(void **state)
{
    PCCERT_CONTEXT like = load("server-all.pem", NULL), found;
    uint8_t sha1[20];

    (void)state;
    thumbprint_of(like, sha1);
    CertFreeCertificateContext(like);
    make_folder();
    put_file("server.pem", "site.crt");
    assert_null(find(false, NULL, sha1));
    put_file("server.key", "site.key");
    found = find(false, NULL, sha1);
    assert_non_null(found);
    CertFreeCertificateContext(found);
    assert_int_equal(chmod(my("site.key"), 0640), 0);
    assert_null(find(false, NULL, sha1));
    assert_int_equal(chmod(my("site.key"), 0600), 0);
    assert_int_equal(chmod(my(""), 0777), 0);
    assert_null(find(false, NULL, sha1));
}

/* A file that has the name of a thumbprint but not that certificate misleads nobody. */
static void name_is_not_believed(void **state)
{
    PCCERT_CONTEXT like = load("server-all.pem", NULL), found;
    char name[64];
    uint8_t sha1[20];
    DWORD size = sizeof(name);

    (void)state;
    thumbprint_of(like, sha1);
    CertFreeCertificateContext(like);
    assert_true(
        CryptBinaryToStringA(sha1, 20, CRYPT_STRING_HEXRAW | CRYPT_STRING_NOCRLF, name, &size));
    memcpy(name + size, ".pem", sizeof(".pem"));
    make_folder();
    put_file("client.pem", name);
    assert_null(find(false, NULL, sha1));
    put_file("server-all.pem", "zz.pem");
    found = find(false, NULL, sha1);
    assert_non_null(found);
    thumbprint_of(found, (uint8_t *)name);
    assert_memory_equal(name, sha1, 20);
    CertFreeCertificateContext(found);
}

static size_t count_own(void)
{
    PCCERT_CONTEXT *contexts = NULL;
    size_t count = 99;

    assert_int_equal(osspi_system_store_own(&contexts, &count), SEC_E_OK);
    for (size_t i = 0; i < count; i++)
        assert_true(osspi_certificate_key(contexts[i]).len > 0);
    osspi_system_store_free(contexts, count);
    return count;
}

static void all_that_have_keys(void **state)
{
    (void)state;
    assert_int_equal(count_own(), 0);
    fill();
    put_file("client.pem", "nokey.pem");
    put_file("server-all.pem", "again.pem");
    assert_int_equal(count_own(), 1);
    for (int i = 0; i < 12; i++)
        run("cd '%s' && umask 077 && openssl req -x509 -newkey ec -pkeyopt "
            "ec_paramgen_curve:P-256 -nodes -subj /CN=c%d -days 2 -keyout k%d.key -out k%d.pem "
            "2>/dev/null",
            my(""), i, i, i);
    assert_int_equal(count_own(), 13);
    /* The machine's beside them; what is in both counts once. */
    run("mkdir -p -m 700 '%s/machine/my' && cp '%s' '%s/machine/my' && cp '%s' '%s' "
        "'%s/machine/my'",
        scratch, my("again.pem"), scratch, test_cert_path("client.pem"), my("k3.key"), scratch);
    assert_true(osspi_paths_set(NULL, NULL, "/nowhere"));
    assert_int_equal(count_own(), 13);
    {
        char machine[512];

        snprintf(machine, sizeof(machine), "%s/machine", scratch);
        assert_true(osspi_paths_set(NULL, NULL, machine));
    }
    assert_int_equal(count_own(), 13);
    run("cat '%s/client.pem' '%s/client.key' > '%s/machine/my/c.pem' && chmod 600 "
        "'%s/machine/my/c.pem'",
        getenv("OSSPI_TEST_CERTS"), getenv("OSSPI_TEST_CERTS"), scratch, scratch);
    assert_int_equal(count_own(), 14);
    assert_true(osspi_paths_set(NULL, NULL, NULL));
}

/* Where the user's folder is: XDG_DATA_HOME if it is absolute, else below HOME. */
static void place_of_the_user(void **state)
{
    PCCERT_CONTEXT context = load("server-all.pem", NULL);
    HCERTSTORE store;
    char home[512];

    (void)state;
    snprintf(home, sizeof(home), "%s/other", scratch);
    assert_int_equal(setenv("HOME", home, 1), 0);
    assert_int_equal(setenv("XDG_DATA_HOME", "relative/path", 1), 0);
    store = open_my(USER);
    put(store, context);
    close_store(store);
    assert_int_equal(setenv("XDG_DATA_HOME", scratch, 1), 0);
    snprintf(home, sizeof(home), "%s/other/.local/share/opensspi/my", scratch);
    assert_int_equal(access(home, F_OK), 0);
    CertFreeCertificateContext(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(found_by_thumbprint_with_key_and_chain),
        CASE(found_in_files_of_people),
        CASE(name_is_not_believed),
        CASE(all_that_have_keys),
        CASE(place_of_the_user),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
