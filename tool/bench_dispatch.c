/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi bench dispatch.
 *
 * The call is a client's second leg with the first three bytes of a TLS record: the cheapest real
 * call there is. It finds its context and credential, is queued, runs on a worker, sees that the
 * record is not whole, and comes back with SEC_E_INCOMPLETE_MESSAGE, the context as it was. One
 * thread, a libuv loop, submits calls and work; the three ways take turns in each round.
 */
#include "bench_dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <opensspi.h>
#include <schannel.h>
#include <uv.h>

#include "bench_report.h"
#include "net.h"
#include "text.h"
#include "tool.h"

enum way { WAY_UV, WAY_QUEUE, WAY_WAIT, WAYS };
static const char *const way_names[WAYS] = {"uv_queue_work", "completion queue", "waiter helps"};
static const char *const way_keys[WAYS] = {"uv_queue_work", "completion_queue", "wait"};

struct dispatch;

/* One call's memory. */
struct item {
    struct dispatch *dispatch;
    uv_work_t work;
    SspiAsyncContext *call, *silent; /* with the queue; without a callback */
    CtxtHandle context;
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    unsigned char bytes[3];
};

struct dispatch {
    const struct bench_dispatch_options *options;
    uv_loop_t loop;
    uv_poll_t poll;
    OsspiCompletionQueue *queue;
    CredHandle credential;
    struct item *items;
    unsigned done;
    SECURITY_STATUS failure; /* SEC_E_OK: none */
    double ns[WAYS][BENCH_ROUNDS_MAX];
    unsigned rounds;
};

/* --- Calls ---------------------------------------------------------------------------------------
 */

static void take_status(struct item *item, SspiAsyncContext *call)
{
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    if (status != SEC_E_INCOMPLETE_MESSAGE && item->dispatch->failure == SEC_E_OK)
        item->dispatch->failure = status == SEC_E_OK ? SEC_E_INTERNAL_ERROR : status;
    item->dispatch->done++;
}

static void on_done(SspiAsyncContext *call, void *data)
{
    take_status(data, call);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct dispatch *dispatch = poll->data;
    (void)status;
    (void)events;
    OsspiDrainCompletions(dispatch->queue, 0);
}

static void work_nothing(uv_work_t *work)
{
    (void)work;
}

static void work_done(uv_work_t *work, int status)
{
    struct item *item = work->data;
    (void)status;
    item->dispatch->done++;
}

static void submit(struct item *item, enum way way)
{
    struct dispatch *dispatch = item->dispatch;
    SspiAsyncContext *call = way == WAY_WAIT ? item->silent : item->call;
    if (way == WAY_UV) {
        uv_queue_work(&dispatch->loop, &item->work, work_nothing, work_done);
        return;
    }
    item->in[0] = (SecBuffer){sizeof(item->bytes), SECBUFFER_TOKEN, item->bytes};
    item->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    SspiReinitAsyncContext(call);
    SECURITY_STATUS status = SspiInitializeSecurityContextAsyncA(
        call, &dispatch->credential, &item->context, NULL, ISC_REQ_STREAM, 0, 0, &item->in_desc, 0,
        &item->context, &item->out_desc, NULL, NULL);
    if (status != SEC_E_OK) { /* not queued: no callback will come */
        dispatch->failure = status;
        dispatch->done++;
    }
}

static void await(struct dispatch *dispatch, enum way way, unsigned count)
{
    for (unsigned i = 0; way == WAY_WAIT && i < count && dispatch->failure == SEC_E_OK; i++) {
        OsspiWaitAsyncCall(dispatch->items[i].silent, OSSPI_INFINITE);
        take_status(&dispatch->items[i], dispatch->items[i].silent);
    }
    while (way != WAY_WAIT && dispatch->done < count)
        uv_run(&dispatch->loop, UV_RUN_ONCE);
    dispatch->done = 0;
}

/* Nanoseconds of a call, from the first one queued to the last one known to be done. */
static double run_round(struct dispatch *dispatch, enum way way)
{
    unsigned in_flight = dispatch->options->in_flight;
    unsigned batches = (dispatch->options->count + in_flight - 1) / in_flight;
    uint64_t begin = uv_hrtime();
    for (unsigned i = 0; i < batches && dispatch->failure == SEC_E_OK; i++) {
        for (unsigned k = 0; k < in_flight; k++)
            submit(&dispatch->items[k], way);
        await(dispatch, way, in_flight);
    }
    return (double)(uv_hrtime() - begin) / ((double)batches * in_flight);
}

/* --- Set-up --------------------------------------------------------------------------------------
 */

static SECURITY_STATUS open_item(struct dispatch *dispatch, struct item *item)
{
    ULONG attributes;
    item->dispatch = dispatch;
    item->work.data = item;
    memcpy(item->bytes, "\x16\x03\x03", sizeof(item->bytes));
    SecInvalidateHandle(&item->context);
    item->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, item->in};
    item->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, item->out};
    item->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    item->call = SspiCreateAsyncContext();
    item->silent = SspiCreateAsyncContext();
    if (!item->call || !item->silent)
        return SEC_E_INSUFFICIENT_MEMORY;
    SspiSetAsyncNotifyCallback(item->call, on_done, item);
    OsspiSetCompletionQueue(item->call, dispatch->queue);
    SECURITY_STATUS status = InitializeSecurityContextA(
        &dispatch->credential, NULL, "localhost", ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_STREAM, 0, 0,
        NULL, 0, &item->context, &item->out_desc, &attributes, NULL);
    FreeContextBuffer(item->out[0].pvBuffer);
    item->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    return status == SEC_I_CONTINUE_NEEDED ? SEC_E_OK : status;
}

