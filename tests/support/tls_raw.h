/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A TLS peer that is none of ours: OpenSSL over memory, for what only another implementation can
 * show or make (KeyUpdate, HelloRequest, finished messages). One thread per peer.
 */
#ifndef OSSPI_TESTS_SUPPORT_TLS_RAW_H
#define OSSPI_TESTS_SUPPORT_TLS_RAW_H

#include <openssl/ssl.h>

#include "support/tls_peer.h"

struct raw_peer {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out; /* the SSL's */
};

/** A peer of one protocol version (0: any); a server with a test certificate. */
void raw_open(struct raw_peer *raw, bool server, int version, const char *certificate);
/** A further connection with the same SSL_CTX. */
void raw_again(struct raw_peer *raw, bool server);
void raw_close(struct raw_peer *raw);

/** Everything that waits for it; empties the stream. */
void raw_give(struct raw_peer *raw, struct peer_stream *from);
/** What it wants to send. */
void raw_take(struct raw_peer *raw, struct peer_stream *to);

/** Handshakes with an end; the end's failure, or SEC_E_OK, then with stream sizes. */
SECURITY_STATUS raw_handshake(struct raw_peer *raw, struct peer_end *end);

/**
 * Opens it, acquires for an end of the other side, and handshakes, or the test ends.
 *
 * @param serve        the end is the server
 * @param version      of raw, 0: any
 * @param certificate  of the server, whichever of the two that is
 */
void raw_connect(struct raw_peer *raw, struct peer_end *end, const struct peer_form *form,
                 bool serve, int version, const char *certificate);

/** Data from the end to raw, and back, or the test ends. */
void raw_exchange(struct raw_peer *raw, struct peer_end *end);

/** Sends data to the end. */
void raw_send(struct raw_peer *raw, struct peer_end *end, const void *data, size_t len);

#endif
