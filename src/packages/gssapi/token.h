/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the client of a server's context is to a thread that impersonates him: his name, and the
 * tickets that he has handed over (RFC 4120 2.6; GSS_C_DELEG_FLAG), if he has.
 *
 * Constant once made. The tickets are copied out of it, never used in place, so any number of
 * threads may have the same token.
 */
#ifndef OSSPI_GSSAPI_TOKEN_H
#define OSSPI_GSSAPI_TOKEN_H

#include "core/caller.h"
#include "packages/gssapi/context.h"

struct osspi_gss_token {
    struct osspi_token base;
    char *store; /* name of a cache in memory, which it owns; NULL: he handed nothing over */
};

/** The package's slot. Makes the token when it is first asked for. */
SECURITY_STATUS osspi_gss_client_token(struct osspi_context *context,
                                       struct osspi_token **ret_token);

/** The client's cache of tickets, good as long as the token is held; NULL: none. */
const char *osspi_gss_token_store(const struct osspi_token *token);

#endif
