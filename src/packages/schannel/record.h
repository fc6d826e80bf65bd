/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection of an established connection, in the caller's buffers.
 *
 * This is the line behind which records are made by our own code, in place (record_aead.c, for all
 * suites with authenticated encryption), or by the TLS library (record_tls.c, for the others),
 * without anybody above noticing.
 *
 * Sealing is called with the context's write side held, opening and refusing with its read side,
 * all else with both, or before the connection is established; sizes and export at any time. So
 * sealing and opening may run at the same time; an implementation that cannot do that keeps its own
 * lock. Words on a failure (detail) are asked for by whoever has met it, with the read side held.
 *
 * Order on the wire: records are numbered, so what is pending (the answer to a KeyUpdate, an alert)
 * and what EncryptMessage makes must leave in the order in which they were made. A leg hands the
 * pending bytes out. If EncryptMessage comes first, they stand before the record that it makes, in
 * the same three buffers, and the leg then has nothing to send. The trailer size that a caller is
 * told has room for that.
 */
#ifndef OSSPI_SCHANNEL_RECORD_H
#define OSSPI_SCHANNEL_RECORD_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/derive.h"
#include "packages/schannel/tls.h"

struct osspi_record;

/** Sizes of STREAM_SIZES for a suite. */
struct osspi_record_sizes {
    uint32_t header;  /* record header and explicit nonce */
    uint32_t trailer; /* at most: tag or MAC and padding, inner content type; and room for what is
                         pending, if the implementation cannot hold it back */
    uint32_t maximum; /* plaintext bytes of a record */
    uint32_t block;   /* cipher block size */
};

/** What a leg or DecryptMessage found in one record. */
enum osspi_record_kind {
    OSSPI_RECORD_DATA,
    OSSPI_RECORD_RETRY,          /* nothing has happened, for want of memory; *ret_status says so */
    OSSPI_RECORD_POST_HANDSHAKE, /* absorbed; the caller is told SEC_I_RENEGOTIATE */
    OSSPI_RECORD_POSTPONED,      /* a handshake message, not absorbed: first the pending bytes must
                                    leave. The caller is told SEC_I_RENEGOTIATE as well. */
    OSSPI_RECORD_REFUSED,        /* the peer does not renegotiate as it was asked to */
    OSSPI_RECORD_CLOSED,
    OSSPI_RECORD_BROKEN
};

struct osspi_record_class;
struct osspi_later;

/** Heads what an implementation keeps of a connection; constant. */
struct osspi_record {
    const struct osspi_record_class *class;
    struct osspi_record_sizes sizes;
};

/** The caller's three buffers; together they hold what goes on the wire, in this order. */
struct osspi_record_pieces {
    uint8_t *header;                          /* at least sizes.header bytes */
    uint8_t *data;                            /* data_len bytes of plaintext; sealed in place */
    uint8_t *trailer;                         /* at least sizes.trailer bytes */
    size_t data_len;                          /* at most sizes.maximum */
    size_t header_len, used_len, trailer_len; /* out: bytes used of each */
};

/**
 * What an implementation does. None may be NULL.
 *
 * seal            Seals one record of the data. No data may make no record; then all lengths are 0.
 *                 SEC_E_OK; SEC_E_CONTEXT_EXPIRED: closed for writing; SEC_E_BUFFER_TOO_SMALL: more
 *                 is pending than fits in front, a leg must run first (nothing was sealed);
 *                 SEC_E_ENCRYPT_FAILURE; SEC_E_INSUFFICIENT_MEMORY.
 * seal_alert      The same for an alert, whose two bytes (level, description) are the data. A
 *                 closing one closes for writing. SEC_E_UNSUPPORTED_FUNCTION: it cannot be sent
 *                 under protection.
 * open            Opens one whole record in place; *ret_plain points into it. On BROKEN the record
 *                 is cleared, the status is in *ret_status, and nothing can be opened any more.
 *                 With POST_HANDSHAKE, POSTPONED and RETRY the bytes are left as they came,
 *                 because the caller hands them in again.
 * refuse          What comes next has a header that no record has: nothing can be opened any more.
 *                 The alert tells the peer, where one can be sent under protection.
 * pending         For legs: what must be sent (the last flight of the handshake, the answer to a
 *                 KeyUpdate, an alert) goes into *ret_bytes, borrowed until `sent`.
 *                 SEC_E_INSUFFICIENT_MEMORY: nothing has changed, and it can be tried again.
 * sent            It has left.
 * alert           Puts an alert into the pending bytes; close_notify and fatal ones close for
 *                 writing. SEC_E_UNSUPPORTED_FUNCTION: it cannot be sent under protection;
 *                 SEC_E_BUFFER_TOO_SMALL: a warning, and too much waits already;
 *                 SEC_E_INSUFFICIENT_MEMORY: it can be tried again.
 * update          Puts a KeyUpdate into the pending bytes, which may ask the peer for one.
 *                 SEC_E_UNSUPPORTED_FUNCTION: not in TLS 1.2; SEC_E_CONTEXT_EXPIRED: closed for
 *                 writing; SEC_E_BUFFER_TOO_SMALL, SEC_E_INSUFFICIENT_MEMORY: as above.
 * later           What later handshakes need (later.h); NULL: there can be none (any more).
 * refuses_later   They were asked for, and there can be none (any more).
 * reconnects      Whether sessions of this connection may be resumed from now on.
 * detail          Copies the words on the failure; always terminated.
 * randoms         Of client and server, 32 bytes each; before TLS 1.3 only.
 * export_keying   Exported keying material (RFC 5705; RFC 8446, 7.5); context NULL: none.
 */
