/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A connection between an end of ours and a foreign one (foreign.h), driven by a seed: what the two
 * do, in which order, and in which pieces bytes arrive, is drawn; what must come of it is known.
 *
 * The bytes that a side sends are those of an endless stream of its own, so that whatever arrives
 * is compared by position alone: everything, once, in order.
 *
 * One thread drives a connection, but for property_threads.c, which says who has what.
 */
#ifndef OSSPI_TESTS_PROPERTY_PROPERTY_H
#define OSSPI_TESTS_PROPERTY_PROPERTY_H

#include "property/foreign.h"

#define PROPERTY_MAX 16384u /* bytes of a record */

/** One direction's bytes, counted. */
struct property_flow {
    uint8_t key; /* which stream */
    uint64_t sent, arrived;
};

/** What our end has told about itself when the connection was new. */
struct property_facts {
    SecPkgContext_ConnectionInfo connection;
    SecPkgContext_CipherInfo cipher;
    SecPkgContext_SessionInfo session;
    uint8_t endpoint[256], unique[256]; /* bindings */
    size_t endpoint_len, unique_len;
};

struct property {
    uint64_t random; /* the state of all that is drawn */
    struct peer_end end;
    struct foreign peer;
    struct peer_stream to_us, to_peer; /* sent, not yet arrived */
    struct property_flow ours, theirs;
    struct property_facts facts;
    bool absorbed;     /* SEC_I_RENEGOTIATE was told, and its record lies in front of end.in */
    bool leg_owed;     /* that record was skipped by DecryptMessage, and no leg has run yet */
    unsigned posts;    /* the peer's handshake records and warnings since its last data */
    unsigned warnings; /* ours since our last data */
    unsigned requests; /* for new keys, on this connection */
    unsigned declined; /* renegotiations that the peer was refused */
    unsigned asked;    /* that it asked for */
    bool peer_is_over; /* refused, as OpenSSL is: it has ended the connection */
    bool we_closed, peer_closed, we_saw_close, peer_saw_close;
};

/** How many of each kind there were; printed at the end. */
struct property_counts {
    uint64_t connections, steps, sealed, opened, incomplete, posts, legs, key_updates, tickets,
        renegotiations, warnings, queries, resumed, tampered, threads;
};
extern struct property_counts property_counts;

/* ---- drawing ---- */

/** A number below bound. */
uint64_t property_pick(struct property *run, uint64_t bound);
/** A length: often small, sometimes at the limit. */
size_t property_len(struct property *run, size_t max);

/* ---- streams ---- */

void property_fill(const struct property_flow *flow, uint64_t at, uint8_t *bytes, size_t len);
/** Compares what has arrived, and counts it. */
void property_check(struct property_flow *flow, const uint8_t *bytes, size_t len);

/* ---- connections ---- */

/** Credentials of both, and a connection; random is its seed. */
void property_open(struct property *run, uint64_t random, const struct foreign_setup *setup);
/** The next connection with the same credentials. */
void property_again(struct property *run);
void property_free(struct property *run);

/* ---- what the two can do ---- */

/** EncryptMessage of so many bytes. */
void property_seal(struct property *run, size_t len);
/** A warning by EncryptMessage. */
void property_warn(struct property *run);
/** EncryptMessage that must be refused, and change nothing. */
void property_seal_badly(struct property *run);
/** The peer writes. */
void property_peer_write(struct property *run, size_t len);
/** Takes what the peer has made. */
void property_peer_sent(struct property *run);
/** So many bytes arrive at our end (at most all). */
void property_arrive(struct property *run, size_t len);
/** DecryptMessage once. False: there is nothing more to be had from what has arrived. */
bool property_open_one(struct property *run);
/** One leg: with what has arrived as TOKEN, or with empty input. */
void property_leg(struct property *run, bool with_input);
/** So many bytes arrive at the peer, which reads all it can. */
void property_peer_read(struct property *run, size_t len);
/** Everything on its way arrives and is read, on both sides. */
void property_drain(struct property *run);

/* ---- attributes ---- */

void property_facts_take(struct property *run);
/** One of them, drawn, is still the same; or the peer exports the same key. */
void property_facts_check(struct property *run);
/** The peer exports the same key. */
void property_export_check(struct property *run);

/* ---- whole runs ---- */

/** So many random steps. */
void property_steps(struct property *run, unsigned count);
/** Both close, in an order that is drawn. */
void property_close(struct property *run);
/** A connection in which somebody changes the bytes on their way to us. */
void property_tamper(struct property *run);
/** One thread opens while another one seals. */
void property_threads(struct property *run);

#endif
