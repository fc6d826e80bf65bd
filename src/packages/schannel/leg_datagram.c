/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs of a datagram context (DTLS 1.2, RFC 6347). One token is one datagram, both ways:
 *
 *     SEC_I_MESSAGE_FRAGMENT  more datagrams of the same flight wait: send this one and make a leg
 *                             without input. What such a leg is given all the same stays untaken
 *                             (EXTRA is all of it).
 *     SEC_I_CONTINUE_NEEDED   send what there is, if there is anything, and read
 *     no input                the time is up: the last flight again, in new records
 *
 * The caller owns the time: nothing is sent again by itself, except in answer to a peer that sends
 * its own flight again. After MAX_ASKED repetitions of a flight the handshake ends.
 *
 * Anybody can send to a port. What is no record, or no message that has a place, is dropped and the
 * leg answers as if nothing had come, also on an alert that is not under protection: that one is
 * remembered, and if the caller's patience ends, it says why. A message that is damaged and yet
 * well-formed cannot be told from a true one before the Finished; then the handshake fails.
 *
 * A server makes nothing but the context before the client has brought a cookie back
 * (datagram_cookie.c). The first leg wants a ClientHello: SEC_E_INVALID_TOKEN otherwise, no context
 * and no answer. A first leg may also bring the second ClientHello, with its cookie: an application
 * that deletes the context of the first one keeps no state at all.
 *
 * Legs that wait for the blocking lane are entered again with the same datagram, and all of it is
 * fed again: messages that the TLS library has got already are nothing to it.
 */
#include "packages/schannel/leg_datagram.h"

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/record_datagram.h"

#define MAX_ASKED 12u /* times that a caller may have a flight repeated */
#define MAX_AGAIN 12u /* and the peer */

#define FINISHED_LEN 24u /* with its header */

#define TYPE_CCS       20u
#define TYPE_ALERT     21u
#define TYPE_HANDSHAKE 22u
#define TYPE_DATA      23u

static struct osspi_datagram_handshake *handshake_of(const struct osspi_leg_run *run)
{
    return run->sc->handshake->datagram;
}

/* ---- how they end ---- */

static bool waits(const struct osspi_schannel_context *sc)
{
    return sc->record ? osspi_record_datagram_waits(sc->record)
                      : osspi_flight_waits(&sc->handshake->datagram->flight);
}

static void report(struct osspi_leg_run *run, size_t consumed)
{
    if (!osspi_schannel_established(run->sc))
        run->leg->expiry.QuadPart = 0;
    osspi_leg_report(run, consumed);
}

/* Hands out one datagram, if there is one. */
static SECURITY_STATUS give(struct osspi_leg_run *run)
{
    const uint8_t *bytes;
    size_t len;
    SECURITY_STATUS status = osspi_leg_outgoing(run->sc, &bytes, &len);

    if (status == SEC_E_OK)
        status = osspi_leg_output_token(&run->out, bytes, len);
    if (status == SEC_E_OK)
        osspi_leg_sent(run->sc);
    return status;
}

/* Ends a leg of the handshake that will answer status when all has left. */
static SECURITY_STATUS deliver(struct osspi_leg_run *run, SECURITY_STATUS status, size_t consumed)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_held_leg *held = &sc->handshake->held;
    SECURITY_STATUS given = give(run);
    const bool more = given == SEC_E_OK && waits(sc);

    if (given == SEC_E_INSUFFICIENT_MEMORY) {
        *held = (struct osspi_held_leg){true, status, consumed,
                                        osspi_input_checksum(run->in.bytes, consumed), 0};
        return given;
    }
    if (given != SEC_E_OK)
        return osspi_leg_fail(run, given);
    *held = (struct osspi_held_leg){.active = more, .status = status};
    if (!more && status == SEC_E_OK && sc->record)
        osspi_leg_establish(run);
    report(run, consumed);
    return more ? SEC_I_MESSAGE_FRAGMENT : status;
}

