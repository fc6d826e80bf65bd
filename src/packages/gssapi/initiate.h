/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a client does before its first token: chooses Kerberos or NTLM, gets the ticket, and makes
 * GSSAPI's credential and target of them.
 */
#ifndef OSSPI_GSSAPI_INITIATE_H
#define OSSPI_GSSAPI_INITIATE_H

#include "packages/gssapi/context.h"

/** May answer OSSPI_WANT_BLOCKING, with the lane's class noted; then nothing has happened yet. */
SECURITY_STATUS osspi_gss_prepare(struct osspi_context *context, struct osspi_leg *leg);

/**
 * From its first leg on a client of Negotiate that has only NTLM to offer sends NTLM's own tokens,
 * without those of SPNEGO around them. That is what Windows does; in CredSSP there are servers that
 * understand nothing else.
 */
void osspi_gss_go_bare(struct osspi_context *context);

/** What GSSAPI is to speak, once the choice is made. */
static inline gss_OID osspi_gss_client_mechanism(const struct osspi_gss_context *gc,
                                                 const struct osspi_gss_credential *data)
{
    return gc->bare && gc->choice == OSSPI_GSS_NTLM ? &osspi_gss_oid_ntlm : data->facts->mechanism;
}

#endif
