/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Everything that can happen on a connection after and beside its records, at random: handshakes
 * after the handshake, sessions, early data, pre-shared keys, alerts, closing. One end is ours, the
 * other one OpenSSL or GnuTLS (foreign.h); drawing and streams are those of property.h.
 *
 * What the libraries do not bear is not done to them: while they are in the middle of a
 * renegotiation neither takes data from where it has seen the other end's ServerHello or sent its
 * own, a client of GnuTLS's from where it has begun (`hold`), and OpenSSL sends none. Ours takes
 * them at any time.
 *
 * One thread drives a flow.
 */
#ifndef OSSPI_TESTS_PROPERTY_FLOW_H
#define OSSPI_TESTS_PROPERTY_FLOW_H

#include <opensspi.h>

#include "property/property.h"

#define FLOW_MAX_EARLY 4000u

/** How a client of ours comes by a certificate. */
enum flow_certificate {
    FLOW_WITHOUT, /* it has none and wants none */
    FLOW_WITH,    /* its credential has one */
    FLOW_LATE     /* it brings another credential when it is asked */
};

struct flow {
    struct property run; /* random numbers, ends, streams */

    /* for all connections of a flow */
    struct foreign_setup setup;
    enum flow_certificate certificate; /* of the client, whichever end that is */
    struct peer_end other;             /* FLOW_LATE: the credential that it brings */
    bool small_rooms;                  /* legs get too little room now and then */
    bool bytewise;                     /* flights of the first handshake arrive in small pieces */
    bool refuses;                      /* our server takes no early data any more */

    /* of this connection */
    uint32_t left;        /* later handshakes that our end still allows */
    bool running;         /* our end is in the middle of one */
    bool begun;           /* the peer has begun one that our end has not finished */
    bool hold;            /* data of ours would meet a peer that does not bear them */
    bool asked;           /* the server asks for a certificate in every handshake from now on */
    bool closing;         /* no more handshakes */
    unsigned laters;      /* finished at our end */
    unsigned postponed;   /* answers to SEC_I_RENEGOTIATE that were put off in a row */
    unsigned updates;     /* KeyUpdates of ours in a row */
    unsigned key_updates; /* and in all */
    bool no_session;      /* nothing of this connection may be resumed */
    bool inside;          /* closed in the middle of a handshake */
    bool peer_failed;     /* and the peer calls that a failure */
    size_t early;         /* bytes that were given to be sent early */
    SECURITY_STATUS end;  /* of a connection that was tampered with */
};

struct flow_counts {
    uint64_t flows, connections, steps, sealed, opened, incomplete, legs, renegotiations, asked,
        shown, credentials, key_updates, tickets, resumed, psks, early_sent, early_taken, rooms,
        crossed, closed_inside, tampered, checks;
};
extern struct flow_counts flow_counts;

/* ---- flow.c: connections ---- */

void flow_open(struct flow *flow, uint64_t random, const struct foreign_setup *setup);
/** The first handshake; may end the connection only where the flow expects it. */
void flow_connect(struct flow *flow);
void flow_disconnect(struct flow *flow);
/** Sets our credential's options. */
void flow_allow(struct flow *flow);
void flow_free(struct flow *flow);
/** New credentials at our end, with the same contents. */
void flow_acquire(struct flow *flow);

/* ---- flow_do.c: what our end can do ---- */

/** One leg. */
SECURITY_STATUS flow_leg(struct flow *flow, bool with_input);
/** Says why a leg has failed. */
void flow_tell(struct flow *flow, SECURITY_STATUS status);
/** DecryptMessage once; false: nothing more to be had. */
bool flow_open_one(struct flow *flow);
void flow_seal(struct flow *flow, size_t len);
/** Begins a handshake, if that is possible now. */
void flow_begin(struct flow *flow);
void flow_key_update(struct flow *flow, bool request);
/** The session may not be resumed. */
void flow_no_session(struct flow *flow);
void flow_own_close(struct flow *flow);
/** What was put off is done. */
void flow_settle_own(struct flow *flow);

/* ---- flow_peer.c: what the other end can do ---- */

void flow_peer_write(struct flow *flow, size_t len);
void flow_peer_read(struct flow *flow, size_t len);
void flow_peer_begin(struct flow *flow);
void flow_peer_post(struct flow *flow);
void flow_peer_close(struct flow *flow);

/* ---- flow_steps.c ---- */

void flow_steps(struct flow *flow, unsigned count);
/** Everything arrives; nothing is under way any more, and both ends agree on all there is. */
void flow_settle(struct flow *flow);
void flow_close(struct flow *flow);
/** Somebody changes a record in the middle of whatever is under way. */
void flow_tamper(struct flow *flow);

#endif
