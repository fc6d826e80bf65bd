/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes after the handshake, between our records and the TLS library; see later.h for how they
 * go and for what guards what.
 *
 * Keys change with the ChangeCipherSpec of each direction: for reading when the TLS library has
 * taken the peer's, for writing when ours is sealed. What is read behind the peer's waits for that:
 * until a leg has been made nothing more can be opened (`hold`), and before its Finished nothing
 * else may come. Data behind the Finished wait until it has been checked.
 */
#include <time.h>

#include "base/memory.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/record_aead.h"

#define TICKETS_WAIT_S 60 /* then no ticket is going to come, and nothing waits for it */

#define HELLO_REQUEST       0u
#define CLIENT_HELLO        1u
#define CERTIFICATE         11u
#define CERTIFICATE_REQUEST 13u
#define CERTIFICATE_VERIFY  15u
#define FINISHED            20u
#define KEY_UPDATE          24u

/* KeyUpdates of a client that one leg makes up for. Nobody needs as many, and the peer decides: the
 * leg must not keep its thread from others for long. */
#define MAX_UPDATES 4096u

#define PIECE_HEAD   3u
#define MESSAGE_HEAD 4u
/* Header, explicit nonce, content type and tag of a record of the TLS library's. */
#define MAX_RECORD (OSSPI_TLS_HEADER + OSSPI_TLS_MAX_RECORD)

/* ---- making and freeing ---- */

SECURITY_STATUS osspi_later_new(struct osspi_record_aead *record, const struct osspi_tls_keys *keys,
                                const struct osspi_key_block *key_block)
{
    const bool tls13 = record->version == OSSPI_TLS13;
    const bool tickets = tls13 && osspi_tls_awaits_tickets(record->tls);
    const uint32_t left = osspi_tls_later_allowed(record->tls);
    struct osspi_later *later;

    if (!tickets && left == 0)
        return SEC_E_OK;
    later = osspi_alloc(sizeof(*later));
    if (!later)
        return SEC_E_INSUFFICIENT_MEMORY;
    later->tickets = tickets;
    later->until = (int64_t)time(NULL) + TICKETS_WAIT_S;
    later->left = left;
    later->bridge = (struct osspi_bridge){
        .kind = record->kind,
        .hash = record->hash,
        .tls13 = tls13,
        .explicit_nonce = record->explicit_nonce,
        .shard = record->shard,
    };
    if (tls13) {
        osspi_bridge_use(&later->bridge.in, record->read.secret, keys->opened);
        osspi_bridge_use(&later->bridge.out, record->write.secret, keys->sealed);
    } else {
        osspi_bridge_use12(&later->bridge.in,
                           record->server ? &key_block->client : &key_block->server, keys->opened);
        osspi_bridge_use12(&later->bridge.out,
                           record->server ? &key_block->server : &key_block->client, keys->sealed);
    }
    record->later = later;
    return SEC_E_OK;
}

static void empty_queue(struct osspi_later *later)
{
    osspi_secret_free(later->queue.bytes, later->queue.size);
    later->queue = (struct osspi_later_queue){0};
}

void osspi_later_free(struct osspi_later *later)
{
    if (!later)
        return;
    empty_queue(later);
    osspi_bridge_clear(&later->bridge);
    osspi_secret_free(later, sizeof(*later));
}

/* ---- what comes in ---- */

static bool is_possible(const struct osspi_record_aead *record)
{
    return record->later && record->later->left > 0;
}

bool osspi_later_runs(const struct osspi_record_aead *record)
{
    return record->version != OSSPI_TLS13 && is_possible(record) &&
           (record->later->state == OSSPI_LATER_RUNNING ||
            (record->server && record->later->state == OSSPI_LATER_WANTED));
}

bool osspi_later_begins(const struct osspi_record_aead *record, uint8_t message_type)
{
    return record->server && message_type == CLIENT_HELLO && is_possible(record) &&
           record->later->state <= OSSPI_LATER_ASKED;
}

