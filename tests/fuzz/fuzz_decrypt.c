/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: an established connection and what may reach DecryptMessage there, genuine, damaged,
 * replayed or made up, in buffers as they should be and as they should not.
 *
 * Input: one byte for version and side, then steps: a byte that names one, and what it takes.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/contract_status.h"

#define MAX_STEPS   40
#define MAX_BUFFERS 6u

/* The reader is under test; what the writer sends waits in reader->in. */
struct scene {
    struct fuzz_end client, server;
    struct fuzz_end *reader, *writer;
    struct fuzz_input *input;
};

void fuzz_prepare(void)
{
    struct fuzz_end client, server;

    for (unsigned kind = FUZZ_CLIENT_TLS12; kind <= FUZZ_CLIENT_TLS13; kind++) {
        fuzz_end_init_plain(&client, fuzz_client(kind), false);
        fuzz_end_init_plain(&server, fuzz_server(FUZZ_SERVER_EC), true);
        TEST_REQUIRE(fuzz_connect(&client, &server));
        fuzz_end_free(&client);
        fuzz_end_free(&server);
    }
}

/* ---- steps: what arrives ---- */

static void genuine_record(struct scene *scene)
{
    static const uint8_t data[16384];

    fuzz_seal(scene->writer, data, fuzz_u16(scene->input) % (sizeof(data) + 1));
    fuzz_deliver(scene->writer, scene->reader);
}

static void garbage(struct scene *scene)
{
    size_t len;
    uint8_t *bytes = fuzz_take(scene->input, fuzz_u8(scene->input), &len);

    peer_push(&scene->reader->in, bytes, len);
    free(bytes);
}

static void garbage_record(struct scene *scene)
{
    size_t len;
    uint8_t type = (uint8_t)(20 + fuzz_pick(scene->input, 6));
    uint8_t *bytes = fuzz_take(scene->input, fuzz_u8(scene->input), &len);
    const uint8_t header[5] = {type, 3, 3, 0, (uint8_t)len};

    peer_push(&scene->reader->in, header, sizeof(header));
    peer_push(&scene->reader->in, bytes, len);
    free(bytes);
}

static void damage(struct scene *scene)
{
    size_t place = fuzz_u16(scene->input);
    uint8_t value = fuzz_u8(scene->input);

    if (scene->reader->in.len > 0)
        scene->reader->in.bytes[place % scene->reader->in.len] ^= value;
}

static void replay(struct scene *scene)
{
    struct peer_stream all = {0};

    if (scene->reader->in.len > 100000)
        return;
    peer_push(&all, scene->reader->in.bytes, scene->reader->in.len);
    peer_push(&scene->reader->in, all.bytes, all.len);
    peer_clear(&all);
}

static void lose(struct scene *scene)
{
    size_t len = fuzz_u16(scene->input);

    peer_drop(&scene->reader->in, len < scene->reader->in.len ? len : scene->reader->in.len);
}

static void alert(struct scene *scene)
{
    struct fuzz_end *writer = scene->writer;
    size_t len = writer->sizes.cbHeader + 2 + writer->sizes.cbTrailer;
    uint8_t *bytes = fuzz_room(len);
    SecBuffer buffers[3] = {
        {writer->sizes.cbHeader, SECBUFFER_STREAM_HEADER, bytes},
        {2, SECBUFFER_DATA, bytes + writer->sizes.cbHeader},
        {writer->sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, bytes + writer->sizes.cbHeader + 2},
    };
    SecBufferDesc message = {SECBUFFER_VERSION, 3, buffers};
    SECURITY_STATUS status;

    bytes[writer->sizes.cbHeader] = fuzz_u8(scene->input);
    bytes[writer->sizes.cbHeader + 1] = fuzz_u8(scene->input);
    status = EncryptMessage(&writer->context, SECQOP_WRAP_OOB_DATA, &message, 0);
    contract_require("EncryptMessage", status);
    for (int i = 0; status == SEC_E_OK && i < 3; i++)
        peer_push(&scene->reader->in, buffers[i].pvBuffer, buffers[i].cbBuffer);
    free(bytes);
}

static void close_writer(struct scene *scene)
{
    DWORD order[3] = {fuzz_pick(scene->input, 5), fuzz_pick(scene->input, 3),
                      fuzz_u8(scene->input)};
    SecBuffer buffer = {sizeof(order), SECBUFFER_TOKEN, order};
    SecBufferDesc token = {SECBUFFER_VERSION, 1, &buffer};

    contract_require("ApplyControlToken", ApplyControlToken(&scene->writer->context, &token));
    scene->writer->ordered = true;
    peer_clear(&scene->writer->in);
    (void)fuzz_leg(scene->writer);
    fuzz_deliver(scene->writer, scene->reader);
}

