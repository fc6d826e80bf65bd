/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Names of Windows as principals of Kerberos, without a look into DNS: what a caller writes is what
 * is asked for. Called inside OSSPI_GSS_CALL; the krb5_context is the thread's own.
 */
#ifndef OSSPI_GSSAPI_PRINCIPAL_H
#define OSSPI_GSSAPI_PRINCIPAL_H

#include <krb5.h>

#include "packages/gssapi/identity.h"

/**
 * A target: "service/host[:port][@REALM]", or "service@host" in GSSAPI's manner, or one name.
 * Without a realm it is the one that the configuration gives the host (domain_realm); knows that
 * none, the realm stays empty, and the KDCs tell.
 *
 * @return 0; KRB5_PARSE_MALFORMED; ENOMEM.
 */
krb5_error_code osspi_principal_target(krb5_context k5, const char *target,
                                       krb5_principal *ret_principal);

/** A user: his realm is what stands behind "@", or his domain, or the default realm. A domain's
 * short name is the default realm if that begins with it. Codes as above, and
 * KRB5_CONFIG_NODEFREALM. */
krb5_error_code osspi_principal_user(krb5_context k5, const struct osspi_gss_identity *identity,
                                     krb5_principal *ret_principal);

/**
 * A user of a realm that nobody knows, as the default realm's KDC may know him: it is asked for
 * "user@realm" as one name (RFC 6806 5). An Active Directory domain has users whose names end
 * otherwise than it does, and answers to its short name.
 *
 * @return 0; KRB5_REALM_UNKNOWN: there is no other realm to ask; others of libkrb5
 */
krb5_error_code osspi_principal_enterprise(krb5_context k5, krb5_const_principal client,
                                           krb5_principal *ret_principal);

#endif
