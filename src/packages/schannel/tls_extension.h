/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Extensions of TLS that the library does not know, and its caller does: sent in a ClientHello or
 * in EncryptedExtensions, and picked out of those of the peer (SECBUFFER_SEND_ and
 * SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION; leg_extension.c).
 *
 * Sending. OpenSSL adds extensions by callbacks that belong to an SSL_CTX, so a credential has, in
 * each shard, a configuration of its own for each set of code points (tls_config.c). What is sent
 * is the connection's affair. A server's extension goes out only to a client that has sent one of
 * the same code point (RFC 8446, 4.2).
 *
 * Receiving. The message callback shows ClientHello and EncryptedExtensions whole; what was asked
 * for is copied out, whatever its code point is. OpenSSL still judges the message, and nobody is
 * told anything before it has.
 *
 * Both sides of the security context are held wherever these structs are used.
 */
#ifndef OSSPI_SCHANNEL_TLS_EXTENSION_H
#define OSSPI_SCHANNEL_TLS_EXTENSION_H

#include <schannel.h>
#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSSPI_MAX_EXTENSIONS 8u /* that a connection sends */
#define OSSPI_MAX_EXTENSION_BYTES \
    16384u /* of all of them; OpenSSL's clients take 20,000 in all \
            */

struct osspi_tls;
struct osspi_tls_config;
struct osspi_schannel_credential;

struct osspi_extension {
    uint16_t type;
    bool there; /* received: the peer has sent it */
    size_t len;
    uint8_t *bytes; /* owned; NULL if len is 0 */
};

struct osspi_extensions {
    struct osspi_extension sent[OSSPI_MAX_EXTENSIONS]; /* by rising code points */
    size_t sent_count;
    struct osspi_extension received[SCH_MAX_EXT_SUBSCRIPTIONS]; /* those that were asked for */
    size_t asked_count;
    bool broken;   /* the peer has sent one twice, or another one the second time */
    bool reported; /* the caller has been told */
};

/** Wipes nothing: extensions are no secrets. NULL is a no-op. */
void osspi_extensions_free(struct osspi_extensions *extensions);

/** Does the TLS library handle this code point itself? Then nobody else can send it. */
bool osspi_extension_reserved(uint16_t type);

/** What comes from here on is looked at for these, until the next call. They are there until then;
 * NULL: no more. */
void osspi_tls_watch_extensions(struct osspi_tls *tls, struct osspi_extensions *extensions);

/** A set of code points, by which configurations differ. */
struct osspi_extension_set {
    uint16_t types[OSSPI_MAX_EXTENSIONS];
    uint16_t count;
};

/* ---- for the TLS side ---- */

/** The code points that are sent; NULL: none. */
struct osspi_extension_set osspi_extension_set_of(const struct osspi_extensions *extensions);

/** A handshake message of the peer's, whole, header included. False: no memory. */
bool osspi_extensions_see(struct osspi_extensions *extensions, bool server, const uint8_t *message,
                          size_t len) __attribute__((warn_unused_result));

/** The configuration of a credential in a shard that sends these; see osspi_tls_config_get(), whose
 * statuses it has. */
SECURITY_STATUS osspi_tls_config_get_with(struct osspi_schannel_credential *credential,
                                          uint32_t shard, bool datagram,
                                          const struct osspi_extensions *extensions,
                                          struct osspi_tls_config **ret_config)
    __attribute__((warn_unused_result));

#endif
