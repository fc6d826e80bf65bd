/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The TLS library's crypto as this folder uses it: a library context of our own, hashes, and the
 * error queue.
 *
 * Nothing here runs in the default library context. It belongs to the application (which may
 * configure or unload it, and hang callbacks on its objects), and its locks stay held in a forked
 * child if another thread held them: one of them is taken for every BIO, key and certificate that
 * is made. Ours is made anew in the child, and the parent's is abandoned there. It does not load
 * the configuration file: in OpenSSL 3.0 that replaces tables of the whole process without a lock,
 * and this folder only parses and compares.
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

/** The one for keys and passwords, which few programs need and which takes a few milliseconds to
 * make: it has all of the default provider's algorithms from the start. */
const struct osspi_crypto *osspi_crypto_get_full(void);

/** Gives that one the algorithms of old files too (RC2, DES, MD5), if the system has them. Only for
 * a file that needs them: they come as a module, whose loading is not safe without memory. */
void osspi_crypto_want_legacy(void);

/** What osspi_crypto_enter() changed of the calling thread. */
struct osspi_crypto_scope {
    OSSL_LIB_CTX *previous;
};

/**
 * First in any block that uses the TLS library, also if it only frees: to the end of the block our
 * library context is the thread's default, and what is added to the thread's error queue is taken
 * away, so that the application's own entries stay as they were. Blocks may be nested.
 */
#define OSSPI_CRYPTO_CALL \
    struct osspi_crypto_scope __attribute__((unused, cleanup(osspi_crypto_leave))) osspi_scope_ = \
        osspi_crypto_enter()

struct osspi_crypto_scope osspi_crypto_enter(void);
void osspi_crypto_leave(struct osspi_crypto_scope *scope);

/** SEC_E_INSUFFICIENT_MEMORY if it was for lack of memory that the TLS library failed just now,
 * otherwise the status given. Called inside OSSPI_CRYPTO_CALL. */
SECURITY_STATUS osspi_crypto_failure(SECURITY_STATUS otherwise);

/** SHA-1 and SHA-256. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_crypto_sha1(struct osspi_der_view bytes, uint8_t ret_hash[20]);
SECURITY_STATUS osspi_crypto_sha256(struct osspi_der_view bytes, uint8_t ret_hash[32]);

/** For osspi_auto(). */
void osspi_pkey_freep(EVP_PKEY **key);

#endif
