/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Ends and pairs of Schannel for the contract tests; see tls_peer.h. The forms are in
 * tls_forms.c.
 */
#include "support/tls_peer.h"

#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes ---- */

void peer_push(struct peer_stream *stream, const void *bytes, size_t len)
{
    uint8_t *grown;

    if (len == 0)
        return;
    grown = realloc(stream->bytes, stream->len + len);
    TEST_REQUIRE(grown != NULL);
    memcpy(grown + stream->len, bytes, len);
    stream->bytes = grown;
    stream->len += len;
}

void peer_drop(struct peer_stream *stream, size_t len)
{
    struct peer_stream rest = {0};

    TEST_REQUIRE(len <= stream->len);
    if (len == 0)
        return;
    peer_push(&rest, stream->bytes + len, stream->len - len);
    free(stream->bytes);
    *stream = rest;
}

void peer_clear(struct peer_stream *stream)
{
    free(stream->bytes);
    *stream = (struct peer_stream){0};
}

size_t peer_record_len(const uint8_t *bytes)
{
    return 5 + ((size_t)bytes[3] << 8 | bytes[4]);
}

/* ---- ends ---- */

void peer_end_init(struct peer_end *end, const struct peer_form *form, bool server)
{
    *end = (struct peer_end){.form = form, .server = server};
    if (server) {
        end->flags = ASC_REQ_STREAM | ASC_REQ_CONFIDENTIALITY | ASC_REQ_EXTENDED_ERROR;
    } else {
        end->flags = ISC_REQ_STREAM | ISC_REQ_CONFIDENTIALITY | ISC_REQ_EXTENDED_ERROR;
        end->target = PEER_TARGET;
    }
}

static SECURITY_STATUS acquire(struct peer_end *end, void *auth)
{
    SECURITY_STATUS status = end->form->acquire(
        (LPSTR)UNISP_NAME_A, end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, auth,
        &end->credential, &end->expiry);

    end->has_credential = status == SEC_E_OK;
    return status;
}

SECURITY_STATUS peer_end_acquire(struct peer_end *end, DWORD protocols, DWORD flags,
                                 const char *certificate, bool by_version_5)
{
    PCCERT_CONTEXT context = certificate ? peer_certificate(certificate) : NULL;
    TLS_PARAMETERS off = {.grbitDisabledProtocols = protocols ? ~protocols : 0};
    SCHANNEL_CRED v4 = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = context ? 1 : 0,
        .paCred = &context,
        .grbitEnabledProtocols = protocols,
        .dwFlags = flags,
    };
    SCH_CREDENTIALS v5 = {
        .dwVersion = SCH_CREDENTIALS_VERSION,
        .cCreds = context ? 1 : 0,
        .paCred = &context,
        .dwFlags = flags,
        .cTlsParameters = protocols ? 1 : 0,
        .pTlsParameters = &off,
    };
    SECURITY_STATUS status = acquire(end, by_version_5 ? (void *)&v5 : (void *)&v4);

    if (context)
        CertFreeCertificateContext(context);
    return status;
}

void peer_end_disconnect(struct peer_end *end)
{
    if (end->has_context)
        TEST_REQUIRE_EQUAL(end->form->delete_context(&end->context), SEC_E_OK);
    end->has_context = false;
    peer_clear(&end->in);
}

void peer_end_free(struct peer_end *end)
{
    peer_end_disconnect(end);
    if (end->has_credential)
        TEST_REQUIRE_EQUAL(end->form->free_credential(&end->credential), SEC_E_OK);
    end->has_credential = false;
}

void peer_open(struct peer_pair *pair, const struct peer_form *form, const struct peer_setup *setup)
{
    const struct peer_setup usual = {0};

    if (!setup)
        setup = &usual;
    peer_end_init(&pair->client, form, false);
    peer_end_init(&pair->server, form, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair->client, setup->protocols, setup->client_flags, NULL,
                                        setup->by_version_5),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair->server, 0, setup->server_flags,
                                        setup->certificate ? setup->certificate : "server",
                                        setup->by_version_5),
                       SEC_E_OK);
}

void peer_disconnect(struct peer_pair *pair)
{
    peer_end_disconnect(&pair->client);
    peer_end_disconnect(&pair->server);
}

void peer_close(struct peer_pair *pair)
{
    peer_end_free(&pair->client);
    peer_end_free(&pair->server);
}

/* ---- legs ---- */

