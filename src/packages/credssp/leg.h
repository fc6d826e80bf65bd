/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One leg at work, and its parts: the frame (leg.c), messages in and out (exchange.c), and what
 * each side says in them (client.c, server.c). Both sides of the context are held.
 */
#ifndef OSSPI_CREDSSP_LEG_H
#define OSSPI_CREDSSP_LEG_H

#include "packages/credssp/context.h"
#include "packages/credssp/inner.h"

struct osspi_credssp_run {
    struct osspi_context *context;
    struct osspi_credssp_context *cc;
    struct osspi_credssp_exchange *ex;
    struct osspi_leg *leg;
    SecBuffer *token;      /* the caller's input, or NULL */
    SecBuffer *place;      /* of the output */
    SecBuffer *alert;      /* or NULL */
    struct osspi_bytes in; /* a copy of the input: records are opened in place */
    size_t at;             /* so much of it is taken */
    size_t missing;        /* with SEC_E_INCOMPLETE_MESSAGE */
};

/** Tells on which lane, and in which class, the leg goes on: the choice of an inner package. */
void osspi_credssp_note_lane(struct osspi_credssp_run *run, const struct osspi_package *package,
                             struct osspi_credential *credential, struct osspi_context *inner);

/* ---- exchange.c ---- */

/** Opens records until there is a whole TSRequest in ex->request. SEC_E_OK; SEC_I_CONTINUE_NEEDED:
 * the input is used up; SEC_E_INCOMPLETE_MESSAGE; OSSPI_WANT_BLOCKING; or a failure. */
SECURITY_STATUS osspi_exchange_receive(struct osspi_credssp_run *run);

/** Puts a TSRequest with our version into ex->out, sealed by TLS. */
SECURITY_STATUS osspi_exchange_send(struct osspi_credssp_run *run,
                                    struct osspi_ts_request *request);

/** What both sides check in each message of the peer: its version. */
SECURITY_STATUS osspi_exchange_check_version(struct osspi_credssp_run *run);

/** A leg of Negotiate, with this token (NULL: none); its own is added to out. Notes when it is
 * established. */
SECURITY_STATUS osspi_exchange_token(struct osspi_credssp_run *run, struct osspi_bytes *token,
                                     struct osspi_bytes *out);

/** Makes pubKeyAuth of our side, sealed. */
SECURITY_STATUS osspi_exchange_prove(struct osspi_credssp_run *run, struct osspi_bytes *ret_sealed);

/** Opens and checks the peer's. SEC_E_MESSAGE_ALTERED: it has seen another key. */
SECURITY_STATUS osspi_exchange_check_proof(struct osspi_credssp_run *run);

/* ---- client.c, server.c ---- */

/** The client's first message. */
SECURITY_STATUS osspi_client_begin(struct osspi_credssp_run *run);

/** What to do about ex->request. May be called again for the same one, after OSSPI_WANT_BLOCKING.
 * SEC_E_OK: the exchange is over; SEC_I_CONTINUE_NEEDED. */
SECURITY_STATUS osspi_client_step(struct osspi_credssp_run *run);
SECURITY_STATUS osspi_server_step(struct osspi_credssp_run *run);

/** Tells the client why, if its version has a member for it. */
void osspi_server_refuse(struct osspi_credssp_run *run, SECURITY_STATUS status);

#endif
