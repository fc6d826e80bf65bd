/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Identities that come out of a context (tokens, impersonation), and contexts as bytes (export,
 * import). Export holds the turn and both sides: what it packs must not move.
 */
#include "api/token.h"

#include "api/job.h"
#include "core/object.h"
#include "packages/registry.h"

typedef SECURITY_STATUS plain_slot(struct osspi_context *context);

static SECURITY_STATUS run_plain(struct osspi_context *context, plain_slot *slot)
{
    SECURITY_STATUS status = osspi_context_usable(context);

    if (status != SEC_E_OK)
        return status;
    return slot ? slot(context) : SEC_E_UNSUPPORTED_FUNCTION;
}

SECURITY_STATUS ImpersonateSecurityContext(PCtxtHandle phContext)
{
    struct osspi_context *context = osspi_context_lookup(phContext);
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    status = run_plain(context, context->package->impersonate);
    osspi_context_unref(context);
    return status;
}

SECURITY_STATUS RevertSecurityContext(PCtxtHandle phContext)
{
    struct osspi_context *context = osspi_context_lookup(phContext);
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    status = run_plain(context, context->package->revert);
    osspi_context_unref(context);
    return status;
}

SECURITY_STATUS QuerySecurityContextToken(PCtxtHandle phContext, void **Token)
{
    struct osspi_context *context = osspi_context_lookup(phContext);
    SECURITY_STATUS status;

    if (!context)
        return SEC_E_INVALID_HANDLE;
    if (!Token)
        status = SEC_E_INVALID_PARAMETER;
    else if (!context->package->query_token)
        status = SEC_E_UNSUPPORTED_FUNCTION;
    else
        status = context->package->query_token(context, Token);
    osspi_context_unref(context);
    return status;
}

SECURITY_STATUS osspi_context_delegate(PCtxtHandle handle)
{
    struct osspi_context *context = osspi_context_lookup(handle);

    osspi_context_unref(context);
    return context ? SEC_E_UNSUPPORTED_FUNCTION : SEC_E_INVALID_HANDLE;
}

/* ---- export and import ---- */

static SECURITY_STATUS export_in_turn(struct osspi_context *context, ULONG flags, PSecBuffer packed,
                                      void **token)
{
    struct osspi_turn_waiter waiter = {0};
    SECURITY_STATUS status;

    osspi_turn_wait(&context->turn, &waiter);
    status = osspi_context_usable(context);
    if (status == SEC_E_OK) {
        osspi_sides_acquire(context);
        status = context->package->export_context(context, flags, packed, token);
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
        status = export_in_turn(context, fFlags, pPackedContext, pToken);
    if (status == SEC_E_OK && (fFlags & SECPKG_CONTEXT_EXPORT_DELETE_OLD))
        osspi_context_unref(osspi_context_retire(phContext));
    osspi_context_unref(context);
    return status;
}

static SECURITY_STATUS import_into(struct osspi_context *context, PSecBuffer packed, void *token,
                                   PCtxtHandle handle)
{
    SECURITY_STATUS status = context->package->import_context(context, packed, token);

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
    if (!packed || !handle)
        return SEC_E_INVALID_PARAMETER;
    context = osspi_context_new(osspi_package_class(found), NULL, false);
    if (!context)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = import_into(context, packed, token, handle);
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
