/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * EncryptMessage and DecryptMessage. Encrypting holds the write side, decrypting the read side; one
 * of each may run at the same time (record.h sees to that).
 *
 * Decrypting a message for the handshake (session ticket, KeyUpdate, request to renegotiate):
 * the record is absorbed at once and the caller told SEC_I_RENEGOTIATE with everything from that
 * record on as EXTRA. It comes back either in a leg, which takes it, or here, where it is
 * recognised and skipped. Recognised is one record, the next one to come: any other clears it, so
 * that a copy of it made by somebody on the way fails like every other replay.
 */
#include <stdatomic.h>

#include "base/memory.h"
#include "packages/schannel/context.h"
#include "packages/schannel/record_datagram.h"

#define TLS13         0x0304
#define MESSAGE_SLOTS 4u
#define ALERT_SIZE    2u

static SECURITY_STATUS usable(const struct osspi_schannel_context *sc)
{
    if (!osspi_schannel_established(sc))
        return SEC_E_INVALID_HANDLE;
    if (sc->kind == OSSPI_KIND_MESSAGES) /* the caller protects its packets itself */
        return SEC_E_UNSUPPORTED_FUNCTION;
    return atomic_load(&sc->failure) == SEC_E_OK ? SEC_E_OK : SEC_E_CONTEXT_EXPIRED;
}

/* ---- encrypting ---- */

struct sealing {
    SecBuffer *header, *data, *trailer;
};

/* Header, data, trailer in this order; others are none of ours, and READONLY ones are skipped. */
static SECURITY_STATUS find_pieces(const struct osspi_buffers *message, struct sealing *ret_found)
{
    *ret_found = (struct sealing){0};
    for (ULONG i = 0; i < message->count; i++) {
        SecBuffer *buffer = &message->items[i];
        ULONG type = osspi_buffer_type(buffer);

        if (buffer->BufferType & (SECBUFFER_READONLY | SECBUFFER_READONLY_WITH_CHECKSUM))
            continue;
        if (type == SECBUFFER_STREAM_HEADER && !ret_found->header && !ret_found->data)
            ret_found->header = buffer;
        else if (type == SECBUFFER_DATA && ret_found->header && !ret_found->data)
            ret_found->data = buffer;
        else if (type == SECBUFFER_STREAM_TRAILER && ret_found->data && !ret_found->trailer)
            ret_found->trailer = buffer;
        else if (type == SECBUFFER_STREAM_HEADER || type == SECBUFFER_DATA ||
                 type == SECBUFFER_STREAM_TRAILER)
            return SEC_E_INVALID_TOKEN;
    }
    return ret_found->trailer ? SEC_E_OK : SEC_E_INVALID_TOKEN;
}

static bool is_alert_level(uint8_t level)
{
    return level == TLS1_ALERT_WARNING || level == TLS1_ALERT_FATAL;
}

static SECURITY_STATUS check_pieces(const struct osspi_schannel_context *sc,
                                    const struct sealing *found, bool is_alert)
{
    const struct osspi_record_sizes *sizes = &sc->record->sizes;

    if (!found->header->pvBuffer || !found->trailer->pvBuffer ||
        (found->data->cbBuffer > 0 && !found->data->pvBuffer))
        return SEC_E_INVALID_TOKEN;
    if (found->header->cbBuffer < sizes->header || found->trailer->cbBuffer < sizes->trailer)
        return SEC_E_BUFFER_TOO_SMALL;
    /* Too much data is a wrong message, no small buffer: a larger one would not help. */
    if (is_alert ? found->data->cbBuffer != ALERT_SIZE
                 : found->data->cbBuffer > osspi_schannel_maximum(sc))
        return SEC_E_INVALID_TOKEN;
    return !is_alert || is_alert_level(*(const uint8_t *)found->data->pvBuffer)
               ? SEC_E_OK
               : SEC_E_INVALID_TOKEN;
}

/* EncryptMessage has no status for "sealing failed" and none for "no such alert can be made": the
 * cipher cannot be used (any more), and this quality of protection is not to be had. */
static SECURITY_STATUS as_encrypt_status(SECURITY_STATUS status)
{
    switch (status) {
    case SEC_E_ENCRYPT_FAILURE:
        return SEC_E_CRYPTO_SYSTEM_INVALID;
    case SEC_E_UNSUPPORTED_FUNCTION:
        return SEC_E_QOP_NOT_SUPPORTED;
    default:
        return status;
    }
}

