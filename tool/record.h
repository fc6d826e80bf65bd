/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Records of a TLS connection, as EncryptMessage and DecryptMessage have them: sealed behind what
 * is to be sent, opened from the front of what has come. For any package that speaks TLS.
 */
#ifndef SSPI_TOOL_RECORD_H
#define SSPI_TOOL_RECORD_H

#include <stddef.h>

#include <sspi.h>

#include "bytes.h"

/**
 * Opens the record at the beginning of `wire`.
 *
 * @param wire     [in,out] loses the record; with SEC_I_RENEGOTIATE it stays, for a leg to read
 * @param to_plain [in,out] gets what was in it, at its end
 * @return SEC_E_OK; SEC_E_INCOMPLETE_MESSAGE, SEC_I_RENEGOTIATE, SEC_I_CONTEXT_EXPIRED (the peer's
 * close_notify), or a failure
 */
SECURITY_STATUS record_open(PCtxtHandle context, struct bytes *wire, struct bytes *to_plain);

/** Seals any number of bytes, in as many records as they need, at the end of `to_wire`. */
SECURITY_STATUS record_seal(PCtxtHandle context, const SecPkgContext_StreamSizes *sizes,
                            const void *data, size_t len, struct bytes *to_wire);

#endif
