/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * System calls that the kernel refuses, for the library and for everything below it: a seccomp
 * filter lets one or several of them fail with an errno from some moment on, as a sandbox or a lack
 * of means would. Each case is a child: the status is a documented one, nothing hangs, what does
 * not need the call works. Skipped where filters are not to be had, and under sanitizers, whose
 * run-times make such calls themselves.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <opensspi.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/tls_peer.h"

#define MOST 8 /* system calls of one filter */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0 /* not known here: skipped */
#endif

/* From here on these calls (ends with -1) fail with that error. False: there are no filters. */
static bool refuse(const int *calls, int error)
{
    struct sock_filter code[4 + 2 * MOST + 1] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    unsigned short len = 4;
    struct sock_fprog program = {.filter = code};

    for (int i = 0; i < MOST && calls[i] >= 0; i++) {
        /* brk() knows no errors but an end that did not move; the C library would take the number
         * of an error for the new one, and write there. */
        unsigned result = calls[i] == SYS_brk ? 0 : (unsigned)error;

        code[len++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
        code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                   SECCOMP_RET_ERRNO | (result & SECCOMP_RET_DATA));
    }
    code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = len;
    return ARCHITECTURE != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* ---- what a case does ---- */

static SECURITY_STATUS connect_once(const struct peer_form *form)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    status = peer_end_acquire(&pair.client, 0, 0, NULL, false);
    if (status != SEC_E_OK)
        return status;
    pair.server.form = form;
    status = peer_end_acquire(&pair.server, 0, 0, "server", false);
    if (status == SEC_E_OK)
        status = peer_handshake(&pair);
    if (status == SEC_E_OK) {
        peer_established(&pair.client);
        peer_established(&pair.server);
        peer_exchange(&pair);
    }
    peer_close(&pair);
    return status;
}

static SECURITY_STATUS acquire_client(void)
{
    struct peer_end end;
    SECURITY_STATUS status;

    peer_end_init(&end, PEER_SYNC, false);
    status = peer_end_acquire(&end, 0, 0, NULL, false);
    peer_end_free(&end);
    return status;
}

static SECURITY_STATUS create_queue(void)
{
    OsspiCompletionQueue *queue;
    SECURITY_STATUS status = OsspiCreateCompletionQueue(&queue);

    if (status == SEC_E_OK)
        status = OsspiCloseCompletionQueue(queue);
    return status;
}

static SECURITY_STATUS load(void)
{
    char path[512];
    PCCERT_CONTEXT context;
    SECURITY_STATUS status;

    peer_path("server-all", ".pem", path, sizeof(path));
    status = OsspiLoadCertificate(path, NULL, NULL, &context);
    if (status == SEC_E_OK)
        CertFreeCertificateContext(context);
    return status;
}

/* ---- cases ---- */

enum when { AT_ONCE, IN_USE }; /* before the first call; with engine, shards and roots made */

struct refusal {
    const char *name;
    int calls[MOST]; /* ends with -1 */
    int error;
    enum when when;
    /* What is expected then; 1: whatever failure is documented. */
    SECURITY_STATUS load, acquire, queue, sync, async;
};

#define ANY  ((SECURITY_STATUS)1)
#define NONE SEC_E_INSUFFICIENT_MEMORY

static void require(SECURITY_STATUS actual, SECURITY_STATUS expected)
{
    if (expected == ANY)
        TEST_REQUIRE(actual <= 0);
    else
        TEST_REQUIRE_EQUAL(actual, expected);
}

/* The server's certificate is loaded for a connection, so where that fails, none is made. */
static int run_refused(void *data)
{
    const struct refusal *refusal = data;

    if (refusal->when == IN_USE) {
        TEST_REQUIRE_EQUAL(connect_once(PEER_SYNC), SEC_E_OK);
        for (int i = 0; i < 3; i++) /* all workers that will be needed */
            TEST_REQUIRE_EQUAL(connect_once(PEER_ASYNC), SEC_E_OK);
    }
    if (!refuse(refusal->calls, refusal->error))
        return 77;
    require(load(), refusal->load);
    require(acquire_client(), refusal->acquire);
    require(create_queue(), refusal->queue);
    if (refusal->load == SEC_E_OK) {
        require(connect_once(PEER_SYNC), refusal->sync);
        require(connect_once(PEER_ASYNC), refusal->async);
    }
    /* The end comes soon whatever is missing. */
    TEST_REQUIRE(OsspiShutdown(1000) <= 0);
    return 0;
}

/* clone is what fork uses, too; nobody forks in there. */
#define THREADS SYS_clone3, SYS_clone, -1

