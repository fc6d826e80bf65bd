/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshake messages out of the tokens of message mode. Straight from the wire. Pure functions.
 *
 * A token has no levels, so the messages that are possible are told by the level of the read keys
 * that there are (RFC 9001, 4.1.3). Behind the message after which these change the cut ends: what
 * follows is told to be unconsumed, and a QUIC stack sees by it that the peer has sent bytes at a
 * level that is over.
 *
 * What QUIC does not allow is refused here, whatever the TLS library thinks of it: EndOfEarlyData,
 * KeyUpdate, and certificate requests after the handshake (RFC 9001, 8.3, 6, 4.4).
 */
#include "packages/schannel/message_mode.h"

#include "base/memory.h"
#include "packages/schannel/record_aead.h"

/* The longest there can be of each kind; what the TLS library allows too. */
static const struct {
    uint8_t type;
    bool to_server;
    enum osspi_level level;
    bool last; /* the read keys change behind it, or an answer has to come first */
    uint32_t max;
} possible[] = {
    {OSSPI_CLIENT_HELLO, true, OSSPI_LEVEL_INITIAL, true, 131396},
    {OSSPI_CERTIFICATE, true, OSSPI_LEVEL_HANDSHAKE, false, 102400},
    {OSSPI_COMPRESSED_CERTIFICATE, true, OSSPI_LEVEL_HANDSHAKE, false, 102400},
    {OSSPI_CERTIFICATE_VERIFY, true, OSSPI_LEVEL_HANDSHAKE, false, 65539},
    {OSSPI_FINISHED, true, OSSPI_LEVEL_HANDSHAKE, true, OSSPI_MAX_HASH},
    {OSSPI_SERVER_HELLO, false, OSSPI_LEVEL_INITIAL, true, 65607},
    {OSSPI_ENCRYPTED_EXTENSIONS, false, OSSPI_LEVEL_HANDSHAKE, false, 20000},
    {OSSPI_CERTIFICATE_REQUEST, false, OSSPI_LEVEL_HANDSHAKE, false, 102400},
    {OSSPI_CERTIFICATE, false, OSSPI_LEVEL_HANDSHAKE, false, 102400},
    {OSSPI_COMPRESSED_CERTIFICATE, false, OSSPI_LEVEL_HANDSHAKE, false, 102400},
    {OSSPI_CERTIFICATE_VERIFY, false, OSSPI_LEVEL_HANDSHAKE, false, 65539},
    {OSSPI_FINISHED, false, OSSPI_LEVEL_HANDSHAKE, true, OSSPI_MAX_HASH},
    {OSSPI_SESSION_TICKET, false, OSSPI_LEVEL_APPLICATION, false, 131338},
};

/* RFC 8446, 4.1.2: version, random, and then the length of the session id. */
#define SESSION_ID_AT (OSSPI_MESSAGE_HEADER + 2u + 32u)

size_t osspi_message_len(const uint8_t *bytes)
{
    return OSSPI_MESSAGE_HEADER + ((size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3]);
}

/* Index into the table; the table's size: none. */
static size_t find(uint8_t type, enum osspi_level level, bool to_server)
{
    size_t i = 0;

    while (i < OSSPI_COUNT_OF(possible) &&
           (possible[i].type != type || possible[i].level != level ||
            possible[i].to_server != to_server))
        i++;
    return i;
}

/* A session id would ask for the middlebox compatibility that QUIC does not have (RFC 9001, 8.4).
 */
static bool asks_for_compatibility(const uint8_t *message, size_t len)
{
    return message[0] == OSSPI_CLIENT_HELLO && len > SESSION_ID_AT && message[SESSION_ID_AT] != 0;
}

/* ---- tickets ---- */

#define EARLY_DATA 42u /* RFC 8446, 4.2.10 */

/* Bytes of a vector with its length, which stands in one byte or two; 0: it goes beyond the end. */
static size_t vector_len(const uint8_t *at, size_t left, size_t prefix)
{
    size_t len;

    if (left < prefix)
        return 0;
    len = prefix + (prefix == 1 ? at[0] : (size_t)at[0] << 8 | at[1]);
    return len <= left ? len : 0;
}

/* The extensions of a ticket. */
static bool extensions_fit(const uint8_t *at, size_t left)
{
    while (left >= 4) {
        const size_t len = vector_len(at + 2, left - 2, 2);

        if (len == 0)
            return true;
        if (at[0] == 0 && at[1] == EARLY_DATA &&
            (len != 6 || (at[4] & at[5] & at[6] & at[7]) != 0xFF))
            return false;
        at += 2 + len;
        left -= 2 + len;
    }
    return true;
}

bool osspi_message_ticket_fits(const uint8_t *message, size_t len)
{
    static const size_t prefixes[] = {1, 2, 2}; /* nonce, ticket, extensions */
    size_t at = OSSPI_MESSAGE_HEADER + 8, part = 0;

    for (size_t i = 0; i < OSSPI_COUNT_OF(prefixes); i++) {
        at += part;
        part = at < len ? vector_len(message + at, len - at, prefixes[i]) : 0;
        if (part == 0)
            return true;
    }
    return extensions_fit(message + at + 2, part - 2);
}

/* ---- cutting ---- */

/* One message; *ret_last: the cut ends behind it. */
static struct osspi_message_cut cut_one(const uint8_t *bytes, size_t len, enum osspi_level level,
                                        bool server, bool *ret_last)
{
    struct osspi_message_cut cut = {.missing = OSSPI_MESSAGE_HEADER - len};
    size_t index, message_len;

    if (len == 0)
        return cut;
    index = find(bytes[0], level, server);
    if (index == OSSPI_COUNT_OF(possible)) {
        cut.alert = OSSPI_ALERT_UNEXPECTED;
        return cut;
    }
    if (len < OSSPI_MESSAGE_HEADER)
        return cut;
    message_len = osspi_message_len(bytes);
    cut.missing = message_len - len;
    if (message_len - OSSPI_MESSAGE_HEADER > possible[index].max ||
        asks_for_compatibility(bytes, len < message_len ? len : message_len)) {
        cut.alert = OSSPI_ALERT_ILLEGAL_PARAMETER;
    } else if (message_len <= len) {
        cut.whole = message_len;
        *ret_last = possible[index].last;
    }
    return cut;
}

struct osspi_message_cut osspi_message_cut(const uint8_t *bytes, size_t len, enum osspi_level level,
                                           bool server)
{
    bool last = false;
    struct osspi_message_cut first = cut_one(bytes, len, level, server, &last), next = first;

    while (!last && next.whole > 0 && first.whole < len) {
        next = cut_one(bytes + first.whole, len - first.whole, level, server, &last);
        first.whole += next.whole;
    }
    return first;
}
