/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One asynchronous call of the mock package with all its memory; see async_util.h. Any thread may
 * use these functions, each call object one thread at a time.
 */
#include "async/async_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const enum osspi_lane async_lanes[ASYNC_LANES] = {OSSPI_LANE_CPU, OSSPI_LANE_BLOCKING};

_Thread_local int async_inside_api;

void async_setup_with(OsspiOptions options)
{
    options.cbSize = sizeof(options);
    /* cmocka: a failed assertion ends the program. It leaves calls behind that would make every
     * later test of the program hang. */
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    mock_register();
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
}

void async_setup(void)
{
    async_setup_with((OsspiOptions){.workers = ASYNC_WORKERS});
}

OsspiStatistics async_statistics(void)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    TEST_REQUIRE_EQUAL(API(OsspiGetStatistics(&statistics)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(statistics.cbSize, sizeof(statistics));
    return statistics;
}

/* The library lets go of a call shortly after its callback has come back. */
static bool is_clean(void *data)
{
    OsspiStatistics now = async_statistics();

    (void)data;
    return now.live_async_contexts == 0 && now.live_contexts == 0 && now.live_credentials == 0 &&
           now.live_completion_queues == 0 && now.calls_abandoned_running == 0 &&
           now.callbacks_pending == 0 && now.queue_depth == 0 &&
           now.calls_queued == now.calls_completed;
}

void async_require_clean(void)
{
    test_poll(is_clean, NULL);
    mock_require_sound();
}

int async_teardown(void **state)
{
    (void)state;
    async_require_clean();
    return 0;
}

static bool none_abandoned(void *data)
{
    (void)data;
    return async_statistics().calls_abandoned_running == 0;
}

void async_await_no_abandoned(void)
{
    test_poll(none_abandoned, NULL);
}

/* ---- one call ---- */

void async_notify(SspiAsyncContext *handle, void *data)
{
    struct async_call *call = data;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(handle);

    TEST_REQUIRE_EQUAL(async_inside_api, 0);
    TEST_REQUIRE(handle == call->async);
    TEST_REQUIRE(status != SEC_I_ASYNC_CALL_PENDING);
    atomic_store(&call->callback_status, status);
    atomic_store(&call->callback_thread, test_thread_id());
    if (call->callback_gate)
        test_gate_pass(call->callback_gate);
    if (call->in_callback)
        call->in_callback(call);
    test_counter_add(&call->notified, 1);
}

void async_call_init_silent(struct async_call *call)
{
    memset(call, 0, sizeof(*call));
    call->step.status = SEC_I_CONTINUE_NEEDED;
    call->ticket = (struct mock_ticket){.magic = MOCK_TICKET, .step = &call->step};
    call->outputs = &call->own;
    test_counter_init(&call->notified);
    call->async = API(SspiCreateAsyncContext());
    TEST_REQUIRE(call->async);
}

void async_call_init(struct async_call *call)
{
    async_call_init_silent(call);
    TEST_REQUIRE_EQUAL(API(SspiSetAsyncNotifyCallback(call->async, async_notify, call)), SEC_E_OK);
}

void async_call_clear(struct async_call *call)
{
    API_VOID(SspiFreeAsyncContext(call->async));
    call->async = NULL;
}

void async_poison(struct async_outputs *outputs)
{
    memset(outputs, ASYNC_POISON, sizeof(*outputs));
}

static bool all_poison(const void *memory, size_t len)
{
    const unsigned char *bytes = memory;

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != ASYNC_POISON)
            return false;
    }
    return true;
}

bool async_is_poisoned(const struct async_outputs *outputs)
{
    return all_poison(outputs, sizeof(*outputs));
}

/* Handle values are captured by the call, so a copy may stand on the stack; and the caller may pass
 * the very storage that is poisoned. */
static CtxtHandle *copy_handle(CtxtHandle *copy, const CtxtHandle *handle)
{
    if (!handle)
        return NULL;
    *copy = *handle;
    return copy;
}

/* The output buffer has a description of its own, which is no poison. */
static void prepare(struct async_call *call)
{
    struct async_outputs *outputs = call->outputs;

    async_poison(outputs);
    outputs->buffer = (SecBuffer){sizeof(outputs->bytes), SECBUFFER_TOKEN, outputs->bytes};
    call->in_buffer = (SecBuffer){sizeof(call->ticket), SECBUFFER_TOKEN, &call->ticket};
    call->in = (SecBufferDesc){SECBUFFER_VERSION, 1, &call->in_buffer};
    call->out = (SecBufferDesc){SECBUFFER_VERSION, 1, &outputs->buffer};
}

static char target[] = "host.test"; /* constant after its definition; the API wants it writable */

SECURITY_STATUS async_leg(struct async_call *call, CredHandle *credential, CtxtHandle *context)
{
    CtxtHandle handle;

    context = copy_handle(&handle, context);
    prepare(call);
    return API(SspiInitializeSecurityContextAsyncA(
        call->async, credential, context, target, ISC_REQ_CONFIDENTIALITY, 0, SECURITY_NATIVE_DREP,
        &call->in, 0, &call->outputs->context, &call->out, &call->outputs->attributes,
        &call->outputs->expiry));
}

