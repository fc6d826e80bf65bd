/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One end of a connection, for the fuzz targets; see fuzz.h. Each call is checked against what its
 * page promises whatever the bytes were: the status is one that the call documents, counts lie
 * within what was given, and what must not be touched is not.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/contract_status.h"

/* More legs or records than any input needs; an end that does not come to rest is a defect. */
#define MAX_STEPS 2000

static void draw(const struct fuzz_end *end)
{
    fuzz_draw_from(end->server ? FUZZ_STREAM_SERVER : FUZZ_STREAM_CLIENT);
}

/* ---- options ---- */

static const uint8_t alpn_list[] = {
    0x12, 0, 0, 0, 2, 0, 0, 0, 12, 0, 2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1',
};

/* Both ends have the same. */
static const uint8_t key[2 + 16] = {16, 0, 'a', 'k', 'e', 'y'};
static const uint8_t identity[2 + 4] = {4, 0, 'n', 'a', 'm', 'e'};

static ULONG choose_flags(bool server, uint8_t bits)
{
    ULONG flags = server ? ASC_REQ_STREAM | ASC_REQ_CONFIDENTIALITY
                         : ISC_REQ_STREAM | ISC_REQ_CONFIDENTIALITY;

    if (bits & 1)
        flags |= server ? ASC_REQ_EXTENDED_ERROR : ISC_REQ_EXTENDED_ERROR;
    if (bits & 2)
        flags |= server ? ASC_REQ_MUTUAL_AUTH : ISC_REQ_MUTUAL_AUTH;
    if (bits & 4)
        flags |= server ? ASC_REQ_SESSION_TICKET : ISC_REQ_USE_SUPPLIED_CREDS;
    if (bits & 8)
        flags |= server ? ASC_REQ_REPLAY_DETECT : ISC_REQ_MANUAL_CRED_VALIDATION;
    return flags;
}

void fuzz_end_init_plain(struct fuzz_end *end, CredHandle *credential, bool server)
{
    *end = (struct fuzz_end){.server = server, .credential = credential};
    end->shape.flags = choose_flags(server, 1);
    end->shape.target = server ? NULL : PEER_TARGET;
}

void fuzz_end_init(struct fuzz_end *end, bool server, struct fuzz_input *input)
{
    unsigned kind = fuzz_pick(input, server ? FUZZ_SERVERS : FUZZ_CLIENTS);
    uint8_t flags = fuzz_u8(input), shape = fuzz_u8(input), size = fuzz_u8(input);

    fuzz_end_init_plain(end, server ? fuzz_server(kind) : fuzz_client(kind), server);
    end->shape.flags = choose_flags(server, flags);
    end->shape.key = (flags & 0x10) != 0;
    end->shape.early = (flags & 0x20) != 0 && !server;
    end->shape.in = (uint8_t)(shape % FUZZ_INS);
    end->shape.out = (uint8_t)(shape / FUZZ_INS % FUZZ_OUTS);
    end->shape.out_size = (uint16_t)(size * 16);
    if (end->shape.out == FUZZ_OUT_ALLOCATED)
        end->shape.flags |= ISC_REQ_ALLOCATE_MEMORY;
    if (shape & 0x80) {
        end->shape.alpn = alpn_list;
        end->shape.alpn_size = sizeof(alpn_list);
    }
}

void fuzz_end_free(struct fuzz_end *end)
{
    if (end->has_context)
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&end->context), SEC_E_OK);
    peer_clear(&end->in);
    peer_clear(&end->sent);
    end->has_context = false;
}

/* ---- a leg's buffers ---- */

struct leg {
    SecBuffer in[8], out[2];
    ULONG in_count, out_count;
    ULONG room; /* of the TOKEN of the output, 0: allocated */
    SEC_FLAGS wide;
    uint8_t *rooms[2];
    struct peer_stream input; /* as it was before */
};

static void add_in(struct leg *leg, ULONG type, const void *bytes, size_t len)
{
    leg->in[leg->in_count++] = (SecBuffer){(ULONG)len, type, (void *)(uintptr_t)bytes};
}

static void make_input(struct leg *leg, struct fuzz_end *end)
{
    add_in(leg, SECBUFFER_TOKEN, end->in.bytes, end->in.len);
    if (end->shape.in != FUZZ_IN_LONE)
        add_in(leg, SECBUFFER_EMPTY, NULL, 0);
    if (end->shape.in == FUZZ_IN_FLAGS)
        add_in(leg, SECBUFFER_FLAGS, &leg->wide, sizeof(leg->wide));
    if (end->shape.in == FUZZ_IN_ODD)
        add_in(leg, SECBUFFER_PKG_PARAMS | SECBUFFER_READONLY, "odd", 3);
    if (end->shape.alpn && !end->has_context)
        add_in(leg, SECBUFFER_APPLICATION_PROTOCOLS, end->shape.alpn, end->shape.alpn_size);
    if (end->shape.key && !end->has_context) {
        add_in(leg, SECBUFFER_PRESHARED_KEY, key, sizeof(key));
        add_in(leg, SECBUFFER_PRESHARED_KEY_IDENTITY, identity, sizeof(identity));
    }
    if (end->shape.early && !end->has_context)
        add_in(leg, SECBUFFER_DATA, "early", 5);
    peer_push(&leg->input, end->in.bytes, end->in.len);
}

