/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Ends in message mode; see message_peer.h.
 */
#include "support/message_peer.h"

#include <stdlib.h>
#include <string.h>

/* u32 size of all, u32 kind (2, ALPN), u16 size, ids. */
static const uint8_t alpn_h3[] = {9, 0, 0, 0, 2, 0, 0, 0, 3, 0, 2, 'h', '3'};

#define PARAMETERS 0x39 /* quic_transport_parameters */

/* ---- ends ---- */

void message_end_init(struct message_end *end, const struct peer_form *form, bool server)
{
    *end = (struct message_end){
        .out_size = MESSAGE_OUT, .grow = true, .secret_count = 4, .secret_size = MESSAGE_SECRET};
    peer_end_init(&end->peer, form, server);
    end->peer.flags = server ? ASC_REQ_SEQUENCE_DETECT | ASC_REQ_CONFIDENTIALITY |
                                   ASC_REQ_EXTENDED_ERROR | ASC_REQ_STREAM
                             : ISC_REQ_SEQUENCE_DETECT | ISC_REQ_CONFIDENTIALITY |
                                   ISC_REQ_EXTENDED_ERROR | ISC_REQ_STREAM;
    end->peer.alpn = alpn_h3;
    end->peer.alpn_size = sizeof(alpn_h3);
    end->extension = (struct message_extension){
        PARAMETERS, server ? "server's parameters" : "client's parameters", 19, true};
    memset(end->secrets, 0x5A, sizeof(end->secrets));
}

void message_end_disconnect(struct message_end *end)
{
    for (size_t i = 0; i < MESSAGE_LEVELS; i++)
        peer_clear(&end->in[i]);
    peer_clear(&end->received);
    peer_end_disconnect(&end->peer);
    memset(end->keys, 0, sizeof(end->keys));
    end->reads = end->writes = MESSAGE_INITIAL;
    end->total = end->handshake_at = end->application_at = 0;
    end->alerted = end->done = false;
    end->legs = end->retries = end->extension_retries = end->secret_retries = end->asked = 0;
}

void message_end_free(struct message_end *end)
{
    message_end_disconnect(end);
    peer_end_free(&end->peer);
}

void message_open(struct message_pair *pair, const struct peer_form *form,
                  const struct peer_setup *setup)
{
    static const struct peer_setup plain;

    if (!setup)
        setup = &plain;
    message_end_init(&pair->client, form, false);
    message_end_init(&pair->server, form, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair->client.peer, setup->protocols, setup->client_flags,
                                        NULL, setup->by_version_5),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair->server.peer, 0, setup->server_flags,
                                        setup->certificate ? setup->certificate : "server",
                                        setup->by_version_5),
                       SEC_E_OK);
}

void message_disconnect(struct message_pair *pair)
{
    message_end_disconnect(&pair->client);
    message_end_disconnect(&pair->server);
}

void message_close(struct message_pair *pair)
{
    message_end_free(&pair->client);
    message_end_free(&pair->server);
}

/* ---- secrets ---- */

static void narrow(const WCHAR *from, char *to, size_t size)
{
    size_t i = 0;

    for (; i < size - 1 && from[i] != 0; i++)
        to[i] = (char)from[i];
    to[i] = '\0';
}

static void take_secret(struct message_secret *key, const SEC_TRAFFIC_SECRETS *told)
{
    struct message_secret fresh = {.len = told->TrafficSecretSize, .key_size = told->KeySize};

    TEST_REQUIRE(told->TrafficSecretSize <= sizeof(fresh.bytes));
    TEST_REQUIRE_EQUAL(told->IvSize, 12);
    for (size_t i = 0; i < fresh.len; i++)
        fresh.bytes[i] = told->TrafficSecret[i] ^ MESSAGE_MASK;
    narrow(told->SymmetricAlgId, fresh.cipher, sizeof(fresh.cipher));
    narrow(told->ChainingMode, fresh.mode, sizeof(fresh.mode));
    narrow(told->HashAlgId, fresh.hash, sizeof(fresh.hash));
    *key = fresh;
}

