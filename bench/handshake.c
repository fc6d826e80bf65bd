/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes per second: ours, synchronous and asynchronous, against libssl inline, on two threads,
 * and on libuv's pool. Client and server are in one process, so a handshake counts with both ends,
 * from making the connections to freeing them.
 *
 * Every side has the same number of handshakes under way at a time. In the check round of each
 * group all sides tell what they negotiated, and that must be the same.
 */
#include <stdlib.h>

#include "runner.h"
#include "side.h"

enum { RATE, CPU, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [RATE] = {"handshakes_per_second", "handshakes/s", 0},
    [CPU] = {"cpu_us_per_handshake", "CPU us each", 0},
};

struct state {
    struct runner *runner;
    unsigned count;
};

static void *open_side(const void *data)
{
    const struct runner_setup *setup = data;
    struct state *state = calloc(1, sizeof(*state));

    if (!state)
        bench_die("out of memory");
    state->runner = runner_open(setup);
    state->count = setup->count;
    return state;
}

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    double count = state->count;
    uint64_t cpu = bench_cpu_us();
    int64_t begin = bench_now_ns();

    if (check) {
        runner_describe(state->runner, ret_result->detail, sizeof(ret_result->detail));
        runner_run(state->runner,
                   state->count); /* of resumed handshakes the first of each place is a full one */
        return;
    }
    runner_run(state->runner, state->count);
    ret_result->values[RATE] = count * 1e9 / (double)(bench_now_ns() - begin);
    ret_result->values[CPU] = (double)(bench_cpu_us() - cpu) / count;
}

/* --- The groups --- */

struct form {
    const char *name, *title;
    enum runner_how how;
    enum sspi_way way;
    unsigned threads;
    bool own_library;
    int against; /* index in this table */
};

enum { RAW_INLINE, RAW_TWO = 5 };
static const struct form forms[] = {
    [RAW_INLINE] = {"raw-inline", "libssl inline", RUNNER_RAW, 0, 1, false, RAW_INLINE},
    {"sspi-inline", "SSPI inline", RUNNER_SSPI, SSPI_INLINE, 1, false, RAW_INLINE},
    {"async-1", "SSPI async, 1 worker", RUNNER_SSPI, SSPI_CALLBACK, 1, false, RAW_INLINE},
    {"async-1-queue", "SSPI async, 1 worker, queue", RUNNER_SSPI, SSPI_QUEUE, 1, false, RAW_INLINE},
    {"raw-pool-1", "libssl on libuv's pool, 1", RUNNER_RAW_POOL, 0, 1, false, RAW_INLINE},
    [RAW_TWO] = {"raw-2-shared", "libssl, 2 threads", RUNNER_RAW_THREADS, 0, 2, false, RAW_TWO},
    {"raw-2-own", "libssl, 2 threads, own contexts", RUNNER_RAW_THREADS, 0, 2, true, RAW_TWO},
    {"raw-pool-2", "libssl on libuv's pool, 2", RUNNER_RAW_POOL, 0, 2, false, RAW_TWO},
    {"async-2", "SSPI async, 2 workers", RUNNER_SSPI, SSPI_CALLBACK, 2, false, RAW_TWO},
    {"async-2-queue", "SSPI async, 2 workers, queue", RUNNER_SSPI, SSPI_QUEUE, 2, false, RAW_TWO},
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

static void run_group(struct bench_program *program, const char *name, const char *title,
                      struct bench_tls tls)
{
    const struct bench_options *options = &program->options;
    struct runner_setup setups[FORMS];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(options, 2, 3, 15),
        .same_detail = true,
    };
    unsigned live = bench_choose(options, 4, 32, 64);
    unsigned count = bench_choose(options, 8, 64, 256);

    group.facts = json_pack("{s:i, s:i}", "live", (int)live, "handshakes_per_round", (int)count);
    for (unsigned i = 0; i < FORMS; i++) {
        setups[i] = (struct runner_setup){.tls = tls,
                                          .how = forms[i].how,
                                          .way = forms[i].way,
                                          .threads = forms[i].threads,
                                          .own_library = forms[i].own_library,
                                          .live = live,
                                          .count = count};
        bench_group_add(&group, (struct bench_side){forms[i].name, forms[i].title, forms[i].against,
                                                    &setups[i]});
    }
    bench_group_run(program, &group);
}

int main(int argc, char **argv)
{
    struct bench_program program =
        bench_program_begin(argc, argv, "TLS handshakes per second against libssl used directly.");
    const struct bench_options *options = &program.options;
    const char *folder = bench_certs_make(options);
    const struct {
        const char *name, *title;
        struct bench_tls tls;
        enum bench_size from; /* runs at this size and above */
    } groups[] = {
        {"ecdsa-1.3-full", "ECDSA P-256, TLS 1.3, full", {.verify = true}, BENCH_TINY},
        {"rsa-1.3-full", "RSA 2048, TLS 1.3, full", {.verify = true, .rsa = true}, BENCH_QUICK},
        {"ecdsa-1.3-resumed",
         "ECDSA P-256, TLS 1.3, resumed",
         {.verify = true, .resumed = true},
         BENCH_QUICK},
        {"rsa-1.3-resumed",
         "RSA 2048, TLS 1.3, resumed",
         {.verify = true, .resumed = true, .rsa = true},
         BENCH_FULL},
        {"ecdsa-1.2-full",
         "ECDSA P-256, TLS 1.2, full",
         {.verify = true, .tls12 = true},
         BENCH_FULL},
        {"rsa-1.2-full",
         "RSA 2048, TLS 1.2, full",
         {.verify = true, .tls12 = true, .rsa = true},
         BENCH_FULL},
        {"ecdsa-1.2-resumed",
         "ECDSA P-256, TLS 1.2, resumed",
         {.verify = true, .tls12 = true, .resumed = true},
         BENCH_TINY},
        {"rsa-1.2-resumed",
         "RSA 2048, TLS 1.2, resumed",
         {.verify = true, .tls12 = true, .resumed = true, .rsa = true},
         BENCH_FULL},
        {"ecdsa-1.3-unverified",
         "ECDSA P-256, TLS 1.3, full, not verified",
         {.verify = false},
         BENCH_FULL},
    };

    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        struct bench_tls tls = groups[i].tls;

        tls.folder = folder;
        if (options->only ? bench_wanted(options, groups[i].name) : options->size >= groups[i].from)
            run_group(&program, groups[i].name, groups[i].title, tls);
    }
    bench_program_end(&program, "handshake");
    return 0;
}
