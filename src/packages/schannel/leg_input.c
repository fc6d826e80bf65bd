/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a leg is given: buffers, protocol lists, and records by their headers (RFC 8446, 5.1;
 * RFC 5246, 6.2.1). Everything here comes from a caller or straight from the wire. Pure functions.
 */
#include <string.h>

#include "packages/schannel/context.h"

/* ---- buffers ---- */

/*
 * Kinds of input that would change the handshake in a way that this release cannot: refused, not
 * skipped, so that nobody believes in an extension or key that was never sent. What stays unnamed
 * here is harmless to skip; the results show what came of it.
 */
static bool is_refused(ULONG type)
{
    switch (type) {
    case SECBUFFER_APP_SESSION_STATE:
    case SECBUFFER_SESSION_TICKET:
        return true;
    default:
        return false;
    }
}

static SECURITY_STATUS take_buffer(SecBuffer *buffer, bool first, struct osspi_leg_input *input)
{
    ULONG type = osspi_buffer_type(buffer);

    switch (type) {
    case SECBUFFER_TOKEN:
        if (input->token)
            return SEC_E_INVALID_TOKEN;
        input->token = buffer;
        input->bytes = buffer->pvBuffer;
        input->len = buffer->cbBuffer;
        return SEC_E_OK;
    case SECBUFFER_EMPTY:
        /* A lone one means "no input", whatever else it says. Behind others it is a slot for
         * EXTRA or MISSING, and a length in it is what is left of a mistake. */
        return !first && buffer->cbBuffer > 0 && buffer->pvBuffer ? SEC_E_INVALID_TOKEN : SEC_E_OK;
    case SECBUFFER_APPLICATION_PROTOCOLS:
        if (input->alpn)
            return SEC_E_INVALID_TOKEN;
        return osspi_alpn_parse(buffer->pvBuffer, buffer->cbBuffer, &input->alpn, &input->alpn_len);
    default:
        return is_refused(type) ? SEC_E_UNSUPPORTED_FUNCTION : SEC_E_OK;
    }
}

SECURITY_STATUS osspi_leg_input_parse(const struct osspi_buffers *buffers,
                                      struct osspi_leg_input *ret_input)
{
    *ret_input = (struct osspi_leg_input){.buffers = *buffers};
    for (ULONG i = 0; i < buffers->count; i++) {
        SECURITY_STATUS status = take_buffer(&buffers->items[i], i == 0, ret_input);

        if (status != SEC_E_OK)
            return status;
    }
    return SEC_E_OK;
}

void osspi_leg_input_extra(const struct osspi_leg_input *input, size_t len)
{
    /* No address: the caller counts from the end of its own buffer. */
    if (len > 0)
        (void)osspi_buffers_put(&input->buffers, input->token, SECBUFFER_EXTRA, (ULONG)len, NULL);
}

void osspi_leg_input_missing(const struct osspi_leg_input *input, size_t len)
{
    (void)osspi_buffers_put(&input->buffers, input->token, SECBUFFER_MISSING, (ULONG)len, NULL);
}

/* ---- protocol lists ---- */

/* Ids of 1 to 255 bytes, each behind its length, up to the very end (RFC 7301, 3.1). */
static bool is_id_list(const uint8_t *list, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t id_len = list[at];

        if (id_len == 0 || id_len > len - at - 1)
            return false;
        at += 1 + id_len;
    }
    return len > 0;
}

SECURITY_STATUS osspi_alpn_parse(const void *buffer, size_t size, const uint8_t **ret_list,
                                 size_t *ret_len)
{
    const uint8_t *at = buffer;
    uint32_t lists_len;

    *ret_list = NULL;
    *ret_len = 0;
    /* Numbers are the machine's own, and nothing in here is aligned. */
    if (!buffer || size < sizeof(lists_len))
        return SEC_E_INVALID_TOKEN;
    memcpy(&lists_len, at, sizeof(lists_len));
    at += sizeof(lists_len);
    if (lists_len > size - sizeof(lists_len))
        return SEC_E_INVALID_TOKEN;
    while (lists_len > 0) {
        uint32_t kind;
        uint16_t len;

        if (lists_len < sizeof(kind) + sizeof(len))
            return SEC_E_INVALID_TOKEN;
        memcpy(&kind, at, sizeof(kind));
        memcpy(&len, at + sizeof(kind), sizeof(len));
        at += sizeof(kind) + sizeof(len);
        lists_len -= (uint32_t)(sizeof(kind) + sizeof(len));
        if (len > lists_len || !is_id_list(at, len))
            return SEC_E_INVALID_TOKEN;
        if (kind == SecApplicationProtocolNegotiationExt_ALPN) {
            if (*ret_list)
                return SEC_E_INVALID_TOKEN;
            *ret_list = at;
            *ret_len = len;
        }
        at += len;
        lists_len -= len;
    }
    return SEC_E_OK;
}

