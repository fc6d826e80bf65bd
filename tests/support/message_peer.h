/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Two ends in message mode, each driven as a QUIC stack drives it: tokens are cut by the offsets of
 * the traffic secrets and travel in streams, one per encryption level; buffers are handed in as the
 * known kernel caller does it (two EMPTY ones behind the token, the input's memory as room for a
 * received extension, four secrets that are never cleared).
 *
 * The arithmetic of offsets is that caller's too: the handshake's level begins at the start of the
 * first secret of its own, the application's at the end of it, or, while those are the same at a
 * client, at the end of the first own secret that comes later.
 */
#ifndef OSSPI_TESTS_SUPPORT_MESSAGE_PEER_H
#define OSSPI_TESTS_SUPPORT_MESSAGE_PEER_H

#include "support/tls_peer.h"

enum message_level { MESSAGE_INITIAL, MESSAGE_HANDSHAKE, MESSAGE_APPLICATION };
#define MESSAGE_LEVELS 3
#define MESSAGE_MASK   0xA7u
#define MESSAGE_SECRET (sizeof(SEC_TRAFFIC_SECRETS) + 64)
#define MESSAGE_OUT    24576u
/* The longest extension that can be sent. */
#define MESSAGE_EXTENSION 16384u

struct message_secret {
    size_t len;        /* 0: not known */
    uint8_t bytes[48]; /* masked as memory_scan.h has it, each byte with MESSAGE_MASK */
    char cipher[32], mode[32], hash[16];
    unsigned key_size;
};

/** An extension of QUIC's, sent and asked for. */
struct message_extension {
    WORD type;
    const void *bytes; /* NULL: none is sent */
    WORD len;
    bool subscribe;
};

struct message_end {
    struct peer_end peer;                          /* credential, context, target, flags, alpn */
    struct peer_stream in[MESSAGE_LEVELS];         /* what the other end has sent */
    enum message_level reads, writes;              /* by the secrets that came */
    struct message_secret keys[2][MESSAGE_LEVELS]; /* [0]: to read, [1]: to write */
    size_t total, handshake_at, application_at;    /* offsets in all that was put out */
    struct message_extension extension;
    struct peer_stream received; /* an extension, with its header */
    uint8_t room[1024];
    uint8_t alert[2];
    bool alerted;
    bool legacy_alert;     /* an EMPTY buffer for alerts, as older callers have it */
    size_t out_size;       /* room for the token */
    size_t extension_size; /* room for an extension in memory of its own; 0: the input's memory */
    unsigned secret_count; /* buffers for secrets, 4 at most, and bytes in each */
    size_t secret_size;
    bool grow;            /* what is too small or too few grows, and the leg is made again */
    const void *supplied; /* CredHandle *: goes on with it where a certificate is wanted */
    bool anonymous;       /* ... or without one */
    bool overlap;         /* the token goes into the input's memory as well */
    bool records;         /* TLS records in one stream, for extensions in stream mode */
    bool done;
    _Alignas(8) uint8_t secrets[4 * MESSAGE_SECRET]; /* never cleared but for the secrets' bytes */
    unsigned legs, retries, extension_retries, secret_retries, asked;
};

struct message_pair {
    struct message_end client, server;
};

void message_end_init(struct message_end *end, const struct peer_form *form, bool server);
void message_end_disconnect(struct message_end *end);
void message_end_free(struct message_end *end);

/** Both with credentials (SCH_CREDENTIALS), extensions 0x39, and ALPN "h3". */
void message_open(struct message_pair *pair, const struct peer_form *form,
                  const struct peer_setup *setup);
void message_disconnect(struct message_pair *pair);
void message_close(struct message_pair *pair);

/** One leg with these bytes, all retries included; what it puts out goes to the other end. */
SECURITY_STATUS message_leg(struct message_end *end, const void *bytes, size_t len,
                            struct message_end *to, size_t *ret_consumed);
/** One leg with what has arrived at the level that is read. SEC_E_INCOMPLETE_MESSAGE also when
 * there is nothing. */
SECURITY_STATUS message_step(struct message_end *end, struct message_end *to);
/** Until both are done, or one fails: then that status. */
SECURITY_STATUS message_handshake(struct message_pair *pair);
/** The same, or the test ends; both have the same secrets then. */
void message_connect(struct message_pair *pair);
/** Credentials, handshake with extensions, a ticket, and all of it freed: the first failure, after
 * which nothing more is tried. For tests in which there is no memory. */
SECURITY_STATUS message_walk(const struct peer_form *form);

#endif
