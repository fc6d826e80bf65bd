/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Where a client of Kerberos gets his first ticket from: a password, the default cache, the
 * client's keytab, or the cache of another user. Notes it in the credential, with his name, and
 * makes the cache in memory that belongs to the credential. Asks no KDC.
 */
#ifndef OSSPI_GSSAPI_SOURCE_H
#define OSSPI_GSSAPI_SOURCE_H

#include "packages/gssapi/credential.h"

/** The user who is named, or whom the caller's own cache or keytab tells. 0, or why not. */
krb5_error_code osspi_source_own(struct osspi_gss_credential *data, krb5_context k5,
                                 struct osspi_acquire *args);

/** The user of the logon session that is named; session.h has the statuses. */
SECURITY_STATUS osspi_source_session(struct osspi_gss_credential *data, krb5_context k5,
                                     struct osspi_acquire *args);

/** The client as whom the caller asks: the tickets that he has handed over. SEC_E_NO_CREDENTIALS:
 * he has not. */
SECURITY_STATUS osspi_source_client(struct osspi_gss_credential *data, krb5_context k5,
                                    struct osspi_acquire *args);

#endif
