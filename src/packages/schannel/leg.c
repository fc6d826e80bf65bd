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
 *
 * Legs that wait. A leg starts on the CPU lane and may not wait there for a network, a device or a
 * file. If it has to, it answers OSSPI_WANT_BLOCKING and is entered again, with the same arguments,
 * on the blocking lane (a synchronous leg: by the same thread, at once). Up to there nothing was
 * given to the caller and none of its buffers written. Three ways lead to it:
 *
 *     the credential's blocking_class is set: every leg of the handshake runs on the
 *     blocking lane from its start, before anything is made or fed (a key in a device);
 *
 *     a callback of the TLS library calls osspi_tls_want_blocking() and lets OpenSSL suspend
 *     (tls_internal.h says how). The record is then inside OpenSSL for good, and the context
 *     remembers by length and digest what it has taken (handshake->paused): the leg that comes back
 *     has to bring the same bytes, skips them, and goes on inside the record;
 *
 *     config->verify_may_wait on a server: a record that may hold the client's certificate is not
 *     fed on the CPU lane. handshake->paused remembers the records before it.
 *
 * Inside, osspi_tls_may_block() tells on which lane it is. Whatever a callback did before it asked
 * to wait, it does again. A call that is cancelled between its two entries leaves the context
 * paused; a later leg goes on, on either lane.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/leg.h"
#include "packages/schannel/leg_extension.h"
#include "packages/schannel/leg_datagram.h"
#include "packages/schannel/leg_message.h"
#include "packages/schannel/psk.h"

#define ISC_REFUSED (ISC_REQ_DELEGATE | ISC_REQ_PROMPT_FOR_CREDS)
#define ASC_REFUSED 0u

/* Tickets and sessions that the caller keeps are not offered: here they are the library's. */
#define ISC_REFUSED_SESSIONS (ISC_REQ_REUSE_SESSION_TICKETS | ISC_REQ_EXPLICIT_SESSION)
#define ASC_REFUSED_SESSIONS ASC_REQ_EXPLICIT_SESSION

/* ---- the first leg ---- */

static bool asks_for_messages(const struct osspi_leg *leg)
{
    _Static_assert(ISC_REQ_MESSAGES == ASC_REQ_MESSAGES, "one bit for both");
    return (leg->flags & ISC_REQ_MESSAGES) != 0;
}

static bool asks_for_datagrams(const struct osspi_leg *leg, bool server)
{
    return (leg->flags & (server ? ASC_REQ_DATAGRAM : ISC_REQ_DATAGRAM)) != 0;
}

static bool has_target(const struct osspi_leg *leg)
{
    return leg->target && leg->target[0] != '\0';
}

/*
 * The name the peer is to be known by. Without one nobody can be told from anybody else, so it must
 * be there unless the caller has said that names do not count.
 */
static SECURITY_STATUS take_target(struct osspi_leg_run *run, bool name_counts)
{
    struct osspi_schannel_context *sc = run->sc;
    char name[OSSPI_NAME_SIZE];
    SECURITY_STATUS status;

    if (!has_target(run->leg))
        return name_counts ? SEC_E_WRONG_PRINCIPAL : SEC_E_OK;
    status = osspi_name_normalise(run->leg->target, name, &sc->name_is_ip);
    sc->has_name = status == SEC_E_OK;
    osspi_free(sc->target); /* of an entry before this one */
    sc->target = osspi_strdup(sc->has_name ? name : run->leg->target);
    if (!sc->target)
        return SEC_E_INSUFFICIENT_MEMORY;
    /* What is no host name goes into no ClientHello and names no session. */
    return name_counts ? status : SEC_E_OK;
}

bool osspi_leg_allows_default(const struct osspi_leg *leg)
{
    const struct osspi_schannel_credential *credential =
        leg->credential ? leg->credential->data : NULL;

    return credential && credential->config &&
           !(credential->config->flags & SCH_CRED_NO_DEFAULT_CREDS) &&
           !(leg->flags & ISC_REQ_USE_SUPPLIED_CREDS);
}

