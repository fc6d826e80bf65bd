/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Many handshakes in one process.
 *
 * Both forms share everything but the call itself, so they do equal work. A turn of the loop serves
 * every handshake that is ready and then looks at the ticker, as event loops do. A tick that is
 * overdue counts with its whole delay, and so does every tick that was missed meanwhile.
 */
#define _GNU_SOURCE /* ppoll */
#include "bench.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bytes.h"
#include "text.h"

#define TICK_NS 1000000
#define CLIENT_FLAGS \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_REPLAY_DETECT | ISC_REQ_SEQUENCE_DETECT | ISC_REQ_STREAM | \
     ISC_REQ_ALLOCATE_MEMORY)
#define SERVER_FLAGS \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_REPLAY_DETECT | ASC_REQ_SEQUENCE_DETECT | ASC_REQ_STREAM | \
     ASC_REQ_ALLOCATE_MEMORY)

struct run;
struct pair;

/* One side of a handshake. */
struct end {
    struct pair *pair;
    struct end *other;
    bool server, established, deleting;
    CtxtHandle context;
    SspiAsyncContext *call;
    struct bytes wire; /* from the other end, not consumed yet */
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
};

/* A place for one handshake at a time. */
struct pair {
    struct run *run;
    struct end client, server;
    struct end *turn; /* inline: whose call is next; NULL: the place is free */
};

struct run {
    struct bench *bench;
    struct bench_round *round;
    bool async;
    unsigned to_start, to_finish;
    struct pair *pairs;
    int64_t next_tick_ns;
    struct bench_delays *delays;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* --- The ticker ----------------------------------------------------------------------------------
 */

static void add_delay(struct bench_delays *delays, int64_t delay_ns)
{
    if (delays->count == delays->capacity) {
        size_t capacity = delays->capacity ? delays->capacity * 2 : 4096;
        uint32_t *values = realloc(delays->values, capacity * sizeof(*values));
        if (!values)
            return;
        delays->values = values;
        delays->capacity = capacity;
    }
    delays->values[delays->count++] = (uint32_t)(delay_ns / 1000);
}

static void look_at_ticker(struct run *run)
{
    int64_t now = now_ns();
    while (run->next_tick_ns <= now) {
        if (run->delays)
            add_delay(run->delays, now - run->next_tick_ns);
        run->next_tick_ns += TICK_NS;
    }
}

/* --- One end -------------------------------------------------------------------------------------
 */

static void fail(struct run *run, SECURITY_STATUS status, struct end *end)
{
    if (run->round->failure != SEC_E_OK)
        return;
    run->round->failure = status;
    if (end && SecIsValidHandle(&end->context))
        text_detail(&end->context, run->round->detail, sizeof(run->round->detail));
}

static void prepare_leg(struct end *end)
{
    end->in[0] = (SecBuffer){(ULONG)end->wire.len, SECBUFFER_TOKEN, end->wire.data};
    end->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    end->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    end->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, end->in};
    end->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, end->out};
}

static SECURITY_STATUS leg_inline(struct end *end)
{
    struct bench *bench = end->pair->run->bench;
    bool first = !SecIsValidHandle(&end->context);
    PCtxtHandle context = first ? NULL : &end->context;
    if (end->server)
        return AcceptSecurityContext(&bench->server, context, &end->in_desc, SERVER_FLAGS,
                                     SECURITY_NATIVE_DREP, &end->context, &end->out_desc,
                                     &end->attributes, NULL);
    return InitializeSecurityContextA(&bench->client, context, (char *)bench->target,
                                      CLIENT_FLAGS | bench->client_flags, 0, SECURITY_NATIVE_DREP,
                                      first ? NULL : &end->in_desc, 0, &end->context,
                                      &end->out_desc, &end->attributes, NULL);
}

