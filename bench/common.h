/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What all benches share: time, CPUs, medians, options, and the machine they run on.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/** How much to run. Tiny proves that a bench works; its numbers mean nothing. */
enum bench_size { BENCH_TINY, BENCH_QUICK, BENCH_FULL };

struct bench_options {
    enum bench_size size;
    const char *json;   /* file for the results, "-": standard output; NULL: none */
    const char *only;   /* run groups whose name contains this; NULL: all */
    unsigned rounds;    /* of each group; 0: the bench decides */
    const char *side;   /* run this side alone, in this process, for a profiler; NULL: all */
    const char *folder; /* where certificates are made; NULL: a temporary one */
};

/**
 * Reads a bench's command line; ends the program at --help and at what makes no sense.
 *
 * @param about one line on what the bench measures
 */
struct bench_options bench_options_read(int argc, char **argv, const char *about);

/** One of three values, by size. */
unsigned bench_choose(const struct bench_options *options, unsigned tiny, unsigned quick,
                      unsigned full);

/** The rounds that the user wants, else one of three numbers, by size. */
unsigned bench_rounds(const struct bench_options *options, unsigned tiny, unsigned quick,
                      unsigned full);

/** Says why on standard error and ends the process. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- Time and CPUs --- */

int64_t bench_now_ns(void);

/** CPU time of all threads of the process. */
uint64_t bench_cpu_us(void);

/** CPUs this process may use, counted when the program began. */
unsigned bench_cpu_count(void);

/** Binds the calling thread, and those it starts, to the nth usable CPU. */
void bench_pin(unsigned nth);

/** Lets the calling thread run on all of them again. */
void bench_unpin(void);

/** Sets the size of libuv's pool in this process; before it is first used. */
void bench_pool_size(unsigned threads);

/* --- Statistics --- */

struct bench_summary {
    double median, q1, q3; /* quartiles: half of all values lie between q1 and q3 */
};

/** Sorts the values. All zero if there are none. */
struct bench_summary bench_summarize(double *values, size_t count);

/** The value below which `share` of them lie; the values are sorted. */
double bench_quantile(const double *sorted, size_t count, double share);

/** Sorts ascending. */
void bench_sort(double *values, size_t count);

/* --- Report --- */

/** CPU, cores, kernel, versions; what cannot be found out is "unknown". */
json_t *bench_machine(void);

/** One line for people. */
void bench_print_machine(const json_t *machine);

/** Writes results as the options want; ends the program if that fails. Drops the reference. */
void bench_write(const struct bench_options *options, json_t *results);

#endif
