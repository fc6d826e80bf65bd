/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a measurement of both forms of handshakes says: medians over rounds, and ratios beside them.
 */
#ifndef SSPI_TOOL_BENCH_REPORT_H
#define SSPI_TOOL_BENCH_REPORT_H

#include <stdbool.h>

#include <jansson.h>

#include "bench.h"

#define BENCH_ROUNDS_MAX 101
#define BENCH_FIGURES    6

/** One form, over all its rounds. */
struct bench_form {
    struct bench_round rounds[BENCH_ROUNDS_MAX];
    struct bench_delays delays;
};

struct bench_measurement {
    struct bench_form inline_form, async_form;
    unsigned rounds; /* done, of each form */
};

/** A number that is shown, of both forms. The first is handshakes per second. */
struct bench_figure {
    const char *name, *json_name;
    double inline_value, async_value;
};

/** Sorts the values. */
double bench_median(double *values, unsigned count);

/** @param count handshakes of a round */
void bench_figures(struct bench_measurement *m, unsigned count,
                   struct bench_figure figures[BENCH_FIGURES]);

/** One line: what was handshaken. */
void bench_print_title(const struct bench *bench, bool verified);

void bench_print_figures(const struct bench_figure figures[BENCH_FIGURES]);

/** Adds them to an object; false if there is no memory. */
bool bench_figures_json(const struct bench_figure figures[BENCH_FIGURES], json_t *object);

/** Prints and drops it; false if it is NULL or cannot be printed. */
bool bench_json_print(json_t *root);

#endif
