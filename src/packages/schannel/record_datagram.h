/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection of an established datagram connection (DTLS 1.2, RFC 6347, 4.1), by our own
 * code in the caller's buffers: record_datagram.c (making, sealing, and what legs ask),
 * record_datagram_open.c. What differs from streams (record_aead.h): records may be lost, come
 * twice and in any order, and whoever can send to our port can send records; so what is not
 * authentic, old or foreign is dropped and changes nothing.
 *
 * Nothing of the TLS library is kept. Whoever sent the last flight of the handshake keeps its
 * messages, to send them again if the peer shows that it has not got them (a Finished of its own,
 * sent anew and authentic): until application data of the peer say otherwise, or for twice the
 * maximum segment lifetime (RFC 6347, 4.2.4).
 *
 * What guards a member is said beside it, as in record_aead.h.
 */
#ifndef OSSPI_SCHANNEL_RECORD_DATAGRAM_H
#define OSSPI_SCHANNEL_RECORD_DATAGRAM_H

#include <stdatomic.h>

#include "packages/schannel/datagram.h"
#include "packages/schannel/record.h"

/* What we owe the peer; set by the read side, paid by a leg. */
#define OSSPI_OWED_FLIGHT   1u
#define OSSPI_OWED_REFUSAL  2u /* no_renegotiation */
#define OSSPI_WINDOW        64u
#define OSSPI_FLIGHT_AGAIN  12u /* times that a flight is sent in answer to the peer's */
#define OSSPI_FLIGHT_KEPT_S 240

/** The receiving side: guarded by "read". */
struct osspi_datagram_reading {
    struct osspi_aead *aead;       /* owned; NULL until the first record */
    struct osspi_datagram_key key; /* its first part is wiped when aead is there */
    uint64_t highest;              /* number of a record that was authentic */
    uint64_t seen;                 /* bit n: highest - n was, too */
    uint8_t alert;                 /* fatal alert of the peer, 0: none */
    bool broken;
};

struct osspi_record_datagram {
    struct osspi_record base; /* first member; constant, with the seven below */
    struct osspi_shard *shard;
    uint32_t epoch; /* fork epoch in which it was made */
    enum osspi_aead_kind kind;
    enum osspi_hmac_hash hash;
    bool server;
    uint16_t srtp;               /* profile (RFC 5764), 0: none */
    const _Atomic uint16_t *mtu; /* the context's */

    struct osspi_line line; /* write */
    bool closed, spoiled;   /* write */

    _Atomic uint32_t owed; /* OSSPI_OWED_; set under read, cleared under both */

    struct osspi_datagram_reading reading;
    struct osspi_flight *kept; /* read; the last flight, or NULL */
    int64_t kept_until;        /* read; unix seconds */
    uint8_t kept_sent;         /* read; times that it was sent again */

    struct osspi_flight *alert;        /* both; what leaves before all else, or NULL */
    struct osspi_session_left session; /* both */
    uint8_t master[48], randoms[64];   /* constant */
};

static inline struct osspi_record_datagram *osspi_record_of_datagram(struct osspi_record *record)
{
    return (struct osspi_record_datagram *)record;
}

/**
 * The record protection of a datagram connection whose handshake is complete. Takes tls, the line
 * and (last: it is the handshake's last) the flight over.
 *
 * @param[in] mtu  outlives the record
 * @return SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY, SEC_E_INTERNAL_ERROR: all stays the caller's.
 */
SECURITY_STATUS
osspi_record_datagram_new(struct osspi_tls *tls, const struct osspi_tls_facts *facts,
                          const _Atomic uint16_t *mtu, struct osspi_line *line,
                          struct osspi_flight *flight, bool last, struct osspi_record **ret_record)
    __attribute__((warn_unused_result));

/** Are there datagrams left for legs to hand out? Both sides are held. */
bool osspi_record_datagram_waits(struct osspi_record *record);

/** Plaintext bytes of a record that fits the MTU of now. */
uint32_t osspi_record_datagram_maximum(const struct osspi_record *record);

/** Frees the last flight when its time is over, or at once. The read side is held. */
void osspi_record_datagram_forget(struct osspi_record_datagram *record, bool at_once);

/** Opens one record as struct osspi_record_class has it; *ret_dropped (with DATA): it was not for
 * us, and there is nothing in it. POST_HANDSHAKE: a leg has something to send. The read side is
 * held. */
enum osspi_record_kind osspi_record_datagram_open(struct osspi_record *record, uint8_t *bytes,
                                                  size_t len, uint8_t **ret_plain,
                                                  size_t *ret_plain_len, bool *ret_dropped,
                                                  SECURITY_STATUS *ret_status);

#endif
