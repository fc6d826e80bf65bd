/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The narrow interface behind which the TLS library stands: bytes in, flight out, facts out, and
 * records after the handshake. Only tls_*.c, shard.c, verify.c and material.c know OpenSSL.
 *
 * One struct osspi_tls is one connection. It is not thread-safe: the caller holds both sides of the
 * security context, or record.h's own lock.
 */
#ifndef OSSPI_SCHANNEL_TLS_H
#define OSSPI_SCHANNEL_TLS_H

#include <schannel.h>
#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lane.h"
#include "packages/schannel/ders.h"

#define OSSPI_TLS_HEADER       5u               /* record header bytes */
#define OSSPI_TLS_MAX_FRAGMENT 16384u           /* plaintext bytes of a record */
#define OSSPI_TLS_MAX_RECORD   (16384u + 2048u) /* body bytes, TLS 1.2; 1.3 allows 16384 + 256 */

struct osspi_extensions;
struct osspi_messages;
struct osspi_tls;
struct osspi_psk;
struct osspi_schannel_credential;
struct osspi_datagram_setup; /* tls_datagram.h */
struct osspi_shard;

/** What the first leg decides. Pointers are borrowed for the call. */
struct osspi_tls_setup {
    struct osspi_schannel_credential *credential;
    bool server;
    const char *target; /* client: A-label or IP literal, lower case, no trailing dot; or NULL */
    bool target_is_ip;
    bool verify_peer; /* client: chain; server: only when a client certificate came */
    bool verify_name;
    bool defer; /* client: a certificate that is not good is accepted all the same, and the check
                   tells what is wrong with it */
    bool request_client_cert; /* server: ASC_REQ_MUTUAL_AUTH */
    bool require_client_cert; /* server: by the credential's policy; a client without one fails */
    bool default_credentials; /* client: a certificate of the user's may be chosen */
    bool allow_tickets;       /* server: issue; client: offer and keep sessions */
    bool refuse_requests; /* client: TLS 1.3, no authentication after the handshake is offered */
    const struct osspi_psk *psk; /* a key that both sides have (psk.h), or NULL */
    const uint8_t *alpn;         /* protocol list in wire form (length-prefixed), or NULL */
    size_t alpn_len;
    const struct osspi_datagram_setup *datagram; /* NULL: a stream */
    struct osspi_messages *messages;     /* message mode (message_mode.h), or NULL; there until
                                            osspi_tls_leave_messages() */
    struct osspi_extensions *extensions; /* tls_extension.h, or NULL; there until
                                            osspi_tls_watch_extensions() says otherwise */
};

/** What verification found, for CERT_CHECK_RESULT. Also of a certificate that was accepted all the
 * same (deferred validation). */
struct osspi_tls_check {
    bool known;
    uint32_t chain_errors; /* CERT_TRUST_... */
    int32_t result;        /* S_OK, or what is wrong: CERT_E_..., CRYPT_E_..., TRUST_E_... */
};

/**
 * What is known of an established connection; filled once when the handshake ends, then constant.
 * Owned by the security context; osspi_tls_facts_clear() wipes and frees.
 */
struct osspi_tls_facts {
    uint16_t version;      /* 0x0303, 0x0304 */
    uint16_t cipher_suite; /* IANA number */
    uint16_t group;        /* TLS named group of the key exchange, 0: none (RSA key transport) */
    uint16_t group_bits; /* size of the group in bits (256 for X25519 and P-256), of DHE's prime, or
                            of the RSA key; 0: resumed in TLS 1.2 */
    uint16_t max_fragment; /* plaintext bytes a record of ours may hold; 16384 unless the client
                              negotiated less (RFC 6066) */
    uint16_t peer_signature_scheme;  /* TLS SignatureScheme the peer signed with, 0: none */
    uint16_t local_signature_scheme; /* ours, 0: none */
    uint16_t schemes;                /* signature.h: what both sides take, as far as it is known */
    uint32_t extensions;             /* negotiated.h: what the server has answered with */
    bool resumed : 1;
    bool server : 1;
    bool datagram : 1;              /* DTLS of that version */
    uint8_t extension_count : 3;    /* of those that have no bit; see strings */
    uint8_t session_id_len;         /* at most 32 */
    uint8_t alpn_len;               /* 0: none negotiated */
    uint8_t tls_unique_len;         /* first Finished, at most 64; 0 with TLS 1.3 */
    uint8_t *strings;               /* these three, one behind the other, and then the numbers of
                                       extensions, 2 bytes each, of our byte order; NULL: all are
                                       empty. Secret-grade: wiped */
    struct osspi_ders *peer_chain;  /* leaf first, as sent; a reference; NULL: none */
    struct osspi_ders *local_chain; /* leaf first, as sent by us; a reference; NULL: none */
    int64_t peer_not_after;         /* unix seconds of the leaf, INT64_MAX: no certificate */
};

