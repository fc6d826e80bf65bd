/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Opening records where they lie, for the AEAD suites of TLS 1.2 (RFC 5246, 6.2.3.3; RFC 5288;
 * RFC 7905) and TLS 1.3 (RFC 8446, 5.2). The read side is held.
 *
 * A record whose tag does not hold, or that breaks a rule, ends the reading for good; its bytes are
 * wiped, and what the peer is to be told is noted for the next leg.
 */
#include "base/memory.h"
#include "packages/schannel/record_aead.h"

#define MAX_IDLE_RUN  64u  /* records in a row that bring nothing */
#define MAX_LATER_RUN 512u /* that bring no data, in a later handshake */

enum osspi_record_kind osspi_record_break(struct osspi_record_aead *record, uint8_t alert,
                                          const char *words)
{
    record->broken = true;
    record->fatal = alert;
    record->words = words;
    return OSSPI_RECORD_BROKEN;
}

static enum osspi_record_kind take_alert(struct osspi_record_aead *record, const uint8_t *bytes,
                                         size_t len, SECURITY_STATUS *ret_status)
{
    *ret_status = SEC_E_ILLEGAL_MESSAGE;
    if (len != 2)
        return osspi_record_break(record,
                                  len == 0 ? OSSPI_ALERT_UNEXPECTED : OSSPI_ALERT_DECODE_ERROR,
                                  "an alert is not two bytes long");
    if (record->version != OSSPI_TLS13 && bytes[0] != OSSPI_ALERT_WARNING &&
        bytes[0] != OSSPI_ALERT_FATAL)
        return osspi_record_break(record, OSSPI_ALERT_ILLEGAL_PARAMETER,
                                  "an alert is neither a warning nor fatal");
    if (bytes[1] == OSSPI_ALERT_CLOSING)
        return OSSPI_RECORD_CLOSED;
    if (bytes[0] == OSSPI_ALERT_WARNING && bytes[1] == OSSPI_ALERT_NO_RENEGOTIATION &&
        osspi_later_refused(record))
        return OSSPI_RECORD_REFUSED;
    /* TLS 1.3 knows no warnings but these two (RFC 8446, 6). */
    if (bytes[1] == OSSPI_ALERT_USER_CANCELED ||
        (bytes[0] != OSSPI_ALERT_FATAL && record->version != OSSPI_TLS13))
        return OSSPI_RECORD_DATA;
    record->alert_in = bytes[1];
    *ret_status = osspi_tls_alert_received(bytes[1], NULL, 0);
    return osspi_record_break(record, 0, NULL);
}

/* Records that bring nothing are allowed, but not without end. */
static bool is_too_idle(struct osspi_record_aead *record, uint8_t type, size_t len)
{
    if (type == OSSPI_TYPE_DATA && len > 0) {
        record->idle_run = 0;
        return false;
    }
    return ++record->idle_run > (osspi_later_runs(record) ? MAX_LATER_RUN : MAX_IDLE_RUN);
}

/* One record being opened. */
struct opened {
    uint8_t nonce[OSSPI_AEAD_NONCE];
    uint8_t aad[OSSPI_MAX_AAD];
    size_t aad_len;
    uint8_t *body; /* sealed, then plain */
    size_t len;    /* of it, without the tag */
    size_t padded; /* TLS 1.3: bytes of the plaintext with type and padding */
    uint8_t type;
};

static void start_opening(const struct osspi_record_aead *record, uint8_t *bytes, size_t len,
                          struct opened *opened)
{
    const struct osspi_record_key *key = &record->read;
    const size_t above = record->above;

    opened->body = bytes + above;
    opened->len = len - above - OSSPI_AEAD_TAG;
    opened->type = bytes[0];
    if (record->version == OSSPI_TLS13) {
        memcpy(opened->aad, bytes, OSSPI_TLS_HEADER);
        opened->aad_len = OSSPI_TLS_HEADER;
    } else {
        osspi_record_aad12(opened->aad, key->sequence, bytes, opened->len);
        opened->aad_len = OSSPI_MAX_AAD;
    }
    if (record->explicit_nonce) {
        memcpy(opened->nonce, key->iv, 4);
        memcpy(opened->nonce + 4, bytes + OSSPI_TLS_HEADER, OSSPI_EXPLICIT_NONCE);
    } else {
        osspi_record_nonce(key->iv, key->sequence, opened->nonce);
    }
}

