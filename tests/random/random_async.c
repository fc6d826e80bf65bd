/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: async contexts and the calls on them; see random.h.
 *
 * Whether a callback came exactly once can only be said of an async context whose calls are known.
 * So queuing on one context is done under its record's lock, which its callback takes too; all
 * else (cancel, wait, Reinit, deadline, free) comes from any thread without it. Contexts without a
 * callback are used without any lock, for calls that need no memory.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "random/random.h"
#include "random/random_auth.h"
#include "support/contract_status.h"

#define LIVE        24u
#define MAX_RECORDS (1u << 20)

struct random_record {
    SspiAsyncContext *value; /* constant, with silent */
    bool silent;
    pthread_mutex_t lock; /* guards the three below */
    struct random_op *op; /* of the call whose callback is to come */
    uint64_t accepted, called;
};

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the three below */
static struct random_record **records;                        /* all there ever were */
static size_t record_count;
static struct random_record *live[LIVE];
static _Atomic uint64_t refused;
static _Atomic uint64_t inside; /* callbacks that run now */
static _Atomic bool closing;    /* callbacks make no more calls */

/* ---- ops ---- */

struct random_op *random_op_new(const char *function, const void *bytes, size_t len)
{
    struct random_op *op = calloc(1, sizeof(*op));

    TEST_REQUIRE(op);
    op->function = function;
    op->in_bytes = malloc(len ? len : 1);
    op->out_bytes = malloc(RANDOM_OUT_SIZE);
    TEST_REQUIRE(op->in_bytes && op->out_bytes);
    if (len > 0)
        memcpy(op->in_bytes, bytes, len);
    op->in_len = len;
    op->in[0] = (SecBuffer){(ULONG)len, SECBUFFER_TOKEN, op->in_bytes};
    op->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    op->out[0] = (SecBuffer){RANDOM_OUT_SIZE, SECBUFFER_TOKEN, op->out_bytes};
    op->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, op->in};
    op->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, op->out};
    return op;
}

void random_op_free(struct random_op *op)
{
    free(op->in_bytes);
    free(op->out_bytes);
    free(op);
}

static bool is_set(SecHandle value)
{
    return value.dwLower != 0 || value.dwUpper != 0;
}

/* What an op has brought goes into the pools; a connection takes its own. */
static void finish_op(struct random_thread *thread, struct random_op *op, SECURITY_STATUS status)
{
    SecHandle left;

    /* Another thread may have made the context ready for the next call in the meantime. */
    if (status != SEC_I_ASYNC_CALL_PENDING || op->end)
        contract_require_call(op->function, status);
    if (op->end) {
        random_link_done(op, status);
    } else {
        if (is_set(op->credential))
            random_credential_made(thread, op->credential);
        if (is_set(op->context) && random_put(thread, RANDOM_CONTEXTS, op->context, &left))
            random_delete_context(left);
    }
    random_op_free(op);
}

/* ---- the callback ---- */

static void on_done(SspiAsyncContext *async, void *data)
{
    struct random_record *record = data;
    struct random_thread *thread;
    struct random_op *op;
    SECURITY_STATUS status;
    uint64_t number;

    atomic_fetch_add(&inside, 1);
    TEST_REQUIRE(async == record->value && !record->silent);
    pthread_mutex_lock(&record->lock);
    number = ++record->called;
    TEST_REQUIRE(number <= record->accepted);
    status = SspiGetAsyncCallStatus(async);
    op = record->op;
    record->op = NULL;
    pthread_mutex_unlock(&record->lock);

    thread = calloc(1, sizeof(*thread));
    TEST_REQUIRE(thread);
    thread->state = (uintptr_t)record ^ number << 40;
    thread->depth = 1;
    if (op)
        finish_op(thread, op, status);
    if (!atomic_load(&closing) && random_chance(thread, 10))
        random_step(thread);
    free(thread);
    atomic_fetch_sub(&inside, 1);
}

/* ---- records ---- */

