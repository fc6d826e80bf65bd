/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: asynchronous calls in any order, on a handful of async contexts, with and without a
 * completion queue, while their handshakes go on or not.
 *
 * Input: steps, each a byte that names one and a byte that says on which slot. How threads meet is
 * not in the input, so this target looks for wrong orders of calls, not for races; those are for
 * the random driver (tests/random).
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/contract_status.h"

#define SLOTS     4u
#define MAX_STEPS 60

struct slot {
    SspiAsyncContext *async; /* NULL: freed */
    SspiAsyncContext *stale; /* what it was before */
    CtxtHandle context;      /* written by a leg, read when the call is complete */
    bool busy;               /* a call was accepted, and its end was not awaited */
    uint8_t *room;
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    _Atomic unsigned callbacks, expected;
    _Atomic bool reused; /* Reinit while the callback ran, so the next call may pend meanwhile */
};

static struct slot slots[SLOTS]; /* guarded by being used on one thread, but for the counters */
static OsspiCompletionQueue *queue;
static uint8_t hello[2048];
static size_t hello_len;

static void on_done(SspiAsyncContext *async, void *data)
{
    struct slot *slot = data;

    TEST_REQUIRE(SspiGetAsyncCallStatus(async) != SEC_I_ASYNC_CALL_PENDING ||
                 atomic_load(&slot->reused));
    atomic_fetch_add(&slot->callbacks, 1);
}

void fuzz_prepare(void)
{
    struct fuzz_end client;

    fuzz_end_init_plain(&client, fuzz_client(FUZZ_CLIENT_ANY), false);
    fuzz_feed(&client);
    TEST_REQUIRE(client.sent.len > 0 && client.sent.len <= sizeof(hello));
    memcpy(hello, client.sent.bytes, client.sent.len);
    hello_len = client.sent.len;
    fuzz_end_free(&client);
    (void)fuzz_server(FUZZ_SERVER_EC);
    for (unsigned i = 0; i < SLOTS; i++)
        slots[i].room = fuzz_room(PEER_OUT_SIZE);
}

/* Until the call is complete and its callback has run. */
static void settle(struct slot *slot)
{
    if (!slot->busy)
        return;
    while (atomic_load(&slot->callbacks) < atomic_load(&slot->expected)) {
        if (queue)
            OsspiDrainCompletions(queue, 0);
        if (slot->async)
            (void)OsspiWaitAsyncCall(slot->async, 1);
    }
    atomic_store(&slot->reused, false);
    slot->busy = false;
}

static void drop_context(struct slot *slot)
{
    if (slot->context.dwLower || slot->context.dwUpper)
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&slot->context), SEC_E_OK);
    memset(&slot->context, 0, sizeof(slot->context));
}

static void make(struct slot *slot)
{
    if (slot->async)
        return;
    slot->async = SspiCreateAsyncContext();
    TEST_REQUIRE(slot->async);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(slot->async, on_done, slot), SEC_E_OK);
}

static void queued(struct slot *slot, SECURITY_STATUS status)
{
    contract_require("Sspi...Async", status);
    if (status != SEC_E_OK)
        return;
    slot->busy = true;
    atomic_fetch_add(&slot->expected, 1);
}

/* A slot's buffers belong to its one call; without an async context there is none to make. */
static void leg(struct slot *slot, bool accept)
{
    settle(slot);
    drop_context(slot);
    make(slot);
    slot->in[0] = (SecBuffer){(ULONG)hello_len, SECBUFFER_TOKEN, hello};
    slot->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    slot->out[0] = (SecBuffer){PEER_OUT_SIZE, SECBUFFER_TOKEN, slot->room};
    slot->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, slot->in};
    slot->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, slot->out};
    if (accept)
        queued(slot, SspiAcceptSecurityContextAsync(slot->async, fuzz_server(FUZZ_SERVER_EC), NULL,
                                                    &slot->in_desc, 0, 0, &slot->context,
                                                    &slot->out_desc, &slot->attributes, NULL));
    else
        queued(slot, SspiInitializeSecurityContextAsyncA(
                         slot->async, fuzz_client(FUZZ_CLIENT_ANY), NULL, (LPSTR)PEER_TARGET, 0, 0,
                         0, NULL, 0, &slot->context, &slot->out_desc, &slot->attributes, NULL));
}

