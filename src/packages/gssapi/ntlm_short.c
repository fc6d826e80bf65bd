/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages of NTLM clients without the fields of later versions; see ntlm_short.h.
 */
#include "packages/gssapi/ntlm_short.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#define NEGOTIATE_HEAD    16u
#define NEGOTIATE_WHOLE   40u /* with both names' fields, and Version */
#define AUTHENTICATE_HEAD 64u
#define AUTHENTICATE_MORE 8u /* Version */

#define FIELD_FIRST 12u /* of AUTHENTICATE: LM's response; five more, of 8 bytes each, follow */
#define FIELD_COUNT 6u

enum message_type { NEGOTIATE = 1, AUTHENTICATE = 3 };

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void put32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

/* Is some field's content where Version ought to be? Empty fields have theirs nowhere. */
static bool is_short_authenticate(const uint8_t *message, size_t len)
{
    bool found = false;

    if (len < AUTHENTICATE_HEAD)
        return false;
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        const uint8_t *field = message + FIELD_FIRST + i * 8u;
        const uint32_t size = (uint32_t)field[0] | (uint32_t)field[1] << 8, at = get32(field + 4);

        if (size == 0)
            continue;
        if (at < AUTHENTICATE_HEAD || at > len || size > len - at)
            return false; /* the mechanism may say what is wrong with it */
        found |= at < AUTHENTICATE_HEAD + AUTHENTICATE_MORE;
    }
    return found;
}

static SECURITY_STATUS lengthen_negotiate(const uint8_t *message, size_t len, void **ret_message,
                                          size_t *ret_len)
{
    uint8_t *whole = osspi_alloc(NEGOTIATE_WHOLE);

    if (!whole)
        return SEC_E_INSUFFICIENT_MEMORY;
    memset(whole, 0, NEGOTIATE_WHOLE);
    memcpy(whole, message, len);
    *ret_message = whole;
    *ret_len = NEGOTIATE_WHOLE;
    return SEC_E_OK;
}

static SECURITY_STATUS lengthen_authenticate(const uint8_t *message, size_t len, void **ret_message,
                                             size_t *ret_len)
{
    uint8_t *whole = osspi_alloc(len + AUTHENTICATE_MORE);

    if (!whole)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(whole, message, AUTHENTICATE_HEAD);
    memset(whole + AUTHENTICATE_HEAD, 0, AUTHENTICATE_MORE);
    memcpy(whole + AUTHENTICATE_HEAD + AUTHENTICATE_MORE, message + AUTHENTICATE_HEAD,
           len - AUTHENTICATE_HEAD);
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        uint8_t *at = whole + FIELD_FIRST + i * 8u + 4u;

        put32(at, get32(at) + AUTHENTICATE_MORE);
    }
    *ret_message = whole;
    *ret_len = len + AUTHENTICATE_MORE;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_ntlm_lengthen(const void *token, size_t len, void **ret_message,
                                    size_t *ret_len)
{
    static const uint8_t signature[8] = "NTLMSSP"; /* with its NUL */
    const uint8_t *message = token;

    *ret_message = NULL;
    *ret_len = 0;
    if (len < NEGOTIATE_HEAD || memcmp(message, signature, sizeof(signature)) != 0)
        return SEC_E_OK;
    switch (get32(message + 8)) {
    case NEGOTIATE:
        return len < NEGOTIATE_WHOLE ? lengthen_negotiate(message, len, ret_message, ret_len)
                                     : SEC_E_OK;
    case AUTHENTICATE:
        return is_short_authenticate(message, len)
                   ? lengthen_authenticate(message, len, ret_message, ret_len)
                   : SEC_E_OK;
    default:
        return SEC_E_OK;
    }
}
