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

#endif
