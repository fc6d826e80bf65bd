/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Vectors of variable length in handshake messages (RFC 8446, 3.4). Pure.
 */
#ifndef OSSPI_SCHANNEL_VECTOR_H
#define OSSPI_SCHANNEL_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Takes a vector whose length stands in one or two bytes off the front of [*at, end). False: it
 * goes beyond the end. */
static inline bool osspi_vector_take(const uint8_t **at, const uint8_t *end, size_t prefix,
                                     const uint8_t **ret_bytes, size_t *ret_len)
{
    size_t len;

    if ((size_t)(end - *at) < prefix)
        return false;
    len = prefix == 1 ? (*at)[0] : (size_t)(*at)[0] << 8 | (*at)[1];
    *at += prefix;
    if (len > (size_t)(end - *at))
        return false;
    *ret_bytes = *at;
    *ret_len = len;
    *at += len;
    return true;
}

#endif
