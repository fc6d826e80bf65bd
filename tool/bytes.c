/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A growing run of bytes.
 */
#include "bytes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bytes_reserve(struct bytes *bytes, size_t more)
{
    size_t before = bytes->store ? (size_t)(bytes->data - bytes->store) : 0;
    if (more <= bytes->capacity - before - bytes->len)
        return true;
    if (more > SIZE_MAX / 2 - bytes->len)
        return false;

    size_t capacity = bytes->capacity;
    if (capacity < bytes->len + more)
        capacity = bytes->len + more + bytes->len / 2;
    unsigned char *store = bytes->store;
    if (before > 0 && bytes->len > 0)
        memmove(store, bytes->data, bytes->len);
    bytes->data = store;
    if (capacity > bytes->capacity) {
        store = realloc(bytes->store, capacity);
        if (!store)
            return false;
        bytes->store = bytes->data = store;
        bytes->capacity = capacity;
    }
    return true;
}

bool bytes_append(struct bytes *bytes, const void *data, size_t len)
{
    if (!bytes_reserve(bytes, len))
        return false;
    if (len > 0)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return true;
}

bool bytes_printf(struct bytes *bytes, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);

    bool done = false;
    /* The NUL needs a place but does not count. */
    if (len >= 0 && bytes_reserve(bytes, (size_t)len + 1)) {
        vsnprintf((char *)bytes->data + bytes->len, (size_t)len + 1, format, again);
        bytes->len += (size_t)len;
        done = true;
    }
    va_end(again);
    return done;
}

void bytes_consume(struct bytes *bytes, size_t len)
{
    if (len > bytes->len)
        len = bytes->len;
    bytes->len -= len;
    bytes->data = bytes->len > 0 ? bytes->data + len : bytes->store;
}

void bytes_clear(struct bytes *bytes)
{
    free(bytes->store);
    *bytes = (struct bytes){0};
}