/* Where the strings are; only for those that are not empty. */

static inline const uint8_t *osspi_tls_facts_session_id(const struct osspi_tls_facts *facts)
{
    return facts->strings;
}

static inline const uint8_t *osspi_tls_facts_alpn(const struct osspi_tls_facts *facts)
{
    return facts->strings + facts->session_id_len;
}

static inline const uint8_t *osspi_tls_facts_unique(const struct osspi_tls_facts *facts)
{
    return facts->strings + facts->session_id_len + facts->alpn_len;
}

static inline const uint8_t *osspi_tls_facts_extensions(const struct osspi_tls_facts *facts)
{
    return osspi_tls_facts_unique(facts) + facts->tls_unique_len;
}

void osspi_tls_facts_clear(struct osspi_tls_facts *facts);

enum osspi_tls_step {
    OSSPI_TLS_WANT_INPUT,      /* feed another record */
    OSSPI_TLS_DONE,            /* the handshake is complete (its last flight may be waiting) */
    OSSPI_TLS_FAILED,          /* see osspi_tls_failure(); an alert may be waiting in the flight */
    OSSPI_TLS_WANT_BLOCKING,   /* it has to wait for somebody else: see osspi_tls_class() */
    OSSPI_TLS_WANT_CREDENTIALS /* client, once: asked for a certificate, and has none to show */
};

/**
 * Starts a connection. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; SEC_E_NO_CREDENTIALS (server without a
 * certificate); SEC_E_ALGORITHM_MISMATCH (no protocol or suite left); SEC_E_INTERNAL_ERROR.
 */
SECURITY_STATUS osspi_tls_new(const struct osspi_tls_setup *setup, struct osspi_tls **ret_tls)
    __attribute__((warn_unused_result));
void osspi_tls_free(struct osspi_tls *tls); /* NULL is a no-op; wipes */

/**
 * Feeds exactly one whole record (header included) and goes on with the handshake; NULL, 0 starts
 * it, or goes on where it is suspended. Never sees a byte behind the record.
 *
 * WANT_BLOCKING: on the CPU lane only. If the connection is suspended now the record is taken, and
 * is not to be fed again; if not, it was not even looked at.
 */
enum osspi_tls_step osspi_tls_handshake(struct osspi_tls *tls, const uint8_t *record, size_t len);

/** The lane on which the calls that follow run; the CPU lane until told. */
void osspi_tls_lane(struct osspi_tls *tls, enum osspi_lane lane);

/** Does the handshake stand still in the middle of a record? */
bool osspi_tls_suspended(const struct osspi_tls *tls);

/**
 * After WANT_CREDENTIALS: goes on (by the next osspi_tls_handshake(tls, NULL, 0)) with a
 * certificate of this credential, a default one if that is allowed and it has none, or without.
 *
 * @param[in] credential  the same as before, another one, or NULL (the same)
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS: it is a server's; statuses of building its configuration.
 *         Nothing has changed then.
 */
SECURITY_STATUS osspi_tls_supply(struct osspi_tls *tls,
                                 struct osspi_schannel_credential *credential,
                                 bool default_credentials);

/** Whose default certificate a leg on this thread may use: its fsuid. UINT32_MAX: cannot be told.
 */
uint32_t osspi_tls_user(void);

/** Moves out the DER names that the server accepts, maybe none: true once, when they have become
 * known. */
bool osspi_tls_take_issuers(struct osspi_tls *tls, struct osspi_ders **ret_names);

/** What was found on the peer's certificate so far. */
void osspi_tls_get_check(const struct osspi_tls *tls, struct osspi_tls_check *ret_check);

/** What the handshake wants to wait for, as the blocking lane's class. Valid after WANT_BLOCKING
 * until the next call. */
const char *osspi_tls_class(const struct osspi_tls *tls);

/** Status of the failure, mapped (verify verdict, alert received, alert sent, library error). */
SECURITY_STATUS osspi_tls_failure(const struct osspi_tls *tls);

/** Words on the failure for OsspiGetErrorDetail; never NULL. Valid until the next call. */
const char *osspi_tls_detail(const struct osspi_tls *tls);

/** Client, in front of the first step: bytes to go out with the ClientHello as early data, if a
 * session permits. Borrowed for that step. */
void osspi_tls_send_early(struct osspi_tls *tls, const uint8_t *bytes, size_t len);

/** What is known of early data. */
struct osspi_tls_early_news {
    uint32_t status; /* OSSPI_EARLY_DATA_ (opensspi.h) */
    uint8_t *bytes;  /* received since it was asked for last, moved out; NULL: none */
    size_t len, size;
};

