/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Frames of `sspi auth`, and what is sealed in them: EncryptMessage's TOKEN, DATA and PADDING one
 * behind the other, which DecryptMessage takes as a STREAM.
 */
#include "auth.h"

#include <string.h>

#include "text.h"

#define SEALED_PARTS 3

bool auth_frame_put(struct bytes *to, const void *content, size_t len)
{
    unsigned char head[AUTH_FRAME_HEAD] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16),
                                           (unsigned char)(len >> 8), (unsigned char)len};
    return len > 0 && len <= AUTH_FRAME_MAX && bytes_append(to, head, sizeof(head)) &&
           bytes_append(to, content, len);
}

enum auth_frame auth_frame_find(const struct bytes *from, size_t *ret_len)
{
    if (from->len < AUTH_FRAME_HEAD)
        return AUTH_FRAME_MORE;
    size_t len = (size_t)from->data[0] << 24 | (size_t)from->data[1] << 16 |
                 (size_t)from->data[2] << 8 | (size_t)from->data[3];
    if (len == 0 || len > AUTH_FRAME_MAX)
        return AUTH_FRAME_BAD;
    *ret_len = len;
    return from->len - AUTH_FRAME_HEAD < len ? AUTH_FRAME_MORE : AUTH_FRAME_WHOLE;
}

SECURITY_STATUS auth_seal(PCtxtHandle context, const void *text, size_t len, struct bytes *to)
{
    SecPkgContext_Sizes sizes;
    struct bytes room = {0};
    SECURITY_STATUS status = QueryContextAttributesA(context, SECPKG_ATTR_SIZES, &sizes);
    if (status != SEC_E_OK)
        return status;
    size_t token = sizes.cbSecurityTrailer, padding = sizes.cbBlockSize;
    if (len == 0 || len > AUTH_LINE_MAX || token + len + padding > AUTH_FRAME_MAX)
        return SEC_E_INVALID_PARAMETER;
    if (!bytes_reserve(&room, token + len + padding))
        return SEC_E_INSUFFICIENT_MEMORY;
    unsigned char *at = room.data;
    memcpy(at + token, text, len);
    SecBuffer buffers[SEALED_PARTS] = {{(ULONG)token, SECBUFFER_TOKEN, at},
                                       {(ULONG)len, SECBUFFER_DATA, at + token},
                                       {(ULONG)padding, SECBUFFER_PADDING, at + token + len}};
    SecBufferDesc desc = {SECBUFFER_VERSION, SEALED_PARTS, buffers};
    status = EncryptMessage(context, 0, &desc, 0);
    size_t used = 0;
    for (int i = 0; i < SEALED_PARTS && status == SEC_E_OK; i++) {
        memmove(at + used, buffers[i].pvBuffer, buffers[i].cbBuffer);
        used += buffers[i].cbBuffer;
    }
    if (status == SEC_E_OK && !auth_frame_put(to, at, used))
        status = SEC_E_INSUFFICIENT_MEMORY;
    bytes_clear(&room);
    return status;
}

SECURITY_STATUS auth_open(PCtxtHandle context, void *message, size_t len, const char **ret_text,
                          size_t *ret_len)
{
    SecBuffer buffers[2] = {{(ULONG)len, SECBUFFER_STREAM, message}, {0, SECBUFFER_DATA, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
    ULONG qop = 0;
    SECURITY_STATUS status = DecryptMessage(context, &desc, 0, &qop);
    if (status == SEC_E_OK && qop == SECQOP_WRAP_NO_ENCRYPT)
        status = SEC_E_QOP_NOT_SUPPORTED; /* signed and not sealed: not what this side does */
    *ret_text = buffers[1].pvBuffer;
    *ret_len = status == SEC_E_OK ? buffers[1].cbBuffer : 0;
    return status;
}
