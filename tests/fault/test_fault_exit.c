/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The end of the process, and of the engine, in every state that tests/async/test_async_shutdown.c
 * does not have yet: from every kind of thread and callback, by every way a process can end, and
 * while other threads wait, drain, shut down and handshake. Each case is a process of its own: this
 * program again, with the case's name. What hangs is ended by the watchdog.
 */
#include "async/async_util.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

TEST_FORKS_WITH_THREADS;

#define EXPECTED 42 /* exit status of a process that ends on purpose */

static struct test_gate never = TEST_GATE_INIT;
static struct async_call calls[64];
static OsspiCompletionQueue *queue;
static struct async_crowd crowd;

/* Calls in every state: running and stuck on both lanes, waiting for a worker and for a turn, with
 * a deadline that is far away, complete in a queue that nobody drains. */
static void fill_every_state(void)
{
    CredHandle blocking = async_credential(OSSPI_LANE_BLOCKING, "stuck");
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle line = async_context(&blocking);

    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&calls[0]);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(calls[0].async, queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_leg(&calls[0], &credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(calls[0].async, OSSPI_INFINITE)),
                       SEC_I_CONTINUE_NEEDED);
    async_occupy(&crowd);
    for (uint32_t i = 1; i < 40; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &never;
        TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(calls[i].async, i % 4 ? 0 : 3600000), SEC_E_OK);
        TEST_REQUIRE_EQUAL(
            async_leg(&calls[i], i % 3 ? &blocking : &credential, i % 5 ? NULL : &line), SEC_E_OK);
    }
    test_gate_await(&never, 10);
}

/* ---- ways to end ---- */

static int case_return_from_main(void)
{
    fill_every_state();
    return EXPECTED; /* and main() returns it */
}

static int case_exit_at_once(void)
{
    fill_every_state();
    _exit(EXPECTED);
}

static int case_quick_exit(void)
{
    fill_every_state();
    quick_exit(EXPECTED);
}

static int case_killed(void)
{
    fill_every_state();
    raise(SIGTERM);
    return 0;
}

static void *end_process(void *data)
{
    (void)data;
    exit(EXPECTED);
}

static int case_exit_on_another_thread(void)
{
    fill_every_state();
    test_thread_join(test_thread_start(end_process, NULL)); /* for ever */
    return 0;
}

/* The kernel keeps a first thread that has ended as a zombie. */
static bool main_is_gone(void *data)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char state = ' ';

    (void)data;
    TEST_REQUIRE(file != NULL);
    TEST_REQUIRE_EQUAL(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
    fclose(file);
    return state == 'Z';
}

static void *end_process_when_main_is_gone(void *data)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    (void)data;
    test_poll(main_is_gone, NULL);
    for (int i = 0; i < 20; i++)
        async_run_leg(&credential);
    exit(EXPECTED);
}

static int case_main_thread_ends_first(void)
{
    fill_every_state();
    test_gate_open(&crowd.gate); /* workers for the calls that are still to come */
    test_gate_open(&never);
    (void)test_thread_start(end_process_when_main_is_gone, NULL);
    pthread_exit(NULL);
}

/* ---- from where ---- */

static void exit_in_callback(struct async_call *call)
{
    (void)call;
    exit(EXPECTED);
}

static int case_exit_while_draining(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    fill_every_state();
    test_gate_open(&never);
    async_call_init(&calls[50]);
    calls[50].in_callback = exit_in_callback;
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(calls[50].async, queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_leg(&calls[50], &credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(calls[50].async, OSSPI_INFINITE)),
                       SEC_I_CONTINUE_NEEDED);
    while (OsspiDrainCompletions(queue, 0) < 1000)
        ;
    return 0;
}

static void exit_in_step(struct mock_step *step)
{
    (void)step;
    exit(EXPECTED);
}

static int exit_in_leg(enum osspi_lane lane, bool sync)
{
    CredHandle credential = async_credential(lane, lane == OSSPI_LANE_BLOCKING ? "leg" : NULL);

    async_call_init(&calls[0]);
    calls[0].step.inside = exit_in_step;
    if (sync)
        (void)async_leg_now(&calls[0], &credential, NULL);
    else
        TEST_REQUIRE_EQUAL(async_leg(&calls[0], &credential, NULL), SEC_E_OK);
    async_await(&calls[0]); /* for ever */
    return 0;
}

static int case_exit_in_a_leg(void)
{
    return exit_in_leg(OSSPI_LANE_CPU, false);
}

static int case_exit_in_a_blocking_leg(void)
{
    return exit_in_leg(OSSPI_LANE_BLOCKING, false);
}

static int case_exit_in_a_sync_leg(void)
{
    return exit_in_leg(OSSPI_LANE_CPU, true);
}

static void exit_on_event(const OsspiTraceRecord *record, void *data)
{
    if (record->event == *(OsspiTraceEvent *)data)
        exit(EXPECTED);
}

