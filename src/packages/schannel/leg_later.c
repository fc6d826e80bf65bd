/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs of an established context for a handshake after the handshake; see later.h. Both sides of
 * the context are held.
 *
 * A leg takes what DecryptMessage has kept and, behind that, the handshake's records at the start
 * of its input. At the first record of application data it stops, and leaves it as EXTRA for
 * DecryptMessage. It answers SEC_I_CONTINUE_NEEDED until the handshake is over; SEC_E_OK means that
 * it is, and that the peer is known as the attributes tell from then on.
 *
 * What has to wait, what finds no room, and what wants a certificate is dealt with as in the first
 * handshake (leg.c, leg_handshake.c), with the difference that the TLS library never stands inside
 * the caller's bytes: what was taken of them is ours.
 */
#include <stdatomic.h>

#include "base/memory.h"
#include "packages/schannel/later.h"
#include "packages/schannel/leg.h"

#define TLS13     0x0304
#define ALERT     21u
#define HANDSHAKE 22u
#define DATA      23u

#define UNRECOGNIZED_NAME 112u

static struct osspi_later *later_of(const struct osspi_schannel_context *sc)
{
    return sc->record->class->later(sc->record);
}

static bool wants_certificate(const struct osspi_leg_run *run)
{
    return run->sc->server && (run->leg->flags & ASC_REQ_MUTUAL_AUTH) != 0;
}

/* ---- which legs ---- */

bool osspi_leg_is_later(const struct osspi_leg_run *run)
{
    const struct osspi_later *later = later_of(run->sc);

    return later && later->state != OSSPI_LATER_IDLE && !run->sc->closing;
}

void osspi_leg_later_abandon(const struct osspi_leg_run *run)
{
    if (later_of(run->sc))
        osspi_later_abandon(run->sc->record);
}

bool osspi_leg_is_answering(const struct osspi_leg_run *run)
{
    return !run->sc->server && run->sc->facts.version == TLS13 && osspi_leg_is_later(run) &&
           later_of(run->sc)->state == OSSPI_LATER_RUNNING;
}

/* A leg without input that answers nothing is the wish to begin: to renegotiate, or to ask for a
 * certificate. */
static bool is_wish(const struct osspi_leg_run *run)
{
    const struct osspi_schannel_context *sc = run->sc;

    if (run->in.len > 0 || sc->absorbed.len > 0 || sc->closing || sc->peer_closed)
        return false;
    return sc->facts.version == TLS13 ? wants_certificate(run) : true;
}

/* ---- the end of it ---- */

static SECURITY_STATUS fail(struct osspi_leg_run *run, SECURITY_STATUS status)
{
    struct osspi_tls *tls = osspi_later_tls(run->sc->record);

    if (tls && osspi_tls_failure(tls) == status)
        osspi_context_detail(run->context, "%s", osspi_tls_detail(tls));
    osspi_schannel_end_handshake(run->sc);
    return osspi_leg_fail(run, status);
}

/* The TLS library calls it a failure. Its alert, if there is one, goes to the peer under our keys.
 */
static SECURITY_STATUS fail_step(struct osspi_leg_run *run)
{
    const SECURITY_STATUS status = osspi_tls_failure(osspi_later_tls(run->sc->record));

    (void)osspi_later_move(run->sc->record);
    return fail(run, status != SEC_E_OK ? status : SEC_E_INTERNAL_ERROR);
}

/* What must not have changed. */
static SECURITY_STATUS compare(struct osspi_leg_run *run, const struct osspi_tls_facts *facts)
{
    const struct osspi_tls_facts *before = osspi_schannel_facts(run->sc);

    if (facts->server && facts->version != TLS13 &&
        !osspi_tls_same_name(osspi_later_tls(run->sc->record))) {
        osspi_context_detail(run->context, "the client renegotiates under another name");
        (void)run->sc->record->class->alert(run->sc->record, TLS1_ALERT_FATAL, UNRECOGNIZED_NAME);
        return SEC_E_WRONG_PRINCIPAL;
    }
    if (facts->version == before->version && facts->cipher_suite == before->cipher_suite &&
        facts->max_fragment >= before->max_fragment)
        return SEC_E_OK;
    osspi_context_detail(run->context, "the peer renegotiates other records");
    (void)run->sc->record->class->alert(run->sc->record, TLS1_ALERT_FATAL,
                                        TLS1_ALERT_ILLEGAL_PARAMETER);
    return SEC_E_ILLEGAL_MESSAGE;
}

