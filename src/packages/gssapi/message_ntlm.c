/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages of NTLM (MS-NLMP 3.4): a signature of 16 bytes in TOKEN, the text in DATA. The mechanism
 * works on one piece of memory with both, so messages are put together and taken apart here.
 *
 * The context's lock is held around every call of GSSAPI. The mechanism trusts lengths: a message
 * that is shorter than a signature never gets there.
 */
#include "packages/gssapi/message.h"

#include <string.h>

#include "packages/gssapi/status.h"

#define SIGNATURE 16u

/* A piece of memory of our own; wiped at the end. */
struct piece {
    uint8_t *bytes;
    size_t len;
};

static void piece_clear(struct piece *piece)
{
    osspi_secret_free(piece->bytes, piece->len);
}

static void release_output(gss_buffer_t buffer)
{
    OM_uint32 unused;

    if (buffer->value)
        osspi_secure_zero(buffer->value, buffer->length);
    (void)gss_release_buffer(&unused, buffer);
}

/* All DATA of a message, one behind the other, with room for a signature in front. */
static SECURITY_STATUS gather(const struct osspi_buffers *message, size_t front,
                              struct piece *ret_piece)
{
    size_t len = front;
    bool any = false;

    for (ULONG i = 0; i < message->count; i++) {
        const SecBuffer *buffer = &message->items[i];

        if (osspi_buffer_type(buffer) != SECBUFFER_DATA)
            continue;
        any = true;
        if (buffer->BufferType & SECBUFFER_READONLY_WITH_CHECKSUM && front > 0)
            return SEC_E_UNSUPPORTED_FUNCTION; /* the mechanism cannot sign what it does not seal */
        if (osspi_gss_is_signed(buffer))
            len += buffer->cbBuffer;
    }
    if (!any)
        return SEC_E_INVALID_TOKEN;
    ret_piece->bytes = osspi_alloc(len);
    if (!ret_piece->bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    ret_piece->len = len;
    len = front;
    for (ULONG i = 0; i < message->count; i++) {
        const SecBuffer *buffer = &message->items[i];

        if (!osspi_gss_is_signed(buffer) || buffer->cbBuffer == 0)
            continue;
        memcpy(ret_piece->bytes + len, buffer->pvBuffer, buffer->cbBuffer);
        len += buffer->cbBuffer;
    }
    return SEC_E_OK;
}

/* The same bytes back. The lengths agree: they were gathered from there. */
static void spread(const struct osspi_buffers *message, const uint8_t *bytes)
{
    for (ULONG i = 0; i < message->count; i++) {
        SecBuffer *buffer = &message->items[i];

        if (!osspi_gss_is_signed(buffer) || buffer->cbBuffer == 0)
            continue;
        memcpy(buffer->pvBuffer, bytes, buffer->cbBuffer);
        bytes += buffer->cbBuffer;
    }
}

/* ---- sealed ---- */

SECURITY_STATUS osspi_ntlm_encrypt(struct osspi_context *context, bool seals,
                                   const struct osspi_buffers *message)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    SecBuffer *padding = osspi_buffers_find(message, SECBUFFER_PADDING);
    struct piece text osspi_auto(piece_clear) = {0};
    gss_buffer_desc in, out = GSS_C_EMPTY_BUFFER;
    SECURITY_STATUS status;
    OM_uint32 minor = 0, major;
    int sealed = 0;

    if (!token)
        return SEC_E_INVALID_TOKEN;
    if (!seals)
        return SEC_E_QOP_NOT_SUPPORTED; /* the mechanism seals all the same */
    if (!(gc->flags & GSS_C_CONF_FLAG))
        return SEC_E_UNSUPPORTED_FUNCTION; /* the peer did not agree to it */
    if (token->cbBuffer < SIGNATURE)
        return SEC_E_BUFFER_TOO_SMALL;
    /* The front is only there to tell what it is for. */
    status = gather(message, SIGNATURE, &text);
    if (status != SEC_E_OK)
        return status;
    in = (gss_buffer_desc){text.len - SIGNATURE, text.bytes + SIGNATURE};
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_wrap(&minor, gc->gss, seals, GSS_C_QOP_DEFAULT, &in, &sealed, &out);
    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_wrap", major, minor, &osspi_gss_oid_ntlm);
        return osspi_gss_status_message(major, minor);
    }
    if (out.length == text.len && (sealed != 0) == seals) {
        memcpy(token->pvBuffer, out.value, SIGNATURE);
        token->cbBuffer = SIGNATURE;
        spread(message, (const uint8_t *)out.value + SIGNATURE);
        if (padding)
            padding->cbBuffer = 0;
    } else {
        status = SEC_E_CRYPTO_SYSTEM_INVALID;
    }
    release_output(&out);
    return status;
}

