/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the files of the TLS side share: the connection, and the TLS library's configuration of one
 * credential in one shard. The only header that shows OpenSSL's objects; see tls.h for what the
 * rest of the package may know.
 */
#ifndef OSSPI_SCHANNEL_TLS_INTERNAL_H
#define OSSPI_SCHANNEL_TLS_INTERNAL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sspi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lane.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/material.h"
#include "packages/schannel/materials.h"
#include "packages/schannel/negotiated.h"
#include "packages/schannel/session.h"
#include "packages/schannel/shard.h"
#include "packages/schannel/tls.h"
#include "packages/schannel/tls_extension.h"

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

/** What may be negotiated. */
struct osspi_tls_offer {
    uint32_t versions; /* OSSPI_VERSION_BIT(), a run without holes */
    osspi_suite_set suites;
    osspi_suite_set psk_suites; /* of TLS 1.2; where a pre-shared key was given */
    uint32_t groups_off;        /* OSSPI_GROUP_ */
    uint32_t schemes_off;       /* signature.h */
};

/**
 * SSL_CTX of one credential in one shard, with copies of what its connections need of the
 * credential, so that they may outlive it. Constant after creation but for the reference count and
 * the variants.
 */
struct osspi_tls_config {
    struct osspi_abandoned abandoned; /* first member */
    _Atomic uint32_t references;
    uint32_t epoch; /* fork epoch in which it was made */
    struct osspi_shard *shard;
    SSL_CTX *ctx;
    bool server;
    bool datagram;        /* DTLS */
    uint32_t flags;       /* SCH_CRED_... */
    bool verify_may_wait; /* verifying a peer may ask the network; set when it is built */
    uint32_t lifespan_s;
    uint64_t generation;            /* of the credential's state; the five below belong to it */
    uint64_t credential_id;         /* names the client's sessions */
    struct osspi_identity_set *set; /* a reference */
    const struct osspi_materials *materials; /* the set's in this shard */
    struct osspi_ticket_ring *tickets;       /* a reference; NULL: the process's keys */
    struct osspi_client_policy policy;
    struct osspi_tls_options options;
    uint8_t policy_context[32];  /* the credential's part of the session id context */
    uint8_t session_context[32]; /* with the certificates that are presented by default */
    struct osspi_tls_offer offer;
    struct osspi_tls_entry *entries; /* copies of the credential's */
    size_t entry_count;
    struct osspi_extension_set extensions; /* of the caller's, that it can send */

    /* The same configuration with extensions, for sets that were asked for; references. */
#define OSSPI_MAX_VARIANTS 8u
    struct osspi_lock variant_lock;
    struct osspi_tls_config *variants[OSSPI_MAX_VARIANTS]; /* guarded by variant_lock */
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

    struct osspi_tls_early *early; /* tls_early.c; NULL: early data are off */
    struct osspi_tls_psk *psk;     /* tls_psk.c; NULL: none was given */
    osspi_suite_set psk_suites;    /* those of TLS 1.2 that go with it */

    /* Server: what the ClientHello has decided; tls_hello.c. */
    bool greeted;                   /* it was seen: a second one changes nothing */
    bool named;                     /* its server name has chosen the certificates */
    uint8_t policy_bits;            /* of this connection, in the session id context */
#define OSSPI_POLICY_MESSAGES 0x80u /* it is one of message mode */
    struct osspi_identity_set
        *set; /* a reference: where these are from; NULL: the configuration's */
    const struct osspi_materials *materials;

    /* The one record being fed; borrowed for the call. */
    const uint8_t *in;
    size_t in_len;
    bool datagram; /* constant: it is one of DTLS */
    uint64_t fed;  /* DTLS: number under which it reads the next record of epoch 0 */

    struct osspi_messages *messages;     /* message mode, until the handshake is over; or NULL */
    struct osspi_extensions *extensions; /* the caller's, until the handshake is over; or NULL */
    bool extension_broken;               /* the peer's do not agree with each other */

    uint8_t *flight; /* flight_size bytes, flight_len in use */
    size_t flight_len, flight_size;

    /* What OpenSSL's message callback has seen. */
    uint8_t content_type;            /* of the record being fed, inside the protection */
    bool alert_received, alert_sent; /* fatal ones */
    uint8_t alert_in, alert_out;     /* their descriptions */
    bool write_protected;            /* what we send is under keys */
    bool finished_sent;              /* our Finished was made */
    struct osspi_negotiated negotiated;

    /* The handshake may stand still for what it has to wait for; see osspi_tls_want_blocking(). */
    bool may_block;             /* the call runs on the blocking lane */
    bool wants_blocking;        /* a callback of this call has asked for it */
    bool wants_credentials;     /* it has to tell the caller that a certificate is wanted */
    bool suspended;             /* OpenSSL stands inside a record it has taken */
    bool asked_for_certificate; /* server: CertificateRequest was sent */
    char class_name[OSSPI_CLASS_NAME_SIZE];

