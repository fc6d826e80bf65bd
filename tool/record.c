/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Records of a TLS connection; see record.h.
 */
#include "record.h"

#include <stdbool.h>
#include <string.h>

SECURITY_STATUS record_open(PCtxtHandle context, struct bytes *wire, struct bytes *to_plain)
{
    SecBuffer buffers[4] = {{(ULONG)wire->len, SECBUFFER_DATA, wire->data}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status = DecryptMessage(context, &desc, 0, NULL);
    if (status != SEC_E_OK && status != SEC_I_RENEGOTIATE && status != SEC_I_CONTEXT_EXPIRED)
        return status;
    size_t left = 0;
    bool memory = true;
    for (unsigned i = 0; i < 4; i++) {
        if (buffers[i].BufferType == SECBUFFER_EXTRA)
            left = buffers[i].cbBuffer;
        else if (buffers[i].BufferType == SECBUFFER_DATA && status == SEC_E_OK)
            memory = bytes_append(to_plain, buffers[i].pvBuffer, buffers[i].cbBuffer);
    }
    if (left <= wire->len)
        bytes_consume(wire, wire->len - left);
    return memory ? status : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS seal_one(PCtxtHandle context, const SecPkgContext_StreamSizes *sizes,
                                const void *data, size_t len, struct bytes *to_wire)
{
    size_t header = sizes->cbHeader, trailer = sizes->cbTrailer;
    if (!bytes_reserve(to_wire, header + len + trailer))
        return SEC_E_INSUFFICIENT_MEMORY;
    unsigned char *record = to_wire->data + to_wire->len;
    memcpy(record + header, data, len);
    SecBuffer buffers[4] = {{(ULONG)header, SECBUFFER_STREAM_HEADER, record},
                            {(ULONG)len, SECBUFFER_DATA, record + header},
                            {(ULONG)trailer, SECBUFFER_STREAM_TRAILER, record + header + len},
                            {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status = EncryptMessage(context, 0, &desc, 0);
    if (status != SEC_E_OK)
        return status;
    /* The parts may be shorter than announced: close the gaps. */
    size_t used = 0;
    for (unsigned i = 0; i < 3; i++) {
        memmove(record + used, buffers[i].pvBuffer, buffers[i].cbBuffer);
        used += buffers[i].cbBuffer;
    }
    to_wire->len += used;
    return SEC_E_OK;
}

SECURITY_STATUS record_seal(PCtxtHandle context, const SecPkgContext_StreamSizes *sizes,
                            const void *data, size_t len, struct bytes *to_wire)
{
    const unsigned char *rest = data;
    SECURITY_STATUS status = SEC_E_OK;
    while (len > 0 && status == SEC_E_OK) {
        size_t part = len < sizes->cbMaximumMessage ? len : sizes->cbMaximumMessage;
        status = seal_one(context, sizes, rest, part, to_wire);
        rest += part;
        len -= part;
    }
    return status;
}
