/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshake messages after the handshake, out of records that our own code has opened.
 *
 * TLS 1.3 (RFC 8446, 4.6): a KeyUpdate changes the key for reading at once, and may ask for one in
 * return. Session tickets go to the TLS library, which makes sessions of them: they are sealed
 * again under the key and number that it would read next (bridge.h), its first traffic key, which
 * it never leaves. When it has had one, or none has come for a while, its object is freed; tickets
 * that come later are checked for their form and dropped.
 *
 * TLS 1.2 (RFC 5246, 7.4.1.1): a wish to renegotiate is declined. A ClientHello may go on in the
 * records that follow; nothing of it is kept.
 *
 * Where the credential allows handshakes after the handshake, their messages are kept for the next
 * leg; see later.h.
 *
 * The read side is held.
 */
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "packages/schannel/record_aead.h"
#include "packages/schannel/vector.h"

#define HEADER         4u /* type and length of a message */
#define HELLO_REQUEST  0u
#define CLIENT_HELLO   1u
#define SESSION_TICKET 4u
#define KEY_UPDATE     24u

/* The longest NewSessionTicket there can be; a ClientHello is shorter. */
#define MAX_MESSAGE 131338u

struct message {
    uint8_t type;
    const uint8_t *body;
    size_t len;
};

static enum osspi_record_kind break_off(struct osspi_record_aead *record, uint8_t alert,
                                        const char *words, SECURITY_STATUS *ret_status)
{
    *ret_status = SEC_E_ILLEGAL_MESSAGE;
    return osspi_record_break(record, alert, words);
}

