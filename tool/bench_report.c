/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a measurement of both forms of handshakes says, as text and as JSON; see bench_report.h.
 */
#include "bench_report.h"

#include <stdio.h>
#include <stdlib.h>

/* --- Statistics ----------------------------------------------------------------------------------
 */

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static int compare_delays(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

double bench_median(double *values, unsigned count)
{
    qsort(values, count, sizeof(values[0]), compare_doubles);
    return count == 0 ? 0 : (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static double median_rate(const struct bench_form *form, unsigned rounds, unsigned count)
{
    double values[BENCH_ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++)
        values[i] = count / form->rounds[i].seconds;
    return bench_median(values, rounds);
}

static double median_cpu(const struct bench_form *form, unsigned rounds, unsigned count)
{
    double values[BENCH_ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++)
        values[i] = (double)form->rounds[i].cpu_us / count;
    return bench_median(values, rounds);
}

/* In milliseconds; the delays are sorted. */
static double delay_at(const struct bench_delays *delays, double share)
{
    if (delays->count == 0)
        return 0;
    size_t index = (size_t)(share * (double)(delays->count - 1) + 0.5);
    return delays->values[index] / 1000.0;
}

static double longest_call(const struct bench_form *form, unsigned rounds)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i < rounds; i++) {
        if (form->rounds[i].longest_call_us > longest)
            longest = form->rounds[i].longest_call_us;
    }
    return (double)longest / 1000.0;
}

/* --- Report --------------------------------------------------------------------------------------
 */

void bench_figures(struct bench_measurement *m, unsigned count,
                   struct bench_figure figures[BENCH_FIGURES])
{
    struct bench_form *a = &m->inline_form, *b = &m->async_form;
    qsort(a->delays.values, a->delays.count, sizeof(uint32_t), compare_delays);
    qsort(b->delays.values, b->delays.count, sizeof(uint32_t), compare_delays);
    figures[0] =
        (struct bench_figure){"handshakes per second", "handshakes_per_second",
                              median_rate(a, m->rounds, count), median_rate(b, m->rounds, count)};
    figures[1] =
        (struct bench_figure){"CPU per handshake, us", "cpu_us_per_handshake",
                              median_cpu(a, m->rounds, count), median_cpu(b, m->rounds, count)};
    figures[2] = (struct bench_figure){"loop late by, ms: median", "loop_delay_p50_ms",
                                       delay_at(&a->delays, 0.5), delay_at(&b->delays, 0.5)};
    figures[3] = (struct bench_figure){"                  99 of 100", "loop_delay_p99_ms",
                                       delay_at(&a->delays, 0.99), delay_at(&b->delays, 0.99)};
    figures[4] = (struct bench_figure){"                  at most", "loop_delay_max_ms",
                                       delay_at(&a->delays, 1), delay_at(&b->delays, 1)};
    figures[5] = (struct bench_figure){"longest step on it, ms", "longest_step_ms",
                                       longest_call(a, m->rounds), longest_call(b, m->rounds)};
}

void bench_print_title(const struct bench *bench, bool verified)
{
    printf("%s, %s, %s; certificate %s\n", bench->facts.protocol, bench->facts.suite,
           bench->facts.group[0] ? bench->facts.group : "key exchange unknown",
           verified ? "verified by the client" : "not verified, in neither form");
}

void bench_print_figures(const struct bench_figure figures[BENCH_FIGURES])
{
    printf("%-28s %12s %12s %14s\n", "", "inline", "asynchronous", "async/inline");
    for (unsigned i = 0; i < BENCH_FIGURES; i++) {
        const struct bench_figure *figure = &figures[i];
        printf("%-28s %12.*f %12.*f", figure->name, figure->inline_value >= 100 ? 0 : 2,
               figure->inline_value, figure->async_value >= 100 ? 0 : 2, figure->async_value);
        if (figure->inline_value > 0)
            printf(" %13.3fx\n", figure->async_value / figure->inline_value);
        else
            printf(" %14s\n", "-");
    }
}

bool bench_figures_json(const struct bench_figure figures[BENCH_FIGURES], json_t *object)
{
    bool done = object != NULL;
    for (unsigned i = 0; done && i < BENCH_FIGURES; i++) {
        const struct bench_figure *figure = &figures[i];
        json_t *value =
            json_pack("{s:f, s:f}", "inline", figure->inline_value, "async", figure->async_value);
        if (value && figure->inline_value > 0)
            json_object_set_new(value, "ratio",
                                json_real(figure->async_value / figure->inline_value));
        done = json_object_set_new(object, figure->json_name, value) == 0;
    }
    return done;
}

bool bench_json_print(json_t *root)
{
    bool done = root && json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0 &&
                putchar('\n') != EOF;
    json_decref(root);
    return done;
}