static void free_renewed(struct osspi_renewed **renewed)
{
    if (*renewed) {
        osspi_tls_facts_clear(&(*renewed)->facts);
        osspi_free(*renewed);
    }
}

void osspi_leg_later_clear(struct osspi_schannel_context *sc)
{
    struct osspi_renewed *renewed = atomic_load_explicit(&sc->renewed, memory_order_relaxed);

    while (renewed) {
        struct osspi_renewed *before = renewed->before;

        free_renewed(&renewed);
        renewed = before;
    }
}

/* From here on queries tell what this handshake has brought. */
static SECURITY_STATUS publish(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_renewed *renewed osspi_auto(free_renewed) = osspi_alloc(sizeof(*renewed));
    SECURITY_STATUS status;

    if (!renewed)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = osspi_tls_facts(osspi_later_tls(sc->record), &renewed->facts);
    if (status == SEC_E_OK)
        status = compare(run, &renewed->facts);
    if (status == SEC_E_OK)
        status = osspi_later_finish(sc->record);
    if (status != SEC_E_OK)
        return status;
    renewed->before = atomic_load_explicit(&sc->renewed, memory_order_relaxed);
    renewed->granted = osspi_schannel_granted(sc);
    if (sc->server) {
        renewed->granted &= ~(uint64_t)ASC_RET_MUTUAL_AUTH;
        if (sc->verifies && renewed->facts.peer_chain)
            renewed->granted |= ASC_RET_MUTUAL_AUTH;
    }
    atomic_store_explicit(&sc->renewed, OSSPI_TAKE(renewed), memory_order_release);
    return SEC_E_OK;
}

/* ---- steps ---- */

static SECURITY_STATUS ask_for_credentials(struct osspi_leg_run *run, size_t taken)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_replay_set(&sc->handshake->awaited.taken, run->in.bytes, taken);

    if (status == SEC_E_OK)
        status = osspi_leg_output_token(&run->out, NULL, 0);
    if (status != SEC_E_OK)
        return fail(run, status);
    sc->handshake->awaited.active = true;
    osspi_leg_report(run, taken);
    return SEC_I_INCOMPLETE_CREDENTIALS;
}

/* Nothing has reached the caller; see leg_handshake.c. */
static SECURITY_STATUS move_to_blocking_lane(struct osspi_leg_run *run, size_t taken)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status;

    if (run->leg->lane == OSSPI_LANE_BLOCKING)
        return fail(run, SEC_E_INTERNAL_ERROR);
    status = osspi_replay_set(&sc->handshake->paused.taken, run->in.bytes, taken);
    if (status != SEC_E_OK)
        return fail(run, status);
    sc->handshake->paused.active = true;
    osspi_schannel_lane_note(sc, osspi_tls_class(osspi_later_tls(sc->record)));
    return OSSPI_WANT_BLOCKING;
}

static SECURITY_STATUS deliver(struct osspi_leg_run *run, SECURITY_STATUS status, size_t taken)
{
    SECURITY_STATUS given = osspi_leg_deliver(run, status, taken);

    /* Where it did not fit the handshake holds it, and the absorbed record may come again. */
    if (given == SEC_E_INSUFFICIENT_MEMORY && run->sc->handshake && run->sc->handshake->held.active)
        return given;
    if (taken > 0)
        run->sc->absorbed.len = 0;
    return given;
}

/* ---- records of the input ---- */

/* The type of the record that comes next; 0: it is not for a leg to take. */
static uint8_t next_type(struct osspi_schannel_context *sc, const uint8_t *bytes, size_t len)
{
    const uint8_t type =
        sc->facts.version == TLS13 ? osspi_later_peek(sc->record, bytes, len) : bytes[0];

    return type == DATA ? 0 : type;
}

enum taking {
    TAKING_MORE,   /* a record was taken */
    TAKING_STOP,   /* what follows is not for this leg, or not all there */
    TAKING_SHORT,  /* the record is not all there */
    TAKING_ENDED,  /* *ret_status is what the leg answers; the record was taken */
    TAKING_FAILED, /* *ret_status is what the context has ended with */
    TAKING_REFUSED /* *ret_status is why the leg cannot go on now */
};

