/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes after the handshake: renegotiation in TLS 1.2 (RFC 5246, 7.4.1.1; RFC 5746), a
 * client's authentication in TLS 1.3 (RFC 8446, 4.6.2). Both are off until a credential's options
 * ask for them; then the TLS library's object stays, and with it what this file describes, behind
 * one pointer of the connection's records (record_aead.h).
 *
 * The TLS library lives in its own keys and numbers (bridge.h). Records of the handshake are opened
 * by DecryptMessage or by a leg, and their content waits here; a leg, which may wait for a network
 * or a device, feeds it to the TLS library. What that makes is opened and sealed again as records
 * of ours. Data never come near it, so they may go on in both directions at any time: under the old
 * keys until the ChangeCipherSpec of that direction, then under the new ones.
 *
 *     idle       nothing is under way
 *     asked      we have sent a HelloRequest or a CertificateRequest
 *     wanted     the peer has sent its HelloRequest, ClientHello or CertificateRequest, and no leg
 *                has been made since
 *     running    the TLS library is at it
 *
 * The read side guards all of it; legs hold both sides.
 */
#ifndef OSSPI_SCHANNEL_LATER_H
#define OSSPI_SCHANNEL_LATER_H

#include "packages/schannel/bridge.h"
#include "packages/schannel/record.h"

/** What waits for a leg, at most; a chain of certificates is limited to 100 KiB. */
#define OSSPI_LATER_QUEUE 196608u

enum osspi_later_state {
    OSSPI_LATER_IDLE,
    OSSPI_LATER_ASKED,
    OSSPI_LATER_WANTED,
    OSSPI_LATER_RUNNING
};

struct osspi_later {
    struct osspi_bridge bridge;
    bool tickets;  /* a client's of TLS 1.3 waits for a session ticket */
    int64_t until; /* unix seconds: and no longer than that */

    uint32_t left; /* later handshakes that may still be begun */
    enum osspi_later_state state;
    bool request;         /* server: the leg that has asked wants a certificate */
    bool heard;           /* something of the peer's came while it runs */
    bool fed;             /* and the TLS library has had something of it */
    bool hold;            /* what comes next cannot be opened before a leg has been made */
    bool abandoned;       /* we have closed: what comes of a handshake is for nobody */
    bool awaits_finished; /* TLS 1.2: the peer's ChangeCipherSpec is behind us */
    struct osspi_later_queue {
        uint8_t *bytes; /* pieces: content type, two bytes of length, content */
        size_t len, at, size;
        size_t last; /* where the last piece begins */
    } queue;
};

struct osspi_record_aead;

/* ---- for record_*.c: record_later.c ---- */

/** Makes it if there is anything to wait for. key_block: of TLS 1.2. SEC_E_OK;
 * SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_later_new(struct osspi_record_aead *record, const struct osspi_tls_keys *keys,
                                const struct osspi_key_block *key_block)
    __attribute__((warn_unused_result));
void osspi_later_free(struct osspi_later *later); /* NULL is a no-op; wipes */

/** Are handshake messages for the TLS library? TLS 1.2. */
bool osspi_later_runs(const struct osspi_record_aead *record);

/** TLS 1.2, server: does this first byte of a message begin one that is allowed? */
bool osspi_later_begins(const struct osspi_record_aead *record, uint8_t message_type);

/** TLS 1.3: is this message for the TLS library now? */
bool osspi_later_takes(const struct osspi_record_aead *record, uint8_t message_type);

/** TLS 1.3, server: nothing may come between the messages of the client's answer. */
bool osspi_later_is_answer(const struct osspi_record_aead *record);

/** TLS 1.2, client: a HelloRequest has come. False: it has to be declined. */
bool osspi_later_want(struct osspi_record_aead *record);

/** Keeps content of a record for the next leg. POST_HANDSHAKE; RETRY; BROKEN. */
enum osspi_record_kind osspi_later_keep(struct osspi_record_aead *record, uint8_t type,
                                        const uint8_t *bytes, size_t len,
                                        SECURITY_STATUS *ret_status);

/** TLS 1.2: the peer has answered no_renegotiation. Was it asked? */
bool osspi_later_refused(struct osspi_record_aead *record);

/* ---- for legs; the record is one that has it ---- */

/** Begins one: a ClientHello, a HelloRequest or a CertificateRequest is pending afterwards.
 *
 * @param[in] request  server: the client is asked for a certificate
 * @return SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY and others: see osspi_tls_later_prepare().
 */
SECURITY_STATUS osspi_later_ask(struct osspi_record *record, bool request)
    __attribute__((warn_unused_result));

/** The same for one that the peer has begun. */
SECURITY_STATUS osspi_later_answer(struct osspi_record *record, bool request)
    __attribute__((warn_unused_result));

/** Feeds what waits, as long as the TLS library wants input; its flight becomes pending, unless the
 * step is DONE. *step: as osspi_tls_handshake() has it; WANT_INPUT if nothing is left. */
SECURITY_STATUS osspi_later_feed(struct osspi_record *record, enum osspi_tls_step *step)
    __attribute__((warn_unused_result));

/** Goes on where the TLS library stood still; then the same. */
SECURITY_STATUS osspi_later_resume(struct osspi_record *record, enum osspi_tls_step *step)
    __attribute__((warn_unused_result));

/** Makes the flight pending, under the keys that it belongs to. */
SECURITY_STATUS osspi_later_move(struct osspi_record *record);

/** The handshake is over, and what has come of it in order: exported keys are those of it. */
SECURITY_STATUS osspi_later_finish(struct osspi_record *record) __attribute__((warn_unused_result));

/** TLS 1.3: the type inside a record, which stays as it is. 0: it cannot be told. */
uint8_t osspi_later_peek(struct osspi_record *record, const uint8_t *bytes, size_t len);

/** We have closed: no leg goes on with a handshake any more. */
void osspi_later_abandon(struct osspi_record *record);

/** The TLS library's object. */
struct osspi_tls *osspi_later_tls(struct osspi_record *record);

#endif
