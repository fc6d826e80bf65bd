/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The strike register; see strike.h. One lock guards everything.
 *
 * All stay equally long, so they stand in a ring in the order of their end, and a chain for each
 * hash finds them. Ids come from the network: the hash is a sum of products with random numbers
 * (multilinear), so that nobody can choose ids that meet in one chain.
 */
#include "packages/schannel/strike.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/lock.h"
#include "base/memory.h"

#define BUCKETS 16384u
#define WORDS   (OSSPI_STRIKE_ID / sizeof(uint32_t))

struct strike {
    uint8_t id[OSSPI_STRIKE_ID];
    int64_t until; /* steady seconds */
    uint32_t next; /* in the chain: place + 1, 0: the last one */
};

struct ring {
    uint64_t factors[WORDS + 1];
    uint32_t buckets[BUCKETS];
    struct strike places[OSSPI_STRIKE_SIZE];
};

static struct {
    struct osspi_lock lock;
    uint32_t epoch;
    struct ring *ring; /* NULL: not started */
    uint32_t oldest, count;
    struct osspi_strike_time started;
    int64_t latest_wall; /* that was seen */
} strikes;               /* guarded by its lock */

struct osspi_strike_time osspi_strike_now(void)
{
    struct timespec steady = {0};

    /* Time during which the machine sleeps counts: it makes tickets older as well. */
    (void)clock_gettime(CLOCK_BOOTTIME, &steady);
    return (struct osspi_strike_time){.wall = (int64_t)time(NULL), .steady = steady.tv_sec};
}

/* ---- the structure; the lock is held ---- */

/* What the parent of a fork has written may be half done. */
static void start_afresh_locked(void)
{
    if (strikes.epoch == osspi_fork_epoch())
        return;
    osspi_free(OSSPI_TAKE(strikes.ring));
    strikes.oldest = strikes.count = 0;
    strikes.epoch = osspi_fork_epoch();
}

static struct ring *new_ring(void)
{
    struct ring *ring = osspi_alloc(sizeof(*ring));

    if (ring != NULL &&
        getrandom(ring->factors, sizeof(ring->factors), 0) != (ssize_t)sizeof(ring->factors)) {
        osspi_free(ring);
        ring = NULL;
    }
    return ring;
}

static bool start_locked(const struct osspi_strike_time *now)
{
    if (strikes.ring != NULL)
        return true;
    strikes.ring = new_ring();
    strikes.started = *now;
    strikes.latest_wall = now->wall;
    return strikes.ring != NULL;
}

static uint32_t *bucket_locked(const uint8_t id[OSSPI_STRIKE_ID])
{
    uint32_t words[WORDS];
    uint64_t sum = strikes.ring->factors[WORDS];

    memcpy(words, id, sizeof(words));
    for (size_t i = 0; i < WORDS; i++)
        sum += strikes.ring->factors[i] * words[i];
    return &strikes.ring->buckets[(sum >> 32) % BUCKETS];
}

static bool is_known_locked(const uint8_t id[OSSPI_STRIKE_ID])
{
    const struct strike *strike;

    for (uint32_t link = *bucket_locked(id); link != 0; link = strike->next) {
        strike = &strikes.ring->places[link - 1];
        if (memcmp(strike->id, id, OSSPI_STRIKE_ID) == 0)
            return true;
    }
    return false;
}

static void forget_oldest_locked(void)
{
    const struct strike *strike = &strikes.ring->places[strikes.oldest];
    uint32_t *link = bucket_locked(strike->id);

    while (*link != strikes.oldest + 1)
        link = &strikes.ring->places[*link - 1].next;
    *link = strike->next;
    strikes.oldest = (strikes.oldest + 1) % OSSPI_STRIKE_SIZE;
    strikes.count--;
}

static void remember_locked(const uint8_t id[OSSPI_STRIKE_ID], int64_t until)
{
    const uint32_t place = (strikes.oldest + strikes.count) % OSSPI_STRIKE_SIZE;
    struct strike *strike = &strikes.ring->places[place];
    uint32_t *bucket = bucket_locked(id);

    memcpy(strike->id, id, OSSPI_STRIKE_ID);
    strike->until = until;
    strike->next = *bucket;
    *bucket = place + 1;
    strikes.count++;
}

/* Would a ClientHello from before be remembered now, if it were still good? */
static bool is_reliable_locked(int64_t issued, const struct osspi_strike_time *now)
{
    /* Put back, the clock makes old ones good again. A second is what OpenSSL counts in. */
    if (now->wall + 1 < strikes.latest_wall)
        return false;
    if (now->wall > strikes.latest_wall)
        strikes.latest_wall = now->wall;
    return issued >= strikes.started.wall ||
           now->steady - strikes.started.steady >= OSSPI_STRIKE_WINDOW_S;
}

/* ---- what is asked of it ---- */

bool osspi_strike_start(const struct osspi_strike_time *now)
{
    OSSPI_LOCKED(&strikes.lock);
    start_afresh_locked();
    return start_locked(now);
}

bool osspi_strike(const uint8_t id[OSSPI_STRIKE_ID], int64_t issued,
                  const struct osspi_strike_time *now)
{
    OSSPI_LOCKED(&strikes.lock);
    start_afresh_locked();
    if (!start_locked(now) || !is_reliable_locked(issued, now))
        return false;
    while (strikes.count > 0 && now->steady >= strikes.ring->places[strikes.oldest].until)
        forget_oldest_locked();
    if (strikes.count == OSSPI_STRIKE_SIZE || is_known_locked(id))
        return false;
    remember_locked(id, now->steady + OSSPI_STRIKE_WINDOW_S);
    return true;
}

uint32_t osspi_strike_count(void)
{
    OSSPI_LOCKED(&strikes.lock);
    start_afresh_locked();
    return strikes.count;
}

void osspi_strike_reset(void)
{
    OSSPI_LOCKED(&strikes.lock);
    osspi_free(OSSPI_TAKE(strikes.ring));
    strikes.oldest = strikes.count = 0;
}