static struct random_record *new_record(bool silent)
{
    struct random_record *record = calloc(1, sizeof(*record));

    TEST_REQUIRE(record);
    pthread_mutex_init(&record->lock, NULL);
    record->silent = silent;
    record->value = SspiCreateAsyncContext();
    TEST_REQUIRE(record->value);
    if (!silent)
        TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(record->value, on_done, record), SEC_E_OK);
    pthread_mutex_lock(&pool_lock);
    if (!records)
        records = calloc(MAX_RECORDS, sizeof(*records));
    TEST_REQUIRE(records && record_count < MAX_RECORDS);
    records[record_count++] = record;
    pthread_mutex_unlock(&pool_lock);
    return record;
}

struct random_record *random_record_new(void)
{
    return new_record(false);
}

SspiAsyncContext *random_record_value(const struct random_record *record)
{
    return record->value;
}

/* Mostly a live one; now and then one of long ago, or somebody's own. */
static struct random_record *pick(struct random_thread *thread)
{
    unsigned at = random_below(thread, LIVE), other = random_below(thread, MAX_RECORDS);
    bool old = random_chance(thread, 10);
    struct random_record *record;

    pthread_mutex_lock(&pool_lock);
    record = live[at];
    if (old && record_count > 0) /* zero at the end only */
        record = records[other % record_count];
    pthread_mutex_unlock(&pool_lock);
    return record;
}

/* Its value; without a record, or now and then anyway, something else. */
static SspiAsyncContext *value_of(struct random_thread *thread, struct random_record *record)
{
    struct random_handle other;

    if (record && random_chance(thread, 92))
        return record->value;
    other = random_pick(thread, random_below(thread, RANDOM_POOLS));
    return (SspiAsyncContext *)other.value.dwLower;
}

bool random_record_begin(struct random_record *record, struct random_op *op)
{
    pthread_mutex_lock(&record->lock);
    if (record->op || record->accepted != record->called) {
        pthread_mutex_unlock(&record->lock);
        return false;
    }
    record->op = op;
    return true;
}

void random_record_end(struct random_thread *thread, struct random_record *record,
                       struct random_op *op, SECURITY_STATUS queued)
{
    CtxtHandle none = {0};

    contract_require("Sspi...Async", queued);
    if (queued == SEC_E_OK)
        record->accepted++;
    else
        record->op = NULL;
    /* A second call at once: refused, but if the first is so far that its callback was entered. */
    if (!op->end && random_chance(thread, 20)) {
        SECURITY_STATUS second = SspiDeleteSecurityContextAsync(record->value, &none);

        contract_require("Sspi...Async", second);
        if (second == SEC_E_OK)
            record->accepted++;
    }
    pthread_mutex_unlock(&record->lock);
    if (queued == SEC_E_OK)
        return;
    atomic_fetch_add(&refused, 1);
    if (op->end)
        random_link_refused(op);
    random_op_free(op);
}

/* ---- async contexts ---- */

static void call_create(struct random_thread *thread)
{
    struct random_record *record = new_record(random_chance(thread, 20)), *left;
    unsigned at = random_below(thread, LIVE);

    pthread_mutex_lock(&pool_lock);
    left = live[at];
    live[at] = record;
    pthread_mutex_unlock(&pool_lock);
    if (left)
        SspiFreeAsyncContext(left->value);
}

static void call_free(struct random_thread *thread)
{
    struct random_record *record = pick(thread);

    /* A connection's own must not be taken from it; a live one may. */
    if (!record || random_chance(thread, 60)) {
        SspiFreeAsyncContext(NULL);
        return;
    }
    pthread_mutex_lock(&pool_lock);
    for (unsigned i = 0; i < LIVE; i++) {
        if (live[i] == record) {
            live[i] = NULL;
            break;
        }
        if (i == LIVE - 1)
            record = NULL;
    }
    pthread_mutex_unlock(&pool_lock);
    if (record)
        SspiFreeAsyncContext(record->value);
}

