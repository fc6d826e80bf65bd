/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One end of ours on a UDP socket of the loopback, and the peer program at the other end of it. The
 * end is that of the property test (property/datagram_ours.c), with the timers of a real caller;
 * what it sends is watched in the same way (property/datagram_watch.c).
 *
 * One thread per program: the end's callbacks find no other.
 */
#ifndef OSSPI_TESTS_INTEROP_UDP_H
#define OSSPI_TESTS_INTEROP_UDP_H

#include "interop_wire.h"
#include "property/datagram.h"

struct interop_udp {
    struct datagram_run run;      /* its setup, one of its two ends, one of its watches */
    struct datagram_end *end;     /* ours */
    struct interop_process *peer; /* to listen to */
    int fd;                       /* never blocks; -1: closed */
    bool known;                   /* the socket is connected to the peer's */
    uint32_t lost;                /* bit n: our datagram n is lost, counted from 0 */
    unsigned sent;                /* datagrams of this connection */
    struct peer_stream plain;     /* opened data */
};

/** Ours with a credential, as the setup says; its `form` must be there. */
void interop_udp_open(struct interop_udp *udp, bool server, const struct datagram_setup *setup,
                      struct interop_process *peer);
void interop_udp_free(struct interop_udp *udp);

/** A client that sends to this port; its first flight leaves. */
void interop_udp_connect(struct interop_udp *udp, uint16_t port);
/** A server on a port of its own, for one client. */
uint16_t interop_udp_listen(struct interop_udp *udp);
/** Forgets socket and context, keeps the credential. */
void interop_udp_disconnect(struct interop_udp *udp);

/** Waits once for something to happen and does all that can be done then. */
void interop_udp_turn(struct interop_udp *udp);
/** Turns until the condition holds. The end must not fail meanwhile. */
#define INTEROP_UDP_UNTIL(udp, condition) \
    do { \
        while (!(condition)) { \
            interop_udp_require_fine(udp); \
            interop_udp_turn(udp); \
        } \
    } while (0)
void interop_udp_require_fine(const struct interop_udp *udp);

/** Turns until the handshake is done. */
void interop_udp_handshake(struct interop_udp *udp);
void interop_udp_send(struct interop_udp *udp, const void *data, size_t len);
/** Waits for these bytes, and takes them. */
void interop_udp_expect(struct interop_udp *udp, const void *data, size_t len);

#endif
