/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Ours, and the cipher itself, for bench_bulk; see bulk.h. Both work in place, in memory of the
 * same layout.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bulk.h"
#include "evp_raw.h"
#include "tls_sspi.h"

/* --- EncryptMessage and DecryptMessage --- */

struct sspi_ends {
    struct sspi_pair pair;
    struct sspi_sizes client, server;
    size_t size;
    unsigned char *record; /* that is sealed over and over */
    struct bulk_batch batch;
};

/* One credential a process, as for the other ways; the second connection shares it. */
static struct sspi_engine *engine_of(const struct bench_tls *tls)
{
    static struct sspi_engine engine; /* both: the main thread's, which makes all connections */
    static bool is_open;

    if (!is_open)
        sspi_engine_open(&engine, tls, SSPI_INLINE, (OsspiOptions){.workers = 1});
    is_open = true;
    return &engine;
}

static void *sspi_connect(const struct bulk_setup *setup)
{
    struct sspi_ends *ends = calloc(1, sizeof(*ends));

    if (!ends)
        bench_die("out of memory");
    sspi_pair_init(&ends->pair, engine_of(&setup->tls), 0);
    sspi_pair_start(&ends->pair);
    while (!sspi_pair_step(&ends->pair))
        ;
    ends->client = sspi_sizes(&ends->pair.client.context);
    ends->server = sspi_sizes(&ends->pair.server.context);
    ends->size = setup->size;
    ends->record = bulk_memory(ends->client.header + setup->size + ends->client.trailer);
    bulk_batch_init(&ends->batch, ends->server.header + setup->size + ends->server.trailer);
    return ends;
}

static void sspi_tell(void *data, char *ret_text, size_t size)
{
    struct sspi_ends *ends = data;
    SecPkgContext_CipherInfo cipher = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};

    QueryContextAttributesA(&ends->pair.client.context, SECPKG_ATTR_CIPHER_INFO, &cipher);
    snprintf(ret_text, size, "TLSv1.%u, suite 0x%04x", (unsigned)(cipher.dwProtocol & 0xff) - 1,
             (unsigned)cipher.dwCipherSuite);
}

static void sspi_seal_many(void *data, unsigned count)
{
    struct sspi_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        sspi_seal(&ends->pair.client.context, &ends->client, ends->record, ends->size);
}

static void sspi_prepare(void *data, unsigned count)
{
    struct sspi_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        ends->batch.lens[i] = sspi_seal(&ends->pair.server.context, &ends->server,
                                        bulk_batch_at(&ends->batch, i), ends->size);
}

static void sspi_open_many(void *data, unsigned count)
{
    struct sspi_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        sspi_open(&ends->pair.client.context, bulk_batch_at(&ends->batch, i), ends->batch.lens[i],
                  ends->size);
}

const struct bulk_way bulk_sspi = {
    .name = "sspi",
    .title = "EncryptMessage, DecryptMessage",
    .connect = sspi_connect,
    .describe = sspi_tell,
    .seal = sspi_seal_many,
    .prepare = sspi_prepare,
    .open = sspi_open_many,
};

/* --- The cipher itself --- */

struct evp_ends {
    struct evp_raw seal, peer, open;
    struct bench_tls tls;
    size_t size;
    unsigned char *record;
    struct bulk_batch batch;
};

static void *evp_connect(const struct bulk_setup *setup)
{
    struct evp_ends *ends = calloc(1, sizeof(*ends));
    size_t longest;

    if (!ends)
        bench_die("out of memory");
    ends->tls = setup->tls;
    ends->size = setup->size;
    evp_raw_init(&ends->seal, setup->tls.cipher, setup->tls.tls12, true);
    evp_raw_init(&ends->peer, setup->tls.cipher, setup->tls.tls12, true);
    evp_raw_init(&ends->open, setup->tls.cipher, setup->tls.tls12, false);
    longest = evp_raw_header(&ends->seal) + setup->size + evp_raw_trailer(&ends->seal);
    ends->record = bulk_memory(longest);
    bulk_batch_init(&ends->batch, longest);
    return ends;
}

static void evp_tell(void *data, char *ret_text, size_t size)
{
    static const unsigned suites[][2] = {[BENCH_AES_128_GCM] = {0x1301, 0xc02b},
                                         [BENCH_AES_256_GCM] = {0x1302, 0xc02c},
                                         [BENCH_CHACHA20] = {0x1303, 0xcca9}};
    struct evp_ends *ends = data;

    snprintf(ret_text, size, "TLSv1.%d, suite 0x%04x", ends->tls.tls12 ? 2 : 3,
             suites[ends->tls.cipher][ends->tls.tls12]);
}

static void evp_seal(void *data, unsigned count)
{
    struct evp_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        evp_raw_seal(&ends->seal, ends->record, ends->size);
}

static void evp_prepare(void *data, unsigned count)
{
    struct evp_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        evp_raw_seal(&ends->peer, bulk_batch_at(&ends->batch, i), ends->size);
}

static void evp_open(void *data, unsigned count)
{
    struct evp_ends *ends = data;

    for (unsigned i = 0; i < count; i++)
        evp_raw_open(&ends->open, bulk_batch_at(&ends->batch, i), ends->size);
}

const struct bulk_way bulk_evp = {
    .name = "raw-evp",
    .title = "the cipher itself, through EVP",
    .connect = evp_connect,
    .describe = evp_tell,
    .seal = evp_seal,
    .prepare = evp_prepare,
    .open = evp_open,
};