/* Not what is somebody's own: its owner counts on its status. */
static struct random_record *pick_shared(struct random_thread *thread)
{
    unsigned first = random_below(thread, LIVE);
    struct random_record *record = NULL;

    pthread_mutex_lock(&pool_lock);
    for (unsigned i = 0; i < LIVE && !record; i++)
        record = live[(first + i) % LIVE];
    pthread_mutex_unlock(&pool_lock);
    return record;
}

static void call_reinit(struct random_thread *thread)
{
    contract_require("SspiReinitAsyncContext",
                     SspiReinitAsyncContext(value_of(thread, pick_shared(thread))));
}

static void call_set_callback(struct random_thread *thread)
{
    struct random_record *record = pick_shared(thread);
    SECURITY_STATUS status;

    if (!record || record->silent)
        status = SspiSetAsyncNotifyCallback(record ? record->value : NULL, NULL, NULL);
    else
        status = SspiSetAsyncNotifyCallback(record->value, on_done, record);
    contract_require("SspiSetAsyncNotifyCallback", status);
}

static void call_requires_notify(struct random_thread *thread)
{
    struct random_record *record = pick(thread);
    BOOLEAN wanted = SspiAsyncContextRequiresNotify(record ? record->value : NULL);

    if (!record || record->silent)
        TEST_REQUIRE(!wanted);
}

/* Of any call, of none, or why one was refused. */
static void require_any(SECURITY_STATUS status)
{
    static const char *const functions[] = {"AcquireCredentialsHandle", "InitializeSecurityContext",
                                            "DeleteSecurityContext", "Sspi...Async"};

    if (status == SEC_I_ASYNC_CALL_PENDING || status == HRESULT_FROM_WIN32(ERROR_CANCELLED) ||
        status == HRESULT_FROM_WIN32(ERROR_TIMEOUT))
        return;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (contract_allows(functions[i], status))
            return;
    }
    contract_require("Sspi...Async", status);
}

static void call_get_status(struct random_thread *thread)
{
    require_any(SspiGetAsyncCallStatus(value_of(thread, pick(thread))));
}

static void call_wait(struct random_thread *thread)
{
    require_any(OsspiWaitAsyncCall(value_of(thread, pick(thread)), random_below(thread, 3)));
}

static void call_cancel(struct random_thread *thread)
{
    contract_require("OsspiCancelAsyncCall", OsspiCancelAsyncCall(value_of(thread, pick(thread))));
}

static void call_set_timeout(struct random_thread *thread)
{
    static const ULONG times[] = {0, 0, 1, 5, 1000, OSSPI_INFINITE};

    contract_require(
        "OsspiSetAsyncTimeout",
        OsspiSetAsyncTimeout(value_of(thread, pick_shared(thread)), RANDOM_OF(thread, times)));
}

static void call_set_queue(struct random_thread *thread)
{
    struct random_handle queue = random_pick(thread, RANDOM_QUEUES);
    OsspiCompletionQueue *value =
        random_chance(thread, 60) ? NULL : (OsspiCompletionQueue *)queue.value.dwLower;

    contract_require("OsspiSetCompletionQueue",
                     OsspiSetCompletionQueue(value_of(thread, pick_shared(thread)), value));
}

/* ---- calls ---- */

/* On a context with a callback, or (false) on something else, which must refuse it. */
static struct random_record *begin(struct random_thread *thread, struct random_op *op)
{
    struct random_record *record = pick_shared(thread);

    if (!record || record->silent || !random_record_begin(record, op)) {
        random_op_free(op);
        return NULL;
    }
    return record;
}

static void call_acquire_a(struct random_thread *thread)
{
    struct random_op *op = random_op_new("AcquireCredentialsHandle", NULL, 0);
    struct random_record *record = begin(thread, op);
    struct random_auth auth;

    if (record)
        random_record_end(
            thread, record, op,
            SspiAcquireCredentialsHandleAsyncA(record->value, NULL, (LPSTR)random_package(thread),
                                               random_use(thread), NULL, random_auth(thread, &auth),
                                               NULL, NULL, &op->credential, &op->expiry));
}

