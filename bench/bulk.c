/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection behind the handshake: EncryptMessage and DecryptMessage against the cipher
 * itself, libssl and GnuTLS, by suite and by size of the record; with one thread, with two threads
 * that have a connection each, and with one connection that one thread seals on while another one
 * opens.
 *
 * A round makes batches of records and times each batch; the median batch counts, so that being
 * interrupted does not. What is opened was sealed by the other end before the time runs.
 */
#include "bulk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "side.h"

#define LANES_MAX     2
#define MEMORY_BATCH  (256u << 10) /* bytes of data in a batch: stays in a second-level cache */
#define RECORDS_LIMIT (4u << 20)   /* then a new connection; no cipher's limit is as near */

enum work { SEAL, OPEN, SEAL_TWO, OPEN_TWO, BOTH };

static const struct {
    const char *name, *title;
    unsigned lanes;
    bool opens[LANES_MAX];
    bool two_way; /* the lanes share a connection */
} works[] = {
    [SEAL] = {"seal", "seal", 1, {false}, false},
    [OPEN] = {"open", "open", 1, {true}, false},
    [SEAL_TWO] = {"seal2", "seal, two connections on two threads", 2, {false, false}, false},
    [OPEN_TWO] = {"open2", "open, two connections on two threads", 2, {true, true}, false},
    [BOTH] = {"both", "one connection, a thread seals, a thread opens", 2, {false, true}, true},
};

enum { SPEED, TIME, BEST, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [SPEED] = {"gb_per_second", "GB/s", 3},
    [TIME] = {"ns_per_record", "ns each", 0},
    [BEST] = {"best_ns_per_record", "best ns", 0},
};

/* What a side is told. */
struct setup {
    struct bulk_setup bulk;
    const struct bulk_way *way;
    enum work work;
    unsigned batch, batches; /* records in a batch, batches in a round */
};

/* One thread's part. */
struct lane {
    struct setup setup;
    void *ends;
    bool opens;
    unsigned records;          /* of this connection so far */
    pthread_barrier_t *begin;  /* NULL: alone */
    double *times;             /* ns of a record, for each batch */
    struct bench_summary time; /* of the round */
    double best;
};

struct state {
    struct setup setup;
    struct lane lanes[LANES_MAX];
    pthread_barrier_t begin;
};

/* --- Memory for the ways --- */

unsigned char *bulk_memory(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory;

    size = (size + page) / page * page;
    if (posix_memalign(&memory, page, size) != 0)
        bench_die("out of memory");
    return memset(memory, 0, size);
}

void bulk_batch_init(struct bulk_batch *batch, size_t longest)
{
    batch->stride = (longest + 63) / 64 * 64;
    batch->memory = bulk_memory(batch->stride * BULK_BATCH);
}

/* --- A side --- */

static void connect_lanes(struct state *state)
{
    bool shared = works[state->setup.work].two_way;

    for (unsigned i = 0; i < works[state->setup.work].lanes; i++) {
        state->lanes[i].ends =
            shared && i > 0 ? state->lanes[0].ends : state->setup.way->connect(&state->setup.bulk);
        state->lanes[i].records = 0;
    }
}

static void *open_side(const void *data)
{
    struct state *state = calloc(1, sizeof(*state));
    const struct setup *setup = data;
    unsigned lanes = works[setup->work].lanes;

    if (!state)
        bench_die("out of memory");
    state->setup = *setup;
    pthread_barrier_init(&state->begin, NULL, lanes);
    for (unsigned i = 0; i < lanes; i++) {
        struct lane *lane = &state->lanes[i];

        lane->setup = *setup;
        lane->opens = works[setup->work].opens[i];
        lane->begin = lanes > 1 ? &state->begin : NULL;
        lane->times = calloc(setup->batches, sizeof(double));
        if (!lane->times)
            bench_die("out of memory");
    }
    connect_lanes(state);
    return state;
}

static void *run_lane(void *data)
{
    struct lane *lane = data;
    const struct setup *setup = &lane->setup;

    if (lane->begin)
        pthread_barrier_wait(lane->begin);
    for (unsigned i = 0; i < setup->batches; i++) {
        int64_t begin;

        if (lane->opens)
            setup->way->prepare(lane->ends, setup->batch);
        begin = bench_now_ns();
        if (lane->opens)
            setup->way->open(lane->ends, setup->batch);
        else
            setup->way->seal(lane->ends, setup->batch);
        lane->times[i] = (double)(bench_now_ns() - begin) / setup->batch;
    }
    lane->records += setup->batch * setup->batches;
    lane->time = bench_summarize(lane->times, setup->batches);
    lane->best = lane->times[0];
    return NULL;
}

