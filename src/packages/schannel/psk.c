/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The buffers of a pre-shared key; see psk.h. Each is a 16-bit length and so many bytes. Callers
 * count the structure with or without the byte that its array is declared with and what pads it, so
 * a few bytes more at the end are no mistake.
 */
#include "packages/schannel/psk.h"

#include <string.h>

_Static_assert(sizeof(SEC_PRESHAREDKEY) == sizeof(SEC_PRESHAREDKEY_IDENTITY),
               "both have one shape");

#define HEADER sizeof(USHORT)
#define SLACK  (sizeof(SEC_PRESHAREDKEY) - HEADER)

/* Exactly one buffer of that type, whose length agrees with what it says. */
static SECURITY_STATUS take(const struct osspi_buffers *buffers, ULONG type, size_t max,
                            const uint8_t **ret_bytes, size_t *ret_len)
{
    const SecBuffer *buffer = osspi_buffers_find(buffers, type);
    USHORT len;

    if (!buffer || osspi_buffers_find_nth(buffers, type, 1) || !buffer->pvBuffer ||
        buffer->cbBuffer < HEADER)
        return SEC_E_INVALID_TOKEN;
    memcpy(&len, buffer->pvBuffer, HEADER);
    if (len == 0 || len > max || len > buffer->cbBuffer - HEADER ||
        buffer->cbBuffer - HEADER - len > SLACK)
        return SEC_E_INVALID_TOKEN;
    *ret_bytes = (const uint8_t *)buffer->pvBuffer + HEADER;
    *ret_len = len;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_psk_parse(const struct osspi_buffers *buffers, struct osspi_psk *ret_psk)
{
    struct osspi_psk psk = {0};
    SECURITY_STATUS status;

    *ret_psk = psk;
    if (!osspi_buffers_find(buffers, SECBUFFER_PRESHARED_KEY) &&
        !osspi_buffers_find(buffers, SECBUFFER_PRESHARED_KEY_IDENTITY))
        return SEC_E_OK;
    status = take(buffers, SECBUFFER_PRESHARED_KEY, OSSPI_PSK_MAX_KEY, &psk.key, &psk.key_len);
    if (status == SEC_E_OK)
        status = take(buffers, SECBUFFER_PRESHARED_KEY_IDENTITY, OSSPI_PSK_MAX_IDENTITY,
                      &psk.identity, &psk.identity_len);
    if (status == SEC_E_OK)
        *ret_psk = psk;
    return status;
}