struct peer_leg peer_leg_of(struct peer_end *end, const void *bytes, size_t len, void *out,
                            size_t out_size)
{
    struct peer_leg leg = {
        .in = {{(ULONG)len, SECBUFFER_TOKEN, (void *)bytes}, {0, SECBUFFER_EMPTY, NULL}},
        .out = {{(ULONG)out_size, SECBUFFER_TOKEN, out}},
        .in_count = 2,
        .out_count = 1,
        .credential = end->has_credential ? &end->credential : NULL,
        .context = end->has_context ? &end->context : NULL,
        .new_context = &end->context,
        .target = end->target,
        .flags = end->flags,
    };

    if (end->alpn && !end->has_context)
        leg.in[leg.in_count++] =
            (SecBuffer){end->alpn_size, SECBUFFER_APPLICATION_PROTOCOLS, (void *)end->alpn};
    for (ULONG i = 0; i < end->more_count && !end->has_context; i++)
        leg.in[leg.in_count++] = end->more[i];
    return leg;
}

SECURITY_STATUS peer_leg_run(struct peer_end *end, struct peer_leg *leg)
{
    SecBufferDesc in = {SECBUFFER_VERSION, leg->in_count, leg->in};
    SecBufferDesc out = {SECBUFFER_VERSION, leg->out_count, leg->out};
    PSecBufferDesc in_or_none = leg->no_in ? NULL : &in;
    PSecBufferDesc out_or_none = leg->no_out ? NULL : &out;
    SECURITY_STATUS status;

    if (end->server)
        status = end->form->accept(leg->credential, leg->context, leg->flags, in_or_none,
                                   leg->new_context, out_or_none, &end->attributes, &end->expiry);
    else
        status = end->form->initialize(leg->credential, leg->context, (LPSTR)leg->target,
                                       leg->flags, in_or_none, leg->new_context, out_or_none,
                                       &end->attributes, &end->expiry);
    if (status >= 0 && leg->new_context == &end->context)
        end->has_context = true;
    return status;
}

SECURITY_STATUS peer_step(struct peer_end *end, struct peer_end *to)
{
    uint8_t *out = malloc(PEER_OUT_SIZE);
    struct peer_leg leg = peer_leg_of(end, end->in.bytes, end->in.len, out, PEER_OUT_SIZE);
    SECURITY_STATUS status;

    TEST_REQUIRE(out != NULL);
    status = peer_leg_run(end, &leg);
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        TEST_REQUIRE_EQUAL(leg.in[1].BufferType, SECBUFFER_MISSING);
        TEST_REQUIRE(leg.in[1].cbBuffer > 0);
        TEST_REQUIRE_EQUAL(leg.out[0].cbBuffer, PEER_OUT_SIZE);
        free(out);
        return status;
    }
    TEST_REQUIRE(leg.out[0].cbBuffer <= PEER_OUT_SIZE && leg.out[0].pvBuffer == out);
    peer_push(&to->in, out, leg.out[0].cbBuffer);
    free(out);
    if (status >= 0 && status != SEC_I_INCOMPLETE_CREDENTIALS) { /* then the same comes again */
        ULONG extra = leg.in[1].BufferType == SECBUFFER_EXTRA ? leg.in[1].cbBuffer : 0;

        TEST_REQUIRE(extra > 0 || leg.in[1].BufferType == SECBUFFER_EMPTY);
        peer_drop(&end->in, end->in.len - extra);
    }
    return status;
}

/* One leg if there is something to do; tells when the end is done. */
static SECURITY_STATUS move(struct peer_end *end, struct peer_end *to, bool *done)
{
    SECURITY_STATUS status;

    if (*done || (end->in.len == 0 && (end->server || end->has_context)))
        return SEC_E_OK;
    status = peer_step(end, to);
    *done = status == SEC_E_OK;
    return status == SEC_E_INCOMPLETE_MESSAGE ? SEC_E_OK : status;
}

void peer_half_connect(struct peer_pair *pair)
{
    TEST_REQUIRE_EQUAL(peer_step(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE_EQUAL(peer_step(&pair->server, &pair->client), SEC_I_CONTINUE_NEEDED);
}

SECURITY_STATUS peer_handshake(struct peer_pair *pair)
{
    bool client_done = false, server_done = false;

    for (int i = 0; i < 20 && !(client_done && server_done); i++) {
        SECURITY_STATUS status = move(&pair->client, &pair->server, &client_done);

        if (status >= 0)
            status = move(&pair->server, &pair->client, &server_done);
        if (status < 0)
            return status;
    }
    return client_done && server_done ? SEC_E_OK : SEC_E_INTERNAL_ERROR;
}

void peer_established(struct peer_end *end)
{
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_STREAM_SIZES, &end->sizes), SEC_E_OK);
}

