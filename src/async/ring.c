/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The bounded ticket queue; see ring.h.
 */
#include "async/ring.h"

#include <string.h>

#include "base/memory.h"

bool osspi_ring_init(struct osspi_ring *ring, uint32_t capacity)
{
    uint32_t size = 2;

    while (size < capacity)
        size *= 2;
    ring->cells = osspi_alloc_array(size, sizeof(*ring->cells));
    if (!ring->cells)
        return false;
    for (uint32_t i = 0; i < size; i++)
        atomic_init(&ring->cells[i].sequence, i);
    ring->mask = size - 1;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    return true;
}

void osspi_ring_clear(struct osspi_ring *ring)
{
    osspi_free(ring->cells);
    ring->cells = NULL;
}

bool osspi_ring_push(struct osspi_ring *ring, uint64_t ticket)
{
    uint32_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    for (;;) {
        struct osspi_ring_cell *cell = &ring->cells[position & ring->mask];
        uint32_t sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);

        if (sequence == position) {
            if (atomic_compare_exchange_weak_explicit(&ring->tail, &position, position + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                cell->ticket = ticket;
                atomic_store_explicit(&cell->sequence, position + 1, memory_order_release);
                return true;
            }
        } else if ((int32_t)(sequence - position) < 0) {
            return false;
        } else {
            position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        }
    }
}

bool osspi_ring_pop(struct osspi_ring *ring, uint64_t *ret_ticket)
{
    uint32_t position = atomic_load_explicit(&ring->head, memory_order_relaxed);

    for (;;) {
        struct osspi_ring_cell *cell = &ring->cells[position & ring->mask];
        uint32_t sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);

        if (sequence == position + 1) {
            if (atomic_compare_exchange_weak_explicit(&ring->head, &position, position + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                *ret_ticket = cell->ticket;
                atomic_store_explicit(&cell->sequence, position + ring->mask + 1,
                                      memory_order_release);
                return true;
            }
        } else if ((int32_t)(sequence - (position + 1)) < 0) {
            return false;
        } else {
            position = atomic_load_explicit(&ring->head, memory_order_relaxed);
        }
    }
}

bool osspi_ring_has_any(const struct osspi_ring *ring)
{
    uint32_t position = atomic_load_explicit(&ring->head, memory_order_relaxed);
    const struct osspi_ring_cell *cell = &ring->cells[position & ring->mask];

    return atomic_load_explicit(&cell->sequence, memory_order_acquire) != position;
}
