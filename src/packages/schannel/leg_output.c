/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a leg gives: the token, an alert, and the flags that say what was granted.
 *
 * Memory: with ALLOCATE_MEMORY, or where the caller's buffer has no address, the library allocates;
 * else it copies if there is room. Nothing is written when there is none.
 */
#include "packages/schannel/context.h"

/* Granted because they were asked for and TLS always gives them. Flags whose REQ and RET bits are
 * the same bit. */
#define ISC_ALWAYS \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_CONNECTION | ISC_REQ_EXTENDED_ERROR | ISC_REQ_INTEGRITY | \
     ISC_REQ_MANUAL_CRED_VALIDATION | ISC_REQ_STREAM | ISC_REQ_USE_SUPPLIED_CREDS | \
     ISC_REQ_NO_POST_HANDSHAKE_AUTH)
#define ASC_ALWAYS \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_CONNECTION | ASC_REQ_EXTENDED_ERROR | ASC_REQ_INTEGRITY | \
     ASC_REQ_STREAM | ASC_REQ_SESSION_TICKET)

SECURITY_STATUS osspi_leg_output_parse(const struct osspi_leg *leg, bool server,
                                       struct osspi_leg_output *ret_output)
{
    SecBuffer *alert = osspi_buffers_find(&leg->out, SECBUFFER_ALERT);

    *ret_output = (struct osspi_leg_output){
        .token = osspi_buffers_find(&leg->out, SECBUFFER_TOKEN),
        .alert = alert,
        .allocate =
            (leg->flags & (server ? ASC_REQ_ALLOCATE_MEMORY : ISC_REQ_ALLOCATE_MEMORY)) != 0,
        .extended_error =
            (leg->flags & (server ? ASC_REQ_EXTENDED_ERROR : ISC_REQ_EXTENDED_ERROR)) != 0,
    };
    if (!ret_output->token)
        ret_output->token = osspi_buffers_find(&leg->out, SECBUFFER_EMPTY);
    if (!ret_output->token)
        return SEC_E_INVALID_TOKEN;
    if (alert && !ret_output->allocate && alert->pvBuffer && alert->cbBuffer == 0)
        return SEC_E_INSUFFICIENT_MEMORY;
    return SEC_E_OK;
}

static SECURITY_STATUS give(struct osspi_leg_output *output, SecBuffer *buffer, ULONG type,
                            const uint8_t *bytes, size_t len)
{
    bool allocates = output->allocate || !buffer->pvBuffer;
    SECURITY_STATUS status =
        osspi_buffer_give(buffer, type, bytes, len, output->allocate, SEC_E_INSUFFICIENT_MEMORY);

    if (status == SEC_E_OK && allocates && len > 0)
        output->allocated = true;
    return status;
}

/* Without content nothing can be too small, and nothing is allocated. */
static void give_nothing(struct osspi_leg_output *output, SecBuffer *buffer, ULONG type)
{
    if (buffer && give(output, buffer, type, NULL, 0) != SEC_E_OK)
        buffer->cbBuffer = 0;
}

SECURITY_STATUS osspi_leg_output_token(struct osspi_leg_output *output, const uint8_t *bytes,
                                       size_t len)
{
    SECURITY_STATUS status = give(output, output->token, SECBUFFER_TOKEN, bytes, len);

    if (status == SEC_E_OK)
        give_nothing(output, output->alert, SECBUFFER_ALERT);
    return status;
}

bool osspi_leg_output_failure(struct osspi_leg_output *output, const uint8_t *alert, size_t len)
{
    SecBuffer *place = output->alert;
    SECURITY_STATUS status = SEC_E_OK;

    if (!place && output->extended_error)
        place = output->token;
    if (place && len > 0)
        status = give(output, place, place == output->alert ? SECBUFFER_ALERT : SECBUFFER_TOKEN,
                      alert, len);
    if (status != SEC_E_OK || len == 0)
        place = NULL;
    if (place != output->token)
        give_nothing(output, output->token, SECBUFFER_TOKEN);
    if (place != output->alert)
        give_nothing(output, output->alert, SECBUFFER_ALERT);
    return status == SEC_E_OK;
}

uint64_t osspi_leg_granted(const struct osspi_schannel_context *sc, const struct osspi_leg *leg,
                           const struct osspi_leg_output *output, bool complete)
{
    uint64_t granted;

    if (sc->server) {
        granted = (leg->flags & ASC_ALWAYS) | ASC_RET_REPLAY_DETECT | ASC_RET_SEQUENCE_DETECT;
        if (sc->kind == OSSPI_KIND_DATAGRAM)
            granted |= ASC_RET_DATAGRAM | ASC_RET_STREAM;
        if (output->allocate || output->allocated)
            granted |= ASC_RET_ALLOCATED_MEMORY;
        /* A certificate that did not pass would have ended the handshake. */
        if (complete && sc->verifies && osspi_schannel_facts(sc)->peer_chain)
            granted |= ASC_RET_MUTUAL_AUTH;
        return granted;
    }
    granted = (leg->flags & ISC_ALWAYS) | ISC_RET_REPLAY_DETECT | ISC_RET_SEQUENCE_DETECT;
    if (sc->kind == OSSPI_KIND_DATAGRAM) /* both bits, as on Windows */
        granted |= ISC_RET_DATAGRAM | ISC_RET_STREAM;
    if (output->allocate || output->allocated)
        granted |= ISC_RET_ALLOCATED_MEMORY;
    if (complete && sc->verifies && leg->flags & ISC_REQ_MUTUAL_AUTH)
        granted |= ISC_RET_MUTUAL_AUTH;
    return granted;
}
