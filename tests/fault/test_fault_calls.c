/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Calls of the C library and the kernel fail, each at least once in every place of the library that
 * makes it: the documented status, nothing lost, and the next call works. What happens once in a
 * process (options, the first thread, the first connection) runs in a program of its own: this
 * program again, with the case's name.
 */
#include <errno.h>
#include <limits.h>
#include <opensspi.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "support/failing_calls.h"
#include "support/tls_peer.h"

TEST_FORKS_WITH_THREADS;

static void end_faults(void)
{
    failing_calls_end();
}

static SECURITY_STATUS load(void)
{
    char path[512];
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status;

    peer_path("server-all", ".pem", path, sizeof(path));
    status = OsspiLoadCertificate(path, NULL, NULL, &context);
    TEST_REQUIRE((status == SEC_E_OK) == (context != NULL));
    if (context)
        CertFreeCertificateContext(context);
    return status;
}

/* A whole connection of two ends, and its status. */
static SECURITY_STATUS connect_once(const struct peer_form *form)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    status = peer_end_acquire(&pair.server, 0, 0, "server", false);
    if (status == SEC_E_OK)
        status = peer_end_acquire(&pair.client, 0, 0, NULL, false);
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

/* ---- files ---- */

struct expectation {
    enum failing_call call;
    int error;
    SECURITY_STATUS status;
};

static void failing_file_calls_have_their_status(void **state)
{
    static const struct expectation expected[] = {
        {FAILING_OPEN, EMFILE, SEC_E_INSUFFICIENT_MEMORY},
        {FAILING_OPEN, ENFILE, SEC_E_INSUFFICIENT_MEMORY},
        {FAILING_OPEN, ENOMEM, SEC_E_INSUFFICIENT_MEMORY},
        {FAILING_OPEN, EACCES, SEC_E_NOT_OWNER},
        {FAILING_OPEN, EPERM, SEC_E_NOT_OWNER},
        {FAILING_OPEN, ENOENT, SEC_E_NO_CREDENTIALS},
        {FAILING_OPEN, EIO, SEC_E_NO_CREDENTIALS},
        {FAILING_OPEN, ENXIO, SEC_E_UNKNOWN_CREDENTIALS},
        {FAILING_OPEN, EINTR, SEC_E_OK},
        {FAILING_FSTAT, EIO, SEC_E_NO_CREDENTIALS},
        {FAILING_READ, EIO, SEC_E_NO_CREDENTIALS},
        {FAILING_READ, EAGAIN, SEC_E_NO_CREDENTIALS},
        {FAILING_READ, EINTR, SEC_E_OK},
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(expected); i++) {
        failing_call(expected[i].call, expected[i].error, 0, 1);
        assert_int_equal(load(), expected[i].status);
        assert_int_equal(failing_call_hits(expected[i].call), 1);
        assert_int_equal(load(), SEC_E_OK);
    }
}

static void interrupted_and_short_reads_go_on(void **state)
{
    (void)state;
    failing_call(FAILING_READ, EINTR, 0, 100);
    assert_int_equal(load(), SEC_E_OK);
    assert_int_equal(failing_call_hits(FAILING_READ), 100);
    failing_call(FAILING_READ, EIO, 3, 1); /* in the middle of a file that comes in pieces */
    failing_calls_short(100);
    assert_int_equal(load(), SEC_E_NO_CREDENTIALS);
    failing_calls_short(1);
    assert_int_equal(load(), SEC_E_OK);
    end_faults();
}

/* ---- completion queues ---- */

static void queue_without_descriptor_is_refused(void **state)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENODEV, ENOSYS};
    OsspiCompletionQueue *queue = (OsspiCompletionQueue *)1;

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(errors); i++) {
        failing_call(FAILING_EVENTFD, errors[i], 0, 1);
        assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_INSUFFICIENT_MEMORY);
        assert_null(queue);
        assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
        assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    }
}

static void count_call(SspiAsyncContext *context, void *data)
{
    (void)context;
    test_counter_add(data, 1);
}

