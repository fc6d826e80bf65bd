/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The life of each asynchronous call, seen through OsspiSetTrace: queued, started, done, where.
 *
 * The trace comes on any thread, several at a time; a record takes the next free place with one
 * atomic addition. Reading is for after the last call.
 */
#ifndef SSPI_TOOL_TIMELINE_H
#define SSPI_TOOL_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <opensspi.h>

/** What the command itself knows of its n-th leg. */
struct timeline_leg {
    ULONG input, output; /* bytes */
    SECURITY_STATUS status;
    int64_t begin_us, end_us; /* monotonic time */
};

#define TIMELINE_LEGS 64

struct timeline_legs {
    struct timeline_leg legs[TIMELINE_LEGS];
    unsigned count; /* legs made; the first TIMELINE_LEGS of them are kept */
};

struct timeline;

/** Begins to record; NULL if there is no memory. The process has at most one. */
struct timeline *timeline_begin(void);

/** Ends recording. Later events are lost; the records stay. */
void timeline_end(struct timeline *timeline);

/** Frees it, after OsspiShutdown only: until then a thread may be inside the trace function. */
void timeline_free(struct timeline *timeline);

/** Prints a line for each call; times in microseconds from timeline_begin. */
void timeline_print(FILE *stream, struct timeline *timeline, const struct timeline_legs *legs);

/** The same as an array; NULL if there is no memory. */
json_t *timeline_json(struct timeline *timeline, const struct timeline_legs *legs);

/** For synchronous legs, which leave no trace: what the command measured itself. */
void timeline_print_legs(FILE *stream, int64_t zero_us, const struct timeline_legs *legs);
json_t *timeline_legs_json(int64_t zero_us, const struct timeline_legs *legs);

#endif