static enum taking take_opened(struct osspi_leg_run *run, enum osspi_record_kind kind,
                               SECURITY_STATUS *ret_status)
{
    switch (kind) {
    case OSSPI_RECORD_DATA: /* a warning */
    case OSSPI_RECORD_POST_HANDSHAKE:
        return TAKING_MORE;
    case OSSPI_RECORD_REFUSED:
        *ret_status = SEC_I_NO_RENEGOTIATION;
        return TAKING_ENDED;
    case OSSPI_RECORD_CLOSED:
        run->sc->peer_closed = true;
        *ret_status = SEC_I_CONTEXT_EXPIRED;
        return TAKING_ENDED;
    case OSSPI_RECORD_RETRY:
        return TAKING_REFUSED;
    case OSSPI_RECORD_POSTPONED:
        return TAKING_STOP;
    default:
        osspi_leg_tell_detail(run->context);
        return TAKING_FAILED;
    }
}

static enum taking take_record(struct osspi_leg_run *run, size_t *used, SECURITY_STATUS *ret_status)
{
    struct osspi_schannel_context *sc = run->sc;
    const uint8_t *bytes = run->in.bytes + *used;
    uint8_t *copy osspi_auto(osspi_freep) = NULL;
    size_t len, plain_len;
    enum taking taking;
    uint8_t *plain;

    switch (osspi_header_judge(bytes, run->in.len - *used,
                               sc->facts.version == TLS13 ? OSSPI_PLACE_TLS13 : OSSPI_PLACE_TLS12,
                               &len)) {
    case OSSPI_HEADER_GOOD:
        break;
    case OSSPI_HEADER_SHORT:
        *ret_status = (SECURITY_STATUS)len;
        return TAKING_SHORT;
    default: /* DecryptMessage says what is wrong with it */
        return TAKING_STOP;
    }
    if (next_type(sc, bytes, len) == 0)
        return TAKING_STOP;
    *ret_status = SEC_E_INSUFFICIENT_MEMORY;
    copy = osspi_memdup(bytes, len);
    if (!copy)
        return TAKING_REFUSED;
    taking = take_opened(
        run, sc->record->class->open(sc->record, copy, len, &plain, &plain_len, ret_status),
        ret_status);
    osspi_secure_zero(copy, len);
    if (taking == TAKING_MORE || taking == TAKING_ENDED)
        *used += len;
    return taking;
}

/* ---- a leg ---- */

static SECURITY_STATUS go_on(struct osspi_leg_run *run, enum osspi_tls_step step, size_t used);

/* The handshake is over; maybe the next one waits already. */
static SECURITY_STATUS finish(struct osspi_leg_run *run, size_t used)
{
    struct osspi_later *later;
    SECURITY_STATUS status = publish(run);

    if (status != SEC_E_OK)
        return fail(run, status);
    later = later_of(run->sc);
    if (!later || later->state == OSSPI_LATER_IDLE)
        return deliver(run, SEC_E_OK, used);
    status = osspi_later_answer(run->sc->record, wants_certificate(run));
    return status == SEC_E_OK ? go_on(run, OSSPI_TLS_WANT_INPUT, used) : fail(run, status);
}

static SECURITY_STATUS wait_for_more(struct osspi_leg_run *run, enum taking taking,
                                     SECURITY_STATUS status, size_t used)
{
    const uint8_t *bytes;
    size_t len;

    switch (taking) {
    case TAKING_FAILED:
        return fail(run, status);
    case TAKING_ENDED:
        return deliver(run, status, used);
    case TAKING_REFUSED:
        if (used == 0)
            return osspi_leg_refuse(run, status);
        break;
    case TAKING_SHORT:
        if (used == 0 && osspi_leg_outgoing(run->sc, &bytes, &len) == SEC_E_OK && len == 0)
            return osspi_leg_incomplete(run, (size_t)status);
        break;
    default:
        break;
    }
    return deliver(run, SEC_I_CONTINUE_NEEDED, used);
}

static SECURITY_STATUS after_step(struct osspi_leg_run *run, enum osspi_tls_step step, size_t used)
{
    switch (step) {
    case OSSPI_TLS_DONE:
        return finish(run, used);
    case OSSPI_TLS_WANT_CREDENTIALS:
        return ask_for_credentials(run, used);
    case OSSPI_TLS_WANT_BLOCKING:
        return move_to_blocking_lane(run, used);
    default:
        return fail_step(run);
    }
}

