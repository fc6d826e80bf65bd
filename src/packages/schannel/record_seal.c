/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Sealing records in the caller's buffers, for the AEAD suites of TLS 1.2 (RFC 5246, 6.2.3.3;
 * RFC 5288; RFC 7905) and TLS 1.3 (RFC 8446, 5.2). The write side is held.
 *
 * A number is claimed before sealing and spent even if that fails; then nothing more is sealed,
 * because the peer would miss a record. Numbers never wrap.
 *
 * What we owe (a KeyUpdate in return, the alert that declines a renegotiation) is noted by the side
 * that reads and paid here: in the next leg, or in front of the record that EncryptMessage seals,
 * if that comes first. However often the peer has asked, one answer will do (RFC 8446, 4.6.3). The
 * KeyUpdate that we make by ourselves, before a key has sealed as much as it may, goes the same
 * way.
 */
#include "base/memory.h"
#include "packages/schannel/record_aead.h"

#define KEY_UPDATE 24u

/* Where a record is made. */
struct place {
    uint8_t *header, *data, *trailer;
    size_t len; /* of the data */
};

static void write_header(uint8_t *header, uint8_t type, size_t body)
{
    header[0] = type;
    header[1] = header[2] = 3; /* legacy_record_version */
    header[3] = (uint8_t)(body >> 8);
    header[4] = (uint8_t)body;
}

static bool seal13(struct osspi_record_key *key, uint8_t type, const struct place *place)
{
    const struct osspi_aead_pieces pieces = {
        .data = place->data,
        .data_len = place->len,
        .behind = place->trailer,
        .behind_len = 1,
        .aad = place->header,
        .aad_len = OSSPI_TLS_HEADER,
        .tag = place->trailer + 1,
    };
    uint8_t nonce[OSSPI_AEAD_NONCE];

    write_header(place->header, OSSPI_TYPE_DATA, place->len + 1 + OSSPI_AEAD_TAG);
    place->trailer[0] = type;
    osspi_record_nonce(key->iv, key->sequence++, nonce);
    return osspi_aead_seal(key->aead, nonce, &pieces);
}

static bool seal12(struct osspi_record_aead *record, uint8_t type, const struct place *place)
{
    struct osspi_record_key *key = &record->write;
    uint8_t aad[OSSPI_MAX_AAD], nonce[OSSPI_AEAD_NONCE];
    const struct osspi_aead_pieces pieces = {
        .data = place->data,
        .data_len = place->len,
        .aad = aad,
        .aad_len = sizeof(aad),
        .tag = place->trailer,
    };
    const size_t above = record->above - OSSPI_TLS_HEADER;

    write_header(place->header, type, above + place->len + OSSPI_AEAD_TAG);
    osspi_record_aad12(aad, key->sequence, place->header, place->len);
    if (record->explicit_nonce) {
        const uint64_t number = htobe64(record->next_explicit++);
        memcpy(nonce, key->iv, 4);
        memcpy(nonce + 4, &number, sizeof(number));
        memcpy(place->header + OSSPI_TLS_HEADER, &number, sizeof(number));
    } else {
        osspi_record_nonce(key->iv, key->sequence, nonce);
    }
    key->sequence++;
    return osspi_aead_seal(key->aead, nonce, &pieces);
}

/* Makes one record; the key is ready. */
static SECURITY_STATUS make(struct osspi_record_aead *record, uint8_t type,
                            const struct place *place)
{
    struct osspi_record_key *key = &record->write;

    if (key->sequence == UINT64_MAX || record->spoiled)
        return SEC_E_ENCRYPT_FAILURE;
    key->blocks += place->len / 16 + 2;
    if (record->version == OSSPI_TLS13 ? seal13(key, type, place) : seal12(record, type, place))
        return SEC_E_OK;
    record->spoiled = true;
    return SEC_E_ENCRYPT_FAILURE;
}

/* ---- what must leave first ---- */

static bool reserve(struct osspi_record_aead *record, size_t more)
{
    const size_t needed = record->pending_len + more;
    const size_t size = needed > OSSPI_MIN_PENDING ? needed : OSSPI_MIN_PENDING;
    uint8_t *grown;

    if (record->pending && needed <= record->pending_size)
        return true;
    grown = size <= UINT32_MAX ? osspi_alloc(size) : NULL;
    if (!grown)
        return false;
    if (record->pending_len > 0)
        memcpy(grown, record->pending, record->pending_len);
    osspi_secret_free(record->pending, record->pending_size);
    record->pending = grown;
    record->pending_size = (uint32_t)size;
    return true;
}

SECURITY_STATUS osspi_record_put(struct osspi_record_aead *record, uint8_t type,
                                 const uint8_t *message, size_t len)
{
    const size_t above = record->above;
    struct place place = {.len = len};
    SECURITY_STATUS status = osspi_record_key_ready(record, &record->write);

    if (status != SEC_E_OK)
        return status;
    if (!reserve(record, above + len + record->below))
        return SEC_E_INSUFFICIENT_MEMORY;
    place.header = record->pending + record->pending_len;
    place.data = place.header + above;
    place.trailer = place.data + len;
    memcpy(place.data, message, len);
    status = make(record, type, &place);
    if (status == SEC_E_OK)
        record->pending_len += (uint32_t)(above + len + record->below);
    return status;
}

void osspi_record_drop_pending(struct osspi_record_aead *record)
{
    osspi_secret_free(OSSPI_TAKE(record->pending), record->pending_size);
    record->pending_len = record->pending_size = 0;
}