    /* The client's certificate; see client_cert.c. */
    bool default_credentials;          /* one of the user's may be chosen */
    bool told_incomplete;              /* the caller knows that one is wanted */
    uint32_t user;                     /* for whom the credential was acquired */
    uint64_t session_owner;            /* credential whose sessions these are */
    struct osspi_tls_config *supplied; /* a reference: of a credential that came later, or NULL */
    struct osspi_material own;         /* a default certificate, or empty */
    const struct osspi_material *presented; /* NULL: none */

    /* The names a server accepts: the peer's, or ours. */
    bool issuers_known, issuers_taken;
    struct osspi_ders *issuers; /* a reference, from known to taken */

    struct osspi_tls_check check;   /* verify.c: what was found on the peer's certificate */
    bool defer;                     /* a client; accept what is found wrong with it, and tell */
    bool status_promised;           /* the server is going to staple, behind its certificate */
    struct osspi_verify_open *open; /* what only the stapled answer can settle, or NULL */

    bool established, closed_in, closed_out;

    /* Handshakes after the handshake; tls_later.c. */
    bool later;               /* this is one of them */
    bool takes_requests;      /* client: it has offered to authenticate later */
    bool peer_takes_requests; /* server: the client has */
    char *known_as;  /* server: the name in the first ClientHello, or NULL; of later ones */
    uint8_t *agreed; /* renegotiation: the protocol (ALPN) of the first one, or NULL */
    size_t agreed_len;

    bool no_memory; /* a callback of ours found none */
    bool offered_session;
    struct osspi_session_origin origin; /* how the session was verified */

    uint32_t post_handshake_run; /* handshake records since the last application data */
    uint64_t sealed_blocks;      /* cipher blocks under the write key */
    uint16_t max_fragment;

    /* For our own record protection; tls_keys.c. */
    struct {
        uint8_t client[48], server[48], exporter[48]; /* TLS 1.3; wiped once taken */
        uint8_t known;                                /* which of them, a bit each */
        uintptr_t exporter_at;   /* where OpenSSL keeps it, as far as it shows; 0: unknown */
        uintptr_t early_at;      /* the same of the exporter secret of early data */
        uint64_t sealed;         /* records since our secret became known */
        bool finished;           /* TLS 1.2: our Finished was seen */
        uint64_t finished_nonce; /* and what stands where its nonce may be; big endian */
    } keys;

    size_t schedule_at, schedule_len; /* where in the SSL's memory secrets are; see tls_keys.c */

    SECURITY_STATUS verdict; /* what verify.c found, SEC_E_OK so far */
    SECURITY_STATUS failure; /* SEC_E_OK: alive */
    char detail[OSSPI_TLS_DETAIL_SIZE];
};

/* ---- waiting: tls_handshake.c ---- */

/** May this call wait for a network or a device? True on the blocking lane and in synchronous
 * calls once they have been told (they are entered a second time, like asynchronous ones). */
bool osspi_tls_may_block(const struct osspi_tls *tls);

/**
 * From inside a callback of OpenSSL that may not block and has to: notes the class ("pkcs11",
 * "revocation", "ocsp:host"; cut if too long), and the handshake stands still if the callback then
 * answers so that OpenSSL suspends:
 *
 *     certificate callback (either side)      return -1
 *     verification of a server's certificate  SSL_set_retry_verify(ssl); return 1
 *     verification of a client's certificate  cannot: it would accept. See verify_may_wait in
 *                                             struct osspi_tls_config: with it a record that may
 *                                             hold a client's certificate is fed on the blocking
 *                                             lane only.
 *
 * The callback is run again, from its start, on the blocking lane.
 */
void osspi_tls_want_blocking(struct osspi_tls *tls, const char *class_name);

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

/** The configuration of a credential in a shard, for streams or datagrams, made on first use; the
 * caller gets a reference. Statuses of osspi_tls_credential_check(). */
SECURITY_STATUS osspi_tls_config_get(struct osspi_schannel_credential *credential, uint32_t shard,
                                     bool datagram, struct osspi_tls_config **ret_config)
    __attribute__((warn_unused_result));
void osspi_tls_config_unref(struct osspi_tls_config *config); /* NULL is a no-op */
struct osspi_tls_config *osspi_tls_config_ref(struct osspi_tls_config *config); /* NULL-safe */

/** A new one that can send these extensions, which the credential does not keep; the caller gets
 * the reference. The same statuses. */
SECURITY_STATUS osspi_tls_config_make(struct osspi_schannel_credential *credential, uint32_t shard,
                                      bool datagram, const struct osspi_extension_set *extensions,
                                      struct osspi_tls_config **ret_config)
    __attribute__((warn_unused_result));

/** Lets connections of an SSL_CTX send these. False: no memory, or OpenSSL refuses one.
 * (tls_extension.c) */
