/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The ways to make many handshakes; see runner.h. One runner a process, driven by its main thread.
 */
#include "runner.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <uv.h>

#define THREADS_MAX 2

/* A thread of RUNNER_RAW_THREADS, or the only one. */
struct lane {
    struct runner *runner;
    struct raw_engine engine;
    struct raw_pair *pairs;
    unsigned live, count;
};

/* A place on libuv's pool. */
struct pool_item {
    struct runner *runner;
    uv_work_t work;
    struct raw_pair pair;
    enum raw_step step;
};

struct runner {
    struct runner_setup setup;
    struct lane lanes[THREADS_MAX];
    pthread_barrier_t begin, end;
    uv_loop_t loop;
    struct pool_item *items;
    struct sspi_engine engine;
    struct sspi_pair *pairs;
    _Atomic uint32_t to_start, to_finish; /* to_finish: a futex */

    pthread_mutex_t lock; /* guards what follows */
    SSL **held_raw;       /* a ring of setup.hold ends, or NULL */
    CtxtHandle *held_sspi;
    unsigned held_next;
};

static void *need(void *memory)
{
    if (!memory)
        bench_die("out of memory");
    return memory;
}

/* --- Ends that stay --- */

/* What is kept has no transport, neither ours nor theirs. */
static void end_raw(struct runner *runner, struct raw_pair *pair)
{
    SSL *oldest = NULL;

    if (runner->setup.exchange)
        raw_pair_exchange(pair);
    if (runner->setup.hold > 0) {
        unsigned place = runner->held_next++ % runner->setup.hold;
        SSL **end = runner->setup.hold_client ? &pair->client : &pair->server;

        oldest = runner->held_raw[place];
        SSL_set_bio(*end, NULL, NULL);
        runner->held_raw[place] = *end;
        *end = NULL;
    }
    SSL_free(oldest);
    raw_pair_end(pair);
}

static void end_sspi(struct runner *runner, struct sspi_pair *pair)
{
    CtxtHandle oldest;

    if (runner->setup.exchange)
        sspi_pair_exchange(pair);
    if (runner->setup.hold > 0) {
        struct sspi_end *end = runner->setup.hold_client ? &pair->client : &pair->server;
        unsigned place;

        pthread_mutex_lock(&runner->lock);
        place = runner->held_next++ % runner->setup.hold;
        oldest = runner->held_sspi[place];
        runner->held_sspi[place] = end->context;
        pthread_mutex_unlock(&runner->lock);
        end->context = oldest; /* goes in place of the new one */
    }
    sspi_pair_end(pair);
}

CtxtHandle *runner_held(struct runner *runner, unsigned nth)
{
    return &runner->held_sspi[nth];
}

/* --- libssl on threads of our own --- */

static void start_raw(struct raw_pair *pair)
{
    if (!raw_pair_start(pair))
        bench_die("OpenSSL begins no handshake");
}

static void run_lane(struct lane *lane)
{
    unsigned to_start = lane->count, to_finish = lane->count;

    for (unsigned i = 0; i < lane->live && to_start > 0; i++, to_start--)
        start_raw(&lane->pairs[i]);
    while (to_finish > 0) {
        for (unsigned i = 0; i < lane->live; i++) {
            struct raw_pair *pair = &lane->pairs[i];
            enum raw_step step = pair->client ? raw_pair_step(pair) : RAW_MORE;

            if (step == RAW_FAILED)
                bench_die("OpenSSL's handshake failed");
            if (step != RAW_DONE)
                continue;
            end_raw(lane->runner, pair);
            to_finish--;
            if (to_start > 0) {
                start_raw(pair);
                to_start--;
            }
        }
    }
}

static void *lane_main(void *data)
{
    struct lane *lane = data;

    for (;;) {
        pthread_barrier_wait(&lane->runner->begin);
        run_lane(lane);
        pthread_barrier_wait(&lane->runner->end);
    }
    return NULL;
}

