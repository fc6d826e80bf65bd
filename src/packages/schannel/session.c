/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client's session cache; see session.h. One lock guards everything; what is dropped is freed
 * behind it. A list from newest to oldest serves as the order of eviction, buckets by name find.
 */
#include "packages/schannel/session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/foreign.h"
#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/id_cache.h"
#include "packages/schannel/name.h"
#include "packages/schannel/shard.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/verify.h"

#define BUCKETS      512u
#define MAX_SESSIONS 1024u
#define MAX_PER_NAME 8u /* enough for as many connections at once to resume */

struct entry {
    struct osspi_abandoned abandoned; /* first member */
    struct entry *newer, *older;      /* the list of all */
    struct entry *next;               /* in the bucket, newest first */
    uint64_t credential_id;
    char *target;
    uint32_t shard;
    bool once; /* a TLS 1.3 ticket */
    int64_t usable_until;
    SSL_SESSION *session;
    struct osspi_session_origin origin;
};

static struct {
    struct osspi_lock lock;
    uint32_t epoch;
    uint32_t count;
    struct entry *newest, *oldest;
    struct entry *buckets[BUCKETS];
} cache; /* guarded by its lock */

/* ---- the structure; the lock is held ---- */

/* The parent's entries are its shards' objects: out of reach, not freed. */
static void start_afresh_locked(void)
{
    if (cache.epoch == osspi_fork_epoch())
        return;
    if (cache.newest != NULL)
        osspi_shard_abandon(&cache.newest->abandoned);
    cache.newest = cache.oldest = NULL;
    memset(cache.buckets, 0, sizeof(cache.buckets));
    cache.count = 0;
    cache.epoch = osspi_fork_epoch();
}

static struct entry **bucket_of(uint64_t credential_id, const char *target)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ credential_id; /* FNV-1a */

    for (const char *c = target; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    return &cache.buckets[(hash ^ hash >> 32) % BUCKETS];
}

static bool is_named(const struct entry *entry, const struct osspi_session_name *name)
{
    return entry->credential_id == name->credential_id && strcmp(entry->target, name->target) == 0;
}

static void link_locked(struct entry *entry)
{
    struct entry **bucket = bucket_of(entry->credential_id, entry->target);

    entry->next = *bucket;
    *bucket = entry;
    entry->newer = NULL;
    entry->older = cache.newest;
    if (cache.newest != NULL)
        cache.newest->newer = entry;
    else
        cache.oldest = entry;
    cache.newest = entry;
    cache.count++;
}

static void unlink_locked(struct entry *entry)
{
    struct entry **link = bucket_of(entry->credential_id, entry->target);

    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        cache.newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        cache.oldest = entry->newer;
    cache.count--;
}

/* Moves an entry out of the cache onto a list for free_dropped(). */
static void drop_locked(struct entry *entry, struct entry **dropped)
{
    unlink_locked(entry);
    entry->next = *dropped;
    *dropped = entry;
}

static void free_dropped(struct entry *dropped)
{
    while (dropped != NULL) {
        struct entry *next = dropped->next;
        OSSPI_IN_SHARD(osspi_shard_get(dropped->shard));
        SSL_SESSION_free(dropped->session);
        osspi_free(dropped->target);
        osspi_free(dropped);
        dropped = next;
    }
}

/* ---- storing ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The older function is deprecated where the newer one exists. */
static int64_t made_at(const SSL_SESSION *session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
    return SSL_SESSION_get_time_ex(session);
#else
    return SSL_SESSION_get_time(session);
#endif
}

/* Own lifetime, the server's hint for the ticket, the lifespan since the first handshake and the
 * chain's validity: whichever ends first. */
static int64_t last_use(const SSL_SESSION *session, const struct osspi_session_origin *origin)
{
    const int64_t made = made_at(session);
    const unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(session);
    int64_t end = least(origin->expires, origin->not_after);

    end = least(end, made + SSL_SESSION_get_timeout(session));
    if (hint > 0 || SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION)
        end = least(end, made + (int64_t)least((int64_t)hint, INT32_MAX));
    return end;
}

static void make_room_locked(const struct osspi_session_name *name, bool once,
                             struct entry **dropped)
{
    struct entry *oldest_of_name = NULL;
    uint32_t of_name = 0;

    for (struct entry *entry = *bucket_of(name->credential_id, name->target); entry != NULL;
         entry = entry->next) {
        if (is_named(entry, name)) {
            of_name++;
            oldest_of_name = entry;
        }
    }
    /* A session that may serve again and again needs no siblings. */
    if (oldest_of_name != NULL && (of_name >= MAX_PER_NAME || !once))
        drop_locked(oldest_of_name, dropped);
    else if (cache.count >= MAX_SESSIONS)
        drop_locked(cache.oldest, dropped);
}