/** Tells it, after any step. The bytes are to be freed with osspi_secret_free(bytes, size). */
void osspi_tls_take_early(struct osspi_tls *tls, struct osspi_tls_early_news *ret_news);

/** Bytes waiting to be sent; borrowed until the next call on tls. */
void osspi_tls_flight(const struct osspi_tls *tls, const uint8_t **ret_bytes, size_t *ret_len);
void osspi_tls_flight_sent(struct osspi_tls *tls); /* drops and wipes them */

/** Copies the facts of a completed handshake. SEC_E_OK or SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_tls_facts(struct osspi_tls *tls, struct osspi_tls_facts *ret_facts);

/**
 * What leaves the TLS library at the end of a handshake, so that records can be protected without
 * it. Wiped by whoever got it.
 */
struct osspi_tls_keys {
    struct osspi_shard *shard;      /* of the connection; lives as long as the process */
    uint8_t client[48], server[48]; /* TLS 1.3: first traffic secrets (RFC 8446, 7.1) */
    uint8_t master[48];             /* TLS 1.3: exporter secret; 1.2: master secret */
    uint8_t client_random[32], server_random[32]; /* TLS 1.2 */
    uint64_t sealed, opened;                      /* records that went under these keys already */
    uint64_t next_explicit; /* TLS 1.2, AES-GCM: explicit nonce that follows our Finished's */
};

/**
 * Takes the keys of an established connection with an AEAD suite; the TLS library's object keeps
 * its own. Once.
 *
 * @return SEC_E_OK; SEC_E_INTERNAL_ERROR: the TLS library has not told them.
 */
SECURITY_STATUS osspi_tls_take_keys(struct osspi_tls *tls, struct osspi_tls_keys *ret_keys)
    __attribute__((warn_unused_result));

/* ---- handshakes after the handshake: tls_later.c; see later.h for who calls them ---- */

/** How many of them the connection may have: renegotiations (TLS 1.2), or authentications of the
 * client (TLS 1.3). 0: the credential does not allow them, or the peer cannot do them. */
uint32_t osspi_tls_later_allowed(const struct osspi_tls *tls);

/** Does the credential allow them? */
bool osspi_tls_later_wanted(const struct osspi_tls *tls);

/**
 * Before each of them, whoever begins it.
 *
 * @param[in] request_client_cert  server: the client is asked for a certificate
 * @return SEC_E_OK; SEC_E_CONTEXT_EXPIRED, SEC_E_INSUFFICIENT_MEMORY, SEC_E_INTERNAL_ERROR: the
 *         connection goes on as it was.
 */
SECURITY_STATUS osspi_tls_later_prepare(struct osspi_tls *tls, bool request_client_cert)
    __attribute__((warn_unused_result));

/** Client: the certificates of another credential count from now on. Statuses of
 * osspi_tls_supply(). */
SECURITY_STATUS osspi_tls_later_credential(struct osspi_tls *tls,
                                           struct osspi_schannel_credential *credential,
                                           bool default_credentials)
    __attribute__((warn_unused_result));

/** Then, if it is for us to begin: a client's ClientHello (TLS 1.2), a server's CertificateRequest
 * (TLS 1.3). osspi_tls_handshake(tls, NULL, 0) makes it; the request is made when that is DONE. */
SECURITY_STATUS osspi_tls_later_start(struct osspi_tls *tls) __attribute__((warn_unused_result));

/** TLS 1.3: goes on to the next key in the client's direction, though no such record is on the
 * wire. Server: record is the KeyUpdate as the TLS library expects it. Client: NULL; it makes one,
 * which is dropped. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; SEC_E_INTERNAL_ERROR: it is of no use any
 * more. */
SECURITY_STATUS osspi_tls_later_update(struct osspi_tls *tls, const uint8_t *record, size_t len)
    __attribute__((warn_unused_result));

/** The CertificateRequest was made: what comes is the client's answer. */
void osspi_tls_later_await(struct osspi_tls *tls);

/** Server: has the client come under the same name as at first? */
bool osspi_tls_same_name(const struct osspi_tls *tls);

/** TLS 1.2: master secret and randoms that follow, from the first ChangeCipherSpec on. Wiped by
 * whoever got them. */
SECURITY_STATUS osspi_tls_later_keys(struct osspi_tls *tls, struct osspi_tls_keys *ret_keys)
    __attribute__((warn_unused_result));

/** Is it a client's that wants the session tickets which come after the handshake? */
bool osspi_tls_awaits_tickets(const struct osspi_tls *tls);

/** What is left of a connection when its object goes: whose its sessions are. */
struct osspi_session_left {
    uint64_t owner;
    char *target; /* owned; NULL: it has none */
};

