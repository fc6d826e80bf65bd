/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection by the TLS library, for suites without authenticated encryption; see record.h.
 *
 * One TLS object serves both directions, and the library allows one call on it at a time: a lock
 * of our own, a leaf, held over every call. So one thread may encrypt while another decrypts, they
 * only take turns inside.
 *
 * Such suites end with TLS 1.2. What the library makes by itself is the alert that declines a
 * renegotiation. It leaves in the leg or, if the caller encrypts before that, in front of the
 * record that is sealed: both together are laid over header, data and trailer from left to right.
 * The trailer size that callers are told has room for SLOTS of them.
 */
#include <stdio.h>
#include <string.h>

#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/record.h"

#define TLS11      0x0302
#define CLOSING    0u /* close_notify */
#define FATAL      2u
#define HANDSHAKE  22u
#define ALERT_SIZE 2u
#define SLOTS      2u /* records that may leave in front of a sealed one */

struct tls_record {
    struct osspi_record base; /* first member; constant, with the two below */
    size_t plain_offset;      /* where plaintext is put in a record */
    size_t slot;              /* bytes of an alert record, at most */

    struct osspi_lock lock;
    struct osspi_tls *tls; /* guarded by lock, with the two below */
    bool broken;           /* opening has failed */
    bool closed;           /* a closing alert was made */
};

static struct tls_record *own(struct osspi_record *record)
{
    return (struct tls_record *)record;
}

static void free_record(struct osspi_record *record)
{
    osspi_tls_free(own(record)->tls);
    osspi_secret_free(record, sizeof(struct tls_record));
}

static size_t waiting_locked(const struct tls_record *record)
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
static SECURITY_STATUS lay_out_locked(struct tls_record *record, struct osspi_record_pieces *pieces)
{
    const uint8_t *bytes;
    size_t len;

    osspi_tls_flight(record->tls, &bytes, &len);
    if (len > record->base.sizes.header + pieces->data_len + record->base.sizes.trailer)
        return SEC_E_ENCRYPT_FAILURE;
    pieces->header_len = take(pieces->header, record->base.sizes.header, &bytes, &len);
    pieces->used_len = take(pieces->data, pieces->data_len, &bytes, &len);
    pieces->trailer_len = take(pieces->trailer, record->base.sizes.trailer, &bytes, &len);
    osspi_tls_flight_sent(record->tls);
    return SEC_E_OK;
}