void osspi_session_store(const struct osspi_session_name *name, uint32_t shard,
                         SSL_SESSION *session, const struct osspi_session_origin *origin)
{
    struct entry *dropped = NULL;
    struct entry *entry = osspi_alloc(sizeof(*entry));
    char *target = osspi_strdup(name->target);
    const int64_t until = last_use(session, origin);

    if (entry == NULL || target == NULL || until <= (int64_t)time(NULL)) {
        osspi_free(entry);
        osspi_free(target);
        SSL_SESSION_free(session);
        return;
    }
    entry->credential_id = name->credential_id;
    entry->target = target;
    entry->shard = shard;
    entry->once = SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION;
    entry->usable_until = until;
    entry->session = session;
    entry->origin = *origin;

    osspi_lock_acquire(&cache.lock);
    start_afresh_locked();
    make_room_locked(name, entry->once, &dropped);
    link_locked(entry);
    osspi_lock_release(&cache.lock);
    free_dropped(dropped);
}

/* ---- finding ---- */

static bool may_serve(const struct entry *entry, bool chain, bool check_name)
{
    return (!chain || entry->origin.chain_verified) && (!check_name || entry->origin.name_verified);
}

/* The newest that may serve, of the preferred shard if it has one; drops what is past its time. */
static struct entry *find_locked(const struct osspi_session_name *name, bool chain, bool check_name,
                                 uint32_t shard, struct entry **dropped)
{
    struct entry *found = NULL, *next;
    const int64_t now = (int64_t)time(NULL);

    for (struct entry *entry = *bucket_of(name->credential_id, name->target); entry != NULL;
         entry = next) {
        next = entry->next;
        if (!is_named(entry, name))
            continue;
        if (now >= entry->usable_until)
            drop_locked(entry, dropped);
        else if (may_serve(entry, chain, check_name) &&
                 (found == NULL || (found->shard != shard && entry->shard == shard)))
            found = entry;
    }
    return found;
}

SSL_SESSION *osspi_session_take(const struct osspi_session_name *name, bool chain, bool check_name,
                                uint32_t *shard, struct osspi_session_origin *ret_origin)
{
    SSL_SESSION *session = NULL;
    struct entry *dropped = NULL;

    /* Before the lock: who holds it must not wait for a fork that waits for who wants it. */
    osspi_foreign_enter();
    osspi_lock_acquire(&cache.lock);
    start_afresh_locked();
    struct entry *entry = find_locked(name, chain, check_name, *shard, &dropped);
    if (entry != NULL) {
        *shard = entry->shard;
        *ret_origin = entry->origin;
        if (entry->once) {
            session = OSSPI_TAKE(entry->session);
            drop_locked(entry, &dropped);
        } else {
            /* A copy, so that no two connections ever hold the same object. */
            OSSPI_IN_SHARD(osspi_shard_get(entry->shard));
            session = SSL_SESSION_dup(entry->session);
        }
    }
    osspi_lock_release(&cache.lock);
    osspi_foreign_leave();
    free_dropped(dropped);
    return session;
}

/* ---- dropping ---- */

/* NULL means any. */
static void drop_matching(const uint64_t *credential_id, const char *target)
{
    struct entry *dropped = NULL, *older;

    osspi_lock_acquire(&cache.lock);
    start_afresh_locked();
    for (struct entry *entry = cache.newest; entry != NULL; entry = older) {
        older = entry->older;
        if ((credential_id == NULL || entry->credential_id == *credential_id) &&
            (target == NULL || strcmp(entry->target, target) == 0))
            drop_locked(entry, &dropped);
    }
    osspi_lock_release(&cache.lock);
    free_dropped(dropped);
}

void osspi_session_forget(const struct osspi_session_name *name)
{
    drop_matching(&name->credential_id, name->target);
}

void osspi_session_forget_credential(uint64_t credential_id)
{
    drop_matching(&credential_id, NULL);
    osspi_id_cache_forget(osspi_session_credential(credential_id));
}

uint32_t osspi_session_count(void)
{
    OSSPI_LOCKED(&cache.lock);
    start_afresh_locked();
    return cache.count;
}

void osspi_schannel_empty_cache(const char *target)
{
    char name[OSSPI_NAME_SIZE];
    bool is_ip;

    if (target == NULL) {
        drop_matching(NULL, NULL);
        osspi_id_cache_empty();
        osspi_verify_forget();
        return;
    }
    if (osspi_name_normalise(target, name, &is_ip) == SEC_E_OK)
        drop_matching(NULL, name);
    else
        drop_matching(NULL, target);
}