static void take_peers(struct message_end *end, const SEC_TRAFFIC_SECRETS *told)
{
    TEST_REQUIRE_EQUAL(told->MsgSequenceStart, 0);
    TEST_REQUIRE_EQUAL(told->MsgSequenceEnd, 0);
    TEST_REQUIRE(end->reads != MESSAGE_APPLICATION);
    end->reads++;
    take_secret(&end->keys[0][end->reads], told);
}

static void take_own(struct message_end *end, const SEC_TRAFFIC_SECRETS *told)
{
    if (end->writes == MESSAGE_INITIAL) {
        end->writes = MESSAGE_HANDSHAKE;
        take_secret(&end->keys[1][MESSAGE_HANDSHAKE], told);
        end->handshake_at = end->total + told->MsgSequenceStart;
        end->application_at = end->total + told->MsgSequenceEnd;
    } else if (end->writes == MESSAGE_HANDSHAKE) {
        if (!end->peer.server && end->handshake_at == end->application_at) {
            /* The same secret again, now with the offsets of what it protects. */
            for (size_t i = 0; i < told->TrafficSecretSize; i++)
                TEST_REQUIRE_EQUAL(told->TrafficSecret[i] ^ MESSAGE_MASK,
                                   end->keys[1][MESSAGE_HANDSHAKE].bytes[i]);
            TEST_REQUIRE(told->MsgSequenceEnd > told->MsgSequenceStart);
            end->application_at = end->total + told->MsgSequenceEnd;
        } else {
            TEST_REQUIRE_EQUAL(told->MsgSequenceEnd, 0);
            TEST_REQUIRE_EQUAL(end->total + told->MsgSequenceStart, end->application_at);
            end->writes = MESSAGE_APPLICATION;
            take_secret(&end->keys[1][MESSAGE_APPLICATION], told);
        }
    } else {
        TEST_REQUIRE(!"an own secret behind the last one");
    }
}

static void take_secrets(struct message_end *end)
{
    bool none = false;

    /* In less than that nobody can say that there is none. */
    if (end->secret_size < sizeof(SEC_TRAFFIC_SECRETS) || end->records)
        return;
    for (size_t i = 0; i < end->secret_count; i++) {
        const SEC_TRAFFIC_SECRETS *told = (const void *)(end->secrets + i * MESSAGE_SECRET);

        if (told->TrafficSecretType == SecTrafficSecret_None) {
            none = true;
            continue;
        }
        TEST_REQUIRE(!none); /* they are filled from the first on */
        if ((told->TrafficSecretType == SecTrafficSecret_Server) == end->peer.server)
            take_own(end, told);
        else
            take_peers(end, told);
        memset(end->secrets + i * MESSAGE_SECRET + offsetof(SEC_TRAFFIC_SECRETS, TrafficSecret),
               0x5A, 48);
    }
}

static enum message_level level_of(const struct message_end *end, size_t at)
{
    if (end->writes == MESSAGE_APPLICATION && at >= end->application_at)
        return MESSAGE_APPLICATION;
    return end->writes != MESSAGE_INITIAL && at >= end->handshake_at ? MESSAGE_HANDSHAKE
                                                                     : MESSAGE_INITIAL;
}

/* Each byte goes to the level whose range it is in. */
static void send(struct message_end *end, const uint8_t *bytes, size_t len, struct message_end *to)
{
    while (len > 0) {
        const enum message_level level = level_of(end, end->total);
        size_t run = 1;

        while (run < len && level_of(end, end->total + run) == level)
            run++;
        peer_push(&to->in[level], bytes, run);
        end->total += run;
        bytes += run;
        len -= run;
    }
}

/* ---- legs ---- */

struct leg {
    SecBuffer in[8], out[8];
    ULONG in_count, out_count;
    SecBuffer *token, *alert, *extension;
    SEC_FLAGS wide;
    SUBSCRIBE_GENERIC_TLS_EXTENSION subscribe;
    _Alignas(8) uint8_t send[10 + MESSAGE_EXTENSION];
};

static SecBuffer *add(SecBuffer *buffers, ULONG *count, ULONG type, const void *bytes, size_t len)
{
    SecBuffer *buffer = &buffers[(*count)++];

    *buffer = (SecBuffer){(ULONG)len, type, (void *)bytes};
    return buffer;
}

