/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What may change of a credential that is in use: its certificates, its ticket keys and how it
 * treats client certificates. Each change is all or nothing, is in force for contexts that are made
 * afterwards, and leaves those that exist as they are. Thread-safe; changes of one credential wait
 * for each other.
 */
#ifndef OSSPI_SCHANNEL_CREDENTIAL_CHANGE_H
#define OSSPI_SCHANNEL_CREDENTIAL_CHANGE_H

#include <sspi.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/package.h"
#include "packages/schannel/capture.h"
#include "packages/schannel/credential.h"

/**
 * AddCredentials: takes the certificates of the auth data, and nothing else of it. With a principal
 * they take the place of those that the credential has for that name.
 *
 * @return SEC_E_OK; OSSPI_WANT_BLOCKING: by hash, on the CPU lane; SEC_E_NO_CREDENTIALS: no
 *         certificate, one without a key, one that is not found, or the other side's use;
 *         SEC_E_UNKNOWN_CREDENTIALS: what is no host name, a certificate that cannot be used, or
 *         more than 100; SEC_E_INSUFFICIENT_MEMORY; SEC_E_INTERNAL_ERROR.
 */
SECURITY_STATUS osspi_schannel_add(struct osspi_credential *credential, struct osspi_acquire *args);

/** OsspiRenewCredential: other certificates in the place of all that were not added under a name.
 * Statuses of osspi_schannel_add(). */
SECURITY_STATUS osspi_schannel_renew(struct osspi_credential *credential,
                                     const PCCERT_CONTEXT *certificates, size_t count,
                                     TimeStamp *ret_expiry);

/** SetCredentialsAttributes: SESSION_TICKET_KEYS and CLIENT_CERT_POLICY of a server. */
SECURITY_STATUS osspi_schannel_set_credential(struct osspi_credential *credential,
                                              uint32_t attribute, const void *buffer, size_t size);

/* ---- shared with credential.c ---- */

/** A principal in its one spelling; *ret_name NULL without one. SEC_E_OK;
 * SEC_E_UNKNOWN_CREDENTIALS: no host name; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_principal_normalise(const char *principal, char **ret_name);

/** Certificates that auth data name; the one at index, with a reference. Reads files if it is named
 * by hash. SEC_E_OK; SEC_E_NO_CREDENTIALS: not found; SEC_E_INSUFFICIENT_MEMORY. */
size_t osspi_schannel_certificate_count(const struct osspi_schannel_auth *auth);
SECURITY_STATUS osspi_schannel_certificate(struct osspi_schannel_auth *auth, size_t index,
                                           PCCERT_CONTEXT *ret_context);

/** When the first certificate ends; leaves *ret_expiry alone if there is none. */
void osspi_credential_expiry(const struct osspi_identity_set *set, TimeStamp *ret_expiry);

#endif
