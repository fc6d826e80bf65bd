/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Servers with several certificates: acquiring with a principal, in either form, and telling which
 * certificate a client was shown. One thread uses one end.
 */
#ifndef OSSPI_TESTS_SUPPORT_TLS_SHOWN_H
#define OSSPI_TESTS_SUPPORT_TLS_SHOWN_H

#include "support/tls_peer.h"

/** Acquires for a principal, in the form's way. */
SECURITY_STATUS shown_acquire(const struct peer_form *form, const char *principal, ULONG use,
                              void *auth, PCredHandle credential);

/** Gives the server certificates (NULL-terminated names of test certificates), a principal or NULL,
 * and SCH_CRED_ flags. */
SECURITY_STATUS shown_serve(struct peer_end *server, const char *principal, DWORD flags,
                            const char *const *names);

/** AddCredentials with one test certificate. */
SECURITY_STATUS shown_add(struct peer_end *server, const char *principal, const char *name);

/** OsspiRenewCredential with these test certificates. */
SECURITY_STATUS shown_renew(struct peer_end *end, const char *const *names);

/** Was this test certificate the one that the other end has shown? */
bool shown_is(struct peer_end *end, const char *name);

/** Connects to a target and looks; the contexts are gone afterwards. The client must be acquired.
 * Ends the test if the connection cannot be made. */
void shown_expect(struct peer_pair *pair, const char *target, const char *name);

/** Has the connection resumed a session? */
bool shown_resumed(struct peer_end *end);

/** Connects, exchanges data (so that tickets come in), disconnects; did both sides resume? */
bool shown_connect_resumes(struct peer_pair *pair);

#endif
