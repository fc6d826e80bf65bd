/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A CredSSP security context: a TLS connection of Schannel's, and inside of it, for as long as that
 * takes, a context of Negotiate's and an exchange of TSRequests (MS-CSSP 3.1.5).
 *
 *     TLS      legs of Schannel, until it is established
 *     BEGIN    client: the first token of Negotiate is to be made
 *     TOKENS   tokens of Negotiate go to and fro; the client's last one comes with its pubKeyAuth
 *     KEY      client: waits for the server's pubKeyAuth; server: has sent it, waits for authInfo
 *     DONE     what is left is the TLS connection
 *
 * Both inner contexts are known to nobody else: the locks and the turn of the outer one guard them.
 */
#ifndef OSSPI_CREDSSP_CONTEXT_H
#define OSSPI_CREDSSP_CONTEXT_H

#include <stdatomic.h>

#include "base/lock.h"
#include "packages/credssp/bytes.h"
#include "packages/credssp/credential.h"
#include "packages/credssp/request.h"

#define OSSPI_CREDSSP_MAX_TOKEN 147456u /* a message of the longest, in records, and TLS's own */

enum osspi_credssp_stage {
    OSSPI_CREDSSP_TLS,
    OSSPI_CREDSSP_BEGIN,
    OSSPI_CREDSSP_TOKENS,
    OSSPI_CREDSSP_KEY,
    OSSPI_CREDSSP_DONE
};

/** What a leg has done that its caller has not seen yet: it waits for the other lane, or there was
 * no room for its token. */
struct osspi_credssp_progress {
    bool active;
    bool finished;          /* only the token is to be given, and this status answered */
    SECURITY_STATUS status; /* finished */
    size_t taken;           /* bytes of the input, which have to come again */
    uint8_t digest[32];     /* of these */
};

/** Needed until the last leg. Legs only. */
struct osspi_credssp_exchange {
    enum osspi_credssp_stage stage;
    struct osspi_credssp_progress progress;
    struct osspi_bytes out;          /* TLS bytes to be given to the caller */
    struct osspi_bytes plain;        /* a piece of a TSRequest that has come */
    struct osspi_ts_request request; /* the one that is worked on */
    bool has_request;
    bool renegotiating; /* the next bytes are for a leg of Schannel's */
    bool nego_begun, nego_done;

    uint32_t min_version, max_version; /* ours */
    uint32_t peer_version;             /* 0: not known yet */
    uint32_t version;                  /* the lesser of both */
    bool has_nonce;
    uint8_t nonce[OSSPI_TS_NONCE];
    struct osspi_bytes key; /* the server's */

    /* Client. */
    char *target; /* or NULL */
    bool delegates;
    bool refuses_ntlm;
};

struct osspi_credssp_context {
    struct osspi_credential *credential;       /* a reference: the one of the first leg */
    _Atomic(struct osspi_context *) tls, nego; /* set once, by legs */
    struct osspi_credssp_exchange *exchange;   /* legs only */
    SECURITY_STATUS failure;                   /* legs only: they answer it for ever */
    TimeStamp expiry;                          /* legs only: Negotiate's, for the last one */

    struct osspi_lock lane_lock;   /* guards lane */
    struct osspi_lane_choice lane; /* of the leg that comes back */

    _Atomic bool done;
    /* Constant from then on. */
    bool server;
    uint64_t granted;                       /* ISC_RET_ or ASC_RET_ of the last leg */
    SEC_WINNT_AUTH_IDENTITY_EX2 *delegated; /* server; NULL: a client. Secret */
};

static inline struct osspi_credssp_context *osspi_credssp(struct osspi_context *context)
{
    return context->data;
}

static inline bool osspi_credssp_is_done(const struct osspi_credssp_context *cc)
{
    return atomic_load_explicit(&cc->done, memory_order_acquire);
}

/* The slots of the package. */
SECURITY_STATUS osspi_credssp_initialize(struct osspi_context *context, struct osspi_leg *leg);
SECURITY_STATUS osspi_credssp_accept(struct osspi_context *context, struct osspi_leg *leg);
SECURITY_STATUS osspi_credssp_control(struct osspi_context *context,
                                      const struct osspi_buffers *token);
void osspi_credssp_clear_context(struct osspi_context *context);
void osspi_credssp_lane(enum osspi_operation operation, struct osspi_credential *credential,
                        struct osspi_context *context, struct osspi_lane_choice *ret_choice);
SECURITY_STATUS osspi_credssp_encrypt(struct osspi_context *context, uint32_t qop,
                                      const struct osspi_buffers *message, uint32_t sequence);
SECURITY_STATUS osspi_credssp_decrypt(struct osspi_context *context,
                                      const struct osspi_buffers *message, uint32_t sequence,
                                      uint32_t *ret_qop);
SECURITY_STATUS osspi_credssp_query(struct osspi_context *context, uint32_t attribute, void *buffer,
                                    size_t size);
SECURITY_STATUS osspi_credssp_set(struct osspi_context *context, uint32_t attribute,
                                  const void *buffer, size_t size);
SECURITY_STATUS osspi_credssp_client_token(struct osspi_context *context,
                                           struct osspi_token **ret_token);

#endif
