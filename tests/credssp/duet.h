/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A client and a server of CredSSP that talk through memory: credentials by name, options, and the
 * exchange with both of its results. One thread uses one duet.
 */
#ifndef OSSPI_TESTS_CREDSSP_DUET_H
#define OSSPI_TESTS_CREDSSP_DUET_H

#include <credssp.h>
#include <opensspi.h>

#include "gssapi/realm.h"
#include "support/tls_peer.h"

#define DUET_USER     "alice"
#define DUET_PASSWORD "secret of alice"
#define DUET_TARGET   "TERMSRV/server.test"

/** How a duet is made; all zero: alice by NTLM, delegated, newest versions, TLS as it comes. */
struct duet_setup {
    const char *packages;                                 /* of Negotiate; NULL: "ntlm" */
    const char *password;                                 /* NULL: the right one */
    const char *certificate;                              /* of the server; NULL: "server" */
    const char *target;                                   /* NULL: DUET_TARGET */
    DWORD protocols;                                      /* SP_PROT_ of the client; 0: default */
    const char *second;                                   /* another one beside it, or NULL */
    bool keep;                                            /* nothing is delegated */
    ULONG client_min, client_max, server_min, server_max; /* versions; 0: default */
    ULONG client_options;
};

struct duet {
    struct peer_pair pair;
    SECURITY_STATUS client, server; /* of the last legs */
};

/** A realm with a KDC, users of NTLM, the test CA; and its end. For groups of cmocka. */
int duet_set_up(void **state);
int duet_tear_down(void **state);
extern struct realm duet_realm;

/** A client's or server's credential; fills form and end. */
SECURITY_STATUS duet_acquire_client(struct peer_end *end, const struct peer_form *form,
                                    const struct duet_setup *setup);
SECURITY_STATUS duet_acquire_server(struct peer_end *end, const struct peer_form *form,
                                    const struct duet_setup *setup);

/** Both credentials, or the test ends. */
void duet_open(struct duet *duet, const struct peer_form *form, const struct duet_setup *setup);
/** Legs until both are done, or one fails and the other one has seen what came of it. True: done.
 */
bool duet_talk(struct duet *duet);
/** Both, and it has to succeed. */
void duet_establish(struct duet *duet, const struct peer_form *form,
                    const struct duet_setup *setup);
void duet_close(struct duet *duet);

/** What the server was given: counts of UTF-16 in the identity are compared with ASCII. */
void duet_require_delegated(struct peer_end *server, const char *user, const char *domain,
                            const char *password);

#endif