/* The library does, what it hands out; the flag is the same for both sides. */
static bool allocates(const struct message_end *end)
{
    return (end->peer.flags & ISC_REQ_ALLOCATE_MEMORY) != 0;
}

static void free_given(const struct message_end *end, const struct leg *leg)
{
    for (ULONG i = 0; allocates(end) && i < leg->out_count; i++)
        if (leg->out[i].BufferType != SECBUFFER_TRAFFIC_SECRETS)
            TEST_REQUIRE_EQUAL(FreeContextBuffer(leg->out[i].pvBuffer), SEC_E_OK);
}

static void add_extension(struct leg *leg, struct message_end *end, uint8_t *memory, size_t room)
{
    const struct message_extension *extension = &end->extension;
    const WORD from = end->peer.server ? 8 : 1, to = end->peer.server ? 1 : 8;
    SEND_GENERIC_TLS_EXTENSION *fixed = (void *)leg->send;

    if (extension->bytes) {
        TEST_REQUIRE(extension->len <= MESSAGE_EXTENSION);
        *fixed = (SEND_GENERIC_TLS_EXTENSION){
            .ExtensionType = extension->type, .HandshakeType = from, .BufferSize = extension->len};
        memcpy(fixed->Buffer, extension->bytes, extension->len);
        add(leg->in, &leg->in_count, SECBUFFER_SEND_GENERIC_TLS_EXTENSION, leg->send,
            10u + extension->len);
    }
    if (!extension->subscribe || room == 0 || end->received.len > 0)
        return;
    leg->subscribe = (SUBSCRIBE_GENERIC_TLS_EXTENSION){.SubscriptionsCount = 1,
                                                       .Subscriptions = {{extension->type, to}}};
    add(leg->in, &leg->in_count, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, &leg->subscribe,
        sizeof(leg->subscribe));
    if (allocates(end)) {
        memory = NULL;
        room = 0;
    } else if (end->extension_size > 0) {
        memory = end->room;
        room = end->extension_size;
        TEST_REQUIRE(room <= sizeof(end->room));
    }
    leg->extension =
        add(leg->out, &leg->out_count, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, memory, room);
}

static SECURITY_STATUS call(struct message_end *end, struct leg *leg, uint8_t *in, size_t len,
                            uint8_t *out)
{
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 0, leg->in};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 0, leg->out};
    struct peer_end *peer = &end->peer;
    PCtxtHandle context = peer->has_context ? &peer->context : NULL;
    SECURITY_STATUS status;

    *leg = (struct leg){.wide = {end->records ? 0 : ISC_REQ_MESSAGES}};
    if (peer->server || peer->has_context)
        add(leg->in, &leg->in_count, SECBUFFER_TOKEN, in, len);
    add(leg->in, &leg->in_count, SECBUFFER_EMPTY, NULL, 0);
    add(leg->in, &leg->in_count, SECBUFFER_EMPTY, NULL, 0);
    add(leg->in, &leg->in_count, SECBUFFER_FLAGS, &leg->wide, sizeof(leg->wide));
    if (peer->alpn && !peer->has_context)
        add(leg->in, &leg->in_count, SECBUFFER_APPLICATION_PROTOCOLS, peer->alpn, peer->alpn_size);
    leg->token = add(leg->out, &leg->out_count, SECBUFFER_TOKEN, allocates(end) ? NULL : out,
                     allocates(end) ? 0 : end->out_size);
    leg->alert =
        add(leg->out, &leg->out_count, end->legacy_alert ? SECBUFFER_EMPTY : SECBUFFER_ALERT,
            allocates(end) ? NULL : end->alert, allocates(end) ? 0 : 2);
    add_extension(leg, end, in, len);
    for (size_t i = 0; i < end->secret_count && !end->records; i++)
        add(leg->out, &leg->out_count, SECBUFFER_TRAFFIC_SECRETS, end->secrets + i * MESSAGE_SECRET,
            end->secret_size);
    in_desc.cBuffers = leg->in_count;
    out_desc.cBuffers = leg->out_count;
    end->legs++;
    if (peer->server)
        status = peer->form->accept(&peer->credential, context, peer->flags, &in_desc,
                                    &peer->context, &out_desc, &peer->attributes, &peer->expiry);
    else
        status = peer->form->initialize(
            &peer->credential, context, context ? NULL : (LPSTR)peer->target, peer->flags, &in_desc,
            &peer->context, &out_desc, &peer->attributes, &peer->expiry);
    if (status >= 0)
        peer->has_context = true;
    return status;
}