/* The descriptor only tells; the entries are in memory and come out without it. */
static void queue_keeps_its_entries_when_the_descriptor_fails(void **state)
{
    struct test_counter called = TEST_COUNTER_INIT;
    SspiAsyncContext *async = SspiCreateAsyncContext();
    OsspiCompletionQueue *queue;
    struct pollfd readable = {.events = POLLIN};
    CredHandle credential;

    (void)state;
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    assert_int_equal(OsspiSetCompletionQueue(async, queue), SEC_E_OK);
    assert_int_equal(SspiSetAsyncNotifyCallback(async, count_call, &called), SEC_E_OK);
    for (uint32_t i = 0; i < 6; i++) {
        failing_call(i % 2 ? FAILING_WRITE : FAILING_READ, i < 3 ? EAGAIN : EIO, 0, 1);
        assert_int_equal(SspiAcquireCredentialsHandleAsyncA(async, NULL, (LPSTR)UNISP_NAME_A,
                                                            SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                                            NULL, &credential, NULL),
                         SEC_E_OK);
        assert_int_equal(OsspiWaitAsyncCall(async, OSSPI_INFINITE), SEC_E_OK);
        while (OsspiDrainCompletions(queue, 0) == 0)
            ;
        assert_int_equal(test_counter_get(&called), i + 1);
        assert_int_equal(FreeCredentialsHandle(&credential), SEC_E_OK);
    }
    end_faults();
    readable.fd = OsspiCompletionQueueFd(queue);
    (void)poll(&readable, 1, 0); /* whatever it says now */
    SspiFreeAsyncContext(async);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
}

/* ---- time ---- */

static void without_a_time_zone_expiry_is_in_utc(void **state)
{
    const uint64_t utc = osspi_filetime_from_unix(1000000);

    (void)state;
    failing_call(FAILING_LOCALTIME, EOVERFLOW, 0, 1);
    assert_int_equal(osspi_local_filetime_from_unix(1000000), utc);
    assert_int_equal(failing_call_hits(FAILING_LOCALTIME), 1);
}

/* ---- CPUs ---- */

static void cpus_are_counted_somehow(void **state)
{
    const uint32_t usual = osspi_usable_cpus();

    (void)state;
    assert_true(usual >= 1);
    failing_call(FAILING_AFFINITY, EINVAL, 0, FAILING_ALWAYS);
    assert_true(osspi_usable_cpus() >= usual);
    failing_call(FAILING_SYSCONF, EINVAL, 0, FAILING_ALWAYS);
    assert_int_equal(osspi_usable_cpus(), 1);
    assert_true(failing_call_hits(FAILING_SYSCONF) > 0);
    end_faults();
    /* Limits that cannot be read limit nothing. */
    failing_call(FAILING_FOPEN, EMFILE, 0, FAILING_ALWAYS);
    assert_true(osspi_usable_cpus() >= usual);
    end_faults();
    for (uint32_t skip = 0; skip < 6; skip++) {
        failing_call(FAILING_FGETS, EIO, skip, FAILING_ALWAYS);
        assert_true(osspi_usable_cpus() >= usual);
    }
    end_faults();
    assert_int_equal(osspi_usable_cpus(), usual);
}

/* ---- interrupted sleep ---- */

/* Sleepers that wake without cause look again; that nobody may rely on a futex's answer. */
static void futex_that_returns_early_changes_nothing(void **state)
{
    static const int errors[] = {EINTR, EAGAIN};

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(errors); i++) {
        SspiAsyncContext *async = SspiCreateAsyncContext();

        failing_call(FAILING_FUTEX, errors[i], 0, 300);
        for (int round = 0; round < 5; round++)
            assert_int_equal(connect_once(PEER_ASYNC), SEC_E_OK);
        assert_true(failing_call_hits(FAILING_FUTEX) > 0);
        /* With nothing pending a wait ends at once, whatever the kernel says. */
        assert_int_equal(OsspiWaitAsyncCall(async, 0), SEC_I_ASYNC_CALL_PENDING);
        SspiFreeAsyncContext(async);
    }
    end_faults();
}

/* ---- identity ---- */

/* A thread whose identity differs, and the process's own cannot be read: the effective one counts.
 */
static void identity_that_cannot_be_checked_is_refused(void **state)
{
    struct peer_end end;

    (void)state;
    peer_end_init(&end, PEER_ASYNC, false);
    failing_calls_fsuid(4711);
    failing_call(FAILING_FOPEN, EMFILE, 0, FAILING_ALWAYS);
    assert_int_equal(peer_end_acquire(&end, 0, 0, NULL, false), SEC_E_NOT_OWNER);
    assert_true(failing_call_hits(FAILING_FOPEN) > 0);
    failing_call(FAILING_FOPEN, EMFILE, 0, 0);
    failing_call(FAILING_FGETS, EIO, 0, FAILING_ALWAYS);
    assert_int_equal(peer_end_acquire(&end, 0, 0, NULL, false), SEC_E_NOT_OWNER);
    assert_true(failing_call_hits(FAILING_FGETS) > 0);
    failing_call(FAILING_FGETS, EIO, 0, 0);
    assert_int_equal(peer_end_acquire(&end, 0, 0, NULL, false), SEC_E_NOT_OWNER);
    end_faults();
    assert_int_equal(peer_end_acquire(&end, 0, 0, NULL, false), SEC_E_OK);
    peer_end_free(&end);
}

