/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Statistics that add up, and a trace that tells the story of each call in order.
 */
#include "async/async_util.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"

/* ---- statistics ---- */

static void statistics_check_their_argument(void **state)
{
    OsspiStatistics statistics = {.cbSize = 0};

    (void)state;
    assert_int_equal(OsspiGetStatistics(NULL), SEC_E_INVALID_PARAMETER);
    assert_int_equal(OsspiGetStatistics(&statistics), SEC_E_INVALID_PARAMETER);
    statistics.cbSize = 15;
    assert_int_equal(OsspiGetStatistics(&statistics), SEC_E_INVALID_PARAMETER);
}

/* An older program's structure is shorter: nothing behind its end is touched. */
static void statistics_fill_a_shorter_structure_as_far_as_it_goes(void **state)
{
    OsspiStatistics statistics;
    OsspiStatistics untouched;

    (void)state;
    memset(&untouched, ASYNC_POISON, sizeof(untouched));
    for (ULONG size = 16; size < sizeof(statistics); size += 8) {
        memset(&statistics, ASYNC_POISON, sizeof(statistics));
        statistics.cbSize = size;
        assert_int_equal(OsspiGetStatistics(&statistics), SEC_E_OK);
        assert_true(statistics.cbSize <= size);
        assert_memory_equal((char *)&statistics + size, (char *)&untouched + size,
                            sizeof(statistics) - size);
        assert_int_equal(statistics.reserved, 0);
    }
    statistics.cbSize = UINT32_MAX; /* from a newer header */
    assert_int_equal(OsspiGetStatistics(&statistics), SEC_E_OK);
    assert_int_equal(statistics.cbSize, sizeof(statistics));
}

static uint64_t sum(const OsspiHistogram *histogram)
{
    uint64_t total = 0;

    for (int i = 0; i < OSSPI_HISTOGRAM_BUCKETS; i++)
        total += histogram->bucket[i];
    return total;
}

static void statistics_count_calls_by_kind(void **state)
{
    OsspiStatistics before = async_statistics();
    OsspiStatistics after;
    struct async_call call;
    CredHandle credential;

    (void)state;
    async_call_init(&call);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(async_acquire(&call, NULL), SEC_E_OK);
        test_counter_await(&call.notified, 5 * i + 1);
        credential = call.own.credential;
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, 5 * i + 2);
        assert_int_equal(async_delete(&call, &call.own.context), SEC_E_OK);
        test_counter_await(&call.notified, 5 * i + 3);
        assert_int_equal(async_accept(&call, &credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, 5 * i + 4);
        async_drop_context(&call.own.context);
        assert_int_equal(async_free_credential(&call, &credential), SEC_E_OK);
        test_counter_await(&call.notified, 5 * i + 5);
    }
    after = async_statistics();
    assert_int_equal(after.calls_queued - before.calls_queued, 50);
    assert_int_equal(after.calls_completed - before.calls_completed, 50);
    assert_int_equal(after.callbacks_run - before.callbacks_run, 50);
    for (int kind = 0; kind < OsspiCallKindCount; kind++) {
        const OsspiCallStatistics *calls = &after.calls[kind];
        uint64_t more = calls->run_time.count - before.calls[kind].run_time.count;

        assert_int_equal(more, kind <= OsspiCallFreeCredentials ? 10 : 0);
        assert_int_equal(calls->queue_wait.count - before.calls[kind].queue_wait.count, more);
        assert_int_equal(calls->run_time.count, sum(&calls->run_time));
        assert_int_equal(calls->queue_wait.count, sum(&calls->queue_wait));
    }
    async_call_clear(&call);
}

