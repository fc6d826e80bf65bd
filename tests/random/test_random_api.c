/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The random API driver's main program; see random.h.
 *
 *     test_random_api [--seed N] [--threads N] [--steps N] [--seconds N] [--list]
 *
 * Runs until every thread has made its steps or the time is over, then shuts the engine down while
 * the threads still make some calls, and checks that nothing is left. The seed decides what each
 * thread chooses; how the threads meet is up to the machine. --list names the functions called.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "random/random.h"
#include "random/random_auth.h"
#include "random/random_kernel.h"
#include "support/contract_status.h"

TEST_FORKS_WITH_THREADS;

#define MAX_THREADS 64u
#define LAST_STEPS  300u /* with the engine shut down */

/* The first three have locks that another thread may hold while a third one forks, or wait for
 * calls. */
static const struct random_rows *const table[] = {
    &random_async_rows,       &random_queue_rows,   &random_chain_rows,       &random_call_rows,
    &random_certificate_rows, &random_context_rows, &random_credential_rows,  &random_identity_rows,
    &random_kernel_rows,      &random_store_rows,   &random_unsupported_rows,
};
#define NOT_IN_CHILD 3u
#define TABLES       (sizeof(table) / sizeof(table[0]))

static struct options {
    uint64_t seed;
    unsigned threads;
    uint64_t steps, seconds;
} options = {1, 4, 4000, 60}; /* constant once threads run */

static time_t began;
static _Atomic uint64_t steps_done, forks_done;
static _Atomic bool stopping;
static _Atomic unsigned running; /* threads in their first part */

/* ---- steps ---- */

static unsigned weight_of(const struct random_rows *rows)
{
    unsigned sum = 0;

    for (size_t i = 0; i < rows->count; i++)
        sum += rows->rows[i].weight;
    return sum;
}

static const struct random_row *choose(struct random_thread *thread, bool in_child)
{
    unsigned total = 0, at;

    for (size_t i = 0; i < TABLES; i++)
        total += in_child && i < NOT_IN_CHILD ? 0 : weight_of(table[i]);
    at = random_below(thread, total);
    for (size_t i = in_child ? NOT_IN_CHILD : 0; i < TABLES; i++) {
        for (size_t j = 0; j < table[i]->count; j++) {
            if (at < table[i]->rows[j].weight)
                return &table[i]->rows[j];
            at -= table[i]->rows[j].weight;
        }
    }
    return &table[1]->rows[0]; /* not reached */
}

void random_step(struct random_thread *thread)
{
    thread->depth++;
    choose(thread, false)->call(thread);
    thread->depth--;
}

void random_step_in_child(struct random_thread *thread)
{
    choose(thread, true)->call(thread);
}

/* ---- for random_kernel.c ---- */

uint32_t random_kernel_below(struct random_thread *thread, uint32_t bound)
{
    return random_below(thread, bound);
}

PCredHandle random_kernel_credential(struct random_thread *thread, CredHandle *ret_value)
{
    struct random_handle handle = random_pick(thread, RANDOM_CREDENTIALS);

    *ret_value = handle.value;
    return handle.null ? NULL : ret_value;
}

void random_kernel_credential_made(struct random_thread *thread, CredHandle made)
{
    random_credential_made(thread, made);
}

SECURITY_STATUS random_kernel_wait(SspiAsyncContext *async)
{
    return OsspiWaitAsyncCall(async, OSSPI_INFINITE);
}

/* ---- children ---- */

/* The library at once, with the parent's handles and new ones. */
static int in_child(void *data)
{
    struct random_thread *thread = data;

    random_pools_unlock();
    thread->depth = 0;
    for (int i = 0; i < 60; i++)
        random_step_in_child(thread);
    return 0;
}

/* What the pools hold must be whole in the child. Where a sanitizer has locks of its own, a fork
 * beside busy threads is not for it. */
static void fork_once(struct random_thread *thread)
{
    pid_t child;

    if (TEST_SANITIZED)
        return;
    random_pools_lock();
    child = test_child_fork(in_child, thread);
    random_pools_unlock();
    TEST_REQUIRE_EQUAL(test_child_join(child), 0);
    atomic_fetch_add(&forks_done, 1);
}

