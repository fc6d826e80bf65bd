/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The certificates with keys that a credential may present, as one set that is replaced as a whole:
 * connections that began with a set keep it. Sets share what they have in common. Knows no TLS
 * library but for one slot per crypto shard, where keys and certificates wait as the TLS library's
 * objects (materials.h).
 *
 * A set is constant once it is published, but for those slots. Functions are thread-safe.
 */
#ifndef OSSPI_SCHANNEL_IDENTITY_H
#define OSSPI_SCHANNEL_IDENTITY_H

#include <sspi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "cert/certificate.h"

#define OSSPI_MAX_SHARDS     16u
#define OSSPI_MAX_CHAIN      16u
#define OSSPI_MAX_IDENTITIES 100u /* SCH_CRED_MAX_SUPPORTED_CERTS, those added later included */

struct osspi_loaded;    /* materials.c */
struct osspi_materials; /* materials.h */

/** One certificate with key that a credential may present. Constant, but for its slots. */
struct osspi_identity {
    _Atomic uint32_t references;
    PCCERT_CONTEXT context;        /* a reference; holds DER, PKCS#8 and chain */
    struct osspi_der_view leaf;    /* views into context */
    struct osspi_der_view key;     /* PKCS#8; len 0: it is in a device */
    struct osspi_token_key *token; /* where in a device it is (cert/pkcs11.h), or NULL */
    struct osspi_der_view chain[OSSPI_MAX_CHAIN];
    size_t chain_count;
    uint8_t fingerprint[32]; /* SHA-256 of leaf */
    char *principal;         /* host name it was given for, normalised; NULL: none */
    bool added;              /* by AddCredentials for that name, not when acquired */
    char **names;            /* server: the DNS names in the certificate, normalised, with "*." in
                                front of some */
    size_t name_count;
    struct osspi_lock lock;
    uint32_t epoch;                                /* fork epoch of shards[]; guarded by lock */
    struct osspi_loaded *shards[OSSPI_MAX_SHARDS]; /* guarded by lock; made once per epoch */
};

struct osspi_identity_set {
    _Atomic uint32_t references;
    uint64_t id;    /* unique in the process; names a client's sessions in the cache */
    bool server;    /* somebody chooses by name */
    bool send_root; /* SCH_SEND_ROOT_CERT */
    struct osspi_identity **items; /* references; room for OSSPI_MAX_IDENTITIES at most */
    size_t count, room;
    int64_t not_after;          /* of the first, unix seconds; INT64_MAX: none */
    const char *blocking_class; /* of the blocking lane, for keys in devices; static text or NULL */
    struct osspi_lock lock;
    uint32_t epoch;                                   /* fork epoch of shards[]; guarded by lock */
    struct osspi_materials *shards[OSSPI_MAX_SHARDS]; /* guarded by lock; made once per epoch */
};

/** How well an identity fits a host name; the larger the better. */
enum osspi_match {
    OSSPI_MATCH_NONE,
    OSSPI_MATCH_WILDCARD, /* a "*." name of the certificate */
    OSSPI_MATCH_NAME,     /* a name of the certificate */
    OSSPI_MATCH_PRINCIPAL
};

/** An empty set with room for `room` identities, and one reference; NULL: no memory. */
struct osspi_identity_set *osspi_identity_set_new(size_t room, bool server, bool send_root);
struct osspi_identity_set *osspi_identity_set_ref(struct osspi_identity_set *set);
void osspi_identity_set_unref(struct osspi_identity_set *set); /* NULL is a no-op */
void osspi_identity_set_unrefp(struct osspi_identity_set **set);

/**
 * Appends a certificate to a set that nobody else knows yet.
 *
 * @param context    its reference is taken over, also on failure
 * @param principal  normalised host name, copied; or NULL
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS: it has no key; SEC_E_UNKNOWN_CREDENTIALS: too long a
 *         chain, or no room; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_identity_set_add(struct osspi_identity_set *set, PCCERT_CONTEXT context,
                                       const char *principal, bool added);

/** Appends one of another set. SEC_E_OK; SEC_E_UNKNOWN_CREDENTIALS: no room. */
SECURITY_STATUS osspi_identity_set_keep(struct osspi_identity_set *set,
                                        struct osspi_identity *identity);

/** Is it presented to clients that ask for nobody known? Not if it was added for a name, unless all
 * were. */
bool osspi_identity_set_is_default(const struct osspi_identity_set *set, size_t index);

/** name is normalised (name.h). */
enum osspi_match osspi_identity_match(const struct osspi_identity *identity, const char *name);

/** The best match in the set. */
enum osspi_match osspi_identity_set_match(const struct osspi_identity_set *set, const char *name);

#endif
