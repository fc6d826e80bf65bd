/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Authenticated encryption below the records: each kind of code that this machine can run, our own
 * and EVP as we call it, against EVP in the fastest pattern we know, by kind of key and by size.
 * All write a record's header and nonce, as TLS 1.3 has them.
 *
 * A round makes batches of records and times each; the median batch counts. What is opened was
 * sealed before the time runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evp_raw.h"
#include "side.h"
#include "support/aead_key.h"

#define HEADER    5u
#define BATCH_MAX 256u
#define MEMORY    (256u << 10) /* bytes of data in a batch: stays in a second-level cache */

struct suite {
    const char *name, *title;
    enum osspi_aead_kind kind;
    enum bench_cipher cipher;
};

static const struct suite suites[] = {
    {"aes128", "AES-128-GCM", OSSPI_AEAD_AES_128_GCM, BENCH_AES_128_GCM},
    {"aes256", "AES-256-GCM", OSSPI_AEAD_AES_256_GCM, BENCH_AES_256_GCM},
    {"chacha20", "ChaCha20-Poly1305", OSSPI_AEAD_CHACHA20_POLY1305, BENCH_CHACHA20},
};

struct setup {
    const struct suite *suite;
    const struct osspi_aead_code *code; /* NULL: EVP used directly */
    bool opens;
    unsigned size, batch, batches;
};

struct state {
    struct setup setup;
    struct evp_raw seal, open;
    struct osspi_aead *aead;
    unsigned char *memory;
    size_t stride;
    double *times;
};

enum { SPEED, TIME, BEST, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [SPEED] = {"gb_per_second", "GB/s", 3},
    [TIME] = {"ns_per_record", "ns each", 1},
    [BEST] = {"best_ns_per_record", "best ns", 1},
};

/* ---- a side ---- */

static void *zeroed(size_t size)
{
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);

    if (memory == NULL)
        bench_die("out of memory");
    return memset(memory, 0, size);
}

static void *open_side(const void *data)
{
    struct state *state = zeroed(sizeof(*state));

    state->setup = *(const struct setup *)data;
    state->stride = (HEADER + state->setup.size + 1 + OSSPI_AEAD_TAG + 63) / 64 * 64;
    state->memory = zeroed(state->stride * state->setup.batch);
    state->times = zeroed(sizeof(double) * state->setup.batches);
    evp_raw_init(&state->seal, state->setup.suite->cipher, false, true);
    evp_raw_init(&state->open, state->setup.suite->cipher, false, false);
    if (state->setup.code == NULL)
        return state;
    state->aead = aead_key_new(state->setup.suite->kind, state->setup.code);
    if (state->aead == NULL)
        bench_die("no key can be set");
    return state;
}

static void nonce_of(unsigned number, uint8_t nonce[OSSPI_AEAD_NONCE])
{
    const uint64_t sequence = __builtin_bswap64(number);

    memset(nonce, 9, OSSPI_AEAD_NONCE);
    memcpy(nonce + 4, &sequence, sizeof(sequence));
}

static void seal_one(struct state *state, unsigned char *record, unsigned number)
{
    const size_t len = state->setup.size, rest = len + 1 + OSSPI_AEAD_TAG;
    uint8_t nonce[OSSPI_AEAD_NONCE];

    record[0] = 23;
    record[1] = record[2] = 3;
    record[3] = (unsigned char)(rest >> 8);
    record[4] = (unsigned char)rest;
    record[HEADER + len] = 23;
    nonce_of(number, nonce);
    const struct osspi_aead_pieces pieces = {
        .data = record + HEADER,
        .data_len = len,
        .behind = record + HEADER + len,
        .behind_len = 1,
        .aad = record,
        .aad_len = HEADER,
        .tag = record + HEADER + len + 1,
    };
    if (!osspi_aead_seal(state->aead, nonce, &pieces))
        bench_die("nothing is sealed");
}

static void open_one(struct state *state, unsigned char *record, unsigned number)
{
    uint8_t nonce[OSSPI_AEAD_NONCE];

    nonce_of(number, nonce);
    if (!osspi_aead_open(state->aead, nonce, record, HEADER, record + HEADER,
                         state->setup.size + 1))
        bench_die("nothing is opened");
}

static void run_batch(struct state *state, bool opens)
{
    const struct setup *setup = &state->setup;

    for (unsigned i = 0; i < setup->batch; i++) {
        unsigned char *record = state->memory + state->stride * i;

        if (setup->code != NULL)
            (opens ? open_one : seal_one)(state, record, i);
        else if (opens)
            evp_raw_open(&state->open, record, setup->size);
        else
            (void)evp_raw_seal(&state->seal, record, setup->size);
    }
}

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    const struct setup *setup = &state->setup;

    for (unsigned i = 0; i < (check ? 1 : setup->batches); i++) {
        if (setup->opens)
            run_batch(state, false);
        const int64_t begin = bench_now_ns();
        run_batch(state, setup->opens);
        state->times[i] = (double)(bench_now_ns() - begin) / setup->batch;
    }
    const double time = bench_summarize(state->times, check ? 1 : setup->batches).median;
    ret_result->values[SPEED] = setup->size / time;
    ret_result->values[TIME] = time;
    ret_result->values[BEST] = state->times[0]; /* sorted by now */
}

/* ---- the groups ---- */

static void run_group(struct bench_program *program, const struct setup *base)
{
    struct setup setups[BENCH_SIDES];
    char name[64], title[128];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(&program->options, 1, 7, 31),
    };

    snprintf(name, sizeof(name), "%s-%s-%u", base->suite->name, base->opens ? "open" : "seal",
             base->size);
    snprintf(title, sizeof(title), "%s, %u bytes, %s", base->suite->title, base->size,
             base->opens ? "open" : "seal");
    if (!bench_wanted(&program->options, name))
        return;
    setups[0] = *base;
    bench_group_add(&group, (struct bench_side){"evp", "EVP itself", 0, &setups[0]});
    for (size_t i = 0; osspi_aead_code_at(i) != NULL && group.side_count < BENCH_SIDES; i++) {
        const struct osspi_aead_code *code = osspi_aead_code_at(i);
        struct setup *setup = &setups[group.side_count];

        if (base->suite->kind == OSSPI_AEAD_CHACHA20_POLY1305 && code != &osspi_aead_evp)
            continue;
        *setup = *base;
        setup->code = code;
        bench_group_add(&group, (struct bench_side){code == &osspi_aead_evp ? "our-evp"
                                                    : i == 0                ? "own"
                                                                            : "own-older",
                                                    code->name, 0, setup});
    }
    bench_group_run(program, &group);
}

int main(int argc, char **argv)
{
    static const unsigned sizes[] = {64, 256, 1024, 4096, 16384};
    struct bench_program program =
        bench_program_begin(argc, argv, "Authenticated encryption, ours against EVP itself.");
    const unsigned target_ns = bench_choose(&program.options, 1, 1000000, 3000000);

    for (size_t s = 0; s < sizeof(suites) / sizeof(suites[0]); s++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            for (unsigned opens = 0; opens < 2; opens++) {
                const unsigned batch =
                    MEMORY / sizes[i] < BATCH_MAX ? MEMORY / sizes[i] : BATCH_MAX;

                run_group(&program, &(struct setup){
                                        .suite = &suites[s],
                                        .opens = opens == 1,
                                        .size = sizes[i],
                                        .batch = batch,
                                        .batches = 3 + target_ns / (batch * (100 + sizes[i] / 4)),
                                    });
            }
        }
    }
    bench_program_end(&program, "aead");
    return 0;
}
