/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client's part of the exchange (MS-CSSP 3.1.5); see leg.h.
 */
#include <errno.h>
#include <sys/random.h>

#include "base/memory.h"
#include "packages/credssp/delegate.h"
#include "packages/credssp/error_code.h"
#include "packages/credssp/key_auth.h"
#include "packages/credssp/leg.h"

static bool fill_nonce(uint8_t *nonce, size_t len)
{
    while (len > 0) {
        const ssize_t got = getrandom(nonce, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        nonce += got;
        len -= (size_t)got;
    }
    return true;
}

/* Negotiate is done: the proof that we see the server's key goes out, with its last token. */
static SECURITY_STATUS add_proof(struct osspi_credssp_run *run, struct osspi_ts_request *answer)
{
    struct osspi_credssp_exchange *ex = run->ex;

    if (ex->version >= OSSPI_TS_HASHED) {
        if (!fill_nonce(ex->nonce, sizeof(ex->nonce)))
            return SEC_E_INTERNAL_ERROR;
        ex->has_nonce = answer->has_nonce = true;
        for (size_t i = 0; i < sizeof(ex->nonce); i++)
            answer->nonce[i] = ex->nonce[i];
    }
    return osspi_exchange_prove(run, &answer->key_auth);
}

static SECURITY_STATUS answer(struct osspi_credssp_run *run, struct osspi_bytes *token)
{
    struct osspi_ts_request answer osspi_auto(osspi_ts_request_clear) = {0};
    SECURITY_STATUS status = osspi_exchange_token(run, token, &answer.token);

    if (status < 0 || status == OSSPI_WANT_BLOCKING)
        return status;
    answer.has_token = answer.token.len > 0;
    run->ex->stage = OSSPI_CREDSSP_TOKENS;
    if (run->ex->nego_done) {
        status = add_proof(run, &answer);
        if (status != SEC_E_OK)
            return status;
        run->ex->stage = OSSPI_CREDSSP_KEY;
    } else if (!answer.has_token) {
        return SEC_E_INTERNAL_ERROR; /* neither done nor with anything to say */
    }
    status = osspi_exchange_send(run, &answer);
    return status == SEC_E_OK ? SEC_I_CONTINUE_NEEDED : status;
}

SECURITY_STATUS osspi_client_begin(struct osspi_credssp_run *run)
{
    /* Nothing is known of the server; should the first token be the last, our own version holds. */
    run->ex->version = run->ex->max_version;
    return answer(run, NULL);
}

static SECURITY_STATUS give_credentials(struct osspi_credssp_run *run)
{
    const struct osspi_credssp_credential *data = osspi_credssp_credential(run->cc->credential);
    struct osspi_ts_request last osspi_auto(osspi_ts_request_clear) = {0};
    struct osspi_bytes der osspi_auto(osspi_bytes_clear) = {0};
    SECURITY_STATUS status =
        osspi_ts_credentials_encode(run->ex->delegates ? data->identity : NULL, &der);

    if (status == SEC_E_OK)
        status = osspi_inner_seal(run->context, &der, &last.auth_info);
    if (status == SEC_E_OK)
        status = osspi_exchange_send(run, &last);
    if (status == SEC_E_OK)
        run->ex->stage = OSSPI_CREDSSP_DONE;
    return status;
}

/* A server that refuses says why; what it says is not protected beyond TLS, but a refusal is
 * nothing to be gained from. */
static SECURITY_STATUS refused(struct osspi_credssp_run *run)
{
    const uint32_t error = run->ex->request.error;

    osspi_context_detail(run->context, "the server refuses: errorCode 0x%08X, %s", error,
                         osspi_ts_error_text(error));
    return osspi_ts_error_status(error);
}

SECURITY_STATUS osspi_client_step(struct osspi_credssp_run *run)
{
    struct osspi_credssp_exchange *ex = run->ex;
    SECURITY_STATUS status = osspi_exchange_check_version(run);

    if (status != SEC_E_OK)
        return status;
    if (ex->request.has_error)
        return refused(run);
    if (ex->stage == OSSPI_CREDSSP_TOKENS && ex->request.has_token && ex->request.key_auth.len == 0)
        return answer(run, &ex->request.token);
    /* A token that Negotiate does not wait for any more says nothing new. */
    if (ex->stage == OSSPI_CREDSSP_KEY && ex->request.key_auth.len > 0) {
        status = osspi_exchange_check_proof(run);
        return status == SEC_E_OK ? give_credentials(run) : status;
    }
    /* It may go on once more with tokens, where ours was the last. */
    if (ex->stage == OSSPI_CREDSSP_KEY && ex->request.has_token)
        return SEC_I_CONTINUE_NEEDED;
    osspi_context_detail(run->context, "the server's message has nothing of what is expected");
    return SEC_E_ILLEGAL_MESSAGE;
}
