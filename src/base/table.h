/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A table of objects that are named by (slot index, generation) instead of by address.
 *
 * An identifier that is stale, freed, foreign or garbage finds nothing; it never crashes and never
 * reaches another object. Looking up takes a reference and is wait-free: one atomic add, a compare,
 * and an atomic subtract when the name was wrong. Slots are never returned to the allocator, so a
 * look-up may touch any slot at any time. Freed slots wait in line before they serve again.
 *
 *     FREE --acquire--> LIVE --retire--> DEAD --last reference gone--> FREE
 *
 * Every object embeds struct osspi_slot as its first member.
 */
#ifndef OSSPI_BASE_TABLE_H
#define OSSPI_BASE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"

#define OSSPI_TABLE_CHUNK  256u
#define OSSPI_TABLE_CHUNKS 65536u

struct osspi_slot {
    _Atomic uint64_t word; /* generation << 32 | state << 30 | references */
    uint32_t index;        /* constant once the chunk is published */
    uint32_t next_free;    /* guarded by the table's lock */
};

struct osspi_table {
    /* Constant after definition. */
    size_t object_size;  /* with the slot; a multiple of 64 is kind to caches */
    uint32_t min_line;   /* freed slots that wait at least before one serves again, */
    uint32_t line_share; /* and one in so many of all slots, if that is more; 0: not */
    void (*destroy)(struct osspi_slot *slot); /* last reference gone; clears the object's fields */

    struct osspi_lock lock;
    uint32_t epoch;      /* fork epoch of the free line; guarded by lock */
    uint32_t first_free; /* index + 1; guarded by lock, with the three below */
    uint32_t last_free;
    uint32_t free_count;
    uint32_t slot_count;
    _Atomic uint32_t live_count;
    _Atomic(char *) chunks[OSSPI_TABLE_CHUNKS]; /* set once each, under lock; read by anybody */
};

/* ---- looks at a slot, inline because every call takes several ---- */

#define OSSPI_SLOT_STATE_SHIFT 30u
#define OSSPI_SLOT_LIVE        (UINT64_C(1) << OSSPI_SLOT_STATE_SHIFT)

static inline struct osspi_slot *osspi_table_slot_in(const struct osspi_table *table, char *chunk,
                                                     uint32_t index)
{
    return (struct osspi_slot *)(void *)(chunk +
                                         (size_t)(index % OSSPI_TABLE_CHUNK) * table->object_size);
}

/** The slot of that number, whatever is in it; NULL: there is none yet. */
static inline struct osspi_slot *osspi_table_slot(const struct osspi_table *table, uint32_t index)
{
    uint32_t chunk_index = index / OSSPI_TABLE_CHUNK;
    char *chunk;

    if (chunk_index >= OSSPI_TABLE_CHUNKS)
        return NULL;
    chunk = atomic_load_explicit(&table->chunks[chunk_index], memory_order_acquire);
    return chunk ? osspi_table_slot_in(table, chunk, index) : NULL;
}

/** Does the slot still carry the generation in id? */
static inline bool osspi_slot_named(const struct osspi_slot *slot, uint64_t id)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);

    return word >> 32 == id >> 32 && id >> 32 != 0;
}

/** Does it, and is the object not retired? */
static inline bool osspi_slot_live(const struct osspi_slot *slot, uint64_t id)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);

    return word >> 32 == id >> 32 && (word >> OSSPI_SLOT_STATE_SHIFT & 3) == 1;
}

/**
 * The slot an identifier names while its generation has not been given to another object, also
 * when the object is retired. Takes no reference: only fields that are atomic and never freed may
 * be read, and osspi_slot_named() must be asked again afterwards.
 */
static inline struct osspi_slot *osspi_table_peek(const struct osspi_table *table, uint64_t id)
{
    struct osspi_slot *slot = osspi_table_slot(table, (uint32_t)id);

    return slot && osspi_slot_named(slot, id) ? slot : NULL;
}

/* ---- the rest ---- */

/** Takes a slot and makes it live with one reference, its owner's. NULL: no memory. The object's
 * bytes behind the slot are zero, or what destroy() left. Nobody finds it before it is returned. */
struct osspi_slot *osspi_table_acquire(struct osspi_table *table);

/** The identifier of a slot: never 0, never below 2^32, never all ones. */
uint64_t osspi_slot_id(const struct osspi_slot *slot);

/** Finds a live object and takes a reference; NULL if the identifier names none. Wait-free. */
struct osspi_slot *osspi_table_lookup(struct osspi_table *table, uint64_t id);

/** Makes an object's name invalid. True for exactly one caller, who now holds the owner's reference
 * and must drop it. */
bool osspi_table_retire(struct osspi_table *table, struct osspi_slot *slot, uint64_t id);

/** Takes one more reference on an object that the caller already holds. */
void osspi_slot_ref(struct osspi_slot *slot);

/** Drops a reference; the last one of a retired object destroys it. */
void osspi_slot_unref(struct osspi_table *table, struct osspi_slot *slot);

/** Number of live objects. */
uint32_t osspi_table_live(const struct osspi_table *table);

/** Calls visit for every object, also a retired one that somebody still holds, with a reference
 * held. For the end and for reports, not for hot paths. */
void osspi_table_visit(struct osspi_table *table, void (*visit)(struct osspi_slot *, void *),
                       void *data);

#endif
