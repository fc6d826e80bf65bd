/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Synchronous runs of a job; see job.h. The job belongs to the calling thread.
 */
#include "api/job.h"

#include <string.h>

void osspi_job_choose_lane(struct osspi_job *job, const struct osspi_package *package,
                           enum osspi_operation operation, struct osspi_credential *credential,
                           struct osspi_context *context)
{
    struct osspi_lane_choice choice = {.lane = OSSPI_LANE_CPU};

    if (package->lane)
        package->lane(operation, credential, context, &choice);
    job->lane = choice.lane;
    job->any_identity = operation != OSSPI_OP_ACQUIRE && package->legs_any_identity;
    job->class_name[0] = '\0';
    if (choice.class_name[0] != '\0') {
        memcpy(job->class_name, choice.class_name, sizeof(job->class_name));
        job->class_name[sizeof(job->class_name) - 1] = '\0';
    }
}

/* Runs and publishes. A job that goes to the blocking lane is published there and comes back empty;
 * if the lane could not take it, it comes back as it was, with nothing to publish. */
static SECURITY_STATUS run_in_turn(struct osspi_job *job)
{
    SECURITY_STATUS status = job->ops->run(job);

    /* No turn goes along: this thread holds it until the call is over. */
    if (status == OSSPI_WANT_BLOCKING && osspi_call_sync_bounded())
        return osspi_call_run_blocking(job, NULL);
    if (status == OSSPI_WANT_BLOCKING) {
        job->lane = OSSPI_LANE_BLOCKING;
        status = job->ops->run(job);
    }
    if (status == OSSPI_WANT_BLOCKING)
        status = SEC_E_INTERNAL_ERROR;
    job->ops->publish(job, status);
    return status;
}

SECURITY_STATUS osspi_job_run_sync(struct osspi_job *job, struct osspi_turn *turn)
{
    struct osspi_turn_waiter waiter = {0};
    bool bounded = osspi_call_sync_bounded(); /* asked in any case: the settings are in use now */
    SECURITY_STATUS status;

    if (job->lane == OSSPI_LANE_BLOCKING && bounded) {
        status = osspi_call_run_blocking(job, turn);
    } else {
        if (turn)
            osspi_turn_wait(turn, &waiter);
        status = run_in_turn(job);
        if (turn)
            (void)osspi_turn_leave(turn, &waiter);
    }
    job->ops->release(job);
    return status;
}
