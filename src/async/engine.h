/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The engine's own structures, for the files of src/async only.
 *
 * There is one engine per process. A forked child makes a new one; the parent's is left alone,
 * because its locks, threads and lists are of a moment that the child cannot know.
 *
 * Lock order: a turn's lock, then urgent_lock, timer_lock, blocking.lock or a completion queue's
 * lock; no two of the latter are held together.
 */
#ifndef OSSPI_ASYNC_ENGINE_H
#define OSSPI_ASYNC_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "async/call.h"
#include "async/rings.h"
#include "base/lock.h"
#include "base/table.h"

#define OSSPI_MAX_WORKERS  256u
#define OSSPI_MAX_SPARES   64u
#define OSSPI_EXIT_WAIT_MS 1000u

/* ---- calls ---- */

enum osspi_call_state {
    OSSPI_CALL_IDLE,       /* fresh or reinitialised; also after a refused attempt */
    OSSPI_CALL_PREPARING,  /* claimed by one thread: queueing, or changing the callback */
    OSSPI_CALL_QUEUED,     /* waits for its turn or a worker */
    OSSPI_CALL_LANED,      /* waits for its turn or a thread of the blocking lane */
    OSSPI_CALL_DUE,        /* Delete, Free: waits for a worker and cannot be stopped */
    OSSPI_CALL_RUNNING,    /* on the CPU lane or in a waiter: runs to its end */
    OSSPI_CALL_BLOCKED,    /* on the blocking lane: can be given up */
    OSSPI_CALL_PUBLISHING, /* somebody has won: outputs are being written */
    OSSPI_CALL_NOTIFYING,  /* status final, callback to come */
    OSSPI_CALL_COMPLETE
};

/* status << 32 | attempt << 4 | state. The attempt tells a call from the next one on the same
 * context; 28 bits cannot come round while a ticket of an old attempt still waits in the ring. */
#define OSSPI_ATTEMPT_MASK 0xFFFFFFFu
#define OSSPI_REACHABLE    0x80000000u

struct osspi_word {
    SECURITY_STATUS status;
    uint32_t attempt;
    enum osspi_call_state state;
};

static inline uint64_t osspi_word_pack(SECURITY_STATUS status, uint32_t attempt,
                                       enum osspi_call_state state)
{
    return (uint64_t)(uint32_t)status << 32 | (uint64_t)(attempt & OSSPI_ATTEMPT_MASK) << 4 |
           (uint64_t)state;
}

static inline struct osspi_word osspi_word_unpack(uint64_t word)
{
    return (struct osspi_word){
        .status = (SECURITY_STATUS)(uint32_t)(word >> 32),
        .attempt = (uint32_t)(word >> 4) & OSSPI_ATTEMPT_MASK,
        .state = (enum osspi_call_state)(word & 0xF),
    };
}

struct osspi_private_job;
struct osspi_completion;

/* What lies behind an SspiAsyncContext. Unless another guard is named, a field is written by
 * whoever owns the state: the claimer in PREPARING, the runner in RUNNING, the winner in
 * PUBLISHING. */
struct osspi_call {
    struct osspi_slot slot;
    _Atomic uint64_t word;
    _Atomic uint32_t done;            /* futex; counts completions */
    _Atomic uint32_t waiters;         /* threads in OsspiWaitAsyncCall */
    _Atomic uint32_t epoch;           /* fork epoch of the last submit */
    _Atomic uint32_t reachable;       /* attempt | OSSPI_REACHABLE once its ticket is in the ring */
    SspiAsyncNotifyCallback callback; /* set while idle */
    void *callback_data;
    uint32_t timeout_ms;                   /* of calls that follow, 0: none; set while idle */
    _Atomic bool any_identity;             /* the call's job may run for any thread */
    _Atomic bool notifies;                 /* callback is set, for those who only ask */
    uint64_t before;                       /* the word when it was claimed */
    uint64_t queue_id;                     /* completion queue, 0: none; set while idle */
    struct osspi_completion *completion;   /* the queue that this call is bound to */
    struct osspi_turn *turn;               /* of the security context, or NULL */
    uint64_t queued_ns;                    /* 0: the call is not timed */
    uint64_t started_ns;                   /* by the coarse clock if it is not */
    uint64_t deadline_ns;                  /* 0: none, and it never stands in the heap */
    struct osspi_call *next;               /* urgent list or completion queue; by their lock */
    struct osspi_private_job *private_job; /* blocking lane; a reference */
    OsspiCallKind kind;                    /* of the call that ended */
    uint32_t timer_position;               /* index + 1 in the timer heap; guarded by timer_lock */
    struct osspi_job job;                  /* up to here what every call uses: three cache lines */
    struct osspi_turn_waiter waiter;       /* guarded by the turn's lock */
};

