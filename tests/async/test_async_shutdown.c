/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The end: OsspiShutdown with calls in every state, what works afterwards, and exit() with calls in
 * flight. Each case is a process of its own: this program runs itself with the case's name.
 */
#include "async/async_util.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define EXPECTED 42 /* exit status of cases that end in a way of their own */

static SECURITY_STATUS shut_down(ULONG timeout_ms)
{
    return API(OsspiShutdown(timeout_ms));
}

/* Threads of the library, by the names they have. */
static uint32_t thread_count(void)
{
    DIR *tasks = opendir("/proc/self/task");
    uint32_t count = 0;

    TEST_REQUIRE(tasks);
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        char path[64];
        char name[16] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", entry->d_name);
        file = fopen(path, "re");
        if (!file)
            continue;
        count += fgets(name, sizeof(name), file) && strncmp(name, "osspi", 5) == 0;
        fclose(file);
    }
    closedir(tasks);
    return count;
}

static bool threads_are_gone(void *data)
{
    (void)data;
    return thread_count() == 0;
}

/* What a program may still do: everything synchronous, and freeing. Calls are refused. */
static void require_closed(CredHandle *credential)
{
    CtxtHandle context = async_context(credential);
    OsspiCompletionQueue *queue = (OsspiCompletionQueue *)1;
    struct async_call call;
    struct async_call silent;

    async_call_init(&call);
    async_call_init_silent(&silent);
    TEST_REQUIRE_EQUAL(async_leg(&call, credential, NULL), SEC_E_SHUTDOWN_IN_PROGRESS);
    TEST_REQUIRE_EQUAL(async_status(&call), SEC_E_SHUTDOWN_IN_PROGRESS);
    TEST_REQUIRE_EQUAL(async_acquire(&call, NULL), SEC_E_SHUTDOWN_IN_PROGRESS);
    TEST_REQUIRE_EQUAL(async_accept(&call, credential, NULL), SEC_E_SHUTDOWN_IN_PROGRESS);
    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_SHUTDOWN_IN_PROGRESS);
    TEST_REQUIRE(!queue);
    TEST_REQUIRE_EQUAL(async_leg_now(&call, credential, &context), SEC_I_CONTINUE_NEEDED);
    /* Without a callback there is nothing that a thread were needed for. */
    TEST_REQUIRE_EQUAL(async_delete(&silent, &context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(silent.async, OSSPI_INFINITE)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(DeleteSecurityContext(&context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
    async_call_clear(&call);
    async_call_clear(&silent);
    TEST_REQUIRE_EQUAL(test_counter_get(&call.notified), 0);
    TEST_REQUIRE_EQUAL(shut_down(OSSPI_INFINITE), SEC_E_OK);
}

static int finish(CredHandle *credential)
{
    require_closed(credential);
    async_drop_credential(credential);
    async_require_clean();
    return 0;
}

static int case_never_used(void)
{
    CredHandle credential;

    TEST_REQUIRE_EQUAL(shut_down(OSSPI_INFINITE), SEC_E_OK);
    TEST_REQUIRE_EQUAL(shut_down(0), SEC_E_OK);
    credential = async_credential(OSSPI_LANE_CPU, NULL);
    return finish(&credential);
}

static int case_idle(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CredHandle blocking = async_credential(OSSPI_LANE_BLOCKING, "idle");

    async_run_leg(&credential);
    async_run_leg(&blocking);
    TEST_REQUIRE(thread_count() >= 2);
    TEST_REQUIRE_EQUAL(shut_down(OSSPI_INFINITE), SEC_E_OK);
    test_poll(threads_are_gone, NULL); /* the kernel's account lags behind a little */
    TEST_REQUIRE_EQUAL(async_statistics().workers, 0);
    TEST_REQUIRE_EQUAL(async_statistics().blocking_threads, 0);
    async_drop_credential(&blocking);
    return finish(&credential);
}

/* ---- accepted calls finish ---- */

struct later {
    struct test_gate *gate;
    CredHandle *credential;
};

/* Lets the calls go on once the intake is closed. */
static void *open_when_closed(void *data)
{
    struct later *later = data;
    struct async_call call;

    /* All workers may stand at the gate, so no callback is waited for. */
    async_call_init_silent(&call);
    while (async_leg(&call, later->credential, NULL) == SEC_E_OK) {
        TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)),
                           SEC_I_CONTINUE_NEEDED);
        async_drop_context(&call.own.context);
    }
    async_call_clear(&call);
    test_gate_open(later->gate);
    return NULL;
}