SECURITY_STATUS osspi_schannel_encrypt(struct osspi_context *context, uint32_t qop,
                                       const struct osspi_buffers *message, uint32_t sequence)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    SECURITY_STATUS status = usable(sc);
    struct osspi_record_pieces pieces;
    struct sealing found;
    bool is_alert = qop == SECQOP_WRAP_OOB_DATA;

    if (status != SEC_E_OK)
        return status;
    if (qop != 0 && !is_alert)
        return SEC_E_QOP_NOT_SUPPORTED;
    /* The protocol counts by itself. */
    status = sequence == 0 ? find_pieces(message, &found) : SEC_E_INVALID_TOKEN;
    if (status == SEC_E_OK)
        status = check_pieces(sc, &found, is_alert);
    if (status != SEC_E_OK)
        return status;
    pieces = (struct osspi_record_pieces){
        .header = found.header->pvBuffer,
        .data = found.data->pvBuffer,
        .trailer = found.trailer->pvBuffer,
        .data_len = found.data->cbBuffer,
    };
    status = is_alert ? sc->record->class->seal_alert(sc->record, &pieces)
                      : sc->record->class->seal(sc->record, &pieces);
    if (status != SEC_E_OK)
        return as_encrypt_status(status);
    found.header->cbBuffer = (ULONG)pieces.header_len;
    found.data->cbBuffer = (ULONG)pieces.used_len;
    found.trailer->cbBuffer = (ULONG)pieces.trailer_len;
    return SEC_E_OK;
}

uint32_t osspi_schannel_maximum(const struct osspi_schannel_context *sc)
{
    return sc->kind == OSSPI_KIND_DATAGRAM ? osspi_record_datagram_maximum(sc->record)
                                           : sc->record->sizes.maximum;
}

/* ---- decrypting ---- */

/* One record's bytes, cut as the caller will see them. */
struct opening {
    const struct osspi_buffers *message;
    uint8_t *bytes;
    size_t len;
    size_t taken;  /* bytes that this call takes; the rest is EXTRA */
    uint8_t *data; /* plaintext, within the taken bytes */
    size_t data_len;
};

/* Exactly one DATA that may be written, and at least three slots that are free. */
static SECURITY_STATUS find_data(const struct osspi_buffers *message, SecBuffer **ret_data)
{
    *ret_data = NULL;
    if (message->count < MESSAGE_SLOTS)
        return SEC_E_INVALID_TOKEN;
    for (ULONG i = 0; i < message->count; i++) {
        SecBuffer *buffer = &message->items[i];
        ULONG type = osspi_buffer_type(buffer);

        if (type == SECBUFFER_DATA && !*ret_data && buffer->BufferType == SECBUFFER_DATA)
            *ret_data = buffer;
        else if (type != SECBUFFER_EMPTY)
            return SEC_E_INVALID_TOKEN;
    }
    return *ret_data ? SEC_E_OK : SEC_E_INVALID_TOKEN;
}

/* Callers find the parts by type or by these places; both have to work. */
static void show(const struct opening *opening)
{
    SecBuffer *items = opening->message->items;
    /* Without a message there may be no address to count from. */
    uint8_t *end = opening->taken > 0 ? opening->bytes + opening->taken : opening->bytes;
    uint8_t *behind = opening->data_len > 0 ? opening->data + opening->data_len : opening->data;
    size_t extra = opening->len - opening->taken;

    for (ULONG i = MESSAGE_SLOTS; i < opening->message->count; i++)
        items[i] = (SecBuffer){.BufferType = SECBUFFER_EMPTY};
    items[0] = (SecBuffer){.cbBuffer = (ULONG)(opening->data - opening->bytes),
                           .BufferType = SECBUFFER_STREAM_HEADER,
                           .pvBuffer = opening->bytes};
    items[1] = (SecBuffer){.cbBuffer = (ULONG)opening->data_len,
                           .BufferType = SECBUFFER_DATA,
                           .pvBuffer = opening->data};
    items[2] = (SecBuffer){.cbBuffer = (ULONG)(end - behind),
                           .BufferType = SECBUFFER_STREAM_TRAILER,
                           .pvBuffer = behind};
    items[3] = (SecBuffer){.cbBuffer = (ULONG)extra,
                           .BufferType = extra > 0 ? SECBUFFER_EXTRA : SECBUFFER_EMPTY,
                           .pvBuffer = extra > 0 ? end : NULL};
}

/* Shows the first `taken` bytes as a message without content. */
static SECURITY_STATUS show_empty(struct opening *opening, size_t taken, SECURITY_STATUS status)
{
    opening->taken = taken;
    opening->data = opening->bytes;
    if (taken > OSSPI_TLS_HEADER)
        opening->data += OSSPI_TLS_HEADER;
    opening->data_len = 0;
    show(opening);
    return status;
}

static SECURITY_STATUS break_off(struct osspi_context *context, struct opening *opening, size_t len,
                                 SECURITY_STATUS status)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    char text[OSSPI_DETAIL_SIZE];

    sc->record->class->detail(sc->record, text, sizeof(text));
    osspi_context_detail(context, "%s", text);
    osspi_secure_zero(opening->bytes, len);
    osspi_schannel_fail(context, status);
    return status;
}