extern struct osspi_table osspi_calls; /* guarded by its own lock and words */

static inline struct osspi_call *osspi_call_of_slot(struct osspi_slot *slot)
{
    return (struct osspi_call *)(void *)slot;
}

static inline struct osspi_word osspi_call_word(const struct osspi_call *call)
{
    return osspi_word_unpack(atomic_load_explicit(&call->word, memory_order_acquire));
}

/** Moves (status pending, attempt, from) to (.., to); false if the word is anything else. */
static inline bool osspi_call_move(struct osspi_call *call, uint32_t attempt,
                                   enum osspi_call_state from, enum osspi_call_state to)
{
    uint64_t expected = osspi_word_pack(SEC_I_ASYNC_CALL_PENDING, attempt, from);

    return atomic_compare_exchange_strong_explicit(
        &call->word, &expected, osspi_word_pack(SEC_I_ASYNC_CALL_PENDING, attempt, to),
        memory_order_acq_rel, memory_order_acquire);
}

/** The handle that the caller holds. */
SspiAsyncContext *osspi_call_handle(const struct osspi_call *call);

/** Finds a live context and takes a reference; NULL if there is none. */
struct osspi_call *osspi_call_lookup(SspiAsyncContext *handle);
void osspi_call_unref(struct osspi_call *call);

/** Claims an idle or complete context: PREPARING, with its old word in *ret_before. False: it has
 * a call pending or a callback to come. Undo with osspi_call_restore(). */
bool osspi_call_claim(struct osspi_call *call, uint64_t *ret_before);

/** Stores a word that nobody else may change at this moment. */
static inline void osspi_call_restore(struct osspi_call *call, uint64_t word)
{
    atomic_store_explicit(&call->word, word, memory_order_release);
}

/* ---- engine ---- */

struct osspi_timer_entry {
    uint64_t deadline_ns;
    struct osspi_call *call; /* no reference: an entry is removed before its call completes */
    uint32_t attempt;
};

/* Guarded by the lane's lock. */
struct osspi_lane_class {
    struct osspi_lane_class *next;
    char name[OSSPI_CLASS_NAME_SIZE];
    uint32_t jobs;    /* that exist, in any state; the last one takes the class along */
    uint32_t running; /* admitted: ready or on a thread */
    struct osspi_private_job *first; /* waiting for room */
    struct osspi_private_job *last;
};

/* The blocking lane; all of it guarded by lock but for the futex word. */
struct osspi_blocking_lane {
    struct osspi_lock lock;
    struct osspi_lane_class *classes;
    struct osspi_private_job *ready_first; /* admitted, no thread has taken them yet */
    struct osspi_private_job *ready_last;
    uint32_t ready;
    uint32_t running;        /* admitted jobs of all classes */
    uint32_t threads;        /* alive */
    uint32_t starting;       /* of these, not yet looking for work */
    uint32_t idle;           /* asleep */
    _Atomic uint32_t wake;   /* futex */
    _Atomic uint32_t wanted; /* a thread that may not start threads leaves it to a worker */
};

enum osspi_engine_phase {
    OSSPI_ENGINE_OPEN,
    OSSPI_ENGINE_CLOSING, /* OsspiShutdown: no intake */
    OSSPI_ENGINE_EXITING  /* the process ends: threads that come back park */
};

/* ---- numbers ---- */

