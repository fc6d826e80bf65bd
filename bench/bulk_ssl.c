/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * SSL_write and SSL_read for bench_bulk; see bulk.h. "ssl-mem": with memory BIOs, as programs do
 * that bring their own transport: a record is taken out of the BIO to be sent, and put into it when
 * it was received. "ssl-direct": with a BIO of our own that does nothing on the way out and copies
 * once on the way in; libssl can do with no less.
 *
 * An SSL object is one thread's, for reading and writing alike. So where one thread seals while
 * another one opens, each call of theirs is under a mutex.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bulk.h"

#define OVERHEAD 256 /* more than a record adds to its data */

struct ssl_ends {
    struct raw_engine engine;
    struct raw_pair pair;
    size_t size, longest;
    unsigned char *data, *out, *in; /* what is written; a record sealed; what is read */
    struct bulk_batch batch;
    unsigned reading; /* direct: the record of the batch at which the BIO is, */
    size_t read_len;  /* and how much of it was read */
    pthread_mutex_t *lock;
};

static void lock(struct ssl_ends *ends)
{
    if (ends->lock)
        pthread_mutex_lock(ends->lock);
}

static void unlock(struct ssl_ends *ends)
{
    if (ends->lock)
        pthread_mutex_unlock(ends->lock);
}

static void *ssl_connect(const struct bulk_setup *setup)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* itself a lock */
    struct ssl_ends *ends = calloc(1, sizeof(*ends));
    enum raw_step step = RAW_MORE;

    if (!ends)
        bench_die("out of memory");
    raw_engine_open(&ends->engine, &setup->tls, false);
    raw_pair_init(&ends->pair, &ends->engine, 0);
    if (!raw_pair_start(&ends->pair))
        bench_die("OpenSSL begins no handshake");
    while (step == RAW_MORE)
        step = raw_pair_step(&ends->pair);
    if (step == RAW_FAILED)
        bench_die("OpenSSL's handshake failed");
    ends->size = setup->size;
    ends->longest = setup->size + OVERHEAD;
    ends->data = bulk_memory(ends->size);
    ends->in = bulk_memory(ends->size);
    ends->out = bulk_memory(ends->longest);
    ends->lock = setup->two_way ? &mutex : NULL;
    bulk_batch_init(&ends->batch, ends->longest);
    return ends;
}

static void ssl_tell(void *data, char *ret_text, size_t size)
{
    struct ssl_ends *ends = data;

    snprintf(ret_text, size, "%s, suite 0x%04x", SSL_get_version(ends->pair.client),
             SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ends->pair.client)));
}

/* Writes one record and takes it out of the memory BIO. */
static size_t write_record(struct ssl_ends *ends, SSL *ssl, unsigned char *record)
{
    int len = -1;

    if (SSL_write(ssl, ends->data, (int)ends->size) == (int)ends->size)
        len = BIO_read(SSL_get_wbio(ssl), record, (int)ends->longest);
    if (len <= 0)
        bench_die("OpenSSL writes no record");
    return (size_t)len;
}

static void mem_seal(void *data, unsigned count)
{
    struct ssl_ends *ends = data;

    for (unsigned i = 0; i < count; i++) {
        lock(ends);
        write_record(ends, ends->pair.client, ends->out);
        unlock(ends);
    }
}

static void ssl_prepare(void *data, unsigned count)
{
    struct ssl_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        ends->batch.lens[i] = write_record(ends, ends->pair.server, bulk_batch_at(&ends->batch, i));
    ends->reading = 0;
    ends->read_len = 0;
}

static void read_record(struct ssl_ends *ends)
{
    if (SSL_read(ends->pair.client, ends->in, (int)ends->size) != (int)ends->size)
        bench_die("OpenSSL reads no record");
}

static void mem_open(void *data, unsigned count)
{
    struct ssl_ends *ends = data;

    for (unsigned i = 0; i < count; i++) {
        int len = (int)ends->batch.lens[i];

        lock(ends);
        if (BIO_write(SSL_get_rbio(ends->pair.client), bulk_batch_at(&ends->batch, i), len) != len)
            bench_die("OpenSSL takes no record");
        read_record(ends);
        unlock(ends);
    }
}

const struct bulk_way bulk_ssl = {
    .name = "ssl-mem",
    .title = "libssl, memory BIOs",
    .connect = ssl_connect,
    .describe = ssl_tell,
    .seal = mem_seal,
    .prepare = ssl_prepare,
    .open = mem_open,
};

/* --- A BIO of our own --- */

/* The record is in libssl's buffer: send() could be called here. */
static int direct_write(BIO *bio, const char *bytes, int len)
{
    (void)bio;
    (void)bytes;
    return len;
}

static int direct_read(BIO *bio, char *ret_bytes, int size)
{
    struct ssl_ends *ends = BIO_get_data(bio);
    size_t left = ends->batch.lens[ends->reading] - ends->read_len;

    if (left > (size_t)size)
        left = (size_t)size;
    memcpy(ret_bytes, bulk_batch_at(&ends->batch, ends->reading) + ends->read_len, left);
    ends->read_len += left;
    if (ends->read_len == ends->batch.lens[ends->reading]) {
        ends->reading++;
        ends->read_len = 0;
    }
    return (int)left;
}

static long direct_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static void *direct_connect(const struct bulk_setup *setup)
{
    struct ssl_ends *ends = ssl_connect(setup);
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bench");
    BIO *bio;

    if (!method || BIO_meth_set_write(method, direct_write) != 1 ||
        BIO_meth_set_read(method, direct_read) != 1 ||
        BIO_meth_set_ctrl(method, direct_control) != 1)
        bench_die("OpenSSL makes no BIO");
    bio = BIO_new(method);
    if (!bio)
        bench_die("OpenSSL makes no BIO");
    BIO_set_data(bio, ends);
    BIO_set_init(bio, 1);
    SSL_set_bio(ends->pair.client, bio, bio); /* the server keeps its own */
    return ends;
}

static void direct_seal(void *data, unsigned count)
{
    struct ssl_ends *ends = data;

    for (unsigned i = 0; i < count; i++) {
        lock(ends);
        if (SSL_write(ends->pair.client, ends->data, (int)ends->size) != (int)ends->size)
            bench_die("OpenSSL writes no record");
        unlock(ends);
    }
}

static void direct_open(void *data, unsigned count)
{
    struct ssl_ends *ends = data;

    for (unsigned i = 0; i < count; i++) {
        lock(ends);
        read_record(ends);
        unlock(ends);
    }
}

const struct bulk_way bulk_ssl_direct = {
    .name = "ssl-direct",
    .title = "libssl, BIO without copies",
    .connect = direct_connect,
    .describe = ssl_tell,
    .seal = direct_seal,
    .prepare = ssl_prepare,
    .open = direct_open,
};
