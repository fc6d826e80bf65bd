/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A key that both sides have had before they meet (external PSK: RFC 8446, 2.2; RFC 4279), as a
 * caller gives it in SECBUFFER_PRESHARED_KEY and SECBUFFER_PRESHARED_KEY_IDENTITY. Pure; knows no
 * TLS library. What is done with it: tls_psk.c.
 */
#ifndef OSSPI_SCHANNEL_PSK_H
#define OSSPI_SCHANNEL_PSK_H

#include <sspi.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffers.h"

#define OSSPI_PSK_MAX_KEY      256u /* bytes */
#define OSSPI_PSK_MAX_IDENTITY 256u /* bytes; in TLS 1.2 one less, and none of them a NUL */

/** Points into the caller's buffers. key_len 0: none was given. */
struct osspi_psk {
    const uint8_t *identity;
    size_t identity_len; /* 1 to 256 */
    const uint8_t *key;
    size_t key_len; /* 1 to 256 */
};

/**
 * Reads the two buffers of a first leg.
 *
 * @return SEC_E_OK, also if there is neither; SEC_E_INVALID_TOKEN: one without the other, two of a
 *         kind, a length of 0 or above the limit, or one that does not agree with the buffer's.
 */
SECURITY_STATUS osspi_psk_parse(const struct osspi_buffers *buffers, struct osspi_psk *ret_psk);

#endif