enum osspi_counter {
    OSSPI_COUNT_COMPLETED,
    OSSPI_COUNT_REFUSED,
    OSSPI_COUNT_CANCELLED,
    OSSPI_COUNT_TIMED_OUT,
    OSSPI_COUNT_GIVEN_UP_RUNNING, /* goes down again when the stuck thread returns */
    OSSPI_COUNT_CALLBACKS,
    OSSPI_COUNT_CALLBACKS_HELD,
    OSSPI_COUNT_SPARES,
    OSSPI_COUNTERS
};

struct osspi_durations {
    _Atomic uint64_t wait[OSSPI_HISTOGRAM_BUCKETS];
    _Atomic uint64_t run[OSSPI_HISTOGRAM_BUCKETS];
};

/* What one worker thread writes and others only read: without a shared cache line, and without a
 * locked instruction, a count costs next to nothing. Numbers only grow; records are never freed,
 * and a thread that begins takes over the record of one that ended. */
struct osspi_worker {
    struct osspi_worker *next; /* constant once in the list */
    _Atomic uint32_t taken;    /* a thread has it */
    _Atomic int32_t thread;    /* the thread's number as long as it lives, else 0 */
    _Atomic uint32_t busy;     /* inside the work of a call */
    _Atomic uint64_t left;     /* calls it took out of the queue */
    _Atomic uint64_t finished; /* calls it is done with */
    _Atomic uint64_t counters[OSSPI_COUNTERS];
    struct osspi_durations calls[OsspiCallKindCount];
};

/* ---- the engine itself ---- */

struct osspi_engine {
    uint32_t epoch;                 /* fork epoch; constant */
    struct osspi_engine *abandoned; /* the parent's, kept reachable; constant */
    uint32_t worker_target;         /* CPU lane workers; constant */
    uint32_t bound;                 /* places; constant */
    uint32_t default_timeout_ms;    /* constant */
    _Atomic uint32_t phase;         /* enum osspi_engine_phase */
    _Atomic uint32_t started;       /* worker threads were started */
    _Atomic uint32_t identity;      /* fsuid of a worker when one was last asked */

    /* What follows is in groups by who writes it, each in cache lines of its own: a line that one
     * thread writes for every call is slow to read for all others. */
    struct osspi_rings rings;

    /*
     * Calls in QUEUED or LANED: accepted - left. Calls whose notification is not done: accepted -
     * finished. Of both differences only the first number is shared by those who queue; the other
     * is the sum of the workers' own and of what other threads count here.
     */
    _Alignas(64) _Atomic uint64_t accepted;
    _Atomic uint64_t look_again; /* the queue has room while accepted is below this */
    _Alignas(64) _Atomic uint64_t left;
    _Atomic uint64_t finished;
    _Atomic(struct osspi_worker *) workers; /* grows at its head */

    /* Sleep and wake of workers (an eventcount). */
    _Alignas(64) _Atomic uint32_t wake_word; /* futex */
    _Atomic uint32_t sleepers;
    _Atomic uint32_t waking; /* a wake-up is under way and not yet received */

    _Alignas(64) struct osspi_lock urgent_lock;
    struct osspi_call *urgent_first; /* Delete, Free, callbacks to run; guarded by urgent_lock */
    struct osspi_call *urgent_last;
    struct osspi_call *held_first; /* callbacks that wait for a thread; guarded by urgent_lock */
    struct osspi_call *held_last;
    _Atomic uint32_t urgent_count;
    _Atomic uint32_t held_count;

    _Alignas(64) struct osspi_lock thread_lock;
    uint32_t threads;        /* CPU lane threads alive; guarded by thread_lock */
    uint32_t released;       /* spares to be awake soon; guarded by thread_lock */
    bool has_watcher;        /* one of the spares looks every millisecond; guarded by thread_lock */
    _Atomic uint32_t parked; /* spares asleep; written under thread_lock, read by anybody */
    _Atomic uint32_t watch;  /* a spare has to look, or does; see spare.c */
    _Atomic uint32_t spare_news; /* counts workers that became spares */
    _Atomic uint32_t park_word;  /* futex of spares */

    /* Callbacks that returned << 32 | workers inside callbacks << 16 | workers outside, those that
     * are not parked. Every callback writes it twice. */
    _Alignas(64) _Atomic uint64_t census;

