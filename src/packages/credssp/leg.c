/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The frame of a leg: input and output, what is repeated, and which part has its turn.
 *
 * Tokens are bytes of the TLS stream. A leg takes whole records, as many as one step of the
 * exchange needs, and gives the rest back as SECBUFFER_EXTRA; an input that does not begin with a
 * whole one is SEC_E_INCOMPLETE_MESSAGE.
 *
 * Two things make a leg come again (context.h, progress): an inner package that wants the blocking
 * lane, and a token for which there was no room. What the leg has taken until then must stand at
 * the beginning of the input again, and is skipped.
 */
#include "packages/credssp/leg.h"

#include <opensspi.h>
#include <string.h>

#include "base/memory.h"
#include "packages/credssp/delegate.h"
#include "packages/schannel/hmac.h"

/* Of the TLS connection's legs: certificates are judged by the binding, not by their chain. */
#define ISC_TLS \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY | ISC_REQ_REPLAY_DETECT | \
     ISC_REQ_SEQUENCE_DETECT | ISC_REQ_STREAM | ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_EXTENDED_ERROR | \
     ISC_REQ_MANUAL_CRED_VALIDATION | ISC_REQ_USE_SUPPLIED_CREDS)
#define ASC_TLS \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_INTEGRITY | ASC_REQ_REPLAY_DETECT | \
     ASC_REQ_SEQUENCE_DETECT | ASC_REQ_STREAM | ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_EXTENDED_ERROR)

/* Granted when asked for: bits that are the same in REQ and RET. */
#define ISC_GRANTED \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY | ISC_REQ_STREAM | ISC_REQ_CONNECTION | \
     ISC_REQ_EXTENDED_ERROR | ISC_REQ_USE_SUPPLIED_CREDS)
#define ASC_GRANTED \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_INTEGRITY | ASC_REQ_STREAM | ASC_REQ_CONNECTION | \
     ASC_REQ_EXTENDED_ERROR)

#define HOST_SIZE 256u

/* ---- lanes ---- */

void osspi_credssp_note_lane(struct osspi_credssp_run *run, const struct osspi_package *package,
                             struct osspi_credential *credential, struct osspi_context *inner)
{
    struct osspi_lane_choice choice = {OSSPI_LANE_CPU, ""};

    if (package->lane)
        package->lane(run->cc->server ? OSSPI_OP_ACCEPT : OSSPI_OP_INITIALIZE, credential, inner,
                      &choice);
    choice.lane = OSSPI_LANE_BLOCKING;
    OSSPI_LOCKED(&run->cc->lane_lock);
    run->cc->lane = choice;
}

static void clear_lane(struct osspi_credssp_context *cc)
{
    OSSPI_LOCKED(&cc->lane_lock);
    cc->lane = (struct osspi_lane_choice){OSSPI_LANE_CPU, ""};
}

void osspi_credssp_lane(enum osspi_operation operation, struct osspi_credential *credential,
                        struct osspi_context *context, struct osspi_lane_choice *ret_choice)
{
    const struct osspi_credssp_credential *data =
        credential ? osspi_credssp_credential(credential) : NULL;
    struct osspi_credssp_context *cc = context ? osspi_credssp(context) : NULL;

    if (data && data->tls && (operation != OSSPI_OP_ACQUIRE || !data->tls_ready))
        osspi_credssp_tls()->lane(operation, data->tls, NULL, ret_choice);
    else if (data && data->nego && operation == OSSPI_OP_ACQUIRE)
        osspi_credssp_nego()->lane(operation, data->nego, NULL, ret_choice);
    if (!cc)
        return;
    OSSPI_LOCKED(&cc->lane_lock);
    if (cc->lane.lane == OSSPI_LANE_BLOCKING)
        *ret_choice = cc->lane;
}

/* ---- the exchange's memory ---- */

static void end_exchange(struct osspi_credssp_context *cc)
{
    struct osspi_credssp_exchange *ex = OSSPI_TAKE(cc->exchange);

    if (!ex)
        return;
    osspi_bytes_clear(&ex->out);
    osspi_bytes_clear(&ex->plain);
    osspi_bytes_clear(&ex->key);
    osspi_ts_request_clear(&ex->request);
    osspi_free(ex->target);
    osspi_secret_free(ex, sizeof(*ex));
}