static int exit_in_trace(OsspiTraceEvent event)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    TEST_REQUIRE_EQUAL(OsspiSetTrace(exit_on_event, &event), SEC_E_OK);
    async_call_init(&calls[0]);
    TEST_REQUIRE_EQUAL(async_leg(&calls[0], &credential, NULL), SEC_E_OK);
    async_await(&calls[0]);
    test_gate_pass(&never); /* for ever */
    return 0;
}

static int case_exit_in_trace_of_a_start(void)
{
    return exit_in_trace(OsspiTraceStarted);
}

static int case_exit_in_trace_of_an_end(void)
{
    return exit_in_trace(OsspiTraceCallbackReturned);
}

static void abort_in_callback(struct async_call *call)
{
    (void)call;
    signal(SIGABRT, SIG_DFL);
    abort();
}

static int case_abort_in_a_callback(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    async_call_init(&calls[0]);
    calls[0].in_callback = abort_in_callback;
    TEST_REQUIRE_EQUAL(async_leg(&calls[0], &credential, NULL), SEC_E_OK);
    async_await(&calls[0]);
    return 0;
}

/* A handler that runs behind the library's: calls are refused, the rest still works. */
static void use_in_handler(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call call;

    async_call_init_silent(&call);
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, NULL), SEC_E_SHUTDOWN_IN_PROGRESS);
    TEST_REQUIRE_EQUAL(async_delete(&call, &context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiShutdown(0)), ASYNC_TIMEOUT); /* there are stuck calls */
    async_call_clear(&call);
    async_drop_credential(&credential);
    _exit(EXPECTED);
}

static int case_library_is_used_in_exit_handler(void)
{
    fill_every_state();
    exit(0);
}

/* ---- while other threads are inside ---- */

static void *wait_for_ever(void *data)
{
    struct async_call *call = data;

    (void)API(OsspiWaitAsyncCall(call->async, OSSPI_INFINITE));
    return NULL;
}

static void *drain_for_ever(void *data)
{
    for (;;)
        (void)OsspiDrainCompletions(data, 0);
    return NULL;
}

static void *shut_down_for_ever(void *data)
{
    (void)API(OsspiShutdown(OSSPI_INFINITE));
    return data;
}

static void start(void *(*function)(void *), void *data)
{
    TEST_REQUIRE_EQUAL(pthread_detach(test_thread_start(function, data)), 0);
}

static bool is_closed(void *data)
{
    OsspiCompletionQueue *probe;
    SECURITY_STATUS status = OsspiCreateCompletionQueue(&probe);

    (void)data;
    if (status == SEC_E_OK)
        TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(probe), SEC_E_OK);
    return status == SEC_E_SHUTDOWN_IN_PROGRESS;
}

static int case_exit_while_others_wait_drain_and_shut_down(void)
{
    fill_every_state();
    for (int i = 1; i < 5; i++)
        start(wait_for_ever, &calls[i]);
    start(drain_for_ever, queue);
    start(shut_down_for_ever, NULL);
    test_poll(is_closed, NULL);
    exit(EXPECTED);
}

/* ---- shutdown ---- */

static _Atomic uint32_t shut_downs;

static void *shut_down(void *data)
{
    TEST_REQUIRE_EQUAL(API(OsspiShutdown(OSSPI_INFINITE)), SEC_E_OK);
    atomic_fetch_add(&shut_downs, 1);
    return data;
}

static void *wait_to_the_end(void *data)
{
    struct async_call *call = data;

    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call->async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    return NULL;
}

/* Four threads shut down while others wait for calls that are still to run; the deadlines of these
 * are far away. */
