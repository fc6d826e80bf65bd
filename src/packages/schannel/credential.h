/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A Schannel credential: what SCHANNEL_CRED or SCH_CREDENTIALS asked for, in plain terms, and the
 * TLS library's configuration made from it, one per crypto shard, lazily.
 *
 * The plain part (struct osspi_schannel_config) is made when the credential is acquired and is
 * constant afterwards. What may change later (certificates, ticket keys, the policy for client
 * certificates) hangs beside it in objects that are replaced as a whole; each change starts a new
 * generation, and configurations of an older one serve no new connection. All is held as DER and
 * PKCS#8, so that a forked child can build its own TLS configuration from it.
 */
#ifndef OSSPI_SCHANNEL_CREDENTIAL_H
#define OSSPI_SCHANNEL_CREDENTIAL_H

#include <schannel.h>
#include <sspi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "packages/schannel/identity.h"
#include "packages/schannel/tls.h"

/* Key exchange groups that a credential can switch off. */
#define OSSPI_GROUP_X25519 0x01u
#define OSSPI_GROUP_P256   0x02u
#define OSSPI_GROUP_P384   0x04u
#define OSSPI_GROUP_P521   0x08u
#define OSSPI_GROUP_X448   0x10u
#define OSSPI_GROUP_FFDHE  0x20u /* all finite field groups of RFC 7919 */
#define OSSPI_GROUP_EC     0x1Fu /* those on elliptic curves */
#define OSSPI_GROUP_ALL    0x3Fu

/* Cipher suites as a set of bits, in the order of cipher.c's table. */
typedef uint64_t osspi_suite_set;

#define OSSPI_VERSION_BIT(number) (1u << ((number)-0x0301))
#define OSSPI_VERSION_DATAGRAM    0x100u /* DTLS 1.2, where it stands beside those */

/** Restrictions that hold for some connections of a server only: those that agree on one of the
 * protocols, or (optional) those that can go on under them. */
struct osspi_tls_entry {
    bool optional;
    uint8_t *protocols; /* ALPN ids in wire form; NULL: all connections */
    size_t protocols_len;
    uint32_t versions_off; /* OSSPI_VERSION_BIT(), OSSPI_VERSION_DATAGRAM */
    osspi_suite_set suites_off;
    uint32_t groups_off;  /* OSSPI_GROUP_ */
    uint32_t schemes_off; /* signature.h */
};

struct osspi_schannel_config {
    bool server;
    uint16_t min_version; /* 0x0303 or 0x0304 (0x0301, 0x0302 when asked for by name); of streams */
    uint16_t max_version;
    uint32_t flags;                  /* SCH_CRED_..., SCH_USE_..., as given */
    uint32_t session_lifespan_s;     /* 36000 by default */
    osspi_suite_set suites;          /* allowed suites, both versions; empty: no streams */
    osspi_suite_set psk_suites;      /* besides, those of TLS 1.2 with a pre-shared key */
    osspi_suite_set datagram_suites; /* for DTLS 1.2; empty: no datagrams. One of both is not */
    uint32_t disabled_groups;        /* OSSPI_GROUP_ bits that may not be negotiated; never all */
    uint32_t disabled_schemes; /* signature schemes that may not be (signature.h); never all */
    uint32_t min_cipher_bits, max_cipher_bits; /* 0: no limit */
    struct osspi_der *roots;                   /* hRootStore's certificates */
    size_t root_count;
    bool has_roots;  /* hRootStore was given (even if empty) */
    char *principal; /* server with SCH_CRED_SNI_CREDENTIAL: the host it is for, normalised */
    struct osspi_tls_entry *entries; /* server: what depends on the connection */
    size_t entry_count;
};

/** SECPKG_ATTR_CLIENT_CERT_POLICY: how a server treats client certificates. */
struct osspi_client_policy {
    bool request; /* also when a leg does not ask for it with ASC_REQ_MUTUAL_AUTH */
    bool require; /* without one the handshake fails */
    bool omit_usage;
    uint32_t flags_off, flags_on; /* SCH_CRED_...: what changes of the credential's */
};

/** OSSPI_CRED_ATTR_TLS_OPTIONS: what is off until the application asks for it. */
struct osspi_tls_options {
    uint32_t flags;              /* OSSPI_TLS_ */
    uint32_t max_early_data;     /* bytes; server */
    uint32_t max_renegotiations; /* of one connection */
};

/** TLS configuration of one shard (defined in shard.c). */
struct osspi_tls_config;

struct osspi_ticket_ring; /* ticket.h */

/** What may change of a credential, as a whole. The pointers are references. */
struct osspi_credential_state {
    uint64_t generation;
    struct osspi_identity_set *identities; /* never NULL once acquired */
    struct osspi_ticket_ring *tickets;     /* NULL: the process's keys */
    struct osspi_client_policy policy;
    struct osspi_tls_options options;
};

