/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Private copies of a leg's buffers; see leg_copy.h. Used by one thread at a time: first the one
 * that queues, then the one that runs, then the one that publishes.
 */
#include "api/leg_copy.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

/* One array, input or output. */
struct side {
    bool output;
    bool allocate; /* output: the package allocates TOKEN and ALERT */
    ULONG count;
    SecBuffer *caller; /* the caller's array; only publish touches it */
    SecBuffer *before; /* what stood there */
    SecBuffer *made;   /* the same with private memory */
    SecBuffer *items;  /* what the package works on; begins as made */
};

struct osspi_leg_copy {
    struct side in;
    struct side out;
    SecBuffer *arrays; /* owned, holds all of before, made and items */
    unsigned char *bytes;
    size_t size;
};

/* Is what the slot points to no memory to be copied? An EMPTY input slot holds whatever the caller
 * left there, and so do output slots for which the package allocates. */
static bool is_placeholder(const struct side *side, const SecBuffer *buffer)
{
    ULONG type = osspi_buffer_type(buffer);

    if (!side->output)
        return type == SECBUFFER_EMPTY;
    return side->allocate &&
           (type == SECBUFFER_EMPTY || type == SECBUFFER_TOKEN || type == SECBUFFER_ALERT);
}

static size_t private_size(const struct side *side, const SecBuffer *buffer)
{
    if (!buffer->pvBuffer || is_placeholder(side, buffer))
        return 0;
    return ((size_t)buffer->cbBuffer + 15u) & ~(size_t)15u;
}

static size_t total_size(const struct side *side, const struct osspi_buffers *buffers)
{
    size_t total = 0;

    for (ULONG i = 0; i < buffers->count; i++)
        total += private_size(side, &buffers->items[i]);
    return total;
}

static void lay_out(struct side *side, const struct osspi_buffers *buffers, SecBuffer **arrays)
{
    side->count = buffers->count;
    side->caller = buffers->items;
    side->before = *arrays;
    side->made = side->before + side->count;
    side->items = side->made + side->count;
    *arrays = side->items + side->count;
}

/* Copies one side; returns the first free byte behind it. */
static unsigned char *fill(struct side *side, unsigned char *bytes)
{
    for (ULONG i = 0; i < side->count; i++) {
        SecBuffer *made = &side->made[i];
        size_t size = private_size(side, &side->caller[i]);

        side->before[i] = side->caller[i];
        *made = side->caller[i];
        if (size > 0) {
            memcpy(bytes, made->pvBuffer, made->cbBuffer);
            made->pvBuffer = bytes;
            bytes += size;
        } else if (side->output && is_placeholder(side, made)) {
            made->pvBuffer = NULL;
        }
        side->items[i] = *made;
    }
    return bytes;
}

SECURITY_STATUS osspi_leg_copy_new(struct osspi_buffers *in, struct osspi_buffers *out,
                                   bool allocate, struct osspi_leg_copy **ret_copy)
{
    struct osspi_leg_copy *copy = osspi_alloc(sizeof(*copy));
    SecBuffer *arrays;

    if (!copy)
        return SEC_E_INSUFFICIENT_MEMORY;
    copy->out.output = true;
    copy->out.allocate = allocate;
    copy->size = total_size(&copy->in, in) + total_size(&copy->out, out);
    copy->arrays = osspi_alloc_array(3 * ((size_t)in->count + out->count), sizeof(SecBuffer));
    copy->bytes = osspi_alloc(copy->size);
    if (!copy->arrays || !copy->bytes) {
        osspi_free(copy->arrays);
        osspi_free(copy->bytes);
        osspi_free(copy);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    arrays = copy->arrays;
    lay_out(&copy->in, in, &arrays);
    lay_out(&copy->out, out, &arrays);
    fill(&copy->out, fill(&copy->in, copy->bytes));
    in->items = copy->in.items;
    out->items = copy->out.items;
    *ret_copy = copy;
    return SEC_E_OK;
}

/* If address lies in private memory, the caller's address of the same byte; else NULL. */
static void *to_caller(const struct side *side, const void *address)
{
    for (ULONG i = 0; i < side->count; i++) {
        uintptr_t start = (uintptr_t)side->made[i].pvBuffer;
        uintptr_t at = (uintptr_t)address;

        if (side->made[i].pvBuffer != side->before[i].pvBuffer && at >= start &&
            at - start <= side->made[i].cbBuffer)
            return (char *)side->before[i].pvBuffer + (at - start);
    }
    return NULL;
}

static bool is_private(const struct osspi_leg_copy *copy, const void *address)
{
    uintptr_t start = (uintptr_t)copy->bytes;

    return (uintptr_t)address >= start && (uintptr_t)address - start <= copy->size;
}

static void publish_one(struct osspi_leg_copy *copy, struct side *side, ULONG i)
{
    SecBuffer *item = &side->items[i];
    SecBuffer *caller = &side->caller[i];
    const SecBuffer *made = &side->made[i];

    caller->cbBuffer = item->cbBuffer;
    caller->BufferType = item->BufferType;
    if (side->output && is_placeholder(side, &side->before[i])) {
        caller->pvBuffer = OSSPI_TAKE(item->pvBuffer);
    } else if (item->pvBuffer == made->pvBuffer) {
        caller->pvBuffer = side->before[i].pvBuffer;
        /* A length above the capacity tells a size that is needed; there is nothing to copy. */
        if (side->output && is_private(copy, made->pvBuffer) && item->cbBuffer <= made->cbBuffer)
            memcpy(caller->pvBuffer, item->pvBuffer, item->cbBuffer);
    } else if (is_private(copy, item->pvBuffer)) {
        void *address = to_caller(&copy->in, item->pvBuffer);

        caller->pvBuffer = address ? address : to_caller(&copy->out, item->pvBuffer);
    } else {
        caller->pvBuffer = OSSPI_TAKE(item->pvBuffer);
    }
}

void osspi_leg_copy_publish(struct osspi_leg_copy *copy, SECURITY_STATUS status)
{
    for (ULONG i = 0; i < copy->in.count; i++)
        publish_one(copy, &copy->in, i);
    /* More input is needed: outputs stay as they were, type and length included. */
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return;
    for (ULONG i = 0; i < copy->out.count; i++)
        publish_one(copy, &copy->out, i);
}

void osspi_leg_copy_free(struct osspi_leg_copy *copy)
{
    if (!copy)
        return;
    for (ULONG i = 0; i < copy->out.count; i++) {
        void *memory = copy->out.items[i].pvBuffer;

        if (memory && memory != copy->out.made[i].pvBuffer && !is_private(copy, memory))
            (void)osspi_context_buffer_free(memory);
    }
    osspi_secret_free(copy->bytes, copy->size);
    osspi_free(copy->arrays);
    osspi_free(copy);
}
