/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs of a datagram context, between a datagram's records and the TLS library (RFC 6347, 4.1.2.7
 * and 4.2.4): which of them it gets to see, and what becomes of those that it makes. Everything
 * here is straight from the wire, and anybody may have sent it. Both sides are held.
 */
#include "base/memory.h"
#include "packages/schannel/leg_datagram.h"

#define MAX_AGAIN 12u /* times that the peer may have a flight repeated */

#define FINISHED_LEN 24u /* with its header */

#define TYPE_CCS       20u
#define TYPE_ALERT     21u
#define TYPE_HANDSHAKE 22u

/* ---- what the TLS library has made ---- */

static SECURITY_STATUS set_line_key(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
    struct osspi_datagram_key client, server;
    struct osspi_datagram_keys keys;
    SECURITY_STATUS status = osspi_tls_datagram_keys(run->sc->tls, &keys);

    if (status != SEC_E_OK)
        return status;
    osspi_datagram_key_block(&keys, &client, &server);
    status = osspi_line_set_key(&datagram->line, &keys, run->sc->server ? &server : &client);
    osspi_secure_zero(&keys, sizeof(keys));
    osspi_secure_zero(&client, sizeof(client));
    osspi_secure_zero(&server, sizeof(server));
    return status;
}

static bool has_sealed(const uint8_t *bytes, size_t len)
{
    struct osspi_datagram_record record;

    for (size_t at = 0; osspi_datagram_record(bytes + at, len - at, &record); at += record.len) {
        if (record.epoch > 0)
            return true;
    }
    return false;
}

SECURITY_STATUS osspi_datagram_harvest(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
    SECURITY_STATUS status = SEC_E_OK;
    const uint8_t *bytes;
    size_t len;

    osspi_tls_flight(run->sc->tls, &bytes, &len);
    datagram->fresh = len > 0;
    if (len == 0)
        return SEC_E_OK;
    if (!datagram->line.aead && has_sealed(bytes, len))
        status = set_line_key(run);
    if (status == SEC_E_OK)
        status = osspi_flight_take(&datagram->flight, &datagram->line, bytes, len);
    if (status != SEC_E_OK)
        osspi_flight_clear(&datagram->flight);
    osspi_tls_flight_sent(run->sc->tls);
    datagram->answers = datagram->has_heard;
    datagram->answered = datagram->heard;
    datagram->answered_record = datagram->heard_record;
    datagram->again = datagram->asked = 0;
    return status;
}

/* ---- records ---- */

/* Is a message of this type what a peer of ours sends unsealed? */
static bool is_expected(const struct osspi_schannel_context *sc, uint8_t type)
{
    switch (type) {
    case 1:  /* ClientHello */
    case 15: /* CertificateVerify */
    case 16: /* ClientKeyExchange */
        return sc->server;
    case 2:  /* ServerHello */
    case 3:  /* HelloVerifyRequest */
    case 4:  /* NewSessionTicket */
    case 12: /* ServerKeyExchange */
    case 13: /* CertificateRequest */
    case 14: /* ServerHelloDone */
    case 22: /* CertificateStatus */
        return !sc->server;
    case 11: /* Certificate */
        return true;
    default:
        return false;
    }
}

/* The peer's last flight again, in a new record: it has not got ours. */
static bool is_repeated(struct osspi_datagram_handshake *datagram,
                        const struct osspi_datagram_record *record,
                        const struct osspi_datagram_message *message)
{
    if (!datagram->answers || message->sequence != datagram->answered ||
        message->to != message->len)
        return false;
    if (record->number == datagram->answered_record || datagram->again >= MAX_AGAIN)
        return true;
    datagram->answered_record = record->number;
    datagram->again++;
    osspi_flight_rewind(&datagram->flight);
    return true;
}

/* May a sealed record be what it says, by its length? OpenSSL 3.0 gives up at one that has no room
 * for nonce and tag. As long as the suite is not known an alert needs room for both. */
static bool is_long_enough(const struct osspi_datagram_handshake *datagram,
                           const struct osspi_datagram_record *record)
{
    const bool explicit = !datagram->line.aead || osspi_datagram_explicit(datagram->line.kind);
    const size_t around = (explicit ? OSSPI_DTLS_EXPLICIT : 0) + OSSPI_AEAD_TAG;

    if (record->type == TYPE_HANDSHAKE)
        return record->body_len >= OSSPI_AEAD_TAG + FINISHED_LEN;
    return record->type == TYPE_ALERT && record->body_len >= around + 2;
}

/* Shall the TLS library see it? */
static bool is_for_library(struct osspi_leg_run *run, const struct osspi_datagram_record *record)
{
    struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
    struct osspi_datagram_message message;

    /* What belongs here is shorter. OpenSSL ends the handshake at a longer record, or takes what
     * does not fit into its buffer for another one. */
    if (record->body_len > OSSPI_DTLS_MAX_FRAGMENT)
        return false;
    if (record->epoch == 1)
        return is_long_enough(datagram, record);
    if (record->epoch != 0)
        return false;
    switch (record->type) {
    case TYPE_CCS:
        return record->body_len == 1 && record->body[0] == 1;
    case TYPE_ALERT:
        if (record->body_len == 2 && record->body[0] == TLS1_ALERT_FATAL)
            datagram->alert = record->body[1];
        return false;
    case TYPE_HANDSHAKE:
        if (!osspi_datagram_message(record, &message) || !is_expected(run->sc, message.type) ||
            is_repeated(datagram, record, &message))
            return false;
        if (message.sequence >= datagram->heard && message.to == message.len) {
            datagram->has_heard = true;
            datagram->heard = message.sequence;
            datagram->heard_record = record->number;
        }
        return true;
    default:
        return false;
    }
}

/* Where there is no memory the peer's next repetition brings it. */
static void keep_rest(struct osspi_leg_run *run, size_t at)
{
    struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
    uint8_t *rest = at < run->in.len ? osspi_memdup(run->in.bytes + at, run->in.len - at) : NULL;

    osspi_free(datagram->rest);
    datagram->rest = rest;
    datagram->rest_len = rest ? run->in.len - at : 0;
}

SECURITY_STATUS osspi_datagram_feed(struct osspi_leg_run *run, enum osspi_tls_step *step,
                                    size_t *ret_consumed)
{
    const uint8_t *bytes = run->in.bytes;
    struct osspi_datagram_record record;
    size_t at = 0;
    SECURITY_STATUS status = SEC_E_OK;

    while (*step == OSSPI_TLS_WANT_INPUT && at < run->in.len &&
           osspi_datagram_record(bytes + at, run->in.len - at, &record)) {
        at += record.len;
        if (!is_for_library(run, &record))
            continue;
        *step = osspi_tls_handshake(run->sc->tls, record.bytes, record.len);
        status = osspi_datagram_harvest(run);
        if (status != SEC_E_OK)
            return status;
    }
    if (*step == OSSPI_TLS_WANT_CREDENTIALS)
        keep_rest(run, at);
    /* What stands behind the end of the handshake is the application's. */
    *ret_consumed = *step == OSSPI_TLS_DONE ? at : run->in.len;
    return SEC_E_OK;
}
