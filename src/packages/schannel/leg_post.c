/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs of an established context: alerts, KeyUpdates, and what the peer is owed an answer to.
 */
#include "base/memory.h"
#include "packages/schannel/leg.h"

#define TLS13     0x0304
#define HANDSHAKE 22u

/*
 * TLS 1.2 shows in the header that a record is a handshake message (a request to renegotiate), so a
 * leg may take one that DecryptMessage has not seen. In TLS 1.3 only opening tells, and what turns
 * out to be application data could not be given back: those go through DecryptMessage.
 */
static SECURITY_STATUS absorb(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    uint8_t *copy osspi_auto(osspi_freep) = NULL;
    SECURITY_STATUS status = SEC_E_OK;
    uint8_t *plain;
    size_t len, plain_len;

    if (sc->facts.version == TLS13 || run->in.bytes[0] != HANDSHAKE ||
        osspi_header_judge(run->in.bytes, run->in.len, OSSPI_PLACE_TLS12, &len) !=
            OSSPI_HEADER_GOOD)
        return SEC_E_OK;
    copy = osspi_memdup(run->in.bytes, len);
    if (!copy)
        return SEC_E_INSUFFICIENT_MEMORY;
    switch (sc->record->class->open(sc->record, copy, len, &plain, &plain_len, &status)) {
    case OSSPI_RECORD_POST_HANDSHAKE:
        osspi_absorbed_set(&sc->absorbed, run->in.bytes, len);
        return SEC_E_OK;
    case OSSPI_RECORD_POSTPONED:
        return SEC_E_OK;
    case OSSPI_RECORD_RETRY:
        return status;
    case OSSPI_RECORD_BROKEN:
        osspi_leg_tell_detail(run->context);
        osspi_schannel_fail(run->context, status);
        return status;
    default:
        osspi_schannel_fail(run->context, SEC_E_ILLEGAL_MESSAGE);
        return SEC_E_ILLEGAL_MESSAGE;
    }
}

/* Sends what is pending, and takes the one record that it answers. The record counts as taken only
 * when its answer has found room. */
static SECURITY_STATUS settle(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    size_t consumed = 0;
    const uint8_t *bytes;
    size_t len;
    SECURITY_STATUS status = osspi_leg_outgoing(sc, &bytes, &len);

    if (status == SEC_E_INSUFFICIENT_MEMORY) /* what is owed stays so: the leg can be made again */
        return osspi_leg_refuse(run, status);
    if (status != SEC_E_OK)
        return osspi_leg_fail(run, status);
    if (run->in.len == 0 && len == 0 && sc->closing)
        return osspi_leg_incomplete(run, OSSPI_TLS_HEADER);
    if (osspi_absorbed_matches(&sc->absorbed, run->in.bytes, run->in.len))
        consumed = sc->absorbed.len;
    status = osspi_leg_output_token(&run->out, bytes, len);
    if (status != SEC_E_OK)
        return status;
    osspi_leg_sent(sc);
    if (consumed > 0)
        sc->absorbed.len = 0;
    osspi_leg_report(run, consumed);
    return SEC_E_OK;
}

/* What ApplyControlToken has asked for. Where there is no memory the next leg makes it. */
static SECURITY_STATUS grant_wishes(const struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    const struct osspi_wanted_update update = sc->update;
    const struct osspi_wanted_alert alert = sc->alert;
    SECURITY_STATUS status = SEC_E_OK;

    if (update.wanted && !osspi_leg_is_answering(run)) {
        status = sc->record->class->update(sc->record, update.request);
        if (status == SEC_E_BUFFER_TOO_SMALL) /* what waits leaves with this leg */
            return SEC_E_OK;
        if (status != SEC_E_INSUFFICIENT_MEMORY)
            sc->update = (struct osspi_wanted_update){false};
    }
    if (status == SEC_E_OK && alert.wanted) {
        status = sc->record->class->alert(sc->record, alert.level, alert.description);
        sc->alert.wanted = status == SEC_E_INSUFFICIENT_MEMORY;
        sc->closing =
            sc->closing || (status == SEC_E_OK && (alert.level == TLS1_ALERT_FATAL ||
                                                   alert.description == TLS1_ALERT_CLOSE_NOTIFY));
        if (sc->closing)
            osspi_leg_later_abandon(run);
    }
    return status;
}

SECURITY_STATUS osspi_leg_established(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    const bool wished = run->in.len == 0 &&
                        (sc->alert.wanted || (sc->update.wanted && !osspi_leg_is_answering(run)));
    SECURITY_STATUS status = SEC_E_OK;

    if (sc->handshake && sc->handshake->held.active)
        return osspi_leg_deliver_held(run);
    if (!wished && osspi_leg_is_later(run))
        return osspi_leg_later(run);
    if (run->in.len > 0) {
        if (!osspi_absorbed_matches(&sc->absorbed, run->in.bytes, run->in.len))
            status = absorb(run);
        if (status == SEC_E_INSUFFICIENT_MEMORY)
            return osspi_leg_refuse(run, status);
        if (status != SEC_E_OK)
            return osspi_leg_fail(run, status);
        if (osspi_leg_is_later(run)) /* that was its beginning */
            return osspi_leg_later(run);
    } else if (wished) {
        status = grant_wishes(run);
        if (status != SEC_E_OK)
            return osspi_leg_refuse(run, status);
    } else if (osspi_leg_later_begins(run, &status)) {
        return status;
    }
    return settle(run);
}
