/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Two ends of Schannel; see sspi_pair.h.
 */
#include "unit/sspi_pair.h"

#include <string.h>

#include "support/test_util.h"

#define OUT_SIZE 24576u

SCHANNEL_CRED sspi_schannel_cred(PCCERT_CONTEXT *certificate)
{
    return (SCHANNEL_CRED){
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = certificate && *certificate ? 1 : 0,
        .paCred = certificate && *certificate ? certificate : NULL,
    };
}

SECURITY_STATUS sspi_acquire(struct sspi_end *end, void *auth)
{
    TimeStamp expiry;
    SECURITY_STATUS status = AcquireCredentialsHandleA(
        NULL, (LPSTR)UNISP_NAME_A, end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, NULL,
        auth, NULL, NULL, &end->credential, &expiry);

    end->has_credential = status == SEC_E_OK;
    return status;
}

void sspi_pair_init(struct sspi_pair *pair, DWORD client_protocols, const char *certificate)
{
    PCCERT_CONTEXT context = peer_certificate(certificate);
    SCHANNEL_CRED server = sspi_schannel_cred(&context);
    SCHANNEL_CRED client = sspi_schannel_cred(NULL);

    memset(pair, 0, sizeof(*pair));
    pair->server.server = true;
    pair->client.target = SSPI_TARGET;
    pair->client.flags = ISC_REQ_STREAM | ISC_REQ_CONFIDENTIALITY | ISC_REQ_EXTENDED_ERROR;
    pair->server.flags = ASC_REQ_STREAM | ASC_REQ_CONFIDENTIALITY | ASC_REQ_EXTENDED_ERROR;
    client.grbitEnabledProtocols = client_protocols;
    TEST_REQUIRE_EQUAL(sspi_acquire(&pair->server, &server), SEC_E_OK);
    TEST_REQUIRE_EQUAL(sspi_acquire(&pair->client, &client), SEC_E_OK);
    CertFreeCertificateContext(context);
}

static void disconnect(struct sspi_end *end)
{
    if (end->has_context)
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&end->context), SEC_E_OK);
    end->has_context = false;
    end->in.len = 0;
}

void sspi_pair_disconnect(struct sspi_pair *pair)
{
    disconnect(&pair->client);
    disconnect(&pair->server);
}

static void release(struct sspi_end *end)
{
    if (end->has_credential)
        TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&end->credential), SEC_E_OK);
    end->has_credential = false;
}

void sspi_pair_clear(struct sspi_pair *pair)
{
    sspi_pair_disconnect(pair);
    release(&pair->client);
    release(&pair->server);
}

/* ---- streams ---- */

static void push(struct sspi_stream *stream, const void *bytes, size_t len)
{
    TEST_REQUIRE(len <= sizeof(stream->bytes) - stream->len);
    if (len > 0)
        memcpy(stream->bytes + stream->len, bytes, len);
    stream->len += len;
}

static void drop(struct sspi_stream *stream, size_t len)
{
    TEST_REQUIRE(len <= stream->len);
    memmove(stream->bytes, stream->bytes + len, stream->len - len);
    stream->len -= len;
}

/* ---- legs ---- */

static SECURITY_STATUS call(struct sspi_end *end, SecBufferDesc *in, SecBufferDesc *out)
{
    SECURITY_STATUS status;

    if (end->server)
        status = AcceptSecurityContext(&end->credential, end->has_context ? &end->context : NULL,
                                       in, end->flags, 0, &end->context, out, &end->attributes,
                                       &end->expiry);
    else
        status = InitializeSecurityContextA(
            &end->credential, end->has_context ? &end->context : NULL, (SEC_CHAR *)end->target,
            end->flags, 0, 0, in, 0, &end->context, out, &end->attributes, &end->expiry);
    if (status >= 0)
        end->has_context = true;
    return status;
}

SECURITY_STATUS sspi_leg_into(struct sspi_end *end, struct sspi_end *to, uint8_t *out,
                              ULONG out_size)
{
    SecBuffer in_buffers[] = {
        {(ULONG)end->in.len, SECBUFFER_TOKEN, end->in.bytes},
        {0, SECBUFFER_EMPTY, NULL},
        {end->alpn_size, SECBUFFER_APPLICATION_PROTOCOLS, (void *)end->alpn},
    };
    SecBuffer out_buffer = {out_size, SECBUFFER_TOKEN, out};
    SecBufferDesc in = {SECBUFFER_VERSION, end->alpn && !end->has_context ? 3 : 2, in_buffers};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, &out_buffer};
    SECURITY_STATUS status = call(end, &in, &out_desc);

    if (status == SEC_E_INCOMPLETE_MESSAGE || status == SEC_E_INSUFFICIENT_MEMORY)
        return status;
    TEST_REQUIRE(in_buffers[1].BufferType == SECBUFFER_EMPTY ||
                 in_buffers[1].BufferType == SECBUFFER_EXTRA);
    push(&to->in, out_buffer.pvBuffer, out_buffer.cbBuffer);
    if (status >= 0 && status != SEC_I_INCOMPLETE_CREDENTIALS) /* then the same comes again */
        drop(&end->in,
             end->in.len -
                 (in_buffers[1].BufferType == SECBUFFER_EXTRA ? in_buffers[1].cbBuffer : 0));
    return status;
}

