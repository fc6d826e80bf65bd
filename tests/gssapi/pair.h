/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A client and a server of this library, talking through memory: credentials, legs, and what the
 * tests look at afterwards.
 */
#ifndef OSSPI_TESTS_GSSAPI_PAIR_H
#define OSSPI_TESTS_GSSAPI_PAIR_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>

#define PAIR_TOKEN 65536u

/** One side. */
struct side {
    CredHandle credential;
    CtxtHandle context;
    bool has_credential, has_context;
    SECURITY_STATUS status; /* of the last leg */
    ULONG attributes;
    TimeStamp expiry;
    unsigned char token[PAIR_TOKEN]; /* that the last leg gave */
    ULONG token_len;
    const void *bindings; /* SEC_CHANNEL_BINDINGS, or NULL */
    ULONG bindings_len;
};

struct pair {
    struct side client, server;
    const char *target;
    ULONG client_flags, server_flags;
    unsigned legs; /* of the client */
};

/** SEC_WINNT_AUTH_IDENTITY_A of a user of the realm with his true password. */
void pair_identity(const char *user, const char *domain, const char *password,
                   SEC_WINNT_AUTH_IDENTITY_A *ret_identity);

/** Acquires; identity NULL: the default credentials. */
SECURITY_STATUS pair_client(struct pair *pair, const char *package, void *identity);
SECURITY_STATUS pair_server(struct pair *pair, const char *package);

/** One leg with that input; NULL: none. */
SECURITY_STATUS pair_initialize(struct pair *pair, const void *in, ULONG in_len);
SECURITY_STATUS pair_accept(struct pair *pair, const void *in, ULONG in_len);

/** Legs until both are done, or one of them fails: its status. */
SECURITY_STATUS pair_talk(struct pair *pair);

/** The same with what is usual, and it has to succeed. */
void pair_establish(struct pair *pair, const char *package, void *identity, const char *target);

/** Deletes contexts (and their tokens), keeps credentials. */
void pair_reset(struct pair *pair);
/** Deletes everything. */
void pair_end(struct pair *pair);

/** Seals on one side and opens on the other, in TOKEN, DATA and PADDING; ends the test if the text
 * does not come out, or goes over in the clear. */
void pair_exchange(struct side *from, struct side *to, const char *text);

#endif