SECURITY_STATUS osspi_leg_start(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_schannel_credential *credential =
        run->leg->credential ? run->leg->credential->data : NULL;
    const struct osspi_schannel_config *config = credential ? credential->config : NULL;
    struct osspi_tls_setup setup = {.credential = credential, .server = sc->server};
    struct osspi_psk psk;
    SECURITY_STATUS status = osspi_psk_parse(&run->in.buffers, &psk);
    bool manual, psk_only;

    if (!config || config->server != sc->server)
        return SEC_E_NO_CREDENTIALS;
    if (status != SEC_E_OK)
        return status;
    setup.psk = psk.key_len > 0 ? &psk : NULL;
    psk_only = config->flags & SCH_USE_PRESHAREDKEY_ONLY; /* then no certificate and name counts */
    /* Manual validation is a thing of clients; a server always checks a certificate it gets. */
    manual = !sc->server && ((config->flags & SCH_CRED_MANUAL_CRED_VALIDATION) ||
                             (run->leg->flags & ISC_REQ_MANUAL_CRED_VALIDATION));
    sc->verifies = setup.verify_peer = !manual;
    setup.verify_name =
        !sc->server && !manual && !psk_only && !(config->flags & SCH_CRED_NO_SERVERNAME_CHECK);
    setup.defer = !sc->server && !manual &&
                  ((config->flags & SCH_CRED_DEFERRED_CRED_VALIDATION) ||
                   (run->leg->flags & ISC_REQ_DEFERRED_CRED_VALIDATION));
    sc->verifies = setup.verify_peer && !setup.defer;
    if (!sc->server)
        status = take_target(run, setup.verify_name);
    if (status != SEC_E_OK)
        return status;
    setup.target = sc->has_name ? sc->target : NULL;
    setup.target_is_ip = sc->name_is_ip;
    setup.request_client_cert = sc->server && (run->leg->flags & ASC_REQ_MUTUAL_AUTH);
    setup.default_credentials = !sc->server && osspi_leg_allows_default(run->leg);
    setup.allow_tickets =
        !(config->flags & SCH_CRED_DISABLE_RECONNECTS) && (sc->server || sc->has_name);
    /* QUIC forbids them (RFC 9001, 4.4). */
    setup.refuse_requests = !sc->server && (sc->kind == OSSPI_KIND_MESSAGES ||
                                            (run->leg->flags & ISC_REQ_NO_POST_HANDSHAKE_AUTH));
    setup.alpn = run->in.alpn;
    setup.alpn_len = run->in.alpn_len;
    setup.extensions = sc->handshake->extensions;
    if (sc->kind == OSSPI_KIND_MESSAGES) {
        status = osspi_message_begin(sc);
        if (status != SEC_E_OK)
            return status;
        setup.messages = &sc->handshake->messages->tls;
        setup.refuse_requests = true; /* RFC 9001, 4.4 */
    }
    if (sc->kind == OSSPI_KIND_DATAGRAM)
        setup.datagram = &sc->handshake->datagram->setup;
    return osspi_tls_new(&setup, &sc->tls);
}

/* Judges a client's first bytes before anything is made for it: a server sees many that are not
 * TLS, and a ClientHello may come a byte at a time. */
static SECURITY_STATUS look_at_first_bytes(struct osspi_leg_run *run)
{
    size_t len;
    enum osspi_header_verdict verdict =
        osspi_header_judge(run->in.bytes, run->in.len, OSSPI_PLACE_FIRST, &len);
    const uint8_t alert[] = {21, 3, 3, 0, 2, TLS1_ALERT_FATAL, osspi_header_alert(verdict)};

    if (verdict == OSSPI_HEADER_GOOD)
        return SEC_E_OK;
    if (verdict == OSSPI_HEADER_SHORT)
        return osspi_leg_incomplete(run, len);
    osspi_context_detail(run->context, "the first bytes are no TLS record");
    (void)osspi_leg_output_failure(&run->out, alert, sizeof(alert));
    run->leg->attributes = osspi_leg_granted(run->sc, run->leg, &run->out, false);
    return SEC_E_INVALID_TOKEN;
}

/* By what travels in the context's tokens. */
static SECURITY_STATUS dispatch(struct osspi_leg_run *run)
{
    if (run->sc->kind == OSSPI_KIND_MESSAGES)
        return osspi_leg_message(run);
    if (run->sc->kind == OSSPI_KIND_DATAGRAM)
        return osspi_leg_datagram(run);
    return osspi_schannel_established(run->sc) ? osspi_leg_established(run)
                                               : osspi_leg_handshake(run);
}

static SECURITY_STATUS first_leg(struct osspi_leg_run *run, bool server)
{
    SECURITY_STATUS status;

    if (run->sc->tls) /* it was here before, and comes back on the blocking lane */
        return dispatch(run);
    run->sc->server = server;
    if (asks_for_messages(run->leg))
        run->sc->kind = OSSPI_KIND_MESSAGES;
    if (asks_for_datagrams(run->leg, server)) {
        if (run->sc->kind == OSSPI_KIND_MESSAGES)
            return osspi_leg_refuse(run, SEC_E_UNSUPPORTED_FUNCTION);
        run->sc->kind = OSSPI_KIND_DATAGRAM;
    }
    status = osspi_extension_take(run);
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    if (run->sc->kind == OSSPI_KIND_DATAGRAM)
        return osspi_leg_datagram_first(run);
    if (osspi_buffers_find(&run->in.buffers, SECBUFFER_SRTP_PROTECTION_PROFILES))
        return osspi_leg_refuse(run, SEC_E_UNSUPPORTED_FUNCTION);
    if (server) {
        status = run->sc->kind == OSSPI_KIND_MESSAGES ? osspi_message_look(run)
                                                      : look_at_first_bytes(run);
        if (status != SEC_E_OK)
            return status;
    } else if (run->in.len > 0) {
        return osspi_leg_refuse(
            run, SEC_E_INVALID_TOKEN); /* there is no peer yet that could have spoken */
    }
    status = osspi_leg_start(run);
    if (status == OSSPI_WANT_BLOCKING)
        return status;
    return status == SEC_E_OK ? dispatch(run) : osspi_leg_refuse(run, status);
}

