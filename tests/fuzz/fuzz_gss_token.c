/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: tokens of Kerberos, NTLM and Negotiate, to a client and to a server.
 *
 * Input: kind, flags of both sides, then for each token that one side has made an order: it goes
 * over whole, changed, cut, lengthened, twice, or with bytes of the input in it or in its place.
 * Without orders it is a genuine handshake. Where one comes about, a message goes over as well.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz_gss.h"
#include "support/context_look.h"
#include "support/contract_status.h"

#define MAX_TOKENS 12

static struct pair pairs[FUZZ_GSS_KINDS]; /* guarded: one thread */

static void reset(struct pair *pair, const struct pair *usual)
{
    pair_reset(pair);
    pair->client_flags = usual->client_flags;
    pair->server_flags = usual->server_flags;
}

void fuzz_prepare(void)
{
    fuzz_gss_realm();
    for (int kind = 0; kind < FUZZ_GSS_KINDS; kind++) {
        fuzz_gss_open(&pairs[kind], (enum fuzz_gss_kind)kind);
        TEST_REQUIRE_EQUAL(pair_talk(&pairs[kind]), SEC_E_OK);
        pair_reset(&pairs[kind]);
    }
}

/* ---- tokens ---- */

static void change(struct fuzz_input *input, struct peer_stream *token)
{
    for (unsigned count = fuzz_pick(input, 4) + 1; count > 0 && token->len > 0; count--) {
        const size_t at = fuzz_u16(input) % token->len;
        const uint8_t with = fuzz_u8(input);

        token->bytes[at] ^= with ? with : 1;
    }
}

/* Bytes of the input at some place of the token, over what stands there or before it. */
static void insert(struct fuzz_input *input, struct peer_stream *token, bool over)
{
    const size_t at = fuzz_u16(input) % (token->len + 1);
    struct peer_stream whole = {0};
    size_t len, skip;
    uint8_t *bytes = fuzz_take(input, fuzz_u8(input), &len);

    skip = over ? (len < token->len - at ? len : token->len - at) : 0;
    peer_push(&whole, token->bytes, at);
    peer_push(&whole, bytes, len);
    if (token->len > at + skip)
        peer_push(&whole, token->bytes + at + skip, token->len - at - skip);
    peer_clear(token);
    *token = whole;
    free(bytes);
}

static void obey(struct fuzz_input *input, struct peer_stream *token, bool *ret_twice)
{
    size_t len;
    uint8_t *bytes;

    switch (fuzz_pick(input, 8)) {
    case 1:
        change(input, token);
        break;
    case 2:
        if (token->len > 0)
            token->len = fuzz_u16(input) % token->len;
        break;
    case 3:
        insert(input, token, false);
        break;
    case 4:
        insert(input, token, true);
        break;
    case 5:
        bytes = fuzz_take(input, fuzz_u16(input), &len);
        peer_clear(token);
        peer_push(token, bytes, len);
        free(bytes);
        break;
    case 6:
        *ret_twice = true;
        break;
    default:
        break;
    }
}

/* ---- legs ---- */

static SECURITY_STATUS leg(struct pair *pair, bool server, const struct peer_stream *token)
{
    /* In a block of just that size, so that a step beyond is seen. */
    uint8_t *bytes = fuzz_room(token->len);
    SECURITY_STATUS status;

    if (token->len > 0)
        memcpy(bytes, token->bytes, token->len);
    status = server ? pair_accept(pair, bytes, (ULONG)token->len)
                    : pair_initialize(pair, bytes, (ULONG)token->len);
    contract_require(server ? "AcceptSecurityContext" : "InitializeSecurityContextA", status);
    free(bytes);
    return status;
}

static bool both_done(const struct pair *pair)
{
    return pair->client.has_context && pair->server.has_context &&
           pair->client.status == SEC_E_OK && pair->server.status == SEC_E_OK;
}

static void talk(struct fuzz_input *input, struct pair *pair)
{
    bool server = true;

    contract_require("InitializeSecurityContextA", pair_initialize(pair, NULL, 0));
    for (int i = 0; i < MAX_TOKENS; i++, server = !server) {
        struct side *from = server ? &pair->client : &pair->server;
        struct peer_stream token = {0};
        bool twice = false;
        SECURITY_STATUS status;

        peer_push(&token, from->token, from->token_len);
        from->token_len = 0;
        obey(input, &token, &twice);
        status = leg(pair, server, &token);
        if (twice && status >= 0)
            status = leg(pair, server, &token);
        peer_clear(&token);
        if (status < 0 || (both_done(pair) && input->len == 0))
            break;
    }
}

/* ---- */

static void look(struct side *side)
{
    if (side->has_context)
        context_look(&side->context);
}

void fuzz_one(struct fuzz_input *input)
{
    const unsigned kind = fuzz_pick(input, FUZZ_GSS_KINDS);
    const ULONG client = fuzz_u8(input), server = fuzz_u8(input);
    struct pair *pair = &pairs[kind];
    const struct pair usual = {.client_flags = pair->client_flags,
                               .server_flags = pair->server_flags};
    bool genuine = input->len == 0;

    pair->client_flags ^= client & 1 ? ISC_REQ_MUTUAL_AUTH : 0;
    pair->client_flags |= client & 2 ? ISC_REQ_IDENTIFY : 0;
    pair->client_flags ^= client & 4 ? ISC_REQ_CONFIDENTIALITY : 0;
    pair->client_flags |= client & 8 ? ISC_REQ_DELEGATE : 0;
    pair->server_flags |= server & 1 ? ASC_REQ_CONFIDENTIALITY | ASC_REQ_INTEGRITY : 0;
    pair->server_flags |= server & 2 ? ASC_REQ_EXTENDED_ERROR : 0;
    genuine = genuine && client == 0 && server == 0;
    talk(input, pair);
    look(&pair->client);
    look(&pair->server);
    if (genuine) {
        TEST_REQUIRE(both_done(pair));
        pair_exchange(&pair->client, &pair->server, "from the client");
        pair_exchange(&pair->server, &pair->client, "from the server");
    }
    reset(pair, &usual);
}