static SECURITY_STATUS seal(struct osspi_record *base, struct osspi_record_pieces *pieces)
{
    struct tls_record *record = own(base);
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

static SECURITY_STATUS alert_locked(struct tls_record *record, uint8_t level, uint8_t description)
{
    SECURITY_STATUS status;

    if (record->closed)
        return SEC_E_OK; /* said once is enough, and nothing may follow it */
    status = osspi_tls_alert(record->tls, level, description);
    if (status == SEC_E_OK && (description == CLOSING || level == FATAL))
        record->closed = true;
    return status;
}

static SECURITY_STATUS seal_alert(struct osspi_record *base, struct osspi_record_pieces *pieces)
{
    struct tls_record *record = own(base);
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

/* The library answers each request for renegotiation at once with an alert. A peer that asks again
 * before the alert has left has to wait; the header shows that it asks. */
static bool must_wait_locked(const struct tls_record *record, const uint8_t *bytes)
{
    return bytes[0] == HANDSHAKE && waiting_locked(record) > 0;
}

static enum osspi_record_kind break_locked(struct tls_record *record, uint8_t *bytes, size_t len,
                                           SECURITY_STATUS status, SECURITY_STATUS *ret_status)
{
    record->broken = true;
    osspi_secure_zero(bytes, len);
    *ret_status = status;
    return OSSPI_RECORD_BROKEN;
}

static enum osspi_record_kind open_record(struct osspi_record *base, uint8_t *bytes, size_t len,
                                          uint8_t **ret_plain, size_t *ret_plain_len,
                                          SECURITY_STATUS *ret_status)
{
    struct tls_record *record = own(base);
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

/* The library has no call for an alert of ours: the peer just sees the end. */
static void refuse(struct osspi_record *base, uint8_t description)
{
    OSSPI_LOCKED(&own(base)->lock);
    (void)description;
    own(base)->broken = true;
}

/* ---- legs ---- */

static SECURITY_STATUS pending(struct osspi_record *base, const uint8_t **ret_bytes,
                               size_t *ret_len)
{
    OSSPI_LOCKED(&own(base)->lock);
    osspi_tls_flight(own(base)->tls, ret_bytes, ret_len);
    return SEC_E_OK;
}

static void sent(struct osspi_record *base)
{
    OSSPI_LOCKED(&own(base)->lock);
    osspi_tls_flight_sent(own(base)->tls);
}

static SECURITY_STATUS alert(struct osspi_record *base, uint8_t level, uint8_t description)
{
    OSSPI_LOCKED(&own(base)->lock);
    return alert_locked(own(base), level, description);
}

/* Such suites end with TLS 1.2, and nothing is renegotiated under them. */
static SECURITY_STATUS update(struct osspi_record *base, bool request)
{
    (void)base;
    (void)request;
    return SEC_E_UNSUPPORTED_FUNCTION;
}

static struct osspi_later *later(struct osspi_record *base)
{
    (void)base;
    return NULL;
}

static bool refuses_later(struct osspi_record *base)
{
    OSSPI_LOCKED(&own(base)->lock);
    return osspi_tls_later_wanted(own(base)->tls);
}

static void reconnects(struct osspi_record *base, bool enabled)
{
    OSSPI_LOCKED(&own(base)->lock);
    osspi_tls_reconnects(own(base)->tls, enabled);
}

static void detail(struct osspi_record *base, char *buffer, size_t size)
{
    OSSPI_LOCKED(&own(base)->lock);
    (void)snprintf(buffer, size, "%s", osspi_tls_detail(own(base)->tls));
}

static void randoms(struct osspi_record *base, uint8_t ret_randoms[64])
{
    OSSPI_LOCKED(&own(base)->lock);
    osspi_tls_randoms(own(base)->tls, ret_randoms);
}

static SECURITY_STATUS export_keying(struct osspi_record *base, struct osspi_hmac_bytes label,
                                     struct osspi_hmac_bytes context, uint8_t *out, size_t out_len)
{
    OSSPI_LOCKED(&own(base)->lock);
    return osspi_tls_export(own(base)->tls, label.at, label.len, context.at, context.len, out,
                            out_len);
}

/* ---- making ---- */

static const struct osspi_record_class by_tls_library = {
    .free = free_record,
    .seal = seal,
    .seal_alert = seal_alert,
    .open = open_record,
    .refuse = refuse,
    .pending = pending,
    .sent = sent,
    .alert = alert,
    .update = update,
    .later = later,
    .refuses_later = refuses_later,
    .reconnects = reconnects,
    .detail = detail,
    .randoms = randoms,
    .export_keying = export_keying,
};

struct osspi_record *osspi_record_tls_new(struct osspi_tls *tls,
                                          const struct osspi_tls_facts *facts)
{
    const struct osspi_suite *suite = osspi_suite_find(facts->cipher_suite);
    struct tls_record *record = osspi_alloc(sizeof(*record));
    uint32_t header, behind;

    if (!record)
        return NULL;
    /* An IV of a block before the ciphertext, since TLS 1.1; behind the data MAC and padding. */
    header = OSSPI_TLS_HEADER + (facts->version >= TLS11 ? suite->cipher_block : 0);
    behind = suite->hash_bits / 8u + suite->cipher_block;
    record->base.class = &by_tls_library;
    record->base.sizes = (struct osspi_record_sizes){
        .header = header,
        .trailer = behind + SLOTS * (header + ALERT_SIZE + behind),
        .maximum = facts->max_fragment,
        .block = suite->cipher_block,
    };
    record->plain_offset = header;
    record->slot = header + ALERT_SIZE + behind;
    record->tls = tls;
    return &record->base;
}
