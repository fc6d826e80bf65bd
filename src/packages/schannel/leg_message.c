/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs in message mode; see message_mode.h. Both sides of the context are held.
 *
 * What a leg takes is copied first: whole messages, as far as the read keys stay the same. Callers
 * hand the memory of their input in as room for output, and come back with the same input after
 * answers that count nothing as consumed (a buffer was too small, an extension is reported, a
 * certificate is wanted, the leg moves to the blocking lane). So they are told again by what was
 * taken, and it is skipped; the result stays until it finds room.
 *
 * The one leg after which nothing is kept is a first one that fails: there is no context then, and
 * the caller starts anew.
 */
#include <stdatomic.h>

#include "base/memory.h"
#include "packages/schannel/leg.h"
#include "packages/schannel/leg_extension.h"
#include "packages/schannel/leg_message.h"
#include "packages/schannel/record_aead.h"

static struct osspi_message_handshake *handshake_of(const struct osspi_leg_run *run)
{
    return run->sc->handshake->messages;
}

/* ---- what a handshake keeps ---- */

SECURITY_STATUS osspi_message_begin(struct osspi_schannel_context *sc)
{
    if (!sc->handshake->messages)
        sc->handshake->messages = osspi_alloc(sizeof(*sc->handshake->messages));
    return sc->handshake->messages ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static void drop_inbox(struct osspi_message_handshake *messages)
{
    osspi_secret_free(messages->inbox, messages->inbox_len);
    messages->inbox = NULL;
    messages->inbox_len = messages->inbox_at = 0;
}

void osspi_message_end(struct osspi_message_handshake *messages)
{
    if (!messages)
        return;
    drop_inbox(messages);
    osspi_messages_clear(&messages->tls);
    osspi_secret_free(messages, sizeof(*messages));
}

/* ---- bytes that come again ---- */

static void mark(struct osspi_message_mark *mark, const uint8_t *bytes, size_t len)
{
    *mark = (struct osspi_message_mark){len, osspi_input_checksum(bytes, len)};
}

static bool is_marked(const struct osspi_message_mark *mark, const struct osspi_leg_input *in)
{
    return mark->len > 0 && in->len >= mark->len &&
           osspi_input_checksum(in->bytes, mark->len) == mark->checksum;
}

/* The leg's input, of which `consumed` bytes are in, will come again, or none. */
static void expect_again(struct osspi_leg_run *run, size_t consumed)
{
    struct osspi_message_handshake *messages = handshake_of(run);

    messages->repeats = true;
    if (run->in.len > 0)
        mark(&messages->taken, run->in.bytes, consumed);
}

/* How much of the input is in already. SEC_E_INVALID_TOKEN: another one was expected. */
static SECURITY_STATUS skip_taken(const struct osspi_leg_run *run, size_t *ret_consumed)
{
    const struct osspi_message_handshake *messages = handshake_of(run);

    *ret_consumed = 0;
    if (!messages->repeats || run->in.len == 0)
        return SEC_E_OK;
    if (is_marked(&messages->taken, &run->in) || is_marked(&messages->painted, &run->in))
        *ret_consumed = messages->taken.len;
    else if (messages->taken.len > 0 && messages->phase != OSSPI_MESSAGE_ASKED)
        return SEC_E_INVALID_TOKEN;
    return SEC_E_OK;
}

/* ---- how a leg ends ---- */

static void give_nothing(struct osspi_leg_run *run)
{
    (void)osspi_leg_output_failure(&run->out, NULL, 0);
    osspi_message_secrets_give(&run->leg->out, NULL, NULL);
}

/* Nothing but an alert: two bytes, in the buffer for it or in one that nobody has named. */
static void give_alert(struct osspi_leg_run *run, uint8_t level, uint8_t description)
{
    const uint8_t alert[] = {level, description};
    SecBuffer *place = run->out.alert;
    const ULONG room = place ? place->cbBuffer : 0;

    give_nothing(run); /* which counts the alert's buffer as empty */
    if (place)
        place->cbBuffer = room;
    for (ULONG i = 0; !place && i < run->leg->out.count; i++) {
        SecBuffer *buffer = &run->leg->out.items[i];

        if (buffer != run->out.token && osspi_buffer_type(buffer) == SECBUFFER_EMPTY)
            place = buffer;
    }
    if (!place)
        return;
    if (osspi_buffer_give(place, SECBUFFER_ALERT, alert, sizeof(alert), run->out.allocate,
                          SEC_E_BUFFER_TOO_SMALL) != SEC_E_OK) {
        if (place == run->out.alert)
            place->cbBuffer = 0;
    } else if (run->out.allocate) {
        run->out.allocated = true;
    }
}

static SECURITY_STATUS refuse(struct osspi_leg_run *run, SECURITY_STATUS status)
{
    give_nothing(run);
    return status;
}

/* The context is over; `description` tells the peer why, and every later leg says it again. */
static SECURITY_STATUS fail(struct osspi_leg_run *run, SECURITY_STATUS status, uint8_t description)
{
    struct osspi_schannel_context *sc = run->sc;

    osspi_schannel_fail(run->context, status);
    osspi_leg_sent(sc); /* messages that were made lead nowhere now */
    sc->alert = (struct osspi_wanted_alert){false, TLS1_ALERT_FATAL, description};
    return osspi_message_failed(run, status);
}

SECURITY_STATUS osspi_message_failed(struct osspi_leg_run *run, SECURITY_STATUS status)
{
    if (run->sc->alert.level == TLS1_ALERT_FATAL)
        give_alert(run, TLS1_ALERT_FATAL, run->sc->alert.description);
    else
        give_nothing(run);
    run->leg->attributes = osspi_leg_granted(run->sc, run->leg, &run->out, false);
    return status;
}

/* The TLS library, or what is to be done around it, has failed. */
static SECURITY_STATUS fail_here(struct osspi_leg_run *run, SECURITY_STATUS status)
{
    const uint8_t made = run->sc->tls ? osspi_tls_alert_made(run->sc->tls) : 0;

    return fail(run, status, made != 0 ? made : OSSPI_ALERT_INTERNAL_ERROR);
}

/* ---- what a leg hands out ---- */

static bool allocates(const struct osspi_leg_run *run, const SecBuffer *buffer)
{
    return run->out.allocate || !buffer->pvBuffer;
}

static SECURITY_STATUS check_room(const struct osspi_leg_run *run, size_t token_len,
                                  const struct osspi_message_plan *plan)
{
    if (!allocates(run, run->out.token) && run->out.token->cbBuffer < token_len)
        return SEC_E_BUFFER_TOO_SMALL;
    return osspi_message_secrets_fit(&run->leg->out, plan,
                                     osspi_suite_find(handshake_of(run)->tls.suite));
}

/* Neither secrets nor an alert; the token's buffer stays as it is. */
static SECURITY_STATUS give_later(struct osspi_leg_run *run, SECURITY_STATUS status)
{
    osspi_message_secrets_give(&run->leg->out, NULL, NULL);
    if (run->out.alert)
        run->out.alert->cbBuffer = 0;
    return status;
}

/* The result does not fit: it stays for the next leg. */
static SECURITY_STATUS put_off(struct osspi_leg_run *run, SECURITY_STATUS status, size_t consumed)
{
    expect_again(run, consumed);
    return give_later(run, status);
}

/* What waits comes with the leg that follows; the input may look different then. */
static SECURITY_STATUS report_extension(struct osspi_leg_run *run, size_t consumed)
{
    struct osspi_message_handshake *messages = handshake_of(run);
    struct osspi_message_mark taken;
    uint64_t painted = 0;
    SECURITY_STATUS status;

    mark(&taken, run->in.bytes, consumed);
    status = osspi_extension_report(run, messages->result == SEC_E_OK, consumed, &painted);
    if (status == SEC_E_OK)
        return status;
    messages->repeats = true;
    if (run->in.len > 0) {
        messages->taken = taken;
        messages->painted = (struct osspi_message_mark){painted != 0 ? consumed : 0, painted};
    }
    return give_later(run, status);
}

static SECURITY_STATUS deliver(struct osspi_leg_run *run, size_t consumed)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_message_handshake *messages = handshake_of(run);
    const SECURITY_STATUS result = messages->result;
    struct osspi_message_plan plan;
    const uint8_t *bytes;
    size_t len;
    SECURITY_STATUS status = osspi_leg_outgoing(sc, &bytes, &len);

    if (status == SEC_E_OK)
        status = osspi_message_plan(&messages->tls, sc->server, &plan);
    if (status != SEC_E_OK) {
        osspi_context_detail(run->context, "the flight is longer than offsets can tell");
        return fail_here(run, status);
    }
    status = report_extension(run, consumed);
    if (status != SEC_E_OK)
        return status;
    status = check_room(run, len, &plan);
    if (status == SEC_E_OK)
        status = osspi_leg_output_token(&run->out, bytes, len);
    if (status != SEC_E_OK)
        return put_off(run, status, consumed);
    osspi_message_secrets_give(&run->leg->out, &plan, osspi_suite_find(messages->tls.suite));
    osspi_leg_sent(sc);
    messages->tls.told = messages->tls.known;
    memset(messages->tls.flight, 0, sizeof(messages->tls.flight));
    messages->repeats = false;
    messages->phase = OSSPI_MESSAGE_IDLE;
    if (result == SEC_E_OK)
        osspi_leg_establish(run);
    osspi_leg_report(run, consumed);
    return result;
}

