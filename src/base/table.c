/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The slot table; see table.h.
 *
 * All of a slot's life is in one word: generation, state, references. A reference taken by a stale
 * look-up is put back at once; because it may be the last to go, whoever moves the word from
 * (DEAD, no references) to DESTROYING destroys the object, and only one can do that.
 */
#include "base/table.h"

#include "base/memory.h"

#define STATE_SHIFT      OSSPI_SLOT_STATE_SHIFT
#define STATE_MASK       (UINT64_C(3) << STATE_SHIFT)
#define STATE_FREE       (UINT64_C(0) << STATE_SHIFT)
#define STATE_LIVE       OSSPI_SLOT_LIVE
#define STATE_DEAD       (UINT64_C(2) << STATE_SHIFT)
#define STATE_DESTROYING STATE_MASK
#define REFS_MASK        ((UINT64_C(1) << STATE_SHIFT) - 1)
#define GENERATION_SHIFT 32u
#define CACHE_LINE       64u

static uint64_t generation_of(uint64_t word)
{
    return word >> GENERATION_SHIFT;
}

static void line_push_locked(struct osspi_table *table, struct osspi_slot *slot)
{
    slot->next_free = 0;
    if (table->last_free)
        osspi_table_slot(table, table->last_free - 1)->next_free = slot->index + 1;
    else
        table->first_free = slot->index + 1;
    table->last_free = slot->index + 1;
    table->free_count++;
}

static struct osspi_slot *line_pop_locked(struct osspi_table *table)
{
    struct osspi_slot *slot = osspi_table_slot(table, table->first_free - 1);

    table->first_free = slot->next_free;
    if (!table->first_free)
        table->last_free = 0;
    table->free_count--;
    return slot;
}

/* In a forked child the line may have been caught half way: it is made anew from the words. */
static void mend_after_fork_locked(struct osspi_table *table)
{
    uint32_t live = 0;

    if (table->epoch == osspi_fork_epoch())
        return;
    table->epoch = osspi_fork_epoch();
    table->first_free = table->last_free = table->free_count = table->slot_count = 0;
    for (uint32_t c = 0; c < OSSPI_TABLE_CHUNKS && table->chunks[c]; c++) {
        for (uint32_t i = 0; i < OSSPI_TABLE_CHUNK; i++) {
            struct osspi_slot *slot = osspi_table_slot(table, c * OSSPI_TABLE_CHUNK + i);
            uint64_t state = atomic_load(&slot->word) & STATE_MASK;

            if (state == STATE_FREE)
                line_push_locked(table, slot);
            live += state == STATE_LIVE;
        }
        table->slot_count += OSSPI_TABLE_CHUNK;
    }
    atomic_store(&table->live_count, live);
}

static bool grow_locked(struct osspi_table *table)
{
    uint32_t first = table->slot_count;
    char *chunk;

    if (first / OSSPI_TABLE_CHUNK >= OSSPI_TABLE_CHUNKS)
        return false;
    chunk = osspi_alloc(OSSPI_TABLE_CHUNK * table->object_size + CACHE_LINE);
    if (!chunk)
        return false;
    /* Chunks are never freed, so nobody needs the address that the allocator gave. */
    chunk += CACHE_LINE - (uintptr_t)chunk % CACHE_LINE;
    for (uint32_t i = 0; i < OSSPI_TABLE_CHUNK; i++)
        osspi_table_slot_in(table, chunk, i)->index = first + i;
    atomic_store_explicit(&table->chunks[first / OSSPI_TABLE_CHUNK], chunk, memory_order_release);
    table->slot_count += OSSPI_TABLE_CHUNK;
    for (uint32_t i = 0; i < OSSPI_TABLE_CHUNK; i++)
        line_push_locked(table, osspi_table_slot(table, first + i));
    return true;
}

static bool line_is_long_enough_locked(const struct osspi_table *table)
{
    uint32_t share = table->line_share ? table->slot_count / table->line_share : 0;

    return table->free_count > (share > table->min_line ? share : table->min_line);
}

struct osspi_slot *osspi_table_acquire(struct osspi_table *table)
{
    struct osspi_slot *slot;
    uint64_t word;
    uint64_t next;

    {
        OSSPI_LOCKED(&table->lock);
        mend_after_fork_locked(table);
        /* Without memory for more slots, a short line is better than a failure. */
        while (!line_is_long_enough_locked(table) && grow_locked(table))
            ;
        if (!table->first_free)
            return NULL;
        slot = line_pop_locked(table);
    }
    /* Stale look-ups may come and go on a free slot; their references are carried over. */
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        uint64_t generation = (generation_of(word) + 1) & UINT32_MAX;

