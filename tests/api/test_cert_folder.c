/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Stores that are folders: "MY" of the user and of the machine, any other folder, files, and the
 * system's roots. Opening by each flag, adding and deleting certificates with their files, and many
 * who change one folder at the same time.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_cert_my.h"

TEST_FORKS_WITH_THREADS;

/* ---- opening ---- */

static void missing_folder_is_an_empty_store(void **state)
{
    HCERTSTORE store = open_my(USER);

    (void)state;
    assert_int_equal(test_cert_count(store), 0);
    close_store(store);
    assert_int_equal(access(my(""), F_OK), -1);
    assert_int_equal(list().folder, CRYPT_E_NOT_FOUND);
    store = CertOpenSystemStoreW(0, u"my");
    close_store(store);
    store = CertOpenSystemStoreA(0, "My");
    close_store(store);
    store = CertOpenStore(sz_CERT_STORE_PROV_SYSTEM, 0, 0, USER, u"MY");
    close_store(store);
}

static void open_by_flag(void **state)
{
    (void)state;
    assert_null(open_my(USER | CERT_STORE_OPEN_EXISTING_FLAG));
    TEST_LAST_ERROR(ERROR_FILE_NOT_FOUND);
    close_store(open_my(USER | CERT_STORE_CREATE_NEW_FLAG));
    assert_int_equal(access(my(""), F_OK), 0);
    assert_null(open_my(USER | CERT_STORE_CREATE_NEW_FLAG));
    TEST_LAST_ERROR(ERROR_FILE_EXISTS);
    close_store(open_my(USER | CERT_STORE_OPEN_EXISTING_FLAG));
    assert_null(open_my(USER | CERT_STORE_OPEN_EXISTING_FLAG | CERT_STORE_CREATE_NEW_FLAG));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_null(open_my(USER | CERT_SYSTEM_STORE_RELOCATE_FLAG));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_null(open_my(CERT_SYSTEM_STORE_CURRENT_SERVICE));
    TEST_LAST_ERROR(ERROR_FILE_NOT_FOUND);
    assert_null(CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, USER, "Elsewhere"));
    TEST_LAST_ERROR(ERROR_FILE_NOT_FOUND);
    assert_null(CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, USER, "../my"));
    assert_null(CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, USER, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
}

static void read_only_store_does_not_change(void **state)
{
    PCCERT_CONTEXT context = load("server-all.pem", NULL);
    HCERTSTORE store;

    (void)state;
    fill();
    store = open_my(USER | CERT_STORE_READONLY_FLAG);
    assert_false(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_ALWAYS, NULL));
    TEST_LAST_ERROR(E_ACCESSDENIED);
    CertFreeCertificateContext(context);
    assert_false(CertDeleteCertificateFromStore(CertEnumCertificatesInStore(store, NULL)));
    TEST_LAST_ERROR(E_ACCESSDENIED);
    close_store(store);
    assert_int_equal(count_my(), 1);
}

static void delete_flag_deletes_only_what_we_wrote(void **state)
{
    (void)state;
    SetLastError(1);
    assert_null(open_my(USER | CERT_STORE_DELETE_FLAG));
    TEST_LAST_ERROR(ERROR_FILE_NOT_FOUND);
    fill();
    put_file("client.pem", "mine.pem");
    assert_null(open_my(USER | CERT_STORE_DELETE_FLAG));
    TEST_LAST_ERROR(ERROR_DIR_NOT_EMPTY);
    assert_int_equal(count_files(), 2);
    assert_int_equal(unlink(my("mine.pem")), 0);
    assert_null(open_my(USER | CERT_STORE_DELETE_FLAG));
    TEST_LAST_ERROR(ERROR_SUCCESS);
    assert_int_equal(access(my(""), F_OK), -1);
}

/* ---- adding and deleting ---- */

