/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ImportSecurityContext and DelegateSecurityContext as the caller asked for them, the same for
 * their A, W and counted forms.
 */
#ifndef OSSPI_API_TOKEN_H
#define OSSPI_API_TOKEN_H

#include <sspi.h>

#include "api/text.h"

SECURITY_STATUS osspi_context_import(struct osspi_text package, PSecBuffer packed, void *token,
                                     PCtxtHandle handle);

/** No package delegates: SEC_E_UNSUPPORTED_FUNCTION, SEC_E_INVALID_HANDLE for what is no context.
 */
SECURITY_STATUS osspi_context_delegate(PCtxtHandle handle);

#endif
