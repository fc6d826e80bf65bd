/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Memory that is taken in pieces and freed all at once: what a certificate's CERT_INFO points to.
 *
 * Zero-initialised memory is an empty arena. No locks: one thread fills an arena, and afterwards
 * nobody changes it.
 */
#ifndef OSSPI_CERT_ARENA_H
#define OSSPI_CERT_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct osspi_arena_block;

struct osspi_arena {
    struct osspi_arena_block *blocks; /* newest first */
    uint8_t *next;                    /* first free byte of the newest block */
    size_t left;                      /* free bytes behind it */
};

/** Takes size zeroed bytes, aligned for any type; NULL when there is no memory. */
void *osspi_arena_take(struct osspi_arena *arena, size_t size) __attribute__((warn_unused_result));

/** Takes an array; NULL also when the product overflows. */
void *osspi_arena_take_array(struct osspi_arena *arena, size_t count, size_t size)
    __attribute__((warn_unused_result));

/** Copies len bytes (NULL allowed when len is 0); NULL when there is no memory. */
void *osspi_arena_copy(struct osspi_arena *arena, const void *bytes, size_t len)
    __attribute__((warn_unused_result));

/** Frees everything; the arena is empty afterwards. */
void osspi_arena_clear(struct osspi_arena *arena);

#endif
