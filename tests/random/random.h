/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The random API driver: several threads make random calls of every exported function on shared
 * handles, valid, stale, foreign and made up, while some connections try to get on.
 *
 * Each function has a row (struct random_row) whose call chooses arguments, makes the call and
 * checks what came back against what the function documents. Pointers that Windows has no way to
 * check (certificate contexts, memory to be freed) are always good ones; everything else may be
 * wrong. What must hold in the end: every accepted call ran its callback exactly once, no refused
 * one did, and nothing is left alive.
 *
 * Threads: a struct random_thread belongs to one thread; pools have locks of their own.
 */
#ifndef OSSPI_TESTS_RANDOM_RANDOM_H
#define OSSPI_TESTS_RANDOM_RANDOM_H

#include <opensspi.h>
#include <schannel.h>
#include <sspi.h>

#include "random/random_row.h"
#include "support/test_util.h"
#include "support/tls_peer.h"

/* ---- a thread and its choices ---- */

#define RANDOM_OUT_SIZE 24576u

struct random_thread {
    uint64_t state;
    unsigned depth; /* above 0: inside a callback */
    uint8_t out[RANDOM_OUT_SIZE];
};

uint32_t random_below(struct random_thread *thread, uint32_t bound);
/** True in so many of a hundred cases. */
bool random_chance(struct random_thread *thread, unsigned percent);
/** One of the items of an array. */
#define RANDOM_OF(thread, array) \
    ((array)[random_below((thread), sizeof(array) / sizeof((array)[0]))])

/* ---- the table ---- */

/** One call of a row that the weights choose. */
void random_step(struct random_thread *thread);
/** The same from the rows that a forked child may use: those without calls in the background. */
void random_step_in_child(struct random_thread *thread);

/* ---- pools of handles ---- */

enum random_pool {
    RANDOM_CREDENTIALS,
    RANDOM_CONTEXTS,
    RANDOM_STORES,
    RANDOM_QUEUES,
    RANDOM_POOLS
};

/** A handle to pass on: mostly of that pool and alive, now and then anything else or NULL. */
struct random_handle {
    SecHandle value;
    bool null;
};

struct random_handle random_pick(struct random_thread *thread, enum random_pool pool);
/** A pointer to it, or NULL. */
SecHandle *random_arg(struct random_handle *handle);
/** Puts a new one in; gives what had to leave for it, to be freed by the caller. */
bool random_put(struct random_thread *thread, enum random_pool pool, SecHandle value,
                SecHandle *ret_left);
/** Takes one out to be freed, or gives a value that may be anything. */
struct random_handle random_take(struct random_thread *thread, enum random_pool pool);
/** Takes out whatever there is; false: nothing. For the end. */
bool random_drain(enum random_pool pool, SecHandle *ret_value);
/** Notes a handle that others may use although it is somebody's own. */
void random_publish(enum random_pool pool, SecHandle value);

/** Around fork, on the thread that forks. */
void random_pools_lock(void);
void random_pools_unlock(void);

/* ---- shared things that stay ---- */

#define RANDOM_CERTIFICATES 4u

/** Constant after random_world_open(). */
extern struct random_world {
    PCCERT_CONTEXT certificates[RANDOM_CERTIFICATES]; /* the first has a key, the last is a CA */
    CredHandle client, server;                        /* never freed but at the end */
    uint8_t hello[2048];                              /* of a client, whole */
    size_t hello_len;
    struct peer_stream pfx;
} random_world;

void random_world_open(void);
void random_world_close(void);

/** Frees a credential or deletes a context that left a pool, and checks the answer. */
void random_free_credential(SecHandle value);
void random_delete_context(SecHandle value);

/* ---- asynchronous calls: random_async.c ---- */

/** One call with all the memory it needs. Freed when its callback has run, or it was refused. */
struct random_op {
    const char *function;   /* synchronous twin, whose statuses it may end with */
    struct random_end *end; /* of a connection, or NULL */
    CredHandle credential;  /* outputs; zero until written */
    CtxtHandle context;
    ULONG attributes;
    TimeStamp expiry;
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    uint8_t *in_bytes, *out_bytes;
    size_t in_len;
};

/** An op with a copy of these bytes as its input and room for output. */
struct random_op *random_op_new(const char *function, const void *bytes, size_t len);
void random_op_free(struct random_op *op);

/** An async context that has a callback, and what is known of it. Never freed before the end. */
struct random_record;

/** One that no other thread knows, with its value. */
struct random_record *random_record_new(void);
SspiAsyncContext *random_record_value(const struct random_record *record);
/** Makes the next call's op known. False: a callback is still to come, make no call. Locks the
 * record until random_record_end(), which takes what the ...Async function answered. */
bool random_record_begin(struct random_record *record, struct random_op *op);
void random_record_end(struct random_thread *thread, struct random_record *record,
                       struct random_op *op, SECURITY_STATUS queued);

/** Waits until every callback has come, then frees all async contexts. */
void random_async_finish(void);
struct random_counts {
    uint64_t accepted, refused, callbacks;
};
/** What all records counted; frees them. */
struct random_counts random_async_counts(void);

/* ---- completion queues: random_queue.c ---- */

/** Drains every queue that is open. */
void random_queues_drain(void);
/** Closes them all; nothing may be bound to them any more. */
void random_queues_close(void);

/* ---- connections: random_link.c ---- */

void random_links_open(void);
/** Does one thing on one connection. */
void random_link_step(struct random_thread *thread);
/** What an asynchronous leg of an end came to. */
void random_link_done(struct random_op *op, SECURITY_STATUS status);
/** The leg was not accepted. */
void random_link_refused(struct random_op *op);
void random_links_close(void);
/** Connections established, and messages that arrived, so far. */
uint64_t random_links_established(void);
uint64_t random_links_messages(void);

#endif
