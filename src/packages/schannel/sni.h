/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The credentials of the process that were acquired with SCH_CRED_SNI_CREDENTIAL: a server that
 * accepts with one of them presents the certificate of another where the client's server name says
 * so. Nothing but the certificate comes from the other; policy stays that of the credential in use.
 *
 * Thread-safe. A forked child goes on with its parent's list.
 */
#ifndef OSSPI_SCHANNEL_SNI_H
#define OSSPI_SCHANNEL_SNI_H

#include "packages/schannel/identity.h"

struct osspi_schannel_credential;

/** Adds a server credential; osspi_sni_remove() has to come before it is cleared. */
void osspi_sni_add(struct osspi_schannel_credential *credential);
void osspi_sni_remove(struct osspi_schannel_credential *credential); /* no-op if it is not there */

/** The certificates that fit the name best, with a reference: better than `than`; of equals those
 * of the credential that was acquired last. NULL: none. */
struct osspi_identity_set *osspi_sni_find(const char *name, enum osspi_match than);

/** The blocking lane's class that some credential of the list needs; NULL: none does. */
const char *osspi_sni_blocking_class(void);

#endif
