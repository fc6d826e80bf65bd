/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: a genuine handshake with a few damaged records, data and close included.
 *
 * Input: four bytes of options of the client, four of the server (fuzz_end_init), then the damages
 * (fuzz_line_init). Without damage two ends that fit must get through, and their data must arrive.
 */
#include "fuzz/fuzz_damage.h"

#include <stdlib.h>
#include <string.h>

#include "support/contract_status.h"

void fuzz_prepare(void)
{
    struct fuzz_end client, server;

    for (unsigned kind = 0; kind < FUZZ_CLIENTS * FUZZ_SERVERS; kind++) {
        fuzz_end_init_plain(&client, fuzz_client(kind % FUZZ_CLIENTS), false);
        fuzz_end_init_plain(&server, fuzz_server(kind / FUZZ_CLIENTS), true);
        (void)fuzz_connect(&client, &server); /* some have no version in common */
        fuzz_end_free(&client);
        fuzz_end_free(&server);
    }
}

static void close_end(struct fuzz_end *end)
{
    DWORD order = SCHANNEL_SHUTDOWN;
    SecBuffer buffer = {sizeof(order), SECBUFFER_TOKEN, &order};
    SecBufferDesc token = {SECBUFFER_VERSION, 1, &buffer};

    if (!end->has_context)
        return;
    contract_require("ApplyControlToken", ApplyControlToken(&end->context, &token));
    end->ordered = true;
    peer_clear(&end->in);
    (void)fuzz_leg(end);
}

static void talk(struct fuzz_line *line, struct fuzz_end *client, struct fuzz_end *server)
{
    for (int i = 0; i < 3; i++) {
        fuzz_seal(client, "question", i * 4u);
        fuzz_line_deliver(line, client, server);
        if (server->in.len > 0)
            fuzz_feed(server);
        fuzz_seal(server, "answer", 6);
        fuzz_line_deliver(line, server, client);
        if (client->in.len > 0 && client->has_context)
            fuzz_feed(client);
    }
    close_end(client);
    fuzz_line_deliver(line, client, server);
    if (server->in.len > 0)
        fuzz_feed(server);
    close_end(server);
}

void fuzz_one(struct fuzz_input *input)
{
    struct fuzz_end client, server;
    struct fuzz_line line;

    fuzz_end_init(&client, false, input);
    fuzz_end_init(&server, true, input);
    fuzz_line_init(&line, input);
    fuzz_line_handshake(&line, &client, &server);
    if (client.has_context)
        context_look(&client.context);
    if (server.has_context)
        context_look(&server.context);
    talk(&line, &client, &server);
    fuzz_line_free(&line);
    fuzz_end_free(&client);
    fuzz_end_free(&server);
}