struct osspi_schannel_credential {
    const char *acquire_class; /* of the blocking lane, while it is acquired there; static text */
    struct osspi_schannel_config *config; /* owned; constant after acquire */
    uint64_t id;                          /* unique in the process; constant */
    /* Class of the blocking lane under which every leg of the handshake runs from its start (a key
     * that lives in a device: "pkcs11"); static text. NULL: the CPU lane, as long as it goes. It
     * changes with the certificates and is read without a lock. */
    const char *_Atomic blocking_class;
    uint32_t user; /* fsuid of who acquired it, UINT32_MAX: unknown */
    /* Fingerprint of policy, roots and protocol range. With those of the certificates in use it
     * makes the session id context, equal in all processes with such a credential. Constant. */
    uint8_t session_context[32];
    struct osspi_lock change_lock; /* held while a change is prepared, so that none is lost */
    struct osspi_lock lock;
    struct osspi_credential_state state;               /* guarded by lock */
    uint32_t epoch;                                    /* fork epoch of shards[]; guarded by lock */
    struct osspi_tls_config *shards[OSSPI_MAX_SHARDS]; /* of state's generation; guarded by lock */
    struct osspi_tls_config *datagrams[OSSPI_MAX_SHARDS]; /* the same for DTLS */
    struct osspi_schannel_credential *_Atomic next_sni;   /* see sni.h; guarded by its lock */
};

/** Takes references on what is current; clear drops them. Thread-safe. */
void osspi_credential_state_get(struct osspi_schannel_credential *credential,
                                struct osspi_credential_state *ret_state);
void osspi_credential_state_clear(struct osspi_credential_state *state);

/** Names the sessions that a client has made with the certificates of now. Thread-safe. */
uint64_t osspi_credential_sessions(struct osspi_schannel_credential *credential);

/* ---- TLS side (shard.c) ---- */

/** Number of crypto shards: min(CPUs the process may use, OSSPI_MAX_SHARDS). */
uint32_t osspi_shard_count(void);

/**
 * Checks that every identity's key loads and belongs to its certificate, by building the
 * configuration of one shard. SEC_E_OK; SEC_E_NO_CREDENTIALS; SEC_E_UNKNOWN_CREDENTIALS;
 * SEC_E_ALGORITHM_MISMATCH; SEC_E_INSUFFICIENT_MEMORY; SEC_E_INTERNAL_ERROR.
 */
SECURITY_STATUS osspi_tls_credential_check(struct osspi_schannel_credential *credential);

/**
 * Exchanges the credential's state for *state, which then holds the old one, after the same checks;
 * on failure both are as they were. The caller holds credential->change_lock, and has got *state
 * since. Connections that exist keep the old state. Statuses of osspi_tls_credential_check().
 */
SECURITY_STATUS osspi_tls_credential_change(struct osspi_schannel_credential *credential,
                                            struct osspi_credential_state *state);

/** Frees the per-shard configurations of this process's epoch. */
void osspi_tls_credential_clear(struct osspi_schannel_credential *credential);

/** Child side of fork: shards are abandoned. */
void osspi_tls_forked(void);

/* ---- suites (cipher.c, no TLS library) ---- */

/** What is known of a cipher suite. */
struct osspi_suite {
    uint16_t id;      /* IANA */
    uint16_t version; /* 0x0303 or 0x0304 */
    bool aead;
    const char *iana_name;    /* "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" */
    const char *openssl_name; /* "ECDHE-RSA-AES128-GCM-SHA256" */
    const char *cipher;       /* CNG name: "AES", "CHACHA20_POLY1305" */
    const char *mode;         /* "ChainingModeGCM", "ChainingModeCBC", "" */
    uint16_t cipher_bits;
    uint16_t cipher_block; /* bytes */
    const char *hash;      /* MAC hash, "" for AEAD */
    const char *prf_hash;  /* "SHA256", "SHA384" */
    uint16_t hash_bits;
    const char *exchange;    /* "ECDH", "DH", "RSA", "" for 1.3 */
    const char *certificate; /* "RSA", "ECDSA", "" for 1.3 */
    uint32_t cipher_alg;     /* CALG_ */
    uint32_t hash_alg;
    uint32_t exchange_alg;
    bool by_default; /* on unless disabled */
    bool psk;        /* a pre-shared key authenticates: only where a leg was given one */
};

size_t osspi_suite_count(void);
const struct osspi_suite *osspi_suite_at(size_t index);  /* bit `index` of osspi_suite_set */
const struct osspi_suite *osspi_suite_find(uint16_t id); /* NULL: unknown */

/** Those that a server may use whose key stays in a device: without the key exchange by RSA. A
 * device decrypts for it in a way that TLS cannot live with: what its padding check says must not
 * show. OpenSSL has no such call to an engine. */
osspi_suite_set osspi_suites_for_device(osspi_suite_set suites_on);

#endif