static SECURITY_STATUS settle(struct osspi_leg_run *run, SECURITY_STATUS result, size_t consumed)
{
    struct osspi_message_handshake *messages = handshake_of(run);

    messages->phase = OSSPI_MESSAGE_READY;
    messages->result = result;
    return deliver(run, consumed);
}

/* ---- steps ---- */

/* The keys of the application's level are the caller's: no record is ever protected with them. */
static void forget_traffic(struct osspi_record_aead *record)
{
    osspi_secure_zero(record->write.secret, sizeof(record->write.secret));
    osspi_secure_zero(record->read.secret, sizeof(record->read.secret));
}

static SECURITY_STATUS finish(struct osspi_leg_run *run, size_t consumed)
{
    struct osspi_schannel_context *sc = run->sc;
    SECURITY_STATUS status;

    osspi_tls_leave_messages(sc->tls);
    status = osspi_leg_complete(run);
    if (status != SEC_E_OK)
        return fail_here(run, status);
    forget_traffic(osspi_record_own(sc->record));
    return settle(run, SEC_E_OK, consumed);
}

static SECURITY_STATUS move_to_blocking_lane(struct osspi_leg_run *run, size_t consumed)
{
    if (run->leg->lane == OSSPI_LANE_BLOCKING)
        return fail_here(run, SEC_E_INTERNAL_ERROR);
    expect_again(run, consumed);
    handshake_of(run)->phase = OSSPI_MESSAGE_PAUSED;
    osspi_schannel_lane_note(run->sc, osspi_tls_class(run->sc->tls));
    return OSSPI_WANT_BLOCKING;
}