void osspi_credssp_clear_context(struct osspi_context *context)
{
    struct osspi_credssp_context *cc = osspi_credssp(context);

    end_exchange(cc);
    if (cc->tls)
        osspi_context_discard(cc->tls);
    if (cc->nego)
        osspi_context_discard(cc->nego);
    (void)osspi_context_buffer_free(cc->delegated);
    osspi_credential_unref(cc->credential);
}

static SECURITY_STATUS begin_exchange(struct osspi_credssp_run *run)
{
    struct osspi_credssp_context *cc = run->cc;
    struct osspi_credssp_credential *data = osspi_credssp_credential(cc->credential);
    struct osspi_credssp_exchange *ex = osspi_alloc(sizeof(*ex));
    const char *target = run->leg->target;

    if (!ex)
        return SEC_E_INSUFFICIENT_MEMORY;
    cc->exchange = run->ex = ex;
    ex->min_version = atomic_load_explicit(&data->min_version, memory_order_relaxed);
    ex->max_version = atomic_load_explicit(&data->max_version, memory_order_relaxed);
    ex->refuses_ntlm =
        (atomic_load_explicit(&data->options, memory_order_relaxed) & OSSPI_CREDSSP_NO_NTLM) != 0;
    if (ex->min_version > ex->max_version) /* they were changed in between */
        ex->min_version = ex->max_version;
    if (!cc->server && target && target[0] != '\0') {
        ex->target = osspi_strdup(target);
        if (!ex->target)
            return SEC_E_INSUFFICIENT_MEMORY;
    }
    ex->delegates = !cc->server && run->leg->flags & ISC_REQ_DELEGATE;
    return SEC_E_OK;
}

static SECURITY_STATUS begin(struct osspi_credssp_run *run, bool server)
{
    struct osspi_credssp_context *cc = run->cc;
    struct osspi_credssp_credential *data = osspi_credssp_credential(run->leg->credential);
    struct osspi_context *tls;
    SECURITY_STATUS status = SEC_E_OK;

    cc->server = server;
    /* Better before anything is said than in the last message. */
    if (!server && run->leg->flags & ISC_REQ_DELEGATE && !osspi_ts_can_delegate(data->identity)) {
        osspi_context_detail(run->context, "there is no password that could be delegated");
        return SEC_E_NO_CREDENTIALS;
    }
    if (!cc->credential) {
        osspi_credential_ref(run->leg->credential);
        cc->credential = run->leg->credential;
    }
    if (!cc->exchange)
        status = begin_exchange(run);
    if (status != SEC_E_OK || cc->tls)
        return status;
    tls = osspi_inner_new(osspi_credssp_tls(), data->tls, server);
    if (!tls)
        return SEC_E_INSUFFICIENT_MEMORY;
    atomic_store_explicit(&cc->tls, tls, memory_order_release);
    return SEC_E_OK;
}

/* ---- bytes that come again ---- */

static void digest(const void *bytes, size_t len, uint8_t *ret_digest)
{
    struct osspi_hash_state state;

    osspi_hash_start(&state, OSSPI_HMAC_SHA256);
    osspi_hash_add(&state, bytes, len);
    osspi_hash_end(&state, ret_digest);
}

static void pause_leg(struct osspi_credssp_run *run, bool finished, SECURITY_STATUS status)
{
    struct osspi_credssp_progress *progress = &run->ex->progress;

    *progress = (struct osspi_credssp_progress){
        .active = true, .finished = finished, .status = status, .taken = run->at};
    if (run->at > 0)
        digest(run->token->pvBuffer, run->at, progress->digest);
}

/* How much of the input is known. A caller that only lacked room may come without any. */
static SECURITY_STATUS resume_leg(struct osspi_credssp_run *run)
{
    struct osspi_credssp_progress *progress = &run->ex->progress;
    const size_t len = run->token ? run->token->cbBuffer : 0;
    uint8_t again[sizeof(progress->digest)];

    if (!progress->active || progress->taken == 0 || (progress->finished && len == 0))
        return SEC_E_OK;
    if (len < progress->taken)
        return SEC_E_INVALID_TOKEN;
    digest(run->token->pvBuffer, progress->taken, again);
    if (memcmp(again, progress->digest, sizeof(again)) != 0)
        return SEC_E_INVALID_TOKEN;
    run->at = progress->taken;
    return SEC_E_OK;
}

/* ---- output ---- */

static bool may_allocate(const struct osspi_credssp_run *run)
{
    _Static_assert(ISC_REQ_ALLOCATE_MEMORY == ASC_REQ_ALLOCATE_MEMORY, "one bit for both");
    return (run->leg->flags & ISC_REQ_ALLOCATE_MEMORY) != 0;
}

