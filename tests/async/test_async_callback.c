/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What callbacks may do: reuse their context for ever on a flat stack, block all workers, wait for
 * other calls, call everything; and on what threads they run.
 */
#include "async/async_util.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define SPARES 64u

/* ---- Reinit and the next call in the callback, on a flat stack ---- */

static struct {
    struct async_call call;
    CtxtHandle context;
    uint32_t left;
    uintptr_t lowest; /* of one thread's stack; guarded by the chain: one callback at a time */
    uintptr_t highest;
    pthread_t thread;
    uintptr_t widest; /* over all threads */
} chain;

static void note_stack(uintptr_t here)
{
    if (!pthread_equal(chain.thread, pthread_self()) || chain.lowest == 0) {
        chain.thread = pthread_self();
        chain.lowest = chain.highest = here;
    }
    chain.lowest = here < chain.lowest ? here : chain.lowest;
    chain.highest = here > chain.highest ? here : chain.highest;
    if (chain.highest - chain.lowest > chain.widest)
        chain.widest = chain.highest - chain.lowest;
}

static struct test_counter chain_done = TEST_COUNTER_INIT;

static void chain_on(SspiAsyncContext *handle, void *data)
{
    (void)data;
    TEST_REQUIRE_EQUAL(async_inside_api, 0);
    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(handle), SEC_I_CONTINUE_NEEDED);
    /* Not a variable's address: AddressSanitizer may keep variables elsewhere. */
    note_stack((uintptr_t)__builtin_frame_address(0));
    if (--chain.left == 0) {
        test_counter_add(&chain_done, 1);
        return;
    }
    TEST_REQUIRE_EQUAL(API(SspiReinitAsyncContext(handle)), STATUS_SUCCESS);
    TEST_REQUIRE_EQUAL(async_leg(&chain.call, NULL, &chain.context), SEC_E_OK);
}

static void run_chain(uint32_t length, enum osspi_lane lane)
{
    CredHandle credential = async_credential(lane, "chain");

    chain.context = async_context(&credential);
    async_call_init_silent(&chain.call);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(chain.call.async, chain_on, NULL), SEC_E_OK);
    chain.left = length;
    chain.lowest = chain.widest = 0;
    chain_done.value = 0;
    TEST_REQUIRE_EQUAL(async_leg(&chain.call, NULL, &chain.context), SEC_E_OK);
    async_drop_credential(&credential); /* the context keeps it */
}

static void end_chain(uint32_t length)
{
    TEST_REQUIRE_EQUAL(async_record(&chain.context).legs, length + 1);
    TEST_REQUIRE(chain.widest < 4096);
    async_call_clear(&chain.call);
    async_drop_context(&chain.context);
}

static void chain_of_a_million_calls_keeps_the_stack_flat(void **state)
{
    uint32_t length = TEST_ROUNDS(1000000);

    (void)state;
    run_chain(length, OSSPI_LANE_CPU);
    test_counter_await(&chain_done, 1);
    end_chain(length);
}

static void chain_on_the_blocking_lane_keeps_the_stack_flat(void **state)
{
    uint32_t length = TEST_ROUNDS(50000);

    (void)state;
    run_chain(length, OSSPI_LANE_BLOCKING);
    test_counter_await(&chain_done, 1);
    end_chain(length);
}

static void chain_in_a_completion_queue_keeps_the_stack_flat(void **state)
{
    uint32_t length = TEST_ROUNDS(50000);
    OsspiCompletionQueue *queue;

    (void)state;
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    run_chain(1, OSSPI_LANE_CPU);
    test_counter_await(&chain_done, 1);
    assert_int_equal(OsspiSetCompletionQueue(chain.call.async, queue), SEC_E_OK);
    chain.left = length;
    chain.lowest = chain.widest = 0;
    assert_int_equal(async_leg(&chain.call, NULL, &chain.context), SEC_E_OK);
    while (test_counter_get(&chain_done) < 2)
        OsspiDrainCompletions(queue, 0);
    end_chain(length + 1);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
}

/* ---- all workers inside callbacks ---- */

enum { MOST = 120 };

static struct async_call calls[MOST];

static void queue_with_callback_gate(uint32_t count, struct test_gate *gate, CredHandle *credential)
{
    for (uint32_t i = 0; i < count; i++) {
        async_call_init(&calls[i]);
        calls[i].callback_gate = gate;
        TEST_REQUIRE_EQUAL(async_leg(&calls[i], credential, NULL), SEC_E_OK);
    }
}