/* A sealed message as one piece; the plain text of it. */
static SECURITY_STATUS unwrap(struct osspi_context *context, const struct piece *sealed,
                              gss_buffer_t ret_text, uint32_t *ret_qop)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    gss_buffer_desc in = {sealed->len, sealed->bytes};
    OM_uint32 minor = 0, major;
    int was_sealed = 0;

    if (sealed->len < SIGNATURE)
        return SEC_E_INVALID_TOKEN;
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_unwrap(&minor, gc->gss, &in, ret_text, &was_sealed, NULL);
    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_unwrap", major, minor, &osspi_gss_oid_ntlm);
        return osspi_gss_status_message(major, minor);
    }
    if (ret_text->length != sealed->len - SIGNATURE)
        return SEC_E_MESSAGE_ALTERED;
    *ret_qop = was_sealed ? 0 : SECQOP_WRAP_NO_ENCRYPT;
    return SEC_E_OK;
}

static SECURITY_STATUS decrypt_stream(struct osspi_context *context, SecBuffer *stream,
                                      SecBuffer *data, uint32_t *ret_qop)
{
    const struct piece sealed = {stream->pvBuffer, stream->cbBuffer};
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    SECURITY_STATUS status = data ? unwrap(context, &sealed, &text, ret_qop) : SEC_E_INVALID_TOKEN;

    if (status == SEC_E_OK) {
        data->pvBuffer = sealed.bytes + SIGNATURE;
        data->cbBuffer = (ULONG)text.length;
        if (text.length > 0)
            memcpy(data->pvBuffer, text.value, text.length);
    }
    release_output(&text);
    return status;
}

SECURITY_STATUS osspi_ntlm_decrypt(struct osspi_context *context,
                                   const struct osspi_buffers *message, uint32_t *ret_qop)
{
    SecBuffer *stream = osspi_buffers_find(message, SECBUFFER_STREAM);
    const SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    struct piece sealed osspi_auto(piece_clear) = {0};
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    SECURITY_STATUS status;

    if (stream)
        return decrypt_stream(context, stream, osspi_buffers_find(message, SECBUFFER_DATA),
                              ret_qop);
    if (!token || token->cbBuffer != SIGNATURE)
        return SEC_E_INVALID_TOKEN;
    status = gather(message, SIGNATURE, &sealed);
    if (status != SEC_E_OK)
        return status;
    memcpy(sealed.bytes, token->pvBuffer, SIGNATURE);
    status = unwrap(context, &sealed, &text, ret_qop);
    if (status == SEC_E_OK)
        spread(message, text.value);
    release_output(&text);
    return status;
}

/* ---- signed ---- */

SECURITY_STATUS osspi_ntlm_sign(struct osspi_context *context, const struct osspi_buffers *message)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    struct piece text osspi_auto(piece_clear) = {0};
    gss_buffer_desc in, out = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor = 0, major;
    SECURITY_STATUS status;

    if (!token)
        return SEC_E_INVALID_TOKEN;
    if (!(gc->flags & GSS_C_INTEG_FLAG))
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (token->cbBuffer < SIGNATURE)
        return SEC_E_BUFFER_TOO_SMALL;
    status = gather(message, 0, &text);
    if (status != SEC_E_OK)
        return status;
    in = (gss_buffer_desc){text.len, text.bytes};
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_get_mic(&minor, gc->gss, GSS_C_QOP_DEFAULT, &in, &out);
    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_get_mic", major, minor, &osspi_gss_oid_ntlm);
        return osspi_gss_status_message(major, minor);
    }
    if (out.length == SIGNATURE)
        memcpy(token->pvBuffer, out.value, SIGNATURE);
    else
        status = SEC_E_CRYPTO_SYSTEM_INVALID;
    token->cbBuffer = SIGNATURE;
    release_output(&out);
    return status;
}

SECURITY_STATUS osspi_ntlm_verify(struct osspi_context *context,
                                  const struct osspi_buffers *message)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    struct piece text osspi_auto(piece_clear) = {0};
    gss_buffer_desc in, signature;
    OM_uint32 minor = 0, major;
    SECURITY_STATUS status;

    if (!token || token->cbBuffer != SIGNATURE)
        return SEC_E_INVALID_TOKEN;
    status = gather(message, 0, &text);
    if (status != SEC_E_OK)
        return status;
    in = (gss_buffer_desc){text.len, text.bytes};
    signature = (gss_buffer_desc){SIGNATURE, token->pvBuffer};
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_verify_mic(&minor, gc->gss, &in, &signature, NULL);
    if (!GSS_ERROR(major))
        return SEC_E_OK;
    osspi_gss_detail(context, "gss_verify_mic", major, minor, &osspi_gss_oid_ntlm);
    return osspi_gss_status_message(major, minor);
}
