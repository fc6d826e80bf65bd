/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Between handshake messages and a TLS library that speaks records; see message_mode.h. It knows
 * OpenSSL. The same for OpenSSL 3.0, which has no interface for QUIC, and for those that do.
 *
 * The level of what is sent shows in the messages themselves: hellos come first and are not
 * protected, and behind our Finished everything is the application's (a server's tickets).
 */
#include <openssl/ssl.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/message_mode.h"
#include "packages/schannel/message_tls.h"
#include "packages/schannel/tls_internal.h"

#define PLAIN_VERSION 3, 3 /* in the header of a record; nobody looks at it */

void osspi_messages_clear(struct osspi_messages *messages)
{
    osspi_bridge_clear(&messages->bridge);
    osspi_secure_zero(messages, sizeof(*messages));
}

/* ---- beginning and end ---- */

bool osspi_messages_prepare(struct osspi_tls *tls)
{
    /* The options hold where a later decision widens the range of versions (tls_hello.c). */
    SSL_set_options(tls->ssl, SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2);
    SSL_clear_options(tls->ssl, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    return SSL_set_min_proto_version(tls->ssl, TLS1_3_VERSION) == 1;
}

void osspi_tls_leave_messages(struct osspi_tls *tls)
{
    tls->messages = NULL;
}

/* ---- what the TLS library sends ---- */

static enum osspi_level level_of(const struct osspi_tls *tls, uint8_t type)
{
    if (type == OSSPI_CLIENT_HELLO || type == OSSPI_SERVER_HELLO)
        return OSSPI_LEVEL_INITIAL;
    return tls->finished_sent ? OSSPI_LEVEL_APPLICATION : OSSPI_LEVEL_HANDSHAKE;
}

void osspi_messages_see_sent(struct osspi_tls *tls, const uint8_t *message, size_t len)
{
    if (len == 0 || !osspi_tls_flight_reserve(tls, len))
        return; /* without memory the connection ends: no_memory is set */
    memcpy(tls->flight + tls->flight_len, message, len);
    tls->flight_len += len;
    tls->messages->flight[level_of(tls, message[0])] += len;
}

uint8_t osspi_tls_alert_made(const struct osspi_tls *tls)
{
    if (tls->extension_broken)
        return SSL_AD_ILLEGAL_PARAMETER;
    return tls->alert_sent ? tls->alert_out : 0;
}

/* ---- secrets ---- */

static const struct {
    const char *label; /* RFC 8446, 7.1 */
    const char *line;  /* in a key log */
    enum osspi_level level;
    bool server;
} labels[] = {
    {"c hs traffic", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", OSSPI_LEVEL_HANDSHAKE, false},
    {"s hs traffic", "SERVER_HANDSHAKE_TRAFFIC_SECRET", OSSPI_LEVEL_HANDSHAKE, true},
    {"c ap traffic", "CLIENT_TRAFFIC_SECRET_0", OSSPI_LEVEL_APPLICATION, false},
    {"s ap traffic", "SERVER_TRAFFIC_SECRET_0", OSSPI_LEVEL_APPLICATION, true},
};

static const struct osspi_message_secret *find_secret(const struct osspi_messages *messages,
                                                      enum osspi_level level, bool server)
{
    for (size_t i = 0; i < messages->known; i++) {
        if (messages->secrets[i].level == level && messages->secrets[i].server == server)
            return &messages->secrets[i];
    }
    return NULL;
}

/* name: a label, or what stands in a key log. */
void osspi_messages_see_secret(struct osspi_tls *tls, const char *name, size_t name_len,
                               const uint8_t *secret, size_t len)
{
    struct osspi_messages *messages = tls->messages;
    struct osspi_message_secret *place = &messages->secrets[messages->known];

    for (size_t i = 0; i < OSSPI_COUNT_OF(labels) && len <= sizeof(place->bytes); i++) {
        const char *known = name_len == strlen(labels[i].label) ? labels[i].label : labels[i].line;

        if (strlen(known) != name_len || memcmp(known, name, name_len) != 0)
            continue;
        if (messages->known == OSSPI_MESSAGE_SECRETS ||
            find_secret(messages, labels[i].level, labels[i].server))
            return;
        place->level = labels[i].level;
        place->server = labels[i].server;
        memcpy(place->bytes, secret, len);
        messages->known++;
        return;
    }
}

enum osspi_level osspi_messages_read_level(const struct osspi_messages *messages, bool server)
{
    return find_secret(messages, OSSPI_LEVEL_HANDSHAKE, !server) ? OSSPI_LEVEL_HANDSHAKE
                                                                 : OSSPI_LEVEL_INITIAL;
}

/* ---- what it reads ---- */

static void note_suite(struct osspi_tls *tls)
{
    const SSL_CIPHER *cipher = SSL_get_pending_cipher(tls->ssl);

    if (cipher == NULL)
        cipher = SSL_get_current_cipher(tls->ssl);
    if (cipher != NULL)
        tls->messages->suite = SSL_CIPHER_get_protocol_id(cipher);
}

static SECURITY_STATUS start_sealing(struct osspi_tls *tls)
{
    struct osspi_messages *messages = tls->messages;
    const struct osspi_suite *suite = osspi_suite_find(messages->suite);
    const struct osspi_message_secret *secret =
        find_secret(messages, OSSPI_LEVEL_HANDSHAKE, !tls->server);

    if (messages->sealing)
        return SEC_E_OK;
    if (suite == NULL || !suite->aead || secret == NULL)
        return SEC_E_INTERNAL_ERROR;
    osspi_bridge_init(&messages->bridge, suite, true, tls->config->shard);
    osspi_bridge_use(&messages->bridge.in, secret->bytes, 0);
    messages->sealing = true;
    return SEC_E_OK;
}

/* One fragment into one record. */
static SECURITY_STATUS wrap(struct osspi_tls *tls, const uint8_t *bytes, size_t len,
                            uint8_t *record, size_t *ret_len)
{
    const uint8_t header[OSSPI_TLS_HEADER] = {OSSPI_TLS_TYPE_HANDSHAKE, PLAIN_VERSION,
                                              (uint8_t)(len >> 8), (uint8_t)len};
    SECURITY_STATUS status;

    if (osspi_messages_read_level(tls->messages, tls->server) == OSSPI_LEVEL_INITIAL) {
        memcpy(record, header, sizeof(header));
        memcpy(record + sizeof(header), bytes, len);
        *ret_len = sizeof(header) + len;
        return SEC_E_OK;
    }
    status = start_sealing(tls);
    if (status == SEC_E_OK)
        status = osspi_bridge_seal(&tls->messages->bridge, OSSPI_TLS_TYPE_HANDSHAKE, bytes, len,
                                   record, ret_len);
    return status;
}

/* *ret_taken stays as it is if the record was looked at. */
static enum osspi_tls_step feed_fragment(struct osspi_tls *tls, const uint8_t *bytes, size_t len,
                                         uint8_t *record, bool *ret_taken)
{
    const uint64_t sequence = tls->messages->bridge.in.sequence;
    size_t record_len;
    const SECURITY_STATUS status = wrap(tls, bytes, len, record, &record_len);
    enum osspi_tls_step step;

    if (status != SEC_E_OK) {
        osspi_tls_fail_with(tls, status, "a handshake message could not be handed over");
        return OSSPI_TLS_FAILED;
    }
    step = osspi_tls_handshake(tls, record, record_len);
    note_suite(tls);
    if (step == OSSPI_TLS_WANT_BLOCKING && !osspi_tls_suspended(tls)) {
        tls->messages->bridge.in.sequence = sequence; /* the same bytes will have it again */
        *ret_taken = false;
    }
    return step;
}

enum osspi_tls_step osspi_tls_feed_message(struct osspi_tls *tls, const uint8_t *message,
                                           size_t len, bool *ret_taken)
{
    const size_t room =
        OSSPI_BRIDGE_OVERHEAD + (len < OSSPI_TLS_MAX_FRAGMENT ? len : OSSPI_TLS_MAX_FRAGMENT);
    uint8_t *record = osspi_alloc(room);
    enum osspi_tls_step step = OSSPI_TLS_WANT_INPUT;

    *ret_taken = true;
    if (record == NULL) {
        osspi_tls_fail_with(tls, SEC_E_INSUFFICIENT_MEMORY, "out of memory");
        return OSSPI_TLS_FAILED;
    }
    while (step == OSSPI_TLS_WANT_INPUT && len > 0) {
        const size_t part = len < OSSPI_TLS_MAX_FRAGMENT ? len : OSSPI_TLS_MAX_FRAGMENT;

        step = feed_fragment(tls, message, part, record, ret_taken);
        message += part;
        len -= part;
    }
    osspi_secret_free(record, room);
    return step;
}
