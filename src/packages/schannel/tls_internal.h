/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the files of the TLS side share: the connection, and the TLS library's configuration of one
 * credential in one shard. The only header that shows OpenSSL's objects; see tls.h for what the
 * rest of the package may know.
 */
#ifndef OSSPI_SCHANNEL_TLS_INTERNAL_H
#define OSSPI_SCHANNEL_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <sspi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/credential.h"
#include "packages/schannel/material.h"
#include "packages/schannel/session.h"
#include "packages/schannel/shard.h"
#include "packages/schannel/tls.h"

#define OSSPI_TLS_DETAIL_SIZE 256u

/* TLS record content types (RFC 8446 5.1). */
#define OSSPI_TLS_TYPE_CCS       20u
#define OSSPI_TLS_TYPE_ALERT     21u
#define OSSPI_TLS_TYPE_HANDSHAKE 22u
#define OSSPI_TLS_TYPE_DATA      23u

/** OpenSSL's security level, at least: 112 bits; no RSA below 2048, no SHA-1 signatures. */
#define OSSPI_TLS_SECURITY_LEVEL 2

/** Tickets of a TLS 1.3 handshake: each serves once, and one in a row brings the next. */
#define OSSPI_TLS_TICKETS 1u

/** Longest life of a session: the limit of RFC 8446 4.6.1. */
#define OSSPI_TLS_MAX_LIFESPAN_S 604800u

/**
 * SSL_CTX of one credential in one shard, with copies of what its connections need of the
 * credential, so that they may outlive it. Constant after creation but for the reference count.
 */
struct osspi_tls_config {
    struct osspi_abandoned abandoned; /* first member */
    _Atomic uint32_t references;
    uint32_t epoch; /* fork epoch in which it was made */
    struct osspi_shard *shard;
    SSL_CTX *ctx;
    bool server;
    uint32_t flags; /* SCH_CRED_... */
    uint32_t lifespan_s;
    uint64_t credential_id;
    uint8_t session_context[32];
    struct osspi_material *identities;
    size_t identity_count;
};

struct osspi_tls {
    struct osspi_abandoned abandoned; /* first member */
    struct osspi_tls_config *config;  /* a reference */
    SSL *ssl;
    uint32_t epoch; /* fork epoch in which it was made */

    /* The setup, constant. */
    bool server, target_is_ip, verify_peer, verify_name, allow_tickets;
    char *target;  /* or NULL */
    uint8_t *alpn; /* wire form, or NULL */
    size_t alpn_len;

    /* The one record being fed; borrowed for the call. */
    const uint8_t *in;
    size_t in_len;

    uint8_t *flight; /* flight_size bytes, flight_len in use */
    size_t flight_len, flight_size;

    /* What OpenSSL's message callback has seen. */
    uint8_t content_type;            /* of the record being fed, inside the protection */
    bool alert_received, alert_sent; /* fatal ones */
    uint8_t alert_in, alert_out;     /* their descriptions */
    bool write_protected;            /* what we send is under keys */

    bool established, closed_in, closed_out;
    bool no_memory; /* a callback of ours found none */
    bool offered_session;
    struct osspi_session_origin origin; /* how the session was verified */

    uint32_t post_handshake_run; /* handshake records since the last application data */
    uint64_t sealed_blocks;      /* cipher blocks under the current write key */
    uint16_t max_fragment;

    SECURITY_STATUS verdict; /* what verify.c found, SEC_E_OK so far */
    SECURITY_STATUS failure; /* SEC_E_OK: alive */
    char detail[OSSPI_TLS_DETAIL_SIZE];
};

/* ---- tls_bio.c ---- */

/** The method of a connection's BIO: reads serve the fed record, writes gather the flight. New
 * object, or NULL. */
BIO_METHOD *osspi_tls_bio_method(void);

/** New BIO of a connection, or NULL. */
BIO *osspi_tls_bio_new(struct osspi_tls *tls);

/** Makes room for len more bytes in the flight. False: no memory. */
bool osspi_tls_flight_reserve(struct osspi_tls *tls, size_t len);

/** Hands a record over for the call; false unless it is exactly one whole record. */
bool osspi_tls_feed(struct osspi_tls *tls, const uint8_t *record, size_t len);

/* ---- tls_config.c ---- */

/** The configuration of a credential in a shard, made on first use; the caller gets a reference.
 * Statuses of osspi_tls_credential_check(). */
SECURITY_STATUS osspi_tls_config_get(struct osspi_schannel_credential *credential, uint32_t shard,
                                     struct osspi_tls_config **ret_config)
    __attribute__((warn_unused_result));
void osspi_tls_config_unref(struct osspi_tls_config *config); /* NULL is a no-op */

/* ---- tls_suites.c ---- */

/** Protocol range and suites together: a version without a suite is not offered. SEC_E_OK;
 * SEC_E_ALGORITHM_MISMATCH: nothing is left; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_tls_set_protocol(SSL_CTX *ctx, const struct osspi_schannel_config *config)
    __attribute__((warn_unused_result));

/** Groups for the key exchange, best first, without the disabled ones (OSSPI_GROUP_). The same
 * statuses. */
SECURITY_STATUS osspi_tls_set_groups(SSL_CTX *ctx, uint32_t disabled)
    __attribute__((warn_unused_result));

/* ---- tls_status.c ---- */

/** Ends the connection with the status that fits: callback out of memory, verdict on the peer's
 * certificate, alert received, error of the TLS library (function names the call), alert sent.
 * Empties the thread's error queue. */
void osspi_tls_fail(struct osspi_tls *tls, const char *function);

/** Ends the connection with a status and words of our own; the first failure stays. */
void osspi_tls_fail_with(struct osspi_tls *tls, SECURITY_STATUS status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** SEC_E_INSUFFICIENT_MEMORY if the thread's error queue says so, else otherwise. Empties it. */
SECURITY_STATUS osspi_tls_queue_status(SECURITY_STATUS otherwise);

/* ---- tls_facts.c ---- */

/** notAfter of a certificate in unix seconds; INT64_MIN if it cannot be read. */
int64_t osspi_tls_not_after(const X509 *certificate);

/** Which of the configuration's identities the server presents; -1: none. */
int osspi_tls_identity_in_use(const struct osspi_tls *tls);

#endif
