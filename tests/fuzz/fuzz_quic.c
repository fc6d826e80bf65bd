/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One end of a handshake in message mode; see fuzz_quic.h. Whatever the bytes were: statuses are
 * documented, counts lie within what was given, secrets have valid types, ciphers and offsets and
 * are given once each, an answer that says "the same input again" has written nothing but what it
 * says, and input that does not alias output is not touched.
 */
#include "fuzz/fuzz_quic.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "support/contract_status.h"

#define MAX_LEGS    300u
#define IN_MAX      8u
#define OUT_MAX     (3u + FUZZ_SECRETS)
#define SECRET_ROOM (sizeof(SEC_TRAFFIC_SECRETS) + 64)
#define ROOM        16384u

struct leg {
    SecBuffer in[IN_MAX], out[OUT_MAX];
    ULONG in_count, out_count;
    SEC_FLAGS wide;
    SecBuffer *token, *report; /* of out */
    struct peer_stream before; /* the input as it was */
};

static const uint8_t alpn_list[] = {12, 0, 0, 0, 2, 0, 0, 0, 6, 0, 2, 'h', '3', 2, 'h', 'q'};

void fuzz_quic_init(struct fuzz_quic *end, CredHandle *credential, bool server)
{
    *end = (struct fuzz_quic){.server = server,
                              .credential = credential,
                              .room = ROOM,
                              .extra_room = 1024,
                              .secrets = FUZZ_SECRETS};
    SecInvalidateHandle(&end->context);
}

void fuzz_quic_free(struct fuzz_quic *end)
{
    if (end->has_context)
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&end->context), SEC_E_OK);
    end->has_context = false;
    peer_clear(&end->in);
    peer_clear(&end->sent);
    peer_clear(&end->send);
    peer_clear(&end->wanted);
    peer_clear(&end->got);
}

void fuzz_quic_send(struct fuzz_quic *end, WORD type, WORD message, const void *bytes, size_t len)
{
    const SEND_GENERIC_TLS_EXTENSION head = {
        .ExtensionType = type, .HandshakeType = message, .BufferSize = (WORD)len};

    peer_clear(&end->send);
    peer_push(&end->send, &head, offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer));
    peer_push(&end->send, bytes, len);
}

void fuzz_quic_want(struct fuzz_quic *end, WORD type, WORD message)
{
    const SUBSCRIBE_GENERIC_TLS_EXTENSION wanted = {.SubscriptionsCount = 1,
                                                    .Subscriptions = {{type, message}}};

    peer_clear(&end->wanted);
    peer_push(&end->wanted, &wanted, sizeof(wanted));
}

/* ---- a leg's buffers ---- */

static void add_in(struct leg *leg, ULONG type, const void *bytes, size_t len)
{
    TEST_REQUIRE(leg->in_count < IN_MAX);
    leg->in[leg->in_count++] = (SecBuffer){(ULONG)len, type, (void *)(uintptr_t)bytes};
}

static SecBuffer *add_out(struct leg *leg, ULONG type, size_t len)
{
    TEST_REQUIRE(leg->out_count < OUT_MAX);
    leg->out[leg->out_count] = (SecBuffer){(ULONG)len, type, fuzz_room(len)};
    return &leg->out[leg->out_count++];
}

static bool wants(const struct fuzz_quic *end)
{
    return end->wanted.len > 0 && !end->is_told && end->in.len > 0;
}

static void make_leg(const struct fuzz_quic *end, struct leg *leg)
{
    if (end->in.len > 0) {
        add_in(leg, SECBUFFER_TOKEN, end->in.bytes, end->in.len);
        add_in(leg, SECBUFFER_EMPTY, NULL, 0);
        add_in(leg, SECBUFFER_EMPTY, NULL, 0);
    }
    leg->wide.Flags = end->records ? 0 : ISC_REQ_MESSAGES;
    add_in(leg, SECBUFFER_FLAGS, &leg->wide, sizeof(leg->wide));
    if (!end->has_context)
        add_in(leg, SECBUFFER_APPLICATION_PROTOCOLS, alpn_list, sizeof(alpn_list));
    if (end->send.len > 0 && !end->established)
        add_in(leg, SECBUFFER_SEND_GENERIC_TLS_EXTENSION, end->send.bytes, end->send.len);
    if (wants(end))
        add_in(leg, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, end->wanted.bytes, end->wanted.len);
    peer_push(&leg->before, end->in.bytes, end->in.len);

    leg->token = add_out(leg, SECBUFFER_TOKEN, end->room);
    add_out(leg, SECBUFFER_ALERT, 2);
    if (wants(end) && end->aliases) {
        leg->report = &leg->out[leg->out_count++];
        *leg->report = (SecBuffer){(ULONG)end->in.len, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION,
                                   end->in.bytes};
    } else if (wants(end)) {
        leg->report = add_out(leg, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, end->extra_room);
    }
    for (ULONG i = 0; i < end->secrets; i++)
        add_out(leg, SECBUFFER_TRAFFIC_SECRETS, SECRET_ROOM);
}