bool osspi_later_takes(const struct osspi_record_aead *record, uint8_t message_type)
{
    if (!is_possible(record))
        return false;
    if (!record->server)
        return message_type == CERTIFICATE_REQUEST;
    if (record->later->abandoned)
        return message_type == CERTIFICATE || message_type == CERTIFICATE_VERIFY ||
               message_type == FINISHED;
    if (message_type == CERTIFICATE)
        return record->later->state == OSSPI_LATER_ASKED;
    return osspi_later_is_answer(record) &&
           (message_type == CERTIFICATE_VERIFY || message_type == FINISHED);
}

bool osspi_later_is_answer(const struct osspi_record_aead *record)
{
    return record->version == OSSPI_TLS13 && record->server && record->later &&
           record->later->state >= OSSPI_LATER_WANTED && !record->later->hold &&
           !record->later->abandoned;
}

bool osspi_later_want(struct osspi_record_aead *record)
{
    if (record->server || !is_possible(record))
        return false;
    record->later->state = OSSPI_LATER_WANTED;
    return true;
}

static bool grow(struct osspi_later_queue *queue, size_t needed)
{
    size_t size = 2 * queue->size > needed ? 2 * queue->size : needed;
    uint8_t *grown;

    if (needed <= queue->size)
        return true;
    if (size < 1024)
        size = 1024;
    grown = osspi_alloc(size);
    if (!grown)
        return false;
    if (queue->len > 0)
        memcpy(grown, queue->bytes, queue->len);
    osspi_secret_free(queue->bytes, queue->size);
    queue->bytes = grown;
    queue->size = size;
    return true;
}

static size_t piece_len(const uint8_t *piece)
{
    return (size_t)piece[1] << 8 | piece[2];
}

static void put_piece(struct osspi_later_queue *queue, uint8_t type, const uint8_t *bytes,
                      size_t len)
{
    uint8_t *at = queue->bytes + queue->len;

    queue->last = queue->len;
    at[0] = type;
    at[1] = (uint8_t)(len >> 8);
    at[2] = (uint8_t)len;
    memcpy(at + PIECE_HEAD, bytes, len);
    queue->len += PIECE_HEAD + len;
}

/* TLS 1.2: what goes on in the next record becomes one piece. */
static bool append(struct osspi_later_queue *queue, uint8_t type, const uint8_t *bytes, size_t len)
{
    uint8_t *piece = queue->bytes + queue->last;
    size_t whole;

    if (queue->len == 0 || type != OSSPI_TYPE_HANDSHAKE || piece[0] != type)
        return false;
    whole = piece_len(piece) + len;
    if (whole > OSSPI_TLS_MAX_FRAGMENT)
        return false;
    memcpy(queue->bytes + queue->len, bytes, len);
    queue->len += len;
    piece[1] = (uint8_t)(whole >> 8);
    piece[2] = (uint8_t)whole;
    return true;
}

static enum osspi_record_kind put(struct osspi_record_aead *record, uint8_t type,
                                  const uint8_t *bytes, size_t len, SECURITY_STATUS *ret_status)
{
    struct osspi_later_queue *queue = &record->later->queue;
    const size_t pieces = len / OSSPI_TLS_MAX_FRAGMENT + 1;
    const size_t needed = queue->len + len + pieces * PIECE_HEAD;

    *ret_status = SEC_E_ILLEGAL_MESSAGE;
    if (needed > OSSPI_LATER_QUEUE)
        return osspi_record_break(record, OSSPI_ALERT_UNEXPECTED,
                                  "too much of a handshake in a row");
    *ret_status = SEC_E_INSUFFICIENT_MEMORY;
    if (!grow(queue, needed))
        return OSSPI_RECORD_RETRY;
    if (record->version != OSSPI_TLS13 && append(queue, type, bytes, len))
        return OSSPI_RECORD_POST_HANDSHAKE;
    while (len > 0) {
        const size_t part = len < OSSPI_TLS_MAX_FRAGMENT ? len : OSSPI_TLS_MAX_FRAGMENT;

        put_piece(queue, type, bytes, part);
        bytes += part;
        len -= part;
    }
    return OSSPI_RECORD_POST_HANDSHAKE;
}

