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
#include "base/foreign.h"
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
    char *memory = osspi_alloc(sizeof(struct osspi_engine) + _Alignof(struct osspi_engine));
    struct osspi_engine *engine;

    if (!memory)
        return NULL;
    engine = (struct osspi_engine *)(void *)(memory + _Alignof(struct osspi_engine) -
                                             (uintptr_t)memory % _Alignof(struct osspi_engine));
    /* Twice the bound leaves room for stale tickets. */
    if (!osspi_rings_init(&engine->rings, settings->workers, 2 * settings->queue_bound)) {
        osspi_free(memory);
        return NULL;
    }
    engine->epoch = osspi_fork_epoch();
    engine->abandoned = parents;
    engine->worker_target = settings->workers;
    engine->bound = settings->queue_bound;
    engine->default_timeout_ms = settings->default_timeout_ms;
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

/* The file system uid of a thread, from the kernel's own account of it. */
static bool fsuid_of_thread(int32_t thread, uint32_t *ret_uid)
{
    char path[64];
    char line[128];
    FILE *file;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)thread);
    file = fopen(path, "re");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file))
        found = sscanf(line, "Uid: %*u %*u %*u %u", ret_uid) == 1;
    fclose(file);
    return found;
}

static uint32_t own_fsuid(void)
{
    uint32_t uid = (uint32_t)setfsuid((uid_t)-1);

    /* Nobody's uid: a sandbox does not even let us ask. The long way, then. */
    if (__builtin_expect(uid == UINT32_MAX, 0) && !fsuid_of_thread((int32_t)gettid(), &uid))
        uid = (uint32_t)geteuid();
    return uid;
}

/* The identity of a worker that lives. Who ends takes its number off its record first, so no other
 * thread that was given the number since can be taken for it. */
static bool fsuid_of_workers(struct osspi_engine *engine, uint32_t *ret_uid)
{
    for (struct osspi_worker *worker = atomic_load(&engine->workers); worker;
         worker = worker->next) {
        int32_t thread = atomic_load(&worker->thread);

        if (thread != 0 && fsuid_of_thread(thread, ret_uid) &&
            atomic_load(&worker->thread) == thread)
            return true;
    }
    return false;
}

/*
 * Does the calling thread act as the process does? Workers have the process's identity, so a thread
 * that took another one for itself must not get the process's credentials by going through them.
 * The usual answer costs one system call; only a difference makes us ask a worker's identity.
 */