/* What makes the same leg again, with the same memory. */
static bool goes_again(struct message_end *end, struct leg *leg, SECURITY_STATUS status)
{
    if (status == SEC_I_INCOMPLETE_CREDENTIALS && (end->supplied || end->anonymous)) {
        if (end->supplied)
            end->peer.credential = *(const CredHandle *)end->supplied;
        else
            end->peer.flags |= ISC_REQ_USE_SUPPLIED_CREDS;
        return end->asked++ == 0;
    }
    if (status == SEC_I_GENERIC_EXTENSION_RECEIVED) {
        TEST_REQUIRE(leg->extension && leg->extension->cbBuffer >= 4);
        peer_push(&end->received, leg->extension->pvBuffer, leg->extension->cbBuffer);
        end->extension_retries++;
        return true;
    }
    if (!end->grow)
        return false;
    switch (status) {
    case SEC_E_EXT_BUFFER_TOO_SMALL:
        TEST_REQUIRE(leg->extension && leg->extension->cbBuffer > end->extension_size);
        end->extension_size = leg->extension->cbBuffer;
        end->extension_retries++;
        return true;
    case SEC_E_INSUFFICIENT_BUFFERS:
        end->secret_retries++;
        return end->secret_count++ < 4;
    case SEC_E_INSUFFICIENT_MEMORY: /* of stream mode */
    case SEC_E_BUFFER_TOO_SMALL:
        if (end->secret_size < MESSAGE_SECRET && end->out_size >= MESSAGE_OUT) {
            end->secret_size = MESSAGE_SECRET;
            end->secret_retries++;
            return true;
        }
        end->out_size *= 2;
        end->retries++;
        return true;
    default:
        return false;
    }
}

/* Where something did not fit nothing was handed out. */
static void must_be_untouched(const struct message_end *end, const struct leg *leg,
                              SECURITY_STATUS status, const uint8_t *out)
{
    if (status != SEC_E_BUFFER_TOO_SMALL && status != SEC_E_EXT_BUFFER_TOO_SMALL &&
        status != SEC_E_INSUFFICIENT_BUFFERS)
        return;
    /* These are no failures: nobody may take what is in its memory for an alert. */
    if (!end->records)
        TEST_REQUIRE(leg->alert->BufferType != SECBUFFER_ALERT || leg->alert->cbBuffer == 0);
    for (size_t i = 0; i < end->out_size; i++)
        TEST_REQUIRE_EQUAL(out[i], 0x5A);
    for (size_t i = 0;
         i < end->secret_count && !end->records && end->secret_size >= sizeof(SEC_TRAFFIC_SECRETS);
         i++) {
        const SEC_TRAFFIC_SECRETS *told = (const void *)(end->secrets + i * MESSAGE_SECRET);

        TEST_REQUIRE_EQUAL(told->TrafficSecretType, SecTrafficSecret_None);
    }
}

static size_t extra_of(const struct leg *leg)
{
    /* Right behind the token, where this caller looks. */
    return leg->in[1].BufferType == SECBUFFER_EXTRA ? leg->in[1].cbBuffer : 0;
}

static void note_alert(struct message_end *end, const struct leg *leg)
{
    end->alerted = leg->alert->BufferType == SECBUFFER_ALERT && leg->alert->cbBuffer > 0;
    if (!end->alerted)
        return;
    TEST_REQUIRE_EQUAL(leg->alert->cbBuffer, 2);
    memmove(end->alert, leg->alert->pvBuffer, 2);
}

SECURITY_STATUS message_leg(struct message_end *end, const void *bytes, size_t len,
                            struct message_end *to, size_t *ret_consumed)
{
    /* Exactly as much as it says, so that a sanitizer sees the first byte too many. */
    uint8_t *in = malloc(end->overlap ? len + end->out_size : len > 0 ? len : 1), *out = NULL;
    struct leg leg = {.out_count = 0};
    SECURITY_STATUS status;