static const struct refusal refusals[] = {
    {"no descriptors",
     {SYS_openat, SYS_eventfd2, -1},
     EMFILE,
     AT_ONCE,
     NONE,
     NONE,
     NONE,
     NONE,
     NONE},
    {"system is out of descriptors",
     {SYS_openat, SYS_eventfd2, -1},
     ENFILE,
     AT_ONCE,
     NONE,
     NONE,
     NONE,
     NONE,
     NONE},
    {"files are forbidden",
     {SYS_openat, -1},
     EACCES,
     AT_ONCE,
     SEC_E_NOT_OWNER,
     SEC_E_OK,
     SEC_E_OK,
     ANY,
     ANY},
    {"files cannot be read",
     {SYS_read, SYS_pread64, -1},
     EIO,
     AT_ONCE,
     SEC_E_NO_CREDENTIALS,
     SEC_E_OK,
     SEC_E_OK,
     ANY,
     ANY},
    {"no threads", {THREADS}, EAGAIN, AT_ONCE, SEC_E_OK, SEC_E_OK, SEC_E_OK, SEC_E_OK, NONE},
    {"no threads any more",
     {THREADS},
     EAGAIN,
     IN_USE,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK},
    {"clone3 is not known",
     {SYS_clone3, -1},
     ENOSYS,
     AT_ONCE,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK},
    {"no eventfd",
     {SYS_eventfd2, -1},
     ENOSYS,
     AT_ONCE,
     SEC_E_OK,
     SEC_E_OK,
     NONE,
     SEC_E_OK,
     SEC_E_OK},
    /* OpenSSL takes its seed from nowhere else, and again every now and then. */
    {"no getrandom", {SYS_getrandom, -1}, ENOSYS, AT_ONCE, SEC_E_OK, ANY, SEC_E_OK, ANY, ANY},
    {"no getrandom any more",
     {SYS_getrandom, -1},
     EPERM,
     IN_USE,
     SEC_E_OK,
     ANY,
     SEC_E_OK,
     ANY,
     ANY},
    {"no random bytes at all",
     {SYS_getrandom, SYS_openat, -1},
     ENOENT,
     AT_ONCE,
     SEC_E_NO_CREDENTIALS,
     ANY,
     SEC_E_OK,
     ANY,
     ANY},
    {"no memory maps",
     {SYS_mmap, SYS_brk, SYS_mremap, -1},
     ENOMEM,
     IN_USE,
     ANY,
     ANY,
     ANY,
     ANY,
     ANY},
    {"no memory maps at first", {SYS_mmap, -1}, ENOMEM, AT_ONCE, ANY, ANY, ANY, ANY, ANY},
    {"small conveniences",
     {SYS_prctl, SYS_sched_getaffinity, SYS_madvise, SYS_set_robust_list, SYS_setfsuid, -1},
     EPERM,
     AT_ONCE,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK},
    {"no changing of signal masks",
     {SYS_rt_sigprocmask, -1},
     EPERM,
     AT_ONCE,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK,
     SEC_E_OK},
};

static void refused_calls_have_documented_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct refusal refusal = refusals[i];
        int result = test_child_join(test_child_fork(run_refused, &refusal));

        if (result == 77) {
            print_message("skipped: there are no filters here\n");
            return;
        }
        if (result != 0)
            fail_msg("%s: exit status %d", refusal.name, result);
    }
}

/* A server that gives up its rights once it has its credential: no file, no descriptor, no thread,
 * no program more. Handshakes, both forms, go on. */
static int serve_in_sandbox(void *data)
{
    static const int calls[] = {SYS_openat, SYS_eventfd2, SYS_clone3, SYS_clone,
                                SYS_execve, SYS_socket,   -1};
    struct peer_pair pairs[PEER_FORMS];

    (void)data;
    for (int i = 0; i < PEER_FORMS; i++)
        peer_open(&pairs[i], &peer_forms[i], NULL);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < PEER_FORMS; i++) {
            peer_connect(&pairs[i]);
            peer_exchange(&pairs[i]);
            peer_disconnect(&pairs[i]);
        }
        if (round == 5 && !refuse(calls, EPERM))
            return 77;
    }
    for (int i = 0; i < PEER_FORMS; i++)
        peer_close(&pairs[i]);
    TEST_REQUIRE_EQUAL(OsspiShutdown(OSSPI_INFINITE), SEC_E_OK);
    return 0;
}

static void sandboxed_server_goes_on(void **state)
{
    int result;

    (void)state;
    result = test_child_join(test_child_fork(serve_in_sandbox, NULL));
    assert_true(result == 0 || result == 77);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_calls_have_documented_ends),
        cmocka_unit_test(sandboxed_server_goes_on),
    };

    if (TEST_SANITIZED) {
        puts("skipped: a sanitizer makes system calls of its own");
        return 77;
    }
    return cmocka_run_group_tests_name("fault.seccomp", tests, peer_set_up, NULL);
}
