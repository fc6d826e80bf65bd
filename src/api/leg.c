/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs: InitializeSecurityContext and AcceptSecurityContext, synchronous and asynchronous.
 *
 * Both forms capture their arguments in a job and run the same function; what the caller will read
 * (handle, attributes, expiry) is written in publish alone. A new context belongs to the job until
 * a leg that succeeds hands it to the caller: a first leg that fails, or that needs more input,
 * leaves none behind. Legs of one context run in turn, under both of its sides.
 */
#include "api/leg.h"

#include <string.h>

#include "api/job.h"
#include "api/leg_copy.h"
#include "base/clock.h"
#include "base/memory.h"
#include "core/buffers.h"
#include "packages/registry.h"

struct leg_args {
    struct osspi_leg leg;
    SECURITY_STATUS refused; /* asynchronous: what was wrong with the arguments, else SEC_E_OK */
    bool accept;
    bool fresh;   /* context holds the owner's reference of a context nobody else knows */
    bool entered; /* the package was asked; its outputs mean something */
    const struct osspi_package *package;
    struct osspi_credential *credential; /* the one given with this leg: a reference, or NULL */
    struct osspi_context *context;       /* a reference; NULL before a first leg runs */
    PCtxtHandle new_context;             /* the caller's, with the two below; written by publish */
    ULONG *attributes;
    PTimeStamp expiry;
    struct osspi_name target;
    struct osspi_leg_copy *copy; /* on the blocking lane */
};

_Static_assert(sizeof(struct leg_args) <= OSSPI_JOB_STORAGE, "a leg fits into a job");

static struct leg_args *leg_args(struct osspi_job *job)
{
    return (struct leg_args *)(void *)job->storage;
}

/* ---- arguments ---- */

static SECURITY_STATUS find_objects(struct leg_args *args, const struct osspi_leg_request *request)
{
    uint32_t use = request->accept ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND;

    args->leg.first = !request->context;
    if (request->context) {
        args->context = osspi_context_lookup(request->context);
        if (!args->context || args->context->accepting != request->accept)
            return SEC_E_INVALID_HANDLE;
        args->package = args->context->package;
    } else if (!request->new_context || !request->credential) {
        /* A first leg that nobody could follow up. */
        return SEC_E_INVALID_HANDLE;
    }
    if (!request->credential)
        return SEC_E_OK;
    args->credential = osspi_credential_lookup(request->credential);
    if (!args->credential || (args->package && args->credential->package != args->package))
        return SEC_E_INVALID_HANDLE;
    args->package = args->credential->package;
    return args->credential->use & use ? SEC_E_OK : SEC_E_NO_CREDENTIALS;
}

/* Flags above bit 31 travel in a buffer of their own. */
static SECURITY_STATUS add_wide_flags(struct osspi_leg *leg)
{
    const SecBuffer *buffer = osspi_buffers_find(&leg->in, SECBUFFER_FLAGS);
    SEC_FLAGS wide;

    if (!buffer)
        return SEC_E_OK;
    if (buffer->cbBuffer < sizeof(wide))
        return SEC_E_INVALID_TOKEN;
    memcpy(&wide, buffer->pvBuffer, sizeof(wide));
    if ((uint32_t)wide.Flags != 0)
        return SEC_E_INVALID_TOKEN;
    leg->flags |= wide.Flags;
    return SEC_E_OK;
}

static SECURITY_STATUS check(struct leg_args *args, const struct osspi_leg_request *request)
{
    SECURITY_STATUS status = find_objects(args, request);

    if (status == SEC_E_OK && args->context)
        status = osspi_context_usable(args->context);
    if (status == SEC_E_OK && !(args->accept ? args->package->accept : args->package->initialize))
        status = SEC_E_UNSUPPORTED_FUNCTION;
    if (status == SEC_E_OK)
        status = osspi_buffers_view_input(request->in, &args->leg.in);
    if (status == SEC_E_OK)
        status = osspi_buffers_view_output(request->out, &args->leg.out);
    if (status == SEC_E_OK)
        status = add_wide_flags(&args->leg);
    if (status == SEC_E_OK)
        status = osspi_name_capture(&args->target, request->target, SEC_E_TARGET_UNKNOWN);
    return status;
}

static void choose_lane(struct osspi_job *job)
{
    struct leg_args *args = leg_args(job);

    osspi_job_choose_lane(job, args->package, args->accept ? OSSPI_OP_ACCEPT : OSSPI_OP_INITIALIZE,
                          args->credential, args->context);
}