    TEST_REQUIRE(in != NULL);
    if (len > 0)
        memcpy(in, bytes, len);
    do {
        free_given(end, &leg);
        if (!end->overlap) {
            free(out);
            out = malloc(end->out_size > 0 ? end->out_size : 1);
            TEST_REQUIRE(out != NULL);
            memset(out, 0x5A, end->out_size);
        }
        status = call(end, &leg, in, len, end->overlap ? in : out);
        if (!end->overlap)
            must_be_untouched(end, &leg, status, out);
    } while (goes_again(end, &leg, status));
    note_alert(end, &leg);
    *ret_consumed = 0;
    if (status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED) {
        TEST_REQUIRE(extra_of(&leg) <= len);
        *ret_consumed = len - extra_of(&leg);
        take_secrets(end);
        if (leg.token->cbBuffer > 0)
            send(end, leg.token->pvBuffer, leg.token->cbBuffer, to);
    }
    end->done = end->done || status == SEC_E_OK;
    free_given(end, &leg);
    free(in);
    free(out);
    return status;
}

SECURITY_STATUS message_step(struct message_end *end, struct message_end *to)
{
    const enum message_level level = end->reads;
    struct peer_stream *in = &end->in[level];
    size_t consumed;
    SECURITY_STATUS status;

    if (in->len == 0 && (end->peer.server || end->peer.has_context))
        return SEC_E_INCOMPLETE_MESSAGE;
    status = message_leg(end, in->bytes, in->len, to, &consumed);
    peer_drop(in, consumed);
    /* Nothing may be left at a level that is over. */
    if (end->reads != level)
        TEST_REQUIRE_EQUAL(in->len, 0);
    return status;
}

SECURITY_STATUS message_handshake(struct message_pair *pair)
{
    for (int i = 0; i < 20 && !(pair->client.done && pair->server.done); i++) {
        SECURITY_STATUS status = SEC_E_OK;

        if (!pair->client.done)
            status = message_step(&pair->client, &pair->server);
        if ((status >= 0 || status == SEC_E_INCOMPLETE_MESSAGE) && !pair->server.done)
            status = message_step(&pair->server, &pair->client);
        if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE)
            return status;
    }
    return pair->client.done && pair->server.done ? SEC_E_OK : SEC_E_INTERNAL_ERROR;
}

static void same_secrets(const struct message_end *a, const struct message_end *b)
{
    for (int level = MESSAGE_HANDSHAKE; level <= MESSAGE_APPLICATION; level++) {
        const struct message_secret *x = &a->keys[1][level], *y = &b->keys[0][level];

        TEST_REQUIRE(x->len > 0);
        TEST_REQUIRE_EQUAL(x->len, y->len);
        TEST_REQUIRE(memcmp(x->bytes, y->bytes, x->len) == 0);
        TEST_REQUIRE(strcmp(x->cipher, y->cipher) == 0 && strcmp(x->mode, y->mode) == 0);
        TEST_REQUIRE(strcmp(x->hash, y->hash) == 0 && x->key_size == y->key_size);
    }
}

void message_connect(struct message_pair *pair)
{
    TEST_REQUIRE_EQUAL(message_handshake(pair), SEC_E_OK);
    same_secrets(&pair->client, &pair->server);
    same_secrets(&pair->server, &pair->client);
}

SECURITY_STATUS message_walk(const struct peer_form *form)
{
    struct message_pair pair;
    SECURITY_STATUS status;

    message_end_init(&pair.client, form, false);
    message_end_init(&pair.server, form, true);
    pair.client.grow = pair.server.grow = false;
    status = peer_end_acquire(&pair.client.peer, 0, 0, NULL, false);
    if (status == SEC_E_OK)
        status = peer_end_acquire(&pair.server.peer, 0, 0, "server", false);
    if (status == SEC_E_OK)
        status = message_handshake(&pair);
    if (status == SEC_E_OK)
        status = message_step(&pair.client, &pair.server);
    if (status == SEC_E_OK)
        TEST_REQUIRE(pair.client.received.len == 23 && pair.server.received.len == 23);
    message_end_free(&pair.client);
    message_end_free(&pair.server);
    return status;
}
