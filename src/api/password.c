/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ChangeAccountPassword: only synchronous, as on Windows. Under a default deadline a thread of the
 * blocking lane does the work and the caller waits for it no longer than that; so all arguments are
 * copied first. Passwords are wiped when the copy goes.
 *
 * bImpersonating changes nothing: the account is the one that is named, and its old password proves
 * the right to, whoever calls.
 */
#include <compat/ntsecapi.h>
#include <opensspi.h>
#include <string.h>

#include "api/job.h"
#include "api/text.h"
#include "base/memory.h"
#include "core/buffers.h"
#include "packages/registry.h"

#define TEXT_SIZE 1025u /* 256 characters of UTF-8, which is all that Windows takes */

enum text { DOMAIN, ACCOUNT, OLD_PASSWORD, NEW_PASSWORD, TEXTS };

/** As the caller gave them. */
struct request {
    struct osspi_text package;
    struct osspi_text texts[TEXTS];
    ULONG reserved;
    PSecBufferDesc output;
};

struct copy {
    struct osspi_password_change change;
    char texts[TEXTS][TEXT_SIZE];
};

struct change_args {
    const struct osspi_package *package;
    struct copy *copy;
    SecBuffer *response; /* the caller's, or NULL; written by publish */
};

_Static_assert(sizeof(struct change_args) <= OSSPI_JOB_STORAGE, "fits into a job");

static struct change_args *change_args(struct osspi_job *job)
{
    return (struct change_args *)(void *)job->storage;
}

/* ---- capture ---- */

static SECURITY_STATUS find_package(struct change_args *args, struct osspi_text text)
{
    char name[OSSPI_NAME_INLINE];

    if (text.data && osspi_text_copy(text, name, sizeof(name)) != SIZE_MAX)
        args->package = osspi_package_find(name);
    if (!args->package)
        return SEC_E_SECPKG_NOT_FOUND;
    return args->package->change_password ? SEC_E_OK : SEC_E_UNSUPPORTED_FUNCTION;
}

/* The one buffer of the kind, where a caller wants the domain's rules. */
static SECURITY_STATUS find_response(struct change_args *args, PSecBufferDesc output)
{
    struct osspi_buffers buffers;
    SECURITY_STATUS status = osspi_buffers_view_output(output, &buffers);

    if (status != SEC_E_OK || buffers.count == 0)
        return status;
    args->response = osspi_buffers_find(&buffers, SECBUFFER_CHANGE_PASS_RESPONSE);
    return args->response && buffers.count == 1 ? SEC_E_OK : SEC_E_INVALID_TOKEN;
}

static SECURITY_STATUS copy_texts(struct copy *copy, const struct request *request)
{
    for (unsigned i = 0; i < TEXTS; i++) {
        const struct osspi_text text = request->texts[i];

        if (!text.data && i == DOMAIN)
            continue;
        if (!text.data || osspi_text_copy(text, copy->texts[i], TEXT_SIZE) == SIZE_MAX)
            return SEC_E_INVALID_PARAMETER;
    }
    copy->change.domain = copy->texts[DOMAIN][0] ? copy->texts[DOMAIN] : NULL;
    copy->change.account = copy->texts[ACCOUNT];
    copy->change.old_password = copy->texts[OLD_PASSWORD];
    copy->change.new_password = copy->texts[NEW_PASSWORD];
    return SEC_E_OK;
}

static SECURITY_STATUS capture(struct osspi_job *job, const struct request *request)
{
    struct change_args *args = change_args(job);
    SECURITY_STATUS status = find_package(args, request->package);

    if (status == SEC_E_OK)
        status = find_response(args, request->output);
    if (status != SEC_E_OK)
        return status;
    if (request->reserved != 0)
        return SEC_E_INVALID_PARAMETER;
    args->copy = osspi_alloc(sizeof(*args->copy));
    return args->copy ? copy_texts(args->copy, request) : SEC_E_INSUFFICIENT_MEMORY;
}

/* ---- the job ---- */

