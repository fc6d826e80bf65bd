/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * fork in every state of the engine, and at any moment while other threads are inside every call:
 * the child uses the library at once, nothing of the parent's is pending there for ever, and the
 * parent goes on as if nothing had happened.
 */
#include "async/async_util.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"

TEST_FORKS_WITH_THREADS;

/* What the parent had when it forked; the child looks at it. */
struct heritage {
    CredHandle credential;
    CtxtHandle context; /* between two legs */
    OsspiCompletionQueue *queue;
    struct async_call *pending; /* calls that are under way, or NULL */
    uint32_t pending_count;
};

/* ---- the child ---- */

static void use_handshakes(CredHandle *credential)
{
    struct async_call call;

    async_call_init(&call);
    for (uint64_t i = 0; i < 3; i++) {
        TEST_REQUIRE_EQUAL(async_leg(&call, credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, 3 * i + 1);
        TEST_REQUIRE_EQUAL(async_status(&call), SEC_I_CONTINUE_NEEDED);
        TEST_REQUIRE_EQUAL(async_leg(&call, NULL, &call.own.context), SEC_E_OK);
        test_counter_await(&call.notified, 3 * i + 2);
        TEST_REQUIRE_EQUAL(async_leg_now(&call, NULL, &call.own.context), SEC_I_CONTINUE_NEEDED);
        TEST_REQUIRE_EQUAL(async_delete(&call, &call.own.context), SEC_E_OK);
        test_counter_await(&call.notified, 3 * i + 3);
    }
    async_call_clear(&call);
}

static void use_queue_and_deadline(CredHandle *credential)
{
    struct async_crowd crowd;
    OsspiCompletionQueue *queue;
    struct async_call calls[3];
    struct pollfd poll_fd = {.events = POLLIN};

    TEST_REQUIRE_EQUAL(API(OsspiCreateCompletionQueue(&queue)), SEC_E_OK);
    async_occupy(&crowd);
    for (uint32_t i = 0; i < 3; i++) {
        async_call_init(&calls[i]);
        TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(calls[i].async, queue), SEC_E_OK);
        TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(calls[i].async, i == 1 ? 5 : 0), SEC_E_OK);
        TEST_REQUIRE_EQUAL(async_leg(&calls[i], credential, NULL), SEC_E_OK);
    }
    TEST_REQUIRE_EQUAL(API(OsspiCancelAsyncCall(calls[0].async)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(calls[2].async, OSSPI_INFINITE)),
                       SEC_I_CONTINUE_NEEDED);
    poll_fd.fd = OsspiCompletionQueueFd(queue);
    for (ULONG drained = 0; drained < 3; drained += OsspiDrainCompletions(queue, 0))
        TEST_REQUIRE_EQUAL(poll(&poll_fd, 1, -1), 1);
    TEST_REQUIRE_EQUAL(async_status(&calls[0]), ASYNC_CANCELLED);
    TEST_REQUIRE_EQUAL(async_status(&calls[1]), ASYNC_TIMEOUT);
    async_vacate(&crowd);
    async_drop_context(&calls[2].own.context);
    for (uint32_t i = 0; i < 3; i++)
        async_call_clear(&calls[i]);
    TEST_REQUIRE_EQUAL(API(OsspiCloseCompletionQueue(queue)), SEC_E_OK);
}

static void use_everything(void)
{
    CredHandle credentials[2] = {async_credential(OSSPI_LANE_CPU, NULL),
                                 async_credential(OSSPI_LANE_BLOCKING, "child")};
    struct async_call call;

    use_handshakes(&credentials[0]);
    use_handshakes(&credentials[1]);
    use_queue_and_deadline(&credentials[0]);
    async_call_init(&call);
    TEST_REQUIRE_EQUAL(async_acquire(&call, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_free_credential(&call, &call.own.credential), SEC_E_OK);
    test_counter_await(&call.notified, 2);
    async_call_clear(&call);
    async_drop_credential(&credentials[0]);
    async_drop_credential(&credentials[1]);
}

static void look_at_pending(struct async_call *pending)
{
    SspiAsyncContext *handle = pending->async;
    SECURITY_STATUS status = API(SspiGetAsyncCallStatus(handle));

    TEST_REQUIRE(status != SEC_I_ASYNC_CALL_PENDING);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(handle, OSSPI_INFINITE)), status);
    TEST_REQUIRE(API(OsspiCancelAsyncCall(handle)) != SEC_E_OK);
    /* Free for the child's own calls. */
    TEST_REQUIRE_EQUAL(API(SspiReinitAsyncContext(handle)), STATUS_SUCCESS);
    TEST_REQUIRE_EQUAL(API(SspiGetAsyncCallStatus(handle)), SEC_I_ASYNC_CALL_PENDING);
    TEST_REQUIRE_EQUAL(API(SspiSetAsyncNotifyCallback(handle, NULL, NULL)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiSetCompletionQueue(handle, NULL)), SEC_E_OK);
}

