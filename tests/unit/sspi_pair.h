/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A client and a server of Schannel against each other, in one process and through the public
 * calls alone, with buffers as callers have them. For one thread per pair.
 */
#ifndef OSSPI_TESTS_UNIT_SSPI_PAIR_H
#define OSSPI_TESTS_UNIT_SSPI_PAIR_H

#include <schannel.h>
#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/tls_certs.h"

#define SSPI_STREAM_SIZE 131072u
#define SSPI_TARGET      "server.test"

/** Bytes on their way to one end. */
struct sspi_stream {
    uint8_t bytes[SSPI_STREAM_SIZE];
    size_t len;
};

struct sspi_end {
    bool server;
    CredHandle credential;
    CtxtHandle context;
    bool has_credential, has_context;
    struct sspi_stream in; /* what the other end has sent */
    const char *target;    /* client; NULL: none */
    ULONG flags;           /* of each leg */
    const void *alpn;      /* a SEC_APPLICATION_PROTOCOLS, first leg only, or NULL */
    ULONG alpn_size;
    ULONG attributes; /* of the last leg */
    TimeStamp expiry;
    SecPkgContext_StreamSizes sizes; /* once established */
};

struct sspi_pair {
    struct sspi_end client, server;
};

/** Credentials as most tests want them; the caller may change the structure between the two. */
SCHANNEL_CRED sspi_schannel_cred(PCCERT_CONTEXT *certificate);
SECURITY_STATUS sspi_acquire(struct sspi_end *end, void *auth);

/** Both ends with fresh credentials: SP_PROT_ bits of the client (0: default), server certificate.
 */
void sspi_pair_init(struct sspi_pair *pair, DWORD client_protocols, const char *certificate);
void sspi_pair_clear(struct sspi_pair *pair);

/** Drops the contexts, keeps the credentials. */
void sspi_pair_disconnect(struct sspi_pair *pair);

/** One leg with all that has arrived; output goes to the other end, consumed input away. */
SECURITY_STATUS sspi_leg(struct sspi_end *end, struct sspi_end *to);

/** The same with `out_size` bytes of room for the token. */
SECURITY_STATUS sspi_leg_into(struct sspi_end *end, struct sspi_end *to, uint8_t *out,
                              ULONG out_size);

/** Goes on until both are done or one fails; returns the failure, or SEC_E_OK. */
SECURITY_STATUS sspi_handshake(struct sspi_pair *pair);

/** Handshake and stream sizes, or the test ends. */
void sspi_connect(struct sspi_pair *pair);

/** Seals and sends. */
SECURITY_STATUS sspi_send(struct sspi_end *from, struct sspi_end *to, const void *data, size_t len);

/** Opens one record of what has arrived; takes it off the stream (RENEGOTIATE: leaves it). */
SECURITY_STATUS sspi_receive(struct sspi_end *end, void *data, size_t size, size_t *ret_len);

/** Receives until application data come, running legs for SEC_I_RENEGOTIATE in between. */
SECURITY_STATUS sspi_receive_data(struct sspi_end *end, struct sspi_end *peer, void *data,
                                  size_t size, size_t *ret_len);

/** ApplyControlToken(SHUTDOWN) and the leg that makes the alert. */
SECURITY_STATUS sspi_shutdown(struct sspi_end *end, struct sspi_end *to);

#endif