static SECURITY_STATUS capture(struct osspi_job *job, const struct osspi_leg_request *request)
{
    struct leg_args *args = leg_args(job);
    SECURITY_STATUS status;

    args->accept = request->accept;
    args->leg.flags = request->flags;
    args->leg.data_rep = request->data_rep;
    args->leg.expiry.QuadPart = (LONGLONG)OSSPI_FILETIME_NEVER;
    args->new_context = request->new_context;
    args->attributes = request->attributes;
    args->expiry = request->expiry;
    status = check(args, request);
    if (status == SEC_E_OK)
        choose_lane(job);
    return status;
}

/* ---- the leg ---- */

/* Did nothing happen that a repeated call could not make good? A buffer that is too small consumes
 * nothing; a refused argument never reached the protocol. */
static bool can_be_repeated(SECURITY_STATUS status)
{
    switch (status) {
    case SEC_E_INCOMPLETE_MESSAGE:
    case SEC_E_INSUFFICIENT_MEMORY:
    case SEC_E_BUFFER_TOO_SMALL:
    case SEC_E_EXT_BUFFER_TOO_SMALL:
    case SEC_E_INSUFFICIENT_BUFFERS:
    case SEC_E_UNSUPPORTED_FUNCTION:
    case SEC_E_INVALID_PARAMETER:
    case SEC_E_INVALID_HANDLE:
        return true;
    default:
        return status >= 0;
    }
}

/* Of a handshake only. What a failed leg does to an established context, or a good one to a failed
 * context, the package knows better: a refused argument ends no connection. */
static void settle_state(struct osspi_context *context, SECURITY_STATUS status)
{
    if (atomic_load_explicit(&context->state, memory_order_relaxed) != OSSPI_CONTEXT_HANDSHAKE)
        return;
    if (status == SEC_E_OK || status == SEC_I_COMPLETE_NEEDED)
        osspi_context_set_state(context, OSSPI_CONTEXT_ESTABLISHED);
    else if (!can_be_repeated(status))
        osspi_context_set_state(context, OSSPI_CONTEXT_FAILED);
}

/* Both sides held. */
static SECURITY_STATUS enter_package(struct leg_args *args)
{
    struct osspi_context *context = args->context;
    SECURITY_STATUS status = osspi_context_usable(context);

    if (status != SEC_E_OK)
        return status;
    osspi_context_clear_detail(context);
    args->entered = true;
    args->leg.target = osspi_name_get(&args->target);
    args->leg.credential = args->credential ? args->credential : context->credential;
    status = args->accept ? args->package->accept(context, &args->leg)
                          : args->package->initialize(context, &args->leg);
    if (status == OSSPI_WANT_BLOCKING)
        return status;
    settle_state(context, status);
    /* A new credential stays with the context once a leg has made use of it. */
    if (status >= 0 && args->credential)
        osspi_context_set_credential(context, args->credential);
    return status;
}

static SECURITY_STATUS leg_run(struct osspi_job *job)
{
    struct leg_args *args = leg_args(job);
    SECURITY_STATUS status;

    if (args->refused != SEC_E_OK)
        return args->refused;
    if (!args->context) {
        args->context =
            osspi_context_new(osspi_package_class(args->package), args->credential, args->accept);
        if (!args->context)
            return SEC_E_INSUFFICIENT_MEMORY;
        args->fresh = true;
    }
    args->leg.lane = job->lane;
    /* Asked before the sides too: a leg that was given up may be stuck while it holds them. */
    status = osspi_context_usable(args->context);
    if (status != SEC_E_OK)
        return status;
    osspi_turn_note_home(&args->context->turn);
    osspi_sides_acquire(args->context);
    status = enter_package(args);
    osspi_sides_release(args->context);
    if (status == OSSPI_WANT_BLOCKING) {
        choose_lane(job); /* for the class, which may depend on what the leg has found out */
        job->lane = OSSPI_LANE_BLOCKING;
    }
    return status;
}

static void leg_publish(struct osspi_job *job, SECURITY_STATUS status)
{
    struct leg_args *args = leg_args(job);

    if (!args->entered)
        return;
    if (args->copy)
        osspi_leg_copy_publish(args->copy, status);
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return;
    /* Also with a failure: EXTENDED_ERROR tells that the output holds an alert. */
    if (args->attributes)
        *args->attributes = (ULONG)args->leg.attributes;
    if (status < 0)
        return;
    if (args->expiry)
        *args->expiry = args->leg.expiry;
    if (args->new_context)
        osspi_context_handle(args->context, args->new_context);
    if (args->fresh) {
        /* The owner's reference is the handle's from here on. */
        args->fresh = false;
        args->context = NULL;
    }
}

