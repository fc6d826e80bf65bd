/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How a leg ends: what it hands out, keeps for the next one, or says about its failure; see leg.h.
 */
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "packages/schannel/leg.h"
#include "packages/schannel/leg_extension.h"
#include "packages/schannel/leg_datagram.h"
#include "packages/schannel/message_mode.h"

void osspi_schannel_fail(struct osspi_context *context, SECURITY_STATUS status)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    int32_t none = SEC_E_OK;

    (void)atomic_compare_exchange_strong(&sc->failure, &none, status);
    if (osspi_schannel_established(sc))
        osspi_server_session_drop(&sc->facts);
    osspi_context_set_state(context, OSSPI_CONTEXT_FAILED);
}

/* ---- what is to be sent ---- */

SECURITY_STATUS osspi_leg_outgoing(struct osspi_schannel_context *sc, const uint8_t **ret_bytes,
                                   size_t *ret_len)
{
    *ret_bytes = NULL;
    *ret_len = 0;
    if (sc->record)
        return sc->record->class->pending(sc->record, ret_bytes, ret_len);
    if (sc->handshake && sc->handshake->datagram)
        return osspi_flight_next(&sc->handshake->datagram->flight, &sc->handshake->datagram->line,
                                 atomic_load(&sc->mtu), ret_bytes, ret_len);
    if (sc->tls)
        osspi_tls_flight(sc->tls, ret_bytes, ret_len);
    return SEC_E_OK;
}

void osspi_leg_sent(struct osspi_schannel_context *sc)
{
    if (sc->record)
        sc->record->class->sent(sc->record);
    else if (sc->handshake && sc->handshake->datagram)
        osspi_flight_sent(&sc->handshake->datagram->flight);
    else if (sc->tls)
        osspi_tls_flight_sent(sc->tls);
}

void osspi_leg_tell_detail(struct osspi_context *context)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    char text[OSSPI_DETAIL_SIZE];

    if (sc->record) {
        sc->record->class->detail(sc->record, text, sizeof(text));
        osspi_context_detail(context, "%s", text);
    } else if (sc->tls) {
        osspi_context_detail(context, "%s", osspi_tls_detail(sc->tls));
    }
}

SECURITY_STATUS osspi_leg_fail(struct osspi_leg_run *run, SECURITY_STATUS status)
{
    const uint8_t *alert;
    size_t len;

    osspi_schannel_fail(run->context, status);
    if (osspi_leg_outgoing(run->sc, &alert, &len) != SEC_E_OK)
        len = 0;
    if (osspi_leg_output_failure(&run->out, alert, len) && len > 0)
        osspi_leg_sent(run->sc);
    run->leg->attributes = osspi_leg_granted(run->sc, run->leg, &run->out, false);
    return status;
}

SECURITY_STATUS osspi_leg_incomplete(struct osspi_leg_run *run, size_t missing)
{
    osspi_leg_input_missing(&run->in, missing);
    return SEC_E_INCOMPLETE_MESSAGE;
}

SECURITY_STATUS osspi_leg_refuse(struct osspi_leg_run *run, SECURITY_STATUS status)
{
    (void)osspi_leg_output_failure(&run->out, NULL, 0);
    osspi_message_secrets_give(&run->leg->out, NULL, NULL);
    return status;
}

/* ---- the end of a leg ---- */

void osspi_leg_establish(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;

    if (osspi_schannel_established(sc)) { /* a later handshake: what it has brought is published */
        osspi_schannel_end_handshake(sc);
        return;
    }
    sc->granted = osspi_leg_granted(sc, run->leg, &run->out, true);
    sc->since = (int64_t)time(NULL);
    osspi_schannel_end_handshake(sc);
    atomic_store_explicit(&sc->established, true, memory_order_release);
    osspi_context_set_state(run->context, OSSPI_CONTEXT_ESTABLISHED);
}

void osspi_leg_report(struct osspi_leg_run *run, size_t consumed)
{
    struct osspi_schannel_context *sc = run->sc;
    bool complete = osspi_schannel_established(sc);

    osspi_leg_input_extra(&run->in, run->in.len - consumed);
    run->leg->attributes = osspi_leg_granted(sc, run->leg, &run->out, complete);
    if (complete && osspi_schannel_facts(sc)->peer_not_after < INT64_MAX)
        run->leg->expiry.QuadPart =
            (LONGLONG)osspi_local_filetime_from_unix(osspi_schannel_facts(sc)->peer_not_after);
}

SECURITY_STATUS osspi_leg_deliver(struct osspi_leg_run *run, SECURITY_STATUS status,
                                  size_t consumed)
{
    struct osspi_schannel_context *sc = run->sc;
    uint64_t checksum, painted = 0;
    const uint8_t *bytes;
    size_t len;
    SECURITY_STATUS given = osspi_leg_outgoing(sc, &bytes, &len);

    if (given != SEC_E_OK)
        return osspi_leg_fail(run, given);
    checksum = osspi_input_checksum(run->in.bytes, consumed);
    given = osspi_extension_report(run, status == SEC_E_OK, consumed, &painted);
    if (given == SEC_E_OK)
        given = osspi_leg_output_token(&run->out, bytes, len);
    if (given != SEC_E_OK) {
        sc->handshake->held = (struct osspi_held_leg){true, status, consumed, checksum, painted};
        return given;
    }
    osspi_leg_sent(sc);
    sc->handshake->held.active = false;
    if (status == SEC_E_OK && sc->record)
        osspi_leg_establish(run);
    osspi_leg_report(run, consumed);
    return status;
}
