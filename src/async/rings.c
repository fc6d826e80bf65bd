/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The rings of the CPU lane; see rings.h. Thread-safe but for the seats, which are their workers'.
 */
#include "async/rings.h"

#include "core/turn.h"

#define LOOK_EVERY 16u /* tickets between two looks at the others, while all get on */

bool osspi_rings_init(struct osspi_rings *rings, uint32_t workers, uint32_t capacity)
{
    rings->count = workers < OSSPI_MAX_RINGS ? workers : OSSPI_MAX_RINGS;
    if (rings->count == 0)
        rings->count = 1;
    for (uint32_t i = 0; i < rings->count; i++) {
        if (!osspi_ring_init(&rings->rings[i].ring, (capacity - 1) / rings->count + 1)) {
            while (i-- > 0)
                osspi_ring_clear(&rings->rings[i].ring);
            return false;
        }
    }
    return true;
}

static uint32_t after(const struct osspi_rings *rings, uint32_t index)
{
    return index + 1 < rings->count ? index + 1 : 0;
}

/* ---- who has which ring ---- */

static void take_seat(struct osspi_rings *rings, struct osspi_seat *seat, uint32_t index)
{
    atomic_fetch_add(&rings->rings[index].workers, 1);
    seat->own = index;
    osspi_turn_here = index + 1;
}

void osspi_rings_sit(struct osspi_rings *rings, struct osspi_seat *seat)
{
    uint32_t best = 0;

    /* Two who sit down at once may take the same: move_over() mends that. */
    for (uint32_t i = 1; i < rings->count; i++) {
        if (atomic_load(&rings->rings[i].workers) < atomic_load(&rings->rings[best].workers))
            best = i;
    }
    *seat = (struct osspi_seat){.until_look = LOOK_EVERY};
    take_seat(rings, seat, best);
}

void osspi_rings_rise(struct osspi_rings *rings, const struct osspi_seat *seat)
{
    atomic_fetch_sub(&rings->rings[seat->own].workers, 1);
    osspi_turn_here = 0;
}

/* A ring that nobody has becomes the own one of a worker that shares its with others. */
static void move_over(struct osspi_rings *rings, struct osspi_seat *seat, uint32_t index)
{
    _Atomic uint32_t *workers = &rings->rings[seat->own].workers;
    uint32_t count = atomic_load(workers);

    if (atomic_load(&rings->rings[index].workers) > 0)
        return;
    while (count > 1) {
        if (atomic_compare_exchange_weak(workers, &count, count - 1)) {
            take_seat(rings, seat, index);
            return;
        }
    }
}

/* ---- tickets ---- */

bool osspi_rings_push_to(struct osspi_rings *rings, uint32_t home, uint64_t ticket)
{
    uint32_t index = home < rings->count ? home : home % rings->count;

    for (uint32_t i = 0; i < rings->count; i++, index = after(rings, index)) {
        if (osspi_ring_push(&rings->rings[index].ring, ticket))
            return true;
    }
    return false;
}

/* Does a ring hold tickets, and has none of its own workers taken one since our last look? */
static bool stands_still(const struct osspi_lane_ring *lane, uint32_t *seen)
{
    uint32_t taken = atomic_load_explicit(&lane->taken, memory_order_relaxed);
    bool same = taken == *seen;

    *seen = taken;
    return same && osspi_ring_has_any(&lane->ring);
}

/* Takes from a ring that stands still, from then on after every ticket of the own one. So no ring
 * waits for ever, however busy the workers of the others are with theirs. */
static bool help_others(struct osspi_rings *rings, struct osspi_seat *seat, uint64_t *ret_ticket)
{
    uint32_t index = seat->next;

    seat->until_look = LOOK_EVERY;
    for (uint32_t i = 0; i < rings->count; i++) {
        uint32_t looked_at = index;

        index = after(rings, index);
        if (looked_at == seat->own ||
            !stands_still(&rings->rings[looked_at], &seat->taken[looked_at]))
            continue;
        move_over(rings, seat, looked_at);
        if (osspi_ring_pop(&rings->rings[looked_at].ring, ret_ticket)) {
            seat->until_look = 1;
            seat->next = index;
            return true;
        }
    }
    return false;
}

bool osspi_rings_pop_from(struct osspi_rings *rings, struct osspi_seat *seat, uint64_t *ret_ticket)
{
    struct osspi_lane_ring *own = &rings->rings[seat->own];

    if (seat->until_look == 0 && help_others(rings, seat, ret_ticket))
        return true;
    if (osspi_ring_pop(&own->ring, ret_ticket)) {
        atomic_store_explicit(&own->taken,
                              atomic_load_explicit(&own->taken, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        seat->until_look--;
        return true;
    }
    for (uint32_t index = after(rings, seat->own); index != seat->own;
         index = after(rings, index)) {
        if (osspi_ring_pop(&rings->rings[index].ring, ret_ticket)) {
            seat->until_look--; /* or the ring behind this one would wait as long as this has any */
            return true;
        }
    }
    return false;
}

bool osspi_rings_look(const struct osspi_rings *rings)
{
    for (uint32_t i = 0; i < rings->count; i++) {
        if (osspi_ring_has_any(&rings->rings[i].ring))
            return true;
    }
    return false;
}
