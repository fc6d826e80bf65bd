/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * GetLastError and SetLastError; see last_error.h. One word per thread, never shared.
 */
#include "cert/last_error.h"

static _Thread_local DWORD last_error; /* thread-local: needs no guard */

OSSPI_API DWORD WINAPI GetLastError(void)
{
    return last_error;
}

OSSPI_API VOID WINAPI SetLastError(DWORD dwErrCode)
{
    last_error = dwErrCode;
}

static DWORD name_of(SECURITY_STATUS status)
{
    switch (status) {
    case SEC_E_INSUFFICIENT_MEMORY:
        return (DWORD)E_OUTOFMEMORY;
    case SEC_E_INVALID_PARAMETER:
    case SEC_E_INVALID_HANDLE:
        return (DWORD)E_INVALIDARG;
    case SEC_E_UNKNOWN_CREDENTIALS:
        return (DWORD)CRYPT_E_ASN1_BADTAG;
    case SEC_E_LOGON_DENIED:
        return ERROR_INVALID_PASSWORD;
    default:
        break;
    }
    /* A Win32 error in the shape of a status; those that have an E_ name keep it. */
    if (((DWORD)status >> 16) == 0x8007 && status != E_ACCESSDENIED && status != E_OUTOFMEMORY &&
        status != E_INVALIDARG)
        return (DWORD)status & 0xFFFF;
    return (DWORD)status;
}

BOOL osspi_fail(SECURITY_STATUS status)
{
    last_error = name_of(status);
    return FALSE;
}

void *osspi_fail_null(SECURITY_STATUS status)
{
    last_error = name_of(status);
    return NULL;
}
