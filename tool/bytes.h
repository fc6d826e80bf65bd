/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A growing run of bytes, filled at the end and consumed at the front. Consuming moves no memory,
 * so that many small records in one buffer cost no more than one big record.
 */
#ifndef SSPI_TOOL_BYTES_H
#define SSPI_TOOL_BYTES_H

#include <stdbool.h>
#include <stddef.h>

struct bytes {
    unsigned char *data;  /* the first byte in use */
    size_t len;           /* bytes in use */
    unsigned char *store; /* what was allocated; data points into it */
    size_t capacity;      /* bytes at store */
};

/** Makes room for `more` bytes behind what is there; false if there is no memory. May move data. */
bool bytes_reserve(struct bytes *bytes, size_t more);

/** Adds bytes at the end; false if there is no memory. */
bool bytes_append(struct bytes *bytes, const void *data, size_t len);

/** Adds formatted text at the end (without its NUL); false if there is no memory. */
bool bytes_printf(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Drops bytes at the front; len must not exceed what is there. */
void bytes_consume(struct bytes *bytes, size_t len);

/** Frees the memory; the object is empty afterwards. */
void bytes_clear(struct bytes *bytes);

#endif
