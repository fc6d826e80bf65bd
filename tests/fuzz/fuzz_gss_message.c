/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: messages of Kerberos, NTLM and Negotiate, to EncryptMessage, DecryptMessage,
 * MakeSignature and VerifySignature of established contexts.
 *
 * Input: kind, who sends, then steps: a message is sealed or signed, goes over as it is, changed,
 * or again; bytes of the input go over; buffers come in odd number, type, order and place. What is
 * opened is what was sealed. The contexts are kept: their message numbers run on.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz_gss.h"
#include "support/contract_status.h"

#define MAX_STEPS   12
#define MAX_BUFFERS 5
#define MAX_DATA    2048u

static struct pair pairs[FUZZ_GSS_KINDS]; /* guarded: one thread */

struct scene {
    struct fuzz_input *input;
    struct side *from, *to;
    uint8_t token[512], padding[64], data[MAX_DATA]; /* the last message */
    ULONG token_len, padding_len, data_len;
    bool is_signature;
    uint8_t text[MAX_DATA]; /* what it says */
};

void fuzz_prepare(void)
{
    fuzz_gss_realm();
    for (int kind = 0; kind < FUZZ_GSS_KINDS; kind++) {
        fuzz_gss_open(&pairs[kind], (enum fuzz_gss_kind)kind);
        TEST_REQUIRE_EQUAL(pair_talk(&pairs[kind]), SEC_E_OK);
    }
}

/* ---- genuine messages ---- */

static SecPkgContext_Sizes sizes_of(struct side *side)
{
    SecPkgContext_Sizes sizes;

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&side->context, SECPKG_ATTR_SIZES, &sizes),
                       SEC_E_OK);
    return sizes;
}

static void write_message(struct scene *scene)
{
    const SecPkgContext_Sizes sizes = sizes_of(scene->from);
    /* NTLM refuses to seal nothing. */
    const ULONG len = 1 + fuzz_u16(scene->input) % (MAX_DATA - 1);
    SecBuffer buffers[3];
    SecBufferDesc message = {SECBUFFER_VERSION, 3, buffers};
    SECURITY_STATUS status;

    scene->is_signature = fuzz_pick(scene->input, 3) == 2;
    memset(scene->data, 'x', len);
    memcpy(scene->text, scene->data, len);
    TEST_REQUIRE(sizes.cbSecurityTrailer <= sizeof(scene->token) &&
                 sizes.cbMaxSignature <= sizeof(scene->token) &&
                 sizes.cbBlockSize <= sizeof(scene->padding));
    buffers[0] = (SecBuffer){scene->is_signature ? sizes.cbMaxSignature : sizes.cbSecurityTrailer,
                             SECBUFFER_TOKEN, scene->token};
    buffers[1] = (SecBuffer){len, SECBUFFER_DATA, scene->data};
    buffers[2] = (SecBuffer){sizes.cbBlockSize, SECBUFFER_PADDING, scene->padding};
    if (scene->is_signature) {
        message.cBuffers = 2;
        buffers[2].cbBuffer = 0;
        status = MakeSignature(&scene->from->context, 0, &message, 0);
    } else {
        status = EncryptMessage(&scene->from->context, 0, &message, 0);
    }
    contract_require(scene->is_signature ? "MakeSignature" : "EncryptMessage", status);
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    scene->token_len = buffers[0].cbBuffer;
    scene->data_len = buffers[1].cbBuffer;
    scene->padding_len = buffers[2].cbBuffer;
}

