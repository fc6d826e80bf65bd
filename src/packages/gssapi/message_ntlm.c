/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages of NTLM (MS-NLMP 3.4): a signature of 16 bytes in TOKEN, the text in DATA. The mechanism
 * works on one piece of memory with both, so messages are put together and taken apart here.
 *
 * Nothing in a message tells whether it is sealed or only signed. So that is settled for the whole
 * context: what has agreed on sealing seals all, and SECQOP_WRAP_NO_ENCRYPT is for the others.
 *
 * The context's lock is held around every call of GSSAPI. The mechanism trusts lengths: a message
 * that is shorter than a signature never gets there.
 */
#include "packages/gssapi/message.h"

#include <string.h>

#include "packages/gssapi/status.h"

#define SIGNATURE 16u
#define PROTECTED (GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG) /* either way there are keys */

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

/* What of a message counts: for signatures alone all that is not excluded, for wrapped messages
 * also what is only to be signed. */
enum reach { SIGNATURES, WRAPPED };

static bool counts(const SecBuffer *buffer, enum reach reach)
{
    if (reach == WRAPPED && buffer->BufferType & SECBUFFER_READONLY_WITH_CHECKSUM)
        return osspi_buffer_type(buffer) == SECBUFFER_DATA;
    return osspi_gss_is_signed(buffer);
}

/* The length of that; false: there is no DATA. */
static bool measure(const struct osspi_buffers *message, enum reach reach, size_t *ret_len)
{
    bool any = false;

    *ret_len = 0;
    for (ULONG i = 0; i < message->count; i++) {
        if (osspi_buffer_type(&message->items[i]) == SECBUFFER_DATA)
            any = true;
        if (counts(&message->items[i], reach))
            *ret_len += message->items[i].cbBuffer;
    }
    return any;
}

/* All of it, one behind the other, with room for a signature in front. */
static SECURITY_STATUS gather(const struct osspi_buffers *message, enum reach reach, size_t front,
                              struct piece *ret_piece)
{
    size_t len;

    if (!measure(message, reach, &len))
        return SEC_E_INVALID_TOKEN;
    ret_piece->bytes = osspi_alloc(front + len);
    if (!ret_piece->bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    ret_piece->len = front + len;
    len = front;
    for (ULONG i = 0; i < message->count; i++) {
        const SecBuffer *buffer = &message->items[i];

        if (!counts(buffer, reach) || buffer->cbBuffer == 0)
            continue;
        memcpy(ret_piece->bytes + len, buffer->pvBuffer, buffer->cbBuffer);
        len += buffer->cbBuffer;
    }
    return SEC_E_OK;
}

/* The mechanism cannot sign what it does not seal. */
static bool signs_beside_sealing(const struct osspi_buffers *message)
{
    for (ULONG i = 0; i < message->count; i++) {
        if (osspi_buffer_type(&message->items[i]) == SECBUFFER_DATA &&
            message->items[i].BufferType & SECBUFFER_READONLY_WITH_CHECKSUM)
            return true;
    }
    return false;
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

/* ---- signed ---- */

static SECURITY_STATUS sign(struct osspi_context *context, const struct osspi_buffers *message,
                            enum reach reach)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    struct piece text osspi_auto(piece_clear) = {0};
    gss_buffer_desc in, out = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor = 0, major;
    SECURITY_STATUS status;

    if (!token)
        return SEC_E_INVALID_TOKEN;
    if (!(gc->flags & PROTECTED))
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (token->cbBuffer < SIGNATURE)
        return SEC_E_INVALID_TOKEN;
    status = gather(message, reach, 0, &text);
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

static SECURITY_STATUS verify(struct osspi_context *context, const void *signature,
                              const struct piece *text)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    gss_buffer_desc in = {text->len, text->bytes}, mic = {SIGNATURE, (void *)signature};
    OM_uint32 minor = 0, major;

    /* Without keys the mechanism takes a constant for a signature. */
    if (!(gc->flags & PROTECTED))
        return SEC_E_UNSUPPORTED_FUNCTION;
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_verify_mic(&minor, gc->gss, &in, &mic, NULL);
    if (!GSS_ERROR(major))
        return SEC_E_OK;
    osspi_gss_detail(context, "gss_verify_mic", major, minor, &osspi_gss_oid_ntlm);
    return osspi_gss_status_message(major, minor);
}

static SECURITY_STATUS verify_message(struct osspi_context *context,
                                      const struct osspi_buffers *message, enum reach reach)
{
    const SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    struct piece text osspi_auto(piece_clear) = {0};
    SECURITY_STATUS status;

    if (!token || token->cbBuffer != SIGNATURE)
        return SEC_E_INVALID_TOKEN;
    status = gather(message, reach, 0, &text);
    return status == SEC_E_OK ? verify(context, token->pvBuffer, &text) : status;
}

SECURITY_STATUS osspi_ntlm_sign(struct osspi_context *context, const struct osspi_buffers *message)
{
    return sign(context, message, SIGNATURES);
}

SECURITY_STATUS osspi_ntlm_verify(struct osspi_context *context,
                                  const struct osspi_buffers *message)
{
    return verify_message(context, message, SIGNATURES);
}

/* ---- sealed ---- */

static SECURITY_STATUS seal(struct osspi_context *context, const struct osspi_buffers *message,
                            SecBuffer *token)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    struct piece text osspi_auto(piece_clear) = {0};
    gss_buffer_desc in, out = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor = 0, major;
    int sealed = 0;
    SECURITY_STATUS status = gather(message, SIGNATURES, 0, &text);

