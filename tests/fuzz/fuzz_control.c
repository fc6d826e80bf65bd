/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: control tokens, in any state of a connection that allows handshakes after the
 * handshake: a leg without input may begin one.
 *
 * Input: one byte for state and side, then tokens: a byte for the buffers' shape, a length, bytes.
 * After each token a leg without input, whose output goes to the peer.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/contract_status.h"

#define MAX_TOKENS 12

static void allow(CredHandle *credential)
{
    OsspiTlsOptions options = {.cbSize = sizeof(options),
                               .flags = OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH |
                                        OSSPI_TLS_EARLY_DATA};

    TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(credential, OSSPI_CRED_ATTR_TLS_OPTIONS, &options,
                                                 sizeof(options)),
                       SEC_E_OK);
}

void fuzz_prepare(void)
{
    struct fuzz_end client, server;

    allow(fuzz_client(FUZZ_CLIENT_TLS12));
    allow(fuzz_client(FUZZ_CLIENT_TLS13));
    allow(fuzz_server(FUZZ_SERVER_EC));

    for (unsigned kind = FUZZ_CLIENT_TLS12; kind <= FUZZ_CLIENT_TLS13; kind++) {
        fuzz_end_init_plain(&client, fuzz_client(kind), false);
        fuzz_end_init_plain(&server, fuzz_server(FUZZ_SERVER_EC), true);
        TEST_REQUIRE(fuzz_connect(&client, &server));
        fuzz_end_free(&client);
        fuzz_end_free(&server);
    }
}

/* Words are more likely to mean something than bytes. */
static uint8_t *token_bytes(struct fuzz_input *input, size_t *ret_len)
{
    uint8_t len = fuzz_u8(input);
    DWORD words[3];

    if (len >= 128)
        return fuzz_take(input, len % 32u, ret_len);
    for (int i = 0; i < 3; i++)
        words[i] = fuzz_u8(input);
    if (words[0] == 100) /* the one that is not a small number */
        words[0] = OSSPI_SCHANNEL_KEY_UPDATE;
    *ret_len = sizeof(words) - len % 8 / 2;
    return memcpy(fuzz_room(*ret_len), words, *ret_len);
}

static void apply(struct fuzz_end *end, struct fuzz_input *input)
{
    uint8_t shape = fuzz_u8(input);
    size_t len;
    uint8_t *bytes = token_bytes(input, &len);
    SecBuffer buffers[2] = {{(ULONG)len, SECBUFFER_TOKEN, bytes}, {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 1, buffers};
    SECURITY_STATUS status;

    if (shape >= 240) {
        desc.cBuffers = shape % 3;
        desc.ulVersion = shape % 2;
        buffers[0].BufferType = shape % 5 ? SECBUFFER_TOKEN : SECBUFFER_DATA;
    }
    status = ApplyControlToken(&end->context, shape == 255 ? NULL : &desc);
    contract_require("ApplyControlToken", status);
    end->ordered = true;
    free(bytes);
}

void fuzz_one(struct fuzz_input *input)
{
    uint8_t options = fuzz_u8(input);
    struct fuzz_end client, server, *end = options & 1 ? &server : &client;
    struct fuzz_end *other = options & 1 ? &client : &server;

    fuzz_end_init_plain(&client, fuzz_client(options & 2 ? FUZZ_CLIENT_TLS12 : FUZZ_CLIENT_TLS13),
                        false);
    fuzz_end_init_plain(&server, fuzz_server(FUZZ_SERVER_EC), true);
    if (options & 12) {
        TEST_REQUIRE(fuzz_connect(&client, &server));
    } else {
        fuzz_feed(&client);
        fuzz_deliver(&client, &server);
        fuzz_feed(&server);
    }
    for (int i = 0; i < MAX_TOKENS && input->len > 0; i++) {
        apply(end, input);
        if (options & 16)
            (void)fuzz_leg(end);
        fuzz_deliver(end, other);
        fuzz_feed(other);
        fuzz_deliver(other, end);
    }
    fuzz_feed(end);
    context_look(&end->context);
    fuzz_end_free(&client);
    fuzz_end_free(&server);
}