static void open_lanes(struct runner *runner)
{
    struct runner_setup *setup = &runner->setup;
    unsigned threads = setup->how == RUNNER_RAW ? 1 : setup->threads;
    pthread_t thread;

    for (unsigned i = 0; i < threads; i++) {
        struct lane *lane = &runner->lanes[i];

        lane->runner = runner;
        lane->live = setup->live / threads;
        lane->pairs = need(calloc(lane->live, sizeof(*lane->pairs)));
        if (i == 0 || setup->own_library)
            raw_engine_open(&lane->engine, &setup->tls, setup->own_library);
        for (unsigned k = 0; k < lane->live; k++)
            raw_pair_init(&lane->pairs[k],
                          setup->own_library ? &lane->engine : &runner->lanes[0].engine,
                          i * lane->live + k);
    }
    if (threads == 1)
        return;
    pthread_barrier_init(&runner->begin, NULL, threads + 1);
    pthread_barrier_init(&runner->end, NULL, threads + 1);
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&thread, NULL, lane_main, &runner->lanes[i]) != 0)
            bench_die("no thread");
    }
}

/* --- libssl on libuv's pool: a flight is a piece of work --- */

static void queue_item(struct pool_item *item);

static void work_flight(uv_work_t *work)
{
    struct pool_item *item = work->data;

    if (!item->pair.client && !raw_pair_start(&item->pair))
        bench_die("OpenSSL begins no handshake");
    item->step = raw_pair_step(&item->pair);
    if (item->step == RAW_DONE)
        raw_pair_end(&item->pair);
}

static void flight_done(uv_work_t *work, int status)
{
    struct pool_item *item = work->data;
    struct runner *runner = item->runner;

    if (status != 0 || item->step == RAW_FAILED)
        bench_die("OpenSSL's handshake failed");
    if (item->step == RAW_DONE) {
        if (runner->to_start == 0)
            return;
        runner->to_start--;
    }
    queue_item(item);
}

static void queue_item(struct pool_item *item)
{
    if (uv_queue_work(&item->runner->loop, &item->work, work_flight, flight_done) != 0)
        bench_die("libuv refused work");
}

static void open_pool(struct runner *runner)
{
    bench_pool_size(runner->setup.threads);
    uv_loop_init(&runner->loop);
    raw_engine_open(&runner->lanes[0].engine, &runner->setup.tls, false);
    runner->items = need(calloc(runner->setup.live, sizeof(*runner->items)));
    for (unsigned i = 0; i < runner->setup.live; i++) {
        runner->items[i].runner = runner;
        runner->items[i].work.data = &runner->items[i];
        raw_pair_init(&runner->items[i].pair, &runner->lanes[0].engine, i);
    }
}

static void run_pool(struct runner *runner, unsigned count)
{
    runner->to_start = count;
    for (unsigned i = 0; i < runner->setup.live && runner->to_start > 0; i++) {
        runner->to_start--;
        queue_item(&runner->items[i]);
    }
    uv_run(&runner->loop, UV_RUN_DEFAULT);
}

/* --- Ours --- */

static bool take_start(struct runner *runner)
{
    uint32_t left = atomic_load(&runner->to_start);

    while (left > 0) {
        if (atomic_compare_exchange_weak(&runner->to_start, &left, left - 1))
            return true;
    }
    return false;
}

