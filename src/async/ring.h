/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A bounded queue of 64-bit tickets for many producers and consumers, without locks.
 *
 * Each cell has a sequence number that says whose turn it is: equal to the position, a producer's;
 * position + 1, a consumer's. (Dmitry Vyukov's bounded MPMC queue.)
 */
#ifndef OSSPI_ASYNC_RING_H
#define OSSPI_ASYNC_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct osspi_ring_cell {
    _Atomic uint32_t sequence;
    uint64_t ticket; /* owned by whoever holds the cell's turn */
};

struct osspi_ring {
    struct osspi_ring_cell *cells;      /* constant after init */
    uint32_t mask;                      /* constant after init */
    _Alignas(64) _Atomic uint32_t tail; /* next position to write */
    _Alignas(64) _Atomic uint32_t head; /* next position to read */
};

/** Room for at least `capacity` tickets; false: no memory. */
bool osspi_ring_init(struct osspi_ring *ring, uint32_t capacity);
void osspi_ring_clear(struct osspi_ring *ring);

/** False when the ring is full. */
bool osspi_ring_push(struct osspi_ring *ring, uint64_t ticket);

/** False when the ring is empty. */
bool osspi_ring_pop(struct osspi_ring *ring, uint64_t *ret_ticket);

/** A moment's look: true if there was a ticket. */
bool osspi_ring_has_any(const struct osspi_ring *ring);

#endif
