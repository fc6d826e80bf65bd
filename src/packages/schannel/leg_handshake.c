/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs of the handshake: records go to the TLS library one at a time. What has to wait is told in
 * the head of leg.c.
 *
 * A client that is asked for a certificate and has none: the TLS library stands still inside the
 * CertificateRequest, in the middle of the server's flight, and the leg answers
 * SEC_I_INCOMPLETE_CREDENTIALS. Callers come back with the same bytes, with none, or with what was
 * EXTRA, and believe the flight to be taken; so whole records behind the request are kept here
 * (sc->handshake->backlog) and fed first when the handshake goes on.
 */
#include "base/memory.h"
#include "packages/schannel/later.h"
#include "packages/schannel/early.h"
#include "packages/schannel/leg.h"
#include "packages/schannel/tls_extension.h"

/* More than a server's flight can be: its certificates alone are limited to 100 KiB. */
#define BACKLOG_MAX 131072u

SECURITY_STATUS osspi_leg_deliver_held(struct osspi_leg_run *run)
{
    const struct osspi_held_leg held = run->sc->handshake->held;
    size_t consumed = run->in.len > 0 ? held.consumed : 0;
    SECURITY_STATUS status;

    if (consumed > run->in.len)
        return osspi_leg_refuse(run, SEC_E_INVALID_TOKEN);
    if (consumed > 0) {
        const uint64_t sum = osspi_input_checksum(run->in.bytes, consumed);

        if (sum != held.checksum && (held.painted == 0 || sum != held.painted))
            return osspi_leg_refuse(run, SEC_E_INVALID_TOKEN);
    }
    if (consumed == 0 && held.consumed == 0 && run->in.len > 0)
        return osspi_leg_refuse(run, SEC_E_INVALID_TOKEN);
    status = osspi_leg_deliver(run, held.status, consumed);
    if (consumed > 0 && status == held.status) /* with the record that DecryptMessage told of */
        run->sc->absorbed.len = 0;
    return status;
}

/* ---- what a client is asked for ---- */

void osspi_leg_tell_news(struct osspi_schannel_context *sc)
{
    struct osspi_ders *issuers = NULL;
    struct osspi_tls_check check;
    struct osspi_tls *tls = sc->tls ? sc->tls : osspi_later_tls(sc->record);
    bool asked = osspi_tls_take_issuers(tls, &issuers);

    osspi_tls_get_check(tls, &check);
    if (!asked && !check.known)
        return;
    OSSPI_LOCKED(&sc->news.lock);
    if (check.known)
        sc->news.check = check;
    if (asked) {
        osspi_ders_unref(sc->news.issuers); /* of an earlier handshake */
        sc->news.issuers = issuers;
    }
}

/* The whole records at the start of bytes, as far as they are kept. What is no record is left for
 * the next leg to judge. */
static size_t whole_records(const uint8_t *bytes, size_t len)
{
    size_t whole = 0, record;

    while (whole < len && whole < BACKLOG_MAX &&
           osspi_header_judge(bytes + whole, len - whole, OSSPI_PLACE_HANDSHAKE, &record) ==
               OSSPI_HEADER_GOOD)
        whole += record;
    return whole;
}

static SECURITY_STATUS keep(struct osspi_backlog *backlog, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return SEC_E_OK;
    backlog->bytes = osspi_memdup(bytes, len);
    if (!backlog->bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    backlog->len = len;
    return SEC_E_OK;
}

static SECURITY_STATUS ask_for_credentials(struct osspi_leg_run *run, size_t taken)
{
    struct osspi_schannel_context *sc = run->sc;
    size_t kept = whole_records(run->in.bytes + taken, run->in.len - taken);
    SECURITY_STATUS status = keep(&sc->handshake->backlog, run->in.bytes + taken, kept);

    taken += kept;
    if (status == SEC_E_OK)
        status = osspi_replay_set(&sc->handshake->awaited.taken, run->in.bytes, taken);
    if (status == SEC_E_OK)
        status = osspi_replay_set(&sc->handshake->awaited.rest, run->in.bytes + taken,
                                  run->in.len - taken);
    if (status == SEC_E_OK)
        status = osspi_leg_output_token(&run->out, NULL, 0);
    if (status != SEC_E_OK)
        return osspi_leg_fail(run, status);
    sc->handshake->awaited.active = true;
    osspi_leg_report(run, taken);
    return SEC_I_INCOMPLETE_CREDENTIALS;
}

/* ---- steps ---- */

SECURITY_STATUS osspi_leg_complete(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_tls_facts(sc->tls, &sc->facts);

    osspi_tls_watch_extensions(sc->tls, NULL);
    if (status != SEC_E_OK)
        return status;
    if (!osspi_suite_find(sc->facts.cipher_suite))
        return SEC_E_INTERNAL_ERROR;
    status = osspi_record_new(sc->tls, &sc->facts, &sc->record);
    if (status != SEC_E_OK)
        return status;
    sc->tls = NULL;
    return SEC_E_OK;
}

/* The handshake is over before the backlog is: those bytes are the application's. They can be given
 * back only if this leg has brought them again. */
static SECURITY_STATUS give_back(struct osspi_leg_run *run, size_t *consumed)
{
    struct osspi_backlog *backlog = &run->sc->handshake->backlog;
    size_t left = backlog->len - backlog->at;

    if (left == 0)
        return SEC_E_OK;
    if (!backlog->in_input) {
        osspi_context_detail(run->context, "the server sent data before it had an answer to its "
                                           "request for a certificate, and they were not kept");
        return SEC_E_ILLEGAL_MESSAGE;
    }
    *consumed -= left;
    backlog->at = backlog->len;
    return SEC_E_OK;
}

static SECURITY_STATUS finish(struct osspi_leg_run *run, size_t consumed)
{
    SECURITY_STATUS status = give_back(run, &consumed);

    if (status == SEC_E_OK)
        status = osspi_leg_complete(run);
    if (status == SEC_E_OK)
        return osspi_leg_deliver(run, SEC_E_OK, consumed);
    /* What waits is no alert but our Finished: the peer would believe that all is well. */
    osspi_tls_flight_sent(run->sc->tls);
    return osspi_leg_fail(run, status);
}

/* Nothing has reached the caller: the leg is entered again with the same arguments, on the other
 * lane, and goes on behind what the TLS library has taken. */
static SECURITY_STATUS move_to_blocking_lane(struct osspi_leg_run *run, size_t taken)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status;

    if (run->leg->lane == OSSPI_LANE_BLOCKING)
        return osspi_leg_fail(run, SEC_E_INTERNAL_ERROR);
    status = osspi_replay_set(&sc->handshake->paused.taken, run->in.bytes, taken);
    if (status != SEC_E_OK)
        return osspi_leg_fail(run, status);
    sc->handshake->paused.active = true;
    osspi_schannel_lane_note(sc, osspi_tls_class(sc->tls));
    return OSSPI_WANT_BLOCKING;
}

