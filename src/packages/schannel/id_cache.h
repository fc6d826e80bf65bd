/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a server keeps for clients of TLS 1.2 that come without tickets and name a session by its id
 * (RFC 5246, 7.3): one cache for the process, behind all shards.
 *
 * Sessions are bytes here, because nobody knows the shard of the connection that will come back
 * before its ClientHello is read. They hold the master secret: entries are wiped when they go.
 * Bounded; the oldest goes first. Thread-safe. A forked child starts with an empty cache, and wipes
 * its copy of the parent's. Knows no TLS library.
 */
#ifndef OSSPI_SCHANNEL_ID_CACHE_H
#define OSSPI_SCHANNEL_ID_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSSPI_ID_CACHE_SIZE      16384u /* sessions, at most */
#define OSSPI_ID_CACHE_MAX_BYTES 4096u  /* of one; a longer one is not kept */
#define OSSPI_ID_CACHE_MAX_ID    32u

/** A session to keep; all is copied. */
struct osspi_id_session {
    const uint8_t *id;
    size_t id_len; /* 1 to 32 */
    const uint8_t *bytes;
    size_t len;
    uint64_t owner; /* the credential; its sessions go with it */
    int64_t until;  /* unix seconds: never used from then on */
    bool enabled;   /* may it be resumed? */
};

/** Keeps a session, in the place of one with the same id. False: it does not fit, its time is over,
 * or there is no memory. */
bool osspi_id_cache_keep(const struct osspi_id_session *session, int64_t now);

/** A copy of the session of that id, to be freed with osspi_secret_free(). NULL: none that may be
 * resumed, or no memory. */
uint8_t *osspi_id_cache_find(const uint8_t *id, size_t id_len, int64_t now, size_t *ret_len);

/** From now on it may be resumed, or not. False: it is not there. */
bool osspi_id_cache_enable(const uint8_t *id, size_t id_len, bool enabled);

/** Drops the session of that id, if it is there. */
void osspi_id_cache_drop(const uint8_t *id, size_t id_len);

/** Drops those of a credential that is going away. */
void osspi_id_cache_forget(uint64_t owner);

/** Drops all. */
void osspi_id_cache_empty(void);

/** Sessions in the cache, those that may not be resumed included. */
uint32_t osspi_id_cache_count(void);

#endif
