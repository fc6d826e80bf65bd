/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What each promise of an asynchronous call costs: a ladder from a bare ring of tickets, which
 * promises what uv_queue_work does or less, up to the library's own empty job.
 *
 * Each side is a little engine with one worker that keeps the promises of the side before it and
 * one more, made of the library's own ring, futex, clocks and slot table. The last side is the
 * library itself: what it costs beyond the sum is what no single promise stands for (lanes, turns,
 * deadlines, identity, traces, jobs of any kind, more than one worker).
 *
 * "1,000 in flight": a batch is queued, then awaited; the callback of the last wakes the submitter.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <opensspi.h>
#include <uv.h>

#include "side.h"
#include "support/ladder_engine.h"
#include "support/noop_package.h"

enum { SIDE_UV = 100, SIDE_JOB, MOST_SIDES = 16 };

/* ---- sides ---- */

struct setup {
    unsigned which; /* a rung, or SIDE_... */
    bool across;
    unsigned in_flight, batches;
};

/* One call of a side that is no rung. */
struct other {
    uv_work_t work;
    SspiAsyncContext *call;
    struct bench_state *state;
};

struct bench_state {
    struct setup setup;
    struct ladder *ladder;
    struct item **items;
    struct other *others;
    uv_loop_t loop;
    unsigned done; /* on the loop's thread */
    double *batch_ns;
};

static void run_nothing(struct item *item)
{
    (void)item;
}

static void item_done(struct item *item)
{
    ladder_count_down(item->ladder);
}

static void job_done(SspiAsyncContext *call, void *ladder)
{
    if (SspiGetAsyncCallStatus(call) != SEC_I_CONTINUE_NEEDED)
        bench_die("a job failed");
    ladder_count_down(ladder);
}

static void uv_nothing(uv_work_t *work)
{
    (void)work;
}

static void uv_done(uv_work_t *work, int status)
{
    struct other *other = work->data;

    if (status != 0)
        bench_die("libuv did not run the work");
    other->state->done++;
}

static void submit(struct bench_state *state, unsigned i)
{
    struct other *other = &state->others[i];

    if (state->setup.which < ladder_rung_count) {
        ladder_rungs[state->setup.which].queue(state->items[i]);
    } else if (state->setup.which == SIDE_UV) {
        if (uv_queue_work(&state->loop, &other->work, uv_nothing, uv_done) != 0)
            bench_die("libuv refused work");
    } else {
        SspiReinitAsyncContext(other->call);
        if (noop_submit(other->call) != SEC_E_OK)
            bench_die("a job was refused");
    }
}

static double run_batch(struct bench_state *state)
{
    unsigned count = state->setup.in_flight;
    int64_t begin = bench_now_ns();

    atomic_store(&state->ladder->in_batch, count);
    for (unsigned i = 0; i < count; i++)
        submit(state, i);
    if (state->setup.which == SIDE_UV) {
        for (; state->done < count;)
            uv_run(&state->loop, UV_RUN_ONCE);
        state->done = 0;
    } else {
        ladder_await(state->ladder);
    }
    return (double)(bench_now_ns() - begin) / count;
}

static void *zeroed(size_t count, size_t size)
{
    void *memory = aligned_alloc(64, (count * size + 63) / 64 * 64);

    if (!memory)
        bench_die("out of memory");
    return memset(memory, 0, count * size);
}

static void open_call(struct bench_state *state, unsigned i)
{
    struct other *other = &state->others[i];
    struct item *item;

    if (state->setup.which == SIDE_UV) {
        other->state = state;
        other->work.data = other;
    } else if (state->setup.which == SIDE_JOB) {
        other->call = SspiCreateAsyncContext();
        if (SspiSetAsyncNotifyCallback(other->call, job_done, state->ladder) != SEC_E_OK)
            bench_die("no async context");
    } else {
        item = ladder_item_new();
        item->run = run_nothing;
        item->done = item_done;
        item->ladder = state->ladder;
        state->items[i] = item;
    }
}