static int case_calls_in_flight_finish(void)
{
    static struct async_call calls[60];
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credentials[2] = {async_credential(OSSPI_LANE_BLOCKING, "flight"),
                                 async_credential(OSSPI_LANE_CPU, NULL)};
    CredHandle asking = async_credential(OSSPI_LANE_BLOCKING, "asking");
    CtxtHandle context = async_context(&credentials[0]);
    struct later later = {.gate = &gate, .credential = &asking};
    pthread_t thread;

    for (uint32_t i = 0; i < 60; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = i % 4 == 3 ? NULL : &gate;
        /* Queued, waiting for a turn, running on either lane, waiting for admission. */
        TEST_REQUIRE_EQUAL(async_leg(&calls[i], &credentials[i % 2], i % 3 == 0 ? &context : NULL),
                           SEC_E_OK);
    }
    thread = test_thread_start(open_when_closed, &later);
    TEST_REQUIRE_EQUAL(shut_down(OSSPI_INFINITE), SEC_E_OK);
    test_thread_join(thread);
    for (uint32_t i = 0; i < 60; i++) {
        /* All callbacks have run when shutdown returns. */
        TEST_REQUIRE_EQUAL(test_counter_get(&calls[i].notified), 1);
        TEST_REQUIRE_EQUAL(atomic_load(&calls[i].callback_status), SEC_I_CONTINUE_NEEDED);
        if (i % 3 != 0)
            async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_drop_context(&context);
    async_drop_credential(&credentials[0]);
    async_drop_credential(&asking);
    return finish(&credentials[1]);
}

static int case_timeout_gives_blocking_calls_up(void)
{
    static struct async_call calls[40];
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "stuck");
    uint64_t started = osspi_now_ns();

    for (uint32_t i = 0; i < 40; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &gate;
        TEST_REQUIRE_EQUAL(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    test_gate_await(&gate, 16);
    /* A context that its owner has let go of is stopped like the others. */
    API_VOID(SspiFreeAsyncContext(calls[0].async));
    API_VOID(SspiFreeAsyncContext(calls[39].async));
    TEST_REQUIRE_EQUAL(shut_down(50), ASYNC_TIMEOUT);
    TEST_REQUIRE(osspi_now_ns() - started >= UINT64_C(50000000));
    for (uint32_t i = 0; i < 40; i++) {
        TEST_REQUIRE_EQUAL(test_counter_get(&calls[i].notified), 1);
        TEST_REQUIRE(atomic_load(&calls[i].callback_status) < 0);
        async_call_clear(&calls[i]);
    }
    test_gate_open(&gate);
    async_await_no_abandoned();
    return finish(&credential);
}

static int case_running_cpu_call_outlives_shutdown(void)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    async_call_init(&call);
    async_leg_to_gate(&call, &gate, &credential, NULL);
    TEST_REQUIRE_EQUAL(shut_down(10), ASYNC_TIMEOUT);
    TEST_REQUIRE_EQUAL(async_status(&call), SEC_I_ASYNC_CALL_PENDING);
    test_gate_open(&gate);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    return finish(&credential);
}

/* ---- from a callback ---- */

static _Atomic SECURITY_STATUS status_in_callback;

static void shut_down_in_callback(struct async_call *call)
{
    (void)call;
    atomic_store(&status_in_callback, OsspiShutdown(OSSPI_INFINITE));
}

static int case_refused_in_a_callback(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue;
    struct async_call call;

    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&call);
    call.in_callback = shut_down_in_callback;
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, NULL), SEC_E_OK);
    async_await(&call);
    TEST_REQUIRE_EQUAL(atomic_load(&status_in_callback), SEC_E_INVALID_PARAMETER);
    async_drop_context(&call.own.context);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, NULL), SEC_E_OK);
    atomic_store(&status_in_callback, SEC_E_OK);
    while (OsspiDrainCompletions(queue, 0) == 0)
        ;
    TEST_REQUIRE_EQUAL(atomic_load(&status_in_callback), SEC_E_INVALID_PARAMETER);
    async_drop_context(&call.own.context);
    async_run_leg(&credential); /* still open */
    async_call_clear(&call);
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(shut_down(OSSPI_INFINITE), SEC_E_OK);
    return finish(&credential);
}

/* ---- completion queues ---- */

static int case_queue_can_be_drained_afterwards(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue;
    struct async_call call;

    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&call);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    /* Its callback is somebody else's to run. */
    TEST_REQUIRE_EQUAL(shut_down(10), ASYNC_TIMEOUT);
    TEST_REQUIRE_EQUAL(test_counter_get(&call.notified), 0);
    TEST_REQUIRE_EQUAL(OsspiDrainCompletions(queue, 0), 1);
    TEST_REQUIRE_EQUAL(test_counter_get(&call.notified), 1);
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    return finish(&credential);
}

/* ---- queueing at the same time ---- */

enum { PRODUCERS = 3 };