static SECURITY_STATUS open_all(struct dispatch *dispatch)
{
    SECURITY_STATUS status =
        AcquireCredentialsHandleA(NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL,
                                  &dispatch->credential, NULL);
    if (status == SEC_E_OK)
        status = OsspiCreateCompletionQueue(&dispatch->queue);
    if (status != SEC_E_OK)
        return status;
    uv_poll_init(&dispatch->loop, &dispatch->poll, OsspiCompletionQueueFd(dispatch->queue));
    dispatch->poll.data = dispatch;
    uv_poll_start(&dispatch->poll, UV_READABLE, on_readable);
    for (unsigned i = 0; i < dispatch->options->in_flight && status == SEC_E_OK; i++)
        status = open_item(dispatch, &dispatch->items[i]);
    return status;
}

static void close_all(struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->options->in_flight; i++) {
        struct item *item = &dispatch->items[i];
        if (item->dispatch && SecIsValidHandle(&item->context))
            DeleteSecurityContext(&item->context);
        SspiFreeAsyncContext(item->call);
        SspiFreeAsyncContext(item->silent);
    }
    if (SecIsValidHandle(&dispatch->credential))
        FreeCredentialsHandle(&dispatch->credential);
    if (dispatch->queue) {
        uv_close((uv_handle_t *)&dispatch->poll, NULL);
        uv_run(&dispatch->loop, UV_RUN_DEFAULT);
        OsspiCloseCompletionQueue(dispatch->queue);
    }
    uv_loop_close(&dispatch->loop);
    OsspiShutdown(1000);
}

/* --- The report ----------------------------------------------------------------------------------
 */

static double median_ratio(const struct dispatch *dispatch, enum way way)
{
    double values[BENCH_ROUNDS_MAX];
    for (unsigned i = 0; i < dispatch->rounds; i++)
        values[i] = dispatch->ns[way][i] / dispatch->ns[WAY_UV][i];
    return bench_median(values, dispatch->rounds);
}

static bool print_report(struct dispatch *dispatch)
{
    const struct bench_dispatch_options *options = dispatch->options;
    double ratios[WAYS], medians[WAYS];
    for (unsigned way = 0; way < WAYS; way++)
        ratios[way] = median_ratio(dispatch, (enum way)way);
    for (unsigned way = 0; way < WAYS; way++) /* sorts, so the ratios come first */
        medians[way] = bench_median(dispatch->ns[way], dispatch->rounds);
    if (!options->json) {
        printf("A leg with the first bytes of a record; %u calls a round, %u in flight;\n"
               "%u rounds of each, alternating\n\n%-20s %12s %16s\n",
               options->count, options->in_flight, dispatch->rounds, "", "ns per call",
               "of uv_queue_work");
        for (unsigned way = 0; way < WAYS; way++)
            printf("%-20s %12.0f %15.3fx\n", way_names[way], medians[way], ratios[way]);
        return true;
    }
    json_t *root = json_pack("{s:i, s:i, s:i}", "count", (int)options->count, "in_flight",
                             (int)options->in_flight, "rounds", (int)dispatch->rounds);
    bool done = root != NULL;
    for (unsigned way = 0; way < WAYS && done; way++)
        done = json_object_set_new(
                   root, way_keys[way],
                   json_pack("{s:f, s:f}", "ns_per_call", medians[way], "ratio", ratios[way])) == 0;
    return bench_json_print(root) && done;
}

static void measure(struct dispatch *dispatch)
{
    const struct bench_dispatch_options *options = dispatch->options;
    int64_t end_ms = net_now_ms() + options->seconds * INT64_C(1000);
    for (unsigned way = 0; way < WAYS; way++) /* threads come into being here */
        (void)run_round(dispatch, (enum way)way);
    for (unsigned i = 0; i < options->rounds && dispatch->failure == SEC_E_OK; i++) {
        if (i > 0 && net_now_ms() >= end_ms)
            break;
        for (unsigned k = 0; k < WAYS; k++) {
            enum way way = (enum way)((k + i) % WAYS); /* who begins alternates too */
            dispatch->ns[way][i] = run_round(dispatch, way);
        }
        dispatch->rounds = i + 1;
    }
}

int bench_dispatch(const struct bench_dispatch_options *options)
{
    struct dispatch *dispatch = calloc(1, sizeof(*dispatch));
    struct item *items = calloc(options->in_flight, sizeof(*items));
    char threads[16];
    int code = TOOL_LOCAL;
    if (!dispatch || !items) {
        text_complain("out of memory");
        free(dispatch);
        free(items);
        return code;
    }
    /* Both sides have as many threads. */
    snprintf(threads, sizeof(threads), "%u",
             options->workers > 0 ? options->workers : uv_available_parallelism());
    setenv("UV_THREADPOOL_SIZE", threads, 1);
    dispatch->options = options;
    dispatch->items = items;
    SecInvalidateHandle(&dispatch->credential);
    uv_loop_init(&dispatch->loop);
    dispatch->failure = open_all(dispatch);
    if (dispatch->failure == SEC_E_OK)
        measure(dispatch);
    if (dispatch->failure != SEC_E_OK)
        text_complain_status("a call failed", dispatch->failure, NULL);
    else if (print_report(dispatch))
        code = TOOL_OK;
    close_all(dispatch);
    free(items);
    free(dispatch);
    return code;
}
