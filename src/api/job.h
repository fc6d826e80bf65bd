/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How the synchronous form of a call runs the same job that the asynchronous form queues, and the
 * two sides of a security context, always taken in one order.
 */
#ifndef OSSPI_API_JOB_H
#define OSSPI_API_JOB_H

#include <sspi.h>

#include "async/call.h"
#include "core/object.h"
#include "packages/package.h"

/**
 * Runs a filled job on the calling thread, publishes its outputs and releases it. What the package
 * wants to do on the blocking lane is done here too, unless a default deadline bounds synchronous
 * calls: then a thread of that lane does it. The job may be moved as bytes: nothing in its storage
 * points into it while it does not run.
 *
 * @param[in] turn the line of the security context, or NULL for an object nobody else knows
 */
SECURITY_STATUS osspi_job_run_sync(struct osspi_job *job, struct osspi_turn *turn);

/** Asks the package for the lane of an operation and notes it in the job. credential, context: what
 * is known already, or NULL. */
void osspi_job_choose_lane(struct osspi_job *job, const struct osspi_package *package,
                           enum osspi_operation operation, struct osspi_credential *credential,
                           struct osspi_context *context);

static inline void osspi_sides_acquire(struct osspi_context *context)
{
    osspi_lock_acquire(&context->read_side);
    osspi_lock_acquire(&context->write_side);
}

static inline void osspi_sides_release(struct osspi_context *context)
{
    osspi_lock_release(&context->write_side);
    osspi_lock_release(&context->read_side);
}

#endif