static void collect(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        TEST_REQUIRE_EQUAL(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        TEST_REQUIRE_EQUAL(test_counter_get(&calls[i].notified), 1);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
}

static bool is_complete(void *data)
{
    return async_status(data) != SEC_I_ASYNC_CALL_PENDING;
}

/* Calls without callbacks still run, one after the other. */
static void require_calls_go_on(CredHandle *credential)
{
    for (int i = 0; i < 50; i++) {
        struct async_call call;

        async_call_init_silent(&call);
        TEST_REQUIRE_EQUAL(async_leg(&call, credential, NULL), SEC_E_OK);
        test_poll(is_complete, &call);
        async_drop_context(&call.own.context);
        async_call_clear(&call);
    }
}

static void callbacks_that_block_all_workers_release_spares(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint64_t released = async_statistics().spare_workers_released;

    (void)state;
    queue_with_callback_gate(20, &gate, &credential);
    test_gate_await(&gate, 20); /* all of them at once, with two workers */
    require_calls_go_on(&credential);
    assert_true(async_statistics().spare_workers_released > released);
    assert_true(async_statistics().workers > 20);
    assert_true(async_statistics().workers <= ASYNC_WORKERS + SPARES);
    test_gate_open(&gate);
    collect(20);
    async_drop_credential(&credential);
}

static bool some_wait(void *data)
{
    return async_statistics().callbacks_waited > *(uint64_t *)data;
}

static void callbacks_beyond_all_spares_wait_but_calls_go_on(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    uint64_t waited = async_statistics().callbacks_waited;
    uint32_t inside;

    (void)state;
    queue_with_callback_gate(MOST, &gate, &credential);
    test_gate_await(&gate, SPARES);
    test_poll(some_wait, &waited);
    for (uint32_t i = 0; i < MOST; i++)
        test_poll(is_complete, &calls[i]); /* complete, if not all of them told */
    require_calls_go_on(&credential);
    inside = test_gate_entered(&gate);
    assert_in_range(inside, SPARES, SPARES + ASYNC_WORKERS - 1);
    assert_int_equal(async_statistics().callbacks_pending, MOST - inside);
    assert_true(async_statistics().workers <= ASYNC_WORKERS + SPARES);
    test_gate_open(&gate);
    collect(MOST);
    async_drop_credential(&credential);
}

/* ---- callbacks that wait for other calls ---- */

static CredHandle deep_credential;
static _Atomic uint32_t depth;

/* Each callback makes the next call and stays until that one's callback is through. */
static void go_deeper(struct async_call *call)
{
    uint32_t level = atomic_fetch_add(&depth, 1) + 1;
    struct async_call *next = &calls[level];

    (void)call;
    if (level == 50)
        return;
    async_call_init(next);
    next->in_callback = go_deeper;
    TEST_REQUIRE_EQUAL(async_leg(next, &deep_credential, NULL), SEC_E_OK);
    test_counter_await(&next->notified, 1);
}

static void callbacks_may_wait_for_callbacks_of_other_calls(void **state)
{
    (void)state;
    deep_credential = async_credential(OSSPI_LANE_CPU, NULL);
    async_call_init(&calls[0]);
    calls[0].in_callback = go_deeper;
    assert_int_equal(async_leg(&calls[0], &deep_credential, NULL), SEC_E_OK);
    assert_int_equal(async_await(&calls[0]), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(atomic_load(&depth), 50);
    collect(50);
    async_drop_credential(&deep_credential);
}

static void wait_for_another(struct async_call *call)
{
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "other");
        struct async_call other;

        async_call_init_silent(&other);
        TEST_REQUIRE_EQUAL(async_leg(&other, &credential, NULL), SEC_E_OK);
        TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(other.async, OSSPI_INFINITE)),
                           SEC_I_CONTINUE_NEEDED);
        async_drop_context(&other.own.context);
        async_call_clear(&other);
        async_drop_credential(&credential);
    }
    (void)call;
}

static void callbacks_of_all_workers_may_wait_for_other_calls(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    (void)state;
    for (uint32_t round = 0; round < TEST_ROUNDS(20); round++) {
        for (uint32_t i = 0; i < MOST; i++) {
            async_call_init(&calls[i]);
            calls[i].in_callback = wait_for_another;
            assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
        }
        collect(MOST);
    }
    async_drop_credential(&credential);
}

