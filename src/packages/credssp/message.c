/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages and ApplyControlToken: all of it is the TLS connection's. The locks that the caller
 * holds on the outer context guard the inner one.
 */
#include "packages/credssp/context.h"

static SECURITY_STATUS ready(struct osspi_credssp_context *cc)
{
    return osspi_credssp_is_done(cc) ? SEC_E_OK : SEC_E_INVALID_HANDLE;
}

/* A message that breaks the connection breaks it for both. */
static SECURITY_STATUS end(struct osspi_context *outer, struct osspi_context *tls,
                           SECURITY_STATUS status)
{
    char text[OSSPI_DETAIL_SIZE];

    if (atomic_load(&tls->state) == OSSPI_CONTEXT_FAILED) {
        osspi_context_set_state(outer, OSSPI_CONTEXT_FAILED);
        if (osspi_context_get_detail(tls, text, sizeof(text)) > 0)
            osspi_context_detail(outer, "%s", text);
    }
    return status;
}

SECURITY_STATUS osspi_credssp_encrypt(struct osspi_context *context, uint32_t qop,
                                      const struct osspi_buffers *message, uint32_t sequence)
{
    struct osspi_credssp_context *cc = osspi_credssp(context);
    SECURITY_STATUS status = ready(cc);

    if (status != SEC_E_OK)
        return status;
    status = osspi_credssp_tls()->encrypt(cc->tls, qop, message, sequence);
    return end(context, cc->tls, status);
}

SECURITY_STATUS osspi_credssp_decrypt(struct osspi_context *context,
                                      const struct osspi_buffers *message, uint32_t sequence,
                                      uint32_t *ret_qop)
{
    struct osspi_credssp_context *cc = osspi_credssp(context);
    SECURITY_STATUS status = ready(cc);

    if (status != SEC_E_OK)
        return status;
    status = osspi_credssp_tls()->decrypt(cc->tls, message, sequence, ret_qop);
    return end(context, cc->tls, status);
}

/* Before the exchange is over there is no connection that could be closed: its legs do not make
 * alerts. */
SECURITY_STATUS osspi_credssp_control(struct osspi_context *context,
                                      const struct osspi_buffers *token)
{
    struct osspi_credssp_context *cc = osspi_credssp(context);

    if (!osspi_credssp_is_done(cc))
        return SEC_E_UNSUPPORTED_FUNCTION;
    return osspi_credssp_tls()->control(cc->tls, token);
}
