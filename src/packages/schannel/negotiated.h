/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Which TLS extensions were negotiated, for SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS: those with which
 * the server answered. Both sides read them from the server's messages. Pure functions.
 *
 * An idle connection keeps a bit for each extension that is known here; numbers of others are kept
 * as they are.
 */
#ifndef OSSPI_SCHANNEL_NEGOTIATED_H
#define OSSPI_SCHANNEL_NEGOTIATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSSPI_NEGOTIATED_KNOWN  32u /* at most */
#define OSSPI_NEGOTIATED_OTHERS 4u

struct osspi_negotiated {
    uint32_t known; /* a bit each */
    uint8_t other_count;
    uint16_t others[OSSPI_NEGOTIATED_OTHERS];
    /* TLS 1.2: of the first two vectors in ServerKeyExchange, taken for numbers. With DHE the prime
     * is the first, or, with a pre-shared key, the second. */
    uint16_t first_bits, second_bits;
};

/**
 * Sees a handshake message of the server: notes the extensions of a ServerHello, in place of those
 * of an earlier one (HelloRetryRequest), adds those of EncryptedExtensions, and of the leaf in a
 * Certificate of TLS 1.3; and looks at the ServerKeyExchange of TLS 1.2. What is no such message,
 * or malformed, changes nothing; the TLS library judges it.
 *
 * @param body   behind the message's header
 * @param tls13  TLS 1.3 is spoken
 */
void osspi_negotiated_see(struct osspi_negotiated *negotiated, uint8_t type, const uint8_t *body,
                          size_t len, bool tls13);

/** The numbers of the known ones, in rising order. */
size_t osspi_negotiated_list(uint32_t known, uint16_t ret_types[OSSPI_NEGOTIATED_KNOWN]);

#endif
