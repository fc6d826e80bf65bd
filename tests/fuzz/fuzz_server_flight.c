/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: what a client may send to a server, from the first byte on.
 *
 * Input: four bytes of options (fuzz_end_init), then pieces: a 16-bit length and as many bytes,
 * each given to AcceptSecurityContext behind what it has left. A context that gets as far reads
 * the rest by DecryptMessage.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>

void fuzz_prepare(void)
{
    struct fuzz_end client, server;

    /* Whatever is made with the first connection of a credential is made here. */
    for (unsigned kind = 0; kind < FUZZ_SERVERS; kind++) {
        fuzz_end_init_plain(&client, fuzz_client(FUZZ_CLIENT_ANY), false);
        fuzz_end_init_plain(&server, fuzz_server(kind), true);
        TEST_REQUIRE(fuzz_connect(&client, &server));
        fuzz_end_free(&client);
        fuzz_end_free(&server);
    }
}

void fuzz_one(struct fuzz_input *input)
{
    struct fuzz_end server;

    fuzz_end_init(&server, true, input);
    while (input->len > 0 && !server.over) {
        size_t len;
        uint8_t *piece = fuzz_take(input, fuzz_u16(input), &len);

        peer_push(&server.in, piece, len);
        free(piece);
        fuzz_feed(&server);
    }
    fuzz_seal(&server, "answer", 6);
    if (server.has_context)
        context_look(&server.context);
    fuzz_end_free(&server);
}
