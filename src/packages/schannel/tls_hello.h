/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a server decides when it has read a ClientHello, before anything is negotiated or resumed:
 * which certificates to present (by the server name), and which restrictions of the credential hold
 * (by the application protocol, and by what the client can do).
 *
 * The rule for certificates stands in docs/schannel.md, "Certificates by name".
 */
#ifndef OSSPI_SCHANNEL_TLS_HELLO_H
#define OSSPI_SCHANNEL_TLS_HELLO_H

#include <openssl/ssl.h>
#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/tls_internal.h"

/** SSL_CTX_set_client_hello_cb(). */
int osspi_hello_on_client(SSL *ssl, int *ret_alert, void *argument);

/** SSL_CTX_set_tlsext_servername_callback(): the client is told that its name was of use. */
int osspi_hello_on_name(SSL *ssl, int *ret_alert, void *argument);

/** The same where any name will do: sessions keep the name, and a client that renegotiates on a
 * resumed connection can be held to it. */
int osspi_hello_on_any_name(SSL *ssl, int *ret_alert, void *argument);

/** Is the identity the first of its kind of key among those that fit the name at least so well?
 * name NULL: among all. OpenSSL holds one certificate for each kind of key. */
bool osspi_hello_is_first(const struct osspi_identity_set *set,
                          const struct osspi_materials *materials, size_t index, const char *name,
                          enum osspi_match match);

/**
 * The part of the session id context that a credential's policy and the certificates in use make:
 * a session made with one certificate is not resumed by a connection that presents another.
 *
 * @param[in] tls    NULL: the certificates that are presented by default; else those that fit name
 * @param[in] offer  what a connection was narrowed to; NULL: nothing was narrowed
 */
SECURITY_STATUS osspi_hello_session_context(const struct osspi_tls_config *config,
                                            const struct osspi_tls *tls, const char *name,
                                            const struct osspi_tls_offer *offer,
                                            uint8_t ret_context[32]);

/** Sets the context on the connection, with the bits of its own policy. */
bool osspi_hello_set_context(struct osspi_tls *tls, const uint8_t context[32]);

/** A copy for osspi_hello_free_entries(), never NULL for want of entries. NULL: no memory. */
struct osspi_tls_entry *osspi_hello_copy_entries(const struct osspi_tls_entry *entries,
                                                 size_t count);
void osspi_hello_free_entries(struct osspi_tls_entry *entries, size_t count);

#endif
