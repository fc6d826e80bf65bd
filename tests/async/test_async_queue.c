/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Completion queues: the descriptor is readable exactly while there are entries, callbacks run on
 * the thread that drains, in order and once, with any number of drainers; what may be closed, bound
 * and freed when.
 */
#include "async/async_util.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"

static OsspiCompletionQueue *queue_new(void)
{
    OsspiCompletionQueue *queue = NULL;

    TEST_REQUIRE_EQUAL(API(OsspiCreateCompletionQueue(&queue)), SEC_E_OK);
    TEST_REQUIRE(queue);
    return queue;
}

static void queue_close(OsspiCompletionQueue *queue)
{
    TEST_REQUIRE_EQUAL(API(OsspiCloseCompletionQueue(queue)), SEC_E_OK);
}

static bool is_readable(OsspiCompletionQueue *queue)
{
    struct pollfd poll_fd = {.fd = API(OsspiCompletionQueueFd(queue)), .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN);
}

static void await_readable(OsspiCompletionQueue *queue)
{
    struct pollfd poll_fd = {.fd = API(OsspiCompletionQueueFd(queue)), .events = POLLIN};

    TEST_REQUIRE_EQUAL(poll(&poll_fd, 1, -1), 1);
}

static void call_init_in(struct async_call *call, OsspiCompletionQueue *queue)
{
    async_call_init(call);
    TEST_REQUIRE_EQUAL(API(OsspiSetCompletionQueue(call->async, queue)), SEC_E_OK);
}

/* A call that is complete and whose entry is in the queue: no worker is free, so the wait makes the
 * leg on this thread and has posted the entry when it returns. */
static void entry_new(struct async_call *call, OsspiCompletionQueue *queue, CredHandle *credential)
{
    struct async_crowd crowd;

    call_init_in(call, queue);
    async_occupy(&crowd);
    TEST_REQUIRE_EQUAL(async_leg(call, credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call->async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(atomic_load(&call->step.thread), test_thread_id());
    async_vacate(&crowd);
}

static void entry_end(struct async_call *call)
{
    TEST_REQUIRE_EQUAL(test_counter_get(&call->notified), 1);
    async_drop_context(&call->own.context);
    async_call_clear(call);
}

/* ---- handles and descriptors ---- */

static void create_checks_its_argument(void **state)
{
    (void)state;
    assert_int_equal(OsspiCreateCompletionQueue(NULL), SEC_E_INVALID_PARAMETER);
}

static void descriptor_is_non_blocking_and_close_on_exec(void **state)
{
    OsspiCompletionQueue *queue = queue_new();
    int fd = OsspiCompletionQueueFd(queue);

    (void)state;
    assert_true(fd >= 0);
    assert_true((uintptr_t)queue > 65536);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_false(is_readable(queue));
    queue_close(queue);
    assert_int_equal(fcntl(fd, F_GETFL), -1);
}

static void invalid_queues_are_refused_everywhere(void **state)
{
    OsspiCompletionQueue *closed = queue_new();
    SspiAsyncContext *context = SspiCreateAsyncContext();
    uint64_t seed = 11;

    (void)state;
    queue_close(closed);
    for (uint32_t i = 0; i < TEST_ROUNDS(20000); i++) {
        uintptr_t number = i == 0 ? 0 : i == 1 ? (uintptr_t)closed : (uintptr_t)test_random(&seed);
        OsspiCompletionQueue *queue = (OsspiCompletionQueue *)(i == 2 ? UINTPTR_MAX : number);

        assert_int_equal(OsspiCompletionQueueFd(queue), -1);
        assert_int_equal(OsspiDrainCompletions(queue, 0), 0);
        assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_INVALID_HANDLE);
        if (queue)
            assert_int_equal(OsspiSetCompletionQueue(context, queue), SEC_E_INVALID_HANDLE);
    }
    /* An async context is no queue, and a queue no async context. */
    assert_int_equal(OsspiCloseCompletionQueue((OsspiCompletionQueue *)(void *)context),
                     SEC_E_INVALID_HANDLE);
    SspiFreeAsyncContext(context);
}

static void set_queue_checks_context_and_state(void **state)
{
    struct async_crowd crowd;
    OsspiCompletionQueue *queue = queue_new();
    SspiAsyncContext *freed = SspiCreateAsyncContext();

    (void)state;
    SspiFreeAsyncContext(freed);
    assert_int_equal(OsspiSetCompletionQueue(NULL, queue), SEC_E_INVALID_HANDLE);
    assert_int_equal(OsspiSetCompletionQueue(freed, queue), SEC_E_INVALID_HANDLE);
    async_occupy(&crowd);
    assert_int_equal(OsspiSetCompletionQueue(crowd.calls[0].async, queue), SEC_E_INVALID_PARAMETER);
    async_vacate(&crowd);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 0);
    queue_close(queue);
}

