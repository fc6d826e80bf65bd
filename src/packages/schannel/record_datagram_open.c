/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Opening records of DTLS where they lie; see record_datagram.h. The read side is held.
 *
 * Dropped without a trace (RFC 6347, 4.1.2.6 and 4.1.2.7): records of another epoch or number than
 * may come, those whose tag does not hold, and handshake messages and types that have no place.
 * Only what is authentic moves the window, and only an authentic alert ends something.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/record_aead.h"
#include "packages/schannel/record_datagram.h"

#define MESSAGE_ROOM  512u /* bytes of a handshake record; those that have a place are shorter */
#define HELLO_REQUEST 0u
#define CLIENT_HELLO  1u
#define FINISHED      20u

/* ---- numbers ---- */

static bool is_new(const struct osspi_datagram_reading *reading, uint64_t number)
{
    if (number > reading->highest)
        return true;
    return reading->highest - number < OSSPI_WINDOW &&
           !(reading->seen >> (reading->highest - number) & 1);
}

static void mark(struct osspi_datagram_reading *reading, uint64_t number)
{
    if (number > reading->highest) {
        const uint64_t by = number - reading->highest;

        reading->seen = by < OSSPI_WINDOW ? reading->seen << by : 0;
        reading->highest = number;
    }
    reading->seen |= UINT64_C(1) << (reading->highest - number);
}

/* ---- opening ---- */

static SECURITY_STATUS get_ready(struct osspi_record_datagram *record)
{
    struct osspi_datagram_reading *reading = &record->reading;
    SECURITY_STATUS status;

    if (reading->aead)
        return SEC_E_OK;
    reading->aead = osspi_alloc(osspi_aead_size(record->kind));
    if (!reading->aead)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = osspi_aead_set_key(reading->aead, record->kind, reading->key.key, record->shard);
    if (status == SEC_E_OK)
        osspi_secure_zero(reading->key.key, sizeof(reading->key.key));
    else
        osspi_free(OSSPI_TAKE(reading->aead));
    return status;
}

static bool decrypt(struct osspi_record_datagram *record, const uint8_t *header, uint8_t *body,
                    size_t len)
{
    uint8_t nonce[OSSPI_AEAD_NONCE], aad[13];

    osspi_datagram_nonce(record->kind, record->reading.key.iv, header, nonce);
    osspi_datagram_aad(header, len, aad);
    return osspi_aead_open(record->reading.aead, nonce, aad, sizeof(aad), body, len);
}

static enum osspi_record_kind drop(bool *ret_dropped)
{
    *ret_dropped = true;
    return OSSPI_RECORD_DATA;
}

static enum osspi_record_kind owe(struct osspi_record_datagram *record, uint32_t what)
{
    (void)atomic_fetch_or_explicit(&record->owed, what, memory_order_relaxed);
    return OSSPI_RECORD_POST_HANDSHAKE;
}

/* A Finished that comes again says that ours was lost. */
static enum osspi_record_kind take_message(struct osspi_record_datagram *record, uint8_t type,
                                           bool *ret_dropped)
{
    osspi_record_datagram_forget(record, false);
    if (type == FINISHED && record->kept && record->kept_sent < OSSPI_FLIGHT_AGAIN) {
        record->kept_sent++;
        return owe(record, OSSPI_OWED_FLIGHT);
    }
    if (type == (record->server ? CLIENT_HELLO : HELLO_REQUEST))
        return owe(record, OSSPI_OWED_REFUSAL);
    return drop(ret_dropped);
}

/* On a copy, because the caller hands the record in again. */
static enum osspi_record_kind open_message(struct osspi_record_datagram *record,
                                           const struct osspi_datagram_record *found,
                                           const uint8_t *body, size_t len, bool *ret_dropped)
{
    uint8_t copy[MESSAGE_ROOM];
    enum osspi_record_kind kind = OSSPI_RECORD_DATA;

    if (len + OSSPI_AEAD_TAG > sizeof(copy))
        return drop(ret_dropped);
    memcpy(copy, body, len + OSSPI_AEAD_TAG);
    if (!decrypt(record, found->bytes, copy, len) || len < OSSPI_DTLS_MESSAGE) {
        kind = drop(ret_dropped);
    } else {
        mark(&record->reading, found->number);
        kind = take_message(record, copy[0], ret_dropped);
    }
    osspi_secure_zero(copy, sizeof(copy));
    return kind;
}

static enum osspi_record_kind take_alert(struct osspi_record_datagram *record, const uint8_t *bytes,
                                         size_t len, bool *ret_dropped, SECURITY_STATUS *ret_status)
{
    if (len != 2)
        return drop(ret_dropped);
    if (bytes[1] == OSSPI_ALERT_CLOSING)
        return OSSPI_RECORD_CLOSED;
    if (bytes[0] != OSSPI_ALERT_FATAL)
        return drop(ret_dropped);
    record->reading.alert = bytes[1];
    record->reading.broken = true;
    *ret_status = osspi_tls_alert_received(bytes[1], NULL, 0);
    return OSSPI_RECORD_BROKEN;
}

enum osspi_record_kind osspi_record_datagram_open(struct osspi_record *base, uint8_t *bytes,
                                                  size_t len, uint8_t **ret_plain,
                                                  size_t *ret_plain_len, bool *ret_dropped,
                                                  SECURITY_STATUS *ret_status)
{
    struct osspi_record_datagram *record = osspi_record_of_datagram(base);
    const size_t above = osspi_line_above(&record->line, true);
    struct osspi_datagram_record found;
    uint8_t *body = bytes + above;

    *ret_plain = bytes;
    *ret_plain_len = 0;
    *ret_dropped = false;
    *ret_status = SEC_E_OK;
    if (!osspi_datagram_record(bytes, len, &found) || found.epoch != 1 ||
        found.len < above + OSSPI_AEAD_TAG || record->reading.broken ||
        !is_new(&record->reading, found.number))
        return drop(ret_dropped);
    *ret_status = get_ready(record);
    if (*ret_status != SEC_E_OK)
        return OSSPI_RECORD_RETRY;
    len = found.len - above - OSSPI_AEAD_TAG;
    if (found.type == OSSPI_TYPE_HANDSHAKE)
        return open_message(record, &found, body, len, ret_dropped);
    if (len > OSSPI_DTLS_MAX_FRAGMENT || !decrypt(record, bytes, body, len))
        return drop(ret_dropped);
    mark(&record->reading, found.number);
    if (found.type == OSSPI_TYPE_ALERT)
        return take_alert(record, body, len, ret_dropped, ret_status);
    if (found.type != OSSPI_TYPE_DATA)
        return drop(ret_dropped);
    osspi_record_datagram_forget(record, true);
    *ret_plain = body;
    *ret_plain_len = len;
    return OSSPI_RECORD_DATA;
}
