/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What happens when more comes than the machine can do. A request is a server's first leg: the
 * same recorded ClientHello, answered with the whole first flight (key exchange and signature),
 * after which the connection is freed. Requests come at a fixed rate, whatever becomes of them:
 * half, once, twice and ten times of what the side could do just before, which each round finds
 * out.
 *
 * A request is good if it is done within 100 ms. Ours refuses what finds the queue full
 * (queue_bound of 64), or drops what has waited for 50 ms (deadline); libuv's pool takes
 * everything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <uv.h>

#include "side.h"
#include "tls_sspi.h"

#define GOOD_MS     100.0
#define DEADLINE_MS 50
#define BOUND       64
#define CLOSED      32 /* requests at a time while the capacity is measured */

enum form { FORM_POOL, FORM_BOUND, FORM_DEADLINE };

struct setup {
    struct bench_tls tls;
    enum form form;
    double multiple;
    unsigned window_ms;
};

struct state;

/* A request; serves again when it is done. */
struct request {
    struct state *state;
    struct request *next_free;
    int64_t begin_ns;
    uv_work_t work;
    CtxtHandle context;
    SspiAsyncContext *call;
    SecBuffer in[1], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    bool failed;
    unsigned char output[SSPI_TOKEN_MAX];
};

struct state {
    struct setup setup;
    uv_loop_t loop;
    uv_poll_t poll;
    struct raw_engine raw;
    struct sspi_engine sspi;
    unsigned char hello[2048];
    int hello_len;
    struct request *free;
    double capacity; /* requests per second */
    /* Of a round. */
    unsigned submitted, refused, dropped, done, good, outstanding;
    _Atomic bool closing; /* what is still queued shall not run */
    double *latencies_ms;
};

/* --- Counting --- */

static void finished(struct request *request, bool ok)
{
    struct state *state = request->state;
    double ms = (double)(bench_now_ns() - request->begin_ns) / 1e6;

    state->outstanding--;
    if (ok) {
        state->latencies_ms[state->done++] = ms;
        state->good += ms <= GOOD_MS;
    } else {
        state->dropped++;
    }
    request->next_free = state->free;
    state->free = request;
}

/* --- libuv's pool --- */

static void work_leg(uv_work_t *work)
{
    struct request *request = work->data;
    struct state *state = request->state;
    SSL *ssl;
    BIO *in, *out;

    if (state->closing) {
        request->failed = true;
        return;
    }
    ssl = SSL_new(state->raw.server);
    in = BIO_new_mem_buf(state->hello, state->hello_len);
    out = BIO_new(BIO_s_mem());
    if (!ssl || !in || !out)
        bench_die("out of memory");
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl, in, out);
    SSL_set_accept_state(ssl);
    SSL_do_handshake(ssl);
    request->failed = BIO_read(out, request->output, sizeof(request->output)) <= 0;
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
}

static void work_done(uv_work_t *work, int status)
{
    struct request *request = work->data;

    finished(request, status == 0 && !request->failed);
}

/* --- Ours --- */

static void on_done(SspiAsyncContext *call, void *data)
{
    struct request *request = data;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);

    if (status == SEC_I_CONTINUE_NEEDED) {
        SspiAsyncContext *end = SspiCreateAsyncContext();

        SspiDeleteSecurityContextAsync(end, &request->context);
        SspiFreeAsyncContext(end);
    } else if (status != HRESULT_FROM_WIN32(ERROR_TIMEOUT)) {
        bench_die("a leg ended with %s", OsspiStatusName(status));
    }
    finished(request, status == SEC_I_CONTINUE_NEEDED);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct state *state = poll->data;

    (void)status;
    (void)events;
    OsspiDrainCompletions(state->sspi.queue, 0);
}