static void reuse_pending(struct async_call *pending, CredHandle *credential)
{
    struct async_call call;
    SspiAsyncContext *spare;

    async_call_init_silent(&call);
    spare = call.async;
    call.async = pending->async;
    TEST_REQUIRE_EQUAL(async_leg(&call, credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    API_VOID(SspiFreeAsyncContext(spare));
}

static void look_at_heritage(struct heritage *heritage)
{
    struct async_call call;

    if (heritage->queue) {
        TEST_REQUIRE_EQUAL(OsspiCompletionQueueFd(heritage->queue), -1);
        TEST_REQUIRE_EQUAL(OsspiDrainCompletions(heritage->queue, 0), 0);
        TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(heritage->queue), SEC_E_INVALID_HANDLE);
    }
    for (uint32_t i = 0; i < heritage->pending_count; i++) {
        look_at_pending(&heritage->pending[i]);
        reuse_pending(&heritage->pending[i], &heritage->credential);
    }
    /* A credential goes on in the child, a handshake does not. */
    use_handshakes(&heritage->credential);
    async_call_init(&call);
    TEST_REQUIRE_EQUAL(async_leg_now(&call, NULL, &heritage->context), SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE_EQUAL(async_leg(&call, NULL, &heritage->context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_E_CONTEXT_EXPIRED);
    async_call_clear(&call);
    async_drop_context(&heritage->context);
    async_drop_credential(&heritage->credential);
}

static int live_in_child(void *data)
{
    use_everything();
    look_at_heritage(data);
    use_everything();
    TEST_REQUIRE_EQUAL(atomic_load(&mock_totals.overlaps), 0);
    return 0;
}

/* Ends by exit(), so that the handlers of the child's engine run. */
static int live_and_exit_in_child(void *data)
{
    live_in_child(data);
    exit(0);
}

/* A sanitizer's allocator may be locked for ever in the child if another thread is inside it. */
static void be_quiet_for_sanitizers(void)
{
    if (TEST_SANITIZED)
        test_await_quiet();
}

static void fork_and_look(struct heritage *heritage)
{
    be_quiet_for_sanitizers();
    TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(live_in_child, heritage)), 0);
    be_quiet_for_sanitizers();
    fflush(NULL);
    TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(live_and_exit_in_child, heritage)), 0);
}

static void heritage_init(struct heritage *heritage)
{
    *heritage = (struct heritage){.credential = async_credential(OSSPI_LANE_CPU, NULL)};
    heritage->context = async_context(&heritage->credential);
}