/* The same, queued. */
static SECURITY_STATUS leg_async(struct end *end)
{
    struct bench *bench = end->pair->run->bench;
    bool first = !SecIsValidHandle(&end->context);
    PCtxtHandle context = first ? NULL : &end->context;
    SspiReinitAsyncContext(end->call);
    if (end->server)
        return SspiAcceptSecurityContextAsync(end->call, &bench->server, context, &end->in_desc,
                                              SERVER_FLAGS, SECURITY_NATIVE_DREP, &end->context,
                                              &end->out_desc, &end->attributes, NULL);
    return SspiInitializeSecurityContextAsyncA(
        end->call, &bench->client, context, (char *)bench->target,
        CLIENT_FLAGS | bench->client_flags, 0, SECURITY_NATIVE_DREP, first ? NULL : &end->in_desc,
        0, &end->context, &end->out_desc, &end->attributes, NULL);
}

/* Makes the next call of an end: inline it is done afterwards, otherwise queued. */
static SECURITY_STATUS make_call(struct end *end)
{
    bool async = end->pair->run->async;
    if (!end->deleting) {
        prepare_leg(end);
        return async ? leg_async(end) : leg_inline(end);
    }
    if (!async)
        return DeleteSecurityContext(&end->context);
    SspiReinitAsyncContext(end->call);
    return SspiDeleteSecurityContextAsync(end->call, &end->context);
}

/* --- One handshake -------------------------------------------------------------------------------
 */

static void start_pair(struct pair *pair)
{
    struct end *ends[2] = {&pair->client, &pair->server};
    for (unsigned i = 0; i < 2; i++) {
        SecInvalidateHandle(&ends[i]->context);
        ends[i]->established = ends[i]->deleting = false;
        bytes_consume(&ends[i]->wire, ends[i]->wire.len);
    }
    pair->run->to_start--;
    pair->turn = &pair->client;
}

/* Takes the result of a leg. */
static void take_leg(struct end *end, SECURITY_STATUS status)
{
    struct run *run = end->pair->run;
    bool input = end->wire.len > 0;
    if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED && status != SEC_E_INCOMPLETE_MESSAGE)
        fail(run, status, end);
    if (input && status != SEC_E_INCOMPLETE_MESSAGE) {
        size_t left = end->in[1].BufferType == SECBUFFER_EXTRA ? end->in[1].cbBuffer : 0;
        bytes_consume(&end->wire, left < end->wire.len ? end->wire.len - left : 0);
    }
    if (end->out[0].pvBuffer &&
        !bytes_append(&end->other->wire, end->out[0].pvBuffer, end->out[0].cbBuffer))
        fail(run, SEC_E_INSUFFICIENT_MEMORY, NULL);
    FreeContextBuffer(end->out[0].pvBuffer);
    end->established = status == SEC_E_OK;
    if (end->established && !end->server && !run->bench->facts.protocol[0])
        facts_read(&end->context, &run->bench->facts);
}

/* Whose turn is it? NULL: both are established and deleted. */
static struct end *choose_turn(struct end *last)
{
    struct end *other = last->other;
    if (last->deleting)
        return other->deleting ? NULL : (other->deleting = true, other);
    if (!other->established && other->wire.len > 0)
        return other;
    if (!last->established && last->wire.len > 0)
        return last;
    if (!last->established || !other->established)
        fail(last->pair->run, SEC_E_INTERNAL_ERROR, NULL); /* neither side has anything to do */
    last->deleting = true;
    return last;
}

/* A call of this end is done: what comes next? */
static void go_on(struct end *end, SECURITY_STATUS status)
{
    struct pair *pair = end->pair;
    struct run *run = pair->run;
    if (!end->deleting)
        take_leg(end, status);
    else
        SecInvalidateHandle(&end->context);
    pair->turn = run->round->failure == SEC_E_OK ? choose_turn(end) : NULL;
    if (pair->turn)
        return;
    run->to_finish--;
    if (run->to_start > 0 && run->round->failure == SEC_E_OK)
        start_pair(pair);
}

/* --- The loop ------------------------------------------------------------------------------------
 */

static void note_duration(struct run *run, int64_t since_ns)
{
    uint64_t us = (uint64_t)(now_ns() - since_ns) / 1000;
    if (us > run->round->longest_call_us)
        run->round->longest_call_us = us;
}

