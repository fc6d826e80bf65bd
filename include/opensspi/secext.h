/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Formats of account names. The functions that Windows declares here (GetUserNameEx, TranslateName)
 * are not part of this library, so they are not declared.
 */
#ifndef OPENSSPI_SECEXT_H
#define OPENSSPI_SECEXT_H

#include "osspi_types.h"

OSSPI_EXTERN_C_BEGIN

/** How an account or a computer is spelled; the gaps in the numbers are Windows' own. */
typedef enum _EXTENDED_NAME_FORMAT {
    NameUnknown = 0,
    NameFullyQualifiedDN = 1,  /* CN=name,OU=... */
    NameSamCompatible = 2,     /* DOMAIN\user */
    NameDisplay = 3,           /* the person's name */
    NameUniqueId = 6,          /* GUID in braces */
    NameCanonical = 7,         /* example.com/unit/name */
    NameUserPrincipal = 8,     /* user@example.com */
    NameCanonicalEx = 9,       /* as NameCanonical, with a line feed before the last part */
    NameServicePrincipal = 10, /* service/host */
    NameDnsDomain = 12,
    NameGivenName = 13,
    NameSurname = 14
} EXTENDED_NAME_FORMAT,
    *PEXTENDED_NAME_FORMAT;

OSSPI_EXTERN_C_END

#endif /* OPENSSPI_SECEXT_H */