static void heritage_end(struct heritage *heritage)
{
    struct async_call call;

    /* The parent's own handshake goes on. */
    async_call_init(&call);
    TEST_REQUIRE_EQUAL(async_leg(&call, NULL, &heritage->context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_call_clear(&call);
    async_drop_context(&heritage->context);
    async_drop_credential(&heritage->credential);
}

/* ---- one state after the other ---- */

static int use_in_child(void *data)
{
    (void)data;
    use_everything();
    return 0;
}

static void fork_before_the_engine_was_used(void **state)
{
    (void)state;
    assert_int_equal(test_child_join(test_child_fork(use_in_child, NULL)), 0);
}

static void fork_with_an_idle_engine(void **state)
{
    struct heritage heritage;

    (void)state;
    use_everything();
    heritage_init(&heritage);
    fork_and_look(&heritage);
    heritage_end(&heritage);
}

static void fork_with_calls_queued_and_running(void **state)
{
    static struct async_call calls[20];
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle blocking = async_credential(OSSPI_LANE_BLOCKING, "parent");
    CtxtHandle line;
    struct heritage heritage;

    (void)state;
    heritage_init(&heritage);
    line = async_context(&heritage.credential);
    for (uint32_t i = 0; i < 20; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &gate;
        if (i % 5 == 4)
            assert_int_equal(OsspiSetAsyncTimeout(calls[i].async, 3600000), SEC_E_OK);
        assert_int_equal(async_leg(&calls[i], i % 2 ? &blocking : &heritage.credential,
                                   i % 3 == 0 ? &line : NULL),
                         SEC_E_OK);
    }
    test_gate_await(&gate, 9); /* both workers, and all that block but for those in the line */
    heritage.pending = calls;
    heritage.pending_count = 20;
    fork_and_look(&heritage);
    test_gate_open(&gate);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        if (i % 3 != 0)
            async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_drop_context(&line);
    async_drop_credential(&blocking);
    heritage_end(&heritage);
}

static void fork_with_entries_in_a_queue_and_workers_in_callbacks(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    struct async_call calls[4];
    struct heritage heritage;

    (void)state;
    heritage_init(&heritage);
    assert_int_equal(OsspiCreateCompletionQueue(&heritage.queue), SEC_E_OK);
    for (uint32_t i = 0; i < 4; i++) {
        async_call_init(&calls[i]);
        if (i < 2)
            assert_int_equal(OsspiSetCompletionQueue(calls[i].async, heritage.queue), SEC_E_OK);
        else
            calls[i].callback_gate = &gate;
        assert_int_equal(async_leg(&calls[i], &heritage.credential, NULL), SEC_E_OK);
        assert_int_equal(API(OsspiWaitAsyncCall(calls[i].async, OSSPI_INFINITE)),
                         SEC_I_CONTINUE_NEEDED);
    }
    test_gate_await(&gate, 2);
    heritage.pending = calls;
    heritage.pending_count = 4;
    fork_and_look(&heritage);
    test_gate_open(&gate);
    for (ULONG drained = 0; drained < 2;)
        drained += OsspiDrainCompletions(heritage.queue, 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    assert_int_equal(OsspiCloseCompletionQueue(heritage.queue), SEC_E_OK);
    heritage_end(&heritage);
}

/* ---- forks made inside the library's callbacks and legs ---- */

static pid_t forked_child; /* set on the thread that forks, read after its callback */
static bool use_in_forked; /* the child uses the library before it goes on */
static bool return_in_child;

static void fork_here(void)
{
    fflush(NULL);
    be_quiet_for_sanitizers();
    forked_child = fork();
    TEST_REQUIRE(forked_child >= 0);
    if (forked_child > 0)
        return;
    test_watchdog(20);
    async_inside_api = 0;
    if (use_in_forked)
        use_everything();
    if (!return_in_child)
        _exit(0);
}

static void fork_in_callback(struct async_call *call)
{
    (void)call;
    fork_here();
}

static void fork_inside_a_callback(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    (void)state;
    for (int i = 0; i < 4; i++) {
        OsspiCompletionQueue *queue;
        struct async_call call;

        /* On a worker, then on a draining thread; the child ends there or comes back. On a worker
         * it comes back with no other thread in the process, which ends then. */
        return_in_child = i % 2 == 1;
        use_in_forked = i != 1;
        if (TEST_TSAN && i == 1) /* whose own end of a last thread fails there */
            continue;
        assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
        async_call_init(&call);
        call.in_callback = fork_in_callback;
        if (i >= 2)
            assert_int_equal(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        while (i >= 2 && OsspiDrainCompletions(queue, 0) == 0)
            ;
        if (i >= 2 && forked_child == 0) /* the child that came back out of the drain */
            _exit(0);
        async_await(&call);
        assert_int_equal(test_child_join(forked_child), 0);
        async_drop_context(&call.own.context);
        async_call_clear(&call);
        assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    }
    async_drop_credential(&credential);
}

static void fork_in_leg(struct mock_step *step)
{
    (void)step;
    fork_here();
}

static void fork_inside_a_sync_leg(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call call;

    (void)state;
    return_in_child = use_in_forked = true;
    async_call_init(&call);
    call.step.inside = fork_in_leg;
    assert_int_equal(async_leg_now(&call, NULL, &context), SEC_I_CONTINUE_NEEDED);
    if (forked_child == 0) {
        /* The leg came back in the child too, and left a sound line behind. */
        struct heritage heritage = {.credential = credential, .context = context};

        look_at_heritage(&heritage);
        _exit(0);
    }
    assert_int_equal(test_child_join(forked_child), 0);
    async_call_clear(&call);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

static void fork_inside_async_legs(void **state)
{
    (void)state;
    return_in_child = false;
    use_in_forked = true;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "fork");
        struct async_call call;

        async_call_init(&call);
        call.step.inside = fork_in_leg;
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(test_child_join(forked_child), 0);
        async_drop_context(&call.own.context);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

/* ---- fork again and again while other threads are inside every call ---- */

enum { BUSY_THREADS = 4 };

static atomic_bool stop_busy;

static void *be_busy(void *data)
{
    CredHandle *credentials = data;
    OsspiCompletionQueue *queue;
    struct async_call call;
    uint64_t count = 0;

    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&call);
    call.step.want_blocking = test_thread_id() % 2 == 0; /* some change lanes midway, some do not */
    while (!atomic_load(&stop_busy)) {
        CredHandle *credential = &credentials[count % 2];
        OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

        TEST_REQUIRE_EQUAL(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
        TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call.async, count % 3 ? 60000 : 0), SEC_E_OK);
        TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(call.async, count % 5 ? NULL : queue), SEC_E_OK);
        TEST_REQUIRE_EQUAL(async_leg(&call, credential, NULL), SEC_E_OK);
        if (count % 4 == 0)
            (void)API(OsspiCancelAsyncCall(call.async));
        (void)API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE));
        while (count % 5 == 0 && OsspiDrainCompletions(queue, 0) == 0)
            ;
        test_counter_await(&call.notified, ++count);
        if (async_status(&call) == SEC_I_CONTINUE_NEEDED) {
            TEST_REQUIRE_EQUAL(async_leg_now(&call, NULL, &call.own.context),
                               SEC_I_CONTINUE_NEEDED);
            async_drop_context(&call.own.context);
        }
        (void)OsspiGetStatistics(&statistics);
        SspiFreeAsyncContext(SspiCreateAsyncContext());
    }
    async_call_clear(&call);
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    return NULL;
}

