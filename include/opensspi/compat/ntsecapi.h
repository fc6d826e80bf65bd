/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* Another name that Windows sources use for LUID, UNICODE_STRING and NTSTATUS, and what
 * ChangeAccountPassword tells about a domain's passwords. */
#ifndef OPENSSPI_NTSECAPI_H
#define OPENSSPI_NTSECAPI_H

#include "../osspi_status.h"
#include "../osspi_types.h"

#define DOMAIN_PASSWORD_COMPLEX         0x00000001u
#define DOMAIN_PASSWORD_NO_ANON_CHANGE  0x00000002u
#define DOMAIN_PASSWORD_NO_CLEAR_CHANGE 0x00000004u
#define DOMAIN_LOCKOUT_ADMINS           0x00000008u
#define DOMAIN_PASSWORD_STORE_CLEARTEXT 0x00000010u
#define DOMAIN_REFUSE_PASSWORD_CHANGE   0x00000020u

typedef struct _DOMAIN_PASSWORD_INFORMATION {
    USHORT MinPasswordLength;     /* characters */
    USHORT PasswordHistoryLength; /* so many old ones may not come back */
    ULONG PasswordProperties;     /* DOMAIN_PASSWORD_... */
    LARGE_INTEGER MaxPasswordAge; /* negative, in units of 100 ns */
    LARGE_INTEGER MinPasswordAge; /* the same */
} DOMAIN_PASSWORD_INFORMATION, *PDOMAIN_PASSWORD_INFORMATION;

#endif
