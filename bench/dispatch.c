/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What it costs to have a trivial call run on another thread and to learn that it is done, against
 * uv_queue_work with an empty function.
 *
 * Three things of ours. "job": an empty job of the asynchronous engine, which is what an empty
 * function is to uv_queue_work. "empty": a leg of a package that does nothing, on an existing
 * context: on top of the engine the look-up of the handle, the capture of the arguments and the
 * turn of the context. "half record": a Schannel leg with the first bytes of a record, the cheapest
 * real call there is: it looks up the credential too, checks buffers, enters the package and comes
 * back with SEC_E_INCOMPLETE_MESSAGE.
 *
 * Four ways to learn of the end: a completion queue polled by a libuv loop (what uv_queue_work
 * does), a callback on the worker that wakes the submitter, a callback that queues the next call
 * itself, and OsspiWaitAsyncCall. Beside them the same calls synchronously, which shows what of the
 * cost is the call and not its dispatch.
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <opensspi.h>
#include <schannel.h>
#include <uv.h>

#include "count_alloc.h"
#include "side.h"
#include "support/noop_package.h"

#define TINY_IN_FLIGHT 30
#define CHAIN_LENGTH   10 /* calls that follow one another without the submitter */

enum way { WAY_UV, WAY_INLINE, WAY_LOOP, WAY_CALLBACK, WAY_CHAIN, WAY_WAIT };
enum what { WHAT_JOB, WHAT_EMPTY, WHAT_HALF };
enum place { PLACE_ONE_CPU, PLACE_ACROSS, PLACE_FREE };

/* What a side is told. */
struct setup {
    enum way way;
    enum what what;
    enum place place;
    unsigned workers, in_flight, batches;
};

struct bench_state;

/* One call's memory. */
struct item {
    struct bench_state *state;
    uv_work_t work;
    SspiAsyncContext *call;
    CtxtHandle context;
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    unsigned char bytes[8];
    ULONG attributes;
};

struct bench_state {
    struct setup setup;
    uv_loop_t loop;
    uv_poll_t poll;
    OsspiCompletionQueue *queue;
    CredHandle credential;
    struct item *items;
    unsigned done;             /* on the loop's thread */
    _Atomic uint32_t left;     /* callbacks of the batch to come, on workers; a futex */
    _Atomic uint32_t to_chain; /* calls that callbacks have still to queue */
    double *batch_ns;
};

/* --- Ours --- */

static SECURITY_STATUS submit_leg(struct item *item)
{
    struct bench_state *state = item->state;

    if (state->setup.what == WHAT_JOB)
        return noop_submit(item->call);
    if (state->setup.what == WHAT_EMPTY)
        return SspiInitializeSecurityContextAsyncA(item->call, NULL, &item->context, NULL, 0, 0, 0,
                                                   NULL, 0, NULL, NULL, NULL, NULL);
    item->in[0] = (SecBuffer){3, SECBUFFER_TOKEN, item->bytes};
    item->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    return SspiInitializeSecurityContextAsyncA(
        item->call, &state->credential, &item->context, NULL, ISC_REQ_STREAM, 0, 0, &item->in_desc,
        0, &item->context, &item->out_desc, &item->attributes, NULL);
}

static void check_status(const struct item *item, SECURITY_STATUS status)
{
    if (status !=
        (item->state->setup.what == WHAT_HALF ? SEC_E_INCOMPLETE_MESSAGE : SEC_I_CONTINUE_NEEDED))
        bench_die("a call ended with %s", OsspiStatusName(status));
}

/* The same leg, synchronously: what of the cost is not dispatch. */
static void make_inline(struct item *item)
{
    struct bench_state *state = item->state;
    SECURITY_STATUS status;

    if (state->setup.what == WHAT_EMPTY) {
        status = InitializeSecurityContextA(NULL, &item->context, NULL, 0, 0, 0, NULL, 0, NULL,
                                            NULL, NULL, NULL);
    } else {
        item->in[0] = (SecBuffer){3, SECBUFFER_TOKEN, item->bytes};
        item->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
        status = InitializeSecurityContextA(&state->credential, &item->context, NULL,
                                            ISC_REQ_STREAM, 0, 0, &item->in_desc, 0, &item->context,
                                            &item->out_desc, &item->attributes, NULL);
    }
    check_status(item, status);
}