static void ignore_event(const OsspiTraceRecord *record, void *data)
{
    (void)record;
    (void)data;
}

/* The calls that make and end handles. */
static void *be_busy_with_handles(void *data)
{
    SecBufferDesc message = {SECBUFFER_VERSION, 0, NULL};
    struct async_call call;
    uint64_t count = 0;

    async_call_init(&call);
    while (!atomic_load(&stop_busy)) {
        OsspiCompletionQueue *queue;
        CredHandle credential;

        TEST_REQUIRE_EQUAL(OsspiSetTrace(count % 2 ? ignore_event : NULL, NULL), SEC_E_OK);
        TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
        TEST_REQUIRE_EQUAL(async_acquire(&call, NULL), SEC_E_OK);
        test_counter_await(&call.notified, ++count);
        credential = call.own.credential;
        call.step.status = SEC_E_OK;
        TEST_REQUIRE_EQUAL(async_accept(&call, &credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, ++count);
        TEST_REQUIRE_EQUAL(EncryptMessage(&call.own.context, 0, &message, 0), SEC_E_OK);
        TEST_REQUIRE_EQUAL(DecryptMessage(&call.own.context, &message, 0, NULL), SEC_E_OK);
        TEST_REQUIRE_EQUAL(async_record(&call.own.context).legs, 1);
        TEST_REQUIRE_EQUAL(async_delete(&call, &call.own.context), SEC_E_OK);
        test_counter_await(&call.notified, ++count);
        TEST_REQUIRE_EQUAL(async_free_credential(&call, &credential), SEC_E_OK);
        test_counter_await(&call.notified, ++count);
        TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    }
    async_call_clear(&call);
    return data;
}

static void fork_again_and_again_under_load(void **state)
{
    CredHandle credentials[2];
    pthread_t threads[BUSY_THREADS];
    struct heritage heritage;

    (void)state;
    if (TEST_SANITIZED) {
        print_message("skipped: a sanitizer may leave its allocator locked in the child\n");
        return;
    }
    credentials[0] = async_credential(OSSPI_LANE_CPU, NULL);
    credentials[1] = async_credential(OSSPI_LANE_BLOCKING, "busy");
    heritage_init(&heritage);
    assert_int_equal(OsspiCreateCompletionQueue(&heritage.queue), SEC_E_OK);
    for (int i = 0; i < BUSY_THREADS; i++)
        threads[i] = test_thread_start(i % 2 ? be_busy_with_handles : be_busy, credentials);
    for (uint32_t i = 0; i < 60; i++)
        assert_int_equal(test_child_join(test_child_fork(live_in_child, &heritage)), 0);
    atomic_store(&stop_busy, true);
    for (int i = 0; i < BUSY_THREADS; i++)
        test_thread_join(threads[i]);
    async_drop_credential(&credentials[0]);
    async_drop_credential(&credentials[1]);
    assert_int_equal(OsspiCloseCompletionQueue(heritage.queue), SEC_E_OK);
    heritage_end(&heritage);
}

static int fork_deeper(void *data)
{
    int depth = *(int *)data - 1;

    use_everything();
    if (depth == 0)
        return 0;
    be_quiet_for_sanitizers();
    return test_child_join(test_child_fork(fork_deeper, &depth));
}

static void fork_of_a_fork_of_a_fork(void **state)
{
    int depth = 5;

    (void)state;
    be_quiet_for_sanitizers();
    assert_int_equal(test_child_join(test_child_fork(fork_deeper, &depth)), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_before_the_engine_was_used),
        cmocka_unit_test(fork_with_an_idle_engine),
        cmocka_unit_test(fork_with_calls_queued_and_running),
        cmocka_unit_test(fork_with_entries_in_a_queue_and_workers_in_callbacks),
        cmocka_unit_test(fork_inside_a_callback),
        cmocka_unit_test(fork_inside_a_sync_leg),
        cmocka_unit_test(fork_inside_async_legs),
        cmocka_unit_test(fork_again_and_again_under_load),
        cmocka_unit_test(fork_of_a_fork_of_a_fork),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.fork", tests, NULL, async_teardown);
}