static void call_acquire_w(struct random_thread *thread)
{
    struct random_op *op = random_op_new("AcquireCredentialsHandle", NULL, 0);
    struct random_record *record = begin(thread, op);
    struct random_auth auth;

    if (record)
        random_record_end(thread, record, op,
                          SspiAcquireCredentialsHandleAsyncW(
                              record->value, NULL, (LPWSTR)random_wide_package(thread),
                              random_use(thread), NULL, random_auth(thread, &auth), NULL, NULL,
                              &op->credential, NULL));
}

/* A first leg makes a new context, a later one is on any there is, and leaves op->context empty so
 * that no handle is in the pool twice. */
static PCtxtHandle leg_context(struct random_thread *thread, struct random_handle *context)
{
    *context = random_pick(thread, RANDOM_CONTEXTS);
    if (random_chance(thread, 60))
        context->null = true;
    return random_arg(context);
}

static void call_initialize_a(struct random_thread *thread)
{
    struct random_op *op = random_op_new("InitializeSecurityContext", NULL, 0);
    struct random_record *record = begin(thread, op);
    struct random_handle credential = random_pick(thread, RANDOM_CREDENTIALS), context;
    PCtxtHandle old = leg_context(thread, &context);

    if (record)
        random_record_end(thread, record, op,
                          SspiInitializeSecurityContextAsyncA(
                              record->value, random_arg(&credential), old, (LPSTR)PEER_TARGET, 0, 0,
                              0, &op->in_desc, 0, old ? NULL : &op->context, &op->out_desc,
                              &op->attributes, &op->expiry));
}

static void call_initialize_w(struct random_thread *thread)
{
    struct random_op *op = random_op_new("InitializeSecurityContext", NULL, 0);
    struct random_record *record = begin(thread, op);
    struct random_handle credential = random_pick(thread, RANDOM_CREDENTIALS), context;
    PCtxtHandle old = leg_context(thread, &context);

    if (record)
        random_record_end(thread, record, op,
                          SspiInitializeSecurityContextAsyncW(
                              record->value, random_arg(&credential), old, (LPWSTR)u"server.test",
                              ISC_REQ_EXTENDED_ERROR, 0, 0, NULL, 0, old ? NULL : &op->context,
                              &op->out_desc, &op->attributes, NULL));
}

static void call_accept(struct random_thread *thread)
{
    struct random_op *op =
        random_op_new("AcceptSecurityContext", random_world.hello, random_world.hello_len);
    struct random_record *record = begin(thread, op);
    struct random_handle credential = random_pick(thread, RANDOM_CREDENTIALS), context;
    PCtxtHandle old = leg_context(thread, &context);

    if (record)
        random_record_end(thread, record, op,
                          SspiAcceptSecurityContextAsync(
                              record->value, random_arg(&credential), old, &op->in_desc, 0, 0,
                              old ? NULL : &op->context, &op->out_desc, &op->attributes, NULL));
}

/* Without a callback: any number of threads at once, also on values that are no async context. */
static SspiAsyncContext *silent_value(struct random_thread *thread)
{
    struct random_record *record = pick_shared(thread);

    if (record && record->silent)
        return record->value;
    return random_chance(thread, 50) ? NULL : (SspiAsyncContext *)(uintptr_t)0x1234567;
}

static void call_delete(struct random_thread *thread)
{
    struct random_op *op;
    struct random_record *record;
    struct random_handle context;
    SspiAsyncContext *silent = silent_value(thread);

    context = random_take(thread, RANDOM_CONTEXTS);
    if (random_chance(thread, 50)) {
        SECURITY_STATUS status = SspiDeleteSecurityContextAsync(silent, random_arg(&context));

        contract_require("Sspi...Async", status);
        if (status != SEC_E_OK && is_set(context.value))
            random_delete_context(context.value); /* it was taken out of the pool */
        return;
    }
    op = random_op_new("DeleteSecurityContext", NULL, 0);
    record = begin(thread, op);
    if (record) {
        SECURITY_STATUS status =
            SspiDeleteSecurityContextAsync(record->value, random_arg(&context));

        random_record_end(thread, record, op, status);
        if (status == SEC_E_OK)
            return;
    }
    if (is_set(context.value))
        random_delete_context(context.value);
}