static int case_shutdown_by_many_beside_waiters(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "many");
    pthread_t threads[8];

    for (int i = 0; i < 4; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &never;
        TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(calls[i].async, 3600000), SEC_E_OK);
        TEST_REQUIRE_EQUAL(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
        threads[i] = test_thread_start(wait_to_the_end, &calls[i]);
    }
    for (int i = 4; i < 8; i++)
        threads[i] = test_thread_start(shut_down, NULL);
    test_poll(is_closed, NULL);
    TEST_REQUIRE_EQUAL(atomic_load(&shut_downs), 0);
    test_gate_open(&never);
    for (int i = 0; i < 8; i++)
        test_thread_join(threads[i]);
    for (int i = 0; i < 4; i++) {
        TEST_REQUIRE_EQUAL(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_drop_credential(&credential);
    async_require_clean();
    return 0;
}

static void *drain_to_the_end(void *data)
{
    for (ULONG drained = 0; drained < 20;)
        drained += OsspiDrainCompletions(data, 0);
    return NULL;
}

static int case_shutdown_beside_a_drain(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "drain");
    pthread_t thread;

    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    for (int i = 0; i < 20; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &never;
        TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(calls[i].async, queue), SEC_E_OK);
        TEST_REQUIRE_EQUAL(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    thread = test_thread_start(drain_to_the_end, queue);
    test_gate_open(&never);
    TEST_REQUIRE_EQUAL(API(OsspiShutdown(OSSPI_INFINITE)), SEC_E_OK);
    test_thread_join(thread);
    for (int i = 0; i < 20; i++) {
        TEST_REQUIRE_EQUAL(test_counter_get(&calls[i].notified), 1);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    async_drop_credential(&credential);
    async_require_clean();
    return 0;
}

static int work_and_shut_down(void *data)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    async_run_leg(&credential);
    async_drop_credential(&credential);
    TEST_REQUIRE_EQUAL(API(OsspiShutdown(OSSPI_INFINITE)), SEC_E_OK);
    TEST_REQUIRE(is_closed(NULL));
    (void)data;
    return 0;
}

/* Each process has an engine of its own: the child's is open though the parent's is closed, and the
 * child's end is not the parent's. */
static int case_shutdown_is_of_one_process(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    async_run_leg(&credential);
    if (TEST_SANITIZED)
        test_await_quiet();
    TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(work_and_shut_down, NULL)), 0);
    async_run_leg(&credential);
    TEST_REQUIRE_EQUAL(API(OsspiShutdown(OSSPI_INFINITE)), SEC_E_OK);
    TEST_REQUIRE(is_closed(NULL));
    TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(work_and_shut_down, NULL)), 0);
    TEST_REQUIRE(is_closed(NULL));
    async_drop_credential(&credential);
    return 0;
}

/* Forked while a shutdown of the parent waits. */
static int case_fork_while_shutting_down(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "fork");
    pthread_t thread;

    async_call_init(&calls[0]);
    async_leg_to_gate(&calls[0], &never, &credential, NULL);
    thread = test_thread_start(shut_down, NULL);
    test_poll(is_closed, NULL);
    if (TEST_SANITIZED)
        test_await_quiet();
    for (int i = 0; i < 3; i++)
        TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(work_and_shut_down, NULL)), 0);
    test_gate_open(&never);
    test_thread_join(thread);
    TEST_REQUIRE_EQUAL(async_await(&calls[0]), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&calls[0].own.context);
    async_call_clear(&calls[0]);
    async_drop_credential(&credential);
    async_require_clean();
    return 0;
}

/* ---- all cases ---- */

static const struct {
    const char *name;
    int (*run)(void);
    int expected;
} cases[] = {
    {"return_from_main", case_return_from_main, EXPECTED},
    {"exit_at_once", case_exit_at_once, EXPECTED},
    {"quick_exit", case_quick_exit, EXPECTED},
    {"killed", case_killed, 128 + SIGTERM},
    {"exit_on_another_thread", case_exit_on_another_thread, EXPECTED},
    {"main_thread_ends_first", case_main_thread_ends_first, EXPECTED},
    {"exit_while_draining", case_exit_while_draining, EXPECTED},
    {"exit_in_a_leg", case_exit_in_a_leg, EXPECTED},
    {"exit_in_a_blocking_leg", case_exit_in_a_blocking_leg, EXPECTED},
    {"exit_in_a_sync_leg", case_exit_in_a_sync_leg, EXPECTED},
    {"exit_in_trace_of_a_start", case_exit_in_trace_of_a_start, EXPECTED},
    {"exit_in_trace_of_an_end", case_exit_in_trace_of_an_end, EXPECTED},
    {"abort_in_a_callback", case_abort_in_a_callback, 128 + SIGABRT},
    {"library_is_used_in_exit_handler", case_library_is_used_in_exit_handler, EXPECTED},
    {"exit_while_others_wait_drain_and_shut_down", case_exit_while_others_wait_drain_and_shut_down,
     EXPECTED},
    {"shutdown_by_many_beside_waiters", case_shutdown_by_many_beside_waiters, 0},
    {"shutdown_beside_a_drain", case_shutdown_beside_a_drain, 0},
    {"shutdown_is_of_one_process", case_shutdown_is_of_one_process, 0},
    {"fork_while_shutting_down", case_fork_while_shutting_down, 0},
};

static int run_case(const char *name)
{
    /* Registered before anything of the library, hence run behind its handler. */
    if (strcmp(name, "library_is_used_in_exit_handler") == 0)
        TEST_REQUIRE_EQUAL(atexit(use_in_handler), 0);
    async_setup();
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        if (strcmp(cases[i].name, name) == 0)
            return cases[i].run();
    }
    return 125;
}

static void every_end_is_an_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        int result = async_run_self(cases[i].name);

        if (result != cases[i].expected)
            fail_msg("case %s: exit status %d", cases[i].name, result);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_is_an_end),
    };

    test_watchdog(argc > 1 ? 20 : 100);
    if (argc > 1)
        return run_case(argv[1]);
    return cmocka_run_group_tests_name("fault.exit", tests, NULL, NULL);
}
