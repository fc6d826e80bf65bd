/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The queue of the CPU lane: one ring of tickets for each worker, up to a limit.
 *
 * A ticket is put into the ring of the worker that ran the earlier calls of its security context,
 * whose caches hold the connection. A worker empties its own ring first. It takes from the others
 * when its own is empty, and now and then when one of them stands still: its worker may be inside a
 * callback or a long computation, or there may be none.
 */
#ifndef OSSPI_ASYNC_RINGS_H
#define OSSPI_ASYNC_RINGS_H

#include "async/ring.h"

#define OSSPI_MAX_RINGS 16u

struct osspi_lane_ring {
    struct osspi_ring ring;
    _Alignas(64) _Atomic uint32_t taken; /* moves when one of its own workers takes a ticket */
    _Atomic uint32_t workers;            /* that have it as their own */
};

struct osspi_rings {
    uint32_t count; /* constant after init */
    struct osspi_lane_ring rings[OSSPI_MAX_RINGS];
};

/** What one worker knows of the rings; its own. */
struct osspi_seat {
    uint32_t own;                    /* its ring */
    uint32_t next;                   /* where it looks first for a ring that stands still */
    uint32_t until_look;             /* tickets to take before it looks at the others */
    uint32_t taken[OSSPI_MAX_RINGS]; /* what it saw at its last look */
};

/** As many rings as workers (or OSSPI_MAX_RINGS), with room for at least `capacity` tickets
 * together; false: no memory. */
bool osspi_rings_init(struct osspi_rings *rings, uint32_t workers, uint32_t capacity);

/** The calling thread becomes a worker, or is one no longer. */
void osspi_rings_sit(struct osspi_rings *rings, struct osspi_seat *seat);
void osspi_rings_rise(struct osspi_rings *rings, const struct osspi_seat *seat);

/* What follows, where there are several rings. */
bool osspi_rings_push_to(struct osspi_rings *rings, uint32_t home, uint64_t ticket);
bool osspi_rings_pop_from(struct osspi_rings *rings, struct osspi_seat *seat, uint64_t *ret_ticket);
bool osspi_rings_look(const struct osspi_rings *rings);

/** Puts a ticket into ring `home` (any number: modulo their count), or into another one where that
 * is full. False: all are. */
static inline bool osspi_rings_push(struct osspi_rings *rings, uint32_t home, uint64_t ticket)
{
    return rings->count == 1 ? osspi_ring_push(&rings->rings[0].ring, ticket)
                             : osspi_rings_push_to(rings, home, ticket);
}

/** Takes a ticket for the worker of that seat. False: there is none. */
static inline bool osspi_rings_pop(struct osspi_rings *rings, struct osspi_seat *seat,
                                   uint64_t *ret_ticket)
{
    return rings->count == 1 ? osspi_ring_pop(&rings->rings[0].ring, ret_ticket)
                             : osspi_rings_pop_from(rings, seat, ret_ticket);
}

/** A moment's look: true if there was a ticket. */
static inline bool osspi_rings_have_any(const struct osspi_rings *rings)
{
    return rings->count == 1 ? osspi_ring_has_any(&rings->rings[0].ring) : osspi_rings_look(rings);
}

#endif
