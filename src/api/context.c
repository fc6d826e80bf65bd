/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Security contexts but for their legs and messages: delete, control tokens, and the memory that
 * packages give out.
 *
 * Delete makes the handle invalid before it returns, in both forms, and cannot fail for load or
 * memory; should an asynchronous one be refused for another reason, the context is deleted all the
 * same. The context itself goes when the last call on it lets go.
 */
#include <sspi.h>

#include "api/job.h"
#include "base/memory.h"
#include "core/buffers.h"
#include "core/object.h"
#include "packages/package.h"

struct delete_args {
    SECURITY_STATUS status;
    struct osspi_context *context; /* the owner's reference */
};

static struct delete_args *delete_args(struct osspi_job *job)
{
    return (struct delete_args *)(void *)job->storage;
}

/* SEC_E_OK also for a handle whose context is gone already. */
static SECURITY_STATUS retire(PCtxtHandle handle, struct osspi_context **ret_context)
{
    *ret_context = osspi_context_retire(handle);
    if (*ret_context || osspi_context_was_deleted(handle))
        return SEC_E_OK;
    return SEC_E_INVALID_HANDLE;
}

static SECURITY_STATUS delete_run(struct osspi_job *job)
{
    osspi_context_unref(OSSPI_TAKE(delete_args(job)->context));
    return delete_args(job)->status;
}

static void delete_release(struct osspi_job *job)
{
    osspi_context_unref(OSSPI_TAKE(delete_args(job)->context));
}

static const struct osspi_job_ops delete_ops = {
    .kind = OsspiCallDeleteContext,
    .run = delete_run,
    .release = delete_release,
};

SECURITY_STATUS DeleteSecurityContext(PCtxtHandle phContext)
{
    struct osspi_context *context;
    SECURITY_STATUS status = retire(phContext, &context);

    osspi_context_unref(context);
    return status;
}

SECURITY_STATUS SspiDeleteSecurityContextAsync(SspiAsyncContext *AsyncContext,
                                               PCtxtHandle phContext)
{
    struct osspi_call *call;
    struct osspi_job *job;
    SECURITY_STATUS status = osspi_call_begin(AsyncContext, sizeof(struct delete_args), &call);

    if (status != SEC_E_OK)
        return status;
    job = osspi_call_job(call);
    job->ops = &delete_ops;
    delete_args(job)->status = retire(phContext, &delete_args(job)->context);
    return osspi_call_submit(call, NULL, true);
}

/* ---- tokens that no peer sees ---- */

typedef SECURITY_STATUS token_slot(struct osspi_context *context,
                                   const struct osspi_buffers *token);

static SECURITY_STATUS give_token(struct osspi_context *context, token_slot *slot,
                                  const struct osspi_buffers *token)
{
    struct osspi_turn_waiter waiter = {0};
    SECURITY_STATUS status;

    osspi_turn_wait(&context->turn, &waiter);
    status = osspi_context_usable(context);
    if (status == SEC_E_OK) {
        osspi_sides_acquire(context);
        status = slot(context, token);
        osspi_sides_release(context);
    }
    (void)osspi_turn_leave(&context->turn, &waiter);
    return status;
}

/* Everything but which slot and what a missing descriptor is called. */
static SECURITY_STATUS apply_token(struct osspi_context *context, token_slot *slot,
                                   PSecBufferDesc token, SECURITY_STATUS without)
{
    struct osspi_buffers view;
    SECURITY_STATUS status;

    if (!slot)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (!token)
        return without;
    status = osspi_buffers_view_input(token, &view);
    return status == SEC_E_OK ? give_token(context, slot, &view) : status;
}

SECURITY_STATUS CompleteAuthToken(PCtxtHandle phContext, PSecBufferDesc pToken)
{
    struct osspi_context *context = osspi_context_lookup(phContext);
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    status = apply_token(context, context->package->complete, pToken, SEC_E_INVALID_TOKEN);
    osspi_context_unref(context);
    return status;
}

SECURITY_STATUS ApplyControlToken(PCtxtHandle phContext, PSecBufferDesc pInput)
{
    struct osspi_context *context = osspi_context_lookup(phContext);
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    status = apply_token(context, context->package->control, pInput, SEC_E_INTERNAL_ERROR);
    osspi_context_unref(context);
    return status;
}

/* ---- memory ---- */

SECURITY_STATUS FreeContextBuffer(PVOID pvContextBuffer)
{
    return osspi_context_buffer_free(pvContextBuffer);
}
