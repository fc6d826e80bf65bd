/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages of Kerberos: EncryptMessage, DecryptMessage, MakeSignature, VerifySignature over the
 * GSSAPI calls that work in place on several buffers (RFC 4121 4.2, RFC 4757 7.3; what stands in
 * which buffer: the MS docs' page on interoperability with GSSAPI). NTLM's are in message_ntlm.c.
 *
 * The context's lock is held around every call of GSSAPI.
 */
#include "packages/gssapi/message.h"

#include <string.h>

#include "packages/gssapi/status.h"

#define SEQUENCE_BITS \
    (GSS_S_DUPLICATE_TOKEN | GSS_S_OLD_TOKEN | GSS_S_UNSEQ_TOKEN | GSS_S_GAP_TOKEN)

/* A message in GSSAPI's terms. One more than the caller's buffers. */
struct iov {
    gss_iov_buffer_desc items[OSSPI_MAX_BUFFERS + 1];
    SecBuffer *from[OSSPI_MAX_BUFFERS + 1];
    int count;
};

static gss_iov_buffer_desc *add(struct iov *iov, SecBuffer *buffer, OM_uint32 type)
{
    gss_iov_buffer_desc *item = &iov->items[iov->count];

    *item = (gss_iov_buffer_desc){.type = type, .buffer = {buffer->cbBuffer, buffer->pvBuffer}};
    iov->from[iov->count++] = buffer;
    return item;
}

/* DATA of a sealed message: READONLY is passed over, READONLY_WITH_CHECKSUM signed only. */
static void add_data(struct iov *iov, SecBuffer *buffer)
{
    if (buffer->BufferType & SECBUFFER_READONLY_WITH_CHECKSUM)
        add(iov, buffer, GSS_IOV_BUFFER_TYPE_SIGN_ONLY);
    else if (!(buffer->BufferType & SECBUFFER_READONLY))
        add(iov, buffer, GSS_IOV_BUFFER_TYPE_DATA);
}

/* TOKEN, DATA and PADDING in their order. */
static SECURITY_STATUS lay_out(const struct osspi_buffers *message, struct iov *iov,
                               gss_iov_buffer_desc **ret_header)
{
    SecBuffer *token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    SecBuffer *padding = osspi_buffers_find(message, SECBUFFER_PADDING);

    if (!token || !osspi_buffers_find(message, SECBUFFER_DATA))
        return SEC_E_INVALID_TOKEN;
    iov->count = 0;
    *ret_header = add(iov, token, GSS_IOV_BUFFER_TYPE_HEADER);
    for (ULONG i = 0; i < message->count; i++) {
        if (osspi_buffer_type(&message->items[i]) == SECBUFFER_DATA)
            add_data(iov, &message->items[i]);
    }
    if (padding)
        add(iov, padding, GSS_IOV_BUFFER_TYPE_PADDING);
    return SEC_E_OK;
}

/* ---- seal ---- */

/* What GSSAPI would need, without doing it. */
static SECURITY_STATUS check_room(struct osspi_gss_context *gc, const struct iov *iov, int seals)
{
    struct iov needed = *iov;
    OM_uint32 minor = 0, major;

    major = gss_wrap_iov_length(&minor, gc->gss, seals, GSS_C_QOP_DEFAULT, NULL, needed.items,
                                needed.count);
    if (major != GSS_S_COMPLETE)
        return osspi_gss_status_message(major, minor);
    for (int i = 0; i < iov->count; i++) {
        if (GSS_IOV_BUFFER_TYPE(iov->items[i].type) != GSS_IOV_BUFFER_TYPE_DATA &&
            needed.items[i].buffer.length > iov->items[i].buffer.length)
            return SEC_E_BUFFER_TOO_SMALL;
    }
    return SEC_E_OK;
}

static SECURITY_STATUS seal(struct osspi_context *context, struct iov *iov, int seals)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    int sealed = 0;
    OM_uint32 minor = 0, major;
    SECURITY_STATUS status;

    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    status = check_room(gc, iov, seals);
    if (status != SEC_E_OK)
        return status;
    major =
        gss_wrap_iov(&minor, gc->gss, seals, GSS_C_QOP_DEFAULT, &sealed, iov->items, iov->count);
    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_wrap_iov", major, minor, &osspi_gss_oid_krb5);
        return osspi_gss_status_message(major, minor);
    }
    return seals && !sealed ? SEC_E_CRYPTO_SYSTEM_INVALID : SEC_E_OK;
}

