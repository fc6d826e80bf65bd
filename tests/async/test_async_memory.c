/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * No memory and no threads: every allocation of a call fails in turn, at queue time and on the
 * worker, from the very first call of a process on; thread starts fail. The call is refused or ends
 * with SEC_E_INSUFFICIENT_MEMORY, its callback fits, nothing is lost, and later calls work. Links
 * with OSSPI_WRAP_ALLOC; what needs a fresh process runs this program again.
 */
#include "support/failing_alloc.h"

#include "async/async_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NOT_HIT 10 /* exit status of a case in which no allocation failed any more */
#define MOST    200u

/* ---- one operation with its nth allocation failing ---- */

struct operation {
    enum osspi_lane lane;
    bool want_blocking;
    bool accept;
    bool on_context; /* a later leg, not the first */
    bool acquire;
    bool queue; /* with a completion queue */
    ULONG timeout_ms;
};

static bool is_complete(void *data)
{
    return async_status(data) != SEC_I_ASYNC_CALL_PENDING;
}

static void drop_result(struct async_call *call, const struct operation *operation)
{
    SECURITY_STATUS status = async_status(call);

    if (status == SEC_E_INSUFFICIENT_MEMORY)
        return;
    TEST_REQUIRE_EQUAL(status, operation->acquire ? SEC_E_OK : SEC_I_CONTINUE_NEEDED);
    if (operation->acquire)
        async_drop_credential(&call->own.credential);
    else if (!operation->on_context)
        async_drop_context(&call->own.context);
}

static SECURITY_STATUS start(struct async_call *call, const struct operation *operation,
                             CredHandle *credential, CtxtHandle *context, struct mock_auth *auth)
{
    if (operation->acquire)
        return async_acquire(call, auth);
    if (operation->accept)
        return async_accept(call, credential, operation->on_context ? context : NULL);
    return async_leg(call, credential, operation->on_context ? context : NULL);
}

/* True while the nth allocation exists. */
static bool fail_nth(const struct operation *operation, uint64_t nth)
{
    CredHandle credential = async_credential(operation->lane, "memory");
    CtxtHandle context = async_context(&credential);
    OsspiCompletionQueue *queue;
    struct async_call call;
    struct mock_auth auth = {.magic = MOCK_AUTH, .step = &call.step};
    SECURITY_STATUS status;
    bool hit;

    mock_acquire_lane(operation->lane, "memory");
    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&call);
    call.step.status = operation->acquire ? SEC_E_OK : SEC_I_CONTINUE_NEEDED;
    call.step.want_blocking = operation->want_blocking;
    call.step.output = "some output";
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call.async, operation->timeout_ms), SEC_E_OK);
    if (operation->queue)
        TEST_REQUIRE_EQUAL(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
    failing_alloc_nth(nth);
    status = start(&call, operation, &credential, &context, &auth);
    if (status == SEC_E_OK)
        test_poll(is_complete, &call);
    hit = failing_alloc_hit();
    failing_alloc_nth(0);
    TEST_REQUIRE(status == SEC_E_OK || status == SEC_E_INSUFFICIENT_MEMORY);
    TEST_REQUIRE(hit || async_status(&call) != SEC_E_INSUFFICIENT_MEMORY);
    while (operation->queue && status == SEC_E_OK && OsspiDrainCompletions(queue, 0) == 0)
        ;
    if (status == SEC_E_OK)
        TEST_REQUIRE_EQUAL(async_await(&call), async_status(&call));
    drop_result(&call, operation);
    /* A context whose leg failed for want of memory takes the leg again. */
    call.step.status = SEC_I_CONTINUE_NEEDED;
    TEST_REQUIRE_EQUAL(async_leg_now(&call, NULL, &context), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(test_counter_get(&call.notified), status == SEC_E_OK);
    async_call_clear(&call);
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    async_drop_context(&context);
    async_drop_credential(&credential);
    mock_acquire_lane(OSSPI_LANE_CPU, NULL);
    async_require_clean();
    return hit;
}

static const struct operation operations[] = {
    {.lane = OSSPI_LANE_CPU},
    {.lane = OSSPI_LANE_CPU, .accept = true, .queue = true},
    {.lane = OSSPI_LANE_CPU, .on_context = true, .timeout_ms = 60000},
    {.lane = OSSPI_LANE_CPU, .want_blocking = true},
    {.lane = OSSPI_LANE_CPU, .want_blocking = true, .on_context = true},
    {.lane = OSSPI_LANE_BLOCKING},
    {.lane = OSSPI_LANE_BLOCKING, .on_context = true, .queue = true, .timeout_ms = 60000},
    {.lane = OSSPI_LANE_CPU, .acquire = true},
    {.lane = OSSPI_LANE_CPU, .acquire = true, .want_blocking = true},
    {.lane = OSSPI_LANE_BLOCKING, .acquire = true, .timeout_ms = 60000},
};

static uint64_t fail_all_in_turn(const struct operation *operation)
{
    uint64_t nth = 1;

    while (fail_nth(operation, nth))
        TEST_REQUIRE(++nth < MOST);
    return nth - 1;
}

static void every_allocation_of_every_operation_fails_in_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(operations); i++) {
        uint64_t count = fail_all_in_turn(&operations[i]);

        print_message("operation %zu: %d allocations\n", i, (int)count);
    }
}

