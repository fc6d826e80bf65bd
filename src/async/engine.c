/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The engine of the process: made at the first asynchronous call, anew in a forked child, closed by
 * OsspiShutdown or by the exit of the process.
 */
#include "async/engine.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "core/exit.h"
#include "core/object.h"

_Thread_local uint32_t osspi_callback_depth; /* each thread its own */

/* Guards the making of an engine. */
static struct osspi_lock making;
/* Set under `making`, read by anybody; an engine is never freed. */
static _Atomic(struct osspi_engine *) current;

struct osspi_engine *osspi_engine_peek(void)
{
    struct osspi_engine *engine = atomic_load_explicit(&current, memory_order_acquire);

    return engine && engine->epoch == osspi_fork_epoch() ? engine : NULL;
}

static struct osspi_engine *make_engine(struct osspi_engine *parents)
{
    const struct osspi_settings *settings = osspi_settings();
    struct osspi_engine *engine = osspi_alloc(sizeof(*engine));

    if (!engine)
        return NULL;
    /* Twice the bound leaves room for stale tickets. */
    if (!osspi_ring_init(&engine->ring, 2 * settings->queue_bound)) {
        osspi_free(engine);
        return NULL;
    }
    engine->epoch = osspi_fork_epoch();
    engine->abandoned = parents;
    engine->worker_target = settings->workers;
    engine->bound = settings->queue_bound;
    atomic_init(&engine->witness, (int32_t)getpid());
    atomic_init(&engine->identity, (uint32_t)setfsuid((uid_t)-1) ^ UINT32_MAX);
    return engine;
}

struct osspi_engine *osspi_engine_get(void)
{
    struct osspi_engine *engine = osspi_engine_peek();

    if (engine)
        return engine;
    osspi_exit_arm();
    OSSPI_LOCKED(&making);
    engine = osspi_engine_peek();
    if (engine)
        return engine;
    engine = make_engine(atomic_load_explicit(&current, memory_order_relaxed));
    if (engine)
        atomic_store_explicit(&current, engine, memory_order_release);
    return engine;
}

/* ---- threads ---- */

/* The file system uid of a thread of ours, from the kernel's own account of it. */
static bool witness_fsuid(const struct osspi_engine *engine, uint32_t *ret_uid)
{
    char path[64];
    char line[128];
    FILE *file;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)atomic_load(&engine->witness));
    file = fopen(path, "re");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file))
        found = sscanf(line, "Uid: %*u %*u %*u %u", ret_uid) == 1;
    fclose(file);
    return found;
}

/*
 * Does the calling thread act as the process does? Workers have the process's identity, so a thread
 * that took another one for itself must not get the process's credentials by going through them.
 * The usual answer costs one system call; only a difference makes us ask a worker's identity.
 */
bool osspi_engine_thread_is_process(struct osspi_engine *engine)
{
    uint32_t mine = (uint32_t)setfsuid((uid_t)-1);
    uint32_t worker;

    if (mine == atomic_load_explicit(&engine->identity, memory_order_relaxed))
        return true;
    if (!witness_fsuid(engine, &worker))
        return mine == (uint32_t)geteuid();
    atomic_store_explicit(&engine->identity, worker, memory_order_relaxed);
    return mine == worker;
}

bool osspi_engine_thread(struct osspi_engine *engine, void *(*main)(void *))
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    bool started;

    if (!osspi_engine_thread_is_process(engine) || pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, osspi_settings()->stack_size);
    /* A new thread inherits the mask: the process's signals are none of ours. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_fetch_add(&engine->all_threads, 1);
    started = pthread_create(&thread, &attributes, main, engine) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!started)
        osspi_engine_thread_ends(engine);
    return started;
}

void osspi_engine_thread_begins(const char *name)
{
    pthread_setname_np(pthread_self(), name);
}

void osspi_engine_thread_ends(struct osspi_engine *engine)
{
    if (atomic_fetch_sub(&engine->all_threads, 1) == 1)
        osspi_futex_wake(&engine->all_threads, INT_MAX);
}

void osspi_engine_park_if_exiting(struct osspi_engine *engine)
{
    if (__builtin_expect(atomic_load(&engine->phase) != OSSPI_ENGINE_EXITING, 1))
        return;
    if (engine->epoch != osspi_fork_epoch())
        return;
    for (;;)
        pause();
}

/* ---- the end ---- */

