/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A fixed table of what was found out; see shelf.h. Keys are hashes, so any bits of one choose a
 * board evenly, unless somebody looks for keys that meet: then he drives out what he shares a board
 * with, and it has to be found out again.
 */
#include "cert/shelf.h"

#include <string.h>
#include <time.h>

static struct osspi_shelf_board *board_of(struct osspi_shelf *shelf, const uint8_t *key)
{
    return &shelf->boards[(key[0] | (uint32_t)key[1] << 8) % OSSPI_SHELF_BOARDS];
}

static int64_t until_of(const struct osspi_shelf_entry *entry)
{
    return atomic_load_explicit(&entry->until, memory_order_relaxed);
}

static struct osspi_shelf_entry *find_locked(struct osspi_shelf_board *board, const uint8_t *key)
{
    for (uint32_t i = 0; i < OSSPI_SHELF_WIDTH; i++) {
        struct osspi_shelf_entry *entry = &board->entries[i];
        if (until_of(entry) != 0 && memcmp(entry->key, key, OSSPI_SHELF_KEY) == 0)
            return entry;
    }
    return NULL;
}

/* The place of the key; else the one whose content ends first, an empty one before all. */
static struct osspi_shelf_entry *place_locked(struct osspi_shelf_board *board, const uint8_t *key)
{
    struct osspi_shelf_entry *place = find_locked(board, key);

    if (place != NULL)
        return place;
    place = &board->entries[0];
    for (uint32_t i = 1; i < OSSPI_SHELF_WIDTH; i++) {
        if (until_of(&board->entries[i]) < until_of(place))
            place = &board->entries[i];
    }
    return place;
}

void osspi_shelf_put(struct osspi_shelf *shelf, const uint8_t key[OSSPI_SHELF_KEY], int64_t value,
                     int64_t until)
{
    struct osspi_shelf_board *board = board_of(shelf, key);

    if (until <= (int64_t)time(NULL))
        return;
    OSSPI_LOCKED(&board->lock);
    struct osspi_shelf_entry *entry = place_locked(board, key);
    atomic_store_explicit(&entry->until, 0, memory_order_seq_cst);
    entry->value = value;
    memcpy(entry->key, key, OSSPI_SHELF_KEY);
    atomic_store_explicit(&entry->until, until, memory_order_release);
}

bool osspi_shelf_get(struct osspi_shelf *shelf, const uint8_t key[OSSPI_SHELF_KEY],
                     int64_t *ret_value, int64_t *ret_until)
{
    struct osspi_shelf_board *board = board_of(shelf, key);

    OSSPI_LOCKED(&board->lock);
    const struct osspi_shelf_entry *entry = find_locked(board, key);
    if (entry == NULL || until_of(entry) <= (int64_t)time(NULL))
        return false;
    *ret_value = entry->value;
    if (ret_until != NULL)
        *ret_until = until_of(entry);
    return true;
}

void osspi_shelf_empty(struct osspi_shelf *shelf)
{
    for (uint32_t i = 0; i < OSSPI_SHELF_BOARDS; i++) {
        OSSPI_LOCKED(&shelf->boards[i].lock);
        for (uint32_t j = 0; j < OSSPI_SHELF_WIDTH; j++)
            atomic_store_explicit(&shelf->boards[i].entries[j].until, 0, memory_order_release);
    }
}
