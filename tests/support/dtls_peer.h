/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Two ends of DTLS for the contract tests, as tls_peer.h has them for streams: each datagram is a
 * thing of its own, and the test decides what becomes of it. One thread uses one pair.
 */
#ifndef OSSPI_TESTS_SUPPORT_DTLS_PEER_H
#define OSSPI_TESTS_SUPPORT_DTLS_PEER_H

#include "support/tls_peer.h"

#define DTLS_QUEUE    256u
#define DTLS_ENDPOINT "192.0.2.1:4433"
#define DTLS_HEADER   13u

/** Datagrams on their way, the oldest first. */
struct dtls_queue {
    struct peer_stream items[DTLS_QUEUE];
    size_t count;
};

struct dtls_end {
    struct peer_end end; /* its stream is not used */
    struct dtls_queue in;
    USHORT mtu;       /* given on the first leg; 0: none */
    const void *srtp; /* a SEC_SRTP_PROTECTION_PROFILES, or NULL */
    ULONG srtp_size;
    const char *address;    /* of the client, for a server's legs; NULL: no buffer */
    bool done;              /* established */
    size_t out_size;        /* room for a token; 0: enough */
    ULONG extra;            /* of the last leg */
    SECURITY_STATUS status; /* of the last leg, or DecryptMessage */
};

struct dtls_pair {
    struct dtls_end client, server;
};

void dtls_push(struct dtls_queue *queue, const void *bytes, size_t len);
/** Takes the one at an index out; the caller frees its bytes. */
struct peer_stream dtls_take(struct dtls_queue *queue, size_t index);
void dtls_clear(struct dtls_queue *queue);

void dtls_end_init(struct dtls_end *end, const struct peer_form *form, bool server);
void dtls_open(struct dtls_pair *pair, const struct peer_form *form,
               const struct peer_setup *setup);
void dtls_disconnect(struct dtls_pair *pair);
void dtls_close(struct dtls_pair *pair);

/** One leg with these bytes (NULL: without a token); what comes out goes to `to`. */
SECURITY_STATUS dtls_leg(struct dtls_end *end, struct dtls_end *to, const void *bytes, size_t len);
/** One leg with the oldest datagram (none: without input), and those that the rest of a flight
 * needs. The last status. */
SECURITY_STATUS dtls_step(struct dtls_end *end, struct dtls_end *to);
/** The legs of a full handshake up to the two that complete it: what each side has, waits. */
void dtls_half_connect(struct dtls_pair *pair);
/** Until both are done; returns a failure, or SEC_E_OK. */
SECURITY_STATUS dtls_handshake(struct dtls_pair *pair);
/** Handshake and sizes, or the test ends. */
void dtls_connect(struct dtls_pair *pair);

/** Seals a datagram and sends it. */
SECURITY_STATUS dtls_send(struct dtls_end *from, struct dtls_end *to, const void *data, size_t len);
/** Opens the oldest datagram, which is gone then but for what is EXTRA. */
SECURITY_STATUS dtls_receive(struct dtls_end *end, char *data, size_t size, size_t *ret_len);
/** Data both ways, or the test ends. */
void dtls_exchange(struct dtls_pair *pair);

/** Fields of a record at bytes. */
uint16_t dtls_epoch(const uint8_t *record);
uint64_t dtls_number(const uint8_t *record);
size_t dtls_record_len(const uint8_t *record);

#endif
