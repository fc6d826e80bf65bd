/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The TLS library's crypto as this folder uses it: a library context of our own, hashes, and the
 * error queue.
 *
 * Everything that needs providers runs in that context. The default one belongs to the application
 * (which may configure or unload it), and its locks stay held in a forked child if another thread
 * held them; ours is made anew in the child, and the parent's is abandoned there. It does not load
 * the configuration file: in OpenSSL 3.0 that replaces tables of the whole process without a lock,
 * and this folder only parses and compares. What cannot be had elsewhere: traditional encrypted PEM
 * keys (RFC 1421 headers) are opened by the TLS library with its default context.
 *
 * All functions are thread-safe.
 */
#ifndef OSSPI_CERT_CRYPTO_H
#define OSSPI_CERT_CRYPTO_H

#include "cert/x509.h"

#include <stdbool.h>

#include "base/memory.h"
#include "cert/certificate.h"

struct osspi_crypto {
    /* Constant once published. */
    OSSL_LIB_CTX *library;
    EVP_MD *sha1;
    EVP_MD *sha256;
    uint32_t epoch;                       /* fork epoch in which it was made */
    const struct osspi_crypto *abandoned; /* the parent process's; keeps it in reach, no more */
};

/** This process's library context; NULL when there is no memory for one. Never freed. */
const struct osspi_crypto *osspi_crypto_get(void);

/** The same, with the algorithms of old PKCS#12 files (RC2, DES) where the system has them. */
const struct osspi_crypto *osspi_crypto_get_legacy(void);

/**
 * Around any use of the TLS library: what it adds to the thread's error queue is taken away at the
 * end of the enclosing block, so that the application's own entries stay as they were.
 */
#define OSSPI_CRYPTO_CALL \
    int osspi_mark_ __attribute__((unused)) osspi_auto(osspi_crypto_unmark) = osspi_crypto_mark()

int osspi_crypto_mark(void);
void osspi_crypto_unmark(int *mark);

/** SEC_E_INSUFFICIENT_MEMORY if it was for lack of memory that the TLS library failed just now,
 * otherwise the status given. Called inside OSSPI_CRYPTO_CALL. */
SECURITY_STATUS osspi_crypto_failure(SECURITY_STATUS otherwise);

/** SHA-1 and SHA-256. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_crypto_sha1(struct osspi_der_view bytes, uint8_t ret_hash[20]);
SECURITY_STATUS osspi_crypto_sha256(struct osspi_der_view bytes, uint8_t ret_hash[32]);

/** For osspi_auto(). */
void osspi_pkey_freep(EVP_PKEY **key);

#endif
