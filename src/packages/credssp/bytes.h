/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Bytes that grow. They may be secret: memory that is left behind is wiped. One thread at a time.
 */
#ifndef OSSPI_CREDSSP_BYTES_H
#define OSSPI_CREDSSP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct osspi_bytes {
    uint8_t *at; /* NULL: none */
    size_t len;
    size_t size; /* of the memory */
};

/** Adds len bytes at the end, zeroed where bytes is NULL; false: no memory, and nothing has
 * changed. */
bool osspi_bytes_add(struct osspi_bytes *bytes, const void *more, size_t len)
    __attribute__((warn_unused_result));

/** Drops the first len bytes. */
void osspi_bytes_drop(struct osspi_bytes *bytes, size_t len);

/** Wipes and frees. */
void osspi_bytes_clear(struct osspi_bytes *bytes);

#endif