/* The caller comes back with the same input, with none, or with what was EXTRA. */
static SECURITY_STATUS ask_for_credentials(struct osspi_leg_run *run, size_t consumed)
{
    expect_again(run, consumed);
    handshake_of(run)->phase = OSSPI_MESSAGE_ASKED;
    give_nothing(run);
    osspi_leg_report(run, consumed);
    return SEC_I_INCOMPLETE_CREDENTIALS;
}

static SECURITY_STATUS after_step(struct osspi_leg_run *run, enum osspi_tls_step step,
                                  size_t consumed)
{
    osspi_leg_tell_news(run->sc);
    switch (step) {
    case OSSPI_TLS_WANT_INPUT:
        return settle(run, SEC_I_CONTINUE_NEEDED, consumed);
    case OSSPI_TLS_DONE:
        return finish(run, consumed);
    case OSSPI_TLS_WANT_CREDENTIALS:
        return ask_for_credentials(run, consumed);
    case OSSPI_TLS_WANT_BLOCKING:
        return move_to_blocking_lane(run, consumed);
    default:
        osspi_leg_tell_detail(run->context);
        return fail_here(run, osspi_tls_failure(run->sc->tls));
    }
}

/* ---- input ---- */

/* Puts the whole messages at the start of bytes behind what waits. SEC_E_OK, also for none;
 * SEC_E_INSUFFICIENT_MEMORY: nothing was taken. */
static SECURITY_STATUS keep(struct osspi_message_handshake *messages, const uint8_t *bytes,
                            size_t len)
{
    const size_t left = messages->inbox_len - messages->inbox_at;
    uint8_t *grown;

    if (len == 0)
        return SEC_E_OK;
    grown = osspi_alloc(left + len);
    if (!grown)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (left > 0)
        memcpy(grown, messages->inbox + messages->inbox_at, left);
    memcpy(grown + left, bytes, len);
    drop_inbox(messages);
    messages->inbox = grown;
    messages->inbox_len = left + len;
    return SEC_E_OK;
}

static enum osspi_tls_step feed_inbox(struct osspi_schannel_context *sc, enum osspi_tls_step step)
{
    struct osspi_message_handshake *messages = sc->handshake->messages;