static void statistics_tell_what_is_there_now(void **state)
{
    struct async_crowd crowd;
    OsspiCompletionQueue *queue;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    CtxtHandle context = async_context(&credential);
    struct async_call calls[5];
    OsspiStatistics now;

    (void)state;
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_occupy(&crowd);
    for (uint32_t i = 0; i < 5; i++) {
        async_call_init(&calls[i]);
        assert_int_equal(OsspiSetCompletionQueue(calls[i].async, queue), SEC_E_OK);
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    now = async_statistics();
    assert_int_equal(now.live_async_contexts, 5 + ASYNC_WORKERS);
    assert_int_equal(now.live_credentials, 2);
    assert_true(now.live_contexts >= 1);
    assert_int_equal(now.live_completion_queues, 1);
    assert_int_equal(now.queue_depth, 5);
    assert_in_range(now.workers, ASYNC_WORKERS, ASYNC_WORKERS + 64); /* spare ones included */
    assert_int_equal(now.callbacks_pending, 0);
    for (uint32_t i = 0; i < 5; i++)
        OsspiWaitAsyncCall(calls[i].async, OSSPI_INFINITE);
    now = async_statistics();
    assert_int_equal(now.queue_depth, 0);
    assert_int_equal(now.callbacks_pending, 5);
    async_vacate(&crowd);
    assert_int_equal(OsspiDrainCompletions(queue, 0), 5);
    assert_int_equal(async_statistics().callbacks_pending, 0);
    for (uint32_t i = 0; i < 5; i++) {
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_drop_context(&context);
    async_drop_credential(&credential);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
}

static void statistics_count_refused_and_stopped_calls(void **state)
{
    OsspiStatistics before = async_statistics();
    OsspiStatistics after;
    struct async_crowd crowd;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call calls[2];
    char name[] = MOCK_NAME;

    (void)state;
    async_occupy(&crowd);
    for (uint32_t i = 0; i < 2; i++) {
        async_call_init_silent(&calls[i]);
        assert_int_equal(OsspiSetAsyncTimeout(calls[i].async, i * 5), SEC_E_OK);
        assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    assert_int_equal(API(OsspiCancelAsyncCall(calls[0].async)), SEC_E_OK);
    while (async_status(&calls[1]) != ASYNC_TIMEOUT)
        ;
    assert_int_equal(SspiAcquireCredentialsHandleAsyncA(calls[0].async, NULL, name, 2, NULL, NULL,
                                                        NULL, NULL, NULL, NULL),
                     SEC_E_INVALID_PARAMETER);
    async_vacate(&crowd);
    after = async_statistics();
    assert_int_equal(after.calls_cancelled - before.calls_cancelled, 1);
    assert_int_equal(after.calls_timed_out - before.calls_timed_out, 1);
    assert_int_equal(after.calls_refused - before.calls_refused, 1);
    assert_int_equal(after.calls_completed - before.calls_completed, 2 + ASYNC_WORKERS);
    async_call_clear(&calls[0]);
    async_call_clear(&calls[1]);
    async_drop_credential(&credential);
}

static void statistics_can_be_read_while_everything_runs(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;
    uint64_t last = 0;

    (void)state;
    async_call_init(&call);
    for (uint32_t i = 1; i <= TEST_ROUNDS(2000); i++) {
        OsspiStatistics now;

        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        now = async_statistics();
        assert_true(now.calls_queued > last);
        last = now.calls_queued;
        test_counter_await(&call.notified, i);
        async_drop_context(&call.own.context);
    }
    async_call_clear(&call);
    async_drop_credential(&credential);
}

enum { QUICK = 8, SLOW_MS = 30 };

static void take_time(struct mock_step *step)
{
    struct timespec time = {.tv_nsec = SLOW_MS * 1000000L};

    (void)step;
    nanosleep(&time, NULL);
}

static uint64_t slow_legs(const OsspiStatistics *statistics)
{
    const OsspiHistogram *run_time = &statistics->calls[OsspiCallInitializeContext].run_time;
    uint64_t slow = 0;

    for (int i = 0; i < OSSPI_HISTOGRAM_BUCKETS; i++)
        slow += (UINT64_C(1) << i) > 1000 * SLOW_MS ? run_time->bucket[i] : 0;
    return slow;
}

/* Quick calls that wait behind others, and one that takes long: few of them are timed exactly, but
 * which these are is another with every round. */
static void slow_calls_are_counted_as_slow(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call calls[QUICK + 1];
    OsspiStatistics before;

    (void)state;
    for (uint32_t i = 0; i <= QUICK; i++)
        async_call_init(&calls[i]);
    calls[QUICK].step.inside = take_time;
    for (uint64_t round = 1; round <= 8; round++) {
        struct async_crowd crowd;
        OsspiStatistics after;

        before = async_statistics();
        async_occupy(&crowd);
        for (uint32_t i = 0; i <= QUICK; i++)
            assert_int_equal(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
        async_vacate(&crowd);
        for (uint32_t i = 0; i <= QUICK; i++) {
            test_counter_await(&calls[i].notified, round);
            assert_int_equal(async_status(&calls[i]), SEC_I_CONTINUE_NEEDED);
            async_drop_context(&calls[i].own.context);
        }
        after = async_statistics();
        assert_true(slow_legs(&after) > slow_legs(&before));
        assert_int_equal(after.calls[OsspiCallInitializeContext].run_time.count -
                             before.calls[OsspiCallInitializeContext].run_time.count,
                         QUICK + 1 + ASYNC_WORKERS);
    }
    for (uint32_t i = 0; i <= QUICK; i++)
        async_call_clear(&calls[i]);
    async_drop_credential(&credential);
}

/* ---- trace ---- */

enum { MOST_RECORDS = 64 };

static struct {
    pthread_mutex_t lock;
    uint64_t call_id; /* whose events are kept; guarded by lock, with the two below */
    uint32_t count;
    OsspiTraceRecord records[MOST_RECORDS];
} story = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep_record(const OsspiTraceRecord *record, void *data)
{
    TEST_REQUIRE(data == &story);
    TEST_REQUIRE_EQUAL(record->cbSize, sizeof(*record));
    TEST_REQUIRE_EQUAL(record->thread_id, test_thread_id());
    pthread_mutex_lock(&story.lock);
    if (record->call_id == story.call_id && story.count < MOST_RECORDS)
        story.records[story.count++] = *record;
    pthread_mutex_unlock(&story.lock);
}

static void begin_story(const struct async_call *call)
{
    pthread_mutex_lock(&story.lock);
    story.call_id = (uint64_t)(uintptr_t)call->async;
    story.count = 0;
    pthread_mutex_unlock(&story.lock);
    TEST_REQUIRE_EQUAL(OsspiSetTrace(keep_record, &story), SEC_E_OK);
}

static bool callback_returned(void *data)
{
    bool returned = false;

    (void)data;
    pthread_mutex_lock(&story.lock);
    for (uint32_t i = 0; i < story.count; i++)
        returned = returned || story.records[i].event == OsspiTraceCallbackReturned;
    pthread_mutex_unlock(&story.lock);
    return returned;
}

static void require_story(const OsspiTraceEvent *events, uint32_t count, OsspiCallKind kind,
                          SECURITY_STATUS status)
{
    TEST_REQUIRE_EQUAL(OsspiSetTrace(NULL, NULL), SEC_E_OK);
    pthread_mutex_lock(&story.lock);
    TEST_REQUIRE_EQUAL(story.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const OsspiTraceRecord *record = &story.records[i];
        bool is_end = record->event == OsspiTraceCompleted ||
                      record->event == OsspiTraceCancelled || record->event == OsspiTraceTimedOut ||
                      record->event == OsspiTraceRefused;

        TEST_REQUIRE_EQUAL(record->event, events[i]);
        TEST_REQUIRE_EQUAL(record->kind, kind);
        TEST_REQUIRE(i == 0 || record->time_ns >= story.records[i - 1].time_ns);
        TEST_REQUIRE(record->time_ns <= osspi_now_ns());
        TEST_REQUIRE_EQUAL(record->status, is_end ? status : SEC_I_ASYNC_CALL_PENDING);
    }
    pthread_mutex_unlock(&story.lock);
}

#define REQUIRE_STORY(kind, status, ...) \
    require_story((const OsspiTraceEvent[]){__VA_ARGS__}, \
                  sizeof((const OsspiTraceEvent[]){__VA_ARGS__}) / sizeof(OsspiTraceEvent), kind, \
                  status)

static void trace_tells_a_call_from_queue_to_callback(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CredHandle credential = async_credential(async_lanes[i], "trace");
        struct async_call call;

        async_call_init(&call);
        begin_story(&call);
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        async_await(&call);
        test_poll(callback_returned, NULL);
        REQUIRE_STORY(OsspiCallInitializeContext, SEC_I_CONTINUE_NEEDED, OsspiTraceQueued,
                      OsspiTraceStarted, OsspiTraceCompleted, OsspiTraceCallbackStarted,
                      OsspiTraceCallbackReturned);
        async_drop_context(&call.own.context);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

static void trace_tells_of_a_leg_that_changes_lanes(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, "trace");
    struct async_call call;

    (void)state;
    async_call_init(&call);
    call.step.want_blocking = true;
    begin_story(&call);
    assert_int_equal(async_accept(&call, &credential, NULL), SEC_E_OK);
    async_await(&call);
    test_poll(callback_returned, NULL);
    REQUIRE_STORY(OsspiCallAcceptContext, SEC_I_CONTINUE_NEEDED, OsspiTraceQueued,
                  OsspiTraceStarted, OsspiTraceStarted, OsspiTraceCompleted,
                  OsspiTraceCallbackStarted, OsspiTraceCallbackReturned);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

/* Cancelled and TimedOut stand before Completed, which every call has. */
static void trace_tells_of_stopped_calls(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct async_crowd crowd;
        CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
        struct async_call call;

        async_call_init(&call);
        assert_int_equal(OsspiSetAsyncTimeout(call.async, i * 5), SEC_E_OK);
        async_occupy(&crowd);
        begin_story(&call);
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        if (i == 0)
            assert_int_equal(API(OsspiCancelAsyncCall(call.async)), SEC_E_OK);
        while (async_status(&call) == SEC_I_ASYNC_CALL_PENDING)
            ;
        async_vacate(&crowd);
        test_poll(callback_returned, NULL);
        REQUIRE_STORY(OsspiCallInitializeContext, i == 0 ? ASYNC_CANCELLED : ASYNC_TIMEOUT,
                      OsspiTraceQueued, i == 0 ? OsspiTraceCancelled : OsspiTraceTimedOut,
                      OsspiTraceCompleted, OsspiTraceCallbackStarted, OsspiTraceCallbackReturned);
        async_await(&call);
        async_call_clear(&call);
        async_drop_credential(&credential);
    }
}

static void trace_tells_of_calls_without_callback_and_of_frees(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    (void)state;
    async_call_init_silent(&call);
    begin_story(&call);
    assert_int_equal(async_free_credential(&call, &credential), SEC_E_OK);
    assert_int_equal(API(OsspiWaitAsyncCall(call.async, OSSPI_INFINITE)), SEC_E_OK);
    REQUIRE_STORY(OsspiCallFreeCredentials, SEC_E_OK, OsspiTraceQueued, OsspiTraceStarted,
                  OsspiTraceCompleted);
    async_call_clear(&call);
}

static void trace_tells_of_refused_calls(void **state)
{
    OsspiCompletionQueue *queue;
    struct async_call call;

    (void)state;
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    async_call_init(&call);
    assert_int_equal(OsspiSetCompletionQueue(call.async, queue), SEC_E_OK);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
    begin_story(&call);
    assert_int_equal(async_acquire(&call, NULL), SEC_E_INVALID_HANDLE);
    REQUIRE_STORY(OsspiCallAcquireCredentials, SEC_E_INVALID_HANDLE, OsspiTraceRefused);
    async_call_clear(&call);
}

/* ---- the trace is switched while calls run ---- */

static _Atomic uint64_t traced[2];

static void count_first(const OsspiTraceRecord *record, void *data)
{
    (void)record;
    TEST_REQUIRE(data == &traced[0]);
    atomic_fetch_add(&traced[0], 1);
}

static void count_second(const OsspiTraceRecord *record, void *data)
{
    (void)record;
    TEST_REQUIRE(data == &traced[1]); /* function and data belong together */
    atomic_fetch_add(&traced[1], 1);
}

static void *switch_trace(void *data)
{
    atomic_bool *stop = data;

    for (uint32_t i = 0; !atomic_load(stop) && i < 2000; i++) {
        SECURITY_STATUS status = i % 3 == 0   ? OsspiSetTrace(NULL, NULL)
                                 : i % 3 == 1 ? OsspiSetTrace(count_first, &traced[0])
                                              : OsspiSetTrace(count_second, &traced[1]);

        TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    }
    return NULL;
}

static void trace_can_be_switched_while_calls_run(void **state)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    atomic_bool stop = false;
    pthread_t thread = test_thread_start(switch_trace, &stop);
    struct async_call call;

    (void)state;
    async_call_init(&call);
    for (uint32_t i = 1; i <= TEST_ROUNDS(5000); i++) {
        assert_int_equal(async_leg(&call, &credential, NULL), SEC_E_OK);
        test_counter_await(&call.notified, i);
        async_drop_context(&call.own.context);
    }
    atomic_store(&stop, true);
    test_thread_join(thread);
    assert_int_equal(OsspiSetTrace(NULL, NULL), SEC_E_OK);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_check_their_argument),
        cmocka_unit_test(statistics_fill_a_shorter_structure_as_far_as_it_goes),
        cmocka_unit_test(statistics_count_calls_by_kind),
        cmocka_unit_test(statistics_tell_what_is_there_now),
        cmocka_unit_test(statistics_count_refused_and_stopped_calls),
        cmocka_unit_test(statistics_can_be_read_while_everything_runs),
        cmocka_unit_test(slow_calls_are_counted_as_slow),
        cmocka_unit_test(trace_tells_a_call_from_queue_to_callback),
        cmocka_unit_test(trace_tells_of_a_leg_that_changes_lanes),
        cmocka_unit_test(trace_tells_of_stopped_calls),
        cmocka_unit_test(trace_tells_of_calls_without_callback_and_of_frees),
        cmocka_unit_test(trace_tells_of_refused_calls),
        cmocka_unit_test(trace_can_be_switched_while_calls_run),
    };

    test_watchdog(60);
    async_setup();
    return cmocka_run_group_tests_name("async.statistics", tests, NULL, async_teardown);
}
