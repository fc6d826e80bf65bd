/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection by the TLS library; see record.h.
 *
 * One TLS object serves both directions, and the library allows one call on it at a time: a lock
 * of our own, a leaf, held over every call. So one thread may encrypt while another decrypts, they
 * only take turns inside.
 *
 * KeyUpdate (RFC 8446, 4.6.3). The library answers a peer's request when it reads it or when it
 * next writes, and all that follows is under the new key: the answer must leave before it. Nobody
 * can tell in advance that a record is a KeyUpdate, so it is opened like any other, and the answer
 * waits. It leaves in the leg or, if the caller encrypts before that, in front of the record that
 * is sealed: both together are laid over header, data and trailer from left to right. The trailer
 * size that callers are told has room for SLOTS such records. A caller who neither runs legs nor
 * encrypts can let more of them pile up; then sealing has no room until a leg has run, and in the
 * end the peer has asked too often.
 */
#include "packages/schannel/record.h"

#include <stdio.h>
#include <string.h>

#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/credential.h"

#define TLS13       0x0304
#define TLS11       0x0302
#define CLOSING     0u /* close_notify */
#define FATAL       2u
#define HANDSHAKE   22u
#define UPDATE_SIZE 5u  /* bytes of a KeyUpdate message; an alert has 2 */
#define SLOTS       4u  /* records that may leave in front of a sealed one */
#define MAX_WAITING 64u /* records that may wait in all */

struct osspi_record {
    struct osspi_record_sizes sizes; /* constant, with the three below */
    uint16_t version;
    size_t plain_offset; /* where plaintext is put in a record */
    size_t slot;         /* bytes of a KeyUpdate or alert record, at most */

    struct osspi_lock lock;
    struct osspi_tls *tls; /* guarded by lock, with the two below */
    bool broken;           /* opening has failed */
    bool closed;           /* a closing alert was made */
};

/* Bytes before the ciphertext proper. */
static uint32_t header_size(const struct osspi_suite *suite, uint16_t version)
{
    if (version == TLS13 || strcmp(suite->cipher, "CHACHA20_POLY1305") == 0)
        return OSSPI_TLS_HEADER;
    if (suite->aead)
        return OSSPI_TLS_HEADER + 8; /* explicit nonce, RFC 5288 */
    return version >= TLS11 ? OSSPI_TLS_HEADER + suite->cipher_block : OSSPI_TLS_HEADER;
}

/* Bytes behind the data of one record, at most. */
static uint32_t overhead(const struct osspi_suite *suite, uint16_t version)
{
    if (suite->aead)
        return version == TLS13 ? 16 + 1 : 16;
    return suite->hash_bits / 8u + suite->cipher_block;
}

struct osspi_record *osspi_record_new(struct osspi_tls *tls, const struct osspi_tls_facts *facts)
{
    const struct osspi_suite *suite = osspi_suite_find(facts->cipher_suite);
    struct osspi_record *record = suite ? osspi_alloc(sizeof(*record)) : NULL;
    uint32_t header, behind;

    if (!record)
        return NULL;
    header = header_size(suite, facts->version);
    behind = overhead(suite, facts->version);
    record->sizes = (struct osspi_record_sizes){
        .header = header,
        .trailer = behind + SLOTS * (header + UPDATE_SIZE + behind),
        .maximum = facts->max_fragment,
        .block = suite->cipher_block,
    };
    record->version = facts->version;
    record->plain_offset = header;
    record->slot = header + UPDATE_SIZE + behind;
    record->tls = tls;
    return record;
}

void osspi_record_free(struct osspi_record *record)
{
    if (!record)
        return;
    osspi_tls_free(record->tls);
    osspi_secret_free(record, sizeof(*record));
}

void osspi_record_sizes(const struct osspi_record *record, struct osspi_record_sizes *ret_sizes)
{
    *ret_sizes = record->sizes;
}

static size_t waiting_locked(const struct osspi_record *record)
{
    const uint8_t *bytes;
    size_t len;

    osspi_tls_flight(record->tls, &bytes, &len);
    return len;
}

/* ---- sealing ---- */

static size_t take(uint8_t *to, size_t room, const uint8_t **bytes, size_t *len)
{
    size_t part = *len < room ? *len : room;

    if (part == 0)
        return 0;
    memcpy(to, *bytes, part);
    *bytes += part;
    *len -= part;
    return part;
}

/* Lays the flight over the three pieces. The plaintext has been read by now. */
static SECURITY_STATUS lay_out_locked(struct osspi_record *record,
                                      struct osspi_record_pieces *pieces)
{
    const uint8_t *bytes;
    size_t len;

    osspi_tls_flight(record->tls, &bytes, &len);
    if (len > record->sizes.header + pieces->data_len + record->sizes.trailer)
        return SEC_E_ENCRYPT_FAILURE;
    pieces->header_len = take(pieces->header, record->sizes.header, &bytes, &len);
    pieces->used_len = take(pieces->data, pieces->data_len, &bytes, &len);
    pieces->trailer_len = take(pieces->trailer, record->sizes.trailer, &bytes, &len);
    osspi_tls_flight_sent(record->tls);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_record_seal(struct osspi_record *record, struct osspi_record_pieces *pieces)
{
    OSSPI_LOCKED(&record->lock);
    SECURITY_STATUS status;

    if (record->closed)
        return SEC_E_CONTEXT_EXPIRED;
    /* Asked before anything is sealed, since what is sealed cannot be taken back. One slot is left
     * for an answer that is still owed. */
    if (waiting_locked(record) > (SLOTS - 1) * record->slot)
        return SEC_E_BUFFER_TOO_SMALL;
    status = osspi_tls_seal(record->tls, pieces->data, pieces->data_len);
    return status == SEC_E_OK ? lay_out_locked(record, pieces) : status;
}

static SECURITY_STATUS alert_locked(struct osspi_record *record, uint8_t level, uint8_t description)
{
    SECURITY_STATUS status;

    if (record->closed)
        return SEC_E_OK; /* said once is enough, and nothing may follow it */
    status = osspi_tls_alert(record->tls, level, description);
    if (status == SEC_E_OK && (description == CLOSING || level == FATAL))
        record->closed = true;
    return status;
}

SECURITY_STATUS osspi_record_seal_alert(struct osspi_record *record,
                                        struct osspi_record_pieces *pieces)
{
    OSSPI_LOCKED(&record->lock);
    SECURITY_STATUS status;