static SECURITY_STATUS give(struct osspi_credssp_run *run, SecBuffer *place, ULONG type)
{
    const struct osspi_bytes *out = &run->ex->out;
    const bool allocates = may_allocate(run) || !place->pvBuffer;
    const SECURITY_STATUS status = osspi_buffer_give(place, type, out->at, out->len,
                                                     may_allocate(run), SEC_E_INSUFFICIENT_MEMORY);

    _Static_assert(ISC_RET_ALLOCATED_MEMORY == ASC_RET_ALLOCATED_MEMORY, "one bit for both");
    if (status == SEC_E_OK && allocates && out->len > 0)
        run->leg->attributes |= ISC_RET_ALLOCATED_MEMORY;
    return status;
}

static void grant(struct osspi_credssp_run *run)
{
    const struct osspi_credssp_context *cc = run->cc;
    const uint64_t flags = run->leg->flags;

    if (cc->server) {
        run->leg->attributes |=
            (flags & ASC_GRANTED) | ASC_RET_REPLAY_DETECT | ASC_RET_SEQUENCE_DETECT;
        return;
    }
    run->leg->attributes |= (flags & ISC_GRANTED) | ISC_RET_REPLAY_DETECT |
                            ISC_RET_SEQUENCE_DETECT | ISC_RET_MANUAL_CRED_VALIDATION;
    if (flags & ISC_REQ_MUTUAL_AUTH)
        run->leg->attributes |= cc->granted & ISC_RET_MUTUAL_AUTH;
    if (run->ex->stage == OSSPI_CREDSSP_DONE && run->ex->delegates)
        run->leg->attributes |= ISC_RET_DELEGATE;
}

static SECURITY_STATUS deliver(struct osspi_credssp_run *run, SECURITY_STATUS status)
{
    struct osspi_credssp_context *cc = run->cc;
    const size_t len = run->token ? run->token->cbBuffer : 0;
    const SECURITY_STATUS given = give(run, run->place, SECBUFFER_TOKEN);

    if (given != SEC_E_OK) {
        pause_leg(run, true, status);
        return given;
    }
    if (run->alert)
        run->alert->cbBuffer = 0;
    run->ex->progress.active = false;
    osspi_bytes_clear(&run->ex->out);
    grant(run);
    if (run->at < len && run->at > 0)
        (void)osspi_buffers_put(&run->leg->in, run->token, SECBUFFER_EXTRA, (ULONG)(len - run->at),
                                NULL);
    if (status != SEC_E_OK)
        return status;
    run->leg->expiry = cc->expiry;
    cc->granted = run->leg->attributes;
    end_exchange(cc);
    atomic_store_explicit(&cc->done, true, memory_order_release);
    return SEC_E_OK;
}

/* The connection is over. What the peer is to be told goes out where the caller takes it: an alert
 * of TLS's, or the server's errorCode. */
static SECURITY_STATUS fail(struct osspi_credssp_run *run, SECURITY_STATUS status)
{
    const uint64_t wish = run->cc->server ? ASC_REQ_EXTENDED_ERROR : ISC_REQ_EXTENDED_ERROR;
    SecBuffer *place = run->leg->flags & wish ? run->place : NULL;

    run->cc->failure = status;
    if (run->ex->stage == OSSPI_CREDSSP_TLS && run->alert)
        place = run->alert;
    else if (run->ex->stage != OSSPI_CREDSSP_TLS && run->cc->server)
        osspi_server_refuse(run, status);
    else if (run->ex->stage != OSSPI_CREDSSP_TLS)
        osspi_bytes_clear(&run->ex->out); /* a client has nothing more to say */
    if (place != run->place)
        run->place->cbBuffer = 0;
    if (run->alert && place != run->alert)
        run->alert->cbBuffer = 0;
    if (place && run->ex->out.len > 0 &&
        give(run, place, place == run->alert ? SECBUFFER_ALERT : SECBUFFER_TOKEN) == SEC_E_OK)
        run->leg->attributes |= run->cc->server ? ASC_RET_EXTENDED_ERROR : ISC_RET_EXTENDED_ERROR;
    else if (place)
        place->cbBuffer = 0;
    end_exchange(run->cc);
    return status;
}

/* ---- the parts ---- */

/* The host of "service/host:port", for server name indication. */
static const char *host_of(const char *target, char text[HOST_SIZE])
{
    const char *slash = target ? strchr(target, '/') : NULL;
    const char *host = slash ? slash + 1 : target;
    const size_t len = host ? strcspn(host, ":/@") : 0;

    if (len == 0 || len >= HOST_SIZE)
        return NULL;
    memcpy(text, host, len);
    text[len] = '\0';
    return text;
}