SECURITY_STATUS osspi_record_put_alert(struct osspi_record_aead *record, uint8_t level,
                                       uint8_t description)
{
    const uint8_t message[] = {level, description};

    return osspi_record_put(record, OSSPI_TYPE_ALERT, message, sizeof(message));
}

SECURITY_STATUS osspi_record_update_key(struct osspi_record_aead *record, bool request)
{
    const uint8_t message[OSSPI_KEY_UPDATE_SIZE] = {KEY_UPDATE, 0, 0, 1, request};
    uint8_t next[OSSPI_MAX_HASH] = {0};
    SECURITY_STATUS status = osspi_record_key_next(record, &record->write, next);

    if (status == SEC_E_OK)
        status = osspi_record_put(record, OSSPI_TYPE_HANDSHAKE, message, sizeof(message));
    if (status == SEC_E_OK)
        osspi_record_key_replace(&record->write, next);
    osspi_secure_zero(next, sizeof(next));
    return status;
}

static bool is_limited(const struct osspi_record_aead *record)
{
    return record->kind != OSSPI_AEAD_CHACHA20_POLY1305; /* RFC 8446, 5.5 */
}

static bool has_to_update(const struct osspi_record_aead *record)
{
    return record->version == OSSPI_TLS13 && is_limited(record) &&
           record->write.blocks >= OSSPI_UPDATE_BLOCKS;
}

SECURITY_STATUS osspi_record_settle(struct osspi_record_aead *record)
{
    const uint32_t owed = atomic_load_explicit(&record->owed, memory_order_relaxed);
    SECURITY_STATUS status = SEC_E_OK;

    if (record->closed || record->answering)
        return SEC_E_OK;
    if (owed & OSSPI_OWED_UPDATE || has_to_update(record))
        status = osspi_record_update_key(record, false);
    else if (owed & OSSPI_OWED_DECLINE)
        status = osspi_record_put_alert(record, OSSPI_ALERT_WARNING, OSSPI_ALERT_NO_RENEGOTIATION);
    if (status == SEC_E_OK)
        (void)atomic_fetch_and_explicit(&record->owed, ~owed, memory_order_relaxed);
    return status;
}

/* ---- EncryptMessage ---- */

/* The byte at a place of what header, data and trailer hold together. */
static uint8_t *at(const struct osspi_record_aead *record, const struct osspi_record_pieces *pieces,
                   size_t place)
{
    if (place < record->base.sizes.header)
        return pieces->header + place;
    place -= record->base.sizes.header;
    return place < pieces->data_len ? pieces->data + place
                                    : pieces->trailer + place - pieces->data_len;
}

/* How many bytes end at a place without a break. */
static size_t run_up_to(const struct osspi_record_aead *record,
                        const struct osspi_record_pieces *pieces, size_t end)
{
    if (end <= record->base.sizes.header)
        return end;
    end -= record->base.sizes.header;
    return end <= pieces->data_len ? end : end - pieces->data_len;
}

/* Moves the record up and puts the pending bytes in front of it. The peer decides how often this
 * happens (it may ask for a KeyUpdate before every record), so the record moves in runs. */
static void put_in_front(struct osspi_record_aead *record, struct osspi_record_pieces *pieces)
{
    const size_t front = record->pending_len;
    size_t len = pieces->header_len + pieces->used_len + pieces->trailer_len;

    while (len > 0) {
        const size_t from = run_up_to(record, pieces, len);
        const size_t to = run_up_to(record, pieces, len + front);
        const size_t part = from < to ? from : to;

        len -= part;
        memmove(at(record, pieces, len + front), at(record, pieces, len), part);
    }
    for (size_t i = 0; i < front; i++)
        *at(record, pieces, i) = record->pending[i];
    pieces->trailer_len += front;
    osspi_record_drop_pending(record);
}

/* All that is not the usual case; with SEC_E_OK the key is ready. */
static SECURITY_STATUS prepare(struct osspi_record_aead *record, size_t len)
{
    SECURITY_STATUS status;

    if (record->closed)
        return SEC_E_CONTEXT_EXPIRED;
    if (record->spoiled)
        return SEC_E_ENCRYPT_FAILURE;
    /* There is room in front for two: for one that waits, and for what is owed. */
    if (record->pending_len > record->slot)
        return SEC_E_BUFFER_TOO_SMALL;
    status = osspi_record_settle(record);
    if (status != SEC_E_OK)
        return status;
    /* A KeyUpdate was made long before that, unless there can be none. */
    if ((record->version != OSSPI_TLS13 || record->answering) && is_limited(record) &&
        record->write.blocks + len / 16 + 2 > OSSPI_MAX_BLOCKS)
        return SEC_E_ENCRYPT_FAILURE;
    return osspi_record_key_ready(record, &record->write);
}

SECURITY_STATUS osspi_record_seal_as(struct osspi_record_aead *record, uint8_t type,
                                     struct osspi_record_pieces *pieces)
{
    const struct place place = {pieces->header, pieces->data, pieces->trailer, pieces->data_len};
    SECURITY_STATUS status = SEC_E_OK;

    if (__builtin_expect(!record->write.ready || record->closed || record->pending_len > 0 ||
                             record->write.blocks >= OSSPI_UPDATE_BLOCKS ||
                             atomic_load_explicit(&record->owed, memory_order_relaxed) != 0,
                         0))
        status = prepare(record, pieces->data_len);
    if (status == SEC_E_OK)
        status = make(record, type, &place);
    if (status != SEC_E_OK)
        return status;
    pieces->header_len = record->base.sizes.header;
    pieces->used_len = pieces->data_len;
    pieces->trailer_len = record->below;
    if (record->pending_len > 0)
        put_in_front(record, pieces);
    return SEC_E_OK;
}