        /* 0 would give small identifiers, all ones is what SSPI calls invalid. */
        if (generation == 0 || generation == UINT32_MAX)
            generation = 1;
        next = generation << GENERATION_SHIFT | STATE_LIVE | ((word & REFS_MASK) + 1);
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    atomic_fetch_add_explicit(&table->live_count, 1, memory_order_relaxed);
    return slot;
}

uint64_t osspi_slot_id(const struct osspi_slot *slot)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);

    return generation_of(word) << GENERATION_SHIFT | slot->index;
}

struct osspi_slot *osspi_table_lookup(struct osspi_table *table, uint64_t id)
{
    struct osspi_slot *slot = osspi_table_slot(table, (uint32_t)id);
    uint64_t before;

    if (!slot || generation_of(id) == 0)
        return NULL;
    before = atomic_fetch_add_explicit(&slot->word, 1, memory_order_acquire);
    if (generation_of(before) == generation_of(id) && (before & STATE_MASK) == STATE_LIVE)
        return slot;
    osspi_slot_unref(table, slot);
    return NULL;
}

bool osspi_table_retire(struct osspi_table *table, struct osspi_slot *slot, uint64_t id)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);

    do {
        if (generation_of(word) != generation_of(id) || (word & STATE_MASK) != STATE_LIVE)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word,
                                                    (word & ~STATE_MASK) | STATE_DEAD,
                                                    memory_order_acq_rel, memory_order_relaxed));
    atomic_fetch_sub_explicit(&table->live_count, 1, memory_order_relaxed);
    return true;
}

void osspi_slot_ref(struct osspi_slot *slot)
{
    atomic_fetch_add_explicit(&slot->word, 1, memory_order_relaxed);
}

/* DESTROYING -> FREE, at the end of the line. Under the lock as a whole, so that mending after a
 * fork finds the slot either not yet free or in line, never both. */
static void give_back(struct osspi_table *table, struct osspi_slot *slot)
{
    uint64_t word;

    OSSPI_LOCKED(&table->lock);
    mend_after_fork_locked(table);
    /* Stale look-ups may come and go meanwhile: only state and our own reference change. */
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&slot->word, &word,
                                                  ((word & ~STATE_MASK) | STATE_FREE) - 1,
                                                  memory_order_acq_rel, memory_order_relaxed))
        ;
    line_push_locked(table, slot);
}

void osspi_slot_unref(struct osspi_table *table, struct osspi_slot *slot)
{
    uint64_t word = atomic_fetch_sub_explicit(&slot->word, 1, memory_order_acq_rel) - 1;

    /* DESTROYING with one reference, ours: no stale look-up's last reference destroys it again. */
    while ((word & STATE_MASK) == STATE_DEAD && (word & REFS_MASK) == 0) {
        if (atomic_compare_exchange_weak_explicit(&slot->word, &word,
                                                  (word & ~STATE_MASK) | STATE_DESTROYING | 1,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            if (table->destroy)
                table->destroy(slot);
            give_back(table, slot);
            return;
        }
    }
}

uint32_t osspi_table_live(const struct osspi_table *table)
{
    return atomic_load_explicit(&table->live_count, memory_order_relaxed);
}

/* A reference on whatever object the slot holds, retired or not; false: none. */
static bool hold(struct osspi_table *table, struct osspi_slot *slot)
{
    uint64_t before = atomic_fetch_add_explicit(&slot->word, 1, memory_order_acquire);
    uint64_t state = before & STATE_MASK;

    if (state == STATE_LIVE || state == STATE_DEAD)
        return true;
    osspi_slot_unref(table, slot);
    return false;
}

void osspi_table_visit(struct osspi_table *table, void (*visit)(struct osspi_slot *, void *),
                       void *data)
{
    for (uint32_t c = 0; c < OSSPI_TABLE_CHUNKS && atomic_load(&table->chunks[c]); c++) {
        for (uint32_t i = 0; i < OSSPI_TABLE_CHUNK; i++) {
            struct osspi_slot *slot = osspi_table_slot(table, c * OSSPI_TABLE_CHUNK + i);

            if (!hold(table, slot))
                continue;
            visit(slot, data);
            osspi_slot_unref(table, slot);
        }
    }
}