static void handshake_finished(struct sspi_pair *pair)
{
    struct runner *runner = pair->data;

    end_sspi(runner, pair);
    if (take_start(runner)) {
        sspi_pair_start(pair);
        sspi_pair_go(pair);
    }
    if (atomic_fetch_sub(&runner->to_finish, 1) == 1 && runner->setup.way == SSPI_CALLBACK)
        syscall(SYS_futex, &runner->to_finish, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void open_sspi(struct runner *runner)
{
    sspi_engine_open(&runner->engine, &runner->setup.tls, runner->setup.way,
                     (OsspiOptions){.workers = runner->setup.threads});
    runner->pairs = need(calloc(runner->setup.live, sizeof(*runner->pairs)));
    for (unsigned i = 0; i < runner->setup.live; i++) {
        sspi_pair_init(&runner->pairs[i], &runner->engine, i);
        runner->pairs[i].finished = handshake_finished;
        runner->pairs[i].data = runner;
    }
}

static void run_sspi_inline(struct runner *runner)
{
    while (runner->to_finish > 0) {
        for (unsigned i = 0; i < runner->setup.live; i++) {
            struct sspi_pair *pair = &runner->pairs[i];

            if (!pair->turn && !take_start(runner))
                continue;
            if (!pair->turn)
                sspi_pair_start(pair);
            if (sspi_pair_step(pair)) {
                end_sspi(runner, pair);
                runner->to_finish--;
            }
        }
    }
}

static void await_sspi(struct runner *runner)
{
    uint32_t left;

    if (runner->setup.way == SSPI_QUEUE) {
        struct pollfd item = {.fd = OsspiCompletionQueueFd(runner->engine.queue), .events = POLLIN};

        while (atomic_load(&runner->to_finish) > 0) {
            if (poll(&item, 1, -1) > 0)
                OsspiDrainCompletions(runner->engine.queue, 0);
        }
        return;
    }
    while ((left = atomic_load(&runner->to_finish)) > 0)
        syscall(SYS_futex, &runner->to_finish, FUTEX_WAIT_PRIVATE, left, NULL, NULL, 0);
}

static void await_deletions(const struct runner *runner)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    do {
        OsspiGetStatistics(&now);
    } while (now.live_contexts > runner->setup.hold && usleep(50) == 0);
}

static void run_sspi(struct runner *runner, unsigned count)
{
    atomic_store(&runner->to_start, count);
    atomic_store(&runner->to_finish, count);
    if (runner->setup.way == SSPI_INLINE) {
        run_sspi_inline(runner);
        return;
    }
    for (unsigned i = 0; i < runner->setup.live && take_start(runner); i++) {
        sspi_pair_start(&runner->pairs[i]);
        sspi_pair_go(&runner->pairs[i]);
    }
    await_sspi(runner);
    await_deletions(runner);
}

/* --- The runner --- */

struct runner *runner_open(const struct runner_setup *setup)
{
    struct runner *runner = need(calloc(1, sizeof(*runner)));

    runner->setup = *setup;
    pthread_mutex_init(&runner->lock, NULL);
    runner->held_raw = need(calloc(setup->hold + 1, sizeof(SSL *)));
    runner->held_sspi = need(calloc(setup->hold + 1, sizeof(CtxtHandle)));
    for (unsigned i = 0; i < setup->hold; i++)
        SecInvalidateHandle(&runner->held_sspi[i]);
    switch (setup->how) {
    case RUNNER_RAW:
    case RUNNER_RAW_THREADS:
        open_lanes(runner);
        break;
    case RUNNER_RAW_POOL:
        open_pool(runner);
        break;
    case RUNNER_SSPI:
        open_sspi(runner);
        break;
    }
    return runner;
}

static void run_lanes(struct runner *runner, unsigned count)
{
    unsigned threads = runner->setup.how == RUNNER_RAW ? 1 : runner->setup.threads;

    for (unsigned i = 0; i < threads; i++)
        runner->lanes[i].count = count / threads;
    if (threads == 1) {
        run_lane(&runner->lanes[0]);
        return;
    }
    pthread_barrier_wait(&runner->begin);
    pthread_barrier_wait(&runner->end);
}

void runner_run(struct runner *runner, unsigned count)
{
    switch (runner->setup.how) {
    case RUNNER_RAW:
    case RUNNER_RAW_THREADS:
        run_lanes(runner, count);
        break;
    case RUNNER_RAW_POOL:
        run_pool(runner, count);
        break;
    case RUNNER_SSPI:
        run_sspi(runner, count);
        break;
    }
}

void runner_describe(struct runner *runner, char *ret_text, size_t size)
{
    if (runner->setup.how == RUNNER_SSPI)
        sspi_describe(&runner->pairs[0], ret_text, size);
    else
        raw_describe(runner->setup.how == RUNNER_RAW_POOL ? &runner->items[0].pair
                                                          : &runner->lanes[0].pairs[0],
                     ret_text, size);
}
