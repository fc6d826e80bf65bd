/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * gnutls_record_send and gnutls_record_recv for bench_bulk; see bulk.h. The push function copies a
 * record to where it could be sent from, the pull function copies it from where it was received.
 * GnuTLS allows one thread to send while another one receives.
 */
#include <stdlib.h>

#include "bulk.h"
#include "tls_gnutls.h"

struct gnutls_ends {
    struct gnutls_engine engine;
    struct gnutls_pair pair;
    size_t size;
    unsigned char *data, *in;
};

static void *bulk_connect(const struct bulk_setup *setup)
{
    struct gnutls_ends *ends = calloc(1, sizeof(*ends));

    if (!ends)
        bench_die("out of memory");
    gnutls_engine_open(&ends->engine, &setup->tls);
    gnutls_pair_connect(&ends->pair, &ends->engine);
    ends->size = setup->size;
    ends->data = bulk_memory(setup->size);
    ends->in = bulk_memory(setup->size);
    return ends;
}

static void bulk_describe(void *data, char *ret_text, size_t size)
{
    struct gnutls_ends *ends = data;

    gnutls_pair_describe(&ends->pair, ret_text, size);
}

static void bulk_seal(void *data, unsigned count)
{
    struct gnutls_ends *ends = data;

    for (unsigned i = 0; i < count; i++) {
        ends->pair.up.end = 0; /* nobody reads it */
        gnutls_pair_send(&ends->pair.client, ends->data, ends->size);
    }
}

static void bulk_prepare(void *data, unsigned count)
{
    struct gnutls_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        gnutls_pair_send(&ends->pair.server, ends->data, ends->size);
}

static void bulk_open(void *data, unsigned count)
{
    struct gnutls_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        gnutls_pair_receive(&ends->pair.client, ends->in, ends->size);
}

const struct bulk_way bulk_gnutls = {
    .name = "gnutls",
    .title = "GnuTLS",
    .connect = bulk_connect,
    .describe = bulk_describe,
    .seal = bulk_seal,
    .prepare = bulk_prepare,
    .open = bulk_open,
};
