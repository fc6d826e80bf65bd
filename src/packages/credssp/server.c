/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The server's part of the exchange (MS-CSSP 3.1.5); see leg.h.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/credssp/delegate.h"
#include "packages/credssp/error_code.h"
#include "packages/credssp/key_auth.h"
#include "packages/credssp/leg.h"

/* A client has one nonce for all of its messages. */
static SECURITY_STATUS note_nonce(struct osspi_credssp_run *run)
{
    struct osspi_credssp_exchange *ex = run->ex;

    if (!ex->request.has_nonce)
        return SEC_E_OK;
    if (ex->has_nonce && memcmp(ex->nonce, ex->request.nonce, sizeof(ex->nonce)) != 0) {
        osspi_context_detail(run->context, "the client's nonce changed");
        return SEC_E_ILLEGAL_MESSAGE;
    }
    memcpy(ex->nonce, ex->request.nonce, sizeof(ex->nonce));
    ex->has_nonce = true;
    return SEC_E_OK;
}

/* The client's proof, and ours in return. */
static SECURITY_STATUS exchange_proofs(struct osspi_credssp_run *run,
                                       struct osspi_ts_request *answer)
{
    struct osspi_credssp_exchange *ex = run->ex;
    SECURITY_STATUS status;

    if (!ex->nego_done) {
        osspi_context_detail(run->context, "the client's pubKeyAuth came too early");
        return SEC_E_ILLEGAL_MESSAGE;
    }
    if (ex->version >= OSSPI_TS_HASHED && !ex->has_nonce) {
        osspi_context_detail(run->context, "the client has sent no nonce");
        return SEC_E_ILLEGAL_MESSAGE;
    }
    status = osspi_exchange_check_proof(run);
    if (status == SEC_E_OK)
        status = osspi_exchange_prove(run, &answer->key_auth);
    if (status == SEC_E_OK)
        ex->stage = OSSPI_CREDSSP_KEY;
    return status;
}

static SECURITY_STATUS take_tokens(struct osspi_credssp_run *run)
{
    struct osspi_credssp_exchange *ex = run->ex;
    struct osspi_ts_request answer osspi_auto(osspi_ts_request_clear) = {0};
    SECURITY_STATUS status = SEC_E_OK;

    if (ex->request.auth_info.len > 0) {
        osspi_context_detail(run->context, "the client's authInfo came too early");
        return SEC_E_ILLEGAL_MESSAGE;
    }
    if (!ex->nego_done) {
        if (!ex->request.has_token) {
            osspi_context_detail(run->context, "the client's message has no token");
            return SEC_E_ILLEGAL_MESSAGE;
        }
        status = osspi_exchange_token(run, &ex->request.token, &answer.token);
        if (status < 0 || status == OSSPI_WANT_BLOCKING)
            return status;
    } else if (ex->request.key_auth.len == 0) {
        osspi_context_detail(run->context, "the client's message has no pubKeyAuth");
        return SEC_E_ILLEGAL_MESSAGE;
    }
    answer.has_token = answer.token.len > 0;
    if (ex->request.key_auth.len > 0) {
        status = exchange_proofs(run, &answer);
        if (status != SEC_E_OK)
            return status;
    } else if (!answer.has_token) {
        return SEC_I_CONTINUE_NEEDED; /* its last token; the proof follows by itself */
    }
    status = osspi_exchange_send(run, &answer);
    return status == SEC_E_OK ? SEC_I_CONTINUE_NEEDED : status;
}

static SECURITY_STATUS take_credentials(struct osspi_credssp_run *run)
{
    struct osspi_credssp_exchange *ex = run->ex;
    uint8_t *plain;
    size_t len;
    SECURITY_STATUS status = SEC_E_ILLEGAL_MESSAGE;

    if (ex->request.auth_info.len == 0) {
        osspi_context_detail(run->context, "the client's message has no authInfo");
        return status;
    }
    status = osspi_inner_open(run->context, &ex->request.auth_info, &plain, &len);
    if (status != SEC_E_OK)
        return status;
    status = osspi_ts_credentials_decode(plain, len, &run->cc->delegated);
    osspi_secure_zero(plain, len);
    if (status == SEC_E_INVALID_TOKEN)
        osspi_context_detail(run->context, "the client's credentials are malformed");
    if (status == SEC_E_UNSUPPORTED_FUNCTION)
        osspi_context_detail(run->context, "the client's credentials are no password");
    if (status == SEC_E_OK)
        ex->stage = OSSPI_CREDSSP_DONE;
    return status;
}

SECURITY_STATUS osspi_server_step(struct osspi_credssp_run *run)
{
    SECURITY_STATUS status = osspi_exchange_check_version(run);

    if (status == SEC_E_OK && run->ex->request.has_error) {
        osspi_context_detail(run->context, "the client reports errorCode 0x%08X",
                             run->ex->request.error);
        status = SEC_E_ILLEGAL_MESSAGE;
    }
    if (status == SEC_E_OK)
        status = note_nonce(run);
    if (status != SEC_E_OK)
        return status;
    return run->ex->stage == OSSPI_CREDSSP_KEY ? take_credentials(run) : take_tokens(run);
}

void osspi_server_refuse(struct osspi_credssp_run *run, SECURITY_STATUS status)
{
    struct osspi_ts_request answer = {.has_error = true, .error = osspi_ts_error_of(status)};

    if (!run->ex->peer_version)
        return;
    if (!osspi_ts_has_error(run->ex->version))
        return;
    /* Without it the client just sees the end. */
    (void)osspi_exchange_send(run, &answer);
}
