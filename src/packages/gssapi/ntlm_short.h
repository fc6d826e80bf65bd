/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages of NTLM clients that end, or begin their payload, before the fields which later versions
 * of the protocol have added (MS-NLMP 2.2.1.1, 2.2.1.3: Version, MIC), as libcurl sends them.
 *
 * gss-ntlmssp 1.2.0 refuses such messages. With zeros in the missing fields they say the same, and
 * nothing in the protocol signs them: a client that sends a MIC sends the fields too. Pure
 * function.
 */
#ifndef OSSPI_GSSAPI_NTLM_SHORT_H
#define OSSPI_GSSAPI_NTLM_SHORT_H

#include <stddef.h>

#include "sspi.h"

/**
 * Makes the message that the mechanism wants.
 *
 * @param token       [in]  what came, bare or not
 * @param ret_message [out] NULL: pass the token on as it is; else free it with osspi_free()
 * @param ret_len     [out] bytes at *ret_message
 * @return SEC_E_OK, SEC_E_INSUFFICIENT_MEMORY
 */
SECURITY_STATUS osspi_ntlm_lengthen(const void *token, size_t len, void **ret_message,
                                    size_t *ret_len);

#endif