    if (record->closed)
        return SEC_E_CONTEXT_EXPIRED;
    if (waiting_locked(record) > (SLOTS - 1) * record->slot)
        return SEC_E_BUFFER_TOO_SMALL;
    status = alert_locked(record, pieces->data[0], pieces->data[1]);
    return status == SEC_E_OK ? lay_out_locked(record, pieces) : status;
}

/* ---- opening ---- */

/* TLS 1.2 answers each request for renegotiation at once with an alert. A peer that asks again
 * before the alert has left has to wait; in TLS 1.2 the header shows that it asks. */
static bool must_wait_locked(const struct osspi_record *record, const uint8_t *bytes)
{
    return record->version != TLS13 && bytes[0] == HANDSHAKE && waiting_locked(record) > 0;
}

static enum osspi_record_kind break_locked(struct osspi_record *record, uint8_t *bytes, size_t len,
                                           SECURITY_STATUS status, SECURITY_STATUS *ret_status)
{
    record->broken = true;
    osspi_secure_zero(bytes, len);
    *ret_status = status;
    return OSSPI_RECORD_BROKEN;
}

enum osspi_record_kind osspi_record_open(struct osspi_record *record, uint8_t *bytes, size_t len,
                                         uint8_t **ret_plain, size_t *ret_plain_len,
                                         SECURITY_STATUS *ret_status)
{
    OSSPI_LOCKED(&record->lock);
    /* The library reads the record out before it writes plaintext, so it may write into it. A
     * record too short for an honest one is not worth a place of its own. */
    uint8_t *plain = bytes + (len > record->plain_offset ? record->plain_offset : 0);

    *ret_plain = plain;
    *ret_plain_len = 0;
    *ret_status = SEC_E_OK;
    if (record->broken)
        return break_locked(record, bytes, len, SEC_E_CONTEXT_EXPIRED, ret_status);
    if (must_wait_locked(record, bytes))
        return OSSPI_RECORD_POSTPONED;
    if (waiting_locked(record) > MAX_WAITING * record->slot)
        return break_locked(record, bytes, len, SEC_E_ILLEGAL_MESSAGE, ret_status);
    switch (osspi_tls_open(record->tls, bytes, len, plain, ret_plain_len)) {
    case OSSPI_TLS_APPLICATION:
        return OSSPI_RECORD_DATA;
    case OSSPI_TLS_POST_HANDSHAKE:
        return OSSPI_RECORD_POST_HANDSHAKE;
    case OSSPI_TLS_CLOSED:
        return OSSPI_RECORD_CLOSED;
    default:
        break;
    }
    *ret_plain_len = 0;
    return break_locked(record, bytes, len, osspi_tls_failure(record->tls), ret_status);
}

/* ---- legs ---- */

SECURITY_STATUS osspi_record_pending(struct osspi_record *record, const uint8_t **ret_bytes,
                                     size_t *ret_len)
{
    OSSPI_LOCKED(&record->lock);
    SECURITY_STATUS status = SEC_E_OK;

    osspi_tls_flight(record->tls, ret_bytes, ret_len);
    /* Not on top of what waits already: the room in the trailer is for so many and no more. */
    if (*ret_len == 0 && !record->broken && !record->closed) {
        status = osspi_tls_settle(record->tls);
        osspi_tls_flight(record->tls, ret_bytes, ret_len);
    }
    return status;
}

void osspi_record_sent(struct osspi_record *record)
{
    OSSPI_LOCKED(&record->lock);
    osspi_tls_flight_sent(record->tls);
}

SECURITY_STATUS osspi_record_alert(struct osspi_record *record, uint8_t level, uint8_t description)
{
    OSSPI_LOCKED(&record->lock);
    return alert_locked(record, level, description);
}

void osspi_record_reconnects(struct osspi_record *record, bool enabled)
{
    OSSPI_LOCKED(&record->lock);
    osspi_tls_reconnects(record->tls, enabled);
}

void osspi_record_detail(struct osspi_record *record, char *buffer, size_t size)
{
    OSSPI_LOCKED(&record->lock);
    const char *detail = osspi_tls_detail(record->tls);

    if (record->broken && osspi_tls_failure(record->tls) == SEC_E_OK)
        detail = "the peer has asked for too many key updates";
    (void)snprintf(buffer, size, "%s", detail);
}

SECURITY_STATUS osspi_record_export(struct osspi_record *record, const char *label,
                                    size_t label_len, const uint8_t *context, size_t context_len,
                                    uint8_t *out, size_t out_len)
{
    OSSPI_LOCKED(&record->lock);
    return osspi_tls_export(record->tls, label, label_len, context, context_len, out, out_len);
}
