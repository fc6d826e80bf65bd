/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Little engines with one worker each, from a bare ring of tickets to nearly all that the library
 * promises of an asynchronous call; see bench/ladder.c.
 */
#ifndef SUPPORT_LADDER_ENGINE_H
#define SUPPORT_LADDER_ENGINE_H

#include "async/ring.h"
#include "base/table.h"

struct item;
struct ladder;
typedef void item_function(struct item *item);

struct item {
    struct osspi_slot slot;
    _Atomic uint64_t word; /* attempt << 4 | state */
    _Atomic uint32_t waiters;
    item_function *run, *done;
    struct ladder *ladder;
    uint64_t id, queued_ns, started_ns;
};

/* One group of words for each thread that writes them. */
struct ladder {
    struct osspi_ring ring;
    _Alignas(64) _Atomic uint64_t accepted, look_again;
    _Alignas(64) _Atomic uint32_t sleepers;
    _Atomic uint32_t wake_word, waking;
    _Alignas(64) _Atomic uint64_t census;
    _Alignas(64) _Atomic uint64_t finished; /* the worker's, with all below */
    _Atomic uint64_t left, completed;
    _Atomic uint32_t busy;
    _Atomic uint64_t waits[32], runs[32];
    _Alignas(64) _Atomic uint32_t phase; /* constant here, but read */
    _Atomic uint32_t parked;
    _Atomic uint32_t in_batch; /* futex of the submitter */
};

/** An engine that keeps certain promises. */
struct ladder_rung {
    const char *name, *title;
    void *(*work)(void *ladder); /* the worker's thread */
    item_function *queue;        /* has an item run and its `done` called by the worker */
};

extern const struct ladder_rung ladder_rungs[];
extern const unsigned ladder_rung_count;

/** The ladder's memory is zero. False: no memory. */
bool ladder_init(struct ladder *ladder);

/** For callbacks: one call of the batch is done; the last one wakes who awaits them. */
void ladder_count_down(struct ladder *ladder);
void ladder_await(struct ladder *ladder);

/** A new item; run, done and ladder are the caller's to set. */
struct item *ladder_item_new(void);

#endif
