/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Programs that are started by a process that uses the library: with fork, vfork and posix_spawn,
 * while it is idle and while all of it is in use. They inherit no descriptor of the library, and
 * may use the library at once. The program that is started is this one, with an argument.
 */
#include <dirent.h>
#include <errno.h>
#include <opensspi.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/tls_peer.h"

TEST_FORKS_WITH_THREADS;

extern char **environ;

static char self[512]; /* written before there are threads */

/* ---- the program that is started ---- */

/* Descriptors that it was given, besides the three of every program; each is named. */
static int look_at_descriptors(void)
{
    DIR *entries = opendir("/proc/self/fd");
    int count = 0;

    TEST_REQUIRE(entries != NULL);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        const int fd = atoi(entry->d_name);
        char path[64], target[256];
        ssize_t len;

        if (entry->d_name[0] == '.' || fd <= 2 || fd == dirfd(entries))
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        len = readlink(path, target, sizeof(target) - 1);
        target[len < 0 ? 0 : len] = '\0';
        fprintf(stderr, "inherited: %d -> %s\n", fd, target);
        count++;
    }
    closedir(entries);
    return count;
}

static int connect_once(const struct peer_form *form)
{
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    peer_exchange(&pair);
    peer_close(&pair);
    return 0;
}

static int be_started(const char *what)
{
    test_watchdog(30);
    if (strcmp(what, "look") == 0)
        return look_at_descriptors();
    peer_trust("ca");
    for (int i = 0; i < 3; i++)
        connect_once(i % 2 ? PEER_SYNC : PEER_ASYNC);
    return look_at_descriptors() + (OsspiShutdown(OSSPI_INFINITE) != SEC_E_OK);
}

/* ---- ways to start it ---- */

static pid_t by_fork(char *const arguments[])
{
    pid_t child = fork();

    TEST_REQUIRE(child >= 0);
    if (child == 0) {
        execv(self, arguments);
        _exit(126);
    }
    return child;
}

static pid_t by_vfork(char *const arguments[])
{
    pid_t child = vfork();

    TEST_REQUIRE(child >= 0);
    if (child == 0) {
        execv(self, arguments);
        _exit(126);
    }
    return child;
}

static pid_t by_spawn(char *const arguments[])
{
    pid_t child;

    TEST_REQUIRE_EQUAL(posix_spawn(&child, self, NULL, NULL, arguments, environ), 0);
    return child;
}

/* The child uses the library itself, and then becomes another program. */
static pid_t by_fork_and_use(char *const arguments[])
{
    pid_t child = fork();

    TEST_REQUIRE(child >= 0);
    if (child == 0) {
        test_watchdog(20);
        connect_once(PEER_ASYNC);
        execv(self, arguments);
        _exit(126);
    }
    return child;
}

typedef pid_t (*starter)(char *const arguments[]);

static void start(starter how, char *what)
{
    char *const arguments[] = {self, what, NULL};

    fflush(NULL);
    assert_int_equal(test_child_join(how(arguments)), 0);
}

/* ---- the states in which it is started ---- */

static char look[] = "look", use[] = "use"; /* constant after their definition */

/* A sanitizer may leave its allocator locked in a forked child; vfork's child must not be anything
 * but exec to ThreadSanitizer. */
static bool suits(starter how, bool busy)
{
    if (TEST_SANITIZED && busy && (how == by_fork || how == by_fork_and_use))
        return false;
    return !(TEST_TSAN && (how == by_vfork || how == by_fork_and_use));
}

static const starter starters[] = {by_fork, by_vfork, by_spawn, by_fork_and_use};
enum { STARTERS = sizeof(starters) / sizeof(starters[0]) };

static void start_in_every_way(bool busy, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        for (int how = 0; how < STARTERS; how++) {
            if (suits(starters[how], busy))
                start(starters[how], i % 4 == 3 ? use : look);
        }
    }
}

static void program_started_before_first_use(void **state)
{
    (void)state;
    start(by_fork, use);
    start(by_spawn, use);
}

static void program_started_beside_an_idle_engine(void **state)
{
    OsspiCompletionQueue *queues[10];

    (void)state;
    connect_once(PEER_SYNC);
    connect_once(PEER_ASYNC);
    for (int i = 0; i < 10; i++)
        assert_int_equal(OsspiCreateCompletionQueue(&queues[i]), SEC_E_OK);
    if (TEST_SANITIZED)
        test_await_quiet();
    start_in_every_way(false, 4);
    for (int i = 0; i < 10; i++)
        assert_int_equal(OsspiCloseCompletionQueue(queues[i]), SEC_E_OK);
}

static atomic_bool stop_busy;

/* Everything that opens a descriptor: queues, certificates, credentials, connections. */
static void *be_busy(void *data)
{
    while (!atomic_load(&stop_busy)) {
        OsspiCompletionQueue *queue;

        TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
        CertFreeCertificateContext(peer_certificate("server"));
        connect_once(data);
        TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    }
    return NULL;
}

static void program_started_beside_busy_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        threads[i] = test_thread_start(be_busy, (void *)(i % 2 ? PEER_SYNC : PEER_ASYNC));
    start_in_every_way(true, TEST_SANITIZED ? 2 : 6);
    atomic_store(&stop_busy, true);
    for (int i = 0; i < 4; i++)
        test_thread_join(threads[i]);
}

/* ---- from a callback ---- */

struct started {
    struct test_counter done;
    int result;
    bool restores_mask;
};

/* Threads of the library block all signals, and a program inherits the mask: posix_spawn can give
 * it another one. */
static void start_in_callback(SspiAsyncContext *context, void *data)
{
    struct started *started = data;
    char *const arguments[] = {self, look, NULL};
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t child;

    (void)context;
    sigemptyset(&none);
    TEST_REQUIRE_EQUAL(posix_spawnattr_init(&attributes), 0);
    TEST_REQUIRE_EQUAL(posix_spawnattr_setsigmask(&attributes, &none), 0);
    TEST_REQUIRE_EQUAL(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK), 0);
    TEST_REQUIRE_EQUAL(posix_spawn(&child, self, NULL, &attributes, arguments, environ), 0);
    posix_spawnattr_destroy(&attributes);
    started->result = test_child_join(child);
    test_counter_add(&started->done, 1);
}

static void program_started_from_a_callback(void **state)
{
    struct started started = {.done = TEST_COUNTER_INIT};
    SspiAsyncContext *async = SspiCreateAsyncContext();
    CredHandle credential;

    (void)state;
    fflush(NULL);
    assert_int_equal(SspiSetAsyncNotifyCallback(async, start_in_callback, &started), SEC_E_OK);
    assert_int_equal(SspiAcquireCredentialsHandleAsyncA(async, NULL, (LPSTR)UNISP_NAME_A,
                                                        SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                                        NULL, &credential, NULL),
                     SEC_E_OK);
    test_counter_await(&started.done, 1);
    assert_int_equal(started.result, 0);
    assert_int_equal(FreeCredentialsHandle(&credential), SEC_E_OK);
    SspiFreeAsyncContext(async);
}

/* Descriptors that this program was given itself, from whoever runs the tests, are none of ours. */
static void close_what_was_inherited(void)
{
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_started_before_first_use),
        cmocka_unit_test(program_started_beside_an_idle_engine),
        cmocka_unit_test(program_started_beside_busy_threads),
        cmocka_unit_test(program_started_from_a_callback),
    };
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    TEST_REQUIRE(len > 0);
    if (argc > 1)
        return be_started(argv[1]);
    close_what_was_inherited();
    return cmocka_run_group_tests_name("fault.spawn", tests, peer_set_up, NULL);
}