static CredHandle shared_credential;
static _Atomic uint32_t produced;

static void *queue_until_refused(void *data)
{
    struct async_call call;

    async_call_init(&call);
    for (uint32_t i = 1;; i++) {
        SECURITY_STATUS status = async_leg(&call, &shared_credential, NULL);

        if (status != SEC_E_OK) {
            TEST_REQUIRE_EQUAL(status, SEC_E_SHUTDOWN_IN_PROGRESS);
            break;
        }
        atomic_fetch_add(&produced, 1);
        test_counter_await(&call.notified, i);
        async_drop_context(&call.own.context);
    }
    async_call_clear(&call);
    return data;
}

static bool enough_produced(void *data)
{
    (void)data;
    return atomic_load(&produced) > 100;
}

static int case_racing_with_calls(void)
{
    pthread_t threads[PRODUCERS];

    shared_credential = async_credential(OSSPI_LANE_CPU, NULL);
    for (int i = 0; i < PRODUCERS; i++)
        threads[i] = test_thread_start(queue_until_refused, NULL);
    test_poll(enough_produced, NULL);
    TEST_REQUIRE_EQUAL(shut_down(OSSPI_INFINITE), SEC_E_OK);
    for (int i = 0; i < PRODUCERS; i++)
        test_thread_join(threads[i]);
    return finish(&shared_credential);
}

static _Atomic bool shut;

static void *ask_on(void *data)
{
    struct async_call call;

    (void)queue_until_refused(data);
    async_call_init(&call);
    while (!atomic_load(&shut))
        TEST_REQUIRE_EQUAL(async_leg(&call, &shared_credential, NULL), SEC_E_SHUTDOWN_IN_PROGRESS);
    async_call_clear(&call);
    return NULL;
}

/* A call that is refused must not pass for one that is pending: who goes on asking would keep the
 * threads from ending. */
static int case_refused_calls_keep_no_thread(void)
{
    pthread_t threads[PRODUCERS];

    shared_credential = async_credential(OSSPI_LANE_CPU, NULL);
    for (int i = 0; i < PRODUCERS; i++)
        threads[i] = test_thread_start(ask_on, NULL);
    test_poll(enough_produced, NULL);
    TEST_REQUIRE_EQUAL(shut_down(OSSPI_INFINITE), SEC_E_OK);
    test_poll(threads_are_gone, NULL);
    atomic_store(&shut, true);
    for (int i = 0; i < PRODUCERS; i++)
        test_thread_join(threads[i]);
    return finish(&shared_credential);
}

/* ---- exit ---- */

static struct async_call stuck[200];
static struct test_gate never = TEST_GATE_INIT;

static int case_exit_with_stuck_blocking_calls(void)
{
    char name[16] = "class ?";
    CredHandle credential;

    for (uint32_t i = 0; i < 200; i++) {
        name[6] = (char)('a' + i % 20);
        credential = async_credential(OSSPI_LANE_BLOCKING, name);
        async_call_init(&stuck[i]);
        stuck[i].step.gate = &never;
        TEST_REQUIRE_EQUAL(async_leg(&stuck[i], &credential, NULL), SEC_E_OK);
    }
    test_gate_await(&never, 64);
    exit(0);
}

static int case_exit_with_stuck_cpu_calls(void)
{
    struct async_crowd *crowd = malloc(sizeof(*crowd));

    TEST_REQUIRE(crowd);
    async_occupy(crowd);
    exit(0);
}

static int case_exit_with_stuck_callbacks(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    for (uint32_t i = 0; i < 20; i++) {
        async_call_init(&stuck[i]);
        stuck[i].callback_gate = &never;
        TEST_REQUIRE_EQUAL(async_leg(&stuck[i], &credential, NULL), SEC_E_OK);
    }
    test_gate_await(&never, 20);
    exit(0);
}

static void exit_in_callback(struct async_call *call)
{
    (void)call;
    exit(EXPECTED);
}

static int case_exit_in_a_callback(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    async_call_init(&stuck[0]);
    stuck[0].in_callback = exit_in_callback;
    TEST_REQUIRE_EQUAL(async_leg(&stuck[0], &credential, NULL), SEC_E_OK);
    async_await(&stuck[0]); /* for ever */
    return 0;
}

static int case_exit_under_load(void)
{
    shared_credential = async_credential(OSSPI_LANE_CPU, NULL);
    for (int i = 0; i < PRODUCERS; i++)
        TEST_REQUIRE_EQUAL(pthread_detach(test_thread_start(queue_until_refused, NULL)), 0);
    test_poll(enough_produced, NULL);
    exit(0);
}

static int case_exit_after_shutdown(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    async_run_leg(&credential);
    TEST_REQUIRE_EQUAL(shut_down(OSSPI_INFINITE), SEC_E_OK);
    exit(0);
}