/* False: refused. */
static bool submit_sspi(struct request *request)
{
    struct state *state = request->state;
    SECURITY_STATUS status;

    request->in[0] = (SecBuffer){(ULONG)state->hello_len, SECBUFFER_TOKEN, state->hello};
    request->out[0] = (SecBuffer){SSPI_TOKEN_MAX, SECBUFFER_TOKEN, request->output};
    SspiReinitAsyncContext(request->call);
    status = SspiAcceptSecurityContextAsync(request->call, &state->sspi.server, NULL,
                                            &request->in_desc, ASC_REQ_STREAM, 0, &request->context,
                                            &request->out_desc, &request->attributes, NULL);
    if (status != SEC_E_OK && status != SEC_E_INSUFFICIENT_MEMORY)
        bench_die("a leg was refused: %s", OsspiStatusName(status));
    return status == SEC_E_OK;
}

/* --- Requests --- */

static struct request *take(struct state *state)
{
    struct request *request = state->free;

    if (request) {
        state->free = request->next_free;
        return request;
    }
    request = calloc(1, sizeof(*request));
    if (!request)
        bench_die("out of memory");
    request->state = state;
    request->work.data = request;
    if (state->setup.form == FORM_POOL)
        return request;
    request->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, request->in};
    request->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, request->out};
    request->call = SspiCreateAsyncContext();
    SspiSetAsyncNotifyCallback(request->call, on_done, request);
    OsspiSetCompletionQueue(request->call, state->sspi.queue);
    if (state->setup.form == FORM_DEADLINE)
        OsspiSetAsyncTimeout(request->call, DEADLINE_MS);
    return request;
}

static void submit(struct state *state)
{
    struct request *request = take(state);

    request->begin_ns = bench_now_ns();
    state->submitted++;
    if (state->setup.form == FORM_POOL
            ? uv_queue_work(&state->loop, &request->work, work_leg, work_done) == 0
            : submit_sspi(request)) {
        state->outstanding++;
        return;
    }
    state->refused++;
    request->next_free = state->free;
    state->free = request;
}

static void reset(struct state *state)
{
    state->submitted = state->refused = state->dropped = state->done = state->good = 0;
    state->closing = false;
}

static void drain(struct state *state)
{
    state->closing = true;
    while (state->outstanding > 0)
        uv_run(&state->loop, UV_RUN_ONCE);
}

/* --- The rounds --- */

static void measure_capacity(struct state *state)
{
    int64_t begin = bench_now_ns();
    int64_t end = begin + (int64_t)state->setup.window_ms * 500000;

    while (bench_now_ns() < end || state->done == 0) {
        while (state->outstanding < CLOSED)
            submit(state);
        uv_run(&state->loop, UV_RUN_ONCE);
    }
    state->capacity = state->done * 1e9 / (double)(bench_now_ns() - begin);
}

static void offer(struct state *state)
{
    double rate = state->capacity * state->setup.multiple / 1e9;
    int64_t begin = bench_now_ns();
    int64_t window = (int64_t)state->setup.window_ms * 1000000;
    const struct timespec pause = {0, 200000};

    for (int64_t now = 0; now < window; now = bench_now_ns() - begin) {
        while (state->submitted < (double)now * rate)
            submit(state);
        uv_run(&state->loop, UV_RUN_NOWAIT);
        nanosleep(&pause, NULL);
    }
}

enum { OFFERED, GOOD, GOOD_SHARE, REFUSED, P50, P99, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [OFFERED] = {"offered_per_second", "offered/s", 0},
    [GOOD] = {"good_per_second", "good/s", 0},
    [GOOD_SHARE] = {"good_of_capacity", "of cap.", 2},
    [REFUSED] = {"refused_share", "refused", 2},
    [P50] = {"latency_p50_ms", "p50 ms", 1},
    [P99] = {"latency_p99_ms", "p99 ms", 1},
};

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    double seconds = state->setup.window_ms / 1000.0;
    unsigned done;

    reset(state);
    measure_capacity(state);
    drain(state);
    if (check)
        return;
    reset(state);
    offer(state);
    done = state->done;
    drain(state);
    bench_sort(state->latencies_ms, done);
    ret_result->values[OFFERED] = state->submitted / seconds;
    ret_result->values[GOOD] = state->good / seconds;
    ret_result->values[GOOD_SHARE] = state->good / seconds / state->capacity;
    if (state->submitted > 0)
        ret_result->values[REFUSED] = (double)(state->refused + state->dropped) / state->submitted;
    ret_result->values[P50] = bench_quantile(state->latencies_ms, done, 0.5);
    ret_result->values[P99] = bench_quantile(state->latencies_ms, done, 0.99);
}