static void added_certificate_is_a_file_with_key_and_chain(void **state)
{
    struct stat facts;
    HCERTSTORE store;
    PCCERT_CONTEXT context;
    BYTE sha1[20];
    char name[64];
    DWORD size = sizeof(sha1), len = sizeof(name);

    (void)state;
    fill();
    assert_int_equal(count_files(), 1);
    assert_int_equal(stat(my(""), &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0700);
    store = open_my(USER);
    context = find_key(store);
    assert_non_null(context);
    assert_true(CertGetCertificateContextProperty(context, CERT_SHA1_HASH_PROP_ID, sha1, &size));
    assert_true(
        CryptBinaryToStringA(sha1, 20, CRYPT_STRING_HEXRAW | CRYPT_STRING_NOCRLF, name, &len));
    memcpy(name + len, ".pem", sizeof(".pem"));
    assert_int_equal(stat(my(name), &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    CertFreeCertificateContext(context);
    close_store(store);
    /* The file is what any other program makes of it, and has the intermediate too. */
    assert_int_equal(OsspiLoadCertificate(my(name), NULL, NULL, &context), SEC_E_OK);
    assert_int_equal(test_cert_count(context->hCertStore), 2);
    CertFreeCertificateContext(context);
}

static void umask_takes_no_rights_away(void **state)
{
    mode_t before = umask(0777);

    (void)state;
    umask(before);
    make_folder();
    umask(0777);
    fill();
    umask(before);
    assert_int_equal(count_my(), 1);
}

static void add_by_disposition(void **state)
{
    PCCERT_CONTEXT with = load("server-all.pem", NULL);
    PCCERT_CONTEXT without = test_cert_context("server.pem", 0);
    PCCERT_CONTEXT found;
    HCERTSTORE store = open_my(USER);

    (void)state;
    assert_false(CertAddCertificateContextToStore(store, without, 99, NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
    assert_int_equal(count_files(), 0);
    /* Without its key first, then with it. */
    put(store, without);
    assert_null(find_key(store));
    assert_false(CertAddCertificateContextToStore(store, with, CERT_STORE_ADD_NEW, NULL));
    TEST_LAST_ERROR(CRYPT_E_EXISTS);
    assert_true(CertAddCertificateContextToStore(store, with, CERT_STORE_ADD_USE_EXISTING, NULL));
    found = find_key(store);
    assert_non_null(found);
    CertFreeCertificateContext(found);
    /* A key is not lost by replacing, and nothing is there twice. */
    assert_true(
        CertAddCertificateContextToStore(store, without, CERT_STORE_ADD_REPLACE_EXISTING, NULL));
    assert_true(CertAddCertificateContextToStore(store, without, CERT_STORE_ADD_ALWAYS, NULL));
    assert_int_equal(test_cert_count(store), 1);
    found = find_key(store);
    assert_non_null(found);
    CertFreeCertificateContext(found);
    close_store(store);
    assert_int_equal(count_files(), 1);
    store = open_my(USER);
    found = find_key(store);
    assert_non_null(found);
    CertFreeCertificateContext(found);
    close_store(store);
    CertFreeCertificateContext(with);
    CertFreeCertificateContext(without);
}

/* Whoever opened the store before does not see it, so only the file can tell. */
static void add_new_sees_a_file_of_another_process(void **state)
{
    HCERTSTORE store = open_my(USER);
    PCCERT_CONTEXT context = load("server-all.pem", NULL);

    (void)state;
    fill();
    assert_false(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_NEW, NULL));
    TEST_LAST_ERROR(CRYPT_E_EXISTS);
    assert_true(
        CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_REPLACE_EXISTING, NULL));
    assert_int_equal(count_files(), 1);
    CertFreeCertificateContext(context);
    close_store(store);
}

static void deleted_certificate_has_no_file(void **state)
{
    HCERTSTORE store;
    PCCERT_CONTEXT context, again;

    (void)state;
    fill();
    put_file("client.pem", "a.pem");
    store = open_my(USER);
    context = find_key(store);
    again = CertDuplicateCertificateContext(context);
    assert_true(CertDeleteCertificateFromStore(context));
    assert_int_equal(test_cert_count(store), 1);
    assert_int_equal(count_files(), 1);
    /* It is still good, and deleting it again changes nothing. */
    assert_true(again->cbCertEncoded > 0);
    assert_true(CertDeleteCertificateFromStore(again));
    assert_int_equal(test_cert_count(store), 1);
    close_store(store);
    assert_int_equal(count_my(), 1);
    assert_false(CertDeleteCertificateFromStore(NULL));
    TEST_LAST_ERROR(E_INVALIDARG);
}

static void deleting_takes_every_copy_and_the_key_beside_it(void **state)
{
    HCERTSTORE store;

    (void)state;
    make_folder();
    put_file("server.pem", "web.crt");
    put_file("server.key", "web.key");
    put_file("server-all.pem", "again.pem");
    assert_int_equal(list().good, 2);
    store = open_my(USER);
    assert_int_equal(test_cert_count(store), 1);
    assert_true(CertDeleteCertificateFromStore(find_key(store)));
    close_store(store);
    assert_int_equal(count_files(), 0);
}

static void delete_while_walking(void **state)
{
    HCERTSTORE store;
    PCCERT_CONTEXT context = NULL;
    unsigned seen = 0;

    (void)state;
    make_folder();
    put_file("client.pem", "a.pem");
    put_file("server.pem", "b.pem");
    put_file("deep.pem", "c.pem");
    store = open_my(USER);
    while ((context = CertEnumCertificatesInStore(store, context))) {
        seen++;
        assert_true(CertDeleteCertificateFromStore(CertDuplicateCertificateContext(context)));
    }
    assert_int_equal(seen, 3);
    assert_int_equal(test_cert_count(store), 0);
    close_store(store);
    assert_int_equal(count_files(), 0);
}

static void deleting_from_memory(void **state)
{
    HCERTSTORE store = test_cert_store();
    PCCERT_CONTEXT context = test_cert_context("server.pem", 0), alone;

    (void)state;
    alone = CertDuplicateCertificateContext(context);
    assert_true(CertDeleteCertificateFromStore(alone));
    put(store, context);
    CertFreeCertificateContext(context);
    assert_true(CertDeleteCertificateFromStore(CertEnumCertificatesInStore(store, NULL)));
    assert_int_equal(test_cert_count(store), 0);
    close_store(store);
}

/* ---- the machine's ---- */

/* A process configures the library once, hence a child. Root's files count there beside one's own.
 */
static void child_of_machine(void)
{
    char folder[512], path[520];
    OsspiOptions options = {.cbSize = sizeof(options), .state_dir = folder};
    PCCERT_CONTEXT context = load("server-all.pem", NULL);
    struct told told = {0};
    struct stat facts;
    HCERTSTORE store;

    snprintf(folder, sizeof(folder), "%s/machine/state", scratch);
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    store = open_my(MACHINE);
    TEST_REQUIRE(store);
    TEST_REQUIRE(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_NEW, NULL));
    TEST_REQUIRE(CertCloseStore(store, 0));
    CertFreeCertificateContext(context);
    TEST_REQUIRE_EQUAL(OsspiListStore("my", MACHINE, note, &told), SEC_E_OK);
    TEST_REQUIRE_EQUAL(told.keys, 1);
    snprintf(path, sizeof(path), "%s/my", folder);
    TEST_REQUIRE_EQUAL(stat(path, &facts), 0);
    TEST_REQUIRE_EQUAL(facts.st_mode & 0777, 0755);
    _exit(0);
}

static void machine_store_is_in_the_state_folder(void **state)
{
    pid_t child = fork();
    int how;

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        child_of_machine();
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    assert_int_equal(count_my(), 0);
}

/* ---- other folders and files ---- */

static void folder_by_path(void **state)
{
    char path[512];
    PCCERT_CONTEXT context = load("server-all.pem", NULL);
    HCERTSTORE store;

    (void)state;
    snprintf(path, sizeof(path), "%s/other", scratch);
    assert_null(
        CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, CERT_STORE_OPEN_EXISTING_FLAG, path));
    TEST_LAST_ERROR(ERROR_FILE_NOT_FOUND);
    store = CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, 0, path);
    put(store, context);
    CertFreeCertificateContext(context);
    close_store(store);
    store = CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, CERT_STORE_OPEN_EXISTING_FLAG, path);
    assert_int_equal(test_cert_count(store), 1);
    close_store(store);
    assert_null(
        CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, CERT_FILE_STORE_COMMIT_ENABLE_FLAG, path));
    TEST_LAST_ERROR(ERROR_NOT_SUPPORTED);
    assert_null(CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, 0, ""));
    TEST_LAST_ERROR(E_INVALIDARG);
}

