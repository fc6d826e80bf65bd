/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * "The cipher itself": TLS records sealed and opened in place by OpenSSL's EVP functions used
 * directly, with a context that keeps its key. Per record only what cannot be left out: the nonce
 * from a sequence number, the additional data, the header's bytes, the inner type byte of TLS 1.3.
 * Nothing is checked but the tag.
 */
#ifndef BENCH_EVP_RAW_H
#define BENCH_EVP_RAW_H

#include <openssl/evp.h>

#include "tls_raw.h"

#define EVP_RAW_TAG 16

/** One direction of a connection. One thread at a time. */
struct evp_raw {
    EVP_CIPHER_CTX *ctx;
    OSSL_PARAM tag[2];
    uint64_t sequence;
    unsigned char iv[12];
    bool tls12;
};

/** A key of our own; the same for all, since only time is measured. Ends the program on failure. */
void evp_raw_init(struct evp_raw *key, enum bench_cipher cipher, bool tls12, bool seal);

/** Bytes in front of a record's data, and behind them. */
size_t evp_raw_header(const struct evp_raw *key);
size_t evp_raw_trailer(const struct evp_raw *key);

/** Data of len bytes lie behind the room for the header. Returns the record's length. */
size_t evp_raw_seal(struct evp_raw *key, unsigned char *record, size_t len);

/** Opens the record in which evp_raw_seal() put len bytes. Ends the program on failure. */
void evp_raw_open(struct evp_raw *key, unsigned char *record, size_t len);

#endif