static SECURITY_STATUS after_step(struct osspi_leg_run *run, enum osspi_tls_step step,
                                  size_t consumed)
{
    osspi_leg_tell_news(run->sc);
    if (osspi_early_tell(run->sc) != SEC_E_OK) { /* what a server has accepted must not be lost */
        osspi_tls_flight_sent(run->sc->tls);
        return osspi_leg_fail(run, SEC_E_INSUFFICIENT_MEMORY);
    }
    switch (step) {
    case OSSPI_TLS_WANT_INPUT:
        return osspi_leg_deliver(run, SEC_I_CONTINUE_NEEDED, consumed);
    case OSSPI_TLS_DONE:
        return finish(run, consumed);
    case OSSPI_TLS_WANT_CREDENTIALS:
        return ask_for_credentials(run, consumed);
    case OSSPI_TLS_WANT_BLOCKING:
        return move_to_blocking_lane(run, consumed);
    default:
        osspi_leg_tell_detail(run->context);
        return osspi_leg_fail(run, osspi_tls_failure(run->sc->tls));
    }
}

/* ---- records ---- */

/* On the first bytes it is "no TLS at all", later a peer that breaks the protocol. */
static SECURITY_STATUS header_status(const struct osspi_schannel_context *sc)
{
    return sc->handshake->heard ? SEC_E_ILLEGAL_MESSAGE : SEC_E_INVALID_TOKEN;
}

static SECURITY_STATUS fail_header(struct osspi_leg_run *run, enum osspi_header_verdict verdict)
{
    osspi_context_detail(run->context, "the peer's record has a header that TLS does not allow");
    /* Where keys are in use already it may be impossible; then the peer just sees the end. */
    (void)osspi_tls_alert(run->sc->tls, TLS1_ALERT_FATAL, osspi_header_alert(verdict));
    return osspi_leg_fail(run, header_status(run->sc));
}

/* One record; *used grows by it unless it was not even looked at. */
static enum osspi_tls_step feed_record(struct osspi_schannel_context *sc, const uint8_t *record,
                                       size_t len, size_t *used)
{
    enum osspi_tls_step step = osspi_tls_handshake(sc->tls, record, len);

    if (step == OSSPI_TLS_WANT_BLOCKING && !osspi_tls_suspended(sc->tls))
        return step;
    sc->handshake->heard = true;
    *used += len;
    return step;
}

static enum osspi_tls_step feed_backlog(struct osspi_schannel_context *sc, enum osspi_tls_step step)
{
    struct osspi_backlog *backlog = &sc->handshake->backlog;
    size_t len;

    while (step == OSSPI_TLS_WANT_INPUT && backlog->at < backlog->len &&
           osspi_header_judge(backlog->bytes + backlog->at, backlog->len - backlog->at,
                              OSSPI_PLACE_HANDSHAKE, &len) == OSSPI_HEADER_GOOD)
        step = feed_record(sc, backlog->bytes + backlog->at, len, &backlog->at);
    if (backlog->at == backlog->len)
        osspi_free(OSSPI_TAKE(backlog->bytes));
    return step;
}

/* Feeds whole records, one at a time, until the handshake is done or the input used up. The first
 * `used` bytes are taken already, and led to this step; fresh: nothing has happened yet. */
