/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a datagram connection asks of the TLS library beyond tls.h: see tls_datagram.c. Not
 * thread-safe, like the connection.
 */
#ifndef OSSPI_SCHANNEL_TLS_DATAGRAM_H
#define OSSPI_SCHANNEL_TLS_DATAGRAM_H

#include "packages/schannel/datagram.h"
#include "packages/schannel/tls.h"

/** For struct osspi_tls_setup. */
struct osspi_datagram_setup {
    const uint8_t *srtp; /* profiles as on the wire, two bytes each, or NULL */
    size_t srtp_len;
};

/** Does the TLS library know one of these profiles? */
bool osspi_tls_srtp_known(const uint8_t *profiles, size_t len);

/** The profile that was agreed on, 0: none. */
uint16_t osspi_tls_srtp_profile(const struct osspi_tls *tls);

/** A server's first record: a ClientHello whose cookie has been checked. As osspi_tls_handshake();
 * *ret_heard false: the TLS library sees no ClientHello in it, and a new connection has to be made
 * for the next one. */
enum osspi_tls_step osspi_tls_listen(struct osspi_tls *tls, const uint8_t *record, size_t len,
                                     bool *ret_heard);

/** Suite and secrets of the handshake under way; from its first sealed record on. To be wiped.
 * SEC_E_OK; SEC_E_INTERNAL_ERROR. */
SECURITY_STATUS osspi_tls_datagram_keys(struct osspi_tls *tls, struct osspi_datagram_keys *ret_keys)
    __attribute__((warn_unused_result));

#endif
