/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The ways to protect records that bench_bulk compares. Each makes an established connection whose
 * client end is measured; its server end makes the records that the client opens.
 *
 * What is sealed lies in the program's memory and is sealed to where the program could send it
 * from; what is opened lies where the program received it.
 */
#ifndef BENCH_BULK_H
#define BENCH_BULK_H

#include "tls_raw.h"

#define BULK_BATCH 64 /* records at most of one prepare() and open() */

struct bulk_setup {
    struct bench_tls tls;
    size_t size;  /* bytes of data in a record */
    bool two_way; /* one thread will seal while another one opens */
};

/** A way. seal() is called by one thread, prepare() and open() by one, maybe another. All of them
 * end the program on failure. */
struct bulk_way {
    const char *name, *title;
    void *(*connect)(const struct bulk_setup *setup);

    /** Version and suite as raw_describe() tells them. */
    void (*describe)(void *ends, char *ret_text, size_t size);

    /** The client seals count records, each in the place of the one before. */
    void (*seal)(void *ends, unsigned count);

    /** Not measured: the server seals count records and puts them where the client opens them. */
    void (*prepare)(void *ends, unsigned count);

    /** The client opens them, in order. */
    void (*open)(void *ends, unsigned count);
};

extern const struct bulk_way bulk_evp, bulk_sspi, bulk_ssl, bulk_ssl_direct; /* constant */
#if BENCH_HAVE_GNUTLS
extern const struct bulk_way bulk_gnutls; /* constant */
#endif

/** Memory for a batch of records, none of which is longer than `longest`. */
struct bulk_batch {
    unsigned char *memory;
    size_t stride;
    size_t lens[BULK_BATCH];
};

void bulk_batch_init(struct bulk_batch *batch, size_t longest);

/** Where the nth record begins. */
static inline unsigned char *bulk_batch_at(const struct bulk_batch *batch, unsigned nth)
{
    return batch->memory + nth * batch->stride;
}

/** Zeroed memory at the beginning of a page. */
unsigned char *bulk_memory(size_t size);

#endif