static SECURITY_STATUS tls_leg(struct osspi_credssp_run *run, bool first)
{
    struct osspi_context *tls = run->cc->tls;
    char host[HOST_SIZE];
    struct osspi_inner_leg leg = {
        .lane = run->leg->lane,
        .first = first,
        .target = first && !run->cc->server ? host_of(run->ex->target, host) : NULL,
        .flags = run->cc->server ? ASC_TLS : ISC_TLS,
        .in = run->at < run->in.len ? run->in.at + run->at : NULL,
        .in_len = run->in.len - run->at,
        .more = &run->leg->in,
    };
    SECURITY_STATUS status = osspi_inner_leg(run->context, tls, &leg, &run->ex->out);

    if (status == OSSPI_WANT_BLOCKING)
        osspi_credssp_note_lane(run, tls->package, tls->credential, tls);
    else if (status == SEC_E_INCOMPLETE_MESSAGE)
        run->missing = leg.missing;
    else
        run->at += leg.taken;
    return status;
}

/* The handshake, as far as the input goes. */
static SECURITY_STATUS run_tls(struct osspi_credssp_run *run)
{
    /* Of the outer context's first leg, which may come twice, and not of those that follow. */
    SECURITY_STATUS status = tls_leg(run, run->leg->first);

    /* Asked for a certificate a client goes on with what its credential has: mostly none. */
    while (status == SEC_I_INCOMPLETE_CREDENTIALS)
        status = tls_leg(run, false);
    if (status == SEC_E_OK)
        run->ex->stage = run->cc->server ? OSSPI_CREDSSP_TOKENS : OSSPI_CREDSSP_BEGIN;
    return status;
}

static SECURITY_STATUS run_message(struct osspi_credssp_run *run)
{
    SECURITY_STATUS status = osspi_exchange_receive(run);

    if (status != SEC_E_OK)
        return status;
    status = run->cc->server ? osspi_server_step(run) : osspi_client_step(run);
    if (status == OSSPI_WANT_BLOCKING)
        return status;
    run->ex->has_request = false;
    osspi_ts_request_clear(&run->ex->request);
    /* Behind the last message there is nothing that is not the application's: in records of its
     * own. */
    if (status == SEC_E_OK && run->ex->plain.len > 0) {
        osspi_context_detail(run->context, "bytes behind the last TSRequest");
        return SEC_E_ILLEGAL_MESSAGE;
    }
    return status;
}

/* As far as the input leads: to something that is to be sent, to the end, or to its own end. */
static SECURITY_STATUS advance(struct osspi_credssp_run *run)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (run->ex->stage == OSSPI_CREDSSP_TLS) {
        status = run_tls(run);
        if (status != SEC_E_OK)
            return status;
        if (run->cc->server && run->at == run->in.len)
            return SEC_I_CONTINUE_NEEDED;
    }
    if (run->ex->stage == OSSPI_CREDSSP_BEGIN)
        return osspi_client_begin(run);
    do
        status = run_message(run);
    while (status == SEC_I_CONTINUE_NEEDED && run->ex->out.len == 0 && run->at < run->in.len);
    return status;
}

/* A record that has come in part only is no failure, however far the leg has come. */
static SECURITY_STATUS finish(struct osspi_credssp_run *run, SECURITY_STATUS status)
{
    if (status == OSSPI_WANT_BLOCKING) {
        if (run->leg->lane == OSSPI_LANE_BLOCKING)
            return fail(run, SEC_E_INTERNAL_ERROR);
        pause_leg(run, false, SEC_E_OK);
        return status;
    }
    clear_lane(run->cc);
    if (status == SEC_E_INCOMPLETE_MESSAGE && (run->at > 0 || run->ex->out.len > 0))
        status = SEC_I_CONTINUE_NEEDED;
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        if (run->missing == 0)
            run->missing = 1;
        (void)osspi_buffers_put(&run->leg->in, run->token, SECBUFFER_MISSING, (ULONG)run->missing,
                                NULL);
        return status;
    }
    return status < 0 ? fail(run, status) : deliver(run, status);
}

/* ---- entry ---- */

