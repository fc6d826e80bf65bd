/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What connect, serve and bench share of Schannel: credentials from command-line options, the ALPN
 * buffer, trust, shutdown and the fire-and-forget delete.
 */
#ifndef SSPI_TOOL_TLS_H
#define SSPI_TOOL_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <schannel.h>
#include <sspi.h>

#define TLS_ALPN_MAX 512

/** A SEC_APPLICATION_PROTOCOLS, byte by byte: its parts stand unaligned, one behind the other. */
struct tls_alpn {
    ULONG len; /* 0: none */
    unsigned char bytes[10 + TLS_ALPN_MAX];
};

/** Makes the buffer of "h2,http/1.1"; false if that is no list. */
bool tls_alpn_set(struct tls_alpn *alpn, const char *list);

/** What the command line says about a credential. */
struct tls_options {
    bool server;
    const char *cert;         /* PEM file, or NULL: none (client only) */
    const char *key;          /* PEM file, or NULL: in the same file */
    const char *store_cert;   /* instead of cert: one of "MY", as of store_find; or NULL */
    const char *password;     /* source as of text_password, or NULL */
    const char *version;      /* "1.2", "1.3", or NULL: both */
    const char *client_ca;    /* server: PEM file; who is in there may sign for clients; or NULL */
    bool require_client_cert; /* server: else a client is asked only, if there is client_ca */
    DWORD flags;              /* SCH_CRED_... */
};

/** pAuthData and all it points to. It holds pointers into itself, so it must stay where it is. */
struct tls_auth {
    SCH_CREDENTIALS credentials;
    TLS_PARAMETERS parameters;
    PCCERT_CONTEXT cert;
    HCERTSTORE roots; /* NULL: the machine's */
};

/** Is this a value of --tls? */
bool tls_version_known(const char *version);

/**
 * Loads what the options name.
 *
 * @param ret_auth [out] clear it with tls_auth_clear, also after a failure
 * @return an exit code; errors have been reported
 */
int tls_auth_load(const struct tls_options *options, struct tls_auth *ret_auth);
void tls_auth_clear(struct tls_auth *auth);

/** Loads the certificate that the options name again, and gives it to a credential that was
 * acquired with them. Reads files. An exit code; errors have been reported, and the credential is
 * as it was. */
int tls_renew(const struct tls_options *options, PCredHandle credential);

/** tls_auth_load and AcquireCredentialsHandle in one. An exit code; errors have been reported. */
int tls_acquire(const struct tls_options *options, PCredHandle ret_credential);

/**
 * Sets options of the process; must come first.
 *
 * @param ca      PEM file of the roots to trust, or NULL: SSL_CERT_FILE and the like, or the
 * system's
 * @param workers threads for asynchronous calls; 0 = the library's default
 * @return an exit code; errors have been reported
 */
int tls_configure(const char *ca, unsigned long workers);

/** Asks for a close_notify: the next leg makes it. False if the context cannot. */
bool tls_ask_shutdown(PCtxtHandle context);

/** Deletes a context without waiting, and invalidates the handle. Does nothing on an invalid one.
 */
void tls_delete(PCtxtHandle context);

#endif