    while (step == OSSPI_TLS_WANT_INPUT && messages->inbox_at < messages->inbox_len) {
        const uint8_t *message = messages->inbox + messages->inbox_at;
        bool taken;

        step = osspi_tls_feed_message(sc->tls, message, osspi_message_len(message), &taken);
        if (taken) {
            sc->handshake->heard = true;
            messages->inbox_at += osspi_message_len(message);
        }
    }
    if (messages->inbox_at == messages->inbox_len)
        drop_inbox(messages);
    return step;
}

static SECURITY_STATUS fail_message(struct osspi_leg_run *run, uint8_t alert)
{
    osspi_context_detail(run->context, "what the peer has sent is no handshake message that may "
                                       "stand here");
    return fail(run,
                osspi_schannel_established(run->sc) || run->sc->handshake->heard
                    ? SEC_E_ILLEGAL_MESSAGE
                    : SEC_E_INVALID_TOKEN,
                alert);
}

/* Without a place to tell it, bytes that are not taken would be lost to the caller. */
static bool can_tell_extra(const struct osspi_leg_input *in)
{
    return osspi_buffers_find(&in->buffers, SECBUFFER_EMPTY) != NULL;
}

/* Goes on with what waits, and with whole messages behind `consumed` bytes of the input. fresh:
 * nothing has happened yet in this leg. */
static SECURITY_STATUS go_on(struct osspi_leg_run *run, enum osspi_tls_step step, size_t consumed,
                             bool fresh)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_message_handshake *messages = handshake_of(run);
    struct osspi_message_cut cut;

    step = feed_inbox(sc, step);
    while (step == OSSPI_TLS_WANT_INPUT && consumed < run->in.len) {
        cut = osspi_message_cut(run->in.bytes + consumed, run->in.len - consumed,
                                osspi_messages_read_level(&messages->tls, sc->server), sc->server);
        if (cut.whole == 0 && fresh)
            return cut.alert != 0 ? fail_message(run, cut.alert)
                                  : osspi_leg_incomplete(run, cut.missing);
        if (cut.whole == 0)
            break;
        if (keep(messages, run->in.bytes + consumed, cut.whole) != SEC_E_OK)
            return fresh ? refuse(run, SEC_E_INSUFFICIENT_MEMORY)
                         : fail_here(run, SEC_E_INSUFFICIENT_MEMORY);
        consumed += cut.whole;
        fresh = false;
        step = feed_inbox(sc, step);
        if (can_tell_extra(&run->in))
            break;
    }
    return after_step(run, step, consumed);
}

SECURITY_STATUS osspi_message_look(struct osspi_leg_run *run)
{
    const struct osspi_message_cut cut =
        osspi_message_cut(run->in.bytes, run->in.len, OSSPI_LEVEL_INITIAL, true);

    if (cut.alert != 0) {
        osspi_context_detail(run->context, "the first bytes are no ClientHello of QUIC");
        give_alert(run, TLS1_ALERT_FATAL, cut.alert);
        return SEC_E_INVALID_TOKEN;
    }
    return cut.whole > 0 ? SEC_E_OK : osspi_leg_incomplete(run, cut.missing);
}

/* ---- legs of the handshake ---- */

/* An alert that the caller wants to send: it does so itself, with the two bytes it gets back. */
static SECURITY_STATUS give_wanted_alert(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    const bool closes =
        sc->alert.level == TLS1_ALERT_FATAL || sc->alert.description == TLS1_ALERT_CLOSE_NOTIFY;

    sc->alert.wanted = false;
    give_alert(run, sc->alert.level, sc->alert.description);
    if (closes && sc->handshake)
        sc->handshake->shut = true;
    sc->closing = sc->closing || closes;
    osspi_leg_report(run, 0);
    return SEC_E_OK;
}

static SECURITY_STATUS go_on_with_credentials(struct osspi_leg_run *run, size_t consumed)
{
    SECURITY_STATUS status =
        osspi_tls_supply(run->sc->tls, run->leg->credential ? run->leg->credential->data : NULL,
                         osspi_leg_allows_default(run->leg));

    if (status != SEC_E_OK)
        return refuse(run, status);
    handshake_of(run)->phase = OSSPI_MESSAGE_IDLE;
    return go_on(run, osspi_tls_handshake(run->sc->tls, NULL, 0), consumed, false);
}

static SECURITY_STATUS resume(struct osspi_leg_run *run, size_t consumed)
{
    const bool suspended = osspi_tls_suspended(run->sc->tls);

    handshake_of(run)->phase = OSSPI_MESSAGE_IDLE;
    osspi_schannel_lane_note(run->sc, NULL);
    return go_on(run, suspended ? osspi_tls_handshake(run->sc->tls, NULL, 0) : OSSPI_TLS_WANT_INPUT,
                 consumed, false);
}

