/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: what a server may answer to a client's ClientHello.
 *
 * Input: four bytes of options (fuzz_end_init), then pieces: a 16-bit length and as many bytes,
 * each given to InitializeSecurityContext behind what it has left. A context that gets as far
 * reads the rest by DecryptMessage.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>

void fuzz_prepare(void)
{
    struct fuzz_end client, server;

    /* Whatever is made with the first connection of a credential is made here. */
    for (unsigned kind = 0; kind < FUZZ_CLIENTS; kind++) {
        fuzz_end_init_plain(&client, fuzz_client(kind), false);
        fuzz_end_init_plain(&server, fuzz_server(FUZZ_SERVER_EC), true);
        TEST_REQUIRE(fuzz_connect(&client, &server));
        fuzz_end_free(&client);
        fuzz_end_free(&server);
    }
}

void fuzz_one(struct fuzz_input *input)
{
    struct fuzz_end client;

    fuzz_end_init(&client, false, input);
    fuzz_feed(&client);
    while (input->len > 0 && !client.over) {
        size_t len;
        uint8_t *piece = fuzz_take(input, fuzz_u16(input), &len);

        peer_push(&client.in, piece, len);
        free(piece);
        if (client.has_context)
            fuzz_feed(&client);
    }
    fuzz_seal(&client, "question", 8);
    if (client.has_context)
        context_look(&client.context);
    fuzz_end_free(&client);
}
