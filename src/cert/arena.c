/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The arena; see arena.h. A chain of blocks, each zeroed when it is made; a piece that does not fit
 * into the newest block gets a new one, and what was left of the old one stays unused.
 */
#include "cert/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/memory.h"

/* Holds the CERT_INFO of an ordinary certificate with all that it points to. */
#define BLOCK_SIZE 4096u

struct osspi_arena_block {
    struct osspi_arena_block *older;
    alignas(max_align_t) uint8_t bytes[];
};

static int add_block(struct osspi_arena *arena, size_t size)
{
    size_t bytes = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct osspi_arena_block *block;

    if (bytes > SIZE_MAX - sizeof(*block))
        return 0;
    block = osspi_alloc(sizeof(*block) + bytes);
    if (!block)
        return 0;
    block->older = arena->blocks;
    arena->blocks = block;
    arena->next = block->bytes;
    arena->left = bytes;
    return 1;
}

void *osspi_arena_take(struct osspi_arena *arena, size_t size)
{
    size_t step = alignof(max_align_t);
    size_t whole;
    void *piece;

    if (size > SIZE_MAX - step)
        return NULL;
    whole = (size + step - 1) / step * step;
    if (whole == 0)
        whole = step;
    if (whole > arena->left && !add_block(arena, whole))
        return NULL;
    piece = arena->next;
    arena->next += whole;
    arena->left -= whole;
    return piece;
}

void *osspi_arena_take_array(struct osspi_arena *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return osspi_arena_take(arena, total);
}

void *osspi_arena_copy(struct osspi_arena *arena, const void *bytes, size_t len)
{
    void *copy = osspi_arena_take(arena, len);

    if (copy && len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

void osspi_arena_clear(struct osspi_arena *arena)
{
    while (arena->blocks) {
        struct osspi_arena_block *older = arena->blocks->older;

        osspi_free(arena->blocks);
        arena->blocks = older;
    }
    *arena = (struct osspi_arena){0};
}