/* ---- the steady state allocates nothing ---- */

static void reused_contexts_allocate_nothing(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    for (uint64_t i = 1; i <= 200; i++) {
        if (i == 100)
            failing_alloc_nth(0);
        assert_int_equal(SspiReinitAsyncContext(call.async), STATUS_SUCCESS);
        assert_int_equal(async_leg(&call, NULL, &context), SEC_E_OK);
        test_counter_await(&call.notified, i);
    }
    assert_int_equal(failing_alloc_count(), 0);
    async_call_clear(&call);
    async_drop_context(&context);
    async_drop_credential(&credential);
}

/* ---- contexts and queues ---- */

static void create_without_memory_gives_null_and_works_again(void **state)
{
    enum { MANY = 100000 };
    static SspiAsyncContext *contexts[MANY];
    uint32_t count = 0;

    (void)state;
    failing_alloc_all();
    while (count < MANY && (contexts[count] = SspiCreateAsyncContext()) != NULL)
        count++;
    failing_alloc_nth(0);
    assert_true(count < MANY);
    contexts[count] = SspiCreateAsyncContext();
    assert_non_null(contexts[count]);
    for (uint32_t i = 0; i <= count; i++)
        SspiFreeAsyncContext(contexts[i]);
}

static void create_queue_without_memory_is_refused(void **state)
{
    enum { MANY = 900 };
    static OsspiCompletionQueue *queues[MANY];
    uint32_t count = 0;
    SECURITY_STATUS status = SEC_E_OK;

    (void)state;
    failing_alloc_all();
    while (count < MANY && status == SEC_E_OK) {
        status = OsspiCreateCompletionQueue(&queues[count]);
        count += status == SEC_E_OK;
    }
    failing_alloc_nth(0);
    assert_true(count < MANY);
    assert_int_equal(status, SEC_E_INSUFFICIENT_MEMORY);
    assert_null(queues[count]);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(OsspiCloseCompletionQueue(queues[i]), SEC_E_OK);
}

static void count_events(const OsspiTraceRecord *record, void *data)
{
    (void)record;
    atomic_fetch_add((_Atomic uint32_t *)data, 1);
}

static void trace_without_memory_stays_as_it_was(void **state)
{
    _Atomic uint32_t events[2] = {0, 0};
    SECURITY_STATUS status;
    struct async_call call;
    struct mock_auth auth = {.magic = 0};

    (void)state;
    assert_int_equal(OsspiSetTrace(count_events, &events[0]), SEC_E_OK);
    failing_alloc_all();
    status = OsspiSetTrace(count_events, &events[1]);
    failing_alloc_nth(0);
    async_call_init_silent(&call);
    assert_int_equal(async_acquire(&call, &auth), SEC_E_OK);
    assert_int_equal(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)),
                     SEC_E_UNKNOWN_CREDENTIALS);
    async_call_clear(&call);
    assert_int_equal(OsspiSetTrace(NULL, NULL), SEC_E_OK);
    assert_true(status == SEC_E_OK || status == SEC_E_INSUFFICIENT_MEMORY);
    assert_true(atomic_load(&events[status == SEC_E_OK]) > 0);
    assert_int_equal(atomic_load(&events[status != SEC_E_OK]), 0);
}