    /* Calls of the CPU lane on no worker; workers that begin. */
    _Alignas(64) _Atomic uint32_t in_work;
    struct osspi_blocking_lane blocking;

    struct osspi_lock timer_lock;
    struct osspi_timer_entry *heap; /* guarded by timer_lock, with the three below */
    uint32_t heap_count;
    uint32_t heap_size;
    bool timer_running;
    _Atomic uint32_t timer_wake;  /* futex */
    _Atomic uint32_t all_threads; /* futex: every thread of the engine, for shutdown */
    _Atomic uint32_t notifying;   /* calls complete, callbacks that wait for a worker */
    _Atomic uint32_t drained;     /* futex: moves when a call of a closed engine ends */
};

/** The engine of this process, made if there is none; NULL: no memory. Starts no thread. */
struct osspi_engine *osspi_engine_get(void);

/** Ends the engine in order; see OsspiShutdown. */
SECURITY_STATUS osspi_engine_shutdown(ULONG timeout_ms);

/** Is the calling thread inside a callback? */
extern _Thread_local uint32_t osspi_callback_depth; /* each thread its own */

/** The engine if this process has one. */
struct osspi_engine *osspi_engine_peek(void);

/**
 * Starts a thread of the engine, with all signals blocked. A new thread inherits the identity of
 * its maker: a thread that has taken another one than the process's may not make any. False: that,
 * or there is no thread to be had.
 */
bool osspi_engine_thread(struct osspi_engine *engine, void *(*main)(void *));
void osspi_engine_thread_begins(const char *name);
void osspi_engine_thread_ends(struct osspi_engine *engine);

/** Parks the calling thread for good if the process is ending. */
void osspi_engine_park_if_exiting(struct osspi_engine *engine);

/** Does the calling thread act with the process's identity (its fsuid)? */
bool osspi_engine_thread_is_process(struct osspi_engine *engine);

/** Counts a call in. The number of calls before it. */
uint64_t osspi_engine_accept(struct osspi_engine *engine);
/** Takes that back: the call was not accepted after all. */
void osspi_engine_refuse(struct osspi_engine *engine);
/** Room for a call that accept gave that number? */
bool osspi_engine_has_room(struct osspi_engine *engine, uint64_t before);
/** Calls leave the queue, or (back) enter it a second time. */
void osspi_engine_left(struct osspi_engine *engine, struct osspi_worker *self);
void osspi_engine_back(struct osspi_engine *engine);
/** Calls that wait for a thread. */
uint64_t osspi_engine_waiting(struct osspi_engine *engine);
/** Calls that are queued, run, or whose notification is not done; 0 is exact. */
uint64_t osspi_engine_pending(struct osspi_engine *engine);
/** The notification of so many calls is done, or they had none. NULL is a no-op. */
void osspi_engine_finished(struct osspi_engine *engine, struct osspi_worker *self, uint64_t calls);
/** Around the work of a call on the CPU lane, on whatever thread; NULL is a no-op. What begins is
 * ordered with a look at the engine's phase only by osspi_fence_after_rmw() between the two. */
void osspi_engine_work(struct osspi_engine *engine, struct osspi_worker *self, bool begins);

/* ---- statistics.c: the calling thread's record ---- */

/** Takes a record for this thread, if there is memory for one; else it counts with the others. */
void osspi_worker_begin(struct osspi_engine *engine);
void osspi_worker_end(void);
/** The record, if the thread has one of this engine. */
struct osspi_worker *osspi_worker_self(const struct osspi_engine *engine);

/** Adds to a number that only this thread writes. */
static inline void osspi_add(_Atomic uint64_t *number, uint64_t more)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + more,
                          memory_order_release);
}

static inline void osspi_bump(_Atomic uint64_t *number)
{
    osspi_add(number, 1);
}

/* ---- executor.c: CPU lane ---- */

/** At least one worker runs, and as many as there is use for; false: none can be started. */
bool osspi_executor_start(struct osspi_engine *engine);
/** Is there a worker? */
bool osspi_executor_alive(struct osspi_engine *engine);
/** home: as osspi_turn_here, of who should run the call. */
void osspi_executor_push(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                         uint32_t home);
void osspi_executor_push_urgent(struct osspi_engine *engine, struct osspi_call *call);
void osspi_executor_wake(struct osspi_engine *engine);
void osspi_executor_wake_all(struct osspi_engine *engine);