enum osspi_record_kind osspi_later_keep(struct osspi_record_aead *record, uint8_t type,
                                        const uint8_t *bytes, size_t len,
                                        SECURITY_STATUS *ret_status)
{
    struct osspi_later *later = record->later;
    const bool finished = record->version == OSSPI_TLS13 ? record->server && bytes[0] == FINISHED
                                                         : later->awaits_finished;
    enum osspi_record_kind kind;

    *ret_status = SEC_E_ILLEGAL_MESSAGE;
    if (later->abandoned) {
        later->awaits_finished = false;
        later->hold = type == OSSPI_TYPE_CCS; /* its new key is one that we shall not know */
        return OSSPI_RECORD_POST_HANDSHAKE;
    }
    if (type == OSSPI_TYPE_CCS && later->awaits_finished)
        return osspi_record_break(record, OSSPI_ALERT_UNEXPECTED,
                                  "a second ChangeCipherSpec in a handshake");
    kind = put(record, type, bytes, len, ret_status);
    if (kind != OSSPI_RECORD_POST_HANDSHAKE)
        return kind;
    if (type == OSSPI_TYPE_CCS || finished)
        later->hold = true;
    if (later->state == OSSPI_LATER_RUNNING)
        later->heard = true;
    else
        later->state = OSSPI_LATER_WANTED;
    return kind;
}

void osspi_later_abandon(struct osspi_record *base)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    struct osspi_later *later = record->later;

    if (!later)
        return;
    later->abandoned = true;
    if (record->version == OSSPI_TLS13)
        later->hold = false;
    empty_queue(later);
}

/* Nothing more of this kind on the connection: the TLS library cannot take its ClientHello back. */
static void give_up(struct osspi_record_aead *record)
{
    record->later->left = 0;
    osspi_record_release_tls(record);
}

bool osspi_later_refused(struct osspi_record_aead *record)
{
    struct osspi_later *later = record->later;

    if (record->version == OSSPI_TLS13 || !is_possible(record))
        return false;
    if (record->server && later->state == OSSPI_LATER_ASKED) {
        later->state = OSSPI_LATER_IDLE;
        return true;
    }
    if (record->server || later->state != OSSPI_LATER_RUNNING || later->heard)
        return false;
    give_up(record);
    return true;
}

uint8_t osspi_later_peek(struct osspi_record *base, const uint8_t *bytes, size_t len)
{
    return osspi_record_peek(osspi_record_own(base), bytes, len);
}

struct osspi_tls *osspi_later_tls(struct osspi_record *base)
{
    return osspi_record_own(base)->tls;
}

/* ---- keys ---- */

static SECURITY_STATUS next_block(struct osspi_record_aead *record,
                                  struct osspi_key_block *ret_block)
{
    struct osspi_tls_keys keys;
    SECURITY_STATUS status = osspi_tls_later_keys(record->tls, &keys);

    if (status == SEC_E_OK)
        osspi_bridge_key_block(&record->later->bridge, keys.master, keys.client_random,
                               keys.server_random, ret_block);
    osspi_secure_zero(&keys, sizeof(keys));
    return status;
}

/* One direction goes on under the new keys, here and in the TLS library. */
static SECURITY_STATUS change_keys(struct osspi_record_aead *record, bool writing)
{
    struct osspi_later *later = record->later;
    struct osspi_key_block block;
    const struct osspi_key_block_side *side =
        writing == record->server ? &block.server : &block.client;
    SECURITY_STATUS status = next_block(record, &block);

    if (status != SEC_E_OK)
        return status;
    osspi_record_key_change(writing ? &record->write : &record->read, side);
    osspi_bridge_use12(writing ? &later->bridge.out : &later->bridge.in, side, 0);
    osspi_secure_zero(&block, sizeof(block));
    return SEC_E_OK;
}

/* ---- the flight ---- */