static void submit(struct item *item)
{
    SspiReinitAsyncContext(item->call);
    if (submit_leg(item) != SEC_E_OK)
        bench_die("a call was refused");
}

static void count_down(struct bench_state *state)
{
    if (atomic_fetch_sub(&state->left, 1) == 1)
        syscall(SYS_futex, &state->left, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void on_done(SspiAsyncContext *call, void *data)
{
    struct item *item = data;
    struct bench_state *state = item->state;

    check_status(item, SspiGetAsyncCallStatus(call));
    if (state->setup.way == WAY_LOOP) {
        state->done++;
    } else if (state->setup.way == WAY_CHAIN) {
        uint32_t left = atomic_load(&state->to_chain);

        while (left > 0 && !atomic_compare_exchange_weak(&state->to_chain, &left, left - 1))
            ;
        if (left > 0)
            submit(item);
        count_down(state);
    } else {
        count_down(state);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct bench_state *state = poll->data;

    (void)events;
    if (status < 0)
        bench_die("the queue's descriptor cannot be polled");
    OsspiDrainCompletions(state->queue, 0);
}

static void await_callbacks(struct bench_state *state)
{
    uint32_t left;

    while ((left = atomic_load(&state->left)) > 0)
        syscall(SYS_futex, &state->left, FUTEX_WAIT_PRIVATE, left, NULL, NULL, 0);
}

/* --- libuv --- */

static void work_nothing(uv_work_t *work)
{
    (void)work;
}

static void work_done(uv_work_t *work, int status)
{
    struct item *item = work->data;

    if (status != 0)
        bench_die("libuv did not run the work");
    item->state->done++;
}

/* --- A batch --- */

static void submit_one(struct item *item)
{
    struct bench_state *state = item->state;

    if (state->setup.way == WAY_INLINE)
        make_inline(item);
    else if (state->setup.way != WAY_UV)
        submit(item);
    else if (uv_queue_work(&state->loop, &item->work, work_nothing, work_done) != 0)
        bench_die("libuv refused work");
}

static void run_loop(struct bench_state *state, unsigned count)
{
    while (state->done < count)
        uv_run(&state->loop, UV_RUN_ONCE);
    state->done = 0;
}

static void await_batch(struct bench_state *state, unsigned count)
{
    switch (state->setup.way) {
    case WAY_INLINE:
        break;
    case WAY_UV:
    case WAY_LOOP:
        run_loop(state, count);
        break;
    case WAY_CALLBACK:
    case WAY_CHAIN:
        await_callbacks(state);
        break;
    case WAY_WAIT:
        for (unsigned i = 0; i < count; i++) {
            OsspiWaitAsyncCall(state->items[i].call, OSSPI_INFINITE);
            check_status(&state->items[i], SspiGetAsyncCallStatus(state->items[i].call));
        }
        break;
    }
}

static unsigned calls_per_batch(const struct setup *setup)
{
    return setup->way == WAY_CHAIN ? setup->in_flight * CHAIN_LENGTH : setup->in_flight;
}

/* Calls in flight at once; returns nanoseconds for each. */
static double run_batch(struct bench_state *state)
{
    unsigned count = state->setup.in_flight;
    unsigned calls = calls_per_batch(&state->setup);
    int64_t begin = bench_now_ns();

    atomic_store(&state->left, calls);
    atomic_store(&state->to_chain, calls - count);
    for (unsigned i = 0; i < count; i++)
        submit_one(&state->items[i]);
    await_batch(state, count);
    return (double)(bench_now_ns() - begin) / calls;
}

/* --- The side --- */

static void open_item(struct item *item, struct bench_state *state)
{
    item->state = state;
    item->work.data = item;
    SecInvalidateHandle(&item->context);
    if (state->setup.way == WAY_UV)
        return;
    item->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, item->in};
    item->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, item->out};
    memcpy(item->bytes, "\x16\x03\x03", 3);
    item->call = SspiCreateAsyncContext();
    item->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    if (!item->call ||
        InitializeSecurityContextA(
            &state->credential, NULL, "bench.test", ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_STREAM, 0, 0,
            NULL, 0, &item->context, state->setup.what == WHAT_HALF ? &item->out_desc : NULL,
            &item->attributes, NULL) != SEC_I_CONTINUE_NEEDED)
        bench_die("the first leg failed");
    FreeContextBuffer(item->out[0].pvBuffer);
    item->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    if (state->setup.way != WAY_WAIT)
        SspiSetAsyncNotifyCallback(item->call, on_done, item);
    if (state->setup.way == WAY_LOOP)
        OsspiSetCompletionQueue(item->call, state->queue);
}

static void open_library(struct bench_state *state)
{
    OsspiOptions options = {.cbSize = sizeof(options), .workers = state->setup.workers};

    if (!noop_register() || OsspiConfigure(&options) != SEC_E_OK ||
        AcquireCredentialsHandleA(NULL, state->setup.what == WHAT_HALF ? UNISP_NAME_A : NOOP_NAME,
                                  SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL, &state->credential,
                                  NULL) != SEC_E_OK)
        bench_die("the library cannot be set up");
    if (state->setup.way != WAY_LOOP)
        return;
    if (OsspiCreateCompletionQueue(&state->queue) != SEC_E_OK ||
        uv_poll_init(&state->loop, &state->poll, OsspiCompletionQueueFd(state->queue)) != 0)
        bench_die("no completion queue");
    state->poll.data = state;
    uv_poll_start(&state->poll, UV_READABLE, on_readable);
}

static void *open_side(const void *data)
{
    struct bench_state *state = calloc(1, sizeof(*state));

    if (!state)
        bench_die("out of memory");
    state->setup = *(const struct setup *)data;
    state->items = calloc(state->setup.in_flight, sizeof(*state->items));
    state->batch_ns = calloc(state->setup.batches, sizeof(*state->batch_ns));
    if (!state->items || !state->batch_ns)
        bench_die("out of memory");
    bench_pool_size(state->setup.workers);
    uv_loop_init(&state->loop);
    /* Threads run where the one that starts them runs: first the workers', then our own place. */
    if (state->setup.place == PLACE_ACROSS)
        bench_pin(1);
    else if (state->setup.place == PLACE_ONE_CPU)
        bench_pin(0);
    if (state->setup.way != WAY_UV)
        open_library(state);
    for (unsigned i = 0; i < state->setup.in_flight; i++)
        open_item(&state->items[i], state);
    run_batch(state);
    if (state->setup.place == PLACE_ACROSS)
        bench_pin(0);
    return state;
}

enum { NS_PER_CALL, BEST, CPU_PER_CALL, ALLOCATIONS, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [NS_PER_CALL] = {"ns_per_call", "ns/call", 0},
    [BEST] = {"best_ns_per_call", "best batch", 0},
    [CPU_PER_CALL] = {"cpu_ns_per_call", "CPU ns", 0},
    [ALLOCATIONS] = {"allocations_per_call", "allocs", 3},
};

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct bench_state *state = data;
    unsigned batches = state->setup.batches;
    uint64_t allocations = bench_allocations();
    uint64_t cpu = bench_cpu_us();
    double calls;

    if (check)
        batches = 1;
    else if (state->setup.way == WAY_CHAIN)
        batches = (batches + CHAIN_LENGTH - 1) / CHAIN_LENGTH;
    calls = (double)batches * calls_per_batch(&state->setup);
    for (unsigned i = 0; i < batches; i++)
        state->batch_ns[i] = run_batch(state);
    ret_result->values[CPU_PER_CALL] = (double)(bench_cpu_us() - cpu) * 1000 / calls;
    ret_result->values[ALLOCATIONS] = (double)(bench_allocations() - allocations) / calls;
    ret_result->values[NS_PER_CALL] = bench_summarize(state->batch_ns, batches).median;
    ret_result->values[BEST] = state->batch_ns[0]; /* sorted by now */
}

