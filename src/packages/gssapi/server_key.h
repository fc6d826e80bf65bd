/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys of servers that the program itself brings: pGetKeyFn of AcquireCredentialsHandle, for those
 * who have no keytab. They lie in a keytab in memory that belongs to the credential.
 */
#ifndef OSSPI_GSSAPI_SERVER_KEY_H
#define OSSPI_GSSAPI_SERVER_KEY_H

#include "packages/gssapi/credential.h"

/** Has the default keytab any key? Inside of no OSSPI_GSS_CALL. */
bool osspi_server_key_in_keytab(krb5_context k5);

/**
 * Asks the program, if it has a function for that, names a principal, and there is no keytab. On
 * the CPU lane: such a call is never given up, so the program's function and argument are needed no
 * longer than the call takes. Not inside OSSPI_GSS_CALL.
 *
 * @return SEC_E_OK, also where there was nothing to ask; what the program has answered;
 *         SEC_E_NO_CREDENTIALS: no key; SEC_E_UNKNOWN_CREDENTIALS: a key that is none, or a name;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_server_key_ask(struct osspi_gss_credential *data,
                                     const struct osspi_acquire *args);

/** Wipes and frees what was brought. */
void osspi_server_key_clear(struct osspi_gss_credential *data);

#endif
