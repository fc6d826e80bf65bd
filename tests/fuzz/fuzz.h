/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the fuzz targets share: reading an input, a process that does the same for the same input,
 * credentials that are acquired once, and one end of a connection whose buffers the input shapes.
 *
 * A target defines fuzz_prepare() and fuzz_one(). The input's first bytes choose options, the rest
 * is what the target is about; an input that is too short reads as zeros. A target must leave
 * nothing behind: fuzz_run() checks the library's live counts after each input.
 *
 * One thread only, but for the target that makes asynchronous calls.
 */
#ifndef OSSPI_TESTS_FUZZ_FUZZ_H
#define OSSPI_TESTS_FUZZ_FUZZ_H

#include <opensspi.h>
#include <schannel.h>
#include <sspi.h>

#include "support/context_look.h"
#include "support/test_util.h"
#include "support/tls_peer.h"

/* ---- a target ---- */

/** Once, before the first input: whatever takes long. */
void fuzz_prepare(void);
struct fuzz_input;
void fuzz_one(struct fuzz_input *input);
/** Around both: environment, randomness, checks. For the main programs only. */
void fuzz_set_up(void);
void fuzz_run(const uint8_t *bytes, size_t len);

/* ---- the input ---- */

struct fuzz_input {
    const uint8_t *bytes;
    size_t len;
};

uint8_t fuzz_u8(struct fuzz_input *input);
uint16_t fuzz_u16(struct fuzz_input *input);
uint32_t fuzz_u32(struct fuzz_input *input);
/** A number below count, which is at most 256. */
unsigned fuzz_pick(struct fuzz_input *input, unsigned count);
/** Up to len bytes in a heap block of exactly as many; never NULL. Free it. */
uint8_t *fuzz_take(struct fuzz_input *input, size_t len, size_t *ret_len);
/** All that is left, the same way. */
uint8_t *fuzz_take_rest(struct fuzz_input *input, size_t *ret_len);
/** Up to len bytes and a NUL behind them. Free it. */
char *fuzz_take_string(struct fuzz_input *input, size_t len);
/** A heap block of exactly len bytes, filled; never NULL. Free it. */
uint8_t *fuzz_room(size_t len);

/* ---- the same again ---- */

/** Each side draws from a stream of its own, so that one side alone draws what it drew when the
 * other was there too. */
enum fuzz_stream { FUZZ_STREAM_CLIENT, FUZZ_STREAM_SERVER, FUZZ_STREAM_OTHER, FUZZ_STREAMS };

/** From here on the TLS library's random numbers are those of this seed, and from the stream for
 * everything else. */
void fuzz_reseed(uint64_t seed);
void fuzz_draw_from(enum fuzz_stream stream);

/* ---- credentials: acquired once, kept for all inputs ---- */

enum fuzz_client {
    FUZZ_CLIENT_ANY,
    FUZZ_CLIENT_TLS12,
    FUZZ_CLIENT_TLS13,
    FUZZ_CLIENT_MANUAL, /* verifies nothing */
    FUZZ_CLIENT_CERTIFICATE,
    FUZZ_CLIENTS
};

enum fuzz_server {
    FUZZ_SERVER_EC,
    FUZZ_SERVER_RSA,
    FUZZ_SERVER_TLS12,
    FUZZ_SERVER_TLS13,
    FUZZ_SERVER_ROOTS, /* judges client certificates by the test CA, no tickets */
    FUZZ_SERVERS
};

CredHandle *fuzz_client(enum fuzz_client kind);
CredHandle *fuzz_server(enum fuzz_server kind);

/* ---- one end ---- */

/** How an end's legs look; chosen once per input. */
struct fuzz_shape {
    ULONG flags;
    const char *target;
    uint8_t in;        /* enum fuzz_in */
    uint8_t out;       /* enum fuzz_out */
    uint16_t out_size; /* of FUZZ_OUT_SMALL */
    const uint8_t *alpn;
    ULONG alpn_size;
    bool key, early; /* a pre-shared key, early data */
};

enum fuzz_in { FUZZ_IN_USUAL, FUZZ_IN_LONE, FUZZ_IN_FLAGS, FUZZ_IN_ODD, FUZZ_INS };
enum fuzz_out { FUZZ_OUT_USUAL, FUZZ_OUT_ALERT, FUZZ_OUT_ALLOCATED, FUZZ_OUT_SMALL, FUZZ_OUTS };

struct fuzz_end {
    bool server;
    CredHandle *credential;
    struct fuzz_shape shape;
    CtxtHandle context;
    bool has_context, established;
    bool over;             /* a leg or a record has failed, or the peer closed */
    bool ordered;          /* a control token was given: a leg may end without a connection */
    struct peer_stream in; /* what has arrived and was not taken */
    struct peer_stream sent;
    SecPkgContext_StreamSizes sizes; /* once established */
};

/** An end whose options come from the input's next four bytes. */
void fuzz_end_init(struct fuzz_end *end, bool server, struct fuzz_input *input);
/** An end without surprises. */
void fuzz_end_init_plain(struct fuzz_end *end, CredHandle *credential, bool server);
void fuzz_end_free(struct fuzz_end *end);

/** One leg with all that has arrived, checked against the contract. What the leg makes is added to
 * end->sent. */
SECURITY_STATUS fuzz_leg(struct fuzz_end *end);
/** Legs, and once established DecryptMessage, until nothing of end->in can be used any more. */
void fuzz_feed(struct fuzz_end *end);
/** One DecryptMessage with all that has arrived. */
SECURITY_STATUS fuzz_open(struct fuzz_end *end);
/** Seals these bytes into end->sent; nothing if the end is not established, or over. */
void fuzz_seal(struct fuzz_end *end, const void *bytes, size_t len);
/** Two plain ends that give each other what they send, until both are done or nothing moves. */
bool fuzz_connect(struct fuzz_end *client, struct fuzz_end *server);
/** Moves what an end has sent to where the other will read it. */
void fuzz_deliver(struct fuzz_end *from, struct fuzz_end *to);

#endif
