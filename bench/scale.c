/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes per second by the number of live connections, libssl inline against SSPI asynchronous
 * with a worker for each CPU. "flight": so many handshakes are under way at a time, both ends in
 * this process. "held": so many established server ends are kept, the oldest goes when a new one
 * comes; and how much heap each of them holds.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"
#include "scale.h"
#include "side.h"

/* What a side is told. */
struct setup {
    struct runner_setup runner;
    bool held;
};

struct state {
    struct setup setup;
    struct runner *runner;
    double heap_bytes; /* of each held end */
};

enum { RATE, CPU, HEAP, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [RATE] = {"handshakes_per_second", "handshakes/s", 0},
    [CPU] = {"cpu_us_per_handshake", "CPU us each", 0},
    [HEAP] = {"heap_bytes_per_connection", "heap bytes held", 0},
};

static double heap_in_use(void)
{
    struct mallinfo2 now = mallinfo2();

    return (double)(now.uordblks + now.hblkhd);
}

static void *open_side(const void *data)
{
    struct state *state = calloc(1, sizeof(*state));

    if (!state)
        bench_die("out of memory");
    state->setup = *(const struct setup *)data;
    state->runner = runner_open(&state->setup.runner);
    return state;
}

/* A hundred first, so that what is made once is there before the heap is measured. */
static void fill(struct state *state)
{
    unsigned hold = state->setup.runner.hold;
    double before;

    if (!state->setup.held)
        return;
    runner_run(state->runner, hold < 100 ? hold : 100);
    before = heap_in_use();
    if (hold > 100) {
        runner_run(state->runner, hold - 100);
        state->heap_bytes = (heap_in_use() - before) / (hold - 100);
    }
}

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    unsigned count = state->setup.runner.count;
    uint64_t cpu = bench_cpu_us();
    int64_t begin = bench_now_ns();

    if (check) {
        runner_describe(state->runner, ret_result->detail, sizeof(ret_result->detail));
        fill(state);
        return;
    }
    runner_run(state->runner, count);
    ret_result->values[RATE] = count * 1e9 / (double)(bench_now_ns() - begin);
    ret_result->values[CPU] = (double)(bench_cpu_us() - cpu) / count;
    ret_result->values[HEAP] = state->heap_bytes;
}

static void run_group(struct bench_program *program, const char *folder, bool held, unsigned live)
{
    const struct bench_options *options = &program->options;
    struct setup raw = {.held = held,
                        .runner = {.tls = {.folder = folder, .verify = true},
                                   .how = RUNNER_RAW,
                                   .threads = 1,
                                   .live = held ? (live < 64 ? live : 64) : live,
                                   .hold = held ? live : 0}};
    struct setup async = raw;
    unsigned least = bench_choose(options, 8, 32, 256);
    char name[32], title[80];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = held && live > 100 ? METRICS : HEAP,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(options, 1, 2, 5),
        .cold = options->size != BENCH_FULL || live > 1000,
        .same_detail = true,
    };

    snprintf(name, sizeof(name), "%s-%u", held ? "held" : "flight", live);
    snprintf(title, sizeof(title), held ? "%u established server ends" : "%u handshakes under way",
             live);
    raw.runner.count = held || live < least ? least : live;
    if (!held && live > (options->size == BENCH_FULL ? 1000 : 100))
        group.rounds = 1;
    async.runner.count = raw.runner.count;
    async.runner.how = RUNNER_SSPI;
    async.runner.way = SSPI_CALLBACK;
    async.runner.threads = bench_cpu_count();
    group.facts = json_pack("{s:i, s:b, s:i}", "live", (int)live, "held", held, "workers",
                            (int)bench_cpu_count());
    bench_group_add(&group, (struct bench_side){"raw-inline", "libssl inline", 0, &raw});
    bench_group_add(&group,
                    (struct bench_side){"async", "SSPI async, a worker per CPU", 0, &async});
    bench_group_run(program, &group);
}

/* "--soak N" is only ours: takes it out of the arguments. 0: it is not there. */
static unsigned take_soak(int *argc, char **argv)
{
    for (int i = 1; i + 1 < *argc; i++) {
        if (strcmp(argv[i], "--soak") == 0) {
            unsigned long count = strtoul(argv[i + 1], NULL, 10);

            if (count == 0 || count > 1000000000)
                bench_die("--soak wants a number of handshakes");
            memmove(argv + i, argv + i + 2, (size_t)(*argc - i - 1) * sizeof(argv[0]));
            *argc -= 2;
            return (unsigned)count;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        unsigned live;
        enum bench_size from;
    } steps[] = {{1, BENCH_TINY},     {10, BENCH_TINY},   {100, BENCH_QUICK},
                 {1000, BENCH_QUICK}, {5000, BENCH_FULL}, {20000, BENCH_FULL}};
    unsigned soak = take_soak(&argc, argv);
    struct bench_program program = bench_program_begin(
        argc, argv,
        "Handshakes per second, and memory, by the number of live connections; with --soak N "
        "instead\n"
        "a day's worth of handshakes, which must leave nothing behind and lose no callback.");
    const struct bench_options *options = &program.options;
    const char *folder = bench_certs_make(options);

    if (soak > 0) {
        soak_run(&program, folder, soak);
        bench_program_end(&program, "soak");
        return 0;
    }
    for (int held = 0; held < 2; held++) {
        for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            if (options->size >= steps[i].from && bench_wanted(options, held ? "held" : "flight"))
                run_group(&program, folder, held, steps[i].live);
        }
    }
    random_run(&program, folder);
    bench_program_end(&program, "scale");
    return 0;
}