/* ---- what happens once in a process ---- */

/* Threads: none can be had, for whatever reason, then they can. */
static int case_no_thread(void)
{
    static const struct expectation reasons[] = {
        {FAILING_ATTR_INIT, ENOMEM, SEC_E_INSUFFICIENT_MEMORY},
        {FAILING_THREAD, EAGAIN, SEC_E_INSUFFICIENT_MEMORY},
        {FAILING_THREAD, ENOMEM, SEC_E_INSUFFICIENT_MEMORY},
        {FAILING_THREAD, EPERM, SEC_E_INSUFFICIENT_MEMORY},
    };

    for (size_t i = 0; i < OSSPI_COUNT_OF(reasons); i++) {
        failing_call(reasons[i].call, reasons[i].error, 0, FAILING_ALWAYS);
        TEST_REQUIRE_EQUAL(connect_once(PEER_ASYNC), reasons[i].status);
        TEST_REQUIRE(failing_call_hits(reasons[i].call) > 0);
        TEST_REQUIRE_EQUAL(connect_once(PEER_SYNC), SEC_E_OK);
        end_faults();
    }
    failing_call(FAILING_STACK_SIZE, EINVAL, 0, FAILING_ALWAYS);
    failing_call(FAILING_NAME, ERANGE, 0, FAILING_ALWAYS);
    TEST_REQUIRE_EQUAL(connect_once(PEER_ASYNC), SEC_E_OK);
    TEST_REQUIRE(failing_call_hits(FAILING_STACK_SIZE) > 0);
    return 0;
}

/* The timer's thread is refused, then given. */
static int case_no_timer(void)
{
    SspiAsyncContext *async = SspiCreateAsyncContext();
    CredHandle credential;

    TEST_REQUIRE_EQUAL(connect_once(PEER_ASYNC), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(async, 60000), SEC_E_OK);
    for (int i = 0; i < 3; i++) {
        failing_call(FAILING_THREAD, EAGAIN, 0, i < 2 ? FAILING_ALWAYS : 0);
        TEST_REQUIRE_EQUAL(SspiAcquireCredentialsHandleAsyncA(async, NULL, (LPSTR)UNISP_NAME_A,
                                                              SECPKG_CRED_OUTBOUND, NULL, NULL,
                                                              NULL, NULL, &credential, NULL),
                           i < 2 ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_OK);
    }
    TEST_REQUIRE_EQUAL(OsspiWaitAsyncCall(async, OSSPI_INFINITE), SEC_E_OK);
    TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&credential), SEC_E_OK);
    SspiFreeAsyncContext(async);
    return 0;
}

/* Handles need a key; without random bytes it is made of something else, and handles still work. */
static int case_no_random(void)
{
    CredHandle forged;
    struct peer_end end;

    failing_call(FAILING_GETRANDOM, ENOSYS, 0, FAILING_ALWAYS);
    peer_end_init(&end, PEER_SYNC, false);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&end, 0, 0, NULL, false), SEC_E_OK);
    TEST_REQUIRE(failing_call_hits(FAILING_GETRANDOM) > 0);
    for (int bit = 0; bit < 64; bit++) {
        forged = end.credential;
        forged.dwUpper ^= (ULONG_PTR)1 << bit;
        TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&forged), SEC_E_INVALID_HANDLE);
    }
    peer_end_free(&end);
    /* Tickets need keys, too; without them there are none, and connections all the same. */
    TEST_REQUIRE_EQUAL(connect_once(PEER_SYNC), SEC_E_OK);
    TEST_REQUIRE_EQUAL(connect_once(PEER_ASYNC), SEC_E_OK);
    end_faults();
    TEST_REQUIRE_EQUAL(connect_once(PEER_SYNC), SEC_E_OK);
    return 0;
}

static bool is_resumed(struct peer_pair *pair)
{
    SecPkgContext_SessionInfo info = {0};

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&pair->client.context, SECPKG_ATTR_SESSION_INFO, &info), SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

/* Interrupted and short answers of the generator are put together. */
static int case_short_random(void)
{
    struct peer_pair pair;

    failing_calls_short(1);
    failing_call(FAILING_GETRANDOM, EINTR, 0, 20);
    peer_open(&pair, PEER_SYNC, NULL);
    for (int i = 0; i < 2; i++) {
        peer_connect(&pair);
        peer_exchange(&pair);
        TEST_REQUIRE_EQUAL(is_resumed(&pair), i == 1);
        peer_disconnect(&pair);
    }
    peer_close(&pair);
    TEST_REQUIRE_EQUAL(failing_call_hits(FAILING_GETRANDOM), 20);
    return 0;
}