static void queue_turn(struct pair *pair)
{
    if (!pair->turn)
        return;
    SECURITY_STATUS status = make_call(pair->turn);
    if (status != SEC_E_OK) { /* not queued: no callback will come */
        fail(pair->run, status, NULL);
        pair->turn = NULL;
    }
}

static void on_done(SspiAsyncContext *call, void *data)
{
    struct end *end = data;
    int64_t begin = now_ns();
    go_on(end, SspiGetAsyncCallStatus(call));
    queue_turn(end->pair);
    note_duration(end->pair->run, begin);
}

static bool any_turn(const struct run *run)
{
    for (unsigned i = 0; i < run->bench->live; i++) {
        if (run->pairs[i].turn)
            return true;
    }
    return false;
}

static bool loop_ends(const struct run *run)
{
    /* After a failure the calls that are under way still have to come back. */
    return run->to_finish == 0 || (run->round->failure != SEC_E_OK && !any_turn(run));
}

static void loop_inline(struct run *run)
{
    while (!loop_ends(run)) {
        for (unsigned i = 0; i < run->bench->live; i++) {
            struct end *end = run->pairs[i].turn;
            if (!end)
                continue;
            int64_t begin = now_ns();
            SECURITY_STATUS status = make_call(end);
            note_duration(run, begin);
            go_on(end, status);
        }
        look_at_ticker(run);
    }
}

static void loop_async(struct run *run)
{
    for (unsigned i = 0; i < run->bench->live; i++)
        queue_turn(&run->pairs[i]);
    struct pollfd item = {.fd = OsspiCompletionQueueFd(run->bench->queue), .events = POLLIN};
    while (!loop_ends(run)) {
        int64_t left = run->next_tick_ns - now_ns();
        struct timespec timeout = {0, left > 0 ? left : 0};
        if (ppoll(&item, 1, &timeout, NULL) > 0)
            OsspiDrainCompletions(run->bench->queue, 0);
        look_at_ticker(run);
    }
}

/* --- A round -------------------------------------------------------------------------------------
 */

static bool init_end(struct end *end, struct pair *pair, struct end *other, bool server)
{
    end->pair = pair;
    end->other = other;
    end->server = server;
    SecInvalidateHandle(&end->context);
    if (!pair->run->async)
        return true;
    end->call = SspiCreateAsyncContext();
    return end->call && SspiSetAsyncNotifyCallback(end->call, on_done, end) == SEC_E_OK &&
           OsspiSetCompletionQueue(end->call, pair->run->bench->queue) == SEC_E_OK;
}

static void clear_end(struct end *end)
{
    if (SecIsValidHandle(&end->context))
        DeleteSecurityContext(&end->context);
    SspiFreeAsyncContext(end->call);
    bytes_clear(&end->wire);
}

bool bench_run(struct bench *bench, bool async, unsigned count, struct bench_delays *delays,
               struct bench_round *ret_round)
{
    *ret_round = (struct bench_round){0};
    struct run run = {.bench = bench,
                      .round = ret_round,
                      .async = async,
                      .to_start = count,
                      .to_finish = count,
                      .delays = delays};
    run.pairs = calloc(bench->live, sizeof(*run.pairs));
    bool memory = run.pairs != NULL;
    for (unsigned i = 0; i < bench->live && memory; i++) {
        struct pair *pair = &run.pairs[i];
        pair->run = &run;
        memory = init_end(&pair->client, pair, &pair->server, false) &&
                 init_end(&pair->server, pair, &pair->client, true);
        if (memory && run.to_start > 0)
            start_pair(pair);
    }
    if (memory) {
        uint64_t cpu = cpu_us();
        int64_t begin = now_ns();
        run.next_tick_ns = begin + TICK_NS;
        if (async)
            loop_async(&run);
        else
            loop_inline(&run);
        ret_round->seconds = (double)(now_ns() - begin) / 1e9;
        ret_round->cpu_us = cpu_us() - cpu;
    }
    for (unsigned i = 0; run.pairs && i < bench->live; i++) {
        clear_end(&run.pairs[i].client);
        clear_end(&run.pairs[i].server);
    }
    free(run.pairs);
    return memory;
}
