/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The server's session tickets (RFC 5077, RFC 8446 4.6.1): the keys that seal them, and what is
 * checked before one is honoured. Who comes without tickets: server_session.h.
 *
 * Keys are one set for the process, shared by all shards and credentials, and rotate by themselves.
 * A forked child goes on with its parent's keys until its own next rotation. A credential may have
 * keys of its own instead (SECPKG_ATTR_SESSION_TICKET_KEYS), a ring: several processes or machines
 * that are given the same one open each other's tickets, and who gives them rotates them.
 * Thread-safe.
 */
#ifndef OSSPI_SCHANNEL_TICKET_H
#define OSSPI_SCHANNEL_TICKET_H

#include <openssl/ssl.h>
#include <schannel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSSPI_TICKET_NAME 16u
#define OSSPI_TICKET_KEYS 16u /* of a ring, at most */
#define OSSPI_TICKET_ROTATE_S \
    18000u /* a new key after so many seconds; the old one opens as long */

/** One key, wiped by whoever gets a copy. */
struct osspi_ticket_key {
    uint8_t name[OSSPI_TICKET_NAME];
    uint8_t cipher[32];
    uint8_t mac[32];
};

/** The key that seals at that time (unix seconds), rotating if its time is over. False: the system
 * gives no random bytes. */
bool osspi_ticket_sealing_key(int64_t now, struct osspi_ticket_key *ret_key);

/** The key of that name if it may still open tickets; *ret_old: another one seals now. */
bool osspi_ticket_opening_key(int64_t now, const uint8_t name[OSSPI_TICKET_NAME],
                              struct osspi_ticket_key *ret_key, bool *ret_old);

/** Keys that a credential was given: the first one seals, all open. Constant; wiped at the end. */
struct osspi_ticket_ring;

/**
 * Makes a ring of what a caller gave.
 *
 * @param[out] ret_ring  NULL if there are no keys: back to those of the process
 * @return SEC_E_OK; SEC_E_INVALID_PARAMETER: more than 16 keys, no array, an unknown version, a key
 *         of less than 32 or more than 64 bytes, two with the same id; SEC_E_INSUFFICIENT_MEMORY;
 *         SEC_E_INTERNAL_ERROR.
 */
SECURITY_STATUS osspi_ticket_ring_new(const SecPkgCred_SessionTicketKeys *keys,
                                      struct osspi_ticket_ring **ret_ring);
struct osspi_ticket_ring *osspi_ticket_ring_ref(struct osspi_ticket_ring *ring); /* NULL-safe */
void osspi_ticket_ring_unref(struct osspi_ticket_ring *ring);                    /* NULL-safe */

/** The sealing key, or the one of that name; *ret_old: another one seals. Wiped by the caller. */
void osspi_ticket_ring_seal(const struct osspi_ticket_ring *ring, struct osspi_ticket_key *ret_key);
bool osspi_ticket_ring_open(const struct osspi_ticket_ring *ring,
                            const uint8_t name[OSSPI_TICKET_NAME], struct osspi_ticket_key *ret_key,
                            bool *ret_old);

/** Lets a server's SSL_CTX issue and honour tickets; ring NULL: with the process's keys. False: no
 * memory. */
bool osspi_ticket_enable(SSL_CTX *ctx, const struct osspi_ticket_ring *ring);

struct osspi_tls;

/** Writes into a session what OpenSSL does not keep and a resumption needs to know. One that was
 * resumed has it already, and it goes on. False: no memory. */
bool osspi_ticket_mark(const struct osspi_tls *tls, SSL_SESSION *session);

/** When it ends, by what was written into it (unix seconds); INT64_MIN: nothing was. */
int64_t osspi_ticket_until(const SSL_SESSION *session);

/** Which of the connection's identities the resumed session's server had presented; -1: unknown. */
int osspi_ticket_identity(const struct osspi_tls *tls, const SSL_SESSION *session);

#endif