static void delete_and_free_need_no_memory(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle contexts[2] = {async_context(&credential), async_context(&credential)};
    struct async_call calls[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        async_call_init(&calls[i]);
    failing_alloc_all();
    for (int i = 0; i < 2; i++)
        TEST_REQUIRE_EQUAL(async_delete(&calls[i], &contexts[i]), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_free_credential(&calls[2], &credential), SEC_E_OK);
    for (int i = 0; i < 3; i++)
        TEST_REQUIRE_EQUAL(async_await(&calls[i]), SEC_E_OK);
    failing_alloc_nth(0);
    for (int i = 0; i < 3; i++)
        async_call_clear(&calls[i]);
}

/* ---- thread starts, once the engine runs ---- */

/* The first call of the blocking lane, or the first deadline, finds no thread. It is refused, or it
 * ends with the status, or it is made when there are threads again: but it ends. */
static void call_that_finds_no_thread_ends_nevertheless(void **state)
{
    static const struct operation needing[] = {
        {.lane = OSSPI_LANE_BLOCKING},
        {.lane = OSSPI_LANE_CPU, .want_blocking = true},
        {.lane = OSSPI_LANE_CPU, .timeout_ms = 60000},
    };

    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(needing); i++) {
        CredHandle credential = async_credential(needing[i].lane, "threads");
        struct async_call call;
        SECURITY_STATUS status;

        async_call_init(&call);
        call.step.want_blocking = needing[i].want_blocking;
        TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(call.async, needing[i].timeout_ms), SEC_E_OK);
        failing_threads(1);
        status = async_leg(&call, &credential, NULL);
        if (status == SEC_E_OK)
            test_poll(is_complete, &call);
        failing_threads(0);
        TEST_REQUIRE(status == SEC_E_OK || status == SEC_E_INSUFFICIENT_MEMORY);
        if (status == SEC_E_OK)
            async_await(&call);
        drop_result(&call, &needing[i]);
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, 1 + (status == SEC_E_OK));
        assert_int_equal(async_status(&call), SEC_I_CONTINUE_NEEDED);
        drop_result(&call, &needing[i]);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

/* The last worker outside callbacks stays outside when there is no spare to be had. */
static void callbacks_without_spares_wait_and_calls_go_on(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call calls[10];
    struct async_call silent;
    uint32_t inside;

    (void)state;
    failing_threads(UINT32_MAX);
    for (int i = 0; i < 10; i++) {
        async_call_init(&calls[i]);
        calls[i].callback_gate = &gate;
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    for (int i = 0; i < 10; i++)
        test_poll(is_complete, &calls[i]);
    async_call_init_silent(&silent);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(async_leg(&silent, &credential, NULL), SEC_E_OK);
        test_poll(is_complete, &silent);
        async_drop_context(&silent.own.context);
    }
    inside = test_gate_entered(&gate);
    failing_threads(0);
    assert_true(inside >= 1 && inside < 10);
    test_gate_open(&gate);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_call_clear(&silent);
    async_drop_credential(&credential);
}

/* ---- from the first call of a process on ---- */

static int case_first_call(uint64_t nth)
{
    const struct operation first = {.lane = OSSPI_LANE_CPU};
    struct async_call call;
    SECURITY_STATUS status;
    bool hit;

    async_call_init(&call);
    failing_alloc_nth(nth);
    status = async_acquire(&call, NULL);
    if (status == SEC_E_OK)
        test_poll(is_complete, &call);
    hit = failing_alloc_hit();
    failing_alloc_nth(0);
    TEST_REQUIRE(status == SEC_E_OK || status == SEC_E_INSUFFICIENT_MEMORY);
    if (status == SEC_E_OK && async_await(&call) == SEC_E_OK)
        async_drop_credential(&call.own.credential);
    TEST_REQUIRE_EQUAL(test_counter_get(&call.notified), status == SEC_E_OK);
    async_call_clear(&call);
    (void)fail_nth(&first, 0);
    return hit ? 0 : NOT_HIT;
}

