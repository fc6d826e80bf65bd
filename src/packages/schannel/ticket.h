/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The server's session tickets (RFC 5077, RFC 8446 4.6.1): the keys that seal them, and what is
 * checked before one is honoured. The server keeps no sessions.
 *
 * Keys are one set for the process, shared by all shards and credentials, and rotate by themselves.
 * A forked child goes on with its parent's keys until its own next rotation. Thread-safe.
 */
#ifndef OSSPI_SCHANNEL_TICKET_H
#define OSSPI_SCHANNEL_TICKET_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#define OSSPI_TICKET_NAME 16u
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

/** Lets a server's SSL_CTX issue and honour tickets. False: no memory. */
bool osspi_ticket_enable(SSL_CTX *ctx);

/** Which identity the resumed session's server had presented; -1: unknown. */
int osspi_ticket_identity(const SSL_SESSION *session);

#endif