static void call_free_credential(struct random_thread *thread)
{
    struct random_op *op;
    struct random_record *record;
    struct random_handle credential;
    SspiAsyncContext *silent = silent_value(thread);

    credential = random_take(thread, RANDOM_CREDENTIALS);
    if (random_chance(thread, 50)) {
        SECURITY_STATUS status = SspiFreeCredentialsHandleAsync(silent, random_arg(&credential));

        contract_require("Sspi...Async", status);
        if (status != SEC_E_OK && is_set(credential.value))
            random_free_credential(credential.value);
        return;
    }
    op = random_op_new("FreeCredentialsHandle", NULL, 0);
    record = begin(thread, op);
    if (record) {
        SECURITY_STATUS status =
            SspiFreeCredentialsHandleAsync(record->value, random_arg(&credential));

        random_record_end(thread, record, op, status);
        if (status == SEC_E_OK)
            return;
    }
    if (is_set(credential.value))
        random_free_credential(credential.value);
}

/* ---- the end ---- */

static bool all_called(void *data)
{
    bool all = atomic_load(&inside) == 0;

    (void)data;
    random_queues_drain();
    pthread_mutex_lock(&pool_lock);
    for (size_t i = 0; i < record_count && all; i++) {
        pthread_mutex_lock(&records[i]->lock);
        all = records[i]->called == records[i]->accepted;
        pthread_mutex_unlock(&records[i]->lock);
    }
    pthread_mutex_unlock(&pool_lock);
    return all && atomic_load(&inside) == 0;
}

void random_async_finish(void)
{
    atomic_store(&closing, true);
    test_poll(all_called, NULL);
    for (size_t i = 0; i < record_count; i++)
        SspiFreeAsyncContext(records[i]->value);
}

struct random_counts random_async_counts(void)
{
    struct random_counts counts = {.refused = atomic_load(&refused)};

    for (size_t i = 0; i < record_count; i++) {
        counts.accepted += records[i]->accepted;
        counts.callbacks += records[i]->called;
        TEST_REQUIRE(records[i]->op == NULL);
        pthread_mutex_destroy(&records[i]->lock);
        free(records[i]);
    }
    free(records);
    records = NULL;
    record_count = 0;
    return counts;
}

static const struct random_row rows[] = {
    {"SspiCreateAsyncContext", call_create, 10},
    {"SspiFreeAsyncContext", call_free, 6},
    {"SspiReinitAsyncContext", call_reinit, 6},
    {"SspiSetAsyncNotifyCallback", call_set_callback, 3},
    {"SspiAsyncContextRequiresNotify", call_requires_notify, 2},
    {"SspiGetAsyncCallStatus", call_get_status, 6},
    {"OsspiWaitAsyncCall", call_wait, 6},
    {"OsspiCancelAsyncCall", call_cancel, 6},
    {"OsspiSetAsyncTimeout", call_set_timeout, 3},
    {"OsspiSetCompletionQueue", call_set_queue, 6},
    {"SspiAcquireCredentialsHandleAsyncA", call_acquire_a, 4},
    {"SspiAcquireCredentialsHandleAsyncW", call_acquire_w, 4},
    {"SspiInitializeSecurityContextAsyncA", call_initialize_a, 10},
    {"SspiInitializeSecurityContextAsyncW", call_initialize_w, 6},
    {"SspiAcceptSecurityContextAsync", call_accept, 12},
    {"SspiDeleteSecurityContextAsync", call_delete, 10},
    {"SspiFreeCredentialsHandleAsync", call_free_credential, 4},
};
RANDOM_ROWS(random_async_rows, rows);