/* Two threads' speeds add up; so a record takes half of what it takes either of them. */
static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    unsigned lanes = works[state->setup.work].lanes;
    double rate = 0, best_rate = 0;
    pthread_t other;

    if (check) {
        state->setup.way->describe(state->lanes[0].ends, ret_result->detail,
                                   sizeof(ret_result->detail));
        return;
    }
    if (state->lanes[0].records > RECORDS_LIMIT)
        connect_lanes(state);
    if (lanes > 1 && pthread_create(&other, NULL, run_lane, &state->lanes[1]) != 0)
        bench_die("no thread");
    run_lane(&state->lanes[0]);
    if (lanes > 1)
        pthread_join(other, NULL);
    for (unsigned i = 0; i < lanes; i++) {
        rate += 1 / state->lanes[i].time.median;
        best_rate += 1 / state->lanes[i].best;
    }
    ret_result->values[SPEED] = rate * (double)state->setup.bulk.size;
    ret_result->values[TIME] = 1 / rate;
    ret_result->values[BEST] = 1 / best_rate;
}

/* --- The groups --- */

struct suite {
    const char *name, *title;
    enum bench_cipher cipher;
    bool tls12;
};

static const struct suite suites[] = {
    {"aes128-1.3", "AES-128-GCM, TLS 1.3", BENCH_AES_128_GCM, false},
    {"aes256-1.3", "AES-256-GCM, TLS 1.3", BENCH_AES_256_GCM, false},
    {"chacha20-1.3", "ChaCha20-Poly1305, TLS 1.3", BENCH_CHACHA20, false},
    {"aes128-1.2", "AES-128-GCM, TLS 1.2", BENCH_AES_128_GCM, true},
};

static const struct {
    unsigned size;
    enum bench_size from;
} sizes[] = {{64, BENCH_QUICK},
             {256, BENCH_FULL},
             {1024, BENCH_TINY},
             {4096, BENCH_FULL},
             {16384, BENCH_QUICK}};

static const struct bulk_way *const ways[] = {
    &bulk_evp,    &bulk_sspi, &bulk_ssl, &bulk_ssl_direct,
#if BENCH_HAVE_GNUTLS
    &bulk_gnutls,
#endif
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void run_group(struct bench_program *program, const char *name, const char *title,
                      const struct setup *setup)
{
    struct setup setups[WAYS];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(&program->options, 1, 5, 21),
        .same_detail = true,
    };

    group.facts = json_pack("{s:i, s:s, s:i, s:i}", "size", (int)setup->bulk.size, "work",
                            works[setup->work].name, "batch", (int)setup->batch, "batches",
                            (int)setup->batches);
    for (unsigned i = 0; i < WAYS; i++) {
        struct bench_side side = {ways[i]->name, ways[i]->title, 0, &setups[i]};

        if (ways[i] == &bulk_sspi)
            group.also[i] = 3; /* ssl-mem */
        setups[i] = *setup;
        setups[i].way = ways[i];
        bench_group_add(&group, side);
    }
    bench_group_run(program, &group);
}

static void run_size(struct bench_program *program, const char *folder, const struct suite *suite,
                     enum work work, unsigned size)
{
    unsigned batch = MEMORY_BATCH / size < BULK_BATCH ? MEMORY_BATCH / size : BULK_BATCH;
    unsigned target_ns = bench_choose(&program->options, 1, 1000000, 2000000);
    struct setup setup = {
        .bulk = {.tls = {.folder = folder, .cipher = suite->cipher, .tls12 = suite->tls12},
                 .size = size,
                 .two_way = works[work].two_way},
        .work = work,
        .batch = batch,
        .batches = 2 + target_ns / (batch * (150 + size / 4)), /* roughly */
    };
    char name[64], title[128];

    snprintf(name, sizeof(name), "%s-%s-%u", suite->name, works[work].name, size);
    snprintf(title, sizeof(title), "%s, %u bytes, %s", suite->title, size, works[work].title);
    if (bench_wanted(&program->options, name))
        run_group(program, name, title, &setup);
}

int main(int argc, char **argv)
{
    struct bench_program program = bench_program_begin(
        argc, argv, "Sealing and opening TLS records, against the cipher itself, libssl, GnuTLS.");
    const struct bench_options *options = &program.options;
    const char *folder = bench_certs_make(options);

    for (unsigned s = 0; s < sizeof(suites) / sizeof(suites[0]); s++) {
        for (enum work work = SEAL; work <= BOTH; work++) {
            /* How threads get on with each other is not a matter of the cipher. */
            if (works[work].lanes > 1 && s > 0)
                continue;
            for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                if (options->only || options->size >= sizes[i].from)
                    run_size(&program, folder, &suites[s], work, sizes[i].size);
            }
        }
    }
    bench_program_end(&program, "bulk");
    return 0;
}
