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
 * Legs that wait for the blocking lane are entered again with the same datagram, and all of it is
 * fed again: messages that the TLS library has got already are nothing to it.
 *
 * The other parts: leg_datagram_first.c (first legs, cookies), leg_datagram_feed.c (records to and
 * from the TLS library), leg_datagram_input.c (buffers).
 */
#include "packages/schannel/leg_datagram.h"

#include "base/memory.h"
#include "packages/schannel/record_datagram.h"

#define MAX_ASKED 12u /* times that a caller may have a flight repeated */

#define TYPE_HANDSHAKE 22u

/* ---- how they end ---- */

static bool waits(const struct osspi_schannel_context *sc)
{
    return sc->record ? osspi_record_datagram_waits(sc->record)
                      : osspi_flight_waits(&sc->handshake->datagram->flight);
}

void osspi_datagram_report(struct osspi_leg_run *run, size_t consumed)
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
SECURITY_STATUS osspi_datagram_deliver(struct osspi_leg_run *run, SECURITY_STATUS status,
                                       size_t consumed)
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
    osspi_datagram_report(run, consumed);
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
    return osspi_datagram_deliver(run, held.status, consumed);
}

static SECURITY_STATUS fail(struct osspi_leg_run *run)
{
    /* Without an alert what waits is our last flight, about to be repeated. */
    if (!osspi_datagram_of(run)->fresh)
        osspi_flight_clear(&osspi_datagram_of(run)->flight);
    osspi_leg_tell_detail(run->context);
    return osspi_leg_fail(run, osspi_tls_failure(run->sc->tls));
}

/* ---- the end of the handshake ---- */

static SECURITY_STATUS complete(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
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

    return status == SEC_E_OK ? osspi_datagram_deliver(run, SEC_E_OK, consumed)
                              : osspi_leg_fail(run, status);
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
    osspi_datagram_report(run, run->in.len);
    return SEC_I_INCOMPLETE_CREDENTIALS;
}

SECURITY_STATUS osspi_datagram_after_step(struct osspi_leg_run *run, enum osspi_tls_step step,
                                          size_t consumed)
{
    osspi_leg_tell_news(run->sc);
    switch (step) {
    case OSSPI_TLS_WANT_INPUT:
        return osspi_datagram_deliver(run, SEC_I_CONTINUE_NEEDED, consumed);
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

/* ---- legs of the handshake ---- */

/* Feeds a datagram's records; what a step has led to so far. */
static SECURITY_STATUS feed(struct osspi_leg_run *run, enum osspi_tls_step step)
{
    size_t consumed;
    SECURITY_STATUS status = osspi_datagram_feed(run, &step, &consumed);

    return status == SEC_E_OK ? osspi_datagram_after_step(run, step, consumed)
                              : osspi_leg_fail(run, status);
}

/* Goes on where the handshake stands, and then with the datagram. */
static SECURITY_STATUS go_on(struct osspi_leg_run *run)
{
    const struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
    enum osspi_tls_step step = osspi_tls_handshake(run->sc->tls, NULL, 0);
    SECURITY_STATUS status = osspi_datagram_harvest(run);

    if (run->in.len == 0 && datagram->rest) {
        run->in.bytes = datagram->rest; /* freed with the handshake, or by the next wish */
        run->in.len = datagram->rest_len;
    }
    return status == SEC_E_OK ? feed(run, step) : osspi_leg_fail(run, status);
}

/* The caller's time is up. */
static SECURITY_STATUS repeat(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
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
    return osspi_datagram_deliver(run, SEC_I_CONTINUE_NEEDED, 0);
}

/* A close, or another alert, before there is a connection. */
static SECURITY_STATUS alert_early(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
    struct osspi_schannel_context *sc = run->sc;
    const bool sealed = datagram->line.aead != NULL;
    const bool closes =
        sc->alert.level == TLS1_ALERT_FATAL || sc->alert.description == TLS1_ALERT_CLOSE_NOTIFY;
    /* A warning takes nothing away: the flight may have to be sent again. */
    SECURITY_STATUS status =
        closes
            ? osspi_flight_alert(&datagram->flight, sealed, sc->alert.level, sc->alert.description)
            : osspi_flight_warn(&datagram->flight, sealed, sc->alert.description);

    sc->alert.wanted = status == SEC_E_INSUFFICIENT_MEMORY; /* the next leg makes it then */
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    if (closes) {
        datagram->answers = false;
        sc->handshake->shut = true;
    }
    return osspi_datagram_deliver(run, SEC_E_OK, 0);
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
        return run->in.len == 0 ? osspi_datagram_deliver(run, SEC_E_OK, 0)
                                : osspi_leg_refuse(run, SEC_E_CONTEXT_EXPIRED);
    if (!sc->tls)
        return run->in.len > 0 || run->leg->first
                   ? osspi_datagram_greet(run)
                   : osspi_datagram_deliver(run, SEC_I_CONTINUE_NEEDED, 0);
    if (sc->handshake->awaited.active)
        return go_on_with_credentials(run);
    if (osspi_tls_suspended(sc->tls) || (run->leg->first && !sc->server))
        return go_on(run);
    return run->in.len == 0 ? repeat(run) : feed(run, OSSPI_TLS_WANT_INPUT);
}
