/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * See test_cert_my.h.
 */
#include "test_cert_my.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char scratch[] = "/tmp/osspi-my-XXXXXX";

/* ---- the folder ---- */

const char *my(const char *name)
{
    static _Thread_local char paths[4][512];
    static _Thread_local int turn;

    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/opensspi/my%s%s", scratch, name[0] ? "/" : "",
             name);
    return paths[turn];
}

void run(const char *format, ...)
{
    char *command = NULL;
    va_list arguments;

    va_start(arguments, format);
    TEST_REQUIRE(vasprintf(&command, format, arguments) > 0);
    va_end(arguments);
    TEST_REQUIRE_EQUAL(system(command), 0);
    free(command);
}

/* Each case begins without a folder. */
int empty(void **state)
{
    (void)state;
    run("chmod -R u+rwx '%s' 2>/dev/null; rm -rf '%s/opensspi' '%s/other' '%s/machine'", scratch,
        scratch, scratch, scratch);
    return 0;
}

void make_folder(void)
{
    run("mkdir -p -m 700 '%s'", my(""));
}

/* Puts a test certificate's file into the folder under a name, closed to others. */
void put_file(const char *from, const char *name)
{
    run("install -m 600 '%s' '%s'", test_cert_path(from), my(name));
}

unsigned count_files(void)
{
    DIR *dir = opendir(my(""));
    const struct dirent *entry;
    unsigned count = 0;

    if (!dir)
        return 0;
    while ((entry = readdir(dir)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

/* ---- stores ---- */

HCERTSTORE open_my(DWORD flags)
{
    return CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, u"MY");
}

void close_store(HCERTSTORE store)
{
    assert_non_null(store);
    assert_true(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG));
}

unsigned count_my(void)
{
    HCERTSTORE store = open_my(USER);
    unsigned count;

    assert_non_null(store);
    count = test_cert_count(store);
    close_store(store);
    return count;
}

PCCERT_CONTEXT load(const char *cert, const char *key)
{
    char path[4096];
    PCCERT_CONTEXT context = NULL;

    snprintf(path, sizeof(path), "%s", test_cert_path(cert));
    assert_int_equal(OsspiLoadCertificate(path, key ? test_cert_path(key) : NULL, NULL, &context),
                     SEC_E_OK);
    return context;
}

void put(HCERTSTORE store, PCCERT_CONTEXT context)
{
    assert_true(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_NEW, NULL));
}

/* One certificate with its key in the user's "MY". */
void fill(void)
{
    HCERTSTORE store = open_my(USER);
    PCCERT_CONTEXT context = load("server-all.pem", NULL);

    put(store, context);
    CertFreeCertificateContext(context);
    close_store(store);
}

PCCERT_CONTEXT find_key(HCERTSTORE store)
{
    return CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_HAS_PRIVATE_KEY, NULL,
                                      NULL);
}

/* ---- what OsspiListStore tells ---- */

BOOL note(const OsspiStoreFile *file, void *data)
{
    struct told *told = data;

    TEST_REQUIRE(file->cbSize >= sizeof(*file));
    TEST_REQUIRE_EQUAL(file->is_folder, told->calls == 0);
    TEST_REQUIRE((file->status == SEC_E_OK) == (file->reason == NULL));
    told->calls++;
    if (file->is_folder)
        told->folder = file->status;
    else if (file->status == SEC_E_OK)
        told->good++;
    else
        told->bad++;
    if (file->status != SEC_E_OK) {
        told->status = file->status;
        snprintf(told->reason, sizeof(told->reason), "%s", file->reason);
    }
    told->keys += file->has_key;
    told->certificates += file->count;
    for (ULONG i = 0; i < file->count; i++)
        TEST_REQUIRE(file->certificates[i]->cbCertEncoded > 0);
    return TRUE;
}

struct told list(void)
{
    struct told told = {0};

    assert_int_equal(OsspiListStore("MY", USER, note, &told), SEC_E_OK);
    assert_true(told.calls >= 1);
    return told;
}

void require_left_out(SECURITY_STATUS status, const char *reason)
{
    struct told told = list();

    assert_int_equal(told.good, 0);
    assert_int_equal(told.bad, 1);
    assert_int_equal(told.status, status);
    if (!strstr(told.reason, reason))
        fail_msg("'%s' is not in '%s'", reason, told.reason);
    assert_int_equal(count_my(), 0);
}

int make_scratch(void **state)
{
    (void)state;
    (void)test_cert_path("");
    if (!mkdtemp(scratch))
        return -1;
    return setenv("XDG_DATA_HOME", scratch, 1);
}

int remove_scratch(void **state)
{
    (void)state;
    run("rm -rf '%s'", scratch);
    return 0;
}
