/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages: what Kerberos' and NTLM's files share. The slots are in context.h.
 */
#ifndef OSSPI_GSSAPI_MESSAGE_H
#define OSSPI_GSSAPI_MESSAGE_H

#include "packages/gssapi/context.h"

/** Is it DATA that a signature covers? READONLY with and without checksum is left out. */
bool osspi_gss_is_signed(const SecBuffer *buffer);

SECURITY_STATUS osspi_ntlm_encrypt(struct osspi_context *context, bool seals,
                                   const struct osspi_buffers *message);
SECURITY_STATUS osspi_ntlm_decrypt(struct osspi_context *context,
                                   const struct osspi_buffers *message, uint32_t *ret_qop);
SECURITY_STATUS osspi_ntlm_sign(struct osspi_context *context, const struct osspi_buffers *message);
SECURITY_STATUS osspi_ntlm_verify(struct osspi_context *context,
                                  const struct osspi_buffers *message);

#endif