/* ---- spare.c: callbacks on workers ---- */

/** Runs the callback of a call in NOTIFYING on this worker, or holds it back until a thread is free
 * for it. Takes over the call's reference. counted: it is among engine->notifying. */
void osspi_executor_callback(struct osspi_engine *engine, struct osspi_worker *self,
                             struct osspi_call *call, bool counted);

/* ---- blocking.c ---- */

/** Starts the threads that a push could not start itself. */
void osspi_blocking_grow(struct osspi_engine *engine);

struct osspi_private_job {
    _Atomic uint32_t references;
    struct osspi_engine *engine;
    struct osspi_call *call; /* a look at the call needs `attempt` to match */
    uint32_t attempt;
    uint64_t queued_ns;
    uint64_t deadline_ns;   /* of the call; set before the job is given to the lane */
    _Atomic uint32_t ended; /* 1: the call was given up, nobody waits for the result */
    struct osspi_lane_class *lane_class;
    struct osspi_private_job *next; /* guarded by blocking.lock, with the two below */
    struct osspi_private_job *previous;
    enum { OSSPI_JOB_NOWHERE, OSSPI_JOB_WAITING, OSSPI_JOB_READY } place; /* in which list */
    struct osspi_job job;
};

/** Makes the private copy of a job; the original is dead afterwards, or unchanged on failure. */
SECURITY_STATUS osspi_blocking_detach(struct osspi_engine *engine, struct osspi_call *call,
                                      uint32_t attempt, struct osspi_private_job **ret_job);
/** Gives a job, and a reference on it, to the lane; osspi_call_run_private() takes both over. */
void osspi_blocking_push(struct osspi_engine *engine, struct osspi_private_job *job);
/** Takes a job that no thread has begun out of the lane, with the lane's reference; does nothing if
 * it is not there. */
void osspi_blocking_withdraw(struct osspi_private_job *job);
void osspi_private_job_ref(struct osspi_private_job *job);
void osspi_private_job_unref(
    struct osspi_private_job *job); /* NULL is a no-op; the last releases */

/* ---- timer.c ---- */

/** Room and thread for one more deadline; SEC_E_INSUFFICIENT_MEMORY otherwise. */
SECURITY_STATUS osspi_timer_reserve(struct osspi_engine *engine);
/** Does nothing if the call has ended or is armed. For a call that has a deadline. */
void osspi_timer_arm(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                     uint64_t deadline_ns);
void osspi_timer_disarm(struct osspi_engine *engine, struct osspi_call *call);

/* ---- finish.c: the end of a call ---- */

/** Runs a queued call whose turn it is on this thread. Worker: its callback may run here. False:
 * the ticket was stale. */
bool osspi_call_run(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                    bool worker);

/** Wakes who waits for a call whose status is final. There must be a read-modify-write between the
 * store of that status and this. */
void osspi_call_wake_waiters(struct osspi_call *call);

/** Runs what a thread of the blocking lane was given; drops the thread's reference. */
void osspi_call_run_private(struct osspi_private_job *job);

/** Ends a call that waits, or gives up one that runs on the blocking lane. False: too late. */
bool osspi_call_stop(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                     SECURITY_STATUS status);

/** NOTIFYING -> COMPLETE, callback, and the reference; to count the callback, and
 * osspi_engine_finished(), is left to do. On a worker or a draining thread. counted: it is among
 * engine->notifying. */
void osspi_call_notify(struct osspi_engine *engine, struct osspi_call *call, bool counted);

/** Pushes a call whose turn has come to its lane. turn: that turn, or NULL; only looked at. */
void osspi_call_dispatch(struct osspi_engine *engine, struct osspi_call *call, uint32_t attempt,
                         struct osspi_turn *turn, struct osspi_private_job *private_job);

/* ---- call.c: what the exported functions of src/api are made of ---- */