/* The first `used` bytes of the input are taken, and led to this step. */
static SECURITY_STATUS go_on(struct osspi_leg_run *run, enum osspi_tls_step step, size_t used)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = SEC_E_OK;
    enum taking taking = TAKING_MORE;

    while (taking == TAKING_MORE) {
        if (step == OSSPI_TLS_WANT_INPUT && later_of(sc)->state == OSSPI_LATER_WANTED)
            status = osspi_later_answer(sc->record, wants_certificate(run));
        if (status == SEC_E_OK && step == OSSPI_TLS_WANT_INPUT)
            status = osspi_later_feed(sc->record, &step);
        if (osspi_later_tls(sc->record))
            osspi_leg_tell_news(sc);
        if (status != SEC_E_OK)
            return fail(run, status);
        if (step != OSSPI_TLS_WANT_INPUT)
            return after_step(run, step, used);
        taking = used < run->in.len ? take_record(run, &used, &status) : TAKING_STOP;
        if (taking == TAKING_MORE)
            status = SEC_E_OK;
    }
    return wait_for_more(run, taking, status, used);
}

static SECURITY_STATUS resume(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_paused_leg *paused = &sc->handshake->paused;
    enum osspi_tls_step step;
    SECURITY_STATUS status = osspi_replay_check(&paused->taken, run->in.bytes, run->in.len);

    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    paused->active = false;
    osspi_schannel_lane_note(sc, NULL);
    status = osspi_later_resume(sc->record, &step);
    return status == SEC_E_OK ? go_on(run, step, paused->taken.len) : fail(run, status);
}

/* The caller is back with a certificate, or without: with the bytes that it had given, with those
 * behind them, or with none. */
static SECURITY_STATUS go_on_with_credentials(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_awaited_credentials *awaited = &sc->handshake->awaited;
    struct osspi_credential *credential = run->leg->credential;
    enum osspi_tls_step step;
    size_t taken = 0;
    SECURITY_STATUS status = osspi_replay_check(&awaited->taken, run->in.bytes, run->in.len);

    if (status == SEC_E_OK && awaited->taken.len > 0)
        taken = awaited->taken.len;
    else if (status != SEC_E_OK && status != SEC_E_INVALID_TOKEN)
        return osspi_leg_refuse(run, status);
    else if (osspi_absorbed_matches(&sc->absorbed, run->in.bytes, run->in.len))
        taken = sc->absorbed.len;
    status = osspi_tls_supply(osspi_later_tls(sc->record), credential ? credential->data : NULL,
                              osspi_leg_allows_default(run->leg));
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    awaited->active = false;
    status = osspi_later_resume(sc->record, &step);
    return status == SEC_E_OK ? go_on(run, step, taken) : fail(run, status);
}

SECURITY_STATUS osspi_leg_later(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = osspi_schannel_begin(sc);
    size_t used = 0;

    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    osspi_tls_lane(osspi_later_tls(sc->record), run->leg->lane);
    if (sc->handshake->held.active)
        return osspi_leg_deliver_held(run);
    if (sc->handshake->paused.active)
        return resume(run);
    if (sc->handshake->awaited.active)
        return go_on_with_credentials(run);
    if (osspi_absorbed_matches(&sc->absorbed, run->in.bytes, run->in.len))
        used = sc->absorbed.len;
    return go_on(run, OSSPI_TLS_WANT_INPUT, used);
}

/* ---- wishes of our own ---- */

/* A server's certificates are those of its credential. */
static SECURITY_STATUS use_credential(struct osspi_leg_run *run)
{
    struct osspi_credential *credential = run->leg->credential;

    if (!credential || credential == run->context->credential)
        return SEC_E_OK;
    if (run->sc->server)
        return SEC_E_UNSUPPORTED_FUNCTION;
    return osspi_tls_later_credential(osspi_later_tls(run->sc->record), credential->data,
                                      osspi_leg_allows_default(run->leg));
}

static SECURITY_STATUS begin(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status = use_credential(run);

    if (status == SEC_E_OK)
        status = osspi_schannel_begin(sc);
    if (status != SEC_E_OK)
        return osspi_leg_refuse(run, status);
    osspi_tls_lane(osspi_later_tls(sc->record), run->leg->lane);
    status = osspi_later_ask(sc->record, wants_certificate(run));
    if (status != SEC_E_OK)
        return fail(run, status);
    return deliver(run, SEC_I_CONTINUE_NEEDED, 0);
}

bool osspi_leg_later_begins(struct osspi_leg_run *run, SECURITY_STATUS *ret_status)
{
    struct osspi_schannel_context *sc = run->sc;
    const uint8_t *bytes;
    size_t len;

    if (!is_wish(run) || osspi_leg_outgoing(sc, &bytes, &len) != SEC_E_OK || len > 0)
        return false;
    if (later_of(sc))
        *ret_status = begin(run);
    else if (sc->record->class->refuses_later(sc->record))
        *ret_status = osspi_leg_refuse(run, SEC_E_UNSUPPORTED_FUNCTION);
    else
        return false;
    return true;
}
