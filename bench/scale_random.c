/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Many live contexts used at random: before each record another one is drawn, so that its keys and
 * whatever else a record needs are in no cache. Ours are established server ends; the other side
 * has as many keyed contexts of EVP and nothing else. Both draw the same numbers and seal the same
 * bytes in the same memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "evp_raw.h"
#include "runner.h"
#include "scale.h"

#define BATCH 64 /* records that are timed together; the median batch counts */

static const size_t sizes[] = {64, 1024};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

enum { RATE_64, RATE_1024, NS_64, NS_1024, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [RATE_64] = {"records_per_second_64", "64 B: rec./s", 0},
    [RATE_1024] = {"records_per_second_1024", "1 KiB: rec./s", 0},
    [NS_64] = {"ns_per_record_64", "64 B: ns", 0},
    [NS_1024] = {"ns_per_record_1024", "1 KiB: ns", 0},
};

/* What a side is told. */
struct setup {
    struct runner_setup runner; /* hold: so many contexts */
    bool raw;
    unsigned batches; /* of each size in a round */
};

struct state {
    struct setup setup;
    struct runner *runner;
    struct evp_raw *keys;
    struct sspi_sizes sizes;
    unsigned char *record; /* zeroed before it is used; enough for either side's longest */
    double *times;
    uint64_t random;
};

static void *need(void *memory)
{
    if (!memory)
        bench_die("out of memory");
    return memory;
}

/* xorshift64*, and the upper bits: which one of so many. */
static unsigned draw(struct state *state)
{
    uint64_t x = state->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    state->random = x;
    return (unsigned)(((x * 0x2545f4914f6cdd1dULL >> 32) * state->setup.runner.hold) >> 32);
}

static void *open_side(const void *data)
{
    struct state *state = need(calloc(1, sizeof(*state)));
    const struct setup *setup = data;

    state->setup = *setup;
    state->random = 88172645463325252ULL;
    state->record = need(calloc(1, sizes[SIZES - 1] + 1024));
    state->times = need(calloc(setup->batches, sizeof(double)));
    if (setup->raw) {
        state->keys = need(calloc(setup->runner.hold, sizeof(*state->keys)));
        for (unsigned i = 0; i < setup->runner.hold; i++)
            evp_raw_init(&state->keys[i], setup->runner.tls.cipher, setup->runner.tls.tls12, true);
    } else {
        state->runner = runner_open(&setup->runner);
    }
    return state;
}

static void seal(struct state *state, size_t size)
{
    unsigned nth = draw(state);

    if (state->setup.raw)
        evp_raw_seal(&state->keys[nth], state->record, size);
    else
        sspi_seal(runner_held(state->runner, nth), &state->sizes, state->record, size);
}

static double median_time(struct state *state, size_t size)
{
    for (unsigned i = 0; i < state->setup.batches; i++) {
        int64_t begin = bench_now_ns();

        for (unsigned k = 0; k < BATCH; k++)
            seal(state, size);
        state->times[i] = (double)(bench_now_ns() - begin) / BATCH;
    }
    return bench_summarize(state->times, state->setup.batches).median;
}

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;

    if (check) {
        if (!state->setup.raw) {
            runner_run(state->runner, state->setup.runner.hold);
            state->sizes = sspi_sizes(runner_held(state->runner, 0));
        }
        return;
    }
    for (unsigned i = 0; i < SIZES; i++) {
        double ns = median_time(state, sizes[i]);

        ret_result->values[NS_64 + i] = ns;
        ret_result->values[RATE_64 + i] = 1e9 / ns;
    }
}

void random_run(struct bench_program *program, const char *folder)
{
    const struct bench_options *options = &program->options;
    unsigned live = bench_choose(options, 50, 3000, 100000);
    struct setup ours = {.runner = {.tls = {.folder = folder,
                                            .resumed = true,
                                            .verify = true,
                                            .cipher = BENCH_AES_128_GCM},
                                    .how = RUNNER_SSPI,
                                    .way = SSPI_CALLBACK,
                                    .threads = bench_cpu_count(),
                                    .live = 32,
                                    .hold = live},
                         .batches = bench_choose(options, 4, 100, 1000)};
    struct setup raw = ours;
    char name[32], title[80];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(options, 1, 5, 21),
    };

    snprintf(name, sizeof(name), "random-%u", live);
    snprintf(title, sizeof(title), "%u live contexts, a random one for each record", live);
    if (!bench_wanted(options, name))
        return;
    raw.raw = true;
    group.facts = json_pack("{s:i}", "live", (int)live);
    bench_group_add(&group, (struct bench_side){"raw-evp", "as many keys of EVP", 0, &raw});
    bench_group_add(&group, (struct bench_side){"sspi", "EncryptMessage", 0, &ours});
    bench_group_run(program, &group);
}