static SECURITY_STATUS open_record(struct osspi_context *context, struct opening *opening,
                                   size_t len)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    SECURITY_STATUS status;

    switch (sc->record->class->open(sc->record, opening->bytes, len, &opening->data,
                                    &opening->data_len, &status)) {
    case OSSPI_RECORD_DATA:
        opening->taken = len;
        show(opening);
        return SEC_E_OK;
    case OSSPI_RECORD_POST_HANDSHAKE:
        osspi_absorbed_set(&sc->absorbed, opening->bytes, len);
        return show_empty(opening, 0, SEC_I_RENEGOTIATE);
    case OSSPI_RECORD_RETRY:
        return status;
    case OSSPI_RECORD_POSTPONED:
        return show_empty(opening, 0, SEC_I_RENEGOTIATE);
    case OSSPI_RECORD_REFUSED:
        return show_empty(opening, len, SEC_I_NO_RENEGOTIATION);
    case OSSPI_RECORD_CLOSED:
        sc->peer_closed = true;
        return show_empty(opening, len, SEC_I_CONTEXT_EXPIRED);
    default:
        return break_off(context, opening, len, status);
    }
}

/* Cuts what was taken off the front. */
static void skip(struct opening *opening, size_t len)
{
    opening->bytes += len;
    opening->len -= len;
}

/* One record of a datagram. */
static SECURITY_STATUS open_datagram_record(struct osspi_context *context, struct opening *opening,
                                            size_t len, bool *ret_dropped)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    SECURITY_STATUS status;

    switch (osspi_record_datagram_open(sc->record, opening->bytes, len, &opening->data,
                                       &opening->data_len, ret_dropped, &status)) {
    case OSSPI_RECORD_DATA:
        opening->taken = len;
        if (!*ret_dropped)
            show(opening);
        return SEC_E_OK;
    case OSSPI_RECORD_POST_HANDSHAKE:
        osspi_absorbed_set(&sc->absorbed, opening->bytes, len);
        return show_empty(opening, 0, SEC_I_RENEGOTIATE);
    case OSSPI_RECORD_RETRY:
        return status;
    case OSSPI_RECORD_CLOSED:
        sc->peer_closed = true;
        return show_empty(opening, len, SEC_I_CONTEXT_EXPIRED);
    default:
        return break_off(context, opening, len, status);
    }
}

/* The first record of the datagram that is one for us. Others are dropped; a datagram that has none
 * is an empty message, and nothing has happened (RFC 6347, 4.1.2.7). */
static SECURITY_STATUS decrypt_datagram(struct osspi_context *context, struct opening *opening)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    struct osspi_datagram_record record;

    while (osspi_datagram_record(opening->bytes, opening->len, &record)) {
        bool dropped = true;

        if (osspi_absorbed_matches(&sc->absorbed, opening->bytes, record.len)) {
            sc->absorbed.len = 0;
        } else {
            const SECURITY_STATUS status =
                open_datagram_record(context, opening, record.len, &dropped);

            if (!dropped)
                return status;
        }
        skip(opening, record.len);
    }
    return show_empty(opening, opening->len, SEC_E_OK);
}

static SECURITY_STATUS decrypt(struct osspi_context *context, struct opening *opening)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    enum osspi_header_verdict verdict;
    size_t len;

    if (sc->peer_closed)
        return show_empty(opening, 0, SEC_I_CONTEXT_EXPIRED);
    if (sc->kind == OSSPI_KIND_DATAGRAM)
        return decrypt_datagram(context, opening);
    if (osspi_absorbed_matches(&sc->absorbed, opening->bytes, opening->len)) {
        len = sc->absorbed.len;
        sc->absorbed.len = 0;
        return show_empty(opening, len, SEC_E_OK);
    }
    verdict = osspi_header_judge(opening->bytes, opening->len,
                                 sc->facts.version == TLS13 ? OSSPI_PLACE_TLS13 : OSSPI_PLACE_TLS12,
                                 &len);
    if (verdict == OSSPI_HEADER_SHORT) {
        /* The message itself stays as it is, for the retry with more of it. */
        opening->message->items[0].BufferType = SECBUFFER_MISSING;
        opening->message->items[0].cbBuffer = (ULONG)len;
        return SEC_E_INCOMPLETE_MESSAGE;
    }
    sc->absorbed.len = 0;
    if (verdict != OSSPI_HEADER_GOOD) {
        osspi_context_detail(context, "the peer's record has a header that TLS does not allow");
        sc->record->class->refuse(sc->record, osspi_header_alert(verdict));
        osspi_secure_zero(opening->bytes, opening->len);
        osspi_schannel_fail(context, SEC_E_INVALID_TOKEN);
        return SEC_E_INVALID_TOKEN;
    }
    return open_record(context, opening, len);
}

SECURITY_STATUS osspi_schannel_decrypt(struct osspi_context *context,
                                       const struct osspi_buffers *message, uint32_t sequence,
                                       uint32_t *ret_qop)
{
    SECURITY_STATUS status = usable(osspi_schannel(context));
    struct opening opening = {.message = message};
    SecBuffer *data;

    if (ret_qop)
        *ret_qop = 0;
    if (status == SEC_E_OK && sequence != 0)
        status = SEC_E_OUT_OF_SEQUENCE;
    if (status == SEC_E_OK)
        status = find_data(message, &data);
    if (status != SEC_E_OK)
        return status;
    opening.bytes = data->pvBuffer;
    opening.len = data->cbBuffer;
    if (opening.len > 0 && !opening.bytes)
        return SEC_E_INVALID_TOKEN;
    return decrypt(context, &opening);
}