static void add_out(struct leg *leg, ULONG type, ULONG room)
{
    ULONG at = leg->out_count++;

    leg->rooms[at] = room ? fuzz_room(room) : NULL;
    leg->out[at] = (SecBuffer){room, type, leg->rooms[at]};
}

static void make_output(struct leg *leg, const struct fuzz_end *end, bool large)
{
    leg->room = PEER_OUT_SIZE;
    if (end->shape.out == FUZZ_OUT_ALLOCATED)
        leg->room = 0;
    if (end->shape.out == FUZZ_OUT_SMALL && !large)
        leg->room = end->shape.out_size ? end->shape.out_size : 1;
    add_out(leg, SECBUFFER_TOKEN, leg->room);
    if (end->shape.out == FUZZ_OUT_ALERT)
        add_out(leg, SECBUFFER_ALERT, 64);
}

static void free_leg(struct leg *leg)
{
    for (ULONG i = 0; i < leg->out_count; i++) {
        if (!leg->rooms[i])
            TEST_REQUIRE_EQUAL(FreeContextBuffer(leg->out[i].pvBuffer), SEC_E_OK);
        free(leg->rooms[i]);
    }
    peer_clear(&leg->input);
}

/* ---- a leg ---- */

static SECURITY_STATUS call(struct fuzz_end *end, struct leg *leg)
{
    SecBufferDesc in = {SECBUFFER_VERSION, leg->in_count, leg->in};
    SecBufferDesc out = {SECBUFFER_VERSION, leg->out_count, leg->out};
    PCtxtHandle old = end->has_context ? &end->context : NULL;
    CtxtHandle made = {(ULONG_PTR)-3, 77};
    ULONG attributes = 0;
    TimeStamp expiry;
    SECURITY_STATUS status;

    draw(end);
    if (end->server)
        status = AcceptSecurityContext(end->credential, old, &in, end->shape.flags, 0, &made, &out,
                                       &attributes, &expiry);
    else
        status = InitializeSecurityContextA(end->credential, old, (LPSTR)end->shape.target,
                                            end->shape.flags, 0, 0, &in, 0, &made, &out,
                                            &attributes, &expiry);
    if (status < 0) {
        TEST_REQUIRE(made.dwLower == (ULONG_PTR)-3 && made.dwUpper == 77);
    } else if (old) {
        TEST_REQUIRE(made.dwLower == old->dwLower && made.dwUpper == old->dwUpper);
    } else {
        end->context = made;
        end->has_context = true;
    }
    return status;
}

/* Nothing was taken, nothing was written. */
static void check_incomplete(const struct fuzz_end *end, const struct leg *leg)
{
    TEST_REQUIRE_EQUAL(leg->out[0].cbBuffer, leg->room);
    TEST_REQUIRE(leg->out[0].pvBuffer == leg->rooms[0]);
    TEST_REQUIRE_EQUAL(leg->out[0].BufferType, SECBUFFER_TOKEN);
    if (end->shape.in != FUZZ_IN_LONE) {
        TEST_REQUIRE_EQUAL(leg->in[1].BufferType, SECBUFFER_MISSING);
        TEST_REQUIRE(leg->in[1].cbBuffer > 0 && leg->in[1].cbBuffer <= 5 + 0x4800);
    }
    for (ULONG i = 0; leg->rooms[0] && i < leg->room; i++)
        TEST_REQUIRE_EQUAL(leg->rooms[0][i], 0xA5);
}

/* Without an EMPTY slot what is left over cannot be told, and is lost. */
static ULONG extra_of(const struct fuzz_end *end, const struct leg *leg)
{
    if (end->shape.in == FUZZ_IN_LONE || leg->in[1].BufferType == SECBUFFER_EMPTY)
        return 0;
    TEST_REQUIRE_EQUAL(leg->in[1].BufferType, SECBUFFER_EXTRA);
    TEST_REQUIRE(leg->in[1].cbBuffer > 0 && leg->in[1].cbBuffer <= leg->in[0].cbBuffer);
    return leg->in[1].cbBuffer;
}

static void take_output(struct fuzz_end *end, const struct leg *leg)
{
    for (ULONG i = 0; i < leg->out_count; i++) {
        ULONG room = i == 0 ? leg->room : 64;

        TEST_REQUIRE(leg->out[i].cbBuffer <= (room ? room : 1u << 20));
        if (leg->rooms[i])
            TEST_REQUIRE(leg->out[i].pvBuffer == leg->rooms[i]);
        peer_push(&end->sent, leg->out[i].pvBuffer, leg->out[i].cbBuffer);
    }
}