SspiAsyncContext *osspi_call_create(void);
void osspi_call_free(SspiAsyncContext *handle);
NTSTATUS osspi_call_reinit(SspiAsyncContext *handle);
SECURITY_STATUS osspi_call_set_notify(SspiAsyncContext *handle, SspiAsyncNotifyCallback callback,
                                      void *data);
SECURITY_STATUS osspi_call_set_queue(SspiAsyncContext *handle, uint64_t queue_id);
SECURITY_STATUS osspi_call_set_timeout(SspiAsyncContext *handle, ULONG timeout_ms);
BOOLEAN osspi_call_requires_notify(SspiAsyncContext *handle);
SECURITY_STATUS osspi_call_status(SspiAsyncContext *handle);
SECURITY_STATUS osspi_call_wait(SspiAsyncContext *handle, ULONG timeout_ms);
SECURITY_STATUS osspi_call_cancel(SspiAsyncContext *handle);

/* ---- duration.c ---- */

/** The moment a call is queued, or 0: it is none of those that are timed. number: any that differs
 * from call to call. */
uint64_t osspi_time_queued(const struct osspi_engine *engine, OsspiCallKind kind, uint32_t number);
/** Counts how long a call waited; returns the moment of its start, for osspi_time_ended(). self as
 * in osspi_count_for(). */
uint64_t osspi_time_started(struct osspi_worker *self, OsspiCallKind kind, uint64_t queued_ns);
/** Counts how long a call ran; timed: its queued_ns is not 0. */
void osspi_time_ended(struct osspi_worker *self, OsspiCallKind kind, uint64_t started_ns,
                      bool timed);

/* ---- completion.c ---- */

/** Binds a call to its queue, which cannot be closed until that is undone; NULL if it is closed or
 * not of this process. Unbinding NULL is a no-op. */
struct osspi_completion *osspi_completion_bind(uint64_t queue_id);
void osspi_completion_unbind(struct osspi_completion *queue);
void osspi_completion_post(struct osspi_completion *queue, struct osspi_call *call);

/** Queues by their identifier, for the exported functions. */
SECURITY_STATUS osspi_completion_create(uint64_t *ret_id);
int osspi_completion_fd(uint64_t id);
ULONG osspi_completion_drain(uint64_t id, ULONG max);
SECURITY_STATUS osspi_completion_close(uint64_t id);
bool osspi_completion_is_open(uint64_t id);
uint32_t osspi_completion_live(void);
/** Calls in all queues. */
uint64_t osspi_completion_entries(void);

/* ---- statistics.c, trace.c ---- */

/** Counts for this thread; self: its record, where the caller has it at hand, or NULL. */
void osspi_count(enum osspi_counter counter);
void osspi_count_for(struct osspi_worker *self, enum osspi_counter counter, uint64_t more);
/** Of a thread without a record. */
void osspi_count_duration(OsspiCallKind kind, bool waited, unsigned bucket);
void osspi_count_down(enum osspi_counter counter);
uint64_t osspi_counter_value(enum osspi_counter counter);
void osspi_histograms(OsspiCallStatistics ret_calls[OsspiCallKindCount]);

extern _Atomic uint32_t osspi_trace_on; /* atomic; a callback is set */
SECURITY_STATUS osspi_trace_set(OsspiTraceCallback callback, void *data);
void osspi_trace_emit(OsspiTraceEvent event, const struct osspi_call *call, OsspiCallKind kind,
                      SECURITY_STATUS status);

static inline void osspi_trace(OsspiTraceEvent event, const struct osspi_call *call,
                               OsspiCallKind kind, SECURITY_STATUS status)
{
    if (__builtin_expect(atomic_load_explicit(&osspi_trace_on, memory_order_relaxed) != 0, 0))
        osspi_trace_emit(event, call, kind, status);
}

/* ---- options.c ---- */

struct osspi_settings {
    uint32_t workers;
    uint32_t max_blocking;
    uint32_t max_blocking_per_class;
    uint32_t queue_bound;
    uint32_t stack_size;
    uint32_t default_timeout_ms;
};

/** The settings in force; from now on OsspiConfigure is refused. */
const struct osspi_settings *osspi_settings(void);

SECURITY_STATUS osspi_settings_set(const OsspiOptions *options);

#endif
