/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Signals: a storm of them at every application thread while it is inside every call, with and
 * without SA_RESTART; threads of the library get none; what the application had set up for SIGPIPE
 * and SIGSEGV stays; a thread may be cancelled while it waits.
 */
#include <opensspi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "async/async_util.h"
#include "base/memory.h"
#include "support/tls_peer.h"

TEST_FORKS_WITH_THREADS;

static SECURITY_STATUS connect_once(const struct peer_form *form)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_open(&pair, form, NULL);
    status = peer_handshake(&pair);
    if (status == SEC_E_OK) {
        peer_established(&pair.client);
        peer_established(&pair.server);
        peer_exchange(&pair);
    }
    peer_close(&pair);
    return status;
}

/* ---- a storm ---- */

enum { TARGETS = 4 };

static _Atomic uint64_t signals_seen;
static _Atomic uint64_t signals_elsewhere; /* on threads that are none of the application's */
static _Thread_local bool is_applications;
static atomic_bool stop_storm;
static pthread_t targets[TARGETS]; /* written before the storm begins */

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals_seen, 1);
    if (!is_applications)
        atomic_fetch_add(&signals_elsewhere, 1);
}

static void handle(int number, int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

    TEST_REQUIRE_EQUAL(sigaction(number, &action, NULL), 0);
}

static void *storm(void *data)
{
    const struct timespec rest = {.tv_nsec = TEST_SANITIZED ? 500000 : 50000};

    is_applications = true;
    for (uint32_t i = 0; !atomic_load(&stop_storm); i++) {
        TEST_REQUIRE_EQUAL(pthread_kill(targets[i % TARGETS], i % 3 ? SIGUSR1 : SIGUSR2), 0);
        if (i % 5 == 0)
            TEST_REQUIRE_EQUAL(kill(getpid(), SIGUSR1), 0); /* whoever takes it */
        nanosleep(&rest, NULL);
    }
    return data;
}

static struct test_gate begin = TEST_GATE_INIT;
static struct test_gate end = TEST_GATE_INIT;

static void *handshake_in_storm(void *data)
{
    const struct peer_form *form = data;

    is_applications = true;
    test_gate_pass(&begin);
    for (uint32_t i = 0; i < TEST_ROUNDS(60); i++)
        TEST_REQUIRE_EQUAL(connect_once(form), SEC_E_OK);
    test_gate_pass(&end); /* a target lives as long as the storm */
    return NULL;
}

/* Waits with and without deadline, cancels, deadlines, callbacks on a queue. */
static void wait_in_storm(struct async_call *call, CredHandle *credential,
                          OsspiCompletionQueue *queue, uint32_t i)
{
    SECURITY_STATUS status = SEC_I_ASYNC_CALL_PENDING;

    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call->async, i % 3 ? 0 : 600000), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(call->async, i % 4 ? NULL : queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_leg(call, credential, NULL), SEC_E_OK);
    if (i % 7 == 0)
        (void)API(OsspiCancelAsyncCall(call->async));
    while (status == SEC_I_ASYNC_CALL_PENDING)
        status = API(OsspiWaitAsyncCall(call->async, i % 5 ? OSSPI_INFINITE : 1));
    while (i % 4 == 0 && OsspiDrainCompletions(queue, 0) == 0)
        ;
    test_counter_await(&call->notified, i / 2 + 1);
    TEST_REQUIRE(status == SEC_I_CONTINUE_NEEDED || (i % 7 == 0 && status == ASYNC_CANCELLED));
    if (status == SEC_I_CONTINUE_NEEDED)
        async_drop_context(&call->own.context);
    TEST_REQUIRE_EQUAL(SspiReinitAsyncContext(call->async), STATUS_SUCCESS);
}

static void *engine_in_storm(void *data)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue;
    struct async_call *calls = data;

    is_applications = true;
    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&calls[0]);
    async_call_init(&calls[1]);
    calls[0].step.want_blocking = true;
    test_gate_pass(&begin);
    for (uint32_t i = 0; i < TEST_ROUNDS(2000); i++)
        wait_in_storm(&calls[i % 2], &credential, queue, i);
    async_call_clear(&calls[0]);
    async_call_clear(&calls[1]);
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    async_drop_credential(&credential);
    test_gate_pass(&end);
    return NULL;
}

/* calls: of the two threads that use the engine. A leg that was given up reads its orders when the
 * call is over for everybody else, so they outlive the threads and never change. */
