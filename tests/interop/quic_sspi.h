/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The side under test: TLS for a QUIC end by legs of InitializeSecurityContext and
 * AcceptSecurityContext in message mode. Written as a QUIC stack would: it knows nothing of the
 * library but its public headers. One thread.
 */
#ifndef OSSPI_TESTS_INTEROP_QUIC_SSPI_H
#define OSSPI_TESTS_INTEROP_QUIC_SSPI_H

#include "quic_end.h"

#define QUIC_SECRETS     4u
#define QUIC_SECRET_SIZE (sizeof(SEC_TRAFFIC_SECRETS) + 64)

struct quic_sspi {
    /* Set before quic_sspi_open; NULL and 0: what a good end has. */
    const struct peer_form *form;
    CredHandle *credential;
    const char *target; /* a client's */
    const char *alpn;
    ULONG flags;       /* beside those that it always has */
    bool parses_hello; /* a server: finds the client's parameters by itself, and subscribes to
                          nothing */
    bool aliases;      /* what was subscribed to is written over the input */
    size_t room;       /* of the output token at first; it grows when it is too small */
    size_t extra_room; /* of the extension at first */

    CtxtHandle context;
    bool has_context, complete;
    SECURITY_STATUS status;    /* of the last leg */
    struct peer_stream in;     /* of the epoch that is being read; not yet consumed */
    struct peer_stream params; /* one's own, as SEND_GENERIC_TLS_EXTENSION */
    bool params_received;
    enum quic_epoch reads, writes; /* the newest keys */
    /* Where in all that was ever put out the later epochs begin; SIZE_MAX: nowhere yet. */
    size_t total, handshake_from, application_from;
    uint8_t last_own[64]; /* the secret that was installed last, to know it again */
    uint8_t secrets[QUIC_SECRETS][QUIC_SECRET_SIZE];
    unsigned legs, too_small, extra_too_small, tickets;
};

/** Gives an end its TLS. The struct must stay until quic_sspi_close. */
void quic_sspi_open(struct quic_sspi *tls, struct quic_end *end);
void quic_sspi_close(struct quic_sspi *tls);

#endif
