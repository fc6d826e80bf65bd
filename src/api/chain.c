/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CertGetCertificateChain and OsspiGetCertificateChainAsync: one job for both. It is computed on
 * the CPU lane; where the network has to be asked it is entered again on the blocking lane. The
 * chain itself is src/cert's.
 */
#include <opensspi.h>
#include <string.h>

#include "api/job.h"
#include "base/memory.h"
#include "cert/chain_get.h"
#include "cert/last_error.h"

struct chain_args {
    SECURITY_STATUS refused;             /* what was wrong with the arguments, else SEC_E_OK */
    struct osspi_chain_request *request; /* owned */
    PCCERT_CHAIN_CONTEXT chain;          /* owned until it is published */
    PCCERT_CHAIN_CONTEXT *ret_chain;     /* the caller's */
};

_Static_assert(sizeof(struct chain_args) <= OSSPI_JOB_STORAGE, "fits into a job");

static struct chain_args *chain_args(struct osspi_job *job)
{
    return (struct chain_args *)(void *)job->storage;
}

static SECURITY_STATUS chain_run(struct osspi_job *job)
{
    struct chain_args *args = chain_args(job);
    bool wants_to_wait = false;

    if (args->refused != SEC_E_OK)
        return args->refused;
    const SECURITY_STATUS status =
        osspi_chain_request_run(args->request, job->lane == OSSPI_LANE_BLOCKING, &wants_to_wait,
                                job->class_name, sizeof(job->class_name), &args->chain);
    if (!wants_to_wait)
        return status;
    job->lane = OSSPI_LANE_BLOCKING;
    return OSSPI_WANT_BLOCKING;
}

static void chain_publish(struct osspi_job *job, SECURITY_STATUS status)
{
    struct chain_args *args = chain_args(job);

    if (status == SEC_E_OK)
        *args->ret_chain = OSSPI_TAKE(args->chain);
}

static void chain_release(struct osspi_job *job)
{
    struct chain_args *args = chain_args(job);

    osspi_chain_request_free(OSSPI_TAKE(args->request));
    CertFreeCertificateChain(OSSPI_TAKE(args->chain));
}

/* All was copied when the call was made; only who holds it changes. */
static SECURITY_STATUS chain_detach(struct osspi_job *job, struct osspi_job *private_job)
{
    *private_job = *job;
    private_job->lane = OSSPI_LANE_BLOCKING;
    memset(job->storage, 0, sizeof(struct chain_args));
    return SEC_E_OK;
}

static const struct osspi_job_ops chain_ops = {
    .kind = OsspiCallGetCertificateChain,
    .run = chain_run,
    .publish = chain_publish,
    .release = chain_release,
    .detach = chain_detach,
};

static SECURITY_STATUS capture(struct osspi_job *job, const struct osspi_chain_arguments *arguments,
                               PCCERT_CHAIN_CONTEXT *ret_chain)
{
    struct chain_args *args = chain_args(job);

    job->any_identity = true; /* trusted roots are the machine's */
    args->ret_chain = ret_chain;
    return osspi_chain_request_new(arguments, &args->request);
}

OSSPI_API BOOL WINAPI CertGetCertificateChain(HCERTCHAINENGINE hChainEngine,
                                              PCCERT_CONTEXT pCertContext, LPFILETIME pTime,
                                              HCERTSTORE hAdditionalStore,
                                              PCERT_CHAIN_PARA pChainPara, DWORD dwFlags,
                                              LPVOID pvReserved,
                                              PCCERT_CHAIN_CONTEXT *ppChainContext)
{
    const struct osspi_chain_arguments arguments = {hChainEngine,     pCertContext, pTime,
                                                    hAdditionalStore, pChainPara,   dwFlags};
    struct osspi_job job = {.ops = &chain_ops};
    SECURITY_STATUS status = SEC_E_INVALID_PARAMETER;

    (void)pvReserved;
    if (ppChainContext)
        *ppChainContext = NULL;
    if (ppChainContext)
        status = capture(&job, &arguments, ppChainContext);
    if (status == SEC_E_OK)
        status = osspi_job_run_sync(&job, NULL);
    return status == SEC_E_OK ? TRUE : osspi_fail(status);
}

SECURITY_STATUS OsspiGetCertificateChainAsync(SspiAsyncContext *context,
                                              HCERTCHAINENGINE hChainEngine,
                                              PCCERT_CONTEXT pCertContext, LPFILETIME pTime,
                                              HCERTSTORE hAdditionalStore,
                                              PCERT_CHAIN_PARA pChainPara, DWORD dwFlags,
                                              PCCERT_CHAIN_CONTEXT *ret_chain)
{
    const struct osspi_chain_arguments arguments = {hChainEngine,     pCertContext, pTime,
                                                    hAdditionalStore, pChainPara,   dwFlags};
    struct osspi_call *call;
    struct osspi_job *job;
    SECURITY_STATUS status = osspi_call_begin(context, sizeof(struct chain_args), &call);

    if (status != SEC_E_OK)
        return status;
    if (!ret_chain) {
        osspi_call_refuse(call, SEC_E_INVALID_PARAMETER);
        return SEC_E_INVALID_PARAMETER;
    }
    job = osspi_call_job(call);
    job->ops = &chain_ops;
    status = capture(job, &arguments, ret_chain);
    if (status == SEC_E_INSUFFICIENT_MEMORY) {
        osspi_call_refuse(call, status);
        return status;
    }
    chain_args(job)->refused = status;
    return osspi_call_submit(call, NULL, false);
}
