/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The package and the job that do nothing; see noop_package.h. Thread-safe: they have no state.
 */
#include "support/noop_package.h"

#include "async/call.h"
#include "packages/package.h"
#include "packages/registry.h"

static SECURITY_STATUS acquire(struct osspi_credential *credential, struct osspi_acquire *args)
{
    (void)credential;
    (void)args;
    return SEC_E_OK;
}

static SECURITY_STATUS run_leg(struct osspi_context *context, struct osspi_leg *leg)
{
    (void)context;
    (void)leg;
    return SEC_I_CONTINUE_NEEDED;
}

static void clear_credential(struct osspi_credential *credential)
{
    (void)credential;
}

static void clear_context(struct osspi_context *context)
{
    (void)context;
}

static const struct osspi_package noop_package = {
    .name = NOOP_NAME,
    .comment = "Does nothing",
    .capabilities = SECPKG_FLAG_CONNECTION,
    .rpc_id = SECPKG_ID_NONE,
    .max_token = 256,
    .cred_size = 16,
    .ctx_size = 16,
    .legs_any_identity = true,
    .acquire = acquire,
    .clear_credential = clear_credential,
    .initialize = run_leg,
    .accept = run_leg,
    .clear_context = clear_context,
};

bool noop_register(void)
{
    return osspi_package_add(&noop_package);
}

static SECURITY_STATUS run_job(struct osspi_job *job)
{
    (void)job;
    return SEC_I_CONTINUE_NEEDED;
}

static void release_job(struct osspi_job *job)
{
    (void)job;
}

static const struct osspi_job_ops noop_job = {
    .kind = OsspiCallInitializeContext,
    .run = run_job,
    .release = release_job,
};

SECURITY_STATUS noop_submit(SspiAsyncContext *handle)
{
    struct osspi_call *call;
    SECURITY_STATUS status = osspi_call_begin(handle, 0, &call);

    if (status != SEC_E_OK)
        return status;
    osspi_call_job(call)->ops = &noop_job;
    osspi_call_job(call)->any_identity = true;
    return osspi_call_submit(call, NULL, false);
}
