/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client's session cache: one for the process, bounded, oldest out first.
 *
 * A session is found again for the same credential and target only, and only by a connection whose
 * verification asks for no more than was verified when the session was made; never past its own
 * lifetime or the first notAfter in the chain. A TLS 1.3 ticket serves once (RFC 8446 C.4).
 *
 * Sessions are live objects of the shard they were made in: the connection that resumes is pinned
 * to that shard. (Serialising them instead would cost a certificate parse on each resumption.)
 * Thread-safe. A forked child starts with an empty cache.
 */
#ifndef OSSPI_SCHANNEL_SESSION_H
#define OSSPI_SCHANNEL_SESSION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/** What the handshake that made a session had verified; goes on through every resumption. */
struct osspi_session_origin {
    bool chain_verified;
    bool name_verified;
    int64_t not_after; /* first notAfter in the peer's chain; INT64_MAX: no certificate */
    int64_t expires;   /* start of the first handshake and the credential's lifespan */
};

/** Whose session it is. target is borrowed for the call. */
struct osspi_session_name {
    uint64_t credential_id;
    const char *target;
};

/** Keeps a session; takes the caller's reference in any case. */
void osspi_session_store(const struct osspi_session_name *name, uint32_t shard,
                         SSL_SESSION *session, const struct osspi_session_origin *origin);

/**
 * Takes a session for a new connection; the newest one of the preferred shard, else the newest.
 *
 * @param[in]  chain, check_name  what the connection is going to verify
 * @param[in,out] shard           the shard preferred; set to the session's
 * @param[out] ret_origin         the session's origin
 * @return a reference, or NULL if there is none that may serve.
 */
SSL_SESSION *osspi_session_take(const struct osspi_session_name *name, bool chain, bool check_name,
                                uint32_t *shard, struct osspi_session_origin *ret_origin);

/** Drops the sessions of a name: a handshake that offered one has failed. */
void osspi_session_forget(const struct osspi_session_name *name);

/** Drops the sessions of a credential that is going away. */
void osspi_session_forget_credential(uint64_t credential_id);

/** Sessions in the cache. */
uint32_t osspi_session_count(void);

/** SslEmptyCache: drops the sessions for a target (any spelling); NULL: all of them, those that
 * servers keep (id_cache.h), and everything that verification has found out and remembers. */
void osspi_schannel_empty_cache(const char *target);

#endif
