/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What stands between this library and PKCS #11: the pkcs11 provider or the pkcs11 engine of the
 * TLS library. Private to pkcs11*.c.
 *
 * A session is one of them with one module loaded and initialised. It lives until the process ends:
 * finalising a module would end it for everybody else in the process, and could hang. The parent's
 * sessions are not touched in a forked child.
 *
 * Calls on one session are made one at a time. Each is inside OSSPI_CRYPTO_CALL.
 */
#ifndef OSSPI_CERT_PKCS11_BACKEND_H
#define OSSPI_CERT_PKCS11_BACKEND_H

#include "cert/crypto.h"
#include "cert/key.h"

struct osspi_token_backend {
    /** Asks for a session of its own for each PIN, not only for each module. */
    bool by_pin;

    /**
     * Starts one. The PIN stays where it is as long as the session lives.
     *
     * @param[in] module  file name of the PKCS #11 module; NULL: the machine's default
     * @return NULL: it is not installed, does not start, or there is no memory.
     */
    void *(*start)(const char *module, const struct osspi_secret *pin);

    /** Finds the private key of a path (osspi_token_uri). Statuses of osspi_token_open(). */
    SECURITY_STATUS (*key)(void *session, const char *path, const struct osspi_secret *pin,
                           EVP_PKEY **ret_key);

    /** Finds the certificate of a path. */
    SECURITY_STATUS (*certificate)(void *session, const char *path, const struct osspi_secret *pin,
                                   X509 **ret_certificate);
};

extern const struct osspi_token_backend osspi_token_provider; /* pkcs11_provider.c */
extern const struct osspi_token_backend osspi_token_engine;   /* pkcs11_engine.c */

/** How a user interface is asked for a PIN. */
struct osspi_token_asked {
    const struct osspi_secret *pin; /* the answer; NULL or empty: none */
    unsigned count;                 /* how often it was asked for */
};

/** A user interface that answers out of a struct osspi_token_asked, and never asks a person. NULL:
 * no memory. Never freed. */
UI_METHOD *osspi_token_ui(void);

#endif
