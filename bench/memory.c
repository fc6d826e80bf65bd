/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What an established connection that waits costs in memory: so many ends of connections are kept,
 * the other ends are freed behind the handshake, and nothing else grows meanwhile. Heap is what the
 * C library's allocator has given out, to OpenSSL and GnuTLS as to us; RSS is what the kernel says.
 *
 * Ours are many, the others fewer: bytes of a connection can be compared all the same. To make so
 * many in little time, handshakes are resumed; one group makes full ones, to show the difference.
 * Transports (BIOs, sockets) are nobody's part: libssl's ends are without one when they are kept.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runner.h"
#include "side.h"
#if BENCH_HAVE_GNUTLS
#include "tls_gnutls.h"
#endif

enum { HEAP, RSS, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [HEAP] = {"heap_bytes_per_connection", "heap bytes", 0},
    [RSS] = {"rss_bytes_per_connection", "RSS bytes", 0},
};

/* What a side is told. */
struct setup {
    struct runner_setup runner; /* its count is that of the connections */
    bool gnutls;
    unsigned warm_up; /* connections before those that count: what is made once is there then */
};

struct state {
    struct setup setup;
    struct runner *runner;
#if BENCH_HAVE_GNUTLS
    struct gnutls_engine engine;
    struct gnutls_pair pair;
#endif
};

static double heap_in_use(void)
{
    struct mallinfo2 now = mallinfo2();

    return (double)now.uordblks + (double)now.hblkhd;
}

static double resident(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        bench_die("/proc/self/statm cannot be read");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* --- GnuTLS --- */

#if BENCH_HAVE_GNUTLS

static void exchange(struct gnutls_pair *pair)
{
    unsigned char bytes[1024] = {0};

    gnutls_pair_send(&pair->client, bytes, sizeof(bytes));
    gnutls_pair_receive(&pair->server, bytes, sizeof(bytes));
    gnutls_pair_send(&pair->server, bytes, sizeof(bytes));
    gnutls_pair_receive(&pair->client, bytes, sizeof(bytes));
}

/* What is kept is never used again, nor freed. */
static void make_gnutls(struct state *state, unsigned count)
{
    const struct runner_setup *setup = &state->setup.runner;
    struct gnutls_pair *pair = &state->pair;

    for (unsigned i = 0; i < count; i++) {
        gnutls_pair_connect(pair, &state->engine);
        if (setup->exchange)
            exchange(pair);
        if (setup->hold_client)
            pair->client.session = NULL;
        else
            pair->server.session = NULL;
        gnutls_pair_end(pair);
    }
}

static void open_gnutls(struct state *state)
{
    gnutls_engine_open(&state->engine, &state->setup.runner.tls);
}

static void describe_gnutls(struct state *state, char *ret_text, size_t size)
{
    gnutls_pair_connect(&state->pair, &state->engine);
    gnutls_pair_describe(&state->pair, ret_text, size);
    gnutls_pair_end(&state->pair);
}

#else

static void make_gnutls(struct state *state, unsigned count)
{
    (void)state;
    (void)count;
}

static void open_gnutls(struct state *state)
{
    (void)state;
}

static void describe_gnutls(struct state *state, char *ret_text, size_t size)
{
    (void)state;
    (void)ret_text;
    (void)size;
}

#endif

/* --- A side --- */

static void *open_side(const void *data)
{
    struct state *state = calloc(1, sizeof(*state));

    if (!state)
        bench_die("out of memory");
    state->setup = *(const struct setup *)data;
    state->setup.runner.hold = state->setup.warm_up + state->setup.runner.count;
    if (state->setup.gnutls)
        open_gnutls(state);
    else
        state->runner = runner_open(&state->setup.runner);
    return state;
}

static void make(struct state *state, unsigned count)
{
    if (state->setup.gnutls)
        make_gnutls(state, count);
    else
        runner_run(state->runner, count);
}

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    unsigned count = state->setup.runner.count;
    double heap, rss;

    if (check) {
        if (state->setup.gnutls)
            describe_gnutls(state, ret_result->detail, sizeof(ret_result->detail));
        else
            runner_describe(state->runner, ret_result->detail, sizeof(ret_result->detail));
        make(state, state->setup.warm_up);
        return;
    }
    heap = heap_in_use();
    rss = resident();
    make(state, count);
    ret_result->values[HEAP] = (heap_in_use() - heap) / count;
    ret_result->values[RSS] = (resident() - rss) / count;
}