static size_t message_len(const uint8_t *header)
{
    return (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
}

/* ---- tickets ---- */

void osspi_record_release_tls(struct osspi_record_aead *record)
{
    struct osspi_later *later = record->later;

    if (later && later->tickets && time(NULL) < later->until)
        return;
    if (later)
        later->tickets = false;
    if (later && later->left > 0)
        return;
    osspi_later_free(later);
    record->later = NULL;
    osspi_tls_take_session(record->tls, &record->session);
    osspi_tls_free(record->tls);
    record->tls = NULL;
}

/* The whole message, header included. A ticket is a gift: where there is no memory for it, or the
 * library has none, the connection goes on without. */
static SECURITY_STATUS give_ticket(struct osspi_record_aead *record, const uint8_t *bytes,
                                   size_t len)
{
    const size_t room = OSSPI_TLS_MAX_FRAGMENT + OSSPI_BRIDGE_OVERHEAD;
    uint8_t *sealed = osspi_alloc(room);
    SECURITY_STATUS status = sealed ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;

    while (status == SEC_E_OK && len > 0) {
        const size_t part = len < OSSPI_TLS_MAX_FRAGMENT ? len : OSSPI_TLS_MAX_FRAGMENT;
        size_t sealed_len, plain_len;

        status = osspi_bridge_seal(&record->later->bridge, OSSPI_TYPE_HANDSHAKE, bytes, part,
                                   sealed, &sealed_len);
        if (status == SEC_E_OK && osspi_tls_open(record->tls, sealed, sealed_len, sealed,
                                                 &plain_len) != OSSPI_TLS_POST_HANDSHAKE)
            status = osspi_tls_failure(record->tls);
        bytes += part;
        len -= part;
    }
    osspi_secret_free(sealed, room);
    return status;
}

/* lifetime, age_add, nonce, ticket, extensions (RFC 8446, 4.6.1). */
static bool is_ticket(const uint8_t *at, size_t len)
{
    const uint8_t *end = at + len, *bytes;
    size_t bytes_len;

    if (len < 8)
        return false;
    at += 8;
    return osspi_vector_take(&at, end, 1, &bytes, &bytes_len) &&
           osspi_vector_take(&at, end, 2, &bytes, &bytes_len) &&
           osspi_vector_take(&at, end, 2, &bytes, &bytes_len) && at == end;
}

static enum osspi_record_kind take_ticket(struct osspi_record_aead *record,
                                          const struct message *message,
                                          SECURITY_STATUS *ret_status)
{
    if (record->server || !is_ticket(message->body, message->len))
        return break_off(record, record->server ? OSSPI_ALERT_UNEXPECTED : OSSPI_ALERT_DECODE_ERROR,
                         "a session ticket that is not one", ret_status);
    if (!record->later || !record->later->tickets || record->later->state == OSSPI_LATER_RUNNING)
        return OSSPI_RECORD_POST_HANDSHAKE;
    *ret_status = give_ticket(record, message->body - HEADER, HEADER + message->len);
    record->later->until = INT64_MIN; /* one will do */
    if (*ret_status == SEC_E_OK || *ret_status == SEC_E_INSUFFICIENT_MEMORY)
        return OSSPI_RECORD_POST_HANDSHAKE;
    return break_off(record, OSSPI_ALERT_DECODE_ERROR, "the TLS library refuses a session ticket",
                     ret_status);
}

/* ---- KeyUpdate ---- */

static enum osspi_record_kind take_update(struct osspi_record_aead *record,
                                          const struct message *message, bool last,
                                          SECURITY_STATUS *ret_status)
{
    uint8_t next[OSSPI_MAX_HASH] = {0};

    if (message->len != 1)
        return break_off(record, OSSPI_ALERT_DECODE_ERROR, "a KeyUpdate of a wrong length",
                         ret_status);
    if (message->body[0] > 1)
        return break_off(record, OSSPI_ALERT_ILLEGAL_PARAMETER,
                         "a KeyUpdate that asks for what there is not", ret_status);
    if (!last) /* RFC 8446, 5.1: what follows would be under the old key */
        return break_off(record, OSSPI_ALERT_UNEXPECTED,
                         "a KeyUpdate is not the last in its record", ret_status);
    *ret_status = osspi_record_key_next(record, &record->read, next);
    if (*ret_status != SEC_E_OK)
        return OSSPI_RECORD_RETRY;
    osspi_record_key_replace(&record->read, next);
    if (message->body[0] == 1)
        (void)atomic_fetch_or_explicit(&record->owed, OSSPI_OWED_UPDATE, memory_order_relaxed);
    return OSSPI_RECORD_POST_HANDSHAKE;
}

/* ---- messages of TLS 1.3 ---- */

/* Adds to the message that an earlier record began; SEC_E_INSUFFICIENT_MEMORY: nothing was added.
 */
static SECURITY_STATUS keep(struct osspi_partial *partial, const uint8_t *bytes, size_t len)
{
    size_t size = partial->len + len;
    uint8_t *grown;

    if (size > partial->size) {
        grown = osspi_alloc(size);
        if (!grown)
            return SEC_E_INSUFFICIENT_MEMORY;
        if (partial->len > 0)
            memcpy(grown, partial->bytes, partial->len);
        osspi_secret_free(partial->bytes, partial->size);
        partial->bytes = grown;
        partial->size = size;
    }
    memcpy(partial->bytes + partial->len, bytes, len);
    partial->len = size;
    return SEC_E_OK;
}

static void drop(struct osspi_partial *partial)
{
    osspi_secret_free(partial->bytes, partial->size);
    *partial = (struct osspi_partial){0};
}

/* Takes the first message of bytes; *ret_used is 0 if it is not all there. */
static enum osspi_record_kind take_first(struct osspi_record_aead *record, const uint8_t *bytes,
                                         size_t len, size_t *ret_used, SECURITY_STATUS *ret_status)
{
    struct message message;

    *ret_used = 0;
    if (len < HEADER)
        return OSSPI_RECORD_POST_HANDSHAKE;
    message = (struct message){bytes[0], bytes + HEADER, message_len(bytes)};
    const bool for_library = osspi_later_takes(record, message.type);
    if (!for_library && ((message.type != KEY_UPDATE && message.type != SESSION_TICKET) ||
                         osspi_later_is_answer(record)))
        return break_off(record, OSSPI_ALERT_UNEXPECTED,
                         "a handshake message that has no place here", ret_status);
    if (message.len > MAX_MESSAGE)
        return break_off(record, OSSPI_ALERT_DECODE_ERROR, "a handshake message is too long",
                         ret_status);
    if (len - HEADER < message.len)
        return OSSPI_RECORD_POST_HANDSHAKE;
    *ret_used = HEADER + message.len;
    if (for_library)
        return osspi_later_keep(record, OSSPI_TYPE_HANDSHAKE, bytes, *ret_used, ret_status);
    if (message.type == KEY_UPDATE)
        return take_update(record, &message, *ret_used == len, ret_status);
    return take_ticket(record, &message, ret_status);
}

static enum osspi_record_kind take13(struct osspi_record_aead *record, const uint8_t *bytes,
                                     size_t len, SECURITY_STATUS *ret_status)
{
    enum osspi_record_kind kind = OSSPI_RECORD_POST_HANDSHAKE;
    size_t used = 1, at = 0;

    while (kind == OSSPI_RECORD_POST_HANDSHAKE && used > 0 && at < len) {
        kind = take_first(record, bytes + at, len - at, &used, ret_status);
        at += used;
    }
    if (kind == OSSPI_RECORD_POST_HANDSHAKE && at < len) {
        *ret_status = keep(&record->partial, bytes + at, len - at);
        if (*ret_status != SEC_E_OK)
            kind = OSSPI_RECORD_RETRY;
    }
    return kind;
}

/* With what earlier records have begun. */
static enum osspi_record_kind take13_more(struct osspi_record_aead *record, const uint8_t *bytes,
                                          size_t len, SECURITY_STATUS *ret_status)
{
    const size_t before = record->partial.len;
    struct osspi_partial whole;
    enum osspi_record_kind kind;

    *ret_status = keep(&record->partial, bytes, len);
    if (*ret_status != SEC_E_OK)
        return OSSPI_RECORD_RETRY;
    whole = record->partial;
    record->partial = (struct osspi_partial){0};
    kind = take13(record, whole.bytes, whole.len, ret_status);
    if (kind == OSSPI_RECORD_RETRY) { /* the record comes again */
        whole.len = before;
        record->partial = whole;
    } else {
        drop(&whole);
    }
    return kind;
}

/* ---- messages of TLS 1.2 ---- */

/* The header of a message is whole. */
static enum osspi_record_kind decline(struct osspi_record_aead *record, SECURITY_STATUS *ret_status)
{
    const size_t len = message_len(record->head);

    if (len > MAX_MESSAGE || (!record->server && len != 0))
        return break_off(record, OSSPI_ALERT_DECODE_ERROR,
                         "a wish to renegotiate of a wrong length", ret_status);
    if (!osspi_later_want(record))
        (void)atomic_fetch_or_explicit(&record->owed, OSSPI_OWED_DECLINE, memory_order_relaxed);
    record->skip = (uint32_t)len;
    return OSSPI_RECORD_POST_HANDSHAKE;
}

/* Messages may be cut anywhere, also in their headers. */
static enum osspi_record_kind take12(struct osspi_record_aead *record, const uint8_t *bytes,
                                     size_t len, SECURITY_STATUS *ret_status)
{
    const uint8_t wanted = record->server ? CLIENT_HELLO : HELLO_REQUEST;
    enum osspi_record_kind kind = OSSPI_RECORD_POST_HANDSHAKE;

    while (kind == OSSPI_RECORD_POST_HANDSHAKE && len > 0) {
        const size_t part = record->skip < len ? record->skip : len;

        record->skip -= (uint32_t)part;
        bytes += part;
        len -= part;
        if (len == 0)
            break;
        if (record->head_len == 0 && osspi_later_begins(record, *bytes))
            return osspi_later_keep(record, OSSPI_TYPE_HANDSHAKE, bytes, len, ret_status);
        record->head[record->head_len++] = *bytes++;
        len--;
        if (record->head[0] != wanted)
            return break_off(record, OSSPI_ALERT_UNEXPECTED,
                             "a handshake message that has no place here", ret_status);
        if (record->head_len < HEADER)
            continue;
        record->head_len = 0;
        kind = decline(record, ret_status);
    }
    return kind;
}

static enum osspi_record_kind take_any(struct osspi_record_aead *record, uint8_t type,
                                       const uint8_t *bytes, size_t len,
                                       SECURITY_STATUS *ret_status)
{
    if (len == 0) /* RFC 8446, 5.1; RFC 5246, 6.2.1 */
        return break_off(record, OSSPI_ALERT_UNEXPECTED, "an empty handshake record", ret_status);
    if (osspi_later_runs(record))
        return osspi_later_keep(record, type, bytes, len, ret_status);
    if (record->version != OSSPI_TLS13)
        return take12(record, bytes, len, ret_status);
    return record->partial.len > 0 ? take13_more(record, bytes, len, ret_status)
                                   : take13(record, bytes, len, ret_status);
}

enum osspi_record_kind osspi_record_take_messages(struct osspi_record_aead *record, uint8_t type,
                                                  const uint8_t *bytes, size_t len,
                                                  SECURITY_STATUS *ret_status)
{
    struct osspi_later *later = record->later;
    const size_t kept = later ? later->queue.len : 0;
    const enum osspi_later_state state = later ? later->state : OSSPI_LATER_IDLE;
    const bool hold = later && later->hold, heard = later && later->heard;
    const enum osspi_record_kind kind = take_any(record, type, bytes, len, ret_status);

    /* The record comes again, and all of its messages. */
    if (kind == OSSPI_RECORD_RETRY && record->later) {
        later->queue.len = kept;
        later->state = state;
        later->hold = hold;
        later->heard = heard;
    }
    return kind;
}