bool osspi_engine_thread_is_process(struct osspi_engine *engine)
{
    uint32_t mine = own_fsuid();
    uint32_t worker;

    if (mine == atomic_load_explicit(&engine->identity, memory_order_relaxed))
        return true;
    /* As long as there is no worker the first thread stands for the process. */
    if (!fsuid_of_workers(engine, &worker) && !fsuid_of_thread((int32_t)getpid(), &worker))
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
    osspi_foreign_own_thread();
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

/* ---- calls that wait, and calls that are not done ---- */

uint64_t osspi_engine_accept(struct osspi_engine *engine)
{
    return atomic_fetch_add(&engine->accepted, 1);
}

static uint64_t count_left(struct osspi_engine *engine)
{
    uint64_t sum = atomic_load(&engine->left);

    for (struct osspi_worker *worker = atomic_load(&engine->workers); worker; worker = worker->next)
        sum += atomic_load_explicit(&worker->left, memory_order_acquire);
    return sum;
}

/* Calls that have left never come back (but for osspi_engine_back), so an old count is only too
 * strict; it is looked at anew where it says no. */
bool osspi_engine_has_room(struct osspi_engine *engine, uint64_t before)
{
    uint64_t limit = atomic_load_explicit(&engine->look_again, memory_order_relaxed);

    if (before < limit)
        return true;
    limit = count_left(engine) + engine->bound;
    atomic_store_explicit(&engine->look_again, limit, memory_order_relaxed);
    return before < limit;
}

void osspi_engine_left(struct osspi_engine *engine, struct osspi_worker *self)
{
    if (self)
        osspi_bump(&self->left);
    else
        atomic_fetch_add(&engine->left, 1);
}

void osspi_engine_back(struct osspi_engine *engine)
{
    atomic_fetch_sub(&engine->left, 1);
    atomic_store_explicit(&engine->look_again, 0, memory_order_relaxed);
}

uint64_t osspi_engine_waiting(struct osspi_engine *engine)
{
    uint64_t left = count_left(engine);
    uint64_t accepted = atomic_load(&engine->accepted);

    return accepted > left ? accepted - left : 0;
}

/* What is finished is counted first: the difference is never too small, and 0 only if nothing was
 * pending when `accepted` was read. */
uint64_t osspi_engine_pending(struct osspi_engine *engine)
{
    uint64_t finished = atomic_load(&engine->finished);

    for (struct osspi_worker *worker = atomic_load(&engine->workers); worker; worker = worker->next)
        finished += atomic_load_explicit(&worker->finished, memory_order_acquire);
    return atomic_load(&engine->accepted) - finished;
}

void osspi_engine_work(struct osspi_engine *engine, struct osspi_worker *self, bool begins)
{
    if (self)
        atomic_store_explicit(&self->busy, begins, memory_order_release);
    else if (engine && begins)
        atomic_fetch_add(&engine->in_work, 1);
    else if (engine)
        atomic_fetch_sub(&engine->in_work, 1);
}

static uint64_t count_in_work(struct osspi_engine *engine)
{
    uint64_t sum = atomic_load(&engine->in_work);

    for (struct osspi_worker *worker = atomic_load(&engine->workers); worker; worker = worker->next)
        sum += atomic_load(&worker->busy); /* after `phase` was set; see begin_work() in finish.c */
    return sum;
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

/* For who has just counted a call out. A shutdown that begins at this moment may count the call as
 * pending and miss the wake-up: it looks again now and then, and wakes everybody itself. */
static void note_rest(struct osspi_engine *engine)
{
    if (__builtin_expect(atomic_load(&engine->phase) == OSSPI_ENGINE_OPEN, 1))
        return;
    /* A read-modify-write, so that of two who come at once the second sees what the first counted.
     */
    atomic_fetch_add(&engine->drained, 1);
    if (osspi_engine_pending(engine) != 0)
        return;
    osspi_futex_wake(&engine->drained, INT_MAX);
    wake_everybody(engine);
}

/* Threads that looked meanwhile have taken the call for one that is pending, and sleep. */
void osspi_engine_refuse(struct osspi_engine *engine)
{
    atomic_fetch_sub(&engine->accepted, 1);
    note_rest(engine);
}

/* A worker that comes back from a callback in a forked child is none of the child's engine. */
void osspi_engine_finished(struct osspi_engine *engine, struct osspi_worker *self, uint64_t calls)
{
    if (!engine || engine->epoch != osspi_fork_epoch())
        return;
    if (self)
        osspi_add(&self->finished, calls);
    else
        atomic_fetch_add(&engine->finished, calls);
    note_rest(engine);
}

static uint64_t count_threads(struct osspi_engine *engine)
{
    return atomic_load(&engine->all_threads);
}

/* Waits until the count is 0 or the deadline has passed; true: it is 0. `word` may move when it
 * gets there, but not always: it is looked at now and then. */
static bool wait_for_zero(struct osspi_engine *engine, uint64_t (*count)(struct osspi_engine *),
                          _Atomic uint32_t *word, uint64_t deadline_ns)
{
    for (;;) {
        uint32_t seen = atomic_load(word);

        if (count(engine) == 0)
            return true;
        uint64_t step_ns = osspi_now_ns() + UINT64_C(10000000);

        if (osspi_now_ns() >= deadline_ns)
            return false;
        osspi_futex_wait(word, seen, step_ns < deadline_ns ? step_ns : deadline_ns);
    }
}

static bool wait_for_calls(struct osspi_engine *engine, uint64_t deadline_ns)
{
    return wait_for_zero(engine, osspi_engine_pending, &engine->drained, deadline_ns);
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
        return osspi_engine_pending(engine) == 0 ? SEC_E_OK : HRESULT_FROM_WIN32(ERROR_TIMEOUT);
    in_time = wait_for_calls(engine, deadline_ns);
    if (!in_time)
        osspi_table_visit(&osspi_calls, stop_call, engine);
    /* What was stopped still has callbacks to run, what computes ends by itself; a callback that
     * does not return, or a completion queue that nobody drains, is not waited for any longer. */
    if (!in_time)
        (void)wait_for_calls(engine, osspi_deadline_ns(OSSPI_EXIT_WAIT_MS));
    wake_everybody(engine);
    if (in_time)
        in_time = wait_for_zero(engine, count_threads, &engine->all_threads, deadline_ns) ||
                  osspi_engine_pending(engine) == 0;
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

/* The process ends: no intake, a moment for what computes, nothing for what waits. Who is inside a
 * device's module or another library, and does not hang there, has that moment too: they are about
 * to end. A thread that comes back to them later stays outside. */
static void end_with_process(void)
{
    struct osspi_engine *engine = osspi_engine_peek();
    uint64_t deadline_ns = osspi_deadline_ns(OSSPI_EXIT_WAIT_MS);

    if (!engine)
        return;
    atomic_store(&engine->phase, OSSPI_ENGINE_EXITING);
    (void)wait_for_zero(engine, count_in_work, &engine->in_work, deadline_ns);
    (void)osspi_foreign_end(deadline_ns);
    report_leaks();
}

__attribute__((constructor)) static void watch_exit(void)
{
    osspi_exit_set_hook(end_with_process);
}
