/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a KDC that never answers costs those who do not need it. Each kind of work is measured in a
 * process that does nothing else, and in one that has 200 InitializeSecurityContextAsync calls open
 * against such a KDC: TLS handshakes, the same with the server's key in a PKCS#11 token, contexts
 * of Kerberos in a live realm with tickets at hand, and with a login each. The calls are opened
 * before each round of their side and cancelled behind it, so that the others' rounds are without
 * them.
 *
 * Then the calls themselves: how much later than its deadline each has its callback, and how long
 * exit() takes while they are open.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hanging_calls.h"
#include "hanging_ground.h"
#include "hanging_kerberos.h"
#include "side.h"
#include "tls_sspi.h"

#define LIVE          8   /* handshakes or contexts under way at a time */
#define TIMEOUT_MS    500 /* deadline of the calls, where they have one */
#define COUNT_MAX     100000
#define UNTIL_STOPPED UINT32_MAX

enum work { WORK_NONE, WORK_TLS, WORK_TOKEN, WORK_KERBEROS, WORK_LOGIN };

struct setup {
    enum work work;
    const char *folder; /* of the certificates */
    unsigned count;     /* of a round */
    unsigned hanging;   /* calls that hang meanwhile */
};

struct state;

struct place {
    struct state *state;
    int64_t begin_ns;
    struct sspi_pair tls;
    struct kerberos_pair kerberos;
};

struct state {
    struct setup setup;
    struct sspi_engine tls;
    struct kerberos_engine kerberos;
    struct hanging *hanging; /* or NULL */
    struct place places[LIVE];

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t idle;
    unsigned to_start, running, done;
    double latencies_ms[COUNT_MAX];
};

/* --- Work --- */

static void begin(struct place *place)
{
    place->begin_ns = bench_now_ns();
    if (place->state->setup.work == WORK_TLS || place->state->setup.work == WORK_TOKEN) {
        sspi_pair_start(&place->tls);
        sspi_pair_go(&place->tls);
    } else {
        kerberos_pair_go(&place->kerberos);
    }
}

/* Its contexts are deleted. On a worker. */
static void place_finished(struct place *place, int64_t now)
{
    struct state *state = place->state;
    bool again;

    pthread_mutex_lock(&state->lock);
    state->latencies_ms[state->done++ % COUNT_MAX] = (double)(now - place->begin_ns) / 1e6;
    again = state->to_start > 0;
    if (again && state->to_start != UNTIL_STOPPED)
        state->to_start--;
    if (!again && --state->running == 0)
        pthread_cond_signal(&state->idle);
    pthread_mutex_unlock(&state->lock);
    if (again)
        begin(place);
}

static void tls_finished(struct sspi_pair *pair)
{
    const int64_t now = bench_now_ns();

    sspi_pair_end(pair);
    place_finished(pair->data, now);
}

static void kerberos_finished(struct kerberos_pair *pair)
{
    const int64_t now = bench_now_ns();

    kerberos_pair_end(pair);
    place_finished(pair->data, now);
}

/* count UNTIL_STOPPED: until work_stop(). */
static void work_start(struct state *state, unsigned count)
{
    const unsigned live = count < LIVE ? count : LIVE;

    pthread_mutex_lock(&state->lock);
    state->done = 0;
    state->running = live;
    state->to_start = count == UNTIL_STOPPED ? count : count - live;
    pthread_mutex_unlock(&state->lock);
    for (unsigned i = 0; i < live; i++)
        begin(&state->places[i]);
}

static void work_await(struct state *state)
{
    pthread_mutex_lock(&state->lock);
    while (state->running > 0)
        pthread_cond_wait(&state->idle, &state->lock);
    pthread_mutex_unlock(&state->lock);
}

static void work_stop(struct state *state)
{
    pthread_mutex_lock(&state->lock);
    state->to_start = 0;
    pthread_mutex_unlock(&state->lock);
    work_await(state);
}

/* --- A side --- */

static void open_tls(struct state *state)
{
    const struct bench_tls tls = {
        .folder = state->setup.folder,
        .verify = true,
        .key = state->setup.work == WORK_TOKEN ? ground_key(false) : NULL,
        .pin = state->setup.work == WORK_TOKEN ? GROUND_PIN : NULL,
    };

    sspi_engine_open(&state->tls, &tls, SSPI_CALLBACK, (OsspiOptions){.cbSize = 0});
    for (unsigned i = 0; i < LIVE; i++) {
        sspi_pair_init(&state->places[i].tls, &state->tls, i);
        state->places[i].tls.finished = tls_finished;
        state->places[i].tls.data = &state->places[i];
    }
}