/* Only what GSSAPI wrote has another length. */
static void take_lengths(const struct iov *iov)
{
    for (int i = 0; i < iov->count; i++) {
        const OM_uint32 type = GSS_IOV_BUFFER_TYPE(iov->items[i].type);

        if (type == GSS_IOV_BUFFER_TYPE_HEADER || type == GSS_IOV_BUFFER_TYPE_PADDING)
            iov->from[i]->cbBuffer = (ULONG)iov->items[i].buffer.length;
    }
}

static SECURITY_STATUS encrypt_krb5(struct osspi_context *context, bool seals,
                                    const struct osspi_buffers *message)
{
    struct iov iov;
    gss_iov_buffer_desc *header;
    SECURITY_STATUS status = lay_out(message, &iov, &header);

    if (status == SEC_E_OK)
        status = seal(context, &iov, seals);
    if (status == SEC_E_OK)
        take_lengths(&iov);
    return status;
}

/* ---- open ---- */

static SECURITY_STATUS unseal(struct osspi_context *context, struct iov *iov, uint32_t *ret_qop)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    int sealed = 0;
    OM_uint32 minor = 0, major;

    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_unwrap_iov(&minor, gc->gss, &sealed, NULL, iov->items, iov->count);
    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_unwrap_iov", major, minor, &osspi_gss_oid_krb5);
        return osspi_gss_status_message(major, minor);
    }
    if (major & SEQUENCE_BITS)
        return SEC_E_OUT_OF_SEQUENCE;
    *ret_qop = sealed ? 0 : SECQOP_WRAP_NO_ENCRYPT;
    return SEC_E_OK;
}

/* Of the kind that RFC 4121 has (4.2.6.2). In a stream libgssapi_krb5 also takes those of RFC 1964,
 * which only RC4 and older need, whatever the context's key is, and reads a key that is not there.
 */
static bool is_wrap_token(const SecBuffer *stream)
{
    const uint8_t *bytes = stream->pvBuffer;

    return stream->cbBuffer >= 16 && bytes[0] == 5 && bytes[1] == 4;
}

/* The whole of a gss_wrap() token in one buffer; what was inside comes back as DATA, in place. */
static SECURITY_STATUS decrypt_stream(struct osspi_context *context, SecBuffer *stream,
                                      SecBuffer *data, uint32_t *ret_qop)
{
    struct iov iov = {.count = 0};
    SECURITY_STATUS status;

    if (!data || !is_wrap_token(stream))
        return SEC_E_INVALID_TOKEN;
    add(&iov, stream, GSS_IOV_BUFFER_TYPE_STREAM);
    add(&iov, data, GSS_IOV_BUFFER_TYPE_DATA)->buffer = (gss_buffer_desc)GSS_C_EMPTY_BUFFER;
    status = unseal(context, &iov, ret_qop);
    if (status == SEC_E_OK) {
        data->pvBuffer = iov.items[1].buffer.value;
        data->cbBuffer = (ULONG)iov.items[1].buffer.length;
    }
    return status;
}

/* A token (RFC 4121 4.2.6) without its checksum: a signature that ends with its head, or a wrap
 * token that is neither sealed nor turned round, whose checksum would be in a buffer of its own.
 * libgssapi_krb5 ends the process on both. */
static bool lacks_checksum(const gss_buffer_desc *token)
{
    const uint8_t *bytes = token->value;

    if (token->length < 8 || bytes[1] != 4)
        return false;
    return bytes[0] == 4 ? token->length <= 16
                         : bytes[0] == 5 && (bytes[2] & 2) == 0 && bytes[6] == 0 && bytes[7] == 0;
}

static SECURITY_STATUS decrypt_krb5(struct osspi_context *context,
                                    const struct osspi_buffers *message, uint32_t *ret_qop)
{
    SecBuffer *stream = osspi_buffers_find(message, SECBUFFER_STREAM);
    gss_iov_buffer_desc *header;
    struct iov iov;
    SECURITY_STATUS status;

    if (stream)
        return decrypt_stream(context, stream, osspi_buffers_find(message, SECBUFFER_DATA),
                              ret_qop);
    status = lay_out(message, &iov, &header);
    if (status == SEC_E_OK && lacks_checksum(&header->buffer))
        status = SEC_E_MESSAGE_ALTERED;
    return status == SEC_E_OK ? unseal(context, &iov, ret_qop) : status;
}

/* ---- signatures ---- */

