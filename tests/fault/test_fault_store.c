/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Writing certificates to "MY" when it cannot be done: a full disk, a file that may not grow, a
 * name that cannot be given, memory, descriptors. Either all of the certificate is there or nothing
 * of it, also no scratch file, and the next call works. Reading a folder when calls fail leaves
 * files out, or fails, and never takes one for good that was not read whole.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/test_cert_my.h"
#include "support/failing_calls.h"

static DWORD try_add(DWORD disposition)
{
    HCERTSTORE store = open_my(USER);
    PCCERT_CONTEXT context = load("server-all.pem", NULL);
    BOOL done;

    assert_non_null(store);
    done = CertAddCertificateContextToStore(store, context, disposition, NULL);
    CertFreeCertificateContext(context);
    close_store(store);
    return done ? 0 : GetLastError();
}

static void require_nothing_then_all(void)
{
    failing_calls_end();
    assert_int_equal(count_files(), 0);
    assert_int_equal(try_add(CERT_STORE_ADD_NEW), 0);
    assert_int_equal(count_files(), 1);
    assert_int_equal(count_my(), 1);
}

/* Fails the call while the certificate is being written, not while the test reads its own. */
static DWORD add_failing(enum failing_call call, int error, DWORD disposition)
{
    HCERTSTORE store = open_my(USER);
    PCCERT_CONTEXT context = load("server-all.pem", NULL);
    DWORD reason;

    failing_call(call, error, 0, FAILING_ALWAYS);
    reason =
        CertAddCertificateContextToStore(store, context, disposition, NULL) ? 0 : GetLastError();
    assert_true(failing_call_hits(call) > 0);
    failing_calls_end();
    CertFreeCertificateContext(context);
    close_store(store);
    return reason;
}

static void failing_calls_leave_nothing(void **state)
{
    static const struct {
        enum failing_call call;
        int error;
        DWORD reason;
    } cases[] = {
        {FAILING_WRITE, ENOSPC, ERROR_DISK_FULL},
        {FAILING_WRITE, EDQUOT, ERROR_DISK_FULL},
        {FAILING_WRITE, EIO, (DWORD)CRYPT_E_FILE_ERROR},
        {FAILING_FSYNC, ENOSPC, ERROR_DISK_FULL},
        {FAILING_FSYNC, EIO, (DWORD)CRYPT_E_FILE_ERROR},
        {FAILING_LINKAT, ENOSPC, ERROR_DISK_FULL},
        {FAILING_OPENAT, EMFILE, (DWORD)E_OUTOFMEMORY},
        {FAILING_OPENAT, EROFS, (DWORD)E_ACCESSDENIED},
        {FAILING_OPENAT, ENOSPC, ERROR_DISK_FULL},
        {FAILING_OPEN, EMFILE, (DWORD)E_OUTOFMEMORY},
        {FAILING_OPEN, EACCES, (DWORD)E_ACCESSDENIED},
        {FAILING_FSTAT, EIO, (DWORD)CRYPT_E_FILE_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        empty(NULL);
        make_folder();
        assert_int_equal(add_failing(cases[i].call, cases[i].error, CERT_STORE_ADD_NEW),
                         cases[i].reason);
        require_nothing_then_all();
    }
}

/* Replacing that fails leaves the old file whole. */
static void failing_replacement_leaves_the_old(void **state)
{
    (void)state;
    fill();
    assert_int_equal(add_failing(FAILING_RENAMEAT, ENOSPC, CERT_STORE_ADD_REPLACE_EXISTING),
                     ERROR_DISK_FULL);
    assert_int_equal(add_failing(FAILING_WRITE, ENOSPC, CERT_STORE_ADD_REPLACE_EXISTING),
                     ERROR_DISK_FULL);
    assert_int_equal(count_files(), 1);
    assert_int_equal(list().keys, 1);
}

static void failing_delete_leaves_the_file(void **state)
{
    HCERTSTORE store;

    (void)state;
    fill();
    store = open_my(USER);
    failing_call(FAILING_UNLINKAT, EACCES, 0, FAILING_ALWAYS);
    assert_false(CertDeleteCertificateFromStore(find_key(store)));
    TEST_LAST_ERROR(E_ACCESSDENIED);
    failing_calls_end();
    assert_int_equal(test_cert_count(store), 1);
    assert_int_equal(count_my(), 1);
    assert_true(CertDeleteCertificateFromStore(find_key(store)));
    assert_int_equal(count_files(), 0);
    close_store(store);
}

/* The kernel's own answer: a file that may not grow. */
static void child_without_room(void)
{
    struct rlimit limit = {100, 100};
    PCCERT_CONTEXT context = load("server-all.pem", NULL);
    HCERTSTORE store = open_my(USER);

    signal(SIGXFSZ, SIG_IGN);
    TEST_REQUIRE_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    TEST_REQUIRE(!CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_NEW, NULL));
    TEST_REQUIRE_EQUAL(GetLastError(), ERROR_DISK_FULL);
    _exit(0);
}

static void file_that_may_not_grow(void **state)
{
    pid_t child = fork();
    int how;

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        child_without_room();
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    require_nothing_then_all();
}

static void short_writes_and_reads_are_gone_on_with(void **state)
{
    (void)state;
    failing_calls_short(100);
    assert_int_equal(try_add(CERT_STORE_ADD_NEW), 0);
    assert_int_equal(count_my(), 1);
    failing_calls_end();
    assert_int_equal(list().keys, 1);
}

static void reading_that_fails(void **state)
{
    (void)state;
    fill();
    failing_call(FAILING_READ, EIO, 0, FAILING_ALWAYS);
    assert_int_equal(list().bad, 1);
    assert_int_equal(count_my(), 0);
    failing_calls_end();
    failing_call(FAILING_OPENAT, EMFILE, 0, FAILING_ALWAYS);
    assert_null(open_my(USER));
    TEST_LAST_ERROR(E_OUTOFMEMORY);
    failing_calls_end();
    failing_call(FAILING_OPEN, EMFILE, 0, FAILING_ALWAYS);
    assert_null(open_my(USER));
    TEST_LAST_ERROR(E_OUTOFMEMORY);
    failing_calls_end();
    assert_int_equal(count_my(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(failing_calls_leave_nothing),
        CASE(failing_replacement_leaves_the_old),
        CASE(failing_delete_leaves_the_file),
        CASE(file_that_may_not_grow),
        CASE(short_writes_and_reads_are_gone_on_with),
        CASE(reading_that_fails),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
