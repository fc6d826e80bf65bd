/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What legs of clients and servers have in common: buffers in, tokens out, and the facts of a
 * context that is established.
 */
#ifndef OSSPI_GSSAPI_LEG_H
#define OSSPI_GSSAPI_LEG_H

#include "packages/gssapi/context.h"

/** What came in. Points into the caller's buffers. */
struct osspi_gss_input {
    gss_buffer_desc token; /* empty: none */
    struct gss_channel_bindings_struct bindings;
    bool has_bindings;
};

/** Reads TOKEN and CHANNEL_BINDINGS. SEC_E_INVALID_TOKEN: bindings that point beyond their end, a
 * token that is too long, or no place for one that goes out. */
SECURITY_STATUS osspi_gss_read_input(const struct osspi_leg *leg,
                                     struct osspi_gss_input *ret_input);

static inline gss_channel_bindings_t osspi_gss_bindings(struct osspi_gss_input *input)
{
    return input->has_bindings ? &input->bindings : GSS_C_NO_CHANNEL_BINDINGS;
}

/**
 * Hands the context's token to the caller, and makes status the leg's. One that does not fit stays
 * with the context until a leg comes that has room.
 */
SECURITY_STATUS osspi_gss_give_token(struct osspi_gss_context *gc, struct osspi_leg *leg,
                                     SECURITY_STATUS status);

/** A leg has failed, and with it the context: an error token goes out if the caller wants one. */
SECURITY_STATUS osspi_gss_fail(struct osspi_gss_context *gc, struct osspi_leg *leg,
                               SECURITY_STATUS status);

/** Is a token held for want of room? */
static inline bool osspi_gss_holds_token(const struct osspi_gss_context *gc)
{
    return gc->token.value != NULL;
}

/** The context is complete: notes all that queries will ask for. Inside OSSPI_GSS_CALL. flags: as
 * GSSAPI gave them. */
SECURITY_STATUS osspi_gss_establish(struct osspi_context *context, OM_uint32 flags,
                                    OM_uint32 lifetime);

/** Which of the two an object identifier is; 0: neither. */
unsigned osspi_gss_mechanism_of(gss_const_OID mechanism);

#endif
