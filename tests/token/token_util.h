/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The SoftHSM token of the tests (tests/token/make-token), the module that hangs on demand in front
 * of it (tests/support/hanging_pkcs11.c), and URIs for what lies in it.
 */
#ifndef OSSPI_TESTS_TOKEN_UTIL_H
#define OSSPI_TESTS_TOKEN_UTIL_H

#include "support/tls_peer.h"

#define TOKEN_PIN "1234"

/** Ends the program with 77 (skipped) where there is no token; a failure if OSSPI_REQUIRE_PEERS is
 * set. Changes the environment: before any thread and any credential. To be called by main(). */
void token_begin(void);

/** What the module does from here on; "" or NULL: it works. */
void token_mode(const char *mode);
/** How many calls have come to hang, ever. */
size_t token_inside(void);
/** How often somebody has tried to log in. */
size_t token_logins(void);
/** Waits until so many calls hang, or did. */
void token_await_inside(size_t count);

/** Path of the hanging module, percent-encoded. */
const char *token_module(void);

/** A URI in the hanging module. type, pin: NULL leaves the attribute out. The result lasts until
 * the tenth call after. */
const char *token_uri(const char *object, const char *type, const char *pin);

/** A certificate and its key, both in the token; or only the key, the certificate with its chain in
 * the PEM file of that name. */
PCCERT_CONTEXT token_certificate(const char *name);
PCCERT_CONTEXT token_chain(const char *name);

/** Gives an end a credential with this certificate, which it frees. protocols: SP_PROT_ bits. */
SECURITY_STATUS token_acquire(struct peer_end *end, DWORD protocols, PCCERT_CONTEXT certificate);

/** A pair whose server has its key in the token. */
void token_open(struct peer_pair *pair, const struct peer_form *form, DWORD client_protocols,
                const char *server);

#endif
