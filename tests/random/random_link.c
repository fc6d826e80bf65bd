/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Connections that try to get on while everything else happens; see random.h.
 *
 * A link is a pair of ends, each with a mailbox. Any thread may do the next thing of an end: a leg,
 * synchronous or not, a message, reading. An end is handed to one thread, or to one asynchronous
 * call, at a time; its handle is published, so that others disturb it. What fails begins anew.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "random/random.h"
#include "support/contract_status.h"

#define LINKS 6u

struct random_end {
    pthread_mutex_t lock; /* guards all below but server and record, which are constant */
    bool server;
    struct random_record *record;
    bool busy; /* an asynchronous leg is on its way */
    CtxtHandle context;
    bool has_context, established;
    SecPkgContext_StreamSizes sizes;
    struct peer_stream in;
    uint64_t epoch; /* of the connection that this belongs to */
    struct random_end *peer;
    struct link *link;
};

static struct link {
    struct random_end client, server;
    _Atomic uint64_t epoch; /* raised to give the connection up */
} links[LINKS];

static _Atomic uint64_t established, messages;

uint64_t random_links_established(void)
{
    return atomic_load(&established);
}

uint64_t random_links_messages(void)
{
    return atomic_load(&messages);
}

/* ---- beginning and giving up ---- */

static void give_up(struct random_end *end)
{
    atomic_fetch_add(&end->link->epoch, 1);
}

static void renew_locked(struct random_end *end)
{
    uint64_t epoch = atomic_load(&end->link->epoch);

    if (end->epoch == epoch)
        return;
    if (end->has_context)
        random_delete_context(end->context);
    end->has_context = end->established = false;
    peer_clear(&end->in);
    end->epoch = epoch;
}

/* Bytes of one epoch only ever reach an end of the same. */
static void deliver(struct random_end *to, uint64_t epoch, const void *bytes, size_t len)
{
    pthread_mutex_lock(&to->lock);
    if (!to->busy)
        renew_locked(to);
    if (to->epoch == epoch)
        peer_push(&to->in, bytes, len);
    pthread_mutex_unlock(&to->lock);
}

static void open_end(struct random_end *end, struct link *link, bool server)
{
    *end = (struct random_end){.server = server, .link = link};
    pthread_mutex_init(&end->lock, NULL);
    end->record = random_record_new();
    end->peer = server ? &link->client : &link->server;
}

void random_links_open(void)
{
    for (unsigned i = 0; i < LINKS; i++) {
        open_end(&links[i].client, &links[i], false);
        open_end(&links[i].server, &links[i], true);
    }
}

static void close_end(struct random_end *end)
{
    pthread_mutex_lock(&end->lock);
    TEST_REQUIRE(!end->busy);
    give_up(end);
    renew_locked(end);
    pthread_mutex_unlock(&end->lock);
    pthread_mutex_destroy(&end->lock);
}

void random_links_close(void)
{
    for (unsigned i = 0; i < LINKS; i++) {
        close_end(&links[i].client);
        close_end(&links[i].server);
    }
}

/* ---- legs ---- */

/* What a leg with this much input has come to; the end's lock is held. Returns bytes for the peer
 * by counting them in the op. */
static void apply_locked(struct random_end *end, struct random_op *op, SECURITY_STATUS status)
{
    ULONG extra = op->in[1].BufferType == SECBUFFER_EXTRA ? op->in[1].cbBuffer : 0;

    if (status < 0) {
        if (status != SEC_E_INCOMPLETE_MESSAGE)
            give_up(end);
        op->out[0].cbBuffer = 0;
        return;
    }
    if (!end->has_context) {
        end->context = op->context;
        end->has_context = true;
        random_publish(RANDOM_CONTEXTS, end->context);
    }
    TEST_REQUIRE(extra <= op->in_len && op->in_len <= end->in.len);
    peer_drop(&end->in, op->in_len - extra);
    if (status != SEC_E_OK || end->established)
        return;
    if (QueryContextAttributesA(&end->context, SECPKG_ATTR_STREAM_SIZES, &end->sizes) != SEC_E_OK) {
        give_up(end); /* somebody has deleted it, or closed it */
        return;
    }
    end->established = true;
    if (end->server)
        atomic_fetch_add(&established, 1);
}

void random_link_done(struct random_op *op, SECURITY_STATUS status)
{
    struct random_end *end = op->end, *peer = end->peer;
    uint64_t epoch;
    SecBuffer out;

    pthread_mutex_lock(&end->lock);
    apply_locked(end, op, status);
    end->busy = false;
    epoch = end->epoch;
    out = op->out[0];
    renew_locked(end);
    pthread_mutex_unlock(&end->lock);
    deliver(peer, epoch, op->out_bytes, out.cbBuffer);
}

void random_link_refused(struct random_op *op)
{
    struct random_end *end = op->end;

    pthread_mutex_lock(&end->lock);
    end->busy = false;
    pthread_mutex_unlock(&end->lock);
}