struct osspi_record_class {
    void (*free)(struct osspi_record *record); /* wipes */
    SECURITY_STATUS (*seal)(struct osspi_record *record, struct osspi_record_pieces *pieces);
    SECURITY_STATUS (*seal_alert)(struct osspi_record *record, struct osspi_record_pieces *pieces);
    enum osspi_record_kind (*open)(struct osspi_record *record, uint8_t *bytes, size_t len,
                                   uint8_t **ret_plain, size_t *ret_plain_len,
                                   SECURITY_STATUS *ret_status);
    void (*refuse)(struct osspi_record *record, uint8_t description);
    SECURITY_STATUS (*pending)(struct osspi_record *record, const uint8_t **ret_bytes,
                               size_t *ret_len);
    void (*sent)(struct osspi_record *record);
    SECURITY_STATUS (*alert)(struct osspi_record *record, uint8_t level, uint8_t description);
    SECURITY_STATUS (*update)(struct osspi_record *record, bool request);
    struct osspi_later *(*later)(struct osspi_record *record);
    bool (*refuses_later)(struct osspi_record *record);
    void (*reconnects)(struct osspi_record *record, bool enabled);
    void (*detail)(struct osspi_record *record, char *buffer, size_t size);
    void (*randoms)(struct osspi_record *record, uint8_t ret_randoms[64]);
    SECURITY_STATUS (*export_keying)(struct osspi_record *record, struct osspi_hmac_bytes label,
                                     struct osspi_hmac_bytes context, uint8_t *out, size_t out_len);
};

/**
 * The record protection of a connection whose handshake is complete. Takes tls over.
 *
 * @param[in] facts  outlives the record
 * @return SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY, SEC_E_INTERNAL_ERROR: tls stays the caller's.
 */
SECURITY_STATUS osspi_record_new(struct osspi_tls *tls, const struct osspi_tls_facts *facts,
                                 struct osspi_record **ret_record)
    __attribute__((warn_unused_result));

static inline void osspi_record_free(struct osspi_record *record) /* NULL is a no-op */
{
    if (record)
        record->class->free(record);
}

/** The exporter of TLS 1.2 (RFC 5705). SEC_E_OK; SEC_E_INVALID_PARAMETER. (record_export.c) */
SECURITY_STATUS osspi_record_export12(enum osspi_hmac_hash hash, const uint8_t master[48],
                                      const uint8_t randoms[64], struct osspi_hmac_bytes label,
                                      struct osspi_hmac_bytes context, uint8_t *out,
                                      size_t out_len);

/* ---- the implementations ---- */

/** By the TLS library; takes tls over. NULL: no memory. */
struct osspi_record *osspi_record_tls_new(struct osspi_tls *tls,
                                          const struct osspi_tls_facts *facts);

/** By our own code, for suites with AEAD. Statuses of osspi_record_new(). */
SECURITY_STATUS osspi_record_aead_new(struct osspi_tls *tls, const struct osspi_tls_facts *facts,
                                      struct osspi_record **ret_record)
    __attribute__((warn_unused_result));

#endif
