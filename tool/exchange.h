/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One request and its answer, on a peer of `sspi serve`; HTTP/1.1 has one at a time, HTTP/2 many.
 *
 * What waits for the file system (looking a path up, listing, reading) runs on libuv's threads, so
 * that a slow disk never holds up the loop. Everything else, all functions here included, is on the
 * loop's thread. While such an operation is under way the exchange is `busy`, holds its peer, and
 * outlives exchange_free.
 */
#ifndef SSPI_TOOL_EXCHANGE_H
#define SSPI_TOOL_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "answer.h"

#define EXCHANGE_CHUNK 16384 /* bytes of a file in one HTTP/2 stream's hands */

struct peer;
struct exchange;

/** An operation is done: count < 0 is a libuv error, 0 the end of a file, or a look-up's success.
 */
typedef void exchange_done(struct exchange *exchange, ssize_t count);

struct exchange {
    struct peer *peer;
    struct exchange *previous, *next; /* in the list of an HTTP/2 peer */
    exchange_done *done;              /* of the operation under way */
    bool busy;                        /* an operation is under way */
    bool freed;                       /* nobody wants it any more */
    bool counted;                     /* in server->files: may have a file open */

    /* The request. */
    char method[16]; /* for the log; cut */
    bool head;
    int refusal; /* HTTP status to answer, or 0 */
    struct bytes target;
    char *user; /* who asks; NULL: nobody said */

    /* The answer. */
    struct answer answer;
    uint64_t read; /* bytes of the body that were taken from its file or memory */

    /* HTTP/2 only. */
    int32_t stream;
    bool complete, begun; /* the request has come to its end; its answer was asked for */
    size_t header_len, body_len;
    unsigned char *chunk; /* what is read and not yet sent, of EXCHANGE_CHUNK bytes */
    size_t chunk_len, chunk_used;

    union {
        uv_work_t work;
        uv_fs_t file;
    };
};

/** A new one for this peer; NULL if there is no memory. */
struct exchange *exchange_new(struct peer *peer);

/** Gives it up; what is under way may go on, but nobody hears of it. NULL is allowed. */
void exchange_free(struct exchange *exchange);

/** The operation under way need not be done if no thread has begun it. NULL is allowed. */
void exchange_cancel(struct exchange *exchange);

/** Finds the answer and calls done, perhaps before this returns. */
void exchange_begin(struct exchange *exchange, exchange_done *done);

/**
 * Reads the next bytes of the answer's file.
 *
 * @param to   stays where it is until done
 * @param done called later, never in here
 * @return 0, or a libuv error, and done is not called
 */
int exchange_read(struct exchange *exchange, void *to, size_t len, exchange_done *done);

/** Copies the next bytes of a body in memory; the count. */
size_t exchange_copy(struct exchange *exchange, void *to, size_t len);

/** With --verbose, the line about a request that was answered. */
void exchange_log(const struct exchange *exchange);

#endif