/* Calls that come back while the process ends publish nothing and run no callback.
 * This handler is registered first, so it runs behind the library's. */
static struct async_outputs *late_outputs;
static _Atomic uint32_t late_callbacks;

static void count_late(SspiAsyncContext *handle, void *data)
{
    (void)handle;
    (void)data;
    atomic_fetch_add(&late_callbacks, 1);
}

static void let_calls_return(void)
{
    struct timespec moment = {.tv_nsec = 50000000};

    test_pages_forbid(late_outputs, 8 * sizeof(*late_outputs), true);
    test_gate_open(&never);
    test_gate_await_empty(&never);
    nanosleep(&moment, NULL); /* time for what must not happen */
    if (atomic_load(&late_callbacks) != 0)
        _exit(1);
}

static int case_calls_that_return_during_exit_are_parked(void)
{
    CredHandle credentials[2] = {async_credential(OSSPI_LANE_BLOCKING, "late"),
                                 async_credential(OSSPI_LANE_CPU, NULL)};

    late_outputs = test_pages_new(8 * sizeof(*late_outputs));
    for (uint32_t i = 0; i < 8; i++) {
        async_call_init_silent(&stuck[i]);
        if (i % 4 != 0) /* on the CPU lane the leg itself writes to the caller's buffers */
            stuck[i].outputs = &late_outputs[i];
        stuck[i].step.gate = &never;
        stuck[i].step.status = SEC_E_OK;
        TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(stuck[i].async, count_late, NULL), SEC_E_OK);
        TEST_REQUIRE_EQUAL(async_leg(&stuck[i], &credentials[i % 4 == 0], NULL), SEC_E_OK);
    }
    test_gate_await(&never, 8);
    exit(0);
}

/* ---- all cases ---- */

static const struct {
    const char *name;
    int (*run)(void);
    int expected;
} cases[] = {
    {"never_used", case_never_used, 0},
    {"idle", case_idle, 0},
    {"calls_in_flight_finish", case_calls_in_flight_finish, 0},
    {"timeout_gives_blocking_calls_up", case_timeout_gives_blocking_calls_up, 0},
    {"running_cpu_call_outlives_shutdown", case_running_cpu_call_outlives_shutdown, 0},
    {"refused_in_a_callback", case_refused_in_a_callback, 0},
    {"queue_can_be_drained_afterwards", case_queue_can_be_drained_afterwards, 0},
    {"racing_with_calls", case_racing_with_calls, 0},
    {"refused_calls_keep_no_thread", case_refused_calls_keep_no_thread, 0},
    {"exit_with_stuck_blocking_calls", case_exit_with_stuck_blocking_calls, 0},
    {"exit_with_stuck_cpu_calls", case_exit_with_stuck_cpu_calls, 0},
    {"exit_with_stuck_callbacks", case_exit_with_stuck_callbacks, 0},
    {"exit_in_a_callback", case_exit_in_a_callback, EXPECTED},
    {"exit_under_load", case_exit_under_load, 0},
    {"exit_after_shutdown", case_exit_after_shutdown, 0},
    {"calls_that_return_during_exit_are_parked", case_calls_that_return_during_exit_are_parked, 0},
};

static int run_case(const char *name)
{
    /* Before anything of the library, hence behind it at exit. */
    if (strcmp(name, "calls_that_return_during_exit_are_parked") == 0)
        TEST_REQUIRE_EQUAL(atexit(let_calls_return), 0);
    async_setup();
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        if (strcmp(cases[i].name, name) == 0)
            return cases[i].run();
    }
    return 125;
}

static void require_case(size_t i)
{
    uint64_t started = osspi_now_ns();
    int result = async_run_self(cases[i].name);
    uint64_t took_ms = (osspi_now_ns() - started) / 1000000;

    if (result != cases[i].expected)
        fail_msg("case %s: exit status %d", cases[i].name, result);
    if (strncmp(cases[i].name, "exit", 4) == 0 && took_ms > (TEST_SANITIZED ? 12000 : 3000))
        fail_msg("case %s: gone after %d ms", cases[i].name, (int)took_ms);
}

static void shutdown_holds_in_every_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        if (strncmp(cases[i].name, "exit", 4) != 0)
            require_case(i);
    }
}

static void exit_ends_soon_in_every_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        if (strncmp(cases[i].name, "exit", 4) == 0)
            require_case(i);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(shutdown_holds_in_every_case),
        cmocka_unit_test(exit_ends_soon_in_every_case),
    };

    test_watchdog(argc > 1 ? 20 : 60);
    if (argc > 1)
        return run_case(argv[1]);
    return cmocka_run_group_tests_name("async.shutdown", tests, NULL, NULL);
}
