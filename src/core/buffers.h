/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Security buffers: checked once where they enter, found by type afterwards, and the memory that
 * the library gives out in them.
 *
 * struct osspi_buffers points at the caller's own SecBuffer array (CPU lane, synchronous calls) or
 * at a private copy of it (blocking lane); packages cannot tell and need not.
 */
#ifndef OSSPI_CORE_BUFFERS_H
#define OSSPI_CORE_BUFFERS_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>

#define OSSPI_MAX_BUFFERS 64u /* more in one descriptor is SEC_E_INVALID_TOKEN */

struct osspi_buffers {
    ULONG count;
    SecBuffer *items; /* NULL only when count is 0 */
};

/**
 * Checks a descriptor and views it. NULL gives an empty view.
 *
 * @return SEC_E_OK; SEC_E_INVALID_TOKEN: wrong ulVersion, more than OSSPI_MAX_BUFFERS, NULL array
 *         with a count, or a buffer other than EMPTY with a length but no address (outputs: see
 *         osspi_buffers_view_output).
 */
SECURITY_STATUS osspi_buffers_view_input(const SecBufferDesc *desc, struct osspi_buffers *ret_view);

/** The same for output: NULL with a length is allowed there (the package allocates). */
SECURITY_STATUS osspi_buffers_view_output(const SecBufferDesc *desc,
                                          struct osspi_buffers *ret_view);

/** BufferType without the attribute bits. */
ULONG osspi_buffer_type(const SecBuffer *buffer);

/** First buffer of a type, or NULL. nth counts from 0. */
SecBuffer *osspi_buffers_find(const struct osspi_buffers *buffers, ULONG type);
SecBuffer *osspi_buffers_find_nth(const struct osspi_buffers *buffers, ULONG type, ULONG nth);

/** Turns the first EMPTY slot behind the buffer `after` (or, if there is none behind it, any EMPTY
 * slot) into type with cb bytes; false when there is no slot. pvBuffer may be NULL. */
bool osspi_buffers_put(const struct osspi_buffers *buffers, const SecBuffer *after, ULONG type,
                       ULONG cb, void *pv);

/* ---- memory given to the caller, freed with FreeContextBuffer ---- */

/** Zeroed memory with the small header that FreeContextBuffer knows; NULL when there is none. */
void *osspi_context_buffer_new(size_t size) __attribute__((warn_unused_result));

/** SEC_E_OK, also for NULL; SEC_E_INVALID_HANDLE when the header is not ours (nothing is freed). */
SECURITY_STATUS osspi_context_buffer_free(void *memory);

/**
 * Hands len bytes to the caller in an output buffer by SSPI's rules: with allocate, or with a NULL
 * pvBuffer, new memory is put there; else they are copied if they fit.
 *
 * @return SEC_E_OK (cbBuffer = len, BufferType = type); SEC_E_INSUFFICIENT_MEMORY: no memory;
 *         too_small (chosen by the package) when the caller's buffer is too small, and then
 *         nothing is written.
 */
SECURITY_STATUS osspi_buffer_give(SecBuffer *buffer, ULONG type, const void *bytes, size_t len,
                                  bool allocate, SECURITY_STATUS too_small);

#endif
