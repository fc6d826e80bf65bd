/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A server's sessions by id; see id_cache.h. One lock guards everything; a single one that is
 * dropped is wiped and freed behind it.
 *
 * Entries stand in a ring in the order in which they came, so the next place is that of the oldest.
 * An entry is whole before the ring names it, and the ring forgets it before it is freed: a forked
 * child can walk the ring whatever the parent was doing, and wipe all that it finds.
 */
#include "packages/schannel/id_cache.h"

#include <string.h>

#include "base/lock.h"
#include "base/memory.h"

#define BUCKETS 4096u

struct entry {
    uint32_t next;  /* in the bucket: place + 1, 0: the last one */
    uint32_t place; /* in the ring */
    bool enabled;
    uint8_t id_len;
    uint8_t id[OSSPI_ID_CACHE_MAX_ID];
    uint64_t owner;
    int64_t until;
    size_t len;
    uint8_t bytes[];
};

static struct {
    struct osspi_lock lock;
    uint32_t epoch;
    uint32_t count;
    uint32_t place; /* the next one to be filled */
    uint32_t buckets[BUCKETS];
    struct entry *_Atomic ring[OSSPI_ID_CACHE_SIZE];
} cache; /* guarded by its lock */

static void free_entry(struct entry *entry)
{
    if (entry != NULL)
        osspi_secret_free(entry, sizeof(*entry) + entry->len);
}

static void free_entryp(struct entry **entry)
{
    free_entry(*entry);
}

/* ---- the structure; the lock is held ---- */

static void start_afresh_locked(void)
{
    if (cache.epoch == osspi_fork_epoch())
        return;
    for (uint32_t i = 0; i < OSSPI_ID_CACHE_SIZE; i++) {
        struct entry *entry = atomic_load_explicit(&cache.ring[i], memory_order_relaxed);

        atomic_store_explicit(&cache.ring[i], NULL, memory_order_relaxed);
        free_entry(entry);
    }
    memset(cache.buckets, 0, sizeof(cache.buckets));
    cache.count = cache.place = 0;
    cache.epoch = osspi_fork_epoch();
}

static struct entry *at(uint32_t place)
{
    return atomic_load_explicit(&cache.ring[place], memory_order_relaxed);
}

/* Ids that are in here were chosen at random by ourselves: their first bytes are hash enough. */
static uint32_t *bucket_of(const uint8_t *id, size_t id_len)
{
    uint32_t hash = 0;

    memcpy(&hash, id, id_len < sizeof(hash) ? id_len : sizeof(hash));
    return &cache.buckets[hash % BUCKETS];
}

static struct entry *find_locked(const uint8_t *id, size_t id_len)
{
    if (id_len == 0 || id_len > OSSPI_ID_CACHE_MAX_ID)
        return NULL;
    for (uint32_t link = *bucket_of(id, id_len); link != 0; link = at(link - 1)->next) {
        struct entry *entry = at(link - 1);

        if (entry->id_len == id_len && memcmp(entry->id, id, id_len) == 0)
            return entry;
    }
    return NULL;
}

/* The caller frees what it gets. NULL is a no-op. */
static struct entry *take_locked(struct entry *entry)
{
    uint32_t *link;

    if (entry == NULL)
        return NULL;
    link = bucket_of(entry->id, entry->id_len);
    while (*link != entry->place + 1)
        link = &at(*link - 1)->next;
    *link = entry->next;
    atomic_store_explicit(&cache.ring[entry->place], NULL, memory_order_release);
    cache.count--;
    return entry;
}

static void put_locked(struct entry *entry)
{
    uint32_t *bucket = bucket_of(entry->id, entry->id_len);

    entry->place = cache.place;
    entry->next = *bucket;
    cache.place = (cache.place + 1) % OSSPI_ID_CACHE_SIZE;
    atomic_store_explicit(&cache.ring[entry->place], entry, memory_order_release);
    *bucket = entry->place + 1;
    cache.count++;
}

/* ---- what is asked of it ---- */

static struct entry *make_entry(const struct osspi_id_session *session)
{
    struct entry *entry = osspi_alloc(sizeof(*entry) + session->len);

    if (entry == NULL)
        return NULL;
    entry->enabled = session->enabled;
    entry->id_len = (uint8_t)session->id_len;
    memcpy(entry->id, session->id, session->id_len);
    entry->owner = session->owner;
    entry->until = session->until;
    entry->len = session->len;
    memcpy(entry->bytes, session->bytes, session->len);
    return entry;
}

bool osspi_id_cache_keep(const struct osspi_id_session *session, int64_t now)
{
    struct entry *same osspi_auto(free_entryp) = NULL;
    struct entry *oldest osspi_auto(free_entryp) = NULL;
    struct entry *entry;

    if (session->id_len == 0 || session->id_len > OSSPI_ID_CACHE_MAX_ID || session->len == 0 ||
        session->len > OSSPI_ID_CACHE_MAX_BYTES || now >= session->until)
        return false;
    entry = make_entry(session);
    if (entry == NULL)
        return false;
    OSSPI_LOCKED(&cache.lock);
    start_afresh_locked();
    same = take_locked(find_locked(session->id, session->id_len));
    oldest = take_locked(at(cache.place));
    put_locked(entry);
    return true;
}

uint8_t *osspi_id_cache_find(const uint8_t *id, size_t id_len, int64_t now, size_t *ret_len)
{
    struct entry *expired osspi_auto(free_entryp) = NULL;
    uint8_t *bytes;

    OSSPI_LOCKED(&cache.lock);
    start_afresh_locked();
    struct entry *entry = find_locked(id, id_len);
    if (entry != NULL && now >= entry->until) {
        expired = take_locked(entry);
        return NULL;
    }
    if (entry == NULL || !entry->enabled)
        return NULL;
    bytes = osspi_memdup(entry->bytes, entry->len);
    *ret_len = entry->len;
    return bytes;
}

bool osspi_id_cache_enable(const uint8_t *id, size_t id_len, bool enabled)
{
    OSSPI_LOCKED(&cache.lock);
    start_afresh_locked();
    struct entry *entry = find_locked(id, id_len);
    if (entry != NULL)
        entry->enabled = enabled;
    return entry != NULL;
}

void osspi_id_cache_drop(const uint8_t *id, size_t id_len)
{
    struct entry *dropped osspi_auto(free_entryp) = NULL;

    OSSPI_LOCKED(&cache.lock);
    start_afresh_locked();
    dropped = take_locked(find_locked(id, id_len));
}

/* NULL: of all. */
static void drop_those_of(const uint64_t *owner)
{
    OSSPI_LOCKED(&cache.lock);
    start_afresh_locked();
    for (uint32_t i = 0; cache.count > 0 && i < OSSPI_ID_CACHE_SIZE; i++) {
        struct entry *entry = at(i);

        if (entry != NULL && (owner == NULL || entry->owner == *owner))
            free_entry(take_locked(entry));
    }
}

void osspi_id_cache_forget(uint64_t owner)
{
    drop_those_of(&owner);
}

void osspi_id_cache_empty(void)
{
    drop_those_of(NULL);
}

uint32_t osspi_id_cache_count(void)
{
    OSSPI_LOCKED(&cache.lock);
    start_afresh_locked();
    return cache.count;
}