static void require(const struct fuzz_end *end, SECURITY_STATUS status)
{
    const char *function = end->server ? "AcceptSecurityContext" : "InitializeSecurityContextA";
    CtxtHandle context = end->context;
    char detail[300];

    if (!contract_allows(function, status) && end->has_context &&
        OsspiGetErrorDetail(&context, detail, sizeof(detail)) == SEC_E_OK)
        fprintf(stderr, "the context says: %s\n", detail);
    contract_require(function, status);
}

static SECURITY_STATUS leg_once(struct fuzz_end *end, bool large)
{
    struct leg leg = {.in_count = 0};
    SECURITY_STATUS status;

    make_input(&leg, end);
    make_output(&leg, end, large);
    status = call(end, &leg);
    require(end, status);
    /* A leg's input belongs to the caller. */
    TEST_REQUIRE(leg.input.len == 0 || memcmp(leg.input.bytes, end->in.bytes, leg.input.len) == 0);
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        check_incomplete(end, &leg);
    else if (status != SEC_E_INSUFFICIENT_MEMORY)
        take_output(end, &leg);
    if (status >= 0)
        peer_drop(&end->in, end->in.len - extra_of(end, &leg));
    free_leg(&leg);
    return status;
}

/* The end of the handshake; or, after an order to close, of the context. */
static void note_end(struct fuzz_end *end)
{
    SECURITY_STATUS status =
        QueryContextAttributesA(&end->context, SECPKG_ATTR_STREAM_SIZES, &end->sizes);

    end->established = status == SEC_E_OK;
    end->over = !end->established;
    TEST_REQUIRE(end->established || end->ordered);
}

SECURITY_STATUS fuzz_leg(struct fuzz_end *end)
{
    SECURITY_STATUS status = leg_once(end, false);

    /* A small output costs nothing but a second try. */
    if (status == SEC_E_INSUFFICIENT_MEMORY && end->shape.out == FUZZ_OUT_SMALL)
        status = leg_once(end, true);
    if (status == SEC_E_OK && !end->established)
        note_end(end);
    if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE)
        end->over = true;
    return status;
}

/* ---- messages ---- */

SECURITY_STATUS fuzz_open(struct fuzz_end *end)
{
    SecBuffer buffers[4] = {{(ULONG)end->in.len, SECBUFFER_DATA, end->in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    ULONG qop = 99;
    SECURITY_STATUS status;

    draw(end);
    status = DecryptMessage(&end->context, &message, 0, &qop);
    contract_require("DecryptMessage", status);
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        TEST_REQUIRE_EQUAL(buffers[0].BufferType, SECBUFFER_MISSING);
        TEST_REQUIRE(buffers[0].cbBuffer > 0);
        return status;
    }
    if (status < 0) {
        end->over = true;
        return status;
    }
    TEST_REQUIRE_EQUAL(buffers[1].BufferType, SECBUFFER_DATA);
    TEST_REQUIRE((size_t)buffers[0].cbBuffer + buffers[1].cbBuffer + buffers[2].cbBuffer +
                     buffers[3].cbBuffer ==
                 end->in.len);
    if (status == SEC_I_CONTEXT_EXPIRED)
        end->over = true;
    peer_drop(&end->in, end->in.len - buffers[3].cbBuffer);
    return status;
}

void fuzz_seal(struct fuzz_end *end, const void *bytes, size_t len)
{
    struct peer_end peer = {.context = end->context, .sizes = end->sizes}, sink = {.in = {0}};
    SECURITY_STATUS status;

    if (!end->established)
        return;
    if (len > end->sizes.cbMaximumMessage)
        len = end->sizes.cbMaximumMessage;
    draw(end);
    status = peer_send(&peer, &sink, bytes, len);
    contract_require("EncryptMessage", status);
    peer_push(&end->sent, sink.in.bytes, sink.in.len);
    peer_clear(&sink.in);
}

/* One step; tells whether another makes sense. */
static bool advance(struct fuzz_end *end)
{
    size_t len = end->in.len;
    SECURITY_STATUS status;

    if (!end->established) {
        status = fuzz_leg(end);
    } else {
        status = fuzz_open(end);
        if (status == SEC_I_RENEGOTIATE)
            status = fuzz_leg(end);
    }
    if (status == SEC_E_INCOMPLETE_MESSAGE || end->over)
        return false;
    return end->in.len > 0 && end->in.len < len;
}

void fuzz_feed(struct fuzz_end *end)
{
    int steps = 0;

    while (!end->over && advance(end))
        TEST_REQUIRE(++steps < MAX_STEPS);
}

/* ---- pairs ---- */

void fuzz_deliver(struct fuzz_end *from, struct fuzz_end *to)
{
    peer_push(&to->in, from->sent.bytes, from->sent.len);
    peer_clear(&from->sent);
}

bool fuzz_connect(struct fuzz_end *client, struct fuzz_end *server)
{
    fuzz_feed(client);
    for (int i = 0; i < 8; i++) {
        fuzz_deliver(client, server);
        if (server->in.len > 0)
            fuzz_feed(server);
        fuzz_deliver(server, client);
        if (client->in.len > 0)
            fuzz_feed(client);
        if (client->sent.len == 0 && server->sent.len == 0)
            break;
    }
    return client->established && server->established && !client->over && !server->over;
}
