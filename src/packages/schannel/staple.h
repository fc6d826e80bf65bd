/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A server's stapled OCSP answers (RFC 6066 8, RFC 8446 4.4.2.1), with SCH_CRED_SNI_ENABLE_OCSP.
 *
 * The answer about a certificate of ours is fetched in the background, kept for the process, and
 * renewed when half of its time is over. No handshake ever waits for one: while there is none, or
 * none that is good, a client gets none. Thread-safe.
 */
#ifndef OSSPI_SCHANNEL_STAPLE_H
#define OSSPI_SCHANNEL_STAPLE_H

#include <openssl/ssl.h>

/** Staples on connections of this SSL_CTX from here on, and sends for the answers about its
 * certificates. */
void osspi_staple_enable(SSL_CTX *ctx);

/** Forgets all answers. */
void osspi_staple_forget(void);

#endif