/* TLSInnerPlaintext (RFC 8446, 5.2): content, type, zeros. */
static bool find_type(struct opened *opened)
{
    size_t end = opened->len;

    while (end > 0 && opened->body[end - 1] == 0)
        end--;
    if (end == 0)
        return false;
    opened->padded = opened->len;
    opened->type = opened->body[end - 1];
    opened->len = end - 1;
    return true;
}

/* Puts back what the caller is going to hand in again: the same bytes under the same nonce give the
 * same record. */
static bool close_again(struct osspi_record_aead *record, const struct opened *opened)
{
    uint8_t tag[OSSPI_AEAD_TAG];
    const struct osspi_aead_pieces pieces = {
        .data = opened->body,
        .data_len = record->version == OSSPI_TLS13 ? opened->padded : opened->len,
        .aad = opened->aad,
        .aad_len = opened->aad_len,
        .tag = tag,
    };

    return osspi_aead_seal(record->read.aead, opened->nonce, &pieces);
}

/* The record is put back before its messages are taken, since a KeyUpdate ends its key. */
static enum osspi_record_kind take_handshake(struct osspi_record_aead *record,
                                             const struct opened *opened,
                                             SECURITY_STATUS *ret_status)
{
    uint8_t *copy = osspi_memdup(opened->body, opened->len);
    enum osspi_record_kind kind;

    if (!close_again(record, opened)) {
        *ret_status = SEC_E_INTERNAL_ERROR;
        kind = osspi_record_break(record, OSSPI_ALERT_INTERNAL_ERROR, "a record cannot be sealed");
    } else if (!copy) {
        *ret_status = SEC_E_INSUFFICIENT_MEMORY;
        kind = OSSPI_RECORD_RETRY;
    } else {
        kind = osspi_record_take_messages(record, opened->type, copy, opened->len, ret_status);
    }
    osspi_secret_free(copy, opened->len);
    return kind;
}

/* An answer of several messages, or a Finished, has to come next. */
static bool is_in_answer(const struct osspi_record_aead *record)
{
    return osspi_later_is_answer(record) || (record->later && record->later->awaits_finished);
}

/* A handshake message goes on in the next record (RFC 8446, 5.1). */
static bool has_begun(const struct osspi_record_aead *record)
{
    return record->partial.len > 0 || record->skip > 0 || record->head_len > 0;
}

static enum osspi_record_kind take(struct osspi_record_aead *record, const struct opened *opened,
                                   SECURITY_STATUS *ret_status)
{
    *ret_status = SEC_E_ILLEGAL_MESSAGE;
    if (opened->len > record->base.sizes.maximum)
        return osspi_record_break(record, OSSPI_ALERT_RECORD_OVERFLOW,
                                  "a record holds more than it may");
    if (is_too_idle(record, opened->type, opened->len))
        return osspi_record_break(record, OSSPI_ALERT_UNEXPECTED,
                                  "too many records in a row without application data");
    if (opened->type != OSSPI_TYPE_HANDSHAKE &&
        (has_begun(record) || (opened->type != OSSPI_TYPE_ALERT && is_in_answer(record))))
        return osspi_record_break(record, OSSPI_ALERT_UNEXPECTED,
                                  "a handshake message was not finished");
    switch (opened->type) {
    case OSSPI_TYPE_DATA:
        return OSSPI_RECORD_DATA;
    case OSSPI_TYPE_ALERT:
        return take_alert(record, opened->body, opened->len, ret_status);
    case OSSPI_TYPE_HANDSHAKE:
        return take_handshake(record, opened, ret_status);
    case OSSPI_TYPE_CCS:
        if (osspi_later_runs(record) && opened->len == 1)
            return take_handshake(record, opened, ret_status);
        break;
    default:
        break;
    }
    return osspi_record_break(record, OSSPI_ALERT_UNEXPECTED,
                              "a record of a type that has no place here");
}

static enum osspi_record_kind open_record(struct osspi_record_aead *record, struct opened *opened,
                                          SECURITY_STATUS *ret_status)
{
    struct osspi_record_key *key = &record->read;
    const uint64_t sequence = key->sequence++;
    enum osspi_record_kind kind;

    *ret_status = SEC_E_MESSAGE_ALTERED;
    if (!osspi_aead_open(key->aead, opened->nonce, opened->aad, opened->aad_len, opened->body,
                         opened->len))
        return osspi_record_break(record, OSSPI_ALERT_BAD_RECORD_MAC,
                                  "a record's tag does not hold");
    *ret_status = SEC_E_ILLEGAL_MESSAGE;
    if (record->version == OSSPI_TLS13 && !find_type(opened))
        return osspi_record_break(record, OSSPI_ALERT_UNEXPECTED, "a record has no content type");
    kind = take(record, opened, ret_status);
    if (kind == OSSPI_RECORD_RETRY) { /* the same record comes again */
        key->sequence = sequence;
        record->idle_run--;
    }
    return kind;
}

