/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OsspiConfigure: versions and ranges, before and after first use, and that what was set is so.
 * Each case is a process of its own: this program runs itself with the case's name.
 */
#include "async/async_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define BUSY HRESULT_FROM_WIN32(ERROR_BUSY)

static void run_one_leg(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call call;

    async_call_init(&call);
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, NULL), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_drop_context(&call.own.context);
    async_call_clear(&call);
    async_drop_credential(&credential);
}

static OsspiOptions good(void)
{
    return (OsspiOptions){.cbSize = sizeof(OsspiOptions)};
}

static void case_versions(void)
{
    struct {
        OsspiOptions options;
        char more[64];
    } larger = {.options = good()};
    OsspiOptions options = good();

    TEST_REQUIRE_EQUAL(OsspiConfigure(NULL), SEC_E_INVALID_PARAMETER);
    for (ULONG size = 0; size < sizeof(options); size++) {
        options.cbSize = size;
        TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    }
    /* From a newer header than this library knows. */
    larger.options.cbSize = sizeof(larger);
    TEST_REQUIRE_EQUAL(OsspiConfigure(&larger.options), SEC_E_INVALID_PARAMETER);
    larger.options.cbSize = UINT32_MAX;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&larger.options), SEC_E_INVALID_PARAMETER);
    options.cbSize = sizeof(options);
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    run_one_leg();
}

static void case_ranges(void)
{
    OsspiOptions options;

    options = good(), options.workers = UINT32_MAX;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    options = good(), options.max_blocking_threads = UINT32_MAX;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    options = good(), options.max_blocking_per_class = UINT32_MAX;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    options = good(), options.queue_bound = UINT32_MAX;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    options = good(), options.stack_size = 1;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    options = good(), options.stack_size = UINT32_MAX;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_INVALID_PARAMETER);
    run_one_leg();
}

static void require_busy(void)
{
    OsspiOptions options = good();

    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), BUSY);
    options.cbSize = 1;
    TEST_REQUIRE(OsspiConfigure(&options) < 0);
}

static void case_after_async_use(void)
{
    run_one_leg();
    require_busy();
    run_one_leg();
}

static void case_after_sync_use(void)
{
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);

    require_busy();
    async_drop_credential(&credential);
}

static void case_after_a_queue(void)
{
    OsspiCompletionQueue *queue;

    TEST_REQUIRE_EQUAL(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    require_busy();
    TEST_REQUIRE_EQUAL(OsspiCloseCompletionQueue(queue), SEC_E_OK);
}

static void require_stack(struct mock_step *step)
{
    pthread_attr_t attributes;
    void *stack;
    size_t size = 0;

    TEST_REQUIRE_EQUAL(pthread_getattr_np(pthread_self(), &attributes), 0);
    TEST_REQUIRE_EQUAL(pthread_attr_getstack(&attributes, &stack, &size), 0);
    TEST_REQUIRE(size >= *(size_t *)step->data && size < *(size_t *)step->data + 1024 * 1024);
    pthread_attr_destroy(&attributes);
}

/* So many legs at a time and not one more, on threads with such a stack (0: any). */
static void require_workers(uint32_t workers, size_t stack_size)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle credential = async_credential(OSSPI_LANE_CPU, NULL);
    struct async_call calls[8];

    for (uint32_t i = 0; i < 8; i++) {
        async_call_init(&calls[i]);
        calls[i].step.gate = &gate;
        calls[i].step.inside = stack_size > 0 ? require_stack : NULL;
        calls[i].step.data = &stack_size;
        TEST_REQUIRE_EQUAL(async_leg(&calls[i], &credential, NULL), SEC_E_OK);
    }
    test_gate_await(&gate, workers);
    TEST_REQUIRE_EQUAL(async_statistics().workers, workers);
    TEST_REQUIRE_EQUAL(async_statistics().queue_depth, 8 - workers);
    TEST_REQUIRE_EQUAL(test_gate_entered(&gate), workers);
    test_gate_open(&gate);
    for (uint32_t i = 0; i < 8; i++) {
        TEST_REQUIRE_EQUAL(async_await(&calls[i]), SEC_I_CONTINUE_NEEDED);
        async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_drop_credential(&credential);
}

/* Setting again before first use replaces everything, and strings are copied. */
static void case_twice(void)
{
    OsspiOptions options = good();
    char path[] = "/nonexistent/trust.pem";

    options.workers = 7;
    options.trust_file = path;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    memset(path, 'x', sizeof(path));
    memset(&options, 0xA5, sizeof(options));
    options = good();
    options.workers = 1;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    require_workers(1, 0);
}

static void case_workers_and_stack(void)
{
    OsspiOptions options = good();

    options.workers = 5;
    options.stack_size = 3 * 1024 * 1024;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    require_workers(5, 3 * 1024 * 1024);
}

static void case_defaults(void)
{
    run_one_leg();
    TEST_REQUIRE(async_statistics().workers >= 1);
    require_busy();
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"versions", case_versions},
    {"ranges", case_ranges},
    {"after_async_use", case_after_async_use},
    {"after_sync_use", case_after_sync_use},
    {"after_a_queue", case_after_a_queue},
    {"twice", case_twice},
    {"workers_and_stack", case_workers_and_stack},
    {"defaults", case_defaults},
};

static int run_case(const char *name)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++) {
        if (strcmp(cases[i].name, name) != 0)
            continue;
        mock_register();
        cases[i].run();
        async_require_clean();
        return 0;
    }
    return 125;
}

static void require_case(const char *name)
{
    int result = async_run_self(name);

    if (result != 0)
        fail_msg("case %s: exit status %d", name, result);
}

static void configure_holds_in_every_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(cases); i++)
        require_case(cases[i].name);
}

/* Workers are made one by one while the first calls come in; each call must find one. */
static void configured_workers_come_in_every_cold_start(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(60); i++)
        require_case(i % 2 ? "workers_and_stack" : "twice");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(configure_holds_in_every_case),
        cmocka_unit_test(configured_workers_come_in_every_cold_start),
    };

    test_watchdog(60);
    if (argc > 1)
        return run_case(argv[1]);
    return cmocka_run_group_tests_name("async.configure", tests, NULL, NULL);
}
