/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A CredSSP credential: one of Schannel, one of Negotiate, and what a client would delegate.
 *
 * Constant once acquired, but for the options, which are words of their own.
 */
#ifndef OSSPI_CREDSSP_CREDENTIAL_H
#define OSSPI_CREDSSP_CREDENTIAL_H

#include <stdatomic.h>

#include "packages/package.h"

#define OSSPI_CREDSSP_OLDEST 2u
#define OSSPI_CREDSSP_NEWEST 6u
#define OSSPI_CREDSSP_STRICT 5u /* without a caller's word nothing older is spoken */

struct osspi_credssp_credential {
    /* No handle names them to anybody. NULL or not ready: acquiring is not over. */
    struct osspi_credential *tls, *nego;
    bool tls_ready, nego_ready;
    SEC_WINNT_AUTH_IDENTITY_EX2 *identity; /* a client's; NULL: the default one. Secret */
    /* Read when a context begins. */
    _Atomic uint32_t min_version, max_version;
    _Atomic uint32_t options; /* OSSPI_CREDSSP_... */
};

static inline struct osspi_credssp_credential *
osspi_credssp_credential(struct osspi_credential *credential)
{
    return credential->data;
}

/* The two packages below. */
const struct osspi_package *osspi_credssp_tls(void);
const struct osspi_package *osspi_credssp_nego(void);

/* The slots of the package. */
SECURITY_STATUS osspi_credssp_capture(const void *auth, bool encoding_wide, void **ret_captured);
void osspi_credssp_capture_free(void *captured);
SECURITY_STATUS osspi_credssp_acquire(struct osspi_credential *credential,
                                      struct osspi_acquire *args);
void osspi_credssp_clear_credential(struct osspi_credential *credential);
SECURITY_STATUS osspi_credssp_query_credential(struct osspi_credential *credential,
                                               uint32_t attribute, void *buffer, size_t size);
SECURITY_STATUS osspi_credssp_set_credential(struct osspi_credential *credential,
                                             uint32_t attribute, const void *buffer, size_t size);

#endif
