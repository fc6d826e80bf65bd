/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Sides that are compared, each in a process of its own, in alternating rounds.
 *
 * What is process-wide (number of workers, size of a thread pool, allocator state, session cache)
 * is each side's own. Only one side works at a time; in every round all of them run, and who begins
 * moves on by one from round to round, so that a machine that gets slower or busier hits all alike.
 * A ratio is taken within each round; its median and quartiles over the rounds are what counts.
 */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include "common.h"

#define BENCH_METRICS 8
#define BENCH_SIDES   16

/** What one round of one side gave. */
struct bench_result {
    double values[BENCH_METRICS]; /* in the order of the group's metrics */
    bool failed;
    char detail[200]; /* why, or (of the check round) what was negotiated */
};

/** One side. */
struct bench_side {
    const char *name;  /* in JSON */
    const char *title; /* for people */
    int against;       /* index of the side it is compared with; its own: with none */
    const void *setup; /* handed to the group's open */
};

struct bench_metric {
    const char *name; /* in JSON, with its unit */
    const char *title;
    int decimals;
};

/** Sides that do equal work. The functions run in the side's process. */
struct bench_group {
    const char *name; /* in JSON: "full-rsa-1.3" */
    const char *title;
    const struct bench_metric *metrics;
    unsigned metric_count;

    /** Makes what all rounds share; returns what `round` gets. */
    void *(*open)(const void *setup);

    /** One round. check: an extra round before the others that is not measured, which may count
     * allocations and look at what is negotiated. */
    void (*round)(void *state, bool check, struct bench_result *ret_result);

    struct bench_side sides[BENCH_SIDES];
    int also[BENCH_SIDES]; /* 1 + index of one more side that this one is compared with; 0: none */
    unsigned side_count;
    unsigned rounds;
    bool cold;        /* no round that does not count before the first */
    bool same_detail; /* the check round's details of all sides must be equal */
    json_t *facts;    /* further members of the group in JSON, or NULL; taken over */
};

/** What main() holds from the first line to the last. */
struct bench_program {
    struct bench_options options;
    json_t *machine, *groups;
};

/** Reads the options and prints the machine (unless JSON goes to standard output). */
struct bench_program bench_program_begin(int argc, char **argv, const char *about);

/** Writes the results of the groups that have run. */
void bench_program_end(struct bench_program *program, const char *name);

/** Adds a side. Its number is its place in the order of these calls. */
void bench_group_add(struct bench_group *group, struct bench_side side);

/**
 * Runs a group, prints its table (unless JSON goes to standard output) and keeps its results for
 * bench_program_end(). Ends the program if a side fails.
 */
void bench_group_run(struct bench_program *program, struct bench_group *group);

/** Does the user want this group? */
bool bench_wanted(const struct bench_options *options, const char *name);

/** Runs a function in a child of its own, so that this process stays as it is. */
void bench_in_child(void (*run)(void *data), void *data);

#endif
