/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A shelf: what was found out about things that a hash names, until it is out of date. Of fixed
 * size, so that nobody can make it grow; what is new takes the place of what ends first. A forked
 * child goes on with what the parent had found. Thread-safe.
 */
#ifndef OSSPI_CERT_SHELF_H
#define OSSPI_CERT_SHELF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"

#define OSSPI_SHELF_KEY    32u
#define OSSPI_SHELF_BOARDS 128u
#define OSSPI_SHELF_WIDTH  4u

struct osspi_shelf_entry {
    _Atomic int64_t until; /* unix seconds; 0: empty. Stored last, so that a fork in the middle of a
                              change leaves the child with an empty place */
    int64_t value;
    uint8_t key[OSSPI_SHELF_KEY];
};

/** Zero-initialised memory is an empty shelf of 512 places. */
struct osspi_shelf {
    struct osspi_shelf_board {
        struct osspi_lock lock;
        struct osspi_shelf_entry entries[OSSPI_SHELF_WIDTH]; /* guarded by lock */
    } boards[OSSPI_SHELF_BOARDS];
};

/** Keeps a value until then; one under the same key goes. */
void osspi_shelf_put(struct osspi_shelf *shelf, const uint8_t key[OSSPI_SHELF_KEY], int64_t value,
                     int64_t until);

/** False: nothing is known (any more). *ret_until may be NULL. */
bool osspi_shelf_get(struct osspi_shelf *shelf, const uint8_t key[OSSPI_SHELF_KEY],
                     int64_t *ret_value, int64_t *ret_until);

void osspi_shelf_empty(struct osspi_shelf *shelf);

#endif