SECURITY_STATUS sspi_leg(struct sspi_end *end, struct sspi_end *to)
{
    static uint8_t out[OUT_SIZE]; /* guarded by: one thread runs pairs */

    return sspi_leg_into(end, to, out, sizeof(out));
}

SECURITY_STATUS sspi_handshake(struct sspi_pair *pair)
{
    bool client_done = false, server_done = false;

    for (int i = 0; i < 20 && !(client_done && server_done); i++) {
        SECURITY_STATUS status = SEC_E_OK;

        if (!client_done && (pair->client.in.len > 0 || !pair->client.has_context)) {
            status = sspi_leg(&pair->client, &pair->server);
            client_done = status == SEC_E_OK;
        }
        if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE)
            return status;
        if (!server_done && pair->server.in.len > 0) {
            status = sspi_leg(&pair->server, &pair->client);
            server_done = status == SEC_E_OK;
        }
        if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE)
            return status;
    }
    return client_done && server_done ? SEC_E_OK : SEC_E_INTERNAL_ERROR;
}

void sspi_connect(struct sspi_pair *pair)
{
    TEST_REQUIRE_EQUAL(sspi_handshake(pair), SEC_E_OK);
    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&pair->client.context, SECPKG_ATTR_STREAM_SIZES,
                                               &pair->client.sizes),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&pair->server.context, SECPKG_ATTR_STREAM_SIZES,
                                               &pair->server.sizes),
                       SEC_E_OK);
}

/* ---- messages ---- */

SECURITY_STATUS sspi_send(struct sspi_end *from, struct sspi_end *to, const void *data, size_t len)
{
    ULONG header = from->sizes.cbHeader, trailer = from->sizes.cbTrailer;
    static _Thread_local uint8_t bytes[32768]; /* allocating would confuse tests of memory */
    SecBuffer buffers[] = {
        {header, SECBUFFER_STREAM_HEADER, bytes},
        {(ULONG)len, SECBUFFER_DATA, bytes + header},
        {trailer, SECBUFFER_STREAM_TRAILER, bytes + header + len},
        {0, SECBUFFER_EMPTY, NULL},
    };
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status;

    TEST_REQUIRE(len <= sizeof(bytes) && header + trailer <= sizeof(bytes) - len);
    if (len > 0)
        memcpy(bytes + header, data, len);
    status = EncryptMessage(&from->context, 0, &message, 0);
    for (int i = 0; status == SEC_E_OK && i < 3; i++)
        push(&to->in, buffers[i].pvBuffer, buffers[i].cbBuffer);
    return status;
}

SECURITY_STATUS sspi_receive(struct sspi_end *end, void *data, size_t size, size_t *ret_len)
{
    SecBuffer buffers[] = {
        {(ULONG)end->in.len, SECBUFFER_DATA, end->in.bytes},
        {0, SECBUFFER_EMPTY, NULL},
        {0, SECBUFFER_EMPTY, NULL},
        {0, SECBUFFER_EMPTY, NULL},
    };
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
    TEST_REQUIRE(buffers[1].cbBuffer <= size);
    if (buffers[1].cbBuffer > 0)
        memcpy(data, buffers[1].pvBuffer, buffers[1].cbBuffer);
    *ret_len = buffers[1].cbBuffer;
    if (buffers[3].BufferType == SECBUFFER_EXTRA)
        TEST_REQUIRE(buffers[3].pvBuffer == end->in.bytes + end->in.len - buffers[3].cbBuffer);
    else
        TEST_REQUIRE_EQUAL(buffers[3].BufferType, SECBUFFER_EMPTY);
    drop(&end->in, end->in.len - buffers[3].cbBuffer);
    return status;
}

SECURITY_STATUS sspi_receive_data(struct sspi_end *end, struct sspi_end *peer, void *data,
                                  size_t size, size_t *ret_len)
{
    SECURITY_STATUS status;

    for (int i = 0; i < 100; i++) {
        status = sspi_receive(end, data, size, ret_len);
        if (status == SEC_I_RENEGOTIATE)
            status = sspi_leg(end, peer);
        if (status != SEC_E_OK || *ret_len > 0)
            return status;
    }
    return SEC_E_INTERNAL_ERROR;
}

SECURITY_STATUS sspi_shutdown(struct sspi_end *end, struct sspi_end *to)
{
    DWORD token = SCHANNEL_SHUTDOWN;
    SecBuffer buffer = {sizeof(token), SECBUFFER_TOKEN, &token};
    SecBufferDesc control = {SECBUFFER_VERSION, 1, &buffer};
    static uint8_t bytes[OUT_SIZE]; /* guarded by: one thread runs pairs */
    SecBuffer out_buffer = {sizeof(bytes), SECBUFFER_TOKEN, bytes};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &out_buffer};
    SECURITY_STATUS status = ApplyControlToken(&end->context, &control);

    if (status != SEC_E_OK)
        return status;
    status = call(end, NULL, &out);
    if (status >= 0)
        push(&to->in, out_buffer.pvBuffer, out_buffer.cbBuffer);
    return status;
}