static void open_kerberos(struct state *state)
{
    kerberos_engine_open(&state->kerberos, state->setup.work == WORK_LOGIN);
    for (unsigned i = 0; i < LIVE; i++) {
        kerberos_pair_init(&state->places[i].kerberos, &state->kerberos);
        state->places[i].kerberos.finished = kerberos_finished;
        state->places[i].kerberos.data = &state->places[i];
    }
}

static void *open_side(const void *data)
{
    struct state *state = calloc(1, sizeof(*state));

    if (!state)
        bench_die("out of memory");
    state->setup = *(const struct setup *)data;
    pthread_mutex_init(&state->lock, NULL);
    pthread_cond_init(&state->idle, NULL);
    for (unsigned i = 0; i < LIVE; i++)
        state->places[i].state = state;
    ground_side(state->setup.work == WORK_TOKEN);
    if (state->setup.work == WORK_TLS || state->setup.work == WORK_TOKEN)
        open_tls(state);
    else if (state->setup.work != WORK_NONE)
        open_kerberos(state);
    if (state->setup.hanging > 0)
        state->hanging = hanging_open();
    return state;
}

/* --- Speed --- */

enum { SPEED, SPEED_P50, SPEED_P99, SPEED_CPU, SPEED_METRICS };
static const struct bench_metric speed_metrics[SPEED_METRICS] = {
    [SPEED] = {"per_second", "per second", 0},
    [SPEED_P50] = {"latency_p50_ms", "p50 ms", 2},
    [SPEED_P99] = {"latency_p99_ms", "p99 ms", 2},
    [SPEED_CPU] = {"cpu_us_each", "CPU us each", 0},
};

static void speed_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    const unsigned count = check ? LIVE : state->setup.count;
    int64_t begin_ns;
    uint64_t begin_us;

    if (state->hanging)
        hanging_start(state->hanging, state->setup.hanging, 0);
    begin_ns = bench_now_ns();
    begin_us = bench_cpu_us();
    work_start(state, count);
    work_await(state);
    ret_result->values[SPEED] = count * 1e9 / (double)(bench_now_ns() - begin_ns);
    ret_result->values[SPEED_CPU] = (double)(bench_cpu_us() - begin_us) / count;
    if (state->hanging)
        hanging_cancel(state->hanging);
    bench_sort(state->latencies_ms, count);
    ret_result->values[SPEED_P50] = bench_quantile(state->latencies_ms, count, 0.5);
    ret_result->values[SPEED_P99] = bench_quantile(state->latencies_ms, count, 0.99);
}

static void run_speed(struct bench_program *program, const char *name, const char *title,
                      struct setup base)
{
    const struct setup beside = {base.work, base.folder, base.count, HANGING_CALLS};
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = speed_metrics,
        .metric_count = SPEED_METRICS,
        .open = open_side,
        .round = speed_round,
        .rounds = bench_rounds(&program->options, 1, 5, 25),
    };

    group.facts = json_pack("{s:i, s:i, s:i}", "count", (int)base.count, "live", LIVE, "hanging",
                            HANGING_CALLS);
    bench_group_add(&group, (struct bench_side){"alone", "nothing else", 0, &base});
    bench_group_add(&group, (struct bench_side){"beside", "200 calls hang", 0, &beside});
    bench_group_run(program, &group);
}

/* --- Deadlines --- */

enum { LATE_P50, LATE_P99, LATE_MAX, LATE_METRICS };
static const struct bench_metric late_metrics[LATE_METRICS] = {
    [LATE_P50] = {"late_p50_ms", "p50 ms", 2},
    [LATE_P99] = {"late_p99_ms", "p99 ms", 2},
    [LATE_MAX] = {"late_max_ms", "max ms", 2},
};