/* What the header says; the caller has checked the length. False: *ret_status, and it is over. */
static bool check_header(struct osspi_record_aead *record, const uint8_t *bytes, size_t len,
                         SECURITY_STATUS *ret_status)
{
    *ret_status = SEC_E_ILLEGAL_MESSAGE;
    if (record->version == OSSPI_TLS13 && bytes[0] != OSSPI_TYPE_DATA) {
        (void)osspi_record_break(record, OSSPI_ALERT_UNEXPECTED, "a record that is not sealed");
    } else if (bytes[1] != 3 || bytes[2] != 3) {
        *ret_status = SEC_E_INVALID_TOKEN;
        (void)osspi_record_break(record, OSSPI_ALERT_PROTOCOL_VERSION,
                                 "a record of another version");
    } else if (len < record->above + OSSPI_AEAD_TAG) {
        *ret_status = SEC_E_MESSAGE_ALTERED;
        (void)osspi_record_break(record, OSSPI_ALERT_BAD_RECORD_MAC,
                                 "a record is too short to be sealed");
    } else if (record->read.sequence == UINT64_MAX) {
        (void)osspi_record_break(record, OSSPI_ALERT_INTERNAL_ERROR,
                                 "all record numbers are used up");
    }
    return !record->broken;
}

static enum osspi_record_kind break_open(uint8_t *bytes, size_t len, size_t *ret_plain_len)
{
    osspi_secure_zero(bytes, len);
    *ret_plain_len = 0;
    return OSSPI_RECORD_BROKEN;
}

enum osspi_record_kind osspi_record_open_one(struct osspi_record *base, uint8_t *bytes, size_t len,
                                             uint8_t **ret_plain, size_t *ret_plain_len,
                                             SECURITY_STATUS *ret_status)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    enum osspi_record_kind kind;
    struct opened opened;

    *ret_plain = bytes + OSSPI_TLS_HEADER;
    *ret_plain_len = 0;
    if (record->broken) {
        *ret_status = SEC_E_CONTEXT_EXPIRED;
        return break_open(bytes, len, ret_plain_len);
    }
    if (record->later && record->later->hold) {
        *ret_status = SEC_E_CONTEXT_EXPIRED;
        return record->later->abandoned ? OSSPI_RECORD_RETRY : OSSPI_RECORD_POSTPONED;
    }
    if (!check_header(record, bytes, len, ret_status))
        return break_open(bytes, len, ret_plain_len);
    *ret_status = osspi_record_key_ready(record, &record->read);
    if (*ret_status != SEC_E_OK)
        return OSSPI_RECORD_RETRY;
    start_opening(record, bytes, len, &opened);
    kind = open_record(record, &opened, ret_status);
    if (kind == OSSPI_RECORD_BROKEN)
        return break_open(bytes, len, ret_plain_len);
    *ret_plain = opened.body;
    if (kind == OSSPI_RECORD_DATA && opened.type == OSSPI_TYPE_DATA)
        *ret_plain_len = opened.len;
    if (record->later && record->later->tickets)
        osspi_record_release_tls(record);
    return kind;
}

uint8_t osspi_record_peek(struct osspi_record_aead *record, const uint8_t *bytes, size_t len)
{
    struct opened opened = {0};
    uint8_t *copy = NULL;
    bool known = false;

    if (record->broken || record->version != OSSPI_TLS13 || bytes[0] != OSSPI_TYPE_DATA ||
        len < (size_t)record->above + OSSPI_AEAD_TAG || record->read.sequence == UINT64_MAX ||
        osspi_record_key_ready(record, &record->read) != SEC_E_OK)
        return 0;
    copy = osspi_memdup(bytes, len);
    if (copy) {
        start_opening(record, copy, len, &opened);
        known = osspi_aead_open(record->read.aead, opened.nonce, opened.aad, opened.aad_len,
                                opened.body, opened.len) &&
                find_type(&opened);
    }
    osspi_secret_free(copy, len);
    return known ? opened.type : 0;
}