/* Also for a job that was detached or never filled; a second time does nothing. */
static void leg_release(struct osspi_job *job)
{
    struct leg_args *args = leg_args(job);

    if (args->fresh)
        osspi_context_discard(args->context);
    else
        osspi_context_unref(args->context);
    osspi_credential_unref(args->credential);
    osspi_name_clear(&args->target);
    osspi_leg_copy_free(args->copy);
    args->fresh = false;
    args->context = NULL;
    args->credential = NULL;
    args->copy = NULL;
}

static SECURITY_STATUS leg_detach(struct osspi_job *job, struct osspi_job *private_job)
{
    struct leg_args *args = leg_args(job);
    struct osspi_buffers in = args->leg.in;
    struct osspi_buffers out = args->leg.out;
    struct osspi_leg_copy *copy;
    bool allocate = (args->leg.flags & ISC_REQ_ALLOCATE_MEMORY) != 0;
    SECURITY_STATUS status = osspi_leg_copy_new(&in, &out, allocate, &copy);

    _Static_assert(ISC_REQ_ALLOCATE_MEMORY == ASC_REQ_ALLOCATE_MEMORY, "one bit for both");
    if (status != SEC_E_OK)
        return status;
    *private_job = *job;
    private_job->lane = OSSPI_LANE_BLOCKING;
    memset(job->storage, 0, sizeof(struct leg_args));
    args = leg_args(private_job);
    args->leg.in = in;
    args->leg.out = out;
    args->copy = copy;
    return SEC_E_OK;
}

/* Another thread may be inside leg_run: only what was constant before is read. */
static void leg_given_up(struct osspi_job *job)
{
    struct leg_args *args = leg_args(job);

    /* A new context is known to nobody; the job will drop it. */
    if (!args->leg.first)
        osspi_context_set_state(args->context, OSSPI_CONTEXT_GIVEN_UP);
}

static const struct osspi_job_ops initialize_ops = {
    .kind = OsspiCallInitializeContext,
    .run = leg_run,
    .publish = leg_publish,
    .release = leg_release,
    .detach = leg_detach,
    .given_up = leg_given_up,
};

static const struct osspi_job_ops accept_ops = {
    .kind = OsspiCallAcceptContext,
    .run = leg_run,
    .publish = leg_publish,
    .release = leg_release,
    .detach = leg_detach,
    .given_up = leg_given_up,
};

SECURITY_STATUS osspi_leg_sync(const struct osspi_leg_request *request)
{
    struct osspi_job job = {.ops = request->accept ? &accept_ops : &initialize_ops};
    SECURITY_STATUS status = capture(&job, request);
    struct osspi_context *context = leg_args(&job)->context;

    if (status != SEC_E_OK) {
        leg_release(&job);
        return status;
    }
    if (!context)
        return osspi_job_run_sync(&job, NULL);
    /* The turn is in the context; the job may let go of it before the turn is left. */
    osspi_context_ref(context);
    status = osspi_job_run_sync(&job, &context->turn);
    osspi_context_unref(context);
    return status;
}

SECURITY_STATUS osspi_leg_async(SspiAsyncContext *async, const struct osspi_leg_request *request)
{
    struct osspi_call *call;
    struct osspi_job *job;
    struct osspi_context *context;
    SECURITY_STATUS status = osspi_call_begin(async, sizeof(struct leg_args), &call);

    if (status != SEC_E_OK)
        return status;
    job = osspi_call_job(call);
    job->ops = request->accept ? &accept_ops : &initialize_ops;
    status = capture(job, request);
    if (status == SEC_E_INSUFFICIENT_MEMORY) {
        leg_release(job);
        osspi_call_refuse(call, status);
        return status;
    }
    /* The call is accepted all the same: what is wrong with it is for its callback to tell. */
    leg_args(job)->refused = status;
    context = leg_args(job)->context;
    if (!context || status != SEC_E_OK)
        return osspi_call_submit(call, NULL, false);
    /* The leg may be over, and have let go of the context, before it has been put in line. */
    osspi_context_ref(context);
    status = osspi_call_submit(call, &context->turn, false);
    osspi_context_unref(context);
    return status;
}
