/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What OpenSSL calls during the work of a connection. Each runs inside a call on that connection.
 */
#ifndef OSSPI_SCHANNEL_TLS_CALLBACKS_H
#define OSSPI_SCHANNEL_TLS_CALLBACKS_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "packages/schannel/tls_internal.h"

/** The connection behind an SSL. */
struct osspi_tls *osspi_tls_of(const SSL *ssl);

/** Client: a session can be kept. SSL_CTX_sess_set_new_cb(). */
int osspi_tls_on_session(SSL *ssl, SSL_SESSION *session);

/** Server: chooses by its own order. SSL_CTX_set_alpn_select_cb(). */
int osspi_tls_on_alpn(SSL *ssl, const unsigned char **ret_id, unsigned char *ret_len,
                      const unsigned char *offered, unsigned int offered_len, void *argument);

/** Sees every header, content type, alert and message. SSL_set_msg_callback(). */
void osspi_tls_on_message(int sending, int version, int content_type, const void *bytes, size_t len,
                          SSL *ssl, void *argument);

/** Does the list of length-prefixed identifiers hold this one? */
bool osspi_tls_is_offered(const uint8_t *list, size_t len, const uint8_t *id, size_t id_len);

#endif