/* ---- threads ---- */

static bool time_is_over(void)
{
    return time(NULL) - began >= (time_t)options.seconds;
}

static void one_step(struct random_thread *thread)
{
    if (random_chance(thread, 35))
        random_link_step(thread);
    else
        choose(thread, false)->call(thread);
    if (random_below(thread, 1500) == 0)
        fork_once(thread);
    atomic_fetch_add(&steps_done, 1);
}

static void *run(void *data)
{
    struct random_thread *thread = data;

    for (uint64_t i = 0; i < options.steps && !time_is_over(); i++)
        one_step(thread);
    atomic_fetch_sub(&running, 1);
    /* Until the engine is being shut down, and a little beyond. */
    for (unsigned last = 0; last < LAST_STEPS;) {
        one_step(thread);
        if (atomic_load(&stopping))
            last++;
    }
    return NULL;
}

static bool first_part_over(void *data)
{
    (void)data;
    return atomic_load(&running) == 0;
}

static void run_threads(void)
{
    static struct random_thread threads[MAX_THREADS];
    pthread_t ids[MAX_THREADS];

    atomic_store(&running, options.threads);
    for (unsigned i = 0; i < options.threads; i++) {
        threads[i].state = options.seed * 1000003 + i;
        ids[i] = test_thread_start(run, &threads[i]);
    }
    test_poll(first_part_over, NULL);
    atomic_store(&stopping, true);
    contract_require("OsspiShutdown", OsspiShutdown(200));
    for (unsigned i = 0; i < options.threads; i++)
        test_thread_join(ids[i]);
}

/* ---- the end ---- */

static bool nothing_left(void *data)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&now), SEC_E_OK);
    return now.live_credentials == 0 && now.live_contexts == 0 && now.live_async_contexts == 0 &&
           now.live_completion_queues == 0 && now.callbacks_pending == 0;
}

static void finish(void)
{
    struct random_counts counts;

    TEST_REQUIRE_EQUAL(OsspiSetTrace(NULL, NULL), SEC_E_OK);
    random_async_finish();
    random_queues_close();
    random_links_close();
    counts = random_async_counts();
    random_world_close();
    test_poll(nothing_left, NULL);
    TEST_REQUIRE_EQUAL(counts.accepted, counts.callbacks);
    printf("%llu steps, %llu asynchronous calls and callbacks, %llu refused, %llu connections, "
           "%llu messages, %llu children\n",
           (unsigned long long)atomic_load(&steps_done), (unsigned long long)counts.callbacks,
           (unsigned long long)counts.refused, (unsigned long long)random_links_established(),
           (unsigned long long)random_links_messages(),
           (unsigned long long)atomic_load(&forks_done));
    TEST_REQUIRE(random_links_established() > 0 && random_links_messages() > 0);
}

/* ---- the command ---- */

static void list(void)
{
    for (size_t i = 0; i < TABLES; i++) {
        for (size_t j = 0; j < table[i]->count; j++)
            puts(table[i]->rows[j].function);
    }
}

static uint64_t number(const char *text)
{
    return text ? strtoull(text, NULL, 10) : 0;
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0)
            return false;
        if (strcmp(argv[i], "--seed") == 0)
            options.seed = number(argv[++i]);
        else if (strcmp(argv[i], "--threads") == 0)
            options.threads = (unsigned)number(argv[++i]) % (MAX_THREADS + 1);
        else if (strcmp(argv[i], "--steps") == 0)
            options.steps = number(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = number(argv[++i]);
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    OsspiOptions settings = {.cbSize = sizeof(settings), .workers = 3, .queue_bound = 64};

    if (!parse(argc, argv)) {
        list();
        return 0;
    }
    test_watchdog((unsigned)options.seconds + 90);
    peer_trust("ca");
    TEST_REQUIRE_EQUAL(OsspiConfigure(&settings), SEC_E_OK);
    began = time(NULL);
    printf("seed %llu, %u threads\n", (unsigned long long)options.seed, options.threads);
    fflush(NULL);
    random_world_open();
    random_links_open();
    run_threads();
    finish();
    return 0;
}
