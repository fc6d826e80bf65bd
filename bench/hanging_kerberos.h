/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contexts of Kerberos in the live realm, both ends ours, one asynchronous call after another: what
 * tls_sspi.h does for TLS.
 */
#ifndef BENCH_HANGING_KERBEROS_H
#define BENCH_HANGING_KERBEROS_H

#include <stdbool.h>

#include <opensspi.h>

struct kerberos_engine {
    bool login; /* each context logs in: two exchanges with the KDC; else tickets are at hand */
    CredHandle client, server;
};

struct kerberos_pair;

struct kerberos_end {
    struct kerberos_pair *pair;
    struct kerberos_end *other;
    bool server, established;
    CtxtHandle context;
    SspiAsyncContext *call;
    SecBuffer in, out;
    SecBufferDesc in_desc, out_desc;
    ULONG attributes, token_len;
    unsigned char *token;
};

/** A place for one context at a time. */
struct kerberos_pair {
    struct kerberos_engine *engine;
    struct kerberos_end client, server;
    CredHandle own; /* of a context that logs in */
    void (*finished)(struct kerberos_pair *pair);
    void *data; /* for finished */
};

/** Ends the program on failure. */
void kerberos_engine_open(struct kerberos_engine *engine, bool login);

void kerberos_pair_init(struct kerberos_pair *pair, struct kerberos_engine *engine);

/** Queues the first leg; each callback queues one more, the last calls finished. */
void kerberos_pair_go(struct kerberos_pair *pair);

/** Deletes both contexts. */
void kerberos_pair_end(struct kerberos_pair *pair);

#endif
