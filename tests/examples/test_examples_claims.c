/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What docs/reference claims beyond what the other tests hold: one case for each sentence that a
 * reader could build upon. Each case runs in a child, because options and shutdown are the
 * process's.
 */
#include "support/test_util.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <opensspi.h>
#include <schannel.h>

#define BUSY      HRESULT_FROM_WIN32(ERROR_BUSY)
#define CANCELLED HRESULT_FROM_WIN32(ERROR_CANCELLED)

/* In the child: ends with the number of the line that does not hold. */
#define CLAIM(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            _exit(1); \
        } \
    } while (0)

TEST_FORKS_WITH_THREADS;

static char package[] = UNISP_NAME_A;

static void in_child(void (*claim)(void))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        claim();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static SECURITY_STATUS acquire(SspiAsyncContext *call, PCredHandle credential)
{
    return SspiAcquireCredentialsHandleAsyncA(call, NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                              NULL, NULL, credential, NULL);
}

static OsspiStatistics statistics(void)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    CLAIM(OsspiGetStatistics(&now) == SEC_E_OK);
    CLAIM(now.cbSize == sizeof(now) && now.reserved == 0);
    return now;
}

/* ---- options ---- */

static void claim_configure(void)
{
    OsspiOptions options = {.cbSize = sizeof(options)};
    PSecPkgInfoA info;
    PCCERT_CONTEXT cert;
    CredHandle credential;
    SspiAsyncContext *call = SspiCreateAsyncContext();

    CLAIM(QuerySecurityPackageInfoA(package, &info) == SEC_E_OK);
    FreeContextBuffer(info);
    CLAIM(OsspiLoadCertificate("/nowhere", NULL, NULL, &cert) == SEC_E_NO_CREDENTIALS);
    CLAIM(OsspiSetAsyncTimeout(call, 5) == SEC_E_OK);
    CLAIM(OsspiConfigure(&options) == SEC_E_OK); /* none of that was use */
    CLAIM(OsspiConfigure(&options) == SEC_E_OK);
    CLAIM(AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL,
                                    &credential, NULL) == SEC_E_OK);
    CLAIM(OsspiConfigure(&options) == BUSY);
    FreeCredentialsHandle(&credential);
    SspiFreeAsyncContext(call);
    options.cbSize++;
    CLAIM(OsspiConfigure(&options) == SEC_E_INVALID_PARAMETER);
}

static void options_settle_with_the_first_credential(void **state)
{
    (void)state;
    in_child(claim_configure);
}

/* ---- queues ---- */

struct closing {
    OsspiCompletionQueue *queue;
    SECURITY_STATUS closed, queue_set, reused, waited;
};

static void on_done_close(SspiAsyncContext *call, void *data)
{
    struct closing *closing = data;

    closing->queue_set = OsspiSetCompletionQueue(call, NULL);
    closing->waited = OsspiWaitAsyncCall(call, OSSPI_INFINITE);
    closing->closed = OsspiCloseCompletionQueue(closing->queue);
    closing->reused = SspiReinitAsyncContext(call);
}

static void claim_close_in_callback(void)
{
    struct closing closing = {0};
    CredHandle credential;
    SspiAsyncContext *call = SspiCreateAsyncContext();

    CLAIM(OsspiCreateCompletionQueue(&closing.queue) == SEC_E_OK);
    CLAIM(SspiSetAsyncNotifyCallback(call, on_done_close, &closing) == SEC_E_OK);
    CLAIM(OsspiSetCompletionQueue(call, closing.queue) == SEC_E_OK);
    CLAIM(acquire(call, &credential) == SEC_E_OK);
    CLAIM(OsspiWaitAsyncCall(call, OSSPI_INFINITE) == SEC_E_OK);
    /* Complete, but its callback has not begun: */
    CLAIM(OsspiCloseCompletionQueue(closing.queue) == SEC_E_INVALID_PARAMETER);
    CLAIM(OsspiSetCompletionQueue(call, NULL) == SEC_E_INVALID_PARAMETER);
    CLAIM(OsspiCancelAsyncCall(call) == SEC_E_INVALID_PARAMETER);
    CLAIM(SspiReinitAsyncContext(call) == STATUS_DEVICE_BUSY);
    /* Complete is not yet posted: the descriptor tells. */
    struct pollfd item = {.fd = OsspiCompletionQueueFd(closing.queue), .events = POLLIN};
    CLAIM(poll(&item, 1, -1) == 1);
    CLAIM(OsspiDrainCompletions(closing.queue, 0) == 1);
    CLAIM(closing.closed == SEC_E_OK && closing.queue_set == SEC_E_OK);
    CLAIM(closing.reused == STATUS_SUCCESS && closing.waited == SEC_E_OK);
    CLAIM(OsspiCompletionQueueFd(closing.queue) == -1);
    FreeCredentialsHandle(&credential);
    SspiFreeAsyncContext(call);
}

