/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What went wrong in the foreign libraries, as SSPI's statuses, and in words. Pure functions.
 */
#ifndef OSSPI_GSSAPI_STATUS_H
#define OSSPI_GSSAPI_STATUS_H

#include <gssapi/gssapi.h>
#include <krb5.h>
#include <sspi.h>

#include "core/object.h"

/** The status of a failed ticket, or of a cache or keytab that cannot be used. */
SECURITY_STATUS osspi_gss_status_krb5(krb5_error_code code);

/** The status of a failed leg. initiator: of a client. otherwise: where the codes say nothing. */
SECURITY_STATUS osspi_gss_status_leg(OM_uint32 major, OM_uint32 minor, bool initiator,
                                     SECURITY_STATUS otherwise);

/** The status of a message that was not protected, or not accepted. */
SECURITY_STATUS osspi_gss_status_message(OM_uint32 major, OM_uint32 minor);

/** Notes what libkrb5 says about a code. context NULL: nothing is noted. */
void osspi_gss_detail_krb5(struct osspi_context *context, krb5_context k5, krb5_error_code code);

/** Notes what GSSAPI says. */
void osspi_gss_detail(struct osspi_context *context, const char *function, OM_uint32 major,
                      OM_uint32 minor, gss_OID mechanism);

/** Is the mechanism's code EACCES? GSSAPI gives it another number, so its text has to tell. */
bool osspi_gss_is_denied(OM_uint32 minor, gss_OID mechanism);

#endif