void peer_connect(struct peer_pair *pair)
{
    TEST_REQUIRE_EQUAL(peer_handshake(pair), SEC_E_OK);
    peer_established(&pair->client);
    peer_established(&pair->server);
}

/* ---- messages ---- */

SECURITY_STATUS peer_send(struct peer_end *from, struct peer_end *to, const void *data, size_t len)
{
    ULONG header = from->sizes.cbHeader, trailer = from->sizes.cbTrailer;
    uint8_t *bytes = malloc(header + len + trailer);
    SecBuffer buffers[] = {
        {header, SECBUFFER_STREAM_HEADER, bytes},
        {(ULONG)len, SECBUFFER_DATA, bytes + header},
        {trailer, SECBUFFER_STREAM_TRAILER, bytes + header + len},
        {0, SECBUFFER_EMPTY, NULL},
    };
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status;

    TEST_REQUIRE(bytes != NULL);
    if (len > 0)
        memcpy(bytes + header, data, len);
    status = EncryptMessage(&from->context, 0, &message, 0);
    for (int i = 0; status == SEC_E_OK && i < 3; i++)
        peer_push(&to->in, buffers[i].pvBuffer, buffers[i].cbBuffer);
    free(bytes);
    return status;
}

SECURITY_STATUS peer_receive(struct peer_end *end, void *data, size_t size, size_t *ret_len)
{
    SecBuffer buffers[4] = {{(ULONG)end->in.len, SECBUFFER_DATA, end->in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    ULONG qop = 99;
    SECURITY_STATUS status = DecryptMessage(&end->context, &message, 0, &qop);

    *ret_len = 0;
    if (status < 0)
        return status;
    TEST_REQUIRE_EQUAL(qop, 0);
    TEST_REQUIRE_EQUAL(buffers[0].BufferType, SECBUFFER_STREAM_HEADER);
    TEST_REQUIRE_EQUAL(buffers[1].BufferType, SECBUFFER_DATA);
    TEST_REQUIRE_EQUAL(buffers[2].BufferType, SECBUFFER_STREAM_TRAILER);
    TEST_REQUIRE(buffers[3].BufferType == SECBUFFER_EXTRA ? buffers[3].cbBuffer > 0
                                                          : buffers[3].cbBuffer == 0);
    TEST_REQUIRE(buffers[1].cbBuffer <= size);
    if (buffers[1].cbBuffer > 0)
        memcpy(data, buffers[1].pvBuffer, buffers[1].cbBuffer);
    *ret_len = buffers[1].cbBuffer;
    peer_drop(&end->in, end->in.len - buffers[3].cbBuffer);
    return status;
}

SECURITY_STATUS peer_receive_data(struct peer_end *end, struct peer_end *peer, void *data,
                                  size_t size, size_t *ret_len)
{
    for (int i = 0; i < 100; i++) {
        SECURITY_STATUS status = peer_receive(end, data, size, ret_len);

        if (status == SEC_I_RENEGOTIATE)
            status = peer_step(end, peer);
        if (status != SEC_E_OK || *ret_len > 0)
            return status;
    }
    return SEC_E_INTERNAL_ERROR;
}

static void exchange(struct peer_end *from, struct peer_end *to)
{
    char data[64];
    size_t len;

    TEST_REQUIRE_EQUAL(peer_send(from, to, "some data", 9), SEC_E_OK);
    TEST_REQUIRE_EQUAL(peer_receive_data(to, from, data, sizeof(data), &len), SEC_E_OK);
    TEST_REQUIRE_EQUAL(len, 9);
    TEST_REQUIRE(memcmp(data, "some data", 9) == 0);
}

void peer_exchange(struct peer_pair *pair)
{
    exchange(&pair->client, &pair->server);
    exchange(&pair->server, &pair->client);
}

SECURITY_STATUS peer_control(struct peer_end *end, const void *token, ULONG size)
{
    SecBuffer buffer = {size, SECBUFFER_TOKEN, (void *)token};
    SecBufferDesc desc = {SECBUFFER_VERSION, 1, &buffer};

    return ApplyControlToken(&end->context, &desc);
}

SECURITY_STATUS peer_shutdown(struct peer_end *end, struct peer_end *to)
{
    const DWORD token = SCHANNEL_SHUTDOWN;
    uint8_t out[256];
    struct peer_leg leg = peer_leg_of(end, NULL, 0, out, sizeof(out));
    SECURITY_STATUS status = peer_control(end, &token, sizeof(token));

    leg.no_in = true;
    if (status == SEC_E_OK)
        status = peer_leg_run(end, &leg);
    if (status >= 0)
        peer_push(&to->in, out, leg.out[0].cbBuffer);
    return status;
}