static SECURITY_STATUS move_record(struct osspi_record_aead *record, uint8_t *bytes, size_t len)
{
    struct osspi_bridge_opened opened;
    SECURITY_STATUS status = osspi_bridge_open(&record->later->bridge, bytes, len, &opened);

    if (status == SEC_E_OK)
        status = osspi_record_put(record, opened.type, opened.bytes, opened.len);
    if (status == SEC_E_OK && opened.type == OSSPI_TYPE_CCS && record->version != OSSPI_TLS13)
        status = change_keys(record, true);
    if (status == SEC_E_OK && opened.type == OSSPI_TYPE_ALERT)
        record->closed = true; /* it makes none but fatal ones here */
    return status;
}

SECURITY_STATUS osspi_later_move(struct osspi_record *base)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    uint8_t *copy osspi_auto(osspi_freep) = NULL;
    SECURITY_STATUS status = SEC_E_OK;
    const uint8_t *bytes;
    size_t len, record_len;

    osspi_tls_flight(record->tls, &bytes, &len);
    if (len == 0)
        return SEC_E_OK;
    copy = osspi_alloc(MAX_RECORD);
    if (!copy)
        return SEC_E_INSUFFICIENT_MEMORY;
    while (status == SEC_E_OK && len > 0) {
        record_len = len < OSSPI_TLS_HEADER ? SIZE_MAX
                                            : OSSPI_TLS_HEADER + ((size_t)bytes[3] << 8 | bytes[4]);
        if (record_len > len || record_len > MAX_RECORD) {
            status = SEC_E_INTERNAL_ERROR;
            break;
        }
        memcpy(copy, bytes, record_len);
        status = move_record(record, copy, record_len);
        bytes += record_len;
        len -= record_len;
    }
    osspi_secure_zero(copy, MAX_RECORD);
    osspi_tls_flight_sent(record->tls);
    return status;
}

/* ---- KeyUpdates ---- */

/* One that the wire has seen, for the TLS library too. */
static SECURITY_STATUS update_library(struct osspi_record_aead *record)
{
    static const uint8_t message[] = {KEY_UPDATE, 0, 0, 1, 0};
    struct osspi_bridge *bridge = &record->later->bridge;
    struct osspi_bridge_key *key = record->server ? &bridge->in : &bridge->out;
    uint8_t sealed[sizeof(message) + OSSPI_BRIDGE_OVERHEAD], next[OSSPI_MAX_HASH] = {0};
    size_t len = 0;
    SECURITY_STATUS status = SEC_E_OK;

    if (record->server)
        status =
            osspi_bridge_seal(bridge, OSSPI_TYPE_HANDSHAKE, message, sizeof(message), sealed, &len);
    if (status == SEC_E_OK)
        status = osspi_tls_later_update(record->tls, record->server ? sealed : NULL, len);
    if (status == SEC_E_OK)
        status = osspi_record_next_secret(record->hash, key->secret, next);
    if (status == SEC_E_OK)
        osspi_bridge_use(key, next, 0);
    osspi_secure_zero(next, sizeof(next));
    return status;
}

/* TLS 1.3: a client's Finished is made of its traffic secret as it is then (RFC 8446, 4.4.4), and
 * the TLS library has not heard of the KeyUpdates since the handshake. */
static SECURITY_STATUS catch_up(struct osspi_record_aead *record)
{
    const struct osspi_bridge *bridge = &record->later->bridge;
    const uint8_t *theirs = record->server ? bridge->in.secret : bridge->out.secret;
    const uint8_t *ours = record->server ? record->read.secret : record->write.secret;
    const size_t len = osspi_hmac_len(record->hash);
    SECURITY_STATUS status = SEC_E_OK;

    for (uint32_t i = 0; status == SEC_E_OK && !osspi_secret_equal(theirs, ours, len); i++)
        status = i < MAX_UPDATES ? update_library(record) : SEC_E_ILLEGAL_MESSAGE;
    return status;
}

/* ---- beginning ---- */

static SECURITY_STATUS prepare(struct osspi_record_aead *record, bool request)
{
    struct osspi_later *later = record->later;
    SECURITY_STATUS status;

    status = osspi_tls_later_prepare(record->tls, request || later->request);
    if (status != SEC_E_OK)
        return status;
    later->heard = later->queue.len > 0;
    later->request = false;
    return SEC_E_OK;
}

