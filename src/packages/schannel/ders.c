/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Shared lists of DER objects; see ders.h.
 *
 * A list hangs on one of many boards, by its hash, while somebody has a reference. The boards hold
 * no references themselves, so they are no larger than what is in use. A board is looked through up
 * to a limit: a peer that brings many lists which collide loses nothing but the sharing.
 */
#include "packages/schannel/ders.h"

#include <string.h>

#include "base/lock.h"
#include "base/memory.h"

#define BOARDS    1024u
#define MAX_DEPTH 16u

static struct board {
    struct osspi_lock lock;
    uint32_t epoch;           /* fork epoch of the list; guarded by lock */
    struct osspi_ders *first; /* guarded by lock */
} boards[BOARDS];

/* ---- what is in a list ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

static uint64_t hash_of(const struct osspi_der_view *views, size_t count)
{
    uint64_t hash = mix(0, count);

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        uint64_t word;

        for (; views[i].len - at >= sizeof(word); at += sizeof(word)) {
            memcpy(&word, views[i].bytes + at, sizeof(word));
            hash = mix(hash, word);
        }
        word = 0;
        if (views[i].len > at)
            memcpy(&word, views[i].bytes + at, views[i].len - at);
        hash = mix(mix(hash, word), views[i].len);
    }
    return hash;
}

static bool is_equal(const struct osspi_ders *ders, uint64_t hash,
                     const struct osspi_der_view *views, size_t count)
{
    if (ders->hash != hash || ders->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (ders->items[i].len != views[i].len ||
            (views[i].len > 0 && memcmp(ders->items[i].bytes, views[i].bytes, views[i].len) != 0))
            return false;
    }
    return true;
}

/* One block: the list, the items, the bytes of all items. */
static struct osspi_ders *copy(const struct osspi_der_view *views, size_t count, uint64_t hash)
{
    struct osspi_ders *ders;
    size_t size;
    uint8_t *at;

    if (__builtin_mul_overflow(count, sizeof(ders->items[0]), &size) ||
        __builtin_add_overflow(size, sizeof(*ders), &size))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (__builtin_add_overflow(size, views[i].len, &size))
            return NULL;
    }
    ders = osspi_alloc(size);
    if (!ders)
        return NULL;
    atomic_init(&ders->references, 1);
    ders->hash = hash;
    ders->count = count;
    at = (uint8_t *)(ders->items + count);
    for (size_t i = 0; i < count; i++) {
        ders->items[i] = (struct osspi_der){at, views[i].len};
        if (views[i].len > 0)
            memcpy(at, views[i].bytes, views[i].len);
        at += views[i].len;
    }
    return ders;
}

/* ---- boards ---- */

/* What hangs there in a child may be half written: the child leaves it to its owners. */
static void mend_after_fork_locked(struct board *board)
{
    if (board->epoch == osspi_fork_epoch())
        return;
    board->epoch = osspi_fork_epoch();
    board->first = NULL;
}

/* A reference, unless the last one is gone and its owner only waits for the board. */
static bool hold(struct osspi_ders *ders)
{
    uint32_t references = atomic_load_explicit(&ders->references, memory_order_relaxed);

    while (references > 0) {
        if (atomic_compare_exchange_weak_explicit(&ders->references, &references, references + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    }
    return false;
}

struct osspi_ders *osspi_ders_share(const struct osspi_der_view *views, size_t count)
{
    uint64_t hash = hash_of(views, count);
    struct board *board = &boards[hash % BOARDS];
    struct osspi_ders *ders;
    uint32_t depth = 0;

    OSSPI_LOCKED(&board->lock);
    mend_after_fork_locked(board);
    for (ders = board->first; ders; ders = ders->next, depth++) {
        if (is_equal(ders, hash, views, count) && hold(ders))
            return ders;
    }
    ders = copy(views, count, hash);
    if (!ders || depth >= MAX_DEPTH)
        return ders;
    ders->shared = true;
    ders->next = board->first;
    board->first = ders;
    return ders;
}

static void take_down(struct osspi_ders *ders)
{
    struct board *board = &boards[ders->hash % BOARDS];
    struct osspi_ders **place = &board->first;

    OSSPI_LOCKED(&board->lock);
    mend_after_fork_locked(board);
    /* One of the parent's hangs on no board of the child's. */
    while (*place && *place != ders)
        place = &(*place)->next;
    if (*place)
        *place = ders->next;
}

struct osspi_ders *osspi_ders_ref(struct osspi_ders *ders)
{
    if (ders)
        atomic_fetch_add_explicit(&ders->references, 1, memory_order_relaxed);
    return ders;
}

void osspi_ders_unref(struct osspi_ders *ders)
{
    if (!ders || atomic_fetch_sub_explicit(&ders->references, 1, memory_order_acq_rel) != 1)
        return;
    if (ders->shared)
        take_down(ders);
    osspi_free(ders);
}

void osspi_ders_unrefp(struct osspi_ders **ders)
{
    osspi_ders_unref(*ders);
}
