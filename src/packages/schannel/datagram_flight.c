/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A flight of messages (RFC 6347, 4.2.4): kept in plain form, cut into fragments and packed into
 * datagrams each time it is sent. Several records stand in one datagram as far as the MTU goes.
 *
 * What is kept is a row of records: type, whether it is sealed, length (two bytes), content. The
 * content of a handshake record is one message, or one part of a long one, behind its header, as
 * the TLS library has cut it: that got the largest MTU there is.
 */
#include "packages/schannel/datagram.h"

#include <schannel.h>
#include <string.h>

#include "base/memory.h"

#define KEPT_HEADER 4u
#define ALERT       21u
#define HANDSHAKE   22u

/* Not worth a fragment: what is left of a datagram is left free rather. */
#define LEAST_PART 16u

static size_t number(const uint8_t *bytes, size_t len)
{
    size_t value = 0;

    for (size_t i = 0; i < len; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void put_number(uint8_t *bytes, size_t value)
{
    bytes[0] = (uint8_t)(value >> 16);
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)value;
}

static void drop_datagram(struct osspi_flight *flight)
{
    osspi_secret_free(flight->datagram, flight->datagram_size);
    flight->datagram = NULL;
    flight->datagram_len = flight->datagram_size = 0;
}

void osspi_flight_clear(struct osspi_flight *flight)
{
    drop_datagram(flight);
    osspi_secret_free(flight->bytes, flight->len);
    *flight = (struct osspi_flight){0};
}

void osspi_flight_rewind(struct osspi_flight *flight)
{
    drop_datagram(flight);
    flight->at = flight->offset = 0;
}

bool osspi_flight_waits(const struct osspi_flight *flight)
{
    return flight->datagram_len > 0 || flight->at < flight->len;
}

/* ---- taking ---- */

/* Keeps one record's content; *kept has room for it. */
static SECURITY_STATUS keep_record(uint8_t *kept, size_t *len, const struct osspi_line *line,
                                   const struct osspi_datagram_record *record)
{
    const bool sealed = record->epoch > 0;
    const size_t above = osspi_line_above(line, sealed) - OSSPI_DTLS_HEADER;
    uint8_t *content = kept + *len + KEPT_HEADER;
    uint8_t nonce[OSSPI_AEAD_NONCE], aad[13];
    size_t content_len;

    if (record->body_len < above + osspi_line_below(sealed))
        return SEC_E_INTERNAL_ERROR;
    content_len = record->body_len - above - osspi_line_below(sealed);
    memcpy(content, record->body + above, content_len + osspi_line_below(sealed));
    if (sealed) {
        osspi_datagram_nonce(line->kind, line->iv, record->bytes, nonce);
        osspi_datagram_aad(record->bytes, content_len, aad);
        if (!line->aead ||
            !osspi_aead_open(line->aead, nonce, aad, sizeof(aad), content, content_len))
            return SEC_E_INTERNAL_ERROR;
    }
    if (content_len == 0 || (record->type == HANDSHAKE && content_len < OSSPI_DTLS_MESSAGE))
        return SEC_E_INTERNAL_ERROR;
    kept[*len] = record->type;
    kept[*len + 1] = sealed;
    kept[*len + 2] = (uint8_t)(content_len >> 8);
    kept[*len + 3] = (uint8_t)content_len;
    *len += KEPT_HEADER + content_len;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_flight_take(struct osspi_flight *flight, const struct osspi_line *line,
                                  const uint8_t *bytes, size_t len)
{
    /* What is kept of a record is shorter than the record. */
    uint8_t *room = osspi_alloc(len);
    struct osspi_datagram_record record;
    SECURITY_STATUS status = SEC_E_OK;
    size_t used = 0;

    if (!room)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (size_t at = 0; status == SEC_E_OK && at < len; at += record.len) {
        status = osspi_datagram_record(bytes + at, len - at, &record)
                     ? keep_record(room, &used, line, &record)
                     : SEC_E_INTERNAL_ERROR;
        if (status != SEC_E_OK)
            break;
    }
    if (status == SEC_E_OK) {
        osspi_flight_clear(flight);
        flight->bytes = osspi_memdup(room, used);
        flight->len = flight->bytes ? used : 0;
        status = flight->bytes ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    }
    osspi_secret_free(room, len);
    return status;
}

SECURITY_STATUS osspi_flight_alert(struct osspi_flight *flight, bool sealed, uint8_t level,
                                   uint8_t description)
{
    const uint8_t kept[] = {ALERT, sealed, 0, 2, level, description};
    uint8_t *bytes = osspi_memdup(kept, sizeof(kept));

    if (!bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    osspi_flight_clear(flight);
    flight->bytes = bytes;
    flight->len = sizeof(kept);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_flight_warn(struct osspi_flight *flight, bool sealed, uint8_t description)
{
    const uint8_t kept[] = {ALERT, sealed, 0, 2, TLS1_ALERT_WARNING, description};
    uint8_t *bytes = osspi_alloc(flight->len + sizeof(kept));

    if (!bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (flight->len > 0)
        memcpy(bytes, flight->bytes, flight->len);
    memcpy(bytes + flight->len, kept, sizeof(kept));
    osspi_secret_free(flight->bytes, flight->len);
    flight->bytes = bytes;
    flight->len += sizeof(kept);
    return SEC_E_OK;
}

/* ---- cutting ---- */

/* The record at which the flight stands. */
struct kept {
    uint8_t type;
    bool sealed;
    const uint8_t *content;
    size_t len;
};

static struct kept kept_at(const struct osspi_flight *flight)
{
    const uint8_t *at = flight->bytes + flight->at;

    return (struct kept){at[0], at[1] != 0, at + KEPT_HEADER, number(at + 2, 2)};
}

/* How much of the record's content goes into `room` bytes; 0: nothing. */
static size_t fitting(const struct osspi_flight *flight, const struct kept *kept, size_t room)
{
    const size_t header = kept->type == HANDSHAKE ? OSSPI_DTLS_MESSAGE : 0;
    const size_t left = kept->len - header - flight->offset;

    if (room < header)
        return 0;
    if (left <= room - header)
        return header + left;
    return kept->type == HANDSHAKE && room - header >= LEAST_PART ? room : 0;
}

/* Writes `len` bytes of content, a fragment with its header; moves on. */
static void write_part(struct osspi_flight *flight, const struct kept *kept, uint8_t *to,
                       size_t len)
{
    if (kept->type != HANDSHAKE) {
        memcpy(to, kept->content, len);
        flight->offset = kept->len;
    } else {
        const size_t part = len - OSSPI_DTLS_MESSAGE;

        memcpy(to, kept->content, OSSPI_DTLS_MESSAGE);
        put_number(to + 6, number(kept->content + 6, 3) + flight->offset);
        put_number(to + 9, part);
        if (part > 0)
            memcpy(to + OSSPI_DTLS_MESSAGE, kept->content + OSSPI_DTLS_MESSAGE + flight->offset,
                   part);
        flight->offset += part;
        if (flight->offset == kept->len - OSSPI_DTLS_MESSAGE)
            flight->offset = kept->len;
    }
    if (flight->offset == kept->len) {
        flight->at += KEPT_HEADER + kept->len;
        flight->offset = 0;
    }
}

/* One more record behind what the datagram has; *ret_made: it found room. */
static SECURITY_STATUS add_record(struct osspi_flight *flight, struct osspi_line *line,
                                  bool *ret_made)
{
    const struct kept kept = kept_at(flight);
    const size_t above = osspi_line_above(line, kept.sealed);
    const size_t below = osspi_line_below(kept.sealed);
    const size_t room = flight->datagram_size - flight->datagram_len;
    uint8_t *header = flight->datagram + flight->datagram_len;
    const size_t len = room > above + below ? fitting(flight, &kept, room - above - below) : 0;
    SECURITY_STATUS status;

    *ret_made = len > 0;
    if (len == 0)
        return SEC_E_OK;
    write_part(flight, &kept, header + above, len);
    status = osspi_line_seal(line, kept.type, kept.sealed, header, header + above, len,
                             header + above + len);
    if (status == SEC_E_OK)
        flight->datagram_len += above + len + below;
    return status;
}

SECURITY_STATUS osspi_flight_next(struct osspi_flight *flight, struct osspi_line *line, size_t mtu,
                                  const uint8_t **ret_bytes, size_t *ret_len)
{
    SECURITY_STATUS status = SEC_E_OK;
    bool made = true;

    *ret_bytes = NULL;
    *ret_len = 0;
    if (flight->datagram_len > mtu) /* it is smaller now: from the beginning, in new records */
        osspi_flight_rewind(flight);
    if (flight->datagram_len == 0 && flight->at < flight->len) {
        flight->datagram = osspi_alloc(mtu);
        if (!flight->datagram)
            return SEC_E_INSUFFICIENT_MEMORY;
        flight->datagram_size = mtu;
        while (status == SEC_E_OK && made && flight->at < flight->len)
            status = add_record(flight, line, &made);
    }
    if (status != SEC_E_OK) {
        osspi_flight_clear(flight);
        return status;
    }
    *ret_bytes = flight->datagram;
    *ret_len = flight->datagram_len;
    return SEC_E_OK;
}

void osspi_flight_sent(struct osspi_flight *flight)
{
    drop_datagram(flight);
}