/* Once the exchange is over the legs are the TLS connection's: its end, tickets, KeyUpdates. */
static SECURITY_STATUS pass_on(struct osspi_credssp_run *run)
{
    struct osspi_context *tls = run->cc->tls;
    struct osspi_leg own = *run->leg;
    SECURITY_STATUS status;

    own.credential = tls->credential;
    own.first = false;
    own.target = NULL;
    own.flags &= ~(uint64_t)(run->cc->server ? ASC_REQ_DELEGATE
                                             : ISC_REQ_DELEGATE | ISC_REQ_PROMPT_FOR_CREDS);
    osspi_context_clear_detail(tls);
    status =
        run->cc->server ? tls->package->accept(tls, &own) : tls->package->initialize(tls, &own);
    if (status == OSSPI_WANT_BLOCKING) {
        osspi_credssp_note_lane(run, tls->package, tls->credential, tls);
        return status;
    }
    clear_lane(run->cc);
    run->leg->attributes = own.attributes;
    run->leg->expiry = run->cc->expiry;
    if (status < 0) {
        char text[OSSPI_DETAIL_SIZE];

        if (osspi_context_get_detail(tls, text, sizeof(text)) > 0)
            osspi_context_detail(run->context, "%s", text);
    }
    if (atomic_load(&tls->state) == OSSPI_CONTEXT_FAILED)
        osspi_context_set_state(run->context, OSSPI_CONTEXT_FAILED);
    return status;
}

static SECURITY_STATUS parse(struct osspi_credssp_run *run)
{
    const struct osspi_leg *leg = run->leg;

    run->token = osspi_buffers_find(&leg->in, SECBUFFER_TOKEN);
    run->alert = osspi_buffers_find(&leg->out, SECBUFFER_ALERT);
    run->place = osspi_buffers_find(&leg->out, SECBUFFER_TOKEN);
    if (!run->place)
        run->place = osspi_buffers_find(&leg->out, SECBUFFER_EMPTY);
    return run->place && !osspi_buffers_find_nth(&leg->in, SECBUFFER_TOKEN, 1)
               ? SEC_E_OK
               : SEC_E_INVALID_TOKEN;
}

/* A later leg may repeat the target or leave it out. */
static bool same_target(const struct osspi_credssp_run *run)
{
    const char *target = run->leg->target;

    return run->cc->server || !target || target[0] == '\0' ||
           (run->ex->target && strcmp(target, run->ex->target) == 0);
}

static SECURITY_STATUS refuse(const struct osspi_credssp_run *run, SECURITY_STATUS status)
{
    run->place->cbBuffer = 0;
    if (run->alert)
        run->alert->cbBuffer = 0;
    return status;
}

static SECURITY_STATUS check(struct osspi_credssp_run *run, bool server)
{
    const uint64_t refused = server
                                 ? ASC_REQ_DATAGRAM | ASC_REQ_MESSAGES
                                 : ISC_REQ_DATAGRAM | ISC_REQ_MESSAGES | ISC_REQ_PROMPT_FOR_CREDS;
    SECURITY_STATUS status;

    if (run->leg->flags & refused)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (run->leg->first) {
        status = begin(run, server);
        if (status != SEC_E_OK)
            return status;
    }
    if (run->cc->failure != SEC_E_OK)
        return run->cc->failure;
    run->ex = run->cc->exchange;
    return same_target(run) ? resume_leg(run) : SEC_E_WRONG_PRINCIPAL;
}

static SECURITY_STATUS run_leg(struct osspi_context *context, struct osspi_leg *leg, bool server)
{
    struct osspi_credssp_run run = {.context = context, .cc = osspi_credssp(context), .leg = leg};
    SECURITY_STATUS status = parse(&run);

    if (status != SEC_E_OK)
        return status;
    if (osspi_credssp_is_done(run.cc))
        return pass_on(&run);
    status = check(&run, server);
    if (status != SEC_E_OK)
        return refuse(&run, status);
    if (run.ex->progress.active && run.ex->progress.finished)
        return deliver(&run, run.ex->progress.status);
    if (run.token && !osspi_bytes_add(&run.in, run.token->pvBuffer, run.token->cbBuffer))
        return refuse(&run, SEC_E_INSUFFICIENT_MEMORY);
    run.ex->progress.active = false;
    status = finish(&run, advance(&run));
    osspi_bytes_clear(&run.in);
    return status;
}

SECURITY_STATUS osspi_credssp_initialize(struct osspi_context *context, struct osspi_leg *leg)
{
    return run_leg(context, leg, false);
}

SECURITY_STATUS osspi_credssp_accept(struct osspi_context *context, struct osspi_leg *leg)
{
    return run_leg(context, leg, true);
}