static void weather_a_storm(int flags, struct async_call calls[2][2])
{
    pthread_t thread;

    handle(SIGUSR1, flags);
    handle(SIGUSR2, flags);
    test_gate_init(&begin);
    test_gate_init(&end);
    atomic_store(&stop_storm, false);
    atomic_store(&signals_seen, 0);
    targets[0] = test_thread_start(handshake_in_storm, (void *)PEER_SYNC);
    targets[1] = test_thread_start(handshake_in_storm, (void *)PEER_ASYNC);
    targets[2] = test_thread_start(engine_in_storm, calls[0]);
    targets[3] = test_thread_start(engine_in_storm, calls[1]);
    test_gate_await(&begin, TARGETS); /* all have said whose they are */
    thread = test_thread_start(storm, NULL);
    test_gate_open(&begin);
    test_gate_await(&end, TARGETS);
    atomic_store(&stop_storm, true);
    test_thread_join(thread);
    test_gate_open(&end);
    for (int i = 0; i < TARGETS; i++)
        test_thread_join(targets[i]);
    print_message("%u signals\n", (unsigned)atomic_load(&signals_seen));
    assert_true(atomic_load(&signals_seen) > 10);
    assert_int_equal(atomic_load(&signals_elsewhere), 0);
}

static void storm_with_restart_changes_no_result(void **state)
{
    static struct async_call calls[2][2];

    (void)state;
    weather_a_storm(SA_RESTART, calls);
}

static void storm_without_restart_changes_no_result(void **state)
{
    static struct async_call calls[2][2];

    (void)state;
    weather_a_storm(0, calls);
}

/* ---- at the end of the engine ---- */

static void *storm_main(void *data)
{
    const struct timespec rest = {.tv_nsec = 100000};

    is_applications = true;
    while (!atomic_load(&stop_storm)) {
        TEST_REQUIRE_EQUAL(pthread_kill(*(pthread_t *)data, SIGUSR1), 0);
        nanosleep(&rest, NULL);
    }
    return NULL;
}

static void *open_later(void *data)
{
    const struct timespec rest = {.tv_nsec = 20000000};

    nanosleep(&rest,
              NULL); /* so that signals come while the shutdown waits; nothing depends on it */
    test_gate_open(data);
    return NULL;
}

static int shut_down_in_storm(void *data)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "storm");
    pthread_t self = pthread_self(), threads[2];
    struct async_call call;

    (void)data;
    is_applications = true;
    handle(SIGUSR1, 0);
    async_call_init(&call);
    async_leg_to_gate(&call, &gate, &credential, NULL);
    threads[0] = test_thread_start(storm_main, &self);
    threads[1] = test_thread_start(open_later, &gate);
    TEST_REQUIRE_EQUAL(API(OsspiShutdown(OSSPI_INFINITE)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(test_counter_get(&call.notified), 1);
    atomic_store(&stop_storm, true);
    test_thread_join(threads[0]);
    test_thread_join(threads[1]);
    return 0;
}

static void storm_does_not_shorten_a_shutdown(void **state)
{
    (void)state;
    if (TEST_SANITIZED)
        test_await_quiet();
    atomic_store(&stop_storm, false);
    assert_int_equal(test_child_join(test_child_fork(shut_down_in_storm, NULL)), 0);
}

/* ---- what threads of the library block ---- */

static void look_at_mask(struct async_call *call)
{
    sigset_t blocked;

    TEST_REQUIRE_EQUAL(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
    for (int number = 1; number <= SIGRTMAX; number++) {
        /* Not to be blocked by anybody, or by nobody but the C library. */
        if (number == SIGKILL || number == SIGSTOP || (number > 31 && number < SIGRTMIN))
            continue;
        TEST_REQUIRE_EQUAL(sigismember(&blocked, number), 1);
    }
    (void)call;
}

static void look_in_leg(struct mock_step *step)
{
    (void)step;
    look_at_mask(NULL);
}

static void threads_of_the_library_block_all_signals(void **state)
{
    sigset_t before, after;

    (void)state;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
    for (size_t i = 0; i < ASYNC_LANES; i++) {
        CredHandle credential = async_credential(async_lanes[i], "mask");
        struct async_call call;

        async_call_init(&call);
        call.step.inside = look_in_leg;
        call.in_callback = look_at_mask;
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&call.own.context);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
    /* Nor was the caller's mask changed. */
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
    for (int number = 1; number <= SIGRTMAX; number++)
        assert_int_equal(sigismember(&after, number), sigismember(&before, number));
}

/* ---- dispositions ---- */

static _Atomic uint32_t pipes_broken;

static void on_broken_pipe(int number)
{
    (void)number;
    atomic_fetch_add(&pipes_broken, 1);
}

static void dispositions_stay_as_they_were(void **state)
{
    struct sigaction mine = {.sa_handler = on_broken_pipe};
    struct sigaction before[65], after;
    static uint8_t room[65536];
    const stack_t own = {.ss_sp = room, .ss_size = sizeof(room)};
    stack_t stack_before, stack_after;

    (void)state;
    assert_int_equal(sigaction(SIGPIPE, &mine, NULL), 0);
    assert_int_equal(sigaltstack(&own, &stack_before), 0);
    for (int number = 1; number <= 64; number++) {
        memset(&before[number], 0, sizeof(before[number]));
        (void)sigaction(number, NULL, &before[number]);
    }
    assert_int_equal(connect_once(PEER_SYNC), SEC_E_OK);
    assert_int_equal(connect_once(PEER_ASYNC), SEC_E_OK);
    for (int number = 1; number <= 64; number++) {
        memset(&after, 0, sizeof(after));
        (void)sigaction(number, NULL, &after);
        assert_true(after.sa_handler == before[number].sa_handler);
        assert_int_equal(after.sa_flags, before[number].sa_flags);
    }
    assert_int_equal(sigaltstack(&stack_before, &stack_after), 0);
    assert_ptr_equal(stack_after.ss_sp, room);
    assert_int_equal(atomic_load(&pipes_broken), 0);
}

/* ---- pthread_cancel ---- */

static struct async_call cancelled;
static _Atomic bool is_waiting;

static void *wait_for_ever(void *data)
{
    atomic_store(&is_waiting, true);
    (void)API(OsspiWaitAsyncCall(cancelled.async, OSSPI_INFINITE));
    return data;
}

static bool waits(void *data)
{
    (void)data;
    return atomic_load(&is_waiting);
}

/* Waiting is no cancellation point: the thread ends at its first one behind the call, whose own
 * life goes on. So nothing of the library is left half done. */
static void cancelled_thread_leaves_the_wait_in_order(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_BLOCKING, "cancel");
    pthread_t thread;

    (void)state;
    async_call_init(&cancelled);
    async_leg_to_gate(&cancelled, &gate, &credential, NULL);
    thread = test_thread_start(wait_for_ever, &gate);
    test_poll(waits, NULL);
    assert_int_equal(pthread_cancel(thread), 0);
    test_gate_open(&gate);
    test_thread_join(thread);
    assert_int_equal(async_await(&cancelled), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&cancelled.own.context);
    async_call_clear(&cancelled);
    async_drop_credential(&credential);
    async_require_clean(); /* no reference is left either */
}

/* With the cancellation pending already: it must not take effect under the queue's lock, where the
 * descriptor is written and read. */
struct doomed {
    CredHandle credential;
    OsspiCompletionQueue *queue;
    struct async_call calls[2];
};

static void *drain_while_doomed(void *data)
{
    struct doomed *doomed = data;

    TEST_REQUIRE_EQUAL(pthread_cancel(pthread_self()), 0);
    for (int i = 0; i < 2; i++) {
        TEST_REQUIRE_EQUAL(async_leg(&doomed->calls[i], &doomed->credential, NULL), SEC_E_OK);
        TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(doomed->calls[i].async, OSSPI_INFINITE)),
                           SEC_I_CONTINUE_NEEDED);
    }
    (void)OsspiDrainCompletions(doomed->queue, 0);
    pthread_testcancel();
    return data;
}