static void queues_give_their_descriptors_back(void **state)
{
    int first = -1;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        OsspiCompletionQueue *queue = queue_new();

        if (i == 0)
            first = OsspiCompletionQueueFd(queue);
        assert_int_equal(OsspiCompletionQueueFd(queue), first);
        queue_close(queue);
    }
}

static void create_without_a_descriptor_is_insufficient_memory(void **state)
{
    struct rlimit before;
    struct rlimit none;
    OsspiCompletionQueue *queue = (OsspiCompletionQueue *)1;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_INSUFFICIENT_MEMORY);
    assert_null(queue);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* ---- draining ---- */

static void descriptor_is_readable_while_there_are_entries(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call calls[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        entry_new(&calls[i], queue, &credential);
    for (int i = 0; i < 4; i++) {
        assert_true(is_readable(queue));
        assert_int_equal(OsspiDrainCompletions(queue, 1), 1);
        entry_end(&calls[i]);
    }
    assert_false(is_readable(queue));
    assert_int_equal(OsspiDrainCompletions(queue, 0), 0);
    entry_new(&calls[0], queue, &credential);
    assert_true(is_readable(queue));
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    assert_false(is_readable(queue));
    entry_end(&calls[0]);
    queue_close(queue);
    async_drop_credential(&credential);
}

static uint32_t drained_order[16]; /* the draining thread's alone */
static uint32_t drained_count;

static void note_order(struct async_call *call)
{
    drained_order[drained_count++] = call->step.number;
    TEST_REQUIRE_EQUAL(atomic_load(&call->callback_thread), test_thread_id());
}

static void drain_runs_callbacks_here_in_order_of_completion(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_crowd crowd;
    struct async_call calls[8];

    (void)state;
    drained_count = 0;
    async_occupy(&crowd); /* so that each call completes where it is waited for */
    for (uint32_t i = 0; i < 8; i++) {
        call_init_in(&calls[i], queue);
        calls[i].step.number = i;
        calls[i].in_callback = note_order;
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    for (uint32_t i = 0; i < 8; i++) {
        OsspiWaitAsyncCall(calls[i * 3 % 8].async, OSSPI_INFINITE);
        assert_int_equal(test_counter_get(&calls[i * 3 % 8].notified), 0);
    }
    async_vacate(&crowd);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 8);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(drained_order[i], i * 3 % 8);
        assert_int_equal(atomic_load(&calls[i].callback_thread), test_thread_id());
        entry_end(&calls[i]);
    }
    queue_close(queue);
    async_drop_credential(&credential);
}

static void drain_keeps_to_its_maximum(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call calls[10];

    (void)state;
    for (int i = 0; i < 10; i++)
        entry_new(&calls[i], queue, &credential);
    assert_int_equal(OsspiDrainCompletions(queue, 3), 3);
    assert_true(is_readable(queue));
    assert_int_equal(OsspiDrainCompletions(queue, 1), 1);
    assert_int_equal(OsspiDrainCompletions(queue, 100), 6);
    assert_false(is_readable(queue));
    for (int i = 0; i < 10; i++)
        entry_end(&calls[i]);
    queue_close(queue);
    async_drop_credential(&credential);
}

/* An entry that comes while the queue is drained is left for the next time. */
static struct async_call follower;
static CredHandle follower_credential;

static void add_an_entry(struct async_call *call)
{
    OsspiCompletionQueue *queue = call->data;

    entry_new(&follower, queue, &follower_credential);
}