static SECURITY_STATUS change_run(struct osspi_job *job)
{
    struct change_args *args = change_args(job);
    struct osspi_password_change *change = &args->copy->change;
    SECURITY_STATUS status;

    change->lane = job->lane;
    status = args->package->change_password(change);
    if (status == OSSPI_WANT_BLOCKING) {
        memcpy(job->class_name, change->lane_class, sizeof(job->class_name));
        job->lane = OSSPI_LANE_BLOCKING;
    }
    return status;
}

static void change_publish(struct osspi_job *job, SECURITY_STATUS status)
{
    struct change_args *args = change_args(job);

    (void)status;
    if (!args->response)
        return;
    args->response->pvBuffer = args->copy ? OSSPI_TAKE(args->copy->change.policy) : NULL;
    args->response->cbBuffer =
        args->response->pvBuffer ? (ULONG)sizeof(DOMAIN_PASSWORD_INFORMATION) : 0;
}

static void change_release(struct osspi_job *job)
{
    struct change_args *args = change_args(job);
    struct copy *copy = OSSPI_TAKE(args->copy);

    if (!copy)
        return;
    (void)osspi_context_buffer_free(copy->change.policy);
    osspi_secret_free(copy, sizeof(*copy));
}

/* All was copied when the call was made; only who holds it changes. */
static SECURITY_STATUS change_detach(struct osspi_job *job, struct osspi_job *private_job)
{
    *private_job = *job;
    private_job->lane = OSSPI_LANE_BLOCKING;
    memset(job->storage, 0, sizeof(struct change_args));
    return SEC_E_OK;
}

static const struct osspi_job_ops change_ops = {
    .kind = OsspiCallChangePassword,
    .run = change_run,
    .publish = change_publish,
    .release = change_release,
    .detach = change_detach,
};

static SECURITY_STATUS change(const struct request *request)
{
    struct osspi_job job = {.ops = &change_ops, .lane = OSSPI_LANE_CPU, .any_identity = true};
    SECURITY_STATUS status = capture(&job, request);

    if (status != SEC_E_OK) {
        change_release(&job);
        return status;
    }
    return osspi_job_run_sync(&job, NULL);
}

SECURITY_STATUS ChangeAccountPasswordW(SEC_WCHAR *pszPackageName, SEC_WCHAR *pszDomainName,
                                       SEC_WCHAR *pszAccountName, SEC_WCHAR *pszOldPassword,
                                       SEC_WCHAR *pszNewPassword, BOOLEAN bImpersonating,
                                       ULONG dwReserved, PSecBufferDesc pOutput)
{
    const struct request request = {
        .package = osspi_text_utf16(pszPackageName),
        .texts = {[DOMAIN] = osspi_text_utf16(pszDomainName),
                  [ACCOUNT] = osspi_text_utf16(pszAccountName),
                  [OLD_PASSWORD] = osspi_text_utf16(pszOldPassword),
                  [NEW_PASSWORD] = osspi_text_utf16(pszNewPassword)},
        .reserved = dwReserved,
        .output = pOutput,
    };

    (void)bImpersonating;
    return change(&request);
}

SECURITY_STATUS ChangeAccountPasswordA(SEC_CHAR *pszPackageName, SEC_CHAR *pszDomainName,
                                       SEC_CHAR *pszAccountName, SEC_CHAR *pszOldPassword,
                                       SEC_CHAR *pszNewPassword, BOOLEAN bImpersonating,
                                       ULONG dwReserved, PSecBufferDesc pOutput)
{
    const struct request request = {
        .package = osspi_text_utf8(pszPackageName),
        .texts = {[DOMAIN] = osspi_text_utf8(pszDomainName),
                  [ACCOUNT] = osspi_text_utf8(pszAccountName),
                  [OLD_PASSWORD] = osspi_text_utf8(pszOldPassword),
                  [NEW_PASSWORD] = osspi_text_utf8(pszNewPassword)},
        .reserved = dwReserved,
        .output = pOutput,
    };

    (void)bImpersonating;
    return change(&request);
}