static SECURITY_STATUS ask_for_hello(struct osspi_record_aead *record, bool request)
{
    static const uint8_t message[] = {HELLO_REQUEST, 0, 0, 0};
    SECURITY_STATUS status =
        osspi_record_put(record, OSSPI_TYPE_HANDSHAKE, message, sizeof(message));

    if (status != SEC_E_OK)
        return status;
    record->later->request = request;
    record->later->state = OSSPI_LATER_ASKED;
    return SEC_E_OK;
}

static SECURITY_STATUS start(struct osspi_record_aead *record, bool request)
{
    const bool tls13 = record->version == OSSPI_TLS13;
    SECURITY_STATUS status = prepare(record, request);

    if (status == SEC_E_OK)
        status = osspi_tls_later_start(record->tls);
    if (status != SEC_E_OK)
        return status;
    if (osspi_tls_handshake(record->tls, NULL, 0) !=
        (tls13 ? OSSPI_TLS_DONE : OSSPI_TLS_WANT_INPUT)) {
        status = osspi_tls_failure(record->tls);
        return status != SEC_E_OK ? status : SEC_E_INTERNAL_ERROR;
    }
    if (tls13)
        osspi_tls_later_await(record->tls);
    record->later->state = tls13 ? OSSPI_LATER_ASKED : OSSPI_LATER_RUNNING;
    return osspi_later_move(&record->base);
}

/* What has come of a HelloRequest is the beginning of a message for the TLS library now. */
static SECURITY_STATUS hand_over_head(struct osspi_record_aead *record)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (record->head_len > 0 && put(record, OSSPI_TYPE_HANDSHAKE, record->head, record->head_len,
                                    &status) != OSSPI_RECORD_POST_HANDSHAKE)
        return status;
    record->head_len = 0;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_later_ask(struct osspi_record *base, bool request)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    SECURITY_STATUS status;

    if (record->closed || record->broken)
        return SEC_E_CONTEXT_EXPIRED;
    if (record->version != OSSPI_TLS13 && record->server)
        return ask_for_hello(record, request);
    status = hand_over_head(record);
    return status == SEC_E_OK ? start(record, request) : status;
}

SECURITY_STATUS osspi_later_answer(struct osspi_record *base, bool request)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    struct osspi_later *later = record->later;
    SECURITY_STATUS status;

    if (record->closed || record->broken)
        return SEC_E_CONTEXT_EXPIRED;
    if (!record->server && record->version != OSSPI_TLS13) {
        status = hand_over_head(record);
        return status == SEC_E_OK ? start(record, false) : status;
    }
    /* In TLS 1.3 the server's part was prepared when it asked. */
    status = record->server && record->version == OSSPI_TLS13 ? SEC_E_OK : prepare(record, request);
    if (status == SEC_E_OK && record->version == OSSPI_TLS13)
        status = catch_up(record);
    if (status != SEC_E_OK)
        return status;
    later->state = OSSPI_LATER_RUNNING;
    record->answering = !record->server;
    return SEC_E_OK;
}

/* ---- feeding ---- */

/* One piece; it stays where it is if it was not even looked at. */
static SECURITY_STATUS feed_piece(struct osspi_record_aead *record, uint8_t *sealed,
                                  enum osspi_tls_step *step)
{
    struct osspi_later *later = record->later;
    const uint8_t *piece = later->queue.bytes + later->queue.at;
    const size_t len = piece_len(piece);
    const uint8_t type = piece[0];
    SECURITY_STATUS status;
    size_t sealed_len;

    status = osspi_bridge_seal(&later->bridge, type, piece + PIECE_HEAD, len, sealed, &sealed_len);
    if (status != SEC_E_OK)
        return status;
    *step = osspi_tls_handshake(record->tls, sealed, sealed_len);
    if (*step == OSSPI_TLS_WANT_BLOCKING && !osspi_tls_suspended(record->tls)) {
        later->bridge.in.sequence--;
        return SEC_E_OK;
    }
    later->queue.at += PIECE_HEAD + len;
    later->fed = true;
    if (type != OSSPI_TYPE_CCS || *step != OSSPI_TLS_WANT_INPUT)
        return SEC_E_OK;
    later->awaits_finished = true;
    return change_keys(record, false);
}

