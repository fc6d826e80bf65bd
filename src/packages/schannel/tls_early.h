/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Early data (0-RTT, RFC 8446, 2.3 and 4.2.10) on the TLS side; off unless the credential's
 * OSSPI_TLS_EARLY_DATA is set. Streams of TLS 1.3 alone: neither DTLS nor message mode has any.
 *
 * The caller serialises calls on the connection.
 */
#ifndef OSSPI_SCHANNEL_TLS_EARLY_H
#define OSSPI_SCHANNEL_TLS_EARLY_H

#include "packages/schannel/tls_internal.h"

/** Lets a server's SSL_CTX issue tickets for early data, and judge what comes with them. False: no
 * memory. */
bool osspi_tls_early_configure(struct osspi_tls_config *config);

/** Prepares a connection, in front of its handshake. False: no memory. */
bool osspi_tls_early_prepare(struct osspi_tls *tls);

/** A step of the handshake, as SSL_do_handshake(). */
int osspi_tls_early_run(struct osspi_tls *tls);

/** Wipes and frees. */
void osspi_tls_early_clear(struct osspi_tls *tls);

#endif
