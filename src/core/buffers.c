/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Security buffers; see buffers.h. No state, thread-safe; one array is used by one thread at a
 * time.
 *
 * Memory for the caller carries 16 bytes in front: its size, and that size mixed with the address.
 * No list is kept, so FreeContextBuffer needs no lock and finds a pointer that is not ours (or
 * was freed) by what stands before it.
 */
#include "core/buffers.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#define HEADER_SIZE 16u
#define HEADER_MARK UINT64_C(0x4F53535049627566)

struct header {
    uint64_t size;
    uint64_t seal;
};

_Static_assert(sizeof(struct header) == HEADER_SIZE, "keeps the caller's memory aligned to 16");

/* ---- views ---- */

static SECURITY_STATUS view(const SecBufferDesc *desc, bool output, struct osspi_buffers *ret_view)
{
    *ret_view = (struct osspi_buffers){0};
    if (!desc)
        return SEC_E_OK;
    if (desc->ulVersion != SECBUFFER_VERSION || desc->cBuffers > OSSPI_MAX_BUFFERS)
        return SEC_E_INVALID_TOKEN;
    if (desc->cBuffers == 0)
        return SEC_E_OK;
    if (!desc->pBuffers)
        return SEC_E_INVALID_TOKEN;
    for (ULONG i = 0; i < desc->cBuffers && !output; i++) {
        const SecBuffer *buffer = &desc->pBuffers[i];

        if (buffer->cbBuffer > 0 && !buffer->pvBuffer &&
            osspi_buffer_type(buffer) != SECBUFFER_EMPTY)
            return SEC_E_INVALID_TOKEN;
    }
    ret_view->count = desc->cBuffers;
    ret_view->items = desc->pBuffers;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_buffers_view_input(const SecBufferDesc *desc, struct osspi_buffers *ret_view)
{
    return view(desc, false, ret_view);
}

SECURITY_STATUS osspi_buffers_view_output(const SecBufferDesc *desc, struct osspi_buffers *ret_view)
{
    return view(desc, true, ret_view);
}

ULONG osspi_buffer_type(const SecBuffer *buffer)
{
    return buffer->BufferType & ~(ULONG)SECBUFFER_ATTRMASK;
}

SecBuffer *osspi_buffers_find_nth(const struct osspi_buffers *buffers, ULONG type, ULONG nth)
{
    for (ULONG i = 0; i < buffers->count; i++) {
        if (osspi_buffer_type(&buffers->items[i]) == type && nth-- == 0)
            return &buffers->items[i];
    }
    return NULL;
}

SecBuffer *osspi_buffers_find(const struct osspi_buffers *buffers, ULONG type)
{
    return osspi_buffers_find_nth(buffers, type, 0);
}

/* First EMPTY slot from index `first` on. */
static SecBuffer *empty_slot(const struct osspi_buffers *buffers, ULONG first)
{
    for (ULONG i = first; i < buffers->count; i++) {
        if (osspi_buffer_type(&buffers->items[i]) == SECBUFFER_EMPTY)
            return &buffers->items[i];
    }
    return NULL;
}

bool osspi_buffers_put(const struct osspi_buffers *buffers, const SecBuffer *after, ULONG type,
                       ULONG cb, void *pv)
{
    ULONG first = after ? (ULONG)(after - buffers->items) + 1 : 0;
    SecBuffer *slot = empty_slot(buffers, first);

    if (!slot)
        slot = empty_slot(buffers, 0);
    if (!slot)
        return false;
    slot->BufferType = type;
    slot->cbBuffer = cb;
    slot->pvBuffer = pv;
    return true;
}

/* ---- memory given to the caller ---- */

static uint64_t seal_of(const struct header *header, uint64_t size)
{
    return (uint64_t)(uintptr_t)header ^ size * UINT64_C(0x9E3779B97F4A7C15) ^ HEADER_MARK;
}

void *osspi_context_buffer_new(size_t size)
{
    struct header *header;

    if (size > SIZE_MAX - HEADER_SIZE)
        return NULL;
    header = osspi_alloc(HEADER_SIZE + size);
    if (!header)
        return NULL;
    header->size = size;
    header->seal = seal_of(header, size);
    return header + 1;
}

SECURITY_STATUS osspi_context_buffer_free(void *memory)
{
    struct header *header;

    if (!memory)
        return SEC_E_OK;
    /* Ours is always aligned; what is not has no header to look at. */
    if ((uintptr_t)memory % HEADER_SIZE != 0)
        return SEC_E_INVALID_HANDLE;
    header = (struct header *)memory - 1;
    if (header->seal != seal_of(header, header->size))
        return SEC_E_INVALID_HANDLE;
    /* Tokens and key blocks come this way: wiped, and with the header that a second free reads. */
    osspi_secret_free(header, HEADER_SIZE + header->size);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_buffer_give(SecBuffer *buffer, ULONG type, const void *bytes, size_t len,
                                  bool allocate, SECURITY_STATUS too_small)
{
    if (len > UINT32_MAX)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (allocate || !buffer->pvBuffer) {
        void *memory = NULL;

        if (len > 0) {
            memory = osspi_context_buffer_new(len);
            if (!memory)
                return SEC_E_INSUFFICIENT_MEMORY;
            memcpy(memory, bytes, len);
        }
        buffer->pvBuffer = memory;
    } else {
        if (buffer->cbBuffer < len)
            return too_small;
        if (len > 0)
            memmove(buffer->pvBuffer, bytes, len);
    }
    buffer->cbBuffer = (ULONG)len;
    buffer->BufferType = type;
    return SEC_E_OK;
}