/* --- The groups --- */

struct form {
    const char *name, *title;
    bool tls12, full, client, exchange;
    enum bench_size from;
    unsigned counts[3]; /* of ours, by size */
};

static const struct form forms[] = {
    {.name = "server-1.3", .title = "TLS 1.3, server ends", .counts = {30, 2000, 100000}},
    {.name = "server-1.3-full",
     .title = "TLS 1.3, server ends, full handshakes",
     .full = true,
     .from = BENCH_FULL,
     .counts = {30, 1000, 10000}},
    {.name = "server-1.3-used",
     .title = "TLS 1.3, server ends, after a record each way",
     .exchange = true,
     .counts = {30, 500, 10000}},
    {.name = "client-1.3",
     .title = "TLS 1.3, client ends",
     .client = true,
     .from = BENCH_QUICK,
     .counts = {30, 500, 10000}},
    {.name = "client-1.3-used",
     .title = "TLS 1.3, client ends, after a record each way",
     .client = true,
     .exchange = true,
     .from = BENCH_FULL,
     .counts = {30, 1000, 10000}},
    {.name = "server-1.2",
     .title = "TLS 1.2, server ends",
     .tls12 = true,
     .from = BENCH_QUICK,
     .counts = {30, 2000, 100000}},
    {.name = "server-1.2-used",
     .title = "TLS 1.2, server ends, after a record each way",
     .tls12 = true,
     .exchange = true,
     .from = BENCH_FULL,
     .counts = {30, 1000, 10000}},
    {.name = "client-1.2",
     .title = "TLS 1.2, client ends",
     .tls12 = true,
     .client = true,
     .counts = {30, 1000, 10000}},
};

static void run_group(struct bench_program *program, const char *folder, const struct form *form)
{
    unsigned count = form->counts[program->options.size];
    unsigned others = bench_choose(&program->options, 30, 500, 4000);
    struct setup ours = {.runner = {.tls = {.folder = folder,
                                            .verify = true,
                                            .tls12 = form->tls12,
                                            .resumed = !form->full,
                                            .cipher = BENCH_AES_128_GCM},
                                    .how = RUNNER_SSPI,
                                    .way = SSPI_CALLBACK,
                                    .threads = bench_cpu_count(),
                                    .live = 32,
                                    .count = count,
                                    .hold_client = form->client,
                                    .exchange = form->exchange},
                         .warm_up = bench_choose(&program->options, 20, 200, 200)};
    struct setup ssl = ours, release, gnutls;
    struct bench_group group = {
        .name = form->name,
        .title = form->title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = 1, /* what is there cannot be made again */
        .cold = true,
    };

    ssl.runner.how = RUNNER_RAW;
    ssl.runner.threads = 1;
    if (count > others)
        ssl.runner.count = others;
    release = gnutls = ssl;
    release.runner.tls.release = true;
    gnutls.gnutls = true;
    group.facts = json_pack("{s:i, s:i}", "connections", (int)count, "connections_of_others",
                            (int)ssl.runner.count);
    bench_group_add(&group, (struct bench_side){"libssl", "libssl", 0, &ssl});
    bench_group_add(&group,
                    (struct bench_side){"libssl-release", "libssl, RELEASE_BUFFERS", 0, &release});
    bench_group_add(&group, (struct bench_side){"sspi", "SSPI", 0, &ours});
#if BENCH_HAVE_GNUTLS
    bench_group_add(&group, (struct bench_side){"gnutls", "GnuTLS, full handshakes", 0, &gnutls});
#endif
    group.also[2] = 2; /* SSPI with RELEASE_BUFFERS */
    bench_group_run(program, &group);
}

int main(int argc, char **argv)
{
    struct bench_program program =
        bench_program_begin(argc, argv, "Bytes of memory of an established connection.");
    const struct bench_options *options = &program.options;
    const char *folder = bench_certs_make(options);

    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (options->only ? bench_wanted(options, forms[i].name) : options->size >= forms[i].from)
            run_group(&program, folder, &forms[i]);
    }
    bench_program_end(&program, "memory");
    return 0;
}
