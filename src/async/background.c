/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Background work (core/background.h) as a call of its own on the blocking lane: it keeps the
 * lane's limits, is counted with all others, and is given up at the end like any of them. Its async
 * context is freed at once, and nobody is told of its end.
 */
#include <stdio.h>
#include <string.h>

#include "async/engine.h"
#include "base/memory.h"

struct background_args {
    struct osspi_background work; /* run NULL: moved away */
};

static struct background_args *args_of(struct osspi_job *job)
{
    return (struct background_args *)(void *)job->storage;
}

static SECURITY_STATUS run(struct osspi_job *job)
{
    args_of(job)->work.run(args_of(job)->work.data);
    return SEC_E_OK;
}

static void release(struct osspi_job *job)
{
    struct osspi_background *work = &args_of(job)->work;

    if (work->release)
        work->release(work->data);
    work->release = NULL;
}

static SECURITY_STATUS detach(struct osspi_job *job, struct osspi_job *private_job)
{
    *private_job = *job;
    args_of(job)->work.release = NULL;
    return SEC_E_OK;
}

static const struct osspi_job_ops background_ops = {
    .kind = OsspiCallBackground,
    .run = run,
    .release = release,
    .detach = detach,
};

bool osspi_call_background(const struct osspi_background *work)
{
    SspiAsyncContext *handle = osspi_call_create();
    struct osspi_call *call = NULL;
    struct osspi_job *job;
    SECURITY_STATUS status;

    if (!handle || osspi_call_begin(handle, sizeof(struct background_args), &call) != SEC_E_OK) {
        osspi_call_free(handle);
        work->release(work->data);
        return false;
    }
    job = osspi_call_job(call);
    job->ops = &background_ops;
    job->lane = OSSPI_LANE_BLOCKING;
    job->any_identity = true;
    snprintf(job->class_name, sizeof(job->class_name), "%s", work->class_name);
    args_of(job)->work = *work;
    args_of(job)->work.class_name = NULL;
    status = osspi_call_submit(call, NULL, false);
    osspi_call_free(handle);
    return status == SEC_E_OK;
}