static ULONG flags_of(const struct random_end *end)
{
    return end->server ? ASC_REQ_STREAM | ASC_REQ_EXTENDED_ERROR
                       : ISC_REQ_STREAM | ISC_REQ_EXTENDED_ERROR;
}

static SECURITY_STATUS leg_now(struct random_end *end, struct random_op *op, PCtxtHandle old)
{
    if (end->server)
        return AcceptSecurityContext(&random_world.server, old, &op->in_desc, flags_of(end), 0,
                                     &op->context, &op->out_desc, &op->attributes, &op->expiry);
    return InitializeSecurityContextA(&random_world.client, old, (LPSTR)PEER_TARGET, flags_of(end),
                                      0, 0, &op->in_desc, 0, &op->context, &op->out_desc,
                                      &op->attributes, &op->expiry);
}

static SECURITY_STATUS leg_queued(struct random_end *end, struct random_op *op, PCtxtHandle old)
{
    SspiAsyncContext *async = random_record_value(end->record);

    if (end->server)
        return SspiAcceptSecurityContextAsync(async, &random_world.server, old, &op->in_desc,
                                              flags_of(end), 0, &op->context, &op->out_desc,
                                              &op->attributes, &op->expiry);
    return SspiInitializeSecurityContextAsyncA(async, &random_world.client, old, (LPSTR)PEER_TARGET,
                                               flags_of(end), 0, 0, &op->in_desc, 0, &op->context,
                                               &op->out_desc, &op->attributes, &op->expiry);
}

/* The end is busy from here on, so its lock need not be held, and nobody else makes a leg. */
static void leg(struct random_thread *thread, struct random_end *end, struct random_op *op,
                CtxtHandle context, bool has_context)
{
    PCtxtHandle old = has_context ? &context : NULL;
    SECURITY_STATUS status;

    if (random_chance(thread, 50)) {
        status = leg_now(end, op, old);
        contract_require(op->function, status);
        random_link_done(op, status);
        random_op_free(op);
        return;
    }
    if (!random_record_begin(end->record, op)) {
        random_link_refused(op); /* the callback before has not quite left yet */
        random_op_free(op);
        return;
    }
    random_record_end(thread, end->record, op, leg_queued(end, op, old));
}

static void begin_leg(struct random_thread *thread, struct random_end *end)
{
    struct random_op *op =
        random_op_new(end->server ? "AcceptSecurityContext" : "InitializeSecurityContext",
                      end->in.bytes, end->in.len);
    CtxtHandle context = end->context;
    bool has_context = end->has_context;

    op->end = end;
    end->busy = true;
    pthread_mutex_unlock(&end->lock);
    leg(thread, end, op, context, has_context);
}

/* ---- messages; the end's lock is held, which also keeps them apart from legs ---- */

static void send_message(struct random_thread *thread, struct random_end *end)
{
    struct peer_end sealing = {.context = end->context, .sizes = end->sizes}, sink = {.in = {0}};
    uint64_t epoch = end->epoch;
    SECURITY_STATUS status = peer_send(&sealing, &sink, thread->out, random_below(thread, 1000));

    contract_require("EncryptMessage", status);
    if (status < 0)
        give_up(end);
    pthread_mutex_unlock(&end->lock);
    deliver(end->peer, epoch, sink.in.bytes, sink.in.len);
    peer_clear(&sink.in);
}

static void read_message(struct random_thread *thread, struct random_end *end)
{
    SecBuffer buffers[4] = {{(ULONG)end->in.len, SECBUFFER_DATA, end->in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status = DecryptMessage(&end->context, &message, 0, NULL);

    contract_require("DecryptMessage", status);
    if (status >= 0)
        peer_drop(&end->in, end->in.len - buffers[3].cbBuffer);
    if (status == SEC_E_OK)
        atomic_fetch_add(&messages, 1);
    if (status == SEC_I_RENEGOTIATE) {
        begin_leg(thread, end);
        return;
    }
    if (status != SEC_E_OK && status != SEC_E_INCOMPLETE_MESSAGE)
        give_up(end);
    pthread_mutex_unlock(&end->lock);
}

void random_link_step(struct random_thread *thread)
{
    struct link *link = &links[random_below(thread, LINKS)];
    struct random_end *end = random_chance(thread, 50) ? &link->client : &link->server;

    if (pthread_mutex_trylock(&end->lock) != 0)
        return;
    if (end->busy) {
        pthread_mutex_unlock(&end->lock);
        return;
    }
    if (random_below(thread, 400) == 0)
        give_up(end);
    renew_locked(end);
    if (!end->established && (end->in.len > 0 || (!end->server && !end->has_context)))
        begin_leg(thread, end);
    else if (end->established && end->in.len > 0 && random_chance(thread, 70))
        read_message(thread, end);
    else if (end->established && end->in.len < 100000)
        send_message(thread, end);
    else
        pthread_mutex_unlock(&end->lock);
}