static void drain_of_all_leaves_what_comes_meanwhile(void **state)
{
    OsspiCompletionQueue *queue = queue_new();
    struct async_call call;

    (void)state;
    follower_credential = async_credential(OSSPI_LANE_CPU, NULL);
    entry_new(&call, queue, &follower_credential);
    call.in_callback = add_an_entry;
    call.data = queue;
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    assert_true(is_readable(queue));
    assert_int_equal(test_counter_get(&follower.notified), 0);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    assert_false(is_readable(queue));
    entry_end(&call);
    entry_end(&follower);
    queue_close(queue);
    async_drop_credential(&follower_credential);
}

static uint32_t drained_inside; /* the draining thread's alone */

static void drain_inside(struct async_call *call)
{
    drained_inside += OsspiDrainCompletions(call->data, 0);
}

static void drain_may_be_entered_again_from_a_callback(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call calls[10];
    uint32_t outside;

    (void)state;
    drained_inside = 0;
    for (int i = 0; i < 10; i++) {
        entry_new(&calls[i], queue, &credential);
        calls[i].in_callback = drain_inside;
        calls[i].data = queue;
    }
    outside = OsspiDrainCompletions(queue, 0);
    assert_int_equal(outside + drained_inside, 10);
    assert_true(drained_inside > 0);
    assert_false(is_readable(queue));
    for (int i = 0; i < 10; i++)
        entry_end(&calls[i]);
    queue_close(queue);
    async_drop_credential(&credential);
}

/* ---- edge triggering and several drainers ---- */

enum { DRAINERS = 3, PRODUCERS = 2 };

static struct {
    OsspiCompletionQueue *queue;
    int epoll;
    int stop_pipe[2];
    struct test_counter drained;
} edge = {.drained = TEST_COUNTER_INIT};

static void *drain_on_edges(void *data)
{
    (void)data;
    for (;;) {
        struct epoll_event event;
        ULONG count;

        if (epoll_wait(edge.epoll, &event, 1, -1) != 1)
            continue;
        if (event.data.fd == edge.stop_pipe[0])
            return NULL;
        /* With edges a drainer goes on until there is nothing. */
        while ((count = OsspiDrainCompletions(edge.queue, 0)) > 0)
            test_counter_add(&edge.drained, count);
    }
}

