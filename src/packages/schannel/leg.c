/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The legs of InitializeSecurityContext and AcceptSecurityContext; both sides of the context are
 * held throughout. Which leg does what is told in context.h.
 *
 * Output that does not fit: the TLS library cannot take a step back, so the leg is held: the flight
 * stays, and the next leg with the same input (or more, or none) delivers it and answers what this
 * one would have. On a first leg there is no context to hold it; the caller starts anew.
 *
 * A leg that fails hands out the alert, if TLS has one; calling again repeats the status, and the
 * alert if there was no room for it.
 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "packages/schannel/context.h"

#define ISC_REFUSED \
    (ISC_REQ_DELEGATE | ISC_REQ_PROMPT_FOR_CREDS | ISC_REQ_DATAGRAM | ISC_REQ_MESSAGES)
#define ASC_REFUSED (ASC_REQ_DATAGRAM | ASC_REQ_MESSAGES)

#define TLS13     0x0304
#define HANDSHAKE 22u

/* One leg's arguments, taken apart. */
struct run {
    struct osspi_context *context;
    struct osspi_schannel_context *sc;
    struct osspi_leg *leg;
    struct osspi_leg_input in;
    struct osspi_leg_output out;
};

void osspi_schannel_fail(struct osspi_context *context, SECURITY_STATUS status)
{
    int32_t none = SEC_E_OK;

    (void)atomic_compare_exchange_strong(&osspi_schannel(context)->failure, &none, status);
    osspi_context_set_state(context, OSSPI_CONTEXT_FAILED);
}

/* ---- what is to be sent ---- */

static SECURITY_STATUS outgoing(struct osspi_schannel_context *sc, const uint8_t **ret_bytes,
                                size_t *ret_len)
{
    *ret_bytes = NULL;
    *ret_len = 0;
    if (sc->record)
        return osspi_record_pending(sc->record, ret_bytes, ret_len);
    if (sc->tls)
        osspi_tls_flight(sc->tls, ret_bytes, ret_len);
    return SEC_E_OK;
}

static void outgoing_sent(struct osspi_schannel_context *sc)
{
    if (sc->record)
        osspi_record_sent(sc->record);
    else if (sc->tls)
        osspi_tls_flight_sent(sc->tls);
}

static void tell_detail(struct osspi_context *context)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    char text[OSSPI_DETAIL_SIZE];

    if (sc->record) {
        osspi_record_detail(sc->record, text, sizeof(text));
        osspi_context_detail(context, "%s", text);
    } else if (sc->tls) {
        osspi_context_detail(context, "%s", osspi_tls_detail(sc->tls));
    }
}

static SECURITY_STATUS fail(struct run *run, SECURITY_STATUS status)
{
    const uint8_t *alert;
    size_t len;

    osspi_schannel_fail(run->context, status);
    if (outgoing(run->sc, &alert, &len) != SEC_E_OK)
        len = 0;
    if (osspi_leg_output_failure(&run->out, alert, len) && len > 0)
        outgoing_sent(run->sc);
    run->leg->attributes = osspi_leg_granted(run->sc, run->leg, &run->out, false);
    return status;
}

/* Nothing was consumed and nothing is written but the hint. */
static SECURITY_STATUS incomplete(struct run *run, size_t missing)
{
    osspi_leg_input_missing(&run->in, missing);
    return SEC_E_INCOMPLETE_MESSAGE;
}

/* A wrong argument: the context is as it was. */
static SECURITY_STATUS refuse(struct run *run, SECURITY_STATUS status)
{
    (void)osspi_leg_output_failure(&run->out, NULL, 0);
    return status;
}

/* ---- the end of a leg ---- */

static void establish(struct run *run)
{
    struct osspi_schannel_context *sc = run->sc;

    sc->granted = osspi_leg_granted(sc, run->leg, &run->out, true);
    sc->since = (int64_t)time(NULL);
    atomic_store_explicit(&sc->established, true, memory_order_release);
    osspi_context_set_state(run->context, OSSPI_CONTEXT_ESTABLISHED);
}

static void report(struct run *run, size_t consumed)
{
    struct osspi_schannel_context *sc = run->sc;
    bool complete = osspi_schannel_established(sc);

    osspi_leg_input_extra(&run->in, run->in.len - consumed);
    run->leg->attributes = osspi_leg_granted(sc, run->leg, &run->out, complete);
    if (complete && sc->facts.peer_not_after < INT64_MAX)
        run->leg->expiry.QuadPart =
            (LONGLONG)osspi_local_filetime_from_unix(sc->facts.peer_not_after);
}

