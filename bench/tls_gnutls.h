/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * GnuTLS, client and server in one process, through memory. Full handshakes without tickets; the
 * client verifies nothing: what GnuTLS is compared by is what comes behind the handshake.
 */
#ifndef BENCH_TLS_GNUTLS_H
#define BENCH_TLS_GNUTLS_H

#include <gnutls/gnutls.h>

#include "tls_raw.h"

struct gnutls_engine {
    gnutls_certificate_credentials_t client, server;
    gnutls_priority_t priority;
};

/** Bytes on their way. The memory grows as it must. */
struct gnutls_pipe {
    unsigned char *memory;
    size_t begin, end, size;
};

struct gnutls_pair;

struct gnutls_end {
    struct gnutls_pair *pair;
    gnutls_session_t session;
    struct gnutls_pipe *in, *out;
};

/** A place for one connection at a time. */
struct gnutls_pair {
    struct gnutls_engine *engine;
    struct gnutls_end client, server;
    struct gnutls_pipe up, down;
};

/** Ends the program on failure, as all of these do. */
void gnutls_engine_open(struct gnutls_engine *engine, const struct bench_tls *tls);

/** Makes a handshake. The pair is zeroed or ended. */
void gnutls_pair_connect(struct gnutls_pair *pair, struct gnutls_engine *engine);

/** Version and suite as raw_describe() tells them. */
void gnutls_pair_describe(const struct gnutls_pair *pair, char *ret_text, size_t size);

/** One end sends a record, the other takes it. */
void gnutls_pair_send(struct gnutls_end *from, const void *bytes, size_t len);
void gnutls_pair_receive(struct gnutls_end *to, void *ret_bytes, size_t len);

/** Frees both sessions; either may have been taken away (NULL). The pipes stay. */
void gnutls_pair_end(struct gnutls_pair *pair);

#endif