static void file_by_path_stays_as_it_is(void **state)
{
    PCCERT_CONTEXT context = test_cert_context("client.pem", 0);
    HCERTSTORE store;

    (void)state;
    store = CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, 0, test_cert_path("deep.pem"));
    assert_true(test_cert_count(store) > 10);
    put(store, context);
    CertFreeCertificateContext(context);
    close_store(store);
    assert_null(CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, 0, test_cert_path("server.key")));
    TEST_LAST_ERROR(CRYPT_E_BAD_ENCODE);
    assert_null(CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0, 0, "/dev/zero"));
    TEST_LAST_ERROR(CRYPT_E_FILE_ERROR);
}

/* ---- many at a time ---- */

#define WORKERS 4

static void change_for_a_while(unsigned seed)
{
    static const char *const names[] = {"server-all.pem", "client.pem", "ca.pem"};
    char path[4096];

    for (unsigned i = 0; i < TEST_ROUNDS(40); i++) {
        const char *name = names[(seed + i) % 3];
        HCERTSTORE store = open_my(USER);
        PCCERT_CONTEXT context;

        TEST_REQUIRE(store);
        snprintf(path, sizeof(path), "%s/%s", getenv("OSSPI_TEST_CERTS"), name);
        if ((seed + i) % 4 == 0) {
            context = CertEnumCertificatesInStore(store, NULL);
            if (context)
                TEST_REQUIRE(CertDeleteCertificateFromStore(context));
        } else if (OsspiLoadCertificate(path, NULL, NULL, &context) == SEC_E_OK) {
            TEST_REQUIRE(CertAddCertificateContextToStore(store, context,
                                                          CERT_STORE_ADD_REPLACE_EXISTING, NULL));
            CertFreeCertificateContext(context);
        }
        TEST_REQUIRE(CertCloseStore(store, 0));
    }
}