static void claim_closed_queue(void)
{
    OsspiCompletionQueue *queue;
    CredHandle credential;
    struct closing unused;
    SspiAsyncContext *call = SspiCreateAsyncContext();

    CLAIM(OsspiCreateCompletionQueue(&queue) == SEC_E_OK);
    CLAIM(OsspiSetCompletionQueue(call, queue) == SEC_E_OK);
    CLAIM(acquire(call, &credential) == SEC_E_OK); /* without a callback: no entry */
    CLAIM(OsspiWaitAsyncCall(call, OSSPI_INFINITE) == SEC_E_OK);
    CLAIM(OsspiDrainCompletions(queue, 0) == 0);
    CLAIM(OsspiCloseCompletionQueue(queue) == SEC_E_OK);
    CLAIM(SspiSetAsyncNotifyCallback(call, on_done_close, &unused) == SEC_E_OK);
    CLAIM(acquire(call, &credential) == SEC_E_INVALID_HANDLE);
    CLAIM(OsspiSetCompletionQueue(call, queue) == SEC_E_INVALID_HANDLE);
    CLAIM(OsspiSetCompletionQueue(call, NULL) == SEC_E_OK);
    FreeCredentialsHandle(&credential);
    SspiFreeAsyncContext(call);
}

static void the_last_callback_may_close_its_queue(void **state)
{
    (void)state;
    in_child(claim_close_in_callback);
}

static void contexts_do_not_keep_a_queue_open(void **state)
{
    (void)state;
    in_child(claim_closed_queue);
}

/* ---- one call ---- */

static void claim_wait(void)
{
    CredHandle credential;
    SspiAsyncContext *call = SspiCreateAsyncContext();

    CLAIM(OsspiWaitAsyncCall(call, OSSPI_INFINITE) == SEC_I_ASYNC_CALL_PENDING); /* no call */
    CLAIM(OsspiCancelAsyncCall(call) == SEC_E_INVALID_PARAMETER);
    CLAIM(SspiAcquireCredentialsHandleAsyncA(call, NULL, NULL, 0, NULL, NULL, NULL, NULL,
                                             &credential, NULL) == SEC_E_INVALID_PARAMETER);
    CLAIM(SspiGetAsyncCallStatus(call) == SEC_E_INVALID_PARAMETER); /* of the refused attempt */
    CLAIM(acquire(call, &credential) == SEC_E_OK);
    CLAIM(OsspiWaitAsyncCall(call, OSSPI_INFINITE) == SEC_E_OK);
    CLAIM(SspiReinitAsyncContext(call) == STATUS_SUCCESS);
    CLAIM(OsspiWaitAsyncCall(call, OSSPI_INFINITE) == SEC_I_ASYNC_CALL_PENDING);
    SspiFreeAsyncContext(call);
    CLAIM(OsspiWaitAsyncCall(call, 0) == SEC_E_INVALID_HANDLE);
    CLAIM(SspiGetAsyncCallStatus(call) == SEC_I_ASYNC_CALL_PENDING); /* freed, still readable */
    CLAIM(OsspiWaitAsyncCall(NULL, 0) == SEC_E_INVALID_HANDLE);
    CLAIM(SspiSetAsyncNotifyCallback(NULL, NULL, NULL) == SEC_E_INVALID_HANDLE);
    CLAIM(!SspiAsyncContextRequiresNotify(NULL));
    SspiFreeAsyncContext(NULL);
    FreeCredentialsHandle(&credential);
}

