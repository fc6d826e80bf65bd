/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Message mode as the files of the TLS side see it (message_tls.c). tls->messages is not NULL.
 */
#ifndef OSSPI_SCHANNEL_MESSAGE_TLS_H
#define OSSPI_SCHANNEL_MESSAGE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct osspi_tls;

/** TLS 1.3 alone, without the disguise for middle boxes. False: OpenSSL refuses. */
bool osspi_messages_prepare(struct osspi_tls *tls);

/** OpenSSL sends a handshake message, whole: into the flight. */
void osspi_messages_see_sent(struct osspi_tls *tls, const uint8_t *message, size_t len);

/** OpenSSL has derived a secret: its label in the key schedule, or its name in a key log. */
void osspi_messages_see_secret(struct osspi_tls *tls, const char *name, size_t name_len,
                               const uint8_t *secret, size_t len);

#endif
