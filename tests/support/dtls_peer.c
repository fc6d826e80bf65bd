/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Two ends of DTLS; see dtls_peer.h.
 */
#include "support/dtls_peer.h"

#include <stdlib.h>
#include <string.h>

/* ---- datagrams ---- */

void dtls_push(struct dtls_queue *queue, const void *bytes, size_t len)
{
    TEST_REQUIRE(queue->count < DTLS_QUEUE);
    queue->items[queue->count] = (struct peer_stream){0};
    peer_push(&queue->items[queue->count++], bytes, len);
}

struct peer_stream dtls_take(struct dtls_queue *queue, size_t index)
{
    struct peer_stream taken;

    TEST_REQUIRE(index < queue->count);
    taken = queue->items[index];
    queue->count--;
    memmove(&queue->items[index], &queue->items[index + 1],
            (queue->count - index) * sizeof(queue->items[0]));
    return taken;
}

void dtls_clear(struct dtls_queue *queue)
{
    while (queue->count > 0) {
        struct peer_stream gone = dtls_take(queue, 0);

        peer_clear(&gone);
    }
}

uint16_t dtls_epoch(const uint8_t *record)
{
    return (uint16_t)(record[3] << 8 | record[4]);
}

uint64_t dtls_number(const uint8_t *record)
{
    uint64_t number = 0;

    for (int i = 5; i < 11; i++)
        number = number << 8 | record[i];
    return number;
}

size_t dtls_record_len(const uint8_t *record)
{
    return DTLS_HEADER + ((size_t)record[11] << 8 | record[12]);
}

/* ---- ends ---- */

void dtls_end_init(struct dtls_end *end, const struct peer_form *form, bool server)
{
    *end = (struct dtls_end){.address = server ? DTLS_ENDPOINT : NULL};
    peer_end_init(&end->end, form, server);
    end->end.flags = server ? ASC_REQ_DATAGRAM | ASC_REQ_CONFIDENTIALITY | ASC_REQ_EXTENDED_ERROR
                            : ISC_REQ_DATAGRAM | ISC_REQ_CONFIDENTIALITY | ISC_REQ_EXTENDED_ERROR;
}

void dtls_open(struct dtls_pair *pair, const struct peer_form *form, const struct peer_setup *setup)
{
    const struct peer_setup usual = {0};

    if (!setup)
        setup = &usual;
    dtls_end_init(&pair->client, form, false);
    dtls_end_init(&pair->server, form, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair->client.end, setup->protocols, setup->client_flags,
                                        NULL, setup->by_version_5),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair->server.end, 0, setup->server_flags,
                                        setup->certificate ? setup->certificate : "server",
                                        setup->by_version_5),
                       SEC_E_OK);
}

static void disconnect(struct dtls_end *end)
{
    peer_end_disconnect(&end->end);
    dtls_clear(&end->in);
    end->done = false;
}

void dtls_disconnect(struct dtls_pair *pair)
{
    disconnect(&pair->client);
    disconnect(&pair->server);
}

void dtls_close(struct dtls_pair *pair)
{
    dtls_disconnect(pair);
    peer_end_free(&pair->client.end);
    peer_end_free(&pair->server.end);
}

/* ---- legs ---- */

static void add(SecBuffer *in, ULONG *count, ULONG type, const void *bytes, size_t len)
{
    in[(*count)++] = (SecBuffer){(ULONG)len, type, (void *)bytes};
}

static ULONG fill(struct dtls_end *end, const void *bytes, size_t len, const SEC_DTLS_MTU *mtu,
                  SecBuffer *in)
{
    ULONG count = 0;

    if (bytes) {
        add(in, &count, SECBUFFER_TOKEN, bytes, len);
        add(in, &count, SECBUFFER_EMPTY, NULL, 0);
    }
    if (end->address && !end->done)
        add(in, &count, SECBUFFER_EXTRA, end->address, strlen(end->address));
    if (end->end.has_context)
        return count;
    if (end->mtu != 0)
        add(in, &count, SECBUFFER_DTLS_MTU, mtu, sizeof(*mtu));
    if (end->srtp)
        add(in, &count, SECBUFFER_SRTP_PROTECTION_PROFILES, end->srtp, end->srtp_size);
    if (end->end.alpn)
        add(in, &count, SECBUFFER_APPLICATION_PROTOCOLS, end->end.alpn, end->end.alpn_size);
    return count;
}

static SECURITY_STATUS run(struct dtls_end *end, PSecBufferDesc in, PSecBufferDesc out)
{
    struct peer_end *one = &end->end;
    PCtxtHandle context = one->has_context ? &one->context : NULL;
    SECURITY_STATUS status;

    if (one->server)
        status = one->form->accept(&one->credential, context, one->flags, in, &one->context, out,
                                   &one->attributes, &one->expiry);
    else
        status = one->form->initialize(&one->credential, context, (LPSTR)one->target, one->flags,
                                       in, &one->context, out, &one->attributes, &one->expiry);
    if (status >= 0)
        one->has_context = true;
    return status;
}

