/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The first legs of a datagram context. A server makes nothing but the context before the client
 * has brought a cookie back (RFC 6347, 4.2.1; datagram_cookie.c). Its first leg wants a
 * ClientHello: SEC_E_INVALID_TOKEN otherwise, no context and no answer. A first leg may also bring
 * the second ClientHello, with its cookie: an application that deletes the context of the first one
 * keeps no state at all. Both sides are held.
 */
#include <stdatomic.h>

#include "base/memory.h"
#include "packages/schannel/leg_datagram.h"

/* ---- a server's first datagrams ---- */

static SECURITY_STATUS ask_for_cookie(struct osspi_leg_run *run,
                                      const struct osspi_datagram_hello *hello)
{
    const struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
    uint8_t request[OSSPI_DTLS_VERIFY_SIZE];
    SECURITY_STATUS status = osspi_cookie_request(
        hello, (struct osspi_hmac_bytes){datagram->address, datagram->address_len}, request);

    if (status == SEC_E_OK)
        status = osspi_leg_output_token(&run->out, request, sizeof(request));
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    osspi_datagram_report(run, run->in.len);
    return SEC_I_CONTINUE_NEEDED;
}

/* Nothing has happened; the first of all makes no context. */
static SECURITY_STATUS discard_hello(struct osspi_leg_run *run)
{
    if (!run->leg->first)
        return osspi_datagram_deliver(run, SEC_I_CONTINUE_NEEDED, run->in.len);
    osspi_context_detail(run->context, "the first datagram is no ClientHello");
    return osspi_leg_refuse(run, SEC_E_INVALID_TOKEN);
}

/* The client is where it says it is. */
static SECURITY_STATUS start_server(struct osspi_leg_run *run,
                                    const struct osspi_datagram_record *record,
                                    const struct osspi_datagram_hello *hello)
{
    struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
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
    if (datagram->no_sessions)
        osspi_tls_reconnects(run->sc->tls, false);
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
    status = osspi_datagram_harvest(run);
    if (status != SEC_E_OK)
        return osspi_leg_fail(run, status);
    return osspi_datagram_after_step(run, step, run->in.len);
}

SECURITY_STATUS osspi_datagram_greet(struct osspi_leg_run *run)
{
    const struct osspi_datagram_handshake *datagram = osspi_datagram_of(run);
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

/* ---- the first leg ---- */

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
