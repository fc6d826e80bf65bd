/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One end of a QUIC connection: ngtcp2 does the transport, somebody else the TLS, either GnuTLS
 * (ngtcp2's own binding: quic_gnutls.c) or the library under test in message mode (quic_sspi.c).
 *
 * Two ends in one process hand each other their datagrams (quic_pair_run); time is a number that
 * this code advances, so nothing waits and nothing depends on the machine. One thread.
 */
#ifndef OSSPI_TESTS_INTEROP_QUIC_END_H
#define OSSPI_TESTS_INTEROP_QUIC_END_H

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include "support/tls_peer.h"

#define QUIC_ALPN          "sspi-test"
#define QUIC_DATAGRAM      1452u
#define QUIC_TLS_PARAMS    0x39 /* the extension quic_transport_parameters */
#define QUIC_CRYPTO(alert) (0x100u + (alert))

/** TLS 1.3's epochs, without early data. */
enum quic_epoch { QUIC_INITIAL, QUIC_HANDSHAKE, QUIC_APPLICATION };

struct quic_end;

/** Who does the TLS. They answer false when it is over; the alert is then set on the conn. */
struct quic_tls {
    /** Client only: the first flight. */
    bool (*start)(struct quic_end *end);
    /** Bytes of CRYPTO frames, in order. */
    bool (*receive)(struct quic_end *end, enum quic_epoch epoch, const uint8_t *bytes, size_t len);
    /** The transport has seen the end of the handshake; may be NULL. */
    bool (*completed)(struct quic_end *end);
};

/** What goes over streams, where that is more than a question and its answer. */
struct quic_streams {
    /** The handshake is complete. */
    bool (*start)(struct quic_end *end);
    bool (*receive)(struct quic_end *end, int64_t stream, bool last, const uint8_t *bytes,
                    size_t len);
    /** What to send next: *ret_stream stays -1 if there is nothing. */
    size_t (*next)(struct quic_end *end, int64_t *ret_stream, bool *ret_last, ngtcp2_vec *pieces,
                   size_t count);
    void (*sent)(struct quic_end *end, int64_t stream, size_t len);
};

struct quic_end {
    bool server;
    const struct quic_streams *streams; /* NULL: the members below */
    void *streams_data;
    const struct quic_tls *tls;
    void *tls_data;
    ngtcp2_conn *conn; /* a server's: NULL until the first datagram */
    ngtcp2_crypto_conn_ref ref;
    const uint64_t *now_ns;
    ngtcp2_path_storage path;
    ngtcp2_cid id; /* of a server: its first connection ID */

    int64_t stream;            /* -1: none yet */
    struct peer_stream answer; /* what goes out on it; stays until the end */
    size_t written;
    bool answer_set, answer_ended;
    struct peer_stream received;
    bool received_all;

    bool over, by_peer;
    uint64_t error; /* QUIC error code of the CONNECTION_CLOSE, sent or received */
    unsigned datagrams;
};

/** Sets everything but the TLS. */
void quic_end_init(struct quic_end *end, bool server, const uint64_t *now_ns);
void quic_end_free(struct quic_end *end);

/** Hands a datagram in; a server makes its connection of the first one. */
void quic_end_read(struct quic_end *end, const uint8_t *bytes, size_t len, struct peer_stream *out);
/** Writes one datagram, or nothing; *out then is the CONNECTION_CLOSE if it has come to that. */
bool quic_end_write(struct quic_end *end, struct peer_stream *out);
/** Closes the connection in order, if it is open. */
void quic_end_close(struct quic_end *end, struct peer_stream *out);
/** Client: makes the connection. */
void quic_end_connect(struct quic_end *end);
/** What is to go out on the stream, once there is one; its end with it. */
void quic_end_say(struct quic_end *end, const void *bytes, size_t len);
bool quic_end_completed(const struct quic_end *end);

/** For the TLS side: bytes for CRYPTO frames. */
bool quic_end_submit(struct quic_end *end, enum quic_epoch epoch, const uint8_t *bytes, size_t len);
/** For the TLS side: a secret; own: to write with. The cipher must have been set. */
bool quic_end_install(struct quic_end *end, enum quic_epoch epoch, bool own, const uint8_t *secret,
                      size_t len);
/** For the TLS side: the peer's transport parameters, and one's own. */
bool quic_end_decode_params(struct quic_end *end, const uint8_t *bytes, size_t len);
size_t quic_end_encode_params(struct quic_end *end, uint8_t *bytes, size_t size);
void quic_end_tls_completed(struct quic_end *end);

/* ---- two ends ---- */

struct quic_pair {
    struct quic_end client, server;
    uint64_t now_ns;
    unsigned lose_every; /* one of so many datagrams does not arrive; 0: none is lost */
    uint64_t dice;
};

void quic_pair_init(struct quic_pair *pair);
/** Moves datagrams and time until done(pair), or until both are over. Ends the test if neither. */
void quic_pair_run(struct quic_pair *pair, bool (*done)(const struct quic_pair *pair));
/** Until both have shaken hands, or it failed. */
void quic_pair_shake_hands(struct quic_pair *pair);
/** A question and an answer of so many bytes over a stream; or the test ends. */
void quic_pair_exchange(struct quic_pair *pair, size_t len);
/** Lets time pass until nobody has anything to say: tickets and such arrive. */
void quic_pair_settle(struct quic_pair *pair);
void quic_pair_free(struct quic_pair *pair);

#endif