static SECURITY_STATUS go_ahead(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;

    if (run->leg->first && !sc->server)
        return after_step(run, osspi_tls_handshake(sc->tls, NULL, 0), 0);
    if (run->in.len == 0)
        return osspi_leg_incomplete(run, OSSPI_MESSAGE_HEADER);
    return go_on(run, OSSPI_TLS_WANT_INPUT, 0, true);
}

static SECURITY_STATUS handshake(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    size_t consumed;
    SECURITY_STATUS status;

    if (sc->tls)
        osspi_tls_lane(sc->tls, run->leg->lane);
    if (run->in.len == 0 && sc->alert.wanted)
        return give_wanted_alert(run);
    if (sc->handshake->shut)
        return run->in.len == 0 ? osspi_leg_incomplete(run, OSSPI_MESSAGE_HEADER)
                                : refuse(run, SEC_E_CONTEXT_EXPIRED);
    status = skip_taken(run, &consumed);
    if (status != SEC_E_OK)
        return refuse(run, status);
    switch (handshake_of(run)->phase) {
    case OSSPI_MESSAGE_READY:
        return deliver(run, consumed);
    case OSSPI_MESSAGE_PAUSED:
        return resume(run, consumed);
    case OSSPI_MESSAGE_ASKED:
        return go_on_with_credentials(run, consumed);
    default:
        return go_ahead(run);
    }
}

/* ---- legs after it ---- */

static SECURITY_STATUS take_ticket(struct osspi_leg_run *run, const uint8_t *message, size_t len)
{
    struct osspi_record_aead *record = osspi_record_own(run->sc->record);
    SECURITY_STATUS status = SEC_E_OK;

    if (!osspi_message_ticket_fits(message, len))
        return fail_message(run, OSSPI_ALERT_ILLEGAL_PARAMETER);
    switch (osspi_record_take_messages(record, OSSPI_TYPE_HANDSHAKE, message, len, &status)) {
    case OSSPI_RECORD_POST_HANDSHAKE:
        return SEC_E_OK;
    case OSSPI_RECORD_RETRY:
        return refuse(run, status);
    default:
        osspi_leg_tell_detail(run->context);
        return fail(run, status, record->fatal);
    }
}

/* One after the other; *consumed grows by those that were taken. */
static SECURITY_STATUS take_tickets(struct osspi_leg_run *run, size_t len, size_t *consumed)
{
    struct osspi_record_aead *record = osspi_record_own(run->sc->record);
    SECURITY_STATUS status = SEC_E_OK;

    while (status == SEC_E_OK && *consumed < len) {
        const uint8_t *message = run->in.bytes + *consumed;

        status = take_ticket(run, message, osspi_message_len(message));
        if (status == SEC_E_OK)
            *consumed += osspi_message_len(message);
    }
    if (status == SEC_E_OK && record->later)
        osspi_record_release_tls(record);
    return status == SEC_E_INSUFFICIENT_MEMORY && *consumed > 0 ? SEC_E_OK : status;
}

static SECURITY_STATUS established(struct osspi_leg_run *run)
{
    struct osspi_schannel_context *sc = run->sc;
    struct osspi_message_cut cut;
    size_t consumed = 0;
    SECURITY_STATUS status;

    if (run->in.len == 0 && sc->alert.wanted)
        return give_wanted_alert(run);
    if (run->in.len == 0 && sc->closing)
        return osspi_leg_incomplete(run, OSSPI_MESSAGE_HEADER);
    cut = osspi_message_cut(run->in.bytes, run->in.len, OSSPI_LEVEL_APPLICATION, sc->server);
    if (cut.alert != 0) {
        osspi_context_detail(run->context, "a handshake message that QUIC does not allow after the "
                                           "handshake");
        return fail(run, SEC_E_ILLEGAL_MESSAGE, cut.alert);
    }
    if (run->in.len > 0 && cut.whole == 0)
        return osspi_leg_incomplete(run, cut.missing);
    status = take_tickets(run, cut.whole, &consumed);
    if (status != SEC_E_OK)
        return status;
    give_nothing(run);
    osspi_leg_report(run, consumed);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_leg_message(struct osspi_leg_run *run)
{
    return osspi_schannel_established(run->sc) ? established(run) : handshake(run);
}
