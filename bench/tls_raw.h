/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * libssl used directly, client and server in one process: what our handshakes are compared with.
 *
 * The fastest plain way: each end writes into the memory BIO that the other reads, so that nothing
 * is copied, and a handshake is four or five calls of SSL_do_handshake, each with a whole flight.
 */
#ifndef BENCH_TLS_RAW_H
#define BENCH_TLS_RAW_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "certs.h"

/** The only cipher that either end has. */
enum bench_cipher { BENCH_ANY_CIPHER, BENCH_AES_128_GCM, BENCH_AES_256_GCM, BENCH_CHACHA20 };

/** What is handshaken; the same for every side of a group. */
struct bench_tls {
    const char *folder; /* of the certificates */
    bool rsa;
    bool tls12;   /* TLS 1.2, else 1.3 */
    bool resumed; /* every handshake but a place's first one resumes a session */
    bool verify;  /* the client verifies, or neither side's client does */
    bool release; /* libssl: give record buffers back while nothing is in them */
    enum bench_cipher cipher;
    const char *key, *pin; /* SSPI: the server's key, by a URI; NULL: the one in the folder */
};

/** Configuration of both ends in one library context. */
struct raw_engine {
    struct bench_tls tls;
    OSSL_LIB_CTX *library; /* NULL: OpenSSL's own */
    SSL_CTX *client, *server;
};

/** A place for one handshake at a time. One thread at a time. */
struct raw_pair {
    struct raw_engine *engine;
    SSL *client, *server;
    SSL_SESSION *session; /* to resume, or NULL */
    char host[32];
    bool server_turn, client_done, server_done;
};

enum raw_step { RAW_MORE, RAW_DONE, RAW_FAILED };

/** own_library: with a library context of its own. Ends the program on failure. */
void raw_engine_open(struct raw_engine *engine, const struct bench_tls *tls, bool own_library);

/** Gives a place its number, which makes its host name, and begins a handshake. */
void raw_pair_init(struct raw_pair *pair, struct raw_engine *engine, unsigned number);
bool raw_pair_start(struct raw_pair *pair);

/** The next flight of whoever's turn it is. RAW_DONE: both ends are established. */
enum raw_step raw_pair_step(struct raw_pair *pair);

/** Each end sends the other a record. Ends the program on failure. */
void raw_pair_exchange(struct raw_pair *pair);

/** Frees both connections; either may have been taken away (NULL). */
void raw_pair_end(struct raw_pair *pair);

/** Makes one handshake and tells what was negotiated, to compare sides. */
void raw_describe(struct raw_pair *pair, char *ret_text, size_t size);

#endif