static void waiting_without_a_call_returns_at_once(void **state)
{
    (void)state;
    in_child(claim_wait);
}

/* ---- shutdown, fork ---- */

static void claim_shutdown(void)
{
    OsspiCompletionQueue *queue;
    CredHandle credential;
    SspiAsyncContext *call = SspiCreateAsyncContext();
    int status;
    pid_t pid;

    CLAIM(acquire(call, &credential) == SEC_E_OK);
    CLAIM(OsspiShutdown(OSSPI_INFINITE) == SEC_E_OK);
    CLAIM(SspiGetAsyncCallStatus(call) == SEC_E_OK);
    CLAIM(OsspiShutdown(0) == SEC_E_OK);
    CLAIM(OsspiCreateCompletionQueue(&queue) == SEC_E_SHUTDOWN_IN_PROGRESS);
    CLAIM(acquire(call, &credential) == SEC_E_SHUTDOWN_IN_PROGRESS);
    CLAIM(SspiGetAsyncCallStatus(call) == SEC_E_OK); /* refused: the former status stays */
    CLAIM(SspiFreeCredentialsHandleAsync(call, &credential) == SEC_E_OK);
    CLAIM(SspiGetAsyncCallStatus(call) == SEC_E_OK);
    CLAIM(AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL,
                                    &credential, NULL) == SEC_E_OK);
    if (TEST_SANITIZED)
        test_await_quiet(); /* the threads of the engine are at their very end */
    pid = fork();
    if (pid == 0) { /* the child has an engine of its own, and counts from zero */
        CLAIM(statistics().calls_queued == 0 && statistics().live_credentials == 1);
        CLAIM(acquire(call, &credential) == SEC_E_OK);
        CLAIM(OsspiWaitAsyncCall(call, OSSPI_INFINITE) == SEC_E_OK);
        CLAIM(statistics().calls_queued == 1);
        _exit(0);
    }
    CLAIM(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    FreeCredentialsHandle(&credential);
    SspiFreeAsyncContext(call);
}

static void a_shutdown_is_for_good_but_not_for_children(void **state)
{
    (void)state;
    in_child(claim_shutdown);
}

/* ---- statistics, words ---- */

static void claim_statistics(void)
{
    OsspiStatistics now = {.cbSize = 15};
    CredHandle credential;

    CLAIM(OsspiGetStatistics(&now) == SEC_E_INVALID_PARAMETER);
    now.cbSize = 16;
    now.calls_completed = 77;
    CLAIM(OsspiGetStatistics(&now) == SEC_E_OK);
    CLAIM(now.cbSize == 16 && now.calls_completed == 77);
    CLAIM(AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL,
                                    &credential, NULL) == SEC_E_OK);
    CLAIM(statistics().calls_queued == 0 && statistics().live_credentials == 1);
    FreeCredentialsHandle(&credential);
    CLAIM(statistics().live_credentials == 0);
}

static void synchronous_calls_are_not_counted(void **state)
{
    (void)state;
    in_child(claim_statistics);
}

static void statuses_of_all_families_have_names(void **state)
{
    (void)state;
    assert_string_equal(OsspiStatusName(STATUS_DEVICE_BUSY), "STATUS_DEVICE_BUSY");
    assert_string_equal(OsspiStatusName(CRYPT_E_REVOKED), "CRYPT_E_REVOKED");
    assert_non_null(OsspiStatusName(HRESULT_FROM_WIN32(ERROR_TIMEOUT)));
    assert_non_null(OsspiStatusName(CANCELLED));
    assert_null(OsspiStatusName(ERROR_TIMEOUT)); /* not wrapped */
    assert_non_null(OsspiStatusText(ERROR_TIMEOUT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_settle_with_the_first_credential),
        cmocka_unit_test(the_last_callback_may_close_its_queue),
        cmocka_unit_test(contexts_do_not_keep_a_queue_open),
        cmocka_unit_test(waiting_without_a_call_returns_at_once),
        cmocka_unit_test(a_shutdown_is_for_good_but_not_for_children),
        cmocka_unit_test(synchronous_calls_are_not_counted),
        cmocka_unit_test(statuses_of_all_families_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