/* The TLS library, when it reads data, takes note of a message only when its header is whole. */
static bool is_too_short(const struct osspi_record_aead *record)
{
    const struct osspi_later *later = record->later;

    return record->server && record->version != OSSPI_TLS13 && !later->fed &&
           piece_len(later->queue.bytes) < MESSAGE_HEAD;
}

static SECURITY_STATUS feed_all(struct osspi_record_aead *record, enum osspi_tls_step *step)
{
    const size_t room = OSSPI_TLS_MAX_FRAGMENT + OSSPI_BRIDGE_OVERHEAD;
    struct osspi_later_queue *queue = &record->later->queue;
    SECURITY_STATUS status = SEC_E_OK;
    uint8_t *sealed;

    if (queue->at == queue->len || is_too_short(record))
        return SEC_E_OK;
    sealed = osspi_alloc(room);
    if (!sealed)
        return SEC_E_INSUFFICIENT_MEMORY;
    while (status == SEC_E_OK && *step == OSSPI_TLS_WANT_INPUT && queue->at < queue->len) {
        status = feed_piece(record, sealed, step);
        if (status == SEC_E_OK && *step == OSSPI_TLS_WANT_INPUT)
            status = osspi_later_move(&record->base);
    }
    osspi_secret_free(sealed, room);
    if (queue->at == queue->len) {
        empty_queue(record->later);
        record->later->hold = false;
    }
    return status;
}

SECURITY_STATUS osspi_later_feed(struct osspi_record *base, enum osspi_tls_step *step)
{
    *step = OSSPI_TLS_WANT_INPUT;
    return feed_all(osspi_record_own(base), step);
}

SECURITY_STATUS osspi_later_resume(struct osspi_record *base, enum osspi_tls_step *step)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    SECURITY_STATUS status;

    *step = OSSPI_TLS_WANT_INPUT;
    if (osspi_tls_suspended(record->tls)) {
        *step = osspi_tls_handshake(record->tls, NULL, 0);
        status = *step == OSSPI_TLS_WANT_INPUT ? osspi_later_move(base) : SEC_E_OK;
        if (status != SEC_E_OK)
            return status;
    }
    return feed_all(record, step);
}

/* ---- the end ---- */

static SECURITY_STATUS renew_secrets(struct osspi_record_aead *record)
{
    struct osspi_export_secret *secret = osspi_alloc(sizeof(*secret));
    struct osspi_tls_keys keys;
    SECURITY_STATUS status;

    if (!secret)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = osspi_tls_later_keys(record->tls, &keys);
    memcpy(secret->master, keys.master, sizeof(secret->master));
    memcpy(secret->randoms, keys.client_random, 32);
    memcpy(secret->randoms + 32, keys.server_random, 32);
    osspi_secure_zero(&keys, sizeof(keys));
    if (status != SEC_E_OK) {
        osspi_secret_free(secret, sizeof(*secret));
        return status;
    }
    secret->before = atomic_load_explicit(&record->renewed, memory_order_relaxed);
    atomic_store_explicit(&record->renewed, secret, memory_order_release);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_later_finish(struct osspi_record *base)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    struct osspi_later *later = record->later;
    SECURITY_STATUS status = SEC_E_OK;

    /* The Finished becomes pending when nothing else can fail: who has it believes that all is
     * well. */
    if (record->version != OSSPI_TLS13)
        status = renew_secrets(record);
    if (status == SEC_E_OK)
        status = osspi_later_move(base);
    if (status != SEC_E_OK)
        return status;
    later->left--;
    record->answering = false;
    later->awaits_finished = later->hold = later->heard = later->fed = false;
    later->state = later->queue.len > 0 ? OSSPI_LATER_WANTED : OSSPI_LATER_IDLE;
    record->idle_run = 0;
    if (later->left == 0)
        osspi_record_release_tls(record);
    return SEC_E_OK;
}