static void wake_everybody(struct osspi_engine *engine)
{
    osspi_executor_wake_all(engine);
    atomic_fetch_add(&engine->blocking.wake, 1);
    osspi_futex_wake(&engine->blocking.wake, INT_MAX);
    atomic_fetch_add(&engine->timer_wake, 1);
    osspi_futex_wake(&engine->timer_wake, INT_MAX);
}

void osspi_engine_pending_add(struct osspi_engine *engine)
{
    atomic_fetch_add(&engine->pending, 1);
}

void osspi_engine_pending_done(struct osspi_engine *engine)
{
    if (!engine || atomic_fetch_sub(&engine->pending, 1) != 1 ||
        atomic_load(&engine->phase) == OSSPI_ENGINE_OPEN)
        return;
    osspi_futex_wake(&engine->pending, INT_MAX);
    wake_everybody(engine);
}

/* Waits until the word is 0 or the deadline has passed; true: it is 0. */
static bool wait_for_zero(_Atomic uint32_t *word, uint64_t deadline_ns)
{
    for (;;) {
        uint32_t left = atomic_load(word);

        if (left == 0)
            return true;
        /* Intermediate values are not signalled: look again now and then. */
        uint64_t step_ns = osspi_now_ns() + UINT64_C(10000000);

        if (osspi_now_ns() >= deadline_ns)
            return false;
        osspi_futex_wait(word, left, step_ns < deadline_ns ? step_ns : deadline_ns);
    }
}

static void stop_call(struct osspi_slot *slot, void *data)
{
    struct osspi_call *call = osspi_call_of_slot(slot);

    (void)osspi_call_stop(data, call, osspi_call_word(call).attempt,
                          HRESULT_FROM_WIN32(ERROR_CANCELLED));
}

SECURITY_STATUS osspi_engine_shutdown(ULONG timeout_ms)
{
    struct osspi_engine *engine = osspi_engine_get();
    uint64_t deadline_ns = osspi_deadline_ns(timeout_ms);
    uint32_t expected = OSSPI_ENGINE_OPEN;
    bool in_time;

    if (osspi_callback_depth > 0)
        return SEC_E_INVALID_PARAMETER;
    if (!engine)
        return SEC_E_OK;
    /* The process ends already: the threads are parked, nothing can be waited for. */
    if (!atomic_compare_exchange_strong(&engine->phase, &expected, OSSPI_ENGINE_CLOSING) &&
        expected == OSSPI_ENGINE_EXITING)
        return atomic_load(&engine->pending) == 0 ? SEC_E_OK : HRESULT_FROM_WIN32(ERROR_TIMEOUT);
    in_time = wait_for_zero(&engine->pending, deadline_ns);
    if (!in_time)
        osspi_table_visit(&osspi_calls, stop_call, engine);
    /* What was stopped still has callbacks to run, what computes ends by itself; a callback that
     * does not return, or a completion queue that nobody drains, is not waited for any longer. */
    if (!in_time)
        (void)wait_for_zero(&engine->pending, osspi_deadline_ns(OSSPI_EXIT_WAIT_MS));
    wake_everybody(engine);
    if (in_time)
        in_time =
            wait_for_zero(&engine->all_threads, deadline_ns) || atomic_load(&engine->pending) == 0;
    return in_time ? SEC_E_OK : HRESULT_FROM_WIN32(ERROR_TIMEOUT);
}

#ifdef OSSPI_LEAK_REPORT
/* For those who look for what they forgot to free; a build that is shipped says nothing. */
static void report_leaks(void)
{
    const uint32_t counts[] = {osspi_credential_live(), osspi_context_live(),
                               osspi_table_live(&osspi_calls), osspi_completion_live()};

    if (counts[0] + counts[1] + counts[2] + counts[3] == 0)
        return;
    fprintf(stderr,
            "opensspi: not freed at exit: %u credentials, %u security contexts, "
            "%u async contexts, %u completion queues\n",
            counts[0], counts[1], counts[2], counts[3]);
}
#else
static void report_leaks(void)
{
}
#endif

/* The process ends: no intake, a moment for what computes, nothing for what waits. */
static void end_with_process(void)
{
    struct osspi_engine *engine = osspi_engine_peek();

    if (!engine)
        return;
    atomic_store(&engine->phase, OSSPI_ENGINE_EXITING);
    (void)wait_for_zero(&engine->in_work, osspi_deadline_ns(OSSPI_EXIT_WAIT_MS));
    report_leaks();
}

__attribute__((constructor)) static void watch_exit(void)
{
    osspi_exit_set_hook(end_with_process);
}
