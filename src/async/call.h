/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One asynchronous call: the object behind SspiAsyncContext, and the way a call goes.
 *
 *     begin      src/api claims an idle context                        IDLE -> PREPARING
 *     submit     arguments are captured in the job; the call is queued PREPARING -> QUEUED
 *     run        a worker, or a waiter that helps                      QUEUED -> RUNNING
 *     finish     whoever wins the compare-and-swap publishes           -> PUBLISHING -> NOTIFYING
 *     notify     callback on a worker or in a completion queue         NOTIFYING -> COMPLETE
 *
 * The state word holds status, attempt and state, so that one compare-and-swap settles every race
 * between a worker, a cancel, a deadline and a waiter. In NOTIFYING the final status is visible
 * already, but the context is not free for another call: its callback is still to come. Without a
 * callback a call goes from PUBLISHING to COMPLETE.
 *
 * A job is what a call captured. On the CPU lane it lies inside the context object, so that a
 * reused context allocates nothing; on the blocking lane it is a separate object with private
 * copies, so that a call can be given up while its thread is stuck: the context goes on to other
 * calls and the stuck thread later drops the job.
 */
#ifndef OSSPI_ASYNC_CALL_H
#define OSSPI_ASYNC_CALL_H

#include <opensspi.h>
#include <sspi.h>

#include "core/background.h"
#include "core/lane.h"
#include "core/turn.h"

struct osspi_call;
struct osspi_job;

#define OSSPI_JOB_STORAGE 768u

/**
 * What a kind of call does. run and publish may be called on any thread, release too; each call
 * sees release exactly once per job, after run has returned or if it never ran.
 */
struct osspi_job_ops {
    OsspiCallKind kind;

    /** Does the work; the status the synchronous call would return, or OSSPI_WANT_BLOCKING. */
    SECURITY_STATUS (*run)(struct osspi_job *job);

    /** Writes the caller's outputs. Runs before the status is visible, only for the winner and only
     * if run has returned (a call that was cancelled, timed out or given up publishes nothing). */
    void (*publish)(struct osspi_job *job, SECURITY_STATUS status);

    /** Lets go of everything the job holds: references, copies. */
    void (*release)(struct osspi_job *job);

    /** Makes `private_job` a copy of `job` that shares nothing with the caller's memory, and moves
     * the references over; job is dead afterwards unless this fails. Required if the call may go to
     * the blocking lane. */
    SECURITY_STATUS (*detach)(struct osspi_job *job, struct osspi_job *private_job);

    /** The call is given up while run is stuck: mark the security context. May be NULL. */
    void (*given_up)(struct osspi_job *job);
};

struct osspi_job {
    const struct osspi_job_ops *ops;
    enum osspi_lane lane; /* on which run is entered */
    bool any_identity;    /* works the same whatever identity the thread has that asks for it */
    _Alignas(16) unsigned char storage[OSSPI_JOB_STORAGE]; /* the arguments; src/api knows them */
    char class_name[OSSPI_CLASS_NAME_SIZE];                /* of the blocking lane */
};

/**
 * Claims an async context for a new call; on success the caller owns the PREPARING state and must
 * go on to osspi_call_submit() or osspi_call_refuse(). args_size: the bytes of the job's storage
 * that the call uses; they are zero, the rest is not.
 *
 * @return SEC_E_OK; SEC_E_INVALID_HANDLE: NULL, stale or garbage; SEC_E_INVALID_PARAMETER: a call
 *         is pending on it, or its callback is still to come.
 */
SECURITY_STATUS osspi_call_begin(SspiAsyncContext *handle, size_t args_size,
                                 struct osspi_call **ret_call) __attribute__((warn_unused_result));

/** The job to fill. */
struct osspi_job *osspi_call_job(struct osspi_call *call);

/**
 * Queues the call. turn: the line of the security context, or NULL. never_fails: Delete and Free
 * pass by the queue bound and need no place.
 *
 * @return SEC_E_OK: accepted. Otherwise the attempt failed as with osspi_call_refuse(), the job has
 *         been released: SEC_E_INSUFFICIENT_MEMORY (queue full, no memory, no thread),
 *         SEC_E_SHUTDOWN_IN_PROGRESS, SEC_E_NOT_OWNER (the thread's fsuid is not the process's),
 *         SEC_E_INVALID_HANDLE (the context's completion queue is closed).
 */
SECURITY_STATUS osspi_call_submit(struct osspi_call *call, struct osspi_turn *turn,
                                  bool never_fails) __attribute__((warn_unused_result));

/** Gives a claimed context back: status is latched if the context was idle before. Does not
 * release the job. */
void osspi_call_refuse(struct osspi_call *call, SECURITY_STATUS status);

/**
 * Runs a job of a synchronous call on the blocking lane under the default deadline and waits for
 * it. The job is moved: its storage is zero afterwards, unless the engine could not take it.
 * Returns the call's status or HRESULT_FROM_WIN32(ERROR_TIMEOUT).
 */
SECURITY_STATUS osspi_call_run_blocking(struct osspi_job *job, struct osspi_turn *turn);

/** Takes background work (core/background.h). */
bool osspi_call_background(const struct osspi_background *work);

/** Is there a default deadline that synchronous calls must keep, and a lane to keep it on? */
bool osspi_call_sync_bounded(void);

#endif
