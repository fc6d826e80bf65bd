/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Message mode (ISC_REQ_MESSAGES, ASC_REQ_MESSAGES): TLS 1.3 for QUIC (RFC 9001). Tokens are
 * handshake messages without records, and traffic secrets go to the caller, who protects packets
 * with them.
 *
 * The TLS library goes on speaking records. What it sends, its message callback shows in plain
 * (message_tls.c gathers that and drops the records); what it is to read is wrapped into records,
 * and sealed under the peer's handshake secret once there is one (bridge.h). After the handshake
 * nothing goes in but session tickets, and those record_post.c takes as it takes all tickets.
 *
 *     leg_message.c      legs; what they keep for the next one
 *     message_input.c    cuts messages out of tokens, and says which ones are possible where
 *     message_secret.c   TRAFFIC_SECRETS
 *     message_tls.c      between messages and the TLS library
 *
 * Both sides of the context are held wherever these structs are used.
 */
#ifndef OSSPI_SCHANNEL_MESSAGE_MODE_H
#define OSSPI_SCHANNEL_MESSAGE_MODE_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffers.h"
#include "packages/schannel/bridge.h"
#include "packages/schannel/tls.h"

struct osspi_suite;

/** Encryption levels of QUIC (RFC 9001, 2.1), without that of early data. */
enum osspi_level { OSSPI_LEVEL_INITIAL, OSSPI_LEVEL_HANDSHAKE, OSSPI_LEVEL_APPLICATION };
#define OSSPI_LEVELS 3u

#define OSSPI_MESSAGE_HEADER  4u /* type, and length in three bytes (RFC 8446, 4) */
#define OSSPI_MESSAGE_SECRETS 4u /* two levels, two directions */

/** Types of handshake messages (RFC 8446, 4). */
enum osspi_message_type {
    OSSPI_CLIENT_HELLO = 1,
    OSSPI_SERVER_HELLO = 2, /* HelloRetryRequest as well */
    OSSPI_SESSION_TICKET = 4,
    OSSPI_ENCRYPTED_EXTENSIONS = 8,
    OSSPI_CERTIFICATE = 11,
    OSSPI_CERTIFICATE_REQUEST = 13,
    OSSPI_CERTIFICATE_VERIFY = 15,
    OSSPI_FINISHED = 20,
    OSSPI_COMPRESSED_CERTIFICATE = 25 /* RFC 8879; OpenSSL before 3.2 knows none */
};

/** A traffic secret. */
struct osspi_message_secret {
    enum osspi_level level;
    bool server; /* whose direction it protects */
    uint8_t bytes[OSSPI_MAX_HASH];
};

/** What the TLS side knows of a handshake in message mode. */
struct osspi_messages {
    size_t flight[OSSPI_LEVELS]; /* bytes of the flight at each level, in this order */
    struct osspi_message_secret secrets[OSSPI_MESSAGE_SECRETS]; /* in the order of availability */
    uint8_t known, told;                                        /* of these */
    uint16_t suite;                                             /* 0: not negotiated yet */
    bool sealing;               /* the bridge has the peer's handshake secret */
    struct osspi_bridge bridge; /* in: what the TLS library reads */
};

/* ---- message_tls.c ---- */

/** Wipes. */
void osspi_messages_clear(struct osspi_messages *messages);

/** At which level the peer's next message is: by which keys there are. */
enum osspi_level osspi_messages_read_level(const struct osspi_messages *messages, bool server);

/**
 * Feeds one whole message and goes on with the handshake; see osspi_tls_handshake().
 *
 * @param[out] ret_taken  false: it was not even looked at (WANT_BLOCKING, or no memory) and is to
 *                        be fed again
 */
enum osspi_tls_step osspi_tls_feed_message(struct osspi_tls *tls, const uint8_t *message,
                                           size_t len, bool *ret_taken);

/** The handshake is over: nothing is told any more. */
void osspi_tls_leave_messages(struct osspi_tls *tls);

/** The fatal alert that the TLS library has made; 0: none (there is no fatal alert 0). */
uint8_t osspi_tls_alert_made(const struct osspi_tls *tls);

/* ---- message_input.c: pure functions ---- */

/** What is at the start of some input. */
struct osspi_message_cut {
    size_t whole;   /* bytes of whole messages, up to one behind which keys change */
    size_t missing; /* whole is 0: bytes that are missing, as far as can be told */
    uint8_t alert;  /* whole is 0: what comes cannot be a message here; 0: it can */
};

/** Cuts the messages of one level. server: we are one. */
struct osspi_message_cut osspi_message_cut(const uint8_t *bytes, size_t len, enum osspi_level level,
                                           bool server);

/** Is a NewSessionTicket one that QUIC allows, as far as that is QUIC's affair: with early data it
 * has to allow 2^32-1 bytes of them (RFC 9001, 4.6.1)? What is malformed is for others to refuse.
 */
bool osspi_message_ticket_fits(const uint8_t *message, size_t len);

/** Length of the whole message at bytes, its header included. */
size_t osspi_message_len(const uint8_t *bytes);

/* ---- message_secret.c ---- */

/** The secrets that a leg has to tell. */
struct osspi_message_plan {
    struct osspi_message_told {
        const struct osspi_message_secret *secret;
        uint16_t start, end; /* offsets in the token */
    } items[OSSPI_MESSAGE_SECRETS];
    size_t count;
};

/** SEC_E_OK; SEC_E_INTERNAL_ERROR: the offsets do not fit into what SSPI has for them. */
SECURITY_STATUS osspi_message_plan(const struct osspi_messages *messages, bool server,
                                   struct osspi_message_plan *ret_plan)
    __attribute__((warn_unused_result));

/** SEC_E_OK; SEC_E_INSUFFICIENT_BUFFERS: too few; SEC_E_BUFFER_TOO_SMALL. */
SECURITY_STATUS osspi_message_secrets_fit(const struct osspi_buffers *out,
                                          const struct osspi_message_plan *plan,
                                          const struct osspi_suite *suite);

/** Fills the buffers; those without a secret say so. plan NULL: all of them. */
void osspi_message_secrets_give(const struct osspi_buffers *out,
                                const struct osspi_message_plan *plan,
                                const struct osspi_suite *suite);

#endif
