/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the configuration (krb5.conf) says about the servers of a realm.
 *
 * Of the values of "kdc" and its like those are understood that name a host or an address, with or
 * without a port; a server behind an HTTPS proxy (https://) is passed over. Pure functions over a
 * context's profile; the context belongs to the calling thread.
 */
#ifndef OSSPI_GSSAPI_KDC_LIST_H
#define OSSPI_GSSAPI_KDC_LIST_H

#include <krb5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/gssapi/dns.h"

#define OSSPI_KDC_MAX       16u
#define OSSPI_KDC_PORT      88u
#define OSSPI_PASSWORD_PORT 464u

/** What is wanted of the realm. */
enum osspi_kdc_service {
    OSSPI_KDC_TICKETS,
    OSSPI_KDC_PRIMARY,  /* tickets, from the one that knows a change first */
    OSSPI_KDC_PASSWORDS /* changes of passwords */
};

struct osspi_kdc_server {
    char host[OSSPI_DNS_HOST_SIZE]; /* name, or address without brackets */
    uint16_t port;
};

/** The realm's servers by configuration, in their order, at most OSSPI_KDC_MAX; their number. */
size_t osspi_kdc_list(krb5_context k5, const char *realm, enum osspi_kdc_service service,
                      struct osspi_kdc_server servers[OSSPI_KDC_MAX]);

/** Does the configuration name a KDC of the realm, be it one that cannot be asked from here? */
bool osspi_kdc_list_has_realm(krb5_context k5, const char *realm);

/** Is DNS to be asked for servers of realms that the configuration does not know? */
bool osspi_kdc_list_uses_dns(krb5_context k5);

/** And there for URI records first? */
bool osspi_kdc_list_uses_uris(krb5_context k5);

/** Up to which size a request is first sent as a datagram. */
size_t osspi_kdc_list_datagram(krb5_context k5);

/** Takes "host", "host:port", "address", "[address]:port" apart; port: where none stands there.
 * False: it is none of these. */
bool osspi_kdc_list_parse(const char *text, uint16_t port, struct osspi_kdc_server *ret_server);

/** An address as text, with its port; false: it is a name. */
bool osspi_kdc_list_literal(const struct osspi_kdc_server *server,
                            union osspi_address *ret_address);

#endif