static void *worker(void *data)
{
    change_for_a_while(*(const unsigned *)data);
    return NULL;
}

/* Whatever the order was, what is left is whole. */
static void require_whole(void)
{
    struct told told = list();

    assert_int_equal(told.bad, 0);
    assert_int_equal(told.keys, told.good);
    assert_int_equal(count_files(), told.good);
}

static void threads_change_one_folder(void **state)
{
    pthread_t threads[WORKERS];
    unsigned seeds[WORKERS];

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) {
        seeds[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, worker, &seeds[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    require_whole();
}

static void processes_change_one_folder(void **state)
{
    pid_t children[WORKERS];
    int how;

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            change_for_a_while(i);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(waitpid(children[i], &how, 0), children[i]);
        assert_int_equal(how, 0);
    }
    require_whole();
}

static void *use_one_store(void *store)
{
    PCCERT_CONTEXT context = test_cert_context("client.pem", 0), found;

    for (unsigned i = 0; i < TEST_ROUNDS(100); i++) {
        TEST_REQUIRE(CertAddCertificateContextToStore(store, context,
                                                      CERT_STORE_ADD_REPLACE_EXISTING, NULL));
        found = CertEnumCertificatesInStore(store, NULL);
        if (found)
            TEST_REQUIRE(CertDeleteCertificateFromStore(found));
    }
    CertFreeCertificateContext(context);
    return NULL;
}

static void threads_use_one_store(void **state)
{
    pthread_t threads[WORKERS];
    HCERTSTORE store = open_my(USER);

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_one_store, store), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    close_store(store);
    assert_int_equal(list().bad, 0);
}

/* ---- the system's roots ---- */

