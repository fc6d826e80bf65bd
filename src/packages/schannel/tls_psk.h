/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * An external PSK on the TLS side. The key authenticates both sides: no certificate is sent, none
 * is verified, no name is compared. No session comes out of such a connection, so that none can
 * serve where certificates count.
 *
 * The caller serialises calls on the connection.
 */
#ifndef OSSPI_SCHANNEL_TLS_PSK_H
#define OSSPI_SCHANNEL_TLS_PSK_H

#include "packages/schannel/psk.h"
#include "packages/schannel/tls_internal.h"

/** Keeps a copy of the key and offers it, or takes it; before the handshake. Suites with a PSK come
 * first. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; SEC_E_ALGORITHM_MISMATCH: no suite is left. */
SECURITY_STATUS osspi_tls_psk_prepare(struct osspi_tls *tls, const struct osspi_psk *psk)
    __attribute__((warn_unused_result));

/** Does the key authenticate the connection? Known from the ServerHello on (TLS 1.3), or from the
 * ClientKeyExchange (1.2). */
bool osspi_tls_psk_used(const struct osspi_tls *tls);

/** A server has read a handshake message (header included). */
void osspi_tls_psk_see(struct osspi_tls *tls, const uint8_t *message, size_t len);

/** Wipes and frees. */
void osspi_tls_psk_clear(struct osspi_tls *tls);

#endif