static void free_leg(struct leg *leg, const struct fuzz_quic *end, const uint8_t *input)
{
    for (ULONG i = 0; i < leg->out_count; i++)
        if (!(end->aliases && leg->out[i].pvBuffer == input))
            free(leg->out[i].pvBuffer);
    peer_clear(&leg->before);
}

/* ---- what is checked ---- */

static void check_secrets(struct fuzz_quic *end, const struct leg *leg, bool progress)
{
    bool none = false;
    unsigned given = 0;

    for (ULONG i = 0; i < leg->out_count; i++) {
        const SEC_TRAFFIC_SECRETS *secret = leg->out[i].pvBuffer;

        if (leg->out[i].BufferType != SECBUFFER_TRAFFIC_SECRETS)
            continue;
        if (secret->TrafficSecretType == SecTrafficSecret_None) {
            none = true;
            continue;
        }
        if (!progress) { /* then it is as it was */
            TEST_REQUIRE_EQUAL(((const uint8_t *)secret)[0], 0xA5);
            continue;
        }
        TEST_REQUIRE(!none);
        TEST_REQUIRE(secret->TrafficSecretType == SecTrafficSecret_Client ||
                     secret->TrafficSecretType == SecTrafficSecret_Server);
        TEST_REQUIRE(secret->KeySize == 16 || secret->KeySize == 32);
        TEST_REQUIRE_EQUAL(secret->IvSize, 12);
        TEST_REQUIRE(secret->TrafficSecretSize == 32 || secret->TrafficSecretSize == 48);
        TEST_REQUIRE(secret->MsgSequenceStart <= leg->token->cbBuffer);
        TEST_REQUIRE(secret->MsgSequenceEnd <= leg->token->cbBuffer);
        TEST_REQUIRE(secret->MsgSequenceEnd == 0 ||
                     secret->MsgSequenceEnd >= secret->MsgSequenceStart);
        end->known[secret->TrafficSecretType == SecTrafficSecret_Server]++;
        given++;
    }
    TEST_REQUIRE(given <= FUZZ_SECRETS);
    /* Two levels; a client's own handshake secret comes a second time. */
    TEST_REQUIRE(end->known[0] <= (end->server ? 2u : 3u) && end->known[1] <= 2);
}

static size_t extra_of(const struct leg *leg, size_t given)
{
    size_t extra = 0;

    for (ULONG i = 0; i < leg->in_count; i++)
        if (leg->in[i].BufferType == SECBUFFER_EXTRA)
            extra = leg->in[i].cbBuffer;
    TEST_REQUIRE(extra <= given);
    return extra;
}

static void check_report(struct fuzz_quic *end, const struct leg *leg)
{
    const SecBuffer *report = leg->report;
    const uint8_t *bytes;
    size_t at = 0;

    TEST_REQUIRE(report != NULL && report->cbBuffer >= 4);
    bytes = report->pvBuffer;
    while (at < report->cbBuffer) { /* each is a whole extension */
        TEST_REQUIRE(report->cbBuffer - at >= 4);
        at += 4u + bytes[at + 2] * 256u + bytes[at + 3];
        TEST_REQUIRE(at <= report->cbBuffer);
    }
    peer_clear(&end->got);
    peer_push(&end->got, bytes, report->cbBuffer);
    end->is_told = true;
}

