/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Bytes as text, and text as bytes, for this folder's own use. Thread-safe: no state.
 */
#ifndef OSSPI_CERT_ENCODE_H
#define OSSPI_CERT_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "cert/key.h"

/** Writes 2 * len lower-case hexadecimal digits and a NUL. */
void osspi_encode_hex(const uint8_t *bytes, size_t len, char *ret_text);

/**
 * Reads text of a form that CryptStringToBinary knows.
 *
 * @param[in]  form       CRYPT_STRING_..., CRYPT_STRING_STRICT allowed
 * @param[in]  text       len characters; what is not ASCII is in no form but CRYPT_STRING_BINARY
 * @param[out] ret_bytes  at most len bytes; NULL allowed: only checked and counted
 * @param[out] ret_len    bytes the text stands for
 * @param[out] ret_skip   characters before the header, 0 without one
 * @param[out] ret_form   the form it was
 * @return SEC_E_OK; CRYPT_E_NO_MATCH: not of this form.
 */
SECURITY_STATUS osspi_decode_text(DWORD form, const char *text, size_t len, uint8_t *ret_bytes,
                                  size_t *ret_len, size_t *ret_skip, DWORD *ret_form);

#endif
