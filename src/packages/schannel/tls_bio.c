/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The BIO between OpenSSL and a connection: reads come out of the one record that is being fed, in
 * the caller's memory; writes go into the connection's flight. OpenSSL never sees a byte behind the
 * record. Not thread-safe, like the connection.
 */
#include <endian.h>
#include <openssl/bio.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/datagram.h"
#include "packages/schannel/tls_internal.h"

#define FLIGHT_STEP 512u /* most flights are small, and one is kept as long as the connection */

bool osspi_tls_flight_reserve(struct osspi_tls *tls, size_t len)
{
    if (len <= tls->flight_size - tls->flight_len)
        return true;
    if (len > SIZE_MAX / 4 - tls->flight_len)
        return false;

    size_t size = 2 * tls->flight_size;
    if (size < tls->flight_len + len)
        size = (tls->flight_len + len + FLIGHT_STEP - 1) / FLIGHT_STEP * FLIGHT_STEP;
    uint8_t *flight = osspi_alloc(size);
    if (flight == NULL) {
        tls->no_memory = true;
        return false;
    }
    if (tls->flight_len > 0)
        memcpy(flight, tls->flight, tls->flight_len);
    osspi_secret_free(tls->flight, tls->flight_len);
    tls->flight = flight;
    tls->flight_size = size;
    return true;
}

bool osspi_tls_feed(struct osspi_tls *tls, const uint8_t *record, size_t len)
{
    const size_t header = tls->datagram ? OSSPI_DTLS_HEADER : OSSPI_TLS_HEADER;

    if (len < header || len > header + OSSPI_TLS_MAX_RECORD ||
        len - header != ((size_t)record[header - 2] << 8 | record[header - 1]))
        return false;
    tls->in = record;
    tls->in_len = len;
    tls->content_type = record[0];
    return true;
}

static int flight_write(BIO *bio, const char *bytes, size_t len, size_t *ret_written)
{
    struct osspi_tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *ret_written = 0;
    if (tls->messages != NULL) { /* messages go out, no records; see message_tls.c */
        *ret_written = len;
        return 1;
    }
    if (!osspi_tls_flight_reserve(tls, len))
        return 0;
    memcpy(tls->flight + tls->flight_len, bytes, len);
    tls->flight_len += len;
    *ret_written = len;
    return 1;
}

/* A record of DTLS that is not sealed gets the number that comes next; see tls_datagram.c. */
static void renumber(struct osspi_tls *tls, uint8_t *record, size_t len)
{
    const uint64_t number = htobe64(tls->fed);

    if (len < OSSPI_DTLS_HEADER || record[3] != 0 || record[4] != 0)
        return;
    tls->fed++;
    memcpy(record + 5, (const uint8_t *)&number + 2, 6);
}

static int record_read(BIO *bio, char *bytes, size_t len, size_t *ret_read)
{
    struct osspi_tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *ret_read = 0;
    if (tls->in_len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if (len > tls->in_len)
        len = tls->in_len;
    memcpy(bytes, tls->in, len);
    if (tls->datagram)
        renumber(tls, (uint8_t *)bytes, len);
    tls->in += len;
    tls->in_len -= len;
    *ret_read = len;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *osspi_tls_bio_method(void)
{
    /* The type only serves BIO_find_type(), which nobody asks for this one: no index is taken. */
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "OpenSSPI record");

    if (method != NULL &&
        (!BIO_meth_set_write_ex(method, flight_write) ||
         !BIO_meth_set_read_ex(method, record_read) || !BIO_meth_set_ctrl(method, control) ||
         !BIO_meth_set_create(method, create))) {
        BIO_meth_free(method);
        method = NULL;
    }
    return method;
}

BIO *osspi_tls_bio_new(struct osspi_tls *tls)
{
    BIO *bio = BIO_new(tls->config->shard->bio_method);

    if (bio != NULL)
        BIO_set_data(bio, tls);
    return bio;
}