/* Ends a leg of the handshake that has taken `consumed` bytes and will answer status. */
static SECURITY_STATUS deliver(struct run *run, SECURITY_STATUS status, size_t consumed)
{
    struct osspi_schannel_context *sc = run->sc;
    const uint8_t *bytes;
    size_t len;
    SECURITY_STATUS given = outgoing(sc, &bytes, &len);

    if (given != SEC_E_OK)
        return fail(run, given);
    given = osspi_leg_output_token(&run->out, bytes, len);
    if (given != SEC_E_OK) {
        sc->held = (struct osspi_held_leg){true, status, consumed,
                                           osspi_input_checksum(run->in.bytes, consumed)};
        return given;
    }
    outgoing_sent(sc);
    sc->held.active = false;
    if (status == SEC_E_OK && sc->record)
        establish(run);
    report(run, consumed);
    return status;
}

static SECURITY_STATUS deliver_held(struct run *run)
{
    const struct osspi_held_leg held = run->sc->held;
    size_t consumed = run->in.len > 0 ? held.consumed : 0;

    if (consumed > run->in.len ||
        (consumed > 0 && osspi_input_checksum(run->in.bytes, consumed) != held.checksum))
        return refuse(run, SEC_E_INVALID_TOKEN);
    if (consumed == 0 && held.consumed == 0 && run->in.len > 0)
        return refuse(run, SEC_E_INVALID_TOKEN);
    return deliver(run, held.status, consumed);
}

/* ---- the handshake ---- */

static SECURITY_STATUS complete(struct run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_tls_facts(sc->tls, &sc->facts);

    if (status != SEC_E_OK)
        return status;
    sc->suite = osspi_suite_find(sc->facts.cipher_suite);
    if (!sc->suite)
        return SEC_E_INTERNAL_ERROR;
    sc->record = osspi_record_new(sc->tls, &sc->facts);
    if (!sc->record)
        return SEC_E_INSUFFICIENT_MEMORY;
    sc->tls = NULL;
    osspi_record_sizes(sc->record, &sc->sizes);
    return SEC_E_OK;
}

static SECURITY_STATUS after_step(struct run *run, enum osspi_tls_step step, size_t consumed)
{
    SECURITY_STATUS status;

    switch (step) {
    case OSSPI_TLS_WANT_INPUT:
        return deliver(run, SEC_I_CONTINUE_NEEDED, consumed);
    case OSSPI_TLS_DONE:
        status = complete(run);
        return status == SEC_E_OK ? deliver(run, SEC_E_OK, consumed) : fail(run, status);
    default:
        tell_detail(run->context);
        return fail(run, osspi_tls_failure(run->sc->tls));
    }
}

/* On the first bytes it is "no TLS at all", later a peer that breaks the protocol. */
static SECURITY_STATUS header_status(const struct osspi_schannel_context *sc)
{
    return sc->heard ? SEC_E_ILLEGAL_MESSAGE : SEC_E_INVALID_TOKEN;
}

static SECURITY_STATUS fail_header(struct run *run, enum osspi_header_verdict verdict)
{
    osspi_context_detail(run->context, "the peer's record has a header that TLS does not allow");
    /* Where keys are in use already it may be impossible; then the peer just sees the end. */
    (void)osspi_tls_alert(run->sc->tls, TLS1_ALERT_FATAL, osspi_header_alert(verdict));
    return fail(run, header_status(run->sc));
}

/* Feeds whole records, one at a time, until the handshake is done or the input used up. */
static SECURITY_STATUS feed(struct run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    enum osspi_tls_step step = OSSPI_TLS_WANT_INPUT;
    size_t used = 0;

    while (step == OSSPI_TLS_WANT_INPUT && used < run->in.len) {
        enum osspi_header_place place = sc->heard ? OSSPI_PLACE_HANDSHAKE : OSSPI_PLACE_FIRST;
        size_t len;
        enum osspi_header_verdict verdict =
            osspi_header_judge(run->in.bytes + used, run->in.len - used, place, &len);

        if (verdict == OSSPI_HEADER_SHORT && used == 0)
            return incomplete(run, len);
        if (verdict == OSSPI_HEADER_SHORT)
            break;
        if (verdict != OSSPI_HEADER_GOOD)
            return fail_header(run, verdict);
        step = osspi_tls_handshake(sc->tls, run->in.bytes + used, len);
        sc->heard = true;
        used += len;
    }
    return after_step(run, step, used);
}

/* A close, or another alert, before there is a connection. */
static SECURITY_STATUS alert_early(struct run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_tls_alert(sc->tls, sc->alert.level, sc->alert.description);

    sc->alert.wanted = false;
    if (status != SEC_E_OK)
        return refuse(run, status);
    sc->shut = sc->shut || sc->alert.level == TLS1_ALERT_FATAL ||
               sc->alert.description == TLS1_ALERT_CLOSE_NOTIFY;
    return deliver(run, SEC_E_OK, 0);
}

