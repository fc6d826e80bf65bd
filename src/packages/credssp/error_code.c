/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Statuses and errorCode; see error_code.h. The numbers are those of MS-ERREF 2.3.1. The first row
 * with a status is what is sent for it.
 */
#include "packages/credssp/error_code.h"

#include "base/memory.h"

static const struct {
    uint32_t error;
    SECURITY_STATUS status;
    const char *text;
} rows[] = {
    {0xC000006Du, SEC_E_LOGON_DENIED, "wrong user name or password"},
    {0xC000006Au, SEC_E_LOGON_DENIED, "wrong password"},
    {0xC0000064u, SEC_E_LOGON_DENIED, "no such user"},
    {0xC000006Eu, SEC_E_LOGON_DENIED, "the account is restricted"},
    {0xC000006Fu, SEC_E_LOGON_DENIED, "not at this time of day"},
    {0xC0000070u, SEC_E_LOGON_DENIED, "not from this computer"},
    {0xC0000071u, SEC_E_LOGON_DENIED, "the password has expired"},
    {0xC0000072u, SEC_E_LOGON_DENIED, "the account is disabled"},
    {0xC0000193u, SEC_E_LOGON_DENIED, "the account has expired"},
    {0xC0000224u, SEC_E_LOGON_DENIED, "the password must be changed"},
    {0xC0000234u, SEC_E_LOGON_DENIED, "the account is locked out"},
    {0xC000015Bu, SEC_E_LOGON_DENIED, "this kind of logon is not granted"},
    {0xC0000022u, SEC_E_LOGON_DENIED, "access denied"},
    {0xC000005Eu, SEC_E_NO_AUTHENTICATING_AUTHORITY, "no server to log on with"},
    {0xC0000133u, SEC_E_TIME_SKEW, "the clocks differ too much"},
    {0xC0000008u, SEC_E_INVALID_TOKEN, "the server could not use what it was sent"},
    {0xC000000Du, SEC_E_INVALID_TOKEN, "the server could not use what it was sent"},
    {0xC000009Au, SEC_E_INTERNAL_ERROR, "the server has no resources"},
    {0xC00000E5u, SEC_E_INTERNAL_ERROR, "internal error of the server"},
    {0x80090308u, SEC_E_INVALID_TOKEN, "the server could not use what it was sent"},
    {0x80090302u, SEC_E_INVALID_TOKEN, "the server does not support what it was sent"},
    {0x8009030Fu, SEC_E_MESSAGE_ALTERED, "what the server was sent had been changed on the way"},
    {0x80090346u, SEC_E_BAD_BINDINGS, "the channel bindings differ"},
    {0x80090322u, SEC_E_WRONG_PRINCIPAL, "the server is not the one that was named"},
    {0x80090304u, SEC_E_INTERNAL_ERROR, "internal error of the server"},
};

#define OTHER_ERROR 0xC000006Du

bool osspi_ts_has_error(uint32_t version)
{
    return version == 3 || version == 4 || version >= 6;
}

uint32_t osspi_ts_error_of(SECURITY_STATUS status)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(rows); i++) {
        if (rows[i].status == status)
            return rows[i].error;
    }
    return OTHER_ERROR;
}

SECURITY_STATUS osspi_ts_error_status(uint32_t error)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(rows); i++) {
        if (rows[i].error == error)
            return rows[i].status;
    }
    return SEC_E_LOGON_DENIED; /* whatever the reason: we are not let in */
}

const char *osspi_ts_error_text(uint32_t error)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(rows); i++) {
        if (rows[i].error == error)
            return rows[i].text;
    }
    return "no reason that is known here";
}
