/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the contract tests of Schannel share: each case is written once and runs in the synchronous
 * and in the asynchronous form; clients and servers against each other through the public calls.
 *
 * Whatever goes into the library lies in a heap block of exactly its size, and so does the room
 * for output, so that a sanitizer sees the first byte too many. One thread uses one pair.
 */
#ifndef OSSPI_TESTS_SUPPORT_TLS_PEER_H
#define OSSPI_TESTS_SUPPORT_TLS_PEER_H

#include <schannel.h>
#include <sspi.h>

#include "support/test_util.h"
#include "support/tls_certs.h"

#define PEER_TARGET   "server.test"
#define PEER_OUT_SIZE 24576u

/* ---- forms ---- */

/** The five calls that have both forms; what differs is only how the status comes back. */
struct peer_form {
    const char *name;
    SECURITY_STATUS (*acquire)(LPSTR package, ULONG use, void *auth, PCredHandle credential,
                               PTimeStamp expiry);
    SECURITY_STATUS (*initialize)(PCredHandle credential, PCtxtHandle context, LPSTR target,
                                  ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                  PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry);
    SECURITY_STATUS (*accept)(PCredHandle credential, PCtxtHandle context, ULONG flags,
                              PSecBufferDesc in, PCtxtHandle new_context, PSecBufferDesc out,
                              ULONG *attributes, PTimeStamp expiry);
    SECURITY_STATUS (*delete_context)(PCtxtHandle context);
    SECURITY_STATUS (*free_credential)(PCredHandle credential);
};

#define PEER_FORMS 2
extern const struct peer_form peer_forms[PEER_FORMS];
#define PEER_SYNC  (&peer_forms[0])
#define PEER_ASYNC (&peer_forms[1])

struct peer_case {
    const char *name;
    void (*run)(const struct peer_form *form);
};
#define PEER_CASE(function) \
    { \
#function, function \
    }

/** Runs every case in every form, with the test CA trusted; what main() returns. */
int peer_run_cases(const char *group, const struct peer_case *cases, size_t count);

/** How cases are run by who has more forms, or more to do around them. */
struct peer_run {
    const char *group;
    const struct peer_form *const *forms;
    size_t form_count;
    int (*set_up)(void **state); /* of the group, or NULL */
    int (*tear_down)(void **state);
    int (*before_each)(void **state); /* of each case in each form; must not change the state */
};
int peer_run_cases_in(const struct peer_run *how, const struct peer_case *cases, size_t count);

/* ---- bytes ---- */

struct peer_stream {
    uint8_t *bytes; /* exactly len, or NULL */
    size_t len;
};

void peer_push(struct peer_stream *stream, const void *bytes, size_t len);
/** Takes bytes off the front. */
void peer_drop(struct peer_stream *stream, size_t len);
void peer_clear(struct peer_stream *stream);

/** Length of the TLS record at bytes, its header included. */
size_t peer_record_len(const uint8_t *bytes);

/* ---- credentials ---- */

/** How a pair is made; all zero is a good one. */
struct peer_setup {
    DWORD protocols;         /* SP_PROT_ bits of the client, 0 = default */
    const char *certificate; /* of the server, NULL = "server" */
    DWORD client_flags, server_flags;
    bool by_version_5; /* SCH_CREDENTIALS instead of SCHANNEL_CRED, both sides */
};

/* ---- ends ---- */

struct peer_end {
    const struct peer_form *form;
    bool server;
    CredHandle credential;
    CtxtHandle context;
    bool has_credential, has_context;
    struct peer_stream in; /* what the other end has sent */
    const char *target;    /* client; NULL: none */
    ULONG flags;           /* of each leg */
    const void *alpn;      /* a SEC_APPLICATION_PROTOCOLS, first leg only, or NULL */
    ULONG alpn_size;
    const SecBuffer *more; /* further buffers of the first leg, or NULL */
    ULONG more_count;      /* at most 3 */
    ULONG attributes;      /* of the last leg */
    TimeStamp expiry;
    SecPkgContext_StreamSizes sizes; /* once established */
};

struct peer_pair {
    struct peer_end client, server;
};

/** An end without a credential. */
void peer_end_init(struct peer_end *end, const struct peer_form *form, bool server);
/** Gives it one by SCHANNEL_CRED (or, with by_version_5, SCH_CREDENTIALS). */
SECURITY_STATUS peer_end_acquire(struct peer_end *end, DWORD protocols, DWORD flags,
                                 const char *certificate, bool by_version_5);
/** Drops the context, keeps the credential. */
void peer_end_disconnect(struct peer_end *end);
void peer_end_free(struct peer_end *end);

void peer_open(struct peer_pair *pair, const struct peer_form *form,
               const struct peer_setup *setup);
void peer_disconnect(struct peer_pair *pair);
void peer_close(struct peer_pair *pair);

/* ---- legs ---- */

/** One leg with every argument in sight; the streams of the end are not touched. */
struct peer_leg {
    SecBuffer in[8], out[4];
    ULONG in_count, out_count;
    bool no_in, no_out; /* NULL instead of a descriptor */
    PCredHandle credential;
    PCtxtHandle context, new_context;
    const char *target;
    ULONG flags;
};

/** TOKEN and EMPTY in, TOKEN out, the rest as the end has it. */
struct peer_leg peer_leg_of(struct peer_end *end, const void *bytes, size_t len, void *out,
                            size_t out_size);
SECURITY_STATUS peer_leg_run(struct peer_end *end, struct peer_leg *leg);

/** One leg with all that has arrived; output goes to the other end, consumed input away. */
SECURITY_STATUS peer_step(struct peer_end *end, struct peer_end *to);
/** The client's first leg and the server's, whose answer then waits; or the test ends. */
void peer_half_connect(struct peer_pair *pair);
/** Goes on until both are done or one fails; returns the failure, or SEC_E_OK. */
SECURITY_STATUS peer_handshake(struct peer_pair *pair);
/** Stream sizes of an established end, or the test ends. */
void peer_established(struct peer_end *end);
/** Handshake and stream sizes, or the test ends. */
void peer_connect(struct peer_pair *pair);

/* ---- messages ---- */

/** Seals and sends. */
SECURITY_STATUS peer_send(struct peer_end *from, struct peer_end *to, const void *data, size_t len);
/** Opens one record of what has arrived and takes it off (SEC_I_RENEGOTIATE: leaves it). */
SECURITY_STATUS peer_receive(struct peer_end *end, void *data, size_t size, size_t *ret_len);
/** Receives until application data come, running legs for SEC_I_RENEGOTIATE in between. */
SECURITY_STATUS peer_receive_data(struct peer_end *end, struct peer_end *peer, void *data,
                                  size_t size, size_t *ret_len);
/** Data both ways, or the test ends. */
void peer_exchange(struct peer_pair *pair);

/** ApplyControlToken with these bytes. */
SECURITY_STATUS peer_control(struct peer_end *end, const void *token, ULONG size);
/** ApplyControlToken(SHUTDOWN) and the leg that makes the alert. */
SECURITY_STATUS peer_shutdown(struct peer_end *end, struct peer_end *to);

#endif
