/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A day's worth of handshakes. Asynchronous, a worker for each CPU, 64 under way at a time, TLS 1.2
 * and 1.3, full and resumed mixed. After every few thousand all are awaited and freed, and then:
 *
 * - each call has had its callback, each exactly one: counted here, and compared with what the
 *   library counts; no call is queued or running any more, no context lives;
 * - since the warm-up, RSS and the heap in use have not grown by more than a bound that does not
 *   depend on the number of handshakes.
 *
 * What is not so ends the program. Sanitizers keep freed memory, so with them only callbacks count.
 */
#include <linux/futex.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scale.h"
#include "tls_sspi.h"

#define LIVE          64
#define SAMPLE        10000       /* handshakes between two looks at most */
#define LEAST_SAMPLES 6           /* that many looks at least */
#define RSS_BOUND     (24u << 20) /* bytes: threads that come later have arenas of their own */
#define HEAP_BOUND    (1u << 20)  /* bytes: caches of sessions and verdicts fill up to theirs */
#define PATIENCE_S    120         /* without a single handshake: a callback is lost */
#define STATISTICS_MS 10000       /* until the library's counters have caught up */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_FREED_MEMORY 1
#else
#define KEEPS_FREED_MEMORY 0
#endif

enum { RATE, CPU, CALLS, CALLBACKS, RSS, HEAP, RSS_GROWTH, HEAP_GROWTH, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [RATE] = {"handshakes_per_second", "handsh./s", 0},
    [CPU] = {"cpu_us_per_handshake", "CPU us", 0},
    [CALLS] = {"calls", "calls", 0},
    [CALLBACKS] = {"callbacks", "callbacks", 0},
    [RSS] = {"rss_bytes", "RSS", 0},
    [HEAP] = {"heap_bytes", "heap", 0},
    [RSS_GROWTH] = {"rss_growth_bytes", "RSS grown", 0},
    [HEAP_GROWTH] = {"heap_growth_bytes", "heap grown", 0},
};

/* Of a hundred handshakes so many; resumed ones are what makes a million of them feasible. */
static const struct {
    bool tls12, resumed;
    unsigned share;
} kinds[] = {{false, false, 5}, {true, false, 5}, {false, true, 30}, {true, true, 60}};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* What the side is told. */
struct setup {
    const char *folder;
    unsigned sample, rounds, warm_up; /* handshakes of a round; rounds; those before the bounds */
};

struct state {
    struct setup setup;
    struct sspi_engine engines[KINDS];
    struct sspi_pair pairs[LIVE];
    _Atomic uint32_t started;   /* of all rounds */
    _Atomic uint32_t to_start;  /* of this round */
    _Atomic uint32_t to_finish; /* a futex */
    unsigned round;
    double rss, heap; /* when the warm-up was over */
};

/* --- Handshakes --- */

static struct sspi_engine *choose(struct state *state)
{
    /* 37 and 100 have no common divisor: all hundred come, well mixed. */
    unsigned place = atomic_fetch_add(&state->started, 1) % 100 * 37 % 100;
    unsigned kind = 0;

    while (place >= kinds[kind].share)
        place -= kinds[kind++].share;
    return &state->engines[kind];
}

/* False: enough have been started. */
static bool start(struct state *state, struct sspi_pair *pair)
{
    uint32_t left = atomic_load(&state->to_start);

    do {
        if (left == 0)
            return false;
    } while (!atomic_compare_exchange_weak(&state->to_start, &left, left - 1));
    pair->engine = choose(state);
    sspi_pair_start(pair);
    sspi_pair_go(pair);
    return true;
}