static SECURITY_STATUS call(struct fuzz_quic *end, struct leg *leg)
{
    SecBufferDesc in = {SECBUFFER_VERSION, leg->in_count, leg->in};
    SecBufferDesc out = {SECBUFFER_VERSION, leg->out_count, leg->out};
    PCtxtHandle old = end->has_context ? &end->context : NULL;
    CtxtHandle made = {(ULONG_PTR)-3, 77};
    ULONG granted = 0;
    SECURITY_STATUS status;

    fuzz_draw_from(end->server ? FUZZ_STREAM_SERVER : FUZZ_STREAM_CLIENT);
    if (end->server)
        status = AcceptSecurityContext(end->credential, old, &in, end->flags, 0, &made, &out,
                                       &granted, NULL);
    else
        status = InitializeSecurityContextA(end->credential, old,
                                            (LPSTR)(uintptr_t)(old ? NULL : PEER_TARGET),
                                            end->flags, 0, 0, &in, 0, &made, &out, &granted, NULL);
    contract_require(end->server ? "AcceptSecurityContext" : "InitializeSecurityContextA", status);
    if (!old && made.dwLower != (ULONG_PTR)-3) {
        end->context = made;
        end->has_context = true;
    }
    return status;
}

static void take_progress(struct fuzz_quic *end, const struct leg *leg, SECURITY_STATUS status)
{
    TEST_REQUIRE(leg->token->cbBuffer <= end->room);
    peer_push(&end->sent, leg->token->pvBuffer, leg->token->cbBuffer);
    peer_drop(&end->in, end->in.len - extra_of(leg, end->in.len));
    if (status != SEC_E_OK || end->established)
        return;
    end->established = true;
    if (!end->records && end->secrets == FUZZ_SECRETS)
        TEST_REQUIRE(end->known[0] == (end->server ? 2u : 3u) && end->known[1] == 2);
}

/* One leg; tells whether another makes sense. */
static bool step(struct fuzz_quic *end)
{
    const size_t given = end->in.len;
    uint8_t *input = end->in.bytes;
    struct leg leg = {.in_count = 0};
    SECURITY_STATUS status;
    bool again = false;

    make_leg(end, &leg);
    status = call(end, &leg);
    if (!leg.report || !end->aliases)
        TEST_REQUIRE(given == 0 || memcmp(leg.before.bytes, input, given) == 0);
    check_secrets(end, &leg, status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED);
    switch (status) {
    case SEC_E_OK:
    case SEC_I_CONTINUE_NEEDED:
        take_progress(end, &leg, status);
        again = end->in.len > 0 && end->in.len < given;
        break;
    case SEC_I_GENERIC_EXTENSION_RECEIVED:
        check_report(end, &leg);
        again = true;
        break;
    case SEC_E_BUFFER_TOO_SMALL:
    case SEC_E_INSUFFICIENT_MEMORY: /* in records */
        again = end->room < ROOM * 4;
        end->over = !again;
        end->room = ROOM * 4;
        break;
    case SEC_E_EXT_BUFFER_TOO_SMALL:
        TEST_REQUIRE(leg.report && leg.report->cbBuffer > (end->aliases ? given : end->extra_room));
        end->extra_room = leg.report->cbBuffer;
        again = true;
        break;
    case SEC_E_INSUFFICIENT_BUFFERS:
        TEST_REQUIRE(end->secrets < FUZZ_SECRETS);
        end->secrets = FUZZ_SECRETS;
        again = true;
        break;
    case SEC_I_INCOMPLETE_CREDENTIALS:
        again = true;
        break;
    case SEC_E_INCOMPLETE_MESSAGE:
        break;
    default:
        end->over = true;
    }
    free_leg(&leg, end, input);
    if (status == SEC_E_EXT_BUFFER_TOO_SMALL)
        end->aliases = false;
    return again;
}

void fuzz_quic_feed(struct fuzz_quic *end)
{
    unsigned legs = 0;

    while (!end->over && step(end))
        TEST_REQUIRE(++legs < MAX_LEGS);
}

void fuzz_quic_deliver(struct fuzz_quic *from, struct fuzz_quic *to)
{
    peer_push(&to->in, from->sent.bytes, from->sent.len);
    peer_clear(&from->sent);
}

bool fuzz_quic_connect(struct fuzz_quic *client, struct fuzz_quic *server)
{
    fuzz_quic_feed(client);
    for (int i = 0; i < 6 && !client->over && !server->over; i++) {
        fuzz_quic_deliver(client, server);
        if (server->in.len > 0)
            fuzz_quic_feed(server);
        fuzz_quic_deliver(server, client);
        if (client->in.len > 0 && !server->over)
            fuzz_quic_feed(client);
    }
    return client->established && server->established && !client->over && !server->over;
}