/* More of the flight, or what did not fit. Input is taken only if that leg had taken it. */
static SECURITY_STATUS deliver_held(struct osspi_leg_run *run)
{
    const struct osspi_held_leg held = run->sc->handshake->held;
    size_t consumed = 0;

    if (held.consumed > 0 && held.consumed <= run->in.len &&
        osspi_input_checksum(run->in.bytes, held.consumed) == held.checksum)
        consumed = held.consumed;
    return deliver(run, held.status, consumed);
}

static SECURITY_STATUS fail(struct osspi_leg_run *run)
{
    /* Without an alert what waits is our last flight, about to be repeated. */
    if (!handshake_of(run)->fresh)
        osspi_flight_clear(&handshake_of(run)->flight);
    osspi_leg_tell_detail(run->context);
    return osspi_leg_fail(run, osspi_tls_failure(run->sc->tls));
}

/* ---- what the TLS library has made ---- */

static SECURITY_STATUS set_line_key(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = handshake_of(run);
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

/* Its records become our flight. */
static SECURITY_STATUS harvest(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = handshake_of(run);
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

/* ---- the end of the handshake ---- */

static SECURITY_STATUS complete(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = handshake_of(run);
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_tls_facts(sc->tls, &sc->facts);

    if (status == SEC_E_OK && !datagram->line.aead)
        status = SEC_E_INTERNAL_ERROR;
    if (status == SEC_E_OK)
        status = osspi_record_datagram_new(sc->tls, &sc->facts, &sc->mtu, &datagram->line,
                                           &datagram->flight, datagram->fresh, &sc->record);
    if (status == SEC_E_OK)
        sc->tls = NULL;
    /* Who did not send the last flight need not send any again. */
    osspi_flight_clear(&datagram->flight);
    return status;
}

static SECURITY_STATUS finish(struct osspi_leg_run *run, size_t consumed)
{
    SECURITY_STATUS status = complete(run);

    return status == SEC_E_OK ? deliver(run, SEC_E_OK, consumed) : osspi_leg_fail(run, status);
}

/* Nothing has reached the caller: the leg is entered again with the same datagram. */
static SECURITY_STATUS move_to_blocking_lane(struct osspi_leg_run *run)
{
    if (run->leg->lane == OSSPI_LANE_BLOCKING)
        return osspi_leg_fail(run, SEC_E_INTERNAL_ERROR);
    osspi_schannel_lane_note(run->sc, osspi_tls_class(run->sc->tls));
    return OSSPI_WANT_BLOCKING;
}

/* The caller may come back with this datagram, with none, or with another. */
static SECURITY_STATUS ask_for_credentials(struct osspi_leg_run *run)
{
    SECURITY_STATUS status = osspi_leg_output_token(&run->out, NULL, 0);

    if (status != SEC_E_OK)
        return osspi_leg_fail(run, status);
    run->sc->handshake->awaited.active = true;
    report(run, run->in.len);
    return SEC_I_INCOMPLETE_CREDENTIALS;
}

static SECURITY_STATUS after_step(struct osspi_leg_run *run, enum osspi_tls_step step,
                                  size_t consumed)
{
    osspi_leg_tell_news(run->sc);
    switch (step) {
    case OSSPI_TLS_WANT_INPUT:
        return deliver(run, SEC_I_CONTINUE_NEEDED, consumed);
    case OSSPI_TLS_DONE:
        return finish(run, consumed);
    case OSSPI_TLS_WANT_CREDENTIALS:
        return ask_for_credentials(run);
    case OSSPI_TLS_WANT_BLOCKING:
        return move_to_blocking_lane(run);
    default:
        return fail(run);
    }
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
    struct osspi_datagram_handshake *datagram = handshake_of(run);
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
    struct osspi_datagram_handshake *datagram = handshake_of(run);
    uint8_t *rest = at < run->in.len ? osspi_memdup(run->in.bytes + at, run->in.len - at) : NULL;

    osspi_free(datagram->rest);
    datagram->rest = rest;
    datagram->rest_len = rest ? run->in.len - at : 0;
}

/* Feeds a datagram's records; what a step has led to so far. */
static SECURITY_STATUS feed(struct osspi_leg_run *run, enum osspi_tls_step step)
{
    const uint8_t *bytes = run->in.bytes;
    struct osspi_datagram_record record;
    size_t at = 0;
    SECURITY_STATUS status = SEC_E_OK;

    while (step == OSSPI_TLS_WANT_INPUT && at < run->in.len &&
           osspi_datagram_record(bytes + at, run->in.len - at, &record)) {
        at += record.len;
        if (!is_for_library(run, &record))
            continue;
        step = osspi_tls_handshake(run->sc->tls, record.bytes, record.len);
        status = harvest(run);
        if (status != SEC_E_OK)
            return osspi_leg_fail(run, status);
    }
    if (step == OSSPI_TLS_WANT_CREDENTIALS)
        keep_rest(run, at);
    /* What stands behind the end of the handshake is the application's. */
    return after_step(run, step, step == OSSPI_TLS_DONE ? at : run->in.len);
}

/* Goes on where the handshake stands, and then with the datagram. */
static SECURITY_STATUS go_on(struct osspi_leg_run *run)
{
    const struct osspi_datagram_handshake *datagram = handshake_of(run);
    enum osspi_tls_step step = osspi_tls_handshake(run->sc->tls, NULL, 0);
    SECURITY_STATUS status = harvest(run);

    if (run->in.len == 0 && datagram->rest) {
        run->in.bytes = datagram->rest; /* freed with the handshake, or by the next wish */
        run->in.len = datagram->rest_len;
    }
    return status == SEC_E_OK ? feed(run, step) : osspi_leg_fail(run, status);
}

/* ---- legs of the handshake ---- */

/* The caller's time is up. */
static SECURITY_STATUS repeat(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = handshake_of(run);
    char words[OSSPI_DETAIL_SIZE] = "the peer does not answer";
    SECURITY_STATUS status = HRESULT_FROM_WIN32(ERROR_TIMEOUT);

    if (datagram->flight.len > 0 && datagram->asked++ >= MAX_ASKED) {
        if (datagram->alert != 0)
            status = osspi_tls_alert_received(datagram->alert, words, sizeof(words));
        osspi_context_detail(run->context, "%s", words);
        osspi_flight_clear(&datagram->flight);
        return osspi_leg_fail(run, status);
    }
    osspi_flight_rewind(&datagram->flight);
    return deliver(run, SEC_I_CONTINUE_NEEDED, 0);
}

/* A close, or another alert, before there is a connection. */
static SECURITY_STATUS alert_early(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = handshake_of(run);
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_flight_alert(&datagram->flight, datagram->line.aead != NULL,
                                                sc->alert.level, sc->alert.description);

    sc->alert.wanted = status == SEC_E_INSUFFICIENT_MEMORY; /* the next leg makes it then */
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    datagram->answers = false;
    sc->handshake->shut = sc->handshake->shut || sc->alert.level == TLS1_ALERT_FATAL ||
                          sc->alert.description == TLS1_ALERT_CLOSE_NOTIFY;
    return deliver(run, SEC_E_OK, 0);
}

static SECURITY_STATUS go_on_with_credentials(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status =
        osspi_tls_supply(sc->tls, run->leg->credential ? run->leg->credential->data : NULL,
                         osspi_leg_allows_default(run->leg));

    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    sc->handshake->awaited.active = false;
    return go_on(run);
}

/* ---- a server's first datagrams ---- */

static SECURITY_STATUS ask_for_cookie(struct osspi_leg_run *run,
                                      const struct osspi_datagram_hello *hello)
{
    const struct osspi_datagram_handshake *datagram = handshake_of(run);
    uint8_t request[OSSPI_DTLS_VERIFY_SIZE];
    SECURITY_STATUS status = osspi_cookie_request(
        hello, (struct osspi_hmac_bytes){datagram->address, datagram->address_len}, request);

    if (status == SEC_E_OK)
        status = osspi_leg_output_token(&run->out, request, sizeof(request));
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    report(run, run->in.len);
    return SEC_I_CONTINUE_NEEDED;
}

/* Nothing has happened; the first of all makes no context. */
static SECURITY_STATUS discard_hello(struct osspi_leg_run *run)
{
    if (!run->leg->first)
        return deliver(run, SEC_I_CONTINUE_NEEDED, run->in.len);
    osspi_context_detail(run->context, "the first datagram is no ClientHello");
    return osspi_leg_refuse(run, SEC_E_INVALID_TOKEN);
}

/* The client is where it says it is. */
static SECURITY_STATUS start_server(struct osspi_leg_run *run,
                                    const struct osspi_datagram_record *record,
                                    const struct osspi_datagram_hello *hello)
{
    struct osspi_datagram_handshake *datagram = handshake_of(run);
    SECURITY_STATUS status;
    enum osspi_tls_step step;
    bool heard;

    if (!run->in.alpn) {
        run->in.alpn = datagram->alpn;
        run->in.alpn_len = datagram->alpn_len;
    }
    /* A certificate that was asked for is asked for, whatever this leg says. */
    run->leg->flags |= datagram->flags & ASC_REQ_MUTUAL_AUTH;
    status = osspi_leg_start(run);
    if (status == OSSPI_WANT_BLOCKING)
        return status;
    if (status != SEC_E_OK)
        return run->leg->first ? osspi_leg_refuse(run, status) : osspi_leg_fail(run, status);
    datagram->line.open = hello->number;
    datagram->has_heard = true;
    datagram->heard = hello->sequence;
    datagram->heard_record = record->number;
    osspi_tls_lane(run->sc->tls, run->leg->lane);
    step = osspi_tls_listen(run->sc->tls, record->bytes, record->len, &heard);
    if (!heard) {
        osspi_tls_free(OSSPI_TAKE(run->sc->tls));
        return discard_hello(run);
    }
    status = harvest(run);
    if (status != SEC_E_OK)
        return osspi_leg_fail(run, status);
    return after_step(run, step, run->in.len);
}

static SECURITY_STATUS greet(struct osspi_leg_run *run)
{
    const struct osspi_datagram_handshake *datagram = handshake_of(run);
    struct osspi_datagram_record record;
    struct osspi_datagram_hello hello;
    SECURITY_STATUS status;

    if (!osspi_datagram_record(run->in.bytes, run->in.len, &record) ||
        !osspi_datagram_hello(&record, &hello) || hello.number > OSSPI_DTLS_MAX_NUMBER / 2)
        return discard_hello(run);
    status = osspi_cookie_check(
        &hello, (struct osspi_hmac_bytes){datagram->address, datagram->address_len});
    if (status == SEC_E_INVALID_TOKEN)
        return ask_for_cookie(run, &hello);
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    if (hello.sequence != 1)
        return discard_hello(run);
    return start_server(run, &record, &hello);
}

/* ---- legs of an established context ---- */

/* One handshake record, on a copy: the caller may hand it to DecryptMessage as well. */
static SECURITY_STATUS take_message(struct osspi_leg_run *run,
                                    const struct osspi_datagram_record *record)
{
    uint8_t *copy = osspi_memdup(record->bytes, record->len);
    SECURITY_STATUS status = SEC_E_INSUFFICIENT_MEMORY;
    uint8_t *plain;
    size_t plain_len;
    bool dropped;

    if (copy && osspi_record_datagram_open(run->sc->record, copy, record->len, &plain, &plain_len,
                                           &dropped, &status) != OSSPI_RECORD_RETRY)
        status = SEC_E_OK;
    osspi_secret_free(copy, record->len);
    return status;
}

/* Takes records up to the first that is DecryptMessage's. */
static SECURITY_STATUS take_records(struct osspi_leg_run *run, size_t *ret_consumed)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_datagram_record record;
    size_t at = 0;

    while (osspi_datagram_record(run->in.bytes + at, run->in.len - at, &record)) {
        SECURITY_STATUS status = SEC_E_OK;

        *ret_consumed = at;
        if (osspi_absorbed_matches(&sc->absorbed, record.bytes, record.len)) {
            sc->absorbed.len = 0;
        } else if (record.epoch == 1) {
            if (record.type != TYPE_HANDSHAKE)
                return SEC_E_OK;
            status = take_message(run, &record);
        }
        if (status != SEC_E_OK)
            return status;
        at += record.len;
    }
    *ret_consumed = run->in.len; /* and the rest is dropped */
    return SEC_E_OK;
}

static SECURITY_STATUS established(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = SEC_E_OK;
    size_t consumed = 0;

    if (run->in.len > 0) {
        status = take_records(run, &consumed);
    } else if (sc->alert.wanted) {
        status = sc->record->class->alert(sc->record, sc->alert.level, sc->alert.description);
        sc->alert.wanted = status == SEC_E_INSUFFICIENT_MEMORY; /* the next leg makes it then */
        sc->closing = sc->closing || sc->alert.level == TLS1_ALERT_FATAL ||
                      sc->alert.description == TLS1_ALERT_CLOSE_NOTIFY;
    }
    if (status == SEC_E_OK)
        status = give(run);
    if (status == SEC_E_ENCRYPT_FAILURE)
        return osspi_leg_fail(run, status);
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    osspi_leg_report(run, consumed);
    return waits(sc) ? SEC_I_MESSAGE_FRAGMENT : SEC_E_OK;
}

/* ---- entry ---- */

SECURITY_STATUS osspi_leg_datagram(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_datagram_take_buffers(run);

    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    if (osspi_schannel_established(sc))
        return established(run);
    if (sc->tls)
        osspi_tls_lane(sc->tls, run->leg->lane);
    osspi_schannel_lane_note(sc, NULL);
    if (sc->handshake->held.active)
        return deliver_held(run);
    if (run->in.len == 0 && sc->alert.wanted)
        return alert_early(run);
    if (sc->handshake->shut)
        return run->in.len == 0 ? deliver(run, SEC_E_OK, 0)
                                : osspi_leg_refuse(run, SEC_E_CONTEXT_EXPIRED);
    if (!sc->tls)
        return run->in.len > 0 || run->leg->first ? greet(run)
                                                  : deliver(run, SEC_I_CONTINUE_NEEDED, 0);
    if (sc->handshake->awaited.active)
        return go_on_with_credentials(run);
    if (osspi_tls_suspended(sc->tls) || (run->leg->first && !sc->server))
        return go_on(run);
    return run->in.len == 0 ? repeat(run) : feed(run, OSSPI_TLS_WANT_INPUT);
}

/* May the credential of a first leg be used like this? */
static SECURITY_STATUS check_credential(const struct osspi_leg_run *run)
{
    const struct osspi_schannel_credential *credential =
        run->leg->credential ? run->leg->credential->data : NULL;

    if (!credential || !credential->config || credential->config->server != run->sc->server)
        return SEC_E_NO_CREDENTIALS;
    /* Preshared keys are for streams: their buffers are refused here. */
    return credential->config->datagram_suites != 0 &&
                   !(credential->config->flags & SCH_USE_PRESHAREDKEY_ONLY)
               ? SEC_E_OK
               : SEC_E_ALGORITHM_MISMATCH;
}

SECURITY_STATUS osspi_leg_datagram_first(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = check_credential(run);

    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    if (!sc->handshake->datagram) {
        sc->handshake->datagram = osspi_alloc(sizeof(*sc->handshake->datagram));
        atomic_store(&sc->mtu, OSSPI_MTU_DEFAULT);
    }
    if (!sc->handshake->datagram)
        return osspi_leg_refuse(run, SEC_E_INSUFFICIENT_MEMORY);
    sc->handshake->datagram->flags = run->leg->flags;
    if (sc->server)
        return osspi_leg_datagram(run);
    if (run->in.len > 0) /* there is no peer yet that could have spoken */
        return osspi_leg_refuse(run, SEC_E_INVALID_TOKEN);
    status = osspi_datagram_take_buffers(run);
    if (status == SEC_E_OK)
        status = osspi_leg_start(run);
    if (status == OSSPI_WANT_BLOCKING)
        return status;
    return status == SEC_E_OK ? osspi_leg_datagram(run) : osspi_leg_refuse(run, status);
}