SECURITY_STATUS async_accept(struct async_call *call, CredHandle *credential, CtxtHandle *context)
{
    CtxtHandle handle;

    context = copy_handle(&handle, context);
    prepare(call);
    return API(SspiAcceptSecurityContextAsync(
        call->async, credential, context, &call->in, ASC_REQ_CONFIDENTIALITY, SECURITY_NATIVE_DREP,
        &call->outputs->context, &call->out, &call->outputs->attributes, &call->outputs->expiry));
}

SECURITY_STATUS async_leg_now(struct async_call *call, CredHandle *credential, CtxtHandle *context)
{
    CtxtHandle handle;

    context = copy_handle(&handle, context);
    prepare(call);
    return API(InitializeSecurityContextA(
        credential, context, target, ISC_REQ_CONFIDENTIALITY, 0, SECURITY_NATIVE_DREP, &call->in, 0,
        &call->outputs->context, &call->out, &call->outputs->attributes, &call->outputs->expiry));
}

static char package[] = MOCK_NAME; /* constant after its definition, as above */

SECURITY_STATUS async_acquire(struct async_call *call, struct mock_auth *auth)
{
    prepare(call);
    return API(SspiAcquireCredentialsHandleAsyncA(
        call->async, NULL, package, SECPKG_CRED_BOTH, NULL, auth, NULL, NULL,
        &call->outputs->credential, &call->outputs->expiry));
}

SECURITY_STATUS async_delete(struct async_call *call, CtxtHandle *context)
{
    return API(SspiDeleteSecurityContextAsync(call->async, context));
}

SECURITY_STATUS async_free_credential(struct async_call *call, CredHandle *credential)
{
    return API(SspiFreeCredentialsHandleAsync(call->async, credential));
}

SECURITY_STATUS async_await(struct async_call *call)
{
    test_counter_await(&call->notified, 1);
    return atomic_load(&call->callback_status);
}

SECURITY_STATUS async_status(const struct async_call *call)
{
    return API(SspiGetAsyncCallStatus(call->async));
}

/* ---- credentials and contexts ---- */

CredHandle async_credential(enum osspi_lane lane, const char *class_name)
{
    struct mock_auth auth = {.magic = MOCK_AUTH, .lane = lane, .class_name = class_name};
    CredHandle credential;

    TEST_REQUIRE_EQUAL(API(AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_BOTH, NULL, &auth,
                                                     NULL, NULL, &credential, NULL)),
                       SEC_E_OK);
    return credential;
}

CtxtHandle async_context(CredHandle *credential)
{
    SecBuffer buffer = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};
    CtxtHandle context;
    ULONG attributes;

    TEST_REQUIRE_EQUAL(
        API(InitializeSecurityContextA(credential, NULL, target, 0, 0, SECURITY_NATIVE_DREP, NULL,
                                       0, &context, &out, &attributes, NULL)),
        SEC_I_CONTINUE_NEEDED);
    return context;
}

void async_run_leg(CredHandle *credential)
{
    struct async_call call;

    async_call_init(&call);
    TEST_REQUIRE_EQUAL(async_leg(&call, credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
}

void async_leg_to_gate(struct async_call *call, struct test_gate *gate, CredHandle *credential,
                       CtxtHandle *context)
{
    call->step.gate = gate;
    TEST_REQUIRE_EQUAL(async_leg(call, credential, context), SEC_E_OK);
    test_gate_await(gate, 1);
}

void async_drop_credential(CredHandle *credential)
{
    TEST_REQUIRE_EQUAL(API(FreeCredentialsHandle(credential)), SEC_E_OK);
}

void async_drop_context(CtxtHandle *context)
{
    TEST_REQUIRE_EQUAL(API(DeleteSecurityContext(context)), SEC_E_OK);
}

struct mock_record async_record(CtxtHandle *context)
{
    struct mock_record record;

    TEST_REQUIRE_EQUAL(
        API(QueryContextAttributesExA(context, MOCK_ATTRIBUTE_RECORD, &record, sizeof(record))),
        SEC_E_OK);
    return record;
}

/* ---- all workers at a gate ---- */

void async_occupy(struct async_crowd *crowd)
{
    test_gate_init(&crowd->gate);
    crowd->credential = async_credential(OSSPI_LANE_CPU, NULL);
    for (uint32_t i = 0; i < ASYNC_WORKERS; i++) {
        async_call_init(&crowd->calls[i]);
        crowd->calls[i].step.gate = &crowd->gate;
        TEST_REQUIRE_EQUAL(async_leg(&crowd->calls[i], &crowd->credential, NULL), SEC_E_OK);
    }
    test_gate_await(&crowd->gate, ASYNC_WORKERS);
}

void async_vacate(struct async_crowd *crowd)
{
    test_gate_open(&crowd->gate);
    for (uint32_t i = 0; i < ASYNC_WORKERS; i++) {
        TEST_REQUIRE_EQUAL(async_await(&crowd->calls[i]), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&crowd->calls[i].outputs->context);
        async_call_clear(&crowd->calls[i]);
    }
    async_drop_credential(&crowd->credential);
}

/* ---- programs ---- */

int async_run_self(const char *argument)
{
    char path[512];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    pid_t child;

    TEST_REQUIRE(len > 0);
    path[len] = '\0';
    child = fork();
    TEST_REQUIRE(child >= 0);
    if (child == 0) {
        execl(path, path, argument, (char *)NULL);
        _exit(126);
    }
    return test_child_join(child);
}