/* --- The side --- */

static void record_hello(struct state *state)
{
    struct raw_pair pair;

    raw_pair_init(&pair, &state->raw, 0);
    if (!raw_pair_start(&pair) || raw_pair_step(&pair) != RAW_MORE)
        bench_die("OpenSSL begins no handshake");
    state->hello_len = BIO_read(SSL_get_wbio(pair.client), state->hello, (int)sizeof(state->hello));
    raw_pair_end(&pair);
    if (state->hello_len <= 0)
        bench_die("no ClientHello");
}

static void open_sspi(struct state *state)
{
    OsspiOptions options = {.queue_bound = state->setup.form == FORM_BOUND ? BOUND : 0};

    sspi_engine_open(&state->sspi, &state->setup.tls, SSPI_QUEUE, options);
    uv_poll_init(&state->loop, &state->poll, OsspiCompletionQueueFd(state->sspi.queue));
    state->poll.data = state;
    uv_poll_start(&state->poll, UV_READABLE, on_readable);
}

static void *open_side(const void *data)
{
    struct state *state = calloc(1, sizeof(*state));

    if (!state)
        bench_die("out of memory");
    state->setup = *(const struct setup *)data;
    state->latencies_ms = calloc(1000000, sizeof(double));
    bench_pool_size(bench_cpu_count());
    uv_loop_init(&state->loop);
    raw_engine_open(&state->raw, &state->setup.tls, false);
    record_hello(state);
    if (state->setup.form != FORM_POOL)
        open_sspi(state);
    return state;
}

static void run_group(struct bench_program *program, const char *name, const char *title,
                      struct setup base)
{
    const struct bench_options *options = &program->options;
    static const struct {
        const char *name, *title;
    } forms[] = {
        [FORM_POOL] = {"raw-pool", "libssl on libuv's pool"},
        [FORM_BOUND] = {"async-bound", "SSPI async, queue of 64"},
        [FORM_DEADLINE] = {"async-deadline", "SSPI async, deadline of 50 ms"},
    };
    struct setup setups[3];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(options, 1, 2, 5),
        .cold = true,
    };

    group.facts = json_pack("{s:f}", "multiple", base.multiple);
    for (unsigned i = 0; i < 3; i++) {
        setups[i] = base;
        setups[i].form = (enum form)i;
        bench_group_add(&group, (struct bench_side){forms[i].name, forms[i].title, 0, &setups[i]});
    }
    bench_group_run(program, &group);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *title;
        double multiple;
        enum bench_size from;
    } groups[] = {
        {"x0.5", "Half of what the side can do is offered", 0.5, BENCH_QUICK},
        {"x1", "As much as it can do", 1, BENCH_QUICK},
        {"x2", "Twice as much", 2, BENCH_FULL},
        {"x10", "Ten times as much", 10, BENCH_TINY},
    };
    struct bench_program program =
        bench_program_begin(argc, argv, "More requests than the machine can do: goodput, latency.");
    const struct bench_options *options = &program.options;
    const char *folder = bench_certs_make(options);

    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        struct setup base = {.tls = {.folder = folder},
                             .multiple = groups[i].multiple,
                             .window_ms = bench_choose(options, 50, 250, 1000)};

        if (options->size >= groups[i].from && bench_wanted(options, groups[i].name))
            run_group(&program, groups[i].name, groups[i].title, base);
    }
    bench_program_end(&program, "overload");
    return 0;
}
