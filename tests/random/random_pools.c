/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handles that all threads of the driver share, and choices; see random.h.
 *
 * A pool remembers what it held before, so that stale handles are as common as live ones are
 * likely to become stale. Store and queue handles are one word, kept in dwLower.
 */
#include <stdlib.h>
#include <string.h>

#include "random/random.h"

#define LIVE  16u
#define STALE 64u

static struct pool {
    pthread_mutex_t lock; /* guards all below */
    SecHandle live[LIVE];
    bool used[LIVE];
    SecHandle stale[STALE]; /* freed ones, and those that are somebody's own */
    unsigned next_stale;
} pools[RANDOM_POOLS] = {
    {.lock = PTHREAD_MUTEX_INITIALIZER},
    {.lock = PTHREAD_MUTEX_INITIALIZER},
    {.lock = PTHREAD_MUTEX_INITIALIZER},
    {.lock = PTHREAD_MUTEX_INITIALIZER},
};

/* ---- choices ---- */

uint32_t random_below(struct random_thread *thread, uint32_t bound)
{
    return bound ? (uint32_t)(test_random(&thread->state) >> 16) % bound : 0;
}

bool random_chance(struct random_thread *thread, unsigned percent)
{
    return random_below(thread, 100) < percent;
}

/* ---- picking ---- */

static SecHandle any_of(struct random_thread *thread, struct pool *pool)
{
    unsigned first = random_below(thread, LIVE);
    SecHandle value = {0};

    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < LIVE; i++) {
        if (pool->used[(first + i) % LIVE]) {
            value = pool->live[(first + i) % LIVE];
            break;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return value;
}

static SecHandle stale_of(struct random_thread *thread, struct pool *pool)
{
    unsigned at = random_below(thread, STALE);
    SecHandle value;

    pthread_mutex_lock(&pool->lock);
    value = pool->stale[at];
    pthread_mutex_unlock(&pool->lock);
    return value;
}

static SecHandle made_up(struct random_thread *thread)
{
    switch (random_below(thread, 4)) {
    case 0:
        return (SecHandle){0};
    case 1:
        return (SecHandle){(ULONG_PTR)-1, (ULONG_PTR)-1};
    case 2:
        return (SecHandle){random_below(thread, 64), random_below(thread, 64)};
    default:
        return (SecHandle){test_random(&thread->state), test_random(&thread->state)};
    }
}

struct random_handle random_pick(struct random_thread *thread, enum random_pool pool)
{
    unsigned kind = random_below(thread, 100);

    if (kind < 72)
        return (struct random_handle){.value = any_of(thread, &pools[pool])};
    if (kind < 88)
        return (struct random_handle){.value = stale_of(thread, &pools[pool])};
    if (kind < 92)
        return (struct random_handle){
            .value = any_of(thread, &pools[random_below(thread, RANDOM_POOLS)])};
    if (kind < 97)
        return (struct random_handle){.value = made_up(thread)};
    return (struct random_handle){.null = true};
}

SecHandle *random_arg(struct random_handle *handle)
{
    return handle->null ? NULL : &handle->value;
}

/* ---- coming and going ---- */

static void note_stale_locked(struct pool *pool, SecHandle value)
{
    pool->stale[pool->next_stale++ % STALE] = value;
}

bool random_put(struct random_thread *thread, enum random_pool which, SecHandle value,
                SecHandle *ret_left)
{
    struct pool *pool = &pools[which];
    unsigned at = random_below(thread, LIVE);
    bool left;

    pthread_mutex_lock(&pool->lock);
    left = pool->used[at];
    if (left) {
        *ret_left = pool->live[at];
        note_stale_locked(pool, pool->live[at]);
    }
    pool->live[at] = value;
    pool->used[at] = true;
    pthread_mutex_unlock(&pool->lock);
    return left;
}

struct random_handle random_take(struct random_thread *thread, enum random_pool which)
{
    struct pool *pool = &pools[which];
    unsigned at = random_below(thread, LIVE);
    struct random_handle taken = {{0}, false};
    bool found;

    if (random_chance(thread, 30)) {
        struct random_handle any = {.value = stale_of(thread, pool),
                                    .null = random_chance(thread, 10)};

        return random_chance(thread, 50)
                   ? any
                   : (struct random_handle){.value = made_up(thread), .null = any.null};
    }
    pthread_mutex_lock(&pool->lock);
    found = pool->used[at];
    if (found) {
        taken.value = pool->live[at];
        pool->used[at] = false;
        note_stale_locked(pool, taken.value);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

bool random_drain(enum random_pool which, SecHandle *ret_value)
{
    struct pool *pool = &pools[which];
    bool found = false;

    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < LIVE && !found; i++) {
        found = pool->used[i];
        if (found) {
            *ret_value = pool->live[i];
            pool->used[i] = false;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

void random_publish(enum random_pool which, SecHandle value)
{
    pthread_mutex_lock(&pools[which].lock);
    note_stale_locked(&pools[which], value);
    pthread_mutex_unlock(&pools[which].lock);
}

void random_pools_lock(void)
{
    for (unsigned i = 0; i < RANDOM_POOLS; i++)
        pthread_mutex_lock(&pools[i].lock);
}

void random_pools_unlock(void)
{
    for (unsigned i = RANDOM_POOLS; i-- > 0;)
        pthread_mutex_unlock(&pools[i].lock);
}
