/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A provider of our own (man 7 provider) between a shard's TLS connections and OpenSSL's default
 * provider: it hands the default provider's algorithms on, only those that TLS needs, and brings
 * the key derivation of TLS along.
 *
 * Why: OpenSSL 3.0 looks at every key type and decoder of a library context each time it parses a
 * certificate, and at every algorithm there is for that: a fifth of a handshake. And deriving one
 * secret costs more for looking up and setting up than for the hashes.
 */
#ifndef OSSPI_SCHANNEL_PROVIDER_H
#define OSSPI_SCHANNEL_PROVIDER_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * A new library context over one that has its configuration and nothing but the default provider,
 * as it is made without a configuration file. The caller frees it, and `base` after it.
 *
 * @return NULL: base has other providers, or there is no memory; base is to be used itself then.
 */
OSSL_LIB_CTX *osspi_provider_wrap(OSSL_LIB_CTX *base);

/** Who is told of the secrets that TLS 1.3 derives: label without "tls13 " and without a NUL ("c ap
 * traffic", "res master"), and secret or key, both borrowed for the call. */
typedef void osspi_secret_sink(void *owner, const char *label, size_t label_len,
                               const uint8_t *secret, size_t len);

/** What was in force before. */
struct osspi_secrets_scope {
    bool open;
    bool both;
    osspi_secret_sink *sink;
    void *owner;
};

/**
 * From here on, what this thread derives in a wrapped context belongs to one connection: the sink
 * (or NULL) is told, and what serves several derivations is kept. Begin before SSL_do_handshake(),
 * end behind it.
 */
struct osspi_secrets_scope osspi_secrets_begin(osspi_secret_sink *sink, void *owner);

/** Until the end: with the server's handshake secret the client's is told, which OpenSSL's clients
 * derive only when they have something to send under it. */
void osspi_secrets_tell_both(void);

/** Wipes what was kept; for osspi_auto(). */
void osspi_secrets_end(struct osspi_secrets_scope *scope);

#endif
