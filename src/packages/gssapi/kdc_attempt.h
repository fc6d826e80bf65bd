/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One attempt to talk with one server of a realm, over one non-blocking socket: a datagram each
 * way, or a stream with a length in front of each message (RFC 4120 7.2.2). The exchange that it
 * belongs to (kdc.c) polls the socket and says what is to be done. For one thread.
 */
#ifndef OSSPI_GSSAPI_KDC_ATTEMPT_H
#define OSSPI_GSSAPI_KDC_ATTEMPT_H

#include "packages/gssapi/kdc_find.h"

#define OSSPI_KDC_PREFIX  4u         /* the length in front, on a stream */
#define OSSPI_KDC_MESSAGE (1u << 20) /* no message is longer */

struct osspi_kdc_reply {
    uint8_t *bytes; /* freed with osspi_free() */
    size_t len;
    union osspi_address from;
};

/** A request as it goes over a stream: a datagram leaves the prefix out. */
struct osspi_kdc_frame {
    uint8_t *bytes; /* NULL: there is none yet */
    size_t len;     /* with the prefix */
};

struct osspi_kdc_attempt {
    int fd; /* -1: it has ended */
    enum osspi_kdc_transport transport;
    union osspi_address address;
    bool connected;
    size_t sent;        /* stream: bytes of the request, prefix included */
    uint64_t resend_ns; /* datagram: when, and after how long the next time */
    uint64_t interval_ns;
    uint8_t prefix[OSSPI_KDC_PREFIX]; /* stream: of the answer */
    size_t received;                  /* stream: bytes, prefix included */
    struct osspi_kdc_reply reply;     /* stream: while it comes in */
};

enum osspi_kdc_progress {
    OSSPI_KDC_GOING,  /* nothing yet */
    OSSPI_KDC_FAILED, /* nobody listens there, or the stream has ended */
    OSSPI_KDC_NO_MEMORY,
    OSSPI_KDC_ANSWERED /* attempt->reply is a message of some kind */
};

/** Opens the socket and begins to connect. False: this cannot be reached at all. */
bool osspi_kdc_attempt_begin(struct osspi_kdc_attempt *attempt,
                             const struct osspi_kdc_target *target);

/** Closes it; no-op where that has happened. */
void osspi_kdc_attempt_end(struct osspi_kdc_attempt *attempt);

/** What poll() is to watch for. */
short osspi_kdc_attempt_events(const struct osspi_kdc_attempt *attempt,
                               const struct osspi_kdc_frame *frame);

/** A stream that has become writable for the first time: is it connected? */
bool osspi_kdc_attempt_connected(struct osspi_kdc_attempt *attempt);

/** Datagrams: sends the request, once more if it was sent before. */
enum osspi_kdc_progress osspi_kdc_attempt_send(struct osspi_kdc_attempt *attempt,
                                               const struct osspi_kdc_frame *frame,
                                               uint64_t now_ns);

/** Writes or reads what is possible now, on a socket that is ready and connected. */
enum osspi_kdc_progress osspi_kdc_attempt_work(struct osspi_kdc_attempt *attempt,
                                               const struct osspi_kdc_frame *frame);

#endif