/* A block of just that size. */
static uint8_t *apart(const void *bytes, size_t len)
{
    uint8_t *copy = fuzz_room(len);

    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

static void read_message(struct scene *scene)
{
    uint8_t *token = apart(scene->token, scene->token_len);
    uint8_t *data = apart(scene->data, scene->data_len);
    uint8_t *padding = apart(scene->padding, scene->padding_len);
    SecBuffer buffers[] = {{scene->token_len, SECBUFFER_TOKEN, token},
                           {scene->data_len, SECBUFFER_DATA, data},
                           {scene->padding_len, SECBUFFER_PADDING, padding}};
    SecBufferDesc message = {SECBUFFER_VERSION, scene->is_signature ? 2 : 3, buffers};
    SECURITY_STATUS status = scene->is_signature
                                 ? VerifySignature(&scene->to->context, &message, 0, NULL)
                                 : DecryptMessage(&scene->to->context, &message, 0, NULL);

    contract_require(scene->is_signature ? "VerifySignature" : "DecryptMessage", status);
    if (status == SEC_E_OK) {
        TEST_REQUIRE(buffers[1].cbBuffer <= scene->data_len);
        TEST_REQUIRE(memcmp(buffers[1].pvBuffer, scene->text, buffers[1].cbBuffer) == 0);
    }
    free(token);
    free(data);
    free(padding);
}

/* All in one, as it goes over a stream; the library takes it apart. */
static void read_stream(struct scene *scene, const uint8_t *bytes, size_t len, bool genuine)
{
    uint8_t *block = apart(bytes, len);
    SecBuffer buffers[] = {{(ULONG)len, SECBUFFER_STREAM, block}, {0, SECBUFFER_DATA, NULL}};
    SecBufferDesc message = {SECBUFFER_VERSION, 2, buffers};
    const SECURITY_STATUS status = DecryptMessage(&scene->to->context, &message, 0, NULL);

    contract_require("DecryptMessage", status);
    if (status == SEC_E_OK) {
        const uint8_t *at = buffers[1].pvBuffer;

        TEST_REQUIRE(at >= block && at + buffers[1].cbBuffer <= block + len);
        TEST_REQUIRE(!genuine || memcmp(at, scene->text, buffers[1].cbBuffer) == 0);
    }
    free(block);
}

/* ---- steps ---- */

static void as_it_is(struct scene *scene)
{
    write_message(scene);
    read_message(scene);
}

static void again(struct scene *scene)
{
    if (scene->token_len > 0)
        read_message(scene);
}

static void changed(struct scene *scene)
{
    write_message(scene);
    for (unsigned count = fuzz_pick(scene->input, 4) + 1; count > 0; count--) {
        const size_t at = fuzz_u16(scene->input);
        const uint8_t with = fuzz_u8(scene->input);

        if (at % 2 == 0 && scene->token_len > 0)
            scene->token[at / 2 % scene->token_len] ^= with;
        else if (scene->data_len > 0)
            scene->data[at / 2 % scene->data_len] ^= with;
    }
    if (fuzz_pick(scene->input, 4) == 3)
        scene->token_len = fuzz_u8(scene->input) % (scene->token_len + 1);
    if (fuzz_pick(scene->input, 4) == 3)
        scene->data_len = fuzz_u16(scene->input) % (scene->data_len + 1);
    read_message(scene);
}

static void streamed(struct scene *scene)
{
    struct peer_stream bytes = {0};

    write_message(scene);
    peer_push(&bytes, scene->token, scene->token_len);
    peer_push(&bytes, scene->data, scene->data_len);
    peer_push(&bytes, scene->padding, scene->padding_len);
    if (fuzz_pick(scene->input, 2) == 1 && bytes.len > 0)
        bytes.bytes[fuzz_u16(scene->input) % bytes.len] ^= fuzz_u8(scene->input);
    if (fuzz_pick(scene->input, 4) == 3)
        bytes.len = fuzz_u16(scene->input) % (bytes.len + 1);
    read_stream(scene, bytes.bytes, bytes.len, true);
    peer_clear(&bytes);
}

static void bytes_of_input(struct scene *scene)
{
    size_t len;
    uint8_t *bytes = fuzz_take(scene->input, fuzz_u16(scene->input) % 1024, &len);

    read_stream(scene, bytes, len, false);
    free(bytes);
}

static void signature_of_input(struct scene *scene)
{
    size_t len;
    uint8_t *bytes = fuzz_take(scene->input, fuzz_u8(scene->input), &len);

    write_message(scene);
    if (len > sizeof(scene->token))
        len = sizeof(scene->token);
    memcpy(scene->token, bytes, len);
    scene->token_len = (ULONG)len;
    free(bytes);
    read_message(scene);
}

/* Each buffer behind the one before: what is written to must not overlap. */
static ULONG odd_buffers(struct scene *scene, SecBuffer *buffers, uint8_t *block, size_t len)
{
    static const ULONG types[] = {
        SECBUFFER_DATA,    SECBUFFER_TOKEN,
        SECBUFFER_STREAM,  SECBUFFER_PADDING,
        SECBUFFER_EMPTY,   SECBUFFER_DATA | SECBUFFER_READONLY,
        SECBUFFER_MISSING, SECBUFFER_DATA | SECBUFFER_READONLY_WITH_CHECKSUM,
    };
    const ULONG count = fuzz_pick(scene->input, MAX_BUFFERS + 1);
    size_t floor = 0;

    for (ULONG i = 0; i < count; i++) {
        const size_t size = fuzz_u16(scene->input) % (len - floor + 1);

        buffers[i].BufferType = types[fuzz_pick(scene->input, sizeof(types) / sizeof(types[0]))];
        buffers[i].pvBuffer = fuzz_pick(scene->input, 8) ? block + floor : NULL;
        buffers[i].cbBuffer = (ULONG)size;
        floor += size;
    }
    return count;
}

static void odd(struct scene *scene)
{
    static const char *const names[] = {"EncryptMessage", "DecryptMessage", "MakeSignature",
                                        "VerifySignature"};
    const unsigned call = fuzz_pick(scene->input, 4);
    const size_t len = fuzz_u16(scene->input) % MAX_DATA;
    const ULONG qop = fuzz_pick(scene->input, 4) == 3 ? SECQOP_WRAP_NO_ENCRYPT : 0;
    SecBuffer buffers[MAX_BUFFERS] = {{0}};
    SecBufferDesc message = {SECBUFFER_VERSION, 0, buffers};
    uint8_t *block = fuzz_room(len);
    PCtxtHandle context = &scene->to->context;
    SECURITY_STATUS status;

    message.cBuffers = odd_buffers(scene, buffers, block, len);
    if (call == 0)
        status = EncryptMessage(context, qop, &message, 0);
    else if (call == 1)
        status = DecryptMessage(context, &message, 0, NULL);
    else if (call == 2)
        status = MakeSignature(context, qop, &message, 0);
    else
        status = VerifySignature(context, &message, 0, NULL);
    contract_require(names[call], status);
    free(block);
}

static void (*const steps[])(struct scene *scene) = {
    as_it_is,           changed, changed, streamed, streamed, again, bytes_of_input,
    signature_of_input, odd,     odd,
};

void fuzz_one(struct fuzz_input *input)
{
    static struct scene scene; /* guarded: one thread */
    struct pair *pair = &pairs[fuzz_pick(input, FUZZ_GSS_KINDS)];
    const bool from_server = fuzz_pick(input, 2) == 1;

    memset(&scene, 0, sizeof(scene));
    scene.input = input;
    scene.from = from_server ? &pair->server : &pair->client;
    scene.to = from_server ? &pair->client : &pair->server;
    for (int i = 0; i < MAX_STEPS && (i == 0 || input->len > 0); i++)
        steps[fuzz_pick(input, sizeof(steps) / sizeof(steps[0]))](&scene);
}
