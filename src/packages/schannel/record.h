/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection of an established connection, in the caller's buffers.
 *
 * This is the line behind which records can be made by the TLS library (record_tls.c) or by our own
 * in-place code, without anybody above noticing. Encrypt and decrypt of one connection may run at
 * the same time; an implementation that cannot do that keeps its own lock.
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
    OSSPI_RECORD_POST_HANDSHAKE, /* absorbed; the caller is told SEC_I_RENEGOTIATE */
    OSSPI_RECORD_POSTPONED,      /* a handshake message, not absorbed: first the pending bytes must
                                    leave. The caller is told SEC_I_RENEGOTIATE as well. */
    OSSPI_RECORD_CLOSED,
    OSSPI_RECORD_BROKEN
};

/** Takes tls over. NULL: no memory (tls stays the caller's). facts outlives the record. */
struct osspi_record *osspi_record_new(struct osspi_tls *tls, const struct osspi_tls_facts *facts);
void osspi_record_free(struct osspi_record *record); /* NULL is a no-op; wipes */

void osspi_record_sizes(const struct osspi_record *record, struct osspi_record_sizes *ret_sizes);

/** The caller's three buffers; together they hold what goes on the wire, in this order. */
struct osspi_record_pieces {
    uint8_t *header;                          /* at least sizes.header bytes */
    uint8_t *data;                            /* data_len bytes of plaintext; sealed in place */
    uint8_t *trailer;                         /* at least sizes.trailer bytes */
    size_t data_len;                          /* at most sizes.maximum */
    size_t header_len, used_len, trailer_len; /* out: bytes used of each */
};

/**
 * Seals one record of the data. No data may make no record; then all lengths are 0.
 *
 * @return SEC_E_OK; SEC_E_CONTEXT_EXPIRED: closed for writing; SEC_E_BUFFER_TOO_SMALL: more is
 *         pending than fits in front, a leg must run first (nothing was sealed);
 *         SEC_E_ENCRYPT_FAILURE; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_record_seal(struct osspi_record *record, struct osspi_record_pieces *pieces);

/**
 * The same for an alert, whose two bytes (level, description) are the data. A closing one closes
 * for writing. SEC_E_UNSUPPORTED_FUNCTION: it cannot be sent under protection.
 */
SECURITY_STATUS osspi_record_seal_alert(struct osspi_record *record,
                                        struct osspi_record_pieces *pieces);

/**
 * Opens one whole record in place; *ret_plain points into it. On BROKEN the record is cleared, the
 * status is in *ret_status, and nothing can be opened any more. With POST_HANDSHAKE and POSTPONED
 * the bytes are left as they came, because the caller hands them in again.
 */
enum osspi_record_kind osspi_record_open(struct osspi_record *record, uint8_t *bytes, size_t len,
                                         uint8_t **ret_plain, size_t *ret_plain_len,
                                         SECURITY_STATUS *ret_status);

/** For legs after the handshake: what must be sent (KeyUpdate answer, no_renegotiation alert) goes
 * into *ret_bytes (borrowed until osspi_record_sent). */
SECURITY_STATUS osspi_record_pending(struct osspi_record *record, const uint8_t **ret_bytes,
                                     size_t *ret_len);
void osspi_record_sent(struct osspi_record *record);

/** Puts an alert into the pending bytes; close_notify and fatal ones close for writing.
 * SEC_E_UNSUPPORTED_FUNCTION: it cannot be sent under protection. */
SECURITY_STATUS osspi_record_alert(struct osspi_record *record, uint8_t level, uint8_t description);

/** Whether sessions of this connection may be resumed from now on. */
void osspi_record_reconnects(struct osspi_record *record, bool enabled);

/** Copies what the TLS library says about the failure; always terminated. */
void osspi_record_detail(struct osspi_record *record, char *buffer, size_t size);

SECURITY_STATUS osspi_record_export(struct osspi_record *record, const char *label,
                                    size_t label_len, const uint8_t *context, size_t context_len,
                                    uint8_t *out, size_t out_len);

#endif
