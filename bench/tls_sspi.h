/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The same handshakes through SSPI: client and server in one process, each end's token is read by
 * the other where it was written. Synchronously, or with one asynchronous call after another.
 */
#ifndef BENCH_TLS_SSPI_H
#define BENCH_TLS_SSPI_H

#include <stdatomic.h>
#include <stdbool.h>

#include <opensspi.h>
#include <schannel.h>

#include "tls_raw.h"

#define SSPI_TOKEN_MAX 8192 /* more than any flight here */

enum sspi_way {
    SSPI_INLINE,   /* synchronous calls */
    SSPI_CALLBACK, /* the callback runs on a worker and queues the next leg */
    SSPI_QUEUE     /* the callback runs on the thread that drains the queue */
};

struct sspi_engine {
    struct bench_tls tls;
    enum sspi_way way;
    CredHandle client, server;
    OsspiCompletionQueue *queue; /* of SSPI_QUEUE */
};

struct sspi_pair;

struct sspi_end {
    struct sspi_pair *pair;
    struct sspi_end *other;
    bool server, established;
    atomic_bool awaits; /* a callback: set before the call, cleared by its one callback */
    CtxtHandle context;
    SspiAsyncContext *call;
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    ULONG token_len;      /* in token, not yet read by the other end */
    unsigned char *token; /* SSPI_TOKEN_MAX bytes */
};

/** A place for one handshake at a time. */
struct sspi_pair {
    struct sspi_engine *engine;
    struct sspi_end client, server;
    struct sspi_end *turn; /* whose call is next; NULL: none is under way */
    char host[32];
    uint64_t calls, callbacks;                /* asynchronous ones so far */
    void (*finished)(struct sspi_pair *pair); /* asynchronous: a handshake is done, not ended */
    void *data;                               /* for finished */
};

/** Ends the program on failure. options: without cbSize and trust_file, which are set here. */
void sspi_engine_open(struct sspi_engine *engine, const struct bench_tls *tls, enum sspi_way way,
                      OsspiOptions options);

/** One more, with the options of the first; certificates from the same folder and of the same kind
 * of key. */
void sspi_engine_add(struct sspi_engine *engine, const struct bench_tls *tls, enum sspi_way way);

void sspi_pair_init(struct sspi_pair *pair, struct sspi_engine *engine, unsigned number);

/** Begins a handshake; nothing is called yet. */
void sspi_pair_start(struct sspi_pair *pair);

/** Inline: the next leg. True: both ends are established. */
bool sspi_pair_step(struct sspi_pair *pair);

/** Asynchronous: queues the next leg; each callback queues one more, the last calls finished. */
void sspi_pair_go(struct sspi_pair *pair);

/** Each end sends the other a record. Ends the program on failure. */
void sspi_pair_exchange(struct sspi_pair *pair);

/** Deletes both contexts; asynchronously if the callbacks run on a loop. */
void sspi_pair_end(struct sspi_pair *pair);

/* --- Records --- */

/** What has to be free in front of a record's data and behind them. */
struct sspi_sizes {
    ULONG header, trailer;
};

struct sspi_sizes sspi_sizes(CtxtHandle *context);

/** EncryptMessage in place: the data lie sizes->header bytes behind `memory`, with room for the
 * trailer behind them. Returns the record's length. Ends the program on failure. */
size_t sspi_seal(CtxtHandle *context, const struct sspi_sizes *sizes, unsigned char *memory,
                 size_t len);

/** DecryptMessage in place, of one whole record that holds len bytes. Ends the program on failure.
 */
void sspi_open(CtxtHandle *context, unsigned char *record, size_t record_len, size_t len);

/** Makes one handshake, inline, and tells what was negotiated as raw_describe does. */
void sspi_describe(struct sspi_pair *pair, char *ret_text, size_t size);

#endif