static void cancelled_thread_leaves_no_lock_behind(void **state)
{
    static struct doomed doomed;

    (void)state;
    doomed.credential = async_credential(OSSPI_LANE_CPU, NULL);
    for (uint32_t i = 0; i < TEST_ROUNDS(200); i++) {
        pthread_t thread;
        void *result;

        assert_int_equal(OsspiCreateCompletionQueue(&doomed.queue), SEC_E_OK);
        for (int j = 0; j < 2; j++) {
            async_call_init(&doomed.calls[j]);
            assert_int_equal(OsspiSetCompletionQueue(doomed.calls[j].async, doomed.queue),
                             SEC_E_OK);
        }
        thread = test_thread_start(drain_while_doomed, &doomed);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_ptr_equal(result, PTHREAD_CANCELED);
        for (int j = 0; j < 2; j++) {
            while (test_counter_get(&doomed.calls[j].notified) == 0)
                (void)OsspiDrainCompletions(doomed.queue, 0);
            async_drop_context(&doomed.calls[j].own.context);
            async_call_clear(&doomed.calls[j]);
        }
        assert_int_equal(OsspiCloseCompletionQueue(doomed.queue), SEC_E_OK);
    }
    async_drop_credential(&doomed.credential);
}

static int set_up(void **state)
{
    is_applications = true;
    async_setup();
    peer_trust("ca");
    test_watchdog(110);
    (void)state;
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_of_the_library_block_all_signals),
        cmocka_unit_test(dispositions_stay_as_they_were),
        cmocka_unit_test(storm_with_restart_changes_no_result),
        cmocka_unit_test(storm_without_restart_changes_no_result),
        cmocka_unit_test(storm_does_not_shorten_a_shutdown),
        cmocka_unit_test(cancelled_thread_leaves_the_wait_in_order),
        cmocka_unit_test(cancelled_thread_leaves_no_lock_behind),
    };

    return cmocka_run_group_tests_name("fault.signals", tests, set_up, async_teardown);
}