/** Moves that out. */
void osspi_tls_take_session(struct osspi_tls *tls, struct osspi_session_left *ret_left);

/** Drops the sessions that are kept for it. */
void osspi_session_left_forget(const struct osspi_session_left *left);

/** The status for a fatal alert of the peer, and words for a person (NULL: none are wanted). */
SECURITY_STATUS osspi_tls_alert_received(uint8_t alert, char *words, size_t size);

/** The randoms of client and server. */
void osspi_tls_randoms(struct osspi_tls *tls, uint8_t ret_randoms[64]);

/** RFC 5705 exporter; SEC_E_OK, SEC_E_UNSUPPORTED_FUNCTION, SEC_E_INTERNAL_ERROR. */
SECURITY_STATUS osspi_tls_export(struct osspi_tls *tls, const char *label, size_t label_len,
                                 const uint8_t *context, size_t context_len, uint8_t *out,
                                 size_t out_len);

/**
 * Makes an alert record in the flight. close_notify (0) once the handshake is done; any alert while
 * what we send is not protected yet. OpenSSL has no call for other alerts under protection.
 *
 * @return SEC_E_OK; SEC_E_UNSUPPORTED_FUNCTION: this alert cannot be sent in this state, nothing
 * was put into the flight; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_tls_alert(struct osspi_tls *tls, uint8_t level, uint8_t description);

/** Whether sessions of this connection may be resumed (SCHANNEL_SESSION_TOKEN). Off: those that are
 * kept for the same credential and target go, and none is kept any more. On: sessions that come
 * from now on are kept. (tls_reconnects.c) */
void osspi_tls_reconnects(struct osspi_tls *tls, bool enabled);

/* ---- a server's session that its id stands for (TLS 1.2): server_session.c; thread-safe ---- */

/** Whether the session of an established connection may be resumed from now on. Does nothing for a
 * client, or where a ticket or nothing at all stands for the session. */
void osspi_server_session_enable(const struct osspi_tls_facts *facts, bool enabled);

/** Drops it: the connection ended with an error (RFC 5246, 7.2.2). */
void osspi_server_session_drop(const struct osspi_tls_facts *facts);

/* ---- records after the handshake, for record_tls.c; tickets for record_post.c ---- */

enum osspi_tls_record {
    OSSPI_TLS_APPLICATION,    /* *ret_len bytes of plaintext (may be 0) */
    OSSPI_TLS_POST_HANDSHAKE, /* a handshake message: ticket, KeyUpdate, HelloRequest; absorbed */
    OSSPI_TLS_CLOSED,         /* close_notify */
    OSSPI_TLS_BROKEN          /* see osspi_tls_failure() */
};

/** Opens exactly one whole record into out, which has room for the plaintext (it may point into the
 * record's own memory, behind header and explicit nonce). The record is left as it is unless out
 * points into it. */
enum osspi_tls_record osspi_tls_open(struct osspi_tls *tls, const uint8_t *record, size_t len,
                                     uint8_t *out, size_t *ret_len);

/**
 * Seals up to facts.max_fragment bytes into exactly one record in the flight. A record that the TLS
 * library sends beside it (an alert) stands before it in the flight. No bytes, no record: the
 * flight stays as it is and the status is SEC_E_OK.
 *
 * @return SEC_E_OK; SEC_E_INVALID_PARAMETER: too long; SEC_E_CONTEXT_EXPIRED: closed for writing;
 *         SEC_E_ENCRYPT_FAILURE: broken, or the key is used up; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_tls_seal(struct osspi_tls *tls, const uint8_t *data, size_t len);

/* ---- hashes that the rest of the package needs (tls_digest.c); no connection, thread-safe ---- */

/**
 * The hash of a certificate for tls-server-end-point (RFC 5929, 4.1): by the hash of the
 * certificate's signature, SHA-256 where that is MD5 or SHA-1.
 *
 * @return SEC_E_OK; SEC_E_UNSUPPORTED_FUNCTION: the signature uses no hash, or more than one;
 *         SEC_E_CERT_UNKNOWN: not a certificate; SEC_E_INSUFFICIENT_MEMORY; SEC_E_INTERNAL_ERROR.
 */
SECURITY_STATUS osspi_tls_endpoint_hash(const struct osspi_der *certificate, uint8_t ret_hash[64],
                                        size_t *ret_len);

/** Bits of its public key; 0: they cannot be told. */
uint32_t osspi_tls_key_bits(const struct osspi_der *certificate);

/** SHA-256 of some bytes. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; SEC_E_INTERNAL_ERROR. */
SECURITY_STATUS osspi_tls_sha256(const void *bytes, size_t len, uint8_t ret_hash[32]);

#endif