SECURITY_STATUS dtls_leg(struct dtls_end *end, struct dtls_end *to, const void *bytes, size_t len)
{
    const size_t room = end->out_size ? end->out_size : PEER_OUT_SIZE;
    const SEC_DTLS_MTU mtu = {end->mtu};
    struct peer_stream copy = {0};
    uint8_t *out = malloc(room);
    SecBuffer in[6], token = {(ULONG)room, SECBUFFER_TOKEN, out};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 0, in};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, &token};

    TEST_REQUIRE(out != NULL);
    if (bytes)
        peer_push(&copy, bytes, len);
    in_desc.cBuffers = fill(end, bytes ? copy.bytes : NULL, len, &mtu, in);
    end->status = run(end, in_desc.cBuffers > 0 ? &in_desc : NULL, &out_desc);
    end->extra = bytes && in[1].BufferType == SECBUFFER_EXTRA ? in[1].cbBuffer : 0;
    if (bytes && len > 0)
        TEST_REQUIRE(memcmp(bytes, copy.bytes, len) == 0); /* input stays as it is */
    if (end->status != SEC_E_INSUFFICIENT_MEMORY) {
        TEST_REQUIRE(token.cbBuffer <= room && token.pvBuffer == out);
        if (token.cbBuffer > 0)
            dtls_push(&to->in, out, token.cbBuffer);
    }
    end->done = end->done || end->status == SEC_E_OK;
    peer_clear(&copy);
    free(out);
    return end->status;
}

SECURITY_STATUS dtls_step(struct dtls_end *end, struct dtls_end *to)
{
    struct peer_stream datagram = {0};
    SECURITY_STATUS status;
    ULONG extra;

    if (end->in.count > 0)
        datagram = dtls_take(&end->in, 0);
    status = dtls_leg(end, to, datagram.bytes, datagram.len);
    extra = end->extra;
    while (status == SEC_I_MESSAGE_FRAGMENT)
        status = dtls_leg(end, to, NULL, 0);
    if (extra > 0) {
        struct dtls_queue rest = end->in;

        end->in.count = 0;
        dtls_push(&end->in, datagram.bytes + datagram.len - extra, extra);
        memcpy(&end->in.items[1], rest.items, rest.count * sizeof(rest.items[0]));
        end->in.count += rest.count;
    }
    peer_clear(&datagram);
    return status;
}

void dtls_half_connect(struct dtls_pair *pair)
{
    TEST_REQUIRE_EQUAL(dtls_step(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(dtls_step(&pair->server, &pair->client), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(dtls_step(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
}

SECURITY_STATUS dtls_handshake(struct dtls_pair *pair)
{
    if (!pair->client.end.has_context) {
        SECURITY_STATUS status = dtls_step(&pair->client, &pair->server);

        if (status < 0)
            return status;
    }
    for (int i = 0; i < 500 && !(pair->client.done && pair->server.done); i++) {
        struct dtls_end *end =
            pair->server.in.count > 0 && !pair->server.done ? &pair->server : &pair->client;
        SECURITY_STATUS status;

        if (end->in.count == 0)
            return SEC_E_INTERNAL_ERROR;
        status = dtls_step(end, end == &pair->server ? &pair->client : &pair->server);
        if (status < 0)
            return status;
    }
    return pair->client.done && pair->server.done ? SEC_E_OK : SEC_E_INTERNAL_ERROR;
}

void dtls_connect(struct dtls_pair *pair)
{
    TEST_REQUIRE_EQUAL(dtls_handshake(pair), SEC_E_OK);
    peer_established(&pair->client.end);
    peer_established(&pair->server.end);
}

/* ---- messages ---- */

SECURITY_STATUS dtls_send(struct dtls_end *from, struct dtls_end *to, const void *data, size_t len)
{
    struct peer_end sealed = {0};
    SECURITY_STATUS status = peer_send(&from->end, &sealed, data, len);

    if (status == SEC_E_OK)
        dtls_push(&to->in, sealed.in.bytes, sealed.in.len);
    peer_clear(&sealed.in);
    return status;
}

SECURITY_STATUS dtls_receive(struct dtls_end *end, char *data, size_t size, size_t *ret_len)
{
    struct peer_stream *datagram = &end->in.items[0];

    TEST_REQUIRE(end->in.count > 0);
    TEST_REQUIRE(end->end.in.len == 0);
    end->end.in = *datagram;
    end->status = peer_receive(&end->end, data, size, ret_len);
    *datagram = end->end.in;
    end->end.in = (struct peer_stream){0};
    if (datagram->len == 0 || end->status < 0) {
        struct peer_stream gone = dtls_take(&end->in, 0);

        peer_clear(&gone);
    }
    return end->status;
}

static void exchange(struct dtls_end *from, struct dtls_end *to)
{
    char data[64];
    size_t len;

    dtls_clear(&to->in);
    TEST_REQUIRE_EQUAL(dtls_send(from, to, "a datagram", 10), SEC_E_OK);
    TEST_REQUIRE_EQUAL(dtls_receive(to, data, sizeof(data), &len), SEC_E_OK);
    TEST_REQUIRE(len == 10 && memcmp(data, "a datagram", 10) == 0);
}

void dtls_exchange(struct dtls_pair *pair)
{
    exchange(&pair->client, &pair->server);
    exchange(&pair->server, &pair->client);
}
