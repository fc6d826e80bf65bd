/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One asynchronous call with everything it needs, and what the tests of the engine do over and
 * over: queue a leg of the mock package, wait for its callback, occupy all workers, look at
 * statistics.
 *
 * Every call of the library goes through API(), which marks the thread as being inside a call; the
 * callback of struct async_call ends the test when it runs on a marked thread. Draining a
 * completion queue is not marked, because that is where callbacks may run.
 */
#ifndef OSSPI_TESTS_ASYNC_ASYNC_UTIL_H
#define OSSPI_TESTS_ASYNC_ASYNC_UTIL_H

#include <opensspi.h>
#include <sspi.h>

#include "support/mock_package.h"
#include "support/test_util.h"

#define ASYNC_WORKERS   2u
#define ASYNC_CANCELLED HRESULT_FROM_WIN32(ERROR_CANCELLED)
#define ASYNC_TIMEOUT   HRESULT_FROM_WIN32(ERROR_TIMEOUT)
#define ASYNC_POISON    0xA5

/* For tests that go through both lanes. */
#define ASYNC_LANES 2
extern const enum osspi_lane async_lanes[ASYNC_LANES];

/* Calls of the library that this thread is inside of. */
extern _Thread_local int async_inside_api;

/** Makes a call of the library and gives its result. */
#define API(call) \
    (__extension__({ \
        async_inside_api++; \
        __typeof__(call) api_result_ = (call); \
        async_inside_api--; \
        api_result_; \
    }))
#define API_VOID(call) \
    do { \
        async_inside_api++; \
        (call); \
        async_inside_api--; \
    } while (0)

/** Where a call writes its results; poisoned before it is queued. */
struct async_outputs {
    SecBuffer buffer;
    char bytes[64];
    CtxtHandle context;
    CredHandle credential;
    ULONG attributes;
    TimeStamp expiry;
};

struct async_call {
    SspiAsyncContext *async;
    struct mock_step step;
    struct mock_ticket ticket;
    SecBuffer in_buffer;
    SecBufferDesc in;
    SecBufferDesc out;
    struct async_outputs own;
    struct async_outputs *outputs; /* own, unless a test put another there */

    /* For the callback. */
    struct test_gate *callback_gate;              /* passed in the callback, or NULL */
    void (*in_callback)(struct async_call *call); /* runs behind it, or NULL */
    void *data;                                   /* for in_callback */
    _Atomic int32_t callback_status;              /* that the callback saw */
    _Atomic int32_t callback_thread;
    struct test_counter notified; /* callbacks that are done with this object */
};

/** Once per program: adds the mock package, sets ASYNC_WORKERS workers. */
void async_setup(void);
/** The same with options of the test's own; cbSize is set here. */
void async_setup_with(OsspiOptions options);

/** Waits until nothing is left of all that was made, and checks that nothing bad happened. For the
 * end of a program; a group teardown of cmocka. */
int async_teardown(void **state);
/** The same between tests of one program. */
void async_require_clean(void);

/** Everything empty, an async context with a callback; step answers SEC_I_CONTINUE_NEEDED. */
void async_call_init(struct async_call *call);
/** The same without a callback. */
void async_call_init_silent(struct async_call *call);
/** Frees the async context. */
void async_call_clear(struct async_call *call);
/** The callback of async_call_init(). */
void async_notify(SspiAsyncContext *handle, void *data);

/* Each queues its call and gives the queue status. Outputs are poisoned first. */
SECURITY_STATUS async_leg(struct async_call *call, CredHandle *credential, CtxtHandle *context);
SECURITY_STATUS async_accept(struct async_call *call, CredHandle *credential, CtxtHandle *context);
SECURITY_STATUS async_acquire(struct async_call *call, struct mock_auth *auth);
SECURITY_STATUS async_delete(struct async_call *call, CtxtHandle *context);
SECURITY_STATUS async_free_credential(struct async_call *call, CredHandle *credential);

/** The synchronous twin of async_leg(), with the same orders and outputs. */
SECURITY_STATUS async_leg_now(struct async_call *call, CredHandle *credential, CtxtHandle *context);

/** Puts ASYNC_POISON into the outputs. */
void async_poison(struct async_outputs *outputs);
/** Are the outputs as async_poison() left them? */
bool async_is_poisoned(const struct async_outputs *outputs);

/** Waits for the callback and gives the status it saw. */
SECURITY_STATUS async_await(struct async_call *call);
SECURITY_STATUS async_status(const struct async_call *call);

/** A credential whose legs run on that lane; class_name NULL: none. */
CredHandle async_credential(enum osspi_lane lane, const char *class_name);
/** A context made by a synchronous leg. */
CtxtHandle async_context(CredHandle *credential);
void async_drop_credential(CredHandle *credential);
void async_drop_context(CtxtHandle *context);
struct mock_record async_record(CtxtHandle *context);

/** Makes a context by that credential with an asynchronous leg, and drops it. */
void async_run_leg(CredHandle *credential);
/** Queues a leg that runs up to the gate, and waits until it is there. */
void async_leg_to_gate(struct async_call *call, struct test_gate *gate, CredHandle *credential,
                       CtxtHandle *context);

/** Keeps all workers of the CPU lane in legs that wait at a gate. */
struct async_crowd {
    struct test_gate gate;
    struct async_call calls[ASYNC_WORKERS];
    CredHandle credential;
};

void async_occupy(struct async_crowd *crowd);
void async_vacate(struct async_crowd *crowd);

OsspiStatistics async_statistics(void);
/** Waits until the library counts no abandoned call that still runs. */
void async_await_no_abandoned(void);

/** Runs this program again with one argument and gives its exit status. */
int async_run_self(const char *argument);

#endif
