/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A line between two ends that damages some of the records that pass, as an input says: see
 * fuzz_damage.c for the kinds. One thread.
 */
#ifndef OSSPI_TESTS_FUZZ_FUZZ_DAMAGE_H
#define OSSPI_TESTS_FUZZ_FUZZ_DAMAGE_H

#include "fuzz/fuzz.h"

#define FUZZ_DAMAGES 6u

struct fuzz_line {
    struct {
        uint8_t record; /* number of the record among all that pass, from 0 */
        uint8_t kind;
        uint16_t place;
        uint8_t value;
    } damages[FUZZ_DAMAGES];
    unsigned count;
    unsigned passed;         /* records so far */
    struct peer_stream held; /* a record that will follow the next one */
};

/** Takes its damages from the input: a count, then five bytes each. */
void fuzz_line_init(struct fuzz_line *line, struct fuzz_input *input);
void fuzz_line_free(struct fuzz_line *line);

/** Moves what an end has sent to where the other reads it, record by record. */
void fuzz_line_deliver(struct fuzz_line *line, struct fuzz_end *from, struct fuzz_end *to);

/** A handshake and some data over the line. */
void fuzz_line_handshake(struct fuzz_line *line, struct fuzz_end *client, struct fuzz_end *server);

#endif
