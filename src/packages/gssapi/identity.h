/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Who a caller says he is: any form of SEC_WINNT_AUTH_IDENTITY, copied and turned into UTF-8 when
 * Acquire is called (core/auth_identity.h reads the forms).
 */
#ifndef OSSPI_GSSAPI_IDENTITY_H
#define OSSPI_GSSAPI_IDENTITY_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>

/* What may be used below Negotiate. */
#define OSSPI_GSS_KERBEROS 1u
#define OSSPI_GSS_NTLM     2u
#define OSSPI_GSS_BOTH     (OSSPI_GSS_KERBEROS | OSSPI_GSS_NTLM)

/** Constant once made. Strings are UTF-8; NULL: none was given. */
struct osspi_gss_identity {
    char *user, *domain;
    char *password;      /* wiped when freed */
    unsigned mechanisms; /* what its package list leaves */
    bool listed;         /* it has a package list that names packages, not only excludes some */
    bool nobody;         /* user and password are there, and empty: a null session */
};

/** A package's capture_auth slot. SEC_E_UNKNOWN_CREDENTIALS: malformed, encrypted by somebody else,
 * longer than 256 characters, or credentials of a kind that is no password: certificates, be they
 * packed or marshalled into the user's name ("@@B...", CredMarshalCredential). */
SECURITY_STATUS osspi_gss_capture(const void *auth, bool encoding_wide, void **ret_captured);
void osspi_gss_capture_free(void *captured); /* NULL-safe */

#endif
