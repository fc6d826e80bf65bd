/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Names as GSSAPI's mechanisms want them. NTLM knows a target by its service and host, and a user
 * by his domain; Kerberos' names are principal.h's. Called inside OSSPI_GSS_CALL.
 */
#ifndef OSSPI_GSSAPI_NAME_H
#define OSSPI_GSSAPI_NAME_H

#include "packages/gssapi/credential.h"

#define OSSPI_GSS_NAME_SIZE 1100u /* a target, or user and domain */

/** Text as a name of that type. SEC_E_TARGET_UNKNOWN: it is none. */
SECURITY_STATUS osspi_gss_name(const char *text, gss_OID type, gss_name_t *ret_name);

/** The target of an NTLM context, "service/host" in any of its forms; NULL: there is none. */
SECURITY_STATUS osspi_gss_name_ntlm_target(const char *target, gss_name_t *ret_name);

/** A user of NTLM: DOMAIN\user, or what he wrote himself. */
SECURITY_STATUS osspi_gss_name_ntlm_user(const struct osspi_gss_identity *identity,
                                         gss_name_t *ret_name);

/** What a name says of itself, in new memory; *ret_text NULL: nothing. SEC_E_INSUFFICIENT_MEMORY.
 * name GSS_C_NO_NAME: nothing. */
SECURITY_STATUS osspi_gss_name_text(gss_name_t name, char **ret_text);

#endif
