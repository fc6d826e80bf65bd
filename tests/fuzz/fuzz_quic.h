/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One end of a handshake in message mode, for the fuzz targets that are about it: its legs, with
 * each answer held against what docs/quic.md promises. One thread.
 */
#ifndef OSSPI_TESTS_FUZZ_FUZZ_QUIC_H
#define OSSPI_TESTS_FUZZ_FUZZ_QUIC_H

#include "fuzz/fuzz.h"

#define FUZZ_QUIC_PARAMS 0x39
#define FUZZ_SECRETS     4u

struct fuzz_quic {
    bool server;
    CredHandle *credential;
    CtxtHandle context;
    bool has_context, established, over;
    struct peer_stream in, sent;
    struct peer_stream send;   /* a SEND_GENERIC_TLS_EXTENSION as it is; empty: none */
    struct peer_stream wanted; /* a SUBSCRIBE_GENERIC_TLS_EXTENSION; empty: none */
    struct peer_stream got;    /* what was reported to it; only the last report */
    bool is_told;              /* something was reported: it subscribes to nothing more */
    bool records;              /* stream mode: the extensions work there too */
    bool aliases;              /* reports come into the room of the input */
    ULONG room, extra_room;    /* of the token and of a report, at first */
    ULONG secrets;             /* buffers for them */
    ULONG flags;
    unsigned known[2]; /* secrets that were given: client's, server's direction */
};

void fuzz_quic_init(struct fuzz_quic *end, CredHandle *credential, bool server);
void fuzz_quic_free(struct fuzz_quic *end);
/** An extension that a good end sends or wants; ClientHello (1) or EncryptedExtensions (8). */
void fuzz_quic_send(struct fuzz_quic *end, WORD type, WORD message, const void *bytes, size_t len);
void fuzz_quic_want(struct fuzz_quic *end, WORD type, WORD message);

/** Legs with all that has arrived until no more can come of it. */
void fuzz_quic_feed(struct fuzz_quic *end);
/** Moves what one has sent to where the other reads it. */
void fuzz_quic_deliver(struct fuzz_quic *from, struct fuzz_quic *to);
/** Two ends that give each other what they send, until both are done or nothing moves. */
bool fuzz_quic_connect(struct fuzz_quic *client, struct fuzz_quic *server);

#endif
