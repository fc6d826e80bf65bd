/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a client of Kerberos needs before GSSAPI is asked: the ticket for the service, in a cache of
 * the security context's own. From there on GSSAPI needs no network.
 */
#ifndef OSSPI_GSSAPI_LOGIN_H
#define OSSPI_GSSAPI_LOGIN_H

#include "packages/gssapi/credential.h"

struct osspi_login {
    const char *target;
    bool delegates;       /* the client's own ticket goes into the cache too */
    bool may_wait;        /* for a network */
    uint64_t deadline_ns; /* of all exchanges together */

    /* out */
    bool wants_network; /* and was not allowed to; nothing else has happened */
    bool possible;      /* failed, but there is a KDC, or nobody knows: it may be an attack */
    char *cache;        /* name of the context's cache; destroyed with osspi_login_end() */
    char *server;       /* principal of the service, as text */
    char lane_class[OSSPI_CLASS_NAME_SIZE];
};

/** Finds or fetches the ticket. Not inside OSSPI_GSS_CALL. Notes what went wrong in the context's
 * detail. */
SECURITY_STATUS osspi_login(const struct osspi_gss_credential *credential,
                            struct osspi_context *context, struct osspi_login *login);

/** Destroys the cache and frees the names. */
void osspi_login_end(char **cache, char **server);

#endif