/* ---- records ---- */

static size_t max_body(enum osspi_header_place place)
{
    switch (place) {
    case OSSPI_PLACE_FIRST: /* nothing is encrypted yet */
        return OSSPI_TLS_MAX_FRAGMENT;
    case OSSPI_PLACE_TLS13:
        return OSSPI_TLS_MAX_FRAGMENT + 256;
    default:
        return OSSPI_TLS_MAX_RECORD;
    }
}

static bool type_possible(uint8_t type, enum osspi_header_place place)
{
    switch (type) {
    case 21: /* alert */
    case 22: /* handshake */
        return true;
    case 20: /* change_cipher_spec */
    case 23: /* application_data */
        return place != OSSPI_PLACE_FIRST;
    default:
        return false;
    }
}

enum osspi_header_verdict osspi_header_judge(const uint8_t *bytes, size_t len,
                                             enum osspi_header_place place, size_t *ret_len)
{
    size_t body;

    *ret_len = OSSPI_TLS_HEADER - (len < OSSPI_TLS_HEADER ? len : OSSPI_TLS_HEADER);
    if (len > 0 && !type_possible(bytes[0], place))
        return OSSPI_HEADER_GARBAGE;
    if ((len > 1 && bytes[1] != 3) || (len > 2 && bytes[2] > 4))
        return OSSPI_HEADER_VERSION;
    if (len < OSSPI_TLS_HEADER)
        return OSSPI_HEADER_SHORT;
    body = (size_t)bytes[3] << 8 | bytes[4];
    if (body > max_body(place))
        return OSSPI_HEADER_LARGE;
    if (len - OSSPI_TLS_HEADER < body) {
        *ret_len = body - (len - OSSPI_TLS_HEADER);
        return OSSPI_HEADER_SHORT;
    }
    *ret_len = OSSPI_TLS_HEADER + body;
    return OSSPI_HEADER_GOOD;
}

uint8_t osspi_header_alert(enum osspi_header_verdict verdict)
{
    switch (verdict) {
    case OSSPI_HEADER_VERSION:
        return TLS1_ALERT_PROTOCOL_VERSION;
    case OSSPI_HEADER_LARGE:
        return TLS1_ALERT_RECORD_OVERFLOW;
    default:
        return TLS1_ALERT_UNEXPECTED_MESSAGE;
    }
}

uint64_t osspi_input_checksum_on(uint64_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001B3);
    return sum;
}

uint64_t osspi_input_checksum(const uint8_t *bytes, size_t len)
{
    return osspi_input_checksum_on(UINT64_C(0xCBF29CE484222325), bytes, len);
}

/* ---- bytes that come again ---- */

SECURITY_STATUS osspi_replay_set(struct osspi_replay *replay, const uint8_t *bytes, size_t len)
{
    replay->len = len;
    return len > 0 ? osspi_tls_sha256(bytes, len, replay->digest) : SEC_E_OK;
}

SECURITY_STATUS osspi_replay_check(const struct osspi_replay *replay, const uint8_t *bytes,
                                   size_t len)
{
    uint8_t digest[sizeof(replay->digest)];
    SECURITY_STATUS status;

    if (replay->len == 0)
        return SEC_E_OK;
    if (len < replay->len)
        return SEC_E_INVALID_TOKEN;
    status = osspi_tls_sha256(bytes, replay->len, digest);
    if (status != SEC_E_OK)
        return status;
    return memcmp(digest, replay->digest, sizeof(digest)) == 0 ? SEC_E_OK : SEC_E_INVALID_TOKEN;
}

/* ---- absorbed records ---- */

/* Where the tail of a record of len bytes begins; a short one is compared from its start. */
static size_t tail_offset(size_t len)
{
    return len > OSSPI_FINGERPRINT_TAIL ? len - OSSPI_FINGERPRINT_TAIL : 0;
}

void osspi_absorbed_set(struct osspi_absorbed *absorbed, const uint8_t *record, size_t len)
{
    size_t from = tail_offset(len);

    *absorbed = (struct osspi_absorbed){.len = len};
    memcpy(absorbed->header, record, OSSPI_TLS_HEADER);
    memcpy(absorbed->tail, record + from, len - from);
}

bool osspi_absorbed_matches(const struct osspi_absorbed *absorbed, const uint8_t *bytes, size_t len)
{
    size_t from = tail_offset(absorbed->len);

    return absorbed->len > 0 && len >= absorbed->len &&
           memcmp(bytes, absorbed->header, OSSPI_TLS_HEADER) == 0 &&
           memcmp(bytes + from, absorbed->tail, absorbed->len - from) == 0;
}