static SECURITY_STATUS feed(struct osspi_leg_run *run, enum osspi_tls_step step, size_t used,
                            bool fresh)
{
    struct osspi_schannel_context *sc = run->sc;

    step = feed_backlog(sc, step);
    while (step == OSSPI_TLS_WANT_INPUT && used < run->in.len) {
        enum osspi_header_place place =
            sc->handshake->heard ? OSSPI_PLACE_HANDSHAKE : OSSPI_PLACE_FIRST;
        size_t len;
        enum osspi_header_verdict verdict =
            osspi_header_judge(run->in.bytes + used, run->in.len - used, place, &len);

        if (verdict == OSSPI_HEADER_SHORT && used == 0 && fresh)
            return osspi_leg_incomplete(run, len);
        if (verdict == OSSPI_HEADER_SHORT)
            break;
        if (verdict != OSSPI_HEADER_GOOD)
            return fail_header(run, verdict);
        step = feed_record(sc, run->in.bytes + used, len, &used);
    }
    return after_step(run, step, used);
}

/* ---- legs that come back ---- */

/* A leg that stood still comes back: by the engine with the same input; or, where its call was
 * cancelled while it waited for a thread, by its caller, with the same input, or more. */
static SECURITY_STATUS resume(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    bool suspended = osspi_tls_suspended(sc->tls);
    SECURITY_STATUS status =
        osspi_replay_check(&sc->handshake->paused.taken, run->in.bytes, run->in.len);

    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    if (!suspended && run->in.len == 0)
        return osspi_leg_incomplete(run, OSSPI_TLS_HEADER);
    sc->handshake->paused.active = false;
    osspi_schannel_lane_note(sc, NULL);
    return feed(run, suspended ? osspi_tls_handshake(sc->tls, NULL, 0) : OSSPI_TLS_WANT_INPUT,
                sc->handshake->paused.taken.len, false);
}

/* How much of the input is taken already. SEC_E_INVALID_TOKEN: it is not what was expected. */
static SECURITY_STATUS skip_taken(struct osspi_schannel_context *sc,
                                  const struct osspi_leg_input *in, size_t *ret_taken)
{
    SECURITY_STATUS status;

    *ret_taken = 0;
    sc->handshake->backlog.in_input = false;
    if (in->len == 0)
        return SEC_E_OK;
    status = osspi_replay_check(&sc->handshake->awaited.taken, in->bytes, in->len);
    if (status == SEC_E_OK) {
        sc->handshake->backlog.in_input = true;
        *ret_taken = sc->handshake->awaited.taken.len;
    } else if (status == SEC_E_INVALID_TOKEN && sc->handshake->awaited.rest.len > 0) {
        status = osspi_replay_check(&sc->handshake->awaited.rest, in->bytes, in->len);
    }
    return status;
}

/* The caller has been told that a certificate is wanted, and is back. */
static SECURITY_STATUS go_on_with_credentials(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status;
    size_t taken;

    status = skip_taken(sc, &run->in, &taken);
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    status = osspi_tls_supply(sc->tls, run->leg->credential ? run->leg->credential->data : NULL,
                              osspi_leg_allows_default(run->leg));
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    sc->handshake->awaited.active = false;
    return feed(run, osspi_tls_handshake(sc->tls, NULL, 0), taken, false);
}

/* A close, or another alert, before there is a connection. */
static SECURITY_STATUS alert_early(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_tls_alert(sc->tls, sc->alert.level, sc->alert.description);

    sc->alert.wanted = status == SEC_E_INSUFFICIENT_MEMORY; /* the next leg makes it then */
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    sc->handshake->shut = sc->handshake->shut || sc->alert.level == TLS1_ALERT_FATAL ||
                          sc->alert.description == TLS1_ALERT_CLOSE_NOTIFY;
    return osspi_leg_deliver(run, SEC_E_OK, 0);
}

/* A client's first leg. */
static SECURITY_STATUS greet(struct osspi_leg_run *run)
{
    SECURITY_STATUS status = osspi_early_send(run);

    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    return after_step(run, osspi_tls_handshake(run->sc->tls, NULL, 0), 0);
}

SECURITY_STATUS osspi_leg_handshake(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;

    if (sc->tls)
        osspi_tls_lane(sc->tls, run->leg->lane);
    if (sc->handshake->held.active)
        return osspi_leg_deliver_held(run);
    if (run->in.len == 0 && sc->alert.wanted)
        return alert_early(run);
    if (sc->handshake->shut)
        return run->in.len == 0 ? osspi_leg_incomplete(run, OSSPI_TLS_HEADER)
                                : osspi_leg_refuse(run, SEC_E_CONTEXT_EXPIRED);
    if (sc->handshake->paused.active)
        return resume(run);
    if (sc->handshake->awaited.active)
        return go_on_with_credentials(run);
    if (run->leg->first && !sc->server)
        return greet(run);
    if (run->in.len == 0)
        return osspi_leg_incomplete(run, OSSPI_TLS_HEADER);
    return feed(run, OSSPI_TLS_WANT_INPUT, 0, true);
}
