/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Calls that hang; see hanging_calls.h. Callbacks run on the library's workers; what they share
 * with the main thread is said at each field.
 */
#include "hanging_calls.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <opensspi.h>

#include "common.h"
#include "hanging_ground.h"

#define TIMED_OUT HRESULT_FROM_WIN32(ERROR_TIMEOUT)
#define CANCELLED HRESULT_FROM_WIN32(ERROR_CANCELLED)

struct call {
    struct hanging *hanging;
    SspiAsyncContext *async;
    CtxtHandle context;
    SecBuffer buffer;
    SecBufferDesc out;
    ULONG attributes;
    int64_t begin_ns; /* written before the call */
    double late_ms;   /* written by its one callback */
    atomic_bool done; /* the callback's last write */
};

struct hanging {
    CredHandle credential;
    unsigned count, timeout_ms; /* written while no call is open */
    atomic_bool closing;        /* a cancelled call is expected */
    atomic_uint open;           /* calls whose callback is to come */
    struct call calls[HANGING_CALLS];
};

/* --- A call --- */

static void queue(struct call *call)
{
    static char target[] = GROUND_HANGING;
    SECURITY_STATUS status;

    SecInvalidateHandle(&call->context);
    call->buffer = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    call->out = (SecBufferDesc){SECBUFFER_VERSION, 1, &call->buffer};
    SspiReinitAsyncContext(call->async);
    call->begin_ns = bench_now_ns();
    status = SspiInitializeSecurityContextAsyncA(
        call->async, &call->hanging->credential, NULL, target,
        ISC_REQ_MUTUAL_AUTH | ISC_REQ_ALLOCATE_MEMORY, 0, 0, NULL, 0, &call->context, &call->out,
        &call->attributes, NULL);
    if (status != SEC_E_OK)
        bench_die("a call was refused: %s", OsspiStatusName(status));
}

/* Without a deadline the library gives an exchange up by itself after a while. */
static bool ended_by_itself(SECURITY_STATUS status)
{
    return status == SEC_E_NO_AUTHENTICATING_AUTHORITY;
}

static void on_done(SspiAsyncContext *async, void *data)
{
    struct call *call = data;
    struct hanging *hanging = call->hanging;
    const SECURITY_STATUS status = SspiGetAsyncCallStatus(async);
    const bool closing = atomic_load(&hanging->closing);

    call->late_ms = (double)(bench_now_ns() - call->begin_ns) / 1e6 - hanging->timeout_ms;
    if (hanging->timeout_ms == 0 && !closing && ended_by_itself(status)) {
        queue(call);
        return;
    }
    if (status != (hanging->timeout_ms > 0 ? TIMED_OUT : CANCELLED) &&
        !(closing && ended_by_itself(status)))
        bench_die("a call that hangs ended with %s", OsspiStatusName(status));
    if (atomic_exchange(&call->done, true))
        bench_die("a callback came twice");
    atomic_fetch_sub(&hanging->open, 1);
}

/* --- All of them --- */

struct hanging *hanging_open(void)
{
    static unsigned char user[] = "nobody", domain[] = GROUND_SILENT, password[] = "secret";
    static char package[] = "Kerberos";
    struct hanging *hanging = calloc(1, sizeof(*hanging));
    SEC_WINNT_AUTH_IDENTITY_A identity = {.User = user,
                                          .UserLength = sizeof(user) - 1,
                                          .Domain = domain,
                                          .DomainLength = sizeof(domain) - 1,
                                          .Password = password,
                                          .PasswordLength = sizeof(password) - 1,
                                          .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI};

    if (!hanging)
        bench_die("out of memory");
    if (AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_OUTBOUND, NULL, &identity, NULL, NULL,
                                  &hanging->credential, NULL) != SEC_E_OK)
        bench_die("no credential for " GROUND_SILENT);
    for (unsigned i = 0; i < HANGING_CALLS; i++) {
        struct call *call = &hanging->calls[i];

        call->hanging = hanging;
        call->async = SspiCreateAsyncContext();
        if (SspiSetAsyncNotifyCallback(call->async, on_done, call) != SEC_E_OK)
            bench_die("no async context");
    }
    return hanging;
}

void hanging_start(struct hanging *hanging, unsigned count, unsigned timeout_ms)
{
    ground_silent_drain();
    hanging->count = count;
    hanging->timeout_ms = timeout_ms;
    atomic_store(&hanging->closing, false);
    atomic_store(&hanging->open, count);
    for (unsigned i = 0; i < count; i++) {
        struct call *call = &hanging->calls[i];

        atomic_store(&call->done, false);
        if (OsspiSetAsyncTimeout(call->async, timeout_ms) != SEC_E_OK)
            bench_die("no deadline");
        queue(call);
    }
    /* With a deadline the slow might miss it, and nothing depends on who has sent what. */
    if (timeout_ms == 0)
        ground_silent_await(count < GROUND_REQUEST ? count : GROUND_REQUEST);
}

/* Calls that were given up still have their threads for a moment. */
static void await_threads(void)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    do {
        OsspiGetStatistics(&now);
    } while (now.calls_abandoned_running > 0 && usleep(500) == 0);
}

void hanging_cancel(struct hanging *hanging)
{
    atomic_store(&hanging->closing, true);
    while (atomic_load(&hanging->open) > 0) {
        for (unsigned i = 0; i < hanging->count; i++) {
            /* What computes just now refuses, and is asked again. */
            if (!atomic_load(&hanging->calls[i].done))
                (void)OsspiCancelAsyncCall(hanging->calls[i].async);
        }
        usleep(500);
    }
    await_threads();
}

void hanging_await_deadlines(struct hanging *hanging, double ret_delays_ms[HANGING_CALLS])
{
    while (atomic_load(&hanging->open) > 0)
        usleep(500);
    for (unsigned i = 0; i < hanging->count; i++)
        ret_delays_ms[i] = hanging->calls[i].late_ms;
    bench_sort(ret_delays_ms, hanging->count);
    await_threads();
}

/* --- The end of a process --- */

_Noreturn static void child_main(unsigned count, int pipe_in)
{
    struct hanging *hanging;
    int64_t now;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    hanging = hanging_open();
    hanging_start(hanging, count > 0 ? count : 1, 0);
    if (count == 0)
        hanging_cancel(hanging);
    now = bench_now_ns();
    if (write(pipe_in, &now, sizeof(now)) != sizeof(now))
        _exit(1);
    exit(0); /* and not _exit: all handlers run */
}

double hanging_exit_ms(unsigned count)
{
    int64_t begin = 0, end;
    int ends[2], status = 0;
    pid_t child, ended;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        bench_die("no process: %s", strerror(errno));
    if (child == 0)
        child_main(count, ends[1]);
    close(ends[1]);
    ended = waitpid(child, &status, 0);
    end = bench_now_ns();
    if (ended != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
        read(ends[0], &begin, sizeof(begin)) != sizeof(begin))
        bench_die("a process that was to exit failed");
    close(ends[0]);
    return (double)(end - begin) / 1e6;
}
