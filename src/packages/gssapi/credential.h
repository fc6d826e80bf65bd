/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Credentials of Kerberos, NTLM and Negotiate: who, by which means, and the tickets so far.
 *
 * Acquire finds out what there is (a cache of tickets, a keytab, a password) and asks no server.
 * Tickets that legs fetch are kept in a cache in memory that belongs to the credential; libkrb5
 * guards what is inside of it. Each security context has a cache and a GSSAPI credential of its
 * own, because GSSAPI locks a credential that is at work.
 */
#ifndef OSSPI_GSSAPI_CREDENTIAL_H
#define OSSPI_GSSAPI_CREDENTIAL_H

#include "packages/gssapi/foreign.h"
#include "packages/gssapi/identity.h"
#include "packages/package.h"

/** What tells the three packages apart. */
struct osspi_gss_facts {
    unsigned mechanisms; /* OSSPI_GSS_... */
    gss_OID mechanism;   /* whose tokens it speaks */
    bool negotiates;
};

extern const struct osspi_gss_facts osspi_gss_kerberos_facts;  /* kerberos.c */
extern const struct osspi_gss_facts osspi_gss_ntlm_facts;      /* ntlm.c */
extern const struct osspi_gss_facts osspi_gss_negotiate_facts; /* negotiate.c */

/** Object identifiers, as GSSAPI wants them. */
extern gss_OID_desc osspi_gss_oid_krb5, osspi_gss_oid_ntlm, osspi_gss_oid_spnego;

/** Is a mechanism loaded? Asks once. */
bool osspi_gss_has_ntlm(void);

/** Does winbind run? Then gss-ntlmssp asks it in any leg: for names, for users that no file has. */
bool osspi_gss_has_winbind(void);

/** For tests: where winbind listens; NULL: where it does. The text stays the caller's. */
void osspi_gss_use_winbind(const char *path);

/** Where a client's first ticket comes from. */
enum osspi_gss_source {
    OSSPI_GSS_SOURCE_NONE,
    OSSPI_GSS_PASSWORD,
    OSSPI_GSS_CACHE,
    OSSPI_GSS_KEYTAB,
    OSSPI_GSS_SESSION /* another user's cache, copied */
};

/** Constant once acquired. */
struct osspi_gss_credential {
    const struct osspi_gss_facts *facts;
    struct osspi_gss_identity *identity; /* NULL, or without a user: the default one */
    unsigned outbound, inbound;          /* mechanisms that are there for each use */
    enum osspi_gss_source source;        /* of Kerberos tickets */
    char *client;                        /* principal, if there is a source */
    char *source_name;                   /* of cache or keytab */
    char *store;                         /* name of the cache in memory, "MEMORY:..." */
    char *acceptor;                      /* principal that clients have to name, or NULL: any */
    krb5_keytab keys;                    /* that the program has brought, or NULL; server_key.h */
    char *keys_name;                     /* its name, "MEMORY:..." */
    const char *acquire_class;           /* of the blocking lane, while it is acquired */
};

static inline struct osspi_gss_credential *osspi_gss_credential(struct osspi_credential *credential)
{
    return credential->data;
}

/** Does it name somebody, or the default user? */
static inline bool osspi_gss_is_named(const struct osspi_gss_credential *credential)
{
    return credential->identity && credential->identity->user && credential->identity->user[0];
}

SECURITY_STATUS osspi_gss_acquire(const struct osspi_gss_facts *facts,
                                  struct osspi_credential *credential, struct osspi_acquire *args);
void osspi_gss_clear_credential(struct osspi_credential *credential);
SECURITY_STATUS osspi_gss_query_credential(struct osspi_credential *credential, uint32_t attribute,
                                           void *buffer, size_t size);

#endif