static void finished(struct sspi_pair *pair)
{
    struct state *state = pair->data;

    sspi_pair_end(pair);
    start(state, pair);
    if (atomic_fetch_sub(&state->to_finish, 1) == 1)
        syscall(SYS_futex, &state->to_finish, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* False: nothing moves any more. */
static bool await_all(struct state *state)
{
    const struct timespec second = {.tv_sec = 1};
    uint32_t left, before = 0;
    unsigned still = 0;

    while ((left = atomic_load(&state->to_finish)) > 0) {
        still = left == before ? still + 1 : 0;
        if (still > PATIENCE_S)
            return false;
        before = left;
        syscall(SYS_futex, &state->to_finish, FUTEX_WAIT_PRIVATE, left, &second, NULL, 0);
    }
    return true;
}

/* --- Looks --- */

static double resident(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        bench_die("/proc/self/statm cannot be read");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double heap_in_use(void)
{
    struct mallinfo2 now = mallinfo2();

    return (double)now.uordblks + (double)now.hblkhd;
}

/* The last callbacks wake us from inside; the library counts them when they have returned. */
static bool all_quiet(uint64_t calls, OsspiStatistics *ret_now)
{
    for (unsigned i = 0; i < STATISTICS_MS; i++) {
        *ret_now = (OsspiStatistics){.cbSize = sizeof(*ret_now)};
        OsspiGetStatistics(ret_now);
        if (ret_now->calls_queued == calls && ret_now->calls_completed == calls &&
            ret_now->callbacks_run == calls && ret_now->callbacks_pending == 0 &&
            ret_now->queue_depth == 0 && ret_now->live_contexts == 0)
            return true;
        usleep(1000);
    }
    return false;
}

__attribute__((format(printf, 2, 3))) static void fail(struct bench_result *result,
                                                       const char *format, ...)
{
    va_list arguments;

    result->failed = true;
    va_start(arguments, format);
    vsnprintf(result->detail, sizeof(result->detail), format, arguments);
    va_end(arguments);
}

static void count_callbacks(struct state *state, struct bench_result *result)
{
    uint64_t calls = 0, callbacks = 0;
    OsspiStatistics now;

    for (unsigned i = 0; i < LIVE; i++) {
        calls += state->pairs[i].calls;
        callbacks += state->pairs[i].callbacks;
    }
    result->values[CALLS] = (double)calls;
    result->values[CALLBACKS] = (double)callbacks;
    if (calls != callbacks)
        fail(result, "%llu calls, %llu callbacks", (unsigned long long)calls,
             (unsigned long long)callbacks);
    else if (!all_quiet(calls, &now))
        fail(result,
             "%llu calls; the library says %llu queued, %llu completed, %llu callbacks, "
             "%llu contexts",
             (unsigned long long)calls, (unsigned long long)now.calls_queued,
             (unsigned long long)now.calls_completed, (unsigned long long)now.callbacks_run,
             (unsigned long long)now.live_contexts);
}

static void look_at_memory(struct state *state, struct bench_result *result)
{
    double *values = result->values;

    values[RSS] = resident();
    values[HEAP] = heap_in_use();
    if (state->round == state->setup.warm_up) {
        state->rss = values[RSS];
        state->heap = values[HEAP];
    }
    if (state->round < state->setup.warm_up)
        return;
    values[RSS_GROWTH] = values[RSS] > state->rss ? values[RSS] - state->rss : 0;
    values[HEAP_GROWTH] = values[HEAP] > state->heap ? values[HEAP] - state->heap : 0;
    if (KEEPS_FREED_MEMORY)
        return;
    if (values[RSS_GROWTH] > RSS_BOUND || values[HEAP_GROWTH] > HEAP_BOUND)
        fail(result,
             "since the warm-up RSS has grown by %.0f bytes, heap by %.0f, in %u handshakes",
             values[RSS_GROWTH], values[HEAP_GROWTH],
             (state->round - state->setup.warm_up) * state->setup.sample);
}

/* For whoever waits: a line for each tenth. */
static void tell(const struct state *state, const struct bench_result *result)
{
    unsigned rounds = state->setup.rounds, round = state->round;

    if (round * 10 / rounds != (round - 1) * 10 / rounds)
        fprintf(stderr,
                "soak: %u handshakes, %.0f calls, %.0f callbacks; RSS %.1f MiB (+%.2f), heap %.2f "
                "MiB (+%.3f)\n",
                round * state->setup.sample, result->values[CALLS], result->values[CALLBACKS],
                result->values[RSS] / 1048576, result->values[RSS_GROWTH] / 1048576,
                result->values[HEAP] / 1048576, result->values[HEAP_GROWTH] / 1048576);
}

/* --- The side --- */

static void *open_side(const void *data)
{
    struct state *state = calloc(1, sizeof(*state));
    OsspiOptions options = {.workers = bench_cpu_count()};

    if (!state)
        bench_die("out of memory");
    state->setup = *(const struct setup *)data;
    for (unsigned i = 0; i < KINDS; i++) {
        struct bench_tls tls = {.folder = state->setup.folder,
                                .verify = true,
                                .tls12 = kinds[i].tls12,
                                .resumed = kinds[i].resumed};

        if (i == 0)
            sspi_engine_open(&state->engines[i], &tls, SSPI_CALLBACK, options);
        else
            sspi_engine_add(&state->engines[i], &tls, SSPI_CALLBACK);
    }
    for (unsigned i = 0; i < LIVE; i++) {
        sspi_pair_init(&state->pairs[i], &state->engines[0], i);
        state->pairs[i].finished = finished;
        state->pairs[i].data = state;
    }
    return state;
}

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    unsigned count = state->setup.sample;
    uint64_t cpu = bench_cpu_us();
    int64_t begin = bench_now_ns();

    if (check)
        return;
    atomic_store(&state->to_start, count);
    atomic_store(&state->to_finish, count);
    for (unsigned i = 0; i < LIVE; i++)
        start(state, &state->pairs[i]);
    if (!await_all(state)) {
        fail(ret_result, "%u of %u handshakes never ended: a callback is lost",
             (unsigned)atomic_load(&state->to_finish), count);
        return;
    }
    ret_result->values[RATE] = count * 1e9 / (double)(bench_now_ns() - begin);
    ret_result->values[CPU] = (double)(bench_cpu_us() - cpu) / count;
    state->round++;
    count_callbacks(state, ret_result);
    if (!ret_result->failed)
        look_at_memory(state, ret_result);
    tell(state, ret_result);
}

void soak_run(struct bench_program *program, const char *folder, unsigned handshakes)
{
    struct setup setup = {.folder = folder, .sample = handshakes / LEAST_SAMPLES + 1};
    struct bench_group group = {
        .name = "soak",
        .title = "A day's worth of handshakes",
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .cold = true,
    };

    if (setup.sample > SAMPLE)
        setup.sample = SAMPLE;
    setup.rounds = group.rounds = (handshakes + setup.sample - 1) / setup.sample;
    setup.warm_up = setup.rounds / 10 > 2 ? setup.rounds / 10 : 2;
    group.facts =
        json_pack("{s:i, s:i, s:i, s:i}", "handshakes", (int)(setup.rounds * setup.sample),
                  "sample", (int)setup.sample, "warm_up", (int)(setup.warm_up * setup.sample),
                  "workers", (int)bench_cpu_count());
    bench_group_add(&group,
                    (struct bench_side){"async", "SSPI async, a worker per CPU", 0, &setup});
    bench_group_run(program, &group);
}