static void child_of_roots(void)
{
    char file[4096];
    OsspiOptions options = {.cbSize = sizeof(options), .trust_file = file};
    static const char *const names[] = {"ROOT", "ca"};

    snprintf(file, sizeof(file), "%s", test_cert_path("ca.pem"));
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    for (unsigned i = 0; i < 2; i++) {
        HCERTSTORE store = CertOpenSystemStoreA(0, names[i]);
        PCCERT_CONTEXT context;

        TEST_REQUIRE(store);
        context = CertEnumCertificatesInStore(store, NULL);
        TEST_REQUIRE(context);
        TEST_REQUIRE(
            !CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_ALWAYS, NULL));
        TEST_REQUIRE_EQUAL(GetLastError(), (DWORD)E_ACCESSDENIED);
        TEST_REQUIRE(!CertEnumCertificatesInStore(store, context));
        TEST_REQUIRE(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
    }
    TEST_REQUIRE(
        !CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, MACHINE | CERT_STORE_DELETE_FLAG, "ROOT"));
    TEST_REQUIRE_EQUAL(GetLastError(), (DWORD)E_ACCESSDENIED);
    TEST_REQUIRE(!CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0,
                                MACHINE | CERT_STORE_CREATE_NEW_FLAG, "ROOT"));
    TEST_REQUIRE_EQUAL(GetLastError(), ERROR_FILE_EXISTS);
    _exit(0);
}

/* What SSL_CERT_DIR names, by the names that `openssl rehash` gives. */
static void child_of_hashed_roots(void)
{
    HCERTSTORE store;

    run("mkdir -p '%s/other/empty' && cp '%s/ca.pem' '%s/otherca.pem' '%s/other' && "
        "openssl rehash '%s/other' && cp '%s/server.pem' '%s/other/unhashed.pem'",
        scratch, getenv("OSSPI_TEST_CERTS"), getenv("OSSPI_TEST_CERTS"), scratch, scratch,
        getenv("OSSPI_TEST_CERTS"), scratch);
    run("ln -s '%s/other' '%s/other/again'", scratch, scratch);
    TEST_REQUIRE_EQUAL(setenv("SSL_CERT_FILE", "/nowhere.pem", 1), 0);
    {
        char list_of[512];

        snprintf(list_of, sizeof(list_of), "%s/other/empty:%s/other", scratch, scratch);
        TEST_REQUIRE_EQUAL(setenv("SSL_CERT_DIR", list_of, 1), 0);
    }
    store = CertOpenSystemStoreA(0, "ROOT");
    TEST_REQUIRE(store);
    TEST_REQUIRE_EQUAL(test_cert_count(store), 2);
    TEST_REQUIRE(CertCloseStore(store, 0));
    _exit(0);
}

static void require_child(void (*child)(void))
{
    pid_t pid = fork();
    int how;

    assert_true(pid >= 0);
    if (pid == 0)
        child();
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_int_equal(how, 0);
}

static void roots_are_to_be_read(void **state)
{
    (void)state;
    require_child(child_of_roots);
    require_child(child_of_hashed_roots);
}

static BOOL stop_at_once(const OsspiStoreFile *file, void *data)
{
    (void)file;
    ++*(unsigned *)data;
    return FALSE;
}

static void list_bad_arguments_are_refused(void **state)
{
    unsigned calls = 0;

    (void)state;
    assert_int_equal(OsspiListStore(NULL, USER, NULL, NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiListStore(NULL, 0, stop_at_once, &calls), SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiListStore("ROOT", USER, stop_at_once, &calls), SEC_E_INVALID_PARAMETER);
    assert_int_equal(calls, 0);
    fill();
    assert_int_equal(OsspiListStore(NULL, USER, stop_at_once, &calls), SEC_E_OK);
    assert_int_equal(calls, 1);
    calls = 0;
    assert_int_equal(OsspiListStore(my(""), USER, stop_at_once, &calls), SEC_E_OK);
    assert_int_equal(calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(missing_folder_is_an_empty_store),
        CASE(open_by_flag),
        CASE(read_only_store_does_not_change),
        CASE(delete_flag_deletes_only_what_we_wrote),
        CASE(added_certificate_is_a_file_with_key_and_chain),
        CASE(umask_takes_no_rights_away),
        CASE(add_by_disposition),
        CASE(add_new_sees_a_file_of_another_process),
        CASE(deleted_certificate_has_no_file),
        CASE(deleting_takes_every_copy_and_the_key_beside_it),
        CASE(delete_while_walking),
        CASE(deleting_from_memory),
        CASE(machine_store_is_in_the_state_folder),
        CASE(folder_by_path),
        CASE(file_by_path_stays_as_it_is),
        CASE(threads_change_one_folder),
        CASE(processes_change_one_folder),
        CASE(threads_use_one_store),
        CASE(roots_are_to_be_read),
        CASE(list_bad_arguments_are_refused),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