static void step_accept(struct slot *slot)
{
    leg(slot, true);
}

static void step_initialize(struct slot *slot)
{
    leg(slot, false);
}

/* On a context that may not be there yet; its handle is only read when nobody writes it. */
static void step_delete(struct slot *slot)
{
    settle(slot);
    make(slot);
    queued(slot, SspiDeleteSecurityContextAsync(slot->async, &slot->context));
    memset(&slot->context, 0, sizeof(slot->context));
}

static void step_busy(struct slot *slot)
{
    CtxtHandle none = {0, 0};

    make(slot);
    queued(slot, SspiDeleteSecurityContextAsync(slot->async, &none));
}

static void step_reinit(struct slot *slot)
{
    SECURITY_STATUS status = SspiReinitAsyncContext(slot->async);

    contract_require("SspiReinitAsyncContext", status);
    if (status == STATUS_SUCCESS && slot->busy)
        atomic_store(&slot->reused, true);
}

static void step_free(struct slot *slot)
{
    SspiFreeAsyncContext(slot->async);
    slot->stale = slot->async;
    slot->async = NULL;
}

static void step_stale(struct slot *slot)
{
    SspiFreeAsyncContext(slot->stale);
    contract_require("SspiReinitAsyncContext", SspiReinitAsyncContext(slot->stale));
    contract_require("OsspiCancelAsyncCall", OsspiCancelAsyncCall(slot->stale));
    TEST_REQUIRE(!SspiAsyncContextRequiresNotify(slot->stale));
    (void)SspiGetAsyncCallStatus(slot->stale);
}

static void step_cancel(struct slot *slot)
{
    contract_require("OsspiCancelAsyncCall", OsspiCancelAsyncCall(slot->async));
}

static void step_timeout(struct slot *slot)
{
    contract_require("OsspiSetAsyncTimeout", OsspiSetAsyncTimeout(slot->async, 1));
}

static void step_callback(struct slot *slot)
{
    contract_require("SspiSetAsyncNotifyCallback",
                     SspiSetAsyncNotifyCallback(slot->async, on_done, slot));
}

static void step_wait(struct slot *slot)
{
    (void)OsspiWaitAsyncCall(slot->async, 0);
}

static void step_settle(struct slot *slot)
{
    settle(slot);
}

static void step_queue(struct slot *slot)
{
    if (!queue)
        contract_require("OsspiCreateCompletionQueue", OsspiCreateCompletionQueue(&queue));
    contract_require("OsspiSetCompletionQueue", OsspiSetCompletionQueue(slot->async, queue));
}

static void step_no_queue(struct slot *slot)
{
    contract_require("OsspiSetCompletionQueue", OsspiSetCompletionQueue(slot->async, NULL));
}

static void step_drain(struct slot *slot)
{
    (void)slot;
    (void)OsspiDrainCompletions(queue, 1);
}

static void step_close_queue(struct slot *slot)
{
    SECURITY_STATUS status = OsspiCloseCompletionQueue(queue);

    (void)slot;
    contract_require("OsspiCloseCompletionQueue", status);
    if (status == SEC_E_OK)
        queue = NULL;
}

static void (*const steps[])(struct slot *slot) = {
    step_accept, step_initialize, step_delete,  step_busy,        step_reinit, step_free,
    step_stale,  step_cancel,     step_timeout, step_callback,    step_wait,   step_settle,
    step_queue,  step_no_queue,   step_drain,   step_close_queue,
};

static void clean(struct slot *slot)
{
    settle(slot);
    drop_context(slot);
    SspiFreeAsyncContext(slot->async);
    slot->async = slot->stale = NULL;
    TEST_REQUIRE_EQUAL(atomic_load(&slot->callbacks), atomic_load(&slot->expected));
}

void fuzz_one(struct fuzz_input *input)
{
    for (int i = 0; i < MAX_STEPS && input->len > 0; i++) {
        unsigned step = fuzz_pick(input, sizeof(steps) / sizeof(steps[0]));

        steps[step](&slots[fuzz_pick(input, SLOTS)]);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        clean(&slots[i]);
    if (queue)
        TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    queue = NULL;
}
