/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: handshake messages without records, to a client and to a server, in every state from
 * the first byte to long after the handshake.
 *
 * Input: four bytes of options, then orders. Each order is about what one end has sent and the
 * other has not read: it goes over whole, cut, changed, doubled, lost, or with something of the
 * input in front, behind, or instead. Without orders it is a genuine handshake.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz_quic.h"

#define MAX_ORDERS 64

static void prepare_pair(unsigned client_kind, unsigned server_kind)
{
    struct fuzz_quic client, server;

    fuzz_quic_init(&client, fuzz_client(client_kind), false);
    fuzz_quic_init(&server, fuzz_server(server_kind), true);
    (void)fuzz_quic_connect(&client, &server);
    fuzz_quic_free(&client);
    fuzz_quic_free(&server);
}

void fuzz_prepare(void)
{
    for (unsigned kind = 0; kind < FUZZ_CLIENTS; kind++)
        prepare_pair(kind, FUZZ_SERVER_EC);
    for (unsigned kind = 0; kind < FUZZ_SERVERS; kind++)
        prepare_pair(FUZZ_CLIENT_ANY, kind);
}

static void set_options(struct fuzz_quic *end, uint8_t options)
{
    fuzz_quic_send(end, FUZZ_QUIC_PARAMS, end->server ? 8 : 1, "parameters", 10);
    if (options & 1)
        fuzz_quic_want(end, FUZZ_QUIC_PARAMS, end->server ? 1 : 8);
    end->aliases = (options & 2) != 0;
    if (options & 4)
        end->room = 40;
    if (options & 8)
        end->extra_room = 6;
    if (options & 16)
        end->secrets = 1;
    if (options & 32)
        end->flags |= end->server ? ASC_REQ_MUTUAL_AUTH : ISC_REQ_USE_SUPPLIED_CREDS;
}

/* A message of the input's, with a true length or one of its own. */
static void insert(struct fuzz_input *input, struct peer_stream *to)
{
    const uint8_t type = fuzz_u8(input), how = fuzz_u8(input);
    size_t len;
    uint8_t *bytes = fuzz_take(input, fuzz_u8(input), &len);
    const size_t told = how & 1 ? len : how * 64u;
    const uint8_t head[4] = {type, 0, (uint8_t)(told >> 8), (uint8_t)told};

    peer_push(to, head, sizeof(head));
    peer_push(to, bytes, len);
    free(bytes);
}

static void change(struct fuzz_input *input, struct peer_stream *sent)
{
    const size_t at = fuzz_u16(input);
    const uint8_t with = fuzz_u8(input);

    if (sent->len > 0)
        sent->bytes[at % sent->len] ^= with ? with : 1;
}

/* Gives what is left of sent in pieces, each with a leg. */
static void cut(struct fuzz_input *input, struct fuzz_quic *to, struct peer_stream *sent)
{
    for (int i = 0; i < 8 && sent->len > 1 && !to->over; i++) {
        const size_t len = 1 + fuzz_u16(input) % (sent->len - 1);

        peer_push(&to->in, sent->bytes, len);
        peer_drop(sent, len);
        fuzz_quic_feed(to);
    }
}

/* One order about what `from` has sent. */
static void obey(struct fuzz_input *input, struct fuzz_quic *from, struct fuzz_quic *to)
{
    struct peer_stream *sent = &from->sent;

    switch (fuzz_pick(input, 10)) {
    case 0:
        cut(input, to, sent);
        break;
    case 1:
        change(input, sent);
        break;
    case 2:
        peer_push(&to->in, sent->bytes, sent->len); /* and once more below */
        break;
    case 3:
        peer_clear(sent);
        break;
    case 4: /* in front */
        insert(input, &to->in);
        break;
    case 5:
        insert(input, sent);
        break;
    case 6: /* the end is missing, for good */
        if (sent->len > 0) {
            struct peer_stream part = {0};

            peer_push(&part, sent->bytes, fuzz_u16(input) % sent->len);
            peer_clear(sent);
            *sent = part;
        }
        break;
    case 7: /* a leg without anything, and one with its own words */
        if (!to->over && (to->has_context || !to->server))
            fuzz_quic_feed(to);
        peer_push(&from->in, sent->bytes, sent->len / 2);
        break;
    default:
        break;
    }
    fuzz_quic_deliver(from, to);
    if (to->in.len > 0)
        fuzz_quic_feed(to);
}

void fuzz_one(struct fuzz_input *input)
{
    const unsigned client_kind = fuzz_pick(input, FUZZ_CLIENTS);
    const unsigned server_kind = fuzz_pick(input, FUZZ_SERVERS);
    struct fuzz_quic client, server;
    bool turn = true;

    fuzz_quic_init(&client, fuzz_client(client_kind), false);
    fuzz_quic_init(&server, fuzz_server(server_kind), true);
    set_options(&client, fuzz_u8(input));
    set_options(&server, fuzz_u8(input));
    fuzz_quic_feed(&client);
    for (int i = 0; i < MAX_ORDERS && (input->len > 0 || i < 8) && !client.over && !server.over;
         i++, turn = !turn) {
        if (turn)
            obey(input, &client, &server);
        else
            obey(input, &server, &client);
    }
    if (client.has_context)
        context_look(&client.context);
    if (server.has_context)
        context_look(&server.context);
    fuzz_quic_free(&client);
    fuzz_quic_free(&server);
}