static SECURITY_STATUS handshake_leg(struct run *run)
{
    struct osspi_schannel_context *sc = run->sc;

    if (sc->held.active)
        return deliver_held(run);
    if (run->in.len == 0 && sc->alert.wanted)
        return alert_early(run);
    if (sc->shut)
        return run->in.len == 0 ? incomplete(run, OSSPI_TLS_HEADER)
                                : refuse(run, SEC_E_CONTEXT_EXPIRED);
    if (run->leg->first && !sc->server)
        return after_step(run, osspi_tls_handshake(sc->tls, NULL, 0), 0);
    if (run->in.len == 0)
        return incomplete(run, OSSPI_TLS_HEADER);
    return feed(run);
}

/* ---- after it ---- */

/*
 * TLS 1.2 shows in the header that a record is a handshake message (a request to renegotiate), so a
 * leg may take one that DecryptMessage has not seen. In TLS 1.3 only opening tells, and what turns
 * out to be application data could not be given back: those go through DecryptMessage.
 */
static SECURITY_STATUS absorb(struct run *run)
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
    switch (osspi_record_open(sc->record, copy, len, &plain, &plain_len, &status)) {
    case OSSPI_RECORD_POST_HANDSHAKE:
        osspi_absorbed_set(&sc->absorbed, run->in.bytes, len);
        return SEC_E_OK;
    case OSSPI_RECORD_POSTPONED:
        return SEC_E_OK;
    case OSSPI_RECORD_BROKEN:
        tell_detail(run->context);
        osspi_schannel_fail(run->context, status);
        return status;
    default:
        osspi_schannel_fail(run->context, SEC_E_ILLEGAL_MESSAGE);
        return SEC_E_ILLEGAL_MESSAGE;
    }
}

/* Sends what is pending, and takes the one record that it answers. The record counts as taken only
 * when its answer has found room. */
static SECURITY_STATUS settle(struct run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    size_t consumed = 0;
    const uint8_t *bytes;
    size_t len;
    SECURITY_STATUS status = outgoing(sc, &bytes, &len);

    if (status != SEC_E_OK)
        return fail(run, status);
    if (run->in.len == 0 && len == 0 && sc->closing)
        return incomplete(run, OSSPI_TLS_HEADER);
    if (osspi_absorbed_matches(&sc->absorbed, run->in.bytes, run->in.len))
        consumed = sc->absorbed.len;
    status = osspi_leg_output_token(&run->out, bytes, len);
    if (status != SEC_E_OK)
        return status;
    outgoing_sent(sc);
    if (consumed > 0)
        sc->absorbed.len = 0;
    report(run, consumed);
    return SEC_E_OK;
}

static SECURITY_STATUS established_leg(struct run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = SEC_E_OK;

    if (run->in.len > 0) {
        if (!osspi_absorbed_matches(&sc->absorbed, run->in.bytes, run->in.len))
            status = absorb(run);
        if (status == SEC_E_INSUFFICIENT_MEMORY)
            return refuse(run, status);
        if (status != SEC_E_OK)
            return fail(run, status);
    } else if (sc->alert.wanted) {
        sc->alert.wanted = false;
        status = osspi_record_alert(sc->record, sc->alert.level, sc->alert.description);
        if (status != SEC_E_OK)
            return refuse(run, status);
        sc->closing = sc->closing || sc->alert.level == TLS1_ALERT_FATAL ||
                      sc->alert.description == TLS1_ALERT_CLOSE_NOTIFY;
    }
    return settle(run);
}

/* ---- the first leg ---- */

static bool has_target(const struct osspi_leg *leg)
{
    return leg->target && leg->target[0] != '\0';
}

/*
 * The name the peer is to be known by. Without one nobody can be told from anybody else, so it must
 * be there unless the caller has said that names do not count.
 */
static SECURITY_STATUS take_target(struct run *run, bool name_counts)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status;

    if (!has_target(run->leg))
        return name_counts ? SEC_E_WRONG_PRINCIPAL : SEC_E_OK;
    sc->target = osspi_strdup(run->leg->target);
    if (!sc->target)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = osspi_name_normalise(run->leg->target, sc->name, &sc->name_is_ip);
    sc->has_name = status == SEC_E_OK;
    /* What is no host name goes into no ClientHello and names no session. */
    return name_counts ? status : SEC_E_OK;
}