static void *produce(void *data)
{
    CredHandle *credential = data;
    struct async_call call;
    uint32_t rounds = TEST_ROUNDS(20000);

    call_init_in(&call, edge.queue);
    for (uint32_t i = 1; i <= rounds; i++) {
        TEST_REQUIRE_EQUAL(async_leg(&call, credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, i);
        async_drop_context(&call.own.context);
    }
    async_call_clear(&call);
    return NULL;
}

static void watch(int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    TEST_REQUIRE_EQUAL(epoll_ctl(edge.epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

static void edge_triggered_drainers_miss_nothing(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    pthread_t drainers[DRAINERS];
    pthread_t producers[PRODUCERS];

    (void)state;
    edge.queue = queue_new();
    edge.epoll = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(pipe(edge.stop_pipe), 0);
    watch(OsspiCompletionQueueFd(edge.queue), EPOLLIN | EPOLLET);
    watch(edge.stop_pipe[0], EPOLLIN);
    for (int i = 0; i < DRAINERS; i++)
        drainers[i] = test_thread_start(drain_on_edges, NULL);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i] = test_thread_start(produce, &credential);
    for (int i = 0; i < PRODUCERS; i++)
        test_thread_join(producers[i]);
    assert_int_equal(write(edge.stop_pipe[1], "", 1), 1);
    for (int i = 0; i < DRAINERS; i++)
        test_thread_join(drainers[i]);
    assert_int_equal(test_counter_get(&edge.drained), PRODUCERS * TEST_ROUNDS(20000));
    assert_false(is_readable(edge.queue));
    close(edge.stop_pipe[0]);
    close(edge.stop_pipe[1]);
    close(edge.epoll);
    queue_close(edge.queue);
    async_drop_credential(&credential);
}

/* A loop that drains one entry for each edge: what it leaves behind must raise an edge again. */
static void edge_is_raised_again_for_what_a_drain_leaves(void **state)
{
    enum { ENTRIES = 5 };
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call calls[ENTRIES];
    struct epoll_event event;
    OsspiCompletionQueue *queue = queue_new();

    (void)state;
    edge.epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(OsspiCompletionQueueFd(queue), EPOLLIN | EPOLLET);
    for (int i = 0; i < ENTRIES; i++)
        entry_new(&calls[i], queue, &credential);
    for (int i = 0; i < ENTRIES; i++) {
        assert_int_equal(epoll_wait(edge.epoll, &event, 1, 0), 1);
        assert_int_equal(OsspiDrainCompletions(queue, 1), 1);
        entry_end(&calls[i]);
    }
    assert_int_equal(epoll_wait(edge.epoll, &event, 1, 0), 0);
    assert_false(is_readable(queue));
    close(edge.epoll);
    queue_close(queue);
    async_drop_credential(&credential);
}

/* ---- contexts with an entry in the queue ---- */

static void free_of_a_context_keeps_its_entry(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call call;

    (void)state;
    entry_new(&call, queue, &credential);
    SspiFreeAsyncContext(call.async);
    for (int i = 0; i < 3000; i++)
        SspiFreeAsyncContext(SspiCreateAsyncContext());
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    assert_true(is_readable(queue));
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    entry_end(&call);
    queue_close(queue);
    async_drop_credential(&credential);
}

static void context_is_busy_until_its_entry_is_drained(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call call;
    struct async_call other;
    SspiAsyncContext *spare;

    (void)state;
    entry_new(&call, queue, &credential);
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(SspiReinitAsyncContext(call.async), STATUS_DEVICE_BUSY);
    assert_int_equal(SspiSetAsyncNotifyCallback(call.async, NULL, NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiSetCompletionQueue(call.async, NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiSetAsyncTimeout(call.async, 1), SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiCancelAsyncCall(call.async), SEC_E_INVALID_PARAMETER);
    async_call_init_silent(&other);
    spare = other.async;
    other.async = call.async;
    assert_int_equal(async_leg(&other, &credential, NULL), SEC_E_INVALID_PARAMETER);
    other.async = spare;
    async_call_clear(&other);
    assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    assert_int_equal(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
    entry_end(&call);
    queue_close(queue);
    async_drop_credential(&credential);
}

static void queue_survives_reinit_and_can_be_taken_away(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call call;

    (void)state;
    entry_new(&call, queue, &credential);
    OsspiDrainCompletions(queue, 0);
    async_drop_context(&call.own.context);
    assert_int_equal(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    await_readable(queue);
    assert_int_equal(test_counter_get(&call.notified), 1);
    OsspiDrainCompletions(queue, 0);
    assert_int_equal(test_counter_get(&call.notified), 2);
    async_drop_context(&call.own.context);
    assert_int_equal(OsspiSetCompletionQueue(call.async, NULL), SEC_E_OK);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    test_counter_await(&call.notified, 3); /* on a worker */
    assert_int_not_equal(atomic_load(&call.callback_thread), test_thread_id());
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    queue_close(queue);
    async_drop_credential(&credential);
}

static void call_without_a_callback_leaves_no_entry(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call call;

    (void)state;
    async_call_init_silent(&call);
    assert_int_equal(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
    assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
    assert_int_equal(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
    assert_false(is_readable(queue));
    assert_int_equal(OsspiDrainCompletions(queue, 0), 0);
    queue_close(queue);
}

static void cancelled_and_timed_out_calls_go_to_the_queue(void **state)
{
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call calls[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        call_init_in(&calls[i], queue);
    assert_int_equal(OsspiSetAsyncTimeout(calls[1].async, 10), SEC_E_OK);
    async_occupy(&crowd);
    assert_int_equal(async_leg(&calls[0], &credential, NULL), SEC_E_OK);
    assert_int_equal(API(OsspiCancelAsyncCall(calls[0].async)), SEC_E_OK);
    await_readable(queue);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    assert_int_equal(atomic_load(&calls[0].callback_status), ASYNC_CANCELLED);
    assert_int_equal(async_leg(&calls[1], &credential, NULL), SEC_E_OK);
    await_readable(queue);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    assert_int_equal(atomic_load(&calls[1].callback_status), ASYNC_TIMEOUT);
    async_vacate(&crowd);
    for (int i = 0; i < 2; i++)
        async_call_clear(&calls[i]);
    queue_close(queue);
    async_drop_credential(&credential);
}

/* ---- closing ---- */

static void close_is_refused_while_calls_or_entries_are_bound(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call call;

    (void)state;
    call_init_in(&call, queue);
    async_leg_to_gate(&call, &gate, &credential, NULL);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_INVALID_PARAMETER);
    SspiFreeAsyncContext(call.async); /* freeing the context unbinds nothing */
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_INVALID_PARAMETER);
    test_gate_open(&gate);
    await_readable(queue);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    entry_end(&call);
    queue_close(queue);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_INVALID_HANDLE);
    async_drop_credential(&credential);
}

static void close_in_callback(struct async_call *call)
{
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(call->data), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiCompletionQueueFd(call->data), -1);
}

static void close_in_the_last_callback_is_allowed(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call call;

    (void)state;
    entry_new(&call, queue, &credential);
    call.in_callback = close_in_callback;
    call.data = queue;
    assert_int_equal(OsspiDrainCompletions(queue, 0), 1);
    entry_end(&call);
    async_drop_credential(&credential);
}

static void call_of_a_context_whose_queue_is_closed_is_refused(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    OsspiCompletionQueue *queue = queue_new();
    struct async_call call;

    (void)state;
    call_init_in(&call, queue);
    queue_close(queue);
    assert_int_equal(async_leg(&call, &credential, &context), SEC_E_INVALID_HANDLE);
    assert_int_equal(async_status(&call), SEC_E_INVALID_HANDLE);
    assert_int_equal(async_acquire(&call, NULL), SEC_E_INVALID_HANDLE);
    assert_int_equal(atomic_load(&call.step.entries), 0);
    /* Delete never fails: its callback runs on a worker instead. */
    assert_int_equal(async_delete(&call, &context), SEC_E_OK);
    assert_int_equal(async_await(&call), SEC_E_OK);
    assert_int_equal(test_counter_get(&call.notified), 1);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* Closing races with queueing: a call is refused or its callback runs, nothing between. */
static void *close_when_possible(void *data)
{
    OsspiCompletionQueue *queue = data;

    for (;;) {
        if (API(OsspiCloseCompletionQueue(queue)) == SEC_E_OK)
            return NULL;
        OsspiDrainCompletions(queue, 1);
    }
}

static void close_racing_a_call_loses_no_callback(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(2000); i++) {
        OsspiCompletionQueue *queue = queue_new();
        struct async_call call;
        pthread_t thread;
        SECURITY_STATUS status;

        call_init_in(&call, queue);
        thread = test_thread_start(close_when_possible, queue);
        status = async_leg(&call, &credential, NULL);
        if (status == SEC_E_OK) {
            assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
            async_drop_context(&call.own.context);
        } else {
            assert_int_equal(status, SEC_E_INVALID_HANDLE);
        }
        test_thread_join(thread);
        async_call_clear(&call);
    }
    async_drop_credential(&credential);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_checks_its_argument),
        cmocka_unit_test(descriptor_is_non_blocking_and_close_on_exec),
        cmocka_unit_test(invalid_queues_are_refused_everywhere),
        cmocka_unit_test(set_queue_checks_context_and_state),
        cmocka_unit_test(queues_give_their_descriptors_back),
        cmocka_unit_test(create_without_a_descriptor_is_insufficient_memory),
        cmocka_unit_test(descriptor_is_readable_while_there_are_entries),
        cmocka_unit_test(drain_runs_callbacks_here_in_order_of_completion),
        cmocka_unit_test(drain_keeps_to_its_maximum),
        cmocka_unit_test(drain_of_all_leaves_what_comes_meanwhile),
        cmocka_unit_test(drain_may_be_entered_again_from_a_callback),
        cmocka_unit_test(edge_triggered_drainers_miss_nothing),
        cmocka_unit_test(edge_is_raised_again_for_what_a_drain_leaves),
        cmocka_unit_test(free_of_a_context_keeps_its_entry),
        cmocka_unit_test(context_is_busy_until_its_entry_is_drained),
        cmocka_unit_test(queue_survives_reinit_and_can_be_taken_away),
        cmocka_unit_test(call_without_a_callback_leaves_no_entry),
        cmocka_unit_test(cancelled_and_timed_out_calls_go_to_the_queue),
        cmocka_unit_test(close_is_refused_while_calls_or_entries_are_bound),
        cmocka_unit_test(close_in_the_last_callback_is_allowed),
        cmocka_unit_test(call_of_a_context_whose_queue_is_closed_is_refused),
        cmocka_unit_test(close_racing_a_call_loses_no_callback),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.queue", tests, NULL, async_teardown);
}
