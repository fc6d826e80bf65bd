/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the tests of threads need: a check that works on any thread, a watchdog instead of hanging,
 * gates and counters instead of sleeping, threads, children, and a small random generator.
 *
 * Nothing here takes time to mean something: a test waits for an event, and the watchdog is the
 * only clock that ends it. test_poll() is for states that nobody announces; it looks again until
 * they are there.
 */
#ifndef OSSPI_TESTS_SUPPORT_TEST_UTIL_H
#define OSSPI_TESTS_SUPPORT_TEST_UTIL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

#if defined(__SANITIZE_THREAD__)
#define TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#endif
#endif
#ifndef TEST_TSAN
#define TEST_TSAN 0
#endif

/** A number of rounds: the whole of it, or a twentieth where a sanitizer slows everything down. */
#define TEST_ROUNDS(count) ((uint32_t)(TEST_SANITIZED ? ((count) + 19) / 20 : (count)))

#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif
#ifndef TEST_ASAN
#define TEST_ASAN 0
#endif

/** For programs that fork while other threads run; stands once in such a program, outside any
 * function. ThreadSanitizer shall let the child have threads, and not miss in it those that the
 * parent joins later. LeakSanitizer shall not look at the
 * child's end: what the parent's threads held is named on stacks that the child does not have. */
#if TEST_TSAN
#define TEST_FORKS_WITH_THREADS \
    __attribute__((visibility("default"))) const char *__tsan_default_options(void); \
    const char *__tsan_default_options(void) \
    { \
        return "die_after_fork=0 report_thread_leaks=0"; \
    } \
    _Static_assert(1, "ends with a semicolon")
#elif TEST_ASAN
#define TEST_FORKS_WITH_THREADS \
    __attribute__((visibility("default"))) int __lsan_is_turned_off(void); \
    int __lsan_is_turned_off(void) \
    { \
        return test_is_forked(); \
    } \
    _Static_assert(1, "ends with a semicolon")
#else
#define TEST_FORKS_WITH_THREADS _Static_assert(1, "nothing to do")
#endif

/** Has this process been forked off the one that began to run the program? */
bool test_is_forked(void);

/**
 * Ends the program with words when the condition does not hold. For any thread: cmocka's own
 * assertions jump, which only the thread of the test may do.
 */
#define TEST_REQUIRE(condition) ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, #condition))

/** The same for two numbers, which it prints. */
#define TEST_REQUIRE_EQUAL(actual, expected) \
    test_require_equal((intmax_t)(actual), (intmax_t)(expected), __FILE__, __LINE__, \
                       #actual " == " #expected)

void test_fail(const char *file, int line, const char *what) __attribute__((noreturn));
void test_require_equal(intmax_t actual, intmax_t expected, const char *file, int line,
                        const char *what);

/** Ends the process by abort when it still runs after so many seconds (four times as many with a
 * sanitizer). Arming again starts anew; 0 disarms. */
void test_watchdog(unsigned seconds);

/** The caller's thread id, as the kernel counts. */
pid_t test_thread_id(void);

/** Calls reached(data) until it answers true, resting a little between. */
void test_poll(bool (*reached)(void *data), void *data);

/* ---- counters: a number that grows, and threads that wait for it ---- */

struct test_counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t value; /* guarded by lock */
};

#define TEST_COUNTER_INIT \
    { \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

void test_counter_init(struct test_counter *counter);
void test_counter_add(struct test_counter *counter, uint64_t more);
uint64_t test_counter_get(struct test_counter *counter);
/** Waits until the counter is at least value. */
void test_counter_await(struct test_counter *counter, uint64_t value);

/* ---- gates: threads that pass are held until the gate is opened ---- */

struct test_gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;        /* guarded by lock, with the two below */
    uint32_t entered; /* threads that have come, ever */
    uint32_t inside;  /* threads that stand in it now */
};

#define TEST_GATE_INIT \
    { \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

void test_gate_init(struct test_gate *gate);
/** Comes to the gate and stays until it is open. */
void test_gate_pass(struct test_gate *gate);
void test_gate_open(struct test_gate *gate);
void test_gate_close(struct test_gate *gate);
/** Waits until so many threads have come to the gate, ever. */
void test_gate_await(struct test_gate *gate, uint32_t entered);
/** Waits until nobody stands in the gate. */
void test_gate_await_empty(struct test_gate *gate);
uint32_t test_gate_entered(struct test_gate *gate);

/* ---- threads and children ---- */

/** Starts a thread or ends the test. */
pthread_t test_thread_start(void *(*function)(void *), void *data);
void test_thread_join(pthread_t thread);

/** Waits for a child and returns its exit status; 128 + signal if one ended it. */
int test_child_join(pid_t child);

/** Forks; in the child arms the watchdog, runs function(data) and ends with its result by _exit.
 * Returns the child's id. */
pid_t test_child_fork(int (*function)(void *data), void *data);

/** Waits until every other thread of the process sleeps. For what cannot stand a fork while others
 * are inside it: the sanitizers' allocators. */
void test_await_quiet(void);

/** May a child that was forked beside busy threads allocate? The C library holds its allocator's
 * locks over a fork. A sanitizer of today does not: the child waits for ever for a thread that was
 * inside malloc. There only the parent's side of such a fork can be watched. */
#define TEST_BUSY_FORKS (!TEST_SANITIZED)

/** What a child does that must not allocate; for test_child_fork(). */
int test_child_nothing(void *data);

/* ---- memory that must not be touched ---- */

/** Whole pages, zeroed; at least size bytes. */
void *test_pages_new(size_t size);
/** From here on any access ends the program (true), or is allowed again (false). */
void test_pages_forbid(void *pages, size_t size, bool forbidden);
void test_pages_free(void *pages, size_t size);

/** Next number of a small generator; *state is its seed and may be anything. */
uint64_t test_random(uint64_t *state);

#endif
