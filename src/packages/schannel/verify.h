/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Verification of the peer's certificate: chain, purpose, time, trust, revocation, name.
 */
#ifndef OSSPI_SCHANNEL_VERIFY_H
#define OSSPI_SCHANNEL_VERIFY_H

#include <openssl/x509_vfy.h>
#include <sspi.h>

#include "packages/schannel/tls_internal.h"

/** For SSL_CTX_set_cert_verify_callback(), both roles; argument unused. Leaves status, words, what
 * CERT_CHECK_RESULT tells, and the session's origin on the connection. */
int osspi_verify_peer(X509_STORE_CTX *store, void *argument);

/** Everything about verification that a configuration holds: callbacks, depth, verify_may_wait. */
void osspi_verify_configure(struct osspi_tls_config *config);

/** Before a connection starts: a client that checks revocation asks for a stapled answer. False: no
 * memory. */
bool osspi_verify_prepare(struct osspi_tls *tls);

/** Forgets verdicts, answers about revocation, fetched lists and stapled answers. */
void osspi_verify_forget(void);

/** Lets go of what verification has left open. */
void osspi_verify_clear(struct osspi_tls *tls);

/** The status of a verdict of OpenSSL (X509_V_...). */
SECURITY_STATUS osspi_verify_status(int verdict);

#endif
