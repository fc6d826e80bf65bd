/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Synchronous calls under a deadline: nothing can stop a thread inside foreign code, so a call that
 * may wait runs on the blocking lane while its caller waits for it, or gives it up.
 */
#include <string.h>

#include "async/engine.h"

/* Here, because whoever uses the library at all uses this file. */
__attribute__((constructor)) static void offer_lane(void)
{
    osspi_background_set_hook(osspi_call_background);
}

bool osspi_call_sync_bounded(void)
{
    struct osspi_engine *engine = osspi_engine_peek();

    /* After OsspiShutdown there is no lane to go to; the call still works, without a deadline. */
    return osspi_settings()->default_timeout_ms != 0 &&
           (!engine || atomic_load(&engine->phase) == OSSPI_ENGINE_OPEN);
}

SECURITY_STATUS osspi_call_run_blocking(struct osspi_job *job, struct osspi_turn *turn)
{
    SspiAsyncContext *handle = osspi_call_create();
    struct osspi_call *call = NULL;
    SECURITY_STATUS status = SEC_E_INSUFFICIENT_MEMORY;

    if (handle)
        status = osspi_call_begin(handle, sizeof(job->storage), &call);
    if (status != SEC_E_OK) {
        osspi_call_free(handle);
        return status;
    }
    /* The arguments hold no pointers into themselves, so that a job may be moved. */
    memcpy(osspi_call_job(call), job, sizeof(*job));
    memset(job->storage, 0, sizeof(job->storage));
    osspi_call_job(call)->lane = OSSPI_LANE_BLOCKING;
    status = osspi_call_submit(call, turn, false);
    if (status == SEC_E_OK)
        status = osspi_call_wait(handle, UINT32_MAX);
    osspi_call_free(handle);
    return status;
}