static int case_random_bits(void)
{
    uint8_t bytes[64] = {0};
    unsigned zeros = 0;

    failing_calls_short(5);
    failing_call(FAILING_GETRANDOM, EINTR, 1, 3);
    SslGenerateRandomBits(bytes, sizeof(bytes));
    TEST_REQUIRE_EQUAL(failing_call_hits(FAILING_GETRANDOM), 3);
    for (size_t i = 0; i < sizeof(bytes); i++)
        zeros += bytes[i] == 0;
    TEST_REQUIRE(zeros < 16);
    return 0;
}

/* It has no way to say no. */
static int case_no_random_bits(void)
{
    uint8_t bytes[64];

    failing_call(FAILING_GETRANDOM, ENOSYS, 0, FAILING_ALWAYS);
    SslGenerateRandomBits(bytes, sizeof(bytes));
    return 0;
}

static int case_no_roots(void)
{
    failing_call(FAILING_STAT, EIO, 0, FAILING_ALWAYS);
    TEST_REQUIRE_EQUAL(connect_once(PEER_SYNC), SEC_E_UNTRUSTED_ROOT);
    TEST_REQUIRE(failing_call_hits(FAILING_STAT) > 0);
    end_faults();
    /* What could not be read is not trusted later either. */
    TEST_REQUIRE(connect_once(PEER_SYNC) != SEC_E_INSUFFICIENT_MEMORY);
    return 0;
}

static int case_no_exit_handler(void)
{
    failing_call(FAILING_ATEXIT, ENOMEM, 0, FAILING_ALWAYS);
    TEST_REQUIRE_EQUAL(connect_once(PEER_ASYNC), SEC_E_OK);
    TEST_REQUIRE(failing_call_hits(FAILING_ATEXIT) > 0);
    exit(0);
}

static int case_no_fork_handler(void)
{
    TEST_REQUIRE(failing_call_hits(FAILING_ATFORK) >= 2);
    TEST_REQUIRE_EQUAL(connect_once(PEER_ASYNC), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiShutdown(OSSPI_INFINITE), SEC_E_OK);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
    int expected; /* exit status */
} cases[] = {
    {"no_thread", case_no_thread, 0},
    {"no_timer", case_no_timer, 0},
    {"no_random", case_no_random, 0},
    {"short_random", case_short_random, 0},
    {"random_bits", case_random_bits, 0},
    {"no_random_bits", case_no_random_bits, 128 + SIGABRT},
    {"no_roots", case_no_roots, 0},
    {"no_exit_handler", case_no_exit_handler, 0},
    {"no_fork_handler", case_no_fork_handler, 0},
};

static int run_again(const char *name)
{
    char path[512];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    pid_t child;

    TEST_REQUIRE(len > 0);
    path[len] = '\0';
    fflush(NULL);
    child = fork();
    TEST_REQUIRE(child >= 0);
    if (child == 0) {
        if (strcmp(name, "no_fork_handler") == 0)
            setenv("OSSPI_FAIL_ATFORK", "1", 1);
        execl(path, path, name, (char *)NULL);
        _exit(126);
    }
    return test_child_join(child);
}

static void what_happens_once_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        int result = run_again(cases[i].name);

        if (result != cases[i].expected)
            fail_msg("case %s: exit status %d", cases[i].name, result);
    }
}

static int run_case(const char *name)
{
    peer_trust("ca");
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        if (strcmp(cases[i].name, name) == 0)
            return cases[i].run();
    }
    return 125;
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_file_calls_have_their_status),
        cmocka_unit_test(interrupted_and_short_reads_go_on),
        cmocka_unit_test(queue_without_descriptor_is_refused),
        cmocka_unit_test(queue_keeps_its_entries_when_the_descriptor_fails),
        cmocka_unit_test(without_a_time_zone_expiry_is_in_utc),
        cmocka_unit_test(cpus_are_counted_somehow),
        cmocka_unit_test(futex_that_returns_early_changes_nothing),
        cmocka_unit_test(identity_that_cannot_be_checked_is_refused),
        cmocka_unit_test(what_happens_once_may_fail),
    };

    test_watchdog(60);
    if (argc > 1)
        return run_case(argv[1]);
    return cmocka_run_group_tests_name("fault.calls", tests, peer_set_up, NULL);
}