bool osspi_extension_register(SSL_CTX *ctx, const struct osspi_extension_set *set)
    __attribute__((warn_unused_result));

/** Sessions of datagrams are kept under a name of their own. */
#define OSSPI_DATAGRAM_SESSIONS (UINT64_C(1) << 63)

/** So are those of message mode: QUIC's tickets are not for TCP, nor the other way. */
#define OSSPI_MESSAGE_SESSIONS (UINT64_C(1) << 62)

/** The credential behind such a name. */
static inline uint64_t osspi_session_credential(uint64_t owner)
{
    return owner & ~(OSSPI_DATAGRAM_SESSIONS | OSSPI_MESSAGE_SESSIONS);
}

/* ---- tls_datagram.c ---- */

struct osspi_datagram_setup;

/** Version and suites of DTLS. Statuses as of osspi_tls_set_protocol(). */
SECURITY_STATUS osspi_tls_set_datagram(SSL_CTX *ctx, const struct osspi_schannel_config *config)
    __attribute__((warn_unused_result));

/** Prepares a connection that has its BIO. False: no memory. */
bool osspi_tls_prepare_datagram(struct osspi_tls *tls, const struct osspi_datagram_setup *setup);

/* ---- tls_keys.c ---- */

/** For osspi_secrets_begin() (provider.h): the secrets of TLS 1.3. owner: a struct osspi_tls. */
void osspi_tls_on_derived(void *owner, const char *label, size_t label_len, const uint8_t *secret,
                          size_t len);

/** SSL_CTX_set_keylog_callback(): the same where OpenSSL tells them in no other way. */
void osspi_tls_on_secret(const SSL *ssl, const char *line);

/** Wipes what OpenSSL would leave of the key schedule of TLS 1.3; right before SSL_free(). */
void osspi_tls_wipe_schedule(struct osspi_tls *tls);

/** Looks for our Finished in the flight, when OpenSSL has just written to it. */
void osspi_tls_note_finished(struct osspi_tls *tls);

/* ---- tls_later.c ---- */

/** Server: a ClientHello, without its header. */
void osspi_tls_see_client_hello(struct osspi_tls *tls, const uint8_t *body, size_t len);

/** A step of a later handshake: as SSL_do_handshake(). */
int osspi_tls_later_run(struct osspi_tls *tls);

/* ---- tls_suites.c ---- */

/** Protocol range and suites together: a version without a suite is not offered. SEC_E_OK;
 * SEC_E_ALGORITHM_MISMATCH: nothing is left; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_tls_set_protocol(SSL_CTX *ctx, const struct osspi_schannel_config *config)
    __attribute__((warn_unused_result));

/** Suites of TLS 1.2. The same statuses. */
SECURITY_STATUS osspi_tls_set_suites12(SSL_CTX *ctx, osspi_suite_set suites)
    __attribute__((warn_unused_result));

/** Signature schemes without the disabled ones. The same statuses. */
SECURITY_STATUS osspi_tls_set_schemes(SSL_CTX *ctx, uint32_t disabled)
    __attribute__((warn_unused_result));

/** The same as numbers. */
struct osspi_tls_offer osspi_tls_offer_of(const struct osspi_schannel_config *config);

/** The same of a datagram's: DTLS 1.2 stands for TLS 1.2 there, and in its entries. */
struct osspi_tls_offer osspi_tls_offer_datagram(const struct osspi_schannel_config *config);
void osspi_tls_entries_datagram(struct osspi_tls_entry *entries, size_t count);

/** Narrows one connection to an offer, before anything is negotiated. Statuses as above. */
SECURITY_STATUS osspi_tls_narrow(SSL *ssl, const struct osspi_tls_offer *offer)
    __attribute__((warn_unused_result));

/** The groups (OSSPI_GROUP_) that are offered if these are off. */
uint32_t osspi_tls_offered_groups(uint32_t disabled);

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

/** Empties the thread's error queue. It is nearly always empty, and looking costs a tenth of
 * emptying, which clears all sixteen places of the queue. */
static inline void osspi_tls_errors_clear(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/** SEC_E_INSUFFICIENT_MEMORY if the thread's error queue says so, else otherwise. Empties it. */
SECURITY_STATUS osspi_tls_queue_status(SECURITY_STATUS otherwise);

/* ---- tls_facts.c ---- */

/** notAfter of a certificate in unix seconds; INT64_MIN if it cannot be read. */
int64_t osspi_tls_not_after(const X509 *certificate);

/** The materials from which the connection presents its certificate, and their set. */
const struct osspi_materials *osspi_tls_materials(const struct osspi_tls *tls,
                                                  const struct osspi_identity_set **ret_set);

/** Which of these the server presents; -1: none. */
int osspi_tls_identity_in_use(const struct osspi_tls *tls);

#endif
