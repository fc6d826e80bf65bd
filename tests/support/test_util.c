/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Gates, counters, watchdog, threads and children for tests; see test_util.h. Thread-safe, except
 * that one thread arms the watchdog. pthread primitives only, so that ThreadSanitizer understands
 * every wait.
 */
#include "support/test_util.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void test_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    fflush(NULL);
    abort();
}

void test_require_equal(intmax_t actual, intmax_t expected, const char *file, int line,
                        const char *what)
{
    if (actual == expected)
        return;
    fprintf(stderr, "%s:%d: %jd (0x%jx) is not %jd (0x%jx)\n", file, line, actual,
            (uintmax_t)actual & UINT32_MAX, expected, (uintmax_t)expected & UINT32_MAX);
    test_fail(file, line, what);
}

static pid_t first_process; /* constant after the constructor */

__attribute__((constructor)) static void note_first_process(void)
{
    first_process = getpid();
}

bool test_is_forked(void)
{
    return getpid() != first_process;
}

static void on_alarm(int signal_number)
{
    static const char message[] = "watchdog: the test hangs\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);

    (void)ignored;
    (void)signal_number;
    abort();
}

void test_watchdog(unsigned seconds)
{
    struct sigaction action = {.sa_handler = on_alarm};
    const char *patience = getenv("OSSPI_TEST_PATIENCE"); /* script/valgrind needs some */
    const int factor = patience ? atoi(patience) : TEST_SANITIZED ? 4 : 1;

    sigaction(SIGALRM, &action, NULL);
    alarm(factor > 0 ? seconds * (unsigned)factor : seconds);
}

pid_t test_thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

void test_poll(bool (*reached)(void *data), void *data)
{
    while (!reached(data)) {
        struct timespec rest = {.tv_nsec = 200000};

        nanosleep(&rest, NULL);
    }
}

void test_counter_init(struct test_counter *counter)
{
    pthread_mutex_init(&counter->lock, NULL);
    pthread_cond_init(&counter->changed, NULL);
    counter->value = 0;
}

void test_counter_add(struct test_counter *counter, uint64_t more)
{
    pthread_mutex_lock(&counter->lock);
    counter->value += more;
    pthread_cond_broadcast(&counter->changed);
    pthread_mutex_unlock(&counter->lock);
}

uint64_t test_counter_get(struct test_counter *counter)
{
    uint64_t value;

    pthread_mutex_lock(&counter->lock);
    value = counter->value;
    pthread_mutex_unlock(&counter->lock);
    return value;
}

void test_counter_await(struct test_counter *counter, uint64_t value)
{
    pthread_mutex_lock(&counter->lock);
    while (counter->value < value)
        pthread_cond_wait(&counter->changed, &counter->lock);
    pthread_mutex_unlock(&counter->lock);
}

void test_gate_init(struct test_gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
    gate->open = false;
    gate->entered = gate->inside = 0;
}

void test_gate_pass(struct test_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->entered++;
    gate->inside++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    gate->inside--;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_set(struct test_gate *gate, bool open)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = open;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void test_gate_open(struct test_gate *gate)
{
    gate_set(gate, true);
}

void test_gate_close(struct test_gate *gate)
{
    gate_set(gate, false);
}

void test_gate_await(struct test_gate *gate, uint32_t entered)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->entered < entered)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

void test_gate_await_empty(struct test_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->inside > 0)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

uint32_t test_gate_entered(struct test_gate *gate)
{
    uint32_t entered;

    pthread_mutex_lock(&gate->lock);
    entered = gate->entered;
    pthread_mutex_unlock(&gate->lock);
    return entered;
}

pthread_t test_thread_start(void *(*function)(void *), void *data)
{
    pthread_t thread;

    TEST_REQUIRE_EQUAL(pthread_create(&thread, NULL, function, data), 0);
    return thread;
}

void test_thread_join(pthread_t thread)
{
    TEST_REQUIRE_EQUAL(pthread_join(thread, NULL), 0);
}

int test_child_join(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) != child)
        TEST_REQUIRE_EQUAL(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t test_child_fork(int (*function)(void *data), void *data)
{
    pid_t child = fork();

    TEST_REQUIRE(child >= 0);
    if (child == 0) {
        test_watchdog(20);
        _exit(function(data));
    }
    return child;
}

int test_child_nothing(void *data)
{
    (void)data;
    return 0;
}

/* The state letter of a thread, which stands behind its name in parentheses; 'S' if it is gone. */
static char state_of_thread(const char *id)
{
    char path[64];
    char line[256] = "";
    const char *end;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", id);
    file = fopen(path, "re");
    if (!file)
        return 'S';
    if (!fgets(line, sizeof(line), file))
        line[0] = '\0';
    fclose(file);
    end = strrchr(line, ')');
    return end && end[1] == ' ' ? end[2] : 'S';
}

static bool others_sleep(void *data)
{
    DIR *tasks = opendir("/proc/self/task");
    bool asleep = true;

    (void)data;
    TEST_REQUIRE(tasks);
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != test_thread_id())
            asleep = asleep && state_of_thread(entry->d_name) == 'S';
    }
    closedir(tasks);
    return asleep;
}

void test_await_quiet(void)
{
    test_poll(others_sleep, NULL);
    test_poll(others_sleep, NULL); /* seen twice: not in the middle of a short sleep */
}

static size_t whole_pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (size + page - 1) / page * page;
}

void *test_pages_new(size_t size)
{
    void *pages =
        mmap(NULL, whole_pages(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    TEST_REQUIRE(pages != MAP_FAILED);
    return pages;
}

void test_pages_forbid(void *pages, size_t size, bool forbidden)
{
    TEST_REQUIRE_EQUAL(
        mprotect(pages, whole_pages(size), forbidden ? PROT_NONE : PROT_READ | PROT_WRITE), 0);
}

void test_pages_free(void *pages, size_t size)
{
    TEST_REQUIRE_EQUAL(munmap(pages, whole_pages(size)), 0);
}

uint64_t test_random(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}
