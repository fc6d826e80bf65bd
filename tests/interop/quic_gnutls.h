/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The independent side: TLS for a QUIC end by GnuTLS, as ngtcp2's own helper connects the two.
 * One thread.
 */
#ifndef OSSPI_TESTS_INTEROP_QUIC_GNUTLS_H
#define OSSPI_TESTS_INTEROP_QUIC_GNUTLS_H

#include <gnutls/gnutls.h>

#include "quic_end.h"

struct quic_gnutls {
    /* Set before quic_gnutls_open; NULL and 0: what a good end has. */
    const char *ciphers, *groups; /* of the priority string, each with its sign */
    const char *certificate;      /* name of a test certificate; a server's is "server" */
    const char *authority;        /* whom a client trusts */
    const char *alpn;
    const char *resume; /* a client: the file-like bytes of a session, see session */
    size_t resume_len;
    bool one_share;   /* a client: a key share for its first group only */
    bool asks_client; /* a server: wants a certificate */
    bool no_tickets;

    gnutls_session_t session_handle;
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t ticket_key;  /* a server's; keep it to resume */
    struct peer_stream session; /* a client: what it can resume with, once a ticket has come */
};

/** Gives an end its TLS. The struct must stay until quic_gnutls_close. */
void quic_gnutls_open(struct quic_gnutls *tls, struct quic_end *end);
void quic_gnutls_close(struct quic_gnutls *tls);
/** The ALPN value that was agreed upon, or "". */
void quic_gnutls_alpn(const struct quic_gnutls *tls, char *text, size_t size);

#endif
