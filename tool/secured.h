/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a security context that is no TLS tells of itself: package, names, flags, sizes, lifetime.
 * Never the session's key. For people and as JSON.
 */
#ifndef SSPI_TOOL_SECURED_H
#define SSPI_TOOL_SECURED_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <sspi.h>

struct secured {
    char package[64];              /* that Negotiate has chosen, or that was asked for */
    char client[512], server[512]; /* names; "" if nobody tells */
    ULONG flags;                   /* ISC_RET_... or ASC_RET_... */
    bool server_side;
    SecPkgContext_Sizes sizes;
    char cipher[64]; /* of the session's key; "" if unknown */
    char until[32];  /* "" if unknown */
};

/** Asks a context that is established; what it does not tell stays empty. */
void secured_read(PCtxtHandle context, bool server_side, struct secured *ret_secured);

/** Prints it, one a line. */
void secured_print(FILE *stream, const struct secured *secured);

/** The same as an object; NULL if there is no memory. */
json_t *secured_json(const struct secured *secured);

/** Did the server prove who it is (client side)? */
bool secured_is_mutual(const struct secured *secured);

#endif
