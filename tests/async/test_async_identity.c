/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A thread that has taken another file system uid than the process does not get the process's
 * credentials by going through a worker, nor does the library act for the process on that thread.
 * The legs of a package that uses nobody's identity (Schannel) are accepted from it, but no thread
 * is started by it. Needs root; skipped otherwise.
 */
#include "async/async_util.h"

#include <schannel.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"

#define OTHER_UID 65534

/* The system call itself: no library may spread it to other threads. */
static void become(uid_t uid)
{
    (void)syscall(SYS_setfsuid, uid);
    TEST_REQUIRE_EQUAL(syscall(SYS_setfsuid, (uid_t)-1), uid);
}

static void run_as_other(void *(*function)(void *), void *data)
{
    test_thread_join(test_thread_start(function, data));
}

static CredHandle credential;
static CtxtHandle context;

static void *queue_as_other(void *data)
{
    struct async_call *call = data;

    become(OTHER_UID);
    TEST_REQUIRE_EQUAL(async_leg(call, &credential, &context), SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(async_status(call), SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(async_accept(call, &credential, NULL), SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(async_acquire(call, NULL), SEC_E_NOT_OWNER);
    /* Its own identity again: its calls are accepted again. */
    become(geteuid());
    TEST_REQUIRE_EQUAL(async_leg(call, &credential, &context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(call), SEC_I_CONTINUE_NEEDED);
    return NULL;
}

static void other_identity_is_refused_at_queue_time(void **state)
{
    struct async_call call;

    (void)state;
    async_call_init(&call);
    run_as_other(queue_as_other, &call);
    assert_int_equal(test_counter_get(&call.notified), 1);
    assert_int_equal(atomic_load(&call.step.entries), 1);
    async_call_clear(&call);
}

static void *delete_as_other(void *data)
{
    struct async_call *call = data;
    CtxtHandle mine = async_context(&credential);

    become(OTHER_UID);
    TEST_REQUIRE_EQUAL(async_delete(call, &mine), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(call), SEC_E_OK);
    return NULL;
}

static void other_identity_may_delete(void **state)
{
    struct async_call call;

    (void)state;
    async_call_init(&call);
    run_as_other(delete_as_other, &call);
    async_call_clear(&call);
}

static void *wait_as_other(void *data)
{
    struct async_call *call = data;

    become(OTHER_UID);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(call->async, 20)), SEC_I_ASYNC_CALL_PENDING);
    TEST_REQUIRE_EQUAL(atomic_load(&call->step.entries), 0);
    return NULL;
}

/* Waiting helps only where the call would be made as the process makes it. */
static void other_identity_does_not_help_when_it_waits(void **state)
{
    struct async_crowd crowd;
    struct async_call call;

    (void)state;
    async_call_init(&call);
    async_occupy(&crowd);
    assert_int_equal(async_leg(&call, &credential, &context), SEC_E_OK);
    run_as_other(wait_as_other, &call);
    async_vacate(&crowd);
    assert_int_equal(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_call_clear(&call);
}

/* ---- a package whose legs use nobody's identity ---- */

struct plain_leg {
    CredHandle credential;
    CtxtHandle context;
    SspiAsyncContext *async;
    SecBuffer token;
    SecBufferDesc out;
    ULONG attributes;
};

static void plain_leg_init(struct plain_leg *leg)
{
    memset(leg, 0, sizeof(*leg));
    leg->async = SspiCreateAsyncContext();
    TEST_REQUIRE(leg->async != NULL);
    leg->token.BufferType = SECBUFFER_TOKEN;
    leg->out = (SecBufferDesc){SECBUFFER_VERSION, 1, &leg->token};
    TEST_REQUIRE_EQUAL(AcquireCredentialsHandleA(NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND, NULL,
                                                 NULL, NULL, NULL, &leg->credential, NULL),
                       SEC_E_OK);
}

static SECURITY_STATUS plain_leg_queue(struct plain_leg *leg)
{
    return API(
        SspiInitializeSecurityContextAsyncA(leg->async, &leg->credential, NULL, "identity.test",
                                            ISC_REQ_STREAM | ISC_REQ_ALLOCATE_MEMORY, 0, 0, NULL, 0,
                                            &leg->context, &leg->out, &leg->attributes, NULL));
}

static void plain_leg_clear(struct plain_leg *leg)
{
    if (leg->token.pvBuffer)
        FreeContextBuffer(leg->token.pvBuffer);
    if (SecIsValidHandle(&leg->context) && leg->context.dwLower != 0)
        DeleteSecurityContext(&leg->context);
    FreeCredentialsHandle(&leg->credential);
    SspiFreeAsyncContext(leg->async);
}

static void *queue_plain_leg_as_other(void *data)
{
    struct plain_leg *leg = data;
    CredHandle refused;

    become(OTHER_UID);
    TEST_REQUIRE_EQUAL(
        API(SspiAcquireCredentialsHandleAsyncA(leg->async, NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND,
                                               NULL, NULL, NULL, NULL, &refused, NULL)),
        SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(plain_leg_queue(leg), SEC_E_OK);
    TEST_REQUIRE_EQUAL(API(OsspiWaitAsyncCall(leg->async, OSSPI_INFINITE)), SEC_I_CONTINUE_NEEDED);
    return NULL;
}

static void legs_that_use_no_identity_are_accepted_from_any_thread(void **state)
{
    struct async_crowd crowd;
    struct plain_leg leg;

    (void)state;
    plain_leg_init(&leg);
    run_as_other(queue_plain_leg_as_other, &leg);
    plain_leg_clear(&leg);
    /* With all workers busy it is the waiting thread that runs the leg. */
    plain_leg_init(&leg);
    async_occupy(&crowd);
    run_as_other(queue_plain_leg_as_other, &leg);
    async_vacate(&crowd);
    plain_leg_clear(&leg);
}

/* ---- threads inherit their maker's identity ---- */

static uint32_t fsuid_of_this_thread(void)
{
    return (uint32_t)syscall(SYS_setfsuid, (uid_t)-1);
}

static void require_own_identity(struct mock_step *step)
{
    (void)step;
    TEST_REQUIRE_EQUAL(fsuid_of_this_thread(), geteuid());
}

static void *leave_turn_as_other(void *data)
{
    struct async_call *call = data;

    become(OTHER_UID);
    TEST_REQUIRE_EQUAL(async_leg_now(call, NULL, &context), SEC_I_CONTINUE_NEEDED);
    return NULL;
}

/* A synchronous leg of another identity hands its turn to a call that needs a new thread of the
 * blocking lane: the thread must be the process's. */
static void threads_made_for_another_identity_are_the_processs(void **state)
{
    struct test_gate gate = TEST_GATE_INIT;
    CredHandle blocking = async_credential(OSSPI_LANE_BLOCKING, "identity");
    struct async_call leg;
    struct async_call calls[20];
    pthread_t thread;

    (void)state;
    async_call_init_silent(&leg);
    leg.step.gate = &gate;
    thread = test_thread_start(leave_turn_as_other, &leg);
    test_gate_await(&gate, 1);
    for (int i = 0; i < 20; i++) {
        async_call_init(&calls[i]);
        calls[i].step.inside = require_own_identity;
        assert_int_equal(async_leg(&calls[i], &blocking, i == 0 ? &context : NULL), SEC_E_OK);
        if (i > 0)
            async_await(&calls[i]);
    }
    test_gate_open(&gate);
    test_thread_join(thread);
    async_await(&calls[0]);
    for (int i = 0; i < 20; i++) {
        if (i > 0)
            async_drop_context(&calls[i].own.context);
        async_call_clear(&calls[i]);
    }
    async_call_clear(&leg);
    async_drop_credential(&blocking);
}

/* ---- cases in a process of their own ---- */

static void *start_as_other(void *data)
{
    struct async_call *call = data;

    become(OTHER_UID);
    TEST_REQUIRE_EQUAL(async_leg(call, &credential, &context), SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(async_statistics().workers, 0);
    return NULL;
}

static void *start_with_plain_leg_as_other(void *data)
{
    become(OTHER_UID);
    TEST_REQUIRE_EQUAL(plain_leg_queue(data), SEC_E_NOT_OWNER);
    TEST_REQUIRE_EQUAL(async_statistics().workers, 0);
    return NULL;
}

static void case_first_plain_leg(void)
{
    struct plain_leg leg;

    plain_leg_init(&leg);
    run_as_other(start_with_plain_leg_as_other, &leg);
    TEST_REQUIRE_EQUAL(plain_leg_queue(&leg), SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiWaitAsyncCall(leg.async, OSSPI_INFINITE), SEC_I_CONTINUE_NEEDED);
    plain_leg_clear(&leg);
}

static void case_first_call(void)
{
    struct async_call call;

    async_call_init(&call);
    call.step.inside = require_own_identity;
    run_as_other(start_as_other, &call);
    TEST_REQUIRE_EQUAL(async_leg(&call, &credential, &context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(async_await(&call), SEC_I_CONTINUE_NEEDED);
    async_call_clear(&call);
}

/* The process as a whole becomes another user: that is no difference between its threads. */
static void case_whole_process(void)
{
    static const uid_t uids[] = {OTHER_UID, 0, OTHER_UID, 0};
    struct async_call call;

    async_call_init(&call);
    for (uint64_t i = 0; i < OSSPI_COUNT_OF(uids); i++) {
        TEST_REQUIRE_EQUAL(async_leg(&call, &credential, &context), SEC_E_OK);
        test_counter_await(&call.notified, 2 * i + 1);
        TEST_REQUIRE_EQUAL(seteuid(uids[i]), 0);
        call.step.inside = require_own_identity;
        TEST_REQUIRE_EQUAL(async_leg(&call, &credential, &context), SEC_E_OK);
        test_counter_await(&call.notified, 2 * i + 2);
        TEST_REQUIRE_EQUAL(async_status(&call), SEC_I_CONTINUE_NEEDED);
    }
    async_call_clear(&call);
}

static int run_case(const char *name)
{
    async_setup();
    credential = async_credential(OSSPI_LANE_CPU, NULL);
    context = async_context(&credential);
    if (strcmp(name, "first_call") == 0)
        case_first_call();
    else if (strcmp(name, "first_plain_leg") == 0)
        case_first_plain_leg();
    else if (strcmp(name, "whole_process") == 0)
        case_whole_process();
    else
        return 125;
    async_drop_context(&context);
    async_drop_credential(&credential);
    async_require_clean();
    return 0;
}

static void first_call_by_another_identity_starts_nothing(void **state)
{
    (void)state;
    assert_int_equal(async_run_self("first_call"), 0);
}

static void first_leg_without_identity_starts_nothing_either(void **state)
{
    (void)state;
    assert_int_equal(async_run_self("first_plain_leg"), 0);
}

static void process_that_changes_as_a_whole_goes_on(void **state)
{
    (void)state;
    assert_int_equal(async_run_self("whole_process"), 0);
}

static int teardown(void **state)
{
    async_drop_context(&context);
    async_drop_credential(&credential);
    return async_teardown(state);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_identity_is_refused_at_queue_time),
        cmocka_unit_test(other_identity_may_delete),
        cmocka_unit_test(other_identity_does_not_help_when_it_waits),
        cmocka_unit_test(legs_that_use_no_identity_are_accepted_from_any_thread),
        cmocka_unit_test(threads_made_for_another_identity_are_the_processs),
        cmocka_unit_test(first_call_by_another_identity_starts_nothing),
        cmocka_unit_test(first_leg_without_identity_starts_nothing_either),
        cmocka_unit_test(process_that_changes_as_a_whole_goes_on),
    };

    if (geteuid() != 0) {
        fprintf(stderr, "skipped: needs root to take another uid\n");
        return 77;
    }
    test_watchdog(argc > 1 ? 20 : 60);
    if (argc > 1)
        return run_case(argv[1]);
    async_setup();
    credential = async_credential(OSSPI_LANE_CPU, NULL);
    context = async_context(&credential);
    return cmocka_run_group_tests_name("async.identity", tests, NULL, teardown);
}