static void late_round(void *data, bool check, struct bench_result *ret_result)
{
    struct state *state = data;
    double delays[HANGING_CALLS];

    (void)check;
    if (state->setup.work != WORK_NONE)
        work_start(state, UNTIL_STOPPED);
    hanging_start(state->hanging, HANGING_CALLS, TIMEOUT_MS);
    hanging_await_deadlines(state->hanging, delays);
    if (state->setup.work != WORK_NONE)
        work_stop(state);
    ret_result->values[LATE_P50] = bench_quantile(delays, HANGING_CALLS, 0.5);
    ret_result->values[LATE_P99] = bench_quantile(delays, HANGING_CALLS, 0.99);
    ret_result->values[LATE_MAX] = delays[HANGING_CALLS - 1];
}

static void run_late(struct bench_program *program, const char *folder)
{
    const struct setup alone = {WORK_NONE, folder, 0, HANGING_CALLS};
    const struct setup busy = {WORK_TLS, folder, 0, HANGING_CALLS};
    struct bench_group group = {
        .name = "deadline",
        .title = "From the deadline of 200 calls that hang to their callbacks",
        .metrics = late_metrics,
        .metric_count = LATE_METRICS,
        .open = open_side,
        .round = late_round,
        .rounds = bench_rounds(&program->options, 1, 4, 20),
        .cold = true,
    };

    bench_group_add(&group, (struct bench_side){"idle", "nothing else", 0, &alone});
    bench_group_add(&group, (struct bench_side){"busy", "8 TLS handshakes under way", 0, &busy});
    bench_group_run(program, &group);
}

/* --- The end of a process --- */

static const struct bench_metric exit_metrics[] = {{"exit_ms", "exit() ms", 2}};

static void exit_round(void *data, bool check, struct bench_result *ret_result)
{
    const struct state *state = data;

    (void)check;
    ret_result->values[0] = hanging_exit_ms(state->setup.count);
}

static void run_exit(struct bench_program *program)
{
    const struct setup used = {.work = WORK_NONE},
                       open = {.work = WORK_NONE, .count = HANGING_CALLS};
    struct bench_group group = {
        .name = "exit",
        .title = "exit() of a process",
        .metrics = exit_metrics,
        .metric_count = 1,
        .open = open_side,
        .round = exit_round,
        .rounds = bench_rounds(&program->options, 1, 10, 40),
        .cold = true,
    };

    bench_group_add(&group, (struct bench_side){"used", "a call was open, and is done", 0, &used});
    bench_group_add(&group, (struct bench_side){"open", "200 calls hang", 0, &open});
    bench_group_run(program, &group);
}

/* --- The program --- */

/* All of Kerberos's need the one KDC, which is started once. */
static void run_kerberos(struct bench_program *program)
{
    const struct bench_options *options = &program->options;
    const struct setup tickets = {.work = WORK_KERBEROS,
                                  .count = bench_choose(options, 8, 1000, 2000)};
    const struct setup login = {.work = WORK_LOGIN, .count = bench_choose(options, 8, 60, 150)};
    const bool with_tickets = bench_wanted(options, "kerberos-tickets");
    const bool with_login = bench_wanted(options, "kerberos-login");

    if ((!with_tickets && !with_login) || !ground_realm())
        return;
    if (with_tickets)
        run_speed(program, "kerberos-tickets", "Kerberos contexts, tickets at hand", tickets);
    if (with_login)
        run_speed(program, "kerberos-login", "Kerberos contexts, each with a login", login);
}

int main(int argc, char **argv)
{
    struct bench_program program = bench_program_begin(
        argc, argv, "What 200 calls that hang at a silent KDC cost others; deadlines; exit.");
    const struct bench_options *options = &program.options;
    const char *folder = bench_certs_make(options);
    const struct setup tls = {WORK_TLS, folder, bench_choose(options, 8, 400, 1000), 0};
    const struct setup token = {WORK_TOKEN, folder, bench_choose(options, 8, 200, 500), 0};

    ground_make();
    if (bench_wanted(options, "tls"))
        run_speed(&program, "tls", "TLS 1.3 handshakes, ECDSA P-256", tls);
    if (bench_wanted(options, "token") && ground_token(folder))
        run_speed(&program, "token", "TLS 1.3 handshakes, the server's key in a token", token);
    run_kerberos(&program);
    if (bench_wanted(options, "deadline"))
        run_late(&program, folder);
    if (bench_wanted(options, "exit"))
        run_exit(&program);
    bench_program_end(&program, "hanging");
    return 0;
}
