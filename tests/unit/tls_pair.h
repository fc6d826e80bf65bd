/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Two ends of a TLS connection in one process, for white-box tests of the TLS side: credentials
 * made from the test certificates, connections of ours pumped against each other or against plain
 * OpenSSL. For one thread per pair.
 */
#ifndef OSSPI_TESTS_UNIT_TLS_PAIR_H
#define OSSPI_TESTS_UNIT_TLS_PAIR_H

#include <openssl/ssl.h>
#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/credential.h"
#include "packages/schannel/tls.h"

/** Path of a test certificate or key: NAME with suffix; static memory per call site's thread. */
const char *pair_path(const char *name, const char *suffix);

/** Starts the watchdog and trusts the test CA; a group setup of cmocka. */
int pair_set_up(void **state);

/** A credential; identity is the name of a test certificate, NULL: none. Ends the test if it cannot
 * be made. Its fields may be changed before first use. */
struct osspi_schannel_credential *pair_credential(bool server, const char *identity);

/** Adds one more certificate with key (leaf from one name, key from another). */
void pair_add_identity(struct osspi_schannel_credential *credential, const char *leaf,
                       const char *key);

/** Adds a root as hRootStore would. */
void pair_add_root(struct osspi_schannel_credential *credential, const char *name);

void pair_credential_free(struct osspi_schannel_credential *credential);

/** One end: ours, or plain OpenSSL over memory. */
struct pair_end {
    struct osspi_tls *tls;
    enum osspi_tls_step step;
    SSL *ssl; /* plain OpenSSL; from and to are its BIOs' other sides */
    BIO *from, *to;
    bool done;
    uint8_t *pending; /* bytes that arrived and make no whole record yet */
    size_t pending_len;
};

/** Setups as most tests want them; change what matters. */
struct osspi_tls_setup pair_client_setup(struct osspi_schannel_credential *credential);
struct osspi_tls_setup pair_server_setup(struct osspi_schannel_credential *credential);

/** Makes our end; returns osspi_tls_new()'s status. */
SECURITY_STATUS pair_ours(struct pair_end *end, const struct osspi_tls_setup *setup);

/** Makes a plain OpenSSL end. */
void pair_plain(struct pair_end *end, SSL_CTX *ctx, bool server);

void pair_end_clear(struct pair_end *end);

/** Runs the handshake until both are done or one has failed and the other heard of it. True: both
 * are done. */
bool pair_handshake(struct pair_end *client, struct pair_end *server);

/** Moves what one end has to send into a new buffer (free() it) and returns its length. */
size_t pair_take(struct pair_end *end, uint8_t **ret_bytes);

/** The length of the record that starts bytes, or 0 if it is not whole. */
size_t pair_record_len(const uint8_t *bytes, size_t len);

/** Seals text at one end of ours and opens it at another; true if it came through. */
bool pair_send(struct pair_end *from, struct pair_end *to, const void *text, size_t len);

/** Opens every record waiting at from; the last record's kind. Text is appended to out. */
enum osspi_tls_record pair_deliver(struct pair_end *from, struct pair_end *to, uint8_t *out,
                                   size_t size, size_t *ret_len);

#endif