/* ---- entry ---- */

/* A later leg may repeat the target or leave it out. Another one would be checked against a
 * certificate that was judged for the first. */
static bool same_target(const struct osspi_leg_run *run)
{
    char name[OSSPI_NAME_SIZE];
    bool is_ip;

    if (run->sc->server || !has_target(run->leg))
        return true;
    if (!run->sc->has_name)
        return run->sc->target && strcmp(run->sc->target, run->leg->target) == 0;
    return osspi_name_normalise(run->leg->target, name, &is_ip) == SEC_E_OK &&
           strcmp(name, run->sc->target) == 0;
}

/* Does the leg have to be on the blocking lane from its start? */
static bool moves_at_once(struct osspi_leg_run *run)
{
    const struct osspi_schannel_credential *credential =
        run->leg->credential ? run->leg->credential->data : NULL;

    if (run->leg->lane == OSSPI_LANE_BLOCKING || !credential || !credential->blocking_class ||
        (osspi_schannel_established(run->sc) && !osspi_leg_is_later(run)))
        return false;
    osspi_schannel_lane_note(run->sc, credential->blocking_class);
    return true;
}

static SECURITY_STATUS run_leg(struct osspi_context *context, struct osspi_leg *leg, bool server)
{
    struct osspi_leg_run run = {.context = context, .sc = osspi_schannel(context), .leg = leg};
    SECURITY_STATUS status = osspi_leg_output_parse(leg, server, &run.out);

    if (status != SEC_E_OK)
        return status;
    if (leg->flags &
        (server ? ASC_REFUSED | ASC_REFUSED_SESSIONS : ISC_REFUSED | ISC_REFUSED_SESSIONS))
        return osspi_leg_refuse(&run, SEC_E_UNSUPPORTED_FUNCTION);
    status = osspi_leg_input_parse(&leg->in, &run.in);
    if (status != SEC_E_OK)
        return osspi_leg_refuse(&run, status);
    if (leg->first)
        status = osspi_schannel_begin(run.sc);
    if (status != SEC_E_OK)
        return osspi_leg_refuse(&run, status);
    if (moves_at_once(&run))
        return OSSPI_WANT_BLOCKING;
    if (leg->first)
        return first_leg(&run, server);
    if (run.sc->server != server)
        return osspi_leg_refuse(&run, SEC_E_INVALID_HANDLE);
    /* Records were agreed upon, or datagrams. Leaving the flag out later does no harm. */
    if (asks_for_messages(leg) && run.sc->kind != OSSPI_KIND_MESSAGES)
        return osspi_leg_refuse(&run, SEC_E_UNSUPPORTED_FUNCTION);
    if (!same_target(&run))
        return osspi_leg_refuse(&run, SEC_E_WRONG_PRINCIPAL);
    status = atomic_load(&run.sc->failure);
    if (status != SEC_E_OK)
        return run.sc->kind == OSSPI_KIND_MESSAGES ? osspi_message_failed(&run, status)
                                                   : osspi_leg_fail(&run, status);
    status = osspi_extension_take(&run);
    return status == SEC_E_OK ? dispatch(&run) : osspi_leg_refuse(&run, status);
}

SECURITY_STATUS osspi_schannel_initialize(struct osspi_context *context, struct osspi_leg *leg)
{
    return run_leg(context, leg, false);
}

SECURITY_STATUS osspi_schannel_accept(struct osspi_context *context, struct osspi_leg *leg)
{
    return run_leg(context, leg, true);
}

/* ---- what only the handshake needs ---- */

SECURITY_STATUS osspi_schannel_begin(struct osspi_schannel_context *sc)
{
    struct osspi_handshake *handshake;

    if (sc->handshake) /* the first leg is here again, on the blocking lane */
        return SEC_E_OK;
    handshake = osspi_alloc(sizeof(*handshake));
    OSSPI_LOCKED(&sc->lane_lock);
    sc->handshake = handshake;
    return handshake ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

void osspi_schannel_end_handshake(struct osspi_schannel_context *sc)
{
    struct osspi_handshake *handshake;

    {
        OSSPI_LOCKED(&sc->lane_lock);
        handshake = OSSPI_TAKE(sc->handshake);
    }
    if (!handshake)
        return;
    osspi_free(handshake->backlog.bytes);
    osspi_message_end(handshake->messages);
    osspi_extensions_free(handshake->extensions);
    osspi_datagram_handshake_free(handshake->datagram);
    osspi_secret_free(handshake, sizeof(*handshake));
}

void osspi_schannel_clear_context(struct osspi_context *context)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);

    osspi_schannel_end_handshake(sc);
    osspi_tls_free(sc->tls);
    osspi_record_free(sc->record);
    osspi_tls_facts_clear(&sc->facts);
    osspi_leg_later_clear(sc);
    osspi_ders_unref(sc->news.issuers);
    osspi_free(sc->target);
    osspi_left_free(sc->left);
}
