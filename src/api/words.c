/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Words for people: names and texts of statuses, and what a security context remembers of its last
 * failure. Thread-safe.
 */
#include <opensspi.h>

#include "core/object.h"
#include "core/status.h"

const char *OsspiStatusName(SECURITY_STATUS status)
{
    const struct osspi_status_words *words = osspi_status_find(status);

    return words ? words->name : NULL;
}

const char *OsspiStatusText(SECURITY_STATUS status)
{
    const struct osspi_status_words *words = osspi_status_find(status);

    return words ? words->text : "This is no status that the library knows";
}

SECURITY_STATUS OsspiGetErrorDetail(PCtxtHandle context, char *buffer, ULONG size)
{
    struct osspi_context *found;
    size_t len;

    if (!buffer || size == 0)
        return SEC_E_INVALID_PARAMETER;
    found = osspi_context_lookup(context);
    if (!found)
        return SEC_E_INVALID_HANDLE;
    len = osspi_context_get_detail(found, buffer, size);
    osspi_context_unref(found);
    return len < size ? SEC_E_OK : SEC_E_BUFFER_TOO_SMALL;
}
