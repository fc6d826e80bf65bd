/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Early data as a context has them: out of a client's first leg, and what a server has received of
 * them, until OSSPI_ATTR_EARLY_DATA asks. See tls_early.h for the TLS side.
 */
#ifndef OSSPI_SCHANNEL_EARLY_H
#define OSSPI_SCHANNEL_EARLY_H

#include "packages/schannel/leg.h"

/** Client, first leg: takes SECBUFFER_DATA for early data, if there is one. SEC_E_OK;
 * SEC_E_INVALID_TOKEN: two of them, or one without memory. */
SECURITY_STATUS osspi_early_send(struct osspi_leg_run *run);

/** After a step of the handshake: moves what has come of it to where the query finds it. SEC_E_OK;
 * SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_early_tell(struct osspi_schannel_context *sc);

#endif