/* --- The groups --- */

struct side_form {
    const char *name, *title;
    enum way way;
    enum what what;
};

static const struct side_form forms[] = {
    {"uv", "uv_queue_work", WAY_UV, WHAT_JOB},
    {"job-loop", "empty job, queue in a uv loop", WAY_LOOP, WHAT_JOB},
    {"job-callback", "empty job, callback wakes", WAY_CALLBACK, WHAT_JOB},
    {"job-wait", "empty job, waiter helps", WAY_WAIT, WHAT_JOB},
    {"empty-inline", "empty call, synchronous", WAY_INLINE, WHAT_EMPTY},
    {"empty-loop", "empty call, queue in a uv loop", WAY_LOOP, WHAT_EMPTY},
    {"empty-callback", "empty call, callback wakes", WAY_CALLBACK, WHAT_EMPTY},
    {"empty-chain", "empty call, callback queues next", WAY_CHAIN, WHAT_EMPTY},
    {"empty-wait", "empty call, waiter helps", WAY_WAIT, WHAT_EMPTY},
    {"half-inline", "half record, synchronous", WAY_INLINE, WHAT_HALF},
    {"half-loop", "half record, queue in a uv loop", WAY_LOOP, WHAT_HALF},
    {"half-callback", "half record, callback wakes", WAY_CALLBACK, WHAT_HALF},
    {"half-wait", "half record, waiter helps", WAY_WAIT, WHAT_HALF},
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

static void run_group(struct bench_program *program, const char *name, const char *title,
                      struct setup base)
{
    const struct bench_options *options = &program->options;
    struct setup setups[FORMS];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(options, 1, 5, 41),
    };

    group.facts =
        json_pack("{s:i, s:i, s:b}", "in_flight", (int)base.in_flight, "workers", (int)base.workers,
                  "allocations_counted", (int)bench_counts_allocations());
    for (unsigned i = 0; i < FORMS; i++) {
        setups[i] = base;
        setups[i].way = forms[i].way;
        setups[i].what = forms[i].what;
        bench_group_add(&group, (struct bench_side){forms[i].name, forms[i].title, 0, &setups[i]});
    }
    bench_group_run(program, &group);
}