static void *open_side(const void *data)
{
    struct bench_state *state = zeroed(1, sizeof(*state));
    OsspiOptions options = {.cbSize = sizeof(options), .workers = 1};
    pthread_t worker;

    state->setup = *(const struct setup *)data;
    state->ladder = zeroed(1, sizeof(*state->ladder));
    state->items = zeroed(state->setup.in_flight, sizeof(struct item *));
    state->others = zeroed(state->setup.in_flight, sizeof(*state->others));
    state->batch_ns = zeroed(state->setup.batches, sizeof(double));
    bench_pool_size(1);
    uv_loop_init(&state->loop);
    /* Threads run where the one that starts them runs: first the worker's, then our own place. */
    bench_pin(state->setup.across ? 1 : 0);
    if (OsspiConfigure(&options) != SEC_E_OK || !ladder_init(state->ladder))
        bench_die("the side cannot be set up");
    for (unsigned i = 0; i < state->setup.in_flight; i++)
        open_call(state, i);
    if (state->setup.which < ladder_rung_count &&
        pthread_create(&worker, NULL, ladder_rungs[state->setup.which].work, state->ladder) != 0)
        bench_die("no thread");
    run_batch(state);
    bench_pin(0);
    return state;
}

enum { NS_PER_CALL, BEST, CPU_PER_CALL, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [NS_PER_CALL] = {"ns_per_call", "ns/call", 0},
    [BEST] = {"best_ns_per_call", "best batch", 0},
    [CPU_PER_CALL] = {"cpu_ns_per_call", "CPU ns", 0},
};

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct bench_state *state = data;
    unsigned batches = check ? 1 : state->setup.batches;
    uint64_t cpu = bench_cpu_us();

    for (unsigned i = 0; i < batches; i++)
        state->batch_ns[i] = run_batch(state);
    ret_result->values[CPU_PER_CALL] =
        (double)(bench_cpu_us() - cpu) * 1000 / batches / state->setup.in_flight;
    ret_result->values[NS_PER_CALL] = bench_summarize(state->batch_ns, batches).median;
    ret_result->values[BEST] = state->batch_ns[0]; /* sorted by now */
}

static void run_group(struct bench_program *program, const char *name, const char *title,
                      struct setup base)
{
    struct setup setups[MOST_SIDES];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(&program->options, 1, 7, 41),
    };

    for (unsigned i = 0; i < ladder_rung_count + 2; i++) {
        setups[i] = base;
        setups[i].which = i == 0 ? SIDE_UV : i == ladder_rung_count + 1 ? SIDE_JOB : i - 1;
    }
    bench_group_add(&group, (struct bench_side){"uv", "uv_queue_work", 0, &setups[0]});
    for (unsigned i = 0; i < ladder_rung_count; i++)
        bench_group_add(&group, (struct bench_side){ladder_rungs[i].name, ladder_rungs[i].title, 0,
                                                    &setups[i + 1]});
    bench_group_add(&group, (struct bench_side){"job", "the library: empty job, callback", 0,
                                                &setups[ladder_rung_count + 1]});
    bench_group_run(program, &group);
}

int main(int argc, char **argv)
{
    struct bench_program program =
        bench_program_begin(argc, argv, "What each promise of an asynchronous call costs.");
    const struct bench_options *options = &program.options;
    unsigned many = bench_choose(options, 1, 5, 30);
    unsigned few = bench_choose(options, 5, 200, 1000);
    unsigned in_flight = bench_choose(options, 30, 1000, 1000);
    const struct {
        const char *name, *title;
        struct setup setup;
    } groups[] = {
        {"one-cpu-1000", "One CPU, 1,000 in flight", {0, false, in_flight, many}},
        {"across-1000",
         "Submitter and worker on two CPUs, 1,000 in flight",
         {0, true, in_flight, many}},
        {"one-cpu-1", "One CPU, 1 in flight", {0, false, 1, few}},
    };

    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (groups[i].setup.across && (options->size == BENCH_TINY || bench_cpu_count() < 2))
            continue;
        if (bench_wanted(options, groups[i].name))
            run_group(&program, groups[i].name, groups[i].title, groups[i].setup);
    }
    bench_program_end(&program, "ladder");
    return 0;
}
