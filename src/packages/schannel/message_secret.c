/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Traffic secrets for the caller of message mode: SEC_TRAFFIC_SECRETS, in the order in which they
 * became available.
 *
 * Offsets count in the token of the same leg. Our own handshake secret has those of the bytes that
 * it protects; behind its end the application's begins. A client's handshake secret is there before
 * it has anything to protect (from 0 to 0); it is told once more in the leg whose token has those
 * bytes, in front of the application's. Callers wait for that: they take the end of the secret that
 * comes first for where the application's level begins. Secrets of the peer's direction have no
 * offsets, and those of the application's no end.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/message_mode.h"

#define IV_SIZE 12u /* RFC 9001, 5.3 */

static const struct osspi_message_secret *own_handshake(const struct osspi_messages *messages,
                                                        bool server)
{
    for (size_t i = 0; i < messages->known; i++) {
        if (messages->secrets[i].level == OSSPI_LEVEL_HANDSHAKE &&
            messages->secrets[i].server == server)
            return &messages->secrets[i];
    }
    return NULL;
}

static void add(struct osspi_message_plan *plan, const struct osspi_message_secret *secret,
                size_t start, size_t end)
{
    plan->items[plan->count++] =
        (struct osspi_message_told){secret, (uint16_t)start, (uint16_t)end};
}

SECURITY_STATUS osspi_message_plan(const struct osspi_messages *messages, bool server,
                                   struct osspi_message_plan *ret_plan)
{
    const size_t start = messages->flight[OSSPI_LEVEL_INITIAL];
    const size_t end = start + messages->flight[OSSPI_LEVEL_HANDSHAKE];
    const struct osspi_message_secret *own = own_handshake(messages, server);
    bool own_told = false;

    *ret_plan = (struct osspi_message_plan){0};
    if (end > UINT16_MAX)
        return SEC_E_INTERNAL_ERROR;
    for (size_t i = messages->told; i < messages->known; i++) {
        const struct osspi_message_secret *secret = &messages->secrets[i];

        if (secret->server != server) {
            add(ret_plan, secret, 0, 0);
        } else if (secret == own) {
            add(ret_plan, secret, start, end);
            own_told = true;
        } else {
            if (own && !own_told && end > start)
                add(ret_plan, own, start, end);
            add(ret_plan, secret, end, 0);
        }
    }
    return SEC_E_OK;
}

/* ---- the caller's buffers ---- */

static size_t secret_len(const struct osspi_suite *suite)
{
    return strcmp(suite->prf_hash, "SHA384") == 0 ? 48 : 32;
}

SECURITY_STATUS osspi_message_secrets_fit(const struct osspi_buffers *out,
                                          const struct osspi_message_plan *plan,
                                          const struct osspi_suite *suite)
{
    const size_t needed =
        offsetof(SEC_TRAFFIC_SECRETS, TrafficSecret) + (suite ? secret_len(suite) : 0);

    for (ULONG i = 0; i < plan->count; i++) {
        const SecBuffer *buffer = osspi_buffers_find_nth(out, SECBUFFER_TRAFFIC_SECRETS, i);

        if (!buffer)
            return SEC_E_INSUFFICIENT_BUFFERS;
        if (!buffer->pvBuffer || buffer->cbBuffer < needed)
            return SEC_E_BUFFER_TOO_SMALL;
    }
    return SEC_E_OK;
}

static void put_name(WCHAR name[SZ_ALG_MAX_SIZE], const char *text)
{
    for (size_t i = 0; i < SZ_ALG_MAX_SIZE - 1 && text[i] != '\0'; i++)
        name[i] = (WCHAR)text[i];
}

static void give_secret(SecBuffer *buffer, const struct osspi_message_told *told,
                        const struct osspi_suite *suite)
{
    const size_t head = offsetof(SEC_TRAFFIC_SECRETS, TrafficSecret);
    const size_t len = secret_len(suite);
    SEC_TRAFFIC_SECRETS fixed = {
        .KeySize = (USHORT)(suite->cipher_bits / 8),
        .IvSize = IV_SIZE,
        .MsgSequenceStart = told->start,
        .MsgSequenceEnd = told->end,
        .TrafficSecretType =
            told->secret->server ? SecTrafficSecret_Server : SecTrafficSecret_Client,
        .TrafficSecretSize = (USHORT)len,
    };

    put_name(fixed.SymmetricAlgId, suite->cipher);
    put_name(fixed.ChainingMode, suite->mode);
    put_name(fixed.HashAlgId, suite->prf_hash);
    memcpy(buffer->pvBuffer, &fixed, head);
    memcpy((uint8_t *)buffer->pvBuffer + head, told->secret->bytes, len);
    buffer->cbBuffer = (ULONG)(head + len);
}

/* The caller looks at the type alone, and does not clear its buffers between legs. */
static void give_none(const SecBuffer *buffer)
{
    const SEC_TRAFFIC_SECRET_TYPE none = SecTrafficSecret_None;
    const size_t at = offsetof(SEC_TRAFFIC_SECRETS, TrafficSecretType);

    if (buffer->pvBuffer && buffer->cbBuffer >= at + sizeof(none))
        memcpy((uint8_t *)buffer->pvBuffer + at, &none, sizeof(none));
}

void osspi_message_secrets_give(const struct osspi_buffers *out,
                                const struct osspi_message_plan *plan,
                                const struct osspi_suite *suite)
{
    size_t given = 0;

    for (ULONG i = 0; i < out->count; i++) {
        SecBuffer *buffer = &out->items[i];

        if (osspi_buffer_type(buffer) != SECBUFFER_TRAFFIC_SECRETS)
            continue;
        if (plan && given < plan->count)
            give_secret(buffer, &plan->items[given++], suite);
        else
            give_none(buffer);
    }
}