int main(int argc, char **argv)
{
    struct bench_program program = bench_program_begin(
        argc, argv, "Dispatch of a trivial asynchronous call against uv_queue_work.");
    const struct bench_options *options = &program.options;
    unsigned few = bench_choose(options, 5, 100, 1000);
    unsigned many = bench_choose(options, 1, 5, 30);
    const struct {
        const char *name, *title;
        struct setup setup;
        unsigned cpus;
    } groups[] = {
        {"one-cpu-1",
         "One CPU, 1 in flight",
         {.place = PLACE_ONE_CPU, .workers = 1, .in_flight = 1, .batches = few},
         1},
        {"one-cpu-1000",
         "One CPU, 1,000 in flight",
         {.place = PLACE_ONE_CPU, .workers = 1, .in_flight = 1000, .batches = many},
         1},
        {"across-1",
         "Submitter and worker on two CPUs, 1 in flight",
         {.place = PLACE_ACROSS, .workers = 1, .in_flight = 1, .batches = few},
         2},
        {"across-1000",
         "Submitter and worker on two CPUs, 1,000 in flight",
         {.place = PLACE_ACROSS, .workers = 1, .in_flight = 1000, .batches = many},
         2},
        {"two-workers-1000",
         "Two workers, not bound, 1,000 in flight",
         {.place = PLACE_FREE, .workers = 2, .in_flight = 1000, .batches = many},
         2},
    };

    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        struct setup setup = groups[i].setup;

        if (options->size == BENCH_TINY && setup.place == PLACE_ACROSS)
            continue;
        if (options->size == BENCH_TINY && setup.in_flight > TINY_IN_FLIGHT)
            setup.in_flight = TINY_IN_FLIGHT;
        if (bench_wanted(options, groups[i].name) && bench_cpu_count() >= groups[i].cpus)
            run_group(&program, groups[i].name, groups[i].title, setup);
    }
    bench_program_end(&program, "dispatch");
    return 0;
}
