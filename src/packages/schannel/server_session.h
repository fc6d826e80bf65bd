/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A server's sessions for clients of TLS 1.2 without tickets: between the TLS library and the cache
 * (id_cache.h). They are honoured as tickets are: the same session id context, the same ends.
 *
 * Each such session is kept. Whether it may be resumed is what the credential says
 * (SCH_CRED_DISABLE_RECONNECTS) and what a SCHANNEL_SESSION_TOKEN changes, then or later.
 * Thread-safe.
 */
#ifndef OSSPI_SCHANNEL_SERVER_SESSION_H
#define OSSPI_SCHANNEL_SERVER_SESSION_H

#include <openssl/ssl.h>

/** Lets a server's SSL_CTX keep and find sessions. For what comes later see tls.h. */
void osspi_server_session_configure(SSL_CTX *ctx);

#endif