/* DATA that nothing excludes, then the signature. */
static SECURITY_STATUS lay_out_signed(const struct osspi_buffers *message, struct iov *iov,
                                      SecBuffer **ret_token)
{
    *ret_token = osspi_buffers_find(message, SECBUFFER_TOKEN);
    if (!*ret_token || !osspi_buffers_find(message, SECBUFFER_DATA))
        return SEC_E_INVALID_TOKEN;
    iov->count = 0;
    for (ULONG i = 0; i < message->count; i++) {
        if (osspi_gss_is_signed(&message->items[i]))
            add(iov, &message->items[i], GSS_IOV_BUFFER_TYPE_DATA);
    }
    add(iov, *ret_token, GSS_IOV_BUFFER_TYPE_MIC_TOKEN);
    return SEC_E_OK;
}

static SECURITY_STATUS sign_krb5(struct osspi_context *context, const struct osspi_buffers *message)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SecBuffer *token;
    struct iov iov;
    OM_uint32 minor = 0, major;
    SECURITY_STATUS status = lay_out_signed(message, &iov, &token);

    if (status != SEC_E_OK)
        return status;
    if (token->cbBuffer < gc->signature)
        return SEC_E_INVALID_TOKEN;
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_get_mic_iov(&minor, gc->gss, GSS_C_QOP_DEFAULT, iov.items, iov.count);
    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_get_mic_iov", major, minor, &osspi_gss_oid_krb5);
        return osspi_gss_status_message(major, minor);
    }
    token->cbBuffer = (ULONG)iov.items[iov.count - 1].buffer.length;
    return SEC_E_OK;
}

static SECURITY_STATUS verify_krb5(struct osspi_context *context,
                                   const struct osspi_buffers *message)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SecBuffer *token;
    struct iov iov;
    OM_uint32 minor = 0, major;
    SECURITY_STATUS status = lay_out_signed(message, &iov, &token);

    if (status != SEC_E_OK)
        return status;
    if (lacks_checksum(&iov.items[iov.count - 1].buffer))
        return SEC_E_MESSAGE_ALTERED;
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_verify_mic_iov(&minor, gc->gss, NULL, iov.items, iov.count);
    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_verify_mic_iov", major, minor, &osspi_gss_oid_krb5);
        return osspi_gss_status_message(major, minor);
    }
    return major & SEQUENCE_BITS ? SEC_E_OUT_OF_SEQUENCE : SEC_E_OK;
}

/* ---- the slots ---- */

bool osspi_gss_is_signed(const SecBuffer *buffer)
{
    return osspi_buffer_type(buffer) == SECBUFFER_DATA &&
           !(buffer->BufferType & (SECBUFFER_READONLY | SECBUFFER_READONLY_WITH_CHECKSUM));
}

SECURITY_STATUS osspi_gss_encrypt(struct osspi_context *context, uint32_t qop,
                                  const struct osspi_buffers *message, uint32_t sequence)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const bool seals = qop != SECQOP_WRAP_NO_ENCRYPT;

    (void)sequence;
    if (seals && qop != 0)
        return SEC_E_QOP_NOT_SUPPORTED;
    if (gc->mechanism == OSSPI_GSS_NTLM)
        return osspi_ntlm_encrypt(context, seals, message);
    return encrypt_krb5(context, seals, message);
}

SECURITY_STATUS osspi_gss_decrypt(struct osspi_context *context,
                                  const struct osspi_buffers *message, uint32_t sequence,
                                  uint32_t *ret_qop)
{
    (void)sequence;
    if (osspi_gss(context)->mechanism == OSSPI_GSS_NTLM)
        return osspi_ntlm_decrypt(context, message, ret_qop);
    return decrypt_krb5(context, message, ret_qop);
}

SECURITY_STATUS osspi_gss_sign(struct osspi_context *context, uint32_t qop,
                               const struct osspi_buffers *message, uint32_t sequence)
{
    (void)sequence;
    if (qop != 0)
        return SEC_E_QOP_NOT_SUPPORTED;
    if (osspi_gss(context)->mechanism == OSSPI_GSS_NTLM)
        return osspi_ntlm_sign(context, message);
    return sign_krb5(context, message);
}

SECURITY_STATUS osspi_gss_verify(struct osspi_context *context, const struct osspi_buffers *message,
                                 uint32_t sequence, uint32_t *ret_qop)
{
    (void)sequence;
    *ret_qop = 0;
    if (osspi_gss(context)->mechanism == OSSPI_GSS_NTLM)
        return osspi_ntlm_verify(context, message);
    return verify_krb5(context, message);
}
