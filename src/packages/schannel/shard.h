/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Crypto shards: OpenSSL library contexts of our own, each with the machine's OpenSSL
 * configuration, its own trust store and what connections of the shard share.
 *
 * Why several: OpenSSL 3.0 takes read-write locks inside one library context so often that two
 * threads gain little; a context each is the difference. A connection is pinned to one shard; any
 * thread may run it there. Shards are made on first use and live until the process ends. After a
 * fork the child makes its own; the parent's are not touched any more, not even to free them,
 * because one of the parent's threads may have held a lock inside.
 */
#ifndef OSSPI_SCHANNEL_SHARD_H
#define OSSPI_SCHANNEL_SHARD_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/types.h>
#include <sspi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/aead.h"

/** Heads what belongs to the parent of a fork, so that it stays reachable for leak checkers. */
struct osspi_abandoned {
    struct osspi_abandoned *next; /* guarded by the list's lock in shard.c */
};

struct osspi_shard {
    struct osspi_abandoned abandoned;           /* first member */
    uint32_t index;                             /* constant, with the five below */
    OSSL_LIB_CTX *base;                         /* with the machine's configuration */
    OSSL_LIB_CTX *libctx;                       /* base, or what provider.h makes of it */
    BIO_METHOD *bio_method;                     /* see tls_bio.c */
    EVP_CIPHER *ticket_cipher;                  /* AES-256-CBC */
    EVP_CIPHER *aead_ciphers[OSSPI_AEAD_KINDS]; /* NULL: the configuration has it not */
    struct osspi_lock trust_lock;
    X509_STORE *trust; /* guarded by trust_lock; made once, constant then */
};

/** The thread's default library context before osspi_shard_enter(); NULL: not changed. */
struct osspi_shard_scope {
    OSSL_LIB_CTX *previous;
};

/**
 * First in any block that makes, uses or frees objects of OpenSSL: to the end of the block the
 * shard is the thread's default library context, and fork() waits (base/foreign.h). Blocks may be
 * nested.
 *
 * Why: what OpenSSL does without being told a context, it does in the thread's default one. Above
 * all it takes a lock there for nearly every object that is made or freed (for its ex_data), which
 * in the application's context all shards would share. Other locks have no context at all (that of
 * the engines, taken for every key): a fork must not meet one held.
 */
#define OSSPI_IN_SHARD(shard) \
    __attribute__((unused)) struct osspi_shard_scope osspi_shard_scope_ osspi_auto( \
        osspi_shard_leave) = osspi_shard_enter(shard)

/** Is the shard's context ours (provider.h), so that it tells what secrets TLS derives? */
static inline bool osspi_shard_tells_secrets(const struct osspi_shard *shard)
{
    return shard->libctx != shard->base;
}

/** NULL: the default library context stays as it is. */
struct osspi_shard_scope osspi_shard_enter(const struct osspi_shard *shard);
void osspi_shard_leave(struct osspi_shard_scope *scope);

/** Keeps memory of the parent of a fork reachable. */
void osspi_shard_abandon(struct osspi_abandoned *memory);

/**
 * The shard for connections that this thread makes: threads that work side by side do so in
 * different ones, and one thread's connections are together in its CPU's caches. Thread-safe.
 */
uint32_t osspi_shard_mine(void);

/** The same without giving this thread one: what a credential is tried in. If the thread has none
 * it is the shard of the next one to ask, which then finds it ready. Thread-safe. */
uint32_t osspi_shard_first(void);

/** The shard of that index (below osspi_shard_count()), made on first use. NULL: it cannot be made
 * (no memory, or OpenSSL is broken). Thread-safe. */
struct osspi_shard *osspi_shard_get(uint32_t index);

/** The machine's trust store as this shard sees it, borrowed. NULL: no memory. Thread-safe. */
X509_STORE *osspi_shard_trust(struct osspi_shard *shard);

#endif