static SECURITY_STATUS start(struct run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_schannel_credential *credential =
        run->leg->credential ? run->leg->credential->data : NULL;
    const struct osspi_schannel_config *config = credential ? credential->config : NULL;
    struct osspi_tls_setup setup = {.credential = credential, .server = sc->server};
    SECURITY_STATUS status = SEC_E_OK;
    bool manual;

    if (!config || config->server != sc->server)
        return SEC_E_NO_CREDENTIALS;
    /* Manual validation is a thing of clients; a server always checks a certificate it gets. */
    manual = !sc->server && ((config->flags & SCH_CRED_MANUAL_CRED_VALIDATION) ||
                             (run->leg->flags & ISC_REQ_MANUAL_CRED_VALIDATION));
    sc->verifies = setup.verify_peer = !manual;
    setup.verify_name = !sc->server && !manual && !(config->flags & SCH_CRED_NO_SERVERNAME_CHECK);
    if (!sc->server)
        status = take_target(run, setup.verify_name);
    if (status != SEC_E_OK)
        return status;
    setup.target = sc->has_name ? sc->name : NULL;
    setup.target_is_ip = sc->name_is_ip;
    setup.request_client_cert = sc->server && (run->leg->flags & ASC_REQ_MUTUAL_AUTH);
    setup.allow_tickets =
        !(config->flags & SCH_CRED_DISABLE_RECONNECTS) && (sc->server || sc->has_name);
    setup.alpn = run->in.alpn;
    setup.alpn_len = run->in.alpn_len;
    return osspi_tls_new(&setup, &sc->tls);
}

/* Judges a client's first bytes before anything is made for it: a server sees many that are not
 * TLS, and a ClientHello may come a byte at a time. */
static SECURITY_STATUS look_at_first_bytes(struct run *run)
{
    size_t len;
    enum osspi_header_verdict verdict =
        osspi_header_judge(run->in.bytes, run->in.len, OSSPI_PLACE_FIRST, &len);
    const uint8_t alert[] = {21, 3, 3, 0, 2, TLS1_ALERT_FATAL, osspi_header_alert(verdict)};

    if (verdict == OSSPI_HEADER_GOOD)
        return SEC_E_OK;
    if (verdict == OSSPI_HEADER_SHORT)
        return incomplete(run, len);
    osspi_context_detail(run->context, "the first bytes are no TLS record");
    (void)osspi_leg_output_failure(&run->out, alert, sizeof(alert));
    run->leg->attributes = osspi_leg_granted(run->sc, run->leg, &run->out, false);
    return SEC_E_INVALID_TOKEN;
}

static SECURITY_STATUS first_leg(struct run *run, bool server)
{
    SECURITY_STATUS status;

    run->sc->server = server;
    if (server) {
        status = look_at_first_bytes(run);
        if (status != SEC_E_OK)
            return status;
    } else if (run->in.len > 0) {
        return refuse(run, SEC_E_INVALID_TOKEN); /* there is no peer yet that could have spoken */
    }
    status = start(run);
    return status == SEC_E_OK ? handshake_leg(run) : refuse(run, status);
}

/* ---- entry ---- */

/* A later leg may repeat the target or leave it out. Another one would be checked against a
 * certificate that was judged for the first. */
static bool same_target(const struct run *run)
{
    char name[OSSPI_NAME_SIZE];
    bool is_ip;

    if (run->sc->server || !has_target(run->leg))
        return true;
    if (run->sc->target && strcmp(run->sc->target, run->leg->target) == 0)
        return true;
    return run->sc->has_name && osspi_name_normalise(run->leg->target, name, &is_ip) == SEC_E_OK &&
           strcmp(name, run->sc->name) == 0;
}

static SECURITY_STATUS run_leg(struct osspi_context *context, struct osspi_leg *leg, bool server)
{
    struct run run = {.context = context, .sc = osspi_schannel(context), .leg = leg};
    SECURITY_STATUS status = osspi_leg_output_parse(leg, server, &run.out);

    if (status != SEC_E_OK)
        return status;
    if (leg->flags & (server ? ASC_REFUSED : ISC_REFUSED))
        return refuse(&run, SEC_E_UNSUPPORTED_FUNCTION);
    status = osspi_leg_input_parse(&leg->in, &run.in);
    if (status != SEC_E_OK)
        return refuse(&run, status);
    if (leg->first)
        return first_leg(&run, server);
    if (run.sc->server != server)
        return refuse(&run, SEC_E_INVALID_HANDLE);
    if (!same_target(&run))
        return refuse(&run, SEC_E_WRONG_PRINCIPAL);
    status = atomic_load(&run.sc->failure);
    if (status != SEC_E_OK)
        return fail(&run, status);
    return osspi_schannel_established(run.sc) ? established_leg(&run) : handshake_leg(&run);
}

SECURITY_STATUS osspi_schannel_initialize(struct osspi_context *context, struct osspi_leg *leg)
{
    return run_leg(context, leg, false);
}

SECURITY_STATUS osspi_schannel_accept(struct osspi_context *context, struct osspi_leg *leg)
{
    return run_leg(context, leg, true);
}

void osspi_schannel_clear_context(struct osspi_context *context)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);

    osspi_tls_free(sc->tls);
    osspi_record_free(sc->record);
    osspi_tls_facts_clear(&sc->facts);
    osspi_free(sc->target);
    osspi_free(sc->export.label);
    osspi_free(sc->export.context);
}
