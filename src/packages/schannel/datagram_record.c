/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Records and messages of DTLS by their headers (RFC 6347, 4.1 and 4.2.2), straight from the wire.
 * Pure functions.
 */
#include "packages/schannel/datagram.h"

#define MAX_BODY  (OSSPI_DTLS_MAX_FRAGMENT + 2048u)
#define FIRST     20u /* types of records: change_cipher_spec, alert, handshake, data */
#define LAST      23u
#define HANDSHAKE 22u

static uint64_t number(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value = value << 8 | bytes[i];
    return value;
}

bool osspi_datagram_record(const uint8_t *bytes, size_t len,
                           struct osspi_datagram_record *ret_record)
{
    size_t body;

    if (len < OSSPI_DTLS_HEADER || bytes[0] < FIRST || bytes[0] > LAST || bytes[1] != 0xFE ||
        (bytes[2] != 0xFF && bytes[2] != 0xFD))
        return false;
    body = (size_t)number(bytes + 11, 2);
    if (body == 0 || body > MAX_BODY || body > len - OSSPI_DTLS_HEADER)
        return false;
    *ret_record = (struct osspi_datagram_record){
        .type = bytes[0],
        .epoch = (uint16_t)number(bytes + 3, 2),
        .number = number(bytes + 5, 6),
        .bytes = bytes,
        .len = OSSPI_DTLS_HEADER + body,
        .body = bytes + OSSPI_DTLS_HEADER,
        .body_len = body,
    };
    return true;
}

/* Parts of messages and nothing else? A record whose length was changed on its way is not, and the
 * TLS library would give up at it. */
static bool has_whole_parts(const struct osspi_datagram_record *record)
{
    size_t at = 0;

    do {
        const size_t left = record->body_len - at;
        const size_t part =
            left < OSSPI_DTLS_MESSAGE ? left : (size_t)number(record->body + at + 9, 3);

        if (left < OSSPI_DTLS_MESSAGE || part > left - OSSPI_DTLS_MESSAGE)
            return false;
        at += OSSPI_DTLS_MESSAGE + part;
    } while (at < record->body_len);
    return true;
}

bool osspi_datagram_message(const struct osspi_datagram_record *record,
                            struct osspi_datagram_message *ret_message)
{
    const uint8_t *at = record->body;
    size_t len, from, part;

    if (record->type != HANDSHAKE || record->epoch != 0 || !has_whole_parts(record))
        return false;
    len = (size_t)number(at + 1, 3);
    from = (size_t)number(at + 6, 3);
    part = (size_t)number(at + 9, 3);
    if (from > len || part > len - from || part > record->body_len - OSSPI_DTLS_MESSAGE ||
        (part == 0 && len > 0))
        return false;
    *ret_message = (struct osspi_datagram_message){
        .type = at[0],
        .sequence = (uint16_t)number(at + 4, 2),
        .len = len,
        .from = from,
        .to = from + part,
        .body = at + OSSPI_DTLS_MESSAGE,
    };
    return true;
}