    if (status != SEC_E_OK)
        return status;
    in = (gss_buffer_desc){text.len, text.bytes};
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_wrap(&minor, gc->gss, 1, GSS_C_QOP_DEFAULT, &in, &sealed, &out);
    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_wrap", major, minor, &osspi_gss_oid_ntlm);
        return osspi_gss_status_message(major, minor);
    }
    if (sealed && out.length == text.len + SIGNATURE) {
        memcpy(token->pvBuffer, out.value, SIGNATURE);
        token->cbBuffer = SIGNATURE;
        spread(message, (const uint8_t *)out.value + SIGNATURE);
    } else {
        status = SEC_E_CRYPTO_SYSTEM_INVALID;
    }
    release_output(&out);
    return status;
}

SECURITY_STATUS osspi_ntlm_encrypt(struct osspi_context *context, bool seals,
                                   const struct osspi_buffers *message)
{
    const bool may_seal = (osspi_gss(context)->flags & GSS_C_CONF_FLAG) != 0;
    SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    SecBuffer *padding = osspi_buffers_find(message, SECBUFFER_PADDING);
    SECURITY_STATUS status;

    if (!token)
        return SEC_E_INVALID_TOKEN;
    if (!seals && may_seal)
        return SEC_E_QOP_NOT_SUPPORTED; /* the peer would take it for sealed */
    if (seals && (!may_seal || signs_beside_sealing(message)))
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (token->cbBuffer < SIGNATURE)
        return SEC_E_BUFFER_TOO_SMALL;
    status = seals ? seal(context, message, token) : sign(context, message, WRAPPED);
    if (status == SEC_E_OK && padding)
        padding->cbBuffer = 0;
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

static SECURITY_STATUS open_stream(struct osspi_context *context, const SecBuffer *stream,
                                   SecBuffer *data, uint32_t *ret_qop)
{
    const struct piece sealed = {stream->pvBuffer, stream->cbBuffer};
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    SECURITY_STATUS status = unwrap(context, &sealed, &text, ret_qop);

    if (status == SEC_E_OK) {
        data->pvBuffer = sealed.bytes + SIGNATURE;
        data->cbBuffer = (ULONG)text.length;
        if (text.length > 0)
            memcpy(data->pvBuffer, text.value, text.length);
    }
    release_output(&text);
    return status;
}

static SECURITY_STATUS verify_stream(struct osspi_context *context, const SecBuffer *stream,
                                     SecBuffer *data)
{
    uint8_t *bytes = stream->pvBuffer;
    struct piece text;
    SECURITY_STATUS status;

    if (stream->cbBuffer < SIGNATURE)
        return SEC_E_INVALID_TOKEN;
    text = (struct piece){bytes + SIGNATURE, stream->cbBuffer - SIGNATURE};
    status = verify(context, bytes, &text);
    if (status == SEC_E_OK) {
        data->pvBuffer = text.bytes;
        data->cbBuffer = (ULONG)text.len;
    }
    return status;
}

static SECURITY_STATUS open_message(struct osspi_context *context,
                                    const struct osspi_buffers *message, uint32_t *ret_qop)
{
    const SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    struct piece sealed osspi_auto(piece_clear) = {0};
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    SECURITY_STATUS status;

    if (!token || token->cbBuffer != SIGNATURE)
        return SEC_E_INVALID_TOKEN;
    if (signs_beside_sealing(message))
        return SEC_E_UNSUPPORTED_FUNCTION;
    status = gather(message, SIGNATURES, SIGNATURE, &sealed);
    if (status != SEC_E_OK)
        return status;
    memcpy(sealed.bytes, token->pvBuffer, SIGNATURE);
    status = unwrap(context, &sealed, &text, ret_qop);
    if (status == SEC_E_OK)
        spread(message, text.value);
    release_output(&text);
    return status;
}

SECURITY_STATUS osspi_ntlm_decrypt(struct osspi_context *context,
                                   const struct osspi_buffers *message, uint32_t *ret_qop)
{
    const bool sealed = (osspi_gss(context)->flags & GSS_C_CONF_FLAG) != 0;
    const SecBuffer *stream = osspi_buffers_find(message, SECBUFFER_STREAM);
    SecBuffer *data = osspi_buffers_find(message, SECBUFFER_DATA);
    SECURITY_STATUS status;

    if (stream && !data)
        return SEC_E_INVALID_TOKEN;
    if (sealed)
        return stream ? open_stream(context, stream, data, ret_qop)
                      : open_message(context, message, ret_qop);
    status =
        stream ? verify_stream(context, stream, data) : verify_message(context, message, WRAPPED);
    *ret_qop = SECQOP_WRAP_NO_ENCRYPT;
    return status;
}
