/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* Bytes that grow; see bytes.h. */
#include "packages/credssp/bytes.h"

#include <string.h>

#include "base/memory.h"

#define FIRST_SIZE 512u

static bool grow(struct osspi_bytes *bytes, size_t needed)
{
    size_t size = bytes->size > 0 ? bytes->size : FIRST_SIZE;
    uint8_t *at;

    while (size < needed)
        size *= 2;
    at = osspi_alloc(size);
    if (!at)
        return false;
    if (bytes->len > 0)
        memcpy(at, bytes->at, bytes->len);
    osspi_secret_free(bytes->at, bytes->size);
    bytes->at = at;
    bytes->size = size;
    return true;
}

bool osspi_bytes_add(struct osspi_bytes *bytes, const void *more, size_t len)
{
    if (len == 0)
        return true;
    if (len > SIZE_MAX / 4 - bytes->len)
        return false;
    if (bytes->len + len > bytes->size && !grow(bytes, bytes->len + len))
        return false;
    if (more)
        memcpy(bytes->at + bytes->len, more, len);
    else
        memset(bytes->at + bytes->len, 0, len);
    bytes->len += len;
    return true;
}

void osspi_bytes_drop(struct osspi_bytes *bytes, size_t len)
{
    if (len == 0)
        return;
    bytes->len -= len;
    memmove(bytes->at, bytes->at + len, bytes->len);
    osspi_secure_zero(bytes->at + bytes->len, len);
}

void osspi_bytes_clear(struct osspi_bytes *bytes)
{
    osspi_secret_free(bytes->at, bytes->size);
    *bytes = (struct osspi_bytes){0};
}
