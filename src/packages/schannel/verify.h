/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Verification of the peer's certificate: chain, purpose, time, trust, revocation, name.
 */
#ifndef OSSPI_SCHANNEL_VERIFY_H
#define OSSPI_SCHANNEL_VERIFY_H

#include <openssl/x509_vfy.h>
#include <sspi.h>

/** For SSL_CTX_set_cert_verify_callback(), both roles; argument unused. Leaves status, words and
 * the session's origin on the connection. */
int osspi_verify_peer(X509_STORE_CTX *store, void *argument);

/** The status of a verdict of OpenSSL (X509_V_...). */
SECURITY_STATUS osspi_verify_status(int verdict);

#endif
