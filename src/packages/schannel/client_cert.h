/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The certificate that a client shows when it is asked; see client_cert.c.
 */
#ifndef OSSPI_SCHANNEL_CLIENT_CERT_H
#define OSSPI_SCHANNEL_CLIENT_CERT_H

#include "packages/schannel/tls_internal.h"

/** For SSL_set_cert_cb() on a client: the server has asked. 1: go on, with what was chosen or
 * without; 0: out of memory, or the choice cannot be used; -1: suspended, tls->wants tells why. */
int osspi_client_cert_choose(SSL *ssl, void *argument);

/** Keeps the names that the server accepts, or that we send; once. False: no memory. */
bool osspi_client_cert_note_issuers(struct osspi_tls *tls, const STACK_OF(X509_NAME) * names);

#endif