/* ---- steps: what is done with it ---- */

static void read_on(struct scene *scene)
{
    fuzz_feed(scene->reader);
}

static void leg(struct scene *scene)
{
    (void)fuzz_leg(scene->reader);
}

static void answer(struct scene *scene)
{
    fuzz_seal(scene->reader, "answer", 6);
    fuzz_deliver(scene->reader, scene->writer);
    fuzz_feed(scene->writer);
}

static void look(struct scene *scene)
{
    context_look(&scene->reader->context);
}

/* Buffers of any type. Each begins anywhere in the same block and ends inside it, or (apart) behind
 * the one before: what is written to must not overlap. */
static ULONG odd_buffers(struct scene *scene, SecBuffer *buffers, uint8_t *block, size_t len,
                         bool apart)
{
    static const ULONG types[] = {
        SECBUFFER_DATA,           SECBUFFER_EMPTY,
        SECBUFFER_EMPTY,          SECBUFFER_STREAM_HEADER,
        SECBUFFER_STREAM_TRAILER, SECBUFFER_TOKEN,
        SECBUFFER_STREAM,         SECBUFFER_EXTRA,
        SECBUFFER_MISSING,        SECBUFFER_DATA | SECBUFFER_READONLY,
        SECBUFFER_PADDING,        SECBUFFER_DATA | SECBUFFER_READONLY_WITH_CHECKSUM,
    };
    ULONG count = fuzz_pick(scene->input, MAX_BUFFERS + 1);
    size_t floor = 0;

    for (ULONG i = 0; i < count; i++) {
        size_t start = fuzz_u16(scene->input), size = fuzz_u16(scene->input);

        start = floor + start % (len - floor + 1);
        size = size % (len - start + 1);
        floor = apart ? start + size : 0;
        buffers[i].BufferType = types[fuzz_pick(scene->input, sizeof(types) / sizeof(types[0]))];
        buffers[i].pvBuffer = fuzz_pick(scene->input, 8) ? block + start : NULL;
        buffers[i].cbBuffer = (ULONG)size;
    }
    return count;
}

static void odd_decrypt(struct scene *scene)
{
    SecBuffer buffers[MAX_BUFFERS] = {{0}};
    SecBufferDesc message = {SECBUFFER_VERSION, 0, buffers};
    size_t len = scene->reader->in.len;
    uint8_t *block = fuzz_room(len);
    ULONG sequence = fuzz_pick(scene->input, 16) == 15;
    SECURITY_STATUS status;

    if (len > 0)
        memcpy(block, scene->reader->in.bytes, len);
    message.cBuffers = odd_buffers(scene, buffers, block, len, false);
    status = DecryptMessage(&scene->reader->context, &message, sequence, NULL);
    contract_require("DecryptMessage", status);
    if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE && status != SEC_E_INVALID_TOKEN)
        scene->reader->over = true;
    free(block);
}

static void odd_encrypt(struct scene *scene)
{
    SecBuffer buffers[MAX_BUFFERS] = {{0}};
    SecBufferDesc message = {SECBUFFER_VERSION, 0, buffers};
    size_t len = fuzz_u16(scene->input);
    uint8_t *block = fuzz_room(len);
    ULONG qop = fuzz_pick(scene->input, 4) == 3 ? SECQOP_WRAP_OOB_DATA : 0;

    message.cBuffers = odd_buffers(scene, buffers, block, len, true);
    contract_require("EncryptMessage", EncryptMessage(&scene->reader->context, qop, &message, 0));
    free(block);
}

static void (*const steps[])(struct scene *scene) = {
    genuine_record, genuine_record, garbage,      garbage_record, damage,  replay,
    lose,           alert,          close_writer, read_on,        read_on, leg,
    answer,         look,           odd_decrypt,  odd_encrypt,
};

void fuzz_one(struct fuzz_input *input)
{
    struct scene scene = {.input = input};
    uint8_t options = fuzz_u8(input);
    enum fuzz_client kind = options & 1 ? FUZZ_CLIENT_TLS13 : FUZZ_CLIENT_TLS12;

    fuzz_end_init_plain(&scene.client, fuzz_client(kind), false);
    fuzz_end_init_plain(&scene.server, fuzz_server(FUZZ_SERVER_EC), true);
    scene.reader = options & 2 ? &scene.client : &scene.server;
    scene.writer = options & 2 ? &scene.server : &scene.client;
    TEST_REQUIRE(fuzz_connect(&scene.client, &scene.server));
    for (int i = 0; i < MAX_STEPS && input->len > 0; i++)
        steps[fuzz_pick(input, sizeof(steps) / sizeof(steps[0]))](&scene);
    fuzz_feed(scene.reader);
    fuzz_end_free(&scene.client);
    fuzz_end_free(&scene.server);
}