static int case_no_thread_at_all(uint64_t count)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    const struct operation later = {.lane = OSSPI_LANE_CPU};
    struct async_call call;
    struct async_call silent;

    (void)count;
    failing_threads(UINT32_MAX);
    async_call_init(&call);
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, NULL), SEC_E_INSUFFICIENT_MEMORY);
    TEST_REQUIRE_EQUAL(async_status(&call), SEC_E_INSUFFICIENT_MEMORY);
    TEST_REQUIRE_EQUAL(async_acquire(&call, NULL), SEC_E_INSUFFICIENT_MEMORY);
    /* Nobody is to be told, so nobody is needed. */
    async_call_init_silent(&silent);
    TEST_REQUIRE_EQUAL(async_delete(&silent, &context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(silent.async, OSSPI_INFINITE)), SEC_E_OK);
    async_call_clear(&silent);
    TEST_REQUIRE(failing_threads_refused() > 0);
    failing_threads(0);
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(test_counter_get(&call.notified), 1);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
    (void)fail_nth(&later, 0);
    return 0;
}

/* There is not even memory for the engine. What is deleted is gone all the same. */
static int case_no_memory_at_all(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    CtxtHandle other = async_context(&credential);
    struct async_call call;
    struct async_call silent;

    async_call_init(&call);
    async_call_init_silent(&silent);
    failing_alloc_all();
    TEST_REQUIRE_EQUAL(async_delete(&call, &context), SEC_E_INSUFFICIENT_MEMORY);
    TEST_REQUIRE_EQUAL(async_delete(&silent, &other), SEC_E_OK);
    TEST_REQUIRE(failing_alloc_hit());
    failing_alloc_nth(0);
    TEST_REQUIRE_EQUAL(async_status(&call), SEC_E_INSUFFICIENT_MEMORY);
    TEST_REQUIRE_EQUAL(async_status(&silent), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_statistics().live_contexts, 0);
    TEST_REQUIRE_EQUAL(async_free_credential(&call, &credential), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_E_OK);
    TEST_REQUIRE_EQUAL(test_counter_get(&call.notified), 1);
    async_call_clear(&call);
    async_call_clear(&silent);
    return 0;
}

static int run_case(const char *name)
{
    unsigned nth = 0;

    async_setup();
    if (strcmp(name, "no_thread") == 0)
        return case_no_thread_at_all(0);
    if (strcmp(name, "no_memory") == 0)
        return case_no_memory_at_all();
    if (sscanf(name, "first_%u", &nth) == 1)
        return case_first_call(nth);
    return 125;
}

static void first_call_of_a_process_fails_at_every_allocation(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < MOST; nth++) {
        char name[32];
        int result;

        snprintf(name, sizeof(name), "first_%u", nth);
        result = async_run_self(name);
        if (result == NOT_HIT) {
            print_message("%u allocations\n", nth - 1);
            assert_true(nth > 1);
            return;
        }
        if (result != 0)
            fail_msg("allocation %u: exit status %d", nth, result);
    }
    fail_msg("more than %u allocations", MOST);
}

static void first_call_of_a_process_finds_no_memory_for_the_engine(void **state)
{
    (void)state;
    assert_int_equal(async_run_self("no_memory"), 0);
}

static void first_call_of_a_process_finds_no_thread(void **state)
{
    (void)state;
    assert_int_equal(async_run_self("no_thread"), 0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_of_every_operation_fails_in_turn),
        cmocka_unit_test(reused_contexts_allocate_nothing),
        cmocka_unit_test(create_without_memory_gives_null_and_works_again),
        cmocka_unit_test(create_queue_without_memory_is_refused),
        cmocka_unit_test(trace_without_memory_stays_as_it_was),
        cmocka_unit_test(delete_and_free_need_no_memory),
        cmocka_unit_test(call_that_finds_no_thread_ends_nevertheless),
        cmocka_unit_test(callbacks_without_spares_wait_and_calls_go_on),
        cmocka_unit_test(first_call_of_a_process_fails_at_every_allocation),
        cmocka_unit_test(first_call_of_a_process_finds_no_memory_for_the_engine),
        cmocka_unit_test(first_call_of_a_process_finds_no_thread),
    };

    test_watchdog(argc > 1 ? 20 : 60);
    if (argc > 1)
        return run_case(argv[1]);
    async_setup();
    return cmocka_run_group_tests_name("async.memory", tests, NULL, async_teardown);
}
