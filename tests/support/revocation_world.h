/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A small world in which certificates are revoked: authorities and certificates made on the spot,
 * which name a web server of this process; its answers, good and bad; and OCSP answers and lists to
 * put there. Certificates belong to the thread of the test, the web server has one of its own.
 */
#ifndef OSSPI_TESTS_SUPPORT_REVOCATION_WORLD_H
#define OSSPI_TESTS_SUPPORT_REVOCATION_WORLD_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wincrypt.h>

#undef X509_NAME

#define WORLD_DAY 86400

/* ---- bytes ---- */

struct world_bytes {
    unsigned char *bytes; /* OPENSSL_free() */
    size_t len;
};

/* ---- certificates ---- */

struct world_identity {
    X509 *certificate;
    EVP_PKEY *key;
    const struct world_identity *issuer; /* NULL: itself */
};

/** How one is made; NULL or 0 means "not". */
struct world_wish {
    const char *name; /* common name */
    const struct world_identity *issuer;
    bool authority;
    const char *usage;     /* extendedKeyUsage */
    const char *alt_name;  /* subjectAltName */
    const char *ocsp_path; /* of the web server */
    const char *list_path;
    uint16_t port;      /* of both; 0: the web server's */
    uint16_t list_port; /* of the list alone; 0: the same */
    long serial;        /* 0: the next one */
    int until;          /* seconds from now; 0: a day */
};

struct world_identity world_make(const struct world_wish *wish);
void world_drop(struct world_identity *identity);

/** With its key and chain (without root), as SSPI wants it. */
PCCERT_CONTEXT world_load(const struct world_identity *leaf);
/** Alone, without key. */
PCCERT_CONTEXT world_context(const struct world_identity *leaf);

/** A file with these certificates in it, to be trusted from here on; only before the first
 * credential. */
void world_trust(const struct world_identity *root);

/* ---- what is said about them ---- */

/** How an OCSP answer is made. */
struct world_saying {
    const struct world_identity *about;
    const struct world_identity *signer; /* NULL: about's issuer */
    int status;                          /* V_OCSP_CERTSTATUS_ */
    long from, until; /* seconds from now; until 0: no nextUpdate; both 0: an hour around now */
};
struct world_bytes world_ocsp(const struct world_saying *saying);

/** A list of an issuer; revoked may be NULL. */
struct world_bytes world_list(const struct world_identity *issuer,
                              const struct world_identity *revoked, long until);

/* ---- the web server ---- */

enum world_manner {
    WORLD_ANSWER,   /* HTTP 200 with the bytes */
    WORLD_STATUS,   /* HTTP with another status, and the bytes */
    WORLD_REDIRECT, /* to the path "/moved" */
    WORLD_RAW,      /* the bytes alone, then the end */
    WORLD_SILENT,   /* nothing, as long as the client waits */
    WORLD_DRIP,     /* one byte after the other, slowly */
    WORLD_ENDLESS   /* a header, then zeros for as long as the client takes them */
};

/** Starts it; a group setup of cmocka. */
int world_open(void **state);
int world_close(void **state);
uint16_t world_port(void);

/** What is at a path from here on (copied). status: of WORLD_STATUS. type: media type. */
void world_serve(const char *path, enum world_manner manner, int status, const char *type,
                 const void *bytes, size_t len);
/** The usual ones. */
void world_serve_ocsp(const char *path, const struct world_saying *saying);
void world_serve_list(const char *path, const struct world_identity *issuer,
                      const struct world_identity *revoked);
/** Nothing is at any path any more (HTTP 404). */
void world_serve_nothing(void);

/** Requests that came for a path since it was served. */
unsigned world_asked(const char *path);
/** Connections that are open now. */
unsigned world_connections(void);

#endif
