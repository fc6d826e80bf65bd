/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Identities that come out of a context (tokens, impersonation), and contexts as bytes (export,
 * import). Export holds the turn and both sides: what it packs must not move.
 */
#include "api/token.h"

#include "api/job.h"
#include "core/caller.h"
#include "core/object.h"
#include "packages/registry.h"

static SECURITY_STATUS impersonate(struct osspi_context *context, const CtxtHandle *handle)
{
    struct osspi_token *token = NULL;
    SECURITY_STATUS status = osspi_context_usable(context);

    if (status != SEC_E_OK)
        return status;
    if (!context->package->client_token)
        return SEC_E_UNSUPPORTED_FUNCTION;
    status = context->package->client_token(context, &token);
    if (status != SEC_E_OK)
        return status;
    status = osspi_caller_become(handle, token);
    if (status != SEC_E_OK)
        osspi_token_unref(token);
    return status;
}

SECURITY_STATUS ImpersonateSecurityContext(PCtxtHandle phContext)
{
    struct osspi_context *context = osspi_context_lookup(phContext);
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    status = impersonate(context, phContext);
    osspi_context_unref(context);
    return status;
}

/* Also of a context that is gone since: else nobody could undo it. */
SECURITY_STATUS RevertSecurityContext(PCtxtHandle phContext)
{
    struct osspi_context *context;
    SECURITY_STATUS status = SEC_E_OK;

    if (osspi_caller_is(phContext)) {
        osspi_caller_revert();
        return SEC_E_OK;
    }
    context = osspi_context_lookup(phContext);
    if (!context)
        return SEC_E_INVALID_HANDLE;
    if (!context->package->client_token)
        status = SEC_E_UNSUPPORTED_FUNCTION;
    else
        osspi_caller_revert();
    osspi_context_unref(context);
    return status;
}

/* The kernel has no access tokens, and what stands for a client here (core/caller.h) is nothing
 * that another call could take. */
SECURITY_STATUS QuerySecurityContextToken(PCtxtHandle phContext, void **Token)
{
    struct osspi_context *context = osspi_context_lookup(phContext);

    if (!context)
        return SEC_E_INVALID_HANDLE;
    osspi_context_unref(context);
    return Token ? SEC_E_UNSUPPORTED_FUNCTION : SEC_E_INVALID_PARAMETER;
}

SECURITY_STATUS osspi_context_delegate(PCtxtHandle handle)
{
    struct osspi_context *context = osspi_context_lookup(handle);

    osspi_context_unref(context);
    return context ? SEC_E_UNSUPPORTED_FUNCTION : SEC_E_INVALID_HANDLE;
}

/* ---- export and import ---- */

static SECURITY_STATUS export_in_turn(struct osspi_context *context, ULONG flags, PSecBuffer packed)
{
    struct osspi_turn_waiter waiter = {0};
    SECURITY_STATUS status;

    osspi_turn_wait(&context->turn, &waiter);
    status = osspi_context_usable(context);
    if (status == SEC_E_OK) {
        osspi_sides_acquire(context);
        status = context->package->export_context(context, flags, packed);
        osspi_sides_release(context);
    }
    (void)osspi_turn_leave(&context->turn, &waiter);
    return status;
}

SECURITY_STATUS ExportSecurityContext(PCtxtHandle phContext, ULONG fFlags,
                                      PSecBuffer pPackedContext, void **pToken)
{
    struct osspi_context *context = osspi_context_lookup(phContext);
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    if (!context->package->export_context || (fFlags & SECPKG_CONTEXT_EXPORT_TO_KERNEL))
        status = SEC_E_UNSUPPORTED_FUNCTION;
    else if (!pPackedContext)
        status = SEC_E_INVALID_PARAMETER;
    else
        status = export_in_turn(context, fFlags, pPackedContext);
    if (status == SEC_E_OK && pToken)
        *pToken = NULL; /* as QuerySecurityContextToken: there is none */
    if (status == SEC_E_OK && (fFlags & SECPKG_CONTEXT_EXPORT_DELETE_OLD))
        osspi_context_unref(osspi_context_retire(phContext));
    osspi_context_unref(context);
    return status;
}

static SECURITY_STATUS import_into(struct osspi_context *context, PSecBuffer packed,
                                   PCtxtHandle handle)
{
    SECURITY_STATUS status = context->package->import_context(context, packed);

    if (status < 0)
        return status;
    osspi_context_set_state(context, OSSPI_CONTEXT_ESTABLISHED);
    osspi_context_handle(context, handle); /* takes over the owner's reference */
    return status;
}

SECURITY_STATUS osspi_context_import(struct osspi_text package, PSecBuffer packed, void *token,
                                     PCtxtHandle handle)
{
    char name[OSSPI_NAME_INLINE];
    const struct osspi_package *found = NULL;
    struct osspi_context *context;
    SECURITY_STATUS status;

    if (osspi_text_copy(package, name, sizeof(name)) != SIZE_MAX)
        found = osspi_package_find(name);
    if (!found)
        return SEC_E_SECPKG_NOT_FOUND;
    if (!found->import_context)
        return SEC_E_UNSUPPORTED_FUNCTION;
    /* A token cannot be one of ours. */
    if (!packed || !handle || token)
        return SEC_E_INVALID_PARAMETER;
    context = osspi_context_new(osspi_package_class(found), NULL, false);
    if (!context)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = import_into(context, packed, handle);
    if (status < 0)
        osspi_context_discard(context);
    return status;
}

SECURITY_STATUS ImportSecurityContextA(SEC_CHAR *pszPackage, PSecBuffer pPackedContext, void *Token,
                                       PCtxtHandle phContext)
{
    return osspi_context_import(osspi_text_utf8(pszPackage), pPackedContext, Token, phContext);
}

SECURITY_STATUS ImportSecurityContextW(SEC_WCHAR *pszPackage, PSecBuffer pPackedContext,
                                       void *Token, PCtxtHandle phContext)
{
    return osspi_context_import(osspi_text_utf16(pszPackage), pPackedContext, Token, phContext);
}