/* ---- under no lock ---- */

/* Everything that touches the objects of the call whose callback waits for this thread. */
static void *use_everything(void *data)
{
    struct async_call *call = data;
    CtxtHandle context = call->own.context;
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};
    SecBufferDesc message = {SECBUFFER_VERSION, 0, NULL};
    struct async_call other;

    TEST_REQUIRE_EQUAL(SspiReinitAsyncContext(call->async), STATUS_SUCCESS);
    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(call->async, async_notify, call), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call->async, 0), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(call->async, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiCancelAsyncCall(call->async), SEC_E_INVALID_PARAMETER);
    TEST_REQUIRE_EQUAL(OsspiWaitAsyncCall(call->async, 0), SEC_I_ASYNC_CALL_PENDING);
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    TEST_REQUIRE_EQUAL(EncryptMessage(&context, 0, &message, 0), SEC_E_OK);
    TEST_REQUIRE_EQUAL(DecryptMessage(&context, &message, 0, NULL), SEC_E_OK);
    async_call_init(&other);
    TEST_REQUIRE_EQUAL(async_leg_now(&other, NULL, &context), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(async_leg(&other, NULL, &context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&other), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(async_delete(&other, &context), SEC_E_OK);
    test_counter_await(&other.notified, 2);
    async_call_clear(&other);
    SspiFreeAsyncContext(call->async);
    return NULL;
}

static void let_another_thread_use_everything(struct async_call *call)
{
    test_thread_join(test_thread_start(use_everything, call));
}

static void callback_holds_no_lock_that_others_need(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "locks");
        struct async_call call;

        async_call_init(&call);
        call.step.status = SEC_E_OK; /* messages need an established context */
        call.in_callback = let_another_thread_use_everything;
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        async_await(&call);
        async_drop_credential(&credential);
    }
}

/* ---- the threads ---- */

static void look_at_thread(struct async_call *call)
{
    pthread_attr_t attributes;
    size_t size = 0;
    void *stack;
    sigset_t blocked;
    char name[16] = "";

    (void)call;
    TEST_REQUIRE_EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    for (int i = 1; i < SIGRTMAX; i++) {
        if (i != SIGKILL && i != SIGSTOP && (i < 32 || i >= SIGRTMIN))
            TEST_REQUIRE(sigismember(&blocked, i));
    }
    TEST_REQUIRE_EQUAL(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
    TEST_REQUIRE(strncmp(name, "osspi", 5) == 0);
    TEST_REQUIRE_EQUAL(pthread_getattr_np(pthread_self(), &attributes), 0);
    TEST_REQUIRE_EQUAL(pthread_attr_getstack(&attributes, &stack, &size), 0);
    TEST_REQUIRE(size >= 256 * 1024);
    pthread_attr_destroy(&attributes);
}

static void look_at_leg_thread(struct mock_step *step)
{
    (void)step;
    look_at_thread(NULL);
}

static void threads_have_names_stacks_and_no_signals(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "thread");
        struct async_call call;

        async_call_init(&call);
        call.step.inside = look_at_leg_thread;
        call.in_callback = look_at_thread;
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        async_await(&call);
        assert_int_not_equal(atomic_load(&call.callback_thread), test_thread_id());
        async_drop_context(&call.own.context);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_of_a_million_calls_keeps_the_stack_flat),
        cmocka_unit_test(chain_on_the_blocking_lane_keeps_the_stack_flat),
        cmocka_unit_test(chain_in_a_completion_queue_keeps_the_stack_flat),
        cmocka_unit_test(callbacks_that_block_all_workers_release_spares),
        cmocka_unit_test(callbacks_beyond_all_spares_wait_but_calls_go_on),
        cmocka_unit_test(callbacks_may_wait_for_callbacks_of_other_calls),
        cmocka_unit_test(callbacks_of_all_workers_may_wait_for_other_calls),
        cmocka_unit_test(callback_holds_no_lock_that_others_need),
        cmocka_unit_test(threads_have_names_stacks_and_no_signals),
    };

    test_watchdog(110);
    async_setup();
    return cmocka_run_group_tests_name("async.callback", tests, NULL, async_teardown);
}
